//! The chunks of session startup (RFC 7016 sections 2.3.1 to 2.3.8).

use crate::address::{Address, Addresses};
use crate::octets::{Reader, put_sized};
use crate::vlu;

/// A piece of a packet (section 2.3.1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fragment<'a> {
    /// Whether further pieces follow.
    pub more: bool,
    /// Which packet.
    pub packet: u64,
    /// Which piece, from 0.
    pub number: u64,
    /// The piece, never empty in a parsed chunk.
    pub octets: &'a [u8],
}

/// Initiator Hello (section 2.3.2).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IHello<'a> {
    /// The endpoint discriminator: whom it looks for.
    pub discriminator: &'a [u8],
    /// To be echoed.
    pub tag: &'a [u8],
}

/// Forwarded Initiator Hello (section 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FIHello<'a> {
    /// As in the hello.
    pub discriminator: &'a [u8],
    /// Where the initiator is, as the Forwarder saw it.
    pub reply_to: Address,
    /// As in the hello.
    pub tag: &'a [u8],
}

/// Responder Hello (section 2.3.4).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RHello<'a> {
    /// From the hello.
    pub tag_echo: &'a [u8],
    /// To be sent back with the keying.
    pub cookie: &'a [u8],
    /// The responder's certificate.
    pub certificate: &'a [u8],
}

/// Responder Redirect (section 2.3.5).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Redirect<'a> {
    /// From the hello.
    pub tag_echo: &'a [u8],
    /// Where to try; none means the source address of the packet.
    pub addresses: Addresses<'a>,
}

/// RHello Cookie Change (section 2.3.6).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CookieChange<'a> {
    /// The cookie that the initiator sent.
    pub old: &'a [u8],
    /// The one to send instead.
    pub new: &'a [u8],
}

/// Initiator Initial Keying (section 2.3.7).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IIKeying<'a> {
    /// The session ID for packets to the initiator.
    pub session: u32,
    /// From the responder's hello.
    pub cookie: &'a [u8],
    /// The initiator's certificate.
    pub certificate: &'a [u8],
    /// The session key initiator component.
    pub component: &'a [u8],
    /// Over [`IIKeying::signed`].
    pub signature: &'a [u8],
    /// The payload before the signature; empty in a chunk that was not parsed.
    pub signed: &'a [u8],
}

/// Responder Initial Keying (section 2.3.8).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RIKeying<'a> {
    /// The session ID for packets to the responder.
    pub session: u32,
    /// The session key responder component.
    pub component: &'a [u8],
    /// Over [`RIKeying::signed`] and the session key initiator component.
    pub signature: &'a [u8],
    /// The payload before the signature; empty in a chunk that was not parsed.
    pub signed: &'a [u8],
}

impl<'a> Fragment<'a> {
    pub(super) fn read(mut reader: Reader<'a>) -> Option<Self> {
        let more = reader.u8()? & 0x80 != 0;
        let (packet, number) = (reader.vlu()?, reader.vlu()?);
        let octets = reader.rest();
        (!octets.is_empty()).then_some(Fragment { more, packet, number, octets })
    }

    pub(super) fn put(&self, to: &mut Vec<u8>) {
        to.push(if self.more { 0x80 } else { 0 });
        vlu::put(to, self.packet);
        vlu::put(to, self.number);
        to.extend_from_slice(self.octets);
    }
}

impl<'a> IHello<'a> {
    pub(super) fn read(mut reader: Reader<'a>) -> Option<Self> {
        Some(IHello { discriminator: reader.sized()?, tag: reader.rest() })
    }

    pub(super) fn put(&self, to: &mut Vec<u8>) {
        put_sized(to, self.discriminator);
        to.extend_from_slice(self.tag);
    }
}

impl<'a> FIHello<'a> {
    pub(super) fn read(mut reader: Reader<'a>) -> Option<Self> {
        let discriminator = reader.sized()?;
        let reply_to = Address::read(&mut reader)?;
        Some(FIHello { discriminator, reply_to, tag: reader.rest() })
    }

    pub(super) fn put(&self, to: &mut Vec<u8>) {
        put_sized(to, self.discriminator);
        self.reply_to.put(to);
        to.extend_from_slice(self.tag);
    }
}

impl<'a> RHello<'a> {
    pub(super) fn read(mut reader: Reader<'a>) -> Option<Self> {
        let (tag_echo, cookie) = (reader.sized()?, reader.sized()?);
        Some(RHello { tag_echo, cookie, certificate: reader.rest() })
    }

    pub(super) fn put(&self, to: &mut Vec<u8>) {
        put_sized(to, self.tag_echo);
        put_sized(to, self.cookie);
        to.extend_from_slice(self.certificate);
    }
}

impl<'a> Redirect<'a> {
    pub(super) fn read(mut reader: Reader<'a>) -> Option<Self> {
        let tag_echo = reader.sized()?;
        Some(Redirect { tag_echo, addresses: Addresses::parse(reader.rest())? })
    }

    pub(super) fn put(&self, to: &mut Vec<u8>) {
        put_sized(to, self.tag_echo);
        to.extend_from_slice(self.addresses.octets());
    }
}

impl<'a> CookieChange<'a> {
    pub(super) fn read(mut reader: Reader<'a>) -> Option<Self> {
        Some(CookieChange { old: reader.sized()?, new: reader.rest() })
    }

    pub(super) fn put(&self, to: &mut Vec<u8>) {
        put_sized(to, self.old);
        to.extend_from_slice(self.new);
    }
}

impl<'a> IIKeying<'a> {
    pub(super) fn read(payload: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let session = reader.u32()?;
        let (cookie, certificate) = (reader.sized()?, reader.sized()?);
        let component = reader.sized()?;
        let signature = reader.rest();
        let signed = payload.get(..payload.len() - signature.len())?;
        Some(IIKeying { session, cookie, certificate, component, signature, signed })
    }

    pub(super) fn put(&self, to: &mut Vec<u8>) {
        self.put_signed(to);
        to.extend_from_slice(self.signature);
    }

    /// Appends what the signature covers (initiatorSignedParameters).
    pub fn put_signed(&self, to: &mut Vec<u8>) {
        to.extend(self.session.to_be_bytes());
        put_sized(to, self.cookie);
        put_sized(to, self.certificate);
        put_sized(to, self.component);
    }
}

impl<'a> RIKeying<'a> {
    pub(super) fn read(payload: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(payload);
        let session = reader.u32()?;
        let component = reader.sized()?;
        let signature = reader.rest();
        let signed = payload.get(..payload.len() - signature.len())?;
        Some(RIKeying { session, component, signature, signed })
    }

    pub(super) fn put(&self, to: &mut Vec<u8>) {
        self.put_signed(to);
        to.extend_from_slice(self.signature);
    }

    /// Appends the part of the chunk that the signature covers (responderSignedParametersPortion).
    pub fn put_signed(&self, to: &mut Vec<u8>) {
        to.extend(self.session.to_be_bytes());
        put_sized(to, self.component);
    }
}
