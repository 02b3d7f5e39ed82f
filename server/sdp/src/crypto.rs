//! Keys for SRTP inside of descriptions (RFC 4568): whether we want them, ours, and the peer's.
//!
//! *Best effort* is what PBXs and phones have made of it in the absence of a better rule: `RTP/AVP` with
//! `a=crypto` lines, which a peer without SRTP steps over, so that its plain answer is a call too. An
//! offer of two `m=` lines, one of them secure, is answered by many with the wrong one or with 488.

use crate::SdpError;
use crate::model::{Media, Protocol};
use base::{MasterKey, Seed, SrtpSuite};

/// The longest master key identifier (RFC 4568 section 6.1), in octets.
const IDENTIFIER_MAX: usize = 128;

/// The suites of an offer. Each costs a hundred octets of an INVITE that should fit into one datagram;
/// those of AES-256 are agreed to where the peer names them.
const OFFERED: [SrtpSuite; 2] = [SrtpSuite::Aes128Tag80, SrtpSuite::Aes128Tag32];

/// Whether sound is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// Never: a secure profile is refused.
    #[default]
    Off,
    /// Where the peer agrees to it.
    Offered,
    /// Always: a call without it does not come about.
    Required,
}

/// Our keys of one dialog, one for each suite. A key stays with its suite for the whole dialog, so
/// that a repeated description changes nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnKeys(Vec<(SrtpSuite, MasterKey)>);

impl OwnKeys {
    /// New random keys for a dialog; none where nothing is to be encrypted.
    pub fn new(encryption: Encryption, seed: &mut Seed) -> OwnKeys {
        let suites: &[SrtpSuite] = match encryption {
            Encryption::Off => &[],
            Encryption::Offered | Encryption::Required => &SrtpSuite::ALL,
        };
        OwnKeys(suites.iter().map(|suite| (*suite, MasterKey::random(*suite, seed))).collect())
    }

    fn key(&self, suite: SrtpSuite) -> Option<&MasterKey> {
        self.0.iter().find(|entry| entry.0 == suite).map(|entry| &entry.1)
    }

    /// The lines of an offer, the suite of the agreement before first. Each suite has a tag of its
    /// own that does not change.
    pub(crate) fn lines(&self, before: Option<&Agreed>) -> Vec<String> {
        let numbered = self.0.iter().zip(1u32..).filter(|((suite, _), _)| {
            OFFERED.contains(suite) || before.is_some_and(|before| before.suite == *suite)
        });
        let mut lines: Vec<_> = numbered.map(|((suite, key), tag)| (tag, *suite, key)).collect();
        lines.sort_by_key(|line| before.is_none_or(|before| before.suite != line.1));
        lines.into_iter().map(|(tag, suite, key)| line(tag, suite, key)).collect()
    }

    fn has_tag(&self, tag: u32, suite: SrtpSuite) -> bool {
        self.0.iter().zip(1u32..).any(|(entry, known)| known == tag && entry.0 == suite)
    }
}

/// The value of one `a=crypto`.
pub(crate) fn line(tag: u32, suite: SrtpSuite, key: &MasterKey) -> String {
    format!("{tag} {} inline:{}", suite.name(), key.reveal_base64())
}

/// What both sides encrypt with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreed {
    /// The suite of both directions.
    pub suite: SrtpSuite,
    /// The key of what we send.
    pub own: MasterKey,
    /// The key of what the peer sends.
    pub peer: MasterKey,
    /// Octets of the master key identifier in the peer's packets, 0 without one.
    pub peer_identifier: usize,
    /// Which of the offer's lines it is.
    pub(crate) tag: u32,
}

/// One line of the peer that can be used.
struct Line {
    tag: u32,
    suite: SrtpSuite,
    key: MasterKey,
    identifier: usize,
}

impl Line {
    /// Reads `<tag> <suite> inline:<key>[|<lifetime>][|<MKI>:<length>] [<parameter>...]`. `None`
    /// for a suite that is not spoken, more than one key, or a parameter that changes how packets
    /// look. A lifetime is not watched: 2^20 packets, the shortest that is usual, last six hours.
    fn parse(value: &str) -> Option<Line> {
        let mut fields = value.split_whitespace();
        let tag = fields.next()?.parse().ok()?;
        let suite = SrtpSuite::from_name(fields.next()?)?;
        let keys = fields.next()?;
        let (method, keys) = keys.split_once(':')?;
        if !method.eq_ignore_ascii_case("inline") || keys.contains(';') {
            return None;
        }
        let mut parts = keys.split('|');
        let key = MasterKey::from_base64(suite, parts.next()?)?;
        let mut identifier = 0;
        for part in parts {
            if let Some((_, length)) = part.split_once(':') {
                identifier = length.parse().ok().filter(|n| (1..=IDENTIFIER_MAX).contains(n))?;
            }
        }
        fields.all(is_harmless).then_some(Line { tag, suite, key, identifier })
    }

