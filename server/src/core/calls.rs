//! The calls of one shard, and which of them wants to be woken when.

use crate::legs::browser::PageDigits;
use crate::legs::trunk::Description;
use crate::net::{Pair, PortId};
use base::{AccountId, CallId, LinkId, Private};
use bridge::Bridge;
use call::Call;
use rtmfp::SessionId;
use rtp::StreamEnd;
use signalling::{CallState, Direction, QualityReport};
use sip::InviteId;
use std::collections::{BTreeSet, HashMap};
use std::time::Instant;
use webrtc::PeerId;

use super::failover::{Again, Others};
use super::hold::Hold;
use super::rows::Facts;

/// The visitor's media of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisitorLeg {
    /// A browser's WebRTC.
    Browser(PeerId),
    /// A Flash client's streams.
    Flash {
        /// The client.
        session: SessionId,
        /// The client's number for the call.
        call: u32,
    },
    /// Closed, or not there yet.
    Gone,
}

impl VisitorLeg {
    /// The browser's media, where it is one.
    pub fn browser(&self) -> Option<PeerId> {
        match self {
            VisitorLeg::Browser(peer) => Some(*peer),
            VisitorLeg::Flash { .. } | VisitorLeg::Gone => None,
        }
    }

    /// Takes the leg out, so that it is closed once.
    pub fn take(&mut self) -> VisitorLeg {
        std::mem::replace(self, VisitorLeg::Gone)
    }
}

/// The far party of a call, as its page is told of it.
#[derive(Clone, Debug)]
pub struct Party {
    /// Who called.
    pub direction: Direction,
    /// Its address; empty where it is the shop's own affair.
    pub uri: Private<String>,
    /// Its name; empty where it has none.
    pub display_name: Private<String>,
}

impl Party {
    /// The destination of a page's own call: a button's is the shop's secret, and whoever gave an
    /// address knows it.
    pub fn called() -> Party {
        Party {
            direction: Direction::Out,
            uri: Private::default(),
            display_name: Private::default(),
        }
    }
}

/// One call with everything that belongs to it on this shard.
pub struct ActiveCall {
    /// Its number.
    pub id: CallId,
    /// The page that called.
    pub link: LinkId,
    /// The page's own number for it.
    pub page_call: u32,
    /// Button name, empty for page-supplied accounts.
    pub button: String,
    /// The account that calls or is called.
    pub account: AccountId,
    /// The far party, as the page may know it.
    pub party: Party,
    /// What decides.
    pub call: Call,
    /// The visitor's media.
    pub visitor: VisitorLeg,
    /// The SIP leg. Its number is that of the call, until the call goes another way or its far end moves.
    pub invite: InviteId,
    /// Where a transfer leads.
    pub successor: Option<Box<Successor>>,
    /// How often a transfer was followed.
    pub transfers: u8,
    /// Other ways out, for as long as nothing rings; none once the call is taken.
    pub others: Option<Box<Others>>,
    /// INVITEs sent after the first one.
    invites: u64,
    /// What we say of our media.
    pub description: Description,
    /// Our offer, which the provider's answers refer to.
    pub offer: sdp::Offer,
    /// The RTP end towards the provider.
    pub stream: StreamEnd,
    /// Its ports.
    pub pair: Pair,
    /// What carries the sound.
    pub bridge: Bridge,
    /// Our answer to the provider's offer, for when the visitor takes a call that came in.
    pub answer: Option<Vec<u8>>,
    /// How to ask once more, where the provider may refuse our offer for its encryption; none once the
    /// call is taken.
    pub again: Option<Box<Again>>,
    /// What was negotiated with the provider.
    pub negotiated: Option<sdp::Negotiated>,
    /// Whether the phone is on hold.
    pub hold: Hold,
    /// Whether our answer to the phone has no ACK yet: until then SIP takes no new offer, no REFER.
    pub unacknowledged: bool,
    /// Where the phone was asked to go, while it has not said what came of it.
    pub sent_to: Option<SentTo>,
    /// When we leave a call whose phone talks to somebody else by now.
    pub left_at: Option<Instant>,
    /// Telephone events from the browser.
    pub digits: PageDigits,
    /// What the browser said of what it hears.
    pub report: QualityReport,
    /// When the quality light is looked at again.
    pub quality_at: Instant,
    /// What the call log will say.
    pub facts: Facts,
    /// The deadline that stands among those of all calls.
    armed_at: Option<Instant>,
}

/// Whom a phone was asked to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentTo {
    /// An address.
    Address,
    /// The phone of another call, in our place.
    Call(CallId),
}

/// The SIP leg that a call is about to have instead of its own.
#[derive(Clone, Debug)]
pub struct Successor {
    /// Its number.
    pub invite: InviteId,
    /// What we say of our media there.
    pub description: Description,
    /// What we offered there.
    pub offer: sdp::Offer,
    /// The same without encryption, for where that is refused.
    pub plain: Option<(Description, sdp::Offer)>,
    /// The former leg is over already.
    pub alone: bool,
}

