//! Records how each call goes, for `click2call trace`.
//!
//! ```text
//!   begin --> live --(the call is over)--> resting --(last words came)--> call log
//!              |  a look at the counters each second
//! ```
//!
//! A recorder is kept apart from its call: BYE's answer comes when the call is gone already.
//! Nothing here is done per packet of sound. SIP messages find their call by Call-ID; the INVITE of
//! a call that comes in waits until there is one.

use super::Core;
use super::calls::{ActiveCall, VisitorLeg};
use crate::net::Wire;
use base::{CallId, Codec};
use call::{LegEvent, VisitorEnd};
use signalling::Direction;
use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};
use trace::{Opening, Recorder, Side, Totals, TotalsOf, VisitorKind, Way, What};

/// How long a call that is over is listened to: for the answer to its BYE.
const REST: Duration = Duration::from_secs(2);
/// SIP legs of one call whose messages are its; the oldest goes where there are more.
const LEGS: usize = 8;
/// Messages of calls that are not there yet.
const UNCLAIMED: usize = 8;
/// The longest of those.
const UNCLAIMED_OCTETS: usize = 8 * 1024;

/// One call's recorder with what belongs to it.
#[derive(Debug)]
struct Record {
    recorder: Recorder,
    /// What its SIP messages are known by: the Call-IDs of its legs, the newest last.
    call_ids: VecDeque<String>,
    /// The provider's address, and whether it was heard.
    peer: Option<SocketAddr>,
    heard: bool,
    /// Frames that were decoded at the last look: from the visitor, from the provider.
    decoded: [u64; 2],
    /// The browser's figures at the last look that found it.
    browser: webrtc::Statistics,
}

/// A message whose call is not there yet.
struct Unclaimed {
    at: Instant,
    way: Way,
    peer: SocketAddr,
    octets: Vec<u8>,
}

/// The recorders of one shard.
#[derive(Default)]
pub struct Traces {
    table: HashMap<CallId, Box<Record>>,
    by_call_id: HashMap<String, CallId>,
    /// When each live call is looked at; in order, since all wait equally long.
    looks: VecDeque<(Instant, CallId)>,
    /// When the calls that are over go to the call log.
    resting: VecDeque<(Instant, CallId)>,
    unclaimed: VecDeque<Unclaimed>,
}

impl Traces {
    /// Something happened to a call.
    pub fn note(&mut self, now: Instant, id: CallId, what: What) {
        if let Some(record) = self.table.get_mut(&id) {
            record.recorder.note(now, what);
        }
    }

    /// The browser of a call describes its media.
    pub fn offer(&mut self, now: Instant, id: CallId, sdp: &str) {
        if let Some(record) = self.table.get_mut(&id) {
            record.recorder.offer(now, sdp);
        }
    }

    /// The browser of a call is told of our media.
    pub fn answer(&mut self, now: Instant, id: CallId, sdp: &str) {
        if let Some(record) = self.table.get_mut(&id) {
            record.recorder.answer(now, sdp);
        }
    }

    /// Keys were pressed.
    pub fn digits(&mut self, now: Instant, id: CallId, side: Side, count: usize) {
        if let Some(record) = self.table.get_mut(&id) {
            record.recorder.digits(now, side, u32::try_from(count).unwrap_or(u32::MAX));
        }
    }

    /// An event of one of a call's legs, where the call's own states do not tell it.
    pub fn leg_event(&mut self, now: Instant, id: CallId, event: &LegEvent) {
        let LegEvent::VisitorEnded(end) = event else { return };
        let why = match end {
            VisitorEnd::HungUp => "hung up",
            VisitorEnd::NoMicrophone => "no microphone",
            VisitorEnd::NoMedia => "no media",
            VisitorEnd::Lost => "page or network gone",
            VisitorEnd::Rejected => "rejected",
        };
        self.note(now, id, What::VisitorEnded { why: why.to_owned() });
    }

    /// The call has a new state.
    pub fn changed(&mut self, now: Instant, id: CallId, change: call::Change) {
        let state = format!("{:?}", change.state).to_ascii_lowercase();
        self.note(now, id, What::State { state, code: change.code });
    }

