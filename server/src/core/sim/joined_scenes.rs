//! Pages that connect the far ends of two of their calls.

use super::flash_scenes::{registered, words};
use super::phone::Manner;
use super::world::World;
use base::LinkId;
use rtmp::amf::Value;
use signalling::{CallState, ClientMessage, EndCause, HangupReason, limits};
use std::time::Duration;

use CallState::{Active, Ended, Held};

const FIRST: u32 = limits::FIRST_INCOMING;
const SECOND: Duration = Duration::from_secs(1);

/// A page with an account that was called, holds the caller, and has called somebody itself.
fn consulting(number: u64, loss: u64) -> (World, LinkId, u32) {
    let mut world = World::new(number);
    let link = world.open(None);
    let (registrar, password) = ("198.51.100.20".to_owned(), "secret".to_owned());
    let username = "page".to_owned();
    world.say(link, ClientMessage::Register { registrar, username, password });
    world.run_for(SECOND);
    world.phone_calls();
    world.run_for(SECOND);
    assert!(world.take(link, FIRST, true));
    world.run_for(SECOND);
    world.say(link, ClientMessage::Hold { call: FIRST });
    world.phone.manner = Some(Manner::RingsThenAnswers(SECOND));
    let own = world.call(link, Some("42"), true);
    world.run_for(SECOND * 3);
    assert_eq!((state(&world, FIRST).0, state(&world, own).0), (Held, Active));
    assert_eq!(world.phone.talks.len(), 2);
    world.phone.follows = true;
    world.signalling.loss = loss;
    (world, link, own)
}

/// What the page was told last of a call.
fn state(world: &World, call: u32) -> (CallState, Option<EndCause>) {
    let mut calls = world.pages.values().flat_map(|page| page.calls.get(&call));
    calls.find_map(|call| call.states.last().copied()).expect("a call")
}

fn errors(world: &World, link: LinkId) -> u32 {
    world.pages[&link].calls.values().map(|call| call.errors).sum()
}

#[test]
fn two_far_ends_are_joined_and_hear_each_other_whatever_is_lost() {
    for number in 0..8 {
        let (mut world, link, own) = consulting(number, number * 20);
        let before: Vec<_> = world.phone.talks.keys().copied().collect();
        let (call, other) = if number % 2 == 0 { (FIRST, own) } else { (own, FIRST) };
        world.say(link, ClientMessage::Join { call, other });
        world.run_for(SECOND * 20);
        world.signalling.loss = 0;
        world.run_for(SECOND * 40);
        assert_eq!(world.phone.talks.len(), 2, "seed {number}");
        for (invite, talk) in &world.phone.talks {
            assert!(!before.contains(invite), "seed {number}: the page is out");
            assert!(talk.heard > 1_000 && talk.spoken > 1_000, "seed {number}: {}", talk.heard);
        }
        assert_eq!(state(&world, call), (Ended, Some(EndCause::VisitorHungUp)), "seed {number}");
        assert_eq!(state(&world, other).0, Ended, "seed {number}");
        assert_eq!(errors(&world, link), 0, "seed {number}");
        assert!(world.core.calls.is_empty());
        world.check_log();
    }
}

#[test]
fn the_call_that_was_taken_over_ends_by_its_phone_or_else_by_us() {
    for (stays, cause) in [(false, EndCause::ShopHungUp), (true, EndCause::VisitorHungUp)] {
        let (mut world, link, own) = consulting(20, 0);
        world.phone.stays = stays;
        world.say(link, ClientMessage::Join { call: FIRST, other: own });
        world.run_for(SECOND * 2);
        assert_eq!(state(&world, FIRST), (Ended, Some(EndCause::VisitorHungUp)));
        assert_eq!(state(&world, own).0, if stays { Active } else { Ended });
        world.run_for(SECOND * 5);
        assert_eq!(state(&world, own), (Ended, Some(cause)));
        assert!(world.core.calls.is_empty());
        assert_eq!(world.phone.talks.len(), 2, "the two that talk to each other");
        world.check_log();
    }
}

