//! What both sides understand passes untouched.
#![allow(clippy::unwrap_used)]

mod world;

use base::{Codec, Frame};
use bridge::{Bridge, Event, PortSettings, SILENCE_AFTER, Side};
use std::time::{Duration, Instant};
use world::{Stream, World};

fn frame(codec: Codec, payload: &[u8], sequence: u64, received_at: Instant) -> Frame<'_> {
    let timestamp = sequence as u32 * 160;
    Frame { codec, payload, sequence, timestamp, marker: sequence == 1, received_at }
}

#[test]
fn a_frame_that_the_other_side_takes_comes_back_at_once_and_is_the_very_same() {
    let now = Instant::now();
    let mut bridge = Bridge::new(&mut base::Seed::from_number(1));
    let both = PortSettings { send: Codec::Opus, accepts: [Codec::Opus, Codec::Pcmu].into() };
    bridge.connect(now, both, both);
    let payload = [7; 160];
    for (sequence, codec) in
        [(1, Codec::Pcmu), (2, Codec::Opus), (9, Codec::Pcmu), (3, Codec::Opus)]
    {
        let given = frame(codec, &payload, sequence, now);
        let (to, passed) = bridge.handle_frame(now, Side::Visitor, given).unwrap();
        assert_eq!(to, Side::Trunk);
        assert!(std::ptr::eq(passed.payload, payload.as_slice()));
        assert_eq!(
            (passed.codec, passed.sequence, passed.timestamp, passed.marker, passed.received_at),
            (codec, sequence, sequence as u32 * 160, sequence == 1, now)
        );
        assert!(bridge.poll_frame().is_none());
    }
    // The only timer is the watch for silence: a relayed call wakes nobody up.
    assert_eq!(bridge.poll_timeout(), Some(now + SILENCE_AFTER));
    let statistics = bridge.statistics();
    assert_eq!((statistics.relayed, statistics.to_trunk.relayed, statistics.transcoded), (4, 4, 0));
}

#[test]
fn nothing_passes_before_the_sides_are_connected_or_after_the_end() {
    let mut world = World::new(1);
    world.give(Side::Trunk, Codec::Pcmu, 1, 0, &[0; 160]);
    assert_eq!(world.bridge.poll_timeout(), None);
    let only = PortSettings::only(Codec::Pcmu);
    world.bridge.connect(world.now, only, only);
    world.give(Side::Trunk, Codec::Pcmu, 2, 160, &[0; 160]);
    world.bridge.close();
    world.give(Side::Trunk, Codec::Pcmu, 3, 320, &[0; 160]);
    assert_eq!(world.heard(Side::Visitor).relayed, 1);
    assert_eq!(world.bridge.statistics().to_visitor.suppressed, 2);
    assert_eq!(world.bridge.poll_timeout(), None);
}

#[test]
fn each_side_is_said_to_flow_once_and_silence_of_both_is_told_after_a_minute() {
    let mut world = World::between(1, Codec::Pcmu, Codec::Pcmu);
    world.pass(59_000);
    world.give(Side::Visitor, Codec::Pcmu, 1, 0, &[0; 160]);
    world.give(Side::Visitor, Codec::Pcmu, 2, 160, &[0; 160]);
    world.give(Side::Trunk, Codec::Pcmu, 1, 0, &[0; 160]);
    let since = world.now;
    world.pass(59_999);
    let flowing = [Side::Visitor, Side::Trunk].map(|side| Event::Flowing { side });
    assert_eq!(world.events, flowing);
    world.pass(100_000);
    assert_eq!(world.events[2..], [Event::Silent { since }]);
    // Whoever speaks again starts the watch again.
    world.give(Side::Trunk, Codec::Pcmu, 3, 0, &[0; 160]);
    let since = world.now;
    world.pass(61_000);
    assert_eq!(world.events[3..], [Event::Silent { since }]);
}

