//! What an answer says.

use crate::offers::{CHROMIUM, FIREFOX};
use crate::world::{PUBLIC, certificate, endpoint};
use base::{Codec, Protocol, Seed};
use std::time::Instant;
use webrtc::{
    AcceptError, AcceptSettings, Endpoint, Fault, LocalCandidate, PeerId, Settings, SetupError,
};

fn answer(offer: &str, codecs: &[Codec]) -> Result<String, AcceptError> {
    let settings = AcceptSettings { codecs, local_page: false };
    endpoint(Seed::from_number(1)).accept(Instant::now(), PeerId(1), offer, &settings)
}

fn lines<'a>(sdp: &'a str, prefix: &'a str) -> Vec<&'a str> {
    sdp.split("\r\n").filter(move |line| line.starts_with(prefix)).collect()
}

#[test]
fn chromium_gets_the_codecs_in_the_order_asked_for_and_both_event_clocks() {
    let codecs = [Codec::Pcma, Codec::Opus, Codec::G722, Codec::Pcmu];
    let sdp = answer(CHROMIUM, &codecs).unwrap();
    assert_eq!(lines(&sdp, "m=")[0], "m=audio 9 UDP/TLS/RTP/SAVPF 8 111 9 0 110 126");
    let maps = lines(&sdp, "a=rtpmap:");
    assert_eq!(maps[0], "a=rtpmap:8 PCMA/8000");
    assert_eq!(maps[1], "a=rtpmap:111 opus/48000/2");
    assert!(maps.contains(&"a=rtpmap:110 telephone-event/48000"));
    assert!(maps.contains(&"a=rtpmap:126 telephone-event/8000"));
    assert!(sdp.contains("a=fmtp:111 minptime=10;useinbandfec=1;stereo=0\r\n"));
    assert!(!sdp.contains("red/") && !sdp.contains("CN/"));
}

#[test]
fn firefox_keeps_its_own_payload_types() {
    let sdp = answer(FIREFOX, &Codec::ALL).unwrap();
    assert_eq!(lines(&sdp, "m=")[0], "m=audio 9 UDP/TLS/RTP/SAVPF 109 9 8 0 101");
    assert!(sdp.contains("a=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid\r\n"));
}

#[test]
fn speex_is_answered_to_nobody_even_if_it_is_offered() {
    let offer = CHROMIUM.replace("SAVPF 111 63", "SAVPF 97 98 111 63").replace(
        "a=rtpmap:111 ",
        "a=rtpmap:97 speex/16000\r\na=rtpmap:98 speex/8000\r\na=rtpmap:111 ",
    );
    let codecs = [Codec::Speex16, Codec::Speex8, Codec::Pcmu];
    let sdp = answer(&offer, &codecs).unwrap();
    assert_eq!(lines(&sdp, "m=")[0], "m=audio 9 UDP/TLS/RTP/SAVPF 0 110 126");
    assert!(!sdp.to_lowercase().contains("speex"));
    assert!(answer(&offer, &codecs[..2]).is_err());
}

#[test]
fn one_codec_alone_is_answered_alone() {
    let sdp = answer(CHROMIUM, &[Codec::Pcmu]).unwrap();
    assert_eq!(lines(&sdp, "m=")[0], "m=audio 9 UDP/TLS/RTP/SAVPF 0 110 126");
}

#[test]
fn video_and_data_are_refused_in_their_places_and_leave_the_bundle() {
    for offer in [CHROMIUM, FIREFOX] {
        let data = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n";
        let offer = format!("{offer}{data}").replace("BUNDLE 0 1", "BUNDLE 0 1 2");
        let sdp = answer(&offer, &Codec::ALL).unwrap();
        let media = lines(&sdp, "m=");
        assert_eq!(media.len(), 3);
        assert!(media[1].starts_with("m=video 0 UDP/TLS/RTP/SAVPF "), "{media:?}");
        assert_eq!(media[2], "m=application 0 UDP/DTLS/SCTP webrtc-datachannel");
        assert_eq!(lines(&sdp, "a=mid:"), ["a=mid:0", "a=mid:1", "a=mid:2"]);
        assert_eq!(lines(&sdp, "a=group:"), ["a=group:BUNDLE 0"]);
        assert_eq!(lines(&sdp, "a=inactive").len(), 2);
    }
}

