//! The responder's side of startup (RFC 7016 section 3.5.1.1.2), and that of an introducer
//! (sections 3.5.1.4 to 3.5.1.6).

use super::Endpoint;
use super::outbox::Outbox;
use super::receive::Source;
use super::table::{Entry, KeptAnswer, Owner};
use super::types::{CloseCause, Event, Forwarded, OpenFailure, SessionId};
use crate::address::{Address, Addresses, Origin};
use crate::chunk::{Chunk, CookieChange, FIHello, IHello, IIKeying, RHello, RIKeying, Redirect};
use crate::crypto::epd::{self, Discriminator};
use crate::crypto::keying::Agreement;
use crate::crypto::{Certificate, Cipher, SessionKeys, sha256};
use crate::job::JobDone;
use crate::params::NO_SIGNATURE;
use crate::session::{Role, Session, SessionCommand, SessionSettings};
use crate::startup::cookie::Verdict;
use crate::startup::keying::Responding;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// How long a handshake waits for its job. The initiator asks again until then.
const JOB_PATIENCE: Duration = Duration::from_secs(10);
/// The longest tag that is echoed.
const TAG_LONGEST: usize = 128;

/// An initiator that has proved its address, while its Diffie-Hellman is done.
#[derive(Debug)]
pub(super) struct Handshake {
    source: Source,
    responding: Responding,
    far_session: u32,
    question: [u8; 32],
    /// The handle of our own opening session that gave way to this one.
    handle: Option<SessionId>,
    pub(super) give_up_at: Instant,
}

/// What a new session is made of.
pub(super) struct NewSession {
    pub(super) role: Role,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    pub(super) near: u32,
    pub(super) far: u32,
    pub(super) certificate: Certificate,
    pub(super) keys: SessionKeys,
    pub(super) agreement: Agreement,
    pub(super) answer: Option<KeptAnswer>,
}

impl Endpoint {
    /// Somebody looks for an endpoint.
    pub(super) fn handle_hello(&mut self, now: Instant, source: Source, hello: &IHello<'_>) {
        if self.is_shut_down || hello.tag.len() > TAG_LONGEST {
            return;
        }
        let selects_us = epd::selects(hello.discriminator, self.identity.certificate());
        if selects_us && self.settings.accept {
            if self.redirect.is_empty() && self.is_full() {
                // Another server of those that the initiator asks may have room.
                self.counters.beyond_bounds += 1;
            } else if self.redirect.is_empty() {
                self.say_hello(now, source.local, source.remote, hello.tag, source.octets);
            } else {
                let addresses = self.redirect.clone();
                self.say_redirect(now, source, hello.tag, &addresses, Origin::Unknown);
            }
            return;
        }
        self.counters.hellos_for_others += 1;
        if !selects_us && self.settings.introduce {
            self.introduce(now, source, hello);
        }
    }

    /// Sends a hello with a cookie to an address. At 180 octets it is longer than the question in
    /// `octets`: nine times for the shortest that there can be, four to five times for those of usual
    /// clients. So each source gets only so many.
    fn say_hello(
        &mut self,
        now: Instant,
        local: SocketAddr,
        remote: SocketAddr,
        tag: &[u8],
        octets: usize,
    ) {
        let certificate = self.identity.certificate().octets();
        let length = Outbox::startup_length(tag.len() + certificate.len() + 64 + 3);
        if length > octets && !self.limiter.admit(now, remote) {
            self.counters.limited += 1;
            return;
        }
        let cookie = self.jar.bake(now, remote);
        let hello = RHello { tag_echo: tag, cookie: &cookie, certificate };
        self.out.startup(now, (local, remote), 0, &Chunk::RHello(hello));
        self.counters.hellos += 1;
    }

    fn say_redirect(
        &mut self,
        now: Instant,
        source: Source,
        tag: &[u8],
        addresses: &[SocketAddr],
        origin: Origin,
    ) {
        let mut octets = Vec::new();
        for socket in addresses {
            Address { origin, socket: *socket }.put(&mut octets);
        }
        let length = Outbox::startup_length(tag.len() + 1 + octets.len());
        if length > source.octets && !self.limiter.admit(now, source.remote) {
            self.counters.limited += 1;
            return;
        }
        if let Some(addresses) = Addresses::parse(&octets) {
            let redirect = Chunk::Redirect(Redirect { tag_echo: tag, addresses });
            self.out.startup(now, (source.local, source.remote), 0, &redirect);
        }
    }

