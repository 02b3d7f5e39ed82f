//! Transactions: one request, its responses, and the retransmission of both (RFC 3261 17).
//!
//! The machines in `client` and `server` are pure states; the [`Table`] finds them, sends for them
//! and keeps their deadlines.

mod client;
mod connections;
mod rests;
mod server;
mod timers;

pub use timers::Timers;

use crate::endpoint::InviteId;
use crate::limits;
use crate::message::{Method, Name, Request, Response};
use base::{AccountId, Protocol};
use client::Client;
use rests::Rests;
use server::Server;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

pub(crate) use client::{follower, set_transport};

/// One way to a peer: the protocol and both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hop {
    /// The transport protocol.
    pub protocol: Protocol,
    /// The local address to send from.
    pub local: SocketAddr,
    /// The peer's address.
    pub remote: SocketAddr,
}

impl Hop {
    /// A hop over UDP.
    pub fn udp(local: SocketAddr, remote: SocketAddr) -> Self {
        Hop { protocol: Protocol::Udp, local, remote }
    }

    /// Whether the transport repeats by itself what gets lost.
    pub fn reliable(&self) -> bool {
        self.protocol != Protocol::Udp
    }

    /// The transport's name in a Via header field.
    pub(crate) fn name(&self) -> &'static str {
        match self.protocol {
            Protocol::Udp => "UDP",
            Protocol::Tcp => "TCP",
            Protocol::Tls => "TLS",
        }
    }
}

/// The number of a transaction inside this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TransactionId(pub(crate) u64);

/// Who a client transaction works for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// A registration of this account.
    Registration(AccountId),
    /// A call.
    Invite(InviteId),
}

/// Whose deadline it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// A client transaction.
    Client(TransactionId),
    /// A server transaction.
    Server(TransactionId),
    /// A call.
    Invite(InviteId),
    /// An account's registration.
    Account(AccountId),
    /// The ways that are kept open.
    Ways,
}

/// What a request turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// New: the user answers it.
    New(TransactionId),
    /// A repeat: dealt with.
    Absorbed,
    /// There is no room for it.
    Full,
}

/// What the end of a client transaction's deadline meant.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Expired {
    /// Nobody answered.
    pub(crate) timed_out: bool,
    /// The transaction is gone.
    pub(crate) over: bool,
}

/// Every transaction of the endpoint.
pub(crate) struct Table {
    timers: Timers,
    next: u64,
    clients: HashMap<TransactionId, Client>,
    servers: HashMap<TransactionId, Server>,
    client_keys: HashMap<String, TransactionId>,
    server_keys: HashMap<String, TransactionId>,
    per_peer: HashMap<IpAddr, usize>,
    rests: Rests,
}

/// What the table needs from its endpoint: a way to send, and the clock's list.
pub(crate) trait Wire {
    /// Sends octets.
    fn send(&mut self, hop: Hop, octets: Vec<u8>);
    /// Counts a repeated message that goes out.
    fn resent(&mut self);
    /// Remembers that a server takes no connections.
    fn refuses_connections(&mut self, now: Instant, remote: SocketAddr);
    /// Sets or forgets a deadline.
    fn wake(&mut self, owner: Owner, at: Option<Instant>);
}

impl Table {
    /// An empty table.
    pub(crate) fn new(timers: Timers) -> Self {
        Table {
            timers,
            next: 0,
            clients: HashMap::new(),
            servers: HashMap::new(),
            client_keys: HashMap::new(),
            server_keys: HashMap::new(),
            per_peer: HashMap::new(),
            rests: Rests::default(),
        }
    }

    /// Sends a request that carries its Via already, and its octets. `None` when there is no room:
    /// nothing is sent then.
    pub(crate) fn request(
        &mut self,
        now: Instant,
        wire: &mut impl Wire,
        (request, octets): (Request, Vec<u8>),
        hop: Hop,
        user: User,
    ) -> Option<TransactionId> {
        if self.clients.len() >= limits::CLIENT_TRANSACTIONS {
            return None;
        }
        let key = client_key(&request.headers.get(&Name::Via).and_then(branch)?, &request.method);
        let id = self.allocate();
        let sent = (request, octets, key.clone());
        let client = Client::new(now, self.timers, sent, hop, user);
        wire.send(hop, client.octets.clone());
        wire.wake(Owner::Client(id), self.rests.due(now, client.deadline(), client.is_at_rest()));
        self.client_keys.insert(key, id);
        self.clients.insert(id, client);
        Some(id)
    }

    /// The requests by UDP to a peer that nothing has been heard of, by its address.
    pub(crate) fn unheard(&self, peer: IpAddr) -> Vec<(TransactionId, User, SocketAddr)> {
        let clients = self.clients.iter();
        let unheard = clients.filter(|(_, client)| {
            client.is_unheard()
                && client.hop.protocol == Protocol::Udp
                && client.hop.remote.ip().to_canonical() == peer.to_canonical()
        });
        unheard.map(|(id, client)| (*id, client.user, client.hop.remote)).collect()
    }

