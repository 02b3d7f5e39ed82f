//! The caller's side, against a scripted peer (the flows of RFC 3665 3, and their accidents).

use crate::wire::*;
use sip::message::{Message, Method, Name};
use sip::{CauseKind, Command, Event, InviteId, Originator};

#[test]
fn a_call_rings_is_answered_and_hung_up_by_the_caller() {
    let (mut world, request) = call(1);
    assert_eq!(request.body, OFFER);
    assert_eq!(
        request.headers.get(&Name::Other("X-Page".into())),
        Some("https://shop.example/?a=1")
    );
    world.reply(theirs(), &request, 180, "kept", None);
    world.reply(theirs(), &request, 200, "kept", Some(ANSWER));
    let ack = world.request(theirs(), Method::Ack);
    assert_eq!(ack.to().unwrap().tag(), Some("kept"));
    assert_eq!(ack.cseq().unwrap().number, request.cseq().unwrap().number);
    assert_ne!(ack.via().unwrap().branch(), request.via().unwrap().branch());
    match world.news(0).as_slice() {
        [
            Event::Provisional { status: 180, early_sdp: None, fork: 1, .. },
            Event::Answered { sdp: Some(sdp), fork: 1, .. },
        ] => assert_eq!(sdp, ANSWER),
        other => panic!("{other:?}"),
    }
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Normal });
    let bye = world.request(theirs(), Method::Bye);
    assert_eq!(bye.uri.to_string(), "sip:bob@192.0.2.2:5060");
    assert!(bye.cseq().unwrap().number > ack.cseq().unwrap().number);
    world.reply(theirs(), &bye, 200, "", None);
    assert_eq!(world.cause(0, ONE).kind, CauseKind::Normal);
    world.assert_quiet();
}

#[test]
fn a_refusal_is_acknowledged_in_its_transaction_and_ends_with_its_kind() {
    for (status, kind) in [
        (486, CauseKind::Busy),
        (603, CauseKind::Declined),
        (480, CauseKind::Unavailable),
        (408, CauseKind::NoAnswer),
        (404, CauseKind::NotFound),
        (410, CauseKind::Gone),
        (403, CauseKind::Forbidden),
        (488, CauseKind::NotAcceptable),
        (302, CauseKind::Redirected),
        (500, CauseKind::ServerFailure),
    ] {
        let (mut world, request) = call(2);
        world.reply(theirs(), &request, 180, "kept", None);
        let refusal = world.reply(theirs(), &request, status, "kept", None);
        let ack = world.request(theirs(), Method::Ack);
        assert_eq!(ack.via().unwrap().branch(), request.via().unwrap().branch());
        assert_eq!(ack.to().unwrap().tag(), Some("kept"));
        let cause = world.cause(0, ONE);
        assert_eq!((cause.kind, cause.status), (kind, Some(status)));
        assert_eq!(cause.originator, Originator::Remote);
        // The refusal repeats: our ACK was lost.
        world.say(theirs(), refusal);
        world.request(theirs(), Method::Ack);
        world.assert_quiet();
    }
}

#[test]
fn an_overloaded_server_says_when_to_come_back() {
    let (mut world, request) = call(3);
    let mut response = reply(theirs(), &request, 503, "x", None);
    response.headers.push(Name::RetryAfter, "30");
    world.say(theirs(), response);
    let cause = world.cause(0, ONE);
    assert_eq!(cause.kind, CauseKind::Overloaded);
    assert_eq!(cause.retry_after.unwrap().as_secs(), 30);
}

#[test]
fn a_peer_that_never_answers_is_asked_seven_times_and_then_given_up() {
    let mut world = World::with_caller(4);
    world.command(0, invite(1, theirs()));
    world.seconds(40);
    assert_eq!(world.waiting(theirs()).len(), 7);
    let cause = world.cause(0, ONE);
    assert_eq!((cause.kind, cause.originator), (CauseKind::Timeout, Originator::Network));
    world.assert_quiet();
}

