//! Handshakes that are not straight: cookies, repetitions, rivals, glare.

use crate::raw::{Keying, Raw, rikeying};
use crate::world::{MS, S, World, address};
use rtmfp::chunk::{Chunk, CookieChange, IHello};
use rtmfp::crypto::{Group, PrivateKey, epd};
use rtmfp::session::Role;
use rtmfp::{CloseCause, Event, OpenFailure, Settings, packet};
use std::time::Duration;

const SERVER: &str = "192.0.2.1:1935";
const CLIENT: &str = "198.51.100.1:5000";

fn keying(world: &mut World, session: u32) -> Keying {
    let key = PrivateKey::new(Group::Modp1024, &mut world.seed);
    let certificate = [&b"\x81\x02\x1d\x02"[..], &key.public()].concat();
    Keying { session, certificate, component: b"\x02\x1d\x02\x11\x0e1234567812345678".to_vec() }
}

/// A server and a client made by hand with a cookie of the server.
fn prepared() -> (World, usize, Raw, Vec<u8>, Keying) {
    let mut world = World::new(3);
    let server = world.server(SERVER);
    let mut raw = Raw::new(CLIENT);
    let cookie = raw.cookie(&mut world, SERVER).unwrap();
    let keying = keying(&mut world, 0x0500_0000);
    (world, server, raw, cookie, keying)
}

#[test]
fn a_repeated_keying_gets_the_identical_answer_and_makes_no_second_session() {
    let (mut world, server, mut raw, cookie, keying) = prepared();
    raw.send(&mut world, SERVER, &[keying.chunk(&cookie)]);
    let first = raw.received(&mut world);
    for _ in 0..3 {
        raw.send(&mut world, SERVER, &[keying.chunk(&cookie)]);
        assert_eq!(rikeying(&raw.received(&mut world)), rikeying(&first));
    }
    assert_eq!(rikeying(&first).len(), 1);
    assert_eq!(world.hosts[server].endpoint.sessions(), 1);
    assert_eq!(world.open_sessions(server).len(), 1);
}

#[test]
fn keying_that_comes_many_times_before_the_job_is_done_makes_one_session() {
    let (mut world, server, mut raw, cookie, keying) = prepared();
    world.hosts[server].job_time = 500 * MS;
    for _ in 0..5 {
        let datagram = raw.datagram(0, &[keying.chunk(&cookie)]);
        world.inject(raw.address, address(SERVER), datagram);
    }
    world.pass(S);
    assert_eq!(rikeying(&raw.received(&mut world)).len(), 1);
    assert_eq!(world.hosts[server].endpoint.sessions(), 1);
}

#[test]
fn forged_and_expired_cookies_get_no_answer() {
    let (mut world, server, mut raw, cookie, keying) = prepared();
    let forged: Vec<u8> = cookie.iter().map(|octet| octet ^ 1).collect();
    for bad in [&forged[..], &cookie[..63], b"", &[0; 64]] {
        raw.send(&mut world, SERVER, &[keying.chunk(bad)]);
        assert_eq!(raw.received(&mut world), []);
    }
    world.pass(97 * S);
    raw.send(&mut world, SERVER, &[keying.chunk(&cookie)]);
    assert_eq!(raw.received(&mut world), []);
    let counters = world.hosts[server].endpoint.counters();
    assert_eq!((counters.cookies_refused, counters.cookies_changed), (5, 0));
    assert_eq!(world.hosts[server].endpoint.sessions(), 0);
}

#[test]
fn a_cookie_for_another_address_is_changed_into_one_for_the_right_one() {
    let (mut world, server, mut raw, cookie, keying) = prepared();
    let mut other = Raw::new("198.51.100.1:5001");
    other.send(&mut world, SERVER, &[keying.chunk(&cookie)]);
    assert_eq!(raw.received(&mut world), []);
    let answers = other.received(&mut world);
    let [(session, plain)] = &answers[..] else { panic!("{answers:?}") };
    assert_eq!(*session, keying.session);
    let (_, mut chunks) = packet::parse(plain).unwrap();
    let Some(Chunk::CookieChange(CookieChange { old, new })) = chunks.next() else { panic!() };
    assert_eq!(old, cookie);
    other.send(&mut world, SERVER, &[keying.chunk(new)]);
    assert_eq!(rikeying(&other.received(&mut world)).len(), 1);
    assert_eq!(world.hosts[server].endpoint.counters().cookies_changed, 1);
}

