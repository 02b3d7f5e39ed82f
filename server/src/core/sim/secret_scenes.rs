//! Calls whose sound towards the provider is encrypted, or should be.

use super::phone::Manner;
use super::world::{World, secret_config};
use sdp::Encryption::{self, Off, Offered, Required};
use signalling::{CallState, ClientMessage, EndCause, limits};
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

/// A call to or from a page's own account, of four seconds after its answer, or to where it failed.
fn page_call(account: Encryption, comes_in: bool, prepare: impl FnOnce(&mut World)) -> World {
    let mut world = World::with(3, secret_config(account));
    world.phone.manner = Some(Manner::RingsThenAnswers(SECOND));
    (world.phone.speaks, world.media.loss) = (true, 0);
    prepare(&mut world);
    let link = world.open(None);
    let (registrar, password) = ("198.51.100.20".to_owned(), "secret".to_owned());
    let username = format!("page{}", link.0);
    world.say(link, ClientMessage::Register { registrar, username, password });
    world.run_for(SECOND);
    let call = match comes_in {
        true => {
            world.phone_calls();
            world.run_for(SECOND);
            world.take(link, limits::FIRST_INCOMING, true);
            limits::FIRST_INCOMING
        }
        false => world.call(link, Some("7"), true),
    };
    world.run_for(SECOND * 3);
    world.say(link, ClientMessage::Dtmf { call, digits: "12#".to_owned() });
    world.run_for(SECOND * 3);
    world
}

#[test]
fn a_pages_own_account_encrypts_as_the_file_says_and_its_calls_end_for_the_same_reasons() {
    for comes_in in [false, true] {
        for (account, encrypted) in [(Offered, true), (Required, true), (Off, false)] {
            let world = page_call(account, comes_in, |world| world.phone.srtp = Offered);
            assert_eq!(state(&world), (CallState::Active, None), "{account:?} {comes_in}");
            assert_eq!(talks(&world), (true, encrypted), "{account:?} {comes_in}");
        }
    }
    let again = page_call(Offered, false, |world| world.phone.refuses_keys = true);
    assert_eq!((state(&again).0, talks(&again)), (CallState::Active, (true, false)));
    let plain = page_call(Required, false, |world| world.phone.srtp = Off);
    assert_eq!(state(&plain), (CallState::Ended, Some(EndCause::NotEncrypted)));
    // A caller that cannot encrypt does not ring.
    let plain = page_call(Required, true, |world| world.phone.srtp = Off);
    assert!(plain.pages.values().all(|page| page.calls.is_empty()));
    assert!(plain.phone.talks.is_empty());
}

#[test]
fn a_call_that_is_refused_for_something_else_is_refused_once_more_and_ends() {
    let world = call(Offered, |world| world.phone.manner = Some(Manner::Refuses(488)));
    assert_eq!(state(&world), (CallState::Ended, Some(EndCause::NoCommonCodec)));
    assert_eq!(world.phone.invited, 2);
    world.check_log();
}
