//! One end of a call: its ports, its description, its voice and its ear.

use super::voice::{Ear, Mouth};
use crate::legs::trunk::{self, Description};
use crate::net::{Pair, PortId, Sockets};
use base::{Codec, Datagram, Seed};
use rtp::{Received, StreamEnd};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

/// One end.
pub struct End {
    /// Its ports.
    pub pair: Pair,
    /// What it says of itself.
    pub description: Description,
    /// What it offered, where it calls.
    pub offer: Option<sdp::Offer>,
    /// What was agreed on.
    pub negotiated: Option<sdp::Negotiated>,
    /// What it says.
    pub mouth: Mouth,
    /// What it hears.
    pub ear: Ear,
    stream: StreamEnd,
}

impl End {
    /// An end that nothing is agreed with. It says one pitch and listens for the other.
    pub fn new(pair: Pair, description: Description, pitches: (f32, f32), seed: &mut Seed) -> End {
        let nowhere = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
        let settings = rtp::StreamSettings {
            local_rtp: pair.address,
            local_rtcp: Some(SocketAddr::new(pair.address.ip(), pair.address.port() + 1)),
            remote: rtp::Remote { rtp: nowhere, rtcp: nowhere, mux: false },
            payloads: rtp::PayloadMap::default(),
            cname: seed.token(16),
        };
        let (says, hears) = pitches;
        End {
            pair,
            description,
            offer: None,
            negotiated: None,
            mouth: Mouth::new(says),
            ear: Ear::new(hears, says),
            stream: StreamEnd::new(settings, seed),
        }
    }

    /// Takes over what was agreed. False where sound cannot be encrypted so.
    pub fn agree(&mut self, negotiated: sdp::Negotiated) -> bool {
        let usable = trunk::apply(&mut self.stream, &negotiated);
        self.negotiated = Some(negotiated);
        usable
    }

    /// The answer to an offer of the far end, first or later.
    pub fn answer(&mut self, offer: &[u8]) -> Result<Vec<u8>, sdp::SdpError> {
        let (answer, negotiated) = self.description.answer(offer)?;
        match self.agree(negotiated) {
            true => Ok(answer),
            false => Err(sdp::SdpError::Transport),
        }
    }

    /// The far end's answer to our offer.
    pub fn accept(&mut self, answer: &[u8]) -> Result<(), sdp::SdpError> {
        let Some(offer) = &self.offer else { return Err(sdp::SdpError::Transport) };
        let negotiated = sdp::accept_answer(offer, answer)?;
        self.agree(negotiated).then_some(()).ok_or(sdp::SdpError::Transport)
    }

    /// The codec that it sends.
    pub fn codec(&self) -> Option<Codec> {
        self.negotiated.as_ref().map(|negotiated| negotiated.codec)
    }

    /// Whether a port is its own.
    pub fn has_port(&self, port: PortId) -> bool {
        self.pair.rtp == port || self.pair.rtcp == port
    }

    /// Whether keys go as telephone events; otherwise they go by INFO.
    pub fn takes_digits(&self) -> bool {
        self.stream.takes_digits()
    }

    /// Presses keys.
    pub fn press(&mut self, now: Instant, digits: &str) -> bool {
        self.stream.send_digits(now, digits).is_ok()
    }

    /// A datagram that came to its ports.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &Datagram<'_>, scratch: &mut [u8]) {
        match self.stream.handle_datagram(now, datagram, scratch) {
            Some(Received::Frame(frame)) => self.ear.hear(now, &frame),
            Some(Received::Digit(digit)) => self.ear.press(digit.digit),
            Some(Received::Noise(_) | Received::Bye) | None => {}
        }
    }

    /// When [`End::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.mouth.poll_timeout(), self.stream.poll_timeout()].into_iter().flatten().min()
    }

    /// Says what is due, and sends reports.
    pub fn handle_timeout(&mut self, now: Instant, wire: &Sockets, scratch: &mut [u8]) {
        let (stream, pair) = (&mut self.stream, &self.pair);
        let held = self.negotiated.as_ref().is_some_and(sdp::Negotiated::is_held);
        if let Some(codec) = self.negotiated.as_ref().map(|negotiated| negotiated.codec) {
            let mut send = |frame: &base::Frame<'_>| {
                let mut made = stream.send_frame(now, frame, scratch);
                while let Some(outgoing) = made.filter(|_| !held) {
                    let packet = scratch.get(..outgoing.length).unwrap_or_default();
                    wire.send(pair.rtp, pair.address, outgoing.to, packet);
                    made = stream.send_more(now, scratch);
                }
            };
            while self.mouth.speak(now, codec, &mut send) {}
        }
        if self.stream.poll_timeout().is_some_and(|at| at <= now) {
            self.stream.handle_timeout(now);
        }
        while let Some(rtp::Event::Digit(digit)) = self.stream.poll_event(now) {
            self.ear.press(digit.digit);
        }
        self.send_rest(now, wire);
    }

    /// Says goodbye.
    pub fn close(&mut self, now: Instant, wire: &Sockets) {
        self.stream.close();
        self.send_rest(now, wire);
    }

    fn send_rest(&mut self, now: Instant, wire: &Sockets) {
        while let Some(transmit) = self.stream.poll_transmit(now) {
            let (port, local) = self.pair.of(transmit.local);
            wire.send(port, local, transmit.remote, &transmit.payload);
        }
    }

    /// The counters of its packets.
    pub fn statistics(&self) -> rtp::StreamStatistics {
        self.stream.statistics()
    }
}
