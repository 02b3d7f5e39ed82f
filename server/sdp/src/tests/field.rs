//! What the field sends, and what still has to come out of it.

use super::*;
use crate::{Address, Kind, Protocol, SdpError, Session, accept_answer, answer};

/// Reads an answer to our usual offer and returns where it leads, and the codec.
fn leads_to(answer: &str) -> Result<(String, Codec), SdpError> {
    accept_answer(&offer(), answer.as_bytes()).map(|n| (n.remote_rtp.to_string(), n.codec))
}

const USUAL: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
                     m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n";

#[test]
fn every_way_to_write_the_same_answer_leads_to_the_same_call() {
    let cases = [
        ("as it should be", USUAL.to_owned()),
        ("line feeds only", USUAL.replace("\r\n", "\n")),
        ("carriage returns only", USUAL.replace("\r\n", "\r")),
        ("no last line end", USUAL.trim_end().to_owned()),
        ("empty lines", USUAL.replace("\r\n", "\r\n\r\n")),
        ("a trailing NUL", format!("{USUAL}\0")),
        ("a byte order mark", format!("\u{feff}{USUAL}")),
        ("leading line ends", format!("\r\n\r\n{USUAL}")),
        ("trailing spaces", USUAL.replace("\r\n", "  \r\n")),
        ("double spaces", USUAL.replace("m=audio 4000", "m=audio  4000")),
        ("no version", USUAL.replace("v=0\r\n", "")),
        ("another version", USUAL.replace("v=0", "v=1")),
        ("no origin", USUAL.replace("o=- 1 1 IN IP4 192.0.2.1\r\n", "")),
        ("no session name", USUAL.replace("s=-\r\n", "")),
        ("an empty session name", USUAL.replace("s=-", "s=")),
        ("no time", USUAL.replace("t=0 0\r\n", "")),
        ("a broken time", USUAL.replace("t=0 0", "t=now")),
        ("a space in the user name", USUAL.replace("o=- 1", "o=Shop phone 1")),
        ("a huge session id", USUAL.replace("o=- 1 1", "o=- 99999999999999999999999 1")),
        ("a huge version", USUAL.replace("o=- 1 1", "o=- 1 99999999999999999999999")),
        (
            "a host name in the origin",
            USUAL.replace("o=- 1 1 IN IP4 192.0.2.1", "o=x 1 1 IN IP4 pbx"),
        ),
        ("a garbage line", USUAL.replace("t=0", "garbage\r\nt=0")),
        ("an unknown key", USUAL.replace("t=0", "Q=x\r\nt=0")),
        ("a time zone and a key", USUAL.replace("m=", "z=oops\r\nk=prompt\r\nm=")),
        ("bandwidth in words", USUAL.replace("t=0", "b=AS:lots\r\nt=0")),
        ("mail and phone", USUAL.replace("c=", "i=x\r\nu=x\r\ne=x\r\np=x\r\nc=")),
        ("the address in the media only", {
            let moved = USUAL.replace("c=IN IP4 192.0.2.1\r\n", "");
            moved.replace("RTP/AVP 8\r\n", "RTP/AVP 8\r\nc=IN IP4 192.0.2.1\r\n")
        }),
        ("the media's address wins", {
            let other = USUAL.replace("c=IN IP4 192.0.2.1", "c=IN IP4 192.0.2.99");
            other.replace("RTP/AVP 8\r\n", "RTP/AVP 8\r\nc=IN IP4 192.0.2.1\r\n")
        }),
        ("a TTL", USUAL.replace("c=IN IP4 192.0.2.1", "c=IN IP4 192.0.2.1/127")),
        ("lower case", USUAL.replace("c=IN IP4", "c=in ip4").replace("PCMA", "pcma")),
        ("no rtpmap of an assigned number", USUAL.replace("a=rtpmap:8 PCMA/8000\r\n", "")),
        ("a broken rtpmap of an assigned number", USUAL.replace("PCMA/8000", "PCMA")),
        ("one channel spelled out", USUAL.replace("PCMA/8000", "PCMA/8000/1")),
        ("a port count", USUAL.replace("4000 RTP", "4000/2 RTP")),
        ("an attribute in Latin-1", format!("{USUAL}a=tool:caf\u{e9}\r\n")),
        ("broken candidates", format!("{USUAL}a=candidate:1 1 UDP\r\na=candidate:\r\n")),
        ("a repeated format", USUAL.replace("RTP/AVP 8", "RTP/AVP 8 8 300 x")),
    ];
    for (name, description) in cases {
        let expected = Ok(("192.0.2.1:4000".to_owned(), Codec::Pcma));
        assert_eq!(leads_to(&description), expected, "{name}");
    }
}

