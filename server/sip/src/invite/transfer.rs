//! Transfers that we ask for: REFER and what the peer reports of it (RFC 3515, RFC 3891).

use super::{Invite, Phase, Role, Wake};
use crate::cause::{Cause, CauseKind};
use crate::endpoint::{Core, Event};
use crate::limits;
use crate::message::{Method, Name, NameAddr, Request, Response, Uri, reason_phrase};
use crate::replaces::Replaces;
use crate::transaction::TransactionId;
use std::time::Instant;

/// A transfer that we asked for.
///
/// ```text
///   Idle --Refer--> Asked ----2xx----> Watched --NOTIFY: 2xx--> Idle: it was reached
///     ^               | refused           | NOTIFY: 3xx to 6xx, or the end of the reports
///     |               |                   | the call ends, or nothing is reported for long
///     +---------------+-------------------+  Idle: it was not
/// ```
///
/// A NOTIFY may overtake the 2xx, and a 2xx may say that there will be none (RFC 4488): that the
/// peer took the wish is then all that can be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Transfer {
    /// None.
    #[default]
    Idle,
    /// REFER is under way.
    Asked,
    /// The peer is at it and reports.
    Watched,
}

/// Where a report of the peer leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Report {
    Going,
    Reached,
    Failed(Option<u16>),
}

impl Invite {
    /// What this dialog is called in a Replaces header field for the peer (RFC 3891 3).
    pub(crate) fn replaced(&self) -> Option<Replaces> {
        let Phase::Talking(session) = &self.phase else { return None };
        Some(Replaces {
            call_id: self.call_id.clone(),
            to_tag: session.dialog.remote_tag().to_owned(),
            from_tag: self.tag.clone(),
            early_only: false,
        })
    }

    /// Where the peer of a call that is up is reached (RFC 3261 12).
    pub(crate) fn remote_target(&self) -> Option<&Uri> {
        match &self.phase {
            Phase::Talking(session) => Some(&session.dialog.target),
            _ => None,
        }
    }

    /// Whether the dialog that a Replaces header field names may be replaced; else the status that
    /// refuses it (RFC 3891 3). One that is not taken yet is its caller's to move: ours, where one
    /// of the phones that ring hands the call to another.
    pub(crate) fn may_be_replaced(&self, replaces: &Replaces) -> Result<(), u16> {
        match &self.phase {
            Phase::Talking(session) if session.dialog.remote_tag() == replaces.from_tag => {
                if replaces.early_only {
                    Err(486)
                } else {
                    Ok(())
                }
            }
            Phase::Calling(caller) if caller.rings(&replaces.from_tag) => Ok(()),
            _ => Err(481),
        }
    }

    /// Asks the peer to call somebody else.
    pub(crate) fn refer(
        &mut self,
        core: &mut Core,
        now: Instant,
        mut target: Uri,
        replaces: Option<Replaces>,
    ) {
        let invite = self.id;
        let ready = match &self.phase {
            Phase::Talking(session) => session.confirmed && !self.ended,
            _ => false,
        };
        if !ready || self.transfer != Transfer::Idle {
            core.out.counters.refused += 1;
            let outcome = Err(Cause { status: Some(491), ..Cause::local(CauseKind::Protocol) });
            core.events.push_back(Event::Transferred { invite, outcome });
            return;
        }
        target.headers.clear();
        if let Some(replaces) = replaces {
            target.headers.push(("Replaces".to_owned(), replaces.escaped()));
        }
        let Phase::Talking(session) = &mut self.phase else { return };
        let hop = session.dialog.hop(|ip| core.knows(ip));
        let mut request = session.dialog.request(Method::Refer);
        let by = NameAddr::new(session.dialog.local.uri.clone());
        request.headers.push(Name::Contact, core.contact(&self.user, self.quirks, hop));
        request.headers.push(Name::ReferTo, NameAddr::new(target).to_string());
        request.headers.push(Name::ReferredBy, by.to_string());
        self.transfer = Transfer::Asked;
        self.timers.set(Wake::TransferLate, now + limits::TRANSFER_PATIENCE);
        if self.send(core, now, request, hop, Role::Refer).is_none() {
            self.transferred(core, Err(Cause::local(CauseKind::Overloaded)));
        }
    }

