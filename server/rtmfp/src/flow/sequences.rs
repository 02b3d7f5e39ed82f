//! The set of fragment sequence numbers that were seen.

use std::ops::RangeInclusive;

/// Sequence numbers seen in a receiving flow (SEQUENCE_SET of RFC 7016, 3.6.3): everything up to
/// a cumulative number, and a bounded number of ranges beyond it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sequences {
    cumulative: u64,
    /// Ascending, inclusive, not touching each other nor the cumulative number.
    ranges: Vec<(u64, u64)>,
    most: usize,
}

impl Sequences {
    /// The set that holds only 0, with room for `most` ranges.
    pub(crate) fn new(most: usize) -> Self {
        Sequences { cumulative: 0, ranges: Vec::new(), most }
    }

    /// The highest number of the contiguous range that starts with 0.
    pub(crate) fn cumulative(&self) -> u64 {
        self.cumulative
    }

    /// The ranges beyond the cumulative number, ascending.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = (u64, u64)> + Clone + '_ {
        self.ranges.iter().copied()
    }

    /// Whether numbers are missing below the highest.
    pub(crate) fn has_gaps(&self) -> bool {
        !self.ranges.is_empty()
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        number <= self.cumulative
            || self.ranges.iter().any(|&(from, to)| (from..=to).contains(&number))
    }

    /// How many numbers of `span` are in the set.
    pub(crate) fn count_in(&self, span: RangeInclusive<u64>) -> u64 {
        let overlap = |from: u64, to: u64| {
            let (from, to) = (from.max(*span.start()), to.min(*span.end()));
            if from > to { 0 } else { to - from + 1 }
        };
        let beyond: u64 = self.ranges().map(|(from, to)| overlap(from, to)).sum();
        beyond + overlap(0, self.cumulative)
    }

    /// Whether `number` can be added without exceeding the bound.
    pub(crate) fn has_room_for(&self, number: u64) -> bool {
        self.ranges.len() < self.most
            || number <= self.cumulative.saturating_add(1)
            || self.ranges.iter().any(|&(from, to)| {
                (from.saturating_sub(1)..=to.saturating_add(1)).contains(&number)
            })
    }

    /// Adds everything up to and including `number`.
    pub(crate) fn insert_up_to(&mut self, number: u64) {
        self.cumulative = self.cumulative.max(number);
        self.absorb();
    }

    /// Adds one number; false when there is no room for it.
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        if self.contains(number) {
            return true;
        }
        if !self.has_room_for(number) {
            return false;
        }
        if number == self.cumulative + 1 {
            self.insert_up_to(number);
            return true;
        }
        let at = self.ranges.partition_point(|range| range.0 < number);
        let joins_before =
            at.checked_sub(1).and_then(|at| self.ranges.get(at)).is_some_and(|r| r.1 + 1 == number);
        let joins_after = self.ranges.get(at).is_some_and(|range| range.0 == number + 1);
        match (joins_before, joins_after) {
            (true, true) => {
                let end = self.ranges.remove(at).1;
                self.ranges[at - 1].1 = end;
            }
            (true, false) => self.ranges[at - 1].1 = number,
            (false, true) => self.ranges[at].0 = number,
            (false, false) => self.ranges.insert(at, (number, number)),
        }
        true
    }

    /// Moves the cumulative number over the ranges that touch it.
    fn absorb(&mut self) {
        let mut absorbed = 0;
        for &(from, to) in &self.ranges {
            if from > self.cumulative + 1 {
                break;
            }
            self.cumulative = self.cumulative.max(to);
            absorbed += 1;
        }
        self.ranges.drain(..absorbed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use base::Seed;
    use std::collections::BTreeSet;

    #[test]
    fn ranges_join_when_what_is_between_them_arrives() {
        let mut set = Sequences::new(8);
        for number in [1, 2, 5, 4, 9, 7] {
            assert!(set.insert(number));
        }
        assert_eq!(set.cumulative(), 2);
        assert_eq!(set.ranges().collect::<Vec<_>>(), [(4, 5), (7, 7), (9, 9)]);
        set.insert(8);
        assert_eq!(set.ranges().collect::<Vec<_>>(), [(4, 5), (7, 9)]);
        set.insert_up_to(6);
        assert_eq!((set.cumulative(), set.has_gaps()), (9, false));
    }

    #[test]
    fn a_number_beyond_the_bound_is_refused_and_one_that_joins_is_not() {
        let mut set = Sequences::new(2);
        assert!(set.insert(3) && set.insert(5));
        assert!(!set.insert(9));
        assert!(set.insert(4) && set.insert(9) && set.insert(1));
        assert_eq!((set.cumulative(), set.contains(9), set.contains(2)), (1, true, false));
    }

    #[test]
    fn the_set_agrees_with_a_set_of_single_numbers() {
        for seed in 0..200 {
            let mut seed = Seed::from_number(seed);
            let mut set = Sequences::new(usize::MAX);
            let mut model = BTreeSet::from([0]);
            for _ in 0..60 {
                let number = seed.below(50);
                if seed.below(8) == 0 {
                    set.insert_up_to(number / 2);
                    model.extend(0..=number / 2);
                } else {
                    set.insert(number);
                    model.insert(number);
                }
                let cumulative = (0..).find(|n| !model.contains(&(n + 1))).unwrap();
                assert_eq!(set.cumulative(), cumulative);
                assert!((0..60).all(|n| set.contains(n) == model.contains(&n)));
                assert_eq!(set.count_in(10..=30), model.range(10..=30).count() as u64);
            }
        }
    }
}
