#![allow(clippy::unwrap_used)]
use super::*;
use std::time::Duration;

const TICK: Duration = Duration::from_millis(20);

fn mapper() -> Mapper {
    Mapper::new(&mut Seed::from_number(3))
}

#[test]
fn losses_and_late_frames_stay_what_they_are() {
    let now = Instant::now();
    let mut mapper = mapper();
    let out: Vec<_> = [5u64, 6, 8, 7, 8, 10]
        .into_iter()
        .map(|n| mapper.map(now + TICK * n as u32, n, n as u32 * 160, 8000))
        .collect();
    let first = out[0].unwrap();
    assert!(first.marker);
    let relative: Vec<_> = out
        .iter()
        .map(|m| m.map(|m| (m.sequence - first.sequence, m.timestamp - first.timestamp)))
        .collect();
    assert_eq!(
        relative,
        [Some((0, 0)), Some((1, 160)), Some((3, 480)), Some((2, 320)), None, Some((5, 800))]
    );
    assert!(out[1..].iter().flatten().all(|m| !m.marker));
}

#[test]
fn a_change_of_the_source_goes_on_with_the_next_number_and_the_clock() {
    let now = Instant::now();
    let mut mapper = mapper();
    let a = mapper.map(now, 900, 1_000_000, 8000).unwrap();
    mapper.switch_source();
    // The tone starts at zero, 60 ms later.
    let b = mapper.map(now + TICK * 3, 901, 0, 8000).unwrap();
    assert_eq!(b.sequence, a.sequence + 1);
    assert_eq!(b.timestamp.wrapping_sub(a.timestamp), 480);
    assert!(b.marker);
    // Back at once: one frame at least.
    mapper.switch_source();
    let c = mapper.map(now + TICK * 3, 7, 55, 8000).unwrap();
    assert_eq!((c.sequence, c.timestamp.wrapping_sub(b.timestamp)), (b.sequence + 1, 160));
}

#[test]
fn a_jump_is_taken_for_another_source_without_being_told() {
    let now = Instant::now();
    let mut mapper = mapper();
    let a = mapper.map(now, 50_000, 7, 8000).unwrap();
    let b = mapper.map(now + TICK, 3, 1_000_000, 8000).unwrap();
    let c = mapper.map(now + TICK * 2, 900_000, 5, 8000).unwrap();
    assert_eq!((b.sequence, c.sequence), (a.sequence + 1, a.sequence + 2));
    assert_eq!(c.timestamp.wrapping_sub(a.timestamp), 320);
}

#[test]
fn a_time_line_that_jumps_back_within_a_source_still_only_rises() {
    let now = Instant::now();
    let mut mapper = mapper();
    let a = mapper.map(now, 1, 1_000_000, 8000).unwrap();
    let b = mapper.map(now + TICK, 2, 5, 8000).unwrap();
    let c = mapper.map(now + TICK * 2, 3, 165, 8000).unwrap();
    assert_eq!(b.timestamp.wrapping_sub(a.timestamp), 160);
    assert_eq!(c.timestamp.wrapping_sub(b.timestamp), 160);
}

#[test]
fn a_pause_of_the_source_is_kept_in_its_timestamps() {
    let now = Instant::now();
    let mut mapper = mapper();
    let a = mapper.map(now, 1, 0, 48_000).unwrap();
    // Discontinuous transmission: the next frame comes 8 s later.
    let later = now + Duration::from_secs(8);
    let b = mapper.map(later, 2, 8 * 48_000, 48_000).unwrap();
    assert_eq!(b.sequence, a.sequence + 1);
    assert_eq!(b.timestamp.wrapping_sub(a.timestamp), 8 * 48_000);
}

#[test]
fn a_change_of_the_codec_keeps_numbers_and_moves_time_at_the_new_rate() {
    let now = Instant::now();
    let mut mapper = mapper();
    let a = mapper.map(now, 1, 100, 48_000).unwrap();
    // The same time line in units of the old rate: it must not be taken for the new one.
    let b = mapper.map(now + TICK * 2, 3, 1060, 8000).unwrap();
    assert_eq!(b.sequence, a.sequence + 2);
    assert_eq!(b.timestamp.wrapping_sub(a.timestamp), 320);
}

#[test]
fn frames_behind_inserted_packets_are_numbered_without_a_gap() {
    let now = Instant::now();
    let mut mapper = mapper();
    let a = mapper.map(now, 10, 1600, 8000).unwrap();
    let time = mapper.timestamp_at(now + TICK, 8000);
    assert_eq!(time.wrapping_sub(a.timestamp), 160);
    let events: Vec<_> = (0..7).map(|_| mapper.insert(time)).collect();
    assert_eq!(events, (1..8).map(|n| a.sequence + n).collect::<Vec<_>>());
    // Frames 11 to 18 were held back; 18 was late already.
    let b = mapper.map(now + TICK * 9, 19, 19 * 160, 8000).unwrap();
    assert_eq!(b.sequence, a.sequence + 8);
    assert_eq!(b.timestamp.wrapping_sub(a.timestamp), 9 * 160);
    assert_eq!(mapper.map(now + TICK * 9, 18, 18 * 160, 8000), None);
}

#[test]
fn whatever_comes_in_no_number_goes_out_twice_and_time_rises_with_it() {
    for number in 0..500 {
        let mut seed = Seed::from_number(number);
        let mut mapper = Mapper::new(&mut seed);
        let mut now = Instant::now();
        let mut used = std::collections::BTreeMap::new();
        let mut sources: Vec<(u64, u32)> =
            (0..3).map(|_| (seed.below(1 << 33), seed.u32())).collect();
        let mut current = 0;
        for _ in 0..400 {
            now += Duration::from_millis(seed.below(40));
            match seed.below(40) {
                0 => {
                    current = seed.below(3) as usize;
                    mapper.switch_source();
                }
                1 => {
                    let time = mapper.timestamp_at(now, 8000);
                    let sequence = mapper.insert(time);
                    assert_eq!(used.insert(sequence, time), None);
                }
                _ => {
                    let source = &mut sources[current];
                    let step = 1 + seed.below(8) / 7;
                    source.0 += step;
                    source.1 = source.1.wrapping_add(step as u32 * 160);
                    if let Some(m) = mapper.map(now, source.0, source.1, 8000) {
                        assert_eq!(used.insert(m.sequence, m.timestamp), None);
                    }
                }
            }
        }
        let times: Vec<_> = used.values().copied().collect();
        for pair in times.windows(2) {
            assert!(pair[1].wrapping_sub(pair[0]) as i32 >= 0, "seed {number}");
        }
    }
}
