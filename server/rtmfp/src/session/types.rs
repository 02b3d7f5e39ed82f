//! What a session is told and what it tells.

use crate::address::Address;
use crate::flow::{FlowId, Order};
use crate::params::MAX_PLAIN;
use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

/// Which end of the session this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It began the session.
    Initiator,
    /// It answered.
    Responder,
}

/// How a session looks after its far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    /// After so long without a packet from the far end it is pinged.
    pub every: Duration,
    /// After so long without a packet, pings included, it counts as dead.
    pub dead_after: Duration,
}

impl Default for KeepAlive {
    fn default() -> Self {
        KeepAlive { every: Duration::from_secs(10), dead_after: Duration::from_secs(30) }
    }
}

/// How a session works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionSettings {
    /// The far end copies Flash Player's habits: abandoned numbers are sent one by one, windows
    /// are never empty, nothing is probed.
    pub legacy: bool,
    /// The largest plain packet, in octets.
    pub packet_limit: usize,
    /// The largest message, in octets, in either direction.
    pub message_limit: usize,
    /// Octets that wait in one sending flow; a larger message goes alone.
    pub send_buffer: usize,
    /// Octets that wait in one receiving flow.
    pub receive_buffer: usize,
    /// Octets that wait in all receiving flows together.
    pub receive_limit: usize,
    /// Open flows in each direction, at most 64; the far end's beyond that are ignored.
    pub flows: usize,
    /// How it looks after its far end.
    pub keep_alive: KeepAlive,
}

impl Default for SessionSettings {
    fn default() -> Self {
        SessionSettings {
            legacy: false,
            packet_limit: MAX_PLAIN,
            message_limit: 128 * 1024,
            send_buffer: 64 * 1024,
            receive_buffer: 64 * 1024,
            receive_limit: 128 * 1024,
            flows: 64,
            keep_alive: KeepAlive::default(),
        }
    }
}

/// How a sending flow is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFlow<'a> {
    /// What the flow is for, at most 512 octets.
    pub metadata: &'a [u8],
    /// The far end's flow that this one answers.
    pub return_of: Option<FlowId>,
    /// Its packets are marked time-critical, and it goes before flows that are not.
    pub time_critical: bool,
    /// Flows of higher priority go first.
    pub priority: u8,
}

/// Why a flow could not be opened or a message not be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The session is closing or over.
    NotOpen,
    /// There is no such open flow, or the flow to answer is not open.
    NoSuchFlow,
    /// Nothing more has room now; [`SessionEvent::Writable`] tells when.
    Full,
    /// The message or the metadata is larger than allowed.
    TooLarge,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendError::NotOpen => "the session is not open",
            SendError::NoSuchFlow => "no such open flow",
            SendError::Full => "the flow's buffer is full",
            SendError::TooLarge => "too large",
        })
    }
}

impl std::error::Error for SendError {}

