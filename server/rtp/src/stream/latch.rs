//! Whose packets are heard, and where ours go (symmetric RTP, RFC 4961; latching, RFC 7362 4).
//!
//! Where packets are authenticated, only such ones get here: whoever sends them has the peer's key.

use crate::numbers::{LATCH_PROBATION, LATCH_SILENCE, MAX_DROPOUT, MIN_SEQUENTIAL};
use std::net::SocketAddr;
use std::time::Instant;

/// How well a source fits to the session description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Another host: a peer behind a NAT, or a stranger.
    Foreign,
    /// The host of the description with another port.
    Host,
    /// The very address of the description.
    Described,
}

/// Who sends, and where its line of numbers stands.
#[derive(Clone, Copy, Debug)]
struct Source {
    address: SocketAddr,
    ssrc: u32,
    sequence: u16,
    heard_at: Instant,
}

/// ```text
///             described or same host: at once
///             foreign: four packets in a row, authentic: at once
///   Waiting ---------------------------------> Latched --+ own packets
///      ^                                         |   ^---+
///      |  the description changes                |   ^
///      +-----------------------------------------+   |
///                             better rank or authentic in probation,
///                             or 3 s of silence and proof (see `may_follow`)
/// ```
#[derive(Debug)]
pub(super) struct Latch {
    described: SocketAddr,
    latched: Option<Source>,
    /// The one newcomer on probation, and its packets in a row.
    candidate: Option<(Source, u16)>,
}

/// What a packet shows of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Proof {
    pub(super) ssrc: u32,
    pub(super) sequence: u16,
    /// It was signed with the peer's key.
    pub(super) authentic: bool,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// From the latched source.
    Own,
    /// The source is latched with this packet; `continues` where it is the SSRC of before.
    Moved { continues: bool },
    /// From somebody else, or from a source on probation.
    Refused,
}

impl Latch {
    pub(super) fn new(described: SocketAddr) -> Latch {
        Latch { described, latched: None, candidate: None }
    }

    /// A new description. Only a changed address starts over: a 200 that repeats the description
    /// of the 183 must not open the door again.
    pub(super) fn describe(&mut self, described: SocketAddr) {
        if described != self.described {
            *self = Latch::new(described);
        }
    }

    /// Where packets go.
    pub(super) fn target(&self) -> SocketAddr {
        self.latched.map_or(self.described, |source| source.address)
    }

    /// Whether a source was found.
    pub(super) fn is_latched(&self) -> bool {
        self.latched.is_some()
    }

    /// Judges the source of a packet that is valid otherwise.
    pub(super) fn judge(&mut self, now: Instant, address: SocketAddr, proof: Proof) -> Verdict {
        let Proof { ssrc, sequence, authentic } = proof;
        let newcomer = Source { address, ssrc, sequence, heard_at: now };
        if let Some(latched) = self.latched.as_mut()
            && latched.address == address
        {
            *latched = newcomer;
            self.candidate = None;
            return Verdict::Own;
        }
        let row = match self.candidate {
            Some((before, row))
                if before.address == address
                    && before.ssrc == ssrc
                    && sequence == before.sequence.wrapping_add(1) =>
            {
                row.saturating_add(1)
            }
            // A stranger does not push out a newcomer of better rank.
            Some((before, _)) if self.rank(before.address) > self.rank(address) => {
                return Verdict::Refused;
            }
            _ => 1,
        };
        self.candidate = Some((newcomer, row));
        let proven = match self.latched {
            None if self.rank(address) == Rank::Foreign => authentic || row >= LATCH_PROBATION,
            None => true,
            // A peer whose NAT found it a new port. Two that send in turn are never in a row.
            Some(_) if authentic && row >= LATCH_PROBATION => true,
            Some(latched) => self.may_follow(&latched, &newcomer, row),
        };
        if !proven {
            return Verdict::Refused;
        }
        let continues = self.latched.is_some_and(|latched| latched.ssrc == ssrc);
        self.latched = Some(newcomer);
        self.candidate = None;
        Verdict::Moved { continues }
    }

