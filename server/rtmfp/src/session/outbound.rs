//! What leaves a session.

use super::numbers::FLOWS_MOST;
use super::phase::Phase;
use super::{Role, Session, SessionCommand};
use crate::chunk::{Chunk, FIHello};
use crate::flow::queue::Budget;
use crate::packet::{Header, Mode, PacketWriter};
use std::cmp::Reverse;
use std::net::SocketAddr;
use std::time::Instant;

impl Session {
    /// Writes the next plain packet, header and chunks, into the empty `buffer` and says where to
    /// send it; `None` when nothing is to be sent now. `other_time_critical`: another session of
    /// the endpoint received time-critical data within the last 800 ms.
    pub fn poll_packet(
        &mut self,
        now: Instant,
        other_time_critical: bool,
        buffer: &mut Vec<u8>,
    ) -> Option<SocketAddr> {
        buffer.clear();
        let data = self.may_send_data();
        if self.phase == Phase::Open && self.mobility.is_pending() {
            return self.write_challenge(now, other_time_critical, buffer);
        }
        if !self.has_work(now, data) {
            return None;
        }
        let header = self.header(now, other_time_critical);
        let mut writer = PacketWriter::new(buffer, &header, self.settings.packet_limit);
        if self.phase == Phase::Open {
            self.write_control(now, &mut writer);
            self.write_flows(now, data, other_time_critical, &mut writer);
        } else {
            self.write_close(now, &mut writer);
        }
        if writer.is_empty() {
            writer.discard();
            return None;
        }
        self.count(buffer);
        Some(self.remote)
    }

    fn header(&mut self, now: Instant, reverse: bool) -> Header {
        let mode = match self.role {
            Role::Initiator => Mode::Initiator,
            Role::Responder => Mode::Responder,
        };
        Header {
            time_critical: false,
            time_critical_reverse: reverse,
            mode,
            // In every packet: legacy far ends take no packet without.
            timestamp: Some(self.trip.timestamp(now)),
            timestamp_echo: self.trip.take_echo(now),
        }
    }

    fn count(&mut self, packet: &[u8]) {
        self.statistics.packets_sent += 1;
        self.statistics.octets_sent += packet.len() as u64;
    }

    fn has_work(&self, now: Instant, data: bool) -> bool {
        match self.phase {
            Phase::Open => {
                self.ping_due
                    || !self.ping_replies.is_empty()
                    || !self.hellos.is_empty()
                    || self.acks.is_due()
                    || self.senders.iter().any(|s| s.probe_at().is_some_and(|at| at <= now))
                    || data
            }
            Phase::NearClose { request_at, .. } => self.close_ack_due || request_at <= now,
            Phase::FarCloseLinger { .. } | Phase::Closed => self.close_ack_due,
        }
    }

    /// Whether a flow has something that the budgets let go.
    fn may_send_data(&self) -> bool {
        self.phase == Phase::Open
            && self.congestion.allows(self.outstanding())
            && self.senders.iter().any(|sender| sender.is_ready())
    }

    /// The ping that checks a new address goes there and not to where the far end is known to be.
    fn write_challenge(
        &mut self,
        now: Instant,
        reverse: bool,
        buffer: &mut Vec<u8>,
    ) -> Option<SocketAddr> {
        let (remote, message) = self.mobility.take()?;
        let header = self.header(now, reverse);
        let mut writer = PacketWriter::new(buffer, &header, self.settings.packet_limit);
        writer.put(&Chunk::Ping(&message));
        self.count(buffer);
        Some(remote)
    }

    fn write_close(&mut self, now: Instant, writer: &mut PacketWriter<'_>) {
        if std::mem::take(&mut self.close_ack_due) {
            writer.put(&Chunk::CloseAck);
        }
        if self.phase.take_request(now) {
            writer.put(&Chunk::CloseRequest);
        }
    }

    /// Pings and their answers, hellos, probes: whatever is not of a flow's data.
    fn write_control(&mut self, now: Instant, writer: &mut PacketWriter<'_>) {
        while let Some(message) = self.ping_replies.front() {
            // An answer that has no room even in an empty packet has none at all.
            if !writer.put(&Chunk::PingReply(message)) && !writer.is_empty() {
                return;
            }
            if let Some(message) = self.ping_replies.pop_front() {
                self.pool.give(message);
            }
        }
        if self.ping_due && writer.put(&Chunk::Ping(&[])) {
            self.ping_due = false;
        }
        while let Some(SessionCommand::ForwardHello { epd, reply_address, tag }) =
            self.hellos.front()
        {
            let hello = FIHello { discriminator: epd, reply_to: *reply_address, tag };
            if !writer.put(&Chunk::FIHello(hello)) && !writer.is_empty() {
                return;
            }
            self.hellos.pop_front();
        }
        let timeout = self.trip.timeout();
        for sender in &mut self.senders {
            let due = sender.probe_at().is_some_and(|at| at <= now);
            if due && writer.put(&Chunk::BufferProbe { flow: sender.id().0 }) {
                sender.probe_sent(now, timeout);
            }
        }
    }

    /// Acknowledgements and user data. When an acknowledgement is due it goes first, else only
    /// where data leaves room (3.6.3.4.5, 3.6.3.4.6).
    fn write_flows(
        &mut self,
        now: Instant,
        data: bool,
        reverse: bool,
        writer: &mut PacketWriter<'_>,
    ) {
        if self.acks.is_due() {
            self.write_acks(writer, true);
            if data {
                self.write_data(now, reverse, writer);
            }
        } else if data && self.write_data(now, reverse, writer) {
            self.write_acks(writer, false);
        }
    }

    /// The acknowledgements that are ready; the first one of an acknowledging packet may be cut.
    fn write_acks(&mut self, writer: &mut PacketWriter<'_>, mut truncate: bool) {
        let held = self.held;
        for receiver in self.receivers.iter_mut().filter(|receiver| receiver.should_ack()) {
            if !receiver.write_ack(writer, held, truncate, &self.settings) {
                return;
            }
            truncate = false;
        }
        self.acks.clear();
    }

    /// User data of the flows in their order of rank, and in turns among those of the same rank.
    fn write_data(&mut self, now: Instant, reverse: bool, writer: &mut PacketWriter<'_>) -> bool {
        let mut budget = Budget {
            outstanding: self.outstanding(),
            window: self.congestion.window(),
            transmission: self.transmission,
            resent: 0,
            sent: 0,
        };
        let mut order = [(Reverse((false, 0)), 0usize, 0usize); FLOWS_MOST];
        let mut count = 0;
        let total = self.senders.len().max(1);
        for (place, (at, sender)) in
            order.iter_mut().zip(self.senders.iter().enumerate().filter(|(_, s)| s.is_ready()))
        {
            *place = (Reverse(sender.rank()), (at + total - self.turn % total) % total, at);
            count += 1;
        }
        let ready = order.get_mut(..count).unwrap_or_default();
        ready.sort_unstable();
        let (mut any, mut critical) = (false, false);
        for &(_, _, at) in ready.iter() {
            let Some(sender) = self.senders.get_mut(at) else { continue };
            if sender.assemble(writer, &mut budget) {
                any = true;
                critical |= sender.is_time_critical();
                self.turn = at + 1;
            }
        }
        self.transmission = budget.transmission;
        self.statistics.resent += budget.resent;
        self.statistics.fragments_sent += budget.sent;
        if any {
            writer.mark(critical, reverse);
            self.congestion.packet_sent(now, critical);
            self.alarm_from = Some(now);
        }
        any
    }
}
