//! New offers: re-INVITE, UPDATE and the offer in a PRACK, theirs and ours (RFC 3261 14, RFC 3311,
//! RFC 3262 5). In a call that is up, and before, once the first offer is answered reliably.

use super::refresh::is_too_short;
use super::{Invite, Phase, Role, Wake, put_sdp, sdp};
use crate::cause::{Cause, CauseKind};
use crate::endpoint::core::ALLOW;
use crate::endpoint::{Core, Event};
use crate::limits;
use crate::message::{Method, Name, NameAddr, Request, Response};
use crate::transaction::{TransactionId, User, follower};
use std::time::{Duration, Instant};

/// What is offered and not answered.
///
/// ```text
///   idle --re-INVITE/UPDATE--> theirs pending --AnswerOffer, or 500 after a while--> idle
///   idle --Reoffer-----------> ours pending --2xx, refusal--> idle
///                                   |  491: wait, then again
/// ```
#[derive(Default)]
pub(super) struct Offers {
    /// Their offer, waiting for the shell.
    pub(super) theirs: Option<Theirs>,
    pub(super) ours: Option<Offer>,
    /// An offer of the shell that came while the session was being refreshed.
    next: Option<Vec<u8>>,
}

/// What both sides last agreed on.
#[derive(Default)]
pub(super) struct Media {
    pub(super) ours: Vec<u8>,
    pub(super) theirs: Vec<u8>,
}

/// An offer of the peer.
pub(super) struct Theirs {
    pub(super) transaction: TransactionId,
    sdp: Option<Vec<u8>>,
    /// Whose it is.
    tag: String,
}

/// A new offer of ours.
pub(super) struct Offer {
    sdp: Vec<u8>,
    tries: u8,
    /// Its request is under way, as opposed to waiting after a collision.
    flying: bool,
    /// How often it was put off because something else was open.
    waits: u8,
    cancelled: bool,
    /// It changes nothing: the shell does not know of it (RFC 4028 7.4).
    refresh: bool,
}

impl Offer {
    fn new(sdp: Vec<u8>) -> Self {
        Offer { sdp, tries: 0, flying: false, waits: 0, cancelled: false, refresh: false }
    }

    /// The same SDP again.
    pub(super) fn refresh(sdp: Vec<u8>) -> Self {
        Offer { refresh: true, ..Offer::new(sdp) }
    }
}

/// The offer of a request, if it has one. `Err`: its body or its session interval is none for us,
/// and it is answered so.
pub(crate) fn offer_of(
    core: &mut Core,
    now: Instant,
    id: TransactionId,
    request: &Request,
) -> Result<Option<Vec<u8>>, ()> {
    let offer = sdp(&request.headers, &request.body).inspect_err(|()| {
        core.answer_with(now, id, 415, |response| {
            response.headers.push(Name::Other("Accept".into()), "application/sdp");
        });
    })?;
    if is_too_short(request) {
        core.answer_with(now, id, 422, |response| {
            response.headers.push(Name::MinSe, limits::MIN_SE.to_string());
        });
        return Err(());
    }
    Ok(offer)
}

/// Whether a new offer may be made in a dialog (RFC 3311 5.1, 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ready {
    Yes,
    /// Our offer is not answered.
    OursOpen,
    /// The peer's is not, or a 2xx of ours waits for its ACK.
    TheirsOpen,
}

impl Invite {
    /// How the dialog with the peer of a tag stands.
    fn ready(&mut self, tag: &str) -> Ready {
        match &mut self.phase {
            Phase::Calling(caller) => match caller.forks.iter().find(|fork| fork.tag == tag) {
                Some(fork) if fork.is_agreed() => Ready::Yes,
                _ => Ready::OursOpen,
            },
            Phase::Called(_) if self.reliable.is_agreed() => Ready::Yes,
            Phase::Called(_) => Ready::TheirsOpen,
            Phase::Talking(session) if session.unacknowledged.is_none() => Ready::Yes,
            Phase::Talking(_) | Phase::Closing(_) => Ready::TheirsOpen,
        }
    }

