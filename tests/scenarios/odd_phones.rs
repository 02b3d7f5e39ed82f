//! Phones that do what phones do, rightly or wrongly: SIPp plays them.

use base::Codec;
use harness::{Appliance, Place, Shop, Sipp, Visitor, VisitorSettings};
use signalling::{CallState, EndCause};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

pub(super) struct Scene {
    pub(super) appliance: Appliance,
    pub(super) phone: Sipp,
    pub(super) visitor: Visitor,
    _place: Place,
}

/// A visitor who has just called a phone of this kind.
pub(super) fn call(name: &str, scenario: &str, keys: &[(&str, &str)]) -> Scene {
    let place = Place::new(name);
    let phone = Sipp::start_with(&place, scenario, keys);
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["pcma", "pcmu"]));
    let settings = VisitorSettings::with_codecs(&[Codec::Opus, Codec::Pcma]);
    let mut visitor = Visitor::open(&appliance, settings);
    visitor.call();
    Scene { appliance, phone, visitor, _place: place }
}

/// The phone refuses with a status; the page, the log and the metrics hear the same cause.
fn refused(scenario: &str, status: &str, causes: &[EndCause]) {
    let name = format!("sipp-{scenario}-{status}");
    let mut scene = call(&name, scenario, &[("status", status)]);
    let (cause, code) = scene.visitor.ends();
    assert!(causes.contains(&cause), "{status} becomes {cause:?}");
    assert_eq!(code.to_string(), status);
    scene.phone.is_content(SOON);
    scene.appliance.is_quiet();
    let row = scene.appliance.rows(1).remove(0);
    assert_eq!((row.cause, row.sip_status.to_string()), (cause.key(), status.to_owned()));
    assert!(row.answered_at.is_none());
}

#[test]
fn a_phone_that_is_switched_off_is_said_to_be_unreachable_at_once() {
    let place = Place::new("switched-off");
    // A port that was free a moment ago: nobody listens there.
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let appliance = Appliance::start(&place, &Shop::trunk(nobody, &["pcmu"]));
    let mut visitor = Visitor::open(&appliance, VisitorSettings::with_codecs(&[Codec::Pcmu]));
    visitor.call();
    let asked = std::time::Instant::now();
    let (cause, status) = visitor.ends();
    assert_eq!((cause, status), (EndCause::Unreachable, 0));
    // Without news of the network it takes 32 seconds (RFC 3261 timer B).
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    appliance.is_quiet();
    assert_eq!(appliance.rows(1)[0].cause, EndCause::Unreachable.key());
}

#[test]
fn a_busy_phone_is_busy() {
    refused("refuses", "486", &[EndCause::Busy]);
}

#[test]
fn a_phone_busy_everywhere_is_busy() {
    refused("refuses", "600", &[EndCause::Busy]);
}

#[test]
fn a_number_that_does_not_exist_is_not_found() {
    refused("refuses", "404", &[EndCause::NotFound]);
}

#[test]
fn a_provider_that_fails_has_failed() {
    refused("refuses", "500", &[EndCause::ProviderFailed]);
}

#[test]
fn a_provider_that_forbids_has_forbidden() {
    refused("refuses", "403", &[EndCause::Forbidden]);
}

#[test]
fn a_phone_that_rings_and_declines_has_declined() {
    refused("rings-then-refuses", "603", &[EndCause::Declined]);
}

#[test]
fn a_phone_that_nobody_takes_is_not_answered() {
    refused("rings-then-refuses", "408", &[EndCause::NoAnswer]);
}

#[test]
fn a_phone_that_becomes_unavailable_is_not_answered_or_unreachable() {
    refused("rings-then-refuses", "480", &[EndCause::NoAnswer, EndCause::Unreachable]);
}

#[test]
fn early_media_is_heard_before_the_answer() {
    let mut scene = call("sipp-early-media", "early-media", &[]);
    scene.visitor.reaches(CallState::Early);
    scene.visitor.hears(1_000.0);
    let active = |seen: &harness::visitor::Seen| {
        seen.steps.iter().any(|step| step.state == CallState::Active)
    };
    assert!(!scene.visitor.look(active), "heard before the answer");
    scene.visitor.talks();
    scene.visitor.hang_up();
    assert_eq!(scene.visitor.ends().0, EndCause::VisitorHungUp);
    scene.phone.is_content(SOON);
}

