//! The two server transactions (RFC 3261 17.2, RFC 6026 7.1).

use super::Hop;
use super::timers::{Letter, Timers};
use crate::endpoint::InviteId;
use crate::message::{Method, Request};
use std::time::{Duration, Instant};

/// Where a server transaction stands.
///
/// ```text
///   INVITE                                        any other request
///
///   Proceeding (repeated INVITE: resend 1xx)      Trying (repeats absorbed)
///     |2xx                |3xx-6xx                  |1xx         |2xx-6xx
///     v                   v                         v            |
///   Accepted            Completed --H--> over     Proceeding     |
///   (repeats            | G, repeat: resend         |2xx-6xx     |
///    absorbed)          | ACK                       v            v
///     | L               v                         Completed (repeat: resend)
///     v                 Confirmed                   | J
///    over               | I                         v
///                       v                          over
///                      over
/// ```
///
/// The 2xx to an INVITE is repeated by the invite, not here: only the ACK of the dialog stops it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing final is sent.
    Proceeding,
    /// A 2xx to an INVITE is sent.
    Accepted,
    /// Another final response is sent.
    Completed,
    /// The ACK for it came.
    Confirmed,
}

/// What the machine asks for after an input.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// Send the last response again.
    pub(crate) resend: bool,
    /// The transaction is over.
    pub(crate) over: bool,
}

/// One server transaction.
pub(crate) struct Server {
    /// The call that an INVITE belongs to, where CANCEL finds it.
    pub(crate) invite: Option<InviteId>,
    pub(crate) request: Request,
    /// Where responses go (18.2.2, RFC 3581 4).
    pub(crate) hop: Hop,
    pub(crate) response: Option<Vec<u8>>,
    state: State,
    is_invite: bool,
    pause: Duration,
    resend_at: Option<Instant>,
    expire_at: Option<Instant>,
}

impl Server {
    /// A transaction for a request that just came. It has no timer until it is answered; whoever
    /// owns it answers within bounded time.
    pub(crate) fn new(request: Request, hop: Hop) -> Self {
        Server {
            invite: None,
            is_invite: request.method == Method::Invite,
            request,
            hop,
            response: None,
            state: State::Proceeding,
            pause: Duration::ZERO,
            resend_at: None,
            expire_at: None,
        }
    }

    /// Where it stands.
    pub(crate) fn state(&self) -> State {
        self.state
    }

    /// Whether it only waits for its end.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.state != State::Proceeding && self.resend_at.is_none()
    }

    /// When it wants to be woken.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        [self.resend_at, self.expire_at].into_iter().flatten().min()
    }

    /// The same request came again.
    pub(crate) fn on_repeat(&self) -> Step {
        let resend = matches!(self.state, State::Proceeding | State::Completed);
        Step { resend: resend && self.response.is_some(), over: false }
    }

    /// The ACK of a refusal came.
    pub(crate) fn on_ack(&mut self, now: Instant, t: Timers) {
        if self.is_invite && self.state == State::Completed {
            self.state = State::Confirmed;
            self.resend_at = None;
            self.expire_at = self.after(now, t, Letter::I);
        }
    }

    /// The user answers. Returns whether the response is to be sent: after a final one nothing
    /// else goes out, but a 2xx to an INVITE may be repeated by the user.
    pub(crate) fn on_answer(
        &mut self,
        now: Instant,
        t: Timers,
        status: u16,
        octets: Vec<u8>,
    ) -> bool {
        match (self.state, status) {
            (State::Proceeding, 100..=199) => {}
            (State::Proceeding, 200..=299) if self.is_invite => {
                self.state = State::Accepted;
                self.expire_at = self.after(now, t, Letter::L);
            }
            (State::Proceeding, _) => {
                self.state = State::Completed;
                let expire = if self.is_invite { Letter::H } else { Letter::J };
                self.expire_at = self.after(now, t, expire);
                if self.is_invite {
                    let pause = Letter::G.first(t, self.hop.reliable());
                    self.pause = pause.unwrap_or_default();
                    self.resend_at = pause.map(|pause| now + pause);
                }
            }
            (State::Accepted, 200..=299) => {}
            _ => return false,
        }
        self.response = Some(octets);
        true
    }

    /// Its deadline came.
    pub(crate) fn on_timeout(&mut self, now: Instant, t: Timers) -> Step {
        if self.expire_at.is_some_and(|at| at <= now) {
            return Step { resend: false, over: true };
        }
        if self.resend_at.is_some_and(|at| at <= now) {
            self.pause = Letter::G.next(t, self.pause).unwrap_or(self.pause);
            self.resend_at = Some(now + self.pause);
            return Step { resend: true, over: false };
        }
        Step::default()
    }

    fn after(&self, now: Instant, t: Timers, letter: Letter) -> Option<Instant> {
        Some(now + letter.first(t, self.hop.reliable()).unwrap_or_default())
    }
}
