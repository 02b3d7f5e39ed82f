//! What a verdict looks at, read out of a trace once.

use crate::model::{Direction, Trace, Way, What};
use crate::seconds::Second;
use crate::summary::{self, Start};

/// The facts of one call.
pub(crate) struct Facts<'a> {
    pub trace: &'a Trace,
    /// INVITEs that went, repeats counted.
    pub invites: u32,
    /// When the first of them went.
    pub invited_at: u32,
    /// When the provider was first heard, by whatever message.
    pub heard_at: Option<u32>,
    /// The provider's address for SIP.
    pub peer: &'a str,
    /// Challenges to an INVITE, and whether one was answered.
    pub challenges: u32,
    /// The last final answer to an INVITE that is no 2xx, with the provider's words, until one is taken.
    pub refusal: Option<(u16, &'a str)>,
    /// We took the INVITE back.
    pub cancelled: bool,
    /// Where the provider wants, and would send from, its audio.
    pub audio_address: Option<String>,
    /// The codecs that were offered to the provider, in a line.
    pub offered: String,
    /// When it rang first, when sound before the answer was promised and by which status.
    pub ringing_at: Option<u32>,
    pub early: Option<(u32, u16)>,
    pub answered_at: Option<u32>,
    pub held: bool,
    /// When sound began to go without us.
    pub direct_at: Option<u32>,
    pub connected_at: Option<u32>,
    pub media_lost: Option<&'a str>,
    pub unreachable: Option<&'a str>,
    pub description_refused: Option<&'a str>,
    /// When the call was over.
    pub ended_at: u32,
}

impl<'a> Facts<'a> {
    pub(crate) fn of(trace: &'a Trace) -> Facts<'a> {
        let mut facts = Facts {
            trace,
            invites: 0,
            invited_at: 0,
            heard_at: None,
            peer: "",
            challenges: 0,
            refusal: None,
            cancelled: false,
            audio_address: None,
            offered: String::new(),
            ringing_at: None,
            early: None,
            answered_at: None,
            held: false,
            direct_at: None,
            connected_at: None,
            media_lost: None,
            unreachable: None,
            description_refused: None,
            ended_at: trace.lasted_ms,
        };
        for entry in &trace.entries {
            let at = entry.at_ms;
            match &entry.what {
                What::Sip { way, peer, text, repeats } => {
                    facts.peer = peer;
                    facts.message(at, *way, text, *repeats);
                }
                What::State { state, code } => match state.as_str() {
                    "ringing" => drop(facts.ringing_at.get_or_insert(at)),
                    "early" => drop(facts.early.get_or_insert((at, *code))),
                    "active" => drop(facts.answered_at.get_or_insert(at)),
                    "held" => facts.held = true,
                    _ => {}
                },
                What::Connected { .. } | What::Session { .. } => {
                    facts.connected_at.get_or_insert(at);
                }
                What::Direct { on: true } => drop(facts.direct_at.get_or_insert(at)),
                What::MediaLost { why } => facts.media_lost = Some(why),
                What::Unreachable { peer } => facts.unreachable = Some(peer),
                What::DescriptionRefused { why } => facts.description_refused = Some(why),
                _ => {}
            }
        }
        facts
    }

    fn message(&mut self, at: u32, way: Way, text: &'a str, repeats: u32) {
        let body = summary::body(text);
        match (way, summary::start(text)) {
            (Way::Went, Start::Request("INVITE")) => {
                if self.invites == 0 {
                    self.invited_at = at;
                    self.offered = body.map(summary::description).unwrap_or_default();
                }
                // What was refused is asked again, with an answer to the challenge.
                self.refusal = None;
                self.invites = self.invites.saturating_add(1).saturating_add(repeats);
            }
            (Way::Went, Start::Request("CANCEL")) => self.cancelled = true,
            (Way::Came, start) => {
                self.heard_at.get_or_insert(at);
                if let Some(address) = body.and_then(summary::audio_address) {
                    self.audio_address = Some(address);
                }
                match start {
                    Start::Response(status @ (401 | 407), words, "INVITE") => {
                        self.challenges += 1;
                        self.refusal = Some((status, words));
                    }
                    Start::Response(200..=299, _, "INVITE") => self.refusal = None,
                    // What is refused later is a hold or a transfer, and the call goes on.
                    Start::Response(status @ 300.., words, "INVITE")
                        if self.answered_at.is_none() =>
                    {
                        self.refusal = Some((status, words));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }

    /// The visitor called.
    pub(crate) fn goes_out(&self) -> bool {
        self.trace.direction == Direction::Out
    }

    /// The call was ended for this reason.
    pub(crate) fn caused(&self, cause: &str) -> bool {
        self.trace.cause == cause
    }

    /// How long both could talk.
    pub(crate) fn talked_ms(&self) -> Option<u32> {
        self.answered_at.map(|at| self.ended_at.saturating_sub(at))
    }

    /// The rows that lie wholly between two times.
    pub(crate) fn rows(&self, from: u32, to: u32) -> impl Iterator<Item = &'a Second> + use<'a> {
        let rows = self.trace.seconds.iter();
        rows.filter(move |row| row.at_ms.saturating_sub(row.span_ms) >= from && row.at_ms <= to)
    }

    /// The rows of the talk.
    pub(crate) fn talk(&self) -> impl Iterator<Item = &'a Second> + use<'a> {
        self.rows(self.answered_at.unwrap_or(u32::MAX), self.ended_at)
    }

    /// Packets that came in the talk: from the visitor, from the provider.
    pub(crate) fn received(&self) -> (u64, u64) {
        self.talk().fold((0, 0), |(visitor, provider), row| {
            let (v, p) = (row.visitor.received, row.provider.received);
            (visitor + u64::from(v), provider + u64::from(p))
        })
    }
}
