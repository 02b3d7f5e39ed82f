//! A cursor over the input that also keeps the account of what may still be made from it.

use super::{AmfError, Limits};

/// Octets with a place in them, and what is left of the [`Limits`].
///
/// References are followed by reading the referenced place again, so no table of values is kept;
/// every value that comes out is charged, also where it comes out twice.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    input: &'a [u8],
    at: usize,
    values: usize,
    octets: usize,
    depth: usize,
    /// Above zero while a reference is being followed: the tables stay as they are.
    pub replays: u32,
}

impl<'a> Reader<'a> {
    pub fn new(input: &'a [u8], limits: Limits) -> Self {
        Reader {
            input,
            at: 0,
            values: limits.values,
            octets: limits.octets,
            depth: limits.depth,
            replays: 0,
        }
    }

    pub fn at(&self) -> usize {
        self.at
    }

    /// Goes to a place that [`Self::at`] gave earlier.
    pub fn seek(&mut self, at: usize) {
        self.at = at;
    }

    pub fn left(&self) -> usize {
        self.input.len().saturating_sub(self.at)
    }

    pub fn take(&mut self, count: usize) -> Result<&'a [u8], AmfError> {
        let rest = self.input.get(self.at..).unwrap_or_default();
        let taken = rest.get(..count).ok_or(AmfError::Truncated)?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], AmfError> {
        self.take(N)?.first_chunk::<N>().copied().ok_or(AmfError::Truncated)
    }

    pub fn u8(&mut self) -> Result<u8, AmfError> {
        self.array::<1>().map(|[octet]| octet)
    }

    pub fn u16(&mut self) -> Result<u16, AmfError> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, AmfError> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn f64(&mut self) -> Result<f64, AmfError> {
        self.array().map(f64::from_be_bytes)
    }

    /// Text that is not valid UTF-8 is mended rather than refused: one odd character in a name is
    /// no reason to lose a call.
    pub fn text(&mut self, octets: &[u8]) -> Result<String, AmfError> {
        self.charge_octets(octets.len())?;
        Ok(String::from_utf8_lossy(octets).into_owned())
    }

    pub fn charge_octets(&mut self, count: usize) -> Result<(), AmfError> {
        self.octets = self.octets.checked_sub(count).ok_or(AmfError::TooLarge)?;
        Ok(())
    }

    pub fn charge_value(&mut self) -> Result<(), AmfError> {
        self.values = self.values.checked_sub(1).ok_or(AmfError::TooLarge)?;
        Ok(())
    }

    /// A count that the input claims: each element takes an octet at least, so a greater count is a
    /// lie and is found out before anything is made.
    pub fn claimed(&self, count: usize) -> Result<usize, AmfError> {
        if count > self.left() { Err(AmfError::Truncated) } else { Ok(count) }
    }

    /// One step down; [`Self::rise`] goes back up.
    pub fn descend(&mut self) -> Result<(), AmfError> {
        self.depth = self.depth.checked_sub(1).ok_or(AmfError::TooDeep)?;
        Ok(())
    }

    pub fn rise(&mut self) {
        self.depth += 1;
    }
}

/// What was read earlier and may be referred to: where it starts and whether it has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub at: usize,
    pub whole: bool,
}
