//! SIP over TCP and TLS, on the async runtime: the connections, none of what they carry.
//!
//! ```text
//!   shard --StreamOrder--> keeper --bounded queue--> one task a connection --> socket
//!     ^                      |  accepts, opens on demand, forgets               |
//!     +------ CoreEvent::SipMessage, CoreEvent::SipConnection ------------------+
//! ```
//!
//! A connection serves both ways, whoever opened it. The keeper waits for no connection: a peer
//! that does not read fills its own queue and loses its own connection.

use super::sip_connection::{Opening, run};
use crate::core::door::{CoreEvent, CoreHandle};
use base::{Protocol, Seed, Transmit};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Orders of the shard that may wait.
pub const ORDERS: usize = 1024;
/// Connections at once, whoever opened them.
const CONNECTIONS: usize = 256;
/// Connections that one address may have opened.
const ACCEPTED_A_PEER: usize = 32;
/// Messages that wait for a slow peer.
const QUEUE: usize = 256;
/// A connection of ours to an address that is no account's server is closed after so much silence.
const IDLE: Duration = Duration::from_secs(300);
/// One that a peer opened.
const IDLE_ACCEPTED: Duration = Duration::from_secs(900);
/// How often idle connections are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(30);
/// A busy shard is asked again so often, and so soon.
const TRIES: u32 = 100;
const TRY_EVERY: Duration = Duration::from_millis(20);

/// What the shard wants of its connections.
#[derive(Debug)]
pub enum StreamOrder {
    /// Send this message, on the connection there is or on a new one.
    Send(Transmit),
    /// These are the servers from now on.
    Servers(Vec<Server>),
}

/// A server of an account.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Server {
    /// Where it is and whom its certificate must be for.
    pub target: sip::Target,
    /// The account's own authorities, in place of the system's.
    pub ca_file: Option<PathBuf>,
}

type Key = (Protocol, SocketAddr);

/// One connection as the keeper knows it.
struct Live {
    number: u64,
    accepted: bool,
    writer: mpsc::Sender<Vec<u8>>,
    task: AbortHandle,
    heard: Heard,
}

/// When anything was last read or written, in milliseconds of the keeper's clock.
#[derive(Clone)]
pub(super) struct Heard {
    start: Instant,
    at: Arc<AtomicU64>,
}

impl Heard {
    /// Notes that it is now.
    pub(super) fn note(&self) {
        self.at.store(self.start.elapsed().as_millis() as u64, Ordering::Relaxed);
    }

    fn silence(&self) -> Duration {
        let at = Duration::from_millis(self.at.load(Ordering::Relaxed));
        self.start.elapsed().saturating_sub(at)
    }
}

/// All connections of one shard.
pub struct Keeper {
    core: CoreHandle,
    /// Where connections of ours come from.
    own: IpAddr,
    seed: Seed,
    start: Instant,
    servers: Vec<Server>,
    live: HashMap<Key, Live>,
    next: u64,
    ended: mpsc::UnboundedSender<(Key, u64)>,
}

/// Carries out the shard's orders until it is gone. `listener` takes connections of peers; `own` is
/// where ours come from.
pub async fn keep(
    mut orders: mpsc::Receiver<StreamOrder>,
    listener: Option<TcpListener>,
    own: IpAddr,
    core: CoreHandle,
    seed: Seed,
) {
    // One entry a connection that has ended, so the bound on connections bounds it.
    let (ended, mut ends) = mpsc::unbounded_channel();
    let start = Instant::now();
    let (servers, live) = (Vec::new(), HashMap::new());
    let mut keeper = Keeper { core, own, seed, start, servers, live, next: 0, ended };
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(StreamOrder::Send(transmit)) => keeper.send(transmit),
                Some(StreamOrder::Servers(servers)) => keeper.serve(servers),
                None => return,
            },
            (stream, remote) = accept(listener.as_ref()) => keeper.take(stream, remote),
            Some((key, number)) = ends.recv() => {
                if keeper.live.get(&key).is_some_and(|live| live.number == number) {
                    keeper.live.remove(&key);
                }
            }
            _ = sweep.tick() => keeper.sweep(),
        }
    }
}

