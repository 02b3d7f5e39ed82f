//! Which flows are let in, and what a rejected one means.

use crate::pipe::{Item, Pipe};
use rtmp::connection::{Action, Cause, ServerEvent, ServerSettings};
use rtmp::connection::{ClientSettings, Server};
use rtmp::metadata::Metadata;
use rtmp::numbers::RECEIVE_FLOWS_AT_MOST;
use std::time::Instant;

fn open(flow: u64, stream: u32, return_of: Option<u64>) -> Item {
    let metadata = Metadata { stream, network_order: false }.encode();
    Item::Open { flow, metadata, return_of }
}

fn rejected(pipe: &Pipe, flow: u64) -> bool {
    pipe.server_actions.contains(&Action::RejectFlow { flow, code: 0 })
}

#[test]
fn the_first_flow_has_to_be_the_control_flow() {
    for (metadata, return_of) in [
        (&b"TC\x04\x01"[..], None),
        (b"TC\x00", None),
        (b"GC\x04\x00", None),
        (b"", None),
        (b"TC\x04\x00", Some(0)),
    ] {
        let mut server = Server::new(Instant::now(), ServerSettings::default());
        server.handle_flow_opened(9, metadata, return_of);
        assert_eq!(server.poll_action(), Some(Action::RejectFlow { flow: 9, code: 0 }));
        // A right one still finds its place.
        server.handle_flow_opened(10, b"TC\x04\x00", None);
        assert_eq!(server.poll_action(), None);
    }
}

#[test]
fn subscriptions_between_peers_are_rejected_and_the_call_goes_on() {
    let mut pipe = Pipe::talking();
    pipe.inject(open(2000, 1, None));
    pipe.inject(open(2001, 0, None));
    assert!(rejected(&pipe, 2000) && rejected(&pipe, 2001));
    assert!(pipe.client_says(1, 0, &[0xb2]));
    assert_eq!(pipe.server_heard.len(), 1);
}

#[test]
fn a_flow_of_an_unknown_stream_is_rejected_and_not_the_session() {
    let mut pipe = Pipe::talking();
    pipe.inject(open(2000, 77, Some(0)));
    // One that answers to a flow that is not ours.
    pipe.inject(open(2001, 1, Some(99)));
    assert!(rejected(&pipe, 2000) && rejected(&pipe, 2001));
    let message = vec![8, 0, 0, 0, 0, 0xb2];
    pipe.inject(Item::Message { flow: 2000, octets: message });
    assert!(pipe.server_heard.is_empty());
    assert!(pipe.server.is_connected());
    assert_eq!(pipe.server.statistics().rejected_flows, 2);
}

#[test]
fn more_flows_for_a_stream_are_welcome_up_to_a_bound() {
    let mut pipe = Pipe::talking();
    // The client has its control flow and three for its streams.
    let free = RECEIVE_FLOWS_AT_MOST as u64 - 4;
    for flow in 0..free {
        pipe.inject(open(2000 + flow, 1, Some(0)));
    }
    assert_eq!(pipe.server.statistics().rejected_flows, 0);
    pipe.inject(open(3000, 1, Some(0)));
    assert!(rejected(&pipe, 3000));
    pipe.inject(Item::Message { flow: 2007, octets: vec![8, 0, 0, 0, 9, 0xb2] });
    assert_eq!(pipe.server_heard.len(), 1);
    // A flow that has finished makes room.
    pipe.inject(Item::Finished { flow: 2007 });
    pipe.inject(open(3001, 1, Some(0)));
    assert!(!rejected(&pipe, 3001));
}

#[test]
fn a_rejected_stream_flow_is_told_and_not_replaced() {
    let mut pipe = Pipe::talking();
    assert!(pipe.server_says(2, 0, &[0xb2]));
    let sound = pipe.server_actions.iter().find_map(|action| match action {
        Action::OpenFlow { flow, time_critical: true, .. } => Some(*flow),
        _ => None,
    });
    pipe.server.handle_flow_rejected(sound.unwrap());
    pipe.server.handle_flow_rejected(12_345);
    pipe.run();
    assert_eq!(pipe.server_events.last(), Some(&ServerEvent::FlowRejected { stream: 2 }));
    assert!(!pipe.server_says(2, 20, &[0xb2]));
    assert!(pipe.server.is_connected());
    let opened = |pipe: &Pipe| {
        let open = |action: &&Action| matches!(action, Action::OpenFlow { .. });
        pipe.server_actions.iter().filter(open).count()
    };
    let before = opened(&pipe);
    pipe.client.play(2, "far");
    pipe.run();
    assert_eq!(opened(&pipe), before);
}

