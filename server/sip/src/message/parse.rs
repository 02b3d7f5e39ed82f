//! From a datagram to a message, or to the answer that a bad one deserves.

use std::fmt;

use super::front::{self, Raw};
use super::headers::Headers;
use super::lex;
use super::method::Method;
use super::model::{Message, Request, Response};
use super::name::Name;
use super::name_addr::NameAddr;
use super::reply;
use super::uri::{Scheme, Uri};
use super::values::digits;
use super::via::Via;

/// The largest message that is read, in octets.
pub const MAX_MESSAGE: usize = 64 * 1024;

/// The most header fields that a message may have, list elements counted singly.
pub const MAX_HEADERS: usize = 256;

/// Why a datagram is no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ParseError {
    /// Nothing but line ends: a keep-alive (RFC 5626 section 4.4.1), not worth counting as bad.
    KeepAlive,
    /// No SIP start line; dropped in silence.
    NotSip,
    /// A malformed response; dropped in silence (RFC 3261 section 18.1.2).
    BadResponse(&'static str),
    /// A malformed or unacceptable request.
    Reject {
        /// The status to answer with.
        status: u16,
        /// What is wrong, which is the reason phrase too.
        reason: &'static str,
        /// The answer, to be sent to where the request came from, ready but for `received` and
        /// `rport` in the topmost Via (which may be the malformed part). `None` for ACK, which is
        /// never answered, and without any Via.
        reply: Option<Box<Response>>,
    },
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ParseError::KeepAlive => f.write_str("keep-alive"),
            ParseError::NotSip => f.write_str("not SIP"),
            ParseError::BadResponse(what) => write!(f, "bad response: {what}"),
            ParseError::Reject { status, reason, .. } => write!(f, "{status} {reason}"),
        }
    }
}

impl std::error::Error for ParseError {}

/// A status and its reason; what all checks of requests fail with.
type Refusal = (u16, &'static str);

/// Reads one datagram.
///
/// The message that comes out has all of Via, From, To, Call-ID and CSeq, each once but Via, and
/// each readable (in a request Contact, Route and Record-Route too); the method of CSeq is that
/// of the request; the body is as long as Content-Length says, and the octets after it are gone.
///
/// # Errors
/// [`ParseError`]; a request that can be answered carries its answer.
pub fn parse(datagram: &[u8]) -> Result<Message, ParseError> {
    let oversized = datagram.len() > MAX_MESSAGE;
    let kept = datagram.get(..MAX_MESSAGE).unwrap_or(datagram);
    let raw = front::split(kept).ok_or(ParseError::KeepAlive)?;
    let starts_as_response = raw.start.get(..4).is_some_and(|s| s.eq_ignore_ascii_case("SIP/"));
    if starts_as_response { response(raw, oversized) } else { request(raw, oversized) }
}

fn response(raw: Raw<'_>, oversized: bool) -> Result<Message, ParseError> {
    let (status, reason) = status_line(&raw.start).map_err(ParseError::BadResponse)?;
    let Raw { mut headers, too_many, rest, .. } = raw;
    if oversized || too_many {
        return Err(ParseError::BadResponse("too large"));
    }
    // Lines that are no header fields are passed over: a call is worth more than tidiness.
    common_checks(&headers).and_then(|()| body(&mut headers, rest)).map_or_else(
        |(_, what)| Err(ParseError::BadResponse(what)),
        |body| Ok(Message::Response(Response { status, reason, headers, body })),
    )
}

fn status_line(line: &str) -> Result<(u16, String), &'static str> {
    let mut parts = line.splitn(2, lex::is_space);
    let version = parts.next().unwrap_or_default();
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        return Err("unknown version");
    }
    let rest = lex::trim(parts.next().unwrap_or_default());
    let (code, reason) = rest.split_once(lex::is_space).unwrap_or((rest, ""));
    let status = digits(code).filter(|code| (100..700).contains(code)).ok_or("bad status code")?;
    if code.len() != 3 {
        return Err("bad status code");
    }
    Ok((status as u16, lex::trim(reason).to_owned()))
}

fn request(raw: Raw<'_>, oversized: bool) -> Result<Message, ParseError> {
    // Anything may arrive at an open port; what does not end in a SIP version is not ours.
    let (head, version) = raw.start.rsplit_once(lex::is_space).ok_or(ParseError::NotSip)?;
    if !version.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("SIP/")) {
        return Err(ParseError::NotSip);
    }
    let (method, uri) = head.split_once(lex::is_space).unwrap_or((head, ""));
    let (method, version) = (Method::from(method), version.to_owned());
    let uri = lex::trim(uri).to_owned();
    let Raw { mut headers, malformed, too_many, rest, .. } = raw;
    let early = || match () {
        () if oversized => Err((513, "Message Too Large")),
        () if too_many => Err((400, "Too Many Header Fields")),
        () if !version.eq_ignore_ascii_case("SIP/2.0") => Err((505, "Version Not Supported")),
        () if !lex::is_token_text(method.as_str()) => Err((400, "Malformed Method")),
        () if malformed => Err((400, "Malformed Header Field")),
        () => Ok(()),
    };
    let checked = early()
        .and_then(|()| common_checks(&headers))
        .and_then(|()| request_checks(&headers, &method, &uri))
        .and_then(|uri| body(&mut headers, rest).map(|body| (uri, body)));
    match checked {
        Ok((uri, body)) => Ok(Message::Request(Request { method, uri, headers, body })),
        Err((status, reason)) => {
            let reply = (method != Method::Ack)
                .then(|| reply::stateless(&headers, status, reason))
                .flatten()
                .map(Box::new);
            Err(ParseError::Reject { status, reason, reply })
        }
    }
}

