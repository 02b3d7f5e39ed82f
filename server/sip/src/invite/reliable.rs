//! Reliable provisional responses of ours (RFC 3262 3).

use super::{Invite, Phase, Wake, sdp};
use crate::cause::{Cause, CauseKind};
use crate::endpoint::{Core, Event};
use crate::message::{Method, Request, Response};
use crate::transaction::{TransactionId, Wire};
use std::time::{Duration, Instant};

/// The reliable provisional responses of one incoming INVITE, of which one at a time is under way.
///
/// ```text
///               18x                          PRACK
///   Idle ------------------> Sent ---------------------------> Idle
///     ^                       |  T1, then twice as long: again
///     |                       |  another 18x: kept, sent after the PRACK
///     +----2xx, refusal-------+  64*T1: the INVITE is refused with 504
/// ```
#[derive(Default)]
pub(super) struct Reliable {
    /// The CSeq number of the INVITE.
    invite: u32,
    /// The RSeq of the last one; 0 before the first.
    sequence: u32,
    sent: Option<Sent>,
    /// What goes out after the PRACK.
    pub(super) next: Option<(u16, Option<Vec<u8>>)>,
    /// Where our answer to the INVITE's offer stands, or our offer where it has none.
    described: Described,
}

/// Whether a reliable response has carried our answer, or offer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Described {
    #[default]
    No,
    Sent,
    Acknowledged,
}

struct Sent {
    /// The INVITE's, which knows where it goes by now.
    transaction: TransactionId,
    octets: Vec<u8>,
    pause: Duration,
}

impl Reliable {
    /// None yet, of the INVITE of this number.
    pub(super) fn of(invite: u32) -> Self {
        Reliable { invite, ..Reliable::default() }
    }

    /// Whether one is under way.
    pub(super) fn is_sent(&self) -> bool {
        self.sent.is_some()
    }

    /// Whether our answer is with the caller or on its way: no other response carries it.
    pub(super) fn is_described(&self) -> bool {
        self.described != Described::No
    }

    /// Whether the caller has our answer, so that new offers may be made (RFC 3311 5.1).
    pub(super) fn is_agreed(&self) -> bool {
        self.described == Described::Acknowledged
    }

    /// Whether a 2xx must wait (RFC 3262 3).
    pub(super) fn holds_answer(&self) -> bool {
        self.sent.is_some() && self.described == Described::Sent
    }

    /// The RSeq of the next one.
    pub(super) fn number(&mut self, core: &mut Core) -> u32 {
        // The first is from 1 to 2^31 - 1; a small one leaves room (RFC 3262 3).
        self.sequence = match self.sequence {
            0 => core.seed.below(10_000) as u32 + 1,
            last => last + 1,
        };
        self.sequence
    }

    /// A PRACK. False: it acknowledges nothing of ours, or the same again.
    fn acknowledge(&mut self, prack: &Request) -> bool {
        let Ok(rack) = prack.headers.rack() else { return false };
        let ours = rack.rseq == self.sequence
            && rack.cseq.number == self.invite
            && rack.cseq.method == Method::Invite;
        if !ours || self.sent.take().is_none() {
            return false;
        }
        if self.described == Described::Sent {
            self.described = Described::Acknowledged;
        }
        true
    }
}

impl Invite {
    /// Sends a provisional response reliably.
    pub(super) fn send_reliable(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        response: &Response,
    ) {
        let t1 = core.settings.timers.t1;
        let octets = response.to_bytes();
        self.reliable.sent = Some(Sent { transaction: id, octets, pause: t1 });
        if !response.body.is_empty() {
            self.reliable.described = Described::Sent;
        }
        core.respond(now, id, response);
        self.timers.set(Wake::RepeatReliable, now + t1);
        self.timers.set(Wake::PrackLost, now + t1 * 64);
    }

    pub(super) fn repeat_reliable(&mut self, core: &mut Core, now: Instant) {
        let Some(sent) = &mut self.reliable.sent else { return };
        let Some(hop) = core.table.server(sent.transaction).map(|server| server.hop) else {
            return;
        };
        core.out.resent();
        core.out.send(hop, sent.octets.clone());
        sent.pause *= 2;
        self.timers.set(Wake::RepeatReliable, now + sent.pause);
    }

    /// 64*T1 without PRACK.
    pub(super) fn on_prack_lost(&mut self, core: &mut Core, now: Instant) {
        if matches!(self.phase, Phase::Called(_)) {
            self.refuse(core, now, 504, Cause::timeout());
        }
    }

    /// A PRACK in a dialog that is ours, before the call is taken or just after.
    pub(super) fn on_prack(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        request: &Request,
    ) {
        let offered = matches!(&self.phase, Phase::Called(callee) if !callee.offered)
            && self.reliable.holds_answer();
        if !self.reliable.acknowledge(request) {
            core.answer(now, id, 481);
            return;
        }
        self.timers.clear(Wake::RepeatReliable);
        self.timers.clear(Wake::PrackLost);
        if offered {
            self.on_early_answer(core, now, id, request);
        } else if request.body.is_empty() {
            core.answer(now, id, 200);
        } else {
            self.on_offer(core, now, id, request);
        }
        if let Some((status, sdp)) = self.reliable.next.take() {
            self.ring_with(core, now, status, sdp);
        }
        let held = match &mut self.phase {
            Phase::Called(callee) => callee.held.take(),
            _ => None,
        };
        if let Some(sdp) = held {
            self.answer(core, now, &sdp);
        }
    }

    /// The PRACK of a response with our offer: it brings the answer, or the call is over (RFC 3262
    /// 5, RFC 6337 2.2).
    fn on_early_answer(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        prack: &Request,
    ) {
        match sdp(&prack.headers, &prack.body) {
            Ok(Some(answer)) => {
                core.answer(now, id, 200);
                self.media.theirs.clone_from(&answer);
                core.events.push_back(Event::EarlyAnswered { invite: self.id, sdp: answer });
            }
            other => {
                core.answer(now, id, if other.is_ok() { 400 } else { 415 });
                self.refuse(core, now, 488, Cause::local(CauseKind::NotAcceptable));
            }
        }
    }
}
