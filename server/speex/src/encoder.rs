//! Encoding.

use crate::{Band, Error, MAX_SAMPLES, ffi};
use std::ffi::c_int;

/// Room for a frame of the highest quality, twice over.
const BUFFER: usize = 2 * base::speex::MAX_OCTETS;

/// The loss in percent that frames are made to outlive, the highest that the encoder knows. With
/// less a steady tone grows to full scale in the far decoder once a single frame was lost, since
/// each frame is told as a part of the one before; on speech it costs nothing that can be measured.
const EXPECTED_LOSS: c_int = 30;

/// An encoder of constant bit rate.
pub struct Encoder {
    state: ffi::State,
    band: Band,
}

// SAFETY: the library keeps nothing of a state outside of it and knows no threads.
unsafe impl Send for Encoder {}

impl Encoder {
    /// An encoder of a quality of 0 to 10 (RFC 5574 tables 1 and 2) and a complexity of 1 to 10.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where the library has no memory or refuses the settings.
    pub fn new(band: Band, quality: u8, complexity: u8) -> Result<Encoder, Error> {
        let mut encoder = Encoder { state: ffi::encoder(band)?, band };
        let quality = c_int::from(quality.min(10));
        for (request, value) in [
            (ffi::SET_VBR, 0),
            (ffi::SET_QUALITY, quality),
            (ffi::SET_PLC_TUNING, EXPECTED_LOSS),
            (ffi::SET_COMPLEXITY, c_int::from(complexity.clamp(1, 10))),
        ] {
            encoder.set(request, value)?;
        }
        Ok(encoder)
    }

    /// Encodes one frame of 20 ms to the front of `out` and gives the number of octets, at most
    /// [`base::speex::MAX_OCTETS`]; the last one is padded as RFC 5574 section 3.3 wants it.
    ///
    /// # Errors
    /// [`Error::Length`] where the sound is no whole frame or `out` too short.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, Error> {
        if pcm.len() != self.band.samples() {
            return Err(Error::Length);
        }
        // The library's prototype does not promise to leave the sound as it is.
        let mut sound = [0; MAX_SAMPLES];
        sound[..pcm.len()].copy_from_slice(pcm);
        let mut buffer = [0u8; BUFFER];
        let mut packed = [0u8; BUFFER];
        let mut bits = ffi::Bits::EMPTY;
        // SAFETY: the buffer is as long as is said and lives until the end of this function, as
        // `bits` does. The library does not write beyond the size.
        unsafe {
            ffi::speex_bits_init_buffer(&mut bits, buffer.as_mut_ptr().cast(), BUFFER as c_int);
        }
        // SAFETY: the state is an encoder's, `sound` holds at least a frame, `bits` was filled.
        unsafe { ffi::speex_encode_int(self.state.as_ptr(), sound.as_mut_ptr(), &mut bits) };
        // SAFETY: `packed` is as long as is said.
        let length = unsafe {
            ffi::speex_bits_write(&mut bits, packed.as_mut_ptr().cast(), BUFFER as c_int)
        };
        let frame = usize::try_from(length).ok().and_then(|length| packed.get(..length));
        let frame = frame.ok_or(Error::Length)?;
        out.get_mut(..frame.len()).ok_or(Error::Length)?.copy_from_slice(frame);
        Ok(frame.len())
    }

    fn set(&mut self, request: c_int, mut value: c_int) -> Result<(), Error> {
        let argument = (&raw mut value).cast();
        // SAFETY: the state is an encoder's; each request used here reads one `int`.
        let refused = unsafe { ffi::speex_encoder_ctl(self.state.as_ptr(), request, argument) };
        if refused == 0 { Ok(()) } else { Err(Error::Unavailable) }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: the state is an encoder's and not used any more.
        unsafe { ffi::speex_encoder_destroy(self.state.as_ptr()) };
    }
}
