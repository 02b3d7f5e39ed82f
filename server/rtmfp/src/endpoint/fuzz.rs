//! An entry point for fuzzing whole endpoints: the input is a list of operations.

use super::{Command, Endpoint, Event, Forwarded, SessionId, Settings};
use crate::chunk::{Chunk, Fragment, IHello, IIKeying};
use crate::crypto::{Cipher, Group, Identity, epd};
use crate::job::{Job, JobDone};
use crate::packet::{Header, Mode};
use crate::session::OpenFlow;
use base::{Datagram, Protocol, Seed};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// Datagrams that are on their way at one time.
const FLIGHT: usize = 64;

const fn address(host: u8, port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, host)), port)
}

/// Runs a list of operations (time steps, commands, datagrams that arrive, are lost, doubled,
/// changed or come from elsewhere, hand-made startup packets, jobs that end late or never) against
/// three endpoints that open sessions to each other, one of them an introducer.
///
/// # Panics
/// When the state does not hold together (see [`Endpoint::verify`]), when a session ends twice or
/// not at all, or when anything is left after a shutdown and enough time.
pub fn fuzz_endpoint(data: &[u8]) {
    opened_by(data);
}

/// Runs the operations; gives how often a session opened.
fn opened_by(data: &[u8]) -> u64 {
    let mut run = Run::new(data);
    while let Some(operation) = run.octet() {
        run.operate(operation);
    }
    run.finish();
    run.ends.iter().map(|end| end.endpoint.counters().opened).sum()
}

struct Run<'a> {
    data: &'a [u8],
    now: Instant,
    ends: Vec<End>,
    flight: VecDeque<(SocketAddr, SocketAddr, Vec<u8>)>,
    startup: Cipher,
}

struct End {
    endpoint: Endpoint,
    local: SocketAddr,
    jobs: VecDeque<Job>,
    done: Option<JobDone>,
    /// What became of each session: opening, open, over.
    sessions: BTreeMap<SessionId, Fate>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Opening,
    Open,
    Over,
}

impl<'a> Run<'a> {
    fn new(data: &'a [u8]) -> Self {
        let mut seed = Seed::from_number(1);
        let ends = (1..4)
            .filter_map(|host| {
                let groups = [Group::Modp1024];
                let identity = match host {
                    2 => Identity::with_static_keys(&groups, false, &mut seed),
                    _ => Identity::server(&groups, None, &mut seed),
                };
                let local = address(host, 1935);
                let settings = Settings {
                    sessions_max: 6,
                    handshakes_max: 3,
                    handshakes_of_one_max: 2,
                    openings_max: 3,
                    introduce: host == 1,
                    forwarded: if host == 2 { Forwarded::Answer } else { Forwarded::Redirect },
                    ..Settings::client(local)
                };
                Some(End {
                    endpoint: Endpoint::new(settings, identity.ok()?, seed.fork()),
                    local,
                    jobs: VecDeque::new(),
                    done: None,
                    sessions: BTreeMap::new(),
                })
            })
            .collect();
        let startup = Cipher::startup();
        Run { data, now: Instant::now(), ends, flight: VecDeque::new(), startup }
    }

    fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.data.split_first()?;
        self.data = rest;
        Some(*first)
    }

    /// The next octet, 0 at the end.
    fn next(&mut self) -> usize {
        usize::from(self.octet().unwrap_or_default())
    }

    fn session(&mut self, end: usize) -> SessionId {
        let choice = self.next();
        let sessions = &self.ends[end].sessions;
        let known = sessions.keys().nth(choice % sessions.len().max(1)).copied();
        known.unwrap_or(SessionId(999))
    }

    fn operate(&mut self, operation: u8) {
        let end = usize::from(operation >> 6).min(2);
        match operation & 0x3f {
            // The usual course of things is likely.
            0..20 => self.deliver(0, None),
            20 => self.pass(Duration::from_millis(250)),
            21 => {
                let seconds = self.next() as u64;
                self.pass(Duration::from_secs(seconds));
            }
            22..30 => self.work(end),
            30 => drop(self.ends[end].jobs.pop_front()),
            31 => {
                // A job whose result comes when nobody expects it any more.
                self.ends[end].done = self.ends[end].jobs.pop_front().map(Job::run);
            }
            32 => {
                if let Some(done) = self.ends[end].done.take() {
                    self.ends[end].endpoint.handle_job(self.now, done);
                }
            }
            33..37 => self.open(end),
            37 => {
                let (session, orderly) = (self.session(end), self.next().is_multiple_of(2));
                self.command(end, Command::Close { session, orderly });
            }
            38 => {
                let (session, host) = (self.session(end), self.next() as u8 % 5);
                let addresses = vec![address(host, 1935), address(host, 0)];
                self.command(end, Command::AddCandidates { session, addresses });
            }
            39 => {
                let session = self.session(end);
                let addresses = vec![address(9, 9); self.next()];
                self.command(end, Command::SetReachable { session, addresses });
            }
            40 => {
                let addresses = vec![address(3, 1935); self.next() % 3];
                self.command(end, Command::Redirect { addresses });
            }
            41 if self.next() == 7 => self.command(end, Command::Shutdown),
            42..45 => self.say(end),
            45..47 => drop(self.flight.pop_front()),
            47 => {
                let which = self.next();
                self.deliver(which, None);
            }
            48 => {
                if let Some(copy) = self.flight.front().cloned() {
                    self.flight.push_back(copy);
                }
            }
            49..51 => {
                let bit = self.next() * 256 + self.next();
                if let Some((_, _, octets)) = self.flight.front_mut()
                    && let length = octets.len()
                    && let Some(octet) = octets.get_mut(bit / 8 % length.max(1))
                {
                    *octet ^= 1 << (bit % 8);
                }
            }
            51..53 => {
                let from = address(4 + self.next() as u8 % 2, 5000);
                self.deliver(0, Some(from));
            }
            53..58 => self.startup_packet(end),
            _ => {
                let length = self.next().min(self.data.len());
                let (octets, rest) = self.data.split_at(length);
                self.data = rest;
                self.arrive(end, address(4, 5000), octets);
            }
        }
        self.drain();
    }

    fn command(&mut self, end: usize, command: Command) {
        self.ends[end].endpoint.command(self.now, command);
    }

    fn open(&mut self, end: usize) {
        let (to, how) = (self.next() % 3, self.next());
        let certificate = self.ends[to].endpoint.identity().certificate();
        let discriminator = match how % 3 {
            0 => epd::for_uri("rtmfp://a.example/x"),
            1 => epd::for_fingerprint(certificate.fingerprint()),
            _ => vec![how as u8],
        };
        // Where it is, or the introducer.
        let at = if how & 4 == 0 { self.ends[to].local } else { self.ends[0].local };
        let end = &mut self.ends[end];
        if let Ok(session) = end.endpoint.open(self.now, discriminator, &[at]) {
            end.sessions.insert(session, Fate::Opening);
        }
    }

    fn say(&mut self, end: usize) {
        let (session, length) = (self.session(end), self.next() * 20);
        let flow = OpenFlow {
            metadata: b"m",
            return_of: None,
            time_critical: length % 3 == 0,
            priority: 0,
        };
        let endpoint = &mut self.ends[end].endpoint;
        if let Ok(flow) = endpoint.open_flow(session, flow) {
            let _ = endpoint.send(self.now, session, flow, &vec![7; length], None);
        }
    }

    fn work(&mut self, end: usize) {
        if let Some(job) = self.ends[end].jobs.pop_front() {
            let done = job.run();
            self.ends[end].endpoint.handle_job(self.now, done);
        }
    }

    /// A datagram on its way arrives, perhaps from an address that is not its sender's.
    fn deliver(&mut self, which: usize, from: Option<SocketAddr>) {
        let length = self.flight.len().max(1);
        let Some((sender, to, octets)) = self.flight.remove(which % length) else { return };
        if let Some(end) = self.ends.iter().position(|end| end.local == to) {
            self.arrive(end, from.unwrap_or(sender), &octets);
        }
    }

    fn arrive(&mut self, end: usize, from: SocketAddr, octets: &[u8]) {
        let end = &mut self.ends[end];
        let datagram =
            Datagram { protocol: Protocol::Udp, local: end.local, remote: from, payload: octets };
        end.endpoint.handle_datagram(self.now, &datagram);
    }

    /// A startup packet of a stranger, in part from the input.
    fn startup_packet(&mut self, end: usize) {
        let (kind, length) = (self.next(), self.next().min(self.data.len()));
        let (octets, rest) = self.data.split_at(length);
        self.data = rest;
        let half = octets.split_at(length / 2);
        let mut plain = Vec::new();
        Header::new(Mode::Startup).put(&mut plain);
        match kind % 4 {
            0 => Chunk::IHello(IHello { discriminator: half.0, tag: half.1 }).put(&mut plain),
            1 => Chunk::Fragment(Fragment {
                more: kind & 4 == 0,
                packet: kind as u64 >> 6,
                number: kind as u64 >> 3 & 7,
                octets,
            })
            .put(&mut plain),
            2 => Chunk::IIKeying(IIKeying {
                session: 7,
                cookie: half.0,
                certificate: half.1,
                component: half.0,
                signature: b"",
                signed: b"",
            })
            .put(&mut plain),
            _ => {
                plain.extend_from_slice(octets);
                true
            }
        };
        let mut datagram = Vec::new();
        self.startup.seal(0, &plain, &mut datagram);
        self.arrive(end, address(4, 5000), &datagram);
    }

    fn drain(&mut self) {
        for end in &mut self.ends {
            while let Some(transmit) = end.endpoint.poll_transmit() {
                if self.flight.len() < FLIGHT {
                    self.flight.push_back((end.local, transmit.remote, transmit.payload));
                } else {
                    end.endpoint.recycle(transmit.payload);
                }
            }
            while let Some(job) = end.endpoint.poll_job() {
                end.jobs.push_back(job);
            }
            while let Some(event) = end.endpoint.poll_event() {
                let (session, from, to) = match event {
                    Event::Opened { session, .. } => (session, Fate::Opening, Fate::Open),
                    Event::Failed { session, .. } => (session, Fate::Opening, Fate::Over),
                    Event::Closed { session, .. } => (session, Fate::Open, Fate::Over),
                    Event::Session { session, .. } => {
                        assert_eq!(end.sessions.get(&session), Some(&Fate::Open));
                        continue;
                    }
                };
                // A session that somebody else opened is new.
                let before = end.sessions.insert(session, to).unwrap_or(Fate::Opening);
                assert_eq!(before, from, "{session:?} cannot become {to:?}");
            }
            if let Err(problem) = end.endpoint.verify() {
                panic!("{problem}");
            }
        }
    }

    /// Lets time pass; each deadline is met on its instant.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        // More wake-ups than this in one stretch mean a timer that never rests.
        for _ in 0..100_000 {
            let next = self.ends.iter().filter_map(|end| end.endpoint.poll_timeout()).min();
            match next.filter(|at| *at <= until) {
                Some(at) => {
                    self.now = self.now.max(at);
                    for end in &mut self.ends {
                        end.endpoint.handle_timeout(self.now);
                    }
                    self.drain();
                }
                None => {
                    self.now = until;
                    return;
                }
            }
        }
        panic!("a timer fires without end");
    }

    fn finish(&mut self) {
        for end in 0..self.ends.len() {
            self.command(end, Command::Shutdown);
        }
        self.drain();
        self.flight.clear();
        self.pass(Duration::from_secs(400));
        for end in &self.ends {
            assert_eq!(end.endpoint.sessions(), 0, "sessions are left");
            assert_eq!(end.endpoint.handshakes(), 0, "handshakes are left");
            assert_eq!(end.endpoint.poll_timeout(), None, "a timer is left");
            let over = end.sessions.values().all(|fate| *fate == Fate::Over);
            assert!(over, "a session never ended");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_kept_operations_open_sessions_at_both_ends() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fuzz/corpus/rtmfp-endpoint");
        let mut kept = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let opened = opened_by(&std::fs::read(&path).unwrap());
            assert!(opened >= 2, "{path:?}: {opened}");
            kept += 1;
        }
        assert!(kept >= 5);
    }

    #[test]
    fn random_operations_leave_the_endpoints_whole() {
        let mut seed = Seed::from_number(7);
        for _ in 0..300 {
            let mut data = vec![0; seed.below(400) as usize];
            seed.fill(&mut data);
            // Two sessions to the introducer first: without one little happens.
            data.splice(0..0, [0x40 | 33, 0, 0, 0x80 | 33, 0, 0]);
            fuzz_endpoint(&data);
        }
    }
}
