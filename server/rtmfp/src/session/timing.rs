//! What time does to a session.

use super::keep_alive::Verdict;
use super::phase::Phase;
use super::{CloseCause, Session};
use crate::flow::receive::ReceiveFlow;
use crate::flow::send::SendFlow;
use std::time::Instant;

impl Session {
    /// Does what has become due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.phase != Phase::Open {
            self.phase.expire(now);
            return;
        }
        match self.watch.check(now, self.trip.timeout()) {
            Verdict::Patient => {}
            Verdict::Ping { again } => {
                if again {
                    self.trip.back_off();
                }
                self.ping_due = true;
            }
            Verdict::Dead => {
                // It may still hear us, and then need not wait for as long.
                self.close_ack_due = true;
                self.leave(Phase::Closed, CloseCause::Silent);
                return;
            }
        }
        self.acks.expire(now);
        if self.alarm_at().is_some_and(|at| at <= now) {
            self.time_out();
        }
        for sender in &mut self.senders {
            self.statistics.abandoned += sender.expire(now, &mut self.pool);
        }
        while self.lingering.front().is_some_and(|(_, until)| *until <= now) {
            self.lingering.pop_front();
        }
        self.receivers.retain(|receiver| receiver.until().is_none_or(|until| until > now));
        self.settle(now);
    }

    /// When the retransmission alarm goes off. A new measurement after an outage counts at once,
    /// so that no end waits for a timeout that has backed off in vain.
    fn alarm_at(&self) -> Option<Instant> {
        self.alarm_from.map(|from| from + self.trip.timeout())
    }

    /// The retransmission alarm (3.6.2.6).
    fn time_out(&mut self) {
        self.alarm_from = None;
        let lost: u64 = self.senders.iter_mut().map(SendFlow::time_out).sum();
        self.statistics.lost += lost;
        if lost > 0 {
            self.statistics.timeouts += 1;
            self.trip.back_off();
        }
        self.congestion.handle_timeout(lost > 0);
    }

    /// When something becomes due next; `None` once the session is over.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.phase != Phase::Open {
            return self.phase.deadline();
        }
        let watch = [Some(self.watch.deadline()), self.acks.deadline(), self.alarm_at()];
        let lingering = self.lingering.front().map(|(_, until)| *until);
        let sending = self.senders.iter().flat_map(|s| [s.expires_at(), s.probe_at()]);
        let receiving = self.receivers.iter().map(ReceiveFlow::until);
        let all = watch.into_iter().chain([lingering]).chain(sending).chain(receiving);
        all.flatten().min()
    }
}