#[test]
fn a_rejected_control_flow_is_the_end() {
    let mut pipe = Pipe::talking();
    pipe.server.handle_flow_rejected(0);
    assert!(pipe.server.is_over());
    pipe.run();
    assert_eq!(pipe.server_events.last(), Some(&ServerEvent::Closed(Cause::Rejected)));
    assert_eq!(pipe.server_actions.last(), Some(&Action::CloseSession));
    assert!(pipe.client.is_over());
}

#[test]
fn the_hint_of_network_order_is_for_flows_with_sound_only() {
    let settings = ClientSettings { network_order: true, ..Default::default() };
    let mut pipe = Pipe::new(settings);
    pipe.run();
    pipe.client.create_stream();
    pipe.run();
    pipe.client.publish(1, "mic");
    pipe.run();
    let flags: Vec<_> = pipe
        .client_actions
        .iter()
        .filter_map(|action| match action {
            Action::OpenFlow { metadata, time_critical, .. } => Some((metadata[2], *time_critical)),
            _ => None,
        })
        .collect();
    assert_eq!(flags, [(4, false), (4, false), (5, true)]);
    assert!(pipe.client_says(1, 0, &[0xb2]));
    assert_eq!(pipe.server_heard.len(), 1);
}

#[test]
fn what_a_client_opens_answers_to_the_first_control_flow_of_the_server() {
    let mut pipe = Pipe::connected();
    // One more control flow of the server's, and one that answers to nothing.
    pipe.client.handle_flow_opened(5077, b"TC\x04\x00", Some(0));
    pipe.client.handle_flow_opened(5078, b"TC\x04\x00", None);
    pipe.client.handle_flow_opened(5079, b"TC\x04\x63", Some(0));
    pipe.client.create_stream();
    pipe.run();
    pipe.client.publish(1, "mic");
    pipe.run();
    let associations: Vec<_> = pipe
        .client_actions
        .iter()
        .filter_map(|action| match action {
            Action::OpenFlow { return_of, .. } => Some(*return_of),
            _ => None,
        })
        .collect();
    assert_eq!(associations, [None, Some(5000), Some(5000)]);
    assert_eq!(pipe.client.statistics().rejected_flows, 2);
    assert!(!pipe.client_actions.contains(&Action::RejectFlow { flow: 5077, code: 0 }));
}

#[test]
fn sound_is_taken_as_the_network_brings_it_for_as_long_as_nothing_else_is_on_its_flow() {
    let orders = |pipe: &Pipe| -> Vec<(u64, bool)> {
        let order = |action: &Action| match action {
            Action::SetOrder { flow, network } => Some((*flow, *network)),
            _ => None,
        };
        pipe.server_actions.iter().filter_map(order).collect()
    };
    let sound = || vec![8, 0, 0, 0, 0, 0xb2];
    let mut pipe = Pipe::talking();
    pipe.inject(open(2000, 1, Some(0)));
    // A barrier says nothing about what the flow carries (type 4, event 0x0022).
    let barrier = vec![4, 0, 0, 0, 0, 0, 0x22, 0, 0, 0, 9, 0, 0, 0, 1];
    pipe.inject(Item::Message { flow: 2000, octets: barrier });
    assert_eq!(orders(&pipe), []);
    for _ in 0..3 {
        pipe.inject(Item::Message { flow: 2000, octets: sound() });
    }
    assert_eq!(orders(&pipe), [(2000, true)]);
    // Pictures depend on those before them.
    pipe.inject(Item::Message { flow: 2000, octets: vec![9, 0, 0, 0, 0, 0x22] });
    pipe.inject(Item::Message { flow: 2000, octets: sound() });
    assert_eq!(orders(&pipe), [(2000, true), (2000, false)]);
    pipe.inject(open(2001, 1, Some(0)));
    pipe.inject(Item::Message { flow: 2001, octets: vec![9, 0, 0, 0, 0, 0x22] });
    pipe.inject(Item::Message { flow: 2001, octets: sound() });
    assert_eq!(orders(&pipe).len(), 2, "what came with pictures first stays in its order");
}
