//! Requests and responses, with typed access to their header fields.

use std::fmt;

use super::headers::Headers;
use super::lex;
use super::method::Method;
use super::name::Name;
use super::name_addr::NameAddr;
use super::reply;
use super::uri::Uri;
use super::values::{CSeq, HeaderError, RAck, digits, seconds};
use super::via::Via;

/// A request.
#[derive(Clone, PartialEq, Eq)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The Request-URI.
    pub uri: Uri,
    /// The header fields.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

/// A response.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code, 100 to 699.
    pub status: u16,
    /// The reason phrase; it means nothing to machines.
    pub reason: String,
    /// The header fields.
    pub headers: Headers,
    /// The body.
    pub body: Vec<u8>,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A request.
    Request(Request),
    /// A response.
    Response(Response),
}

impl Request {
    /// A request without header fields.
    pub fn new(method: Method, uri: Uri) -> Request {
        Request { method, uri, headers: Headers::new(), body: Vec::new() }
    }

    /// The message for the wire; Content-Length is set here.
    pub fn to_bytes(&self) -> Vec<u8> {
        serialise(format!("{} {} SIP/2.0\r\n", self.method, self.uri), &self.headers, &self.body)
    }

    /// A response to this request with the header fields that RFC 3261 section 8.2.6 demands: all
    /// Vias, From, To, Call-ID and CSeq; no tag is added to To.
    pub fn response(&self, status: u16, reason: &str) -> Response {
        reply::response(&self.headers, status, reason)
    }
}

impl Response {
    /// A response without header fields.
    pub fn new(status: u16, reason: &str) -> Response {
        Response { status, reason: reason.to_owned(), headers: Headers::new(), body: Vec::new() }
    }

    /// The message for the wire; Content-Length is set here.
    pub fn to_bytes(&self) -> Vec<u8> {
        let reason = self.reason.replace(['\r', '\n'], " ");
        serialise(format!("SIP/2.0 {} {}\r\n", self.status, reason), &self.headers, &self.body)
    }
}

impl Message {
    /// The header fields.
    pub fn headers(&self) -> &Headers {
        match self {
            Message::Request(request) => &request.headers,
            Message::Response(response) => &response.headers,
        }
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        match self {
            Message::Request(request) => &request.body,
            Message::Response(response) => &response.body,
        }
    }

    /// The message for the wire; Content-Length is set here.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Message::Request(request) => request.to_bytes(),
            Message::Response(response) => response.to_bytes(),
        }
    }
}

