//! The keys and nonces of a session (RFC 7425 sections 4.6.3 to 4.6.5).

use super::{SharedSecret, hmac_sha256};
use zeroize::{Zeroize, Zeroizing};

/// What both ends derive from the shared secret and the two keying components. It is overwritten
/// when dropped and never prints.
pub struct SessionKeys {
    encrypt: [u8; 32],
    decrypt: [u8; 32],
    hmac_send: [u8; 32],
    hmac_receive: [u8; 32],
    near_nonce: [u8; 32],
    far_nonce: [u8; 32],
}

impl SessionKeys {
    /// Derives them; `near` is the component that this end sent (SKNC), `far` the one that it
    /// received (SKFC).
    pub fn derive(secret: &SharedSecret, near: &[u8], far: &[u8]) -> Self {
        let with_secret = |message: &[u8]| hmac_sha256(secret.reveal(), message);
        let encrypt = with_secret(Zeroizing::new(hmac_sha256(far, near)).as_ref());
        let decrypt = with_secret(Zeroizing::new(hmac_sha256(near, far)).as_ref());
        SessionKeys {
            hmac_send: with_secret(&encrypt),
            hmac_receive: with_secret(&decrypt),
            near_nonce: with_secret(near),
            far_nonce: with_secret(far),
            encrypt,
            decrypt,
        }
    }

    /// ENCRYPT_KEY; the AES key is its first half.
    pub fn encrypt(&self) -> &[u8; 32] {
        &self.encrypt
    }

    /// DECRYPT_KEY; the AES key is its first half.
    pub fn decrypt(&self) -> &[u8; 32] {
        &self.decrypt
    }

    /// HMAC_SEND_KEY.
    pub fn hmac_send(&self) -> &[u8; 32] {
        &self.hmac_send
    }

    /// HMAC_RECV_KEY.
    pub fn hmac_receive(&self) -> &[u8; 32] {
        &self.hmac_receive
    }

    /// NEAR_NONCE: the far end's far nonce.
    pub fn near_nonce(&self) -> &[u8; 32] {
        &self.near_nonce
    }

    /// FAR_NONCE: the far end's near nonce.
    pub fn far_nonce(&self) -> &[u8; 32] {
        &self.far_nonce
    }
}

impl Drop for SessionKeys {
    fn drop(&mut self) {
        for key in [
            &mut self.encrypt,
            &mut self.decrypt,
            &mut self.hmac_send,
            &mut self.hmac_receive,
            &mut self.near_nonce,
            &mut self.far_nonce,
        ] {
            key.zeroize();
        }
    }
}

impl std::fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKeys")
    }
}
