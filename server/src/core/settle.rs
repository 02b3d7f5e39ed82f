//! What is not urgent to the microsecond: SIP's events, the calls' own decisions, and their ends.

use super::Core;
use super::calls::VisitorLeg;
use super::flash::Flash;
use super::metrics::bump;
use super::trunk::Caller;
use crate::legs;
use crate::net::{StreamOrder, Wire};
use base::{AccountId, CallId};
use call::{Change, LegCommand, LegEvent, VisitorEnd};
use signalling::{CallState, EndCause, ServerMessage};
use sip::{Quirk, RegistrationState};
use std::time::{Duration, Instant};

/// How often the numbers that others read are written.
const PUBLISH_EVERY: Duration = Duration::from_millis(100);
/// Passes over the machines in one settling: each pass handles what the one before brought about.
const PASSES: usize = 16;

impl<W: Wire> Core<W> {
    /// Gives one event to one call.
    pub(super) fn call_event(&mut self, now: Instant, id: CallId, event: LegEvent) {
        if let Some(active) = self.calls.entry(id) {
            self.traces.leg_event(now, id, &event);
            active.call.handle_event(now, event);
            self.touched.insert(id);
        }
    }

    /// A call's deadline has come.
    pub(super) fn handle_call_timeout(&mut self, now: Instant, id: CallId) {
        let Some(active) = self.calls.entry(id) else { return };
        if active.bridge.poll_timeout().is_some_and(|at| at <= now) {
            active.bridge.handle_timeout(now);
        }
        if active.stream.poll_timeout().is_some_and(|at| at <= now) {
            active.stream.handle_timeout(now);
        }
        if active.call.poll_timeout().is_some_and(|at| at <= now) {
            active.call.handle_timeout(now);
        }
        let hold_due = active.hold.is_due(now);
        let left = active.left_at.take_if(|at| *at <= now).is_some();
        if active.quality_at <= now {
            self.look_at_quality(now, id);
        }
        if hold_due {
            self.tell_hold(now, id);
        }
        if left {
            self.end_visitor(now, id, VisitorEnd::HungUp);
        }
        self.touched.insert(id);
    }