    /// The network says that nobody listens at this address.
    pub fn unreachable(&mut self, now: Instant, ip: IpAddr) {
        for record in self.table.values_mut() {
            if let Some(peer) = record.peer.filter(|peer| peer.ip() == ip && !record.heard) {
                record.recorder.note(now, What::Unreachable { peer: peer.to_string() });
            }
        }
    }

    /// A SIP message passes. `first`: whether it may be the first of a call that comes in.
    pub fn sip(&mut self, now: Instant, way: Way, peer: SocketAddr, octets: &[u8], first: bool) {
        let Some(call_id) = trace::call_id(octets) else { return };
        let known = self.by_call_id.get(call_id).and_then(|id| self.table.get_mut(id));
        if let Some(record) = known {
            record.peer = Some(peer);
            record.heard |= way == Way::Came;
            record.recorder.sip(now, way, peer, octets);
        } else if first && octets.starts_with(b"INVITE ") && octets.len() <= UNCLAIMED_OCTETS {
            if self.unclaimed.len() >= UNCLAIMED {
                self.unclaimed.pop_front();
            }
            self.unclaimed.push_back(Unclaimed { at: now, way, peer, octets: octets.to_vec() });
        }
    }

    /// From here on a call's SIP messages are known by this too; those that came before are its.
    fn named(&mut self, id: CallId, call_id: &str) {
        let Some(record) = self.table.get_mut(&id) else { return };
        if self.by_call_id.insert(call_id.to_owned(), id).is_none() {
            record.call_ids.push_back(call_id.to_owned());
        }
        if record.call_ids.len() > LEGS
            && let Some(oldest) = record.call_ids.pop_front()
        {
            self.by_call_id.remove(&oldest);
        }
        self.unclaimed.retain(|message| {
            let claimed = trace::call_id(&message.octets) == Some(call_id);
            if claimed {
                record.recorder.sip(message.at, message.way, message.peer, &message.octets);
            }
            !claimed
        });
    }

    /// When to call [`Core::handle_trace_timeout`] at the latest.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let fronts = [self.looks.front(), self.resting.front()];
        fronts.into_iter().flatten().map(|(at, _)| *at).min()
    }

    /// What was recorded of a call so far; nothing more is.
    #[cfg(test)]
    pub fn cut(&mut self, id: CallId) -> Option<::trace::Trace> {
        Some(self.remove(id)?.recorder.into_trace())
    }

    /// Takes a recorder out.
    fn remove(&mut self, id: CallId) -> Option<Box<Record>> {
        let record = self.table.remove(&id)?;
        for call_id in &record.call_ids {
            self.by_call_id.remove(call_id);
        }
        Some(record)
    }

    /// Whether every call has a recorder and every recorder a call or its rest.
    #[cfg(test)]
    pub fn verify(&self, calls: &[CallId]) -> Result<(), String> {
        let (all, resting) = (self.table.len(), self.resting.len());
        if all != calls.len() + resting || calls.iter().any(|id| !self.table.contains_key(id)) {
            return Err(format!("{} calls, {resting} resting, {all} recorders", calls.len()));
        }
        let known: usize = self.table.values().map(|record| record.call_ids.len()).sum();
        if self.by_call_id.len() != known || self.looks.len() > all {
            return Err("a recorder is gone and still known".to_owned());
        }
        Ok(())
    }
}

