//! What one offer comes to: which section is answered, with which payload types.

use crate::error::AcceptError;
use crate::ice::Credentials;
use crate::offer::{Direction, Offer, Section};
use base::Codec;

/// What a payload type carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Content {
    Sound(Codec),
    /// Telephone events with this clock in Hz.
    Event(u32),
}

/// One payload type of the offer that we can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Payload {
    pub(crate) payload_type: u8,
    pub(crate) content: Content,
}

impl Payload {
    /// The codec, if it is sound.
    pub(crate) fn codec(&self) -> Option<Codec> {
        match self.content {
            Content::Sound(codec) => Some(codec),
            Content::Event(_) => None,
        }
    }
}

/// The outcome of an offer, owned.
#[derive(Clone)]
pub(crate) struct Negotiated {
    /// Which media section is the answered one.
    pub(crate) section: usize,
    pub(crate) mid: String,
    pub(crate) mid_extension: Option<u8>,
    pub(crate) remote: Credentials,
    /// SHA-256 of the browser's certificate.
    pub(crate) fingerprint: [u8; 32],
    pub(crate) direction: Direction,
    /// Every payload type that we could speak. All stay receivable: the browser may use any of
    /// them again after a later offer.
    pub(crate) payloads: Vec<Payload>,
    /// Those of the answer, in its order: sound as the caller prefers it, then events.
    pub(crate) answered: Vec<Payload>,
}

impl Negotiated {
    /// Chooses the first audio section that can be answered with one of `codecs`.
    pub(crate) fn new(offer: &Offer<'_>, codecs: &[Codec]) -> Result<Negotiated, AcceptError> {
        let mut problem = AcceptError::NoAudio;
        for (index, section) in offer.sections.iter().enumerate() {
            // Port 0 is a refusal, except in a section that is to be bundled (RFC 9143 6).
            let refused = section.port == 0 && !section.bundle_only;
            let profile = section.protocol.ends_with("TLS/RTP/SAVPF");
            if section.kind != "audio" || refused || !profile {
                continue;
            }
            match Negotiated::from_section(offer, index, section, codecs) {
                Ok(negotiated) => return Ok(negotiated),
                Err(error) => problem = error,
            }
        }
        Err(problem)
    }

    fn from_section(
        offer: &Offer<'_>,
        index: usize,
        section: &Section<'_>,
        codecs: &[Codec],
    ) -> Result<Negotiated, AcceptError> {
        let transport = offer.transport_of(section);
        let malformed = AcceptError::Malformed;
        if !section.multiplexed {
            return Err(malformed("it has no rtcp-mux"));
        }
        if !matches!(transport.setup, Some("actpass" | "active")) {
            return Err(malformed("its setup is neither actpass nor active"));
        }
        let remote = match (transport.fragment, transport.password) {
            (Some(fragment), Some(password)) => Credentials::remote(fragment, password),
            _ => None,
        };
        let remote = remote.ok_or(malformed("it has no usable ICE credentials"))?;
        let fingerprint = transport.fingerprint.and_then(digest);
        let fingerprint = fingerprint.ok_or(malformed("it has no sha-256 fingerprint"))?;
        // The inner identifier holds 16 octets; browsers use one to ten.
        let mid = section.mid.unwrap_or("0");
        if mid.is_empty() || mid.len() > 16 || !mid.bytes().all(is_token) {
            return Err(malformed("its mid is not a short token"));
        }
        let payloads = payloads(section);
        let answered = choose(&payloads, codecs)?;
        Ok(Negotiated {
            section: index,
            mid: mid.to_owned(),
            mid_extension: section.mid_extension,
            remote,
            fingerprint,
            direction: section.direction,
            payloads,
            answered,
        })
    }

    /// Whether a later offer continues this one: same certificate, same section, and no payload
    /// type with another meaning.
    pub(crate) fn continues(&self, later: &Negotiated) -> bool {
        let same_meaning = |payload: &Payload| {
            let before = self.payloads.iter().find(|p| p.payload_type == payload.payload_type);
            before == Some(payload)
        };
        self.fingerprint == later.fingerprint
            && self.section == later.section
            && self.mid == later.mid
            && later.answered.iter().all(same_meaning)
    }

    /// The answered payload type of a codec.
    pub(crate) fn payload_type(&self, codec: Codec) -> Option<u8> {
        let payload = self.answered.iter().find(|p| p.content == Content::Sound(codec))?;
        Some(payload.payload_type)
    }

    /// What a received payload type carries.
    pub(crate) fn content(&self, payload_type: u8) -> Option<Content> {
        let payload = self.payloads.iter().find(|p| p.payload_type == payload_type)?;
        Some(payload.content)
    }
}

/// The payload types of a section that we can speak, each codec and event clock once.
fn payloads(section: &Section<'_>) -> Vec<Payload> {
    let mut found: Vec<Payload> = Vec::new();
    for format in &section.formats {
        let Ok(payload_type) = format.parse::<u8>() else { continue };
        // 64 to 95 would be taken for RTCP on a multiplexed port (RFC 5761 4).
        if payload_type >= 128 || (64..96).contains(&payload_type) {
            continue;
        }
        let map = section.maps.iter().find(|map| map.payload_type == payload_type);
        let content = match map {
            Some(map) if map.name.eq_ignore_ascii_case("telephone-event") => {
                [8_000, 48_000].contains(&map.clock_rate).then_some(Content::Event(map.clock_rate))
            }
            // Nothing but what browsers speak, whoever offers it.
            Some(map) => Codec::from_rtpmap(map.name, map.clock_rate)
                .filter(|codec| codec.is_of_browsers())
                .map(Content::Sound),
            None => Codec::OF_BROWSERS
                .into_iter()
                .find(|codec| codec.static_payload_type() == Some(payload_type))
                .map(Content::Sound),
        };
        if let Some(content) = content
            && !found.iter().any(|p| p.content == content || p.payload_type == payload_type)
        {
            found.push(Payload { payload_type, content });
        }
    }
    found
}

/// The answer's payload types. The browser sends with the first of them, so the caller's order
/// leads, not the browser's.
fn choose(payloads: &[Payload], codecs: &[Codec]) -> Result<Vec<Payload>, AcceptError> {
    let mut answered: Vec<Payload> = Vec::with_capacity(codecs.len() + 2);
    for codec in codecs {
        let payload = payloads.iter().find(|p| p.content == Content::Sound(*codec));
        answered.extend(payload.filter(|p| !answered.contains(p)));
    }
    if answered.is_empty() {
        return Err(AcceptError::NoCommonCodec);
    }
    answered.extend(payloads.iter().filter(|p| matches!(p.content, Content::Event(_))));
    Ok(answered)
}

/// `AB:CD:...` of 32 octets.
fn digest(text: &str) -> Option<[u8; 32]> {
    let mut octets = [0; 32];
    let mut parts = text.split(':');
    for octet in &mut octets {
        let part = parts.next().filter(|part| part.len() == 2)?;
        *octet = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(octets)
}

/// RFC 8866 9, `token-char`.
fn is_token(octet: u8) -> bool {
    octet.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]".contains(&octet)
}
