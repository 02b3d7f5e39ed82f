//! Publishing and playing.

use crate::pipe::{Item, Pipe};
use base::Seed;
use rtmp::command::{Command, Data};
use rtmp::connection::{Action, ClientEvent, ClientSettings, MediaKind, ServerEvent};
use rtmp::message::{Body, Message, UserControl};
use rtmp::numbers::STREAMS_AT_MOST;
use rtmp::status::Refusal;

#[test]
fn sound_passes_both_ways() {
    let mut pipe = Pipe::talking();
    assert!(pipe.client_says(1, 20, &[0xb2, 1, 2]));
    assert!(pipe.server_says(2, 40, &[0x82, 3]));
    assert_eq!(pipe.server_heard, [(1, MediaKind::Audio, 20, vec![0xb2, 1, 2])]);
    assert_eq!(pipe.client_heard, [(2, MediaKind::Audio, 40, vec![0x82, 3])]);
    // Each on a stream of its own: neither end sends where it has nothing to send.
    assert!(!pipe.client_says(2, 0, &[0xb2]));
    assert!(!pipe.server_says(1, 0, &[0xb2]));
}

#[test]
fn the_application_is_asked_before_anything_is_published_or_played() {
    let mut pipe = Pipe::connected();
    pipe.client.create_stream();
    pipe.client.create_stream();
    pipe.run();
    pipe.willing = false;
    pipe.client.publish(1, "mic");
    pipe.client.play(2, "far");
    pipe.run();
    pipe.client_says(1, 0, &[0xb2]);
    assert!(pipe.server_heard.is_empty());
    assert!(!pipe.server_says(2, 0, &[0xb2]));
    let asked: Vec<_> = pipe.server_events.split_off(pipe.server_events.len() - 2);
    let publish = ServerEvent::PublishRequested { stream: 1, name: "mic".into() };
    let play = ServerEvent::PlayRequested { stream: 2, name: "far".into() };
    assert_eq!(asked, [publish, play]);
    // An answer of the wrong kind is none.
    pipe.server.refuse_play(1, &Refusal::bad_argument("no"));
    pipe.server.accept_publish(2);
    pipe.run();
    assert_eq!(pipe.codes(), []);
    pipe.server.refuse_publish(1, &Refusal::new("NetStream.Publish.BadName", "no"));
    pipe.server.accept_play(2);
    pipe.run();
    let codes = [
        (1, "NetStream.Publish.BadName".to_owned()),
        (2, "NetStream.Play.Reset".to_owned()),
        (2, "NetStream.Play.Start".to_owned()),
    ];
    assert_eq!(pipe.codes(), codes);
}

#[test]
fn playing_begins_in_the_order_that_players_expect() {
    let pipe = Pipe::talking();
    let opened: Vec<_> = pipe
        .server_actions
        .iter()
        .filter_map(|action| match action {
            Action::OpenFlow { flow, metadata, return_of, time_critical } => {
                Some((*flow, metadata.clone(), *return_of, *time_critical))
            }
            _ => None,
        })
        .collect();
    // Control, and for each stream its control; for the one that plays a flow for sound. All answer
    // to the client's control flow.
    let expected: Vec<_> = [(0, false), (1, false), (2, false), (2, true)]
        .into_iter()
        .enumerate()
        .map(|(flow, (stream, sound))| {
            (flow as u64, vec![0x54, 0x43, 4, stream], Some(1000), sound)
        })
        .collect();
    assert_eq!(opened, expected);
    let sent: Vec<_> = pipe
        .server_actions
        .iter()
        .filter_map(|action| match action {
            Action::Send { flow: 2, octets } => Some(octets.as_slice()),
            _ => None,
        })
        .collect();
    assert_eq!(sent.len(), 4);
    let bodies: Vec<_> = sent.iter().map(|octets| Message::parse(octets).unwrap().body()).collect();
    assert_eq!(bodies[0], Body::UserControl(UserControl::StreamBegin(2)));
    for (body, code) in bodies[1..3].iter().zip(["NetStream.Play.Reset", "NetStream.Play.Start"]) {
        let Body::Command { values, extended: true } = body else { panic!("{body:?}") };
        let command = Command::parse(values).unwrap();
        assert_eq!((command.name.as_str(), command.transaction), ("onStatus", 0.0));
        let info = &command.arguments[0];
        assert_eq!(info.find("code").unwrap().as_str(), Some(code));
        assert_eq!(info.find("level").unwrap().as_str(), Some("status"));
    }
    let Body::Data(values) = bodies[3] else { panic!("{:?}", bodies[3]) };
    let values = Data::parse(values).unwrap();
    assert_eq!((values.name.as_str(), values.values.len()), ("|RtmpSampleAccess", 2));
}

