//! One shard: what owns the machines, and the wire that they share.
//!
//! ```text
//!   run.rs: the thread; the only place with a clock and a poll
//!     |  now, events of the door, datagrams, deadlines        ^ when to wake
//!     v                                                       |
//!   handle_event, handle_datagram, handle_timeout --> settle --> deadline
//! ```
//!
//! The wire is a type parameter: the system's sockets, or the virtual network of `sim`.
//!
//! The rule of the `base` room holds for each machine: after every input its outputs are drained.
//! `media` does that for what is urgent (sound), `settle` for the rest.

pub(crate) mod accounts;
#[cfg(test)]
mod accounts_tests;
pub mod calls;
pub mod door;
mod failover;
mod flash;
mod hold;
mod in_call;
mod lookups;
mod media;
pub mod metrics;
mod quality;
mod referral;
mod rows;
mod run;
mod settle;
#[cfg(test)]
mod sim;
mod trace;
mod trunk;
mod visitors;

pub use run::{BUSY_CALLS, GATHER};

use self::trace::Traces;
use crate::config::Config;
use crate::net::{PortId, PortPool, Sockets, StreamOrder, Wire, resolve};
use ::trace::Way;
use accounts::Accounts;
use base::{CallId, Datagram, LinkId, Private, Seed};
use call::Policy;
use calls::Calls;
use door::{CoreEvent, CoreInbox, LinkOutput, Operator, TcpPeer};
use flash::Flash;
use metrics::{Metrics, bump};
use rows::Refusals;
use signalling::ServerMessage;
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::mpsc;

/// How long live calls may go on when the program is to end.
const DRAIN: Duration = Duration::from_secs(30);
/// How long the last words (BYE, un-REGISTER) may take.
const LAST_WORDS: Duration = Duration::from_millis(1500);
/// The thread wakes at least this often, so that counters are fresh.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// What a shard is made with.
pub struct Setup<W> {
    /// The configuration.
    pub config: Arc<Config>,
    /// Its randomness.
    pub seed: Seed,
    /// Its ports; the system's sockets made the waker of the door.
    pub wire: W,
    /// The inner side of the door.
    pub inbox: CoreInbox,
    /// Messages for pages.
    pub outputs: mpsc::Sender<LinkOutput>,
    /// Names to look up; answers come as [`CoreEvent::Resolved`].
    pub lookups: mpsc::Sender<resolve::Question>,
    /// Orders to whoever owns SIP's connections; answers come as [`CoreEvent::SipMessage`] and
    /// [`CoreEvent::SipConnection`].
    pub streams: mpsc::Sender<StreamOrder>,
    /// Numbers for others to read.
    pub metrics: Arc<Metrics>,
    /// The call log.
    pub store: store::Store,
    /// Work for a thread that may be slow; results come as [`CoreEvent::KeysAgreed`].
    pub jobs: SyncSender<rtmfp::Job>,
    /// The hour for the call log; nothing is timed by it.
    pub calendar: fn() -> SystemTime,
}

/// One page as this shard knows it.
#[derive(Debug)]
struct Link {
    button: Option<String>,
    page: Private<String>,
    local_page: bool,
    /// The account that the page registered.
    account: Option<base::AccountId>,
    /// Calls that have come in so far: what they are numbered by.
    came_in: u32,
}

/// One shard. Driven by [`Core::run`], or by a test with a clock of its own.
pub struct Core<W = Sockets> {
    config: Arc<Config>,
    seed: Seed,
    wire: W,
    inbox: CoreInbox,
    outputs: mpsc::Sender<LinkOutput>,
    lookups: mpsc::Sender<resolve::Question>,
    streams: mpsc::Sender<StreamOrder>,
    metrics: Arc<Metrics>,
    store: store::Store,
    refusals: Refusals,
    calendar: fn() -> SystemTime,
    webrtc_port: PortId,
    sip_port: PortId,
    sip_local: SocketAddr,
    sip_address: SocketAddr,
    pool: PortPool,
    browsers: webrtc::Endpoint,
    sip: sip::Endpoint,
    flash: Option<Flash>,
    /// Diffie-Hellman for somebody else's thread.
    jobs: SyncSender<rtmfp::Job>,
    accounts: Accounts,
    policy: Policy,
    links: HashMap<LinkId, Link>,
    calls: Calls,
    traces: Traces,
    /// Calls that had an input in this round and are not drained yet.
    touched: BTreeSet<CallId>,
    /// Calls whose INVITE left in this round and whose time is not noted yet.
    invited: Vec<CallId>,
    tcp_peers: HashMap<SocketAddr, TcpPeer>,
    drain_until: Option<Instant>,
    stop_at: Option<Instant>,
    /// When the numbers were written last; none where something changed that others wait for.
    published_at: Option<Instant>,
    /// Where RTP packets are written.
    scratch: Vec<u8>,
}