#[test]
fn audio_is_found_behind_video() {
    let (head, video) = CHROMIUM.split_at(CHROMIUM.find("m=video").unwrap());
    let (session, audio) = head.split_at(head.find("m=audio").unwrap());
    let offer = format!("{session}{video}{audio}");
    let sdp = answer(&offer, &Codec::ALL).unwrap();
    let media = lines(&sdp, "m=");
    assert!(media[0].starts_with("m=video 0 ") && media[1].starts_with("m=audio 9 "));
    assert!(sdp.find("m=audio").unwrap() < sdp.find("a=candidate").unwrap());
}

#[test]
fn the_answer_is_that_of_an_ice_lite_dtls_server_with_udp_before_tcp() {
    let sdp = answer(CHROMIUM, &Codec::ALL).unwrap();
    for line in ["a=ice-lite", "a=setup:passive", "a=rtcp-mux", "a=sendrecv", "a=end-of-candidates"]
    {
        assert_eq!(lines(&sdp, line), [line], "in {sdp}");
    }
    let candidates = lines(&sdp, "a=candidate:");
    assert_eq!(candidates.len(), 2);
    assert!(
        candidates[0].contains(" udp ") && candidates[0].ends_with("203.0.113.1 5000 typ host")
    );
    assert!(candidates[1].ends_with(" 203.0.113.1 5000 typ host tcptype passive"));
    assert!(lines(&sdp, "a=ice-pwd:")[0].len() >= "a=ice-pwd:".len() + 22);
}

#[test]
fn directions_are_mirrored() {
    for (offered, answered) in [("recvonly", "sendonly"), ("sendonly", "recvonly")] {
        let offer = CHROMIUM.replace("a=sendrecv", &format!("a={offered}"));
        assert!(answer(&offer, &Codec::ALL).unwrap().contains(&format!("a={answered}\r\n")));
    }
}

#[test]
fn private_addresses_are_given_to_local_pages_only() {
    let candidates = ["192.168.1.2:5000", "127.0.0.1:5000", "203.0.113.1:5000"]
        .map(|address| LocalCandidate::new(address.parse().unwrap(), Protocol::Udp));
    let make = |candidates: &[LocalCandidate]| {
        let settings = Settings::new(candidates.to_vec(), certificate());
        Endpoint::new(settings, Seed::from_number(1)).unwrap()
    };
    let mut endpoint = make(&candidates);
    let now = Instant::now();
    let public = endpoint.accept(now, PeerId(1), CHROMIUM, &PUBLIC).unwrap();
    assert_eq!(lines(&public, "a=candidate:").len(), 1);
    assert!(!public.contains("192.168") && !public.contains("127.0.0.1"));
    let local = AcceptSettings { local_page: true, ..PUBLIC };
    let local = endpoint.accept(now, PeerId(2), CHROMIUM, &local).unwrap();
    assert_eq!(lines(&local, "a=candidate:").len(), 3);

    let refused = make(&candidates[..2]).accept(now, PeerId(1), CHROMIUM, &PUBLIC).unwrap_err();
    assert_eq!((refused, refused.fault()), (AcceptError::NoReachableCandidate, Fault::Server));
}