#[test]
fn a_client_whose_address_changes_between_hello_and_keying_follows_the_cookie_change() {
    let mut world = World::new(3);
    let (server, client) = (world.server(SERVER), world.client("10.0.0.2:5000"));
    world.translate(client, CLIENT);
    // While the client's public key is being made, its mapping changes.
    world.hosts[client].job_time = 50 * MS;
    world.open(client, &[SERVER]);
    world.pass(60 * MS);
    assert_eq!(world.hosts[server].endpoint.counters().hellos, 1);
    world.hosts[client].translator.as_mut().unwrap().public = address("198.51.100.1:6000");
    assert!(world.pass_until(10 * S, |world| world.is_open(client) && world.is_open(server)));
    assert_eq!(world.hosts[server].endpoint.counters().cookies_changed, 1);
    world.talk(client, server);
}

#[test]
fn an_initiator_changes_its_cookie_once_and_only_for_the_one_that_it_sent() {
    let mut world = World::new(3);
    let client = world.client(CLIENT);
    world.log = Some(Vec::new());
    // A server made by hand.
    let mut raw = Raw::new(SERVER);
    world.open(client, &[SERVER]);
    world.pass(S);
    let hello = raw.received(&mut world).pop().unwrap();
    let (_, mut chunks) = packet::parse(&hello.1).unwrap();
    let Some(Chunk::IHello(hello)) = chunks.next() else { panic!() };
    let certificate = b"\x01\x0a\x02\x15\x02";
    let answer = rtmfp::chunk::RHello { tag_echo: hello.tag, cookie: b"first", certificate };
    raw.send(&mut world, CLIENT, &[Chunk::RHello(answer)]);
    let cookie_of = |received: &[(u32, Vec<u8>)]| {
        let (_, mut chunks) = packet::parse(&received.last()?.1)?;
        match chunks.next()? {
            Chunk::IIKeying(keying) => Some((keying.session, keying.cookie.to_vec())),
            _ => None,
        }
    };
    let (session, cookie) = cookie_of(&raw.received(&mut world)).unwrap();
    assert_eq!(cookie, b"first");
    let mut change = |world: &mut World, old: &[u8], new: &[u8]| {
        let change = Chunk::CookieChange(CookieChange { old, new });
        let datagram = raw.datagram(session, &[change]);
        world.inject(raw.address, address(CLIENT), datagram);
        world.pass(20 * S);
        cookie_of(&raw.received(world)).unwrap().1
    };
    assert_eq!(change(&mut world, b"other", b"second"), b"first");
    assert_eq!(change(&mut world, b"first", b"second"), b"second");
    assert_eq!(change(&mut world, b"second", b"third"), b"second");
}

#[test]
fn a_new_session_of_the_same_certificate_takes_the_place_of_the_old_one() {
    let mut world = World::new(3);
    let (server, client) = (world.server(SERVER), world.client(CLIENT));
    world.open(client, &[SERVER]);
    assert!(world.pass_until(5 * S, |world| world.is_open(client) && world.is_open(server)));
    let old = world.session(server);
    let identity = world.hosts[client].endpoint.identity().clone();
    world.restart(client, Settings::client(address(CLIENT)), identity);
    world.open(client, &[SERVER]);
    assert!(world.pass_until(2 * S, |world| world.is_open(client)));
    world.talk(client, server);
    let closed = Event::Closed { session: old, cause: CloseCause::Replaced };
    assert!(world.hosts[server].events.contains(&closed));
    assert_eq!(world.hosts[server].endpoint.sessions(), 1);
}

#[test]
fn a_client_that_comes_back_from_the_same_port_with_a_new_certificate_is_let_in_when_the_old_is_dead()
 {
    let mut world = World::new(3);
    let (server, client) = (world.server(SERVER), world.client(CLIENT));
    world.open(client, &[SERVER]);
    assert!(world.pass_until(5 * S, |world| world.is_open(client) && world.is_open(server)));
    world.pass(5 * S);
    let old = world.session(server);
    let identity = crate::world::ephemeral(Group::Modp1024, &mut world.seed);
    world.restart(client, Settings::client(address(CLIENT)), identity);
    let began = world.now;
    world.open(client, &[SERVER]);
    assert!(world.pass_until(30 * S, |world| world.is_open(client)));
    assert!(world.now - began < 6 * S, "{:?}", world.now - began);
    world.talk(client, server);
    let closed = Event::Closed { session: old, cause: CloseCause::Silent };
    assert!(world.hosts[server].events.contains(&closed), "{:?}", world.hosts[server].events);
    assert!(world.hosts[server].endpoint.counters().rivals > 0);
    assert_eq!(world.hosts[server].endpoint.sessions(), 1);
}

