//! Loss, jitter, order and drift.
#![allow(clippy::unwrap_used)]

mod world;

use audio::{level, measure};
use base::Codec;
use bridge::Side;
use world::{EAR, Stream, World};

/// How much of the tone is left, in dB against the whole: the part of the sound that is the tone.
fn purity(world: &World, side: Side, hertz: f32) -> f32 {
    let pcm = &world.heard(side).pcm;
    let pieces: Vec<f32> = pcm[8000..]
        .chunks_exact(160)
        .map(|piece| measure::tone_level(piece, EAR, hertz).max(-40.0))
        .collect();
    pieces.iter().sum::<f32>() / pieces.len() as f32
}

#[test]
fn ten_percent_of_loss_is_restored_from_opus_redundancy() {
    let stream = Stream {
        loss: 10,
        seconds: 10,
        voice: true,
        ..Stream::new(Side::Visitor, Codec::Opus, 150.0)
    };
    let mut whole = World::between(1, Codec::Opus, Codec::Pcmu);
    whole.run(&[Stream { loss: 0, ..stream.clone() }]);
    let mut lossy = World::between(1, Codec::Opus, Codec::Pcmu);
    lossy.run(&[stream]);
    let stats = lossy.bridge.statistics().to_trunk;
    assert!((30..70).contains(&stats.lost), "{stats:?}");
    // The same seed gives the same times, so that the sounds can be compared sample by sample.
    let (whole, lossy) = (&whole.heard(Side::Trunk).pcm, &lossy.heard(Side::Trunk).pcm);
    let wrong: Vec<i16> = whole.iter().zip(lossy).map(|(a, b)| a.saturating_sub(*b)).collect();
    let error = level::dbfs(&wrong) - level::dbfs(whole);
    // Nine in ten are single losses; of those in voice nearly all are restored.
    assert!(stats.restored * 10 >= stats.lost * 6, "{stats:?}");
    assert!(error < -12.0, "{error}");
}

#[test]
fn ten_percent_of_loss_is_concealed_where_there_is_no_redundancy() {
    for codec in [Codec::Pcmu, Codec::G722] {
        let mut world = World::between(1, Codec::Opus, codec);
        let stream = Stream { loss: 10, seconds: 10, ..Stream::new(Side::Trunk, codec, 440.0) };
        world.run(&[stream]);
        let stats = world.bridge.statistics().to_visitor;
        assert!((30..70).contains(&stats.lost) && stats.restored == 0, "{stats:?}");
        assert!((stats.lost * 10..stats.lost * 30).contains(&stats.concealed_ms), "{stats:?}");
        let purity = purity(&world, Side::Visitor, 440.0);
        assert!(purity > -12.5, "{codec}: {purity}");
    }
}

#[test]
fn order_is_restored_and_what_comes_twice_is_heard_once() {
    let mut world = World::between(2, Codec::Opus, Codec::Pcmu);
    world.run(&[Stream {
        jitter: 60,
        duplicates: 20,
        seconds: 10,
        ..Stream::new(Side::Visitor, Codec::Opus, 440.0)
    }]);
    let stats = world.bridge.statistics().to_trunk;
    assert!(stats.duplicates + stats.late > 60, "{stats:?}");
    assert!(stats.lost < 25, "{stats:?}");
    let pcm = &world.heard(Side::Trunk).pcm;
    let found = measure::dominant(&pcm[pcm.len() - 16_000..], EAR).unwrap();
    assert!((found.frequency - 440.0).abs() < 4.4 && (found.level + 10.0).abs() < 1.5, "{found:?}");
}

