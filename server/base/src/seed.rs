//! Randomness as an argument.

use rand_chacha::ChaCha12Rng;
use rand_core::{Rng, SeedableRng};

/// A source of unpredictable numbers: ChaCha12 from 32 octets. The shell seeds it from the
/// operating system, a test from a number.
pub struct Seed(ChaCha12Rng);

impl Seed {
    /// A source from 32 octets of the operating system's randomness.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Seed(ChaCha12Rng::from_seed(bytes))
    }

    /// A source for tests: the same number gives the same run.
    pub fn from_number(number: u64) -> Self {
        Seed(ChaCha12Rng::seed_from_u64(number))
    }

    /// A new source, independent of this one.
    pub fn fork(&mut self) -> Seed {
        let mut bytes = [0; 32];
        self.0.fill_bytes(&mut bytes);
        Seed::from_bytes(bytes)
    }

    /// 32 random bits.
    pub fn u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// 64 random bits.
    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A number below `bound` (0 when `bound` is 0).
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { ((u128::from(self.u64()) * u128::from(bound)) >> 64) as u64 }
    }

    /// `length` characters of `[a-z0-9]`, about 5.2 bits each.
    pub fn token(&mut self, length: usize) -> String {
        const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        (0..length).map(|_| char::from(ALPHABET[self.below(36) as usize])).collect()
    }

    /// Fills a buffer.
    pub fn fill(&mut self, buffer: &mut [u8]) {
        self.0.fill_bytes(buffer);
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_number_gives_the_same_run_and_another_a_different_one() {
        let token = |number| Seed::from_number(number).token(24);
        assert_eq!(token(7), token(7));
        assert_ne!(token(7), token(8));
    }

    #[test]
    fn numbers_stay_below_their_bound() {
        let mut seed = Seed::from_number(1);
        assert!((0..1000).all(|_| seed.below(36) < 36));
        assert_eq!(seed.below(0), 0);
    }
}
