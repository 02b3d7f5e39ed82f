//! What pages want of calls that are there: to take one that came in, to hold it, to send it on.

use super::Core;
use super::calls::{SentTo, VisitorLeg};
use super::flash::Flash;
use super::visitors::{bad, unknown};
use crate::legs;
use crate::net::Wire;
use base::{CallId, Codec, LinkId};
use call::{LegEvent, VisitorEnd, browser_codecs};
use signalling::{CallState, ErrorCode, ServerMessage, limits};
use std::time::{Duration, Instant};

/// How long a phone whose call another one has taken over may take to leave ours.
const LEAVES_WITHIN: Duration = Duration::from_secs(5);

impl<W: Wire> Core<W> {
    /// A page takes a call that came in, with its browser's offer. The caller is answered at once
    /// and does not wait for ICE.
    pub(super) fn answer_with(
        &mut self,
        now: Instant,
        link: LinkId,
        call: u32,
        offer: &str,
    ) -> Result<(), ServerMessage> {
        let id = self.calls.by_page(link, call).ok_or_else(|| unknown(call))?;
        let local_page = self.links.get(&link).is_some_and(|known| known.local_page);
        let active = self.calls.entry(id).ok_or_else(|| unknown(call))?;
        if !active.waits_for_answer() || active.visitor != VisitorLeg::Gone {
            return Err(bad(call, "This call does not wait for an answer"));
        }
        // The caller's codec is known by now, so the order is no guess.
        let trunk_codec = active.negotiated.as_ref().map(|negotiated| negotiated.codec);
        let account = self.accounts.entry(active.account);
        let codecs = account.map_or(Codec::ALL.to_vec(), |entry| entry.settings.codecs.clone());
        let order = browser_codecs(&codecs, call::Learnt { trunk_codec });
        let (peer, sdp) = self.accept_browser(now, id, call, offer, &order, local_page)?;
        if let Some(active) = self.calls.entry(id) {
            active.visitor = VisitorLeg::Browser(peer);
        }
        self.traces.offer(now, id, offer);
        self.traces.answer(now, id, &sdp);
        self.tell(link, ServerMessage::Answer { call, sdp });
        self.call_event(now, id, LegEvent::VisitorAnswered);
        self.drain_browsers(now);
        Ok(())
    }

    /// A page puts the far end on hold, or takes it back.
    pub(super) fn hold_for_page(&mut self, now: Instant, link: LinkId, call: u32, on: bool) {
        let Some(id) = self.calls.by_page(link, call) else {
            return self.tell(link, unknown(call));
        };
        if !self.hold(now, id, on) {
            self.tell(link, bad(call, "Only a call that was answered can be held"));
        }
    }

    /// A page sends the far end of its call to another address.
    ///
    /// # Errors
    /// In words for the page: only an account that the page brought along may do it, only within
    /// its registrar, and only with a call that was answered.
    pub(super) fn transfer(
        &mut self,
        now: Instant,
        link: LinkId,
        call: u32,
        uri: &str,
    ) -> Result<(), ServerMessage> {
        let id = self.may_be_transferred(link, call)?;
        let active = self.calls.entry(id).ok_or_else(|| unknown(call))?;
        let (account, invite) = (active.account, active.invite);
        let fits = !uri.is_empty() && uri.len() <= limits::TEXT_OCTETS;
        let found = fits.then(|| self.accounts.full_address(account, uri)).flatten();
        let (_, target) = found.ok_or_else(|| {
            bad(call, "Say where to: transfer({uri: 'sip:user@host'}), or a number")
        })?;
        if !self.accounts.is_within(account, &target) {
            let message = "A call can only be transferred within its own registrar";
            let hint = "Name a user or a number there.";
            return Err(legs::browser::error(ErrorCode::Forbidden, Some(call), message, hint));
        }
        if let Some(active) = self.calls.entry(id) {
            active.sent_to = Some(SentTo::Address);
        }
        self.sip.command(now, sip::Command::Refer { invite, target, replaces: None });
        Ok(())
    }

