//! Timestamps, round-trip time and the retransmission timeout (RFC 7016, 3.5.2.2).

use super::numbers::{BACK_OFF, ECHO_LIFETIME, ERTO_ALLOWANCE, ERTO_CAP, ERTO_INITIAL, ERTO_LEAST};
use crate::clock::{Clock, ticks};
use crate::params::TICK;
use std::time::{Duration, Instant};

/// What one session knows about time between its ends.
#[derive(Debug)]
pub(crate) struct RoundTrip {
    clock: Clock,
    /// The last timestamp received, and when it was new (TS_RX, TS_RX_TIME).
    received: Option<(u16, Instant)>,
    /// The last echo sent (TS_ECHO_TX).
    echo_sent: Option<u16>,
    /// The last echo received (TS_ECHO_RX).
    echo_received: Option<u16>,
    smoothed: Option<Duration>,
    variance: Duration,
    measured_timeout: Duration,
    effective_timeout: Duration,
}

impl RoundTrip {
    pub(crate) fn new(clock: Clock) -> Self {
        RoundTrip {
            clock,
            received: None,
            echo_sent: None,
            echo_received: None,
            smoothed: None,
            variance: Duration::ZERO,
            measured_timeout: ERTO_LEAST,
            effective_timeout: ERTO_INITIAL,
        }
    }

    /// The timestamp of a packet sent now.
    pub(crate) fn timestamp(&self, now: Instant) -> u16 {
        self.clock.timestamp(now)
    }

    /// A packet arrived with this timestamp.
    pub(crate) fn handle_timestamp(&mut self, now: Instant, timestamp: u16) {
        if self.received.is_none_or(|(last, _)| last != timestamp) {
            self.received = Some((timestamp, now));
        }
    }

    /// A packet arrived with this echo of one of our timestamps.
    pub(crate) fn handle_echo(&mut self, now: Instant, echo: u16) {
        if self.echo_received == Some(echo) {
            return;
        }
        self.echo_received = Some(echo);
        let elapsed = self.timestamp(now).wrapping_sub(echo);
        if elapsed > 32_767 {
            return; // The echo is of the future: no measurement.
        }
        let sample = TICK * u32::from(elapsed);
        match self.smoothed {
            None => {
                self.smoothed = Some(sample);
                self.variance = sample / 2;
            }
            Some(smoothed) => {
                self.variance = (self.variance * 3 + smoothed.abs_diff(sample)) / 4;
                self.smoothed = Some((smoothed * 7 + sample) / 8);
            }
        }
        let smoothed = self.smoothed.unwrap_or_default();
        self.measured_timeout = smoothed + self.variance * 4 + ERTO_ALLOWANCE;
        self.effective_timeout = self.measured_timeout.max(ERTO_LEAST);
    }

    /// The echo for a packet sent now: none when nothing was received for long or when the same
    /// was sent last. Call it for packets that are really sent.
    pub(crate) fn take_echo(&mut self, now: Instant) -> Option<u16> {
        let (timestamp, received_at) = self.received?;
        let elapsed = now.saturating_duration_since(received_at);
        if elapsed > ECHO_LIFETIME {
            self.received = None;
            self.echo_sent = None;
            return None;
        }
        let echo = timestamp.wrapping_add(ticks(elapsed));
        (self.echo_sent.replace(echo) != Some(echo)).then_some(echo)
    }

    /// Nothing came back in time: the timeout grows by the square root of two up to its cap.
    pub(crate) fn back_off(&mut self) {
        let longer = self.effective_timeout * BACK_OFF / 10_000;
        self.effective_timeout = longer.min(ERTO_CAP).max(self.measured_timeout);
    }

    /// The effective retransmission timeout (ERTO).
    pub(crate) fn timeout(&self) -> Duration {
        self.effective_timeout
    }

