//! Certificates (RFC 7425 section 4.3) and the identity of this end.

use super::{Group, PrivateKey, sha256};
use crate::octets::Reader;
use crate::option::{self, Element, Elements, Malformed};
use crate::params::certificate_option;
use base::Seed;
use std::cmp::Ordering;
use std::ops::Range;
use std::sync::Arc;

/// The longest certificate that is kept. One with a static key in each group here takes 1.1 KB.
const LONGEST: usize = 4_096;

/// The random octets in a certificate that has no key: as many as widely used implementations send.
const RANDOMNESS: usize = 64;

/// A certificate, well formed.
#[derive(Clone)]
pub struct Certificate {
    octets: Arc<[u8]>,
    fingerprint: [u8; 32],
    hostname: Option<Range<usize>>,
    accepts_ancillary: bool,
    groups: Groups,
}

/// How the holder of a certificate does Diffie-Hellman.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Groups {
    /// With a new key for each session, in one of these groups.
    Ephemeral(Vec<Group>),
    /// With the keys in the certificate.
    Static(Vec<(Group, Range<usize>)>),
}

impl Certificate {
    /// Reads a certificate. Every well-formed one is authentic (section 4.3.4); one with both static
    /// keys and ephemeral groups, or longer than 4096 octets, is refused. Groups that are not
    /// implemented here are left out.
    pub fn parse(octets: &[u8]) -> Result<Certificate, Malformed> {
        if octets.len() > LONGEST {
            return Err(Malformed);
        }
        let mut elements = Elements::new(octets);
        let (mut canonical, mut in_canonical) = (0, true);
        let (mut hostname, mut accepts_ancillary) = (None, false);
        let (mut ephemeral, mut statics) = (Vec::new(), Vec::new());
        let mut kinds = [false; 2];
        while let Some(element) = elements.next() {
            let Element::Entry(entry) = element? else {
                in_canonical = false;
                continue;
            };
            if !in_canonical {
                continue;
            }
            canonical = octets.len() - elements.rest().len();
            match entry.kind {
                certificate_option::HOSTNAME => {
                    hostname.get_or_insert(canonical - entry.value.len()..canonical);
                }
                certificate_option::ACCEPTS_ANCILLARY => accepts_ancillary = true,
                certificate_option::EPHEMERAL_GROUP => {
                    kinds[0] = true;
                    let id = Reader::new(entry.value).vlu().ok_or(Malformed)?;
                    ephemeral.extend(Group::from_id(id).filter(|group| !ephemeral.contains(group)));
                }
                certificate_option::STATIC_KEY => {
                    kinds[1] = true;
                    let mut reader = Reader::new(entry.value);
                    let id = reader.vlu().ok_or(Malformed)?;
                    let key = canonical - reader.rest().len()..canonical;
                    let known = |group: &Group| statics.iter().any(|(other, _)| other == group);
                    if let Some(group) = Group::from_id(id).filter(|group| !known(group)) {
                        statics.push((group, key));
                    }
                }
                _ => {}
            }
        }
        let groups = match kinds {
            [true, true] => return Err(Malformed),
            [_, true] => Groups::Static(statics),
            [_, false] => Groups::Ephemeral(ephemeral),
        };
        let fingerprint = sha256(&[octets.get(..canonical).unwrap_or_default()]);
        let octets = octets.into();
        Ok(Certificate { octets, fingerprint, hostname, accepts_ancillary, groups })
    }

    /// The encoded form.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// SHA-256 over the canonical section (section 4.3.2), also called peer ID.
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    /// The hostname.
    pub fn hostname(&self) -> Option<&[u8]> {
        self.octets.get(self.hostname.clone()?)
    }

    /// Whether a discriminator with ancillary data, as clients of servers send it, may select it.
    pub fn accepts_ancillary(&self) -> bool {
        self.accepts_ancillary
    }

    /// Whether its keys are in it.
    pub fn is_static(&self) -> bool {
        matches!(self.groups, Groups::Static(_))
    }

