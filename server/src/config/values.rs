//! Single values: addresses, origins, durations, SIP URIs. Each parser answers with a sentence on
//! what is wrong; the configuration file, `click2call init` and the HTTP server share them.

use super::{HostPort, RtpRange};
use base::Protocol;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// SIP's own port over a transport (RFC 3261 section 19.1.2).
pub fn usual_port(transport: Protocol) -> u16 {
    match transport {
        Protocol::Udp | Protocol::Tcp => 5060,
        Protocol::Tls => 5061,
    }
}

/// An address and a port: `127.0.0.1:8080`, `[::1]:8080`.
pub fn address(text: &str) -> Result<SocketAddr, String> {
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let port = text.strip_prefix(':').unwrap_or(text);
    Err(if port.parse::<u16>().is_ok() {
        format!("\"{text}\" lacks the address; for all addresses write \"0.0.0.0:{port}\"")
    } else if text.parse::<IpAddr>().is_ok() {
        format!("\"{text}\" lacks the port")
    } else {
        format!("\"{text}\" is not an IP address with a port")
    })
}

/// An address and a range of ports: `0.0.0.0:20000-20999`.
pub fn rtp_range(text: &str) -> Result<RtpRange, String> {
    let shape = || format!("\"{text}\" is not an IP address with a range of ports");
    let (address, ports) = text.rsplit_once(':').ok_or_else(shape)?;
    let (first, last) = ports.split_once('-').ok_or_else(shape)?;
    let address = match address.strip_prefix('[').and_then(|inner| inner.strip_suffix(']')) {
        Some(inner) => inner.parse::<Ipv6Addr>().map(IpAddr::V6).map_err(|_| shape())?,
        None => address.parse::<std::net::Ipv4Addr>().map(IpAddr::V4).map_err(|_| shape())?,
    };
    let first: u16 = first.trim().parse().map_err(|_| shape())?;
    let last: u16 = last.trim().parse().map_err(|_| shape())?;
    if first < 1024 {
        return Err("ports below 1024 belong to the system".into());
    }
    // A stream takes an even port and the odd one above it for its RTCP (RFC 3550 section 11).
    if last <= first {
        return Err("the last port must be above the first: a call takes two".into());
    }
    Ok(RtpRange { address, first, last })
}

/// A host name: letters, digits, hyphens, dots.
pub fn host_name(text: &str) -> Result<String, String> {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet))
    };
    if text.len() <= 253 && text.split('.').all(label) {
        Ok(text.to_ascii_lowercase())
    } else if text.is_ascii() {
        Err(format!("\"{text}\" is not a host name"))
    } else {
        Err(format!("\"{text}\" is not a host name; write its xn-- form"))
    }
}

/// A public domain: a host name with a dot, not an address.
pub fn domain(text: &str) -> Result<String, String> {
    if text.contains("://") {
        return Err(format!("\"{text}\" is a URL: leave out the scheme, or use public_url"));
    }
    let name = host_name(text)?;
    if name.parse::<IpAddr>().is_ok() || !name.contains('.') {
        return Err(format!("\"{text}\" is not a public domain; use public_url instead"));
    }
    Ok(name)
}

/// How a SIP server is talked to.
pub fn transport(text: &str) -> Result<Protocol, String> {
    match text {
        "udp" => Ok(Protocol::Udp),
        "tcp" => Ok(Protocol::Tcp),
        "tls" => Ok(Protocol::Tls),
        other => Err(format!("\"{other}\" is not known")),
    }
}

/// A host with or without a port; the port is 5060 where none is written.
pub fn registrar(text: &str) -> Result<HostPort, String> {
    registrar_by(text, Protocol::Udp)
}

