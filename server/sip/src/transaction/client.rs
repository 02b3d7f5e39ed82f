//! The two client transactions (RFC 3261 17.1, RFC 6026 7.2).

use super::timers::{Letter, Timers};
use super::{Hop, User};
use crate::message::{Method, Name, Request, Response};
use std::time::{Duration, Instant};

/// Where a client transaction stands.
///
/// ```text
///   INVITE                                     any other request
///
///   Trying ("Calling") --B--> over             Trying --F--> over
///     |   A: resend                              |   E: resend
///     |1xx      |2xx     |3xx-6xx                |1xx          |2xx-6xx
///     v         |        |                       v             |
///   Proceeding  |        |                     Proceeding      |
///     |2xx |3xx-6xx      |                       | E: resend   |
///     v    +----|--------+                       | F: over     |
///   Accepted <--+        v                       v             v
///     | M             Completed                Completed <-----+
///     v                  | D                     | K
///    over                v                       v
///                       over                    over
/// ```
///
/// An INVITE waits in Proceeding without limit: a phone may ring for as long as its owner likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Sent, nothing heard.
    Trying,
    /// A provisional response came.
    Proceeding,
    /// A 2xx came to an INVITE; more may come, repeated or from other forks.
    Accepted,
    /// A final response came; repeated ones are absorbed.
    Completed,
}

/// What the machine asks for after an input.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// Send the request again.
    pub(crate) resend: bool,
    /// Send the ACK that answers a final response other than 2xx.
    pub(crate) acknowledge: bool,
    /// Hand the response to the transaction's user.
    pub(crate) deliver: bool,
    /// Take the way by UDP: no connection has come up.
    pub(crate) fall_back: bool,
    /// Tell the user that nobody answered.
    pub(crate) timed_out: bool,
    /// The transaction is over.
    pub(crate) over: bool,
}

/// One client transaction.
pub(crate) struct Client {
    pub(crate) user: User,
    pub(crate) hop: Hop,
    pub(crate) request: Request,
    pub(crate) octets: Vec<u8>,
    /// What it is found by.
    pub(super) key: String,
    pub(crate) ack: Option<Vec<u8>>,
    /// The way by UDP that it was meant for, where its length alone has put it on a connection
    /// (RFC 3261 18.1.1).
    meant: Option<Hop>,
    /// When it takes that way after all, unless the connection is up by then.
    fall_back_at: Option<Instant>,
    /// Whether it was sent again because its connection died under it.
    pub(crate) sent_again: bool,
    state: State,
    invite: bool,
    /// Nobody waits for its answer any more: a provisional response buys no time.
    given_up: bool,
    pause: Duration,
    resend_at: Option<Instant>,
    expire_at: Option<Instant>,
}

impl Client {
    /// A transaction that is just being sent: its request, that in octets, and what it is found by.
    pub(super) fn new(
        now: Instant,
        t: Timers,
        (request, octets, key): (Request, Vec<u8>, String),
        hop: Hop,
        user: User,
    ) -> Self {
        let mut client = Client {
            octets,
            key,
            ack: None,
            meant: None,
            fall_back_at: None,
            sent_again: false,
            state: State::Trying,
            invite: request.method == Method::Invite,
            given_up: false,
            pause: Duration::ZERO,
            resend_at: None,
            expire_at: None,
            user,
            hop,
            request,
        };
        client.start(now, t);
        client
    }

    /// Sets the timers of a request that goes out for the first time on its way.
    fn start(&mut self, now: Instant, t: Timers) {
        let (resend, expire) =
            if self.invite { (Letter::A, Letter::B) } else { (Letter::E, Letter::F) };
        let pause = resend.first(t, self.hop.reliable());
        self.pause = pause.unwrap_or_default();
        self.resend_at = pause.map(|pause| now + pause);
        self.expire_at = expire.first(t, self.hop.reliable()).map(|wait| now + wait);
    }

