//! The callee until the call is taken or refused.

use super::session::Session;
use super::{Invite, Phase, Wake, put_sdp};
use crate::cause::{Cause, CauseKind};
use crate::challenge::Challenger;
use crate::dialog::Dialog;
use crate::endpoint::core::ALLOW;
use crate::endpoint::{Core, InviteId};
use crate::limits;
use crate::message::{Method, Name, Request, Response};
use crate::transaction::TransactionId;
use base::Timers;
use std::time::Instant;

/// An incoming INVITE that is neither taken nor refused.
///
/// ```text
///   100 sent --Ring--> 18x sent, again each minute --Answer--> 2xx (session.rs)
///      |                   |
///      +---- CANCEL: 487, Reject: its status, BYE: 487, nobody decides: 408
/// ```
pub(super) struct Callee {
    transaction: TransactionId,
    dialog: Dialog,
    rung: Option<(u16, Option<Vec<u8>>)>,
}

impl Invite {
    /// Takes in an INVITE; 100 goes out at once, so that the caller stops repeating.
    pub(crate) fn receive(
        core: &mut Core,
        now: Instant,
        id: InviteId,
        transaction: TransactionId,
        user: String,
        challenger: Option<Challenger>,
    ) -> Option<Self> {
        let tag = core.seed.token(16);
        let server = core.table.server_mut(transaction)?;
        let dialog = Dialog::from_request(&server.request, &tag, server.hop)?;
        server.invite = Some(id);
        core.answer(now, transaction, 100);
        let mut timers = Timers::default();
        timers.set(Wake::Unanswered, now + limits::UNANSWERED);
        Some(Invite {
            id,
            user,
            call_id: dialog.call_id.clone(),
            tag,
            challenger,
            timers,
            live: Vec::new(),
            acks: Vec::new(),
            late: Vec::new(),
            ended: false,
            phase: Phase::Called(Box::new(Callee { transaction, dialog, rung: None })),
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
            response.headers.push(Name::Contact, core.contact(&self.user, hop));
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
        let status = if sdp.is_some() { 183 } else { 180 };
        callee.rung = Some((status, sdp));
        self.ring_again(core, now);
    }

    pub(super) fn ring_again(&mut self, core: &mut Core, now: Instant) {
        let Phase::Called(callee) = &self.phase else { return };
        let Some((status, sdp)) = callee.rung.clone() else { return };
        let id = callee.transaction;
        if let Some(response) = self.callee_response(core, id, status, sdp.as_deref()) {
            core.respond(now, id, &response);
        }
        self.timers.set(Wake::Ring, now + limits::RING_EVERY);
    }

    /// Takes the call.
    pub(crate) fn answer(&mut self, core: &mut Core, now: Instant, sdp: &[u8]) {
        let Phase::Called(callee) = &self.phase else {
            core.out.counters.refused += 1;
            return;
        };
        let (id, dialog) = (callee.transaction, callee.dialog.clone());
        let Some(response) = self.callee_response(core, id, 200, Some(sdp)) else { return };
        self.timers.clear_all();
        core.respond(now, id, &response);
        self.phase = Phase::Talking(Box::new(Session::new(dialog, false)));
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
        self.close();
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
                Method::Update if request.body.is_empty() => core.answer(now, id, 200),
                // Its first offer is not answered yet (RFC 3311 5.2).
                _ => core.answer_later(now, id),
            }
        }
    }
}
