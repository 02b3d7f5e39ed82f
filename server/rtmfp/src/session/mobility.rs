//! Whether a far end really has another address (RFC 7016 sections 3.5.3 and 3.5.4.2).

use super::numbers::{MOBILITY_EVERY, MOBILITY_LIFETIME};
use base::Seed;
use sha2::{Digest, Sha256};
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

/// The octets of a check: a mark, a time, a hash.
const LENGTH: usize = 1 + 8 + 16;
const MARK: u8 = b'M';

/// Checks new addresses with pings that only this end could have written.
pub(crate) struct Mobility {
    secret: [u8; 32],
    epoch: Instant,
    /// The last check sent (MOB_TX_TS).
    sent_at: Option<Instant>,
    /// The newest check that was answered, in milliseconds (MOB_RX_TS).
    answered: Option<u64>,
    /// A check that waits to be sent.
    pending: Option<(SocketAddr, [u8; LENGTH])>,
}

impl Mobility {
    pub(crate) fn new(now: Instant, seed: &mut Seed) -> Self {
        let mut secret = [0; 32];
        seed.fill(&mut secret);
        Mobility { secret, epoch: now, sent_at: None, answered: None, pending: None }
    }

    /// A packet came from another address: at most once a second it is checked.
    pub(crate) fn challenge(&mut self, now: Instant, remote: SocketAddr) {
        if self.sent_at.is_some_and(|at| now < at + MOBILITY_EVERY) {
            return;
        }
        self.sent_at = Some(now);
        self.pending = Some((remote, self.message(self.milliseconds(now), remote)));
    }

    pub(crate) fn is_pending(&self) -> bool {
        self.pending.is_some()
    }

    /// The check to send, and where to.
    pub(crate) fn take(&mut self) -> Option<(SocketAddr, [u8; LENGTH])> {
        self.pending.take()
    }

    /// Whether an answer from this address proves that the far end is there.
    pub(crate) fn verify(&mut self, now: Instant, remote: SocketAddr, message: &[u8]) -> bool {
        let Some((&MARK, rest)) = message.split_first() else { return false };
        let Some((time, _)) = rest.split_first_chunk::<8>() else { return false };
        let time = u64::from_be_bytes(*time);
        let age = self.milliseconds(now).checked_sub(time);
        let fresh = age.is_some_and(|age| u128::from(age) <= MOBILITY_LIFETIME.as_millis());
        let newer = self.answered.is_none_or(|last| time > last);
        let genuine = same(&self.message(time, remote), message);
        if fresh && newer && genuine {
            self.answered = Some(time);
        }
        fresh && newer && genuine
    }

    fn milliseconds(&self, now: Instant) -> u64 {
        // One more, so that the first check is newer than "never".
        now.saturating_duration_since(self.epoch).as_millis() as u64 + 1
    }

    fn message(&self, time: u64, remote: SocketAddr) -> [u8; LENGTH] {
        let mut message = [MARK; LENGTH];
        let mut hash = Sha256::new();
        hash.update([MARK]);
        hash.update(time.to_be_bytes());
        match remote.ip() {
            IpAddr::V4(ip) => hash.update(ip.to_ipv6_mapped().octets()),
            IpAddr::V6(ip) => hash.update(ip.octets()),
        }
        hash.update(remote.port().to_be_bytes());
        hash.update(self.secret);
        let hash = hash.finalize();
        let tail = time.to_be_bytes().into_iter().chain(hash);
        message.iter_mut().skip(1).zip(tail).for_each(|(place, octet)| *place = octet);
        message
    }
}

/// Compares in constant time.
fn same(a: &[u8], b: &[u8]) -> bool {
    let different = a.iter().zip(b).fold(0, |sum, (x, y)| sum | (x ^ y));
    a.len() == b.len() && std::hint::black_box(different) == 0
}

impl std::fmt::Debug for Mobility {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mobility")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::time::Duration;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    #[test]
    fn an_answer_counts_only_from_the_checked_address_and_once() {
        let now = Instant::now();
        let mut mobility = Mobility::new(now, &mut Seed::from_number(1));
        mobility.challenge(now, address(5));
        let (to, message) = mobility.take().unwrap();
        assert_eq!((to, mobility.take()), (address(5), None));
        let later = now + Duration::from_millis(80);
        assert!(!mobility.verify(later, address(6), &message));
        let mut forged = message;
        forged[24] ^= 1;
        assert!(!mobility.verify(later, address(5), &forged));
        assert!(!mobility.verify(later, address(5), &message[..24]));
        assert!(!mobility.verify(later, address(5), b""));
        assert!(mobility.verify(later, address(5), &message));
        assert!(!mobility.verify(later, address(5), &message));
    }

    #[test]
    fn checks_go_once_a_second_and_their_answers_live_120_seconds() {
        let now = Instant::now();
        let mut mobility = Mobility::new(now, &mut Seed::from_number(1));
        mobility.challenge(now, address(5));
        let (_, first) = mobility.take().unwrap();
        mobility.challenge(now + Duration::from_millis(999), address(5));
        assert!(!mobility.is_pending());
        mobility.challenge(now + Duration::from_secs(1), address(5));
        let (_, second) = mobility.take().unwrap();
        let late = now + Duration::from_secs(120);
        assert!(!mobility.verify(late + Duration::from_secs(2), address(5), &second));
        assert!(mobility.verify(late, address(5), &second));
        assert!(!mobility.verify(late, address(5), &first), "older than the last one answered");
    }
}
