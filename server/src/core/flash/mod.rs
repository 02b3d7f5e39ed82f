//! Flash clients of a shard: RTMFP sessions, the NetConnection on each, and their calls.
//!
//! ```text
//!   datagram -> rtmfp::Endpoint -> session event -> rtmp Server -> event -> page's words -> call
//!                     ^                                  | action                            |
//!                     +----------------------------------+<---------- ServerMessage ---------+
//! ```
//!
//! A client that was let in has a link like a page has, with a number of its own kind; what a page
//! is told by JSON, a client is told by a call of a function. Absent here: pictures, which a call
//! does not have yet.

#[cfg(test)]
mod checks;
mod client;
mod direct;
mod pairs;
mod requests;
mod sound;

use super::Core;
use super::calls::VisitorLeg;
use super::door::Visitor;
use super::metrics::bump;
use crate::admission::{Refused, Wanted};
use crate::config::origin::{self, Origin};
use crate::crowd::Crowd;
use crate::legs;
use crate::net::{PortId, Wire};
use base::{Datagram, LinkId, Private, Seed};
use client::Client;
use pairs::Pairs;
use requests::Way;
use rtmfp::session::{KeepAlive, SessionEvent};
use rtmfp::{Command, Endpoint, Event, SessionId};
use rtmp::application::Direct;
use rtmp::connection::{Action, ConnectRequest, ServerEvent};
use rtmp::numbers::code;
use rtmp::status::Refusal;
use signalling::ServerMessage;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Links of Flash clients are numbered from here; those of pages are far below.
const FIRST_LINK: u64 = 1 << 62;
/// Clients at once, and from one address.
const CLIENTS: usize = 4_096;
const CLIENTS_OF_ONE: usize = 64;
/// What may wait to be told; more in one round is a flood, and the oldest of it is known anyway.
const WORDS: usize = 4_096;
/// How often a client is advised to look after us, and its peers after it, in milliseconds.
const KEEP_ALIVE: (u32, u32) = (10_000, 10_000);

/// A client that says nothing is pinged, and counts as gone well within the half minute after which
/// its call must be over.
const PING_EVERY: Duration = Duration::from_secs(6);
const DEAD_AFTER: Duration = Duration::from_secs(24);

/// The Flash clients of one shard.
pub(super) struct Flash {
    pub(super) port: PortId,
    pub(super) endpoint: Endpoint,
    clients: HashMap<SessionId, Client>,
    links: HashMap<LinkId, SessionId>,
    /// When a client's connection wants to be woken.
    deadlines: BTreeSet<(Instant, SessionId)>,
    /// What the calls have said and the clients were not told yet.
    words: VecDeque<(LinkId, ServerMessage, Option<Direct>)>,
    /// Clients that are each other's far end.
    pairs: Pairs,
    crowd: Arc<Mutex<Crowd>>,
    next_link: u64,
    /// Where messages of sound are written.
    scratch: Vec<u8>,
}

impl Flash {
    pub(super) fn new(port: PortId, local: SocketAddr, mut seed: Seed) -> Option<Flash> {
        let groups = [rtmfp::crypto::Group::Modp2048, rtmfp::crypto::Group::Modp1024];
        let identity = rtmfp::crypto::Identity::server(&groups, None, &mut seed).ok()?;
        let mut settings = rtmfp::Settings::server(local);
        settings.sessions_max = CLIENTS;
        settings.session.keep_alive = KeepAlive { every: PING_EVERY, dead_after: DEAD_AFTER };
        // Clients that know each other's peer ID find each other through us (RFC 7016 3.5.1.6).
        settings.introduce = true;
        Some(Flash {
            port,
            endpoint: Endpoint::new(settings, identity, seed),
            clients: HashMap::new(),
            links: HashMap::new(),
            deadlines: BTreeSet::new(),
            words: VecDeque::new(),
            pairs: Pairs::default(),
            crowd: Arc::new(Mutex::new(Crowd::new(CLIENTS, CLIENTS_OF_ONE))),
            next_link: FIRST_LINK,
            scratch: vec![0; 2048],
        })
    }

    /// Whether a link is that of a Flash client.
    pub(super) fn is_link(link: LinkId) -> bool {
        link.0 >= FIRST_LINK
    }

    /// Keeps what a client is to be told for the end of the round; false where there is no room.
    pub(super) fn tell(&mut self, link: LinkId, message: ServerMessage) -> bool {
        self.keep(link, message, None)
    }

    /// The same for where a call's direct stream stands; `message`: where the call does.
    fn tell_direct(&mut self, link: LinkId, message: ServerMessage, direct: Direct) -> bool {
        self.keep(link, message, Some(direct))
    }

