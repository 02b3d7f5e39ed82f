//! One call of the provider's phone: its description, its stream, what it says and hears.

use super::sound_scenes::{Tape, Voice};
use super::wire::Packet;
use crate::legs::trunk::{Description, apply};
use base::{Codec, Frame, Seed};
use rtp::StreamEnd;
use sip::{Command, InviteId};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(20);

/// One call as the phone has it.
pub struct Talk {
    pub description: Description,
    pub stream: StreamEnd,
    pub codec: Codec,
    pub answer: Vec<u8>,
    /// Ours, where it is we who call.
    pub offer: Option<sdp::Offer>,
    pub decided_at: Option<(Instant, Option<u16>)>,
    pub speak_at: Option<Instant>,
    pub answered: bool,
    /// Frames that were spoken and that were heard.
    pub spoken: u64,
    pub heard: u64,
    pub digits: String,
}

impl Talk {
    /// A call of which nothing is known yet but what the phone says of itself.
    pub fn new(description: Description, seed: &mut Seed) -> Talk {
        let address = description.address;
        let settings = rtp::StreamSettings {
            local_rtp: address,
            local_rtcp: Some(SocketAddr::new(address.ip(), address.port() + 1)),
            remote: rtp::Remote { rtp: address, rtcp: address, mux: false },
            payloads: rtp::PayloadMap::default(),
            cname: seed.token(16),
        };
        Talk {
            description,
            stream: StreamEnd::new(settings, seed),
            codec: Codec::Pcmu,
            answer: Vec::new(),
            offer: None,
            decided_at: None,
            speak_at: None,
            answered: false,
            spoken: 0,
            heard: 0,
            digits: String::new(),
        }
    }

    pub fn decide(
        &mut self,
        now: Instant,
        invite: InviteId,
        refusal: Option<u16>,
        speaks: bool,
        sip: &mut sip::Endpoint,
    ) {
        if self.offer.is_some() {
            // Whoever calls does not answer.
            return;
        }
        match refusal {
            Some(status) => sip.command(now, Command::Reject { invite, status }),
            None if self.answered => {}
            None => {
                self.answered = true;
                self.speak_at = speaks.then_some(now);
                sip.command(now, Command::Answer { invite, sdp: self.answer.clone() });
            }
        }
    }

    /// Who was called has answered.
    pub fn taken(&mut self, now: Instant, sdp: &[u8], speaks: bool) {
        let negotiated = self.offer.as_ref().and_then(|o| sdp::accept_answer(o, sdp).ok());
        if let Some(negotiated) = negotiated {
            apply(&mut self.stream, &negotiated);
            self.codec = negotiated.codec;
            self.answered = true;
            self.speak_at = speaks.then_some(now);
        }
    }

    pub fn speak(
        &mut self,
        now: Instant,
        voice: Option<Voice>,
        tape: &mut Option<Tape>,
        outbox: &mut Vec<Packet>,
    ) {
        let mut scratch = [0; 400];
        while let Some(at) = self.speak_at.filter(|at| *at <= now) {
            self.speak_at = Some(at + TICK);
            let said = voice.map(|voice| voice(self.spoken));
            tape.iter_mut().for_each(|tape| tape.said.push(now));
            let frame = Frame {
                codec: self.codec,
                payload: said.as_deref().unwrap_or(sound(self.codec)),
                sequence: self.spoken,
                timestamp: (self.spoken as u32).wrapping_mul(self.codec.clock_rate() / 50),
                marker: self.spoken == 0,
                received_at: now,
            };
            self.spoken += 1;
            if let Some(outgoing) = self.stream.send_frame(now, &frame, &mut scratch) {
                let payload = scratch[..outgoing.length].to_vec();
                outbox.push(Packet { from: self.description.address, to: outgoing.to, payload });
            }
        }
    }
}

/// 20 ms of something in a codec.
pub fn sound(codec: Codec) -> &'static [u8] {
    match codec {
        // A silent frame (RFC 6716 3.1: CELT, full band, one frame of 20 ms).
        Codec::Opus => &[0xf8, 0xff, 0xfe],
        // Mode 8 of the narrow layer (RFC 5574 table 1), 79 bits, in a stream of either rate.
        Codec::Speex16 | Codec::Speex8 => &[0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        _ => &[0x55; 160],
    }
}
