//! Redirections of a call (3xx, RFC 3261 8.1.3.4), as far as they stay at home.

use super::{Invite, Role};
use crate::endpoint::Core;
use crate::limits;
use crate::message::{Host, NameAddr, Request, Response, Scheme, Uri};
use crate::transaction::{Hop, TransactionId};
use std::collections::VecDeque;
use std::time::Instant;

/// Where a call has been sent, and where it may be.
///
/// A redirection costs whoever pays for the account, so it is followed only to hosts that are the
/// account's own anyway, by the way that the call took first, a few times, and nowhere twice. Of
/// several targets the one with the highest `q` is called, and the others after it where that one
/// does not take the call.
#[derive(Default)]
pub(super) struct Redirects {
    hosts: Vec<Host>,
    tried: Vec<Uri>,
    /// Targets that were named and are not tried, the best first.
    untried: VecDeque<Uri>,
    /// The INVITE that was redirected, and its way.
    request: Option<Box<(Request, Hop)>>,
}

impl Redirects {
    /// None yet, of a call to this target under an account with these hosts.
    pub(super) fn new(hosts: Vec<Host>, destination: Uri) -> Self {
        Redirects { hosts, tried: vec![destination], ..Redirects::default() }
    }

    /// Takes down the targets that a response names, before those of earlier ones.
    fn note(&mut self, response: &Response) {
        // 305 and 380 name no other place of the callee.
        if !matches!(response.status, 300..=302) {
            return;
        }
        let mut contacts = response.contacts();
        contacts.retain(|contact| self.allows(&contact.uri));
        contacts.sort_by_key(|contact| std::cmp::Reverse(weight(contact)));
        for contact in contacts.into_iter().take(limits::REDIRECTS).rev() {
            self.untried.push_front(contact.uri);
        }
        self.untried.truncate(limits::REDIRECTS);
    }

    /// The next target, which counts as tried from here on.
    fn next(&mut self) -> Option<Uri> {
        while let Some(uri) = self.untried.pop_front() {
            if self.tried.len() <= limits::REDIRECTS && self.allows(&uri) {
                self.tried.push(uri.clone());
                return Some(uri);
            }
        }
        None
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
        let client = core.table.client(id)?;
        let (request, way) = (client.request.clone(), client.way());
        if self.redirects.tried.last().is_none_or(|last| *last != request.uri) {
            // A strict router stands in the Request-URI.
            return None;
        }
        self.redirects.note(response);
        self.redirects.request = Some(Box::new((request, way)));
        self.try_target(core, now)
    }

    /// Calls the next target of those that 3xx have named.
    pub(super) fn try_target(&mut self, core: &mut Core, now: Instant) -> Option<TransactionId> {
        let target = self.redirects.next()?;
        let (mut request, way) = *self.redirects.request.clone()?;
        request.uri = target;
        // What earlier targets have refused is not said to this one.
        request.body.clone_from(&self.media.ours);
        self.session_timer.ask(&mut request.headers);
        self.resend_changed(core, now, request, way, Role::Invite)
    }
}
