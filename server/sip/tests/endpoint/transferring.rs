//! Transfers both ways: REFER, its reports, and calls that take the place of others
//! (RFC 3515, RFC 3891, RFC 5589).

use crate::wire::*;
use sip::message::{Method, Name, Request, Response, Uri};
use sip::{CauseKind, Command, Event, InviteId, Target};
use std::time::Duration;

pub const TWO: InviteId = InviteId(2);

/// A call with a scripted peer that was called under this number.
fn talk_as(world: &mut World, number: u64) -> Request {
    world.command(0, invite(number, theirs()));
    let request = world.request(theirs(), Method::Invite);
    world.reply(theirs(), &request, 200, "kept", Some(ANSWER));
    world.request(theirs(), Method::Ack);
    world.news(0);
    request
}

fn carol() -> Uri {
    Uri::parse("sip:carol@sip.example").unwrap()
}

fn notify(invite: &Request, number: u32, state: &str, line: &str) -> Request {
    let mut request = inside(invite, Method::Notify, number, None);
    request.headers.push(Name::Event, "refer");
    request.headers.push(Name::SubscriptionState, state);
    request.headers.push(Name::ContentType, "message/sipfrag;version=2.0");
    request.body = format!("{line}\r\n").into_bytes();
    request
}

/// What became of transfers that we asked for.
fn outcomes(world: &World) -> Vec<Result<(), Option<u16>>> {
    let events = world.phones[0].events.iter();
    events
        .filter_map(|event| match event {
            Event::Transferred { outcome, .. } => {
                Some(outcome.clone().map_err(|cause| cause.status))
            }
            _ => None,
        })
        .collect()
}

fn refer(world: &mut World, replaces: Option<InviteId>) -> Request {
    world.command(0, Command::Refer { invite: ONE, target: carol(), replaces });
    world.request(theirs(), Method::Refer)
}

#[test]
fn a_peer_that_is_asked_to_call_another_reports_until_it_has() {
    let (mut world, request) = talk(1);
    let refer = refer(&mut world, None);
    assert_eq!(refer.headers.get(&Name::ReferTo), Some("<sip:carol@sip.example>"));
    assert_eq!(refer.headers.get(&Name::ReferredBy), Some("<sip:alice@sip.example>"));
    world.reply(theirs(), &refer, 202, "", None);
    world.say(theirs(), notify(&request, 5, "active;expires=60", "SIP/2.0 100 Trying"));
    world.response(theirs(), 200);
    assert!(outcomes(&world).is_empty());
    world.say(theirs(), notify(&request, 6, "terminated;reason=noresource", "SIP/2.0 200 OK"));
    world.response(theirs(), 200);
    assert_eq!(outcomes(&world), [Ok(())]);
    // The call that asked is still there; reports that nobody waits for are told so.
    world.say(theirs(), notify(&request, 7, "active", "SIP/2.0 200 OK"));
    world.response(theirs(), 481);
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Normal });
    let bye = world.request(theirs(), Method::Bye);
    world.reply(theirs(), &bye, 200, "", None);
    world.assert_quiet();
    assert_eq!(outcomes(&world).len(), 1);
}

#[test]
fn a_transfer_that_fails_says_why_and_leaves_the_call() {
    for (answer, report, status) in [
        (603, None, Some(603)),
        (202, Some(("active", "SIP/2.0 486 Busy Here")), Some(486)),
        (202, Some(("terminated;reason=timeout", "SIP/2.0 180 Ringing")), None),
    ] {
        let (mut world, request) = talk(2);
        let refer = refer(&mut world, None);
        world.reply(theirs(), &refer, answer, "", None);
        if let Some((state, line)) = report {
            world.say(theirs(), notify(&request, 5, state, line));
            world.response(theirs(), 200);
        }
        assert_eq!(outcomes(&world), [Err(status)]);
        assert!(world.causes(0, ONE).is_empty());
    }
}

#[test]
fn a_peer_that_does_not_report_is_not_waited_for_without_end() {
    let (mut world, _) = talk(3);
    let refer = refer(&mut world, None);
    world.reply(theirs(), &refer, 202, "", None);
    world.command(0, Command::Refer { invite: ONE, target: carol(), replaces: None });
    assert_eq!(outcomes(&world), [Err(Some(491))], "one at a time");
    world.seconds(201);
    assert_eq!(outcomes(&world).len(), 2);
    // One that says that it will not report has at least understood.
    let (mut world, _) = talk(4);
    let request = self::refer(&mut world, None);
    let mut answer = reply(theirs(), &request, 202, "", None);
    answer.headers.push(Name::ReferSub, "false");
    world.say(theirs(), answer);
    assert_eq!(outcomes(&world), [Ok(())]);
}

