//! Calls that are sent elsewhere, and what calls say of who calls and why they end.

use crate::transferring::{TWO, asked, followed};
use crate::wire::*;
use sip::message::{Method, Name, Request, Uri};
use sip::{Cause, CauseKind, Command, Event, Identity};

/// The call is sent elsewhere.
fn redirect(world: &mut World, request: &Request, contacts: &[&str]) {
    let mut response = reply(theirs(), request, 302, "x", None);
    response.headers.remove(&Name::Contact);
    for contact in contacts {
        response.headers.push(Name::Contact, *contact);
    }
    world.say(theirs(), response);
    world.request(theirs(), Method::Ack);
}

#[test]
fn a_call_follows_to_its_own_domain_by_the_same_way() {
    let (mut world, first) = call(1);
    let contacts = ["<sip:desk@sip.example>;q=0.2", "<sip:mobile@sip.example>;q=0.9"];
    redirect(&mut world, &first, &contacts);
    let second = world.request(theirs(), Method::Invite);
    assert_eq!(second.uri.to_string(), "sip:mobile@sip.example");
    assert_eq!(second.call_id(), first.call_id());
    assert_eq!(second.headers.get(&Name::To), first.headers.get(&Name::To));
    assert_eq!(second.cseq().unwrap().number, first.cseq().unwrap().number + 1);
    world.reply(theirs(), &second, 200, "kept", Some(ANSWER));
    world.request(theirs(), Method::Ack);
    assert!(matches!(world.news(0).last(), Some(Event::Answered { .. })));
}

#[test]
fn where_the_best_target_does_not_take_the_call_the_next_one_is_called_in_the_order_of_q() {
    let (mut world, first) = call(11);
    let contacts = [
        "<sip:desk@sip.example>;q=0.2",
        "<sip:abroad@elsewhere.example>;q=0.8",
        "<sip:home@sip.example>",
        "<sip:mobile@sip.example>;q=0.9",
        "<sip:attic@sip.example>;q=0.1",
    ];
    redirect(&mut world, &first, &contacts);
    let home = world.request(theirs(), Method::Invite);
    assert_eq!(home.uri.to_string(), "sip:home@sip.example");
    // It is sent on itself, and what it names comes first.
    let contacts = ["<sip:garden@sip.example>", "<sip:garage@elsewhere.example>"];
    redirect(&mut world, &home, &contacts);
    let garden = world.request(theirs(), Method::Invite);
    assert_eq!(garden.uri.to_string(), "sip:garden@sip.example");
    world.reply(theirs(), &garden, 486, "garden", None);
    world.request(theirs(), Method::Ack);
    let mobile = world.request(theirs(), Method::Invite);
    assert_eq!(mobile.uri.to_string(), "sip:mobile@sip.example");
    assert!(mobile.cseq().unwrap().number > garden.cseq().unwrap().number);
    assert!(world.causes(0, ONE).is_empty());
    // Nobody answers there.
    let end = world.now + std::time::Duration::from_secs(40);
    let desk = loop {
        assert!(world.now < end);
        let request = world.request(theirs(), Method::Invite);
        if request.uri != mobile.uri {
            break request;
        }
    };
    assert_eq!(desk.uri.to_string(), "sip:desk@sip.example");
    // What is refused for all of them is refused.
    world.reply(theirs(), &desk, 603, "desk", None);
    world.request(theirs(), Method::Ack);
    assert_eq!(world.cause(0, ONE).kind, CauseKind::Declined);
    world.assert_quiet();
    assert!(world.waiting(theirs()).is_empty());
}

#[test]
fn an_interval_that_one_target_has_asked_for_is_offered_to_the_next() {
    let (mut world, first) = call(13);
    redirect(&mut world, &first, &["<sip:desk@sip.example>", "<sip:home@sip.example>"]);
    let desk = world.request(theirs(), Method::Invite);
    let mut refusal = reply(theirs(), &desk, 422, "desk", None);
    refusal.headers.push(Name::MinSe, "3600");
    world.say(theirs(), refusal);
    world.request(theirs(), Method::Ack);
    let desk = world.request(theirs(), Method::Invite);
    world.reply(theirs(), &desk, 486, "desk", None);
    world.request(theirs(), Method::Ack);
    let home = world.request(theirs(), Method::Invite);
    assert_eq!(home.uri.to_string(), "sip:home@sip.example");
    assert_eq!(home.headers.get(&Name::SessionExpires), Some("3600"));
    assert_eq!(home.headers.get(&Name::MinSe), Some("3600"));
}

