//! The calls of a link as the page knows them.

use signalling::{CallState, Direction, Progress, limits};
use std::time::Duration;

/// One call that is not over.
#[derive(Debug)]
pub(super) struct Call {
    number: u32,
    pub(super) direction: Direction,
    progress: Progress,
    /// Until when the server must have answered the offer; none once it has.
    answer_by: Option<Duration>,
    pub(super) video: bool,
}

impl Call {
    /// Whether somebody has picked up.
    pub(super) fn was_answered(&self) -> bool {
        matches!(self.progress.state(), CallState::Active | CallState::Held)
    }

    /// Whether it has come in and was not answered.
    pub(super) fn rings_here(&self) -> bool {
        self.direction == Direction::In && self.progress.state() == CallState::Ringing
    }
}

/// All living calls: at most [`limits::CALLS_PER_LINK`] that the page makes, and as many that come in.
#[derive(Debug, Default)]
pub(super) struct Calls {
    last: u32,
    living: Vec<Call>,
}

impl Calls {
    /// Numbers are never used twice, not even on a new link.
    pub(super) fn start(&mut self, answer_by: Duration) -> u32 {
        self.last = self.last % (limits::FIRST_INCOMING - 1) + 1;
        let (number, progress) = (self.last, Progress::default());
        let (direction, answer_by) = (Direction::Out, Some(answer_by));
        self.living.push(Call { number, direction, progress, answer_by, video: false });
        number
    }

    /// The server says that a call comes in; false where there is no room for it.
    fn come_in(&mut self, number: u32) -> bool {
        let came = self.living.iter().filter(|call| call.direction == Direction::In).count();
        let room = came < limits::CALLS_PER_LINK;
        if room {
            let (direction, progress) = (Direction::In, Progress::default());
            self.living.push(Call { number, direction, progress, answer_by: None, video: false });
        }
        room
    }

    /// The page takes a call that came in; false where none of this number rings, or it has been
    /// taken already.
    pub(super) fn take(&mut self, number: u32, answer_by: Duration) -> bool {
        let rings = |call: &&mut Call| call.rings_here() && call.answer_by.is_none();
        let found = self.find_mut(number).filter(rings);
        found.map(|call| call.answer_by = Some(answer_by)).is_some()
    }

    pub(super) fn find(&self, number: u32) -> Option<&Call> {
        self.living.iter().find(|call| call.number == number)
    }

    fn find_mut(&mut self, number: u32) -> Option<&mut Call> {
        self.living.iter_mut().find(|call| call.number == number)
    }

    pub(super) fn remove(&mut self, number: u32) -> Option<Call> {
        let at = self.living.iter().position(|call| call.number == number)?;
        Some(self.living.swap_remove(at))
    }

    pub(super) fn len(&self) -> usize {
        self.living.len()
    }

    pub(super) fn numbers(&self) -> Vec<u32> {
        self.living.iter().map(|call| call.number).collect()
    }

    /// The server answered an offer; false for a call that is over.
    pub(super) fn answered(&mut self, number: u32) -> bool {
        self.find_mut(number).map(|call| call.answer_by = None).is_some()
    }

    /// The server says that a call's state changed; false where it did not. The first word of a call
    /// that comes in is that it rings.
    pub(super) fn step(&mut self, number: u32, to: CallState) -> bool {
        let comes_in = number >= limits::FIRST_INCOMING && to == CallState::Ringing;
        if comes_in && self.find(number).is_none() && !self.come_in(number) {
            return false;
        }
        let Some(call) = self.find_mut(number) else { return false };
        let stepped = call.progress.step(to);
        if call.progress.is_over() {
            self.remove(number);
        }
        stepped
    }

    /// Calls whose offer has waited too long.
    pub(super) fn unanswered(&self, now: Duration) -> Vec<u32> {
        let is_late = |call: &&Call| call.answer_by.is_some_and(|by| now >= by);
        self.living.iter().filter(is_late).map(|call| call.number).collect()
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        self.living.iter().filter_map(|call| call.answer_by).min()
    }
}
