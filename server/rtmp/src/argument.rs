//! The properties of a command's argument, each with its bound.

use crate::amf::Value;
use crate::application::Request;
use crate::status::Refusal;
use base::Private;

/// The longest text in an argument, in octets.
const TEXT_LENGTH_AT_MOST: usize = 1024;
/// The most digits in one `dtmf`.
const DIGITS_AT_MOST: usize = 64;

/// The one object that a command has.
pub(crate) struct Argument(pub(crate) Value);

impl Argument {
    /// A text that may be left out; an empty one counts as left out.
    pub(crate) fn optional_text(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.0.take(name) {
            None | Some(Value::Undefined | Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) if text.len() > TEXT_LENGTH_AT_MOST => {
                Err(Refusal::bad_argument(format!("{name} is too long.")))
            }
            Some(Value::String(text)) if text.chars().any(char::is_control) => {
                Err(Refusal::bad_argument(format!("{name} holds control characters.")))
            }
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Refusal::bad_argument(format!("{name} has to be a String."))),
        }
    }

    pub(crate) fn text(&mut self, name: &str) -> Result<String, Refusal> {
        let missing = || Refusal::bad_argument(format!("{name} is missing."));
        self.optional_text(name)?.ok_or_else(missing)
    }

    /// Whatever a password holds is its owner's business.
    pub(crate) fn password(&mut self) -> Result<String, Refusal> {
        match self.0.take("password") {
            Some(Value::String(text)) if text.len() <= TEXT_LENGTH_AT_MOST => Ok(text),
            Some(Value::String(_)) => Err(Refusal::bad_argument("password is too long.")),
            None | Some(Value::Undefined | Value::Null) => {
                Err(Refusal::bad_argument("password is missing."))
            }
            Some(_) => Err(Refusal::bad_argument("password has to be a String.")),
        }
    }

    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, Refusal> {
        match self.0.take(name) {
            None | Some(Value::Undefined | Value::Null) => Ok(false),
            Some(Value::Boolean(flag)) => Ok(flag),
            Some(_) => Err(Refusal::bad_argument(format!("{name} has to be a Boolean."))),
        }
    }

    /// The call's ID; a page that keeps it as a Number is understood.
    pub(crate) fn call(&mut self) -> Result<String, Refusal> {
        let call = self.optional_call("callId")?;
        call.ok_or_else(|| Refusal::bad_argument("callId is missing."))
    }

    fn optional_call(&mut self, name: &str) -> Result<Option<String>, Refusal> {
        match self.0.find(name).and_then(Value::as_u32) {
            Some(number) => Ok(Some(number.to_string())),
            None => self.optional_text(name),
        }
    }

    /// An address or another call, and not both.
    pub(crate) fn transfer(&mut self) -> Result<Request, Refusal> {
        let call = self.call()?;
        match (self.optional_text("uri")?, self.optional_call("toCallId")?) {
            (Some(uri), None) => Ok(Request::Transfer { call, uri: Private::new(uri) }),
            (None, Some(other)) => Ok(Request::Join { call, other }),
            (None, None) => Err(Refusal::bad_argument("uri or toCallId is missing.")),
            _ => Err(Refusal::bad_argument("uri and toCallId exclude each other.")),
        }
    }

    pub(crate) fn digits(&mut self) -> Result<Private<String>, Refusal> {
        let mut digits = match self.0.find("digits").and_then(Value::as_u32) {
            Some(number) => number.to_string(),
            None => self.text("digits")?,
        };
        digits.make_ascii_uppercase();
        if digits.len() > DIGITS_AT_MOST {
            return Err(Refusal::bad_argument("digits holds too many."));
        }
        if !digits.chars().all(|digit| matches!(digit, '0'..='9' | '*' | '#' | 'A'..='D')) {
            return Err(Refusal::bad_argument("digits holds other than 0-9, *, #, A-D."));
        }
        Ok(Private::new(digits))
    }
}
