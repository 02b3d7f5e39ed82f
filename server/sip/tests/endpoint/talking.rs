//! Calls that are up: two endpoints, or one and a scripted peer inside its dialog.

use crate::wire::*;
use sip::message::{Message, Method, Name};
use sip::{CauseKind, Command, Event, InviteId};
use std::time::Duration;

/// Two endpoints in a call; the callee's number of it.
fn both(seed: u64) -> (World, InviteId) {
    let mut world = World::with_both(seed);
    world.command(0, invite(1, theirs()));
    world.seconds(1);
    let callee = world.incoming(1);
    world.command(1, Command::Ring { invite: callee, sdp: None });
    world.seconds(1);
    world.command(1, Command::Answer { invite: callee, sdp: ANSWER.to_vec() });
    world.seconds(1);
    assert!(matches!(world.news(0).last(), Some(Event::Answered { .. })));
    assert!(matches!(world.news(1).last(), Some(Event::Confirmed { .. })));
    (world, callee)
}

#[test]
fn two_endpoints_talk_and_either_may_hang_up() {
    for (ends, waits) in [(0, 1), (1, 0)] {
        let (mut world, callee) = both(1);
        let ids = [ONE, callee];
        world.command(ends, Command::Hangup { invite: ids[ends], cause: CauseKind::Normal });
        world.seconds(1);
        assert_eq!(world.cause(ends, ids[ends]).originator, sip::Originator::Local);
        assert_eq!(world.cause(waits, ids[waits]).originator, sip::Originator::Remote);
        world.assert_quiet();
    }
}

#[test]
fn both_may_hang_up_at_once() {
    let (mut world, callee) = both(2);
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Normal });
    world.command(1, Command::Hangup { invite: callee, cause: CauseKind::Normal });
    world.seconds(1);
    world.cause(0, ONE);
    world.cause(1, callee);
    world.assert_quiet();
}

#[test]
fn a_new_offer_is_asked_answered_and_confirmed() {
    let (mut world, callee) = both(3);
    world.command(0, Command::Reoffer { invite: ONE, offer: b"v=0 hold".to_vec() });
    world.seconds(1);
    match world.news(1).as_slice() {
        [Event::Reoffered { invite, sdp: Some(sdp) }] => {
            assert_eq!((*invite, &sdp[..]), (callee, &b"v=0 hold"[..]));
        }
        other => panic!("{other:?}"),
    }
    world.command(1, Command::AnswerOffer { invite: callee, sdp: Ok(b"v=0 held".to_vec()) });
    world.seconds(1);
    match world.news(0).as_slice() {
        [Event::Reanswered { sdp: Ok(sdp), .. }] => assert_eq!(sdp, b"v=0 held"),
        other => panic!("{other:?}"),
    }
    // The same the other way, refused: the call goes on.
    world.command(1, Command::Reoffer { invite: callee, offer: b"v=0 video".to_vec() });
    world.seconds(1);
    world.command(0, Command::AnswerOffer { invite: ONE, sdp: Err(488) });
    world.seconds(1);
    match world.news(1).last() {
        Some(Event::Reanswered { sdp: Err(cause), .. }) => assert_eq!(cause.status, Some(488)),
        other => panic!("{other:?}"),
    }
    assert!(world.causes(0, ONE).is_empty() && world.causes(1, callee).is_empty());
}

#[test]
fn offers_that_cross_are_both_made_in_the_end() {
    let (mut world, callee) = both(4);
    world.command(0, Command::Reoffer { invite: ONE, offer: b"v=0 a".to_vec() });
    world.command(1, Command::Reoffer { invite: callee, offer: b"v=0 b".to_vec() });
    let end = world.now + Duration::from_secs(30);
    while world.step(end) {
        for (phone, id) in [(0, ONE), (1, callee)] {
            if world.news(phone).iter().any(|event| matches!(event, Event::Reoffered { .. })) {
                let sdp = Ok(b"v=0 ok".to_vec());
                world.command(phone, Command::AnswerOffer { invite: id, sdp });
            }
        }
    }
    for phone in [0, 1] {
        let done = |event: &Event| matches!(event, Event::Reanswered { sdp: Ok(_), .. });
        assert_eq!(world.count(phone, done), 1);
    }
}

