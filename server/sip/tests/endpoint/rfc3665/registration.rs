//! Section 2: Bob registers.

use super::all;
use crate::registrar::{Registrar, place};
use crate::wire::*;
use sip::message::{Name, Request};
use sip::{CauseKind, Command, Event, RegistrationState};

fn registering(seed: u64, change: impl FnOnce(&mut Registrar)) -> World {
    let mut world = World::new(seed);
    world.add(ours(), &[]);
    let mut registrar = Registrar::new(theirs());
    change(&mut registrar);
    world.registrar = Some(registrar);
    let mut settings = account(theirs());
    settings.register = true;
    world.command(0, Command::SetAccount { account: ACCOUNT, settings });
    world.seconds(1);
    world
}

fn heard(world: &World) -> Vec<Request> {
    let log = &world.registrar.as_ref().unwrap().log;
    log.iter().map(|(_, request)| request.clone()).collect()
}

fn state(world: &World) -> RegistrationState {
    let mut events = world.phones[0].events.iter().rev();
    events
        .find_map(|event| match event {
            Event::RegistrationChanged { state, .. } => Some(state.clone()),
            _ => None,
        })
        .unwrap()
}

fn has_credentials(request: &Request) -> bool {
    request.headers.get(&Name::Authorization).is_some()
}

#[test]
fn flow_2_1_successful_new_registration() {
    let world = registering(1, |_| {});
    let log = heard(&world);
    let [f1, f3] = log.as_slice() else { panic!("{} requests", log.len()) };
    assert!(!has_credentials(f1) && has_credentials(f3));
    assert_eq!(f3.cseq().unwrap().number, f1.cseq().unwrap().number + 1);
    assert_ne!(f3.via().unwrap().branch(), f1.via().unwrap().branch());
    for name in [Name::CallId, Name::To, Name::Contact] {
        assert_eq!(f3.headers.get(&name), f1.headers.get(&name));
    }
    assert_eq!(f1.headers.get(&Name::To), Some("<sip:alice@sip.example>"));
    assert!(matches!(state(&world), RegistrationState::Registered { .. }));
}

#[test]
fn flow_2_2_update_of_contact_list() {
    let mut world = registering(2, |_| {});
    let before = heard(&world).len();
    // We are seen elsewhere: the list gets the new place and loses the old one.
    let moved = at("203.0.113.5:40000");
    world.registrar.as_mut().unwrap().sees = Some(moved);
    world.seconds(300);
    let log = heard(&world);
    assert!(log.len() > before);
    assert!(log[before..].iter().all(has_credentials), "no challenge is needed");
    let alive = world.registrar.as_ref().unwrap().alive(world.now);
    assert_eq!(alive, ["sip:alice@203.0.113.5:40000"]);
    match state(&world) {
        RegistrationState::Registered { contact, .. } => assert_eq!(contact, moved),
        other => panic!("{other:?}"),
    }
}

#[test]
fn flow_2_4_cancellation_of_registration() {
    let mut world = registering(3, |registrar| registrar.stranger = true);
    let before = heard(&world).len();
    world.command(0, Command::Unregister { account: ACCOUNT });
    world.seconds(1);
    let log = heard(&world);
    let [f1] = &log[before..] else { panic!("{} requests", log.len() - before) };
    assert!(has_credentials(f1));
    let contacts = f1.contacts();
    assert_eq!(contacts.len(), 1);
    assert_eq!(place(&contacts[0].uri.to_string()), "sip:alice@192.0.2.1:5060");
    let expires = contacts[0].expires().or(f1.headers.seconds(&Name::Expires));
    assert_eq!(expires, Some(0));
    assert_eq!(state(&world), RegistrationState::Unregistered);
    assert!(world.registrar.as_ref().unwrap().alive(world.now).is_empty());
    world.assert_quiet();
}

#[test]
fn flow_2_5_unsuccessful_registration() {
    let mut world = registering(4, |registrar| registrar.password = Some("another"));
    let log = heard(&world);
    let [f1, f3] = log.as_slice() else { panic!("{} requests", log.len()) };
    assert!(!has_credentials(f1) && has_credentials(f3));
    assert_eq!(all(f3, &Name::Authorization).len(), 1);
    let RegistrationState::Failed { cause, .. } = state(&world) else { panic!("registered") };
    assert_eq!((cause.kind, cause.status), (CauseKind::AuthenticationFailed, Some(401)));
    world.seconds(20);
    assert_eq!(heard(&world).len(), 2, "a refused password is not tried again at once");
}
