//! What a browser sends, once it is decrypted: frames, telephone events and their figures.

use crate::event::{Event, PeerId, ReceivedFrame, TelephoneEvent};
use crate::negotiation::{Content, Negotiated};
use crate::peer::Outbox;
use crate::statistics::Statistics;
use base::Codec;
use std::time::{Duration, Instant};
use str0m::rtp::RtpPacket;

/// The most sources learnt from packets when neither offer nor packets name them.
const LEARNT_MAX: usize = 4;

/// The receiving side of one peer.
#[derive(Default)]
pub(crate) struct Inbound {
    reception: Reception,
    learnt: Vec<u32>,
}

impl Inbound {
    /// Turns a packet into an event.
    pub(crate) fn received(
        &mut self,
        now: Instant,
        peer: PeerId,
        negotiated: &Negotiated,
        packet: RtpPacket,
        out: &mut Outbox,
    ) {
        let Some(content) = negotiated.content(*packet.header.payload_type) else {
            out.counters.dropped += 1;
            return;
        };
        let sequence = self.reception.received(*packet.header.ssrc, *packet.seq_no);
        let (timestamp, marker) = (packet.header.timestamp, packet.header.marker);
        let (payload, received_at) = (packet.payload, packet.timestamp);
        match content {
            // Padding keeps a path open and carries no sound.
            Content::Sound(_) if payload.is_empty() => {}
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

    /// The source of a packet when nothing but the packet itself can name it, the first time: the
    /// offer had neither `a=ssrc` nor the mid extension.
    pub(crate) fn unnamed_source(&mut self, negotiated: &Negotiated, packet: &[u8]) -> Option<u32> {
        let named = !negotiated.ssrcs.is_empty() || negotiated.mid_extension.is_some();
        if named || self.learnt.len() >= LEARNT_MAX {
            return None;
        }
        negotiated.content(packet.get(1)? & 0x7f)?;
        let ssrc = u32::from_be_bytes(packet.get(8..12)?.try_into().ok()?);
        if ssrc == 0 || self.learnt.contains(&ssrc) {
            return None;
        }
        self.learnt.push(ssrc);
        Some(ssrc)
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
    fn received(&mut self, ssrc: u32, sequence: u64) -> u64 {
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
