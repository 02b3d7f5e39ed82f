//! One entry point for fuzzing a session: the input is a list of operations.

use super::{
    CloseCause, FlowId, KeepAlive, OpenFlow, Order, Role, Session, SessionCommand, SessionEvent,
    SessionSettings,
};
use crate::address::{Address, Origin};
use crate::chunk::{
    AckBitmap, AckRanges, Chunk, FIHello, FragmentControl, NextUserData, UserData, UserDataFlags,
};
use crate::option;
use crate::packet::{self, Header, Mode, PacketWriter};
use base::Seed;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// What no list of operations makes a session hold: 64 queues, the receive limit twice over, and
/// the buffers that go round.
const MEMORY_MOST: usize = 64 * 80 * 1024 + 2 * 128 * 1024 + 64 * 1024;

/// Runs a list of operations (time steps, commands, chunks from templates, raw octets, answers to
/// what the session sent) against a session.
///
/// # Panics
/// When the state does not hold together: see [`Session::verify`]; when a timer does not move;
/// when a packet is too large, or packets do not end; when a flow speaks after its end; when the
/// session does not end once, and completely.
pub fn fuzz_session(data: &[u8]) {
    let mut run = Run::new(data);
    while let Some(operation) = run.octet() {
        run.operate(operation);
        run.drain();
    }
    run.finish();
}

struct Run<'a> {
    data: &'a [u8],
    now: Instant,
    session: Session,
    settings: SessionSettings,
    ours: Vec<FlowId>,
    /// The flows that are open as far as the owner was told.
    open: BTreeSet<FlowId>,
    /// The numbers sent last on the far end's flows.
    expected: [u64; 8],
    /// What the session sent last, as flow and number.
    sent: Vec<(u64, u64)>,
    ping: Vec<u8>,
    closed: u32,
    buffer: Vec<u8>,
}

fn remote(number: usize) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 1000 + (number % 3) as u16))
}

impl<'a> Run<'a> {
    fn new(data: &'a [u8]) -> Self {
        let now = Instant::now();
        let first = usize::from(data.first().copied().unwrap_or_default());
        let settings = SessionSettings {
            legacy: first & 1 != 0,
            packet_limit: [1192, 300, 1192, 80][first >> 1 & 3],
            receive_buffer: [65_536, 3000][first >> 3 & 1],
            message_limit: [131_072, 5000][first >> 4 & 1],
            keep_alive: KeepAlive {
                every: Duration::from_secs(20),
                dead_after: Duration::from_secs(600),
            },
            ..SessionSettings::default()
        };
        let seed = Seed::from_number(1);
        Run {
            data,
            now,
            session: Session::new(now, Role::Responder, remote(0), settings, seed),
            settings,
            ours: Vec::new(),
            open: BTreeSet::new(),
            expected: [0; 8],
            sent: Vec::new(),
            ping: Vec::new(),
            closed: 0,
            buffer: Vec::new(),
        }
    }

    fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.data.split_first()?;
        self.data = rest;
        Some(*first)
    }

    /// The next octet, 0 at the end.
    fn next(&mut self) -> usize {
        usize::from(self.octet().unwrap_or_default())
    }

    /// Up to so many of the next octets.
    fn octets(&mut self, most: usize) -> &'a [u8] {
        let length = self.next() % (most + 1);
        let (taken, rest) = self.data.split_at(length.min(self.data.len()));
        self.data = rest;
        taken
    }

    /// A number that is mostly small and sometimes at the edge.
    fn number(&mut self) -> u64 {
        match self.next() as u64 {
            251 => u64::MAX,
            252 => u64::MAX >> 2,
            253 => 1 << 40,
            254 => 10_000,
            small => small,
        }
    }

    /// One of our flows, or one that does not exist.
    fn our_flow(&mut self) -> FlowId {
        let at = self.next();
        self.ours.get(at % (self.ours.len() + 1)).copied().unwrap_or(FlowId(999))
    }

    /// A sequence number of the far end's flow: mostly one of the next ones.
    fn sequence(&mut self, flow: u64) -> u64 {
        let choice = self.next();
        let Some(expected) = self.expected.get_mut(flow as usize % 8) else { return 1 };
        match choice {
            0..150 => {
                *expected += 1;
                *expected
            }
            150..230 => (*expected + choice as u64 % 8).saturating_sub(2),
            _ => self.number(),
        }
    }

    fn their_flow(&mut self) -> FlowId {
        FlowId(self.next() as u64 % 8)
    }

    fn arrive(&mut self, from: usize, header: Header, chunks: &[Chunk<'_>]) {
        let mut packet = Vec::new();
        let mut writer = PacketWriter::new(&mut packet, &header, 1500);
        chunks.iter().for_each(|chunk| {
            writer.put(chunk);
        });
        self.session.handle_packet(self.now, remote(from), &packet, true);
    }

    fn command(&mut self, command: SessionCommand) {
        self.session.command(self.now, command);
    }

    fn operate(&mut self, operation: u8) {
        let plain = Header::new(Mode::Initiator);
        match operation % 20 {
            0 => self.pass(Duration::from_millis(7)),
            1 => self.pass(Duration::from_millis(210)),
            2 => {
                let seconds = self.next() as u64;
                self.pass(Duration::from_secs(seconds / 4));
            }
            3 => self.open_flow(),
            4 | 5 => self.send(),
            6 => {
                let flow = self.our_flow();
                self.command(SessionCommand::CloseFlow { flow });
            }
            7..=9 => self.user_data(),
            10 => self.acknowledge_sent(),
            11 => {
                let (flow, available) = (self.our_flow().0, self.number());
                let (cumulative, pairs) = (self.number(), self.octets(40));
                let buffer_available = available;
                let ack = AckRanges { flow, buffer_available, cumulative, pairs };
                self.arrive(0, plain, &[Chunk::AckRanges(ack)]);
            }
            12 => {
                let (flow, cumulative) = (self.our_flow().0, self.number());
                let bits = self.octets(20);
                let ack = AckBitmap { flow, buffer_available: 64, cumulative, bits };
                self.arrive(0, plain, &[Chunk::AckBitmap(ack)]);
            }
            13 => {
                let (from, message) = (self.next(), self.octets(60));
                let reply = std::mem::take(&mut self.ping);
                let chunks = [Chunk::Ping(message), Chunk::PingReply(&reply)];
                self.arrive(from, plain, &chunks);
            }
            14 => {
                let (probe, refused) = (self.their_flow().0, self.our_flow().0);
                let exception = Chunk::FlowException { flow: refused, code: 7 };
                if self.next() & 1 == 0 {
                    self.arrive(0, plain, &[Chunk::BufferProbe { flow: probe }]);
                } else {
                    self.arrive(0, plain, &[exception]);
                }
            }
            15 => {
                let packet = self.octets(255).to_vec();
                self.session.handle_packet(self.now, remote(0), &packet, false);
            }
            16 => self.receiving_command(),
            17 => {
                let header = Header {
                    time_critical: self.next() & 1 != 0,
                    time_critical_reverse: self.next() & 1 != 0,
                    timestamp: Some(self.next() as u16 * 257),
                    timestamp_echo: Some(self.next() as u16 * 257),
                    ..plain
                };
                self.arrive(0, header, &[]);
            }
            18 => self.hello(),
            _ => self.close(),
        }
    }

    fn open_flow(&mut self) {
        let (flags, answers) = (self.next(), self.their_flow());
        let flow = OpenFlow {
            metadata: self.octets(20),
            return_of: (flags & 1 != 0).then_some(answers),
            time_critical: flags & 2 != 0,
            priority: (flags >> 2) as u8,
        };
        if let Ok(id) = self.session.open_flow(flow) {
            self.ours.push(id);
            if flags & 4 != 0 {
                self.command(SessionCommand::AnnounceFlow { flow: id });
            }
        }
    }

    fn send(&mut self) {
        let (flow, length, flags) = (self.our_flow(), self.next() * 40, self.next());
        let lifetime = (flags & 1 != 0).then(|| Duration::from_millis(flags as u64 * flags as u64));
        let message = vec![flags as u8; length];
        self.command(SessionCommand::Send { flow, message, lifetime });
    }

    fn user_data(&mut self) {
        let (flow, shape) = (self.their_flow().0, self.next());
        let sequence = self.sequence(flow);
        let fragment = match shape >> 2 & 7 {
            5 => FragmentControl::Begin,
            6 => FragmentControl::Middle,
            7 => FragmentControl::End,
            _ => FragmentControl::Whole,
        };
        let flags = UserDataFlags { fragment, abandon: shape & 3 == 1, last: shape >> 3 == 0 };
        let mut options = Vec::new();
        let kind = self.next() as u64;
        if kind < 220 {
            option::put(&mut options, 0, b"TC");
        }
        if kind < 20 {
            option::put(&mut options, 10, &[kind as u8 % 4 + 2]);
        }
        if kind > 250 {
            option::put(&mut options, kind * 33, b"");
        }
        option::put_marker(&mut options);
        let (offset, length) = (self.number() % 64, self.next() * 5);
        let first = Chunk::UserData(UserData {
            flags,
            flow,
            sequence,
            fsn_offset: offset.min(sequence),
            options: (shape & 1 == 0).then_some(&options[..]),
            data: &vec![1; length],
        });
        let next = NextUserData { flags: UserDataFlags::default(), options: None, data: b"next" };
        let more = vec![Chunk::NextUserData(next); self.next() % 4];
        let chunks: Vec<_> = [first].into_iter().chain(more).collect();
        self.arrive(0, Header::new(Mode::Initiator), &chunks);
    }

    /// The far end acknowledges some of what the session sent last.
    fn acknowledge_sent(&mut self) {
        let (which, available) = (self.next(), self.number());
        let sent = std::mem::take(&mut self.sent);
        let kept = sent.iter().enumerate().filter(|(at, _)| which >> (at % 8) & 1 == 0);
        for (flow, number) in kept.map(|(_, sent)| *sent) {
            // Only this number, unless it is the next one anyway.
            let mut pairs = Vec::new();
            if number > 1 {
                crate::vlu::put(&mut pairs, number.saturating_sub(2));
                crate::vlu::put(&mut pairs, 0);
            }
            let cumulative = u64::from(number == 1);
            let ack = AckRanges { flow, buffer_available: available, cumulative, pairs: &pairs };
            self.arrive(0, Header::new(Mode::Initiator), &[Chunk::AckRanges(ack)]);
            self.drain();
        }
    }

    fn receiving_command(&mut self) {
        let (flow, which) = (self.their_flow(), self.next());
        let command = match which % 7 {
            0 => SessionCommand::RejectFlow { flow, code: 1 },
            1 => SessionCommand::SuspendFlow { flow },
            2 => SessionCommand::ResumeFlow { flow },
            3 => SessionCommand::SetOrder { flow, order: Order::Network },
            4 => SessionCommand::SetOrder { flow, order: Order::Original },
            5 => SessionCommand::SetReceiveBuffer { flow, octets: self.next() * 100 },
            _ => SessionCommand::KeepAlive(KeepAlive {
                every: Duration::from_secs(self.next() as u64),
                dead_after: Duration::from_secs(self.next() as u64),
            }),
        };
        if which % 7 == 0 {
            self.open.remove(&flow);
        }
        self.command(command);
    }

    fn hello(&mut self) {
        let reply_address = Address { origin: Origin::Relay, socket: remote(2) };
        let (epd, tag) = (self.octets(255).to_vec(), self.octets(30).to_vec());
        let hello = FIHello { discriminator: &epd, reply_to: reply_address, tag: &tag };
        self.arrive(0, Header::new(Mode::Initiator), &[Chunk::FIHello(hello)]);
        self.command(SessionCommand::ForwardHello { epd, reply_address, tag });
    }

    fn close(&mut self) {
        let plain = Header::new(Mode::Initiator);
        match self.next() {
            0 => self.command(SessionCommand::Close { orderly: true }),
            1 => self.command(SessionCommand::Close { orderly: false }),
            2 => self.arrive(0, plain, &[Chunk::CloseRequest]),
            3 => self.arrive(0, plain, &[Chunk::CloseAck]),
            _ => {}
        }
    }

    /// Time passes, with every timer at its time.
    fn pass(&mut self, duration: Duration) {
        let end = self.now + duration;
        let mut wakes = 0;
        while let Some(at) = self.session.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.session.handle_timeout(self.now);
            self.drain();
            let next = self.session.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "a timer does not move");
            wakes += 1;
            assert!(wakes < 100_000, "timers do not come to rest");
        }
        self.now = end;
    }

    fn drain(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut packets = 0;
        while self.session.poll_packet(self.now, false, &mut buffer).is_some() {
            assert!(buffer.len() <= self.settings.packet_limit, "{} octets", buffer.len());
            self.look_at(&buffer);
            packets += 1;
            assert!(packets < 1000, "packets do not end");
        }
        self.buffer = buffer;
        while let Some(event) = self.session.poll_event() {
            self.note(event);
        }
        self.session.verify();
        assert!(self.session.memory() < MEMORY_MOST, "{} octets", self.session.memory());
    }

    /// Keeps what an answer needs.
    fn look_at(&mut self, packet: &[u8]) {
        let Some((_, chunks)) = packet::parse(packet) else { panic!("a packet without header") };
        let mut previous = (0, 0);
        for chunk in chunks {
            match chunk {
                Chunk::UserData(data) => previous = (data.flow, data.sequence),
                Chunk::NextUserData(_) => previous.1 += 1,
                Chunk::Ping(message) => self.ping = message.to_vec(),
                _ => continue,
            }
            if previous.1 > 0 && self.sent.len() < 64 {
                self.sent.push(previous);
            }
        }
    }

    fn note(&mut self, event: SessionEvent) {
        assert_eq!(self.closed, 0, "{event:?} after the end of the session");
        match event {
            SessionEvent::FlowOpened { flow, .. } => {
                self.open.insert(flow);
            }
            SessionEvent::Message { flow, numbers, octets } => {
                assert!(*numbers.start() > 0 && !numbers.is_empty());
                assert!(self.open.contains(&flow), "a message of a flow that is not open");
                assert!(octets.len() <= self.settings.message_limit);
                self.session.recycle(octets);
            }
            SessionEvent::Gap { flow, missing } => {
                assert!(self.open.contains(&flow) && missing > 0);
            }
            SessionEvent::FlowFinished { flow } | SessionEvent::FlowFailed { flow } => {
                assert!(self.open.remove(&flow), "a flow ends twice");
            }
            SessionEvent::FlowRejected { flow, .. }
            | SessionEvent::FlowDelivered { flow }
            | SessionEvent::Writable { flow } => assert!(self.ours.contains(&flow)),
            SessionEvent::Closed { .. } => self.closed += 1,
            SessionEvent::ForwardedHello { .. } | SessionEvent::Moved { .. } => {}
        }
    }

    /// Closes the session and waits until nothing is left of it.
    fn finish(&mut self) {
        self.command(SessionCommand::Close { orderly: true });
        self.drain();
        self.pass(Duration::from_secs(91));
        assert!(self.session.is_over(), "the session is not over");
        assert_eq!(self.session.poll_timeout(), None);
        assert_eq!(self.closed, 1, "{:?} is told once", CloseCause::Local);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_operations_break_no_promise() {
        for number in 0..1500 {
            let mut seed = Seed::from_number(number);
            let mut data = vec![0; 1 + seed.below(600) as usize];
            seed.fill(&mut data);
            fuzz_session(&data);
        }
    }
}
