//! Transfers that the peer asks for: its REFER, and what we report of it (RFC 3515).

use super::{Invite, Phase, Role, Wake};
use crate::cause::Cause;
use crate::endpoint::{Core, Event, InviteId};
use crate::limits;
use crate::message::{Method, Name, NameAddr, Request, Response, Scheme, Uri, reason_phrase};
use crate::replaces::Replaces;
use crate::transaction::TransactionId;
use std::time::Instant;

/// A wish of the peer that we call somebody else instead of it.
///
/// ```text
///            REFER             FollowReferral: 202, NOTIFY 100
///   Idle -----------> Asked -----------------------------------> Followed
///     ^                 |  RefuseReferral, or 603 after a while     |  1xx: NOTIFY
///     +-----------------+--------------------final: the last NOTIFY-+
/// ```
///
/// Reports end with the call in whose dialog they are made.
#[derive(Default)]
pub(super) enum Referral {
    /// None.
    #[default]
    Idle,
    /// The shell has to decide.
    Asked(TransactionId, Box<Wish>),
    /// A new call is under way.
    Followed(Reports),
}

/// What the peer wants.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    /// Who is to be called, without header fields.
    pub(crate) target: Uri,
    pub(crate) replaces: Option<Replaces>,
    /// The Referred-By header field for the new INVITE (RFC 3892).
    pub(crate) referred_by: Option<NameAddr>,
    /// The number of the REFER, which names the subscription (RFC 3515 2.4.6).
    number: u32,
    /// It wants no reports (RFC 4488).
    silent: bool,
}

/// Reports to the peer: one NOTIFY at a time.
pub(super) struct Reports {
    number: u32,
    silent: bool,
    /// The NOTIFY under way.
    sent: Option<TransactionId>,
    /// The next status; a later one takes its place.
    next: Option<u16>,
}

/// Reads a REFER; the status that refuses it.
fn wish(request: &Request) -> Result<Wish, u16> {
    if request.headers.count(&Name::ReferTo) != 1 {
        return Err(400);
    }
    let to = request.headers.get(&Name::ReferTo).and_then(NameAddr::parse).ok_or(400u16)?;
    let mut target = to.uri;
    if matches!(target.scheme, Scheme::Other(_)) {
        return Err(416);
    }
    let method = target.params.get("method").unwrap_or("INVITE");
    if !method.eq_ignore_ascii_case("INVITE") {
        return Err(501);
    }
    target.params.remove("method");
    let mut replaces = None;
    // Whatever else the URI wants in our INVITE is not the peer's to say.
    for (name, value) in std::mem::take(&mut target.headers) {
        if name.eq_ignore_ascii_case("Replaces") {
            replaces = Some(Replaces::parse_escaped(&value).ok_or(400u16)?);
        }
    }
    let by = request.headers.get(&Name::ReferredBy);
    let by = by.filter(|by| by.len() <= limits::EXTRA_HEADER_LENGTH).and_then(NameAddr::parse);
    let sub = request.headers.get(&Name::ReferSub);
    Ok(Wish {
        target,
        replaces,
        referred_by: by,
        number: request.cseq().map(|cseq| cseq.number).map_err(|_| 400u16)?,
        silent: sub.is_some_and(|value| value.trim().eq_ignore_ascii_case("false")),
    })
}

/// The status that refuses a REFER for what it says (RFC 3515 2.4.2).
pub(crate) fn misread(request: &Request) -> Option<u16> {
    wish(request).err()
}

impl Invite {
    /// A REFER inside the call.
    pub(super) fn on_refer(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        request: &Request,
    ) {
        let confirmed = matches!(&self.phase, Phase::Talking(session) if session.confirmed);
        if self.ended || !confirmed || !matches!(self.referral, Referral::Idle) {
            core.answer(now, id, 491);
            return;
        }
        match wish(request) {
            Ok(wish) => {
                core.events.push_back(Event::Referred {
                    invite: self.id,
                    target: wish.target.clone(),
                    attended: wish.replaces.is_some(),
                    referred_by: wish.referred_by.clone(),
                });
                self.referral = Referral::Asked(id, Box::new(wish));
                self.timers.set(Wake::ReferralUndecided, now + limits::REOFFER_WAIT);
            }
            Err(status) => core.answer(now, id, status),
        }
    }

