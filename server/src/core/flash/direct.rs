//! Two Flash clients in one call with each other are introduced, so that their sound need not pass
//! through us.
//!
//! That both ends of a call are ours shows in its media: the provider hands our own descriptions
//! through, so each of two calls sends to where the other receives. Nobody stands between them
//! then, and nobody else is told anything. `pairs` decides; the bridges stay ready all the time.

use super::pairs::Way;
use super::{Core, Flash};
use crate::core::calls::{ActiveCall, VisitorLeg};
use crate::core::metrics::bump;
use crate::legs;
use crate::net::Wire;
use base::{CallId, Private};
use rtmfp::SessionId;
use rtmp::application::{Direct, Far};
use signalling::CallState;
use std::time::Instant;

impl Flash {
    /// Where the direct stream of a call would be found.
    fn far(&self, visitor: VisitorLeg) -> Option<Far> {
        let VisitorLeg::Flash { session, call } = visitor else { return None };
        let id = self.clients.get(&session)?.peer_id.clone();
        Some(Far { id, call: call.to_string() })
    }
}

impl<W: Wire> Core<W> {
    /// The state or the media of a call has changed: its far end may be another client now, or none
    /// any more.
    pub(in crate::core) fn review_direct(&mut self, now: Instant, id: CallId) {
        let Some(flash) = &self.flash else { return };
        let (before, after) = (flash.pairs.partner(id), self.direct_partner(id));
        if before == after {
            return;
        }
        self.part(now, id);
        let Some(partner) = after else { return };
        self.part(now, partner);
        if self.flash.as_mut().is_some_and(|flash| flash.pairs.join(now, id, partner)) {
            tracing::debug!(call = id.0, with = partner.0, "two Flash clients are introduced");
            self.tell_way(now, [id, partner], Way::Offered);
        }
    }

    /// The call that is a call's far end, where both could do without us.
    fn direct_partner(&self, id: CallId) -> Option<CallId> {
        let one = self.calls.get(id)?;
        let session = willing(one)?;
        let others = self.calls.iter().filter(|other| {
            let other_session = willing(other).is_some_and(|of| of != session);
            other_session && sends_to(one, other) && sends_to(other, one)
        });
        others.map(|other| other.id).next()
    }

    /// A client hears its partner directly, or not any more.
    pub(super) fn heard_directly(&mut self, now: Instant, id: CallId, on: bool) {
        let Some(flash) = &mut self.flash else { return };
        let Some(way) = flash.pairs.heard(id, on) else { return };
        let partner = flash.pairs.partner(id);
        if way == Way::Direct {
            bump(&self.metrics.flash_direct_total);
        }
        if let Some(partner) = partner {
            tracing::info!(call = id.0, with = partner.0, ?way, "the way of two Flash clients");
            self.tell_way(now, [id, partner], way);
        }
    }

    /// Pairs that have not heard each other in time.
    pub(super) fn expire_direct(&mut self, now: Instant) {
        while let Some(ends) = self.flash.as_mut().and_then(|flash| flash.pairs.expired(now)) {
            tracing::debug!(call = ends[0].0, with = ends[1].0, "there is no direct path");
            self.tell_way(now, ends, Way::Bridged);
        }
    }

    fn part(&mut self, now: Instant, id: CallId) {
        let partner = self.flash.as_mut().and_then(|flash| flash.pairs.part(id));
        if let Some(partner) = partner {
            self.tell_way(now, [id, partner], Way::Bridged);
        }
    }

    /// Tells both ends of a pair where their sound goes. Once it goes through us there is no far
    /// end to speak of any more.
    fn tell_way(&mut self, now: Instant, ends: [CallId; 2], way: Way) {
        let on = way == Way::Direct;
        for (id, partner) in [(ends[0], ends[1]), (ends[1], ends[0])] {
            let far = self.calls.get(partner).map(|active| active.visitor);
            let Some(flash) = &mut self.flash else { return };
            let far = far.and_then(|visitor| flash.far(visitor)).filter(|_| way != Way::Bridged);
            let Some(active) = self.calls.entry(id) else { continue };
            active.bridge.bypass(now, on);
            self.touched.insert(id);
            let state = active.call.state();
            if state == CallState::Ended {
                continue;
            }
            let change = call::Change { state, cause: None, code: 0 };
            let message = legs::browser::state_message(active.page_call, change, &active.party);
            if !flash.tell_direct(active.link, message, Direct { far, on }) {
                bump(&self.metrics.link_outputs_dropped_total);
            }
        }
    }
}

/// The session of a Flash client's call that sound passes on both ways.
fn willing(active: &ActiveCall) -> Option<SessionId> {
    let VisitorLeg::Flash { session, .. } = active.visitor else { return None };
    let direction = active.negotiated.as_ref().map(|negotiated| negotiated.direction);
    let talks = active.is_talking() && direction == Some(sdp::Direction::SendReceive);
    talks.then_some(session)
}

/// Whether the sound of a call goes to where another one receives.
fn sends_to(one: &ActiveCall, other: &ActiveCall) -> bool {
    let to = one.negotiated.as_ref().map(|negotiated| negotiated.remote_rtp);
    to == Some(other.description.address)
}

/// A peer ID as ActionScript writes it.
pub(super) fn peer_id(fingerprint: &[u8; 32]) -> Private<String> {
    Private::new(fingerprint.iter().map(|octet| format!("{octet:02x}")).collect())
}
