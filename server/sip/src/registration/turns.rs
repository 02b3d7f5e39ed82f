//! When a registration may begin: many accounts take turns.

use crate::limits;
use std::time::{Duration, Instant};

/// The turns that are given away.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// When the next turn is that nobody has, where no turn is spared.
    next: Option<Instant>,
}

impl Turns {
    /// Takes a turn: now (`None`), or the time when it comes. What was not used for a while lets
    /// [`limits::REGISTERS_AT_ONCE`] begin together.
    pub(crate) fn take(&mut self, now: Instant) -> Option<Instant> {
        let next = self.next.map_or(now, |next| next.max(now));
        self.next = Some(next + limits::REGISTER_EVERY);
        let spared = limits::REGISTER_EVERY * (limits::REGISTERS_AT_ONCE - 1);
        let wait = next.saturating_duration_since(now).saturating_sub(spared);
        (wait > Duration::ZERO).then(|| now + wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_begin_at_once_and_the_others_one_after_the_other() {
        let now = Instant::now();
        let mut turns = Turns::default();
        let at_once = (0..1000).filter(|_| turns.take(now).is_none()).count();
        assert_eq!(at_once, limits::REGISTERS_AT_ONCE as usize);
        let later = 1001 - limits::REGISTERS_AT_ONCE;
        assert_eq!(turns.take(now), Some(now + limits::REGISTER_EVERY * later));
        let rested = now + Duration::from_secs(60);
        assert_eq!((0..1000).filter(|_| turns.take(rested).is_none()).count(), at_once);
    }
}
