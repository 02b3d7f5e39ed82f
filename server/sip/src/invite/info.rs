//! INFO inside a call: keypad digits of peers that have no RFC 4733, both ways.

use super::{Invite, Phase, Role};
use crate::cause::Cause;
use crate::endpoint::{Core, Event};
use crate::limits;
use crate::message::{Method, Name, Request, Response};
use crate::transaction::TransactionId;
use std::time::{Duration, Instant};

impl Invite {
    /// Queues an INFO. They go one after another: two at once could change places on the wire.
    pub(crate) fn info(&mut self, core: &mut Core, now: Instant, kind: String, body: Vec<u8>) {
        let clean = !kind.is_empty() && !kind.chars().any(char::is_control);
        match &mut self.phase {
            Phase::Talking(session) if !self.ended && clean => {
                if session.infos.len() < limits::INFOS {
                    session.infos.push_back((kind, body));
                } else {
                    core.out.counters.refused += 1;
                }
                self.next_info(core, now);
            }
            _ => core.out.counters.refused += 1,
        }
    }

    fn next_info(&mut self, core: &mut Core, now: Instant) {
        let Phase::Talking(session) = &mut self.phase else { return };
        if session.info_sent {
            return;
        }
        let Some((kind, body)) = session.infos.pop_front() else { return };
        session.info_sent = true;
        let hop = session.dialog.hop(|ip| core.knows(ip));
        let mut request = session.dialog.request(Method::Info);
        request.headers.push(Name::ContentType, kind);
        request.body = body;
        if self.send(core, now, request, hop, Role::Info).is_none() {
            self.on_info_lost(core, now);
        }
    }

    /// The INFO under way is done with, whatever came of it.
    pub(super) fn on_info_lost(&mut self, core: &mut Core, now: Instant) {
        if let Phase::Talking(session) = &mut self.phase {
            session.info_sent = false;
        }
        self.next_info(core, now);
    }

    /// A response to our INFO.
    pub(super) fn on_info_response(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        response: &Response,
    ) {
        match response.status {
            100..=199 => {}
            401 | 407 if self.retry(core, now, id, response, Role::Info).is_some() => {}
            481 => self.break_off(core, now, Cause::from_response(response)),
            _ => self.on_info_lost(core, now),
        }
    }

    /// An INFO of the peer.
    pub(super) fn on_info(
        &mut self,
        core: &mut Core,
        now: Instant,
        id: TransactionId,
        request: &Request,
    ) {
        let kind = request.headers.get(&Name::ContentType).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "application/dtmf-relay" | "application/dtmf" => {
                core.answer(now, id, 200);
                if let Some((digit, duration)) = digit(&request.body)
                    && !self.ended
                {
                    let invite = self.id;
                    core.events.push_back(Event::DigitsReceived { invite, digit, duration });
                }
            }
            "application/media_control+xml" if wants_picture(&request.body) => {
                core.answer(now, id, 200);
                if !self.ended {
                    core.events.push_back(Event::PictureRequested { invite: self.id });
                }
            }
            _ if request.body.is_empty() => core.answer(now, id, 200),
            _ => core.answer_with(now, id, 415, |response| {
                let kinds =
                    "application/dtmf-relay, application/dtmf, application/media_control+xml";
                response.headers.push(Name::Other("Accept".into()), kinds);
            }),
        }
    }
}

/// Whether a body asks for a whole picture (RFC 5168).
fn wants_picture(body: &[u8]) -> bool {
    let word = b"picture_fast_update";
    body.windows(word.len()).any(|part| part == word)
}

/// Reads `Signal=5` and `Duration=160` (milliseconds), or a body that is the digit alone.
fn digit(body: &[u8]) -> Option<(char, Duration)> {
    let text = String::from_utf8_lossy(body);
    let field = |name: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let signal = field("signal").unwrap_or_else(|| text.trim().to_owned());
    let digit = match signal.as_str() {
        // Some phones send the event codes of RFC 4733.
        "10" => '*',
        "11" => '#',
        other => {
            let mut characters = other.chars();
            let digit = characters.next()?.to_ascii_uppercase();
            if characters.next().is_some() {
                return None;
            }
            digit
        }
    };
    let valid = digit.is_ascii_digit() || ('A'..='D').contains(&digit) || "*#".contains(digit);
    let duration = field("duration").and_then(|text| text.parse().ok()).unwrap_or(160u64);
    valid.then(|| (digit, Duration::from_millis(duration.clamp(40, 10_000))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_from_either_form_and_nothing_else_is() {
        let ms = Duration::from_millis;
        assert_eq!(digit(b"Signal=5\r\nDuration=200\r\n"), Some(('5', ms(200))));
        assert_eq!(digit(b"signal = *\r\nduration = junk"), Some(('*', ms(160))));
        assert_eq!(digit(b"11"), Some(('#', ms(160))));
        assert_eq!(digit(b"d\r\n"), Some(('D', ms(160))));
        for wrong in [&b""[..], b"Signal=", b"Signal=55", b"E", b"\xff\xff"] {
            assert_eq!(digit(wrong), None);
        }
    }
}
