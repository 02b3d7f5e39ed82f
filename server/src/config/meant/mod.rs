//! The configuration as meant: every value checked, every default filled in.

mod account;
mod button;

use self::account::account;
use self::button::{button, webphone};
use super::origin::Origin;
use super::problem::{Log, Place};
use super::section::Written;
use super::values;
use super::written::{self, Text};
use super::{Button, Config, Listen, RtpRange, Surroundings};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The life of a registration that we ask for.
pub(super) const EXPIRES: Duration = Duration::from_secs(300);
/// The longest call.
pub(super) const MAX_DURATION: Duration = Duration::from_secs(15 * 60);
/// Calls of one button at once.
pub(super) const MAX_CALLS: u32 = 4;
const LONGEST_DURATION: Duration = Duration::from_secs(86_400);
const HTTP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const WEBRTC: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8443);
const RTMFP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 1935);
const SIP: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
const RTP: RtpRange =
    RtpRange { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), first: 20_000, last: 20_999 };

/// Builds the configuration. None only together with at least one noted mistake; the reverse does
/// not hold, so the caller asks the log.
pub(super) fn build(
    file: written::File,
    surroundings: &Surroundings<'_>,
    log: &mut Log,
) -> Option<Config> {
    let public_url = public_url(&file, log);
    let listen = listen(&file.listen, log);
    if file.accounts.is_empty() && file.webphone.is_none() {
        log.missing(&file.top, "accounts", "at least one section [accounts.NAME]");
    }
    if file.buttons.is_empty() && file.webphone.is_none() {
        log.missing(&file.top, "buttons", "at least one section [buttons.NAME]");
    }
    // Buttons are checked against the accounts as written: an account with a mistake in it is no
    // unknown account.
    let names: Vec<&str> = file.accounts.iter().map(|account| account.name.as_str()).collect();
    let mut buttons = BTreeMap::new();
    for written in &file.buttons {
        if let Some(button) = button(written, &names, log) {
            buttons.insert(written.name.clone(), button);
        }
    }
    let mut accounts = BTreeMap::new();
    for written in &file.accounts {
        if let Some(account) = account(written, surroundings, log) {
            accounts.insert(written.name.clone(), account);
        }
    }
    let webphone = file.webphone.as_ref().and_then(|written| webphone(written, log));
    let data = match &file.data {
        Some(path) if path.value.is_empty() => {
            log.wrong(&path.place, "the path is empty", written::DATA_PATH);
            None
        }
        Some(path) => Some(surroundings.folder.join(&path.value)),
        None => Some(surroundings.folder.join("click2call.db")),
    };
    if let Some(hash) = &file.password_hash
        && !hash.value.starts_with("$argon2id$")
    {
        // The value is not repeated: it may be the password itself.
        log.wrong(&hash.place, "this is not an Argon2id hash", written::PASSWORD_HASH);
    }
    if let Some(place) = &file.admin {
        log.notice(Some(place), "the dashboard /admin/ is not in this version");
    }
    enough_ports(&buttons, listen.as_ref(), log);
    Some(Config {
        public_url: public_url?,
        listen: listen?,
        accounts,
        buttons,
        webphone,
        data,
        traces: file.traces.as_ref().is_none_or(|written| written.value),
        demo: false,
    })
}

/// Runs one of the value parsers over a text and notes what it says.
fn checked<T>(
    written: &Written<String>,
    accepted: &str,
    log: &mut Log,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    parse(&written.value).map_err(|what| log.wrong(&written.place, what, accepted)).ok()
}

