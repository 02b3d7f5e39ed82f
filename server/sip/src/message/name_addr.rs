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
        let text = lex::trim(text);
        let (display, rest) = match lex::quoted_end(text) {
            Some(end) => (Some(lex::unquote(text.get(..end)?)), lex::trim(text.get(end..)?)),
            None => match text.find('<') {
                Some(at) => {
                    let display = lex::trim(text.get(..at)?);
                    if display.contains(['"', '>']) {
                        return None;
                    }
                    let display = (!display.is_empty()).then(|| display.to_owned());
                    (display, text.get(at..)?)
                }
                None => return NameAddr::parse_bare(text),
            },
        };
        let (uri, rest) = rest.strip_prefix('<')?.split_once('>')?;
        let uri = Uri::parse(lex::trim(uri)).ok()?;
        let params = parse_tail(lex::trim(rest))?;
        Some(NameAddr { display, uri, params })
    }

    fn parse_bare(text: &str) -> Option<NameAddr> {
        let at = text.find(';').unwrap_or(text.len());
        let (uri, rest) = (lex::trim(text.get(..at)?), text.get(at..)?);
        if uri.contains(['?', ',']) {
            return None;
        }
        Some(NameAddr { display: None, uri: Uri::parse(uri).ok()?, params: parse_tail(rest)? })
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

fn parse_tail(rest: &str) -> Option<Params> {
    match rest.strip_prefix(';') {
        Some(params) => Params::parse_header(params),
        None => rest.is_empty().then(Params::new),
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
        write!(f, "<{}>{}", self.uri, self.params)
    }
}
