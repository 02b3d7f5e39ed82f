//! A virtual internet: endpoints, address translators, a clock, and wires that are as bad as wanted.

use base::{Datagram, Protocol, Seed};
use rtmfp::crypto::{Certificate, Group, Identity};
use rtmfp::session::SessionEvent;
use rtmfp::{Endpoint, Event, Job, SessionId, Settings};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub const S: Duration = Duration::from_secs(1);
pub const MS: Duration = Duration::from_millis(1);

/// The index of a host.
pub type HostId = usize;

/// How bad the wires are; each chance in a thousand.
#[derive(Clone, Copy, Debug)]
pub struct Wire {
    pub delay: Duration,
    pub jitter: Duration,
    pub lost: u64,
    pub doubled: u64,
    pub flipped: u64,
    pub cut: u64,
}

pub const GOOD: Wire =
    Wire { delay: Duration::from_millis(20), jitter: MS, lost: 0, doubled: 0, flipped: 0, cut: 0 };
pub const BAD: Wire = Wire {
    jitter: Duration::from_millis(60),
    lost: 100,
    doubled: 50,
    flipped: 30,
    cut: 20,
    ..GOOD
};

/// Maps a host's address to one of its own, and lets in only who was sent to.
#[derive(Debug)]
pub struct Translator {
    pub public: SocketAddr,
    allowed: BTreeSet<SocketAddr>,
}

pub struct Host {
    pub endpoint: Endpoint,
    pub local: SocketAddr,
    pub translator: Option<Translator>,
    pub events: Vec<Event>,
    jobs: BTreeMap<(Instant, u64), Job>,
    /// How long a job takes.
    pub job_time: Duration,
}

/// A datagram that somebody sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub octets: Vec<u8>,
}

pub struct World {
    pub now: Instant,
    pub seed: Seed,
    pub hosts: Vec<Host>,
    pub wire: Wire,
    flight: BTreeMap<(Instant, u64), Sent>,
    count: u64,
    /// Everything that was sent, if wanted.
    pub log: Option<Vec<Sent>>,
    /// What came to addresses without a host.
    pub strays: Vec<Sent>,
}

pub fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub fn ephemeral(group: Group, seed: &mut Seed) -> Identity {
    Identity::server(&[group], None, seed).unwrap()
}

pub fn fixed(group: Group, seed: &mut Seed) -> Identity {
    Identity::with_static_keys(&[group], true, seed).unwrap()
}

impl World {
    pub fn new(number: u64) -> Self {
        World {
            now: Instant::now(),
            seed: Seed::from_number(number),
            hosts: Vec::new(),
            wire: GOOD,
            flight: BTreeMap::new(),
            count: 0,
            log: None,
            strays: Vec::new(),
        }
    }

    /// A server with group 2, at an address.
    pub fn server(&mut self, local: &str) -> HostId {
        let identity = ephemeral(Group::Modp1024, &mut self.seed);
        self.host(Settings::server(address(local)), identity)
    }

    /// A client with group 2, at an address.
    pub fn client(&mut self, local: &str) -> HostId {
        let identity = Identity::ephemeral(&[Group::Modp1024], &mut self.seed).unwrap();
        self.host(Settings::client(address(local)), identity)
    }

    pub fn host(&mut self, settings: Settings, identity: Identity) -> HostId {
        let local = settings.local;
        self.hosts.push(Host {
            endpoint: Endpoint::new(settings, identity, self.seed.fork()),
            local,
            translator: None,
            events: Vec::new(),
            jobs: BTreeMap::new(),
            job_time: MS,
        });
        self.hosts.len() - 1
    }

    /// Puts a host behind a translator.
    pub fn translate(&mut self, host: HostId, public: &str) {
        let (public, allowed) = (address(public), BTreeSet::new());
        self.hosts[host].translator = Some(Translator { public, allowed });
    }

    /// Puts another program at the address of a host.
    pub fn restart(&mut self, host: HostId, settings: Settings, identity: Identity) {
        let seed = self.seed.fork();
        let host = &mut self.hosts[host];
        host.endpoint = Endpoint::new(settings, identity, seed);
        host.jobs.clear();
        host.events.clear();
    }

