//! `connect`, and calls in both directions.

use crate::pipe::{Item, Pipe};
use base::Private;
use rtmp::amf::Value;
use rtmp::application::{CallInfo, CallState, Direction, Request, function};
use rtmp::command::{Command, Encoding};
use rtmp::connection::{Action, ClientEvent, ClientSettings, ServerEvent};
use rtmp::message::UserControl;
use rtmp::numbers::{PENDING_CALLS_AT_MOST, message_type};
use rtmp::status::Refusal;
use std::net::SocketAddr;

fn code(info: &Value) -> Option<&str> {
    info.find("code")?.as_str()
}

/// The types of the commands among some actions.
fn command_types(actions: &[Action]) -> Vec<u8> {
    let kind = |action: &Action| match action {
        Action::Send { octets, .. } => octets.first().copied(),
        _ => None,
    };
    actions.iter().filter_map(kind).filter(|kind| *kind != message_type::USER_CONTROL).collect()
}

#[test]
fn the_application_learns_what_the_client_asks_for() {
    let settings = ClientSettings {
        app: "webphone".into(),
        tc_url: "rtmfp://user:secret@localhost/webphone".into(),
        page_url: "https://shop.example/".into(),
        object_encoding: 0,
        arguments: vec!["token".into(), 7.0.into()],
        ..ClientSettings::default()
    };
    let mut pipe = Pipe::new(settings);
    pipe.run();
    let ServerEvent::ConnectRequested(request) = &pipe.server_events[0] else { panic!() };
    assert_eq!(request.app, "webphone");
    assert_eq!(request.tc_url.reveal(), "rtmfp://localhost/webphone");
    assert_eq!(request.page_url.reveal(), "https://shop.example/");
    assert_eq!(request.object_encoding, 0);
    assert_eq!(request.arguments, ["token".into(), Value::from(7.0)]);
    assert_eq!(request.properties.find("audioCodecs"), Some(&3575.0.into()));
    assert!(!format!("{request:?}").contains("shop.example"));
    let ClientEvent::Connected(info) = &pipe.client_events[0] else { panic!() };
    assert_eq!(code(info), Some("NetConnection.Connect.Success"));
    assert_eq!(info.find("objectEncoding"), Some(&0.0.into()));
    assert_eq!(info.find("level").unwrap().as_str(), Some("status"));
}

#[test]
fn the_server_speaks_in_the_message_type_that_the_client_uses() {
    // AMF 3 was asked for and is used after `connect`.
    let pipe = Pipe::talking();
    let types = command_types(&pipe.server_actions);
    assert_eq!(types[0], message_type::COMMAND);
    assert!(types[1..].iter().all(|kind| [15, 17].contains(kind)), "{types:?}");
    let ClientEvent::Connected(info) = &pipe.client_events[0] else { panic!() };
    assert_eq!(info.find("objectEncoding"), Some(&3.0.into()));
    // AMF 3 was asked for, and still type 20 is used.
    let mut pipe = Pipe::connected();
    let octets = Command::new("createStream", 5.0, Vec::new()).encode(Encoding::Amf0);
    let before = pipe.server_actions.len();
    pipe.inject(Item::Message { flow: 1000, octets });
    assert_eq!(command_types(&pipe.server_actions[before..]), [message_type::COMMAND]);
}

#[test]
fn addresses_are_told_where_the_client_tells_them() {
    let addresses: Vec<SocketAddr> =
        ["192.0.2.129:50001", "[2001:db8:1::2]:50002"].map(|text| text.parse().unwrap()).into();
    let mut settings = ClientSettings { addresses: Some(addresses.clone()), ..Default::default() };
    let mut pipe = Pipe::new(settings.clone());
    pipe.run();
    let info = ServerEvent::PeerInfo(Private::new(addresses));
    assert_eq!(pipe.server_events.last(), Some(&info));
    settings.addresses = None;
    let mut pipe = Pipe::new(settings);
    pipe.run();
    assert_eq!(pipe.server_events.len(), 1);
    assert!(pipe.server.is_connected());
}

