//! When acknowledgements go, and what they say (RFC 7016 section 3.6.3.4).

use crate::script::{Ack, MS, PLAIN, S, Script, Sent, data, first, flagged, options};
use rtmfp::chunk::{Chunk, FragmentControl};
use rtmfp::session::{FlowId, SessionCommand, SessionSettings};

/// A session in which these flows were opened and acknowledged.
fn opened(flows: &[u64]) -> Script {
    let mut script = Script::new();
    for flow in flows {
        script.arrive(&[first(*flow, &options(Some(b"m"), None), b"x")]);
        script.one();
    }
    script
}

fn acked(packet: &Sent) -> (u64, Vec<(u64, u64)>) {
    assert_eq!(packet.acks.len(), 1);
    (packet.acks[0].cumulative, packet.acks[0].ranges.clone())
}

#[test]
fn a_new_flow_is_acknowledged_at_once() {
    let mut script = Script::new();
    script.arrive(&[first(5, &options(Some(b"m"), None), b"x")]);
    let packet = script.one();
    let ack = Ack { flow: 5, window: 64, cumulative: 1, ranges: Vec::new() };
    assert_eq!((packet.kinds, packet.acks), (vec![0x51], vec![ack]));
}

#[test]
fn one_packet_of_data_waits_for_200_ms_and_the_second_does_not() {
    let mut script = opened(&[5]);
    script.arrive(&[data(5, 2, 1, b"x")]);
    assert!(script.sent().is_empty());
    assert!(script.pass(199 * MS).is_empty());
    let late = script.pass(MS);
    assert_eq!(acked(&late[0]), (2, vec![]));
    script.arrive(&[data(5, 3, 1, b"x")]);
    assert!(script.sent().is_empty());
    script.arrive(&[data(5, 4, 1, b"x")]);
    assert_eq!(acked(&script.one()), (4, vec![]));
    assert!(script.pass(S).is_empty());
}

#[test]
fn every_second_packet_counts_over_all_flows_and_acknowledgements_share_a_packet() {
    let mut script = opened(&[5, 6]);
    script.arrive(&[data(5, 2, 1, b"x")]);
    script.arrive(&[data(6, 2, 1, b"x")]);
    let packet = script.one();
    assert_eq!(packet.acks.iter().map(|ack| ack.flow).collect::<Vec<_>>(), [5, 6]);
}

#[test]
fn many_chunks_in_one_packet_count_once() {
    let mut script = opened(&[5]);
    script.arrive(&[data(5, 2, 1, b"x"), data(5, 3, 1, b"x"), data(5, 4, 1, b"x")]);
    assert!(script.sent().is_empty());
}

#[test]
fn an_acknowledgement_goes_with_data_when_there_is_some() {
    let mut script = opened(&[5]);
    let flow = script.session.open_flow(PLAIN).unwrap();
    script.arrive(&[data(5, 2, 1, b"x")]);
    script.send(flow, b"answer");
    let packet = script.one();
    assert_eq!(packet.kinds, [0x10, 0x51]);
    assert!(script.pass(S).iter().all(|packet| packet.acks.is_empty()), "nothing is left");
}

