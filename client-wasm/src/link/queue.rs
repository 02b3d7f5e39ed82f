//! Messages that have not left the page yet.

use signalling::{ClientMessage, limits};
use std::collections::VecDeque;

/// Room for everything but hang-ups.
const ROOM: usize = 64;
/// Room for hang-ups beside it: a call must be endable whatever waits.
const ROOM_FOR_HANGUPS: usize = limits::CALLS_PER_LINK * 8;

/// In order, without numbers: they get those when they are written.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<ClientMessage>,
}

impl Queue {
    /// False where there is no room.
    pub(super) fn push(&mut self, message: ClientMessage) -> bool {
        let room = match message {
            ClientMessage::Hangup { .. } => ROOM + ROOM_FOR_HANGUPS,
            _ => ROOM,
        };
        let fits = self.waiting.len() < room;
        if fits {
            self.waiting.push_back(message);
        }
        fits
    }

    /// For what must come first on a new link.
    pub(super) fn push_front(&mut self, message: ClientMessage) {
        self.waiting.push_front(message);
    }

    pub(super) fn pop_front(&mut self) -> Option<ClientMessage> {
        self.waiting.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Adds to digits of the same call that are last in line; false where there are none or they
    /// would be too many.
    pub(super) fn append_digits(&mut self, of: u32, more: &str) -> bool {
        match self.waiting.back_mut() {
            Some(ClientMessage::Dtmf { call, digits })
                if *call == of && digits.len() + more.len() <= limits::DIGITS =>
            {
                digits.push_str(more);
                true
            }
            _ => false,
        }
    }

    /// Whether the very start of a call still waits here.
    pub(super) fn holds_call(&self, of: u32) -> bool {
        self.waiting.iter().any(|m| matches!(m, ClientMessage::Call { call, .. } if *call == of))
    }

    /// Forgets everything about a call; whether its start was among it.
    pub(super) fn drop_call(&mut self, of: u32) -> bool {
        let held = self.holds_call(of);
        self.waiting.retain(|message| match message {
            ClientMessage::Call { call, .. }
            | ClientMessage::Answer { call, .. }
            | ClientMessage::Restart { call, .. }
            | ClientMessage::Hangup { call, .. }
            | ClientMessage::Hold { call }
            | ClientMessage::Resume { call }
            | ClientMessage::Transfer { call, .. }
            | ClientMessage::Join { call, .. }
            | ClientMessage::Dtmf { call, .. }
            | ClientMessage::Quality { call, .. } => *call != of,
            _ => true,
        });
        held
    }

    pub(super) fn has_register(&self) -> bool {
        self.waiting.iter().any(|m| matches!(m, ClientMessage::Register { .. }))
    }

    pub(super) fn drop_register(&mut self) {
        self.waiting.retain(|m| !matches!(m, ClientMessage::Register { .. }));
    }
}
