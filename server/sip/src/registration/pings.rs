//! OPTIONS again and again (RFC 3261 11), for providers that forget who is silent.

use super::{Registration, State};
use crate::dialog::{blank, routed};
use crate::endpoint::Core;
use crate::limits;
use crate::message::{Method, Name};
use crate::quirks::Quirk;
use crate::transaction::User;
use std::time::{Duration, Instant};

/// The OPTIONS of one account. What is answered to them does not matter: that something passes
/// does.
#[derive(Debug, Default)]
pub(super) struct Pings {
    /// When the next one leaves; none while none are wanted.
    pub(super) at: Option<Instant>,
    /// Their one Call-ID; empty before the first.
    call_id: String,
    number: u32,
}

impl Registration {
    /// Begins with them where the provider wants them, and leaves off where it does not.
    pub(crate) fn set_pings(&mut self, core: &mut Core, now: Instant) {
        let wanted = self.settings.quirks.has(Quirk::OptionsPings) && !self.retired;
        self.pings.at = match self.pings.at {
            _ if !wanted => None,
            None => Some(now + pause(core)),
            running => running,
        };
    }

    /// Sends one where it is due and there is somebody to remember us.
    pub(super) fn ping(&mut self, core: &mut Core, now: Instant) {
        if self.pings.at.is_none_or(|at| at > now) {
            return;
        }
        self.pings.at = Some(now + pause(core));
        let known = self.state == State::Registered || !self.settings.register;
        let Some(hop) = self.hop(core).filter(|_| known) else { return };
        let quirks = self.settings.quirks;
        let uri = super::domain::uri(None, &self.settings.domain);
        let uri = quirks.request_uri(uri, Some(hop.protocol));
        let first = self.first_routes();
        let (request_uri, routes) = routed(&uri, &first);
        let mut request = blank(Method::Options, request_uri);
        for route in routes.iter() {
            request.headers.push(Name::Route, route.to_string());
        }
        let own = self.address_of_record();
        let mut from = own.clone();
        from.set_tag(&core.seed.token(16));
        request.headers.push(Name::From, from.to_string());
        request.headers.push(Name::To, format!("<{uri}>"));
        if self.pings.call_id.is_empty() {
            self.pings.call_id = core.seed.token(24);
        }
        request.headers.push(Name::CallId, self.pings.call_id.clone());
        self.pings.number = self.pings.number.saturating_add(1);
        request.headers.push(Name::CSeq, format!("{} OPTIONS", self.pings.number));
        request.headers.push(Name::Contact, core.contact(self.contact_user(), quirks, hop));
        if let Some(id) = core.request(now, request, hop, User::Registration(self.id)) {
            self.live.push(id);
        }
    }
}

/// The time to the next one.
fn pause(core: &mut Core) -> Duration {
    let jitter = limits::OPTIONS_JITTER.as_millis() as u64;
    limits::OPTIONS_EVERY + Duration::from_millis(core.seed.below(jitter))
}
