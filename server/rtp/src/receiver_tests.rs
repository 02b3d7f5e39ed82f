#![allow(clippy::unwrap_used)]
use super::*;
use base::Seed;
use std::collections::BTreeSet;
use std::time::Duration;

const SOUND: Content = Content::Sound(8000);

fn packet(ssrc: u32, sequence: u16, timestamp: u32) -> Packet<'static> {
    Packet { payload_type: 8, marker: false, sequence, timestamp, ssrc, payload: &[0; 160] }
}

fn sequence(arrival: Arrival) -> Option<u64> {
    match arrival {
        Arrival::Accepted { sequence, .. } => Some(sequence),
        _ => None,
    }
}

#[test]
fn numbers_extend_over_the_wrap_and_late_packets_find_their_place() {
    let now = Instant::now();
    let mut receiver = Receiver::new();
    let order = [65533, 65535, 65534, 1, 0, 0, 2];
    let got: Vec<_> = order
        .iter()
        .map(|&n| sequence(receiver.accept(now, &packet(1, n, 0), SOUND)))
        .map(|n| n.map(|n| n - 0x1_0000))
        .collect();
    let expected = [65533, 65535, 65534, 65537, 65536, 0, 65538].map(|n: u64| Some(n));
    assert_eq!(got[..5], expected[..5]);
    assert_eq!((got[5], got[6]), (None, expected[6]));
    let statistics = receiver.statistics();
    assert_eq!((statistics.packets, statistics.lost), (6, 0));
    assert_eq!((statistics.reordered, statistics.duplicates), (2, 1));
}

#[test]
fn a_disturbed_wire_delivers_each_packet_once_and_counts_what_is_missing() {
    for seed in 0..200 {
        let mut seed = Seed::from_number(seed);
        let mut now = Instant::now();
        let first = seed.u32() as u16;
        let mut wire: Vec<(u64, u16)> = Vec::new();
        let mut sent = BTreeSet::new();
        for n in 0..500u16 {
            // The first packets arrive in order, so that the expected figures are exact.
            let calm = !(10..=480).contains(&n);
            if !calm && seed.below(10) == 0 {
                continue;
            }
            sent.insert(n);
            let copies = if !calm && seed.below(20) == 0 { 2 } else { 1 };
            for _ in 0..copies {
                let delay = if calm { 0 } else { seed.below(8) };
                wire.push((u64::from(n) + delay, n));
            }
        }
        wire.sort_by_key(|entry| entry.0);
        let mut receiver = Receiver::new();
        let mut got = BTreeSet::new();
        let mut base = None;
        for (_, n) in wire {
            now += Duration::from_millis(20);
            let packet = packet(9, first.wrapping_add(n), u32::from(n) * 160);
            if let Arrival::Accepted { sequence, timestamp, .. } =
                receiver.accept(now, &packet, SOUND)
            {
                let base = *base.get_or_insert(sequence);
                assert_eq!(sequence - base, u64::from(n));
                assert_eq!(timestamp, u32::from(n) * 160);
                assert!(got.insert(n), "packet {n} came twice");
            }
        }
        assert_eq!(got, sent);
        assert_eq!(receiver.statistics().lost, 500 - sent.len() as u64);
    }
}

#[test]
fn a_new_source_is_followed_after_two_packets_and_goes_on_without_a_break() {
    let start = Instant::now();
    let mut receiver = Receiver::new();
    for n in 0..10u16 {
        let now = start + Duration::from_millis(20) * n.into();
        receiver.accept(now, &packet(1, 100 + n, u32::from(n) * 160), SOUND);
    }
    let now = start + Duration::from_millis(200);
    assert_eq!(receiver.accept(now, &packet(2, 7, 999_999), SOUND), Arrival::Dropped);
    let now = start + Duration::from_millis(220);
    let arrival = receiver.accept(now, &packet(2, 8, 1_000_159), SOUND);
    // Sound 9 was at 180 ms; this one comes 40 ms later.
    let expected =
        Arrival::Accepted { sequence: 0x1_0000 + 110, timestamp: 9 * 160 + 320, restarted: true };
    assert_eq!(arrival, expected);
    let now = start + Duration::from_millis(240);
    let next = receiver.accept(now, &packet(2, 9, 1_000_319), SOUND);
    assert_eq!(sequence(next), Some(0x1_0000 + 111));
    assert_eq!(receiver.statistics().restarts, 1);
    assert_eq!(receiver.statistics().lost, 0);
}

