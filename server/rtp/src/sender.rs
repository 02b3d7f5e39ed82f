//! What leaves: one SSRC, one line of sequence numbers, one time line (RFC 3550 section 5.1).
//!
//! Frames come from streams of others: the other leg, a tone, speech, one after another. The
//! [`Mapper`] moves their numbers by offsets, so that losses and late packets stay what they are,
//! while a change of the source, digits in between and a change of the codec leave no trace but a
//! marker bit.

use crate::numbers::{FRAME, MAX_DROPOUT, MAX_MISORDER, MAX_TIMESTAMP_JUMP, units};
use base::Seed;
use std::time::Instant;

/// Where extended sequence numbers begin: the first packet counts on from here, so that late ones
/// find room below. SRTP's index is what is above.
pub const FIRST_ROLLOVER: u64 = 0x1_0000;

/// The numbers of one outgoing packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// Extended sequence number; the wire carries the low 16 bits.
    pub sequence: u64,
    /// RTP timestamp in units of the frame's clock rate.
    pub timestamp: u32,
    /// The first packet of a source: to be sent with the marker bit set.
    pub marker: bool,
}

/// The source whose frames are being mapped.
#[derive(Clone, Copy, Debug)]
struct Segment {
    /// The first and the newest number of the incoming stream.
    first: u64,
    newest: u64,
    /// Outgoing minus incoming, modulo 2^64 and 2^32.
    shift: u64,
    timestamp_shift: u32,
    clock_rate: u32,
}

/// The newest frame that left: its outgoing time and when that was.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    timestamp: u32,
    at: Instant,
    clock_rate: u32,
}

/// Maps sequence numbers and timestamps of changing sources to one continuous stream.
#[derive(Debug)]
pub struct Mapper {
    next: u64,
    /// The newest outgoing time, of a frame or of an event.
    timestamp: u32,
    anchor: Option<Anchor>,
    segment: Option<Segment>,
    /// Packets of our own were inserted since the newest frame.
    inserted: bool,
}

impl Mapper {
    /// A mapper that starts at random numbers (RFC 3550 section 5.1).
    pub fn new(seed: &mut Seed) -> Mapper {
        // Half of the space stays free below, so that the first late packets don't go under.
        let next = FIRST_ROLLOVER + (u64::from(seed.u32()) & 0x7fff);
        Mapper { next, timestamp: seed.u32(), anchor: None, segment: None, inserted: false }
    }

    /// The next frame comes from another source: its numbers mean nothing beside those before.
    /// Greater jumps are recognised without this call, a source that happens to continue is not.
    pub fn switch_source(&mut self) {
        self.segment = None;
    }

    /// Maps one frame: `sequence` is extended, `timestamp` counts in units of `clock_rate` Hz.
    /// `None` for a frame that has no place any more: the newest once again, or one that is older
    /// than digits or a source change.
    pub fn map(
        &mut self,
        now: Instant,
        sequence: u64,
        timestamp: u32,
        clock_rate: u32,
    ) -> Option<Mapped> {
        let segment = self.segment.filter(|segment| {
            sequence <= segment.newest.saturating_add(MAX_DROPOUT.into())
                && sequence.saturating_add(MAX_MISORDER.into()) >= segment.newest
        });
        let Some(mut segment) = segment else {
            return Some(self.begin(now, sequence, timestamp, clock_rate));
        };
        if sequence <= segment.newest {
            if sequence == segment.newest || sequence < segment.first {
                return None;
            }
            return Some(Mapped {
                sequence: sequence.wrapping_add(segment.shift),
                timestamp: timestamp.wrapping_add(segment.timestamp_shift),
                marker: false,
            });
        }
        if std::mem::take(&mut self.inserted) {
            // Frames that were held back while digits went out are no losses.
            segment.first = sequence;
            segment.shift = self.next.wrapping_sub(sequence);
        }
        let mut due = timestamp.wrapping_add(segment.timestamp_shift);
        if clock_rate != segment.clock_rate || !self.plausible(now, due, clock_rate) {
            due = self.due(now, clock_rate);
            segment.timestamp_shift = due.wrapping_sub(timestamp);
        }
        segment.newest = sequence;
        segment.clock_rate = clock_rate;
        let out = sequence.wrapping_add(segment.shift);
        self.segment = Some(segment);
        Some(self.leave(now, out, due, clock_rate, false))
    }

