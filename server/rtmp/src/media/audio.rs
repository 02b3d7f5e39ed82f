//! Audio tags (E.4.2.1): one octet of codec, rate, size and channels, then the sound.

/// The tag octet of Speex at 16 kHz, as Flash Player writes it.
pub const SPEEX_TAG: u8 = 0xb2;
/// The tag octet of G.711 mu-law at 8 kHz, mono, 16 bits.
pub const MULAW_TAG: u8 = 0x82;
/// The tag octet of G.711 A-law at 8 kHz, mono, 16 bits.
pub const ALAW_TAG: u8 = 0x72;
/// Flash Player encodes G.711 in pieces of 10 ms.
pub const G711_FRAME_LENGTH: usize = 80;
/// Nellymoser comes in blocks of that many octets, 256 samples each.
pub const NELLYMOSER_FRAME_LENGTH: usize = 64;

/// How sound is encoded: the high nibble of the tag. The low nibble is not looked at: Speex and
/// G.711 have one rate each, and senders disagree on the other bits (`0xb2`, `0xb6`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AudioCodec {
    /// Nellymoser at 16 kHz, mono.
    Nellymoser16,
    /// Nellymoser at 8 kHz, mono.
    Nellymoser8,
    /// Nellymoser at the rate of the tag: 11 or 22 or 44 kHz.
    Nellymoser,
    /// G.711 A-law, 8 kHz.
    Alaw,
    /// G.711 mu-law, 8 kHz.
    Mulaw,
    /// Speex, always announced as 16 kHz; a narrow-band frame has no wide-band layer.
    Speex,
    /// AAC: the next octet is 0 for a configuration, 1 for sound.
    Aac,
    /// Any other: its nibble.
    Other(u8),
}

impl AudioCodec {
    /// The codec of a tag octet.
    pub fn of(tag: u8) -> AudioCodec {
        match tag >> 4 {
            4 => AudioCodec::Nellymoser16,
            5 => AudioCodec::Nellymoser8,
            6 => AudioCodec::Nellymoser,
            7 => AudioCodec::Alaw,
            8 => AudioCodec::Mulaw,
            10 => AudioCodec::Aac,
            11 => AudioCodec::Speex,
            nibble => AudioCodec::Other(nibble),
        }
    }
}

/// An audio message's payload, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AudioTag<'a> {
    /// What the sound is encoded with.
    pub codec: AudioCodec,
    /// The tag octet as it was.
    pub octet: u8,
    /// The sound; empty where a microphone is muted or has stopped.
    pub sound: &'a [u8],
}

impl<'a> AudioTag<'a> {
    /// Reads a payload. `None`: it is empty, as happens when a microphone stops.
    pub fn parse(payload: &'a [u8]) -> Option<AudioTag<'a>> {
        let (octet, sound) = payload.split_first()?;
        Some(AudioTag { codec: AudioCodec::of(*octet), octet: *octet, sound })
    }
}

/// The pieces of 10 ms in a G.711 message; the last may be shorter.
pub fn g711_frames(sound: &[u8]) -> impl Iterator<Item = &[u8]> {
    sound.chunks(G711_FRAME_LENGTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_high_nibble_names_the_codec() {
        for low in 0..16 {
            assert_eq!(AudioCodec::of(0xb0 | low), AudioCodec::Speex);
            assert_eq!(AudioCodec::of(0x80 | low), AudioCodec::Mulaw);
            assert_eq!(AudioCodec::of(0x70 | low), AudioCodec::Alaw);
        }
        let nellymoser = [0x42, 0x52, 0x62].map(AudioCodec::of);
        let expected = [AudioCodec::Nellymoser16, AudioCodec::Nellymoser8, AudioCodec::Nellymoser];
        assert_eq!(nellymoser, expected);
        assert_eq!(AudioCodec::of(0x2e), AudioCodec::Other(2));
        assert_eq!(AudioCodec::of(0xaf), AudioCodec::Aac);
    }

    #[test]
    fn muted_messages_are_empty_and_no_error() {
        assert_eq!(AudioTag::parse(&[]), None);
        let tag = AudioTag::parse(&[0xb2]);
        assert_eq!(tag.map(|tag| (tag.codec, tag.sound.len())), Some((AudioCodec::Speex, 0)));
    }

    #[test]
    fn g711_comes_in_pieces_of_ten_milliseconds() {
        let lengths: Vec<_> = g711_frames(&[0; 170]).map(<[u8]>::len).collect();
        assert_eq!(lengths, [80, 80, 10]);
        assert_eq!(g711_frames(&[]).count(), 0);
    }
}
