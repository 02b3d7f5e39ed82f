//! Sound that was heard, and what is in it.

use audio::{Rate, level, measure};
use std::path::Path;
use std::time::{Duration, Instant};

/// The rate at which everything is listened to: enough for telephone tones.
pub const RATE: Rate = Rate::Narrow;
/// What a visitor says unless it is told otherwise, in hertz.
pub const VISITOR: f32 = 440.0;
/// What a phone says unless it is told otherwise.
pub const PHONE: f32 = 660.0;
/// Sound older than that is forgotten.
const KEPT: Duration = Duration::from_secs(60);

/// Sound with the times at which it came.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    pieces: std::collections::VecDeque<(Instant, Vec<i16>)>,
}

impl Heard {
    /// Adds what came at `at`.
    pub fn add(&mut self, at: Instant, pcm: &[i16]) {
        self.pieces.push_back((at, pcm.to_vec()));
        while self.pieces.front().is_some_and(|(old, _)| at.duration_since(*old) > KEPT) {
            self.pieces.pop_front();
        }
    }

    /// What came since a time.
    pub fn since(&self, from: Instant) -> Vec<i16> {
        let pieces = self.pieces.iter().filter(|(at, _)| *at >= from);
        pieces.flat_map(|(_, pcm)| pcm.iter().copied()).collect()
    }

    /// When a tone was first heard for 40 ms since a time: when the last of those 40 ms had come.
    pub fn first(&self, frequency: f32, from: Instant) -> Option<Instant> {
        let length = RATE.khz() * 40;
        let mut pcm = Vec::new();
        for (at, piece) in self.pieces.iter().filter(|(at, _)| *at >= from) {
            pcm.extend_from_slice(piece);
            let start = pcm.len().saturating_sub(length);
            if pcm.len() >= length && measure::tone_level(&pcm[start..], RATE, frequency) > -14.0 {
                return Some(*at);
            }
        }
        None
    }

    /// What came in the last so many milliseconds.
    pub fn last(&self, milliseconds: u64) -> Vec<i16> {
        let from = Instant::now().checked_sub(Duration::from_millis(milliseconds));
        from.map(|from| self.since(from)).unwrap_or_default()
    }
}

/// A recording: its samples at [`RATE`].
pub fn read_wav(path: &Path) -> Vec<i16> {
    let octets = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    assert!(octets.len() > 44 && octets.starts_with(b"RIFF"), "{} is no WAV", path.display());
    let word = |at: usize| u32::from_le_bytes(octets[at..at + 4].try_into().unwrap());
    let (rate, channels) = (word(24), usize::from(octets[22]));
    // Chunks follow each other; a recorder that is killed leaves the length of the last one open.
    let mut at = 12;
    while octets.len() > at + 8 && &octets[at..at + 4] != b"data" {
        at += 8 + word(at + 4) as usize;
    }
    let samples: Vec<i16> = octets[(at + 8).min(octets.len())..]
        .chunks_exact(2 * channels)
        .map(|sample| i16::from_le_bytes([sample[0], sample[1]]))
        .collect();
    // Every n-th sample is good enough for low tones.
    let step = (rate / RATE.hz()).max(1) as usize;
    samples.into_iter().step_by(step).collect()
}

/// Writes a recording of one tone at `RATE`.
pub fn write_tone(path: &Path, rate: Rate, frequency: f32, level: f32, seconds: usize) {
    let tone = audio::tone::Tone::steady(frequency, level);
    let mut pcm = vec![0; rate.hz() as usize * seconds];
    audio::tone::ToneGenerator::new(tone, rate).fill(&mut pcm);
    let length = (pcm.len() * 2) as u32;
    let mut octets = Vec::with_capacity(44 + pcm.len() * 2);
    octets.extend_from_slice(b"RIFF");
    octets.extend_from_slice(&(36 + length).to_le_bytes());
    octets.extend_from_slice(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    octets.extend_from_slice(&rate.hz().to_le_bytes());
    octets.extend_from_slice(&(rate.hz() * 2).to_le_bytes());
    octets.extend_from_slice(b"\x02\0\x10\0data");
    octets.extend_from_slice(&length.to_le_bytes());
    octets.extend(pcm.iter().flat_map(|sample| sample.to_le_bytes()));
    std::fs::write(path, octets).unwrap();
}

/// Whether a stretch of sound is this tone and little else: how loud it is in dBFS, or in words
/// what is there instead.
pub fn is_tone(pcm: &[i16], frequency: f32) -> Result<f32, String> {
    let Some(found) = measure::dominant(pcm, RATE) else {
        return Err(format!("{} samples, level {:.1} dBFS", pcm.len(), level::dbfs(pcm)));
    };
    if (found.frequency - frequency).abs() > 4.0 || found.level < -40.0 {
        return Err(format!("{:.0} Hz at {:.1} dBFS", found.frequency, found.level));
    }
    // A sine's own level is 3 dB below its peak; what is left over is noise and gaps.
    let whole = 10f32.powf(level::dbfs(pcm) / 10.0);
    let sine = 10f32.powf((found.level - 3.0) / 10.0);
    if sine < whole * 0.5 {
        return Err(format!("{found:?} in sound of {:.1} dBFS", level::dbfs(pcm)));
    }
    Ok(found.level)
}

/// Whether a tone is somewhere in a recording for `seconds` together.
pub fn has_tone(pcm: &[i16], frequency: f32, seconds: f32) -> Result<f32, String> {
    let length = (RATE.hz() as f32 * seconds) as usize;
    let step = RATE.hz() as usize / 4;
    let mut last = "nothing was heard".to_owned();
    let mut start = 0;
    while start + length <= pcm.len() {
        match is_tone(&pcm[start..start + length], frequency) {
            Ok(level) => return Ok(level),
            Err(words) => last = words,
        }
        start += step;
    }
    Err(format!("{:.1} s heard; at their end {last}", pcm.len() as f32 / RATE.hz() as f32))
}