#[test]
fn a_peer_that_the_network_says_is_not_there_is_given_up_at_once() {
    let mut world = World::with_caller(4);
    world.command(0, invite(1, theirs()));
    world.seconds(1);
    world.unreachable(0, "192.0.2.99".parse().unwrap());
    assert!(world.causes(0, ONE).is_empty(), "another's news");
    world.unreachable(0, theirs().ip());
    let cause = world.cause(0, ONE);
    assert_eq!((cause.kind, cause.originator), (CauseKind::Unavailable, Originator::Network));
    assert_eq!(world.phones[0].endpoint.transactions(), 0);
    world.assert_quiet();
}

#[test]
fn news_of_the_network_hurts_no_call_that_rings_or_talks() {
    let (mut world, request) = call(4);
    world.reply(theirs(), &request, 180, "kept", None);
    world.unreachable(0, theirs().ip());
    world.reply(theirs(), &request, 200, "kept", Some(ANSWER));
    world.request(theirs(), Method::Ack);
    world.unreachable(0, theirs().ip());
    world.command(0, Command::Reoffer { invite: ONE, offer: OFFER.to_vec() });
    world.request(theirs(), Method::Invite);
    world.unreachable(0, theirs().ip());
    world.seconds(1);
    assert!(world.causes(0, ONE).is_empty());
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Normal });
    world.unreachable(0, theirs().ip());
    assert_eq!(world.cause(0, ONE).kind, CauseKind::Normal);
    world.assert_quiet();
}

#[test]
fn with_two_ports_of_a_peer_in_question_timers_decide() {
    let mut world = World::with_caller(4);
    world.command(0, invite(1, theirs()));
    world.command(0, invite(2, at("192.0.2.2:5070")));
    world.unreachable(0, theirs().ip());
    assert!(world.causes(0, ONE).is_empty());
    world.seconds(40);
    assert_eq!(world.cause(0, ONE).kind, CauseKind::Timeout);
}

#[test]
fn a_phone_may_ring_for_three_minutes() {
    let (mut world, request) = call(5);
    world.reply(theirs(), &request, 180, "kept", None);
    world.seconds(180);
    assert!(world.causes(0, ONE).is_empty());
    assert!(world.waiting(theirs()).is_empty(), "the INVITE is not repeated");
    world.reply(theirs(), &request, 200, "kept", Some(ANSWER));
    world.request(theirs(), Method::Ack);
    assert_eq!(world.count(0, |event| matches!(event, Event::Answered { .. })), 1);
}

#[test]
fn cancel_waits_for_the_first_response() {
    let (mut world, request) = call(6);
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Cancelled });
    // The end is said at once, the CANCEL is not.
    assert_eq!(world.cause(0, ONE).kind, CauseKind::Cancelled);
    world.seconds(1);
    let repeats = world.waiting(theirs());
    assert!(repeats.iter().all(|m| matches!(m, Message::Request(r) if r.method == Method::Invite)));
    world.reply(theirs(), &request, 100, "", None);
    let cancel = world.request(theirs(), Method::Cancel);
    assert_eq!(cancel.via().unwrap().branch(), request.via().unwrap().branch());
    assert_eq!(cancel.cseq().unwrap().number, request.cseq().unwrap().number);
    assert_eq!(cancel.to().unwrap().tag(), None);
    world.reply(theirs(), &cancel, 200, "kept", None);
    world.reply(theirs(), &request, 487, "kept", None);
    world.request(theirs(), Method::Ack);
    world.cause(0, ONE);
    world.assert_quiet();
}

#[test]
fn an_answer_that_wins_the_race_against_cancel_is_hung_up() {
    let (mut world, request) = call(7);
    world.reply(theirs(), &request, 180, "kept", None);
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Cancelled });
    let cancel = world.request(theirs(), Method::Cancel);
    world.reply(theirs(), &request, 200, "kept", Some(ANSWER));
    world.request(theirs(), Method::Ack);
    let bye = world.request(theirs(), Method::Bye);
    world.reply(theirs(), &cancel, 481, "x", None);
    world.reply(theirs(), &bye, 200, "", None);
    assert_eq!(world.cause(0, ONE).kind, CauseKind::Cancelled);
    assert_eq!(world.count(0, |event| matches!(event, Event::Answered { .. })), 0);
    world.assert_quiet();
}

#[test]
fn a_cancelled_call_that_is_never_finally_answered_goes_away() {
    let (mut world, request) = call(8);
    world.reply(theirs(), &request, 180, "kept", None);
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Cancelled });
    world.assert_quiet();
}

