//! The endpoint: all SIP state behind one address, and the way of messages through it.

mod accounts;
mod connections;
pub(crate) mod core;
mod receive;
mod referring;
mod shunned;
mod ways;
mod words;

pub(crate) use core::{Core, Own};
pub use words::{
    Account, Command, Connection, Counters, Event, Identity, InviteId, PeerPolicy,
    RegistrationState, Settings,
};

use crate::cause::{Cause, CauseKind};
use crate::invite::{Invite, Order};
use crate::limits;
use crate::message::{Name, NameAddr};
use crate::quirks::Quirks;
use crate::registration::Registration;
use crate::transaction::{Owner, TransactionId, User, Wire};
use accounts::Users;
use base::{AccountId, Datagram, Seed, Transmit};
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// A SIP user agent behind one address. Driven by the contract of the `base` crate.
pub struct Endpoint {
    core: Core,
    invites: BTreeMap<InviteId, Invite>,
    /// Dialogs by Call-ID and our tag (12).
    dialogs: HashMap<(String, String), InviteId>,
    /// The peers that calls of ours made peers.
    targets: HashMap<InviteId, Vec<IpAddr>>,
    accounts: BTreeMap<AccountId, Registration>,
    /// Accounts by their users.
    users: Users,
    /// Accounts that were removed or replaced and still withdraw their registration.
    retired: Vec<Registration>,
    next_incoming: u64,
    shut_down: bool,
}

impl Endpoint {
    /// An endpoint without accounts and calls.
    pub fn new(settings: Settings, seed: Seed) -> Self {
        let mut settings = settings;
        // A base value of nothing would make timers fire without end.
        let floor = Duration::from_millis(1);
        let t = &mut settings.timers;
        (t.t1, t.t2, t.t4) = (t.t1.max(floor), t.t2.max(floor), t.t4.max(floor));
        Endpoint {
            core: Core::new(settings, seed),
            invites: BTreeMap::new(),
            dialogs: HashMap::new(),
            targets: HashMap::new(),
            accounts: BTreeMap::new(),
            users: Users::default(),
            retired: Vec::new(),
            next_incoming: InviteId::INCOMING,
            shut_down: false,
        }
    }

    /// Takes a datagram from the socket, or a whole message from a connection (see
    /// [`crate::stream`]).
    pub fn handle_datagram(&mut self, now: Instant, datagram: &Datagram<'_>) {
        self.receive(now, datagram);
        self.pass_reports(now);
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(owner) = self.core.out.deadlines.expired(now) {
            match owner {
                Owner::Client(id) => {
                    let over = self.core.table.on_client_timeout(now, &mut self.core.out, id);
                    if let Some((user, expired)) = over
                        && expired.over
                    {
                        let failure = expired.timed_out.then(Cause::timeout);
                        self.on_transaction_over(now, id, user, failure);
                    }
                }
                Owner::Server(id) => {
                    self.core.table.on_server_timeout(now, &mut self.core.out, id);
                }
                Owner::Invite(id) => {
                    self.with_invite(id, |invite, core| invite.on_timeout(core, now));
                }
                Owner::Account(id) => {
                    if let Some(registration) = self.accounts.get_mut(&id) {
                        registration.on_timeout(&mut self.core, now);
                    }
                    self.settle_account(id);
                }
                Owner::Ways => self.on_ways_timeout(now),
            }
            self.pass_reports(now);
        }
    }

