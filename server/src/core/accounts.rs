//! The accounts of one shard: where their servers are, and what their registrations are.

use crate::config::{self, HostPort};
use base::{AccountId, LinkId};
use call::Learnt;
use sip::RegistrationState;
use sip::message::Uri;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Names are looked up again this often, so that a provider that moves is found.
const LOOK_UP_EVERY: Duration = Duration::from_secs(300);
/// After a name that was not found.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(15);
/// An unanswered look-up is asked again.
const LOOK_UP_WITHIN: Duration = Duration::from_secs(10);
/// Names known at once; page-supplied accounts come from a configured list, so this is ample.
const NAMES: usize = 512;

/// One account, of the file or of a page.
#[derive(Debug)]
pub struct Entry {
    /// As configured.
    pub settings: config::Account,
    /// The page that supplied it.
    pub link: Option<LinkId>,
    /// What earlier calls taught.
    pub learnt: Learnt,
    /// Whether it is registered, and how the provider sees us.
    pub state: RegistrationState,
    /// What the SIP machine was told last.
    told: Option<(SocketAddr, Option<SocketAddr>)>,
}

#[derive(Debug)]
struct Lookup {
    addresses: Vec<SocketAddr>,
    again_at: Instant,
}

/// All accounts, and the addresses behind their names.
#[derive(Debug, Default)]
pub struct Accounts {
    entries: BTreeMap<AccountId, Entry>,
    names: HashMap<String, AccountId>,
    next: u64,
    lookups: HashMap<HostPort, Lookup>,
    wanted: HashSet<HostPort>,
    /// Something changed that the SIP machine or the resolver may have to be told.
    unsettled: bool,
    /// When a name must be looked up again.
    look_up_at: Option<Instant>,
}

impl Accounts {
    /// Takes over the accounts of a (new) configuration; returns those that are gone. An account
    /// whose settings changed is told anew at the next [`Accounts::untold`].
    pub fn configure(&mut self, config: &config::Config) -> Vec<AccountId> {
        self.unsettled = true;
        let mut gone = Vec::new();
        self.names.retain(|name, id| {
            let keep = config.accounts.contains_key(name);
            if !keep {
                gone.push(*id);
            }
            keep
        });
        for id in &gone {
            self.entries.remove(id);
        }
        for (name, settings) in &config.accounts {
            match self.names.get(name).and_then(|id| self.entries.get_mut(id)) {
                Some(entry) => {
                    entry.settings = settings.clone();
                    entry.told = None;
                }
                None => {
                    let id = self.insert(settings.clone(), None);
                    self.names.insert(name.clone(), id);
                }
            }
        }
        self.wanted.clear();
        for account in config.accounts.values() {
            self.wanted.insert(account.registrar.clone());
            if let Some(proxy) = &account.outbound_proxy {
                self.wanted.insert(proxy.target.clone());
            }
        }
        for button in config.buttons.values() {
            if let Some(target) = destination_host(&button.destination) {
                self.wanted.insert(target);
            }
        }
        gone
    }

    /// Adds a page's account.
    pub fn add(&mut self, settings: config::Account, link: LinkId) -> AccountId {
        self.wanted.insert(settings.registrar.clone());
        self.insert(settings, Some(link))
    }

    /// Removes a page's account.
    pub fn remove(&mut self, account: AccountId) {
        self.withdrawn(account);
        self.entries.remove(&account);
    }

    /// A page's account goes from its registrar, and with it the binding of every page that brought
    /// the same one along: theirs is told anew.
    pub fn withdrawn(&mut self, account: AccountId) {
        let Some(entry) = self.entries.get(&account) else { return };
        let others = self.registered_pages(&entry.settings.username).filter(|id| *id != account);
        let same = |id: &AccountId| self.entries.get(id).is_some_and(|other| is_same(other, entry));
        let Some(twin) = others.into_iter().find(same) else { return };
        if let Some(entry) = self.entries.get_mut(&twin) {
            entry.told = None;
            self.unsettled = true;
        }
    }

