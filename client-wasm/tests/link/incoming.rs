//! Calls that come in, and what a page does with a call that is up.

use crate::world::{OFFER, World, answer, state};
use signalling::{
    CallState, ClientMessage, Direction, EndCause, ErrorCode, HangupReason, ServerMessage, limits,
};

const FIRST: u32 = limits::FIRST_INCOMING;

fn coming(call: u32, to: CallState) -> ServerMessage {
    let ServerMessage::State { state, cause, code, reason, uri, display_name, video, .. } =
        state(call, to)
    else {
        unreachable!()
    };
    let direction = Direction::In;
    ServerMessage::State { call, direction, state, cause, code, reason, uri, display_name, video }
}

fn states(world: &World) -> Vec<(u32, Direction, CallState)> {
    let words = world.words().into_iter();
    let read = |message| match message {
        ServerMessage::State { call, direction, state, .. } => Some((call, direction, state)),
        _ => None,
    };
    words.filter_map(read).collect()
}

fn rung(seed: u64) -> World {
    let mut world = World::new(seed);
    world.server_says(coming(FIRST, CallState::Ringing));
    assert_eq!(states(&world), [(FIRST, Direction::In, CallState::Ringing)]);
    world
}

fn answered(seed: u64) -> World {
    let mut world = rung(seed);
    assert!(world.link.answer(world.now, FIRST, false, OFFER.into()));
    world.settle();
    world.server_says(answer(FIRST));
    world.server_says(coming(FIRST, CallState::Active));
    world
}

#[test]
fn a_call_that_comes_in_is_answered_with_the_pages_offer_once() {
    let mut world = answered(40);
    assert!(!world.link.answer(world.now, FIRST, false, OFFER.into()));
    world.settle();
    assert_eq!(world.errors(), [ErrorCode::UnknownCall]);
    let taken = ClientMessage::Answer { call: FIRST, video: false, offer: OFFER.into() };
    assert_eq!(world.server.heard, [taken]);
    world.link.hangup(world.now, FIRST, HangupReason::Visitor);
    world.settle();
    assert_eq!(world.ends(), [(FIRST, EndCause::VisitorHungUp)]);
    assert_eq!(states(&world).last(), Some(&(FIRST, Direction::In, CallState::Ended)));
}

#[test]
fn a_call_that_is_rejected_or_hung_up_while_it_rings_was_declined() {
    for reason in [HangupReason::Rejected, HangupReason::Visitor] {
        let mut world = rung(41);
        world.link.hangup(world.now, FIRST, reason);
        world.settle();
        assert_eq!(world.ends(), [(FIRST, EndCause::Declined)]);
        assert_eq!(world.server.heard, [ClientMessage::Hangup { call: FIRST, reason }]);
        // The server's own word on it comes too late to mean anything.
        world.server_says(coming(FIRST, CallState::Ended));
        assert_eq!(world.ends().len(), 1);
        assert_eq!(world.link.calls(), 0);
    }
}

#[test]
fn a_caller_who_gives_up_is_heard_of_and_cannot_be_answered() {
    let mut world = rung(42);
    world.server_says(coming(FIRST, CallState::Ended));
    assert_eq!(states(&world).last(), Some(&(FIRST, Direction::In, CallState::Ended)));
    assert!(!world.link.answer(world.now, FIRST, false, OFFER.into()));
    world.settle();
    assert_eq!(world.server.heard, []);
}

#[test]
fn an_answer_that_the_server_never_takes_ends_the_call() {
    let mut world = rung(43);
    world.link.answer(world.now, FIRST, false, OFFER.into());
    world.seconds(21);
    assert_eq!(world.ends(), [(FIRST, EndCause::NoMedia)]);
    let hangup = ClientMessage::Hangup { call: FIRST, reason: HangupReason::NoMedia };
    assert_eq!(world.server.heard.last(), Some(&hangup));
}

#[test]
fn what_rings_rings_on_over_a_broken_socket_and_ends_with_its_link() {
    let mut world = rung(44);
    world.cut();
    world.link.answer(world.now, FIRST, false, OFFER.into());
    world.seconds(5);
    let answers = world.server.heard.iter().filter(|m| matches!(m, ClientMessage::Answer { .. }));
    assert_eq!(answers.count(), 1, "said once on the next socket");
    let mut world = rung(45);
    world.server.forgetful = true;
    world.cut();
    world.seconds(5);
    assert_eq!(world.ends(), [(FIRST, EndCause::VisitorLost)]);
}

#[test]
fn more_calls_than_a_page_may_have_are_not_told() {
    let mut world = World::new(46);
    let own = world.call();
    for call in FIRST..FIRST + 5 {
        world.server_says(coming(call, CallState::Ringing));
    }
    let told: Vec<u32> = states(&world).into_iter().map(|told| told.0).collect();
    assert_eq!(told, [FIRST, FIRST + 1]);
    assert!(own < FIRST && world.link.calls() == 3);
    // A state without a beginning, and a beginning of a call that the page itself would number.
    world.server_says(coming(FIRST + 9, CallState::Active));
    world.server_says(coming(own + 1, CallState::Ringing));
    assert_eq!(states(&world).len(), 2);
}

#[test]
fn hold_resume_and_transfer_are_for_calls_that_were_answered() {
    let mut world = rung(47);
    for on in [true, false] {
        world.link.hold(world.now, FIRST, on);
    }
    world.link.transfer(world.now, FIRST, "sip:a@b".into());
    world.settle();
    assert_eq!(world.errors(), [ErrorCode::UnknownCall; 3]);
    assert_eq!(world.server.heard, []);
    let mut world = answered(48);
    world.server.heard.clear();
    world.link.hold(world.now, FIRST, true);
    world.settle();
    world.server_says(coming(FIRST, CallState::Held));
    world.link.hold(world.now, FIRST, false);
    world.link.transfer(world.now, FIRST, "sip:a@b".into());
    world.link.transfer(world.now, FIRST, "sip:a b".into());
    world.settle();
    let transfer = ClientMessage::Transfer { call: FIRST, uri: "sip:a@b".into() };
    let (hold, resume) =
        (ClientMessage::Hold { call: FIRST }, ClientMessage::Resume { call: FIRST });
    assert_eq!(world.server.heard, [hold, resume, transfer]);
    assert_eq!(world.errors(), [ErrorCode::BadMessage]);
}

#[test]
fn two_calls_are_joined_where_both_were_answered() {
    let mut world = answered(49);
    world.server_says(coming(FIRST + 1, CallState::Ringing));
    world.server.heard.clear();
    for (call, other) in [(FIRST, FIRST + 1), (FIRST + 1, FIRST), (FIRST, FIRST), (FIRST, 7)] {
        world.link.join(world.now, call, other);
    }
    world.settle();
    assert_eq!(world.server.heard, []);
    use ErrorCode::{BadMessage, UnknownCall};
    assert_eq!(world.errors(), [UnknownCall, UnknownCall, BadMessage, UnknownCall]);
    world.server_says(coming(FIRST + 1, CallState::Active));
    world.link.join(world.now, FIRST, FIRST + 1);
    world.settle();
    assert_eq!(world.server.heard, [ClientMessage::Join { call: FIRST, other: FIRST + 1 }]);
}
