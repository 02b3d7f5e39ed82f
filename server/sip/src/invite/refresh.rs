//! Session timers (RFC 4028): a call whose end got lost is found out and ended.

use super::offer::Offer;
use super::{Invite, Phase, Role, Wake};
use crate::cause::Cause;
use crate::endpoint::Core;
use crate::endpoint::core::SUPPORTED;
use crate::limits;
use crate::message::{Headers, Method, Name, Request, Response};
use crate::transaction::TransactionId;
use std::time::{Duration, Instant};

/// The session timer of one dialog.
///
/// ```text
///             2xx with Session-Expires                2xx with Session-Expires: from now on
///   Idle -----------------------------> Running <-------------------------------+
///     ^                                  | | half of it, where it is our part: refresh (UPDATE,
///     +----2xx without------------------+  |   or re-INVITE with the same SDP)
///                                          | a little before its end: BYE
/// ```
#[derive(Default)]
pub(super) struct SessionTimer {
    running: Option<Running>,
    /// The largest Min-SE that was heard, in seconds; 0: none.
    floor: u32,
    /// How often it was raised in vain.
    raised: u8,
}

#[derive(Clone, Copy)]
struct Running {
    /// In seconds.
    interval: u32,
    /// Whether refreshing is our part.
    ours: bool,
}

/// Whether a message says that its sender knows session timers.
fn knows(headers: &Headers) -> bool {
    headers.has_token(&Name::Supported, "timer")
}

/// Who is to refresh, in the words of the message: the sender of the request (`uac`), or not.
fn by_uac(headers: &Headers) -> Option<bool> {
    let value = headers.get(&Name::SessionExpires)?;
    let mut params = value.split(';').skip(1).filter_map(|param| param.split_once('='));
    let (_, role) = params.find(|(name, _)| name.trim().eq_ignore_ascii_case("refresher"))?;
    Some(role.trim().eq_ignore_ascii_case("uac"))
}

/// Whether a request asks for an interval too short for us, from a peer that can ask for another:
/// it gets 422 (RFC 4028 9).
pub(super) fn is_too_short(request: &Request) -> bool {
    let asked = request.headers.seconds(&Name::SessionExpires);
    asked.is_some_and(|asked| asked < limits::MIN_SE) && knows(&request.headers)
}

impl SessionTimer {
    /// Writes what the INVITE that opens a call asks for.
    pub(super) fn ask(&self, headers: &mut Headers) {
        headers.set(Name::Supported, SUPPORTED);
        let interval = limits::SESSION_EXPIRES.max(self.floor);
        headers.set(Name::SessionExpires, interval.to_string());
        self.put_floor(headers);
    }

    /// Writes what a new request in the dialog says: the timer stays as it is (7.4).
    pub(super) fn renew(&self, headers: &mut Headers) {
        headers.set(Name::Supported, SUPPORTED);
        if let Some(running) = self.running {
            let interval = running.interval.max(self.floor);
            let role = if running.ours { "uac" } else { "uas" };
            headers.set(Name::SessionExpires, format!("{interval};refresher={role}"));
        }
        self.put_floor(headers);
    }

    fn put_floor(&self, headers: &mut Headers) {
        if self.floor > 0 {
            headers.set(Name::MinSe, self.floor.to_string());
        }
    }

    /// A 2xx to a request of ours (7.2).
    fn accepted(&mut self, response: &Response) {
        self.raised = 0;
        let asked = response.headers.seconds(&Name::SessionExpires);
        self.running = asked.map(|interval| Running {
            interval: interval.max(limits::MIN_SE),
            ours: by_uac(&response.headers).unwrap_or(true),
        });
    }

    /// Writes into our 2xx what becomes of the timer that a request of the peer asks for (9).
    fn accept(&mut self, request: &Request, headers: &mut Headers) {
        headers.set(Name::Supported, SUPPORTED);
        let known = knows(&request.headers);
        if let Some(floor) = request.headers.seconds(&Name::MinSe) {
            self.floor = self.floor.max(floor);
        }
        let asked = request.headers.seconds(&Name::SessionExpires);
        self.running = match (asked, self.running) {
            (Some(interval), _) => Some(Running {
                interval: interval.max(limits::MIN_SE),
                // Who asks refreshes, unless it wants otherwise or cannot.
                ours: !(known && by_uac(&request.headers).unwrap_or(true)),
            }),
            // It says nothing of the timer that runs, which it knows: the timer goes on.
            (None, running) if known => running,
            (None, _) => None,
        };
        let Some(running) = self.running else { return };
        let role = if running.ours { "uas" } else { "uac" };
        headers.set(Name::SessionExpires, format!("{};refresher={role}", running.interval));
        if known {
            headers.push(Name::Require, "timer");
        }
    }

