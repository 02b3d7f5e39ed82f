//! Soft noise for a speaker's pauses (RFC 3389), so that silence does not sound like a dead line.

/// The loudest noise that is made, in dB below full scale: a sender that asks for more is mistaken.
const LOUDEST: u8 = 35;
/// The levels that a sender can name (RFC 3389 section 3.1).
const LEVELS: u8 = 0x7f;

/// Noise of one level. Its spectrum falls gently; that of the sender is not followed.
#[derive(Clone, Debug)]
pub struct ComfortNoise {
    level: u8,
    /// The greatest sample before the filter.
    peak: f32,
    state: u32,
    last: f32,
}

impl ComfortNoise {
    /// Noise whose level is that of the first octet of the sender's payload: dB below full scale,
    /// the highest bit of no meaning.
    pub fn new(level: u8) -> ComfortNoise {
        let mut noise = ComfortNoise { level: LEVELS, peak: 0.0, state: 0x9e37_79b9, last: 0.0 };
        noise.set_level(level);
        noise
    }

    /// Goes on at another level.
    pub fn set_level(&mut self, level: u8) {
        self.level = (level & LEVELS).max(LOUDEST);
        let effective = 32_768.0 * 10f32.powf(-f32::from(self.level) / 20.0);
        // An even spread has a third of its peak's square, and the filter leaves a third of that.
        self.peak = effective * 3.0;
    }

    /// Fills a stretch of sound of any rate.
    pub fn fill(&mut self, out: &mut [i16]) {
        for sample in out {
            // Numerical Recipes' generator: its upper bits are as random as ears can tell.
            self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let white = (self.state >> 8) as f32 / (1 << 23) as f32 - 1.0;
            self.last += (white * self.peak - self.last) * 0.5;
            *sample = self.last as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level;

    #[test]
    fn it_has_the_level_that_the_sender_names_and_is_never_loud() {
        for (named, heard) in [(40, -40.0), (50, -50.0), (60, -60.0), (0x80 | 50, -50.0)] {
            let mut pcm = [0; 16_000];
            ComfortNoise::new(named).fill(&mut pcm);
            let found = level::dbfs(&pcm);
            assert!((found - heard).abs() < 1.5, "{named}: {found}");
        }
        let mut pcm = [0; 16_000];
        ComfortNoise::new(0).fill(&mut pcm);
        assert!(level::dbfs(&pcm) < -33.0);
        ComfortNoise::new(127).fill(&mut pcm);
        assert!(level::dbfs(&pcm) < -85.0);
    }
}
