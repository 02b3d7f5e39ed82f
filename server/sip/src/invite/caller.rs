//! The caller until the call is taken: INVITE, provisional responses, forks, CANCEL.

use super::fork::{Early, Fork};
use super::offer::Media;
use super::redirect::Redirects;
use super::refresh::SessionTimer;
use super::session::Session;
use super::{Invite, Phase, Role, Wake, put_sdp, sdp};
use crate::cause::{Cause, CauseKind, reason};
use crate::challenge::Challenger;
use crate::dialog::{Dialog, blank, routed};
use crate::endpoint::core::ALLOW;
use crate::endpoint::{Core, Event, InviteId};
use crate::limits;
use crate::message::{Host, Method, Name, NameAddr, Request, Response, Uri};
use crate::quirks::Quirks;
use crate::target::Target;
use crate::transaction::{Hop, TransactionId, User, follower};
use std::collections::VecDeque;
use std::time::Instant;

/// A caller's INVITE.
///
/// ```text
///                     1xx                       1xx
///   heard: no -----------------> heard: yes ----------> Provisional events
///     |  hangup                    |  hangup
///     v                            v
///   cancelled, CANCEL held --1xx-> cancelled, CANCEL sent
///     |  2xx: ACK and BYE          |  2xx: ACK and BYE
///     |  else: done                |  else: done; 64*T1 without any: done
/// ```
///
/// A challenge begins it again with another transaction, as unheard, and so does the next server
/// where one fails (RFC 3263 4.3). What an earlier server says then is too late: its ringing is
/// cancelled, its 2xx gets ACK and BYE.
pub(super) struct Caller {
    transaction: TransactionId,
    /// The server that is asked.
    hop: Option<Hop>,
    heard: bool,
    pub(super) cancelled: bool,
    cancel_sent: bool,
    /// The phones that were heard, in the order in which they were.
    pub(super) forks: Vec<Fork>,
    /// The number of the last of them.
    last_fork: u32,
    /// Where else the call may go.
    others: Option<Box<Others>>,
}

impl Caller {
    /// The way of the server that is asked.
    pub(super) fn way(&self) -> Option<Hop> {
        self.hop
    }
}

/// Servers that were not tried yet, and the INVITE as it was sent last.
struct Others {
    targets: VecDeque<Target>,
    request: Request,
}

/// Everything that an INVITE is made of.
pub(crate) struct Order<'a> {
    pub(crate) id: InviteId,
    /// Our address of record.
    pub(crate) from: NameAddr,
    /// The user part of our Contact.
    pub(crate) user: &'a str,
    pub(crate) destination: Uri,
    pub(crate) targets: Vec<Target>,
    pub(crate) routes: Vec<NameAddr>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) offer: Vec<u8>,
    /// Where the call may be sent elsewhere (3xx).
    pub(crate) hosts: Vec<Host>,
    pub(crate) challenger: Option<Challenger>,
    /// What the provider wants otherwise.
    pub(crate) quirks: Quirks,
}

impl Invite {
    /// Places a call.
    pub(crate) fn place(core: &mut Core, now: Instant, order: Order<'_>) -> Self {
        let tag = core.seed.token(16);
        let call_id = core.seed.token(24);
        let mut rest = VecDeque::from(order.targets);
        let first = rest.pop_front();
        let hop = first.map(|target| core.hop(&target));
        let (uri, routes) = routed(&order.destination, &order.routes);
        let mut request = blank(Method::Invite, uri);
        for route in routes.iter() {
            request.headers.push(Name::Route, route.to_string());
        }
        let redirects = Redirects::new(order.hosts, order.destination.clone());
        let mut from = order.from;
        from.set_tag(&tag);
        request.headers.push(Name::From, from.to_string());
        request.headers.push(Name::To, NameAddr::new(order.destination).to_string());
        request.headers.push(Name::CallId, call_id.clone());
        let number = first_number(core);
        request.headers.push(Name::CSeq, format!("{number} INVITE"));
        if let Some(hop) = hop {
            request.headers.push(Name::Contact, core.contact(order.user, order.quirks, hop));
        }
        request.headers.push(Name::Allow, ALLOW);
        SessionTimer::default().ask(&mut request.headers);
        request.headers.push(Name::Other("Accept".into()), "application/sdp");
        for (name, value) in order.headers {
            request.headers.push(Name::Other(name), value);
        }
        put_sdp(&mut request.headers, &mut request.body, &order.offer);
        order.quirks.shape(&mut request);
        let sent = hop.and_then(|hop| core.request(now, request, hop, User::Invite(order.id)));
        let user = order.user.to_owned();
        let mut invite = Invite {
            challenger: order.challenger,
            quirks: order.quirks,
            top_number: number,
            media: Media { ours: order.offer, theirs: Vec::new() },
            redirects,
            ..Invite::new(order.id, user, call_id, tag, Phase::Closing(None))
        };
        match sent {
            Some(transaction) => {
                invite.live.push((transaction, Role::Invite));
                invite.phase = Phase::Calling(Caller::new(core, transaction, rest));
                invite.be_patient(now);
            }
            None if hop.is_none() => invite.end(core, Cause::local(CauseKind::Unavailable)),
            None => invite.end(core, Cause::local(CauseKind::Overloaded)),
        }
        invite
    }

