//! Foreign handshakes: they must not cost the call.

use crate::world::{PEER, World};
use base::Seed;
use stand_in::Options;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::{Duration, Instant};
use str0m::config::DtlsVersion;
use str0m::crypto::dtls::{DtlsInstance, DtlsOutput};
use str0m::crypto::from_feature_flags;

/// A DTLS client with a certificate of its own.
struct Foreign {
    dtls: Box<dyn DtlsInstance>,
    connected: bool,
}

impl Foreign {
    fn new(now: Instant) -> Foreign {
        let provider = from_feature_flags().dtls_provider;
        let certificate = provider.generate_certificate().unwrap();
        let version = DtlsVersion::Dtls12;
        let mut dtls = provider.new_dtls(&certificate, now, version, Some(1150)).unwrap();
        dtls.set_active(true);
        dtls.handle_timeout(now).unwrap();
        // As str0m does it: the empty packet starts the client.
        let _ = dtls.handle_packet(&[]);
        Foreign { dtls, connected: false }
    }

    fn packets(&mut self) -> Vec<Vec<u8>> {
        let mut buffer = vec![0; 2_000];
        let mut packets = Vec::new();
        loop {
            match self.dtls.poll_output(&mut buffer) {
                DtlsOutput::Packet(packet) => packets.push(packet.to_vec()),
                DtlsOutput::Timeout(_) => return packets,
                DtlsOutput::Connected => self.connected = true,
                _ => {}
            }
        }
    }

    fn hello(now: Instant) -> Vec<u8> {
        Foreign::new(now).packets().remove(0)
    }
}

fn browser_address() -> std::net::SocketAddr {
    Options::default().udp.unwrap()
}

/// Lets the browser's checks through and holds its DTLS back.
fn until_validated(world: &mut World) {
    world.tap = Box::new(|packet| !packet.is_dtls());
    world.run_until(world.now + Duration::from_secs(5), |world| {
        world.endpoint.protocol(PEER).is_some()
    });
}

#[test]
fn a_foreign_client_hello_from_elsewhere_never_reaches_the_handshake() {
    for number in 0..10 {
        let mut world = World::new(70 + number);
        let stranger = "192.0.2.66:666".parse().unwrap();
        let hello = Foreign::hello(world.now);
        assert_eq!((hello[0], hello[13]), (22, 1), "it is a ClientHello");
        world.inject(stranger, &hello);
        until_validated(&mut world);
        world.inject(stranger, &hello);
        world.tap = Box::new(|_| true);
        world.connect();
        assert_eq!(world.endpoint.counters().stray_packets, 2);
        assert_eq!(world.endpoint.statistics(PEER).unwrap().handshakes_dropped, 0);
    }
}

#[test]
fn a_foreign_client_hello_on_the_browsers_own_path_does_not_cost_the_call() {
    for number in 0..10 {
        let mut world = World::new(80 + number);
        // As in browsers, DTLS that comes before the own ClientHello is dropped.
        let mut started = false;
        world.tap = Box::new(move |packet| {
            started |= packet.is_dtls() && packet.to_server;
            started || !packet.is_dtls()
        });
        world.run_until(world.now + Duration::from_secs(5), |world| {
            world.endpoint.protocol(PEER).is_some()
        });
        let hello = Foreign::hello(world.now);
        world.inject(browser_address(), &hello);
        let took = world.connect();
        assert!(took < Duration::from_millis(2_500), "{took:?}");
        assert_eq!(world.endpoint.statistics(PEER).unwrap().handshakes_dropped, 1);
    }
}

