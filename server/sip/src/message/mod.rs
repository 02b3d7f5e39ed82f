//! SIP messages: a tolerant front end for what comes from the network, and typed access.
//!
//! ```text
//!   datagram --> front end --> rsip's untyped headers --> checks --> Message --> typed access
//!               (one line a       (Headers)                |
//!                header field,                             v
//!                long names,                           ParseError, with the answer to send
//!                lists split)
//! ```
//!
//! rsip never sees octets from the network: it refuses compact names, folding, bare line feeds,
//! IPv6 in Via and octets that are not UTF-8. The front end brings a message into the one form
//! that the model takes; typed header fields are read here.

mod front;
mod fuzz;
mod headers;
mod host;
mod lex;
mod method;
mod model;
mod model_rsip;
mod name;
mod name_addr;
mod params;
mod parse;
mod reply;
mod uri;
mod values;
mod via;

pub(crate) use lex::{is_token_text, quote, quoted_end};
pub(crate) use parse::{BodyLength, body_length};
pub(crate) use uri::{escape, escape_user, unescape};

pub use fuzz::fuzz;
pub use headers::Headers;
pub use host::Host;
pub use method::Method;
pub use model::{Message, Request, Response};
pub use name::Name;
pub use name_addr::NameAddr;
pub use params::Params;
pub use parse::{MAX_HEADERS, MAX_MESSAGE, ParseError, parse};
pub use reply::reason_phrase;
pub use uri::{BadUri, Scheme, Uri};
pub use values::{CSeq, HeaderError, RAck};
pub use via::{Transport, Via};
