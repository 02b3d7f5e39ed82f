//! RTMP messages as RTMFP flows carry them: a type, a timestamp, the payload (RFC 7425 5.1.2), and
//! what each type means to us.

use crate::numbers::{MESSAGE_HEADER_LENGTH, event_type, message_type};
use std::fmt;

/// One message; the payload stays where it was received.
///
/// Printing shows lengths and no octets: passwords and voices pass through here.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// One of [`message_type`].
    pub kind: u8,
    /// Milliseconds, modulo 2^32.
    pub timestamp: u32,
    /// Everything after the timestamp.
    pub payload: &'a [u8],
}

impl fmt::Debug for Message<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message(type {}, {} octets)", self.kind, self.payload.len())
    }
}

impl<'a> Message<'a> {
    /// Reads a message. `None`: shorter than its header.
    pub fn parse(octets: &'a [u8]) -> Option<Message<'a>> {
        let ([kind, t0, t1, t2, t3], payload) =
            octets.split_first_chunk::<MESSAGE_HEADER_LENGTH>()?;
        let timestamp = u32::from_be_bytes([*t0, *t1, *t2, *t3]);
        Some(Message { kind: *kind, timestamp, payload })
    }

    /// Writes the message to the start of `out` and returns its length in octets, or `None` where
    /// `out` is too small. Nothing is allocated.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let length = MESSAGE_HEADER_LENGTH + self.payload.len();
        let (head, body) =
            out.get_mut(..length)?.split_first_chunk_mut::<MESSAGE_HEADER_LENGTH>()?;
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        *head = [self.kind, t0, t1, t2, t3];
        body.copy_from_slice(self.payload);
        Some(length)
    }

    /// What the message is.
    pub fn body(&self) -> Body<'a> {
        match self.kind {
            message_type::AUDIO => Body::Audio(self.payload),
            message_type::VIDEO => Body::Video(self.payload),
            message_type::COMMAND => Body::Command { values: self.payload, extended: false },
            message_type::COMMAND_EXTENDED => match formatted(self.payload) {
                Some(values) => Body::Command { values, extended: true },
                None => Body::Malformed,
            },
            message_type::DATA => Body::Data(self.payload),
            message_type::DATA_EXTENDED => {
                formatted(self.payload).map_or(Body::Malformed, Body::Data)
            }
            message_type::USER_CONTROL => {
                UserControl::parse(self.payload).map_or(Body::Malformed, Body::UserControl)
            }
            kind if message_type::CHUNK_STREAM.contains(&kind) => Body::Ignored,
            _ => Body::Unknown,
        }
    }
}

/// What follows the format octet, which must be 0 (RFC 7425 5.3.3). Some senders leave it out: a
/// string's marker in its place tells.
fn formatted(payload: &[u8]) -> Option<&[u8]> {
    match payload {
        [0, values @ ..] => Some(values),
        [0x02 | 0x11, ..] => Some(payload),
        _ => None,
    }
}

/// The meaning of a message. Prints as [`Message`] does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Body<'a> {
    /// Types 20 and 17: AMF 0 values, [`crate::command::Command`] reads them.
    Command {
        /// The values, without the format octet.
        values: &'a [u8],
        /// Whether it was type 17.
        extended: bool,
    },
    /// Types 18 and 15: AMF 0 values, the first a name.
    Data(&'a [u8]),
    /// Type 8: an audio tag, possibly empty.
    Audio(&'a [u8]),
    /// Type 9: a video tag, possibly empty.
    Video(&'a [u8]),
    /// Type 4.
    UserControl(UserControl),
    /// A type that belongs to the chunk stream and means nothing here (RFC 7425 5.1).
    Ignored,
    /// A known type with an impossible payload.
    Malformed,
    /// Any other type.
    Unknown,
}

impl fmt::Debug for Body<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Body::Command { values, .. } => write!(f, "Command({} octets)", values.len()),
            Body::Data(values) => write!(f, "Data({} octets)", values.len()),
            Body::Audio(payload) => write!(f, "Audio({} octets)", payload.len()),
            Body::Video(payload) => write!(f, "Video({} octets)", payload.len()),
            Body::UserControl(event) => event.fmt(f),
            Body::Ignored => f.write_str("Ignored"),
            Body::Malformed => f.write_str("Malformed"),
            Body::Unknown => f.write_str("Unknown"),
        }
    }
}

