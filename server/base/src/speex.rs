//! The frames inside a Speex payload (RFC 5574 section 3.3 and the Speex manual, section 9).
//!
//! Speex payloads have no lengths: each frame begins with bits that name its mode, and the mode
//! says how many bits follow. This walk over the mode bits counts and cuts frames without decoding
//! any. What it refuses never reaches the codec's library, which would complain on standard error.
//!
//! ```text
//!   frame: | 0 | mode 4 bits | ... |  then, at 16 kHz, | 1 | mode 3 bits | ... |
//!           narrow layer                                wide layer
//! ```
//!
//! Everything stands in bits, the most significant one of an octet first.

use std::time::Duration;

/// One frame's sound, whatever its rate.
pub const FRAME: Duration = Duration::from_millis(20);

/// No frame of two layers has more octets: 492 bits and 352.
pub const MAX_OCTETS: usize = 106;

/// Bits of a narrow layer by its mode, the five of its head included.
const NARROW: [usize; 9] = [5, 43, 119, 160, 220, 300, 364, 492, 79];
/// Bits of a wide layer by its mode, the four of its head included.
const WIDE: [usize; 5] = [4, 36, 112, 192, 352];
const NARROW_HEAD: usize = 5;
const WIDE_HEAD: usize = 4;
/// In place of a narrow mode: a request of the application, one of Speex itself, and the end.
const USER_REQUEST: usize = 13;
const REQUEST: usize = 14;
const TERMINATOR: usize = 15;
/// Requests that one payload may hold; a sender has no use for more.
const REQUESTS: usize = 16;

/// How the frames of one payload follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Bit after bit; only the last octet is padded, as RTP has it (RFC 5574 section 3.3).
    Bits,
    /// Each frame ends with its octet, as Flash has it.
    Octets,
}

impl Packing {
    /// How the frames of a message follow each other where its sender does not say: Flash Player ends
    /// each with its octet, other encoders put them bit to bit even into RTMP messages.
    pub fn of(message: &[u8]) -> Packing {
        let mut frames = Frames::new(message, Packing::Octets);
        let padded = frames.by_ref().all(|frame| frame.is_padded());
        if padded && !frames.is_malformed() { Packing::Octets } else { Packing::Bits }
    }
}

/// A frame's place inside its payload.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    payload: &'a [u8],
    /// The first bit, and how many.
    start: usize,
    bits: usize,
    wide: bool,
}

impl<'a> Frame<'a> {
    /// Its length in bits.
    pub fn bits(&self) -> usize {
        self.bits
    }

    /// Its length once it stands alone, in octets.
    pub fn octets(&self) -> usize {
        self.bits.div_ceil(8)
    }

    /// Whether what follows it in its last octet is padding: a zero and then ones, or zeros alone.
    fn is_padded(&self) -> bool {
        let end = self.start + self.bits;
        let count = end.next_multiple_of(8) - end;
        let padding = take(self.payload, end, count);
        padding == 0 || padding == ((1 << count) >> 1) - 1
    }

    /// Whether it has a layer above 4 kHz; a narrow one may stand in a stream of 16 kHz too.
    pub fn is_wide(&self) -> bool {
        self.wide
    }

    /// Copies the frame to the front of `out`, padded by a zero and ones (RFC 5574 section 3.3),
    /// and gives the number of octets; `None` where they don't fit. [`MAX_OCTETS`] always do.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let out = out.get_mut(..self.octets())?;
        for (n, octet) in out.iter_mut().enumerate() {
            *octet = take(self.payload, self.start + n * 8, 8) as u8;
        }
        let padding = self.octets() * 8 - self.bits;
        if padding > 0
            && let Some(last) = out.last_mut()
        {
            *last = *last >> padding << padding | (0xff_u8 >> (8 - padding) >> 1);
        }
        Some(out.len())
    }
}

impl std::fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Frame({} bits{})", self.bits, if self.wide { ", wide" } else { "" })
    }
}

/// The frames of one payload, one after another. A malformed one ends the walk.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    payload: &'a [u8],
    packing: Packing,
    at: usize,
    requests: usize,
    malformed: bool,
}

