//! Single calls of Flash clients with a known course.

use super::altered::Alteration;
use super::phone::Manner;
use super::world::World;
use rtmp::amf::Value;
use std::time::Duration;

pub const SECOND: Duration = Duration::from_secs(1);
pub const PAGE: &str = "https://shop.example/";

/// A client that publishes and plays a call, from the time that it has a name for it.
pub fn streams(world: &mut World, guest: usize, call: &str) {
    for _ in 0..2 {
        world.guests[guest].act(world.now, |client| client.create_stream());
    }
    world.run_for(SECOND / 2);
    let [up, down] = world.guests[guest].streams[..] else { panic!("two streams") };
    let now = world.now;
    world.guests[guest].publish(now, up, call);
    world.guests[guest].act(now, |client| client.play(down, call));
}

/// A client with an account of its own that is registered.
pub fn registered(world: &mut World) -> usize {
    let guest = world.arrive(None, "webphone", PAGE);
    world.run_for(SECOND);
    let account = [
        ("registrar", Value::from("198.51.100.20")),
        ("username", "guest".into()),
        ("password", "secret".into()),
    ];
    world.guests[guest].say(world.now, "register", &account);
    world.run_for(SECOND);
    assert!(world.guests[guest].registered);
    guest
}

pub fn words(world: &World, guest: usize, call: &str) -> Vec<String> {
    world.guests[guest].calls[call].iter().map(|told| told.0.clone()).collect()
}

#[test]
fn sound_crosses_both_ways_between_a_flash_client_and_the_phone() {
    let mut world = World::new(1);
    world.phone.manner = Some(Manner::RingsThenAnswers(SECOND * 2));
    let guest = world.arrive(None, "long", PAGE);
    world.run_for(SECOND);
    assert!(world.guests[guest].connected);
    world.guests[guest].say(world.now, "call", &[]);
    world.run_for(SECOND);
    streams(&mut world, guest, "1");
    world.run_for(SECOND * 6);
    world.guests[guest].say(world.now, "dtmf", &[("callId", "1".into()), ("digits", "42".into())]);
    world.run_for(SECOND * 2);
    let talk = world.phone.talks.values().next().expect("a talk");
    let heard = (talk.heard, world.guests[guest].heard);
    assert!(heard.0 > 240 && heard.1 > 240, "{heard:?} frames");
    assert_eq!(talk.digits, "42");
    world.guests[guest].say(world.now, "hangup", &[("callId", Value::from("1"))]);
    world.run_for(SECOND * 2);
    assert_eq!(words(&world, guest, "1"), ["calling", "ringing", "active", "ended"]);
    world.check_log();
}

#[test]
fn a_flash_client_is_heard_by_its_caller_only_after_it_has_answered() {
    let mut world = World::new(2);
    let guest = registered(&mut world);
    world.phone_calls();
    world.run_for(SECOND);
    assert_eq!(words(&world, guest, "1"), ["ringing"]);
    streams(&mut world, guest, "1");
    world.run_for(SECOND * 3);
    let sent = world.core.metrics.frames_relayed_total.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(sent, 0, "frames went to the caller before the answer");
    world.guests[guest].say(world.now, "answer", &[("callId", "1".into())]);
    world.run_for(SECOND * 5);
    let talk = world.phone.talks.values().next().expect("a talk");
    let heard = (talk.heard, world.guests[guest].heard);
    assert!(heard.0 > 240 && heard.1 > 240, "{heard:?} frames");
}

