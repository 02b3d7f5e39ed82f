//! What an account gives to its calls.

use super::Registration;
use super::addresses::anonymous;
use crate::auth::Credentials;
use crate::challenge::Challenger;
use crate::endpoint::Account;
use crate::invite::Order;
use crate::message::{Host, Name, NameAddr, escape_user};

impl Registration {
    /// What an INVITE of this account starts from.
    pub(crate) fn order<'a>(&'a self, order: Order<'a>) -> Order<'a> {
        let mut from = self.address_of_record();
        if let Some(user) = &self.settings.identity.from_user {
            from.uri.user = Some(escape_user(user));
        }
        let quirks = self.settings.quirks;
        from.uri = quirks.party(from.uri);
        from.display = order.from.display.clone().or_else(|| self.settings.display_name.clone());
        let mut routes = self.first_routes();
        for route in &self.service_routes {
            if !routes.iter().any(|known| known.uri.equivalent(&route.uri)) {
                routes.push(route.clone());
            }
        }
        let mut targets = order.targets;
        let used = self.settings.targets.get(self.target);
        // Where the registration got through the call gets through, and a first server that was
        // found dead does not hold it up.
        if let Some(place) = used.and_then(|used| targets.iter().position(|to| to == used)) {
            targets.rotate_left(place);
        }
        let identity = &self.settings.identity;
        let mut headers = order.headers;
        for (name, uri) in [
            (Name::PAssertedIdentity, &identity.asserted),
            (Name::PPreferredIdentity, &identity.preferred),
        ] {
            if let Some(uri) = uri {
                let party = NameAddr::new(quirks.party(uri.clone()));
                headers.push((name.as_str().to_owned(), party.to_string()));
            }
        }
        if identity.anonymous {
            from = anonymous();
            headers.push((Name::Privacy.as_str().to_owned(), "id".to_owned()));
        }
        let user = if identity.anonymous { "anonymous" } else { self.contact_user() };
        let protocol = targets.first().map(|target| target.protocol);
        let destination = quirks.request_uri(quirks.party(order.destination), protocol);
        let hosts = self.hosts();
        Order { from, user, destination, routes, targets, headers, hosts, quirks, ..order }
    }

    /// The hosts to which its calls may be sent elsewhere (3xx): its own domain and its servers.
    fn hosts(&self) -> Vec<Host> {
        let proxy = self.settings.outbound_proxy.iter().map(|uri| uri.host.clone());
        let domain = Host::parse(&self.settings.domain);
        let servers = self.settings.targets.iter().map(|target| Host::from(target.address.ip()));
        domain.into_iter().chain(servers).chain(proxy).collect()
    }

    /// The credentials for its calls.
    pub(crate) fn challenger(&self) -> Challenger {
        Challenger::new(credentials(&self.settings))
    }
}

/// What challenges are answered with.
pub(super) fn credentials(settings: &Account) -> Credentials {
    Credentials {
        username: settings.auth_username.clone().unwrap_or_else(|| settings.username.clone()),
        password: settings.password.clone(),
    }
}
