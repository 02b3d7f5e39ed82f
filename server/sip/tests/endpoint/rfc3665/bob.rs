//! Section 3, being called. Flow 3.10 has no Bob: he says nothing.

use super::*;
use sip::CauseKind;

fn ring(world: &mut World, request: &Request, invite: InviteId) {
    world.command(0, Command::Ring { invite, sdp: None });
    let ringing = world.response(near(), 180);
    assert_traced_back(&ringing, request);
    assert_eq!(all(&ringing, &Name::RecordRoute), all(request, &Name::RecordRoute));
    assert!(ringing.to().unwrap().tag().is_some() && ringing.contact().is_some());
}

fn acknowledge(world: &mut World, tag: &str, sdp: Option<&[u8]>) {
    let mut ack = alice_asks(Method::Ack, 1, Some(tag), sdp);
    ack.headers.set_first(&Name::Via, "SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK2d47.3");
    world.say(near(), ack);
    match world.news(0).last() {
        Some(Event::Confirmed { answer, .. }) => assert_eq!(answer.as_deref(), sdp),
        other => panic!("{other:?}"),
    }
}

/// Bob hangs up: BYE goes the way that the INVITE recorded, to whom the INVITE came from.
fn hang_up(world: &mut World, invite: InviteId, route: &[&str]) {
    world.command(0, Command::Hangup { invite, cause: CauseKind::Normal });
    let bye = world.request(near(), Method::Bye);
    assert_eq!(all(&bye, &Name::Route), route);
    assert_eq!(bye.to().unwrap().tag(), Some("bob"), "the caller's tag");
    world.reply(near(), &bye, 200, "", None);
    world.cause(0, invite);
    world.assert_quiet();
    assert!(world.waiting(near()).is_empty());
}

#[test]
fn flow_3_1_successful_session_establishment_as_bob() {
    let f1 = ask(near(), Method::Invite, "flow", 1, None, Some(OFFER));
    let (mut world, invite) = called(131, &f1);
    ring(&mut world, &f1, invite);
    let tag = take(&mut world, &f1, invite, ANSWER);
    acknowledge(&mut world, &tag, None);
    hang_up(&mut world, invite, &[]);
}

#[test]
fn flow_3_2_session_establishment_through_two_proxies_as_bob() {
    let f7 = through_two_proxies(Some(OFFER));
    let (mut world, invite) = called(132, &f7);
    ring(&mut world, &f7, invite);
    let tag = take(&mut world, &f7, invite, ANSWER);
    acknowledge(&mut world, &tag, None);
    hang_up(&mut world, invite, &[NEAR, FAR]);
}

#[test]
fn flow_3_3_session_with_multiple_proxy_authentication_as_bob() {
    // What the proxies wanted is no business of Bob's, who takes the call without ringing.
    let mut f15 = through_two_proxies(Some(OFFER));
    f15.headers.push(Name::ProxyAuthorization, "Digest username=\"alice\", realm=\"elsewhere\"");
    let (mut world, invite) = called(133, &f15);
    let tag = take(&mut world, &f15, invite, ANSWER);
    acknowledge(&mut world, &tag, None);
    hang_up(&mut world, invite, &[NEAR, FAR]);
}

#[test]
fn flow_3_4_successful_session_with_proxy_failure_as_bob() {
    let mut f12 = ask(near(), Method::Invite, "flow", 1, None, Some(OFFER));
    f12.headers.push(Name::Via, "SIP/2.0/UDP 192.0.2.201:5060;branch=z9hG4bK74b6d5");
    f12.headers.push(Name::RecordRoute, NEAR);
    let (mut world, invite) = called(134, &f12);
    ring(&mut world, &f12, invite);
    let tag = take(&mut world, &f12, invite, ANSWER);
    acknowledge(&mut world, &tag, None);
    hang_up(&mut world, invite, &[NEAR]);
}

#[test]
fn flow_3_5_session_through_a_sip_alg_as_bob() {
    // The proxy that rings Bob leaves the way; the gateway stays, and its BYE ends the call.
    let gateway = at("192.0.2.128:5060");
    let mut world = World::new(135);
    world.add(ours(), &[near(), gateway]);
    world.command(0, Command::SetAccount { account: ACCOUNT, settings: account(near()) });
    let record = "<sip:192.0.2.128:5060;lr>";
    let mut f4 = ask(near(), Method::Invite, "flow", 1, None, Some(OFFER));
    f4.headers.push(Name::Via, "SIP/2.0/UDP 192.0.2.128:5060;branch=z9hG4bK739578.1");
    f4.headers.push(Name::RecordRoute, record);
    world.say(near(), f4.clone());
    let invite = world.incoming(0);
    ring(&mut world, &f4, invite);
    let tag = take(&mut world, &f4, invite, ANSWER);
    let from_gateway = |method: Method, number| {
        let mut request = alice_asks(method, number, Some(&tag), None);
        let via = format!("SIP/2.0/UDP {gateway};branch=z9hG4bK739578.{};rport", number + 1);
        request.headers.set_first(&Name::Via, via);
        request
    };
    world.say(gateway, from_gateway(Method::Ack, 1));
    assert!(matches!(world.news(0).last(), Some(Event::Confirmed { .. })));
    let f15 = from_gateway(Method::Bye, 2);
    world.say(gateway, f15.clone());
    assert_traced_back(&world.response(gateway, 200), &f15);
    world.cause(0, invite);
    world.assert_quiet();
}

