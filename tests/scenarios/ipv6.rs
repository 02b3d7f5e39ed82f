//! A provider that is reached by IPv6: registration, calls out and in, and what is said of media.

use harness::kamailio::{Provider, REALM};
use harness::{Appliance, Baresip, Kamailio, Phone, Place, Shop, Visitor, VisitorSettings, calls};
use serde_json::Value;
use std::net::{Ipv6Addr, SocketAddr};

/// A phone with IPv6, and the provider before it.
fn provider(place: &Place) -> (Baresip, Kamailio) {
    let phone = Baresip::start(place, "phone", &Phone { v6: true, ..Phone::of_provider() });
    let settings = Provider { phone: Some(phone.sip), tcp: true, ..Provider::default() };
    let sip = SocketAddr::from((Ipv6Addr::LOCALHOST, harness::place::ports(2)));
    let provider = Kamailio::provide_at(place, &settings, sip);
    (phone, provider)
}

/// The SIP messages of the newest call that went one way and begin so.
fn messages(appliance: &Appliance, way: &str, start: &str) -> Vec<String> {
    let text = appliance.traces(&["last", "--json"]);
    let trace: Value = serde_json::from_str(&text).expect("it is JSON");
    let entries = trace["entries"].as_array().expect("a trace has entries").clone();
    let of_way = entries.into_iter().filter(|entry| entry["way"] == way);
    let texts = of_way.filter_map(|entry| entry["text"].as_str().map(str::to_owned));
    texts.filter(|text| text.starts_with(start)).collect()
}

#[test]
fn an_account_registers_and_calls_by_ipv6_over_udp_and_tcp() {
    let place = Place::new("ipv6");
    let (phone, provider) = provider(&place);
    for transport in ["udp", "tcp"] {
        let lines = format!("transport = \"{transport}\"\nexpires = 60\ncodecs = [\"pcma\"]");
        let shop = Shop::registered(&provider.sip.to_string(), &lines).by_ipv6();
        let shop = shop.call_log(&place.path(&format!("{transport}.db")));
        let appliance = Appliance::start_as(&place, transport, &shop);
        appliance.readiness_becomes(200);
        assert!(provider.requests("REGISTER", transport) > 0, "{}", provider.log());
        let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
        visitor.call();
        visitor.talks();
        calls::both_hear_each_other(&visitor, &phone);
        let invites = messages(&appliance, "went", "INVITE ");
        let invite = invites.last().expect("an INVITE");
        for said in [
            format!("INVITE sip:phone@{} SIP/2.0\n", provider.sip),
            format!("Via: SIP/2.0/{} [::1]:", transport.to_uppercase()),
            "Contact: <sip:shop@[::1]:".to_owned(),
            "c=IN IP6 ::1\n".to_owned(),
        ] {
            assert!(invite.contains(&said), "no {said:?} in\n{invite}");
        }
        assert!(invite.lines().any(|line| line.starts_with("o=") && line.ends_with(" IN IP6 ::1")));
        let answers = messages(&appliance, "came", "SIP/2.0 200 ");
        assert!(answers.iter().any(|answer| answer.contains("c=IN IP6 ::1")), "{answers:?}");
        assert_eq!(appliance.metric("sip_foreign_dropped_total"), 0);
    }
}

#[test]
fn a_page_is_called_by_ipv6_and_both_hear_each_other() {
    let place = Place::new("ipv6-incoming");
    let (_phone, provider) = provider(&place);
    let appliance = Appliance::start(&place, &Shop::new().webphone(provider.sip).by_ipv6());
    let bob = Phone { v6: true, ..Phone::with_account("bob", &provider) };
    let bob = Baresip::start(&place, "bob", &bob);
    // Once without and once with its password.
    provider.gets("REGISTER", "udp", 2);
    let mut visitor = Visitor::registered(&appliance, provider.sip, "alice");
    bob.order("dial", &format!("sip:alice@{REALM}"));
    visitor.rings();
    visitor.answer();
    visitor.talks();
    calls::both_hear_each_other(&visitor, &bob);
    let answers = messages(&appliance, "went", "SIP/2.0 200 ");
    assert!(answers.iter().any(|answer| answer.contains("c=IN IP6 ::1\n")), "{answers:?}");
}