#[test]
fn of_forked_answers_the_first_is_kept_and_the_others_are_hung_up() {
    let (mut world, request) = call(9);
    for fork in ["a", "b", "c"] {
        world.reply(theirs(), &request, 180, fork, None);
    }
    world.reply(theirs(), &request, 200, "b", Some(ANSWER));
    assert_eq!(world.request(theirs(), Method::Ack).to().unwrap().tag(), Some("b"));
    let late = world.reply(theirs(), &request, 200, "c", Some(ANSWER));
    assert_eq!(world.request(theirs(), Method::Ack).to().unwrap().tag(), Some("c"));
    let bye = world.request(theirs(), Method::Bye);
    assert_eq!(bye.to().unwrap().tag(), Some("c"));
    world.reply(theirs(), &bye, 200, "", None);
    // A repeat of the unwanted answer needs its ACK again, but no second BYE.
    world.say(theirs(), late);
    assert_eq!(world.request(theirs(), Method::Ack).to().unwrap().tag(), Some("c"));
    world.seconds(1);
    assert!(world.waiting(theirs()).is_empty());
    let forks: Vec<u32> = world
        .news(0)
        .iter()
        .filter_map(|event| match event {
            Event::Provisional { fork, .. } | Event::Answered { fork, .. } => Some(*fork),
            _ => None,
        })
        .collect();
    assert_eq!(forks, [1, 2, 3, 2]);
    assert!(world.causes(0, ONE).is_empty());
}

#[test]
fn a_repeated_answer_gets_the_very_same_ack() {
    let (mut world, request) = call(10);
    let answer = world.reply(theirs(), &request, 200, "kept", Some(ANSWER));
    let first = world.request(theirs(), Method::Ack);
    for _ in 0..5 {
        world.seconds(4);
        world.say(theirs(), answer.clone());
        assert_eq!(world.request(theirs(), Method::Ack), first);
    }
    assert_eq!(world.count(0, |event| matches!(event, Event::Answered { .. })), 1);
}

