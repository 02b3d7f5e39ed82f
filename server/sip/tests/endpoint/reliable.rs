//! Provisional responses that are acknowledged, and new offers before a call is taken
//! (RFC 3262, RFC 3311).

use crate::wire::*;
use sip::message::{Message, Method, Name, Request, Response};
use sip::{CauseKind, Command, Event, InviteId};
use std::time::Duration;

/// A response that wants a PRACK.
fn reliable(request: &Request, status: u16, tag: &str, rseq: u32, sdp: Option<&[u8]>) -> Response {
    let mut response = reply(theirs(), request, status, tag, sdp);
    response.headers.push(Name::Require, "100rel");
    response.headers.push(Name::RSeq, rseq.to_string());
    response.headers.push(Name::Allow, "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE");
    response
}

/// One endpoint that a scripted peer calls, with `100rel` in a header field.
fn called(seed: u64, name: Name, offer: Option<&[u8]>) -> (World, InviteId) {
    let mut world = World::with_caller(seed);
    let mut request = ask(theirs(), Method::Invite, "call", 1, None, offer);
    request.headers.push(name, "100rel");
    request.headers.push(Name::Allow, "INVITE, ACK, CANCEL, BYE, PRACK, UPDATE");
    world.say(theirs(), request);
    let invite = world.incoming(0);
    (world, invite)
}

fn tag(response: &Response) -> String {
    response.to().unwrap().tag().unwrap().to_owned()
}

fn prack(response: &Response, number: u32, sdp: Option<&[u8]>) -> Request {
    let mut request = ask(theirs(), Method::Prack, "call", number, Some(&tag(response)), sdp);
    let rseq = response.headers.get(&Name::RSeq).unwrap();
    request.headers.push(Name::RAck, format!("{rseq} 1 INVITE"));
    request
}

#[test]
fn each_reliable_response_is_acknowledged_once_and_in_order() {
    let (mut world, request) = call(1);
    assert!(request.headers.tokens(&Name::Supported).any(|option| option == "100rel"));
    let first = reliable(&request, 183, "kept", 77, Some(ANSWER));
    world.say(theirs(), first.clone());
    let prack = world.request(theirs(), Method::Prack);
    assert_eq!(prack.headers.rack().unwrap().rseq, 77);
    assert_eq!(prack.headers.rack().unwrap().cseq, request.cseq().unwrap());
    assert_eq!(prack.to().unwrap().tag(), Some("kept"));
    world.reply(theirs(), &prack, 200, "", None);
    // The repeat is not acknowledged again, nor is one that came too early.
    world.say(theirs(), first);
    world.say(theirs(), reliable(&request, 180, "kept", 79, None));
    assert!(world.waiting(theirs()).is_empty());
    world.say(theirs(), reliable(&request, 180, "kept", 78, None));
    let second = world.request(theirs(), Method::Prack);
    assert!(second.cseq().unwrap().number > prack.cseq().unwrap().number);
    world.reply(theirs(), &second, 200, "", None);
    let statuses: Vec<u16> = world
        .news(0)
        .iter()
        .filter_map(|event| match event {
            Event::Provisional { status, .. } => Some(*status),
            _ => None,
        })
        .collect();
    assert_eq!(statuses, [183, 180]);
}

#[test]
fn an_early_answer_stands_whatever_the_final_response_says() {
    for late in [None, Some(OFFER)] {
        let (mut world, request) = call(2);
        world.say(theirs(), reliable(&request, 183, "kept", 1, Some(ANSWER)));
        let prack = world.request(theirs(), Method::Prack);
        world.reply(theirs(), &prack, 200, "", None);
        world.reply(theirs(), &request, 200, "kept", late);
        world.request(theirs(), Method::Ack);
        match world.news(0).last() {
            Some(Event::Answered { sdp: Some(sdp), .. }) => assert_eq!(sdp, ANSWER),
            other => panic!("{other:?}"),
        }
        // The numbers of the dialog go on where the PRACK left them.
        world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Normal });
        let bye = world.request(theirs(), Method::Bye);
        assert!(bye.cseq().unwrap().number > prack.cseq().unwrap().number);
        world.reply(theirs(), &bye, 200, "", None);
        world.assert_quiet();
    }
}

