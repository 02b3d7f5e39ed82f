//! Origins of pages.

use super::values::host_port;
use std::fmt;
use std::net::IpAddr;

/// The origin of a page (RFC 6454), in its one canonical spelling.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// `https` rather than `http`.
    pub secure: bool,
    /// The host in lower case, an IPv6 address without brackets.
    pub host: String,
    /// The port, also where it is the scheme's own.
    pub port: u16,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secure { "https://" } else { "http://" })?;
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        if self.port == Origin::own_port(self.secure) {
            Ok(())
        } else {
            write!(f, ":{}", self.port)
        }
    }
}

impl Origin {
    const fn own_port(secure: bool) -> u16 {
        if secure { 443 } else { 80 }
    }

    /// A scheme, a host, perhaps a port, and nothing else.
    pub fn parse(text: &str) -> Result<Origin, String> {
        if text.contains('*') {
            return Err(format!("\"{text}\" has a wildcard: name every origin by itself"));
        }
        let (secure, rest) = Origin::scheme(text).ok_or_else(|| {
            let guess = if text.contains("://") { "" } else { ": write \"https://\" before it" };
            format!("\"{text}\" does not start with https:// or http://{guess}")
        })?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let origin = Origin::authority(secure, rest.get(..end).unwrap_or_default())
            .map_err(|what| format!("\"{text}\": {what}"))?;
        if end < rest.len() {
            return Err(format!("\"{text}\" has a path: write \"{origin}\""));
        }
        Ok(origin)
    }

    /// The origin of a page's whole address, as a browser tells it; none for `null` and for schemes
    /// that have no host.
    pub fn of_page(url: &str) -> Option<Origin> {
        let (secure, rest) = Origin::scheme(url)?;
        let end = rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len());
        Origin::authority(secure, rest.get(..end)?).ok()
    }

    /// The origin that a `Host` header stands for.
    pub fn of_host(secure: bool, host: &str) -> Option<Origin> {
        Origin::authority(secure, host).ok()
    }

    fn scheme(text: &str) -> Option<(bool, &str)> {
        let (scheme, rest) = text.split_once("://")?;
        match scheme {
            s if s.eq_ignore_ascii_case("https") => Some((true, rest)),
            s if s.eq_ignore_ascii_case("http") => Some((false, rest)),
            _ => None,
        }
    }

    fn authority(secure: bool, text: &str) -> Result<Origin, String> {
        if text.contains('@') {
            return Err("an origin has no user".into());
        }
        let (host, port) = host_port(text)?;
        Ok(Origin { secure, host, port: port.unwrap_or(Origin::own_port(secure)) })
    }

    /// The host as an address, where it is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Whether the host is this machine: `localhost`, a name under it, or a loopback address.
    pub fn is_loopback(&self) -> bool {
        self.host == "localhost"
            || self.host.ends_with(".localhost")
            || self.address().is_some_and(|address| address.to_canonical().is_loopback())
    }
}

/// Whether an address is of a local network: loopback, private, link-local, unique-local.
pub fn is_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn origins_have_one_spelling() {
        for (written, canonical) in [
            ("https://WWW.Shop.example", "https://www.shop.example"),
            ("https://shop.example:443", "https://shop.example"),
            ("http://shop.example:8080", "http://shop.example:8080"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(Origin::parse(written).unwrap().to_string(), canonical);
        }
    }

    #[test]
    fn what_is_no_origin_is_refused_with_the_reason() {
        for (text, reason) in [
            ("https://shop.example/", "write \"https://shop.example\""),
            ("https://shop.example/a?b", "has a path"),
            ("https://*.shop.example", "wildcard"),
            ("*", "wildcard"),
            ("shop.example", "write \"https://\" before it"),
            ("ftp://shop.example", "does not start with"),
            ("https://user@shop.example", "no user"),
            ("https://shop.example:x", "no port number"),
            ("https://", "not a host name"),
            ("null", "does not start with"),
        ] {
            let error = Origin::parse(text).unwrap_err();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_pages_address_yields_its_origin_and_tricks_do_not() {
        let of = |url: &str| Origin::of_page(url).map(|origin| origin.to_string());
        assert_eq!(of("https://a.example/x/y?z#w").as_deref(), Some("https://a.example"));
        assert_eq!(of("https://a.example@b.example/"), None);
        assert_eq!(of("about:srcdoc"), None);
        assert_eq!(of("null"), None);
    }
}
