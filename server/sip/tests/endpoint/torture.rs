//! The torture messages of RFC 4475 and RFC 5118, thrown at an endpoint by its provider.

use crate::wire::*;
use base::{Datagram, Protocol};
use std::path::Path;

/// The statuses of the answers to one message, without 100, and the calls that it brought.
fn answers(rfc: &str, name: &str) -> (Vec<u16>, usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torture").join(rfc);
    let file = if rfc == "rfc4475" { format!("{name}.dat") } else { name.to_owned() };
    let payload = std::fs::read(folder.join(file)).unwrap();
    let mut world = World::with_caller(1);
    let now = world.now;
    let endpoint = &mut world.phones[0].endpoint;
    let datagram =
        Datagram { protocol: Protocol::Udp, local: ours(), remote: theirs(), payload: &payload };
    endpoint.handle_datagram(now, &datagram);
    let mut statuses = Vec::new();
    while let Some(transmit) = endpoint.poll_transmit() {
        // Not parsed: an answer repeats what it refuses.
        let text = String::from_utf8_lossy(&transmit.payload).into_owned();
        let status = text.strip_prefix("SIP/2.0 ").and_then(|rest| rest.get(..3)?.parse().ok());
        statuses.push(status.unwrap_or_else(|| panic!("{name}: {text}")));
    }
    statuses.retain(|status| *status != 100);
    let mut calls = 0;
    while let Some(event) = endpoint.poll_event() {
        calls += usize::from(matches!(event, sip::Event::Incoming { .. }));
    }
    endpoint.verify().unwrap();
    (statuses, calls)
}

/// What the endpoint makes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Refused or served with this status.
    Answered(u16),
    /// A call that the shell hears of.
    Call,
    /// Nothing at all: broken responses, responses to nobody, and what is no SIP.
    Silence,
}
use Fate::{Answered, Call, Silence};

/// The section of RFC 4475 says what, but for: REGISTER and MESSAGE get 405, we being a user
/// agent that takes none (3.3.7 has it so); `wsinv` and some of RFC 5118 are inside of a dialog
/// that is not; `sdp01` accepts no SDP but offers some, and is tolerated.
const FATES: &[(&str, &str, Fate)] = &[
    ("rfc4475", "wsinv", Answered(481)),
    ("rfc4475", "intmeth", Answered(501)),
    ("rfc4475", "esc01", Call),
    ("rfc4475", "escnull", Answered(405)),
    ("rfc4475", "esc02", Answered(501)),
    ("rfc4475", "lwsdisp", Answered(200)),
    ("rfc4475", "longreq", Call),
    ("rfc4475", "dblreq", Answered(405)),
    ("rfc4475", "semiuri", Answered(200)),
    ("rfc4475", "transports", Answered(200)),
    ("rfc4475", "mpart01", Answered(405)),
    ("rfc4475", "unreason", Silence),
    ("rfc4475", "noreason", Silence),
    ("rfc4475", "badinv01", Answered(400)),
    ("rfc4475", "clerr", Answered(400)),
    ("rfc4475", "ncl", Answered(400)),
    ("rfc4475", "scalar02", Answered(400)),
    ("rfc4475", "scalarlg", Silence),
    ("rfc4475", "quotbal", Answered(400)),
    ("rfc4475", "ltgtruri", Answered(400)),
    ("rfc4475", "lwsruri", Answered(400)),
    ("rfc4475", "lwsstart", Call),
    ("rfc4475", "trws", Answered(200)),
    ("rfc4475", "escruri", Answered(400)),
    ("rfc4475", "baddate", Call),
    ("rfc4475", "regbadct", Answered(400)),
    ("rfc4475", "badaspec", Answered(200)),
    ("rfc4475", "baddn", Answered(200)),
    ("rfc4475", "badvers", Answered(505)),
    ("rfc4475", "mismatch01", Answered(400)),
    ("rfc4475", "mismatch02", Answered(501)),
    ("rfc4475", "bigcode", Silence),
    ("rfc4475", "badbranch", Answered(400)),
    ("rfc4475", "insuf", Answered(400)),
    ("rfc4475", "unkscm", Answered(416)),
    ("rfc4475", "novelsc", Answered(416)),
    ("rfc4475", "unksm2", Answered(405)),
    ("rfc4475", "bext01", Answered(420)),
    ("rfc4475", "invut", Answered(415)),
    ("rfc4475", "regaut01", Answered(405)),
    ("rfc4475", "multi01", Answered(400)),
    ("rfc4475", "mcl01", Answered(400)),
    ("rfc4475", "bcast", Silence),
    ("rfc4475", "zeromf", Answered(200)),
    ("rfc4475", "cparam01", Answered(405)),
    ("rfc4475", "cparam02", Answered(405)),
    ("rfc4475", "regescrt", Answered(405)),
    ("rfc4475", "sdp01", Call),
    ("rfc4475", "inv2543", Call),
    ("rfc4475", "test", Silence),
    ("rfc5118", "ipv6-good", Answered(405)),
    ("rfc5118", "ipv6-bad", Answered(400)),
    ("rfc5118", "port-ambiguous", Answered(405)),
    ("rfc5118", "port-unambiguous", Answered(405)),
    ("rfc5118", "via-received-param-with-delim", Answered(481)),
    ("rfc5118", "via-received-param-no-delim", Answered(200)),
    ("rfc5118", "mult-ip-in-header", Answered(481)),
    ("rfc5118", "ipv4-mapped-ipv6", Call),
    ("rfc5118", "ipv6-bug-abnf-3-colons", Answered(200)),
    ("rfc5118", "ipv6-correct-abnf-2-colons", Answered(200)),
    // Their Content-Length is wrong: see the parser's own test.
    ("rfc5118", "ipv6-in-sdp", Answered(400)),
    ("rfc5118", "mult-ip-in-sdp", Answered(400)),
];

#[test]
fn every_torture_message_gets_the_answer_that_its_rfc_wants() {
    assert_eq!(FATES.len(), 62);
    let mut wrong = Vec::new();
    for (rfc, name, expected) in FATES {
        let fate = match answers(rfc, name) {
            (statuses, 0) if statuses.is_empty() => Silence,
            (statuses, 0) if statuses.len() == 1 => Answered(statuses[0]),
            (statuses, 1) if statuses.is_empty() => Call,
            other => panic!("{name}: {other:?}"),
        };
        if fate != *expected {
            wrong.push(format!("{rfc} {name}: {expected:?}, but {fate:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
