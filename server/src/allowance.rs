//! How much a page may say, by WebSocket or through Flash.

use signalling::limits;
use std::time::Instant;

/// A token bucket: [`limits::MESSAGES_PER_SECOND`] in the long run, [`limits::MESSAGES_BURST`] at
/// once. It belongs to the page and not to its socket, so that a new socket brings no new allowance.
#[derive(Debug)]
pub struct Allowance {
    left: f64,
    at: Instant,
}

impl Allowance {
    /// A full bucket.
    pub fn new(now: Instant) -> Allowance {
        Allowance { left: f64::from(limits::MESSAGES_BURST), at: now }
    }

    /// Takes one, if there is one left.
    pub fn take(&mut self, now: Instant) -> bool {
        let gained = now.saturating_duration_since(self.at).as_secs_f64()
            * f64::from(limits::MESSAGES_PER_SECOND);
        self.left = (self.left + gained).min(f64::from(limits::MESSAGES_BURST));
        self.at = now;
        let fine = self.left >= 1.0;
        if fine {
            self.left -= 1.0;
        }
        fine
    }
}