#[test]
fn a_call_in_which_nobody_ever_sends_is_silent_from_its_connection_on() {
    let mut world = World::between(1, Codec::Pcmu, Codec::Opus);
    let since = world.now;
    world.pass(60_000);
    assert_eq!(world.events, [Event::Silent { since }]);
}

#[test]
fn one_side_alone_keeps_the_call_and_so_does_a_hold() {
    let mut world = World::between(1, Codec::Pcmu, Codec::Pcmu);
    for n in 0..200 {
        world.give(Side::Visitor, Codec::Pcmu, n, 0, &[0; 160]);
        world.pass(1000);
    }
    world.bridge.hold(world.now, Side::Trunk, true);
    world.pass(300_000);
    assert_eq!(world.events, [Event::Flowing { side: Side::Visitor }]);
    world.bridge.hold(world.now, Side::Trunk, false);
    world.pass(59_000);
    assert_eq!(world.events.len(), 1);
    world.pass(1000);
    assert_eq!(world.events.len(), 2);
}

#[test]
fn sides_that_hear_each_other_by_another_way_may_be_silent_here_until_they_do_so_no_more() {
    let mut world = World::between(1, Codec::Pcmu, Codec::Pcmu);
    world.bridge.bypass(world.now, true);
    world.pass(3_600_000);
    assert_eq!(world.events, []);
    // What comes all the same passes.
    world.give(Side::Trunk, Codec::Pcmu, 1, 0, &[0; 160]);
    assert_eq!(world.heard(Side::Visitor).relayed, 1);
    world.bridge.bypass(world.now, false);
    let since = world.now;
    world.pass(59_000);
    // To be told again that there is no other way changes nothing.
    world.bridge.bypass(world.now, false);
    world.pass(1000);
    assert_eq!(world.events[1..], [Event::Silent { since }]);
}

#[test]
fn a_muted_or_held_side_is_not_relayed_and_the_other_one_is() {
    let mut world = World::between(1, Codec::Pcmu, Codec::Pcmu);
    world.bridge.mute(Side::Visitor, true);
    world.run(&[
        Stream { seconds: 1, ..Stream::new(Side::Visitor, Codec::Pcmu, 440.0) },
        Stream { seconds: 1, ..Stream::new(Side::Trunk, Codec::Pcmu, 660.0) },
    ]);
    assert_eq!((world.heard(Side::Trunk).relayed, world.heard(Side::Visitor).relayed), (0, 50));
    world.bridge.mute(Side::Visitor, false);
    world.bridge.hold(world.now, Side::Trunk, true);
    world.give(Side::Visitor, Codec::Pcmu, 1, 0, &[0; 160]);
    world.give(Side::Trunk, Codec::Pcmu, 1, 0, &[0; 160]);
    assert_eq!((world.heard(Side::Trunk).relayed, world.heard(Side::Visitor).relayed), (0, 50));
    world.bridge.hold(world.now, Side::Trunk, false);
    world.give(Side::Visitor, Codec::Pcmu, 2, 0, &[0; 160]);
    assert_eq!(world.heard(Side::Trunk).relayed, 1);
}

#[test]
fn a_relayed_bridge_is_small() {
    assert!(size_of::<Bridge>() < 2048, "{}", size_of::<Bridge>());
}

#[test]
fn a_shell_that_wakes_up_late_gets_a_few_frames_and_not_hundreds() {
    let mut world = World::between(1, Codec::Opus, Codec::Pcmu);
    world.give(Side::Trunk, Codec::Pcmu, 1, 0, &[0xff; 160]);
    let late = world.now + Duration::from_secs(7);
    world.bridge.handle_timeout(late);
    let mut frames = 0;
    while world.bridge.poll_frame().is_some() {
        frames += 1;
    }
    assert_eq!(frames, 5);
    assert!(world.bridge.poll_timeout().unwrap() > late);
    assert!(world.bridge.poll_timeout().unwrap() <= late + Duration::from_millis(20));
}