#[test]
fn a_transfer_whose_call_ends_has_an_outcome_too() {
    let (mut world, request) = talk(5);
    let refer = refer(&mut world, None);
    world.reply(theirs(), &refer, 202, "", None);
    world.say(theirs(), inside(&request, Method::Bye, 9, None));
    world.response(theirs(), 200);
    assert_eq!(outcomes(&world).len(), 1);
    world.command(0, Command::Refer { invite: ONE, target: carol(), replaces: None });
    assert_eq!(outcomes(&world).len(), 2, "even for a call that is over");
    world.assert_quiet();
}

/// Refer-To for whom `target` names, in the place of our end of a call.
fn place_of(target: &str, call: &Request) -> String {
    let (id, from) = (call.call_id(), call.from().unwrap());
    format!("<{target}?Replaces={id}%3Bto-tag%3Dkept%3Bfrom-tag%3D{}>", from.tag().unwrap())
}

#[test]
fn an_attended_transfer_names_the_call_that_is_replaced() {
    let mut world = World::with_caller(6);
    talk_as(&mut world, 1);
    let second = talk_as(&mut world, 2);
    let refer = refer(&mut world, Some(TWO));
    let expected = place_of("sip:carol@sip.example", &second);
    assert_eq!(refer.headers.get(&Name::ReferTo), Some(&expected[..]));
    world.reply(theirs(), &refer, 202, "", None);
    // A call that is not there replaces nothing.
    world.command(0, Command::Refer { invite: TWO, target: carol(), replaces: Some(InviteId(77)) });
    assert_eq!(outcomes(&world), [Err(None)]);
}

#[test]
fn the_peer_of_one_call_is_sent_to_where_the_peer_of_another_is_reached() {
    let mut world = World::with_caller(16);
    talk_as(&mut world, 1);
    let second = talk_as(&mut world, 2);
    world.command(0, Command::ReferToCall { invite: ONE, other: TWO });
    let refer = world.request(theirs(), Method::Refer);
    let expected = place_of(&format!("sip:bob@{}", theirs()), &second);
    assert_eq!(refer.headers.get(&Name::ReferTo), Some(&expected[..]));
    world.reply(theirs(), &refer, 202, "", None);
    // Neither a call that is not there nor one that rings has a place to take.
    world.command(0, invite(3, theirs()));
    world.request(theirs(), Method::Invite);
    for other in [InviteId(3), InviteId(77)] {
        world.command(0, Command::ReferToCall { invite: TWO, other });
    }
    assert_eq!(outcomes(&world), [Err(None), Err(None)]);
}

/// The peer asks us to call carol; what it wrote besides.
pub fn asked(seed: u64, to: &str, fields: &[(Name, &str)]) -> (World, Request) {
    let (mut world, request) = talk(seed);
    let mut refer = inside(&request, Method::Refer, 20, None);
    refer.headers.push(Name::ReferTo, to);
    for (name, value) in fields {
        refer.headers.push(name.clone(), *value);
    }
    world.say(theirs(), refer);
    (world, request)
}

fn follow(world: &mut World) {
    world.command(
        0,
        Command::FollowReferral {
            invite: ONE,
            new: TWO,
            account: ACCOUNT,
            targets: vec![Target::udp(theirs())],
            offer: b"v=0 for carol".to_vec(),
            second_offer: Some(b"v=0 without keys".to_vec()),
        },
    );
}

/// The next report of ours, answered.
fn told(world: &mut World) -> (String, String) {
    let notify = world.request(theirs(), Method::Notify);
    assert_eq!(notify.headers.get(&Name::Event), Some("refer;id=20"));
    world.reply(theirs(), &notify, 200, "", None);
    let state = notify.headers.get(&Name::SubscriptionState).unwrap().to_owned();
    (state, String::from_utf8(notify.body).unwrap())
}

/// Follows, and gives the INVITE behind the 202 and the first report.
pub fn followed(world: &mut World) -> Request {
    follow(world);
    world.response(theirs(), 202);
    assert_eq!(told(world).1, "SIP/2.0 100 Trying\r\n");
    world.request(theirs(), Method::Invite)
}

