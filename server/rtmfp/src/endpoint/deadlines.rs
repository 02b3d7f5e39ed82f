//! The deadlines of many sessions, the soonest at hand, without allocating once there is room.

use super::types::SessionId;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Instant;

/// At most one deadline for each session.
#[derive(Debug, Default)]
pub(crate) struct Deadlines {
    /// Entries that [`Deadlines::at`] does not confirm are left over; none of them is on top.
    heap: BinaryHeap<Reverse<(Instant, SessionId)>>,
    at: HashMap<SessionId, Instant>,
}

impl Deadlines {
    /// The deadline of a session.
    pub(crate) fn at(&self, id: SessionId) -> Option<Instant> {
        self.at.get(&id).copied()
    }

    /// Sets, moves or (with `None`) forgets a deadline.
    pub(crate) fn set(&mut self, id: SessionId, at: Option<Instant>) {
        let before = match at {
            Some(at) => self.at.insert(id, at),
            None => self.at.remove(&id),
        };
        if before == at {
            return;
        }
        if let Some(at) = at {
            self.heap.push(Reverse((at, id)));
        }
        if self.heap.len() > 4 * self.at.len() + 64 {
            let known = &self.at;
            self.heap.retain(|Reverse((at, id))| known.get(id) == Some(at));
        }
        self.prune();
    }

    fn prune(&mut self) {
        while let Some(Reverse((at, id))) = self.heap.peek()
            && self.at.get(id) != Some(at)
        {
            self.heap.pop();
        }
    }

    /// The soonest deadline.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// Takes out the session whose deadline came first, if it has come.
    pub(crate) fn expired(&mut self, now: Instant) -> Option<SessionId> {
        let Reverse((at, id)) = *self.heap.peek()?;
        if at > now {
            return None;
        }
        self.set(id, None);
        Some(id)
    }

    /// The sessions that have one.
    pub(crate) fn ids(&self) -> impl Iterator<Item = SessionId> + '_ {
        self.at.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_moved_deadline_expires_once_and_at_its_new_time() {
        let start = Instant::now();
        let at = |seconds| Some(start + Duration::from_secs(seconds));
        let (a, b, c) = (SessionId(1), SessionId(2), SessionId(3));
        let mut deadlines = Deadlines::default();
        deadlines.set(a, at(1));
        deadlines.set(b, at(2));
        deadlines.set(a, at(3));
        deadlines.set(c, at(0));
        deadlines.set(c, None);
        assert_eq!((deadlines.next(), deadlines.at(a), deadlines.at(c)), (at(2), at(3), None));
        assert_eq!(deadlines.expired(start + Duration::from_secs(1)), None);
        let late = start + Duration::from_secs(9);
        assert_eq!([deadlines.expired(late), deadlines.expired(late)], [Some(b), Some(a)]);
        assert_eq!((deadlines.expired(late), deadlines.next()), (None, None));
    }

    #[test]
    fn deadlines_that_move_without_end_take_no_room_without_end() {
        let start = Instant::now();
        let mut deadlines = Deadlines::default();
        deadlines.set(SessionId(1), Some(start));
        for millis in (1..10_000).rev() {
            deadlines.set(SessionId(2), Some(start + Duration::from_millis(millis)));
        }
        assert!(deadlines.heap.len() <= 72, "{}", deadlines.heap.len());
        assert_eq!(deadlines.next(), Some(start));
    }
}
