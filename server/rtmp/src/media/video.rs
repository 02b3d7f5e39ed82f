//! Video tags (E.4.3.1): frame type and codec, then H.264 (AVC) packets or Sorenson H.263.

/// What a picture needs to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameType {
    /// Nothing.
    Key,
    /// The pictures before it.
    Inter,
    /// The pictures before it, and none after needs this one (H.263 only).
    Disposable,
    /// Any other: its nibble.
    Other(u8),
}

/// How a picture is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VideoCodec {
    /// Sorenson H.263.
    Sorenson,
    /// H.264.
    Avc,
    /// Any other: its nibble.
    Other(u8),
}

/// A video message's payload, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VideoTag<'a> {
    /// What the picture needs.
    pub frame: FrameType,
    /// How it is encoded.
    pub codec: VideoCodec,
    /// What follows the tag octet.
    pub body: &'a [u8],
}

impl<'a> VideoTag<'a> {
    /// Reads a payload. `None`: it is empty.
    pub fn parse(payload: &'a [u8]) -> Option<VideoTag<'a>> {
        let (octet, body) = payload.split_first()?;
        let frame = match octet >> 4 {
            1 => FrameType::Key,
            2 => FrameType::Inter,
            3 => FrameType::Disposable,
            other => FrameType::Other(other),
        };
        let codec = match octet & 0x0f {
            2 => VideoCodec::Sorenson,
            7 => VideoCodec::Avc,
            other => VideoCodec::Other(other),
        };
        Some(VideoTag { frame, codec, body })
    }
}

/// The body of an AVC tag (E.4.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AvcPacket<'a> {
    /// Type 0: an `AVCDecoderConfigurationRecord`.
    Configuration(&'a [u8]),
    /// Type 1: NAL units, each behind its length.
    Units {
        /// When to show the picture, milliseconds after the message's timestamp.
        composition: i32,
        /// [`nal_units`] takes them apart.
        units: &'a [u8],
    },
    /// Type 2: no more pictures for now.
    End,
}

impl<'a> AvcPacket<'a> {
    /// Reads the body of an AVC tag. `None`: cut short, or another type.
    pub fn parse(body: &'a [u8]) -> Option<AvcPacket<'a>> {
        let ([kind, c0, c1, c2], rest) = body.split_first_chunk::<4>()?;
        match kind {
            0 => Some(AvcPacket::Configuration(rest)),
            1 => {
                // 24 bits with a sign.
                let composition = i32::from_be_bytes([*c0, *c1, *c2, 0]) >> 8;
                Some(AvcPacket::Units { composition, units: rest })
            }
            2 => Some(AvcPacket::End),
            _ => None,
        }
    }
}

/// An `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15 section 5.2.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AvcConfiguration<'a> {
    /// Profile, constraints and level: what SDP calls `profile-level-id` (RFC 6184 8.1).
    pub profile_level: [u8; 3],
    /// Octets of the length before each NAL unit: 1, 2 or 4.
    pub length_size: usize,
    sequence: &'a [u8],
    picture: &'a [u8],
}

impl<'a> AvcConfiguration<'a> {
    /// Reads a record. `None`: cut short, another version, or a length of three octets.
    pub fn parse(record: &'a [u8]) -> Option<AvcConfiguration<'a>> {
        let ([1, profile, constraints, level, size, count], rest) =
            record.split_first_chunk::<6>()?
        else {
            return None;
        };
        let length_size = usize::from(size & 0b11) + 1;
        let (sequence, rest) = sets(rest, usize::from(count & 0x1f))?;
        let (count, rest) = rest.split_first()?;
        // What follows for the high profiles is not needed here.
        let (picture, _) = sets(rest, usize::from(*count))?;
        let profile_level = [*profile, *constraints, *level];
        let record = AvcConfiguration { profile_level, length_size, sequence, picture };
        (length_size != 3).then_some(record)
    }

    /// Sequence parameter sets.
    pub fn sequence_sets(&self) -> impl Iterator<Item = &'a [u8]> {
        nal_units(self.sequence, 2)
    }

    /// Picture parameter sets.
    pub fn picture_sets(&self) -> impl Iterator<Item = &'a [u8]> {
        nal_units(self.picture, 2)
    }
}

/// That many sets behind lengths of 16 bits, and what follows them.
fn sets(octets: &[u8], count: usize) -> Option<(&[u8], &[u8])> {
    let mut end = 0;
    for _ in 0..count {
        let length = octets.get(end..)?.first_chunk::<2>()?;
        end += 2 + usize::from(u16::from_be_bytes(*length));
    }
    octets.split_at_checked(end)
}

/// The units that stand each behind a length of `length_size` octets; one that is cut short ends
/// the list.
pub fn nal_units(units: &[u8], length_size: usize) -> impl Iterator<Item = &[u8]> {
    let mut rest = units;
    std::iter::from_fn(move || {
        let (head, tail) = rest.split_at_checked(length_size.max(1))?;
        let length = head.iter().fold(0_usize, |sum, octet| sum << 8 | usize::from(*octet));
        let (unit, after) = tail.split_at_checked(length)?;
        rest = after;
        Some(unit)
    })
}

