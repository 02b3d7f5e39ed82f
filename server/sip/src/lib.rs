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
//! knows nothing of SDP: bodies pass through as octets. Addresses travel as [`Hop`]s that name their
//! protocol. Connections are somebody else's: whoever owns one cuts messages out of it with a
//! [`stream::Stream`] and says what becomes of it by [`Endpoint::handle_connection`].
//!
//! Absent so far: subscriptions other than those of REFER; REFER outside of calls is refused.

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
mod quirks;
mod registration;
mod replaces;
pub mod stream;
mod target;
mod transaction;

pub use cause::{Cause, CauseKind, Originator};
pub use endpoint::{
    Account, Command, Connection, Counters, Endpoint, Event, Identity, InviteId, PeerPolicy,
    RegistrationState, Settings,
};
pub use fuzz::fuzz;
pub use quirks::{Need as QuirkNeed, Quirk, Quirks, Row as QuirkRow, TABLE as QUIRKS};
pub use target::Target;
pub use transaction::{Hop, Timers};
