//! Calls whose far end moves.

use super::altered::Alteration;
use super::phone::Manner;
use super::wire::Packet;
use super::world::{World, secret_config};
use signalling::{CallState, ClientMessage, EndCause, HangupReason};
use sip::message::{Message, Method, Name, parse};
use sip::{Command, InviteId};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// A page in a call that is up for a second; the phone's number of it.
fn talking(seed: u64) -> (World, base::LinkId, u32, InviteId) {
    talking_in(World::new(seed))
}

fn talking_in(mut world: World) -> (World, base::LinkId, u32, InviteId) {
    world.phone.manner = Some(Manner::RingsThenAnswers(SECOND));
    let link = world.open(Some("long"));
    let call = world.call(link, None, true);
    world.run_for(SECOND * 3);
    let invite = *world.phone.talks.keys().next().expect("a talk");
    (world, link, call, invite)
}

fn refer(world: &mut World, invite: InviteId, target: &str) {
    world.phone.refer_to(world.now, invite, target);
}

fn end(world: &World) -> Vec<(CallState, Option<EndCause>)> {
    let calls = world.pages.values().flat_map(|page| page.calls.values());
    calls.flat_map(|call| call.states.last().copied()).collect()
}

#[test]
fn a_phone_transfers_its_call_and_the_visitor_talks_to_the_next() {
    let (mut world, link, call, first) = talking(1);
    let heard = world.pages[&link].calls[&call].heard;
    assert!(heard > 50);
    refer(&mut world, first, "sip:desk@198.51.100.20");
    world.run_for(SECOND * 4);
    let talks: Vec<InviteId> = world.phone.talks.keys().copied().collect();
    assert_eq!(talks.len(), 1, "the first phone is out");
    assert_ne!(talks[0], first);
    let talk = &world.phone.talks[&talks[0]];
    assert!(talk.heard > 100 && talk.spoken > 100, "{} {}", talk.heard, talk.spoken);
    assert!(world.pages[&link].calls[&call].heard > heard + 150);
    assert_eq!(end(&world), [(CallState::Active, None)], "the page sees no change");
    // The call is held and ended where it is now.
    world.say(link, ClientMessage::Hangup { call, reason: HangupReason::Visitor });
    world.run_for(SECOND * 2);
    assert!(world.phone.talks.is_empty() && world.core.calls.is_empty());
    world.check_log();
}

#[test]
fn the_trace_of_a_transferred_call_has_both_of_its_legs_to_their_ends() {
    let (mut world, _, _, first) = talking(9);
    refer(&mut world, first, "sip:desk@198.51.100.20");
    world.run_for(SECOND * 4);
    let id = world.core.calls.ids()[0];
    let trace = world.core.traces.cut(id).expect("a trace");
    let went = |start: &str| {
        let of = |entry: &&trace::Entry| {
            matches!(&entry.what, trace::What::Sip { way: trace::Way::Went, text, .. }
                if text.starts_with(start))
        };
        trace.entries.iter().filter(of).count()
    };
    assert_eq!(went("INVITE sip:desk@"), 1);
    assert_eq!((went("INVITE "), went("ACK "), went("BYE ")), (2, 2, 1));
}

#[test]
fn a_transfer_abroad_is_refused_and_the_call_goes_on() {
    for target in [
        "sip:desk@203.0.113.9",
        "sip:desk@198.51.100.20:5999",
        "sip:desk@198.51.100.20;maddr=203.0.113.9",
        "tel:+900123",
    ] {
        let (mut world, _, _, first) = talking(2);
        refer(&mut world, first, target);
        world.run_for(SECOND * 3);
        assert!(world.phone.talks.contains_key(&first), "{target}");
        assert_eq!(world.phone.talks.len(), 1, "{target}");
        assert_eq!(end(&world), [(CallState::Active, None)]);
    }
}

#[test]
fn a_transfer_that_nobody_takes_leaves_the_call_where_it_was() {
    let (mut world, link, call, first) = talking(3);
    world.phone.manner = Some(Manner::RingsThenRefuses(486, SECOND));
    refer(&mut world, first, "sip:desk@198.51.100.20");
    world.run_for(SECOND * 4);
    assert_eq!(world.phone.talks.keys().copied().collect::<Vec<_>>(), [first]);
    world.say(link, ClientMessage::Hangup { call, reason: HangupReason::Visitor });
    world.run_for(SECOND * 2);
    world.check_log();
}

