//! Flow synchronisation (RFC 7425 5.2).

use crate::pipe::{Item, Pipe};
use rtmp::command::{Command, Encoding};
use rtmp::connection::ServerEvent;
use rtmp::message::UserControl;
use rtmp::numbers::{BARRIER_WAITS, HELD_MESSAGES_AT_MOST};
use std::time::Duration;

/// The client's control flow and that of its first stream, as the server numbers them.
const CONTROL: u64 = 1000;
const STREAM: u64 = 1001;

fn sync(flow: u64, sync: u32, count: u32) -> Item {
    Item::Message { flow, octets: UserControl::FlowSync { sync, count }.encode() }
}

fn call(flow: u64, name: &str) -> Item {
    Item::Message { flow, octets: Command::new(name, 0.0, Vec::new()).encode(Encoding::Amf0) }
}

fn called(pipe: &Pipe) -> Vec<&str> {
    let mut names = Vec::new();
    for event in &pipe.server_events {
        if let ServerEvent::Called { name, .. } = event {
            names.push(name.as_str());
        }
    }
    names
}

#[test]
fn commands_wait_behind_a_barrier_until_all_flows_have_come() {
    let mut pipe = Pipe::talking();
    pipe.inject(call(CONTROL, "before"));
    pipe.inject(sync(CONTROL, 8, 2));
    pipe.inject(call(CONTROL, "after"));
    pipe.inject(call(CONTROL, "later"));
    assert_eq!(called(&pipe), ["before"]);
    // The other flow goes on until it comes to the barrier.
    let octets = UserControl::SetBufferLength { stream: 1, length: 7 }.encode();
    pipe.inject(Item::Message { flow: STREAM, octets });
    let length = ServerEvent::BufferLength { stream: 1, length: 7 };
    assert_eq!(pipe.server_events.last(), Some(&length));
    pipe.inject(sync(STREAM, 8, 2));
    assert_eq!(called(&pipe), ["before", "after", "later"]);
    assert_eq!(pipe.server.poll_timeout(), None);
}

#[test]
fn barriers_behind_a_barrier_keep_their_order() {
    let mut pipe = Pipe::talking();
    pipe.inject(sync(CONTROL, 8, 2));
    pipe.inject(call(CONTROL, "a"));
    pipe.inject(sync(CONTROL, 13, 2));
    pipe.inject(call(CONTROL, "b"));
    pipe.inject(sync(STREAM, 8, 2));
    assert_eq!(called(&pipe), ["a"]);
    pipe.inject(sync(STREAM, 13, 2));
    assert_eq!(called(&pipe), ["a", "b"]);
    assert_eq!(pipe.server.statistics().barriers_given_up, 0);
}

#[test]
fn sound_does_not_wait() {
    let mut pipe = Pipe::talking();
    pipe.inject(sync(1002, 8, 2));
    assert!(pipe.client_says(1, 0, &[0xb2]));
    assert_eq!(pipe.server_heard.len(), 1);
}

#[test]
fn a_barrier_to_which_nobody_comes_is_given_up() {
    let mut pipe = Pipe::talking();
    pipe.inject(sync(CONTROL, 8, 3));
    pipe.inject(call(CONTROL, "after"));
    pipe.pass(BARRIER_WAITS - Duration::from_millis(1));
    assert_eq!(called(&pipe), [""; 0]);
    pipe.pass(Duration::from_millis(1));
    assert_eq!(called(&pipe), ["after"]);
    assert_eq!(pipe.server.statistics().barriers_given_up, 1);
}

#[test]
fn counts_that_cannot_come_are_not_waited_for() {
    let mut pipe = Pipe::talking();
    for (number, count) in [0, 1, 1000, u32::MAX].into_iter().enumerate() {
        pipe.inject(sync(CONTROL, number as u32, count));
    }
    pipe.inject(call(CONTROL, "after"));
    assert_eq!(called(&pipe), ["after"]);
}

#[test]
fn too_much_behind_a_barrier_opens_it() {
    let mut pipe = Pipe::talking();
    pipe.inject(sync(CONTROL, 8, 2));
    for _ in 0..HELD_MESSAGES_AT_MOST {
        pipe.inject(call(CONTROL, "held"));
    }
    assert!(called(&pipe).is_empty());
    pipe.inject(call(CONTROL, "last"));
    assert_eq!(called(&pipe).len(), HELD_MESSAGES_AT_MOST + 1);
    assert_eq!(called(&pipe).last(), Some(&"last"));
    // The same by size.
    pipe.inject(sync(CONTROL, 9, 2));
    let long = Command::new(&"x".repeat(20_000), 0.0, Vec::new()).encode(Encoding::Amf0);
    for _ in 0..2 {
        pipe.inject(Item::Message { flow: CONTROL, octets: long.clone() });
    }
    assert_eq!(called(&pipe).len(), HELD_MESSAGES_AT_MOST + 3);
}

#[test]
fn many_barriers_are_no_way_to_hold_a_connection() {
    let mut pipe = Pipe::talking();
    for number in 0..100 {
        pipe.inject(sync(CONTROL, number, 2));
    }
    pipe.pass(Duration::from_secs(30));
    pipe.inject(call(CONTROL, "after"));
    pipe.pass(Duration::from_secs(30));
    assert_eq!(called(&pipe), ["after"]);
}

#[test]
fn a_flow_that_ends_behind_a_barrier_is_heard_first() {
    let mut pipe = Pipe::talking();
    pipe.inject(sync(CONTROL, 8, 2));
    pipe.inject(call(CONTROL, "last words"));
    pipe.inject(Item::Finished { flow: CONTROL });
    assert_eq!(called(&pipe), ["last words"]);
    assert!(matches!(pipe.server_events.last(), Some(ServerEvent::Closed(_))));
}
