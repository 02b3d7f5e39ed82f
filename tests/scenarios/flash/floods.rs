//! Floods of handshakes while people talk.

use super::{PHONE, VISITOR};
use base::Codec;
use harness::appliance::ORIGINS;
use harness::flash::flood::Flood;
use harness::{
    Appliance, FlashSettings, FlashVisitor, Handset, HandsetSettings, Place, Shop, Visitor,
    VisitorSettings,
};
use std::time::Duration;

/// What a hello may bring: an answer is up to nine times as long, and only so many are given.
const RATIO: u64 = 9;

#[test]
fn ten_thousand_hellos_a_second_disturb_nobody() {
    let place = Place::new("flash-flood");
    let pcmu = || Handset::start(HandsetSettings::with_codec(Codec::Pcmu));
    let (phone, other) = (pcmu(), pcmu());
    let mut shop = Shop::new();
    for (name, phone) in [("sales", &phone), ("help", &other)] {
        let sip = phone.sip;
        let account = format!(
            "registrar = \"{sip}\"\nusername = \"{name}\"\nregister = false\ncodecs = [\"pcmu\"]"
        );
        let button = format!("account = \"{name}\"\ndestination = \"sip:{name}@{sip}\"\n{ORIGINS}");
        shop = shop.account(name, &account).button(name, &button);
    }
    let appliance = Appliance::start(&place, &shop);
    let client = FlashSettings { frames: 1, ..FlashSettings::default() };
    let mut visitor = FlashVisitor::connect(&appliance, client);
    visitor.call();
    visitor.talks();
    let settings = VisitorSettings {
        button: Some("help".into()),
        ..VisitorSettings::with_codecs(&[Codec::Opus])
    };
    let mut page = Visitor::open(&appliance, settings);
    page.call();
    page.talks();
    visitor.hears(PHONE);
    page.hears(PHONE);
    visitor.measure_gap();
    phone.measure_gap();
    other.measure_gap();
    page.measure_gap();
    let flood = Flood::hellos(appliance.rtmfp, 10_000, Duration::from_secs(5));
    let gaps = [
        ("the Flash client", visitor.look(|seen| seen.longest_gap)),
        ("the browser", page.look(|seen| seen.longest_gap)),
        ("the Flash client's phone", phone.look(|seen| seen.longest_gap)),
        ("the browser's phone", other.look(|seen| seen.longest_gap)),
    ];
    eprintln!("{flood:?}, longest gaps {gaps:?}");
    assert!(flood.sent > 20_000, "a flood: {flood:?}");
    for (who, gap) in gaps {
        let usual = Duration::from_millis(1)..Duration::from_millis(500);
        assert!(usual.contains(&gap), "{who} hears a gap of {gap:?}");
    }
    assert!(flood.octets_back <= flood.octets_sent * RATIO, "{flood:?}");
    // In the long run hardly any are answered: a burst and twenty a second for each address.
    assert!(flood.octets_back * 5 < flood.octets_sent, "{flood:?}");
    visitor.hears(PHONE);
    page.hears(PHONE);
    phone.hears(VISITOR);
    other.hears(VISITOR);
    visitor.hang_up();
    visitor.ends();
    page.hang_up();
    page.ends();
    // Whoever comes after it is let in, from the flooder's address too.
    let from = harness::flash::flood::SOURCES[0];
    let settings = FlashSettings { from, ..FlashSettings::default() };
    FlashVisitor::connect(&appliance, settings).leave();
}
