//! Frames both ways.

use crate::world::{PEER, World};
use allocation_counter::measure;
use base::{Codec, Datagram, Frame, Protocol};
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use webrtc::{Event, SendError};

fn frame(world: &World, codec: Codec, n: u64, payload: &'static [u8]) -> Frame<'static> {
    let timestamp = 9_000 + n as u32 * codec.clock_rate() / 50;
    let received_at = world.now;
    Frame { codec, payload, sequence: 40 + n, timestamp, marker: n == 0, received_at }
}

fn payload_type(codec: Codec) -> u8 {
    codec.static_payload_type().unwrap_or(111)
}

#[test]
fn frames_cross_unchanged_both_ways_in_every_codec() {
    for codec in Codec::OF_BROWSERS {
        let mut world = World::new(20);
        world.connect();
        for n in 0..50 {
            world.browser.send(
                world.now,
                payload_type(codec),
                codec.clock_rate() / 50,
                b"from page",
            );
            let frame = frame(&world, codec, n, b"from shop");
            world.endpoint.send_frame(world.now, PEER, &frame).unwrap();
            world.run_for(Duration::from_millis(20));
        }
        world.run_for(Duration::from_millis(100));
        let frames = world.frames();
        assert_eq!(frames.len(), 50);
        for (n, received) in frames.iter().enumerate() {
            assert_eq!((received.codec, &received.payload[..]), (codec, &b"from page"[..]));
            assert_eq!(received.sequence, 1_000 + n as u64);
            assert_eq!(received.timestamp, 70_000 + n as u32 * codec.clock_rate() / 50);
        }
        let heard = &world.browser.received;
        assert_eq!(heard.len(), 50);
        assert!(heard.iter().all(|h| h.payload_type == payload_type(codec)));
        assert!(heard.iter().all(|h| h.payload == b"from shop"));
        for pair in heard.windows(2) {
            assert_eq!(pair[1].sequence, pair[0].sequence + 1);
            assert_eq!(pair[1].timestamp.wrapping_sub(pair[0].timestamp), codec.clock_rate() / 50);
        }
    }
}

#[test]
fn loss_and_jitter_show_in_the_statistics_of_both_sides() {
    let mut world = World::new(21);
    world.connect();
    world.network.loss = 100;
    world.network.jitter = Duration::from_millis(10);
    for n in 0..1_500 {
        world.browser.send(world.now, 0, 160, &[0x55; 160]);
        let frame = frame(&world, Codec::Pcmu, n, &[0xd5; 160]);
        world.endpoint.send_frame(world.now, PEER, &frame).unwrap();
        world.run_for(Duration::from_millis(20));
    }
    let statistics = world.endpoint.statistics(PEER).unwrap();
    assert_eq!(statistics.sent, 1_500);
    assert_eq!(statistics.received, world.frames().len() as u64);
    assert!((100..=210).contains(&statistics.lost), "{statistics:?}");
    assert!((1..=8).contains(&statistics.jitter.as_millis()), "{statistics:?}");
    assert!(
        statistics.remote_lost.is_some_and(|lost| (60..=230).contains(&lost)),
        "{statistics:?}"
    );
    let round_trip = statistics.round_trip.unwrap().as_millis();
    assert!((25..=60).contains(&round_trip), "{statistics:?}");
}

#[test]
fn keys_come_as_telephone_events_at_both_clock_rates_and_never_print() {
    let mut world = World::new(22);
    world.connect();
    for (payload_type, event, units) in [(126, 5, 160), (126, 5, 160), (110, 11, 960u16)] {
        // Three packets and two repeats of the end, as browsers send them.
        for n in [1, 2, 3, 3, 3] {
            let [high, low] = (units * n).to_be_bytes();
            let end = if n == 3 { 0x80 } else { 0 };
            world.browser.press(world.now, payload_type, &[event, 0x0a | end, high, low]);
            world.run_for(Duration::from_millis(20));
        }
        world.browser.release();
    }
    world.run_for(Duration::from_millis(50));
    let packets = world.events.iter().filter_map(|event| match event {
        Event::TelephoneEvent(event) => Some((event.clock_rate, event.payload[0], event.timestamp)),
        _ => None,
    });
    let mut packets: Vec<_> = packets.collect();
    assert_eq!(packets.len(), 15);
    packets.dedup();
    let keys: Vec<_> = packets.iter().map(|packet| (packet.0, packet.1)).collect();
    assert_eq!(keys, [(8_000, 5), (8_000, 5), (48_000, 11)], "three events by their times");
    let printed = format!("{:?}", world.events);
    assert!(!printed.contains("payload"), "{printed}");
}

#[test]
fn frames_need_a_connected_peer_and_a_negotiated_codec() {
    let mut world = World::new(23);
    let early = frame(&world, Codec::Pcmu, 0, b"x");
    let send = |world: &mut World, peer| world.endpoint.send_frame(world.now, peer, &early);
    assert_eq!(send(&mut world, PEER), Err(SendError::NotConnected));
    assert_eq!(send(&mut world, webrtc::PeerId(99)), Err(SendError::UnknownPeer));
    world.connect();
    assert_eq!(send(&mut world, PEER), Ok(()));
    assert_eq!(send(&mut world, PEER), Err(SendError::Late), "no number leaves twice");
}

#[test]
fn a_packet_of_sound_allocates_nothing_in_either_direction() {
    let mut world = World::new(26);
    world.connect();
    let taken = Rc::new(RefCell::new(Vec::new()));
    let keep = taken.clone();
    world.tap = Box::new(move |packet| {
        let media = packet.to_server && packet.payload[0] >= 128;
        let report = (192..224).contains(&packet.payload[1]);
        if media && !report {
            let path = (packet.server, packet.browser);
            keep.borrow_mut().push((path, packet.payload.clone()));
        }
        !media
    });
    for _ in 0..200 {
        world.browser.send(world.now, 0, 160, &[0x55; 160]);
        world.run_for(Duration::from_millis(20));
    }
    let packets = taken.take();
    let now = world.now;
    let mut heard = 0;
    let mut exchange = |world: &mut World, n: usize| {
        let ((local, remote), payload) = &packets[n];
        let (local, remote) = (*local, *remote);
        let datagram = Datagram { protocol: Protocol::Udp, local, remote, payload };
        world.endpoint.handle_datagram(now, &datagram);
        while let Some(event) = world.endpoint.poll_event() {
            let Event::Frame(frame) = event else { continue };
            heard += 1;
            world.endpoint.recycle(frame.payload);
        }
        let frame = frame(world, Codec::Pcmu, n as u64, &[0xd5; 160]);
        world.endpoint.send_frame(now, PEER, &frame).unwrap();
        let sent = world.endpoint.poll_transmit().unwrap();
        world.endpoint.recycle(sent.payload);
    };
    (0..10).for_each(|n| exchange(&mut world, n));
    let cost = measure(|| (10..200).for_each(|n| exchange(&mut world, n)));
    assert!(heard >= 190, "{heard} frames");
    assert_eq!(cost.count_total, 0, "{cost:?}");
}
