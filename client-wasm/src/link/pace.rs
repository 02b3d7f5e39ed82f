//! How fast to write, so that the server's rate limit is never met.

use signalling::limits;
use std::time::Duration;

/// Three quarters of what the server allows: network delay bunches messages up.
const PER_SECOND: f64 = limits::MESSAGES_PER_SECOND as f64 * 0.75;
const BURST: f64 = limits::MESSAGES_BURST as f64 * 0.75;

/// A bucket of tokens, one a message.
#[derive(Debug, Default)]
pub(super) struct Pace {
    tokens: f64,
    counted_at: Duration,
}

impl Pace {
    /// Full, for a new socket.
    pub(super) fn new(now: Duration) -> Self {
        Pace { tokens: BURST, counted_at: now }
    }

    fn at(&self, now: Duration) -> f64 {
        let passed = now.saturating_sub(self.counted_at).as_secs_f64();
        (self.tokens + passed * PER_SECOND).min(BURST)
    }

    pub(super) fn allows(&self, now: Duration) -> bool {
        self.at(now) >= 1.0
    }

    /// Heartbeats go in any case, so this may reach below one.
    pub(super) fn take(&mut self, now: Duration) {
        self.tokens = (self.at(now) - 1.0).max(0.0);
        self.counted_at = now;
    }

    /// When there will be a token; none if there is one.
    pub(super) fn next_at(&self) -> Option<Duration> {
        let missing = 1.0 - self.tokens;
        // A little more than needed: rounding must not leave a token just short of whole.
        (missing > 0.0)
            .then(|| self.counted_at + Duration::from_secs_f64(missing / PER_SECOND + 0.001))
    }
}
