//! What both ends share: the tables of flows, the queue of actions, and the sorting of messages.

use super::barriers::Barriers;
use super::{Action, Media, MediaKind, Outgoing, Statistics};
use crate::message::{Body, Message, UserControl};
use crate::metadata::Metadata;
use crate::numbers::{
    ACTIONS_AT_MOST, AUDIO_LIFETIME, FLOW_REJECTED_CODE, MESSAGE_LENGTH_AT_MOST,
    RECEIVE_FLOWS_AT_MOST, VIDEO_LIFETIME, message_type,
};
use std::collections::VecDeque;
use std::time::Instant;

/// What a sending flow is for. A stream's commands keep their order on one flow; sound and picture
/// have flows of their own, so that neither waits for the other or for a lost command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Use {
    Control,
    Audio,
    Video,
}

#[derive(Debug)]
struct Sending {
    flow: u64,
    stream: u32,
    purpose: Use,
    /// The other end has rejected it: no other is opened in its place (RFC 7425 5.3.5.3).
    rejected: bool,
}

/// The order in which a receiving flow's messages are taken:
///
/// ```text
///   Queued --sound of a stream that publishes--> Network --anything but sound--> Kept
///      |                                                                          ^
///      +--anything but sound-------------------------------------------------------+
/// ```
///
/// Sound says by its time where it belongs; commands, data and pictures depend on their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrival {
    /// As they were queued; nothing says yet that another order would do.
    Queued,
    /// As the network brings them.
    Network,
    /// As they were queued, for good.
    Kept,
}

#[derive(Debug)]
struct Receiving {
    flow: u64,
    stream: u32,
    arrival: Arrival,
}

