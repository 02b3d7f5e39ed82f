//! RTMFP (RFC 7016) with the crypto profile of RFC 7425, sans-IO, as initiator and as responder.
//!
//! Driven by the contract at the top of the `base` crate.

pub mod address;
pub mod chunk;
pub mod crypto;
mod endpoint;
mod flow;
mod fuzz;
mod job;
mod octets;
pub mod option;
pub mod packet;
pub mod params;
pub mod session;
mod startup;
pub mod vlu;

pub use endpoint::fuzz::fuzz_endpoint;
pub use endpoint::{
    CloseCause, Command, Counters, Endpoint, Event, Forwarded, OpenError, OpenFailure, SessionId,
    Settings,
};
pub use fuzz::{fuzz_certificate, fuzz_chunks, fuzz_options, fuzz_packet};
pub use job::{Job, JobDone, JobId};
