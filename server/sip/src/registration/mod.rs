//! One account's registration: our repeated REGISTER (RFC 3261 10.2).

mod addresses;
mod calls;
mod domain;
mod instance;
mod lifetime;
mod pause;
mod pings;
mod servers;
mod turns;

pub(crate) use instance::PARAMETER;
pub(crate) use turns::Turns;

use crate::cause::{Cause, CauseKind};
use crate::challenge::Challenger;
use crate::dialog::{blank, routed};
use crate::endpoint::core::ALLOW;
use crate::endpoint::{Account, Core, Event, Own, RegistrationState};
use crate::limits;
use crate::message::{Method, Name, NameAddr, Response};
use crate::quirks::Quirk;
use crate::transaction::{TransactionId, User};
use base::AccountId;
use calls::credentials;
use pings::Pings;
use std::time::{Duration, Instant};

/// Where a registration stands.
///
/// ```text
///                    Register
///   Unregistered --------------> Registering <------------+
///        ^                        | 2xx    | refusal,     | the pause is over
///        | 2xx, refusal,          v        | no reply     |
///        | no reply        +-> Registered  v              |
///     Unregistering        |      |      Failed ----------+
///        ^                 +------+
///        |              refresh well before
///        |                the end; a failed
///        +-- Unregister   refresh: Failed
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unregistered,
    Registering,
    Registered,
    Failed,
    Unregistering,
}

/// An account and its registration.
pub(crate) struct Registration {
    id: AccountId,
    pub(crate) settings: Account,
    state: State,
    challenger: Challenger,
    call_id: String,
    tag: String,
    instance: String,
    number: u32,
    /// The REGISTER under way.
    transaction: Option<TransactionId>,
    /// Client transactions not over yet.
    live: Vec<TransactionId>,
    /// The next REGISTER, when none is under way.
    next_at: Option<Instant>,
    /// Its turn to begin, where it had to wait for one.
    turn_at: Option<Instant>,
    /// Lifetime to ask for; 423 raises it.
    expires: Duration,
    /// Corrections (423, another address) in a row.
    corrections: u8,
    /// Failures in a row.
    failures: u32,
    /// Which of the servers REGISTERs go to.
    target: usize,
    /// How many of the others may still be tried before the pause.
    untried: usize,
    /// When the first server failed, while another one is used.
    strayed_at: Option<Instant>,
    /// The address in the Contact of the REGISTER under way.
    contact: Option<Own>,
    /// The address that the registrar holds for us, to be withdrawn when it changes.
    bound: Option<Own>,
    /// What INVITEs pass after the outbound proxy (RFC 3608).
    service_routes: Vec<NameAddr>,
    /// What was asked for while a REGISTER was under way.
    wanted: Option<bool>,
    /// It is to be dropped as soon as it is withdrawn.
    retired: bool,
    /// Whether the shell hears of changes: not of an account's former self.
    silent: bool,
    pings: Pings,
}

impl Registration {
    /// An account without registration.
    pub(crate) fn new(core: &mut Core, id: AccountId, settings: Account) -> Self {
        Registration {
            id,
            state: State::Unregistered,
            challenger: Challenger::new(credentials(&settings)),
            call_id: core.seed.token(24),
            tag: core.seed.token(16),
            instance: instance::of(&settings),
            number: crate::invite::first_number(core),
            transaction: None,
            live: Vec::new(),
            next_at: None,
            turn_at: None,
            expires: settings.expires,
            corrections: 0,
            failures: 0,
            target: 0,
            untried: 0,
            strayed_at: None,
            contact: None,
            bound: None,
            service_routes: Vec::new(),
            wanted: None,
            retired: false,
            silent: false,
            pings: Pings::default(),
            settings,
        }
    }

    /// Whose registration it is.
    pub(crate) fn id(&self) -> AccountId {
        self.id
    }