#[test]
fn a_caller_that_brings_its_offer_in_the_ack_is_heard_and_hears() {
    let mut world = World::new(2);
    world.phone.codecs = vec![base::Codec::Pcmu];
    world.phone.alters = Some(Alteration::Delayed);
    let guest = registered(&mut world);
    world.phone_calls();
    world.run_for(SECOND);
    assert_eq!(words(&world, guest, "1"), ["ringing"]);
    streams(&mut world, guest, "1");
    world.run_for(SECOND);
    world.guests[guest].say(world.now, "answer", &[("callId", "1".into())]);
    world.run_for(SECOND * 5);
    let talk = world.phone.talks.values().next().expect("a talk");
    let heard = (talk.heard, world.guests[guest].heard);
    assert!(heard.0 > 240 && heard.1 > 240, "{heard:?} frames");
    world.guests[guest].say(world.now, "hangup", &[("callId", Value::from("1"))]);
    world.run_for(SECOND * 2);
    world.check_log();
}

#[test]
fn a_call_that_a_flash_client_does_not_take_leaves_nothing() {
    for way in ["rejected", "left", "beyond the bound", "nothing in common"] {
        let mut world = World::new(3);
        let guest = registered(&mut world);
        let calls = if way == "beyond the bound" { 4 } else { 1 };
        if way == "nothing in common" {
            world.phone.codecs.clear();
        }
        for _ in 0..calls {
            world.phone_calls();
            world.run_for(SECOND);
        }
        match way {
            "rejected" => world.guests[guest].say(world.now, "reject", &[("callId", "1".into())]),
            "left" => world.guests[guest].leave(world.now, 0),
            _ => {}
        }
        let calls: Vec<_> = world.phone.talks.keys().copied().collect();
        world.run_for(SECOND * 2);
        calls.into_iter().for_each(|invite| world.phone.hang_up(world.now, invite));
        world.run_for(SECOND * 2);
        assert!(world.core.calls.is_empty(), "{way}");
        world.check_log();
    }
}

#[test]
fn a_flash_client_may_be_rung_for_more_than_a_minute() {
    let mut world = World::new(4);
    let guest = registered(&mut world);
    world.phone_calls();
    world.run_for(SECOND * 100);
    world.guests[guest].say(world.now, "answer", &[("callId", "1".into())]);
    world.run_for(SECOND);
    assert_eq!(words(&world, guest, "1"), ["ringing", "active"]);
}

#[test]
fn a_caller_without_a_codec_of_flash_is_heard_and_hears() {
    let mut world = World::new(5);
    world.phone.codecs = vec![base::Codec::G722];
    let guest = registered(&mut world);
    world.phone_calls();
    world.run_for(SECOND);
    world.guests[guest].say(world.now, "answer", &[("callId", "1".into())]);
    world.run_for(SECOND);
    streams(&mut world, guest, "1");
    world.run_for(SECOND * 5);
    let talk = world.phone.talks.values().next().expect("a talk");
    let heard = (talk.heard, world.guests[guest].heard);
    assert!(heard.0 > 200 && heard.1 > 200, "{heard:?} frames");
}

#[test]
fn the_row_of_a_client_that_vanished_tells_what_it_was_sent_and_sent() {
    for way in [0, 1, 2] {
        let mut world = World::new(6);
        world.phone.manner = Some(Manner::RingsThenAnswers(SECOND));
        let guest = world.arrive(None, "long", PAGE);
        world.run_for(SECOND);
        world.guests[guest].say(world.now, "call", &[]);
        world.run_for(SECOND);
        streams(&mut world, guest, "1");
        world.run_for(SECOND * 5);
        world.guests[guest].leave(world.now, way);
        world.run_for(SECOND * 30);
        assert!(world.core.calls.is_empty(), "way {way}");
        world.check_log();
        let rows = world.core.store.recent(10).expect("rows");
        let counts: Vec<_> = rows.iter().map(|r| (r.browser_received, r.browser_sent)).collect();
        assert!(counts[0].0 > 200 && counts[0].1 > 200, "way {way}: {counts:?}");
    }
}

/// Sound whose frames can be told apart: each one is a constant level, and the levels go round.
const LEVELS: u64 = 100;
/// How old what is heard is at most, over and above the network's own delay. A jitter buffer stands
/// in the way only where sound is transcoded.
const AGE_AT_MOST: Duration = Duration::from_millis(200);

