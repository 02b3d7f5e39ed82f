//! The tolerant front end: from octets to a start line and one clean entry per header field.
//!
//! Line feeds may come without carriage return, header fields may be folded, names may be
//! compact, octets may be Latin-1. What comes out is long names, one line per value, UTF-8, and
//! the lists whose elements the protocol handles one by one are split.

use std::borrow::Cow;

use super::headers::Headers;
use super::lex;
use super::name::long_form;
use super::parse::MAX_HEADERS;

/// Names whose values are lists of addresses or hops: one entry per element.
const SPLIT: [&str; 6] = ["Via", "Contact", "Route", "Record-Route", "Service-Route", "Path"];

/// A message as the front end sees it.
pub(super) struct Raw<'a> {
    /// The start line, trimmed.
    pub(super) start: Cow<'a, str>,
    /// The header fields, Content-Length among them.
    pub(super) headers: Headers,
    /// Whether a line was no header field.
    pub(super) malformed: bool,
    /// Whether there were more header fields than are kept.
    pub(super) too_many: bool,
    /// What follows the empty line.
    pub(super) rest: &'a [u8],
}

/// Splits a message; `None` if there is nothing but line ends (a keep-alive).
pub(super) fn split(data: &[u8]) -> Option<Raw<'_>> {
    let start = data.iter().position(|octet| !b"\r\n".contains(octet))?;
    let mut lines = Lines { rest: data.get(start..)? };
    let first = lines.next()?;
    let mut raw = Raw {
        start: text(first),
        headers: Headers::new(),
        malformed: false,
        too_many: false,
        rest: &[],
    };
    let trimmed = lex::trim(&raw.start);
    if trimmed.len() != raw.start.len() {
        raw.start = Cow::Owned(trimmed.to_owned());
    }
    // A header field is complete when a line comes that does not continue it.
    let mut field: Option<Cow<'_, str>> = None;
    for line in lines.by_ref() {
        if line.is_empty() {
            break;
        }
        let text = text(line);
        if text.starts_with(lex::is_space) {
            match &mut field {
                Some(field) => {
                    let field = field.to_mut();
                    field.push(' ');
                    field.push_str(lex::trim(&text));
                }
                None => raw.malformed |= !lex::trim(&text).is_empty(),
            }
        } else if let Some(done) = field.replace(text) {
            raw.take(&done);
        }
    }
    if let Some(done) = field {
        raw.take(&done);
    }
    raw.rest = lines.rest;
    Some(raw)
}

impl Raw<'_> {
    fn take(&mut self, line: &str) {
        let Some((name, value)) = lex::cut(line, b':') else {
            self.malformed = true;
            return;
        };
        let (name, value) = (lex::trim(name), lex::trim(value));
        if !lex::is_token_text(name) {
            self.malformed = true;
            return;
        }
        let name = long_form(name);
        if SPLIT.iter().any(|list| list.eq_ignore_ascii_case(name)) {
            for element in lex::split_outside(value, b',').filter(|element| !element.is_empty()) {
                self.push(name, element);
            }
        } else {
            self.push(name, value);
        }
    }

    fn push(&mut self, name: &str, value: &str) {
        if self.headers.len() < MAX_HEADERS {
            self.headers.push_parsed(name, value);
        } else {
            self.too_many = true;
        }
    }
}

/// Lines without their ends; after the last, `rest` is empty.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.iter().position(|octet| *octet == b'\n').unwrap_or(self.rest.len());
        let mut line = self.rest.get(..end).unwrap_or_default();
        self.rest = self.rest.get(end + 1..).unwrap_or_default();
        while let Some(shorter) = line.strip_suffix(b"\r") {
            line = shorter;
        }
        Some(line)
    }
}

/// UTF-8 as it is, anything else as Latin-1; a stray carriage return becomes a space.
fn text(line: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(line) {
        Ok(text) if !line.contains(&b'\r') => Cow::Borrowed(text),
        Ok(text) => Cow::Owned(text.replace('\r', " ")),
        Err(_) => Cow::Owned(
            line.iter()
                .map(|octet| if *octet == b'\r' { ' ' } else { char::from(*octet) })
                .collect(),
        ),
    }
}