#[test]
fn flow_3_6_session_via_redirect_and_proxy_servers_with_sdp_in_ack_as_bob() {
    let mut f5 = ask(near(), Method::Invite, "flow", 1, None, None);
    f5.headers.push(Name::Via, "SIP/2.0/UDP 192.0.2.201:5060;branch=z9hG4bK74bf9");
    f5.headers.push(Name::RecordRoute, NEAR);
    let (mut world, invite) = called(136, &f5);
    ring(&mut world, &f5, invite);
    let tag = take(&mut world, &f5, invite, OFFER);
    acknowledge(&mut world, &tag, Some(ANSWER));
    hang_up(&mut world, invite, &[NEAR]);
}

#[test]
fn flow_3_7_session_with_re_invite_ip_address_change_as_bob() {
    let mut world = World::new(137);
    world.add(ours(), &[near(), peer()]);
    world.command(0, Command::SetAccount { account: ACCOUNT, settings: account(near()) });
    let mut f2 = ask(near(), Method::Invite, "flow", 1, None, Some(OFFER));
    f2.headers.push(Name::Via, "SIP/2.0/UDP 192.0.2.201:5060;branch=z9hG4bK74bf9");
    f2.headers.set(Name::Contact, "<sip:alice@192.0.2.201:5060>");
    world.say(near(), f2.clone());
    let invite = world.incoming(0);
    ring(&mut world, &f2, invite);
    let tag = take(&mut world, &f2, invite, ANSWER);
    let straight = |method: Method, number| {
        let mut request = ask(peer(), method, "flow", number, Some(&tag), None);
        request.headers.set(Name::Contact, "<sip:alice@192.0.2.201:5060>");
        request
    };
    world.say(peer(), straight(Method::Ack, 1));
    // Our media move. No proxy recorded a route: Alice is asked where she is.
    world.command(0, Command::Reoffer { invite, offer: OFFER.to_vec() });
    let f9 = world.request(peer(), Method::Invite);
    assert_eq!((f9.uri.to_string(), &f9.body[..]), ("sip:alice@192.0.2.201:5060".into(), OFFER));
    assert_eq!(f9.from().unwrap().tag(), Some(&tag[..]));
    world.reply(peer(), &f9, 200, "", Some(ANSWER));
    let f11 = world.request(peer(), Method::Ack);
    assert_eq!(f11.cseq().unwrap().number, f9.cseq().unwrap().number);
    match world.news(0).last() {
        Some(Event::Reanswered { sdp: Ok(sdp), .. }) => assert_eq!(sdp, ANSWER),
        other => panic!("{other:?}"),
    }
    world.say(peer(), straight(Method::Bye, 2));
    world.response(peer(), 200);
    world.cause(0, invite);
    world.assert_quiet();
    assert!(world.waiting(near()).is_empty());
}

#[test]
fn flow_3_8_unsuccessful_no_answer_as_bob() {
    let f4 = through_two_proxies(Some(OFFER));
    let (mut world, invite) = called(138, &f4);
    ring(&mut world, &f4, invite);
    // A CANCEL and the ACK of a refusal have the one Via of their hop.
    let of_hop = |method| {
        let mut request = ask(near(), method, "flow", 1, None, None);
        request.headers.set(Name::Via, f4.headers.get(&Name::Via).unwrap().to_owned());
        request
    };
    let f13 = of_hop(Method::Cancel);
    world.say(near(), f13.clone());
    assert_traced_back(&world.response(near(), 200), &f13);
    let f15 = world.response(near(), 487);
    assert_traced_back(&f15, &f4);
    let mut f16 = of_hop(Method::Ack);
    f16.headers.set(Name::To, f15.headers.get(&Name::To).unwrap().to_owned());
    world.say(near(), f16);
    assert_eq!(world.cause(0, invite).kind, CauseKind::Cancelled);
    world.seconds(10);
    assert!(world.waiting(near()).is_empty(), "the ACK ends the repeats");
    world.assert_quiet();
}

/// Flows 3.9 and 3.11: Bob refuses, and his neighbour acknowledges it.
fn refuses(seed: u64, rings: bool, status: u16) {
    let f4 = through_two_proxies(Some(OFFER));
    let (mut world, invite) = called(seed, &f4);
    if rings {
        ring(&mut world, &f4, invite);
    }
    world.command(0, Command::Reject { invite, status });
    let refusal = world.response(near(), status);
    assert_traced_back(&refusal, &f4);
    let mut ack = ask(near(), Method::Ack, "flow", 1, refusal.to().unwrap().tag(), None);
    ack.headers.set(Name::Via, f4.headers.get(&Name::Via).unwrap().to_owned());
    world.say(near(), ack);
    world.seconds(10);
    assert!(world.waiting(near()).is_empty(), "the ACK ends the repeats");
    world.cause(0, invite);
    world.assert_quiet();
}

#[test]
fn flow_3_9_unsuccessful_busy_as_bob() {
    refuses(139, false, 486);
}

#[test]
fn flow_3_11_unsuccessful_temporarily_unavailable_as_bob() {
    refuses(1311, true, 480);
}
