//! One connection that carries SIP: where its messages begin and end (RFC 3261 18.3), and whether
//! its far end still lives (RFC 5626 3.5.1, 4.4.1).
//!
//! The machine is driven by the contract of the `base` crate, by whoever owns the connection. What
//! the messages say is the endpoint's business.

mod fuzz;
#[cfg(test)]
mod tests;

pub use fuzz::fuzz;

use crate::limits;
use crate::message::{BodyLength, MAX_MESSAGE, body_length};
use base::Seed;
use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

/// What both sides may say between messages; two of them ask, one answers (RFC 5626 4.4.1).
const PING: &[u8] = b"\r\n\r\n";
const PONG: &[u8] = b"\r\n";

/// Where a connection stands.
///
/// ```text
///              line end: pong to every second      Content-Length octets are there
///               +----+                             (a message comes out)
///               |    v                             |
///        +---> Between --first octet--> Within ----+--> Between
///        |       |                        |
///        |       |  not SIP, no readable  |  a header or message over its bound,
///        |       |  Content-Length        |  not whole in time
///        |       v                        v
///        |     Failed <-------------------+
///        |       ^
///        |       | the ping's answer is lost, though there was one before
///        +-- ping, pong (only where we keep the connection alive)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing of a message has come.
    Between,
    /// A message has begun; how long it will be, once its header is there.
    Within { whole: Option<usize> },
    /// Nothing more comes out.
    Failed(StreamError),
}

/// Why a connection is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamError {
    /// What comes is no SIP.
    NotSip,
    /// A header or a message is longer than any that makes sense.
    TooLong,
    /// The length of a body cannot be told, and with it where the next message begins.
    NoLength,
    /// A message that has begun does not end.
    Unfinished,
    /// A ping was not answered.
    Silent,
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            StreamError::NotSip => "what it sends is not SIP",
            StreamError::TooLong => "it sends a message that is too long",
            StreamError::NoLength => "it sends a message without a readable Content-Length",
            StreamError::Unfinished => "it sends half a message and stops",
            StreamError::Silent => "it does not answer any more",
        })
    }
}

impl std::error::Error for StreamError {}

/// A deadline of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wake {
    /// The next ping is due.
    Ping,
    /// The pong should be here.
    Pong,
    /// The message that has begun should be whole.
    Whole,
}

/// One connection's framing and keep-alive. Bounded: it holds one message and what was read
/// beyond its end.
#[derive(Debug)]
pub struct Stream {
    state: State,
    buffer: Vec<u8>,
    /// How much of `buffer` was searched for the end of the header.
    searched: usize,
    /// Line ends in a row between messages that answer nothing.
    line_ends: u8,
    /// Whether an answer to our ping is due.
    asked: bool,
    /// Whether the far end has ever answered one. Many never do, and are no less alive.
    answers: bool,
    /// How often we ping; none where the far end keeps the connection alive.
    every: Option<Duration>,
    timers: base::Timers<Wake>,
    transmits: VecDeque<&'static [u8]>,
}

impl Stream {
    /// A connection that is just up. Whoever opened it keeps it alive (RFC 5626 4.4).
    pub fn new(now: Instant, keeps_alive: bool, seed: &mut Seed) -> Self {
        // Apart from each other, so that many connections are not spoken on at the same instant.
        let jitter = limits::PING_JITTER.as_millis() as u64;
        let every = limits::PING_EVERY + Duration::from_millis(seed.below(jitter + 1));
        let mut stream = Stream {
            state: State::Between,
            buffer: Vec::new(),
            searched: 0,
            line_ends: 0,
            asked: false,
            answers: false,
            every: keeps_alive.then_some(every),
            timers: base::Timers::default(),
            transmits: VecDeque::new(),
        };
        stream.heard(now);
        stream
    }

    /// Takes octets as they were read.
    pub fn handle_octets(&mut self, now: Instant, octets: &[u8]) {
        if matches!(self.state, State::Failed(_)) || octets.is_empty() {
            return;
        }
        self.buffer.extend_from_slice(octets);
        self.heard(now);
    }

