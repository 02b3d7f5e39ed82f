//! What a page and the server say to each other over one WebSocket, and the call states that both
//! ends run.
//!
//! # A link
//!
//! One page has one *link*. It outlives its WebSocket: when the socket drops, the page opens a new
//! one, names the link in [`ClientMessage::Hello`], and both ends send again what the other has
//! not seen. For that, every message but the greetings and the heartbeat carries a number
//! ([`Envelope::sequence`], from 1, without gaps) and every envelope acknowledges what has come
//! the other way ([`Envelope::ack`]).
//!
//! A page that says nothing for [`limits::LINK_SILENCE`] is taken for gone; its link is kept for
//! [`limits::LINK_RESUME`] more, and then its calls end.

mod envelope;
pub mod limits;
mod message;
mod progress;

pub use envelope::{Envelope, Inbox, Outbox, OutboxFull};
pub use message::{
    ButtonInfo, ClientMessage, Direction, ErrorCode, HangupReason, QualityLevel, QualityReason,
    QualityReport, ServerMessage,
};
pub use progress::{CallState, EndCause, Progress};

/// The version of this protocol. A page greets with the one that it was built with; the server
/// refuses any other and asks the page to load itself again ([`ErrorCode::Version`]).
pub const VERSION: u32 = 1;
