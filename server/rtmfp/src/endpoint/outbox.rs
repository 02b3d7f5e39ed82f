//! What leaves: finished datagrams, and startup packets that leave in pieces.

use crate::chunk::{Chunk, Fragment};
use crate::clock::Clock;
use crate::crypto::Cipher;
use crate::packet::{Header, Mode, PacketWriter};
use crate::params::{CHUNK_HEADER, FRAGMENT_BURST, MAX_PLAIN};
use base::{Protocol, Transmit};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

/// Datagrams that wait; the driver takes them after each input, so more are a flood.
const QUEUE: usize = 1_024;
/// Pieces that wait for their time.
const PIECES: usize = 256;
/// Buffers that wait for use.
const POOL: usize = 64;
/// The octets in front of a piece: chunk type and length, flags, packet ID and number.
const PIECE_HEAD: usize = CHUNK_HEADER + 1 + 10 + 2;

/// Datagrams on their way out.
#[derive(Debug)]
pub(crate) struct Outbox {
    cipher: Cipher,
    queue: VecDeque<Transmit>,
    pieces: VecDeque<(Instant, Transmit)>,
    pool: Vec<Vec<u8>>,
    plain: Vec<u8>,
    next_packet: u64,
    /// Where the clock of timestamps begins, and the clock once the time is known.
    offset_ticks: u16,
    clock: Option<Clock>,
    /// Datagrams that had no room.
    pub(crate) dropped: u64,
}

impl Outbox {
    pub(crate) fn new(offset_ticks: u16) -> Self {
        Outbox {
            cipher: Cipher::startup(),
            queue: VecDeque::new(),
            pieces: VecDeque::new(),
            pool: Vec::new(),
            plain: Vec::new(),
            next_packet: 0,
            offset_ticks,
            clock: None,
            dropped: 0,
        }
    }

    /// An empty buffer.
    pub(crate) fn buffer(&mut self) -> Vec<u8> {
        self.pool.pop().unwrap_or_else(|| Vec::with_capacity(MAX_PLAIN + 96))
    }

    /// Takes a buffer back.
    pub(crate) fn recycle(&mut self, mut buffer: Vec<u8>) {
        if self.pool.len() < POOL && buffer.capacity() >= MAX_PLAIN {
            buffer.clear();
            self.pool.push(buffer);
        }
    }

    /// The octets that a chunk makes as a startup datagram.
    pub(crate) fn startup_length(payload: usize) -> usize {
        let plain = 2 + 3 + CHUNK_HEADER + payload;
        4 + plain.next_multiple_of(16)
    }

    /// The clock of all timestamps.
    pub(crate) fn clock(&mut self, now: Instant) -> Clock {
        *self.clock.get_or_insert_with(|| Clock::new(now, self.offset_ticks))
    }

    /// Sends one chunk in a startup packet, from and to these addresses; in pieces when it is larger
    /// than a path takes.
    pub(crate) fn startup(
        &mut self,
        now: Instant,
        route: (SocketAddr, SocketAddr),
        session: u32,
        chunk: &Chunk<'_>,
    ) {
        let timestamp = Some(self.clock(now).timestamp(now));
        let header = Header { timestamp, ..Header::new(Mode::Startup) };
        let mut plain = std::mem::take(&mut self.plain);
        plain.clear();
        header.put(&mut plain);
        if chunk.put(&mut plain) {
            if plain.len() <= MAX_PLAIN {
                let transmit = self.seal(route, session, &plain);
                self.push(transmit);
            } else {
                self.split(now, route, session, &header, &plain);
            }
        }
        self.plain = plain;
    }

