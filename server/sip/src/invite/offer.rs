//! New offers in a call that is up: re-INVITE and UPDATE, theirs and ours (RFC 3261 14, RFC 3311).

use super::{Invite, Phase, Role, Wake, put_sdp, sdp};
use crate::cause::{Cause, CauseKind};
use crate::endpoint::core::ALLOW;
use crate::endpoint::{Core, Event};
use crate::limits;
use crate::message::{Method, Name, Request, Response};
use crate::transaction::{TransactionId, User, follower};
use std::time::{Duration, Instant};

/// A new offer of ours.
///
/// ```text
///   offers, in the confirmed state:
///     idle --re-INVITE/UPDATE--> theirs pending --AnswerOffer, or 500 after a while--> idle
///     idle --Reoffer-----------> ours pending --2xx, refusal--> idle
///                                     |  491: wait, then again
/// ```
pub(super) struct Offer {
    sdp: Vec<u8>,
    tries: u8,
    /// Its re-INVITE is under way, as opposed to waiting after a collision.
    flying: bool,
    cancelled: bool,
}

impl Invite {
    /// A re-INVITE or UPDATE (14.2, RFC 3311 5.2).
    pub(super) fn on_offer(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        request: &Request,
    ) {
        let (invite, ended) = (self.id, self.ended);
        let Some(session) = self.session() else { return };
        let offer = match sdp(&request.headers, &request.body) {
            Ok(offer) => offer,
            Err(()) => {
                core.answer_with(now, id, 415, |response| {
                    response.headers.push(Name::Other("Accept".into()), "application/sdp");
                });
                return;
            }
        };
        if session.theirs.is_some() || session.unacknowledged.is_some() || ended {
            core.answer_later(now, id);
            return;
        }
        let refresh_only = request.method == Method::Update && offer.is_none();
        if session.ours.as_ref().is_some_and(|ours| ours.flying) && !refresh_only {
            core.answer(now, id, 491);
            return;
        }
        session.dialog.refresh(request.contact());
        if refresh_only {
            self.accept_offer(core, now, id, None);
            return;
        }
        session.theirs = Some(id);
        if request.method == Method::Invite {
            core.answer(now, id, 100);
        }
        self.timers.set(Wake::OfferUnanswered, now + limits::REOFFER_WAIT);
        core.events.push_back(Event::Reoffered { invite, sdp: offer });
    }

