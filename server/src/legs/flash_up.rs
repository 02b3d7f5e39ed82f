//! The clock of what a Flash client sends: RTMP messages carry milliseconds, frames carry RTP time
//! and numbers. What goes to a client has its own clock, in `flash_time`.
//!
//! Messages of sound come as the network brings them. The number that each has in its flow says what
//! is missing before it, so a loss is told from silence, and the place of what is missing is kept
//! free until it comes or is too old.

use base::Codec;
use std::ops::RangeInclusive;

/// A client's millisecond clock may be off by so much before it is believed more than the count of
/// its samples: Flash stamps messages when its timer gets to it.
const TOLERATED_MS: i64 = 30;
/// Silence longer than this starts a talk spurt.
const SPURT_MS: i64 = 60;
/// More than this between two messages is a new start, not a loss.
const LONGEST_LOSS_MS: i64 = 1_000;
/// What comes so long after its time is of no use to anybody: no jitter buffer waits for it.
const LATEST_MS: i64 = 500;
/// Places of missing messages that are kept: one after every second message of the latest half
/// second is the most that can be wanted.
const HOLES: usize = 16;

/// What a frame made of a client's message is stamped with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// See [`base::Frame::sequence`].
    pub sequence: u64,
    /// See [`base::Frame::timestamp`].
    pub timestamp: u32,
    /// See [`base::Frame::marker`].
    pub marker: bool,
}

/// Where the present message stands among those before.
#[derive(Clone, Copy, Debug, Default)]
enum Came {
    /// After the newest one, with nothing missing between them.
    #[default]
    Next,
    /// After the newest one; these numbers are missing.
    After { from: u64, to: u64 },
    /// Before the newest one.
    Late { number: u64 },
}

/// The place of missing messages.
#[derive(Clone, Copy, Debug)]
struct Hole {
    /// Their numbers: the first one, and the first after them.
    from: u64,
    to: u64,
    codec: Codec,
    duration_ms: u32,
    /// Stamps of the first frame, and the client's time of it.
    sequence: u64,
    timestamp: u32,
    at_ms: u32,
    /// How many frames there is room for, and how long they and the silence between them last.
    frames: u32,
    span_ms: i64,
    /// The frames that came, by bits.
    taken: u128,
}

/// RTP time and numbers for what a Flash client sends. Samples are counted as long as the client's
/// milliseconds agree with the count; missing messages leave a gap in both, which they fill if they
/// come in time.
#[derive(Clone, Copy, Debug, Default)]
pub struct UpClock {
    sequence: u64,
    /// Codec, RTP time of the next sample, and the client's time of it.
    next: Option<(Codec, u32, u32)>,
    /// The flow, and the newest number in it.
    flow: Option<(u64, u64)>,
    came: Came,
    /// Frames stamped of the present message, and how many one had of late.
    stamped: u32,
    usual: u32,
    holes: [Option<Hole>; HOLES],
    next_hole: usize,
}

impl UpClock {
    /// Whether messages of this flow are those that are stamped.
    pub fn is_on(&self, flow: u64) -> bool {
        self.flow.is_some_and(|(of, _)| of == flow)
    }

    /// A message has come, with these numbers in its flow; [`Self::stamp`] is for its frames. What
    /// carries no sound is to be told too, or it counts as missing.
    pub fn begin(&mut self, flow: u64, numbers: &RangeInclusive<u64>) {
        let (first, last) = (*numbers.start(), *numbers.end());
        if self.stamped > 0 && !matches!(self.came, Came::Late { .. }) {
            self.usual = self.stamped;
        }
        self.stamped = 0;
        let newest = self.flow.filter(|(of, _)| *of == flow).map(|(_, newest)| newest);
        self.came = match newest {
            Some(newest) if first <= newest => Came::Late { number: first },
            Some(newest) if first - newest > 1 => Came::After { from: newest + 1, to: first },
            Some(_) => Came::Next,
            None => {
                // Numbers of another flow say nothing about this one's.
                self.holes = [None; HOLES];
                Came::Next
            }
        };
        if !matches!(self.came, Came::Late { .. }) {
            self.flow = Some((flow, last));
        }
    }

