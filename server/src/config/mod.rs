//! The configuration: as written, then as meant.
//!
//! This half is what the program runs on; every value is checked and defaulted.

use base::{Codec, Secret};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// The configuration as meant.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where pages are reached from outside, without a trailing slash: `https://call.shop.example`.
    pub public_url: String,
    /// The sockets.
    pub listen: Listen,
    /// Accounts by name.
    pub accounts: BTreeMap<String, Account>,
    /// Buttons by name.
    pub buttons: BTreeMap<String, Button>,
    /// What page-supplied accounts may do; none where the section is absent.
    pub webphone: Option<WebPhone>,
    /// The call log's file; none keeps it in memory (the demo).
    pub data: Option<PathBuf>,
    /// Whether the built-in shop phone runs (`--demo`).
    pub demo: bool,
}

/// Section `[listen]`.
#[derive(Clone, Debug)]
pub struct Listen {
    /// Pages and WebSocket.
    pub http: SocketAddr,
    /// Browser media: one UDP port, and TCP on the same number.
    pub webrtc: SocketAddr,
    /// SIP.
    pub sip: SocketAddr,
    /// RTP towards the provider: the address and the first and last port.
    pub rtp: RtpRange,
    /// The public address where it can't be found by itself.
    pub public_ip: Option<IpAddr>,
    /// Demo: browser media also on the machine's own addresses.
    pub webrtc_everywhere: bool,
}

/// `rtp = "127.0.0.1:20000-20999"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtpRange {
    /// The local address.
    pub address: IpAddr,
    /// The first port.
    pub first: u16,
    /// The last port.
    pub last: u16,
}

/// Section `[accounts.NAME]`.
#[derive(Clone, Debug)]
pub struct Account {
    /// The registrar's host and port (5060 where none is written).
    pub registrar: HostPort,
    /// The user part of our address.
    pub username: String,
    /// The user for digest, if other than `username`.
    pub auth_username: Option<String>,
    /// The password.
    pub password: Secret,
    /// Where requests go first, if not to the registrar; the URI as it stands in a Route.
    pub outbound_proxy: Option<OutboundProxy>,
    /// Whether we register at all.
    pub register: bool,
    /// The asked-for life of a registration.
    pub expires: Duration,
    /// The codecs to offer, best first.
    pub codecs: Vec<Codec>,
}

/// An outbound proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundProxy {
    /// The SIP URI, `sip:host:port;lr`.
    pub uri: String,
    /// Where to send.
    pub target: HostPort,
}

/// A host name or address with a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPort {
    /// The host, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl std::fmt::Display for HostPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Section `[buttons.NAME]`.
#[derive(Clone, Debug)]
pub struct Button {
    /// The account that calls.
    pub account: String,
    /// Whom it calls: a SIP URI.
    pub destination: String,
    /// The origins of pages that may embed it, `https://www.shop.example`.
    pub origins: Vec<String>,
    /// Whether video is wanted (not in this version).
    pub video: bool,
    /// The longest call.
    pub max_duration: Duration,
    /// Calls at once.
    pub max_calls: u32,
}

/// Section `[webphone]`.
#[derive(Clone, Debug)]
pub struct WebPhone {
    /// Registrars that pages may name, `host` or `host:port`.
    pub registrars: Vec<HostPort>,
    /// Origins of pages that may use page-supplied accounts.
    pub origins: Vec<String>,
}
