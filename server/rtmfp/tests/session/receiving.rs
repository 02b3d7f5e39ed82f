//! What is delivered when (RFC 7016 sections 3.6.3.1 to 3.6.3.3).

use crate::script::{MS, S, Script, address, data, first, flagged, next, options};
use rtmfp::chunk::{Chunk, FragmentControl};
use rtmfp::packet::{Header, Mode};
use rtmfp::session::{FlowId, KeepAlive, Order, SessionCommand, SessionEvent, SessionSettings};
use std::ops::RangeInclusive;

const FLOW: FlowId = FlowId(5);

/// A session in which flow 5 was opened with message 1.
fn opened(settings: SessionSettings) -> Script {
    let mut script = Script::with(settings);
    script.arrive(&[first(5, &options(Some(b"TC\x04\x00"), None), b"1")]);
    script.sent();
    let metadata = b"TC\x04\x00".to_vec();
    let open = SessionEvent::FlowOpened { flow: FLOW, metadata, return_of: None };
    let message = message(1..=1, b"1");
    assert_eq!(script.events(), [open, message]);
    script
}

fn open() -> Script {
    opened(SessionSettings::default())
}

fn part(sequence: u64, fsn_offset: u64, control: FragmentControl, octets: &[u8]) -> Chunk<'_> {
    flagged(data(5, sequence, fsn_offset, octets), control, false, false)
}

fn given_up(sequence: u64, fsn_offset: u64) -> Chunk<'static> {
    flagged(data(5, sequence, fsn_offset, b""), FragmentControl::Whole, true, false)
}

fn gap(missing: u64) -> SessionEvent {
    SessionEvent::Gap { flow: FLOW, missing }
}

fn message(numbers: RangeInclusive<u64>, octets: &[u8]) -> SessionEvent {
    SessionEvent::Message { flow: FLOW, numbers, octets: octets.to_vec() }
}

#[test]
fn messages_are_put_into_their_order() {
    let mut script = open();
    script.arrive(&[data(5, 4, 3, b"4")]);
    script.arrive(&[data(5, 3, 2, b"3")]);
    assert_eq!(script.events(), []);
    script.arrive(&[data(5, 2, 1, b"2")]);
    assert_eq!(script.messages(), [b"2", b"3", b"4"]);
}

#[test]
fn next_user_data_continues_flow_and_number() {
    let mut script = open();
    script.arrive(&[data(5, 2, 1, b"2"), next(b"3"), next(b"4")]);
    assert_eq!(script.messages(), [b"2", b"3", b"4"]);
    script.arrive(&[next(b"of no flow")]);
    assert_eq!(script.messages(), Vec::<Vec<u8>>::new());
    assert_eq!(script.session.statistics().malformed, 1);
}

#[test]
fn next_user_data_after_a_malformed_chunk_belongs_nowhere() {
    let mut script = open();
    let mut packet = vec![0x01];
    packet.extend([0x10, 0, 5, 0, 5, 2, 1, b'2']);
    // fsnOffset 0 without the abandon flag.
    packet.extend([0x10, 0, 5, 0, 6, 9, 0, b'x']);
    packet.extend([0x11, 0, 2, 0, b'3']);
    script.session.handle_packet(script.now, address(1), &packet, true);
    assert_eq!(script.messages(), [b"2"]);
}

#[test]
fn a_duplicate_is_delivered_once() {
    let mut script = open();
    (0..3).for_each(|_| script.arrive(&[data(5, 2, 1, b"2")]));
    script.arrive(&[data(5, 1, 1, b"1")]);
    assert_eq!(script.messages(), [b"2"]);
    assert_eq!(script.session.statistics().duplicates, 3);
}

#[test]
fn fragments_become_a_message_when_all_are_there() {
    use FragmentControl::{Begin, End, Middle};
    let mut script = open();
    script.arrive(&[part(4, 3, End, b"c")]);
    script.arrive(&[part(2, 1, Begin, b"a")]);
    assert_eq!(script.events(), []);
    script.arrive(&[part(3, 2, Middle, b"b")]);
    assert_eq!(script.events(), [message(2..=4, b"abc")]);
}

#[test]
fn the_forward_number_alone_moves_over_a_gap_and_the_owner_is_told() {
    let mut script = open();
    script.arrive(&[data(5, 4, 3, b"4")]);
    script.arrive(&[data(5, 5, 2, b"5")]);
    assert_eq!(script.events(), [gap(2), message(4..=4, b"4"), message(5..=5, b"5")]);
}

#[test]
fn a_forward_update_delivers_what_waited() {
    let mut script = open();
    script.arrive(&[data(5, 3, 2, b"3")]);
    script.arrive(&[given_up(2, 0)]);
    assert_eq!(script.events(), [gap(1), message(3..=3, b"3")]);
}

#[test]
fn an_abandoned_fragment_fills_its_number_without_a_message() {
    let mut script = open();
    // Legacy far ends send it with an offset, or with data that is to be ignored.
    let chunk = flagged(data(5, 2, 1, b"ignored"), FragmentControl::Whole, true, false);
    script.arrive(&[chunk, data(5, 3, 2, b"3")]);
    assert_eq!(script.events(), [gap(1), message(3..=3, b"3")]);
}

