//! Calls that could go another way, and servers that have just failed.

use crate::wire::*;
use sip::message::Method;
use sip::{CauseKind, Command, InviteId, Originator, Target};
use std::net::SocketAddr;

fn second() -> SocketAddr {
    at("192.0.2.3:5060")
}

fn world(seed: u64, servers: &[SocketAddr]) -> World {
    let mut world = World::new(seed);
    world.add(ours(), &[]);
    let mut settings = account(theirs());
    settings.targets = servers.iter().copied().map(Target::udp).collect();
    settings.register = false;
    world.command(0, Command::SetAccount { account: ACCOUNT, settings });
    world
}

fn call(world: &mut World, number: u64, servers: &[SocketAddr]) {
    let Command::Invite { invite, account, destination, headers, display_name, offer, .. } =
        invite(number, theirs())
    else {
        panic!()
    };
    let targets = servers.iter().copied().map(Target::udp).collect();
    world.command(
        0,
        Command::Invite { invite, account, destination, targets, headers, display_name, offer },
    );
}

#[test]
fn a_hurried_call_to_a_silent_server_ends_within_seconds_and_leaves_no_phone_ringing() {
    let mut world = world(71, &[theirs()]);
    call(&mut world, 1, &[theirs()]);
    world.command(0, Command::Hurry { invite: InviteId(1) });
    let request = world.request(theirs(), Method::Invite);
    world.seconds(5);
    let cause = world.cause(0, InviteId(1));
    assert_eq!((cause.kind, cause.originator), (CauseKind::Timeout, Originator::Network));
    assert!(!world.waiting(theirs()).is_empty(), "it was asked more than once");
    world.reply(theirs(), &request, 180, "late", None);
    let cancel = world.request(theirs(), Method::Cancel);
    world.reply(theirs(), &cancel, 200, "", None);
    world.reply(theirs(), &request, 487, "late", None);
    world.assert_quiet();
}

#[test]
fn a_hurried_call_that_is_being_worked_on_takes_its_time() {
    let mut world = world(72, &[theirs()]);
    call(&mut world, 1, &[theirs()]);
    world.command(0, Command::Hurry { invite: InviteId(1) });
    let request = world.request(theirs(), Method::Invite);
    world.reply(theirs(), &request, 100, "", None);
    world.seconds(60);
    assert!(world.causes(0, InviteId(1)).is_empty());
    world.reply(theirs(), &request, 486, "busy", None);
    assert_eq!(world.cause(0, InviteId(1)).kind, CauseKind::Busy);
    world.assert_quiet();
}

#[test]
fn the_next_call_begins_where_the_last_one_got_through_and_returns_after_a_minute() {
    let servers = [theirs(), second()];
    let mut world = world(73, &servers);
    call(&mut world, 1, &servers);
    let request = world.request(theirs(), Method::Invite);
    world.reply(theirs(), &request, 503, "down", None);
    world.request(theirs(), Method::Ack);
    let request = world.request(second(), Method::Invite);
    world.reply(second(), &request, 486, "busy", None);
    world.request(second(), Method::Ack);
    world.seconds(5);
    call(&mut world, 2, &servers);
    let request = world.request(second(), Method::Invite);
    world.reply(second(), &request, 486, "busy", None);
    world.request(second(), Method::Ack);
    world.seconds(70);
    assert!(world.waiting(theirs()).is_empty(), "the one that failed was left alone");
    call(&mut world, 3, &servers);
    let request = world.request(theirs(), Method::Invite);
    world.reply(theirs(), &request, 486, "busy", None);
    assert_eq!(world.cause(0, InviteId(3)).kind, CauseKind::Busy);
    world.assert_quiet();
}
