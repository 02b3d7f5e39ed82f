//! Endpoint discriminators: whom an initiator looks for (RFC 7425 section 4.4).

use super::Certificate;
use crate::option::{self, Element, Elements, Malformed};
use crate::params::epd_option;

/// What a discriminator asks for; unknown options are ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Discriminator<'a> {
    /// Exactly this certificate.
    pub fingerprint: Option<&'a [u8]>,
    /// A certificate with this hostname.
    pub hostname: Option<&'a [u8]>,
    /// A server; the octets are the client's choice, mostly the URI.
    pub ancillary: Option<&'a [u8]>,
}

impl<'a> Discriminator<'a> {
    /// Reads a discriminator. Markers in it are passed over; of an option that occurs twice, which
    /// RFC 7425 forbids, the first counts.
    pub fn parse(octets: &'a [u8]) -> Result<Self, Malformed> {
        let mut found = Discriminator::default();
        for element in Elements::new(octets) {
            let Element::Entry(entry) = element? else { continue };
            let place = match entry.kind {
                epd_option::FINGERPRINT => &mut found.fingerprint,
                epd_option::HOSTNAME => &mut found.hostname,
                epd_option::ANCILLARY => &mut found.ancillary,
                _ => continue,
            };
            place.get_or_insert(entry.value);
        }
        Ok(found)
    }

    /// Writes the discriminator.
    pub fn octets(&self) -> Vec<u8> {
        let mut octets = Vec::new();
        let options = [
            (epd_option::HOSTNAME, self.hostname),
            (epd_option::ANCILLARY, self.ancillary),
            (epd_option::FINGERPRINT, self.fingerprint),
        ];
        for (kind, value) in options {
            if let Some(value) = value {
                option::put(&mut octets, kind, value);
            }
        }
        octets
    }

    /// Whether it selects a certificate (section 4.4.3, figure 1).
    pub fn selects(&self, certificate: &Certificate) -> bool {
        if let Some(fingerprint) = self.fingerprint {
            return fingerprint == certificate.fingerprint();
        }
        if self.hostname.is_none() && self.ancillary.is_none() {
            return false;
        }
        self.hostname.is_none_or(|hostname| certificate.hostname() == Some(hostname))
            && (self.ancillary.is_none() || certificate.accepts_ancillary())
    }
}

/// The discriminator of the server at a URI.
pub fn for_uri(uri: &str) -> Vec<u8> {
    Discriminator { ancillary: Some(uri.as_bytes()), ..Discriminator::default() }.octets()
}

/// The discriminator of the endpoint with a fingerprint, also called peer ID: 34 octets, the
/// canonical form (section 4.4.4).
pub fn for_fingerprint(fingerprint: &[u8; 32]) -> Vec<u8> {
    Discriminator { fingerprint: Some(fingerprint), ..Discriminator::default() }.octets()
}

/// Whether a discriminator, malformed or not, selects a certificate.
pub fn selects(discriminator: &[u8], certificate: &Certificate) -> bool {
    Discriminator::parse(discriminator).is_ok_and(|parsed| parsed.selects(certificate))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn certificate(octets: &[u8]) -> Certificate {
        Certificate::parse(octets).unwrap()
    }

    /// `accepts ancillary data`, `hostname "a.example"`, a group.
    const SERVER: &[u8] = b"\x01\x0a\x0a\x00a.example\x02\x15\x02";
    const PLAIN: &[u8] = b"\x02\x15\x02";

    #[test]
    fn a_fingerprint_decides_alone() {
        let server = certificate(SERVER);
        let right = for_fingerprint(server.fingerprint());
        assert_eq!((right.len(), &right[..2]), (34, &[0x21, 0x0f][..]), "the canonical form");
        assert!(selects(&right, &server));
        assert!(!selects(&right, &certificate(PLAIN)));
        let wrong_host = [&right[..], b"\x08\x00b.other"].concat();
        assert!(selects(&wrong_host, &server), "whatever the hostname");
        let short = [&[0x20, 0x0f][..], &server.fingerprint()[..31]].concat();
        assert!(!selects(&[&short[..], b"\x01\x0a"].concat(), &server));
    }

    #[test]
    fn hostname_and_ancillary_data_must_both_match_where_they_are() {
        let (server, plain) = (certificate(SERVER), certificate(PLAIN));
        assert!(selects(&for_uri("rtmfp://a.example/app"), &server));
        assert!(!selects(&for_uri("rtmfp://a.example/app"), &plain));
        assert!(selects(b"\x0a\x00a.example", &server));
        assert!(!selects(b"\x0a\x00b.example", &server));
        assert!(!selects(b"\x0a\x00a.example", &plain));
        assert!(selects(b"\x0a\x00a.example\x02\x0ax", &server));
        assert!(!selects(b"\x0a\x00b.example\x02\x0ax", &server));
    }

    #[test]
    fn a_discriminator_that_asks_for_nothing_or_is_malformed_selects_nothing() {
        let server = certificate(SERVER);
        assert!(!selects(b"", &server));
        assert!(!selects(b"\x02\x55x", &server), "only an unknown option");
        assert!(!selects(b"\x02\x0ax\x05", &server), "cut");
        assert!(selects(b"\x02\x55x\x02\x0ax", &server), "an unknown option is ignored");
    }
}
