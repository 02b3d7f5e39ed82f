//! Chunks: parsed without copying, written back octet for octet (RFC 7016 section 2.3).

mod acks;
mod data;
mod startup;

pub(crate) use acks::put_ranges;
pub use acks::{AckBitmap, AckRanges, Ranges};
pub use data::{FragmentControl, NextUserData, UserData, UserDataFlags};
pub use startup::{CookieChange, FIHello, Fragment, IHello, IIKeying, RHello, RIKeying, Redirect};

use crate::octets::Reader;
use crate::packet::Mode;
use crate::params::chunk as kind;
use crate::vlu;

/// One chunk. Its octets are borrowed from the packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Chunk<'a> {
    /// A piece of a packet that is larger than the path takes.
    Fragment(Fragment<'a>),
    /// An initiator looks for an endpoint.
    IHello(IHello<'a>),
    /// The same, passed on by a Forwarder.
    FIHello(FIHello<'a>),
    /// The endpoint answers with a cookie and its certificate.
    RHello(RHello<'a>),
    /// Somebody knows where else the endpoint may be found.
    Redirect(Redirect<'a>),
    /// The cookie was made for another address; here is the right one.
    CookieChange(CookieChange<'a>),
    /// The initiator's half of the keys.
    IIKeying(IIKeying<'a>),
    /// The responder's half of the keys.
    RIKeying(RIKeying<'a>),
    /// To be answered at once with the same octets.
    Ping(&'a [u8]),
    /// The answer to a ping.
    PingReply(&'a [u8]),
    /// A fragment of a message of a flow.
    UserData(UserData<'a>),
    /// The fragment after the chunk before.
    NextUserData(NextUserData<'a>),
    /// What arrived of a flow, as bits.
    AckBitmap(AckBitmap<'a>),
    /// What arrived of a flow, as ranges.
    AckRanges(AckRanges<'a>),
    /// The flow's sender asks for an acknowledgement with the window.
    BufferProbe {
        /// The flow.
        flow: u64,
    },
    /// The flow's receiver does not want the flow.
    FlowException {
        /// The flow.
        flow: u64,
        /// The application's reason; 0 when the flow was rejected without it.
        code: u64,
    },
    /// An orderly close begins.
    CloseRequest,
    /// The session is over.
    CloseAck,
    /// Of a type that RFC 7016 does not define: to be ignored.
    Unknown {
        /// The type.
        kind: u8,
    },
}

impl<'a> Chunk<'a> {
    /// Parses the payload of a chunk of type `kind`; `None` when it is malformed. Types that are not
    /// in RFC 7016, padding included, give [`Chunk::Unknown`].
    pub fn parse(kind: u8, payload: &'a [u8]) -> Option<Chunk<'a>> {
        let mut reader = Reader::new(payload);
        let chunk = match kind {
            kind::FRAGMENT => Chunk::Fragment(Fragment::read(reader)?),
            kind::IHELLO => Chunk::IHello(IHello::read(reader)?),
            kind::FIHELLO => Chunk::FIHello(FIHello::read(reader)?),
            kind::RHELLO => Chunk::RHello(RHello::read(reader)?),
            kind::REDIRECT => Chunk::Redirect(Redirect::read(reader)?),
            kind::COOKIE_CHANGE => Chunk::CookieChange(CookieChange::read(reader)?),
            kind::IIKEYING => Chunk::IIKeying(IIKeying::read(payload)?),
            kind::RIKEYING => Chunk::RIKeying(RIKeying::read(payload)?),
            kind::PING => Chunk::Ping(payload),
            kind::PING_REPLY => Chunk::PingReply(payload),
            kind::USER_DATA => Chunk::UserData(UserData::read(reader)?),
            kind::NEXT_USER_DATA => Chunk::NextUserData(NextUserData::read(reader)?),
            kind::ACK_BITMAP => Chunk::AckBitmap(AckBitmap::read(reader)?),
            kind::ACK_RANGES => Chunk::AckRanges(AckRanges::read(reader)?),
            kind::BUFFER_PROBE => Chunk::BufferProbe { flow: reader.vlu()? },
            kind::FLOW_EXCEPTION => {
                Chunk::FlowException { flow: reader.vlu()?, code: reader.vlu()? }
            }
            kind::CLOSE_REQUEST => Chunk::CloseRequest,
            kind::CLOSE_ACK => Chunk::CloseAck,
            kind => Chunk::Unknown { kind },
        };
        Some(chunk)
    }

    /// The type code.
    pub fn kind(&self) -> u8 {
        match self {
            Chunk::Fragment(_) => kind::FRAGMENT,
            Chunk::IHello(_) => kind::IHELLO,
            Chunk::FIHello(_) => kind::FIHELLO,
            Chunk::RHello(_) => kind::RHELLO,
            Chunk::Redirect(_) => kind::REDIRECT,
            Chunk::CookieChange(_) => kind::COOKIE_CHANGE,
            Chunk::IIKeying(_) => kind::IIKEYING,
            Chunk::RIKeying(_) => kind::RIKEYING,
            Chunk::Ping(_) => kind::PING,
            Chunk::PingReply(_) => kind::PING_REPLY,
            Chunk::UserData(_) => kind::USER_DATA,
            Chunk::NextUserData(_) => kind::NEXT_USER_DATA,
            Chunk::AckBitmap(_) => kind::ACK_BITMAP,
            Chunk::AckRanges(_) => kind::ACK_RANGES,
            Chunk::BufferProbe { .. } => kind::BUFFER_PROBE,
            Chunk::FlowException { .. } => kind::FLOW_EXCEPTION,
            Chunk::CloseRequest => kind::CLOSE_REQUEST,
            Chunk::CloseAck => kind::CLOSE_ACK,
            Chunk::Unknown { kind } => *kind,
        }
    }

    /// Whether a packet of this mode may carry the chunk; a receiver ignores it elsewhere (RFC 7016
    /// sections 2.2.4 and 2.3).
    pub fn belongs_in(&self, mode: Mode) -> bool {
        match self {
            Chunk::Fragment(_) | Chunk::Unknown { .. } => mode != Mode::Forbidden,
            Chunk::IHello(_)
            | Chunk::RHello(_)
            | Chunk::Redirect(_)
            | Chunk::CookieChange(_)
            | Chunk::IIKeying(_)
            | Chunk::RIKeying(_) => mode == Mode::Startup,
            _ => matches!(mode, Mode::Initiator | Mode::Responder),
        }
    }

    /// Appends type, length and payload. [`Chunk::Unknown`] is written with an empty payload. A
    /// payload over 65,535 octets has no encoding: nothing is written and the result is false.
    pub fn put(&self, to: &mut Vec<u8>) -> bool {
        let start = to.len();
        to.extend([self.kind(), 0, 0]);
        match self {
            Chunk::Fragment(chunk) => chunk.put(to),
            Chunk::IHello(chunk) => chunk.put(to),
            Chunk::FIHello(chunk) => chunk.put(to),
            Chunk::RHello(chunk) => chunk.put(to),
            Chunk::Redirect(chunk) => chunk.put(to),
            Chunk::CookieChange(chunk) => chunk.put(to),
            Chunk::IIKeying(chunk) => chunk.put(to),
            Chunk::RIKeying(chunk) => chunk.put(to),
            Chunk::Ping(message) | Chunk::PingReply(message) => to.extend_from_slice(message),
            Chunk::UserData(chunk) => chunk.put(to),
            Chunk::NextUserData(chunk) => chunk.put(to),
            Chunk::AckBitmap(chunk) => chunk.put(to),
            Chunk::AckRanges(chunk) => chunk.put(to),
            Chunk::BufferProbe { flow } => vlu::put(to, *flow),
            Chunk::FlowException { flow, code } => {
                vlu::put(to, *flow);
                vlu::put(to, *code);
            }
            Chunk::CloseRequest | Chunk::CloseAck | Chunk::Unknown { .. } => {}
        }
        close(to, start)
    }
}

/// Writes the length of the chunk that begins at `start`; takes the chunk back when it is too long.
pub(crate) fn close(to: &mut Vec<u8>, start: usize) -> bool {
    let length = to.len().saturating_sub(start + crate::params::CHUNK_HEADER);
    match (u16::try_from(length), to.get_mut(start + 1..start + 3)) {
        (Ok(length), Some(place)) => {
            place.copy_from_slice(&length.to_be_bytes());
            true
        }
        _ => {
            to.truncate(start);
            false
        }
    }
}

#[cfg(test)]
mod tests;