#[test]
fn a_session_that_lives_is_not_driven_out_by_a_rival_at_its_address() {
    let mut world = World::new(3);
    let (server, client) = (world.server(SERVER), world.client(CLIENT));
    world.open(client, &[SERVER]);
    assert!(world.pass_until(5 * S, |world| world.is_open(client) && world.is_open(server)));
    let session = world.session(server);
    let mut rival = Raw::new(CLIENT);
    let keying = keying(&mut world, 9);
    for _ in 0..20 {
        // The cookie goes to the client; a rival behind the same translator could read it.
        let hello = IHello { discriminator: b"\x02\x0ax", tag: b"a tag of 16 octs" };
        world.log = Some(Vec::new());
        rival.send(&mut world, SERVER, &[Chunk::IHello(hello)]);
        let log = world.log.take().unwrap();
        world.strays = log.into_iter().filter(|sent| sent.to == rival.address).collect();
        let cookie =
            rival.received(&mut world).iter().find_map(|(_, plain)| {
                match packet::parse(plain).unwrap().1.next() {
                    Some(Chunk::RHello(hello)) => Some(hello.cookie.to_vec()),
                    _ => None,
                }
            });
        rival.send(&mut world, SERVER, &[keying.chunk(&cookie.unwrap())]);
        world.pass(2 * S);
    }
    assert!(world.hosts[server].endpoint.counters().rivals >= 20);
    assert_eq!(world.session(server), session);
    world.talk(client, server);
    world.pass(5 * S);
    world.log = Some(Vec::new());
    world.pass(600 * S);
    assert_eq!(world.session(server), session, "it lives on when the rival is gone");
    let packets = world.log.take().unwrap().len();
    assert!(packets < 300, "{packets} packets in ten quiet minutes");
}

#[test]
fn a_public_key_that_must_not_be_used_is_refused_before_any_work_is_done() {
    let (mut world, server, mut raw, cookie, mut keying) = prepared();
    for octet in [0, 0xff] {
        keying.certificate = [&b"\x81\x02\x1d\x02"[..], &[octet; 128]].concat();
        let datagram = raw.datagram(0, &[keying.chunk(&cookie)]);
        world.inject(raw.address, address(SERVER), datagram);
        world.pass(Duration::ZERO);
        assert_eq!(world.hosts[server].endpoint.handshakes(), 0);
    }
    assert_eq!(world.hosts[server].endpoint.counters().keying_refused, 2);
}

#[test]
fn an_opening_that_gave_way_to_the_far_end_is_told_when_that_comes_to_nothing() {
    let mut told = 0;
    for number in 0..8 {
        let mut world = World::new(number);
        let (a, b) = (world.server("192.0.2.1:1935"), world.server("192.0.2.2:1935"));
        let sessions = [world.open(a, &["192.0.2.2:1935"]), world.open(b, &["192.0.2.1:1935"])];
        world.pass(45 * MS);
        // Whoever answers never gets its job done.
        world.hosts[a].job_time = 1_000 * S;
        world.hosts[b].job_time = 1_000 * S;
        world.pass(150 * S);
        for (host, session) in [a, b].into_iter().zip(sessions) {
            let ends = world.hosts[host].events.iter().filter(|event| match event {
                Event::Failed { session: seen, .. } => *seen == session,
                _ => false,
            });
            assert_eq!(ends.count(), 1, "{number}: {:?}", world.hosts[host].events);
            let failed = Event::Failed { session, cause: OpenFailure::Timeout };
            told += u32::from(world.hosts[host].events.contains(&failed));
            assert_eq!(world.hosts[host].endpoint.handshakes(), 0);
        }
    }
    assert_eq!(told, 16);
}

#[test]
fn a_session_that_moves_to_the_address_of_a_handshake_is_not_replaced_by_it() {
    let (mut world, server, mut raw, cookie, keying) = prepared();
    let client = world.client("10.0.0.2:5000");
    world.translate(client, "203.0.113.1:6000");
    world.open(client, &[SERVER]);
    assert!(world.pass_until(5 * S, |world| world.is_open(client) && world.is_open(server)));
    let session = world.session(server);
    world.hosts[server].job_time = 5 * S;
    let datagram = raw.datagram(0, &[keying.chunk(&cookie)]);
    world.inject(raw.address, address(SERVER), datagram);
    world.pass(MS);
    assert_eq!(world.hosts[server].endpoint.handshakes(), 1);
    world.hosts[client].translator.as_mut().unwrap().public = raw.address;
    let speaker = world.session(client);
    world.say(client, speaker, b"from somewhere else");
    world.pass(6 * S);
    assert_eq!(world.hosts[server].endpoint.handshakes(), 0);
    assert_eq!(world.session(server), session);
    world.talk(client, server);
}

