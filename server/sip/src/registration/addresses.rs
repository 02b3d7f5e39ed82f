//! The addresses that stand in an account's requests.

use super::{Registration, domain};
use crate::endpoint::Account;
use crate::message::{Host, NameAddr, Params, Uri};
use crate::quirks::Quirk;

impl Registration {
    /// What every first request passes.
    pub(super) fn first_routes(&self) -> Vec<NameAddr> {
        let named = !self.settings.quirks.has(Quirk::NoRoute);
        let proxy = self.settings.outbound_proxy.iter().filter(|_| named);
        proxy.cloned().map(NameAddr::new).collect()
    }

    /// Our address of record.
    pub(super) fn address_of_record(&self) -> NameAddr {
        let Account { quirks, username, auth_username, domain, .. } = &self.settings;
        let user = quirks.sender_user(username, auth_username.as_deref());
        NameAddr::new(quirks.address(domain::uri(Some(user), domain)))
    }

    /// The user part of our Contact; empty: none.
    pub(crate) fn contact_user(&self) -> &str {
        let Account { quirks, username, auth_username, .. } = &self.settings;
        quirks.contact_user(username, auth_username.as_deref())
    }
}

/// What From says of a caller who wants to stay unknown (RFC 3323 4.1.1.3).
pub(super) fn anonymous() -> NameAddr {
    let uri = Uri::sip(Some("anonymous"), Host::Name("anonymous.invalid".into()), None);
    NameAddr { display: Some("Anonymous".into()), uri, params: Params::new() }
}
