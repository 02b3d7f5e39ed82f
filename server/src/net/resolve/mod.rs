//! From a name to the servers behind it, in the order of trying (RFC 3263).
//!
//! [`Search`] decides what to ask next, given what was answered; it knows neither sockets nor time
//! and is given its randomness. [`search`] is the thin shell that carries the questions to the
//! system's name servers. DNSSEC and encrypted DNS are absent: TLS proves who a server is.

mod dns;
pub mod numbers;
mod rules;
#[cfg(test)]
mod tests;
mod weights;

pub use dns::search;
pub use rules::Search;

use base::Protocol;
use sip::Target;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// What is looked up: the host part of a SIP URI with what else it says of the way.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Question {
    /// A host name or an address without brackets.
    pub host: String,
    /// The port, where one is written.
    pub port: Option<u16>,
    /// The transport, where one is asked for; else the provider's records choose.
    pub transport: Option<Protocol>,
}

impl Question {
    /// The host where it is an address, which nobody needs to look up.
    pub fn literal(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// The one server of a host that is an address (RFC 3263 4.1 and 4.2).
    pub fn targets(&self) -> Option<Vec<Target>> {
        let ip = self.literal()?;
        let protocol = self.transport.unwrap_or(Protocol::Udp);
        let port = self.port.unwrap_or(numbers::default_port(protocol));
        let address = SocketAddr::new(ip, port);
        Some(vec![Target { protocol, address, name: self.host.clone() }])
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// What this machine can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    /// The transports, the preferred one first. Where a name has no NAPTR records this order
    /// decides among those that it has SRV records for.
    pub transports: &'static [Protocol],
    /// Whether IPv4 addresses can be sent to.
    pub v4: bool,
    /// Whether IPv6 addresses can be sent to.
    pub v6: bool,
}

/// One question to the name servers. Names are absolute but for that of `Addresses`, which the
/// system's table of hosts and its search list may know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Query {
    /// NAPTR records (RFC 3403 4).
    Naptr(String),
    /// SRV records (RFC 2782).
    Srv(String),
    /// A and AAAA records.
    Addresses(String),
}

/// A NAPTR record, as far as SIP has use for one (RFC 3263 4.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naptr {
    /// Lower ones first; only one order is used.
    pub order: u16,
    /// Lower ones first within the order.
    pub preference: u16,
    /// `s`: the replacement has SRV records.
    pub flags: String,
    /// `SIP+D2U` and the like.
    pub services: String,
    /// Whether it has a substitution instead of a replacement, which SIP does not use.
    pub has_regexp: bool,
    /// The name to ask next.
    pub replacement: String,
}

/// An SRV record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Srv {
    /// Lower ones first.
    pub priority: u16,
    /// The share among those of one priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host; `.` or nothing says that there is no such service.
    pub target: String,
}

/// What was answered to one [`Query`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// NAPTR records and how long they hold.
    Naptr(Vec<Naptr>, Duration),
    /// SRV records and how long they hold.
    Srv(Vec<Srv>, Duration),
    /// Addresses and how long they hold.
    Addresses(Vec<IpAddr>, Duration),
    /// There are no such records; how long that holds, where the server says so (RFC 2308 5).
    Absent(Option<Duration>),
    /// Nobody answered, or a server failed: nothing is known.
    Failed,
}

/// What a search has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The servers in the order of trying; none where there are none or none is known.
    pub targets: Vec<Target>,
    /// Every address behind the name, more than are tried: a trunk's calls come from any of them.
    pub peers: Vec<IpAddr>,
    /// When to search again.
    pub again_after: Duration,
    /// Whether a name server failed on the way, so that what was found earlier is better than
    /// what is missing here.
    pub failed: bool,
}

impl Outcome {
    /// Nothing is known, since name servers failed.
    pub fn failed() -> Outcome {
        let again_after = numbers::AFTER_FAILURE;
        Outcome { targets: Vec::new(), peers: Vec::new(), again_after, failed: true }
    }
}