/// The addresses that a shard listens on, for who starts it.
#[derive(Clone, Copy, Debug)]
pub struct Bound {
    /// Browser media.
    pub webrtc: SocketAddr,
    /// SIP.
    pub sip: SocketAddr,
    /// Flash; none where its port could not be had.
    pub rtmfp: Option<SocketAddr>,
}

impl<W: Wire> Core<W> {
    /// Opens the sockets and sets the machines up.
    pub fn new(setup: Setup<W>) -> io::Result<(Core<W>, Bound)> {
        let Setup {
            config,
            mut seed,
            mut wire,
            inbox,
            outputs,
            lookups,
            streams,
            metrics,
            store,
            calendar,
            jobs,
        } = setup;
        let listen = &config.listen;
        let mut webrtc_bind = listen.webrtc;
        if listen.webrtc_everywhere {
            webrtc_bind.set_ip(std::net::Ipv4Addr::UNSPECIFIED.into());
        }
        let webrtc_port = named(wire.open(webrtc_bind, true), "webrtc", webrtc_bind)?;
        let sip_port = named(wire.open(listen.sip, true), "sip", listen.sip)?;
        if let Err(error) = wire.report_errors(sip_port) {
            tracing::warn!(%error, "a provider that is down will be noticed by timers only");
        }
        let flash_port = match wire.open(listen.rtmfp, true) {
            Err(error) if !listen.rtmfp_named => {
                // Few shops still have visitors with Flash: those that do, name the port.
                let port = listen.rtmfp;
                tracing::warn!(%error, %port, "Flash is off: name a free port, [listen] rtmfp");
                None
            }
            opened => Some(named(opened, "rtmfp", listen.rtmfp)?),
        };
        let local = |port| {
            wire.local(port).ok_or_else(|| io::Error::other("a port vanished while starting"))
        };
        let rtmfp = flash_port.map(local).transpose()?;
        let bound = Bound { webrtc: local(webrtc_port)?, sip: local(sip_port)?, rtmfp };
        let flash =
            flash_port.zip(rtmfp).and_then(|(port, local)| Flash::new(port, local, seed.fork()));

        let candidates = candidates(&config, bound.webrtc);
        let certificate =
            webrtc::Certificate::generate().map_err(|error| io::Error::other(error.to_string()))?;
        let settings = webrtc::Settings::new(candidates, certificate);
        let browsers = webrtc::Endpoint::new(settings, seed.fork())
            .map_err(|error| io::Error::other(error.to_string()))?;
        let sip_address = sip_address(&config, bound.sip);
        let sip = sip::Endpoint::new(
            sip::Settings {
                local: sip_address,
                user_agent: concat!("click2call/", env!("CARGO_PKG_VERSION")).to_owned(),
                peers: sip::PeerPolicy::default(),
                accept_incoming: true,
                timers: sip::Timers::default(),
            },
            seed.fork(),
        );
        let mut accounts = Accounts::default();
        accounts.configure(&config);
        let pool = PortPool::new(listen.rtp, seed.fork());
        let mut core = Core {
            config,
            seed,
            wire,
            inbox,
            outputs,
            lookups,
            streams,
            metrics,
            store,
            refusals: Refusals::default(),
            calendar,
            webrtc_port,
            sip_port,
            sip_local: bound.sip,
            sip_address,
            pool,
            browsers,
            sip,
            flash,
            jobs,
            accounts,
            policy: Policy::default(),
            links: HashMap::new(),
            calls: Calls::default(),
            traces: Traces::default(),
            touched: BTreeSet::new(),
            invited: Vec::new(),
            tcp_peers: HashMap::new(),
            drain_until: None,
            stop_at: None,
            published_at: None,
            scratch: vec![0; 2048],
        };
        core.calls.count_from(core.store.newest_number());
        // Before anybody can ask: /readyz must not take accounts that nobody counted for ready.
        core.publish();
        Ok((core, bound))
    }

    /// The network says that nobody can be reached at a SIP peer's address (ICMP).
    fn handle_unreachable(&mut self, now: Instant, peer: IpAddr) {
        self.traces.unreachable(now, peer);
        self.sip.handle_unreachable(now, peer);
    }

