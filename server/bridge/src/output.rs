//! What leaves a direction that makes its own frames.

use crate::redundancy::Redundancy;
use audio::{CodecError, Encoder, Rate};
use base::Codec;

/// The first sequence number of frames made by a bridge: no sender's extended number of 32 bits
/// comes near it.
pub const FIRST_MADE: u64 = 1 << 48;

/// A frame that lies encoded in the scratch buffer.
#[derive(Clone, Copy, Debug)]
pub struct Made {
    pub codec: Codec,
    pub octets: usize,
    pub sequence: u64,
    pub timestamp: u32,
    pub marker: bool,
}

/// Encodes 20 ms after 20 ms.
#[derive(Default)]
pub struct Output {
    encoder: Option<Encoder>,
    redundancy: Redundancy,
    /// Frames made so far: number and time of the next one.
    frames: u64,
    paused: bool,
}

impl Output {
    /// The rate that the present encoder works at, if it makes that codec.
    pub fn rate_of(&self, codec: Codec) -> Option<Rate> {
        self.encoder.as_ref().filter(|encoder| encoder.codec() == codec).map(Encoder::rate)
    }

    /// Encodes 20 ms at `rate` into `scratch`. The encoder is made where there is none for this
    /// codec and rate yet.
    pub fn encode(
        &mut self,
        codec: Codec,
        rate: Rate,
        pcm: &[i16],
        scratch: &mut [u8],
    ) -> Result<Made, CodecError> {
        let mut encoder = match self.encoder.take() {
            Some(encoder) if encoder.codec() == codec && encoder.rate() == rate => encoder,
            _ => {
                let mut encoder = Encoder::new(codec, rate)?;
                encoder.carry_redundancy(self.redundancy.is_carried());
                encoder
            }
        };
        let octets = encoder.encode(pcm, scratch);
        self.encoder = Some(encoder);
        let made = Made {
            codec,
            octets: octets?,
            sequence: FIRST_MADE + self.frames,
            timestamp: self.frames.wrapping_mul(u64::from(codec.clock_rate() / 50)) as u32,
            marker: std::mem::take(&mut self.paused) || self.frames == 0,
        };
        self.frames += 1;
        Ok(made)
    }

    /// The hearing side misses so many percent.
    pub fn reported_loss(&mut self, missed: f32) {
        let before = self.redundancy.is_carried();
        self.redundancy.reported(missed);
        let carried = self.redundancy.is_carried();
        if let Some(encoder) = &mut self.encoder
            && carried != before
        {
            encoder.carry_redundancy(carried);
        }
    }

    /// The codec's state is given up; the numbers go on.
    pub fn release(&mut self) {
        self.encoder = None;
        self.paused = true;
    }
}