    /// Drains every machine until a pass yields nothing.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.accounts.is_unsettled(now) {
            self.settle_accounts(now);
        }
        for _ in 0..PASSES {
            let mut idle = true;
            self.send_sip_transmits(now);
            while let Some(event) = self.sip.poll_event() {
                idle = false;
                self.handle_sip_event(now, event);
            }
            self.drain_browsers(now);
            if self.flash.as_ref().is_some_and(Flash::is_waiting) {
                self.drain_flash(now);
            }
            while let Some(id) = self.touched.pop_first() {
                idle = false;
                self.pump(now, id);
                self.drain_call(now, id);
                self.calls.rearm(id);
            }
            if idle {
                break;
            }
        }
        let due = self.published_at.is_none_or(|at| at + PUBLISH_EVERY <= now);
        if due {
            self.published_at = Some(now);
            self.publish();
        }
    }

    fn settle_accounts(&mut self, now: Instant) {
        for (account, settings) in self.accounts.untold() {
            self.sip.command(now, sip::Command::SetAccount { account, settings });
        }
        while let Some(question) = self.accounts.poll_lookup(now) {
            // A full queue of look-ups is asked again when this one is due again.
            if self.lookups.try_send(question).is_err() {
                break;
            }
        }
        if let Some(servers) = self.accounts.changed_servers()
            && self.streams.try_send(StreamOrder::Servers(servers.clone())).is_ok()
        {
            self.accounts.told_servers(servers);
        }
        self.accounts.settled();
    }

    fn drain_call(&mut self, now: Instant, id: CallId) {
        while let Some(command) = self.calls.entry(id).and_then(|a| a.call.poll_command()) {
            let Some(active) = self.calls.entry(id) else { return };
            match command {
                LegCommand::AnswerTrunk => self.answer_trunk(now, id),
                LegCommand::EndTrunk(cause) => {
                    let invite = active.invite;
                    let cause = legs::trunk::hangup_kind(cause);
                    self.sip.command(now, sip::Command::Hangup { invite, cause });
                    self.end_successor(now, id, cause);
                }
                LegCommand::EndVisitor => {
                    let visitor = active.visitor.take();
                    self.close_visitor(now, id, visitor);
                }
            }
        }
        let mut changed = false;
        while let Some(active) = self.calls.entry(id) {
            let Some(change) = active.call.poll_change() else { break };
            changed = true;
            active.facts.changed(now, change);
            let link = active.link;
            let message = legs::browser::state_message(active.page_call, change, &active.party);
            self.log_change(id, change);
            self.traces.changed(now, id, change);
            self.tell(link, message);
        }
        if changed {
            self.review_direct(now, id);
        }
        if self.calls.entry(id).is_some_and(|active| active.call.is_over()) {
            self.finish(now, id);
        }
    }

    fn log_change(&self, id: CallId, change: Change) {
        match change.cause {
            None => tracing::info!(call = id.0, state = ?change.state, code = change.code, "call"),
            Some(cause) => {
                tracing::info!(call = id.0, cause = %cause.key(), code = change.code, "call ended");
            }
        }
        // A held call that is taken back becomes active too, without a status.
        if change.state == CallState::Active && change.code == 200 {
            bump(&self.metrics.calls_answered_total);
        }
        let failed = matches!(
            change.cause,
            Some(
                EndCause::ProviderFailed
                    | EndCause::ProviderSilent
                    | EndCause::Internal
                    | EndCause::NoMedia
                    | EndCause::AuthenticationFailed
                    | EndCause::Forbidden
            )
        );
        if failed {
            bump(&self.metrics.calls_failed_total);
        }
    }

    /// Both legs are over: the row is written, the ports rest.
    fn finish(&mut self, now: Instant, id: CallId) {
        self.end_trace(now, id);
        let Some(mut active) = self.calls.remove(id) else { return };
        self.published_at = None;
        match active.visitor.take() {
            VisitorLeg::Browser(peer) => self.browsers.close(now, peer),
            VisitorLeg::Flash { session, call } => {
                self.end_talk(session, call);
            }
            VisitorLeg::Gone => {}
        }
        active.stream.close();
        while let Some(transmit) = active.stream.poll_transmit(now) {
            let (port, local) = active.pair.of(transmit.local);
            self.wire.send(port, local, transmit.remote, &transmit.payload);
        }
        self.policy.leave(&active.button, active.link);
        self.pool.rest(now, active.pair);
        let cause = active.call.cause().unwrap_or(EndCause::Internal);
        let trunk = active.stream.statistics();
        let row = active.facts.row(now, cause, &trunk, &active.bridge.statistics());
        if self.store.record(row).is_err() {
            tracing::warn!(call = id.0, "the call log's queue is full; a row is lost");
        }
    }

    fn handle_sip_event(&mut self, now: Instant, event: sip::Event) {
        match event {
            sip::Event::RegistrationChanged { account, state } => {
                self.registration_changed(account, state);
            }
            sip::Event::Provisional { invite, status, early_sdp, .. } => {
                let id = self.calls.of_invite(invite);
                if self.calls.entry(id).is_some_and(|active| active.invite != invite) {
                    // A transfer that rings: the visitor hears the first phone until then.
                    return;
                }
                let quirks = self.quirks(id);
                let early_sdp = early_sdp.filter(|_| !quirks.has(Quirk::NoEarlyMedia));
                let sound =
                    early_sdp.is_some_and(|sdp| self.trunk_described(now, id, &sdp).is_ok());
                self.call_event(now, id, legs::trunk::provisional(status, sound, quirks));
            }
            sip::Event::Answered { invite, sdp, .. } => {
                let id = self.calls.of_invite(invite);
                if self.successor_answered(now, invite, sdp.as_deref()) {
                    self.review_direct(now, id);
                    return;
                }
                if let Some(active) = self.calls.entry(id) {
                    // Whatever ends from now on ends a call that was taken.
                    (active.again, active.others) = (None, None);
                }
                // Without SDP the media stay as they were agreed before the call was taken.
                if sdp.is_none_or(|sdp| self.trunk_agreed(now, id, &sdp)) {
                    self.call_event(now, id, LegEvent::TrunkAnswered);
                }
            }
            sip::Event::Reoffered { invite, sdp } => {
                self.reoffered(now, invite, sdp);
                self.review_direct(now, self.calls.of_invite(invite));
            }
            sip::Event::Ended { invite, .. } if self.outlives(invite) => {}
            sip::Event::Ended { invite, cause } => {
                let id = self.calls.of_invite(invite);
                if self.ask_in_the_clear(now, id, &cause) || self.go_elsewhere(now, id, &cause) {
                    return;
                }
                let code = cause.status.unwrap_or(0);
                let required = self.calls.entry(id).is_some_and(|active| {
                    active.description.encryption == sdp::Encryption::Required
                });
                let cause = if required && legs::trunk::may_refuse_encryption(cause.status) {
                    EndCause::NotEncrypted
                } else {
                    legs::trunk::end_cause(&cause)
                };
                self.call_event(now, id, LegEvent::TrunkEnded { cause, code });
            }
            sip::Event::DigitsReceived { invite, digit, .. } => {
                let id = self.calls.of_invite(invite);
                self.traces.digits(now, id, trace::Side::Provider, 1);
                if let Some(active) = self.calls.entry(id) {
                    let (link, call) = (active.link, active.page_call);
                    self.tell(link, ServerMessage::Digit { call, digit });
                }
            }
            sip::Event::Reanswered { invite, sdp } => {
                self.reanswered(now, self.calls.of_invite(invite), sdp);
                self.review_direct(now, self.calls.of_invite(invite));
            }
            sip::Event::Incoming { invite, account, from, offer, replaces, .. } => {
                let offer = offer.as_deref();
                let caller = Caller { invite, account, from: &from, offer };
                match replaces {
                    None => self.handle_incoming(now, &caller),
                    Some(old) => {
                        if let Err(status) = self.replaced(now, &caller, old) {
                            self.sip.command(now, sip::Command::Reject { invite, status });
                        }
                        let id = self.calls.of_invite(invite);
                        self.review_direct(now, id);
                    }
                }
            }
            sip::Event::Referred { invite, target, .. } => self.referred(now, invite, &target),
            sip::Event::Transferred { invite, outcome } => {
                self.transferred(now, self.calls.of_invite(invite), outcome);
            }
            sip::Event::EarlyAnswered { invite, sdp } => {
                self.answered_early(now, self.calls.of_invite(invite), &sdp);
            }
            sip::Event::Confirmed { invite, answer } => {
                let id = self.calls.of_invite(invite);
                if let Some(answer) = answer {
                    // Our offer was in the answer to the phone's call, or to its new INVITE.
                    self.trunk_agreed(now, id, &answer);
                }
                self.acknowledged(now, id);
            }
            sip::Event::ForkEnded { .. } | sip::Event::PictureRequested { .. } => {}
        }
    }

    fn registration_changed(&mut self, account: AccountId, state: RegistrationState) {
        let Some(entry) = self.accounts.entry_mut(account) else { return };
        let before = std::mem::replace(&mut entry.state, state.clone());
        // A refresh changes no number that others wait for; all accounts are counted for those.
        let is_up =
            |state: &RegistrationState| matches!(state, RegistrationState::Registered { .. });
        if !(is_up(&before) && is_up(&state)) {
            self.published_at = None;
        }
        let (registered, code, reason) = match &state {
            RegistrationState::Registering => return,
            RegistrationState::Registered { .. } => (true, 200, "Registered".to_owned()),
            RegistrationState::Unregistered => (false, 0, "Not registered".to_owned()),
            RegistrationState::Failed { cause, .. } => {
                let code = cause.status.unwrap_or(0);
                let end = legs::trunk::end_cause(cause);
                // What became of a connection is for the operator, not for a page's eyes.
                let words = cause.reason.as_deref().filter(|_| {
                    entry.link.is_none() && cause.originator == sip::Originator::Network
                });
                let reason = match end {
                    _ if let Some(words) = words => words,
                    EndCause::AuthenticationFailed => "Wrong user name or password",
                    EndCause::ProviderSilent => "The registrar does not answer",
                    EndCause::NotFound => "The registrar does not know this user",
                    EndCause::Forbidden => "The registrar refuses this user",
                    _ => "The registrar failed",
                };
                (false, code, reason.to_owned())
            }
        };
        let user = base::Private::new(entry.settings.username.clone());
        match (entry.link, registered) {
            (Some(link), _) => {
                self.tell(link, ServerMessage::Registration { registered, code, reason });
            }
            (None, true) => tracing::info!(account = account.0, ?user, "registered"),
            (None, false) => tracing::warn!(account = account.0, code, %reason, "not registered"),
        }
    }
}