    /// A datagram that came to a port of this shard.
    fn handle_datagram(&mut self, now: Instant, port: PortId, datagram: &Datagram<'_>) {
        if port == self.sip_port {
            self.trace_sip(now, Way::Came, datagram.remote, datagram.payload);
            self.sip.handle_datagram(now, datagram);
        } else if port == self.webrtc_port {
            bump(&self.metrics.media_datagrams_received_total);
            self.handle_browser_datagram(now, datagram);
        } else if self.flash.as_ref().is_some_and(|flash| flash.port == port) {
            bump(&self.metrics.media_datagrams_received_total);
            self.handle_flash_datagram(now, datagram);
        } else {
            bump(&self.metrics.media_datagrams_received_total);
            self.handle_trunk_datagram(now, port, datagram);
        }
    }

    fn handle_event(&mut self, now: Instant, event: CoreEvent) {
        match event {
            CoreEvent::Visitor(visitor) => self.handle_visitor(now, visitor),
            CoreEvent::Resolved { question, outcome } => {
                self.accounts.resolved(now, &question, outcome);
            }
            CoreEvent::TcpOpened(peer) => {
                self.tcp_peers.insert(peer.remote, peer);
            }
            CoreEvent::TcpFrame { local, remote, payload } => {
                let datagram =
                    Datagram { protocol: base::Protocol::Tcp, local, remote, payload: &payload };
                self.handle_browser_datagram(now, &datagram);
            }
            CoreEvent::TcpClosed { remote } => {
                if let Some(peer) = self.tcp_peers.remove(&remote) {
                    self.browsers.connection_closed(now, peer.local, remote);
                    self.drain_browsers(now);
                }
            }
            CoreEvent::SipMessage { protocol, local, remote, payload } => {
                let datagram = Datagram { protocol, local, remote, payload: &payload };
                self.trace_sip(now, Way::Came, remote, &payload);
                self.sip.handle_datagram(now, &datagram);
            }
            CoreEvent::SipConnection { protocol, remote, connection } => {
                self.sip.handle_connection(now, protocol, remote, &connection);
            }
            CoreEvent::KeysAgreed(done) => self.handle_flash_job(now, done),
            CoreEvent::Operator(Operator::Reload(config)) => self.reload(now, config),
            CoreEvent::Operator(Operator::Drain) => {
                self.policy.drain();
                self.drain_until.get_or_insert(now + DRAIN);
            }
            CoreEvent::Operator(Operator::Stop) => self.stop(now),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.browsers.poll_timeout().is_some_and(|at| at <= now) {
            self.browsers.handle_timeout(now);
        }
        if self.flash.as_ref().and_then(Flash::poll_timeout).is_some_and(|at| at <= now) {
            self.handle_flash_timeout(now);
        }
        if self.sip.poll_timeout().is_some_and(|at| at <= now) {
            self.sip.handle_timeout(now);
        }
        if self.pool.poll_timeout().is_some_and(|at| at <= now) {
            self.pool.handle_timeout(now, &mut self.wire);
        }
        while let Some(id) = self.calls.expired(now) {
            self.handle_call_timeout(now, id);
        }
        self.handle_trace_timeout(now);
        let drained = self.drain_until.is_some_and(|until| now >= until || self.calls.is_empty());
        if drained && self.stop_at.is_none() {
            self.stop(now);
        }
    }

    /// The soonest deadline of all that this shard has.
    fn deadline(&self, now: Instant) -> Instant {
        let mut soonest = now + LONGEST_SLEEP;
        let deadlines = [
            self.browsers.poll_timeout(),
            self.sip.poll_timeout(),
            self.pool.poll_timeout(),
            self.calls.poll_timeout(),
            self.traces.poll_timeout(),
            self.flash.as_ref().and_then(Flash::poll_timeout),
            self.accounts.poll_timeout(),
            self.drain_until,
            self.stop_at,
        ];
        for at in deadlines.into_iter().flatten() {
            soonest = soonest.min(at);
        }
        soonest
    }

    /// Ends every call and lets the last words out.
    fn stop(&mut self, now: Instant) {
        self.policy.drain();
        // A drain that is over wakes nobody any more: its time would be past until the last word.
        self.drain_until = None;
        for id in self.calls.ids() {
            let stopped = call::LegEvent::Stop(signalling::EndCause::Stopped);
            self.call_event(now, id, stopped);
        }
        self.settle(now);
        self.stop_flash(now);
        self.sip.command(now, sip::Command::Shutdown);
        self.stop_at = Some(now + LAST_WORDS);
    }

    fn is_done(&self, now: Instant) -> bool {
        self.stop_at.is_some_and(|at| now >= at || self.sip.poll_timeout().is_none())
    }

    /// New calls follow the new file; calls that are up keep what they have.
    fn reload(&mut self, now: Instant, config: Arc<Config>) {
        self.published_at = None;
        for account in self.accounts.configure(&config) {
            self.sip.command(now, sip::Command::RemoveAccount { account });
        }
        self.config = config;
        tracing::info!("configuration reloaded; calls go on");
    }

    /// Says something to a page.
    fn tell(&mut self, link: LinkId, message: ServerMessage) {
        let told = match &mut self.flash {
            Some(flash) if Flash::is_link(link) => flash.tell(link, message),
            _ => self.outputs.try_send(LinkOutput { link, message }).is_ok(),
        };
        if !told {
            bump(&self.metrics.link_outputs_dropped_total);
        }
    }

    fn publish(&mut self) {
        let metrics = &self.metrics;
        let set = |gauge: &std::sync::atomic::AtomicU64, value: u64| {
            gauge.store(value, Ordering::Relaxed);
        };
        set(&metrics.calls_live, self.calls.len() as u64);
        let (wanted, registered) = self.accounts.registered();
        set(&metrics.accounts_wanted, wanted);
        set(&metrics.accounts_registered, registered);
        let sip = self.sip.counters();
        set(&metrics.sip_foreign_dropped_total, sip.dropped_foreign);
        set(&metrics.sip_malformed_total, sip.malformed);
        let browsers = self.browsers.counters();
        let foreign = browsers.stray_checks + browsers.stray_packets + browsers.unknown;
        set(&metrics.webrtc_foreign_dropped_total, foreign);
        self.publish_flash();
        let metrics = &self.metrics;
        let rows = self.refusals.look(&self.store);
        set(&metrics.rows_written_total, rows.written);
        set(&metrics.rows_waiting, rows.waiting);
        set(&metrics.rows_lost_total, rows.lost);
    }
}

/// An error of opening a socket, with the key that asks for it and what to do.
pub fn named<T>(result: io::Result<T>, key: &str, address: SocketAddr) -> io::Result<T> {
    result.map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => "another program has this port: stop it, or change the key",
            io::ErrorKind::PermissionDenied => "ports below 1024 need a permission",
            io::ErrorKind::AddrNotAvailable => "this machine has no such address",
            _ => "see the system's message",
        };
        io::Error::new(error.kind(), format!("[listen] {key} = \"{address}\": {error} ({hint})"))
    })
}

