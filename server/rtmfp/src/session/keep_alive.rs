//! Whether the far end is still there (RFC 7016 section 3.5.4.1).

use super::types::KeepAlive;
use std::time::{Duration, Instant};

/// A far end is never given up sooner than this after the first ping without answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// No period is longer.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// What the far end's silence came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing is due.
    Patient,
    /// A ping is due. `again` when the one before was not answered in time.
    Ping { again: bool },
    /// The far end is dead.
    Dead,
}

/// Watches one far end.
///
/// ```text
///   Heard ──nothing for a period──▶ Pinging ──each timeout──▶ Pinging
///   Pinging ──any packet from the far end──▶ Heard
///   Pinging ──nothing for `dead_after`──▶ dead
/// ```
#[derive(Debug)]
pub(crate) struct Watch {
    keep: KeepAlive,
    heard_at: Instant,
    /// The first ping of this silence, and the time of the next.
    pinging: Option<(Instant, Instant)>,
}

impl Watch {
    pub(crate) fn new(now: Instant, keep: KeepAlive) -> Self {
        let mut watch = Watch { keep, heard_at: now, pinging: None };
        watch.configure(keep);
        watch
    }

    pub(crate) fn configure(&mut self, keep: KeepAlive) {
        let every = keep.every.clamp(Duration::from_millis(250), LONGEST);
        self.keep = KeepAlive { every, dead_after: keep.dead_after.clamp(every, LONGEST) };
    }

    /// A packet came from where the far end is known to be.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard_at = now;
        self.pinging = None;
    }

    /// What is due; `timeout` is the time in which an answer is expected.
    pub(crate) fn check(&mut self, now: Instant, timeout: Duration) -> Verdict {
        match self.pinging {
            None if now >= self.heard_at + self.keep.every => {
                self.pinging = Some((now, now + timeout));
                Verdict::Ping { again: false }
            }
            Some((first, _)) if now >= self.dead_at(first) => Verdict::Dead,
            Some((first, next)) if now >= next => {
                self.pinging = Some((first, now + timeout));
                Verdict::Ping { again: true }
            }
            _ => Verdict::Patient,
        }
    }

    fn dead_at(&self, first_ping: Instant) -> Instant {
        (self.heard_at + self.keep.dead_after).max(first_ping + PATIENCE)
    }

    pub(crate) fn deadline(&self) -> Instant {
        match self.pinging {
            None => self.heard_at + self.keep.every,
            Some((first, next)) => next.min(self.dead_at(first)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    fn watch(now: Instant) -> Watch {
        Watch::new(now, KeepAlive { every: 10 * S, dead_after: 30 * S })
    }

    #[test]
    fn a_silent_far_end_is_pinged_once_per_timeout_and_then_given_up() {
        let start = Instant::now();
        let mut watch = watch(start);
        assert_eq!(watch.check(start + 9 * S, S), Verdict::Patient);
        assert_eq!(watch.deadline(), start + 10 * S);
        assert_eq!(watch.check(start + 10 * S, 3 * S), Verdict::Ping { again: false });
        assert_eq!(watch.check(start + 12 * S, 3 * S), Verdict::Patient);
        assert_eq!(watch.check(start + 13 * S, 20 * S), Verdict::Ping { again: true });
        assert_eq!(watch.deadline(), start + 30 * S);
        assert_eq!(watch.check(start + 30 * S, 3 * S), Verdict::Dead);
    }

    #[test]
    fn any_packet_from_the_far_end_ends_the_silence() {
        let start = Instant::now();
        let mut watch = watch(start);
        assert_eq!(watch.check(start + 10 * S, S), Verdict::Ping { again: false });
        watch.heard(start + 11 * S);
        assert_eq!(watch.deadline(), start + 21 * S);
        assert_eq!(watch.check(start + 12 * S, S), Verdict::Patient);
    }

    #[test]
    fn a_machine_that_slept_pings_before_it_gives_the_far_end_up() {
        let start = Instant::now();
        let mut watch = watch(start);
        let woken = start + 1000 * S;
        assert_eq!(watch.check(woken, S), Verdict::Ping { again: false });
        assert_eq!(watch.check(woken + S, S), Verdict::Ping { again: true });
        assert_eq!(watch.check(woken + 2 * S, S), Verdict::Dead);
    }
}
