//! Session descriptions: tolerant parsing, offer and answer (RFC 4566, RFC 3264).
//!
//! Plain functions over octets: nothing here waits, and nothing is asked of a name server. Bytes
//! of a peer go through three layers: `tidy` repairs what the field gets wrong, `sdp-types` splits
//! lines into fields, and [`Session`] is the typed model that offer and answer work on.
//!
//! Only audio is agreed on, over plain RTP or over SRTP with keys of the description (RFC 4568). Other media keep their place among the `m=` lines with
//! port 0, as RFC 3264 section 6 wants it; their descriptions stay in the model.

mod answer;
mod crypto;
mod error;
mod formats;
mod fuzz;
mod model;
mod negotiated;
mod offer;
mod parse;
mod tidy;
mod write;

pub use answer::{AnswerSettings, answer};
pub use crypto::{Agreed, Encryption, OwnKeys};
pub use error::SdpError;
pub use formats::{Format, OPUS_FMTP, OpusParameters};
pub use fuzz::{fuzz, fuzz_crypto};
pub use model::{Address, Attribute, Direction, Kind, Media, Protocol, RtcpAttribute, Session};
pub use negotiated::Negotiated;
pub use offer::{Offer, OfferSettings, accept_answer};

#[cfg(test)]
mod tests;