#[test]
fn we_call_whom_the_peer_wants_and_report() {
    let to = "<sip:carol@sip.example?Replaces=abc%40x%3Bto-tag%3D1%3Bfrom-tag%3D2&X-Evil=1>";
    let by = [(Name::ReferredBy, "<sip:bob@sip.example>")];
    let (mut world, first) = asked(7, to, &by);
    match world.news(0).as_slice() {
        [Event::Referred { invite: ONE, target, attended: true, referred_by: Some(by) }] => {
            assert_eq!(target.to_string(), "sip:carol@sip.example");
            assert_eq!(by.uri.to_string(), "sip:bob@sip.example");
        }
        other => panic!("{other:?}"),
    }
    let second = followed(&mut world);
    assert_eq!(second.uri.to_string(), "sip:carol@sip.example");
    assert_eq!(second.headers.get(&Name::Replaces), Some("abc@x;to-tag=1;from-tag=2"));
    assert_eq!(second.headers.get(&Name::ReferredBy), Some("<sip:bob@sip.example>"));
    assert_eq!(second.headers.get(&Name::from("X-Evil")), None);
    assert_ne!(second.call_id(), first.call_id());
    world.reply(theirs(), &second, 180, "carol", None);
    let (state, line) = told(&mut world);
    assert!(state.starts_with("active") && line.starts_with("SIP/2.0 180 "));
    world.reply(theirs(), &second, 200, "carol", Some(ANSWER));
    world.request(theirs(), Method::Ack);
    let (state, line) = told(&mut world);
    assert!(state.starts_with("terminated") && line.starts_with("SIP/2.0 200 "));
    world.say(theirs(), inside(&first, Method::Bye, 30, None));
    world.response(theirs(), 200);
    world.command(0, Command::Hangup { invite: TWO, cause: CauseKind::Normal });
    world.assert_quiet();
}

#[test]
fn a_call_that_was_asked_for_and_fails_is_reported_with_its_status() {
    let (mut world, _) = asked(8, "<sip:carol@sip.example>", &[]);
    let second = followed(&mut world);
    world.reply(theirs(), &second, 486, "carol", None);
    world.request(theirs(), Method::Ack);
    let (state, line) = told(&mut world);
    assert!(state.starts_with("terminated") && line.starts_with("SIP/2.0 486 "));
    assert!(world.causes(0, ONE).is_empty(), "the first call goes on");
    assert_eq!(world.cause(0, TWO).status, Some(486));
}

#[test]
fn a_call_that_was_asked_for_is_offered_otherwise_where_its_first_offer_is_refused() {
    for refusal in [415, 488, 606] {
        let (mut world, _) = asked(17, "<sip:carol@sip.example>", &[]);
        let first = followed(&mut world);
        assert_eq!(first.body, b"v=0 for carol");
        world.reply(theirs(), &first, refusal, "carol", None);
        world.request(theirs(), Method::Ack);
        let second = world.request(theirs(), Method::Invite);
        assert_eq!(
            (&second.body[..], second.call_id()),
            (&b"v=0 without keys"[..], first.call_id())
        );
        assert!(world.phones[0].endpoint.offered_second(TWO));
        world.reply(theirs(), &second, refusal, "carol", None);
        world.request(theirs(), Method::Ack);
        let (state, line) = told(&mut world);
        assert!(state.starts_with("terminated") && line.contains(&refusal.to_string()), "{line}");
        assert_eq!(world.cause(0, TWO).status, Some(refusal));
        world.seconds(2);
        assert!(world.waiting(theirs()).is_empty(), "there is no third");
    }
}

#[test]
fn a_call_that_was_asked_for_and_finds_nobody_is_reported_at_once() {
    let (mut world, _) = asked(8, "<sip:carol@sip.example>", &[]);
    followed(&mut world);
    world.unreachable(0, theirs().ip());
    let before = world.now;
    let (state, line) = told(&mut world);
    assert!(state.starts_with("terminated") && line.starts_with("SIP/2.0 480 "), "{state} {line}");
    assert!(world.now < before + Duration::from_millis(400), "{:?} later", world.now - before);
}

#[test]
fn a_peer_that_wants_no_reports_gets_none() {
    let (mut world, _) = asked(9, "<sip:carol@sip.example>", &[(Name::ReferSub, "false")]);
    follow(&mut world);
    assert_eq!(world.response(theirs(), 202).headers.get(&Name::ReferSub), Some("false"));
    let second = world.request(theirs(), Method::Invite);
    world.reply(theirs(), &second, 200, "carol", Some(ANSWER));
    world.request(theirs(), Method::Ack);
    world.seconds(2);
    assert!(world.waiting(theirs()).is_empty());
}