    /// The outcome is known.
    pub(super) fn transferred(&mut self, core: &mut Core, outcome: Result<(), Cause>) {
        if std::mem::take(&mut self.transfer) != Transfer::Idle {
            self.timers.clear(Wake::TransferLate);
            core.events.push_back(Event::Transferred { invite: self.id, outcome });
        }
    }

    /// A response to our REFER.
    pub(super) fn on_refer_response(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        response: &Response,
    ) {
        match response.status {
            100..=199 => {}
            200..=299 => {
                let refer_sub = response.headers.get(&Name::ReferSub);
                if refer_sub.is_some_and(|value| value.trim().eq_ignore_ascii_case("false")) {
                    self.transferred(core, Ok(()));
                } else if self.transfer == Transfer::Asked {
                    self.transfer = Transfer::Watched;
                }
            }
            401 | 407 if self.retry(core, now, id, response, Role::Refer).is_some() => {}
            408 | 481 => self.break_off(core, now, Cause::from_response(response)),
            _ => self.transferred(core, Err(Cause::from_response(response))),
        }
    }

    /// A NOTIFY inside the call: the peer reports.
    pub(super) fn on_notify(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        request: &Request,
    ) {
        let event = request.headers.get(&Name::Event).unwrap_or_default();
        let package = event.split(';').next().unwrap_or_default().trim();
        if !package.eq_ignore_ascii_case("refer") {
            core.answer_with(now, id, 489, |response| {
                response.headers.push(Name::Other("Allow-Events".into()), "refer");
            });
            return;
        }
        if self.transfer == Transfer::Idle {
            // It is over, as far as we are concerned (RFC 6665 4.1.3).
            core.answer(now, id, 481);
            return;
        }
        core.answer(now, id, 200);
        match report(request) {
            Report::Going => {}
            Report::Reached => self.transferred(core, Ok(())),
            Report::Failed(status) => {
                let kind = status.map_or(CauseKind::Unavailable, CauseKind::from_status);
                let reason = status.map(|status| reason_phrase(status).to_owned());
                let cause = Cause::remote(kind, &request.headers);
                self.transferred(core, Err(Cause { status, reason, ..cause }));
            }
        }
    }
}

/// What a NOTIFY says: the status line in its body, and whether it is the last.
fn report(notify: &Request) -> Report {
    let line = notify.body.split(|octet| matches!(octet, b'\r' | b'\n')).next();
    let line = String::from_utf8_lossy(line.unwrap_or_default());
    let status = line
        .get(..8)
        .filter(|version| version.eq_ignore_ascii_case("SIP/2.0 "))
        .and_then(|_| line.get(8..11)?.parse::<u16>().ok());
    let state = notify.headers.get(&Name::SubscriptionState).unwrap_or_default();
    let over = state.trim_start().to_ascii_lowercase().starts_with("terminated");
    match status {
        Some(200..=299) => Report::Reached,
        Some(status @ 300..=699) => Report::Failed(Some(status)),
        _ if over => Report::Failed(None),
        _ => Report::Going,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn notify(state: &str, body: &[u8]) -> Report {
        let mut request = Request::new(Method::Notify, Uri::parse("sip:a@b").unwrap());
        request.headers.push(Name::SubscriptionState, state);
        request.body = body.to_vec();
        report(&request)
    }

    #[test]
    fn a_report_is_read_from_its_status_line() {
        assert_eq!(notify("active;expires=60", b"SIP/2.0 100 Trying"), Report::Going);
        assert_eq!(notify("active", b"SIP/2.0 200 OK\r\nTo: x"), Report::Reached);
        assert_eq!(notify("terminated;reason=noresource", b"SIP/2.0 200 OK"), Report::Reached);
        assert_eq!(notify("active", b"sip/2.0 486 Busy"), Report::Failed(Some(486)));
        assert_eq!(notify("Terminated", b"SIP/2.0 180 Ringing"), Report::Failed(None));
        for odd in
            [&b""[..], b"SIP/2.0", b"SIP/2.0 2", b"SIP/2.0 abc", b"\xff\xfe", b"HTTP/1.1 200"]
        {
            assert_eq!(notify("active", odd), Report::Going);
        }
    }
}
