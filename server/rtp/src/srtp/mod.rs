//! SRTP and SRTCP (RFC 3711) under keys that a description gave (RFC 4568, RFC 6188).
//!
//! One [`Sealer`] for what leaves and one [`Opener`] for what comes; both work in the caller's
//! buffers and allocate nothing per packet. The replay lists ([`Sources`]), the derivation of session
//! keys ([`derive`]) and the length of a header serve the browser leg too, whose ciphers are others.
//! Absent: key derivation rates, master key identifiers of our own, F8 and suites that do not encrypt.

mod cipher;
mod replay;

pub use cipher::derive;
pub use replay::Sources;

use crate::numbers::{
    HEADER_LENGTH, SRTCP_ENCRYPTED, SRTCP_HEADER, SRTCP_INDEX, SRTCP_TAG, VERSION,
};
use base::{MasterKey, SrtpSuite};
use cipher::Keys;
use std::fmt;

/// The length of header, CSRC list and extension; `None` for what is no RTP.
pub fn header_length(packet: &[u8]) -> Option<usize> {
    let first = *packet.first()?;
    if first >> 6 != VERSION {
        return None;
    }
    let mut length = HEADER_LENGTH + usize::from(first & 0x0f) * 4;
    if first & 0x10 != 0 {
        let words = packet.get(length + 2..length + 4)?;
        length += 4 + usize::from(u16::from_be_bytes([*words.first()?, *words.get(1)?])) * 4;
    }
    (length <= packet.len()).then_some(length)
}

fn ssrc_at(packet: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(packet.get(at..at + 4)?.try_into().ok()?))
}

/// Protects what leaves under one master key.
pub struct Sealer {
    tag: usize,
    rtp: Keys,
    rtcp: Keys,
    /// The SRTCP index of the next compound.
    rtcp_next: u32,
}

impl Sealer {
    /// The session keys of a master key; `None` for a key that is not the suite's.
    pub fn new(suite: SrtpSuite, key: &MasterKey) -> Option<Sealer> {
        let (key, salt) = (key.reveal_key(), key.reveal_salt());
        if key.len() != suite.key_length() {
            return None;
        }
        let (rtp, rtcp) = (Keys::new(key, salt, false)?, Keys::new(key, salt, true)?);
        Some(Sealer { tag: suite.tag_length(), rtp, rtcp, rtcp_next: 0 })
    }

    /// The SRTCP index of the next compound.
    pub fn next_compound(&self) -> u32 {
        self.rtcp_next
    }

    /// Goes on with this SRTCP index, for a key that may have been used before.
    pub fn go_on_from(&mut self, compound: u32) {
        self.rtcp_next = compound;
    }

    /// The octets that a packet grows by.
    pub fn growth(&self) -> usize {
        self.tag
    }

    /// Protects the packet in the first `length` octets of a buffer, in place, and gives its new
    /// length. `index` is rollover counter and sequence number; one of a source may be used once
    /// only. `None` where the tag has no room, or for no packet.
    pub fn seal(&mut self, index: u64, buffer: &mut [u8], length: usize) -> Option<usize> {
        let (packet, rest) = buffer.split_at_mut_checked(length)?;
        let tag = rest.get_mut(..self.tag)?;
        let (head, ssrc) = (header_length(packet)?, ssrc_at(packet, 8)?);
        self.rtp.apply(ssrc, index, packet.get_mut(head..)?);
        self.rtp.sign([packet, &rollover(index)], tag);
        Some(length + self.tag)
    }

    /// Protects one RTCP compound in place; false for what is none, and after 2^31 of them.
    pub fn seal_rtcp(&mut self, compound: &mut Vec<u8>) -> bool {
        let index = self.rtcp_next;
        let Some(ssrc) = ssrc_at(compound, 4) else { return false };
        let Some(next) = index.checked_add(1).filter(|next| next & SRTCP_ENCRYPTED == 0) else {
            return false;
        };
        self.rtcp_next = next;
        if let Some(text) = compound.get_mut(SRTCP_HEADER..) {
            self.rtcp.apply(ssrc, index.into(), text);
        }
        compound.extend((index | SRTCP_ENCRYPTED).to_be_bytes());
        let mut tag = [0; SRTCP_TAG];
        self.rtcp.sign([compound, &[]], &mut tag);
        compound.extend(tag);
        true
    }
}

