#![allow(clippy::unwrap_used)]
use super::*;
use crate::packet::Packet;
use base::Seed;

fn octets(text: &str) -> Vec<u8> {
    let text: String = text.split_whitespace().collect();
    (0..text.len() / 2).map(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).unwrap()).collect()
}

fn key(suite: SrtpSuite, number: u64) -> MasterKey {
    MasterKey::random(suite, &mut Seed::from_number(number))
}

fn pair(suite: SrtpSuite) -> (Sealer, Opener) {
    let key = key(suite, 7);
    (Sealer::new(suite, &key).unwrap(), Opener::new(suite, &key, 0).unwrap())
}

/// A packet of index `index`, sealed.
fn sealed(sealer: &mut Sealer, index: u64, payload: &[u8]) -> Vec<u8> {
    let packet = Packet {
        payload_type: 8,
        marker: index & 1 == 0,
        sequence: index as u16,
        timestamp: 960,
        ssrc: 0x1234_5678,
        payload,
    };
    let mut buffer = [0; 400];
    let length = packet.write(&mut buffer).unwrap();
    let length = sealer.seal(index, &mut buffer, length).unwrap();
    buffer[..length].to_vec()
}

fn opened(opener: &mut Opener, packet: &[u8]) -> Option<Vec<u8>> {
    let mut out = [0x77; 400];
    let packet = Packet::parse(opener.open(packet, &mut out)?).unwrap();
    Some(packet.payload.to_vec())
}

#[test]
fn session_keys_are_those_of_rfc_3711_appendix_b_3() {
    let key = octets("E1F97A0D3E018BE0D64FA32C06DE4139");
    let salt = octets("0EC675AD498AFEEBB6960B3AABE6");
    let cipher = derive::<16>(&key, &salt, 0).unwrap();
    assert_eq!(cipher.to_vec(), octets("C61E7A93744F39EE10734AFE3FF7A087"));
    let authentication = derive::<94>(&key, &salt, 1).unwrap();
    let wanted = "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4 8F0A0ACF3C34E2359E6CDBCE
        E049646C43D9327AD175578EF7227098 6371C10C9A369AC2F94A8C5FBCDDDC25
        6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2";
    assert_eq!(authentication.to_vec(), octets(wanted));
    let session = derive::<14>(&key, &salt, 2).unwrap();
    assert_eq!(session.to_vec(), octets("30CBBC08863D8C85D49DB34A9AE1"));
}

#[test]
fn session_keys_of_aes_256_are_those_of_rfc_6188_section_7_2() {
    let key = octets("f0f04914b513f2763a1b1fa130f10e29 98f6f6e43e4309d1e622a0e332b9f1b6");
    let salt = octets("3b04803de51ee7c96423ab5b78d2");
    let cipher = derive::<32>(&key, &salt, 0).unwrap();
    let wanted = "5ba1064e30ec51613cad926c5a28ef73 1ec7fb397f70a960653caf06554cd8c4";
    assert_eq!(cipher.to_vec(), octets(wanted));
    let authentication = derive::<20>(&key, &salt, 1).unwrap();
    assert_eq!(authentication.to_vec(), octets("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"));
    let session = derive::<14>(&key, &salt, 2).unwrap();
    assert_eq!(session.to_vec(), octets("fa31791685ca444a9e07c6c64e93"));
}

/// The packets that libsrtp checks itself with.
#[test]
fn packets_are_octet_for_octet_those_of_the_reference_library() {
    let suite = SrtpSuite::Aes128Tag80;
    let master = octets("e1f97a0d3e018be0d64fa32c06de4139 0ec675ad498afeebb6960b3aabe6");
    let master = MasterKey::from_octets(suite, &master).unwrap();
    let mut sealer = Sealer::new(suite, &master).unwrap();
    let plain = octets("800f1234decafbadcafebabe abababababababababababababababab");
    let mut buffer = [0; 64];
    buffer[..28].copy_from_slice(&plain);
    let length = sealer.seal(0x1234, &mut buffer, 28).unwrap();
    let wanted = "800f1234decafbadcafebabe 4e55dc4ce79978d88ca4d215949d2402 b78d6acc99ea179b8dbb";
    assert_eq!(buffer[..length].to_vec(), octets(wanted));
    let mut opener = Opener::new(suite, &master, 0).unwrap();
    let mut out = [0; 64];
    assert_eq!(opener.open(&buffer[..length], &mut out).unwrap(), plain);

    let mut report = octets("81c8000bcafebabe abababababababababababababababab");
    let plain = report.clone();
    sealer.rtcp_next = 1;
    assert!(sealer.seal_rtcp(&mut report));
    let wanted = "81c8000bcafebabe 7128035be487b9bdbef89041f977a5a8 80000001 993e08cd54d6c1230798";
    assert_eq!(report, octets(wanted));
    assert_eq!(opener.open_rtcp(&report, &mut out).unwrap(), plain);
}

#[test]
fn the_key_stream_is_that_of_rfc_3711_appendix_b_2() {
    let mut keys = Keys::new(&[1; 16], &[2; 14], false).unwrap();
    keys.use_session(
        &octets("2B7E151628AED2A6ABF7158809CF4F3C"),
        &octets("F0F1F2F3F4F5F6F7F8F9FAFBFCFD"),
    );
    let mut stream = vec![0; 1_044_512];
    keys.apply(0, 0, &mut stream);
    let wanted = "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB
        41E95B3BB0A2E8DD477901E4FCA894C0";
    assert_eq!(stream[..48].to_vec(), octets(wanted));
    let wanted = "EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE
        6A2CC3787889374FBEB4C81B17BA6C44";
    assert_eq!(stream[0xfeff * 16..0xff02 * 16].to_vec(), octets(wanted));
}

