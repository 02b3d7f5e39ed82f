//! A bound on how often a source gets what costs something, without state for each source: answers
//! longer than their questions, so that a victim whose address somebody forges is not flooded by
//! them, and Diffie-Hellman.

use crate::crypto::HmacKey;
use base::Seed;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// Counters; sources share them by a keyed hash.
const COUNTERS: usize = 4_096;
/// Between two for one source, in the long run.
const EVERY: Duration = Duration::from_millis(50);
/// What a source may have at once: an office whose clients all come back together.
const AT_ONCE: u32 = 40;

/// For each counter the time at which it is full again (a generic cell rate algorithm).
#[derive(Debug)]
pub(crate) struct Limiter {
    key: HmacKey,
    full_at: Vec<Option<Instant>>,
}

impl Limiter {
    pub(crate) fn new(seed: &mut Seed) -> Self {
        let mut key = [0; 32];
        seed.fill(&mut key);
        Limiter { key: HmacKey::new(&key), full_at: vec![None; COUNTERS] }
    }

    /// Counts one for a source; false when it has had too many. IPv4 addresses count one by
    /// one, IPv6 by their first 64 bits, since one host has all the others.
    pub(crate) fn admit(&mut self, now: Instant, source: SocketAddr) -> bool {
        let sum = match source.ip().to_canonical() {
            IpAddr::V4(ip) => self.key.sum(&[&ip.octets()]),
            IpAddr::V6(ip) => self.key.sum(&[&(ip.to_bits() >> 64).to_be_bytes()]),
        };
        let [first, second, ..] = sum;
        let index = usize::from(u16::from_be_bytes([first, second])) % COUNTERS;
        let Some(full_at) = self.full_at.get_mut(index) else { return false };
        let next = full_at.map_or(now, |at| at.max(now)) + EVERY;
        if next > now + EVERY * AT_ONCE {
            return false;
        }
        *full_at = Some(next);
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_source_gets_a_burst_and_then_a_rate() {
        let mut limiter = Limiter::new(&mut Seed::from_number(1));
        let start = Instant::now();
        let source: SocketAddr = "192.0.2.1:5000".parse().unwrap();
        let port: SocketAddr = "192.0.2.1:5001".parse().unwrap();
        let admitted = (0..1000).filter(|_| limiter.admit(start, source)).count();
        assert_eq!(admitted, AT_ONCE as usize);
        assert!(!limiter.admit(start, port), "another port is the same source");
        assert!(limiter.admit(start, "192.0.2.2:5000".parse().unwrap()));
        let later = start + Duration::from_secs(1);
        let admitted = (0..1000).filter(|_| limiter.admit(later, source)).count();
        assert_eq!(admitted, 20);
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_source() {
        let mut limiter = Limiter::new(&mut Seed::from_number(1));
        let now = Instant::now();
        let at = |host: u64| SocketAddr::new(format!("2001:db8::{host:x}").parse().unwrap(), 1);
        let admitted = (0..1000).filter(|host| limiter.admit(now, at(*host))).count();
        assert_eq!(admitted, AT_ONCE as usize);
        assert!(limiter.admit(now, "[2001:db8:1::1]:1".parse().unwrap()));
    }
}
