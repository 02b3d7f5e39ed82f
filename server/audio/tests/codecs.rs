//! Sound through every codec and rate, whole and with losses.
#![allow(clippy::unwrap_used)]

use audio::tone::{Tone, ToneGenerator};
use audio::{Decoder, Encoder, MAX_ENCODED, Rate, frame_duration, fuzz, level, measure};
use base::{Codec, Seed};
use std::time::Duration;

const RATES: [Rate; 3] = [Rate::Narrow, Rate::Wide, Rate::Full];

/// `frames` encoded frames of 20 ms of a tone at -10 dBFS peak.
fn encoded(codec: Codec, rate: Rate, hertz: f32, frames: usize) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(codec, rate).unwrap();
    let mut generator = ToneGenerator::new(Tone::steady(hertz, -10.0), rate);
    (0..frames)
        .map(|_| {
            let mut pcm = vec![0; rate.khz() * 20];
            generator.fill(&mut pcm);
            let mut out = vec![0; MAX_ENCODED];
            let length = encoder.encode(&pcm, &mut out).unwrap();
            out.truncate(length);
            out
        })
        .collect()
}

#[test]
fn a_tone_keeps_pitch_and_level_through_every_codec_between_all_rates() {
    for codec in Codec::ALL {
        for (from, to) in RATES.iter().flat_map(|from| RATES.map(|to| (*from, to))) {
            let mut decoder = Decoder::new(codec, to).unwrap();
            let mut sound = Vec::new();
            for frame in encoded(codec, from, 440.0, 60) {
                assert_eq!(frame_duration(codec, &frame), Some(Duration::from_millis(20)));
                let mut pcm = vec![0; to.khz() * 120];
                let samples = decoder.decode(&frame, &mut pcm).unwrap();
                assert_eq!(samples, to.khz() * 20);
                sound.extend_from_slice(&pcm[..samples]);
            }
            let found = measure::dominant(&sound[to.khz() * 200..], to).unwrap();
            assert!((found.frequency - 440.0).abs() < 2.0, "{codec} {from:?} {to:?} {found:?}");
            assert!((found.level + 10.0).abs() < 1.0, "{codec} {from:?} {to:?} {found:?}");
        }
    }
}

#[test]
fn opus_stays_near_its_bit_rate_and_carries_redundancy_at_every_rate() {
    for rate in RATES {
        let mut encoder = Encoder::new(Codec::Opus, rate).unwrap();
        let mut octets = 0;
        let (mut with_fec, mut without) = (Vec::new(), Vec::new());
        let (mut one, mut two) =
            (Decoder::new(Codec::Opus, rate).unwrap(), Decoder::new(Codec::Opus, rate).unwrap());
        let mut original = Vec::new();
        let mut previous: Option<Vec<u8>> = None;
        for n in 0..150 {
            // Syllables whose pitch leaps, which no concealment can guess.
            let mut pcm = vec![0; rate.khz() * 20];
            let tone = Tone::steady([180.0, 330.0, 250.0, 410.0][n / 2 % 4], -12.0);
            ToneGenerator::new(tone, rate).fill(&mut pcm);
            let mut out = vec![0; MAX_ENCODED];
            let length = encoder.encode(&pcm, &mut out).unwrap();
            out.truncate(length);
            octets += length;
            original.extend(pcm);
            // Every fourth frame is lost; the frame after it tells what it was.
            let lost = n % 4 == 2;
            let mut pcm = vec![0; rate.khz() * 20];
            if previous.is_none() && n > 0 {
                one.decode_fec(&out, &mut pcm);
                with_fec.extend_from_slice(&pcm);
                two.conceal(&mut pcm);
                without.extend_from_slice(&pcm);
            }
            if !lost {
                one.decode(&out, &mut pcm).unwrap();
                with_fec.extend_from_slice(&pcm);
                two.decode(&out, &mut pcm).unwrap();
                without.extend_from_slice(&pcm);
            }
            previous = (!lost).then_some(out);
        }
        let rate_of_bits = octets * 8 / 3;
        assert!((20_000..30_000).contains(&rate_of_bits), "{rate:?}: {rate_of_bits} bit/s");
        // Compare energies at the true pitch in the lost stretches through the whole.
        let error = |sound: &[i16]| {
            let mut clean = Decoder::new(Codec::Opus, rate).unwrap();
            let mut encoder = Encoder::new(Codec::Opus, rate).unwrap();
            let (mut difference, mut at) = (level::Meter::default(), 0);
            for pcm in original.chunks(rate.khz() * 20) {
                let mut out = [0; MAX_ENCODED];
                let length = encoder.encode(pcm, &mut out).unwrap();
                let mut clear = vec![0; rate.khz() * 20];
                clean.decode(&out[..length], &mut clear).unwrap();
                if at + clear.len() <= sound.len() {
                    let wrong: Vec<i16> =
                        clear.iter().zip(&sound[at..]).map(|(a, b)| a.saturating_sub(*b)).collect();
                    difference.add(&wrong);
                }
                at += clear.len();
            }
            difference.take()
        };
        let (repaired, guessed) = (error(&with_fec), error(&without));
        assert!(repaired < guessed - 2.0, "{rate:?}: FEC {repaired}, concealment {guessed}");
    }
}

