#![allow(clippy::unwrap_used)]
use super::*;
use crate::numbers::REPORT_EVERY;
use std::collections::VecDeque;

const TICK: Duration = Duration::from_millis(20);
pub(super) const SOUND: [u8; 160] = [0x55; 160];

pub(super) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(super) fn payloads() -> PayloadMap {
    PayloadMap { codecs: vec![(Codec::Pcma, 8, 8)], telephone_events: vec![(8000, 101, 101)] }
}

pub(super) fn end(
    local: u16,
    remote: u16,
    mux: bool,
    payloads: PayloadMap,
    seed: u64,
) -> StreamEnd {
    let at = |port| SocketAddr::from(([127, 0, 0, 1], port));
    let settings = StreamSettings {
        local_rtp: at(local),
        local_rtcp: (!mux).then(|| at(local + 1)),
        remote: Remote { rtp: at(remote), rtcp: at(remote + u16::from(!mux)), mux },
        payloads,
        cname: "end".into(),
    };
    StreamEnd::new(settings, &mut Seed::from_number(seed))
}

/// One frame of a talk by its number.
pub(super) fn frame(n: u64, received_at: Instant) -> Frame<'static> {
    Frame {
        codec: Codec::Pcma,
        payload: &SOUND,
        sequence: n,
        timestamp: n as u32 * 160,
        marker: n == 0,
        received_at,
    }
}

/// What reached one end, in its order.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) frames: Vec<(u64, u32)>,
    pub(super) octets: Vec<usize>,
    pub(super) digits: String,
    byes: u32,
}

struct Crossing {
    due: Instant,
    local: SocketAddr,
    remote: SocketAddr,
    octets: Vec<u8>,
}

/// Two stream ends and the wire between them, in virtual time.
pub(super) struct World {
    pub(super) now: Instant,
    start: Instant,
    pub(super) ends: [StreamEnd; 2],
    pub(super) heard: [Heard; 2],
    /// All that was put on the wire.
    pub(super) carried: Vec<Vec<u8>>,
    wire: VecDeque<Crossing>,
    seed: Seed,
    delay: Duration,
    /// In a thousand: losses, repeats; and the greatest extra delay in milliseconds.
    pub(super) loss: u64,
    pub(super) repeats: u64,
    pub(super) spread: u64,
    sent: [u64; 2],
}

impl World {
    fn new(a: StreamEnd, b: StreamEnd) -> World {
        let now = Instant::now();
        World {
            now,
            start: now,
            ends: [a, b],
            heard: Default::default(),
            carried: Vec::new(),
            wire: VecDeque::new(),
            seed: Seed::from_number(1),
            delay: Duration::from_millis(10),
            loss: 0,
            repeats: 0,
            spread: 0,
            sent: [0, 0],
        }
    }

    pub(super) fn pair(mux: bool) -> World {
        World::new(end(4000, 5000, mux, payloads(), 1), end(5000, 4000, mux, payloads(), 2))
    }

    fn carry(&mut self, local: SocketAddr, remote: SocketAddr, octets: &[u8]) {
        self.carried.push(octets.into());
        let copies = match () {
            () if self.seed.below(1000) < self.loss => 0,
            () if self.seed.below(1000) < self.repeats => 2,
            () => 1,
        };
        for _ in 0..copies {
            let extra = Duration::from_millis(self.seed.below(self.spread + 1));
            let due = self.now + self.delay + extra;
            // Addresses swap their roles on the way.
            let crossing = Crossing { due, local: remote, remote: local, octets: octets.into() };
            self.wire.push_back(crossing);
        }
    }

    fn send(&mut self, from: usize) {
        let n = self.sent[from];
        self.sent[from] += 1;
        let frame = Frame { sequence: 70_000 + n, marker: false, ..frame(n, self.now) };
        let mut buffer = [0; 600];
        let mut made = self.ends[from].send_frame(self.now, &frame, &mut buffer);
        while let Some(out) = made {
            let local = self.ends[from].local_rtp;
            self.carry(local, out.to, &buffer[..out.length]);
            made = self.ends[from].send_more(self.now, &mut buffer);
        }
    }