    /// A re-INVITE or UPDATE, or a PRACK with SDP (14.2, RFC 3311 5.2, RFC 3262 5).
    pub(super) fn on_offer(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        request: &Request,
    ) {
        let Ok(offer) = offer_of(core, now, id, request) else { return };
        let from = request.from().ok();
        let tag = from.as_ref().and_then(NameAddr::tag).unwrap_or_default().to_owned();
        let refresh_only = request.method == Method::Update && offer.is_none();
        if !refresh_only {
            let flying = self.offers.ours.as_ref().is_some_and(|ours| ours.flying);
            let ready = if self.offers.theirs.is_some() || self.ended {
                Ready::TheirsOpen
            } else {
                self.ready(&tag)
            };
            match ready {
                Ready::Yes if !flying => {}
                Ready::Yes | Ready::OursOpen => {
                    core.answer(now, id, 491);
                    return;
                }
                Ready::TheirsOpen => {
                    core.answer_later(now, id);
                    return;
                }
            }
        }
        if let Some(dialog) = self.dialog(&tag) {
            dialog.refresh(request.contact());
        }
        if refresh_only {
            self.accept_offer(core, now, id, None);
            return;
        }
        let known = &self.media;
        let same = offer.as_ref().is_some_and(|offer| *offer == known.theirs);
        if same && !known.ours.is_empty() {
            // Nothing changes, so neither does our answer (RFC 4028 7.4, 9).
            let ours = known.ours.clone();
            self.accept_offer(core, now, id, Some(&ours));
            return;
        }
        self.offers.theirs = Some(Theirs { transaction: id, sdp: offer.clone(), tag });
        if request.method == Method::Invite {
            core.answer(now, id, 100);
        }
        self.timers.set(Wake::OfferUnanswered, now + limits::REOFFER_WAIT);
        core.events.push_back(Event::Reoffered { invite: self.id, sdp: offer });
    }

    /// The shell's word on the peer's offer.
    pub(crate) fn answer_offer(
        &mut self,
        core: &mut Core,
        now: Instant,
        sdp: Result<Vec<u8>, u16>,
    ) {
        let Some(theirs) = self.offers.theirs.take() else {
            core.out.counters.refused += 1;
            return;
        };
        let id = theirs.transaction;
        self.timers.clear(Wake::OfferUnanswered);
        match sdp {
            Ok(sdp) => {
                self.changed(&theirs.tag);
                self.media.ours.clone_from(&sdp);
                if let Some(theirs) = theirs.sdp {
                    self.media.theirs = theirs;
                }
                self.accept_offer(core, now, id, Some(&sdp));
            }
            Err(status @ 300..=699) => core.answer(now, id, status),
            Err(_) => core.answer(now, id, 488),
        }
    }

    /// What was first agreed with a fork does not stand any more.
    fn changed(&mut self, tag: &str) {
        if let Phase::Calling(caller) = &mut self.phase
            && let Some(fork) = caller.forks.iter_mut().find(|fork| fork.tag == tag)
        {
            fork.early = super::fork::Early::Changed;
        }
    }

    /// Another phone took the call: an offer of one that did not means nothing any more, and ours
    /// to such a one goes to the one that did.
    pub(super) fn forgo_offer_of_others(&mut self, core: &mut Core, now: Instant, tag: &str) {
        if let Some(theirs) = self.offers.theirs.take_if(|theirs| theirs.tag != tag) {
            self.timers.clear(Wake::OfferUnanswered);
            core.answer(now, theirs.transaction, 487);
        }
        let to_others = |(id, role): &mut (TransactionId, Role)| {
            let to = core.table.client(*id).and_then(|client| client.request.to().ok());
            *role == Role::Update && to.is_none_or(|to| to.tag() != Some(tag))
        };
        let forgone: Vec<_> = self.live.extract_if(.., to_others).collect();
        for (id, _) in &forgone {
            core.table.forget_client(&mut core.out, *id);
        }
        if !forgone.is_empty() && self.offers.ours.is_some() {
            self.lands();
            self.timers.set(Wake::Glare, now);
        }
    }

    fn accept_offer(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        sdp: Option<&[u8]>,
    ) {
        let Some(server) = core.table.server(id) else { return };
        let (request, hop) = (server.request.clone(), server.hop);
        let mut response = core.reply(&request, 200, Some(&self.tag));
        response.headers.push(Name::Contact, core.contact(&self.user, self.quirks, hop));
        response.headers.push(Name::Allow, ALLOW);
        if let Some(sdp) = sdp {
            put_sdp(&mut response.headers, &mut response.body, sdp);
        }
        self.accept_session(now, &request, &mut response);
        core.respond(now, id, &response);
        if request.method == Method::Invite {
            self.await_ack(core, now, id, &response);
        }
    }

