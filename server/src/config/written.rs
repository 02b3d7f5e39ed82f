//! The configuration as written: every key of the file with its place, nothing checked but kinds.

use super::problem::{Log, Place};
use super::section::{Section, Written};
use toml::de::DeTable;

/// A text that may be absent.
pub(super) type Text = Option<Written<String>>;
/// A list that may be absent.
pub(super) type Texts = Option<Written<Vec<Written<String>>>>;

/// The whole file.
#[derive(Debug)]
pub(super) struct File {
    pub top: Place,
    pub domain: Text,
    pub public_url: Text,
    pub listen: Listen,
    pub accounts: Vec<Account>,
    pub buttons: Vec<Button>,
    pub webphone: Option<WebPhone>,
    pub data: Text,
    /// Whether calls are traced.
    pub traces: Option<Written<bool>>,
    pub password_hash: Text,
    pub admin: Option<Place>,
}

/// `[listen]`.
#[derive(Debug, Default)]
pub(super) struct Listen {
    pub http: Text,
    pub https: Text,
    pub webrtc: Text,
    pub rtmfp: Text,
    pub sip: Text,
    pub rtp: Text,
    pub public_ip: Text,
}

/// `[accounts.NAME]`.
#[derive(Debug)]
pub(super) struct Account {
    pub name: String,
    pub place: Place,
    pub registrar: Text,
    pub transport: Text,
    pub ca_file: Text,
    pub username: Text,
    pub from_user: Text,
    pub auth_username: Text,
    pub password: Text,
    pub password_file: Text,
    pub outbound_proxy: Text,
    pub register: Option<Written<bool>>,
    pub expires: Option<Written<i64>>,
    pub srtp: Text,
    pub codecs: Texts,
    pub domain: Text,
    pub identity: Text,
    pub quirks: Texts,
}

/// `[buttons.NAME]`.
#[derive(Debug)]
pub(super) struct Button {
    pub name: String,
    pub place: Place,
    pub account: Texts,
    pub destination: Text,
    pub origins: Texts,
    pub video: Option<Written<bool>>,
    pub max_duration: Text,
    pub max_calls: Option<Written<i64>>,
}

/// `[webphone]`.
#[derive(Debug)]
pub(super) struct WebPhone {
    pub place: Place,
    pub registrars: Texts,
    pub origins: Texts,
    pub srtp: Text,
}

// What each key accepts, in words; the same words answer a wrong kind and a wrong value.
pub(super) const DOMAIN: &str = "the public name of this machine, \"call.shop.example\"";
pub(super) const PUBLIC_URL: &str =
    "where pages are reached from outside, \"https://call.shop.example\"";
pub(super) const ADDRESS: &str = "an address and a port, \"127.0.0.1:8080\" or \"[::1]:8080\"";
pub(super) const RTP: &str = "an address and a range of ports, \"0.0.0.0:20000-20999\"";
pub(super) const PUBLIC_IP: &str = "an IP address, \"203.0.113.7\"";
pub(super) const REGISTRAR: &str = "a host, with a port where it is not the usual one: \"sip.provider.example\", \"127.0.0.1:5070\"";
pub(super) const TRANSPORT: &str = "\"udp\", \"tcp\" or \"tls\"";
pub(super) const CA_FILE: &str =
    "the path of a PEM file with the authorities that vouch for the provider's certificate";
pub(super) const USERNAME: &str = "the part of your SIP address before the @, \"74951234567\"";
pub(super) const FROM_USER: &str =
    "the user or number that calls come from, where it is not username: \"+4930123456\"";
pub(super) const PASSWORD: &str = "a text, or \"env:NAME\" for an environment variable";
pub(super) const PASSWORD_FILE: &str = "the path of a file that holds the password";
pub(super) const PROXY: &str = "a SIP address with ;lr, \"sip:proxy.provider.example:5060;lr\"";
pub(super) const EXPIRES: &str = "seconds from 10 to 86400, without quotes";
pub(super) const SRTP: &str = "\"off\", \"offered\" or \"required\"";
pub(super) const CODECS: &str =
    "a list of \"opus\", \"g722\", \"pcma\", \"pcmu\", \"speex16\", \"speex8\", best first";
pub(super) const SIP_DOMAIN: &str = "the part of your SIP address behind the @, where it is not the registrar: \"provider.example\"";
pub(super) const IDENTITY: &str =
    "\"off\", \"pai\" (P-Asserted-Identity) or \"ppi\" (P-Preferred-Identity)";
pub(super) const QUIRKS: &str = "a list of \"from-auth-user\", \"no-session-timers\", \"no-100rel\", \"one-contact\", \"no-rport\", \"no-path\", \"short-requests\", \"bare-contact\", \"contact-auth-user\", \"no-rtcp-mux\", \"user-phone\", \"plus\", \"no-plus\", \"no-transport\", \"name-transport\", \"no-route\", \"sips\", \"options-pings\", \"ring-after-early\", \"no-early-media\", \"info-digits\"";
pub(super) const DESTINATION: &str = "a SIP address, \"sip:sales@sip.provider.example\"";
pub(super) const ORIGINS: &str =
    "a list of origins, scheme and host without a path: [\"https://www.shop.example\"]";
pub(super) const DURATION: &str = "a time from 1 second to a day, \"90s\", \"15m\", \"1h30m\"";
pub(super) const MAX_CALLS: &str = "a number from 1 to 1000, without quotes";
pub(super) const REGISTRARS: &str = "a list of hosts, [\"sip.provider.example\"]";
pub(super) const DATA_PATH: &str = "the path of the call log, \"click2call.db\"";
pub(super) const PASSWORD_HASH: &str = "an Argon2id hash, \"$argon2id$...\"";
pub(super) const ACCOUNT_NAME: &str =
    "the name of a section [accounts.NAME], or a list of several in the order of trying";