    /// Runs one millisecond: deliveries, deadlines, output.
    fn step(&mut self) {
        self.now += Duration::from_millis(1);
        let now = self.now;
        let (due, later): (Vec<_>, Vec<_>) =
            self.wire.drain(..).partition(|crossing| crossing.due <= now);
        self.wire.extend(later);
        for Crossing { local, remote, octets, .. } in due {
            let to = self
                .ends
                .iter()
                .position(|end| end.local_rtp == local || end.local_rtcp == Some(local));
            let Some(to) = to else { continue };
            let datagram = Datagram { protocol: Protocol::Udp, local, remote, payload: &octets };
            match self.ends[to].handle_datagram(now, &datagram, &mut [0; 400]) {
                Some(Received::Frame(frame)) => {
                    assert!(frame.payload.iter().all(|octet| *octet == SOUND[0]));
                    self.heard[to].octets.push(frame.payload.len());
                    self.heard[to].frames.push((frame.sequence, frame.timestamp));
                }
                Some(Received::Digit(digit)) => self.heard[to].digits.push(digit.digit),
                Some(Received::Bye) => self.heard[to].byes += 1,
                Some(Received::Noise(_)) | None => {}
            }
        }
        for index in 0..2 {
            if self.ends[index].poll_timeout().is_some_and(|at| at <= now) {
                self.ends[index].handle_timeout(now);
            }
            while let Some(Event::Digit(digit)) = self.ends[index].poll_event(now) {
                self.heard[index].digits.push(digit.digit);
            }
            while let Some(transmit) = self.ends[index].poll_transmit(now) {
                self.carry(transmit.local, transmit.remote, &transmit.payload);
            }
        }
    }

    /// Both ends talk for so many frames of 20 ms.
    pub(super) fn talk(&mut self, frames: u32) {
        for _ in 0..frames {
            self.send(0);
            self.send(1);
            (0..20).for_each(|_| self.step());
        }
    }

    pub(super) fn settle(&mut self) {
        (0..500).for_each(|_| self.step());
    }
}

#[test]
fn two_ends_hear_each_other_frame_by_frame() {
    let mut world = World::pair(false);
    world.talk(100);
    world.settle();
    for heard in &world.heard {
        assert_eq!(heard.frames.len(), 100);
        assert!(heard.frames.windows(2).all(|w| w[1].0 == w[0].0 + 1));
        assert!(heard.frames.windows(2).all(|w| w[1].1.wrapping_sub(w[0].1) == 160));
    }
    let statistics = world.ends[0].statistics();
    assert_eq!((statistics.packets_sent, statistics.octets_sent), (100, 16_000));
    assert_eq!((statistics.packets_received, statistics.octets_received), (100, 16_000));
    assert_eq!((statistics.lost, statistics.refused, statistics.dropped), (0, 0, 0));
}

#[test]
fn digits_cross_and_take_the_place_of_sound_without_a_gap() {
    let mut world = World::pair(false);
    world.talk(20);
    world.ends[0].send_digits(world.now, "12#").unwrap();
    world.talk(60);
    world.settle();
    assert_eq!(world.heard[1].digits, "12#");
    let frames = &world.heard[1].frames;
    // Each event lasts 120 ms from its first packet to its last: six or seven frames are held back.
    assert!((80 - 3 * 7..=80 - 3 * 6).contains(&frames.len()), "{}", frames.len());
    assert!(frames.windows(2).all(|w| w[1].0 == w[0].0 + 1));
    // Time goes on during the digits.
    let passed = frames.last().unwrap().1.wrapping_sub(frames[0].1);
    assert_eq!(passed, 79 * 160);
    assert_eq!(world.ends[1].statistics().lost, 0);
}

