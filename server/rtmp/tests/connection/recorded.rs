//! Sessions that independent ends have recorded: their messages, flow by flow.

use base::speex;
use rtmp::amf::Value;
use rtmp::application::Request;
use rtmp::command::Command;
use rtmp::connection::{
    Action, Client, ClientEvent, ClientSettings, Server, ServerEvent, ServerSettings,
};
use rtmp::media::{AudioCodec, AudioTag, g711_frames};
use rtmp::message::Message;
use std::time::Instant;

/// A client that copies Flash Player's packets: transaction 0, no null in the command object's
/// place, a string in AMF 3 within type 20.
const FLASH_LIKE: &str = include_str!("data/librtmfp-checksum.txt");
/// A client after the letter of the RFCs.
const STRICT: &str = include_str!("data/static2-checksum.txt");

enum Line {
    Open { flow: u64, metadata: Vec<u8>, return_of: Option<u64> },
    Close { flow: u64 },
    Message { flow: u64, octets: Vec<u8> },
}

fn octets(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// What one side (`C` or `S`) did.
fn lines(recording: &str, side: &str) -> Vec<Line> {
    let line = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let flow = |word: &str| word.parse().unwrap();
        (words[0] == side).then(|| match words[1..] {
            ["open", id, metadata, association] => {
                let metadata = octets(metadata);
                // Flow IDs of up to 127 are one octet long.
                let return_of = (association != "-").then(|| u64::from(octets(association)[0]));
                Line::Open { flow: flow(id), metadata, return_of }
            }
            ["close", id] => Line::Close { flow: flow(id) },
            [id, message] => Line::Message { flow: flow(id), octets: octets(message) },
            _ => panic!("{line}"),
        })
    };
    recording.lines().filter_map(line).collect()
}

#[derive(Default)]
struct Played {
    events: Vec<ServerEvent>,
    actions: Vec<Action>,
    sound: Vec<(u32, Vec<u8>)>,
}

/// Plays the client's side to a server. The recorded server's control flow had the number 2, ours
/// has 0.
fn play(recording: &str) -> Played {
    let now = Instant::now();
    let mut server = Server::new(now, ServerSettings::default());
    let mut played = Played::default();
    for line in lines(recording, "C") {
        match line {
            Line::Open { flow, metadata, return_of } => {
                assert!(return_of.is_none_or(|flow| flow == 2));
                server.handle_flow_opened(flow, &metadata, return_of.map(|_| 0));
            }
            Line::Close { flow } => server.handle_flow_finished(now, flow),
            Line::Message { flow, octets } => {
                if let Some(media) = server.handle_message(now, flow, &octets) {
                    played.sound.push((media.timestamp, media.payload.to_vec()));
                }
            }
        }
        while let Some(event) = server.poll_event() {
            match &event {
                ServerEvent::ConnectRequested(_) => server.accept(),
                ServerEvent::PublishRequested { stream, .. } => server.accept_publish(*stream),
                _ => {}
            }
            played.events.push(event);
        }
        while let Some(action) = server.poll_action() {
            played.actions.push(action);
        }
    }
    assert_eq!(server.statistics().rejected_flows, 0);
    assert_eq!(server.statistics().malformed, 0);
    played
}

#[test]
fn a_client_that_copies_flash_player_is_served() {
    let played = play(FLASH_LIKE);
    let ServerEvent::ConnectRequested(request) = &played.events[0] else { panic!() };
    assert_eq!((request.app.as_str(), request.object_encoding), ("live", 3));
    assert_eq!(request.tc_url.reveal(), "rtmfp://127.0.0.1:1935/live");
    assert_eq!(request.flash_version, "WIN 20,0,0,286");
    let ServerEvent::PeerInfo(addresses) = &played.events[1] else { panic!() };
    let texts: Vec<_> = addresses.reveal().iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["192.0.2.2:47168", "[fd00::2]:47749"]);
    assert_eq!(
        played.events[2..],
        [
            ServerEvent::StreamCreated { stream: 1 },
            ServerEvent::PublishRequested { stream: 1, name: "mic".into() },
            ServerEvent::PublishStopped { stream: 1 },
        ]
    );
}

#[test]
fn the_answers_have_the_shape_that_was_recorded() {
    for recording in [FLASH_LIKE, STRICT] {
        let played = play(recording);
        let recorded: Vec<_> = lines(recording, "S")
            .into_iter()
            .filter_map(|line| match line {
                Line::Message { flow, octets } => Some((flow, octets)),
                _ => None,
            })
            .collect();
        let sent: Vec<_> = played
            .actions
            .iter()
            .filter_map(|action| match action {
                Action::Send { flow, octets } => Some((*flow, octets.clone())),
                _ => None,
            })
            .collect();
        // Success, the new stream, and that publishing has started.
        for ((_, ours), (_, theirs)) in sent.iter().zip(&recorded).take(3) {
            let parse = |octets: &[u8]| {
                assert_eq!(octets[0], 20);
                Command::parse(Message::parse(octets).unwrap().payload).unwrap()
            };
            let (ours, theirs) = (parse(ours), parse(theirs));
            assert_eq!((&ours.name, &ours.object), (&theirs.name, &theirs.object));
            assert_eq!(ours.transaction, theirs.transaction);
            assert_eq!(ours.arguments.len(), theirs.arguments.len());
            for name in ["level", "code", "objectEncoding"] {
                let find = |command: &Command| command.arguments[0].find(name).cloned();
                assert_eq!(find(&ours), find(&theirs), "{name}");
            }
        }
        // The answer to `createStream` is the same to the octet.
        assert_eq!(sent[1].1, recorded[1].1);
        assert_eq!(
            played.actions[0],
            Action::OpenFlow {
                flow: 0,
                metadata: octets("54430400"),
                return_of: Some(2),
                time_critical: false
            }
        );
    }
}