#[test]
fn transaction_zero_gets_its_answers() {
    let mut pipe = Pipe::new(ClientSettings { zero_transactions: true, ..Default::default() });
    pipe.run();
    assert_eq!(pipe.client.create_stream(), Some(0.0));
    assert_eq!(pipe.client.create_stream(), Some(0.0));
    pipe.run();
    let streams = &pipe.client_events[1..];
    let created = [1, 2].map(|stream| ClientEvent::StreamCreated { stream });
    assert_eq!(streams, created);
}

#[test]
fn calls_are_answered_with_what_the_application_says() {
    let mut pipe = Pipe::connected();
    let argument = Value::object([("uri", "sip:bob@example.com".into()), ("video", true.into())]);
    let called = pipe.client.call("call", vec![argument]).unwrap();
    let other = pipe.client.call("frobnicate", vec![]).unwrap();
    pipe.run();
    let mut events = pipe.server_events.split_off(pipe.server_events.len() - 2).into_iter();
    let Some(ServerEvent::Called { name, transaction, arguments }) = events.next() else {
        panic!()
    };
    let uri = Some(Private::new("sip:bob@example.com".to_owned()));
    assert_eq!(Request::parse(&name, arguments), Ok(Request::Call { uri, video: true }));
    assert!(pipe.server.result(transaction, rtmp::application::call_result("c1")));
    let Some(ServerEvent::Called { name, transaction, arguments }) = events.next() else {
        panic!()
    };
    let refusal = Request::parse(&name, arguments).unwrap_err();
    assert!(pipe.server.error(transaction, &refusal));
    // An answer goes out once.
    assert!(!pipe.server.error(transaction, &refusal));
    assert!(!pipe.server.result(99.0, Value::Null));
    pipe.run();
    let answers = pipe.client_events.split_off(pipe.client_events.len() - 2);
    let outcome = Ok(Value::object([("callId", "c1".into())]));
    assert_eq!(answers[0], ClientEvent::Answered { transaction: called, outcome });
    let ClientEvent::Answered { transaction, outcome: Err(info) } = &answers[1] else { panic!() };
    assert_eq!(*transaction, other);
    assert_eq!(code(info), Some("NetConnection.Call.Failed"));
    assert_eq!(info.find("description").unwrap().as_str(), Some("There is no such command."));
}

#[test]
fn calls_that_wait_for_an_answer_are_bounded() {
    let mut pipe = Pipe::connected();
    for number in 0..=PENDING_CALLS_AT_MOST {
        let command = Command::new("call", 100.0 + number as f64, Vec::new());
        pipe.inject(Item::Message { flow: 1000, octets: command.encode(Encoding::Amf0) });
    }
    let waiting = |pipe: &Pipe| {
        let called = |event: &&ServerEvent| matches!(event, ServerEvent::Called { .. });
        pipe.server_events.iter().filter(called).count()
    };
    assert_eq!(waiting(&pipe), PENDING_CALLS_AT_MOST);
    // Without a transaction nothing is waited for.
    let command = Command::new("call", 0.0, Vec::new());
    pipe.inject(Item::Message { flow: 1000, octets: command.encode(Encoding::Amf0) });
    assert_eq!(waiting(&pipe), PENDING_CALLS_AT_MOST + 1);
    assert!(!pipe.server.result(0.0, Value::Null));
    assert!(pipe.server.result(100.0, Value::Null));
}

#[test]
fn functions_of_the_client_are_called() {
    let mut pipe = Pipe::connected();
    let info = CallInfo {
        call: "c1".into(),
        direction: Direction::Out,
        state: CallState::Ringing,
        uri: Private::new("sip:bob@example.com".into()),
        display_name: Private::new("Bob".into()),
        video: false,
        code: 180,
        reason: String::new(),
        direct: None,
    };
    pipe.server.call(function::CALL_CHANGED, vec![info.to_value()]);
    pipe.server.set_keepalive(30_000, 1);
    pipe.run();
    let events = pipe.client_events.split_off(pipe.client_events.len() - 2);
    let arguments = vec![info.to_value()];
    let called = ClientEvent::Called { name: "onCallState".into(), arguments };
    let keepalive = UserControl::SetKeepalive { server: 30_000, peer: 5_000 };
    assert_eq!(events, [called, ClientEvent::UserControl(keepalive)]);
}