    /// The shell does not follow.
    pub(crate) fn refuse_referral(&mut self, core: &mut Core, now: Instant, status: u16) {
        match std::mem::take(&mut self.referral) {
            Referral::Asked(id, _) => {
                self.timers.clear(Wake::ReferralUndecided);
                let status = if (300..700).contains(&status) { status } else { 603 };
                core.answer(now, id, status);
            }
            other => {
                self.referral = other;
                core.out.counters.refused += 1;
            }
        }
    }

    /// The shell follows: what the new call is to be.
    pub(crate) fn follow_referral(&mut self, core: &mut Core, now: Instant) -> Option<Wish> {
        match std::mem::take(&mut self.referral) {
            Referral::Asked(id, wish) => {
                self.timers.clear(Wake::ReferralUndecided);
                core.answer_with(now, id, 202, |response| {
                    if wish.silent {
                        response.headers.push(Name::ReferSub, "false");
                    }
                });
                let (number, silent) = (wish.number, wish.silent);
                let reports = Reports { number, silent, sent: None, next: None };
                self.referral = Referral::Followed(reports);
                self.report(core, now, 100);
                Some(*wish)
            }
            other => {
                self.referral = other;
                core.out.counters.refused += 1;
                None
            }
        }
    }

    /// The new call has come to a status.
    pub(crate) fn report(&mut self, core: &mut Core, now: Instant, status: u16) {
        if let Referral::Followed(reports) = &mut self.referral {
            if reports.silent {
                if status >= 200 {
                    self.referral = Referral::Idle;
                }
                return;
            }
            reports.next = Some(status);
        }
        self.next_report(core, now);
    }

    fn next_report(&mut self, core: &mut Core, now: Instant) {
        let Referral::Followed(reports) = &mut self.referral else { return };
        let Phase::Talking(session) = &mut self.phase else { return };
        if reports.sent.is_some() {
            return;
        }
        let Some(status) = reports.next.take() else { return };
        let over = status >= 200;
        let state = if over { "terminated;reason=noresource" } else { "active;expires=180" };
        let hop = session.dialog.hop(|ip| core.knows(ip));
        let mut request = session.dialog.request(Method::Notify);
        let headers = &mut request.headers;
        headers.push(Name::Contact, core.contact(&self.user, self.quirks, hop));
        headers.push(Name::Event, format!("refer;id={}", reports.number));
        headers.push(Name::SubscriptionState, state);
        headers.push(Name::ContentType, "message/sipfrag;version=2.0");
        request.body = format!("SIP/2.0 {status} {}\r\n", reason_phrase(status)).into_bytes();
        if over {
            self.referral = Referral::Idle;
        }
        let sent = self.send(core, now, request, hop, Role::Notify);
        if let Referral::Followed(reports) = &mut self.referral {
            reports.sent = sent;
        }
    }

    /// The reports that a NOTIFY under way belongs to; none where it was the last of its wish.
    fn reports_of(&mut self, notify: TransactionId) -> Option<&mut Reports> {
        match &mut self.referral {
            Referral::Followed(reports) => Some(reports).filter(|it| it.sent == Some(notify)),
            Referral::Idle | Referral::Asked(..) => None,
        }
    }

    /// A response to our NOTIFY.
    pub(super) fn on_notify_response(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        response: &Response,
    ) {
        let again = match response.status {
            100..=199 => return,
            401 | 407 => self.retry(core, now, id, response, Role::Notify),
            _ => None,
        };
        let Some(reports) = self.reports_of(id) else { return };
        reports.sent = again;
        match response.status {
            _ if again.is_some() => {}
            200..=299 => self.next_report(core, now),
            // Nobody listens any more (RFC 6665 4.2.2).
            _ => self.referral = Referral::Idle,
        }
    }

    /// Nobody answers our NOTIFY.
    pub(super) fn on_notify_lost(&mut self, id: TransactionId) {
        if self.reports_of(id).is_some() {
            self.referral = Referral::Idle;
        }
    }

    /// This call was asked for in another.
    pub(crate) fn set_referrer(&mut self, core: &mut Core, referrer: InviteId) {
        self.referrer = Some(referrer);
        if self.ended {
            self.tell_referrer(core, 503);
        }
    }

    /// Says how far this call has come to the one that it was asked for in.
    pub(super) fn tell_referrer(&mut self, core: &mut Core, status: u16) {
        if let Some(referrer) = self.referrer {
            core.reports.push_back((referrer, status));
            if status >= 200 {
                self.referrer = None;
            }
        }
    }

    /// The status that a report says of an end.
    pub(super) fn status_of(cause: &Cause) -> u16 {
        cause.status.filter(|status| *status >= 300).unwrap_or_else(|| cause.kind.refusal())
    }
}
