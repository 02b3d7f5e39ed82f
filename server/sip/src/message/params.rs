//! Parameters of URIs and of header fields.

use std::fmt;

use super::lex;

/// The most parameters that one value may have.
const MAX_PARAMS: usize = 64;

/// Parameters in order. Names compare without regard to case; values stay as they are on the
/// wire, a quoted string with its quotes (see [`Params::text`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(pub Vec<(String, Option<String>)>);

impl Params {
    /// No parameters.
    pub fn new() -> Self {
        Params::default()
    }

    /// The value of a parameter: `None` if it is absent or has no value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.entry(name)?.as_deref()
    }

    /// What the value of a parameter says, without quotes and escapes.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(name).map(lex::unquote)
    }

    /// Whether a parameter is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.entry(name).is_some()
    }

    /// The parameter itself: absent, without value, or with one.
    pub fn entry(&self, name: &str) -> Option<&Option<String>> {
        self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Sets a parameter, in its place if it is there. The value must be a token, a host or a
    /// quoted string: it goes to the wire as it is.
    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(str::to_owned);
        match self.0.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(name)) {
            Some((_, place)) => *place = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Sets a parameter to a text that goes in quotes.
    pub fn set_quoted(&mut self, name: &str, text: &str) {
        self.set(name, Some(&lex::quote(text)));
    }

    /// Removes a parameter.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(key, _)| !key.eq_ignore_ascii_case(name));
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    /// Parameters of a header field: what follows the first `;`, with whitespace allowed around
    /// `;` and `=`. One semicolon too many at the end is forgiven, an empty parameter is not.
    pub(crate) fn parse_header(text: &str) -> Option<Params> {
        Params::parse(text, is_header_param_name, is_header_value)
    }

    /// Parameters of a URI: what follows the first `;`.
    pub(crate) fn parse_uri(text: &str) -> Option<Params> {
        Params::parse(text, is_uri_param_name, is_uri_text)
    }

    fn parse(
        text: &str,
        is_name: impl Fn(&str) -> bool,
        is_value: impl Fn(&str) -> bool,
    ) -> Option<Params> {
        let mut params = Params::new();
        read(text, is_name, is_value, |name, value| {
            params.0.push((name.to_owned(), value.map(str::to_owned)));
        })?;
        Some(params)
    }

    /// Whether [`Params::parse_header`] would read a text.
    pub(crate) fn is_header(text: &str) -> bool {
        read(text, is_header_param_name, is_header_value, |_, _| {}).is_some()
    }

    /// Whether [`Params::parse_uri`] would read a text.
    pub(crate) fn is_uri(text: &str) -> bool {
        read(text, is_uri_param_name, is_uri_text, |_, _| {}).is_some()
    }
}

/// Gives each parameter of a text to `take`; `None` where one is malformed.
fn read<'a>(
    text: &'a str,
    is_name: impl Fn(&str) -> bool,
    is_value: impl Fn(&str) -> bool,
    mut take: impl FnMut(&'a str, Option<&'a str>),
) -> Option<()> {
    let mut count = 0;
    let mut parts = lex::split_outside(text, b';').peekable();
    while let Some(part) = parts.next() {
        if part.is_empty() && parts.peek().is_none() {
            break;
        }
        let (name, value) = match lex::cut(part, b'=') {
            Some((name, value)) => (lex::trim(name), Some(lex::trim(value))),
            None => (part, None),
        };
        if count == MAX_PARAMS || !is_name(name) || value.is_some_and(|value| !is_value(value)) {
            return None;
        }
        count += 1;
        take(name, value);
    }
    Some(())
}

fn is_header_param_name(text: &str) -> bool {
    lex::is_token_text(text)
}

/// A token, a host, a quoted string, or (seen in the field) anything without separators.
fn is_header_value(text: &str) -> bool {
    match lex::quoted_end(text) {
        Some(end) => end == text.len(),
        None => lex::is_plain_text(text),
    }
}

fn is_uri_param_name(text: &str) -> bool {
    !text.is_empty() && is_uri_text(text)
}

fn is_uri_text(text: &str) -> bool {
    !text.bytes().any(|o| o <= b' ' || b"\"<>;?@\x7f".contains(&o))
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.0 {
            f.write_str(";")?;
            f.write_str(name)?;
            if let Some(value) = value {
                f.write_str("=")?;
                f.write_str(value)?;
            }
        }
        Ok(())
    }
}
