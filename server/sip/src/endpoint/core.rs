//! What every part of the endpoint works with: the transactions, the way out, the clock's list.

use super::shunned::Shunned;
use super::{Counters, Event, InviteId, Settings};
use crate::deadlines::Deadlines;
use crate::limits;
use crate::message::{Method, Name, Request, Response, Via, escape_user, reason_phrase};
use crate::quirks::Quirks;
use crate::registration::Turns;
use crate::target::Target;
use crate::transaction::{Hop, Owner, Table, TransactionId, User, Wire, set_transport};
use base::{Protocol, Seed, Transmit};
use std::collections::{HashMap, HashSet, VecDeque};
use std::hash::Hash;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// Methods that we answer otherwise than with 405 or 501.
pub(crate) const ALLOW: &str =
    "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY";
/// Extensions that we know (RFC 3262, RFC 4028, RFC 3891, RFC 4488, RFC 6228).
pub(crate) const SUPPORTED: &str = "100rel, timer, replaces, norefersub, 199";

/// Queue, deadlines and counters; apart from [`Core`] so that the table can borrow it beside
/// itself.
pub(crate) struct Out {
    pub(crate) transmits: VecDeque<Transmit>,
    pub(crate) deadlines: Deadlines<Owner>,
    pub(crate) counters: Counters,
    /// Servers that took no connection, and until when that is believed.
    connectionless: HashMap<SocketAddr, Instant>,
}

impl Wire for Out {
    fn send(&mut self, hop: Hop, octets: Vec<u8>) {
        if self.transmits.len() >= limits::TRANSMITS {
            self.counters.dropped_transmits += 1;
            return;
        }
        self.transmits.push_back(Transmit {
            protocol: hop.protocol,
            local: hop.local,
            remote: hop.remote,
            payload: octets,
        });
    }

    fn resent(&mut self) {
        self.counters.retransmissions += 1;
    }

    fn refuses_connections(&mut self, now: Instant, remote: SocketAddr) {
        if self.connectionless.len() >= limits::CONNECTIONS {
            self.connectionless.clear();
        }
        self.connectionless.insert(remote, now + limits::CONNECTIONLESS);
    }

    fn wake(&mut self, owner: Owner, at: Option<Instant>) {
        self.deadlines.set(owner, at);
    }
}

/// An address of ours as a Contact names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Own {
    pub(crate) protocol: Protocol,
    pub(crate) address: SocketAddr,
}

impl Own {
    /// The one for the peer of a hop.
    pub(crate) fn towards(core: &Core, hop: Hop) -> Self {
        Own { protocol: hop.protocol, address: core.address_towards(hop) }
    }

    /// The Contact of a user there, in the form that the provider wants.
    pub(crate) fn contact(self, user: &str, quirks: Quirks) -> String {
        format!("<{}>", self.uri(user, quirks))
    }

    /// The same without its brackets.
    pub(crate) fn uri(self, user: &str, quirks: Quirks) -> String {
        let address = self.address;
        let (scheme, transport) = quirks.contact_form(self.protocol);
        match user {
            "" => format!("{scheme}:{address}{transport}"),
            user => format!("{scheme}:{}@{address}{transport}", escape_user(user)),
        }
    }
}

/// The shared part of the endpoint.
pub(crate) struct Core {
    pub(crate) settings: Settings,
    pub(crate) seed: Seed,
    pub(crate) table: Table,
    pub(crate) out: Out,
    pub(crate) events: VecDeque<Event>,
    /// How far calls have come, for the calls in which they were asked for.
    pub(crate) reports: VecDeque<(InviteId, u16)>,
    /// Peers beyond the settings': registrars, proxies and next hops that commands named.
    named: HashMap<IpAddr, usize>,
    /// Where each peer sees us (`received` and `rport` of our Via, RFC 3581 4).
    learnt: HashMap<(Protocol, SocketAddr), SocketAddr>,
    /// Servers whose Via must not ask for the port, and how many accounts say so.
    rportless: HashMap<SocketAddr, usize>,
    /// Whose turn it is to register.
    pub(crate) turns: Turns,
    /// Servers that calls try last.
    pub(crate) shunned: Shunned,
    /// Connections that are up.
    open: HashSet<(Protocol, SocketAddr)>,
    /// When ways by UDP are next kept open; none while there are none.
    pub(super) ways_at: Option<Instant>,
}

impl Core {
    /// A core at rest.
    pub(crate) fn new(settings: Settings, seed: Seed) -> Self {
        Core {
            seed,
            table: Table::new(settings.timers),
            out: Out {
                transmits: VecDeque::new(),
                deadlines: Deadlines::new(),
                counters: Counters::default(),
                connectionless: HashMap::new(),
            },
            events: VecDeque::new(),
            reports: VecDeque::new(),
            named: HashMap::new(),
            learnt: HashMap::new(),
            rportless: HashMap::new(),
            turns: Turns::default(),
            shunned: Shunned::default(),
            open: HashSet::new(),
            ways_at: None,
            settings,
        }
    }

