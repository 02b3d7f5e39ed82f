//! Acknowledgements in both formats (RFC 7016 sections 2.3.13 and 2.3.14).

use crate::octets::Reader;
use crate::vlu;
use std::iter::FusedIterator;

/// What arrived of a flow; a bit for each number from the second after the cumulative one on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AckBitmap<'a> {
    /// The flow.
    pub flow: u64,
    /// The room of the receiver, in blocks of 1024 octets.
    pub buffer_available: u64,
    /// Everything up to this number has arrived.
    pub cumulative: u64,
    /// The bits, least significant first.
    pub bits: &'a [u8],
}

/// What arrived of a flow; pairs of hole and range lengths after the cumulative number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AckRanges<'a> {
    /// The flow.
    pub flow: u64,
    /// The room of the receiver, in blocks of 1024 octets.
    pub buffer_available: u64,
    /// Everything up to this number has arrived.
    pub cumulative: u64,
    /// The pairs; a truncated last one is ignored.
    pub pairs: &'a [u8],
}

/// The received ranges beyond the cumulative number, ascending, each as its first and last number.
#[derive(Clone, Copy)]
pub struct Ranges<'a> {
    /// Bits: the number before the first bit's. Pairs: the last number of the range before.
    cursor: u64,
    source: Source<'a>,
}

#[derive(Clone, Copy)]
enum Source<'a> {
    Bits { octets: &'a [u8], at: u64 },
    Pairs(Reader<'a>),
}

impl<'a> AckBitmap<'a> {
    pub(super) fn read(mut reader: Reader<'a>) -> Option<Self> {
        let (flow, buffer_available, cumulative) = (reader.vlu()?, reader.vlu()?, reader.vlu()?);
        Some(AckBitmap { flow, buffer_available, cumulative, bits: reader.rest() })
    }

    pub(super) fn put(&self, to: &mut Vec<u8>) {
        put_head(to, self.flow, self.buffer_available, self.cumulative);
        to.extend_from_slice(self.bits);
    }

    /// The ranges beyond the cumulative number.
    pub fn ranges(&self) -> Ranges<'a> {
        let source = Source::Bits { octets: self.bits, at: 0 };
        Ranges { cursor: self.cumulative.saturating_add(1), source }
    }
}

impl<'a> AckRanges<'a> {
    pub(super) fn read(mut reader: Reader<'a>) -> Option<Self> {
        let (flow, buffer_available, cumulative) = (reader.vlu()?, reader.vlu()?, reader.vlu()?);
        Some(AckRanges { flow, buffer_available, cumulative, pairs: reader.rest() })
    }

    pub(super) fn put(&self, to: &mut Vec<u8>) {
        put_head(to, self.flow, self.buffer_available, self.cumulative);
        to.extend_from_slice(self.pairs);
    }

    /// The ranges beyond the cumulative number.
    pub fn ranges(&self) -> Ranges<'a> {
        Ranges { cursor: self.cumulative, source: Source::Pairs(Reader::new(self.pairs)) }
    }
}

fn put_head(to: &mut Vec<u8>, flow: u64, buffer_available: u64, cumulative: u64) {
    vlu::put(to, flow);
    vlu::put(to, buffer_available);
    vlu::put(to, cumulative);
}

/// Appends the payload of a Range Ack: as many of the ranges as keep it at or below `limit` octets.
/// Says whether all had room; with room for none of the head, nothing is written.
///
/// `ranges` ascend, do not touch each other and begin at `cumulative + 2` or above.
pub(crate) fn put_ranges(
    to: &mut Vec<u8>,
    (flow, buffer_available, cumulative): (u64, u64, u64),
    ranges: impl Iterator<Item = (u64, u64)>,
    limit: usize,
) -> bool {
    let start = to.len();
    put_head(to, flow, buffer_available, cumulative);
    if to.len() - start > limit {
        to.truncate(start);
        return false;
    }
    let mut cursor = cumulative;
    for (from, until) in ranges {
        let (Some(holes), Some(received)) =
            (from.checked_sub(cursor).and_then(|gap| gap.checked_sub(2)), until.checked_sub(from))
        else {
            continue;
        };
        let before = to.len();
        vlu::put(to, holes);
        vlu::put(to, received);
        if to.len() - start > limit {
            to.truncate(before);
            return false;
        }
        cursor = until;
    }
    true
}

impl Ranges<'_> {
    fn next_pair(&mut self) -> Option<(u64, u64)> {
        let Source::Pairs(reader) = &mut self.source else { return None };
        let (holes, received) = (reader.vlu()?, reader.vlu()?);
        let from = self.cursor.checked_add(holes)?.checked_add(2)?;
        let until = from.checked_add(received)?;
        self.cursor = until;
        Some((from, until))
    }

    /// The first range of set bits from `at` on.
    fn next_bits(&mut self) -> Option<(u64, u64)> {
        let Source::Bits { octets, at } = &mut self.source else { return None };
        let bit = |at: u64| {
            let octet = octets.get(usize::try_from(at / 8).ok()?)?;
            Some(octet >> (at % 8) & 1 == 1)
        };
        while !bit(*at)? {
            *at += 1;
        }
        let first = *at;
        while bit(*at) == Some(true) {
            *at += 1;
        }
        // Bit 0 is the number after the cursor.
        let from = self.cursor.checked_add(first)?.checked_add(1)?;
        Some((from, self.cursor.checked_add(*at)?))
    }
}

impl Iterator for Ranges<'_> {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        let range = match self.source {
            Source::Pairs(_) => self.next_pair(),
            Source::Bits { .. } => self.next_bits(),
        };
        if range.is_none() {
            // What follows a number that does not fit means nothing.
            self.source = Source::Pairs(Reader::new(&[]));
        }
        range
    }
}

impl FusedIterator for Ranges<'_> {}
