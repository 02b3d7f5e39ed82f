//! A telephone of its own for the tries: one account, real sockets, SIP and RTP as calls have them.
//!
//! It runs on the thread that asks for it. Whoever drives it gives orders and waits for events; its
//! ends speak and listen meanwhile.

use super::end::End;
use super::names::Names;
use super::tap::Tap;
use super::visit::Visit;
use super::voice;
use crate::app::os_seed;
use crate::config::Config;
use crate::core::accounts::Accounts;
use crate::core::door::{CoreEvent, CoreHandle, CoreInbox};
use crate::core::sip_address;
use crate::legs::trunk::{self, Description};
use crate::net::{Found, ORDERS, PortId, PortPool, Ready, Sockets, StreamOrder, keep_sip_streams};
use base::{AccountId, Codec, Datagram, Protocol, Seed};
use sip::message::Uri;
use sip::{Command, Event, InviteId, RegistrationState, Target};
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

/// It wakes at least this often, to notice that it is to stop.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);
/// How long the last words (BYE, un-REGISTER) may take.
const LAST_WORDS: Duration = Duration::from_millis(1500);
/// Events taken from connections in one turn.
const EVENTS_A_TURN: usize = 64;

/// Whether the operator wants an end.
pub type Stop = Arc<AtomicBool>;

/// The telephone.
pub struct Agent {
    /// Its account.
    pub account: AccountId,
    /// What the provider's messages said.
    pub tap: Tap,
    /// Where it sees us, once registered.
    pub seen: Option<SocketAddr>,
    config: Config,
    accounts: Accounts,
    wire: Sockets,
    sip: sip::Endpoint,
    sip_port: PortId,
    sip_local: SocketAddr,
    sip_address: SocketAddr,
    pool: PortPool,
    inbox: CoreInbox,
    streams: mpsc::Sender<StreamOrder>,
    connections: Option<Runtime>,
    seed: Seed,
    events: VecDeque<Event>,
    ends: BTreeMap<InviteId, End>,
    placed: u64,
    /// Whether the registrar holds a binding of ours.
    is_bound: bool,
    stop: Stop,
    ready: Ready,
    found: Vec<Found>,
    scratch: Vec<u8>,
}

impl Agent {
    /// Opens its sockets, where the file says so if they are free, and looks its servers up.
    /// `config` has one account, of this name. `t1`: the first pause before a request is repeated.
    pub fn new(
        config: Config,
        name: &str,
        names: &mut Names,
        t1: Duration,
        stop: Stop,
    ) -> io::Result<Agent> {
        let mut seed = os_seed()?;
        let mut wire = Sockets::new()?;
        let listen = config.listen.sip;
        // The appliance itself may run and have the port: then this is a contact of its own.
        let sip_port = wire
            .open(listen, true)
            .or_else(|_| wire.open(SocketAddr::new(listen.ip(), 0), true))?;
        // Where it cannot be had, timers tell the same later.
        let _ = wire.report_errors(sip_port);
        let gone = || io::Error::other("a port vanished while starting");
        let sip_local = wire.local(sip_port).ok_or_else(gone)?;
        let sip_address = sip_address(&config, sip_local);
        let base = sip::Timers::default();
        let settings = sip::Settings {
            local: sip_address,
            user_agent: concat!("click2call/", env!("CARGO_PKG_VERSION"), " check").to_owned(),
            peers: sip::PeerPolicy::default(),
            accept_incoming: true,
            timers: sip::Timers { t1, ..base },
        };
        let sip = sip::Endpoint::new(settings, seed.fork());
        let connections = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (door, inbox) = CoreHandle::new(wire.waker());
        let (streams, orders) = mpsc::channel(ORDERS);
        let keeper = keep_sip_streams(orders, None, sip_local.ip(), door, seed.fork());
        connections.spawn(keeper);
        let mut accounts = Accounts::default();
        accounts.configure(&config);
        names.find_all(&mut accounts, sip_local);
        let account = accounts.by_name(name).ok_or_else(|| io::Error::other("no such account"))?;
        Ok(Agent {
            account,
            tap: Tap::default(),
            seen: None,
            pool: PortPool::new(config.listen.rtp, seed.fork()),
            config,
            accounts,
            wire,
            sip,
            sip_port,
            sip_local,
            sip_address,
            inbox,
            streams,
            connections: Some(connections),
            seed,
            events: VecDeque::new(),
            ends: BTreeMap::new(),
            placed: 0,
            is_bound: false,
            stop,
            ready: Ready::default(),
            found: Vec::new(),
            scratch: vec![0; 2048],
        })
    }

