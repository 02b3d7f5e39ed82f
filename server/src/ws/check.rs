//! Bounds on what a page says, before anything else looks at it.

use signalling::{ClientMessage, limits};

/// Whether every part of a message keeps to its bound; if not, which one does not, in words.
pub(super) fn message(message: &ClientMessage) -> Result<(), &'static str> {
    match message {
        ClientMessage::Hello { link, button, page, .. } => {
            for part in [link, button, page].into_iter().flatten() {
                text(part, "the greeting is too long")?;
            }
            Ok(())
        }
        ClientMessage::Register { registrar, username, password } => {
            text(registrar, "the registrar's name is too long")?;
            text(username, "the user name is too long")?;
            text(password, "the password is too long")
        }
        ClientMessage::Call { uri, headers, .. } => {
            if let Some(uri) = uri {
                text(uri, "the address to call is too long")?;
            }
            if headers.len() > limits::HEADERS {
                return Err("too many page headers");
            }
            // A line break in a header would start another one in the SIP request.
            let fits = |part: &str| {
                part.len() <= limits::HEADER_OCTETS && !part.chars().any(char::is_control)
            };
            if headers.iter().all(|(name, value)| !name.is_empty() && fits(name) && fits(value)) {
                Ok(())
            } else {
                Err("a page header is too long or has control characters")
            }
        }
        ClientMessage::Transfer { uri, .. } => text(uri, "the address to transfer to is too long"),
        ClientMessage::Dtmf { digits, .. } => {
            let digit = |letter: u8| letter.is_ascii_digit() || b"*#ABCD".contains(&letter);
            if (1..=limits::DIGITS).contains(&digits.len()) && digits.bytes().all(digit) {
                Ok(())
            } else {
                Err("digits are 1 to 32 of 0-9 * # A-D")
            }
        }
        ClientMessage::Quality { report, .. } => {
            let numbers = [report.loss, report.jitter, report.round_trip, report.concealed];
            if numbers.iter().all(|number| number.is_finite()) {
                Ok(())
            } else {
                Err("a measurement is no number")
            }
        }
        ClientMessage::Unregister
        | ClientMessage::Answer { .. }
        | ClientMessage::Restart { .. }
        | ClientMessage::Hangup { .. }
        | ClientMessage::Hold { .. }
        | ClientMessage::Resume { .. }
        | ClientMessage::Join { .. }
        | ClientMessage::Ping { .. } => Ok(()),
    }
}

/// The call that a message is about, for the error that answers it.
pub(super) fn call_of(message: &ClientMessage) -> Option<u32> {
    match message {
        ClientMessage::Call { call, .. }
        | ClientMessage::Answer { call, .. }
        | ClientMessage::Restart { call, .. }
        | ClientMessage::Hangup { call, .. }
        | ClientMessage::Hold { call }
        | ClientMessage::Resume { call }
        | ClientMessage::Transfer { call, .. }
        | ClientMessage::Join { call, .. }
        | ClientMessage::Dtmf { call, .. }
        | ClientMessage::Quality { call, .. } => Some(*call),
        _ => None,
    }
}

fn text(part: &str, words: &'static str) -> Result<(), &'static str> {
    let fine = part.len() <= limits::TEXT_OCTETS && !part.chars().any(char::is_control);
    if fine { Ok(()) } else { Err(words) }
}
