//! What becomes of transactions when connections come and go.

use super::{Hop, Owner, Table, TransactionId, User, Wire};
use crate::limits;
use crate::message::{Name, Via};
use base::Protocol;
use std::net::SocketAddr;
use std::time::Instant;

impl Table {
    /// A request just sent goes by a connection for its length alone (RFC 3261 18.1.1). Unless the
    /// connection is up already it does not wait long for one: whoever runs a server by UDP may
    /// well have a wall around everything else.
    pub(crate) fn mean(
        &mut self,
        now: Instant,
        wire: &mut impl Wire,
        id: TransactionId,
        meant: Hop,
        is_open: bool,
    ) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.mean(meant, (!is_open).then_some(now + limits::CONNECTION_PATIENCE));
            wire.wake(Owner::Client(id), client.deadline());
        }
    }

    /// A connection is up.
    pub(crate) fn on_opened(
        &mut self,
        wire: &mut impl Wire,
        protocol: Protocol,
        remote: SocketAddr,
    ) {
        let clients = self.clients.iter_mut();
        for (id, client) in clients.filter(|(_, client)| is_on(client.hop, protocol, remote)) {
            client.on_opened();
            wire.wake(Owner::Client(*id), client.deadline());
        }
    }

    /// A request takes the way by UDP. False: it was not meant for one.
    pub(super) fn fall_back(
        &mut self,
        now: Instant,
        wire: &mut impl Wire,
        id: TransactionId,
    ) -> bool {
        let Some(client) = self.clients.get_mut(&id) else { return false };
        let remote = client.hop.remote;
        if !client.fall_back(now, self.timers) {
            return false;
        }
        wire.refuses_connections(now, remote);
        wire.send(client.hop, client.octets.clone());
        wire.wake(Owner::Client(id), client.deadline());
        true
    }

    /// A connection is gone (`was_up`), or never came up. Requests on it that have another way
    /// take that; one that was written into a connection as the far end closed it goes out once
    /// more, by a new one (its branch shows the repeat). Gives the requests without a way.
    pub(crate) fn on_lost(
        &mut self,
        now: Instant,
        wire: &mut impl Wire,
        (protocol, remote): (Protocol, SocketAddr),
        was_up: bool,
    ) -> Vec<(TransactionId, User)> {
        self.redirect_answers(protocol, remote);
        let clients = self.clients.iter();
        let mut unheard: Vec<TransactionId> = clients
            .filter(|(_, client)| client.is_unheard() && is_on(client.hop, protocol, remote))
            .map(|(id, _)| *id)
            .collect();
        unheard.sort();
        let mut stranded = Vec::new();
        for id in unheard {
            if self.fall_back(now, wire, id) {
                continue;
            }
            let Some(client) = self.clients.get_mut(&id) else { continue };
            if was_up && !client.sent_again {
                client.sent_again = true;
                wire.resent();
                wire.send(client.hop, client.octets.clone());
            } else {
                stranded.push((id, client.user));
            }
        }
        stranded
    }

    /// Responses that were to go back on a connection that is gone go to the address that the
    /// request names (18.2.2): its sender may listen there.
    fn redirect_answers(&mut self, protocol: Protocol, remote: SocketAddr) {
        for server in self.servers.values_mut().filter(|s| is_on(s.hop, protocol, remote)) {
            let via = server.request.headers.get(&Name::Via).and_then(Via::parse);
            let usual = if protocol == Protocol::Tls { 5061 } else { 5060 };
            let port = via.and_then(|via| via.port).filter(|port| *port != 0);
            server.hop.remote.set_port(port.unwrap_or(usual));
        }
    }
}

fn is_on(hop: Hop, protocol: Protocol, remote: SocketAddr) -> bool {
    hop.protocol == protocol && hop.remote == remote
}
