//! Who is let in, who is not, and what ends with whom.

use super::{PHONE, Talk, VISITOR, talk};
use base::Codec;
use harness::appliance::{ORIGINS, STORE};
use harness::flash::Status;
use harness::{Appliance, FlashSettings, FlashVisitor, Handset, HandsetSettings, Place, Shop};
use signalling::EndCause;
use std::time::{Duration, Instant};

/// Connects in vain: why, once the session has ended too.
fn refused(appliance: &Appliance, settings: FlashSettings) -> Status {
    let Err(visitor) = FlashVisitor::try_connect(appliance.rtmfp, settings) else {
        panic!("the client is let in")
    };
    visitor.until("the session ends", |seen| seen.closed.clone());
    appliance.metric_becomes("flash_sessions", 0);
    visitor.look(|seen| seen.refused.clone()).expect("the refusal has an info object")
}

fn pcmu() -> Handset {
    Handset::start(HandsetSettings::with_codec(Codec::Pcmu))
}

#[test]
fn only_pages_of_the_buttons_origins_and_known_buttons_are_let_in() {
    let place = Place::new("flash-origins");
    let phone = pcmu();
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["pcmu"]));
    for page in
        ["https://thief.example/shoes.html", "http://store.example.thief.example/", "nonsense"]
    {
        let settings = FlashSettings { page_url: page.into(), ..FlashSettings::default() };
        let status = refused(&appliance, settings);
        assert_eq!(status.code, "NetConnection.Connect.Rejected", "{page}: {status:?}");
        assert_eq!(status.level, "error");
        assert!(status.description.contains("origin"), "{status:?}");
    }
    let settings = FlashSettings { app: "nobody".into(), ..FlashSettings::default() };
    assert_eq!(refused(&appliance, settings).code, "NetConnection.Connect.InvalidApp");
    // The file allows no page-supplied accounts.
    assert_eq!(
        refused(&appliance, FlashSettings::of_webphone()).code,
        "NetConnection.Connect.Rejected"
    );
    for page in [format!("{STORE}/"), format!("{STORE}/a/b?c=d#e")] {
        let settings = FlashSettings { page_url: page, ..FlashSettings::default() };
        FlashVisitor::connect(&appliance, settings).leave();
    }
    appliance.metric_becomes("flash_sessions", 0);
    assert_eq!(appliance.metric("links_live"), 0);
    assert!(phone.look(|seen| seen.invited.is_empty()));
}

#[test]
fn a_service_that_is_about_to_end_lets_nobody_in_and_lets_calls_go_on() {
    let Talk { appliance, phone, visitor, place: _place } = talk(
        "flash-draining",
        HandsetSettings::with_codec(Codec::Pcmu),
        &["pcmu"],
        FlashSettings::default(),
    );
    let mut idle = FlashVisitor::connect(&appliance, FlashSettings::default());
    appliance.terminate();
    harness::until("it drains", || appliance.log().contains("no new calls").then_some(()));
    let Err(late) = FlashVisitor::try_connect(appliance.rtmfp, FlashSettings::default()) else {
        panic!("the client is let in")
    };
    let status = late.look(|seen| seen.refused.clone()).expect("an info object");
    assert_eq!(status.code, "NetConnection.Connect.Rejected");
    let refusal = idle.try_call(None).unwrap_err();
    assert_eq!(refusal.0, "NetConnection.Call.Failed", "{refusal:?}");
    visitor.hears(PHONE);
    phone.hears(VISITOR);
    visitor.hang_up();
    visitor.ends();
    phone.until("the phone gets BYE", |seen| seen.ended.first().copied());
    // With the last call the service ends, and tells its clients.
    idle.until("the session ends", |seen| seen.closed.clone());
}