/// Opens what comes under one master key.
pub struct Opener {
    tag: usize,
    /// Octets of the master key identifier that the peer puts before its tags, 0 without one.
    identifier: usize,
    rtp: Keys,
    rtcp: Keys,
    sources: Sources,
    rtcp_sources: Sources,
    /// What came under the key before: a peer may go on counting rollovers (RFC 3711 3.3.1).
    before: Option<Sources>,
}

impl Opener {
    /// The session keys of a master key; `None` for a key that is not the suite's.
    pub fn new(suite: SrtpSuite, key: &MasterKey, identifier: usize) -> Option<Opener> {
        let (key, salt) = (key.reveal_key(), key.reveal_salt());
        if key.len() != suite.key_length() {
            return None;
        }
        Some(Opener {
            tag: suite.tag_length(),
            identifier,
            rtp: Keys::new(key, salt, false)?,
            rtcp: Keys::new(key, salt, true)?,
            sources: Sources::default(),
            rtcp_sources: Sources::default(),
            before: None,
        })
    }

    /// Takes the rollover counters of the key before, for a peer that keeps them.
    pub fn follow(&mut self, before: Opener) {
        self.before = Some(before.sources);
    }

    /// Opens one packet into `out` and gives it, header included. `None` for what is not authentic,
    /// a repetition, too old, no RTP, or longer than `out`.
    pub fn open<'o>(&mut self, packet: &[u8], out: &'o mut [u8]) -> Option<&'o [u8]> {
        let head = header_length(packet)?;
        let ssrc = ssrc_at(packet, 8)?;
        let sequence = u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]);
        let length = packet.len().checked_sub(self.tag + self.identifier)?;
        let (signed, tag) = (packet.get(..length)?, packet.get(length + self.identifier..)?);
        let genuine = |index: &u64| self.rtp.verify([signed, &rollover(*index)], tag);
        let index = self.sources.index_of(ssrc, sequence)?;
        let index = Some(index).filter(genuine).or_else(|| {
            let before = self.before.as_ref().filter(|b| b.knows(ssrc))?;
            let kept = before.index_of(ssrc, sequence)?;
            Some(kept).filter(|kept| !self.sources.knows(ssrc) && genuine(kept))
        })?;
        let out = out.get_mut(..length)?;
        out.copy_from_slice(signed);
        self.rtp.apply(ssrc, index, out.get_mut(head..)?);
        self.sources.seen(ssrc, index);
        Some(out)
    }

    /// Opens one SRTCP packet into `out` and gives the compound.
    pub fn open_rtcp<'o>(&mut self, packet: &[u8], out: &'o mut [u8]) -> Option<&'o [u8]> {
        let ssrc = ssrc_at(packet, 4)?;
        let signed = packet.len().checked_sub(SRTCP_TAG + self.identifier)?;
        let (signed, tag) = (packet.get(..signed)?, packet.get(signed + self.identifier..)?);
        let length = signed.len().checked_sub(SRTCP_INDEX).filter(|n| *n >= SRTCP_HEADER)?;
        let word = u32::from_be_bytes(signed.get(length..)?.try_into().ok()?);
        // Reports in the clear would have to be agreed on (RFC 4568 section 6.3.2), which we do not.
        if word & SRTCP_ENCRYPTED == 0 {
            return None;
        }
        let index = u64::from(word & !SRTCP_ENCRYPTED);
        if !self.rtcp_sources.is_new(ssrc, index) || !self.rtcp.verify([signed, &[]], tag) {
            return None;
        }
        let out = out.get_mut(..length)?;
        out.copy_from_slice(signed.get(..length)?);
        self.rtcp.apply(ssrc, index, out.get_mut(SRTCP_HEADER..)?);
        self.rtcp_sources.seen(ssrc, index);
        Some(out)
    }
}

/// The rollover counter of an index, as it is signed behind the packet.
fn rollover(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer")
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opener")
    }
}

#[cfg(test)]
mod tests;
