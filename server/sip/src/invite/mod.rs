//! Invites: one use of a dialog for a call, as caller or as callee (RFC 3261 13 to 15).
//!
//! ```text
//!   Command::Invite                          INVITE comes
//!        |                                        |
//!        v                                        v
//!     Calling (caller.rs)                      Called (callee.rs)
//!        |  2xx   \ refusal, timeout,             |  Answer  \ Reject, CANCEL,
//!        v         \ CANCEL answered              v           \ Hangup
//!     Talking (session.rs) <-------------------- Talking       \
//!        |  BYE either way                        |             \
//!        v                                        v              v
//!     Closing: `Ended` is said; what is still on the wire is finished; then the invite is gone
//! ```
//!
//! `Ended` is said as soon as the end is certain, not when the wire is quiet: a phone that does not
//! answer our BYE must not keep a page waiting.

mod callee;
mod caller;
mod info;
mod offer;
mod session;

pub(crate) use caller::{Order, first_number};

use crate::cause::{Cause, CauseKind};
use crate::challenge::Challenger;
use crate::dialog::Dialog;
use crate::endpoint::{Core, Event, InviteId};
use crate::limits;
use crate::message::{Headers, Method, Name, Request, Response};
use crate::transaction::{Hop, TransactionId, User, Wire};
use base::Timers;
use callee::Callee;
use caller::Caller;
use session::Session;
use std::time::Instant;

/// A deadline of an invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wake {
    /// A cancelled INVITE was never finally answered (9.1).
    CancelGiveUp,
    /// The 18x is due again (13.3.1.1).
    Ring,
    /// An incoming call was neither answered nor refused.
    Unanswered,
    /// The 2xx is due again: no ACK yet (13.3.1.4).
    RepeatAnswer,
    /// No ACK came at all.
    AckLost,
    /// The shell did not answer a new offer.
    OfferUnanswered,
    /// Our own new offer is tried again after a collision (14.1).
    Glare,
    /// Our own new offer is neither taken nor refused.
    ReofferLate,
    /// A server says nothing, and there is another.
    NextTarget,
}

/// What a client transaction does for its invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Invite,
    Cancel,
    Bye,
    /// The BYE for a fork that was not kept.
    ForkBye,
    Reoffer,
    Info,
}

/// An ACK of a 2xx, kept for as long as the 2xx may be repeated.
struct Ack {
    transaction: TransactionId,
    tag: String,
    octets: Vec<u8>,
    hop: Hop,
}

enum Phase {
    Calling(Caller),
    Called(Box<Callee>),
    Talking(Box<Session>),
    /// Over; the dialog stays for the ACK of a re-INVITE that crossed our BYE.
    Closing(Option<Box<Dialog>>),
}

/// One call.
pub(crate) struct Invite {
    id: InviteId,
    /// The user part of our Contact.
    user: String,
    call_id: String,
    tag: String,
    challenger: Option<Challenger>,
    timers: Timers<Wake>,
    live: Vec<(TransactionId, Role)>,
    acks: Vec<Ack>,
    /// INVITEs to servers that were given up and rang after all; each is cancelled once.
    late: Vec<TransactionId>,
    ended: bool,
    phase: Phase,
}

impl Invite {
    /// What dialogs of this call are found by: Call-ID and our tag.
    pub(crate) fn key(&self) -> (String, String) {
        (self.call_id.clone(), self.tag.clone())
    }

    /// When it wants to be woken.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Whether nothing is left to do.
    pub(crate) fn is_over(&self) -> bool {
        self.ended
            && matches!(self.phase, Phase::Closing(_))
            && self.live.is_empty()
            && self.timers.next().is_none()
    }