#[test]
fn offers_that_cannot_be_answered_say_why() {
    let without = |what: &str| answer(&CHROMIUM.replace(what, "a=x"), &Codec::ALL).unwrap_err();
    assert!(matches!(without("a=rtcp-mux"), AcceptError::Malformed(_)));
    assert!(matches!(without("a=fingerprint:sha-256"), AcceptError::Malformed(_)));
    assert!(matches!(without("a=ice-pwd"), AcceptError::Malformed(_)));
    assert!(matches!(without("a=setup"), AcceptError::Malformed(_)));
    assert_eq!(without("m=audio"), AcceptError::NoAudio);
    let passive = CHROMIUM.replace("actpass", "passive");
    assert!(matches!(answer(&passive, &Codec::ALL), Err(AcceptError::Malformed(_))));
    assert_eq!(answer(CHROMIUM, &[]), Err(AcceptError::NoCommonCodec));
    assert!(matches!(answer("", &Codec::ALL), Err(AcceptError::Malformed(_))));
    let long = format!("{CHROMIUM}{}", "a=x\r\n".repeat(20_000));
    assert!(matches!(answer(&long, &Codec::ALL), Err(AcceptError::Malformed(_))));
    assert_eq!(without("m=audio").fault(), Fault::Browser);
}

#[test]
fn an_endpoint_takes_so_many_peers_and_frees_their_places() {
    let candidate = LocalCandidate::new("203.0.113.1:5000".parse().unwrap(), Protocol::Udp);
    let settings = Settings { peers_max: 3, ..Settings::new(vec![candidate], certificate()) };
    let mut endpoint = Endpoint::new(settings, Seed::from_number(1)).unwrap();
    let now = Instant::now();
    let accept =
        |endpoint: &mut Endpoint, n| endpoint.accept(now, PeerId(n), CHROMIUM, &PUBLIC).map(|_| ());
    for n in 0..3 {
        accept(&mut endpoint, n).unwrap();
    }
    assert_eq!(accept(&mut endpoint, 3), Err(AcceptError::Full));
    assert_eq!(accept(&mut endpoint, 2), Err(AcceptError::PeerExists));
    endpoint.close(now, PeerId(1));
    accept(&mut endpoint, 3).unwrap();
    for n in 0..4 {
        endpoint.close(now, PeerId(n));
    }
    assert_eq!((endpoint.peers(), endpoint.poll_timeout()), (0, None));
}

#[test]
fn candidates_that_nobody_could_reach_are_refused_at_the_start() {
    let make = |addresses: &[&str]| {
        let candidates = addresses.iter();
        let candidates = candidates.map(|a| LocalCandidate::new(a.parse().unwrap(), Protocol::Udp));
        let settings = Settings::new(candidates.collect(), certificate());
        Endpoint::new(settings, Seed::from_number(1)).map(|_| ())
    };
    assert_eq!(make(&["0.0.0.0:5000"]), Err(SetupError::UnusableCandidate));
    assert_eq!(make(&["[::]:5000"]), Err(SetupError::UnusableCandidate));
    assert_eq!(make(&["203.0.113.1:0"]), Err(SetupError::UnusableCandidate));
    assert_eq!(make(&[]), Err(SetupError::CandidateCount));
    assert_eq!(make(&["203.0.113.1:5000"]), Ok(()));
}

#[test]
fn the_same_seed_gives_the_same_answer() {
    let answer = |number| {
        let mut endpoint = endpoint(Seed::from_number(number));
        endpoint.accept(Instant::now(), PeerId(1), CHROMIUM, &PUBLIC).unwrap()
    };
    assert_eq!(answer(5), answer(5));
    assert_ne!(answer(5), answer(6));
}

#[test]
fn mutilated_offers_and_datagrams_never_panic() {
    let mut seed = Seed::from_number(77);
    for round in 0..400 {
        let offer = if round % 2 == 0 { CHROMIUM } else { FIREFOX };
        let mut data = offer.as_bytes().to_vec();
        for _ in 0..seed.below(6) {
            let (at, length) = (seed.below(data.len() as u64) as usize, seed.below(40) as usize);
            let end = (at + length).min(data.len());
            match seed.below(3) {
                0 => drop(data.drain(at..end)),
                1 => data[at] = b"\0:/ 9a\xff"[seed.below(7) as usize],
                _ => data.extend_from_within(at..end),
            }
        }
        webrtc::fuzz(&data);
    }
}
