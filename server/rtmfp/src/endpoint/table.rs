//! The sessions of an endpoint and the ways to find them.

use super::types::SessionId;
use crate::crypto::{Certificate, Cipher};
use crate::session::Session;
use base::Seed;
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::time::Instant;

/// A session and what the endpoint keeps for it.
pub(crate) struct Entry {
    pub(crate) session: Session,
    pub(crate) cipher: Cipher,
    /// The session ID on packets to us, and on packets to the far end.
    pub(crate) near: u32,
    pub(crate) far: u32,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
    pub(crate) certificate: Certificate,
    /// A responder's answer, for an initiator that asks again.
    pub(crate) answer: Option<KeptAnswer>,
    /// Until when the far end is pinged because somebody new is at its address.
    pub(crate) rival_until: Option<Instant>,
    /// Where else the far end says it can be reached.
    pub(crate) reachable: Vec<SocketAddr>,
    /// It is in the list of those that may have something to send.
    pub(crate) is_ready: bool,
    /// Its end was told.
    pub(crate) is_closed: bool,
}

/// What a responder sent, and to which question.
pub(crate) struct KeptAnswer {
    /// Over the initiator's session ID, certificate and component.
    pub(crate) question: [u8; 32],
    pub(crate) component: Vec<u8>,
}

/// Whose a session ID on the wire is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    Session(SessionId),
    Opening(SessionId),
}

/// All sessions. Those whose end was told are found by their session ID only.
#[derive(Default)]
pub(crate) struct Table {
    entries: HashMap<SessionId, Box<Entry>>,
    wire: HashMap<u32, Owner>,
    addresses: HashMap<SocketAddr, SessionId>,
    fingerprints: BTreeMap<[u8; 32], SessionId>,
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn get(&self, id: SessionId) -> Option<&Entry> {
        self.entries.get(&id).map(Box::as_ref)
    }

    pub(crate) fn get_mut(&mut self, id: SessionId) -> Option<&mut Entry> {
        self.entries.get_mut(&id).map(Box::as_mut)
    }

    /// All handles, ascending.
    pub(crate) fn ids(&self) -> Vec<SessionId> {
        let mut ids: Vec<_> = self.entries.keys().copied().collect();
        ids.sort_unstable();
        ids
    }

    pub(crate) fn owner(&self, wire: u32) -> Option<Owner> {
        self.wire.get(&wire).copied()
    }

    /// The open session at an address.
    pub(crate) fn at(&self, remote: SocketAddr) -> Option<SessionId> {
        self.addresses.get(&remote).copied()
    }

    /// The open session with the holder of a fingerprint.
    pub(crate) fn with(&self, fingerprint: &[u8; 32]) -> Option<SessionId> {
        self.fingerprints.get(fingerprint).copied()
    }

    /// Takes a session ID that is free, at random.
    pub(crate) fn take_wire(&mut self, seed: &mut Seed, owner: Owner) -> u32 {
        loop {
            let wire = seed.u32();
            if wire != 0 && !self.wire.contains_key(&wire) {
                self.wire.insert(wire, owner);
                return wire;
            }
        }
    }

    pub(crate) fn free_wire(&mut self, wire: u32) {
        self.wire.remove(&wire);
    }

    pub(crate) fn insert(&mut self, id: SessionId, entry: Entry) {
        self.wire.insert(entry.near, Owner::Session(id));
        self.addresses.insert(entry.remote, id);
        self.fingerprints.insert(*entry.certificate.fingerprint(), id);
        self.entries.insert(id, Box::new(entry));
    }

    /// The far end is somewhere else.
    pub(crate) fn moved(&mut self, id: SessionId, to: SocketAddr) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if self.addresses.get(&entry.remote) == Some(&id) {
            self.addresses.remove(&entry.remote);
        }
        entry.remote = to;
        self.addresses.insert(to, id);
    }

    /// The session is not open any more: its address and its fingerprint are free for another.
    pub(crate) fn closed(&mut self, id: SessionId) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.is_closed = true;
        if self.addresses.get(&entry.remote) == Some(&id) {
            self.addresses.remove(&entry.remote);
        }
        if self.fingerprints.get(entry.certificate.fingerprint()) == Some(&id) {
            self.fingerprints.remove(entry.certificate.fingerprint());
        }
    }

    pub(crate) fn remove(&mut self, id: SessionId) {
        self.closed(id);
        if let Some(entry) = self.entries.remove(&id) {
            self.wire.remove(&entry.near);
        }
    }

    /// The first thing that does not hold together, for tests.
    pub(crate) fn verify(&self, openings: impl Fn(SessionId, u32) -> bool) -> Result<(), String> {
        for (wire, owner) in &self.wire {
            let holds = match owner {
                Owner::Session(id) => self.get(*id).is_some_and(|entry| entry.near == *wire),
                Owner::Opening(id) => openings(*id, *wire),
            };
            if !holds {
                return Err(format!("session ID {wire} belongs to nothing"));
            }
        }
        for (id, entry) in &self.entries {
            if self.owner(entry.near) != Some(Owner::Session(*id)) {
                return Err(format!("{id:?} is not found by its session ID"));
            }
        }
        for id in self.addresses.values().chain(self.fingerprints.values()) {
            if self.get(*id).is_none_or(|entry| entry.is_closed) {
                return Err(format!("an address or fingerprint leads to {id:?}, which is closed"));
            }
        }
        Ok(())
    }
}
