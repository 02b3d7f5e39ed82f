//! Tones and prompts that the bridge itself plays.

use audio::{
    Rate, Resampler,
    tone::{Tone, ToneGenerator},
};
use std::sync::Arc;

/// What is played.
#[derive(Clone, Debug)]
pub enum Sound {
    /// A tone, until it is stopped.
    Tone(Tone),
    /// A recording: mono samples at a rate, shared by every call that plays it.
    Prompt {
        /// The samples.
        pcm: Arc<[i16]>,
        /// Their rate.
        rate: Rate,
        /// Whether it starts again at its end.
        repeat: bool,
    },
}

impl Sound {
    /// The ringback tone.
    pub const RINGBACK: Sound = Sound::Tone(Tone::RINGBACK);
}

/// How long a sound covers what the other side sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until it ends or is stopped.
    Stopped,
    /// Until the other side's first frame at the latest: ringback gives way to early media.
    Media,
}

enum Source {
    Tone(ToneGenerator),
    Prompt { pcm: Arc<[i16]>, at: usize, repeat: bool, rate: Rate, resampler: Box<Resampler> },
}

/// A sound being played.
pub struct Player {
    source: Source,
    rate: Rate,
    pub until: Until,
}

impl Player {
    /// Starts a sound at an output rate.
    pub fn new(sound: &Sound, rate: Rate, until: Until) -> Self {
        let source = match sound {
            Sound::Tone(tone) => Source::Tone(ToneGenerator::new(*tone, rate)),
            Sound::Prompt { pcm, rate: own, repeat } => Source::Prompt {
                pcm: Arc::clone(pcm),
                at: 0,
                repeat: *repeat,
                rate: *own,
                resampler: Box::new(Resampler::new(*own, rate)),
            },
        };
        Player { source, rate, until }
    }

    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Fills 20 ms and tells whether there is more.
    pub fn fill(&mut self, out: &mut [i16]) -> bool {
        match &mut self.source {
            Source::Tone(generator) => {
                generator.fill(out);
                true
            }
            Source::Prompt { pcm, at, repeat, rate, resampler } => {
                let mut block = [0; 960];
                let block = &mut block[..rate.khz() * 20];
                for sample in block.iter_mut() {
                    if *repeat && *at >= pcm.len() {
                        *at = 0;
                    }
                    *sample = pcm.get(*at).copied().unwrap_or(0);
                    *at += 1;
                }
                let made = resampler.process(block, out);
                out[made..].fill(0);
                *repeat && !pcm.is_empty() || *at < pcm.len()
            }
        }
    }
}
