//! The call flows of RFC 3665 in each role of them that a user agent plays: registering
//! (section 2), calling as its Alice and answering as its Bob (section 3). A test is named by the
//! section of its flow; what it checks is what the neighbour of our role sees.
//!
//! We differ from the RFC's examples, each time within RFC 3261:
//! - 2.3 has no test: we never ask for the list of contacts, since every answer brings it.
//! - 2.4: our own contact is withdrawn, not `*`, for others may be registered beside us.
//! - 3.4: a silent server loses the call after four seconds, not after seven INVITEs.
//! - 3.6: our INVITE always carries an offer. Bob's part is here: he gets one without. Alice's is
//!   in `flows`.

mod alice;
mod bob;
mod registration;

use crate::wire::*;
use sip::message::{Message, Method, Name, Request, Response};
use sip::{Command, Event, InviteId};
use std::net::SocketAddr;

/// The proxy that is our neighbour: Alice's Proxy 1, Bob's Proxy 2.
fn near() -> SocketAddr {
    theirs()
}

/// Where the other user agent is.
fn peer() -> SocketAddr {
    at("192.0.2.201:5060")
}

const NEAR: &str = "<sip:192.0.2.2:5060;lr>";
const FAR: &str = "<sip:ss.far.example;lr>";

/// The values of a header field, one by one.
fn all(message: &impl Headed, name: &Name) -> Vec<String> {
    message.fields().all(name).map(str::to_owned).collect()
}

trait Headed {
    fn fields(&self) -> &sip::message::Headers;
}

impl Headed for Request {
    fn fields(&self) -> &sip::message::Headers {
        &self.headers
    }
}

impl Headed for Response {
    fn fields(&self) -> &sip::message::Headers {
        &self.headers
    }
}

/// Alice has called Bob at `near()`; the INVITE that arrived there.
fn calling(seed: u64) -> (World, Request) {
    let mut world = World::with_caller(seed);
    world.command(0, invite(1, near()));
    let request = world.request(near(), Method::Invite);
    (world, request)
}

/// Bob's answer as it comes through proxies, the last of which stands first in the record.
fn from_bob(request: &Request, status: u16, record: &[&str], sdp: Option<&[u8]>) -> Response {
    let mut response = reply(near(), request, status, "bob", sdp);
    response.headers.set(Name::Contact, "<sip:bob@192.0.2.201:5060>");
    for route in record {
        response.headers.push(Name::RecordRoute, *route);
    }
    response
}

/// A request of Bob in the call, as it arrives from our neighbour.
fn bob_asks(invite: &Request, method: Method, number: u32, sdp: Option<&[u8]>) -> Request {
    let us = invite.from().unwrap();
    let mut request = ask(near(), method, invite.call_id(), number, us.tag(), sdp);
    request.headers.set(Name::From, invite.to().unwrap().to_string() + ";tag=bob");
    request.headers.set(Name::Contact, "<sip:bob@192.0.2.201:5060>");
    request
}

/// Alice's INVITE as Bob gets it through two proxies.
fn through_two_proxies(sdp: Option<&[u8]>) -> Request {
    let mut request = ask(near(), Method::Invite, "flow", 1, None, sdp);
    let headers = &mut request.headers;
    headers.push(Name::Via, "SIP/2.0/UDP ss.far.example:5060;branch=z9hG4bK721e4.1");
    headers.push(Name::Via, "SIP/2.0/UDP 192.0.2.201:5060;branch=z9hG4bK74bf9");
    headers.set(Name::MaxForwards, "68");
    headers.push(Name::RecordRoute, NEAR);
    headers.push(Name::RecordRoute, FAR);
    headers.set(Name::Contact, "<sip:alice@192.0.2.201:5060>");
    request
}

/// A request of Alice that belongs to the call that `through_two_proxies` opened.
fn alice_asks(method: Method, number: u32, tag: Option<&str>, sdp: Option<&[u8]>) -> Request {
    let mut request = ask(near(), method, "flow", number, tag, sdp);
    request.headers.push(Name::Via, "SIP/2.0/UDP ss.far.example:5060;branch=z9hG4bK721e4.2");
    request.headers.set(Name::Contact, "<sip:alice@192.0.2.201:5060>");
    request
}

/// Bob is called by this INVITE: 100 goes out, nothing more before he decides.
fn called(seed: u64, request: &Request) -> (World, InviteId) {
    let mut world = World::with_caller(seed);
    world.say(near(), request.clone());
    let Message::Response(trying) = world.hear(near()) else { panic!("a request") };
    assert_eq!(trying.status, 100);
    assert!(world.waiting(near()).is_empty());
    let invite = world.incoming(0);
    (world, invite)
}

/// Bob takes the call; the tag that he gives it.
fn take(world: &mut World, request: &Request, invite: InviteId, sdp: &[u8]) -> String {
    world.command(0, Command::Answer { invite, sdp: sdp.to_vec() });
    let answer = world.response(near(), 200);
    assert_eq!(answer.body, sdp);
    assert_traced_back(&answer, request);
    assert_eq!(all(&answer, &Name::RecordRoute), all(request, &Name::RecordRoute));
    answer.to().unwrap().tag().unwrap().to_owned()
}

/// A response bears the way of its request, or it would be lost at the first proxy.
fn assert_traced_back(response: &Response, request: &Request) {
    let branches = |vias: Vec<sip::message::Via>| -> Vec<String> {
        vias.iter().filter_map(|via| via.branch().map(str::to_owned)).collect()
    };
    assert_eq!(branches(response.vias()), branches(request.vias()));
    for name in [Name::From, Name::CallId, Name::CSeq] {
        assert_eq!(response.headers.get(&name), request.headers.get(&name));
    }
}

/// The peer hangs up: 200 follows its BYE, and the call has ended.
fn hung_up_by_peer(world: &mut World, invite: InviteId, bye: &Request) {
    world.say(near(), bye.clone());
    let response = world.response(near(), 200);
    assert_traced_back(&response, bye);
    assert_eq!(world.cause(0, invite).originator, sip::Originator::Remote);
    world.assert_quiet();
    assert!(world.waiting(near()).is_empty());
}

fn answered(world: &mut World) -> bool {
    matches!(world.news(0).last(), Some(Event::Answered { sdp, .. }) if sdp.as_deref() == Some(ANSWER))
}
