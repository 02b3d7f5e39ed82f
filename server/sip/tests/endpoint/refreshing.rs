//! Session timers (RFC 4028), against a scripted peer and between two endpoints.

use crate::wire::*;
use sip::message::{Message, Method, Name, Request, Response};
use sip::{CauseKind, Command, Event, InviteId, Originator};
use std::time::Duration;

const UPDATES: &str = "INVITE, ACK, CANCEL, BYE, UPDATE";

/// A call to a scripted peer that answers with these words on the session timer and on what it
/// takes.
fn call(seed: u64, expires: &str, allow: &str) -> (World, Request) {
    let mut world = World::with_caller(seed);
    world.command(0, invite(1, theirs()));
    let request = world.request(theirs(), Method::Invite);
    let mut answer = reply(theirs(), &request, 200, "kept", Some(ANSWER));
    answer.headers.push(Name::SessionExpires, expires);
    answer.headers.push(Name::Allow, allow);
    world.say(theirs(), answer);
    world.request(theirs(), Method::Ack);
    world.news(0);
    (world, request)
}

/// A call of a scripted peer, taken, with these header fields in its INVITE; our 2xx.
fn called(seed: u64, fields: &[(Name, &str)]) -> (World, InviteId, Response) {
    let mut world = World::with_caller(seed);
    let mut request = ask(theirs(), Method::Invite, "call", 1, None, Some(OFFER));
    for (name, value) in fields {
        request.headers.push(name.clone(), *value);
    }
    world.say(theirs(), request);
    let invite = world.incoming(0);
    world.command(0, Command::Answer { invite, sdp: ANSWER.to_vec() });
    let answer = world.response(theirs(), 200);
    let tag = answer.to().unwrap().tag().unwrap().to_owned();
    world.say(theirs(), ask(theirs(), Method::Ack, "call", 1, Some(&tag), None));
    world.news(0);
    (world, invite, answer)
}

#[test]
fn we_refresh_by_update_at_half_time_where_the_peer_takes_it() {
    let (mut world, request) = call(1, "180;refresher=uac", UPDATES);
    assert!(request.headers.tokens(&Name::Supported).any(|option| option == "timer"));
    assert_eq!(request.headers.get(&Name::SessionExpires), Some("1800"));
    for _ in 0..3 {
        world.seconds(89);
        assert!(world.waiting(theirs()).is_empty());
        world.seconds(1);
        let update = world.request(theirs(), Method::Update);
        assert!(update.body.is_empty());
        assert_eq!(update.headers.get(&Name::SessionExpires), Some("180;refresher=uac"));
        let mut accepted = reply(theirs(), &update, 200, "", None);
        accepted.headers.push(Name::SessionExpires, "180;refresher=uac");
        world.say(theirs(), accepted);
    }
    assert!(world.news(0).is_empty(), "the shell has nothing to do with it");
    // A peer that says nothing of the timer turns it off.
    world.seconds(89);
    let update = world.request(theirs(), Method::Update);
    world.reply(theirs(), &update, 200, "", None);
    world.seconds(1000);
    assert!(world.waiting(theirs()).is_empty() && world.causes(0, ONE).is_empty());
}

#[test]
fn we_refresh_by_a_new_invite_with_the_same_offer_where_the_peer_takes_no_update() {
    for (answer, told) in [(ANSWER, 0), (&b"v=0 moved"[..], 1)] {
        let (mut world, request) = call(2, "180;refresher=uac", "INVITE, ACK, BYE");
        world.seconds(90);
        let again = world.request(theirs(), Method::Invite);
        assert_eq!((&again.body, again.call_id()), (&request.body, request.call_id()));
        let mut accepted = reply(theirs(), &again, 200, "", Some(answer));
        accepted.headers.push(Name::SessionExpires, "180;refresher=uac");
        world.say(theirs(), accepted);
        world.request(theirs(), Method::Ack);
        // Only an answer that changes something is news.
        assert_eq!(world.news(0).len(), told);
        world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Normal });
        world.assert_quiet();
    }
}

