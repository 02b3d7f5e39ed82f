//! Responses made from the header fields of a request (RFC 3261 section 8.2.6).

use md5::{Digest, Md5};

use super::headers::Headers;
use super::model::Response;
use super::name::Name;
use super::name_addr::NameAddr;

/// A response with the header fields that every response copies, character for character.
pub(super) fn response(request: &Headers, status: u16, reason: &str) -> Response {
    let mut response = Response::new(status, reason);
    for name in [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq] {
        for value in request.all(&name) {
            response.headers.push(name.clone(), value);
        }
    }
    response
}

/// The answer to a request that no transaction will see; `None` without a Via, even a malformed
/// one: without it the sender cannot tell what is answered.
///
/// It gets a To tag that depends on the request alone, so that a repeated request gets the same
/// (RFC 3261 section 8.2.7).
pub(super) fn stateless(request: &Headers, status: u16, reason: &str) -> Option<Response> {
    request.get(&Name::Via)?;
    let mut response = response(request, status, reason);
    if let Some(mut to) = response.headers.get(&Name::To).and_then(NameAddr::parse)
        && to.tag().is_none()
    {
        let mut hash = Md5::new();
        for name in [Name::Via, Name::From, Name::CallId, Name::CSeq] {
            hash.update(request.get(&name).unwrap_or_default());
            hash.update([0]);
        }
        let tag: String = hash.finalize().iter().take(8).map(|o| format!("{o:02x}")).collect();
        to.set_tag(&tag);
        response.headers.set(Name::To, to.to_string());
    }
    Some(response)
}

/// The customary reason phrase of a status (RFC 3261 section 21 and its extensions).
pub fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Trying",
        180 => "Ringing",
        181 => "Call Is Being Forwarded",
        182 => "Queued",
        183 => "Session Progress",
        199 => "Early Dialog Terminated",
        200 => "OK",
        202 => "Accepted",
        204 => "No Notification",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Moved Temporarily",
        305 => "Use Proxy",
        380 => "Alternative Service",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        412 => "Conditional Request Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        417 => "Unknown Resource-Priority",
        420 => "Bad Extension",
        421 => "Extension Required",
        422 => "Session Interval Too Small",
        423 => "Interval Too Brief",
        428 => "Use Identity Header",
        430 => "Flow Failed",
        433 => "Anonymity Disallowed",
        439 => "First Hop Lacks Outbound Support",
        440 => "Max-Breadth Exceeded",
        469 => "Bad Info Package",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        491 => "Request Pending",
        493 => "Undecipherable",
        494 => "Security Agreement Required",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        505 => "Version Not Supported",
        513 => "Message Too Large",
        580 => "Precondition Failure",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        606 => "Not Acceptable",
        607 => "Unwanted",
        608 => "Rejected",
        _ => "Unknown",
    }
}
