//! What a description and a stream end call the encryption of sound (RFC 3711, RFC 4568).

use crate::Seed;
use std::fmt;

/// Octets of the longest key and salt: AES-256 (RFC 6188).
const LONGEST: usize = 32 + 14;

/// A crypto suite of RTP: a cipher and the authentication that goes with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SrtpSuite {
    /// AES-128 in counter mode, tags of 80 bits (RFC 4568 section 6.2.1).
    Aes128Tag80,
    /// AES-128 in counter mode, RTP tags of 32 bits (RFC 4568 section 6.2.2).
    Aes128Tag32,
    /// AES-256 in counter mode, tags of 80 bits (RFC 6188).
    Aes256Tag80,
    /// AES-256 in counter mode, RTP tags of 32 bits (RFC 6188).
    Aes256Tag32,
}

impl SrtpSuite {
    /// Every suite; what every phone knows stands first.
    pub const ALL: [SrtpSuite; 4] = [
        SrtpSuite::Aes128Tag80,
        SrtpSuite::Aes128Tag32,
        SrtpSuite::Aes256Tag80,
        SrtpSuite::Aes256Tag32,
    ];

    /// Its name in `a=crypto`.
    pub const fn name(self) -> &'static str {
        match self {
            SrtpSuite::Aes128Tag80 => "AES_CM_128_HMAC_SHA1_80",
            SrtpSuite::Aes128Tag32 => "AES_CM_128_HMAC_SHA1_32",
            SrtpSuite::Aes256Tag80 => "AES_256_CM_HMAC_SHA1_80",
            SrtpSuite::Aes256Tag32 => "AES_256_CM_HMAC_SHA1_32",
        }
    }

    /// The suite of a name. AES-256 is also known by the name that drafts of RFC 6188 gave it.
    pub fn from_name(name: &str) -> Option<SrtpSuite> {
        let drafted = match name.to_ascii_uppercase().as_str() {
            "AES_CM_256_HMAC_SHA1_80" => Some(SrtpSuite::Aes256Tag80),
            "AES_CM_256_HMAC_SHA1_32" => Some(SrtpSuite::Aes256Tag32),
            _ => None,
        };
        let named = |suite: &SrtpSuite| suite.name().eq_ignore_ascii_case(name);
        drafted.or_else(|| SrtpSuite::ALL.into_iter().find(named))
    }

    /// Octets of the master key.
    pub const fn key_length(self) -> usize {
        match self {
            SrtpSuite::Aes128Tag80 | SrtpSuite::Aes128Tag32 => 16,
            SrtpSuite::Aes256Tag80 | SrtpSuite::Aes256Tag32 => 32,
        }
    }

    /// Octets of the master salt.
    pub const fn salt_length(self) -> usize {
        14
    }

    /// Octets of the tag behind an RTP packet; behind RTCP there are always 10 (RFC 4568 6.2.2).
    pub const fn tag_length(self) -> usize {
        match self {
            SrtpSuite::Aes128Tag80 | SrtpSuite::Aes256Tag80 => 10,
            SrtpSuite::Aes128Tag32 | SrtpSuite::Aes256Tag32 => 4,
        }
    }
}

/// A master key with its salt, for one direction. It never prints, comparing takes constant time,
/// and it is overwritten when it is dropped.
#[derive(Clone)]
pub struct MasterKey {
    octets: [u8; LONGEST],
    key: usize,
    salt: usize,
}

impl MasterKey {
    /// A new random one.
    pub fn random(suite: SrtpSuite, seed: &mut Seed) -> MasterKey {
        let mut key =
            MasterKey { octets: [0; LONGEST], key: suite.key_length(), salt: suite.salt_length() };
        let length = key.key + key.salt;
        seed.fill(&mut key.octets[..length]);
        key
    }

    /// Key and salt out of octets; `None` where they are not as many as the suite needs.
    pub fn from_octets(suite: SrtpSuite, octets: &[u8]) -> Option<MasterKey> {
        let (key, salt) = (suite.key_length(), suite.salt_length());
        let mut made = MasterKey { octets: [0; LONGEST], key, salt };
        if octets.len() != key + salt {
            return None;
        }
        made.octets.get_mut(..octets.len())?.copy_from_slice(octets);
        Some(made)
    }

