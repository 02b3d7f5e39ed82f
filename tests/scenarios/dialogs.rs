//! What providers do inside of dialogs: SIPp checks each of our answers as it goes.

use super::odd_phones::{Scene, call};
use harness::kamailio::Provider;
use harness::{Appliance, Kamailio, Place, Shop, Sipp, Visitor, VisitorSettings};
use signalling::{CallState, EndCause};
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);
/// What phones of SIPp play, in hertz.
const SIPP: f32 = 1_000.0;

/// A visitor talks to a phone of this kind until the last request before the BYE is on its way, from
/// either side.
fn content(scenario: &str, method: &str, times: usize) {
    content_within(scenario, method, times, SOON);
}

fn content_within(scenario: &str, method: &str, times: usize, limit: Duration) {
    let scene = call(&format!("sipp-{scenario}"), scenario, &[]);
    scene.visitor.talks();
    harness::wait::until_within(limit, &format!("SIPp gets {times} {method}"), || {
        (scene.phone.requests(method) >= times).then_some(())
    });
    ends_well(scene);
}

/// The visitor hangs up, and SIPp got all that it expected.
fn ends_well(mut scene: Scene) {
    scene.visitor.hang_up();
    assert_eq!(scene.visitor.ends().0, EndCause::VisitorHungUp);
    scene.phone.is_content(SOON);
    scene.appliance.is_quiet();
    assert_eq!(scene.appliance.metric("calls_answered_total"), 1);
}

#[test]
fn an_early_answer_is_acknowledged_and_may_be_changed_before_the_call_is_taken() {
    content("acknowledges", "ACK", 1);
}

#[test]
fn a_call_follows_to_another_user_of_the_same_provider() {
    content("redirects", "ACK", 2);
}

#[test]
fn a_session_timer_is_agreed_on_and_refreshed() {
    content("keeps-time", "INVITE", 3);
}

#[test]
fn a_session_that_is_ours_to_refresh_is_refreshed_in_half_its_time() {
    content_within("lets-us-refresh", "UPDATE", 1, Duration::from_secs(70));
}

#[test]
fn a_hold_by_address_is_understood_and_a_transfer_abroad_refused() {
    content("holds-and-refers", "INFO", 1);
}

#[test]
fn a_phone_that_asks_for_an_offer_gets_one_and_its_answer_counts() {
    let scene = call("sipp-asks-for-offers", "asks-for-offers", &[]);
    scene.visitor.talks();
    scene.visitor.hears(SIPP);
    ends_well(scene);
}

#[test]
fn of_a_forked_call_one_phone_gives_up_and_the_other_is_heard() {
    let scene = call("sipp-early-forks", "early-forks", &[]);
    scene.visitor.reaches(CallState::Early);
    scene.visitor.talks();
    scene.visitor.hears(SIPP);
    ends_well(scene);
}

#[test]
fn keys_that_a_phone_sends_by_info_reach_the_page() {
    let scene = call("sipp-presses-keys", "presses-keys", &[]);
    scene.visitor.talks();
    scene.visitor.until("the page is told", |seen| (seen.digits == "5#").then_some(()));
    ends_well(scene);
}

/// A phone hands its call on to `desk`, named like this; all that SIPp was sent.
fn handed_on(name: &str, refer_to: &str) -> String {
    let mut scene = call(name, "transfers", &[("refer-to", refer_to)]);
    scene.visitor.talks();
    scene.visitor.hears(SIPP);
    scene.visitor.hang_up();
    assert_eq!(scene.visitor.ends().0, EndCause::VisitorHungUp);
    let ended = scene.visitor.look(|seen| seen.times(CallState::Ended));
    assert_eq!(ended, 1, "the page saw one call");
    scene.phone.is_content(SOON);
    scene.appliance.is_quiet();
    scene.phone.messages()
}

#[test]
fn a_call_that_a_phone_hands_on_is_heard_at_the_next_one() {
    let messages = handed_on("sipp-transfers", "<sip:desk@[local_ip]:[local_port]>");
    assert!(messages.contains("SIP/2.0 180"), "the report tells how it went");
    assert!(messages.contains("Referred-By: <sip:sales@"), "{messages}");
}

