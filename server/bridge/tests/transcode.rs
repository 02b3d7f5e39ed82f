//! Sound between sides that share no codec.
#![allow(clippy::unwrap_used)]

mod world;

use audio::{
    Encoder, MAX_ENCODED, Rate, level, measure,
    tone::{Tone, ToneGenerator},
};
use base::Codec;
use bridge::{FIRST_MADE, PortSettings, Side};
use world::{EAR, Stream, World};

/// The tone heard from the second second on.
fn assert_tone(world: &World, side: Side, hertz: f32, peak: f32, what: &str) {
    let pcm = &world.heard(side).pcm[8000..];
    let found = measure::dominant(pcm, EAR).unwrap_or_else(|| panic!("{what}: nothing heard"));
    assert!((found.frequency / hertz - 1.0).abs() < 0.01, "{what}: {found:?}");
    assert!((found.level - peak).abs() < 1.5, "{what}: {found:?}");
}

#[test]
fn tones_cross_every_pair_of_codecs_both_ways_with_their_pitch_and_level() {
    for visitor in Codec::ALL {
        for trunk in Codec::ALL.into_iter().filter(|trunk| *trunk != visitor) {
            let mut world = World::between(3, visitor, trunk);
            world.run(&[
                Stream { seconds: 3, ..Stream::new(Side::Visitor, visitor, 440.0) },
                Stream { seconds: 3, ..Stream::new(Side::Trunk, trunk, 660.0) },
            ]);
            let what = format!("{visitor} and {trunk}");
            assert_tone(&world, Side::Trunk, 440.0, -10.0, &what);
            assert_tone(&world, Side::Visitor, 660.0, -10.0, &what);
            assert_eq!(world.heard(Side::Trunk).codecs, [trunk]);
            assert_eq!(world.heard(Side::Visitor).codecs, [visitor]);
            let stats = world.bridge.statistics().to_trunk;
            assert_eq!((stats.lost, stats.late, stats.underruns), (0, 0, 0), "{what}");
            assert!(stats.longest_delay_ms <= 65, "{what}: {stats:?}");
        }
    }
}

#[test]
fn frames_made_here_are_20_ms_apart_in_numbers_far_from_any_senders() {
    let mut world = World::between(3, Codec::Opus, Codec::Pcmu);
    world.run(&[Stream::new(Side::Trunk, Codec::Pcmu, 440.0)]);
    let heard = world.heard(Side::Visitor);
    assert_eq!(heard.sequences[0], FIRST_MADE);
    assert!(heard.sequences.windows(2).all(|pair| pair[1] == pair[0] + 1));
    assert!(heard.timestamps.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(960)));
    // Four seconds, less the phase of the tick.
    assert!((198..=200).contains(&heard.frames), "{}", heard.frames);
}

#[test]
fn packets_of_10_to_60_ms_come_out_as_20() {
    for ptime in [10, 20, 30, 40, 50, 60] {
        for codec in [Codec::Pcma, Codec::G722] {
            let mut world = World::between(4, Codec::Opus, codec);
            world.run(&[Stream { ptime, ..Stream::new(Side::Trunk, codec, 500.0) }]);
            assert_tone(&world, Side::Visitor, 500.0, -10.0, &format!("{codec} {ptime} ms"));
            let stats = world.bridge.statistics().to_visitor;
            assert_eq!((stats.lost, stats.underruns), (0, 0), "{codec} {ptime}: {stats:?}");
            assert_eq!(world.heard(Side::Visitor).pcm.len() % 160, 0);
        }
    }
}

#[test]
fn speex_meets_the_others_without_a_detour_over_48_khz() {
    for (from, to, rate) in [
        (Codec::Speex16, Codec::Pcmu, Rate::Narrow),
        (Codec::Speex16, Codec::Speex8, Rate::Narrow),
        (Codec::Speex8, Codec::Opus, Rate::Narrow),
        (Codec::Speex16, Codec::Opus, Rate::Wide),
        (Codec::Opus, Codec::Speex16, Rate::Wide),
        (Codec::Opus, Codec::Speex8, Rate::Narrow),
        (Codec::G722, Codec::Speex16, Rate::Wide),
        (Codec::Pcma, Codec::Speex8, Rate::Narrow),
    ] {
        assert_eq!(Rate::between(from, to), rate, "{from} to {to}");
    }
}

#[test]
fn a_voice_in_speex_is_heard_through_loss_at_its_level() {
    for (from, to) in [
        (Codec::Speex16, Codec::Pcmu),
        (Codec::Speex8, Codec::Opus),
        (Codec::Pcma, Codec::Speex16),
        (Codec::Opus, Codec::Speex16),
    ] {
        let voice = |loss| {
            let mut world = World::between(8, Codec::Pcmu, from);
            world.bridge.update(Side::Visitor, PortSettings::only(to));
            let voice = Stream { voice: true, loss, ..Stream::new(Side::Trunk, from, 140.0) };
            world.run(&[voice]);
            (level::dbfs(&world.heard(Side::Visitor).pcm), world.bridge.statistics().to_visitor)
        };
        let ((clean, _), (lossy, stats)) = (voice(0), voice(10));
        assert!((clean - lossy).abs() < 2.0, "{from} to {to}: {clean} {lossy}");
        assert!(clean > -30.0 && stats.lost >= 10, "{stats:?}");
    }
}

#[test]
fn different_calls_tick_at_different_moments() {
    let mut phases: Vec<u64> = (0..64)
        .map(|number| {
            let mut world = World::between(number, Codec::Opus, Codec::Pcmu);
            world.give(Side::Trunk, Codec::Pcmu, 1, 0, &[0xff; 160]);
            (world.bridge.poll_timeout().unwrap() - world.now).as_millis() as u64
        })
        .collect();
    phases.sort_unstable();
    assert!(*phases.last().unwrap() < 20);
    phases.dedup();
    assert!(phases.len() >= 15, "{phases:?}");
}

