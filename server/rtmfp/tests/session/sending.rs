//! What is sent when (RFC 7016 section 3.6.2).

use crate::script::{MS, PLAIN, S, Script, address, send_one, warm_up};
use rtmfp::chunk::{AckBitmap, Chunk, FragmentControl};
use rtmfp::packet::{Header, Mode};
use rtmfp::session::{FlowId, OpenFlow, SendError, SessionCommand, SessionEvent, SessionSettings};

#[test]
fn a_flow_without_loss_numbers_its_data_as_in_figure_20() {
    let mut script = Script::new();
    let flow = script.open();
    warm_up(&mut script, flow, 16);
    for number in 17..=24 {
        assert_eq!(send_one(&mut script, flow), (number, 16));
        // Nothing new, but it allows another burst.
        script.ack(flow, 16, &[]);
    }
    assert_eq!(send_one(&mut script, flow), (25, 16));
    assert_eq!(send_one(&mut script, flow), (26, 16));
    script.ack(flow, 18, &[]);
    assert_eq!(send_one(&mut script, flow), (27, 18));
    assert_eq!(send_one(&mut script, flow), (28, 18));
}

#[test]
fn a_flow_with_loss_is_repaired_and_moved_on_as_in_figure_21() {
    let mut script = Script::new();
    let flow = script.open();
    warm_up(&mut script, flow, 30);
    script.send_for(flow, b"31", 100 * MS);
    script.one();
    for number in 32..=45 {
        script.ack(flow, 30, &[]);
        assert_eq!(send_one(&mut script, flow), (number, 30));
    }
    script.ack(flow, 30, &[(32, 32)]);
    assert_eq!(send_one(&mut script, flow), (46, 30));
    script.ack(flow, 30, &[(32, 32), (34, 34)]);
    assert!(script.pass(100 * MS).is_empty(), "31 is given up, but still in flight");
    script.send(flow, b"47");
    script.ack(flow, 30, &[(32, 32), (34, 35)]);
    let packet = script.one();
    assert_eq!((packet.data[0].sequence, packet.data[0].forward), (47, 32));
    script.ack(flow, 30, &[(32, 32), (34, 36)]);
    let packet = script.one();
    assert_eq!((packet.data[0].sequence, packet.data[0].forward), (33, 32));
    script.ack(flow, 30, &[(32, 32), (34, 37)]);
    for number in 48..=59 {
        assert_eq!(send_one(&mut script, flow), (number, 32));
        script.ack(flow, 30, &[(32, 32), (34, 37)]);
    }
    script.send_for(flow, b"60", 100 * MS);
    assert_eq!(script.one().data[0].forward, 32);
    script.ack(flow, 30, &[(32, 32), (34, 46)]);
    assert_eq!(send_one(&mut script, flow), (61, 32));
    script.ack(flow, 32, &[(34, 47)]);
    assert_eq!(send_one(&mut script, flow), (62, 32));
    script.ack(flow, 47, &[]);
    assert_eq!(send_one(&mut script, flow), (63, 47));
    script.ack(flow, 49, &[]);
    assert_eq!(send_one(&mut script, flow), (64, 49));
    script.ack(flow, 59, &[]);
    script.ack(flow, 59, &[(61, 61)]);
    script.ack(flow, 59, &[(61, 62)]);
    assert!(script.pass(100 * MS).is_empty());
    script.ack(flow, 59, &[(61, 63)]);
    let update = script.one();
    assert_eq!(update.data.len(), 1);
    assert!(update.data[0].abandon && update.data[0].octets.is_empty());
    assert_eq!((update.data[0].sequence, update.data[0].forward), (60, 60));
    script.ack(flow, 59, &[(61, 64)]);
    assert!(script.sent().is_empty());
    script.ack(flow, 64, &[]);
    assert!(script.sent().is_empty());
    let statistics = script.session.statistics();
    assert_eq!((statistics.lost, statistics.resent, statistics.abandoned), (3, 1, 2));
}

