//! The numbers of look-ups.

use base::Protocol;
use std::time::Duration;

/// The port of SIP over UDP and TCP (RFC 3261 19.1.2).
pub const SIP_PORT: u16 = 5060;
/// The port of SIP over TLS (RFC 3261 19.1.2).
pub const SIPS_PORT: u16 = 5061;

/// NAPTR services (RFC 3263 4.1), the prefixes of their SRV names (RFC 3263 4.1, RFC 2782) and what
/// they mean to us.
pub(super) const SERVICES: [(&str, &str, Protocol); 3] = [
    ("SIP+D2U", "_sip._udp.", Protocol::Udp),
    ("SIP+D2T", "_sip._tcp.", Protocol::Tcp),
    ("SIPS+D2T", "_sips._tcp.", Protocol::Tls),
];

/// Answers hold at least this long: a name with a lifetime of nothing is not asked for all the time.
pub const SHORTEST: Duration = Duration::from_secs(30);
/// And at most this long, so that a provider that moves is found.
pub const LONGEST: Duration = Duration::from_secs(3600);
/// Where nothing says how long an answer holds.
pub const UNSAID: Duration = Duration::from_secs(300);
/// After a search that found nothing because a name server failed.
pub const AFTER_FAILURE: Duration = Duration::from_secs(15);

/// SRV names of one search.
pub(super) const SERVICE_NAMES: usize = 4;
/// Servers of one search whose addresses are asked for.
pub(super) const SERVERS: usize = 8;
/// Addresses taken of one server, so that one with many leaves room for the next.
pub(super) const ADDRESSES_EACH: usize = 4;
/// Servers that come out.
pub const TARGETS: usize = 8;
/// Addresses that come out as peers.
pub const PEERS: usize = 64;

/// The port where none is said (RFC 3261 19.1.2).
pub fn default_port(protocol: Protocol) -> u16 {
    match protocol {
        Protocol::Udp | Protocol::Tcp => SIP_PORT,
        Protocol::Tls => SIPS_PORT,
    }
}