    /// A response to the INVITE that opens the call.
    pub(super) fn on_invite_response(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        response: &Response,
    ) {
        match (&mut self.phase, response.status) {
            (Phase::Calling(caller), 100..=199) if caller.transaction == id => {
                caller.heard = true;
                self.timers.clear(Wake::NextTarget);
                if caller.cancelled {
                    self.cancel(core, now);
                } else if response.status > 100 {
                    self.on_provisional(core, now, id, response);
                }
            }
            // A server that was given up speaks after all.
            (_, 100..=199) => self.cancel_late(core, now, id),
            (_, 200..=299) => self.on_success(core, now, id, response),
            (Phase::Calling(caller), status) if caller.transaction == id => {
                let next = match status {
                    _ if caller.cancelled => None,
                    401 | 407 => self.retry(core, now, id, response, Role::Invite),
                    300..=399 => self.follow_redirect(core, now, id, response),
                    422 => self.ask_longer(core, now, id, response, Role::Invite),
                    415 | 488 | 606 => self.offer_second(core, now, id),
                    _ => None,
                };
                match next {
                    Some(next) => self.begin_again(core, now, next),
                    None => self.on_opening_failed(core, now, Cause::from_response(response)),
                }
            }
            _ => {}
        }
    }

    /// A 2xx to the INVITE: the call is taken, or one fork too many took it, or it is a repeat.
    fn on_success(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        response: &Response,
    ) {
        if self.acknowledge_again(core, id, response) {
            return;
        }
        let Some(client) = core.table.client(id) else { return };
        let dialog = Dialog::from_response(&client.request, response, client.way());
        let Some(mut dialog) = dialog else { return };
        let Some(ack) = dialog.ack(&client.request) else { return };
        // Other requests may have gone out in its early dialog.
        dialog.local_number = dialog.local_number.max(self.top_number);
        if self.acks.len() > limits::FORKS {
            core.out.counters.overloaded += 1;
            return;
        }
        self.acknowledge(core, id, &dialog, ack);
        let wanted = match &self.phase {
            Phase::Calling(caller) if caller.transaction == id => {
                let wanted = !caller.cancelled;
                if !wanted {
                    // The 2xx won the race against our CANCEL (9.1).
                    self.close(core, now);
                }
                wanted
            }
            // Another fork was kept, the call is over, or an INVITE that was challenged is
            // accepted after all while its successor is under way.
            _ => false,
        };
        if !wanted {
            self.bye(core, now, &mut dialog, Role::ForkBye);
            return;
        }
        let tag = dialog.remote_tag().to_owned();
        let body = sdp(&response.headers, &response.body).ok().flatten();
        let (mut number, mut answer) = (0, Early::Unknown);
        if let Phase::Calling(caller) = &mut self.phase
            && let Some(fork) = caller.fork(&tag)
        {
            number = fork.number;
            answer = std::mem::replace(&mut fork.early, Early::Changed);
            if let Some(early) = &fork.dialog {
                dialog.succeed(early);
            }
        }
        let answer = match (answer, body) {
            (Early::Changed, _) => Some(None),
            (Early::Agreed(sdp), _) | (_, Some(sdp)) | (Early::Previewed(sdp), None) => {
                Some(Some(sdp))
            }
            (Early::Unknown, None) => None,
        };
        match answer {
            Some(sdp) => {
                self.forgo_offer_of_others(core, now, &tag);
                let remote = dialog.remote.clone();
                self.phase = Phase::Talking(Box::new(Session::new(dialog, true)));
                if let Some(sdp) = &sdp {
                    self.media.theirs.clone_from(sdp);
                }
                self.session_accepted(now, response);
                self.tell_referrer(core, 200);
                let event = Event::Answered { invite: self.id, sdp, remote, fork: number };
                core.events.push_back(event);
            }
            None => {
                // Taken without media: nobody could hear anything (RFC 3264 4, 13.2.1).
                self.close(core, now);
                let cause = Cause { status: Some(response.status), ..Cause::local(NO_ANSWER_SDP) };
                self.end(core, cause);
                self.bye(core, now, &mut dialog, Role::ForkBye);
            }
        }
    }

