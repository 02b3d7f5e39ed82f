//! One entry of a sending flow's queue, and what sending and acknowledging make of it.

use crate::chunk::FragmentControl;
use std::time::Instant;

/// A fragment that the far end has not acknowledged (SEND_QUEUE of RFC 7016, 3.6.2).
#[derive(Debug)]
pub(super) struct Fragment {
    pub(super) sequence: u64,
    /// Its octets; empty once it is abandoned.
    pub(super) data: Vec<u8>,
    pub(super) control: FragmentControl,
    pub(super) abandoned: bool,
    /// Whether it was abandoned already when it was sent last.
    pub(super) sent_abandoned: bool,
    pub(super) ever_sent: bool,
    pub(super) in_flight: bool,
    pub(super) naks: u8,
    /// The octets of its chunk when it was sent last.
    pub(super) transmit_size: u64,
    /// Its place in the order of transmission of the whole session (TSN).
    pub(super) transmission: u64,
    pub(super) queued_at: Instant,
    /// When its message is given up.
    pub(super) expires_at: Option<Instant>,
}

impl Fragment {
    pub(super) fn new(now: Instant, sequence: u64, control: FragmentControl) -> Self {
        Fragment {
            sequence,
            data: Vec::new(),
            control,
            abandoned: false,
            sent_abandoned: false,
            ever_sent: false,
            in_flight: false,
            naks: 0,
            transmit_size: 0,
            transmission: 0,
            queued_at: now,
            expires_at: None,
        }
    }

    /// A number that stands for no data: it carries the end of a flow or moves the far end on.
    pub(super) fn placeholder(now: Instant, sequence: u64) -> Self {
        Fragment { abandoned: true, ..Fragment::new(now, sequence, FragmentControl::Whole) }
    }
}

/// What the session's budget leaves to one packet.
pub(crate) struct Budget {
    /// Octets outstanding in the session.
    pub(crate) outstanding: u64,
    /// The congestion window.
    pub(crate) window: u64,
    /// The next place in the order of transmission.
    pub(crate) transmission: u64,
    /// Fragments sent again.
    pub(crate) resent: u64,
    /// Fragments sent.
    pub(crate) sent: u64,
}

/// What an acknowledgement did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Acknowledged {
    /// Octets that are no longer outstanding.
    pub(crate) octets: u64,
    /// The highest place in the order of transmission that was acknowledged.
    pub(crate) transmission: u64,
}
