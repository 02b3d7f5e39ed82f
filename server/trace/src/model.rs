//! What a trace is, and its form in the call log: JSON with a version.

use crate::limits;
use crate::seconds::Second;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The version of the form. A reader refuses a higher one; unknown keys are left alone, so that a
/// key may be added without a new version.
const VERSION: u32 = 1;

/// Who called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The visitor.
    #[default]
    Out,
    /// Somebody called the visitor.
    In,
}

/// What the visitor has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VisitorKind {
    /// A browser with WebRTC.
    #[default]
    Browser,
    /// Flash Player.
    Flash,
}

/// Which way a message went, seen from click2call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// To us.
    Came,
    /// From us.
    Went,
}

/// Whose it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The visitor's.
    Visitor,
    /// The provider's, or the phone's behind it.
    Provider,
}

/// How a browser is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// UDP.
    Udp,
    /// ICE-TCP.
    Tcp,
}

/// What happened.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum What {
    /// A SIP message.
    Sip {
        /// Which way.
        way: Way,
        /// The provider's address.
        peer: String,
        /// The message, without what a trace must not hold.
        text: String,
        /// How often the same octets went again.
        #[serde(default)]
        repeats: u32,
    },
    /// The visitor's browser described its media, at first or once more.
    Offer {
        /// SDP.
        sdp: String,
    },
    /// What the browser was told.
    Answer {
        /// SDP.
        sdp: String,
    },
    /// A Flash client's session carries the visitor's media.
    Session {
        /// The client's address.
        address: String,
        /// Between the two and back.
        round_trip_ms: Option<u32>,
    },
    /// ICE found a path and DTLS agreed on keys: sound may pass to and from the browser.
    Connected {
        /// Since the offer.
        after_ms: u32,
        /// How.
        protocol: Protocol,
        /// The candidate pair, ours first.
        path: String,
    },
    /// The browser is reached another way now.
    Moved {
        /// How.
        protocol: Protocol,
        /// The candidate pair, ours first.
        path: String,
    },
    /// The sound of two Flash clients goes from one to the other without us, or not any more.
    Direct {
        /// Whether it does.
        on: bool,
    },
    /// The browser's media did not come up, or broke.
    MediaLost {
        /// `no-check`, `no-handshake` or `silent`.
        why: String,
    },
    /// The browser closed its media.
    MediaClosed,
    /// The visitor pressed the red button, or its page ended the call for this reason.
    VisitorEnded {
        /// The page's word for it.
        why: String,
    },
    /// The call has a new state.
    State {
        /// Its name in the API.
        state: String,
        /// The SIP status that brought it, 0 without one.
        code: u16,
    },
    /// Sound of this codec comes from there.
    Codec {
        /// From whom.
        side: Side,
        /// The codec's key.
        codec: String,
    },
    /// Keys were pressed; which ones is not kept.
    Digits {
        /// By whom.
        side: Side,
        /// How many.
        count: u32,
    },
    /// The network says that nobody listens at the provider's address.
    Unreachable {
        /// The address.
        peer: String,
    },
    /// The phone's description of its media is of no use.
    DescriptionRefused {
        /// Why.
        why: String,
    },
}

impl fmt::Debug for What {
    // Messages say who calls whom: a log has no business with them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            What::Sip { .. } => "Sip",
            What::Offer { .. } => "Offer",
            What::Answer { .. } => "Answer",
            What::Session { .. } => "Session",
            What::Connected { .. } => "Connected",
            What::Moved { .. } => "Moved",
            What::Direct { .. } => "Direct",
            What::MediaLost { .. } => "MediaLost",
            What::MediaClosed => "MediaClosed",
            What::VisitorEnded { .. } => "VisitorEnded",
            What::State { .. } => "State",
            What::Codec { .. } => "Codec",
            What::Digits { .. } => "Digits",
            What::Unreachable { .. } => "Unreachable",
            What::DescriptionRefused { .. } => "DescriptionRefused",
        })
    }
}

impl What {
    /// The texts in it that may be long or hold something private.
    pub(crate) fn texts(&mut self) -> Vec<&mut String> {
        match self {
            What::Sip { peer, text, .. } => vec![peer, text],
            What::Offer { sdp } | What::Answer { sdp } => vec![sdp],
            What::Session { address, .. } => vec![address],
            What::Connected { path, .. } | What::Moved { path, .. } => vec![path],
            What::MediaLost { why }
            | What::VisitorEnded { why }
            | What::DescriptionRefused { why } => vec![why],
            What::State { state, .. } => vec![state],
            What::Codec { codec, .. } => vec![codec],
            What::Unreachable { peer } => vec![peer],
            What::MediaClosed | What::Direct { .. } | What::Digits { .. } => Vec::new(),
        }
    }
}

/// One thing that happened, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Milliseconds since the call began.
    pub at_ms: u32,
    /// What.
    #[serde(flatten)]
    pub what: What,
    /// What a repeated message is known by; none once it is read again.
    #[serde(skip)]
    pub(crate) mark: u64,
}

