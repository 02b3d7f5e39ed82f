//! RTP formats: `rtpmap`, `fmtp` and the payload types that RFC 3551 assigns.

use base::Codec;

/// Our own `fmtp` of Opus: mono both ways, with in-band FEC (RFC 7587 section 6.1).
pub const OPUS_FMTP: &str = "useinbandfec=1;stereo=0;sprop-stereo=0;minptime=10";

/// The payload type of comfort noise (RFC 3551 table 4).
pub(crate) const COMFORT_NOISE: u8 = 13;

/// One format of an `m=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Format {
    /// The payload type, 0 to 127.
    pub payload_type: u8,
    /// The encoding name, empty for an unassigned number without `rtpmap`.
    pub name: String,
    /// The clock rate in Hz, 0 where unknown.
    pub clock_rate: u32,
    /// The channels that `rtpmap` names.
    pub channels: Option<u8>,
    /// The format's parameters, as written.
    pub fmtp: Option<String>,
}

impl Format {
    /// A payload type as RFC 3551 table 4 assigns it, before any `rtpmap`.
    pub(crate) fn assigned(payload_type: u8) -> Format {
        let (name, clock_rate) = match payload_type {
            0 => ("PCMU", 8000),
            3 => ("GSM", 8000),
            4 => ("G723", 8000),
            8 => ("PCMA", 8000),
            9 => ("G722", 8000),
            COMFORT_NOISE => ("CN", 8000),
            15 => ("G728", 8000),
            18 => ("G729", 8000),
            26 => ("JPEG", 90_000),
            31 => ("H261", 90_000),
            34 => ("H263", 90_000),
            _ => ("", 0),
        };
        Format { payload_type, name: name.to_owned(), clock_rate, channels: None, fmtp: None }
    }

    /// Takes `<name>/<rate>[/<channels>]` of an `rtpmap`; a broken one changes nothing.
    pub(crate) fn map(&mut self, value: &str) {
        let mut parts = value.split('/').map(str::trim);
        let (Some(name), Some(Ok(rate))) = (parts.next(), parts.next().map(str::parse::<u32>))
        else {
            return;
        };
        self.name = name.to_owned();
        self.clock_rate = rate;
        self.channels = parts.next().and_then(|channels| channels.parse().ok());
    }

    /// The codec, if it is one of ours at its own clock rate. G.722 is taken at 16000 too, which
    /// many write in spite of RFC 3551 section 4.5.2.
    pub fn codec(&self) -> Option<Codec> {
        let clock_rate = match self.clock_rate {
            16_000 if self.name.eq_ignore_ascii_case(Codec::G722.name()) => 8_000,
            clock_rate => clock_rate,
        };
        let codec = Codec::from_rtpmap(&self.name, clock_rate)?;
        let channels_fit = codec == Codec::Opus || self.channels.unwrap_or(1) == 1;
        channels_fit.then_some(codec)
    }

    /// Whether it is comfort noise under its fixed number (RFC 3389 section 4).
    pub fn is_comfort_noise(&self) -> bool {
        let named = self.name.eq_ignore_ascii_case("CN") && self.clock_rate == 8000;
        self.payload_type == COMFORT_NOISE && named
    }

    /// The clock rate, if it is a telephone event (RFC 4733) at a rate that is spoken here.
    pub fn telephone_event(&self) -> Option<u32> {
        let known = self.name.eq_ignore_ascii_case("telephone-event")
            && matches!(self.clock_rate, 8000 | 16_000 | 48_000);
        known.then_some(self.clock_rate)
    }
}

/// What the receiver of Opus asks for (RFC 7587 section 6.1). The defaults are those of the RFC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpusParameters {
    /// In-band FEC is of use.
    pub use_inband_fec: bool,
    /// Discontinuous transmission is wanted.
    pub use_dtx: bool,
    /// Stereo is preferred.
    pub stereo: bool,
    /// A constant bit rate is wanted.
    pub cbr: bool,
    /// The highest average bit rate in bit/s.
    pub max_average_bitrate: Option<u32>,
    /// The highest sample rate in Hz that makes sense.
    pub max_playback_rate: Option<u32>,
    /// The shortest packet in ms that is of use.
    pub min_ptime: Option<u32>,
}

impl OpusParameters {
    /// Reads an `fmtp`; unknown and broken parameters are stepped over.
    pub fn parse(fmtp: &str) -> OpusParameters {
        let mut parameters = OpusParameters::default();
        for part in fmtp.split(';') {
            let Some((name, value)) = part.split_once('=') else { continue };
            let Ok(value) = value.trim().parse::<u32>() else { continue };
            match name.trim().to_ascii_lowercase().as_str() {
                "useinbandfec" => parameters.use_inband_fec = value == 1,
                "usedtx" => parameters.use_dtx = value == 1,
                "stereo" => parameters.stereo = value == 1,
                "cbr" => parameters.cbr = value == 1,
                "maxaveragebitrate" => {
                    parameters.max_average_bitrate = Some(value.clamp(6000, 510_000));
                }
                "maxplaybackrate" => parameters.max_playback_rate = Some(value),
                "minptime" => parameters.min_ptime = Some(value),
                _ => {}
            }
        }
        parameters
    }
}