    /// Whether a peer may be talked to.
    pub(crate) fn knows(&self, ip: IpAddr) -> bool {
        self.settings.peers.contains(ip) || self.named.contains_key(&ip.to_canonical())
    }

    /// Makes an address a peer for as long as somebody names it.
    pub(crate) fn name(&mut self, ip: IpAddr) {
        *self.named.entry(ip.to_canonical()).or_default() += 1;
    }

    /// Takes back one naming.
    pub(crate) fn unname(&mut self, ip: IpAddr) {
        take_one(&mut self.named, ip.to_canonical());
    }

    /// Leaves rport out of what goes to a server, for as long as an account wants it so.
    pub(crate) fn spare_rport(&mut self, server: SocketAddr) {
        *self.rportless.entry(server).or_default() += 1;
    }

    /// Takes back one such wish.
    pub(crate) fn unspare_rport(&mut self, server: SocketAddr) {
        take_one(&mut self.rportless, server);
    }

    /// The way to a server.
    pub(crate) fn hop(&self, target: &Target) -> Hop {
        Hop { protocol: target.protocol, local: self.settings.local, remote: target.address }
    }

    /// Our address as the peer of a hop sees it.
    pub(crate) fn address_towards(&self, hop: Hop) -> SocketAddr {
        self.seen_by(hop).unwrap_or(self.settings.local)
    }

    /// The same where the peer has said so.
    pub(super) fn seen_by(&self, hop: Hop) -> Option<SocketAddr> {
        self.learnt.get(&view(hop)).copied()
    }

    /// Our Contact for messages on a hop.
    pub(crate) fn contact(&self, user: &str, quirks: Quirks, hop: Hop) -> String {
        Own::towards(self, hop).contact(user, quirks)
    }

    /// Learns from the Via of a response to a request of ours where the peer sees us. Of a
    /// connection that is its own end of it, not the port that we listen on: servers find the
    /// connection by it, and behind a NAT nothing else leads to us.
    pub(crate) fn learn(&mut self, hop: Hop, via: &Via) {
        let local = self.settings.local;
        let ip = via.received();
        let port = via.rport().flatten().or(hop.reliable().then_some(hop.local.port()));
        if ip.is_none() && port.is_none() {
            return;
        }
        let seen = SocketAddr::new(ip.unwrap_or(local.ip()), port.unwrap_or(local.port()));
        if seen.ip().is_unspecified() || seen.port() == 0 {
            return;
        }
        let key = view(hop);
        if self.learnt.len() < limits::LEARNT || self.learnt.contains_key(&key) {
            self.learnt.insert(key, seen);
        }
    }

    /// A connection is up.
    pub(crate) fn on_opened(&mut self, protocol: Protocol, remote: SocketAddr) {
        if self.open.len() < limits::CONNECTIONS {
            self.open.insert((protocol, remote));
        }
        self.table.on_opened(&mut self.out, protocol, remote);
    }

    /// A connection is gone or did not come up; gives the requests that are stranded by it.
    pub(crate) fn on_lost(
        &mut self,
        now: Instant,
        place: (Protocol, SocketAddr),
        was_up: bool,
    ) -> Vec<(TransactionId, User)> {
        self.open.remove(&place);
        // The next connection has another port of ours.
        self.learnt.remove(&place);
        self.table.on_lost(now, &mut self.out, place, was_up)
    }

    /// The way that a request of this many octets takes: above what UDP carries for sure it goes by
    /// TCP, unless the server is known to take none (18.1.1).
    fn fitting(&self, now: Instant, length: usize, hop: Hop) -> Hop {
        let refused = self.out.connectionless.get(&hop.remote).is_some_and(|until| now < *until);
        if hop.protocol != Protocol::Udp || refused || length <= limits::DATAGRAM_LENGTH {
            return hop;
        }
        Hop { protocol: Protocol::Tcp, ..hop }
    }

    /// Sends a request that has no Via yet, in a transaction of its own.
    pub(crate) fn request(
        &mut self,
        now: Instant,
        mut request: Request,
        hop: Hop,
        user: User,
    ) -> Option<TransactionId> {
        self.stamp(&mut request, hop);
        let mut octets = request.to_bytes();
        let fitting = self.fitting(now, octets.len(), hop);
        if fitting != hop {
            set_transport(&mut request, fitting);
            octets = request.to_bytes();
        }
        let sent = self.table.request(now, &mut self.out, (request, octets), fitting, user);
        match sent {
            Some(id) if fitting != hop => {
                let is_open = self.open.contains(&(fitting.protocol, fitting.remote));
                self.table.mean(now, &mut self.out, id, hop, is_open);
            }
            Some(_) => {}
            None => self.out.counters.refused += 1,
        }
        sent
    }

