//! What providers do inside of dialogs: SIPp checks each of our answers as it goes.

use super::odd_phones::call;
use signalling::EndCause;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// A visitor talks to a phone of this kind until the last request before the BYE is on its way, from
/// either side.
fn content(scenario: &str, method: &str, times: usize) {
    let mut scene = call(&format!("sipp-{scenario}"), scenario, &[]);
    scene.visitor.talks();
    scene.phone.gets(method, times);
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
fn a_hold_by_address_is_understood_and_a_transfer_abroad_refused() {
    content("holds-and-refers", "INFO", 1);
}