    /// The client transaction of a number.
    pub(crate) fn client(&self, id: TransactionId) -> Option<&Client> {
        self.clients.get(&id)
    }

    /// The server transaction of a number.
    pub(crate) fn server(&self, id: TransactionId) -> Option<&Server> {
        self.servers.get(&id)
    }

    /// The server transaction of a number, to be changed.
    pub(crate) fn server_mut(&mut self, id: TransactionId) -> Option<&mut Server> {
        self.servers.get_mut(&id)
    }

    /// Whether an owner of a deadline is a live transaction.
    pub(crate) fn owns(&self, owner: Owner) -> bool {
        match owner {
            Owner::Client(id) => self.clients.contains_key(&id),
            Owner::Server(id) => self.servers.contains_key(&id),
            Owner::Invite(_) | Owner::Account(_) | Owner::Ways => false,
        }
    }

    /// How many transactions are alive: clients, servers.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.clients.len(), self.servers.len())
    }

    /// Finds the transaction of a response by the branch of its topmost Via (17.1.3) and feeds it.
    /// `Ok` names it if the response is for its user; `Err(true)` means absorbed, `Err(false)` that
    /// nothing matches.
    pub(crate) fn on_response(
        &mut self,
        now: Instant,
        wire: &mut impl Wire,
        response: &Response,
        branch: Option<&str>,
    ) -> Result<(TransactionId, User), bool> {
        let key =
            branch.zip(response.cseq().ok()).map(|(branch, cseq)| client_key(branch, &cseq.method));
        let id = key.and_then(|key| self.client_keys.get(&key).copied()).ok_or(false)?;
        let client = self.clients.get_mut(&id).ok_or(false)?;
        let step = client.on_response(now, self.timers, response);
        if step.acknowledge
            && let Some(ack) = &client.ack
        {
            wire.send(client.hop, ack.clone());
        }
        wire.wake(Owner::Client(id), self.rests.due(now, client.deadline(), client.is_at_rest()));
        if step.deliver { Ok((id, client.user)) } else { Err(true) }
    }

    /// A client's deadline came. The user is told of a transaction that is over.
    pub(crate) fn on_client_timeout(
        &mut self,
        now: Instant,
        wire: &mut impl Wire,
        id: TransactionId,
    ) -> Option<(User, Expired)> {
        let client = self.clients.get_mut(&id)?;
        let step = client.on_timeout(now, self.timers);
        if step.resend {
            wire.resent();
            wire.send(client.hop, client.octets.clone());
        }
        let user = client.user;
        if step.fall_back {
            self.fall_back(now, wire, id);
            return None;
        }
        if step.over {
            self.forget_client(wire, id);
        } else {
            wire.wake(
                Owner::Client(id),
                self.rests.due(now, client.deadline(), client.is_at_rest()),
            );
        }
        Some((user, Expired { timed_out: step.timed_out, over: step.over }))
    }

    /// Bounds the life of a client transaction that nobody waits for any more (9.1).
    pub(crate) fn give_up(&mut self, now: Instant, wire: &mut impl Wire, id: TransactionId) {
        let at = now + self.timers.t1 * 64;
        if let Some(client) = self.clients.get_mut(&id) {
            client.give_up(at);
            wire.wake(
                Owner::Client(id),
                self.rests.due(now, client.deadline(), client.is_at_rest()),
            );
        }
    }

    /// Drops a client transaction before its time (RFC 3261 9.1: a cancelled INVITE that is never
    /// finally answered).
    pub(crate) fn forget_client(&mut self, wire: &mut impl Wire, id: TransactionId) {
        wire.wake(Owner::Client(id), None);
        if let Some(client) = self.clients.remove(&id) {
            self.client_keys.remove(&client.key);
        }
    }

    /// Matches a request other than ACK (17.2.3).
    pub(crate) fn receive(&mut self, wire: &mut impl Wire, request: Request, hop: Hop) -> Received {
        let Some(key) = server_key(&request, &request.method) else { return Received::Absorbed };
        if let Some(&id) = self.server_keys.get(&key)
            && let Some(server) = self.servers.get(&id)
        {
            if server.on_repeat().resend {
                self.repeat(wire, id);
            }
            return Received::Absorbed;
        }
        let peer = self.per_peer.entry(hop.remote.ip()).or_default();
        if *peer >= limits::SERVER_TRANSACTIONS_PER_PEER
            || self.servers.len() >= limits::SERVER_TRANSACTIONS
        {
            return Received::Full;
        }
        *peer += 1;
        let id = self.allocate();
        let server = Server::new(request, hop);
        wire.wake(Owner::Server(id), server.deadline());
        self.server_keys.insert(key, id);
        self.servers.insert(id, server);
        Received::New(id)
    }

    /// Feeds an ACK to the INVITE transaction that it belongs to. False: it is a dialog's.
    pub(crate) fn on_ack(&mut self, now: Instant, wire: &mut impl Wire, ack: &Request) -> bool {
        let Some(id) = self.invite_of(ack) else { return false };
        let Some(server) = self.servers.get_mut(&id) else { return false };
        // A 2xx's ACK has a branch of its own; those that reuse the INVITE's are the dialog's all
        // the same.
        if server.state() == server::State::Accepted {
            return false;
        }
        server.on_ack(now, self.timers);
        wire.wake(Owner::Server(id), self.rests.due(now, server.deadline(), server.is_at_rest()));
        true
    }

    /// The INVITE transaction that a CANCEL or an ACK belongs to (9.2, 17.2.3).
    pub(crate) fn invite_of(&self, request: &Request) -> Option<TransactionId> {
        let key = server_key(request, &Method::Invite)?;
        self.server_keys.get(&key).copied()
    }

    /// Whether a server transaction still takes an answer.
    pub(crate) fn awaits_answer(&self, id: TransactionId) -> bool {
        self.servers.get(&id).is_some_and(|server| server.state() == server::State::Proceeding)
    }

    /// Answers a request; later repeats get the same answer.
    pub(crate) fn respond(
        &mut self,
        now: Instant,
        wire: &mut impl Wire,
        id: TransactionId,
        response: &Response,
    ) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        let octets = response.to_bytes();
        if server.on_answer(now, self.timers, response.status, octets.clone()) {
            wire.send(server.hop, octets);
        }
        wire.wake(Owner::Server(id), self.rests.due(now, server.deadline(), server.is_at_rest()));
    }

    /// Sends the last answer to a request once more.
    pub(crate) fn repeat(&self, wire: &mut impl Wire, id: TransactionId) {
        let server = self.servers.get(&id);
        if let Some((hop, octets)) = server.and_then(|s| Some((s.hop, s.response.clone()?))) {
            wire.resent();
            wire.send(hop, octets);
        }
    }

    /// A server's deadline came.
    pub(crate) fn on_server_timeout(
        &mut self,
        now: Instant,
        wire: &mut impl Wire,
        id: TransactionId,
    ) {
        let Some(server) = self.servers.get_mut(&id) else { return };
        let step = server.on_timeout(now, self.timers);
        let deadline = self.rests.due(now, server.deadline(), server.is_at_rest());
        if step.resend {
            self.repeat(wire, id);
        }
        if !step.over {
            wire.wake(Owner::Server(id), deadline);
            return;
        }
        wire.wake(Owner::Server(id), None);
        let Some(server) = self.servers.remove(&id) else { return };
        if let Some(key) = server_key(&server.request, &server.request.method) {
            self.server_keys.remove(&key);
        }
        let peer = server.hop.remote.ip();
        if let Some(count) = self.per_peer.get_mut(&peer) {
            *count -= 1;
            if *count == 0 {
                self.per_peer.remove(&peer);
            }
        }
    }

    fn allocate(&mut self) -> TransactionId {
        self.next += 1;
        TransactionId(self.next)
    }
}

