//! The clock of the timestamps in packet headers (RFC 7016 section 2.2.4).

use crate::params::TICK;
use std::time::{Duration, Instant};

/// One clock for everything that an endpoint sends: a far end that was keyed echoes the timestamp
/// of the last startup packet until the first packet of the session comes, and such an echo is as
/// good a measure of the round trip as any.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// The instant of tick 0.
    epoch: Instant,
}

impl Clock {
    /// Ticks count from `now` less than the wrap of the timestamp ago, so that neither end
    /// learns how long the other runs.
    pub(crate) fn new(now: Instant, offset_ticks: u16) -> Clock {
        let offset = TICK * u32::from(offset_ticks);
        Clock { epoch: now.checked_sub(offset).unwrap_or(now) }
    }

    /// The timestamp of a packet sent now.
    pub(crate) fn timestamp(self, now: Instant) -> u16 {
        ticks(now.saturating_duration_since(self.epoch))
    }
}

/// The low 16 bits of the number of whole ticks.
pub(crate) fn ticks(duration: Duration) -> u16 {
    (duration.as_millis() / TICK.as_millis()) as u16
}
