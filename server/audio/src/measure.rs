//! Which frequency, and how strong: the proof that a known tone crossed.

use crate::{Rate, level::SILENCE};
use std::f64::consts::PI;

/// A tone found in a stretch of sound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// In hertz.
    pub frequency: f32,
    /// The sine's peak in dBFS: 0 is a sine at full scale.
    pub level: f32,
}

/// The peak level in dBFS of the sine of `frequency` hertz in a stretch of sound (Goertzel's
/// algorithm under a Hann window). Neighbours closer than four periods of the stretch count too.
pub fn tone_level(pcm: &[i16], rate: Rate, frequency: f32) -> f32 {
    let amplitude = amplitude(pcm, rate, f64::from(frequency));
    if amplitude <= 0.0 { SILENCE } else { (20.0 * amplitude.log10()).max(SILENCE.into()) as f32 }
}

/// The strongest tone of the telephone band (100 to 3600 Hz) in the first second; `None` when the
/// sound is shorter than 20 ms or nothing is above -60 dBFS.
pub fn dominant(pcm: &[i16], rate: Rate) -> Option<Found> {
    if pcm.len() < rate.khz() * 20 {
        return None;
    }
    // One second says all there is to say, and bounds the work.
    let pcm = &pcm[..pcm.len().min(rate.hz() as usize)];
    // First roughly, by pieces of 100 ms: the Hann window's main lobe is four bins wide, so a step
    // of one bin misses nothing.
    let piece = pcm.len().min(rate.khz() * 100);
    let width = f64::from(rate.hz()) / piece as f64;
    let mut rough = (0.0, 0.0);
    let mut frequency = 100.0;
    while frequency <= 3600.0 {
        let power: f64 =
            pcm.chunks_exact(piece).map(|piece| amplitude(piece, rate, frequency).powi(2)).sum();
        if power > rough.1 {
            rough = (frequency, power);
        }
        frequency += width;
    }
    // Then around there by the whole, and the top of the lobe by halving steps.
    let bin = f64::from(rate.hz()) / pcm.len() as f64;
    let mut best = (rough.0, amplitude(pcm, rate, rough.0));
    let try_at = |best: &mut (f64, f64), place: f64| {
        let amplitude = amplitude(pcm, rate, place);
        if amplitude > best.1 {
            *best = (place, amplitude);
        }
    };
    let mut frequency = rough.0 - width;
    while frequency <= rough.0 + width {
        try_at(&mut best, frequency);
        frequency += bin;
    }
    let mut step = bin / 2.0;
    for _ in 0..10 {
        for place in [best.0 - step, best.0 + step] {
            try_at(&mut best, place);
        }
        step /= 2.0;
    }
    (best.1 > 0.001)
        .then(|| Found { frequency: best.0 as f32, level: (20.0 * best.1.log10()) as f32 })
}

/// The amplitude of one frequency, 1 at full scale.
fn amplitude(pcm: &[i16], rate: Rate, frequency: f64) -> f64 {
    if pcm.is_empty() {
        return 0.0;
    }
    let angle = 2.0 * PI * frequency / f64::from(rate.hz());
    let turn = 2.0 * angle.cos();
    // The window's cosine by the same recurrence as the oscillator.
    let window_angle = 2.0 * PI / pcm.len() as f64;
    let window_turn = 2.0 * window_angle.cos();
    let (mut cosine, mut cosine_before) = ((window_angle / 2.0).cos(), (window_angle / 2.0).cos());
    let (mut one, mut two) = (0.0, 0.0);
    for &sample in pcm {
        let now = f64::from(sample) * (0.5 - 0.5 * cosine) + turn * one - two;
        (two, one) = (one, now);
        (cosine, cosine_before) = (window_turn * cosine - cosine_before, cosine);
    }
    let power = (one * one + two * two - turn * one * two).max(0.0);
    // The window's mean is a half, and a sine's two halves share the rest.
    4.0 * power.sqrt() / (pcm.len() as f64 * 32_768.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn sine(hertz: f64, amplitude: f64, length: usize) -> Vec<i16> {
        (0..length)
            .map(|n| (amplitude * (2.0 * PI * hertz * n as f64 / 8000.0).sin()).round() as i16)
            .collect()
    }

    #[test]
    fn a_tone_is_found_with_its_frequency_and_level() {
        for (hertz, length) in [(440.0, 8000), (660.0, 4000), (123.4, 8000), (3000.7, 1600)] {
            let found = dominant(&sine(hertz, 3276.7, length), Rate::Narrow).unwrap();
            assert!((f64::from(found.frequency) - hertz).abs() < 0.5, "{hertz}: {found:?}");
            assert!((found.level + 20.0).abs() < 0.1, "{hertz}: {found:?}");
        }
    }

    #[test]
    fn the_stronger_of_two_tones_wins_and_both_have_their_level() {
        let pcm: Vec<i16> = std::iter::zip(sine(440.0, 8000.0, 8000), sine(1000.0, 2000.0, 8000))
            .map(|(a, b)| a + b)
            .collect();
        assert!((dominant(&pcm, Rate::Narrow).unwrap().frequency - 440.0).abs() < 0.5);
        assert!((tone_level(&pcm, Rate::Narrow, 1000.0) + 24.3).abs() < 0.2);
        assert!(tone_level(&pcm, Rate::Narrow, 700.0) < -70.0);
    }

    #[test]
    fn silence_and_scraps_hold_no_tone() {
        assert_eq!(dominant(&[0; 8000], Rate::Narrow), None);
        assert_eq!(dominant(&[1000; 10], Rate::Narrow), None);
    }
}
