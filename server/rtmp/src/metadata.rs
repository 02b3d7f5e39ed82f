//! What a flow says of itself when it is opened (RFC 7425 5.1.1).

use crate::numbers::GREATEST_STREAM_ID;

const SIGNATURE: [u8; 2] = *b"TC";
/// The stream ID is present; it must be.
const SID: u8 = 0x04;
/// The receiver may take messages as they arrive in the network.
const RXI: u8 = 0x01;

/// The user metadata of a flow that carries RTMP messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The one stream whose messages the flow carries; 0 is the connection itself.
    pub stream: u32,
    /// A hint: deliver as messages arrive, not in the order in which they were queued.
    pub network_order: bool,
}

impl Metadata {
    /// Reads metadata. `None`: another kind of flow, to be rejected.
    pub fn parse(octets: &[u8]) -> Option<Metadata> {
        let [a, b, flags, rest @ ..] = octets else { return None };
        if [*a, *b] != SIGNATURE || flags & SID == 0 {
            return None;
        }
        // A variable length unsigned integer (RFC 7016 2.1.2): leading zeros are legal, so the
        // length alone says nothing.
        let mut stream = 0;
        for octet in rest {
            stream = stream << 7 | u32::from(octet & 0x7f);
            if stream > GREATEST_STREAM_ID {
                return None;
            }
            if octet & 0x80 == 0 {
                return Some(Metadata { stream, network_order: flags & RXI != 0 });
            }
        }
        None
    }

    /// The octets of the metadata, three and as many as the stream ID needs.
    pub fn encode(&self) -> Vec<u8> {
        let mut octets = Vec::with_capacity(7);
        octets.extend(SIGNATURE);
        octets.push(SID | if self.network_order { RXI } else { 0 });
        let stream = self.stream & GREATEST_STREAM_ID;
        for shift in [21, 14, 7] {
            if stream >> shift != 0 {
                octets.push((stream >> shift) as u8 & 0x7f | 0x80);
            }
        }
        octets.push(stream as u8 & 0x7f);
        octets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_metadata_is_read_and_written() {
        let control = Metadata { stream: 0, network_order: false };
        let stream = Metadata { stream: 1, network_order: false };
        assert_eq!(Metadata::parse(&[0x54, 0x43, 0x04, 0x00]), Some(control));
        assert_eq!(control.encode(), [0x54, 0x43, 0x04, 0x00]);
        assert_eq!(stream.encode(), [0x54, 0x43, 0x04, 0x01]);
    }

    #[test]
    fn every_length_of_stream_id_reads_back() {
        for stream in [0, 1, 0x7f, 0x80, 0x3fff, 0x4000, 0x1f_ffff, 0x20_0000, GREATEST_STREAM_ID] {
            for network_order in [false, true] {
                let metadata = Metadata { stream, network_order };
                assert_eq!(Metadata::parse(&metadata.encode()), Some(metadata));
            }
        }
        let padded = [0x54, 0x43, 0xfd, 0x80, 0x80, 0x80, 0x80, 0x80, 0x05];
        assert_eq!(Metadata::parse(&padded), Some(Metadata { stream: 5, network_order: true }));
    }

    #[test]
    fn other_flows_and_impossible_stream_ids_are_refused() {
        for octets in [
            &b""[..],
            b"TC",
            b"TC\x04",
            b"TC\x04\x80",
            b"TC\x00\x01",
            b"GC\x04\x01",
            b"TC\x04\x88\x80\x80\x00",
            b"TC\x04\xff\xff\xff\xff\xff\xff\x7f",
        ] {
            assert_eq!(Metadata::parse(octets), None, "{octets:02x?}");
        }
    }
}
