//! The fuzzer's entry point.

use super::{Message, Name, NameAddr, ParseError, Uri, Via, parse};

/// Parses octets, walks all typed access, and checks that what was read survives being written
/// and read again.
///
/// # Panics
/// If it does not: that is what a fuzzer looks for.
pub fn fuzz(data: &[u8]) {
    match parse(data) {
        Ok(message) => {
            walk(&message);
            survives(&message);
        }
        Err(ParseError::Reject { reply: Some(reply), status, .. }) => {
            assert_eq!(reply.status, status);
            let bytes = reply.to_bytes();
            assert!(bytes.starts_with(b"SIP/2.0 "));
            // Its header fields may be as bad as the request's, but reading it must end well.
            let _ = parse(&bytes);
        }
        Err(_) => {}
    }
}

fn survives(message: &Message) {
    let bytes = message.to_bytes();
    // Latin-1 grows on its way to UTF-8, and so may a message at the limit.
    if bytes.len() > super::MAX_MESSAGE {
        return;
    }
    let again = parse(&bytes);
    assert!(again.as_ref() == Ok(message), "{message:?} became {again:?}");
}

fn walk(message: &Message) {
    let headers = message.headers();
    assert!(headers.via().is_ok() && headers.cseq().is_ok());
    assert!(headers.from().is_ok() && headers.to().is_ok());
    for via in headers.vias() {
        assert_eq!(Via::parse(&via.to_string()).as_ref(), Some(&via));
        let _ = (via.branch(), via.received(), via.rport());
    }
    let mut addresses: Vec<NameAddr> = headers.from().into_iter().chain(headers.to()).collect();
    for name in [Name::Contact, Name::Route, Name::RecordRoute, Name::ReferTo, Name::Path] {
        addresses.extend(headers.addresses(&name));
    }
    for address in addresses {
        assert_eq!(NameAddr::parse(&address.to_string()).as_ref(), Some(&address));
        let _ = (address.tag(), address.expires());
        walk_uri(&address.uri);
    }
    if let Message::Request(request) = message {
        walk_uri(&request.uri);
        let _ = request.response(200, "OK").to_bytes();
    }
    if let Message::Response(response) = message {
        let _ = crate::auth::AuthSession::new().challenged(response);
    }
    for (name, value) in headers.iter() {
        assert!(headers.get(&name).is_some() && !value.contains(['\r', '\n']));
        let _ = (headers.number(&name), headers.seconds(&name), headers.tokens(&name).count());
        // Whoever only looks sees what whoever reads does.
        assert_eq!(NameAddr::is_one(value), NameAddr::parse(value).is_some(), "{name}");
        assert_eq!(Via::is_one(value), Via::parse(value).is_some(), "{name}");
        assert_eq!(Uri::is_one(value), Uri::parse(value).is_ok(), "{name}");
    }
    let _ = headers.rack();
}

fn walk_uri(uri: &Uri) {
    assert_eq!(Uri::parse(&uri.to_string()).as_ref(), Ok(uri));
    assert!(uri.equivalent(uri));
    let _ = (uri.user_text(), uri.transport(), uri.is_loose_route());
}
