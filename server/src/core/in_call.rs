//! What pages want of calls that are there: to take one that came in, to hold it, to send it on.

use super::Core;
use super::calls::VisitorLeg;
use super::visitors::{bad, unknown};
use crate::legs;
use crate::net::Wire;
use base::{Codec, LinkId};
use call::{LegEvent, browser_codecs};
use signalling::{CallState, ErrorCode, ServerMessage, limits};
use std::time::Instant;

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
        let id = self.calls.by_page(link, call).ok_or_else(|| unknown(call))?;
        let active = self.calls.entry(id).ok_or_else(|| unknown(call))?;
        if !active.button.is_empty() {
            let message = "A button's call cannot be transferred by its visitor";
            let hint = "The shop's phone can transfer it.";
            return Err(legs::browser::error(ErrorCode::Forbidden, Some(call), message, hint));
        }
        if !matches!(active.call.state(), CallState::Active | CallState::Held) {
            return Err(bad(call, "Only a call that was answered can be transferred"));
        }
        let _ = (now, uri, limits::TEXT_OCTETS);
        let message = "Transfer is not in this version";
        let hint = "Do without transfer() for now.";
        Err(legs::browser::error(ErrorCode::Unavailable, Some(call), message, hint))
    }
}
