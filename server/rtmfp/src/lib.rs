//! RTMFP (RFC 7016) with the crypto profile of RFC 7425, sans-IO, as initiator and as responder.
//!
//! Driven by the contract at the top of the `base` crate.

pub mod address;
pub mod chunk;
pub mod crypto;
mod endpoint;
mod flow;
mod job;
mod octets;
pub mod option;
pub mod packet;
pub mod params;
pub mod session;
mod startup;
pub mod vlu;

pub use endpoint::{
    CloseCause, Command, Counters, Endpoint, Event, Forwarded, OpenError, OpenFailure, SessionId,
    Settings,
};
pub use job::{Job, JobDone, JobId};