/// The branch of a Via header field value, read without judging the rest of it.
fn branch(via: &str) -> Option<String> {
    via.split(';').skip(1).find_map(|param| {
        let (name, value) = param.split_once('=')?;
        let value = value.split(',').next()?.trim();
        (name.trim().eq_ignore_ascii_case("branch") && !value.is_empty()).then(|| value.to_owned())
    })
}

/// What a client transaction is found by (17.1.3).
fn client_key(branch: &str, method: &Method) -> String {
    format!("{branch} {method}")
}

/// What a server transaction is found by (17.2.3): branch, sent-by and method; for a peer of
/// RFC 2543, which has no unique branch, what identifies the request there.
fn server_key(request: &Request, method: &Method) -> Option<String> {
    let via = request.headers.get(&Name::Via)?;
    let sent_by = via.split(';').next().unwrap_or(via).trim().to_ascii_lowercase();
    let cookie = branch(via).filter(|branch| branch.starts_with("z9hG4bK"));
    match cookie {
        Some(branch) => Some(format!("{branch} {sent_by} {method}")),
        None => {
            let from = request.headers.get(&Name::From)?;
            let tag = from.rsplit_once(";tag=").map_or("", |(_, tag)| tag);
            let number = request.cseq().ok()?.number;
            let call_id = request.headers.get(&Name::CallId)?;
            Some(format!("{call_id} {tag} {number} {sent_by} {method}"))
        }
    }
}

#[cfg(test)]
mod tests;
