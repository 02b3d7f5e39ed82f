//! What Flash clients cost.

use crate::rows::{Bench, milliseconds, shop, shop_with};
use base::Codec;
use harness::flash::flood::Flood;
use harness::flash::idle::{Idle, address, handshake};
use harness::flash::{FlashVisitor, Habit};
use harness::lines::Lines;
use harness::look::Look;
use harness::measure::{cpu, memory};
use harness::{Appliance, FlashSettings, Handset, HandsetSettings, Place};
use rtmfp::crypto::Group;
use std::time::{Duration, Instant};

/// Handshakes of one kind in one run.
const HANDSHAKES: u32 = 100;
/// Sessions whose memory is measured.
const SESSIONS: u32 = 1_000;
/// The flood: hellos a second, and for how long.
const HELLOS: u64 = 10_000;
const FLOOD_LASTS: Duration = Duration::from_secs(5);

/// One run of every row.
pub fn all(bench: &Bench) -> Vec<(&'static str, f64)> {
    let mut figures = handshakes();
    figures.push(("flash-memory", sessions()));
    let relay = sound(bench, bench.calls, Codec::Speex16);
    figures.push(("flash-relay", relay.of_message));
    figures.push(("flash-relay-call", relay.of_call));
    // Transcoding keeps the machine busier: fewer calls.
    let transcode = sound(bench, (bench.calls / 2).max(1), Codec::Pcmu);
    figures.push(("flash-transcode", transcode.of_call));
    figures.push(("flash-gap", gap()));
    figures
}

fn settings() -> FlashSettings {
    FlashSettings { frames: 1, listens: false, look: Look::OnBeat, ..FlashSettings::default() }
}

fn handshakes() -> Vec<(&'static str, f64)> {
    let place = Place::new("bench-flash-handshakes");
    let phone = Lines::start(Look::OnBeat);
    let appliance = Appliance::start(&place, &shop(phone.sip));
    let mut figures = Vec::new();
    let kinds = [
        ("flash-handshake", "flash-handshakes", Habit::Player),
        ("flash-handshake-14", "flash-handshakes-14", Habit::Modern(vec![Group::Modp2048])),
    ];
    for (kind, (each, rate, habit)) in kinds.into_iter().enumerate() {
        let begun = kind as u32 * HANDSHAKES * 2;
        let settings = FlashSettings { habit, ..settings() };
        let shake = |number: u32| {
            let settings = FlashSettings { from: address(number), ..settings.clone() };
            assert!(handshake(appliance.rtmfp, &settings, number.into()), "a session opens");
        };
        (begun..begun + 10).for_each(shake);
        let used = cpu(appliance.pid());
        (begun + 10..begun + 10 + HANDSHAKES).for_each(shake);
        // What they leave behind is theirs too.
        std::thread::sleep(Duration::from_millis(200));
        let used = milliseconds(cpu(appliance.pid()) - used) / f64::from(HANDSHAKES);
        figures.extend([(each, used), (rate, 1_000.0 / used)]);
    }
    figures
}

/// Kilobytes of a client that was let in.
fn sessions() -> f64 {
    let place = Place::new("bench-flash-sessions");
    let phone = Lines::start(Look::OnBeat);
    let appliance = Appliance::start(&place, &shop(phone.sip));
    let connect = |number: u32| {
        let settings = FlashSettings { from: address(number), ..settings() };
        Idle::connect(appliance.rtmfp, settings).expect("the client is let in")
    };
    let _first: Vec<_> = (0..10).map(connect).collect();
    std::thread::sleep(Duration::from_millis(500));
    let before = memory(appliance.pid());
    let _all: Vec<_> = (10..10 + SESSIONS).map(connect).collect();
    let after = memory(appliance.pid());
    appliance.metric_becomes("flash_sessions", u64::from(SESSIONS + 10));
    after.saturating_sub(before) as f64 / f64::from(SESSIONS)
}

struct Cost {
    /// Microseconds of CPU a message.
    of_message: f64,
    /// Milliseconds of CPU a second of call.
    of_call: f64,
}

/// Speex both ways for a while, to phones that talk `codec`.
fn sound(bench: &Bench, calls: u32, codec: Codec) -> Cost {
    let place = Place::new("bench-flash-sound");
    let phone = Lines::start_with(Look::OnBeat, codec);
    let appliance = Appliance::start(&place, &shop_with(phone.sip, codec));
    let talkers: Vec<FlashVisitor> = (0..calls)
        .map(|number| {
            let settings = FlashSettings { from: address(number), ..settings() };
            let mut visitor = FlashVisitor::connect(&appliance, settings);
            visitor.call();
            visitor.talks();
            visitor
        })
        .collect();
    std::thread::sleep(Duration::from_secs(1));
    let messages = || {
        let of = |talker: &FlashVisitor| talker.look(|seen| seen.packets + seen.sent);
        talkers.iter().map(of).sum::<u64>()
    };
    let before = messages();
    let (begun, used) = (Instant::now(), cpu(appliance.pid()));
    std::thread::sleep(Duration::from_secs(u64::from(bench.seconds)));
    let (time, used) = (begun.elapsed(), cpu(appliance.pid()) - used);
    let passed = messages() - before;
    let wanted = u64::from(calls * bench.seconds) * 2 * 45;
    assert!(passed > wanted, "sound flows: {passed} messages, {wanted} are wanted");
    let used = milliseconds(used);
    Cost {
        of_message: used * 1_000.0 / passed as f64,
        of_call: used / time.as_secs_f64() / f64::from(calls),
    }
}

/// The longest time without sound in a call while hellos flood in, in milliseconds.
fn gap() -> f64 {
    let place = Place::new("bench-flash-gap");
    let phone = Handset::start(HandsetSettings::with_codec(Codec::Speex16));
    let appliance = Appliance::start(&place, &shop_with(phone.sip, Codec::Speex16));
    let settings = FlashSettings { look: Look::AtOnce, ..settings() };
    let mut visitor = FlashVisitor::connect(&appliance, settings);
    visitor.call();
    visitor.talks();
    std::thread::sleep(Duration::from_millis(500));
    visitor.measure_gap();
    phone.measure_gap();
    let flood = Flood::hellos(appliance.rtmfp, HELLOS, FLOOD_LASTS);
    let wanted = HELLOS * FLOOD_LASTS.as_secs() * 9 / 10;
    assert!(flood.sent > wanted, "the generator is too slow: {flood:?}");
    let gaps = [visitor.look(|seen| seen.longest_gap), phone.look(|seen| seen.longest_gap)];
    milliseconds(gaps[0].max(gaps[1]))
}
