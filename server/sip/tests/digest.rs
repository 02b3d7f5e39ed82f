//! The digest client against the vectors of the RFCs and against the verifier.
#![allow(clippy::unwrap_used)]

use base::{Secret, Seed};
use sip::auth::{
    Algorithm, Answer, AuthError, AuthSession, Credentials, Quality, challenges, response_for,
    verify,
};
use sip::message::{Message, Method, Name, Request, Response, Uri, parse};

fn credentials() -> Credentials {
    Credentials { username: "shop".into(), password: Secret::new("zanzibar") }
}

fn request() -> Request {
    Request::new(Method::Register, Uri::parse("sip:example.com;transport=udp").unwrap())
}

/// A response with challenges as they arrive from the network.
fn challenged(status: u16, headers: &[&str]) -> Response {
    let lines: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let text = format!(
        "SIP/2.0 {status} No\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
         To: <sip:a@b>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n{lines}\r\n"
    );
    match parse(text.as_bytes()).unwrap() {
        Message::Response(response) => response,
        Message::Request(_) => unreachable!(),
    }
}

/// What a server makes of the credentials in a request.
fn check(request: &Request, name: Name) -> Option<sip::auth::Verified> {
    let value = request.headers.get(&name)?;
    verify(value, request.method.as_str(), &request.body, &credentials().password)
}

const RFC7616_NONCE: &str = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
const RFC7616_CNONCE: &str = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";

#[test]
fn the_examples_of_the_rfcs_come_out() {
    let password = Secret::new("Circle of Life");
    let rfc7616 = Answer {
        algorithm: Algorithm::Md5,
        username: "Mufasa",
        password: &password,
        realm: "http-auth@example.org",
        nonce: RFC7616_NONCE,
        cnonce: RFC7616_CNONCE,
        nonce_count: 1,
        quality: Quality::Auth,
        method: "GET",
        uri: "/dir/index.html",
        body: b"",
    };
    // RFC 7616 section 3.9.1.
    assert_eq!(response_for(&rfc7616), "8ca523f5e9506fed4657c9700eebdbec");
    assert_eq!(
        response_for(&Answer { algorithm: Algorithm::Sha256, ..rfc7616 }),
        "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
    );
    // RFC 2617 section 3.5.
    let password = Secret::new("Circle Of Life");
    let rfc2617 = Answer {
        password: &password,
        realm: "testrealm@host.com",
        nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        cnonce: "0a4f113b",
        ..rfc7616
    };
    assert_eq!(response_for(&rfc2617), "6629fae49393a05397450978507c4ef1");
    // RFC 7616 section 3.9.2 prints a response made with SHA-512 cut to 256 bits, which is not
    // SHA-512/256; erratum 4897 gives this one.
    let password = Secret::new("Secret, or not?");
    let sha512_256 = Answer {
        algorithm: Algorithm::Sha512_256,
        username: "J\u{e4}s\u{f8}n Doe",
        password: &password,
        realm: "api@example.org",
        nonce: "5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK",
        cnonce: "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v",
        uri: "/doe.json",
        ..rfc7616
    };
    assert_eq!(
        response_for(&sha512_256),
        "3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5"
    );
}

#[test]
fn every_algorithm_and_quality_agrees_with_an_independent_calculation() {
    // Calculated with another implementation of the hashes (OpenSSL) from RFC 7616 section 3.4.
    let expected = [
        (Algorithm::Md5, Quality::None, "ff2b4f0717f824b7cca1a6c41bb98dac"),
        (Algorithm::Md5, Quality::Auth, "933fda36bb8624a727394fafd861dff6"),
        (Algorithm::Md5, Quality::AuthInt, "d28ba9a3e1790908319e1c19c14db0ee"),
        (Algorithm::Md5Sess, Quality::None, "f908501c3bce20d0490da44950b9e717"),
        (Algorithm::Md5Sess, Quality::Auth, "8ce2e200c4304c0a832fa0a8903562ff"),
        (Algorithm::Md5Sess, Quality::AuthInt, "0b6d63bc9e8bddf2c799e34a5f183c4e"),
        (
            Algorithm::Sha256,
            Quality::AuthInt,
            "fb424e5f555146ecfe1372ab081eb33618f99ca40a6dc75cfe5e216b96aa173a",
        ),
        (
            Algorithm::Sha256Sess,
            Quality::Auth,
            "35053d450060697564efbc5c7fe036235c2a01de25579398bcf7aec162c6dd92",
        ),
        (
            Algorithm::Sha512_256,
            Quality::Auth,
            "b832d4a1f610066aee7afd3f58de535461a7fbcdc3c78078966a884588486abb",
        ),
        (
            Algorithm::Sha512_256Sess,
            Quality::AuthInt,
            "d24fdfa0f131cd2646ef1db0320fe3e6a5cf5a9dc285484be6a3346712b5fb77",
        ),
    ];
    let password = Secret::new("Circle of Life");
    for (algorithm, quality, response) in expected {
        let answer = Answer {
            algorithm,
            username: "Mufasa",
            password: &password,
            realm: "http-auth@example.org",
            nonce: RFC7616_NONCE,
            cnonce: RFC7616_CNONCE,
            nonce_count: 10,
            quality,
            method: "REGISTER",
            uri: "sip:example.org",
            body: b"v=0\r\n",
        };
        assert_eq!(response_for(&answer), response, "{algorithm} {quality:?}");
    }
}

