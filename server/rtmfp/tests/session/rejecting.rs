//! Flows that one end does not want (RFC 7016 sections 3.6.2.10, 3.6.3.1 and 3.6.3.7).

use crate::script::{Script, data, first, flagged, options};
use rtmfp::chunk::{Chunk, FragmentControl};
use rtmfp::option;
use rtmfp::session::{FlowId, SessionCommand, SessionEvent};

/// An opening with an option of this type beside the metadata.
fn with_option(kind: u64) -> Vec<u8> {
    let mut list = Vec::new();
    option::put(&mut list, kind, b"?");
    list.extend(options(Some(b"m"), None));
    list
}

#[test]
fn a_flow_without_metadata_is_rejected_with_code_0_before_every_acknowledgement() {
    let mut script = Script::new();
    script.arrive(&[data(5, 1, 1, b"x")]);
    assert_eq!(script.events(), []);
    for number in 2..5 {
        let packet = script.one();
        assert_eq!(packet.kinds, [0x5e, 0x51]);
        assert_eq!(packet.octets[packet.octets.len() - 11..][..5], [0x5e, 0, 2, 5, 0]);
        assert_eq!(packet.acks[0].cumulative, number - 1, "what is rejected is acknowledged");
        script.arrive(&[data(5, number, 1, b"x")]);
    }
    assert_eq!(script.messages(), Vec::<Vec<u8>>::new());
}

#[test]
fn an_option_below_8192_that_is_not_understood_rejects_and_one_above_is_ignored() {
    for (kind, opened) in [(1, false), (8191, false), (8192, true), (70_000, true)] {
        let mut script = Script::new();
        script.arrive(&[first(5, &with_option(kind), b"x")]);
        assert_eq!(script.messages().len(), usize::from(opened), "{kind}");
        assert_eq!(script.one().kinds.contains(&0x5e), !opened, "{kind}");
    }
}

#[test]
fn such_an_option_later_rejects_an_open_flow_and_the_owner_is_told() {
    let mut script = Script::new();
    script.arrive(&[first(5, &options(Some(b"m"), None), b"x")]);
    script.sent();
    script.events();
    let list = with_option(77);
    script.arrive(&[first(5, &list, b"x")]);
    assert_eq!(script.events(), [SessionEvent::FlowFailed { flow: FlowId(5) }]);
    assert_eq!(script.one().kinds, [0x5e, 0x51]);
}

#[test]
fn an_association_has_to_name_an_open_sending_flow() {
    let mut script = Script::new();
    let ours = script.open();
    let (good, bad) = (options(Some(b"m"), Some(ours.0)), options(Some(b"m"), Some(77)));
    script.arrive(&[first(5, &good, b"x"), first(6, &bad, b"x")]);
    let opened: Vec<_> = script
        .events()
        .into_iter()
        .filter_map(|event| match event {
            SessionEvent::FlowOpened { flow, return_of, .. } => Some((flow, return_of)),
            _ => None,
        })
        .collect();
    assert_eq!(opened, [(FlowId(5), Some(ours))]);
    script.sent();
    script.command(SessionCommand::CloseFlow { flow: ours });
    script.arrive(&[first(7, &good, b"x")]);
    assert_eq!(script.events(), [], "a flow that closes is not open");
}

#[test]
fn a_flow_that_the_owner_rejects_gives_the_code_and_no_more_messages() {
    let mut script = Script::new();
    script.arrive(&[first(5, &options(Some(b"m"), None), b"x")]);
    script.sent();
    script.events();
    script.command(SessionCommand::RejectFlow { flow: FlowId(5), code: 300 });
    let packet = script.one();
    assert_eq!(packet.kinds, [0x5e, 0x51]);
    assert!(packet.octets.windows(6).any(|octets| octets == [0x5e, 0, 3, 5, 0x82, 0x2c]));
    script.arrive(&[data(5, 2, 1, b"y")]);
    assert_eq!(script.events(), []);
    assert_eq!(script.one().kinds, [0x5e, 0x51]);
    // Also when its end has come.
    script.arrive(&[flagged(data(5, 3, 1, b""), FragmentControl::Whole, true, true)]);
    assert_eq!(script.one().kinds, [0x5e, 0x51]);
    script.arrive(&[data(5, 2, 1, b"y")]);
    assert_eq!(script.one().kinds, [0x5e, 0x51]);
    assert_eq!(script.events(), []);
}

#[test]
fn an_exception_closes_our_flow_gives_everything_up_and_tells_the_owner_once() {
    let mut script = Script::new();
    let flow = script.open();
    script.send(flow, &[0; 9000]);
    script.sent();
    let exception = Chunk::FlowException { flow: flow.0, code: 3 };
    script.arrive(&[exception, crate::script::ack(flow.0, 0, 2, &[])]);
    script.arrive(&[exception]);
    assert_eq!(script.events(), [SessionEvent::FlowRejected { flow, code: 3 }]);
    // The window is 0, which does not matter any more; only the end is sent.
    let data: Vec<_> = script.sent().into_iter().flat_map(|packet| packet.data).collect();
    assert!(data.iter().all(|data| data.abandon));
    let last = data.iter().find(|data| data.last).unwrap().sequence;
    script.ack(flow, last, &[]);
    assert_eq!(script.events(), []);
    let now = script.now;
    assert!(script.session.send(now, flow, b"x", None).is_err());
    assert!(script.session.is_open());
}

#[test]
fn an_exception_for_a_flow_that_is_not_ours_is_ignored() {
    let mut script = Script::new();
    script.arrive(&[Chunk::FlowException { flow: 99, code: 0 }]);
    assert_eq!(script.events(), []);
    assert!(script.sent().is_empty());
}
