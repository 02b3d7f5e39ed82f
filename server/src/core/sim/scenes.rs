//! Single calls with a known course.

use super::phone::Manner;
use super::talk::Talk;
use super::world::{self, World};
use crate::config::HostPort;
use crate::core::door::{CoreEvent, Operator};
use signalling::{CallState, ClientMessage, EndCause, HangupReason};
use std::sync::Arc;
use std::time::Duration;

use CallState::{Active, Ended, Ringing};

const SECOND: Duration = Duration::from_secs(1);

/// A page with one call that is on its way.
fn called(world: &mut World, manner: Manner, speaks: bool) -> (base::LinkId, u32) {
    world.phone.manner = Some(manner);
    world.phone.speaks = speaks;
    let link = world.open(Some("long"));
    let call = world.call(link, None, speaks);
    (link, call)
}

fn states(world: &World) -> Vec<(CallState, Option<EndCause>)> {
    let calls = world.pages.values().flat_map(|page| page.calls.values());
    calls.flat_map(|call| call.states.clone()).collect()
}

#[test]
fn sound_and_keys_cross_both_ways_where_little_is_lost() {
    for number in 0..8 {
        let mut world = World::new(number);
        for network in [&mut world.signalling, &mut world.media] {
            network.loss = number * 4;
            network.jitter = Duration::from_millis(number * 3);
        }
        let (link, call) = called(&mut world, Manner::RingsThenAnswers(SECOND * 3), true);
        world.run_for(SECOND * 4);
        let digits = "12#".to_owned();
        world.say(link, ClientMessage::Dtmf { call, digits });
        world.run_for(SECOND * 4);
        world.say(link, ClientMessage::Hangup { call, reason: HangupReason::Visitor });
        world.run_for(SECOND * 2);
        assert_eq!(
            states(&world),
            [(Ringing, None), (Active, None), (Ended, Some(EndCause::VisitorHungUp))],
        );
        let talk: &Talk = world.phone.past.first().expect("a talk that is over");
        assert_eq!(talk.digits, "12#", "seed {number}");
        let page = &world.pages[&link].calls[&call];
        // Five seconds after the answer: 250 frames, less what the network loses, what the digits
        // displace on the way to the phone, and half a second where the answer itself got lost.
        assert!((160..255).contains(&talk.heard), "seed {number}: the phone heard {}", talk.heard);
        assert!((200..255).contains(&talk.spoken), "seed {number}: it spoke {}", talk.spoken);
        let came = page.heard * 100 / talk.spoken;
        assert!((85..=100).contains(&came), "seed {number}: {came} % reached the page");
        world.check_log();
    }
}

#[test]
fn a_minute_of_silence_from_both_sides_ends_the_call() {
    let mut world = World::new(1);
    called(&mut world, Manner::RingsThenAnswers(SECOND), false);
    let answered = |world: &World| states(world).last().map(|last| last.0) == Some(Active);
    world.run_until(world.start + SECOND * 5, answered);
    assert!(answered(&world));
    let since = world.now;
    let over = |world: &World| states(world).last().map(|last| last.0) == Some(Ended);
    world.run_until(since + SECOND * 90, over);
    assert_eq!(states(&world).last(), Some(&(Ended, Some(EndCause::Silence))));
    let silence = world.now - since;
    assert!((SECOND * 59..SECOND * 61).contains(&silence), "{silence:?}");
    world.run_for(SECOND);
    assert!(world.phone.talks.is_empty(), "the phone was told");
    world.check_log();
}

#[test]
fn a_phone_that_rings_for_three_minutes_can_still_be_answered() {
    let mut world = World::new(2);
    called(&mut world, Manner::RingsForEver, true);
    world.run_for(SECOND * 180);
    assert_eq!(states(&world), [(Ringing, None)]);
    world.phone.answer(world.now);
    world.run_for(SECOND * 5);
    assert_eq!(states(&world), [(Ringing, None), (Active, None)]);
    let talk = world.phone.talks.values().next().expect("a talk");
    assert!(talk.heard > 200, "{} frames heard", talk.heard);
}

#[test]
fn a_browser_without_udp_talks_over_tcp() {
    let mut world = World::new(3);
    world.tcp_only = 1_000;
    let (link, call) = called(&mut world, Manner::RingsThenAnswers(SECOND * 2), true);
    world.run_for(SECOND * 6);
    let talk = world.phone.talks.values().next().expect("a talk");
    let page = &world.pages[&link].calls[&call];
    assert!(talk.heard > 180 && page.heard > 180, "{} and {} frames", talk.heard, page.heard);
    assert_eq!(world.connections.len(), 1);
    world.close(link);
    world.run_for(SECOND);
    assert!(world.phone.talks.is_empty(), "the phone was told");
    world.check_log();
}