#[test]
fn a_second_offer_stands_at_the_next_target_of_a_redirection_too() {
    let (mut world, _) = asked(18, "<sip:carol@sip.example>", &[]);
    let first = followed(&mut world);
    redirect(&mut world, &first, &["<sip:desk@sip.example>", "<sip:home@sip.example>;q=0.5"]);
    for (status, offer) in [(488, "v=0 for carol"), (486, "v=0 without keys")] {
        let desk = world.request(theirs(), Method::Invite);
        assert_eq!(desk.uri.to_string(), "sip:desk@sip.example");
        assert_eq!(desk.body, offer.as_bytes());
        world.reply(theirs(), &desk, status, "desk", None);
        world.request(theirs(), Method::Ack);
    }
    let home = world.request(theirs(), Method::Invite);
    assert_eq!(home.uri.to_string(), "sip:home@sip.example");
    assert!(world.phones[0].endpoint.offered_second(TWO));
    assert_eq!(home.body, b"v=0 without keys");
}

#[test]
fn a_call_that_is_given_up_between_two_targets_goes_to_no_other() {
    let (mut world, first) = call(12);
    redirect(&mut world, &first, &["<sip:desk@sip.example>", "<sip:home@sip.example>"]);
    let second = world.request(theirs(), Method::Invite);
    assert_eq!(second.uri.to_string(), "sip:desk@sip.example", "of equals the first");
    world.reply(theirs(), &second, 180, "kept", None);
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Cancelled });
    let cancel = world.request(theirs(), Method::Cancel);
    world.reply(theirs(), &cancel, 200, "", None);
    world.reply(theirs(), &second, 487, "kept", None);
    world.request(theirs(), Method::Ack);
    world.assert_quiet();
    assert!(world.waiting(theirs()).is_empty());
}

#[test]
fn a_call_is_sent_neither_abroad_nor_round_in_circles() {
    for contact in [
        "<sip:bob@elsewhere.example>",
        "<sip:bob@192.0.2.77>",
        "<sip:bob@sip.example;maddr=192.0.2.77>",
        "<sip:bob@sip.example?Route=%3Csip:evil%3E>",
        "<tel:+900123>",
        "<sip:bob@192.0.2.2:5060>",
    ] {
        let (mut world, request) = call(2);
        redirect(&mut world, &request, &[contact]);
        let cause = world.cause(0, ONE);
        assert_eq!((cause.kind, cause.status), (CauseKind::Redirected, Some(302)), "{contact}");
        world.assert_quiet();
    }
}

#[test]
fn a_call_is_sent_on_five_times_at_most() {
    let (mut world, mut request) = call(3);
    for number in 1..=5 {
        redirect(&mut world, &request, &[&format!("<sip:b{number}@sip.example>")]);
        request = world.request(theirs(), Method::Invite);
        assert_eq!(request.uri.user.as_deref(), Some(&format!("b{number}")[..]));
    }
    redirect(&mut world, &request, &["<sip:b6@sip.example>"]);
    assert_eq!(world.cause(0, ONE).kind, CauseKind::Redirected);
}

#[test]
fn a_call_that_was_given_up_is_not_sent_on() {
    let (mut world, request) = call(4);
    world.reply(theirs(), &request, 180, "kept", None);
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::Cancelled });
    let cancel = world.request(theirs(), Method::Cancel);
    assert_eq!(
        cancel.headers.get(&Name::Reason),
        Some("Q.850;cause=16;text=\"Normal call clearing\"")
    );
    world.reply(theirs(), &cancel, 200, "", None);
    redirect(&mut world, &request, &["<sip:b@sip.example>"]);
    world.assert_quiet();
}