#[test]
fn redundancy_is_left_out_and_taken_up_again_as_asked() {
    for rate in RATES {
        let mut encoder = Encoder::new(Codec::Opus, rate).unwrap();
        let mut decoder = Decoder::new(Codec::Opus, rate).unwrap();
        let mut restored = [0; 3];
        for n in 0..150 {
            if n % 50 == 0 {
                encoder.carry_redundancy(n != 50);
            }
            let mut pcm = vec![0; rate.khz() * 20];
            let tone = Tone::steady([180.0, 330.0, 250.0, 410.0][n / 2 % 4], -12.0);
            ToneGenerator::new(tone, rate).fill(&mut pcm);
            let mut out = [0; MAX_ENCODED];
            let length = encoder.encode(&pcm, &mut out).unwrap();
            restored[n / 50] += u32::from(decoder.decode_fec(&out[..length], &mut pcm));
            decoder.decode(&out[..length], &mut pcm).unwrap();
        }
        let [before, without, after] = restored;
        // The first packet after each change still tells of the stretch before it.
        assert!(before > 40 && without <= 1 && after > 30, "{rate:?} {restored:?}");
    }
}

#[test]
fn concealment_of_every_codec_fades_to_silence_and_sound_returns() {
    for codec in Codec::ALL {
        for rate in RATES {
            let frames = encoded(codec, rate, 300.0, 40);
            let mut decoder = Decoder::new(codec, rate).unwrap();
            let mut pcm = vec![0; rate.khz() * 20];
            for frame in &frames[..20] {
                decoder.decode(frame, &mut pcm).unwrap();
            }
            let levels: Vec<f32> = (0..10)
                .map(|_| {
                    decoder.conceal(&mut pcm);
                    level::dbfs(&pcm)
                })
                .collect();
            assert!(levels[0] > -25.0, "{codec} {rate:?} {levels:?}");
            assert!(levels[9] < -35.0, "{codec} {rate:?} {levels:?}");
            for frame in &frames[20..30] {
                decoder.decode(frame, &mut pcm).unwrap();
            }
            let level = level::dbfs(&pcm);
            assert!((level + 13.0).abs() < 1.5, "{codec} {rate:?}: {level}");
        }
    }
}

#[test]
fn the_length_of_a_frame_is_told_without_decoding() {
    let ms = |codec, payload: &[u8]| frame_duration(codec, payload).map(|d| d.as_micros());
    assert_eq!(ms(Codec::Pcmu, &[0; 80]), Some(10_000));
    assert_eq!(ms(Codec::G722, &[0; 480]), Some(60_000));
    assert_eq!(ms(Codec::Pcma, &[]), None);
    assert_eq!(ms(Codec::Pcma, &[0; 961]), None);
    // RFC 6716 table 2: configuration 3 is SILK of 60 ms, 16 CELT of 2.5 ms; the last two bits
    // count the frames.
    assert_eq!(ms(Codec::Opus, &[3 << 3]), Some(60_000));
    assert_eq!(ms(Codec::Opus, &[3 << 3 | 1]), Some(120_000));
    assert_eq!(ms(Codec::Opus, &[16 << 3]), Some(2_500));
    assert_eq!(ms(Codec::Opus, &[13 << 3 | 3, 3]), Some(60_000));
    assert_eq!(ms(Codec::Opus, &[13 << 3 | 3, 7]), None);
    assert_eq!(ms(Codec::Opus, &[13 << 3 | 3]), None);
    assert_eq!(ms(Codec::Opus, &[]), None);
    // RFC 5574 3.3: modes 3 (160 bits) and 8 (79 bits) of the narrow band, then padding.
    let mut two = [0x55; 30];
    (two[0], two[20], two[29]) = (3 << 3, 8 << 3, 0x54);
    for codec in [Codec::Speex16, Codec::Speex8] {
        assert_eq!(ms(codec, &two), Some(40_000));
        assert_eq!(ms(codec, &two[..20]), Some(20_000));
        assert_eq!(ms(codec, &two[..19]), None);
        assert_eq!(ms(codec, &two[..20].repeat(6)), Some(120_000));
        assert_eq!(ms(codec, &two[..20].repeat(7)), None);
    }
}

