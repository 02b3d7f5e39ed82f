//! Registrations, and challenges to whatever else.

use crate::registrar::Registrar;
use crate::wire::*;
use base::Secret;
use sip::auth::{Algorithm, verify};
use sip::message::{Method, Name, NameAddr, Request, Uri};
use sip::{Cause, CauseKind, Command, Event, RegistrationState};
use std::time::Duration;

fn world(seed: u64, change: impl FnOnce(&mut Registrar)) -> World {
    let mut world = World::new(seed);
    world.add(ours(), &[]);
    let mut registrar = Registrar::new(theirs());
    change(&mut registrar);
    world.registrar = Some(registrar);
    let mut settings = account(theirs());
    settings.register = true;
    world.command(0, Command::SetAccount { account: ACCOUNT, settings });
    world
}

fn states(world: &World) -> Vec<RegistrationState> {
    let events = world.phones[0].events.iter();
    events
        .filter_map(|event| match event {
            Event::RegistrationChanged { state, .. } => Some(state.clone()),
            _ => None,
        })
        .collect()
}

fn failure(world: &World) -> (Cause, Duration) {
    match states(world).pop() {
        Some(RegistrationState::Failed { cause, retry_after }) => (cause, retry_after),
        other => panic!("{other:?}"),
    }
}

fn log(world: &World) -> Vec<Request> {
    let log = &world.registrar.as_ref().unwrap().log;
    log.iter().map(|(_, request)| request.clone()).collect()
}

#[test]
fn an_account_registers_with_digest_and_refreshes_before_its_time() {
    for algorithm in [Algorithm::Md5, Algorithm::Sha256, Algorithm::Sha512_256] {
        let mut world = world(1, |registrar| registrar.algorithms = vec![algorithm]);
        world.seconds(1);
        match states(&world).as_slice() {
            [RegistrationState::Registering, RegistrationState::Registered { until, contact }] => {
                assert_eq!(*contact, ours());
                let left = until.duration_since(world.now);
                assert!(left > Duration::from_secs(298) && left <= Duration::from_secs(300));
            }
            other => panic!("{other:?}"),
        }
        // Half an hour of refreshes: the binding is never gone.
        for _ in 0..1800 {
            world.seconds(1);
            assert_eq!(world.registrar.as_ref().unwrap().alive(world.now).len(), 1);
        }
        let log = log(&world);
        assert!((8..=12).contains(&log.len()), "{} REGISTERs", log.len());
        let numbers: Vec<u32> = log.iter().map(|r| r.cseq().unwrap().number).collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
        for request in &log {
            assert_eq!(request.call_id(), log[0].call_id());
            assert_eq!(request.from().unwrap().tag(), log[0].from().unwrap().tag());
            assert_eq!(request.uri.to_string(), "sip:sip.example");
            assert_eq!(request.to().unwrap().uri.to_string(), "sip:alice@sip.example");
        }
    }
}

#[test]
fn of_several_challenges_the_strongest_is_answered() {
    let mut world = world(2, |registrar| {
        registrar.algorithms = vec![Algorithm::Md5, Algorithm::Sha256];
    });
    world.seconds(1);
    let log = log(&world);
    assert!(log[1].headers.get(&Name::Authorization).unwrap().contains("SHA-256"));
    assert!(matches!(states(&world).last(), Some(RegistrationState::Registered { .. })));
}

#[test]
fn a_stale_nonce_is_replaced_without_a_failure() {
    let mut world = world(3, |registrar| registrar.nonce_uses = 1);
    world.seconds(3000);
    let failed = |state: &RegistrationState| matches!(state, RegistrationState::Failed { .. });
    assert!(!states(&world).iter().any(failed));
    assert_eq!(world.registrar.as_ref().unwrap().alive(world.now).len(), 1);
}

#[test]
fn a_wrong_password_is_not_tried_in_a_loop() {
    let mut world = world(4, |registrar| registrar.password = Some("another"));
    world.seconds(25);
    let (cause, pause) = failure(&world);
    assert_eq!(cause.kind, CauseKind::AuthenticationFailed);
    assert!(pause >= Duration::from_secs(30), "{pause:?}");
    assert_eq!(log(&world).len(), 2);
    world.seconds(3600);
    assert!(log(&world).len() <= 24, "{} attempts in an hour", log(&world).len());
    // The password is put right.
    let mut settings = account(theirs());
    settings.password = Secret::new("another");
    settings.register = true;
    world.command(0, Command::SetAccount { account: ACCOUNT, settings });
    world.seconds(1);
    assert!(matches!(states(&world).last(), Some(RegistrationState::Registered { .. })));
}

