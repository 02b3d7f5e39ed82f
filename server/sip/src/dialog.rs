//! Dialogs: what the requests of one conversation share (RFC 3261 12).

use crate::limits;
use crate::message::{Headers, Host, Method, Name, NameAddr, Request, Response, Transport, Uri};
use crate::transaction::Hop;
use base::Protocol;
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};

/// The state of one dialog: who talks to whom, by which way, and the numbers of the requests.
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub(crate) call_id: String,
    /// Our end, with our tag.
    pub(crate) local: NameAddr,
    /// The peer's end, with its tag (a peer of RFC 2543 may have none).
    pub(crate) remote: NameAddr,
    /// Where the peer wants requests (its Contact).
    pub(crate) target: Uri,
    /// The route set in the order in which requests pass it.
    routes: Vec<NameAddr>,
    pub(crate) local_number: u32,
    remote_number: Option<u32>,
    /// Whether the peer takes UPDATE: its Allow names it (RFC 3311 5.1).
    pub(crate) peer_updates: bool,
    /// The way on which the dialog came to be; requests that cannot be sent to an address that
    /// the route set names take it.
    hop: Hop,
}

impl Dialog {
    /// The caller's dialog, from the INVITE as sent and a response to it (12.1.2).
    pub(crate) fn from_response(invite: &Request, response: &Response, hop: Hop) -> Option<Self> {
        let mut routes = response.record_routes();
        routes.reverse();
        Some(Dialog {
            call_id: invite.headers.get(&Name::CallId)?.to_owned(),
            local: invite.from().ok()?,
            remote: response.to().ok()?,
            target: response.contact().map_or_else(|| invite.uri.clone(), |contact| contact.uri),
            routes,
            local_number: invite.cseq().ok()?.number,
            remote_number: None,
            peer_updates: allows_update(&response.headers).unwrap_or_default(),
            hop,
        })
    }

    /// The callee's dialog, from the INVITE and the tag that we answer with (12.1.1).
    pub(crate) fn from_request(invite: &Request, tag: &str, hop: Hop) -> Option<Self> {
        let mut local = invite.to().ok()?;
        local.params.set("tag", Some(tag));
        let remote = invite.from().ok()?;
        Some(Dialog {
            call_id: invite.headers.get(&Name::CallId)?.to_owned(),
            target: invite.contact().map_or_else(|| remote.uri.clone(), |contact| contact.uri),
            local,
            remote,
            routes: invite.record_routes(),
            local_number: 0,
            remote_number: Some(invite.cseq().ok()?.number),
            peer_updates: allows_update(&invite.headers).unwrap_or_default(),
            hop,
        })
    }

    /// What an early dialog with the same peer has come to goes on here: the numbers of the peer,
    /// and what is known of it. The route set and the target are the 2xx's (13.2.2.4).
    pub(crate) fn succeed(&mut self, early: &Dialog) {
        self.remote_number = self.remote_number.max(early.remote_number);
        self.peer_updates |= early.peer_updates;
    }

    /// The peer's tag, empty where it has none.
    pub(crate) fn remote_tag(&self) -> &str {
        self.remote.tag().unwrap_or_default()
    }

    /// A new request inside the dialog, without Via (12.2.1.1).
    pub(crate) fn request(&mut self, method: Method) -> Request {
        self.local_number = self.local_number.saturating_add(1);
        self.build(method, self.local_number)
    }

    /// The ACK for the 2xx to this INVITE; credentials go along (13.2.2.4).
    pub(crate) fn ack(&self, invite: &Request) -> Option<Request> {
        let mut ack = self.build(Method::Ack, invite.cseq().ok()?.number);
        for name in [Name::Authorization, Name::ProxyAuthorization] {
            for value in invite.headers.all(&name) {
                ack.headers.push(name.clone(), value);
            }
        }
        Some(ack)
    }

    fn build(&self, method: Method, number: u32) -> Request {
        let (uri, routes) = routed(&self.target, &self.routes);
        let mut request = blank(method, uri);
        for route in routes.iter() {
            request.headers.push(Name::Route, route.to_string());
        }
        request.headers.push(Name::From, self.local.to_string());
        request.headers.push(Name::To, self.remote.to_string());
        request.headers.push(Name::CallId, self.call_id.clone());
        let method = request.method.clone();
        request.headers.push(Name::CSeq, format!("{number} {method}"));
        request
    }

