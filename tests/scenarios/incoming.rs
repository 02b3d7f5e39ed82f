//! A page with a SIP account of its own at Kamailio is called by baresip, over WebRTC.

use harness::kamailio::{Digest, PASSWORD, Provider, REALM};
use harness::place;
use harness::sound::PHONE;
use harness::{Appliance, Baresip, Kamailio, Place, Shop, Visitor, calls};
use signalling::{CallState, ClientMessage, EndCause, ErrorCode};
use std::net::{Ipv4Addr, SocketAddr};

struct Pages {
    appliance: Appliance,
    provider: Kamailio,
    place: Place,
}

fn pages(name: &str) -> Pages {
    let place = Place::new(name);
    let provider = Kamailio::start(&place, Digest::Md5, None);
    let appliance = Appliance::start(&place, &Shop::new().webphone(provider.sip));
    Pages { appliance, provider, place }
}

/// Somebody's phone, registered at the provider.
fn phone(pages: &Pages, user: &str) -> Baresip {
    Baresip::registered(&pages.place, user, &pages.provider)
}

fn alice(pages: &Pages) -> Visitor {
    Visitor::registered(&pages.appliance, pages.provider.sip, "alice")
}

fn dial(phone: &Baresip) {
    phone.order("dial", &format!("sip:alice@{REALM}"));
}

/// A phone calls, the page answers, and hears it.
fn talk(phone: &Baresip, visitor: &mut Visitor) {
    dial(phone);
    visitor.rings();
    visitor.answer();
    visitor.talks();
    visitor.hears(PHONE);
}

#[test]
fn a_page_is_called_and_answers_and_both_hear_each_other() {
    let pages = pages("incoming");
    let bob = phone(&pages, "bob");
    let mut visitor = alice(&pages);
    dial(&bob);
    let rung = visitor.rings();
    assert!(rung.uri.starts_with("sip:bob@"), "{rung:?}");
    bob.tells("CALL_RINGING");
    visitor.answer();
    visitor.talks();
    bob.tells("CALL_ESTABLISHED");
    visitor.press("5");
    harness::until("the key is at the phone", || (bob.digits() == "5").then_some(()));
    calls::both_hear_each_other(&visitor, &bob);
    pages.appliance.is_quiet();
    let row = pages.appliance.rows(1).remove(0);
    assert_eq!((row.button.as_str(), row.cause), ("", EndCause::VisitorHungUp.key()));
    assert!(!pages.appliance.log().contains(PASSWORD), "the password is in no log");
}

#[test]
fn of_two_pages_with_one_user_name_at_two_providers_each_is_called_for_its_own() {
    let place = Place::new("incoming-namesakes");
    let providers = [(); 2].map(|()| place::ports(2)).map(|port| {
        let inner = Place::new(&format!("incoming-namesakes-{port}"));
        let sip = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let provider = Kamailio::provide_at(&inner, &Provider::default(), sip);
        (provider, inner)
    });
    let registrars = [providers[0].0.sip, providers[1].0.sip];
    let appliance = Appliance::start(&place, &Shop::new().webphone_at(&registrars));
    let alices = registrars.map(|registrar| Visitor::registered(&appliance, registrar, "alice"));
    for ((provider, inner), mut alice) in providers.iter().zip(alices) {
        let bob = Baresip::registered(inner, "bob", provider);
        dial(&bob);
        alice.rings();
        alice.answer();
        alice.talks();
        alice.hears(PHONE);
        bob.hang_up();
        alice.ends();
    }
    appliance.is_quiet();
}

#[test]
fn a_page_holds_its_caller_and_takes_the_call_back() {
    let pages = pages("incoming-hold");
    let bob = phone(&pages, "bob");
    let mut visitor = alice(&pages);
    dial(&bob);
    visitor.rings();
    visitor.answer();
    // At once: the ACK of the answer may be still on its way.
    visitor.reaches(CallState::Active);
    visitor.hold(true);
    visitor.reaches(CallState::Held);
    harness::until("the phone is told", || bob.output().contains("re-INVITE").then_some(()));
    visitor.talks();
    visitor.hears_nothing();
    visitor.hold(false);
    visitor.until("it is active again", |seen| (seen.times(CallState::Active) == 2).then_some(()));
    visitor.hears(PHONE);
    // Faster than the phone answers: what was wished last is what holds.
    for on in [true, false, true, false] {
        visitor.hold(on);
    }
    visitor.until("it is active for the fourth time", |seen| {
        (seen.times(CallState::Active) == 4).then_some(())
    });
    std::thread::sleep(std::time::Duration::from_millis(500));
    visitor.hears(PHONE);
    visitor.sends(100);
    visitor.hang_up();
    bob.tells("CALL_CLOSED");
    // Its recorder stops at the first hold, so its own count of packets tells whether they came: a
    // second before, one in between, two after; without the last it would be a hundred at most.
    let received = harness::until("the phone reports what it received", || {
        let output = bob.output();
        let line = output.lines().find(|line| line.starts_with("packets:"))?;
        line.split_whitespace().nth(2)?.parse::<u32>().ok()
    });
    assert!(received > 130, "the phone received {received} packets");
    pages.appliance.is_quiet();
}

