//! SIP, SIPS and tel URIs (RFC 3261 section 19.1, RFC 3966).

use std::fmt;
use std::net::SocketAddr;

use base::Secret;

use super::host::{Host, parse_host_port};
use super::lex;
use super::params::Params;
use super::via::Transport;

/// The scheme of a URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `sip`
    Sip,
    /// `sips`
    Sips,
    /// `tel`
    Tel,
    /// Any other scheme, in lower case.
    Other(String),
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scheme::Sip => "sip",
            Scheme::Sips => "sips",
            Scheme::Tel => "tel",
            Scheme::Other(scheme) => scheme,
        })
    }
}

/// A URI.
///
/// A `tel` URI has its number in `user` and an empty host name; of a URI of another scheme
/// everything after the colon is in `host`, as a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uri {
    /// The scheme.
    pub scheme: Scheme,
    /// The user part as it is on the wire, with its `%` escapes (see [`Uri::user_text`]).
    pub user: Option<String>,
    /// The password, which nobody should use.
    pub password: Option<Secret>,
    /// The host.
    pub host: Host,
    /// The port, if it is written.
    pub port: Option<u16>,
    /// The parameters.
    pub params: Params,
    /// The header fields after `?`, as they are on the wire.
    pub headers: Vec<(String, String)>,
}

/// What keeps a text from being a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadUri;

impl Uri {
    /// A `sip` URI; characters that a user part cannot hold are escaped.
    pub fn sip(user: Option<&str>, host: Host, port: Option<u16>) -> Uri {
        Uri {
            scheme: Scheme::Sip,
            user: user.map(escape_user),
            password: None,
            host,
            port,
            params: Params::new(),
            headers: Vec::new(),
        }
    }

    /// A `sip` URI with an address and its port as host.
    pub fn at(user: Option<&str>, address: SocketAddr) -> Uri {
        Uri::sip(user, Host::from(address.ip()), Some(address.port()))
    }

    /// Reads a URI, without angle brackets.
    ///
    /// # Errors
    /// [`BadUri`] if there is no scheme, or the rest of a `sip`, `sips` or `tel` URI is malformed.
    pub fn parse(text: &str) -> Result<Uri, BadUri> {
        let (scheme, rest) = scheme(text).ok_or(BadUri)?;
        match scheme {
            Scheme::Sip | Scheme::Sips => parse_sip(scheme, rest),
            Scheme::Tel => parse_tel(rest),
            Scheme::Other(other) => parse_opaque(other, rest),
        }
        .ok_or(BadUri)
    }

    /// Whether [`Uri::parse`] would read a text.
    pub(crate) fn is_one(text: &str) -> bool {
        let are = |params: Option<&str>| params.is_none_or(Params::is_uri);
        match scheme(text) {
            Some((Scheme::Sip | Scheme::Sips, rest)) => sip_parts(rest).is_some_and(|parts| {
                are(parts.params) && parts.headers.is_none_or(|text| parse_headers(text).is_some())
            }),
            Some((Scheme::Tel, rest)) => tel_parts(rest).is_some_and(|(_, params)| are(params)),
            Some((Scheme::Other(_), rest)) => !rest.is_empty(),
            None => false,
        }
    }

    /// The user part without `%` escapes; escapes that are no UTF-8 stay as they are.
    pub fn user_text(&self) -> Option<String> {
        let user = self.user.as_deref()?;
        Some(String::from_utf8(unescape(user)).unwrap_or_else(|_| user.to_owned()))
    }

    /// Whether the URI names a loose router (RFC 3261 section 16.12): it has `lr`, with or
    /// without a value.
    pub fn is_loose_route(&self) -> bool {
        self.params.has("lr")
    }

    /// The transport parameter.
    pub fn transport(&self) -> Option<Transport> {
        self.params.get("transport").map(Transport::from)
    }

