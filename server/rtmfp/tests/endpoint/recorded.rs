//! What the recorded clients say opens sessions here, and a client made by hand from the formulas
//! that the recordings prove talks in one.

use crate::raw::{Raw, RawSession, rikeying};
use crate::world::{MS, S, World, address};
use rtmfp::chunk::Chunk;
use rtmfp::crypto::{Group, Identity};
use rtmfp::packet::{self, Mode};
use rtmfp::{Event, Settings};
use serde_json::Value;

const FILES: [(&str, &str, bool); 4] = [
    ("static14", include_str!("../vectors/static14-hmac-sseq.jsonl"), false),
    ("ephemeral2", include_str!("../vectors/ephemeral2-hmac-sseq.jsonl"), false),
    ("static2", include_str!("../vectors/static2-checksum.jsonl"), true),
    ("librtmfp", include_str!("../vectors/librtmfp-checksum.jsonl"), true),
];

fn octets(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn server(world: &mut World) -> usize {
    let groups = [Group::Modp2048, Group::Modp1024];
    let identity = Identity::server(&groups, None, &mut world.seed).unwrap();
    world.host(Settings::server(address("192.0.2.1:1935")), identity)
}

#[test]
fn the_hello_and_keying_of_each_recorded_client_open_a_session() {
    for (name, text, legacy) in FILES {
        let lines: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let mut received = lines.iter().filter(|line| line["type"] == "rx");
        let hello = octets(&received.next().unwrap()["plain"]);
        let keying = octets(&received.next().unwrap()["plain"]);

        let mut world = World::new(1);
        let server = server(&mut world);
        let mut raw = Raw::new("198.51.100.1:5000");
        let (_, mut chunks) = packet::parse(&hello[2..]).unwrap();
        raw.send(&mut world, "192.0.2.1:1935", &[chunks.next().unwrap()]);
        let answer = raw.received(&mut world);
        let (_, mut chunks) = packet::parse(&answer[0].1).unwrap();
        let Some(Chunk::RHello(hello)) = chunks.next() else { panic!("{name}") };
        assert_eq!(hello.cookie.len(), 64, "{name}: the one length that all clients take");
        assert_eq!(hello.tag_echo.len(), 16);

        let (_, mut chunks) = packet::parse(&keying[2..]).unwrap();
        let Some(Chunk::IIKeying(mut keying)) = chunks.next() else { panic!("{name}") };
        keying.cookie = hello.cookie;
        raw.send(&mut world, "192.0.2.1:1935", &[Chunk::IIKeying(keying)]);
        let answers = rikeying(&raw.received(&mut world));
        let [(to, _, component)] = &answers[..] else { panic!("{name}: {answers:?}") };
        assert_eq!(*to, keying.session, "{name}");
        let opened =
            |event: &&Event| matches!(event, Event::Opened { legacy: seen, .. } if *seen == legacy);
        assert!(world.hosts[server].events.iter().any(|event| opened(&event)), "{name}");

        // The answer has the very layout that was recorded.
        let line = lines.iter().find(|line| line["type"] == "keys").unwrap();
        let recorded = octets(&line["sknc"]);
        assert_eq!(component.len(), recorded.len(), "{name}");
        let group = if line["group"] == 14 { 256 } else { 128 };
        assert_eq!(component[..component.len() - group], recorded[..recorded.len() - group]);
    }
}

#[test]
fn a_client_with_the_recorded_formulas_is_understood_and_understands() {
    let mut world = World::new(1);
    let server = server(&mut world);
    let mut client = RawSession::open(&mut world, "198.51.100.1:5000", "192.0.2.1:1935");
    assert_eq!(client.answer[..11], *b"\x03\x1a\x00\x00\x02\x1e\x00\x81\x02\x0d\x02");
    assert_eq!(client.answer.len(), 139);
    let (header, plain) = client.ping(&mut world, false, b"are you there");
    assert_eq!(header.mode, Mode::Responder);
    assert!(header.timestamp.is_some(), "legacy clients take no packet without");
    let (_, mut chunks) = packet::parse(&plain).unwrap();
    assert_eq!(chunks.next(), Some(Chunk::PingReply(b"are you there")));
    assert!(world.is_open(server));
}

#[test]
fn far_ends_are_asked_for_restraint_while_another_session_receives_sound() {
    let mut world = World::new(1);
    server(&mut world);
    let mut open = |address| RawSession::open(&mut world, address, "192.0.2.1:1935");
    let (mut first, mut second) = (open("198.51.100.1:5000"), open("198.51.100.1:5001"));
    let mut third = open("198.51.100.1:5002");
    let mut asked = |client: &mut RawSession, sound| {
        client.ping(&mut world, sound, b"x").0.time_critical_reverse
    };
    assert!(!asked(&mut first, false));
    assert!(!asked(&mut first, true), "its own sound is no reason");
    assert!(asked(&mut second, false));
    assert!(asked(&mut second, true), "both have sound");
    assert!(asked(&mut first, true));
    assert!(asked(&mut third, false));
    world.pass(S);
    let mut asked =
        |client: &mut RawSession| client.ping(&mut world, false, b"x").0.time_critical_reverse;
    assert!(!asked(&mut first) && !asked(&mut second) && !asked(&mut third), "forgotten");
}

#[test]
fn an_echo_of_the_keyings_timestamp_measures_the_time_since_then() {
    for number in 1..9 {
        let mut world = World::new(number);
        let server = server(&mut world);
        let mut client = RawSession::open(&mut world, "198.51.100.1:5000", "192.0.2.1:1935");
        client.echoes_keying = true;
        client.ping(&mut world, false, b"x");
        let session = world.session(server);
        let statistics = world.hosts[server].endpoint.statistics(session).unwrap();
        let trip = statistics.round_trip.expect("the echo is of no use");
        // The client has waited for a second.
        assert!(trip >= S - 200 * MS && trip <= S + 200 * MS, "{trip:?}");
        assert!(statistics.timeout < 5 * S, "what is lost now is not sent again in time");
    }
}
