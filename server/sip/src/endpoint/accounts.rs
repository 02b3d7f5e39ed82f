//! Accounts: setting, changing and removing them, and finding whose registration a message is.

use super::{Account, Core, Endpoint};
use crate::limits;
use crate::message::Uri;
use crate::registration::{PARAMETER, Registration};
use crate::transaction::{Owner, TransactionId, Wire};
use base::AccountId;
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

impl Endpoint {
    pub(super) fn set_account(&mut self, now: Instant, id: AccountId, settings: Account) {
        if self.shut_down
            || (self.accounts.len() >= limits::ACCOUNTS && !self.accounts.contains_key(&id))
        {
            self.refuse();
            return;
        }
        let register = settings.register;
        let same = self.accounts.get(&id).is_some_and(|known| {
            let known = &known.settings;
            let key = |of: &Account| (of.domain.clone(), of.username.clone(), of.quirks);
            key(known) == key(&settings)
        });
        if !same {
            if let Some(former) = self.accounts.remove(&id) {
                self.retire(now, former, true);
            }
            let registration = Registration::new(&mut self.core, id, settings.clone());
            self.enter(registration);
        } else if let Some(mut known) = self.accounts.remove(&id) {
            self.users.remove(&known);
            let before = (known.peers(), known.rportless());
            known.change(settings);
            self.enter(known);
            self.unname(before);
        }
        self.with_account(id, |registration, core| {
            registration.set_pings(core, now);
            match register {
                true => registration.register(core, now),
                false => registration.unregister(core, now),
            }
        });
    }

    /// Takes an account in, with what it is found by and what it names.
    fn enter(&mut self, registration: Registration) {
        for peer in registration.peers() {
            self.core.name(peer);
        }
        for server in registration.rportless() {
            self.core.spare_rport(server);
        }
        self.users.insert(&registration);
        self.accounts.insert(registration.id(), registration);
    }

    /// Takes back what an account that is gone, or was another, has named.
    fn unname(&mut self, (peers, rportless): (Vec<IpAddr>, Vec<SocketAddr>)) {
        for peer in peers {
            self.core.unname(peer);
        }
        for server in rportless {
            self.core.unspare_rport(server);
        }
    }

    pub(super) fn retire(&mut self, now: Instant, mut registration: Registration, silent: bool) {
        self.users.remove(&registration);
        self.core.out.wake(Owner::Account(registration.id()), None);
        registration.retire(&mut self.core, now, silent);
        self.retired.push(registration);
        self.sweep();
    }

    /// Drops removed accounts that are done.
    pub(super) fn sweep(&mut self) {
        let over = self.retired.extract_if(.., |registration| registration.is_over());
        let named: Vec<_> =
            over.map(|registration| (registration.peers(), registration.rportless())).collect();
        for named in named {
            self.unname(named);
        }
    }

    pub(super) fn with_account(
        &mut self,
        id: AccountId,
        work: impl FnOnce(&mut Registration, &mut Core),
    ) {
        match self.accounts.get_mut(&id) {
            Some(registration) if !self.shut_down => work(registration, &mut self.core),
            _ => self.refuse(),
        }
        self.settle_account(id);
    }

    /// Works on the registration, present or former, that a transaction belongs to.
    pub(super) fn with_owner(
        &mut self,
        account: AccountId,
        id: TransactionId,
        work: impl FnOnce(&mut Registration, &mut Core),
    ) {
        let owner = self
            .accounts
            .get_mut(&account)
            .into_iter()
            .chain(self.retired.iter_mut())
            .find(|registration| registration.owns(id));
        if let Some(owner) = owner {
            work(owner, &mut self.core);
        }
        self.settle_account(account);
        self.sweep();
    }

    pub(super) fn settle_account(&mut self, id: AccountId) {
        let at = self.accounts.get(&id).and_then(Registration::deadline);
        self.core.out.wake(Owner::Account(id), at);
    }

    /// The account that a call from a peer means: the one whose Contact came back as the
    /// Request-URI. Where a server leaves only the user of it, the user and who calls must do.
    pub(super) fn account_of(&self, uri: &Uri, from: SocketAddr) -> Option<AccountId> {
        let instance = uri.params.get(PARAMETER).map(str::to_ascii_lowercase);
        let told = instance.and_then(|told| self.users.of_instance(&told));
        told.or_else(|| self.account_by_user(uri, from))
    }

    fn account_by_user(&self, uri: &Uri, from: SocketAddr) -> Option<AccountId> {
        let user = uri.user_text().unwrap_or_default();
        let named = self.users.of_user(&user);
        let named = named.filter_map(|id| self.accounts.get(&id));
        let best = named.min_by_key(|registration| {
            let servers = &registration.settings.targets;
            let is_server = servers.iter().any(|target| target.address == from);
            let is_peer = registration.peers().contains(&from.ip());
            (!is_server, !is_peer, !registration.is_bound())
        });
        best.map(Registration::id)
    }
}

/// The accounts by what requests to them may name.
#[derive(Debug, Default)]
pub(super) struct Users {
    by_user: HashMap<String, BTreeSet<AccountId>>,
    by_instance: HashMap<String, BTreeSet<AccountId>>,
}

impl Users {
    /// What an account is called: its name, which is never empty here, and the user of its Contact.
    fn names(registration: &Registration) -> impl Iterator<Item = &str> {
        let name = Some(registration.settings.username.as_str()).filter(|name| !name.is_empty());
        name.into_iter().chain([registration.contact_user()])
    }

    fn insert(&mut self, registration: &Registration) {
        let id = registration.id();
        for name in Users::names(registration) {
            self.by_user.entry(name.to_owned()).or_default().insert(id);
        }
        self.by_instance.entry(registration.instance().to_owned()).or_default().insert(id);
    }

    fn remove(&mut self, registration: &Registration) {
        for name in Users::names(registration) {
            leave(&mut self.by_user, name, registration.id());
        }
        leave(&mut self.by_instance, registration.instance(), registration.id());
    }

    /// The accounts of a user, the first one first.
    fn of_user(&self, name: &str) -> impl Iterator<Item = AccountId> {
        self.by_user.get(name).into_iter().flatten().copied()
    }

    /// The account of an instance in lower case, the first one of several.
    fn of_instance(&self, instance: &str) -> Option<AccountId> {
        self.by_instance.get(instance)?.first().copied()
    }

    /// Every account that is entered.
    pub(super) fn ids(&self) -> impl Iterator<Item = AccountId> {
        self.by_user.values().chain(self.by_instance.values()).flatten().copied()
    }
}

fn leave(table: &mut HashMap<String, BTreeSet<AccountId>>, name: &str, id: AccountId) {
    if let Some(ids) = table.get_mut(name) {
        ids.remove(&id);
        if ids.is_empty() {
            table.remove(name);
        }
    }
}
