//! One session against a hand-written far end.

use base::Seed;
use rtmfp::chunk::{AckRanges, Chunk, FragmentControl, NextUserData, UserData, UserDataFlags};
use rtmfp::option;
use rtmfp::packet::{self, Header, Mode, PacketWriter};
use rtmfp::session::{
    FlowId, OpenFlow, Role, Session, SessionCommand, SessionEvent, SessionSettings,
};
use rtmfp::vlu;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub const MS: Duration = Duration::from_millis(1);
pub const S: Duration = Duration::from_secs(1);

/// A flow without return association.
pub const PLAIN: OpenFlow<'static> =
    OpenFlow { metadata: b"TC\x04\x00", return_of: None, time_critical: false, priority: 0 };

pub fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 7], port))
}

/// User data as the tests look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    pub next: bool,
    pub flow: u64,
    pub sequence: u64,
    pub forward: u64,
    pub control: FragmentControl,
    pub abandon: bool,
    pub last: bool,
    pub options: Option<Vec<u8>>,
    pub octets: Vec<u8>,
}

/// An acknowledgement as the tests look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    pub flow: u64,
    pub window: u64,
    pub cumulative: u64,
    pub ranges: Vec<(u64, u64)>,
}

/// A packet that the session sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub to: SocketAddr,
    pub header: Header,
    pub octets: Vec<u8>,
    pub data: Vec<Data>,
    pub acks: Vec<Ack>,
    /// The types of all chunks, in their order.
    pub kinds: Vec<u8>,
    pub pings: Vec<Vec<u8>>,
    pub replies: Vec<Vec<u8>>,
}

/// Reads a packet.
pub fn read(to: SocketAddr, octets: &[u8]) -> Sent {
    let (header, chunks) = packet::parse(octets).unwrap();
    let mut sent = Sent {
        to,
        header,
        octets: octets.to_vec(),
        data: Vec::new(),
        acks: Vec::new(),
        kinds: Vec::new(),
        pings: Vec::new(),
        replies: Vec::new(),
    };
    for chunk in chunks {
        sent.kinds.push(chunk.kind());
        match chunk {
            Chunk::UserData(data) => sent.data.push(Data {
                next: false,
                flow: data.flow,
                sequence: data.sequence,
                forward: data.forward_sequence(),
                control: data.flags.fragment,
                abandon: data.flags.abandon,
                last: data.flags.last,
                options: data.options.map(<[u8]>::to_vec),
                octets: data.data.to_vec(),
            }),
            Chunk::NextUserData(data) => {
                let previous = sent.data.last().unwrap().clone();
                sent.data.push(Data {
                    next: true,
                    sequence: previous.sequence + 1,
                    control: data.flags.fragment,
                    abandon: data.flags.abandon,
                    last: data.flags.last,
                    options: data.options.map(<[u8]>::to_vec),
                    octets: data.data.to_vec(),
                    ..previous
                });
            }
            Chunk::AckRanges(ack) => sent.acks.push(Ack {
                flow: ack.flow,
                window: ack.buffer_available,
                cumulative: ack.cumulative,
                ranges: ack.ranges().collect(),
            }),
            Chunk::Ping(message) => sent.pings.push(message.to_vec()),
            Chunk::PingReply(message) => sent.replies.push(message.to_vec()),
            _ => {}
        }
    }
    sent
}

/// A session as responder, and the time.
pub struct Script {
    pub session: Session,
    pub start: Instant,
    pub now: Instant,
    /// Whether packets to the session count as protected by keys.
    pub keyed: bool,
}

impl Script {
    pub fn new() -> Self {
        Script::with(SessionSettings::default())
    }

    pub fn legacy() -> Self {
        Script::with(SessionSettings { legacy: true, ..SessionSettings::default() })
    }

    pub fn with(settings: SessionSettings) -> Self {
        let now = Instant::now();
        let seed = Seed::from_number(1);
        let session = Session::new(now, Role::Responder, address(1), settings, seed);
        Script { session, start: now, now, keyed: true }
    }