#[test]
fn an_offer_that_the_shell_forgets_is_refused_in_time() {
    let (mut world, callee) = both(5);
    world.command(0, Command::Reoffer { invite: ONE, offer: b"v=0".to_vec() });
    world.seconds(8);
    match world.news(0).last() {
        Some(Event::Reanswered { sdp: Err(cause), .. }) => assert_eq!(cause.status, Some(500)),
        other => panic!("{other:?}"),
    }
    world.command(1, Command::AnswerOffer { invite: callee, sdp: Ok(b"v=0".to_vec()) });
    assert_eq!(world.phones[1].endpoint.counters().refused, 1);
}

#[test]
fn a_peer_that_asks_for_our_offer_brings_its_answer_in_the_ack() {
    let (mut world, request) = talk(6);
    world.say(theirs(), inside(&request, Method::Invite, 5, None));
    assert!(matches!(world.news(0).as_slice(), [Event::Reoffered { sdp: None, .. }]));
    world.command(0, Command::AnswerOffer { invite: ONE, sdp: Ok(OFFER.to_vec()) });
    assert_eq!(world.response(theirs(), 200).body, OFFER);
    world.say(theirs(), inside(&request, Method::Ack, 5, Some(ANSWER)));
    match world.news(0).as_slice() {
        [Event::Confirmed { answer: Some(answer), .. }] => assert_eq!(answer, ANSWER),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_lost_ack_of_a_new_offer_ends_the_call() {
    let (mut world, request) = talk(7);
    world.say(theirs(), inside(&request, Method::Invite, 5, Some(OFFER)));
    world.command(0, Command::AnswerOffer { invite: ONE, sdp: Ok(ANSWER.to_vec()) });
    world.seconds(33);
    assert_eq!(world.cause(0, ONE).kind, CauseKind::Timeout);
    world.assert_quiet();
}

#[test]
fn an_update_is_an_offer_too_and_an_empty_one_is_a_sign_of_life() {
    let (mut world, request) = talk(8);
    world.say(theirs(), inside(&request, Method::Update, 5, None));
    world.response(theirs(), 200);
    assert!(world.news(0).is_empty());
    world.say(theirs(), inside(&request, Method::Update, 6, Some(OFFER)));
    assert!(matches!(world.news(0).as_slice(), [Event::Reoffered { sdp: Some(_), .. }]));
    world.command(0, Command::AnswerOffer { invite: ONE, sdp: Ok(ANSWER.to_vec()) });
    assert_eq!(world.response(theirs(), 200).body, ANSWER);
    world.seconds(40);
    assert!(world.causes(0, ONE).is_empty(), "an UPDATE needs no ACK");
}

#[test]
fn a_second_offer_before_the_first_is_answered_must_wait() {
    let (mut world, request) = talk(9);
    world.say(theirs(), inside(&request, Method::Invite, 5, Some(OFFER)));
    world.say(theirs(), inside(&request, Method::Invite, 6, Some(OFFER)));
    let refused = world.response(theirs(), 500);
    assert!(refused.headers.get(&Name::RetryAfter).is_some());
    assert_eq!(world.count(0, |event| matches!(event, Event::Reoffered { .. })), 1);
}

#[test]
fn requests_out_of_order_and_of_another_dialog_are_refused() {
    let (mut world, request) = talk(10);
    world.say(theirs(), inside(&request, Method::Info, 50, None));
    world.response(theirs(), 200);
    world.say(theirs(), inside(&request, Method::Bye, 49, None));
    world.response(theirs(), 500);
    let mut other = inside(&request, Method::Bye, 51, None);
    other.headers.set(Name::From, "<sip:bob@192.0.2.2:5060>;tag=other");
    world.say(theirs(), other);
    world.response(theirs(), 481);
    assert!(world.causes(0, ONE).is_empty());
}

#[test]
fn the_peer_moves_and_requests_follow_its_new_contact() {
    let (mut world, request) = talk(11);
    let mut moved = inside(&request, Method::Invite, 5, Some(OFFER));
    moved.headers.set(Name::Contact, "<sip:bob@192.0.2.2:6060>");
    world.say(theirs(), moved);
    world.command(0, Command::AnswerOffer { invite: ONE, sdp: Ok(ANSWER.to_vec()) });
    world.say(theirs(), inside(&request, Method::Ack, 5, None));
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Normal });
    let bye = world.request(at("192.0.2.2:6060"), Method::Bye);
    assert_eq!(bye.uri.to_string(), "sip:bob@192.0.2.2:6060");
}