    /// Carries out an order. What cannot be carried out is counted as refused.
    pub fn command(&mut self, now: Instant, command: Command) {
        match command {
            Command::SetAccount { account, settings } => self.set_account(now, account, settings),
            Command::RemoveAccount { account } => match self.accounts.remove(&account) {
                Some(registration) => self.retire(now, registration, false),
                None => self.refuse(),
            },
            Command::Register { account } => {
                self.with_account(account, |registration, core| registration.register(core, now));
            }
            Command::Unregister { account } => {
                self.with_account(account, |registration, core| {
                    registration.unregister(core, now);
                });
            }
            Command::Invite {
                invite,
                account,
                destination,
                targets,
                headers,
                display_name,
                offer,
            } => {
                if invite.0 >= InviteId::INCOMING || self.invites.contains_key(&invite) {
                    self.refuse();
                    return;
                }
                let mut from = NameAddr::new(destination.clone());
                from.display = display_name;
                let headers = self.clean(headers);
                let order = Order {
                    id: invite,
                    from,
                    user: "",
                    destination,
                    targets,
                    routes: Vec::new(),
                    headers,
                    offer,
                    hosts: Vec::new(),
                    challenger: None,
                    quirks: Quirks::default(),
                };
                self.place(now, account, order);
            }
            Command::Hurry { invite } => {
                self.order(invite, |invite, _| invite.hurry(now));
            }
            Command::Hangup { invite, cause } => {
                self.order(invite, |invite, core| invite.hangup(core, now, cause));
            }
            Command::Ring { invite, sdp } => {
                self.order(invite, |invite, core| invite.ring(core, now, sdp));
            }
            Command::Answer { invite, sdp } => {
                self.order(invite, |invite, core| invite.answer(core, now, &sdp));
            }
            Command::Reject { invite, status } => {
                let status = if (300..700).contains(&status) { status } else { 480 };
                let cause =
                    Cause { status: Some(status), ..Cause::local(CauseKind::from_status(status)) };
                self.order(invite, |invite, core| invite.refuse(core, now, status, cause));
            }
            Command::AnswerOffer { invite, sdp } => {
                self.order(invite, |invite, core| invite.answer_offer(core, now, sdp));
            }
            Command::Reoffer { invite, offer } => {
                self.order(invite, |invite, core| invite.reoffer(core, now, offer));
            }
            Command::Info { invite, content_type, body } => {
                self.order(invite, |invite, core| invite.info(core, now, content_type, body));
            }
            Command::Refer { invite, target, replaces } => {
                self.refer(now, invite, target, replaces);
            }
            Command::ReferToCall { invite, other } => self.refer_to_call(now, invite, other),
            Command::FollowReferral { invite, new, account, targets, offer, second_offer } => {
                self.follow_referral(now, invite, new, (account, targets), (offer, second_offer));
            }
            Command::RefuseReferral { invite, status } => {
                self.order(invite, |invite, core| invite.refuse_referral(core, now, status));
            }
            Command::Shutdown => self.shutdown(now),
        }
        self.pass_reports(now);
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        self.core.out.transmits.pop_front()
    }

