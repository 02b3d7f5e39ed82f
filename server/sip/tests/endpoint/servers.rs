//! Several servers of one name: the next one's turn (RFC 3263 4.3).

use crate::wire::*;
use sip::message::{Message, Method, Name};
use sip::{CauseKind, Command, Event, InviteId, RegistrationState, Target};
use std::net::SocketAddr;

fn second() -> SocketAddr {
    at("192.0.2.3:5060")
}

fn third() -> SocketAddr {
    at("192.0.2.4:5060")
}

/// A caller with three servers.
fn world(seed: u64, register: bool) -> World {
    let mut world = World::new(seed);
    world.add(ours(), &[]);
    let mut settings = account(theirs());
    settings.targets = [theirs(), second(), third()].map(Target::udp).to_vec();
    settings.register = register;
    world.command(0, Command::SetAccount { account: ACCOUNT, settings });
    world
}

fn call(world: &mut World, number: u64) {
    let Command::Invite { invite, account, destination, headers, display_name, offer, .. } =
        invite(number, theirs())
    else {
        panic!()
    };
    let targets = [theirs(), second(), third()].map(Target::udp).to_vec();
    world.command(
        0,
        Command::Invite { invite, account, destination, targets, headers, display_name, offer },
    );
}

#[test]
fn a_call_goes_to_the_next_server_after_503_and_the_caller_notices_nothing() {
    let mut world = world(61, false);
    call(&mut world, 1);
    let first = world.request(theirs(), Method::Invite);
    world.reply(theirs(), &first, 503, "down", None);
    world.request(theirs(), Method::Ack);
    let next = world.request(second(), Method::Invite);
    // The same request in another transaction.
    for name in [Name::CallId, Name::From, Name::To, Name::CSeq] {
        assert_eq!(next.headers.get(&name), first.headers.get(&name));
    }
    assert_ne!(next.headers.get(&Name::Via), first.headers.get(&Name::Via));
    world.reply(second(), &next, 200, "up", Some(ANSWER));
    world.request(second(), Method::Ack);
    assert_eq!(world.count(0, |event| matches!(event, Event::Answered { .. })), 1);
    assert!(world.causes(0, InviteId(1)).is_empty());
}

#[test]
fn a_server_that_says_nothing_loses_the_call_to_the_next_one_within_seconds() {
    let mut world = world(62, false);
    call(&mut world, 1);
    let begun = world.now;
    let first = world.request(theirs(), Method::Invite);
    let next = world.request(second(), Method::Invite);
    assert!((world.now - begun).as_secs() <= 4);
    world.reply(second(), &next, 180, "up", None);
    // It wakes up too late: its phone must stop ringing.
    world.reply(theirs(), &first, 180, "late", None);
    world.waiting(theirs()).iter().for_each(|message| {
        let Message::Request(request) = message else { panic!("a response") };
        assert!(matches!(request.method, Method::Invite | Method::Cancel), "{}", request.method);
    });
    world.reply(second(), &next, 200, "up", Some(ANSWER));
    world.request(second(), Method::Ack);
    // It is answered after all: it gets ACK and BYE, and the call goes on.
    world.reply(theirs(), &first, 200, "late", Some(ANSWER));
    world.request(theirs(), Method::Ack);
    let bye = world.request(theirs(), Method::Bye);
    world.reply(theirs(), &bye, 200, "", None);
    world.seconds(60);
    assert!(world.causes(0, InviteId(1)).is_empty());
    world.command(0, Command::Hangup { invite: InviteId(1), cause: CauseKind::Normal });
    let bye = world.request(second(), Method::Bye);
    world.reply(second(), &bye, 200, "", None);
    world.assert_quiet();
}

#[test]
fn a_late_server_that_only_rings_is_forgotten_in_bounded_time() {
    let mut world = world(63, false);
    call(&mut world, 1);
    let first = world.request(theirs(), Method::Invite);
    let next = world.request(second(), Method::Invite);
    world.reply(theirs(), &first, 180, "late", None);
    world.reply(second(), &next, 486, "busy", None);
    assert_eq!(world.cause(0, InviteId(1)).kind, CauseKind::Busy);
    world.assert_quiet();
}

#[test]
fn a_call_that_no_server_takes_ends_with_the_cause_of_the_last() {
    let mut world = world(64, false);
    call(&mut world, 1);
    for server in [theirs(), second(), third()] {
        let request = world.request(server, Method::Invite);
        world.reply(server, &request, 503, "down", None);
    }
    let cause = world.cause(0, InviteId(1));
    assert_eq!((cause.kind, cause.status), (CauseKind::Overloaded, Some(503)));
    world.assert_quiet();
}

#[test]
fn a_refusal_is_an_answer_and_no_reason_to_ask_elsewhere() {
    let mut world = world(65, false);
    call(&mut world, 1);
    let request = world.request(theirs(), Method::Invite);
    world.reply(theirs(), &request, 486, "busy", None);
    assert_eq!(world.cause(0, InviteId(1)).kind, CauseKind::Busy);
    world.seconds(10);
    assert!(world.waiting(second()).is_empty());
    world.assert_quiet();
}

#[test]
fn a_call_hung_up_while_a_server_is_silent_goes_nowhere_else() {
    let mut world = world(66, false);
    call(&mut world, 1);
    world.request(theirs(), Method::Invite);
    world.command(0, Command::Hangup { invite: InviteId(1), cause: CauseKind::Normal });
    world.assert_quiet();
    assert!(world.waiting(second()).is_empty());
}

#[test]
fn a_registration_moves_on_at_once_and_calls_follow_it() {
    let mut world = world(67, true);
    world.request(theirs(), Method::Register);
    world.unreachable(0, theirs().ip());
    let request = world.request(second(), Method::Register);
    let mut answer = reply(second(), &request, 200, "", None);
    answer.headers.set(Name::Contact, "<sip:alice@192.0.2.1:5060>;expires=300");
    world.say(second(), answer);
    let states = world.phones[0].events.iter().filter_map(|event| match event {
        Event::RegistrationChanged { state, .. } => Some(state.clone()),
        _ => None,
    });
    let states: Vec<_> = states.collect();
    assert!(
        matches!(
            states[..],
            [RegistrationState::Registering, RegistrationState::Registered { .. }]
        ),
        "{states:?}"
    );
    call(&mut world, 1);
    world.request(second(), Method::Invite);
}

#[test]
fn a_registration_that_no_server_takes_pauses_and_begins_with_the_first() {
    let mut world = world(68, true);
    for server in [theirs(), second(), third()] {
        let request = world.request(server, Method::Register);
        world.reply(server, &request, 503, "", None);
    }
    let failed = |event: &Event| {
        matches!(event, Event::RegistrationChanged { state: RegistrationState::Failed { .. }, .. })
    };
    assert_eq!(world.count(0, failed), 1);
    world.request(theirs(), Method::Register);
}

#[test]
fn a_registration_returns_to_its_first_server_after_a_while() {
    let mut world = world(69, true);
    world.request(theirs(), Method::Register);
    world.unreachable(0, theirs().ip());
    let begun = world.now;
    while world.waiting(theirs()).is_empty() {
        for message in world.waiting(second()) {
            let Message::Request(request) = message else { panic!("a response") };
            let mut answer = reply(second(), &request, 200, "", None);
            answer.headers.set(Name::Contact, "<sip:alice@192.0.2.1:5060>;expires=60");
            world.say(second(), answer);
        }
        world.run(std::time::Duration::from_millis(200));
        assert!((world.now - begun).as_secs() < 700, "it never returns");
    }
    assert!((world.now - begun).as_secs() >= 600, "it returns too soon");
}
