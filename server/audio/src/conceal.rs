//! Hiding lost frames of codecs that cannot do it themselves.
//!
//! In the spirit of G.711 Appendix I: the last pitch period is repeated and faded out. Unlike
//! there nothing is delayed: the seam is hidden by an offset that dies away.

use crate::Rate;

/// The sound kept for looking back: 15 ms of period, 10 ms to compare, and a margin.
const HISTORY_MS: usize = 30;
const HISTORY: usize = HISTORY_MS * 16;
/// The longest period: 66 Hz.
const LONGEST_MS: usize = 15;
const LONGEST: usize = LONGEST_MS * 16;
/// What is concealed at full level, and where it has faded to silence.
const FULL_MS: usize = 10;
const SILENT_MS: usize = 80;
/// The cross-fade back into real sound.
const RETURN_MS: usize = 5;

/// Conceals losses in one stream of 8 or 16 kHz.
#[derive(Clone)]
pub struct Concealer {
    khz: usize,
    history: [i16; HISTORY],
    /// One pitch period, its end faded into its beginning.
    cycle: [i16; LONGEST],
    period: usize,
    /// Samples concealed since the last good one; 0 when nothing is being concealed.
    lost: usize,
    /// What separates the cycle's first sample from the last good one.
    offset: f32,
}

impl Concealer {
    /// A concealer with silence behind it. The rate is 8 or 16 kHz.
    pub fn new(rate: Rate) -> Self {
        Concealer {
            khz: rate.khz().min(16),
            history: [0; HISTORY],
            cycle: [0; LONGEST],
            period: 1,
            lost: 0,
            offset: 0.0,
        }
    }

    /// Takes note of good sound; the first after a loss is faded in.
    pub fn good(&mut self, pcm: &mut [i16]) {
        if self.lost > 0 {
            let fade = (RETURN_MS * self.khz).min(pcm.len());
            for (n, sample) in pcm[..fade].iter_mut().enumerate() {
                let weight = (n + 1) as f32 / (fade + 1) as f32;
                let mixed = f32::from(*sample) * weight + self.next() * (1.0 - weight);
                *sample = mixed as i16;
            }
            self.lost = 0;
        }
        self.remember(pcm);
    }

    /// Fills `out` with what the sound may have been.
    pub fn conceal(&mut self, out: &mut [i16]) {
        if self.lost == 0 {
            self.analyse();
        }
        for sample in out.iter_mut() {
            *sample = self.next() as i16;
        }
        self.remember(out);
    }

    /// The next concealed sample.
    fn next(&mut self) -> f32 {
        let (full, silent) = (FULL_MS * self.khz, SILENT_MS * self.khz);
        let gain = if self.lost < full {
            1.0
        } else {
            1.0 - (self.lost - full).min(silent - full) as f32 / (silent - full) as f32
        };
        let value = f32::from(self.cycle[self.lost % self.period]) + self.offset;
        // The offset dies away within about 3 ms.
        self.offset *= 1.0 - 1.0 / self.khz as f32;
        self.lost += 1;
        (value * gain).clamp(-32_768.0, 32_767.0)
    }

    /// Finds the pitch and cuts the cycle out of the history.
    fn analyse(&mut self) {
        let kept = HISTORY_MS * self.khz;
        let past = &self.history[..kept];
        let window = 10 * self.khz;
        let recent = &past[kept - window..];
        // At 16 kHz every second sample is enough to tell the pitch.
        let stride = self.khz / 8;
        let likeness = |lag: usize| {
            let earlier = &past[kept - window - lag..kept - lag];
            let (mut product, mut old, mut new) = (0f32, 1f32, 1f32);
            for n in (0..window).step_by(stride) {
                let (a, b) = (f32::from(recent[n]), f32::from(earlier[n]));
                product += a * b;
                new += a * a;
                old += b * b;
            }
            product / (old * new).sqrt()
        };
        let (shortest, longest) = (self.khz * 5 / 2, LONGEST_MS * self.khz);
        let mut best = (longest, 0.3);
        for lag in (shortest..=longest).step_by(stride) {
            let likeness = likeness(lag);
            // Twice the period fits as well as the period: another peak has to be clearly better.
            let needed = if lag * 2 > best.0 * 3 { best.1 * 1.02 } else { best.1 };
            if likeness > needed {
                best = (lag, likeness);
            }
        }
        for lag in best.0 + 1 - stride..(best.0 + stride).min(longest + 1) {
            let likeness = likeness(lag);
            if likeness > best.1 {
                best = (lag, likeness);
            }
        }
        self.period = best.0;
        let start = kept - self.period;
        self.cycle[..self.period].copy_from_slice(&past[start..]);
        let fade = self.period / 4;
        for n in 0..fade {
            // Towards the end, ever more of what came before the cycle's beginning.
            let weight = (n + 1) as f32 / (fade + 1) as f32;
            let (own, before) =
                (f32::from(past[kept - fade + n]), f32::from(past[start - fade + n]));
            self.cycle[self.period - fade + n] = (own * (1.0 - weight) + before * weight) as i16;
        }
        // One period ago the sound moved on from `start - 1`; now it moves on from the last sample.
        self.offset = f32::from(past[kept - 1]) - f32::from(past[start - 1]);
    }

