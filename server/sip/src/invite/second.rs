//! A second offer for a call whose first one is refused.

use super::{Invite, Role};
use crate::endpoint::Core;
use crate::transaction::TransactionId;
use std::time::Instant;

/// Another offer for the INVITE that opens a call, for where the first one is refused.
#[derive(Default)]
pub(super) enum Second {
    /// There is none.
    #[default]
    None,
    /// The first one stands.
    Kept(Vec<u8>),
    /// It was refused; this one stands.
    Offered,
}

impl Invite {
    /// What is to be offered where the first offer is refused.
    pub(crate) fn set_second_offer(&mut self, offer: Option<Vec<u8>>) {
        self.second_offer = offer.map_or(Second::None, Second::Kept);
    }

    /// Whether that was offered.
    pub(crate) fn has_offered_second(&self) -> bool {
        matches!(self.second_offer, Second::Offered)
    }

    /// The offer may be what is refused (RFC 3261 21.4.13, 21.4.26, 21.6.4): the other one is made.
    pub(super) fn offer_second(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
    ) -> Option<TransactionId> {
        let client = core.table.client(id)?;
        let (mut request, way) = (client.request.clone(), client.way());
        let Second::Kept(offer) = &mut self.second_offer else { return None };
        request.body.clone_from(offer);
        self.media.ours = std::mem::take(offer);
        self.second_offer = Second::Offered;
        self.resend_changed(core, now, request, way, Role::Invite)
    }
}