#[test]
fn speex_of_several_frames_in_a_payload_sounds_like_as_many_payloads() {
    for (codec, rate) in [(Codec::Speex16, Rate::Wide), (Codec::Speex8, Rate::Narrow)] {
        let frames = encoded(codec, rate, 600.0, 40);
        let mut single = Decoder::new(codec, rate).unwrap();
        let mut double = Decoder::new(codec, rate).unwrap();
        let mut pcm = vec![0; rate.khz() * 20];
        let mut both = vec![0; rate.khz() * 40];
        for pair in frames.chunks(2) {
            // Bit after bit, as one packet carries them.
            let bits = pair.iter().flat_map(|frame| {
                let mut frames = base::speex::Frames::new(frame, base::speex::Packing::Bits);
                let bits = frames.next().unwrap().bits();
                (0..bits).map(move |n| frame[n / 8] >> (7 - n % 8) & 1)
            });
            let mut bits: Vec<u8> = bits.collect();
            for n in 0..bits.len().next_multiple_of(8) - bits.len() {
                bits.push(u8::from(n > 0));
            }
            let packet: Vec<u8> = bits
                .chunks(8)
                .map(|octet| octet.iter().fold(0, |all, bit| all << 1 | bit))
                .collect();
            assert!(packet.len() < pair[0].len() * 2 || bits.len() == packet.len() * 8);
            assert_eq!(double.decode(&packet, &mut both), Ok(rate.khz() * 40));
            for (frame, heard) in pair.iter().zip(both.chunks(rate.khz() * 20)) {
                single.decode(frame, &mut pcm).unwrap();
                assert!(pcm == heard, "{codec}");
            }
        }
    }
}

#[test]
fn a_steady_tone_in_speex_keeps_its_level_after_a_loss() {
    for (codec, rate) in
        RATES.iter().flat_map(|rate| [(Codec::Speex16, *rate), (Codec::Speex8, *rate)])
    {
        for hertz in [300.0, 425.0, 1000.0] {
            let mut decoder = Decoder::new(codec, rate).unwrap();
            let mut pcm = vec![0; rate.khz() * 20];
            for (n, frame) in encoded(codec, rate, hertz, 150).iter().enumerate() {
                if n == 30 {
                    decoder.conceal(&mut pcm);
                }
                decoder.decode(frame, &mut pcm).unwrap();
                let level = level::dbfs(&pcm) + 13.0;
                assert!(n < 60 || level.abs() < 3.0, "{codec} {rate:?} {hertz} {n}: {level}");
            }
        }
    }
}

#[test]
fn a_short_loss_in_speex_leaves_no_click_whatever_its_length() {
    for (codec, rate) in [(Codec::Speex16, Rate::Wide), (Codec::Speex8, Rate::Narrow)] {
        for lost_ms in [5, 10, 20, 30] {
            let frames = encoded(codec, rate, 200.0, 40);
            let mut decoder = Decoder::new(codec, rate).unwrap();
            let mut sound = Vec::new();
            let mut pcm = vec![0; rate.khz() * 20];
            for (n, frame) in frames.iter().enumerate() {
                if n == 20 {
                    let mut gap = vec![0; rate.khz() * lost_ms];
                    decoder.conceal(&mut gap);
                    sound.extend(gap);
                }
                decoder.decode(frame, &mut pcm).unwrap();
                sound.extend_from_slice(&pcm);
            }
            let steps = |pcm: &[i16]| {
                pcm.windows(2).map(|pair| i32::from(pair[0]).abs_diff(pair[1].into())).max()
            };
            let start = rate.khz() * 20 * 20;
            let usual = steps(&sound[start / 2..start]).unwrap();
            let around = steps(&sound[start - 10..start + rate.khz() * (lost_ms + 20)]).unwrap();
            assert!(around < usual * 2, "{codec} {lost_ms} ms: {around}, elsewhere {usual}");
        }
    }
}

#[test]
fn wrong_lengths_are_refused_and_leave_the_codec_usable() {
    for codec in Codec::ALL {
        let mut encoder = Encoder::new(codec, Rate::Wide).unwrap();
        let mut out = [0; MAX_ENCODED];
        assert!(encoder.encode(&[], &mut out).is_err());
        assert!(encoder.encode(&[0; 321], &mut out).is_err());
        assert!(encoder.encode(&[0; 320], &mut []).is_err());
        let length = encoder.encode(&[0; 320], &mut out).unwrap();
        let mut decoder = Decoder::new(codec, Rate::Wide).unwrap();
        assert!(decoder.decode(&out[..length], &mut [0; 100]).is_err());
        assert!(decoder.decode(&[], &mut [0; 2000]).is_err());
        assert_eq!(decoder.decode(&out[..length], &mut [0; 2000]), Ok(320));
    }
}

#[test]
fn random_octets_never_upset_a_decoder() {
    for number in 0..150 {
        let mut seed = Seed::from_number(number);
        let mut data = vec![0; seed.below(1500) as usize];
        seed.fill(&mut data);
        fuzz(&data);
    }
}