#[test]
fn a_stray_packet_and_two_interleaved_sources_do_not_flap() {
    let mut now = Instant::now();
    let mut receiver = Receiver::new();
    let mut changes = 0;
    let mut followed = None;
    for n in 0..500u16 {
        now += Duration::from_millis(20);
        // Two of one source, then two of the other: the worst case for the rule of two.
        let ssrc = 1 + u32::from(n / 2 % 2);
        receiver.accept(now, &packet(ssrc, n, 0), SOUND);
        if receiver.ssrc() != followed {
            followed = receiver.ssrc();
            changes += 1;
        }
    }
    assert!(changes <= 2, "{changes} changes");
}

#[test]
fn a_restart_of_the_same_source_is_recognised() {
    let now = Instant::now();
    let mut receiver = Receiver::new();
    receiver.accept(now, &packet(1, 1000, 0), SOUND);
    assert_eq!(receiver.accept(now, &packet(1, 40_000, 0), SOUND), Arrival::Dropped);
    let arrival = receiver.accept(now, &packet(1, 40_001, 0), SOUND);
    assert!(matches!(arrival, Arrival::Accepted { sequence: 66_537, restarted: true, .. }));
}

#[test]
fn packets_without_sound_leave_no_gap() {
    let now = Instant::now();
    let mut receiver = Receiver::new();
    let mut take = |n, content| sequence(receiver.accept(now, &packet(1, n, 0), content)).unwrap();
    let first = take(10, SOUND);
    assert_eq!(take(11, Content::Aside), first);
    assert_eq!(take(13, Content::Aside), first + 1);
    // 12 was counted as a place and is late, 14 follows it.
    assert_eq!(take(14, SOUND), first + 2);
    assert_eq!(take(12, SOUND), first + 1);
    assert_eq!(take(15, SOUND), first + 3);
}

#[test]
fn jitter_follows_the_variation_of_the_transit_time() {
    let start = Instant::now();
    let run = |late: u64| {
        let mut receiver = Receiver::new();
        for n in 0..1000u32 {
            let delay = if n % 2 == 0 { 0 } else { late };
            let now = start + Duration::from_millis(u64::from(n) * 20 + delay);
            receiver.accept(now, &packet(1, n as u16, n * 160), SOUND);
        }
        receiver.statistics().jitter_ms
    };
    assert!(run(0) < 0.1);
    // The transit time changes by 8 ms from each packet to the next.
    assert!((run(8) - 8.0).abs() < 0.5, "{}", run(8));
}

#[test]
fn report_blocks_count_from_one_report_to_the_next() {
    let now = Instant::now();
    let mut receiver = Receiver::new();
    assert_eq!(receiver.report(0, 0), None);
    for n in (0..100u16).filter(|n| n % 4 != 1) {
        receiver.accept(now, &packet(7, n, 0), SOUND);
    }
    let block = receiver.report(5, 6).unwrap();
    assert_eq!((block.ssrc, block.cumulative_lost, block.fraction_lost), (7, 25, 64));
    assert_eq!((block.highest_sequence, block.last_sr), (0x1_0000 + 99, 5));
    for n in 100..200u16 {
        receiver.accept(now, &packet(7, n, 0), SOUND);
    }
    let block = receiver.report(0, 0).unwrap();
    assert_eq!((block.cumulative_lost, block.fraction_lost), (25, 0));
}