    /// The stamp of one frame that lasts `duration_ms`, of the client's time `at_ms` (for a later
    /// frame of a message, its own time). `None`: it comes too late, or its place is taken.
    pub fn stamp(&mut self, codec: Codec, at_ms: u32, duration_ms: u32) -> Option<Stamp> {
        let duration_ms = duration_ms.max(1);
        let index = self.stamped;
        self.stamped += 1;
        let missing = match self.came {
            Came::Late { number } => return self.fill(codec, at_ms, duration_ms, (number, index)),
            Came::After { from, to } => Some((from, to)),
            Came::Next => None,
        };
        self.came = Came::Next;
        let duration = i64::from(duration_ms);
        // RTP time of this frame, whether it begins a spurt, and the client's time from which the
        // count goes on.
        let (timestamp, marker, counted_from) = match self.next {
            Some((of, timestamp, expected_ms)) if of == codec => {
                let ahead = i64::from(at_ms.wrapping_sub(expected_ms) as i32);
                let frames =
                    missing.map_or(0, |(from, to)| self.missing(to - from, ahead, duration));
                let gap = frames * duration;
                let silence = ahead - gap;
                let counts = silence.abs() <= TOLERATED_MS;
                let passed = if counts { gap } else { ahead.max(gap) };
                if let Some((from, to)) = missing.filter(|_| frames > 0) {
                    self.keep(Hole {
                        from,
                        to,
                        codec,
                        duration_ms,
                        sequence: self.sequence + 1,
                        timestamp,
                        at_ms: expected_ms,
                        frames: frames as u32,
                        span_ms: passed,
                        taken: 0,
                    });
                    self.sequence += frames as u64;
                }
                // Where the count goes on, the client's own time is not taken over: what it differs
                // by adds up, and is seen.
                let counted = if counts { expected_ms.wrapping_add(passed as u32) } else { at_ms };
                (timestamp.wrapping_add(ticks(codec, passed)), silence > SPURT_MS, counted)
            }
            Some((_, timestamp, _)) => (timestamp, true, at_ms),
            None => (0, true, at_ms),
        };
        self.sequence += 1;
        let next = timestamp.wrapping_add(ticks(codec, duration));
        self.next = Some((codec, next, counted_from.wrapping_add(duration_ms)));
        Some(Stamp { sequence: self.sequence, timestamp, marker })
    }

    /// How many frames so many missing messages had, where the client's time has gone `ahead` of the
    /// count: as many as usual, unless there is no time for them.
    fn missing(&self, messages: u64, ahead: i64, duration: i64) -> i64 {
        let most = LONGEST_LOSS_MS / duration;
        let messages = i64::try_from(messages).unwrap_or(i64::MAX);
        let usual = messages.saturating_mul(i64::from(self.usual.max(1)));
        if usual <= most && (ahead - usual * duration).abs() <= TOLERATED_MS {
            usual
        } else if ahead <= LONGEST_LOSS_MS {
            usual.min((ahead.max(0) + duration / 2) / duration)
        } else {
            0
        }
    }

    fn keep(&mut self, hole: Hole) {
        if hole.frames > u128::BITS {
            return;
        }
        if let Some(slot) = self.holes.get_mut(self.next_hole) {
            *slot = Some(hole);
        }
        self.next_hole = (self.next_hole + 1) % HOLES;
    }

