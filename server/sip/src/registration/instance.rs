//! What tells an account from others of the same user name in the Request-URI of a call.

use super::Registration;
use crate::endpoint::{Account, Own};
use sha2::{Digest, Sha256};

/// The parameter of our Contact that many phones name themselves by; no RFC has it. A registrar
/// gives the whole Contact back in the Request-URI of a call (RFC 3261 16.5, 16.6).
pub(crate) const PARAMETER: &str = "rinstance";

/// Octets of the hash that stand in it: among a shard's accounts no two are alike.
const OCTETS: usize = 8;

/// The parameter's value for an account, in hexadecimal. It comes from the address of record alone,
/// so that a program that is started again takes the place of its former binding instead of adding
/// one.
pub(super) fn of(settings: &Account) -> String {
    let hash = Sha256::new()
        .chain_update(settings.username.as_bytes())
        .chain_update(b"@")
        .chain_update(settings.domain.to_ascii_lowercase().as_bytes())
        .finalize();
    hash.iter().take(OCTETS).map(|octet| format!("{octet:02x}")).collect()
}

impl Registration {
    /// The parameter's value in our Contact.
    pub(crate) fn instance(&self) -> &str {
        &self.instance
    }

    /// The Contact of a REGISTER.
    pub(super) fn binding(&self, at: Own, seconds: u64) -> String {
        let uri = at.uri(self.contact_user(), self.settings.quirks);
        format!("<{uri};{PARAMETER}={}>;expires={seconds}", self.instance())
    }

    /// Whether the registrar holds our Contact.
    pub(crate) fn is_bound(&self) -> bool {
        self.bound.is_some()
    }
}
