//! Sessions on bad wires, through translators that forget, and under attack.

use crate::world::{BAD, MS, S, World, address, ephemeral};
use rtmfp::crypto::{Group, Identity, Protection};
use rtmfp::session::{OpenFlow, SessionEvent};
use rtmfp::{Command, Event, Settings};

const SERVER: &str = "192.0.2.1:1935";
const CLIENT: &str = "198.51.100.1:5000";

fn pair(number: u64, hmac: Protection) -> (World, usize, usize) {
    let mut world = World::new(number);
    let identity = ephemeral(Group::Modp1024, &mut world.seed);
    let server = world.host(Settings::server(address(SERVER)), identity);
    let identity = Identity::ephemeral(&[Group::Modp1024], &mut world.seed).unwrap();
    let settings = Settings { hmac, sequence: hmac, ..Settings::client(address(CLIENT)) };
    let client = world.host(settings, identity);
    (world, server, client)
}

#[test]
fn sessions_open_talk_and_close_on_bad_wires() {
    for number in 0..200 {
        let (mut world, server, client) = pair(number, Protection::Wanted);
        world.wire = BAD;
        world.open(client, &[SERVER]);
        let open = |world: &World| world.is_open(client) && world.is_open(server);
        assert!(world.pass_until(95 * S, open), "{number}");
        let sessions = [(client, world.session(client)), (server, world.session(server))];
        let flow = OpenFlow { metadata: b"m", return_of: None, time_critical: false, priority: 0 };
        let mut sent = Vec::new();
        for (host, session) in sessions {
            let flow = world.hosts[host].endpoint.open_flow(session, flow).unwrap();
            for at in 0..30u8 {
                let message = vec![at; 1 + usize::from(at) * 97];
                let now = world.now;
                let endpoint = &mut world.hosts[host].endpoint;
                endpoint.send(now, session, flow, &message, None).unwrap();
                world.drain(host);
                world.pass(20 * MS);
                if host == client {
                    sent.push(message);
                }
            }
        }
        let arrived = |world: &World| {
            sessions.iter().all(|(host, session)| world.heard(*host, *session) == sent)
        };
        assert!(world.pass_until(120 * S, arrived), "{number}: whole, once and in order");
        let session = world.session(client);
        world.command(client, Command::Close { session, orderly: true });
        world.pass(400 * S);
        for host in [client, server] {
            assert!(!world.is_open(host), "{number}");
            assert_eq!(world.hosts[host].endpoint.sessions(), 0, "{number}");
            assert_eq!(world.hosts[host].endpoint.poll_timeout(), None, "{number}");
        }
    }
}

#[test]
fn a_session_follows_a_client_whose_translator_takes_a_new_port() {
    let (mut world, server, client) = pair(1, Protection::Wanted);
    world.translate(client, "203.0.113.1:6000");
    world.open(client, &[SERVER]);
    assert!(world.pass_until(5 * S, |world| world.is_open(client) && world.is_open(server)));
    world.talk(client, server);
    let session = world.session(server);
    for port in 6001..6005 {
        let public = address(&format!("203.0.113.1:{port}"));
        world.hosts[client].translator.as_mut().unwrap().public = public;
        let speaker = world.session(client);
        world.say(client, speaker, b"from somewhere else");
        world.pass(5 * S);
        let moved = |event: &Event| match event {
            Event::Session { session: seen, event: SessionEvent::Moved { to, .. } } => {
                *seen == session && *to == public
            }
            _ => false,
        };
        assert!(world.hosts[server].events.iter().any(moved), "{port}");
        world.talk(client, server);
    }
    assert_eq!(world.session(server), session);
}

#[test]
fn packets_that_are_sent_again_by_somebody_else_change_nothing() {
    let (mut world, server, client) = pair(1, Protection::Wanted);
    world.log = Some(Vec::new());
    world.open(client, &[SERVER]);
    assert!(world.pass_until(5 * S, |world| world.is_open(client) && world.is_open(server)));
    world.talk(client, server);
    let log = world.log.take().unwrap();
    let (events, before) = (world.hosts[server].events.len(), world.hosts[client].events.len());
    let attacker = address("203.0.113.66:666");
    for sent in &log {
        for from in [sent.from, attacker] {
            world.inject(from, sent.to, sent.octets.clone());
        }
    }
    world.pass(10 * S);
    assert_eq!(world.hosts[server].events.len(), events);
    assert_eq!(world.hosts[client].events.len(), before);
    assert!(world.hosts[server].endpoint.counters().replayed > 0);
    let strayed = world.strays.iter().filter(|sent| sent.to == attacker);
    // What an attacker hears are answers to hellos and to cookies that are not its own.
    let heard: usize = strayed.map(|sent| sent.octets.len()).sum();
    assert!(heard < 600, "{heard} octets");
    world.talk(client, server);
}

#[test]
fn a_session_without_hmac_does_not_follow_packets_from_elsewhere() {
    let (mut world, server, client) = pair(1, Protection::Never);
    world.translate(client, "203.0.113.1:6000");
    world.open(client, &[SERVER]);
    assert!(world.pass_until(5 * S, |world| world.is_open(client) && world.is_open(server)));
    world.talk(client, server);
    let session = world.session(server);
    let public = address("203.0.113.66:666");
    world.hosts[client].translator.as_mut().unwrap().public = public;
    let speaker = world.session(client);
    world.say(client, speaker, b"from somewhere else");
    world.log = Some(Vec::new());
    world.pass(5 * S);
    let log = world.log.take().unwrap();
    assert!(log.iter().all(|sent| sent.to != public));
    let moved = |event: &Event| matches!(event, Event::Session { event: SessionEvent::Moved { .. }, session: seen } if *seen == session);
    assert!(!world.hosts[server].events.iter().any(moved));
}

#[test]
fn noise_of_every_length_opens_nothing_and_gets_no_answer() {
    let (mut world, server, client) = pair(1, Protection::Wanted);
    world.open(client, &[SERVER]);
    assert!(world.pass_until(5 * S, |world| world.is_open(client) && world.is_open(server)));
    for number in 0..20_000usize {
        let mut octets = vec![0; number % 1_500];
        world.seed.fill(&mut octets);
        world.inject(address("203.0.113.66:666"), address(SERVER), octets);
    }
    world.pass(S);
    assert_eq!(world.strays.len(), 0);
    assert!(world.hosts[server].endpoint.counters().unverified > 19_000);
    world.talk(client, server);
}