    fn keep(&mut self, link: LinkId, message: ServerMessage, direct: Option<Direct>) -> bool {
        let room = self.words.len() < WORDS;
        if room {
            self.words.push_back((link, message, direct));
        }
        room
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let own = self.deadlines.first().map(|(at, _)| *at);
        [self.endpoint.poll_timeout(), own, self.pairs.poll_timeout()].into_iter().flatten().min()
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.words.is_empty()
    }

    /// The leg of a new call for a client.
    pub(super) fn begin_talk(&mut self, link: LinkId) -> Option<VisitorLeg> {
        let (session, client) = self.client_of(link)?;
        Some(VisitorLeg::Flash { session, call: client.begin_talk() })
    }

    fn client_of(&mut self, link: LinkId) -> Option<(SessionId, &mut Client)> {
        let session = *self.links.get(&link)?;
        self.clients.get_mut(&session).map(|client| (session, client))
    }
}

impl<W: Wire> Core<W> {
    /// A datagram on the Flash port.
    pub(super) fn handle_flash_datagram(&mut self, now: Instant, datagram: &Datagram<'_>) {
        if let Some(flash) = &mut self.flash {
            flash.endpoint.handle_datagram(now, datagram);
            self.drain_flash(now);
        }
    }

    /// The result of a Diffie-Hellman.
    pub(super) fn handle_flash_job(&mut self, now: Instant, done: rtmfp::JobDone) {
        if let Some(flash) = &mut self.flash {
            flash.endpoint.handle_job(now, done);
            self.drain_flash(now);
        }
    }

    pub(super) fn handle_flash_timeout(&mut self, now: Instant) {
        let Some(flash) = &mut self.flash else { return };
        if flash.endpoint.poll_timeout().is_some_and(|at| at <= now) {
            flash.endpoint.handle_timeout(now);
        }
        while let Some((_, session)) =
            self.flash.as_mut().and_then(|flash| flash.deadlines.pop_first_if(now))
        {
            let Some(client) = self.flash.as_mut().and_then(|f| f.clients.get_mut(&session)) else {
                continue;
            };
            client.wake_at = None;
            client.connection.handle_timeout(now);
            self.drain_client(now, session);
        }
        self.expire_direct(now);
        self.drain_flash(now);
    }

    /// Everything that the Flash clients have to say, and what they are to be told.
    pub(super) fn drain_flash(&mut self, now: Instant) {
        loop {
            self.send_flash_transmits();
            let Some(flash) = &mut self.flash else { return };
            if let Some(event) = flash.endpoint.poll_event() {
                self.handle_flash_event(now, event);
            } else if let Some((link, message, direct)) = flash.words.pop_front() {
                self.say_to_flash(now, link, &message, direct);
            } else {
                break;
            }
        }
        while let Some(job) = self.flash.as_mut().and_then(|flash| flash.endpoint.poll_job()) {
            // A full queue costs the handshake, which its client tries again.
            if self.jobs.try_send(job).is_err() {
                bump(&self.metrics.flash_handshakes_dropped_total);
            }
        }
    }

    fn handle_flash_event(&mut self, now: Instant, event: Event) {
        let Some(flash) = &mut self.flash else { return };
        match event {
            Event::Opened { session, remote, certificate, .. } => {
                let address = remote.reveal().ip().to_canonical();
                let Some(seat) = Crowd::enter(&flash.crowd, address) else {
                    let orderly = false;
                    return flash.endpoint.command(now, Command::Close { session, orderly });
                };
                let peer_id = direct::peer_id(certificate.fingerprint());
                flash.clients.insert(session, Client::new(now, address, peer_id, seat));
                self.drain_client(now, session);
            }
            Event::Session { session, event } => self.handle_session_event(now, session, event),
            Event::Closed { session, .. } => {
                if let Some(client) = flash.clients.get_mut(&session) {
                    client.connection.handle_session_closed();
                    self.drain_client(now, session);
                }
                self.forget_client(now, session);
            }
            Event::Failed { .. } => {}
        }
    }