#[test]
fn a_challenge_is_answered_to_the_servers_satisfaction_under_every_algorithm() {
    for algorithm in Algorithm::ALL {
        for qop in ["", ", qop=\"auth\"", ", qop=\"auth,auth-int\"", ", qop=auth-int"] {
            let mut session = AuthSession::new();
            let header = format!(
                "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm={algorithm}{qop}"
            );
            session.challenged(&challenged(401, &[&header])).unwrap();
            let mut seed = Seed::from_number(1);
            for count in 1..=3 {
                let mut request = request();
                request.body = b"v=0\r\n".to_vec();
                session.authorize(&mut request, &credentials(), &mut seed);
                let verified = check(&request, Name::Authorization).unwrap();
                assert_eq!(verified.nonce_count, if qop.is_empty() { 0 } else { count });
                assert_eq!((&*verified.username, &*verified.realm), ("shop", "r"));
                // Any change to what is covered must show.
                let value = request.headers.get(&Name::Authorization).unwrap();
                assert!(verify(value, "INVITE", &request.body, &credentials().password).is_none());
                assert!(verify(value, "REGISTER", b"v=0\r\n", &Secret::new("no")).is_none());
            }
        }
    }
}

#[test]
fn the_credentials_are_written_as_the_rfcs_spell_them() {
    let mut session = AuthSession::new();
    session
        .challenged(&challenged(
            407,
            &["Proxy-Authenticate: Digest realm=\"a \\\"b\\\"\" , nonce = \"n\",qop=\"auth, \
               auth-int\" , opaque=\"o,p\",algorithm=md5"],
        ))
        .unwrap();
    let mut request = request();
    let mut seed = Seed::from_number(1);
    for _ in 0..10 {
        session.authorize(&mut request, &credentials(), &mut seed);
    }
    let value = request.headers.get(&Name::ProxyAuthorization).unwrap();
    assert!(value.starts_with("Digest username=\"shop\", realm=\"a \\\"b\\\"\", nonce=\"n\", "));
    assert!(value.contains("uri=\"sip:example.com;transport=udp\""));
    // The count is hexadecimal, and neither it nor qop is quoted (RFC 7616 section 3.4).
    assert!(value.contains(", qop=auth, nc=0000000a, opaque=\"o,p\""), "{value}");
    assert!(value.contains(", algorithm=MD5, "));
    assert_eq!(request.headers.count(&Name::ProxyAuthorization), 1);
    assert_eq!(check(&request, Name::ProxyAuthorization).unwrap().realm, "a \"b\"");
}

#[test]
fn an_old_server_is_answered_without_what_it_does_not_know() {
    let mut session = AuthSession::new();
    let old = challenged(401, &["WWW-Authenticate: Digest realm=\"r\", nonce=\"n\""]);
    session.challenged(&old).unwrap();
    let mut request = request();
    session.authorize(&mut request, &credentials(), &mut Seed::from_number(1));
    let value = request.headers.get(&Name::Authorization).unwrap();
    for unknown in ["algorithm", "qop", "nc=", "cnonce", "opaque"] {
        assert!(!value.contains(unknown), "{value}");
    }
    assert!(check(&request, Name::Authorization).is_some());
}

#[test]
fn of_several_algorithms_for_a_realm_the_strongest_known_one_is_used() {
    let offers = ["MD5", "SHA-256", "SHA-999", "SHA-512-256", "SHA-256-sess"];
    let lines: Vec<_> = offers
        .iter()
        .map(|name| {
            format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"{name}\", algorithm={name}")
        })
        .collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    for (subset, winner) in
        [(&lines[..], "SHA-512-256"), (&lines[..3], "SHA-256"), (&lines[..1], "MD5")]
    {
        let mut session = AuthSession::new();
        session.challenged(&challenged(401, subset)).unwrap();
        let mut request = request();
        session.authorize(&mut request, &credentials(), &mut Seed::from_number(1));
        assert_eq!(request.headers.count(&Name::Authorization), 1);
        assert_eq!(check(&request, Name::Authorization).unwrap().nonce, winner);
    }
}

