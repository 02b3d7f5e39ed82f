//! A small table of named deadlines.

use std::time::Instant;

/// Named deadlines of one machine: at most one for each key. Meant for a handful of keys, so it
/// is a sorted list and not a heap.
#[derive(Clone, Debug)]
pub struct Timers<K> {
    slots: Vec<(K, Instant)>,
}

impl<K> Default for Timers<K> {
    fn default() -> Self {
        Timers { slots: Vec::new() }
    }
}

impl<K: Copy + PartialEq> Timers<K> {
    /// Sets or moves the deadline of `key`.
    pub fn set(&mut self, key: K, at: Instant) {
        match self.slots.iter_mut().find(|slot| slot.0 == key) {
            Some(slot) => slot.1 = at,
            None => self.slots.push((key, at)),
        }
    }

    /// Forgets the deadline of `key`.
    pub fn clear(&mut self, key: K) {
        self.slots.retain(|slot| slot.0 != key);
    }

    /// Forgets every deadline.
    pub fn clear_all(&mut self) {
        self.slots.clear();
    }

    /// The deadline of `key`, if one is set.
    pub fn at(&self, key: K) -> Option<Instant> {
        self.slots.iter().find(|slot| slot.0 == key).map(|slot| slot.1)
    }

    /// The soonest deadline.
    pub fn next(&self) -> Option<Instant> {
        self.slots.iter().map(|slot| slot.1).min()
    }

    /// Takes out one key whose deadline has come, the earliest first.
    pub fn expired(&mut self, now: Instant) -> Option<K> {
        let (index, _) = self
            .slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.1 <= now)
            .min_by_key(|(_, slot)| slot.1)?;
        Some(self.slots.remove(index).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn deadlines_expire_in_their_order_and_once() {
        let start = Instant::now();
        let mut timers = Timers::default();
        timers.set('b', start + Duration::from_secs(2));
        timers.set('a', start + Duration::from_secs(1));
        timers.set('c', start + Duration::from_secs(9));
        timers.set('c', start + Duration::from_secs(3));
        timers.set('d', start);
        timers.clear('d');
        assert_eq!(timers.next(), Some(start + Duration::from_secs(1)));
        let later = start + Duration::from_secs(5);
        let order: Vec<_> = std::iter::from_fn(|| timers.expired(later)).collect();
        assert_eq!(order, ['a', 'b', 'c']);
        assert_eq!(timers.next(), None);
    }
}
