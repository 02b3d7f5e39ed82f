//! One call.
//!
//! ```text
//!   out -> setting up --(trunk answered)--> talking --+
//!   in --> ringing -----(visitor answered)-----^      |
//!                 |                                   |
//!                 +---- any end on either leg --------+--> over (one cause, both legs told once)
//! ```

use base::Timers;
use signalling::{CallState, EndCause, Progress};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a browser may take to bring its media up before the call ends.
const MEDIA_WITHIN: Duration = Duration::from_secs(30);
/// How long a visitor's page may ring. Callers and their providers give up before.
const RING_WITHIN: Duration = Duration::from_secs(180);

/// What a call needs to know in advance.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The longest call, counted from the answer.
    pub max_duration: Duration,
}

/// Why a visitor's end went away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisitorEnd {
    /// The visitor pressed the button.
    HungUp,
    /// The browser gave no microphone.
    NoMicrophone,
    /// The browser's media never came up, or broke for good.
    NoMedia,
    /// The page or its network went away.
    Lost,
    /// The visitor does not want to be called.
    Rejected,
}

/// What happens on the legs, in the call's own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LegEvent {
    /// The browser's media is up.
    VisitorConnected,
    /// The visitor takes a call that came in.
    VisitorAnswered,
    /// The visitor's end is over.
    VisitorEnded(VisitorEnd),
    /// The visitor puts the shop on hold, or takes it back.
    VisitorHeld(bool),
    /// The phone rings (180, or another provisional without sound).
    TrunkRinging {
        /// SIP status.
        code: u16,
        /// Whether it ends sound before the answer, so that the page is to ring again.
        again: bool,
    },
    /// The phone's side sends sound before the answer.
    TrunkEarly {
        /// SIP status.
        code: u16,
    },
    /// The phone answered.
    TrunkAnswered,
    /// The trunk leg is over.
    TrunkEnded {
        /// Why.
        cause: EndCause,
        /// SIP status, 0 where there is none.
        code: u16,
    },
    /// Neither side has sent sound for a minute.
    Silent,
    /// The appliance stops or a limit of the shop is reached.
    Stop(EndCause),
}

/// What must be done on the legs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegCommand {
    /// Answer the trunk leg of a call that came in; comes at most once.
    AnswerTrunk,
    /// End the trunk leg (CANCEL, BYE, a refusal); comes at most once, and never after `TrunkEnded`.
    EndTrunk(EndCause),
    /// End the visitor's leg; comes at most once.
    EndVisitor,
}

/// A new state, for the page and the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The state.
    pub state: CallState,
    /// Why, where it is `Ended`.
    pub cause: Option<EndCause>,
    /// SIP status, 0 where there is none.
    pub code: u16,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Timer {
    MaxDuration,
    Media,
    Ring,
}

/// One call's state machine.
#[derive(Debug)]
pub struct Call {
    settings: Settings,
    progress: Progress,
    timers: Timers<Timer>,
    visitor_connected: bool,
    visitor_up: bool,
    trunk_up: bool,
    /// The trunk leg waits for the visitor to answer.
    comes_in: bool,
    cause: Option<EndCause>,
    commands: VecDeque<LegCommand>,
    changes: VecDeque<Change>,
}

impl Call {
    /// A call whose INVITE is on its way.
    pub fn new(now: Instant, settings: Settings) -> Self {
        let mut timers = Timers::default();
        timers.set(Timer::Media, now + MEDIA_WITHIN);
        Call {
            settings,
            progress: Progress::default(),
            timers,
            visitor_connected: false,
            visitor_up: true,
            trunk_up: true,
            comes_in: false,
            cause: None,
            commands: VecDeque::new(),
            changes: VecDeque::new(),
        }
    }

    /// A call that comes in from the trunk and rings at the visitor's page.
    pub fn incoming(now: Instant, settings: Settings) -> Self {
        let mut call = Call { comes_in: true, ..Call::new(now, settings) };
        call.timers.clear(Timer::Media);
        call.timers.set(Timer::Ring, now + RING_WITHIN);
        call.step(CallState::Ringing, 180);
        call
    }

    /// Where the call is.
    pub fn state(&self) -> CallState {
        self.progress.state()
    }

    /// Why it ended; none while it lives.
    pub fn cause(&self) -> Option<EndCause> {
        self.cause
    }

    /// Whether it ended and nothing is left to do.
    pub fn is_over(&self) -> bool {
        self.cause.is_some() && !self.trunk_up && !self.visitor_up && self.commands.is_empty()
    }

