//! baresip as the shop's phone.

use base::Codec;
use harness::sound::PHONE;
use harness::{Appliance, Baresip, Phone, Place, Shop, Visitor, VisitorSettings, calls};
use signalling::{CallState, EndCause};
use std::time::Duration;

struct Talk {
    appliance: Appliance,
    phone: Baresip,
    visitor: Visitor,
    _place: Place,
}

/// A call that is up, with both tones heard at the visitor's end.
fn talk(name: &str, phone: &Phone, account: &[&str], browser: &[Codec]) -> Talk {
    let place = Place::new(name);
    let phone = Baresip::start(&place, "phone", phone);
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, account));
    let mut visitor = Visitor::open(&appliance, VisitorSettings::with_codecs(browser));
    visitor.call();
    visitor.talks();
    Talk { appliance, phone, visitor, _place: place }
}

/// Both hear each other, the visitor hangs up, and the row says how it went.
fn both_hear_each_other(
    name: &str,
    phone: &Phone,
    account: &[&str],
    browser: &[Codec],
    codecs: (&str, &str),
    transcoded: bool,
) {
    let Talk { appliance, phone, visitor, _place } = talk(name, phone, account, browser);
    calls::both_hear_each_other(&visitor, &phone);
    appliance.is_quiet();
    let row = appliance.rows(1).remove(0);
    assert_eq!((row.button.as_str(), row.page.as_str()), ("sales", "http://store.example"));
    assert_eq!(row.cause, EndCause::VisitorHungUp.key());
    let row_codecs = (row.browser_codec.unwrap_or_default(), row.trunk_codec.unwrap_or_default());
    assert_eq!((row_codecs.0.as_str(), row_codecs.1.as_str()), codecs);
    assert_eq!(row.transcoded, transcoded);
    assert!(row.answered_at.is_some_and(|at| at >= row.started_at && at <= row.ended_at));
    let packets = [row.browser_received, row.trunk_sent, row.trunk_received, row.browser_sent];
    assert!(packets.iter().all(|count| *count > 30), "packets from and to both sides: {packets:?}");
    let lost = [row.browser_lost, row.trunk_lost];
    assert!(lost.iter().all(|count| *count < 10), "lost on loopback: {lost:?}");
    assert!(row.invite_ms.is_some_and(|ms| ms < 500), "the INVITE leaves at once");
    assert!(row.answer_ms.is_some());
}

#[test]
fn pcmu_is_relayed_to_a_phone_that_has_it() {
    let browser = [Codec::Opus, Codec::Pcmu, Codec::Pcma];
    let phone = Phone::with_codecs(&["PCMU/8000"]);
    both_hear_each_other("baresip-pcmu", &phone, &["pcmu"], &browser, ("pcmu", "pcmu"), false);
}

#[test]
fn pcma_is_relayed_to_a_phone_that_has_it() {
    let browser = [Codec::Opus, Codec::Pcmu, Codec::Pcma];
    let phone = Phone::with_codecs(&["PCMA/8000"]);
    both_hear_each_other("baresip-pcma", &phone, &["pcma"], &browser, ("pcma", "pcma"), false);
}

#[test]
fn opus_is_transcoded_for_a_phone_that_has_only_pcma() {
    let phone = Phone::with_codecs(&["PCMA/8000"]);
    let browser = [Codec::Opus];
    both_hear_each_other("baresip-opus-pcma", &phone, &["pcma"], &browser, ("opus", "pcma"), true);
}

#[test]
fn opus_is_transcoded_for_a_phone_that_has_only_pcmu() {
    let phone = Phone::with_codecs(&["PCMU/8000"]);
    let browser = [Codec::Opus];
    both_hear_each_other("baresip-opus-pcmu", &phone, &["pcmu"], &browser, ("opus", "pcmu"), true);
}

#[test]
fn g722_is_relayed_to_a_phone_that_has_it() {
    let phone = Phone::with_codecs(&["G722/16000"]);
    let (account, browser) = (["g722", "pcmu"], [Codec::G722, Codec::Pcmu]);
    both_hear_each_other("baresip-g722", &phone, &account, &browser, ("g722", "g722"), false);
}

#[test]
fn opus_is_transcoded_for_a_phone_that_has_only_g722() {
    let phone = Phone::with_codecs(&["G722/16000"]);
    let browser = [Codec::Opus];
    both_hear_each_other("baresip-opus-g722", &phone, &["g722"], &browser, ("opus", "g722"), true);
}

#[test]
fn keys_arrive_at_the_phone_as_telephone_events() {
    for (name, codec) in [("baresip-keys-8000", Codec::Pcmu), ("baresip-keys-48000", Codec::Opus)] {
        let phone = Phone::with_codecs(&["PCMU/8000"]);
        let Talk { appliance: _appliance, phone, visitor, _place } =
            talk(name, &phone, &["pcmu"], &[codec]);
        visitor.hears(PHONE);
        visitor.press("159#");
        harness::until("the phone hears the keys", || (phone.digits() == "159#").then_some(()));
        // Sound goes on after them.
        visitor.hears(PHONE);
        visitor.hang_up();
        visitor.ends();
    }
}

#[test]
fn keys_of_the_phone_reach_the_page() {
    let phone = Phone::with_codecs(&["PCMU/8000"]);
    let Talk { appliance: _appliance, phone, visitor, _place } =
        talk("baresip-keys-back", &phone, &["pcmu"], &[Codec::Pcmu]);
    visitor.hears(PHONE);
    phone.press('7');
    visitor.until("the page is told", |seen| (seen.digits == "7").then_some(()));
    visitor.hang_up();
    visitor.ends();
}