impl<'a> Frames<'a> {
    /// The frames of a payload.
    pub fn new(payload: &'a [u8], packing: Packing) -> Self {
        Frames { payload, packing, at: 0, requests: 0, malformed: false }
    }

    /// Whether the walk so far met a mode that there is not, or a frame that is cut off.
    pub fn is_malformed(&self) -> bool {
        self.malformed
    }

    fn remaining(&self) -> usize {
        (self.payload.len() * 8).saturating_sub(self.at)
    }

    fn peek(&self, offset: usize, count: usize) -> usize {
        take(self.payload, self.at + offset, count)
    }

    fn fail(&mut self) -> Option<Frame<'a>> {
        self.malformed = true;
        self.at = self.payload.len() * 8;
        None
    }

    /// Steps over what is asked for inside the stream, of which nothing is obeyed.
    fn request(&mut self, mode: usize) -> bool {
        let argument = self.peek(NARROW_HEAD, 4);
        let length = match (mode, argument) {
            // The application's own tell their octets, with five bits in between.
            (USER_REQUEST, octets) => 5 + octets * 8,
            (_, 0..2) => 1,
            (_, 2..8) => 4,
            (_, 8..10) => 8,
            (_, 10..12) => 16,
            (_, 12..14) => 32,
            _ => 64,
        };
        let length = NARROW_HEAD + 4 + length;
        self.requests += 1;
        if self.remaining() < length || self.requests > REQUESTS {
            return false;
        }
        self.at += length;
        true
    }

    /// The length of a wide layer at `offset`: 0 where there is none, `None` where it is no good.
    fn wide_layer(&self, offset: usize) -> Option<usize> {
        if self.remaining() < offset + WIDE_HEAD || self.peek(offset, 1) == 0 {
            return Some(0);
        }
        let bits = *WIDE.get(self.peek(offset + 1, 3))?;
        (self.remaining() >= offset + bits).then_some(bits)
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Frame<'a>;

    fn next(&mut self) -> Option<Frame<'a>> {
        loop {
            if self.packing == Packing::Octets {
                self.at = self.at.next_multiple_of(8);
            }
            // Fewer bits are padding.
            if self.remaining() < NARROW_HEAD {
                self.at = self.payload.len() * 8;
                return None;
            }
            if self.peek(0, 1) == 1 {
                // A wide layer without a narrow one below it.
                return self.fail();
            }
            let mode = self.peek(1, 4);
            match mode {
                TERMINATOR => {
                    self.at = self.payload.len() * 8;
                    return None;
                }
                USER_REQUEST | REQUEST => {
                    if !self.request(mode) {
                        return self.fail();
                    }
                }
                _ => {
                    let Some(&narrow) = NARROW.get(mode) else { return self.fail() };
                    if self.remaining() < narrow {
                        return self.fail();
                    }
                    let Some(wide) = self.wide_layer(narrow) else { return self.fail() };
                    let bits = narrow + wide;
                    // A second one belongs to 32 kHz, which nobody plays here.
                    let above = if wide > 0 { self.wide_layer(bits) } else { Some(0) };
                    let Some(above) = above else { return self.fail() };
                    let (payload, start) = (self.payload, self.at);
                    self.at += bits + above;
                    return Some(Frame { payload, start, bits, wide: wide > 0 });
                }
            }
        }
    }
}

/// The number of frames in an RTP payload; `None` where any is malformed or there is none.
pub fn count(payload: &[u8]) -> Option<usize> {
    let mut frames = Frames::new(payload, Packing::Bits);
    let count = frames.by_ref().count();
    (count > 0 && !frames.is_malformed()).then_some(count)
}

/// Up to eight bits from a place on; those behind the end are zeros.
fn take(octets: &[u8], at: usize, count: usize) -> usize {
    let octet = |n: usize| usize::from(octets.get(at / 8 + n).copied().unwrap_or(0));
    let two = octet(0) << 8 | octet(1);
    two >> (16 - at % 8 - count) & ((1 << count) - 1)
}

#[cfg(test)]
#[path = "speex_tests.rs"]
mod tests;