#[test]
fn losses_are_found_by_what_was_sent_later_on_any_flow() {
    let mut script = Script::new();
    let (one, other) = (script.open(), script.open());
    script.send(one, b"lost");
    script.one();
    for number in 1..=3 {
        script.send(other, b"arrives");
        script.one();
        script.ack(other, number, &[]);
        let again = script.sent();
        assert_eq!(again.len(), usize::from(number == 3), "after {number}");
        assert!(again.iter().all(|packet| packet.data[0].octets == b"lost"));
    }
}

#[test]
fn an_acknowledgement_that_says_nothing_new_is_no_negative_one() {
    let mut script = Script::new();
    let flow = script.open();
    script.send(flow, b"late");
    script.one();
    script.send(flow, b"early");
    script.one();
    (0..9).for_each(|_| script.ack(flow, 0, &[(2, 2)]));
    assert!(script.sent().is_empty());
    assert_eq!(script.session.statistics().lost, 0);
}

#[test]
fn what_was_never_sent_cannot_be_acknowledged() {
    let mut script = Script::new();
    let flow = script.open();
    script.send(flow, b"one");
    script.ack(flow, u64::MAX, &[]);
    assert_eq!(script.one().data[0].octets, b"one");
    script.arrive(&[Chunk::AckRanges(rtmfp::chunk::AckRanges {
        flow: 999,
        buffer_available: 0,
        cumulative: 5,
        pairs: &[],
    })]);
    script.ack(flow, 1, &[]);
    assert_eq!(script.session.statistics().outstanding, 0);
}

#[test]
fn an_acknowledgement_as_bitmap_counts_bit_by_bit() {
    let mut script = Script::new();
    let flow = script.open();
    (0..4).for_each(|_| {
        script.send(flow, b"m");
        script.one();
    });
    // Everything up to 1, and 3: the lowest bit is the second number after.
    let bits = &[0b0000_0001];
    let ack = AckBitmap { flow: flow.0, buffer_available: 64, cumulative: 1, bits };
    script.arrive(&[Chunk::AckBitmap(ack)]);
    let lost = script.pass(4 * S);
    let numbers: Vec<_> = lost.iter().flat_map(|p| &p.data).map(|data| data.sequence).collect();
    assert_eq!(numbers, [2, 4]);
}

#[test]
fn a_truncated_last_range_is_ignored_and_the_rest_counts() {
    let mut script = Script::new();
    let flow = script.open();
    (0..4).for_each(|_| {
        script.send(flow, b"m");
        script.one();
    });
    script.arrive(&[crate::script::ack(flow.0, 64, 0, &[0, 0, 0x00, 0x83])]);
    let lost = script.pass(4 * S);
    let numbers: Vec<_> = lost.iter().flat_map(|p| &p.data).map(|data| data.sequence).collect();
    assert_eq!(numbers, [1, 3, 4]);
}

#[test]
fn messages_that_wait_share_a_packet_and_follow_each_other_without_head() {
    let mut script = Script::new();
    let (one, other) = (script.open(), script.open());
    for number in 0..5u8 {
        script.send(one, &[number]);
        script.send(other, &[number + 100]);
    }
    let packet = script.one();
    assert_eq!(packet.kinds, [0x10, 0x11, 0x11, 0x11, 0x11, 0x10, 0x11, 0x11, 0x11, 0x11]);
    let octets: Vec<_> = packet.data.iter().map(|data| data.octets[0]).collect();
    assert_eq!(octets, [0, 1, 2, 3, 4, 100, 101, 102, 103, 104]);
}