    /// The stamp of a frame that was missing: the `index`th of the message with this number.
    fn fill(
        &mut self,
        codec: Codec,
        at_ms: u32,
        duration_ms: u32,
        (number, index): (u64, u32),
    ) -> Option<Stamp> {
        let (_, next, _) = self.next.filter(|(of, ..)| *of == codec)?;
        let hole = self.holes.iter_mut().flatten().find(|hole| {
            (hole.from..hole.to).contains(&number)
                && (hole.codec, hole.duration_ms) == (codec, duration_ms)
        })?;
        let duration = i64::from(duration_ms);
        let after = i64::from(at_ms.wrapping_sub(hole.at_ms) as i32);
        let (messages, frames) = (hole.to - hole.from, u64::from(hole.frames));
        let place = if frames.is_multiple_of(messages) {
            let each = frames / messages;
            let index = Some(u64::from(index)).filter(|index| *index < each)?;
            (number - hole.from) * each + index
        } else {
            u64::try_from((after + duration / 2).div_euclid(duration)).ok()?
        };
        let bit = 1u128.checked_shl(u32::try_from(place).ok()?).filter(|_| place < frames)?;
        let counted = place as i64 * duration;
        // Silence may have stood before it: then its own time is better.
        let off = if (after - counted).abs() <= TOLERATED_MS { counted } else { after };
        let latest = (hole.span_ms - (frames as i64 - place as i64) * duration).max(counted);
        let timestamp = hole.timestamp.wrapping_add(ticks(codec, off.clamp(counted, latest)));
        let age = i64::from(next.wrapping_sub(timestamp)) * 1000 / i64::from(codec.clock_rate());
        if hole.taken & bit != 0 || age > LATEST_MS {
            return None;
        }
        hole.taken |= bit;
        Some(Stamp { sequence: hole.sequence + place, timestamp, marker: false })
    }
}

