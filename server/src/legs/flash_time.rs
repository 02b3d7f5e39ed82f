//! The two clocks of a Flash leg: RTMP messages carry milliseconds, frames carry RTP time.

use base::{Codec, Frame};
use std::time::{Duration, Instant};

/// A client's millisecond clock may be off by so much before it is believed more than the count of
/// its samples: Flash stamps messages when its timer gets to it.
const TOLERATED_MS: i64 = 30;
/// Silence longer than this starts a talk spurt.
const SPURT_MS: i64 = 60;
/// More than this between two messages is a new start, not a loss.
const LONGEST_LOSS_MS: i64 = 1_000;
/// How far the time of what is sent may run ahead of the clock on the wall.
const AHEAD: Duration = Duration::from_millis(150);
/// How far it may be behind: a network that stood still lets go of a second of sound at once, as
/// much as senders keep, and each piece of it still has its own time.
const BEHIND: Duration = Duration::from_millis(1_500);
/// What one source leaves out at most, in packets and in seconds; more is another source.
const LONGEST_GAP: (u64, u64) = (500, 10);

/// What a frame made of a client's message is stamped with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// See [`Frame::sequence`].
    pub sequence: u64,
    /// See [`Frame::timestamp`].
    pub timestamp: u32,
    /// See [`Frame::marker`].
    pub marker: bool,
}

/// RTP time and numbers for what a Flash client sends. Samples are counted as long as the client's
/// milliseconds agree with the count; lost messages leave a gap in both.
#[derive(Clone, Copy, Debug, Default)]
pub struct UpClock {
    sequence: u64,
    /// Codec, RTP time of the next sample, and the client's time of it.
    next: Option<(Codec, u32, u32)>,
    lost: bool,
}

impl UpClock {
    /// Messages of this stream were lost: the next one's time says how many.
    pub fn lost(&mut self) {
        self.lost = true;
    }

    /// The stamp of one frame that lasts `duration_ms`, in a message of the client's time `at_ms`
    /// (for a later frame of a message, its own time).
    pub fn stamp(&mut self, codec: Codec, at_ms: u32, duration_ms: u32) -> Stamp {
        let ticks = |ms: i64| (ms * i64::from(codec.clock_rate()) / 1000) as u32;
        let lost = std::mem::take(&mut self.lost);
        let (timestamp, marker) = match self.next {
            Some((of, timestamp, expected_ms)) if of == codec => {
                let ahead = i64::from(at_ms.wrapping_sub(expected_ms) as i32);
                if lost && (1..=LONGEST_LOSS_MS).contains(&ahead) {
                    let frames =
                        (ahead + i64::from(duration_ms) / 2) / i64::from(duration_ms.max(1));
                    self.sequence += frames as u64;
                    (timestamp.wrapping_add(ticks(frames * i64::from(duration_ms))), false)
                } else if ahead.abs() <= TOLERATED_MS {
                    // The count goes on; the client's own time is taken over, so that small
                    // differences do not add up unseen.
                    let start_ms = expected_ms.wrapping_add(duration_ms);
                    let next = timestamp.wrapping_add(ticks(i64::from(duration_ms)));
                    self.next = Some((codec, next, start_ms));
                    self.sequence += 1;
                    return Stamp { sequence: self.sequence, timestamp, marker: false };
                } else {
                    (timestamp.wrapping_add(ticks(ahead.max(0))), ahead > SPURT_MS)
                }
            }
            Some((_, timestamp, _)) => (timestamp, true),
            None => (0, true),
        };
        self.sequence += 1;
        let next = timestamp.wrapping_add(ticks(i64::from(duration_ms)));
        self.next = Some((codec, next, at_ms.wrapping_add(duration_ms)));
        Stamp { sequence: self.sequence, timestamp, marker }
    }
}

/// Milliseconds for what a Flash client is sent, counted from the first frame. They follow the RTP
/// time of one source, and the wall's clock from one source to the next.
#[derive(Clone, Copy, Debug, Default)]
pub struct DownClock {
    begun_at: Option<Instant>,
    last: Option<Sent>,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    codec: Codec,
    sequence: u64,
    timestamp: u32,
    /// Milliseconds times the clock rate, so that nothing is rounded away.
    scaled: u64,
}

