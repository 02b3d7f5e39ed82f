//! A button's call from its first state to its row.

use super::{PHONE, Talk, VISITOR, talk};
use base::Codec;
use base::speex::{Frames, Packing};
use harness::flash::Habit;
use harness::{
    Appliance, Baresip, FlashSettings, FlashVisitor, Handset, HandsetSettings, Phone, Place, Shop,
    Visitor, VisitorSettings,
};
use rtmfp::crypto::Group;
use signalling::{CallState, EndCause};
use std::time::Duration;

const LEVELS: std::ops::Range<f32> = -13.5..-6.5;

/// What is looked at in a row of the call log.
fn is_good(row: &store::Row, codecs: (&str, &str), transcoded: bool) {
    assert_eq!((row.button.as_str(), row.page.as_str()), ("sales", "http://store.example"));
    assert_eq!(row.cause, EndCause::VisitorHungUp.key());
    let in_row = (row.browser_codec.as_deref(), row.trunk_codec.as_deref());
    assert_eq!(in_row, (Some(codecs.0), Some(codecs.1)));
    assert_eq!(row.transcoded, transcoded);
    assert!(row.answered_at.is_some_and(|at| at >= row.started_at && at <= row.ended_at));
    let counts = [row.browser_received, row.trunk_sent, row.trunk_received, row.browser_sent];
    assert!(counts.iter().all(|count| *count > 30), "counts from and to both sides: {counts:?}");
    assert!(row.trunk_lost < 10, "lost on loopback: {}", row.trunk_lost);
    assert!(row.invite_ms.is_some_and(|ms| ms < 500), "the INVITE leaves at once");
}

/// A call to baresip: both hear each other, and the row says how it went.
fn both_hear_each_other(
    name: &str,
    phone: &str,
    account: &[&str],
    client: FlashSettings,
    codecs: (&str, &str),
    transcoded: bool,
) {
    let place = Place::new(name);
    let phone = Baresip::start(&place, "phone", &Phone::with_codecs(&[phone]));
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, account));
    let mut visitor = FlashVisitor::connect(&appliance, client);
    visitor.call();
    visitor.talks();
    let level = visitor.hears(PHONE);
    assert!(LEVELS.contains(&level), "the phone's tone comes at {level} dBFS");
    // Two seconds for the recording.
    let before = visitor.look(|seen| seen.sent);
    visitor.until("two seconds were sent", |seen| (seen.sent > before + 100).then_some(()));
    visitor.hang_up();
    let ended = visitor.ends();
    assert_eq!((ended.code, ended.direction.as_str()), (0, "out"));
    phone.tells("CALL_CLOSED");
    let level = phone.has_heard(VISITOR);
    assert!(LEVELS.contains(&level), "the visitor's tone comes at {level} dBFS");
    appliance.is_quiet();
    is_good(&appliance.rows(1)[0], codecs, transcoded);
}

#[test]
fn pcmu_is_relayed_to_a_phone_that_has_it() {
    let client = FlashSettings::with_codec(Codec::Pcmu);
    let codecs = ("pcmu", "pcmu");
    both_hear_each_other("flash-pcmu", "PCMU/8000", &["pcmu"], client, codecs, false);
}

#[test]
fn pcma_is_relayed_to_a_phone_that_has_it() {
    let client = FlashSettings::with_codec(Codec::Pcma);
    let codecs = ("pcma", "pcma");
    both_hear_each_other("flash-pcma", "PCMA/8000", &["pcma"], client, codecs, false);
}

#[test]
fn speex_is_transcoded_for_a_phone_that_has_only_pcmu() {
    let client = FlashSettings { frames: 1, ..FlashSettings::default() };
    let codecs = ("speex16", "pcmu");
    both_hear_each_other("flash-speex-pcmu", "PCMU/8000", &["pcmu"], client, codecs, true);
}

#[test]
fn pcma_is_transcoded_for_a_phone_that_has_only_g722() {
    let client = FlashSettings::with_codec(Codec::Pcma);
    let codecs = ("pcma", "g722");
    both_hear_each_other("flash-pcma-g722", "G722/16000", &["g722"], client, codecs, true);
}