    /// What happened next.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.core.events.pop_front()
    }

    /// When to call [`Endpoint::handle_timeout`] at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.core.out.deadlines.next()
    }

    /// What was counted so far.
    pub fn counters(&self) -> &Counters {
        &self.core.out.counters
    }

    /// Replaces the set of peers; calls and registrations go on.
    pub fn set_peers(&mut self, peers: PeerPolicy) {
        self.core.settings.peers = peers;
    }

    /// How many calls have state here, those that only finish their last transaction included.
    pub fn invites(&self) -> usize {
        self.invites.len()
    }

    /// The calls that have not ended, in the order of their numbers.
    pub fn live(&self) -> impl Iterator<Item = InviteId> {
        self.invites.iter().filter(|(_, invite)| !invite.has_ended()).map(|(id, _)| *id)
    }

    /// How many transactions are alive.
    pub fn transactions(&self) -> usize {
        let (clients, servers) = self.core.table.sizes();
        clients + servers
    }

    /// The Call-ID of a call that has state here.
    pub fn call_id(&self, invite: InviteId) -> Option<&str> {
        self.invites.get(&invite).map(Invite::call_id)
    }

    /// Whether the offer that stands in a call is the second one of [`Command::FollowReferral`].
    pub fn offered_second(&self, invite: InviteId) -> bool {
        self.invites.get(&invite).is_some_and(Invite::has_offered_second)
    }

    /// Whether an address is one that is talked to.
    pub fn is_peer(&self, ip: IpAddr) -> bool {
        self.core.knows(ip)
    }

    /// Whether the state holds together; for tests and fuzzing.
    ///
    /// # Errors
    /// What does not: a timer without owner, an index that leads nowhere, a table over its bound.
    pub fn verify(&self) -> Result<(), String> {
        for owner in self.core.out.deadlines.keys() {
            let owned = match owner {
                Owner::Invite(id) => self.invites.contains_key(&id),
                Owner::Account(id) => self.accounts.contains_key(&id),
                Owner::Ways => self.core.ways_at.is_some(),
                owner => self.core.table.owns(owner),
            };
            if !owned {
                return Err(format!("{owner:?} has a timer and no owner"));
            }
        }
        for (key, id) in &self.dialogs {
            if self.invites.get(id).is_none_or(|invite| invite.key() != *key) {
                return Err(format!("the dialog of {id:?} is indexed and gone"));
            }
        }
        if self.invites.len() != self.dialogs.len() || self.invites.len() > limits::INVITES {
            return Err(format!("{} invites, {} keys", self.invites.len(), self.dialogs.len()));
        }
        if let Some((id, _)) = self.invites.iter().find(|(_, invite)| invite.is_over()) {
            return Err(format!("{id:?} is over and still there"));
        }
        if let Some(id) = self.users.ids().find(|id| !self.accounts.contains_key(id)) {
            return Err(format!("{id:?} has a user and is gone"));
        }
        let (clients, servers) = self.core.table.sizes();
        if clients > limits::CLIENT_TRANSACTIONS || servers > limits::SERVER_TRANSACTIONS {
            return Err(format!("{clients} client and {servers} server transactions"));
        }
        Ok(())
    }

    fn refuse(&mut self) {
        self.core.out.counters.refused += 1;
    }

    fn place(&mut self, now: Instant, account: AccountId, order: Order<'_>) {
        let id = order.id;
        let kind = if self.shut_down {
            CauseKind::Unavailable
        } else if self.invites.len() >= limits::INVITES {
            CauseKind::Overloaded
        } else if let Some(registration) = self.accounts.get(&account) {
            let order = Order { challenger: Some(registration.challenger()), ..order };
            let peers: Vec<IpAddr> = order.targets.iter().map(|to| to.address.ip()).collect();
            for peer in &peers {
                self.core.name(*peer);
            }
            let mut order = registration.order(order);
            self.core.shunned.sort(now, &mut order.targets);
            let invite = Invite::place(&mut self.core, now, order);
            self.targets.insert(id, peers);
            self.insert(now, id, invite);
            return;
        } else {
            CauseKind::Unavailable
        };
        self.refuse();
        self.core.events.push_back(Event::Ended { invite: id, cause: Cause::local(kind) });
    }

    fn insert(&mut self, now: Instant, id: InviteId, invite: Invite) {
        self.core.keep_ways(now);
        self.dialogs.insert(invite.key(), id);
        self.invites.insert(id, invite);
        self.settle(id);
    }

    /// Works on a call and enters what came of it into the tables.
    fn with_invite(&mut self, id: InviteId, work: impl FnOnce(&mut Invite, &mut Core)) -> bool {
        let Some(invite) = self.invites.get_mut(&id) else { return false };
        work(invite, &mut self.core);
        self.settle(id);
        true
    }

    fn order(&mut self, id: InviteId, work: impl FnOnce(&mut Invite, &mut Core)) {
        let known = self.invites.get(&id).is_some_and(|invite| !invite.has_ended());
        if !known || !self.with_invite(id, work) {
            self.refuse();
        }
    }

    fn settle(&mut self, id: InviteId) {
        let Some(invite) = self.invites.get(&id) else { return };
        self.core.out.wake(Owner::Invite(id), invite.deadline());
        if invite.is_over() {
            self.dialogs.remove(&invite.key());
            self.invites.remove(&id);
            for peer in self.targets.remove(&id).unwrap_or_default() {
                self.core.unname(peer);
            }
        }
    }

    fn on_transaction_over(
        &mut self,
        now: Instant,
        id: TransactionId,
        user: User,
        failure: Option<Cause>,
    ) {
        match user {
            User::Invite(invite) => {
                self.with_invite(invite, |invite, core| {
                    invite.on_transaction_over(core, now, id, failure);
                });
            }
            User::Registration(account) => {
                self.with_owner(account, id, |registration, core| {
                    registration.on_transaction_over(core, now, id, failure);
                });
            }
        }
    }

    fn shutdown(&mut self, now: Instant) {
        let ids: Vec<InviteId> = self.invites.keys().copied().collect();
        for id in ids {
            self.with_invite(id, |invite, core| {
                if !invite.has_ended() {
                    invite.hangup(core, now, CauseKind::Normal);
                }
            });
        }
        let accounts: Vec<AccountId> = self.accounts.keys().copied().collect();
        for id in accounts {
            self.with_account(id, |registration, core| registration.leave(core, now));
        }
        self.shut_down = true;
    }

    /// The added header fields that may go out: a page must not bring in fields of our own, nor
    /// lines of its own.
    fn clean(&mut self, headers: Vec<(String, String)>) -> Vec<(String, String)> {
        let before = headers.len();
        let is_token = |c: char| c.is_ascii_alphanumeric() || "-._!%*+`'~".contains(c);
        let clean: Vec<_> = headers
            .into_iter()
            .filter(|(name, value)| {
                if name.eq_ignore_ascii_case(Name::UserToUser.as_str()) {
                    return is_user_to_user(value);
                }
                let ours = name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("x-"));
                ours && name.len() > 2
                    && name.len() <= 64
                    && name.chars().all(is_token)
                    && value.len() <= limits::EXTRA_HEADER_LENGTH
                    && !value.chars().any(char::is_control)
            })
            .take(limits::EXTRA_HEADERS)
            .collect();
        self.core.out.counters.refused += (before - clean.len()) as u64;
        clean
    }
}

/// Whether a value may go out as User-to-User: hexadecimal digits for up to 128 octets (RFC 7433 4,
/// and the most that ISDN carries).
fn is_user_to_user(value: &str) -> bool {
    let hex = value.bytes().all(|octet| octet.is_ascii_hexdigit());
    hex && !value.is_empty() && value.len().is_multiple_of(2) && value.len() <= 256
}
