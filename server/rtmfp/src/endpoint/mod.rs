//! All sessions behind one UDP port: who a datagram is for, the handshakes, what leaves when.

mod accept;
mod deadlines;
pub(crate) mod fuzz;
mod initiate;
pub(crate) mod outbox;
mod receive;
mod sessions;
mod table;
mod types;

pub use types::{
    CloseCause, Command, Counters, Event, Forwarded, OpenError, OpenFailure, SessionId, Settings,
};

use crate::crypto::{Cipher, Identity};
use crate::job::{Job, JobDone, JobId};
use crate::session::SessionCommand;
use crate::startup::cookie::CookieJar;
use crate::startup::fragments::Reassembly;
use crate::startup::keying::Policy;
use crate::startup::limiter::Limiter;
use crate::startup::opening::Opening;
use accept::Handshake;
use base::{Seed, Transmit};
use deadlines::Deadlines;
use outbox::Outbox;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use table::Table;

/// The addresses to which a hello may be sent on.
const REDIRECTS: usize = 24;
/// The addresses that an introducer keeps for a session.
const REACHABLE: usize = 8;
/// The soonest that a session is looked at again after its deadline: none keeps the driver awake.
const TICK: Duration = Duration::from_millis(1);

/// All RTMFP behind one UDP port. Driven by the contract at the top of the `base` crate, with
/// `poll_job` and `handle_job` for what is slow; buffers of transmits come back by
/// [`Endpoint::recycle`].
pub struct Endpoint {
    settings: Settings,
    identity: Identity,
    seed: Seed,
    /// The time of the last input.
    now: Option<Instant>,
    table: Table,
    openings: BTreeMap<SessionId, Opening>,
    /// As responder: handshakes whose Diffie-Hellman is not done.
    handshakes: BTreeMap<JobId, Handshake>,
    /// For what arrives of startup.
    startup_cipher: Cipher,
    jar: CookieJar,
    /// For answers that are longer than their questions.
    limiter: Limiter,
    /// For Diffie-Hellman.
    keying_limiter: Limiter,
    reassembly: Reassembly,
    redirect: Vec<SocketAddr>,
    out: Outbox,
    jobs: VecDeque<Job>,
    events: VecDeque<Event>,
    /// Sessions that may have something to send.
    ready: VecDeque<SessionId>,
    deadlines: Deadlines,
    /// The last two sessions that received time-critical data, and when.
    time_critical: [Option<(SessionId, Instant)>; 2],
    time_critical_sent_at: Option<Instant>,
    next_session: u64,
    next_job: u64,
    /// For decrypted packets, and for those to be encrypted.
    scratch: Vec<u8>,
    plain: Vec<u8>,
    counters: Counters,
    is_shut_down: bool,
}

impl Endpoint {
    /// An endpoint without sessions.
    pub fn new(settings: Settings, identity: Identity, mut seed: Seed) -> Endpoint {
        let clock_offset = seed.u32() as u16;
        Endpoint {
            jar: CookieJar::new(&mut seed),
            limiter: Limiter::new(&mut seed),
            keying_limiter: Limiter::new(&mut seed),
            startup_cipher: Cipher::startup(),
            settings,
            identity,
            seed,
            now: None,
            table: Table::default(),
            openings: BTreeMap::new(),
            handshakes: BTreeMap::new(),
            reassembly: Reassembly::default(),
            redirect: Vec::new(),
            out: Outbox::new(clock_offset),
            jobs: VecDeque::new(),
            events: VecDeque::new(),
            ready: VecDeque::new(),
            deadlines: Deadlines::default(),
            time_critical: [None; 2],
            time_critical_sent_at: None,
            next_session: 1,
            next_job: 1,
            scratch: Vec::new(),
            plain: Vec::new(),
            counters: Counters::default(),
            is_shut_down: false,
        }
    }