/// The same of a server behind another transport, whose own port is the default then.
pub fn registrar_by(text: &str, transport: Protocol) -> Result<HostPort, String> {
    let scheme = text.get(..4).is_some_and(|head| head.eq_ignore_ascii_case("sip:"));
    if scheme || text.contains(['@', ';', '/']) {
        return Err(format!("\"{text}\" is more than a host: leave out sip:, user and parameters"));
    }
    let (host, port) = host_port(text)?;
    Ok(HostPort { host, port: port.unwrap_or(usual_port(transport)) })
}

/// `host`, `host:port`, `[v6]`, `[v6]:port`; the host without brackets, in lower case.
pub(super) fn host_port(text: &str) -> Result<(String, Option<u16>), String> {
    let bad_port = || format!("\"{text}\" has no port number after the colon");
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (inside, after) = rest.split_once(']').ok_or("the closing ] is missing".to_owned())?;
        let host = inside.parse::<Ipv6Addr>().map_err(|_| format!("\"{inside}\" is not IPv6"))?;
        let port = match after {
            "" => None,
            after => Some(after.strip_prefix(':').ok_or_else(bad_port)?),
        };
        (host.to_string(), port)
    } else if text.parse::<Ipv6Addr>().is_ok() {
        return Err(format!("write IPv6 addresses in brackets, \"[{text}]\""));
    } else {
        let (host, port) = match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        };
        (host_name(host)?, port)
    };
    let port = match port {
        None => None,
        Some(digits) if digits.bytes().all(|octet| octet.is_ascii_digit()) => {
            Some(digits.parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(bad_port)?)
        }
        Some(_) => return Err(bad_port()),
    };
    Ok((host, port))
}

/// A SIP URI (RFC 3261 section 19.1), as far as the appliance uses one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipUri {
    /// The user part; none where the URI names only a host.
    pub user: Option<String>,
    /// The host and the port, the transport's own one where none is written.
    pub target: HostPort,
    /// The transport that it names, else the usual one.
    pub transport: Protocol,
    /// The parameters after the host, without the first semicolon.
    pub parameters: String,
}

/// A SIP URI: `sip:user@host:port;parameters`. Headers (`?`) and passwords are refused: nothing
/// but a destination belongs here.
pub fn sip_uri(text: &str) -> Result<SipUri, String> {
    sip_uri_by(text, Protocol::Udp)
}

/// The same where another transport is meant as long as the URI names none.
pub fn sip_uri_by(text: &str, usual: Protocol) -> Result<SipUri, String> {
    if !text.bytes().all(|octet| octet.is_ascii_graphic() && !b"<>\"\\^`{|}".contains(&octet)) {
        return Err(format!("\"{text}\" has characters that a SIP address can't have"));
    }
    let rest = match text.split_once(':') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("sip") => rest,
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("sips") => {
            return Err(
                "sips: is not taken; write sip: and transport = \"tls\" at the account".into()
            );
        }
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("tel") => {
            return Err(format!("tel: names no server; write \"sip:{rest}@your.provider\""));
        }
        _ => return Err(format!("\"{text}\" does not start with sip:")),
    };
    if rest.contains('?') {
        return Err("headers after ? are not taken".into());
    }
    let (user, after) = match rest.rsplit_once('@') {
        Some((user, after)) => (Some(user), after),
        None => (None, rest),
    };
    if user.is_some_and(|user| user.is_empty() || user.contains([':', '@'])) {
        return Err(format!("\"{text}\" has no proper user before the @"));
    }
    let (host, parameters) = after.split_once(';').unwrap_or((after, ""));
    let (host, port) = host_port(host)?;
    let mut transport = usual;
    for parameter in parameters.split(';') {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        if name.eq_ignore_ascii_case("transport") {
            transport = self::transport(&value.to_ascii_lowercase())?;
        }
    }
    Ok(SipUri {
        user: user.map(str::to_owned),
        target: HostPort { host, port: port.unwrap_or(usual_port(transport)) },
        transport,
        parameters: parameters.to_owned(),
    })
}

