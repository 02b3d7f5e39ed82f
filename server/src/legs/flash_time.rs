//! The clock of what a Flash client is sent: frames carry RTP time, RTMP messages milliseconds. What
//! comes from a client has its own, in `flash_up`.

use base::{Codec, Frame};
use std::time::{Duration, Instant};

/// How far the time of what is sent may run ahead of the clock on the wall.
const AHEAD: Duration = Duration::from_millis(150);
/// How far it may be behind: a network that stood still lets go of a second of sound at once, as
/// much as senders keep, and each piece of it still has its own time.
const BEHIND: Duration = Duration::from_millis(1_500);
/// What one source leaves out at most, in packets and in seconds; more is another source.
const LONGEST_GAP: (u64, u64) = (500, 10);

/// What comes so many packets after its turn is another source.
const LATEST: u64 = 100;

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
        let same = self.last.filter(|last| last.codec == frame.codec);
        if let Some(last) = same
            && (1..=LATEST).contains(&last.sequence.wrapping_sub(frame.sequence))
        {
            // After its turn: time does not go back for it, nor do those after it count from it.
            return (last.scaled / rate) as u32;
        }
        let followed = same.and_then(|last| {
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
    fn what_comes_after_its_turn_moves_nobodys_time() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut clock = DownClock::default();
        let sent = [(0, 1), (40, 3), (45, 2), (60, 4), (100, 6), (119, 5), (120, 7)];
        let times = sent.map(|(ms, number): (u64, u32)| {
            clock.milliseconds(at(ms), &frame(number.into(), number * 160, at(ms)))
        });
        assert_eq!(times, [0, 40, 40, 60, 100, 100, 120]);
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
