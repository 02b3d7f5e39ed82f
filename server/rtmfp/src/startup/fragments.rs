//! Packets in pieces (RFC 7016 section 3.4), as startup packets with large certificates need them.

use crate::chunk::Fragment;
use crate::packet::Mode;
use crate::params::{FRAGMENT_PATIENCE, FRAGMENT_PROGRESS, FRAGMENTED_LONGEST};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Instant;

/// Packets that are put together at one time.
const BUFFERS: usize = 256;
/// Those of one source.
const BUFFERS_OF_ONE: usize = 4;
/// All octets that wait.
const OCTETS: usize = 1 << 20;
/// Pieces of one packet: a byte each is not a use of the mechanism.
const PIECES: u64 = 64;

/// Packets that are being put together.
#[derive(Debug, Default)]
pub(crate) struct Reassembly {
    partial: BTreeMap<(SocketAddr, u64), Partial>,
    octets: usize,
}

#[derive(Debug)]
struct Partial {
    mode: Mode,
    pieces: BTreeMap<u64, Vec<u8>>,
    octets: usize,
    /// The number of the last piece, once seen.
    last: Option<u64>,
    began_at: Instant,
    progress_at: Instant,
}

impl Partial {
    fn expires_at(&self) -> Instant {
        (self.progress_at + FRAGMENT_PROGRESS).min(self.began_at + FRAGMENT_PATIENCE)
    }

    fn is_complete(&self) -> bool {
        self.last.is_some_and(|last| self.pieces.len() as u64 == last + 1)
    }
}

impl Reassembly {
    /// Takes a piece that came from `remote` in a packet of a mode; gives the whole packet when it
    /// was the last missing piece.
    pub(crate) fn handle(
        &mut self,
        now: Instant,
        remote: SocketAddr,
        mode: Mode,
        piece: &Fragment<'_>,
    ) -> Option<Vec<u8>> {
        self.expire(now);
        let key = (remote, piece.packet);
        if piece.number >= PIECES {
            return None;
        }
        if !self.partial.contains_key(&key) {
            let theirs = self.partial.range((remote, 0)..=(remote, u64::MAX)).count();
            if self.partial.len() >= BUFFERS || theirs >= BUFFERS_OF_ONE {
                return None;
            }
            let partial = Partial {
                mode,
                pieces: BTreeMap::new(),
                octets: 0,
                last: None,
                began_at: now,
                progress_at: now,
            };
            self.partial.insert(key, partial);
        }
        let partial = self.partial.get_mut(&key)?;
        let contradicts = partial.mode != mode
            || partial
                .last
                .is_some_and(|last| piece.number > last || !piece.more && piece.number != last)
            || !piece.more
                && partial.pieces.keys().next_back().is_some_and(|max| *max > piece.number);
        let length = piece.octets.len();
        let too_much =
            partial.octets + length > FRAGMENTED_LONGEST || self.octets + length > OCTETS;
        if contradicts || too_much || partial.pieces.contains_key(&piece.number) {
            if partial.pieces.is_empty() {
                self.partial.remove(&key);
            }
            return None;
        }
        if !piece.more {
            partial.last = Some(piece.number);
        }
        partial.pieces.insert(piece.number, piece.octets.to_vec());
        partial.octets += length;
        partial.progress_at = now;
        self.octets += length;
        if !partial.is_complete() {
            return None;
        }
        let whole = self.partial.remove(&key)?;
        self.octets -= whole.octets;
        Some(whole.pieces.into_values().flatten().collect())
    }

    /// Forgets what does not progress.
    fn expire(&mut self, now: Instant) {
        let octets = &mut self.octets;
        self.partial.retain(|_, partial| {
            let keep = partial.expires_at() > now;
            if !keep {
                *octets -= partial.octets;
            }
            keep
        });
    }

