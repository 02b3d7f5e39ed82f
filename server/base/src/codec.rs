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
    /// Speex at 16 kHz, RFC 5574: what Flash speaks.
    Speex16,
    /// Speex at 8 kHz, RFC 5574.
    Speex8,
}

impl Codec {
    /// Every codec in the order in which we offer them: best sound first, except that Speex, which
    /// hardly any phone speaks, stands last.
    pub const ALL: [Codec; 6] =
        [Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu, Codec::Speex16, Codec::Speex8];

    /// What browsers speak over WebRTC, best sound first.
    pub const OF_BROWSERS: [Codec; 4] = [Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu];

    /// The encoding name in `a=rtpmap`.
    pub const fn name(self) -> &'static str {
        match self {
            Codec::Opus => "opus",
            Codec::G722 => "G722",
            Codec::Pcma => "PCMA",
            Codec::Pcmu => "PCMU",
            // The clock tells them apart.
            Codec::Speex16 | Codec::Speex8 => "speex",
        }
    }

    /// The RTP clock in Hz. G.722 counts 8000 although it samples at 16000 (RFC 3551 4.5.2).
    pub const fn clock_rate(self) -> u32 {
        match self {
            Codec::Opus => 48_000,
            Codec::Speex16 => 16_000,
            Codec::G722 | Codec::Pcma | Codec::Pcmu | Codec::Speex8 => 8_000,
        }
    }

    /// The rate of the sound itself in Hz.
    pub const fn sample_rate(self) -> u32 {
        match self {
            Codec::Opus => 48_000,
            Codec::G722 | Codec::Speex16 => 16_000,
            Codec::Pcma | Codec::Pcmu | Codec::Speex8 => 8_000,
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
            Codec::Opus | Codec::Speex16 | Codec::Speex8 => None,
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
            Codec::Speex16 => "speex16",
            Codec::Speex8 => "speex8",
        }
    }

    /// Whether browsers speak it.
    pub fn is_of_browsers(self) -> bool {
        Codec::OF_BROWSERS.contains(&self)
    }

    /// Looks a codec up by the name and clock rate in an `a=rtpmap`; the name in any case.
    pub fn from_rtpmap(name: &str, clock_rate: u32) -> Option<Codec> {
        Codec::ALL.into_iter().find(|codec| {
            codec.clock_rate() == clock_rate && codec.name().eq_ignore_ascii_case(name)
        })
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_codec_is_found_by_its_rtpmap_and_speex_by_its_clock() {
        for codec in Codec::ALL {
            let name = codec.name().to_uppercase();
            assert_eq!(Codec::from_rtpmap(&name, codec.clock_rate()), Some(codec));
        }
        assert_eq!(Codec::from_rtpmap("speex", 16_000), Some(Codec::Speex16));
        assert_eq!(Codec::from_rtpmap("speex", 8_000), Some(Codec::Speex8));
        assert_eq!(Codec::from_rtpmap("speex", 32_000), None);
        assert_eq!(Codec::from_rtpmap("PCMA", 16_000), None);
    }

    #[test]
    fn browsers_have_all_but_speex() {
        let rest: Vec<_> = Codec::ALL.into_iter().filter(|codec| !codec.is_of_browsers()).collect();
        assert_eq!(rest, [Codec::Speex16, Codec::Speex8]);
    }
}
