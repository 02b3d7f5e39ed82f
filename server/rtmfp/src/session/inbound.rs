//! What arrives in a session.

use super::congestion::Outcome;
use super::numbers::{EVENTS_MOST, PING_REPLIES_MOST, RECEIVE_LINGERING_MOST};
use super::phase::Phase;
use super::{CloseCause, FlowId, Role, Session, SessionEvent};
use crate::chunk::{Chunk, NextUserData, UserData};
use crate::flow::receive::{Arrival, ReceiveFlow};
use crate::option::Options;
use crate::packet::{self, Header, Mode};
use crate::params::user_option;
use crate::vlu;
use std::net::SocketAddr;
use std::time::Instant;

/// What one packet came to.
struct Packet {
    remote: SocketAddr,
    keyed: bool,
    /// The flow, number and forward sequence number of the user data before.
    previous: Option<(FlowId, u64, u64)>,
    has_data: bool,
    outcome: Outcome,
    /// The highest place in the order of transmission that it acknowledged.
    transmission: u64,
}

impl Session {
    /// Takes a plain packet from `remote` that belongs to this session. `keyed`: only who has the
    /// keys could have made it, so that the far end may move.
    pub fn handle_packet(&mut self, now: Instant, remote: SocketAddr, plain: &[u8], keyed: bool) {
        if self.phase == Phase::Closed {
            return;
        }
        let from_far_end = match self.role {
            Role::Initiator => Mode::Responder,
            Role::Responder => Mode::Initiator,
        };
        let Some((header, mut chunks)) = packet::parse(plain) else {
            self.statistics.malformed += 1;
            return;
        };
        if header.mode != from_far_end {
            self.statistics.malformed += 1;
            return;
        }
        self.statistics.packets_received += 1;
        self.statistics.octets_received += plain.len() as u64;
        self.handle_header(now, remote, &header);
        let outstanding_before = self.outstanding();
        let mut packet = Packet {
            remote,
            keyed,
            previous: None,
            has_data: false,
            outcome: Outcome { outstanding_before, ..Outcome::default() },
            transmission: 0,
        };
        let mut skipped = 0;
        while let Some(chunk) = chunks.next() {
            if chunks.skipped() != skipped {
                // What follows on user data that could not be read belongs nowhere.
                skipped = chunks.skipped();
                packet.previous = None;
            }
            self.handle_chunk(now, &chunk, &mut packet);
        }
        self.statistics.malformed += u64::from(chunks.skipped());
        if self.phase == Phase::Open {
            self.finish_packet(now, packet);
        }
    }

    fn handle_header(&mut self, now: Instant, remote: SocketAddr, header: &Header) {
        if self.phase != Phase::Open {
            return;
        }
        if let Some(timestamp) = header.timestamp {
            self.trip.handle_timestamp(now, timestamp);
        }
        if let Some(echo) = header.timestamp_echo {
            self.trip.handle_echo(now, echo);
        }
        if header.time_critical {
            self.time_critical_at = Some(now);
        }
        if header.time_critical_reverse {
            self.congestion.reverse_received(now);
        }
        // A packet from elsewhere does not show that the far end can be reached where we send to.
        if remote == self.remote {
            self.watch.heard(now);
        }
    }

