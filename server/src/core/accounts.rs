//! The accounts of one shard: where their servers are, and what their registrations are.

use super::lookups::Lookups;
use crate::config::{self, HostPort, values};
use crate::net::Server;
use crate::net::resolve::{Outcome, Question, numbers};
use base::{AccountId, LinkId, Protocol};
use call::Learnt;
use sip::message::Uri;
use sip::{RegistrationState, Target};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::IpAddr;
use std::time::Instant;

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
    /// When it could not bring a call out that another account then did.
    pub failed_at: Option<Instant>,
    /// What the SIP machine was told last.
    told: Option<(Vec<Target>, Vec<IpAddr>)>,
}

impl Entry {
    /// Whether its calls may get through: a trunk's always, else while it is registered.
    pub fn is_ready(&self) -> bool {
        !self.settings.register || matches!(self.state, RegistrationState::Registered { .. })
    }
}

/// All accounts, and the addresses behind their names.
#[derive(Debug, Default)]
pub struct Accounts {
    entries: BTreeMap<AccountId, Entry>,
    names: HashMap<String, AccountId>,
    next: u64,
    lookups: Lookups,
    /// Something changed that the SIP machine or the resolver may have to be told.
    unsettled: bool,
    /// Whom the buttons call, by their accounts.
    destinations: Vec<(AccountId, String)>,
    /// The servers that whoever owns SIP's connections was told of.
    told_servers: Vec<Server>,
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
        self.lookups.begin();
        for entry in self.entries.values() {
            self.lookups.want(&entry.settings.registrar, entry.settings.transport);
            if let Some(proxy) = &entry.settings.outbound_proxy {
                self.lookups.want(&proxy.target, proxy.transport);
            }
        }
        self.destinations.clear();
        for button in config.buttons.values() {
            let named = button.accounts.iter().filter_map(|name| self.names.get(name));
            let ids: Vec<AccountId> = named.copied().collect();
            for account in &ids {
                let destination = self.destination(*account, &button.destination, &ids);
                self.want(*account, &destination);
                self.destinations.push((*account, destination));
            }
        }
        self.lookups.forget_unwanted();
        gone
    }

    /// Has the host of a destination looked up, where the account's own servers are not asked.
    fn want(&mut self, account: AccountId, destination: &str) {
        let Some(settings) = self.entries.get(&account).map(|entry| &entry.settings) else {
            return;
        };
        if let Some((host, transport)) = destination_host(destination, settings.transport)
            && settings.outbound_proxy.is_none()
            && !is_home(settings, &host)
        {
            self.lookups.want(&host, transport);
        }
    }

    /// Adds a page's account.
    pub fn add(&mut self, settings: config::Account, link: LinkId) -> AccountId {
        self.lookups.want(&settings.registrar, settings.transport);
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
        let same = |id: &AccountId| self.entries.get(id).is_some_and(|other| is_same(other, entry));
        self.registered_pages(&entry.settings.username).find(same)
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
        let (scheme, rest) = written.split_once(':').unwrap_or(("", written));
        let full = match scheme.to_ascii_lowercase().as_str() {
            "sip" | "tel" => format!("sip:{rest}"),
            // Not a user called sips.
            "sips" => return None,
            _ => format!("sip:{written}"),
        };
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
        let usual = registrar.port.unwrap_or(values::SIP_PORT);
        let port = uri.port.filter(|port| *port != usual);
        is_home(&entry.settings, &HostPort { host, port })
    }

    fn insert(&mut self, settings: config::Account, link: Option<LinkId>) -> AccountId {
        self.unsettled = true;
        self.next += 1;
        let id = AccountId(self.next);
        let state = RegistrationState::Unregistered;
        let learnt = Learnt::default();
        self.entries
            .insert(id, Entry { settings, link, learnt, state, failed_at: None, told: None });
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

    /// Where an account's INVITE to `destination` goes: the outbound proxy, else the
    /// destination's own host if the account is the file's, else the registrar. A page cannot
    /// make us send anywhere else. Empty while no address is known.
    pub fn next_hops(&self, account: AccountId, destination: &str) -> Vec<Target> {
        let Some(entry) = self.entries.get(&account) else { return Vec::new() };
        let transport = entry.settings.transport;
        if let Some(proxy) = &entry.settings.outbound_proxy {
            return self.lookups.targets(&proxy.target, proxy.transport);
        }
        match destination_host(destination, transport) {
            Some((host, transport)) if entry.link.is_none() && !is_home(&entry.settings, &host) => {
                self.lookups.targets(&host, transport)
            }
            _ => self.lookups.targets(&entry.settings.registrar, transport),
        }
    }

    /// Whom an account calls for a button. A destination at one of the button's own providers means
    /// the same user at the provider that the call goes out by.
    pub fn destination(&self, account: AccountId, written: &str, of: &[AccountId]) -> String {
        let settings = |id: &AccountId| self.entries.get(id).map(|entry| &entry.settings);
        let moved = || {
            let (host, _) = destination_host(written, None)?;
            let own = settings(&account)?;
            let mut all = of.iter().filter_map(settings);
            if is_home(own, &host) || !all.any(|other| is_home(other, &host)) {
                return None;
            }
            let mut uri: Uri = written.parse().ok()?;
            let there = own.domain.clone().unwrap_or_else(|| own.registrar.to_string());
            let there: Uri = format!("sip:{there}").parse().ok()?;
            (uri.host, uri.port) = (there.host, there.port);
            Some(uri.to_string())
        };
        moved().unwrap_or_else(|| written.to_owned())
    }

    /// Whether there may be something to look up or to tell; asked in every round, so it costs
    /// nothing where there is not.
    pub fn is_unsettled(&self, now: Instant) -> bool {
        self.unsettled || self.lookups.is_due(now)
    }

    /// Everything that could be told is told.
    pub fn settled(&mut self) {
        self.unsettled = false;
        self.lookups.settled();
    }

    /// Names to look up now.
    pub fn poll_lookup(&mut self, now: Instant) -> Option<Question> {
        self.lookups.poll(now)
    }

    /// A name's servers have come, or have not.
    pub fn resolved(&mut self, now: Instant, question: &Question, outcome: Outcome) {
        self.unsettled = true;
        self.lookups.resolved(now, question, outcome);
    }

    /// Accounts of which the SIP machine does not know the current settings or addresses.
    pub fn untold(&mut self) -> Vec<(AccountId, sip::Account)> {
        let mut found = Vec::new();
        let ids: Vec<AccountId> = self.entries.keys().copied().collect();
        for id in ids {
            let Some(entry) = self.entries.get(&id) else { continue };
            let settings = &entry.settings;
            let registrar = self.lookups.targets(&settings.registrar, settings.transport);
            let peers = self.lookups.peers(&settings.registrar, settings.transport);
            let targets = match &settings.outbound_proxy {
                Some(proxy) => self.lookups.targets(&proxy.target, proxy.transport),
                None => registrar,
            };
            let told = Some((targets, peers));
            if told == entry.told {
                continue;
            }
            let Some((targets, peers)) = told.clone().filter(|told| !told.0.is_empty()) else {
                continue;
            };
            let route = settings.outbound_proxy.as_ref().and_then(|proxy| proxy.uri.parse().ok());
            let domain = match &settings.domain {
                Some(domain) => domain.clone(),
                None => domain(&settings.registrar, settings.transport),
            };
            let account = sip::Account {
                targets,
                peers,
                identity: identity(settings, &domain),
                domain,
                username: settings.username.clone(),
                auth_username: settings.auth_username.clone(),
                password: settings.password.clone(),
                register: settings.register,
                expires: settings.expires,
                outbound_proxy: route,
                display_name: None,
                quirks: settings.quirks,
            };
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.told = told;
            }
            found.push((id, account));
        }
        found
    }

    /// Every server that connections may be made to or come from, where they are others than the
    /// ones told before.
    pub fn changed_servers(&self) -> Option<Vec<Server>> {
        // Pages bring many accounts at few registrars: each place is looked at once.
        let mut places = HashSet::new();
        let mut servers: Vec<Server> = Vec::new();
        let mut add = |targets: Vec<Target>, settings: &config::Account| {
            let ca_file = &settings.ca_file;
            let found =
                targets.into_iter().map(|target| Server { target, ca_file: ca_file.clone() });
            for server in found {
                if !servers.contains(&server) {
                    servers.push(server);
                }
            }
        };
        for entry in self.entries.values() {
            let settings = &entry.settings;
            let proxy =
                settings.outbound_proxy.iter().map(|proxy| (&proxy.target, proxy.transport));
            for (host, transport) in proxy.chain([(&settings.registrar, settings.transport)]) {
                if places.insert((host, transport, &settings.ca_file)) {
                    add(self.lookups.targets(host, transport), settings);
                }
            }
        }
        for (account, destination) in &self.destinations {
            if let Some(entry) = self.entries.get(account) {
                add(self.next_hops(*account, destination), &entry.settings);
            }
        }
        (servers != self.told_servers).then_some(servers)
    }

    /// They were told.
    pub fn told_servers(&mut self, servers: Vec<Server>) {
        self.told_servers = servers;
    }

    /// When a name must be looked up again.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.lookups.poll_timeout()
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