#[test]
fn a_call_says_who_calls_as_its_account_wants() {
    let uri = |text: &str| Uri::parse(text).ok();
    for anonymous in [false, true] {
        let mut world = World::with_caller(5);
        let identity = Identity {
            asserted: uri("sip:+4930123@sip.example"),
            preferred: uri("sip:alice@sip.example"),
            anonymous,
            ..Identity::default()
        };
        let settings = sip::Account { identity: Box::new(identity), ..account(theirs()) };
        world.command(0, Command::SetAccount { account: ACCOUNT, settings });
        world.command(0, invite(1, theirs()));
        let request = world.request(theirs(), Method::Invite);
        let field = |name: &Name| request.headers.get(name).map(str::to_owned);
        assert_eq!(field(&Name::PAssertedIdentity).unwrap(), "<sip:+4930123@sip.example>");
        assert_eq!(field(&Name::PPreferredIdentity).unwrap(), "<sip:alice@sip.example>");
        assert_eq!(field(&Name::Privacy).is_some(), anonymous);
        let from = request.from().unwrap();
        assert_eq!(from.uri.to_string().contains("anonymous.invalid"), anonymous);
        let contact = request.contact().unwrap().uri.to_string();
        assert_eq!(contact.contains("alice"), !anonymous);
    }
}

#[test]
fn user_to_user_goes_out_as_hexadecimal_digits_and_nothing_else_does() {
    let long = "00".repeat(129);
    for (value, goes) in
        [("04c8", true), ("04c", false), ("", false), ("04;x", false), (&long, false)]
    {
        let mut world = World::with_caller(6);
        let mut order = invite(1, theirs());
        if let Command::Invite { headers, .. } = &mut order {
            headers.push(("user-to-user".into(), value.into()));
        }
        world.command(0, order);
        let request = world.request(theirs(), Method::Invite);
        let sent = request.headers.get(&Name::UserToUser);
        assert_eq!(sent, goes.then_some(value));
    }
    let mut world = World::with_caller(7);
    let mut request = ask(theirs(), Method::Invite, "call", 1, None, Some(OFFER));
    request.headers.push(Name::UserToUser, "04c8;encoding=hex");
    world.say(theirs(), request);
    match world.news(0).last() {
        Some(Event::Incoming { headers, .. }) => {
            assert!(
                headers
                    .iter()
                    .any(|(name, value)| name == "User-to-User" && value.starts_with("04c8"))
            );
        }
        other => panic!("{other:?}"),
    }
}

/// How a call that is up ends for us when the peer's BYE says this.
fn ended_by(reason: &str) -> Cause {
    let (mut world, request) = call(8);
    world.reply(theirs(), &request, 200, "kept", Some(ANSWER));
    world.request(theirs(), Method::Ack);
    let from = request.from().unwrap();
    let mut bye = ask(theirs(), Method::Bye, request.call_id(), 7, from.tag(), None);
    bye.headers.set(Name::From, "<sip:bob@192.0.2.2:5060>;tag=kept");
    bye.headers.push(Name::Reason, reason);
    world.say(theirs(), bye);
    world.cause(0, ONE)
}

#[test]
fn a_failure_of_the_network_is_no_hangup() {
    for (reason, kind) in [
        ("Q.850;cause=16;text=\"Normal call clearing\"", CauseKind::Normal),
        ("Q.850 ;cause=38 ;text=\"Network out of order\"", CauseKind::ServerFailure),
        ("q.850;cause=102", CauseKind::Timeout),
        ("SIP;cause=200", CauseKind::Normal),
        ("Q.850;cause=x", CauseKind::Normal),
        ("Q.850", CauseKind::Normal),
    ] {
        assert_eq!(ended_by(reason).kind, kind, "{reason}");
    }
}

#[test]
fn a_hangup_says_its_reason_and_a_second_phone_hears_of_the_first() {
    let (mut world, request) = call(9);
    world.reply(theirs(), &request, 200, "a", Some(ANSWER));
    world.request(theirs(), Method::Ack);
    world.reply(theirs(), &request, 200, "b", Some(ANSWER));
    world.request(theirs(), Method::Ack);
    let bye = world.request(theirs(), Method::Bye);
    assert_eq!(
        bye.headers.get(&Name::Reason),
        Some("SIP;cause=200;text=\"Call completed elsewhere\"")
    );
    world.reply(theirs(), &bye, 200, "", None);
    world.command(0, Command::Hangup { invite: ONE, cause: CauseKind::ServerFailure });
    let bye = world.request(theirs(), Method::Bye);
    assert_eq!(bye.headers.get(&Name::Reason), Some("Q.850;cause=41;text=\"Temporary failure\""));
}
