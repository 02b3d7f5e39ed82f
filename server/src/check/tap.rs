//! What the provider says beside what the SIP machine makes of it: its clock, its realm, and why it
//! refuses.

use sip::message::{Message, Method, Name, Response, parse};
use std::time::SystemTime;

/// The longest text of a provider that is repeated.
const TEXT: usize = 120;

/// A response, as far as it says why.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// Its status.
    pub status: u16,
    /// Its phrase, or the text of its Warning.
    pub words: String,
    /// The extensions that it does not know (420).
    pub unsupported: Option<String>,
}

/// Everything that one attempt's messages said.
#[derive(Clone, Debug, Default)]
pub struct Tap {
    /// Messages of the provider.
    pub messages: u64,
    /// The last final response to REGISTER.
    pub register: Option<Said>,
    /// The last final response to INVITE.
    pub invite: Option<Said>,
    /// The realm of its challenges.
    pub realm: Option<String>,
    /// How many registrations of the account it said that it holds, ours among them.
    pub bindings: Option<usize>,
    /// The provider's hour, and ours when it came.
    pub hours: Option<(SystemTime, SystemTime)>,
}

impl Tap {
    /// Takes note of a message that came.
    pub fn note(&mut self, payload: &[u8], hour: SystemTime) {
        let Ok(message) = parse(payload) else { return };
        self.messages += 1;
        let Message::Response(response) = message else { return };
        let date = response.headers.get(&Name::from("Date"));
        if let Some(date) = date.and_then(|date| httpdate::parse_http_date(date.trim()).ok()) {
            self.hours = Some((date, hour));
        }
        if matches!(response.status, 401 | 407) {
            self.realm = realm(&response).or(self.realm.take());
        }
        if response.status < 200 {
            return;
        }
        match response.cseq().map(|cseq| cseq.method) {
            Ok(Method::Register) => {
                if (200..300).contains(&response.status) && !response.contacts().is_empty() {
                    self.bindings = Some(response.contacts().len());
                }
                self.register = Some(said(&response));
            }
            Ok(Method::Invite) => self.invite = Some(said(&response)),
            _ => {}
        }
    }
}

/// What a response says of why.
fn said(response: &Response) -> Said {
    let quoted = |text: &str| text.split('"').nth(1).map(str::to_owned);
    let warning = response.headers.get(&Name::Warning).and_then(quoted);
    let words = warning.unwrap_or_else(|| response.reason.trim().to_owned());
    let unsupported = response.headers.get(&Name::Unsupported).map(clean);
    Said { status: response.status, words: clean(&words), unsupported }
}

/// The realm of a challenge.
fn realm(response: &Response) -> Option<String> {
    let headers = &response.headers;
    let value =
        headers.get(&Name::WwwAuthenticate).or_else(|| headers.get(&Name::ProxyAuthenticate))?;
    let at = value.to_ascii_lowercase().find("realm=")?;
    let rest = value.get(at + "realm=".len()..)?.trim_start();
    rest.strip_prefix('"')?.split('"').next().map(clean).filter(|realm| !realm.is_empty())
}

/// A provider's words, fit for a terminal.
fn clean(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn response(status: &str, method: &str, lines: &str) -> Vec<u8> {
        format!(
            "SIP/2.0 {status}\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\n\
             From: <sip:a@b.example>;tag=1\r\nTo: <sip:a@b.example>;tag=2\r\nCall-ID: 1\r\n\
             CSeq: 1 {method}\r\n{lines}Content-Length: 0\r\n\r\n"
        )
        .into_bytes()
    }

    #[test]
    fn the_providers_clock_and_realm_are_read_off_its_challenge() {
        let mut tap = Tap::default();
        let lines = "WWW-Authenticate: Digest nonce=\"n\", realm=\"pbx.example\"\r\n\
                     Date: Thu, 01 Jan 1970 00:02:00 GMT\r\n";
        tap.note(&response("401 Unauthorized", "REGISTER", lines), SystemTime::UNIX_EPOCH);
        assert_eq!(tap.realm.as_deref(), Some("pbx.example"));
        let hour = SystemTime::UNIX_EPOCH + Duration::from_secs(120);
        assert_eq!(tap.hours, Some((hour, SystemTime::UNIX_EPOCH)));
        assert_eq!(tap.register.map(|said| said.status), Some(401));
    }

    #[test]
    fn a_refusal_says_why_in_its_warning_or_its_phrase() {
        let mut tap = Tap::default();
        let lines = "Warning: 399 pbx \"no such\x07 line\"\r\n";
        tap.note(&response("403 Forbidden", "INVITE", lines), SystemTime::UNIX_EPOCH);
        assert_eq!(tap.invite.as_ref().map(|said| said.words.as_str()), Some("no such line"));
        let lines = "Unsupported: timer\r\n";
        tap.note(&response("420 Bad Extension", "INVITE", lines), SystemTime::UNIX_EPOCH);
        let said = tap.invite.unwrap_or_default();
        assert_eq!(
            (said.words.as_str(), said.unsupported.as_deref()),
            ("Bad Extension", Some("timer"))
        );
        assert_eq!(tap.register, None);
    }
}
