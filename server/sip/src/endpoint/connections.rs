//! What the network says of the ways to peers.

use super::{Connection, Endpoint};
use crate::cause::Cause;
use crate::transaction::{TransactionId, User};
use base::{AccountId, Protocol};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

impl Endpoint {
    /// The network says that nobody listens at a peer (ICMP port or host unreachable). Calls and
    /// registrations that are just beginning there fail at once, as RFC 3261 8.1.3.1 wants; what
    /// has been heard of keeps its timers, for a message of the network is not signed. Where
    /// requests to two ports of the peer wait, the message says not which, and timers decide.
    pub fn handle_unreachable(&mut self, now: Instant, peer: IpAddr) {
        let unheard = self.core.table.unheard(peer);
        let mut ports = unheard.iter().map(|(.., remote)| remote.port());
        let first = ports.next();
        if ports.any(|port| Some(port) != first) {
            return;
        }
        for (id, user, _) in unheard {
            self.fail_beginning(now, id, user, Cause::unreachable());
        }
        self.pass_reports(now);
    }

    /// A connection to a peer has come up, could not be made, or is gone. Whoever owns connections
    /// makes one when [`Endpoint::poll_transmit`] asks for it and there is none, and says of each
    /// what became of it. Requests on one that failed fail at once (8.1.3.1, 18.4), unless they
    /// have another way; of one that is gone the registrations are made anew, since the registrar
    /// reaches us by nothing else.
    pub fn handle_connection(
        &mut self,
        now: Instant,
        protocol: Protocol,
        remote: SocketAddr,
        connection: &Connection,
    ) {
        let (was_up, cause) = match connection {
            Connection::Opened => return self.core.on_opened(protocol, remote),
            Connection::Closed => (true, Cause::unreachable()),
            Connection::Failed { words } => {
                (false, Cause { reason: Some(words.clone()), ..Cause::unreachable() })
            }
        };
        for (id, user) in self.core.on_lost(now, (protocol, remote), was_up) {
            self.fail_beginning(now, id, user, cause.clone());
        }
        if was_up {
            let ids: Vec<AccountId> = self.accounts.keys().copied().collect();
            for id in ids {
                if let Some(registration) = self.accounts.get_mut(&id) {
                    registration.on_connection_lost(&mut self.core, now, protocol, remote);
                }
                self.settle_account(id);
            }
        }
        self.pass_reports(now);
    }

    /// Ends a request that nothing was heard of, where it begins a call or registers. What is
    /// already up keeps its timers.
    fn fail_beginning(&mut self, now: Instant, id: TransactionId, user: User, cause: Cause) {
        let begins = match user {
            User::Invite(invite) => {
                self.invites.get(&invite).is_some_and(|invite| invite.begins_with(id))
            }
            User::Registration(_) => true,
        };
        if begins {
            self.core.table.forget_client(&mut self.core.out, id);
            self.on_transaction_over(now, id, user, Some(cause));
        }
    }
}
