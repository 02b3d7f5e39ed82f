//! Offer and answer, both ways round.

use super::*;
use crate::{Negotiated, OpusParameters, SdpError, accept_answer, answer};

/// Both sides of one exchange between two of our own kind.
fn exchange(ours: &OfferSettings<'_>, theirs: &AnswerSettings<'_>) -> (Negotiated, Negotiated) {
    let offer = Offer::build(ours);
    let (octets, callee) = answer(offer.octets(), theirs).unwrap();
    (accept_answer(&offer, &octets).unwrap(), callee)
}

#[test]
fn the_offer_reads_as_it_should() {
    let expected = "v=0\r\no=- 42 1 IN IP4 203.0.113.7\r\ns=-\r\nc=IN IP4 203.0.113.7\r\n\
        t=0 0\r\nm=audio 20000 RTP/AVP 111 9 8 0 97 98 101 110 112\r\na=rtpmap:111 opus/48000/2\r\n\
        a=fmtp:111 useinbandfec=1;stereo=0;sprop-stereo=0;minptime=10\r\n\
        a=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
        a=rtpmap:97 speex/16000\r\na=rtpmap:98 speex/8000\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n\
        a=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-15\r\n\
        a=rtpmap:112 telephone-event/16000\r\na=fmtp:112 0-15\r\na=ptime:20\r\na=sendrecv\r\n";
    assert_eq!(text(offer().octets()), expected);
    let narrow = Offer::build(&offer_settings(&[Codec::Pcmu, Codec::Pcmu]));
    assert!(text(narrow.octets()).contains("m=audio 20000 RTP/AVP 0 101\r\n"));
}

#[test]
fn two_of_us_agree_on_what_both_have_in_the_order_of_the_offer() {
    let codecs = [Codec::Pcmu, Codec::Opus, Codec::G722];
    let (caller, callee) =
        exchange(&offer_settings(&codecs), &answer_settings(&[Codec::Opus, Codec::Pcmu]));
    for side in [&caller, &callee] {
        assert_eq!(side.codec, Codec::Pcmu);
        assert_eq!(side.codecs, [(Codec::Pcmu, 0, 0), (Codec::Opus, 111, 111)]);
        assert_eq!(side.telephone_events, [(8000, 101, 101), (48_000, 110, 110)]);
        assert_eq!(side.remote_rtp.to_string(), "203.0.113.7:20000");
        assert_eq!(side.remote_rtcp.to_string(), "203.0.113.7:20001");
        assert_eq!(
            (side.direction, side.ptime, side.rtcp_mux),
            (Direction::SendReceive, 20, false)
        );
        let opus = side.opus.unwrap();
        assert!(opus.use_inband_fec && !opus.stereo && opus.min_ptime == Some(10));
    }
}

#[test]
fn renumbered_payload_types_are_the_peers_when_we_send_and_ours_when_we_receive() {
    let answer = with(
        "m=audio 4000 RTP/AVP 96 8 97\n\
         a=rtpmap:96 opus/48000/2\na=fmtp:96 maxaveragebitrate=24000; stereo=1;cbr=1\n\
         a=rtpmap:97 telephone-event/8000",
    );
    let negotiated = accept_answer(&offer(), &answer).unwrap();
    assert_eq!(negotiated.codecs, [(Codec::Opus, 96, 111), (Codec::Pcma, 8, 8)]);
    assert_eq!(negotiated.telephone_events, [(8000, 97, 101)]);
    let opus = OpusParameters {
        stereo: true,
        cbr: true,
        max_average_bitrate: Some(24_000),
        ..OpusParameters::default()
    };
    assert_eq!(negotiated.opus, Some(opus));
    assert_eq!(negotiated.remote_origin, ("7".to_owned(), 3));
}

#[test]
fn an_answer_uses_the_numbers_of_the_offer() {
    let offer = with(
        "m=audio 4000 RTP/AVP 18 100 101 9\n\
         a=rtpmap:100 OPUS/48000/2\na=rtpmap:101 telephone-event/48000\na=rtpmap:9 G722/16000",
    );
    let (octets, negotiated) = answer(&offer, &answer_settings(&Codec::ALL)).unwrap();
    assert_eq!(negotiated.codecs, [(Codec::Opus, 100, 100), (Codec::G722, 9, 9)]);
    assert_eq!(negotiated.telephone_events, [(48_000, 101, 101)]);
    assert!(text(&octets).contains("m=audio 20000 RTP/AVP 100 9 101\r\n"));
    assert!(text(&octets).contains("a=rtpmap:100 opus/48000/2\r\na=fmtp:100 useinbandfec=1"));
}

