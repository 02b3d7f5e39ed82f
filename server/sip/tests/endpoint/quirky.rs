//! Providers that want things otherwise than the RFCs have it.

use crate::wire::*;
use base::Protocol;
use sip::message::{Method, Name, Request};
use sip::{Account, Command, Identity, Quirk, Quirks, Target};

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

/// A call of an account with these quirks that differs in more from the usual one.
fn call_of(quirk: Quirk, destination: &str, change: impl FnOnce(&mut Account)) -> [Request; 2] {
    let quirks = Quirks::default().with(quirk);
    let mut settings = Account { register: true, quirks, ..account(theirs()) };
    change(&mut settings);
    let mut world = World::new(12);
    world.add(ours(), &[]);
    world.command(0, Command::SetAccount { account: ACCOUNT, settings });
    let register = world.request(theirs(), Method::Register);
    let mut call = invite(1, theirs());
    if let Command::Invite { destination: to, .. } = &mut call {
        *to = sip::message::Uri::parse(destination).unwrap();
    }
    world.command(0, call);
    [register, world.request(theirs(), Method::Invite)]
}

/// Request-URI, From and To without their tags.
fn parties(request: &Request) -> [String; 3] {
    let uri = |party: sip::message::NameAddr| party.uri.to_string();
    [request.uri.to_string(), uri(request.from().unwrap()), uri(request.to().unwrap())]
}

#[test]
fn numbers_of_calls_take_the_form_that_the_provider_wants_and_the_account_keeps_its_own() {
    for (quirk, called, expected) in [
        (Quirk::UserPhone, "sip:110@a.example", ["sip:110@a.example;user=phone", "555;user=phone"]),
        (Quirk::Plus, "sip:4930123456@a.example", ["sip:+4930123456@a.example", "555"]),
        (Quirk::NoPlus, "sip:+4930123456@a.example", ["sip:4930123456@a.example", "555"]),
    ] {
        let number = |settings: &mut Account| settings.username = "555".into();
        let [register, call] = call_of(quirk, called, number);
        let [to, own] = expected;
        let (number, params) = own.split_once(';').map_or((own, ""), |(n, _)| (n, ";user=phone"));
        let from = format!("sip:{number}@sip.example{params}");
        assert_eq!(parties(&call), [to, &from, to], "{quirk:?}");
        assert_eq!(parties(&register)[1], "sip:555@sip.example", "{quirk:?}");
    }
}

#[test]
fn calls_may_come_from_another_number_than_the_account_has() {
    let change = |settings: &mut Account| {
        let asserted = sip::message::Uri::parse("sip:4930555@sip.example").ok();
        let from_user = Some("+49 30 555".to_owned());
        *settings.identity = Identity { from_user, asserted, ..Identity::default() };
    };
    let [register, call] = call_of(Quirk::Plus, "sip:bob@a.example", change);
    assert_eq!(parties(&call)[1], "sip:+49%2030%20555@sip.example");
    assert_eq!(call.contact().unwrap().uri.user_text().as_deref(), Some("alice"));
    let asserted = call.headers.get(&Name::PAssertedIdentity);
    assert_eq!(asserted, Some("<sip:+4930555@sip.example>"));
    assert_eq!(parties(&register)[1], "sip:alice@sip.example");
}

#[test]
fn a_transport_is_named_where_the_provider_routes_by_it() {
    let [register, call] = call_of(Quirk::NameTransport, "sip:bob@a.example", |_| {});
    assert_eq!(register.uri.to_string(), "sip:sip.example;transport=udp");
    assert_eq!(call.uri.to_string(), "sip:bob@a.example;transport=udp");
    for request in [register, call] {
        let contact = request.contact().unwrap().uri;
        assert_eq!(contact.params.get("transport"), Some("udp"), "{}", request.method);
    }
}

#[test]
fn the_outbound_proxy_is_sent_to_without_a_route_where_the_provider_refuses_one() {
    let proxy = |settings: &mut Account| {
        settings.outbound_proxy = sip::message::Uri::parse("sip:192.0.2.2;lr").ok();
    };
    for (quirk, routes) in [(Quirk::NoRoute, 0), (Quirk::NoPath, 1)] {
        for request in call_of(quirk, "sip:bob@a.example", proxy) {
            assert_eq!(request.headers.count(&Name::Route), routes, "{quirk:?} {}", request.method);
        }
    }
}

