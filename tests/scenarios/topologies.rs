//! Providers of several machines: an edge that everything passes, and the registrar behind it.

use harness::internet::{Internet, alone};
use harness::kamailio::{Provider, REALM};
use harness::{
    Appliance, Baresip, Kamailio, Phone, Place, Shop, Visitor, VisitorSettings, calls, sound,
};
use signalling::EndCause;

/// We know the edge alone; the registrar and Bob's phone know nothing of us but what the edge says.
fn by_way_of_an_edge(mut internet: Internet, name: &str, hides: bool) {
    let here = internet.here();
    // Each Kamailio has files of its own.
    let (place, inner) = (Place::new(name), Place::new(&format!("{name}-registrar")));
    let registrar = Provider { site: internet.public(11), ..Provider::default() };
    let registrar = Kamailio::provide(&inner, &registrar);
    let edge = Provider {
        site: internet.public(10),
        open: true,
        before: Some(registrar.sip),
        hides,
        ..Provider::default()
    };
    let edge = Kamailio::provide(&place, &edge);
    let phone = Phone { site: internet.public(20), ..Phone::with_account("bob", &registrar) };
    let bob = Baresip::registered_as(&place, "bob", &phone, &registrar);
    let shop = Shop::registered_for(&edge.sip.to_string(), "bob", "codecs = [\"pcmu\"]");
    let appliance = Appliance::start(&place, &shop.webphone(edge.sip).outside(here.ip));
    appliance.readiness_becomes(200);
    // Out: the visitor hangs up first, then the phone.
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    visitor.call();
    visitor.talks();
    calls::both_hear_each_other(&visitor, &bob);
    calls::both_ends_hang_up(&appliance, &bob);
    // In, by the path that the registrar has kept.
    let mut alice = Visitor::registered(&appliance, edge.sip, "alice");
    bob.order("dial", &format!("sip:alice@{REALM}"));
    alice.rings();
    alice.answer();
    alice.talks();
    alice.hears(sound::PHONE);
    alice.hold(true);
    alice.reaches(signalling::CallState::Held);
    alice.hold(false);
    alice.hears(sound::PHONE);
    bob.hang_up();
    assert_eq!(alice.ends().0, EndCause::ShopHungUp);
    appliance.is_quiet();
    assert_eq!(appliance.metric("sip_foreign_dropped_total"), 0);
    // Whether the registrar's address gets as far as us is what hiding is about.
    let messages = appliance.traces(&["1", "--messages"]);
    let inner = registrar.sip.to_string();
    assert_eq!(messages.contains(&inner), !hides, "{messages}");
    let ours = format!(" from {}:", here.ip);
    assert!(edge.log().contains(&ours) && !registrar.log().contains(&ours), "{}", registrar.log());
}

#[test]
fn calls_go_both_ways_by_an_edge_that_registrations_name_as_their_path() {
    alone(|internet| by_way_of_an_edge(internet, "edge", false));
}

#[test]
fn calls_go_both_ways_by_an_edge_that_hides_what_is_behind_it() {
    alone(|internet| by_way_of_an_edge(internet, "edge-hides", true));
}