    fn handle_session_event(&mut self, now: Instant, session: SessionId, event: SessionEvent) {
        let Some(flash) = &mut self.flash else { return };
        let Some(client) = flash.clients.get_mut(&session) else { return };
        match event {
            SessionEvent::Message { flow, numbers, octets } => {
                self.handle_flash_message(now, session, (flow.0, &numbers), &octets);
                if let Some(flash) = &mut self.flash {
                    flash.endpoint.recycle_message(session, octets);
                }
                return;
            }
            SessionEvent::FlowOpened { flow, metadata, return_of } => {
                let answers = return_of.and_then(|flow| client.flows.number(flow));
                client.connection.handle_flow_opened(flow.0, &metadata, answers);
            }
            SessionEvent::FlowFinished { flow } | SessionEvent::FlowFailed { flow } => {
                client.connection.handle_flow_finished(now, flow.0);
            }
            SessionEvent::FlowRejected { flow, .. } => {
                if let Some(number) = client.flows.number(flow) {
                    client.connection.handle_flow_rejected(number);
                    client.flows.forget(flow);
                }
            }
            SessionEvent::FlowDelivered { flow } => client.flows.forget(flow),
            SessionEvent::Moved { to, .. } => client.address = to.ip().to_canonical(),
            // What is missing of sound, the messages' numbers say.
            SessionEvent::Gap { .. }
            | SessionEvent::Writable { .. }
            | SessionEvent::Closed { .. }
            | SessionEvent::ForwardedHello { .. } => {}
        }
        self.drain_client(now, session);
    }

    /// A connection's actions and events, and when it wants to be woken.
    pub(super) fn drain_client(&mut self, now: Instant, session: SessionId) {
        loop {
            let Some(flash) = &mut self.flash else { return };
            let Flash { endpoint, clients, .. } = flash;
            let Some(client) = clients.get_mut(&session) else { return };
            while let Some(action) = client.connection.poll_action() {
                let last = action == Action::CloseSession;
                let carried = client.flows.carry(now, endpoint, session, action);
                if let (Err(error), false) = (carried, last) {
                    // A control flow that takes nothing any more is the end of the connection.
                    tracing::debug!(%error, "a Flash client is too far behind");
                    let close = Command::Close { session, orderly: false };
                    endpoint.command(now, close);
                    break;
                }
            }
            let Some(event) = client.connection.poll_event() else { break };
            self.handle_client_event(now, session, event);
        }
        let Some(flash) = &mut self.flash else { return };
        let Some(client) = flash.clients.get_mut(&session) else { return };
        let wake_at = client.connection.poll_timeout();
        if client.wake_at != wake_at {
            if let Some(at) = client.wake_at.take() {
                flash.deadlines.remove(&(at, session));
            }
            if let Some(at) = wake_at {
                flash.deadlines.insert((at, session));
            }
            client.wake_at = wake_at;
        }
    }

    fn handle_client_event(&mut self, now: Instant, session: SessionId, event: ServerEvent) {
        match event {
            ServerEvent::ConnectRequested(request) => self.admit_client(now, session, &request),
            ServerEvent::Called { name, transaction, arguments } => {
                self.answer_request(now, session, &name, transaction, arguments);
            }
            ServerEvent::PublishRequested { stream, name } => {
                self.carry_call(now, session, stream, &name, Way::Up);
            }
            ServerEvent::PlayRequested { stream, name } => {
                self.carry_call(now, session, stream, &name, Way::Down);
            }
            ServerEvent::PublishStopped { stream } | ServerEvent::PlayStopped { stream } => {
                self.stop_stream(session, stream);
            }
            ServerEvent::Closed(_) => self.close_link(now, session),
            ServerEvent::PeerInfo(addresses) => {
                if let Some(flash) = &mut self.flash {
                    let addresses = addresses.reveal().clone();
                    let reachable = Command::SetReachable { session, addresses };
                    flash.endpoint.command(now, reachable);
                }
            }
            ServerEvent::StreamCreated { .. }
            | ServerEvent::StreamDeleted { .. }
            | ServerEvent::MediaWanted { .. }
            | ServerEvent::BufferLength { .. }
            | ServerEvent::Data { .. }
            | ServerEvent::FlowRejected { .. } => {}
        }
    }

    /// Lets a client in, or says why not: its application is a button's name or `webphone`, and its
    /// page's origin has to be one that may.
    fn admit_client(&mut self, now: Instant, session: SessionId, request: &ConnectRequest) {
        let app = request.app.trim_matches('/');
        let button = (app != WEBPHONE).then_some(app);
        let admitted = self.admitted(session, button, request.page_url.reveal());
        let Some(flash) = &mut self.flash else { return };
        let Some(client) = flash.clients.get_mut(&session) else { return };
        let page = match admitted {
            Ok(page) => page,
            Err(refusal) => {
                tracing::info!(code = %refusal.code, "a Flash client is refused");
                return client.connection.reject(now, &refusal);
            }
        };
        client.connection.accept();
        client.connection.set_keepalive(KEEP_ALIVE.0, KEEP_ALIVE.1);
        let link = LinkId(flash.next_link);
        flash.next_link += 1;
        client.link = Some(link);
        let address = Private::new(client.address);
        flash.links.insert(link, session);
        bump(&self.metrics.flash_connections_total);
        let opened = Visitor::Opened {
            link,
            button: button.map(str::to_owned),
            page: Private::new(page),
            address,
            local_page: false,
        };
        self.handle_visitor(now, opened);
    }

