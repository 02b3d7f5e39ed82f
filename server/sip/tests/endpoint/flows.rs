//! Calls past more than one server, beside the flows in `rfc3665`: a route that names hosts, proxies
//! that want nothing but the plain digest, a redirect server, a Contact that moves.

use crate::wire::*;
use sip::message::{Method, Name, Request, Uri};
use sip::{CauseKind, Command, Event};

/// A proxy wants credentials for its realm.
fn challenge(world: &mut World, request: &Request, realm: &str) -> Request {
    let mut response = reply(theirs(), request, 407, realm, None);
    let wanted = format!("Digest realm=\"{realm}\", nonce=\"of-{realm}\", algorithm=MD5");
    response.headers.push(Name::ProxyAuthenticate, wanted);
    world.say(theirs(), response);
    world.request(theirs(), Method::Ack);
    world.request(theirs(), Method::Invite)
}

#[test]
fn flow_3_2_a_call_through_two_proxies_keeps_its_route_in_both_directions() {
    let (mut world, request) = call(1);
    let mut answer = reply(theirs(), &request, 200, "kept", Some(ANSWER));
    for proxy in ["<sip:ss2.biloxi.example;lr>", "<sip:192.0.2.2:5060;lr>"] {
        answer.headers.push(Name::RecordRoute, proxy);
    }
    answer.headers.set(Name::Contact, "<sip:bob@client.biloxi.example>");
    world.say(theirs(), answer);
    let ack = world.request(theirs(), Method::Ack);
    let routes = |request: &Request| -> Vec<String> {
        request.headers.all(&Name::Route).map(str::to_owned).collect()
    };
    assert_eq!(routes(&ack), ["<sip:192.0.2.2:5060;lr>", "<sip:ss2.biloxi.example;lr>"]);
    assert_eq!(ack.uri.to_string(), "sip:bob@client.biloxi.example");
    // Bob hangs up through the same proxies.
    let tag = request.from().unwrap().tag().unwrap().to_owned();
    let mut bye = ask(theirs(), Method::Bye, request.call_id(), 1, Some(&tag), None);
    bye.headers.set(Name::From, "<sip:bob@192.0.2.2:5060>;tag=kept");
    world.say(theirs(), bye);
    world.response(theirs(), 200);
    assert_eq!(world.cause(0, ONE).kind, CauseKind::Normal);
    world.assert_quiet();
}

#[test]
fn flow_3_3_two_proxies_want_credentials_one_after_the_other() {
    let (mut world, first) = call(2);
    let second = challenge(&mut world, &first, "atlanta");
    assert_eq!(second.headers.count(&Name::ProxyAuthorization), 1);
    let third = challenge(&mut world, &second, "biloxi");
    let fields: Vec<&str> = third.headers.all(&Name::ProxyAuthorization).collect();
    assert_eq!(fields.len(), 2, "both get theirs");
    for realm in ["atlanta", "biloxi"] {
        assert!(fields.iter().any(|field| field.contains(&format!("nonce=\"of-{realm}\""))));
    }
    let numbers = [&first, &second, &third].map(|request| request.cseq().unwrap().number);
    assert_eq!([numbers[0] + 1, numbers[0] + 2], [numbers[1], numbers[2]]);
    world.reply(theirs(), &third, 200, "kept", Some(ANSWER));
    let ack = world.request(theirs(), Method::Ack);
    // The ACK passes the same proxies (RFC 3261 22.1).
    assert_eq!(ack.headers.count(&Name::ProxyAuthorization), 2);
    assert!(matches!(world.news(0).last(), Some(Event::Answered { .. })));
}

#[test]
fn flow_3_6_a_redirect_server_names_the_place_and_the_call_goes_there() {
    let mut world = World::with_caller(3);
    let mut order = invite(1, theirs());
    if let Command::Invite { destination, .. } = &mut order {
        *destination = Uri::parse("sip:bob@sip.example").unwrap();
    }
    world.command(0, order);
    let first = world.request(theirs(), Method::Invite);
    let mut moved = reply(theirs(), &first, 302, "53fHlqlQ2", None);
    moved.headers.set(Name::Contact, "<sip:bob@chicago.sip.example>, <sip:desk@sip.example>");
    world.say(theirs(), moved);
    world.request(theirs(), Method::Ack);
    // The first place is another host; the second is at home.
    let second = world.request(theirs(), Method::Invite);
    assert_eq!(second.uri.to_string(), "sip:desk@sip.example");
    assert_eq!(second.to().unwrap().tag(), None);
    world.reply(theirs(), &second, 180, "kept", None);
    world.reply(theirs(), &second, 200, "kept", Some(ANSWER));
    let ack = world.request(theirs(), Method::Ack);
    assert_eq!(ack.cseq().unwrap().number, second.cseq().unwrap().number);
}

#[test]
fn flow_3_7_a_reinvite_moves_signalling_and_media_to_another_address() {
    let (mut world, request) = call(4);
    world.reply(theirs(), &request, 200, "kept", Some(ANSWER));
    world.request(theirs(), Method::Ack);
    let tag = request.from().unwrap().tag().unwrap().to_owned();
    let moved: &[u8] = b"v=0\r\no=bob 2890844527 2890844528 IN IP4 192.0.2.2\r\n";
    let mut reinvite =
        ask(theirs(), Method::Invite, request.call_id(), 14, Some(&tag), Some(moved));
    reinvite.headers.set(Name::From, "<sip:bob@192.0.2.2:5060>;tag=kept");
    reinvite.headers.set(Name::Contact, "<sip:bob@192.0.2.2:5070>");
    world.say(theirs(), reinvite);
    match world.news(0).last() {
        Some(Event::Reoffered { sdp: Some(sdp), .. }) => assert_eq!(sdp, moved),
        other => panic!("{other:?}"),
    }
    world.command(0, Command::AnswerOffer { invite: ONE, sdp: Ok(b"v=0 here".to_vec()) });
    assert_eq!(world.response(theirs(), 200).body, b"v=0 here");
    let mut ack = ask(theirs(), Method::Ack, request.call_id(), 14, Some(&tag), None);
    ack.headers.set(Name::From, "<sip:bob@192.0.2.2:5060>;tag=kept");
    world.say(theirs(), ack);
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Normal });
    assert_eq!(
        world.request(at("192.0.2.2:5070"), Method::Bye).uri.to_string(),
        "sip:bob@192.0.2.2:5070"
    );
}