/// Speex is passed frame by frame, however many there are in a message.
fn speex_passes_untouched(name: &str, frames: usize) {
    let phone = HandsetSettings::with_codec(Codec::Speex16);
    let client = FlashSettings { frames, ..FlashSettings::default() };
    let Talk { appliance, phone, visitor, place: _place } =
        talk(name, phone, &["speex16", "pcmu"], client);
    let level = visitor.hears(PHONE);
    assert!(LEVELS.contains(&level), "the phone's tone comes at {level} dBFS");
    let level = phone.hears(VISITOR);
    assert!(LEVELS.contains(&level), "the visitor's tone comes at {level} dBFS");
    assert_eq!(visitor.look(|seen| seen.codec), Some(Codec::Speex16));
    let before = visitor.look(|seen| seen.sent);
    visitor.until("some seconds were sent", |seen| (seen.sent > before + 50).then_some(()));
    visitor.hang_up();
    visitor.ends();
    phone.until("the phone gets BYE", |seen| seen.ended.first().copied());
    phone.look(|seen| {
        let frames = Frames::new(&seen.payload, Packing::Bits).count();
        assert_eq!((frames, seen.strange), (1, 0), "one frame of 20 ms a packet, and nothing else");
        let steady = seen.steps.iter().filter(|step| **step == 320).count();
        assert!(steady * 100 >= seen.steps.len() * 95, "RTP time goes on by 320: {:?}", seen.steps);
    });
    appliance.is_quiet();
    is_good(&appliance.rows(1)[0], ("speex16", "speex16"), false);
    let [relayed, transcoded] =
        ["frames_relayed_total", "frames_transcoded_total"].map(|name| appliance.metric(name));
    assert!(relayed > 100 && transcoded == 0, "{relayed} relayed, {transcoded} transcoded");
}

#[test]
fn speex_passes_untouched_to_a_phone_that_takes_it() {
    speex_passes_untouched("flash-speex", 2);
}

#[test]
fn speex_of_one_frame_a_message_passes_untouched_too() {
    speex_passes_untouched("flash-speex-single", 1);
}

#[test]
fn g711_in_messages_of_ten_milliseconds_leaves_as_packets_of_twenty() {
    let phone = HandsetSettings::with_codec(Codec::Pcmu);
    let client = FlashSettings { frames: 1, ..FlashSettings::with_codec(Codec::Pcmu) };
    let Talk { visitor, phone, appliance: _appliance, place: _place } =
        talk("flash-g711-single", phone, &["pcmu"], client);
    visitor.hears(PHONE);
    phone.hears(VISITOR);
    phone.look(|seen| {
        assert_eq!(seen.payload.len(), 160, "20 ms of sound a packet");
        let steady = seen.steps.iter().filter(|step| **step == 160).count();
        assert!(steady * 100 >= seen.steps.len() * 95, "RTP time goes on by 160: {:?}", seen.steps);
    });
    visitor.hang_up();
    visitor.ends();
}

#[test]
fn clients_of_every_habit_are_understood() {
    let place = Place::new("flash-habits");
    let phone = Handset::start(HandsetSettings::with_codec(Codec::Speex16));
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["speex16"]));
    let usual = FlashSettings::default;
    let habits = [
        ("static key in group 2", usual(), true),
        ("objects of AMF 3", FlashSettings { object_encoding: 3, ..usual() }, true),
        ("transaction 0", FlashSettings { zero_transactions: true, ..usual() }, true),
        (
            "static key in group 14",
            FlashSettings { habit: Habit::PlayerWith(Group::Modp2048), ..usual() },
            true,
        ),
        (
            "HMAC and sequence numbers, group 2",
            FlashSettings { habit: Habit::Modern(vec![Group::Modp1024]), ..usual() },
            false,
        ),
        (
            "HMAC and sequence numbers, group 14",
            FlashSettings { habit: Habit::Modern(vec![Group::Modp2048]), ..usual() },
            false,
        ),
    ];
    for (words, settings, legacy) in habits {
        let mut visitor = FlashVisitor::connect(&appliance, settings);
        assert_eq!(visitor.look(|seen| seen.opened.map(|(_, l)| l)), Some(legacy), "{words}");
        visitor.call();
        visitor.talks();
        visitor.hears(PHONE);
        phone.hears(VISITOR);
        visitor.hang_up();
        visitor.ends();
        appliance.is_quiet();
        visitor.leave();
        appliance.metric_becomes("flash_sessions", 0);
    }
}

