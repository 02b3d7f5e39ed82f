//! Section 3, calling.

use super::*;
use crate::registering::{challenge, nonce};
use sip::{CauseKind, Target};

fn hang_up(world: &mut World, cause: CauseKind) {
    world.command(0, Command::Hangup { invite: ONE, cause });
}

/// The credentials with which a request goes to a proxy: nonce and count.
fn credentials(request: &Request) -> Option<(String, u32)> {
    nonce(request, &Name::ProxyAuthorization)
}

/// A refusal is acknowledged hop by hop: in the transaction of the INVITE, to the neighbour.
fn assert_hop_by_hop(ack: &Request, invite: &Request) {
    assert_eq!(ack.via().unwrap().branch(), invite.via().unwrap().branch());
    assert_eq!(ack.uri, invite.uri);
    assert_eq!(all(ack, &Name::Route), all(invite, &Name::Route));
}

#[test]
fn flow_3_1_successful_session_establishment_as_alice() {
    let (mut world, f1) = calling(31);
    assert_eq!(f1.body, OFFER);
    world.reply(near(), &f1, 180, "bob", None);
    world.reply(near(), &f1, 200, "bob", Some(ANSWER));
    let ack = world.request(near(), Method::Ack);
    assert_eq!(ack.uri.to_string(), "sip:bob@192.0.2.2:5060");
    assert!(ack.body.is_empty());
    assert!(answered(&mut world));
    hung_up_by_peer(&mut world, ONE, &bob_asks(&f1, Method::Bye, 1, None));
}

#[test]
fn flow_3_2_session_establishment_through_two_proxies_as_alice() {
    let (mut world, f1) = calling(32);
    challenge(&mut world, &f1, 407, "one", false);
    assert_hop_by_hop(&world.request(near(), Method::Ack), &f1);
    let f4 = world.request(near(), Method::Invite);
    assert_eq!(credentials(&f4), Some(("one".into(), 1)));
    assert_eq!(f4.cseq().unwrap().number, f1.cseq().unwrap().number + 1);
    world.say(near(), reply(near(), &f4, 100, "", None));
    world.say(near(), from_bob(&f4, 180, &[FAR, NEAR], None));
    world.say(near(), from_bob(&f4, 200, &[FAR, NEAR], Some(ANSWER)));
    let ack = world.request(near(), Method::Ack);
    assert_eq!(ack.uri.to_string(), "sip:bob@192.0.2.201:5060");
    assert_eq!(all(&ack, &Name::Route), [NEAR, FAR]);
    assert!(answered(&mut world));
    hung_up_by_peer(&mut world, ONE, &bob_asks(&f4, Method::Bye, 1, None));
}

#[test]
fn flow_3_3_session_with_multiple_proxy_authentication_as_alice() {
    let (mut world, f1) = calling(33);
    challenge(&mut world, &f1, 407, "one", false);
    world.request(near(), Method::Ack);
    let f4 = world.request(near(), Method::Invite);
    world.say(near(), reply(near(), &f4, 100, "", None));
    // The second proxy is of another realm: both want their credentials.
    let mut f9 = reply(near(), &f4, 407, "two", None);
    let value = "Digest realm=\"far\", nonce=\"two\", qop=\"auth\", algorithm=MD5";
    f9.headers.push(Name::ProxyAuthenticate, value);
    world.say(near(), f9);
    assert_hop_by_hop(&world.request(near(), Method::Ack), &f4);
    let f11 = world.request(near(), Method::Invite);
    let both = all(&f11, &Name::ProxyAuthorization);
    assert_eq!(both.len(), 2, "{both:?}");
    for (realm, nonce) in [("r407", "one"), ("far", "two")] {
        let holds = |value: &&String| value.contains(&format!("realm=\"{realm}\""));
        let value = both.iter().find(holds).unwrap();
        assert!(value.contains(&format!("nonce=\"{nonce}\"")), "{value}");
        let secret = base::Secret::new("secret");
        assert!(sip::auth::verify(value, "INVITE", &f11.body, &secret).is_some());
    }
    world.say(near(), from_bob(&f11, 200, &[FAR, NEAR], Some(ANSWER)));
    let ack = world.request(near(), Method::Ack);
    assert_eq!(all(&ack, &Name::ProxyAuthorization).len(), 2);
    assert_eq!(all(&ack, &Name::Route), [NEAR, FAR]);
    assert!(answered(&mut world));
    hung_up_by_peer(&mut world, ONE, &bob_asks(&f11, Method::Bye, 1, None));
}

