//! Figures of one peer and of the endpoint.

use rtp::reports::RemoteView;
use std::time::Duration;

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
    /// Authentic checks from an address that another peer uses.
    pub contested: u64,
    /// DTLS, RTP and RTCP from addresses that no check has validated.
    pub stray_packets: u64,
    /// Datagrams that are nothing that belongs on this port.
    pub unknown: u64,
    /// Packets of validated peers that were of no use: RTP before the keys, alerts in the clear.
    pub dropped: u64,
    /// Datagrams that left the queue unsent because it was full.
    pub overflowed: u64,
}

impl Statistics {
    /// Takes over what the browser reports about what we send.
    pub(crate) fn report(&mut self, remote: RemoteView, clock_rate: u32) {
        if remote.round_trip.is_some() {
            self.round_trip = remote.round_trip;
        }
        self.remote_lost = Some(u64::try_from(remote.lost).unwrap_or(0));
        let micros = u64::from(remote.jitter) * 1_000_000 / u64::from(clock_rate.max(1));
        self.remote_jitter = Some(Duration::from_micros(micros));
    }
}
