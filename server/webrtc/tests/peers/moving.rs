//! A browser whose network changes.

use crate::checks::check;
use crate::world::{PEER, PUBLIC, World};
use base::{Codec, Frame};
use std::time::Duration;
use webrtc::{AcceptError, AcceptSettings, Event};

fn talk(world: &mut World, from: u64, count: u64) {
    for n in from..from + count {
        world.browser.send(world.now, 0, 160, b"from page");
        let (sequence, timestamp) = (n, n as u32 * 160);
        let received_at = world.now;
        let frame = Frame {
            codec: Codec::Pcmu,
            payload: b"from shop",
            sequence,
            timestamp,
            marker: false,
            received_at,
        };
        world.endpoint.send_frame(world.now, PEER, &frame).unwrap();
        world.run_for(Duration::from_millis(20));
    }
}

#[test]
fn a_new_outer_address_is_followed_at_the_next_check() {
    for number in 0..5 {
        let mut world = World::new(40 + number);
        world.outer = Some("192.0.2.50:1111".parse().unwrap());
        world.connect();
        talk(&mut world, 0, 50);
        world.outer = Some("192.0.2.50:2222".parse().unwrap());
        talk(&mut world, 50, 400);
        let moved = world.events.iter().any(|event| matches!(event, Event::Moved { .. }));
        assert!(moved, "{:?}", world.endpoint.counters());
        assert_eq!(world.endpoint.statistics(PEER).unwrap().moves, 1);
        let heard = world.browser.received.len();
        world.browser.received.clear();
        talk(&mut world, 450, 50);
        assert!(world.browser.received.len() >= 48, "heard {heard} before the change settled");
    }
}

#[test]
fn an_ice_restart_keeps_the_call_while_it_happens() {
    for number in 0..5 {
        let mut world = World::new(50 + number);
        world.network.loss = number * 40;
        world.connect();
        talk(&mut world, 0, 20);
        let offer = world.browser.restart();
        let answer = world.endpoint.restart(world.now, PEER, &offer, &PUBLIC).unwrap();
        // The answer takes its time; the old credentials hold meanwhile.
        talk(&mut world, 20, 20);
        world.browser.answer(world.now, &answer);
        world.browser.received.clear();
        talk(&mut world, 40, 2_000);
        assert!(world.endpoint.is_connected(PEER));
        let heard = world.browser.received.len() as u64;
        assert!(heard >= 2_000 - 2_000 * number * 40 / 1_000 * 13 / 10 - 30, "{number}: {heard}");
        let sequence_gaps = world.browser.received.windows(2);
        assert!(sequence_gaps.filter(|w| w[1].sequence <= w[0].sequence).count() == 0);
    }
}

#[test]
fn old_credentials_end_when_the_browser_has_nominated_with_new_ones() {
    let mut world = World::new(60);
    world.connect();
    let offer = world.browser.restart();
    let before = world.endpoint.restart(world.now, PEER, &offer, &PUBLIC).unwrap();
    world.browser.answer(world.now, &before);
    world.run_for(Duration::from_secs(5));
    let value = |sdp: &str, name: &str| {
        let line = sdp.split("\r\n").find_map(|line| line.strip_prefix(name));
        line.unwrap().to_owned()
    };
    let second = world.browser.restart();
    let after = world.endpoint.restart(world.now, PEER, &second, &PUBLIC).unwrap();
    world.browser.answer(world.now, &after);
    world.run_for(Duration::from_secs(5));
    let strays = world.endpoint.counters().stray_checks;
    let ours = value(&before, "a=ice-ufrag:");
    let theirs = value(&offer, "a=ice-ufrag:");
    let old = check(&format!("{ours}:{theirs}"), &value(&before, "a=ice-pwd:"));
    world.inject("192.0.2.66:1".parse().unwrap(), &old);
    assert_eq!(world.endpoint.counters().stray_checks, strays + 1);
}

#[test]
fn a_later_offer_may_order_the_codecs_anew_without_a_restart() {
    let mut world = World::new(61);
    world.connect();
    let offer = world.browser.restart();
    let g711 = AcceptSettings { codecs: &[Codec::Pcma, Codec::Opus], local_page: false };
    let answer = world.endpoint.restart(world.now, PEER, &offer, &g711).unwrap();
    assert!(answer.contains("m=audio 9 UDP/TLS/RTP/SAVPF 8 111 "), "{answer}");
    assert_eq!(world.endpoint.codecs(PEER).collect::<Vec<_>>(), [Codec::Pcma, Codec::Opus]);
}

#[test]
fn a_later_offer_of_another_connection_is_refused_and_changes_nothing() {
    let mut world = World::new(62);
    world.connect();
    let other = crate::offers::CHROMIUM;
    let refused = world.endpoint.restart(world.now, PEER, other, &PUBLIC);
    assert_eq!(refused, Err(AcceptError::NotTheSamePeer));
    let unknown = world.endpoint.restart(world.now, webrtc::PeerId(9), other, &PUBLIC);
    assert_eq!(unknown, Err(AcceptError::UnknownPeer));
    talk(&mut world, 0, 10);
    assert!(world.browser.received.len() >= 9);
}
