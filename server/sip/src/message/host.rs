//! Hosts of URIs and of Via (RFC 3261 section 25.1, RFC 5118).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host: a name or an address.
#[derive(Clone, Debug)]
pub enum Host {
    /// A domain name, as it was written.
    Name(String),
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, in brackets on the wire.
    V6(Ipv6Addr),
}

impl Host {
    /// Reads a host without port; an IPv6 address needs its brackets.
    pub fn parse(text: &str) -> Option<Host> {
        if let Some(inner) = text.strip_prefix('[') {
            return parse_v6(inner.strip_suffix(']')?).map(Host::V6);
        }
        if let Ok(address) = text.parse() {
            return Some(Host::V4(address));
        }
        // Underscores are no part of the grammar but of many a network.
        let is_name = |octet: u8| octet.is_ascii_alphanumeric() || b"-._".contains(&octet);
        (!text.is_empty() && text.len() <= 255 && text.bytes().all(is_name))
            .then(|| Host::Name(text.to_owned()))
    }

    /// The address, if it is one.
    pub fn address(&self) -> Option<IpAddr> {
        match self {
            Host::Name(_) => None,
            Host::V4(address) => Some(IpAddr::V4(*address)),
            Host::V6(address) => Some(IpAddr::V6(*address)),
        }
    }
}

/// Reads host and optional port, with whitespace around the colon as Via allows it.
pub(crate) fn parse_host_port(text: &str) -> Option<(Host, Option<u16>)> {
    let text = super::lex::trim(text);
    let first = |wanted: u8| text.bytes().position(|octet| octet == wanted);
    let host_end = match text.as_bytes() {
        [b'[', ..] => first(b']')? + 1,
        _ => first(b':').unwrap_or(text.len()),
    };
    let host = Host::parse(super::lex::trim(text.get(..host_end)?))?;
    let rest = super::lex::trim(text.get(host_end..)?);
    let port = match rest.strip_prefix(':').map(super::lex::trim) {
        Some(port) => Some(parse_port(port)?),
        None if rest.is_empty() => None,
        None => return None,
    };
    Some((host, port))
}

/// An IPv6 address without brackets, forgiving one colon too many before an IPv4 tail: the
/// grammar of RFC 3261 demanded three (RFC 5118 section 4.10).
pub(crate) fn parse_v6(text: &str) -> Option<Ipv6Addr> {
    match text.parse() {
        Ok(address) => Some(address),
        Err(_) if text.contains(":::") && text.contains('.') => {
            text.replacen(":::", "::", 1).parse().ok()
        }
        Err(_) => None,
    }
}

fn parse_port(text: &str) -> Option<u16> {
    (!text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

impl PartialEq for Host {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Host::Name(a), Host::Name(b)) => a.eq_ignore_ascii_case(b),
            (a, b) => a.address().is_some() && a.address() == b.address(),
        }
    }
}

impl Eq for Host {}

impl From<IpAddr> for Host {
    fn from(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Host::V4(address),
            IpAddr::V6(address) => Host::V6(address),
        }
    }
}

/// Writes an address as the standard library does, which takes its time for each number.
fn write_v4(address: Ipv4Addr, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (mut text, mut length) = ([0; 15], 0);
    let mut push = |octet: u8| {
        if let Some(place) = text.get_mut(length) {
            *place = octet;
            length += 1;
        }
    };
    for (index, number) in address.octets().into_iter().enumerate() {
        if index > 0 {
            push(b'.');
        }
        if number >= 100 {
            push(b'0' + number / 100);
        }
        if number >= 10 {
            push(b'0' + number / 10 % 10);
        }
        push(b'0' + number % 10);
    }
    f.write_str(std::str::from_utf8(text.get(..length).unwrap_or_default()).unwrap_or_default())
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Name(name) => f.write_str(name),
            Host::V4(address) => write_v4(*address, f),
            Host::V6(address) => write!(f, "[{address}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_written_as_the_standard_library_writes_them() {
        for number in 0..=255 {
            let address = Ipv4Addr::new(number, 255 - number, 0, number / 3);
            assert_eq!(Host::V4(address).to_string(), address.to_string());
        }
    }
}