#[test]
fn every_fork_has_its_own_order_of_reliable_responses() {
    let (mut world, request) = call(3);
    for (fork, rseq) in [("a", 5), ("b", 9), ("a", 6), ("b", 10)] {
        world.say(theirs(), reliable(&request, 180, fork, rseq, None));
        let prack = world.request(theirs(), Method::Prack);
        assert_eq!(prack.to().unwrap().tag(), Some(fork));
        assert_eq!(prack.headers.rack().unwrap().rseq, rseq);
        world.reply(theirs(), &prack, 200, "", None);
    }
    // The phone that is hung up on gets a number above those of its PRACKs.
    world.reply(theirs(), &request, 200, "a", Some(ANSWER));
    world.request(theirs(), Method::Ack);
    world.reply(theirs(), &request, 200, "b", Some(ANSWER));
    world.request(theirs(), Method::Ack);
    let bye = world.request(theirs(), Method::Bye);
    assert_eq!(bye.cseq().unwrap().number, request.cseq().unwrap().number + 3);
}

#[test]
fn a_phone_that_will_not_take_the_call_is_told_apart_from_those_that_may() {
    let (mut world, request) = call(13);
    assert!(request.headers.tokens(&Name::Supported).any(|option| option == "199"));
    world.reply(theirs(), &request, 180, "a", None);
    world.reply(theirs(), &request, 183, "b", Some(ANSWER));
    world.reply(theirs(), &request, 199, "b", None);
    world.reply(theirs(), &request, 199, "b", None);
    world.reply(theirs(), &request, 199, "c", None);
    let ended: Vec<u32> = world
        .news(0)
        .iter()
        .filter_map(|event| match event {
            Event::ForkEnded { fork, .. } => Some(*fork),
            _ => None,
        })
        .collect();
    assert_eq!(ended, [2, 3]);
    world.reply(theirs(), &request, 200, "a", Some(ANSWER));
    world.request(theirs(), Method::Ack);
    assert!(matches!(world.news(0).last(), Some(Event::Answered { fork: 1, .. })));
}

#[test]
fn a_phone_changes_its_media_before_it_takes_the_call() {
    let (mut world, request) = call(4);
    // Before our offer is answered there is nothing to change.
    world.reply(theirs(), &request, 180, "kept", None);
    world.say(theirs(), inside(&request, Method::Update, 2, Some(b"v=0 early")));
    world.response(theirs(), 491);
    world.say(theirs(), reliable(&request, 183, "kept", 1, Some(ANSWER)));
    let prack = world.request(theirs(), Method::Prack);
    world.reply(theirs(), &prack, 200, "", None);
    world.news(0);
    world.say(theirs(), inside(&request, Method::Update, 3, Some(b"v=0 moved")));
    match world.news(0).as_slice() {
        [Event::Reoffered { sdp: Some(sdp), .. }] => assert_eq!(sdp, b"v=0 moved"),
        other => panic!("{other:?}"),
    }
    world.command(0, Command::AnswerOffer { invite: ONE, sdp: Ok(b"v=0 fine".to_vec()) });
    assert_eq!(world.response(theirs(), 200).body, b"v=0 fine");
    world.reply(theirs(), &request, 200, "kept", None);
    world.request(theirs(), Method::Ack);
    assert!(matches!(world.news(0).last(), Some(Event::Answered { sdp: None, .. })));
}

