//! What an account gives to its calls.

use super::{Registration, credentials};
use crate::challenge::Challenger;
use crate::invite::Order;
use crate::message::NameAddr;

impl Registration {
    /// What an INVITE of this account starts from.
    pub(crate) fn order<'a>(&'a self, order: Order<'a>) -> Order<'a> {
        let mut from = self.address_of_record();
        from.display = order.from.display.clone().or_else(|| self.settings.display_name.clone());
        let proxy = self.settings.outbound_proxy.iter().cloned();
        let mut routes: Vec<NameAddr> = proxy.map(NameAddr::new).collect();
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
        Order { from, user: &self.settings.username, routes, targets, ..order }
    }

    /// The credentials for its calls.
    pub(crate) fn challenger(&self) -> Challenger {
        Challenger::new(credentials(&self.settings))
    }
}