/// What the owner wants of a session. Commands that name what does not exist do nothing.
#[derive(Clone, PartialEq)]
pub enum SessionCommand {
    /// Sends a message; [`Session::send`](super::Session::send) says whether it was taken.
    Send {
        /// Our flow.
        flow: FlowId,
        /// Its octets.
        message: Vec<u8>,
        /// When it was not acknowledged so long after now, it is given up.
        lifetime: Option<Duration>,
    },
    /// Begins a flow at the far end before there is a message.
    AnnounceFlow {
        /// Our flow.
        flow: FlowId,
    },
    /// Ends our flow after what was sent on it.
    CloseFlow {
        /// Our flow.
        flow: FlowId,
    },
    /// Refuses the far end's flow.
    RejectFlow {
        /// The far end's flow.
        flow: FlowId,
        /// The application's reason.
        code: u64,
    },
    /// Changes the order of delivery.
    SetOrder {
        /// The far end's flow.
        flow: FlowId,
        /// The order.
        order: Order,
    },
    /// Changes how many octets may wait; 0 stops the far end.
    SetReceiveBuffer {
        /// The far end's flow.
        flow: FlowId,
        /// The octets.
        octets: usize,
    },
    /// Delivers nothing more for now.
    SuspendFlow {
        /// The far end's flow.
        flow: FlowId,
    },
    /// Delivers again.
    ResumeFlow {
        /// The far end's flow.
        flow: FlowId,
    },
    /// Looks after the far end in another way.
    KeepAlive(KeepAlive),
    /// Passes an initiator's hello to the far end, as a Forwarder does.
    ForwardHello {
        /// What the initiator looks for.
        epd: Vec<u8>,
        /// Where it is.
        reply_address: Address,
        /// Its tag.
        tag: Vec<u8>,
    },
    /// Ends the session; all flows are gone at once.
    Close {
        /// Ask the far end and wait for its answer, or only tell it once.
        orderly: bool,
    },
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseCause {
    /// The owner closed it.
    Local,
    /// The far end closed it.
    Peer,
    /// The far end said nothing for too long, pings included.
    Silent,
}

/// What happened in a session.
#[derive(Clone, PartialEq)]
pub enum SessionEvent {
    /// The far end opened a flow.
    FlowOpened {
        /// The far end's flow.
        flow: FlowId,
        /// What it is for.
        metadata: Vec<u8>,
        /// Our flow that it answers.
        return_of: Option<FlowId>,
    },
    /// A message, whole. Give the octets back with [`Session::recycle`](super::Session::recycle).
    Message {
        /// The far end's flow.
        flow: FlowId,
        /// The numbers of its fragments in the flow (RFC 7016 section 2.3.11). In network order
        /// they say where it belongs, in either order how much was left out before it.
        numbers: RangeInclusive<u64>,
        /// Its octets.
        octets: Vec<u8>,
    },
    /// Messages are missing here: the far end gave them up.
    Gap {
        /// The far end's flow.
        flow: FlowId,
        /// How many fragments.
        missing: u64,
    },
    /// The far end ended its flow, and everything of it was delivered.
    FlowFinished {
        /// The far end's flow.
        flow: FlowId,
    },
    /// The far end's flow broke a rule and is rejected from now on.
    FlowFailed {
        /// The far end's flow.
        flow: FlowId,
    },
    /// The far end refuses our flow, which is closed by that.
    FlowRejected {
        /// Our flow.
        flow: FlowId,
        /// The far end's reason.
        code: u64,
    },
    /// Our flow, closed before, has arrived as far as it was not given up.
    FlowDelivered {
        /// Our flow.
        flow: FlowId,
    },
    /// After a refusal there is room again.
    Writable {
        /// Our flow.
        flow: FlowId,
    },
    /// The far end asks us to answer an initiator (FIHello).
    ForwardedHello {
        /// What the initiator looks for.
        epd: Vec<u8>,
        /// Where it is.
        reply_address: Address,
        /// Its tag.
        tag: Vec<u8>,
    },
    /// The far end has another address, which it proved.
    Moved {
        /// Where it was.
        from: SocketAddr,
        /// Where it is.
        to: SocketAddr,
    },
    /// The session is over; told once.
    Closed {
        /// Why.
        cause: CloseCause,
    },
}

/// Counts and measures of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionStatistics {
    /// The smoothed round-trip time.
    pub round_trip: Option<Duration>,
    /// Its variance.
    pub round_trip_variance: Duration,
    /// The retransmission timeout.
    pub timeout: Duration,
    /// The congestion window in octets.
    pub congestion_window: u64,
    /// Octets of user data in the network.
    pub outstanding: u64,
    /// Octets that wait in receiving flows.
    pub held: usize,
    /// Plain packets sent.
    pub packets_sent: u64,
    /// Their octets.
    pub octets_sent: u64,
    /// Plain packets received.
    pub packets_received: u64,
    /// Their octets.
    pub octets_received: u64,
    /// Messages queued.
    pub messages_sent: u64,
    /// Messages that had no room.
    pub messages_refused: u64,
    /// Messages delivered to the owner.
    pub messages_received: u64,
    /// Fragments sent, repetitions included.
    pub fragments_sent: u64,
    /// Fragments sent again.
    pub resent: u64,
    /// Fragments that counted as lost.
    pub lost: u64,
    /// Fragments given up.
    pub abandoned: u64,
    /// Times that the retransmission alarm found a loss.
    pub timeouts: u64,
    /// Gaps told to the owner.
    pub gaps: u64,
    /// Fragments received more than once.
    pub duplicates: u64,
    /// Fragments that had no room.
    pub refused_fragments: u64,
    /// Packets and chunks that were ignored because they broke a rule.
    pub malformed: u64,
    /// Flows, pings and hellos beyond the bounds.
    pub beyond_bounds: u64,
}

impl fmt::Debug for SessionCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionCommand::Send { flow, message, lifetime } => {
                write!(f, "Send({}, {} octets, {lifetime:?})", flow.0, message.len())
            }
            SessionCommand::AnnounceFlow { flow } => write!(f, "AnnounceFlow({})", flow.0),
            SessionCommand::CloseFlow { flow } => write!(f, "CloseFlow({})", flow.0),
            SessionCommand::RejectFlow { flow, code } => {
                write!(f, "RejectFlow({}, {code})", flow.0)
            }
            SessionCommand::SetOrder { flow, order } => {
                write!(f, "SetOrder({}, {order:?})", flow.0)
            }
            SessionCommand::SetReceiveBuffer { flow, octets } => {
                write!(f, "SetReceiveBuffer({}, {octets})", flow.0)
            }
            SessionCommand::SuspendFlow { flow } => write!(f, "SuspendFlow({})", flow.0),
            SessionCommand::ResumeFlow { flow } => write!(f, "ResumeFlow({})", flow.0),
            SessionCommand::KeepAlive(keep) => write!(f, "{keep:?}"),
            SessionCommand::ForwardHello { .. } => f.write_str("ForwardHello"),
            SessionCommand::Close { orderly } => write!(f, "Close {{ orderly: {orderly} }}"),
        }
    }
}

impl fmt::Debug for SessionEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SessionEvent::FlowOpened { flow, metadata, return_of } => {
                let answers = return_of.map(|flow| flow.0);
                write!(f, "FlowOpened({}, {} octets, {answers:?})", flow.0, metadata.len())
            }
            SessionEvent::Message { flow, octets, .. } => {
                write!(f, "Message({}, {} octets)", flow.0, octets.len())
            }
            SessionEvent::Gap { flow, missing } => write!(f, "Gap({}, {missing})", flow.0),
            SessionEvent::FlowFinished { flow } => write!(f, "FlowFinished({})", flow.0),
            SessionEvent::FlowFailed { flow } => write!(f, "FlowFailed({})", flow.0),
            SessionEvent::FlowRejected { flow, code } => {
                write!(f, "FlowRejected({}, {code})", flow.0)
            }
            SessionEvent::FlowDelivered { flow } => write!(f, "FlowDelivered({})", flow.0),
            SessionEvent::Writable { flow } => write!(f, "Writable({})", flow.0),
            SessionEvent::ForwardedHello { .. } => f.write_str("ForwardedHello"),
            SessionEvent::Moved { .. } => f.write_str("Moved"),
            SessionEvent::Closed { cause } => write!(f, "Closed({cause:?})"),
        }
    }
}