/// A user control event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserControl {
    /// Media of that stream may come.
    StreamBegin(u32),
    /// There will be no more media of that stream.
    StreamEof(u32),
    /// There is no media of that stream for now.
    StreamDry(u32),
    /// How much a client buffers of a stream. RTMFP clients send it too.
    SetBufferLength {
        /// Whose buffer.
        stream: u32,
        /// Milliseconds.
        length: u32,
    },
    /// That stream is not live.
    StreamIsRecorded(u32),
    /// That stream's buffer has run empty.
    BufferEmpty(u32),
    /// That stream's buffer is filled.
    BufferReady(u32),
    /// A barrier across flows (RFC 7425 5.2).
    FlowSync {
        /// The barrier's name.
        sync: u32,
        /// On how many flows it is sent.
        count: u32,
    },
    /// How often a client should ping (RFC 7425 5.3.4), milliseconds.
    SetKeepalive {
        /// Towards the server.
        server: u32,
        /// Towards its peers.
        peer: u32,
    },
    /// Another event; its number.
    Other(u16),
}

impl UserControl {
    /// Reads the payload of a type 4 message. `None`: shorter than its event needs.
    pub fn parse(payload: &[u8]) -> Option<UserControl> {
        let ([high, low], data) = payload.split_first_chunk::<2>()?;
        let word = |index: usize| {
            let octets = data.get(index * 4..)?.first_chunk::<4>()?;
            Some(u32::from_be_bytes(*octets))
        };
        Some(match u16::from_be_bytes([*high, *low]) {
            event_type::STREAM_BEGIN => UserControl::StreamBegin(word(0)?),
            event_type::STREAM_EOF => UserControl::StreamEof(word(0)?),
            event_type::STREAM_DRY => UserControl::StreamDry(word(0)?),
            event_type::SET_BUFFER_LENGTH => {
                UserControl::SetBufferLength { stream: word(0)?, length: word(1)? }
            }
            event_type::STREAM_IS_RECORDED => UserControl::StreamIsRecorded(word(0)?),
            event_type::BUFFER_EMPTY => UserControl::BufferEmpty(word(0)?),
            event_type::BUFFER_READY => UserControl::BufferReady(word(0)?),
            event_type::FLOW_SYNC => UserControl::FlowSync { sync: word(0)?, count: word(1)? },
            event_type::SET_KEEPALIVE => {
                UserControl::SetKeepalive { server: word(0)?, peer: word(1)? }
            }
            other => UserControl::Other(other),
        })
    }

