//! What the call log is told about a call.

use base::{Codec, Private};
use signalling::{CallState, EndCause};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Messages of sound that a Flash client sent and was sent in one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// That came.
    pub received: u64,
    /// That went.
    pub sent: u64,
}

/// Facts gathered while a call lives.
#[derive(Debug)]
pub struct Facts {
    /// The call's number in the log.
    pub number: u64,
    /// Button name, empty for page-supplied accounts.
    pub button: String,
    /// The embedding page's origin.
    pub page: Private<String>,
    started_at: Instant,
    started_unix_ms: i64,
    /// From the page's message to the INVITE on the wire.
    pub invited_at: Option<Instant>,
    rung_at: Option<Instant>,
    answered_at: Option<Instant>,
    /// SIP status of the end.
    pub status: u16,
    /// Last codec from the browser.
    pub browser_codec: Option<Codec>,
    /// Codec towards the provider.
    pub trunk_codec: Option<Codec>,
    /// The browser's last statistics.
    pub browser: webrtc::Statistics,
    /// Packets received from the provider, and lost, at the last look at the quality.
    pub trunk_before: (u64, u64),
}

impl Facts {
    /// A call begins, at `hour` by the calendar.
    pub fn new(now: Instant, hour: SystemTime, button: String, page: Private<String>) -> Self {
        Facts {
            number: 0,
            button,
            page,
            started_at: now,
            started_unix_ms: unix_ms(hour),
            invited_at: None,
            rung_at: None,
            answered_at: None,
            status: 0,
            browser_codec: None,
            trunk_codec: None,
            browser: webrtc::Statistics::default(),
            trunk_before: (0, 0),
        }
    }

    /// When the call began: Unix time in milliseconds.
    pub fn started_unix_ms(&self) -> i64 {
        self.started_unix_ms
    }

    /// The call has a new state.
    pub fn changed(&mut self, now: Instant, change: call::Change) {
        match change.state {
            CallState::Ringing | CallState::Early => {
                self.rung_at.get_or_insert(now);
            }
            CallState::Active => {
                self.answered_at.get_or_insert(now);
            }
            CallState::Ended => self.status = change.code,
            CallState::Calling | CallState::Held => {}
        }
    }

    /// The row of a call that is over.
    pub fn row(
        &self,
        now: Instant,
        cause: EndCause,
        trunk: &rtp::StreamStatistics,
        bridge: &bridge::Statistics,
    ) -> store::Row {
        let since = |at: Option<Instant>| at.map(|at| millis(self.started_at, at));
        store::Row {
            number: self.number,
            button: self.button.clone(),
            page: self.page.reveal().clone(),
            started_at: self.started_unix_ms,
            answered_at: since(self.answered_at).map(|ms| self.started_unix_ms + ms),
            ended_at: self.started_unix_ms + millis(self.started_at, now),
            cause: cause.key(),
            sip_status: self.status,
            browser_codec: self.browser_codec.map(|codec| codec.key().to_owned()),
            trunk_codec: self.trunk_codec.map(|codec| codec.key().to_owned()),
            transcoded: bridge.transcoded > 0,
            browser_received: self.browser.received,
            browser_lost: self.browser.lost,
            browser_jitter_ms: ms(self.browser.jitter),
            browser_sent: self.browser.sent,
            round_trip_ms: self.browser.round_trip.map(ms),
            trunk_received: trunk.packets_received,
            trunk_lost: trunk.lost,
            trunk_jitter_ms: trunk.jitter_ms,
            trunk_sent: trunk.packets_sent,
            invite_ms: since(self.invited_at),
            ringing_ms: since(self.rung_at),
            answer_ms: since(self.answered_at),
        }
    }
}

/// Tells the operator, once when the disk begins to refuse rows and once when it is over.
#[derive(Debug, Default)]
pub struct Refusals {
    told: bool,
}

impl Refusals {
    /// Looks at what happened to rows.
    pub fn look(&mut self, store: &store::Store) -> store::Counters {
        let rows = store.counters();
        if self.told == (rows.waiting > 0) {
            return rows;
        }
        self.told = rows.waiting > 0;
        if self.told {
            let words = store.trouble().unwrap_or_default();
            tracing::error!("the call log can't be written, calls go on and rows wait: {words}");
        } else {
            tracing::info!("the call log is written again");
        }
        rows
    }
}

fn millis(from: Instant, to: Instant) -> i64 {
    i64::try_from(to.saturating_duration_since(from).as_millis()).unwrap_or(i64::MAX)
}

fn unix_ms(hour: SystemTime) -> i64 {
    let since = hour.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn ms(duration: std::time::Duration) -> f32 {
    duration.as_secs_f32() * 1000.0
}