#[test]
fn an_answer_that_crosses_the_cancel_is_acknowledged_and_hung_up() {
    let mut scene = call("sipp-late-200", "answers-after-cancel", &[]);
    scene.visitor.reaches(CallState::Ringing);
    scene.visitor.hang_up();
    assert_eq!(scene.visitor.ends().0, EndCause::Cancelled);
    scene.phone.is_content(SOON);
    scene.appliance.is_quiet();
    assert_eq!(scene.appliance.rows(1)[0].cause, EndCause::Cancelled.key());
}

#[test]
fn a_repeated_answer_gets_the_same_acknowledgement_again() {
    let mut scene = call("sipp-repeated-200", "answers-twice", &[]);
    scene.visitor.talks();
    // One that it ignored (logged twice, as unexpected), one that it took.
    scene.phone.gets("ACK", 3);
    let messages = scene.phone.messages();
    let acks: Vec<_> = messages
        .split("\n\n")
        .flat_map(|part| part.split("ACK sip:").skip(1))
        .map(|ack| ack.split("-----").next().unwrap_or_default().trim().to_owned())
        .collect();
    assert!(acks.len() >= 3 && acks[0].contains("CSeq"), "{acks:?}");
    assert!(acks.iter().all(|ack| *ack == acks[0]), "{acks:#?}");
    scene.visitor.hang_up();
    scene.visitor.ends();
    scene.phone.is_content(SOON);
    assert_eq!(scene.appliance.metric("calls_answered_total"), 1);
}

#[test]
fn of_two_phones_that_answer_one_is_kept_and_the_other_hung_up() {
    let mut scene = call("sipp-forks", "forks", &[]);
    scene.visitor.talks();
    scene.phone.gets("BYE", 1);
    let bye = |messages: &str| {
        let text = messages.split("BYE sip:").nth(1).unwrap_or_default().to_owned();
        text.lines().find(|line| line.starts_with("To:")).unwrap_or_default().to_owned()
    };
    assert!(bye(&scene.phone.messages()).contains("tag=second"), "the later one is hung up");
    assert_eq!(scene.visitor.look(|seen| seen.state(1).unwrap().state), CallState::Active);
    scene.visitor.hang_up();
    assert_eq!(scene.visitor.ends().0, EndCause::VisitorHungUp);
    scene.phone.is_content(SOON);
}

#[test]
fn an_answer_without_readable_sdp_ends_the_call() {
    let mut scene = call("sipp-nonsense", "answers-nonsense", &[]);
    assert_eq!(scene.visitor.ends().0, EndCause::NoCommonCodec);
    scene.phone.is_content(SOON);
    scene.appliance.is_quiet();
}

#[test]
fn an_answer_with_a_codec_that_was_not_offered_ends_the_call() {
    let mut scene = call("sipp-other-codec", "answers-another-codec", &[]);
    assert_eq!(scene.visitor.ends().0, EndCause::NoCommonCodec);
    scene.phone.is_content(SOON);
    scene.appliance.is_quiet();
}

#[test]
fn a_phone_that_hangs_up_at_once_ends_both_sides() {
    let mut scene = call("sipp-hangs-up", "hangs-up", &[]);
    assert_eq!(scene.visitor.ends().0, EndCause::ShopHungUp);
    scene.phone.is_content(SOON);
    scene.appliance.is_quiet();
}

#[test]
fn a_provider_that_says_nothing_at_all_is_silent() {
    let place = Place::new("nobody-there");
    // A socket that takes everything and says nothing.
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let shop = Shop::trunk(socket.local_addr().unwrap(), &["pcma"]);
    let appliance = Appliance::start(&place, &shop);
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    visitor.call();
    let limit = Duration::from_secs(45);
    let ended = visitor.within(limit, |seen| seen.state(1).and_then(|step| step.cause));
    assert_eq!(ended, Some(EndCause::ProviderSilent));
    appliance.is_quiet();
}