#[test]
fn digits_need_a_payload_type_and_follow_the_clock_rate_of_the_sound() {
    let now = Instant::now();
    let none = PayloadMap { telephone_events: vec![], ..payloads() };
    let mut mute = end(4000, 5000, false, none, 1);
    assert_eq!(mute.send_digits(now, "1"), Err(DigitsError::NotNegotiated));
    let both = PayloadMap {
        codecs: vec![(Codec::Opus, 111, 111), (Codec::Pcma, 8, 8)],
        telephone_events: vec![(8000, 101, 101), (48_000, 110, 110)],
    };
    let mut end = end(4000, 5000, false, both, 1);
    end.send_digits(now, "1").unwrap();
    let packet = end.poll_transmit(now).unwrap();
    let packet = Packet::parse(&packet.payload).unwrap();
    assert_eq!((packet.payload_type, packet.payload[3..].len()), (110, 1));
    assert_eq!(packet.payload[2..], 960u16.to_be_bytes());
}

#[test]
fn each_side_is_sent_the_payload_types_that_it_asked_for() {
    let swap = |map: &PayloadMap| PayloadMap {
        codecs: map.codecs.iter().map(|e| (e.0, e.2, e.1)).collect(),
        telephone_events: map.telephone_events.iter().map(|e| (e.0, e.2, e.1)).collect(),
    };
    let ours =
        PayloadMap { codecs: vec![(Codec::Pcma, 100, 8)], telephone_events: vec![(8000, 99, 101)] };
    let a = end(4000, 5000, false, ours.clone(), 1);
    let b = end(5000, 4000, false, swap(&ours), 2);
    let mut world = World::new(a, b);
    world.ends[0].send_digits(world.now, "5").unwrap();
    world.talk(20);
    world.settle();
    assert_eq!(world.heard[1].digits, "5");
    assert_eq!(world.heard[0].frames.len(), 20);
}

#[test]
fn reports_tell_round_trip_and_loss_on_both_ways_of_rtcp() {
    for mux in [false, true] {
        let mut world = World::pair(mux);
        world.delay = Duration::from_millis(40);
        world.loss = 100;
        world.talk(60 * 50);
        let statistics = world.ends[0].statistics();
        let round_trip = statistics.round_trip_ms.unwrap();
        assert!((round_trip - 80.0).abs() < 3.0, "mux {mux}: {round_trip}");
        assert!((200..400).contains(&statistics.remote_lost), "{statistics:?}");
        assert!((200..400).contains(&statistics.lost), "{statistics:?}");
        assert!(statistics.remote_loss > 0.0);
    }
}

#[test]
fn reports_leave_every_five_seconds_on_average_and_never_in_step() {
    let mut end = end(4000, 5000, false, payloads(), 5);
    let start = Instant::now();
    end.handle_timeout(start);
    let mut times = Vec::new();
    while times.len() < 200 {
        let at = end.poll_timeout().unwrap();
        end.handle_timeout(at);
        let transmit = end.poll_transmit(at).unwrap();
        assert_eq!(transmit.remote.port(), 5001);
        assert_eq!(end.poll_transmit(at), None);
        times.push(at);
    }
    let gaps: Vec<_> = times.windows(2).map(|w| w[1] - w[0]).collect();
    assert!(gaps.iter().all(|gap| *gap >= REPORT_EVERY / 2 && *gap <= REPORT_EVERY * 3 / 2));
    let distinct: std::collections::BTreeSet<_> = gaps.iter().collect();
    assert!(distinct.len() > 150, "{} distinct gaps", distinct.len());
    let mean = (times[199] - times[0]) / 199;
    assert!(mean > Duration::from_millis(4600) && mean < Duration::from_millis(5400));
}

#[test]
fn the_close_says_goodbye_once_and_ends_everything() {
    let mut world = World::pair(false);
    world.talk(10);
    world.ends[0].close();
    world.settle();
    assert_eq!(world.heard[1].byes, 1);
    let now = world.now;
    let end = &mut world.ends[0];
    assert_eq!((end.poll_transmit(now), end.poll_timeout()), (None, None));
    let before = world.heard[1].frames.len();
    world.talk(5);
    world.settle();
    assert_eq!(world.heard[1].frames.len(), before);
}