    /// Whether a newcomer may follow a latched source.
    ///
    /// - A better rank needs only a probation: when a stranger was quicker, the described peer
    ///   still gets its call.
    /// - After a silence the described address is believed at once, its host after a probation.
    /// - Anybody else has to carry on the very stream: same SSRC, and numbers that go on. This is
    ///   what a peer does whose NAT found it a new port, and what a stranger cannot guess.
    fn may_follow(&self, latched: &Source, newcomer: &Source, row: u16) -> bool {
        let rank = self.rank(newcomer.address);
        if rank > self.rank(latched.address) && row >= MIN_SEQUENTIAL {
            return true;
        }
        let silence = newcomer.heard_at.saturating_duration_since(latched.heard_at);
        if silence < LATCH_SILENCE {
            return false;
        }
        let step = newcomer.sequence.wrapping_sub(latched.sequence);
        let goes_on = newcomer.ssrc == latched.ssrc && (1..MAX_DROPOUT).contains(&step);
        match rank {
            Rank::Described => true,
            Rank::Host => row >= MIN_SEQUENTIAL,
            Rank::Foreign => goes_on && row >= LATCH_PROBATION,
        }
    }

    fn rank(&self, address: SocketAddr) -> Rank {
        if same_host(address, self.described) && address.port() == self.described.port() {
            Rank::Described
        } else if same_host(address, self.described) {
            Rank::Host
        } else {
            Rank::Foreign
        }
    }
}