    /// The smoothed round-trip time (SRTT).
    pub(crate) fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }

    /// The round-trip time variance (RTTVAR).
    pub(crate) fn variance(&self) -> Duration {
        self.variance
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn the_first_sample_is_taken_whole_and_later_ones_are_smoothed() {
        let start = Instant::now();
        let mut trip = RoundTrip::new(Clock::new(start, 0));
        assert_eq!(trip.timeout(), 3000 * MS);
        trip.handle_echo(start + 100 * MS, 0);
        assert_eq!(trip.smoothed(), Some(100 * MS));
        assert_eq!(trip.timeout(), (100 + 4 * 50 + 200) * MS);
        trip.handle_echo(start + 220 * MS, 5);
        // The variance takes the old mean: (3 * 50 + 100) / 4; the mean is (7 * 100 + 200) / 8.
        assert_eq!(trip.variance().as_micros(), 62_500);
        assert_eq!(trip.smoothed().unwrap().as_micros(), 112_500);
        assert_eq!(trip.timeout().as_micros(), 112_500 + 250_000 + 200_000);
    }

    #[test]
    fn the_timeout_backs_off_by_the_root_of_two_up_to_ten_seconds() {
        let start = Instant::now();
        let mut trip = RoundTrip::new(Clock::new(start, 0));
        trip.handle_echo(start, 0);
        assert_eq!(trip.timeout(), 250 * MS);
        trip.back_off();
        assert_eq!(trip.timeout().as_micros(), 353_550);
        (0..20).for_each(|_| trip.back_off());
        assert_eq!(trip.timeout(), 10_000 * MS);
        trip.handle_echo(start + 40_000 * MS, 1);
        assert!(trip.timeout() > 10_000 * MS, "never less than the round trip");
        trip.back_off();
        assert!(trip.timeout() > 10_000 * MS);
    }

    #[test]
    fn an_echo_of_the_future_is_no_measurement_and_a_repeated_one_neither() {
        let start = Instant::now();
        let mut trip = RoundTrip::new(Clock::new(start, 0));
        trip.handle_echo(start + 100 * MS, 26);
        assert_eq!(trip.smoothed(), None);
        trip.handle_echo(start + 100 * MS, 0);
        trip.handle_echo(start + 900 * MS, 0);
        assert_eq!(trip.smoothed(), Some(100 * MS));
    }

    #[test]
    fn timestamps_wrap_and_still_measure() {
        let start = Instant::now();
        let mut trip = RoundTrip::new(Clock::new(start, 65_530));
        let sent = trip.timestamp(start);
        assert_eq!(sent, 65_530);
        let later = start + 80 * MS;
        assert_eq!(trip.timestamp(later), 14);
        trip.handle_echo(later, sent);
        assert_eq!(trip.smoothed(), Some(80 * MS));
    }

    #[test]
    fn the_echo_adds_the_time_that_passed_and_is_not_repeated() {
        let start = Instant::now();
        let mut trip = RoundTrip::new(Clock::new(start, 0));
        assert_eq!(trip.take_echo(start), None);
        trip.handle_timestamp(start, 65_535);
        assert_eq!(trip.take_echo(start), Some(65_535));
        assert_eq!(trip.take_echo(start + 3 * MS), None);
        assert_eq!(trip.take_echo(start + 11 * MS), Some(1));
        trip.handle_timestamp(start + 20 * MS, 65_535);
        assert_eq!(trip.take_echo(start + 20 * MS), Some(4), "the same timestamp is not new");
    }

    #[test]
    fn after_128_seconds_of_silence_nothing_is_echoed() {
        let start = Instant::now();
        let mut trip = RoundTrip::new(Clock::new(start, 0));
        trip.handle_timestamp(start, 7);
        assert!(trip.take_echo(start + 128_000 * MS).is_some());
        assert_eq!(trip.take_echo(start + 128_001 * MS), None);
        trip.handle_timestamp(start + 128_002 * MS, 7);
        assert_eq!(trip.take_echo(start + 128_002 * MS), Some(7));
    }
}
