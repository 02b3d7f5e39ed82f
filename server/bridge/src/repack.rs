//! Relayed frames of another length than 20 ms become frames of 20 ms.
//!
//! Some send 10 ms of G.711 a packet, Flash among them, and some several frames of Speex. Both
//! sides were told that 20 ms are wanted, and either kind costs somebody: twice the packets, or a
//! player that knows one frame a message. Nothing is decoded for it: octets of G.711 and G.722 are
//! joined, and frames of Speex are cut out by their mode bits. Opus and longer G.711 pass as they
//! are.
//!
//! A number goes out for each frame that goes out, in the order of what came in, and a gap stays a
//! gap: joining takes one from all later numbers, cutting adds to them. What comes late is not
//! joined any more: it goes on alone, by the numbering of its own time.

use base::{
    Codec, Frame,
    speex::{Frames, MAX_OCTETS, Packing},
};
use std::time::{Duration, Instant};

/// 20 ms of G.711, and of G.722 at 64 kbit/s.
const OCTETS: usize = 160;
/// The most frames of Speex in one payload: 120 ms.
const PIECES: usize = 6;
/// Changes of the numbering that are remembered: half a second of joined halves.
const ERAS: usize = 25;
/// What comes so many numbers after its turn is another time line.
const STRAGGLERS: u64 = 100;
/// A first half that is older than this belongs to a word that is over.
const STALE_AFTER: Duration = Duration::from_millis(60);

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes on with its own payload.
    Passes,
    /// It waits for the next one.
    Waits,
    /// It is malformed.
    Refused,
    /// [`Repack::made`] goes on in its place, and perhaps more after it.
    Replaced,
}

/// What a frame tells beside its payload.
#[derive(Clone, Copy)]
struct Head {
    codec: Codec,
    sequence: u64,
    timestamp: u32,
    marker: bool,
    received_at: Instant,
}

impl Head {
    fn of(frame: &Frame<'_>) -> Head {
        Head {
            codec: frame.codec,
            sequence: frame.sequence,
            timestamp: frame.timestamp,
            marker: frame.marker,
            received_at: frame.received_at,
        }
    }

    fn with(self, payload: &[u8]) -> Frame<'_> {
        let Head { codec, sequence, timestamp, marker, received_at } = self;
        Frame { codec, payload, sequence, timestamp, marker, received_at }
    }
}

/// The first part of a frame to be joined.
#[derive(Clone, Copy)]
struct Held {
    head: Head,
    /// Parts and octets so far.
    parts: u64,
    octets: usize,
}

/// Frames that are still to be cut out of a payload.
#[derive(Clone, Copy)]
struct Cut {
    head: Head,
    octets: usize,
    next: usize,
    count: usize,
}

/// Joins and cuts the frames of one way. Made with the first frame that needs it.
pub struct Repack {
    /// What is added to numbers, modulo 2^64.
    shift: u64,
    /// What was added to the numbers before these; the oldest is overwritten.
    eras: [(u64, u64); ERAS],
    next_era: usize,
    /// The newest number so far.
    newest: Option<u64>,
    held: Option<Held>,
    joined: [u8; OCTETS],
    cut: Option<Cut>,
    payload: [u8; PIECES * MAX_OCTETS],
    /// The frame to lend out: its head and octets.
    ready: Option<(Head, usize)>,
    out: [u8; OCTETS],
}

/// Whether a frame is neither too short nor of several pieces.
pub fn is_whole(frame: &Frame<'_>) -> bool {
    match frame.codec {
        Codec::Opus => true,
        Codec::G722 | Codec::Pcma | Codec::Pcmu => frame.payload.len() >= OCTETS,
        Codec::Speex16 | Codec::Speex8 => base::speex::count(frame.payload) == Some(1),
    }
}

impl Repack {
    pub fn new() -> Self {
        Repack {
            shift: 0,
            eras: [(0, 0); ERAS],
            next_era: 0,
            newest: None,
            held: None,
            joined: [0; OCTETS],
            cut: None,
            payload: [0; PIECES * MAX_OCTETS],
            ready: None,
            out: [0; OCTETS],
        }
    }

    /// Takes the next frame to be passed on.
    pub fn handle(&mut self, frame: &Frame<'_>) -> Fate {
        self.cut = None;
        self.ready = None;
        let late = self.is_late(frame);
        if !late {
            self.newest = Some(frame.sequence);
        }
        if is_whole(frame) {
            self.held = self.held.filter(|_| late);
            return Fate::Passes;
        }
        match frame.codec {
            Codec::Speex16 | Codec::Speex8 => self.cut(frame, late),
            _ if late && !frame.payload.is_empty() => Fate::Passes,
            _ => self.join(frame),
        }
    }

    /// The number under which a frame that passes goes on.
    pub fn number(&self, sequence: u64) -> u64 {
        // The earliest of the eras that end after the number is its own.
        let later = self.eras.iter().filter(|(before, _)| {
            sequence < *before && before.saturating_sub(sequence) <= STRAGGLERS
        });
        let shift = later.min_by_key(|(before, _)| *before).map_or(self.shift, |(_, shift)| *shift);
        sequence.wrapping_add(shift)
    }