    /// Whether a session can be keyed in a group.
    pub fn supports(&self, group: Group) -> bool {
        match &self.groups {
            Groups::Ephemeral(groups) => groups.contains(&group),
            Groups::Static(keys) => keys.iter().any(|(other, _)| *other == group),
        }
    }

    /// The groups in which a session can be keyed, in the order of the certificate.
    pub fn groups(&self) -> impl Iterator<Item = Group> + '_ {
        let (ephemeral, statics) = match &self.groups {
            Groups::Ephemeral(groups) => (groups.as_slice(), &[][..]),
            Groups::Static(keys) => (&[][..], keys.as_slice()),
        };
        ephemeral.iter().copied().chain(statics.iter().map(|(group, _)| *group))
    }

    /// The static public key in a group.
    pub fn static_key(&self, group: Group) -> Option<&[u8]> {
        let Groups::Static(keys) = &self.groups else { return None };
        let (_, key) = keys.iter().find(|(other, _)| *other == group)?;
        self.octets.get(key.clone())
    }

    /// Whether a new session with this certificate takes the place of one with the other (section
    /// 4.3.7).
    pub fn overrides(&self, other: &Certificate) -> bool {
        self.octets == other.octets
    }

    /// Whether the holder stays initiator when both ends open a session at the same time (section
    /// 4.3.6): the certificate that comes first prevails.
    pub fn prevails_over(&self, far: &Certificate) -> bool {
        self.octets.cmp(&far.octets) != Ordering::Greater
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.octets == other.octets
    }
}

impl Eq for Certificate {}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Certificate({} octets)", self.octets.len())
    }
}

/// This end's certificate and the private keys of it.
#[derive(Clone, Debug)]
pub struct Identity {
    certificate: Certificate,
    keys: Vec<PrivateKey>,
}

/// Why no identity can be made: there is no group in it, or its hostname is too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnusableIdentity;

impl Identity {
    /// A server: it accepts ancillary data and keys each session anew, in one of these groups.
    pub fn server(
        groups: &[Group],
        hostname: Option<&str>,
        seed: &mut Seed,
    ) -> Result<Identity, UnusableIdentity> {
        let mut octets = Vec::new();
        option::put(&mut octets, certificate_option::ACCEPTS_ANCILLARY, &[]);
        Identity::ephemeral_with(octets, groups, hostname, seed)
    }

    /// A peer that keys each session anew, in one of these groups.
    pub fn ephemeral(groups: &[Group], seed: &mut Seed) -> Result<Identity, UnusableIdentity> {
        Identity::ephemeral_with(Vec::new(), groups, None, seed)
    }

    fn ephemeral_with(
        mut octets: Vec<u8>,
        groups: &[Group],
        hostname: Option<&str>,
        seed: &mut Seed,
    ) -> Result<Identity, UnusableIdentity> {
        if let Some(hostname) = hostname {
            option::put(&mut octets, certificate_option::HOSTNAME, hostname.as_bytes());
        }
        for group in groups {
            option::put(&mut octets, certificate_option::EPHEMERAL_GROUP, &[group.id() as u8]);
        }
        let mut randomness = [0; RANDOMNESS];
        seed.fill(&mut randomness);
        option::put(&mut octets, certificate_option::EXTRA_RANDOMNESS, &randomness);
        Identity::usable(octets, Vec::new())
    }

    /// A peer with one key in each of these groups. Making the public keys takes a millisecond or
    /// more. `server` as in [`Identity::server`].
    pub fn with_static_keys(
        groups: &[Group],
        server: bool,
        seed: &mut Seed,
    ) -> Result<Identity, UnusableIdentity> {
        let keys: Vec<_> = groups.iter().map(|group| PrivateKey::new(*group, seed)).collect();
        let mut octets = Vec::new();
        if server {
            option::put(&mut octets, certificate_option::ACCEPTS_ANCILLARY, &[]);
        }
        for key in &keys {
            let value = [&[key.group().id() as u8][..], &key.public()].concat();
            option::put(&mut octets, certificate_option::STATIC_KEY, &value);
        }
        Identity::usable(octets, keys)
    }