#[test]
fn a_lifetime_below_the_registrars_minimum_is_raised() {
    let mut world = world(5, |registrar| registrar.least = 1800);
    world.seconds(1);
    match states(&world).last() {
        Some(RegistrationState::Registered { until, .. }) => {
            assert!(until.duration_since(world.now) > Duration::from_secs(1790));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_granted_lifetime_of_our_own_contact_counts() {
    let mut world = world(6, |registrar| {
        registrar.most = 60;
        registrar.stranger = true;
    });
    for _ in 0..600 {
        world.seconds(1);
        assert_eq!(world.registrar.as_ref().unwrap().alive(world.now).len(), 1);
    }
}

#[test]
fn pauses_grow_while_the_registrar_is_silent_and_end_when_it_is_back() {
    let mut world = world(7, |registrar| registrar.mute = true);
    let mut pauses = Vec::new();
    for _ in 0..3000 {
        let before = states(&world).len();
        world.seconds(1);
        if states(&world).len() > before {
            let (cause, pause) = failure(&world);
            assert_eq!(cause.kind, CauseKind::Timeout);
            pauses.push(pause);
        }
    }
    assert!(pauses.len() >= 8, "{pauses:?}");
    let limit = Duration::from_secs(300);
    assert!(pauses[0] <= Duration::from_secs(4) && *pauses.last().unwrap() >= limit / 2);
    assert!(pauses.iter().all(|pause| *pause <= limit));
    world.registrar.as_mut().unwrap().mute = false;
    world.seconds(340);
    assert!(matches!(states(&world).last(), Some(RegistrationState::Registered { .. })));
}

#[test]
fn many_accounts_do_not_come_back_at_the_same_instant() {
    let mut pauses: Vec<Duration> = (0..50)
        .map(|seed| {
            let mut world = world(seed, |registrar| registrar.broken = Some(500));
            world.seconds(1);
            failure(&world).1
        })
        .collect();
    pauses.sort();
    pauses.dedup();
    assert!(pauses.len() > 30);
}

#[test]
fn retry_after_is_obeyed_and_a_refusal_waits_longer() {
    for (status, least) in [(503, 2), (500, 2), (403, 30), (404, 30)] {
        let mut world = world(8, |registrar| registrar.broken = Some(status));
        world.seconds(1);
        let (cause, pause) = failure(&world);
        assert_eq!(cause.status, Some(status));
        assert!(pause >= Duration::from_secs(least), "{status}: {pause:?}");
    }
}

#[test]
fn the_address_behind_a_nat_is_learnt_into_contact_and_via() {
    let outside = at("203.0.113.5:40000");
    for password in [Some("secret"), None] {
        let mut world = world(9, |registrar| {
            registrar.sees = Some(outside);
            registrar.password = password;
        });
        world.seconds(1);
        let bindings = world.registrar.as_ref().unwrap().alive(world.now);
        assert_eq!(bindings, ["sip:alice@203.0.113.5:40000"]);
        match states(&world).last() {
            Some(RegistrationState::Registered { contact, .. }) => assert_eq!(*contact, outside),
            other => panic!("{other:?}"),
        }
        world.command(0, invite(1, theirs()));
        world.seconds(1);
        let request = log(&world).pop().unwrap();
        assert_eq!(request.method, Method::Invite);
        assert_eq!(request.contact().unwrap().uri.to_string(), "sip:alice@203.0.113.5:40000");
        assert!(request.headers.get(&Name::Via).unwrap().contains("203.0.113.5:40000"));
        // The address changes: the old binding is withdrawn with the next refresh.
        world.registrar.as_mut().unwrap().sees = Some(at("203.0.113.5:41111"));
        world.seconds(300);
        let bindings = world.registrar.as_ref().unwrap().alive(world.now);
        assert_eq!(bindings, ["sip:alice@203.0.113.5:41111"]);
    }
}

#[test]
fn unregister_remove_and_shutdown_withdraw_the_binding() {
    let orders = [
        Command::Unregister { account: ACCOUNT },
        Command::RemoveAccount { account: ACCOUNT },
        Command::Shutdown,
    ];
    for order in orders {
        let mut world = world(10, |_| {});
        world.seconds(1);
        world.command(0, order);
        world.seconds(1);
        assert!(world.registrar.as_ref().unwrap().alive(world.now).is_empty());
        assert_eq!(states(&world).last(), Some(&RegistrationState::Unregistered));
        world.assert_quiet();
        let strange = world.phones[0].endpoint.counters().dropped_foreign;
        assert_eq!(strange, 0);
    }
}

#[test]
fn an_account_removed_while_it_registers_is_withdrawn_all_the_same() {
    let mut world = world(11, |_| {});
    world.command(0, Command::RemoveAccount { account: ACCOUNT });
    world.seconds(2);
    assert!(world.registrar.as_ref().unwrap().alive(world.now).is_empty());
    world.assert_quiet();
}

#[test]
fn an_account_that_becomes_another_leaves_its_old_binding() {
    let mut world = world(12, |registrar| registrar.password = None);
    world.seconds(1);
    let mut settings = account(theirs());
    settings.register = true;
    settings.username = "carol".into();
    world.command(0, Command::SetAccount { account: ACCOUNT, settings });
    world.seconds(1);
    let bindings = world.registrar.as_ref().unwrap().alive(world.now);
    assert_eq!(bindings, ["sip:carol@192.0.2.1:5060"]);
    assert!(matches!(states(&world).last(), Some(RegistrationState::Registered { .. })));
}

#[test]
fn an_outbound_proxy_and_the_service_route_stand_before_the_target() {
    let mut world = world(13, |registrar| registrar.service_route = Some("<sip:home.example;lr>"));
    let mut settings = account(theirs());
    let proxy = Uri::parse("sip:192.0.2.2:5060;lr").unwrap();
    settings.outbound_proxy = Some(proxy);
    settings.peers = vec![at("198.51.100.1:5060").ip()];
    settings.register = true;
    world.command(0, Command::SetAccount { account: ACCOUNT, settings });
    world.seconds(2);
    assert!(matches!(states(&world).last(), Some(RegistrationState::Registered { .. })));
    world.command(0, invite(1, theirs()));
    world.seconds(1);
    let log = log(&world);
    let register = log.iter().rfind(|r| r.method == Method::Register).unwrap();
    assert_eq!(register.headers.get(&Name::Route), Some("<sip:192.0.2.2:5060;lr>"));
    let routes: Vec<String> =
        log.last().unwrap().routes().iter().map(NameAddr::to_string).collect();
    assert_eq!(routes, ["<sip:192.0.2.2:5060;lr>", "<sip:home.example;lr>"]);
}

/// A scripted server asks for credentials.
pub fn challenge(world: &mut World, request: &Request, status: u16, nonce: &str, stale: bool) {
    let mut response = reply(theirs(), request, status, "proxy", None);
    let name = if status == 401 { Name::WwwAuthenticate } else { Name::ProxyAuthenticate };
    let value =
        format!("Digest realm=\"r{status}\", nonce=\"{nonce}\", qop=\"auth\", stale={stale}");
    response.headers.push(name, value);
    world.say(theirs(), response);
}

pub fn nonce(request: &Request, name: &Name) -> Option<(String, u32)> {
    let value = request.headers.get(name)?;
    let method = match request.method {
        // The ACK repeats what the INVITE said (13.2.2.4).
        Method::Ack => "INVITE",
        ref method => method.as_str(),
    };
    let right = verify(value, method, &request.body, &Secret::new("secret")).unwrap();
    Some((right.nonce, right.nonce_count))
}

#[test]
fn an_invite_is_challenged_by_the_proxy_and_then_by_the_phone() {
    let mut world = World::with_caller(20);
    world.command(0, invite(1, theirs()));
    let first = world.request(theirs(), Method::Invite);
    challenge(&mut world, &first, 407, "p1", false);
    world.request(theirs(), Method::Ack);
    let second = world.request(theirs(), Method::Invite);
    assert_eq!(nonce(&second, &Name::ProxyAuthorization), Some(("p1".into(), 1)));
    assert_eq!(second.cseq().unwrap().number, first.cseq().unwrap().number + 1);
    assert_eq!(second.call_id(), first.call_id());
    assert_eq!(second.from().unwrap().tag(), first.from().unwrap().tag());
    assert_eq!(second.to().unwrap().tag(), None);
    assert_ne!(second.via().unwrap().branch(), first.via().unwrap().branch());
    challenge(&mut world, &second, 401, "u1", false);
    world.request(theirs(), Method::Ack);
    let third = world.request(theirs(), Method::Invite);
    assert_eq!(nonce(&third, &Name::Authorization), Some(("u1".into(), 1)));
    assert_eq!(nonce(&third, &Name::ProxyAuthorization), Some(("p1".into(), 2)));
    world.reply(theirs(), &third, 200, "kept", Some(ANSWER));
    let ack = world.request(theirs(), Method::Ack);
    assert!(ack.headers.get(&Name::Authorization).is_some());
    assert!(ack.headers.get(&Name::ProxyAuthorization).is_some());
    assert_eq!(ack.cseq().unwrap().number, third.cseq().unwrap().number);
    // BYE goes with the known nonces; the proxy wants a new one.
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Normal });
    let bye = world.request(theirs(), Method::Bye);
    assert_eq!(nonce(&bye, &Name::ProxyAuthorization), Some(("p1".into(), 3)));
    challenge(&mut world, &bye, 407, "p2", true);
    let again = world.request(theirs(), Method::Bye);
    assert_eq!(nonce(&again, &Name::ProxyAuthorization), Some(("p2".into(), 1)));
    assert_eq!(again.cseq().unwrap().number, bye.cseq().unwrap().number + 1);
    world.reply(theirs(), &again, 200, "", None);
    world.cause(0, ONE);
    world.assert_quiet();
}

#[test]
fn a_call_whose_password_is_refused_ends_so() {
    let mut world = World::with_caller(21);
    world.command(0, invite(1, theirs()));
    let first = world.request(theirs(), Method::Invite);
    challenge(&mut world, &first, 401, "u1", false);
    world.request(theirs(), Method::Ack);
    let second = world.request(theirs(), Method::Invite);
    challenge(&mut world, &second, 401, "u2", false);
    world.request(theirs(), Method::Ack);
    assert_eq!(world.cause(0, ONE).kind, CauseKind::AuthenticationFailed);
    world.assert_quiet();
}

#[test]
fn a_server_that_calls_every_nonce_stale_is_given_up() {
    let mut world = World::with_caller(22);
    world.command(0, invite(1, theirs()));
    for number in 0..20 {
        if !world.causes(0, ONE).is_empty() {
            break;
        }
        let request = world.request(theirs(), Method::Invite);
        challenge(&mut world, &request, 407, &number.to_string(), number > 0);
        world.request(theirs(), Method::Ack);
    }
    assert_eq!(world.cause(0, ONE).kind, CauseKind::AuthenticationFailed);
    world.assert_quiet();
}

#[test]
fn a_cancelled_call_does_not_answer_a_challenge() {
    let mut world = World::with_caller(23);
    world.command(0, invite(1, theirs()));
    let first = world.request(theirs(), Method::Invite);
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Cancelled });
    challenge(&mut world, &first, 407, "p1", false);
    world.request(theirs(), Method::Ack);
    world.assert_quiet();
    assert!(world.waiting(theirs()).is_empty());
    assert_eq!(world.cause(0, ONE).kind, CauseKind::Cancelled);
}

