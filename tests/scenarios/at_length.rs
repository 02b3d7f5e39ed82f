//! What takes minutes. Tests run in the order of their names: this file's come first, beside all
//! others.

use base::Codec;
use harness::{Appliance, Place, Shop, Sipp, Visitor, VisitorSettings, wait};
use signalling::{CallState, EndCause};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

#[test]
fn a_phone_that_rings_for_three_minutes_is_answered_and_both_talk() {
    let place = Place::new("rings-three-minutes");
    let mut phone = Sipp::start_with(
        &place,
        "echoes",
        &[("ring", "180000"), ("format", "8"), ("codec", "PCMA/8000")],
    );
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["pcma"]));
    let mut visitor = Visitor::open(&appliance, VisitorSettings::with_codecs(&[Codec::Pcma]));
    visitor.call();
    visitor.reaches(CallState::Ringing);
    let limit = Duration::from_secs(200);
    let next = visitor.within(limit, |seen| {
        seen.state(1).map(|step| step.state).filter(|state| *state != CallState::Ringing)
    });
    assert_eq!(next, Some(CallState::Active), "{:?}", visitor.look(|seen| seen.steps.clone()));
    // The phone sends back what it hears: the visitor's own tone has gone both ways.
    visitor.hears(440.0);
    visitor.hang_up();
    assert_eq!(visitor.ends().0, EndCause::VisitorHungUp);
    phone.is_content(SOON);
    assert_eq!((phone.requests("INVITE"), phone.requests("CANCEL")), (1, 0));
    appliance.is_quiet();
    let row = appliance.rows(1).remove(0);
    assert_eq!(row.cause, EndCause::VisitorHungUp.key());
    assert!(row.answer_ms.is_some_and(|ms| ms >= 179_000), "answered after {:?}", row.answer_ms);
}

#[test]
fn a_call_in_which_nobody_sends_sound_for_a_minute_ends_at_both_sides() {
    let place = Place::new("silence");
    let mut phone = Sipp::start_with(
        &place,
        "echoes",
        &[("ring", "200"), ("format", "8"), ("codec", "PCMA/8000")],
    );
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["pcma"]));
    let settings = VisitorSettings { sends: false, ..VisitorSettings::with_codecs(&[Codec::Pcma]) };
    let mut visitor = Visitor::open(&appliance, settings);
    visitor.call();
    visitor.talks();
    let limit = Duration::from_secs(60) + wait::PATIENCE;
    let ended = visitor.within(limit, |seen| seen.state(1).filter(|s| s.cause.is_some()).cloned());
    let ended = ended.expect("the call ends by itself");
    assert_eq!((ended.state, ended.cause), (CallState::Ended, Some(EndCause::Silence)));
    let active = visitor.look(|seen| {
        seen.steps.iter().find(|step| step.state == CallState::Active).map(|step| step.at)
    });
    let lasted = ended.at - active.expect("the call was active");
    assert!(lasted > Duration::from_secs(58), "it ended after {lasted:?}");
    visitor.until("the media is closed", |seen| seen.media_closed.then_some(()));
    phone.is_content(SOON);
    assert_eq!(phone.requests("BYE"), 1);
    appliance.is_quiet();
    appliance.metric_becomes("rows_written_total", 1);
    let row = appliance.rows(1).remove(0);
    assert_eq!(row.cause, EndCause::Silence.key());
    assert_eq!((row.browser_received, row.trunk_received), (0, 0));
}
