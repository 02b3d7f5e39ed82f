//! Two sessions, a wire that does what wires do, and a clock that only the test moves.

use crate::script::{Sent, address, read};
use base::Seed;
use rtmfp::session::{Role, Session, SessionEvent, SessionSettings};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What the wire does with packets, in percent, and how long it takes.
#[derive(Clone, Copy, Debug)]
pub struct Wire {
    pub loss: u64,
    pub duplicates: u64,
    /// Packets that take up to three times as long, and so are overtaken.
    pub reorder: u64,
    /// Packets that are cut somewhere.
    pub truncated: u64,
    pub delay: Duration,
    pub jitter: Duration,
    /// Larger packets vanish.
    pub mtu: usize,
}

impl Wire {
    pub fn clean(delay_ms: u64) -> Self {
        Wire {
            loss: 0,
            duplicates: 0,
            reorder: 0,
            truncated: 0,
            delay: Duration::from_millis(delay_ms),
            jitter: Duration::ZERO,
            mtu: 1500,
        }
    }

    pub fn random(seed: &mut Seed) -> Self {
        Wire {
            loss: seed.below(31),
            duplicates: seed.below(15),
            reorder: seed.below(25),
            truncated: seed.below(6),
            delay: Duration::from_millis(1 + seed.below(150)),
            jitter: Duration::from_millis(seed.below(30)),
            mtu: 1500,
        }
    }
}

/// A packet under way.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Flying {
    at: Instant,
    number: u64,
    to: usize,
    from: SocketAddr,
    destination: SocketAddr,
    octets: Vec<u8>,
}

/// One end.
pub struct End {
    pub session: Session,
    /// Where its packets seem to come from, and where it is reached.
    pub address: SocketAddr,
    pub events: Vec<(Instant, SessionEvent)>,
    /// Its clock runs so many millionths faster.
    pub drift: i64,
    /// The largest memory it reported.
    pub memory: usize,
    /// Told about other sessions with time-critical data.
    pub others_critical: bool,
}

pub struct World {
    pub start: Instant,
    pub now: Instant,
    pub ends: [End; 2],
    pub wires: [Wire; 2],
    pub keyed: bool,
    flying: BinaryHeap<Reverse<Flying>>,
    seed: Seed,
    number: u64,
    /// Every packet that the ends sent, when `record` is set.
    pub sent: Vec<(Instant, usize, Sent)>,
    pub record: bool,
    pub steps: u64,
}

impl World {
    pub fn new(settings: [SessionSettings; 2], wires: [Wire; 2], seed: u64) -> Self {
        let now = Instant::now();
        let mut seed = Seed::from_number(seed);
        let mut end = |role, own: usize, settings| End {
            session: Session::new(now, role, address(2 - own as u16), settings, seed.fork()),
            address: address(own as u16 + 1),
            events: Vec::new(),
            drift: 0,
            memory: 0,
            others_critical: false,
        };
        let ends = [end(Role::Initiator, 0, settings[0]), end(Role::Responder, 1, settings[1])];
        World {
            start: now,
            now,
            ends,
            wires,
            keyed: true,
            flying: BinaryHeap::new(),
            seed,
            number: 0,
            sent: Vec::new(),
            record: false,
            steps: 0,
        }
    }

    pub fn clean(delay_ms: u64) -> Self {
        World::new([SessionSettings::default(); 2], [Wire::clean(delay_ms); 2], 1)
    }

    /// What an end's clock shows.
    pub fn clock(&self, end: usize) -> Instant {
        let elapsed = (self.now - self.start).as_nanos() as i128;
        let local = elapsed + elapsed * i128::from(self.ends[end].drift) / 1_000_000;
        self.start + Duration::from_nanos(local as u64)
    }

    /// When an end's clock shows `at`.
    fn world_time(&self, end: usize, at: Instant) -> Instant {
        let local = at.saturating_duration_since(self.start).as_nanos() as i128;
        let drift = i128::from(self.ends[end].drift);
        let elapsed = (local * 1_000_000 + 999_999 + drift) / (1_000_000 + drift) + 1;
        self.start + Duration::from_nanos(elapsed as u64)
    }

    /// Lets an end act, then drains it.
    pub fn with<T>(&mut self, end: usize, act: impl FnOnce(Instant, &mut Session) -> T) -> T {
        let now = self.clock(end);
        let result = act(now, &mut self.ends[end].session);
        self.drain(end);
        result
    }

