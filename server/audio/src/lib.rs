//! Sound without IO: codecs, resampling, concealment, tones, levels.
//!
//! Everything here is mono, linear 16 bit (`i16`, full scale 32768) between the codecs, and runs
//! at one of three [`Rate`]s. Nothing in this crate's own code allocates after construction; the
//! Opus library does inside each call.
//!
//! | module | holds |
//! | --- | --- |
//! | [`Decoder`], [`Encoder`] | one direction of one codec, with its resampler and concealment |
//! | [`Resampler`] | 8, 16 and 48 kHz into each other, without aliases |
//! | [`stretch`] | one pitch period less, for a playout that has to catch up |
//! | [`tone`] | ringback, busy and keypad tones |
//! | [`level`], [`measure`] | how loud, and which frequency |
//!
//! Absent on purpose: stereo (telephony has none), gain control and echo cancelling (the browser
//! and the phone do both).

mod codec;
mod conceal;
mod fuzz;
mod g711;
mod g722;
pub mod level;
pub mod measure;
pub mod noise;
mod opus;
mod rate;
mod resample;
mod speex;
pub mod stretch;
pub mod tone;

pub use codec::{CodecError, Decoder, Encoder, MAX_ENCODED, frame_duration};
pub use fuzz::fuzz;
pub use g711::{alaw_decode, alaw_encode, ulaw_decode, ulaw_encode};
pub use rate::Rate;
pub use resample::Resampler;
