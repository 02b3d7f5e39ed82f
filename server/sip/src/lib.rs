//! A sans-IO SIP user agent: RFC 3261 as caller and as callee, without clock, socket or thread.
//!
//! ```text
//!            Command                                   Event
//!               |                                        ^
//!               v                                        |
//!   +---------------------------- Endpoint -----------------------------+
//!   |  registration (one per account)     invite (one per call)         |
//!   |         |                             |        |                  |
//!   |         |                             |     dialog                |
//!   |         v                             v                           |
//!   |  transaction: client and server machines, INVITE and the rest     |
//!   |         |                                        ^                |
//!   |         v              message, auth             |                |
//!   +-------------------------------------------------------------------+
//!               |                                        ^
//!               v                                        |
//!           Transmit                                  Datagram
//! ```
//!
//! The endpoint is driven by the contract at the top of the `base` crate. It resolves no names and
//! knows nothing of SDP: bodies pass through as octets. UDP is the one transport so far; addresses
//! travel as [`Hop`]s that name their protocol, and the timers know reliable transports already.
//!
//! Absent so far: TCP and TLS, subscriptions other than those of REFER, REFER outside of calls.

pub mod auth;
mod cause;
mod challenge;
mod deadlines;
mod dialog;
mod endpoint;
mod fuzz;
mod invite;
mod limits;
pub mod message;
mod registration;
mod replaces;
mod transaction;

pub use cause::{Cause, CauseKind, Originator};
pub use endpoint::{
    Account, Command, Counters, Endpoint, Event, Identity, InviteId, PeerPolicy, RegistrationState,
    Settings,
};
pub use fuzz::fuzz;
pub use transaction::{Hop, Timers};