    fn split(
        &mut self,
        now: Instant,
        route: (SocketAddr, SocketAddr),
        session: u32,
        header: &Header,
        plain: &[u8],
    ) {
        let packet = self.next_packet;
        self.next_packet += 1;
        let mut header_octets = Vec::new();
        header.put(&mut header_octets);
        let room = MAX_PLAIN - header_octets.len() - PIECE_HEAD;
        let count = plain.len().div_ceil(room);
        let (burst, pause) = FRAGMENT_BURST;
        let mut buffer = Vec::new();
        let mut leaves_at = now;
        for (number, octets) in plain.chunks(room).enumerate() {
            buffer.clear();
            let more = number + 1 < count;
            let piece = Fragment { more, packet, number: number as u64, octets };
            PacketWriter::new(&mut buffer, header, MAX_PLAIN).put(&Chunk::Fragment(piece));
            let transmit = self.seal(route, session, &buffer);
            if number % burst == 0 && number > 0 {
                leaves_at += pause;
            }
            if leaves_at == now {
                self.push(transmit);
            } else if self.pieces.len() < PIECES {
                let place = self.pieces.partition_point(|(at, _)| *at <= leaves_at);
                self.pieces.insert(place, (leaves_at, transmit));
            } else {
                self.dropped += 1;
            }
        }
    }

    fn seal(
        &mut self,
        (local, remote): (SocketAddr, SocketAddr),
        session: u32,
        plain: &[u8],
    ) -> Transmit {
        let mut payload = self.buffer();
        self.cipher.seal(session, plain, &mut payload);
        Transmit { protocol: Protocol::Udp, local, remote, payload }
    }

    fn push(&mut self, transmit: Transmit) {
        if self.queue.len() < QUEUE {
            self.queue.push_back(transmit);
        } else {
            self.dropped += 1;
            self.recycle(transmit.payload);
        }
    }

    /// Lets time pass: pieces whose time has come leave.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        while self.pieces.front().is_some_and(|(at, _)| *at <= now) {
            if let Some((_, transmit)) = self.pieces.pop_front() {
                self.push(transmit);
            }
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.pieces.front().map(|(at, _)| *at)
    }

    pub(crate) fn pop(&mut self) -> Option<Transmit> {
        self.queue.pop_front()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::chunk::RHello;
    use crate::crypto::cipher;
    use crate::packet;
    use crate::startup::fragments::Reassembly;
    use std::time::Duration;

    #[test]
    fn a_large_packet_leaves_in_pieces_three_every_200_ms() {
        let route = (SocketAddr::from(([192, 0, 2, 1], 1)), SocketAddr::from(([192, 0, 2, 2], 2)));
        let certificate = vec![7; 9_000];
        let hello = RHello { tag_echo: b"tag", cookie: b"cookie", certificate: &certificate };
        let start = Instant::now();
        let mut out = Outbox::new(0);
        out.startup(start, route, 0, &Chunk::RHello(hello));
        let (mut now, mut sent, mut whole) = (start, Vec::new(), None);
        let (mut startup, mut scratch) = (Cipher::startup(), Vec::new());
        let mut reassembly = Reassembly::default();
        loop {
            let mut octets = 0;
            let mut count = 0;
            while let Some(transmit) = out.pop() {
                octets += transmit.payload.len();
                count += 1;
                let (_, encrypted) = cipher::session_id(&transmit.payload).unwrap();
                let plain = startup.open(encrypted, &mut scratch).unwrap();
                let (header, mut chunks) = packet::parse(plain).unwrap();
                let Some(Chunk::Fragment(piece)) = chunks.next() else { panic!() };
                whole = whole.or(reassembly.handle(now, route.1, header.mode, &piece));
            }
            assert!(octets <= 4_380, "{octets} octets at once");
            sent.push(count);
            let Some(at) = out.poll_timeout() else { break };
            assert_eq!(at, now + Duration::from_millis(200));
            now = at;
            out.handle_timeout(now);
        }
        assert_eq!(sent, [3, 3, 2]);
        let whole = whole.unwrap();
        let (_, mut chunks) = packet::parse(&whole).unwrap();
        assert_eq!(chunks.next(), Some(Chunk::RHello(hello)));
    }
}
