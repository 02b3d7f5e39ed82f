//! Messages as peers in the field write them, and the typed values.
#![allow(clippy::unwrap_used)]

use sip::message::{
    CSeq, Headers, Host, MAX_HEADERS, MAX_MESSAGE, Message, Method, Name, NameAddr, ParseError,
    Request, Response, Scheme, Transport, Uri, Via, parse, reason_phrase,
};

const CORE: &str = "Via: SIP/2.0/UDP a.example;branch=z9hG4bK1\r\nFrom: <sip:a@a.example>;tag=1\r\n\
    To: <sip:b@b.example>\r\nCall-ID: c1\r\nCSeq: 7 INVITE\r\n";

fn invite(more: &str, body: &str) -> Vec<u8> {
    format!("INVITE sip:b@b.example SIP/2.0\r\n{CORE}{more}\r\n{body}").into_bytes()
}

fn accepted(data: &[u8]) -> Request {
    match parse(data) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn refused(data: &[u8]) -> (u16, &'static str, Option<Box<Response>>) {
    match parse(data) {
        Err(ParseError::Reject { status, reason, reply }) => (status, reason, reply),
        other => panic!("{other:?}"),
    }
}

#[test]
fn compact_names_are_their_long_names() {
    let data = "INVITE sip:b@b SIP/2.0\r\nv: SIP/2.0/UDP a;branch=z9hG4bK1\r\nf: <sip:a@a>;tag=1\r\n\
        T: <sip:b@b>\r\ni: c\r\nCSeq: 1 INVITE\r\nm: <sip:a@a>\r\nc: application/sdp\r\n\
        k: timer\r\ns: hello\r\nl: 3\r\ne: x\r\no: x\r\nr: <sip:c@c>\r\nb: x\r\nu: x\r\nx: 90\r\n\
        j: x\r\nd: x\r\na: x\r\ny: x\r\nn: x\r\n\r\nabc";
    let request = accepted(data.as_bytes());
    for (name, value) in [
        (Name::ContentType, "application/sdp"),
        (Name::Supported, "timer"),
        (Name::Subject, "hello"),
        (Name::ReferTo, "<sip:c@c>"),
        (Name::SessionExpires, "90"),
        (Name::from("Content-Encoding"), "x"),
        (Name::from("Event"), "x"),
        (Name::from("Referred-By"), "x"),
        (Name::from("Allow-Events"), "x"),
        (Name::from("Reject-Contact"), "x"),
        (Name::from("Request-Disposition"), "x"),
        (Name::from("Accept-Contact"), "x"),
        (Name::from("Identity"), "x"),
        (Name::from("Identity-Info"), "x"),
    ] {
        assert_eq!(request.headers.get(&name), Some(value), "{name}");
    }
    assert_eq!(request.contact().unwrap().uri.user.as_deref(), Some("a"));
    assert!(!String::from_utf8(request.to_bytes()).unwrap().contains("\r\nv:"));
}

#[test]
fn line_feeds_alone_leading_line_ends_and_folding_are_taken() {
    let text = format!(
        "\r\n\r\n\nINVITE sip:b@b.example SIP/2.0\r\n{CORE}Subject: one\r\n \t two\r\n\tthree\r\n\
         Content-Length: 2\r\n\r\nhi"
    );
    for data in [text.clone(), text.replace("\r\n", "\n")] {
        let request = accepted(data.as_bytes());
        assert_eq!(request.headers.get(&Name::Subject), Some("one two three"));
        assert_eq!(request.body, b"hi");
    }
}

#[test]
fn octets_that_are_not_utf8_cost_no_header_field() {
    let mut data = b"SIP/2.0 200 OK\r\n".to_vec();
    data.extend_from_slice(CORE.replace("<sip:b@", "\"B\u{1}\" <sip:b@").as_bytes());
    data.extend_from_slice(b"Contact: <sip:x@y>\r\n\r\n");
    let at = data.iter().position(|octet| *octet == 1).unwrap();
    data[at] = 0xfc;
    let Ok(Message::Response(response)) = parse(&data) else { panic!() };
    assert_eq!(response.to().unwrap().display.as_deref(), Some("B\u{fc}"));
    assert!(response.contact().is_some());
}

#[test]
fn lists_of_addresses_are_split_outside_quotes_and_brackets() {
    let data = invite(
        "Contact: \"a, b\" <sip:a,b@c>;q=1, <sip:d@e>;+sip.instance=\"<urn:uuid:1,2>\",\r\n \
         sip:f@g;expires=5\r\nRecord-Route: <sip:p1;lr>,<sip:p2;lr=on>\r\nAllow: INVITE, ACK\r\n",
        "",
    );
    let request = accepted(&data);
    let contacts = request.contacts();
    assert_eq!(contacts.len(), 3);
    assert_eq!(contacts[0].display.as_deref(), Some("a, b"));
    assert_eq!(contacts[0].uri.user.as_deref(), Some("a,b"));
    assert_eq!(contacts[1].params.text("+sip.instance").as_deref(), Some("<urn:uuid:1,2>"));
    assert_eq!(contacts[2].expires(), Some(5));
    assert!(request.record_routes().iter().all(|route| route.uri.is_loose_route()));
    assert_eq!(request.record_routes().len(), 2);
    assert_eq!(request.headers.tokens(&Name::Allow).collect::<Vec<_>>(), ["INVITE", "ACK"]);
    // What is no list of addresses stays one line.
    assert_eq!(request.headers.get(&Name::Allow), Some("INVITE, ACK"));
}

#[test]
fn the_body_follows_content_length_and_the_end_of_the_datagram() {
    assert_eq!(accepted(&invite("Content-Length: 3\r\n", "abcdef")).body, b"abc");
    assert_eq!(accepted(&invite("", "abcdef")).body, b"abcdef");
    assert_eq!(accepted(&invite("Content-Length: 0\r\n", "abcdef")).body, b"");
    for bad in ["7", "-1", "five", "", "99999999999999999999999", "18446744073709551615", "0x3"] {
        let (status, ..) = refused(&invite(&format!("Content-Length: {bad}\r\n"), "abcdef"));
        assert_eq!(status, 400, "{bad}");
    }
    // No header field disagrees with what was kept.
    let cut = accepted(&invite("l: 3\r\n", "abcdef"));
    assert_eq!(cut.headers.get(&Name::ContentLength), Some("3"));
    assert_eq!(cut.headers.count(&Name::ContentLength), 1);
}

#[test]
fn mandatory_header_fields_must_be_there_once_and_readable() {
    let whole = String::from_utf8(invite("", "")).unwrap();
    for (name, answered) in
        [("Via", false), ("From", true), ("To", true), ("Call-ID", true), ("CSeq", true)]
    {
        let line = whole.lines().find(|line| line.starts_with(name)).unwrap();
        let without = whole.replace(&format!("{line}\r\n"), "");
        let (status, reason, reply) = refused(without.as_bytes());
        assert_eq!((status, reason), (400, &*format!("Missing {name}")));
        assert_eq!(reply.is_some(), answered, "{name}");
        let broken = whole.replace(line, &format!("{name}: "));
        assert_eq!(refused(broken.as_bytes()).0, 400, "{name}");
        if name != "Via" {
            let twice = whole.replace(line, &format!("{line}\r\n{line}"));
            assert_eq!(refused(twice.as_bytes()).1, format!("Repeated {name}"));
        }
    }
}

#[test]
fn an_answer_copies_what_it_must_and_its_tag_repeats_with_the_request() {
    let data = invite("Via: SIP/2.0/UDP second;branch=2\r\nContent-Length: 9\r\n", "");
    let reply = refused(&data).2.unwrap();
    assert_eq!(reply.headers.count(&Name::Via), 2);
    assert_eq!(reply.from().unwrap().tag(), Some("1"));
    assert_eq!(reply.cseq().unwrap(), CSeq { number: 7, method: Method::Invite });
    assert_eq!(reply.call_id(), "c1");
    let tag = reply.to().unwrap().tag().unwrap().to_owned();
    assert!(tag.len() >= 8);
    assert_eq!(refused(&data).2.unwrap().to().unwrap().tag(), Some(&*tag));
    assert!(matches!(parse(&reply.to_bytes()), Ok(Message::Response(_))));
    // Nobody answers an ACK.
    let ack = String::from_utf8(data).unwrap().replace("INVITE", "ACK");
    assert!(refused(ack.as_bytes()).2.is_none());
}

#[test]
fn start_lines_are_sorted_into_ours_and_not_ours() {
    let with = |line: &str| format!("{line}\r\n{CORE}\r\n").into_bytes();
    for not_sip in ["GET / HTTP/1.1", "hello", "INVITE sip:a@b", "OPTIONS sip:a@b RTSP/1.0"] {
        assert_eq!(parse(&with(not_sip)), Err(ParseError::NotSip), "{not_sip}");
    }
    for (line, status) in [
        ("INVITE sip:a@b SIP/3.0", 505),
        ("INVITE sip:a@b SIP/2.00", 505),
        ("INVITE http://a SIP/2.0", 416),
        ("INVITE a@b SIP/2.0", 400),
        ("INVITE  SIP/2.0", 400),
        ("IN(VITE sip:a@b SIP/2.0", 400),
        ("INVITE sip:a@b:99999 SIP/2.0", 400),
        ("BYE sip:a@b SIP/2.0", 400),
        ("NEW sip:a@b SIP/2.0", 501),
    ] {
        assert_eq!(refused(&with(line)).0, status, "{line}");
    }
    for bad in [
        "SIP/2.0 99 x",
        "SIP/2.0 700 x",
        "SIP/2.0 20 x",
        "SIP/2.0 0200 x",
        "SIP/2.0",
        "SIP/3.0 200 OK",
    ] {
        assert!(matches!(parse(&with(bad)), Err(ParseError::BadResponse(_))), "{bad}");
    }
    for good in ["SIP/2.0 200 OK", "sip/2.0 200", "SIP/2.0  200  Fine indeed "] {
        assert!(matches!(parse(&with(good)), Ok(Message::Response(_))), "{good}");
    }
    for nothing in [&b""[..], b"\r\n\r\n", b"\n"] {
        assert_eq!(parse(nothing), Err(ParseError::KeepAlive));
    }
}

#[test]
fn unknown_methods_and_tel_uris_come_through() {
    let data = format!("NEW tel:+7-495-1234567;phone-context=x SIP/2.0\r\n{CORE}\r\n");
    let request = accepted(data.replace("7 INVITE", "7 NEW").as_bytes());
    assert_eq!(request.method, Method::Other("NEW".into()));
    assert_eq!(request.uri.scheme, Scheme::Tel);
    assert_eq!(request.uri.user.as_deref(), Some("+7-495-1234567"));
    assert_eq!(request.uri.to_string(), "tel:+7-495-1234567;phone-context=x");
}

#[test]
fn size_and_count_are_limited() {
    let fill = |lines: usize| invite(&"X: 1\r\n".repeat(lines), "");
    // Five header fields are in the core, and Content-Length is added.
    assert!(parse(&fill(MAX_HEADERS - 6)).is_ok());
    assert_eq!(refused(&fill(MAX_HEADERS - 5)).1, "Too Many Header Fields");
    let vias = format!("Via: {}\r\n", ["SIP/2.0/UDP a"; MAX_HEADERS].join(","));
    assert_eq!(refused(&invite(&vias, "")).1, "Too Many Header Fields");
    let body = "x".repeat(MAX_MESSAGE);
    let (status, _, reply) = refused(&invite("", &body));
    assert_eq!((status, reply.is_some()), (513, true));
    let response = format!("SIP/2.0 200 OK\r\n{CORE}\r\n{body}");
    assert!(matches!(parse(response.as_bytes()), Err(ParseError::BadResponse(_))));
}

#[test]
fn a_line_that_is_no_header_field_spoils_a_request_but_not_a_response() {
    assert_eq!(refused(&invite("no colon here\r\n", "")).0, 400);
    let data = format!("SIP/2.0 200 OK\r\n{CORE}no colon here\r\n\r\n");
    assert!(parse(data.as_bytes()).is_ok());
}

#[test]
fn no_value_brings_in_a_header_field_of_its_own() {
    let mut request = Request::new(Method::Options, Uri::parse("sip:a@b").unwrap());
    request.headers.push(Name::Subject, "x\r\nEvil: 1\r\n\r\nbody");
    request.headers.push(Name::Other("Bad\r\nName".into()), "y");
    let text = String::from_utf8(request.to_bytes()).unwrap();
    assert!(!text.contains("\r\nEvil") && !text.contains("\r\nName"), "{text}");
    let mut response = Response::new(200, "OK\r\nEvil: 1");
    response.headers.push(Name::CallId, "1");
    assert!(!String::from_utf8(response.to_bytes()).unwrap().contains("\r\nEvil"));
}

#[test]
fn header_lists_keep_their_order_through_changes() {
    let mut headers = Headers::new();
    headers.push(Name::Via, "2");
    headers.push(Name::Subject, "s");
    headers.push(Name::Via, "3");
    headers.push_front(Name::Via, "1");
    assert_eq!(headers.all(&Name::Via).collect::<Vec<_>>(), ["1", "2", "3"]);
    headers.set_first(&Name::Via, "1a");
    assert_eq!(headers.all(&Name::Via).collect::<Vec<_>>(), ["1a", "2", "3"]);
    headers.set(Name::Via, "9");
    let pairs: Vec<_> = headers.iter().map(|(n, v)| (n.to_string(), v.to_owned())).collect();
    assert_eq!(pairs, [("Via".into(), "9".into()), ("Subject".into(), "s".into())]);
    headers.set(Name::Expires, "60");
    headers.remove(&Name::Via);
    assert_eq!((headers.len(), headers.count(&Name::Via)), (2, 0));
    assert_eq!(headers.seconds(&Name::Expires), Some(60));
    assert_eq!(headers.get(&Name::from("SUBJECT")), Some("s"));
}

#[test]
fn uris_are_written_as_they_were_read() {
    for text in [
        "sip:example.com",
        "sip:+1234@[2001:db8::1]:5070;transport=tcp;lr",
        "sips:a:b@example.com;maddr=192.0.2.1?Subject=x&Priority=urgent",
        "sip:user;par=u%40example.net@example.com",
        "sip:a@under_score.example:5060;ob;x=",
        "sip:a@b?Replaces=1%40c%3Bto-tag%3D2",
        "tel:*67",
        "urn:service:sos",
    ] {
        assert_eq!(Uri::parse(text).unwrap().to_string(), text);
    }
    for bad in [
        "",
        "sip",
        "sip:",
        "sip:@b",
        "sip:a@",
        "sip:a@b:port",
        "sip:a@b:",
        "sip:a@b:70000",
        "sip:2001:db8::1",
        "sip:[2001:db8::1",
        "sip:a@b;;c",
        "sip:a b@c",
        "sip:a@b<c>",
        "1:x",
        "sip:a@b@c",
        "tel:",
        "tel:hello",
        ":a@b",
        "sip:a@b?x",
    ] {
        assert!(Uri::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn uris_compare_by_the_examples_of_the_rfc() {
    let same = |a: &str, b: &str| {
        let (a, b) = (Uri::parse(a).unwrap(), Uri::parse(b).unwrap());
        assert_eq!(a.equivalent(&b), b.equivalent(&a));
        a.equivalent(&b)
    };
    // RFC 3261 section 19.1.4.
    for (a, b) in [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;security=on"),
        ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
    ] {
        assert!(same(a, b), "{a} {b}");
    }
    for (a, b) in [
        ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a%3Bb@c", "sip:a;b@c"),
        ("sip:1@c", "sip:1@c;user=phone"),
        ("sip:a@c;maddr=192.0.2.1", "sip:a@c"),
        ("sip:a@c", "sips:a@c"),
    ] {
        assert!(!same(a, b), "{a} {b}");
    }
}

#[test]
fn user_parts_made_from_text_are_escaped() {
    let uri = Uri::sip(Some("a b@c:d"), Host::Name("e".into()), Some(5070));
    assert_eq!(uri.to_string(), "sip:a%20b%40c%3Ad@e:5070");
    assert_eq!(Uri::parse(&uri.to_string()).unwrap().user_text().as_deref(), Some("a b@c:d"));
    let at = Uri::at(None, "[::1]:5060".parse().unwrap());
    assert_eq!(at.to_string(), "sip:[::1]:5060");
}

#[test]
fn display_names_survive_quotes_backslashes_and_commas() {
    for name in ["Bob", "Bob Smith", "O'Neil, \"Bob\" \\", "", " lead", "a  b", "Вася", "a\tb\u{7}"]
    {
        let address = NameAddr {
            display: Some(name.to_owned()),
            ..NameAddr::new(Uri::parse("sip:a@b").unwrap())
        };
        let read = NameAddr::parse(&address.to_string()).unwrap();
        assert_eq!(read.display.as_deref(), Some(name));
    }
    assert_eq!(
        NameAddr::parse("Bell, Alexander <sip:a@b>;tag=43").unwrap().to_string(),
        "\"Bell, Alexander\" <sip:a@b>;tag=43"
    );
    for bad in [
        "\"a <sip:a@b>",
        "<sip:a@b",
        "sip:a@b?x=y",
        "sip:a@b>",
        "*",
        "",
        "<sip:a@b> x",
        "<sip:a@b>;;x",
    ] {
        assert!(NameAddr::parse(bad).is_none(), "{bad}");
    }
}

#[test]
fn vias_tell_and_take_where_a_request_came_from() {
    let mut via = Via::parse("SIP/2.0/udp 10.0.0.1:5062;rport;branch=z9hG4bKa").unwrap();
    assert_eq!((via.transport.clone(), via.port), (Transport::Udp, Some(5062)));
    assert_eq!((via.rport(), via.received()), (Some(None), None));
    via.set_received("2001:db8::1".parse().unwrap());
    via.set_rport(Some(4000));
    assert_eq!(
        via.to_string(),
        "SIP/2.0/UDP 10.0.0.1:5062;rport=4000;branch=z9hG4bKa;received=2001:db8::1"
    );
    assert_eq!(via.rport(), Some(Some(4000)));
    assert_eq!(via.received(), Some("2001:db8::1".parse().unwrap()));
    assert_eq!(Via::parse("SIP/2.0/UDP a").unwrap().rport(), None);
    for bad in
        ["", "SIP/2.0/UDP", "SIP/1.0/UDP a", "SIP/2.0 a", "SIP/2.0/UDP a b", "SIP/2.0/UDP a:x"]
    {
        assert!(Via::parse(bad).is_none(), "{bad}");
    }
}

#[test]
fn numbers_out_of_range_do_not_wrap() {
    assert!(CSeq::parse("2147483648 INVITE").is_none());
    assert_eq!(CSeq::parse(" 2147483647\tINVITE").unwrap().number, i32::MAX as u32);
    let mut headers = Headers::new();
    headers.push(Name::Expires, "99999999999999999999999");
    headers.push(Name::RetryAfter, "120 (I'm in a meeting);duration=60");
    headers.push(Name::SessionExpires, "1800;refresher=uac");
    headers.push(Name::MinExpires, "-5");
    assert_eq!(headers.seconds(&Name::Expires), Some(u32::MAX));
    assert_eq!(headers.seconds(&Name::RetryAfter), Some(120));
    assert_eq!(headers.seconds(&Name::SessionExpires), Some(1800));
    assert_eq!(headers.seconds(&Name::MinExpires), None);
    assert_eq!(NameAddr::parse("<sip:a@b>;expires=x").unwrap().expires(), Some(3600));
    headers.push(Name::RAck, "776656 1 INVITE");
    assert_eq!(headers.rack().unwrap().to_string(), "776656 1 INVITE");
}

#[test]
fn a_response_to_a_request_copies_character_for_character() {
    let request = accepted(&invite("Via: SIP/2.0/TCP  odd ; x=\"y\"\r\nRoute: <sip:r;lr>\r\n", ""));
    let response = request.response(486, reason_phrase(486));
    let text = String::from_utf8(response.to_bytes()).unwrap();
    assert!(text.starts_with("SIP/2.0 486 Busy Here\r\n"));
    assert!(text.contains("\r\nVia: SIP/2.0/TCP  odd ; x=\"y\"\r\n"));
    assert!(text.ends_with("\r\nContent-Length: 0\r\n\r\n"));
    assert!(!text.contains("Route"));
}