/// Whether a host is an account's own: its registrar's, where no port means that of the registrar,
/// or the domain of its address.
fn is_home(settings: &config::Account, host: &HostPort) -> bool {
    let registrar = &settings.registrar;
    let port = host.port.is_none() || host.port == registrar.port;
    let domain = settings.domain.as_deref();
    (port && host.host.eq_ignore_ascii_case(&registrar.host))
        || domain.is_some_and(|domain| domain.eq_ignore_ascii_case(&host.to_string()))
}

/// What an account's calls say of who calls, besides From.
fn identity(settings: &config::Account, domain: &str) -> Box<sip::Identity> {
    let config::Account { from_user, username, .. } = settings;
    let own = || format!("sip:{}@{domain}", from_user.as_ref().unwrap_or(username)).parse().ok();
    let mut identity = sip::Identity { from_user: from_user.clone(), ..Default::default() };
    match settings.identity {
        config::Identity::Off => {}
        config::Identity::Asserted => identity.asserted = own(),
        config::Identity::Preferred => identity.preferred = own(),
    }
    Box::new(identity)
}

/// The domain of an account: the host, with the port where it is not the usual one.
fn domain(registrar: &HostPort, transport: Option<Protocol>) -> String {
    let usual = numbers::default_port(transport.unwrap_or(Protocol::Udp));
    let port = registrar.port.filter(|port| *port != usual);
    HostPort { port, ..registrar.clone() }.to_string()
}

/// The host and port of a SIP URI's host part, and the transport that it names, if not the usual.
fn destination_host(uri: &str, usual: Option<Protocol>) -> Option<(HostPort, Option<Protocol>)> {
    let uri: Uri = uri.parse().ok()?;
    let host = match uri.host.address() {
        Some(ip) => ip.to_string(),
        None => uri.host.to_string(),
    };
    let named = uri.transport().map(|named| named.as_str().to_ascii_lowercase());
    let transport = named.and_then(|named| values::transport(&named).ok()).or(usual);
    Some((HostPort { host, port: uri.port }, transport))
}