    /// Whether two URIs mean the same by the rules of RFC 3261 section 19.1.4: user and password
    /// compare exactly but for needless escapes, a parameter on one side alone is ignored unless
    /// it is `user`, `ttl`, `method`, `maddr` or `transport`, and header fields must be the same.
    pub fn equivalent(&self, other: &Uri) -> bool {
        self.scheme == other.scheme
            && same_escaped(self.user.as_deref(), other.user.as_deref())
            && same_escaped(
                self.password.as_ref().map(Secret::reveal),
                other.password.as_ref().map(Secret::reveal),
            )
            && self.host == other.host
            && self.port == other.port
            && same_params(&self.params, &other.params)
            && same_headers(&self.headers, &other.headers)
    }
}

/// The scheme of a URI, and what stands behind its colon; `None` where either holds what no URI
/// does.
fn scheme(text: &str) -> Option<(Scheme, &str)> {
    let (scheme, rest) = lex::cut(text, b':')?;
    let is_scheme = |o: u8| o.is_ascii_alphanumeric() || b"+-.".contains(&o);
    if !scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        || !scheme.bytes().all(is_scheme)
        || rest.bytes().any(|octet| octet <= b' ' || b"<>\"\x7f".contains(&octet))
    {
        return None;
    }
    let known = [("sip", Scheme::Sip), ("sips", Scheme::Sips), ("tel", Scheme::Tel)];
    let known = known.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(scheme));
    let other = || Scheme::Other(scheme.to_ascii_lowercase());
    Some((known.map_or_else(other, |(_, scheme)| scheme), rest))
}

/// The parts of a `sip` URI.
struct SipParts<'a> {
    user: Option<&'a str>,
    password: Option<&'a str>,
    host: Host,
    port: Option<u16>,
    params: Option<&'a str>,
    headers: Option<&'a str>,
}

fn sip_parts(rest: &str) -> Option<SipParts<'_>> {
    let cut = |text, octet| match lex::cut(text, octet) {
        Some((before, behind)) => (before, Some(behind)),
        None => (text, None),
    };
    // The user part may hold `;`, `?` and `/` unescaped, but never `@`: the first one ends it.
    let (userinfo, rest) = match lex::cut(rest, b'@') {
        Some((userinfo, rest)) => (Some(userinfo), rest),
        None => (None, rest),
    };
    let (user, password) = match userinfo.map(|text| cut(text, b':')) {
        None => (None, None),
        Some((user, password)) => (Some(user), password),
    };
    if user.is_some_and(str::is_empty) {
        return None;
    }
    let (rest, headers) = cut(rest, b'?');
    let (host, params) = cut(rest, b';');
    let (host, port) = parse_host_port(host)?;
    Some(SipParts { user, password, host, port, params, headers })
}

fn parse_sip(scheme: Scheme, rest: &str) -> Option<Uri> {
    let SipParts { user, password, host, port, params, headers } = sip_parts(rest)?;
    Some(Uri {
        scheme,
        user: user.map(str::to_owned),
        password: password.map(Secret::new),
        host,
        port,
        params: params.map_or_else(|| Some(Params::new()), Params::parse_uri)?,
        headers: headers.map_or_else(|| Some(Vec::new()), parse_headers)?,
    })
}

fn parse_headers(text: &str) -> Option<Vec<(String, String)>> {
    text.split('&')
        .map(|header| {
            let (name, value) = header.split_once('=')?;
            (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
        })
        .collect()
}

/// The number of a `tel` URI, and its parameters.
fn tel_parts(rest: &str) -> Option<(&str, Option<&str>)> {
    let (number, params) = match lex::cut(rest, b';') {
        Some((number, params)) => (number, Some(params)),
        None => (rest, None),
    };
    let is_dialled = |octet: u8| octet.is_ascii_hexdigit() || b"+*#-.()".contains(&octet);
    (!number.is_empty() && number.bytes().all(is_dialled)).then_some((number, params))
}

fn parse_tel(rest: &str) -> Option<Uri> {
    let (number, params) = tel_parts(rest)?;
    let params = params.map_or_else(|| Some(Params::new()), Params::parse_uri)?;
    Some(Uri {
        scheme: Scheme::Tel,
        user: Some(number.to_owned()),
        password: None,
        host: Host::Name(String::new()),
        port: None,
        params,
        headers: Vec::new(),
    })
}

fn parse_opaque(scheme: String, rest: &str) -> Option<Uri> {
    (!rest.is_empty()).then(|| Uri {
        scheme: Scheme::Other(scheme),
        user: None,
        password: None,
        host: Host::Name(rest.to_owned()),
        port: None,
        params: Params::new(),
        headers: Vec::new(),
    })
}

impl std::str::FromStr for Uri {
    type Err = BadUri;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uri::parse(text)
    }
}