    /// The call depends on another transaction from here on.
    fn begin_again(&mut self, core: &Core, now: Instant, next: TransactionId) {
        if let Phase::Calling(caller) = &mut self.phase {
            *caller = Caller::new(core, next, caller.take_others());
        }
        self.be_patient(now);
    }

    /// Whether a transaction is the one that the call now depends on.
    pub(super) fn is_opening(&self, id: TransactionId) -> bool {
        matches!(&self.phase, Phase::Calling(caller) if caller.transaction == id)
    }

    /// The call failed where it was tried: it goes to the next server, or is over.
    pub(super) fn on_opening_failed(&mut self, core: &mut Core, now: Instant, cause: Cause) {
        if let Phase::Calling(Caller { hop: Some(hop), .. }) = &self.phase
            && cause.tries_next()
        {
            core.shunned.note(now, *hop);
        }
        if cause.tries_next() && self.try_next(core, now) {
            return;
        }
        let cancelled = !matches!(&self.phase, Phase::Calling(caller) if !caller.cancelled);
        // What is said with 6xx is said of every target (8.1.3.4).
        let elsewhere = !cancelled && cause.status.is_none_or(|status| status < 600);
        match elsewhere.then(|| self.try_target(core, now)).flatten() {
            Some(next) => self.begin_again(core, now, next),
            None => {
                self.end(core, cause);
                self.close(core, now);
            }
        }
    }

    /// There is another way than its servers: the last of them has no more patience than the
    /// others had.
    pub(crate) fn hurry(&mut self, now: Instant) {
        self.hurried = true;
        if matches!(&self.phase, Phase::Calling(caller) if !caller.heard && !caller.cancelled) {
            self.be_patient(now);
        }
    }

    /// The server that was asked says nothing.
    pub(super) fn on_silence(&mut self, core: &mut Core, now: Instant) {
        let Phase::Calling(caller) = &self.phase else { return };
        if caller.cancelled {
            return;
        }
        if let Some(hop) = caller.hop {
            core.shunned.note(now, hop);
        }
        if !self.try_next(core, now) && self.hurried {
            // Should one speak after all, it hears CANCEL or BYE.
            self.end(core, Cause::timeout());
            self.close(core, now);
        }
    }

    /// Wakes up in time for the next server, or the next way, where there is one.
    fn be_patient(&mut self, now: Instant) {
        let Phase::Calling(caller) = &self.phase else { return };
        if caller.others.is_some() || self.hurried {
            self.timers.set(Wake::NextTarget, now + limits::TARGET_PATIENCE);
        }
    }

    /// Sends the INVITE to the next server, in a transaction of its own and else as it was (RFC
    /// 3263 4.3). False: there is none, or the call is given up.
    pub(super) fn try_next(&mut self, core: &mut Core, now: Instant) -> bool {
        let Phase::Calling(caller) = &mut self.phase else { return false };
        if caller.cancelled {
            return false;
        }
        let Some(Others { mut targets, mut request }) = caller.others.take().map(|all| *all) else {
            return false;
        };
        let Some(target) = targets.pop_front() else { return false };
        let hop = core.hop(&target);
        request.headers.remove(&Name::Via);
        request.headers.set(Name::Contact, core.contact(&self.user, self.quirks, hop));
        let Some(id) = core.request(now, request, hop, User::Invite(self.id)) else {
            return false;
        };
        self.live.push((id, Role::Invite));
        *caller = Caller::new(core, id, targets);
        self.be_patient(now);
        true
    }

    /// Takes back the INVITE to a server that was given up and rings after all.
    fn cancel_late(&mut self, core: &mut Core, now: Instant, id: TransactionId) {
        let asked = self.late.contains(&id);
        let Some(client) = core.table.client(id).filter(|_| !asked && !self.is_opening(id)) else {
            return;
        };
        let (cancel, hop) = (follower(&client.request, Method::Cancel), client.hop);
        self.late.push(id);
        core.table.give_up(now, &mut core.out, id);
        if let Some(id) = core.request_as_is(now, cancel, hop, User::Invite(self.id)) {
            self.live.push((id, Role::Cancel));
        }
    }