#[test]
fn a_phone_that_leaves_before_its_transfer_is_taken_takes_the_call_along_only_if_that_fails() {
    for (manner, last) in [
        (Manner::RingsThenAnswers(SECOND * 2), (CallState::Active, None)),
        (Manner::RingsThenRefuses(486, SECOND * 2), (CallState::Ended, Some(EndCause::Busy))),
    ] {
        let (mut world, _, _, first) = talking(4);
        world.phone.manner = Some(manner);
        refer(&mut world, first, "sip:desk@198.51.100.20");
        world.run_for(SECOND);
        world.phone.hang_up(world.now, first);
        world.run_for(SECOND * 5);
        assert_eq!(end(&world), [last]);
    }
}

/// A call whose account wants its sound encrypted so, that is up for a second.
fn secretly_talking(seed: u64, srtp: sdp::Encryption) -> (World, InviteId) {
    let mut world = World::with(seed, secret_config(srtp));
    world.phone.srtp = srtp;
    let (world, _, _, first) = talking_in(world);
    (world, first)
}

#[test]
fn a_transfer_that_is_refused_for_its_codecs_calls_nobody_else() {
    let (mut world, first) = secretly_talking(7, sdp::Encryption::Offered);
    world.phone.manner = Some(Manner::RingsThenRefuses(488, SECOND * 2));
    refer(&mut world, first, "sip:desk@198.51.100.20");
    world.run_for(SECOND);
    world.phone.hang_up(world.now, first);
    world.run_for(SECOND * 5);
    assert_eq!(end(&world), [(CallState::Ended, Some(EndCause::NoCommonCodec))]);
    assert_eq!(
        world.phone.invited, 3,
        "the desk is asked without keys, and the first phone not again"
    );
}

#[test]
fn a_transfer_that_is_refused_for_its_keys_is_made_without_them_where_they_are_merely_offered() {
    let (mut world, first) = secretly_talking(12, sdp::Encryption::Offered);
    world.phone.refuses_keys = true;
    refer(&mut world, first, "sip:desk@198.51.100.20");
    world.run_for(SECOND * 4);
    let (&second, talk) = world.phone.talks.iter().next().expect("a talk");
    assert!(second != first && !talk.stream.is_protected());
    assert!(talk.heard > 100 && talk.spoken > 100, "{} {}", talk.heard, talk.spoken);
    assert_eq!(end(&world), [(CallState::Active, None)]);
}

/// The key that we encrypt with.
fn own_key(world: &mut World) -> base::MasterKey {
    let id = world.core.calls.ids()[0];
    let negotiated = world.core.calls.entry(id).and_then(|active| active.negotiated.clone());
    negotiated.and_then(|negotiated| negotiated.protection).expect("an encrypted call").own
}

#[test]
fn a_phone_that_hands_its_call_on_does_not_know_the_key_of_what_is_said_afterwards() {
    let (mut world, first) = secretly_talking(10, sdp::Encryption::Required);
    let before = own_key(&mut world);
    refer(&mut world, first, "sip:desk@198.51.100.20");
    world.run_for(SECOND * 4);
    let between = own_key(&mut world);
    assert!(before != between, "transferred");
    let (&second, talk) = world.phone.talks.iter().next().expect("a talk");
    assert!(second != first && talk.heard > 100, "{}", talk.heard);
    let (ours, theirs, id, contact) = dialog(&mut world, second);
    world.phone.alters =
        Some(Alteration::Replaces(format!("{id};to-tag={ours};from-tag={theirs}")));
    world.phone.call(world.now, &contact);
    world.run_for(SECOND * 3);
    let (&third, talk) = world.phone.talks.iter().next().expect("a talk");
    assert!(third != second && talk.heard > 100, "{}", talk.heard);
    assert!(between != own_key(&mut world), "replaced");
}

#[test]
fn a_transfer_to_a_phone_without_the_encryption_that_is_required_says_so() {
    let (mut world, first) = secretly_talking(8, sdp::Encryption::Required);
    world.phone.alters = Some(Alteration::Keyless);
    refer(&mut world, first, "sip:desk@198.51.100.20");
    world.run_for(SECOND * 4);
    assert_eq!(end(&world), [(CallState::Ended, Some(EndCause::NotEncrypted))]);
    assert!(world.phone.talks.is_empty() && world.core.calls.is_empty());
}

#[test]
fn a_visitor_who_hangs_up_during_a_transfer_ends_both_legs() {
    for leaves in [false, true] {
        let (mut world, link, call, first) = talking(5);
        world.phone.manner = Some(Manner::RingsForEver);
        refer(&mut world, first, "sip:desk@198.51.100.20");
        world.run_for(SECOND);
        if leaves {
            world.phone.hang_up(world.now, first);
            world.run_for(SECOND);
        }
        world.say(link, ClientMessage::Hangup { call, reason: HangupReason::Visitor });
        world.run_for(SECOND * 2);
        assert!(world.phone.talks.is_empty() && world.core.calls.is_empty());
        world.check_log();
    }
}

