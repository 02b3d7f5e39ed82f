//! The library behind its safe face.
#![allow(clippy::unwrap_used)]

use super::*;
use base::{
    Seed,
    speex::{Frames, MAX_OCTETS, Packing, count},
};
use std::f32::consts::TAU;

const BANDS: [Band; 2] = [Band::Narrow, Band::Wide];

fn tone(band: Band, hertz: f32, frames: usize) -> Vec<i16> {
    let rate = band.samples() as f32 * 50.0;
    (0..band.samples() * frames)
        .map(|n| (10_000.0 * (TAU * hertz * n as f32 / rate).sin()) as i16)
        .collect()
}

fn encoded(band: Band, quality: u8, pcm: &[i16]) -> Vec<Vec<u8>> {
    let mut encoder = Encoder::new(band, quality, 2).unwrap();
    let mut out = [0; MAX_OCTETS];
    pcm.chunks(band.samples())
        .map(|frame| {
            let length = encoder.encode(frame, &mut out).unwrap();
            out[..length].to_vec()
        })
        .collect()
}

fn power(pcm: &[i16]) -> f64 {
    pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / pcm.len().max(1) as f64
}

#[test]
fn every_quality_writes_frames_whose_bits_the_walk_finds() {
    // Kilobits a second by quality: RFC 5574 tables 1 and 2.
    let rates = [
        [2.15, 3.95, 5.95, 8.0, 8.0, 11.0, 11.0, 15.0, 15.0, 18.2, 24.6],
        [3.95, 5.75, 7.75, 9.8, 12.8, 16.8, 20.6, 23.8, 27.8, 34.2, 42.2],
    ];
    for (band, rates) in BANDS.into_iter().zip(rates) {
        for (quality, rate) in (0u8..).zip(rates) {
            let pcm = tone(band, 440.0, 5);
            for frame in encoded(band, quality, &pcm) {
                assert_eq!(count(&frame), Some(1), "{band:?} {quality}");
                let frame = Frames::new(&frame, Packing::Bits).next().unwrap();
                assert_eq!(frame.is_wide(), band == Band::Wide);
                let kilobits = frame.bits() as f64 / 20.0;
                assert!((kilobits - rate).abs() < 0.06, "{band:?} {quality}: {kilobits}");
            }
        }
    }
}

#[test]
fn sound_keeps_its_level_and_frames_their_number_of_samples() {
    for band in BANDS {
        let pcm = tone(band, 300.0, 50);
        let mut decoder = Decoder::new(band).unwrap();
        let mut heard = Vec::new();
        for frame in encoded(band, 8, &pcm) {
            let mut out = [0; MAX_SAMPLES];
            let samples = decoder.decode(&frame, &mut out).unwrap();
            assert_eq!(samples, band.samples());
            heard.extend_from_slice(&out[..samples]);
        }
        let ratio = power(&heard[heard.len() / 2..]) / power(&pcm);
        assert!((0.8..1.25).contains(&ratio), "{band:?}: {ratio}");
    }
}

#[test]
fn a_narrow_decoder_hears_the_low_layer_of_wide_frames() {
    let frames = encoded(Band::Wide, 8, &tone(Band::Wide, 500.0, 50));
    let mut decoder = Decoder::new(Band::Narrow).unwrap();
    let mut heard = Vec::new();
    for frame in &frames {
        let mut out = [0; MAX_SAMPLES];
        assert_eq!(decoder.decode(frame, &mut out), Ok(160));
        heard.extend_from_slice(&out[..160]);
    }
    let crossings = heard[4000..].windows(2).filter(|pair| (pair[0] < 0) != (pair[1] < 0)).count();
    assert!((495..=505).contains(&crossings), "{crossings} in half a second");
    let ratio = power(&heard[4000..]) / power(&tone(Band::Wide, 500.0, 50));
    assert!((0.8..1.25).contains(&ratio), "{ratio}");
}

#[test]
fn concealment_goes_on_and_fades_to_silence() {
    for band in BANDS {
        let mut decoder = Decoder::new(band).unwrap();
        let mut out = [0; MAX_SAMPLES];
        for frame in encoded(band, 8, &tone(band, 250.0, 30)) {
            decoder.decode(&frame, &mut out).unwrap();
        }
        let samples = band.samples();
        let spoken = power(&out[..samples]);
        let lost: Vec<f64> = (0..15)
            .map(|_| {
                decoder.conceal(&mut out).unwrap();
                power(&out[..samples])
            })
            .collect();
        assert!(lost[0] > spoken / 8.0 && lost[0] < spoken * 2.0, "{spoken} {lost:?}");
        assert!(lost.windows(2).all(|pair| pair[1] <= pair[0] * 1.1 + 100.0), "{lost:?}");
        assert!(lost[14] < spoken / 1000.0, "{lost:?}");
    }
}

#[test]
fn what_is_no_single_frame_is_silence_and_the_next_frame_is_heard() {
    let frames = encoded(Band::Wide, 8, &tone(Band::Wide, 300.0, 20));
    let mut decoder = Decoder::new(Band::Wide).unwrap();
    let mut out = [0; MAX_SAMPLES];
    for frame in &frames {
        decoder.decode(frame, &mut out).unwrap();
    }
    let two = [&frames[0][..], &frames[1]].concat();
    for hostile in [&[][..], &[0x55; 80], &frames[0][..30], &two, &[0xff; 70]] {
        out.fill(7);
        assert_eq!(decoder.decode(hostile, &mut out), Err(Error::Malformed));
        assert!(out.iter().all(|sample| *sample == 0));
    }
    for frame in &frames {
        decoder.decode(frame, &mut out).unwrap();
    }
    assert!(power(&out) > 1e6);
    assert_eq!(decoder.decode(&frames[0], &mut out[..300]), Err(Error::Length));
}

#[test]
fn an_encoder_takes_whole_frames_only() {
    let mut encoder = Encoder::new(Band::Wide, 8, 2).unwrap();
    let mut out = [0; MAX_OCTETS];
    for samples in [0, 160, 319, 321, 640] {
        assert_eq!(encoder.encode(&vec![0; samples], &mut out), Err(Error::Length));
    }
    assert_eq!(encoder.encode(&[0; 320], &mut out[..69]), Err(Error::Length));
    assert_eq!(encoder.encode(&[0; 320], &mut out[..70]), Ok(70));
}

#[test]
fn any_bits_behind_the_modes_are_decoded_to_some_sound() {
    let mut seed = Seed::from_number(7);
    for band in BANDS {
        let mut decoder = Decoder::new(band).unwrap();
        let mut out = [0; MAX_SAMPLES];
        let mut decoded = 0;
        for _ in 0..2_000 {
            let mut octets: Vec<u8> = (0..seed.below(140)).map(|_| seed.u32() as u8).collect();
            if let Some(first) = octets.first_mut() {
                // Half of them begin with a narrow mode that exists.
                if seed.below(2) == 0 {
                    *first = (seed.below(9) as u8) << 3 | *first & 7;
                }
            }
            for frame in Frames::new(&octets, Packing::Bits) {
                assert_eq!(decoder.decode_frame(&frame, &mut out), Ok(band.samples()));
                decoded += 1;
            }
        }
        assert!(decoded > 1_000, "{decoded}");
    }
}
