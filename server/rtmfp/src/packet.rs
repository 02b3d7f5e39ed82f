//! Plain packets: a header, chunks, padding (RFC 7016 section 2.2.4).

use crate::chunk::{self, Chunk, NextUserData, UserData};
use crate::octets::Reader;
use crate::params::{self, CHUNK_HEADER};

/// Who marks a packet how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Not allowed: the packet is discarded.
    Forbidden,
    /// From the session's initiator.
    Initiator,
    /// From the session's responder.
    Responder,
    /// Of session startup.
    Startup,
}

/// The header of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The packet carries real-time data.
    pub time_critical: bool,
    /// The sender receives real-time data on other sessions.
    pub time_critical_reverse: bool,
    /// The mode.
    pub mode: Mode,
    /// The sender's clock in ticks of 4 ms, its low 16 bits.
    pub timestamp: Option<u16>,
    /// What the receiver's timestamp would be now, by what the sender saw of it.
    pub timestamp_echo: Option<u16>,
}

impl Header {
    /// A header without flags and times.
    pub fn new(mode: Mode) -> Self {
        Header {
            time_critical: false,
            time_critical_reverse: false,
            mode,
            timestamp: None,
            timestamp_echo: None,
        }
    }

    fn flags(&self) -> u8 {
        let mode = match self.mode {
            Mode::Forbidden => 0,
            Mode::Initiator => 1,
            Mode::Responder => 2,
            Mode::Startup => 3,
        };
        u8::from(self.time_critical) << 7
            | u8::from(self.time_critical_reverse) << 6
            | u8::from(self.timestamp.is_some()) << 3
            | u8::from(self.timestamp_echo.is_some()) << 2
            | mode
    }

    /// Appends the header, 1 to 5 octets.
    pub fn put(&self, to: &mut Vec<u8>) {
        to.push(self.flags());
        for time in [self.timestamp, self.timestamp_echo].into_iter().flatten() {
            to.extend(time.to_be_bytes());
        }
    }
}

/// Reads a plain packet. `None` when the header is cut or the mode forbidden.
pub fn parse(plain: &[u8]) -> Option<(Header, Chunks<'_>)> {
    let mut reader = Reader::new(plain);
    let flags = reader.u8()?;
    let mode = match flags & 3 {
        0 => return None,
        1 => Mode::Initiator,
        2 => Mode::Responder,
        _ => Mode::Startup,
    };
    let timestamp = if flags & 8 != 0 { Some(reader.u16()?) } else { None };
    let timestamp_echo = if flags & 4 != 0 { Some(reader.u16()?) } else { None };
    let header = Header {
        time_critical: flags & 0x80 != 0,
        time_critical_reverse: flags & 0x40 != 0,
        mode,
        timestamp,
        timestamp_echo,
    };
    Some((header, Chunks { reader, mode, skipped: 0 }))
}

/// The chunks of a packet that belong in it, up to the padding. Malformed and misplaced chunks are
/// left out and counted; padding chunks are left out.
#[derive(Clone)]
pub struct Chunks<'a> {
    reader: Reader<'a>,
    mode: Mode,
    skipped: u32,
}

impl Chunks<'_> {
    /// How many chunks were left out so far.
    pub fn skipped(&self) -> u32 {
        self.skipped
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        loop {
            let kind = self.reader.u8()?;
            let length = self.reader.u16()?;
            let Some(payload) = self.reader.take(usize::from(length)) else {
                // Padding from here on.
                self.reader = Reader::new(&[]);
                return None;
            };
            if params::chunk::PADDING.contains(&kind) {
                continue;
            }
            match Chunk::parse(kind, payload) {
                Some(chunk) if chunk.belongs_in(self.mode) => return Some(chunk),
                _ => self.skipped += 1,
            }
        }
    }
}

/// Writes one packet into a buffer, at or below a size. A chunk that has no room is not written.
pub struct PacketWriter<'a> {
    buffer: &'a mut Vec<u8>,
    start: usize,
    chunks: usize,
    end: usize,
}

impl<'a> PacketWriter<'a> {
    /// Begins a packet of at most `limit` octets at the end of `buffer`.
    pub fn new(buffer: &'a mut Vec<u8>, header: &Header, limit: usize) -> Self {
        let start = buffer.len();
        header.put(buffer);
        let chunks = buffer.len();
        PacketWriter { buffer, start, chunks, end: start + limit }
    }

    /// The payload octets that one more chunk can have.
    pub fn room(&self) -> usize {
        self.end.saturating_sub(self.buffer.len() + CHUNK_HEADER).min(usize::from(u16::MAX))
    }

    /// Whether a chunk with so many octets of payload has room.
    pub fn fits(&self, payload: usize) -> bool {
        self.buffer.len() + CHUNK_HEADER + payload <= self.end && payload <= usize::from(u16::MAX)
    }

    /// Whether no chunk was written yet.
    pub fn is_empty(&self) -> bool {
        self.buffer.len() == self.chunks
    }

