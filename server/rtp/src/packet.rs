//! RTP packets: a header read in place, and one written into a caller's buffer (RFC 3550 5.1).

use crate::numbers::{HEADER_LENGTH, RTCP_TYPES, VERSION};

/// One RTP packet, borrowed from the datagram. CSRC list, header extension and padding are checked
/// and stepped over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Payload type, 0 to 127.
    pub payload_type: u8,
    /// The marker bit; for audio the first packet of a talk spurt.
    pub marker: bool,
    /// Sequence number modulo 2^16.
    pub sequence: u16,
    /// Timestamp in units of the payload's clock rate, modulo 2^32.
    pub timestamp: u32,
    /// Synchronisation source.
    pub ssrc: u32,
    /// What is left between header and padding.
    pub payload: &'a [u8],
}

/// Why a datagram is no RTP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketError {
    /// It ends inside of the header, the CSRC list or the extension.
    TooShort,
    /// The version is not 2.
    Version,
    /// The second octet belongs to RTCP (RFC 5761 section 4).
    Rtcp,
    /// The padding count is zero or longer than what is left.
    Padding,
}

impl std::fmt::Display for PacketError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            PacketError::TooShort => "the RTP packet is cut short",
            PacketError::Version => "the RTP version is not 2",
            PacketError::Rtcp => "this is RTCP",
            PacketError::Padding => "the RTP padding is longer than the packet",
        })
    }
}

impl std::error::Error for PacketError {}

/// Whether a datagram on a shared port is RTCP rather than RTP (RFC 5761 section 4).
pub fn is_rtcp(datagram: &[u8]) -> bool {
    matches!(datagram, [first, second, ..] if first >> 6 == VERSION && RTCP_TYPES.contains(second))
}

impl<'a> Packet<'a> {
    /// Reads one packet; the payload stays where it is.
    ///
    /// # Errors
    /// [`PacketError`] for anything that RFC 3550 A.1 calls invalid.
    pub fn parse(datagram: &'a [u8]) -> Result<Packet<'a>, PacketError> {
        let (head, rest) =
            datagram.split_first_chunk::<HEADER_LENGTH>().ok_or(PacketError::TooShort)?;
        let [v, m, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] = *head;
        if v >> 6 != VERSION {
            return Err(PacketError::Version);
        }
        if RTCP_TYPES.contains(&m) {
            return Err(PacketError::Rtcp);
        }
        let contributors = usize::from(v & 0x0f) * 4;
        let mut payload = rest.get(contributors..).ok_or(PacketError::TooShort)?;
        if v & 0x10 != 0 {
            let ([_, _, l0, l1], after) =
                payload.split_first_chunk::<4>().ok_or(PacketError::TooShort)?;
            let length = usize::from(u16::from_be_bytes([*l0, *l1])) * 4;
            payload = after.get(length..).ok_or(PacketError::TooShort)?;
        }
        if v & 0x20 != 0 {
            // The count includes itself, so zero is as wrong as one that is too great.
            let count = usize::from(*payload.last().ok_or(PacketError::Padding)?);
            let left = payload.len().checked_sub(count).ok_or(PacketError::Padding)?;
            if count == 0 {
                return Err(PacketError::Padding);
            }
            payload = payload.get(..left).unwrap_or_default();
        }
        Ok(Packet {
            payload_type: m & 0x7f,
            marker: m & 0x80 != 0,
            sequence: u16::from_be_bytes([s0, s1]),
            timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
            payload,
        })
    }

    /// Writes header and payload to the start of `out` and returns the length in octets, or `None`
    /// where `out` is too small. Nothing is allocated.
    pub fn write(&self, out: &mut [u8]) -> Option<usize> {
        let length = HEADER_LENGTH + self.payload.len();
        let out = out.get_mut(..length)?;
        let (head, body) = out.split_first_chunk_mut::<HEADER_LENGTH>()?;
        let [s0, s1] = self.sequence.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [c0, c1, c2, c3] = self.ssrc.to_be_bytes();
        let second = (self.payload_type & 0x7f) | (u8::from(self.marker) << 7);
        *head = [VERSION << 6, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3];
        body.copy_from_slice(self.payload);
        Some(length)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PACKET: Packet<'static> = Packet {
        payload_type: 8,
        marker: true,
        sequence: 0xfffe,
        timestamp: 0x0102_0304,
        ssrc: 0xdead_beef,
        payload: b"sound",
    };

    #[test]
    fn a_written_packet_reads_back() {
        let mut buffer = [0; 64];
        let length = PACKET.write(&mut buffer).unwrap();
        assert_eq!(length, 17);
        assert_eq!(buffer[..4], [0x80, 0x88, 0xff, 0xfe]);
        assert_eq!(Packet::parse(&buffer[..length]), Ok(PACKET));
        assert_eq!(PACKET.write(&mut buffer[..16]), None);
    }

    #[test]
    fn csrc_extension_and_padding_are_stepped_over() {
        let mut wire = vec![0x80 | 0x20 | 0x10 | 2, 8];
        wire.extend([0, 1, 0, 0, 0, 2, 0, 0, 0, 3]);
        wire.extend([9; 8]); // two CSRCs
        wire.extend([0xbe, 0xde, 0, 1, 7, 7, 7, 7]); // an extension of one word
        wire.extend(*b"abc");
        wire.extend([0, 0, 3]);
        let packet = Packet::parse(&wire).unwrap();
        assert_eq!((packet.payload, packet.sequence, packet.ssrc), (&b"abc"[..], 1, 3));
    }

    #[test]
    fn every_cut_and_every_wrong_length_is_refused() {
        let mut wire = vec![0x80 | 0x10 | 1, 0];
        wire.extend([0; 10]);
        wire.extend([0; 4]);
        wire.extend([0, 0, 0, 1, 1, 1, 1, 1]);
        assert!(Packet::parse(&wire).is_ok());
        for length in 0..wire.len() {
            assert_eq!(Packet::parse(&wire[..length]), Err(PacketError::TooShort), "{length}");
        }
        let padded = |count| [&[0xa0, 0][..], &[0; 10], &[1, 2, count]].concat();
        assert_eq!(Packet::parse(&padded(0)), Err(PacketError::Padding));
        assert_eq!(Packet::parse(&padded(4)), Err(PacketError::Padding));
        assert_eq!(Packet::parse(&padded(3)).unwrap().payload, b"");
        assert_eq!(Packet::parse(&[0x40; 12]), Err(PacketError::Version));
    }

    #[test]
    fn rtcp_on_a_shared_port_is_told_apart() {
        let report = [0x81, 200, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0];
        assert!(is_rtcp(&report));
        assert_eq!(Packet::parse(&report), Err(PacketError::Rtcp));
        assert!(!is_rtcp(&[0x80, 0x88, 0, 0]));
        assert!(!is_rtcp(&[0x80]));
    }
}
