//! Connecting, losing and closing.

use crate::world::{PEER, World};
use base::Protocol;
use stand_in::Options;
use std::time::Duration;
use str0m::config::DtlsVersion;
use webrtc::{Event, LostCause};

#[test]
fn a_browser_connects_in_a_few_round_trips() {
    let mut world = World::new(1);
    let took = world.connect();
    assert!(took < Duration::from_millis(200), "{took:?}");
    assert!(matches!(
        world.events[..],
        [Event::Connected { peer: PEER, protocol: Protocol::Udp, .. }]
    ));
    assert_eq!(world.endpoint.counters().connected, 1);
}

#[test]
fn browsers_connect_through_any_loss_up_to_a_fifth() {
    for number in 0..200 {
        let mut world = World::new(number);
        world.network.loss = number % 5 * 50;
        world.network.jitter = Duration::from_millis(number % 3 * 10);
        world.connect();
    }
}

#[test]
fn a_client_hello_in_two_fragments_is_put_together_in_either_order() {
    for number in 0..20 {
        let version = [DtlsVersion::Auto, DtlsVersion::Dtls12][number as usize % 2];
        let mut world = World::with(number, &Options { version, ..Options::default() });
        world.cut = Some(90);
        world.network.jitter = Duration::from_millis(number % 4 * 10);
        world.network.loss = number / 10 * 50;
        world.connect();
        assert!(world.cuts > 0);
    }
}

#[test]
fn a_browser_without_udp_connects_over_ice_tcp() {
    let tcp = Some("198.51.100.5:9".parse().unwrap());
    let mut world = World::with(3, &Options { udp: None, tcp, ..Options::default() });
    world.connect();
    assert_eq!(world.endpoint.protocol(PEER), Some(Protocol::Tcp));
}

#[test]
fn udp_is_used_when_both_ways_are_open() {
    let tcp = Some("198.51.100.5:9".parse().unwrap());
    let mut world = World::with(4, &Options { tcp, ..Options::default() });
    world.connect();
    world.run_for(Duration::from_secs(20));
    assert_eq!(world.endpoint.protocol(PEER), Some(Protocol::Udp));
}

#[test]
fn a_closed_tcp_connection_leaves_the_peer_to_its_other_path() {
    let address = "198.51.100.5:9".parse().unwrap();
    let options = Options { tcp: Some(address), ..Options::default() };
    let mut world = World::with(4, &options);
    world.connect();
    world.run_for(Duration::from_secs(5));
    let server = crate::world::SERVER.parse().unwrap();
    world.endpoint.connection_closed(world.now, server, address);
    world.tap = Box::new(|packet| packet.protocol == Protocol::Udp);
    world.run_for(Duration::from_secs(60));
    assert!(world.endpoint.is_connected(PEER));
}

#[test]
fn a_peer_that_never_comes_is_lost_after_thirty_seconds() {
    let mut world = World::new(5);
    world.tap = Box::new(|_| false);
    let start = world.now;
    world.run_until(start + Duration::from_secs(60), |world| !world.events.is_empty());
    assert_eq!(world.now - start, Duration::from_secs(30));
    assert!(matches!(world.events[..], [Event::Lost { cause: LostCause::NoCheck, .. }]));
    assert_eq!(world.endpoint.peers(), 0);
    assert_eq!(world.endpoint.poll_timeout(), None);
}

#[test]
fn a_peer_whose_dtls_is_blocked_is_lost_with_that_cause() {
    let mut world = World::new(6);
    world.tap = Box::new(|packet| !packet.is_dtls());
    world.run_until(world.now + Duration::from_secs(60), |world| !world.events.is_empty());
    assert!(matches!(world.events[..], [Event::Lost { cause: LostCause::NoHandshake, .. }]));
}

#[test]
fn a_peer_that_falls_silent_is_lost_and_leaves_nothing_behind() {
    let mut world = World::new(7);
    world.connect();
    world.tap = Box::new(|_| false);
    let start = world.now;
    world.run_until(start + Duration::from_secs(60), |world| world.endpoint.peers() == 0);
    let waited = (world.now - start).as_secs();
    assert!((20..=25).contains(&waited), "{waited} s");
    assert!(matches!(world.events.last(), Some(Event::Lost { cause: LostCause::Silent, .. })));
    assert_eq!(world.endpoint.poll_timeout(), None);
    assert!(world.endpoint.statistics(PEER).is_none());
}

#[test]
fn a_connected_pair_stays_for_ten_minutes() {
    let mut world = World::new(8);
    world.connect();
    world.run_for(Duration::from_secs(600));
    assert!(world.endpoint.is_connected(PEER));
    assert_eq!(world.events.len(), 1);
}

#[test]
fn the_browser_hears_our_goodbye() {
    let mut world = World::new(9);
    world.connect();
    world.endpoint.close(world.now, PEER);
    world.run_for(Duration::from_secs(1));
    assert!(world.browser.closed);
    assert_eq!(world.endpoint.peers(), 0);
    assert_eq!(world.events.len(), 1, "closing tells nobody what he knows");
}

#[test]
fn the_browsers_goodbye_is_heard() {
    let mut world = World::new(10);
    world.connect();
    world.browser.close();
    world.run_for(Duration::from_secs(1));
    assert!(matches!(world.events.last(), Some(Event::Closed { peer: PEER })));
    assert_eq!(world.endpoint.peers(), 0);
}