/// The next connection of a stranger; never, where nothing listens.
async fn accept(listener: Option<&TcpListener>) -> (TcpStream, SocketAddr) {
    let Some(listener) = listener else { return std::future::pending().await };
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) => {
                tracing::warn!(%error, "SIP cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

impl Keeper {
    fn send(&mut self, transmit: Transmit) {
        let key = (transmit.protocol, transmit.remote);
        let mut octets = transmit.payload;
        if let Some(live) = self.live.get(&key) {
            match live.writer.try_send(octets) {
                Ok(()) => return,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    tracing::warn!(remote = %key.1, "a SIP peer does not read: its connection ends");
                    return self.close(key);
                }
                // It has just ended; its own word on that is on its way, and nothing may stop it.
                Err(mpsc::error::TrySendError::Closed(unsent)) => {
                    octets = unsent;
                    self.live.remove(&key);
                }
            }
        }
        if self.live.len() >= CONNECTIONS {
            let words = "there are too many connections already".to_owned();
            return self.tell(key, sip::Connection::Failed { words });
        }
        let servers = self.servers_at(key).cloned().collect();
        let opening = Opening::Dial { from: self.own, servers };
        self.start(key, opening, Some(octets));
    }

    /// The servers that a connection to this place leads to: those right there, else those of the
    /// same machine, such as a proxy whose other port a route names.
    fn servers_at(&self, (protocol, remote): Key) -> impl Iterator<Item = &Server> {
        let same = move |server: &&Server| server.target.protocol == protocol;
        let exact = move |server: &&Server| server.target.address == remote;
        let any = self.servers.iter().filter(same).any(|server| exact(&server));
        let near = move |server: &&Server| server.target.address.ip() == remote.ip();
        self.servers.iter().filter(same).filter(move |s| if any { exact(s) } else { near(s) })
    }

    fn take(&mut self, stream: TcpStream, remote: SocketAddr) {
        let ip = remote.ip().to_canonical();
        let peer = |server: &Server| server.target.address.ip().to_canonical() == ip;
        let known = self.servers.iter().any(peer);
        let same =
            self.live.iter().filter(|(key, live)| live.accepted && key.1.ip() == remote.ip());
        // Strangers find a closed door, as on the UDP port: being dropped closes it.
        if !known || same.count() >= ACCEPTED_A_PEER || self.live.len() >= CONNECTIONS {
            return;
        }
        self.start((Protocol::Tcp, remote), Opening::Accepted(stream), None);
    }

    fn start(&mut self, key: Key, opening: Opening, first: Option<Vec<u8>>) {
        let (writer, queue) = mpsc::channel(QUEUE);
        if let Some(octets) = first {
            // The queue is new: there is room.
            let _ = writer.try_send(octets);
        }
        self.next += 1;
        let number = self.next;
        let accepted = matches!(opening, Opening::Accepted(_));
        let heard = Heard { start: self.start, at: Arc::default() };
        heard.note();
        let (core, ended, seed) = (self.core.clone(), self.ended.clone(), self.seed.fork());
        let (pongs, told) = (writer.clone(), heard.clone());
        let task = tokio::spawn(async move {
            let last = run(key, opening, queue, pongs, &core, seed, &told).await;
            let (protocol, remote) = key;
            let ended_so = CoreEvent::SipConnection { protocol, remote, connection: last };
            inform(&core, ended_so).await;
            let _ = ended.send((key, number));
        });
        let task = task.abort_handle();
        if let Some(former) = self.live.insert(key, Live { number, accepted, writer, task, heard })
        {
            former.task.abort();
        }
    }

    /// Other servers. Connections whose certificate was checked against other names or authorities
    /// end; the next message opens them anew.
    fn serve(&mut self, servers: Vec<Server>) {
        let secure = |all: &[Server], key: Key| {
            let at = all.iter().filter(|s| (s.target.protocol, s.target.address) == key);
            at.cloned().collect::<std::collections::HashSet<Server>>()
        };
        let old = std::mem::replace(&mut self.servers, servers);
        let keys: Vec<Key> = self.live.keys().copied().collect();
        for key in keys.into_iter().filter(|key| key.0 == Protocol::Tls) {
            let (before, now) = (secure(&old, key), secure(&self.servers, key));
            if before != now && !now.is_empty() {
                self.close(key);
            }
        }
    }

    fn sweep(&mut self) {
        let servers: Vec<Key> =
            self.servers.iter().map(|s| (s.target.protocol, s.target.address)).collect();
        let idle = |(key, live): (&Key, &Live)| {
            let limit = match live.accepted {
                true => IDLE_ACCEPTED,
                // A registrar reaches us by this connection only.
                false if servers.contains(key) => return None,
                false => IDLE,
            };
            (live.heard.silence() >= limit).then_some(*key)
        };
        let idle: Vec<Key> = self.live.iter().filter_map(idle).collect();
        for key in idle {
            self.close(key);
        }
    }

    fn close(&mut self, key: Key) {
        if let Some(live) = self.live.remove(&key) {
            live.task.abort();
            self.tell(key, sip::Connection::Closed);
        }
    }

    fn tell(&self, (protocol, remote): Key, connection: sip::Connection) {
        let core = self.core.clone();
        tokio::spawn(async move {
            inform(&core, CoreEvent::SipConnection { protocol, remote, connection }).await;
        });
    }
}

/// Hands the shard an event that must not be lost: TCP does not repeat what was read. False: the
/// shard has been too busy for two seconds.
pub(super) async fn inform(core: &CoreHandle, mut event: CoreEvent) -> bool {
    for _ in 0..TRIES {
        match core.offer(event) {
            Ok(()) => return true,
            Err(refused) => event = *refused,
        }
        tokio::time::sleep(TRY_EVERY).await;
    }
    false
}

#[cfg(test)]
#[path = "sip_stream_tests.rs"]
mod tests;