    /// Tells the SIP machine of the account, which begins to register. False: no server is known.
    pub fn begin(&mut self) -> bool {
        if let Some(servers) = self.accounts.changed_servers() {
            let _ = self.streams.try_send(StreamOrder::Servers(servers));
        }
        let told = self.accounts.untold();
        let known = !told.is_empty();
        for (account, settings) in told {
            self.sip.command(Instant::now(), Command::SetAccount { account, settings });
        }
        known
    }

    /// Carries out an order.
    pub fn command(&mut self, command: Command) {
        self.sip.command(Instant::now(), command);
    }

    /// A word that nobody guesses.
    pub fn token(&mut self) -> String {
        self.seed.token(24)
    }

    /// Where a call to this address goes.
    pub fn targets(&self, destination: &str) -> Vec<Target> {
        self.accounts.next_hops(self.account, destination)
    }

    /// What the provider wants otherwise.
    pub fn quirks(&self) -> sip::Quirks {
        let entry = self.accounts.entry(self.account);
        entry.map(|entry| entry.settings.quirks).unwrap_or_default()
    }

    /// Opens an end for a call, with a browser before it where a visitor calls.
    pub fn open(&mut self, pitches: (f32, f32), visited: bool) -> io::Result<End> {
        let settings = self.accounts.entry(self.account).map(|entry| &entry.settings);
        let settings = settings.ok_or_else(|| io::Error::other("the account is gone"))?;
        let (wire, seed) = (&mut self.wire, &mut self.seed);
        let visit = visited
            .then(|| Visit::open(Instant::now(), wire, &self.config, settings, seed))
            .transpose()?;
        let browsers = visit.as_ref().map_or(&Codec::OF_BROWSERS[..], Visit::codecs);
        let codecs = call::trunk_codecs(&settings.codecs, browsers);
        let (encryption, quirks) = (settings.srtp, settings.quirks);
        let pair = self.pool.open(&mut self.wire)?;
        let public = self.config.listen.public_ip;
        let media = trunk::media_address(pair.address, self.sip_address, self.seen, public);
        let mut description = Description::new(media, &codecs, encryption, &mut self.seed);
        description.rtcp_mux = !quirks.has(sip::Quirk::NoRtcpMux);
        let mut end = End::new(pair, description, pitches, &mut self.seed);
        end.visit = visit;
        Ok(end)
    }

    /// Calls somebody; what becomes of it comes as events.
    pub fn place(
        &mut self,
        destination: &Uri,
        headers: Vec<(String, String)>,
    ) -> io::Result<InviteId> {
        let targets = self.targets(&destination.to_string());
        let mut end = self.open((voice::CALLER, voice::CALLED), true)?;
        let offer = end.description.offer();
        let octets = offer.octets().to_vec();
        end.offer = Some(offer);
        self.placed += 1;
        let invite = InviteId(self.placed);
        self.ends.insert(invite, end);
        self.command(Command::Invite {
            invite,
            account: self.account,
            destination: destination.clone(),
            targets,
            headers,
            display_name: None,
            offer: octets,
        });
        Ok(invite)
    }

    /// Gives an end to a call that came in.
    pub fn attach(&mut self, invite: InviteId, end: End) {
        self.ends.insert(invite, end);
    }

    /// The end of a call.
    pub fn end(&mut self, invite: InviteId) -> Option<&mut End> {
        self.ends.get_mut(&invite)
    }

    /// Takes the end of a call that is over.
    pub fn detach(&mut self, invite: InviteId) -> Option<End> {
        let now = Instant::now();
        let mut end = self.ends.remove(&invite)?;
        end.close(now, &mut self.wire);
        self.pool.rest(now, end.pair);
        Some(end)
    }

