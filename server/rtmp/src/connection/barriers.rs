//! Flow synchronisation (RFC 7425 5.2): barriers across flows, with an end to every wait.
//!
//! Commands and control events wait behind a barrier; media does not. A barrier would hold sound
//! back until it is too late to be heard, and nothing in a call depends on its order.

use crate::numbers::{
    BARRIER_WAITS, BARRIERS_AT_MOST, HELD_MESSAGES_AT_MOST, HELD_OCTETS_AT_MOST,
    RECEIVE_FLOWS_AT_MOST,
};
use std::collections::VecDeque;
use std::time::Instant;

#[derive(Debug)]
struct Barrier {
    sync: u32,
    /// How many flows have to come.
    count: usize,
    /// Those that have come, and wait.
    flows: Vec<u64>,
    until: Instant,
}

#[derive(Debug, Default)]
pub(super) struct Barriers {
    waiting: Vec<Barrier>,
    held: VecDeque<(u64, Vec<u8>)>,
    octets: usize,
    /// How many were opened without having been full.
    pub given_up: u64,
}

impl Barriers {
    /// A flow has come to a barrier.
    pub fn arrive(&mut self, now: Instant, flow: u64, sync: u32, count: u32) {
        let count = count as usize;
        if let Some(index) = self.waiting.iter().position(|barrier| barrier.sync == sync) {
            let full = self.waiting.get_mut(index).is_some_and(|barrier| {
                barrier.flows.push(flow);
                barrier.flows.len() >= barrier.count
            });
            if full {
                self.waiting.swap_remove(index);
            }
        } else if (2..=RECEIVE_FLOWS_AT_MOST).contains(&count)
            && self.waiting.len() < BARRIERS_AT_MOST
        {
            let until = now + BARRIER_WAITS;
            self.waiting.push(Barrier { sync, count, flows: vec![flow], until });
        } else if count > 1 {
            // More flows than there can be, or more barriers: waiting would be in vain.
            self.given_up += 1;
        }
    }

    /// Whether a flow waits.
    pub fn is_waiting(&self, flow: u64) -> bool {
        self.waiting.iter().any(|barrier| barrier.flows.contains(&flow))
    }

    /// Keeps a message of a flow that waits. Where there is no room all barriers are opened.
    pub fn hold(&mut self, flow: u64, octets: &[u8]) {
        let octets_after = self.octets + octets.len();
        if self.held.len() >= HELD_MESSAGES_AT_MOST || octets_after > HELD_OCTETS_AT_MOST {
            self.given_up += self.waiting.len() as u64;
            self.waiting.clear();
        }
        self.octets = octets_after;
        self.held.push_back((flow, octets.to_vec()));
    }

    /// The next message whose flow waits no more.
    pub fn next_held(&mut self) -> Option<(u64, Vec<u8>)> {
        let index = self.held.iter().position(|(flow, _)| !self.is_waiting(*flow))?;
        let held = self.held.remove(index)?;
        self.octets = self.octets.saturating_sub(held.1.len());
        Some(held)
    }

    /// A flow is over: what it waited for does not matter any more.
    pub fn forget(&mut self, flow: u64) {
        let before = self.waiting.len();
        self.waiting.retain(|barrier| !barrier.flows.contains(&flow));
        self.given_up += (before - self.waiting.len()) as u64;
    }

    /// Gives up what has waited too long.
    pub fn handle_timeout(&mut self, now: Instant) {
        let before = self.waiting.len();
        self.waiting.retain(|barrier| barrier.until > now);
        self.given_up += (before - self.waiting.len()) as u64;
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.waiting.iter().map(|barrier| barrier.until).min()
    }
}
