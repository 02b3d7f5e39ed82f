//! Calls whose far end moves: the phone asks for a transfer (REFER), or another phone takes its
//! place (Replaces). The visitor stays, with its media; the SIP leg becomes another.

use super::Core;
use super::calls::Successor;
use super::trunk::Caller;
use crate::legs;
use crate::net::Wire;
use base::CallId;
use call::LegEvent;
use signalling::CallState;
use sip::InviteId;
use sip::message::{Scheme, Uri};
use std::time::Instant;

/// How often one call follows a transfer: each of them is a call that somebody pays for.
const TRANSFERS: u8 = 5;

impl<W: Wire> Core<W> {
    /// The phone asks us to call somebody else instead of it.
    pub(super) fn referred(&mut self, now: Instant, invite: InviteId, target: &Uri) {
        if let Err(status) = self.follow(now, invite, target) {
            tracing::info!(call = self.calls.of_invite(invite).0, status, "a transfer is refused");
            self.sip.command(now, sip::Command::RefuseReferral { invite, status });
        }
    }

    /// A transfer is followed within the account's own domain only, and by the account's own way:
    /// whoever can send a REFER must not choose whom the shop pays for.
    fn follow(&mut self, now: Instant, invite: InviteId, target: &Uri) -> Result<(), u16> {
        let id = self.calls.of_invite(invite);
        let active = self.calls.entry(id).filter(|active| active.invite == invite).ok_or(481u16)?;
        let talks = active.call.state() == CallState::Active;
        if !talks || active.successor.is_some() || active.transfers >= TRANSFERS {
            return Err(603);
        }
        let account = active.account;
        let home = self.accounts.is_within(account, target);
        if target.scheme != Scheme::Sip || !home || target.params.has("maddr") {
            return Err(403);
        }
        let targets = self.accounts.next_hops(account, &target.to_string());
        if targets.is_empty() {
            return Err(503);
        }
        let new = InviteId(self.calls.next_id().0);
        let active = self.calls.entry(id).ok_or(481u16)?;
        // Who hands the call on does not know the keys of what is said afterwards.
        let description = active.description.another(&mut self.seed);
        let offer = description.offer();
        let body = offer.octets().to_vec();
        let plain = (description.encryption == sdp::Encryption::Offered).then(|| {
            let mut plain = description.clone();
            plain.encryption = sdp::Encryption::Off;
            let offer = plain.reoffer(sdp::Direction::SendReceive, None);
            (plain, offer)
        });
        let second_offer = plain.as_ref().map(|(_, offer)| offer.octets().to_vec());
        active.transfers += 1;
        let successor = Successor { invite: new, description, offer, plain, alone: false };
        self.calls.set_successor(id, successor);
        let offer = body;
        self.sip.command(
            now,
            sip::Command::FollowReferral { invite, new, account, targets, offer, second_offer },
        );
        self.name_trace_by(id, new);
        tracing::info!(call = id.0, "a transfer is followed");
        Ok(())
    }

    /// Whether an answer is one to a transfer; the call goes on there then.
    pub(super) fn successor_answered(
        &mut self,
        now: Instant,
        invite: InviteId,
        sdp: Option<&[u8]>,
    ) -> bool {
        let id = self.calls.of_invite(invite);
        let Some(mut successor) = self.calls.take_successor(id, invite) else { return false };
        if let Some(plain) = successor.plain.take_if(|_| self.sip.offered_second(invite)) {
            (successor.description, successor.offer) = plain;
        }
        let Some(active) = self.calls.entry(id) else { return false };
        let old = std::mem::replace(&mut active.invite, invite);
        (active.description, active.offer) = (successor.description, successor.offer);
        active.hold.moved();
        (active.sent_to, active.left_at, active.unacknowledged) = (None, None, false);
        if let Some(sdp) = sdp {
            self.trunk_agreed(now, id, sdp);
        }
        self.tell_hold(now, id);
        if !successor.alone {
            let cause = sip::CauseKind::Normal;
            self.sip.command(now, sip::Command::Hangup { invite: old, cause });
        }
        true
    }

    /// Whether the end of an invite is not the end of its call: it has moved on, or is about to.
    pub(super) fn outlives(&mut self, invite: InviteId) -> bool {
        let id = self.calls.of_invite(invite);
        if let Some(successor) = self.calls.take_successor(id, invite) {
            // Nobody took the call there. Where the phone has left already, that is its end.
            return !successor.alone;
        }
        let Some(active) = self.calls.entry(id) else { return false };
        match &mut active.successor {
            Some(successor) if active.invite == invite => {
                successor.alone = true;
                true
            }
            _ => active.invite != invite,
        }
    }

    /// Another phone takes the place of the one in a call, or of those that ring for it.
    pub(super) fn replaced(
        &mut self,
        now: Instant,
        caller: &Caller<'_>,
        old: InviteId,
    ) -> Result<(), u16> {
        let id = self.calls.of_invite(old);
        let active = self.calls.entry(id).filter(|active| active.invite == old).ok_or(481u16)?;
        let rings = matches!(
            active.call.state(),
            CallState::Calling | CallState::Ringing | CallState::Early
        );
        if !(rings || active.call.state() == CallState::Active) || active.successor.is_some() {
            return Err(486);
        }
        let offer = caller.offer.ok_or(488u16)?;
        let mut description = active.description.another(&mut self.seed);
        let (answer, negotiated) = description.answer(offer).map_err(|error| error.status())?;
        active.description = description;
        legs::trunk::apply(&mut active.stream, &negotiated);
        active.invite = caller.invite;
        active.hold.moved();
        (active.sent_to, active.left_at, active.unacknowledged) = (None, None, true);
        (active.again, active.others) = (None, None);
        self.calls.moved(id, caller.invite);
        self.name_trace_by(id, caller.invite);
        self.connect_bridge(now, id, negotiated);
        self.sip.command(now, sip::Command::Answer { invite: caller.invite, sdp: answer });
        if rings {
            self.call_event(now, id, LegEvent::TrunkAnswered);
        }
        let cause = sip::CauseKind::Normal;
        self.sip.command(now, sip::Command::Hangup { invite: old, cause });
        tracing::info!(call = id.0, "another phone takes the place of the first");
        Ok(())
    }

    /// The call ends while a transfer is under way: both of its SIP legs go.
    pub(super) fn end_successor(&mut self, now: Instant, id: CallId, cause: sip::CauseKind) {
        let successor = self.calls.entry(id).and_then(|active| active.successor.as_ref());
        if let Some(invite) = successor.map(|successor| successor.invite) {
            self.sip.command(now, sip::Command::Hangup { invite, cause });
        }
    }
}
