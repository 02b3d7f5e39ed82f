//! How sending flows begin (RFC 7016 sections 2.3.11.1 and 3.6.2.1).

use crate::script::{MS, PLAIN, S, Script, first, options};
use rtmfp::session::{FlowId, OpenFlow, SendError, SessionCommand, SessionEvent, SessionSettings};

#[test]
fn metadata_and_association_go_in_every_packet_until_any_acknowledgement() {
    let mut script = Script::new();
    let opening = options(Some(b"TC\x04\x00"), None);
    script.arrive(&[first(7, &opening, b"connect")]);
    script.sent();
    let answers = OpenFlow { return_of: Some(FlowId(7)), ..PLAIN };
    let flow = script.session.open_flow(answers).unwrap();
    script.send(flow, b"one");
    script.send(flow, b"two");
    // Metadata comes first and the association second: so Flash-like ends read them.
    let list = options(Some(b"TC\x04\x00"), Some(7));
    let packet = script.one();
    assert_eq!(packet.data[0].options.as_ref(), Some(&list));
    assert_eq!((packet.data[1].next, &packet.data[1].options), (true, &None));
    script.send(flow, b"three");
    assert_eq!(script.one().data[0].options.as_ref(), Some(&list));
    script.ack(flow, 0, &[(3, 3)]);
    script.send(flow, b"four");
    assert_eq!(script.one().data[0].options, None);
    let again = script.pass(5 * S);
    assert!(again.iter().flat_map(|packet| &packet.data).all(|data| data.options.is_none()));
    assert!(again.iter().any(|packet| !packet.data.is_empty()));
}

#[test]
fn the_options_go_once_in_a_packet_also_when_numbers_do_not_follow() {
    let mut script = Script::new();
    let flow = script.open();
    script.send(flow, b"one");
    script.one();
    script.send_for(flow, b"two", 100 * MS);
    script.one();
    script.send(flow, b"three");
    script.one();
    let again = script.pass(5 * S);
    let data = &again[0].data;
    assert_eq!(data.iter().map(|data| data.sequence).collect::<Vec<_>>(), [1, 3]);
    assert!(data.iter().all(|data| !data.next));
    assert!(data[0].options.is_some() && data[1].options.is_none());
}

#[test]
fn our_first_flow_is_2_and_no_identifier_comes_twice() {
    let mut script = Script::new();
    let flow = script.open();
    assert_eq!(flow, FlowId(2));
    script.command(SessionCommand::CloseFlow { flow });
    let packet = script.one();
    assert!(packet.data[0].last && packet.data[0].abandon);
    script.ack(flow, 1, &[]);
    assert_eq!(script.events(), [SessionEvent::FlowDelivered { flow }]);
    assert_eq!(script.open(), FlowId(3));
}

#[test]
fn a_flow_answers_only_an_open_flow_of_the_far_end() {
    let mut script = Script::new();
    let answers = OpenFlow { return_of: Some(FlowId(7)), ..PLAIN };
    assert_eq!(script.session.open_flow(answers), Err(SendError::NoSuchFlow));
    script.arrive(&[first(7, &options(Some(b""), None), b"")]);
    assert!(script.session.open_flow(answers).is_ok());
    script.command(SessionCommand::RejectFlow { flow: FlowId(7), code: 1 });
    assert_eq!(script.session.open_flow(answers), Err(SendError::NoSuchFlow));
}

#[test]
fn a_flow_can_begin_without_a_message() {
    let mut script = Script::new();
    let flow = script.open();
    script.command(SessionCommand::AnnounceFlow { flow });
    let packet = script.one();
    assert!(packet.data[0].abandon && packet.data[0].options.is_some());
    assert_eq!((packet.data[0].sequence, packet.data[0].forward), (1, 1));
    script.send(flow, b"later");
    assert_eq!(script.one().data[0].sequence, 2);
}

#[test]
fn flows_and_their_metadata_are_bounded() {
    let settings = SessionSettings { flows: 3, ..SessionSettings::default() };
    let mut script = Script::with(settings);
    let large = OpenFlow { metadata: &[0; 513], ..PLAIN };
    assert_eq!(script.session.open_flow(large), Err(SendError::TooLarge));
    let flows: Vec<_> = (0..3).map(|_| script.open()).collect();
    assert_eq!(script.session.open_flow(PLAIN), Err(SendError::Full));
    script.command(SessionCommand::CloseFlow { flow: flows[0] });
    script.sent();
    script.ack(flows[0], 1, &[]);
    assert!(script.session.open_flow(PLAIN).is_ok(), "one that lingers takes no place");
}
