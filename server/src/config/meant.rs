//! The configuration as meant: every value checked, every default filled in.

use super::problem::{Log, Place, nearest};
use super::section::Written;
use super::values::{self, Origin};
use super::written::{self, Text, Texts};
use super::{
    Account, Button, Config, HostPort, Listen, OutboundProxy, RtpRange, Surroundings, WebPhone,
};
use base::{Codec, Secret};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
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
    let sip = checked_or(&written.sip, SIP, written::ADDRESS, log, values::address);
    let rtp = checked_or(&written.rtp, RTP, written::RTP, log, values::rtp_range);
    for (text, what) in [
        (&written.https, "HTTPS is not in this version: put a TLS proxy in front"),
        (&written.rtmfp, "the Flash WebPhone is not in this version"),
    ] {
        if let Some(text) = text
            && checked(text, written::ADDRESS, log, values::address).is_some()
        {
            log.notice(Some(&text.place), what);
        }
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
    let sip = listen.sip;
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
    for (address, name) in [(webrtc, "webrtc"), (sip, "sip")] {
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

fn account(
    written: &written::Account,
    surroundings: &Surroundings<'_>,
    log: &mut Log,
) -> Option<Account> {
    if let Err(what) = values::name(&written.name) {
        log.wrong(&written.place, what, "[accounts.main]");
    }
    let registrar =
        required(&written.registrar, &written.place, "registrar", written::REGISTRAR, log)
            .and_then(|text| checked(text, written::REGISTRAR, log, values::registrar));
    let username = required(&written.username, &written.place, "username", written::USERNAME, log)
        .and_then(|text| checked(text, written::USERNAME, log, username));
    let auth_username = match &written.auth_username {
        Some(text) => checked(text, written::USERNAME, log, |text| {
            if text.is_empty() || text.chars().any(char::is_control) {
                Err("the name is empty or has control characters".into())
            } else {
                Ok(Some(text.to_owned()))
            }
        }),
        None => Some(None),
    };
    only_value(&written.transport, "udp", &["tcp", "tls"], written::TRANSPORT, log);
    only_value(&written.srtp, "off", &["offered", "required"], written::SRTP, log);
    let register = written.register.as_ref().is_none_or(|register| register.value);
    let password = password(written, register, surroundings, log);
    let outbound_proxy = match &written.outbound_proxy {
        Some(text) => checked(text, written::PROXY, log, proxy).map(Some),
        None => Some(None),
    };
    let expires = match &written.expires {
        None => Some(EXPIRES),
        Some(number) => match u64::try_from(number.value) {
            Ok(seconds @ 10..=86_400) => Some(Duration::from_secs(seconds)),
            _ => {
                let what = format!("{} is out of range", number.value);
                log.wrong(&number.place, what, written::EXPIRES);
                None
            }
        },
    };
    let codecs = codecs(&written.codecs, log);
    Some(Account {
        registrar: registrar?,
        username: username?,
        auth_username: auth_username?,
        password: password?,
        outbound_proxy: outbound_proxy?,
        register,
        expires: expires?,
        codecs: codecs?,
    })
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

/// The user part of our address (RFC 3261 section 25.1, `user`), so that it needs no escaping.
fn username(text: &str) -> Result<String, String> {
    if let Some((user, _)) = text.split_once('@') {
        return Err(format!("leave out the @ and what follows: \"{user}\""));
    }
    let allowed =
        |octet: u8| octet.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/%".contains(&octet);
    if text.is_empty() || !text.bytes().all(allowed) {
        return Err("a SIP user has letters, digits and -_.!~*'()&=+$,;?/ only".into());
    }
    Ok(text.to_owned())
}

/// A key of which this version knows one value only. The others are refused rather than ignored:
/// whoever asks for encryption must not talk without it unawares.
fn only_value(text: &Text, now: &str, later: &[&str], accepted: &str, log: &mut Log) {
    let Some(text) = text else { return };
    if text.value == now {
        return;
    }
    if later.contains(&text.value.as_str()) {
        log.wrong(&text.place, format!("\"{}\" is not in this version", text.value), accepted);
    } else {
        log.wrong(&text.place, format!("\"{}\" is not known", text.value), accepted);
    }
}

fn password(
    written: &written::Account,
    register: bool,
    surroundings: &Surroundings<'_>,
    log: &mut Log,
) -> Option<Secret> {
    match (&written.password, &written.password_file) {
        (Some(_), Some(file)) => {
            log.wrong(&file.place, "stands beside password", "one of password and password_file");
            None
        }
        (Some(password), None) => match password.value.strip_prefix("env:") {
            Some(variable) => match (surroundings.variable)(variable) {
                Some(value) if !value.is_empty() => Some(Secret::new(value)),
                _ => {
                    let what = format!("the environment has no variable {variable}");
                    log.wrong(&password.place, what, written::PASSWORD);
                    None
                }
            },
            None if password.value.is_empty() => {
                log.wrong(&password.place, "the password is empty", written::PASSWORD);
                None
            }
            None => Some(Secret::new(password.value.clone())),
        },
        (None, Some(file)) => {
            let path: PathBuf = surroundings.folder.join(&file.value);
            match (surroundings.file)(&path) {
                // Editors end a file with a line break; a password has none.
                Ok(text) => match text.trim_end_matches(['\r', '\n']) {
                    "" => {
                        let what = format!("{} is empty", path.display());
                        log.wrong(&file.place, what, written::PASSWORD_FILE);
                        None
                    }
                    text => Some(Secret::new(text)),
                },
                Err(error) => {
                    let what = format!("{} can't be read: {error}", path.display());
                    log.wrong(&file.place, what, written::PASSWORD_FILE);
                    None
                }
            }
        }
        (None, None) if register => {
            log.missing(&written.place, "password", written::PASSWORD);
            None
        }
        // A trunk that is known by its address needs none.
        (None, None) => Some(Secret::default()),
    }
}

fn proxy(text: &str) -> Result<OutboundProxy, String> {
    let uri = values::sip_uri(text)?;
    let loose = uri.parameters.split(';').any(|parameter| parameter.eq_ignore_ascii_case("lr"));
    if !loose {
        // Without it a proxy would be a strict router of RFC 2543, which nobody runs any more.
        return Err(format!("\"{text}\" lacks ;lr"));
    }
    Ok(OutboundProxy { uri: text.to_owned(), target: uri.target })
}

fn codecs(written: &Texts, log: &mut Log) -> Option<Vec<Codec>> {
    let Some(list) = written else { return Some(Codec::ALL.to_vec()) };
    let mut codecs = Vec::new();
    let mut fine = true;
    for name in &list.value {
        match name.value.to_ascii_lowercase().as_str() {
            "speex16" | "speex8" => {
                log.notice(
                    Some(&name.place),
                    &format!("{}: not in this version: ignored", name.value),
                );
            }
            key => match Codec::ALL.into_iter().find(|codec| codec.key() == key) {
                Some(codec) if codecs.contains(&codec) => {
                    log.wrong(&name.place, format!("\"{key}\" stands twice"), written::CODECS);
                    fine = false;
                }
                Some(codec) => codecs.push(codec),
                None => {
                    let keys = Codec::ALL.map(Codec::key);
                    let meant = nearest(key, &keys).unwrap_or_default();
                    log.wrong(
                        &name.place,
                        format!("\"{}\" is no codec, the nearest one is \"{meant}\"", name.value),
                        written::CODECS,
                    );
                    fine = false;
                }
            },
        }
    }
    if fine && codecs.is_empty() {
        log.wrong(&list.place, "no codec is left", written::CODECS);
        fine = false;
    }
    fine.then_some(codecs)
}

fn button(written: &written::Button, accounts: &[&str], log: &mut Log) -> Option<Button> {
    if let Err(what) = values::name(&written.name) {
        log.wrong(&written.place, what, "[buttons.sales]");
    }
    let account = match (&written.account, accounts) {
        (Some(name), accounts) => match accounts.iter().find(|known| **known == name.value) {
            Some(known) => Some((*known).to_owned()),
            None => {
                let meant = match nearest(&name.value, accounts) {
                    Some(meant) => format!(", the nearest one is \"{meant}\""),
                    None => String::new(),
                };
                log.wrong(
                    &name.place,
                    format!("there is no account \"{}\"{meant}", name.value),
                    written::ACCOUNT_NAME,
                );
                None
            }
        },
        (None, [only]) => Some((*only).to_owned()),
        (None, []) => {
            log.missing(&written.place, "account", "a section [accounts.NAME] to call from");
            None
        }
        (None, several) => {
            let accepted = format!("one of {}", several.join(", "));
            log.missing(&written.place, "account", &accepted);
            None
        }
    };
    let destination =
        required(&written.destination, &written.place, "destination", written::DESTINATION, log)
            .and_then(|text| {
                checked(text, written::DESTINATION, log, values::sip_uri)?;
                Some(text.value.clone())
            });
    let origins = origins(&written.origins, log);
    if written.origins.as_ref().is_none_or(|origins| origins.value.is_empty()) {
        log.notice(
            Some(&written.place),
            "no page may embed this button (origins is empty); its own page still works",
        );
    }
    let video = written.video.as_ref().is_some_and(|video| video.value);
    if let (true, Some(written)) = (video, &written.video) {
        log.notice(Some(&written.place), "video is not in this version: calls have sound only");
    }
    let max_duration =
        checked_or(&written.max_duration, MAX_DURATION, written::DURATION, log, |text| {
            match values::duration(text)? {
                Duration::ZERO => Err("nobody can talk in no time".into()),
                long if long > LONGEST_DURATION => Err(format!("\"{text}\" is above a day")),
                duration => Ok(duration),
            }
        });
    let max_calls = match &written.max_calls {
        None => Some(MAX_CALLS),
        Some(number) => match u32::try_from(number.value) {
            Ok(calls @ 1..=1000) => Some(calls),
            _ => {
                let what = format!("{} is out of range", number.value);
                log.wrong(&number.place, what, written::MAX_CALLS);
                None
            }
        },
    };
    Some(Button {
        account: account?,
        destination: destination?,
        origins: origins?,
        video,
        max_duration: max_duration?,
        max_calls: max_calls?,
    })
}

/// Origins in their canonical spelling, each once; none where one of them is wrong.
fn origins(written: &Texts, log: &mut Log) -> Option<Vec<String>> {
    let Some(list) = written else { return Some(Vec::new()) };
    let mut origins = Vec::new();
    let mut fine = true;
    for text in &list.value {
        match checked(text, written::ORIGINS, log, Origin::parse) {
            Some(origin) => {
                let origin = origin.to_string();
                if !origins.contains(&origin) {
                    origins.push(origin);
                }
            }
            None => fine = false,
        }
    }
    fine.then_some(origins)
}

fn webphone(written: &written::WebPhone, log: &mut Log) -> Option<WebPhone> {
    if written.registrars.is_none() {
        log.missing(&written.place, "registrars", written::REGISTRARS);
    }
    if written.origins.is_none() {
        log.missing(&written.place, "origins", written::ORIGINS);
    }
    let mut registrars: Vec<HostPort> = Vec::new();
    let mut fine = true;
    if let Some(list) = &written.registrars {
        for text in &list.value {
            match checked(text, written::REGISTRARS, log, values::registrar) {
                Some(registrar) => registrars.push(registrar),
                None => fine = false,
            }
        }
        if list.value.is_empty() {
            log.wrong(&list.place, "the list is empty", written::REGISTRARS);
            fine = false;
        }
    }
    let origins = origins(&written.origins, log)?;
    fine.then_some(WebPhone { registrars, origins })
}
