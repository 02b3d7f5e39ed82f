//! Digits in, telephone events out, at the right pace.

use super::{Payload, event_of};
use crate::numbers::{
    EVENT_END_REPEATS, EVENT_GAP, EVENT_TONE, EVENT_UPDATE_EVERY, MAX_DIGITS, units,
};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// One packet that is due: the rest of its header is the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventPacket {
    /// The payload of a telephone event.
    pub payload: [u8; 4],
    /// The RTP timestamp: the start of the event, the same for all of its packets.
    pub timestamp: u32,
    /// The first packet of an event.
    pub marker: bool,
    /// The clock rate in Hz that the duration counts in; it chooses the payload type.
    pub clock_rate: u32,
}

/// Why digits are not sent; nothing of the string was queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigitsError {
    /// A character that is no digit.
    Invalid,
    /// More than 64 would wait.
    Full,
    /// No payload type for telephone events was negotiated.
    NotNegotiated,
}

impl std::fmt::Display for DigitsError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            DigitsError::Invalid => "digits are 0-9, *, # and A-D",
            DigitsError::Full => "too many digits are waiting",
            DigitsError::NotNegotiated => "the peer does not take telephone events",
        })
    }
}

impl std::error::Error for DigitsError {}

/// The event that is being sent.
#[derive(Clone, Copy, Debug)]
struct Current {
    event: u8,
    timestamp: u32,
    started_at: Instant,
    clock_rate: u32,
    /// Packets sent, and how many of all are updates rather than repeats of the end.
    sent: u32,
    updates: u32,
}

/// The sending half of telephone events.
///
/// ```text
///   Idle --digit--> updates (N = tone / 20 ms, the last one is the end)
///    ^                 |
///    |                 v
///   gap  <-- two repeats of the end
/// ```
#[derive(Debug)]
pub struct Sender {
    waiting: VecDeque<u8>,
    current: Option<Current>,
    /// The next event starts no sooner.
    free_at: Option<Instant>,
    clock_rate: u32,
    tone: Duration,
    volume: u8,
}

impl Sender {
    /// A sender whose durations count at `clock_rate` Hz.
    pub fn new(clock_rate: u32) -> Sender {
        Sender {
            waiting: VecDeque::new(),
            current: None,
            free_at: None,
            clock_rate,
            tone: EVENT_TONE,
            volume: 10,
        }
    }

    /// Sets the length of the tones to come, 40 ms to 1 s, in whole updates of 20 ms.
    pub fn set_tone(&mut self, tone: Duration) {
        self.tone = tone.clamp(Duration::from_millis(40), Duration::from_secs(1));
    }

    /// Sets the clock rate of the events to come; one that is being sent keeps its own.
    pub fn set_clock_rate(&mut self, clock_rate: u32) {
        self.clock_rate = clock_rate;
    }

    /// Queues digits: all of them or none.
    ///
    /// # Errors
    /// [`DigitsError::Invalid`] or [`DigitsError::Full`].
    pub fn queue(&mut self, now: Instant, digits: &str) -> Result<(), DigitsError> {
        let room = MAX_DIGITS.saturating_sub(self.waiting.len());
        let events: Vec<_> = digits.chars().take(room + 1).map(event_of).collect();
        if events.contains(&None) {
            return Err(DigitsError::Invalid);
        }
        if events.len() > room {
            return Err(DigitsError::Full);
        }
        self.waiting.extend(events.into_iter().flatten());
        if self.free_at.is_none_or(|at| at < now) {
            self.free_at = Some(now);
        }
        Ok(())
    }

    /// Whether an event is being sent now: sound is held back meanwhile (RFC 4733 section 2.5.1).
    pub fn is_sending(&self) -> bool {
        self.current.is_some()
    }

    /// Forgets what waits. An event that has begun is sent to its end, as the peer heard it begin.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    /// The next packet that is due. `media_time` is the outgoing RTP timestamp of `now`; it counts
    /// when an event begins.
    pub fn poll(&mut self, now: Instant, media_time: u32) -> Option<EventPacket> {
        if self.poll_timeout().is_none_or(|due| due > now) {
            return None;
        }
        let mut current = match self.current.take() {
            Some(current) => current,
            None => Current {
                event: self.waiting.pop_front()?,
                timestamp: media_time,
                started_at: now,
                clock_rate: self.clock_rate,
                sent: 0,
                updates: self.tone.as_millis().div_ceil(EVENT_UPDATE_EVERY.as_millis()) as u32,
            },
        };
        current.sent += 1;
        let length = EVENT_UPDATE_EVERY * current.sent.min(current.updates);
        let duration = units(length, current.clock_rate);
        let payload = Payload {
            event: current.event,
            end: current.sent >= current.updates,
            volume: self.volume,
            // The longest tone is 1 s, 48000 units at the fastest clock.
            duration: u16::try_from(duration).unwrap_or(u16::MAX),
        };
        if current.sent < current.updates + EVENT_END_REPEATS - 1 {
            self.current = Some(current);
        } else {
            let tone = EVENT_UPDATE_EVERY * current.updates;
            self.free_at = Some(current.started_at + tone + EVENT_GAP);
        }
        Some(EventPacket {
            payload: payload.octets(),
            timestamp: current.timestamp,
            marker: current.sent == 1,
            clock_rate: current.clock_rate,
        })
    }