#[test]
fn a_sender_that_changes_codec_in_mid_call_is_heard_throughout() {
    let mut world = World::new(5);
    let trunk = PortSettings { send: Codec::Pcmu, accepts: [Codec::Pcmu].into() };
    world.bridge.connect(world.now, PortSettings::only(Codec::Opus), trunk);
    let opus = Stream { seconds: 2, ..Stream::new(Side::Visitor, Codec::Opus, 440.0) };
    let pcmu = Stream { codec: Codec::Pcmu, ..opus.clone() };
    let g722 = Stream { codec: Codec::G722, ..opus.clone() };
    world.run(&[opus]);
    let transcoded = world.heard(Side::Trunk).frames;
    assert!(transcoded >= 97 && world.heard(Side::Trunk).relayed == 0);
    world.run(&[pcmu]);
    // Half a second later it's a relay, and stays one.
    assert_eq!(world.heard(Side::Trunk).relayed, 75);
    world.run(&[g722]);
    assert_eq!(world.heard(Side::Trunk).relayed, 75);
    let pcm = &world.heard(Side::Trunk).pcm;
    for (n, second) in pcm.chunks_exact(4000).enumerate().skip(1) {
        let level = measure::tone_level(second, EAR, 440.0);
        assert!(level > -14.0, "{n}: {level}");
    }
    assert_eq!(world.heard(Side::Trunk).codecs, [Codec::Pcmu]);
}

#[test]
fn a_sender_that_changes_codec_with_every_frame_is_heard_in_order() {
    let mut world = World::new(5);
    world.bridge.connect(
        world.now,
        PortSettings::only(Codec::Opus),
        PortSettings { send: Codec::Pcmu, accepts: [Codec::Pcmu, Codec::Pcma].into() },
    );
    let mut generator = ToneGenerator::new(Tone::steady(440.0, -10.0), Rate::Narrow);
    let codecs = [Codec::G722, Codec::Pcma, Codec::Opus, Codec::Pcmu];
    let mut encoders = codecs.map(|codec| Encoder::new(codec, Rate::Narrow).unwrap());
    for n in 0..300u64 {
        let (mut pcm, mut out) = ([0; 160], [0; MAX_ENCODED]);
        generator.fill(&mut pcm);
        let turn = n as usize % 4;
        let length = encoders[turn].encode(&pcm, &mut out).unwrap();
        let clock = codecs[turn].clock_rate() / 50;
        world.give(Side::Visitor, codecs[turn], n, n as u32 * clock, &out[..length]);
        world.pass(20);
    }
    let stats = world.bridge.statistics().to_trunk;
    assert_eq!((stats.lost, stats.late, stats.resets, stats.malformed), (0, 0, 0, 0), "{stats:?}");
    assert_eq!(
        (stats.relayed, world.heard(Side::Trunk).codecs.as_slice()),
        (0, &[Codec::Pcmu][..])
    );
    let level = level::dbfs(&world.heard(Side::Trunk).pcm[8000..]);
    assert!(level > -20.0, "{level}");
}

#[test]
fn a_side_that_is_updated_gets_its_new_codec_from_the_next_frame_on() {
    let mut world = World::between(5, Codec::Opus, Codec::Pcmu);
    let stream = Stream { seconds: 2, ..Stream::new(Side::Visitor, Codec::Opus, 440.0) };
    world.run(std::slice::from_ref(&stream));
    world.bridge.update(Side::Trunk, PortSettings::only(Codec::G722));
    world.run(&[stream]);
    assert_eq!(world.heard(Side::Trunk).codecs, [Codec::Pcmu, Codec::G722]);
    let pcm = &world.heard(Side::Trunk).pcm;
    assert!((level::dbfs(&pcm[pcm.len() - 8000..]) + 13.0).abs() < 1.5);
}

#[test]
fn a_muted_side_becomes_silence_and_comes_back() {
    let mut world = World::between(6, Codec::Opus, Codec::Pcma);
    let stream = Stream { seconds: 1, ..Stream::new(Side::Visitor, Codec::Opus, 440.0) };
    world.run(std::slice::from_ref(&stream));
    world.bridge.mute(Side::Visitor, true);
    let muted_from = world.heard(Side::Trunk).pcm.len();
    world.run(std::slice::from_ref(&stream));
    let muted_to = world.heard(Side::Trunk).pcm.len();
    world.bridge.mute(Side::Visitor, false);
    world.run(&[stream]);
    let pcm = &world.heard(Side::Trunk).pcm;
    assert!(muted_to - muted_from >= 7800);
    // A-law has no zero: its silence is 8.
    assert!(pcm[muted_from..muted_to].iter().all(|sample| sample.abs() <= 8));
    assert!((level::dbfs(&pcm[muted_to + 3200..]) + 13.0).abs() < 1.5);
}

#[test]
fn frames_that_are_none_are_counted_and_harm_nothing() {
    let mut world = World::between(6, Codec::Pcmu, Codec::Opus);
    for n in 0..20 {
        world.give(Side::Trunk, Codec::Opus, n, n as u32 * 960, &[]);
        world.give(Side::Visitor, Codec::Pcmu, n, n as u32 * 160, &[0; 1700]);
        world.pass(20);
    }
    let stats = world.bridge.statistics();
    assert_eq!((stats.to_visitor.malformed, stats.to_trunk.malformed), (20, 20));
}

#[test]
fn random_operations_never_break_a_promise() {
    for number in 0..60 {
        let mut seed = base::Seed::from_number(number);
        let mut data = vec![0; 2000];
        seed.fill(&mut data);
        bridge::fuzz(&data);
    }
}