    /// The account that rings when this one is called: the newest that a page has registered with
    /// the same user and registrar (several tabs, a page that came back before its former self was
    /// given up), since there a person sits. One that the registrar does not know is never called:
    /// anybody can claim a name.
    pub fn called(&self, account: AccountId) -> Option<AccountId> {
        let entry = self.entries.get(&account)?;
        let named = || self.registered_pages(&entry.settings.username);
        let same = |id: &AccountId| self.entries.get(id).is_some_and(|other| is_same(other, entry));
        // The name alone found this account, so another registrar's may be meant; but not by who
        // calls the shop.
        named().find(same).or_else(|| named().next().filter(|_| entry.link.is_some()))
    }

    /// Accounts of pages with this user that their registrars know, the newest first.
    fn registered_pages(&self, username: &str) -> impl Iterator<Item = AccountId> {
        let fits = move |entry: &Entry| {
            entry.link.is_some()
                && entry.settings.username == username
                && matches!(entry.state, RegistrationState::Registered { .. })
        };
        self.entries.iter().rev().filter(move |(_, entry)| fits(entry)).map(|(id, _)| *id)
    }

    /// An address that a page has written, in full: a user or a number stands for one at the
    /// account's registrar, and so does a telephone link. None where it cannot be read.
    pub fn full_address(&self, account: AccountId, written: &str) -> Option<(String, Uri)> {
        let entry = self.entries.get(&account)?;
        let written = written.strip_prefix("tel:").unwrap_or(written);
        if written.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("sips:")) {
            // Not a user called sips.
            return None;
        }
        let full =
            if written.starts_with("sip:") { written.to_owned() } else { format!("sip:{written}") };
        let full =
            if full.contains('@') { full } else { format!("{full}@{}", entry.settings.registrar) };
        let uri = full.parse().ok()?;
        Some((full, uri))
    }

    /// Whether an address is one of the account's own registrar.
    pub fn is_within(&self, account: AccountId, uri: &Uri) -> bool {
        let Some(entry) = self.entries.get(&account) else { return false };
        let registrar = &entry.settings.registrar;
        let host = uri.host.address().map_or_else(|| uri.host.to_string(), |ip| ip.to_string());
        host.eq_ignore_ascii_case(&registrar.host)
            && uri.port.is_none_or(|port| port == registrar.port)
    }

    fn insert(&mut self, settings: config::Account, link: Option<LinkId>) -> AccountId {
        self.unsettled = true;
        self.next += 1;
        let id = AccountId(self.next);
        let state = RegistrationState::Unregistered;
        let learnt = Learnt::default();
        self.entries.insert(id, Entry { settings, link, learnt, state, told: None });
        id
    }

    /// The account of a name in the file.
    pub fn by_name(&self, name: &str) -> Option<AccountId> {
        self.names.get(name).copied()
    }

    /// One account.
    pub fn entry(&self, account: AccountId) -> Option<&Entry> {
        self.entries.get(&account)
    }

    /// One account, to change.
    pub fn entry_mut(&mut self, account: AccountId) -> Option<&mut Entry> {
        self.entries.get_mut(&account)
    }

    /// The address behind a host, if it is known.
    pub fn address(&self, host: &HostPort) -> Option<SocketAddr> {
        literal(host).or_else(|| self.lookups.get(host)?.addresses.first().copied())
    }

    /// Where an account's INVITE to `destination` goes: the outbound proxy, else the
    /// destination's own host if the account is the file's, else the registrar. A page cannot
    /// make us send anywhere else.
    pub fn next_hop(&self, account: AccountId, destination: &str) -> Option<SocketAddr> {
        let entry = self.entries.get(&account)?;
        if let Some(proxy) = &entry.settings.outbound_proxy {
            return self.address(&proxy.target);
        }
        let registrar = &entry.settings.registrar;
        match destination_host(destination) {
            // The same host without a port means the registrar, wherever that listens.
            Some(host) if entry.link.is_none() && host.host != registrar.host => {
                self.address(&host)
            }
            Some(host) if entry.link.is_none() && host.port != registrar.port => {
                let written = destination.contains(&format!(":{}", host.port));
                self.address(if written { &host } else { registrar })
            }
            _ => self.address(registrar),
        }
    }

    /// Whether there may be something to look up or to tell; asked in every round, so it costs
    /// nothing where there is not.
    pub fn is_unsettled(&self, now: Instant) -> bool {
        self.unsettled || self.look_up_at.is_some_and(|at| at <= now)
    }

    /// Everything that could be told is told.
    pub fn settled(&mut self) {
        self.unsettled = false;
        let wanted = self.wanted.iter().filter(|host| literal(host).is_none());
        let again = wanted.filter_map(|host| self.lookups.get(host)).map(|l| l.again_at);
        self.look_up_at = again.min();
    }

    /// Names to look up now.
    pub fn poll_lookup(&mut self, now: Instant) -> Option<HostPort> {
        let due = self.wanted.iter().find(|host| {
            literal(host).is_none()
                && self.lookups.get(*host).is_none_or(|lookup| lookup.again_at <= now)
        })?;
        let due = due.clone();
        let again_at = now + LOOK_UP_WITHIN;
        if self.lookups.len() >= NAMES && !self.lookups.contains_key(&due) {
            self.lookups.clear();
        }
        self.lookups
            .entry(due.clone())
            .and_modify(|lookup| lookup.again_at = again_at)
            .or_insert(Lookup { addresses: Vec::new(), again_at });
        Some(due)
    }

    /// A name's addresses have come. Old ones stay in use where the new look-up found none.
    pub fn resolved(&mut self, now: Instant, name: &str, addresses: Vec<SocketAddr>) {
        self.unsettled = true;
        let found = self.lookups.iter_mut().find(|(host, _)| host.to_string() == name);
        if let Some((_, lookup)) = found {
            if addresses.is_empty() {
                lookup.again_at = now + LOOK_UP_AGAIN;
            } else {
                lookup.again_at = now + LOOK_UP_EVERY;
                lookup.addresses = addresses;
            }
        }
    }

    /// Accounts of which the SIP machine does not know the current settings or addresses.
    pub fn untold(&mut self) -> Vec<(AccountId, sip::Account)> {
        let mut found = Vec::new();
        let ids: Vec<AccountId> = self.entries.keys().copied().collect();
        for id in ids {
            let Some(entry) = self.entries.get(&id) else { continue };
            let settings = &entry.settings;
            let Some(registrar) = self.address(&settings.registrar) else { continue };
            let proxy = match &settings.outbound_proxy {
                Some(proxy) => match self.address(&proxy.target) {
                    Some(address) => Some(address),
                    None => continue,
                },
                None => None,
            };
            if entry.told == Some((registrar, proxy)) {
                continue;
            }
            let route = settings.outbound_proxy.as_ref().and_then(|proxy| proxy.uri.parse().ok());
            let account = sip::Account {
                registrar,
                domain: domain(&settings.registrar),
                username: settings.username.clone(),
                auth_username: settings.auth_username.clone(),
                password: settings.password.clone(),
                register: settings.register,
                expires: settings.expires,
                outbound_proxy: route.zip(proxy),
                display_name: None,
                identity: Box::default(),
            };
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.told = Some((registrar, proxy));
            }
            found.push((id, account));
        }
        found
    }

    /// When a name must be looked up again.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.look_up_at
    }

    /// How many accounts of the file should be registered, and how many are.
    pub fn registered(&self) -> (u64, u64) {
        let wanted = self.entries.values().filter(|e| e.link.is_none() && e.settings.register);
        let (mut all, mut up) = (0, 0);
        for entry in wanted {
            all += 1;
            up += u64::from(matches!(entry.state, RegistrationState::Registered { .. }));
        }
        (all, up)
    }
}

/// Whether two accounts are one to their registrar.
fn is_same(one: &Entry, other: &Entry) -> bool {
    let (one, other) = (&one.settings, &other.settings);
    one.username == other.username && one.registrar == other.registrar
}

/// The domain of an account: the host, with the port where it is not the usual one.
fn domain(registrar: &HostPort) -> String {
    if registrar.port == 5060 {
        let text = registrar.to_string();
        text.trim_end_matches(":5060").to_owned()
    } else {
        registrar.to_string()
    }
}

fn literal(host: &HostPort) -> Option<SocketAddr> {
    host.host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, host.port))
}

/// The host and port of a SIP URI's host part.
fn destination_host(uri: &str) -> Option<HostPort> {
    let uri: Uri = uri.parse().ok()?;
    let host = match uri.host.address() {
        Some(ip) => ip.to_string(),
        None => uri.host.to_string(),
    };
    Some(HostPort { host, port: uri.port.unwrap_or(5060) })
}
