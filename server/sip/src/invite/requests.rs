//! What a call sends in its dialogs: requests once and again, the ACK of a 2xx, BYE.

use super::{Invite, Role};
use crate::cause::{CauseKind, reason};
use crate::dialog::Dialog;
use crate::endpoint::Core;
use crate::limits;
use crate::message::{Method, Name, Request, Response};
use crate::transaction::{Hop, TransactionId, User, Wire};
use std::time::Instant;

/// An ACK of a 2xx, kept for as long as the 2xx may be repeated.
pub(super) struct Ack {
    pub(super) transaction: TransactionId,
    pub(super) tag: String,
    octets: Vec<u8>,
    hop: Hop,
}

impl Invite {
    /// Sends a request of this call in a transaction.
    pub(super) fn send(
        &mut self,
        core: &mut Core,
        now: Instant,
        mut request: Request,
        hop: Hop,
        role: Role,
    ) -> Option<TransactionId> {
        if let Some(challenger) = &mut self.challenger {
            challenger.begin(&mut request, &mut core.seed);
        }
        self.quirks.shape(&mut request);
        let number = request.cseq().map_or(0, |cseq| cseq.number);
        self.top_number = self.top_number.max(number);
        let id = core.request(now, request, hop, User::Invite(self.id))?;
        self.live.push((id, role));
        Some(id)
    }

    /// Sends the request of a challenged transaction again, with credentials, under a new number.
    pub(super) fn retry(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        response: &Response,
        role: Role,
    ) -> Option<TransactionId> {
        if self.ended && !matches!(role, Role::Bye | Role::ForkBye) {
            return None;
        }
        let client = core.table.client(id)?;
        let (mut request, hop) = (client.request.clone(), client.way());
        let challenger = self.challenger.as_mut()?;
        if !challenger.answer(response, &mut request, &mut core.seed) {
            return None;
        }
        self.resend(core, now, request, hop, role)
    }

    /// Sends a request that was answered in vain again, changed, under a new number.
    pub(super) fn resend(
        &mut self,
        core: &mut Core,
        now: Instant,
        mut request: Request,
        hop: Hop,
        role: Role,
    ) -> Option<TransactionId> {
        let cseq = request.cseq().ok()?;
        let to = request.to().ok()?;
        let dialog = match role {
            Role::Invite | Role::Cancel | Role::ForkBye => None,
            _ => self.dialog(to.tag().unwrap_or_default()),
        };
        let number = match dialog {
            Some(dialog) => next_number(dialog),
            None => cseq.number.max(self.top_number).saturating_add(1),
        };
        self.top_number = self.top_number.max(number);
        request.headers.remove(&Name::Via);
        request.headers.set(Name::CSeq, format!("{number} {}", cseq.method));
        if request.method == Method::Invite {
            // The challenge may have shown our address from outside.
            let contact = core.contact(&self.user, self.quirks, hop);
            request.headers.set(Name::Contact, contact);
        }
        self.quirks.shape(&mut request);
        let id = core.request(now, request, hop, User::Invite(self.id))?;
        self.live.push((id, role));
        Some(id)
    }

    /// Sends a request that was refused for what it says again, changed: for digest it is a new one.
    pub(super) fn resend_changed(
        &mut self,
        core: &mut Core,
        now: Instant,
        mut request: Request,
        hop: Hop,
        role: Role,
    ) -> Option<TransactionId> {
        if let Some(challenger) = &mut self.challenger {
            challenger.begin(&mut request, &mut core.seed);
        }
        self.resend(core, now, request, hop, role)
    }

    /// Sends the ACK of a 2xx and keeps it for repeats.
    pub(super) fn acknowledge(
        &mut self,
        core: &mut Core,
        transaction: TransactionId,
        dialog: &Dialog,
        ack: Request,
    ) {
        let hop = dialog.hop(|ip| core.knows(ip));
        let octets = core.unbound(ack, hop);
        core.out.send(hop, octets.clone());
        if self.acks.len() <= limits::FORKS {
            let tag = dialog.remote_tag().to_owned();
            self.acks.push(Ack { transaction, tag, octets, hop });
        }
    }

    /// Answers a repeated 2xx with the same ACK. False: it is no repeat.
    pub(super) fn acknowledge_again(
        &mut self,
        core: &mut Core,
        id: TransactionId,
        response: &Response,
    ) -> bool {
        let tag = response.to().ok().and_then(|to| to.tag().map(str::to_owned));
        let tag = tag.unwrap_or_default();
        let Some(ack) = self.acks.iter().find(|ack| ack.transaction == id && ack.tag == tag) else {
            return false;
        };
        core.out.resent();
        core.out.send(ack.hop, ack.octets.clone());
        true
    }

    /// Sends BYE into a dialog.
    pub(super) fn bye(&mut self, core: &mut Core, now: Instant, dialog: &mut Dialog, role: Role) {
        let has_room = core.has_room();
        let mut request = dialog.request(Method::Bye);
        match (role, self.ending) {
            (Role::ForkBye, None) => {
                // Another phone took the call (RFC 3326 2).
                request.headers.push(Name::Reason, reason(CauseKind::Normal, true));
            }
            (_, Some(kind)) => request.headers.push(Name::Reason, reason(kind, false)),
            (_, None) => {}
        }
        let hop = dialog.hop(|ip| core.knows(ip));
        if has_room {
            self.send(core, now, request, hop, role);
        } else {
            // No room for a transaction: said once is better than not said.
            let octets = core.unbound(request, hop);
            core.out.send(hop, octets);
        }
    }
}

fn next_number(dialog: &mut Dialog) -> u32 {
    dialog.local_number = dialog.local_number.saturating_add(1);
    dialog.local_number
}
