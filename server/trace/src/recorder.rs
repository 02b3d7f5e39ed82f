//! Gathers a trace while its call lives, within bounds.
//!
//! ```text
//!   entries:  head (grows to its bound, then stays)  ...left out...  tail (newest; oldest goes)
//! ```

use crate::clean;
use crate::limits;
use crate::model::{Direction, Entry, Side, Trace, VisitorKind, Way, What};
use crate::seconds::{Rows, Totals};
use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::time::Instant;

/// What is known of a call when it begins.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Its number in the call log.
    pub number: u64,
    /// Unix time in milliseconds.
    pub started_at: i64,
    /// Who calls.
    pub direction: Direction,
    /// What the visitor has.
    pub visitor: VisitorKind,
    /// The button; empty for page-supplied accounts.
    pub button: String,
}

/// Gathers one call's trace. Nothing here is called per packet.
#[derive(Debug)]
pub struct Recorder {
    began_at: Instant,
    trace: Trace,
    head_octets: usize,
    tail: VecDeque<Entry>,
    tail_octets: usize,
    rows: Rows,
    codecs: [Option<&'static str>; 2],
}

impl Recorder {
    /// A call begins.
    pub fn new(now: Instant, opening: Opening) -> Recorder {
        let mut trace = Trace::new(opening.number, opening.started_at);
        trace.direction = opening.direction;
        trace.visitor = opening.visitor;
        trace.button = opening.button;
        Recorder {
            began_at: now,
            trace,
            head_octets: 0,
            tail: VecDeque::new(),
            tail_octets: 0,
            rows: Rows::default(),
            codecs: [None; 2],
        }
    }

    /// The call's number in the call log.
    pub fn number(&self) -> u64 {
        self.trace.number
    }

    /// When it began: Unix time in milliseconds.
    pub fn started_at(&self) -> i64 {
        self.trace.started_at
    }

    /// Something happened. SIP messages go to [`Recorder::sip`], descriptions to
    /// [`Recorder::offer`] and [`Recorder::answer`], which clean them.
    pub fn note(&mut self, now: Instant, what: What) {
        self.push(Entry::new(self.at(now), what));
    }

    /// Keys were pressed; those in a row are one entry.
    pub fn digits(&mut self, now: Instant, side: Side, pressed: u32) {
        if let Some(last) = self.tail.back_mut().or(self.trace.entries.last_mut())
            && let What::Digits { side: of, count } = &mut last.what
            && *of == side
        {
            *count = count.saturating_add(pressed);
            return;
        }
        self.note(now, What::Digits { side, count: pressed });
    }

    /// A SIP message of the call. One whose octets went the same way before is counted there.
    pub fn sip(&mut self, now: Instant, way: Way, peer: SocketAddr, octets: &[u8]) {
        let mut hasher = DefaultHasher::new();
        (way == Way::Went, octets).hash(&mut hasher);
        // Nought marks what is no message.
        let mark = hasher.finish().max(1);
        let newest = self.trace.entries.iter_mut().chain(self.tail.iter_mut()).rev();
        for entry in newest.take(limits::REPEATS_AMONG) {
            if let What::Sip { repeats, .. } = &mut entry.what
                && entry.mark == mark
            {
                *repeats = repeats.saturating_add(1);
                return;
            }
        }
        let what =
            What::Sip { way, peer: peer.to_string(), text: clean::message(octets), repeats: 0 };
        self.push(Entry { mark, ..Entry::new(self.at(now), what) });
    }

    /// The browser describes its media.
    pub fn offer(&mut self, now: Instant, sdp: &str) {
        self.note(now, What::Offer { sdp: clean::description(sdp) });
    }

    /// The browser is told of ours.
    pub fn answer(&mut self, now: Instant, sdp: &str) {
        self.note(now, What::Answer { sdp: clean::description(sdp) });
    }

    /// One look at the counters, and at the codecs in which sound comes.
    pub fn look(
        &mut self,
        now: Instant,
        totals: &Totals,
        visitor: Option<&'static str>,
        provider: Option<&'static str>,
    ) {
        self.rows.look(self.at(now), totals);
        for (index, codec) in [visitor, provider].into_iter().enumerate() {
            let side = if index == 0 { Side::Visitor } else { Side::Provider };
            if let Some(name) = codec
                && let Some(known) = self.codecs.get_mut(index)
                && *known != codec
            {
                *known = codec;
                self.note(now, What::Codec { side, codec: name.to_owned() });
            }
        }
    }