impl fmt::Display for Uri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.scheme.fmt(f)?;
        f.write_str(":")?;
        if let Some(user) = &self.user {
            f.write_str(user)?;
            if let Some(password) = &self.password {
                write!(f, ":{}", password.reveal())?;
            }
            if self.scheme != Scheme::Tel {
                f.write_str("@")?;
            }
        }
        self.host.fmt(f)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        self.params.fmt(f)?;
        for (index, (name, value)) in self.headers.iter().enumerate() {
            write!(f, "{}{name}={value}", if index == 0 { '?' } else { '&' })?;
        }
        Ok(())
    }
}

/// Escapes what a user part cannot hold (`user` in RFC 3261 section 25.1).
pub(crate) fn escape_user(text: &str) -> String {
    escape(text, b"-_.!~*'()&=+$,;?/")
}

/// Escapes all but letters, digits and these characters.
pub(crate) fn escape(text: &str, plain: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || plain.contains(&octet) {
            out.push(char::from(octet));
        } else {
            out.push_str(&format!("%{octet:02X}"));
        }
    }
    out
}

/// What `%` escapes stand for; those that are none stay as they are.
pub(crate) fn unescape(text: &str) -> Vec<u8> {
    let octets = text.as_bytes();
    let mut out = Vec::with_capacity(octets.len());
    let mut at = 0;
    while let Some(&octet) = octets.get(at) {
        let escaped = (octet == b'%')
            .then(|| octets.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| std::str::from_utf8(hex).ok())
            .filter(|hex| hex.bytes().all(|octet| octet.is_ascii_hexdigit()))
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        out.push(escaped.unwrap_or(octet));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    out
}

/// Escapes compare by what they stand for, except that an escaped reserved character is not the
/// character itself: those stay escaped, in upper case.
fn same_escaped(a: Option<&str>, b: Option<&str>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a == b || canonical(a) == canonical(b),
        (None, None) => true,
        _ => false,
    }
}

fn canonical(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(octet) = rest.bytes().next() {
        let piece = if octet == b'%' { rest.get(..3) } else { None };
        match piece.map(unescape).as_deref() {
            Some(&[plain]) if plain.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&plain) => {
                out.push(plain);
            }
            Some(&[_]) => out.extend(piece.unwrap_or_default().to_ascii_uppercase().bytes()),
            _ => {
                out.push(octet);
                rest = split_octet(rest, &mut out);
                continue;
            }
        }
        rest = rest.get(3..).unwrap_or_default();
    }
    out
}

/// Goes past the first character, whose first octet is already in `out`.
fn split_octet<'a>(text: &'a str, out: &mut Vec<u8>) -> &'a str {
    let mut characters = text.chars();
    let width = characters.next().map_or(0, char::len_utf8);
    out.extend(text.bytes().take(width).skip(1));
    characters.as_str()
}

fn same_params(a: &Params, b: &Params) -> bool {
    const NEVER_IGNORED: [&str; 5] = ["user", "ttl", "method", "maddr", "transport"];
    let one_way = |a: &Params, b: &Params| {
        // Of a repeated parameter the first counts, on both sides.
        a.iter().all(|(name, _)| match b.entry(name) {
            Some(other) => match (a.get(name), other.as_deref()) {
                (Some(x), Some(y)) => canonical(x).eq_ignore_ascii_case(&canonical(y)),
                (None, None) => true,
                _ => false,
            },
            None => !NEVER_IGNORED.iter().any(|never| name.eq_ignore_ascii_case(never)),
        })
    };
    one_way(a, b) && one_way(b, a)
}

fn same_headers(a: &[(String, String)], b: &[(String, String)]) -> bool {
    let key = |headers: &[(String, String)]| {
        let mut sorted: Vec<_> =
            headers.iter().map(|(n, v)| (n.to_ascii_lowercase(), canonical(v))).collect();
        sorted.sort();
        sorted
    };
    a.len() == b.len() && key(a) == key(b)
}