    fn handle_chunk(&mut self, now: Instant, chunk: &Chunk<'_>, packet: &mut Packet) {
        match *chunk {
            Chunk::CloseRequest => {
                if self.phase != Phase::Closed {
                    self.close_ack_due = true;
                }
                if self.phase == Phase::Open {
                    self.leave(Phase::far_close(now), CloseCause::Peer);
                }
                return;
            }
            Chunk::CloseAck => {
                self.close_ack_due = false;
                self.leave(Phase::Closed, CloseCause::Peer);
                return;
            }
            _ if self.phase != Phase::Open => return,
            _ => {}
        }
        match *chunk {
            Chunk::Ping(message) => {
                if self.ping_replies.len() < PING_REPLIES_MOST {
                    let reply = self.pool.copy(message);
                    self.ping_replies.push_back(reply);
                } else {
                    self.statistics.beyond_bounds += 1;
                }
            }
            Chunk::PingReply(message) => self.handle_ping_reply(now, message, packet),
            Chunk::UserData(data) => self.handle_user_data(now, data, packet),
            Chunk::NextUserData(data) => self.handle_next(now, data, packet),
            Chunk::AckBitmap(ack) => {
                let head = (ack.flow, ack.cumulative, ack.buffer_available);
                self.handle_ack(now, head, ack.ranges(), packet);
            }
            Chunk::AckRanges(ack) => {
                let head = (ack.flow, ack.cumulative, ack.buffer_available);
                self.handle_ack(now, head, ack.ranges(), packet);
            }
            Chunk::BufferProbe { flow } => {
                let asked = self.with_receiver(FlowId(flow), |receiver, _| receiver.ask_for_ack());
                if asked.is_some() {
                    self.acks.hurry();
                }
            }
            Chunk::FlowException { flow, code } => {
                let flow = FlowId(flow);
                let sender = self.senders.iter_mut().find(|sender| sender.id() == flow);
                if sender.is_some_and(|sender| sender.reject(now, &mut self.pool)) {
                    self.events.push_back(SessionEvent::FlowRejected { flow, code });
                }
            }
            Chunk::FIHello(hello) if self.events.len() < EVENTS_MOST => {
                self.events.push_back(SessionEvent::ForwardedHello {
                    epd: hello.discriminator.to_vec(),
                    reply_address: hello.reply_to,
                    tag: hello.tag.to_vec(),
                });
            }
            // Start-up chunks are not of a session, and unknown ones are to be ignored.
            _ => {}
        }
    }

    fn handle_ping_reply(&mut self, now: Instant, message: &[u8], packet: &Packet) {
        let elsewhere = packet.remote != self.remote && packet.keyed;
        if elsewhere && self.mobility.verify(now, packet.remote, message) {
            let from = std::mem::replace(&mut self.remote, packet.remote);
            self.watch.heard(now);
            // The new path may carry less than the old one did.
            self.congestion.restart();
            self.events.push_back(SessionEvent::Moved { from, to: packet.remote });
        }
    }

    fn handle_user_data(&mut self, now: Instant, data: UserData<'_>, packet: &mut Packet) {
        let (flow, forward) = (FlowId(data.flow), data.forward_sequence());
        packet.has_data = true;
        packet.previous = Some((flow, data.sequence, forward));
        if self.events.len() >= EVENTS_MOST {
            self.statistics.refused_fragments += 1;
            return;
        }
        let known = self.receivers.iter().any(|receiver| receiver.id() == flow);
        if !known && !self.accept_flow(now, flow, data.options) {
            return;
        }
        let arrival = Arrival {
            flags: data.flags,
            sequence: data.sequence,
            forward,
            foreign_option: has_foreign_option(data.options),
            data: data.data,
        };
        self.receive(now, flow, arrival);
    }

    fn handle_next(&mut self, now: Instant, data: NextUserData<'_>, packet: &mut Packet) {
        let Some((flow, last, forward)) = packet.previous else {
            self.statistics.malformed += 1;
            return;
        };
        let sequence = last.saturating_add(1);
        packet.previous = Some((flow, sequence, forward));
        if self.events.len() >= EVENTS_MOST {
            self.statistics.refused_fragments += 1;
            return;
        }
        let foreign_option = has_foreign_option(data.options);
        let arrival =
            Arrival { flags: data.flags, sequence, forward, foreign_option, data: data.data };
        self.receive(now, flow, arrival);
    }

    fn receive(&mut self, now: Instant, flow: FlowId, arrival: Arrival<'_>) {
        match self.with_receiver(flow, |flow, around| flow.handle_data(now, arrival, around)) {
            Some(true) => self.acks.hurry(),
            Some(false) => self.acks.delay(now),
            None => {}
        }
    }

