//! What sockets give and take.

use std::net::SocketAddr;

/// The transport protocol that carried, or is to carry, a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// One UDP datagram.
    Udp,
    /// One message framed on a TCP connection (RFC 4571 for media).
    Tcp,
    /// One message framed on a TLS connection over TCP (SIP).
    Tls,
}

/// A received datagram, as the socket gave it; the payload is borrowed from the receive buffer.
#[derive(Clone, Copy)]
pub struct Datagram<'a> {
    /// How it came.
    pub protocol: Protocol,
    /// The local address that it was sent to (never the wildcard).
    pub local: SocketAddr,
    /// Where it came from.
    pub remote: SocketAddr,
    /// The octets.
    pub payload: &'a [u8],
}

/// A datagram that a machine wants sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Transmit {
    /// How it goes.
    pub protocol: Protocol,
    /// The local address to send from.
    pub local: SocketAddr,
    /// Where it goes.
    pub remote: SocketAddr,
    /// The octets.
    pub payload: Vec<u8>,
}

impl std::fmt::Debug for Datagram<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Datagram({:?}, {} octets)", self.protocol, self.payload.len())
    }
}

impl std::fmt::Debug for Transmit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Transmit({:?}, {} octets)", self.protocol, self.payload.len())
    }
}