    /// The origin of the client's page, where it may connect.
    fn admitted(
        &self,
        session: SessionId,
        button: Option<&str>,
        page: &str,
    ) -> Result<String, Refusal> {
        let refused = |refused: Refused| {
            let (words, hint) = refused.words();
            let code = match refused {
                Refused::UnknownButton => code::CONNECT_INVALID_APP,
                Refused::NoAccounts | Refused::Origin => code::CONNECT_REJECTED,
            };
            Refusal::new(code, format!("{words}: {hint}"))
        };
        if self.policy.is_draining() {
            let words = "The service is about to restart; try again in a minute.";
            return Err(Refusal::new(code::CONNECT_REJECTED, words));
        }
        let admitted = Wanted { button }.admitted(&self.config).map_err(refused)?;
        let address = self.flash.as_ref().and_then(|f| f.clients.get(&session)).map(|c| c.address);
        if page.is_empty() && address.is_some_and(|address| address.is_loopback()) {
            // A client on this very machine that stands in no page: somebody tries things out.
            return Ok(String::new());
        }
        let public = Origin::parse(&self.config.public_url).ok();
        let is_own = |origin: &Origin| {
            public.as_ref() == Some(origin)
                || (origin.is_loopback() && address.is_some_and(origin::is_local))
        };
        admitted.origin(page, is_own).map(|origin| origin.to_string()).map_err(refused)
    }

    /// The client's page is gone: its calls and its account end.
    fn close_link(&mut self, now: Instant, session: SessionId) {
        let link = self.flash.as_mut().and_then(|flash| {
            let link = flash.clients.get_mut(&session)?.link.take()?;
            flash.links.remove(&link);
            Some(link)
        });
        if let Some(link) = link {
            self.handle_visitor(now, Visitor::Closed { link });
        }
    }

    fn forget_client(&mut self, now: Instant, session: SessionId) {
        self.close_link(now, session);
        if let Some(flash) = &mut self.flash
            && let Some(client) = flash.clients.remove(&session)
            && let Some(at) = client.wake_at
        {
            flash.deadlines.remove(&(at, session));
        }
    }

    /// Tells a client what its page would be told.
    fn say_to_flash(
        &mut self,
        now: Instant,
        link: LinkId,
        message: &ServerMessage,
        direct: Option<Direct>,
    ) {
        let Some((session, client)) = self.flash.as_mut().and_then(|flash| flash.client_of(link))
        else {
            return;
        };
        let words = match direct {
            Some(direct) => legs::flash::direct_words(message, direct),
            None => legs::flash::words(message),
        };
        if let Some((function, value)) = words {
            client.connection.call(function, vec![value]);
        }
        self.drain_client(now, session);
    }

    /// Sends what the Flash machine wants sent.
    pub(super) fn send_flash_transmits(&mut self) {
        let Some(flash) = &mut self.flash else { return };
        while let Some(transmit) = flash.endpoint.poll_transmit() {
            let (local, remote) = (transmit.local, transmit.remote);
            let sent = self.wire.send(flash.port, local, remote, &transmit.payload);
            super::media::count(&self.metrics, sent);
            flash.endpoint.recycle(transmit.payload);
        }
    }

    /// Ends every session: the program stops.
    pub(super) fn stop_flash(&mut self, now: Instant) {
        if let Some(flash) = &mut self.flash {
            flash.endpoint.command(now, Command::Shutdown);
            self.drain_flash(now);
        }
    }

    pub(super) fn publish_flash(&self) {
        let Some(flash) = &self.flash else { return };
        let set = |gauge: &std::sync::atomic::AtomicU64, value: u64| {
            gauge.store(value, std::sync::atomic::Ordering::Relaxed);
        };
        set(&self.metrics.flash_sessions, flash.clients.len() as u64);
        let counters = flash.endpoint.counters();
        let foreign = counters.unverified + counters.replayed + counters.malformed;
        set(&self.metrics.flash_foreign_dropped_total, foreign);
    }
}

/// The application of page-supplied accounts.
const WEBPHONE: &str = "webphone";

/// `BTreeSet::pop_first` for what is due.
trait PopDue {
    fn pop_first_if(&mut self, now: Instant) -> Option<(Instant, SessionId)>;
}

impl PopDue for BTreeSet<(Instant, SessionId)> {
    fn pop_first_if(&mut self, now: Instant) -> Option<(Instant, SessionId)> {
        self.first().copied().filter(|(at, _)| *at <= now).inspect(|first| {
            self.remove(first);
        })
    }
}
