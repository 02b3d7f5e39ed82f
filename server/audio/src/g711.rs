//! ITU-T G.711: A-law and mu-law, one octet a sample.
//!
//! Decoding looks up tables that the compiler fills from the recommendation's formula; encoding
//! finds the segment by counting leading zeros.

/// Decoded values of all 256 A-law octets.
static ALAW: [i16; 256] = alaw_table();
/// Decoded values of all 256 mu-law octets.
static ULAW: [i16; 256] = ulaw_table();

/// A-law, G.711 table 1: even bits are inverted on the line (0x55); the top bit set means
/// positive. Values are the recommendation's 13 bits shifted to 16.
const fn alaw_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        let code = octet ^ 0x55;
        let (segment, step) = ((code >> 4) & 7, code & 15);
        let magnitude = if segment == 0 {
            (2 * step + 1) << 3
        } else {
            ((2 * step + 33) << (segment - 1)) << 3
        };
        table[octet] = if code & 0x80 != 0 { magnitude as i16 } else { -(magnitude as i16) };
        octet += 1;
    }
    table
}

/// Mu-law, G.711 table 2: all bits are inverted on the line. Values are the recommendation's
/// 14 bits shifted to 16.
const fn ulaw_table() -> [i16; 256] {
    let mut table = [0; 256];
    let mut octet = 0;
    while octet < 256 {
        let code = octet ^ 0xff;
        let (segment, step) = ((code >> 4) & 7, code & 15);
        let magnitude = (((2 * step + 33) << segment) - 33) << 2;
        table[octet] = if code & 0x80 == 0 { magnitude as i16 } else { -(magnitude as i16) };
        octet += 1;
    }
    table
}

/// One A-law octet as a linear sample.
pub fn alaw_decode(octet: u8) -> i16 {
    ALAW[usize::from(octet)]
}

/// One mu-law octet as a linear sample.
pub fn ulaw_decode(octet: u8) -> i16 {
    ULAW[usize::from(octet)]
}

/// A linear sample as an A-law octet.
pub fn alaw_encode(sample: i16) -> u8 {
    // Twelve bits of magnitude; the complement keeps -1 in the same interval as -16.
    let magnitude = (if sample < 0 { !sample } else { sample } >> 4) as u16;
    let code = if magnitude < 16 {
        magnitude
    } else {
        // Segment 1 starts at 16; each further segment doubles.
        let segment = (12 - magnitude.leading_zeros()) as u16;
        (segment << 4) | ((magnitude >> (segment - 1)) & 15)
    };
    let sign = if sample < 0 { 0 } else { 0x80 };
    (code as u8 | sign) ^ 0x55
}

/// A linear sample as a mu-law octet.
pub fn ulaw_encode(sample: i16) -> u8 {
    // Thirteen bits of magnitude with the bias of 33; the loudest interval takes what is above.
    let magnitude = (((if sample < 0 { !sample } else { sample } >> 2) as u16) + 33).min(0x1fff);
    let segment = (10 - magnitude.leading_zeros()) as u16;
    let code = (segment << 4) | ((magnitude >> (segment + 1)) & 15);
    let sign = if sample < 0 { 0x80 } else { 0 };
    !(code as u8 | sign)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// G.711's decoder output by the formula of its tables, in floating point and independent of
    /// the integer tables above.
    fn formula(alaw: bool, octet: u8) -> f64 {
        let code = if alaw { octet ^ 0x55 } else { !octet };
        let segment = f64::from((code >> 4) & 7);
        let step = f64::from(code & 15);
        let positive = (code & 0x80 != 0) == alaw;
        let value = if alaw {
            // Thirteen bits: intervals of 2 in the first two segments, doubling after them.
            let start = if segment == 0.0 { 0.0 } else { 16.0 * segment.exp2() };
            let width = (segment - 1.0).max(0.0).exp2() * 2.0;
            (start + (step + 0.5) * width) * 8.0
        } else {
            // Fourteen bits: the first interval is centred on zero.
            let start = 31.0 * segment.exp2() + segment.exp2() * 2.0 - 33.0;
            let width = segment.exp2() * 2.0;
            (start + step * width) * 4.0
        };
        if positive { value } else { -value }
    }

    #[test]
    fn all_256_codes_of_both_laws_decode_as_the_recommendation_says() {
        for octet in 0..=255u8 {
            assert_eq!(f64::from(alaw_decode(octet)), formula(true, octet), "A-law {octet:#x}");
            assert_eq!(f64::from(ulaw_decode(octet)), formula(false, octet), "mu-law {octet:#x}");
        }
        // Corner values as the recommendation prints them: 4032 and 8031 at full scale.
        assert_eq!(alaw_decode(0xaa), 4032 * 8);
        assert_eq!(ulaw_decode(0x80), 8031 * 4);
        assert_eq!((ulaw_decode(0xff), ulaw_decode(0x7f)), (0, 0));
    }

    #[test]
    fn every_code_survives_decoding_and_encoding() {
        for octet in 0..=255u8 {
            assert_eq!(alaw_encode(alaw_decode(octet)), octet);
            let expected = if octet == 0x7f { 0xff } else { octet };
            assert_eq!(ulaw_encode(ulaw_decode(octet)), expected);
        }
    }

    #[test]
    fn encoding_is_monotonous_and_errs_by_half_an_interval_at_most() {
        let (mut last_a, mut last_u) = (i16::MIN, i16::MIN);
        for sample in i16::MIN..=i16::MAX {
            let (a, u) = (alaw_decode(alaw_encode(sample)), ulaw_decode(ulaw_encode(sample)));
            assert!(a >= last_a && u >= last_u, "{sample}");
            (last_a, last_u) = (a, u);
            let size = f64::from(sample).abs();
            let error = |got: i16| (f64::from(got) - f64::from(sample)).abs();
            // An interval is at most a sixteenth of the sample; clipping starts at 32256 and 32124.
            assert!(error(a) <= (size / 32.0).max(16.0) + 512.0 * f64::from(size > 32256.0));
            assert!(error(u) <= (size / 32.0).max(4.0) + 8.0 + 644.0 * f64::from(size > 32124.0));
        }
    }
}
