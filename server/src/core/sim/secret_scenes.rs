//! Calls whose sound towards the provider is encrypted, or should be.

use super::phone::Manner;
use super::world::{World, secret_config};
use sdp::Encryption::{self, Off, Offered, Required};
use signalling::{CallState, ClientMessage, EndCause};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A call of four seconds after its answer, or to where it failed.
fn call(account: Encryption, prepare: impl FnOnce(&mut World)) -> World {
    let mut world = World::with(1, secret_config(account));
    world.phone.manner = Some(Manner::RingsThenAnswers(SECOND));
    prepare(&mut world);
    let link = world.open(Some("long"));
    let call = world.call(link, None, true);
    world.run_for(SECOND * 3);
    world.say(link, ClientMessage::Dtmf { call, digits: "12#".to_owned() });
    world.run_for(SECOND * 3);
    world
}

/// The state of the only call, with its cause.
fn state(world: &World) -> (CallState, Option<EndCause>) {
    let mut calls = world.pages.values().flat_map(|page| page.calls.values());
    calls.next().and_then(|call| call.states.last()).copied().expect("a call")
}

/// Whether both sides hear, and whether what passes between them is encrypted.
fn talks(world: &World) -> (bool, bool) {
    let talk = world.phone.talks.values().next().expect("a talk");
    let page = world.pages.values().flat_map(|page| page.calls.values()).next().expect("a call");
    let heard = talk.heard > 150 && page.heard > 150 && talk.digits == "12#";
    (heard, talk.stream.is_protected())
}

#[test]
fn sound_and_keys_cross_encrypted_where_both_sides_agree_and_plain_where_one_does_not() {
    for (account, phone, encrypted) in [
        (Offered, Offered, true),
        (Required, Offered, true),
        (Offered, Required, true),
        (Required, Required, true),
        (Offered, Off, false),
        (Off, Offered, false),
    ] {
        let world = call(account, |world| world.phone.srtp = phone);
        assert_eq!(state(&world), (CallState::Active, None), "{account:?} {phone:?}");
        assert_eq!(talks(&world), (true, encrypted), "{account:?} {phone:?}");
        assert_eq!(world.phone.invited, 1);
    }
}

#[test]
fn an_offer_that_is_refused_for_its_keys_is_made_again_without_them() {
    let world = call(Offered, |world| world.phone.refuses_keys = true);
    assert_eq!(state(&world), (CallState::Active, None));
    assert_eq!(talks(&world), (true, false));
    assert_eq!(world.phone.invited, 2);
}

#[test]
fn a_call_that_needs_encryption_ends_where_the_phone_has_none_and_says_why() {
    let ended = (CallState::Ended, Some(EndCause::NotEncrypted));
    let refused = call(Required, |world| world.phone.refuses_keys = true);
    assert_eq!((state(&refused), refused.phone.invited), (ended, 1));
    let incapable = call(Required, |world| world.phone.srtp = Off);
    assert_eq!((state(&incapable), incapable.phone.invited), (ended, 1));
}

#[test]
fn a_call_that_is_refused_for_something_else_is_refused_once_more_and_ends() {
    let world = call(Offered, |world| world.phone.manner = Some(Manner::Refuses(488)));
    assert_eq!(state(&world), (CallState::Ended, Some(EndCause::NoCommonCodec)));
    assert_eq!(world.phone.invited, 2);
    world.check_log();
}