    /// The usable lines of a media, in their order.
    fn all(media: &Media) -> impl Iterator<Item = Line> {
        let named = media.attributes.iter().filter(|a| a.name.eq_ignore_ascii_case("crypto"));
        named.filter_map(|attribute| Line::parse(attribute.value.as_deref()?))
    }
}

/// Whether a session parameter may be stepped over: what is optional by its name, the window, which
/// ours exceeds, and no key derivation, which is the rule (RFC 4568 section 6.3).
fn is_harmless(parameter: &str) -> bool {
    let upper = parameter.to_ascii_uppercase();
    upper.starts_with('-') || upper.starts_with("WSH=") || upper == "KDR=0"
}

/// Whether the profile is RTP with keys out of the description.
fn is_secure(protocol: &Protocol) -> bool {
    matches!(protocol, Protocol::Savp | Protocol::Savpf)
}

/// What we answer to the keys of an offer; `None` for a call in the clear.
pub(crate) fn choose(
    media: &Media,
    encryption: Encryption,
    keys: &OwnKeys,
) -> Result<Option<Agreed>, SdpError> {
    agree(media, encryption, || {
        Line::all(media).find_map(|line| {
            let own = keys.key(line.suite)?.clone();
            Some(agreed(line, own))
        })
    })
}

/// What an answer to our keys means; `None` for a call in the clear. `offered` are the lines of our
/// offer.
pub(crate) fn accept(
    media: &Media,
    encryption: Encryption,
    keys: &OwnKeys,
    offered: &[String],
) -> Result<Option<Agreed>, SdpError> {
    let is_offered = |line: &Line| offered.iter().any(|text| text.contains(line.suite.name()));
    agree(media, encryption, || {
        // Some answer every offer with tag 1: the suite tells which line is meant.
        let mut exact = Line::all(media).filter(is_offered);
        let mut usable = Line::all(media).filter(is_offered);
        let exact = exact.find(|line| keys.has_tag(line.tag, line.suite));
        let line = exact.or_else(|| usable.next())?;
        let own = keys.key(line.suite)?.clone();
        Some(agreed(line, own))
    })
}

fn agreed(line: Line, own: MasterKey) -> Agreed {
    let Line { tag, suite, key, identifier } = line;
    Agreed { suite, own, peer: key, peer_identifier: identifier, tag }
}

fn agree(
    media: &Media,
    encryption: Encryption,
    find: impl Fn() -> Option<Agreed>,
) -> Result<Option<Agreed>, SdpError> {
    let secure = is_secure(&media.protocol);
    if !secure && !media.protocol.is_plain_rtp() {
        return Err(SdpError::Transport);
    }
    let found = if encryption == Encryption::Off { None } else { find() };
    match found {
        Some(agreed) => Ok(Some(agreed)),
        None if secure => Err(SdpError::Transport),
        None if encryption == Encryption::Required => Err(SdpError::NotEncrypted),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

    #[test]
    fn lines_of_the_field_are_read() {
        let usable = [
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}"), 0),
            (format!("2 aes_cm_128_hmac_sha1_32 INLINE:{KEY}|2^31"), 0),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4"), 4),
            (format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|1:32  WSH=64 KDR=0 -EXTRA=1"), 32),
        ];
        for (text, identifier) in usable {
            let line = Line::parse(&text).unwrap();
            assert_eq!(line.identifier, identifier, "{text}");
            assert_eq!(line.key.reveal_base64(), KEY);
        }
    }

    #[test]
    fn a_line_that_would_change_the_packets_is_left_out() {
        let unusable = [
            "",
            "1 AES_CM_128_HMAC_SHA1_80",
            "1 F8_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
            "x AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
            "1 AES_CM_128_HMAC_SHA1_80 inline:short",
            "1 AES_CM_128_HMAC_SHA1_80 uri:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
        ];
        let good = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}");
        let more = ["UNENCRYPTED_SRTP", "KDR=1", "UNAUTHENTICATED_SRTP", "FEC_ORDER=FEC_SRTP"];
        let more = more.map(|parameter| format!("{good} {parameter}"));
        let tails =
            [format!("{good}|1:129"), format!("{good}|1:0"), format!("{good};inline:{KEY}")];
        let all = unusable.map(str::to_owned).into_iter().chain(more).chain(tails);
        for text in all {
            assert!(Line::parse(&text).is_none(), "{text}");
        }
    }
}
