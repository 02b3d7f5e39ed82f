//! Redirectors, Forwarders, and both with address translators (RFC 7016 sections 3.5.1.4 to 3.5.1.7).

use crate::raw::Raw;
use crate::world::{HostId, MS, S, World, address, ephemeral};
use rtmfp::chunk::{Chunk, IHello};
use rtmfp::crypto::{Group, Identity, epd};
use rtmfp::{Command, Event, Forwarded, Settings, packet};

const SERVICE: &str = "192.0.2.1:1935";

fn service(world: &mut World) -> HostId {
    let identity = ephemeral(Group::Modp1024, &mut world.seed);
    world.host(Settings { introduce: true, ..Settings::server(address(SERVICE)) }, identity)
}

fn peer(world: &mut World, local: &str, forwarded: Forwarded) -> HostId {
    let identity = Identity::ephemeral(&[Group::Modp1024], &mut world.seed).unwrap();
    world.host(Settings { forwarded, ..Settings::client(address(local)) }, identity)
}

/// A service and a responder that is registered with it.
fn registered(world: &mut World, responder: HostId) {
    world.open(responder, &[SERVICE]);
    assert!(world.pass_until(5 * S, |world| world.is_open(responder)));
}

fn look_for(world: &mut World, initiator: HostId, responder: HostId, at: &[&str]) {
    let fingerprint = *world.certificate(responder).fingerprint();
    let session = world.open_to(initiator, epd::for_fingerprint(&fingerprint), at);
    let opened = |world: &World| world.open_sessions(initiator).contains(&session);
    assert!(world.pass_until(20 * S, opened), "{:?}", world.hosts[initiator].events);
    // The certificate is that of the responder, whoever helped.
    let certificate = world.certificate(responder);
    let is_it = |event: &Event| match event {
        Event::Opened { session: seen, certificate: far, .. } => {
            *seen == session && *far == certificate
        }
        _ => false,
    };
    assert!(world.hosts[initiator].events.iter().any(is_it));
}

#[test]
fn a_redirector_sends_clients_to_another_server_and_lets_them_in_again() {
    let mut world = World::new(5);
    let (first, second) = (world.server(SERVICE), world.server("192.0.2.2:1935"));
    let addresses = vec![address("192.0.2.2:1935"), address("192.0.2.3:1935")];
    world.command(first, Command::Redirect { addresses });
    let client = world.client("198.51.100.1:5000");
    world.open(client, &[SERVICE]);
    assert!(world.pass_until(5 * S, |world| world.is_open(client) && world.is_open(second)));
    world.talk(client, second);
    assert!(!world.is_open(first));

    world.command(first, Command::Redirect { addresses: Vec::new() });
    let client = world.client("198.51.100.2:5000");
    world.open(client, &[SERVICE]);
    assert!(world.pass_until(5 * S, |world| world.is_open(client) && world.is_open(first)));
}

#[test]
fn of_several_servers_the_first_to_answer_is_taken() {
    let mut world = World::new(5);
    let client = world.client("198.51.100.1:5000");
    let dead = "192.0.2.9:1935";
    let (near, far) = (world.server("192.0.2.2:1935"), world.server("192.0.2.3:1935"));
    world.open(client, &[dead, "192.0.2.2:1935", "192.0.2.3:1935"]);
    assert!(world.pass_until(S, |world| world.is_open(client)));
    world.pass(100 * S);
    assert_eq!(world.open_sessions(near).len() + world.open_sessions(far).len(), 1);
}

#[test]
fn a_forwarder_reaches_a_responder_behind_a_translator_that_says_hello() {
    let mut world = World::new(5);
    let service = service(&mut world);
    let responder = peer(&mut world, "10.0.0.2:5000", Forwarded::Answer);
    world.translate(responder, "203.0.113.1:6000");
    registered(&mut world, responder);
    let initiator = peer(&mut world, "198.51.100.1:5000", Forwarded::Ignore);
    look_for(&mut world, initiator, responder, &[SERVICE]);
    assert_eq!(world.open_sessions(service).len(), 1);
    assert_eq!(world.open_sessions(responder).len(), 2);
}