    /// The hop of the next request: the address that the route set or the target names, where it
    /// is one that `allowed` knows; else the hop on which the dialog came to be. Names of hosts
    /// are not looked up: a peer that names itself is reached where it was reached before, and so
    /// is one behind a NAT whose Contact names an address of its own network.
    pub(crate) fn hop(&self, allowed: impl Fn(IpAddr) -> bool) -> Hop {
        let first = self.routes.first().map_or(&self.target, |route| &route.uri);
        match address(first) {
            Some(remote) if allowed(remote.ip()) => {
                Hop { protocol: self.protocol(first, remote), remote, ..self.hop }
            }
            _ => self.hop,
        }
    }

    /// The transport to a URI (RFC 3263 4.1: UDP, where an address stands without another). What
    /// began encrypted stays so, and what is reached where the dialog came from is reached as it
    /// came.
    fn protocol(&self, uri: &Uri, remote: SocketAddr) -> Protocol {
        match uri.transport() {
            _ if self.hop.protocol == Protocol::Tls => Protocol::Tls,
            Some(Transport::Tls) => Protocol::Tls,
            Some(Transport::Tcp) => Protocol::Tcp,
            Some(_) => Protocol::Udp,
            None if remote == self.hop.remote => self.hop.protocol,
            None => Protocol::Udp,
        }
    }

    /// Takes the number of a request from the peer. False: it is out of order (12.2.2).
    pub(crate) fn accepts(&mut self, request: &Request) -> bool {
        let Ok(cseq) = request.cseq() else { return false };
        if self.remote_number.is_some_and(|last| cseq.number <= last) {
            return false;
        }
        self.remote_number = Some(cseq.number);
        true
    }

    /// Takes note of a request that its own header fields order (PRACK, RFC 3262 3).
    pub(crate) fn note(&mut self, request: &Request) {
        let number = request.cseq().ok().map(|cseq| cseq.number);
        self.remote_number = self.remote_number.max(number);
    }

    /// Learns from a message of the peer which methods it takes.
    pub(crate) fn learn(&mut self, headers: &Headers) {
        if let Some(allowed) = allows_update(headers) {
            self.peer_updates = allowed;
        }
    }

    /// Follows a Contact of a target refresh request or of its 2xx.
    pub(crate) fn refresh(&mut self, contact: Option<NameAddr>) {
        if let Some(contact) = contact {
            self.target = contact.uri;
        }
    }

    /// Requests of the peer come this way now; where its NAT gave it a new port, ours follow.
    pub(crate) fn heard_on(&mut self, hop: Hop) {
        if self.hop.remote.ip() == hop.remote.ip() {
            self.hop = hop;
        }
    }
}

/// Request-URI and Route header fields for a target behind a route set (12.2.1.1, 8.1.2): a strict
/// first router becomes the Request-URI itself and the target goes to the end.
pub(crate) fn routed<'a>(target: &Uri, routes: &'a [NameAddr]) -> (Uri, Cow<'a, [NameAddr]>) {
    match routes.split_first() {
        Some((first, rest)) if !first.uri.is_loose_route() => {
            let mut routes = rest.to_vec();
            routes.push(NameAddr::new(target.clone()));
            (first.uri.clone(), routes.into())
        }
        _ => (target.clone(), routes.into()),
    }
}

/// A request with no header fields but Max-Forwards.
pub(crate) fn blank(method: Method, uri: Uri) -> Request {
    let mut request = Request::new(method, uri);
    request.headers.push(Name::MaxForwards, limits::MAX_FORWARDS);
    request
}

/// Whether an Allow header field names UPDATE; nothing where there is none.
fn allows_update(headers: &Headers) -> Option<bool> {
    let mut allowed = headers.tokens(&Name::Allow).peekable();
    allowed.peek()?;
    Some(allowed.any(|method| method == Method::Update.as_str()))
}

/// The address of a URI whose host is one.
pub(crate) fn address(uri: &Uri) -> Option<SocketAddr> {
    let ip = match &uri.host {
        Host::V4(ip) => IpAddr::V4(*ip),
        Host::V6(ip) => IpAddr::V6(*ip),
        Host::Name(_) => return None,
    };
    let usual = if uri.transport() == Some(Transport::Tls) { 5061 } else { 5060 };
    Some(SocketAddr::new(ip, uri.port.unwrap_or(usual)))
}
