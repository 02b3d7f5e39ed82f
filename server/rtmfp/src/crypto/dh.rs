//! Diffie-Hellman in the groups of RFC 7425 section 4.2, with secret exponents in constant time.

use super::moduli;
use base::Seed;
use crypto_bigint::modular::{FixedMontyForm, FixedMontyParams};
use crypto_bigint::{Odd, U384, Uint};
use num_bigint::BigUint;
use zeroize::{Zeroize, Zeroizing};

/// A MODP group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// Group 2, 1024 bits: every implementation has it (RFC 7425 section 4.2).
    Modp1024,
    /// Group 5, 1536 bits.
    Modp1536,
    /// Group 14, 2048 bits.
    Modp2048,
    /// Group 16, 4096 bits.
    Modp4096,
}

/// The bits of a secret exponent: more than twice the strength of the largest group here (RFC 3526
/// section 8 estimates 150 bits for it).
const EXPONENT_BITS: usize = 384;

/// What a public key keeps away from both ends of the field (RFC 7425 section 4.6.2).
const MARGIN: u64 = 1 << 24;

/// The one bits, and the zero bits below the leading one, that a public key has at least (ibid.).
const BITS_OF_EACH: u64 = 16;

const MODULUS_2: Odd<Uint<{ 1024 / Uint::<1>::BITS as usize }>> = Odd::from_be_hex(moduli::GROUP_2);
const MODULUS_5: Odd<Uint<{ 1536 / Uint::<1>::BITS as usize }>> = Odd::from_be_hex(moduli::GROUP_5);
const MODULUS_14: Odd<Uint<{ 2048 / Uint::<1>::BITS as usize }>> =
    Odd::from_be_hex(moduli::GROUP_14);
const MODULUS_16: Odd<Uint<{ 4096 / Uint::<1>::BITS as usize }>> =
    Odd::from_be_hex(moduli::GROUP_16);

impl Group {
    /// All groups, the strongest first.
    pub const ALL: [Group; 4] =
        [Group::Modp4096, Group::Modp2048, Group::Modp1536, Group::Modp1024];

    /// The number on the wire.
    pub fn id(self) -> u64 {
        match self {
            Group::Modp1024 => 2,
            Group::Modp1536 => 5,
            Group::Modp2048 => 14,
            Group::Modp4096 => 16,
        }
    }

    /// The group of a number.
    pub fn from_id(id: u64) -> Option<Group> {
        Group::ALL.into_iter().find(|group| group.id() == id)
    }

    /// The octets of a public key.
    pub fn key_length(self) -> usize {
        match self {
            Group::Modp1024 => 128,
            Group::Modp1536 => 192,
            Group::Modp2048 => 256,
            Group::Modp4096 => 512,
        }
    }

    /// Whether a public key has the properties that RFC 7425 section 4.6.2 asks for. A session must
    /// not open with one that has not.
    pub fn accepts(self, public: &[u8]) -> bool {
        let key = BigUint::from_bytes_be(public);
        let (margin, width, ones) = (BigUint::from(MARGIN), key.bits(), key.count_ones());
        let zeros = width.saturating_sub(ones);
        key >= margin
            && key + margin <= self.modulus()
            && ones >= BITS_OF_EACH
            && zeros >= BITS_OF_EACH
    }

    /// The modulus as a number of any size: what is public needs no constant time.
    fn modulus(self) -> BigUint {
        let digits = match self {
            Group::Modp1024 => moduli::GROUP_2,
            Group::Modp1536 => moduli::GROUP_5,
            Group::Modp2048 => moduli::GROUP_14,
            Group::Modp4096 => moduli::GROUP_16,
        };
        BigUint::parse_bytes(digits.as_bytes(), 16).unwrap_or_default()
    }
}

/// A secret exponent. It is overwritten when dropped and never prints.
#[derive(Clone)]
pub struct PrivateKey {
    group: Group,
    exponent: U384,
}

/// A shared secret: big-endian without leading zero octets (DH_SECRET of RFC 7425 section 4.6.2). It
/// is overwritten when dropped and never prints.
#[derive(Clone)]
pub struct SharedSecret(Zeroizing<Vec<u8>>);