#[test]
fn a_wish_that_nobody_decides_on_or_that_makes_no_sense_is_refused() {
    for (to, status) in [
        ("<sip:carol@sip.example>", 603),
        ("<mailto:carol@example.com>", 416),
        ("<sip:carol@sip.example;method=BYE>", 501),
        ("<sip:carol@sip.example?Replaces=junk>", 400),
        ("<sip:>", 400),
    ] {
        let (mut world, _) = asked(10, to, &[]);
        world.response(theirs(), status);
        follow(&mut world);
        assert_eq!(world.cause(0, TWO).kind, CauseKind::Protocol, "{to}");
        assert!(world.causes(0, ONE).is_empty());
    }
    let (mut world, _) = asked(11, "<sip:carol@sip.example>", &[]);
    world.command(0, Command::RefuseReferral { invite: ONE, status: 403 });
    world.response(theirs(), 403);
    // Outside of a call nobody makes us call.
    let mut refer = ask(theirs(), Method::Refer, "stray", 1, None, None);
    refer.headers.push(Name::ReferTo, "<sip:carol@sip.example>");
    world.say(theirs(), refer);
    world.response(theirs(), 403);
    for (call, to, status) in [
        ("none", None, 400),
        ("mail", Some("<mailto:carol@example.com>"), 416),
        ("bye", Some("<sip:carol@sip.example;method=BYE>"), 501),
    ] {
        let mut refer = ask(theirs(), Method::Refer, call, 1, None, None);
        to.into_iter().for_each(|to| refer.headers.push(Name::ReferTo, to));
        world.say(theirs(), refer);
        world.response(theirs(), status);
    }
}

#[test]
fn a_call_that_ends_while_its_wish_is_open_leaves_nothing() {
    let (mut world, first) = asked(12, "<sip:carol@sip.example>", &[]);
    world.say(theirs(), inside(&first, Method::Bye, 30, None));
    world.assert_quiet();
    let (mut world, first) = asked(13, "<sip:carol@sip.example>", &[]);
    follow(&mut world);
    world.say(theirs(), inside(&first, Method::Bye, 30, None));
    world.command(0, Command::Hangup { invite: TWO, cause: CauseKind::Normal });
    world.assert_quiet();
}

#[test]
fn a_late_word_on_the_last_report_leaves_the_next_wish_alone() {
    for status in [200, 481] {
        let (mut world, first) = asked(15, "<sip:carol@sip.example>", &[]);
        let second = followed(&mut world);
        world.reply(theirs(), &second, 486, "carol", None);
        world.request(theirs(), Method::Ack);
        let last = world.request(theirs(), Method::Notify);
        let mut refer = inside(&first, Method::Refer, 21, None);
        refer.headers.push(Name::ReferTo, "<sip:dave@sip.example>");
        world.say(theirs(), refer);
        world.reply(theirs(), &last, status, "", None);
        world.response(theirs(), 603);
        world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Normal });
        world.assert_quiet();
    }
}

/// A call that comes in with this Replaces.
fn replacing(world: &mut World, value: &str) {
    let mut request = ask(theirs(), Method::Invite, "new", 1, None, Some(OFFER));
    request.headers.push(Name::Require, "replaces");
    request.headers.push(Name::Replaces, value);
    world.say(theirs(), request);
}

#[test]
fn a_call_that_comes_in_names_the_one_that_it_replaces() {
    let (mut world, first) = talk(14);
    let tag = first.from().unwrap().tag().unwrap().to_owned();
    let call_id = first.call_id().to_owned();
    for (stranger, value, status) in [
        ("a", format!("{call_id};to-tag={tag};from-tag=other"), 481),
        ("b", format!("{call_id};to-tag=other;from-tag=kept"), 481),
        ("c", format!("{call_id};to-tag={tag};from-tag=kept;early-only"), 486),
        ("d", "junk".to_owned(), 400),
    ] {
        let mut request = ask(theirs(), Method::Invite, stranger, 1, None, None);
        request.headers.push(Name::Replaces, value);
        world.say(theirs(), request);
        let refused: Response = world.response(theirs(), status);
        let mut ack = ask(theirs(), Method::Ack, refused.call_id(), 1, None, None);
        ack.headers.set(Name::Via, refused.headers.get(&Name::Via).unwrap());
        world.say(theirs(), ack);
    }
    replacing(&mut world, &format!("{call_id};to-tag={tag};from-tag=kept"));
    let new = world.incoming(0);
    assert!(matches!(world.news(0).last(), Some(Event::Incoming { replaces: Some(ONE), .. })));
    world.command(0, Command::Answer { invite: new, sdp: ANSWER.to_vec() });
    world.response(theirs(), 200);
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Normal });
    world.request(theirs(), Method::Bye);
    // A call that is over is not replaced.
    let mut request = ask(theirs(), Method::Invite, "late", 1, None, Some(OFFER));
    request.headers.push(Name::Replaces, format!("{call_id};to-tag={tag};from-tag=kept"));
    world.say(theirs(), request);
    world.response(theirs(), 603);
}

