#![allow(clippy::unwrap_used)]
use super::*;

struct Run {
    repack: Repack,
    start: Instant,
    /// Number, timestamp and payload of everything that went on.
    out: Vec<(u64, u32, Vec<u8>)>,
}

impl Run {
    fn new() -> Run {
        Run { repack: Repack::new(), start: Instant::now(), out: Vec::new() }
    }

    /// A frame of G.711 that holds its number over and over, `ms` after the start.
    fn give(&mut self, sequence: u64, octets: usize, ms: u64) -> Fate {
        self.frame(Codec::Pcmu, sequence, sequence as u32 * 80, &vec![sequence as u8; octets], ms)
    }

    fn frame(
        &mut self,
        codec: Codec,
        sequence: u64,
        timestamp: u32,
        payload: &[u8],
        ms: u64,
    ) -> Fate {
        let received_at = self.start + Duration::from_millis(ms);
        let frame =
            Frame { codec, payload, sequence, timestamp, marker: sequence == 0, received_at };
        let fate = self.repack.handle(&frame);
        match fate {
            Fate::Passes => {
                self.out.push((self.repack.number(sequence), timestamp, payload.to_vec()));
            }
            Fate::Waits | Fate::Refused => assert!(self.repack.made().is_none()),
            Fate::Replaced => {
                while let Some(made) = self.repack.made() {
                    self.out.push((made.sequence, made.timestamp, made.payload.to_vec()));
                    self.repack.advance();
                }
            }
        }
        fate
    }

    fn numbers(&self) -> Vec<u64> {
        self.out.iter().map(|out| out.0).collect()
    }
}

#[test]
fn two_halves_become_one_frame_with_numbers_in_a_row() {
    let mut run = Run::new();
    for n in 10..20 {
        let fate = run.give(n, 80, n * 10);
        assert_eq!(fate, if n % 2 == 0 { Fate::Waits } else { Fate::Replaced });
    }
    assert_eq!(run.numbers(), [10, 11, 12, 13, 14]);
    assert!(run.out.iter().all(|out| out.2.len() == 160));
    assert_eq!((run.out[1].1, run.out[1].2[0], run.out[1].2[159]), (12 * 80, 12, 13));
    // Frames of 20 ms go on in the same row.
    assert_eq!(run.give(20, 160, 200), Fate::Passes);
    assert_eq!(run.give(22, 240, 240), Fate::Passes);
    assert_eq!(run.numbers()[5..], [15, 17]);
}

#[test]
fn a_lost_half_leaves_the_other_alone_and_a_gap() {
    let mut run = Run::new();
    for n in [0, 1, 2, 4, 5, 6, 7] {
        run.give(n, 80, n * 10);
    }
    assert_eq!(run.numbers(), [0, 1, 3, 4]);
    let lengths: Vec<_> = run.out.iter().map(|out| out.2.len()).collect();
    assert_eq!(lengths, [160, 80, 160, 160]);
    assert_eq!(run.out[2].1, 4 * 80);
}

#[test]
fn stragglers_and_repeats_go_on_alone_and_a_pause_drops_the_half_before_it() {
    let mut run = Run::new();
    run.give(0, 80, 0);
    assert_eq!(run.give(0, 80, 1), Fate::Passes);
    assert_eq!(run.give(1, 80, 10), Fate::Replaced);
    run.give(3, 80, 20);
    assert_eq!(run.give(2, 80, 21), Fate::Passes);
    assert_eq!(run.give(4, 80, 2_000), Fate::Waits);
    run.give(5, 80, 2_010);
    assert_eq!(run.out.last().unwrap().2, [[4; 80], [5; 80]].concat());
    // Another time line, and another codec.
    run.give(6, 80, 2_020);
    assert_eq!(run.frame(Codec::Pcmu, 7, 5, &[7; 80], 2_030), Fate::Replaced);
    assert_eq!(run.frame(Codec::Pcma, 8, 85, &[8; 80], 2_040), Fate::Replaced);
    assert_eq!(run.out.last().unwrap().2, [7; 80]);
    assert_eq!(run.frame(Codec::Pcma, 9, 165, &[], 2_050), Fate::Refused);
}

#[test]
fn parts_of_5_ms_are_joined_and_odd_ones_never_exceed_20() {
    let mut run = Run::new();
    for n in 0..8 {
        run.frame(Codec::G722, n, n as u32 * 40, &[n as u8; 40], n * 5);
    }
    assert_eq!(run.numbers(), [0, 1]);
    for n in 8..14 {
        run.frame(Codec::G722, n, 320 + (n as u32 - 8) * 100, &[n as u8; 100], 40 + n);
    }
    assert!(run.out[2..].iter().all(|out| out.2.len() == 100));
    assert_eq!(run.numbers(), [0, 1, 2, 3, 4, 5, 6]);
}

#[test]
fn several_frames_of_speex_go_on_one_by_one() {
    // Mode 3 of the narrow layer has 160 bits: 20 octets without padding.
    let piece = |n: u8| [&[3 << 3][..], &[n; 19]].concat();
    let mut run = Run::new();
    assert_eq!(run.frame(Codec::Speex16, 5, 640, &piece(1), 0), Fate::Passes);
    let three = [piece(2), piece(3), piece(4)].concat();
    assert_eq!(run.frame(Codec::Speex16, 6, 960, &three, 20), Fate::Replaced);
    assert_eq!(run.frame(Codec::Speex16, 7, 1920, &piece(5), 80), Fate::Passes);
    assert_eq!(run.frame(Codec::Speex16, 9, 2560, &piece(7), 120), Fate::Passes);
    assert_eq!(run.numbers(), [5, 6, 7, 8, 9, 11]);
    for (n, out) in run.out.iter().take(5).enumerate() {
        assert_eq!((out.1, &out.2), (640 + n as u32 * 320, &piece(n as u8 + 1)));
    }
    for hostile in [&[][..], &[0x55; 100], &piece(1)[..19], &piece(1).repeat(7), &[0; 1400]] {
        assert_eq!(run.frame(Codec::Speex16, 10, 2880, hostile, 140), Fate::Refused);
    }
    assert_eq!(run.out.len(), 6);
}

#[test]
fn what_comes_late_goes_on_alone_by_the_number_that_was_left_for_it() {
    let mut run = Run::new();
    for n in [0, 1, 2, 5, 6, 7, 8, 9, 10, 11] {
        run.give(n, 80, n * 10);
    }
    // 2 alone, then a gap of two numbers for 3 and 4.
    assert_eq!(run.numbers(), [0, 1, 4, 5, 6]);
    // The first half of the next frame waits: it goes on waiting.
    assert_eq!(run.give(4, 80, 111), Fate::Passes);
    assert_eq!(run.give(3, 80, 112), Fate::Passes);
    assert_eq!(run.numbers()[5..], [3, 2]);
    assert_eq!(run.give(12, 80, 120), Fate::Replaced);
    assert_eq!(run.numbers()[6..], [2, 7]);
}