#[test]
fn a_relayed_frame_allocates_nothing() {
    // Of 20 ms, of 10 ms, and Speex with one and with two frames of mode 3 in a payload.
    let speex = [&[3 << 3][..], &[7; 19]].concat();
    for (codec, payload, every) in [
        (Codec::Pcmu, vec![7; 160], 1),
        (Codec::Pcmu, vec![7; 80], 2),
        (Codec::Speex16, speex.clone(), 1),
        (Codec::Speex16, speex.repeat(2), 1),
    ] {
        let now = Instant::now();
        let mut bridge = Bridge::new(&mut base::Seed::from_number(2));
        let both = PortSettings::only(codec);
        bridge.connect(now, both, both);
        let mut passed = 0;
        let mut relay = |sequence: u64| {
            let at = now + Duration::from_millis(10) * sequence as u32;
            let timestamp = sequence as u32 * 80;
            for side in Side::BOTH {
                let frame = Frame { timestamp, ..frame(codec, &payload, sequence, at) };
                let mut out = bridge.handle_frame(at, side, frame);
                while out.is_some() {
                    passed += 1;
                    out = bridge.poll_relayed(side);
                }
            }
            while bridge.poll_event().is_some() {}
            bridge.poll_timeout();
        };
        (0..2).for_each(&mut relay);
        let cost = allocation_counter::measure(|| (2..500).for_each(&mut relay));
        assert_eq!(cost.count_total, 0, "{codec} {cost:?}");
        let pieces = payload.len() / speex.len().min(payload.len());
        let expected = if codec == Codec::Pcmu { 1000 / every } else { 1000 * pieces };
        assert_eq!(passed, expected, "{codec}");
    }
}

#[test]
fn a_stream_of_10_ms_leaves_as_one_of_20() {
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
        for from in Side::BOTH {
            let mut world = World::between(1, codec, codec);
            world.run(&[Stream { ptime: 10, seconds: 2, ..Stream::new(from, codec, 500.0) }]);
            let heard = world.heard(from.other());
            assert_eq!((heard.relayed, heard.frames), (100, 100), "{codec}");
            assert!(heard.sequences.windows(2).all(|pair| pair[1] == pair[0] + 1));
            assert!(heard.timestamps.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(160)));
            let tone = audio::measure::dominant(&heard.pcm[8000..], world::EAR).unwrap();
            assert!((tone.frequency - 500.0).abs() < 2.0, "{codec} {tone:?}");
            assert!((tone.level + 10.0).abs() < 1.0, "{codec} {tone:?}");
            let stats = world.bridge.statistics();
            assert_eq!((stats.relayed, stats.transcoded), (200, 0));
        }
    }
}

#[test]
fn speex_between_two_sides_that_have_it_passes_as_it_is() {
    for codec in [Codec::Speex16, Codec::Speex8] {
        let now = Instant::now();
        let mut bridge = Bridge::new(&mut base::Seed::from_number(1));
        let side = PortSettings { send: codec, accepts: [codec, Codec::Pcmu].into() };
        bridge.connect(now, side, side);
        let payload = [&[3 << 3][..], &[9; 19]].concat();
        let given = frame(codec, &payload, 8, now);
        let (to, passed) = bridge.handle_frame(now, Side::Trunk, given).unwrap();
        assert!(std::ptr::eq(passed.payload, payload.as_slice()));
        assert_eq!((to, passed.codec, passed.sequence), (Side::Visitor, codec, 8));
        assert!(bridge.poll_relayed(Side::Trunk).is_none());
        // What is no frame of it, and comes from anybody, does not go on.
        let hostile = frame(codec, &[0x55; 40], 9, now);
        assert!(bridge.handle_frame(now, Side::Trunk, hostile).is_none());
        let stats = bridge.statistics().to_visitor;
        assert_eq!((stats.relayed, stats.malformed), (1, 1));
    }
}