impl DownClock {
    /// The message time of a frame that is sent now.
    pub fn milliseconds(&mut self, now: Instant, frame: &Frame<'_>) -> u32 {
        let begun_at = *self.begun_at.get_or_insert(now);
        let wall = now.saturating_duration_since(begun_at);
        let rate = u64::from(frame.codec.clock_rate());
        let followed = self.last.filter(|last| last.codec == frame.codec).and_then(|last| {
            let step = frame.timestamp.wrapping_sub(last.timestamp);
            let (packets, seconds) = LONGEST_GAP;
            let near = frame.sequence.wrapping_sub(last.sequence).wrapping_sub(1) < packets
                && u64::from(step) < seconds * rate;
            let scaled = last.scaled + u64::from(step) * 1000;
            let at = Duration::from_millis(scaled / rate);
            (near && at <= wall + AHEAD && wall <= at + BEHIND).then_some(scaled)
        });
        let wall_ms = wall.as_millis() as u64;
        // Time never goes back, whatever the source does.
        let least = self.last.map_or(0, |last| last.scaled / u64::from(last.codec.clock_rate()));
        let scaled = followed.unwrap_or_else(|| wall_ms.max(least) * rate);
        let (codec, sequence, timestamp) = (frame.codec, frame.sequence, frame.timestamp);
        self.last = Some(Sent { codec, sequence, timestamp, scaled });
        (scaled / rate) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamps(clock: &mut UpClock, times: &[u32]) -> Vec<(u64, u32, bool)> {
        let stamp = |at: &u32| clock.stamp(Codec::Pcmu, *at, 20);
        times.iter().map(stamp).map(|s| (s.sequence, s.timestamp, s.marker)).collect()
    }

    #[test]
    fn samples_are_counted_while_the_clients_clock_only_trembles() {
        let mut clock = UpClock::default();
        let times = stamps(&mut clock, &[7, 31, 45, 69, 87]);
        assert_eq!(
            times,
            [(1, 0, true), (2, 160, false), (3, 320, false), (4, 480, false), (5, 640, false)]
        );
    }

    #[test]
    fn lost_messages_leave_a_gap_in_numbers_and_in_time() {
        let mut clock = UpClock::default();
        stamps(&mut clock, &[0, 20]);
        clock.lost();
        assert_eq!(stamps(&mut clock, &[83, 100]), [(5, 640, false), (6, 800, false)]);
    }

    #[test]
    fn silence_moves_time_and_begins_a_spurt_without_being_a_loss() {
        let mut clock = UpClock::default();
        stamps(&mut clock, &[0, 20]);
        assert_eq!(stamps(&mut clock, &[540, 560]), [(3, 4320, true), (4, 4480, false)]);
    }

    #[test]
    fn a_client_whose_clock_runs_slow_or_jumps_back_does_not_turn_time_back() {
        let mut clock = UpClock::default();
        stamps(&mut clock, &[1000, 1020]);
        let after = stamps(&mut clock, &[0, 20]);
        assert_eq!(after, [(3, 320, false), (4, 480, false)]);
    }

    #[test]
    fn a_drift_of_two_in_a_thousand_for_an_hour_stays_within_the_tolerance() {
        let mut clock = UpClock::default();
        let mut worst = 0i64;
        for frame in 0..180_000u64 {
            let at = (frame * 20 * 1002 / 1000) as u32;
            let stamp = clock.stamp(Codec::Pcmu, at, 20);
            worst = worst.max((i64::from(at) - i64::from(stamp.timestamp) / 8).abs());
        }
        assert!(worst <= TOLERATED_MS + 20, "{worst} ms");
    }

    fn frame(sequence: u64, timestamp: u32, now: Instant) -> Frame<'static> {
        let codec = Codec::Pcmu;
        Frame { codec, payload: &[0; 160], sequence, timestamp, marker: false, received_at: now }
    }

    #[test]
    fn message_times_follow_the_source_and_not_when_its_packets_happen_to_come() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut clock = DownClock::default();
        let sent = [(0, 1, 8000), (35, 2, 8160), (38, 3, 8320), (81, 5, 8640)];
        let times = sent.map(|(ms, sequence, timestamp)| {
            clock.milliseconds(at(ms), &frame(sequence, timestamp, at(ms)))
        });
        assert_eq!(times, [0, 20, 40, 80]);
    }

    #[test]
    fn what_a_stalled_network_lets_go_at_once_keeps_the_times_of_its_source() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut clock = DownClock::default();
        let mut time = |ms, number: u32| {
            clock.milliseconds(at(ms), &frame(number.into(), number * 160, at(ms)))
        };
        assert_eq!([time(0, 0), time(20, 1)], [0, 20]);
        // For two seconds nothing comes; then the last of them at once, and all goes on.
        let burst: Vec<_> = (61..=110).map(|number| time(2_200, number)).collect();
        assert_eq!(burst, (61..=110).map(|number| number * 20).collect::<Vec<_>>());
        assert_eq!([time(2_220, 111), time(2_240, 112)], [2_220, 2_240]);
    }

    #[test]
    fn a_source_whose_time_stood_still_for_long_goes_on_at_the_walls_time() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut clock = DownClock::default();
        clock.milliseconds(at(0), &frame(1, 0, at(0)));
        assert_eq!(clock.milliseconds(at(5_000), &frame(2, 160, at(5_000))), 5_000);
        assert_eq!(clock.milliseconds(at(5_020), &frame(3, 320, at(5_020))), 5_020);
    }

    #[test]
    fn another_source_goes_on_at_the_walls_time_and_never_back() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut clock = DownClock::default();
        clock.milliseconds(at(0), &frame(1, 0, at(0)));
        assert_eq!(clock.milliseconds(at(500), &frame(1 << 40, 77, at(500))), 500);
        assert_eq!(clock.milliseconds(at(501), &frame(9, 4_000_000, at(501))), 501);
        let early = clock.milliseconds(at(480), &frame(800, 5, at(480)));
        assert!(early >= 501, "{early}");
    }
}