#[test]
fn an_offer_that_comes_while_the_session_is_refreshed_follows() {
    let (mut world, _) = call(14, "180;refresher=uac", "INVITE, ACK, BYE");
    world.seconds(90);
    let refresh = world.request(theirs(), Method::Invite);
    world.command(0, Command::Reoffer { invite: ONE, offer: b"v=0 hold".to_vec() });
    let mut accepted = reply(theirs(), &refresh, 200, "", Some(ANSWER));
    accepted.headers.push(Name::SessionExpires, "180;refresher=uac");
    world.say(theirs(), accepted);
    world.request(theirs(), Method::Ack);
    let hold = world.request(theirs(), Method::Invite);
    assert_eq!(hold.body, b"v=0 hold");
    world.reply(theirs(), &hold, 200, "", Some(b"v=0 held"));
    world.request(theirs(), Method::Ack);
    match world.news(0).as_slice() {
        [Event::Reanswered { sdp: Ok(sdp), .. }] => assert_eq!(sdp, b"v=0 held"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_peer_that_says_it_takes_updates_and_does_not_is_refreshed_all_the_same() {
    let (mut world, _) = call(3, "180;refresher=uac", UPDATES);
    world.seconds(90);
    let update = world.request(theirs(), Method::Update);
    world.reply(theirs(), &update, 501, "", None);
    let again = world.request(theirs(), Method::Invite);
    assert_eq!(again.body, OFFER);
}

#[test]
fn a_peer_that_does_not_refresh_is_hung_up_before_the_session_expires() {
    let (mut world, request) = call(4, "180;refresher=uas", UPDATES);
    world.seconds(100);
    let mut update = inside(&request, Method::Update, 5, None);
    update.headers.push(Name::Supported, "timer");
    update.headers.push(Name::SessionExpires, "180;refresher=uac");
    world.say(theirs(), update);
    let accepted = world.response(theirs(), 200);
    assert_eq!(accepted.headers.get(&Name::SessionExpires), Some("180;refresher=uac"));
    assert_eq!(accepted.headers.get(&Name::Require), Some("timer"));
    // 32 s before its end.
    world.seconds(147);
    assert!(world.causes(0, ONE).is_empty());
    world.seconds(2);
    let cause = world.cause(0, ONE);
    assert_eq!((cause.kind, cause.originator), (CauseKind::Timeout, Originator::Network));
    world.request(theirs(), Method::Bye);
    world.assert_quiet();
}

#[test]
fn a_refresh_that_nobody_answers_ends_the_call() {
    let (mut world, _) = call(5, "180;refresher=uac", UPDATES);
    world.seconds(90 + 33);
    assert_eq!(world.cause(0, ONE).kind, CauseKind::Timeout);
    let heard = world.waiting(theirs());
    assert!(heard.iter().any(|m| matches!(m, Message::Request(r) if r.method == Method::Bye)));
    world.assert_quiet();
}

#[test]
fn a_refused_refresh_is_tried_again_until_the_end() {
    let (mut world, _) = call(6, "180;refresher=uac", UPDATES);
    world.seconds(90);
    for _ in 0..3 {
        let update = world.request(theirs(), Method::Update);
        world.reply(theirs(), &update, 500, "", None);
    }
    assert!(world.causes(0, ONE).is_empty());
    let update = world.request(theirs(), Method::Update);
    world.reply(theirs(), &update, 481, "", None);
    assert_eq!(world.cause(0, ONE).kind, CauseKind::Protocol);
}

#[test]
fn an_interval_that_is_too_short_for_somebody_is_raised() {
    let mut world = World::with_caller(7);
    world.command(0, invite(1, theirs()));
    let first = world.request(theirs(), Method::Invite);
    let mut refusal = reply(theirs(), &first, 422, "x", None);
    refusal.headers.push(Name::MinSe, "3600");
    world.say(theirs(), refusal.clone());
    world.request(theirs(), Method::Ack);
    let second = world.request(theirs(), Method::Invite);
    assert_eq!(second.headers.get(&Name::SessionExpires), Some("3600"));
    assert_eq!(second.headers.get(&Name::MinSe), Some("3600"));
    assert_eq!(second.call_id(), first.call_id());
    assert_eq!(second.cseq().unwrap().number, first.cseq().unwrap().number + 1);
    // The same wish again leads nowhere.
    let mut refusal = reply(theirs(), &second, 422, "x", None);
    refusal.headers.push(Name::MinSe, "3600");
    world.say(theirs(), refusal);
    world.request(theirs(), Method::Ack);
    assert_eq!(world.cause(0, ONE).status, Some(422));
    world.assert_quiet();
}

#[test]
fn a_nonce_counts_on_where_a_longer_interval_is_asked_for() {
    let mut world = World::with_caller(17);
    world.command(0, invite(1, theirs()));
    let first = world.request(theirs(), Method::Invite);
    let mut challenge = reply(theirs(), &first, 401, "x", None);
    let asked = "Digest realm=\"sip.example\", nonce=\"1\", qop=\"auth\"";
    challenge.headers.push(Name::WwwAuthenticate, asked);
    world.say(theirs(), challenge);
    world.request(theirs(), Method::Ack);
    let second = world.request(theirs(), Method::Invite);
    let mut refusal = reply(theirs(), &second, 422, "x", None);
    refusal.headers.push(Name::MinSe, "3600");
    world.say(theirs(), refusal);
    world.request(theirs(), Method::Ack);
    let third = world.request(theirs(), Method::Invite);
    for (request, count) in [(second, "nc=00000001"), (third, "nc=00000002")] {
        let answer = request.headers.get(&Name::Authorization).unwrap();
        assert!(answer.contains(count), "{answer}");
    }
}

#[test]
fn a_caller_that_asks_for_too_short_an_interval_is_told_the_shortest() {
    let mut world = World::with_caller(8);
    let mut request = ask(theirs(), Method::Invite, "call", 1, None, Some(OFFER));
    request.headers.push(Name::Supported, "timer");
    request.headers.push(Name::SessionExpires, "30");
    world.say(theirs(), request);
    assert_eq!(world.response(theirs(), 422).headers.get(&Name::MinSe), Some("90"));
    assert_eq!(world.count(0, |event| matches!(event, Event::Incoming { .. })), 0);
    world.assert_quiet();
}

#[test]
fn whoever_calls_refreshes_unless_it_cannot_or_wants_otherwise() {
    let supported = (Name::Supported, "timer");
    for (fields, says, required) in [
        (vec![supported.clone(), (Name::SessionExpires, "200")], "200;refresher=uac", true),
        (
            vec![supported.clone(), (Name::SessionExpires, "200;refresher=uas")],
            "200;refresher=uas",
            true,
        ),
        // A proxy asked for a caller that knows nothing of it.
        (vec![(Name::SessionExpires, "200")], "200;refresher=uas", false),
        (vec![(Name::SessionExpires, "20")], "90;refresher=uas", false),
    ] {
        let (mut world, invite, answer) = called(9, &fields);
        assert_eq!(answer.headers.get(&Name::SessionExpires), Some(says));
        assert_eq!(answer.headers.get(&Name::Require), required.then_some("timer"));
        world.seconds(99);
        world.seconds(2);
        let refreshed = !world.waiting(theirs()).is_empty();
        assert_eq!(refreshed, says.ends_with("uas"));
        world.command(0, Command::Hangup { invite, cause: CauseKind::Normal });
        world.assert_quiet();
    }
    let (_, _, answer) = called(10, &[supported]);
    assert_eq!(answer.headers.get(&Name::SessionExpires), None, "nobody asked");
}

#[test]
fn a_new_invite_that_changes_nothing_gets_the_same_answer() {
    let (mut world, invite, answer) = called(11, &[]);
    let tag = answer.to().unwrap().tag().unwrap().to_owned();
    for number in 2..5 {
        world.say(theirs(), ask(theirs(), Method::Invite, "call", number, Some(&tag), Some(OFFER)));
        assert_eq!(world.response(theirs(), 200).body, ANSWER);
        world.say(theirs(), ask(theirs(), Method::Ack, "call", number, Some(&tag), None));
    }
    assert!(world.news(0).is_empty());
    assert!(world.causes(0, invite).is_empty());
}

#[test]
fn on_a_bad_wire_two_endpoints_keep_a_long_call_up() {
    for seed in 0..40 {
        let mut world = World::with_both(seed);
        world.command(0, invite(1, theirs()));
        world.seconds(1);
        let callee = world.incoming(1);
        world.command(1, Command::Answer { invite: callee, sdp: ANSWER.to_vec() });
        world.seconds(1);
        world.weather = Weather { loss: 20, duplicates: 10, jitter: 200 };
        world.run(Duration::from_secs(4 * 3600));
        assert!(world.causes(0, ONE).is_empty(), "seed {seed}");
        assert!(world.causes(1, callee).is_empty(), "seed {seed}");
        world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Normal });
        world.assert_quiet();
    }
}

#[test]
fn an_endpoint_whose_peer_is_gone_ends_the_call_by_itself() {
    for (phone, id) in [(0, ONE), (1, InviteId(InviteId::INCOMING))] {
        let mut world = World::with_both(12);
        world.command(0, invite(1, theirs()));
        world.seconds(1);
        let callee = world.incoming(1);
        world.command(1, Command::Answer { invite: callee, sdp: ANSWER.to_vec() });
        world.seconds(1);
        world.weather = Weather { loss: 100, duplicates: 0, jitter: 1 };
        world.seconds(1800);
        assert_eq!(world.cause(phone, id).kind, CauseKind::Timeout);
        world.assert_quiet();
    }
}