#[test]
fn a_call_is_rejected_and_one_that_is_given_up_is_told() {
    let pages = pages("incoming-untaken");
    let bob = phone(&pages, "bob");
    let mut visitor = alice(&pages);
    dial(&bob);
    visitor.rings();
    visitor.reject();
    assert_eq!(visitor.ends().0, EndCause::Declined);
    let words = bob.tells("CALL_CLOSED");
    assert!(words.contains("603"), "{words}");
    pages.appliance.is_quiet();
    dial(&bob);
    visitor.rings();
    bob.hang_up();
    assert_eq!(visitor.ends().0, EndCause::Cancelled);
    // What rings no more can't be taken.
    visitor.answer();
    visitor.until("it is told so", |seen| seen.errors.first().cloned());
    assert_eq!(visitor.look(|seen| seen.errors[0].0), ErrorCode::UnknownCall);
    pages.appliance.is_quiet();
    let rows = pages.appliance.rows(2);
    let causes: Vec<_> = rows.iter().map(|row| row.cause.clone()).collect();
    assert!(
        causes.contains(&EndCause::Declined.key()) && causes.contains(&EndCause::Cancelled.key())
    );
}

#[test]
fn a_second_caller_waits_and_a_third_one_is_told_busy() {
    let pages = pages("incoming-waiting");
    let [bob, carol, dave] = ["bob", "carol", "dave"].map(|user| phone(&pages, user));
    let mut visitor = alice(&pages);
    talk(&bob, &mut visitor);
    dial(&carol);
    let waiting = visitor.rings();
    assert!(waiting.uri.starts_with("sip:carol@"), "{waiting:?}");
    carol.tells("CALL_RINGING");
    dial(&dave);
    let words = dave.tells("CALL_CLOSED");
    assert!(words.contains("486"), "{words}");
    visitor.hears(PHONE);
    visitor.reject();
    carol.tells("CALL_CLOSED");
    bob.hang_up();
    visitor.until("both are over", |seen| (seen.times(CallState::Ended) == 2).then_some(()));
    pages.appliance.is_quiet();
}

#[test]
fn a_page_that_loses_its_socket_while_it_rings_still_answers_and_one_that_leaves_lets_go() {
    let pages = pages("incoming-reload");
    let bob = phone(&pages, "bob");
    let mut visitor = alice(&pages);
    dial(&bob);
    visitor.rings();
    visitor.drop_socket();
    assert!(visitor.reconnect());
    visitor.answer();
    visitor.talks();
    visitor.hears(PHONE);
    visitor.hang_up();
    bob.tells("CALL_CLOSED");
    pages.appliance.is_quiet();
    dial(&bob);
    visitor.rings();
    // As the page does it on its way out.
    let call = visitor.number();
    let reason = signalling::HangupReason::PageClosed;
    visitor.send(ClientMessage::Hangup { call, reason });
    visitor.send(ClientMessage::Unregister);
    visitor.leave();
    let words = bob.tells_times("CALL_CLOSED", 2);
    assert!(words.contains("48"), "{words}");
    pages.appliance.is_quiet();
    let mut again = alice(&pages);
    talk(&bob, &mut again);
    again.hang_up();
}

#[test]
fn a_transferred_caller_talks_to_somebody_else_and_the_page_is_free() {
    let pages = pages("incoming-transfer");
    let [bob, carol] = ["bob", "carol"].map(|user| phone(&pages, user));
    let mut visitor = alice(&pages);
    talk(&bob, &mut visitor);
    visitor.transfer("carol");
    assert_eq!(visitor.ends().0, EndCause::VisitorHungUp);
    carol.tells("CALL_ESTABLISHED");
    bob.tells_times("CALL_ESTABLISHED", 2);
    assert_eq!(visitor.look(|seen| seen.errors.clone()), []);
    pages.appliance.is_quiet();
    assert_eq!(pages.appliance.rows(1).len(), 1);
    bob.hang_up();
}

#[test]
fn a_transfer_that_fails_is_told_and_the_call_goes_on() {
    let pages = pages("incoming-transfer-fails");
    let bob = phone(&pages, "bob");
    let mut visitor = alice(&pages);
    talk(&bob, &mut visitor);
    visitor.transfer("nobody");
    let (code, words) = visitor.until("it is told so", |seen| seen.errors.first().cloned());
    assert_eq!(code, ErrorCode::TransferFailed, "{words}");
    assert!(words.contains("This number does not exist"), "{words}");
    visitor.hears(PHONE);
    // Somewhere else than the account's own registrar is not even asked for.
    visitor.transfer("sip:carol@127.0.0.1:9");
    let (code, _) = visitor.until("it is refused", |seen| seen.errors.get(1).cloned());
    assert_eq!(code, ErrorCode::Forbidden);
    visitor.hang_up();
    bob.tells("CALL_CLOSED");
    pages.appliance.is_quiet();
}
