//! Which calls of Flash clients are each other's far end, and how their direct streams do.

use base::CallId;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How long two clients may take to hear each other directly. A path that needs longer is none.
const HEAR_WITHIN: Duration = Duration::from_secs(10);

/// Where the direct streams of two clients stand.
///
/// ```text
///   join        both hear
///   ----> Offered -------> Direct
///            |                |  one hears no more
///            |  10 s, or one  v
///            +------------> Bridged        part: from everywhere, out of the table
/// ```
///
/// What failed once is not tried again for as long as the two stay together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Both were told where the other is; sound goes through us.
    Offered { hears: [bool; 2], until: Instant },
    /// Sound goes directly.
    Direct,
    /// Sound goes through us, and that stays so.
    Bridged,
}

/// What both clients of a pair are to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Try it directly.
    Offered,
    /// Sound goes directly from now on.
    Direct,
    /// Sound goes through us from now on.
    Bridged,
}

#[derive(Debug)]
struct Pair {
    ends: [CallId; 2],
    state: State,
}

/// The pairs of one shard: as many as half its calls at most. A call is in one pair or in none.
#[derive(Debug, Default)]
pub struct Pairs {
    /// By the call that is older.
    table: BTreeMap<CallId, Pair>,
    /// The table's key for each call.
    by_call: BTreeMap<CallId, CallId>,
    deadlines: BTreeSet<(Instant, CallId)>,
}

impl Pairs {
    /// Two calls are each other's far end; both must be free. To be told to both: `Offered`.
    pub fn join(&mut self, now: Instant, one: CallId, other: CallId) -> bool {
        let free = |id: &CallId| !self.by_call.contains_key(id);
        if one == other || !free(&one) || !free(&other) {
            return false;
        }
        let (ends, until) = ([one.min(other), one.max(other)], now + HEAR_WITHIN);
        for end in ends {
            self.by_call.insert(end, ends[0]);
        }
        self.deadlines.insert((until, ends[0]));
        let state = State::Offered { hears: [false; 2], until };
        self.table.insert(ends[0], Pair { ends, state });
        true
    }

    /// The far end of a call that is in a pair.
    pub fn partner(&self, id: CallId) -> Option<CallId> {
        let pair = self.table.get(self.by_call.get(&id)?)?;
        pair.ends.into_iter().find(|end| *end != id)
    }

    /// Whether the sound of a call goes directly.
    #[cfg(test)]
    pub fn is_direct(&self, id: CallId) -> bool {
        let pair = self.by_call.get(&id).and_then(|key| self.table.get(key));
        pair.is_some_and(|pair| pair.state == State::Direct)
    }

    /// The client of a call hears its partner directly, or not any more. What both are to be told,
    /// if anything.
    pub fn heard(&mut self, id: CallId, on: bool) -> Option<Way> {
        let key = *self.by_call.get(&id)?;
        let pair = self.table.get_mut(&key)?;
        match (&mut pair.state, on) {
            (State::Offered { hears, until }, true) => {
                let hearer = pair.ends.iter().zip(hears.iter_mut()).find(|(end, _)| **end == id)?;
                *hearer.1 = true;
                if *hears != [true; 2] {
                    return None;
                }
                self.deadlines.remove(&(*until, key));
                pair.state = State::Direct;
                Some(Way::Direct)
            }
            (State::Offered { until, .. }, false) => {
                self.deadlines.remove(&(*until, key));
                pair.state = State::Bridged;
                Some(Way::Bridged)
            }
            (State::Direct, false) => {
                pair.state = State::Bridged;
                Some(Way::Bridged)
            }
            (State::Direct, true) | (State::Bridged, _) => None,
        }
    }

    /// A call is not its partner's far end any more. The partner; to be told to both: `Bridged`.
    pub fn part(&mut self, id: CallId) -> Option<CallId> {
        let partner = self.partner(id)?;
        let key = self.by_call.remove(&id)?;
        self.by_call.remove(&partner);
        if let State::Offered { until, .. } = self.table.remove(&key)?.state {
            self.deadlines.remove(&(until, key));
        }
        Some(partner)
    }

    /// The next pair that has taken too long: to be told to both: `Bridged`.
    pub fn expired(&mut self, now: Instant) -> Option<[CallId; 2]> {
        let (_, key) = *self.deadlines.first().filter(|(at, _)| *at <= now)?;
        self.deadlines.pop_first();
        let pair = self.table.get_mut(&key)?;
        pair.state = State::Bridged;
        Some(pair.ends)
    }

    /// When the next pair will have taken too long.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// All calls that are in pairs.
    #[cfg(test)]
    pub fn calls(&self) -> impl Iterator<Item = CallId> {
        self.by_call.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: CallId = CallId(7);
    const B: CallId = CallId(3);
    const C: CallId = CallId(5);

    fn joined(now: Instant) -> Pairs {
        let mut pairs = Pairs::default();
        assert!(pairs.join(now, A, B));
        pairs
    }

    #[test]
    fn sound_goes_directly_once_both_have_heard_each_other() {
        let now = Instant::now();
        let mut pairs = joined(now);
        assert_eq!(
            (pairs.partner(A), pairs.partner(B), pairs.partner(C)),
            (Some(B), Some(A), None)
        );
        assert_eq!(
            (pairs.heard(A, true), pairs.heard(A, true)),
            (None, None),
            "one alone is not both"
        );
        assert!(!pairs.is_direct(A));
        assert_eq!(pairs.heard(B, true), Some(Way::Direct));
        assert!(pairs.is_direct(A) && pairs.is_direct(B));
        assert_eq!((pairs.poll_timeout(), pairs.expired(now + HEAR_WITHIN * 2)), (None, None));
    }

    #[test]
    fn one_that_hears_nothing_brings_both_back_for_good() {
        let now = Instant::now();
        for before in [&[][..], &[A], &[A, B]] {
            let mut pairs = joined(now);
            for id in before {
                pairs.heard(*id, true);
            }
            assert_eq!(pairs.heard(B, false), Some(Way::Bridged));
            assert!(!pairs.is_direct(A));
            for id in [A, B] {
                assert_eq!((pairs.heard(id, true), pairs.heard(id, false)), (None, None));
            }
            assert_eq!(pairs.poll_timeout(), None);
        }
    }

    #[test]
    fn a_path_that_only_one_way_can_be_heard_on_is_given_up_in_time() {
        let now = Instant::now();
        let mut pairs = joined(now);
        pairs.heard(A, true);
        assert_eq!(pairs.poll_timeout(), Some(now + HEAR_WITHIN));
        assert_eq!(pairs.expired(now + HEAR_WITHIN - Duration::from_millis(1)), None);
        assert_eq!(pairs.expired(now + HEAR_WITHIN), Some([B, A]));
        assert_eq!((pairs.expired(now + HEAR_WITHIN), pairs.heard(B, true)), (None, None));
    }

    #[test]
    fn a_call_is_in_one_pair_at_most_and_free_again_after_it() {
        let now = Instant::now();
        let mut pairs = joined(now);
        assert!(!pairs.join(now, C, A) && !pairs.join(now, B, C) && !pairs.join(now, C, C));
        assert_eq!((pairs.part(A), pairs.part(A), pairs.part(B)), (Some(B), None, None));
        assert_eq!((pairs.heard(B, true), pairs.poll_timeout()), (None, None));
        assert!(pairs.join(now, B, C));
        assert_eq!(pairs.partner(C), Some(B));
    }
}
