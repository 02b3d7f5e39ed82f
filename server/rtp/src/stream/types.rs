//! What goes into a stream end and what comes out of it.

use super::PayloadMap;
use crate::dtmf::Digit;
use base::Frame;
use std::net::SocketAddr;

/// The peer's addresses as its session description gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Where RTP goes; an unspecified address or port 0 means that nothing may be sent.
    pub rtp: SocketAddr,
    /// Where RTCP goes.
    pub rtcp: SocketAddr,
    /// RTCP shares the port of RTP (RFC 5761).
    pub mux: bool,
}

/// What a stream end starts from.
#[derive(Clone, Debug)]
pub struct StreamSettings {
    /// Our own address for RTP, as datagrams name it.
    pub local_rtp: SocketAddr,
    /// Our own address for RTCP; without one RTCP needs `mux`.
    pub local_rtcp: Option<SocketAddr>,
    /// The peer's addresses.
    pub remote: Remote,
    /// Payload types of both directions.
    pub payloads: PayloadMap,
    /// The canonical name of our SSRC, without anything private in it (RFC 7022).
    pub cname: String,
}

/// What one datagram held.
#[derive(Clone, Copy, Debug)]
pub enum Received<'a> {
    /// Sound, borrowed from the datagram.
    Frame(Frame<'a>),
    /// A digit whose event is over.
    Digit(Digit),
    /// The peer pauses, and wants noise of this level to be heard: dB below full scale (RFC 3389).
    Noise(u8),
    /// The peer's source said goodbye; SIP decides whether the call is over.
    Bye,
}

/// What happened without a datagram of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A digit whose last packets got lost.
    Digit(Digit),
}

/// A packet in the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// Where it goes, from the local RTP address.
    pub to: SocketAddr,
    /// Its length in octets.
    pub length: usize,
}

/// Counters of one stream end.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct StreamStatistics {
    /// RTP packets sent, telephone events included.
    pub packets_sent: u64,
    /// Payload octets of those.
    pub octets_sent: u64,
    /// RTP packets taken, without duplicates.
    pub packets_received: u64,
    /// Payload octets of those.
    pub octets_received: u64,
    /// Packets of the peer that never came.
    pub lost: u64,
    /// Packets that came after a later one.
    pub reordered: u64,
    /// Packets that came again.
    pub duplicates: u64,
    /// Jitter of what comes in, in milliseconds.
    pub jitter_ms: f32,
    /// Round trip in milliseconds, once a report told it.
    pub round_trip_ms: Option<f32>,
    /// Reports of the peer that spoke of our packets: it has received some.
    pub remote_reports: u32,
    /// Packets of ours that the peer misses in all.
    pub remote_lost: u32,
    /// The share of ours that it missed lately, 0 to 1.
    pub remote_loss: f32,
    /// Jitter that the peer sees, in milliseconds.
    pub remote_jitter_ms: f32,
    /// Datagrams of others than the peer, or of a peer on probation.
    pub refused: u64,
    /// Datagrams of the peer that were no use: malformed, unknown payload type, too old.
    pub dropped: u64,
}
