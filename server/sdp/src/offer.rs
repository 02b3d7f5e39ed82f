//! Our offer, and what its answer means (RFC 3264 sections 5, 7 and 8).

use crate::SdpError;
use crate::crypto::{self, Encryption, OwnKeys};
use crate::model::{Direction, Kind, Session};
use crate::negotiated::{Common, Negotiated};
use crate::write::Description;
use base::Codec;
use std::net::IpAddr;

/// Our payload types of telephone events at their clock rates; 101 is what the field expects.
const EVENTS: [(u32, u8); 3] = [(8000, 101), (48_000, 110), (16_000, 112)];

/// Our payload type of a codec, where no earlier description says otherwise.
fn usual(codec: Codec) -> u8 {
    codec.static_payload_type().unwrap_or(match codec {
        // As RFC 5574 section 5.7 numbers the two.
        Codec::Speex16 => 97,
        Codec::Speex8 => 98,
        _ => 111,
    })
}

/// What an offer is made of.
#[derive(Clone, Copy, Debug)]
pub struct OfferSettings<'a> {
    /// The address that the peer reaches us at.
    pub address: IpAddr,
    /// The RTP port.
    pub port: u16,
    /// The RTCP port; `None` means the next one.
    pub rtcp_port: Option<u16>,
    /// Offer RTCP on the port of RTP too.
    pub rtcp_mux: bool,
    /// Whether sound is encrypted.
    pub encryption: Encryption,
    /// Our keys of this dialog.
    pub keys: &'a OwnKeys,
    /// Codecs in the order of preference.
    pub codecs: &'a [Codec],
    /// The packet time in ms that we want to receive.
    pub ptime: u32,
    /// A number for `o=`, the same for the whole dialog.
    pub session_id: u64,
    /// The version for `o=`: one more than that of our description before, if anything changed.
    pub version: u64,
    /// Who may send, from our side.
    pub direction: Direction,
    /// What was agreed before in the same dialog: payload types and `m=` lines stay what they were
    /// (RFC 3264 section 8).
    pub previous: Option<&'a Negotiated>,
}

/// An offer on its way.
#[derive(Clone, PartialEq, Eq)]
pub struct Offer {
    octets: Vec<u8>,
    address: IpAddr,
    port: u16,
    rtcp_port: Option<u16>,
    rtcp_mux: bool,
    ptime: u32,
    session_id: u64,
    version: u64,
    direction: Direction,
    encryption: Encryption,
    keys: OwnKeys,
    /// Our keys as lines.
    crypto: Vec<String>,
    protocol: &'static str,
    codecs: Vec<(Codec, u8)>,
    telephone_events: Vec<(u32, u8)>,
    audio_index: usize,
    layout: Vec<[String; 3]>,
}

impl std::fmt::Debug for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Its text has our keys.
        write!(f, "Offer({})", self.version)
    }
}

impl Offer {
    /// Builds an offer of one audio stream with telephone events at 8000 Hz, and at 48000 and 16000
    /// Hz too where Opus and wide Speex are among the codecs (RFC 4733 section 2.5.1.2).
    pub fn build(settings: &OfferSettings<'_>) -> Offer {
        let mut numbers = Numbers::new(settings.previous);
        let mut codecs: Vec<(Codec, u8)> = Vec::new();
        for &codec in settings.codecs {
            if codecs.iter().all(|entry| entry.0 != codec) {
                codecs.push((codec, numbers.codec(codec, usual(codec))));
            }
        }
        let of_a_codec =
            |rate| settings.codecs.iter().any(|codec: &Codec| codec.clock_rate() == rate);
        let telephone_events = EVENTS
            .into_iter()
            .filter(|(rate, _)| *rate == 8000 || of_a_codec(*rate))
            .map(|(rate, usual)| (rate, numbers.event(rate, usual)))
            .collect();
        let (audio_index, layout) = settings
            .previous
            .map(|previous| (previous.audio_index, previous.layout.clone()))
            .unwrap_or_default();
        let before = settings.previous.and_then(|previous| previous.protection.as_ref());
        let (encryption, crypto) = match settings.encryption {
            Encryption::Off => (Encryption::Off, Vec::new()),
            encryption => (encryption, settings.keys.lines(before)),
        };
        let mut offer = Offer {
            encryption,
            keys: settings.keys.clone(),
            crypto,
            protocol: protocol(settings),
            octets: Vec::new(),
            address: settings.address,
            port: settings.port,
            rtcp_port: settings.rtcp_port,
            rtcp_mux: settings.rtcp_mux,
            ptime: settings.ptime,
            session_id: settings.session_id,
            version: settings.version,
            direction: settings.direction,
            codecs,
            telephone_events,
            audio_index,
            layout,
        };
        offer.write();
        offer
    }

    /// The same offer with another direction and the next version: hold and resume. The same
    /// direction gives the same description, version included (RFC 3264 section 8).
    pub fn with_direction(&self, direction: Direction) -> Offer {
        let mut offer = self.clone();
        if direction != self.direction {
            offer.direction = direction;
            offer.version = self.version.wrapping_add(1);
            offer.write();
        }
        offer
    }