/// A duration: `90s`, `15m`, `1h30m`, `1d`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("\"{text}\" is not a time");
    let mut seconds: u64 = 0;
    let mut digits = String::new();
    for letter in text.chars() {
        if letter.is_ascii_digit() {
            digits.push(letter);
            continue;
        }
        let unit = match letter {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        let number: u64 = digits.parse().map_err(|_| wrong())?;
        digits.clear();
        seconds = number
            .checked_mul(unit)
            .and_then(|part| seconds.checked_add(part))
            .ok_or_else(wrong)?;
    }
    if text.is_empty() {
        return Err("the time is empty".into());
    }
    if !digits.is_empty() {
        return Err(format!("\"{text}\" lacks its unit: s, m, h or d"));
    }
    Ok(Duration::from_secs(seconds))
}

/// The name of a button or an account. It stands in URLs, so it is short and plain.
pub fn name(text: &str) -> Result<(), String> {
    let plain = text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet));
    if plain && (1..=64).contains(&text.len()) {
        Ok(())
    } else {
        Err("a name has 1 to 64 letters a-z, digits, hyphens and underscores".into())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn durations_add_their_parts() {
        assert_eq!(duration("1h30m").unwrap(), Duration::from_secs(5400));
        assert_eq!(duration("90s").unwrap(), Duration::from_secs(90));
        for bad in ["", "15", "m", "15 m", "-1s", "1w", "99999999999999999999s"] {
            assert!(duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sip_addresses_are_read_and_injections_refused() {
        let uri = sip_uri("sip:sales@127.0.0.1:5070;user=phone").unwrap();
        assert_eq!(uri.user.as_deref(), Some("sales"));
        assert_eq!(uri.target, HostPort { host: "127.0.0.1".into(), port: 5070 });
        assert_eq!(uri.parameters, "user=phone");
        assert_eq!(sip_uri("sip:a@b.example").unwrap().target.port, 5060);
        let uri = sip_uri("sip:a@b.example;transport=TLS").unwrap();
        assert_eq!((uri.transport, uri.target.port), (Protocol::Tls, 5061));
        let uri = sip_uri_by("sip:a@b.example;transport=tcp", Protocol::Tls).unwrap();
        assert_eq!((uri.transport, uri.target.port), (Protocol::Tcp, 5060));
        for bad in [
            "sales@host",
            "sip:",
            "sip:@host",
            "sip:a b@host",
            "sip:a@host\r\nX: y",
            "sips:a@host",
            "tel:+7495",
            "sip:a@host?Subject=x",
            "sip:a@host:0",
            "sip:a@host;transport=sctp",
            "sip:a:secret@host",
            "sip:a@ho st",
            "<sip:a@host>",
        ] {
            assert!(sip_uri(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn registrars_are_hosts_with_a_port() {
        assert_eq!(
            registrar("SIP.provider.example").unwrap().to_string(),
            "sip.provider.example:5060"
        );
        assert_eq!(registrar("[::1]:5070").unwrap().to_string(), "[::1]:5070");
        assert_eq!(registrar_by("a.example", Protocol::Tls).unwrap().port, 5061);
        assert_eq!(registrar_by("a.example:5060", Protocol::Tls).unwrap().port, 5060);
        for bad in ["sip:a", "a@b", "a:b", "", "a b", "::1", "[::1", "a:70000"] {
            assert!(registrar(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ranges_of_ports_hold_at_least_one_call() {
        let range = rtp_range("127.0.0.1:20000-20999").unwrap();
        assert_eq!((range.first, range.last), (20_000, 20_999));
        assert!(rtp_range("[::]:20000-20001").is_ok());
        for bad in [
            "20000-20999",
            "127.0.0.1:5",
            "127.0.0.1:9-8",
            "127.0.0.1:2000-2000",
            "::1:2000-3000",
            "127.0.0.1:80-90",
            "host:2000-3000",
        ] {
            assert!(rtp_range(bad).is_err(), "{bad}");
        }
    }
}