#[test]
fn fragments_leave_room_for_the_largest_header() {
    for limit in [200, 600, 1192] {
        let settings = SessionSettings { packet_limit: limit, ..SessionSettings::default() };
        let mut script = Script::with(settings);
        let flow = OpenFlow { metadata: &[7; 40], ..PLAIN };
        let flow = script.session.open_flow(flow).unwrap();
        let message: Vec<_> = (0..3000u32).map(|at| at as u8).collect();
        script.send(flow, &message);
        let mut whole = Vec::new();
        let (mut cumulative, mut controls) = (0, Vec::new());
        while whole.len() < message.len() {
            // A time from the far end makes the header as large as it gets.
            let header =
                Header { timestamp: Some(cumulative as u16), ..Header::new(Mode::Initiator) };
            script.arrive_from(address(1), header, &[]);
            script.now += 4 * MS;
            let packets = script.sent();
            assert!(!packets.is_empty());
            for packet in packets {
                assert!(packet.octets.len() <= limit, "{} of {limit}", packet.octets.len());
                for data in packet.data {
                    whole.extend(data.octets);
                    controls.push(data.control);
                    cumulative = data.sequence;
                }
            }
            script.ack(flow, cumulative, &[]);
        }
        assert_eq!(whole, message);
        assert_eq!(controls.first(), Some(&FragmentControl::Begin));
        assert_eq!(controls.last(), Some(&FragmentControl::End));
        let middle = &controls[1..controls.len() - 1];
        assert!(middle.iter().all(|control| *control == FragmentControl::Middle));
    }
}

#[test]
fn six_packets_go_and_the_seventh_waits_for_an_acknowledgement_or_the_alarm() {
    let mut script = Script::new();
    let flow = script.open();
    for number in 1..=8u8 {
        script.send(flow, &[number]);
        assert_eq!(script.sent().len(), usize::from(number <= 6));
    }
    script.ack(flow, 1, &[]);
    let packet = script.one();
    assert_eq!(packet.data.len(), 2, "what waited shares a packet");
    let mut silent = Script::new();
    let flow = silent.open();
    for number in 1..=7u8 {
        silent.send(flow, &[number]);
        silent.sent();
    }
    assert!(silent.pass(2999 * MS).is_empty());
    let again = silent.pass(MS);
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].data.len(), 7);
}

#[test]
fn the_alarm_resends_everything_in_flight_and_backs_off() {
    let mut script = Script::new();
    let flow = script.open();
    script.send(flow, b"one");
    script.one();
    let mut at = Vec::new();
    let keep = rtmfp::session::KeepAlive { every: 1000 * S, dead_after: 5000 * S };
    script.command(SessionCommand::KeepAlive(keep));
    for _ in 0..50_000 {
        if !script.pass(MS).is_empty() {
            at.push((script.now - script.start).as_millis());
        }
    }
    let waits: Vec<_> = at.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(at[0], 3000);
    assert_eq!(waits, [4243, 6000, 8485, 10_000, 10_000]);
    assert_eq!(script.session.statistics().congestion_window, 1460);
}

#[test]
fn the_congestion_window_bounds_what_is_under_way() {
    let mut script = Script::new();
    let flow = script.open();
    script.send(flow, &[0; 20_000]);
    let packets = script.sent();
    assert_eq!(packets.len(), 4, "4380 octets, and what crosses that bound");
    assert!(script.session.statistics().outstanding < 4380 + 1192);
    script.ack(flow, 2, &[]);
    assert_eq!(script.sent().len(), 3, "two for two that arrived, one for the growth");
}

#[test]
fn time_critical_data_goes_first_and_marks_its_packets() {
    let mut script = Script::new();
    let bulk = script.open();
    let audio = OpenFlow { time_critical: true, ..PLAIN };
    let audio = script.session.open_flow(audio).unwrap();
    let high = script.session.open_flow(OpenFlow { priority: 9, ..PLAIN }).unwrap();
    script.send(bulk, b"bulk");
    script.send(high, b"high");
    script.send(audio, b"audio");
    let packet = script.one();
    let order: Vec<_> = packet.data.iter().map(|data| data.flow).collect();
    assert_eq!(order, [audio.0, high.0, bulk.0]);
    assert!(packet.header.time_critical);
    script.send(bulk, b"bulk");
    assert!(!script.one().header.time_critical);
}

