//! What a browser sends, once it is decrypted: frames, telephone events and their figures.

use crate::event::{Event, PeerId, ReceivedFrame, TelephoneEvent};
use crate::negotiation::{Content, Negotiated};
use crate::peer::Outbox;
use crate::srtp::Header;
use crate::statistics::Statistics;
use base::Codec;
use rtp::rtcp::ReportBlock;
use std::time::{Duration, Instant};

/// The receiving side of one peer.
#[derive(Default)]
pub(crate) struct Inbound {
    reception: Reception,
}

impl Inbound {
    /// Turns a packet into an event.
    pub(crate) fn received(
        &mut self,
        now: Instant,
        peer: PeerId,
        negotiated: &Negotiated,
        header: &Header,
        payload: Vec<u8>,
        out: &mut Outbox,
    ) {
        let Some(content) = negotiated.content(header.payload_type) else {
            out.counters.dropped += 1;
            out.recycle(payload);
            return;
        };
        let sequence = self.reception.received(header.ssrc, header.index);
        let (timestamp, marker, received_at) = (header.timestamp, header.marker, now);
        match content {
            // Padding keeps a path open and carries no sound.
            Content::Sound(_) if payload.is_empty() => out.recycle(payload),
            Content::Sound(codec) => {
                self.reception.arrived(now, codec, timestamp);
                out.sound(Event::Frame(ReceivedFrame {
                    peer,
                    codec,
                    payload,
                    sequence,
                    timestamp,
                    marker,
                    received_at,
                }));
            }
            Content::Event(clock_rate) => out.sound(Event::TelephoneEvent(TelephoneEvent {
                peer,
                clock_rate,
                payload,
                sequence,
                timestamp,
                marker,
                received_at,
            })),
        }
    }

    /// The source that is followed now.
    pub(crate) fn ssrc(&self) -> Option<u32> {
        self.reception.first.map(|_| self.reception.ssrc)
    }

    /// What to report on the current source (RFC 3550 6.4.1).
    pub(crate) fn report(&mut self, last_sr: u32, delay_since_last_sr: u32) -> Option<ReportBlock> {
        self.reception.report(last_sr, delay_since_last_sr)
    }

    pub(crate) fn write(&self, statistics: &mut Statistics) {
        self.reception.write(statistics);
    }
}

/// Follows the numbers and times of what a browser sends.
#[derive(Default)]
struct Reception {
    ssrc: u32,
    /// Added to the numbers of the current source.
    offset: u64,
    first: Option<u64>,
    highest: u64,
    /// Packets expected and received of earlier sources.
    expected_before: u64,
    received_before: u64,
    received: u64,
    /// Packets expected and received of the current source at the last report.
    reported: (u64, u64),
    transit: Option<i64>,
    transit_base: Option<Instant>,
    transit_clock: u32,
    /// RFC 3550 A.8: scaled by 16, in clock units.
    jitter: u64,
}

impl Reception {
    /// Takes a packet and gives its number in one numbering over all sources.
    fn received(&mut self, ssrc: u32, sequence: u64) -> u64 {
        if self.first.is_some() && self.ssrc != ssrc {
            self.expected_before = self.expected();
            self.received_before = self.received;
            self.reported = (0, 0);
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

    /// A report block on the current source, counted from the one before (RFC 3550 A.3).
    fn report(&mut self, last_sr: u32, delay_since_last_sr: u32) -> Option<ReportBlock> {
        self.first?;
        let expected = self.expected() - self.expected_before;
        let received = self.received - self.received_before;
        let (expected_then, received_then) =
            std::mem::replace(&mut self.reported, (expected, received));
        let due = expected.saturating_sub(expected_then);
        let lost = due.saturating_sub(received.saturating_sub(received_then));
        let fraction = (lost << 8).checked_div(due).unwrap_or(0).min(255);
        Some(ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: fraction as u8,
            cumulative_lost: expected.saturating_sub(received).min(0x7f_ffff) as i32,
            highest_sequence: self.highest.wrapping_sub(self.offset) as u32,
            jitter: (self.jitter >> 4) as u32,
            last_sr,
            delay_since_last_sr,
        })
    }

    /// Updates the jitter with a frame of sound (RFC 3550 A.8).
    fn arrived(&mut self, now: Instant, codec: Codec, timestamp: u32) {
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

    fn write(&self, statistics: &mut Statistics) {
        statistics.received = self.received;
        statistics.lost = self.expected().saturating_sub(self.received);
        if self.transit_clock != 0 {
            let micros = (self.jitter >> 4) * 1_000_000 / u64::from(self.transit_clock);
            statistics.jitter = Duration::from_micros(micros);
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
