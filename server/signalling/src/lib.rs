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
//! # Calls
//!
//! Whoever starts a call numbers it: the page from 1, the server from [`limits::FIRST_INCOMING`].
//! A call that comes in is told by its first [`ServerMessage::State`] (`in`, `ringing`). In both
//! directions it is the page that makes the offer and the server that answers it: with
//! [`ClientMessage::Call`], or with [`ClientMessage::Answer`].
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
pub const VERSION: u32 = 2;

/// Fuzz entry point: any octets as a message of either side are understood or refused, and what is
/// understood survives being written and read again.
pub fn fuzz(data: &[u8]) {
    fn round_trip<M>(data: &[u8])
    where
        M: serde::de::DeserializeOwned + serde::Serialize + PartialEq,
    {
        let Ok(envelope) = serde_json::from_slice::<Envelope<M>>(data) else { return };
        // A number too large for its type is written as null, which is not read back.
        let Ok(text) = serde_json::to_vec(&envelope) else { return };
        if let Ok(again) = serde_json::from_slice::<Envelope<M>>(&text) {
            assert!(again == envelope, "a message changed on its way");
        }
    }
    round_trip::<ClientMessage>(data);
    round_trip::<ServerMessage>(data);
}
