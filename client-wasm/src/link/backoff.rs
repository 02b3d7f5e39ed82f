//! How long to wait before the next socket.

use signalling::limits;
use std::time::Duration;

/// Waits that double, spread by chance over their upper half so that the pages of a restarted
/// server do not come back in one moment.
#[derive(Debug)]
pub(super) struct Backoff {
    attempts: u32,
    state: u64,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Self {
        Backoff { attempts: 0, state: seed }
    }

    /// The next attempt is a first one again.
    pub(super) fn reset(&mut self) {
        self.attempts = 0;
    }

    pub(super) fn next_wait(&mut self) -> Duration {
        // Past the doublings that reach the longest wait, more change nothing.
        let doubled = limits::RECONNECT_FIRST * (1 << self.attempts.min(10));
        self.attempts = self.attempts.saturating_add(1);
        let longest = doubled.min(limits::RECONNECT_LONGEST);
        longest / 2 + (longest / 2).mul_f64(self.chance())
    }

    /// A number in 0..1 (SplitMix64).
    fn chance(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_longest_and_stay_within_bounds_for_every_seed() {
        for seed in 0..200 {
            let mut backoff = Backoff::new(seed);
            let mut bound = limits::RECONNECT_FIRST;
            for _ in 0..40 {
                let wait = backoff.next_wait();
                assert!(wait >= bound / 2 && wait <= bound, "seed {seed}: {wait:?} of {bound:?}");
                bound = (bound * 2).min(limits::RECONNECT_LONGEST);
            }
            backoff.reset();
            assert!(backoff.next_wait() <= limits::RECONNECT_FIRST);
        }
    }

    #[test]
    fn two_pages_do_not_come_back_together() {
        let waits: std::collections::BTreeSet<_> =
            (0..100).map(|seed| Backoff::new(seed).next_wait()).collect();
        assert!(waits.len() > 90);
    }
}