    /// The description as it goes into a message.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// The version in its `o=`.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The payload types that may arrive before the answer does: what was offered, to be used both
    /// ways. Codecs and telephone events in the shape of [`Negotiated`].
    #[allow(clippy::type_complexity)]
    pub fn payloads(&self) -> (Vec<(Codec, u8, u8)>, Vec<(u32, u8, u8)>) {
        let codecs = self.codecs.iter().map(|&(codec, n)| (codec, n, n)).collect();
        (codecs, self.telephone_events.iter().map(|&(rate, n)| (rate, n, n)).collect())
    }

    fn write(&mut self) {
        let description = Description {
            address: self.address,
            port: self.port,
            rtcp_port: self.rtcp_port,
            rtcp_mux: self.rtcp_mux,
            session_id: self.session_id,
            version: self.version,
            direction: self.direction,
            ptime: self.ptime,
            protocol: self.protocol,
            mid: None,
            codecs: &self.codecs,
            // It is taken, but not asked for: sound that goes on is better.
            comfort_noise: false,
            crypto: &self.crypto,
            telephone_events: &self.telephone_events,
            audio_index: self.audio_index,
            layout: &self.layout,
        };
        let layout = description.layout();
        self.octets = description.write();
        self.layout = layout;
    }
}

/// Reads the answer to an offer. The peer's payload types count when we send, ours when we receive
/// (RFC 3264 section 6.1).
///
/// # Errors
/// [`SdpError`]; the call cannot have sound then.
pub fn accept_answer(offer: &Offer, answer: &[u8]) -> Result<Negotiated, SdpError> {
    let remote = Session::parse(answer)?;
    let media = match remote.media.get(offer.audio_index) {
        Some(media) if media.kind == Kind::Audio => media,
        // An answer may not add or move lines, but one that has any audio shows where it went.
        _ if remote.media.iter().any(|media| media.kind == Kind::Audio) => {
            return Err(SdpError::Mismatch);
        }
        _ => return Err(SdpError::NoAudio),
    };
    if media.port == 0 {
        return Err(SdpError::Rejected);
    }
    let protection = crypto::accept(media, offer.encryption, &offer.keys, &offer.crypto)?;
    let own_codec =
        |codec, _| offer.codecs.iter().find(|entry| entry.0 == codec).map(|entry| entry.1);
    let own_event =
        |rate, _| offer.telephone_events.iter().find(|entry| entry.0 == rate).map(|entry| entry.1);
    let common = Common::of(media, own_codec, own_event)?;
    let (index, mux) = (offer.audio_index, offer.rtcp_mux);
    let negotiated = Negotiated::new(&remote, index, media, common, offer.direction, mux)?;
    Ok(Negotiated { layout: offer.layout.clone(), protection, ..negotiated })
}

/// The profile of an offer: `RTP/AVP` unless nothing but encryption will do, or the peer has named
/// the secure one itself.
fn protocol(settings: &OfferSettings<'_>) -> &'static str {
    let named = settings.previous.is_some_and(|previous| {
        let line = previous.layout.get(previous.audio_index);
        line.is_some_and(|[_, protocol, _]| protocol.contains("SAVP"))
    });
    match settings.encryption {
        Encryption::Required => "RTP/SAVP",
        Encryption::Offered if named => "RTP/SAVP",
        Encryption::Offered | Encryption::Off => "RTP/AVP",
    }
}

/// Hands out payload types without changing the meaning of any that was used before.
struct Numbers<'a> {
    previous: Option<&'a Negotiated>,
    given: Vec<u8>,
}

impl<'a> Numbers<'a> {
    fn new(previous: Option<&'a Negotiated>) -> Numbers<'a> {
        Numbers { previous, given: Vec::new() }
    }

    fn codec(&mut self, codec: Codec, usual: u8) -> u8 {
        let known = self.previous.and_then(|previous| {
            previous.codecs.iter().find(|entry| entry.0 == codec).map(|entry| entry.2)
        });
        self.give(known, usual)
    }

    fn event(&mut self, rate: u32, usual: u8) -> u8 {
        let known = self.previous.and_then(|previous| {
            previous.telephone_events.iter().find(|entry| entry.0 == rate).map(|entry| entry.2)
        });
        self.give(known, usual)
    }

    fn give(&mut self, known: Option<u8>, usual: u8) -> u8 {
        let number = known.unwrap_or_else(|| {
            // The usual number, else the first free one of the dynamic range.
            std::iter::once(usual)
                .chain(96..=127)
                .find(|number| !self.given.contains(number) && !self.is_taken(*number))
                .unwrap_or(usual)
        });
        self.given.push(number);
        number
    }

    fn is_taken(&self, number: u8) -> bool {
        self.previous.is_some_and(|previous| {
            previous.codecs.iter().any(|entry| entry.2 == number)
                || previous.telephone_events.iter().any(|entry| entry.2 == number)
        })
    }
}
