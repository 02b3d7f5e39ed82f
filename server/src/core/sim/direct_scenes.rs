//! Flash clients in one call with each other: who is introduced to whom, and when.

use super::flash_scenes::{PAGE, SECOND, registered, streams, words};
use super::world::World;
use rtmp::amf::Value;

/// A call of a button's client, passed on by the provider to a client that has registered. Gives
/// their indices.
fn pair(number: u64) -> (World, usize, usize) {
    let mut world = World::new(number);
    world.phone.passes = 100;
    call(world)
}

fn call(mut world: World) -> (World, usize, usize) {
    let called = registered(&mut world);
    let caller = world.arrive(None, "hour", PAGE);
    world.run_for(SECOND);
    world.guests[caller].say(world.now, "call", &[]);
    world.run_for(SECOND);
    assert_eq!(words(&world, called, "1"), ["ringing"]);
    assert!(world.guests.iter().all(|guest| guest.direct.is_empty()), "nobody has answered");
    world.guests[called].say(world.now, "answer", &[("callId", "1".into())]);
    for guest in [caller, called] {
        streams(&mut world, guest, "1");
    }
    world.run_for(SECOND * 2);
    assert_eq!(words(&world, caller, "1").last().map(String::as_str), Some("active"));
    (world, caller, called)
}

fn says(world: &mut World, guest: usize, on: bool) {
    let arguments = [("callId", Value::from("1")), ("on", on.into())];
    world.guests[guest].say(world.now, "direct", &arguments);
    world.run_for(SECOND);
}

/// What a client was told last: whether sound goes directly, and whether there is a partner.
fn last(world: &World, guest: usize) -> (bool, bool) {
    let told = world.guests[guest].direct.last().expect("told of a direct stream");
    (told.1, !told.2.is_empty())
}

fn go_direct(world: &mut World, guests: [usize; 2]) {
    guests.into_iter().for_each(|guest| says(world, guest, true));
    for guest in guests {
        assert_eq!(last(world, guest), (true, true));
    }
}

#[test]
fn two_clients_whose_media_meets_are_introduced_and_may_be_silent_while_it_goes_directly() {
    let (mut world, caller, called) = pair(1);
    for (guest, other) in [(caller, called), (called, caller)] {
        let far = world.guests[other].peer_id();
        assert_eq!(world.guests[guest].direct, [("1".to_owned(), false, far)]);
    }
    let heard = world.guests[called].heard;
    assert!(heard > 40, "{heard} frames through the appliance meanwhile");
    says(&mut world, caller, true);
    assert_eq!(last(&world, called), (false, true), "one alone is not both");
    go_direct(&mut world, [caller, called]);
    for guest in [caller, called] {
        let publishing = world.guests[guest].publishing.clone();
        publishing.into_iter().for_each(|of| world.guests[guest].stop(world.now, of, false));
    }
    world.run_for(SECOND * 300);
    assert_eq!(words(&world, caller, "1").last().map(String::as_str), Some("active"));
    // Back on the bridge silence counts again, from then on.
    says(&mut world, called, false);
    for guest in [caller, called] {
        assert_eq!(last(&world, guest), (false, false));
    }
    world.run_for(SECOND * 55);
    assert_eq!(world.core.calls.len(), 2);
    world.run_for(SECOND * 10);
    assert!(world.core.calls.is_empty());
    assert!(words(&world, caller, "1").ends_with(&["ended".to_owned()]));
    world.check_log();
}

#[test]
fn clients_that_do_not_hear_each_other_in_time_are_told_and_their_call_goes_on() {
    let (mut world, caller, called) = pair(2);
    says(&mut world, caller, true);
    world.run_for(SECOND * 10);
    for guest in [caller, called] {
        assert_eq!(last(&world, guest), (false, false));
    }
    let told = world.guests[called].direct.len();
    says(&mut world, called, true);
    world.run_for(SECOND * 60);
    assert_eq!(world.guests[called].direct.len(), told, "what failed is not tried again");
    assert_eq!(world.core.calls.len(), 2);
}

#[test]
fn a_hold_brings_sound_back_and_its_end_introduces_the_clients_again() {
    let (mut world, caller, called) = pair(3);
    go_direct(&mut world, [caller, called]);
    world.guests[caller].say(world.now, "hold", &[("callId", "1".into())]);
    world.run_for(SECOND);
    for guest in [caller, called] {
        assert_eq!(last(&world, guest), (false, false));
    }
    says(&mut world, called, true);
    assert_eq!(last(&world, called), (false, false), "not on hold");
    world.guests[caller].say(world.now, "resume", &[("callId", "1".into())]);
    world.run_for(SECOND);
    for guest in [caller, called] {
        assert_eq!(last(&world, guest), (false, true));
    }
    go_direct(&mut world, [caller, called]);
}

#[test]
fn a_client_that_vanishes_while_sound_goes_directly_ends_the_call_within_half_a_minute() {
    let (mut world, caller, called) = pair(4);
    go_direct(&mut world, [caller, called]);
    world.guests[caller].leave(world.now, 2);
    world.run_for(SECOND * 30);
    assert!(world.core.calls.is_empty());
    assert!(words(&world, called, "1").ends_with(&["ended".to_owned()]));
    world.check_log();
}

#[test]
fn clients_are_not_introduced_past_somebody_who_stands_between_them_one_way() {
    let mut world = World::new(6);
    (world.phone.passes, world.phone.stands_between) = (100, true);
    let (mut world, caller, called) = call(world);
    world.run_for(SECOND * 5);
    assert_eq!(words(&world, called, "1"), ["ringing", "active"]);
    for guest in [caller, called] {
        assert_eq!(world.guests[guest].direct, []);
        says(&mut world, guest, true);
        assert_eq!(world.guests[guest].direct, [], "saying so makes no partner");
    }
}

#[test]
fn a_phone_and_a_browser_are_nobodys_partner() {
    let mut world = World::new(5);
    world.phone.passes = 100;
    let called = registered(&mut world);
    let page = world.open(Some("long"));
    world.run_for(SECOND);
    world.call(page, None, true);
    world.run_for(SECOND);
    world.guests[called].say(world.now, "answer", &[("callId", "1".into())]);
    streams(&mut world, called, "1");
    world.run_for(SECOND * 3);
    assert_eq!(words(&world, called, "1"), ["ringing", "active"]);
    world.phone_calls();
    world.run_for(SECOND);
    world.guests[called].say(world.now, "answer", &[("callId", "2".into())]);
    world.run_for(SECOND * 3);
    assert_eq!(words(&world, called, "2"), ["ringing", "active"]);
    assert_eq!(world.guests[called].direct, []);
}
