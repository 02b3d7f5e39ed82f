//! Ways by UDP that a NAT would forget while nothing is said.

use crate::registrar::Registrar;
use crate::wire::*;
use sip::message::{Method, Name};
use sip::{CauseKind, Command};
use std::time::{Duration, Instant};

/// What home routers and carriers allow at least between two datagrams.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30);

fn registered(seed: u64, registrar: std::net::SocketAddr) -> World {
    let mut world = World::new(seed);
    world.add(ours(), &[]);
    world.registrar = Some(Registrar::new(registrar));
    let mut settings = account(registrar);
    settings.register = true;
    world.command(0, Command::SetAccount { account: ACCOUNT, settings });
    world
}

#[test]
fn a_registered_account_is_never_silent_for_so_long_that_a_nat_forgets_it() {
    let mut world = registered(1, theirs());
    world.seconds(900);
    let registrar = world.registrar.as_ref().unwrap();
    let mut heard: Vec<Instant> = registrar.log.iter().map(|(at, _)| *at).collect();
    heard.extend(&registrar.line_ends);
    heard.push(world.now);
    heard.sort();
    let longest = heard.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(longest < FORGOTTEN_AFTER, "silent for {longest:?}");
    assert!(registrar.line_ends.len() <= 36, "{} in 15 minutes", registrar.line_ends.len());
    // A registration that is withdrawn needs no way.
    world.command(0, Command::Unregister { account: ACCOUNT });
    world.seconds(1);
    let before = world.registrar.as_ref().unwrap().line_ends.len();
    world.seconds(300);
    assert_eq!(world.registrar.as_ref().unwrap().line_ends.len(), before);
    world.assert_quiet();
}

#[test]
fn nothing_is_kept_open_within_one_machine() {
    let mut world = registered(2, at("127.0.0.1:5070"));
    world.seconds(200);
    assert!(!world.registrar.as_ref().unwrap().log.is_empty());
    assert!(world.registrar.as_ref().unwrap().line_ends.is_empty());
}

#[test]
fn a_call_without_a_registration_keeps_its_way_from_the_invite_to_the_end() {
    let (mut world, invite) = call(3);
    world.reply(theirs(), &invite, 180, "t", None);
    world.seconds(60);
    assert_eq!(world.line_ends(theirs()), 2, "while it rings");
    world.reply(theirs(), &invite, 200, "t", Some(ANSWER));
    world.request(theirs(), Method::Ack);
    world.seconds(60);
    let kept = world.line_ends(theirs());
    assert!((2..=3).contains(&kept), "{kept} while they talk");
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Normal });
    let bye = world.request(theirs(), Method::Bye);
    world.reply(theirs(), &bye, 200, "t", None);
    world.seconds(60);
    assert_eq!(world.line_ends(theirs()), 0);
    world.assert_quiet();
}

#[test]
fn a_call_that_comes_in_keeps_its_way_while_it_rings_and_when_it_is_taken_late() {
    let mut world = World::with_caller(6);
    world.say(theirs(), ask(theirs(), Method::Invite, "call", 1, None, Some(OFFER)));
    let invite = world.incoming(0);
    world.command(0, Command::Ring { invite, sdp: None });
    world.response(theirs(), 180);
    world.seconds(59);
    assert_eq!(world.line_ends(theirs()), 2, "while it rings");
    world.command(0, Command::Answer { invite, sdp: ANSWER.to_vec() });
    let tag = world.response(theirs(), 200).to().unwrap().tag().unwrap().to_owned();
    world.say(theirs(), ask(theirs(), Method::Ack, "call", 1, Some(&tag), None));
    world.seconds(60);
    let kept = world.line_ends(theirs());
    assert!((2..=3).contains(&kept), "{kept} while they talk");
    world.say(theirs(), ask(theirs(), Method::Bye, "call", 2, Some(&tag), None));
    world.seconds(60);
    assert_eq!(world.line_ends(theirs()), 0);
    world.assert_quiet();
}

#[test]
fn calls_and_accounts_at_one_server_share_their_way() {
    let mut world = World::with_caller(4);
    for number in 1..=5 {
        world.command(0, invite(number, theirs()));
        let request = world.request(theirs(), Method::Invite);
        world.reply(theirs(), &request, 180, "t", None);
    }
    world.seconds(59);
    assert_eq!(world.line_ends(theirs()), 2);
}

#[test]
fn a_server_without_registrations_shows_us_by_its_answers_where_it_sees_us() {
    let (mut world, invite) = call(5);
    assert_eq!(world.phones[0].endpoint.seen_at(ACCOUNT), None);
    let mut response = reply(theirs(), &invite, 180, "t", None);
    let mut via = invite.via().unwrap();
    via.set_received("203.0.113.5".parse().unwrap());
    via.set_rport(Some(41_111));
    response.headers.set_first(&Name::Via, via.to_string());
    world.say(theirs(), response);
    assert_eq!(world.phones[0].endpoint.seen_at(ACCOUNT), Some(at("203.0.113.5:41111")));
}
