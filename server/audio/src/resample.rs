//! 8, 16 and 48 kHz into each other, without aliases.
//!
//! One windowed sinc for each ratio (2, 3, 6), computed by the compiler, serves both directions as
//! a polyphase filter. With 32 taps a phase and a Kaiser window of 70 dB the pass band reaches
//! 3.4 kHz (6.8 kHz at 16 kHz) and all from 4.6 kHz (9.2 kHz) is gone. The delay is half a filter:
//! 2 ms at 8 kHz, 1 ms between 16 and 48 kHz.

use crate::Rate;
use std::f64::consts::PI;

/// Taps for each phase.
const TAPS: usize = 32;
/// Kaiser's shape parameter for 70 dB.
const SHAPE: f64 = 7.0;
/// Samples taken in one go: 20 ms at 48 kHz.
const BLOCK: usize = 960;
/// The longest history: 31 steps of six samples.
const HISTORY: usize = (TAPS - 1) * 6;

/// A ratio's filter with a sum of 1, for the way down; and for the way up its phases one after
/// another, each with a sum of 1.
struct Filter {
    down: &'static [f32],
    up: &'static [f32],
}

static NONE: Filter = Filter { down: &[], up: &[] };
static BY_2: Filter = Filter {
    down: &const { filter::<{ TAPS * 2 }>() },
    up: &const { phases(filter::<{ TAPS * 2 }>()) },
};
static BY_3: Filter = Filter {
    down: &const { filter::<{ TAPS * 3 }>() },
    up: &const { phases(filter::<{ TAPS * 3 }>()) },
};
static BY_6: Filter = Filter {
    down: &const { filter::<{ TAPS * 6 }>() },
    up: &const { phases(filter::<{ TAPS * 6 }>()) },
};

/// Converts a stream of samples from one rate to another.
#[derive(Clone)]
pub struct Resampler {
    filter: &'static Filter,
    /// Between the rates; 1 copies.
    ratio: usize,
    upwards: bool,
    /// The last input samples; only the first `(TAPS - 1) * step` are in use.
    history: [i16; HISTORY],
}

impl Resampler {
    /// A resampler with silence behind it.
    pub fn new(from: Rate, to: Rate) -> Self {
        let (low, high) = if from < to { (from, to) } else { (to, from) };
        let ratio = high.khz() / low.khz();
        let filter = match ratio {
            2 => &BY_2,
            3 => &BY_3,
            6 => &BY_6,
            _ => &NONE,
        };
        Resampler { filter, ratio, upwards: from < to, history: [0; HISTORY] }
    }

    /// Samples that `samples` of input become.
    pub fn output_length(&self, samples: usize) -> usize {
        if self.upwards { samples * self.ratio } else { samples / self.ratio }
    }

    /// Converts `input` and gives the number of samples written. On the way down the input's
    /// length is to be a multiple of the ratio (as any whole number of milliseconds is): the rest
    /// is left out. Stops where `out` ends.
    pub fn process(&mut self, input: &[i16], out: &mut [i16]) -> usize {
        if self.ratio == 1 {
            let length = input.len().min(out.len());
            out[..length].copy_from_slice(&input[..length]);
            return length;
        }
        // One step takes `step` samples in and gives `made` out.
        let (step, made) = if self.upwards { (1, self.ratio) } else { (self.ratio, 1) };
        let steps = (input.len() / step).min(out.len() / made);
        let past = (TAPS - 1) * step;
        let mut work = [0f32; HISTORY + BLOCK];
        let blocks = input[..steps * step].chunks(BLOCK / step * step);
        for (block, out) in blocks.zip(out.chunks_mut(BLOCK / step * made)) {
            let filled = past + block.len();
            for (slot, sample) in work.iter_mut().zip(self.history[..past].iter().chain(block)) {
                *slot = f32::from(*sample);
            }
            let windows = work[..filled].windows(TAPS * step).step_by(step);
            for (window, out) in windows.zip(out.chunks_mut(made)) {
                let taps = if self.upwards { self.filter.up } else { self.filter.down };
                for (taps, out) in taps.chunks_exact(window.len()).zip(out) {
                    *out = dot(window, taps).round() as i16;
                }
            }
            if block.len() >= past {
                self.history[..past].copy_from_slice(&block[block.len() - past..]);
            } else {
                self.history.copy_within(block.len()..past, 0);
                self.history[past - block.len()..past].copy_from_slice(block);
            }
        }
        steps * made
    }
}

/// The sum of products, in eight lanes so that the compiler can use vector registers.
fn dot(window: &[f32], taps: &[f32]) -> f32 {
    let mut lanes = [0f32; 8];
    for (samples, taps) in window.chunks_exact(8).zip(taps.chunks_exact(8)) {
        for (lane, (sample, tap)) in lanes.iter_mut().zip(samples.iter().zip(taps)) {
            *lane += sample * tap;
        }
    }
    lanes.iter().sum()
}

/// Sorts a filter's taps by phase, in the order in which the window meets them.
const fn phases<const N: usize>(filter: [f32; N]) -> [f32; N] {
    let ratio = N / TAPS;
    let mut sorted = [0f32; N];
    let mut n = 0;
    while n < N {
        // The filter is symmetrical, so a phase read backwards is the phase at the other end.
        let (phase, tap) = (n / TAPS, n % TAPS);
        sorted[n] = filter[ratio - 1 - phase + ratio * tap] * ratio as f32;
        n += 1;
    }
    sorted
}

