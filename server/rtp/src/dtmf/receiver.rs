//! Telephone events in, digits out: exactly one digit for each event.

use super::{Digit, Payload, digit_of};
use crate::numbers::EVENT_LOST_AFTER;
use std::time::{Duration, Instant};

/// ```text
///            first packet of an event             end, or silence, or
///   Idle -------------------------------> Active  another event begins
///    ^                                      |        (a digit comes out)
///    +--------------------------------------+
///   "done" remembers the time of the last event: its repeats and stragglers fall on it
/// ```
#[derive(Debug)]
enum State {
    Idle,
    Active(Active),
}

/// An event whose end did not come yet.
#[derive(Clone, Copy, Debug)]
struct Active {
    event: u8,
    /// The timestamp of this segment, and how long it was by its newest packet.
    timestamp: u32,
    duration: u16,
    /// Units of the segments before (RFC 4733 section 2.5.1.3).
    before: u32,
    clock_rate: u32,
    heard_at: Instant,
}

impl Active {
    fn digit(&self) -> Option<Digit> {
        let units = u64::from(self.before) + u64::from(self.duration);
        let duration_ms = (units * 1000).checked_div(self.clock_rate.into()).unwrap_or(0);
        let duration_ms = u32::try_from(duration_ms).unwrap_or(u32::MAX);
        digit_of(self.event).map(|digit| Digit { digit, duration_ms })
    }

    /// Whether a packet goes on with this event in a new segment: the segment before was full but
    /// for what a loss at its end may hide.
    fn is_continued_by(&self, payload: Payload, timestamp: u32, marker: bool) -> bool {
        let slack = self.clock_rate / 5;
        let full = u32::from(u16::MAX);
        let step = timestamp.wrapping_sub(self.timestamp);
        payload.event == self.event
            && !marker
            && u32::from(self.duration) + slack >= full
            && (u32::from(self.duration)..=full).contains(&step)
    }
}

/// The receiving half of telephone events.
#[derive(Debug)]
pub struct Receiver {
    state: State,
    /// The timestamp of the newest event that is over, and when it was last heard.
    done: Option<(u32, Instant)>,
    /// A second digit of one packet: the lost end of one event, and the next event.
    waiting: Option<Digit>,
}

impl Default for Receiver {
    fn default() -> Self {
        Receiver::new()
    }
}

/// How long an event that is over shuts out older timestamps; a source that restarts its time line
/// is heard again after that.
const DONE_FOR: Duration = Duration::from_secs(5);

impl Receiver {
    /// A receiver that waits for its first event.
    pub fn new() -> Receiver {
        Receiver { state: State::Idle, done: None, waiting: None }
    }

    /// Takes one packet's payload with its RTP timestamp and marker bit; `clock_rate` in Hz is the
    /// one of its payload type. Returns a digit whose event is over. Call [`Receiver::poll`]
    /// afterwards: one packet may end two events.
    pub fn handle(
        &mut self,
        now: Instant,
        payload: &[u8],
        timestamp: u32,
        marker: bool,
        clock_rate: u32,
    ) -> Option<Digit> {
        let lost = self.poll(now);
        let Some(payload) = Payload::parse(payload) else { return lost };
        if digit_of(payload.event).is_none() || self.is_over(now, timestamp) {
            return lost;
        }
        let (lost, active) = match self.state {
            State::Idle => (lost, None),
            State::Active(active) if active.timestamp == timestamp => (lost, Some(active)),
            State::Active(active) if active.is_continued_by(payload, timestamp, marker) => {
                let step = timestamp.wrapping_sub(active.timestamp);
                let before = active.before.saturating_add(step);
                (lost, Some(Active { timestamp, duration: 0, before, ..active }))
            }
            // A straggler of a segment or an event before.
            State::Active(active) if timestamp.wrapping_sub(active.timestamp) as i32 <= 0 => {
                return lost;
            }
            // The end of the active event got lost. `poll` took a silent one already, so this
            // digit and that of `poll` never meet.
            State::Active(active) => (active.digit(), None),
        };
        let mut active = active.unwrap_or(Active {
            event: payload.event,
            timestamp,
            duration: 0,
            before: 0,
            clock_rate,
            heard_at: now,
        });
        active.heard_at = now;
        active.duration = active.duration.max(payload.duration);
        if !payload.end {
            self.state = State::Active(active);
            return lost;
        }
        self.state = State::Idle;
        self.done = Some((timestamp, now));
        match lost {
            None => active.digit(),
            Some(_) => {
                self.waiting = active.digit();
                lost
            }
        }
    }

    /// A digit that waits, or whose packets stopped without an end.
    pub fn poll(&mut self, now: Instant) -> Option<Digit> {
        if let Some(digit) = self.waiting.take() {
            return Some(digit);
        }
        let State::Active(active) = self.state else { return None };
        if now < active.heard_at + EVENT_LOST_AFTER {
            return None;
        }
        self.state = State::Idle;
        self.done = Some((active.timestamp, active.heard_at));
        active.digit()
    }

    /// When [`Receiver::poll`] is next worth a call. An instant of the past means at once.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match (&self.state, self.waiting, self.done) {
            (_, Some(_), Some((_, at))) => Some(at),
            (State::Active(active), ..) => Some(active.heard_at + EVENT_LOST_AFTER),
            _ => None,
        }
    }

    /// The peer's time line starts anew: timestamps of before mean nothing. An event that is
    /// active comes out by its silence.
    pub fn restart(&mut self) {
        self.done = None;
    }

    /// Whether a timestamp belongs to an event that is over.
    fn is_over(&mut self, now: Instant, timestamp: u32) -> bool {
        let Some((done, at)) = self.done else { return false };
        if timestamp == done {
            // A sender that goes on and on with the same event keeps its memory alive.
            self.done = Some((done, now));
            return true;
        }
        let older = (timestamp.wrapping_sub(done) as i32) < 0;
        older && now.saturating_duration_since(at) < DONE_FOR
    }
}

#[cfg(test)]
#[path = "receiver_tests.rs"]
mod tests;
