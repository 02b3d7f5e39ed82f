//! Ways to servers that a NAT or a firewall would forget while nothing is said.

use super::{Core, Endpoint};
use crate::limits;
use crate::transaction::{Hop, Owner, Wire};
use base::{AccountId, Protocol};
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What keeps a way by UDP open: two line ends, which every SIP server steps over. STUN, which RFC
/// 5626 3.5.2 has for UDP, is only for servers that say they know it, and few do. Connections have
/// pings of their own (see [`crate::stream`]).
const LINE_ENDS: &[u8] = b"\r\n\r\n";

impl Core {
    /// From now on ways are kept open, as long as there are some.
    pub(crate) fn keep_ways(&mut self, now: Instant) {
        if self.ways_at.is_none() {
            let jitter = self.seed.below(limits::PING_JITTER.as_millis() as u64);
            self.ways_at = Some(now + limits::PING_EVERY + Duration::from_millis(jitter));
            self.out.wake(Owner::Ways, self.ways_at);
        }
    }
}

impl Endpoint {
    /// Where an account's server has seen us, by its answers so far (RFC 3581 4); whether it has a
    /// registration or not.
    pub fn seen_at(&self, account: AccountId) -> Option<SocketAddr> {
        let hop = self.accounts.get(&account)?.hop(&self.core)?;
        self.core.seen_by(hop)
    }

    /// Keeps open what registrars and the far ends of calls reach us by.
    pub(super) fn on_ways_timeout(&mut self, now: Instant) {
        self.core.ways_at = None;
        self.core.out.wake(Owner::Ways, None);
        let registrars = self.accounts.values().filter_map(|account| account.way(&self.core));
        let calls = self.invites.values().filter_map(|invite| invite.peer_way(&self.core));
        // Nothing stands between us and ourselves.
        let kept = |hop: &Hop| hop.protocol == Protocol::Udp && !hop.remote.ip().is_loopback();
        let ways: BTreeSet<SocketAddr> =
            registrars.chain(calls).filter(kept).map(|hop| hop.remote).collect();
        let local = self.core.settings.local;
        for remote in &ways {
            let hop = Hop { protocol: Protocol::Udp, local, remote: *remote };
            self.core.out.send(hop, LINE_ENDS.to_vec());
        }
        // A call may come to its way by UDP as late as with its answer.
        if !ways.is_empty() || !self.invites.is_empty() {
            self.core.keep_ways(now);
        }
    }
}
