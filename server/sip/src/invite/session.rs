//! A call that is up: new offers, keypad digits, the ACK of the callee's 2xx, BYE.

use super::{Invite, Phase, Role, Wake, sdp};
use crate::cause::{Cause, CauseKind};
use crate::dialog::Dialog;
use crate::endpoint::{Core, Event};
use crate::message::{Method, NameAddr, Request, Response};
use crate::transaction::{Hop, TransactionId};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A confirmed dialog and what is pending in it.
///
/// ```text
///   unconfirmed (callee: 2xx sent, no ACK) --ACK--> confirmed <--2xx and ACK-- (caller)
///        | hangup: BYE waits for the ACK                | hangup: BYE
///        | 64*T1 without ACK: BYE                       | BYE comes: 200
///        v                                              v
///     Closing                                         Closing
/// ```
pub(super) struct Session {
    pub(super) dialog: Dialog,
    /// We placed the call: the Call-ID is ours, which decides who waits longer after glare.
    pub(super) caller: bool,
    pub(super) confirmed: bool,
    bye_wanted: bool,
    pub(super) unacknowledged: Option<Unacknowledged>,
    /// Our 2xx to the first INVITE holds the offer, and the ACK must hold the answer.
    pub(super) answer_wanted: bool,
    pub(super) infos: VecDeque<(String, Vec<u8>)>,
    pub(super) info_sent: bool,
}

/// A 2xx to an INVITE of the peer that waits for its ACK.
pub(super) struct Unacknowledged {
    /// The transaction that holds it, and knows where it goes by now.
    transaction: TransactionId,
    number: u32,
    pause: Duration,
}

impl Session {
    /// A session; the caller's is confirmed by its own ACK.
    pub(super) fn new(dialog: Dialog, caller: bool) -> Self {
        Session {
            dialog,
            caller,
            confirmed: caller,
            bye_wanted: false,
            unacknowledged: None,
            answer_wanted: false,
            infos: VecDeque::new(),
            info_sent: false,
        }
    }
}

impl Invite {
    pub(super) fn session(&mut self) -> Option<&mut Session> {
        match &mut self.phase {
            Phase::Talking(session) => Some(session),
            _ => None,
        }
    }

    /// Begins to repeat a 2xx until its ACK comes (13.3.1.4).
    pub(super) fn await_ack(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        response: &Response,
    ) {
        let t = core.settings.timers;
        let number = response.cseq().map(|cseq| cseq.number).unwrap_or_default();
        let Some(session) = self.session() else { return };
        session.unacknowledged = Some(Unacknowledged { transaction: id, number, pause: t.t1 });
        self.timers.set(Wake::RepeatAnswer, now + t.t1);
        self.timers.set(Wake::AckLost, now + t.t1 * 64);
    }

    pub(super) fn repeat_answer(&mut self, core: &mut Core, now: Instant) {
        let t2 = core.settings.timers.t2;
        let Some(session) = self.session() else { return };
        let Some(waiting) = &mut session.unacknowledged else { return };
        core.table.repeat(&mut core.out, waiting.transaction);
        waiting.pause = (waiting.pause * 2).min(t2);
        let at = now + waiting.pause;
        self.timers.set(Wake::RepeatAnswer, at);
    }

    /// The ACK of a 2xx came.
    pub(crate) fn on_ack(&mut self, core: &mut Core, now: Instant, ack: &Request) {
        let number = ack.cseq().map(|cseq| cseq.number).ok();
        let invite = self.id;
        let Some(session) = self.session() else { return };
        if session.unacknowledged.as_ref().map(|waiting| waiting.number) != number {
            return;
        }
        session.unacknowledged = None;
        let first = !std::mem::replace(&mut session.confirmed, true);
        let bye_wanted = session.bye_wanted;
        let answer_wanted = std::mem::take(&mut session.answer_wanted);
        self.timers.clear(Wake::RepeatAnswer);
        self.timers.clear(Wake::AckLost);
        if bye_wanted {
            self.say_bye(core, now);
            return;
        }
        let answer = sdp(&ack.headers, &ack.body).ok().flatten();
        if answer_wanted && answer.is_none() {
            // Nobody knows where the caller is (13.2.2.4).
            self.break_off(core, now, Cause::local(CauseKind::NotAcceptable));
            return;
        }
        if let Some(answer) = &answer {
            self.media.theirs.clone_from(answer);
        }
        if first || answer.is_some() {
            core.events.push_back(Event::Confirmed { invite, answer });
        }
    }

    /// 64*T1 without ACK: the dialog is there all the same and must be ended (13.3.1.4, 14.2).
    pub(super) fn on_ack_lost(&mut self, core: &mut Core, now: Instant) {
        self.end(core, Cause::timeout());
        self.say_bye(core, now);
    }

    /// Ends the conversation from our side. A callee may not say BYE before it has the ACK (15).
    pub(super) fn break_off(&mut self, core: &mut Core, now: Instant, cause: Cause) {
        self.end(core, cause);
        let Some(session) = self.session() else { return };
        if session.confirmed {
            self.say_bye(core, now);
        } else {
            session.bye_wanted = true;
        }
    }

    fn say_bye(&mut self, core: &mut Core, now: Instant) {
        self.leave(core, now);
        if let Phase::Closing(Some(dialog)) = &mut self.phase {
            let mut ending = dialog.clone();
            self.bye(core, now, &mut ending, Role::Bye);
            self.phase = Phase::Closing(Some(ending));
        }
    }

    /// Closes the session. An offer of ours gets its answer from the peer, or is forgotten after
    /// a while.
    fn leave(&mut self, core: &mut Core, now: Instant) {
        self.close(core, now);
        if self.live.iter().any(|(_, role)| *role == Role::Reoffer) {
            self.timers.set(Wake::ReofferLate, now + core.settings.timers.t1 * 64);
        }
    }

    /// A request inside the dialog.
    pub(super) fn on_session_request(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        request: &Request,
        hop: Hop,
    ) {
        let from = request.from().ok();
        let tag = from.as_ref().and_then(NameAddr::tag).unwrap_or_default().to_owned();
        let forgone = self.acks.iter().any(|ack| ack.tag == tag);
        let Some(session) = self.session() else { return };
        if tag != session.dialog.remote_tag() {
            // A fork that we did not keep says goodbye on its own.
            let status = if forgone && request.method == Method::Bye { 200 } else { 481 };
            core.answer(now, id, status);
            return;
        }
        if request.method == Method::Prack {
            session.dialog.note(request);
            self.on_prack(core, now, id, request);
            return;
        }
        if !session.dialog.accepts(request) {
            core.answer_later(now, id);
            return;
        }
        session.dialog.heard_on(hop);
        session.dialog.learn(&request.headers);
        match request.method {
            Method::Bye => {
                core.answer(now, id, 200);
                self.end(core, Cause::remote(CauseKind::Normal, &request.headers));
                self.leave(core, now);
            }
            Method::Invite | Method::Update => self.on_offer(core, now, id, request),
            Method::Info => self.on_info(core, now, id, request),
            Method::Refer => self.on_refer(core, now, id, request),
            Method::Notify => self.on_notify(core, now, id, request),
            _ => core.answer_method(now, id, &request.method),
        }
    }
}