#[test]
fn a_client_is_told_what_a_page_is_told() {
    let place = Place::new("flash-states");
    let phone = HandsetSettings {
        early: true,
        answers_after: Some(Duration::from_millis(400)),
        ..HandsetSettings::with_codec(Codec::Pcmu)
    };
    let phone = Handset::start(phone);
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["pcmu"]));
    let mut page = Visitor::open(&appliance, VisitorSettings::with_codecs(&[Codec::Pcmu]));
    page.call();
    page.talks();
    page.hang_up();
    page.ends();
    let told: Vec<_> = page.look(|seen| {
        let steps = seen.steps.iter();
        steps.map(|s| (format!("{:?}", s.state).to_lowercase(), s.code, s.reason.clone())).collect()
    });
    let mut visitor = FlashVisitor::connect(&appliance, FlashSettings::with_codec(Codec::Pcmu));
    let call = visitor.call();
    visitor.talks();
    visitor.hang_up();
    visitor.ends();
    visitor.look(|seen| {
        let steps = seen.steps.iter();
        let same: Vec<_> =
            steps.map(|s| (s.state.clone(), s.code as u16, s.reason.clone())).collect();
        // A page says by itself that it is calling.
        assert_eq!(same[1..], told);
        assert_eq!(seen.states(&call), ["calling", "ringing", "early", "active", "ended"]);
        for step in &seen.steps {
            assert_eq!(step.function, "onCallState");
            assert_eq!((step.direction.as_str(), step.video), ("out", false));
            let names =
                ["callId", "direction", "state", "uri", "displayName", "video", "code", "reason"];
            assert_eq!(step.names, names);
        }
    });
}

#[test]
fn early_media_is_heard_before_the_answer() {
    let place = Place::new("flash-early");
    let phone = HandsetSettings {
        early: true,
        answers_after: None,
        ..HandsetSettings::with_codec(Codec::Pcma)
    };
    let phone = Handset::start(phone);
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["pcma"]));
    let mut visitor = FlashVisitor::connect(&appliance, FlashSettings::default());
    visitor.call();
    visitor.reaches("early");
    visitor.hears(PHONE);
    assert!(visitor.look(|seen| seen.steps.iter().all(|step| step.state != "active")));
    visitor.hang_up();
    let ended = visitor.ends();
    assert_eq!(ended.state, "ended");
    phone.until("the INVITE is cancelled", |seen| seen.cancelled.first().copied());
    appliance.is_quiet();
    assert_eq!(appliance.rows(1)[0].cause, EndCause::Cancelled.key());
}

#[test]
fn keys_arrive_at_the_phone_as_telephone_events() {
    for (name, codec, account) in [
        ("flash-keys-8000", Codec::Pcmu, ["pcmu"]),
        ("flash-keys-16000", Codec::Speex16, ["speex16"]),
    ] {
        let phone = HandsetSettings::with_codec(codec);
        let Talk { phone, visitor, appliance: _appliance, place: _place } =
            talk(name, phone, &account, FlashSettings::with_codec(codec));
        visitor.hears(PHONE);
        visitor.press("159#");
        phone.until("the phone hears the keys", |seen| (seen.digits == "159#").then_some(()));
        // Sound goes on after them.
        phone.hears(VISITOR);
        visitor.hang_up();
        visitor.ends();
    }
    let place = Place::new("flash-keys-baresip");
    let phone = Baresip::start(&place, "phone", &Phone::with_codecs(&["PCMU/8000"]));
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["pcmu"]));
    let mut visitor = FlashVisitor::connect(&appliance, FlashSettings::default());
    visitor.call();
    visitor.talks();
    visitor.hears(PHONE);
    visitor.press("*07D");
    harness::until("baresip hears the keys", || (phone.digits() == "*07D").then_some(()));
    visitor.hang_up();
    visitor.ends();
}