    fn remember(&mut self, pcm: &[i16]) {
        let kept = HISTORY_MS * self.khz;
        let new = &pcm[pcm.len().saturating_sub(kept)..];
        self.history.copy_within(new.len()..kept, 0);
        self.history[kept - new.len()..kept].copy_from_slice(new);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{
        level, measure,
        tone::{Tone, ToneGenerator},
    };

    fn tone_after(ms: usize, rate: Rate) -> (Concealer, ToneGenerator) {
        let mut concealer = Concealer::new(rate);
        let mut generator = ToneGenerator::new(Tone::steady(210.0, -10.0), rate);
        for _ in 0..ms / 20 {
            let mut block = vec![0; rate.khz() * 20];
            generator.fill(&mut block);
            concealer.good(&mut block);
        }
        (concealer, generator)
    }

    #[test]
    fn a_lost_frame_of_a_tone_goes_on_as_the_tone() {
        for rate in [Rate::Narrow, Rate::Wide] {
            let (mut concealer, mut generator) = tone_after(200, rate);
            let (mut made, mut real) = (vec![0; rate.khz() * 20], vec![0; rate.khz() * 20]);
            generator.fill(&mut real);
            concealer.conceal(&mut made);
            let difference: Vec<i16> = made.iter().zip(&real).map(|(a, b)| a - b).collect();
            let error = level::dbfs(&difference) - level::dbfs(&real);
            assert!(error < -12.0, "{rate:?}: {error}");
        }
    }

    #[test]
    fn a_long_loss_fades_to_silence_within_100_ms() {
        for rate in [Rate::Narrow, Rate::Wide] {
            let (mut concealer, _) = tone_after(200, rate);
            let mut made = vec![0; rate.khz() * 200];
            for block in made.chunks_mut(rate.khz() * 20) {
                concealer.conceal(block);
            }
            let level =
                |from: usize, to: usize| level::dbfs(&made[rate.khz() * from..rate.khz() * to]);
            assert!((level(0, 10) + 13.0).abs() < 1.5);
            assert!(level(40, 50) < level(0, 10) - 3.0 && level(40, 50) > -30.0);
            assert_eq!(level(100, 200), level::SILENCE);
        }
    }

    #[test]
    fn loss_and_return_make_no_click() {
        for rate in [Rate::Narrow, Rate::Wide] {
            let (mut concealer, mut generator) = tone_after(200, rate);
            let mut all = vec![0; rate.khz() * 20];
            generator.fill(&mut all);
            concealer.good(&mut all);
            for lost in [true, true, false, false, true, false] {
                let mut block = vec![0; rate.khz() * 20];
                generator.fill(&mut block);
                if lost {
                    concealer.conceal(&mut block)
                } else {
                    concealer.good(&mut block)
                }
                all.extend(block);
            }
            // A 210 Hz sine at -10 dBFS moves 1700 a sample at 8 kHz, and half that at 16.
            let steepest = all.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max();
            assert!(steepest.unwrap() < 21_000 / rate.khz() as i32, "{rate:?} {steepest:?}");
            assert!(measure::dominant(&all, rate).unwrap().level > -12.0);
        }
    }

    #[test]
    fn noise_and_full_scale_are_concealed_without_overflow() {
        let mut concealer = Concealer::new(Rate::Narrow);
        let mut noise: Vec<i16> =
            (0..800u32).map(|n| (n.wrapping_mul(2654435761) >> 16) as i16).collect();
        concealer.good(&mut noise);
        let mut made = [0; 160];
        concealer.conceal(&mut made);
        concealer.good(&mut [i16::MIN; 160]);
        concealer.conceal(&mut made);
        assert!(made[0] < -30_000);
    }
}