#[test]
fn a_codec_that_is_offered_twice_is_taken_once_and_its_events_come_first() {
    let offer = with(
        "m=audio 4000 RTP/AVP 96 97 98 99 100\n\
         a=rtpmap:96 opus/48000/2\na=rtpmap:97 opus/48000/2\n\
         a=rtpmap:98 telephone-event/8000\na=rtpmap:99 telephone-event/48000\n\
         a=rtpmap:100 telephone-event/8000",
    );
    let (_, negotiated) = answer(&offer, &answer_settings(&Codec::ALL)).unwrap();
    assert_eq!(negotiated.codecs, [(Codec::Opus, 96, 96)]);
    assert_eq!(negotiated.telephone_events, [(48_000, 99, 99), (8000, 98, 98)]);
}

#[test]
fn numbers_that_had_a_meaning_in_the_dialog_get_no_second_one() {
    let theirs =
        with("m=audio 4000 RTP/AVP 111 101\na=rtpmap:111 PCMU/8000\na=rtpmap:101 PCMA/8000");
    let (_, negotiated) = answer(&theirs, &answer_settings(&Codec::ALL)).unwrap();
    let codecs = [Codec::Opus, Codec::Pcmu, Codec::Pcma];
    let mut settings = offer_settings(&codecs);
    settings.previous = Some(&negotiated);
    let ours = Offer::build(&settings);
    assert!(text(ours.octets()).contains("m=audio 20000 RTP/AVP 96 111 101 97 110\r\n"));
}

#[test]
fn telephone_events_are_not_invented_by_the_answer() {
    let offer = with("m=audio 4000 RTP/AVP 0");
    let (octets, negotiated) = answer(&offer, &answer_settings(&Codec::ALL)).unwrap();
    assert_eq!(negotiated.telephone_events, []);
    assert!(!text(&octets).contains("telephone-event"));
}

#[test]
fn every_direction_meets_every_direction_as_rfc_3264_says() {
    let all =
        [Direction::SendReceive, Direction::SendOnly, Direction::ReceiveOnly, Direction::Inactive];
    for ours in all {
        for theirs in all {
            let mut caller = offer_settings(&[Codec::Pcma]);
            let mut callee = answer_settings(&[Codec::Pcma]);
            (caller.direction, callee.direction) = (ours, theirs);
            let (caller, callee) = exchange(&caller, &callee);
            assert_eq!(caller.direction, ours.and(theirs.mirrored()));
            assert_eq!(callee.direction, caller.direction.mirrored());
        }
    }
}

#[test]
fn each_way_to_hold_says_that_we_may_not_send() {
    let cases = [
        ("m=audio 4000 RTP/AVP 8\na=sendonly", Direction::ReceiveOnly, "a=recvonly"),
        ("m=audio 4000 RTP/AVP 8\na=inactive", Direction::Inactive, "a=inactive"),
        ("m=audio 4000 RTP/AVP 8\nc=IN IP4 0.0.0.0", Direction::ReceiveOnly, "a=recvonly"),
        ("m=audio 4000 RTP/AVP 8\nc=IN IP6 ::", Direction::ReceiveOnly, "a=recvonly"),
        ("m=audio 4000 RTP/AVP 8\nc=IN IP4 0.0.0.0\na=inactive", Direction::Inactive, "a=inactive"),
    ];
    for (lines, direction, attribute) in cases {
        let (octets, negotiated) = answer(&with(lines), &answer_settings(&[Codec::Pcma])).unwrap();
        assert_eq!(negotiated.direction, direction, "{lines}");
        assert!(negotiated.is_held());
        assert!(text(&octets).contains(attribute), "{lines}");
    }
    // A direction of the session holds for the media without one.
    let session = text(&with("m=audio 4000 RTP/AVP 8")).replace("t=0 0", "t=0 0\r\na=sendonly");
    let (_, negotiated) = answer(session.as_bytes(), &answer_settings(&[Codec::Pcma])).unwrap();
    assert!(negotiated.is_held());
    let (_, negotiated) =
        answer(&with("m=audio 4000 RTP/AVP 8"), &answer_settings(&[Codec::Pcma])).unwrap();
    assert!(!negotiated.is_held());
}

#[test]
fn a_re_offer_raises_the_version_only_if_something_changed() {
    let first = offer();
    assert_eq!(first.with_direction(Direction::SendReceive), first);
    let hold = first.with_direction(Direction::SendOnly);
    assert_eq!((first.version(), hold.version()), (1, 2));
    assert!(
        text(hold.octets()).contains("o=- 42 2 IN") && text(hold.octets()).contains("a=sendonly")
    );
    let resume = hold.with_direction(Direction::SendReceive);
    assert_eq!(resume.version(), 3);
    assert_eq!(text(resume.octets()).matches("m=").count(), 1);
}

