//! Providers that want things otherwise than the RFCs have it.

use crate::wire::*;
use sip::message::{Method, Name, Request};
use sip::{Account, Command, Quirk, Quirks};

/// An endpoint with an account that has these quirks.
fn world(quirks: &[Quirk], register: bool) -> World {
    let quirks = quirks.iter().fold(Quirks::default(), |all, quirk| all.with(*quirk));
    let auth_username = Some("line7".into());
    let settings = Account { auth_username, register, quirks, ..account(theirs()) };
    let mut world = World::new(11);
    world.add(ours(), &[]);
    world.command(0, Command::SetAccount { account: ACCOUNT, settings });
    world
}

/// The first REGISTER and the first INVITE of an account with these quirks.
fn requests(quirks: &[Quirk]) -> [Request; 2] {
    let mut world = world(quirks, true);
    let register = world.request(theirs(), Method::Register);
    world.command(0, invite(1, theirs()));
    [register, world.request(theirs(), Method::Invite)]
}

/// The users of From and of Contact.
fn users(request: &Request) -> (Option<String>, Option<String>) {
    let (from, contact) = (request.from().unwrap(), request.contact().unwrap());
    (from.uri.user_text(), contact.uri.user_text())
}

#[test]
fn an_account_without_quirks_names_itself_and_says_all_that_it_can() {
    let own = account(theirs()).username;
    let [register, call] = requests(&[]);
    for request in [&register, &call] {
        assert_eq!(users(request), (Some(own.clone()), Some(own.clone())));
        assert!(request.via().unwrap().rport().is_some());
        assert!(request.headers.get(&Name::Allow).is_some());
    }
    assert!(register.headers.tokens(&Name::Supported).any(|option| option == "path"));
    assert!(call.headers.tokens(&Name::Supported).any(|option| option == "timer"));
    assert!(call.headers.get(&Name::SessionExpires).is_some());
}

#[test]
fn from_and_contact_carry_the_user_that_the_provider_wants() {
    let (own, line) = (Some(account(theirs()).username), Some("line7".to_owned()));
    for (quirk, expected) in [
        (Quirk::FromAuthUser, (line.clone(), own.clone())),
        (Quirk::ContactAuthUser, (own.clone(), line)),
        (Quirk::BareContact, (own, None)),
    ] {
        for request in requests(&[quirk]) {
            assert_eq!(users(&request), expected, "{quirk:?} {}", request.method);
        }
    }
}

#[test]
fn what_a_provider_does_not_want_to_hear_of_is_not_said() {
    let both = requests(&[Quirk::NoRport, Quirk::NoPath, Quirk::NoSessionTimers, Quirk::No100rel]);
    for request in both {
        assert!(request.via().unwrap().rport().is_none());
        let mut options = request.headers.tokens(&Name::Supported);
        assert!(!options.any(|option| ["path", "timer", "100rel"].contains(&option)));
        assert_eq!(request.headers.get(&Name::SessionExpires), None);
    }
}

/// Session timers or reliable responses in a request.
fn unwanted(request: &Request) -> bool {
    let mut options = request.headers.tokens(&Name::Supported);
    options.any(|option| ["timer", "100rel"].contains(&option))
        || request.headers.get(&Name::SessionExpires).is_some()
}

#[test]
fn it_is_said_neither_when_a_call_begins_again_nor_within_a_call_that_came_in() {
    let quirks = [Quirk::NoSessionTimers, Quirk::No100rel];
    let mut asks = world(&quirks, false);
    asks.command(0, invite(1, theirs()));
    let first = asks.request(theirs(), Method::Invite);
    let mut refusal = reply(theirs(), &first, 422, "x", None);
    refusal.headers.push(Name::MinSe, "3600");
    asks.say(theirs(), refusal);
    asks.request(theirs(), Method::Ack);
    assert!(!unwanted(&asks.request(theirs(), Method::Invite)));

    let mut called = world(&quirks, false);
    called.say(theirs(), ask(theirs(), Method::Invite, "call", 1, None, Some(OFFER)));
    let invite = called.incoming(0);
    called.command(0, Command::Answer { invite, sdp: ANSWER.to_vec() });
    let tag = called.response(theirs(), 200).to().unwrap().tag().unwrap().to_owned();
    called.say(theirs(), ask(theirs(), Method::Ack, "call", 1, Some(&tag), None));
    called.command(0, Command::Reoffer { invite, offer: OFFER.to_vec() });
    assert!(!unwanted(&called.request(theirs(), Method::Invite)));
}

#[test]
fn short_requests_are_shorter_and_still_say_what_they_must() {
    for (long, short) in requests(&[]).into_iter().zip(requests(&[Quirk::ShortRequests])) {
        assert!(short.to_bytes().len() + 80 < long.to_bytes().len(), "{}", long.method);
        for name in [Name::Via, Name::From, Name::To, Name::CallId, Name::CSeq, Name::Contact] {
            assert!(short.headers.get(&name).is_some(), "{name:?}");
        }
        assert_eq!(short.body, long.body);
    }
}
