//! The demo: two commands, a button, and a phone that answers.

use harness::{Appliance, Place, Visitor, VisitorSettings};
use signalling::{CallState, EndCause};
use std::time::{Duration, Instant};

#[test]
fn a_visitor_talks_to_the_demo_phone_and_hears_himself() {
    let place = Place::new("demo-echo");
    let appliance = Appliance::demo(&place);
    let mut visitor = Visitor::open(&appliance, VisitorSettings::of_demo());
    visitor.call();
    visitor.reaches(CallState::Ringing);
    visitor.talks();
    // The greeting first, then the echo of the visitor's own tone.
    visitor.until("something is heard", |seen| (seen.packets > 10).then_some(()));
    visitor.hears(440.0);
    assert_eq!(appliance.metric("calls_live"), 1);
    visitor.hang_up();
    assert_eq!(visitor.ends(), (EndCause::VisitorHungUp, 0));
    appliance.is_quiet();
    assert_eq!(appliance.metric("calls_started_total"), 1);
    assert_eq!(appliance.metric("calls_answered_total"), 1);
    assert_eq!(appliance.metric("calls_failed_total"), 0);
    appliance.metric_becomes("rows_written_total", 1);
    assert!(appliance.metric("media_datagrams_received_total") > 50);
}

#[test]
fn the_demo_phone_says_which_key_was_pressed() {
    let place = Place::new("demo-keys");
    let appliance = Appliance::demo(&place);
    let settings = VisitorSettings { tone: None, ..VisitorSettings::of_demo() };
    let mut visitor = Visitor::open(&appliance, settings);
    visitor.call();
    visitor.talks();
    visitor.until("the greeting is heard", |seen| {
        (audio::level::dbfs(&seen.heard.last(300)) > -40.0).then_some(())
    });
    // After the greeting the phone echoes the visitor's silence.
    visitor.hears_nothing();
    for keys in ["5", "#"] {
        let pressed = Instant::now();
        visitor.press(keys);
        visitor.until("the phone says which key it was", |seen| {
            let said = seen.heard.since(pressed);
            (audio::level::dbfs(&said) > -45.0 && said.len() > 8_000).then_some(())
        });
        visitor.hears_nothing();
    }
    visitor.hang_up();
    visitor.ends();
}

#[test]
fn every_codec_of_browsers_reaches_the_demo_phone() {
    let place = Place::new("demo-codecs");
    let appliance = Appliance::demo(&place);
    for codec in base::Codec::OF_BROWSERS {
        let settings = VisitorSettings { codecs: vec![codec], ..VisitorSettings::of_demo() };
        let mut visitor = Visitor::open(&appliance, settings);
        visitor.call();
        visitor.talks();
        visitor.hears(440.0);
        assert_eq!(visitor.look(|seen| seen.codec), Some(codec));
        visitor.hang_up();
        visitor.ends();
    }
    appliance.is_quiet();
}

#[test]
fn the_invite_leaves_at_once_and_ringing_is_heard_soon() {
    let place = Place::new("demo-speed");
    let appliance = Appliance::demo(&place);
    // The fastest of a few: another program on the machine must not fail this one.
    let ringing = (0..3).map(|_| {
        let mut visitor = Visitor::open(&appliance, VisitorSettings::of_demo());
        visitor.call();
        let ringing = visitor.reaches(CallState::Ringing).at;
        let called = visitor.look(|seen| seen.called_at).unwrap();
        visitor.hang_up();
        visitor.ends();
        ringing - called
    });
    let fastest = ringing.min().unwrap();
    assert!(fastest < Duration::from_millis(400), "{fastest:?} from the click to ringing");
}

#[test]
fn what_is_embedded_elsewhere_is_refused_with_words() {
    let place = Place::new("demo-refusals");
    let appliance = Appliance::demo(&place);
    let refused = |settings: VisitorSettings| {
        Visitor::try_open(appliance.http, settings).expect_err("a refusal")
    };
    let foreign = VisitorSettings {
        origin: Some("http://evil.example".into()),
        ..VisitorSettings::of_demo()
    };
    assert!(refused(foreign).contains("403"), "a foreign origin");
    let embedded =
        VisitorSettings { page: "http://evil.example/".into(), ..VisitorSettings::of_demo() };
    assert!(refused(embedded).starts_with("Forbidden"), "a foreign page around the button");
    let unknown = VisitorSettings { button: Some("nobody".into()), ..VisitorSettings::of_demo() };
    assert!(refused(unknown).starts_with("UnknownButton"), "a button that does not exist");
    let without = VisitorSettings { button: None, ..VisitorSettings::of_demo() };
    assert!(refused(without).starts_with("Forbidden"), "no page-supplied accounts in the demo");
    assert_eq!(appliance.metric("websockets_refused_total"), 1);
}