#[test]
fn we_change_our_media_before_the_call_is_taken_and_wait_after_a_collision() {
    let (mut world, request) = call(5);
    world.command(0, Command::Reoffer { invite: ONE, offer: b"v=0 soon".to_vec() });
    assert!(
        matches!(world.news(0).as_slice(), [Event::Reanswered { sdp: Err(_), .. }]),
        "nothing is agreed yet"
    );
    world.say(theirs(), reliable(&request, 183, "kept", 1, Some(ANSWER)));
    let prack = world.request(theirs(), Method::Prack);
    world.reply(theirs(), &prack, 200, "", None);
    world.command(0, Command::Reoffer { invite: ONE, offer: b"v=0 new".to_vec() });
    let update = world.request(theirs(), Method::Update);
    assert_eq!(update.body, b"v=0 new");
    let before = world.now;
    world.reply(theirs(), &update, 491, "", None);
    let again = world.request(theirs(), Method::Update);
    // The Call-ID is ours, so we wait longer (RFC 3261 14.1).
    assert!(world.now - before >= Duration::from_millis(2100));
    world.news(0);
    world.reply(theirs(), &again, 200, "", Some(b"v=0 taken"));
    match world.news(0).as_slice() {
        [Event::Reanswered { sdp: Ok(sdp), .. }] => assert_eq!(sdp, b"v=0 taken"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_offer_of_a_phone_that_did_not_take_the_call_is_dropped() {
    let (mut world, request) = call(6);
    world.say(theirs(), reliable(&request, 183, "kept", 1, Some(ANSWER)));
    let prack = world.request(theirs(), Method::Prack);
    world.reply(theirs(), &prack, 200, "", None);
    world.say(theirs(), inside(&request, Method::Update, 3, Some(OFFER)));
    world.reply(theirs(), &request, 200, "other", Some(ANSWER));
    let heard = world.waiting(theirs());
    assert!(heard.iter().any(|m| matches!(m, Message::Response(r) if r.status == 487)));
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Normal });
    world.assert_quiet();
}

#[test]
fn an_offer_to_a_phone_that_did_not_take_the_call_goes_to_the_one_that_did() {
    let (mut world, request) = call(14);
    world.say(theirs(), reliable(&request, 183, "kept", 1, Some(ANSWER)));
    let prack = world.request(theirs(), Method::Prack);
    world.reply(theirs(), &prack, 200, "", None);
    world.command(0, Command::Reoffer { invite: ONE, offer: b"v=0 new".to_vec() });
    let update = world.request(theirs(), Method::Update);
    world.reply(theirs(), &request, 200, "other", Some(ANSWER));
    world.request(theirs(), Method::Ack);
    // The phone whose early dialog is over knows nothing of it, and that is no news of the call.
    world.reply(theirs(), &update, 481, "", None);
    let again = world.request(theirs(), Method::Invite);
    assert_eq!(
        (again.body.as_slice(), again.to().unwrap().tag()),
        (&b"v=0 new"[..], Some("other"))
    );
    world.reply(theirs(), &again, 200, "", Some(b"v=0 taken"));
    world.request(theirs(), Method::Ack);
    match world.news(0).last() {
        Some(Event::Reanswered { sdp: Ok(sdp), .. }) => assert_eq!(sdp, b"v=0 taken"),
        other => panic!("{other:?}"),
    }
    assert!(world.causes(0, ONE).is_empty());
}

#[test]
fn an_offer_that_a_cancelled_call_leaves_open_is_refused() {
    let (mut world, request) = call(7);
    world.say(theirs(), reliable(&request, 183, "kept", 1, Some(ANSWER)));
    let prack = world.request(theirs(), Method::Prack);
    world.reply(theirs(), &prack, 200, "", None);
    world.say(theirs(), inside(&request, Method::Update, 3, Some(OFFER)));
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Cancelled });
    let cancel = world.request(theirs(), Method::Cancel);
    world.reply(theirs(), &cancel, 200, "", None);
    world.reply(theirs(), &request, 487, "kept", None);
    world.assert_quiet();
}

#[test]
fn a_caller_that_knows_acknowledgements_gets_our_answer_reliably() {
    let (mut world, invite) = called(8, Name::Supported, Some(OFFER));
    world.command(0, Command::Ring { invite, sdp: Some(ANSWER.to_vec()) });
    let progress = world.response(theirs(), 183);
    assert_eq!(progress.headers.get(&Name::Require), Some("100rel"));
    // It is repeated until the PRACK comes, and the 2xx waits for that.
    assert_eq!(world.response(theirs(), 183), progress);
    world.command(0, Command::Answer { invite, sdp: ANSWER.to_vec() });
    assert_eq!(world.response(theirs(), 183), progress);
    world.say(theirs(), prack(&progress, 2, None));
    world.response(theirs(), 200);
    let answer = world.response(theirs(), 200);
    assert_eq!(answer.cseq().unwrap().method, Method::Invite);
    assert!(answer.body.is_empty(), "the caller has it");
    world.say(theirs(), ask(theirs(), Method::Ack, "call", 1, Some(&tag(&answer)), None));
    assert!(matches!(world.news(0).last(), Some(Event::Confirmed { .. })));
    world.command(0, Command::Hangup { invite, cause: CauseKind::Normal });
    world.assert_quiet();
}