/// The head of a Sorenson H.263 picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SorensonHeader {
    /// 0 or 1.
    pub version: u8,
    /// Counts pictures, modulo 256.
    pub temporal_reference: u8,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// What the picture needs.
    pub frame: FrameType,
}

impl SorensonHeader {
    /// Reads the body of a Sorenson tag. `None`: cut short, no start code, or a reserved size.
    pub fn parse(body: &[u8]) -> Option<SorensonHeader> {
        let mut at = 0;
        let mut take = |count: usize| {
            let bits = (at..at + count).try_fold(0_u32, |number, at| {
                Some(number << 1 | u32::from(body.get(at / 8)? >> (7 - at % 8) & 1))
            });
            at += count;
            bits
        };
        if take(17)? != 1 {
            return None;
        }
        let version = take(5)? as u8;
        let temporal_reference = take(8)? as u8;
        let (width, height) = match take(3)? {
            0 => (take(8)?, take(8)?),
            1 => (take(16)?, take(16)?),
            2 => (352, 288),
            3 => (176, 144),
            4 => (128, 96),
            5 => (320, 240),
            6 => (160, 120),
            _ => return None,
        };
        let frame = match take(2)? {
            0 => FrameType::Key,
            1 => FrameType::Inter,
            2 => FrameType::Disposable,
            other => FrameType::Other(other as u8),
        };
        let (width, height) = (width as u16, height as u16);
        Some(SorensonHeader { version, temporal_reference, width, height, frame })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_avc_configuration_is_taken_apart() {
        let payload = [
            0x17, 0, 0, 0, 0, // key frame, AVC, configuration, no composition time
            1, 0x42, 0xc0, 0x1f, 0xff, // version, profile, constraints, level, length size 4
            0xe1, 0, 4, 0x67, 0x42, 0xc0, 0x1f, // one sequence set
            1, 0, 3, 0x68, 0xce, 0x3c, // one picture set
        ];
        let tag = VideoTag::parse(&payload).unwrap();
        assert_eq!((tag.frame, tag.codec), (FrameType::Key, VideoCodec::Avc));
        let Some(AvcPacket::Configuration(record)) = AvcPacket::parse(tag.body) else { panic!() };
        let record = AvcConfiguration::parse(record).unwrap();
        assert_eq!((record.profile_level, record.length_size), ([0x42, 0xc0, 0x1f], 4));
        let sequence: Vec<_> = record.sequence_sets().collect();
        let picture: Vec<_> = record.picture_sets().collect();
        assert_eq!(sequence, [&[0x67, 0x42, 0xc0, 0x1f][..]]);
        assert_eq!(picture, [&[0x68, 0xce, 0x3c][..]]);
        for end in 0..16 {
            assert_eq!(AvcConfiguration::parse(&payload[5..5 + end]), None, "{end}");
        }
    }

    #[test]
    fn nal_units_are_found_by_their_lengths() {
        let payload = [0x27, 1, 0xff, 0xff, 0xd8, 0, 0, 0, 2, 0x41, 9, 0, 0, 0, 1, 0x06, 0, 0, 9];
        let tag = VideoTag::parse(&payload).unwrap();
        assert_eq!(tag.frame, FrameType::Inter);
        let Some(AvcPacket::Units { composition, units }) = AvcPacket::parse(tag.body) else {
            panic!()
        };
        assert_eq!(composition, -40);
        let units: Vec<_> = nal_units(units, 4).collect();
        assert_eq!(units, [&[0x41, 9][..], &[0x06]]);
        assert_eq!(AvcPacket::parse(&[2, 0, 0, 0]), Some(AvcPacket::End));
        assert_eq!(AvcPacket::parse(&[1, 0, 0]), None);
    }

    #[test]
    fn sorenson_heads_tell_size_and_frame_type() {
        // 17 bits of start code, 5 of version, 8 of time, 3 of size, 2 of type.
        let head = |size: u64, more: u64, bits: u32, frame: u64| {
            let head = ((((1 << 5) << 8 | 7) << 3 | size) << bits | more) << 2 | frame;
            let octets = (head << (64 - 35 - bits)).to_be_bytes();
            SorensonHeader::parse(&octets)
        };
        let sized = |header: Option<SorensonHeader>| {
            header.map(|header| (header.width, header.height, header.frame))
        };
        assert_eq!(sized(head(3, 0, 0, 0)), Some((176, 144, FrameType::Key)));
        assert_eq!(sized(head(5, 0, 0, 1)), Some((320, 240, FrameType::Inter)));
        assert_eq!(sized(head(0, 160 << 8 | 90, 16, 2)), Some((160, 90, FrameType::Disposable)));
        assert_eq!(head(2, 0, 0, 0).map(|header| header.temporal_reference), Some(7));
        assert_eq!(head(7, 0, 0, 0), None);
        assert_eq!(SorensonHeader::parse(&[0, 0, 0x80]), None);
        assert_eq!(SorensonHeader::parse(&[0xff; 9]), None);
        assert_eq!(VideoTag::parse(&[]), None);
    }
}