/// A message after sorting.
pub(super) enum Sorted<'a> {
    Media(Media<'a>),
    Act { stream: u32, body: Body<'a> },
    Nothing,
}

#[derive(Debug, Default)]
pub(super) struct Link {
    network_order: bool,
    next_flow: u64,
    sending: Vec<Sending>,
    receiving: Vec<Receiving>,
    /// The receiving flow to which sending flows are associated: the other end's control flow.
    pub associate: Option<u64>,
    actions: VecDeque<Action>,
    /// The session is closed, or is about to be: there is nothing to do to it any more.
    over: bool,
    barriers: Barriers,
    statistics: Statistics,
}

impl Link {
    pub fn new(network_order: bool) -> Link {
        Link { network_order, ..Link::default() }
    }

    pub fn act(&mut self, action: Action) {
        if self.over {
            return;
        }
        if self.actions.len() < ACTIONS_AT_MOST {
            self.actions.push_back(action);
        } else {
            self.statistics.dropped += 1;
        }
    }

    /// The last action, which has a place whatever waits before it.
    pub fn close_session(&mut self) {
        if !std::mem::replace(&mut self.over, true) {
            self.actions.push_back(Action::CloseSession);
        }
    }

    /// The session has ended by itself.
    pub fn abandon(&mut self) {
        self.over = true;
        self.actions.clear();
    }

    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The sending flow for a purpose; it is opened where there is none. `None`: the other end has
    /// rejected it.
    pub fn flow(&mut self, stream: u32, purpose: Use) -> Option<u64> {
        let same = |sending: &&Sending| sending.stream == stream && sending.purpose == purpose;
        if let Some(sending) = self.sending.iter().find(same) {
            return (!sending.rejected).then_some(sending.flow);
        }
        let flow = self.next_flow;
        self.next_flow += 1;
        let network_order = self.network_order && purpose == Use::Audio;
        let metadata = Metadata { stream, network_order }.encode();
        let return_of = self.associate;
        let time_critical = purpose == Use::Audio;
        self.act(Action::OpenFlow { flow, metadata, return_of, time_critical });
        self.sending.push(Sending { flow, stream, purpose, rejected: false });
        Some(flow)
    }

    /// Sends a message on the control flow of a stream.
    pub fn send(&mut self, stream: u32, octets: Vec<u8>) {
        match self.flow(stream, Use::Control) {
            Some(flow) => self.act(Action::Send { flow, octets }),
            None => self.statistics.dropped += 1,
        }
    }

    /// Writes a media message for a flow that is open.
    pub fn write_media(
        &self,
        stream: u32,
        kind: MediaKind,
        timestamp: u32,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Option<Outgoing> {
        let (purpose, kind, lifetime) = match kind {
            MediaKind::Audio => (Use::Audio, message_type::AUDIO, AUDIO_LIFETIME),
            MediaKind::Video => (Use::Video, message_type::VIDEO, VIDEO_LIFETIME),
        };
        let same = |sending: &&Sending| sending.stream == stream && sending.purpose == purpose;
        let sending = self.sending.iter().find(same).filter(|sending| !sending.rejected)?;
        let length = Message { kind, timestamp, payload }.write(buffer)?;
        Some(Outgoing { flow: sending.flow, length, lifetime })
    }

    /// Whether a number is that of a flow that this end sends on.
    pub fn is_sending(&self, flow: u64) -> bool {
        self.sending.iter().any(|sending| sending.flow == flow && !sending.rejected)
    }

    /// The other end has rejected a sending flow: its stream, or `None` where it is not ours.
    pub fn mark_rejected(&mut self, flow: u64) -> Option<u32> {
        let sending = self.sending.iter_mut().find(|sending| sending.flow == flow)?;
        sending.rejected = true;
        Some(sending.stream)
    }

    /// Closes the sending flows of a stream.
    pub fn close_stream(&mut self, stream: u32) {
        self.close_flows(|sending| sending.stream == stream);
    }

    /// Closes all sending flows.
    pub fn close_all(&mut self) {
        self.close_flows(|_| true);
    }

    fn close_flows(&mut self, which: impl Fn(&Sending) -> bool) {
        let mut kept = Vec::with_capacity(self.sending.len());
        for sending in std::mem::take(&mut self.sending) {
            if !which(&sending) {
                kept.push(sending);
            } else if !sending.rejected {
                self.act(Action::CloseFlow { flow: sending.flow });
            }
        }
        self.sending = kept;
    }

    /// Whether there is room for one more receiving flow.
    pub fn has_room(&self) -> bool {
        self.receiving.len() < RECEIVE_FLOWS_AT_MOST
    }

    /// Takes a receiving flow in.
    pub fn admit(&mut self, flow: u64, stream: u32) {
        self.receiving.push(Receiving { flow, stream, arrival: Arrival::Queued });
    }

    pub fn reject(&mut self, flow: u64) {
        self.statistics.rejected_flows += 1;
        self.act(Action::RejectFlow { flow, code: FLOW_REJECTED_CODE });
    }

    /// A receiving flow is over. Returns whether it was known; what it held back is to be looked
    /// at first, with [`Self::next_held`].
    pub fn forget_receiving(&mut self, flow: u64) {
        self.receiving.retain(|receiving| receiving.flow != flow);
    }

    pub fn release_flow(&mut self, flow: u64) {
        self.barriers.forget(flow);
    }

    /// Sound of a stream that publishes came: what is lost of its flow holds nothing up any more.
    pub fn take_as_it_comes(&mut self, flow: u64) {
        let receiving = self.receiving.iter_mut().find(|receiving| receiving.flow == flow);
        if let Some(receiving) = receiving.filter(|of| of.arrival == Arrival::Queued)
            && self.associate != Some(flow)
        {
            receiving.arrival = Arrival::Network;
            self.act(Action::SetOrder { flow, network: true });
        }
    }

    /// Something other than sound came on a flow.
    fn keep_order(&mut self, flow: u64) {
        let receiving = self.receiving.iter_mut().find(|receiving| receiving.flow == flow);
        let before = receiving.map(|of| std::mem::replace(&mut of.arrival, Arrival::Kept));
        if before == Some(Arrival::Network) {
            self.act(Action::SetOrder { flow, network: false });
        }
    }

    /// Looks at a message of a receiving flow.
    pub fn sort<'a>(&mut self, now: Instant, flow: u64, octets: &'a [u8]) -> Sorted<'a> {
        let found = self.receiving.iter().find(|receiving| receiving.flow == flow);
        let Some(stream) = found.map(|receiving| receiving.stream) else {
            self.statistics.ignored += 1;
            return Sorted::Nothing;
        };
        let Some(message) = Message::parse(octets) else {
            self.statistics.malformed += 1;
            return Sorted::Nothing;
        };
        let timestamp = message.timestamp;
        let media = |kind, payload| Sorted::Media(Media { stream, kind, timestamp, payload });
        let body = message.body();
        // A barrier is about other flows than those of media.
        if !matches!(body, Body::Audio(_) | Body::UserControl(UserControl::FlowSync { .. })) {
            self.keep_order(flow);
        }
        match body {
            Body::Audio(payload) => return media(MediaKind::Audio, payload),
            Body::Video(payload) => return media(MediaKind::Video, payload),
            _ if octets.len() > MESSAGE_LENGTH_AT_MOST => self.statistics.malformed += 1,
            _ if self.barriers.is_waiting(flow) => self.barriers.hold(flow, octets),
            Body::UserControl(UserControl::FlowSync { sync, count }) => {
                self.barriers.arrive(now, flow, sync, count);
            }
            Body::Ignored | Body::Unknown => self.statistics.ignored += 1,
            Body::Malformed => self.statistics.malformed += 1,
            body => return Sorted::Act { stream, body },
        }
        Sorted::Nothing
    }

    /// The next message that a barrier has let go.
    pub fn next_held(&mut self) -> Option<(u64, Vec<u8>)> {
        self.barriers.next_held()
    }

    pub fn count_malformed(&mut self) {
        self.statistics.malformed += 1;
    }

    pub fn count_ignored(&mut self) {
        self.statistics.ignored += 1;
    }

    pub fn count_dropped(&mut self) {
        self.statistics.dropped += 1;
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        self.barriers.handle_timeout(now);
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        self.barriers.poll_timeout()
    }

    pub fn statistics(&self) -> Statistics {
        Statistics { barriers_given_up: self.barriers.given_up, ..self.statistics }
    }
}