    /// When the next packet is due, if any.
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.current {
            Some(current) => Some(current.started_at + EVENT_UPDATE_EVERY * current.sent),
            None if self.waiting.is_empty() => None,
            None => self.free_at,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::Receiver;
    use super::*;

    /// Drives a sender and returns each packet with its time since the start in milliseconds.
    fn run(sender: &mut Sender, start: Instant, rate: u32) -> Vec<(u64, EventPacket)> {
        let mut out = Vec::new();
        while let Some(due) = sender.poll_timeout() {
            let passed = due - start;
            let packet = sender.poll(due, units(passed, rate)).unwrap();
            out.push((passed.as_millis() as u64, packet));
        }
        out
    }

    #[test]
    fn a_digit_is_five_updates_of_which_the_last_is_the_end_and_two_repeats_at_each_rate() {
        for rate in [8000u32, 16_000, 48_000] {
            let start = Instant::now();
            let mut sender = Sender::new(rate);
            sender.queue(start, "7").unwrap();
            let packets = run(&mut sender, start, rate);
            let step = rate / 50;
            let seen: Vec<_> = packets
                .iter()
                .map(|(at, p)| {
                    let payload = Payload::parse(&p.payload).unwrap();
                    (*at, p.marker, payload.end, u32::from(payload.duration) / step, p.timestamp)
                })
                .collect();
            let expected = [
                (0, true, false, 1, 0),
                (20, false, false, 2, 0),
                (40, false, false, 3, 0),
                (60, false, false, 4, 0),
                (80, false, true, 5, 0),
                (100, false, true, 5, 0),
                (120, false, true, 5, 0),
            ];
            assert_eq!(seen, expected, "rate {rate}");
        }
    }

    #[test]
    fn digits_keep_a_pause_between_them_and_have_times_of_their_own() {
        let start = Instant::now();
        let mut sender = Sender::new(8000);
        sender.queue(start, "11").unwrap();
        let packets = run(&mut sender, start, 8000);
        assert_eq!(packets.len(), 14);
        assert_eq!((packets[7].0, packets[7].1.timestamp), (180, 1440));
        assert!(packets[7].1.marker);
    }

    #[test]
    fn what_is_sent_is_received_digit_by_digit() {
        for rate in [8000u32, 16_000, 48_000] {
            let start = Instant::now();
            let mut sender = Sender::new(rate);
            sender.set_tone(Duration::from_millis(130));
            sender.queue(start, "0123456789*#abCD").unwrap();
            let mut receiver = Receiver::new();
            let mut got = String::new();
            for (at, p) in run(&mut sender, start, rate) {
                let now = start + Duration::from_millis(at);
                let digit = receiver.handle(now, &p.payload, p.timestamp, p.marker, rate);
                assert!(digit.is_none_or(|digit| digit.duration_ms == 140));
                got.extend(digit.map(|digit| digit.digit));
            }
            assert_eq!(got, "0123456789*#ABCD");
        }
    }

    #[test]
    fn wrong_and_too_many_digits_are_refused_as_a_whole() {
        let now = Instant::now();
        let mut sender = Sender::new(8000);
        assert_eq!(sender.queue(now, "12x"), Err(DigitsError::Invalid));
        assert_eq!(sender.poll_timeout(), None);
        sender.queue(now, &"1".repeat(60)).unwrap();
        assert_eq!(sender.queue(now, "12345"), Err(DigitsError::Full));
        sender.queue(now, "1234").unwrap();
        assert_eq!(run(&mut sender, now, 8000).len(), 64 * 7);
    }

    #[test]
    fn a_late_driver_still_sends_every_packet() {
        let start = Instant::now();
        let mut sender = Sender::new(8000);
        sender.queue(start, "5").unwrap();
        let late = start + Duration::from_millis(70);
        sender.poll(start, 0).unwrap();
        let mut caught_up = 0;
        while sender.poll(late, 560).is_some() {
            caught_up += 1;
        }
        assert_eq!(caught_up, 3);
        assert_eq!(sender.poll_timeout(), Some(start + Duration::from_millis(80)));
    }
}
