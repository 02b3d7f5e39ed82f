//! Linphone as the shop's phone, and as a caller.

use base::Codec;
use harness::kamailio::{Digest, PASSWORD, REALM};
use harness::linphone::Linphone;
use harness::sound::{self, PHONE, VISITOR};
use harness::{Appliance, Kamailio, Place, Shop, Visitor, VisitorSettings};
use signalling::EndCause;

/// In a call that is up both hear each other; the visitor hangs up.
fn both_hear_each_other(visitor: &Visitor, mut phone: Linphone) {
    visitor.hears(PHONE);
    visitor.sends(100);
    visitor.hang_up();
    assert_eq!(visitor.ends().0, EndCause::VisitorHungUp);
    phone.says(" ended (");
    sound::has_tone(&phone.heard(), VISITOR, 1.0)
        .unwrap_or_else(|words| panic!("Linphone does not hear the visitor: {words}"));
}

#[test]
fn linphone_is_called_and_both_hear_each_other() {
    for codec in ["pcma", "opus"] {
        let place = Place::new(&format!("linphone-{codec}"));
        let phone = Linphone::start(&place, PHONE);
        let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &[codec]));
        let settings = VisitorSettings::with_codecs(&[Codec::Opus]);
        let mut visitor = Visitor::open(&appliance, settings);
        visitor.call();
        visitor.talks();
        both_hear_each_other(&visitor, phone);
        appliance.is_quiet();
        assert_eq!(appliance.rows(1)[0].trunk_codec.as_deref(), Some(codec));
    }
}

#[test]
fn linphone_calls_a_page_and_both_hear_each_other() {
    let place = Place::new("linphone-calls");
    let provider = Kamailio::start(&place, Digest::Md5, None);
    let appliance = Appliance::start(&place, &Shop::new().webphone(provider.sip));
    let mut visitor = Visitor::open(&appliance, VisitorSettings::of_webphone());
    let registrar = provider.sip.to_string();
    assert_eq!(visitor.registers(&registrar, "alice", PASSWORD), (true, 200));
    let mut phone = Linphone::start(&place, PHONE);
    let before = provider.requests("REGISTER", "udp");
    phone.order(&format!("register sip:bob@{REALM} sip:{registrar} {PASSWORD}"));
    // Once without and once with its password.
    provider.gets("REGISTER", "udp", before + 2);
    phone.order(&format!("call sip:alice@{registrar}"));
    visitor.rings();
    visitor.answer();
    visitor.talks();
    both_hear_each_other(&visitor, phone);
    appliance.is_quiet();
}
