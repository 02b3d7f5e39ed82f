//! A session that this end is opening (RFC 7016 section 3.5.1.1.1).

use super::keying::{Policy, Proposing};
use crate::chunk::{Chunk, CookieChange, IHello, IIKeying, RHello, RIKeying, Redirect};
use crate::crypto::keying::Agreement;
use crate::crypto::{Certificate, Identity, SessionKeys, epd};
use crate::endpoint::outbox::Outbox;
use crate::job::{Job, JobDone, JobId};
use crate::params::{BACK_OFF, CANDIDATES, NO_SIGNATURE, TAG};
use base::Seed;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The longest cookie that is taken and sent back.
const COOKIE_LONGEST: usize = 1_024;

/// An opening session. It ends by [`Opened`], by its time running out, or by being dropped.
///
/// ```text
///              Redirect, more candidates
///                 +---+
///                 v   |
///            +-----------+   RHello    +-----------+  job   +---------+ RIKeying +----------+
/// begin ---> |  Greeting | ----------> | Preparing | -----> | Keying  | -------> | Agreeing | --> Opened
///            +-----------+  static key +-----------+        +---------+          +----------+ job
///                 |         ------------------------------>   |   ^
///                 |  IHello to each candidate,                +---+
///                 |  back-off for each                     Cookie Change, once;
///                 v                                        IIKeying with back-off
///             95 s: over
/// ```
#[derive(Debug)]
pub(crate) struct Opening {
    discriminator: Vec<u8>,
    tag: [u8; TAG],
    candidates: Vec<Candidate>,
    pub(crate) give_up_at: Instant,
    state: State,
    job: Option<JobId>,
}

#[derive(Debug)]
struct Candidate {
    remote: SocketAddr,
    back_off: BackOff,
}

/// Repetitions at intervals that grow by 1.5 s each time.
#[derive(Clone, Copy, Debug)]
struct BackOff {
    next_at: Instant,
    interval: Duration,
}

#[derive(Debug)]
enum State {
    /// S_IHELLO_SENT.
    Greeting,
    /// S_KEYING_SENT to be, when the public key is there.
    Preparing(Far),
    /// S_KEYING_SENT.
    Keying { far: Far, component: Vec<u8>, cookie_changed: bool, back_off: BackOff },
    /// The responder has answered; the shared secret is being made.
    Agreeing { far: Far, component: Vec<u8>, answer: Answer },
}

/// The responder whose hello came first.
#[derive(Debug)]
struct Far {
    remote: SocketAddr,
    /// The session ID for packets to this end.
    near_session: u32,
    cookie: Vec<u8>,
    proposing: Proposing,
}

#[derive(Debug)]
struct Answer {
    far_session: u32,
    component: Vec<u8>,
    agreement: Agreement,
}

/// What a session needs that has opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) remote: SocketAddr,
    pub(crate) near_session: u32,
    pub(crate) far_session: u32,
    pub(crate) certificate: Certificate,
    pub(crate) keys: SessionKeys,
    pub(crate) agreement: Agreement,
}

impl BackOff {
    fn new(now: Instant) -> Self {
        BackOff { next_at: now, interval: Duration::ZERO }
    }

    /// Whether it is time; the next time is later.
    fn is_due(&mut self, now: Instant) -> bool {
        if now < self.next_at {
            return false;
        }
        self.interval += BACK_OFF;
        self.next_at = now + self.interval;
        true
    }
}

impl Opening {
    /// Begins with these candidates, of which the first 24 count.
    pub(crate) fn new(
        now: Instant,
        discriminator: Vec<u8>,
        candidates: &[SocketAddr],
        open_within: Duration,
        seed: &mut Seed,
    ) -> Self {
        let mut tag = [0; TAG];
        seed.fill(&mut tag);
        let mut opening = Opening {
            discriminator,
            tag,
            candidates: Vec::new(),
            give_up_at: now + open_within,
            state: State::Greeting,
            job: None,
        };
        candidates.iter().for_each(|remote| opening.add(now, *remote));
        opening
    }

    /// One more address at which the endpoint may be.
    pub(crate) fn add(&mut self, now: Instant, remote: SocketAddr) {
        let known = self.candidates.iter().any(|candidate| candidate.remote == remote);
        let usable = remote.port() != 0 && !remote.ip().is_unspecified();
        if !known && usable && self.candidates.len() < CANDIDATES {
            self.candidates.push(Candidate { remote, back_off: BackOff::new(now) });
        }
    }

    pub(crate) fn tag(&self) -> &[u8] {
        &self.tag
    }

    pub(crate) fn discriminator(&self) -> &[u8] {
        &self.discriminator
    }

    pub(crate) fn is_greeting(&self) -> bool {
        matches!(self.state, State::Greeting)
    }

    /// The job whose result it waits for.
    pub(crate) fn job(&self) -> Option<JobId> {
        self.job
    }

    /// The session ID by which the responder answers, once there is one.
    pub(crate) fn near_session(&self) -> Option<u32> {
        self.far().map(|far| far.near_session)
    }

    /// The responder's certificate, once it has said hello.
    pub(crate) fn far_certificate(&self) -> Option<&Certificate> {
        self.far().map(|far| &far.proposing.certificate)
    }

    fn far(&self) -> Option<&Far> {
        match &self.state {
            State::Greeting => None,
            State::Preparing(far) | State::Keying { far, .. } | State::Agreeing { far, .. } => {
                Some(far)
            }
        }
    }

    /// Whether packets of it go to an address.
    pub(crate) fn goes_to(&self, remote: SocketAddr) -> bool {
        match self.far() {
            Some(far) => far.remote == remote,
            None => self.candidates.iter().any(|candidate| candidate.remote == remote),
        }
    }