    /// Whether the operator wants an end.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// The next event; none when the time is over, or when the operator wants an end.
    pub fn wait(&mut self, until: Instant) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if self.is_stopped() || Instant::now() >= until {
                return None;
            }
            self.turn(until);
        }
    }

    /// Ends every call, withdraws the registration, and lets the last words out.
    pub fn close(mut self) -> Tap {
        self.command(Command::Shutdown);
        let until = Instant::now() + LAST_WORDS;
        self.flush();
        while Instant::now() < until && (self.is_bound || self.sip.invites() > 0) {
            self.turn(until);
        }
        std::mem::take(&mut self.tap)
    }

    fn turn(&mut self, until: Instant) {
        self.flush();
        let now = Instant::now();
        let mut soonest = until.min(now + LONGEST_SLEEP);
        let ends = self.ends.values().map(End::poll_timeout);
        for at in [self.sip.poll_timeout(), self.pool.poll_timeout()].into_iter().chain(ends) {
            soonest = at.map_or(soonest, |at| soonest.min(at));
        }
        let sleep = soonest.saturating_duration_since(now);
        if self.wire.wait(Some(sleep), &mut self.ready).is_err() {
            // A poll that fails at once must not become a busy loop.
            std::thread::sleep(sleep.min(LONGEST_SLEEP));
        }
        for _ in 0..EVENTS_A_TURN {
            let Some(event) = self.inbox.take() else { break };
            self.handle_connection(event);
        }
        self.receive();
        let now = Instant::now();
        self.sip.handle_timeout(now);
        self.pool.handle_timeout(now, &mut self.wire);
        for end in self.ends.values_mut() {
            end.handle_timeout(now, &self.wire, &mut self.scratch);
        }
        self.flush();
    }

    fn receive(&mut self) {
        let ports = std::mem::take(&mut self.ready.ports);
        let mut found = std::mem::take(&mut self.found);
        let mut buffer = self.wire.take_buffer();
        for port in &ports {
            if *port == self.sip_port {
                while let Some(peer) = self.wire.unreachable(*port) {
                    self.sip.handle_unreachable(Instant::now(), peer);
                }
            }
            let mut turn = 0;
            while self.wire.receive(*port, turn, &mut buffer, &mut found) {
                turn += 1;
                for place in &found {
                    self.handle_datagram(*port, &place.datagram(&buffer));
                }
            }
        }
        self.wire.return_buffer(buffer);
        (self.ready.ports, self.found) = (ports, found);
    }

    fn handle_datagram(&mut self, port: PortId, datagram: &Datagram<'_>) {
        let now = Instant::now();
        if port == self.sip_port {
            self.handle_sip(now, datagram);
        } else if let Some(end) = self.ends.values_mut().find(|end| end.has_port(port)) {
            end.handle_datagram(now, port, datagram, &mut self.scratch);
        } else {
            self.pool.disturbed(now, port);
        }
    }

    fn handle_sip(&mut self, now: Instant, datagram: &Datagram<'_>) {
        if self.sip.is_peer(datagram.remote.ip()) {
            self.tap.note(datagram.payload, SystemTime::now());
        }
        self.sip.handle_datagram(now, datagram);
    }

    fn handle_connection(&mut self, event: CoreEvent) {
        let now = Instant::now();
        match event {
            CoreEvent::SipMessage { protocol, local, remote, payload } => {
                let datagram = Datagram { protocol, local, remote, payload: &payload };
                self.handle_sip(now, &datagram);
            }
            CoreEvent::SipConnection { protocol, remote, connection } => {
                self.sip.handle_connection(now, protocol, remote, &connection);
            }
            // Nobody else has this door.
            _ => {}
        }
    }

    fn flush(&mut self) {
        while let Some(transmit) = self.sip.poll_transmit() {
            if transmit.protocol == Protocol::Udp {
                let (local, remote) = (self.sip_local, transmit.remote);
                self.wire.send(self.sip_port, local, remote, &transmit.payload);
            } else {
                // A queue that is full loses a message as a network would.
                let _ = self.streams.try_send(StreamOrder::Send(transmit));
            }
        }
        while let Some(event) = self.sip.poll_event() {
            if let Event::RegistrationChanged { state, .. } = &event {
                self.is_bound = matches!(state, RegistrationState::Registered { .. });
            }
            self.events.push_back(event);
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(connections) = self.connections.take() {
            // Nothing waits for connections that nobody needs any more.
            connections.shutdown_background();
        }
    }
}