impl<W: Wire> Core<W> {
    /// A call begins that is among the calls already.
    pub(super) fn begin_trace(&mut self, now: Instant, id: CallId, visitor: VisitorLeg) {
        // Calls that come in are numbered by SIP, far above; in the log all count alike.
        let incoming = id.0 >= sip::InviteId::INCOMING;
        let number = if incoming { self.calls.next_id().0 } else { id.0 };
        let traced = self.config.traces;
        let Some(active) = self.calls.entry(id) else { return };
        active.facts.number = number;
        if !traced {
            return;
        }
        let started_at = active.facts.started_unix_ms();
        let (kind, session) = match visitor {
            VisitorLeg::Flash { session, .. } => (VisitorKind::Flash, Some(session)),
            VisitorLeg::Browser(_) | VisitorLeg::Gone => (VisitorKind::Browser, None),
        };
        let direction = match active.party.direction {
            Direction::Out => trace::Direction::Out,
            Direction::In => trace::Direction::In,
        };
        let button = active.button.clone();
        let opening = Opening { number, started_at, direction, visitor: kind, button };
        let mut recorder = Recorder::new(now, opening);
        let found = session.zip(self.flash.as_ref()).and_then(|(id, flash)| flash.session(id));
        if let Some((address, trip)) = found {
            let round_trip_ms = trip.map(|trip| trip.as_millis() as u32);
            recorder.note(now, What::Session { address: address.to_string(), round_trip_ms });
        }
        let record = Record {
            recorder,
            call_ids: VecDeque::new(),
            peer: None,
            heard: false,
            decoded: [0; 2],
            browser: webrtc::Statistics::default(),
        };
        self.traces.table.insert(id, Box::new(record));
        self.traces.looks.push_back((now + trace::limits::LOOK_EVERY, id));
        if incoming {
            tracing::info!(call = id.0, number, "the call's number in the log and in traces");
        }
        // Until it is over, the log says that it is up.
        self.keep_trace(number, started_at, None, Vec::new());
    }

    /// The call's INVITE is made, or has come.
    pub(super) fn name_trace(&mut self, id: CallId) {
        self.name_trace_by(id, sip::InviteId(id.0));
    }

    /// The call goes on by another INVITE.
    pub(super) fn name_trace_by(&mut self, id: CallId, invite: sip::InviteId) {
        if let Some(call_id) = self.sip.call_id(invite) {
            self.traces.named(id, call_id);
        }
    }

    /// A SIP message passes.
    pub(super) fn trace_sip(&mut self, now: Instant, way: Way, peer: SocketAddr, octets: &[u8]) {
        let came = way == Way::Came;
        // What strangers send is nobody's: `sip` drops it before it is looked at.
        if came && !self.sip.is_peer(peer.ip()) {
            return;
        }
        self.traces.sip(now, way, peer, octets, came && self.config.traces);
    }

    /// Sound of a browser may pass, or passes another way.
    pub(super) fn trace_path(&mut self, now: Instant, id: CallId, after: Option<Duration>) {
        let Some((protocol, local, remote)) = self.browsers.path(webrtc::PeerId(id.0)) else {
            return;
        };
        let path = format!("{local} {remote}");
        let protocol = match protocol {
            base::Protocol::Udp => trace::Protocol::Udp,
            base::Protocol::Tcp | base::Protocol::Tls => trace::Protocol::Tcp,
        };
        let what = match after {
            Some(after) => What::Connected { after_ms: after.as_millis() as u32, protocol, path },
            None => What::Moved { protocol, path },
        };
        self.traces.note(now, id, what);
    }

    /// Looks at the calls whose second is over, and lets go of those that have rested.
    pub(super) fn handle_trace_timeout(&mut self, now: Instant) {
        while let Some((_, id)) = self.traces.looks.pop_front_if(|(at, _)| *at <= now) {
            if self.look_at_trace(now, id) {
                self.traces.looks.push_back((now + trace::limits::LOOK_EVERY, id));
            }
        }
        while let Some((_, id)) = self.traces.resting.pop_front_if(|(at, _)| *at <= now) {
            self.let_go(id);
        }
    }

