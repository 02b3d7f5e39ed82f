//! Strangers at the port.

use crate::offers::CHROMIUM;
use crate::world::{PEER, PUBLIC, World};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use str0m::crypto::from_feature_flags;
use str0m::ice::{StunMessage, TransId};

const STRANGER: &str = "192.0.2.66:666";

/// A nominating check with these names and password.
pub fn check(name: &str, password: &str) -> Vec<u8> {
    let crypto = from_feature_flags();
    let hmac = |key: &[u8], parts: &[&[u8]]| crypto.sha1_hmac_provider.sha1_hmac(key, parts);
    let message = StunMessage::binding_request(name, TransId::new(), true, 1, 1, true);
    let mut buffer = [0; 512];
    let length = message.to_bytes(Some(password.as_bytes()), &mut buffer, hmac).unwrap();
    buffer[..length].to_vec()
}

/// The user name and the first packets that the browser sends.
fn listen(world: &mut World) -> Rc<RefCell<Vec<Vec<u8>>>> {
    let heard = Rc::new(RefCell::new(Vec::new()));
    let log = heard.clone();
    world.tap = Box::new(move |packet| {
        if packet.to_server {
            log.borrow_mut().push(packet.payload.clone());
        }
        true
    });
    heard
}

fn name_of(check: &[u8]) -> String {
    StunMessage::parse(check).unwrap().username().unwrap().to_owned()
}

#[test]
fn a_check_for_nobody_gets_no_answer() {
    let mut world = World::new(30);
    world.run_for(Duration::from_millis(1));
    world.tap = Box::new(|packet| panic!("answered: {}", packet.payload.len()));
    world.inject(STRANGER.parse().unwrap(), &check("nobody:x", "whatever"));
    assert_eq!(world.endpoint.counters().stray_checks, 1);
}

#[test]
fn a_check_with_the_right_name_and_a_guessed_password_gets_no_answer_and_no_path() {
    let mut world = World::new(31);
    let heard = listen(&mut world);
    world.connect();
    let name = name_of(&heard.borrow()[0]);
    let before = world.endpoint.counters();
    world.tap = Box::new(|packet| panic!("answered: {}", packet.payload.len()));
    world.inject(STRANGER.parse().unwrap(), &check(&name, "guessedguessedguessed"));
    world.inject(STRANGER.parse().unwrap(), &[22; 60]);
    let after = world.endpoint.counters();
    assert_eq!(after.forged_checks, before.forged_checks + 1);
    assert_eq!(after.stray_packets, before.stray_packets + 1, "the address is not validated");
    assert_eq!(after.checks, before.checks);
}

#[test]
fn a_repeated_check_of_the_browser_from_elsewhere_does_not_take_its_call_away_for_good() {
    // Whoever can read the browser's checks can repeat them. The browser's own next nomination
    // takes its path back.
    let mut world = World::new(32);
    let heard = listen(&mut world);
    world.connect();
    let stolen = heard.borrow()[0].clone();
    world.inject(STRANGER.parse().unwrap(), &stolen);
    world.tap = Box::new(|_| true);
    world.run_for(Duration::from_secs(120));
    assert!(world.endpoint.is_connected(PEER));
}

#[test]
fn a_flood_of_strangers_packets_changes_nothing_and_is_counted() {
    let mut world = World::new(33);
    world.connect();
    let deadline = world.endpoint.poll_timeout();
    world.tap = Box::new(|_| panic!("answered"));
    let mut seed = base::Seed::from_number(9);
    for n in 0..10_000u32 {
        let mut packet = vec![0; seed.below(200) as usize];
        seed.fill(&mut packet);
        let address = std::net::Ipv4Addr::from(0x0a00_0000 + n);
        world.inject((address, 9).into(), &packet);
    }
    let counters = world.endpoint.counters();
    let dropped = counters.stray_checks + counters.stray_packets + counters.unknown;
    assert_eq!(dropped, 10_000, "{counters:?}");
    assert_eq!(world.endpoint.poll_timeout(), deadline);
    assert_eq!(world.endpoint.peers(), 1);
}

#[test]
fn many_addresses_of_one_browser_are_bounded() {
    let mut world = World::new(34);
    let heard = listen(&mut world);
    world.connect();
    let own = heard.borrow()[0].clone();
    for port in 1..=100 {
        world.inject(format!("198.51.100.5:{port}").parse().unwrap(), &own);
    }
    let strays = |world: &World| world.endpoint.counters().stray_packets;
    for port in 1..=100 {
        world.inject(format!("198.51.100.5:{port}").parse().unwrap(), &[128; 20]);
    }
    assert!((92..=93).contains(&strays(&world)), "{}", strays(&world));
}

#[test]
fn another_visitor_cannot_take_an_address_by_forging_the_sender_of_its_checks() {
    let mut world = World::new(35);
    world.connect();
    let forger = webrtc::PeerId(66);
    let answer = world.endpoint.accept(world.now, forger, CHROMIUM, &PUBLIC).unwrap();
    let value = |name: &str| {
        answer.split("\r\n").find_map(|line| line.strip_prefix(name)).unwrap().to_owned()
    };
    let name = format!("{}:Fq5D", value("a=ice-ufrag:"));
    let victim = stand_in::Options::default().udp.unwrap();
    world.inject(victim, &check(&name, &value("a=ice-pwd:")));
    assert_eq!(world.endpoint.counters().contested, 1);
    world.browser.send(world.now, 0, 160, b"still mine");
    world.run_for(Duration::from_millis(50));
    assert_eq!(world.frames().len(), 1);
    assert_eq!(world.frames()[0].peer, PEER);
}
