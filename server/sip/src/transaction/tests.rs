#![allow(clippy::unwrap_used)]

use super::client::{Client, Step};
use super::server::{Server, State};
use super::*;
use crate::message::Uri;
use std::time::Duration;

fn request(method: Method) -> Request {
    let mut request = Request::new(method.clone(), Uri::parse("sip:bob@192.0.2.2").unwrap());
    let headers = &mut request.headers;
    headers.push(Name::Via, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx;rport");
    headers.push(Name::From, "<sip:a@192.0.2.1>;tag=a");
    headers.push(Name::To, "<sip:bob@192.0.2.2>");
    headers.push(Name::CallId, "one");
    headers.push(Name::CSeq, format!("1 {method}"));
    request
}

fn hop(protocol: Protocol) -> Hop {
    let address = |text: &str| text.parse().unwrap();
    Hop { protocol, local: address("192.0.2.1:5060"), remote: address("192.0.2.2:5060") }
}

fn client(now: Instant, method: Method, protocol: Protocol) -> Client {
    let user = User::Invite(InviteId(1));
    let request = request(method);
    let sent = (request.clone(), request.to_bytes(), String::new());
    Client::new(now, Timers::default(), sent, hop(protocol), user)
}

fn response(status: u16) -> Response {
    request(Method::Invite).response(status, "Phrase")
}

/// Runs a client to its end; how often it repeated its request, and when it was over.
fn exhaust(client: &mut Client, start: Instant) -> (u32, Duration, bool) {
    let (t, mut repeats) = (Timers::default(), 0);
    loop {
        let now = client.deadline().unwrap();
        let step = client.on_timeout(now, t);
        repeats += u32::from(step.resend);
        if step.over {
            return (repeats, now - start, step.timed_out);
        }
    }
}

#[test]
fn an_unanswered_request_is_repeated_on_udp_and_not_on_tcp() {
    let now = Instant::now();
    let long = Duration::from_secs(32);
    for (method, protocol, repeats) in [
        (Method::Invite, Protocol::Udp, 6),
        (Method::Invite, Protocol::Tcp, 0),
        (Method::Bye, Protocol::Udp, 10),
        (Method::Bye, Protocol::Tcp, 0),
    ] {
        let mut client = client(now, method, protocol);
        assert_eq!(exhaust(&mut client, now), (repeats, long, true));
    }
}

#[test]
fn a_provisional_response_stops_an_invite_and_slows_another_request() {
    let (now, t) = (Instant::now(), Timers::default());
    let mut invite = client(now, Method::Invite, Protocol::Udp);
    assert!(invite.on_response(now, t, &response(100)).deliver);
    assert_eq!(invite.deadline(), None);
    let mut bye = client(now, Method::Bye, Protocol::Udp);
    bye.on_response(now, t, &response(100));
    assert_eq!(bye.deadline(), Some(now + t.t2));
    assert_eq!(exhaust(&mut bye, now), (7, Duration::from_secs(32), true));
}

#[test]
fn a_refused_invite_acknowledges_each_repeat_but_tells_its_user_once() {
    let (now, t) = (Instant::now(), Timers::default());
    let mut client = client(now, Method::Invite, Protocol::Udp);
    let refusal = response(486);
    let first = client.on_response(now, t, &refusal);
    assert_eq!(first, Step { acknowledge: true, deliver: true, ..Step::default() });
    let again = client.on_response(now, t, &refusal);
    assert_eq!(again, Step { acknowledge: true, ..Step::default() });
    assert_eq!(exhaust(&mut client, now), (0, Duration::from_secs(32), false));
}

#[test]
fn an_accepted_invite_hands_over_every_2xx_and_nothing_else() {
    let (now, t) = (Instant::now(), Timers::default());
    let mut client = client(now, Method::Invite, Protocol::Udp);
    for _ in 0..3 {
        assert!(client.on_response(now, t, &response(200)).deliver);
    }
    for status in [180, 486] {
        assert_eq!(client.on_response(now, t, &response(status)), Step::default());
    }
    assert_eq!(client.deadline(), Some(now + t.t1 * 64));
}

#[test]
fn a_server_repeats_its_last_response_until_it_is_accepted() {
    let (now, t) = (Instant::now(), Timers::default());
    let mut server = Server::new(request(Method::Invite), hop(Protocol::Udp));
    assert!(!server.on_repeat().resend, "nothing was said yet");
    assert!(server.on_answer(now, t, 180, vec![1]));
    assert!(server.on_repeat().resend);
    assert!(server.on_answer(now, t, 200, vec![2]));
    assert_eq!(server.state(), State::Accepted);
    assert!(!server.on_repeat().resend);
    assert!(!server.on_answer(now, t, 486, vec![3]), "there is one final response");
    assert_eq!(server.deadline(), Some(now + t.t1 * 64));
}

#[test]
fn the_ack_of_a_refusal_ends_its_repetition() {
    let (now, t) = (Instant::now(), Timers::default());
    let mut server = Server::new(request(Method::Invite), hop(Protocol::Udp));
    server.on_answer(now, t, 486, vec![1]);
    assert_eq!(server.deadline(), Some(now + t.t1));
    assert!(server.on_timeout(now + t.t1, t).resend);
    server.on_ack(now + t.t1, t);
    assert_eq!(server.state(), State::Confirmed);
    assert!(!server.on_repeat().resend);
    assert_eq!(server.deadline(), Some(now + t.t1 + t.t4));
    assert!(server.on_timeout(now + t.t1 + t.t4, t).over);
}

#[test]
fn a_peer_without_the_magic_cookie_is_matched_by_what_identifies_its_request() {
    let mut old = request(Method::Bye);
    old.headers.set(Name::Via, "SIP/2.0/UDP 192.0.2.1;branch=1");
    let mut other = old.clone();
    other.headers.set(Name::CallId, "two");
    let key = |request: &Request| server_key(request, &request.method).unwrap();
    assert_eq!(key(&old), key(&old.clone()));
    assert_ne!(key(&old), key(&other));
}

#[test]
fn a_branch_is_found_among_parameters_in_any_case() {
    let found = |via| branch(via);
    assert_eq!(found("SIP/2.0/UDP a;rport;Branch = z9hG4bKq ;x=y").as_deref(), Some("z9hG4bKq"));
    assert_eq!(found("SIP/2.0/UDP a;rport"), None);
    assert_eq!(found("SIP/2.0/UDP a;branch="), None);
}
