//! Frames made of their mode bits and filler, put together as senders do.

use super::*;
use crate::Seed;

/// Bits with the first one first.
#[derive(Clone, Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn push(&mut self, value: usize, count: usize) -> &mut Self {
        self.0.extend((0..count).rev().map(|n| value >> n & 1 == 1));
        self
    }

    /// A layer's head and random filler.
    fn narrow(&mut self, mode: usize, seed: &mut Seed) -> &mut Self {
        self.push(0, 1).push(mode, 4);
        self.filler(NARROW[mode] - NARROW_HEAD, seed)
    }

    fn wide(&mut self, mode: usize, seed: &mut Seed) -> &mut Self {
        self.push(1, 1).push(mode, 3);
        self.filler(WIDE[mode] - WIDE_HEAD, seed)
    }

    fn filler(&mut self, count: usize, seed: &mut Seed) -> &mut Self {
        for _ in 0..count {
            self.0.push(seed.u32() & 1 == 1);
        }
        self
    }

    /// Padded by a zero and ones.
    fn octets(&self) -> Vec<u8> {
        let mut bits = self.0.clone();
        for n in 0..bits.len().next_multiple_of(8) - bits.len() {
            bits.push(n > 0);
        }
        bits.chunks(8)
            .map(|octet| octet.iter().fold(0, |all, bit| all << 1 | u8::from(*bit)))
            .collect()
    }
}

#[test]
fn every_narrow_mode_with_every_wide_mode_is_one_frame() {
    let mut seed = Seed::from_number(1);
    for narrow in 0..NARROW.len() {
        for wide in [None, Some(0), Some(1), Some(2), Some(3), Some(4)] {
            let mut bits = Bits::default();
            bits.narrow(narrow, &mut seed);
            if let Some(wide) = wide {
                bits.wide(wide, &mut seed);
            }
            let octets = bits.octets();
            let frames: Vec<_> = Frames::new(&octets, Packing::Bits).collect();
            assert_eq!(frames.len(), 1, "{narrow} {wide:?}");
            assert_eq!((frames[0].bits(), frames[0].is_wide()), (bits.0.len(), wide.is_some()));
            assert!(frames[0].octets() <= MAX_OCTETS);
            let mut out = [0; MAX_OCTETS];
            let length = frames[0].write(&mut out).unwrap_or(0);
            assert_eq!(out[..length], octets, "{narrow} {wide:?}");
            assert_eq!(count(&octets), Some(1));
        }
    }
}

#[test]
fn frames_that_follow_bit_after_bit_come_out_as_if_each_stood_alone() {
    let mut seed = Seed::from_number(2);
    let (mut together, mut alone) = (Bits::default(), Vec::new());
    for (narrow, wide) in [(5, 3), (1, 0), (8, 1), (3, 4), (7, 2)] {
        let mut one = Bits::default();
        one.narrow(narrow, &mut seed).wide(wide, &mut seed);
        together.0.extend_from_slice(&one.0);
        alone.push(one.octets());
    }
    let octets = together.octets();
    let mut out = [0; MAX_OCTETS];
    let found: Vec<_> = Frames::new(&octets, Packing::Bits)
        .map(|frame| frame.write(&mut out).map(|length| out[..length].to_vec()))
        .collect();
    assert_eq!(found, alone.into_iter().map(Some).collect::<Vec<_>>());
    assert_eq!(count(&octets), Some(5));
}

#[test]
fn frames_of_flash_each_begin_with_an_octet() {
    let mut seed = Seed::from_number(3);
    let mut message = Vec::new();
    for _ in 0..2 {
        message.extend(Bits::default().narrow(5, &mut seed).wide(1, &mut seed).octets());
    }
    let frames: Vec<_> = Frames::new(&message, Packing::Octets).collect();
    assert_eq!(frames.iter().map(Frame::bits).collect::<Vec<_>>(), [336, 336]);
    message.clear();
    for mode in [3, 8, 4] {
        message.extend(Bits::default().narrow(mode, &mut seed).octets());
    }
    let mut frames = Frames::new(&message, Packing::Octets);
    assert_eq!(frames.by_ref().map(|frame| frame.bits()).collect::<Vec<_>>(), [160, 79, 220]);
    assert!(!frames.is_malformed());
}