    /// Something happened on a leg.
    pub fn handle_event(&mut self, now: Instant, event: LegEvent) {
        match event {
            LegEvent::VisitorConnected => {
                self.visitor_connected = true;
                self.timers.clear(Timer::Media);
            }
            LegEvent::VisitorAnswered => {
                if self.comes_in && self.cause.is_none() && self.state() == CallState::Ringing {
                    self.timers.clear(Timer::Ring);
                    if !self.visitor_connected {
                        self.timers.set(Timer::Media, now + MEDIA_WITHIN);
                    }
                    self.timers.set(Timer::MaxDuration, now + self.settings.max_duration);
                    self.commands.push_back(LegCommand::AnswerTrunk);
                    self.step(CallState::Active, 200);
                }
            }
            LegEvent::VisitorEnded(end) => {
                self.visitor_up = false;
                self.end(self.visitor_cause(end), 0);
            }
            LegEvent::VisitorHeld(on) => {
                let (from, to) = if on {
                    (CallState::Active, CallState::Held)
                } else {
                    (CallState::Held, CallState::Active)
                };
                if self.progress.state() == from {
                    self.step(to, 0);
                }
            }
            // Whoever calls us does not ring, and is answered rather than answers.
            LegEvent::TrunkRinging { .. }
            | LegEvent::TrunkEarly { .. }
            | LegEvent::TrunkAnswered
                if self.comes_in => {}
            LegEvent::TrunkRinging { code, again } => {
                // Else ringing does not silence what is heard already.
                if again || self.state() != CallState::Early {
                    self.step(CallState::Ringing, code);
                }
            }
            LegEvent::TrunkEarly { code } => self.step(CallState::Early, code),
            LegEvent::TrunkAnswered => {
                let answered = matches!(self.state(), CallState::Active | CallState::Held);
                if self.cause.is_none() && !answered {
                    self.timers.set(Timer::MaxDuration, now + self.settings.max_duration);
                    self.step(CallState::Active, 200);
                }
            }
            LegEvent::TrunkEnded { cause, code } => {
                self.trunk_up = false;
                self.commands.retain(|command| !matches!(command, LegCommand::EndTrunk(_)));
                self.end(cause, code);
            }
            LegEvent::Silent => self.end(EndCause::Silence, 0),
            LegEvent::Stop(cause) => self.end(cause, 0),
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(timer) = self.timers.expired(now) {
            match timer {
                Timer::MaxDuration => self.end(EndCause::TooLong, 0),
                Timer::Media if !self.visitor_connected => self.end(EndCause::NoMedia, 0),
                Timer::Media => {}
                Timer::Ring => self.end(EndCause::NoAnswer, 0),
            }
        }
    }

    /// When [`Call::handle_timeout`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// What to do on the legs.
    pub fn poll_command(&mut self) -> Option<LegCommand> {
        self.commands.pop_front()
    }

    /// What to tell the page.
    pub fn poll_change(&mut self) -> Option<Change> {
        self.changes.pop_front()
    }

    fn visitor_cause(&self, end: VisitorEnd) -> EndCause {
        match end {
            VisitorEnd::HungUp if matches!(self.state(), CallState::Active | CallState::Held) => {
                EndCause::VisitorHungUp
            }
            VisitorEnd::HungUp | VisitorEnd::Rejected if self.comes_in => EndCause::Declined,
            VisitorEnd::HungUp | VisitorEnd::Rejected => EndCause::Cancelled,
            VisitorEnd::NoMicrophone => EndCause::NoMicrophone,
            VisitorEnd::NoMedia => EndCause::NoMedia,
            VisitorEnd::Lost => EndCause::VisitorLost,
        }
    }

    fn step(&mut self, state: CallState, code: u16) {
        if self.cause.is_none() && self.progress.step(state) {
            self.changes.push_back(Change { state, cause: None, code });
        }
    }

    /// The first end gives the cause; whichever leg still stands is told once.
    fn end(&mut self, cause: EndCause, code: u16) {
        if self.cause.is_some() {
            return;
        }
        self.cause = Some(cause);
        self.commands.retain(|command| *command != LegCommand::AnswerTrunk);
        self.timers.clear_all();
        self.progress.step(CallState::Ended);
        self.changes.push_back(Change { state: CallState::Ended, cause: Some(cause), code });
        if self.trunk_up {
            self.commands.push_back(LegCommand::EndTrunk(cause));
        }
        if self.visitor_up {
            self.visitor_up = false;
            self.commands.push_back(LegCommand::EndVisitor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn call(now: Instant) -> Call {
        Call::new(now, Settings { max_duration: MINUTE })
    }

    fn states(call: &mut Call) -> Vec<CallState> {
        std::iter::from_fn(|| call.poll_change()).map(|change| change.state).collect()
    }

    fn commands(call: &mut Call) -> Vec<LegCommand> {
        std::iter::from_fn(|| call.poll_command()).collect()
    }

    #[test]
    fn an_answered_call_that_the_visitor_ends_hangs_the_trunk_up_once() {
        let now = Instant::now();
        let mut call = call(now);
        for event in [
            LegEvent::TrunkRinging { code: 180, again: false },
            LegEvent::VisitorConnected,
            LegEvent::TrunkAnswered,
            LegEvent::VisitorEnded(VisitorEnd::HungUp),
            LegEvent::VisitorEnded(VisitorEnd::Lost),
        ] {
            call.handle_event(now, event);
        }
        use CallState::{Active, Ended, Ringing};
        assert_eq!(states(&mut call), [Ringing, Active, Ended]);
        assert_eq!(commands(&mut call), [LegCommand::EndTrunk(EndCause::VisitorHungUp)]);
        assert!(!call.is_over());
        call.handle_event(now, LegEvent::TrunkEnded { cause: EndCause::ShopHungUp, code: 0 });
        assert!(call.is_over());
        assert_eq!(call.cause(), Some(EndCause::VisitorHungUp));
    }

    #[test]
    fn only_an_answered_call_is_held_and_a_held_one_is_resumed() {
        let now = Instant::now();
        let mut call = call(now);
        call.handle_event(now, LegEvent::VisitorHeld(true));
        call.handle_event(now, LegEvent::TrunkAnswered);
        call.handle_event(now, LegEvent::VisitorHeld(false));
        call.handle_event(now, LegEvent::VisitorHeld(true));
        call.handle_event(now, LegEvent::VisitorHeld(true));
        call.handle_event(now, LegEvent::TrunkAnswered);
        call.handle_event(now, LegEvent::VisitorHeld(false));
        use CallState::{Active, Held};
        assert_eq!(states(&mut call), [Active, Held, Active]);
    }

    #[test]
    fn a_visitor_who_hangs_up_a_held_call_has_hung_up() {
        let now = Instant::now();
        let mut call = call(now);
        call.handle_event(now, LegEvent::TrunkAnswered);
        call.handle_event(now, LegEvent::VisitorHeld(true));
        call.handle_event(now, LegEvent::VisitorEnded(VisitorEnd::HungUp));
        assert_eq!(call.cause(), Some(EndCause::VisitorHungUp));
    }

    #[test]
    fn a_call_that_comes_in_rings_at_the_page_and_is_answered_once() {
        let now = Instant::now();
        let mut call = Call::incoming(now, Settings { max_duration: MINUTE });
        call.handle_event(now, LegEvent::TrunkAnswered);
        call.handle_event(now, LegEvent::VisitorAnswered);
        call.handle_event(now, LegEvent::VisitorAnswered);
        call.handle_event(now, LegEvent::VisitorConnected);
        use CallState::{Active, Ended, Ringing};
        assert_eq!(states(&mut call), [Ringing, Active]);
        assert_eq!(commands(&mut call), [LegCommand::AnswerTrunk]);
        call.handle_timeout(now + MINUTE);
        assert_eq!(states(&mut call), [Ended]);
        assert_eq!(call.cause(), Some(EndCause::TooLong));
    }

    #[test]
    fn a_call_that_comes_in_is_declined_taken_back_or_left_ringing() {
        let now = Instant::now();
        let incoming = || Call::incoming(now, Settings { max_duration: MINUTE });
        let mut declined = incoming();
        declined.handle_event(now, LegEvent::VisitorEnded(VisitorEnd::Rejected));
        assert_eq!(commands(&mut declined), [LegCommand::EndTrunk(EndCause::Declined)]);
        let mut taken_back = incoming();
        taken_back.handle_event(now, LegEvent::TrunkEnded { cause: EndCause::Cancelled, code: 0 });
        assert_eq!(commands(&mut taken_back), [LegCommand::EndVisitor]);
        assert!(taken_back.is_over());
        let mut left = incoming();
        assert_eq!(left.poll_timeout(), Some(now + RING_WITHIN));
        left.handle_timeout(now + RING_WITHIN);
        let end = [LegCommand::EndTrunk(EndCause::NoAnswer), LegCommand::EndVisitor];
        assert_eq!(commands(&mut left), end);
    }

    #[test]
    fn a_refused_microphone_cancels_the_invite() {
        let now = Instant::now();
        let mut call = call(now);
        call.handle_event(now, LegEvent::VisitorEnded(VisitorEnd::NoMicrophone));
        assert_eq!(commands(&mut call), [LegCommand::EndTrunk(EndCause::NoMicrophone)]);
    }

    #[test]
    fn giving_up_before_the_answer_is_a_cancelled_call() {
        let now = Instant::now();
        let mut call = call(now);
        call.handle_event(now, LegEvent::TrunkRinging { code: 180, again: false });
        call.handle_event(now, LegEvent::VisitorEnded(VisitorEnd::HungUp));
        assert_eq!(call.cause(), Some(EndCause::Cancelled));
    }

    #[test]
    fn a_busy_phone_ends_the_visitors_leg_with_that_cause() {
        let now = Instant::now();
        let mut call = call(now);
        call.handle_event(now, LegEvent::TrunkEnded { cause: EndCause::Busy, code: 486 });
        assert_eq!(commands(&mut call), [LegCommand::EndVisitor]);
        let change = call.poll_change().expect("a change");
        assert_eq!((change.cause, change.code), (Some(EndCause::Busy), 486));
        assert!(call.is_over());
    }

    #[test]
    fn the_longest_call_is_counted_from_the_answer() {
        let now = Instant::now();
        let mut call = call(now);
        call.handle_event(now, LegEvent::VisitorConnected);
        call.handle_timeout(now + MINUTE * 5);
        assert_eq!(call.cause(), None);
        call.handle_event(now + MINUTE * 5, LegEvent::TrunkAnswered);
        assert_eq!(call.poll_timeout(), Some(now + MINUTE * 6));
        call.handle_timeout(now + MINUTE * 6);
        assert_eq!(call.cause(), Some(EndCause::TooLong));
        assert_eq!(call.poll_timeout(), None);
    }

    #[test]
    fn a_browser_whose_media_never_comes_up_ends_the_call() {
        let now = Instant::now();
        let mut call = call(now);
        call.handle_event(now, LegEvent::TrunkAnswered);
        call.handle_timeout(now + MEDIA_WITHIN);
        assert_eq!(call.cause(), Some(EndCause::NoMedia));
    }

    /// Random events in random order: one cause, one end, each leg told at most once, no timer left.
    #[test]
    fn whatever_happens_a_call_has_one_cause_and_tells_each_leg_at_most_once() {
        for number in 0..2000 {
            let mut seed = base::Seed::from_number(number);
            let mut now = Instant::now();
            let mut call = match number % 2 {
                0 => call(now),
                _ => Call::incoming(now, Settings { max_duration: MINUTE }),
            };
            let (mut seen, mut told, mut trunk_ended) = (Vec::new(), Vec::new(), false);
            for _ in 0..30 {
                now += Duration::from_millis(seed.below(20_000));
                call.handle_timeout(now);
                let event = match seed.below(13) {
                    0 => LegEvent::VisitorConnected,
                    1 => LegEvent::TrunkRinging { code: 180, again: number % 3 == 0 },
                    2 => LegEvent::TrunkEarly { code: 183 },
                    3 => LegEvent::TrunkAnswered,
                    4 => LegEvent::VisitorEnded(VisitorEnd::HungUp),
                    5 => LegEvent::Silent,
                    6 => LegEvent::Stop(EndCause::Stopped),
                    7 => LegEvent::VisitorEnded(VisitorEnd::Lost),
                    8 => LegEvent::VisitorHeld(true),
                    9 => LegEvent::VisitorHeld(false),
                    10 => LegEvent::VisitorAnswered,
                    11 => LegEvent::VisitorEnded(VisitorEnd::Rejected),
                    _ => LegEvent::TrunkEnded { cause: EndCause::Busy, code: 486 },
                };
                trunk_ended |= matches!(event, LegEvent::TrunkEnded { .. });
                call.handle_event(now, event);
                seen.extend(states(&mut call));
                for command in commands(&mut call) {
                    let to_trunk = matches!(command, LegCommand::EndTrunk(_));
                    assert!(!to_trunk || !trunk_ended, "seed {number}: trunk told after its end");
                    told.push(command);
                }
                let ends = seen.iter().filter(|state| **state == CallState::Ended).count();
                assert_eq!(ends, usize::from(call.cause().is_some()), "seed {number}");
                assert!(call.cause().is_none() || call.poll_timeout().is_none());
            }
            let to_trunk = told.iter().filter(|c| matches!(c, LegCommand::EndTrunk(_))).count();
            let answers = told.iter().filter(|c| **c == LegCommand::AnswerTrunk).count();
            assert!(answers <= 1, "seed {number}: {told:?}");
            let to_visitor = told.iter().filter(|c| **c == LegCommand::EndVisitor).count();
            assert!(to_trunk <= 1 && to_visitor <= 1, "seed {number}: {told:?}");
        }
    }
}
