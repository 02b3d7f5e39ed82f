//! Session keying components and what the two ends agree on by them (RFC 7425 sections 4.5, 4.6.1,
//! 4.6.4 and 4.6.6).

use super::{Certificate, Group};
use crate::octets::Reader;
use crate::option::{self, Element, Elements, Malformed};
use crate::params::{HMAC_LENGTH, HMAC_LONGEST, HMAC_SHORTEST, keying_option};
use crate::vlu;

/// The random octets that salt the keys of a side with a static public key: a block of the hash,
/// the most that section 4.5.2.2 allows.
pub const SALT: usize = 64;

/// The flags by which an end says what it will send and wants to receive; for the HMAC and for the
/// session sequence number each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Negotiation {
    /// SND: it will send it, whatever the other end says.
    pub always: bool,
    /// SOR: it will send it when the other end requests it.
    pub on_request: bool,
    /// REQ: it requests the other end to send it.
    pub request: bool,
}

impl Negotiation {
    fn parse(octet: u8) -> Self {
        Negotiation { always: octet & 4 != 0, on_request: octet & 2 != 0, request: octet & 1 != 0 }
    }

    fn octet(self) -> u8 {
        u8::from(self.always) << 2 | u8::from(self.on_request) << 1 | u8::from(self.request)
    }

    /// Whether this end sends it, if the other end said `far`.
    pub fn is_sent_to(self, far: Negotiation) -> bool {
        self.always || (self.on_request && far.request)
    }

    /// Whether this end can be made to send it.
    pub fn is_possible(self) -> bool {
        self.always || self.on_request
    }
}

/// How much an end wants packets protected, by HMAC or by session sequence numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Not at all.
    Never,
    /// When the other end asks for it. An initiator offers it, as Flash Player does; a responder
    /// answers a mere offer without it, since such clients do not implement what they offer.
    WhenAsked,
    /// When the other end can.
    Wanted,
    /// Always: a session without it does not open.
    Required,
}

impl Protection {
    /// What an initiator says.
    pub fn opening(self) -> Negotiation {
        match self {
            Protection::Never => Negotiation::default(),
            Protection::WhenAsked => Negotiation { on_request: true, ..Negotiation::default() },
            Protection::Wanted | Protection::Required => {
                Negotiation { always: true, on_request: true, request: true }
            }
        }
    }

    /// What a responder says to an initiator that said `far`.
    pub fn answer(self, far: Negotiation) -> Negotiation {
        let asked = far.always || far.request;
        let yes = match self {
            Protection::Never => false,
            Protection::WhenAsked => asked,
            Protection::Wanted => asked || far.on_request,
            Protection::Required => true,
        };
        Negotiation { always: yes, on_request: false, request: yes }
    }

    /// Whether a session may open with an end that said `far`.
    pub fn permits(self, far: Negotiation) -> bool {
        self != Protection::Required || far.is_possible()
    }
}

/// What of protection both directions of a session have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Agreement {
    /// The octets of HMAC on packets that are sent; without one a checksum protects them.
    pub hmac_send: Option<usize>,
    /// The octets of HMAC on packets that are received.
    pub hmac_receive: Option<usize>,
    /// Packets that are sent have a session sequence number.
    pub sequence_send: bool,
    /// Packets that are received have one.
    pub sequence_receive: bool,
}

/// A keying component that was received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Component<'a> {
    /// An ephemeral public key and the number of its group.
    pub ephemeral: Option<(u64, &'a [u8])>,
    /// The number of the group that an initiator with static keys selects.
    pub select: Option<u64>,
    /// Of the HMAC.
    pub hmac: Negotiation,
    /// The octets of HMAC that it will send; 0 when it sends none.
    pub hmac_length: usize,
    /// Of the session sequence number.
    pub sequence: Negotiation,
}

