//! AES in counter mode and HMAC-SHA1, and the derivation of session keys from a master key.

use crate::numbers::SRTP_AUTHENTICATION_KEY;
use aes::cipher::{InnerIvInit, KeyInit, StreamCipher, StreamCipherCoreWrapper};
use aes::{Aes128, Aes256};
use ctr::{CtrCore, flavors};
use hmac::{Hmac, Mac};
use sha1::Sha1;
use zeroize::Zeroizing;

/// The block cipher of a session key or a master key. Boxed: the rounds of a key take 240 octets.
enum Block {
    Aes128(Box<Aes128>),
    Aes256(Box<Aes256>),
}

impl Block {
    /// `None` for a key of a length that is not AES's; 192 bits are spoken by nobody.
    fn new(key: &[u8]) -> Option<Block> {
        Some(match key.len() {
            16 => Block::Aes128(Box::new(Aes128::new_from_slice(key).ok()?)),
            32 => Block::Aes256(Box::new(Aes256::new_from_slice(key).ok()?)),
            _ => return None,
        })
    }

    /// Adds the key stream that starts at a counter block, modulo 2 (RFC 3711 section 4.1.1).
    fn apply(&self, counter: [u8; 16], text: &mut [u8]) {
        type Stream<'a, C> = StreamCipherCoreWrapper<CtrCore<&'a C, flavors::Ctr128BE>>;
        // Neither fails below 2^132 octets.
        let _ = match self {
            Block::Aes128(cipher) => {
                let core = CtrCore::inner_iv_init(cipher.as_ref(), &counter.into());
                Stream::from_core(core).try_apply_keystream(text)
            }
            Block::Aes256(cipher) => {
                let core = CtrCore::inner_iv_init(cipher.as_ref(), &counter.into());
                Stream::from_core(core).try_apply_keystream(text)
            }
        };
    }
}

/// A session key (RFC 3711 section 4.3.1): AES in counter mode under the master key. The salt may be
/// shorter than 112 bits, zeros follow then (RFC 7714 section 11). `None` for a key that is no AES
/// key, or a salt that is too long.
pub fn derive<const N: usize>(key: &[u8], salt: &[u8], label: u8) -> Option<Zeroizing<[u8; N]>> {
    let mut derived = Zeroizing::new([0; N]);
    derive_into(&Block::new(key)?, salt, label, derived.as_mut_slice())?;
    Some(derived)
}

fn derive_into(block: &Block, salt: &[u8], label: u8, out: &mut [u8]) -> Option<()> {
    let mut counter = [0; 16];
    counter.get_mut(..14)?.get_mut(..salt.len())?.copy_from_slice(salt);
    counter[7] ^= label;
    out.fill(0);
    block.apply(counter, out);
    Some(())
}

/// The session keys of RTP or of RTCP in one direction.
pub(super) struct Keys {
    block: Block,
    authentication: Hmac<Sha1>,
    salt: Zeroizing<[u8; 14]>,
}

impl Keys {
    /// The session keys of RTP, or those of RTCP (RFC 3711 section 4.3.2).
    pub(super) fn new(key: &[u8], salt: &[u8], of_rtcp: bool) -> Option<Keys> {
        let base = if of_rtcp { 3 } else { 0 };
        let master = Block::new(key)?;
        let mut cipher = Zeroizing::new([0; 32]);
        let cipher = cipher.get_mut(..key.len())?;
        derive_into(&master, salt, base, cipher)?;
        let mut authentication = Zeroizing::new([0; SRTP_AUTHENTICATION_KEY]);
        derive_into(&master, salt, base + 1, authentication.as_mut_slice())?;
        let mut session_salt = Zeroizing::new([0; 14]);
        derive_into(&master, salt, base + 2, session_salt.as_mut_slice())?;
        Some(Keys {
            block: Block::new(cipher)?,
            authentication: Hmac::new_from_slice(authentication.as_slice()).ok()?,
            salt: session_salt,
        })
    }

    /// Puts the session keys of a test vector in the place of derived ones.
    #[cfg(test)]
    pub(super) fn use_session(&mut self, key: &[u8], salt: &[u8]) {
        self.block = Block::new(key).expect("a key of AES");
        self.salt.copy_from_slice(salt);
    }

    /// Encrypts or decrypts the text of one packet in place.
    pub(super) fn apply(&self, ssrc: u32, index: u64, text: &mut [u8]) {
        let mut counter = [0; 16];
        let (front, _) = counter.split_at_mut(14);
        front.copy_from_slice(self.salt.as_slice());
        for (octet, part) in counter.iter_mut().skip(4).zip(ssrc.to_be_bytes()) {
            *octet ^= part;
        }
        // 48 bits of the index.
        for (octet, part) in counter.iter_mut().skip(8).zip(index.to_be_bytes().iter().skip(2)) {
            *octet ^= part;
        }
        self.block.apply(counter, text);
    }

    /// Writes the first octets of the tag over what is signed.
    pub(super) fn sign(&self, parts: [&[u8]; 2], tag: &mut [u8]) {
        let mac = self.mac(parts).finalize().into_bytes();
        for (octet, signed) in tag.iter_mut().zip(mac) {
            *octet = signed;
        }
    }

    /// Whether a tag is that of what is signed, in constant time.
    pub(super) fn verify(&self, parts: [&[u8]; 2], tag: &[u8]) -> bool {
        self.mac(parts).verify_truncated_left(tag).is_ok()
    }

    fn mac(&self, parts: [&[u8]; 2]) -> Hmac<Sha1> {
        let mut mac = self.authentication.clone();
        parts.iter().for_each(|part| mac.update(part));
        mac
    }
}