#[test]
fn a_stranger_is_neither_heard_nor_talked_to() {
    let mut world = World::pair(false);
    world.talk(10);
    let stranger = address("198.51.100.66:6666");
    let mut buffer = [0; 200];
    for n in 0..50u16 {
        let packet = Packet {
            payload_type: 8,
            marker: false,
            sequence: n,
            timestamp: 0,
            ssrc: 66,
            payload: &SOUND,
        };
        let length = packet.write(&mut buffer).unwrap();
        let local = world.ends[1].local_rtp;
        let payload = &buffer[..length];
        let datagram = Datagram { protocol: Protocol::Udp, local, remote: stranger, payload };
        assert!(world.ends[1].handle_datagram(world.now, &datagram, &mut [0; 400]).is_none());
        world.talk(1);
    }
    assert_eq!(world.ends[1].target(), address("127.0.0.1:4000"));
    assert_eq!(world.ends[1].statistics().refused, 50);
    assert_eq!(world.heard[1].frames.len(), 60);
}

#[test]
fn a_foreign_goodbye_ends_nothing() {
    let mut world = World::pair(false);
    world.talk(10);
    let mut writer = crate::rtcp::Writer::new();
    writer.report(1, None, &[]);
    writer.bye(world.ends[0].ssrc());
    let wire = writer.finish();
    let local = world.ends[1].local_rtcp.unwrap();
    let remote = address("198.51.100.66:6667");
    let datagram = Datagram { protocol: Protocol::Udp, local, remote, payload: &wire };
    assert!(world.ends[1].handle_datagram(world.now, &datagram, &mut [0; 400]).is_none());
}

#[test]
fn a_re_offer_moves_the_stream_and_the_numbers_go_on() {
    let mut world = World::pair(false);
    world.talk(10);
    world.settle();
    // The far end is replaced by another one at a new address, with a new SSRC.
    world.ends[0] = end(6000, 5000, false, payloads(), 77);
    let rtp = address("127.0.0.1:6000");
    let rtcp = address("127.0.0.1:6001");
    world.ends[1].set_remote(Remote { rtp, rtcp, mux: false }, payloads());
    assert_eq!(world.ends[1].target(), rtp);
    world.talk(10);
    world.settle();
    let frames = &world.heard[1].frames;
    assert_eq!(frames.len(), 20);
    assert!(frames.windows(2).all(|w| w[1].0 == w[0].0 + 1));
    assert!(frames.windows(2).all(|w| w[1].1.wrapping_sub(w[0].1) as i32 > 0));
    assert_eq!(world.heard[0].frames.len(), 20);
}

#[test]
fn a_peer_without_an_address_is_sent_nothing() {
    let mut world = World::pair(false);
    world.talk(5);
    world.settle();
    let heard = world.heard[1].frames.len();
    let hold = Remote { rtp: address("0.0.0.0:5000"), rtcp: address("0.0.0.0:5001"), mux: false };
    world.ends[0].set_remote(hold, payloads());
    world.ends[0].send_digits(world.now, "1").unwrap();
    world.talk(600);
    assert_eq!(world.heard[1].frames.len(), heard);
    assert_eq!(world.heard[1].digits, "");
    // Its goodbye has nowhere to go either, and the digit was played out in silence.
    world.ends[0].close();
    assert_eq!(world.ends[0].poll_transmit(world.now), None);
}

#[test]
fn a_peer_that_echoes_every_packet_is_heard_as_a_peer() {
    let mut end = end(4000, 5000, false, payloads(), 1);
    let now = Instant::now();
    let mut buffer = [0; 200];
    let mut heard = 0;
    for n in 0..10u32 {
        let out = end.send_frame(now + TICK * n, &frame(n.into(), now), &mut buffer).unwrap();
        let payload = &buffer[..out.length];
        let (local, remote) = (end.local_rtp, out.to);
        let datagram = Datagram { protocol: Protocol::Udp, local, remote, payload };
        let mut scratch = [0; 400];
        let got = end.handle_datagram(now + TICK * n, &datagram, &mut scratch);
        heard += u32::from(matches!(got, Some(Received::Frame(_))));
    }
    assert_eq!(heard, 10);
}

