//! G.722 against vectors of another implementation (`tests/data/README.md`), bit by bit.
#![allow(clippy::unwrap_used)]

use audio::{Decoder, Encoder, Rate};
use base::Codec;

const SOUND: &[u8] = include_bytes!("data/voice-chirp-noise.s16");
const OCTETS: &[u8] = include_bytes!("data/voice-chirp-noise.g722");
const DECODED: &[u8] = include_bytes!("data/voice-chirp-noise.decoded.s16");
/// FNV-1a, 64 bits, of the reference's little-endian output for the octets of [`any_octets`].
const ANY_DECODED: u64 = 0x7f04_020d_6b82_7106;

fn samples(octets: &[u8]) -> Vec<i16> {
    octets.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

fn decode(octets: &[u8]) -> Vec<i16> {
    let mut decoder = Decoder::new(Codec::G722, Rate::Wide).unwrap();
    let mut sound = Vec::new();
    for frame in octets.chunks(160) {
        let mut pcm = [0; 320];
        let length = decoder.decode(frame, &mut pcm).unwrap();
        sound.extend_from_slice(&pcm[..length]);
    }
    sound
}

/// 8000 octets of a linear congruence: every code in every state that it can drive.
fn any_octets() -> Vec<u8> {
    let mut state = 1u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..8000).map(|_| next()).collect()
}

#[test]
fn voice_chirp_noise_and_clipping_decode_to_the_very_samples() {
    assert!(decode(OCTETS) == samples(DECODED));
}

#[test]
fn arbitrary_octets_decode_to_the_very_samples() {
    let hash = decode(&any_octets())
        .iter()
        .flat_map(|sample| sample.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, octet| {
            (hash ^ u64::from(octet)).wrapping_mul(0x100_0000_01b3)
        });
    assert_eq!(hash, ANY_DECODED);
}

#[test]
fn voice_chirp_noise_and_clipping_encode_to_the_very_octets() {
    let mut encoder = Encoder::new(Codec::G722, Rate::Wide).unwrap();
    let mut octets = Vec::new();
    for pcm in samples(SOUND).chunks(320) {
        let mut out = [0; 160];
        let length = encoder.encode(pcm, &mut out).unwrap();
        octets.extend_from_slice(&out[..length]);
    }
    let differing = octets.iter().zip(OCTETS).filter(|(a, b)| a != b).count();
    assert_eq!((octets.len(), differing), (OCTETS.len(), 0));
}
