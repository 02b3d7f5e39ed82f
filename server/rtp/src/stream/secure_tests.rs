//! Stream ends that encrypt.
#![allow(clippy::unwrap_used)]
use super::hot_path_tests::passes_without_allocating;
use super::tests::{SOUND, World, address, end, frame, payloads};
use super::*;
use crate::srtp::{Opener, Sealer};
use base::{MasterKey, SrtpSuite};

const SUITE: SrtpSuite = SrtpSuite::Aes128Tag80;

fn protection(suite: SrtpSuite, own: u64, peer: u64) -> Protection {
    let key = |number| MasterKey::random(suite, &mut Seed::from_number(number));
    Protection { suite, own: key(own), peer: key(peer), peer_identifier: 0 }
}

fn protect(world: &mut World, suite: SrtpSuite, keys: [u64; 2]) {
    let [a, b] = keys;
    assert!(world.ends[0].set_protection(Some(protection(suite, a, b))));
    assert!(world.ends[1].set_protection(Some(protection(suite, b, a))));
}

#[test]
fn sound_digits_and_reports_cross_and_none_of_it_can_be_read_on_the_way() {
    for suite in SrtpSuite::ALL {
        let mut world = World::pair(false);
        protect(&mut world, suite, [1, 2]);
        world.talk(50);
        world.ends[0].send_digits(world.now, "7").unwrap();
        world.talk(600);
        world.settle();
        assert_eq!(world.heard[0].frames.len(), 650);
        assert_eq!(world.heard[1].digits, "7");
        let statistics = world.ends[0].statistics();
        assert!(statistics.round_trip_ms.is_some(), "reports are read");
        assert_eq!((statistics.lost, statistics.refused, statistics.dropped), (0, 0, 0));
        let readable = |octets: &Vec<u8>| octets.windows(8).any(|part| part == &SOUND[..8]);
        assert!(!world.carried.iter().any(readable));
        // The canonical name in the reports.
        assert!(!world.carried.iter().any(|octets| octets.windows(3).any(|part| part == b"end")));
    }
}

#[test]
fn over_a_bad_wire_frames_keep_their_places_and_come_once() {
    let mut world = World::pair(true);
    protect(&mut world, SUITE, [1, 2]);
    (world.loss, world.repeats, world.spread) = (50, 50, 60);
    world.talk(500);
    world.settle();
    for heard in &mut world.heard {
        assert!((430..=500).contains(&heard.frames.len()), "{}", heard.frames.len());
        heard.frames.sort_unstable();
        assert!(heard.frames.windows(2).all(|w| w[1].0 > w[0].0));
    }
}

#[test]
fn plain_packets_and_those_under_another_key_move_nothing() {
    let mut world = World::pair(false);
    protect(&mut world, SUITE, [1, 2]);
    world.talk(10);
    let ssrc = world.ends[0].ssrc();
    let mut wrong = Sealer::new(SUITE, &protection(SUITE, 3, 4).own).unwrap();
    for n in 0..20u16 {
        let packet = Packet {
            payload_type: 8,
            marker: false,
            sequence: n,
            timestamp: 0,
            ssrc,
            payload: &SOUND,
        };
        let mut buffer = [0; 200];
        let mut length = packet.write(&mut buffer).unwrap();
        if n % 2 == 0 {
            length = wrong.seal(n.into(), &mut buffer, length).unwrap();
        }
        // From a stranger, and in the peer's own name.
        for remote in [address("198.51.100.66:6666"), address("127.0.0.1:4000")] {
            let (local, payload) = (world.ends[1].local_rtp, &buffer[..length]);
            let datagram = Datagram { protocol: Protocol::Udp, local, remote, payload };
            assert!(world.ends[1].handle_datagram(world.now, &datagram, &mut [0; 400]).is_none());
        }
    }
    world.talk(10);
    world.settle();
    assert_eq!(world.ends[1].target(), address("127.0.0.1:4000"));
    assert_eq!(world.ends[1].statistics().refused, 40);
    assert_eq!(world.heard[1].frames.len(), 20);
}

#[test]
fn a_stranger_who_sends_the_peers_own_packets_again_is_not_followed() {
    let mut world = World::pair(false);
    protect(&mut world, SUITE, [1, 2]);
    world.talk(100);
    let stranger = address("198.51.100.66:6666");
    for octets in std::mem::take(&mut world.carried) {
        let local = world.ends[1].local_rtp;
        let datagram =
            Datagram { protocol: Protocol::Udp, local, remote: stranger, payload: &octets };
        assert!(world.ends[1].handle_datagram(world.now, &datagram, &mut [0; 400]).is_none());
    }
    assert_eq!(world.ends[1].target(), address("127.0.0.1:4000"));
}

