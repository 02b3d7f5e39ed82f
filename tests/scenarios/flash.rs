//! Visitors with Flash Player: RTMFP from a real socket to real phones.

use base::Codec;
use harness::{
    Appliance, Baresip, FlashSettings, FlashVisitor, Handset, HandsetSettings, Phone, Place, Shop,
    sound,
};
use signalling::EndCause;
use std::time::Duration;

/// What the two ends say.
const VISITOR: f32 = 440.0;
const PHONE: f32 = 660.0;

#[test]
fn speex_passes_untouched_to_a_phone_that_takes_it() {
    let place = Place::new("flash-speex");
    let phone = Handset::start(HandsetSettings::with_codec(Codec::Speex16));
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["speex16", "pcmu"]));
    let mut visitor = FlashVisitor::connect(&appliance, FlashSettings::default());
    visitor.call();
    visitor.talks();
    let level = visitor.hears(PHONE);
    assert!((-14.0..-6.0).contains(&level), "the phone's tone comes at {level} dBFS");
    let level = phone.hears(VISITOR);
    assert!((-14.0..-6.0).contains(&level), "the visitor's tone comes at {level} dBFS");
    visitor.hang_up();
    visitor.ends();
    phone.until("the phone gets BYE", |seen| seen.ended.first().copied());
    appliance.is_quiet();
    let row = appliance.rows(1).remove(0);
    assert_eq!(row.cause, EndCause::VisitorHungUp.key());
    println!("{row:?}");
}
