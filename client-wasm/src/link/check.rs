//! What a page may ask for, checked before it leaves, so that the page hears why not in words. The
//! server checks all of it again.

use signalling::{ClientMessage, QualityReport, limits};
use std::collections::BTreeMap;

/// What is wrong, and what to do about it.
pub(super) type Wrong = (&'static str, &'static str);

/// A page-supplied account. Never printed.
#[derive(Clone, PartialEq)]
pub struct Account {
    /// `host` or `host:port`.
    pub registrar: String,
    /// The account's user.
    pub username: String,
    /// The account's password.
    pub password: String,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Account")
    }
}

impl Account {
    pub(super) fn check(&self) -> Result<(), Wrong> {
        if !is_word(&self.registrar) {
            return Err(("The registrar is not a host name", "Give it as host or host:port"));
        }
        if !is_word(&self.username) {
            return Err(("The user name is missing or malformed", "Give it without sip: and @"));
        }
        // Spaces are fine in a password; an empty one serves registrars that ask for none.
        if self.password.len() > limits::TEXT_OCTETS || self.password.contains(char::is_control) {
            return Err(("The password is malformed", "Check the account's password"));
        }
        Ok(())
    }

    pub(super) fn message(&self) -> ClientMessage {
        let Account { registrar, username, password } = self.clone();
        ClientMessage::Register { registrar, username, password }
    }
}

/// A call as the page wants it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Whom to call; none with a button.
    pub uri: Option<String>,
    /// Whether the page would like video.
    pub video: bool,
    /// Page data for the shop.
    pub headers: BTreeMap<String, String>,
}

impl Plan {
    pub(super) fn check(&self, has_button: bool) -> Result<(), Wrong> {
        match &self.uri {
            None if !has_button => {
                return Err(("There is nobody to call", "Give a uri, such as sip:100@example.com"));
            }
            Some(uri) => target(uri)?,
            None => {}
        }
        if self.headers.len() > limits::HEADERS {
            return Err(("Too many headers", "At most 8 can be sent"));
        }
        let is_fine = |text: &str| {
            text.len() <= limits::HEADER_OCTETS && !text.contains(|c: char| c.is_control())
        };
        if !self
            .headers
            .iter()
            .all(|(name, value)| is_word(name) && is_fine(name) && is_fine(value))
        {
            return Err(("A header is malformed", "Names without spaces, values on one line"));
        }
        Ok(())
    }
}

/// Where a call may be sent on to.
pub(super) fn target(uri: &str) -> Result<(), Wrong> {
    let wrong = ("The uri is malformed", "Give it as sip:user@host or as a number");
    if is_word(uri) { Ok(()) } else { Err(wrong) }
}

/// Non-empty, of bearable length, without spaces and control characters.
fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= limits::TEXT_OCTETS
        && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// The digits in capitals, or what is wrong with them.
pub(super) fn digits(text: &str) -> Result<String, Wrong> {
    if text.is_empty() || text.len() > limits::DIGITS {
        return Err(("A wrong number of digits", "Send 1 to 32 digits at a time"));
    }
    let digits = text.to_ascii_uppercase();
    if digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'*' | b'#' | b'A'..=b'D')) {
        Ok(digits)
    } else {
        Err(("Not a keypad digit", "Only 0-9, *, # and A-D can be sent"))
    }
}

/// JSON has no word for infinity; a division by nothing is no measurement.
pub(super) fn report(report: QualityReport) -> QualityReport {
    let finite = |value: f32| if value.is_finite() { value.max(0.0) } else { 0.0 };
    QualityReport {
        loss: finite(report.loss).min(100.0),
        jitter: finite(report.jitter),
        round_trip: finite(report.round_trip),
        concealed: finite(report.concealed).min(100.0),
    }
}

/// The longest beginning of `text` within `octets`.
pub(super) fn cut(text: &str, octets: usize) -> &str {
    &text[..text.floor_char_boundary(octets)]
}