fn serialise(start_line: String, headers: &Headers, body: &[u8]) -> Vec<u8> {
    let mut out = start_line.into_bytes();
    out.reserve(1024 + body.len());
    headers.write(&mut out);
    out.extend_from_slice(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
    out.extend_from_slice(body);
    out
}

impl Headers {
    fn typed<T>(&self, name: Name, read: impl Fn(&str) -> Option<T>) -> Result<T, HeaderError> {
        match self.get(&name) {
            Some(value) => read(value).ok_or(HeaderError::Malformed(name)),
            None => Err(HeaderError::Missing(name)),
        }
    }

    /// The topmost Via.
    ///
    /// # Errors
    /// [`HeaderError`] if it is missing or malformed, as for all typed access.
    pub fn via(&self) -> Result<Via, HeaderError> {
        self.typed(Name::Via, Via::parse)
    }

    /// All Vias, topmost first; malformed ones are left out.
    pub fn vias(&self) -> Vec<Via> {
        self.all(&Name::Via).filter_map(Via::parse).collect()
    }

    /// From.
    ///
    /// # Errors
    /// [`HeaderError`] if it is missing or malformed.
    pub fn from(&self) -> Result<NameAddr, HeaderError> {
        self.typed(Name::From, NameAddr::parse)
    }

    /// To.
    ///
    /// # Errors
    /// [`HeaderError`] if it is missing or malformed.
    pub fn to(&self) -> Result<NameAddr, HeaderError> {
        self.typed(Name::To, NameAddr::parse)
    }

    /// CSeq.
    ///
    /// # Errors
    /// [`HeaderError`] if it is missing or malformed.
    pub fn cseq(&self) -> Result<CSeq, HeaderError> {
        self.typed(Name::CSeq, CSeq::parse)
    }

    /// RAck.
    ///
    /// # Errors
    /// [`HeaderError`] if it is missing or malformed.
    pub fn rack(&self) -> Result<RAck, HeaderError> {
        self.typed(Name::RAck, RAck::parse)
    }

    /// Call-ID; empty if it is missing, which [`super::parse`] lets through nowhere.
    pub fn call_id(&self) -> &str {
        self.get(&Name::CallId).unwrap_or_default()
    }

    /// The first Contact that can be read; `*` cannot.
    pub fn contact(&self) -> Option<NameAddr> {
        self.all(&Name::Contact).find_map(NameAddr::parse)
    }

    /// The addresses of a list: Contact, Route, Record-Route, Service-Route, Path and the like;
    /// malformed ones are left out.
    pub fn addresses(&self, name: &Name) -> Vec<NameAddr> {
        self.all(name)
            .flat_map(|value| lex::split_outside(value, b','))
            .filter_map(NameAddr::parse)
            .collect()
    }

    /// A header field that holds one number, such as Max-Forwards or RSeq; more than 2^32 - 1
    /// counts as that.
    pub fn number(&self, name: &Name) -> Option<u32> {
        let number = digits(lex::trim(self.get(name)?))?;
        Some(u32::try_from(number).unwrap_or(u32::MAX))
    }

    /// Seconds with something after them: Retry-After (`18000;duration=3600`, `120 (comment)`),
    /// Session-Expires, Min-SE, Expires.
    pub fn seconds(&self, name: &Name) -> Option<u32> {
        let value = self.get(name)?;
        seconds(value.split(|c: char| c == ';' || c == '(' || lex::is_space(c)).next()?)
    }

    /// The parts of comma-separated header fields such as Allow, Supported and Require.
    pub fn tokens(&self, name: &Name) -> impl Iterator<Item = &str> {
        self.all(name)
            .flat_map(|value| lex::split_outside(value, b','))
            .filter(|part| !part.is_empty())
    }

    /// Whether such a header field names an option.
    pub fn has_token(&self, name: &Name, option: &str) -> bool {
        self.tokens(name).any(|part| part.eq_ignore_ascii_case(option))
    }
}

macro_rules! typed_access {
    ($type:ident) => {
        impl $type {
            /// The topmost Via.
            ///
            /// # Errors
            /// [`HeaderError`] if it is missing or malformed.
            pub fn via(&self) -> Result<Via, HeaderError> {
                self.headers.via()
            }

            /// All Vias, topmost first; malformed ones are left out.
            pub fn vias(&self) -> Vec<Via> {
                self.headers.vias()
            }

            /// From.
            ///
            /// # Errors
            /// [`HeaderError`] if it is missing or malformed.
            pub fn from(&self) -> Result<NameAddr, HeaderError> {
                self.headers.from()
            }

            /// To.
            ///
            /// # Errors
            /// [`HeaderError`] if it is missing or malformed.
            pub fn to(&self) -> Result<NameAddr, HeaderError> {
                self.headers.to()
            }

            /// Call-ID; empty if it is missing, which [`super::parse`] lets through nowhere.
            pub fn call_id(&self) -> &str {
                self.headers.call_id()
            }

            /// CSeq.
            ///
            /// # Errors
            /// [`HeaderError`] if it is missing or malformed.
            pub fn cseq(&self) -> Result<CSeq, HeaderError> {
                self.headers.cseq()
            }

            /// The first Contact.
            pub fn contact(&self) -> Option<NameAddr> {
                self.headers.contact()
            }

            /// All Contacts.
            pub fn contacts(&self) -> Vec<NameAddr> {
                self.headers.addresses(&Name::Contact)
            }

            /// The route set that the message carries.
            pub fn routes(&self) -> Vec<NameAddr> {
                self.headers.addresses(&Name::Route)
            }

            /// The proxies that want to stay in the dialog, in the order of the message.
            pub fn record_routes(&self) -> Vec<NameAddr> {
                self.headers.addresses(&Name::RecordRoute)
            }
        }

        impl From<$type> for Message {
            fn from(message: $type) -> Self {
                Message::$type(message)
            }
        }
    };
}

typed_access!(Request);
typed_access!(Response);

impl fmt::Debug for Request {
    /// Neither addresses nor bodies: they are visitors' data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Request({}, {:?}, {} octets)", self.method, self.headers, self.body.len())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Response({}, {:?}, {} octets)", self.status, self.headers, self.body.len())
    }
}