#[test]
fn a_call_that_a_phone_hands_on_after_it_has_asked_takes_the_place_of_its_question() {
    let dialog = "asked%40desk%3Bto-tag%3Dthere%3Bfrom-tag%3Dhere";
    let refer_to = format!("<sip:desk@[local_ip]:[local_port]?Replaces={dialog}>");
    let messages = handed_on("sipp-transfers-attended", &refer_to);
    let replaces = messages.lines().find(|line| line.starts_with("Replaces:"));
    let replaces = replaces.unwrap_or_else(|| panic!("no Replaces: {messages}"));
    assert!(replaces.contains("asked@desk"), "{replaces}");
    assert!(replaces.contains("to-tag=there") && replaces.contains("from-tag=here"), "{replaces}");
}

/// The value of a header field in the first message that starts like this.
fn field(messages: &str, start: &str, name: &str) -> String {
    let message = messages.split(start).nth(1).unwrap_or_default();
    let line = message.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {messages}")).trim().to_owned()
}

#[test]
fn a_phone_takes_the_place_of_another_one_and_the_visitor_stays() {
    let place = Place::new("sipp-replaces");
    let mut first = Sipp::start_with(&place, "answers", &[]);
    let appliance = Appliance::start(&place, &Shop::trunk(first.sip, &["pcma"]));
    let settings = VisitorSettings::with_codecs(&[base::Codec::Pcma]);
    let mut visitor = Visitor::open(&appliance, settings);
    visitor.call();
    visitor.talks();
    first.gets("ACK", 1);
    let messages = first.messages();
    let tag = |name: &str| {
        let value = field(&messages, "ACK sip:", name);
        value.split("tag=").nth(1).unwrap().split(';').next().unwrap().to_owned()
    };
    // To and from are those of the message that names the dialog: its receiver's tag is ours.
    let dialog = format!(
        "{};to-tag={};from-tag={}",
        field(&messages, "ACK sip:", "Call-ID:"),
        tag("From:"),
        tag("To:")
    );
    let keys = [("user", "shop"), ("dialog", dialog.as_str())];
    let mut second = Sipp::call(&place, "replaces", &keys, appliance.sip());
    first.is_content(SOON);
    visitor.hears(SIPP);
    visitor.hang_up();
    assert_eq!(visitor.ends().0, EndCause::VisitorHungUp);
    assert_eq!(visitor.look(|seen| seen.times(CallState::Ended)), 1);
    second.is_content(SOON);
    appliance.is_quiet();
}

/// A page with an account of its own at a provider that asks for no password.
struct Page {
    appliance: Appliance,
    provider: Kamailio,
    visitor: Visitor,
    place: Place,
}

fn page(place: Place, phone: Option<&Sipp>) -> Page {
    let provider =
        Provider { open: true, phone: phone.map(|phone| phone.sip), ..Provider::default() };
    let provider = Kamailio::provide(&place, &provider);
    let appliance = Appliance::start(&place, &Shop::new().webphone(provider.sip));
    let visitor = Visitor::registered(&appliance, provider.sip, "alice");
    Page { appliance, provider, visitor, place }
}

/// A caller of this kind is answered, heard, and hung up on.
fn called(scenario: &str) {
    let mut page = page(Place::new(&format!("sipp-{scenario}")), None);
    let keys = [("user", "alice")];
    let mut caller = Sipp::call(&page.place, scenario, &keys, page.provider.sip);
    page.visitor.rings();
    page.visitor.answer();
    page.visitor.talks();
    page.visitor.hears(SIPP);
    page.visitor.hang_up();
    assert_eq!(page.visitor.ends().0, EndCause::VisitorHungUp);
    caller.is_content(SOON);
    page.appliance.is_quiet();
}

#[test]
fn a_caller_without_an_offer_gets_ours_and_is_heard() {
    called("calls-without-offer");
}

#[test]
fn a_caller_who_wants_to_be_sure_that_it_rings_is_told_reliably() {
    called("calls-reliably");
}

#[test]
fn a_hold_that_crosses_the_phones_own_offer_is_made_again_and_the_phones_refused() {
    let place = Place::new("sipp-collides");
    let mut phone = Sipp::start(&place, "collides");
    let mut page = page(place, Some(&phone));
    page.visitor.call_to(&format!("sip:phone@{}", page.provider.sip));
    page.visitor.talks();
    page.visitor.hold(true);
    page.visitor.reaches(CallState::Held);
    // The ACKs of the first INVITE, of both answers to the hold, and its own.
    phone.gets("ACK", 4);
    page.visitor.hang_up();
    assert_eq!(page.visitor.ends().0, EndCause::VisitorHungUp);
    phone.is_content(SOON);
    page.appliance.is_quiet();
}