    /// Whether its `Ended` was said.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended
    }

    /// Says how the call ended, once.
    fn end(&mut self, core: &mut Core, cause: Cause) {
        if !self.ended {
            self.ended = true;
            core.events.push_back(Event::Ended { invite: self.id, cause });
        }
    }

    /// Leaves the last state of the call; what is live on the wire goes on.
    fn close(&mut self) {
        self.timers.clear_all();
        self.phase = match std::mem::replace(&mut self.phase, Phase::Closing(None)) {
            Phase::Talking(session) => Phase::Closing(Some(Box::new(session.dialog))),
            Phase::Closing(dialog) => Phase::Closing(dialog),
            Phase::Calling(_) | Phase::Called(_) => Phase::Closing(None),
        };
    }

    fn role(&self, id: TransactionId) -> Option<Role> {
        self.live.iter().find(|(live, _)| *live == id).map(|(_, role)| *role)
    }

    /// Sends a request of this call in a transaction.
    fn send(
        &mut self,
        core: &mut Core,
        now: Instant,
        mut request: Request,
        hop: Hop,
        role: Role,
    ) -> Option<TransactionId> {
        if let Some(challenger) = &mut self.challenger {
            challenger.begin(&mut request, &mut core.seed);
        }
        let id = core.request(now, request, hop, User::Invite(self.id))?;
        self.live.push((id, role));
        Some(id)
    }

    /// Sends the request of a challenged transaction again, with credentials, under a new number.
    fn retry(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        response: &Response,
        role: Role,
    ) -> Option<TransactionId> {
        if self.ended && !matches!(role, Role::Bye | Role::ForkBye) {
            return None;
        }
        let client = core.table.client(id)?;
        let (mut request, hop) = (client.request.clone(), client.way());
        let challenger = self.challenger.as_mut()?;
        if !challenger.answer(response, &mut request, &mut core.seed) {
            return None;
        }
        let cseq = request.cseq().ok()?;
        let number = match (&mut self.phase, role) {
            (Phase::Talking(session), Role::Bye | Role::Reoffer | Role::Info) => {
                next_number(&mut session.dialog)
            }
            (Phase::Closing(Some(dialog)), Role::Bye) => next_number(dialog),
            _ => cseq.number.saturating_add(1),
        };
        request.headers.remove(&Name::Via);
        request.headers.set(Name::CSeq, format!("{number} {}", cseq.method));
        if request.method == Method::Invite {
            // The challenge may have shown our address from outside.
            let contact = core.contact(&self.user, hop);
            request.headers.set(Name::Contact, contact);
        }
        let id = core.request(now, request, hop, User::Invite(self.id))?;
        self.live.push((id, role));
        Some(id)
    }

    /// A response for one of its client transactions.
    pub(crate) fn on_response(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        response: &Response,
    ) {
        match self.role(id) {
            Some(Role::Invite) => self.on_invite_response(core, now, id, response),
            Some(Role::Reoffer) => self.on_reoffer_response(core, now, id, response),
            Some(Role::Info) => self.on_info_response(core, now, id, response),
            Some(role @ (Role::Bye | Role::ForkBye)) => {
                self.retry(core, now, id, response, role);
            }
            Some(Role::Cancel) | None => {}
        }
    }

    /// Whether a transaction is the one that begins the call, and the call has not begun yet.
    pub(crate) fn begins_with(&self, id: TransactionId) -> bool {
        self.role(id) == Some(Role::Invite) && self.is_opening(id)
    }

    /// One of its client transactions is over, with a cause when nobody answered it.
    pub(crate) fn on_transaction_over(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        failure: Option<Cause>,
    ) {
        let role = self.role(id);
        self.live.retain(|(live, _)| *live != id);
        self.acks.retain(|ack| ack.transaction != id);
        self.late.retain(|late| *late != id);
        match (role, failure) {
            (Some(Role::Invite), Some(cause)) if self.is_opening(id) => {
                self.on_opening_failed(core, now, cause);
            }
            (Some(Role::Reoffer), Some(cause)) => self.break_off(core, now, cause),
            (Some(Role::Info), Some(_)) => self.on_info_lost(core, now),
            _ => {}
        }
    }

    /// Its deadline came.
    pub(crate) fn on_timeout(&mut self, core: &mut Core, now: Instant) {
        while let Some(wake) = self.timers.expired(now) {
            match wake {
                Wake::CancelGiveUp => self.give_up_cancelled(core),
                Wake::Ring => self.ring_again(core, now),
                Wake::Unanswered => {
                    self.refuse(core, now, 408, Cause::local(CauseKind::NoAnswer));
                }
                Wake::RepeatAnswer => self.repeat_answer(core, now),
                Wake::AckLost => self.on_ack_lost(core, now),
                Wake::OfferUnanswered => self.answer_offer(core, now, Err(500)),
                Wake::Glare => self.send_reoffer(core, now),
                Wake::ReofferLate => self.on_reoffer_late(core, now),
                Wake::NextTarget => {
                    self.try_next(core, now);
                }
            }
        }
    }

    /// Ends the call as its state demands.
    pub(crate) fn hangup(&mut self, core: &mut Core, now: Instant, kind: CauseKind) {
        if self.ended {
            core.out.counters.refused += 1;
            return;
        }
        let cause = Cause::local(kind);
        match &mut self.phase {
            Phase::Calling(_) => {
                self.end(core, cause);
                self.cancel(core, now);
            }
            Phase::Called(_) => self.refuse(core, now, kind.refusal(), cause),
            Phase::Talking(_) => self.break_off(core, now, cause),
            Phase::Closing(_) => self.end(core, cause),
        }
    }

    /// A request inside one of its dialogs, in a transaction of its own.
    pub(crate) fn on_request(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        request: &Request,
        hop: Hop,
    ) {
        match &self.phase {
            Phase::Talking(_) => self.on_session_request(core, now, id, request, hop),
            Phase::Called(_) => self.on_early_request(core, now, id, request),
            Phase::Calling(_) => self.on_fork_request(core, now, id, request),
            // Our BYE crossed the peer's.
            Phase::Closing(_) if request.method == Method::Bye => core.answer(now, id, 200),
            Phase::Closing(_) => core.answer(now, id, 481),
        }
    }

    /// Sends the ACK of a 2xx and keeps it for repeats; credentials go along (13.2.2.4).
    fn acknowledge(
        &mut self,
        core: &mut Core,
        transaction: TransactionId,
        dialog: &Dialog,
        invite: &Request,
    ) {
        let Ok(cseq) = invite.cseq() else { return };
        let mut ack = dialog.ack(cseq.number);
        for name in [Name::Authorization, Name::ProxyAuthorization] {
            for value in invite.headers.all(&name) {
                ack.headers.push(name.clone(), value);
            }
        }
        let hop = dialog.hop(|ip| core.knows(ip));
        let octets = core.unbound(ack, hop);
        core.out.send(hop, octets.clone());
        if self.acks.len() <= limits::FORKS {
            let tag = dialog.remote_tag().to_owned();
            self.acks.push(Ack { transaction, tag, octets, hop });
        }
    }

    /// Answers a repeated 2xx with the same ACK. False: it is no repeat.
    fn acknowledge_again(
        &mut self,
        core: &mut Core,
        id: TransactionId,
        response: &Response,
    ) -> bool {
        let tag = response.to().ok().and_then(|to| to.tag().map(str::to_owned));
        let tag = tag.unwrap_or_default();
        let Some(ack) = self.acks.iter().find(|ack| ack.transaction == id && ack.tag == tag) else {
            return false;
        };
        core.out.resent();
        core.out.send(ack.hop, ack.octets.clone());
        true
    }

    /// Sends BYE into a dialog.
    fn bye(&mut self, core: &mut Core, now: Instant, dialog: &mut Dialog, role: Role) {
        let request = dialog.request(Method::Bye);
        let hop = dialog.hop(|ip| core.knows(ip));
        if self.send(core, now, request.clone(), hop, role).is_none() {
            // No room for a transaction: said once is better than not said.
            let octets = core.unbound(request, hop);
            core.out.send(hop, octets);
        }
    }
}

fn next_number(dialog: &mut Dialog) -> u32 {
    dialog.local_number = dialog.local_number.saturating_add(1);
    dialog.local_number
}

/// The SDP of a message: its body, if the type says so or is missing. `Err`: a body of another
/// type.
pub(crate) fn sdp(headers: &Headers, body: &[u8]) -> Result<Option<Vec<u8>>, ()> {
    if body.is_empty() {
        return Ok(None);
    }
    let kind = headers.get(&Name::ContentType).and_then(|kind| kind.split(';').next());
    match kind.map(str::trim) {
        Some(kind) if !kind.eq_ignore_ascii_case("application/sdp") => Err(()),
        _ => Ok(Some(body.to_vec())),
    }
}

/// Puts SDP into a message.
fn put_sdp(headers: &mut Headers, body: &mut Vec<u8>, sdp: &[u8]) {
    headers.set(Name::ContentType, "application/sdp");
    *body = sdp.to_vec();
}
