//! One conversation of the demo phone: ring, greet, echo, name the keys.

use super::voice::{FRAME, RATE, Speech};
use crate::legs;
use crate::net::{Pair, PortId, Sockets};
use audio::Encoder;
use base::{Codec, Datagram, Frame, Seed};
use rtp::{Received, StreamEnd};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(20);

/// One conversation.
pub struct Talk {
    answer_at: Option<Instant>,
    description: legs::trunk::Description,
    answer: Vec<u8>,
    codec: Codec,
    pair: Pair,
    stream: StreamEnd,
    encoder: Option<Encoder>,
    speech: Speech,
    /// Set while it speaks; while it does not, it echoes.
    speak_at: Option<Instant>,
    sequence: u64,
    timestamp: u32,
}

impl Talk {
    /// A call that rings until `answer_at`.
    pub fn new(
        answer_at: Instant,
        offer: &[u8],
        pair: Pair,
        codecs: &[Codec],
        seed: &mut Seed,
    ) -> Result<Talk, sdp::SdpError> {
        let mut description =
            legs::trunk::Description::new(pair.address, codecs, sdp::Encryption::Off, seed);
        let (answer, negotiated) = description.answer(offer)?;
        let settings = rtp::StreamSettings {
            local_rtp: pair.address,
            local_rtcp: Some(SocketAddr::new(pair.address.ip(), pair.address.port() + 1)),
            remote: legs::trunk::remote(&negotiated),
            payloads: legs::trunk::payloads(&negotiated),
            cname: seed.token(16),
        };
        Ok(Talk {
            answer_at: Some(answer_at),
            description,
            answer,
            codec: negotiated.codec,
            pair,
            stream: StreamEnd::new(settings, seed),
            encoder: None,
            speech: Speech::greeting(),
            speak_at: None,
            sequence: 0,
            timestamp: 0,
        })
    }

    /// Whether a port is this conversation's.
    pub fn has_port(&self, port: PortId) -> bool {
        self.pair.rtp == port || self.pair.rtcp == port
    }

    /// The SDP answer, once, when it has rung long enough.
    pub fn answer_due(&mut self, now: Instant) -> Option<Vec<u8>> {
        self.answer_at.take_if(|at| *at <= now)?;
        self.speak_at = Some(now + TICK);
        Some(std::mem::take(&mut self.answer))
    }

    /// The caller makes a new offer.
    pub fn reoffered(&mut self, offer: &[u8]) -> Result<Vec<u8>, u16> {
        let (answer, negotiated) = self.description.answer(offer).map_err(|_| 488u16)?;
        if !legs::trunk::apply(&mut self.stream, &negotiated) {
            return Err(488);
        }
        if negotiated.codec != self.codec {
            self.codec = negotiated.codec;
            self.encoder = None;
        }
        Ok(answer)
    }

    /// A key was pressed.
    pub fn say_digit(&mut self, now: Instant, digit: char) {
        self.speech.say_digit(digit);
        if self.speak_at.is_none() {
            self.stream.switch_source();
            self.speak_at = Some(now);
        }
    }

    /// RTP or RTCP.
    pub fn handle_datagram(
        &mut self,
        now: Instant,
        datagram: &Datagram<'_>,
        sockets: &Sockets,
        scratch: &mut [u8],
    ) {
        match self.stream.handle_datagram(now, datagram, &mut []) {
            Some(Received::Frame(frame)) if self.speak_at.is_none() && self.answer_at.is_none() => {
                if let Some(outgoing) = self.stream.send_frame(now, &frame, scratch) {
                    let packet = &scratch[..outgoing.length];
                    sockets.send(self.pair.rtp, self.pair.address, outgoing.to, packet);
                }
            }
            Some(Received::Digit(digit)) => self.say_digit(now, digit.digit),
            _ => {}
        }
    }

    /// When [`Talk::handle_timeout`] or [`Talk::answer_due`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let all = [self.answer_at, self.speak_at, self.stream.poll_timeout()];
        all.into_iter().flatten().min()
    }

    /// Speaks what is due, and sends reports.
    pub fn handle_timeout(&mut self, now: Instant, sockets: &Sockets, scratch: &mut [u8]) {
        while let Some(at) = self.speak_at.filter(|at| *at <= now) {
            let mut samples = [0i16; FRAME];
            if !self.speech.next_frame(&mut samples) {
                // From here on it echoes: another source for the same stream.
                self.speak_at = None;
                self.stream.switch_source();
                break;
            }
            self.speak_at = Some(at + TICK);
            self.speak(now, &samples, sockets, scratch);
        }
        self.stream.handle_timeout(now);
        while let Some(event) = self.stream.poll_event(now) {
            let rtp::Event::Digit(digit) = event;
            self.say_digit(now, digit.digit);
        }
        while let Some(transmit) = self.stream.poll_transmit(now) {
            let rtp = transmit.local.port() == self.pair.address.port();
            let port = if rtp { self.pair.rtp } else { self.pair.rtcp };
            sockets.send(port, transmit.local, transmit.remote, &transmit.payload);
        }
    }

    fn speak(
        &mut self,
        now: Instant,
        samples: &[i16; FRAME],
        sockets: &Sockets,
        scratch: &mut [u8],
    ) {
        if self.encoder.is_none() {
            self.encoder = Encoder::new(self.codec, RATE).ok();
        }
        let Some(encoder) = &mut self.encoder else { return };
        let mut payload = [0u8; 1500];
        let Ok(length) = encoder.encode(samples, &mut payload) else { return };
        let frame = Frame {
            codec: self.codec,
            payload: &payload[..length],
            sequence: self.sequence,
            timestamp: self.timestamp,
            marker: self.sequence == 0,
            received_at: now,
        };
        self.sequence += 1;
        self.timestamp = self.timestamp.wrapping_add(self.codec.clock_rate() / 50);
        if let Some(outgoing) = self.stream.send_frame(now, &frame, scratch) {
            let packet = &scratch[..outgoing.length];
            sockets.send(self.pair.rtp, self.pair.address, outgoing.to, packet);
        }
    }

    /// The conversation is over; its ports are given back.
    pub fn close(self) -> Pair {
        self.pair
    }
}
