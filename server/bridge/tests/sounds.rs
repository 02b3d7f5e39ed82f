//! Tones and prompts that the bridge plays itself.
#![allow(clippy::unwrap_used)]

mod world;

use audio::{Rate, level, measure, tone::Tone};
use base::Codec;
use bridge::{Event, PortSettings, Side, Sound, Until};
use world::{EAR, Stream, World};

#[test]
fn ringback_is_heard_in_every_codec_before_the_trunk_is_there() {
    for codec in Codec::ALL {
        let mut world = World::new(1);
        world.bridge.update(Side::Visitor, PortSettings::only(codec));
        world.bridge.play(world.now, Side::Visitor, &Sound::RINGBACK, Until::Media);
        world.pass(6000);
        let heard = world.heard(Side::Visitor);
        assert!((299..=301).contains(&heard.frames), "{codec}: {}", heard.frames);
        let found = measure::dominant(&heard.pcm[800..8000], EAR).unwrap();
        assert!((found.frequency - 425.0).abs() < 2.0, "{codec} {found:?}");
        assert!((found.level + 16.0).abs() < 1.5, "{codec} {found:?}");
        assert!(level::dbfs(&heard.pcm[10_000..39_000]) < -60.0, "{codec}");
        assert_eq!(measure::dominant(&heard.pcm[40_800..], EAR).unwrap().frequency.round(), 425.0);
    }
}

#[test]
fn ringback_gives_way_to_early_media_at_once() {
    let mut world = World::between(1, Codec::Pcmu, Codec::Pcmu);
    world.bridge.play(world.now, Side::Visitor, &Sound::RINGBACK, Until::Media);
    world.pass(500);
    assert!(world.heard(Side::Visitor).frames >= 24);
    world.give(Side::Trunk, Codec::Pcmu, 1, 0, &[0; 160]);
    assert_eq!(world.heard(Side::Visitor).relayed, 1);
    let frames = world.heard(Side::Visitor).frames;
    world.pass(500);
    assert_eq!(world.heard(Side::Visitor).frames, frames);
}

#[test]
fn a_prompt_covers_the_other_side_ends_and_is_told_to_have_ended() {
    let pcm: Vec<i16> = (0..16_000).map(|n| ((n % 16) * 1000 - 8000) as i16).collect();
    let prompt = Sound::Prompt { pcm: pcm.into(), rate: Rate::Wide, repeat: false };
    for codec in [Codec::Pcmu, Codec::Opus] {
        let mut world = World::between(1, Codec::G722, codec);
        let stream = Stream { seconds: 2, ..Stream::new(Side::Visitor, Codec::G722, 440.0) };
        world.bridge.play(world.now, Side::Trunk, &prompt, Until::Stopped);
        world.run(&[stream]);
        world.pass(20);
        let stats = world.bridge.statistics().to_trunk;
        assert_eq!(stats.played, 50);
        assert!(world.events.contains(&Event::SoundEnded { side: Side::Trunk }));
        let pcm = &world.heard(Side::Trunk).pcm;
        let first = measure::dominant(&pcm[1600..7000], EAR).unwrap();
        assert!((first.frequency - 1000.0).abs() < 10.0, "{first:?}");
        let second = measure::dominant(&pcm[9600..], EAR).unwrap();
        assert!((second.frequency - 440.0).abs() < 4.4, "{second:?}");
    }
}

#[test]
fn a_repeated_prompt_plays_to_a_held_side_until_it_is_stopped() {
    let mut world = World::between(1, Codec::Pcmu, Codec::Pcma);
    world.bridge.hold(world.now, Side::Visitor, true);
    let prompt = Sound::Prompt { pcm: vec![9000; 400].into(), rate: Rate::Narrow, repeat: true };
    world.bridge.play(world.now, Side::Visitor, &prompt, Until::Stopped);
    world.run(&[Stream { seconds: 2, ..Stream::new(Side::Trunk, Codec::Pcma, 440.0) }]);
    let heard = world.heard(Side::Visitor);
    assert!(heard.frames >= 98 && heard.pcm.iter().all(|sample| *sample > 8000));
    world.bridge.stop(Side::Visitor);
    assert_eq!(world.bridge.poll_timeout(), None);
}

#[test]
fn another_sound_takes_the_place_of_the_first() {
    let mut world = World::between(1, Codec::Pcmu, Codec::Pcma);
    world.bridge.play(world.now, Side::Trunk, &Sound::RINGBACK, Until::Stopped);
    world.pass(400);
    let digit = Tone::digit('5').unwrap();
    world.bridge.play(world.now, Side::Trunk, &Sound::Tone(digit), Until::Stopped);
    world.pass(400);
    let pcm = &world.heard(Side::Trunk).pcm[3400..];
    for (hertz, heard) in [(770.0, true), (1336.0, true), (425.0, false)] {
        assert_eq!(measure::tone_level(pcm, EAR, hertz) > -14.0, heard, "{hertz}");
    }
}