impl<'a> Component<'a> {
    /// Reads a component. One that breaks the rules of section 4.5.2 is refused: a key or a group
    /// selected twice, an HMAC of a length that must not be.
    pub fn parse(octets: &'a [u8]) -> Result<Self, Malformed> {
        let mut found = Component::default();
        for element in Elements::new(octets) {
            let Element::Entry(entry) = element? else { continue };
            let mut reader = Reader::new(entry.value);
            match entry.kind {
                keying_option::EPHEMERAL_KEY => {
                    let group = reader.vlu().ok_or(Malformed)?;
                    if found.ephemeral.replace((group, reader.rest())).is_some() {
                        return Err(Malformed);
                    }
                }
                keying_option::GROUP_SELECT => {
                    let group = reader.vlu().ok_or(Malformed)?;
                    if found.select.replace(group).is_some() {
                        return Err(Malformed);
                    }
                }
                keying_option::HMAC => {
                    found.hmac = Negotiation::parse(reader.u8().ok_or(Malformed)?);
                    let length = reader.vlu().ok_or(Malformed)?;
                    found.hmac_length = usize::try_from(length).map_err(|_| Malformed)?;
                    let allowed = match found.hmac.is_possible() {
                        true => (HMAC_SHORTEST..=HMAC_LONGEST).contains(&found.hmac_length),
                        false => found.hmac_length == 0,
                    };
                    if !allowed {
                        return Err(Malformed);
                    }
                }
                keying_option::SEQUENCE => {
                    found.sequence = Negotiation::parse(reader.u8().ok_or(Malformed)?);
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// The initiator's group and public key, of which the key comes from the component or from the
    /// certificate (section 4.6.1). `None` when there is none or its group is not implemented.
    pub fn initiator_key<'k>(&'k self, certificate: &'k Certificate) -> Option<(Group, &'k [u8])> {
        if certificate.is_static() {
            let group = Group::from_id(self.select?)?;
            return Some((group, certificate.static_key(group)?));
        }
        let (group, key) = self.ephemeral?;
        Some((Group::from_id(group)?, key))
    }

    /// The responder's public key in the group that the initiator chose.
    pub fn responder_key<'k>(
        &'k self,
        certificate: &'k Certificate,
        group: Group,
    ) -> Option<&'k [u8]> {
        if certificate.is_static() {
            return certificate.static_key(group);
        }
        self.ephemeral.filter(|(other, _)| *other == group.id()).map(|(_, key)| key)
    }

    /// What both directions have, where this end said `hmac` and `sequence`.
    pub fn agree(&self, hmac: Negotiation, sequence: Negotiation) -> Agreement {
        Agreement {
            hmac_send: hmac.is_sent_to(self.hmac).then_some(HMAC_LENGTH),
            hmac_receive: self.hmac.is_sent_to(hmac).then_some(self.hmac_length),
            sequence_send: sequence.is_sent_to(self.sequence),
            sequence_receive: self.sequence.is_sent_to(sequence),
        }
    }
}

/// The key part of a component that is made here.
#[derive(Clone, Copy, Debug)]
pub enum OwnKey<'a> {
    /// A new public key.
    Ephemeral(Group, &'a [u8]),
    /// An initiator's choice of a group, for the static key in its certificate, and salt.
    Select(Group, &'a [u8]),
    /// The salt of a responder whose static key is in its certificate.
    Salt(&'a [u8]),
}

fn put_protection(to: &mut Vec<u8>, hmac: Negotiation, sequence: Negotiation) {
    let length = if hmac.is_possible() { HMAC_LENGTH as u8 } else { 0 };
    option::put(to, keying_option::HMAC, &[hmac.octet(), length]);
    option::put(to, keying_option::SEQUENCE, &[sequence.octet()]);
}

fn put_key(to: &mut Vec<u8>, key: OwnKey<'_>) {
    match key {
        OwnKey::Ephemeral(group, public) => {
            let mut value = Vec::with_capacity(public.len() + 1);
            vlu::put(&mut value, group.id());
            value.extend_from_slice(public);
            option::put(to, keying_option::EPHEMERAL_KEY, &value);
        }
        OwnKey::Select(group, salt) => {
            let mut value = Vec::new();
            vlu::put(&mut value, group.id());
            option::put(to, keying_option::GROUP_SELECT, &value);
            option::put(to, keying_option::EXTRA_RANDOMNESS, salt);
        }
        OwnKey::Salt(salt) => option::put(to, keying_option::EXTRA_RANDOMNESS, salt),
    }
}

/// A session key initiator component.
pub fn initiator_component(key: OwnKey<'_>, hmac: Negotiation, sequence: Negotiation) -> Vec<u8> {
    let mut octets = Vec::new();
    put_key(&mut octets, key);
    put_protection(&mut octets, hmac, sequence);
    octets
}

/// A session key responder component. Clients that copy Flash Player look for the HMAC option first,
/// the sequence option second and the key last, so that is the order.
pub fn responder_component(key: OwnKey<'_>, hmac: Negotiation, sequence: Negotiation) -> Vec<u8> {
    let mut octets = Vec::new();
    put_protection(&mut octets, hmac, sequence);
    put_key(&mut octets, key);
    octets
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const OFFER: Negotiation = Negotiation { always: false, on_request: true, request: false };
    const ALL: Negotiation = Negotiation { always: true, on_request: true, request: true };

    #[test]
    fn a_client_that_merely_offers_gets_the_layout_that_flash_like_clients_look_for() {
        let offer = Component::parse(b"\x02\x1d\x02\x03\x1a\x02\x0a\x02\x1e\x02").unwrap();
        assert_eq!((offer.hmac, offer.hmac_length, offer.sequence), (OFFER, 10, OFFER));
        let (hmac, sequence) = (
            Protection::WhenAsked.answer(offer.hmac),
            Protection::WhenAsked.answer(offer.sequence),
        );
        let key = [7; 128];
        let octets = responder_component(OwnKey::Ephemeral(Group::Modp1024, &key), hmac, sequence);
        let layout = b"\x03\x1a\x00\x00\x02\x1e\x00\x81\x02\x0d\x02";
        assert_eq!(octets, [&layout[..], &key].concat());
        assert_eq!(offer.agree(hmac, sequence), Agreement::default());
    }

    #[test]
    fn what_both_ends_agree_on_is_the_same_seen_from_either() {
        use Protection::{Never, Required, Wanted, WhenAsked};
        for initiator in [Never, WhenAsked, Wanted, Required] {
            for responder in [Never, WhenAsked, Wanted, Required] {
                let opening = initiator.opening();
                let octets = initiator_component(OwnKey::Salt(&[1; 16]), opening, opening);
                let first = Component::parse(&octets).unwrap();
                assert_eq!((first.hmac, first.sequence), (opening, opening));
                let answer = responder.answer(first.hmac);
                let octets = responder_component(OwnKey::Salt(&[2; 16]), answer, answer);
                let second = Component::parse(&octets).unwrap();
                let (near, far) = (second.agree(opening, opening), first.agree(answer, answer));
                assert_eq!(near.hmac_send, far.hmac_receive);
                assert_eq!(near.hmac_receive, far.hmac_send);
                assert_eq!(near.sequence_send, far.sequence_receive);
                assert_eq!(near.sequence_receive, far.sequence_send);
                let opens = initiator.permits(second.hmac) && responder.permits(first.hmac);
                if initiator == Required || responder == Required {
                    let protected = near.hmac_send.is_some() && near.hmac_receive.is_some();
                    assert_eq!(opens, protected, "{initiator:?} {responder:?}");
                } else {
                    assert!(opens);
                }
            }
        }
    }

    #[test]
    fn hmac_lengths_outside_of_the_rules_are_refused() {
        let parse = |flags: u8, length: u8| Component::parse(&[3, 0x1a, flags, length]).is_ok();
        assert!(!parse(4, 3) && parse(4, 4) && parse(2, 32) && !parse(2, 33));
        assert!(!parse(4, 0) && parse(1, 0) && !parse(1, 4) && parse(0, 0));
    }

    #[test]
    fn a_key_or_a_group_given_twice_is_refused() {
        assert!(Component::parse(b"\x03\x0d\x02x").is_ok());
        assert!(Component::parse(b"\x03\x0d\x02x\x03\x0d\x02x").is_err());
        assert!(Component::parse(b"\x02\x1d\x02\x02\x1d\x02").is_err());
        assert!(Component::parse(b"\x03\x0d\x02x\x05").is_err(), "cut");
        assert_eq!(Component::parse(b"\x03\x55\x02x"), Ok(Component::default()), "unknown");
    }

    #[test]
    fn a_full_offer_is_answered_with_hmac_and_sequence_numbers() {
        for protection in [Protection::WhenAsked, Protection::Wanted, Protection::Required] {
            let answer = protection.answer(ALL);
            assert_eq!(answer.octet(), 5, "will send always, and requests");
        }
        assert_eq!(Protection::Never.answer(ALL), Negotiation::default());
    }

    #[test]
    fn keys_come_from_the_component_or_from_the_certificate() {
        let ephemeral = Certificate::parse(b"\x02\x15\x02").unwrap();
        let fixed = Certificate::parse(b"\x05\x1d\x02key").unwrap();
        let with_key = Component::parse(b"\x05\x0d\x02KEY").unwrap();
        let with_choice = Component::parse(b"\x02\x1d\x02").unwrap();
        let group = Group::Modp1024;
        assert_eq!(with_key.initiator_key(&ephemeral), Some((group, &b"KEY"[..])));
        assert_eq!(with_choice.initiator_key(&fixed), Some((group, &b"key"[..])));
        assert_eq!(with_choice.initiator_key(&ephemeral), None);
        assert_eq!(with_key.initiator_key(&fixed), None);
        assert_eq!(with_key.responder_key(&ephemeral, group), Some(&b"KEY"[..]));
        assert_eq!(with_key.responder_key(&ephemeral, Group::Modp2048), None, "another group");
        assert_eq!(with_choice.responder_key(&fixed, group), Some(&b"key"[..]));
    }
}
