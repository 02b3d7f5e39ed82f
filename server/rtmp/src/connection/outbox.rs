//! What a machine tells whoever drives it: bounded, and nothing after its last word.

use crate::numbers::EVENTS_AT_MOST;
use std::collections::VecDeque;

/// The events of one end, oldest first.
#[derive(Debug)]
pub(super) struct Outbox<E> {
    events: VecDeque<E>,
    closed: bool,
}

impl<E> Outbox<E> {
    pub(super) fn new() -> Outbox<E> {
        Outbox { events: VecDeque::new(), closed: false }
    }

    /// An event, which is nothing after the last one. False: there was no room for it.
    #[must_use]
    pub(super) fn tell(&mut self, event: E) -> bool {
        let room = self.closed || self.events.len() < EVENTS_AT_MOST;
        if room && !self.closed {
            self.events.push_back(event);
        }
        room
    }

    /// The last event, which has a place whatever waits before it. False: there was one already.
    pub(super) fn close(&mut self, last: E) -> bool {
        let first = !std::mem::replace(&mut self.closed, true);
        if first {
            self.events.push_back(last);
        }
        first
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    pub(super) fn take(&mut self) -> Option<E> {
        self.events.pop_front()
    }
}
