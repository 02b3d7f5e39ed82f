//! One direction of one codec, whichever it is.

use crate::{
    Rate, Resampler,
    conceal::Concealer,
    g711,
    g722::{G722Decoder, G722Encoder},
    opus::{self, OpusDecoder, OpusEncoder},
    speex::{self, SpeexDecoder, SpeexEncoder},
};
use base::Codec;
use std::time::Duration;

/// No encoder here writes more octets for one call of [`Encoder::encode`].
pub const MAX_ENCODED: usize = 1275;

/// The longest frame: what Opus allows for one packet.
const LONGEST: Duration = Duration::from_millis(120);
/// Samples handled in one go by the codecs that are resampled: 20 ms at 48 kHz.
const BLOCK: usize = 960;
/// The longest frame in samples of wide-band Speex.
const LONGEST_SPEEX: usize = 16 * 120;

/// Why a codec call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodecError {
    /// The far party's payload is not a frame of this codec.
    Malformed,
    /// The caller's buffer is too short, or its sound is no whole frame.
    Length,
    /// The codec refuses its own settings: a fault of this program.
    Unavailable,
}

impl std::fmt::Display for CodecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            CodecError::Malformed => "the payload is not a frame of this codec",
            CodecError::Length => "the buffer does not fit the frame",
            CodecError::Unavailable => "the codec refuses its settings",
        })
    }
}

impl std::error::Error for CodecError {}

/// How long a payload lasts; `None` when it is no frame of that codec or longer than 120 ms.
pub fn frame_duration(codec: Codec, payload: &[u8]) -> Option<Duration> {
    let duration = match codec {
        Codec::Opus => return opus::duration(payload),
        Codec::Speex16 | Codec::Speex8 => speex::duration(payload)?,
        // One octet is one sample of G.711, or two of G.722 at twice the rate.
        Codec::G722 | Codec::Pcma | Codec::Pcmu => Rate::Narrow.duration(payload.len()),
    };
    (!payload.is_empty() && duration <= LONGEST).then_some(duration)
}

enum DecoderKind {
    // Boxed, so that a G.711 decoder stays small.
    Opus(Box<OpusDecoder>),
    G722(Box<G722Decoder>),
    Pcma,
    Pcmu,
    Speex(Box<SpeexDecoder>),
}

/// Decodes one stream of one codec to one rate.
pub struct Decoder {
    kind: DecoderKind,
    codec: Codec,
    rate: Rate,
    /// The rate at which it decodes, and the way from there where that is another one.
    own: Rate,
    resampler: Option<Box<Resampler>>,
    /// For the codecs that do not hide losses themselves.
    concealer: Option<Box<Concealer>>,
}

impl Decoder {
    /// A decoder whose sound comes out at `rate`.
    pub fn new(codec: Codec, rate: Rate) -> Result<Self, CodecError> {
        let kind = match codec {
            Codec::Opus => DecoderKind::Opus(Box::new(OpusDecoder::new(rate)?)),
            Codec::G722 => DecoderKind::G722(Box::new(G722Decoder::new())),
            Codec::Pcma => DecoderKind::Pcma,
            Codec::Pcmu => DecoderKind::Pcmu,
            Codec::Speex16 | Codec::Speex8 => {
                DecoderKind::Speex(Box::new(SpeexDecoder::new(decoded(codec, rate))?))
            }
        };
        let own = decoded(codec, rate);
        let resampler = (own != rate).then(|| Box::new(Resampler::new(own, rate)));
        let conceals = matches!(kind, DecoderKind::Opus(_) | DecoderKind::Speex(_));
        let concealer = (!conceals).then(|| Box::new(Concealer::new(own)));
        Ok(Decoder { kind, codec, rate, own, resampler, concealer })
    }

    /// The codec.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The rate of the sound that comes out.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Decodes one frame and gives the number of samples; 120 ms of room is always enough.
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> Result<usize, CodecError> {
        if let DecoderKind::Opus(decoder) = &mut self.kind {
            return decoder.decode(payload, out);
        }
        let duration = frame_duration(self.codec, payload).ok_or(CodecError::Malformed)?;
        if self.rate.samples(duration) > out.len() {
            return Err(CodecError::Length);
        }
        if let DecoderKind::Speex(decoder) = &mut self.kind {
            let Some(resampler) = &mut self.resampler else { return decoder.decode(payload, out) };
            let mut pcm = [0; LONGEST_SPEEX];
            let samples = decoder.decode(payload, &mut pcm)?;
            return Ok(resampler.process(&pcm[..samples], out));
        }
        let mut block = [0; BLOCK];
        let (step, mut at) = (self.own.khz() * 20, 0);
        for octets in payload.chunks(160) {
            let samples = &mut block[..step];
            let length = match &mut self.kind {
                DecoderKind::Pcma => expand(octets, samples, g711::alaw_decode),
                DecoderKind::Pcmu => expand(octets, samples, g711::ulaw_decode),
                DecoderKind::G722(decoder) => decoder.decode(octets, samples),
                DecoderKind::Opus(_) | DecoderKind::Speex(_) => 0,
            };
            let samples = &mut samples[..length];
            if let Some(concealer) = &mut self.concealer {
                concealer.good(samples);
            }
            at += self.resample(samples, &mut out[at..]);
        }
        Ok(at)
    }