#[test]
fn a_forwarder_reaches_a_responder_behind_a_translator_that_redirects_to_itself() {
    let mut world = World::new(5);
    service(&mut world);
    let responder = peer(&mut world, "10.0.0.2:5000", Forwarded::Redirect);
    world.translate(responder, "203.0.113.1:6000");
    registered(&mut world, responder);
    let initiator = peer(&mut world, "198.51.100.1:5000", Forwarded::Ignore);
    world.log = Some(Vec::new());
    look_for(&mut world, initiator, responder, &[SERVICE]);
    // The redirect of the responder itself names no address.
    let mut raw = Raw::new("198.51.100.1:5000");
    let log = world.log.take().unwrap();
    let public = address("203.0.113.1:6000");
    world.strays = log.into_iter().filter(|sent| sent.from == public).collect();
    let implied = raw.received(&mut world).iter().any(|(_, plain)| {
        let chunks = packet::parse(plain).unwrap().1;
        let mut redirects = chunks.filter_map(|chunk| match chunk {
            Chunk::Redirect(redirect) => Some(redirect.addresses.count()),
            _ => None,
        });
        redirects.any(|count| count == 0)
    });
    assert!(implied);
}

#[test]
fn an_introducer_joins_two_ends_that_are_both_behind_translators() {
    for forwarded in [Forwarded::Answer, Forwarded::Redirect] {
        for slow in [false, true] {
            let mut world = World::new(5);
            service(&mut world);
            let responder = peer(&mut world, "10.0.0.2:5000", forwarded);
            world.translate(responder, "203.0.113.1:6000");
            registered(&mut world, responder);
            let initiator = peer(&mut world, "10.0.0.2:5001", Forwarded::Ignore);
            world.translate(initiator, "198.51.100.1:7000");
            if slow {
                // The race of figure 17 goes the other way.
                world.wire.jitter = 40 * MS;
            }
            look_for(&mut world, initiator, responder, &[SERVICE]);
        }
    }
}

#[test]
fn an_introducer_tells_where_else_an_end_says_it_can_be_reached() {
    let mut world = World::new(5);
    let service = service(&mut world);
    let responder = peer(&mut world, "198.51.100.2:5000", Forwarded::Ignore);
    registered(&mut world, responder);
    let session = world.session(service);
    let addresses = (0..20).map(|port| address(&format!("10.0.0.2:{}", 5000 + port))).collect();
    world.command(service, Command::SetReachable { session, addresses });
    let mut raw = Raw::new("198.51.100.1:5000");
    let discriminator = epd::for_fingerprint(world.certificate(responder).fingerprint());
    let hello = IHello { discriminator: &discriminator, tag: b"a tag of 16 octs" };
    raw.send(&mut world, SERVICE, &[Chunk::IHello(hello)]);
    let received = raw.received(&mut world);
    let (_, mut chunks) = packet::parse(&received[0].1).unwrap();
    let Some(Chunk::Redirect(redirect)) = chunks.next() else { panic!() };
    let all: Vec<_> = redirect.addresses.map(|address| address.socket).collect();
    assert_eq!(all.len(), 9, "its own and eight more");
    assert_eq!(all[..2], [address("198.51.100.2:5000"), address("10.0.0.2:5000")]);
}

#[test]
fn who_has_no_session_with_an_introducer_is_not_introduced() {
    let mut world = World::new(5);
    service(&mut world);
    let gone = peer(&mut world, "198.51.100.2:5000", Forwarded::Answer);
    registered(&mut world, gone);
    let session = world.session(gone);
    world.command(gone, Command::Close { session, orderly: false });
    world.pass(S);
    let mut raw = Raw::new("198.51.100.1:5000");
    let discriminator = epd::for_fingerprint(world.certificate(gone).fingerprint());
    let hello = IHello { discriminator: &discriminator, tag: b"a tag of 16 octs" };
    raw.send(&mut world, SERVICE, &[Chunk::IHello(hello)]);
    assert_eq!(raw.received(&mut world), []);
}

#[test]
fn an_initiator_tries_24_addresses_and_no_more() {
    let mut world = World::new(5);
    let client = world.client("198.51.100.1:5000");
    let mut raw = Raw::new(SERVICE);
    world.open(client, &[SERVICE]);
    world.pass(S);
    let hello = raw.received(&mut world).pop().unwrap();
    let (_, mut chunks) = packet::parse(&hello.1).unwrap();
    let Some(Chunk::IHello(hello)) = chunks.next() else { panic!() };
    let mut octets = Vec::new();
    for port in 1..100 {
        let socket = address(&format!("203.0.113.1:{port}"));
        rtmfp::address::Address { origin: rtmfp::address::Origin::Unknown, socket }
            .put(&mut octets);
    }
    let addresses = rtmfp::address::Addresses::parse(&octets).unwrap();
    let redirect = rtmfp::chunk::Redirect { tag_echo: hello.tag, addresses };
    world.log = Some(Vec::new());
    raw.send(&mut world, "198.51.100.1:5000", &[Chunk::Redirect(redirect)]);
    let log = world.log.take().unwrap();
    let tried = log.iter().filter(|sent| sent.to.ip().to_string() == "203.0.113.1").count();
    assert_eq!(tried, 23, "with the one that it began with");
}
