//! What is heard in calls of Flash clients: how old it is where datagrams get lost, in which codec,
//! and that nothing is heard while a call is held.

use super::flash_scenes::streams;
use super::phone::Manner;
use super::world::World;
use audio::tone::{Tone, ToneGenerator};
use audio::{Decoder, Encoder, Rate};
use base::Codec;
use rtmp::amf::Value;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);
const PAGE: &str = "https://shop.example/";
/// Datagrams lost, per thousand, and how long each takes.
const LOSS: u64 = 50;
const DELAY: Duration = Duration::from_millis(30);

/// The sound of a frame, by its number.
pub type Voice = fn(u64) -> Vec<u8>;

/// What one end said and heard.
#[derive(Default)]
pub struct Tape {
    /// When each frame was said.
    pub said: Vec<Instant>,
    /// When each message or packet of sound was heard, and its payload.
    pub heard: Vec<(Instant, Vec<u8>)>,
}

/// Frames that can be told apart: the numbers go round.
const NUMBERS: u64 = 200;

/// A frame of mu-law in which every octet is the frame's number.
fn mu_law(number: u64) -> Vec<u8> {
    vec![(number % NUMBERS) as u8; 160]
}

/// A frame of Speex that holds its number: mode 3 of the narrow layer has 20 octets.
pub fn speex(number: u64) -> Vec<u8> {
    [&[3 << 3][..], &[(number % NUMBERS) as u8; 19]].concat()
}

/// Frames of a second of tone and a second of silence, over and over.
fn keyed(codec: Codec, number: u64) -> Vec<u8> {
    static TABLES: [OnceLock<Vec<Vec<u8>>>; 2] = [OnceLock::new(), OnceLock::new()];
    let table = TABLES[usize::from(codec == Codec::G722)].get_or_init(|| {
        let rate = Rate::of(codec);
        let mut encoder = Encoder::new(codec, rate).expect("an encoder");
        let mut tone = ToneGenerator::new(Tone::steady(440.0, -6.0), rate);
        let mut frame = |n: u64| {
            let (mut pcm, mut octets) = ([0; 960], [0; audio::MAX_ENCODED]);
            let pcm = &mut pcm[..rate.khz() * 20];
            if n < PERIOD / 2 {
                tone.fill(pcm);
            }
            let length = encoder.encode(pcm, &mut octets).expect("a frame");
            octets[..length].to_vec()
        };
        (0..PERIOD).map(&mut frame).collect()
    });
    table[(number % PERIOD) as usize].clone()
}

/// Frames in a second of tone and a second of silence.
const PERIOD: u64 = 100;

fn tagged(tag: u8, sound: Vec<u8>) -> Vec<u8> {
    [vec![tag], sound].concat()
}

/// A call of a client to a phone that takes one codec, on a network that loses something; both
/// write down what they say and hear.
fn call(seed: u64, codec: Codec, loss: u64, (up, down): (Voice, Voice)) -> World {
    let mut world = World::new(seed);
    world.phone.manner = Some(Manner::RingsThenAnswers(SECOND));
    world.phone.codecs = vec![codec];
    world.phone.voice = Some(down);
    world.phone.tape = Some(Tape::default());
    world.check_every = 97;
    let guest = world.arrive(None, "long", PAGE);
    world.guests[guest].voice = up;
    world.guests[guest].tape = Some(Tape::default());
    world.flash.network.delay = DELAY;
    world.run_for(SECOND);
    world.guests[guest].say(world.now, "call", &[]);
    world.run_for(SECOND * 2);
    streams(&mut world, guest, "1");
    world.run_for(SECOND);
    world.flash.network.loss = loss;
    world
}

fn tapes(world: &mut World) -> [&mut Tape; 2] {
    [&mut world.guests[0].tape, &mut world.phone.tape].map(|tape| tape.as_mut().expect("a tape"))
}

/// What became of the frames said on one way.
struct OneWay {
    /// How old those that were heard were, over and above the way from end to end; sorted.
    ages: Vec<Duration>,
    /// How many were said.
    said: usize,
}

impl OneWay {
    /// Of a thousand that were heard, how many were older than a phone's buffer puts right.
    fn late_of_thousand(&self) -> usize {
        let late = self.ages.iter().filter(|age| **age > Duration::from_millis(60));
        late.count() * 1_000 / self.ages.len()
    }
}

/// What became of the numbered frames that were said since `from`; a number stands in the second
/// octet after what is to be skipped. A frame that is heard twice fails.
fn ages(said: &Tape, heard: &Tape, from: Instant, skip: usize) -> OneWay {
    let mut times = vec![None; said.said.len()];
    for (at, payload) in &heard.heard {
        let number = u64::from(payload[skip + 1]);
        let newest = said.said.partition_point(|said| said <= at) as u64;
        let back = (newest + NUMBERS - 1 - number) % NUMBERS;
        let Some(index) = newest.checked_sub(1 + back) else { continue };
        let before = times[index as usize].replace(*at - said.said[index as usize]);
        assert_eq!(before, None, "frame {index} is heard twice");
    }
    let since = times.into_iter().zip(&said.said).filter(|(_, at)| **at >= from);
    let (mut ages, mut count) = (Vec::new(), 0);
    for (age, _) in since {
        ages.extend(age);
        count += 1;
    }
    ages.sort_unstable();
    let way = ages[0];
    OneWay { ages: ages.into_iter().map(|age| age - way).collect(), said: count }
}

/// Of sorted ages, the one that so many percent do not exceed.
fn percentile(ages: &[Duration], percent: usize) -> Duration {
    ages[(ages.len() - 1) * percent / 100]
}

