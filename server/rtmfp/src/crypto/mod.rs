//! The crypto profile of RFC 7425 section 4.

pub mod certificate;
pub mod cipher;
pub mod dh;
pub mod epd;
pub mod keying;
pub mod keys;
mod moduli;

pub use certificate::{Certificate, Identity};
pub use cipher::Cipher;
pub use dh::{Group, PrivateKey, SharedSecret};
pub use keying::{Component, Negotiation, Protection};
pub use keys::SessionKeys;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// SHA-256 over several pieces.
pub(crate) fn sha256(pieces: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for piece in pieces {
        hash.update(piece);
    }
    hash.finalize().into()
}

/// An HMAC-SHA256 that has its key.
#[derive(Clone)]
pub(crate) struct HmacKey(Hmac<Sha256>);

impl HmacKey {
    pub(crate) fn new(key: &[u8]) -> Self {
        // HMAC takes keys of any length: a longer one than a block is hashed, a shorter one padded.
        HmacKey(Hmac::new_from_slice(key).unwrap_or_else(|_| Hmac::new(&Default::default())))
    }

    /// HMAC-SHA256 over several pieces.
    pub(crate) fn sum(&self, pieces: &[&[u8]]) -> [u8; 32] {
        let mut hmac = self.0.clone();
        for piece in pieces {
            hmac.update(piece);
        }
        hmac.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HmacKey")
    }
}

/// HMAC-SHA256 of RFC 7425 section 2: key first.
pub(crate) fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    HmacKey::new(key).sum(&[message])
}