    /// Tells an initiator where an endpoint is that has a session with us, and the endpoint of the
    /// initiator. Only a fingerprint names such an endpoint.
    fn introduce(&mut self, now: Instant, source: Source, hello: &IHello<'_>) {
        let Ok(Discriminator { fingerprint: Some(fingerprint), .. }) =
            Discriminator::parse(hello.discriminator)
        else {
            return;
        };
        let Ok(fingerprint) = <&[u8; 32]>::try_from(fingerprint) else { return };
        let Some(id) = self.table.with(fingerprint) else { return };
        let Some(entry) = self.table.get(id) else { return };
        let mut addresses = vec![entry.remote];
        addresses.extend(entry.reachable.iter().filter(|other| **other != entry.remote));
        if !self.limiter.admit(now, source.remote) {
            self.counters.limited += 1;
            return;
        }
        // The whole question counts: the limiter has admitted the answer already.
        let source = Source { octets: usize::MAX, ..source };
        self.say_redirect(now, source, hello.tag, &addresses, Origin::Observed);
        let command = SessionCommand::ForwardHello {
            epd: hello.discriminator.to_vec(),
            reply_address: Address { origin: Origin::Observed, socket: source.remote },
            tag: hello.tag.to_vec(),
        };
        self.command_session(now, id, command);
    }

    /// A Forwarder says that somebody looks for us.
    pub(super) fn handle_forwarded(
        &mut self,
        now: Instant,
        local: SocketAddr,
        hello: &FIHello<'_>,
    ) {
        let certificate = self.identity.certificate();
        let usable = self.settings.accept && !self.is_shut_down && hello.tag.len() <= TAG_LONGEST;
        if !usable || !epd::selects(hello.discriminator, certificate) {
            return;
        }
        let remote = hello.reply_to.socket;
        if remote.port() == 0 || remote.ip().is_unspecified() || remote.ip().is_multicast() {
            return;
        }
        let source = Source { local, remote, opening: None, octets: 0 };
        match self.settings.forwarded {
            Forwarded::Answer => self.say_hello(now, local, remote, hello.tag, 0),
            Forwarded::Redirect => self.say_redirect(now, source, hello.tag, &[], Origin::Unknown),
            Forwarded::Ignore => {}
        }
    }

    /// An initiator's half of the keys.
    pub(super) fn handle_iikeying(&mut self, now: Instant, source: Source, keying: &IIKeying<'_>) {
        if !self.settings.accept || self.is_shut_down || keying.session == 0 {
            return;
        }
        match self.jar.judge(now, source.remote, keying.cookie) {
            Verdict::Valid => {}
            Verdict::Refused => {
                self.counters.cookies_refused += 1;
                return;
            }
            Verdict::OtherAddress => {
                // The answer is shorter than the question.
                self.counters.cookies_changed += 1;
                let new = self.jar.bake(now, source.remote);
                let change = CookieChange { old: keying.cookie, new: &new };
                let route = (source.local, source.remote);
                self.out.startup(now, route, keying.session, &Chunk::CookieChange(change));
                return;
            }
        }
        let session = keying.session.to_be_bytes();
        let length = (keying.certificate.len() as u64).to_be_bytes();
        let question = sha256(&[&session, &length, keying.certificate, keying.component]);
        if let Some(id) = self.table.at(source.remote)
            && !self.may_replace(now, source, id, keying, &question)
        {
            return;
        }
        let is_under_way = |one: &Handshake| one.source.remote == source.remote;
        if self.handshakes.values().any(is_under_way) {
            return;
        }
        if !self.has_room_for(source.remote.ip()) {
            self.counters.beyond_bounds += 1;
            return;
        }
        if !self.keying_limiter.admit(now, source.remote) {
            self.counters.limited += 1;
            return;
        }
        let policy = self.policy();
        let Some(responding) = Responding::begin(&self.identity, policy, keying, &mut self.seed)
        else {
            self.counters.keying_refused += 1;
            return;
        };
        let Some(handle) = self.resolve_glare(source.remote, &responding.certificate) else {
            return;
        };
        let id = self.job_id();
        self.jobs.push_back(responding.job(id));
        let handshake = Handshake {
            source,
            responding,
            far_session: keying.session,
            question,
            handle,
            give_up_at: now + JOB_PATIENCE,
        };
        self.handshakes.insert(id, handshake);
    }