    /// The call is over. Messages that still come are noted behind it.
    pub fn end(&mut self, now: Instant, cause: String, status: u16) {
        self.trace.lasted_ms = self.at(now);
        self.trace.cause = cause;
        self.trace.status = status;
    }

    /// What was gathered.
    pub fn into_trace(mut self) -> Trace {
        self.trace.left_out_at = self.trace.entries.len() as u32;
        self.trace.entries.extend(self.tail);
        self.trace.seconds = self.rows.take();
        self.trace
    }

    fn at(&self, now: Instant) -> u32 {
        let since = now.saturating_duration_since(self.began_at).as_millis();
        u32::try_from(since).unwrap_or(u32::MAX)
    }

    fn push(&mut self, mut entry: Entry) {
        for text in entry.what.texts() {
            if text.len() > limits::TEXT_OCTETS {
                *text = clean::cut(std::mem::take(text));
            }
        }
        let octets: usize = entry.what.texts().iter().map(|text| text.len()).sum();
        let room = self.tail.is_empty()
            && self.trace.entries.len() < limits::HEAD_ENTRIES
            && self.head_octets + octets <= limits::HEAD_OCTETS;
        if room {
            self.head_octets += octets;
            self.trace.entries.push(entry);
            return;
        }
        self.tail.push_back(entry);
        self.tail_octets += octets;
        while self.tail_octets > limits::TAIL_OCTETS || self.tail.len() > limits::TAIL_ENTRIES {
            let Some(mut oldest) = self.tail.pop_front() else { break };
            self.tail_octets -= oldest.what.texts().iter().map(|text| text.len()).sum::<usize>();
            self.trace.left_out = self.trace.left_out.saturating_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn recorder(now: Instant) -> Recorder {
        let opening = Opening {
            number: 1,
            started_at: 0,
            direction: Direction::Out,
            visitor: VisitorKind::Browser,
            button: "sales".into(),
        };
        Recorder::new(now, opening)
    }

    fn peer() -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], 5060))
    }

    #[test]
    fn a_message_that_goes_again_is_counted_where_it_went_first() {
        let now = Instant::now();
        let mut recorder = recorder(now);
        let invite = b"INVITE sip:a@b SIP/2.0\r\nCSeq: 1 INVITE\r\n\r\n";
        for half in 0..4 {
            recorder.sip(now + Duration::from_millis(500 * half), Way::Went, peer(), invite);
        }
        recorder.sip(now, Way::Came, peer(), invite);
        let entries = recorder.into_trace().entries;
        assert_eq!(entries.len(), 2, "the other way is another message");
        assert!(matches!(&entries[0].what, What::Sip { repeats: 3, .. }));
    }

    #[test]
    fn a_trace_keeps_beginning_and_end_and_says_how_much_went() {
        let now = Instant::now();
        let mut recorder = recorder(now);
        for number in 0..5_000 {
            let text = format!("INFO sip:a@b SIP/2.0\r\nCSeq: {number} INFO\r\n\r\n");
            recorder.sip(now, Way::Came, peer(), text.as_bytes());
        }
        let trace = recorder.into_trace();
        assert_eq!(trace.entries.len() + trace.left_out as usize, 5_000);
        assert!(trace.entries.len() <= limits::HEAD_ENTRIES + limits::TAIL_ENTRIES);
        let text = |entry: Option<&Entry>| match entry.map(|entry| &entry.what) {
            Some(What::Sip { text, .. }) => text.clone(),
            _ => String::new(),
        };
        assert!(text(trace.entries.first()).contains("CSeq: 0 "));
        assert!(text(trace.entries.last()).contains("CSeq: 4999 "));
    }

    #[test]
    fn the_largest_trace_has_a_bound_in_the_call_log_too() {
        let now = Instant::now();
        let mut recorder = recorder(now);
        for number in 0..700u32 {
            let text = format!(
                "OPTIONS sip:a SIP/2.0\r\nUser-Agent: {number}{}\r\n\r\n",
                "\"".repeat(9_000)
            );
            recorder.sip(now, Way::Went, peer(), text.as_bytes());
            recorder.look(now, &Totals::default(), None, None);
        }
        let octets = recorder.into_trace().encode().len();
        assert!(octets < 300_000, "{octets}");
    }

    #[test]
    fn keys_in_a_row_are_one_entry_without_the_keys() {
        let now = Instant::now();
        let mut recorder = recorder(now);
        for _ in 0..4 {
            recorder.digits(now, Side::Visitor, 1);
        }
        let entries = recorder.into_trace().entries;
        assert_eq!(entries.len(), 1);
        assert!(matches!(entries[0].what, What::Digits { side: Side::Visitor, count: 4 }));
    }
}