#[test]
fn a_challenged_invite_that_is_accepted_after_all_is_not_taken_twice() {
    let mut world = World::with_caller(24);
    world.command(0, invite(1, theirs()));
    let first = world.request(theirs(), Method::Invite);
    challenge(&mut world, &first, 407, "p1", false);
    world.request(theirs(), Method::Ack);
    let second = world.request(theirs(), Method::Invite);
    world.reply(theirs(), &first, 200, "early", Some(ANSWER));
    assert_eq!(world.request(theirs(), Method::Ack).to().unwrap().tag(), Some("early"));
    let bye = world.request(theirs(), Method::Bye);
    assert_eq!(bye.to().unwrap().tag(), Some("early"));
    world.reply(theirs(), &bye, 200, "", None);
    world.reply(theirs(), &second, 200, "kept", Some(ANSWER));
    assert_eq!(world.request(theirs(), Method::Ack).to().unwrap().tag(), Some("kept"));
    assert_eq!(world.count(0, |event| matches!(event, Event::Answered { .. })), 1);
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Normal });
    world.assert_quiet();
}

#[test]
fn a_registrar_at_another_address_gets_the_same_registration() {
    let mut world = world(25, |_| {});
    world.seconds(1);
    let moved = at("192.0.2.77:5060");
    world.registrar.as_mut().unwrap().address = moved;
    let mut settings = account(moved);
    settings.register = true;
    world.command(0, Command::SetAccount { account: ACCOUNT, settings });
    world.seconds(1);
    assert!(matches!(states(&world).last(), Some(RegistrationState::Registered { .. })));
    let log = log(&world);
    assert_eq!(log.first().unwrap().call_id(), log.last().unwrap().call_id());
    assert_eq!(world.registrar.as_ref().unwrap().alive(world.now).len(), 1);
}
