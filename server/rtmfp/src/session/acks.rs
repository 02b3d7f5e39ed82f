//! When acknowledgements are due (RFC 7016 section 3.6.3.4).

use super::numbers::{ACK_DELAY, ACK_EVERY};
use std::time::Instant;

/// The acknowledgements of one session.
#[derive(Debug, Default)]
pub(crate) struct AckTimer {
    /// ACK_NOW.
    now: bool,
    /// Packets with user data since the last acknowledgement (RX_DATA_PACKETS).
    packets: u32,
    /// DELACK_ALARM.
    alarm_at: Option<Instant>,
}

impl AckTimer {
    pub(crate) fn is_due(&self) -> bool {
        self.now
    }

    /// Something must be acknowledged as soon as possible.
    pub(crate) fn hurry(&mut self) {
        self.now = true;
    }

    /// Something may wait for company, but not for long.
    pub(crate) fn delay(&mut self, now: Instant) {
        if !self.now && self.alarm_at.is_none() {
            self.alarm_at = Some(now + ACK_DELAY);
        }
    }

    /// A packet with user data was processed.
    pub(crate) fn packet_received(&mut self) {
        self.packets = self.packets.saturating_add(1);
        self.now |= self.packets >= ACK_EVERY;
    }

    pub(crate) fn expire(&mut self, now: Instant) {
        if self.alarm_at.is_some_and(|at| at <= now) {
            self.alarm_at = None;
            self.now = true;
        }
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.alarm_at
    }

    /// Everything is acknowledged.
    pub(crate) fn clear(&mut self) {
        *self = AckTimer::default();
    }
}