    /// Key and salt out of the text behind `inline:` (RFC 4568 section 6.1).
    pub fn from_base64(suite: SrtpSuite, text: &str) -> Option<MasterKey> {
        let text = text.trim_end_matches('=').as_bytes();
        let mut made =
            MasterKey { octets: [0; LONGEST], key: suite.key_length(), salt: suite.salt_length() };
        let wanted = made.key + made.salt;
        if text.len() != (wanted * 8).div_ceil(6) {
            return None;
        }
        let (mut bits, mut held, mut at) = (0u32, 0u32, 0);
        for letter in text {
            let value = ALPHABET.iter().position(|known| known == letter)?;
            (bits, held) = (bits << 6 | value as u32, held + 6);
            if held >= 8 {
                held -= 8;
                *made.octets.get_mut(at)? = (bits >> held) as u8;
                (bits, at) = (bits & ((1 << held) - 1), at + 1);
            }
        }
        (at == wanted).then_some(made)
    }

    /// The text that goes behind `inline:`; every use is a place to look at in review.
    pub fn reveal_base64(&self) -> String {
        let octets = self.octets.get(..self.key + self.salt).unwrap_or_default();
        let mut text = String::with_capacity(octets.len().div_ceil(3) * 4);
        for chunk in octets.chunks(3) {
            let word = chunk.iter().fold(0u32, |word, octet| word << 8 | u32::from(*octet));
            let word = word << (8 * (3 - chunk.len()));
            for n in 0..4 {
                let letter = ALPHABET[(word >> (18 - 6 * n)) as usize & 63];
                text.push(if n > chunk.len() { '=' } else { char::from(letter) });
            }
        }
        text
    }

    /// The key itself.
    pub fn reveal_key(&self) -> &[u8] {
        self.octets.get(..self.key).unwrap_or_default()
    }

    /// The salt itself.
    pub fn reveal_salt(&self) -> &[u8] {
        self.octets.get(self.key..self.key + self.salt).unwrap_or_default()
    }
}

/// RFC 4648 section 4.
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl Drop for MasterKey {
    fn drop(&mut self) {
        // As good as it goes without `unsafe`.
        self.octets = [0; LONGEST];
        std::hint::black_box(&self.octets);
    }
}

impl PartialEq for MasterKey {
    fn eq(&self, other: &Self) -> bool {
        let pairs = self.octets.iter().zip(&other.octets);
        let different = pairs.fold(0u8, |sum, (a, b)| sum | (a ^ b));
        self.key == other.key && std::hint::black_box(different) == 0
    }
}

impl Eq for MasterKey {}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_key_survives_its_text_and_the_text_is_as_long_as_the_rfc_says() {
        let mut seed = Seed::from_number(3);
        for suite in SrtpSuite::ALL {
            for _ in 0..50 {
                let key = MasterKey::random(suite, &mut seed);
                let text = key.reveal_base64();
                assert_eq!(text.len(), if suite.key_length() == 16 { 40 } else { 64 });
                assert_eq!(MasterKey::from_base64(suite, &text).unwrap(), key);
                let bare = text.trim_end_matches('=');
                assert_eq!(MasterKey::from_base64(suite, bare).unwrap(), key);
                assert_ne!(MasterKey::random(suite, &mut seed), key);
            }
        }
    }

    #[test]
    fn the_key_of_rfc_4568_is_read() {
        let text = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
        let key = MasterKey::from_base64(SrtpSuite::Aes128Tag80, text).unwrap();
        assert_eq!(key.reveal_key(), b"wDfvg&T+)xG7@fb5");
        assert_eq!(key.reveal_salt(), b"jU,RaA}\\|p0%*#");
        assert_eq!(key.reveal_base64(), text);
    }

    #[test]
    fn a_text_of_another_length_or_alphabet_is_no_key() {
        let suite = SrtpSuite::Aes128Tag80;
        let good = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
        for bad in ["", &good[..39], &format!("{good}A"), &good.replace('0', "-"), "====", "é"] {
            assert!(MasterKey::from_base64(suite, bad).is_none(), "{bad}");
        }
        assert!(MasterKey::from_base64(SrtpSuite::Aes256Tag80, good).is_none());
    }

    #[test]
    fn a_key_never_prints() {
        let key = MasterKey::random(SrtpSuite::Aes256Tag80, &mut Seed::from_number(1));
        assert_eq!(format!("{key:?}"), "[secret]");
    }

    #[test]
    fn every_suite_is_found_by_its_name() {
        for suite in SrtpSuite::ALL {
            assert_eq!(SrtpSuite::from_name(&suite.name().to_lowercase()), Some(suite));
        }
        let drafted = SrtpSuite::from_name("AES_CM_256_HMAC_SHA1_80");
        assert_eq!(drafted, Some(SrtpSuite::Aes256Tag80));
        assert_eq!(SrtpSuite::from_name("F8_128_HMAC_SHA1_80"), None);
    }
}
