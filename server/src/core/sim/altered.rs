//! Calls of the provider that its SIP endpoint cannot make by itself.

use sip::message::{Message, Method, Name, parse};

/// What is done to the requests that a call sends.
#[derive(Clone, Debug)]
pub enum Alteration {
    /// The SDP moves from the INVITE to the ACK (RFC 3261 13.2.1). All that it says there is a
    /// telephone's G.711.
    Delayed,
    /// INVITE takes the place of another call (RFC 3891).
    Replaces(String),
}

impl Alteration {
    pub fn apply(&self, message: Vec<u8>) -> Vec<u8> {
        let Ok(Message::Request(mut request)) = parse(&message) else { return message };
        let outside = request.to().is_ok_and(|to| to.tag().is_none());
        match (self, &request.method) {
            (Alteration::Delayed, Method::Invite) => {
                request.headers.remove(&Name::ContentType);
                request.body.clear();
            }
            (Alteration::Delayed, Method::Ack) => {
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
