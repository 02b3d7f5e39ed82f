//! The callee until the call is taken or refused.

use super::offer::Media;
use super::reliable::Reliable;
use super::session::Session;
use super::{Invite, Phase, Wake, put_sdp};
use crate::cause::{Cause, CauseKind};
use crate::dialog::Dialog;
use crate::endpoint::core::ALLOW;
use crate::endpoint::{Core, InviteId};
use crate::limits;
use crate::message::{Method, Name, Request, Response};
use crate::registration::Registration;
use crate::transaction::{Hop, TransactionId};
use base::Timers;
use std::time::Instant;

/// An incoming INVITE that is neither taken nor refused.
///
/// ```text
///   100 sent --Ring--> 18x sent, again each minute --Answer--> 2xx (session.rs)
///      |                   |                          \--- waits for the PRACK of our answer
///      +---- CANCEL: 487, Reject: its status, BYE: 487, nobody decides: 408
/// ```
pub(super) struct Callee {
    transaction: TransactionId,
    pub(super) dialog: Dialog,
    rung: Option<(u16, Option<Vec<u8>>)>,
    /// The INVITE has an offer.
    pub(super) offered: bool,
    wish: Wish,
    /// An `Answer` that waits for a PRACK.
    pub(super) held: Option<Vec<u8>>,
}

/// What the caller says of reliable provisional responses (RFC 3262 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// It does not know them.
    Unknown,
    /// It takes them (Supported).
    Supported,
    /// It takes no others (Require).
    Required,
}

impl Wish {
    fn of(invite: &Request) -> Self {
        let names = |name| invite.headers.has_token(name, "100rel");
        match (names(&Name::Require), names(&Name::Supported)) {
            (true, _) => Wish::Required,
            (false, true) => Wish::Supported,
            (false, false) => Wish::Unknown,
        }
    }
}

impl Callee {
    /// The way by which the INVITE came.
    pub(super) fn way(&self, core: &Core) -> Option<Hop> {
        core.table.server(self.transaction).map(|server| server.hop)
    }
}

impl Invite {
    /// Takes in an INVITE; 100 goes out at once, so that the caller stops repeating.
    pub(crate) fn receive(
        core: &mut Core,
        now: Instant,
        id: InviteId,
        transaction: TransactionId,
        user: String,
        account: Option<&Registration>,
    ) -> Option<Self> {
        let tag = core.seed.token(16);
        let server = core.table.server_mut(transaction)?;
        let dialog = Dialog::from_request(&server.request, &tag, server.hop)?;
        let (wish, offered) = (Wish::of(&server.request), !server.request.body.is_empty());
        let number = server.request.cseq().ok()?.number;
        let theirs = server.request.body.clone();
        server.invite = Some(id);
        core.answer(now, transaction, 100);
        let mut timers = Timers::default();
        timers.set(Wake::Unanswered, now + limits::UNANSWERED);
        let call_id = dialog.call_id.clone();
        let (rung, held) = (None, None);
        let callee = Callee { transaction, dialog, rung, offered, wish, held };
        Some(Invite {
            challenger: account.map(Registration::challenger),
            quirks: account.map(|account| account.settings.quirks).unwrap_or_default(),
            timers,
            media: Media { ours: Vec::new(), theirs },
            reliable: Reliable::of(number),
            ..Invite::new(id, user, call_id, tag, Phase::Called(Box::new(callee)))
        })
    }

    /// The response to the INVITE that opened the call, with our tag and Contact.
    fn callee_response(
        &self,
        core: &Core,
        id: TransactionId,
        status: u16,
        sdp: Option<&[u8]>,
    ) -> Option<Response> {
        let request = core.request_of(id)?;
        let mut response = core.reply(&request, status, Some(&self.tag));
        if status < 300 {
            let hop = core.table.server(id)?.hop;
            response.headers.push(Name::Contact, core.contact(&self.user, self.quirks, hop));
            response.headers.push(Name::Allow, ALLOW);
        }
        if let Some(sdp) = sdp {
            put_sdp(&mut response.headers, &mut response.body, sdp);
        }
        Some(response)
    }

    /// Tells the caller that it rings.
    pub(crate) fn ring(&mut self, core: &mut Core, now: Instant, sdp: Option<Vec<u8>>) {
        let Phase::Called(callee) = &mut self.phase else {
            core.out.counters.refused += 1;
            return;
        };
        // An answer is given once. An offer of ours belongs into the 2xx, unless the caller wants
        // every response acknowledged: then the first one holds it (RFC 3262 5).
        let fits = callee.offered || callee.wish == Wish::Required;
        let sdp = sdp.filter(|_| fits && !self.reliable.is_described());
        let status = if sdp.is_some() && callee.offered { 183 } else { 180 };
        callee.rung = Some((status, sdp));
        self.ring_again(core, now);
    }

