//! RTP ports towards the provider: even numbers with their RTCP neighbour, not used again while a
//! dead call's packets may still come.

use super::wire::{PortId, Wire};
use base::Seed;
use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a pair stays closed to new calls after its last datagram.
const QUIET: Duration = Duration::from_secs(10);
/// How long a pair stays closed at most, however stubborn the sender.
const LONGEST: Duration = Duration::from_secs(600);
/// Pairs tried before giving up.
const TRIES: u64 = 64;

/// An RTP port and its RTCP neighbour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pair {
    /// Even.
    pub rtp: PortId,
    /// One above.
    pub rtcp: PortId,
    /// Where RTP is bound.
    pub address: SocketAddr,
}

impl Pair {
    /// The port that a packet from this local address leaves by, and the address as it is bound.
    pub fn of(&self, local: SocketAddr) -> (PortId, SocketAddr) {
        let rtp = local.port() == self.address.port();
        let port = if rtp { self.rtp } else { self.rtcp };
        (port, SocketAddr::new(self.address.ip(), local.port()))
    }
}

#[derive(Debug)]
struct Resting {
    pair: Pair,
    quiet_at: Instant,
    free_at: Instant,
}

/// The range of ports of one shard.
#[derive(Debug)]
pub struct PortPool {
    range: crate::config::RtpRange,
    used: HashSet<u16>,
    resting: Vec<Resting>,
    seed: Seed,
}

impl PortPool {
    /// A pool over a range.
    pub fn new(range: crate::config::RtpRange, seed: Seed) -> Self {
        PortPool { range, used: HashSet::new(), resting: Vec::new(), seed }
    }

    /// Opens a pair at a random free place: predictable ports invite strangers' packets.
    pub fn open(&mut self, wire: &mut impl Wire) -> io::Result<Pair> {
        let first = self.range.first.next_multiple_of(2);
        let pairs = (u64::from(self.range.last) + 1).saturating_sub(u64::from(first)) / 2;
        for _ in 0..TRIES.min(pairs * 4) {
            let port = first + 2 * self.seed.below(pairs) as u16;
            if self.used.contains(&port) {
                continue;
            }
            let address = SocketAddr::new(self.range.address, port);
            // Another program may hold the port: try the next one.
            let Ok(rtp) = wire.open(address, false) else { continue };
            match wire.open(SocketAddr::new(self.range.address, port + 1), false) {
                Ok(rtcp) => {
                    self.used.insert(port);
                    return Ok(Pair { rtp, rtcp, address });
                }
                Err(_) => wire.close(rtp),
            }
        }
        Err(io::Error::new(
            io::ErrorKind::AddrInUse,
            "no free pair of RTP ports: widen rtp in [listen]",
        ))
    }

    /// A call is over: its pair rests.
    pub fn rest(&mut self, now: Instant, pair: Pair) {
        self.resting.push(Resting { pair, quiet_at: now + QUIET, free_at: now + LONGEST });
    }

    /// A datagram came to a port that belongs to no call; true where the port is resting.
    pub fn disturbed(&mut self, now: Instant, port: PortId) -> bool {
        let resting = self.resting.iter_mut();
        let mut found = resting.filter(|r| r.pair.rtp == port || r.pair.rtcp == port);
        match found.next() {
            Some(resting) => {
                resting.quiet_at = now + QUIET;
                true
            }
            None => false,
        }
    }

    /// Closes pairs that are quiet.
    pub fn handle_timeout(&mut self, now: Instant, wire: &mut impl Wire) {
        let used = &mut self.used;
        self.resting.retain(|resting| {
            let keep = now < resting.quiet_at && now < resting.free_at;
            if !keep {
                wire.close(resting.pair.rtp);
                wire.close(resting.pair.rtcp);
                used.remove(&resting.pair.address.port());
            }
            keep
        });
    }

    /// How many pairs are open, and how many of them rest.
    #[cfg(test)]
    pub fn pairs(&self) -> (usize, usize) {
        (self.used.len(), self.resting.len())
    }

    /// When the next pair may be free.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.resting.iter().map(|resting| resting.quiet_at.min(resting.free_at)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::Sockets;

    #[test]
    fn a_pair_is_even_and_rests_until_its_dead_call_is_quiet() {
        let mut sockets = Sockets::new().expect("poll");
        let range = crate::config::RtpRange {
            address: "127.0.0.1".parse().expect("address"),
            first: 28_801,
            last: 28_803,
        };
        let mut pool = PortPool::new(range, Seed::from_number(1));
        let now = Instant::now();
        let pair = pool.open(&mut sockets).expect("a pair");
        assert_eq!(pair.address.port(), 28_802);
        assert!(pool.open(&mut sockets).is_err(), "the range holds one pair");
        pool.rest(now, pair);
        assert!(pool.disturbed(now + QUIET / 2, pair.rtcp));
        pool.handle_timeout(now + QUIET, &mut sockets);
        assert!(pool.open(&mut sockets).is_err(), "packets still came");
        pool.handle_timeout(now + QUIET * 2, &mut sockets);
        assert!(pool.open(&mut sockets).is_ok());
        assert_eq!(pool.poll_timeout(), None);
    }
}