    /// Starts a receiving flow (3.6.3.1); false when there are too many.
    fn accept_flow(&mut self, now: Instant, flow: FlowId, options: Option<&[u8]>) -> bool {
        let complete = self.receivers.iter().filter(|receiver| receiver.is_complete()).count();
        if self.receivers.len() - complete >= self.settings.flows {
            self.statistics.beyond_bounds += 1;
            return false;
        }
        if complete >= RECEIVE_LINGERING_MOST {
            let oldest = self.receivers.iter().position(ReceiveFlow::is_complete);
            if let Some(at) = oldest {
                self.held -= self.receivers.remove(at).held();
            }
        }
        let mut receiver = ReceiveFlow::new(flow, self.settings.receive_buffer);
        match self.opening(options) {
            Some((metadata, return_of)) => {
                let metadata = metadata.to_vec();
                self.events.push_back(SessionEvent::FlowOpened { flow, metadata, return_of });
            }
            None => {
                receiver.reject(now, 0, &mut self.pool);
            }
        }
        self.receivers.push(receiver);
        self.acks.hurry();
        true
    }

    /// What the options of an opening chunk say; none when the flow has to be rejected.
    fn opening<'a>(&self, options: Option<&'a [u8]>) -> Option<(&'a [u8], Option<FlowId>)> {
        let options = Options::new(options?);
        let metadata = options.find(user_option::METADATA)?;
        if has_foreign(options) {
            return None;
        }
        let Some(value) = options.find(user_option::RETURN_FLOW) else {
            return Some((metadata, None));
        };
        let (number, _) = vlu::split(value)?;
        let answers = FlowId(number);
        let open = self.senders.iter().any(|sender| sender.id() == answers && sender.is_open());
        open.then_some((metadata, Some(answers)))
    }

    fn handle_ack(
        &mut self,
        now: Instant,
        (flow, cumulative, window): (u64, u64, u64),
        ranges: impl Iterator<Item = (u64, u64)>,
        packet: &mut Packet,
    ) {
        packet.outcome.any_acks = true;
        let Some(sender) = self.senders.iter_mut().find(|sender| sender.id().0 == flow) else {
            return;
        };
        let done = sender.acknowledge(now, (cumulative, window), ranges, &mut self.pool);
        packet.outcome.acknowledged += done.octets;
        packet.transmission = packet.transmission.max(done.transmission);
    }

    /// What is done once for each packet, after its chunks.
    fn finish_packet(&mut self, now: Instant, mut packet: Packet) {
        if packet.has_data {
            self.acks.packet_received();
        }
        if packet.outcome.any_acks {
            self.find_losses(&mut packet);
            if self.alarm_from.is_some() {
                self.alarm_from = Some(now);
            }
        }
        self.congestion.handle_packet(now, packet.outcome);
        if packet.outcome.any_acks {
            self.settle(now);
        }
        if packet.keyed && packet.remote != self.remote {
            self.mobility.challenge(now, packet.remote);
        }
    }

    /// Negative acknowledgements, over all flows (3.6.2.5). A packet that acknowledges nothing
    /// new says nothing new about what was passed over either.
    fn find_losses(&mut self, packet: &mut Packet) {
        if packet.transmission == 0 {
            return;
        }
        let highest = self.transmission_acknowledged.max(packet.transmission);
        self.transmission_acknowledged = highest;
        for sender in &mut self.senders {
            let (any, lost) = sender.count_naks(highest);
            packet.outcome.any_naks |= any;
            packet.outcome.any_loss |= lost > 0;
            self.statistics.lost += lost;
        }
    }
}

fn has_foreign_option(options: Option<&[u8]>) -> bool {
    options.is_some_and(|options| has_foreign(Options::new(options)))
}

/// Whether an option that must be understood is not.
fn has_foreign(mut options: Options<'_>) -> bool {
    options.any(|option| {
        let known = [user_option::METADATA, user_option::RETURN_FLOW].contains(&option.kind);
        !known && option.kind < user_option::IGNORABLE_FROM
    })
}