    /// Whether keying from the address of an open session may make a new one. A retransmission is
    /// answered, the same certificate takes the old session's place, and anybody else has to wait.
    fn may_replace(
        &mut self,
        now: Instant,
        source: Source,
        id: SessionId,
        keying: &IIKeying<'_>,
        question: &[u8; 32],
    ) -> bool {
        let Some(entry) = self.table.get(id) else { return true };
        if let Some(answer) = entry.answer.as_ref().filter(|kept| kept.question == *question) {
            let answer = RIKeying {
                session: entry.near,
                component: &answer.component,
                signature: NO_SIGNATURE,
                signed: &[],
            };
            let route = (source.local, source.remote);
            self.out.startup(now, route, entry.far, &Chunk::RIKeying(answer));
            return false;
        }
        if keying.certificate == entry.certificate.octets() {
            return true;
        }
        self.counters.rivals += 1;
        self.challenge(now, id);
        false
    }

    /// Whether every place for a session is taken or spoken for.
    pub(super) fn is_full(&self) -> bool {
        let under_way = self.handshakes.len() + self.openings.len();
        self.table.len() + under_way >= self.settings.sessions_max
    }

    fn has_room_for(&self, ip: IpAddr) -> bool {
        let theirs = |one: &&Handshake| one.source.remote.ip() == ip;
        !self.is_full()
            && self.handshakes.len() < self.settings.handshakes_max
            && self.handshakes.values().filter(theirs).count() < self.settings.handshakes_of_one_max
    }

    /// A handshake comes to nothing, and with it our own opening session that gave way to it.
    pub(super) fn give_up(&mut self, handshake: Handshake, cause: OpenFailure) {
        if let Some(session) = handshake.handle {
            self.events.push_back(Event::Failed { session, cause });
        }
    }

    /// A handshake's Diffie-Hellman is done.
    pub(super) fn complete_handshake(
        &mut self,
        now: Instant,
        handshake: Handshake,
        done: &JobDone,
    ) {
        let old = self.table.at(handshake.source.remote);
        // A far end that moved to this address meanwhile is somebody else.
        let certificate = &handshake.responding.certificate;
        let same = |id| self.table.get(id).is_none_or(|one| one.certificate == *certificate);
        let allowed = !self.is_shut_down && old.is_none_or(same);
        let Some(keyed) = handshake.responding.finish(done).filter(|_| allowed) else {
            self.counters.keying_refused += 1;
            self.give_up(handshake, OpenFailure::Keying);
            return;
        };
        let Handshake { source, responding, far_session, question, handle, .. } = handshake;
        if let Some(old) = old {
            self.events.push_back(Event::Closed { session: old, cause: CloseCause::Replaced });
            self.remove_session(old);
        }
        let id = handle.unwrap_or_else(|| self.session_id());
        let near = self.table.take_wire(&mut self.seed, Owner::Session(id));
        let answer = RIKeying {
            session: near,
            component: &keyed.component,
            signature: NO_SIGNATURE,
            signed: &[],
        };
        let route = (source.local, source.remote);
        self.out.startup(now, route, far_session, &Chunk::RIKeying(answer));
        let new = NewSession {
            role: Role::Responder,
            local: source.local,
            remote: source.remote,
            near,
            far: far_session,
            certificate: responding.certificate,
            keys: keyed.keys,
            agreement: keyed.agreement,
            answer: Some(KeptAnswer { question, component: keyed.component }),
        };
        self.insert_session(now, id, new);
    }

    pub(super) fn insert_session(&mut self, now: Instant, id: SessionId, new: NewSession) {
        let Agreement { hmac_send, hmac_receive, .. } = new.agreement;
        let legacy = hmac_send.is_none() && hmac_receive.is_none();
        let settings = SessionSettings { legacy, ..self.settings.session };
        let seed = self.seed.fork();
        let session = Session::new(now, new.role, new.remote, settings, seed);
        let entry = Entry {
            session: session.with_clock(self.out.clock(now)),
            cipher: Cipher::session(&new.keys, &new.agreement),
            near: new.near,
            far: new.far,
            local: new.local,
            remote: new.remote,
            certificate: new.certificate.clone(),
            answer: new.answer,
            rival_until: None,
            reachable: Vec::new(),
            is_ready: false,
            is_closed: false,
        };
        self.table.insert(id, entry);
        self.counters.opened += 1;
        self.events.push_back(Event::Opened {
            session: id,
            role: new.role,
            remote: base::Private::new(new.remote),
            certificate: new.certificate,
            legacy,
        });
        self.touch(id);
    }
}