impl Entry {
    /// An entry.
    pub fn new(at_ms: u32, what: What) -> Entry {
        Entry { at_ms, what, mark: 0 }
    }
}

/// One call, from its beginning to its end.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Trace {
    version: u32,
    /// The call's number in the call log.
    pub number: u64,
    /// When it began: Unix time in milliseconds.
    pub started_at: i64,
    /// How long it lasted, from the click to the end.
    pub lasted_ms: u32,
    /// Who called.
    pub direction: Direction,
    /// What the visitor has.
    pub visitor: VisitorKind,
    /// The button; empty for page-supplied accounts.
    pub button: String,
    /// Why it ended, by the cause's name in the API.
    pub cause: String,
    /// The SIP status of its end, 0 without one.
    pub status: u16,
    /// What happened, in its order.
    pub entries: Vec<Entry>,
    /// Entries that had no room, between those of the beginning and those of the end.
    pub left_out: u32,
    /// How many entries are before those.
    pub left_out_at: u32,
    /// Figures, in their order.
    pub seconds: Vec<Second>,
}

impl fmt::Debug for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (entries, seconds) = (self.entries.len(), self.seconds.len());
        write!(f, "Trace({}, {}, {entries} entries, {seconds} rows)", self.number, self.cause)
    }
}

/// Why octets are no trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// A newer program wrote it.
    Newer(u32),
    /// It is longer than any.
    Long(usize),
    /// It is not what was written.
    Damaged(String),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Newer(version) => write!(
                f,
                "a newer click2call wrote this trace (form {version}, this one knows {VERSION}); \
                 use the newer program"
            ),
            ReadError::Long(octets) => write!(f, "{octets} octets are no trace"),
            ReadError::Damaged(words) => write!(f, "the trace is damaged: {words}"),
        }
    }
}

impl std::error::Error for ReadError {}

impl Trace {
    /// A trace of this program's form.
    pub fn new(number: u64, started_at: i64) -> Trace {
        Trace { version: VERSION, number, started_at, ..Trace::default() }
    }

    /// The octets for the call log.
    pub fn encode(&self) -> Vec<u8> {
        // Maps with other keys than texts are what this could fail for; there are none.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads octets of the call log, whoever wrote them.
    ///
    /// # Errors
    /// [`ReadError`]: they are no trace, or a newer program's.
    pub fn decode(octets: &[u8]) -> Result<Trace, ReadError> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        if octets.len() > limits::ENCODED_OCTETS {
            return Err(ReadError::Long(octets.len()));
        }
        let damaged = |error: serde_json::Error| ReadError::Damaged(error.to_string());
        let Versioned { version } = serde_json::from_slice(octets).map_err(damaged)?;
        if version > VERSION {
            return Err(ReadError::Newer(version));
        }
        serde_json::from_slice(octets).map_err(damaged)
    }

    /// For people who read JSON, and for programs.
    pub fn to_json(&self) -> String {
        let verdict = crate::verdict(self);
        let mut value = serde_json::to_value(self).unwrap_or_default();
        if let Some(object) = value.as_object_mut() {
            object.insert("verdict".into(), verdict.sentence.into());
            object.insert("rule".into(), verdict.rule.into());
        }
        serde_json::to_string_pretty(&value).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_trace_reads_back_as_it_was_written() {
        let mut trace = Trace::new(7, 1_764_000_000_000);
        trace.entries.push(Entry::new(3, What::State { state: "ringing".into(), code: 180 }));
        trace.entries.push(Entry::new(9, What::Digits { side: Side::Visitor, count: 2 }));
        trace.seconds.push(Second { at_ms: 1000, span_ms: 1000, ..Second::default() });
        assert!(Trace::decode(&trace.encode()).unwrap() == trace);
    }

    #[test]
    fn what_is_no_trace_is_an_error_in_words() {
        let words = |octets: &[u8]| Trace::decode(octets).unwrap_err().to_string();
        assert!(words(b"").contains("damaged"));
        assert!(words(b"{\"version\":99,\"more\":[]}").contains("a newer click2call"));
        assert!(words(b"{\"version\":1}").contains("damaged"));
        assert!(words(&vec![b' '; limits::ENCODED_OCTETS + 1]).contains("no trace"));
    }

    #[test]
    fn a_trace_does_not_print_who_called_whom() {
        let mut trace = Trace::new(7, 0);
        let text = "INVITE sip:+74951234567@provider".to_owned();
        let what = What::Sip { way: Way::Went, peer: "198.51.100.7:5060".into(), text, repeats: 0 };
        trace.entries.push(Entry::new(3, what));
        let printed = format!("{trace:?} {:?}", trace.entries);
        assert!(!printed.contains("7495") && !printed.contains("198.51"), "{printed}");
    }
}