    pub fn certificate(&self, host: HostId) -> Certificate {
        self.hosts[host].endpoint.identity().certificate().clone()
    }

    /// Opens a session to a server.
    pub fn open(&mut self, host: HostId, to: &[&str]) -> SessionId {
        self.open_to(host, rtmfp::crypto::epd::for_uri("rtmfp://a.example/app"), to)
    }

    /// Opens a session to whom a discriminator selects.
    pub fn open_to(&mut self, host: HostId, discriminator: Vec<u8>, to: &[&str]) -> SessionId {
        let candidates: Vec<_> = to.iter().map(|text| address(text)).collect();
        let now = self.now;
        let session = self.hosts[host].endpoint.open(now, discriminator, &candidates).unwrap();
        self.drain(host);
        session
    }

    pub fn command(&mut self, host: HostId, command: rtmfp::Command) {
        let now = self.now;
        self.hosts[host].endpoint.command(now, command);
        self.drain(host);
    }

    /// Puts a datagram on the wire.
    pub fn inject(&mut self, from: SocketAddr, to: SocketAddr, octets: Vec<u8>) {
        self.put(Sent { from, to, octets }, Duration::ZERO);
    }

    fn put(&mut self, sent: Sent, delay: Duration) {
        self.count += 1;
        self.flight.insert((self.now + delay, self.count), sent);
    }

    fn send(&mut self, mut sent: Sent) {
        if let Some(log) = &mut self.log {
            log.push(sent.clone());
        }
        let wire = self.wire;
        let mut chance = |of_thousand: u64| self.seed.below(1000) < of_thousand;
        let (lost, doubled) = (chance(wire.lost), chance(wire.doubled));
        let (flipped, cut) = (chance(wire.flipped), chance(wire.cut));
        if lost {
            return;
        }
        for _ in 0..1 + u8::from(doubled) {
            let jitter = self.seed.below(wire.jitter.as_micros() as u64);
            self.put(sent.clone(), wire.delay + Duration::from_micros(jitter));
        }
        if flipped {
            let bit = self.seed.below(sent.octets.len() as u64 * 8) as usize;
            sent.octets[bit / 8] ^= 1 << (bit % 8);
            self.put(sent.clone(), wire.delay);
        }
        if cut {
            let length = self.seed.below(sent.octets.len() as u64) as usize;
            sent.octets.truncate(length);
            self.put(sent, wire.delay);
        }
    }

    /// Everything that a host has to give.
    pub fn drain(&mut self, id: HostId) {
        loop {
            let host = &mut self.hosts[id];
            if let Some(transmit) = host.endpoint.poll_transmit() {
                assert_eq!(transmit.local, host.local);
                assert!(transmit.payload.len() <= 1253, "{} octets", transmit.payload.len());
                let from = match &mut host.translator {
                    Some(translator) => {
                        translator.allowed.insert(transmit.remote);
                        translator.public
                    }
                    None => host.local,
                };
                let sent = Sent { from, to: transmit.remote, octets: transmit.payload.clone() };
                host.endpoint.recycle(transmit.payload);
                self.send(sent);
            } else if let Some(job) = host.endpoint.poll_job() {
                host.jobs.insert((self.now + host.job_time, job.id().0), job);
            } else if let Some(event) = host.endpoint.poll_event() {
                host.events.push(event);
            } else {
                break;
            }
        }
        self.hosts[id].endpoint.verify().unwrap();
    }

    fn deliver(&mut self, sent: Sent) {
        let host = self.hosts.iter_mut().position(|host| match &host.translator {
            Some(translator) => translator.public == sent.to,
            None => host.local == sent.to,
        });
        let Some(id) = host else {
            self.strays.push(sent);
            return;
        };
        let host = &mut self.hosts[id];
        if host.translator.as_ref().is_some_and(|one| !one.allowed.contains(&sent.from)) {
            return;
        }
        let datagram = Datagram {
            protocol: Protocol::Udp,
            local: host.local,
            remote: sent.from,
            payload: &sent.octets,
        };
        host.endpoint.handle_datagram(self.now, &datagram);
        self.drain(id);
    }