#[test]
fn partial_messages_are_never_delivered() {
    use FragmentControl::{Begin, End, Middle, Whole};
    for lost in 2..=4 {
        let mut script = open();
        let parts = [(2, Begin), (3, Middle), (4, End), (5, Whole)];
        for (number, control) in parts.into_iter().filter(|part| part.0 != lost) {
            script.arrive(&[part(number, number - 1, control, b"x")]);
        }
        assert_eq!(script.events(), [], "{lost}");
        script.arrive(&[data(5, 6, 2, b"6")]);
        assert_eq!(script.events(), [gap(3), message(5..=5, b"x"), message(6..=6, b"6")], "{lost}");
        assert_eq!(script.session.statistics().held, 0);
    }
}

#[test]
fn a_message_that_begins_inside_another_ends_that_one() {
    use FragmentControl::{Begin, End};
    for order in [Order::Original, Order::Network] {
        let mut script = open();
        script.command(SessionCommand::SetOrder { flow: FLOW, order });
        script.arrive(&[part(2, 1, Begin, b"a"), part(3, 2, Begin, b"b"), part(4, 3, End, b"c")]);
        let mut events = script.events();
        events.sort_by_key(|event| matches!(event, SessionEvent::Message { .. }));
        assert_eq!(events, [gap(1), message(3..=4, b"bc")], "{order:?}");
    }
}

#[test]
fn in_network_order_nothing_waits_for_what_is_missing() {
    use FragmentControl::{Begin, End};
    let mut script = open();
    script.command(SessionCommand::SetOrder { flow: FLOW, order: Order::Network });
    script.arrive(&[data(5, 4, 3, b"4")]);
    assert_eq!(script.events(), [message(4..=4, b"4")]);
    script.arrive(&[part(7, 6, End, b"b"), part(6, 5, Begin, b"a")]);
    assert_eq!(script.events(), [message(6..=7, b"ab")]);
    script.arrive(&[data(5, 2, 1, b"2")]);
    assert_eq!(script.events(), [message(2..=2, b"2")]);
    script.arrive(&[data(5, 4, 3, b"4")]);
    assert_eq!(script.events(), [], "nothing comes twice");
    script.arrive(&[data(5, 8, 1, b"8")]);
    // 3 and 5 never came.
    assert_eq!(script.events(), [message(8..=8, b"8"), gap(2)]);
}

#[test]
fn in_network_order_fragments_without_hope_are_dropped() {
    use FragmentControl::{Begin, Middle};
    let mut script = open();
    script.command(SessionCommand::SetOrder { flow: FLOW, order: Order::Network });
    script.arrive(&[part(2, 1, Begin, b"a"), part(4, 3, Middle, b"c")]);
    assert!(script.session.statistics().held > 0);
    script.arrive(&[data(5, 6, 1, b"6")]);
    assert_eq!(script.events(), [message(6..=6, b"6"), gap(4)]);
    assert_eq!(script.session.statistics().held, 0);
}

#[test]
fn changing_to_network_order_delivers_what_waited() {
    let mut script = open();
    script.arrive(&[data(5, 3, 2, b"3"), next(b"4")]);
    assert_eq!(script.events(), []);
    script.command(SessionCommand::SetOrder { flow: FLOW, order: Order::Network });
    assert_eq!(script.events(), [message(3..=3, b"3"), message(4..=4, b"4")]);
    script.arrive(&[data(5, 5, 1, b"5")]);
    assert_eq!(script.events(), [message(5..=5, b"5"), gap(1)]);
}

#[test]
fn a_flow_ends_when_all_up_to_its_final_number_came() {
    let mut script = open();
    let last = flagged(data(5, 3, 2, b"3"), FragmentControl::Whole, false, true);
    script.arrive(&[last]);
    assert_eq!(script.events(), []);
    script.arrive(&[data(5, 2, 1, b"2")]);
    let end = SessionEvent::FlowFinished { flow: FLOW };
    assert_eq!(script.events(), [message(2..=2, b"2"), message(3..=3, b"3"), end]);
    script.sent();
    script.arrive(&[data(5, 4, 3, b"beyond the end")]);
    assert_eq!(script.events(), []);
    let keep_alive = KeepAlive { every: 1000 * S, dead_after: 1000 * S };
    script.command(SessionCommand::KeepAlive(keep_alive));
    // It lingers for 120 s and acknowledges at once all that time.
    script.pass(119 * S);
    script.arrive(&[data(5, 2, 1, b"2")]);
    assert_eq!(script.one().acks[0].cumulative, 3);
    script.pass(2 * S);
    script.arrive(&[data(5, 2, 1, b"2")]);
    assert_eq!(script.one().kinds, [0x5e, 0x51], "forgotten, and without metadata rejected");
}

#[test]
fn an_end_without_a_message_is_no_gap() {
    let mut script = open();
    let end = flagged(data(5, 2, 1, b""), FragmentControl::Whole, true, true);
    script.arrive(&[end]);
    assert_eq!(script.events(), [SessionEvent::FlowFinished { flow: FLOW }]);
}

