//! Buffer probes (RFC 7016 section 3.6.2.9.1).

use crate::session::numbers::{BACK_OFF, PROBE_LEAST, PROBE_MOST};
use std::time::{Duration, Instant};

/// When a flow whose window is empty asks for it.
///
/// ```text
///   idle ──suspended──▶ waiting ──due──▶ waiting, longer ──no longer suspended──▶ idle
/// ```
#[derive(Debug, Default)]
pub(super) struct Probe {
    /// The next probe, and the wait after it.
    waiting: Option<(Instant, Duration)>,
}

impl Probe {
    /// Starts or stops, as the window demands; `timeout` is ERTO.
    pub(super) fn update(&mut self, now: Instant, suspended: bool, timeout: Duration) {
        if !suspended {
            self.waiting = None;
        } else if self.waiting.is_none() {
            self.waiting = Some((now + PROBE_LEAST, PROBE_LEAST.max(timeout)));
        }
    }

    pub(super) fn due_at(&self) -> Option<Instant> {
        self.waiting.map(|(at, _)| at)
    }

    /// A probe was sent; the next one waits longer.
    pub(super) fn sent(&mut self, now: Instant, timeout: Duration) {
        if let Some((_, wait)) = self.waiting {
            let longer = (wait * BACK_OFF / 10_000).min(PROBE_MOST).max(timeout);
            self.waiting = Some((now + wait, longer));
        }
    }
}