#[test]
fn a_call_beyond_the_limit_is_refused_with_words() {
    let place = Place::new("flash-limit");
    let phone = pcmu();
    let account = format!(
        "registrar = \"{}\"\nusername = \"shop\"\nregister = false\ncodecs = [\"pcmu\"]",
        phone.sip
    );
    let button = format!("destination = \"sip:sales@{}\"\n{ORIGINS}\nmax_calls = 1", phone.sip);
    let shop = Shop::new().account("main", &account).button("sales", &button);
    let appliance = Appliance::start(&place, &shop);
    let mut first = FlashVisitor::connect(&appliance, FlashSettings::default());
    let mut second = FlashVisitor::connect(&appliance, FlashSettings::default());
    first.call();
    first.talks();
    let refusal = second.try_call(None).unwrap_err();
    assert_eq!(refusal.0, "NetConnection.Call.Failed");
    assert!(refusal.1.len() > 20, "words for a person: {refusal:?}");
    first.hang_up();
    first.ends();
    appliance.is_quiet();
    second.call();
    second.talks();
    second.hears(PHONE);
    second.hang_up();
    second.ends();
    assert_eq!(phone.look(|seen| seen.invited.len()), 2);
}

#[test]
fn what_makes_no_sense_is_answered_and_ends_nothing() {
    let Talk { visitor, phone, appliance: _appliance, place: _place } = talk(
        "flash-nonsense",
        HandsetSettings::with_codec(Codec::Pcmu),
        &["pcmu"],
        FlashSettings::default(),
    );
    let value = |pairs: &[(&str, &str)]| {
        rtmp::amf::Value::object(pairs.iter().map(|(name, text)| (*name, (*text).into())))
    };
    for (name, argument) in [
        ("fly", value(&[])),
        ("hangup", value(&[("callId", "77")])),
        ("hangup", value(&[("callId", "-1")])),
        ("hold", value(&[])),
        ("dtmf", value(&[("callId", "1"), ("digits", "one")])),
        ("call", value(&[("uri", "\u{1}")])),
        ("register", value(&[("registrar", "127.0.0.1")])),
    ] {
        let refusal = visitor.command(name, argument).expect_err(name);
        assert!(refusal.0.starts_with("NetConnection.Call."), "{name}: {refusal:?}");
        assert!(!refusal.1.is_empty(), "{name}");
    }
    visitor.hears(PHONE);
    phone.hears(VISITOR);
    visitor.hang_up();
    visitor.ends();
}

#[test]
fn a_client_that_leaves_ends_its_call_at_once() {
    let Talk { appliance, phone, visitor, place: _place } = talk(
        "flash-leaves",
        HandsetSettings::with_codec(Codec::Speex16),
        &["speex16"],
        FlashSettings::default(),
    );
    visitor.hears(PHONE);
    let left = Instant::now();
    visitor.leave();
    let bye = phone.until("the phone gets BYE", |seen| seen.ended.first().copied());
    assert!(bye - left < Duration::from_secs(3), "{:?}", bye - left);
    appliance.is_quiet();
    appliance.metric_becomes("flash_sessions", 0);
    assert_eq!(appliance.rows(1)[0].cause, EndCause::VisitorLost.key());
}

#[test]
fn a_client_that_vanishes_ends_its_call_within_half_a_minute() {
    let Talk { appliance, phone, visitor, place: _place } = talk(
        "flash-vanishes",
        HandsetSettings::with_codec(Codec::Speex16),
        &["speex16"],
        FlashSettings::default(),
    );
    visitor.hears(PHONE);
    let vanished = Instant::now();
    visitor.vanish();
    harness::wait::until_within(Duration::from_secs(40), "the phone gets BYE", || {
        phone.look(|seen| seen.ended.first().copied())
    });
    let took = phone.look(|seen| seen.ended[0]) - vanished;
    eprintln!("a client that vanished is noticed after {:.1} s", took.as_secs_f32());
    assert!(took < Duration::from_secs(30), "{took:?}");
    appliance.is_quiet();
    appliance.metric_becomes("flash_sessions", 0);
    assert_eq!(appliance.rows(1)[0].cause, EndCause::VisitorLost.key());
}
