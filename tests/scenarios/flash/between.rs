//! Visitors in one call with each other: Flash and WebRTC, Flash and Flash. Each is at the provider
//! what the other one calls, so sound passes through two bridges of the same process.

use harness::kamailio::{Digest, PASSWORD};
use harness::{
    Appliance, FlashSettings, FlashVisitor, Kamailio, Place, Shop, Visitor, VisitorSettings,
};
use signalling::EndCause;

/// What the two ends say.
pub(super) use harness::sound::{PHONE as CALLED, VISITOR as CALLER};

/// An appliance whose button calls `alice`, who may be a visitor with Flash.
pub(super) fn pages(place: &Place) -> (Kamailio, Appliance) {
    let provider = Kamailio::start(place, Digest::Md5, None);
    let account =
        format!("registrar = \"{}\"\nusername = \"bob\"\npassword = \"{PASSWORD}\"", provider.sip);
    let button =
        format!("destination = \"sip:alice@{}\"\n{}", provider.sip, harness::appliance::ORIGINS);
    let shop = Shop::new().account("main", &account).button("sales", &button);
    let appliance = Appliance::start(place, &shop.webphone(provider.sip));
    assert_eq!(appliance.readiness_becomes(200), "ready\n");
    (provider, appliance)
}

fn alice(provider: &Kamailio, appliance: &Appliance) -> FlashVisitor {
    alice_as(provider, appliance, FlashSettings::of_webphone())
}

pub(super) fn alice_as(
    provider: &Kamailio,
    appliance: &Appliance,
    settings: FlashSettings,
) -> FlashVisitor {
    let settings = FlashSettings { tone: Some(CALLED), ..settings };
    let alice = FlashVisitor::connect(appliance, settings);
    let outcome = alice.registers(&provider.sip.to_string(), "alice", PASSWORD);
    assert!(outcome.registered, "{outcome:?}");
    alice
}

#[test]
fn a_page_with_webrtc_and_a_page_with_flash_talk_to_each_other() {
    let place = Place::new("flash-webrtc");
    let (provider, appliance) = pages(&place);
    let mut called = alice(&provider, &appliance);
    let mut caller = Visitor::open(&appliance, VisitorSettings::default());
    caller.call();
    let info = called.rings();
    assert!(info.uri.starts_with("sip:bob@"), "{info:?}");
    called.answer();
    called.talks();
    caller.talks();
    caller.hears(CALLED);
    called.hears(CALLER);
    called.hang_up();
    called.ends();
    assert_eq!(caller.ends().0, EndCause::ShopHungUp);
    appliance.is_quiet();
    let mut codecs: Vec<_> = appliance.rows(2).into_iter().map(|row| row.browser_codec).collect();
    codecs.sort();
    assert_eq!(codecs[1].as_deref(), Some("speex16"), "{codecs:?}");
}

#[test]
fn two_pages_with_flash_talk_to_each_other_in_their_own_codec() {
    let place = Place::new("flash-flash");
    let (provider, appliance) = pages(&place);
    let mut called = alice(&provider, &appliance);
    let mut caller = FlashVisitor::connect(&appliance, FlashSettings::default());
    caller.call();
    called.rings();
    called.answer();
    called.talks();
    caller.talks();
    caller.hears(CALLED);
    called.hears(CALLER);
    caller.hang_up();
    caller.ends();
    called.ends();
    appliance.is_quiet();
    for row in appliance.rows(2) {
        let codecs = (row.browser_codec.as_deref(), row.trunk_codec.as_deref());
        assert_eq!(codecs, (Some("speex16"), Some("speex16")));
        assert!(!row.transcoded, "Speex passes as it is");
    }
}