/// Whether two addresses name one host; a socket for both families writes IPv4 as mapped IPv6.
pub(super) fn same_host(a: SocketAddr, b: SocketAddr) -> bool {
    a.ip().to_canonical() == b.ip().to_canonical()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const DESCRIBED: &str = "192.0.2.1:4000";
    const STRANGER: &str = "198.51.100.66:6666";

    struct Wire {
        latch: Latch,
        start: Instant,
    }

    fn wire() -> Wire {
        Wire { latch: Latch::new(address(DESCRIBED)), start: Instant::now() }
    }

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("a fixed address")
    }

    impl Wire {
        fn send(&mut self, at: u64, from: &str, ssrc: u32, sequence: u16) -> Verdict {
            self.send_as(at, from, Proof { ssrc, sequence, authentic: false })
        }

        fn send_as(&mut self, at: u64, from: &str, proof: Proof) -> Verdict {
            let now = self.start + Duration::from_millis(at);
            self.latch.judge(now, address(from), proof)
        }

        fn goes_to(&self) -> String {
            self.latch.target().to_string()
        }
    }

    #[test]
    fn it_sends_to_the_description_until_the_peer_is_heard_on_another_port() {
        let mut wire = wire();
        assert_eq!(wire.goes_to(), DESCRIBED);
        let verdict = wire.send(0, "192.0.2.1:5000", 1, 1);
        assert_eq!(verdict, Verdict::Moved { continues: false });
        assert_eq!(wire.goes_to(), "192.0.2.1:5000");
        assert_eq!(wire.send(20, "192.0.2.1:5000", 1, 2), Verdict::Own);
    }

    #[test]
    fn a_peer_behind_a_nat_is_latched_after_four_packets_in_a_row() {
        let mut wire = wire();
        let heard: Vec<_> = (0..5).map(|n| wire.send(n * 20, STRANGER, 1, n as u16)).collect();
        let moved = Verdict::Moved { continues: false };
        assert_eq!(heard[..3], [Verdict::Refused; 3]);
        assert_eq!(heard[3..], [moved, Verdict::Own]);
    }

    #[test]
    fn a_stranger_cannot_take_over_a_stream_that_flows() {
        let mut wire = wire();
        wire.send(0, DESCRIBED, 1, 0);
        for n in 1..1000u16 {
            let at = u64::from(n) * 20;
            assert_eq!(wire.send(at, DESCRIBED, 1, n), Verdict::Own);
            // The stranger even knows SSRC and sequence.
            assert_eq!(wire.send(at, STRANGER, 1, n), Verdict::Refused);
        }
        assert_eq!(wire.goes_to(), DESCRIBED);
    }

    #[test]
    fn a_stranger_cannot_take_over_a_stream_that_paused_with_another_ssrc() {
        let mut wire = wire();
        wire.send(0, DESCRIBED, 1, 0);
        for n in 0..500u16 {
            let at = 4000 + u64::from(n) * 20;
            assert_eq!(wire.send(at, STRANGER, 2, n), Verdict::Refused);
        }
        assert_eq!(wire.send(20_000, DESCRIBED, 1, 1), Verdict::Own);
    }

    #[test]
    fn the_same_stream_from_a_new_nat_binding_is_followed_after_the_silence() {
        let mut wire = wire();
        wire.send(0, DESCRIBED, 1, 100);
        let moved: Vec<_> = (0..200u16)
            .filter(|n| {
                wire.send(20 + u64::from(*n) * 20, STRANGER, 1, 101 + n) != Verdict::Refused
            })
            .take(1)
            .collect();
        // Silent from 0 on, so that the packet at 3000 ms is the first to be believed.
        assert_eq!(moved, [149]);
        assert_eq!(wire.goes_to(), STRANGER);
    }

    #[test]
    fn the_described_peer_takes_its_stream_back_from_a_quick_stranger() {
        let mut wire = wire();
        for n in 0..10 {
            wire.send(n * 20, STRANGER, 66, n as u16);
        }
        assert_eq!(wire.goes_to(), STRANGER);
        assert_eq!(wire.send(201, DESCRIBED, 1, 7), Verdict::Refused);
        assert_eq!(wire.send(221, DESCRIBED, 1, 8), Verdict::Moved { continues: false });
        assert_eq!(wire.send(230, STRANGER, 66, 11), Verdict::Refused);
        assert_eq!(wire.goes_to(), DESCRIBED);
    }

    #[test]
    fn a_second_stranger_does_not_disturb_the_described_peers_probation() {
        let mut wire = wire();
        for n in 0..4 {
            wire.send(n * 20, STRANGER, 66, n as u16);
        }
        for n in 0..2 {
            wire.send(100 + n * 20, DESCRIBED, 1, n as u16);
            wire.send(110 + n * 20, "198.51.100.77:7777", 77, n as u16);
        }
        assert_eq!(wire.goes_to(), DESCRIBED);
    }

    #[test]
    fn an_authentic_peer_is_latched_at_once_and_followed_to_a_new_port_without_a_silence() {
        let mut wire = wire();
        let proof = |sequence| Proof { ssrc: 1, sequence, authentic: true };
        assert_eq!(wire.send_as(0, STRANGER, proof(0)), Verdict::Moved { continues: false });
        let rebound = "198.51.100.66:7777";
        for n in 1..4 {
            assert_eq!(wire.send_as(u64::from(n) * 20, rebound, proof(n)), Verdict::Refused);
        }
        assert_eq!(wire.send_as(80, rebound, proof(4)), Verdict::Moved { continues: true });
        // Packets that somebody on the way sends again from elsewhere, one by one, move nothing.
        for n in 5..100 {
            let (at, own) = (u64::from(n) * 20, n % 2 == 0);
            let from = if own { rebound } else { STRANGER };
            assert_eq!(wire.send_as(at, from, proof(n)) == Verdict::Own, own);
        }
        assert_eq!(wire.goes_to(), rebound);
    }

    #[test]
    fn only_a_changed_description_starts_over() {
        let mut wire = wire();
        wire.send(0, "192.0.2.1:5000", 1, 1);
        wire.latch.describe(address(DESCRIBED));
        assert_eq!(wire.goes_to(), "192.0.2.1:5000");
        wire.latch.describe(address("192.0.2.9:4000"));
        assert_eq!(wire.goes_to(), "192.0.2.9:4000");
        assert!(!wire.latch.is_latched());
    }
}
