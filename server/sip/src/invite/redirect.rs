//! Redirections of a call (3xx, RFC 3261 8.1.3.4), as far as they stay at home.

use super::{Invite, Role};
use crate::endpoint::Core;
use crate::limits;
use crate::message::{Host, NameAddr, Response, Scheme, Uri};
use crate::transaction::TransactionId;
use std::time::Instant;

/// Where a call has been sent, and where it may be.
///
/// A redirection costs whoever pays for the account, so it is followed only to hosts that are the
/// account's own anyway, by the way that the call took first, a few times, and nowhere twice. Of
/// several targets the one with the highest `q` is called.
#[derive(Default)]
pub(super) struct Redirects {
    hosts: Vec<Host>,
    tried: Vec<Uri>,
}

impl Redirects {
    /// None yet, of a call to this target under an account with these hosts.
    pub(super) fn new(hosts: Vec<Host>, destination: Uri) -> Self {
        Redirects { hosts, tried: vec![destination] }
    }

    /// The next target that a response names.
    fn next(&self, response: &Response) -> Option<Uri> {
        // 305 and 380 name no other place of the callee.
        if !matches!(response.status, 300..=302) || self.tried.len() > limits::REDIRECTS {
            return None;
        }
        let mut contacts = response.contacts();
        contacts.sort_by_key(|contact| std::cmp::Reverse(weight(contact)));
        contacts.into_iter().map(|contact| contact.uri).find(|uri| self.allows(uri))
    }

    fn allows(&self, uri: &Uri) -> bool {
        let first = self.tried.first();
        let home = self.hosts.iter().chain(first.map(|first| &first.host));
        let home = home.into_iter().any(|host| *host == uri.host);
        // A next hop of its own is as good as another host.
        let scheme = first.map_or(&Scheme::Sip, |first| &first.scheme);
        let plain = uri.scheme == *scheme && !uri.params.has("maddr") && uri.headers.is_empty();
        home && plain && !self.tried.iter().any(|tried| tried.equivalent(uri))
    }
}

/// `q` in thousandths (RFC 3261 20.10); 1 where there is none.
fn weight(contact: &NameAddr) -> u16 {
    let q = contact.params.get("q").and_then(|q| q.parse::<f32>().ok()).unwrap_or(1.0);
    (q.clamp(0.0, 1.0) * 1000.0) as u16
}

impl Invite {
    /// Calls where a 3xx says, if that is allowed.
    pub(super) fn follow_redirect(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        response: &Response,
    ) -> Option<TransactionId> {
        let target = self.redirects.next(response)?;
        let client = core.table.client(id)?;
        let (mut request, hop) = (client.request.clone(), client.way());
        if self.redirects.tried.last().is_none_or(|last| *last != request.uri) {
            // A strict router stands in the Request-URI.
            return None;
        }
        request.uri = target.clone();
        self.redirects.tried.push(target);
        self.resend(core, now, request, hop, Role::Invite)
    }
}