impl PrivateKey {
    /// A new key.
    pub fn new(group: Group, seed: &mut Seed) -> Self {
        let mut octets = Zeroizing::new([0; EXPONENT_BITS / 8]);
        seed.fill(octets.as_mut());
        PrivateKey { group, exponent: U384::from_be_slice(octets.as_ref()) }
    }

    /// The group.
    pub fn group(&self) -> Group {
        self.group
    }

    /// The public key, as long as the group's modulus. This takes from 0.2 ms to several.
    pub fn public(&self) -> Vec<u8> {
        match self.group {
            Group::Modp1024 => power(&MODULUS_2, &[2], &self.exponent),
            Group::Modp1536 => power(&MODULUS_5, &[2], &self.exponent),
            Group::Modp2048 => power(&MODULUS_14, &[2], &self.exponent),
            Group::Modp4096 => power(&MODULUS_16, &[2], &self.exponent),
        }
    }

    /// The secret shared with the holder of a public key; `None` when the key is not acceptable.
    pub fn agree(&self, far: &[u8]) -> Option<SharedSecret> {
        if !self.group.accepts(far) {
            return None;
        }
        let mut padded = Zeroizing::new(match self.group {
            Group::Modp1024 => power(&MODULUS_2, far, &self.exponent),
            Group::Modp1536 => power(&MODULUS_5, far, &self.exponent),
            Group::Modp2048 => power(&MODULUS_14, far, &self.exponent),
            Group::Modp4096 => power(&MODULUS_16, far, &self.exponent),
        });
        let zeros = padded.iter().take_while(|octet| **octet == 0).count();
        padded.drain(..zeros);
        Some(SharedSecret(padded))
    }
}

impl SharedSecret {
    /// The octets, without leading zeros.
    pub(crate) fn reveal(&self) -> &[u8] {
        &self.0
    }

    #[doc(hidden)]
    /// A secret from elsewhere, for tests with recorded sessions.
    pub fn from_octets(octets: &[u8]) -> Self {
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        SharedSecret(Zeroizing::new(octets.get(zeros..).unwrap_or_default().to_vec()))
    }
}

impl Drop for PrivateKey {
    fn drop(&mut self) {
        self.exponent.zeroize();
    }
}

impl std::fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PrivateKey({:?})", self.group)
    }
}

impl std::fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SharedSecret")
    }
}

/// A number of the field; `None` when it has more significant octets than the field.
fn number<const LIMBS: usize>(octets: &[u8]) -> Option<Uint<LIMBS>> {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    let significant = octets.get(zeros..)?;
    let mut padded = Zeroizing::new(vec![0; Uint::<LIMBS>::BYTES]);
    let start = padded.len().checked_sub(significant.len())?;
    padded.get_mut(start..)?.copy_from_slice(significant);
    Some(Uint::from_be_slice(&padded))
}

