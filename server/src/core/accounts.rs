//! The accounts of one shard: where their servers are, and what their registrations are.

use crate::config::values::{self, usual_port};
use crate::config::{self, HostPort};
use crate::net::Server;
use base::{AccountId, LinkId, Protocol};
use call::Learnt;
use sip::{RegistrationState, Target};
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
    told: Option<(Vec<Target>, Vec<IpAddr>)>,
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
    /// Whom the buttons call, by their accounts.
    destinations: Vec<(AccountId, String)>,
    /// The servers that whoever owns SIP's connections was told of.
    told_servers: Vec<Server>,
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
            let transport = config.accounts.get(&button.account).map(|account| account.transport);
            let transport = transport.unwrap_or(Protocol::Udp);
            if let Some((target, _)) = destination_host(&button.destination, transport) {
                self.wanted.insert(target);
            }
        }
        self.destinations.clear();
        for button in config.buttons.values() {
            if let Some(account) = self.names.get(&button.account) {
                self.destinations.push((*account, button.destination.clone()));
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
        self.entries.remove(&account);
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

    /// The servers behind a host, in the order of trying; none while its addresses are not known.
    fn targets(&self, host: &HostPort, protocol: Protocol) -> Vec<Target> {
        let found = match literal(host) {
            Some(address) => vec![address],
            None => {
                self.lookups.get(host).map(|lookup| lookup.addresses.clone()).unwrap_or_default()
            }
        };
        let target = |address| Target { protocol, address, name: host.host.clone() };
        found.into_iter().map(target).collect()
    }

    /// Where an account's INVITE to `destination` goes: the outbound proxy, else the
    /// destination's own host if the account is the file's, else the registrar. A page cannot
    /// make us send anywhere else. Empty while no address is known.
    pub fn next_hops(&self, account: AccountId, destination: &str) -> Vec<Target> {
        let Some(entry) = self.entries.get(&account) else { return Vec::new() };
        let transport = entry.settings.transport;
        if let Some(proxy) = &entry.settings.outbound_proxy {
            return self.targets(&proxy.target, proxy.transport);
        }
        let registrar = &entry.settings.registrar;
        match destination_host(destination, transport) {
            // The same host without a port means the registrar, wherever that listens.
            Some((host, transport)) if entry.link.is_none() && host.host != registrar.host => {
                self.targets(&host, transport)
            }
            Some((host, transport)) if entry.link.is_none() && host.port != registrar.port => {
                let written = destination.contains(&format!(":{}", host.port));
                self.targets(if written { &host } else { registrar }, transport)
            }
            _ => self.targets(registrar, transport),
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
            let registrar = self.targets(&settings.registrar, settings.transport);
            let peers = registrar.iter().map(|target| target.address.ip()).collect();
            let targets = match &settings.outbound_proxy {
                Some(proxy) => self.targets(&proxy.target, proxy.transport),
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
            let account = sip::Account {
                targets,
                peers,
                domain: domain(&settings.registrar, settings.transport),
                username: settings.username.clone(),
                auth_username: settings.auth_username.clone(),
                password: settings.password.clone(),
                register: settings.register,
                expires: settings.expires,
                outbound_proxy: route,
                display_name: None,
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
                    add(self.targets(host, transport), settings);
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

/// The domain of an account: the host, with the port where it is not the usual one.
fn domain(registrar: &HostPort, transport: Protocol) -> String {
    let text = registrar.to_string();
    match text.strip_suffix(&format!(":{}", usual_port(transport))) {
        Some(host) => host.to_owned(),
        None => text,
    }
}

fn literal(host: &HostPort) -> Option<SocketAddr> {
    host.host.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, host.port))
}

/// The host and port of a SIP URI's host part, and the transport that it names, if not the usual.
fn destination_host(uri: &str, usual: Protocol) -> Option<(HostPort, Protocol)> {
    let uri: sip::message::Uri = uri.parse().ok()?;
    let host = match uri.host.address() {
        Some(ip) => ip.to_string(),
        None => uri.host.to_string(),
    };
    let named = uri.transport().map(|named| named.as_str().to_ascii_lowercase());
    let transport = named.and_then(|named| values::transport(&named).ok()).unwrap_or(usual);
    Some((HostPort { host, port: uri.port.unwrap_or(usual_port(transport)) }, transport))
}
