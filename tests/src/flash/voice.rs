//! The client's microphone and its loudspeaker.

use crate::sound::RATE;
use audio::tone::{Tone, ToneGenerator};
use audio::{Decoder, Encoder, MAX_ENCODED};
use base::Codec;
use base::speex::{Frames, MAX_OCTETS, Packing};
use click2call::legs;
use rtmp::media::AudioTag;
use std::time::{Duration, Instant};

/// How loud the client is.
const LEVEL: f32 = -10.0;

/// Flash Player's microphone: so many frames of its codec to a message. A frame of Speex is 20 ms,
/// one of G.711 10 ms.
pub(super) struct Microphone {
    codec: Codec,
    frames: usize,
    encoder: Encoder,
    tone: Option<ToneGenerator>,
    /// When the next message is full; none while nobody listens.
    next_at: Option<Instant>,
    /// Milliseconds of sound so far: the time of the next message.
    milliseconds: u32,
}

fn generator(tone: f32) -> ToneGenerator {
    ToneGenerator::new(Tone::steady(tone, LEVEL), RATE)
}

impl Microphone {
    pub fn new(codec: Codec, frames: usize, tone: Option<f32>) -> Microphone {
        let encoder = Encoder::new(codec, RATE).unwrap();
        let tone = tone.map(generator);
        Microphone { codec, frames, encoder, tone, next_at: None, milliseconds: 0 }
    }

    pub fn say(&mut self, tone: Option<f32>) {
        self.tone = tone.map(generator);
    }

    fn frame(&self) -> u32 {
        if self.codec == Codec::Speex16 { 20 } else { 10 }
    }

    fn message_time(&self) -> u32 {
        self.frame() * self.frames as u32
    }

    /// When the next message is full.
    pub fn wake_at(&self) -> Option<Instant> {
        self.next_at
    }

    /// Begins to record.
    pub fn open(&mut self, now: Instant) {
        if self.next_at.is_none() {
            self.next_at = Some(now + Duration::from_millis(self.message_time().into()));
        }
    }

    /// Records no more.
    pub fn close(&mut self) {
        self.next_at = None;
    }

    /// The next message, where one is full by now: its time and its payload.
    pub fn record(&mut self, now: Instant) -> Option<(u32, Vec<u8>)> {
        let length = Duration::from_millis(self.message_time().into());
        let at = self.next_at.filter(|at| *at <= now)?;
        // A machine that was too slow for a while does not catch up with a burst of old sound.
        let late = now.duration_since(at);
        if late > Duration::from_millis(100) {
            self.milliseconds = self.milliseconds.wrapping_add(late.as_millis() as u32);
            self.next_at = Some(now + length);
        } else {
            self.next_at = Some(at + length);
        }
        let mut payload = vec![legs::flash::tag(self.codec).unwrap()];
        for _ in 0..self.frames {
            let mut pcm = vec![0; RATE.khz() * self.frame() as usize];
            if let Some(tone) = &mut self.tone {
                tone.fill(&mut pcm);
            }
            let mut octets = [0; MAX_ENCODED];
            let length = self.encoder.encode(&pcm, &mut octets).unwrap();
            payload.extend_from_slice(&octets[..length]);
        }
        let at = self.milliseconds;
        self.milliseconds = self.milliseconds.wrapping_add(self.message_time());
        Some((at, payload))
    }
}

/// The loudspeaker.
#[derive(Default)]
pub(super) struct Speaker {
    decoder: Option<(Codec, Decoder)>,
}

impl Speaker {
    /// The codec of a message and what it sounds like; none for what Flash Player does not play.
    pub fn play(&mut self, payload: &[u8], decodes: bool) -> Option<(Codec, Vec<i16>)> {
        let tag = AudioTag::parse(payload).filter(|tag| !tag.sound.is_empty())?;
        let codec = legs::flash::codec(tag.codec)?;
        if !decodes {
            return Some((codec, Vec::new()));
        }
        if self.decoder.as_ref().is_none_or(|(of, _)| *of != codec) {
            self.decoder = Some((codec, Decoder::new(codec, RATE).ok()?));
        }
        let (_, decoder) = self.decoder.as_mut()?;
        let mut pcm = Vec::new();
        let mut out = vec![0; RATE.khz() * 120];
        if codec != Codec::Speex16 {
            let length = decoder.decode(tag.sound, &mut out).ok()?;
            return Some((codec, out[..length].to_vec()));
        }
        let mut octets = [0; MAX_OCTETS];
        for frame in Frames::new(tag.sound, Packing::Octets) {
            let length = frame.write(&mut octets)?;
            let samples = decoder.decode(&octets[..length], &mut out).ok()?;
            pcm.extend_from_slice(&out[..samples]);
        }
        Some((codec, pcm))
    }
}
