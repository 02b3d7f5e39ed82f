//! Whoever is no account's provider.

use base::Codec;
use harness::scanner::{Bait, scan};
use harness::{Appliance, Handset, HandsetSettings, Place, Shop, Visitor, VisitorSettings};
use signalling::EndCause;
use std::time::Duration;

#[test]
fn a_scanner_gets_not_one_answer_and_no_call_notices_it() {
    let place = Place::new("strangers-scan");
    let phone = Handset::start(HandsetSettings::with_codec(Codec::Pcmu));
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["pcmu"]));
    let mut visitor = Visitor::open(&appliance, VisitorSettings::with_codecs(&[Codec::Pcmu]));
    visitor.call();
    visitor.talks();
    visitor.hears(660.0);
    visitor.measure_gap();
    phone.measure_gap();
    let scanned = scan(appliance.sip(), Bait::Requests, 1_000, 1_000);
    assert_eq!((scanned.sent, scanned.back), (1_000, 0));
    let gaps = [visitor.look(|seen| seen.longest_gap), phone.look(|seen| seen.longest_gap)];
    for gap in gaps {
        let usual = Duration::from_millis(1)..Duration::from_millis(500);
        assert!(usual.contains(&gap), "a gap of {gap:?} is heard");
    }
    // They were all seen, and dropped for where they came from; nothing is kept of them.
    appliance.metric_becomes("sip_foreign_dropped_total", 1_000);
    let log = appliance.log();
    assert!(!log.contains("friendly-scanner") && !log.contains("sipcli"), "{log}");
    visitor.hears(660.0);
    visitor.hang_up();
    assert_eq!(visitor.ends().0, EndCause::VisitorHungUp);
    appliance.is_quiet();
    assert_eq!(appliance.rows(1).len(), 1);
    assert_eq!(phone.look(|seen| seen.invited.len()), 1);
}

#[test]
fn garbage_gets_no_answer_either() {
    let place = Place::new("strangers-garbage");
    let phone = Handset::start(HandsetSettings::with_codec(Codec::Pcmu));
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["pcmu"]));
    let scanned = scan(appliance.sip(), Bait::Garbage, 1_000, 2_000);
    assert_eq!((scanned.sent, scanned.back), (1_000, 0));
    appliance.metric_becomes("sip_foreign_dropped_total", 1_000);
    let mut visitor = Visitor::open(&appliance, VisitorSettings::with_codecs(&[Codec::Pcmu]));
    visitor.call();
    visitor.talks();
    visitor.hang_up();
    visitor.ends();
}