#[test]
fn several_challenges_in_one_line_are_told_apart() {
    let line = "Basic realm=\"x, Digest realm=\\\"y\\\"\", Digest realm=\"a\", nonce=\"1\", \
                qop=\"auth\", algorithm=MD5,Digest nonce=\"2\",realm=\"b\",stale=TRUE, \
                NewScheme abc=, Digest realm=\"c\" nonce=\"3\"";
    let read: Vec<_> =
        challenges(line).into_iter().map(|c| (c.realm, c.nonce, c.stale, c.quality)).collect();
    assert_eq!(
        read,
        [
            ("a".into(), "1".into(), false, Quality::Auth),
            ("b".into(), "2".into(), true, Quality::None),
            // The comma is missing, and forgiven.
            ("c".into(), "3".into(), false, Quality::None),
        ]
    );
}

#[test]
fn every_realm_that_asked_gets_its_own_credentials() {
    let mut session = AuthSession::new();
    let mut seed = Seed::from_number(1);
    session
        .challenged(&challenged(
            407,
            &["Proxy-Authenticate: Digest realm=\"outer\", nonce=\"1\", Digest realm=\"inner\", \
               nonce=\"2\""],
        ))
        .unwrap();
    let mut request = request();
    session.authorize(&mut request, &credentials(), &mut seed);
    assert_eq!(request.headers.count(&Name::ProxyAuthorization), 2);
    // Past the proxies the registrar asks too; the proxies' credentials stay.
    session
        .challenged(&challenged(401, &["WWW-Authenticate: Digest realm=\"outer\", nonce=\"3\""]))
        .unwrap();
    session.authorize(&mut request, &credentials(), &mut seed);
    assert_eq!(request.headers.count(&Name::ProxyAuthorization), 2);
    assert_eq!(check(&request, Name::Authorization).unwrap().nonce, "3");
}

#[test]
fn a_refused_answer_to_a_fresh_nonce_means_a_wrong_password() {
    let mut session = AuthSession::new();
    let mut seed = Seed::from_number(1);
    let challenge = |nonce| {
        challenged(401, &[&format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"{nonce}\"")])
    };
    session.challenged(&challenge("1")).unwrap();
    session.authorize(&mut request(), &credentials(), &mut seed);
    assert_eq!(session.challenged(&challenge("2")), Err(AuthError::WrongPassword));
}

#[test]
fn a_nonce_that_worked_before_has_expired_and_is_replaced() {
    let mut session = AuthSession::new();
    let mut seed = Seed::from_number(1);
    // Years of refreshes, each with a nonce that has run out; some servers say so, some do not.
    for round in 0..100 {
        let stale = if round < 50 { ", stale=true" } else { "" };
        let line = format!("WWW-Authenticate: Digest realm=\"r\", nonce=\"{round}\"{stale}");
        session.challenged(&challenged(401, &[&line])).unwrap();
        for _ in 0..2 {
            let mut request = request();
            session.authorize(&mut request, &credentials(), &mut seed);
            assert_eq!(check(&request, Name::Authorization).unwrap().nonce, round.to_string());
        }
    }
}

#[test]
fn a_server_that_calls_every_nonce_stale_is_given_up_on() {
    let mut session = AuthSession::new();
    let mut seed = Seed::from_number(1);
    let stale = challenged(401, &["WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", stale=true"]);
    let mut rounds = 0;
    while session.challenged(&stale).is_ok() {
        session.authorize(&mut request(), &credentials(), &mut seed);
        rounds += 1;
        assert!(rounds < 10);
    }
    assert_eq!(rounds, 3);
    assert_eq!(session.challenged(&stale), Err(AuthError::TooMany));
}

#[test]
fn challenges_that_cannot_be_answered_are_told_from_none() {
    let mut session = AuthSession::new();
    assert_eq!(session.challenged(&challenged(401, &[])), Err(AuthError::NoChallenge));
    for line in [
        "WWW-Authenticate: Basic realm=\"r\"",
        "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", algorithm=SHA-1",
        "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"other\"",
        "WWW-Authenticate: Digest realm=\"r\"",
        "WWW-Authenticate: ",
    ] {
        let outcome = session.challenged(&challenged(401, &[line]));
        assert_eq!(outcome, Err(AuthError::Unsupported), "{line}");
    }
    assert!(session.is_empty());
}

#[test]
fn the_realms_of_a_session_are_bounded() {
    let lines: Vec<_> =
        (0..20).map(|n| format!("WWW-Authenticate: Digest realm=\"{n}\", nonce=\"n\"")).collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    let outcome = AuthSession::new().challenged(&challenged(401, &lines));
    assert_eq!(outcome, Err(AuthError::TooMany));
}

#[test]
fn passwords_and_header_values_never_print() {
    let mut session = AuthSession::new();
    session
        .challenged(&challenged(401, &["WWW-Authenticate: Digest realm=\"r\", nonce=\"n\""]))
        .unwrap();
    let mut request = request();
    session.authorize(&mut request, &credentials(), &mut Seed::from_number(1));
    let printed = format!("{:?} {:?} {session:?}", credentials(), request);
    assert!(!printed.contains("zanzibar") && !printed.contains("response="), "{printed}");
}