#[test]
fn under_jitter_of_up_to_150_ms_the_delay_stays_bounded_for_every_seed() {
    for number in 0..24 {
        for (jitter, most) in [(0, 85), (40, 125), (150, 325)] {
            let mut world = World::between(number, Codec::Pcma, Codec::Pcmu);
            world.listening = false;
            let stream = Stream::new(Side::Trunk, Codec::Pcmu, 440.0);
            world.run(&[Stream { jitter, seconds: 20, reorder: number % 2 == 0, ..stream }]);
            let stats = world.bridge.statistics().to_visitor;
            assert!(stats.longest_delay_ms <= most, "{number} {jitter}: {stats:?}");
            assert!(stats.target_ms <= 200, "{number} {jitter}: {stats:?}");
            // A thousand frames: once the target is learnt nearly all are in time.
            assert!(stats.lost <= 60, "{number} {jitter}: {stats:?}");
            assert!((996..=1010).contains(&stats.transcoded), "{number} {jitter}: {stats:?}");
        }
    }
}

#[test]
fn the_delay_shrinks_again_when_the_network_calms_down() {
    let mut world = World::between(3, Codec::Pcma, Codec::Pcmu);
    let stream = Stream::new(Side::Trunk, Codec::Pcmu, 440.0);
    world.run(&[Stream { jitter: 120, seconds: 10, ..stream.clone() }]);
    let stormy = world.bridge.statistics().to_visitor;
    assert!(stormy.target_ms >= 100, "{stormy:?}");
    world.run(&[Stream { seconds: 30, ..stream }]);
    let calm = world.bridge.statistics().to_visitor;
    assert!(calm.target_ms <= 30 && calm.delay_ms <= 60, "{calm:?}");
    assert!(calm.shortened_ms > stormy.shortened_ms, "{calm:?}");
    let pcm = &world.heard(Side::Visitor).pcm;
    let found = measure::dominant(&pcm[pcm.len() - 8000..], EAR).unwrap();
    assert!((found.frequency - 440.0).abs() < 4.4 && (found.level + 10.0).abs() < 1.5, "{found:?}");
}

#[test]
fn an_hour_with_clocks_200_ppm_apart_neither_grows_nor_starves() {
    for drift_ppm in [200, -200] {
        let mut world = World::between(4, Codec::Pcma, Codec::Pcmu);
        world.listening = false;
        // The network jitters a little all the time.
        let stream = Stream::new(Side::Trunk, Codec::Pcmu, 440.0);
        world.run(&[Stream { jitter: 15, drift_ppm, seconds: 3600, ..stream }]);
        let stats = world.bridge.statistics().to_visitor;
        assert!(stats.longest_delay_ms < 100, "{drift_ppm}: {stats:?}");
        // 0.72 s have to go or to come in that hour, and no frame is lost on the way.
        assert_eq!((stats.lost, stats.late), (0, 0), "{drift_ppm}: {stats:?}");
        let corrected = if drift_ppm > 0 { stats.shortened_ms } else { stats.concealed_ms };
        assert!((500..900).contains(&corrected), "{drift_ppm}: {stats:?}");
    }
}

#[test]
fn a_sender_that_pauses_or_starts_anew_is_heard_again_without_delay() {
    let mut world = World::between(5, Codec::Pcma, Codec::Pcmu);
    let stream = Stream { seconds: 2, ..Stream::new(Side::Trunk, Codec::Pcmu, 440.0) };
    for pause in [100, 1000, 30_000] {
        world.run(std::slice::from_ref(&stream));
        world.pass(pause);
        // The same numbers again: as far as the bridge can tell, another stream.
        world.next[Side::Trunk as usize] = (70_000, 5);
        let before = world.heard(Side::Visitor).pcm.len();
        world.run(std::slice::from_ref(&stream));
        let pcm = &world.heard(Side::Visitor).pcm[before..];
        let level = measure::tone_level(&pcm[4000..12_000], EAR, 440.0);
        assert!((level + 10.0).abs() < 1.5, "{pause}: {level}");
        let stats = world.bridge.statistics().to_visitor;
        assert!(stats.delay_ms <= 85, "{pause}: {stats:?}");
    }
}