    /// Ends it at this time at the latest.
    pub(crate) fn give_up(&mut self, at: Instant) {
        self.given_up = true;
        self.expire_at = Some(self.expire_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// The way that requests like this one take.
    pub(crate) fn way(&self) -> Hop {
        self.meant.unwrap_or(self.hop)
    }

    /// It goes by a connection for its length alone; it waits for one until `until`, if that is
    /// not up already.
    pub(super) fn mean(&mut self, meant: Hop, until: Option<Instant>) {
        self.meant = Some(meant);
        self.fall_back_at = until;
    }

    /// The connection is up: from here on it is trusted.
    pub(super) fn on_opened(&mut self) {
        self.fall_back_at = None;
    }

    /// Takes the way by UDP that it was meant for, as from the beginning. False: there is none, or
    /// an answer is on its way already.
    pub(super) fn fall_back(&mut self, now: Instant, t: Timers) -> bool {
        let Some(meant) = self.meant.take_if(|_| self.state == State::Trying) else {
            return false;
        };
        self.fall_back_at = None;
        self.hop = meant;
        set_transport(&mut self.request, meant);
        self.octets = self.request.to_bytes();
        self.start(now, t);
        true
    }

    /// Whether nothing at all has come back.
    pub(crate) fn is_unheard(&self) -> bool {
        self.state == State::Trying
    }

    /// Whether it only waits for its end.
    pub(crate) fn is_at_rest(&self) -> bool {
        matches!(self.state, State::Accepted | State::Completed)
    }

    /// When it wants to be woken.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        [self.resend_at, self.expire_at, self.fall_back_at].into_iter().flatten().min()
    }

    /// A response that matched this transaction.
    pub(crate) fn on_response(&mut self, now: Instant, t: Timers, response: &Response) -> Step {
        let deliver = Step { deliver: true, ..Step::default() };
        self.fall_back_at = None;
        match (self.state, response.status) {
            (State::Trying | State::Proceeding, 100..=199) => {
                if self.invite {
                    self.resend_at = None;
                    self.expire_at = self.expire_at.filter(|_| self.given_up);
                } else if self.state == State::Trying && self.resend_at.is_some() {
                    // From here on the request repeats at T2 only (17.1.2.2).
                    self.pause = t.t2;
                    self.resend_at = Some(now + t.t2);
                }
                self.state = State::Proceeding;
                deliver
            }
            (State::Trying | State::Proceeding, 200..=299) if self.invite => {
                self.rest(now, t, State::Accepted, Letter::M);
                deliver
            }
            (State::Trying | State::Proceeding, _) if self.invite => {
                self.rest(now, t, State::Completed, Letter::D);
                self.ack = Some(acknowledgement(&self.request, response).to_bytes());
                Step { acknowledge: true, ..deliver }
            }
            (State::Trying | State::Proceeding, _) => {
                self.rest(now, t, State::Completed, Letter::K);
                deliver
            }
            // A 2xx may follow a refusal where a proxy forked (16.7 step 5): the call behind it
            // needs its ACK and BYE.
            (State::Accepted, 200..=299) => deliver,
            (State::Completed, 200..=299) if self.invite => deliver,
            (State::Completed, 300..) if self.invite => {
                Step { acknowledge: true, ..Step::default() }
            }
            (State::Accepted | State::Completed, _) => Step::default(),
        }
    }

    /// Its deadline came.
    pub(crate) fn on_timeout(&mut self, now: Instant, t: Timers) -> Step {
        if self.expire_at.is_some_and(|at| at <= now) {
            let timed_out = matches!(self.state, State::Trying | State::Proceeding);
            return Step { timed_out, over: true, ..Step::default() };
        }
        if self.fall_back_at.is_some_and(|at| at <= now) {
            self.fall_back_at = None;
            return Step { fall_back: true, ..Step::default() };
        }
        if self.resend_at.is_some_and(|at| at <= now) {
            let letter = if self.invite { Letter::A } else { Letter::E };
            self.pause = letter.next(t, self.pause).unwrap_or(self.pause);
            self.resend_at = Some(now + self.pause);
            return Step { resend: true, ..Step::default() };
        }
        Step::default()
    }

    /// Enters a state that only waits for its end.
    fn rest(&mut self, now: Instant, t: Timers, state: State, letter: Letter) {
        self.state = state;
        self.resend_at = None;
        // From here on the request is never repeated.
        self.octets = Vec::new();
        self.expire_at = Some(now + letter.first(t, self.hop.reliable()).unwrap_or_default());
    }
}

/// Names the transport of a hop in the topmost Via.
pub(crate) fn set_transport(request: &mut Request, hop: Hop) {
    let via = request.headers.get(&Name::Via).and_then(|via| {
        let (protocol, rest) = via.split_once(' ')?;
        let (version, _) = protocol.rsplit_once('/')?;
        Some(format!("{version}/{} {rest}", hop.name()))
    });
    if let Some(via) = via {
        request.headers.set_first(&Name::Via, via);
    }
}

/// The ACK for a final response other than 2xx: it belongs to the INVITE's transaction and so
/// carries its branch (RFC 3261 17.1.1.3).
fn acknowledgement(invite: &Request, response: &Response) -> Request {
    let mut ack = follower(invite, Method::Ack);
    if let Some(to) = response.headers.get(&Name::To) {
        ack.headers.set(Name::To, to);
    }
    ack
}

/// A request that follows another within its transaction: ACK of a refusal, or CANCEL
/// (RFC 3261 17.1.1.3, 9.1).
pub(crate) fn follower(invite: &Request, method: Method) -> Request {
    let mut request = Request::new(method.clone(), invite.uri.clone());
    if let Some(via) = invite.headers.get(&Name::Via) {
        request.headers.push(Name::Via, via);
    }
    request.headers.push(Name::MaxForwards, crate::limits::MAX_FORWARDS);
    for name in [Name::Route, Name::From, Name::To, Name::CallId] {
        for value in invite.headers.all(&name) {
            request.headers.push(name.clone(), value);
        }
    }
    let number = invite.cseq().map(|cseq| cseq.number).unwrap_or_default();
    request.headers.push(Name::CSeq, format!("{number} {method}"));
    request
}
