#![allow(clippy::unwrap_used)]

use super::*;
use crate::address::{Address, Addresses, Origin};

fn parsed(octets: &[u8]) -> Option<Chunk<'_>> {
    let mut reader = Reader::new(octets);
    let kind = reader.u8()?;
    let length = reader.u16()?;
    let payload = reader.take(usize::from(length))?;
    assert!(reader.is_empty(), "the example has one chunk");
    Chunk::parse(kind, payload)
}

fn ranges(octets: &[u8]) -> (u64, u64, u64, Vec<(u64, u64)>) {
    match parsed(octets) {
        Some(Chunk::AckBitmap(ack)) => {
            (ack.flow, ack.buffer_available, ack.cumulative, ack.ranges().collect())
        }
        Some(Chunk::AckRanges(ack)) => {
            (ack.flow, ack.buffer_available, ack.cumulative, ack.ranges().collect())
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_bitmap_of_figure_4_is_read_as_the_figure_says() {
    let figure = [0x50, 0, 5, 0x05, 0x7f, 0x10, 0x79, 0x06];
    assert_eq!(ranges(&figure), (5, 127, 16, vec![(18, 18), (21, 24), (27, 28)]));
}

#[test]
fn the_ranges_of_figure_5_are_read_and_written_as_the_figure_says() {
    let figure = [0x51, 0, 7, 0x05, 0x7f, 0x10, 0, 0, 1, 3];
    let expected = vec![(18, 18), (21, 24)];
    assert_eq!(ranges(&figure), (5, 127, 16, expected.clone()));
    let mut octets = Vec::new();
    assert!(put_ranges(&mut octets, (5, 127, 16), expected.into_iter(), 100));
    assert_eq!(octets, figure[3..]);
}

#[test]
fn a_truncated_last_range_leaves_the_ones_before_it_as_figure_6_says() {
    let figure = [0x51, 0, 7, 0x05, 0x7f, 0x10, 0, 0, 1, 0x83];
    assert_eq!(ranges(&figure).3, [(18, 18)]);
}

#[test]
fn ranges_past_the_largest_number_end_the_list() {
    let mut octets = vec![0x51, 0, 0, 1, 1];
    vlu::put(&mut octets, u64::MAX - 5);
    octets.extend([0, 0, 0, 9, 0, 0]);
    assert!(close(&mut octets, 0));
    assert_eq!(ranges(&octets).3, [(u64::MAX - 3, u64::MAX - 3)]);
    let mut octets = vec![0x50, 0, 0, 1, 1];
    vlu::put(&mut octets, u64::MAX - 3);
    octets.extend([0b1101, 0xff]);
    assert!(close(&mut octets, 0));
    assert_eq!(ranges(&octets).3, [(u64::MAX - 1, u64::MAX - 1)]);
}

#[test]
fn ranges_are_left_out_where_the_room_ends() {
    let mut octets = Vec::new();
    let all = [(3, 3), (5, 5), (7, 900)];
    assert!(!put_ranges(&mut octets, (1, 1, 1), all.into_iter(), 8));
    assert_eq!(octets, [1, 1, 1, 0, 0, 0, 0]);
    octets.clear();
    assert!(!put_ranges(&mut octets, (1, 1, 1), all.into_iter(), 2));
    assert!(octets.is_empty());
}

#[test]
fn the_chunks_of_figure_3_are_read_as_the_figure_says() {
    let first = [0x10, 0, 7, 0, 2, 5, 3, 0, 1, 2];
    let Some(Chunk::UserData(data)) = parsed(&first) else { panic!() };
    assert_eq!((data.flow, data.sequence, data.forward_sequence()), (2, 5, 2));
    assert_eq!((data.options, data.data), (None, &[0, 1, 2][..]));
    let Some(Chunk::NextUserData(next)) = parsed(&[0x11, 0, 4, 0, 3, 4, 5]) else { panic!() };
    assert_eq!((next.flags, next.data), (UserDataFlags::default(), &[3, 4, 5][..]));
}

#[test]
fn user_data_that_breaks_the_rules_of_its_numbers_is_malformed() {
    assert!(parsed(&[0x10, 0, 4, 0, 2, 0, 0]).is_none(), "number 0");
    assert!(parsed(&[0x10, 0, 4, 0, 2, 5, 6]).is_none(), "an offset past the beginning");
    assert!(parsed(&[0x10, 0, 4, 0, 2, 5, 0]).is_none(), "offset 0 though not abandoned");
    assert!(parsed(&[0x10, 0, 4, 2, 2, 5, 0]).is_some(), "offset 0 and abandoned");
    assert!(parsed(&[0x10, 0, 5, 0x80, 2, 5, 1, 9]).is_none(), "options cut");
}

#[test]
fn every_chunk_comes_back_as_it_went() {
    let socket = "192.0.2.7:1935".parse().unwrap();
    let address = Address { origin: Origin::Observed, socket };
    let mut addresses = Vec::new();
    address.put(&mut addresses);
    let addresses = Addresses::parse(&addresses).unwrap();
    let flags = UserDataFlags { fragment: FragmentControl::Middle, abandon: true, last: true };
    let options = Some(&[2, 0, 9, 0][..]);
    let all = [
        Chunk::Fragment(Fragment { more: true, packet: 300, number: 2, octets: b"x" }),
        Chunk::IHello(IHello { discriminator: b"who", tag: b"tag" }),
        Chunk::FIHello(FIHello { discriminator: b"who", reply_to: address, tag: b"tag" }),
        Chunk::RHello(RHello { tag_echo: b"tag", cookie: b"cookie", certificate: b"cert" }),
        Chunk::Redirect(Redirect { tag_echo: b"tag", addresses }),
        Chunk::CookieChange(CookieChange { old: b"old", new: b"newer" }),
        Chunk::Ping(b"ping"),
        Chunk::PingReply(b""),
        Chunk::UserData(UserData {
            flags,
            flow: 200,
            sequence: 1 << 40,
            fsn_offset: 9,
            options,
            data: b"data",
        }),
        Chunk::NextUserData(NextUserData { flags, options: None, data: b"data" }),
        Chunk::NextUserData(NextUserData { flags, options, data: b"" }),
        Chunk::AckBitmap(AckBitmap { flow: 1, buffer_available: 2, cumulative: 3, bits: &[7] }),
        Chunk::AckRanges(AckRanges { flow: 1, buffer_available: 2, cumulative: 3, pairs: &[0, 1] }),
        Chunk::BufferProbe { flow: 128 },
        Chunk::FlowException { flow: 1, code: 500 },
        Chunk::CloseRequest,
        Chunk::CloseAck,
        Chunk::Unknown { kind: 0xec },
    ];
    for chunk in all {
        let mut octets = Vec::new();
        assert!(chunk.put(&mut octets));
        assert_eq!(parsed(&octets), Some(chunk));
    }
}

#[test]
fn keying_chunks_come_back_with_what_their_signature_covers() {
    let mut octets = Vec::new();
    let sent = IIKeying {
        session: 0x0102_0304,
        cookie: b"cookie",
        certificate: b"cert",
        component: b"skic",
        signature: b"X",
        signed: b"",
    };
    assert!(Chunk::IIKeying(sent).put(&mut octets));
    let Some(Chunk::IIKeying(read)) = parsed(&octets) else { panic!() };
    assert_eq!(IIKeying { signed: b"", ..read }, sent);
    assert_eq!(read.signed, &octets[3..octets.len() - 1]);
    let mut signed = Vec::new();
    read.put_signed(&mut signed);
    assert_eq!(read.signed, signed);

    octets.clear();
    let sent = RIKeying { session: 9, component: b"skrc", signature: b"", signed: b"" };
    assert!(Chunk::RIKeying(sent).put(&mut octets));
    let Some(Chunk::RIKeying(read)) = parsed(&octets) else { panic!() };
    assert_eq!(RIKeying { signed: b"", ..read }, sent);
    assert_eq!(read.signed, &octets[3..]);
}

#[test]
fn chunks_belong_in_packets_of_their_mode() {
    let hello = Chunk::IHello(IHello { discriminator: b"", tag: b"" });
    assert!(hello.belongs_in(Mode::Startup) && !hello.belongs_in(Mode::Initiator));
    let ping = Chunk::Ping(b"");
    assert!(ping.belongs_in(Mode::Responder) && !ping.belongs_in(Mode::Startup));
    let fragment = Chunk::Fragment(Fragment { more: false, packet: 0, number: 0, octets: b"x" });
    assert!(fragment.belongs_in(Mode::Startup) && fragment.belongs_in(Mode::Initiator));
    assert!(!fragment.belongs_in(Mode::Forbidden));
}

#[test]
fn an_empty_fragment_is_malformed() {
    assert!(parsed(&[0x7f, 0, 3, 0, 1, 0]).is_none());
}

#[test]
fn a_payload_that_no_length_can_tell_is_not_written() {
    let long = vec![0; 70_000];
    let mut octets = vec![1];
    assert!(!Chunk::Ping(&long).put(&mut octets));
    assert_eq!(octets, [1]);
}