    /// Whether a frame comes after its turn.
    fn is_late(&self, frame: &Frame<'_>) -> bool {
        let behind = self.newest.map(|newest| newest.wrapping_sub(frame.sequence));
        behind.is_some_and(|behind| (1..=STRAGGLERS).contains(&behind))
    }

    /// Frames from this number on are numbered with another shift.
    fn renumber(&mut self, from: u64, shift: u64) {
        if let Some(era) = self.eras.get_mut(self.next_era) {
            *era = (from, self.shift);
        }
        self.next_era = (self.next_era + 1) % ERAS;
        self.shift = shift;
    }

    /// The frame that replaces the one handled last.
    pub fn made(&self) -> Option<Frame<'_>> {
        let (head, octets) = self.ready?;
        Some(head.with(self.out.get(..octets)?))
    }

    /// Readies the next piece of a payload that holds several; then ask [`Repack::made`].
    pub fn advance(&mut self) -> bool {
        self.ready = None;
        let Some(cut) = &mut self.cut else { return false };
        let n = cut.next;
        cut.next += 1;
        let cut = *cut;
        let payload = self.payload.get(..cut.octets).unwrap_or_default();
        let piece = Frames::new(payload, Packing::Bits).nth(n);
        let Some(octets) = piece.and_then(|piece| piece.write(&mut self.out)) else {
            self.cut = None;
            return false;
        };
        let head = Head {
            sequence: cut.head.sequence.wrapping_add(n as u64),
            timestamp: cut.head.timestamp.wrapping_add(n as u32 * cut.head.codec.clock_rate() / 50),
            marker: cut.head.marker && n == 0,
            ..cut.head
        };
        self.ready = Some((head, octets));
        if cut.next >= cut.count {
            self.cut = None;
        }
        true
    }

    fn cut(&mut self, frame: &Frame<'_>, late: bool) -> Fate {
        let count = base::speex::count(frame.payload).filter(|count| *count <= PIECES);
        let (Some(count), Some(payload)) = (count, self.payload.get_mut(..frame.payload.len()))
        else {
            return Fate::Refused;
        };
        payload.copy_from_slice(frame.payload);
        let head = Head { sequence: self.number(frame.sequence), ..Head::of(frame) };
        // Nobody knew how many frames were missing: there is a number for one.
        let count = if late { 1 } else { count };
        if count > 1 {
            let after = frame.sequence.wrapping_add(1);
            self.renumber(after, self.shift.wrapping_add(count as u64 - 1));
        }
        self.cut = Some(Cut { head, octets: frame.payload.len(), next: 0, count });
        if self.advance() { Fate::Replaced } else { Fate::Refused }
    }

    fn join(&mut self, frame: &Frame<'_>) -> Fate {
        if frame.payload.is_empty() {
            return Fate::Refused;
        }
        let Some(held) = self.held else { return self.hold(frame) };
        if frame.codec == held.head.codec
            && frame.sequence < held.head.sequence.saturating_add(held.parts)
        {
            // A straggler: what is held goes on waiting.
            return Fate::Passes;
        }
        let age = frame.received_at.saturating_duration_since(held.head.received_at);
        let follows = frame.codec == held.head.codec
            && frame.sequence == held.head.sequence.wrapping_add(held.parts)
            && frame.timestamp == held.head.timestamp.wrapping_add(held.octets as u32)
            && held.octets + frame.payload.len() <= OCTETS;
        if age >= STALE_AFTER {
            return self.hold(frame);
        }
        if !follows {
            self.release(held);
            let _ = self.hold(frame);
            return Fate::Replaced;
        }
        let octets = held.octets + frame.payload.len();
        self.joined[held.octets..octets].copy_from_slice(frame.payload);
        let held = Held { octets, parts: held.parts + 1, ..held };
        if octets < OCTETS {
            self.held = Some(held);
            return Fate::Waits;
        }
        self.release(held);
        self.held = None;
        Fate::Replaced
    }

    fn hold(&mut self, frame: &Frame<'_>) -> Fate {
        let octets = frame.payload.len();
        self.joined[..octets].copy_from_slice(frame.payload);
        self.held = Some(Held { head: Head::of(frame), parts: 1, octets });
        Fate::Waits
    }

    /// Readies what is held.
    fn release(&mut self, held: Held) {
        self.out[..held.octets].copy_from_slice(&self.joined[..held.octets]);
        let head = Head { sequence: self.number(held.head.sequence), ..held.head };
        if held.parts > 1 {
            let after = held.head.sequence.wrapping_add(held.parts);
            self.renumber(after, self.shift.wrapping_sub(held.parts - 1));
        }
        self.ready = Some((head, held.octets));
    }
}

#[cfg(test)]
#[path = "repack_tests.rs"]
mod tests;
