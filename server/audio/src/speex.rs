//! Speex (RFC 5574) at one of its two rates: several frames in a payload, and losses of any length.

use crate::{CodecError, Rate};
use base::speex::{FRAME, Frames, Packing, count};
use speex::{Band, MAX_SAMPLES};
use std::time::Duration;

/// What RFC 5574 takes for granted where nothing is said at 16 kHz: 27.8 kbit/s, and 15 at 8 kHz.
const QUALITY: u8 = 8;
/// Where more effort stops being heard.
const COMPLEXITY: u8 = 2;
/// The cross-fade from concealed to real sound.
const RETURN_MS: usize = 5;

/// How long a payload lasts; `None` when it is malformed.
pub fn duration(payload: &[u8]) -> Option<Duration> {
    count(payload).and_then(|frames| FRAME.checked_mul(u32::try_from(frames).ok()?))
}

/// The band of a rate that Speex works at.
fn band(rate: Rate) -> Band {
    if rate == Rate::Narrow { Band::Narrow } else { Band::Wide }
}

/// An encoder of constant bit rate at 8 or 16 kHz.
pub struct SpeexEncoder(speex::Encoder);

impl SpeexEncoder {
    /// An encoder at a rate of 8 or 16 kHz.
    pub fn new(rate: Rate) -> Result<Self, CodecError> {
        let encoder = speex::Encoder::new(band(rate), QUALITY, COMPLEXITY);
        encoder.map(SpeexEncoder).map_err(|_| CodecError::Unavailable)
    }

    /// Encodes exactly 20 ms.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        self.0.encode(pcm, out).map_err(|_| CodecError::Length)
    }
}

/// A decoder at 8 or 16 kHz, whichever of the two the stream is: the layers of a wide stream are
/// made so that a narrow decoder takes the lower one.
pub struct SpeexDecoder {
    decoder: speex::Decoder,
    rate: Rate,
    /// Concealed sound that nobody has taken yet: the codec makes whole frames of it.
    spare: [i16; MAX_SAMPLES],
    /// How many samples at the end of `spare` are left.
    left: usize,
}

impl SpeexDecoder {
    /// A decoder whose sound comes out at 8 or 16 kHz.
    pub fn new(rate: Rate) -> Result<Self, CodecError> {
        let decoder = speex::Decoder::new(band(rate)).map_err(|_| CodecError::Unavailable)?;
        let rate = if rate == Rate::Narrow { Rate::Narrow } else { Rate::Wide };
        Ok(SpeexDecoder { decoder, rate, spare: [0; MAX_SAMPLES], left: 0 })
    }

    /// Decodes one payload and gives the number of samples. A malformed one leaves the decoder in
    /// its first state and `out` as it was.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        let Some(frames) = count(payload) else {
            self.decoder.reset();
            self.left = 0;
            return Err(CodecError::Malformed);
        };
        let step = self.decoder.band().samples();
        if frames * step > out.len() {
            return Err(CodecError::Length);
        }
        let pieces = out.chunks_exact_mut(step);
        for (frame, piece) in Frames::new(payload, Packing::Bits).zip(pieces) {
            // A frame that the library refuses is silent, and those around it still sound.
            let _ = self.decoder.decode_frame(&frame, piece);
            self.fade_in(piece);
        }
        Ok(frames * step)
    }

    /// Fills `out` by the codec's own concealment.
    pub fn conceal(&mut self, mut out: &mut [i16]) {
        while !out.is_empty() {
            if self.left == 0 {
                let Ok(made) = self.decoder.conceal(&mut self.spare) else { return out.fill(0) };
                // The newest stands at the end, wherever a frame begins.
                self.spare.copy_within(..made, MAX_SAMPLES - made);
                self.left = made;
            }
            let taken = self.left.min(out.len());
            let (now, later) = std::mem::take(&mut out).split_at_mut(taken);
            let start = MAX_SAMPLES - self.left;
            now.copy_from_slice(&self.spare[start..start + taken]);
            self.left -= taken;
            out = later;
        }
    }

    /// Leads from concealed sound, where a part of a frame is left of it, into what follows.
    fn fade_in(&mut self, pcm: &mut [i16]) {
        let concealed = &self.spare[MAX_SAMPLES - self.left..];
        let fade = (RETURN_MS * self.rate.khz()).min(self.left).min(pcm.len());
        for (n, (sample, old)) in pcm.iter_mut().zip(concealed).take(fade).enumerate() {
            let weight = (n + 1) as f32 / (fade + 1) as f32;
            let mixed = f32::from(*sample) * weight + f32::from(*old) * (1.0 - weight);
            *sample = mixed as i16;
        }
        self.left = 0;
    }
}