/// A low-pass filter at half the lower rate; `N` is 32 times the ratio.
const fn filter<const N: usize>() -> [f32; N] {
    let ratio = (N / TAPS) as f64;
    let mut taps = [0f64; N];
    let mut sum = 0.0;
    let mut n = 0;
    while n < N {
        // Distance from the middle, in periods of the cut-off's Nyquist rate, never zero.
        let offset = (n as f64 - (N as f64 - 1.0) / 2.0) / ratio;
        let place = offset / (TAPS as f64 / 2.0);
        taps[n] = sine(PI * offset) / (PI * offset) * bessel(SHAPE * SHAPE * (1.0 - place * place));
        sum += taps[n];
        n += 1;
    }
    let mut rounded = [0f32; N];
    n = 0;
    while n < N {
        rounded[n] = (taps[n] / sum) as f32;
        n += 1;
    }
    rounded
}

/// The sine, by its series after reduction: the compiler's floating point has none of its own.
const fn sine(x: f64) -> f64 {
    let turns = x / (2.0 * PI);
    let whole = (turns as i64) as f64;
    let x = x - whole * 2.0 * PI;
    let (mut term, mut sum, mut n) = (x, x, 1.0);
    while n < 40.0 {
        term = -term * x * x / ((n + 1.0) * (n + 2.0));
        sum += term;
        n += 2.0;
    }
    sum
}

/// The modified Bessel function I0 of the square root of `square`, by its series.
const fn bessel(square: f64) -> f64 {
    let (mut term, mut sum, mut n) = (1.0, 1.0, 1.0);
    while n < 40.0 {
        term = term * square / (4.0 * n * n);
        sum += term;
        n += 1.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{level, measure};

    const RATES: [Rate; 3] = [Rate::Narrow, Rate::Wide, Rate::Full];

    /// One second of a sine at -10 dBFS, resampled in blocks of 20 ms, without its first 100 ms.
    fn resampled(from: Rate, to: Rate, hertz: f64) -> Vec<i16> {
        let tone: Vec<i16> = (0..from.hz())
            .map(|n| {
                (10362.0 * (2.0 * PI * hertz * f64::from(n) / f64::from(from.hz())).sin()) as i16
            })
            .collect();
        let mut resampler = Resampler::new(from, to);
        let mut out = vec![0; to.hz() as usize];
        let mut at = 0;
        for block in tone.chunks(from.khz() * 20) {
            at += resampler.process(block, &mut out[at..]);
        }
        assert_eq!(at, out.len());
        out.drain(..to.khz() * 100);
        out
    }

    #[test]
    fn the_pass_band_is_flat_within_half_a_decibel_in_every_direction() {
        for (from, to) in RATES.iter().flat_map(|from| RATES.map(|to| (*from, to))) {
            let edge = 0.425 * f64::from(from.min(to).hz());
            for hertz in [100.0, 440.0, 1000.0, edge / 2.0, edge] {
                let level = measure::tone_level(&resampled(from, to, hertz), to, hertz as f32);
                assert!((level + 10.0).abs() < 0.5, "{from:?} to {to:?} at {hertz}: {level}");
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_vanishes_instead_of_folding_down() {
        for (from, to, tones) in [
            (Rate::Full, Rate::Narrow, &[4600.0, 5000.0, 6000.0, 7900.0, 11000.0, 19000.0][..]),
            (Rate::Wide, Rate::Narrow, &[4600.0, 5000.0, 6000.0, 7500.0]),
            (Rate::Full, Rate::Wide, &[9200.0, 10000.0, 15900.0, 22000.0]),
        ] {
            for &hertz in tones {
                // The tone came in at -10 dBFS as measured by `tone_level`, -13 as a level.
                let left = level::dbfs(&resampled(from, to, hertz)) + 13.0;
                assert!(left < -60.0, "{from:?} to {to:?} at {hertz}: {left}");
            }
        }
    }

    #[test]
    fn images_above_the_old_band_stay_below_60_db() {
        for (from, to) in
            [(Rate::Narrow, Rate::Wide), (Rate::Narrow, Rate::Full), (Rate::Wide, Rate::Full)]
        {
            let out = resampled(from, to, 3000.0);
            let image = from.hz() as f32 - 3000.0;
            let level = measure::tone_level(&out, to, image) + 10.0;
            assert!(level < -60.0, "{from:?} to {to:?}: {level}");
        }
    }

    #[test]
    fn the_size_of_the_blocks_makes_no_difference() {
        let input: Vec<i16> =
            (0..4800).map(|n| ((n * n % 4801 * 7919) % 20011) as i16 - 10005).collect();
        for (from, to) in RATES.iter().flat_map(|from| RATES.map(|to| (*from, to))) {
            let mut whole = vec![0; 4800 * 6];
            let length = Resampler::new(from, to).process(&input, &mut whole);
            let (mut pieces, mut at) = (vec![0; 4800 * 6], 0);
            let mut resampler = Resampler::new(from, to);
            for block in input.chunks(6) {
                at += resampler.process(block, &mut pieces[at..]);
            }
            assert_eq!(at, length);
            assert!(whole == pieces, "{from:?} to {to:?}");
        }
    }
}
