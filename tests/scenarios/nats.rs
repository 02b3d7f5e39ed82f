//! Behind NATs of every kind: the appliance, or the phone. Each scenario has a network of its own.

use harness::internet::{FORGETS_AFTER, Internet, Nat, Site, alone};
use harness::kamailio::{Provider, REALM};
use harness::rtpengine::Rtpengine;
use harness::sound::{PHONE, VISITOR};
use harness::{
    Appliance, Baresip, Kamailio, Phone, Place, Program, Shop, Sipp, Visitor, VisitorSettings,
    calls,
};
use signalling::EndCause;
use std::net::SocketAddr;
use std::time::Duration;

/// What a provider does about NATs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Help {
    /// Nothing: it believes what messages say.
    None,
    /// It answers to where messages come from, and leaves sound alone.
    Signalling,
    /// Its media relay (rtpengine) stands between both ends as well.
    Relay,
}

/// A provider with a public address; its media relay is beside it.
fn provider(internet: &mut Internet, place: &Place, help: Help) -> (Kamailio, Option<Program>) {
    let relay = (help == Help::Relay)
        .then(|| Rtpengine::run(place, internet.public(11)).expect("rtpengine runs"));
    let provider = Provider {
        site: internet.public(10),
        looks_through: help != Help::None,
        media: relay.as_ref().map(|(_, control)| *control),
        ..Provider::default()
    };
    (Kamailio::provide(place, &provider), relay.map(|(program, _)| program))
}

/// Bob's phone, registered at the provider.
fn bob(place: &Place, provider: &Kamailio, site: Site, control: Option<SocketAddr>) -> Baresip {
    let phone = Phone { site, control, ..Phone::with_account("bob", provider) };
    Baresip::registered_as(place, "bob", &phone, provider)
}

/// The appliance with a button that calls Bob and pages that may have accounts.
fn appliance(place: &Place, provider: &Kamailio, here: Site) -> Appliance {
    let shop = Shop::registered_for(&provider.sip.to_string(), "bob", "codecs = [\"pcmu\"]");
    let shop = shop.webphone(provider.sip).outside(here.ip);
    let appliance = Appliance::start(place, &shop);
    appliance.readiness_becomes(200);
    appliance
}

/// The button's visitor calls Bob, and both hear each other.
fn calls_out(appliance: &Appliance, bob: &Baresip) {
    let mut visitor = Visitor::open(appliance, VisitorSettings::default());
    visitor.call();
    visitor.talks();
    calls::both_hear_each_other(&visitor, bob);
    appliance.is_quiet();
}

/// Bob calls Alice, who answers; both hear each other, and Bob hangs up.
fn is_called(alice: &mut Visitor, bob: &Baresip) {
    bob.order("dial", &format!("sip:alice@{REALM}"));
    alice.rings();
    alice.answer();
    alice.talks();
    alice.hears(PHONE);
    alice.sends(100);
    bob.hang_up();
    assert_eq!(alice.ends().0, EndCause::ShopHungUp);
    bob.has_heard(VISITOR);
}

/// The appliance behind a NAT of this kind, everybody else with public addresses: calls out, and
/// calls in, where it matters after the NAT would have forgotten an idle way one and a half times.
fn appliance_behind(mut internet: Internet, name: &str, nat: Nat, help: Help) {
    let (here, _) = internet.here_behind(nat);
    let place = Place::new(name);
    let (provider, _relay) = provider(&mut internet, &place, help);
    let bob = bob(&place, &provider, internet.public(20), None);
    let appliance = appliance(&place, &provider, here);
    let mut alice = Visitor::registered(&appliance, provider.sip, "alice");
    calls_out(&appliance, &bob);
    let registers = provider.requests("REGISTER", "udp");
    if nat != Nat::FullCone {
        std::thread::sleep(Duration::from_secs(FORGETS_AFTER * 3 / 2));
    }
    is_called(&mut alice, &bob);
    let again = provider.requests("REGISTER", "udp") - registers;
    // Bob's phone registers every minute; ours has not been what kept the way open.
    assert!(again <= 2, "{again} REGISTERs in between:\n{}", provider.log());
    appliance.is_quiet();
}

#[test]
fn behind_a_full_cone_calls_go_both_ways_without_help() {
    alone(|internet| appliance_behind(internet, "nat-full-cone", Nat::FullCone, Help::None));
}

#[test]
fn behind_an_address_restricted_nat_calls_go_both_ways_without_help() {
    let (name, nat) = ("nat-address-restricted", Nat::AddressRestricted);
    alone(move |internet| appliance_behind(internet, name, nat, Help::None));
}

#[test]
fn behind_a_port_restricted_nat_calls_go_both_ways_without_help() {
    let (name, nat) = ("nat-port-restricted", Nat::PortRestricted);
    alone(move |internet| appliance_behind(internet, name, nat, Help::None));
}

#[test]
fn behind_a_symmetric_nat_calls_go_both_ways_with_the_providers_relay() {
    alone(|internet| appliance_behind(internet, "nat-symmetric", Nat::Symmetric, Help::Relay));
}

