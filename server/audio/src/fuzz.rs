//! The entry point for fuzzing: hostile payloads at every decoder.

use crate::{Decoder, Encoder, MAX_ENCODED, Rate, frame_duration, stretch};
use base::Codec;

/// Feeds octets to a decoder as a list of operations: each starts with one octet that picks the
/// operation and the length of what it takes. Panics where a promise of the decoders is broken.
pub fn fuzz(data: &[u8]) {
    let Some((&first, mut rest)) = data.split_first() else { return };
    // The highest bit picks among the codecs that came later, so that kept inputs stay what they are.
    let codec = match first & 0x80 {
        0 => Codec::ALL[usize::from(first & 3)],
        _ => [Codec::Speex16, Codec::Speex8][usize::from(first & 1)],
    };
    let rate = [Rate::Narrow, Rate::Wide, Rate::Full][usize::from(first >> 2 & 31) % 3];
    let (Ok(mut decoder), Ok(mut encoder)) = (Decoder::new(codec, rate), Encoder::new(codec, rate))
    else {
        return;
    };
    let mut pcm = [0; 48 * 120];
    let mut octets = [0; MAX_ENCODED];
    // Bounded, since a single operation may cost 120 ms of decoding.
    for _ in 0..64 {
        let Some((&operation, tail)) = rest.split_first() else { return };
        let length = (usize::from(operation >> 2) * 8).min(tail.len());
        let (payload, tail) = tail.split_at(length);
        rest = tail;
        let samples = rate.khz() * 20;
        match operation & 3 {
            0 | 1 => {
                if let Ok(samples) = decoder.decode(payload, &mut pcm) {
                    let expected = frame_duration(codec, payload).map(|d| rate.samples(d));
                    assert!(expected.is_some_and(|expected| samples.abs_diff(expected) < 8));
                    stretch::shorten(&mut pcm[..samples], rate);
                }
            }
            2 => {
                decoder.decode_fec(payload, &mut pcm[..samples]);
            }
            _ => decoder.conceal(&mut pcm[..samples]),
        }
        let encoded = encoder.encode(&pcm[..samples], &mut octets);
        assert!(encoded.is_ok_and(|octets| octets > 0));
    }
}
