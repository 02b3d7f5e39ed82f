//! The configuration: as written, then as meant.
//!
//! [`written`](mod@written) reads the file key by key and remembers where each value stands;
//! [`meant`](mod@meant) checks and defaults them. Both note every mistake and go on, so that one run
//! finds them all. What this file declares is the second half: what the program runs on.

mod meant;
pub mod origin;
mod problem;
mod section;
pub mod values;
mod written;

pub use problem::{Notice, Problem, Problems};

use base::{Codec, Protocol, Secret};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest configuration file in octets; a longer one is something else.
const FILE_OCTETS: u64 = 1024 * 1024;

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
    /// Whether calls are traced, for `click2call trace`.
    pub traces: bool,
    /// Whether the built-in shop phone runs (`--demo`).
    pub demo: bool,
}

/// Section `[listen]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// Pages and WebSocket.
    pub http: SocketAddr,
    /// Browser media: one UDP port, and TCP on the same number.
    pub webrtc: SocketAddr,
    /// Flash: one UDP port.
    pub rtmfp: SocketAddr,
    /// Whether the file names the Flash port. Where it does not, a port that another program has
    /// costs Flash and nothing else.
    pub rtmfp_named: bool,
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
    /// The registrar's host, and its port where one is written.
    pub registrar: HostPort,
    /// How its server is talked to; where nothing is said, its DNS records say it (RFC 3263).
    pub transport: Option<Protocol>,
    /// The authorities that vouch for its server over TLS, a file of PEM certificates, in place of
    /// the system's.
    pub ca_file: Option<PathBuf>,
    /// The user part of our address.
    pub username: String,
    /// The user part of From in calls, if other than `username`: the number that calls show.
    pub from_user: Option<String>,
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
    /// Whether sound towards the provider is encrypted.
    pub srtp: sdp::Encryption,
    /// The codecs to offer, best first.
    pub codecs: Vec<Codec>,
    /// The host part of our SIP address, where it is not the registrar's host.
    pub domain: Option<String>,
    /// What calls say besides From of who calls.
    pub identity: Identity,
    /// What the provider wants otherwise than the RFCs have it.
    pub quirks: sip::Quirks,
}

/// A header field with our SIP address (RFC 3325), for providers that look there for who calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Identity {
    /// None.
    #[default]
    Off,
    /// P-Asserted-Identity.
    Asserted,
    /// P-Preferred-Identity.
    Preferred,
}

/// An outbound proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboundProxy {
    /// The SIP URI, `sip:host:port;lr`.
    pub uri: String,
    /// Where to send.
    pub target: HostPort,
    /// By which transport: the URI's, else the account's.
    pub transport: Option<Protocol>,
}

/// A host name or address, with a port where one is written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostPort {
    /// The host, without brackets.
    pub host: String,
    /// The port; without one DNS says where the servers are (RFC 3263).
    pub port: Option<u16>,
}

impl HostPort {
    /// Whether both mean the same host, an unwritten port being SIP's own.
    pub fn matches(&self, other: &HostPort) -> bool {
        let port = |of: &HostPort| of.port.unwrap_or(values::SIP_PORT);
        self.host == other.host && port(self) == port(other)
    }
}

impl std::fmt::Display for HostPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]", self.host)?,
            false => f.write_str(&self.host)?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

/// Section `[buttons.NAME]`.
#[derive(Clone, Debug)]
pub struct Button {
    /// The accounts that call, in the order of trying; never empty.
    pub accounts: Vec<String>,
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
    /// Whether their sound is encrypted towards the provider.
    pub srtp: sdp::Encryption,
}

/// What a file may refer to outside itself; tests put their own in its place.
pub struct Surroundings<'a> {
    /// Environment variables, for `env:NAME`.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Files, for `password_file`; paths come already joined with `folder`.
    pub file: &'a dyn Fn(&Path) -> std::io::Result<String>,
    /// Where relative paths start: the configuration file's own folder, so that the program may be
    /// started from anywhere.
    pub folder: PathBuf,
}

impl std::fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Reads a configuration file: the configuration and what start-up should mention, or every
/// mistake in it.
pub fn load(path: &Path) -> Result<(Config, Vec<Notice>), Problems> {
    let name = path.display().to_string();
    let text = read_bounded(path)
        .map_err(|error| Problems::unreadable(&name, &format!("can't be read: {error}")))?;
    let surroundings = Surroundings {
        variable: &|name| std::env::var(name).ok(),
        file: &read_bounded,
        folder: path.parent().unwrap_or(Path::new("")).to_path_buf(),
    };
    let (config, mut notices) = read(&name, &text, &surroundings)?;
    if text.contains("password") && is_world_readable(path) {
        notices.push(Notice::new(format!(
            "{name} holds passwords and everybody on this machine may read it: chmod 600 {name}"
        )));
    }
    Ok((config, notices))
}

/// What files and variables that are not looked at are taken to hold: a password, or certificates.
const UNSEEN: &str = "unknown -----BEGIN CERTIFICATE-----";