#[test]
fn what_is_lost_on_the_way_from_a_flash_client_holds_nothing_else_up() {
    for (codec, up, down) in [
        (Codec::Pcmu, (|n| tagged(0x82, mu_law(n))) as Voice, mu_law as Voice),
        (Codec::Speex16, |n| tagged(0xb2, speex(n)), speex),
    ] {
        for seed in 8..12 {
            let mut world = call(seed, codec, LOSS, (up, down));
            let from = world.now;
            world.run_for(SECOND * 60);
            let [client, phone] = tapes(&mut world);
            let (up, down) = (ages(client, phone, from, 0), ages(phone, client, from, 1));
            let name = format!("{codec:?}, seed {seed}");
            for way in [&up, &down] {
                let heard = way.ages.len() * 1_000 / way.said;
                assert!(heard >= 985, "{name}: of a thousand frames {heard} are heard");
                let worst = percentile(&way.ages, 100);
                assert!(worst <= Duration::from_millis(420), "{name}: {worst:?} late");
            }
            // Up, only what was lost itself comes late: 46 to 56 in a thousand. Down, the client
            // takes sound in the order in which it was sent, so that what was lost holds others up:
            // 125 to 157, as many as would be up in that order.
            let (held_up, waiting) = (up.late_of_thousand(), down.late_of_thousand());
            assert!(held_up <= 65, "{name}: up, {held_up} of a thousand frames are late");
            assert!(waiting <= 220, "{name}: down, {waiting} of a thousand frames are late");
        }
    }
}

/// Whether a frame is loud.
fn is_loud(pcm: &[i16]) -> bool {
    audio::level::dbfs(pcm) > -20.0
}

/// How old the beginning of each tone is when it is heard, of those begun since `from`.
fn onsets(said: &Tape, heard: &[(Instant, bool)], from: Instant) -> Vec<Duration> {
    let begun = said.said.iter().step_by(PERIOD as usize).filter(|at| **at >= from);
    let age = |at: &Instant| {
        let after = heard.iter().filter(|(when, loud)| when >= at && *loud);
        after.map(|(when, _)| *when - *at).next()
    };
    let mut ages: Vec<_> = begun.filter_map(age).collect();
    ages.sort_unstable();
    ages
}

/// What the phone heard of A-law or G.722, or the client of anything: when it was loud.
fn loud(tape: &Tape, codec: Codec, tagged: bool) -> Vec<(Instant, bool)> {
    let rate = Rate::of(codec);
    let mut decoder = Decoder::new(codec, rate).expect("a decoder");
    let mut pcm = [0; 5760];
    let mut is_loud = |payload: &[u8]| {
        let length = decoder.decode(payload, &mut pcm).unwrap_or(0);
        is_loud(&pcm[..length])
    };
    let heard = tape.heard.iter();
    heard.map(|(at, payload)| (*at, is_loud(&payload[usize::from(tagged)..]))).collect()
}

/// Both ways through the transcoder: the client has Speex, the phone G.722.
const TRANSCODED: (Voice, Voice) =
    (|number| tagged(0xb2, keyed(Codec::Speex16, number)), |number| keyed(Codec::G722, number));

#[test]
fn transcoded_speex_is_heard_in_time_both_ways_where_some_is_lost() {
    for seed in 8..12 {
        let mut world = call(seed, Codec::G722, LOSS, TRANSCODED);
        let from = world.now;
        world.run_for(SECOND * 60);
        let [client, phone] = tapes(&mut world);
        assert!(client.heard.iter().all(|(_, sound)| sound[0] == 0xb2), "the client hears Speex");
        let up = onsets(client, &loud(phone, Codec::G722, false), from);
        let down = onsets(phone, &loud(client, Codec::Speex16, true), from);
        // The way itself takes 45 ms. Up, the jitter buffer waits for what is sent again, 200 ms in
        // all; down, it stands before the losses, and the client's own order makes some wait.
        for (way, middle, worst) in [(&up, 230, 330), (&down, 110, 330)] {
            assert!(way.len() >= 29, "seed {seed}: {} of 30 tones are heard", way.len());
            let found = [50, 100].map(|percent| percentile(way, percent).as_millis());
            assert!(found[0] <= middle && found[1] <= worst, "seed {seed}: {found:?} ms");
        }
    }
}

#[test]
fn while_a_call_is_held_neither_hears_the_other_and_after_it_both_do() {
    let passed: (Voice, Voice) = (
        |number| tagged(0xb2, keyed(Codec::Speex16, number)),
        |number| keyed(Codec::Speex16, number),
    );
    for (codec, voices) in [(Codec::Speex16, passed), (Codec::G722, TRANSCODED)] {
        let mut world = call(8, codec, 0, voices);
        for words in ["", "hold", "resume", "hold", "resume"] {
            if !words.is_empty() {
                world.guests[0].say(world.now, words, &[("callId", Value::from("1"))]);
            }
            world.run_for(SECOND);
            let from = world.now;
            world.run_for(SECOND * 6);
            let [client, phone] = tapes(&mut world);
            let of_client = loud(client, Codec::Speex16, true);
            let heard = [of_client, loud(phone, codec, false)]
                .map(|heard| heard.iter().filter(|(at, loud)| *at >= from && *loud).count());
            // Three seconds of tone in six, twenty milliseconds each.
            let expected = if words == "hold" { 0..=0 } else { 145..=160 };
            let fits = heard.iter().all(|count| expected.contains(count));
            assert!(fits, "{codec:?}, after {words:?}: the client and the phone hear {heard:?}");
        }
    }
}