#[test]
fn a_caller_that_demands_acknowledgements_gets_one_response_at_a_time() {
    let (mut world, invite) = called(9, Name::Require, Some(OFFER));
    world.command(0, Command::Ring { invite, sdp: None });
    world.command(0, Command::Ring { invite, sdp: Some(ANSWER.to_vec()) });
    let ringing = world.response(theirs(), 180);
    assert!(world.waiting(theirs()).is_empty(), "the second waits");
    world.say(theirs(), prack(&ringing, 2, None));
    world.response(theirs(), 200);
    let progress = world.response(theirs(), 183);
    let number = |r: &Response| r.headers.number(&Name::RSeq).unwrap();
    assert_eq!(number(&progress), number(&ringing) + 1);
    // A PRACK for the former is one for nothing.
    world.say(theirs(), prack(&ringing, 3, None));
    world.response(theirs(), 481);
    world.say(theirs(), prack(&progress, 4, None));
    world.response(theirs(), 200);
    world.command(0, Command::Reject { invite, status: 486 });
    world.response(theirs(), 486);
}

#[test]
fn a_reliable_response_that_nobody_acknowledges_ends_the_call() {
    let (mut world, invite) = called(10, Name::Require, Some(OFFER));
    world.command(0, Command::Ring { invite, sdp: None });
    world.seconds(31);
    // T1 doubling: 0, 0.5, 1.5, 3.5, 7.5 and 15.5 s; 31.5 s is still to come.
    let ringing = |m: &&Message| matches!(m, Message::Response(r) if r.status == 180);
    assert_eq!(world.waiting(theirs()).iter().filter(ringing).count(), 6);
    world.seconds(2);
    assert_eq!(world.cause(0, invite).kind, CauseKind::Timeout);
    let heard = world.waiting(theirs());
    assert!(heard.iter().any(|m| matches!(m, Message::Response(r) if r.status == 504)));
    world.assert_quiet();
}

#[test]
fn a_caller_without_offer_that_demands_acknowledgements_gets_ours_with_the_first_response() {
    let (mut world, invite) = called(11, Name::Require, None);
    world.command(0, Command::Ring { invite, sdp: Some(OFFER.to_vec()) });
    let ringing = world.response(theirs(), 180);
    assert_eq!((&ringing.body[..], ringing.headers.get(&Name::Require)), (OFFER, Some("100rel")));
    // The 2xx waits for the PRACK, which brings the answer.
    world.command(0, Command::Answer { invite, sdp: OFFER.to_vec() });
    assert!(world.waiting(theirs()).is_empty());
    world.say(theirs(), prack(&ringing, 2, Some(ANSWER)));
    assert_eq!(world.response(theirs(), 200).cseq().unwrap().method, Method::Prack);
    let answered =
        world.count(0, |event| matches!(event, Event::EarlyAnswered { sdp, .. } if sdp == ANSWER));
    assert_eq!(answered, 1);
    let answer = world.response(theirs(), 200);
    assert_eq!(answer.cseq().unwrap().method, Method::Invite);
    assert!(answer.body.is_empty(), "both have said what they want");
    world.say(theirs(), ask(theirs(), Method::Ack, "call", 1, Some(&tag(&answer)), None));
    assert!(matches!(world.news(0).last(), Some(Event::Confirmed { answer: None, .. })));
    // What was agreed on is what a repeated offer is measured by.
    let again = ask(theirs(), Method::Invite, "call", 3, Some(&tag(&answer)), Some(ANSWER));
    world.say(theirs(), again);
    assert_eq!(world.response(theirs(), 200).body, OFFER);
    world.command(0, Command::Hangup { invite, cause: CauseKind::Normal });
}

#[test]
fn a_caller_that_acknowledges_our_offer_without_an_answer_is_refused() {
    for body in [None, Some("text/plain")] {
        let (mut world, invite) = called(13, Name::Require, None);
        world.command(0, Command::Ring { invite, sdp: Some(OFFER.to_vec()) });
        let ringing = world.response(theirs(), 180);
        let mut request = prack(&ringing, 2, body.map(|_| ANSWER));
        if let Some(kind) = body {
            request.headers.set(Name::ContentType, kind);
        }
        world.say(theirs(), request);
        world.response(theirs(), if body.is_some() { 415 } else { 400 });
        assert_eq!(world.response(theirs(), 488).cseq().unwrap().method, Method::Invite);
        assert_eq!(world.cause(0, invite).kind, CauseKind::NotAcceptable);
        world.assert_quiet();
    }
}

