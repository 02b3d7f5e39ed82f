//! Why a call or a registration ended: one closed list, and one total map from status codes to it.

use crate::message::{Headers, Name, Response};
use std::time::Duration;

/// Who brought the end about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Originator {
    /// We did, by a command or by a rule of this endpoint.
    Local,
    /// The far party or a server on the way said so.
    Remote,
    /// Nobody said anything: messages went unanswered.
    Network,
}

/// What kind of end it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CauseKind {
    /// A conversation was hung up.
    Normal,
    /// The caller gave up before an answer.
    Cancelled,
    /// The callee is on another call.
    Busy,
    /// It rang and nobody took it.
    NoAnswer,
    /// The callee does not want the call.
    Declined,
    /// No such callee.
    NotFound,
    /// The callee was there once.
    Gone,
    /// The callee cannot be reached now.
    Unavailable,
    /// The server refuses the call.
    Forbidden,
    /// The server does not accept our credentials.
    AuthenticationFailed,
    /// No common media.
    NotAcceptable,
    /// The callee is elsewhere; redirections are not followed.
    Redirected,
    /// No reply came in time.
    Timeout,
    /// A server failed.
    ServerFailure,
    /// A server, or this endpoint, has no room for the call.
    Overloaded,
    /// A message broke the protocol.
    Protocol,
    /// The far side does not know what was asked of it.
    Unsupported,
}

/// Why something ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Who brought it about.
    pub originator: Originator,
    /// What it was.
    pub kind: CauseKind,
    /// The final status code, where a response ended it.
    pub status: Option<u16>,
    /// The peer's words: text of its Reason header field, or its reason phrase. Untrusted.
    pub reason: Option<String>,
    /// When the peer wants to be asked again (Retry-After, RFC 3261 20.33).
    pub retry_after: Option<Duration>,
}

impl CauseKind {
    /// The kind of a final status code. Total: codes that no RFC names get the meaning of their
    /// class (RFC 3261 8.1.3.2).
    pub fn from_status(status: u16) -> Self {
        match status {
            200..=299 => CauseKind::Normal,
            300..=399 => CauseKind::Redirected,
            401 | 407 | 494 => CauseKind::AuthenticationFailed,
            402 | 403 | 424 | 428 | 429 | 433 | 436..=438 => CauseKind::Forbidden,
            404 | 484 | 485 | 604 => CauseKind::NotFound,
            405 | 416 | 420 | 421 | 422 | 439 | 469 | 489 | 501 | 505 => CauseKind::Unsupported,
            406 | 415 | 488 | 580 | 606 => CauseKind::NotAcceptable,
            408 => CauseKind::NoAnswer,
            410 => CauseKind::Gone,
            430 | 480 => CauseKind::Unavailable,
            486 | 600 => CauseKind::Busy,
            487 => CauseKind::Cancelled,
            513 => CauseKind::Protocol,
            503 => CauseKind::Overloaded,
            504 => CauseKind::Timeout,
            500..=599 => CauseKind::ServerFailure,
            600..=699 => CauseKind::Declined,
            // 400 and the rest of its class: the request was not understood as meant.
            _ => CauseKind::Protocol,
        }
    }

    /// The status code that refuses an INVITE for this reason.
    pub(crate) fn refusal(self) -> u16 {
        match self {
            CauseKind::Busy => 486,
            CauseKind::Declined => 603,
            CauseKind::NotFound => 404,
            CauseKind::Gone => 410,
            CauseKind::Forbidden | CauseKind::AuthenticationFailed => 403,
            CauseKind::NotAcceptable => 488,
            CauseKind::ServerFailure | CauseKind::Protocol => 500,
            CauseKind::Overloaded => 503,
            CauseKind::Unsupported => 501,
            CauseKind::Cancelled => 487,
            CauseKind::Normal
            | CauseKind::NoAnswer
            | CauseKind::Unavailable
            | CauseKind::Redirected
            | CauseKind::Timeout => 480,
        }
    }
}

impl Cause {
    /// An end that we brought about.
    pub fn local(kind: CauseKind) -> Self {
        Cause { originator: Originator::Local, kind, status: None, reason: None, retry_after: None }
    }