#[test]
fn requests_and_a_layer_for_32_khz_are_stepped_over_and_a_terminator_ends_it() {
    let mut seed = Seed::from_number(4);
    let mut bits = Bits::default();
    // A request of Speex with a number of four bits, and one of the application with two octets.
    bits.push(0, 1).push(14, 4).push(3, 4).push(9, 4);
    bits.push(0, 1).push(13, 4).push(2, 4).push(1, 5).push(0xabcd, 16);
    bits.narrow(4, &mut seed).wide(2, &mut seed).wide(1, &mut seed);
    bits.narrow(3, &mut seed);
    bits.push(0, 1).push(15, 4).filler(40, &mut seed);
    let octets = bits.octets();
    let frames: Vec<_> = Frames::new(&octets, Packing::Bits).collect();
    assert_eq!(frames.iter().map(|frame| frame.bits()).collect::<Vec<_>>(), [332, 160]);
    assert_eq!(count(&octets), Some(2));
}

#[test]
fn what_is_cut_off_or_has_an_unknown_mode_is_malformed() {
    let mut seed = Seed::from_number(5);
    let whole = Bits::default().narrow(5, &mut seed).wide(3, &mut seed).octets();
    for length in 1..whole.len() {
        // A cut between the layers leaves a narrow frame and, where a bit more is there, a head.
        assert_eq!(count(&whole[..length]), None, "{length}");
    }
    for mode in 9..13 {
        assert_eq!(
            count(&Bits::default().push(0, 1).push(mode, 4).filler(600, &mut seed).octets()),
            None
        );
    }
    for mode in 5..8 {
        let mut bits = Bits::default();
        bits.narrow(3, &mut seed).push(1, 1).push(mode, 3).filler(600, &mut seed);
        assert_eq!(count(&bits.octets()), None);
    }
    let mut three = Bits::default();
    three.narrow(3, &mut seed).wide(1, &mut seed).wide(1, &mut seed).wide(1, &mut seed);
    assert_eq!(count(&three.octets()), None);
    assert_eq!(count(&[]), None);
    let mut requests = Bits::default();
    for _ in 0..REQUESTS + 1 {
        requests.push(0, 1).push(14, 4).push(0, 4).push(0, 1);
    }
    assert_eq!(count(&requests.narrow(3, &mut seed).octets()), None);
}

#[test]
fn any_octets_are_walked_to_their_end() {
    let mut seed = Seed::from_number(6);
    let mut out = [0; MAX_OCTETS];
    for n in 0..20_000 {
        let octets: Vec<u8> = (0..n % 200).map(|_| seed.u32() as u8).collect();
        for packing in [Packing::Bits, Packing::Octets] {
            let mut bits = 0;
            for frame in Frames::new(&octets, packing) {
                bits += frame.bits();
                let length = frame.write(&mut out);
                assert_eq!(length, Some(frame.octets()));
                assert_eq!(count(&out[..frame.octets()]), Some(1));
            }
            assert!(bits <= octets.len() * 8);
        }
    }
}

#[test]
fn how_the_frames_of_a_message_follow_each_other_is_seen_in_it() {
    // What encoders put out at qualities 4, 6, 8 and 10; frames of whole octets look alike.
    for (narrow, wide) in [(4, 1), (5, 2), (6, 3), (7, 4)] {
        let mut seed = Seed::from_number(4);
        let mut one = Bits::default();
        one.narrow(narrow, &mut seed).wide(wide, &mut seed);
        let padded = [one.octets(), one.octets()].concat();
        assert_eq!(Packing::of(&padded), Packing::Octets);
        let mut two = one.clone();
        two.0.extend(one.0);
        let packing = Packing::of(&two.octets());
        let frames =
            Frames::new(&two.octets(), packing).map(|frame| frame.bits()).collect::<Vec<_>>();
        assert_eq!(frames, [NARROW[narrow] + WIDE[wide]; 2], "{packing:?}");
    }
}
