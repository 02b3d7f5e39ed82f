//! Transfers, as far as they join two calls.

use super::{Endpoint, Event, InviteId};
use crate::cause::{Cause, CauseKind};
use crate::invite::Order;
use crate::message::{Name, NameAddr, Uri};
use crate::quirks::Quirks;
use crate::target::Target;
use base::AccountId;
use std::time::Instant;

impl Endpoint {
    pub(super) fn refer(
        &mut self,
        now: Instant,
        invite: InviteId,
        target: Uri,
        replaces: Option<InviteId>,
    ) {
        let other = replaces.map(|other| self.invites.get(&other).and_then(|o| o.replaced()));
        let known = self.invites.get(&invite).is_some_and(|invite| !invite.has_ended());
        match other {
            _ if !known => {}
            Some(None) => {}
            other => {
                let replaces = other.flatten();
                self.with_invite(invite, |i, core| i.refer(core, now, target, replaces));
                return;
            }
        }
        self.refuse();
        let outcome = Err(Cause::local(CauseKind::Protocol));
        self.core.events.push_back(Event::Transferred { invite, outcome });
    }

    pub(super) fn refer_to_call(&mut self, now: Instant, invite: InviteId, other: InviteId) {
        let target = self.invites.get(&other).and_then(|other| other.remote_target());
        if let Some(target) = target.cloned() {
            return self.refer(now, invite, target, Some(other));
        }
        self.refuse();
        let outcome = Err(Cause::local(CauseKind::Protocol));
        self.core.events.push_back(Event::Transferred { invite, outcome });
    }

    pub(super) fn follow_referral(
        &mut self,
        now: Instant,
        invite: InviteId,
        new: InviteId,
        (account, targets): (AccountId, Vec<Target>),
        (offer, second_offer): (Vec<u8>, Option<Vec<u8>>),
    ) {
        if new.0 >= InviteId::INCOMING || self.invites.contains_key(&new) {
            self.refuse();
            return;
        }
        let mut wish = None;
        self.order(invite, |invite, core| wish = invite.follow_referral(core, now));
        let Some(wish) = wish else {
            let cause = Cause::local(CauseKind::Protocol);
            self.core.events.push_back(Event::Ended { invite: new, cause });
            return;
        };
        let mut headers = Vec::new();
        if let Some(by) = wish.referred_by {
            headers.push((Name::ReferredBy.as_str().to_owned(), by.to_string()));
        }
        if let Some(replaces) = wish.replaces {
            headers.push((Name::Replaces.as_str().to_owned(), replaces.to_string()));
        }
        let order = Order {
            id: new,
            from: NameAddr::new(wish.target.clone()),
            user: "",
            destination: wish.target,
            targets,
            routes: Vec::new(),
            headers,
            offer,
            hosts: Vec::new(),
            challenger: None,
            quirks: Quirks::default(),
        };
        self.place(now, account, order);
        let placed = self.with_invite(new, |call, core| {
            call.set_second_offer(second_offer);
            call.set_referrer(core, invite);
        });
        if !placed {
            self.with_invite(invite, |invite, core| invite.report(core, now, 503));
        }
    }

    /// Brings what calls have come to, to those in which they were asked for.
    pub(super) fn pass_reports(&mut self, now: Instant) {
        while let Some((referrer, status)) = self.core.reports.pop_front() {
            self.with_invite(referrer, |invite, core| invite.report(core, now, status));
        }
    }
}
