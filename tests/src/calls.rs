//! Calls that many scenarios make.

use crate::appliance::Appliance;
use crate::baresip::Baresip;
use crate::sound::{PHONE, VISITOR};
use crate::visitor::{Visitor, VisitorSettings};
use signalling::EndCause;

/// The visitor, who has just called, hears the phone, and hangs up.
pub fn talks_and_hangs_up(visitor: &Visitor) {
    visitor.talks();
    visitor.hears(PHONE);
    visitor.hang_up();
    assert_eq!(visitor.ends().0, EndCause::VisitorHungUp);
}

/// Two calls of one page with sound: the visitor ends the first one, the phone the second.
pub fn both_ends_hang_up(appliance: &Appliance, phone: &Baresip) {
    let mut visitor = Visitor::open(appliance, VisitorSettings::default());
    visitor.call();
    talks_and_hangs_up(&visitor);
    phone.tells("CALL_CLOSED");
    visitor.call();
    visitor.talks();
    visitor.hears(PHONE);
    phone.hang_up();
    assert_eq!(visitor.ends().0, EndCause::ShopHungUp);
    appliance.is_quiet();
}

/// In a call that is up each end hears the other as loud as it speaks; then the visitor hangs up.
pub fn both_hear_each_other(visitor: &Visitor, phone: &Baresip) {
    let level = visitor.hears(PHONE);
    assert!((-13.0..-7.0).contains(&level), "the phone's tone comes at {level} dBFS");
    // Two seconds for the recording.
    visitor.sends(100);
    visitor.hang_up();
    assert_eq!(visitor.ends().0, EndCause::VisitorHungUp);
    phone.tells("CALL_CLOSED");
    let level = phone.has_heard(VISITOR);
    assert!((-13.0..-7.0).contains(&level), "the visitor's tone comes at {level} dBFS");
}
