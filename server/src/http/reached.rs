//! How a request has reached us: by which address, from whom, through a proxy or not.

use crate::config::origin::{Origin, is_local};
use hyper::header::{self, HeaderMap};
use hyper::http::request::Parts;
use hyper::{Uri, Version};
use std::net::{IpAddr, SocketAddr};

/// Headers that a proxy adds. Any of them means that the peer is not the visitor.
const PROXY_HEADERS: [&str; 5] =
    ["x-forwarded-for", "x-forwarded-host", "x-real-ip", "forwarded", "via"];

/// The way of one request.
#[derive(Clone, Debug)]
pub struct Reached {
    local: SocketAddr,
    /// The visitor, as far as it is known.
    visitor: IpAddr,
    /// The `Host` header, where it is a proper one.
    host: Option<Origin>,
    loopback_peer: bool,
}

impl Reached {
    /// Reads the way of a request between `peer` and `local`.
    pub fn new(local: SocketAddr, peer: SocketAddr, request: &Parts) -> Reached {
        let direct = peer.ip().to_canonical();
        let proxied = PROXY_HEADERS.iter().any(|name| request.headers.contains_key(*name));
        // Only a neighbour's word counts: a proxy stands on this machine or next to it.
        let forwarded = is_local(direct).then(|| forwarded_for(&request.headers)).flatten();
        let host = host_of(&request.headers, &request.uri);
        // HTTP/1.0 is what a proxy speaks that was told nothing, with no header to be known by.
        // A loopback `Host` keeps out pages that had their own name resolve to us.
        let loopback_peer = direct.is_loopback()
            && !proxied
            && request.version == Version::HTTP_11
            && host.as_ref().is_some_and(Origin::is_loopback);
        Reached { local, visitor: forwarded.unwrap_or(direct), host, loopback_peer }
    }

    /// Whether somebody on this very machine asks, with no proxy in between.
    pub fn is_loopback_peer(&self) -> bool {
        self.loopback_peer
    }

    /// Where the visitor comes from.
    pub fn visitor(&self) -> IpAddr {
        self.visitor
    }

    /// Whether `origin` is the appliance's own: its public one, or the address at which this very
    /// connection has come in.
    pub fn is_own(&self, origin: &Origin, public_url: &str) -> bool {
        Origin::parse(public_url).is_ok_and(|public| public == *origin)
            || self.own_host().is_some_and(|own| own.host == origin.host && own.port == origin.port)
    }

    /// The `Host` that was asked for, if it is an address of this connection and no mere name: a
    /// foreign name may resolve to us, a foreign address can't.
    pub fn own_host(&self) -> Option<&Origin> {
        let host = self.host.as_ref()?;
        let local = self.local.ip().to_canonical();
        let ours = (host.is_loopback() && local.is_loopback())
            || host.address().is_some_and(|address| address.to_canonical() == local);
        (ours && host.port == self.local.port()).then_some(host)
    }
}

fn host_of(headers: &HeaderMap, uri: &Uri) -> Option<Origin> {
    let host = match headers.get(header::HOST) {
        Some(value) => value.to_str().ok()?,
        None => uri.authority()?.as_str(),
    };
    Origin::of_host(false, host)
}

/// The last entry of `X-Forwarded-For`: the one that the proxy next to us has written itself.
fn forwarded_for(headers: &HeaderMap) -> Option<IpAddr> {
    let value = headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?;
    let last = value.rsplit(',').next()?.trim();
    let address = last.parse().ok().or_else(|| last.parse::<SocketAddr>().ok().map(|a| a.ip()));
    address.map(|address: IpAddr| address.to_canonical())
}

/// Whether a page at `origin` was opened on a local network, so that candidates there can work.
pub fn is_local_page(origin: &Origin) -> bool {
    origin.is_loopback() || origin.address().is_some_and(is_local)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hyper::Request;

    fn reached(local: &str, peer: &str, headers: &[(&str, &str)]) -> Reached {
        let mut request = Request::builder().uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        Reached::new(local.parse().unwrap(), peer.parse().unwrap(), &parts)
    }

    fn origin(text: &str) -> Origin {
        Origin::parse(text).unwrap()
    }

    #[test]
    fn somebody_on_this_machine_is_told_from_a_proxy_and_from_a_rebound_name() {
        let local =
            |headers: &[_]| reached("127.0.0.1:8080", "127.0.0.1:9", headers).is_loopback_peer();
        assert!(local(&[("host", "127.0.0.1:8080")]));
        assert!(local(&[("host", "localhost:8080")]));
        assert!(!local(&[("host", "evil.example:8080")]));
        assert!(!local(&[("host", "127.0.0.1:8080"), ("x-forwarded-for", "203.0.113.9")]));
        assert!(!local(&[("host", "127.0.0.1:8080"), ("via", "1.1 proxy")]));
        assert!(!local(&[]));
        let far = reached("192.0.2.1:80", "192.0.2.7:9", &[("host", "127.0.0.1")]);
        assert!(!far.is_loopback_peer());
    }

    #[test]
    fn the_own_origin_is_the_public_one_or_the_address_reached() {
        let way = reached("192.168.1.5:8080", "192.168.1.9:1", &[("host", "192.168.1.5:8080")]);
        let public = "https://call.shop.example";
        assert!(way.is_own(&origin("https://call.shop.example"), public));
        assert!(way.is_own(&origin("http://192.168.1.5:8080"), public));
        assert!(!way.is_own(&origin("http://192.168.1.6:8080"), public));
        assert!(!way.is_own(&origin("http://call.shop.example"), public));
        let named = reached("127.0.0.1:8080", "127.0.0.1:1", &[("host", "evil.example:8080")]);
        assert!(!named.is_own(&origin("http://evil.example:8080"), public));
        let other_port = reached("127.0.0.1:8080", "127.0.0.1:1", &[("host", "127.0.0.1:9")]);
        assert!(!other_port.is_own(&origin("http://127.0.0.1:9"), public));
    }

    #[test]
    fn a_neighbouring_proxy_names_the_visitor_and_a_stranger_does_not() {
        let via = [("x-forwarded-for", "198.51.100.1, 203.0.113.9")];
        let visitor = |peer| reached("10.0.0.1:80", peer, &via).visitor().to_string();
        assert_eq!(visitor("127.0.0.1:5"), "203.0.113.9");
        assert_eq!(visitor("10.0.0.2:5"), "203.0.113.9");
        assert_eq!(visitor("198.51.100.7:5"), "198.51.100.7");
    }

    #[test]
    fn pages_on_the_local_network_are_local() {
        assert!(is_local_page(&origin("http://127.0.0.1:8080")));
        assert!(is_local_page(&origin("http://a.localhost")));
        assert!(is_local_page(&origin("http://192.168.1.5")));
        assert!(!is_local_page(&origin("https://call.shop.example")));
        assert!(!is_local_page(&origin("https://203.0.113.7")));
    }
}