    /// Sends what an end wants to send, takes its events, checks its promises.
    pub fn drain(&mut self, end: usize) {
        let now = self.clock(end);
        let mut buffer = Vec::new();
        for round in 0.. {
            assert!(round < 1000, "the session does not stop sending");
            let before = self.ends[end].session.statistics();
            let critical = self.ends[end].others_critical;
            let to = self.ends[end].session.poll_packet(now, critical, &mut buffer);
            let Some(to) = to else { break };
            assert!(buffer.len() <= 1192, "{}", buffer.len());
            let after = self.ends[end].session.statistics();
            if after.fragments_sent > before.fragments_sent {
                assert!(
                    before.outstanding < after.congestion_window,
                    "data was sent beyond the congestion window"
                );
            }
            if self.record {
                self.sent.push((self.now, end, read(to, &buffer)));
            }
            self.launch(end, to, &buffer);
        }
        let session = &mut self.ends[end].session;
        let events = std::iter::from_fn(|| session.poll_event());
        let events: Vec<_> = events.map(|event| (self.now, event)).collect();
        self.ends[end].events.extend(events);
        self.ends[end].session.verify();
        let memory = self.ends[end].session.memory();
        self.ends[end].memory = self.ends[end].memory.max(memory);
    }

    fn launch(&mut self, end: usize, destination: SocketAddr, octets: &[u8]) {
        let wire = self.wires[end];
        let copies = 1 + u64::from(self.seed.below(100) < wire.duplicates);
        for _ in 0..copies {
            if self.seed.below(100) < wire.loss || octets.len() > wire.mtu {
                continue;
            }
            let mut octets = octets.to_vec();
            if self.seed.below(100) < wire.truncated {
                octets.truncate(self.seed.below(octets.len() as u64) as usize);
            }
            let mut delay = wire.delay;
            delay += Duration::from_nanos(self.seed.below(wire.jitter.as_nanos() as u64 + 1));
            if self.seed.below(100) < wire.reorder {
                delay += wire.delay * self.seed.below(3) as u32;
            }
            self.number += 1;
            let from = self.ends[end].address;
            let (at, number) = (self.now + delay, self.number);
            self.flying.push(Reverse(Flying {
                at,
                number,
                to: 1 - end,
                from,
                destination,
                octets,
            }));
        }
    }

    /// The next thing that happens, no later than `end`; false when there is none.
    pub fn step(&mut self, end: Instant) -> bool {
        let arrival = self.flying.peek().map(|Reverse(flying)| flying.at);
        let timer = |end: usize| {
            let at = self.ends[end].session.poll_timeout()?;
            Some(self.world_time(end, at).max(self.now))
        };
        let timers = [timer(0), timer(1)];
        let soonest = timers.into_iter().chain([arrival]).flatten().min();
        let Some(at) = soonest.filter(|at| *at <= end) else {
            self.now = end;
            return false;
        };
        self.steps += 1;
        assert!(self.steps < 50_000_000, "the world does not come to rest");
        self.now = at;
        if arrival == Some(at) {
            if let Some(Reverse(flying)) = self.flying.pop() {
                self.land(flying);
            }
            return true;
        }
        let which = usize::from(timers[0] != Some(at));
        self.with(which, |now, session| session.handle_timeout(now));
        let (clock, next) = (self.clock(which), self.ends[which].session.poll_timeout());
        assert!(next.is_none_or(|next| next > clock), "a timer that does not move");
        true
    }

    fn land(&mut self, flying: Flying) {
        // What is sent to where an end is no longer goes nowhere.
        if flying.destination != self.ends[flying.to].address {
            return;
        }
        let keyed = self.keyed;
        self.with(flying.to, |now, session| {
            session.handle_packet(now, flying.from, &flying.octets, keyed);
        });
    }

    pub fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step(end) {}
    }

    /// Runs until `done`; false when it did not come in time.
    pub fn run_until(&mut self, most: Duration, done: impl Fn(&World) -> bool) -> bool {
        let end = self.now + most;
        while !done(self) {
            if !self.step(end) {
                return done(self);
            }
        }
        true
    }

    /// The messages delivered to an end.
    pub fn messages(&self, end: usize) -> Vec<&[u8]> {
        let message =
            |(_, event): &'_ (Instant, SessionEvent)| matches!(event, SessionEvent::Message { .. });
        let events = self.ends[end].events.iter().filter(|event| message(event));
        let octets = events.map(|(_, event)| match event {
            SessionEvent::Message { octets, .. } => &octets[..],
            _ => &[],
        });
        octets.collect()
    }

    pub fn count(&self, end: usize, which: impl Fn(&SessionEvent) -> bool) -> usize {
        self.ends[end].events.iter().filter(|(_, event)| which(event)).count()
    }

    /// Closes the session and checks that nothing is left of it.
    pub fn close(&mut self) {
        self.with(0, |now, session| {
            session.command(now, rtmfp::session::SessionCommand::Close { orderly: true });
        });
        let over = |world: &World| world.ends.iter().all(|end| end.session.is_over());
        assert!(self.run_until(Duration::from_secs(400), over), "the session is not over");
        for end in 0..2 {
            assert_eq!(self.ends[end].session.poll_timeout(), None, "a timer is left");
            let closed = self.count(end, |event| matches!(event, SessionEvent::Closed { .. }));
            assert_eq!(closed, 1, "end {end}");
            assert_eq!(self.ends[end].session.memory(), 0);
        }
    }
}