#[test]
fn what_one_side_seals_the_other_opens_in_every_suite() {
    for suite in SrtpSuite::ALL {
        let (mut sealer, mut opener) = pair(suite);
        for index in 40..60 {
            let payload = [index as u8; 160];
            let packet = sealed(&mut sealer, index, &payload);
            assert_eq!(packet.len(), 172 + suite.tag_length());
            assert!(packet.windows(16).all(|part| part != &payload[..16]), "it is encrypted");
            assert_eq!(opened(&mut opener, &packet).unwrap(), payload);
            assert!(opened(&mut opener, &packet).is_none(), "a repetition");
        }
        let mut other = Opener::new(suite, &key(suite, 8), 0).unwrap();
        assert!(opened(&mut other, &sealed(&mut sealer, 60, b"sound")).is_none(), "another key");
    }
}

#[test]
fn a_very_late_packet_is_refused_and_a_reordered_one_is_taken_once() {
    let (mut sealer, mut opener) = pair(SrtpSuite::Aes128Tag80);
    let packets: Vec<_> = (0..300).map(|index| sealed(&mut sealer, index, b"sound")).collect();
    let mut takes = |n: usize| opened(&mut opener, &packets[n]).is_some();
    assert!(takes(0) && takes(200) && takes(150), "50 behind is within the window");
    assert!(!takes(150) && !takes(200), "twice");
    assert!(!takes(0) && !takes(72), "128 behind is too old");
    assert!(takes(73) && takes(201));
}

#[test]
fn the_sequence_number_wraps_with_loss_and_reordering_around_it() {
    let (mut sealer, mut opener) = pair(SrtpSuite::Aes256Tag32);
    for index in [65_500, 65_535, 65_538, 65_534, 65_536, 98_305, 131_071, 131_073, 131_072] {
        let packet = sealed(&mut sealer, index, b"sound");
        assert!(opened(&mut opener, &packet).is_some(), "{index}");
    }
}

#[test]
fn no_bit_of_a_packet_can_be_changed() {
    for suite in [SrtpSuite::Aes128Tag32, SrtpSuite::Aes256Tag80] {
        let (mut sealer, mut opener) = pair(suite);
        let packet = sealed(&mut sealer, 9, b"some sound");
        let mut compound = vec![0x80, 201, 0, 1, 1, 2, 3, 4, 9, 9];
        assert!(sealer.seal_rtcp(&mut compound));
        let mut out = [0; 100];
        for bit in 0..packet.len() * 8 {
            let mut changed = packet.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(opener.open(&changed, &mut out).is_none(), "RTP bit {bit}");
        }
        for bit in 0..compound.len() * 8 {
            let mut changed = compound.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(opener.open_rtcp(&changed, &mut out).is_none(), "RTCP bit {bit}");
        }
        for length in 0..packet.len() {
            assert!(opener.open(&packet[..length], &mut out).is_none());
        }
        for length in 0..compound.len() {
            assert!(opener.open_rtcp(&compound[..length], &mut out).is_none());
        }
        assert!(opener.open(&packet, &mut out[..10]).is_none(), "no room");
        assert!(opener.open(&packet, &mut out).is_some(), "what was refused has taken no place");
        assert!(opener.open_rtcp(&compound, &mut out).is_some());
        assert!(opener.open_rtcp(&compound, &mut out).is_none(), "a repetition");
    }
}

#[test]
fn a_peer_with_a_new_key_may_count_rollovers_on_or_begin_anew() {
    let suite = SrtpSuite::Aes128Tag80;
    for (index, taken) in [(70_001, true), (70_001 - 65_536, true), (70_001 + 65_536, false)] {
        let (mut sealer, mut opener) = pair(suite);
        for index in [0, 30_000, 60_000, 70_000] {
            assert!(opened(&mut opener, &sealed(&mut sealer, index, b"sound")).is_some());
        }
        let mut anew = Opener::new(suite, &key(suite, 8), 0).unwrap();
        anew.follow(opener);
        let mut sealer = Sealer::new(suite, &key(suite, 8)).unwrap();
        let packet = sealed(&mut sealer, index, b"sound");
        assert_eq!(opened(&mut anew, &packet).is_some(), taken, "{index}");
    }
}

#[test]
fn a_master_key_identifier_before_the_tag_is_stepped_over() {
    let suite = SrtpSuite::Aes128Tag80;
    let key = key(suite, 7);
    let mut opener = Opener::new(suite, &key, 4).unwrap();
    let mut packet = sealed(&mut Sealer::new(suite, &key).unwrap(), 3, b"sound");
    let tag = packet.split_off(packet.len() - 10);
    packet.extend([0, 0, 0, 1]);
    packet.extend(tag);
    assert_eq!(opened(&mut opener, &packet).unwrap(), b"sound");
}

#[test]
fn so_many_sources_are_followed_and_no_more() {
    let mut sources = Sources::default();
    for ssrc in 0..40 {
        let index = sources.index_of(ssrc, 9);
        assert_eq!(index.is_some(), ssrc < 32);
        sources.seen(ssrc, 9);
    }
    assert_eq!(sources.index_of(31, 9), None, "it has come");
    assert_eq!(sources.index_of(31, 10), Some(10));
}

#[test]
fn a_key_of_another_suite_makes_nothing() {
    let key = key(SrtpSuite::Aes256Tag80, 1);
    assert!(Sealer::new(SrtpSuite::Aes128Tag80, &key).is_none());
    assert!(Opener::new(SrtpSuite::Aes128Tag80, &key, 0).is_none());
}