    /// Gives up the INVITE. The CANCEL waits for a first response (9.1).
    pub(super) fn cancel(&mut self, core: &mut Core, now: Instant) {
        let Phase::Calling(caller) = &mut self.phase else { return };
        caller.cancelled = true;
        if !caller.heard || caller.cancel_sent {
            return;
        }
        caller.cancel_sent = true;
        let id = caller.transaction;
        self.timers.set(Wake::CancelGiveUp, now + core.settings.timers.t1 * 64);
        let Some(client) = core.table.client(id) else { return };
        let (mut cancel, hop) = (follower(&client.request, Method::Cancel), client.hop);
        let kind = self.ending.unwrap_or(CauseKind::Normal);
        cancel.headers.push(Name::Reason, reason(kind, false));
        if let Some(id) = core.request_as_is(now, cancel, hop, User::Invite(self.id)) {
            self.live.push((id, Role::Cancel));
        }
    }

    /// The peer never answered the cancelled INVITE finally.
    pub(super) fn give_up_cancelled(&mut self, core: &mut Core, now: Instant) {
        if let Phase::Calling(caller) = &self.phase {
            let id = caller.transaction;
            core.table.forget_client(&mut core.out, id);
            self.live.retain(|(live, _)| *live != id);
            self.close(core, now);
        }
    }

    /// A request in an early dialog of ours.
    pub(super) fn on_fork_request(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        request: &Request,
    ) {
        let from = request.from().ok();
        let tag = from.as_ref().and_then(NameAddr::tag).unwrap_or_default();
        let Phase::Calling(caller) = &mut self.phase else { return };
        let Some(fork) = caller.forks.iter_mut().find(|fork| fork.tag == tag) else {
            core.answer(now, id, 481);
            return;
        };
        if fork.dialog.as_mut().is_some_and(|dialog| !dialog.accepts(request)) {
            core.answer_later(now, id);
            return;
        }
        match request.method {
            Method::Update => self.on_offer(core, now, id, request),
            Method::Info => core.answer(now, id, 200),
            // No callee may do this (15), yet one that does has no use for the call any more.
            Method::Bye => {
                core.answer(now, id, 200);
                caller.forks.retain(|fork| fork.tag != tag);
                if caller.forks.is_empty() {
                    self.end(core, Cause::remote(CauseKind::Declined, &request.headers));
                    self.cancel(core, now);
                }
            }
            _ => core.answer(now, id, 500),
        }
    }
}

/// The kind of end of a call that was taken without SDP.
const NO_ANSWER_SDP: CauseKind = CauseKind::NotAcceptable;

impl Caller {
    fn new(core: &Core, transaction: TransactionId, targets: VecDeque<Target>) -> Self {
        let client = core.table.client(transaction);
        let hop = client.map(|client| client.hop);
        let request = client.filter(|_| !targets.is_empty()).map(|client| client.request.clone());
        Caller {
            others: request.map(|request| Box::new(Others { targets, request })),
            transaction,
            hop,
            heard: false,
            cancelled: false,
            cancel_sent: false,
            forks: Vec::new(),
            last_fork: 0,
        }
    }

    fn take_others(&mut self) -> VecDeque<Target> {
        self.others.take().map(|others| others.targets).unwrap_or_default()
    }

    /// Whether the phone of a tag may still take the call.
    pub(super) fn rings(&self, tag: &str) -> bool {
        let early = |fork: &Fork| fork.tag == tag && fork.is_early();
        !self.cancelled && self.forks.iter().any(early)
    }

    /// The early dialog with the phone of a tag.
    pub(super) fn dialog(&mut self, tag: &str) -> Option<&mut Dialog> {
        self.forks.iter_mut().find(|fork| fork.tag == tag)?.dialog.as_mut()
    }

    /// The fork of a tag, a new one where it was not heard before. None: it has no tag, or there
    /// is no room.
    pub(super) fn fork(&mut self, tag: &str) -> Option<&mut Fork> {
        if tag.is_empty() {
            return None;
        }
        let place = match self.forks.iter().position(|fork| fork.tag == tag) {
            Some(place) => place,
            None if self.forks.len() < limits::FORKS => {
                self.last_fork = self.last_fork.saturating_add(1);
                self.forks.push(Fork::new(tag, self.last_fork));
                self.forks.len() - 1
            }
            None => return None,
        };
        self.forks.get_mut(place)
    }
}

/// A first sequence number: any below 2^31 would do (8.1.1.5), a small one leaves room.
pub(crate) fn first_number(core: &mut Core) -> u32 {
    core.seed.below(10_000) as u32 + 1
}
