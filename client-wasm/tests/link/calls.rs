//! What a page may do with calls, and how much of it at once.

use crate::world::{OFFER, RESUMED, TRYING, UP, World, answer, state};
use client_wasm::link::{Action, Plan};
use signalling::{
    CallState, ClientMessage, EndCause, ErrorCode, HangupReason, Inbox, ServerMessage, limits,
};
use std::time::Duration;

#[test]
fn the_line_is_bounded_and_a_hangup_still_fits() {
    let mut world = World::new(16);
    let call = world.call();
    world.server_says(answer(call));
    world.network = false;
    world.cut();
    for _ in 0..1000 {
        world.link.dtmf(world.now, call, "12345678901234567890123456789012");
        world.link.restart(world.now, call, OFFER.into());
        world.settle();
    }
    assert!(world.errors().len() > 1000);
    assert!(world.errors().iter().all(|code| *code == ErrorCode::Limit));
    world.link.hangup(world.now, call, HangupReason::Visitor);
    world.network = true;
    world.seconds(30);
    assert!(world.server.heard.len() < 100);
    let hangups = world.server.heard.iter().filter(|m| matches!(m, ClientMessage::Hangup { .. }));
    assert_eq!(hangups.count(), 1);
}

#[test]
fn a_server_that_never_acknowledges_stops_the_page_at_its_outbox() {
    let mut world = World::new(17);
    let call = world.call();
    world.server_says(answer(call));
    world.server.inbox = Inbox::default();
    // Its numbers never fit again, so it acknowledges nothing but still answers heartbeats.
    world.server.inbox.accept(0);
    for _ in 0..600 {
        world.link.restart(world.now, call, OFFER.into());
        world.settle();
        world.pass(Duration::from_millis(100));
    }
    assert!(world.sent.len() < 300, "{}", world.sent.len());
    assert!(world.errors().contains(&ErrorCode::Limit));
}

#[test]
fn the_page_stays_under_the_servers_rate_limit_even_when_it_sends_again() {
    let mut world = World::new(18);
    let call = world.call();
    world.server_says(answer(call));
    world.deaf = true;
    for _ in 0..100 {
        world.link.restart(world.now, call, OFFER.into());
        world.settle();
        world.pass(Duration::from_millis(100));
    }
    world.deaf = false;
    world.cut();
    world.sent.clear();
    world.seconds(30);
    let mut tokens = f64::from(limits::MESSAGES_BURST);
    let mut before = world.sent[0];
    for at in &world.sent {
        let passed = (*at - before).as_secs_f64() * f64::from(limits::MESSAGES_PER_SECOND);
        tokens = (tokens + passed).min(f64::from(limits::MESSAGES_BURST)) - 1.0;
        assert!(tokens >= 0.0, "over the limit at {at:?}");
        before = *at;
    }
    let restarts = world.server.heard.iter().filter(|m| matches!(m, ClientMessage::Restart { .. }));
    assert_eq!(restarts.count(), 100);
}

#[test]
fn an_offer_that_nobody_answers_ends_the_call_as_no_media() {
    let mut world = World::new(21);
    let call = world.call();
    world.seconds(21);
    assert_eq!(world.ends(), [(call, EndCause::NoMedia)]);
    let hangup = ClientMessage::Hangup { call, reason: HangupReason::NoMedia };
    assert_eq!(world.server.heard.last(), Some(&hangup));
}

#[test]
fn a_hangup_is_seen_at_once_and_nothing_is_heard_of_the_call_after_it() {
    let mut world = World::new(22);
    let call = world.call();
    world.server_says(answer(call));
    world.server_says(state(call, CallState::Active));
    world.link.hangup(world.now, call, HangupReason::Visitor);
    world.settle();
    let told = world.told.len();
    world.server_says(state(call, CallState::Ended));
    world.server_says(ServerMessage::Digit { call, digit: '1' });
    world.server_says(answer(call));
    assert_eq!(world.told.len(), told);
    assert_eq!(world.ends(), [(call, EndCause::VisitorHungUp)]);
}

#[test]
fn what_the_page_asks_wrongly_is_refused_in_words_and_never_sent() {
    let mut world = World::new(24);
    let call = world.call();
    world.server_says(answer(call));
    world.server.heard.clear();
    for digits in ["", "x", "1 2", "123456789012345678901234567890123", "１"] {
        world.link.dtmf(world.now, call, digits);
    }
    world.link.dtmf(world.now, 99, "1");
    let no_one = Plan::default();
    assert_eq!(world.link.call(world.now, no_one, OFFER.into()), None);
    let spaced = Plan { uri: Some("sip:a b".into()), ..Plan::default() };
    assert_eq!(world.link.call(world.now, spaced, OFFER.into()), None);
    let injected = Plan {
        uri: Some("sip:a".into()),
        headers: [("X-A".to_owned(), "b\r\nX-C: d".to_owned())].into(),
        ..Plan::default()
    };
    assert_eq!(world.link.call(world.now, injected, OFFER.into()), None);
    let plan = Plan { uri: Some("sip:a".into()), ..Plan::default() };
    assert_eq!(world.link.call(world.now, plan.clone(), "x".repeat(40_000)), None);
    assert!(world.link.call(world.now, plan.clone(), OFFER.into()).is_some());
    assert_eq!(world.link.call(world.now, plan, OFFER.into()), None, "two calls are the most");
    world.settle();
    assert_eq!(world.errors().len(), 11);
    assert_eq!(world.server.heard.len(), 1);
    world.link.dtmf(world.now, call, "12ab#*");
    world.settle();
    assert_eq!(world.digits_heard(), "12AB#*");
}

#[test]
fn an_action_begins_with_its_letter() {
    assert_eq!(Action::Open.to_text(), "o");
    assert_eq!(Action::Close.to_text(), "c");
    assert_eq!(Action::Send("{\"a\"}".into()).to_text(), "s{\"a\"}");
    assert_eq!(Action::Connection(UP).to_text(), "n100");
    assert_eq!(Action::Connection(TRYING).to_text(), "n010");
    assert_eq!(Action::Connection(RESUMED).to_text(), "n101");
    assert_eq!(Action::Tell("{}".into()).to_text(), "t{}");
}
