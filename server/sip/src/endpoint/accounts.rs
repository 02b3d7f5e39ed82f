//! Accounts: setting, changing and removing them, and finding whose registration a message is.

use super::{Account, Core, Endpoint};
use crate::limits;
use crate::message::Uri;
use crate::quirks::Quirk;
use crate::registration::{PARAMETER, Registration};
use crate::transaction::{Owner, TransactionId, Wire};
use base::AccountId;
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
            self.name(&registration);
            self.accounts.insert(id, registration);
        } else if let Some(mut known) = self.accounts.remove(&id) {
            let before = known.peers();
            known.change(settings);
            self.name(&known);
            for peer in before {
                self.core.unname(peer);
            }
            self.accounts.insert(id, known);
        }
        let shy = self.accounts.values().map(|known| &known.settings);
        let shy = shy.filter(|settings| settings.quirks.has(Quirk::NoRport));
        self.core.rportless = shy.flat_map(|known| &known.targets).map(|to| to.address).collect();
        self.with_account(id, |registration, core| {
            registration.set_pings(core, now);
            match register {
                true => registration.register(core, now),
                false => registration.unregister(core, now),
            }
        });
    }

    pub(super) fn name(&mut self, registration: &Registration) {
        for peer in registration.peers() {
            self.core.name(peer);
        }
    }

    pub(super) fn retire(&mut self, now: Instant, mut registration: Registration, silent: bool) {
        self.core.out.wake(Owner::Account(registration.id()), None);
        registration.retire(&mut self.core, now, silent);
        self.retired.push(registration);
        self.sweep();
    }

    /// Drops removed accounts that are done.
    pub(super) fn sweep(&mut self) {
        let over: Vec<IpAddr> = self
            .retired
            .iter()
            .filter(|registration| registration.is_over())
            .flat_map(Registration::peers)
            .collect();
        self.retired.retain(|registration| !registration.is_over());
        for peer in over {
            self.core.unname(peer);
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
        let instance = uri.params.get(PARAMETER);
        let told = instance.and_then(|told| {
            self.accounts.values().find(|account| account.instance().eq_ignore_ascii_case(told))
        });
        told.or_else(|| self.account_by_user(uri, from)).map(Registration::id)
    }

    fn account_by_user(&self, uri: &Uri, from: SocketAddr) -> Option<&Registration> {
        let user = uri.user_text().unwrap_or_default();
        let named = |registration: &&Registration| {
            (!user.is_empty() && registration.settings.username == user)
                || registration.contact_user() == user
        };
        self.accounts.values().filter(named).min_by_key(|registration| {
            let servers = &registration.settings.targets;
            let is_server = servers.iter().any(|target| target.address == from);
            let is_peer = registration.peers().contains(&from.ip());
            (!is_server, !is_peer, !registration.is_bound())
        })
    }
}
