//! Phones hand calls on, and are handed on: what each end hears afterwards.

use harness::kamailio::{Digest, REALM};
use harness::linphone::Linphone;
use harness::sound::{PHONE, VISITOR};
use harness::{Appliance, Baresip, Kamailio, Phone, Place, Shop, Visitor, VisitorSettings};
use signalling::{CallState, EndCause};

/// What Carol's phone says, in hertz.
const CAROL: f32 = 880.0;

struct Office {
    appliance: Appliance,
    provider: Kamailio,
    bob: Baresip,
    carol: Baresip,
    _place: Place,
}

/// Two phones at a provider, a button that calls Bob, and pages that may have accounts.
fn office(name: &str) -> Office {
    let place = Place::new(name);
    let provider = Kamailio::start(&place, Digest::Md5, None);
    let bob = Baresip::registered(&place, "bob", &provider);
    let kind = Phone { tone: CAROL, ..Phone::with_account("carol", &provider) };
    let carol = Baresip::registered_as(&place, "carol", &kind, &provider);
    let shop = Shop::registered_for(&provider.sip.to_string(), "bob", "codecs = [\"pcmu\"]");
    let appliance = Appliance::start(&place, &shop.webphone(provider.sip));
    appliance.readiness_becomes(200);
    Office { appliance, provider, bob, carol, _place: place }
}

#[test]
fn a_phone_hands_its_visitor_on_to_a_colleague_and_both_are_heard() {
    let office = office("transfer-by-phone");
    let mut visitor = Visitor::open(&office.appliance, VisitorSettings::default());
    visitor.call();
    visitor.talks();
    visitor.hears(PHONE);
    visitor.sends(75);
    office.bob.order("transfer", &format!("sip:carol@{}", office.provider.sip));
    office.carol.tells("CALL_ESTABLISHED");
    office.bob.tells("CALL_CLOSED");
    office.bob.has_heard(VISITOR);
    visitor.hears(CAROL);
    visitor.sends(100);
    visitor.press("4");
    harness::until("Carol hears the key", || (office.carol.digits() == "4").then_some(()));
    visitor.hang_up();
    assert_eq!(visitor.ends().0, EndCause::VisitorHungUp);
    office.carol.tells("CALL_CLOSED");
    office.carol.has_heard(VISITOR);
    assert_eq!(visitor.look(|seen| seen.times(CallState::Ended)), 1, "the page saw one call");
    office.appliance.is_quiet();
    assert_eq!(office.appliance.rows(1).len(), 1);
}

#[test]
fn a_phone_that_hands_on_to_nobody_is_told_why() {
    let office = office("transfer-to-nobody");
    let mut visitor = Visitor::open(&office.appliance, VisitorSettings::default());
    visitor.call();
    visitor.talks();
    visitor.hears(PHONE);
    office.bob.order("transfer", &format!("sip:nobody@{}", office.provider.sip));
    let words = office.bob.tells("TRANSFER_FAILED");
    assert!(words.contains("404"), "{words}");
    // This phone hangs up then; the call would have stood.
    assert_eq!(visitor.ends().0, EndCause::ShopHungUp);
    office.appliance.is_quiet();
}

#[test]
fn a_page_hands_its_caller_on_and_the_two_phones_hear_each_other() {
    let office = office("transfer-by-page");
    let mut page = Visitor::registered(&office.appliance, office.provider.sip, "alice");
    office.bob.order("dial", &format!("sip:alice@{REALM}"));
    page.rings();
    page.answer();
    page.talks();
    page.hears(PHONE);
    page.transfer("carol");
    assert_eq!(page.ends().0, EndCause::VisitorHungUp);
    office.carol.tells("CALL_ESTABLISHED");
    office.bob.tells_times("CALL_ESTABLISHED", 2);
    office.appliance.is_quiet();
    // Two seconds for the recordings; we are not part of this call any more.
    std::thread::sleep(std::time::Duration::from_secs(2));
    office.bob.hang_up();
    office.carol.tells("CALL_CLOSED");
    office.bob.has_heard(CAROL);
    office.carol.has_heard(PHONE);
}

#[test]
fn a_page_joins_two_phones_that_it_talked_to_and_they_hear_each_other() {
    let place = Place::new("transfer-attended");
    let provider = Kamailio::start(&place, Digest::Md5, None);
    let appliance = Appliance::start(&place, &Shop::new().webphone(provider.sip));
    let mut page = Visitor::registered(&appliance, provider.sip, "alice");
    let mut phones = [("bob", PHONE), ("carol", CAROL)].map(|(user, tone)| {
        let mut phone = Linphone::named(&place, user, tone);
        phone.registers(user, &provider);
        phone
    });
    let first = page.call_to("bob");
    page.talks();
    page.hears(PHONE);
    page.hold(true);
    page.reaches(CallState::Held);
    let second = page.call_to("carol");
    page.talks();
    page.hears(CAROL);
    page.join(first, second);
    for call in [first, second] {
        page.until("both calls are over", |seen| {
            seen.state(call).filter(|step| step.state == CallState::Ended).map(|_| ())
        });
    }
    appliance.is_quiet();
    assert_eq!(page.look(|seen| seen.errors.clone()), []);
    let messages = appliance.traces(&["1", "--messages"]);
    assert!(messages.contains("Replaces="), "{messages}");
    for phone in &mut phones {
        phone.record_anew();
    }
    // For the recordings; we are not part of this call any more.
    std::thread::sleep(std::time::Duration::from_secs(3));
    for (phone, tone) in phones.into_iter().zip([CAROL, PHONE]) {
        phone.has_heard(tone);
    }
}