#[test]
fn a_phone_that_holds_the_call_hears_nothing_until_it_takes_it_back() {
    hold_and_resume("baresip-holds", Codec::Pcmu, 0..20);
    // Where it is transcoded, the visitor gets silence meanwhile.
    hold_and_resume("baresip-holds-opus", Codec::Opus, 0..65);
}

fn hold_and_resume(name: &str, codec: Codec, held: std::ops::Range<u64>) {
    let phone = Phone::with_codecs(&["PCMU/8000"]);
    let Talk { appliance, phone, visitor, _place } = talk(name, &phone, &["pcmu"], &[codec]);
    visitor.hears(PHONE);
    // Datagrams that leave in a second: some fifty each way, and none to a phone that holds.
    let leave = |what: &str, wanted: std::ops::Range<u64>| {
        harness::until(what, || {
            let before = appliance.metric("media_datagrams_sent_total");
            std::thread::sleep(Duration::from_secs(1));
            wanted
                .contains(&(appliance.metric("media_datagrams_sent_total") - before))
                .then_some(())
        });
    };
    leave("sound goes both ways", 70..150);
    for round in 1..=2 {
        phone.order("hold", "");
        leave(&format!("hold {round} stops it"), held.clone());
        assert_eq!(visitor.look(|seen| seen.state(1).unwrap().state), CallState::Active);
        phone.order("resume", "");
        visitor.hears(PHONE);
        leave("sound goes both ways again", 70..150);
    }
    visitor.hang_up();
    assert_eq!(visitor.ends().0, EndCause::VisitorHungUp);
    phone.tells("CALL_CLOSED");
    appliance.is_quiet();
}

#[test]
fn the_shop_hangs_up_and_both_ends_are_over() {
    let phone = Phone::with_codecs(&["PCMU/8000"]);
    let Talk { appliance, phone, visitor, _place } =
        talk("baresip-shop-hangs-up", &phone, &["pcmu"], &[Codec::Pcmu]);
    visitor.hears(PHONE);
    phone.hang_up();
    assert_eq!(visitor.ends().0, EndCause::ShopHungUp);
    phone.tells("CALL_CLOSED");
    appliance.is_quiet();
    assert_eq!(appliance.rows(1)[0].cause, EndCause::ShopHungUp.key());
    assert!(!visitor.packets_come(), "no sound follows the end");
}

#[test]
fn silence_follows_when_the_visitor_is_muted() {
    let phone = Phone::with_codecs(&["PCMU/8000"]);
    let Talk { appliance: _appliance, phone, visitor, _place } =
        talk("baresip-muted", &phone, &["pcmu"], &[Codec::Opus]);
    visitor.hears(PHONE);
    visitor.say(None);
    // Two seconds of silence.
    visitor.sends(100);
    visitor.hang_up();
    visitor.ends();
    phone.tells("CALL_CLOSED");
    let heard = phone.heard();
    let end = &heard[heard.len().saturating_sub(8_000)..];
    let level = audio::level::dbfs(end);
    assert!(level < -50.0, "the last second at the phone is at {level} dBFS");
}

#[test]
fn a_phone_that_rings_rings_until_somebody_answers() {
    let place = Place::new("baresip-answers-late");
    let phone = Phone { answers: false, ..Phone::with_codecs(&["PCMA/8000"]) };
    let phone = Baresip::start(&place, "phone", &phone);
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["pcma"]));
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    visitor.call();
    visitor.reaches(CallState::Ringing);
    phone.tells("CALL_INCOMING");
    // The second call of the same page gives up while it rings.
    visitor.hang_up();
    assert_eq!(visitor.ends().0, EndCause::Cancelled);
    phone.tells("CALL_CLOSED");
    visitor.call();
    visitor.reaches(CallState::Ringing);
    phone.tells_times("CALL_INCOMING", 2);
    phone.answer();
    visitor.talks();
    visitor.hears(PHONE);
    phone.hang_up();
    assert_eq!(visitor.ends().0, EndCause::ShopHungUp);
    let rows = appliance.rows(2);
    assert_eq!(rows[0].cause, EndCause::Cancelled.key());
    assert!(rows[0].answered_at.is_none() && rows[0].ringing_ms.is_some());
    assert_eq!(rows[1].cause, EndCause::ShopHungUp.key());
}

#[test]
fn a_phone_that_hangs_up_while_it_rings_has_declined() {
    let place = Place::new("baresip-declines");
    let phone = Phone { answers: false, ..Phone::with_codecs(&["PCMA/8000"]) };
    let phone = Baresip::start(&place, "phone", &phone);
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["pcma"]));
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    visitor.call();
    visitor.reaches(CallState::Ringing);
    phone.hang_up();
    // baresip answers 486 there: whoever pressed the key is busy.
    let (cause, code) = visitor.ends();
    assert!(matches!(cause, EndCause::Busy | EndCause::Declined), "{cause:?} {code}");
    appliance.is_quiet();
    appliance.metric_becomes("links_live", 1);
    drop(visitor);
    let limit = Duration::from_secs(60);
    harness::wait::until_within(limit, "the page is forgotten", || {
        (appliance.metric("links_live") == 0).then_some(())
    });
}