    /// One look at a call's counters; false where the call is gone.
    fn look_at_trace(&mut self, now: Instant, id: CallId) -> bool {
        let Some(active) = self.calls.entry(id) else { return false };
        let Some(record) = self.traces.table.get_mut(&id) else { return false };
        let bridge = active.bridge.statistics();
        // What is heard by one side was said by the other.
        let mut said = |index: usize, heard: &bridge::DirectionStatistics| {
            let before = record.decoded.get_mut(index);
            let decoded = before.is_some_and(|before| {
                std::mem::replace(before, heard.transcoded) < heard.transcoded
            });
            TotalsOf {
                late: heard.late,
                concealed_ms: heard.concealed_ms,
                level_dbfs: Some(heard.level_dbfs).filter(|level| decoded && *level < 0.0),
                ..TotalsOf::default()
            }
        };
        let visitor = said(0, &bridge.to_trunk);
        let provider = said(1, &bridge.to_visitor);
        let flash = match active.visitor {
            VisitorLeg::Flash { session, call } => {
                self.flash.as_ref().and_then(|flash| flash.figures(session, call))
            }
            VisitorLeg::Browser(_) | VisitorLeg::Gone => None,
        };
        let browser = active.visitor.browser().and_then(|peer| self.browsers.statistics(peer));
        // The leg may be gone before the call: whichever figures are the newest count.
        let newest = [active.facts.browser, record.browser];
        let newest = newest.into_iter().max_by_key(|figures| (figures.received, figures.sent));
        let browser = browser.or(newest).unwrap_or_default();
        record.browser = browser;
        let ms = |time: Duration| time.as_secs_f32() * 1000.0;
        let visitor = match flash {
            Some((heard, trip)) => TotalsOf {
                received: heard.received,
                sent: heard.sent,
                round_trip_ms: trip.map(ms),
                ..visitor
            },
            None => TotalsOf {
                received: browser.received,
                lost: browser.lost,
                jitter_ms: ms(browser.jitter),
                sent: browser.sent,
                missed: browser.remote_lost,
                round_trip_ms: browser.round_trip.map(ms),
                ..visitor
            },
        };
        let trunk = active.stream.statistics();
        let reported = trunk.round_trip_ms.is_some() || trunk.remote_lost > 0;
        let provider = TotalsOf {
            received: trunk.packets_received,
            received_octets: trunk.octets_received,
            lost: trunk.lost,
            jitter_ms: trunk.jitter_ms,
            sent: trunk.packets_sent,
            sent_octets: trunk.octets_sent,
            missed: reported.then_some(u64::from(trunk.remote_lost)),
            round_trip_ms: trunk.round_trip_ms,
            refused: trunk.refused,
            ..provider
        };
        let heard = trunk.packets_received > 0;
        let (of_visitor, of_trunk) = (active.facts.browser_codec, active.facts.trunk_codec);
        record.recorder.look(
            now,
            &Totals { visitor, provider },
            of_visitor.map(Codec::key),
            of_trunk.filter(|_| heard).map(Codec::key),
        );
        true
    }

    /// A call is over and still among the calls: it rests.
    pub(super) fn end_trace(&mut self, now: Instant, id: CallId) {
        let told = |active: &ActiveCall, record: &Record| {
            active.visitor != VisitorLeg::Gone
                || active.facts.browser.received > record.browser.received
        };
        let entry = self.calls.entry(id).map(|active| &*active);
        // Where a browser takes its figures with it, the last second would look like silence.
        if entry.zip(self.traces.table.get(&id)).is_some_and(|(call, of)| told(call, of)) {
            self.look_at_trace(now, id);
        }
        let Some(active) = self.calls.entry(id) else { return };
        let cause = active.call.cause().map(|cause| cause.key()).unwrap_or_default();
        let status = active.facts.status;
        if let Some(record) = self.traces.table.get_mut(&id) {
            record.recorder.end(now, cause, status);
            self.traces.resting.push_back((now + REST, id));
        }
    }

    /// The program ends: what rests goes to the log at once.
    pub(super) fn flush_traces(&mut self) {
        while let Some((_, id)) = self.traces.resting.pop_front() {
            self.let_go(id);
        }
    }

    fn let_go(&mut self, id: CallId) {
        let Some(record) = self.traces.remove(id) else { return };
        let trace = record.recorder.into_trace();
        let ended_at = trace.started_at.saturating_add(i64::from(trace.lasted_ms));
        self.keep_trace(trace.number, trace.started_at, Some(ended_at), trace.encode());
    }

    fn keep_trace(&self, number: u64, started_at: i64, ended_at: Option<i64>, octets: Vec<u8>) {
        let kept = store::KeptTrace { number, started_at, ended_at, octets };
        if self.store.record_trace(kept).is_err() {
            tracing::debug!(number, "the call log has no room for a trace");
        }
    }
}
