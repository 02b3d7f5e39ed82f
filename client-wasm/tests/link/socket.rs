//! When sockets are opened, given up and no longer tried.

use crate::world::{OFF, RESUMED, TRYING, UP, World, answer};
use client_wasm::link::{Action, Link};
use signalling::{EndCause, ErrorCode, QualityReport, VERSION, limits};
use std::time::Duration;

#[test]
fn back_off_doubles_within_its_bounds_and_starts_over_after_a_good_socket() {
    for seed in 0..50 {
        let mut world = World::new(seed);
        world.seconds(10);
        world.network = false;
        world.opened.clear();
        let cut_at = world.now;
        world.cut();
        world.seconds(120);
        let mut before = cut_at;
        let mut bound = limits::RECONNECT_FIRST;
        assert!(world.opened.len() > 10);
        for at in &world.opened {
            let wait = *at - before;
            assert!(wait >= bound / 2 && wait <= bound, "seed {seed}: {wait:?} of {bound:?}");
            before = *at;
            bound = (bound * 2).min(limits::RECONNECT_LONGEST);
        }
        world.network = true;
        world.seconds(20);
        world.opened.clear();
        let cut_at = world.now;
        world.cut();
        world.seconds(1);
        assert!(world.opened[0] - cut_at <= limits::RECONNECT_FIRST, "seed {seed}");
    }
}

#[test]
fn a_server_that_welcomes_and_hangs_up_at_once_is_not_hammered() {
    let mut world = World::new(5);
    let began = world.now;
    for _ in 0..8 {
        world.cut();
        let due = world.link.next_deadline().unwrap();
        world.pass(due - world.now);
    }
    assert!(world.now - began > Duration::from_secs(10));
}

#[test]
fn a_server_gone_silent_gets_its_socket_closed_and_a_new_one() {
    let mut world = World::new(11);
    world.opened.clear();
    world.server.silent = true;
    world.seconds(14);
    assert!(world.socket);
    world.seconds(2);
    assert!(!world.opened.is_empty(), "a new socket after {:?}", limits::LINK_SILENCE);
    // The new one is not welcomed either: it is given up too.
    world.seconds(60);
    assert!(world.opened.len() > 3);
    world.server.silent = false;
    world.seconds(20);
    assert_eq!(world.connections(), [UP, TRYING, UP]);
}

#[test]
fn a_page_that_talks_all_the_time_still_notices_a_silent_server() {
    let mut world = World::new(12);
    let call = world.call();
    world.server_says(answer(call));
    world.server.silent = true;
    world.opened.clear();
    for _ in 0..10 {
        world.link.quality(world.now, call, QualityReport::default());
        world.settle();
        world.seconds(2);
    }
    assert!(!world.opened.is_empty());
}

#[test]
fn a_heartbeat_goes_out_each_five_seconds_and_no_more() {
    let mut world = World::new(13);
    world.seconds(61);
    assert_eq!(world.server.pings, 12);
    assert_eq!(world.connections(), [UP]);
}

#[test]
fn a_timer_that_fires_a_minute_late_does_not_cost_the_socket() {
    let mut world = World::new(14);
    for _ in 0..5 {
        world.now += Duration::from_secs(60);
        world.link.tick(world.now);
        world.settle();
    }
    assert_eq!(world.connections(), [UP]);
}

#[test]
fn a_network_change_shortens_the_wait_and_unmasks_a_dead_socket() {
    let mut world = World::new(15);
    world.network = false;
    world.cut();
    world.seconds(30);
    world.network = true;
    world.link.network_changed(world.now);
    world.settle();
    assert_eq!(world.connections().last(), Some(&RESUMED));

    world.server.silent = true;
    world.opened.clear();
    world.link.network_changed(world.now);
    world.settle();
    world.seconds(4);
    assert!(!world.opened.is_empty(), "found out within seconds");
}

#[test]
fn a_socket_that_never_opens_is_given_up_and_tried_again() {
    let mut link = Link::new(None, None, 1);
    link.connect(Duration::ZERO);
    assert_eq!(link.poll(), Some(Action::Open));
    let due = link.next_deadline().unwrap();
    assert_eq!(due, Duration::from_secs(10));
    link.tick(due);
    assert_eq!(link.poll(), Some(Action::Close));
    assert_eq!(link.poll(), Some(Action::Connection(TRYING)));
    link.tick(link.next_deadline().unwrap());
    assert_eq!(link.poll(), Some(Action::Open));
}

#[test]
fn a_server_of_another_version_ends_the_attempts() {
    let mut world = World::new(19);
    world.server.version = Some(VERSION + 1);
    world.server.forgetful = true;
    world.cut();
    world.seconds(1);
    assert_eq!(world.errors(), [ErrorCode::Version]);
    assert_eq!(world.connections().last(), Some(&OFF));
    world.opened.clear();
    world.seconds(600);
    assert!(world.opened.is_empty());
}

#[test]
fn a_refusal_ends_the_attempts_and_the_waiting_call_but_a_full_server_is_asked_again() {
    for (code, tries_again) in [
        (ErrorCode::Version, false),
        (ErrorCode::UnknownButton, false),
        (ErrorCode::Forbidden, false),
        (ErrorCode::Limit, true),
        (ErrorCode::Draining, true),
    ] {
        let mut world = World::new(20);
        world.server.refusal = Some(code);
        world.server.forgetful = true;
        world.network = false;
        world.cut();
        let call = world.call();
        world.network = true;
        world.seconds(1);
        assert!(world.errors().contains(&code));
        world.opened.clear();
        world.seconds(60);
        assert_eq!(!world.opened.is_empty(), tries_again, "{code:?}");
        assert_eq!(world.ends(), [(call, EndCause::VisitorLost)], "{code:?}");
    }
}
