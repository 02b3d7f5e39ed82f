//! Speex at its two clock rates (RFC 5574).

use super::*;
use crate::{SdpError, accept_answer, answer};
use Codec::{Pcma, Speex8, Speex16};

#[test]
fn the_clock_rate_tells_the_two_codecs_of_one_name_apart() {
    let offer = with(
        "m=audio 8088 RTP/AVP 98 97 96\n\
         a=rtpmap:97 speex/16000\na=fmtp:97 mode=\"10,any\";vbr=on;cng=off\n\
         a=rtpmap:98 SPEEX/8000/1\na=fmtp:98 mode=\"7,any\"\na=rtpmap:96 speex/32000",
    );
    let (octets, negotiated) = answer(&offer, &answer_settings(&Codec::ALL)).unwrap();
    assert_eq!(negotiated.codecs, [(Speex8, 98, 98), (Speex16, 97, 97)]);
    let octets = text(&octets);
    assert!(octets.contains("m=audio 20000 RTP/AVP 98 97\r\n"), "{octets}");
    assert!(octets.contains("a=rtpmap:98 speex/8000\r\na=rtpmap:97 speex/16000\r\n"), "{octets}");
    let (_, narrow) = answer(&offer, &answer_settings(&[Pcma, Speex8])).unwrap();
    assert_eq!(narrow.codecs, [(Speex8, 98, 98)]);
    let ultra = with("m=audio 8088 RTP/AVP 96\na=rtpmap:96 speex/32000");
    let refused = answer(&ultra, &answer_settings(&Codec::ALL)).unwrap_err();
    assert_eq!(refused, SdpError::NoCommonCodec);
}

#[test]
fn the_exchange_of_the_rfc_ends_with_the_only_rate_of_the_answerer() {
    let offer = Offer::build(&offer_settings(&[Speex16, Speex8]));
    let lines = text(offer.octets());
    assert!(lines.contains("m=audio 20000 RTP/AVP 97 98 101 112\r\n"), "{lines}");
    // Nothing about modes: what is not said means that every one is taken.
    assert!(!lines.contains("a=fmtp:97") && !lines.contains("a=fmtp:98"), "{lines}");
    let answer = with("m=audio 8088 RTP/AVP 99\na=rtpmap:99 speex/8000");
    let negotiated = accept_answer(&offer, &answer).unwrap();
    assert_eq!(negotiated.codecs, [(Speex8, 99, 98)]);
}

#[test]
fn digits_go_at_the_clock_of_wide_speex_where_the_peer_takes_them_there() {
    let offer = Offer::build(&offer_settings(&[Speex16, Pcma]));
    let agreed = |events: &str| {
        let lines = format!("m=audio 8088 RTP/AVP 97 8 {events}\na=rtpmap:97 speex/16000");
        accept_answer(&offer, &with(&lines)).unwrap().telephone_events
    };
    let both = "101 112\na=rtpmap:101 telephone-event/8000\na=rtpmap:112 telephone-event/16000";
    assert_eq!(agreed(both), [(16_000, 112, 112), (8000, 101, 101)]);
    assert_eq!(agreed("101\na=rtpmap:101 telephone-event/8000"), [(8000, 101, 101)]);
    let narrow = Offer::build(&offer_settings(&[Speex8, Pcma]));
    assert!(!text(narrow.octets()).contains("telephone-event/16000"));
}

#[test]
fn a_number_of_speex_that_the_peer_uses_otherwise_is_given_another() {
    let theirs = with(
        "m=audio 4000 RTP/AVP 8 97 98\na=rtpmap:97 telephone-event/8000\na=rtpmap:98 speex/16000",
    );
    let (_, negotiated) = answer(&theirs, &answer_settings(&Codec::ALL)).unwrap();
    let mut settings = offer_settings(&[Pcma, Speex16, Speex8]);
    (settings.previous, settings.version) = (Some(&negotiated), 2);
    let ours = Offer::build(&settings);
    let session = crate::Session::parse(ours.octets()).unwrap();
    let numbers: Vec<_> = session.media[0].formats.iter().map(|f| f.payload_type).collect();
    assert_eq!(numbers, [8, 98, 96, 97, 112], "{}", text(ours.octets()));
}

#[test]
fn the_packet_time_of_speex_is_whole_frames() {
    let ptime = |ms: u32| {
        let lines = format!("m=audio 4000 RTP/AVP 97\na=rtpmap:97 speex/16000\na=ptime:{ms}");
        accept_answer(&offer(), &with(&lines)).unwrap().ptime
    };
    assert_eq!([ptime(10), ptime(20), ptime(30), ptime(40), ptime(999)], [20, 20, 40, 40, 120]);
}