#[test]
fn our_offer_in_a_dialog_that_the_peer_began_keeps_its_lines_and_numbers() {
    let theirs = with(
        "m=video 5000 RTP/AVP 34\n\
         m=audio 4000 RTP/AVP 96 8 111\na=rtpmap:96 opus/48000/2\n\
         a=rtpmap:111 telephone-event/8000\nm=image 4002 udptl t38",
    );
    let (_, negotiated) = answer(&theirs, &answer_settings(&Codec::ALL)).unwrap();
    let mut settings = offer_settings(&Codec::ALL);
    (settings.previous, settings.version) = (Some(&negotiated), 2);
    let ours = Offer::build(&settings);
    let lines: Vec<_> = text(ours.octets()).lines().filter(|l| l.starts_with("m=")).collect();
    // 111 is their telephone event; 9, 0, 97, 98, 110 and 112 are new.
    let expected = [
        "m=video 0 RTP/AVP 34",
        "m=audio 20000 RTP/AVP 96 9 8 0 97 98 111 110 112",
        "m=image 0 udptl t38",
    ];
    assert_eq!(lines, expected);
    let answer = with(
        "m=video 0 RTP/AVP 34\nm=audio 4000 RTP/AVP 96\na=rtpmap:96 opus/48000/2\n\
         m=image 0 udptl t38",
    );
    let again = accept_answer(&ours, &answer).unwrap();
    assert_eq!(again.codecs, [(Codec::Opus, 96, 96)]);
    // Without the earlier agreement the usual number of Opus would have a second meaning.
    assert!(text(Offer::build(&offer_settings(&Codec::ALL)).octets()).contains("AVP 111 "));
}

#[test]
fn of_several_audio_lines_the_first_usable_one_is_taken() {
    let offer = with(
        "m=audio 4000 RTP/SAVP 8\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\n\
         m=audio 4002 RTP/AVP 8\na=mid:plain\nm=audio 4004 RTP/AVP 8",
    );
    let (octets, negotiated) = answer(&offer, &answer_settings(&Codec::ALL)).unwrap();
    assert_eq!(negotiated.remote_rtp.port(), 4002);
    let lines: Vec<_> = text(&octets).lines().filter(|l| l.starts_with("m=")).collect();
    let expected = ["m=audio 0 RTP/SAVP 8", "m=audio 20000 RTP/AVP 8", "m=audio 0 RTP/AVP 8"];
    assert_eq!(lines, expected);
    assert!(text(&octets).contains("a=mid:plain\r\n"));
    // The first line's reason is told.
    let secure = with("m=audio 4000 RTP/SAVP 8\nm=audio 4002 RTP/AVP 18");
    assert_eq!(answer(&secure, &answer_settings(&Codec::ALL)).unwrap_err(), SdpError::Transport);
}

#[test]
fn rtcp_goes_where_both_sides_say() {
    let rtcp = |lines: &str, mux| {
        let mut settings = offer_settings(&Codec::ALL);
        settings.rtcp_mux = mux;
        let offer = Offer::build(&settings);
        let negotiated = accept_answer(&offer, &with(lines)).unwrap();
        (negotiated.remote_rtcp.to_string(), negotiated.rtcp_mux)
    };
    let audio = "m=audio 4000 RTP/AVP 8\n";
    assert_eq!(rtcp(audio, true), ("192.0.2.1:4001".into(), false));
    assert_eq!(rtcp(&format!("{audio}a=rtcp:5001"), false).0, "192.0.2.1:5001");
    assert_eq!(rtcp(&format!("{audio}a=rtcp:5001 IN IP4 192.0.2.2"), false).0, "192.0.2.2:5001");
    assert_eq!(rtcp(&format!("{audio}a=rtcp-mux"), true), ("192.0.2.1:4000".into(), true));
    assert_eq!(rtcp(&format!("{audio}a=rtcp-mux"), false), ("192.0.2.1:4001".into(), false));
    assert_eq!(rtcp("m=audio 65535 RTP/AVP 8", false).0, "192.0.2.1:0");
    let mut settings = offer_settings(&Codec::ALL);
    settings.rtcp_port = Some(30_000);
    assert!(text(Offer::build(&settings).octets()).contains("a=rtcp:30000\r\n"));
    settings.rtcp_port = Some(20_001);
    assert!(!text(Offer::build(&settings).octets()).contains("a=rtcp:"));
}

#[test]
fn the_packet_time_is_what_the_peer_wants_within_reason() {
    let ptime = |lines: &str| {
        let answer = with(&format!("m=audio 4000 RTP/AVP 8\n{lines}"));
        accept_answer(&offer(), &answer).unwrap().ptime
    };
    assert_eq!(ptime("a=sendrecv"), 20);
    assert_eq!(ptime("a=ptime:30"), 30);
    assert_eq!(ptime("a=ptime:20.0"), 20);
    assert_eq!(ptime("a=ptime:60\na=maxptime:40"), 40);
    assert_eq!(ptime("a=ptime:0"), 20);
    assert_eq!(ptime("a=ptime:5"), 10);
    assert_eq!(ptime("a=ptime:999"), 120);
    assert_eq!(ptime("a=ptime:soon"), 20);
}

#[test]
fn what_may_arrive_before_the_answer_is_what_was_offered() {
    let (codecs, events) = offer().payloads();
    assert_eq!(codecs[0], (Codec::Opus, 111, 111));
    assert_eq!(events, [(8000, 101, 101), (48_000, 110, 110), (16_000, 112, 112)]);
}