    /// The dialog in which an offer of ours can be made now, and its request: UPDATE before the
    /// call is taken, where the peer knows it, re-INVITE after (RFC 3311 5.1).
    fn way(&mut self) -> Option<(String, Method)> {
        let updates = self.reliable.is_agreed();
        match &mut self.phase {
            Phase::Talking(session) => {
                let ready = session.confirmed && session.unacknowledged.is_none();
                ready.then(|| (session.dialog.remote_tag().to_owned(), Method::Invite))
            }
            Phase::Called(callee) => (updates && callee.dialog.peer_updates)
                .then(|| (callee.dialog.remote_tag().to_owned(), Method::Update)),
            Phase::Calling(caller) if !caller.cancelled => {
                // With several phones that agreed it is not known which will take the call.
                let mut agreed = caller.forks.iter().filter(|fork| fork.is_agreed());
                let fork = agreed.next().filter(|_| agreed.next().is_none())?;
                let updates = fork.dialog.as_ref().is_some_and(|dialog| dialog.peer_updates);
                updates.then(|| (fork.tag.clone(), Method::Update))
            }
            Phase::Calling(_) | Phase::Closing(_) => None,
        }
    }

    /// Makes a new offer.
    pub(crate) fn reoffer(&mut self, core: &mut Core, now: Instant, offer: Vec<u8>) {
        if self.offers.ours.as_ref().is_some_and(|ours| ours.refresh) && self.offers.next.is_none()
        {
            self.offers.next = Some(offer);
            return;
        }
        let idle = self.offers.ours.is_none() && self.offers.theirs.is_none();
        if self.ended || !idle || self.way().is_none() {
            core.out.counters.refused += 1;
            if !self.ended {
                let sdp = Err(Cause { status: Some(491), ..Cause::local(CauseKind::Protocol) });
                core.events.push_back(Event::Reanswered { invite: self.id, sdp });
            }
            return;
        }
        self.offers.ours = Some(Offer::new(offer));
        self.send_reoffer(core, now);
    }

    pub(super) fn send_reoffer(&mut self, core: &mut Core, now: Instant) {
        let way = self.way().filter(|_| self.offers.theirs.is_none());
        let Some(ours) = &mut self.offers.ours else { return };
        let Some((tag, method)) = way else {
            // The peer came first after the collision, or the call was just taken; ours goes
            // behind, but not for ever.
            ours.waits = ours.waits.saturating_add(1);
            if ours.waits > limits::OFFER_WAITS {
                self.reanswered(core, now, Err(Cause::timeout()));
            } else {
                self.timers.set(Wake::Glare, now + core.settings.timers.t1);
            }
            return;
        };
        ours.tries += 1;
        ours.flying = true;
        let offer = ours.sdp.clone();
        let user = self.user.clone();
        let Some(dialog) = self.dialog(&tag) else { return };
        let hop = dialog.hop(|ip| core.knows(ip));
        let mut request = dialog.request(method.clone());
        request.headers.push(Name::Contact, core.contact(&user, self.quirks, hop));
        request.headers.push(Name::Allow, ALLOW);
        self.session_timer.renew(&mut request.headers);
        put_sdp(&mut request.headers, &mut request.body, &offer);
        let role = if method == Method::Invite { Role::Reoffer } else { Role::Update };
        if role == Role::Reoffer {
            self.timers.set(Wake::ReofferLate, now + limits::REOFFER_PATIENCE);
        }
        if self.send(core, now, request, hop, role).is_none() {
            self.reanswered(core, now, Err(Cause::local(CauseKind::Overloaded)));
        }
    }

    fn reanswered(&mut self, core: &mut Core, now: Instant, sdp: Result<Vec<u8>, Cause>) {
        let Some(ours) = self.offers.ours.take() else { return };
        self.timers.clear(Wake::ReofferLate);
        let mut changed = !ours.refresh;
        match &sdp {
            Ok(theirs) => {
                changed |= *theirs != self.media.theirs;
                self.media = Media { ours: ours.sdp, theirs: theirs.clone() };
            }
            Err(_) if ours.refresh => self.refresh_later(now),
            Err(_) => {}
        }
        if changed {
            core.events.push_back(Event::Reanswered { invite: self.id, sdp });
        }
        if let Some(next) = self.offers.next.take() {
            self.reoffer(core, now, next);
        }
    }

    /// The peer keeps our re-INVITE ringing: it is cancelled, and then forgotten. In a closed
    /// session it is only forgotten.
    pub(super) fn on_reoffer_late(&mut self, core: &mut Core, now: Instant) {
        let live = self.live.iter().rfind(|(_, role)| *role == Role::Reoffer).map(|live| live.0);
        let patience = now + core.settings.timers.t1 * 64;
        if let Some(ours) = &mut self.offers.ours
            && !std::mem::replace(&mut ours.cancelled, true)
            && let Some(client) = live.and_then(|id| core.table.client(id))
        {
            let (cancel, hop) = (follower(&client.request, Method::Cancel), client.hop);
            if let Some(id) = core.request_as_is(now, cancel, hop, User::Invite(self.id)) {
                self.live.push((id, Role::Cancel));
            }
            self.timers.set(Wake::ReofferLate, patience);
            return;
        }
        for (id, _) in self.live.extract_if(.., |(_, role)| *role == Role::Reoffer) {
            core.table.forget_client(&mut core.out, id);
        }
        self.reanswered(core, now, Err(Cause::timeout()));
    }