    /// An end that the peer brought about without a status code (BYE, CANCEL).
    pub(crate) fn remote(kind: CauseKind, headers: &Headers) -> Self {
        Cause {
            originator: Originator::Remote,
            kind,
            status: None,
            reason: reason_text(headers),
            retry_after: None,
        }
    }

    /// The network says that nobody listens there. To be treated like a 503 (RFC 3261 8.1.3.1).
    pub(crate) fn unreachable() -> Self {
        Cause { originator: Originator::Network, ..Cause::local(CauseKind::Unavailable) }
    }

    /// Whether another server of the same name may do better (RFC 3263 4.3): this one did not
    /// answer, is not there, or says that it cannot serve.
    pub(crate) fn tries_next(&self) -> bool {
        self.originator == Originator::Network || self.status == Some(503)
    }

    /// Nobody answered in time.
    pub(crate) fn timeout() -> Self {
        Cause { originator: Originator::Network, ..Cause::local(CauseKind::Timeout) }
    }

    /// An end that a final response brought.
    pub(crate) fn from_response(response: &Response) -> Self {
        let phrase = Some(response.reason.trim()).filter(|text| !text.is_empty());
        Cause {
            originator: Originator::Remote,
            kind: CauseKind::from_status(response.status),
            status: Some(response.status),
            reason: reason_text(&response.headers).or_else(|| phrase.map(str::to_owned)),
            retry_after: retry_after(&response.headers),
        }
    }
}

/// The text of the Reason header field (RFC 3326), or its protocol and cause where it has none.
fn reason_text(headers: &Headers) -> Option<String> {
    let value = headers.get(&Name::Reason)?;
    let text = value.split_once("text=").map(|(_, text)| text);
    let text = match text.map(|text| text.strip_prefix('"').unwrap_or(text)) {
        Some(text) => text.split('"').next().unwrap_or(text),
        None => value,
    };
    let text: String = text.chars().filter(|c| !c.is_control()).take(128).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The Retry-After header field in time; comments and parameters behind the number are ignored.
fn retry_after(headers: &Headers) -> Option<Duration> {
    let value = headers.get(&Name::RetryAfter)?.trim();
    let digits = value.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse::<u32>().ok().map(|seconds| Duration::from_secs(u64::from(seconds)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_status_has_a_kind_and_the_well_known_ones_have_theirs() {
        let known = [
            (302, CauseKind::Redirected),
            (401, CauseKind::AuthenticationFailed),
            (403, CauseKind::Forbidden),
            (404, CauseKind::NotFound),
            (408, CauseKind::NoAnswer),
            (410, CauseKind::Gone),
            (480, CauseKind::Unavailable),
            (486, CauseKind::Busy),
            (487, CauseKind::Cancelled),
            (488, CauseKind::NotAcceptable),
            (500, CauseKind::ServerFailure),
            (503, CauseKind::Overloaded),
            (600, CauseKind::Busy),
            (603, CauseKind::Declined),
            (699, CauseKind::Declined),
            (499, CauseKind::Protocol),
            (599, CauseKind::ServerFailure),
        ];
        for (status, kind) in known {
            assert_eq!(CauseKind::from_status(status), kind, "{status}");
        }
        // A failure never reads as a good end.
        for status in 300..700 {
            assert_ne!(CauseKind::from_status(status), CauseKind::Normal, "{status}");
        }
    }

    #[test]
    fn the_peers_words_come_from_reason_before_the_phrase() {
        let mut headers = Headers::default();
        headers.push(Name::Reason, "Q.850;cause=17;text=\"User busy\"");
        assert_eq!(reason_text(&headers).as_deref(), Some("User busy"));
        headers.set(Name::Reason, "SIP;cause=200");
        assert_eq!(reason_text(&headers).as_deref(), Some("SIP;cause=200"));
    }

    #[test]
    fn retry_after_survives_its_comment() {
        let mut headers = Headers::default();
        headers.push(Name::RetryAfter, "120 (I'm in a meeting);duration=5");
        assert_eq!(retry_after(&headers), Some(Duration::from_secs(120)));
    }
}
