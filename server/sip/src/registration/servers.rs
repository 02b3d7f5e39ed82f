//! An account's servers: which of them is used, and how it reaches us.

use super::{Registration, State};
use crate::endpoint::Core;
use crate::limits;
use crate::quirks::Quirk;
use crate::transaction::Hop;
use base::Protocol;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

impl Registration {
    /// The servers that are not to be asked for the port.
    pub(crate) fn rportless(&self) -> Vec<SocketAddr> {
        let shy = self.settings.quirks.has(Quirk::NoRport);
        let servers = self.settings.targets.iter().filter(|_| shy);
        servers.map(|target| target.address).collect()
    }

    /// The addresses that this account names as peers.
    pub(crate) fn peers(&self) -> Vec<IpAddr> {
        let targets = self.settings.targets.iter().map(|target| target.address.ip());
        targets.chain(self.settings.peers.iter().copied()).collect()
    }

    /// How the registrar reaches us, while it may want to.
    pub(crate) fn way(&self, core: &Core) -> Option<Hop> {
        self.hop(core).filter(|_| self.state == State::Registered)
    }

    /// The server of the account that is used: where REGISTERs go.
    pub(crate) fn hop(&self, core: &Core) -> Option<Hop> {
        self.settings.targets.get(self.target).map(|target| core.hop(target))
    }

    /// A connection is gone. A registrar that was reached by it reaches us no more.
    pub(crate) fn on_connection_lost(
        &mut self,
        core: &mut Core,
        now: Instant,
        protocol: Protocol,
        remote: SocketAddr,
    ) {
        let used =
            self.hop(core).is_some_and(|hop| (hop.protocol, hop.remote) == (protocol, remote));
        if used && self.state == State::Registered && self.transaction.is_none() {
            let within = limits::RECONNECT_WITHIN.as_millis() as u64;
            self.next_at = Some(now + Duration::from_millis(core.seed.below(within)));
        }
    }
}
