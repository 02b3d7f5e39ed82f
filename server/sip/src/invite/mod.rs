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
mod fork;
mod info;
mod offer;
mod redirect;
mod referral;
mod refresh;
mod reliable;
mod session;
mod transfer;

pub(crate) use caller::{Order, first_number};
pub(crate) use refresh::is_too_short;

use crate::cause::{Cause, CauseKind, Originator, reason};
use crate::challenge::Challenger;
use crate::dialog::Dialog;
use crate::endpoint::{Core, Event, InviteId};
use crate::limits;
use crate::message::{Headers, Method, Name, Request, Response};
use crate::quirks::Quirks;
use crate::transaction::{Hop, TransactionId, User, Wire};
use base::Timers;
use callee::Callee;
use caller::Caller;
use offer::{Media, Offers};
use redirect::Redirects;
use referral::Referral;
use refresh::SessionTimer;
use reliable::Reliable;
use session::Session;
use std::time::Instant;
use transfer::Transfer;

/// A deadline of an invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wake {
    /// A cancelled INVITE was never finally answered (9.1).
    CancelGiveUp,
    /// The 18x is due again (13.3.1.1).
    Ring,
    /// An incoming call was neither answered nor refused.
    Unanswered,
    /// A reliable provisional response is due again (RFC 3262 3).
    RepeatReliable,
    /// It was never acknowledged.
    PrackLost,
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
    /// The session is to be refreshed (RFC 4028).
    Refresh,
    /// Nobody has refreshed it.
    SessionExpired,
    /// The peer has not reported of a transfer.
    TransferLate,
    /// The shell has not decided on a REFER.
    ReferralUndecided,
}

/// What a client transaction does for its invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Invite,
    Cancel,
    Bye,
    /// The BYE for a fork that was not kept.
    ForkBye,
    /// A re-INVITE with a new offer.
    Reoffer,
    /// An UPDATE with one.
    Update,
    /// An UPDATE without one.
    Refresh,
    Prack,
    Info,
    Refer,
    Notify,
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
    /// Whether the call could go another way than its servers.
    hurried: bool,
    ended: bool,
    /// The highest CSeq number of all requests so far.
    top_number: u32,
    offers: Offers,
    media: Media,
    reliable: Reliable,
    session_timer: SessionTimer,
    redirects: Redirects,
    /// How it ended, for the peer.
    ending: Option<CauseKind>,
    /// What we asked the peer for.
    transfer: Transfer,
    /// What the peer asked us for.
    referral: Referral,
    /// The call in which this one was asked for.
    referrer: Option<InviteId>,
    quirks: Quirks,
    phase: Phase,
}

impl Invite {
    /// What dialogs of this call are found by: Call-ID and our tag.
    pub(crate) fn key(&self) -> (String, String) {
        (self.call_id.clone(), self.tag.clone())
    }