    /// The shell's word on the peer's offer.
    pub(crate) fn answer_offer(
        &mut self,
        core: &mut Core,
        now: Instant,
        sdp: Result<Vec<u8>, u16>,
    ) {
        let Some(id) = self.session().and_then(|session| session.theirs.take()) else {
            core.out.counters.refused += 1;
            return;
        };
        self.timers.clear(Wake::OfferUnanswered);
        match sdp {
            Ok(sdp) => self.accept_offer(core, now, id, Some(&sdp)),
            Err(status @ 300..=699) => core.answer(now, id, status),
            Err(_) => core.answer(now, id, 488),
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
        response.headers.push(Name::Contact, core.contact(&self.user, hop));
        response.headers.push(Name::Allow, ALLOW);
        if let Some(sdp) = sdp {
            put_sdp(&mut response.headers, &mut response.body, sdp);
        }
        core.respond(now, id, &response);
        if request.method == Method::Invite {
            self.await_ack(core, now, id, &response);
        }
    }

    /// Makes a new offer.
    pub(crate) fn reoffer(&mut self, core: &mut Core, now: Instant, offer: Vec<u8>) {
        let ready = !self.ended
            && self.session().is_some_and(|session| {
                session.confirmed
                    && session.ours.is_none()
                    && session.theirs.is_none()
                    && session.unacknowledged.is_none()
            });
        if !ready {
            core.out.counters.refused += 1;
            if !self.ended {
                let sdp = Err(Cause { status: Some(491), ..Cause::local(CauseKind::Protocol) });
                core.events.push_back(Event::Reanswered { invite: self.id, sdp });
            }
            return;
        }
        if let Some(session) = self.session() {
            session.ours = Some(Offer { sdp: offer, tries: 0, flying: false, cancelled: false });
        }
        self.send_reoffer(core, now);
    }

    pub(super) fn send_reoffer(&mut self, core: &mut Core, now: Instant) {
        let user = self.user.clone();
        let Some(session) = self.session() else { return };
        let busy = session.theirs.is_some() || session.unacknowledged.is_some();
        let Some(ours) = &mut session.ours else { return };
        if busy {
            // The peer came first after the collision; ours goes behind.
            self.timers.set(Wake::Glare, now + core.settings.timers.t1);
            return;
        }
        ours.tries += 1;
        ours.flying = true;
        let offer = ours.sdp.clone();
        self.timers.set(Wake::ReofferLate, now + limits::REOFFER_PATIENCE);
        let Some(session) = self.session() else { return };
        let hop = session.dialog.hop(|ip| core.knows(ip));
        let mut request = session.dialog.request(Method::Invite);
        request.headers.push(Name::Contact, core.contact(&user, hop));
        request.headers.push(Name::Allow, ALLOW);
        put_sdp(&mut request.headers, &mut request.body, &offer);
        if self.send(core, now, request, hop, Role::Reoffer).is_none() {
            self.reanswered(core, Err(Cause::local(CauseKind::Overloaded)));
        }
    }

    fn reanswered(&mut self, core: &mut Core, sdp: Result<Vec<u8>, Cause>) {
        let invite = self.id;
        if let Some(session) = self.session() {
            session.ours = None;
            self.timers.clear(Wake::ReofferLate);
            core.events.push_back(Event::Reanswered { invite, sdp });
        }
    }

    /// The peer keeps our re-INVITE ringing: it is cancelled, and then forgotten. In a closed
    /// session it is only forgotten.
    pub(super) fn on_reoffer_late(&mut self, core: &mut Core, now: Instant) {
        let live = self.live.iter().rfind(|(_, role)| *role == Role::Reoffer).map(|live| live.0);
        let patience = now + core.settings.timers.t1 * 64;
        if let Some(session) = self.session()
            && let Some(ours) = &mut session.ours
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
        self.reanswered(core, Err(Cause::timeout()));
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
                let Some(request) = core.table.client(id).map(|client| client.request.clone())
                else {
                    return;
                };
                let dialog = match &mut self.phase {
                    Phase::Talking(session) => {
                        session.dialog.refresh(response.contact());
                        session.dialog.clone()
                    }
                    // Our BYE overtook the answer; the peer still needs the ACK.
                    Phase::Closing(Some(dialog)) => (**dialog).clone(),
                    _ => return,
                };
                self.acknowledge(core, id, &dialog, &request);
                let answer = sdp(&response.headers, &response.body).ok().flatten();
                self.reanswered(core, answer.ok_or_else(|| Cause::local(CauseKind::Protocol)));
            }
            491 if self.lands() < limits::GLARE_TRIES => {
                let wait = self.glare_pause(core);
                self.timers.set(Wake::Glare, now + wait);
            }
            // The peer knows nothing of the call any more (12.2.1.2).
            408 | 481 => self.break_off(core, now, Cause::from_response(response)),
            _ => {
                if self.retry(core, now, id, response, Role::Reoffer).is_none() {
                    self.reanswered(core, Err(Cause::from_response(response)));
                }
            }
        }
    }

    /// Our re-INVITE came to nothing for now; how often it was sent.
    fn lands(&mut self) -> u8 {
        match self.session().and_then(|session| session.ours.as_mut()) {
            Some(ours) => {
                let tries = ours.tries;
                ours.flying = false;
                self.timers.clear(Wake::ReofferLate);
                tries
            }
            None => u8::MAX,
        }
    }

    /// 2.1 to 4 s for the owner of the Call-ID, 0 to 2 s for the other, in steps of 10 ms (14.1).
    fn glare_pause(&mut self, core: &mut Core) -> Duration {
        let owner = self.session().is_some_and(|session| session.caller);
        let steps = match owner {
            true => 210 + core.seed.below(191),
            false => core.seed.below(201),
        };
        Duration::from_millis(steps * 10)
    }
}