    /// A page connects the far ends of two of its calls: that of `call` takes our place in `other`.
    /// Where their accounts differ it is asked to all the same; it knows whom it reaches.
    ///
    /// # Errors
    /// As for [`Core::transfer`], with the call that they are about.
    pub(super) fn join(
        &mut self,
        now: Instant,
        link: LinkId,
        call: u32,
        other: u32,
    ) -> Result<(), ServerMessage> {
        if call == other {
            return Err(bad(call, "A call cannot be joined to itself"));
        }
        let id = self.may_be_transferred(link, call)?;
        let joined = self.may_be_transferred(link, other)?;
        let found = self.calls.get(joined).ok_or_else(|| unknown(other))?;
        if found.successor.is_some() {
            return Err(bad(other, "This call is just moving to another phone"));
        }
        let replaced = found.invite;
        let active = self.calls.entry(id).ok_or_else(|| unknown(call))?;
        active.sent_to = Some(SentTo::Call(joined));
        let invite = active.invite;
        self.sip.command(now, sip::Command::ReferToCall { invite, other: replaced });
        Ok(())
    }

    /// A call that its page may send elsewhere; else why not, in words.
    fn may_be_transferred(&self, link: LinkId, call: u32) -> Result<CallId, ServerMessage> {
        let id = self.calls.by_page(link, call).ok_or_else(|| unknown(call))?;
        let active = self.calls.get(id).ok_or_else(|| unknown(call))?;
        if !active.button.is_empty() {
            let message = "A button's call cannot be transferred by its visitor";
            let hint = "The shop's phone can transfer it.";
            return Err(legs::browser::error(ErrorCode::Forbidden, Some(call), message, hint));
        }
        if !matches!(active.call.state(), CallState::Active | CallState::Held) {
            return Err(bad(call, "Only a call that was answered can be transferred"));
        }
        if active.unacknowledged {
            return Err(bad(call, "This call is just being answered; try again in a moment"));
        }
        let calls = self.calls.of_link(link);
        let mut sent = calls.iter().filter_map(|id| self.calls.get(*id)?.sent_to);
        let is_joined = sent.any(|sent_to| sent_to == SentTo::Call(id));
        if active.sent_to.is_some() || active.left_at.is_some() || is_joined {
            return Err(bad(call, "This call is being transferred already"));
        }
        Ok(id)
    }

    /// What came of a transfer: the call has gone on elsewhere and ends here, or is still ours.
    pub(super) fn transferred(
        &mut self,
        now: Instant,
        id: CallId,
        outcome: Result<(), sip::Cause>,
    ) {
        let Some(active) = self.calls.entry(id) else { return };
        let sent_to = active.sent_to.take();
        let Err(cause) = outcome else {
            if let Some(SentTo::Call(other)) = sent_to {
                self.leave(now, other);
            }
            return self.end_visitor(now, id, VisitorEnd::HungUp);
        };
        let words = legs::trunk::end_cause(&cause).sentence();
        let reason = format!("The call could not be transferred: {words}");
        let status = cause.status.unwrap_or(0);
        self.tell_failure(id, ErrorCode::TransferFailed, status, reason);
    }

    /// Another phone has our place in this call. The one that is in it says so by its BYE; one that
    /// does not is left.
    fn leave(&mut self, now: Instant, id: CallId) {
        if let Some(active) = self.calls.entry(id) {
            active.left_at = Some(now + LEAVES_WITHIN);
            self.touched.insert(id);
        }
    }

    /// The phone does not take the offer by which it is held, or taken back.
    pub(super) fn hold_failed(&mut self, id: CallId) {
        let Some(active) = self.calls.entry(id) else { return };
        let reason = match active.call.state() {
            CallState::Held => {
                "The far end refuses to be held: it hears nothing, and may not know why"
            }
            _ => "The far end was not told that it is taken back",
        };
        self.tell_failure(id, ErrorCode::HoldFailed, 0, reason.to_owned());
    }

    /// Tells a page what has failed in a call that goes on.
    fn tell_failure(&mut self, id: CallId, code: ErrorCode, status: u16, reason: String) {
        let Some(active) = self.calls.entry(id) else { return };
        let (link, call, state) = (active.link, active.page_call, active.call.state());
        let message = if Flash::is_link(link) {
            // A SWF has no function for errors that no command of its own waits for.
            let change = call::Change { state, cause: None, code: status };
            let mut told = legs::browser::state_message(call, change, &active.party);
            if let ServerMessage::State { reason: words, .. } = &mut told {
                *words = reason;
            }
            told
        } else {
            legs::browser::error(code, Some(call), &reason, "The call goes on.")
        };
        self.tell(link, message);
    }
}
