//! ITU-T G.722 at 64 kbit/s: two 4 kHz bands, each in adaptive differential PCM; one octet holds
//! two samples at 16 kHz (six bits of the lower band, two of the higher).

mod band;
mod tables;

use band::{Band, HIGHER, LOWER};
use tables::{ILN, ILP, Q6, QM2, QM4, QM6, QMF, WH_BY_CODE, WL_BY_CODE};

/// The last 24 samples of a quadrature mirror filter. Stored twice in a row, so that the newest 24
/// are always one slice and nothing is moved.
#[derive(Clone)]
struct Mirror {
    samples: [i32; 48],
    at: usize,
}

impl Mirror {
    fn new() -> Self {
        Mirror { samples: [0; 48], at: 0 }
    }

    /// Takes two more samples in and gives the two sums over the odd and the even ones.
    fn push(&mut self, first: i32, second: i32) -> (i32, i32) {
        for sample in [first, second] {
            self.samples[self.at] = sample;
            self.samples[self.at + 24] = sample;
            self.at = (self.at + 1) % 24;
        }
        let window = &self.samples[self.at..self.at + 24];
        let (mut odd, mut even) = (0, 0);
        for (pair, (up, down)) in window.chunks_exact(2).zip(QMF.iter().zip(QMF.iter().rev())) {
            even += pair[0] * up;
            odd += pair[1] * down;
        }
        (odd, even)
    }
}

/// A G.722 decoder.
#[derive(Clone)]
pub struct G722Decoder {
    lower: Band,
    higher: Band,
    mirror: Mirror,
}

impl G722Decoder {
    /// A decoder in its reset state.
    pub fn new() -> Self {
        G722Decoder { lower: Band::new(LOWER), higher: Band::new(HIGHER), mirror: Mirror::new() }
    }

    /// Decodes octets to twice as many samples at 16 kHz; stops where `out` ends. Gives the number
    /// of samples.
    pub fn decode(&mut self, octets: &[u8], out: &mut [i16]) -> usize {
        for (octet, pair) in octets.iter().zip(out.chunks_exact_mut(2)) {
            let (low_code, high_code) = (usize::from(octet & 63), usize::from(octet >> 6));
            let low = self.lower.prediction + ((self.lower.step * QM6[low_code]) >> 15);
            let low = low.clamp(-16_384, 16_383);
            // The adaptation sees four bits only: the other two may be stolen for data.
            let difference = (self.lower.step * QM4[low_code >> 2]) >> 15;
            self.lower.adapt(WL_BY_CODE[low_code >> 2], difference);

            let difference = (self.higher.step * QM2[high_code]) >> 15;
            let high = (self.higher.prediction + difference).clamp(-16_384, 16_383);
            self.higher.adapt(WH_BY_CODE[high_code], difference);

            let (odd, even) = self.mirror.push(low + high, low - high);
            pair[0] = clip(odd >> 11);
            pair[1] = clip(even >> 11);
        }
        octets.len().min(out.len() / 2) * 2
    }
}

/// A G.722 encoder.
#[derive(Clone)]
pub struct G722Encoder {
    lower: Band,
    higher: Band,
    mirror: Mirror,
}

impl G722Encoder {
    /// An encoder in its reset state.
    pub fn new() -> Self {
        G722Encoder { lower: Band::new(LOWER), higher: Band::new(HIGHER), mirror: Mirror::new() }
    }

    /// Encodes samples at 16 kHz to half as many octets; an odd last sample is left out. Gives the
    /// number of octets.
    pub fn encode(&mut self, samples: &[i16], out: &mut [u8]) -> usize {
        for (pair, octet) in samples.chunks_exact(2).zip(out.iter_mut()) {
            let (odd, even) = self.mirror.push(i32::from(pair[0]), i32::from(pair[1]));
            let low_code =
                quantise_lower(((odd + even) >> 14) - self.lower.prediction, &self.lower);
            let coarse = usize::from(low_code >> 2);
            self.lower.adapt(WL_BY_CODE[coarse], (self.lower.step * QM4[coarse]) >> 15);

            let difference = ((odd - even) >> 14) - self.higher.prediction;
            let high_code = quantise_higher(difference, &self.higher);
            let code = usize::from(high_code);
            self.higher.adapt(WH_BY_CODE[code], (self.higher.step * QM2[code]) >> 15);
            *octet = high_code << 6 | low_code;
        }
        (samples.len() / 2).min(out.len())
    }
}

/// Block `QUANTL`: the six-bit code of a difference.
fn quantise_lower(difference: i32, band: &Band) -> u8 {
    let difference = difference.clamp(-32_768, 32_767);
    let size = if difference < 0 { !difference } else { difference };
    // Intervals 1 to 30; the levels rise, so halving finds the first one above the size.
    let interval = 1 + Q6[1..30].partition_point(|level| (level * band.step) >> 12 <= size);
    if difference < 0 { ILN[interval] } else { ILP[interval] }
}

/// Block `QUANTH`: the two-bit code of a difference.
fn quantise_higher(difference: i32, band: &Band) -> u8 {
    let difference = difference.clamp(-32_768, 32_767);
    let size = if difference < 0 { !difference } else { difference };
    let outer = size >= (564 * band.step) >> 12;
    match (difference < 0, outer) {
        (true, false) => 1,
        (true, true) => 0,
        (false, false) => 3,
        (false, true) => 2,
    }
}

fn clip(value: i32) -> i16 {
    value.clamp(-32_768, 32_767) as i16
}
