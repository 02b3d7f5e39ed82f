//! Servers as the look-up finds them (RFC 3263): several for one name, in the order of trying.

use base::Protocol;
use std::net::SocketAddr;

/// One server that requests may be sent to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The transport protocol.
    pub protocol: Protocol,
    /// Where it listens, looked up already.
    pub address: SocketAddr,
    /// The host that was looked up: what TLS asks for (SNI) and what its certificate must be for
    /// (RFC 5922 4). Never the name that a look-up has led to, which nobody has vouched for.
    pub name: String,
}

impl Target {
    /// A server by UDP, which needs no name.
    pub fn udp(address: SocketAddr) -> Self {
        Target { protocol: Protocol::Udp, address, name: address.ip().to_string() }
    }

    /// A server by TCP.
    pub fn tcp(address: SocketAddr) -> Self {
        Target { protocol: Protocol::Tcp, ..Target::udp(address) }
    }
}
