//! Numbers and times of the RTP stream towards one browser.

use base::{Codec, Frame, Seed};
use std::time::{Duration, Instant};

/// Beyond this many numbers a gap is another source and not a loss.
const GAP_MAX: i64 = 1_000;
/// So many numbers behind the latest a frame may still leave.
const LATE_MAX: i64 = 63;
/// Beyond this a step of the timestamp is another source.
const STEP_MAX: Duration = Duration::from_secs(60);

/// What a frame becomes on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapped {
    pub(crate) sequence: u64,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
}

/// The latest frame sent, as it came and as it left.
struct Latest {
    codec: Codec,
    sequence_in: u64,
    timestamp_in: u32,
    sequence_out: u64,
    timestamp_out: u32,
    sent_at: Instant,
    /// Bit n: the number n below the latest has left.
    window: u64,
}

/// Maps frames of changing sources onto one continuous stream. No number leaves twice: SRTP with
/// AES-GCM would lose its secrets (RFC 7714 section 8.3).
pub(crate) struct Outgoing {
    first_sequence: u64,
    first_timestamp: u32,
    latest: Option<Latest>,
}

impl Outgoing {
    pub(crate) fn new(seed: &mut Seed) -> Outgoing {
        Outgoing {
            // In the lower half: the receiver must not see the first wrap before it has seen the
            // stream (RFC 3711 section 3.3.1).
            first_sequence: seed.below(0x8000),
            first_timestamp: seed.u32(),
            latest: None,
        }
    }

    /// The stream's time at `now`; `None` where nothing has left yet.
    pub(crate) fn timestamp_at(&self, now: Instant) -> Option<u32> {
        let latest = self.latest.as_ref()?;
        let passed = now.saturating_duration_since(latest.sent_at);
        let units = passed.as_micros() * u128::from(latest.codec.clock_rate()) / 1_000_000;
        Some(latest.timestamp_out.wrapping_add(units as u32))
    }

    /// Number, time and marker for a frame; `None` when it has left before.
    pub(crate) fn map(&mut self, now: Instant, frame: &Frame<'_>) -> Option<Mapped> {
        let Some(latest) = &mut self.latest else {
            self.latest = Some(Latest {
                codec: frame.codec,
                sequence_in: frame.sequence,
                timestamp_in: frame.timestamp,
                sequence_out: self.first_sequence,
                timestamp_out: self.first_timestamp,
                sent_at: now,
                window: 1,
            });
            let (sequence, timestamp) = (self.first_sequence, self.first_timestamp);
            return Some(Mapped { sequence, timestamp, marker: true });
        };
        let rate = frame.codec.clock_rate();
        let gap = frame.sequence.wrapping_sub(latest.sequence_in) as i64;
        let step = frame.timestamp.wrapping_sub(latest.timestamp_in) as i32;
        let step_max = STEP_MAX.as_secs() * u64::from(rate);
        let same_source = latest.codec == frame.codec
            && (-LATE_MAX..=GAP_MAX).contains(&gap)
            // A late frame is also older; one that is not comes from a source that counts alike.
            && (gap > 0 || step <= 0)
            && u64::from(step.unsigned_abs()) <= step_max;

        if same_source && gap <= 0 {
            let behind = -gap;
            if latest.window & (1 << behind) != 0 {
                return None;
            }
            let sequence = latest.sequence_out.checked_sub(behind as u64)?;
            latest.window |= 1 << behind;
            let timestamp = latest.timestamp_out.wrapping_add_signed(step);
            return Some(Mapped { sequence, timestamp, marker: frame.marker });
        }

        let advance = if same_source { gap as u64 } else { 1 };
        let step = if same_source {
            step
        } else {
            // As much as the wall clock has moved, but one tick of 20 ms at least.
            let elapsed = now.saturating_duration_since(latest.sent_at).min(STEP_MAX);
            (elapsed.as_micros() * u128::from(rate) / 1_000_000).max(u128::from(rate / 50)) as i32
        };
        latest.window = if advance > 63 { 1 } else { latest.window << advance | 1 };
        latest.codec = frame.codec;
        latest.sequence_in = frame.sequence;
        latest.timestamp_in = frame.timestamp;
        latest.sequence_out += advance;
        latest.timestamp_out = latest.timestamp_out.wrapping_add_signed(step);
        latest.sent_at = now;
        Some(Mapped {
            sequence: latest.sequence_out,
            timestamp: latest.timestamp_out,
            marker: frame.marker || !same_source,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn frame(codec: Codec, sequence: u64, timestamp: u32) -> Frame<'static> {
        let received_at = Instant::now();
        Frame { codec, payload: &[], sequence, timestamp, marker: false, received_at }
    }

    #[test]
    fn a_change_of_source_goes_on_without_a_gap_and_marks_the_frame() {
        let now = Instant::now();
        let mut outgoing = Outgoing::new(&mut Seed::from_number(3));
        let first = outgoing.map(now, &frame(Codec::Pcmu, 10, 1600)).unwrap();
        let second = outgoing.map(now, &frame(Codec::Pcmu, 11, 1760)).unwrap();
        assert_eq!(second.sequence, first.sequence + 1);
        assert_eq!(second.timestamp, first.timestamp.wrapping_add(160));
        assert!(first.marker && !second.marker);
        let later = now + Duration::from_millis(100);
        let other = outgoing.map(later, &frame(Codec::Pcmu, 900_000, 5)).unwrap();
        assert_eq!(other.sequence, second.sequence + 1);
        assert_eq!(other.timestamp, second.timestamp.wrapping_add(800));
        assert!(other.marker);
    }

    #[test]
    fn losses_and_reordering_are_kept_and_no_number_leaves_twice() {
        let now = Instant::now();
        let mut outgoing = Outgoing::new(&mut Seed::from_number(4));
        let mut map = |sequence: u64| {
            let timestamp = (sequence * 960) as u32;
            outgoing.map(now, &frame(Codec::Opus, sequence, timestamp)).map(|m| m.sequence)
        };
        let base = map(100).unwrap();
        assert_eq!(map(103), Some(base + 3));
        assert_eq!(map(101), Some(base + 1));
        assert_eq!(map(101), None, "sent before");
        assert_eq!(map(103), None, "sent before");
        assert_eq!(map(102), Some(base + 2));
        assert_eq!(map(200), Some(base + 100));
        assert_eq!(map(120), Some(base + 101), "so far back is another source");
    }

    #[test]
    fn every_source_of_a_thousand_random_ones_keeps_numbers_unique() {
        let now = Instant::now();
        let mut seed = Seed::from_number(5);
        let mut outgoing = Outgoing::new(&mut seed);
        let mut seen = std::collections::HashSet::new();
        for _ in 0..50_000 {
            let jump = if seed.below(50) == 0 { seed.below(5_000) } else { seed.below(80) };
            let frame = frame(Codec::ALL[seed.below(4) as usize], 10_000 + jump, seed.u32() >> 16);
            if let Some(mapped) = outgoing.map(now, &frame) {
                assert!(seen.insert(mapped.sequence), "{} left twice", mapped.sequence);
            }
        }
    }
}
