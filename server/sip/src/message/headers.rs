//! The header fields of a message: an ordered list on top of rsip's untyped headers.

use std::fmt;

use rsip::Header;
use rsip::headers::UntypedHeader;

use super::name::{Name, long_form};

/// The header fields of a message in wire order, one value per entry: lists such as Via, Route
/// and Contact are split on parsing, so every entry of those names is one element.
///
/// The entries are rsip's untyped headers; its typed parsers are not used, because they refuse
/// much ordinary traffic.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Headers(rsip::Headers);

macro_rules! model {
    ($($variant:ident = $text:literal,)*) => {
        fn name_of(header: &Header) -> &str {
            match header {
                $(Header::$variant(_) => $text,)*
                Header::Other(name, _) => name,
            }
        }

        fn value_of(header: &Header) -> &str {
            match header {
                $(Header::$variant(inner) => inner.value(),)*
                Header::Other(_, value) => value,
            }
        }

        fn header(name: &str, value: String) -> Header {
            $(if name.eq_ignore_ascii_case($text) {
                return Header::$variant(rsip::headers::$variant::new(value));
            })*
            Header::Other(name.to_owned(), value)
        }
    };
}

// Every header that rsip's model has a variant for, with its name on the wire; common ones first.
model! {
    Via = "Via",
    From = "From",
    To = "To",
    CallId = "Call-ID",
    CSeq = "CSeq",
    Contact = "Contact",
    MaxForwards = "Max-Forwards",
    ContentLength = "Content-Length",
    ContentType = "Content-Type",
    Route = "Route",
    RecordRoute = "Record-Route",
    UserAgent = "User-Agent",
    Server = "Server",
    Allow = "Allow",
    Supported = "Supported",
    Expires = "Expires",
    Require = "Require",
    WwwAuthenticate = "WWW-Authenticate",
    Authorization = "Authorization",
    ProxyAuthenticate = "Proxy-Authenticate",
    ProxyAuthorization = "Proxy-Authorization",
    Accept = "Accept",
    AcceptEncoding = "Accept-Encoding",
    AcceptLanguage = "Accept-Language",
    AlertInfo = "Alert-Info",
    AuthenticationInfo = "Authentication-Info",
    CallInfo = "Call-Info",
    ContentDisposition = "Content-Disposition",
    ContentEncoding = "Content-Encoding",
    ContentLanguage = "Content-Language",
    Date = "Date",
    ErrorInfo = "Error-Info",
    Event = "Event",
    InReplyTo = "In-Reply-To",
    MimeVersion = "MIME-Version",
    MinExpires = "Min-Expires",
    Organization = "Organization",
    Priority = "Priority",
    ProxyRequire = "Proxy-Require",
    ReplyTo = "Reply-To",
    RetryAfter = "Retry-After",
    Subject = "Subject",
    SubscriptionState = "Subscription-State",
    Timestamp = "Timestamp",
    Unsupported = "Unsupported",
    Warning = "Warning",
}

impl Headers {
    /// No header fields.
    pub fn new() -> Self {
        Headers::default()
    }

    /// The value of the first header field of this name.
    pub fn get(&self, name: &Name) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of all header fields of this name, in order.
    pub fn all(&self, name: &Name) -> impl Iterator<Item = &str> {
        let name = name.as_str();
        self.0.iter().filter(move |header| is_named(header, name)).map(value_of)
    }

    /// How many header fields have this name.
    pub fn count(&self, name: &Name) -> usize {
        self.all(name).count()
    }

    /// Appends a header field. Line ends in the value become spaces, so that no value can bring
    /// in a header field of its own.
    pub fn push(&mut self, name: Name, value: impl Into<String>) {
        self.0.push(entry(&name, value.into()));
    }

    /// Puts a header field before all others.
    pub fn push_front(&mut self, name: Name, value: impl Into<String>) {
        let mut entries: Vec<Header> = std::mem::take(&mut self.0).into();
        entries.insert(0, entry(&name, value.into()));
        self.0 = entries.into();
    }

    /// Replaces every header field of this name by one, in the place of the first (at the end if
    /// there was none).
    pub fn set(&mut self, name: Name, value: impl Into<String>) {
        let mut first = true;
        self.0.retain(|header| {
            !is_named(header, name.as_str()) || std::mem::replace(&mut first, false)
        });
        if first {
            self.push(name, value);
        } else {
            self.set_first(&name, value);
        }
    }

    /// Replaces the value of the first header field of this name, leaving the others (the topmost
    /// Via gets its `received` this way). Does nothing if there is none.
    pub fn set_first(&mut self, name: &Name, value: impl Into<String>) {
        if let Some(place) = self.0.iter_mut().find(|header| is_named(header, name.as_str())) {
            *place = entry(name, value.into());
        }
    }

    /// Removes every header field of this name.
    pub fn remove(&mut self, name: &Name) {
        self.0.retain(|header| !is_named(header, name.as_str()));
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (Name, &str)> {
        self.0.iter().map(|header| (Name::from(name_of(header)), value_of(header)))
    }

    /// How many header fields there are.
    pub fn len(&self) -> usize {
        self.0.iter().count()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The list in rsip's model.
    pub fn as_rsip(&self) -> &rsip::Headers {
        &self.0
    }

    /// Writes all header fields but Content-Length, each with its line end.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        for header in self.0.iter().filter(|h| !is_named(h, Name::ContentLength.as_str())) {
            out.extend_from_slice(name_of(header).as_bytes());
            out.extend_from_slice(b": ");
            out.extend_from_slice(value_of(header).as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Appends a header field as the front end found it: the name long or compact, the value
    /// already one trimmed line.
    pub(super) fn push_parsed(&mut self, name: &str, value: &str) {
        self.0.push(header(long_form(name), value.to_owned()));
    }
}

fn is_named(header: &Header, name: &str) -> bool {
    name_of(header).eq_ignore_ascii_case(name)
}

fn entry(name: &Name, mut value: String) -> Header {
    if value.bytes().any(|octet| octet == b'\r' || octet == b'\n') {
        value = value.replace(['\r', '\n'], " ");
    }
    let trimmed = super::lex::trim(&value);
    if trimmed.len() != value.len() {
        value = trimmed.to_owned();
    }
    match name {
        // Only our own code names headers; a bad name must not become two lines.
        Name::Other(name) if !super::lex::is_token_text(name) => header("X-Invalid", value),
        Name::Other(name) => header(long_form(name), value),
        known => header(known.as_str(), value),
    }
}

impl fmt::Debug for Headers {
    /// Names alone: values hold credentials and visitors' data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(name_of)).finish()
    }
}