#[test]
fn a_phone_that_rings_hands_our_call_to_another_and_one_that_calls_us_does_not() {
    let (mut world, first) = call(16);
    let dialog = |call: &str, to: &str, from: &str| format!("{call};to-tag={to};from-tag={from}");
    let tag = first.from().unwrap().tag().unwrap().to_owned();
    // No phone was heard yet.
    let value = dialog(first.call_id(), &tag, "kept");
    replacing(&mut world, &value);
    world.response(theirs(), 481);
    world.reply(theirs(), &first, 180, "kept", None);
    let mut request = ask(theirs(), Method::Invite, "again", 1, None, Some(OFFER));
    request.headers.push(Name::Replaces, format!("{value};early-only"));
    world.say(theirs(), request);
    let new = world.incoming(0);
    assert!(matches!(world.news(0).last(), Some(Event::Incoming { replaces: Some(ONE), .. })));
    world.command(0, Command::Answer { invite: new, sdp: ANSWER.to_vec() });
    let answer = world.response(theirs(), 200);
    let ours = answer.to().unwrap().tag().unwrap().to_owned();
    world.say(theirs(), ask(theirs(), Method::Ack, "again", 1, Some(&ours), None));
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Normal });
    let cancel = world.request(theirs(), Method::Cancel);
    world.reply(theirs(), &cancel, 200, "", None);
    world.reply(theirs(), &first, 487, "kept", None);
    world.request(theirs(), Method::Ack);
    // One that rings here is its caller's to move.
    world.say(theirs(), ask(theirs(), Method::Invite, "theirs", 1, None, Some(OFFER)));
    let third = world.phones[0].endpoint.live().last().unwrap();
    world.command(0, Command::Ring { invite: third, sdp: None });
    let ringing = world.response(theirs(), 180);
    let mut request = ask(theirs(), Method::Invite, "late", 1, None, Some(OFFER));
    let value = dialog("theirs", ringing.to().unwrap().tag().unwrap(), "bob");
    request.headers.push(Name::Replaces, value);
    world.say(theirs(), request);
    world.response(theirs(), 481);
    assert_eq!(world.causes(0, third), []);
}

#[test]
fn on_a_bad_wire_a_transfer_is_followed_and_reported() {
    let mut reached = 0;
    for seed in 0..200 {
        let mut world = World::with_both(seed);
        world.command(1, Command::SetAccount { account: ACCOUNT, settings: account(ours()) });
        world.command(0, invite(1, theirs()));
        world.seconds(1);
        let callee = world.incoming(1);
        world.command(1, Command::Answer { invite: callee, sdp: ANSWER.to_vec() });
        world.seconds(1);
        world.weather = Weather { loss: 15, duplicates: 10, jitter: 200 };
        let target = Uri::parse("sip:alice@192.0.2.1:5060").unwrap();
        world.command(0, Command::Refer { invite: ONE, target, replaces: None });
        let end = world.now + Duration::from_secs(250);
        world.news(0);
        while world.step(end) {
            for event in world.news(1) {
                if let Event::Referred { invite, .. } = event {
                    let follow = Command::FollowReferral {
                        invite,
                        new: TWO,
                        account: ACCOUNT,
                        targets: vec![Target::udp(ours())],
                        offer: OFFER.to_vec(),
                        second_offer: None,
                    };
                    world.command(1, follow);
                }
            }
            for event in world.news(0) {
                if let Event::Incoming { invite, .. } = event {
                    world.command(0, Command::Answer { invite, sdp: ANSWER.to_vec() });
                }
            }
        }
        let outcomes = outcomes(&world);
        assert_eq!(outcomes.len(), 1, "seed {seed}");
        reached += usize::from(outcomes[0].is_ok());
        for phone in [0, 1] {
            let live: Vec<InviteId> = world.phones[phone].endpoint.live().collect();
            for invite in live {
                world.command(phone, Command::Hangup { invite, cause: CauseKind::Normal });
            }
        }
        world.assert_quiet();
    }
    assert!(reached > 190, "{reached} of 200");
}
