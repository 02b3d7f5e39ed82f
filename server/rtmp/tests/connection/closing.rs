//! How connections end, and what is not waited for.

use crate::pipe::{Item, Pipe};
use rtmp::connection::{Action, Cause, ClientEvent, ClientSettings, ServerEvent};
use rtmp::numbers::{CLOSE_WAITS, CONNECT_WAITS, DECISION_WAITS, code};
use rtmp::status::Refusal;
use std::time::Duration;

fn closed(pipe: &Pipe) -> (Vec<Cause>, Vec<Cause>) {
    let server = |event: &ServerEvent| match event {
        ServerEvent::Closed(cause) => Some(*cause),
        _ => None,
    };
    let client = |event: &ClientEvent| match event {
        ClientEvent::Closed(cause) => Some(*cause),
        _ => None,
    };
    (
        pipe.server_events.iter().filter_map(server).collect(),
        pipe.client_events.iter().filter_map(client).collect(),
    )
}

#[test]
fn a_client_that_closes_is_gone_at_both_ends() {
    let mut pipe = Pipe::talking();
    pipe.client.close(pipe.now);
    pipe.run();
    assert_eq!(closed(&pipe), (vec![Cause::Finished], vec![Cause::Closed]));
    assert!(!pipe.server_says(2, 0, &[0xb2]) && !pipe.client_says(1, 0, &[0xb2]));
    pipe.pass(CLOSE_WAITS);
    assert!(pipe.server.is_over() && pipe.client.is_over());
    assert_eq!((pipe.server.poll_timeout(), pipe.client.poll_timeout()), (None, None));
    assert_eq!(closed(&pipe), (vec![Cause::Finished], vec![Cause::Closed]));
}

#[test]
fn a_server_that_closes_waits_for_the_client_but_not_long() {
    let mut pipe = Pipe::talking();
    pipe.server.close(pipe.now);
    pipe.run();
    assert_eq!(closed(&pipe), (vec![Cause::Closed], vec![Cause::Finished]));
    assert!(pipe.server.is_over());
    // A client that says nothing.
    let mut pipe = Pipe::talking();
    pipe.server.close(pipe.now);
    while pipe.server.poll_action().is_some() {}
    let end = pipe.now + CLOSE_WAITS;
    assert_eq!(pipe.server.poll_timeout(), Some(end));
    pipe.server.handle_timeout(end);
    assert_eq!(pipe.server.poll_action(), Some(Action::CloseSession));
    assert!(pipe.server.is_over());
}

#[test]
fn a_refused_client_hears_why() {
    let mut pipe = Pipe::new(ClientSettings::default());
    pipe.willing = false;
    pipe.run();
    pipe.server.reject(pipe.now, &Refusal::new(code::CONNECT_REJECTED, "Not from this page."));
    pipe.run();
    let ClientEvent::Refused(info) = &pipe.client_events[0] else { panic!() };
    assert_eq!(info.find("description").unwrap().as_str(), Some("Not from this page."));
    assert_eq!(closed(&pipe), (vec![Cause::Refused], vec![Cause::Refused]));
    pipe.pass(CLOSE_WAITS);
    assert!(pipe.server.is_over() && pipe.client.is_over());
}

#[test]
fn a_client_that_never_connects_is_sent_away() {
    let mut pipe = Pipe::connected();
    let mut server = rtmp::connection::Server::new(pipe.now, Default::default());
    std::mem::swap(&mut pipe.server, &mut server);
    pipe.inject(Item::Open { flow: 9, metadata: b"TC\x04\x00".to_vec(), return_of: None });
    pipe.pass(CONNECT_WAITS);
    assert_eq!(closed(&pipe).0, [Cause::TimedOut]);
    pipe.pass(CLOSE_WAITS);
    assert!(pipe.server.is_over());
    assert_eq!(pipe.server_actions.last(), Some(&Action::CloseSession));
}

#[test]
fn an_application_that_does_not_decide_is_not_waited_for() {
    let mut pipe = Pipe::new(ClientSettings::default());
    pipe.willing = false;
    pipe.run();
    // The client gives up sooner than the server does; here only the server counts.
    pipe.server.handle_timeout(pipe.now + DECISION_WAITS - Duration::from_millis(1));
    assert!(pipe.server.poll_action().is_none());
    pipe.server.handle_timeout(pipe.now + DECISION_WAITS);
    pipe.run();
    assert_eq!(closed(&pipe).0, [Cause::TimedOut]);
    let ClientEvent::Refused(info) = &pipe.client_events[0] else { panic!() };
    assert_eq!(info.find("code").unwrap().as_str(), Some("NetConnection.Connect.Failed"));
}

#[test]
fn the_end_of_the_session_is_the_end() {
    let mut pipe = Pipe::talking();
    pipe.inject(Item::SessionClosed);
    assert_eq!(closed(&pipe).0, [Cause::SessionClosed]);
    assert!(pipe.server.is_over());
    // Nothing is done after it.
    let before = pipe.server_actions.len();
    pipe.server.close(pipe.now);
    pipe.server.call("onCallState", vec![]);
    pipe.server.accept_publish(1);
    pipe.server.handle_flow_rejected(0);
    pipe.pass(Duration::from_secs(60));
    assert_eq!(pipe.server_actions.len(), before);
    assert_eq!(closed(&pipe).0, [Cause::SessionClosed]);
}