#[test]
fn what_is_out_of_the_ordinary_is_acknowledged_at_once() {
    let whole = FragmentControl::Whole;
    let cases: [(&str, Vec<Chunk<'static>>); 4] = [
        ("a gap that opens", vec![data(5, 3, 2, b"x")]),
        ("a duplicate", vec![data(5, 1, 1, b"x")]),
        ("an abandoned number", vec![flagged(data(5, 2, 0, b""), whole, true, false)]),
        ("the end of the flow", vec![flagged(data(5, 2, 1, b"x"), whole, false, true)]),
    ];
    for (what, chunks) in cases {
        let mut script = opened(&[5]);
        script.arrive(&chunks);
        assert_eq!(script.sent().len(), 1, "{what}");
    }
    let mut script = opened(&[5]);
    script.arrive(&[data(5, 3, 2, b"x")]);
    script.one();
    script.arrive(&[data(5, 2, 1, b"x")]);
    assert_eq!(acked(&script.one()), (3, vec![]), "a gap that closes");
    script.arrive(&[Chunk::BufferProbe { flow: 5 }]);
    assert_eq!(acked(&script.one()), (3, vec![]), "a probe");
    script.arrive(&[Chunk::BufferProbe { flow: 77 }]);
    assert!(script.sent().is_empty(), "a probe of no flow");
}

#[test]
fn acknowledgements_go_as_in_figure_23() {
    let mut script = opened(&[3]);
    for number in 2..=28 {
        script.arrive(&[data(3, number, 1, b"x")]);
        script.sent();
    }
    // The figure begins with nothing to acknowledge.
    script.pass(S);
    let mut step = |number: u64, forward: u64| {
        script.arrive(&[data(3, number, number - forward, b"x")]);
        script.sent().first().map(acked)
    };
    assert_eq!(step(29, 18), None);
    assert_eq!(step(30, 18), Some((30, vec![])));
    assert_eq!(step(32, 20), Some((30, vec![(32, 32)])));
    assert_eq!(step(34, 22), Some((30, vec![(32, 32), (34, 34)])));
    for number in 35..46 {
        assert_eq!(step(number, 30), Some((30, vec![(32, 32), (34, number)])));
    }
    assert_eq!(step(46, 30), Some((30, vec![(32, 32), (34, 46)])));
    assert_eq!(step(47, 32), Some((32, vec![(34, 47)])));
    assert_eq!(step(33, 32), Some((47, vec![])));
    assert_eq!(step(48, 32), None);
    assert_eq!(step(49, 32), Some((49, vec![])));
}

#[test]
fn an_acknowledgement_too_large_for_a_packet_is_cut_at_its_end() {
    let settings = SessionSettings { packet_limit: 60, ..SessionSettings::default() };
    let mut script = Script::with(settings);
    script.arrive(&[first(5, &options(Some(b"m"), None), b"x")]);
    script.sent();
    for number in 0..100 {
        script.arrive(&[data(5, 3 + 2 * number, 2 + 2 * number, b"")]);
        let packets = script.sent();
        assert_eq!(packets.len(), 1);
        assert!(packets[0].octets.len() <= 60);
    }
    script.arrive(&[data(5, 3, 2, b"")]);
    let ranges = acked(&script.one()).1;
    assert!((20..100).contains(&ranges.len()), "{}", ranges.len());
    assert_eq!(ranges[0], (3, 3), "the lowest are kept");
}

#[test]
fn the_window_is_what_is_left_of_the_buffer_and_one_block_at_least() {
    let settings = SessionSettings { receive_buffer: 4096, ..SessionSettings::default() };
    let mut script = Script::with(settings);
    script.arrive(&[first(5, &options(Some(b"m"), None), b"x")]);
    assert_eq!(script.one().acks[0].window, 4);
    script.arrive(&[data(5, 3, 2, &[0; 1000])]);
    assert_eq!(script.one().acks[0].window, 3);
    for number in 4..9 {
        script.arrive(&[data(5, number, number - 1, &[0; 1000])]);
    }
    assert_eq!(script.sent().last().unwrap().acks[0].window, 1);
    assert_eq!(script.session.statistics().refused_fragments, 3);
    // What is missing has room though nothing else has.
    script.arrive(&[data(5, 2, 1, &[0; 1000])]);
    let packet = script.one();
    assert_eq!((packet.acks[0].cumulative, packet.acks[0].window), (5, 4));
    assert_eq!(script.messages().len(), 5);
}

#[test]
fn a_suspended_flow_holds_messages_closes_its_window_and_reopens_it_at_once() {
    let settings = SessionSettings { receive_buffer: 4096, ..SessionSettings::default() };
    let mut script = Script::with(settings);
    script.arrive(&[first(5, &options(Some(b"m"), None), b"1")]);
    script.sent();
    script.events();
    script.command(SessionCommand::SuspendFlow { flow: FlowId(5) });
    script.sent();
    for number in 2..9 {
        script.arrive(&[data(5, number, number - 1, &[0; 1300])]);
    }
    assert_eq!(script.messages(), Vec::<Vec<u8>>::new());
    let last = script.sent().pop().unwrap().acks.remove(0);
    assert_eq!((last.window, last.cumulative), (1, 4));
    assert!(script.session.statistics().held <= 4096, "nothing beyond the buffer is kept");
    script.command(SessionCommand::SetReceiveBuffer { flow: FlowId(5), octets: 2048 });
    assert_eq!(script.one().acks[0].window, 0);
    script.command(SessionCommand::ResumeFlow { flow: FlowId(5) });
    assert_eq!(script.messages().len(), 3);
    assert_eq!(script.one().acks[0].window, 2);
}

#[test]
fn a_legacy_far_end_never_sees_an_empty_window() {
    let settings =
        SessionSettings { receive_buffer: 2048, legacy: true, ..SessionSettings::default() };
    let mut script = Script::with(settings);
    script.arrive(&[first(5, &options(Some(b"m"), None), b"1")]);
    script.command(SessionCommand::SuspendFlow { flow: FlowId(5) });
    script.command(SessionCommand::SetReceiveBuffer { flow: FlowId(5), octets: 0 });
    script.arrive(&[data(5, 2, 1, &[0; 1000]), data(5, 3, 1, b"")]);
    assert!(script.sent().iter().flat_map(|packet| &packet.acks).all(|ack| ack.window >= 1));
}

#[test]
fn below_two_blocks_every_packet_is_acknowledged() {
    let settings = SessionSettings { receive_buffer: 1024, ..SessionSettings::default() };
    let mut script = Script::with(settings);
    script.arrive(&[first(5, &options(Some(b"m"), None), b"1")]);
    script.one();
    for number in 2..9 {
        script.arrive(&[data(5, number, 1, b"x")]);
        assert_eq!(script.one().acks[0].cumulative, number);
    }
}