    /// Takes the next number for a packet of our own, such as a telephone event, whose outgoing
    /// time is `timestamp`. Frames that follow are numbered behind it.
    pub fn insert(&mut self, timestamp: u32) -> u64 {
        let sequence = self.next;
        self.next += 1;
        self.inserted = true;
        if after(timestamp, self.timestamp) {
            self.timestamp = timestamp;
        }
        sequence
    }

    /// The outgoing time at `now`, from the newest frame on; `clock_rate` counts where no frame
    /// has left yet. It never lies before anything that left.
    pub fn timestamp_at(&mut self, now: Instant, clock_rate: u32) -> u32 {
        let start = Anchor { timestamp: self.timestamp, at: now, clock_rate };
        let anchor = *self.anchor.get_or_insert(start);
        let time = time_at(&anchor, now);
        if after(time, self.timestamp) { time } else { self.timestamp }
    }

    /// The same without an effect: `None` where nothing has left yet.
    pub fn peek_timestamp(&self, now: Instant) -> Option<u32> {
        self.anchor.as_ref().map(|anchor| time_at(anchor, now))
    }

    fn begin(&mut self, now: Instant, sequence: u64, timestamp: u32, clock_rate: u32) -> Mapped {
        let due = if self.anchor.is_some() { self.due(now, clock_rate) } else { self.timestamp };
        let out = self.next;
        self.inserted = false;
        self.segment = Some(Segment {
            first: sequence,
            newest: sequence,
            shift: out.wrapping_sub(sequence),
            timestamp_shift: due.wrapping_sub(timestamp),
            clock_rate,
        });
        self.leave(now, out, due, clock_rate, true)
    }

    /// The time of a frame that starts a new time line now: the clock decides, but it moves on by
    /// one frame at least.
    fn due(&self, now: Instant, clock_rate: u32) -> u32 {
        let Some(anchor) = self.anchor else { return self.timestamp };
        let passed = now.saturating_duration_since(anchor.at).max(FRAME);
        let due = anchor.timestamp.wrapping_add(units(passed, clock_rate));
        if after(due, self.timestamp) {
            due
        } else {
            self.timestamp.wrapping_add(units(FRAME, clock_rate))
        }
    }

    /// Whether a time is behind everything that left and near to what the clock says.
    fn plausible(&self, now: Instant, due: u32, clock_rate: u32) -> bool {
        let Some(anchor) = self.anchor else { return true };
        let expected = time_at(&Anchor { clock_rate, ..anchor }, now);
        let difference = (due.wrapping_sub(expected) as i32).unsigned_abs();
        after(due, self.timestamp) && difference <= units(MAX_TIMESTAMP_JUMP, clock_rate)
    }

    fn leave(
        &mut self,
        now: Instant,
        sequence: u64,
        timestamp: u32,
        clock_rate: u32,
        marker: bool,
    ) -> Mapped {
        self.next = sequence.wrapping_add(1);
        self.timestamp = timestamp;
        self.anchor = Some(Anchor { timestamp, at: now, clock_rate });
        Mapped { sequence, timestamp, marker }
    }
}

fn time_at(anchor: &Anchor, now: Instant) -> u32 {
    let passed = now.saturating_duration_since(anchor.at);
    anchor.timestamp.wrapping_add(units(passed, anchor.clock_rate))
}

/// Whether a timestamp lies after another, modulo 2^32.
fn after(a: u32, b: u32) -> bool {
    a.wrapping_sub(b) as i32 > 0
}

#[cfg(test)]
#[path = "sender_tests.rs"]
mod tests;