impl std::fmt::Debug for ActiveCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ActiveCall({:?}, {:?})", self.id, self.call.state())
    }
}

impl ActiveCall {
    /// The number of the next INVITE of this call, which takes the place of the last one: that
    /// number is not free before its transaction is over.
    pub(super) fn next_invite(&mut self, id: CallId) -> InviteId {
        self.invites += 1;
        self.invite = super::failover::invite_after(id, self.invites);
        self.invite
    }
}

/// What a new call brings along.
pub struct NewCall {
    /// See [`ActiveCall`].
    pub link: LinkId,
    /// See [`ActiveCall`].
    pub page_call: u32,
    /// See [`ActiveCall`].
    pub button: String,
    /// See [`ActiveCall`].
    pub account: AccountId,
    /// See [`ActiveCall`].
    pub party: Party,
    /// See [`ActiveCall`].
    pub call: Call,
    /// See [`ActiveCall`].
    pub description: Description,
    /// See [`ActiveCall`].
    pub offer: sdp::Offer,
    /// See [`ActiveCall`].
    pub stream: StreamEnd,
    /// See [`ActiveCall`].
    pub pair: Pair,
    /// See [`ActiveCall`].
    pub bridge: Bridge,
    /// See [`ActiveCall`].
    pub quality_at: Instant,
    /// See [`ActiveCall`].
    pub facts: Facts,
}

impl ActiveCall {
    /// The soonest deadline of any of its machines.
    fn deadline(&self) -> Instant {
        let mut soonest = self.quality_at;
        let others = [
            self.call.poll_timeout(),
            self.bridge.poll_timeout(),
            self.stream.poll_timeout(),
            self.digits.poll_timeout(),
            self.hold.poll_timeout(),
            self.left_at,
        ];
        for at in others.into_iter().flatten() {
            soonest = soonest.min(at);
        }
        soonest
    }

    /// Whether it has come in and rings at a page, whose browser has no part in it yet.
    pub fn waits_for_answer(&self) -> bool {
        self.answer.is_some() && self.call.state() == CallState::Ringing
    }

    /// Whether the far end should be heard by now.
    pub fn is_talking(&self) -> bool {
        self.call.state() == CallState::Active
    }
}

/// The calls of one shard.
#[derive(Debug, Default)]
pub struct Calls {
    /// Boxed: a table has room for more than it holds, and a call is large.
    table: HashMap<CallId, Box<ActiveCall>>,
    by_page: HashMap<(LinkId, u32), CallId>,
    by_port: HashMap<PortId, CallId>,
    /// The calls of SIP legs that have another number than their call.
    by_invite: HashMap<InviteId, CallId>,
    /// One entry for each call: its `armed_at`.
    deadlines: BTreeSet<(Instant, CallId)>,
    next: u64,
}

impl Calls {
    /// The number of the next call, which names its peer and its invite too.
    pub fn next_id(&mut self) -> CallId {
        self.next += 1;
        CallId(self.next)
    }

    /// The highest number that was given away before, by a program that is gone.
    pub fn count_from(&mut self, newest: u64) {
        // Numbers of SIP's own, for calls that come in, are above.
        self.next = newest.min(InviteId::INCOMING / 2);
    }

    /// Adds a call under a number of [`Calls::next_id`].
    pub fn insert(&mut self, id: CallId, new: NewCall) {
        self.by_page.insert((new.link, new.page_call), id);
        self.by_port.insert(new.pair.rtp, id);
        self.by_port.insert(new.pair.rtcp, id);
        let active = ActiveCall {
            id,
            link: new.link,
            page_call: new.page_call,
            button: new.button,
            account: new.account,
            party: new.party,
            call: new.call,
            visitor: VisitorLeg::Gone,
            invite: InviteId(id.0),
            successor: None,
            transfers: 0,
            others: None,
            invites: 0,
            description: new.description,
            offer: new.offer,
            stream: new.stream,
            pair: new.pair,
            bridge: new.bridge,
            answer: None,
            again: None,
            negotiated: None,
            hold: Hold::default(),
            unacknowledged: false,
            sent_to: None,
            left_at: None,
            digits: PageDigits::default(),
            report: QualityReport::default(),
            quality_at: new.quality_at,
            facts: new.facts,
            armed_at: None,
        };
        self.table.insert(id, Box::new(active));
        self.rearm(id);
    }

    /// Takes a call out.
    pub fn remove(&mut self, id: CallId) -> Option<Box<ActiveCall>> {
        let active = self.table.remove(&id)?;
        self.by_page.remove(&(active.link, active.page_call));
        self.by_port.remove(&active.pair.rtp);
        self.by_port.remove(&active.pair.rtcp);
        self.by_invite.retain(|_, of| *of != id);
        if let Some(at) = active.armed_at {
            self.deadlines.remove(&(at, id));
        }
        Some(active)
    }

