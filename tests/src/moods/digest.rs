//! How a provider asks for the password.

use super::Habits;
use crate::kamailio::PASSWORD;
use base::Secret;
use sip::auth::verify;
use sip::message::{Method, Name, Request};
use std::collections::HashMap;

/// The nonces that were given out, by how often they were used.
#[derive(Debug, Default)]
pub(super) struct Nonces {
    used: HashMap<String, u32>,
}

/// A challenge.
pub(super) struct Asked {
    pub(super) status: u16,
    pub(super) add: Vec<(Name, String)>,
}

impl Nonces {
    /// Whether a request has to be sent again with credentials. The first realm of a registrar asks
    /// as a server, all others as proxies do.
    pub(super) fn ask(&mut self, habits: &Habits, request: &Request) -> Option<Asked> {
        let secret = Secret::new(PASSWORD);
        let given = [Name::Authorization, Name::ProxyAuthorization];
        let given = given.iter().flat_map(|name| request.headers.all(name));
        let right: Vec<_> = given
            .filter_map(|value| verify(value, request.method.as_str(), &request.body, &secret))
            .filter(|right| right.username == habits.auth_username)
            .collect();
        for (place, realm) in habits.realms.iter().enumerate() {
            let found = right.iter().find(|right| right.realm == *realm);
            let uses = found.and_then(|right| self.used.get_mut(&right.nonce));
            let most = if habits.stale { 1 } else { u32::MAX };
            if let Some(uses) = uses
                && *uses < most
            {
                *uses += 1;
                continue;
            }
            // Whoever has the password and an old nonce is told so.
            let stale = if found.is_some() { ", stale=true" } else { "" };
            let nonce = format!("{place}-{}", self.used.len());
            let server = place == 0 && request.method == Method::Register;
            let (status, name) = match server {
                true => (401, Name::WwwAuthenticate),
                false => (407, Name::ProxyAuthenticate),
            };
            let challenges = habits.algorithms.iter().map(|algorithm| {
                let value = format!(
                    "Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={algorithm}, \
                     qop=\"auth\"{stale}"
                );
                (name.clone(), value)
            });
            let add = challenges.collect();
            self.used.insert(nonce, 0);
            return Some(Asked { status, add });
        }
        None
    }
}
