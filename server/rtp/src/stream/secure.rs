//! The stream end's encryption: what was agreed on, and the two contexts that come of it.

use crate::srtp::{Opener, Sealer};
use base::{MasterKey, SrtpSuite};

/// What a description agreed on (RFC 4568).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection {
    /// The cipher of both directions.
    pub suite: SrtpSuite,
    /// The key of what we send.
    pub own: MasterKey,
    /// The key of what the peer sends.
    pub peer: MasterKey,
    /// Octets of the master key identifier in the peer's packets, 0 without one.
    pub peer_identifier: usize,
}

/// Both directions under their keys.
#[derive(Debug)]
pub(super) struct Secure {
    agreed: Protection,
    pub(super) sealer: Sealer,
    pub(super) opener: Opener,
}

impl Secure {
    /// What a new agreement makes of the one before. A direction whose key stays goes on as it was:
    /// an index that came again under one key would give the sound away. `None` for keys that are
    /// not their suite's.
    pub(super) fn agree(before: Option<Secure>, agreed: Protection) -> Option<Secure> {
        let Protection { suite, ref own, ref peer, peer_identifier } = agreed;
        let Some(before) = before else {
            let sealer = Sealer::new(suite, own)?;
            let opener = Opener::new(suite, peer, peer_identifier)?;
            return Some(Secure { agreed, sealer, opener });
        };
        let same = before.agreed.suite == suite;
        let sealer = if same && before.agreed.own == *own {
            before.sealer
        } else {
            Sealer::new(suite, own)?
        };
        let known =
            same && before.agreed.peer == *peer && before.agreed.peer_identifier == peer_identifier;
        let opener = if known {
            before.opener
        } else {
            let mut opener = Opener::new(suite, peer, peer_identifier)?;
            opener.follow(before.opener);
            opener
        };
        Some(Secure { agreed, sealer, opener })
    }
}
