//! A registrar for tests: digest, nonces that go stale, minimum lifetimes, outages, and a NAT.

use base::Secret;
use sip::auth::{Algorithm, verify};
use sip::message::{Message, Method, Name, NameAddr, Request, parse};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub struct Registrar {
    pub address: SocketAddr,
    /// `None`: nobody is asked for credentials.
    pub password: Option<&'static str>,
    /// One challenge for each.
    pub algorithms: Vec<Algorithm>,
    /// How often a nonce may be used before it is stale.
    pub nonce_uses: u32,
    pub least: u64,
    /// What is granted at most.
    pub most: u64,
    /// A final status for everything, instead of service.
    pub broken: Option<u16>,
    pub mute: bool,
    /// The address from which requests seem to come.
    pub sees: Option<SocketAddr>,
    /// Somebody else's binding, listed in every answer.
    pub stranger: bool,
    pub service_route: Option<&'static str>,
    pub bindings: BTreeMap<String, Instant>,
    pub log: Vec<(Instant, Request)>,
    /// When lone line ends came.
    pub line_ends: Vec<Instant>,
    nonce: u64,
    /// How often each nonce was used.
    used: BTreeMap<String, u32>,
}

impl Registrar {
    pub fn new(address: SocketAddr) -> Self {
        Registrar {
            address,
            password: Some("secret"),
            algorithms: vec![Algorithm::Md5],
            nonce_uses: u32::MAX,
            least: 0,
            most: 3600,
            broken: None,
            mute: false,
            sees: None,
            stranger: false,
            service_route: None,
            bindings: BTreeMap::new(),
            log: Vec::new(),
            line_ends: Vec::new(),
            nonce: 1,
            used: BTreeMap::new(),
        }
    }

    /// Bindings that hold now, without what tells accounts apart.
    pub fn alive(&self, now: Instant) -> Vec<String> {
        let alive = self.bindings.iter().filter(|(_, until)| **until > now);
        alive.map(|(contact, _)| place(contact)).collect()
    }

    pub fn hear(&mut self, now: Instant, from: SocketAddr, octets: &[u8]) -> Option<Vec<u8>> {
        if octets == crate::wire::LINE_ENDS {
            self.line_ends.push(now);
        }
        let Ok(Message::Request(request)) = parse(octets) else { return None };
        self.log.push((now, request.clone()));
        if self.mute || request.method != Method::Register {
            return None;
        }
        let seen = self.sees.unwrap_or(from);
        let mut via = request.via().unwrap();
        via.set_received(seen.ip());
        via.set_rport(Some(seen.port()));
        let mut stamped = request.clone();
        stamped.headers.set_first(&Name::Via, via.to_string());
        let (status, add) = self.judge(now, &request);
        let mut response = stamped.response(status, "Phrase");
        for (name, value) in add {
            response.headers.push(name, value);
        }
        Some(response.to_bytes())
    }

    fn judge(&mut self, now: Instant, request: &Request) -> (u16, Vec<(Name, String)>) {
        if let Some(status) = self.broken {
            return (status, Vec::new());
        }
        if let Some(password) = self.password {
            let given = request.headers.get(&Name::Authorization);
            let right = given
                .and_then(|value| verify(value, "REGISTER", &request.body, &Secret::new(password)));
            let uses = right.as_ref().and_then(|right| self.used.get_mut(&right.nonce));
            match uses.filter(|uses| **uses < self.nonce_uses) {
                Some(uses) => *uses += 1,
                None => {
                    self.nonce += 1;
                    self.used.insert(self.nonce.to_string(), 0);
                    return (401, self.challenges(right.is_some()));
                }
            }
        }
        let asked = request.headers.seconds(&Name::Expires).map_or(3600, u64::from);
        if asked > 0 && asked < self.least {
            return (423, vec![(Name::MinExpires, self.least.to_string())]);
        }
        for contact in request.contacts() {
            let seconds = contact.expires().map_or(asked, u64::from).min(self.most);
            let until = now + Duration::from_secs(seconds);
            self.bindings.insert(contact.uri.to_string(), until);
        }
        let mut add = Vec::new();
        if self.stranger {
            add.push((Name::Contact, "<sip:alice@203.0.113.99>;expires=7000".to_owned()));
        }
        for (uri, until) in self.bindings.iter().filter(|(_, until)| **until > now) {
            let mut contact = NameAddr::parse(&format!("<{uri}>")).unwrap();
            let seconds = (*until - now).as_secs().to_string();
            contact.params.set("expires", Some(&seconds));
            add.push((Name::Contact, contact.to_string()));
        }
        if let Some(route) = self.service_route {
            add.push((Name::ServiceRoute, route.to_owned()));
        }
        (200, add)
    }

    fn challenges(&self, stale: bool) -> Vec<(Name, String)> {
        self.algorithms
            .iter()
            .map(|algorithm| {
                let stale = if stale { ", stale=true" } else { "" };
                let value = format!(
                    "Digest realm=\"sip.example\", nonce=\"{}\", algorithm={}, \
                     qop=\"auth,auth-int\"{stale}",
                    self.nonce,
                    algorithm.as_str()
                );
                (Name::WwwAuthenticate, value)
            })
            .collect()
    }
}

/// A Contact's URI without what tells accounts apart.
pub fn place(uri: &str) -> String {
    uri.split(";rinstance=").next().unwrap().to_owned()
}
