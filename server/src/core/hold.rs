//! What the phone of a call knows of being held.

use std::time::{Duration, Instant};

/// Whether the visitor has the phone on hold, and whether the phone was told.
///
/// ```text
///   told --wants another--> untold --offers--> offering --answered--> told, or untold where the
///                             ^                    |                  visitor changed his mind
///                             |  pause, twice      | refused
///                             +--------------------+-----> given up: counts as told
/// ```
///
/// One offer at a time: an impatient visitor's second wish waits for the answer to the first.
#[derive(Debug, Default)]
pub struct Hold {
    wanted: bool,
    told: bool,
    offering: bool,
    /// Refusals in a row.
    refusals: u8,
    /// When the phone is asked again.
    again_at: Option<Instant>,
}

/// How often the phone is asked whether it lets itself be held.
const HOLD_TRIES: u8 = 3;
/// The pause before it is asked again.
const HOLD_PAUSE: Duration = Duration::from_secs(3);

impl Hold {
    /// The visitor wants it so; false where it is so already.
    pub fn wants(&mut self, on: bool) -> bool {
        std::mem::replace(&mut self.wanted, on) != on
    }

    /// What the phone is to be told now.
    pub fn offers(&mut self) -> Option<bool> {
        if self.offering || self.wanted == self.told || self.again_at.is_some() {
            return None;
        }
        (self.offering, self.told) = (true, self.wanted);
        Some(self.wanted)
    }

    /// Another phone has taken the place of the first, and was told nothing.
    pub fn moved(&mut self) {
        (self.told, self.offering, self.refusals, self.again_at) = (false, false, 0, None);
    }

    /// The phone has answered.
    pub fn answered(&mut self) {
        (self.offering, self.refusals) = (false, 0);
    }

    /// The phone has refused, for a reason that may pass or for good. False: it is not asked again.
    pub fn refused(&mut self, now: Instant, may_pass: bool) -> bool {
        self.offering = false;
        self.refusals += 1;
        if may_pass && self.refusals < HOLD_TRIES {
            self.told = !self.told;
            self.again_at = Some(now + HOLD_PAUSE);
            return true;
        }
        self.refusals = 0;
        false
    }

    /// When the phone is to be asked again.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.again_at
    }

    /// Whether it is time for that.
    pub fn is_due(&mut self, now: Instant) -> bool {
        self.again_at.take_if(|at| *at <= now).is_some()
    }
}