/// Damaged lines after which a file is not looked at any further.
const DAMAGED_LINES: usize = 20;

/// Reads the text of a file. Text that is not TOML is noted, and what can still be made out of it
/// is read on.
pub(super) fn read(text: &str, log: &mut Log) -> File {
    let text = readable(text, log);
    let (table, _) = DeTable::parse_recoverable(&text);
    let mut top = Section::top(table.get_ref());
    let domain = top.text("domain", DOMAIN, log);
    let public_url = top.text("public_url", PUBLIC_URL, log);
    let listen = top.section("listen", log).map(|s| listen(s, log)).unwrap_or_default();
    let accounts = top.sections("accounts", log);
    let accounts = accounts.into_iter().map(|(name, s)| account(name, s, log)).collect();
    let buttons = top.sections("buttons", log);
    let buttons = buttons.into_iter().map(|(name, s)| button(name, s, log)).collect();
    let webphone = top.section("webphone", log).map(|s| webphone(s, log));
    let mut traces = None;
    let data = top.section("data", log).and_then(|mut section| {
        let path = section.text("path", DATA_PATH, log);
        traces = section.flag("traces", log);
        section.finish(log);
        path
    });
    let mut password_hash = None;
    let admin = top.section("admin", log).map(|mut section| {
        let place = section.place.clone();
        password_hash = section.text("password_hash", PASSWORD_HASH, log);
        section.finish(log);
        place
    });
    let place = top.place.clone();
    top.finish(log);
    File {
        top: place,
        domain,
        public_url,
        listen,
        accounts,
        buttons,
        webphone,
        data,
        traces,
        password_hash,
        admin,
    }
}

/// Notes what is not TOML and blanks its lines, so that the rest can be read and every offset
/// still holds. The parser by itself gives up at the first damaged line.
fn readable(text: &str, log: &mut Log) -> String {
    let mut octets = text.as_bytes().to_vec();
    for _ in 0..DAMAGED_LINES {
        let text = String::from_utf8_lossy(&octets).into_owned();
        let (_, errors) = DeTable::parse_recoverable(&text);
        let mut blanked = false;
        for error in errors {
            let offset = error.span().map_or(0, |span| span.start).min(text.len());
            // The parser's message may have several lines; a mistake has one.
            log.syntax(offset, &error.message().lines().collect::<Vec<_>>().join(", "));
            // A repeated key or section is read well enough; without its head a section's keys
            // would fall to the one before it.
            if error.message().contains("duplicate") {
                continue;
            }
            let (before, after) = octets.split_at(offset.min(octets.len()));
            let start = before.iter().rposition(|octet| *octet == b'\n').map_or(0, |at| at + 1);
            let length = after.iter().position(|octet| *octet == b'\n').unwrap_or(after.len());
            let end = before.len() + length;
            for octet in octets.iter_mut().take(end).skip(start).filter(|o| **o != b' ') {
                *octet = b' ';
                blanked = true;
            }
        }
        if !blanked {
            break;
        }
    }
    String::from_utf8_lossy(&octets).into_owned()
}

fn listen(mut section: Section<'_>, log: &mut Log) -> Listen {
    let listen = Listen {
        http: section.text("http", ADDRESS, log),
        https: section.text("https", ADDRESS, log),
        webrtc: section.text("webrtc", ADDRESS, log),
        rtmfp: section.text("rtmfp", ADDRESS, log),
        sip: section.text("sip", ADDRESS, log),
        rtp: section.text("rtp", RTP, log),
        public_ip: section.text("public_ip", PUBLIC_IP, log),
    };
    section.finish(log);
    listen
}

fn account(name: String, mut section: Section<'_>, log: &mut Log) -> Account {
    let account = Account {
        name,
        place: section.place.clone(),
        registrar: section.text("registrar", REGISTRAR, log),
        transport: section.text("transport", TRANSPORT, log),
        ca_file: section.text("ca_file", CA_FILE, log),
        username: section.text("username", USERNAME, log),
        from_user: section.text("from_user", FROM_USER, log),
        auth_username: section.text("auth_username", USERNAME, log),
        password: section.text("password", PASSWORD, log),
        password_file: section.text("password_file", PASSWORD_FILE, log),
        outbound_proxy: section.text("outbound_proxy", PROXY, log),
        register: section.flag("register", log),
        expires: section.number("expires", EXPIRES, log),
        srtp: section.text("srtp", SRTP, log),
        codecs: section.texts("codecs", CODECS, log),
        domain: section.text("domain", SIP_DOMAIN, log),
        identity: section.text("identity", IDENTITY, log),
        quirks: section.texts("quirks", QUIRKS, log),
    };
    section.finish(log);
    account
}

fn button(name: String, mut section: Section<'_>, log: &mut Log) -> Button {
    let button = Button {
        name,
        place: section.place.clone(),
        account: section.text_or_texts("account", ACCOUNT_NAME, log),
        destination: section.text("destination", DESTINATION, log),
        origins: section.texts("origins", ORIGINS, log),
        video: section.flag("video", log),
        max_duration: section.text("max_duration", DURATION, log),
        max_calls: section.number("max_calls", MAX_CALLS, log),
    };
    section.finish(log);
    button
}

fn webphone(mut section: Section<'_>, log: &mut Log) -> WebPhone {
    let webphone = WebPhone {
        place: section.place.clone(),
        registrars: section.texts("registrars", REGISTRARS, log),
        origins: section.texts("origins", ORIGINS, log),
        srtp: section.text("srtp", SRTP, log),
    };
    section.finish(log);
    webphone
}