    /// When something happens next.
    fn next_at(&self) -> Option<Instant> {
        let flight = self.flight.keys().next().map(|(at, _)| *at);
        let hosts = self.hosts.iter().flat_map(|host| {
            let job = host.jobs.keys().next().map(|(at, _)| *at);
            [job, host.endpoint.poll_timeout()]
        });
        hosts.chain([flight]).flatten().min()
    }

    /// One thing that happens, not after `end`.
    fn step(&mut self, end: Instant) -> bool {
        let Some(at) = self.next_at().filter(|at| *at <= end) else { return false };
        self.now = self.now.max(at);
        let now = self.now;
        if let Some(entry) = self.flight.first_entry().filter(|entry| entry.key().0 <= now) {
            let sent = entry.remove();
            self.deliver(sent);
            return true;
        }
        for id in 0..self.hosts.len() {
            let host = &mut self.hosts[id];
            if let Some(entry) = host.jobs.first_entry().filter(|entry| entry.key().0 <= now) {
                let done = entry.remove().run();
                host.endpoint.handle_job(now, done);
                self.drain(id);
                return true;
            }
            if host.endpoint.poll_timeout().is_some_and(|at| at <= now) {
                host.endpoint.handle_timeout(now);
                self.drain(id);
                return true;
            }
        }
        unreachable!("something was due");
    }

    /// Lets time pass.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut steps = 0;
        while self.step(end) {
            steps += 1;
            assert!(steps < 2_000_000, "time stands still");
        }
        self.now = end;
    }

    /// Lets time pass until something holds; says whether it came to that.
    pub fn pass_until(&mut self, time: Duration, holds: impl Fn(&World) -> bool) -> bool {
        let end = self.now + time;
        while !holds(self) {
            if !self.step(end) {
                self.now = end;
                return holds(self);
            }
        }
        true
    }

    /// The open sessions of a host, by its events.
    pub fn open_sessions(&self, host: HostId) -> Vec<SessionId> {
        let mut open = Vec::new();
        for event in &self.hosts[host].events {
            match event {
                Event::Opened { session, .. } => open.push(*session),
                Event::Closed { session, .. } => open.retain(|other| other != session),
                _ => {}
            }
        }
        open
    }

    pub fn is_open(&self, host: HostId) -> bool {
        !self.open_sessions(host).is_empty()
    }

    /// The one session that a host has.
    pub fn session(&self, host: HostId) -> SessionId {
        let open = self.open_sessions(host);
        assert_eq!(open.len(), 1, "{:?}", self.hosts[host].events);
        open[0]
    }

    /// Sends a message on a new flow.
    pub fn say(&mut self, host: HostId, session: SessionId, message: &[u8]) {
        let flow = rtmfp::session::OpenFlow {
            metadata: b"test",
            return_of: None,
            time_critical: false,
            priority: 0,
        };
        let now = self.now;
        let endpoint = &mut self.hosts[host].endpoint;
        let flow = endpoint.open_flow(session, flow).unwrap();
        endpoint.send(now, session, flow, message, None).unwrap();
        self.drain(host);
    }

    /// The messages that came to a host in a session.
    pub fn heard(&self, host: HostId, session: SessionId) -> Vec<Vec<u8>> {
        let events = self.hosts[host].events.iter();
        let messages = events.filter_map(|event| match event {
            Event::Session { session: other, event: SessionEvent::Message { octets, .. } } => {
                (*other == session).then(|| octets.clone())
            }
            _ => None,
        });
        messages.collect()
    }

    /// Proves that a session carries messages both ways.
    pub fn talk(&mut self, near: HostId, far: HostId) {
        let (here, there) = (self.session(near), self.session(far));
        let count = self.count;
        let words = |who: HostId| format!("{who} speaks, {count}").into_bytes();
        self.say(near, here, &words(near));
        self.say(far, there, &words(far));
        let said = |world: &World| {
            world.heard(near, here).contains(&words(far))
                && world.heard(far, there).contains(&words(near))
        };
        assert!(self.pass_until(10 * S, said), "nothing is heard");
    }
}