/// What requests and responses have in common.
fn common_checks(headers: &Headers) -> Result<(), Refusal> {
    for (name, missing, repeated) in [
        (Name::From, "Missing From", "Repeated From"),
        (Name::To, "Missing To", "Repeated To"),
        (Name::CallId, "Missing Call-ID", "Repeated Call-ID"),
        (Name::CSeq, "Missing CSeq", "Repeated CSeq"),
    ] {
        match headers.count(&name) {
            0 => return Err((400, missing)),
            1 => {}
            _ => return Err((400, repeated)),
        }
    }
    for (name, repeated) in [
        (Name::MaxForwards, "Repeated Max-Forwards"),
        (Name::ContentLength, "Repeated Content-Length"),
        (Name::ContentType, "Repeated Content-Type"),
    ] {
        if headers.count(&name) > 1 {
            return Err((400, repeated));
        }
    }
    if headers.get(&Name::Via).is_none() {
        return Err((400, "Missing Via"));
    }
    // Only looked at: whoever needs what they say reads them then.
    let are = |name: Name, is_one: fn(&str) -> bool| headers.get(&name).is_some_and(is_one);
    if !are(Name::Via, Via::is_one) {
        return Err((400, "Malformed Via"));
    }
    if !are(Name::From, NameAddr::is_one) {
        return Err((400, "Malformed From"));
    }
    if !are(Name::To, NameAddr::is_one) {
        return Err((400, "Malformed To"));
    }
    if headers.call_id().is_empty() {
        return Err((400, "Malformed Call-ID"));
    }
    if headers.cseq().is_err() {
        return Err((400, "Malformed CSeq"));
    }
    Ok(())
}

fn request_checks(headers: &Headers, method: &Method, uri: &str) -> Result<Uri, Refusal> {
    if headers.cseq().is_ok_and(|cseq| cseq.method != *method) {
        return Err(match method {
            Method::Other(_) => (501, "Not Implemented"),
            _ => (400, "CSeq Method Mismatch"),
        });
    }
    let uri = Uri::parse(uri).map_err(|_| (400, "Malformed Request-URI"))?;
    if matches!(uri.scheme, Scheme::Other(_)) {
        return Err((416, "Unsupported URI Scheme"));
    }
    if !uri.headers.is_empty() {
        return Err((400, "Header Fields In Request-URI"));
    }
    // A branch with the magic cookie and nothing after it names no transaction.
    let has_cookie_alone = |branch: &str| branch.eq_ignore_ascii_case("z9hG4bK");
    if headers.via().is_ok_and(|via| via.branch().is_some_and(has_cookie_alone)) {
        return Err((400, "Malformed Branch"));
    }
    for (name, malformed) in [
        (Name::Contact, "Malformed Contact"),
        (Name::Route, "Malformed Route"),
        (Name::RecordRoute, "Malformed Record-Route"),
    ] {
        let is_star = |value: &str| value == "*" && name == Name::Contact;
        if headers.all(&name).any(|value| !is_star(value) && !NameAddr::is_one(value)) {
            return Err((400, malformed));
        }
    }
    Ok(uri)
}

/// What the header of a message says about the length of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BodyLength {
    /// It is so long.
    Octets(usize),
    /// It does not say, or not clearly: on a stream nothing can be read behind it.
    Unreadable,
    /// The start line is not SIP's.
    NotSip,
}

/// The length of the body behind a header on a stream, where Content-Length is what ends a message
/// (RFC 3261 section 18.3). Read by the same front end as the message will be, so that the two
/// cannot disagree.
pub(crate) fn body_length(header: &[u8]) -> BodyLength {
    let Some(raw) = front::split(header) else { return BodyLength::NotSip };
    let has_version = |word: &str| word.get(..4).is_some_and(|w| w.eq_ignore_ascii_case("SIP/"));
    if !raw.start.split(lex::is_space).any(has_version) {
        return BodyLength::NotSip;
    }
    let lengths: Vec<&str> = raw.headers.all(&Name::ContentLength).collect();
    match lengths.split_first() {
        Some((first, rest)) if !raw.too_many && rest.iter().all(|other| other == first) => {
            digits(first)
                .and_then(|length| usize::try_from(length).ok())
                .map_or(BodyLength::Unreadable, BodyLength::Octets)
        }
        _ => BodyLength::Unreadable,
    }
}

/// The body by the rules for datagrams (RFC 3261 section 18.3), and Content-Length set to match.
fn body(headers: &mut Headers, rest: &[u8]) -> Result<Vec<u8>, Refusal> {
    let body = match headers.get(&Name::ContentLength) {
        Some(length) => {
            let length = digits(length).ok_or((400, "Malformed Content-Length"))?;
            usize::try_from(length)
                .ok()
                .and_then(|length| rest.get(..length))
                .ok_or((400, "Body Shorter Than Content-Length"))?
        }
        None => rest,
    };
    headers.remove(&Name::ContentLength);
    if headers.len() >= MAX_HEADERS {
        return Err((400, "Too Many Header Fields"));
    }
    headers.push(Name::ContentLength, body.len().to_string());
    Ok(body.to_vec())
}