/// A frame in which every octet is the frame's number.
fn numbered(number: u64) -> Vec<u8> {
    let level = (number % LEVELS) as u8;
    [&[0x82][..], &[level; 160]].concat()
}

/// The level that a phone hears as this octet of A-law (G.711): the nearest by its sample.
fn level(a_law: u8) -> u64 {
    let octet = a_law ^ 0x55;
    let (exponent, mantissa) = (i32::from(octet >> 4 & 7), i32::from(octet & 15));
    let a_law =
        if exponent == 0 { mantissa * 16 + 8 } else { (mantissa * 16 + 264) << (exponent - 1) };
    let mu_law = |level: u64| {
        let octet = !(level as u8);
        (((i32::from(octet & 15) << 3) + 132) << (octet >> 4 & 7)) - 132
    };
    (0..LEVELS).min_by_key(|level| (mu_law(*level) - a_law).abs()).unwrap_or(0)
}

/// A long talk of a client whose clock is off by so many millionths: how old what the phone
/// hears is, every ten seconds, in order of size; and how far message times for the client stray.
fn long_talk(codec: base::Codec, drift: i64, samples: usize) -> (Vec<Duration>, i64) {
    let mut world = World::new(7);
    world.phone.manner = Some(Manner::RingsThenAnswers(SECOND));
    world.phone.codecs = vec![codec];
    for network in [&mut world.media, &mut world.flash.network] {
        network.loss = 20;
        network.jitter = Duration::from_millis(20);
    }
    world.check_every = 997;
    let guest = world.arrive(None, "hour", PAGE);
    world.guests[guest].tick = Duration::from_nanos((20_000_000 + drift * 20) as u64);
    world.guests[guest].voice = numbered;
    world.run_for(SECOND);
    world.guests[guest].say(world.now, "call", &[]);
    world.run_for(SECOND * 2);
    streams(&mut world, guest, "1");
    world.run_for(SECOND * 5);
    let mut ages = Vec::new();
    let mut skew = (i64::MAX, i64::MIN);
    for _ in 0..samples {
        world.steps = 0;
        world.run_for(SECOND * 10);
        let guest = &world.guests[guest];
        let (at, stamp, _) = guest.heard_last.as_ref().expect("sound");
        let off = at.duration_since(world.start).as_millis() as i64 - i64::from(*stamp);
        skew = (skew.0.min(off), skew.1.max(off));
        let (at, octet) = world.phone.heard_last.expect("sound");
        let level = if codec == base::Codec::Pcma { level(octet) } else { u64::from(octet) };
        // The newest frame that has this level, and the time since it was spoken.
        let back = (guest.spoken - 1 + LEVELS - level) % LEVELS;
        ages.push((guest.tick * back as u32).saturating_sub(world.now - at));
    }
    let talk = world.phone.talks.values().next().expect("still talking");
    assert!(talk.heard > 470 * samples as u64, "{} heard", talk.heard);
    assert!(
        world.guests[guest].heard > 470 * samples as u64,
        "{} heard",
        world.guests[guest].heard
    );
    ages.sort_unstable();
    (ages, skew.1 - skew.0)
}

#[test]
fn an_hour_of_talk_with_loss_and_drifting_clocks_is_never_heard_late() {
    // An hour with a slow clock; as much drift the other way, in a third of the time.
    for (drift, samples) in [(-300, 360), (900, 120)] {
        let codec = base::Codec::Pcma;
        let (ages, skew) = long_talk(codec, drift, samples);
        let delay = Duration::from_millis(2 * (15 + 20));
        // Where frames are made anew, one that hides a loss has no level to tell it by.
        let oldest = ages[ages.len() * 95 / 100];
        assert!(oldest <= delay + AGE_AT_MOST, "{codec:?}, {drift} ppm: heard after {oldest:?}");
        assert!(skew <= 400, "{codec:?}, {drift} ppm: message times stray {skew} ms");
    }
}