    /// The next whole message. To be asked until it says `None` after every
    /// [`Stream::handle_octets`].
    pub fn poll_message(&mut self, now: Instant) -> Option<Vec<u8>> {
        if self.state == State::Between {
            self.skip_line_ends();
            let first = *self.buffer.first()?;
            // A TLS hello or a length in binary is seen at its first octet.
            if !first.is_ascii_graphic() {
                self.fail(StreamError::NotSip);
                return None;
            }
            self.line_ends = 0;
            self.searched = 0;
            self.state = State::Within { whole: None };
            self.timers.set(Wake::Whole, now + limits::MESSAGE_WITHIN);
        }
        let State::Within { whole } = self.state else { return None };
        let whole = match whole {
            Some(whole) => whole,
            None => self.measure()?,
        };
        if self.buffer.len() < whole {
            return None;
        }
        let rest = self.buffer.split_off(whole);
        let message = std::mem::replace(&mut self.buffer, rest);
        self.state = State::Between;
        self.timers.clear(Wake::Whole);
        Some(message)
    }

    /// What to write between messages.
    pub fn poll_transmit(&mut self) -> Option<&'static [u8]> {
        self.transmits.pop_front()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        while let Some(wake) = self.timers.expired(now) {
            match wake {
                Wake::Ping => {
                    self.transmits.push_back(PING);
                    self.asked = true;
                    match self.answers {
                        true => self.timers.set(Wake::Pong, now + limits::PONG_WITHIN),
                        false => self.rearm(now),
                    }
                }
                Wake::Pong => self.fail(StreamError::Silent),
                Wake::Whole => self.fail(StreamError::Unfinished),
            }
        }
    }

    /// When to call [`Stream::handle_timeout`] at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.timers.next()
    }

    /// Why the connection is to be closed, if it is.
    pub fn error(&self) -> Option<StreamError> {
        match self.state {
            State::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// Anything that comes shows that the far end lives.
    fn heard(&mut self, now: Instant) {
        self.timers.clear(Wake::Pong);
        self.rearm(now);
    }

    fn rearm(&mut self, now: Instant) {
        if let Some(every) = self.every {
            self.timers.set(Wake::Ping, now + every);
        }
    }

    fn fail(&mut self, error: StreamError) {
        self.state = State::Failed(error);
        self.buffer = Vec::new();
        self.timers.clear_all();
    }

    /// Goes past line ends between messages; two that answer nothing are a ping.
    fn skip_line_ends(&mut self) {
        let blank = self.buffer.iter().take_while(|octet| b"\r\n".contains(octet)).count();
        let lines = self.buffer.iter().take(blank).filter(|octet| **octet == b'\n').count();
        for _ in 0..lines {
            if std::mem::take(&mut self.asked) {
                self.answers = true;
                continue;
            }
            self.line_ends += 1;
            if self.line_ends == 2 {
                self.line_ends = 0;
                // Whoever pings without listening needs no more answers than it can read.
                if self.transmits.len() < limits::PONGS {
                    self.transmits.push_back(PONG);
                }
            }
        }
        self.buffer.drain(..blank);
    }

    /// The length of the message in the buffer, once its header is whole.
    fn measure(&mut self) -> Option<usize> {
        let Some(head) = header_end(&self.buffer, self.searched) else {
            // The end may straddle what was read so far: at most three octets of it.
            self.searched = self.buffer.len().saturating_sub(3);
            if self.buffer.len() > limits::HEADER_LENGTH {
                self.fail(StreamError::TooLong);
            }
            return None;
        };
        let header = self.buffer.get(..head).unwrap_or_default();
        let error = match body_length(header) {
            _ if head > limits::HEADER_LENGTH => StreamError::TooLong,
            BodyLength::NotSip => StreamError::NotSip,
            BodyLength::Unreadable => StreamError::NoLength,
            BodyLength::Octets(body) => match head.checked_add(body) {
                Some(whole) if whole <= MAX_MESSAGE => {
                    self.state = State::Within { whole: Some(whole) };
                    return Some(whole);
                }
                _ => StreamError::TooLong,
            },
        };
        self.fail(error);
        None
    }
}

/// Where the empty line behind a header ends. Lines may end without a carriage return, as
/// [`crate::message::parse`] takes them.
fn header_end(octets: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += octets.get(at..)?.iter().position(|octet| *octet == b'\n')? + 1;
        match octets.get(at..)? {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
}
