//! One end of a call: its ports, its description, its voice and its ear, and before these the side of
//! a visitor's browser where it has one.

use super::visit::Visit;
use super::voice::{Ear, Mouth};
use crate::legs::trunk::{self, Description};
use crate::net::{Pair, PortId, Sockets};
use base::{Codec, Datagram, Frame, Seed};
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
    /// What lies between voice and ear and the phone's side; none: nothing.
    pub visit: Option<Visit>,
    stream: StreamEnd,
    /// It is to speak as soon as it can.
    speaks: bool,
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
            visit: None,
            stream: StreamEnd::new(settings, seed),
            speaks: false,
        }
    }

    /// Takes over what was agreed. False where sound cannot be encrypted so.
    pub fn agree(&mut self, now: Instant, negotiated: sdp::Negotiated) -> bool {
        let usable = trunk::apply(&mut self.stream, &negotiated);
        if let Some(visit) = &mut self.visit {
            visit.connect(now, &negotiated);
        }
        self.negotiated = Some(negotiated);
        usable
    }

    /// The answer to an offer of the far end, first or later.
    pub fn answer(&mut self, now: Instant, offer: &[u8]) -> Result<Vec<u8>, sdp::SdpError> {
        let (answer, negotiated) = self.description.answer(offer)?;
        match self.agree(now, negotiated) {
            true => Ok(answer),
            false => Err(sdp::SdpError::Transport),
        }
    }

    /// The far end's answer to our offer.
    pub fn accept(&mut self, now: Instant, answer: &[u8]) -> Result<(), sdp::SdpError> {
        let Some(offer) = &self.offer else { return Err(sdp::SdpError::Transport) };
        let negotiated = sdp::accept_answer(offer, answer)?;
        self.agree(now, negotiated).then_some(()).ok_or(sdp::SdpError::Transport)
    }

    /// The codec that it sends.
    pub fn codec(&self) -> Option<Codec> {
        self.negotiated.as_ref().map(|negotiated| negotiated.codec)
    }

    /// Whether a port is its own.
    pub fn has_port(&self, port: PortId) -> bool {
        let visited = self.visit.as_ref().is_some_and(|visit| visit.has_port(port));
        self.pair.rtp == port || self.pair.rtcp == port || visited
    }

    /// It speaks from now on, or from when it can.
    pub fn speak(&mut self) {
        self.speaks = true;
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
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        port: PortId,
        datagram: &Datagram<'_>,
        scratch: &mut [u8],
    ) {
        if let Some(visit) = self.visit.as_mut().filter(|visit| visit.has_port(port)) {
            return visit.handle_datagram(now, port, datagram);
        }
        match self.stream.handle_datagram(now, datagram, scratch) {
            Some(Received::Frame(frame)) => match &mut self.visit {
                Some(visit) => visit.hear(now, frame),
                None => self.ear.hear(now, &frame),
            },
            Some(Received::Digit(digit)) => self.ear.press(digit.digit),
            Some(Received::Noise(_) | Received::Bye) | None => {}
        }
    }

    /// When [`End::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let visit = self.visit.as_ref().and_then(Visit::poll_timeout);
        [self.mouth.poll_timeout(), self.stream.poll_timeout(), visit].into_iter().flatten().min()
    }

    /// Says what is due, hands sound on, and sends reports.
    pub fn handle_timeout(&mut self, now: Instant, wire: &Sockets, scratch: &mut [u8]) {
        let End { stream, pair, mouth, ear, visit, negotiated, speaks, .. } = self;
        let held = negotiated.as_ref().is_some_and(sdp::Negotiated::is_held);
        let mut to_phone = |frame: &Frame<'_>| {
            let mut made = stream.send_frame(now, frame, scratch);
            while let Some(outgoing) = made.filter(|_| !held) {
                let packet = scratch.get(..outgoing.length).unwrap_or_default();
                wire.send(pair.rtp, pair.address, outgoing.to, packet);
                made = stream.send_more(now, scratch);
            }
        };
        // A browser that is not connected yet would be heard by nobody.
        let ready = visit.as_ref().is_none_or(|visit| visit.connected_after().is_some());
        if *speaks && ready {
            mouth.begin(now);
        }
        match (visit, negotiated) {
            (Some(visit), _) => {
                let codec = visit.codecs().first().copied().unwrap_or(Codec::Opus);
                while mouth.speak(now, codec, |frame| visit.say(now, frame)) {}
                visit.pump(now, wire, to_phone, |frame| ear.hear(now, frame));
            }
            (None, Some(negotiated)) => while mouth.speak(now, negotiated.codec, &mut to_phone) {},
            (None, None) => {}
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
    pub fn close(&mut self, now: Instant, wire: &mut Sockets) {
        self.stream.close();
        self.send_rest(now, wire);
        if let Some(visit) = self.visit.take() {
            visit.close(now, wire);
        }
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