#[test]
fn a_new_source_is_heard_typing_although_its_time_line_starts_lower() {
    let mut end = end(4000, 5000, false, payloads(), 1);
    let now = Instant::now();
    let mut digits = String::new();
    for (ssrc, timestamp) in [(1, 1_000_000), (2, 500)] {
        for sequence in 0..3u16 {
            let event = [4 + ssrc as u8, 0x80, 3, 0x20];
            let packet = Packet {
                payload_type: 101,
                marker: sequence == 0,
                sequence,
                timestamp,
                ssrc,
                payload: &event,
            };
            let mut buffer = [0; 16];
            packet.write(&mut buffer).unwrap();
            let (local, remote) = (address("127.0.0.1:4000"), address("127.0.0.1:5000"));
            let datagram = Datagram { protocol: Protocol::Udp, local, remote, payload: &buffer };
            if let Some(Received::Digit(digit)) = end.handle_datagram(now, &datagram, &mut [0; 400])
            {
                digits.push(digit.digit);
            }
        }
    }
    assert_eq!(digits, "56");
}

#[test]
fn comfort_noise_and_other_unknown_payloads_are_no_loss() {
    let mut end = end(4000, 5000, false, payloads(), 1);
    let now = Instant::now();
    let mut take = |payload_type, sequence| {
        let mut buffer = [0; 200];
        let (timestamp, ssrc) = (0, 1);
        let packet =
            Packet { payload_type, marker: false, sequence, timestamp, ssrc, payload: &[1] };
        let length = packet.write(&mut buffer).unwrap();
        let (local, remote) = (address("127.0.0.1:4000"), address("127.0.0.1:5000"));
        let payload = &buffer[..length];
        let datagram = Datagram { protocol: Protocol::Udp, local, remote, payload };
        match end.handle_datagram(now, &datagram, &mut [0; 400]) {
            Some(Received::Frame(frame)) => Some(frame.sequence),
            Some(Received::Noise(level)) => Some(u64::from(level)),
            _ => None,
        }
    };
    // Nobody is latched by an unknown payload type.
    assert_eq!(take(13, 9), None);
    let first = take(8, 10).unwrap();
    assert_eq!(take(13, 11), Some(1), "the level of a pause");
    assert_eq!(take(99, 12), None);
    assert_eq!(take(8, 13), Some(first + 1));
    let statistics = end.statistics();
    assert_eq!((statistics.lost, statistics.refused, statistics.dropped), (0, 1, 1));
}

#[test]
fn over_a_bad_wire_digits_come_once_and_frames_keep_their_places() {
    for number in 0..60 {
        let mut world = World::pair(number % 2 == 0);
        world.seed = Seed::from_number(number);
        // Digits survive as long as one of seven packets does.
        (world.loss, world.repeats, world.spread) = (80, 60, 35);
        world.talk(10);
        world.ends[0].send_digits(world.now, "0123456789").unwrap();
        world.ends[1].send_digits(world.now, "*#ABCD").unwrap();
        world.talk(120);
        world.settle();
        assert_eq!(world.heard[1].digits, "0123456789", "seed {number}");
        assert_eq!(world.heard[0].digits, "*#ABCD", "seed {number}");
        for heard in &world.heard {
            let mut frames = heard.frames.clone();
            frames.sort_unstable();
            frames.dedup_by_key(|frame| frame.0);
            assert_eq!(frames.len(), heard.frames.len(), "seed {number}: a frame came twice");
            let rises = frames.windows(2).all(|w| w[1].1.wrapping_sub(w[0].1) as i32 > 0);
            assert!(rises, "seed {number}");
        }
        assert!(world.start < world.now);
    }
}