#[test]
fn behind_a_nat_a_far_end_that_hangs_up_late_is_heard_without_any_registration() {
    alone(|mut internet| {
        let (here, _) = internet.here_behind(Nat::PortRestricted);
        let place = Place::new("nat-trunk");
        // Where nobody registers, our public address is not known: the far end has to look at where
        // sound comes from, as this one does that sends it back.
        let pause = (FORGETS_AFTER * 3 / 2 * 1_000).to_string();
        let (keys, site) = ([("pause", pause.as_str())], internet.public(20));
        let mut phone = Sipp::start_at(&place, "hangs-up-late", &keys, site);
        let shop = Shop::trunk(phone.sip, &["pcma"]).outside(here.ip);
        let appliance = Appliance::start(&place, &shop);
        let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
        visitor.call();
        visitor.talks();
        visitor.hears(VISITOR);
        // Sound passes all the time, SIP does not.
        std::thread::sleep(Duration::from_secs(FORGETS_AFTER * 3 / 2));
        assert_eq!(visitor.ends().0, EndCause::ShopHungUp);
        phone.is_content(Duration::from_secs(10));
        appliance.is_quiet();
    });
}

#[test]
fn behind_a_one_to_one_nat_a_trunk_is_told_the_public_address_of_the_file() {
    alone(|mut internet| {
        let (here, public) = internet.here_behind(Nat::FullCone);
        let place = Place::new("nat-public-ip");
        let phone = Phone { site: internet.public(20), ..Phone::with_codecs(&["PCMU/8000"]) };
        let phone = Baresip::start(&place, "phone", &phone);
        let shop = Shop::trunk(phone.sip, &["pcmu"]).outside(here.ip).public_ip(public);
        let appliance = Appliance::start(&place, &shop);
        let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
        visitor.call();
        visitor.talks();
        calls::both_hear_each_other(&visitor, &phone);
        calls::both_ends_hang_up(&appliance, &phone);
    });
}

#[test]
fn behind_a_nat_a_trunk_learns_its_address_from_the_first_call() {
    alone(|mut internet| {
        let (here, _) = internet.here_behind(Nat::PortRestricted);
        let place = Place::new("nat-trunk-learns");
        let phone = Phone { site: internet.public(20), ..Phone::with_codecs(&["PCMU/8000"]) };
        let phone = Baresip::start(&place, "phone", &phone);
        let shop = Shop::trunk(phone.sip, &["pcmu"]).outside(here.ip);
        let appliance = Appliance::start(&place, &shop);
        // Nobody has told us yet where we are, and this phone believes what we say of ourselves.
        let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
        visitor.call();
        visitor.talks();
        harness::until("the phone is sent sound", || {
            phone.output().contains("incoming rtp for 'audio' established").then_some(())
        });
        visitor.hang_up();
        assert_eq!(visitor.ends().0, EndCause::VisitorHungUp);
        phone.tells("CALL_CLOSED");
        visitor.call();
        visitor.talks();
        calls::both_hear_each_other(&visitor, &phone);
        appliance.is_quiet();
    });
}

/// The phone behind a NAT of this kind, the provider with a public address, we here.
fn phone_behind(mut internet: Internet, here: Site, name: &str, nat: Nat, help: Help) {
    let place = Place::new(name);
    let (provider, _relay) = provider(&mut internet, &place, help);
    let port = harness::place::port();
    let (site, router) = internet.phone_behind(nat, port);
    let bob = bob(&place, &provider, site, Some(SocketAddr::new(router, port)));
    let appliance = appliance(&place, &provider, here);
    let mut alice = Visitor::registered(&appliance, provider.sip, "alice");
    calls_out(&appliance, &bob);
    is_called(&mut alice, &bob);
    appliance.is_quiet();
}

#[test]
fn a_phone_behind_a_port_restricted_nat_is_heard_where_its_sound_really_comes_from() {
    alone(|mut internet| {
        let (here, nat) = (internet.here(), Nat::PortRestricted);
        phone_behind(internet, here, "nat-phone-restricted", nat, Help::Signalling);
    });
}

#[test]
fn a_phone_behind_a_symmetric_nat_is_heard_where_its_sound_really_comes_from() {
    alone(|mut internet| {
        let (here, nat) = (internet.here(), Nat::Symmetric);
        phone_behind(internet, here, "nat-phone-symmetric", nat, Help::Signalling);
    });
}

#[test]
fn a_phone_behind_a_symmetric_nat_is_talked_to_by_way_of_the_providers_relay() {
    alone(|mut internet| {
        let (here, nat) = (internet.here(), Nat::Symmetric);
        phone_behind(internet, here, "nat-phone-relay", nat, Help::Relay);
    });
}

#[test]
fn behind_symmetric_nats_at_both_ends_a_relay_joins_them() {
    alone(|mut internet| {
        let (here, _) = internet.here_behind(Nat::Symmetric);
        phone_behind(internet, here, "nat-both", Nat::Symmetric, Help::Relay);
    });
}