    /// Somebody knows where else the endpoint may be.
    pub(crate) fn handle_redirect(
        &mut self,
        now: Instant,
        source: SocketAddr,
        redirect: &Redirect<'_>,
    ) {
        if !self.is_greeting() {
            return;
        }
        let mut addresses = redirect.addresses;
        match addresses.next() {
            None => self.add(now, source),
            Some(first) => {
                self.add(now, first.socket);
                addresses.for_each(|address| self.add(now, address.socket));
            }
        }
    }

    /// A certificate in a hello that this session looks for.
    pub(crate) fn matching(&self, hello: &RHello<'_>) -> Option<Certificate> {
        let usable = self.is_greeting() && hello.cookie.len() <= COOKIE_LONGEST;
        let certificate = Certificate::parse(hello.certificate).ok().filter(|_| usable)?;
        epd::selects(&self.discriminator, &certificate).then_some(certificate)
    }

    /// Goes on with the endpoint that said hello. False when no session with it is possible; then
    /// other hellos may come. `near_session` must be free.
    pub(crate) fn choose(
        &mut self,
        now: Instant,
        (source, cookie): (SocketAddr, &[u8]),
        certificate: Certificate,
        (identity, policy): (&Identity, Policy),
        (near_session, id): (u32, JobId),
        seed: &mut Seed,
    ) -> (bool, Option<Job>) {
        let Some(proposing) = Proposing::begin(identity, policy, certificate, seed) else {
            return (false, None);
        };
        let job = proposing.job(id);
        let far = Far { remote: source, near_session, cookie: cookie.to_vec(), proposing };
        self.candidates = Vec::new();
        match &job {
            Some(job) => {
                self.job = Some(job.id());
                self.state = State::Preparing(far);
            }
            None => self.propose(now, far, None),
        }
        (true, job)
    }

    fn propose(&mut self, now: Instant, far: Far, public: Option<&[u8]>) {
        self.state = match far.proposing.component(public) {
            Some(component) => {
                State::Keying { far, component, cookie_changed: false, back_off: BackOff::new(now) }
            }
            None => State::Preparing(far),
        };
    }

    /// The responder wants another cookie. That happens when it sees another address of this end than
    /// a Forwarder did; more than once is not believed.
    pub(crate) fn handle_cookie_change(&mut self, now: Instant, change: &CookieChange<'_>) {
        let State::Keying { far, cookie_changed, back_off, .. } = &mut self.state else { return };
        let usable = change.new.len() <= COOKIE_LONGEST && change.old == far.cookie;
        if usable && !*cookie_changed {
            *cookie_changed = true;
            far.cookie = change.new.to_vec();
            *back_off = BackOff::new(now);
        }
    }

    /// The responder's half of the keys; gives the job that makes the secret when it is acceptable.
    pub(crate) fn handle_rikeying(&mut self, keying: &RIKeying<'_>, id: JobId) -> Option<Job> {
        let State::Keying { far, .. } = &self.state else { return None };
        if keying.session == 0 {
            return None;
        }
        let (agreement, job) = far.proposing.agree(keying.component, id)?;
        let answer =
            Answer { far_session: keying.session, component: keying.component.to_vec(), agreement };
        self.job = Some(id);
        self.state = match std::mem::replace(&mut self.state, State::Greeting) {
            State::Keying { far, component, .. } => State::Agreeing { far, component, answer },
            other => other,
        };
        Some(job)
    }

    /// The result of the job that it waits for. `Err` when the session cannot open any more.
    pub(crate) fn handle_job(
        &mut self,
        now: Instant,
        done: &JobDone,
    ) -> Result<Option<Opened>, ()> {
        self.job = None;
        match std::mem::replace(&mut self.state, State::Greeting) {
            State::Preparing(far) => {
                self.propose(now, far, done.public.as_deref());
                Ok(None)
            }
            State::Agreeing { far, component, answer } => {
                let secret = done.secret.as_ref().ok_or(())?;
                Ok(Some(Opened {
                    remote: far.remote,
                    near_session: far.near_session,
                    far_session: answer.far_session,
                    keys: SessionKeys::derive(secret, &component, &answer.component),
                    agreement: answer.agreement,
                    certificate: far.proposing.certificate,
                }))
            }
            other => {
                self.state = other;
                Ok(None)
            }
        }
    }

    /// Sends what is due.
    pub(crate) fn send_due(
        &mut self,
        now: Instant,
        local: SocketAddr,
        identity: &Identity,
        out: &mut Outbox,
    ) {
        match &mut self.state {
            State::Greeting => {
                let hello = IHello { discriminator: &self.discriminator, tag: &self.tag };
                for candidate in &mut self.candidates {
                    if candidate.back_off.is_due(now) {
                        out.startup(now, (local, candidate.remote), 0, &Chunk::IHello(hello));
                    }
                }
            }
            State::Keying { far, component, back_off, .. } => {
                if back_off.is_due(now) {
                    let keying = IIKeying {
                        session: far.near_session,
                        cookie: &far.cookie,
                        certificate: identity.certificate().octets(),
                        component,
                        signature: NO_SIGNATURE,
                        signed: &[],
                    };
                    out.startup(now, (local, far.remote), 0, &Chunk::IIKeying(keying));
                }
            }
            State::Preparing(_) | State::Agreeing { .. } => {}
        }
    }

    /// When something is due, or the time is over.
    pub(crate) fn poll_timeout(&self) -> Instant {
        let due = match &self.state {
            State::Greeting => {
                self.candidates.iter().map(|candidate| candidate.back_off.next_at).min()
            }
            State::Keying { back_off, .. } => Some(back_off.next_at),
            State::Preparing(_) | State::Agreeing { .. } => None,
        };
        due.map_or(self.give_up_at, |at| at.min(self.give_up_at))
    }
}
