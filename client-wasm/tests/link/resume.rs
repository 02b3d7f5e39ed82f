//! What crosses a dropped socket, and what a lost link takes with it.

use crate::world::{OFF, OFFER, RESUMED, Server, TRYING, UP, World, answer, state};
use client_wasm::link::{Account, Action, Link, Plan};
use signalling::{CallState, ClientMessage, EndCause, HangupReason, ServerMessage};
use std::time::Duration;

#[test]
fn a_call_made_before_the_socket_is_open_goes_out_as_soon_as_it_is() {
    let mut link = Link::new(Some("sales".into()), None, 1);
    link.connect(Duration::ZERO);
    assert!(link.call(Duration::ZERO, Plan::default(), OFFER.into()).is_some());
    link.socket_opened(Duration::from_millis(30));
    assert_eq!(link.poll(), Some(Action::Open));
    let Some(Action::Send(hello)) = link.poll() else { panic!("no greeting") };
    assert!(hello.contains(r#""type":"hello""#) && hello.contains(r#""button":"sales""#));
    assert_eq!(link.poll(), None, "nothing before the welcome");
    let mut server = Server::default();
    server.hear(&hello);
    link.socket_message(Duration::from_millis(31), &server.towards[0]);
    assert_eq!(link.poll(), Some(Action::Connection(UP)));
    let Some(Action::Send(call)) = link.poll() else { panic!("no call") };
    assert!(call.starts_with(r#"{"sequence":1,"ack":0,"type":"call","call":1"#));
}

#[test]
fn messages_cross_dropped_sockets_in_order_and_once_for_a_thousand_seeds() {
    for seed in 0..1000 {
        let mut world = World::new(seed);
        let call = world.call();
        world.server_says(answer(call));
        world.server_says(state(call, CallState::Active));
        // One of the two ways, or both, break at a moment that the seed chooses.
        let mut chance = seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1;
        let mut roll = |of: u64| {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            chance % of
        };
        let mut expected = String::new();
        let mut said = 0;
        for _ in 0..30 {
            match roll(5) {
                0 => world.cut(),
                1 => world.deaf = !world.deaf,
                2 => world.pass(Duration::from_millis(roll(4000))),
                _ => {
                    let digit = char::from(b'0' + roll(10) as u8);
                    expected.push(digit);
                    world.link.dtmf(world.now, call, &digit.to_string());
                    if world.socket {
                        said += 1;
                        world.server.say(ServerMessage::Digit { call, digit: '7' });
                        // Sometimes it is still on the wire when the socket breaks.
                        if roll(3) == 0 {
                            world.server.towards.clear();
                            world.cut();
                        }
                    }
                    world.settle();
                }
            }
        }
        world.deaf = false;
        world.cut();
        world.seconds(16);
        assert_eq!(world.digits_heard(), expected, "seed {seed}");
        let words = world.words();
        let digits = words.iter().filter(|a| matches!(a, ServerMessage::Digit { .. }));
        assert_eq!(digits.count(), said, "seed {seed}");
        assert_eq!(world.server.made, 1, "seed {seed}: one link throughout");
        assert_eq!(world.ends(), [], "seed {seed}: the call lives");
    }
}

#[test]
fn the_page_hears_of_a_drop_and_of_the_resume() {
    let mut world = World::new(3);
    world.cut();
    world.seconds(1);
    assert_eq!(world.connections(), [UP, TRYING, RESUMED]);
}

#[test]
fn calls_of_a_link_that_was_not_resumed_end_as_visitor_lost_and_are_not_placed_again() {
    let mut world = World::new(7);
    let call = world.call();
    world.server_says(answer(call));
    world.server_says(state(call, CallState::Active));
    world.server.forgetful = true;
    world.cut();
    // Digits of the dead call wait in line; they must not reach the new link.
    world.link.dtmf(world.now, call, "12");
    world.server.heard.clear();
    world.seconds(1);
    assert_eq!(world.ends(), [(call, EndCause::VisitorLost)]);
    assert_eq!(world.connections(), [UP, TRYING, UP]);
    assert_eq!(world.server.heard, []);
    assert_eq!(world.link.calls(), 0);
}

#[test]
fn a_call_that_never_left_the_page_goes_to_the_new_link() {
    let mut world = World::new(8);
    world.server.forgetful = true;
    world.cut();
    let call = world.call();
    world.seconds(1);
    assert_eq!(world.server.made, 2);
    let placed = world.server.heard.iter().filter(|m| matches!(m, ClientMessage::Call { .. }));
    assert_eq!(placed.count(), 1);
    assert_eq!(world.ends(), []);
    assert_eq!(world.link.calls(), 1);
    world.server_says(answer(call));
}

#[test]
fn a_call_given_up_before_it_left_the_page_never_rings() {
    let mut world = World::new(9);
    world.network = false;
    world.cut();
    let call = world.call();
    world.link.hangup(world.now, call, HangupReason::Visitor);
    world.network = true;
    world.seconds(10);
    assert_eq!(world.server.heard, []);
    assert_eq!(world.ends(), [(call, EndCause::Cancelled)]);
}

#[test]
fn a_link_lost_for_good_ends_its_calls_without_waiting_for_a_socket() {
    let mut world = World::new(10);
    let call = world.call();
    world.server_says(answer(call));
    world.network = false;
    world.cut();
    world.seconds(34);
    assert_eq!(world.ends(), []);
    world.seconds(2);
    assert_eq!(world.ends(), [(call, EndCause::VisitorLost)]);
}

#[test]
fn an_account_is_registered_again_on_a_new_link_and_only_once() {
    let mut world = World::new(23);
    let account = Account {
        registrar: "sip.example".into(),
        username: "100".into(),
        password: "secret".into(),
    };
    world.link.register(world.now, account.clone());
    world.settle();
    world.cut();
    world.seconds(1);
    assert_eq!(world.server.heard.len(), 1, "a resumed link keeps its registration");
    world.server.forgetful = true;
    world.cut();
    world.seconds(1);
    assert_eq!(world.server.heard.len(), 2, "a new one does not");
    world.network = false;
    world.cut();
    // A page that registers whenever it likes.
    world.link.register(world.now, account.clone());
    world.link.register(world.now, account);
    world.network = true;
    world.seconds(10);
    assert_eq!(world.server.heard.len(), 3);
    assert!(!format!("{:?}", world.link).contains("secret"));
}

#[test]
fn a_message_that_this_page_does_not_know_is_passed_over_and_acknowledged() {
    let mut world = World::new(25);
    let unknown = r#"{"sequence":1,"ack":0,"type":"party","hats":3}"#;
    world.link.socket_message(world.now, unknown);
    for garbage in ["", "{", "[]", "null", "\u{0}", "{\"sequence\":-1}"] {
        world.link.socket_message(world.now, garbage);
    }
    world.server.outbox.push(ServerMessage::Pong { at: 0.0 }).unwrap();
    let call = world.call();
    world.server_says(answer(call));
    let answered = world.words().iter().any(|a| matches!(a, ServerMessage::Answer { .. }));
    assert!(answered);
}

#[test]
fn a_gap_in_the_servers_numbers_brings_a_new_socket_that_fills_it() {
    let mut world = World::new(26);
    let call = world.call();
    // The first never reaches the wire.
    world.server.outbox.push(answer(call)).unwrap();
    world.server_says(state(call, CallState::Ringing));
    world.seconds(1);
    assert_eq!(world.connections(), [UP, TRYING, RESUMED]);
    let kinds: Vec<_> = world
        .words()
        .iter()
        .filter_map(|action| match action {
            ServerMessage::Answer { .. } => Some("answer"),
            ServerMessage::State { .. } => Some("state"),
            _ => None,
        })
        .collect();
    assert_eq!(kinds, ["answer", "state"]);
}

#[test]
fn disconnecting_hangs_up_and_stays_quiet() {
    let mut world = World::new(27);
    let call = world.call();
    world.server_says(answer(call));
    world.link.disconnect(world.now, HangupReason::PageClosed);
    world.settle();
    let hangup = ClientMessage::Hangup { call, reason: HangupReason::PageClosed };
    assert_eq!(world.server.heard.last(), Some(&hangup));
    assert_eq!(world.connections(), [UP, OFF]);
    assert_eq!(world.link.next_deadline(), None);
    world.link.connect(world.now);
    world.settle();
    assert_eq!(world.connections(), [UP, OFF, UP]);
    assert_eq!(world.server.made, 2);
}