    /// Fills `out` with what a lost stretch may have sounded like: it goes on for a moment and
    /// fades to silence within 100 ms, or a little later with codecs that do it themselves.
    pub fn conceal(&mut self, out: &mut [i16]) {
        if let DecoderKind::Opus(decoder) = &mut self.kind {
            return decoder.conceal(out);
        }
        let mut block = [0; BLOCK];
        for piece in out.chunks_mut(self.rate.khz() * 20) {
            let samples = &mut block[..(piece.len() * self.own.khz()).div_ceil(self.rate.khz())];
            match (&mut self.kind, &mut self.concealer) {
                (DecoderKind::Speex(decoder), _) => decoder.conceal(samples),
                (_, Some(concealer)) => concealer.conceal(samples),
                (_, None) => samples.fill(0),
            }
            let made = self.resample(samples, piece);
            piece[made..].fill(0);
        }
    }

    /// From the codec's rate to the one that is wanted.
    fn resample(&mut self, pcm: &[i16], out: &mut [i16]) -> usize {
        match &mut self.resampler {
            Some(resampler) => resampler.process(pcm, out),
            None => {
                let length = pcm.len().min(out.len());
                out[..length].copy_from_slice(&pcm[..length]);
                length
            }
        }
    }

    /// Fills `out` with the lost stretch before `next`, by the redundancy that `next` carries
    /// (in-band FEC, RFC 6716 section 2.1.7). Codecs without any conceal, and so does Opus where a
    /// packet has none; tells whether it was restored. `next` itself is still to be decoded.
    pub fn decode_fec(&mut self, next: &[u8], out: &mut [i16]) -> bool {
        if let DecoderKind::Opus(decoder) = &mut self.kind
            && decoder.decode_fec(next, out).is_ok()
        {
            return true;
        }
        self.conceal(out);
        false
    }
}

/// The rate at which a decoder works whose sound is wanted at `rate`.
fn decoded(codec: Codec, rate: Rate) -> Rate {
    match codec {
        Codec::Opus => rate,
        // Its lower layer is a stream of 8 kHz by itself, at half the work and without resampling.
        Codec::Speex16 if rate == Rate::Narrow => Rate::Narrow,
        _ => Rate::of(codec),
    }
}

enum EncoderKind {
    Opus(Box<OpusEncoder>),
    G722(Box<G722Encoder>),
    Pcma,
    Pcmu,
    Speex(SpeexEncoder),
}

/// Encodes one stream to one codec from one rate.
pub struct Encoder {
    kind: EncoderKind,
    codec: Codec,
    rate: Rate,
    /// Absent where the codec works at the source's rate.
    resampler: Option<Box<Resampler>>,
}

impl Encoder {
    /// An encoder for sound at `rate`. Opus works at that rate itself: speech of 8 kHz gets no
    /// better, only dearer, at 48.
    pub fn new(codec: Codec, rate: Rate) -> Result<Self, CodecError> {
        let kind = match codec {
            Codec::Opus => EncoderKind::Opus(Box::new(OpusEncoder::new(rate)?)),
            Codec::G722 => EncoderKind::G722(Box::new(G722Encoder::new())),
            Codec::Pcma => EncoderKind::Pcma,
            Codec::Pcmu => EncoderKind::Pcmu,
            Codec::Speex16 | Codec::Speex8 => {
                EncoderKind::Speex(SpeexEncoder::new(Rate::of(codec))?)
            }
        };
        let own = Rate::of(codec);
        let resampler =
            (codec != Codec::Opus && own != rate).then(|| Box::new(Resampler::new(rate, own)));
        Ok(Encoder { kind, codec, rate, resampler })
    }

    /// The codec.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// The rate of the sound that goes in.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Whether each frame tells of the one before it too (in-band FEC, RFC 6716 section 2.1.7), as
    /// it does from the start. Codecs without redundancy take no notice.
    pub fn carry_redundancy(&mut self, carried: bool) {
        if let EncoderKind::Opus(encoder) = &mut self.kind {
            encoder.carry_redundancy(carried);
        }
    }

    /// Encodes up to 20 ms (Opus: exactly 10 or 20 ms, Speex: exactly 20 ms) and gives the number of octets;
    /// [`MAX_ENCODED`] of room is always enough.
    pub fn encode(&mut self, pcm: &[i16], out: &mut [u8]) -> Result<usize, CodecError> {
        if pcm.is_empty() || pcm.len() > self.rate.khz() * 20 {
            return Err(CodecError::Length);
        }
        let mut block = [0; BLOCK];
        let pcm = match &mut self.resampler {
            Some(resampler) => {
                let length = resampler.process(pcm, &mut block);
                &block[..length]
            }
            None => pcm,
        };
        let octets = match &self.kind {
            EncoderKind::Opus(_) | EncoderKind::Speex(_) => 0,
            EncoderKind::G722(_) => pcm.len() / 2,
            EncoderKind::Pcma | EncoderKind::Pcmu => pcm.len(),
        };
        if octets > out.len() {
            return Err(CodecError::Length);
        }
        match &mut self.kind {
            EncoderKind::Opus(encoder) => return encoder.encode(pcm, out),
            EncoderKind::G722(encoder) => return Ok(encoder.encode(pcm, out)),
            EncoderKind::Speex(encoder) => return encoder.encode(pcm, out),
            EncoderKind::Pcma => compress(pcm, out, g711::alaw_encode),
            EncoderKind::Pcmu => compress(pcm, out, g711::ulaw_encode),
        }
        Ok(octets)
    }
}

fn expand(octets: &[u8], out: &mut [i16], law: impl Fn(u8) -> i16) -> usize {
    for (octet, sample) in octets.iter().zip(out.iter_mut()) {
        *sample = law(*octet);
    }
    octets.len().min(out.len())
}

fn compress(pcm: &[i16], out: &mut [u8], law: impl Fn(i16) -> u8) {
    for (sample, octet) in pcm.iter().zip(out) {
        *octet = law(*sample);
    }
}