#[test]
fn a_caller_without_offer_hears_nothing_reliably_while_there_is_no_offer_of_ours() {
    let (mut world, invite) = called(14, Name::Require, None);
    world.command(0, Command::Ring { invite, sdp: None });
    world.command(0, Command::Answer { invite, sdp: OFFER.to_vec() });
    assert_eq!(world.response(theirs(), 200).body, OFFER);
    // One that knows acknowledgements without demanding them is told as ever.
    let (mut world, invite) = called(15, Name::Supported, None);
    world.command(0, Command::Ring { invite, sdp: Some(OFFER.to_vec()) });
    let ringing = world.response(theirs(), 180);
    assert!(ringing.body.is_empty() && ringing.headers.get(&Name::Require).is_none());
    world.command(0, Command::Answer { invite, sdp: OFFER.to_vec() });
    assert_eq!(world.response(theirs(), 200).body, OFFER);
}

#[test]
fn an_answered_early_offer_lets_the_caller_and_us_change_it() {
    let (mut world, invite) = called(12, Name::Supported, Some(OFFER));
    let update = |number, tag: &str| {
        ask(theirs(), Method::Update, "call", number, Some(tag), Some(b"v=0 other"))
    };
    world.command(0, Command::Ring { invite, sdp: Some(ANSWER.to_vec()) });
    let progress = world.response(theirs(), 183);
    let tag = tag(&progress);
    world.say(theirs(), update(2, &tag));
    assert!(world.response(theirs(), 500).headers.get(&Name::RetryAfter).is_some());
    // The PRACK brings the next offer itself.
    world.say(theirs(), prack(&progress, 3, Some(b"v=0 next")));
    world.command(0, Command::AnswerOffer { invite, sdp: Ok(b"v=0 so".to_vec()) });
    let answer = world.response(theirs(), 200);
    assert_eq!((answer.cseq().unwrap().method, &answer.body[..]), (Method::Prack, &b"v=0 so"[..]));
    world.say(theirs(), update(4, &tag));
    world.command(0, Command::AnswerOffer { invite, sdp: Err(488) });
    world.response(theirs(), 488);
    world.command(0, Command::Reoffer { invite, offer: b"v=0 ours".to_vec() });
    let ours = world.request(theirs(), Method::Update);
    world.say(theirs(), update(5, &tag));
    world.response(theirs(), 491);
    world.reply(theirs(), &ours, 200, "", Some(b"v=0 ok"));
    let done = |event: &Event| matches!(event, Event::Reanswered { sdp: Ok(_), .. });
    assert_eq!(world.count(0, done), 1);
}

#[test]
fn on_a_bad_wire_early_media_are_agreed_on_and_the_call_is_answered() {
    let mut answered = 0;
    for seed in 0..300 {
        let mut world = World::with_both(seed);
        world.weather = Weather { loss: 20, duplicates: 10, jitter: 200 };
        world.command(0, invite(1, theirs()));
        world.seconds(33);
        let came = world.count(1, |event| matches!(event, Event::Incoming { .. })) == 1;
        if came && world.causes(0, ONE).is_empty() {
            let callee = world.incoming(1);
            world.command(1, Command::Ring { invite: callee, sdp: Some(ANSWER.to_vec()) });
            world.command(1, Command::Answer { invite: callee, sdp: ANSWER.to_vec() });
            world.seconds(40);
            let heard = world.count(
                0,
                |event| matches!(event, Event::Answered { sdp: Some(sdp), .. } if sdp == ANSWER),
            );
            let sure = world.count(1, |event| matches!(event, Event::Confirmed { .. }));
            if world.causes(1, callee).is_empty() {
                assert_eq!((heard, sure), (1, 1), "seed {seed}");
                answered += 1;
            }
            world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Normal });
        }
        world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Normal });
        world.assert_quiet();
    }
    assert!(answered > 280, "{answered} calls of 300");
}
