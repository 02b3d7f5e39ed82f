//! Floods of handshakes while people talk.

use super::{PHONE, Talk, VISITOR, talk};
use base::Codec;
use harness::flash::flood::Flood;
use harness::{FlashSettings, HandsetSettings, Visitor, VisitorSettings};
use std::time::Duration;

/// What a hello may bring: an answer is up to nine times as long, and only so many are given.
const RATIO: u64 = 9;

#[test]
fn ten_thousand_hellos_a_second_disturb_nobody() {
    let phone = HandsetSettings::with_codec(Codec::Pcmu);
    let client = FlashSettings { frames: 1, ..FlashSettings::default() };
    let Talk { appliance, phone, visitor, place: _place } =
        talk("flash-flood", phone, &["pcmu"], client);
    let mut page = Visitor::open(&appliance, VisitorSettings::with_codecs(&[Codec::Opus]));
    page.call();
    page.talks();
    visitor.hears(PHONE);
    page.hears(PHONE);
    visitor.measure_gap();
    phone.measure_gap();
    page.measure_gap();
    let flood = Flood::hellos(appliance.rtmfp, 10_000, Duration::from_secs(5));
    let gaps = [
        ("the Flash client", visitor.look(|seen| seen.longest_gap)),
        ("the browser", page.look(|seen| seen.longest_gap)),
        ("the phone", phone.look(|seen| seen.longest_gap)),
    ];
    println!("{flood:?}, longest gaps {gaps:?}");
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
    visitor.hang_up();
    visitor.ends();
    page.hang_up();
    page.ends();
    // Whoever comes after it is let in, from the flooder's address too.
    let from = harness::flash::flood::SOURCES[0];
    let settings = FlashSettings { from, ..FlashSettings::default() };
    harness::FlashVisitor::connect(&appliance, settings).leave();
}