#[test]
fn a_message_over_the_limit_ends_the_flow_and_not_the_session() {
    let settings = SessionSettings { message_limit: 4000, ..SessionSettings::default() };
    for order in [Order::Original, Order::Network] {
        let mut script = opened(settings);
        script.command(SessionCommand::SetOrder { flow: FLOW, order });
        script.arrive(&[part(2, 1, FragmentControl::Begin, &[0; 1100])]);
        for number in 3..6 {
            script.arrive(&[part(number, number - 1, FragmentControl::Middle, &[0; 1100])]);
        }
        assert_eq!(script.events(), [SessionEvent::FlowFailed { flow: FLOW }], "{order:?}");
        assert!(script.session.is_open());
        assert_eq!(script.session.statistics().held, 0);
        script.now += MS;
        assert_eq!(script.sent().last().unwrap().kinds, [0x5e, 0x51]);
    }
}

#[test]
fn numbers_far_ahead_and_many_holes_stay_within_bounds() {
    let mut script = open();
    script.arrive(&[data(5, u64::MAX - 1, 5, b"far")]);
    for number in 0..2000u64 {
        script.arrive(&[data(5, 3 + 2 * number, 2 + 2 * number, b"x")]);
    }
    script.sent();
    let statistics = script.session.statistics();
    assert!(statistics.refused_fragments > 1800, "{statistics:?}");
    assert!(statistics.held < 128 * 70);
    // The holes are filled, one by one, and everything moves again.
    for number in 0..128u64 {
        script.arrive(&[data(5, 2 + 2 * number, 1 + 2 * number, b"y")]);
    }
    assert!(script.messages().len() >= 256);
}

#[test]
fn flows_of_the_far_end_are_bounded_and_those_beyond_are_ignored() {
    let settings = SessionSettings { flows: 4, ..SessionSettings::default() };
    let mut script = Script::with(settings);
    let opening = options(Some(b"m"), None);
    for flow in 0..9 {
        script.arrive(&[first(flow, &opening, b"")]);
    }
    let opened = script.events();
    assert_eq!(opened.len(), 8, "four flows and their messages: {opened:?}");
    assert_eq!(script.session.statistics().beyond_bounds, 5);
    assert_eq!(script.sent().iter().flat_map(|packet| &packet.acks).count(), 4);
}

#[test]
fn packets_of_our_own_mode_and_of_startup_are_ignored() {
    let mut script = open();
    for mode in [Mode::Responder, Mode::Startup] {
        script.arrive_from(address(1), Header::new(mode), &[data(5, 2, 1, b"2")]);
    }
    script.session.handle_packet(script.now, address(1), &[0x00, 0x0c, 0, 0], true);
    script.session.handle_packet(script.now, address(1), &[], true);
    assert_eq!(script.events(), []);
    assert_eq!(script.session.statistics().malformed, 4);
}

#[test]
fn unknown_chunks_are_passed_over() {
    let mut script = open();
    let mut packet = vec![0x01];
    // Two private chunks, a start-up chunk, padding, and then a message.
    packet.extend([0xec, 0, 1, 9, 0x4d, 0, 2, 1, 1, 0x70, 0, 2, 0, 0, 0xff, 0, 1, 0]);
    packet.extend([0x10, 0, 5, 0, 5, 2, 1, b'2']);
    script.session.handle_packet(script.now, address(1), &packet, true);
    assert_eq!(script.messages(), [b"2"]);
}

#[test]
fn a_ping_is_answered_at_once_and_unaltered() {
    let mut script = Script::new();
    script.arrive(&[Chunk::Ping(b"\x00\xffanything"), Chunk::Ping(b"")]);
    assert_eq!(script.one().replies, [b"\x00\xffanything".to_vec(), Vec::new()]);
    let large = [7; 1180];
    script.arrive(&[Chunk::Ping(&large)]);
    assert_eq!(script.one().replies, [large.to_vec()]);
    (0..50).for_each(|_| script.arrive(&[Chunk::Ping(&[1; 1000])]));
    assert!(script.sent().len() <= 4, "answers that wait are bounded");
}

#[test]
fn a_forwarded_hello_is_told_and_can_be_sent() {
    use rtmfp::address::{Address, Origin};
    use rtmfp::chunk::FIHello;
    let mut script = Script::new();
    let reply_to = Address { origin: Origin::Observed, socket: address(9) };
    let hello = FIHello { discriminator: b"epd", reply_to, tag: b"tag" };
    script.arrive(&[Chunk::FIHello(hello)]);
    let (epd, tag) = (b"epd".to_vec(), b"tag".to_vec());
    let event = SessionEvent::ForwardedHello {
        epd: epd.clone(),
        reply_address: reply_to,
        tag: tag.clone(),
    };
    assert_eq!(script.events(), [event]);
    let command = SessionCommand::ForwardHello { epd, reply_address: reply_to, tag };
    script.command(command);
    let packet = script.one();
    let (_, mut chunks) = rtmfp::packet::parse(&packet.octets).unwrap();
    assert_eq!(chunks.next(), Some(Chunk::FIHello(hello)));
}