#[test]
fn foreign_client_hellos_during_the_browsers_handshake_do_not_cost_the_call() {
    for number in 0..40 {
        let mut world = World::new(900 + number);
        world.network.delay = Duration::from_millis(5 + number * 7);
        let mut seed = Seed::from_number(number);
        // The browser's own ClientHello has arrived when the server begins to answer.
        let answered = Rc::new(Cell::new(false));
        let answers = answered.clone();
        world.tap = Box::new(move |packet| {
            answers.set(answers.get() | (packet.is_dtls() && !packet.to_server));
            true
        });
        world.run_until(world.now + Duration::from_secs(5), |_| answered.get());
        world.network.loss = number % 4 * 50;
        for _ in 0..3 {
            let hello = Foreign::hello(world.now);
            world.inject(browser_address(), &hello);
            world.run_for(Duration::from_millis(seed.below(200)));
        }
        world.connect();
    }
}

#[test]
fn a_complete_foreign_handshake_with_the_wrong_certificate_does_not_cost_the_call() {
    for number in 0..10 {
        let mut world = World::new(100 + number);
        until_validated(&mut world);
        // Whoever sits on the path takes what the server says before the browser hears it.
        let heard: Rc<RefCell<Vec<Vec<u8>>>> = Rc::default();
        let log = heard.clone();
        world.tap = Box::new(move |packet| {
            if packet.is_dtls() && !packet.to_server {
                log.borrow_mut().push(packet.payload.clone());
            }
            !packet.is_dtls()
        });
        let mut foreign = Foreign::new(world.now);
        for _ in 0..10 {
            for packet in foreign.packets() {
                world.inject(browser_address(), &packet);
            }
            for packet in heard.take() {
                let _ = foreign.dtls.handle_packet(&packet);
            }
        }
        assert!(!world.endpoint.is_connected(PEER), "another certificate is another browser");
        world.tap = Box::new(|_| true);
        world.connect();
        assert_eq!(world.endpoint.statistics(PEER).unwrap().handshakes_dropped, 1);
    }
}

#[test]
fn alerts_in_the_clear_and_nonsense_do_not_end_a_handshake_or_a_call() {
    // A fatal handshake_failure alert of epoch 0 that nobody signed.
    let alert = [21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40];
    let mut world = World::new(110);
    until_validated(&mut world);
    world.inject(browser_address(), &alert);
    world.tap = Box::new(|_| true);
    world.run_for(Duration::from_millis(40));
    world.inject(browser_address(), &alert);
    world.connect();
    let mut seed = Seed::from_number(1);
    for _ in 0..300 {
        world.inject(browser_address(), &alert);
        let hello = Foreign::hello(world.now);
        world.inject(browser_address(), &hello);
        for first in [20, 21, 22, 23, 25, 40, 63, 128, 144, 191] {
            let mut packet = vec![0; 13 + seed.below(80) as usize];
            seed.fill(&mut packet);
            packet[0] = first;
            world.inject(browser_address(), &packet);
        }
    }
    world.run_for(Duration::from_secs(40));
    assert!(world.endpoint.is_connected(PEER));
    world.browser.send(world.now, 0, 160, b"still here");
    world.run_for(Duration::from_millis(100));
    assert_eq!(world.frames().len(), 1);
}

#[test]
fn endless_client_hellos_are_bounded() {
    let mut world = World::new(111);
    until_validated(&mut world);
    let hello = Foreign::hello(world.now);
    for n in 0..2_000u32 {
        let mut other = hello.clone();
        other[30..34].copy_from_slice(&n.to_be_bytes());
        world.inject(browser_address(), &other);
    }
    // Nothing is left of the attempts but the peer's end.
    world.run_for(Duration::from_secs(60));
    assert_eq!(world.endpoint.peers(), 0);
    assert_eq!(world.endpoint.poll_timeout(), None);
}

#[test]
fn a_lost_last_flight_is_repeated_for_the_browser() {
    let mut world = World::new(112);
    let lost = Rc::new(RefCell::new(0));
    let count = lost.clone();
    world.tap = Box::new(move |packet| {
        // The server's ChangeCipherSpec begins its last flight.
        let last = !packet.to_server && packet.payload.first() == Some(&20);
        if last && *count.borrow() < 2 {
            *count.borrow_mut() += 1;
            return false;
        }
        true
    });
    world.connect();
    assert_eq!(*lost.borrow(), 2);
}
