//! One call of a phone.

use audio::tone::ToneGenerator;
use audio::{Decoder, Encoder, MAX_ENCODED};
use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;

/// One call.
pub(super) struct Leg {
    pub(super) invite: String,
    pub(super) peer: SocketAddr,
    pub(super) rtp: UdpSocket,
    pub(super) remote: SocketAddr,
    /// Payload types of sound and of telephone events.
    pub(super) types: (u8, Option<u8>),
    pub(super) encoder: Encoder,
    pub(super) decoder: Decoder,
    pub(super) tone: Option<ToneGenerator>,
    /// When it answers; none once it has.
    pub(super) answers_at: Option<Instant>,
    /// When its next packet leaves; none while it sends none.
    pub(super) next_at: Option<Instant>,
    /// Since when it pauses.
    pub(super) paused_at: Option<Instant>,
    pub(super) number: u16,
    pub(super) time: u32,
    /// The timestamp of the last packet that came, and that of the last telephone event.
    pub(super) last: Option<u32>,
    pub(super) event: Option<u32>,
}

impl Leg {
    pub(super) fn send(&self, packet: &rtp::Packet<'_>) {
        let mut octets = [0; MAX_ENCODED + 12];
        let length = packet.write(&mut octets).unwrap();
        let _ = self.rtp.send_to(&octets[..length], self.remote);
    }
}
