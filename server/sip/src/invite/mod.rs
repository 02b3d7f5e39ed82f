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
mod requests;
mod second;
mod session;
mod transfer;

pub(crate) use caller::{Order, first_number};
pub(crate) use offer::offer_of;
pub(crate) use referral::misread;

use crate::cause::{Cause, CauseKind, Originator};
use crate::challenge::Challenger;
use crate::dialog::Dialog;
use crate::endpoint::{Core, Event, InviteId};
use crate::message::{Headers, Method, Name, Request, Response};
use crate::quirks::Quirks;
use crate::transaction::{Hop, TransactionId};
use base::Timers;
use callee::Callee;
use caller::Caller;
use offer::{Media, Offers};
use redirect::Redirects;
use referral::Referral;
use refresh::SessionTimer;
use reliable::Reliable;
use requests::Ack;
use second::Second;
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
    second_offer: Second,
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
    /// A call of which nothing is known yet but who it is.
    fn new(id: InviteId, user: String, call_id: String, tag: String, phase: Phase) -> Self {
        Invite {
            id,
            user,
            call_id,
            tag,
            challenger: None,
            timers: Timers::default(),
            live: Vec::new(),
            acks: Vec::new(),
            late: Vec::new(),
            hurried: false,
            ended: false,
            top_number: 0,
            offers: Offers::default(),
            media: Media::default(),
            second_offer: Second::None,
            reliable: Reliable::default(),
            session_timer: SessionTimer::default(),
            redirects: Redirects::default(),
            ending: None,
            transfer: Transfer::default(),
            referral: Referral::default(),
            referrer: None,
            quirks: Quirks::default(),
            phase,
        }
    }

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

    /// The way on which the peer speaks to us, while there is a call.
    pub(crate) fn peer_way(&self, core: &Core) -> Option<Hop> {
        match &self.phase {
            Phase::Calling(caller) => caller.way(),
            Phase::Called(callee) => callee.way(core),
            Phase::Talking(session) => Some(session.dialog.hop(|ip| core.knows(ip))),
            Phase::Closing(_) => None,
        }
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
}

/// The SDP of a message: its body, if the type says so or is missing. `Err`: a body of another
/// type.
fn sdp(headers: &Headers, body: &[u8]) -> Result<Option<Vec<u8>>, ()> {
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