#[test]
fn octets_that_are_no_utf_8_cost_only_their_own_line() {
    let mut answer = USUAL.replace("s=-", "s=X").into_bytes();
    let at = answer.iter().position(|&octet| octet == b'X').unwrap();
    answer[at] = 0xe9;
    assert!(accept_answer(&offer(), &answer).is_ok());
}

#[test]
fn each_thing_that_makes_a_call_impossible_has_its_own_name() {
    let media = |line: &str| text(&with(line)).to_owned();
    let cases = [
        (String::new(), SdpError::NotSdp),
        ("<html>no</html>".into(), SdpError::NotSdp),
        ("v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\n".into(), SdpError::NotSdp),
        ("v=0\r\nm=x\r\n".repeat(33), SdpError::TooLarge),
        (format!("{USUAL}{}", "a=x\r\n".repeat(20_000)), SdpError::TooLarge),
        (USUAL.replace("c=IN IP4 192.0.2.1", "c=IN IP4 media.example.net"), SdpError::HostName),
        (USUAL.replace("c=IN IP4 192.0.2.1", "c=IN IP4 localhost"), SdpError::HostName),
        (USUAL.replace("c=IN IP4 192.0.2.1", "c=IN IP4 192.0.2.300"), SdpError::BadAddress),
        (USUAL.replace("c=IN IP4 192.0.2.1", "c=IN IP4 239.1.2.3/127"), SdpError::BadAddress),
        (USUAL.replace("c=IN IP4 192.0.2.1\r\n", ""), SdpError::NoAddress),
        (media("m=video 4000 RTP/AVP 34"), SdpError::NoAudio),
        (media("m=audio 0 RTP/AVP 8"), SdpError::Rejected),
        (media("m=audio seven RTP/AVP 8"), SdpError::Rejected),
        (media("m=audio 70000 RTP/AVP 8"), SdpError::Rejected),
        (media("m=audio 4000 RTP/SAVP 8"), SdpError::Transport),
        (media("m=audio 4000 RTP/AVP 18 3 101"), SdpError::NoCommonCodec),
        (media("m=audio 4000 RTP/AVP 96\na=rtpmap:96 PCMA/16000"), SdpError::NoCommonCodec),
        (media("m=video 0 RTP/AVP 34\nm=audio 4000 RTP/AVP 8"), SdpError::Mismatch),
    ];
    for (description, error) in cases {
        assert_eq!(
            leads_to(&description),
            Err(error),
            "{}",
            &description[..description.len().min(200)]
        );
        assert!(matches!(error.status(), 400 | 488));
    }
}

#[test]
fn numbers_and_amounts_beyond_reason_are_left_out() {
    let many = with(&format!("m=audio 4000 RTP/AVP 8 127 128 255\n{}", "a=x:y\n".repeat(1000)));
    let media = &Session::parse(&many).unwrap().media[0];
    let numbers: Vec<_> = media.formats.iter().map(|format| format.payload_type).collect();
    assert_eq!(numbers, [8, 127]);
    assert_eq!(media.attributes.len(), 256);
}

#[test]
fn ipv6_is_read_and_written() {
    let answer = USUAL.replace("c=IN IP4 192.0.2.1", "c=IN IP6 2001:db8::1");
    assert_eq!(leads_to(&answer).unwrap().0, "[2001:db8::1]:4000");
    let mut settings = offer_settings(&[Codec::Pcma]);
    settings.address = "2001:db8::7".parse().unwrap();
    let offer = Offer::build(&settings);
    assert!(text(offer.octets()).contains("c=IN IP6 2001:db8::7\r\n"));
    let (octets, negotiated) = answer_to(offer.octets());
    assert!(text(&octets).starts_with("v=0\r\no=- 42 1 IN IP4 203.0.113.7\r\n"));
    assert_eq!(negotiated.remote_rtcp.to_string(), "[2001:db8::7]:20001");
}

