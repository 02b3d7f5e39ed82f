//! Addresses in From, To, Contact, Route and the like (RFC 3261 section 20.10).

use std::fmt;

use super::lex;
use super::params::Params;
use super::uri::Uri;

/// A display name, a URI and the parameters of the header field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameAddr {
    /// The display name, without quotes and escapes.
    pub display: Option<String>,
    /// The URI.
    pub uri: Uri,
    /// The parameters of the header field (not of the URI).
    pub params: Params,
}

impl NameAddr {
    /// An address without display name and parameters.
    pub fn new(uri: Uri) -> NameAddr {
        NameAddr { display: None, uri, params: Params::new() }
    }

    /// Reads one value, `"Name" <uri>;param` or `uri;param`. In the second form parameters belong
    /// to the header field, and a URI with `?` or `,` is malformed (RFC 3261 section 20).
    ///
    /// An unquoted display name with characters that need quotes is taken as meant, and so are
    /// spaces between brackets and URI.
    pub fn parse(text: &str) -> Option<NameAddr> {
        let Parts { display, uri, tail } = parts(text)?;
        // A quoted string loses its quotes; the name of the other kind is none where it is empty.
        let display = display.filter(|display| !display.is_empty()).map(lex::unquote);
        let params = tail.map_or_else(|| Some(Params::new()), Params::parse_header)?;
        Some(NameAddr { display, uri: Uri::parse(uri).ok()?, params })
    }

    /// Whether [`NameAddr::parse`] would read a text.
    pub(crate) fn is_one(text: &str) -> bool {
        parts(text)
            .is_some_and(|parts| Uri::is_one(parts.uri) && parts.tail.is_none_or(Params::is_header))
    }

    /// The dialog tag.
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag")
    }

    /// Sets the dialog tag.
    pub fn set_tag(&mut self, tag: &str) {
        self.params.set("tag", Some(tag));
    }

    /// How long a contact is bound, in seconds. A value that is no number counts as 3600, one
    /// too large as the largest (RFC 3261 section 20.10, RFC 4475 section 3.1.2.4).
    pub fn expires(&self) -> Option<u32> {
        self.params.get("expires").map(|text| super::values::seconds(text).unwrap_or(3600))
    }
}

/// An address as it stands in a text.
struct Parts<'a> {
    /// The display name, with its quotes.
    display: Option<&'a str>,
    uri: &'a str,
    /// What stands behind the first semicolon after the URI.
    tail: Option<&'a str>,
}

fn parts(text: &str) -> Option<Parts<'_>> {
    let text = lex::trim(text);
    let (display, rest) = match lex::quoted_end(text) {
        Some(end) => (Some(text.get(..end)?), lex::trim(text.get(end..)?)),
        None => match text.bytes().position(|octet| octet == b'<') {
            Some(at) => {
                let display = lex::trim(text.get(..at)?);
                if display.contains(['"', '>']) {
                    return None;
                }
                (Some(display), text.get(at..)?)
            }
            None => return bare_parts(text),
        },
    };
    let (uri, rest) = lex::cut(rest.strip_prefix('<')?, b'>')?;
    Some(Parts { display, uri: lex::trim(uri), tail: tail(lex::trim(rest))? })
}

fn bare_parts(text: &str) -> Option<Parts<'_>> {
    let at = text.bytes().position(|octet| octet == b';').unwrap_or(text.len());
    let (uri, rest) = (lex::trim(text.get(..at)?), text.get(at..)?);
    if uri.contains(['?', ',']) {
        return None;
    }
    Some(Parts { display: None, uri, tail: tail(rest)? })
}

/// What stands behind a semicolon, where there is anything.
fn tail(rest: &str) -> Option<Option<&str>> {
    match rest.strip_prefix(';') {
        Some(params) => Some(Some(params)),
        None => rest.is_empty().then_some(None),
    }
}

impl fmt::Display for NameAddr {
    /// Always with angle brackets; the display name is quoted unless it is tokens and spaces.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.display {
            Some(name) if name.split(' ').all(lex::is_token_text) => write!(f, "{name} ")?,
            Some(name) => write!(f, "{} ", lex::quote(name))?,
            None => {}
        }
        f.write_str("<")?;
        self.uri.fmt(f)?;
        f.write_str(">")?;
        self.params.fmt(f)
    }
}