    /// The octets of the packet so far.
    pub fn len(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Writes a chunk; false and nothing written when it has no room.
    pub fn put(&mut self, chunk: &Chunk<'_>) -> bool {
        let before = self.buffer.len();
        let written = chunk.put(self.buffer) && self.buffer.len() <= self.end;
        if !written {
            self.buffer.truncate(before);
        }
        written
    }

    /// Writes user data.
    pub fn user_data(&mut self, chunk: UserData<'_>) -> bool {
        self.put(&Chunk::UserData(chunk))
    }

    /// Writes user data that follows on the chunk written last, which has to be user data too.
    pub fn next_user_data(&mut self, chunk: NextUserData<'_>) -> bool {
        self.put(&Chunk::NextUserData(chunk))
    }

    /// Writes a Range Ack. `ranges` are first and last numbers, ascending, not touching each other,
    /// from `cumulative + 2` on. Where not all have room: with `truncate` as many as have, else
    /// nothing is written. Says whether a chunk was written.
    pub fn ack_ranges(
        &mut self,
        flow: u64,
        buffer_available: u64,
        cumulative: u64,
        ranges: impl Iterator<Item = (u64, u64)>,
        truncate: bool,
    ) -> bool {
        let (before, room) = (self.buffer.len(), self.room());
        self.buffer.extend([params::chunk::ACK_RANGES, 0, 0]);
        let head = (flow, buffer_available, cumulative);
        let all = chunk::put_ranges(self.buffer, head, ranges, room);
        let written = self.buffer.len() > before + CHUNK_HEADER
            && (all || truncate)
            && self.buffer.len() <= self.end
            && chunk::close(self.buffer, before);
        if !written {
            self.buffer.truncate(before);
        }
        written
    }

    /// Writes a padding chunk with so many octets of payload, as path MTU probes need it.
    pub fn padding(&mut self, payload: usize) -> bool {
        if !self.fits(payload) {
            return false;
        }
        let before = self.buffer.len();
        self.buffer.extend([0, 0, 0]);
        self.buffer.resize(before + CHUNK_HEADER + payload, 0);
        chunk::close(self.buffer, before)
    }

    /// Changes the two time-critical flags of the header, which may be known only at the end.
    pub fn mark(&mut self, time_critical: bool, time_critical_reverse: bool) {
        if let Some(flags) = self.buffer.get_mut(self.start) {
            let marks = u8::from(time_critical) << 7 | u8::from(time_critical_reverse) << 6;
            *flags = *flags & 0x3f | marks;
        }
    }

    /// Takes the packet back, as if it had not been begun.
    pub fn discard(self) {
        self.buffer.truncate(self.start);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn header() -> Header {
        Header { timestamp: Some(0x1234), timestamp_echo: Some(7), ..Header::new(Mode::Responder) }
    }

    #[test]
    fn a_packet_comes_back_with_its_header_and_chunks() {
        let mut buffer = b"before".to_vec();
        let mut writer = PacketWriter::new(&mut buffer, &header(), 100);
        assert!(writer.is_empty());
        assert!(writer.put(&Chunk::Ping(b"hello")));
        assert!(writer.padding(4));
        assert!(writer.ack_ranges(1, 64, 3, [(5, 9)].into_iter(), false));
        writer.mark(true, true);
        assert!(!writer.is_empty());
        let length = writer.len();
        buffer.extend([0xff; 9]);
        assert_eq!(buffer.len(), 6 + length + 9);
        let (read, mut chunks) = parse(&buffer[6..]).unwrap();
        let marked = Header { time_critical: true, time_critical_reverse: true, ..header() };
        assert_eq!(read, marked);
        assert_eq!(chunks.next(), Some(Chunk::Ping(b"hello")));
        let Some(Chunk::AckRanges(ack)) = chunks.next() else { panic!() };
        assert_eq!(ack.ranges().collect::<Vec<_>>(), [(5, 9)]);
        assert_eq!((chunks.next(), chunks.skipped()), (None, 0));
    }

    #[test]
    fn a_forbidden_mode_and_a_cut_header_are_refused() {
        assert!(parse(&[0x08, 0, 0]).is_none());
        assert!(parse(&[]).is_none());
        assert!(parse(&[0x0d, 0, 0, 1]).is_none());
        assert!(parse(&[0x01]).is_some());
    }

    #[test]
    fn malformed_and_misplaced_chunks_are_left_out_and_counted() {
        let mut plain = vec![0x01];
        plain.extend([0x18, 0, 0]);
        plain.extend([0x30, 0, 1, 0]);
        plain.extend([0x00, 0, 2, 9, 9]);
        plain.extend([0x0c, 0, 0, 0xff]);
        let (_, mut chunks) = parse(&plain).unwrap();
        assert_eq!(chunks.next(), Some(Chunk::CloseRequest));
        assert_eq!((chunks.next(), chunks.skipped()), (None, 2));
    }

    #[test]
    fn chunks_without_room_are_not_written() {
        let mut buffer = Vec::new();
        let mut writer = PacketWriter::new(&mut buffer, &header(), 20);
        assert_eq!(writer.room(), 12);
        assert!(writer.fits(12) && !writer.fits(13));
        assert!(!writer.put(&Chunk::Ping(&[0; 13])));
        assert!(!writer.ack_ranges(1, 1, 1, (1..9).map(|at| (2 * at + 1, 2 * at + 1)), false));
        assert_eq!(writer.len(), 5);
        assert!(writer.ack_ranges(1, 1, 1, (1..9).map(|at| (2 * at + 1, 2 * at + 1)), true));
        assert_eq!((writer.len(), writer.room()), (19, 0));
        writer.discard();
        assert!(buffer.is_empty());
    }
}
