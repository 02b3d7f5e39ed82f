//! Call progress and keypad tones.

use crate::Rate;
use std::f64::consts::TAU;

/// What a tone consists of; `Copy`, so that commands can carry it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tone {
    /// One or two frequencies in hertz; 0 for none.
    pub frequencies: [f32; 2],
    /// The peak of each frequency in dBFS.
    pub level: f32,
    /// Milliseconds on and off, over and over; all on when the second is 0.
    pub cadence: [u32; 2],
}

impl Tone {
    /// Ringing, as most of Europe hears it: 425 Hz, one second in five (ITU-T E.180, ETSI
    /// TR 101 041).
    pub const RINGBACK: Tone =
        Tone { frequencies: [425.0, 0.0], level: -16.0, cadence: [1000, 4000] };

    /// Busy: 425 Hz, half a second in one.
    pub const BUSY: Tone = Tone { frequencies: [425.0, 0.0], level: -16.0, cadence: [500, 500] };

    /// One steady frequency in hertz at a peak level in dBFS.
    pub const fn steady(frequency: f32, level: f32) -> Tone {
        Tone { frequencies: [frequency, 0.0], level, cadence: [1000, 0] }
    }

    /// The pair of a keypad digit (ITU-T Q.23), `0` to `9`, `*`, `#`, `A` to `D`.
    pub fn digit(digit: char) -> Option<Tone> {
        const KEYS: [&str; 4] = ["123A", "456B", "789C", "*0#D"];
        const ROWS: [f32; 4] = [697.0, 770.0, 852.0, 941.0];
        const COLUMNS: [f32; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
        let digit = digit.to_ascii_uppercase();
        KEYS.iter().zip(ROWS).find_map(|(keys, row)| {
            let (_, column) = keys.chars().zip(COLUMNS).find(|(key, _)| *key == digit)?;
            Some(Tone { frequencies: [row, column], level: -12.0, cadence: [1000, 0] })
        })
    }
}

/// Makes a tone's sound, stretch after stretch.
#[derive(Clone, Debug)]
pub struct ToneGenerator {
    tone: Tone,
    rate: Rate,
    /// Turns of each oscillator, 0 to 1.
    phases: [f64; 2],
    /// Samples since the cadence began.
    at: u64,
}

impl ToneGenerator {
    /// A generator at the start of the tone's cadence.
    pub fn new(tone: Tone, rate: Rate) -> Self {
        ToneGenerator { tone, rate, phases: [0.0; 2], at: 0 }
    }

    /// Fills a stretch of sound. The ends of each burst are 5 ms slopes, since a click is louder
    /// than its tone.
    pub fn fill(&mut self, out: &mut [i16]) {
        let khz = self.rate.khz() as u64;
        let [on, off] = self.tone.cadence.map(|ms| u64::from(ms) * khz);
        let peak = 32_767.0 * 10f64.powf(f64::from(self.tone.level) / 20.0);
        let slope = 5 * khz;
        for sample in out {
            let at = if on + off == 0 { 0 } else { self.at % (on + off) };
            let gain = if off == 0 {
                self.at.min(slope) as f64 / slope as f64
            } else {
                at.min(on.saturating_sub(at)).min(slope) as f64 / slope as f64
            };
            let mut sum = 0.0;
            for (phase, frequency) in self.phases.iter_mut().zip(self.tone.frequencies) {
                if frequency > 0.0 {
                    sum += (*phase * TAU).sin();
                    *phase = (*phase + f64::from(frequency) / f64::from(self.rate.hz())).fract();
                }
            }
            *sample = (sum * peak * gain) as i16;
            self.at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{level, measure};

    #[test]
    fn ringback_sounds_one_second_in_five() {
        let mut pcm = vec![0; 80_000];
        let mut generator = ToneGenerator::new(Tone::RINGBACK, Rate::Narrow);
        for block in pcm.chunks_mut(160) {
            generator.fill(block);
        }
        for start in [0, 40_000] {
            let found = measure::dominant(&pcm[start..start + 8000], Rate::Narrow).unwrap();
            assert!((found.frequency - 425.0).abs() < 1.0 && (found.level + 16.0).abs() < 0.2);
            assert_eq!(level::dbfs(&pcm[start + 8000..start + 40_000]), level::SILENCE);
        }
    }

    #[test]
    fn each_digit_is_its_pair_at_every_rate() {
        for rate in [Rate::Narrow, Rate::Wide, Rate::Full] {
            for (digit, row, column) in
                [('1', 697.0, 1209.0), ('#', 941.0, 1477.0), ('d', 941.0, 1633.0)]
            {
                let mut pcm = vec![0; rate.khz() * 200];
                ToneGenerator::new(Tone::digit(digit).unwrap(), rate).fill(&mut pcm);
                for frequency in [row, column] {
                    let level = measure::tone_level(&pcm[rate.khz() * 20..], rate, frequency);
                    assert!((level + 12.0).abs() < 0.5, "{digit} {rate:?} {frequency}: {level}");
                }
            }
        }
        assert_eq!(Tone::digit('x'), None);
    }
}
