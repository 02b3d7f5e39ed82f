//! The thread of a shard: the clock, the poll, and the order of one round.
//!
//! ```text
//!   wait (sockets, waker, soonest deadline)
//!     |
//!     v  one round, each part bounded
//!   events of the door -> datagrams -> deadlines -> SIP -> browsers -> calls that changed
//! ```

use super::Core;
use crate::net::{Found, Ready, Sockets};
use std::time::{Duration, Instant};

/// Events taken from the door in one round.
const EVENTS_A_ROUND: usize = 64;
/// From so many calls on a shard gathers packets.
pub const BUSY_CALLS: usize = 8;
/// How long it gathers: far below what an ear or a jitter buffer notices.
pub const GATHER: Duration = Duration::from_millis(2);

impl Core<Sockets> {
    /// Runs until [`super::door::Operator::Stop`], or until a drain is over.
    pub fn run(mut self) {
        let mut ready = Ready::default();
        let mut found: Vec<Found> = Vec::with_capacity(64);
        let mut woken_at = Instant::now();
        loop {
            self.settle(Instant::now());
            let now = Instant::now();
            if self.is_done(now) {
                break;
            }
            let sleep = self.deadline(now).saturating_duration_since(now);
            self.gather(now, &mut woken_at);
            if let Err(error) = self.wire.wait(Some(sleep), &mut ready) {
                tracing::error!(%error, "the shard cannot wait for its sockets");
                break;
            }
            for _ in 0..EVENTS_A_ROUND {
                let Some(event) = self.inbox.take() else { break };
                self.handle_event(Instant::now(), event);
                self.note_invited(Instant::now);
            }
            self.receive(&ready, &mut found);
            self.handle_timeout(Instant::now());
        }
        self.flush_traces();
        self.store.close();
    }

    /// Under load the cost of a packet is the waking up for it, so a busy shard wakes at most once
    /// in [`GATHER`] and finds several; a shard with few calls wakes for each at once.
    fn gather(&self, now: Instant, woken_at: &mut Instant) {
        if self.calls.len() >= BUSY_CALLS {
            let since = now.saturating_duration_since(*woken_at);
            std::thread::sleep(GATHER.saturating_sub(since));
        }
        *woken_at = Instant::now();
    }

    fn receive(&mut self, ready: &Ready, found: &mut Vec<Found>) {
        let mut buffer = self.wire.take_buffer();
        for port in &ready.ports {
            if *port == self.sip_port {
                while let Some(peer) = self.wire.unreachable(*port) {
                    self.handle_unreachable(Instant::now(), peer);
                }
            }
            let mut turn = 0;
            while self.wire.receive(*port, turn, &mut buffer, found) {
                turn += 1;
                // One reading of the clock for a batch: it was received in one system call.
                let now = Instant::now();
                for place in found.iter() {
                    self.handle_datagram(now, *port, &place.datagram(&buffer));
                }
                // A Flash client's call comes by a datagram.
                self.note_invited(Instant::now);
            }
        }
        self.wire.return_buffer(buffer);
    }
}