    /// The Call-ID of its dialogs.
    pub(crate) fn call_id(&self) -> &str {
        &self.call_id
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
            self.ending = (cause.originator != Originator::Remote).then_some(cause.kind);
            self.transferred(core, Err(cause.clone()));
            self.tell_referrer(core, Invite::status_of(&cause));
            core.events.push_back(Event::Ended { invite: self.id, cause });
        }
    }

    /// Leaves the last state of the call; what is live on the wire goes on. An offer of the peer
    /// gets its answer before (15.1.2).
    fn close(&mut self, core: &mut Core, now: Instant) {
        if let Some(theirs) = self.offers.theirs.take() {
            core.answer(now, theirs.transaction, 487);
        }
        self.offers.ours = None;
        if let Referral::Asked(id, _) = std::mem::take(&mut self.referral) {
            core.answer(now, id, 487);
        }
        self.timers.clear_all();
        self.phase = match std::mem::replace(&mut self.phase, Phase::Closing(None)) {
            Phase::Talking(session) => Phase::Closing(Some(Box::new(session.dialog))),
            Phase::Closing(dialog) => Phase::Closing(dialog),
            Phase::Calling(_) | Phase::Called(_) => Phase::Closing(None),
        };
    }

    /// Its dialog with the peer of this tag.
    fn dialog(&mut self, tag: &str) -> Option<&mut Dialog> {
        let dialog = match &mut self.phase {
            Phase::Calling(caller) => caller.dialog(tag),
            Phase::Called(callee) => Some(&mut callee.dialog),
            Phase::Talking(session) => Some(&mut session.dialog),
            Phase::Closing(dialog) => dialog.as_deref_mut(),
        };
        dialog.filter(|dialog| dialog.remote_tag() == tag)
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
        self.quirks.shape(&mut request);
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        self.top_number = self.top_number.max(number);
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
        self.resend(core, now, request, hop, role)
    }

    /// Sends a request that was answered in vain again, changed, under a new number.
    fn resend(
        &mut self,
        core: &mut Core,
        now: Instant,
        mut request: Request,
        hop: Hop,
        role: Role,
    ) -> Option<TransactionId> {
        let cseq = request.cseq().ok()?;
        let to = request.to().ok()?;
        let dialog = match role {
            Role::Invite | Role::Cancel | Role::ForkBye => None,
            _ => self.dialog(to.tag().unwrap_or_default()),
        };
        let number = match dialog {
            Some(dialog) => next_number(dialog),
            None => cseq.number.max(self.top_number).saturating_add(1),
        };
        self.top_number = self.top_number.max(number);
        request.headers.remove(&Name::Via);
        request.headers.set(Name::CSeq, format!("{number} {}", cseq.method));
        if request.method == Method::Invite {
            // The challenge may have shown our address from outside.
            let contact = core.contact(&self.user, hop);
            request.headers.set(Name::Contact, contact);
        }
        self.quirks.shape(&mut request);
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
            Some(Role::Update) => self.on_update_response(core, now, id, response),
            Some(Role::Refresh) => self.on_refresh_response(core, now, id, response),
            Some(Role::Info) => self.on_info_response(core, now, id, response),
            Some(Role::Refer) => self.on_refer_response(core, now, id, response),
            Some(Role::Notify) => self.on_notify_response(core, now, id, response),
            Some(role @ (Role::Bye | Role::ForkBye | Role::Prack)) => {
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
            (Some(Role::Reoffer | Role::Refresh), Some(cause)) => {
                self.break_off(core, now, cause);
            }
            (Some(Role::Update), Some(cause)) => self.on_update_lost(core, now, cause),
            (Some(Role::Info), Some(_)) => self.on_info_lost(core, now),
            (Some(Role::Refer), Some(cause)) => self.break_off(core, now, cause),
            (Some(Role::Notify), Some(_)) => self.on_notify_lost(id),
            _ => {}
        }
    }

    /// Its deadline came.
    pub(crate) fn on_timeout(&mut self, core: &mut Core, now: Instant) {
        while let Some(wake) = self.timers.expired(now) {
            match wake {
                Wake::CancelGiveUp => self.give_up_cancelled(core, now),
                Wake::Ring => self.ring_again(core, now),
                Wake::Unanswered => {
                    self.refuse(core, now, 408, Cause::local(CauseKind::NoAnswer));
                }
                Wake::RepeatReliable => self.repeat_reliable(core, now),
                Wake::PrackLost => self.on_prack_lost(core, now),
                Wake::RepeatAnswer => self.repeat_answer(core, now),
                Wake::AckLost => self.on_ack_lost(core, now),
                Wake::OfferUnanswered => self.answer_offer(core, now, Err(500)),
                Wake::Glare => self.send_reoffer(core, now),
                Wake::ReofferLate => self.on_reoffer_late(core, now),
                Wake::NextTarget => self.on_silence(core, now),
                Wake::Refresh => self.refresh(core, now),
                Wake::SessionExpired => self.on_session_expired(core, now),
                Wake::TransferLate => self.transferred(core, Err(Cause::timeout())),
                Wake::ReferralUndecided => self.refuse_referral(core, now, 603),
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
        let mut request = dialog.request(Method::Bye);
        match (role, self.ending) {
            (Role::ForkBye, None) => {
                // Another phone took the call (RFC 3326 2).
                request.headers.push(Name::Reason, reason(CauseKind::Normal, true));
            }
            (_, Some(kind)) => request.headers.push(Name::Reason, reason(kind, false)),
            (_, None) => {}
        }
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
