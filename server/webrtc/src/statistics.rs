//! Figures of one peer and of the endpoint.

use base::Codec;
use std::time::{Duration, Instant};
use str0m::stats::MediaEgressStats;

/// Figures of one peer, since it connected.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Statistics {
    /// RTP packets received, duplicates not counted.
    pub received: u64,
    /// Packets that were expected by number and did not come (RFC 3550 A.3).
    pub lost: u64,
    /// Interarrival jitter of what the browser sends (RFC 3550 6.4.1).
    pub jitter: Duration,
    /// RTP packets sent.
    pub sent: u64,
    /// Packets of ours that the browser missed, by its latest receiver report.
    pub remote_lost: Option<u64>,
    /// Jitter of what we send, by the browser's latest receiver report.
    pub remote_jitter: Option<Duration>,
    /// Round trip by the latest RTCP reports.
    pub round_trip: Option<Duration>,
    /// Times that the path to the browser changed.
    pub moves: u32,
    /// Handshakes given up or superseded: foreign ClientHellos and wrong certificates.
    pub handshakes_dropped: u32,
}

/// Figures of the endpoint since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Peers accepted.
    pub accepted: u64,
    /// Peers that connected.
    pub connected: u64,
    /// Peers that were lost.
    pub lost: u64,
    /// Offers refused.
    pub refused: u64,
    /// Authentic checks answered.
    pub checks: u64,
    /// STUN that was malformed, no binding request, or named nobody here.
    pub stray_checks: u64,
    /// Checks with the wrong integrity or the wrong remote name.
    pub forged_checks: u64,
    /// DTLS, RTP and RTCP from addresses that no check has validated.
    pub stray_packets: u64,
    /// Datagrams that are nothing that belongs on this port.
    pub unknown: u64,
    /// Packets of validated peers that were of no use: RTP before the keys, alerts in the clear.
    pub dropped: u64,
    /// Datagrams that left the queue unsent because it was full.
    pub overflowed: u64,
}

/// Follows the numbers and times of what a browser sends.
#[derive(Default)]
pub(crate) struct Reception {
    ssrc: u32,
    /// Added to the numbers of the current source.
    offset: u64,
    first: Option<u64>,
    highest: u64,
    /// Packets expected of earlier sources.
    expected_before: u64,
    received: u64,
    transit: Option<i64>,
    transit_base: Option<Instant>,
    transit_clock: u32,
    /// RFC 3550 A.8: scaled by 16, in clock units.
    jitter: u64,
}

impl Reception {
    /// Takes a packet and gives its number in one numbering over all sources.
    pub(crate) fn received(&mut self, ssrc: u32, sequence: u64) -> u64 {
        if self.first.is_some() && self.ssrc != ssrc {
            self.expected_before = self.expected();
            let next = self.highest + 1;
            self.offset = next.wrapping_sub(sequence);
            self.first = None;
            self.transit = None;
        }
        self.ssrc = ssrc;
        let sequence = sequence.wrapping_add(self.offset);
        self.received += 1;
        self.first = Some(self.first.map_or(sequence, |first| first.min(sequence)));
        self.highest = self.highest.max(sequence);
        sequence
    }

    fn expected(&self) -> u64 {
        self.expected_before + self.first.map_or(0, |first| self.highest - first + 1)
    }

    /// Updates the jitter with a frame of sound (RFC 3550 A.8).
    pub(crate) fn arrived(&mut self, now: Instant, codec: Codec, timestamp: u32) {
        let rate = codec.clock_rate();
        let base = *self.transit_base.get_or_insert(now);
        let elapsed =
            now.saturating_duration_since(base).as_micros() * u128::from(rate) / 1_000_000;
        // In 32 bits, as timestamps wrap.
        let transit = i64::from((elapsed as u32).wrapping_sub(timestamp));
        if self.transit_clock != rate {
            // Another clock: its times compare with nothing before.
            self.transit_clock = rate;
            self.transit = None;
            self.jitter = 0;
        }
        if let Some(before) = self.transit.replace(transit) {
            let change = u64::from((transit.wrapping_sub(before) as i32).unsigned_abs());
            // A pause or another source is not jitter.
            if change < u64::from(rate) {
                self.jitter = self.jitter + change - ((self.jitter + 8) >> 4);
            }
        }
    }

    pub(crate) fn write(&self, statistics: &mut Statistics) {
        statistics.received = self.received;
        statistics.lost = self.expected().saturating_sub(self.received);
        if self.transit_clock != 0 {
            let micros = (self.jitter >> 4) * 1_000_000 / u64::from(self.transit_clock);
            statistics.jitter = Duration::from_micros(micros);
        }
    }
}

impl Statistics {
    /// Takes over what the browser reports about what we send.
    pub(crate) fn report(&mut self, report: &MediaEgressStats, clock_rate: u32) {
        if report.rtt.is_some() {
            self.round_trip = report.rtt;
        }
        if let Some(remote) = &report.remote {
            self.remote_lost = Some(remote.packets_lost);
            let micros = u64::from(remote.jitter) * 1_000_000 / u64::from(clock_rate.max(1));
            self.remote_jitter = Some(Duration::from_micros(micros));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_source_continues_the_numbering_and_is_no_loss() {
        let mut reception = Reception::default();
        assert_eq!(reception.received(1, 500), 500);
        assert_eq!(reception.received(1, 503), 503);
        assert_eq!(reception.received(2, 9), 504);
        assert_eq!(reception.received(2, 10), 505);
        let mut statistics = Statistics::default();
        reception.write(&mut statistics);
        assert_eq!((statistics.received, statistics.lost), (4, 2));
    }

    #[test]
    fn jitter_settles_at_the_spread_of_arrivals() {
        let start = Instant::now();
        let mut reception = Reception::default();
        for n in 0..400u32 {
            let late = if n % 2 == 0 { 0 } else { 10 };
            let at = start + Duration::from_millis(u64::from(n) * 20 + late);
            reception.arrived(at, Codec::Pcmu, (u32::MAX - 3_000).wrapping_add(n * 160));
        }
        let mut statistics = Statistics::default();
        reception.write(&mut statistics);
        let jitter = statistics.jitter.as_millis();
        assert!((8..=10).contains(&jitter), "{jitter} ms");
    }
}