#[test]
fn two_ends_that_open_to_each_other_at_once_get_one_session_with_the_handles_they_had() {
    for (number, shift) in
        (0..60).zip([0, 5, 19, 21, 25, 39, 41, 45, 59, 61, 70].into_iter().cycle())
    {
        let mut world = World::new(number);
        let (a, b) = (world.server("192.0.2.1:1935"), world.server("192.0.2.2:1935"));
        let first = world.open(a, &["192.0.2.2:1935"]);
        world.pass(shift * MS);
        if world.is_open(b) {
            continue;
        }
        let second = world.open(b, &["192.0.2.1:1935"]);
        assert!(
            world.pass_until(20 * S, |world| world.is_open(a) && world.is_open(b)),
            "{number}, {shift} ms"
        );
        world.pass(100 * S);
        world.talk(a, b);
        assert_eq!((world.session(a), world.session(b)), (first, second), "{number}, {shift} ms");
        for host in [a, b] {
            assert_eq!(world.hosts[host].endpoint.sessions(), 1);
            assert_eq!(world.hosts[host].endpoint.handshakes(), 0);
        }
        let role = |host: usize| {
            world.hosts[host].events.iter().find_map(|event| match event {
                Event::Opened { role, .. } => Some(*role),
                _ => None,
            })
        };
        let (certificate_a, certificate_b) = (world.certificate(a), world.certificate(b));
        if shift == 0 {
            // Seen at both ends alike: the certificate that comes first stays initiator.
            let expected = match certificate_a.prevails_over(&certificate_b) {
                true => (Role::Initiator, Role::Responder),
                false => (Role::Responder, Role::Initiator),
            };
            assert_eq!((role(a).unwrap(), role(b).unwrap()), expected);
        }
    }
}

#[test]
fn a_second_session_to_an_endpoint_that_we_have_one_with_gives_way_to_it() {
    let mut world = World::new(3);
    let (server, client) = (world.server(SERVER), world.client(CLIENT));
    let first = world.open(client, &[SERVER]);
    assert!(world.pass_until(5 * S, |world| world.is_open(client) && world.is_open(server)));
    let second = world.open(client, &[SERVER]);
    world.pass(S);
    let cause = OpenFailure::Duplicate { of: first };
    assert!(world.hosts[client].events.contains(&Event::Failed { session: second, cause }));
    world.talk(client, server);
}

#[test]
fn hellos_are_repeated_ever_more_rarely_and_given_up_after_95_seconds() {
    let mut world = World::new(3);
    let client = world.client(CLIENT);
    world.log = Some(Vec::new());
    let began = world.now;
    let session = world.open(client, &[SERVER, "192.0.2.7:1935"]);
    let failed = |world: &World| !world.hosts[client].events.is_empty();
    assert!(world.pass_until(200 * S, failed));
    assert_eq!(world.now - began, 95 * S);
    let cause = OpenFailure::Timeout;
    assert_eq!(world.hosts[client].events, [Event::Failed { session, cause }]);
    // At 0, 1.5, 4.5, 9, 15, 22.5, 31.5, 42, 54, 67.5 and 82.5 seconds to each.
    assert_eq!(world.log.unwrap().len(), 22);
}

#[test]
fn a_hello_for_somebody_else_gets_no_answer() {
    let mut world = World::new(3);
    let server = world.server(SERVER);
    let mut raw = Raw::new(CLIENT);
    let (none, other) = (Vec::new(), epd::for_fingerprint(&[7; 32]));
    for discriminator in [&none[..], &other, b"\x05\x00host", b"\x09"] {
        let hello = IHello { discriminator, tag: b"a tag of 16 octs" };
        raw.send(&mut world, SERVER, &[Chunk::IHello(hello)]);
    }
    assert_eq!(raw.received(&mut world), []);
    assert_eq!(world.hosts[server].endpoint.counters().hellos_for_others, 4);
    assert_eq!(world.hosts[server].endpoint.counters().hellos, 0);
}
