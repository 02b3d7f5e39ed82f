//! Decoding and hiding losses.

use crate::{Band, Error, MAX_SAMPLES, ffi};
use base::speex::{Frame, Frames, MAX_OCTETS, Packing};
use std::ffi::c_int;
use std::ptr::null_mut;

/// A frame and room behind it.
const BUFFER: usize = 2 * MAX_OCTETS;

/// A decoder. A wide one takes narrow frames too, and a narrow one the narrow layer of wide
/// frames.
pub struct Decoder {
    state: ffi::State,
    band: Band,
}

// SAFETY: the library keeps nothing of a state outside of it and knows no threads.
unsafe impl Send for Decoder {}

impl Decoder {
    /// A decoder in its first state.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the library has no memory.
    pub fn new(band: Band) -> Result<Decoder, Error> {
        Ok(Decoder { state: ffi::decoder(band)?, band })
    }

    /// The band of the sound that comes out.
    pub fn band(&self) -> Band {
        self.band
    }

    /// Decodes a payload of exactly one frame to the front of `out` and gives the number of
    /// samples. After a failure the decoder is in its first state and a frame of `out` is silent.
    ///
    /// # Errors
    /// [`Error::Malformed`], or [`Error::Length`] where `out` is too short.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, Error> {
        let mut frames = Frames::new(payload, Packing::Bits);
        match (frames.next(), frames.next()) {
            (Some(frame), None) if !frames.is_malformed() => self.decode_frame(&frame, out),
            _ => Err(self.fail(out)),
        }
    }

    /// The same for a frame that was found inside a payload.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub fn decode_frame(&mut self, frame: &Frame<'_>, out: &mut [i16]) -> Result<usize, Error> {
        let mut buffer = [0u8; BUFFER];
        let Some(length) = frame.write(&mut buffer) else { return Err(self.fail(out)) };
        let mut bits = ffi::Bits::EMPTY;
        let size = length as c_int;
        // SAFETY: the buffer is longer than is said and lives until the end of this function, as
        // `bits` does. A decoder only reads from it.
        unsafe {
            ffi::speex_bits_set_bit_buffer(&mut bits, buffer.as_mut_ptr().cast(), size);
        }
        self.run(&mut bits, out)
    }

    /// Writes a frame of what a lost one may have sounded like to the front of `out`, from the
    /// frames before; it fades out within some frames.
    ///
    /// # Errors
    /// [`Error::Length`] where `out` is too short.
    pub fn conceal(&mut self, out: &mut [i16]) -> Result<usize, Error> {
        self.run(null_mut(), out)
    }

    /// Forgets what was decoded.
    pub fn reset(&mut self) {
        // SAFETY: the state is a decoder's; the request takes no argument.
        unsafe { ffi::speex_decoder_ctl(self.state.as_ptr(), ffi::RESET_STATE, null_mut()) };
    }

    /// One frame from bits, or without any from the past.
    fn run(&mut self, bits: *mut ffi::Bits, out: &mut [i16]) -> Result<usize, Error> {
        let samples = self.band.samples();
        if out.len() < samples {
            return Err(Error::Length);
        }
        // Floating point, since the library works in it, and since its whole-number call has a
        // buffer of its own that a wide layer over an empty narrow one reads before it was written.
        let mut sound = [0f32; MAX_SAMPLES];
        // SAFETY: the state is a decoder's, `bits` is null, which means a loss, or was filled, and
        // `sound` holds at least a frame.
        let failed = unsafe { ffi::speex_decode(self.state.as_ptr(), bits, sound.as_mut_ptr()) };
        if failed != 0 {
            return Err(self.fail(out));
        }
        for (sample, value) in out.iter_mut().zip(&sound[..samples]) {
            // The conversion saturates, and what is no number becomes silence.
            *sample = (value + 0.5).floor() as i16;
        }
        Ok(samples)
    }

    fn fail(&mut self, out: &mut [i16]) -> Error {
        self.reset();
        let samples = self.band.samples().min(out.len());
        out[..samples].fill(0);
        Error::Malformed
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the state is a decoder's and not used any more.
        unsafe { ffi::speex_decoder_destroy(self.state.as_ptr()) };
    }
}
