//! How loud.

/// What silence measures: below one unit of 16 bits.
pub const SILENCE: f32 = -96.0;

/// The level of a stretch of sound in dBFS: root mean square against 32768, so that a sine at full
/// scale measures -3 and a square -0; [`SILENCE`] at least.
pub fn dbfs(pcm: &[i16]) -> f32 {
    let mut meter = Meter::default();
    meter.add(pcm);
    meter.take()
}

/// Adds sound up until it is asked for the level.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    squares: u64,
    samples: u64,
}

impl Meter {
    /// Adds a stretch of sound.
    pub fn add(&mut self, pcm: &[i16]) {
        let squares: u64 = pcm.iter().map(|s| (i32::from(*s) * i32::from(*s)) as u64).sum();
        self.squares = self.squares.saturating_add(squares);
        self.samples = self.samples.saturating_add(pcm.len() as u64);
    }

    /// The level in dBFS of all since the last call, and starts anew.
    pub fn take(&mut self) -> f32 {
        let Meter { squares, samples } = std::mem::take(self);
        if samples == 0 || squares == 0 {
            return SILENCE;
        }
        let power = squares as f64 / samples as f64 / (32_768.0 * 32_768.0);
        (10.0 * power.log10()).max(f64::from(SILENCE)) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sine_at_full_scale_is_three_decibels_below_a_square() {
        let sine: Vec<i16> = (0..800)
            .map(|n| (32767.0 * (f64::from(n) * 0.1 * std::f64::consts::TAU).sin()) as i16)
            .collect();
        assert!((dbfs(&sine) + 3.01).abs() < 0.01);
        assert!(dbfs(&[i16::MIN; 80]).abs() < 0.001);
    }

    #[test]
    fn silence_and_nothing_measure_the_floor() {
        assert_eq!(dbfs(&[]), SILENCE);
        assert_eq!(dbfs(&[0; 160]), SILENCE);
    }
}
