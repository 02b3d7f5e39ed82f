//! The deadlines of many owners, the soonest at hand.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Instant;

/// At most one deadline for each key, in the order of time. Owners with several timers keep those
/// themselves and enter the soonest here.
#[derive(Debug)]
pub(crate) struct Deadlines<K> {
    order: BTreeSet<(Instant, K)>,
    at: HashMap<K, Instant>,
}

impl<K: Copy + Ord + Hash> Deadlines<K> {
    /// No deadlines.
    pub(crate) fn new() -> Self {
        Deadlines { order: BTreeSet::new(), at: HashMap::new() }
    }

    /// Sets, moves or (with `None`) forgets the deadline of `key`.
    pub(crate) fn set(&mut self, key: K, at: Option<Instant>) {
        let old = match at {
            Some(at) => self.at.insert(key, at),
            None => self.at.remove(&key),
        };
        if old == at {
            return;
        }
        if let Some(old) = old {
            self.order.remove(&(old, key));
        }
        if let Some(at) = at {
            self.order.insert((at, key));
        }
    }

    /// The soonest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.order.first().map(|entry| entry.0)
    }

    /// Takes out the owner whose deadline came first, if it has come.
    pub(crate) fn expired(&mut self, now: Instant) -> Option<K> {
        let &(at, key) = self.order.first()?;
        if at > now {
            return None;
        }
        self.order.pop_first();
        self.at.remove(&key);
        Some(key)
    }

    /// Every key with a deadline, for the check that each has an owner.
    pub(crate) fn keys(&self) -> impl Iterator<Item = K> + '_ {
        self.order.iter().map(|entry| entry.1)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_moved_deadline_expires_once_and_at_its_new_time() {
        let start = Instant::now();
        let second = Duration::from_secs(1);
        let mut deadlines = Deadlines::new();
        deadlines.set('a', Some(start + second));
        deadlines.set('b', Some(start + second * 2));
        deadlines.set('a', Some(start + second * 3));
        deadlines.set('c', Some(start));
        deadlines.set('c', None);
        assert_eq!(deadlines.next(), Some(start + second * 2));
        assert_eq!(deadlines.expired(start + second), None);
        let late = start + second * 9;
        assert_eq!([deadlines.expired(late), deadlines.expired(late)], [Some('b'), Some('a')]);
        assert_eq!((deadlines.expired(late), deadlines.next()), (None, None));
        assert_eq!(deadlines.keys().count(), 0);
    }
}
