//! Linphone as the shop's phone, and as a caller.

use base::Codec;
use harness::kamailio::Digest;
use harness::linphone::Linphone;
use harness::sound::{PHONE, VISITOR};
use harness::{Appliance, Kamailio, Place, Shop, Visitor, VisitorSettings};
use signalling::EndCause;

/// In a call that is up both hear each other; the visitor hangs up.
fn both_hear_each_other(visitor: &Visitor, mut phone: Linphone) {
    visitor.hears(PHONE);
    visitor.sends(100);
    visitor.hang_up();
    assert_eq!(visitor.ends().0, EndCause::VisitorHungUp);
    phone.says(" ended (");
    phone.has_heard(VISITOR);
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
    let mut visitor = Visitor::registered(&appliance, provider.sip, "alice");
    let mut phone = Linphone::start(&place, PHONE);
    phone.registers("bob", &provider);
    phone.order(&format!("call sip:alice@{}", provider.sip));
    visitor.rings();
    visitor.answer();
    visitor.talks();
    both_hear_each_other(&visitor, phone);
    appliance.is_quiet();
}
