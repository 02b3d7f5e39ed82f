//! How sessions end (RFC 7016 section 3.5.5).

use crate::script::{MS, PLAIN, S, Script, data, first, options};
use crate::world::World;
use rtmfp::chunk::Chunk;
use rtmfp::session::{CloseCause, SendError, SessionCommand, SessionEvent};
use std::time::Duration;

fn closed(cause: CloseCause) -> SessionEvent {
    SessionEvent::Closed { cause }
}

#[test]
fn an_orderly_close_asks_every_five_seconds_for_ninety() {
    let mut script = Script::new();
    let flow = script.open();
    script.send(flow, b"never sent");
    script.command(SessionCommand::Close { orderly: true });
    assert_eq!(script.events(), [closed(CloseCause::Local)]);
    assert_eq!(script.one().kinds, [0x0c], "flows are gone at once");
    let now = script.now;
    assert_eq!(script.session.send(now, flow, b"x", None), Err(SendError::NotOpen));
    assert_eq!(script.session.open_flow(PLAIN), Err(SendError::NotOpen));
    assert!(script.pass(4999 * MS).is_empty());
    assert_eq!(script.pass(MS).len(), 1);
    assert_eq!(script.pass(84_999 * MS).len(), 16);
    assert!(!script.session.is_over());
    script.pass(MS);
    assert!(script.session.is_over());
    assert_eq!((script.session.poll_timeout(), script.events()), (None, vec![]));
}

#[test]
fn a_close_acknowledgement_ends_it() {
    let mut script = Script::new();
    script.command(SessionCommand::Close { orderly: true });
    script.one();
    script.arrive(&[Chunk::CloseAck]);
    assert!(script.session.is_over());
    assert_eq!(script.events(), [closed(CloseCause::Local)]);
    assert!(script.sent().is_empty());
}

#[test]
fn each_close_request_is_answered_for_nineteen_seconds() {
    let mut script = Script::new();
    script.arrive(&[first(5, &options(Some(b"m"), None), b"x"), Chunk::CloseRequest]);
    assert_eq!(script.events().last(), Some(&closed(CloseCause::Peer)));
    assert_eq!(script.one().kinds, [0x4c]);
    for _ in 0..3 {
        script.pass(5 * S);
        script.arrive(&[Chunk::CloseRequest, data(5, 2, 1, b"y")]);
        assert_eq!(script.one().kinds, [0x4c]);
    }
    assert!(!script.session.is_over());
    assert_eq!(script.events(), []);
    script.pass(4 * S);
    assert!(script.session.is_over());
    script.arrive(&[Chunk::CloseRequest]);
    assert!(script.sent().is_empty());
}

#[test]
fn an_abrupt_close_tells_the_far_end_once() {
    let mut script = Script::new();
    script.command(SessionCommand::Close { orderly: false });
    assert!(!script.session.is_over(), "the notice is still to be sent");
    assert_eq!(script.one().kinds, [0x4c]);
    assert!(script.session.is_over());
    assert_eq!(script.events(), [closed(CloseCause::Local)]);
    assert_eq!(script.session.poll_timeout(), None);
}

#[test]
fn an_abrupt_close_of_the_far_end_needs_no_answer() {
    let mut script = Script::new();
    script.arrive(&[Chunk::CloseAck, data(5, 1, 1, b"x")]);
    assert_eq!(script.events(), [closed(CloseCause::Peer)]);
    assert!(script.session.is_over() && script.sent().is_empty());
}

#[test]
fn a_request_that_crosses_ours_is_answered_and_ours_still_waits() {
    let mut script = Script::new();
    script.command(SessionCommand::Close { orderly: true });
    script.arrive(&[Chunk::CloseRequest]);
    assert_eq!(script.one().kinds, [0x4c, 0x0c]);
    assert!(!script.session.is_over());
    script.arrive(&[Chunk::CloseAck]);
    assert!(script.session.is_over());
    assert_eq!(script.events(), [closed(CloseCause::Local)]);
}

#[test]
fn both_ends_close_with_one_event_each_whoever_begins_and_with_flows_at_work() {
    for orderly in [true, false] {
        for begins in 0..2 {
            let mut world = World::clean(40);
            let flow = world.with(0, |_, session| session.open_flow(PLAIN)).unwrap();
            world.with(0, |now, session| session.send(now, flow, &[0; 30_000], None)).unwrap();
            world.run(90 * MS);
            world.with(begins, |now, session| {
                session.command(now, SessionCommand::Close { orderly });
            });
            world.run(Duration::from_secs(30));
            for end in 0..2 {
                let cause = if end == begins { CloseCause::Local } else { CloseCause::Peer };
                assert_eq!(world.count(end, |event| *event == closed(cause)), 1);
                assert!(world.ends[end].session.is_over());
                assert_eq!(world.ends[end].session.poll_timeout(), None);
            }
        }
    }
}

#[test]
fn both_ends_may_close_at_the_same_moment() {
    let mut world = World::clean(40);
    for end in 0..2 {
        world.with(end, |now, session| {
            session.command(now, SessionCommand::Close { orderly: true });
        });
    }
    world.run(S);
    for end in 0..2 {
        assert!(world.ends[end].session.is_over());
        assert_eq!(world.count(end, |event| *event == closed(CloseCause::Local)), 1);
        assert_eq!(world.ends[end].events.len(), 1);
    }
}
