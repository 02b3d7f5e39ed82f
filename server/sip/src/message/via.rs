//! The Via header field (RFC 3261 section 20.42, RFC 3581).

use std::fmt;
use std::net::IpAddr;

use super::host::{Host, parse_host_port, parse_v6};
use super::lex;
use super::params::Params;

/// A transport as Via and the `transport` parameter name it.
#[derive(Clone, Debug)]
pub enum Transport {
    /// UDP.
    Udp,
    /// TCP.
    Tcp,
    /// TLS over TCP.
    Tls,
    /// Any other, as written.
    Other(String),
}

impl Transport {
    /// The spelling of Via, in upper case for the known ones.
    pub fn as_str(&self) -> &str {
        match self {
            Transport::Udp => "UDP",
            Transport::Tcp => "TCP",
            Transport::Tls => "TLS",
            Transport::Other(text) => text,
        }
    }
}

impl From<&str> for Transport {
    fn from(text: &str) -> Self {
        [Transport::Udp, Transport::Tcp, Transport::Tls]
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(text))
            .unwrap_or_else(|| Transport::Other(text.to_owned()))
    }
}

impl PartialEq for Transport {
    fn eq(&self, other: &Self) -> bool {
        self.as_str().eq_ignore_ascii_case(other.as_str())
    }
}

impl Eq for Transport {}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One Via: where a request came through and where its response goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via {
    /// The transport.
    pub transport: Transport,
    /// The host of `sent-by`.
    pub host: Host,
    /// The port of `sent-by`.
    pub port: Option<u16>,
    /// The parameters.
    pub params: Params,
}

impl Via {
    /// Reads one Via value: `SIP/2.0/UDP host:port;branch=...`, with whitespace where the grammar
    /// allows it. `None` if it is malformed or of another protocol version.
    pub fn parse(text: &str) -> Option<Via> {
        let (transport, (host, port), params) = parts(text)?;
        let params = params.map_or_else(|| Some(Params::new()), Params::parse_header)?;
        Some(Via { transport: Transport::from(transport), host, port, params })
    }

    /// Whether [`Via::parse`] would read a text.
    pub(crate) fn is_one(text: &str) -> bool {
        parts(text).is_some_and(|(.., params)| params.is_none_or(Params::is_header))
    }

    /// The branch, which names the transaction if it starts with `z9hG4bK`.
    pub fn branch(&self) -> Option<&str> {
        self.params.get("branch")
    }

    /// The address that the next element saw the request come from; IPv6 with or without
    /// brackets (RFC 5118 section 4.5).
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.params.get("received")?;
        let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        inner.parse().ok().or_else(|| parse_v6(inner).map(IpAddr::V6))
    }

    /// RFC 3581's `rport`: `None` if absent, `Some(None)` if asked for and not filled in.
    pub fn rport(&self) -> Option<Option<u16>> {
        let value = self.params.entry("rport")?;
        Some(value.as_deref().and_then(|port| port.parse().ok()))
    }

    /// Fills in `received`.
    pub fn set_received(&mut self, address: IpAddr) {
        self.params.set("received", Some(&address.to_string()));
    }

    /// Fills in `rport`, or asks for it with `None`.
    pub fn set_rport(&mut self, port: Option<u16>) {
        self.params.set("rport", port.map(|port| port.to_string()).as_deref());
    }
}

/// Transport, host and port, and what stands behind the first semicolon.
type Parts<'a> = (&'a str, (Host, Option<u16>), Option<&'a str>);

fn parts(text: &str) -> Option<Parts<'_>> {
    let (protocol, rest) = lex::cut(text, b'/')?;
    let (version, rest) = lex::cut(rest, b'/')?;
    if !lex::trim(protocol).eq_ignore_ascii_case("SIP") || lex::trim(version) != "2.0" {
        return None;
    }
    let (transport, rest) = lex::trim(rest).split_once(lex::is_space)?;
    if !lex::is_token_text(transport) {
        return None;
    }
    let (sent_by, params) = match lex::cut(rest, b';') {
        Some((sent_by, params)) => (sent_by, Some(params)),
        None => (rest, None),
    };
    Some((transport, parse_host_port(sent_by)?, params))
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SIP/2.0/{} {}", self.transport, self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        write!(f, "{}", self.params)
    }
}
