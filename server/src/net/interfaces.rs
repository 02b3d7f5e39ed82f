//! This machine's own addresses.

use std::net::IpAddr;

/// The addresses of this machine that a datagram can come to, loopback ones last. Link-local IPv6
/// needs a zone, which a candidate cannot carry, so it is left out.
pub fn own_addresses() -> Vec<IpAddr> {
    let mut found: Vec<IpAddr> = if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .map(|interface| interface.ip())
        .filter(|ip| match ip {
            IpAddr::V4(v4) => !v4.is_link_local(),
            IpAddr::V6(v6) => !v6.is_unicast_link_local(),
        })
        .collect();
    found.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6(), *ip));
    found.dedup();
    found
}

/// Whether an address is reachable from the same machine or network only: loopback, private
/// (RFC 1918), shared (RFC 6598), link-local, unique local (RFC 4193).
pub fn is_local_scope(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_loopback()
                || v4.is_private()
                || v4.is_link_local()
                || v4.is_unspecified()
                || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_unicast_link_local()
                || v6.is_unique_local()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_and_loopback_addresses_are_of_local_scope_and_public_ones_are_not() {
        let scope = |text: &str| is_local_scope(text.parse().expect("address"));
        for local in ["127.0.0.1", "10.1.2.3", "192.168.0.1", "100.64.0.1", "::1", "fd00::1"] {
            assert!(scope(local), "{local}");
        }
        for public in ["203.0.113.7", "8.8.8.8", "100.128.0.1", "2001:db8::1"] {
            assert!(!scope(public), "{public}");
        }
        assert!(scope("::ffff:192.168.0.1"));
    }
}