#[test]
fn the_same_agreement_goes_on_and_a_new_key_of_one_side_is_followed() {
    let mut world = World::pair(false);
    protect(&mut world, SUITE, [1, 2]);
    world.talk(20);
    world.settle();
    protect(&mut world, SUITE, [1, 2]);
    // What was sent before the repetition is still known.
    let before = world.ends[1].statistics().refused;
    let again = world.carried.first().unwrap().clone();
    let (local, remote) = (world.ends[1].local_rtp, address("127.0.0.1:4000"));
    let datagram = Datagram { protocol: Protocol::Udp, local, remote, payload: &again };
    assert!(world.ends[1].handle_datagram(world.now, &datagram, &mut [0; 400]).is_none());
    assert_eq!(world.ends[1].statistics().refused, before + 1);
    world.talk(20);
    world.settle();
    protect(&mut world, SUITE, [1, 5]);
    world.talk(20);
    world.settle();
    protect(&mut world, SrtpSuite::Aes256Tag80, [1, 5]);
    world.talk(20);
    world.settle();
    assert!(world.heard.iter().all(|heard| heard.frames.len() == 80));
}

#[test]
fn no_two_packets_of_a_call_have_the_same_index_under_one_key() {
    // Sound, digits between it and a source that changes: an opener refuses what repeats.
    let mut world = World::pair(true);
    protect(&mut world, SUITE, [1, 2]);
    for round in 0..10 {
        world.talk(20);
        world.ends[0].switch_source();
        world.ends[0].send_digits(world.now, if round % 2 == 0 { "1" } else { "22" }).unwrap();
    }
    world.talk(100);
    world.settle();
    let mut opener = Opener::new(SUITE, &protection(SUITE, 1, 2).own, 0).unwrap();
    let ours = world.ends[0].ssrc().to_be_bytes();
    let mut taken = 0;
    let carried = world.carried.iter().filter(|octets| !is_rtcp(octets));
    for octets in carried.filter(|octets| octets.get(8..12) == Some(&ours[..])) {
        assert!(opener.open(octets, &mut [0; 400]).is_some());
        taken += 1;
    }
    assert_eq!(taken, world.ends[0].statistics().packets_sent);
}

#[test]
fn reports_go_on_with_their_index_under_a_key_that_comes_back() {
    let mut world = World::pair(true);
    for agreed in [Some([1, 2]), None, Some([1, 2]), Some([3, 2]), Some([1, 2])] {
        match agreed {
            Some(keys) => protect(&mut world, SUITE, keys),
            None => world.ends.iter_mut().for_each(|end| assert!(end.set_protection(None))),
        }
        world.talk(300);
    }
    let opener = || Opener::new(SUITE, &protection(SUITE, 1, 2).own, 0).unwrap();
    let opens =
        |opener: &mut Opener, octets: &[u8]| opener.open_rtcp(octets, &mut [0; 400]).is_some();
    // An opener that has seen them all refuses what repeats an index; a fresh one does not.
    let reports = world.carried.iter().filter(|octets| is_rtcp(octets));
    let sealed: Vec<_> = reports.filter(|octets| opens(&mut opener(), octets)).collect();
    let mut seeing = opener();
    assert!(sealed.len() >= 3, "{}", sealed.len());
    assert!(sealed.iter().all(|octets| opens(&mut seeing, octets)));
}

#[test]
fn keys_of_another_suite_close_the_stream_rather_than_send_in_the_clear() {
    let mut end = end(4000, 5000, true, payloads(), 1);
    let agreed = Protection { suite: SrtpSuite::Aes256Tag80, ..protection(SUITE, 1, 2) };
    assert!(!end.set_protection(Some(agreed)));
    let now = Instant::now();
    assert!(end.send_frame(now, &frame(1, now), &mut [0; 400]).is_none());
}

#[test]
fn an_encrypted_frame_that_leaves_or_comes_allocates_nothing() {
    let mut sender = end(4000, 5000, true, payloads(), 1);
    let mut receiver = end(5000, 4000, true, payloads(), 2);
    assert!(sender.set_protection(Some(protection(SUITE, 1, 2))));
    assert!(receiver.set_protection(Some(protection(SUITE, 2, 1))));
    passes_without_allocating(sender, receiver);
}
