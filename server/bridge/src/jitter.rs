//! The jitter buffer's store: frames in the order of their numbers.

use base::{Codec, Frame};
use std::collections::VecDeque;

/// The most frames held: half a second of 10 ms each.
pub const CAPACITY: usize = 50;
/// The longest payload that is kept: an Ethernet packet's.
pub const LONGEST: usize = 1500;

/// A frame that waits for its time.
pub struct Slot {
    pub sequence: u64,
    /// Where it belongs on the time line, and how long it lasts, in microseconds.
    pub at: i64,
    pub duration: i64,
    pub codec: Codec,
    pub payload: Vec<u8>,
}

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// It waits.
    Kept,
    /// It waits, and the oldest had to go.
    Overflowed,
    /// It was there already.
    Duplicate,
}

/// Frames in order. The payloads' buffers are used over and over, so that memory grows to what a
/// stream needs and then no more.
#[derive(Default)]
pub struct JitterBuffer {
    slots: VecDeque<Slot>,
    spare: Vec<Vec<u8>>,
}

impl JitterBuffer {
    /// Keeps a copy of a frame in its place. Its payload is at most [`LONGEST`].
    pub fn insert(&mut self, frame: &Frame<'_>, at: i64, duration: i64) -> Inserted {
        // Nearly always the newest: the search from the end takes one look.
        let place = self.slots.iter().rposition(|slot| slot.sequence <= frame.sequence);
        if place.is_some_and(|place| self.slots[place].sequence == frame.sequence) {
            return Inserted::Duplicate;
        }
        let mut place = place.map_or(0, |place| place + 1);
        let full = self.slots.len() >= CAPACITY;
        if full && let Some(oldest) = self.slots.pop_front() {
            self.recycle(oldest);
            place = place.saturating_sub(1);
        }
        let mut payload = self.spare.pop().unwrap_or_default();
        payload.clear();
        payload.extend_from_slice(&frame.payload[..frame.payload.len().min(LONGEST)]);
        let (sequence, codec) = (frame.sequence, frame.codec);
        self.slots.insert(place, Slot { sequence, at, duration, codec, payload });
        if full { Inserted::Overflowed } else { Inserted::Kept }
    }

    /// The frame that comes next.
    pub fn front(&self) -> Option<&Slot> {
        self.slots.front()
    }

    /// Takes the frame that comes next; give it back with [`JitterBuffer::recycle`].
    pub fn pop(&mut self) -> Option<Slot> {
        self.slots.pop_front()
    }

    /// Takes a used frame's buffer back.
    pub fn recycle(&mut self, slot: Slot) {
        if self.spare.len() < CAPACITY {
            self.spare.push(slot.payload);
        }
    }

    /// Forgets every frame.
    pub fn clear(&mut self) {
        while let Some(slot) = self.slots.pop_front() {
            self.recycle(slot);
        }
    }

    /// The number of frames held.
    pub fn len(&self) -> usize {
        self.slots.len()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Instant;

    fn insert(buffer: &mut JitterBuffer, sequence: u64) -> Inserted {
        let frame = Frame {
            codec: Codec::Pcmu,
            payload: &[sequence as u8; 160],
            sequence,
            timestamp: 0,
            marker: false,
            received_at: Instant::now(),
        };
        buffer.insert(&frame, sequence as i64 * 20_000, 20_000)
    }

    #[test]
    fn frames_come_out_in_order_and_once() {
        let mut buffer = JitterBuffer::default();
        for sequence in [5, 3, 4, 9, 3, 1, 9] {
            insert(&mut buffer, sequence);
        }
        assert_eq!(insert(&mut buffer, 4), Inserted::Duplicate);
        let order: Vec<_> = std::iter::from_fn(|| buffer.pop())
            .map(|slot| (slot.sequence, slot.payload[0]))
            .collect();
        assert_eq!(order, [(1, 1), (3, 3), (4, 4), (5, 5), (9, 9)]);
    }

    #[test]
    fn a_full_buffer_loses_its_oldest_frame() {
        let mut buffer = JitterBuffer::default();
        for sequence in 0..CAPACITY as u64 {
            assert_eq!(insert(&mut buffer, sequence + 10), Inserted::Kept);
        }
        assert_eq!(insert(&mut buffer, 100), Inserted::Overflowed);
        assert_eq!((buffer.len(), buffer.front().unwrap().sequence), (CAPACITY, 11));
    }
}