    fn usable(octets: Vec<u8>, keys: Vec<PrivateKey>) -> Result<Identity, UnusableIdentity> {
        let certificate = Certificate::parse(&octets).map_err(|Malformed| UnusableIdentity)?;
        if !Group::ALL.into_iter().any(|group| certificate.supports(group)) {
            return Err(UnusableIdentity);
        }
        Ok(Identity { certificate, keys })
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// The private key of the static key in a group.
    pub fn static_key(&self, group: Group) -> Option<&PrivateKey> {
        self.keys.iter().find(|key| key.group() == group)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn what_follows_the_first_marker_is_outside_the_canonical_section() {
        let canonical = b"\x01\x0a\x02\x15\x02";
        let long = [&canonical[..], b"\x00\x02\x15\x0e\x00\x03\x00hi"].concat();
        let (short, long) = (Certificate::parse(canonical), Certificate::parse(&long));
        let (short, long) = (short.unwrap(), long.unwrap());
        assert_eq!(short.fingerprint(), long.fingerprint());
        assert_eq!(short.fingerprint(), &sha256(&[canonical]));
        assert!(long.supports(Group::Modp1024) && !long.supports(Group::Modp2048));
        assert_eq!(long.hostname(), None);
        assert!(!long.overrides(&short));
    }

    #[test]
    fn static_keys_and_ephemeral_groups_exclude_each_other() {
        assert!(Certificate::parse(b"\x02\x15\x02\x03\x1d\x02x").is_err());
        assert!(Certificate::parse(b"\x02\x15\x63\x03\x1d\x02x").is_err(), "of unknown group too");
        assert!(Certificate::parse(b"\x02\x15\x02\x00\x03\x1d\x02x").is_ok(), "behind the marker");
    }

    #[test]
    fn unknown_options_and_groups_are_passed_over() {
        let certificate = Certificate::parse(b"\x02\x55x\x02\x15\x63\x02\x15\x05").unwrap();
        assert!(certificate.supports(Group::Modp1536) && !certificate.is_static());
        assert!(!certificate.accepts_ancillary());
    }

    #[test]
    fn a_cut_or_overlong_certificate_is_refused() {
        assert!(Certificate::parse(b"\x03\x15\x02").is_err());
        assert!(Certificate::parse(&[0; LONGEST]).is_ok());
        assert!(Certificate::parse(&[0; LONGEST + 1]).is_err());
    }

    #[test]
    fn the_certificate_that_comes_first_prevails() {
        let parse = |octets: &[u8]| Certificate::parse(octets).unwrap();
        let (low, high) = (parse(b"\x02\x15\x02"), parse(b"\x02\x15\x05"));
        let longer = parse(b"\x02\x15\x02\x00");
        assert!(low.prevails_over(&high) && !high.prevails_over(&low));
        assert!(low.prevails_over(&longer) && !longer.prevails_over(&low));
        assert!(low.prevails_over(&low), "an identical one does not take the role away");
        assert!(low.overrides(&low) && !low.overrides(&high));
    }

    #[test]
    fn identities_have_what_they_were_made_with() {
        let mut seed = Seed::from_number(1);
        let groups = [Group::Modp2048, Group::Modp1024];
        let server = Identity::server(&groups, Some("a.example"), &mut seed).unwrap();
        let certificate = server.certificate();
        assert!(certificate.accepts_ancillary() && !certificate.is_static());
        assert_eq!(certificate.hostname(), Some(&b"a.example"[..]));
        assert!(groups.iter().all(|group| certificate.supports(*group)));
        assert!(server.static_key(Group::Modp1024).is_none());

        let client = Identity::with_static_keys(&[Group::Modp1024], false, &mut seed).unwrap();
        let key = client.static_key(Group::Modp1024).unwrap().public();
        assert_eq!(client.certificate().static_key(Group::Modp1024), Some(&key[..]));
        assert!(client.certificate().is_static());
        assert_eq!(Identity::ephemeral(&[], &mut seed).err(), Some(UnusableIdentity));
    }
}