#[test]
fn addresses_by_tls_are_sips_addresses_and_contact_says_what_is_wanted() {
    // A virtual wire has no TLS: what the account says by it is looked at as it leaves.
    for (quirk, scheme, transport) in [
        (Quirk::Sips, "sips", None),
        (Quirk::NoTransport, "sip", None),
        (Quirk::NoPath, "sip", Some("tls")),
    ] {
        let quirks = Quirks::default().with(quirk);
        let targets = vec![Target { protocol: Protocol::Tls, ..Target::udp(theirs()) }];
        let settings = Account { register: true, quirks, targets, ..account(theirs()) };
        let mut world = World::new(13);
        world.add(ours(), &[]);
        world.command(0, Command::SetAccount { account: ACCOUNT, settings });
        let register = world.request(theirs(), Method::Register);
        let own = format!("{scheme}:alice@sip.example");
        let [uri, from, to] = parties(&register);
        assert_eq!((uri, from, to), (format!("{scheme}:sip.example"), own.clone(), own));
        let contact = register.contact().unwrap().uri;
        assert_eq!(contact.scheme.to_string(), scheme);
        assert_eq!(contact.params.get("transport"), transport);
    }
}

#[test]
fn a_provider_that_forgets_the_silent_hears_options_again_and_again() {
    for (quirks, register, expected) in [
        (&[Quirk::OptionsPings][..], false, 5..=6),
        (&[], false, 0..=0),
        (&[Quirk::OptionsPings], true, 0..=0),
    ] {
        // Who is to register and is not known yet is not to be forgotten.
        let mut world = world(quirks, register);
        world.seconds(120);
        let heard = world.waiting(theirs());
        let options = heard.iter().filter_map(|message| match message {
            sip::message::Message::Request(request) if request.method == Method::Options => {
                Some(request)
            }
            _ => None,
        });
        let mut numbers: Vec<u32> = options.map(|o| o.cseq().unwrap().number).collect();
        // Unanswered ones are repeated.
        numbers.sort_unstable();
        numbers.dedup();
        assert!(expected.contains(&numbers.len()), "{quirks:?} {register}: {numbers:?}");
    }
}

#[test]
fn options_stop_with_the_account_and_are_answered_by_anything() {
    let mut world = world(&[Quirk::OptionsPings], true);
    let register = world.request(theirs(), Method::Register);
    let mut granted = reply(theirs(), &register, 200, "x", None);
    granted.headers.set(Name::Contact, register.headers.get(&Name::Contact).unwrap());
    world.say(theirs(), granted);
    let ping = world.request(theirs(), Method::Options);
    assert_eq!(ping.uri.to_string(), "sip:sip.example");
    assert_eq!(users(&ping).0.as_deref(), Some("alice"));
    world.reply(theirs(), &ping, 405, "x", None);
    let next = world.request(theirs(), Method::Options);
    assert_eq!(next.call_id(), ping.call_id());
    world.command(0, Command::RemoveAccount { account: ACCOUNT });
    world.reply(theirs(), &next, 200, "x", None);
    let withdrawal = world.request(theirs(), Method::Register);
    world.reply(theirs(), &withdrawal, 200, "x", None);
    world.assert_quiet();
    assert!(world.waiting(theirs()).is_empty());
}

#[test]
fn an_address_that_has_changed_is_withdrawn_only_where_the_provider_takes_two() {
    for (quirk, contacts) in [(Quirk::NoPath, 2), (Quirk::OneContact, 1)] {
        let mut world = world(&[quirk], true);
        let register = world.request(theirs(), Method::Register);
        let mut granted = reply(theirs(), &register, 200, "x", None);
        granted.headers.set(Name::Contact, register.headers.get(&Name::Contact).unwrap());
        // The registrar sees us at another port than we have.
        let mut via = granted.via().unwrap();
        via.set_rport(Some(40_000));
        granted.headers.set(Name::Via, via.to_string());
        world.say(theirs(), granted);
        let again = world.request(theirs(), Method::Register);
        assert_eq!(again.contacts().len(), contacts, "{quirk:?}");
        assert_eq!(again.contact().unwrap().uri.port, Some(40_000), "{quirk:?}");
    }
}
