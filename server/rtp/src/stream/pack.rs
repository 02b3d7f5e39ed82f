//! Packets of the length that the peer asks for (`a=ptime`, `a=maxptime`), out of frames of 20 ms.
//!
//! G.711 and G.722 can be cut and joined anywhere: eight octets last a millisecond, and a millisecond
//! is eight units of their clock. Frames of Opus and Speex stay what they are; every receiver of those
//! takes 20 ms.

use base::{Codec, Frame};
use std::time::Instant;

/// Octets, and units of the clock, of one millisecond.
const PER_MS: usize = 8;
/// The longest packet that is made: 60 ms.
const LONGEST_MS: usize = 60;
/// Room for all but the last octet of a packet, and a frame of 60 ms behind it.
const ROOM: usize = LONGEST_MS * PER_MS * 2;
/// Numbers that are left out where the source changes, so that it is seen as another.
const JUMP: u64 = 1 << 20;
/// A step of more numbers is no loss.
const LOSS_MAX: u64 = 100;

/// Where the next packet begins.
#[derive(Clone, Copy, Debug)]
struct Head {
    codec: Codec,
    timestamp: u32,
    marker: bool,
    received_at: Instant,
}

/// Cuts and joins. Boxed by its owner: it is only there for a peer that wants other than 20 ms.
pub(super) struct Packer {
    /// Octets of each packet.
    length: usize,
    octets: [u8; ROOM],
    /// Octets that wait, and where they begin.
    held: usize,
    head: Option<Head>,
    /// The number and the end of the newest frame that came.
    newest: Option<(u64, u32)>,
    /// The number of the next packet.
    next: u64,
    /// What was made last, at the front of `out`.
    out: [u8; ROOM],
}

impl Packer {
    /// Packets of so many milliseconds, 10 to 60; `None` for the 20 that frames have anyway.
    pub(super) fn new(milliseconds: u32) -> Option<Packer> {
        let milliseconds = (milliseconds as usize).clamp(10, LONGEST_MS);
        (milliseconds != 20).then_some(Packer {
            length: milliseconds * PER_MS,
            octets: [0; ROOM],
            held: 0,
            head: None,
            newest: None,
            next: JUMP,
            out: [0; ROOM],
        })
    }

    /// Octets of each packet that it makes.
    pub(super) fn length(&self) -> usize {
        self.length
    }

    /// Whether a frame is to go this way.
    pub(super) fn takes(frame: &Frame<'_>) -> bool {
        let cuttable = matches!(frame.codec, Codec::Pcma | Codec::Pcmu | Codec::G722);
        cuttable && frame.payload.len() <= LONGEST_MS * PER_MS
    }

    /// Takes one frame. Where it does not go on from the one before, what is held comes out short.
    /// Late frames are left out: their place has been sent.
    pub(super) fn insert(&mut self, frame: &Frame<'_>) -> Option<Frame<'_>> {
        let step = self.newest.map_or(u64::MAX, |(newest, _)| frame.sequence.wrapping_sub(newest));
        let follows = step == 1
            && self.newest.is_some_and(|(_, end)| end == frame.timestamp)
            && self.head.is_none_or(|head| head.codec == frame.codec)
            && !frame.marker;
        let behind = self.newest.is_some_and(|(newest, _)| {
            frame.sequence <= newest && newest - frame.sequence < LOSS_MAX
        });
        if behind {
            return None;
        }
        let end = frame.timestamp.wrapping_add(frame.payload.len() as u32);
        self.newest = Some((frame.sequence, end));
        let mut short = 0;
        if !follows {
            short = self.held;
            self.flush();
        }
        let (number, head) = (self.next, self.head);
        if short > 0 {
            self.next += 1;
        }
        match step {
            1 => {}
            // What was lost on the way here is a loss there too.
            2..=LOSS_MAX => {
                let lost = (step - 1) as usize * 20 * PER_MS;
                self.next += (lost / self.length).max(1) as u64;
            }
            _ => self.next += JUMP,
        }
        if self.held == 0 {
            self.head = Some(Head {
                codec: frame.codec,
                timestamp: frame.timestamp,
                marker: frame.marker,
                received_at: frame.received_at,
            });
        }
        let room = self.octets.get_mut(self.held..self.held + frame.payload.len())?;
        room.copy_from_slice(frame.payload);
        self.held += frame.payload.len();
        if short > 0 {
            return frame_of(self.out.get(..short)?, head?, number);
        }
        self.next_packet()
    }

    /// The next whole packet of what is held.
    pub(super) fn next_packet(&mut self) -> Option<Frame<'_>> {
        if self.held < self.length {
            return None;
        }
        let head = self.head?;
        self.out.get_mut(..self.length)?.copy_from_slice(self.octets.get(..self.length)?);
        self.octets.copy_within(self.length..self.held, 0);
        self.held -= self.length;
        let timestamp = head.timestamp.wrapping_add(self.length as u32);
        self.head = Some(Head { timestamp, marker: false, ..head });
        let number = self.next;
        self.next += 1;
        frame_of(self.out.get(..self.length)?, head, number)
    }

