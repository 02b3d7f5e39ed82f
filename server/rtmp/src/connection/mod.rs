//! NetConnection and NetStream over RTMFP flows, for both ends (RFC 7425 5.3).
//!
//! A flow is a number. **Sending flows are numbered by the machine** in [`Action::OpenFlow`],
//! **receiving flows by whoever drives it**; the two number spaces have nothing to do with each
//! other. `return_of` names a flow of the other direction: in an action a receiving flow, in
//! [`Server::handle_flow_opened`] a sending one.
//!
//! Driving follows the contract of `base`. After every input take [`Action`]s until there are no
//! more, then events, then the deadline. Media does not wait in a queue: what arrives is returned
//! by `handle_message` and borrows from the message, what leaves is written by `write_audio` and
//! `write_video` into the caller's buffer. Flows for media are opened when a stream starts, so
//! an [`Outgoing`] never names a flow whose opening has not been taken as an action before.

mod barriers;
mod client;
mod link;
mod outbox;
mod peer;
mod server;
mod streams;

pub use client::{Client, ClientEvent, ClientSettings};
pub use peer::{PeerEvent, Publisher, Subscriber};
pub use server::{ConnectRequest, Server, ServerEvent, ServerSettings};

use std::fmt;
use std::time::Duration;

/// What whoever drives a machine has to do to the RTMFP session. Messages print as their length.
#[derive(Clone, PartialEq, Eq)]
pub enum Action {
    /// Open a sending flow.
    OpenFlow {
        /// The machine's number for it.
        flow: u64,
        /// User metadata (RFC 7425 5.1.1).
        metadata: Vec<u8>,
        /// The receiving flow that it answers to.
        return_of: Option<u64>,
        /// Carries sound: goes first, and sets the session's time-critical mark.
        time_critical: bool,
    },
    /// Send a message, reliably.
    Send {
        /// A sending flow.
        flow: u64,
        /// The whole message.
        octets: Vec<u8>,
    },
    /// Close a sending flow once what was sent on it has arrived.
    CloseFlow {
        /// A sending flow.
        flow: u64,
    },
    /// Reject a receiving flow.
    RejectFlow {
        /// A receiving flow.
        flow: u64,
        /// The exception code.
        code: u64,
    },
    /// Take a receiving flow's messages as the network brings them, or in the order in which they
    /// were queued, as all flows are taken at first.
    SetOrder {
        /// A receiving flow.
        flow: u64,
        /// As the network brings them.
        network: bool,
    },
    /// Close the session: the connection is over, nothing is waited for.
    CloseSession,
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::OpenFlow { flow, metadata, return_of, time_critical } => f
                .debug_struct("OpenFlow")
                .field("flow", flow)
                .field("metadata", metadata)
                .field("return_of", return_of)
                .field("time_critical", time_critical)
                .finish(),
            Action::Send { flow, octets } => {
                write!(f, "Send({} octets on flow {flow})", octets.len())
            }
            Action::CloseFlow { flow } => write!(f, "CloseFlow({flow})"),
            Action::RejectFlow { flow, code } => write!(f, "RejectFlow({flow}, code {code})"),
            Action::SetOrder { flow, network } => {
                write!(f, "SetOrder({flow}, {})", if *network { "network" } else { "original" })
            }
            Action::CloseSession => f.write_str("CloseSession"),
        }
    }
}

/// A media message that was written into the caller's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The sending flow to send it on.
    pub flow: u64,
    /// How many octets of the buffer are the message.
    pub length: usize,
    /// After this time it is not worth sending any more.
    pub lifetime: Duration,
}

/// Sound or picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    /// Type 8.
    Audio,
    /// Type 9.
    Video,
}

/// A media message that arrived. It prints as its length.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Media<'a> {
    /// The stream.
    pub stream: u32,
    /// Sound or picture.
    pub kind: MediaKind,
    /// Milliseconds, modulo 2^32.
    pub timestamp: u32,
    /// An audio or video tag; possibly empty.
    pub payload: &'a [u8],
}

impl fmt::Debug for Media<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Media { stream, kind, timestamp, payload } = self;
        write!(f, "{kind:?}(stream {stream}, t {timestamp}, {} octets)", payload.len())
    }
}

/// Why a connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The other end closed its flows in order.
    Finished,
    /// The other end rejected our control flow: it is gone (RFC 7425 5.3.6).
    Rejected,
    /// Somebody had to do something in time and did not.
    TimedOut,
    /// The session under it has ended.
    SessionClosed,
    /// This end closed it.
    Closed,
    /// `connect` was refused.
    Refused,
}

/// Counters of what was dropped or refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Receiving flows that were rejected.
    pub rejected_flows: u64,
    /// Messages that could not be read.
    pub malformed: u64,
    /// Messages of no meaning here, or of flows and streams that are not there.
    pub ignored: u64,
    /// Events and actions that nobody took.
    pub dropped: u64,
    /// Barriers that were given up.
    pub barriers_given_up: u64,
}
