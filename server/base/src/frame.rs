//! One encoded stretch of sound on its way from one leg to the other.

use crate::Codec;
use std::time::Instant;

/// One encoded stretch of audio, borrowed from wherever it was received or made.
///
/// Digits do not travel as frames: the stream ends turn telephone events into digits and back.
#[derive(Clone, Copy)]
pub struct Frame<'a> {
    /// How the payload is encoded.
    pub codec: Codec,
    /// The payload alone, without RTP header or padding.
    pub payload: &'a [u8],
    /// Extended RTP sequence number (32 bits of cycles and number, RFC 3550 A.1): a gap is a loss.
    pub sequence: u64,
    /// RTP timestamp in units of [`Codec::clock_rate`].
    pub timestamp: u32,
    /// RTP marker bit: the first frame of a talk spurt.
    pub marker: bool,
    /// When the datagram arrived.
    pub received_at: Instant,
}

impl std::fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Frame({}, #{}, t {}, {} octets)",
            self.codec,
            self.sequence,
            self.timestamp,
            self.payload.len()
        )
    }
}