#[test]
fn a_player_that_wants_no_sound_gets_none() {
    let mut pipe = Pipe::talking();
    pipe.client.receive_audio(2, false);
    pipe.run();
    assert!(!pipe.server_says(2, 0, &[0xb2]));
    pipe.client.receive_audio(2, true);
    pipe.client.receive_video(2, false);
    pipe.run();
    assert!(pipe.server_says(2, 0, &[0xb2]));
    let wanted = |kind, wanted| ServerEvent::MediaWanted { stream: 2, kind, wanted };
    let expected = [
        wanted(MediaKind::Audio, false),
        wanted(MediaKind::Audio, true),
        wanted(MediaKind::Video, false),
    ];
    let events = &pipe.server_events;
    assert_eq!(events[events.len() - 3..], expected);
}

#[test]
fn pictures_have_a_flow_of_their_own() {
    let mut pipe = Pipe::talking();
    let mut buffer = [0; 20];
    assert_eq!(pipe.server.write_video(2, 0, &[0x17], &mut buffer), None);
    pipe.server.open_video(2);
    let out = pipe.server.write_video(2, 7, &[0x17, 1], &mut buffer).unwrap();
    assert_eq!(buffer[..out.length], [9, 0, 0, 0, 7, 0x17, 1]);
    let sound = pipe.server.write_audio(2, 7, &[0xb2], &mut buffer).unwrap();
    assert_ne!(out.flow, sound.flow);
    // A buffer that is too small is no panic.
    assert_eq!(pipe.server.write_audio(2, 7, &[0xb2; 16], &mut buffer), None);
}

#[test]
fn a_stream_can_be_closed_and_published_again() {
    let mut pipe = Pipe::talking();
    pipe.client.close_stream(1);
    pipe.run();
    assert!(pipe.server_events.contains(&ServerEvent::PublishStopped { stream: 1 }));
    assert!(!pipe.client_says(1, 0, &[0xb2]));
    pipe.client.publish(1, "again");
    pipe.run();
    assert!(pipe.client_says(1, 0, &[0xb2]));
    assert_eq!(pipe.server_heard.len(), 1);
    let codes: Vec<_> = pipe.codes().into_iter().filter(|(stream, _)| *stream == 1).collect();
    let expected =
        ["NetStream.Publish.Start", "NetStream.Unpublish.Success", "NetStream.Publish.Start"];
    assert_eq!(codes, expected.map(|code| (1, code.to_owned())));
}

#[test]
fn a_deleted_stream_leaves_nothing_open_and_late_messages_are_harmless() {
    let mut pipe = Pipe::talking();
    assert!(pipe.client_says(1, 0, &[0xb2]));
    // A command that overtakes what is still under way on the stream's flows.
    let delete = Command::new("deleteStream", 0.0, vec![1.0.into()]);
    pipe.inject(Item::Message { flow: 1000, octets: delete.encode(Default::default()) });
    assert!(pipe.client_says(1, 20, &[0xb2]));
    assert_eq!(pipe.server_heard.len(), 1);
    assert_eq!(pipe.server.statistics().rejected_flows, 0);
    assert!(pipe.server_events.contains(&ServerEvent::StreamDeleted { stream: 1 }));
    assert!(pipe.server_actions.contains(&Action::CloseFlow { flow: 1 }));
    // The other stream goes on.
    assert!(pipe.server_says(2, 0, &[0xb2]));
    pipe.client.delete_stream(2);
    pipe.run();
    assert!(!pipe.server_says(2, 0, &[0xb2]));
    assert!(pipe.server_events.contains(&ServerEvent::PlayStopped { stream: 2 }));
}