fn ticks(codec: Codec, ms: i64) -> u32 {
    (ms * i64::from(codec.clock_rate()) / 1000) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stamps of messages of one frame of 20 ms each: numbers and times in, what they get out.
    fn stamps(clock: &mut UpClock, messages: &[(u64, u32)]) -> Vec<Option<(u64, u32, bool)>> {
        let stamp = |(number, at): &(u64, u32)| {
            clock.begin(3, &(*number..=*number));
            let stamp = clock.stamp(Codec::Pcmu, *at, 20);
            stamp.map(|stamp| (stamp.sequence, stamp.timestamp, stamp.marker))
        };
        messages.iter().map(stamp).collect()
    }

    #[test]
    fn samples_are_counted_while_the_clients_clock_only_trembles() {
        let mut clock = UpClock::default();
        let times = stamps(&mut clock, &[(1, 7), (2, 31), (3, 45), (4, 69), (5, 87)]);
        let counted = [(1, 0, true), (2, 160, false), (3, 320, false), (4, 480, false)];
        assert_eq!(times[..4], counted.map(Some));
        assert_eq!(times[4], Some((5, 640, false)));
    }

    #[test]
    fn missing_messages_leave_a_gap_in_numbers_and_in_time() {
        let mut clock = UpClock::default();
        stamps(&mut clock, &[(1, 0), (2, 20)]);
        let after = stamps(&mut clock, &[(5, 83), (6, 100)]);
        assert_eq!(after, [Some((5, 640, false)), Some((6, 800, false))]);
    }

    #[test]
    fn what_comes_late_fills_its_own_place_whatever_its_clock_trembles_by() {
        let mut clock = UpClock::default();
        stamps(&mut clock, &[(1, 0), (2, 20)]);
        // The fourth is stamped early, so that the time alone has no room for the third.
        let came = stamps(&mut clock, &[(4, 48), (6, 105), (3, 55), (5, 70), (7, 120)]);
        let placed = [(4, 480), (6, 800), (3, 320), (5, 640), (7, 960)];
        assert_eq!(came, placed.map(|(number, time)| Some((number, time, false))));
    }

    #[test]
    fn a_place_is_filled_once_and_what_was_never_missing_has_none() {
        let mut clock = UpClock::default();
        stamps(&mut clock, &[(1, 0), (2, 20), (4, 60)]);
        assert_eq!(stamps(&mut clock, &[(3, 40)]), [Some((3, 320, false))]);
        assert_eq!(stamps(&mut clock, &[(3, 40), (4, 60), (1, 0)]), [None; 3]);
        assert_eq!(stamps(&mut clock, &[(5, 80)]), [Some((5, 640, false))], "all goes on");
    }

    #[test]
    fn what_comes_after_half_a_second_is_too_late() {
        for (after, in_time) in [(20, true), (40, false)] {
            let mut clock = UpClock::default();
            stamps(&mut clock, &[(1, 0)]);
            let later: Vec<_> = (3..3 + after).map(|number| (number, number as u32 * 20)).collect();
            stamps(&mut clock, &later);
            assert_eq!(stamps(&mut clock, &[(2, 20)])[0].is_some(), in_time, "{after} messages");
        }
    }

    #[test]
    fn silence_moves_time_and_begins_a_spurt_without_being_a_loss() {
        let mut clock = UpClock::default();
        stamps(&mut clock, &[(1, 0), (2, 20)]);
        let after = stamps(&mut clock, &[(3, 540), (4, 560)]);
        assert_eq!(after, [Some((3, 4320, true)), Some((4, 4480, false))]);
    }

    #[test]
    fn a_loss_at_the_edge_of_silence_is_no_more_than_what_is_missing() {
        for (late, timestamp) in [(20, 160), (440, 3520)] {
            let mut clock = UpClock::default();
            stamps(&mut clock, &[(1, 0)]);
            // Message 2 is the last before the silence, or the first after it.
            let after = stamps(&mut clock, &[(3, 460), (2, late)]);
            assert_eq!(after, [Some((3, 3680, true)), Some((2, timestamp, false))]);
        }
    }

    #[test]
    fn messages_of_several_frames_keep_their_frames_together() {
        let mut clock = UpClock::default();
        let mut give = |number: u64| {
            clock.begin(3, &(number..=number));
            let at = (number - 1) as u32 * 40;
            let stamps = [at, at + 20].map(|at| clock.stamp(Codec::Speex16, at, 20));
            stamps.map(|stamp| stamp.map(|stamp| (stamp.sequence, stamp.timestamp)))
        };
        for number in [1, 2, 5, 4, 3, 6] {
            let stamps = give(number);
            let first = (number as u32 - 1) * 640;
            assert_eq!(stamps[0], Some((number * 2 - 1, first)), "message {number}");
            assert_eq!(stamps[1], Some((number * 2, first + 320)), "message {number}");
        }
    }

    #[test]
    fn messages_without_sound_are_not_missing() {
        let mut clock = UpClock::default();
        stamps(&mut clock, &[(1, 0)]);
        clock.begin(3, &(2..=9));
        assert_eq!(stamps(&mut clock, &[(10, 20)]), [Some((2, 160, false))]);
    }

    #[test]
    fn another_flow_goes_on_with_numbers_of_its_own() {
        let mut clock = UpClock::default();
        stamps(&mut clock, &[(1, 0), (3, 40)]);
        clock.begin(5, &(1..=1));
        let stamp = clock.stamp(Codec::Pcmu, 60, 20).map(|stamp| (stamp.sequence, stamp.timestamp));
        assert_eq!(stamp, Some((4, 480)));
        assert!(clock.is_on(5) && !clock.is_on(3));
    }

    #[test]
    fn a_client_whose_clock_runs_slow_or_jumps_back_does_not_turn_time_back() {
        let mut clock = UpClock::default();
        stamps(&mut clock, &[(1, 1000), (2, 1020)]);
        let after = stamps(&mut clock, &[(3, 0), (4, 20)]);
        assert_eq!(after, [Some((3, 320, false)), Some((4, 480, false))]);
    }

    #[test]
    fn a_drift_of_two_in_a_thousand_for_an_hour_stays_within_the_tolerance() {
        let mut clock = UpClock::default();
        let mut worst = 0i64;
        for frame in 0..180_000u64 {
            let at = (frame * 20 * 1002 / 1000) as u32;
            clock.begin(3, &(frame + 1..=frame + 1));
            let stamp = clock.stamp(Codec::Pcmu, at, 20).expect("in order");
            worst = worst.max((i64::from(at) - i64::from(stamp.timestamp) / 8).abs());
        }
        assert!(worst <= TOLERATED_MS + 20, "{worst} ms");
    }
}