/// The same for a chore that needs no password and calls nobody: whoever runs it need not have what
/// stands outside of the file.
pub fn load_without_passwords(path: &Path) -> Result<Config, Problems> {
    let name = path.display().to_string();
    let text = read_bounded(path)
        .map_err(|error| Problems::unreadable(&name, &format!("can't be read: {error}")))?;
    let surroundings = Surroundings {
        variable: &|_| Some(UNSEEN.to_owned()),
        file: &|_| Ok(UNSEEN.to_owned()),
        folder: path.parent().unwrap_or(Path::new("")).to_path_buf(),
    };
    read(&name, &text, &surroundings).map(|(config, _)| config)
}

/// Reads a configuration from its text; `name` stands in messages.
pub fn read(
    name: &str,
    text: &str,
    surroundings: &Surroundings<'_>,
) -> Result<(Config, Vec<Notice>), Problems> {
    let mut log = problem::Log::new(name, text);
    let file = written::read(text, &mut log);
    let config = meant::build(file, surroundings, &mut log);
    log.finish(config)
}

/// The built-in configuration of `--demo`: one button, one account that calls the shop phone inside
/// this process, nothing that reaches beyond this machine.
pub fn demo() -> Config {
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let origins = ["http://127.0.0.1:8080", "http://localhost:8080"].map(str::to_owned).to_vec();
    let account = Account {
        // The shop phone binds a port of its own; whoever starts it writes the port here.
        registrar: HostPort { host: "127.0.0.1".into(), port: Some(5060) },
        username: "shop".into(),
        from_user: None,
        auth_username: None,
        password: Secret::default(),
        outbound_proxy: None,
        register: false,
        expires: meant::EXPIRES,
        srtp: sdp::Encryption::Off,
        codecs: Codec::ALL.to_vec(),
        transport: None,
        ca_file: None,
        domain: None,
        identity: Identity::Off,
        quirks: sip::Quirks::default(),
    };
    let button = Button {
        accounts: vec!["demo".into()],
        destination: "sip:demo@127.0.0.1:5060".into(),
        origins,
        video: false,
        max_duration: meant::MAX_DURATION,
        max_calls: meant::MAX_CALLS,
    };
    Config {
        public_url: "http://127.0.0.1:8080".into(),
        listen: Listen {
            http: SocketAddr::new(loopback, 8080),
            webrtc: SocketAddr::new(loopback, 8443),
            rtmfp: SocketAddr::new(loopback, 1935),
            rtmfp_named: false,
            sip: SocketAddr::new(loopback, 0),
            rtp: RtpRange { address: loopback, first: 20_000, last: 20_999 },
            public_ip: None,
            webrtc_everywhere: true,
        },
        accounts: BTreeMap::from([("demo".into(), account)]),
        buttons: BTreeMap::from([("demo".into(), button)]),
        webphone: None,
        data: None,
        // Nobody else could read them.
        traces: false,
        demo: true,
    }
}

impl Config {
    /// Where pages are reached when HTTP listens at `http`: the public URL, but for the demo and
    /// tests that let the system choose a port.
    pub fn public_url_at(&self, http: SocketAddr) -> String {
        if self.demo || self.listen.http.port() == 0 {
            format!("http://{http}")
        } else {
            self.public_url.clone()
        }
    }

    /// Says that pages are reached at `address`: the demo and tests listen on any free port, which
    /// is known only once the socket is open. Buttons of the demo may then be embedded from there.
    pub fn set_public_address(&mut self, address: SocketAddr) {
        self.public_url = format!("http://{address}");
        if self.demo {
            let port = address.port();
            let origins = [self.public_url.clone(), format!("http://localhost:{port}")];
            for button in self.buttons.values_mut() {
                button.origins = origins.to_vec();
            }
        }
    }
}

/// What `--demo` leaves out, in words.
pub fn demo_notices() -> Vec<Notice> {
    [
        "HTTPS: browsers give the microphone to pages of this machine without it",
        "page-supplied accounts: they need a [webphone] section, see click2call init",
        "the call log is kept in memory: it needs a [data] section",
    ]
    .map(|text| Notice::new(text.to_owned()))
    .to_vec()
}

/// Fuzz entry point: any octets as a file must give an answer, and never touch the machine.
pub fn fuzz(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let surroundings = Surroundings {
        variable: &|name| (name.len() % 2 == 0).then(|| "value".to_owned()),
        file: &|_| Err(std::io::ErrorKind::NotFound.into()),
        folder: PathBuf::new(),
    };
    match read("fuzz.toml", &text, &surroundings) {
        Ok((config, notices)) => {
            let mut accounts = config.buttons.values().flat_map(|button| &button.accounts);
            assert!(accounts.all(|name| config.accounts.contains_key(name)));
            drop(notices);
        }
        Err(problems) => assert!(!problems.list().is_empty() && !problems.to_string().is_empty()),
    }
}

/// A text file of reasonable size.
fn read_bounded(path: &Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?.take(FILE_OCTETS + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_OCTETS {
        return Err(std::io::Error::other("it is longer than 1 MB"));
    }
    Ok(text)
}

#[cfg(unix)]
fn is_world_readable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|facts| facts.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn is_world_readable(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests;