    /// A response to our re-INVITE (14.1).
    pub(super) fn on_reoffer_response(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        response: &Response,
    ) {
        match response.status {
            100..=199 => {}
            200..=299 => {
                if self.acknowledge_again(core, id, response) {
                    return;
                }
                let dialog = match &mut self.phase {
                    Phase::Talking(session) => {
                        session.dialog.refresh(response.contact());
                        session.dialog.learn(&response.headers);
                        let dialog = session.dialog.clone();
                        self.session_accepted(now, response);
                        dialog
                    }
                    // Our BYE overtook the answer; the peer still needs the ACK.
                    Phase::Closing(Some(dialog)) => (**dialog).clone(),
                    _ => return,
                };
                let client = core.table.client(id);
                let Some(ack) = client.and_then(|client| dialog.ack(&client.request)) else {
                    return;
                };
                self.acknowledge(core, id, &dialog, ack);
                let answer = sdp(&response.headers, &response.body).ok().flatten();
                self.reanswered(core, now, answer.ok_or_else(|| Cause::local(CauseKind::Protocol)));
            }
            491 if self.lands() < limits::GLARE_TRIES => {
                let wait = self.glare_pause(core);
                self.timers.set(Wake::Glare, now + wait);
            }
            422 if self.ask_longer(core, now, id, response, Role::Reoffer).is_some() => {}
            // The peer knows nothing of the call any more (12.2.1.2).
            408 | 481 => self.break_off(core, now, Cause::from_response(response)),
            _ => {
                if self.retry(core, now, id, response, Role::Reoffer).is_none() {
                    self.reanswered(core, now, Err(Cause::from_response(response)));
                }
            }
        }
    }

    /// A response to our UPDATE (RFC 3311 5.1).
    pub(super) fn on_update_response(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        response: &Response,
    ) {
        let to = response.to().ok();
        let tag = to.as_ref().and_then(NameAddr::tag).unwrap_or_default();
        match response.status {
            100..=199 => {}
            200..=299 => {
                let answer = sdp(&response.headers, &response.body).ok().flatten();
                if let Some(dialog) = self.dialog(tag) {
                    dialog.refresh(response.contact());
                    dialog.learn(&response.headers);
                }
                if answer.is_some() {
                    self.changed(tag);
                }
                self.session_accepted(now, response);
                self.reanswered(core, now, answer.ok_or_else(|| Cause::local(CauseKind::Protocol)));
            }
            491 if self.lands() < limits::GLARE_TRIES => {
                let wait = self.glare_pause(core);
                self.timers.set(Wake::Glare, now + wait);
            }
            422 if self.ask_longer(core, now, id, response, Role::Update).is_some() => {}
            401 | 407 if self.retry(core, now, id, response, Role::Update).is_some() => {}
            408 | 481 => self.on_update_lost(core, now, Cause::from_response(response)),
            _ => self.reanswered(core, now, Err(Cause::from_response(response))),
        }
    }

    /// The peer knows nothing of the dialog of our UPDATE any more. Before the call is taken that
    /// is the affair of one phone among others; the INVITE has its own end.
    pub(super) fn on_update_lost(&mut self, core: &mut Core, now: Instant, cause: Cause) {
        match &self.phase {
            Phase::Talking(_) => self.break_off(core, now, cause),
            _ => self.reanswered(core, now, Err(cause)),
        }
    }

    /// Our offer came to nothing for now; how often it was sent.
    fn lands(&mut self) -> u8 {
        match &mut self.offers.ours {
            Some(ours) => {
                ours.flying = false;
                self.timers.clear(Wake::ReofferLate);
                ours.tries
            }
            None => u8::MAX,
        }
    }

    /// 2.1 to 4 s for the owner of the Call-ID, 0 to 2 s for the other, in steps of 10 ms (14.1).
    pub(super) fn glare_pause(&mut self, core: &mut Core) -> Duration {
        let owner = match &self.phase {
            Phase::Talking(session) => session.caller,
            phase => matches!(phase, Phase::Calling(_)),
        };
        let steps = match owner {
            true => 210 + core.seed.below(191),
            false => core.seed.below(201),
        };
        Duration::from_millis(steps * 10)
    }
}
