//! Numbering and resending: what makes a link outlive its socket.

use crate::limits;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// One message on the wire: JSON, `{"sequence":3,"ack":7,"type":"hangup",...}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Envelope<M> {
    /// The number of this message in its direction, from 1; 0 for one that is never sent again
    /// (greetings, heartbeat).
    #[serde(default)]
    pub sequence: u64,
    /// The highest number received from the other end so far.
    #[serde(default)]
    pub ack: u64,
    /// What is said.
    #[serde(flatten)]
    pub message: M,
}

/// More messages wait for an acknowledgement than [`limits::OUTBOX_MESSAGES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxFull;

/// Sent messages that the other end has not acknowledged.
#[derive(Debug)]
pub struct Outbox<M> {
    next: u64,
    waiting: VecDeque<(u64, M)>,
}

impl<M> Default for Outbox<M> {
    fn default() -> Self {
        Outbox { next: 1, waiting: VecDeque::new() }
    }
}

impl<M> Outbox<M> {
    /// Whether there is no room for one more.
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= limits::OUTBOX_MESSAGES
    }

    /// Numbers a message and keeps it until it is acknowledged.
    pub fn push(&mut self, message: M) -> Result<u64, OutboxFull> {
        if self.is_full() {
            return Err(OutboxFull);
        }
        let sequence = self.next;
        self.next += 1;
        self.waiting.push_back((sequence, message));
        Ok(sequence)
    }

    /// Forgets everything up to and including `ack`. A number never sent is ignored.
    pub fn acknowledged(&mut self, ack: u64) {
        if ack < self.next {
            while self.waiting.front().is_some_and(|(sequence, _)| *sequence <= ack) {
                self.waiting.pop_front();
            }
        }
    }

    /// What a new socket must carry again, oldest first.
    pub fn unacknowledged(&self) -> impl Iterator<Item = (u64, &M)> {
        self.waiting.iter().map(|(sequence, message)| (*sequence, message))
    }
}

/// What has come from the other end.
#[derive(Debug, Default)]
pub struct Inbox {
    last: u64,
}

impl Inbox {
    /// Whether a message with this number is new; a repeated one is dropped. Number 0 always is.
    pub fn accept(&mut self, sequence: u64) -> bool {
        match sequence {
            0 => true,
            new if new == self.last + 1 => {
                self.last = new;
                true
            }
            _ => false,
        }
    }

    /// The number to acknowledge.
    pub fn last(&self) -> u64 {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_with_the_socket_is_sent_again_and_taken_once() {
        let mut outbox = Outbox::default();
        let mut inbox = Inbox::default();
        let numbers: Vec<_> = ["a", "b", "c"].map(|m| outbox.push(m)).to_vec();
        assert_eq!(numbers, [Ok(1), Ok(2), Ok(3)]);
        assert!(inbox.accept(1));
        assert!(inbox.accept(2));
        outbox.acknowledged(1);
        let again: Vec<_> = outbox.unacknowledged().map(|(n, m)| (n, *m)).collect();
        assert_eq!(again, [(2, "b"), (3, "c")]);
        let taken: Vec<_> = again.iter().map(|(n, _)| inbox.accept(*n)).collect();
        assert_eq!(taken, [false, true]);
        assert_eq!(inbox.last(), 3);
    }

    #[test]
    fn a_forged_acknowledgement_frees_nothing() {
        let mut outbox = Outbox::default();
        outbox.push("a").expect("room");
        outbox.acknowledged(99);
        assert_eq!(outbox.unacknowledged().count(), 1);
    }

    #[test]
    fn an_other_end_that_never_acknowledges_fills_the_outbox_and_no_more() {
        let mut outbox = Outbox::default();
        let pushed = (0..1000).filter(|n| outbox.push(*n).is_ok()).count();
        assert_eq!(pushed, limits::OUTBOX_MESSAGES);
    }
}
