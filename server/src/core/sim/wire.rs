//! The shard's ports on the virtual network.

use crate::net::{PortId, Wire};
use base::Seed;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;

/// One datagram on its way.
#[derive(Clone)]
pub struct Packet {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub payload: Vec<u8>,
}

/// Ports that exist in memory only.
pub struct VirtualWire {
    /// Ports that another program holds.
    pub foreign: BTreeSet<u16>,
    /// Datagrams that a full socket refuses, per thousand.
    pub refusals: u64,
    /// What was sent.
    pub outbox: Vec<Packet>,
    seed: Seed,
    bound: BTreeMap<SocketAddr, PortId>,
    next: usize,
}

impl VirtualWire {
    pub fn new(seed: Seed) -> VirtualWire {
        VirtualWire {
            foreign: BTreeSet::new(),
            refusals: 0,
            outbox: Vec::new(),
            seed,
            bound: BTreeMap::new(),
            next: 0,
        }
    }

    /// The port that a datagram to this address comes to.
    pub fn at(&self, address: SocketAddr) -> Option<PortId> {
        self.bound.get(&address).copied()
    }

    /// How many ports are open.
    pub fn open_ports(&self) -> usize {
        self.bound.len()
    }

    /// Some open port's address.
    pub fn any(&self, seed: &mut Seed) -> SocketAddr {
        let index = seed.below(self.bound.len() as u64) as usize;
        *self.bound.keys().nth(index).expect("the shared ports are open")
    }
}

impl Wire for VirtualWire {
    fn open(&mut self, address: SocketAddr, _shared: bool) -> io::Result<PortId> {
        if self.foreign.contains(&address.port()) || self.bound.contains_key(&address) {
            return Err(io::ErrorKind::AddrInUse.into());
        }
        self.next += 1;
        self.bound.insert(address, PortId(self.next));
        Ok(PortId(self.next))
    }

    fn close(&mut self, port: PortId) {
        let before = self.bound.len();
        self.bound.retain(|_, open| *open != port);
        assert_eq!(self.bound.len() + 1, before, "{port:?} is closed without being open");
    }

    fn local(&self, port: PortId) -> Option<SocketAddr> {
        self.bound.iter().find(|(_, open)| **open == port).map(|(address, _)| *address)
    }

    fn report_errors(&mut self, _port: PortId) -> io::Result<()> {
        Ok(())
    }

    fn send(&mut self, port: PortId, local: SocketAddr, remote: SocketAddr, octets: &[u8]) -> bool {
        assert_eq!(self.at(local), Some(port), "{local} sends from a port that is not its own");
        if self.refusals > 0 && self.seed.below(1_000) < self.refusals {
            return false;
        }
        self.outbox.push(Packet { from: local, to: remote, payload: octets.to_vec() });
        true
    }
}
