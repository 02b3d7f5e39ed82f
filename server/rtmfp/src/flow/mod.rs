//! Flows: message streams in one direction inside a session (RFC 7016 section 3.6).

mod delivery;
mod probe;
pub(crate) mod queue;
pub(crate) mod receive;
pub(crate) mod send;
mod sequences;

pub(crate) use sequences::Sequences;

/// The identifier of a flow, as its sender chose it. Identifiers of the two directions have
/// nothing to do with each other, and an identifier says nothing about a flow's meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u64);

/// The order in which a receiving flow's messages come to its owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// As they were queued: a message waits until those before it have come or were given up.
    #[default]
    Original,
    /// As they arrive (RXI of RFC 7425, 5.1.1).
    Network,
}
