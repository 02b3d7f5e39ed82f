//! One entry point for fuzzing digest: what servers ask for, and what peers claim to know.

use super::{AuthSession, Credentials, verify};
use crate::message::{Message, Method, Name, Request, Uri, parse};
use base::{Secret, Seed};

const PASSWORD: &str = "s3cret of the digest";
/// Challenges of one run.
const CHALLENGES: usize = 16;

/// Reads each line of the input as a server's challenge and answers it twice, and as an answer of
/// somebody who does not know the password.
///
/// # Panics
/// When an answer of ours is wrong by our own check, is read as anything but its header fields, or
/// holds the password; when one that was made up is taken for right.
pub fn fuzz(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let password = Secret::new(PASSWORD);
    let credentials = Credentials { username: "shop \"7\"\\".into(), password: password.clone() };
    let mut session = AuthSession::new();
    let mut seed = Seed::from_number(1);
    for (number, line) in text.split('\n').take(CHALLENGES).enumerate() {
        assert!(verify(line, "REGISTER", b"", &password).is_none(), "a made-up answer is right");
        let name = if number % 3 == 2 { "Proxy-Authenticate" } else { "WWW-Authenticate" };
        let response = format!(
            "SIP/2.0 401 No\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:a@b>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n{name}: {line}\r\n\r\n"
        );
        let Ok(Message::Response(response)) = parse(response.as_bytes()) else { continue };
        if session.challenged(&response).is_err() {
            session = AuthSession::new();
            continue;
        }
        for _ in 0..2 {
            answer(&mut session, &credentials, &mut seed);
        }
    }
}

fn answer(session: &mut AuthSession, credentials: &Credentials, seed: &mut Seed) {
    let Ok(uri) = Uri::parse("sip:registrar.example;transport=udp") else { return };
    let mut request = Request::new(Method::Register, uri);
    for (name, value) in [
        (Name::Via, "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK2"),
        (Name::From, "<sip:a@b>;tag=1"),
        (Name::To, "<sip:a@b>"),
        (Name::CallId, "1"),
        (Name::CSeq, "2 REGISTER"),
    ] {
        request.headers.push(name, value);
    }
    let fields = |octets: &[u8]| match parse(octets) {
        Ok(Message::Request(request)) => request.headers.iter().count(),
        _ => 0,
    };
    let before = fields(&request.to_bytes());
    session.authorize(&mut request, credentials, seed);
    let octets = request.to_bytes();
    let held = octets.windows(PASSWORD.len()).any(|part| part == PASSWORD.as_bytes());
    assert!(!held, "the password is sent");
    let Ok(Message::Request(read)) = parse(&octets) else { panic!("an answer cannot be read") };
    let mut answers = 0;
    for name in [Name::Authorization, Name::ProxyAuthorization] {
        for value in read.headers.all(&name) {
            answers += 1;
            let right = verify(value, "REGISTER", &read.body, &credentials.password);
            let right = right.unwrap_or_else(|| panic!("a wrong answer: {value}"));
            assert_eq!(right.username, credentials.username);
        }
    }
    assert!(answers > 0, "a challenge has no answer");
    assert_eq!(read.headers.iter().count(), before + answers, "an answer is more than its field");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_of_all_kinds_are_answered_rightly() {
        fuzz(
            b"Digest realm=\"a \\\"b\\\"\", nonce=\"1\"\n\
              Digest realm=x, nonce=\"2\", algorithm=SHA-256, qop=\"auth-int\", opaque=\"\\\\\"\n\
              Basic realm=x, Digest realm=\"y\", nonce=\"\", algorithm=MD5-sess, qop=\"auth,auth-int\"\n\
              Digest realm=\"y\", nonce=\"3\", stale=true\n\
              Digest username=\"shop\", realm=\"y\", nonce=\"3\", uri=\"sip:a\", response=\"0\"",
        );
    }
}
