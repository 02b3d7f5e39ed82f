//! The adaptive predictor and scale factor that both bands share (G.722 clauses 3.5 and 3.6).

use super::tables::ILB;

/// The constants in which the two bands differ.
#[derive(Clone, Copy)]
pub struct BandKind {
    /// Upper limit of the logarithmic scale factor (`NBL`, `NBH`).
    scale_limit: i32,
    /// Shift of the inverse logarithm (`SCALEL`, `SCALEH`).
    scale_shift: i32,
    /// Smallest, and first, quantiser step.
    first_step: i32,
}

/// The lower sub-band, 0 to 4 kHz.
pub const LOWER: BandKind = BandKind { scale_limit: 18_432, scale_shift: 8, first_step: 32 };
/// The higher sub-band, 4 to 8 kHz.
pub const HIGHER: BandKind = BandKind { scale_limit: 22_528, scale_shift: 10, first_step: 8 };

/// One sub-band's state: two poles, six zeros, one scale factor. Encoder and decoder run the very
/// same one, which is how they stay in step.
#[derive(Clone)]
pub struct Band {
    kind: BandKind,
    /// The prediction of the next sample (`SL`, `SH`).
    pub prediction: i32,
    /// The zero section's part of the prediction (`SZ`).
    zero_part: i32,
    /// The quantiser's step (`DETL`, `DETH`).
    pub step: i32,
    /// The logarithmic scale factor (`NBL`, `NBH`).
    scale: i32,
    /// Pole coefficients (`AL1`, `AL2`).
    poles: [i32; 2],
    /// Zero coefficients (`BL1` to `BL6`).
    zeros: [i32; 6],
    /// Past quantised differences (`DLT1` to `DLT6`), the newest first.
    differences: [i32; 6],
    /// The last reconstructed sample (`RLT1`); `RLT2` is only needed inside one step.
    reconstructed: i32,
    /// The signs of the past partial reconstructions (`PLT1`, `PLT2`), as the shifts leave them.
    partial: [i32; 2],
}

/// Sixteen-bit saturation.
fn saturate(value: i32) -> i32 {
    value.clamp(-32_768, 32_767)
}

/// `a` or `-a`, by whether two numbers have the same sign bit.
fn same_sign(x: i32, y: i32, a: i32) -> i32 {
    if (x ^ y) < 0 { -a } else { a }
}

impl Band {
    /// The state after a reset.
    pub fn new(kind: BandKind) -> Self {
        Band {
            kind,
            prediction: 0,
            zero_part: 0,
            step: kind.first_step,
            scale: 0,
            poles: [0; 2],
            zeros: [0; 6],
            differences: [0; 6],
            reconstructed: 0,
            partial: [0; 2],
        }
    }

    /// Adapts the scale factor by a code's multiplier, then the predictor by the quantised
    /// `difference` (blocks `LOGSCL`, `SCALEL` and 4).
    pub fn adapt(&mut self, multiplier: i32, difference: i32) {
        self.scale = (((self.scale * 127) >> 7) + multiplier).clamp(0, self.kind.scale_limit);
        let mantissa = ILB[((self.scale >> 6) & 31) as usize];
        let shift = self.kind.scale_shift - (self.scale >> 11);
        self.step = if shift < 0 { mantissa << -shift } else { mantissa >> shift } << 2;
        self.predict(difference);
    }

    fn predict(&mut self, difference: i32) {
        let reconstructed = saturate(self.prediction + difference);
        let partial = saturate(self.zero_part + difference);

        // UPPOL2: the second pole first, since the first one's limit depends on it.
        let first = saturate(self.poles[0] << 2);
        let turned = (-same_sign(partial, self.partial[0], first)).min(32_767);
        let second = (turned >> 7)
            + same_sign(partial, self.partial[1], 128)
            + ((self.poles[1] * 32_512) >> 15);
        let second = second.clamp(-12_288, 12_288);
        // UPPOL1.
        let limit = saturate(15_360 - second);
        let first = same_sign(partial, self.partial[0], 192) + ((self.poles[0] * 32_640) >> 15);
        self.poles = [saturate(first).clamp(-limit, limit), second];

        // UPZERO, then DELAYA.
        let pull = if difference == 0 { 0 } else { 128 };
        for (zero, past) in self.zeros.iter_mut().zip(self.differences) {
            *zero = saturate(same_sign(difference, past, pull) + ((*zero * 32_640) >> 15));
        }
        self.differences.copy_within(0..5, 1);
        self.differences[0] = difference;
        self.partial = [partial, self.partial[0]];

        // FILTEP and FILTEZ: every product is scaled on its own, as the recommendation does.
        let pole_part = saturate(
            ((self.poles[0] * saturate(2 * reconstructed)) >> 15)
                + ((self.poles[1] * saturate(2 * self.reconstructed)) >> 15),
        );
        self.reconstructed = reconstructed;
        let sum: i32 = self
            .zeros
            .iter()
            .zip(self.differences)
            .map(|(zero, past)| (zero * saturate(2 * past)) >> 15)
            .sum();
        self.zero_part = saturate(sum);
        self.prediction = saturate(pole_part + self.zero_part);
    }
}
