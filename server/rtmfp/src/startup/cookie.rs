//! Cookies: what a responder knows of an initiator before it keeps any state (RFC 7016 section
//! 3.5.1.1.2).
//!
//! ```text
//! time (4) | HMAC(key, "time", time) (28) | HMAC(key, "address", time, address) (32)
//! ```
//!
//! The first two parts tell that the cookie was made here and when, the third for whom. They are 64
//! octets together, the one length that clients which copy Flash Player take.

use crate::crypto::HmacKey;
use crate::params::COOKIE_LIFETIME;
use base::Seed;
use std::net::{IpAddr, SocketAddr};
use std::time::Instant;
use subtle::ConstantTimeEq;

/// The octets of a cookie.
pub(crate) const LENGTH: usize = 64;
const TIME: usize = 4;
const AUTHENTIC: usize = 32;

/// What a returned cookie is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Made here, for this address, not long ago.
    Valid,
    /// Made here not long ago, but for another address.
    OtherAddress,
    /// Forged or expired.
    Refused,
}

/// Makes cookies and knows them again.
#[derive(Debug)]
pub(crate) struct CookieJar {
    key: HmacKey,
    /// Times in cookies count from the first one.
    epoch: Option<Instant>,
}

impl CookieJar {
    pub(crate) fn new(seed: &mut Seed) -> Self {
        let mut key = zeroize::Zeroizing::new([0; 32]);
        seed.fill(key.as_mut());
        CookieJar { key: HmacKey::new(key.as_ref()), epoch: None }
    }

    fn seconds(&mut self, now: Instant) -> u32 {
        let epoch = *self.epoch.get_or_insert(now);
        // A hundred years fit.
        now.saturating_duration_since(epoch).as_secs() as u32
    }

    /// A cookie for an address.
    pub(crate) fn bake(&mut self, now: Instant, remote: SocketAddr) -> [u8; LENGTH] {
        let time = self.seconds(now).to_be_bytes();
        let mut cookie = [0; LENGTH];
        let (authentic, address) = cookie.split_at_mut(AUTHENTIC);
        let (first, sum) = authentic.split_at_mut(TIME);
        first.copy_from_slice(&time);
        for (place, octet) in sum.iter_mut().zip(self.authentic(time)) {
            *place = octet;
        }
        address.copy_from_slice(&self.for_address(time, remote));
        cookie
    }

    /// What a cookie is worth that came from an address.
    pub(crate) fn judge(&mut self, now: Instant, remote: SocketAddr, cookie: &[u8]) -> Verdict {
        let Some((authentic, address)) = cookie.split_at_checked(AUTHENTIC) else {
            return Verdict::Refused;
        };
        let Some((time, sum)) = authentic.split_first_chunk::<TIME>() else {
            return Verdict::Refused;
        };
        let expected = self.authentic(*time);
        let is_ours = expected.get(..AUTHENTIC - TIME).is_some_and(|own| own.ct_eq(sum).into());
        let age = self.seconds(now).checked_sub(u32::from_be_bytes(*time));
        if !is_ours || age.is_none_or(|age| u64::from(age) > COOKIE_LIFETIME.as_secs()) {
            return Verdict::Refused;
        }
        if self.for_address(*time, remote).as_slice().ct_eq(address).into() {
            Verdict::Valid
        } else if address.len() == LENGTH - AUTHENTIC {
            Verdict::OtherAddress
        } else {
            Verdict::Refused
        }
    }

    fn authentic(&self, time: [u8; TIME]) -> [u8; 32] {
        self.key.sum(&[b"time", &time])
    }

    fn for_address(&self, time: [u8; TIME], remote: SocketAddr) -> [u8; 32] {
        let port = remote.port().to_be_bytes();
        match remote.ip().to_canonical() {
            IpAddr::V4(ip) => self.key.sum(&[b"address", &time, &ip.octets(), &port]),
            IpAddr::V6(ip) => self.key.sum(&[b"address", &time, &ip.octets(), &port]),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::time::Duration;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_cookie_is_valid_from_its_address_for_95_seconds_at_least() {
        let mut jar = CookieJar::new(&mut Seed::from_number(1));
        let start = Instant::now();
        let (remote, port) = (address("192.0.2.1:5000"), address("192.0.2.1:5001"));
        jar.bake(start, remote);
        for offset in [0, 10, 999] {
            let made_at = start + Duration::from_millis(5_000 + offset);
            let cookie = jar.bake(made_at, remote);
            let at = |seconds| made_at + Duration::from_secs(seconds);
            assert_eq!(jar.judge(at(0), remote, &cookie), Verdict::Valid);
            assert_eq!(jar.judge(at(95), remote, &cookie), Verdict::Valid);
            assert_eq!(jar.judge(at(95), port, &cookie), Verdict::OtherAddress);
            assert_eq!(jar.judge(at(97), remote, &cookie), Verdict::Refused);
            assert_eq!(jar.judge(at(97), port, &cookie), Verdict::Refused);
        }
    }

    #[test]
    fn no_change_to_a_cookie_makes_another_valid_one() {
        let mut jar = CookieJar::new(&mut Seed::from_number(1));
        let (now, remote) = (Instant::now(), address("[2001:db8::1]:5000"));
        let cookie = jar.bake(now, remote);
        for bit in 0..LENGTH * 8 {
            let mut forged = cookie;
            forged[bit / 8] ^= 1 << (bit % 8);
            // The last part tells for whom; a change there makes it a cookie for somebody else.
            let expected = match bit / 8 {
                0..32 => Verdict::Refused,
                _ => Verdict::OtherAddress,
            };
            assert_eq!(jar.judge(now, remote, &forged), expected);
        }
        for length in 0..LENGTH {
            assert_eq!(jar.judge(now, remote, &cookie[..length]), Verdict::Refused);
        }
        assert_eq!(jar.judge(now, remote, &[&cookie[..], &[0]].concat()), Verdict::Refused);
        let mut other = CookieJar::new(&mut Seed::from_number(2));
        assert_eq!(other.judge(now, remote, &cookie), Verdict::Refused);
    }
}
