//! Kamailio's dispatcher between us and several lines, some of which are down.

use harness::kamailio::Provider;
use harness::sound::PHONE;
use harness::{
    Appliance, Baresip, Kamailio, Phone, Place, Shop, Sipp, Visitor, VisitorSettings, calls,
};
use signalling::EndCause;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// A line that is not there.
fn dead() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, harness::place::port()))
}

/// A provider before these lines, and a button that calls them there.
fn before(place: &Place, dispatched: Vec<SocketAddr>) -> (Kamailio, Appliance) {
    let provider = Kamailio::provide(place, &Provider { dispatched, ..Provider::default() });
    let shop = Shop::registered_for(&provider.sip.to_string(), "line", "codecs = [\"pcma\"]");
    let appliance = Appliance::start(place, &shop);
    appliance.readiness_becomes(200);
    (provider, appliance)
}

fn switched(provider: &Kamailio) -> usize {
    provider.log().matches("next is ").count()
}

#[test]
fn a_call_gets_through_where_the_first_line_is_dead_and_the_second_refuses() {
    let place = Place::new("dispatched");
    let mut broken = Sipp::start_with(&place, "refuses", &[("status", "503")]);
    let kind = Phone { user: "line".into(), ..Phone::of_provider() };
    let phone = Baresip::start(&place, "phone", &kind);
    let (provider, appliance) = before(&place, vec![dead(), broken.sip, phone.sip]);
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    visitor.call();
    visitor.talks();
    calls::both_hear_each_other(&visitor, &phone);
    broken.is_content(Duration::from_secs(10));
    assert_eq!(switched(&provider), 2, "{}", provider.log());
    appliance.is_quiet();
    assert_eq!(appliance.rows(1)[0].cause, EndCause::VisitorHungUp.key());
}

#[test]
fn a_call_to_which_no_line_answers_ends_with_the_providers_word() {
    let place = Place::new("dispatched-nowhere");
    let mut broken = Sipp::start_with(&place, "refuses", &[("status", "503")]);
    let (_provider, appliance) = before(&place, vec![dead(), broken.sip]);
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    visitor.call();
    assert_eq!(visitor.ends().0, EndCause::ProviderFailed);
    broken.is_content(Duration::from_secs(10));
    appliance.is_quiet();
}

#[test]
fn we_are_called_where_the_line_before_us_is_dead() {
    let place = Place::new("dispatched-in");
    // Where we are is known only once we run, and we need to know where the provider is.
    let sip = SocketAddr::from((Ipv4Addr::LOCALHOST, harness::place::ports(2)));
    let appliance = Appliance::start(&place, &Shop::new().webphone(sip));
    let dispatched = vec![dead(), appliance.sip()];
    let provider = Provider { dispatched, ..Provider::default() };
    let provider = Kamailio::provide_at(&place, &provider, sip);
    let mut line = Visitor::registered(&appliance, sip, "line");
    let bob = Baresip::registered(&place, "bob", &provider);
    bob.order("dial", &format!("sip:line@{}", harness::kamailio::REALM));
    line.rings();
    line.answer();
    line.talks();
    line.hears(PHONE);
    calls::both_hear_each_other(&line, &bob);
    assert_eq!(switched(&provider), 1, "{}", provider.log());
    appliance.is_quiet();
}