    /// Lets time pass.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.expire(now);
    }

    /// When something is to be forgotten.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.partial.values().map(Partial::expires_at).min()
    }

    /// The octets that wait.
    #[cfg(test)]
    fn octets(&self) -> usize {
        self.octets
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::time::Duration;

    fn remote(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn piece(packet: u64, number: u64, more: bool, octets: &[u8]) -> Fragment<'_> {
        Fragment { more, packet, number, octets }
    }

    #[test]
    fn pieces_in_any_order_make_the_packet() {
        let now = Instant::now();
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
            let mut reassembly = Reassembly::default();
            let all =
                [piece(7, 0, true, b"ab"), piece(7, 1, true, b"c"), piece(7, 2, false, b"de")];
            let mut whole = None;
            for index in order {
                assert_eq!(whole, None);
                whole = reassembly.handle(now, remote(1), Mode::Startup, &all[index]);
                let again = reassembly.handle(now, remote(2), Mode::Startup, &all[index]);
                assert_eq!(again.is_some(), whole.is_some(), "each source for itself");
            }
            assert_eq!(whole.unwrap(), b"abcde");
            assert_eq!((reassembly.octets(), reassembly.poll_timeout()), (0, None));
        }
    }

    #[test]
    fn a_packet_without_progress_is_forgotten_after_a_second_and_any_after_sixty() {
        let start = Instant::now();
        let mut reassembly = Reassembly::default();
        reassembly.handle(start, remote(1), Mode::Startup, &piece(1, 0, true, b"a"));
        assert_eq!(reassembly.poll_timeout(), Some(start + Duration::from_secs(1)));
        reassembly.handle_timeout(start + Duration::from_secs(1));
        assert_eq!((reassembly.octets(), reassembly.poll_timeout()), (0, None));

        for number in 0..63 {
            let now = start + Duration::from_millis(990 * number);
            reassembly.handle(now, remote(1), Mode::Startup, &piece(1, number, true, b"a"));
        }
        let now = start + Duration::from_millis(990 * 63);
        let whole = reassembly.handle(now, remote(1), Mode::Startup, &piece(1, 63, false, b"a"));
        assert_eq!(whole, None, "60 seconds have passed");
    }

    #[test]
    fn pieces_that_contradict_each_other_are_dropped() {
        let now = Instant::now();
        let mut reassembly = Reassembly::default();
        let mut take = |mode, piece| reassembly.handle(now, remote(1), mode, &piece);
        assert_eq!(take(Mode::Startup, piece(1, 2, false, b"c")), None);
        assert_eq!(take(Mode::Startup, piece(1, 3, true, b"d")), None, "behind the last");
        assert_eq!(take(Mode::Startup, piece(1, 1, false, b"b")), None, "a second last");
        assert_eq!(take(Mode::Initiator, piece(1, 0, true, b"a")), None, "another mode");
        assert_eq!(take(Mode::Startup, piece(1, 2, false, b"x")), None, "a second copy");
        assert_eq!(take(Mode::Startup, piece(1, 0, true, b"a")), None);
        assert_eq!(take(Mode::Startup, piece(1, 1, true, b"b")).unwrap(), b"abc");
    }

    #[test]
    fn buffers_are_bounded_for_each_source_and_together() {
        let now = Instant::now();
        let mut reassembly = Reassembly::default();
        let big = vec![0; 1_100];
        for port in 0..300 {
            for packet in 0..20 {
                for number in 0..63 {
                    let piece = piece(packet, number, true, &big);
                    reassembly.handle(now, remote(port), Mode::Startup, &piece);
                }
            }
        }
        assert!(reassembly.octets() <= OCTETS, "{}", reassembly.octets());
        assert!(reassembly.partial.len() <= BUFFERS);
        let of_one = reassembly.partial.range((remote(0), 0)..=(remote(0), u64::MAX)).count();
        assert_eq!(of_one, BUFFERS_OF_ONE);
        assert!(reassembly.partial.values().all(|one| one.octets <= FRAGMENTED_LONGEST));
        reassembly.handle_timeout(now + Duration::from_secs(1));
        assert_eq!(reassembly.octets(), 0);
    }
}