    /// Sends a request that has its Via already (CANCEL).
    pub(crate) fn request_as_is(
        &mut self,
        now: Instant,
        request: Request,
        hop: Hop,
        user: User,
    ) -> Option<TransactionId> {
        let octets = request.to_bytes();
        self.table.request(now, &mut self.out, (request, octets), hop, user)
    }

    /// Whether there is room for one more request.
    pub(crate) fn has_room(&self) -> bool {
        self.table.sizes().0 < limits::CLIENT_TRANSACTIONS
    }

    /// The octets of a request outside of transactions (the ACK of a 2xx).
    pub(crate) fn unbound(&mut self, mut request: Request, hop: Hop) -> Vec<u8> {
        self.stamp(&mut request, hop);
        request.to_bytes()
    }

    /// Gives a request its Via and our name.
    fn stamp(&mut self, request: &mut Request, hop: Hop) {
        let sent_by = self.address_towards(hop);
        let branch = self.seed.token(20);
        let rport = if self.rportless.contains_key(&hop.remote) { "" } else { ";rport" };
        let via = format!("SIP/2.0/{} {sent_by};branch=z9hG4bK{branch}{rport}", hop.name());
        request.headers.push_front(Name::Via, via);
        if !self.settings.user_agent.is_empty() {
            request.headers.set(Name::UserAgent, self.settings.user_agent.clone());
        }
    }

    /// A response to a request (8.2.6.2). A To without a tag gets `tag` unless the status is 100.
    pub(crate) fn reply(&self, request: &Request, status: u16, tag: Option<&str>) -> Response {
        let mut response = Response::new(status, reason_phrase(status));
        for name in [Name::Via, Name::RecordRoute] {
            for value in request.headers.all(&name) {
                response.headers.push(name.clone(), value);
            }
        }
        for name in [Name::From, Name::To, Name::CallId, Name::CSeq] {
            if let Some(value) = request.headers.get(&name) {
                response.headers.push(name, value);
            }
        }
        if status > 100
            && let Some(tag) = tag
            && let Ok(mut to) = request.to()
            && to.tag().is_none()
        {
            to.params.set("tag", Some(tag));
            response.headers.set(Name::To, to.to_string());
        }
        if !self.settings.user_agent.is_empty() {
            response.headers.push(Name::Server, self.settings.user_agent.clone());
        }
        response
    }

    /// Answers a server transaction without a body.
    pub(crate) fn answer(&mut self, now: Instant, id: TransactionId, status: u16) {
        self.answer_with(now, id, status, |_| {});
    }

    /// Answers a server transaction with what `add` puts into the response.
    pub(crate) fn answer_with(
        &mut self,
        now: Instant,
        id: TransactionId,
        status: u16,
        add: impl FnOnce(&mut Response),
    ) {
        let tag = self.seed.token(12);
        let Some(server) = self.table.server(id) else { return };
        let mut response = self.reply(&server.request, status, Some(&tag));
        add(&mut response);
        self.respond(now, id, &response);
    }

    /// Tells the peer to try again in a moment (14.2, 12.2.2).
    pub(crate) fn answer_later(&mut self, now: Instant, id: TransactionId) {
        let seconds = self.seed.below(10) + 1;
        self.answer_with(now, id, 500, |response| {
            response.headers.push(Name::RetryAfter, seconds.to_string());
        });
    }

    /// Answers a method that needs no state: OPTIONS with what we can (11.2), others with what
    /// they are (8.2.1, 21.5.2).
    pub(crate) fn answer_method(&mut self, now: Instant, id: TransactionId, method: &Method) {
        let status = match method {
            Method::Options => 200,
            Method::Other(_) => 501,
            _ => 405,
        };
        self.answer_with(now, id, status, |response| {
            response.headers.push(Name::Allow, ALLOW);
            if status == 200 {
                response.headers.push(Name::Other("Accept".into()), "application/sdp");
            }
        });
    }

    /// Sends a response that is ready.
    pub(crate) fn respond(&mut self, now: Instant, id: TransactionId, response: &Response) {
        self.table.respond(now, &mut self.out, id, response);
    }

    /// A request of the peer for a server transaction, cloned out of it.
    pub(crate) fn request_of(&self, id: TransactionId) -> Option<Request> {
        self.table.server(id).map(|server| server.request.clone())
    }
}

/// Counts one down; what is counted no more is gone.
fn take_one<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

/// What a peer's view of us belongs to: each connection has a port of its own, while a datagram
/// comes from our one socket wherever it goes.
fn view(hop: Hop) -> (Protocol, SocketAddr) {
    let port = if hop.reliable() { hop.remote.port() } else { 0 };
    (hop.protocol, SocketAddr::new(hop.remote.ip(), port))
}
