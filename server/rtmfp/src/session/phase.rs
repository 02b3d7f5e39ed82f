//! How a session ends (RFC 7016 section 3.5.5).

use super::numbers::{CLOSE_EVERY, FAR_CLOSE_LINGER, NEAR_CLOSE};
use std::time::Instant;

/// Where an established session is in its life.
///
/// ```text
///            ┌──────── Close Request from the far end ────────┐
///            │                                                ▼
///          Open ──orderly close──▶ NearClose            FarCloseLinger
///            │                         │                      │
///   abrupt close, silence,    Close Ack or 90 s      Close Ack or 19 s
///   or Close Ack                       │                      │
///            │                         ▼                      │
///            └─────────────────────▶ Closed ◀─────────────────┘
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// We asked for the end; the request is repeated.
    NearClose {
        request_at: Instant,
        until: Instant,
    },
    /// The far end asked for the end; further requests are answered.
    FarCloseLinger {
        until: Instant,
    },
    Closed,
}

impl Phase {
    /// We ask for the end; the first request is due at once.
    pub(crate) fn near_close(now: Instant) -> Self {
        Phase::NearClose { request_at: now, until: now + NEAR_CLOSE }
    }

    /// The far end asked for the end.
    pub(crate) fn far_close(now: Instant) -> Self {
        Phase::FarCloseLinger { until: now + FAR_CLOSE_LINGER }
    }

    /// Whether a Close Request is due; the next is then due five seconds later.
    pub(crate) fn take_request(&mut self, now: Instant) -> bool {
        match self {
            Phase::NearClose { request_at, .. } if *request_at <= now => {
                *request_at = now + CLOSE_EVERY;
                true
            }
            _ => false,
        }
    }

    /// The lingering is over.
    pub(crate) fn expire(&mut self, now: Instant) {
        if let Phase::NearClose { until, .. } | Phase::FarCloseLinger { until } = *self
            && until <= now
        {
            *self = Phase::Closed;
        }
    }

    /// When something is due.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match *self {
            Phase::NearClose { request_at, until } => Some(request_at.min(until)),
            Phase::FarCloseLinger { until } => Some(until),
            Phase::Open | Phase::Closed => None,
        }
    }
}
