//! Speex by libspeex, behind safe types. The only room with `unsafe` in it.
//!
//! Nobody has written a Speex encoder of any use in Rust, and Flash knows no other wide-band
//! codec, so the C library does the work. Its functions are called from this crate alone, through
//! the dozen declarations in `ffi`; everything outside is plain Rust.
//!
//! What keeps this sound, whatever a far party sends:
//!
//! - Only frames that [`base::speex`] has walked reach the decoder, one at a time, copied to the
//!   front of a zeroed buffer with their padding as RFC 5574 wants it. An unknown mode, a frame that
//!   is cut off, or a request inside the stream would make the library print or act; none gets there.
//! - States are made and freed here, belong to one value and are reached through `&mut` only.
//! - Buffers are arrays of this crate, as long as the mode's frame at least.
//!
//! Nothing allocates after construction. Absent on purpose: variable bit rate and discontinuous
//! transmission (a stream that pauses looks like loss), ultra-wide band, stereo.

mod decoder;
mod encoder;
mod ffi;

pub use decoder::Decoder;
pub use encoder::Encoder;

/// Which of the two codecs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Band {
    /// 8 kHz.
    Narrow,
    /// 16 kHz.
    Wide,
}

impl Band {
    /// Samples of one frame, which always lasts 20 ms.
    pub const fn samples(self) -> usize {
        match self {
            Band::Narrow => 160,
            Band::Wide => 320,
        }
    }
}

/// The longest frame in samples.
pub const MAX_SAMPLES: usize = Band::Wide.samples();

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The payload holds no frame, or more than one, or a malformed one.
    Malformed,
    /// The caller's buffer is too short, or its sound is no whole frame.
    Length,
    /// The library gave no state.
    Unavailable,
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Error::Malformed => "the payload is not one frame of Speex",
            Error::Length => "the buffer does not fit the frame",
            Error::Unavailable => "libspeex gives no state",
        })
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests;