    /// A 422: the interval was too short for somebody. False: asking again is of no use.
    fn raise(&mut self, response: &Response) -> bool {
        let Some(floor) = response.headers.seconds(&Name::MinSe) else { return false };
        self.raised = self.raised.saturating_add(1);
        let higher = floor > self.floor && floor <= limits::MIN_SE_CEILING;
        self.floor = self.floor.max(floor.min(limits::MIN_SE_CEILING));
        higher && self.raised <= limits::MIN_SE_TRIES
    }
}

impl Invite {
    /// Sets the deadlines of a timer that just began, went on, or ended.
    pub(super) fn arm_session(&mut self, now: Instant) {
        if self.ended || !matches!(self.phase, Phase::Talking(_)) {
            return;
        }
        self.timers.clear(Wake::Refresh);
        self.timers.clear(Wake::SessionExpired);
        let Some(running) = self.session_timer.running else { return };
        let interval = Duration::from_secs(u64::from(running.interval));
        // BYE must still pass through NATs that expire with the session (10).
        let margin = Duration::from_secs(32).min(interval / 3);
        self.timers.set(Wake::SessionExpired, now + (interval - margin));
        if running.ours {
            self.timers.set(Wake::Refresh, now + interval / 2);
        }
    }

    /// A 2xx to an INVITE or UPDATE of ours.
    pub(super) fn session_accepted(&mut self, now: Instant, response: &Response) {
        self.session_timer.accepted(response);
        self.arm_session(now);
    }

    /// A 2xx of ours to an INVITE or UPDATE.
    pub(super) fn accept_session(
        &mut self,
        now: Instant,
        request: &Request,
        response: &mut Response,
    ) {
        if matches!(request.method, Method::Invite | Method::Update) {
            self.session_timer.accept(request, &mut response.headers);
            self.arm_session(now);
        }
    }

    /// Nobody refreshed.
    pub(super) fn on_session_expired(&mut self, core: &mut Core, now: Instant) {
        self.break_off(core, now, Cause::timeout());
    }

    /// A refresh is due.
    pub(super) fn refresh(&mut self, core: &mut Core, now: Instant) {
        let Phase::Talking(session) = &mut self.phase else { return };
        if self.ended {
            return;
        }
        let open = self.offers.ours.is_some() || self.offers.theirs.is_some();
        if open || !session.confirmed || session.unacknowledged.is_some() {
            // What is open refreshes as well, or ends soon.
            self.timers.set(Wake::Refresh, now + core.settings.timers.t2);
            return;
        }
        if !session.dialog.peer_updates {
            self.offers.ours = Some(Offer::refresh(self.media.ours.clone()));
            self.send_reoffer(core, now);
            return;
        }
        let hop = session.dialog.hop(|ip| core.knows(ip));
        let mut request = session.dialog.request(Method::Update);
        request.headers.push(Name::Contact, core.contact(&self.user, self.quirks, hop));
        self.session_timer.renew(&mut request.headers);
        if self.send(core, now, request, hop, Role::Refresh).is_none() {
            self.refresh_later(now);
        }
    }

    /// It failed without ending the call: again when half of the time that is left has passed.
    pub(super) fn refresh_later(&mut self, now: Instant) {
        let (Some(running), false) = (self.session_timer.running, self.ended) else { return };
        if running.ours {
            let end = self.timers.at(Wake::SessionExpired).unwrap_or(now);
            let pause = end.saturating_duration_since(now) / 2;
            self.timers.set(Wake::Refresh, now + pause.max(limits::REFRESH_AGAIN));
        }
    }

    /// A response to a refresh by UPDATE.
    pub(super) fn on_refresh_response(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        response: &Response,
    ) {
        if self.session().is_none() {
            return;
        }
        match response.status {
            100..=199 => {}
            200..=299 => {
                if let Some(session) = self.session() {
                    session.dialog.refresh(response.contact());
                    session.dialog.learn(&response.headers);
                }
                self.session_accepted(now, response);
            }
            401 | 407 if self.retry(core, now, id, response, Role::Refresh).is_some() => {}
            408 | 481 => self.break_off(core, now, Cause::from_response(response)),
            422 if self.session_timer.raise(response) => self.refresh(core, now),
            // It said that it knows UPDATE, and does not.
            405 | 501 => {
                if let Some(session) = self.session() {
                    session.dialog.peer_updates = false;
                }
                self.refresh(core, now);
            }
            491 => {
                let wait = self.glare_pause(core);
                self.timers.set(Wake::Refresh, now + wait);
            }
            _ => self.refresh_later(now),
        }
    }

    /// A 422 to an INVITE of ours: it goes out again with what was asked for (7.3).
    pub(super) fn ask_longer(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        response: &Response,
        role: Role,
    ) -> Option<TransactionId> {
        if response.status != 422 || self.ended || !self.session_timer.raise(response) {
            return None;
        }
        let client = core.table.client(id)?;
        let (mut request, hop) = (client.request.clone(), client.way());
        match role {
            Role::Invite => self.session_timer.ask(&mut request.headers),
            _ => self.session_timer.renew(&mut request.headers),
        }
        self.resend_changed(core, now, request, hop, role)
    }
}
