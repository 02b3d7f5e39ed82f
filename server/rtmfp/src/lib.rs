//! RTMFP (RFC 7016) with the crypto profile of RFC 7425, sans-IO, as initiator and as responder.
//!
//! ```text
//!    Command, open      Job -> JobDone                        Event
//!           |             ^      |                              ^
//!           v             |      v                              |
//!   +------------------------------- Endpoint -------------------------------+
//!   |  whose is a datagram, who is at which address, deadlines, bounds       |
//!   |        |                                   |                           |
//!   |        v                                   v                           |
//!   |  startup: cookies, keying,           session: acknowledgements,        |
//!   |  opening, limiter, fragments         congestion, keeping alive, close  |
//!   |        |                                   |                           |
//!   |        |                                   v                           |
//!   |        |                             flow: messages one way            |
//!   |        v                                   |                           |
//!   |  crypto: certificates, Diffie-Hellman,     |                           |
//!   |  keys, cipher   <--------------------------+                           |
//!   |        |                                                               |
//!   |  packet, chunk, option, address, vlu: octets, read without copying     |
//!   +------------------------------------------------------------------------+
//!           |                                                   ^
//!           v                                                   |
//!       Transmit                                            Datagram
//! ```
//!
//! The endpoint is driven by the contract at the top of the `base` crate, with one addition: after
//! events, `poll_job` until `None`. A job is Diffie-Hellman; it runs on any thread and its result
//! comes back by `handle_job`. What messages in flows mean is not known here.
//!
//! Absent: signatures with passwords (RFC 7425 section 4.3.5.1.1), path MTU discovery, and pieces of
//! packets inside sessions.

pub mod address;
pub mod chunk;
mod clock;
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
