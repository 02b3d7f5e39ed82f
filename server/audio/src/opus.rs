//! Opus (RFC 6716), mono, for speech.

use crate::{CodecError, Rate};
use ropus::{Application, Bitrate, Channels, DecodeMode, InbandFec, Signal};
use std::time::Duration;

/// Bits a second. In-band FEC needs 24 kb/s at 16 and 48 kHz to stay wideband; below, the encoder
/// leaves the redundancy out without a word.
const BITRATE: u32 = 24_000;
/// The loss that the encoder reckons with, in percent; FEC is only written from about 10 on.
const EXPECTED_LOSS: u8 = 10;
/// Where more effort stops being heard in speech.
const COMPLEXITY: u8 = 5;
/// The same for sound of the telephone band. What 4 and 5 add shapes the noise where a telephone
/// has no sound, for a sixth of the work.
const COMPLEXITY_NARROW: u8 = 3;

/// An Opus encoder at the rate of its source.
pub struct OpusEncoder(ropus::Encoder);

impl OpusEncoder {
    /// A mono speech encoder with in-band FEC and without DTX, so that a stream never pauses.
    pub fn new(rate: Rate) -> Result<Self, CodecError> {
        ropus::Encoder::builder(rate.hz(), Channels::Mono, Application::Voip)
            .bitrate(Bitrate::Bits(BITRATE))
            .complexity(if rate == Rate::Narrow { COMPLEXITY_NARROW } else { COMPLEXITY })
            .signal(Signal::Voice)
            .inband_fec(InbandFec::Enabled)
            .packet_loss_perc(EXPECTED_LOSS)
            .dtx(false)
            .build()
            .map(OpusEncoder)
            .map_err(|_| CodecError::Unavailable)
    }

    /// Whether packets carry in-band FEC.
    pub fn carry_redundancy(&mut self, carried: bool) {
        let (fec, loss) = match carried {
            true => (InbandFec::Enabled, EXPECTED_LOSS),
            false => (InbandFec::Disabled, 0),
        };
        // Both are values that the library documents; it refuses none of them.
        let _ = self.0.set_inband_fec(fec);
        let _ = self.0.set_packet_loss_perc(loss);
    }

    /// Encodes one frame of 10, 20, 40 or 60 ms.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        self.0.encode(pcm, out).map_err(|_| CodecError::Length)
    }
}

/// An Opus decoder straight to the wanted rate.
pub struct OpusDecoder {
    decoder: ropus::Decoder,
    rate: Rate,
}

impl OpusDecoder {
    /// A mono decoder; stereo packets are mixed down by the codec itself.
    pub fn new(rate: Rate) -> Result<Self, CodecError> {
        let decoder =
            ropus::Decoder::new(rate.hz(), Channels::Mono).map_err(|_| CodecError::Unavailable)?;
        Ok(OpusDecoder { decoder, rate })
    }

    /// Decodes one packet and gives the number of samples.
    pub fn decode(&mut self, packet: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        // An empty packet means concealment to the library, and nothing at all to us.
        let length = duration(packet).ok_or(CodecError::Malformed)?;
        if self.rate.samples(length) > out.len() {
            return Err(CodecError::Length);
        }
        self.decoder.decode(packet, out, DecodeMode::Normal).map_err(|_| CodecError::Malformed)
    }

    /// Fills `out`, in steps of 2.5 ms, with what the next packet's redundancy tells about the
    /// stretch before it; an error where it has none.
    pub fn decode_fec(&mut self, next: &[u8], out: &mut [i16]) -> Result<(), CodecError> {
        if duration(next).is_none() || !has_redundancy(next) {
            return Err(CodecError::Malformed);
        }
        match self.decoder.decode(next, out, DecodeMode::Fec) {
            Ok(samples) => {
                let samples = samples.min(out.len());
                out[samples..].fill(0);
                Ok(())
            }
            Err(_) => Err(CodecError::Malformed),
        }
    }

    /// Fills `out` by the codec's own concealment.
    pub fn conceal(&mut self, out: &mut [i16]) {
        // Steps of 2.5 ms are what the codec accepts, 20 ms what it does well.
        let step = self.rate.khz() * 5 / 2;
        for piece in out.chunks_mut(step * 8) {
            let whole = piece.len() / step * step;
            let made = match whole {
                0 => 0,
                _ => self
                    .decoder
                    .decode(&[], &mut piece[..whole], DecodeMode::Normal)
                    .unwrap_or(0)
                    .min(whole),
            };
            piece[made..].fill(0);
        }
    }
}

/// Whether a packet can carry redundancy about the one before it (RFC 6716 section 4.2.4): the
/// encoder adds none to CELT, nor to what it takes for no speech.
fn has_redundancy(packet: &[u8]) -> bool {
    let (Some(first), Some(second)) = (packet.first(), packet.get(1)) else { return false };
    match first {
        // CELT alone.
        128.. => false,
        // One mono frame: as many voice activity flags as there are SILK frames of 20 ms, then the
        // flag looked for.
        first if first & 7 == 0 => {
            let frames =
                if first >> 3 < 12 { [1, 1, 2, 3][usize::from(first >> 3 & 3)] } else { 1 };
            second << frames & 0x80 != 0
        }
        // Where the flag lies takes a parser to know; the decoder conceals when it is not set.
        _ => true,
    }
}

/// How long a packet lasts, by its first one or two octets (RFC 6716 section 3.1); `None` for
/// what cannot be a packet, or lasts longer than the 120 ms that a packet may.
pub fn duration(packet: &[u8]) -> Option<Duration> {
    let first = *packet.first()?;
    let frame: u64 = match first >> 3 {
        // SILK: 10, 20, 40, 60 ms; hybrid: 10, 20 ms; CELT: 2.5, 5, 10, 20 ms.
        config @ 0..12 => [10_000, 20_000, 40_000, 60_000][usize::from(config & 3)],
        config @ 12..16 => [10_000, 20_000][usize::from(config & 1)],
        config => 2_500 << (config & 3),
    };
    let frames = match first & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(*packet.get(1)? & 63),
    };
    let micros = frame * frames;
    (1..=120_000).contains(&micros).then(|| Duration::from_micros(micros))
}
