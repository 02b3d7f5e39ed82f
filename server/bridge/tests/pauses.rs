//! A sender that says that it pauses (RFC 3389), and what is heard meanwhile.
#![allow(clippy::unwrap_used)]

mod world;

use audio::level;
use base::Codec;
use bridge::Side;
use world::{EAR, Stream, World};

/// Two seconds of a tone of the phone, three of pause at -50 dBFS, two of tone. Gives what the
/// visitor heard in the three parts, leaving out half a second around each seam.
fn pause(world: &mut World, codec: Codec) -> [Vec<i16>; 3] {
    let stream = Stream { seconds: 2, ..Stream::new(Side::Trunk, codec, 500.0) };
    world.run(std::slice::from_ref(&stream));
    let mut seams = vec![0, world.heard(Side::Visitor).pcm.len()];
    world.bridge.handle_pause(world.now, Side::Trunk, 50);
    for _ in 0..3 {
        // A sender may say it again.
        world.pass(1_000);
        world.bridge.handle_pause(world.now, Side::Trunk, 50);
    }
    seams.push(world.heard(Side::Visitor).pcm.len());
    let next = &mut world.next[Side::Trunk as usize];
    next.1 = next.1.wrapping_add(3 * codec.clock_rate());
    world.run(&[stream]);
    let heard = &world.heard(Side::Visitor).pcm;
    seams.push(heard.len());
    let seam = EAR.khz() * 500;
    std::array::from_fn(|n| heard[seams[n] + seam..seams[n + 1].saturating_sub(seam)].to_vec())
}

#[test]
fn a_pause_is_heard_as_soft_noise_by_a_side_that_is_relayed_to_and_by_one_that_is_not() {
    for (visitor, trunk) in
        [(Codec::Opus, Codec::Pcma), (Codec::Pcma, Codec::Pcma), (Codec::G722, Codec::Pcmu)]
    {
        let mut world = World::between(3, visitor, trunk);
        let [before, meanwhile, after] = pause(&mut world, trunk);
        for tone in [before, after] {
            let heard = level::dbfs(&tone);
            assert!((-15.0..-11.0).contains(&heard), "{visitor}: a tone of {heard} dBFS");
        }
        assert!(meanwhile.len() > EAR.khz() * 1_500, "{visitor}: {} samples", meanwhile.len());
        let noise = level::dbfs(&meanwhile);
        assert!((-54.0..-47.0).contains(&noise), "{visitor}: noise of {noise} dBFS");
        let stats = world.bridge.statistics().to_visitor;
        assert_eq!((stats.lost, stats.malformed), (0, 0), "{visitor}: {stats:?}");
        assert!(stats.concealed_ms <= 40, "{visitor}: {stats:?}");
    }
}

#[test]
fn after_a_pause_what_can_be_relayed_is_relayed_again() {
    let mut world = World::between(4, Codec::Pcmu, Codec::Pcmu);
    pause(&mut world, Codec::Pcmu);
    let stats = world.bridge.statistics().to_visitor;
    // All but the first half second after the pause.
    assert!((170..=176).contains(&stats.relayed), "{stats:?}");
    assert!((145..=190).contains(&stats.transcoded), "{stats:?}");
}

#[test]
fn nobody_hears_the_noise_of_a_side_that_is_muted_or_on_hold() {
    let mut world = World::between(5, Codec::Opus, Codec::Pcma);
    world.bridge.mute(Side::Trunk, true);
    world.bridge.handle_pause(world.now, Side::Trunk, 40);
    world.bridge.mute(Side::Trunk, false);
    world.bridge.hold(world.now, Side::Visitor, true);
    world.bridge.handle_pause(world.now, Side::Trunk, 40);
    world.pass(1_000);
    assert_eq!(world.heard(Side::Visitor).frames, 0);
}

#[test]
fn a_pause_ends_with_its_stream_whatever_the_numbers_of_the_next_one() {
    let mut world = World::between(6, Codec::Opus, Codec::Pcma);
    world.next[Side::Trunk as usize].0 = 100_000;
    let stream = Stream { seconds: 1, ..Stream::new(Side::Trunk, Codec::Pcma, 500.0) };
    world.run(std::slice::from_ref(&stream));
    world.bridge.handle_pause(world.now, Side::Trunk, 40);
    world.pass(500);
    world.next[Side::Trunk as usize] = (10, 77);
    world.run(&[stream]);
    world.pass(1_000);
    let from = world.heard(Side::Visitor).pcm.len();
    world.pass(500);
    let quiet = level::dbfs(&world.heard(Side::Visitor).pcm[from..]);
    assert!(quiet < -70.0, "nobody has said that this one pauses: {quiet} dBFS");
}