    /// One call.
    pub fn entry(&mut self, id: CallId) -> Option<&mut ActiveCall> {
        self.table.get_mut(&id).map(Box::as_mut)
    }

    /// The call of a SIP leg, which need not be its leg any more.
    pub fn of_invite(&self, invite: InviteId) -> CallId {
        self.by_invite.get(&invite).copied().unwrap_or_else(|| super::failover::call_of(invite))
    }

    /// A SIP leg is a call's, which has another number.
    pub fn moved(&mut self, id: CallId, invite: InviteId) {
        self.by_invite.insert(invite, id);
    }

    /// A call is about to get another SIP leg.
    pub fn set_successor(&mut self, id: CallId, successor: Successor) {
        self.moved(id, successor.invite);
        if let Some(active) = self.entry(id) {
            active.successor = Some(Box::new(successor));
        }
    }

    /// The leg that a call was about to get, where it is this one.
    pub fn take_successor(&mut self, id: CallId, invite: InviteId) -> Option<Box<Successor>> {
        self.entry(id)?.successor.take_if(|successor| successor.invite == invite)
    }

    /// The call of a page's number.
    pub fn by_page(&self, link: LinkId, page_call: u32) -> Option<CallId> {
        self.by_page.get(&(link, page_call)).copied()
    }

    /// The call of a port.
    pub fn by_port(&self, port: PortId) -> Option<CallId> {
        self.by_port.get(&port).copied()
    }

    /// The calls of a page, the oldest first.
    pub fn of_link(&self, link: LinkId) -> Vec<CallId> {
        let found = self.by_page.iter().filter(|((of, _), _)| *of == link);
        let mut found: Vec<CallId> = found.map(|(_, id)| *id).collect();
        found.sort_unstable();
        found
    }

    /// All calls, the oldest first.
    pub fn ids(&self) -> Vec<CallId> {
        let mut ids: Vec<CallId> = self.table.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Moves a call's entry among the deadlines to where it is due sooner. One that is due later
    /// stays: deadlines mostly move away, and one idle look costs less than moving each time.
    pub fn rearm(&mut self, id: CallId) {
        let Some(active) = self.table.get_mut(&id) else { return };
        let at = active.deadline();
        if active.armed_at.is_some_and(|armed| armed <= at) {
            return;
        }
        if let Some(armed) = active.armed_at.replace(at) {
            self.deadlines.remove(&(armed, id));
        }
        self.deadlines.insert((at, id));
    }

    /// The soonest deadline; it may be one that was moved since, which costs one idle look.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// A call whose deadline has come.
    pub fn expired(&mut self, now: Instant) -> Option<CallId> {
        let (at, id) = *self.deadlines.first()?;
        if at > now {
            return None;
        }
        self.deadlines.pop_first();
        let active = self.table.get_mut(&id)?;
        active.armed_at = None;
        Some(id)
    }

    /// The same, only to look at.
    pub fn get(&self, id: CallId) -> Option<&ActiveCall> {
        self.table.get(&id).map(Box::as_ref)
    }

    /// All calls, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &ActiveCall> {
        self.table.values().map(Box::as_ref)
    }

    /// Whether the tables agree and every deadline is one call's.
    #[cfg(test)]
    pub fn verify(&self) -> Result<(), String> {
        let (calls, deadlines) = (self.table.len(), self.deadlines.len());
        let (pages, ports) = (self.by_page.len(), self.by_port.len());
        if (deadlines, pages, ports) != (calls, calls, 2 * calls) {
            return Err(format!(
                "{calls} calls: {deadlines} deadlines, {pages} pages, {ports} ports"
            ));
        }
        for (id, active) in &self.table {
            let armed = active.armed_at.filter(|at| self.deadlines.contains(&(*at, *id)));
            if armed.is_none_or(|at| at > active.deadline()) {
                let of = [
                    active.call.poll_timeout(),
                    active.bridge.poll_timeout(),
                    active.stream.poll_timeout(),
                    active.digits.poll_timeout(),
                ];
                let late = of.map(|at| active.armed_at.zip(at).map(|(armed, at)| armed - at));
                return Err(format!("{id:?} will be woken late for one of its machines: {late:?}"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Hold;

    #[test]
    fn a_visitor_in_haste_makes_one_offer_at_a_time_and_the_last_wish_is_told() {
        let mut hold = Hold::default();
        assert!(hold.wants(true));
        assert_eq!(hold.offers(), Some(true));
        assert!(!hold.wants(true), "so it is already");
        assert!(hold.wants(false));
        assert_eq!(hold.offers(), None, "the first offer is not answered");
        hold.answered();
        assert_eq!(hold.offers(), Some(false));
        hold.answered();
        assert_eq!(hold.offers(), None);
        assert!(hold.wants(true) && hold.offers() == Some(true));
        hold.moved();
        assert_eq!(hold.offers(), Some(true), "another phone is told anew");
    }
}
