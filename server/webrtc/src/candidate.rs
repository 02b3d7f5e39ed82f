//! Our own ICE candidates: host addresses on the one port.

use base::Protocol;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

/// The most candidates that an answer carries.
pub(crate) const CANDIDATES_MAX: usize = 32;

/// One of our addresses as browsers reach it, possibly the outer address of a port mapping.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalCandidate {
    /// Where browsers send to; never unspecified.
    pub address: SocketAddr,
    /// UDP, or TCP as passive ICE-TCP (RFC 6544).
    pub protocol: Protocol,
    /// Given only to local pages: browsers silently drop a private or loopback candidate on a
    /// public page (Local Network Access).
    pub local_only: bool,
}

impl LocalCandidate {
    /// A candidate whose scope follows from its address: loopback, private (RFC 1918), shared
    /// (RFC 6598), link-local and unique local (RFC 4193) addresses are for local pages only.
    pub fn new(address: SocketAddr, protocol: Protocol) -> Self {
        LocalCandidate { address, protocol, local_only: is_local(address.ip()) }
    }

    pub(crate) fn is_usable(&self) -> bool {
        let ip = self.address.ip();
        self.address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast()
    }

    /// Priority as in RFC 8445 5.1.2.1 with type preference 126 (host). RFC 6544 4.2 splits the
    /// local preference of TCP into a direction preference and the rest, and lets UDP come first.
    fn priority(&self, position: usize) -> u32 {
        let position = u32::try_from(position).unwrap_or(u32::MAX).min(0xff);
        // RFC 8421 leaves the order of the families to policy.
        let family = if self.address.is_ipv4() { 1 } else { 0 };
        let other_preference = 0x1000 + family * 0x800 + (0xff - position);
        match self.protocol {
            Protocol::Udp => (126 << 24) | ((0x8000 + other_preference) << 8) | 255,
            // RFC 6544 4.2: a passive candidate of the host type has direction preference 4; the
            // type preference is below that of UDP, "typically 90" for TCP hosts.
            Protocol::Tcp | Protocol::Tls => {
                (90 << 24) | (((4 << 13) | (other_preference & 0x1fff)) << 8) | 255
            }
        }
    }

    /// Appends the `a=candidate` line (RFC 8839 5.1, RFC 6544 4.5).
    pub(crate) fn write(&self, position: usize, sdp: &mut String) {
        let (foundation, transport, suffix) = match self.protocol {
            Protocol::Udp => (position + 1, "udp", ""),
            Protocol::Tcp | Protocol::Tls => (position + 1, "tcp", " tcptype passive"),
        };
        // Writing to a string cannot fail.
        let _ = write!(
            sdp,
            "a=candidate:{foundation} 1 {transport} {} {} {} typ host{suffix}\r\n",
            self.priority(position),
            self.address.ip(),
            self.address.port(),
        );
    }
}

fn is_local(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn line(address: &str, protocol: Protocol, position: usize) -> String {
        let mut sdp = String::new();
        LocalCandidate::new(address.parse().unwrap(), protocol).write(position, &mut sdp);
        sdp
    }

    #[test]
    fn a_tcp_candidate_is_passive_and_ranks_below_every_udp_one() {
        let udp = line("192.0.2.7:5000", Protocol::Udp, 9);
        let tcp = line("192.0.2.7:5000", Protocol::Tcp, 0);
        assert!(udp.starts_with("a=candidate:10 1 udp 21"), "{udp}");
        assert!(tcp.ends_with(" 192.0.2.7 5000 typ host tcptype passive\r\n"), "{tcp}");
        let priority = |line: &str| line.split(' ').nth(3).unwrap().parse::<u32>().unwrap();
        assert!(priority(&udp) > priority(&tcp));
    }

    #[test]
    fn private_loopback_and_shared_addresses_are_for_local_pages_only() {
        let local_only = |ip: &str| {
            LocalCandidate::new(SocketAddr::new(ip.parse().unwrap(), 1), Protocol::Udp).local_only
        };
        for ip in
            ["127.0.0.1", "10.1.2.3", "172.16.9.9", "192.168.1.4", "169.254.1.1", "100.64.3.3"]
        {
            assert!(local_only(ip), "{ip}");
        }
        for ip in ["::1", "fe80::1", "fd12::1", "::ffff:10.0.0.1"] {
            assert!(local_only(ip), "{ip}");
        }
        for ip in ["203.0.113.9", "100.128.0.1", "2001:db8::1"] {
            assert!(!local_only(ip), "{ip}");
        }
    }
}