    /// Forgets what is held: digits take its place.
    pub(super) fn clear(&mut self) {
        self.held = 0;
        self.newest = None;
    }

    /// Moves what is held to where it is lent out from.
    fn flush(&mut self) {
        let held = self.held;
        if let (Some(out), Some(octets)) = (self.out.get_mut(..held), self.octets.get(..held)) {
            out.copy_from_slice(octets);
        }
        self.held = 0;
    }
}

fn frame_of(payload: &[u8], head: Head, sequence: u64) -> Option<Frame<'_>> {
    let Head { codec, timestamp, marker, received_at } = head;
    Some(Frame { codec, payload, sequence, timestamp, marker, received_at })
}

impl std::fmt::Debug for Packer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Packer({} octets of {})", self.held, self.length)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Gives frames of 20 ms and takes packets: number, time, marker, octets.
    fn pack(packer: &mut Packer, frames: &[(u64, u32, bool)]) -> Vec<(u64, u32, bool, Vec<u8>)> {
        let now = Instant::now();
        let mut packets = Vec::new();
        for (sequence, timestamp, marker) in frames.iter().copied() {
            let payload: Vec<u8> = (0..160).map(|n| (timestamp + n) as u8).collect();
            let frame = Frame {
                codec: Codec::Pcma,
                payload: &payload,
                sequence,
                timestamp,
                marker,
                received_at: now,
            };
            let mut taken = |frame: Option<Frame<'_>>| {
                let is_some = frame.is_some();
                packets.extend(frame.map(|packet| {
                    let (sequence, timestamp) = (packet.sequence, packet.timestamp);
                    (sequence, timestamp, packet.marker, packet.payload.to_vec())
                }));
                is_some
            };
            let mut more = taken(packer.insert(&frame));
            while more {
                more = taken(packer.next_packet());
            }
        }
        packets
    }

    fn flow(count: u64) -> Vec<(u64, u32, bool)> {
        (0..count).map(|n| (500 + n, 7_000 + n as u32 * 160, n == 0)).collect()
    }

    #[test]
    fn packets_have_the_wanted_length_and_hold_every_octet_in_its_order() {
        for ms in [10, 30, 40, 50, 60] {
            let mut packer = Packer::new(ms).unwrap();
            let packets = pack(&mut packer, &flow(60));
            assert_eq!(packets.len(), 1_200 / ms as usize, "{ms}");
            let whole: Vec<u8> = packets.iter().flat_map(|packet| packet.3.clone()).collect();
            let expected: Vec<u8> = (7_000u32..7_000 + 9_600).map(|n| n as u8).collect();
            assert_eq!(whole, expected, "{ms}");
            assert!(packets.iter().all(|packet| packet.3.len() == ms as usize * 8));
            assert!(packets.windows(2).all(|w| w[1].0 == w[0].0 + 1), "{ms}");
            assert!(packets.windows(2).all(|w| w[1].1 == w[0].1 + ms * 8), "{ms}");
            let marked: Vec<_> = packets.iter().map(|packet| packet.2).collect();
            assert!(marked[0] && !marked[1..].contains(&true));
        }
        assert!(Packer::new(20).is_none());
    }

    #[test]
    fn a_loss_before_it_is_a_loss_behind_it_and_what_is_held_comes_out_short() {
        let mut packer = Packer::new(60).unwrap();
        let mut frames = flow(20);
        // Frames 4 to 9 never come: one of its packet has been held, and one and a half are lost.
        frames.drain(4..10);
        let packets = pack(&mut packer, &frames);
        let lengths: Vec<_> = packets.iter().map(|packet| packet.3.len() / 8).collect();
        assert_eq!(lengths, [60, 20, 60, 60, 60]);
        assert_eq!(packets[2].1, 7_000 + 10 * 160);
        assert_eq!(packets[2].0 - packets[1].0, 3, "two packets are missed");
    }

    #[test]
    fn late_frames_are_left_out_and_another_source_is_far_away() {
        let mut packer = Packer::new(40).unwrap();
        let packets = pack(&mut packer, &[(5, 0, true), (6, 160, false), (5, 0, false)]);
        assert_eq!(packets.len(), 1);
        let other = pack(&mut packer, &[(1 << 48, 9_000, true), ((1 << 48) + 1, 9_160, false)]);
        assert_eq!(other.len(), 1);
        assert!(other[0].0 - packets[0].0 > 3_000 && other[0].2 && other[0].1 == 9_000);
    }

    #[test]
    fn digits_take_the_place_of_what_is_held() {
        let mut packer = Packer::new(40).unwrap();
        assert!(pack(&mut packer, &[(5, 0, true)]).is_empty());
        packer.clear();
        let packets = pack(&mut packer, &[(20, 2_400, false), (21, 2_560, false)]);
        assert_eq!((packets.len(), packets[0].1), (1, 2_400));
    }
}
