//! RTMFP (RFC 7016) with the crypto profile of RFC 7425, sans-IO, as initiator and as responder.
//!
//! Driven by the contract at the top of the `base` crate.

pub mod address;
pub mod chunk;
pub mod crypto;
mod flow;
mod octets;
pub mod option;
pub mod packet;
pub mod params;
pub mod session;
pub mod vlu;
