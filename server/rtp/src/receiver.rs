//! What arrives from one source: order, loss, duplicates, jitter (RFC 3550 A.1, A.3, A.8).
//!
//! The receiver hands on sequence numbers and timestamps of *one* continuous stream, whatever the
//! wire does: a new SSRC or a restart goes on where the old one stopped, and packets that carry no
//! sound (telephone events, comfort noise) leave no gap, since a gap means a loss to the reader.

use crate::numbers::{FRAME, MAX_DROPOUT, MAX_MISORDER, MIN_SEQUENTIAL, RETURN_AFTER, units};
use crate::packet::Packet;
use crate::rtcp::ReportBlock;
use std::time::Instant;

/// What a packet carries, as far as order and jitter are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Sound, timestamps in units of this clock rate in Hz.
    Sound(u32),
    /// Anything without a time line of its own: counted, but it takes no place in the stream.
    Aside,
}

/// The receiver's judgement of one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// It belongs to the stream.
    Accepted {
        /// Its number in the continuous stream; a gap is a loss.
        sequence: u64,
        /// Its time in the continuous stream, in units of the clock rate.
        timestamp: u32,
        /// It is the first sound of a new source, whose codec state starts afresh.
        restarted: bool,
    },
    /// It came before.
    Duplicate,
    /// Too old, or from a source that is still on probation.
    Dropped,
}

/// Counters of one receiver, over all sources that it followed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reception {
    /// Packets accepted, without duplicates.
    pub packets: u64,
    /// Payload octets of those.
    pub octets: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Packets that came again.
    pub duplicates: u64,
    /// Packets that were too old or on probation.
    pub dropped: u64,
    /// How often the source changed or restarted.
    pub restarts: u64,
    /// Interarrival jitter in milliseconds.
    pub jitter_ms: f32,
}

/// The source that is followed now.
#[derive(Debug)]
struct Source {
    ssrc: u32,
    /// The first and the highest extended number on the wire: cycles and number.
    base: u32,
    highest: u32,
    /// Which of the last 128 numbers came (bit 0 is the highest), and which were asides.
    seen: u128,
    asides: u128,
    received: u32,
    /// Counts at the last report block (RFC 3550 A.3).
    expected_before: u32,
    received_before: u32,
    heard_at: Instant,
}

impl Source {
    fn expected(&self) -> u32 {
        self.highest.wrapping_sub(self.base).wrapping_add(1)
    }

    fn lost(&self) -> u64 {
        u64::from(self.expected().saturating_sub(self.received))
    }
}

/// A source that may become the one that is followed.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    ssrc: u32,
    next: u16,
    count: u16,
}

/// The receiving half of one stream.
#[derive(Debug, Default)]
pub struct Receiver {
    source: Option<Source>,
    candidate: Option<Candidate>,
    /// The source that was left last; it does not come back at once.
    left: Option<u32>,
    /// The number of the newest sound in the continuous stream.
    top: Option<u64>,
    /// A source began, and none of its sound came yet.
    fresh: bool,
    timestamp_shift: u32,
    /// The continuous time of the newest sound, and when it came.
    newest: Option<(u32, Instant)>,
    jitter: Jitter,
    lost_before: u64,
    counted: Reception,
}

impl Receiver {
    /// A receiver that follows the first source it meets.
    pub fn new() -> Receiver {
        Receiver::default()
    }

    /// The source that is followed now.
    pub fn ssrc(&self) -> Option<u32> {
        self.source.as_ref().map(|source| source.ssrc)
    }