/// The frames of a Speex message, each with whether it is a wide-band one.
fn frames(message: &[u8]) -> Vec<(bool, Vec<u8>)> {
    let written = |frame: speex::Frame<'_>| {
        let mut octets = [0; speex::MAX_OCTETS];
        let length = frame.write(&mut octets).unwrap();
        (frame.is_wide(), octets[..length].to_vec())
    };
    speex::Frames::new(message, speex::Packing::of(message)).map(written).collect()
}

#[test]
fn recorded_speex_is_one_wide_band_frame_a_message() {
    let played = play(FLASH_LIKE);
    assert_eq!(played.sound.len(), 24);
    for (index, (timestamp, payload)) in played.sound.iter().enumerate() {
        assert_eq!(*timestamp, index as u32 * 20);
        let tag = AudioTag::parse(payload).unwrap();
        assert_eq!((tag.codec, tag.sound.len()), (AudioCodec::Speex, 70));
        assert_eq!(frames(tag.sound), [(true, tag.sound.to_vec())]);
        // Two of them in a message, as Flash Player does it, come apart again.
        let two = [tag.sound, tag.sound].concat();
        assert_eq!(frames(&two), [(true, tag.sound.to_vec()), (true, tag.sound.to_vec())]);
    }
}

#[test]
fn recorded_g711_is_twenty_milliseconds_a_message() {
    let played = play(STRICT);
    assert_eq!(played.sound.len(), 6);
    for (_, payload) in &played.sound {
        let tag = AudioTag::parse(payload).unwrap();
        assert_eq!((tag.codec, g711_frames(tag.sound).count()), (AudioCodec::Mulaw, 2));
    }
    let names: Vec<_> = played.events.iter().rev().take(3).collect();
    assert_eq!(*names[1], ServerEvent::StreamDeleted { stream: 1 });
    assert!(matches!(names[0], ServerEvent::Closed(_)));
}

#[test]
fn a_recorded_server_is_understood() {
    for (recording, zero_transactions) in [(FLASH_LIKE, true), (STRICT, false)] {
        let now = Instant::now();
        let settings = ClientSettings { zero_transactions, ..ClientSettings::default() };
        let mut client = Client::new(now, settings);
        let mut events = Vec::new();
        for line in lines(recording, "S") {
            match line {
                // All of the recorded server's flows answer to the client's control flow.
                Line::Open { flow, metadata, .. } => {
                    client.handle_flow_opened(flow, &metadata, Some(0));
                }
                Line::Close { flow } => client.handle_flow_finished(now, flow),
                Line::Message { flow, octets } => {
                    assert_eq!(client.handle_message(now, flow, &octets), None);
                }
            }
            while let Some(event) = client.poll_event() {
                match &event {
                    ClientEvent::Connected(_) => drop(client.create_stream()),
                    ClientEvent::StreamCreated { stream } => client.publish(*stream, "mic"),
                    _ => {}
                }
                events.push(event);
            }
        }
        let ClientEvent::Connected(info) = &events[0] else { panic!("{events:?}") };
        let code = |info: &Value| info.find("code").unwrap().as_str().unwrap().to_owned();
        assert_eq!(code(info), "NetConnection.Connect.Success");
        assert_eq!(events[1], ClientEvent::StreamCreated { stream: 1 });
        let ClientEvent::Status { stream: 1, info } = &events[2] else { panic!("{events:?}") };
        assert_eq!(code(info), "NetStream.Publish.Start");
        assert_eq!(client.statistics().rejected_flows, 0);
    }
}

#[test]
fn a_call_of_amf3_within_type_17_is_read() {
    // "call", 4, null, and behind the marker 0x11 an AMF 3 object: {uri: "a", video: true}.
    let message = octets(
        "1100000000 00 02000463616c6c 004010000000000000 05 110a0b01077572690603610b766964656f0301"
            .replace(' ', "")
            .as_str(),
    );
    let Some(message) = Message::parse(&message) else { panic!() };
    let rtmp::message::Body::Command { values, extended: true } = message.body() else { panic!() };
    let command = Command::parse(values).unwrap();
    assert_eq!((command.name.as_str(), command.transaction), ("call", 4.0));
    let uri = Some(base::Private::new("a".to_owned()));
    let request = Request::parse(&command.name, command.arguments);
    assert_eq!(request, Ok(Request::Call { uri, video: true }));
}
