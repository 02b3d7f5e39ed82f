#![allow(clippy::unwrap_used)]
use super::*;
use base::Seed;

const TICK: Duration = Duration::from_millis(20);

fn octets(event: u8, end: bool, duration: u16) -> [u8; 4] {
    Payload { event, end, volume: 10, duration }.octets()
}

/// The seven packets of a tone of 100 ms at 8000 Hz: payload, marker, and the tick it leaves at.
fn tone(event: u8) -> Vec<([u8; 4], bool, u32)> {
    (0..7).map(|n| (octets(event, n >= 4, (160 * (n + 1)).min(800) as u16), n == 0, n)).collect()
}

#[test]
fn an_event_with_repeated_ends_is_one_digit() {
    let start = Instant::now();
    let mut receiver = Receiver::new();
    let digits: Vec<_> = tone(11)
        .into_iter()
        .filter_map(|(payload, marker, n)| {
            receiver.handle(start + TICK * n, &payload, 4000, marker, 8000)
        })
        .collect();
    assert_eq!(digits, [Digit { digit: '#', duration_ms: 100 }]);
    assert_eq!(receiver.poll(start + TICK * 100), None);
}

#[test]
fn any_single_packet_that_survives_gives_the_digit() {
    for survivor in 0..7 {
        let start = Instant::now();
        let mut receiver = Receiver::new();
        let (payload, marker, _) = tone(5)[survivor];
        let at_once = receiver.handle(start, &payload, 4000, marker, 8000);
        let later = receiver.poll(start + EVENT_LOST_AFTER);
        let digits: Vec<_> = at_once.into_iter().chain(later).map(|d| d.digit).collect();
        assert_eq!(digits, ['5'], "packet {survivor}");
        assert_eq!(receiver.poll_timeout(), None);
    }
}

#[test]
fn the_same_digit_twice_is_two_digits_even_without_any_end() {
    let start = Instant::now();
    let mut receiver = Receiver::new();
    let mut digits = Vec::new();
    for (index, timestamp) in [0u32, 1440].into_iter().enumerate() {
        for (payload, marker, n) in tone(7).into_iter().filter(|packet| packet.2 < 4) {
            let now = start + TICK * (n + 9 * index as u32);
            digits.extend(receiver.handle(now, &payload, timestamp, marker, 8000));
        }
    }
    digits.extend(receiver.poll(start + TICK * 100));
    assert_eq!(digits.iter().map(|d| d.digit).collect::<String>(), "77");
    assert_eq!(digits[0].duration_ms, 80);
}

#[test]
fn a_lost_end_and_a_lone_end_in_one_packet_come_out_one_after_the_other() {
    let now = Instant::now();
    let mut receiver = Receiver::new();
    assert_eq!(receiver.handle(now, &octets(1, false, 160), 0, true, 8000), None);
    let first = receiver.handle(now + TICK, &octets(2, true, 800), 1440, false, 8000);
    assert_eq!(first.unwrap().digit, '1');
    assert!(receiver.poll_timeout().unwrap() <= now + TICK);
    assert_eq!(receiver.poll(now + TICK).unwrap().digit, '2');
    assert_eq!(receiver.poll(now + TICK), None);
}

#[test]
fn a_key_held_for_long_is_one_digit_over_its_segments() {
    let start = Instant::now();
    let mut receiver = Receiver::new();
    let mut digits = Vec::new();
    // 20 s at 8000 Hz: segments of 65535 units, each with a timestamp of its own.
    for n in 1..=1000u32 {
        let units = n * 160;
        let segment = (units - 1) / 65_535;
        let payload = octets(3, n == 1000, (units - segment * 65_535) as u16);
        digits.extend(receiver.handle(
            start + TICK * n,
            &payload,
            77 + segment * 65_535,
            n == 1,
            8000,
        ));
    }
    assert_eq!(digits, [Digit { digit: '3', duration_ms: 20_000 }]);
}

#[test]
fn the_marker_begins_another_event_even_where_a_segment_could_go_on() {
    let now = Instant::now();
    let mut receiver = Receiver::new();
    assert_eq!(receiver.handle(now, &octets(3, false, 65_000), 0, true, 8000), None);
    let first = receiver.handle(now + TICK, &octets(3, false, 160), 65_535, true, 8000);
    assert_eq!(first.unwrap().duration_ms, 8125);
    let second = receiver.handle(now + TICK, &octets(3, true, 800), 65_535, false, 8000);
    assert_eq!(second.unwrap().duration_ms, 100);
}

#[test]
fn late_and_foreign_packets_make_no_digit() {
    let now = Instant::now();
    let mut receiver = Receiver::new();
    assert!(receiver.handle(now, &octets(4, true, 800), 8000, false, 8000).is_some());
    // A straggler of this event, one of an event before, a flash, and a cut payload.
    assert_eq!(receiver.handle(now, &octets(4, false, 640), 8000, false, 8000), None);
    assert_eq!(receiver.handle(now, &octets(9, true, 800), 6000, false, 8000), None);
    assert_eq!(receiver.handle(now, &octets(16, true, 800), 9600, false, 8000), None);
    assert_eq!(receiver.handle(now, &[4, 0x80], 9600, false, 8000), None);
    assert_eq!(receiver.poll(now + TICK * 100), None);
    // A source with a new time line is heard after a while, or at once if it is known.
    receiver.restart();
    assert!(receiver.handle(now, &octets(4, true, 800), 100, false, 8000).is_some());
}

#[test]
fn every_digit_comes_once_and_in_order_over_a_wire_that_loses_and_repeats() {
    let typed = "1234567890*#11223";
    for number in 0..300 {
        let mut seed = Seed::from_number(number);
        let mut receiver = Receiver::new();
        let start = Instant::now();
        let mut wire = Vec::new();
        for (index, digit) in typed.chars().enumerate() {
            let event = super::super::event_of(digit).unwrap();
            for (payload, marker, n) in tone(event) {
                // Packet 2 always survives; each other is lost in one of three cases.
                if n != 2 && seed.below(3) == 0 {
                    continue;
                }
                for _ in 0..=seed.below(2) {
                    let delay = Duration::from_millis(seed.below(35));
                    let at = start + TICK * (n + 9 * index as u32) + delay;
                    wire.push((at, payload, index as u32 * 1440, marker));
                }
            }
        }
        wire.sort_by_key(|entry| entry.0);
        let mut got = String::new();
        for (at, payload, timestamp, marker) in wire {
            while receiver.poll_timeout().is_some_and(|due| due <= at) {
                got.extend(receiver.poll(at).map(|d| d.digit));
            }
            let digit = receiver.handle(at, &payload, timestamp, marker, 8000);
            got.extend(digit.map(|d| d.digit));
        }
        got.extend(receiver.poll(start + Duration::from_secs(60)).map(|d| d.digit));
        got.extend(receiver.poll(start + Duration::from_secs(60)).map(|d| d.digit));
        assert_eq!(got, typed, "seed {number}");
    }
}
