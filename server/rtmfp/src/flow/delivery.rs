//! The receive buffer: from fragments to whole messages (RFC 7016 section 3.6.3.3).

use super::Order;
use crate::chunk::FragmentControl;
use crate::session::numbers::FRAGMENT_OVERHEAD;
use crate::session::pool::Pool;
use std::collections::VecDeque;
use std::ops::Range;

/// A received fragment that waits (an entry of RECV_BUFFER).
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) sequence: u64,
    pub(super) control: FragmentControl,
    pub(super) data: Vec<u8>,
}

/// What the front of the buffer allows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// A whole message, with its first and last number.
    Message(Vec<u8>, u64, u64),
    /// A message of more octets than the limit.
    TooLarge,
    /// Nothing more for now. The number is the last one before whatever is still to be delivered.
    Wait(u64),
}

/// Fragments in ascending order of their numbers.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    pieces: VecDeque<Piece>,
    size: usize,
}

/// What a fragment of `length` octets costs in a buffer.
pub(super) fn cost(length: usize) -> usize {
    length + FRAGMENT_OVERHEAD
}

impl Buffer {
    /// Octets held, with what each fragment costs beside.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    pub(super) fn sequences(&self) -> impl Iterator<Item = u64> + '_ {
        self.pieces.iter().map(|piece| piece.sequence)
    }

    /// Puts a fragment in its place; the number must not be held already.
    pub(super) fn insert(&mut self, piece: Piece) {
        let at = self.pieces.partition_point(|held| held.sequence < piece.sequence);
        self.size += cost(piece.data.len());
        self.pieces.insert(at, piece);
    }

    /// Drops everything.
    pub(super) fn clear(&mut self, pool: &mut Pool) {
        self.pieces.drain(..).for_each(|piece| pool.give(piece.data));
        self.size = 0;
        self.pieces = VecDeque::new();
    }

    /// The next step of delivery in the order of queueing; `cumulative` is the number up to which
    /// everything was seen.
    fn step(&mut self, cumulative: u64, limit: usize, pool: &mut Pool) -> Step {
        while let Some(first) = self.pieces.front().filter(|piece| piece.sequence <= cumulative) {
            let begins = matches!(first.control, FragmentControl::Whole | FragmentControl::Begin);
            let before = first.sequence - 1;
            let segment = self.segment(0);
            if !begins {
                // The beginning was given up, so this is no message any more.
                self.discard(0..1, pool);
            } else if self.is_whole(&segment) {
                return self.take(segment, limit, pool);
            } else if self.octets(&segment) > limit {
                return Step::TooLarge;
            } else if self.last(&segment) < cumulative {
                self.discard(segment, pool);
            } else {
                return Step::Wait(before);
            }
        }
        Step::Wait(cumulative)
    }

    /// A whole message from anywhere in the buffer, for delivery in the order of arrival. What
    /// can never become one is dropped; `dropped` counts such fragments.
    fn step_any(
        &mut self,
        cumulative: u64,
        limit: usize,
        dropped: &mut u64,
        pool: &mut Pool,
    ) -> Step {
        let mut at = 0;
        while let Some(first) = self.pieces.get(at) {
            let begins = matches!(first.control, FragmentControl::Whole | FragmentControl::Begin);
            let hopeless = !begins && first.sequence <= cumulative;
            let segment = self.segment(at);
            if begins && self.is_whole(&segment) {
                return self.take(segment, limit, pool);
            }
            if self.octets(&segment) > limit {
                return Step::TooLarge;
            }
            let closed = self.last(&segment) < cumulative;
            let cut = self.is_cut(&segment);
            if hopeless || closed || cut {
                *dropped += segment.len() as u64;
                self.discard(segment, pool);
            } else {
                at = segment.end;
            }
        }
        Step::Wait(cumulative)
    }

    /// The pieces from `at` on that could be of one message: contiguous, and none but the first
    /// begins one. A segment that does not begin a message ends before the next that does.
    fn segment(&self, at: usize) -> Range<usize> {
        let mut end = at;
        let mut expected = None;
        for piece in self.pieces.range(at.min(self.pieces.len())..) {
            let fits = expected.is_none_or(|number| number == piece.sequence);
            let begins = matches!(piece.control, FragmentControl::Whole | FragmentControl::Begin);
            if !fits || (begins && end > at) {
                break;
            }
            end += 1;
            if matches!(piece.control, FragmentControl::Whole | FragmentControl::End) {
                break;
            }
            expected = Some(piece.sequence + 1);
        }
        at..end
    }

    /// Whether a segment is followed at once by the beginning of another message although its own
    /// end has not come: no sender of whole messages does that.
    fn is_cut(&self, segment: &Range<usize>) -> bool {
        let Some(last) = segment.end.checked_sub(1).and_then(|at| self.pieces.get(at)) else {
            return false;
        };
        let ended = matches!(last.control, FragmentControl::Whole | FragmentControl::End);
        let next = self.pieces.get(segment.end);
        !ended && next.is_some_and(|next| next.sequence == last.sequence + 1)
    }

    fn is_whole(&self, segment: &Range<usize>) -> bool {
        let last = segment.end.checked_sub(1).and_then(|at| self.pieces.get(at));
        last.is_some_and(|piece| {
            matches!(piece.control, FragmentControl::Whole | FragmentControl::End)
        })
    }

    fn last(&self, segment: &Range<usize>) -> u64 {
        let last = segment.end.checked_sub(1).and_then(|at| self.pieces.get(at));
        last.map_or(0, |piece| piece.sequence)
    }

    fn octets(&self, segment: &Range<usize>) -> usize {
        self.pieces.range(segment.clone()).map(|piece| piece.data.len()).sum()
    }

    fn take(&mut self, segment: Range<usize>, limit: usize, pool: &mut Pool) -> Step {
        if self.octets(&segment) > limit {
            return Step::TooLarge;
        }
        let mut pieces = self.pieces.drain(segment);
        let Some(first) = pieces.next() else { return Step::Wait(0) };
        let (from, mut to) = (first.sequence, first.sequence);
        let mut message = first.data;
        self.size -= cost(message.len());
        for piece in pieces {
            self.size -= cost(piece.data.len());
            message.extend_from_slice(&piece.data);
            to = piece.sequence;
            pool.give(piece.data);
        }
        Step::Message(message, from, to)
    }

    fn discard(&mut self, segment: Range<usize>, pool: &mut Pool) {
        for piece in self.pieces.drain(segment) {
            self.size -= cost(piece.data.len());
            pool.give(piece.data);
        }
    }

    /// Breaches of what always holds; for tests.
    pub(super) fn verify(&self) {
        assert_eq!(self.size, self.pieces.iter().map(|p| cost(p.data.len())).sum::<usize>());
        let numbers = self.sequences();
        assert!(numbers.zip(self.sequences().skip(1)).all(|(a, b)| a < b), "numbers ascend");
    }
}

impl Buffer {
    /// The next step of delivery in either order.
    pub(super) fn next(
        &mut self,
        order: Order,
        cumulative: u64,
        limit: usize,
        dropped: &mut u64,
        pool: &mut Pool,
    ) -> Step {
        match order {
            Order::Original => self.step(cumulative, limit, pool),
            Order::Network => self.step_any(cumulative, limit, dropped, pool),
        }
    }
}
