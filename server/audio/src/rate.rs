//! The sampling rates between the codecs.

use base::Codec;
use std::time::Duration;

/// A sampling rate that sound may have between decoding and encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rate {
    /// 8 kHz: telephone band, G.711, narrow Speex.
    Narrow,
    /// 16 kHz: wide band, G.722, wide Speex.
    Wide,
    /// 48 kHz: what browsers capture and Opus carries at most.
    Full,
}

impl Rate {
    /// Samples in one second.
    pub const fn hz(self) -> u32 {
        self.khz() as u32 * 1000
    }

    /// Samples in one millisecond.
    pub const fn khz(self) -> usize {
        match self {
            Rate::Narrow => 8,
            Rate::Wide => 16,
            Rate::Full => 48,
        }
    }

    /// The rate of that many samples a second, if it is one of the three.
    pub const fn from_hz(hz: u32) -> Option<Rate> {
        match hz {
            8_000 => Some(Rate::Narrow),
            16_000 => Some(Rate::Wide),
            48_000 => Some(Rate::Full),
            _ => None,
        }
    }

    /// The rate of the sound inside a codec ([`Codec::sample_rate`]).
    pub const fn of(codec: Codec) -> Rate {
        match codec {
            Codec::Pcma | Codec::Pcmu | Codec::Speex8 => Rate::Narrow,
            Codec::G722 | Codec::Speex16 => Rate::Wide,
            Codec::Opus => Rate::Full,
        }
    }

    /// The rate at which to hand sound from one codec to another: Opus works at any of the three,
    /// so the other codec decides, and no path takes a detour over 48 kHz.
    pub const fn between(from: Codec, to: Codec) -> Rate {
        match to {
            Codec::Opus => Rate::of(from),
            _ => Rate::of(to),
        }
    }

    /// Whole samples in a stretch of time, rounded down.
    pub const fn samples(self, stretch: Duration) -> usize {
        (stretch.as_micros() * self.khz() as u128 / 1000) as usize
    }

    /// How long that many samples last.
    pub const fn duration(self, samples: usize) -> Duration {
        Duration::from_micros((samples as u64 * 1000) / self.khz() as u64)
    }
}
