//! One time line for a sender's timestamps, in microseconds, across wraps, jumps and changes of
//! clock.

use base::{Codec, Frame};

/// A sequence number this far ahead, or behind, is another stream.
const SEQUENCE_AHEAD: u64 = 1000;
const SEQUENCE_BEHIND: u64 = 100;
/// A timestamp this far off the arrival is a clock that was set, or stood still during a pause.
const CLOCK_JUMP: i64 = 500_000;

#[derive(Clone, Copy)]
struct Newest {
    sequence: u64,
    timestamp: u32,
    /// Ticks since this clock's zero.
    ticks: i64,
    /// The time line's value at the clock's zero.
    zero: i64,
    clock_rate: i64,
    /// Where the newest frame ends.
    end: i64,
}

/// Places frames on the time line.
#[derive(Default)]
pub struct Timeline {
    newest: Option<Newest>,
}

/// Where a frame belongs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Place {
    /// The frame starts at this time.
    At(i64),
    /// A new stream begins with this frame, at this time: what is buffered belongs to the old one.
    Anew(i64),
    /// The frame is from long ago, or its sender has gone back in its numbers.
    Stale,
}

impl Timeline {
    /// Places a frame that lasts `duration` and arrived at `arrived`. `base` is the least transit
    /// seen lately (arrival minus place). All in microseconds.
    pub fn place(&mut self, frame: &Frame<'_>, duration: i64, arrived: i64, base: i64) -> Place {
        let clock_rate = i64::from(Codec::clock_rate(frame.codec));
        let Some(mut newest) = self.newest.filter(|newest| {
            frame.sequence <= newest.sequence.saturating_add(SEQUENCE_AHEAD)
                && frame.sequence.saturating_add(SEQUENCE_BEHIND) >= newest.sequence
        }) else {
            self.newest = Some(Newest {
                sequence: frame.sequence,
                timestamp: frame.timestamp,
                ticks: 0,
                zero: arrived,
                clock_rate,
                end: arrived + duration,
            });
            return Place::Anew(arrived);
        };
        let newer = frame.sequence > newest.sequence;
        if clock_rate != newest.clock_rate {
            if !newer {
                // A straggler of the old clock: its place follows from its number well enough.
                let frames = (newest.sequence - frame.sequence) as i64;
                return Place::At(newest.end - (frames + 1) * duration);
            }
            // RFC 7160 lets the two clocks have unrelated zeros, so the count of frames tells.
            let missing = (frame.sequence - newest.sequence - 1) as i64;
            newest.zero = newest.end + missing * duration;
            newest.ticks = 0;
            newest.timestamp = frame.timestamp;
            newest.clock_rate = clock_rate;
        }
        let mut ticks =
            newest.ticks + i64::from(frame.timestamp.wrapping_sub(newest.timestamp) as i32);
        let mut at = newest.zero + ticks * 1_000_000 / clock_rate;
        if newer {
            let off = arrived - at - base;
            if off.abs() > CLOCK_JUMP {
                // The clock counts anew from here, so that no number of jumps overflows it.
                at += off;
                newest.zero = at;
                ticks = 0;
            }
            // Going on before the end of what was there would turn the order of time around.
            if at < newest.end - CLOCK_JUMP {
                self.newest = None;
                return self.place(frame, duration, arrived, base);
            }
            newest.sequence = frame.sequence;
            newest.timestamp = frame.timestamp;
            newest.ticks = ticks;
            newest.end = at + duration;
            self.newest = Some(newest);
        } else if arrived - at - base > CLOCK_JUMP {
            return Place::Stale;
        }
        Place::At(at)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Instant;

    fn place(line: &mut Timeline, codec: Codec, sequence: u64, timestamp: u32, ms: i64) -> Place {
        let received_at = Instant::now();
        let payload = &[0; 160];
        let frame = Frame { codec, payload, sequence, timestamp, marker: false, received_at };
        line.place(&frame, 20_000, ms * 1000, 0)
    }

    #[test]
    fn timestamps_become_microseconds_across_their_wrap_and_out_of_order() {
        let mut line = Timeline::default();
        let start = u32::MAX - 200;
        assert_eq!(place(&mut line, Codec::Pcmu, 7, start, 0), Place::Anew(0));
        let third = start.wrapping_add(320);
        assert_eq!(place(&mut line, Codec::Pcmu, 9, third, 40), Place::At(40_000));
        let second = start.wrapping_add(160);
        assert_eq!(place(&mut line, Codec::Pcmu, 8, second, 41), Place::At(20_000));
    }

    #[test]
    fn a_clock_that_was_set_or_stood_still_goes_on_at_the_arrival() {
        let mut line = Timeline::default();
        place(&mut line, Codec::Opus, 1, 0, 0);
        // The clock stood still for half a minute of hold.
        assert_eq!(place(&mut line, Codec::Opus, 2, 960, 30_000), Place::At(30_000_000));
        assert_eq!(place(&mut line, Codec::Opus, 3, 1920, 30_020), Place::At(30_020_000));
        // It was set ahead by an hour.
        assert_eq!(place(&mut line, Codec::Opus, 4, 172_802_880, 30_040), Place::At(30_040_000));
    }

    #[test]
    fn a_change_of_codec_goes_on_where_the_old_one_ended() {
        let mut line = Timeline::default();
        place(&mut line, Codec::Opus, 1, 5, 0);
        assert_eq!(place(&mut line, Codec::Pcmu, 2, 99_000, 20), Place::At(20_000));
        assert_eq!(place(&mut line, Codec::Pcmu, 3, 99_160, 40), Place::At(40_000));
        assert_eq!(place(&mut line, Codec::Opus, 5, 1, 80), Place::At(80_000));
    }

    #[test]
    fn a_straggler_of_a_second_is_stale() {
        let mut line = Timeline::default();
        place(&mut line, Codec::Pcma, 50, 8000, 0);
        assert_eq!(place(&mut line, Codec::Pcma, 49, 7840, 400), Place::At(-20_000));
        assert_eq!(place(&mut line, Codec::Pcma, 48, 7680, 1000), Place::Stale);
    }

    #[test]
    fn numbers_from_nowhere_start_a_new_line() {
        let mut line = Timeline::default();
        place(&mut line, Codec::Pcma, 5000, 0, 0);
        assert_eq!(place(&mut line, Codec::Pcma, 77, 160, 20), Place::Anew(20_000));
        assert_eq!(place(&mut line, Codec::Pcma, u64::MAX, 160, 40), Place::Anew(40_000));
    }
}
