//! Socket addresses inside chunks (RFC 7016 section 2.1.5).

use crate::octets::Reader;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where the sender knows an address from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// It does not say.
    Unknown,
    /// An interface of its own.
    Local,
    /// The source of a packet that it received.
    Observed,
    /// An introducer: a Redirector or Forwarder.
    Relay,
}

/// A socket address and where it is known from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Where it is known from.
    pub origin: Origin,
    /// The address.
    pub socket: SocketAddr,
}

impl Address {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Option<Address> {
        let flags = reader.u8()?;
        let origin = match flags & 3 {
            0 => Origin::Unknown,
            1 => Origin::Local,
            2 => Origin::Observed,
            _ => Origin::Relay,
        };
        let ip = if flags & 0x80 == 0 {
            IpAddr::V4(Ipv4Addr::from_bits(reader.u32()?))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(reader.u128()?))
        };
        Some(Address { origin, socket: SocketAddr::new(ip, reader.u16()?) })
    }

    /// Appends the address.
    pub fn put(&self, to: &mut Vec<u8>) {
        let origin = match self.origin {
            Origin::Unknown => 0,
            Origin::Local => 1,
            Origin::Observed => 2,
            Origin::Relay => 3,
        };
        // A mapped address is an IPv4 one on the wire.
        match self.socket.ip().to_canonical() {
            IpAddr::V4(ip) => {
                to.push(origin);
                to.extend(ip.octets());
            }
            IpAddr::V6(ip) => {
                to.push(origin | 0x80);
                to.extend(ip.octets());
            }
        }
        to.extend(self.socket.port().to_be_bytes());
    }
}

/// Addresses one after the other, checked when their chunk was parsed.
#[derive(Clone, Copy)]
pub struct Addresses<'a>(Reader<'a>);

impl<'a> Addresses<'a> {
    /// The addresses that fill `octets`; `None` when the last one is cut.
    pub fn parse(octets: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(octets);
        while !reader.is_empty() {
            Address::read(&mut reader)?;
        }
        Some(Addresses(Reader::new(octets)))
    }

    /// The octets that are left to read.
    pub fn octets(&self) -> &'a [u8] {
        self.0.rest()
    }
}

impl Iterator for Addresses<'_> {
    type Item = Address;

    fn next(&mut self) -> Option<Address> {
        if self.0.is_empty() { None } else { Address::read(&mut self.0) }
    }
}

impl std::fmt::Debug for Addresses<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Addresses({})", self.count())
    }
}

impl PartialEq for Addresses<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.octets() == other.octets()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn both_families_and_all_origins_come_back() {
        let mut octets = Vec::new();
        let sockets = ["192.0.2.7:1935", "[2001:db8::7]:50000"];
        let origins = [Origin::Unknown, Origin::Local, Origin::Observed, Origin::Relay];
        let all: Vec<_> = origins
            .into_iter()
            .flat_map(|origin| {
                sockets.map(|socket| Address { origin, socket: socket.parse().unwrap() })
            })
            .collect();
        all.iter().for_each(|address| address.put(&mut octets));
        assert_eq!(octets.len(), 4 * (7 + 19));
        assert_eq!(Addresses::parse(&octets).unwrap().collect::<Vec<_>>(), all);
        assert!(Addresses::parse(&octets[1..]).is_none());
        assert!(Addresses::parse(&octets[..octets.len() - 1]).is_none());
    }
}