#[test]
fn keypad_digits_and_wishes_for_a_picture_come_by_info() {
    let (mut world, request) = talk(12);
    let mut info = inside(&request, Method::Info, 5, Some(b"Signal=7\r\nDuration=250\r\n"));
    info.headers.set(Name::ContentType, "application/dtmf-relay");
    world.say(theirs(), info);
    world.response(theirs(), 200);
    match world.news(0).as_slice() {
        [Event::DigitsReceived { digit: '7', duration, .. }] => {
            assert_eq!(*duration, Duration::from_millis(250));
        }
        other => panic!("{other:?}"),
    }
    let xml = b"<media_control><vc_primitive><to_encoder><picture_fast_update/>";
    let mut info = inside(&request, Method::Info, 6, Some(xml));
    info.headers.set(Name::ContentType, "application/media_control+xml");
    world.say(theirs(), info);
    world.response(theirs(), 200);
    assert!(matches!(world.news(0).as_slice(), [Event::PictureRequested { invite: ONE }]));
    let mut info = inside(&request, Method::Info, 7, Some(b"<xml/>"));
    info.headers.set(Name::ContentType, "application/media_control+xml");
    world.say(theirs(), info);
    world.response(theirs(), 415);
}

#[test]
fn infos_go_one_after_another() {
    let (mut world, _) = talk(13);
    for digit in ["1", "2", "3"] {
        world.command(
            0,
            Command::Info {
                invite: ONE,
                content_type: "application/dtmf-relay".into(),
                body: format!("Signal={digit}\r\n").into_bytes(),
            },
        );
    }
    for digit in ["1", "2", "3"] {
        let info = world.request(theirs(), Method::Info);
        assert_eq!(info.body, format!("Signal={digit}\r\n").as_bytes());
        assert!(world.waiting(theirs()).is_empty());
        world.reply(theirs(), &info, 200, "", None);
    }
}

#[test]
fn a_peer_that_forgot_the_call_ends_it() {
    let (mut world, _) = talk(14);
    world.command(0, Command::Reoffer { invite: ONE, offer: OFFER.to_vec() });
    let request = world.request(theirs(), Method::Invite);
    world.reply(theirs(), &request, 481, "", None);
    assert_eq!(world.cause(0, ONE).kind, CauseKind::Protocol);
    world.assert_quiet();
}

#[test]
fn options_inside_a_call_are_answered() {
    let (mut world, request) = talk(15);
    world.say(theirs(), inside(&request, Method::Options, 5, None));
    assert!(world.response(theirs(), 200).headers.get(&Name::Allow).is_some());
    world.say(theirs(), inside(&request, Method::Subscribe, 6, None));
    world.response(theirs(), 405);
}

#[test]
fn an_answer_that_our_bye_overtook_is_still_acknowledged() {
    let (mut world, _) = talk(16);
    world.command(0, Command::Reoffer { invite: ONE, offer: OFFER.to_vec() });
    let request = world.request(theirs(), Method::Invite);
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Normal });
    world.request(theirs(), Method::Bye);
    world.reply(theirs(), &request, 200, "", Some(ANSWER));
    let heard = world.waiting(theirs());
    assert!(heard.iter().any(|m| matches!(m, Message::Request(r) if r.method == Method::Ack)));
    world.assert_quiet();
}

#[test]
fn an_offer_that_the_peer_neither_takes_nor_refuses_is_cancelled() {
    let (mut world, _) = talk(17);
    world.command(0, Command::Reoffer { invite: ONE, offer: OFFER.to_vec() });
    let request = world.request(theirs(), Method::Invite);
    world.reply(theirs(), &request, 100, "", None);
    world.seconds(61);
    let cancel = world.request(theirs(), Method::Cancel);
    world.reply(theirs(), &cancel, 200, "", None);
    world.reply(theirs(), &request, 487, "", None);
    match world.news(0).as_slice() {
        [Event::Reanswered { sdp: Err(cause), .. }] => assert_eq!(cause.status, Some(487)),
        other => panic!("{other:?}"),
    }
    assert!(world.causes(0, ONE).is_empty(), "the call goes on");
}

#[test]
fn an_offer_without_any_final_answer_does_not_outlive_the_call() {
    let (mut world, _) = talk(18);
    world.command(0, Command::Reoffer { invite: ONE, offer: OFFER.to_vec() });
    let request = world.request(theirs(), Method::Invite);
    world.reply(theirs(), &request, 100, "", None);
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Normal });
    world.assert_quiet();
}
