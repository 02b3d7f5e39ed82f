//! What must hold of the Flash clients whenever the shard has settled, for tests.

use super::Flash;
use crate::core::calls::{Calls, VisitorLeg};
use base::LinkId;
use std::collections::BTreeSet;
use std::sync::PoisonError;

impl Flash {
    /// The first thing that does not agree among tables, talks and calls. `known`: the links of the
    /// shard that are Flash clients'.
    pub(in crate::core) fn verify(
        &self,
        calls: &Calls,
        known: &BTreeSet<LinkId>,
    ) -> Result<(), String> {
        self.endpoint.verify()?;
        if !self.words.is_empty() {
            return Err(format!("{} words for Flash clients wait", self.words.len()));
        }
        let inside = self.crowd.lock().unwrap_or_else(PoisonError::into_inner).inside();
        if inside != self.clients.len() {
            return Err(format!("{inside} seats for {} Flash clients", self.clients.len()));
        }
        let of_clients = self.clients.iter().filter_map(|(id, c)| Some((c.link?, *id)));
        let of_clients: BTreeSet<_> = of_clients.collect();
        let of_table: BTreeSet<_> = self.links.iter().map(|(link, id)| (*link, *id)).collect();
        let links: BTreeSet<LinkId> = of_table.iter().map(|(link, _)| *link).collect();
        if of_clients != of_table || links != *known {
            return Err(format!("Flash links {of_clients:?}, {of_table:?}, {known:?}"));
        }
        let deadlines: BTreeSet<_> =
            self.clients.iter().filter_map(|(id, c)| Some((c.wake_at?, *id))).collect();
        if deadlines != self.deadlines {
            return Err("deadlines that no Flash client has".to_owned());
        }
        for (id, client) in &self.clients {
            if client.wake_at != client.connection.poll_timeout() {
                return Err(format!("{id:?} is woken at another time than it wants"));
            }
            for talk in &client.talks {
                let call = client.link.and_then(|link| calls.by_page(link, talk.call));
                if call.is_none() {
                    return Err(format!("{id:?} has talk {} without a call", talk.call));
                }
            }
        }
        for id in self.pairs.calls() {
            let active = calls.get(id).filter(|active| active.is_talking());
            if !active.is_some_and(|active| Flash::is_link(active.link)) {
                return Err(format!("{id:?} is in a pair and no talk of a Flash client"));
            }
        }
        for active in calls.iter().filter(|active| Flash::is_link(active.link)) {
            let session = self.links.get(&active.link).copied();
            let client = session.and_then(|session| self.clients.get(&session));
            let talks = client.map_or(0, |client| {
                client.talks.iter().filter(|talk| talk.call == active.page_call).count()
            });
            let named = match active.visitor {
                VisitorLeg::Flash { session: of, call } => {
                    Some(of) == session && call == active.page_call
                }
                VisitorLeg::Browser(_) | VisitorLeg::Gone => false,
            };
            if talks != 1 || !named {
                return Err(format!("{active:?}: {talks} talks, leg {:?}", active.visitor));
            }
        }
        Ok(())
    }

    /// Clients, sessions that linger included, and handshakes.
    pub(in crate::core) fn left(&self) -> [(&'static str, usize); 3] {
        [
            ("Flash clients", self.clients.len()),
            ("RTMFP sessions", self.endpoint.sessions()),
            ("RTMFP handshakes", self.endpoint.handshakes()),
        ]
    }
}