/// The same for a key that has a default.
fn checked_or<T>(
    written: &Text,
    default: T,
    accepted: &str,
    log: &mut Log,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<T> {
    match written {
        Some(written) => checked(written, accepted, log, parse),
        None => Some(default),
    }
}

fn public_url(file: &written::File, log: &mut Log) -> Option<String> {
    match (&file.domain, &file.public_url) {
        (None, None) => {
            log.missing(&file.top, "domain", written::DOMAIN);
            None
        }
        (Some(domain), Some(url)) => {
            // Both are checked all the same: one of them stays.
            checked(domain, written::DOMAIN, log, values::domain);
            checked(url, written::PUBLIC_URL, log, public_origin);
            log.wrong(&url.place, "stands beside domain", "one of domain and public_url");
            None
        }
        (Some(domain), None) => {
            let name = checked(domain, written::DOMAIN, log, values::domain)?;
            log.notice(
                Some(&domain.place),
                &format!(
                    "automatic HTTPS is not in this version: put a TLS proxy in front of {} that \
                     passes WebSockets, Host and X-Forwarded-For",
                    file.listen.http.as_ref().map_or(HTTP.to_string(), |http| http.value.clone())
                ),
            );
            Some(format!("https://{name}"))
        }
        (None, Some(url)) => {
            let origin = checked(url, written::PUBLIC_URL, log, public_origin)?;
            if !origin.secure && !origin.is_loopback() {
                log.notice(
                    Some(&url.place),
                    "browsers give the microphone to https pages only; calls from other machines \
                     will fail until a TLS proxy stands in front",
                );
            }
            Some(origin.to_string())
        }
    }
}

/// A public URL is an origin; the slash that browsers put behind one does no harm.
fn public_origin(text: &str) -> Result<Origin, String> {
    Origin::parse(text.strip_suffix('/').unwrap_or(text))
}

fn listen(written: &written::Listen, log: &mut Log) -> Option<Listen> {
    let http = checked_or(&written.http, HTTP, written::ADDRESS, log, values::address);
    let webrtc = checked_or(&written.webrtc, WEBRTC, written::ADDRESS, log, values::address);
    let rtmfp = checked_or(&written.rtmfp, RTMFP, written::ADDRESS, log, values::address);
    let sip = checked_or(&written.sip, SIP, written::ADDRESS, log, values::address);
    let rtp = checked_or(&written.rtp, RTP, written::RTP, log, values::rtp_range);
    if let Some(text) = &written.https
        && checked(text, written::ADDRESS, log, values::address).is_some()
    {
        let what = "HTTPS is not in this version: put a TLS proxy in front";
        log.notice(Some(&text.place), what);
    }
    let public_ip = match &written.public_ip {
        None => None,
        Some(text) => {
            let ip = checked(text, written::PUBLIC_IP, log, |text| match text.parse::<IpAddr>() {
                Ok(ip) if ip.is_unspecified() => Err(format!("\"{text}\" is nobody's address")),
                Ok(ip) => Ok(ip),
                Err(_) => Err(format!("\"{text}\" is not an IP address")),
            });
            Some(ip?)
        }
    };
    let listen = Listen {
        http: http?,
        webrtc: webrtc?,
        rtmfp: rtmfp?,
        rtmfp_named: written.rtmfp.is_some(),
        sip: sip?,
        rtp: rtp?,
        public_ip,
        webrtc_everywhere: false,
    };
    collisions(&listen, written, log);
    Some(listen)
}

/// Sockets that can't be open at the same time.
fn collisions(listen: &Listen, written: &written::Listen, log: &mut Log) {
    let meet = |a: IpAddr, b: IpAddr| a == b || a.is_unspecified() || b.is_unspecified();
    let section = Place { key: "listen".into(), offset: 0 };
    let place = |text: &Text, key: &str| {
        text.as_ref().map_or_else(|| section.lacking(key), |text| text.place.clone())
    };
    let http = listen.http;
    let webrtc = listen.webrtc;
    let (rtmfp, sip) = (listen.rtmfp, listen.sip);
    let rtp = listen.rtp;
    // Browser media listens on TCP too, which is where pages come in.
    if webrtc.port() != 0 && webrtc.port() == http.port() && meet(webrtc.ip(), http.ip()) {
        let what = "this TCP port is taken by http";
        log.wrong(&place(&written.webrtc, "webrtc"), what, "a port of its own");
    }
    if sip.port() != 0 && sip.port() == webrtc.port() && meet(sip.ip(), webrtc.ip()) {
        let what = "this UDP port is taken by webrtc";
        log.wrong(&place(&written.sip, "sip"), what, "a port of its own, or 0 for any");
    }
    for (other, name) in [(webrtc, "webrtc"), (sip, "sip")] {
        let same = rtmfp.port() != 0 && rtmfp.port() == other.port();
        if same && meet(rtmfp.ip(), other.ip()) {
            let what = format!("this UDP port is taken by {name}");
            log.wrong(&place(&written.rtmfp, "rtmfp"), &what, "a port of its own");
        }
    }
    for (address, name) in [(webrtc, "webrtc"), (rtmfp, "rtmfp"), (sip, "sip")] {
        let within = (rtp.first..=rtp.last).contains(&address.port());
        if within && meet(address.ip(), rtp.address) {
            let what = format!("this range holds the port of {name}, {}", address.port());
            log.wrong(&place(&written.rtp, "rtp"), what, "a range of its own");
        }
    }
}

/// A range of ports that the buttons can exhaust is worth a word.
fn enough_ports(buttons: &BTreeMap<String, Button>, listen: Option<&Listen>, log: &mut Log) {
    let Some(listen) = listen else { return };
    let calls: u64 = buttons.values().map(|button| u64::from(button.max_calls)).sum();
    let pairs = (u64::from(listen.rtp.last) - u64::from(listen.rtp.first)).div_ceil(2);
    if calls > pairs {
        log.notice(
            None,
            &format!("listen.rtp has ports for {pairs} calls, the buttons allow {calls}"),
        );
    }
}

fn required<'w>(
    text: &'w Text,
    section: &Place,
    key: &str,
    accepted: &str,
    log: &mut Log,
) -> Option<&'w Written<String>> {
    if text.is_none() {
        log.missing(section, key, accepted);
    }
    text.as_ref()
}