    /// Judges one packet and counts it.
    ///
    /// The very first source is believed at once, as the first word of an answer must not be cut
    /// off; a later one needs two packets in a row without one of the old source in between.
    pub fn accept(&mut self, now: Instant, packet: &Packet<'_>, content: Content) -> Arrival {
        let Some(source) = self.source.as_mut() else {
            self.follow(now, packet);
            return self.admit(now, packet, content, 1);
        };
        let forward = packet.sequence.wrapping_sub(source.highest as u16);
        let age = forward.wrapping_neg();
        if packet.ssrc == source.ssrc && (1..MAX_DROPOUT).contains(&forward) {
            source.heard_at = now;
            source.highest = source.highest.wrapping_add(u32::from(forward));
            source.seen = source.seen.checked_shl(forward.into()).unwrap_or(0) | 1;
            source.asides = source.asides.checked_shl(forward.into()).unwrap_or(0);
            source.received = source.received.wrapping_add(1);
            self.candidate = None;
            return self.admit(now, packet, content, u64::from(forward));
        }
        if packet.ssrc == source.ssrc && age <= MAX_MISORDER {
            let bit = 1u128 << age;
            if source.seen & bit != 0 {
                self.counted.duplicates += 1;
                return Arrival::Duplicate;
            }
            source.heard_at = now;
            source.seen |= bit;
            source.received = source.received.wrapping_add(1);
            // Asides between this packet and the newest took no place in the stream.
            let asides = u64::from((source.asides & (bit - 1)).count_ones());
            let behind = u64::from(age) - asides;
            let timestamp = packet.timestamp.wrapping_add(self.timestamp_shift);
            self.counted.reordered += 1;
            self.count(packet);
            if self.fresh {
                // The time line of this source is not fixed before its first sound in order.
                return Arrival::Dropped;
            }
            let sequence = self.top.unwrap_or_default().saturating_sub(behind);
            return Arrival::Accepted { sequence, timestamp, restarted: false };
        }
        self.on_probation(now, packet, content)
    }

    /// Leaves the current source, so that the next packet begins a new one without probation;
    /// for a change of the peer's address, which has had a probation of its own.
    pub fn leave_source(&mut self) {
        if let Some(source) = self.source.take() {
            self.lost_before += source.lost();
            self.left = Some(source.ssrc);
        }
        self.candidate = None;
    }

    /// The report block on the current source (RFC 3550 A.3), counted from the block before.
    /// `last_sr` and `delay_since_last_sr` go into it as they are.
    pub fn report(&mut self, last_sr: u32, delay_since_last_sr: u32) -> Option<ReportBlock> {
        let jitter = self.jitter.scaled >> 4;
        let source = self.source.as_mut()?;
        let expected = source.expected().wrapping_sub(source.expected_before);
        let received = source.received.wrapping_sub(source.received_before);
        (source.expected_before, source.received_before) = (source.expected(), source.received);
        let lost = expected.saturating_sub(received);
        let fraction = (u64::from(lost) << 8).checked_div(expected.into()).unwrap_or(0);
        Some(ReportBlock {
            ssrc: source.ssrc,
            fraction_lost: fraction.min(255) as u8,
            cumulative_lost: source.lost().min(0x7f_ffff) as i32,
            highest_sequence: source.highest,
            jitter,
            last_sr,
            delay_since_last_sr,
        })
    }

    /// A snapshot of the counters.
    pub fn statistics(&self) -> Reception {
        let lost = self.lost_before + self.source.as_ref().map_or(0, Source::lost);
        Reception { lost, jitter_ms: self.jitter.milliseconds(), ..self.counted }
    }

    fn on_probation(&mut self, now: Instant, packet: &Packet<'_>, content: Content) -> Arrival {
        let candidate = match self.candidate {
            Some(Candidate { ssrc, next, count })
                if ssrc == packet.ssrc && next == packet.sequence =>
            {
                Candidate { ssrc, next: next.wrapping_add(1), count: count + 1 }
            }
            _ => Candidate { ssrc: packet.ssrc, next: packet.sequence.wrapping_add(1), count: 1 },
        };
        self.candidate = Some(candidate);
        let too_soon = self.left == Some(packet.ssrc)
            && self.source.as_ref().is_some_and(|source| {
                source.ssrc != packet.ssrc
                    && now.saturating_duration_since(source.heard_at) < RETURN_AFTER
            });
        if candidate.count < MIN_SEQUENTIAL || too_soon {
            self.counted.dropped += 1;
            return Arrival::Dropped;
        }
        self.leave_source();
        self.follow(now, packet);
        self.admit(now, packet, content, 1)
    }