#[test]
fn another_phone_takes_the_place_of_the_first() {
    let mut world = World::new(6);
    world.phone.manner = Some(Manner::RingsThenAnswers(SECOND));
    let link = world.open(Some("long"));
    let call = world.call(link, None, true);
    world.run_for(SECOND * 3);
    let first = *world.phone.talks.keys().next().expect("a talk");
    // The dialog, as our side sees it, from a digit that it sends.
    let (ours, theirs, id, contact) = dialog(&mut world, first);
    world.phone.alters =
        Some(Alteration::Replaces(format!("{id};to-tag={ours};from-tag={theirs}")));
    world.phone.call(world.now, &contact);
    world.run_for(SECOND * 3);
    let talks: Vec<InviteId> = world.phone.talks.keys().copied().collect();
    assert_eq!(talks.len(), 1);
    assert_ne!(talks[0], first);
    let talk = &world.phone.talks[&talks[0]];
    assert!(talk.heard > 100, "{}", talk.heard);
    world.say(link, ClientMessage::Hangup { call, reason: HangupReason::Visitor });
    world.run_for(SECOND * 2);
    assert!(world.phone.talks.is_empty() && world.core.calls.is_empty());
    world.check_log();
}

#[test]
fn a_phone_that_rings_hands_the_call_to_another_which_takes_it() {
    for early in [false, true] {
        let mut world = World::new(11);
        let ringing = Manner::RingsThenAnswers(SECOND * 60);
        let playing = Manner::EarlyThenAnswers(SECOND * 60);
        world.phone.manner = Some(if early { playing } else { ringing });
        let link = world.open(Some("long"));
        let call = world.call(link, None, true);
        world.run_for(SECOND * 2);
        let first = *world.phone.talks.keys().next().expect("a talk");
        world.phone.sip.command(world.now, Command::Ring { invite: first, sdp: None });
        world.phone.drain(world.now);
        let mut sent = world.phone.outbox.iter();
        let response = sent.find_map(|packet: &Packet| match parse(&packet.payload) {
            Ok(Message::Response(response)) => Some(response),
            _ => None,
        });
        let response = response.expect("a provisional response");
        let tag = |address: sip::message::NameAddr| address.tag().unwrap_or_default().to_owned();
        let call_id = response.headers.get(&Name::CallId).expect("Call-ID").to_owned();
        let ours = tag(response.from().expect("From"));
        let theirs = tag(response.to().expect("To"));
        world.phone.alters =
            Some(Alteration::Replaces(format!("{call_id};to-tag={ours};from-tag={theirs}")));
        let contact = format!("sip:shop@{}", world.core.sip_address);
        world.phone.call(world.now, &contact.parse().expect("a uri"));
        world.run_for(SECOND * 3);
        let talks: Vec<InviteId> = world.phone.talks.keys().copied().collect();
        assert_eq!(talks.len(), 1, "the first phone rings no more");
        assert_ne!(talks[0], first);
        assert!(world.phone.talks[&talks[0]].heard > 100);
        assert!(world.pages[&link].calls[&call].heard > 100);
        assert_eq!(end(&world), [(CallState::Active, None)]);
        world.say(link, ClientMessage::Hangup { call, reason: HangupReason::Visitor });
        world.run_for(SECOND * 2);
        assert!(world.phone.talks.is_empty() && world.core.calls.is_empty());
        world.check_log();
    }
}

/// Tags of the server and of the phone, Call-ID and the server's Contact: read from a re-INVITE
/// that the phone sends in its call.
fn dialog(world: &mut World, invite: InviteId) -> (String, String, String, sip::message::Uri) {
    world.phone.reoffer(world.now, invite);
    let sent = world.phone.outbox.iter().find_map(|packet: &Packet| match parse(&packet.payload) {
        Ok(Message::Request(request)) if request.method == Method::Invite => Some(request),
        _ => None,
    });
    let sent = sent.expect("a re-INVITE");
    let tag = |address: sip::message::NameAddr| address.tag().unwrap_or_default().to_owned();
    let (to, from) = (sent.to().expect("To"), sent.from().expect("From"));
    let id = sent.headers.get(&Name::CallId).expect("Call-ID").to_owned();
    world.run_for(SECOND);
    (tag(to), tag(from), id, sent.uri)
}
