//! The audio codecs that this appliance speaks.

use std::fmt;

/// An audio codec as negotiated in SDP, always mono.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Codec {
    /// Opus, RFC 6716, RTP as in RFC 7587.
    Opus,
    /// G.722 at 64 kbit/s, RFC 3551 section 4.5.2.
    G722,
    /// G.711 A-law, RFC 3551 section 4.5.14.
    Pcma,
    /// G.711 mu-law, RFC 3551 section 4.5.14.
    Pcmu,
}

impl Codec {
    /// Every codec, best sound first.
    pub const ALL: [Codec; 4] = [Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu];

    /// The encoding name in `a=rtpmap`.
    pub const fn name(self) -> &'static str {
        match self {
            Codec::Opus => "opus",
            Codec::G722 => "G722",
            Codec::Pcma => "PCMA",
            Codec::Pcmu => "PCMU",
        }
    }

    /// The RTP clock in Hz. G.722 counts 8000 although it samples at 16000 (RFC 3551 4.5.2).
    pub const fn clock_rate(self) -> u32 {
        match self {
            Codec::Opus => 48_000,
            Codec::G722 | Codec::Pcma | Codec::Pcmu => 8_000,
        }
    }

    /// The rate of the sound itself in Hz.
    pub const fn sample_rate(self) -> u32 {
        match self {
            Codec::Opus => 48_000,
            Codec::G722 => 16_000,
            Codec::Pcma | Codec::Pcmu => 8_000,
        }
    }

    /// The channel count that `a=rtpmap` carries; Opus always says 2 (RFC 7587 section 7).
    pub const fn rtpmap_channels(self) -> Option<u8> {
        match self {
            Codec::Opus => Some(2),
            _ => None,
        }
    }

    /// The payload type that RFC 3551 assigns for good, if any.
    pub const fn static_payload_type(self) -> Option<u8> {
        match self {
            Codec::Opus => None,
            Codec::G722 => Some(9),
            Codec::Pcma => Some(8),
            Codec::Pcmu => Some(0),
        }
    }

    /// The name used in the configuration file and in the call log.
    pub const fn key(self) -> &'static str {
        match self {
            Codec::Opus => "opus",
            Codec::G722 => "g722",
            Codec::Pcma => "pcma",
            Codec::Pcmu => "pcmu",
        }
    }

    /// Looks a codec up by its configuration or `rtpmap` name, in any case.
    pub fn from_name(name: &str) -> Option<Codec> {
        Codec::ALL.into_iter().find(|codec| codec.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}