#[test]
fn a_call_that_goes_by_the_second_account_is_one_call_and_leaves_nothing_behind() {
    for number in 0..6 {
        // Nobody is at the first provider.
        let mut config = world::config("198.51.100.20");
        let mut dead = config.accounts["account"].clone();
        dead.registrar = HostPort { host: "198.51.100.99".to_owned(), port: Some(5060) };
        config.accounts.insert("dead".to_owned(), dead);
        let button = config.buttons.get_mut("long").expect("a button");
        button.accounts = vec!["dead".to_owned(), "account".to_owned()];
        button.destination = "sip:shop@198.51.100.99".to_owned();
        let mut world = World::with(number, config);
        let (link, call) = called(&mut world, Manner::RingsThenAnswers(SECOND), true);
        if number == 5 {
            // Given up while the first one is silent: nobody is called at all.
            world.run_for(SECOND * 2);
            world.say(link, ClientMessage::Hangup { call, reason: HangupReason::Visitor });
            world.run_for(SECOND * 60);
            assert_eq!(states(&world), [(Ended, Some(EndCause::Cancelled))]);
            assert!(world.phone.past.is_empty() && world.phone.talks.is_empty());
            world.check_log();
            continue;
        }
        world.run_for(SECOND * 10);
        let talk = world.phone.talks.values().next().expect("a talk");
        let page = &world.pages[&link].calls[&call];
        assert!(talk.heard > 150 && page.heard > 150, "{} and {} frames", talk.heard, page.heard);
        world.say(link, ClientMessage::Hangup { call, reason: HangupReason::Visitor });
        world.run_for(SECOND * 60);
        assert_eq!(
            states(&world),
            [(Ringing, None), (Active, None), (Ended, Some(EndCause::VisitorHungUp))],
        );
        assert!(world.phone.talks.is_empty(), "the phone was told");
        world.check_log();
    }
}

#[test]
fn a_phone_that_changes_its_codec_is_passed_on_untouched_where_the_browser_takes_that_one_too() {
    let mut world = World::new(7);
    world.media.loss = 0;
    called(&mut world, Manner::RingsThenAnswers(SECOND), true);
    world.run_for(SECOND * 4);
    let frames = |world: &World| {
        let metrics = &world.core.metrics;
        let read = |counter: &std::sync::atomic::AtomicU64| {
            counter.load(std::sync::atomic::Ordering::Relaxed)
        };
        (read(&metrics.frames_relayed_total), read(&metrics.frames_transcoded_total))
    };
    let (&invite, talk) = world.phone.talks.iter_mut().next().expect("a talk");
    assert_eq!((talk.codec, frames(&world).1), (base::Codec::Opus, 0));
    let talk = world.phone.talks.get_mut(&invite).expect("a talk");
    talk.description.codecs = vec![base::Codec::Pcma];
    talk.codec = base::Codec::Pcma;
    world.phone.reoffer(world.now, invite);
    world.run_for(SECOND);
    let before = frames(&world);
    world.run_for(SECOND * 2);
    let after = frames(&world);
    // What the browser says is made anew, since that goes on in Opus.
    let (relayed, transcoded) = (after.0 - before.0, after.1 - before.1);
    assert!((80..=110).contains(&relayed), "{relayed} relayed");
    assert!((80..=110).contains(&transcoded), "{transcoded} transcoded");
}

#[test]
fn an_account_that_a_new_file_takes_away_is_passed_over_by_a_call_that_is_on_its_way() {
    let mut config = world::config("198.51.100.20");
    for (name, host) in [("dead", "198.51.100.99"), ("gone", "198.51.100.98")] {
        let mut account = config.accounts["account"].clone();
        account.registrar = HostPort { host: host.to_owned(), port: Some(5060) };
        config.accounts.insert(name.to_owned(), account);
    }
    let button = config.buttons.get_mut("long").expect("a button");
    button.accounts = ["dead", "gone", "account"].map(str::to_owned).to_vec();
    button.destination = "sip:shop@198.51.100.99".to_owned();
    let mut world = World::with(1, config.clone());
    called(&mut world, Manner::RingsThenAnswers(SECOND), true);
    world.run_for(SECOND);
    config.accounts.remove("gone");
    config.buttons.values_mut().for_each(|button| button.accounts.retain(|name| name != "gone"));
    world.event(CoreEvent::Operator(Operator::Reload(Arc::new(config))));
    world.run_for(SECOND * 10);
    assert_eq!(states(&world), [(Ringing, None), (Active, None)]);
    assert_eq!(world.phone.invited, 1);
}

#[test]
fn a_stranger_who_knows_a_calls_name_writes_nothing_into_its_trace() {
    let mut world = World::new(1);
    world.phone.manner = Some(Manner::RingsForEver);
    let link = world.open(Some("long"));
    world.call(link, None, false);
    world.run_for(SECOND);
    let id = world.core.calls.ids()[0];
    let name = world.core.sip.call_id(sip::InviteId(id.0)).expect("an INVITE").to_owned();
    let words = format!("BYE sip:shop@203.0.113.1 SIP/2.0\r\nCall-ID: {name}\r\n\r\n");
    let remotes = ["192.0.2.66:5060", super::phone::PHONE];
    for remote in remotes.map(|remote| remote.parse().expect("an address")) {
        let (port, local) = (world.core.sip_port, world.core.sip_local);
        let protocol = base::Protocol::Udp;
        let datagram = base::Datagram { protocol, local, remote, payload: words.as_bytes() };
        world.core.handle_datagram(world.now, port, &datagram);
    }
    let trace = world.core.traces.cut(id).expect("a trace");
    let from = trace.entries.iter().filter_map(|entry| match &entry.what {
        trace::What::Sip { peer, text, repeats: 0, .. } if text.starts_with("BYE") => Some(peer),
        _ => None,
    });
    assert_eq!(from.collect::<Vec<_>>(), [super::phone::PHONE]);
}