    /// Our identity.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    fn policy(&self) -> Policy {
        Policy { hmac: self.settings.hmac, sequence: self.settings.sequence }
    }

    /// The time of this input, which never runs backwards.
    fn arrive(&mut self, now: Instant) -> Instant {
        let now = self.now.map_or(now, |before| before.max(now));
        self.now = Some(now);
        now
    }

    fn job_id(&mut self) -> JobId {
        self.next_job += 1;
        JobId(self.next_job)
    }

    fn session_id(&mut self) -> SessionId {
        self.next_session += 1;
        SessionId(self.next_session)
    }

    /// Does what the owner wants.
    pub fn command(&mut self, now: Instant, command: Command) {
        let now = self.arrive(now);
        match command {
            Command::Session { session, command } => self.command_session(now, session, command),
            Command::Close { session, orderly } => {
                self.command_session(now, session, SessionCommand::Close { orderly });
                self.abort_opening(session, OpenFailure::Local);
            }
            Command::AddCandidates { session, addresses } => {
                if let Some(opening) =
                    self.openings.get_mut(&session).filter(|one| one.is_greeting())
                {
                    addresses.iter().for_each(|remote| opening.add(now, *remote));
                    self.advance_opening(now, session);
                }
            }
            Command::SetReachable { session, mut addresses } => {
                addresses.truncate(REACHABLE);
                if let Some(entry) = self.table.get_mut(session) {
                    entry.reachable = addresses;
                }
            }
            Command::Redirect { mut addresses } => {
                addresses.truncate(REDIRECTS);
                self.redirect = addresses;
            }
            Command::Shutdown => self.shut_down(now),
        }
    }

    fn shut_down(&mut self, now: Instant) {
        self.is_shut_down = true;
        for handshake in std::mem::take(&mut self.handshakes).into_values() {
            self.give_up(handshake, OpenFailure::Local);
        }
        self.jobs.clear();
        let opening: Vec<_> = self.openings.keys().copied().collect();
        for session in opening {
            self.abort_opening(session, OpenFailure::Local);
        }
        for session in self.table.ids() {
            self.command_session(now, session, SessionCommand::Close { orderly: true });
        }
    }

    /// The result of a job.
    pub fn handle_job(&mut self, now: Instant, done: JobDone) {
        let now = self.arrive(now);
        match self.handshakes.remove(&done.id) {
            Some(handshake) => self.complete_handshake(now, handshake, &done),
            None => self.complete_opening(now, &done),
        }
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.arrive(now);
        self.out.handle_timeout(now);
        self.reassembly.handle_timeout(now);
        let overdue = |_: &JobId, handshake: &mut Handshake| handshake.give_up_at <= now;
        let overdue: Vec<_> = self.handshakes.extract_if(.., overdue).collect();
        for (_, handshake) in overdue {
            self.give_up(handshake, OpenFailure::Timeout);
        }
        while let Some(id) = self.deadlines.expired(now) {
            if self.openings.contains_key(&id) {
                self.advance_opening(now, id);
            } else {
                self.pass_session(now, id);
            }
        }
    }

    /// When to call [`Endpoint::handle_timeout`].
    pub fn poll_timeout(&self) -> Option<Instant> {
        let session = self.deadlines.next();
        let handshake = self.handshakes.values().map(|handshake| handshake.give_up_at).min();
        [session, handshake, self.out.poll_timeout(), self.reassembly.poll_timeout()]
            .into_iter()
            .flatten()
            .min()
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.out.pop().or_else(|| self.poll_session_packet())
    }

    /// Takes the buffer of a sent transmit back.
    pub fn recycle(&mut self, buffer: Vec<u8>) {
        self.out.recycle(buffer);
    }

    /// The next work that is too slow for this thread.
    pub fn poll_job(&mut self) -> Option<Job> {
        self.jobs.pop_front()
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Counts.
    pub fn counters(&self) -> Counters {
        Counters { dropped: self.out.dropped, ..self.counters }
    }

    /// How many sessions there are, those that linger included.
    pub fn sessions(&self) -> usize {
        self.table.len()
    }

    /// How many handshakes are under way, of both roles.
    pub fn handshakes(&self) -> usize {
        self.openings.len() + self.handshakes.len()
    }

    /// The first thing that does not hold together, for tests.
    #[doc(hidden)]
    pub fn verify(&self) -> Result<(), String> {
        self.table.verify(|id, wire| {
            self.openings.get(&id).is_some_and(|opening| opening.near_session() == Some(wire))
        })?;
        let known =
            |id: &SessionId| self.openings.contains_key(id) || self.table.get(*id).is_some();
        if let Some(id) = self.deadlines.ids().find(|id| !known(id)) {
            return Err(format!("a deadline for {id:?}, which is gone"));
        }
        if self.handshakes.len() > self.settings.handshakes_max {
            return Err("more handshakes than allowed".into());
        }
        if self.table.len() > self.settings.sessions_max {
            return Err("more sessions than allowed".into());
        }
        if self.openings.len() > self.settings.openings_max {
            return Err("more openings than allowed".into());
        }
        Ok(())
    }
}