#[test]
fn silence_follows_when_the_visitor_is_muted_and_sound_when_not() {
    for (name, codec) in [("flash-mute", Codec::Pcmu), ("flash-mute-speex", Codec::Speex16)] {
        let phone = HandsetSettings::with_codec(codec);
        let Talk { phone, visitor, appliance: _appliance, place: _place } =
            talk(name, phone, &["speex16", "pcmu"], FlashSettings::with_codec(codec));
        phone.hears(VISITOR);
        visitor.mute(true);
        phone.hears_nothing();
        visitor.hears(PHONE);
        visitor.mute(false);
        phone.hears(VISITOR);
        visitor.hang_up();
        visitor.ends();
    }
}

#[test]
fn a_held_phone_is_told_and_neither_hears_the_other_until_it_is_taken_back() {
    let phone = HandsetSettings::with_codec(Codec::Pcmu);
    let Talk { phone, visitor, appliance, place: _place } =
        talk("flash-hold", phone, &["pcmu"], FlashSettings::default());
    visitor.hears(PHONE);
    phone.hears(VISITOR);
    visitor.hold();
    visitor.reaches("held");
    let says = |line: &'static str, offers: usize| {
        phone.until(&format!("offer {offers} says {line}"), |seen| {
            let offer = seen.offers.get(offers - 1)?;
            offer.lines().any(|of| of == line).then_some(())
        });
    };
    says("a=sendonly", 2);
    phone.hears_nothing();
    assert!(!visitor.packets_come(), "a phone on hold is not heard");
    visitor.resume();
    says("a=sendrecv", 3);
    visitor.hears(PHONE);
    phone.hears(VISITOR);
    let call = visitor.look(|seen| seen.steps[0].call.clone());
    let states =
        visitor.look(|seen| seen.states(&call).into_iter().map(str::to_owned).collect::<Vec<_>>());
    assert_eq!(states[states.len() - 3..], ["active", "held", "active"]);
    // A held call can be hung up by the phone.
    visitor.hold();
    says("a=sendonly", 4);
    phone.hang_up();
    visitor.ends();
    appliance.is_quiet();
    assert_eq!(appliance.rows(1)[0].cause, EndCause::ShopHungUp.key());
}

#[test]
fn the_shop_hangs_up_and_both_ends_are_over() {
    let phone = HandsetSettings::with_codec(Codec::Speex16);
    let Talk { appliance, phone, mut visitor, place: _place } =
        talk("flash-shop-hangs-up", phone, &["speex16"], FlashSettings::default());
    visitor.hears(PHONE);
    phone.hang_up();
    visitor.ends();
    phone.until("its BYE is answered", |seen| seen.ended.first().copied());
    visitor.until("the stream ends", |seen| {
        seen.was_told("NetStream.Play.UnpublishNotify").then_some(())
    });
    appliance.is_quiet();
    assert_eq!(appliance.rows(1)[0].cause, EndCause::ShopHungUp.key());
    assert!(!visitor.packets_come(), "no sound follows the end");
    // The same connection calls again.
    visitor.call();
    visitor.talks();
    visitor.hears(PHONE);
    phone.hears(VISITOR);
    visitor.hang_up();
    visitor.ends();
    assert_eq!(appliance.rows(2)[1].cause, EndCause::VisitorHungUp.key());
}

#[test]
fn a_busy_phone_is_told_with_its_status() {
    let place = Place::new("flash-busy");
    let phone = harness::Sipp::start_with(&place, "refuses", &[("status", "486 Busy Here")]);
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["pcmu"]));
    let mut visitor = FlashVisitor::connect(&appliance, FlashSettings::default());
    visitor.call();
    let ended = visitor.until("the call ends", |seen| {
        seen.steps.iter().find(|step| step.state == "ended").cloned()
    });
    assert_eq!(ended.code, 486);
    assert!(!ended.reason.is_empty());
    appliance.is_quiet();
    assert_eq!(appliance.rows(1)[0].cause, EndCause::Busy.key());
    // The page's words for the state are the same.
    assert_eq!(format!("{:?}", CallState::Ended).to_lowercase(), ended.state);
}