#[test]
fn early_media_is_handed_over_and_stands_in_for_an_answer_without_sdp() {
    let (mut world, request) = call(11);
    world.reply(theirs(), &request, 183, "kept", Some(ANSWER));
    world.reply(theirs(), &request, 200, "kept", None);
    match world.news(0).as_slice() {
        [
            Event::Provisional { status: 183, early_sdp: Some(early), .. },
            Event::Answered { sdp: Some(sdp), .. },
        ] => assert_eq!((&early[..], &sdp[..]), (ANSWER, ANSWER)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_answer_without_any_sdp_is_hung_up() {
    let (mut world, request) = call(12);
    world.reply(theirs(), &request, 200, "kept", None);
    world.request(theirs(), Method::Ack);
    let bye = world.request(theirs(), Method::Bye);
    world.reply(theirs(), &bye, 200, "", None);
    assert_eq!(world.cause(0, ONE).kind, CauseKind::NotAcceptable);
    world.assert_quiet();
}

#[test]
fn the_callee_hangs_up_and_says_why() {
    let (mut world, request) = talk(13);
    let tag = request.from().unwrap().tag().unwrap().to_owned();
    let mut bye = ask(theirs(), Method::Bye, request.call_id(), 7, Some(&tag), None);
    bye.headers.set(Name::From, "<sip:bob@192.0.2.2:5060>;tag=kept");
    bye.headers.push(Name::Reason, "Q.850;cause=16;text=\"Normal call clearing\"");
    world.say(theirs(), bye);
    world.response(theirs(), 200);
    let cause = world.cause(0, ONE);
    assert_eq!((cause.kind, cause.originator), (CauseKind::Normal, Originator::Remote));
    assert_eq!(cause.reason.as_deref(), Some("Normal call clearing"));
    world.assert_quiet();
}

#[test]
fn a_bye_that_nobody_answers_leaves_nothing_behind() {
    let (mut world, _) = talk(14);
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Normal });
    world.assert_quiet();
    world.cause(0, ONE);
}

#[test]
fn requests_follow_the_recorded_route_backwards() {
    let (mut world, request) = call(15);
    let mut answer = reply(theirs(), &request, 200, "kept", Some(ANSWER));
    answer.headers.push(Name::RecordRoute, "<sip:last.example;lr>");
    answer.headers.push(Name::RecordRoute, "<sip:192.0.2.2:5099;lr>");
    world.say(theirs(), answer);
    // The first router names an address that we know, and gets the request.
    let ack = world.request(at("192.0.2.2:5099"), Method::Ack);
    let routes: Vec<&str> = ack.headers.all(&Name::Route).collect();
    assert_eq!(routes, ["<sip:192.0.2.2:5099;lr>", "<sip:last.example;lr>"]);
    assert_eq!(ack.uri.to_string(), "sip:bob@192.0.2.2:5060");
}

#[test]
fn a_strict_router_becomes_the_request_uri() {
    let (mut world, request) = call(16);
    let mut answer = reply(theirs(), &request, 200, "kept", Some(ANSWER));
    answer.headers.push(Name::RecordRoute, "<sip:192.0.2.2:5099>");
    world.say(theirs(), answer);
    let ack = world.request(at("192.0.2.2:5099"), Method::Ack);
    assert_eq!(ack.uri.to_string(), "sip:192.0.2.2:5099");
    let routes: Vec<&str> = ack.headers.all(&Name::Route).collect();
    assert_eq!(routes, ["<sip:bob@192.0.2.2:5060>"]);
}

#[test]
fn a_contact_at_an_unknown_address_is_reached_where_the_call_went() {
    let (mut world, request) = call(17);
    let mut answer = reply(theirs(), &request, 200, "kept", Some(ANSWER));
    answer.headers.set(Name::Contact, "<sip:bob@10.0.0.7:5060>");
    world.say(theirs(), answer);
    let ack = world.request(theirs(), Method::Ack);
    assert_eq!(ack.uri.to_string(), "sip:bob@10.0.0.7:5060");
}

#[test]
fn header_fields_of_a_page_cannot_forge_ours() {
    let mut world = World::with_caller(18);
    let Command::Invite { invite, account, destination, targets, display_name, offer, .. } =
        invite(1, theirs())
    else {
        panic!()
    };
    let headers = vec![
        ("X-Good".to_owned(), "yes".to_owned()),
        ("Via".into(), "SIP/2.0/UDP evil".into()),
        ("X-Bad\r\nRoute".into(), "<sip:evil>".into()),
        ("X-Bad".into(), "a\r\nRoute: <sip:evil>".into()),
        ("X-".into(), "empty".into()),
    ];
    world.command(
        0,
        Command::Invite { invite, account, destination, targets, headers, display_name, offer },
    );
    let request = world.request(theirs(), Method::Invite);
    let bytes = String::from_utf8(request.to_bytes()).unwrap();
    assert!(bytes.contains("X-Good: yes\r\n") && !bytes.contains("evil"));
    assert_eq!(world.phones[0].endpoint.counters().refused, 4);
}

#[test]
fn a_call_of_an_unknown_account_ends_at_once() {
    let mut world = World::new(19);
    world.add(ours(), &[theirs()]);
    world.command(0, invite(1, theirs()));
    assert_eq!(world.cause(0, ONE).kind, CauseKind::Unavailable);
    world.assert_quiet();
}

#[test]
fn shutdown_ends_calls_in_every_state_and_then_nothing_is_left() {
    let (mut world, first) = talk(20);
    world.command(0, invite(2, theirs()));
    let second = world.request(theirs(), Method::Invite);
    world.reply(theirs(), &second, 180, "two", None);
    world.command(0, invite(3, theirs()));
    world.request(theirs(), Method::Invite);
    world.command(0, Command::Shutdown);
    let methods: Vec<Method> = [world.hear(theirs()), world.hear(theirs())]
        .into_iter()
        .map(|message| match message {
            Message::Request(request) => request.method,
            Message::Response(_) => panic!("a response"),
        })
        .collect();
    assert_eq!(methods, [Method::Bye, Method::Cancel]);
    assert_ne!(first.call_id(), second.call_id());
    for number in 1..=3 {
        world.cause(0, InviteId(number));
    }
    world.command(0, invite(4, theirs()));
    world.cause(0, InviteId(4));
    world.assert_quiet();
}