    /// When it wants to be woken.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        [self.next_at, self.pings.at].into_iter().flatten().min()
    }

    /// Whether nothing is left to do for a removed account.
    pub(crate) fn is_over(&self) -> bool {
        self.retired && self.state == State::Unregistered && self.live.is_empty()
    }

    /// Removes the account once its registration is withdrawn. A silent one is replaced by
    /// another under the same number and says nothing more.
    pub(crate) fn retire(&mut self, core: &mut Core, now: Instant, silent: bool) {
        self.retired = true;
        self.silent = silent;
        self.leave(core, now);
    }

    /// Withdraws the registration and says nothing more.
    pub(crate) fn leave(&mut self, core: &mut Core, now: Instant) {
        self.pings.at = None;
        self.unregister(core, now);
    }

    /// Whether a client transaction is one of its own.
    pub(crate) fn owns(&self, id: TransactionId) -> bool {
        self.live.contains(&id)
    }

    /// Takes changed settings of the same address of record. Where the server that was used is
    /// none of its servers any more it begins anew, under the same Call-ID; the answer that the old
    /// one owes is ignored.
    pub(crate) fn change(&mut self, settings: Account) {
        let secrets = |of: &Account| (of.password.clone(), of.auth_username.clone());
        let place = self.settings.targets.get(self.target);
        let place = place.and_then(|used| settings.targets.iter().position(|new| new == used));
        let moved = place.is_none() || self.settings.outbound_proxy != settings.outbound_proxy;
        self.target = place.unwrap_or(0);
        if moved || secrets(&self.settings) != secrets(&settings) {
            self.challenger = Challenger::new(credentials(&settings));
        }
        if moved {
            self.transaction = None;
            self.service_routes.clear();
            if self.state == State::Unregistering {
                self.state = State::Unregistered;
            }
        }
        self.failures = 0;
        self.expires = settings.expires;
        self.settings = settings;
    }

    /// Registers, or refreshes now.
    pub(crate) fn register(&mut self, core: &mut Core, now: Instant) {
        if self.retired {
            return;
        }
        if self.transaction.is_some() {
            self.wanted = (self.state == State::Unregistering).then_some(true);
            return;
        }
        self.begin(core, now);
    }

    /// Sends REGISTER with every server's turn still to come, as soon as its own has come.
    fn begin(&mut self, core: &mut Core, now: Instant) {
        let has_turn = self.turn_at.take_if(|at| *at <= now).is_some();
        if !has_turn {
            self.turn_at = self.turn_at.or_else(|| core.turns.take(now));
            if self.turn_at.is_some() {
                self.next_at = self.turn_at;
                return;
            }
        }
        self.corrections = 0;
        self.untried = self.settings.targets.len().saturating_sub(1);
        self.send(core, now, true);
    }

    /// Withdraws the registration.
    pub(crate) fn unregister(&mut self, core: &mut Core, now: Instant) {
        self.next_at = None;
        if self.transaction.is_some() {
            self.wanted = (self.state != State::Unregistering).then_some(false);
        } else if self.bound.is_some() {
            self.send(core, now, false);
        } else {
            self.rest(core);
        }
    }

    fn rest(&mut self, core: &mut Core) {
        let before = std::mem::replace(&mut self.state, State::Unregistered);
        self.next_at = None;
        self.bound = None;
        if before != State::Unregistered {
            self.tell(core, RegistrationState::Unregistered);
        }
    }

    fn tell(&self, core: &mut Core, state: RegistrationState) {
        if !self.silent {
            core.events.push_back(Event::RegistrationChanged { account: self.id, state });
        }
    }

    /// Sends REGISTER, to bind or to unbind; same Call-ID, next number (10.2).
    fn send(&mut self, core: &mut Core, now: Instant, bind: bool) {
        self.next_at = None;
        let Some(hop) = self.hop(core) else {
            match bind {
                true => self.fail(core, now, Cause::local(CauseKind::Unavailable)),
                false => self.rest(core),
            }
            return;
        };
        let quirks = self.settings.quirks;
        let uri = domain::uri(None, &self.settings.domain);
        let first = self.first_routes();
        let (uri, routes) = routed(&quirks.request_uri(uri, Some(hop.protocol)), &first);
        let mut request = blank(Method::Register, uri);
        for route in routes.iter() {
            request.headers.push(Name::Route, route.to_string());
        }
        let own = self.address_of_record();
        let mut from = own.clone();
        from.set_tag(&self.tag);
        request.headers.push(Name::From, from.to_string());
        request.headers.push(Name::To, own.to_string());
        request.headers.push(Name::CallId, self.call_id.clone());
        self.number = self.number.saturating_add(1);
        request.headers.push(Name::CSeq, format!("{} REGISTER", self.number));
        let seconds = if bind { self.expires.as_secs() } else { 0 };
        let own = Own::towards(core, hop);
        let contact = if bind { own } else { self.bound.unwrap_or(own) };
        let binding = |at: Own, seconds: u64| self.binding(at, seconds);
        request.headers.push(Name::Contact, binding(contact, seconds));
        let both = bind && !quirks.has(Quirk::OneContact);
        if let Some(old) = self.bound.filter(|old| both && *old != contact) {
            // Calls must not go to where we were before our address changed.
            request.headers.push(Name::Contact, binding(old, 0));
        }
        request.headers.push(Name::Expires, seconds.to_string());
        request.headers.push(Name::Allow, ALLOW);
        request.headers.push(Name::Supported, "path");
        quirks.shape(&mut request);
        self.challenger.begin(&mut request, &mut core.seed);
        self.contact = Some(contact);
        let before = self.state;
        self.state = match (bind, before) {
            (false, _) => State::Unregistering,
            (true, State::Registered) => State::Registered,
            (true, _) => State::Registering,
        };
        self.transaction = core.request(now, request, hop, User::Registration(self.id));
        if let Some(id) = self.transaction {
            self.live.push(id);
            if bind && before == State::Unregistered {
                self.tell(core, RegistrationState::Registering);
            }
        } else if bind {
            self.fail(core, now, Cause::local(CauseKind::Overloaded));
        } else {
            self.rest(core);
        }
    }

    /// A response to one of its REGISTERs.
    pub(crate) fn on_response(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        response: &Response,
    ) {
        if self.transaction != Some(id) || response.status < 200 {
            return;
        }
        let retry = matches!(response.status, 401 | 407)
            .then(|| self.retry(core, now, id, response))
            .flatten();
        if let Some(id) = retry {
            self.live.push(id);
            self.transaction = retry;
            return;
        }
        self.transaction = None;
        let unbinding = self.state == State::Unregistering;
        match response.status {
            200..=299 if !unbinding => self.registered(core, now, response),
            423 if !unbinding && self.corrections < limits::REGISTER_CORRECTIONS => {
                self.corrections += 1;
                let least = response.headers.seconds(&Name::MinExpires).unwrap_or(0);
                let least = Duration::from_secs(u64::from(least)).min(limits::EXPIRES_CEILING);
                if least > self.expires {
                    self.expires = least;
                    self.send(core, now, true);
                } else {
                    self.fail(core, now, Cause::from_response(response));
                }
            }
            _ if unbinding => self.rest(core),
            _ => self.fail(core, now, Cause::from_response(response)),
        }
        self.follow_wish(core, now);
    }

    /// The same REGISTER once more, with credentials, and with the address that the challenge
    /// showed us.
    fn retry(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        response: &Response,
    ) -> Option<TransactionId> {
        let client = core.table.client(id)?;
        let (mut request, hop) = (client.request.clone(), client.way());
        if !self.challenger.answer(response, &mut request, &mut core.seed) {
            return None;
        }
        self.number = self.number.saturating_add(1);
        request.headers.set(Name::CSeq, format!("{} REGISTER", self.number));
        request.headers.remove(&Name::Via);
        let own = Own::towards(core, hop);
        if self.state != State::Unregistering && self.contact != Some(own) {
            self.contact = Some(own);
            let seconds = self.expires.as_secs();
            let contact = self.binding(own, seconds);
            request.headers.set_first(&Name::Contact, contact);
        }
        core.request(now, request, hop, User::Registration(self.id))
    }

    /// The registrar took our binding.
    fn registered(&mut self, core: &mut Core, now: Instant, response: &Response) {
        let Some(contact) = self.contact else { return };
        self.bound = Some(contact);
        let seen = self.hop(core).map(|hop| Own::towards(core, hop));
        if seen != Some(contact) && self.corrections < limits::REGISTER_CORRECTIONS {
            // The registrar took a Contact that only our own network can reach.
            self.corrections += 1;
            self.send(core, now, true);
            return;
        }
        let granted =
            lifetime::granted(response, self.contact_user(), contact.address, self.instance());
        let granted = granted.unwrap_or(self.expires).min(limits::EXPIRES_CEILING);
        if granted.is_zero() {
            self.bound = None;
            self.fail(core, now, lifetime::UNGRANTED);
            return;
        }
        self.corrections = 0;
        self.failures = 0;
        self.state = State::Registered;
        self.service_routes = response.headers.addresses(&Name::ServiceRoute);
        self.service_routes.truncate(limits::FORKS);
        self.next_at = Some(now + lifetime::refresh_after(granted, core.seed.below(1000) as u32));
        self.untried = self.settings.targets.len().saturating_sub(1);
        core.keep_ways(now);
        let contact = contact.address;
        self.tell(core, RegistrationState::Registered { until: now + granted, contact });
    }

    /// It failed; it is tried again at the next server, or after a pause.
    fn fail(&mut self, core: &mut Core, now: Instant, cause: Cause) {
        if cause.tries_next() && self.untried > 0 {
            if self.target == 0 {
                self.strayed_at = Some(now);
            }
            self.untried -= 1;
            self.target = (self.target + 1) % self.settings.targets.len().max(1);
            self.service_routes.clear();
            self.send(core, now, true);
            return;
        }
        self.target = 0;
        let pause = pause::after(&cause, self.failures, &mut core.seed);
        self.failures = self.failures.saturating_add(1);
        self.state = State::Failed;
        self.next_at = Some(now + pause);
        self.tell(core, RegistrationState::Failed { cause, retry_after: pause });
    }

    /// One of its transactions is over, with a cause when nobody answered it.
    pub(crate) fn on_transaction_over(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        failure: Option<Cause>,
    ) {
        self.live.retain(|live| *live != id);
        let Some(cause) = failure.filter(|_| self.transaction == Some(id)) else { return };
        self.transaction = None;
        if self.state == State::Unregistering {
            self.rest(core);
        } else {
            self.fail(core, now, cause);
        }
        self.follow_wish(core, now);
    }

    /// Does what was asked for while a REGISTER was under way.
    fn follow_wish(&mut self, core: &mut Core, now: Instant) {
        if self.transaction.is_some() {
            return;
        }
        match self.wanted.take() {
            Some(true) => self.register(core, now),
            Some(false) => self.unregister(core, now),
            None => {}
        }
    }

    /// Its deadline came.
    pub(crate) fn on_timeout(&mut self, core: &mut Core, now: Instant) {
        self.ping(core, now);
        if self.next_at.is_some_and(|at| at <= now) {
            self.next_at = None;
            if self.transaction.is_none() {
                if self.strayed_at.is_some_and(|at| at + limits::RETURN_AFTER <= now) {
                    self.strayed_at = None;
                    self.target = 0;
                }
                self.begin(core, now);
            }
        }
    }
}