#[test]
fn flows_of_the_same_rank_take_turns() {
    let mut script = Script::new();
    let flows = [script.open(), script.open(), script.open()];
    flows.iter().for_each(|flow| script.send(*flow, &[0; 9000]));
    let mut shares = [0u64; 3];
    for _ in 0..12 {
        let mut acked = [0; 3];
        for packet in script.sent() {
            for data in packet.data {
                let at = (data.flow - 2) as usize;
                shares[at] += data.octets.len() as u64;
                acked[at] = data.sequence;
            }
        }
        for (flow, up_to) in flows.iter().zip(acked).filter(|(_, up_to)| *up_to > 0) {
            script.ack(*flow, up_to, &[]);
        }
        if shares.iter().sum::<u64>() > 12_000 {
            break;
        }
    }
    assert!(shares.iter().all(|share| *share >= 3000), "{shares:?}");
}

#[test]
fn the_far_end_of_a_session_is_told_of_time_critical_data_on_another() {
    let mut script = Script::new();
    let flow = script.open();
    script.send(flow, b"m");
    let mut buffer = Vec::new();
    script.session.poll_packet(script.now, true, &mut buffer);
    assert_eq!(buffer[0] & 0xc0, 0x40);
}

#[test]
fn a_full_queue_refuses_and_says_when_it_has_room() {
    let settings = SessionSettings { send_buffer: 4000, ..SessionSettings::default() };
    let mut script = Script::with(settings);
    let flow = script.open();
    script.send(flow, &[0; 3400]);
    let now = script.now;
    assert_eq!(script.session.send(now, flow, &[0; 1500], None), Err(SendError::Full));
    script.sent();
    script.ack(flow, 1, &[]);
    script.sent();
    assert_eq!(script.events(), []);
    script.ack(flow, 3, &[]);
    assert_eq!(script.events(), [SessionEvent::Writable { flow }]);
    script.send(flow, &[0; 1500]);
    let large = vec![0; 128 * 1024 + 1];
    assert_eq!(script.session.send(now, flow, &large, None), Err(SendError::TooLarge));
    let unknown = script.session.send(now, FlowId(99), b"", None);
    assert_eq!(unknown, Err(SendError::NoSuchFlow));
}

#[test]
fn an_empty_message_is_a_message() {
    let mut script = Script::new();
    let flow = script.open();
    script.send(flow, b"");
    let packet = script.one();
    assert_eq!((packet.data.len(), packet.data[0].abandon), (1, false));
}

#[test]
fn every_packet_has_a_timestamp_and_the_echo_when_it_is_new() {
    let mut script = Script::new();
    let flow = script.open();
    let header = Header { timestamp: Some(500), ..Header::new(Mode::Initiator) };
    script.arrive_from(address(1), header, &[]);
    script.now += 41 * MS;
    script.send(flow, b"one");
    let one = script.one();
    assert_eq!(one.header.timestamp_echo, Some(510));
    assert!(one.header.timestamp.is_some());
    script.send(flow, b"two");
    let two = script.one();
    assert_eq!(two.header.timestamp_echo, None, "the same echo is not sent twice");
    assert_eq!(two.header.timestamp, one.header.timestamp);
}

#[test]
fn the_end_of_a_flow_goes_with_its_last_unsent_message_else_by_itself() {
    let mut script = Script::new();
    let (one, other) = (script.open(), script.open());
    script.send(one, b"last");
    script.command(SessionCommand::CloseFlow { flow: one });
    let packet = script.one();
    assert!(packet.data[0].last && !packet.data[0].abandon);
    script.send(other, b"sent before");
    script.one();
    script.command(SessionCommand::CloseFlow { flow: other });
    let packet = script.one();
    assert!(packet.data[0].last && packet.data[0].abandon);
    assert_eq!(packet.data[0].sequence, 2);
    script.ack(one, 1, &[]);
    script.ack(other, 1, &[]);
    assert_eq!(script.events(), [SessionEvent::FlowDelivered { flow: one }]);
    script.ack(other, 2, &[]);
    assert_eq!(script.events(), [SessionEvent::FlowDelivered { flow: other }]);
}
