//! Info objects: what `onStatus`, `_result` of `connect` and `_error` carry.

use crate::amf::Value;
use crate::numbers::code;
use std::borrow::Cow;

/// Why something is refused, in words for the programmer of the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// One of [`code`], or another dotted name.
    pub code: Cow<'static, str>,
    /// What is wrong. No visitor's data: it may be logged at the other end.
    pub description: Cow<'static, str>,
}

impl Refusal {
    /// A refusal.
    pub fn new(
        code: impl Into<Cow<'static, str>>,
        description: impl Into<Cow<'static, str>>,
    ) -> Refusal {
        Refusal { code: code.into(), description: description.into() }
    }

    /// A call that nobody answers.
    pub fn unknown_call() -> Refusal {
        Refusal::new(code::CALL_FAILED, "There is no such command.")
    }

    /// A command whose argument is not usable.
    pub fn bad_argument(description: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal::new(code::CALL_BAD_ARGUMENT, description)
    }

    /// The info object.
    pub fn info(&self) -> Value {
        info(Level::Error, &self.code, &self.description, [])
    }
}

/// How an info object is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// All is well.
    Status,
    /// Something is odd.
    Warning,
    /// Something failed.
    Error,
}

impl Level {
    /// The word in `level`.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Status => "status",
            Level::Warning => "warning",
            Level::Error => "error",
        }
    }
}

/// An info object: level, code and description, and what else is told.
pub fn info<'a>(
    level: Level,
    code: &str,
    description: &str,
    more: impl IntoIterator<Item = (&'a str, Value)>,
) -> Value {
    let first = [
        ("level", Value::from(level.as_str())),
        ("code", Value::from(code)),
        ("description", Value::from(description)),
    ];
    Value::object(first.into_iter().chain(more))
}