/// Our addresses as browsers may reach them, each by UDP and by TCP on the same port.
fn candidates(config: &Config, bound: SocketAddr) -> Vec<webrtc::LocalCandidate> {
    let mut addresses = Vec::new();
    if bound.ip().is_unspecified() {
        let own = crate::net::own_addresses().into_iter();
        addresses.extend(own.filter(|ip| bound.is_ipv6() || ip.is_ipv4()));
    } else {
        addresses.push(bound.ip());
    }
    if let Some(public) = config.listen.public_ip {
        // The public address goes first; the private ones stay for visitors on the same network.
        addresses.insert(0, public);
    }
    let both = [base::Protocol::Udp, base::Protocol::Tcp];
    let pairs = addresses.iter().flat_map(|ip| both.map(|protocol| (*ip, protocol)));
    pairs
        .map(|(ip, protocol)| {
            webrtc::LocalCandidate::new(SocketAddr::new(ip, bound.port()), protocol)
        })
        .collect()
}

/// What look-ups may find for a SIP socket bound to this address.
pub fn abilities(sip: SocketAddr) -> resolve::Abilities {
    resolve::Abilities {
        transports: &[base::Protocol::Udp, base::Protocol::Tcp, base::Protocol::Tls],
        v4: sip.is_ipv4(),
        v6: sip.is_ipv6(),
    }
}

/// The address that Via and Contact begin with: the configured public one, else the one from which
/// this machine reaches its first provider.
pub(crate) fn sip_address(config: &Config, bound: SocketAddr) -> SocketAddr {
    let ip = config
        .listen
        .public_ip
        .unwrap_or_else(|| if bound.ip().is_unspecified() { route_address() } else { bound.ip() });
    SocketAddr::new(ip, bound.port())
}

/// The address of the default route. Connecting a UDP socket sends nothing; the address is one of
/// those that RFC 5737 keeps for documentation.
fn route_address() -> IpAddr {
    let loopback = std::net::Ipv4Addr::LOCALHOST.into();
    let probe = std::net::UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, 0));
    let connected = probe.and_then(|probe| {
        probe.connect("192.0.2.1:9")?;
        probe.local_addr()
    });
    connected.map_or_else(
        |_| crate::net::own_addresses().first().copied().unwrap_or(loopback),
        |address| address.ip(),
    )
}
