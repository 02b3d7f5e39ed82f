//! What the endpoint reports.

use base::{Codec, Frame, Protocol};
use std::time::{Duration, Instant};

/// Names one browser peer; the caller chooses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerId(pub u64);

/// Something happened to a peer. [`Event::Lost`] and [`Event::Closed`] are a peer's last events;
/// the peer is gone from the endpoint by then.
#[derive(Debug)]
pub enum Event {
    /// Frames can go both ways.
    Connected {
        /// Who.
        peer: PeerId,
        /// Time since its offer was accepted.
        after: Duration,
        /// How it is reached now.
        protocol: Protocol,
    },
    /// Sound from the browser.
    Frame(ReceivedFrame),
    /// A packet of a telephone event (RFC 4733) from the browser.
    TelephoneEvent(TelephoneEvent),
    /// The browser is reached another way now: its network changed, or it preferred another pair.
    Moved {
        /// Who.
        peer: PeerId,
        /// How it is reached now.
        protocol: Protocol,
    },
    /// The peer did not connect, or stopped answering.
    Lost {
        /// Who.
        peer: PeerId,
        /// Why.
        cause: LostCause,
    },
    /// The browser closed the connection properly.
    Closed {
        /// Who.
        peer: PeerId,
    },
}

/// Why a peer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostCause {
    /// No connectivity check ever came: the network between blocks UDP and TCP, or the candidates
    /// are wrong.
    NoCheck,
    /// Checks came, but DTLS never completed with the certificate of the offer.
    NoHandshake,
    /// A connected peer sent no check for [`crate::Settings::consent_for`] (RFC 7675).
    Silent,
}

/// One encoded stretch of sound, owned: the payload is the buffer that decryption made. Given back
/// by [`crate::Endpoint::recycle`], it serves the next packet.
#[derive(Clone)]
pub struct ReceivedFrame {
    /// From whom.
    pub peer: PeerId,
    /// How the payload is encoded.
    pub codec: Codec,
    /// The payload alone.
    pub payload: Vec<u8>,
    /// Extended sequence number, continuous over a change of SSRC.
    pub sequence: u64,
    /// RTP timestamp in units of [`Codec::clock_rate`].
    pub timestamp: u32,
    /// RTP marker bit.
    pub marker: bool,
    /// When its datagram arrived.
    pub received_at: Instant,
}

impl ReceivedFrame {
    /// The same as a borrowed frame.
    pub fn frame(&self) -> Frame<'_> {
        Frame {
            codec: self.codec,
            payload: &self.payload,
            sequence: self.sequence,
            timestamp: self.timestamp,
            marker: self.marker,
            received_at: self.received_at,
        }
    }
}

impl std::fmt::Debug for ReceivedFrame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?}", self.peer, self.frame())
    }
}

/// One packet of a telephone event as it came; packets of one event share the timestamp. The
/// payload is the four octets of RFC 4733 section 2.3 or more.
#[derive(Clone)]
pub struct TelephoneEvent {
    /// From whom.
    pub peer: PeerId,
    /// The clock of timestamp and duration in Hz: 8000 or 48000.
    pub clock_rate: u32,
    /// Event, end bit, volume, duration.
    pub payload: Vec<u8>,
    /// Extended sequence number, in one numbering with the frames.
    pub sequence: u64,
    /// When the event began, in units of `clock_rate`.
    pub timestamp: u32,
    /// Set on the first packet of an event.
    pub marker: bool,
    /// When its datagram arrived.
    pub received_at: Instant,
}

impl std::fmt::Debug for TelephoneEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Digits are a visitor's data (a card number, a PIN): they never print.
        write!(f, "{:?} TelephoneEvent(#{}, {} Hz)", self.peer, self.sequence, self.clock_rate)
    }
}