#[test]
fn both_calls_go_on_where_their_far_ends_are_not_joined_and_the_page_is_told() {
    for (number, refuses) in [(30, true), (31, false), (32, true), (33, false)] {
        let loss = number % 4 * 60;
        let (mut world, link, own) = consulting(number, loss);
        if refuses {
            // The phone of the other call does not let itself be taken over.
            world.phone.manner = Some(Manner::Refuses(486));
        } else {
            world.phone.follows = false;
        }
        world.say(link, ClientMessage::Join { call: FIRST, other: own });
        world.run_for(SECOND * 60);
        assert_eq!((state(&world, FIRST).0, state(&world, own).0), (Held, Active), "{number}");
        assert_eq!(world.pages[&link].calls[&FIRST].errors, 1, "{number}");
        assert_eq!(errors(&world, link), 1, "{number}");
        // Both are the page's as before: it may try once more.
        world.signalling.loss = 0;
        world.phone.follows = true;
        world.phone.manner = Some(Manner::RingsThenAnswers(SECOND));
        world.say(link, ClientMessage::Join { call: own, other: FIRST });
        world.run_for(SECOND * 8);
        assert!(world.core.calls.is_empty(), "{number}");
        world.check_log();
    }
}

#[test]
fn only_calls_of_this_page_that_are_up_are_joined_and_each_once() {
    let (mut world, link, own) = consulting(40, 0);
    let stranger = world.open(None);
    world.say(stranger, ClientMessage::Join { call: FIRST, other: own });
    for (call, other) in [(FIRST, FIRST), (FIRST, 77), (77, FIRST)] {
        world.say(link, ClientMessage::Join { call, other });
    }
    world.run_for(SECOND);
    assert_eq!((state(&world, FIRST).0, state(&world, own).0), (Held, Active));
    let before = errors(&world, link);
    world.phone.follows = false;
    world.say(link, ClientMessage::Join { call: FIRST, other: own });
    // What is under way is told once it has come to something, so these are refused.
    world.say(link, ClientMessage::Join { call: own, other: FIRST });
    world.say(link, ClientMessage::Transfer { call: own, uri: "7".to_owned() });
    world.say(link, ClientMessage::Transfer { call: FIRST, uri: "7".to_owned() });
    world.settle();
    assert_eq!(errors(&world, link) - before, 3);
    world.say(link, ClientMessage::Hangup { call: own, reason: HangupReason::Visitor });
    world.run_for(SECOND * 60);
    assert_eq!(state(&world, FIRST).0, Held);
    assert_eq!(errors(&world, link) - before, 4, "it has failed, and is told");
    world.say(link, ClientMessage::Hangup { call: FIRST, reason: HangupReason::Visitor });
    world.run_for(SECOND * 2);
    assert!(world.core.calls.is_empty() && world.phone.talks.is_empty());
    world.check_log();
}

#[test]
fn a_flash_client_joins_its_two_callers() {
    let mut world = World::new(50);
    let guest = registered(&mut world);
    world.phone.follows = true;
    let mut calls = Vec::new();
    for _ in 0..2 {
        world.phone_calls();
        world.run_for(SECOND);
        let call = world.guests[guest].call_in("ringing").expect("a call");
        world.guests[guest].say(world.now, "answer", &[("callId", call.as_str().into())]);
        world.run_for(SECOND);
        assert_eq!(words(&world, guest, &call), ["ringing", "active"]);
        calls.push(call);
    }
    let to = [("callId", Value::from(calls[0].as_str())), ("toCallId", calls[1].as_str().into())];
    world.guests[guest].say(world.now, "transfer", &to);
    world.run_for(SECOND * 4);
    for call in &calls {
        assert_eq!(words(&world, guest, call), ["ringing", "active", "ended"]);
    }
    assert!(world.core.calls.is_empty());
    assert_eq!(world.phone.talks.len(), 2);
    assert!(world.phone.talks.values().all(|talk| talk.heard > 100));
    world.check_log();
}