    /// The whole message, with timestamp 0.
    pub fn encode(&self) -> Vec<u8> {
        let (event, first, second) = match *self {
            UserControl::StreamBegin(stream) => (event_type::STREAM_BEGIN, Some(stream), None),
            UserControl::StreamEof(stream) => (event_type::STREAM_EOF, Some(stream), None),
            UserControl::StreamDry(stream) => (event_type::STREAM_DRY, Some(stream), None),
            UserControl::SetBufferLength { stream, length } => {
                (event_type::SET_BUFFER_LENGTH, Some(stream), Some(length))
            }
            UserControl::StreamIsRecorded(stream) => {
                (event_type::STREAM_IS_RECORDED, Some(stream), None)
            }
            UserControl::BufferEmpty(stream) => (event_type::BUFFER_EMPTY, Some(stream), None),
            UserControl::BufferReady(stream) => (event_type::BUFFER_READY, Some(stream), None),
            UserControl::FlowSync { sync, count } => {
                (event_type::FLOW_SYNC, Some(sync), Some(count))
            }
            UserControl::SetKeepalive { server, peer } => {
                (event_type::SET_KEEPALIVE, Some(server), Some(peer))
            }
            UserControl::Other(event) => (event, None, None),
        };
        let mut octets = vec![message_type::USER_CONTROL, 0, 0, 0, 0];
        octets.extend(event.to_be_bytes());
        for word in [first, second].into_iter().flatten() {
            octets.extend(word.to_be_bytes());
        }
        octets
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_audio_message_is_read_in_place_and_written_back() {
        let wire = [8, 0, 0, 1, 0x18, 0xb2, 0x30, 0xc4];
        let message = Message::parse(&wire).unwrap();
        assert_eq!((message.kind, message.timestamp), (8, 280));
        assert_eq!(message.body(), Body::Audio(&[0xb2, 0x30, 0xc4]));
        let mut buffer = [0; 8];
        assert_eq!(message.write(&mut buffer), Some(8));
        assert_eq!(buffer, wire);
        assert_eq!(message.write(&mut buffer[..7]), None);
        assert_eq!(Message::parse(&wire[..4]), None);
        assert_eq!(Message::parse(&wire[..5]).unwrap().body(), Body::Audio(&[]));
    }

    #[test]
    fn what_belongs_to_the_chunk_stream_is_ignored_and_not_an_error() {
        for kind in [1, 2, 3, 5, 6] {
            let octets = [kind, 0, 0, 0, 0, 0, 0, 0, 128];
            assert_eq!(Message::parse(&octets).unwrap().body(), Body::Ignored);
        }
        assert_eq!(Message::parse(&[22, 0, 0, 0, 0]).unwrap().body(), Body::Unknown);
    }

    #[test]
    fn the_format_octet_of_extended_messages_is_stepped_over() {
        let body = |octets: &'static [u8]| Message::parse(octets).unwrap().body();
        let command = |values, extended| Body::Command { values, extended };
        assert_eq!(body(&[17, 0, 0, 0, 0, 0, 2, 0, 0]), command(&[2, 0, 0], true));
        assert_eq!(body(&[17, 0, 0, 0, 0, 2, 0, 0]), command(&[2, 0, 0], true));
        assert_eq!(body(&[17, 0, 0, 0, 0, 3, 2]), Body::Malformed);
        assert_eq!(body(&[17, 0, 0, 0, 0]), Body::Malformed);
        assert_eq!(body(&[20, 0, 0, 0, 0, 2]), command(&[2], false));
        assert_eq!(body(&[15, 0, 0, 0, 0, 0, 2]), Body::Data(&[2]));
        assert_eq!(body(&[18, 0, 0, 0, 0, 2]), Body::Data(&[2]));
    }

    #[test]
    fn a_keepalive_is_coded_as_a_real_server_does_it() {
        let event = UserControl::SetKeepalive { server: 5000, peer: 5000 };
        let octets = [4, 0, 0, 0, 0, 0, 0x29, 0, 0, 0x13, 0x88, 0, 0, 0x13, 0x88];
        assert_eq!(event.encode(), octets);
    }

    #[test]
    fn every_event_reads_back_and_every_cut_is_malformed() {
        for event in [
            UserControl::StreamBegin(1),
            UserControl::StreamEof(2),
            UserControl::StreamDry(3),
            UserControl::SetBufferLength { stream: 4, length: 100 },
            UserControl::StreamIsRecorded(5),
            UserControl::BufferEmpty(6),
            UserControl::BufferReady(7),
            UserControl::FlowSync { sync: 8, count: 2 },
            UserControl::SetKeepalive { server: 30_000, peer: 10_000 },
        ] {
            let octets = event.encode();
            let body = Message::parse(&octets).unwrap().body();
            assert_eq!(body, Body::UserControl(event));
            for end in 5..octets.len() {
                let body = Message::parse(&octets[..end]).unwrap().body();
                assert_eq!(body, Body::Malformed, "{event:?} cut to {end}");
            }
        }
        let other = UserControl::parse(&[0, 7, 1, 2, 3, 4]);
        assert_eq!(other, Some(UserControl::Other(7)));
    }
}