    pub(super) fn ring_again(&mut self, core: &mut Core, now: Instant) {
        let Phase::Called(callee) = &mut self.phase else { return };
        let Some((status, sdp)) = callee.rung.clone() else { return };
        self.timers.set(Wake::Ring, now + limits::RING_EVERY);
        self.ring_with(core, now, status, sdp);
    }

    /// Sends a provisional response, reliably where the caller wants it so, or takes it and is
    /// to get our answer with it.
    pub(super) fn ring_with(
        &mut self,
        core: &mut Core,
        now: Instant,
        status: u16,
        sdp: Option<Vec<u8>>,
    ) {
        let Phase::Called(callee) = &mut self.phase else { return };
        let id = callee.transaction;
        let sdp = sdp.filter(|_| !self.reliable.is_described());
        let reliably = match callee.wish {
            Wish::Unknown => false,
            Wish::Supported => sdp.is_some(),
            Wish::Required => true,
        };
        if reliably && !callee.offered && sdp.is_none() && !self.reliable.is_described() {
            // Nobody has made our offer, and without it nothing can be said.
            return;
        }
        if reliably && self.reliable.is_sent() {
            self.reliable.next = Some((status, sdp));
            return;
        }
        if reliably && sdp.is_some() {
            // From here on it is said without.
            callee.rung = Some((status, None));
            self.media.ours = sdp.clone().unwrap_or_default();
        }
        let Some(mut response) = self.callee_response(core, id, status, sdp.as_deref()) else {
            return;
        };
        if reliably {
            let number = self.reliable.number(core);
            response.headers.push(Name::Require, "100rel");
            response.headers.push(Name::RSeq, number.to_string());
            self.send_reliable(core, now, id, &response);
        } else {
            core.respond(now, id, &response);
        }
    }

    /// Takes the call. Where the answer is with the caller already, the 2xx has none, and where
    /// it is on its way, the 2xx waits (RFC 3262 3, 5).
    pub(crate) fn answer(&mut self, core: &mut Core, now: Instant, sdp: &[u8]) {
        let Phase::Called(callee) = &mut self.phase else {
            core.out.counters.refused += 1;
            return;
        };
        if self.reliable.holds_answer() {
            callee.held = Some(sdp.to_vec());
            return;
        }
        let (id, dialog, offered) = (callee.transaction, callee.dialog.clone(), callee.offered);
        let sdp = Some(sdp).filter(|_| !self.reliable.is_described());
        let Some(mut response) = self.callee_response(core, id, 200, sdp) else { return };
        if let Some(sdp) = sdp {
            self.media.ours = sdp.to_vec();
        }
        for wake in [Wake::Ring, Wake::Unanswered, Wake::RepeatReliable, Wake::PrackLost] {
            self.timers.clear(wake);
        }
        if let Some(request) = core.request_of(id) {
            self.accept_session(now, &request, &mut response);
        }
        core.respond(now, id, &response);
        let mut session = Session::new(dialog, false);
        session.answer_wanted = !offered && sdp.is_some();
        self.phase = Phase::Talking(Box::new(session));
        self.arm_session(now);
        self.await_ack(core, now, id, &response);
    }

    /// Refuses the call.
    pub(crate) fn refuse(&mut self, core: &mut Core, now: Instant, status: u16, cause: Cause) {
        let Phase::Called(callee) = &self.phase else {
            core.out.counters.refused += 1;
            return;
        };
        let id = callee.transaction;
        if let Some(response) = self.callee_response(core, id, status, None) {
            core.respond(now, id, &response);
        }
        self.end(core, cause);
        self.close(core, now);
    }

    /// The caller gave up; the CANCEL itself is answered already (9.2).
    pub(crate) fn on_cancel(&mut self, core: &mut Core, now: Instant, cancel: &Request) {
        if matches!(self.phase, Phase::Called(_)) {
            let cause = Cause::remote(CauseKind::Cancelled, &cancel.headers);
            self.refuse(core, now, 487, cause);
        }
    }

    /// A request in the early dialog that our 18x opened.
    pub(super) fn on_early_request(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        request: &Request,
    ) {
        let Phase::Called(callee) = &mut self.phase else { return };
        let from = request.from().ok();
        if from.as_ref().and_then(|from| from.tag()).unwrap_or_default()
            != callee.dialog.remote_tag()
        {
            core.answer(now, id, 481);
        } else if request.method == Method::Prack {
            callee.dialog.note(request);
            self.on_prack(core, now, id, request);
        } else if !callee.dialog.accepts(request) {
            core.answer_later(now, id);
        } else {
            match request.method {
                // The caller may end an early dialog with BYE as well (15.1.2).
                Method::Bye => {
                    core.answer(now, id, 200);
                    let cause = Cause::remote(CauseKind::Cancelled, &request.headers);
                    self.refuse(core, now, 487, cause);
                }
                Method::Info => core.answer(now, id, 200),
                Method::Update => self.on_offer(core, now, id, request),
                // A second INVITE before the first is answered (14.2).
                _ => core.answer_later(now, id),
            }
        }
    }
}
