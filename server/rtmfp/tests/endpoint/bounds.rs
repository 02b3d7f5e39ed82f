//! Floods, fragments, and what is bounded.

use crate::raw::{Keying, Raw, rikeying};
use crate::world::{BAD, MS, S, World, address, fixed};
use base::Seed;
use rtmfp::Settings;
use rtmfp::chunk::{Chunk, Fragment, IHello};
use rtmfp::crypto::{Group, Identity};
use rtmfp::packet::{Header, Mode};
use std::time::Duration;

const SERVER: &str = "192.0.2.1:1935";

fn hello() -> Chunk<'static> {
    Chunk::IHello(IHello { discriminator: b"\x02\x0ax", tag: b"a tag of 16 octs" })
}

fn large(seed: &mut Seed) -> Identity {
    Identity::with_static_keys(&Group::ALL, true, seed).unwrap()
}

#[test]
fn hellos_cost_no_state_and_each_source_gets_only_so_many_answers() {
    let mut world = World::new(9);
    let server = world.server(SERVER);
    let mut raw = Raw::new("198.51.100.1:5000");
    let datagram = raw.datagram(0, &[hello()]);
    for port in 0..10_000u64 {
        let from = address(&format!("198.51.100.1:{}", 1_000 + port));
        world.inject(from, address(SERVER), datagram.clone());
    }
    world.pass(100 * MS);
    let endpoint = &world.hosts[server].endpoint;
    assert_eq!((endpoint.sessions(), endpoint.handshakes()), (0, 0));
    assert_eq!(endpoint.poll_timeout(), None);
    let counters = endpoint.counters();
    assert!(counters.hellos <= 42, "{}", counters.hellos);
    assert_eq!(counters.hellos + counters.limited, 10_000);
    let answered: usize = world.strays.iter().map(|sent| sent.octets.len()).sum();
    let asked = datagram.len() * 10_000;
    assert!(answered * 40 < asked, "{answered} octets for {asked}");
    // Somebody else is not kept out by that.
    let mut other = Raw::new("198.51.100.2:5000");
    assert!(other.cookie(&mut world, SERVER).is_some());
}

#[test]
fn an_answer_is_at_most_nine_times_as_long_as_its_question_and_five_times_for_usual_clients() {
    let mut world = World::new(9);
    world.server(SERVER);
    let usual = "rtmfp://192.0.2.1/app";
    let discriminator = rtmfp::crypto::epd::for_uri(usual);
    let questions = [
        (IHello { discriminator: b"\x01\x0a", tag: b"" }, 9),
        (IHello { discriminator: b"\x05\x0alive", tag: b"a tag of 16 octs" }, 5),
        (IHello { discriminator: &discriminator, tag: b"a tag of 16 octs" }, 4),
    ];
    for (question, times) in questions {
        let mut raw = Raw::new("198.51.100.1:5000");
        let asked = raw.datagram(0, &[Chunk::IHello(question)]).len();
        raw.send(&mut world, SERVER, &[Chunk::IHello(question)]);
        let answered = world.strays.pop().unwrap().octets.len();
        assert!(answered <= asked * times, "{answered} for {asked}");
        assert!(answered > asked * (times - 1), "{answered} for {asked}: say so above");
    }
}

#[test]
fn handshakes_are_bounded_together_and_for_each_source() {
    let mut world = World::new(9);
    let identity = crate::world::ephemeral(Group::Modp1024, &mut world.seed);
    let settings = Settings {
        handshakes_max: 40,
        handshakes_of_one_max: 8,
        sessions_max: 100,
        ..Settings::server(address(SERVER))
    };
    let server = world.host(settings, identity);
    world.hosts[server].job_time = 5 * S;
    let certificate = [&b"\x81\x02\x1d\x02"[..], &[0x55; 128]].concat();
    let keying = Keying { session: 7, certificate, component: b"\x02\x1d\x02\x02\x0ex".to_vec() };
    for host in 1..11 {
        for port in 0..20 {
            let mut raw = Raw::new(&format!("198.51.100.{host}:{}", 5_000 + port));
            let mut question = |world: &mut World, chunk: Chunk<'_>| {
                let datagram = raw.datagram(0, &[chunk]);
                world.inject(raw.address, address(SERVER), datagram);
                world.pass(3 * MS);
                let received = raw.received(world);
                assert!(rikeying(&received).is_empty());
                received
            };
            question(&mut world, hello());
            world.pass(20 * MS);
            let received = raw.received(&mut world);
            let cookie = received.iter().find_map(|(_, plain)| {
                match rtmfp::packet::parse(plain).unwrap().1.next() {
                    Some(Chunk::RHello(hello)) => Some(hello.cookie.to_vec()),
                    _ => None,
                }
            });
            let Some(cookie) = cookie else { continue };
            let datagram = raw.datagram(0, &[keying.chunk(&cookie)]);
            world.inject(raw.address, address(SERVER), datagram);
            world.pass(Duration::ZERO);
        }
    }
    let endpoint = &world.hosts[server].endpoint;
    assert_eq!(endpoint.handshakes(), 40);
    assert!(endpoint.counters().beyond_bounds >= 100);
    // They all end, by their jobs or by their time.
    world.pass(60 * S);
    assert_eq!(world.hosts[server].endpoint.handshakes(), 0);
    assert_eq!(world.hosts[server].endpoint.sessions(), 0, "nobody was there to talk");
    assert_eq!(world.hosts[server].endpoint.poll_timeout(), None);
}