fn answer_to(offer: &[u8]) -> (Vec<u8>, crate::Negotiated) {
    answer(offer, &answer_settings(&Codec::ALL)).unwrap()
}

#[test]
fn a_fax_re_invite_keeps_its_place_and_is_refused() {
    let offer = with(
        "m=audio 4000 RTP/AVP 8\n\
         m=image 4002 udptl t38\na=T38FaxVersion:0\na=T38FaxRateManagement:transferredTCF",
    );
    let session = Session::parse(&offer).unwrap();
    assert_eq!(session.media[1].kind, Kind::Image);
    assert_eq!(session.media[1].protocol, Protocol::Other("udptl".into()));
    assert_eq!(session.media[1].attributes.len(), 2);
    let (octets, _) = answer_to(&offer);
    assert!(text(&octets).contains("m=audio 20000 RTP/AVP 8\r\n"));
    assert!(text(&octets).ends_with("m=image 0 udptl t38\r\n"));
    // A fax alone is answered with 488.
    let fax = with("m=image 4002 udptl t38");
    let error = answer(&fax, &answer_settings(&Codec::ALL)).unwrap_err();
    assert_eq!((error, error.status()), (SdpError::NoAudio, 488));
}

#[test]
fn a_broken_media_line_still_counts() {
    let offer = with("m=\nm=video\nm=audio 4000 RTP/AVP 0\nm=application 9 UDP/DTLS/SCTP");
    let (octets, _) = answer_to(&offer);
    let lines: Vec<_> = text(&octets).lines().filter(|line| line.starts_with("m=")).collect();
    let expected = [
        "m=unknown 0 RTP/AVP 0",
        "m=video 0 RTP/AVP 0",
        "m=audio 20000 RTP/AVP 0",
        "m=application 0 UDP/DTLS/SCTP 0",
    ];
    assert_eq!(lines, expected);
}

#[test]
fn the_model_of_a_browsers_offer_keeps_ice_and_dtls() {
    let offer = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
        a=group:BUNDLE 0\r\na=fingerprint:sha-256 AA:BB\r\na=msid-semantic: WMS\r\n\
        m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\n\
        a=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:abcd\r\na=setup:actpass\r\na=mid:0\r\n\
        a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\na=sendrecv\r\na=rtcp-mux\r\n\
        a=rtpmap:111 opus/48000/2\r\na=rtcp-fb:111 transport-cc\r\n\
        a=fmtp:111 minptime=10;useinbandfec=1\r\na=rtpmap:63 red/48000/2\r\na=fmtp:63 111/111\r\n\
        a=rtpmap:9 G722/8000\r\na=rtpmap:110 telephone-event/48000\r\n\
        a=rtpmap:126 telephone-event/8000\r\na=candidate:1 1 udp 1 192.0.2.5 4444 typ host\r\n";
    let session = Session::parse(offer.as_bytes()).unwrap();
    let audio = &session.media[0];
    assert_eq!(audio.protocol, Protocol::DtlsSavpf);
    assert_eq!(audio.address, Some(Address::Ip("0.0.0.0".parse().unwrap())));
    assert_eq!((audio.mid.as_deref(), audio.rtcp_mux), (Some("0"), true));
    assert_eq!(audio.rtcp.as_ref().unwrap().port, 9);
    let codecs: Vec<_> = audio.formats.iter().filter_map(|f| f.codec()).collect();
    assert_eq!(codecs, [Codec::Opus, Codec::G722, Codec::Pcmu, Codec::Pcma]);
    let events: Vec<_> = audio.formats.iter().filter_map(|f| f.telephone_event()).collect();
    assert_eq!(events, [48_000, 8000]);
    let value = |name| session.attribute(audio, name).unwrap().value.as_deref().unwrap();
    assert_eq!(value("fingerprint"), "sha-256 AA:BB");
    assert_eq!(value("ice-ufrag"), "abcd");
    assert_eq!(audio.attributes.iter().filter(|a| a.name == "candidate").count(), 1);
}
