//! When transactions end that only wait for their end: many together.

use crate::limits;
use std::time::{Duration, Instant};

/// The moments at which such ends are looked for.
#[derive(Debug, Default)]
pub(super) struct Rests {
    /// One of them.
    first: Option<Instant>,
}

impl Rests {
    /// When to wake a transaction whose deadline is `at`. The end of one that is at rest is heard
    /// by nobody: it may come later, with others, so that one waking up serves them all.
    pub(super) fn due(
        &mut self,
        now: Instant,
        at: Option<Instant>,
        is_at_rest: bool,
    ) -> Option<Instant> {
        let exact = at?;
        let first = *self.first.get_or_insert(now);
        if !is_at_rest || exact < now + limits::RESTS_EVERY * 4 {
            return at;
        }
        let every = limits::RESTS_EVERY.as_nanos();
        let over = exact.saturating_duration_since(first).as_nanos() % every;
        let late = u64::try_from((every - over) % every).unwrap_or_default();
        Some(exact + Duration::from_nanos(late))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_near_each_other_come_together_and_never_early() {
        let now = Instant::now();
        let mut rests = Rests::default();
        let mut moments = Vec::new();
        for milliseconds in 0..1_000 {
            let exact = now + Duration::from_millis(5_000 + milliseconds);
            let due = rests.due(now, Some(exact), true).unwrap_or(now);
            assert!(due >= exact && due < exact + limits::RESTS_EVERY);
            moments.push(due);
        }
        moments.dedup();
        assert!(moments.len() <= 5, "{moments:?}");
    }

    #[test]
    fn what_is_waited_for_and_what_ends_at_once_is_exact() {
        let now = Instant::now();
        let mut rests = Rests::default();
        let soon = Some(now + Duration::from_millis(3));
        let late = Some(now + Duration::from_millis(5_003));
        assert_eq!(rests.due(now, soon, true), soon);
        assert_eq!(rests.due(now, late, false), late);
        assert_eq!(rests.due(now, None, true), None);
    }
}
