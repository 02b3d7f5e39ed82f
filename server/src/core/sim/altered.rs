//! Calls of the provider that its SIP endpoint cannot make by itself.

use super::phone::Phone;
use sip::message::{Message, Method, Name, parse};
use sip::{Command, InviteId};
use std::time::Instant;

impl Phone {
    /// Wants whoever it talks to to call a colleague, or somebody far away.
    pub fn refer(&mut self, now: Instant, invite: InviteId) {
        let targets = ["sip:desk@198.51.100.20", "sip:desk@203.0.113.9"];
        self.refer_to(now, invite, targets[usize::from(invite.0.is_multiple_of(3))]);
    }

    /// Wants whoever it talks to to call this address.
    pub fn refer_to(&mut self, now: Instant, invite: InviteId, target: &str) {
        let target = target.parse().expect("a uri");
        self.sip.command(now, Command::Refer { invite, target, replaces: None });
        self.drain(now);
    }
}

/// What is done to the messages that a call sends.
#[derive(Clone, Debug)]
pub enum Alteration {
    /// The SDP moves from the INVITE to the ACK (RFC 3261 13.2.1). All that it says there is a
    /// telephone's G.711.
    Delayed,
    /// The same in the PRACK of the first response (RFC 3262 5).
    DelayedReliably,
    /// INVITE takes the place of another call (RFC 3891).
    Replaces(String),
    /// Answers agree to no keys.
    Keyless,
}

impl Alteration {
    pub fn apply(&self, message: Vec<u8>) -> Vec<u8> {
        let mut request = match (self, parse(&message)) {
            (Alteration::Keyless, Ok(Message::Response(mut response))) => {
                let body = String::from_utf8_lossy(&response.body).replace("RTP/SAVP", "RTP/AVP");
                let kept = body.split_inclusive('\n').filter(|line| !line.starts_with("a=crypto"));
                response.body = kept.collect::<String>().into_bytes();
                return response.to_bytes();
            }
            (_, Ok(Message::Request(request))) => request,
            _ => return message,
        };
        let outside = request.to().is_ok_and(|to| to.tag().is_none());
        match (self, &request.method) {
            (Alteration::Delayed | Alteration::DelayedReliably, Method::Invite) => {
                request.headers.remove(&Name::ContentType);
                request.body.clear();
                if matches!(self, Alteration::DelayedReliably) {
                    request.headers.push(Name::Require, "100rel");
                }
            }
            (Alteration::Delayed, Method::Ack) | (Alteration::DelayedReliably, Method::Prack) => {
                request.headers.set(Name::ContentType, "application/sdp");
                request.body = b"v=0\r\no=- 1 1 IN IP4 198.51.100.20\r\ns=-\r\nt=0 0\r\n\
                    c=IN IP4 198.51.100.20\r\nm=audio 30000 RTP/AVP 0\r\n"
                    .to_vec();
            }
            (Alteration::Replaces(call), Method::Invite) if outside => {
                request.headers.set(Name::Replaces, call.clone());
            }
            _ => return message,
        }
        request.to_bytes()
    }
}