#[test]
fn flow_3_4_successful_session_with_proxy_failure_as_alice() {
    let second = at("192.0.2.3:5060");
    let mut world = World::with_caller(34);
    let mut settings = account(near());
    settings.targets = [near(), second].map(Target::udp).to_vec();
    world.command(0, Command::SetAccount { account: ACCOUNT, settings });
    let mut order = invite(1, near());
    if let Command::Invite { targets, .. } = &mut order {
        *targets = [near(), second].map(Target::udp).to_vec();
    }
    world.command(0, order);
    let f8 = world.request(second, Method::Invite);
    let silent = world.waiting(near());
    assert!(silent.len() >= 3, "the first was asked {} times", silent.len());
    let mut f9 = reply(second, &f8, 407, "proxy", None);
    f9.headers.push(Name::ProxyAuthenticate, "Digest realm=\"r407\", nonce=\"n\", qop=\"auth\"");
    world.say(second, f9);
    assert_hop_by_hop(&world.request(second, Method::Ack), &f8);
    let f11 = world.request(second, Method::Invite);
    assert_eq!(credentials(&f11), Some(("n".into(), 1)));
    let record = "<sip:192.0.2.3:5060;lr>";
    world.say(second, from_bob(&f11, 180, &[record], None));
    world.say(second, from_bob(&f11, 200, &[record], Some(ANSWER)));
    let ack = world.request(second, Method::Ack);
    assert_eq!(all(&ack, &Name::Route), [record]);
    assert!(answered(&mut world));
    let mut bye = bob_asks(&f11, Method::Bye, 1, None);
    bye.headers.set(Name::Via, "SIP/2.0/UDP 192.0.2.3:5060;branch=z9hG4bKbye;rport");
    world.say(second, bye);
    world.response(second, 200);
    world.cause(0, ONE);
    world.assert_quiet();
    // The silent server hears the one INVITE again for its time, and nothing else.
    let later = world.waiting(near());
    assert!(silent.len() + later.len() <= 7);
    for message in silent.iter().chain(&later) {
        assert_eq!(*message, silent[0]);
    }
}

#[test]
fn flow_3_5_session_through_a_sip_alg_as_alice() {
    let mut world = World::new(35);
    world.add(ours(), &[near()]);
    let mut settings = account(near());
    settings.outbound_proxy = sip::message::Uri::parse("sip:192.0.2.2:5060;lr").ok();
    world.command(0, Command::SetAccount { account: ACCOUNT, settings });
    world.command(0, invite(1, near()));
    let f1 = world.request(near(), Method::Invite);
    assert_eq!(all(&f1, &Name::Route), [NEAR], "a pre-loaded Route leads to the gateway");
    world.reply(near(), &f1, 100, "", None);
    // Proxy 2 is on the way of the INVITE only, the gateway on that of all requests.
    world.say(near(), from_bob(&f1, 180, &[NEAR], None));
    world.say(near(), from_bob(&f1, 200, &[NEAR], Some(ANSWER)));
    let ack = world.request(near(), Method::Ack);
    assert!(answered(&mut world));
    hang_up(&mut world, CauseKind::Normal);
    let bye = world.request(near(), Method::Bye);
    for request in [&ack, &bye] {
        assert_eq!(request.uri.to_string(), "sip:bob@192.0.2.201:5060");
        assert_eq!(all(request, &Name::Route), [NEAR]);
    }
    world.reply(near(), &bye, 200, "", None);
    world.cause(0, ONE);
    world.assert_quiet();
}