#[test]
fn a_source_that_keys_without_end_gets_only_so_much_work_done() {
    let mut world = World::new(9);
    let server = world.server(SERVER);
    let mut raw = Raw::new("198.51.100.1:5000");
    let cookie = raw.cookie(&mut world, SERVER).unwrap();
    let certificate = [&b"\x81\x02\x1d\x02"[..], &[0x55; 128]].concat();
    let component = b"\x02\x1d\x02\x02\x0ex".to_vec();
    for session in 1..1_000 {
        // Each takes the place of the one before.
        let keying =
            Keying { session, certificate: certificate.clone(), component: component.clone() };
        let datagram = raw.datagram(0, &[keying.chunk(&cookie)]);
        world.inject(raw.address, address(SERVER), datagram);
        world.pass(2 * MS);
    }
    let counters = world.hosts[server].endpoint.counters();
    assert!(counters.opened <= 82, "{}", counters.opened);
    assert!(counters.limited >= 900);
    assert_eq!(world.hosts[server].endpoint.sessions(), 1);
}

#[test]
fn a_full_server_says_nothing_so_that_another_one_is_taken() {
    let mut world = World::new(9);
    let identity = crate::world::ephemeral(Group::Modp1024, &mut world.seed);
    let settings = Settings { sessions_max: 1, ..Settings::server(address(SERVER)) };
    let full = world.host(settings, identity);
    let other = world.server("192.0.2.2:1935");
    let (first, second) = (world.client("198.51.100.1:1"), world.client("198.51.100.2:1"));
    world.open(first, &[SERVER]);
    assert!(world.pass_until(S, |world| world.is_open(first)));
    world.open(second, &[SERVER, "192.0.2.2:1935"]);
    assert!(world.pass_until(S, |world| world.is_open(second) && world.is_open(other)));
    assert_eq!(world.hosts[full].endpoint.sessions(), 1);
}

#[test]
fn a_job_that_never_comes_back_costs_its_handshake_only() {
    let mut world = World::new(9);
    let (server, client) = (world.server(SERVER), world.client("198.51.100.1:5000"));
    world.hosts[server].job_time = 1_000 * S;
    world.open(client, &[SERVER]);
    world.pass(50 * MS);
    world.pass_until(S, |world| world.hosts[server].endpoint.handshakes() == 1);
    assert_eq!(world.hosts[server].endpoint.handshakes(), 1);
    world.pass(15 * S);
    world.hosts[server].job_time = MS;
    assert!(world.pass_until(60 * S, |world| world.is_open(client)), "it asks again");
    world.talk(client, server);
}

#[test]
fn keying_that_is_larger_than_a_path_takes_goes_in_pieces() {
    for number in 0..20 {
        let mut world = World::new(number);
        if number > 0 {
            world.wire = BAD;
        }
        let identity = fixed(Group::Modp1024, &mut world.seed);
        let server = world.host(Settings::server(address(SERVER)), identity);
        let identity = large(&mut world.seed);
        assert!(identity.certificate().octets().len() > 1_080);
        let client = world.host(Settings::client(address("198.51.100.1:5000")), identity);
        world.log = Some(Vec::new());
        world.open(client, &[SERVER]);
        let open = |world: &World| world.is_open(client) && world.is_open(server);
        assert!(world.pass_until(95 * S, open), "{number}");
        if number == 0 {
            let longest = world.log.take().unwrap().iter().map(|sent| sent.octets.len()).max();
            assert!(longest.is_some_and(|longest| longest <= 1_253), "{longest:?}");
        }
        world.talk(client, server);
    }
}

#[test]
fn pieces_of_anything_are_held_within_bounds_and_forgotten() {
    let mut world = World::new(9);
    let server = world.server(SERVER);
    let mut raw = Raw::new("198.51.100.1:5000");
    let octets = [7; 1_000];
    for packet in 0..2_000 {
        let piece = Fragment { more: true, packet, number: packet % 7, octets: &octets };
        let datagram = raw.datagram(0, &[Chunk::Fragment(piece)]);
        let from = address(&format!("198.51.100.{}:5000", packet % 200));
        world.inject(from, address(SERVER), datagram);
    }
    world.pass(MS);
    assert!(world.hosts[server].endpoint.poll_timeout().is_some());
    world.pass(2 * S);
    assert_eq!(world.hosts[server].endpoint.poll_timeout(), None);
}

#[test]
fn a_piece_inside_a_piece_is_not_unpacked() {
    let mut world = World::new(9);
    let server = world.server(SERVER);
    let mut raw = Raw::new("198.51.100.1:5000");
    let mut plain = Vec::new();
    Header::new(Mode::Startup).put(&mut plain);
    hello().put(&mut plain);
    for _ in 0..2 {
        let whole = std::mem::take(&mut plain);
        Header::new(Mode::Startup).put(&mut plain);
        let piece = Fragment { more: false, packet: 1, number: 0, octets: &whole };
        Chunk::Fragment(piece).put(&mut plain);
        let inner = Fragment { more: false, packet: 2, number: 0, octets: &whole };
        raw.send(&mut world, SERVER, &[Chunk::Fragment(inner)]);
    }
    assert_eq!(world.hosts[server].endpoint.counters().hellos, 1, "the hello in one piece only");
}