    fn follow(&mut self, now: Instant, packet: &Packet<'_>) {
        // One cycle ahead of the wire, so that a packet before the first has a number too.
        let first = 0x1_0000 + u32::from(packet.sequence);
        match self.top {
            Some(_) => self.counted.restarts += 1,
            None => self.top = Some(u64::from(first) - 1),
        }
        self.fresh = true;
        self.jitter.transit = None;
        self.source = Some(Source {
            ssrc: packet.ssrc,
            base: first,
            highest: first,
            seen: 1,
            asides: 0,
            received: 1,
            expected_before: 0,
            received_before: 0,
            heard_at: now,
        });
    }

    /// Numbers a packet that is the newest of its source, `forward` after the one before.
    fn admit(
        &mut self,
        now: Instant,
        packet: &Packet<'_>,
        content: Content,
        forward: u64,
    ) -> Arrival {
        self.count(packet);
        let top = self.top.get_or_insert_default();
        let Content::Sound(clock_rate) = content else {
            *top += forward - 1;
            let sequence = *top;
            if let Some(source) = self.source.as_mut() {
                source.asides |= 1;
            }
            return Arrival::Accepted { sequence, timestamp: packet.timestamp, restarted: false };
        };
        *top += forward;
        let sequence = *top;
        let restarted = std::mem::take(&mut self.fresh);
        if restarted && let Some((timestamp, at)) = self.newest {
            let passed = now.saturating_duration_since(at).max(FRAME);
            let due = timestamp.wrapping_add(units(passed, clock_rate));
            self.timestamp_shift = due.wrapping_sub(packet.timestamp);
        }
        let timestamp = packet.timestamp.wrapping_add(self.timestamp_shift);
        self.newest = Some((timestamp, now));
        self.jitter.measure(now, packet.timestamp, clock_rate);
        Arrival::Accepted { sequence, timestamp, restarted }
    }

    fn count(&mut self, packet: &Packet<'_>) {
        self.counted.packets += 1;
        self.counted.octets += packet.payload.len() as u64;
    }
}

/// Interarrival jitter (RFC 3550 A.8).
#[derive(Debug, Default)]
struct Jitter {
    epoch: Option<Instant>,
    clock_rate: u32,
    transit: Option<u32>,
    /// The estimate times 16, in units of the clock rate.
    scaled: u32,
}

impl Jitter {
    fn measure(&mut self, now: Instant, timestamp: u32, clock_rate: u32) {
        let epoch = *self.epoch.get_or_insert(now);
        if clock_rate != self.clock_rate {
            // The estimate keeps its meaning in time; the transit time is of another clock.
            let scaled = u64::from(self.scaled) * u64::from(clock_rate);
            self.scaled = scaled.checked_div(self.clock_rate.into()).unwrap_or(0) as u32;
            (self.clock_rate, self.transit) = (clock_rate, None);
        }
        let arrival = units(now.saturating_duration_since(epoch), clock_rate);
        let transit = arrival.wrapping_sub(timestamp);
        if let Some(before) = self.transit.replace(transit) {
            let difference = (transit.wrapping_sub(before) as i32).unsigned_abs();
            let decay = (self.scaled + 8) >> 4;
            // A jump of the source's clock is no jitter: the bound keeps it from lasting minutes.
            self.scaled = (self.scaled + difference.min(clock_rate)).saturating_sub(decay);
        }
    }

    fn milliseconds(&self) -> f32 {
        if self.clock_rate == 0 {
            return 0.0;
        }
        self.scaled as f32 / 16.0 * 1000.0 / self.clock_rate as f32
    }
}

#[cfg(test)]
#[path = "receiver_tests.rs"]
mod tests;