    /// Time passes; due timers run at their time, and what is sent then is lost.
    pub fn pass(&mut self, duration: Duration) -> Vec<Sent> {
        let end = self.now + duration;
        let mut sent = Vec::new();
        while let Some(at) = self.session.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.session.handle_timeout(self.now);
            sent.extend(self.sent());
            let next = self.session.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "a timer that does not move");
        }
        self.now = end;
        sent
    }

    /// Everything that the session sends now.
    pub fn sent(&mut self) -> Vec<Sent> {
        let mut buffer = Vec::new();
        let mut all = Vec::new();
        while let Some(to) = self.session.poll_packet(self.now, false, &mut buffer) {
            assert!(buffer.len() <= 1192);
            all.push(read(to, &buffer));
            assert!(all.len() < 1000, "the session does not stop sending");
        }
        self.session.verify();
        all
    }

    /// The only packet that the session sends now.
    pub fn one(&mut self) -> Sent {
        let mut all = self.sent();
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    pub fn events(&mut self) -> Vec<SessionEvent> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    /// The messages delivered, with other events left out.
    pub fn messages(&mut self) -> Vec<Vec<u8>> {
        let message = |event| match event {
            SessionEvent::Message { octets, .. } => Some(octets),
            _ => None,
        };
        self.events().into_iter().filter_map(message).collect()
    }

    /// A packet with these chunks arrives.
    pub fn arrive(&mut self, chunks: &[Chunk<'_>]) {
        self.arrive_from(address(1), Header::new(Mode::Initiator), chunks);
    }

    pub fn arrive_from(&mut self, from: SocketAddr, header: Header, chunks: &[Chunk<'_>]) {
        let mut packet = Vec::new();
        let mut writer = PacketWriter::new(&mut packet, &header, 1500);
        assert!(chunks.iter().all(|chunk| writer.put(chunk)));
        self.session.handle_packet(self.now, from, &packet, self.keyed);
        self.session.verify();
    }

    pub fn open(&mut self) -> FlowId {
        self.session.open_flow(PLAIN).unwrap()
    }

    pub fn send(&mut self, flow: FlowId, message: &[u8]) {
        self.session.send(self.now, flow, message, None).unwrap();
    }

    pub fn send_for(&mut self, flow: FlowId, message: &[u8], lifetime: Duration) {
        self.session.send(self.now, flow, message, Some(lifetime)).unwrap();
    }

    pub fn command(&mut self, command: SessionCommand) {
        self.session.command(self.now, command);
    }

    /// An acknowledgement arrives.
    pub fn ack(&mut self, flow: FlowId, cumulative: u64, ranges: &[(u64, u64)]) {
        self.ack_with(flow, 64, cumulative, ranges);
    }

    pub fn ack_with(&mut self, flow: FlowId, window: u64, cumulative: u64, ranges: &[(u64, u64)]) {
        let pairs = pairs(cumulative, ranges);
        self.arrive(&[ack(flow.0, window, cumulative, &pairs)]);
    }
}

/// Option list of a flow's first chunk.
pub fn options(metadata: Option<&[u8]>, return_of: Option<u64>) -> Vec<u8> {
    let mut list = Vec::new();
    if let Some(metadata) = metadata {
        option::put(&mut list, 0, metadata);
    }
    if let Some(flow) = return_of {
        let mut value = Vec::new();
        vlu::put(&mut value, flow);
        option::put(&mut list, 10, &value);
    }
    option::put_marker(&mut list);
    list
}

/// The pairs of a Range Ack.
pub fn pairs(cumulative: u64, ranges: &[(u64, u64)]) -> Vec<u8> {
    let (mut pairs, mut cursor) = (Vec::new(), cumulative);
    for &(from, to) in ranges {
        vlu::put(&mut pairs, from - cursor - 2);
        vlu::put(&mut pairs, to - from);
        cursor = to;
    }
    pairs
}

pub fn ack(flow: u64, buffer_available: u64, cumulative: u64, pairs: &[u8]) -> Chunk<'_> {
    Chunk::AckRanges(AckRanges { flow, buffer_available, cumulative, pairs })
}

/// A whole message of a flow that needs no options.
pub fn data(flow: u64, sequence: u64, fsn_offset: u64, octets: &[u8]) -> Chunk<'_> {
    let flags = UserDataFlags::default();
    Chunk::UserData(UserData { flags, flow, sequence, fsn_offset, options: None, data: octets })
}

/// The first chunk of a flow.
pub fn first<'a>(flow: u64, options: &'a [u8], octets: &'a [u8]) -> Chunk<'a> {
    let flags = UserDataFlags::default();
    let options = Some(options);
    Chunk::UserData(UserData { flags, flow, sequence: 1, fsn_offset: 1, options, data: octets })
}

/// The same chunk with other flags.
pub fn flagged<'a>(
    chunk: Chunk<'a>,
    fragment: FragmentControl,
    abandon: bool,
    last: bool,
) -> Chunk<'a> {
    let flags = UserDataFlags { fragment, abandon, last };
    match chunk {
        Chunk::UserData(data) => Chunk::UserData(UserData { flags, ..data }),
        other => other,
    }
}

/// A whole message after the chunk before.
pub fn next(octets: &[u8]) -> Chunk<'_> {
    let flags = UserDataFlags::default();
    Chunk::NextUserData(NextUserData { flags, options: None, data: octets })
}

/// Sends messages one by one and has them acknowledged, up to this number.
pub fn warm_up(script: &mut Script, flow: FlowId, up_to: u64) {
    for number in 1..=up_to {
        script.send(flow, b"message");
        assert_eq!(script.one().data[0].sequence, number);
        script.ack(flow, number, &[]);
    }
}

/// Sends one message; gives its number and forward sequence number.
pub fn send_one(script: &mut Script, flow: FlowId) -> (u64, u64) {
    script.send(flow, b"message");
    let packet = script.one();
    assert_eq!(packet.data.len(), 1, "{packet:?}");
    (packet.data[0].sequence, packet.data[0].forward)
}