#[test]
fn flow_3_7_session_with_re_invite_ip_address_change_as_alice() {
    let mut world = World::new(37);
    let moved = at("192.0.2.202:5060");
    world.add(ours(), &[near(), peer(), moved]);
    world.command(0, Command::SetAccount { account: ACCOUNT, settings: account(near()) });
    world.command(0, invite(1, near()));
    let f1 = world.request(near(), Method::Invite);
    world.reply(near(), &f1, 100, "", None);
    world.say(near(), from_bob(&f1, 180, &[], None));
    world.say(near(), from_bob(&f1, 200, &[], Some(ANSWER)));
    // The proxy records no route: the ACK goes straight to Bob.
    let ack = world.request(peer(), Method::Ack);
    assert!(all(&ack, &Name::Route).is_empty());
    world.news(0);
    let mut f9 = bob_asks(&f1, Method::Invite, 14, Some(OFFER));
    f9.headers.set(Name::Via, format!("SIP/2.0/UDP {moved};branch=z9hG4bKlkld5l;rport"));
    f9.headers.set(Name::Contact, format!("<sip:bob@{moved}>"));
    world.say(moved, f9.clone());
    assert!(matches!(world.news(0).last(), Some(Event::Reoffered { sdp: Some(_), .. })));
    world.command(0, Command::AnswerOffer { invite: ONE, sdp: Ok(ANSWER.to_vec()) });
    assert_eq!(world.response(moved, 200).body, ANSWER);
    let mut f11 = bob_asks(&f1, Method::Ack, 14, None);
    f11.headers.set(Name::Via, format!("SIP/2.0/UDP {moved};branch=z9hG4bKldksd4;rport"));
    world.say(moved, f11);
    hang_up(&mut world, CauseKind::Normal);
    let f12 = world.request(moved, Method::Bye);
    assert_eq!(f12.uri.to_string(), format!("sip:bob@{moved}"));
    world.reply(moved, &f12, 200, "", None);
    world.assert_quiet();
    assert!(world.waiting(near()).is_empty() && world.waiting(peer()).is_empty());
}

#[test]
fn flow_3_8_unsuccessful_no_answer_as_alice() {
    let (mut world, f1) = calling(38);
    world.reply(near(), &f1, 100, "", None);
    world.say(near(), from_bob(&f1, 180, &[FAR, NEAR], None));
    hang_up(&mut world, CauseKind::Cancelled);
    let f9 = world.request(near(), Method::Cancel);
    assert_hop_by_hop(&f9, &f1);
    assert_eq!(f9.cseq().unwrap().number, f1.cseq().unwrap().number);
    world.reply(near(), &f9, 200, "hop", None);
    world.say(near(), from_bob(&f1, 487, &[], None));
    assert_hop_by_hop(&world.request(near(), Method::Ack), &f1);
    assert_eq!(world.cause(0, ONE).kind, CauseKind::Cancelled);
    world.assert_quiet();
    assert!(world.waiting(near()).is_empty(), "nobody took the call: no BYE");
}

/// Flows 3.9, 3.10 and 3.11 are one for Alice: a refusal, with or without ringing before it.
fn refused(seed: u64, rings: bool, status: u16, kind: CauseKind) {
    let (mut world, f1) = calling(seed);
    world.reply(near(), &f1, 100, "", None);
    if rings {
        world.say(near(), from_bob(&f1, 180, &[FAR, NEAR], None));
    }
    world.say(near(), from_bob(&f1, status, &[], None));
    let ack = world.request(near(), Method::Ack);
    assert_hop_by_hop(&ack, &f1);
    assert_eq!(ack.to().unwrap().tag(), Some("bob"));
    let cause = world.cause(0, ONE);
    assert_eq!((cause.kind, cause.status), (kind, Some(status)));
    world.assert_quiet();
    assert!(world.waiting(near()).is_empty());
}

#[test]
fn flow_3_9_unsuccessful_busy_as_alice() {
    refused(39, false, 486, CauseKind::Busy);
}

#[test]
fn flow_3_10_unsuccessful_no_response_from_user_agent_as_alice() {
    refused(310, false, 480, CauseKind::Unavailable);
}

#[test]
fn flow_3_11_unsuccessful_temporarily_unavailable_as_alice() {
    refused(311, true, 480, CauseKind::Unavailable);
}