/// `base ^ exponent` in the field, padded to the length of the modulus. The base is public.
fn power<const LIMBS: usize>(modulus: &Odd<Uint<LIMBS>>, base: &[u8], exponent: &U384) -> Vec<u8> {
    let params = FixedMontyParams::new_vartime(*modulus);
    let base = number::<LIMBS>(base).unwrap_or(Uint::ZERO);
    let mut form = FixedMontyForm::new(&base, &params).pow(exponent);
    let mut result = form.retrieve();
    form.zeroize();
    let mut encoded = result.to_be_bytes();
    result.zeroize();
    let octets = encoded.as_ref().to_vec();
    encoded.zeroize();
    octets
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::crypto::sha256;

    fn key(group: Group, first: u8, more: u64) -> PrivateKey {
        let octets: Vec<u8> = (first..first + 48).collect();
        let exponent = U384::from_be_slice(&octets).wrapping_add(&U384::from_u64(more));
        PrivateKey { group, exponent }
    }

    fn hash(octets: &[u8]) -> String {
        sha256(&[octets]).iter().map(|octet| format!("{octet:02x}")).collect()
    }

    #[test]
    fn public_keys_and_secrets_are_those_that_another_implementation_computes() {
        // SHA-256 of `pow(2, x, p)` and of `pow(pow(2, y, p), x, p)` in Python, with x the number
        // of the octets 1, 2, … 48 and y that of 101, 102, … 148.
        let known = [
            (
                Group::Modp1024,
                "e72bf9405468cb8ad60cb7d01c4b691f2583854e916b63ec5d8d9175cbad0dd6",
                "67a961e488b00d23d410cab27fbd2e695259b77f42531bedd99be2151dbc2627",
            ),
            (
                Group::Modp1536,
                "ea9183c8dd5804037fc41d6eb13853b8937bcbe9831584c98a68e2d5bda0465e",
                "21e91631015899ee87ed3fa21a81c6c953055c1c60a1c878216b6c57b7726d41",
            ),
            (
                Group::Modp2048,
                "c6bb6f5e574450b6ea4b3222e84df62562628476d37f4457509691d76012e1dc",
                "6d281b7cf8ab4dfa9d2f232d0b8bd7e0240a2bb1cfc8c1a35510f5104b5e4033",
            ),
            (
                Group::Modp4096,
                "98c3085677538ebfdd402b16495acba6e957e790870ccdca22443050c2fe4768",
                "fff4dd12284c3c42d4a770ace6144af763af505d0df2b5ad77043dbdd1d459e8",
            ),
        ];
        for (group, public, secret) in known {
            let (near, far) = (key(group, 1, 0), key(group, 101, 0));
            assert_eq!(near.public().len(), group.key_length());
            assert_eq!(hash(&near.public()), public, "{group:?}");
            assert_eq!(hash(near.agree(&far.public()).unwrap().reveal()), secret, "{group:?}");
            assert_eq!(hash(far.agree(&near.public()).unwrap().reveal()), secret, "{group:?}");
        }
    }

    #[test]
    fn leading_zero_octets_of_a_secret_are_left_out() {
        // This pair of keys has a secret of 126 octets.
        let (near, far) = (key(Group::Modp1024, 1, 29_383), key(Group::Modp1024, 101, 0));
        let secret = near.agree(&far.public()).unwrap();
        assert_eq!(secret.reveal().len(), 126);
        let known = "d5208a4c84b719ecc0de0ccfe43097bf225ea1b839f2854cfd3d019a6de29b71";
        assert_eq!(hash(secret.reveal()), known);
        assert_eq!(far.agree(&near.public()).unwrap().reveal(), secret.reveal());
    }

    #[test]
    fn keys_near_the_ends_of_the_field_or_with_few_bits_of_a_kind_are_refused() {
        for group in Group::ALL {
            let length = group.key_length();
            let all = |octet: u8| vec![octet; length];
            assert!(!group.accepts(&all(0)), "zero");
            assert!(!group.accepts(&[1]), "one");
            assert!(!group.accepts(&all(0xff)), "above the modulus");
            assert!(!group.accepts(&[&[1][..], &all(0x55)].concat()), "longer than the field");
            assert!(!group.accepts(&[0x0f, 0xff, 0xff]), "below 2^24");
            assert!(!group.accepts(&[0x7f, 0xff, 0xff, 0x00, 0x01]), "15 zero bits, 24 ones");
            assert!(!group.accepts(&[0x01, 0, 0, 0, 0x3f, 0xff]), "15 one bits");
            assert!(group.accepts(&[0x01, 0, 0, 0, 0x7f, 0xff]), "16 one bits");
            assert!(group.accepts(&[0x7f, 0xff, 0xfe, 0x00, 0x01]), "16 zero bits");
            assert!(group.accepts(&all(0x55)), "an ordinary key");
            assert!(group.accepts(&[&[0][..], &all(0x55)].concat()), "with a leading zero octet");
        }
    }

    #[test]
    fn the_highest_acceptable_key_is_the_modulus_less_the_margin() {
        let edge = MODULUS_2.as_ref().wrapping_sub(&Uint::from_u64(MARGIN));
        // Both have enough bits of each kind, so only the margin tells them apart.
        assert!(Group::Modp1024.accepts(edge.to_be_bytes().as_ref()));
        let over = edge.wrapping_add(&Uint::ONE);
        assert!(!Group::Modp1024.accepts(over.to_be_bytes().as_ref()));
        let lowest = [1, 0, 0, 0];
        assert!(!Group::Modp1024.accepts(&lowest), "2^24 itself has a single one bit");
    }

    #[test]
    fn keys_never_print() {
        let key = key(Group::Modp1024, 1, 0);
        let secret = key.agree(&key.public()).unwrap();
        assert_eq!(format!("{key:?} {secret:?}"), "PrivateKey(Modp1024) SharedSecret");
    }
}