#[test]
fn a_command_that_cannot_be_read_is_answered_where_its_transaction_can() {
    let mut pipe = Pipe::connected();
    let mut octets = Command::new("call", 9.0, vec![Value::object([])]).encode(Encoding::Amf0);
    octets.truncate(octets.len() - 1);
    let before = pipe.server_actions.len();
    pipe.inject(Item::Message { flow: 1000, octets });
    let [Action::Send { octets, .. }] = &pipe.server_actions[before..] else { panic!() };
    let answer = Command::parse(&octets[5..]).unwrap();
    assert_eq!((answer.name.as_str(), answer.transaction), ("_error", 9.0));
    for octets in [&[20, 0, 0, 0, 0, 2, 0][..], &[20, 0, 0], &[17, 0, 0, 0, 0, 9], &[4, 0, 0, 0, 0]]
    {
        pipe.inject(Item::Message { flow: 1000, octets: octets.to_vec() });
    }
    let long = Command::new(&"x".repeat(65_536), 9.0, Vec::new()).encode(Encoding::Amf0);
    pipe.inject(Item::Message { flow: 1000, octets: long });
    assert_eq!(pipe.server.statistics().malformed, 6);
    assert!(pipe.server.is_connected());
}

#[test]
fn messages_without_meaning_are_counted_and_nothing_else() {
    let mut pipe = Pipe::connected();
    let before = (pipe.server_actions.len(), pipe.server_events.len());
    for kind in [1, 2, 3, 5, 6, 16, 19, 22, 200] {
        pipe.inject(Item::Message { flow: 1000, octets: vec![kind, 0, 0, 0, 0, 1, 2, 3, 4] });
    }
    for event in [UserControl::StreamBegin(0), UserControl::Other(6), UserControl::Other(99)] {
        pipe.inject(Item::Message { flow: 1000, octets: event.encode() });
    }
    assert_eq!((pipe.server_actions.len(), pipe.server_events.len()), before);
    assert_eq!(pipe.server.statistics().ignored, 12);
}

#[test]
fn a_second_connect_is_refused_and_the_first_stays() {
    let mut pipe = Pipe::connected();
    let before = pipe.server_actions.len();
    let octets = Command::new("connect", 3.0, Vec::new()).encode(Encoding::Amf0);
    pipe.inject(Item::Message { flow: 1000, octets });
    let [Action::Send { octets, .. }] = &pipe.server_actions[before..] else { panic!() };
    assert_eq!(Command::parse(&octets[5..]).unwrap().name, "_error");
    assert!(pipe.server.is_connected());
}

#[test]
fn nothing_is_done_for_a_client_that_was_not_let_in() {
    let mut pipe = Pipe::new(ClientSettings::default());
    pipe.willing = false;
    pipe.run();
    let octets = Command::new("createStream", 2.0, Vec::new()).encode(Encoding::Amf0);
    pipe.inject(Item::Message { flow: 1000, octets });
    pipe.server.call("onCallState", vec![]);
    pipe.server.set_keepalive(1, 1);
    pipe.run();
    assert!(pipe.server_actions.is_empty());
    assert_eq!(pipe.server_events.len(), 1);
    pipe.server.reject(pipe.now, &Refusal::new("NetConnection.Connect.InvalidApp", "No such app."));
    pipe.run();
    let ClientEvent::Refused(info) = &pipe.client_events[0] else { panic!() };
    assert_eq!(code(info), Some("NetConnection.Connect.InvalidApp"));
    assert_eq!(info.find("level").unwrap().as_str(), Some("error"));
}

#[test]
fn what_is_sent_and_received_prints_as_lengths() {
    let secret = Command::new("register", 2.0, vec!["hunter2".into()]).encode(Encoding::Amf0);
    let message = rtmp::message::Message::parse(&secret).unwrap();
    let action = Action::Send { flow: 3, octets: secret.clone() };
    let length = secret.len();
    assert_eq!(format!("{action:?}"), format!("Send({length} octets on flow 3)"));
    let payload = length - 5;
    assert_eq!(format!("{message:?}"), format!("Message(type 20, {payload} octets)"));
    assert_eq!(format!("{:?}", message.body()), format!("Command({payload} octets)"));
}