#[test]
fn streams_are_bounded_and_their_numbers_are_not_used_again() {
    let mut pipe = Pipe::connected();
    for _ in 0..STREAMS_AT_MOST {
        pipe.client.create_stream();
        pipe.run();
    }
    let transaction = pipe.client.create_stream().unwrap();
    pipe.run();
    let last = pipe.client_events.last().unwrap();
    let ClientEvent::Answered { transaction: answered, outcome: Err(info) } = last else {
        panic!("{last:?}")
    };
    assert_eq!(*answered, transaction);
    assert_eq!(info.find("code").unwrap().as_str(), Some("NetConnection.Call.Failed"));
    pipe.client.delete_stream(3);
    pipe.client.create_stream();
    pipe.run();
    let stream = STREAMS_AT_MOST as u32 + 1;
    assert_eq!(pipe.client_events.last(), Some(&ClientEvent::StreamCreated { stream }));
}

#[test]
fn a_player_is_told_when_what_it_plays_has_ended() {
    let mut pipe = Pipe::talking();
    pipe.server.notify_unpublished(2);
    pipe.server.notify_unpublished(1);
    pipe.run();
    let code = (2, "NetStream.Play.UnpublishNotify".to_owned());
    assert_eq!(pipe.codes().last(), Some(&code));
    let end = ClientEvent::UserControl(UserControl::StreamEof(2));
    assert_eq!(pipe.client_events.iter().filter(|event| **event == end).count(), 1);
}

#[test]
fn commands_without_a_name_are_answered() {
    let mut pipe = Pipe::talking();
    for (name, arguments) in
        [("publish", vec![]), ("play", vec![7.0.into()]), ("publish", vec!["".into()])]
    {
        let command = Command::new(name, 0.0, arguments);
        // The stream's control flow is the client's second.
        pipe.inject(Item::Message { flow: 1001, octets: command.encode(Default::default()) });
    }
    let codes: Vec<_> = pipe.codes().into_iter().rev().take(3).map(|(_, code)| code).collect();
    let bad = "NetStream.Publish.BadName";
    assert_eq!(codes, [bad, "NetStream.Play.Failed", bad]);
    assert!(pipe.client_says(1, 0, &[0xb2]));
    assert_eq!(pipe.server_heard.len(), 1);
}

#[test]
fn the_buffer_length_of_a_player_is_told() {
    let mut pipe = Pipe::talking();
    pipe.client.set_buffer_length(2, 100);
    pipe.run();
    let event = ServerEvent::BufferLength { stream: 2, length: 100 };
    assert_eq!(pipe.server_events.last(), Some(&event));
}

#[test]
fn a_call_survives_any_order_across_flows() {
    for number in 0..300 {
        let settings = ClientSettings {
            object_encoding: if number % 2 == 0 { 0 } else { 3 },
            network_order: number % 3 == 0,
            ..ClientSettings::default()
        };
        let mut pipe = Pipe::new(settings);
        pipe.seed = Some(Seed::from_number(number));
        pipe.run();
        pipe.client.create_stream();
        pipe.client.create_stream();
        pipe.run();
        pipe.client.publish(1, "mic");
        pipe.client.play(2, "far");
        // Sound that is sent with the command may come before it, and is lost then.
        pipe.client_says(1, 0, &[0xb2]);
        for time in 1..10 {
            assert!(pipe.client_says(1, time, &[0xb2]) && pipe.server_says(2, time, &[0x82]));
        }
        assert!(pipe.server_heard.len() >= 9 && pipe.client_heard.len() == 9, "seed {number}");
        pipe.client.delete_stream(1);
        pipe.client.delete_stream(2);
        pipe.run();
        assert_eq!(pipe.server.statistics().rejected_flows, 0, "seed {number}");
        assert_eq!(pipe.client.statistics().rejected_flows, 0, "seed {number}");
        assert!(pipe.server.is_connected(), "seed {number}");
    }
}
