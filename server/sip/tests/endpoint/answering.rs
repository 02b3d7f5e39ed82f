//! The callee's side, against a scripted peer, and requests that open nothing.

use crate::wire::*;
use base::AccountId;
use sip::message::{Message, Method, Name, Uri};
use sip::{CauseKind, Command, Event, InviteId, Originator};

fn called(seed: u64) -> (World, InviteId) {
    let mut world = World::with_caller(seed);
    world.say(theirs(), ask(theirs(), Method::Invite, "call", 1, None, Some(OFFER)));
    let invite = world.incoming(0);
    match world.hear(theirs()) {
        Message::Response(response) => assert_eq!(response.status, 100),
        Message::Request(_) => panic!("a request"),
    }
    (world, invite)
}

#[test]
fn a_call_comes_in_rings_is_taken_and_ended_by_the_caller() {
    let (mut world, invite) = called(1);
    match world.news(0).as_slice() {
        [Event::Incoming { account: Some(account), from, offer: Some(offer), .. }] => {
            assert_eq!((*account, &offer[..]), (ACCOUNT, OFFER));
            assert_eq!(from.display.as_deref(), Some("Bob"));
        }
        other => panic!("{other:?}"),
    }
    world.command(0, Command::Ring { invite, sdp: None });
    let ringing = world.response(theirs(), 180);
    let tag = ringing.to().unwrap().tag().unwrap().to_owned();
    world.command(0, Command::Answer { invite, sdp: ANSWER.to_vec() });
    let answer = world.response(theirs(), 200);
    assert_eq!((answer.to().unwrap().tag(), &answer.body[..]), (Some(&tag[..]), ANSWER));
    let mut ack = ask(theirs(), Method::Ack, "call", 1, Some(&tag), None);
    ack.headers.set(Name::Via, "SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKack");
    world.say(theirs(), ack);
    assert!(matches!(world.news(0).as_slice(), [Event::Confirmed { answer: None, .. }]));
    world.say(theirs(), ask(theirs(), Method::Bye, "call", 2, Some(&tag), None));
    world.response(theirs(), 200);
    let cause = world.cause(0, invite);
    assert_eq!((cause.kind, cause.originator), (CauseKind::Normal, Originator::Remote));
    world.assert_quiet();
}

#[test]
fn an_answer_repeats_until_its_ack_and_without_one_ends_in_bye() {
    let (mut world, invite) = called(2);
    world.command(0, Command::Answer { invite, sdp: ANSWER.to_vec() });
    world.seconds(31);
    // T1 doubling up to T2: 0, 0.5, 1.5, 3.5, 7.5, 11.5, ... 27.5 and 31.5 s.
    let repeats = world.waiting(theirs());
    assert_eq!(repeats.len(), 10);
    assert!(world.causes(0, invite).is_empty());
    world.seconds(2);
    let bye = world.waiting(theirs());
    assert!(bye.iter().any(|m| matches!(m, Message::Request(r) if r.method == Method::Bye)));
    assert_eq!(world.cause(0, invite).kind, CauseKind::Timeout);
    world.assert_quiet();
}

#[test]
fn a_repeated_invite_behind_the_answer_is_absorbed() {
    // RFC 6026: the transaction stays in Accepted; the invite's own timer repeats the 2xx.
    let (mut world, invite) = called(3);
    world.command(0, Command::Answer { invite, sdp: ANSWER.to_vec() });
    let answer = world.response(theirs(), 200);
    let tag = answer.to().unwrap().tag().unwrap().to_owned();
    world.say(theirs(), ask(theirs(), Method::Ack, "call", 1, Some(&tag), None));
    for _ in 0..3 {
        world.say(theirs(), ask(theirs(), Method::Invite, "call", 1, None, Some(OFFER)));
    }
    world.seconds(10);
    assert!(world.waiting(theirs()).is_empty());
    world.incoming(0);
}

#[test]
fn a_hangup_before_the_ack_waits_for_it() {
    let (mut world, invite) = called(4);
    world.command(0, Command::Answer { invite, sdp: ANSWER.to_vec() });
    let tag = world.response(theirs(), 200).to().unwrap().tag().unwrap().to_owned();
    world.command(0, Command::Hangup { invite, cause: CauseKind::Normal });
    world.cause(0, invite);
    world.run(std::time::Duration::from_millis(100));
    assert!(world.waiting(theirs()).is_empty(), "a callee must not say BYE before the ACK");
    world.say(theirs(), ask(theirs(), Method::Ack, "call", 1, Some(&tag), None));
    let bye = world.request(theirs(), Method::Bye);
    assert_eq!(bye.to().unwrap().tag(), Some("bob"));
    world.reply(theirs(), &bye, 200, "", None);
    world.assert_quiet();
}

#[test]
fn a_cancelled_call_answers_both_the_cancel_and_the_invite() {
    let (mut world, invite) = called(5);
    world.command(0, Command::Ring { invite, sdp: None });
    world.response(theirs(), 180);
    let mut cancel = ask(theirs(), Method::Cancel, "call", 1, None, None);
    cancel.headers.set(Name::Via, "SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKcallINVITE1;rport");
    world.say(theirs(), cancel.clone());
    assert_eq!(world.response(theirs(), 200).cseq().unwrap().method, Method::Cancel);
    let terminated = world.response(theirs(), 487);
    assert_eq!(terminated.cseq().unwrap().method, Method::Invite);
    let cause = world.cause(0, invite);
    assert_eq!((cause.kind, cause.originator), (CauseKind::Cancelled, Originator::Remote));
    let mut ack = ask(theirs(), Method::Ack, "call", 1, terminated.to().unwrap().tag(), None);
    ack.headers.set(Name::Via, "SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKcallINVITE1;rport");
    world.say(theirs(), ack);
    world.seconds(10);
    assert!(world.waiting(theirs()).is_empty(), "the ACK stops the 487");
    world.assert_quiet();
}

#[test]
fn a_cancel_that_comes_after_the_answer_changes_nothing() {
    let (mut world, invite) = called(6);
    world.command(0, Command::Answer { invite, sdp: ANSWER.to_vec() });
    world.response(theirs(), 200);
    let mut cancel = ask(theirs(), Method::Cancel, "call", 1, None, None);
    cancel.headers.set(Name::Via, "SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bKcallINVITE1;rport");
    world.say(theirs(), cancel);
    assert_eq!(world.response(theirs(), 200).cseq().unwrap().method, Method::Cancel);
    assert!(world.causes(0, invite).is_empty());
}

#[test]
fn a_refusal_repeats_until_its_ack() {
    let (mut world, invite) = called(7);
    world.command(0, Command::Reject { invite, status: 486 });
    world.seconds(40);
    let all = world.waiting(theirs());
    assert_eq!(all.len(), 11, "one and the repeats of timer G");
    assert_eq!(world.cause(0, invite).kind, CauseKind::Busy);
    world.assert_quiet();
}

#[test]
fn early_media_goes_out_as_183_and_ringing_repeats_each_minute() {
    let (mut world, invite) = called(8);
    world.command(0, Command::Ring { invite, sdp: Some(ANSWER.to_vec()) });
    assert_eq!(world.response(theirs(), 183).body, ANSWER);
    world.seconds(185);
    assert_eq!(world.waiting(theirs()).len(), 3);
}

#[test]
fn an_invite_without_offer_gets_ours_and_brings_the_answer_in_its_ack() {
    let mut world = World::with_caller(9);
    world.say(theirs(), ask(theirs(), Method::Invite, "call", 1, None, None));
    let invite = world.incoming(0);
    world.command(0, Command::Answer { invite, sdp: OFFER.to_vec() });
    let tag = world.response(theirs(), 200).to().unwrap().tag().unwrap().to_owned();
    world.say(theirs(), ask(theirs(), Method::Ack, "call", 1, Some(&tag), Some(ANSWER)));
    match world.news(0).last() {
        Some(Event::Confirmed { answer: Some(answer), .. }) => assert_eq!(answer, ANSWER),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_appliance_that_takes_no_calls_says_so() {
    let mut world = World::new(10);
    world.add(ours(), &[theirs()]);
    let settings = sip::Settings {
        local: ours(),
        user_agent: String::new(),
        peers: sip::PeerPolicy::only([theirs().ip()]),
        accept_incoming: false,
        timers: sip::Timers::default(),
    };
    world.phones[0].endpoint = sip::Endpoint::new(settings, base::Seed::from_number(1));
    world.say(theirs(), ask(theirs(), Method::Invite, "call", 1, None, Some(OFFER)));
    world.response(theirs(), 480);
    assert!(world.news(0).is_empty());
    world.assert_quiet();
}

#[test]
fn strangers_are_not_answered_but_counted() {
    let mut world = World::with_caller(11);
    let stranger = at("198.51.100.9:5060");
    for method in [Method::Options, Method::Invite, Method::Register, Method::Bye] {
        world.say(stranger, ask(stranger, method, "call", 1, None, None));
    }
    world.throw(stranger, ours(), b"scan".to_vec());
    world.seconds(5);
    assert!(world.waiting(stranger).is_empty());
    assert_eq!(world.phones[0].endpoint.counters().dropped_foreign, 5);
    assert_eq!(world.phones[0].endpoint.transactions(), 0);
}

#[test]
fn requests_that_open_nothing_get_the_answer_of_their_kind() {
    let mut world = World::with_caller(12);
    let cases = [
        (Method::Options, None, 200),
        (Method::Register, None, 405),
        (Method::Notify, None, 481),
        (Method::Other("FROBNICATE".into()), None, 501),
        (Method::Bye, None, 481),
        (Method::Bye, Some("gone"), 481),
        (Method::Info, Some("gone"), 481),
        (Method::Invite, Some("gone"), 481),
        (Method::Cancel, None, 481),
    ];
    for (index, (method, tag, status)) in cases.into_iter().enumerate() {
        let call_id = format!("call{index}");
        world.say(theirs(), ask(theirs(), method.clone(), &call_id, 1, tag, None));
        let response = world.response(theirs(), status);
        assert!(response.to().unwrap().tag().is_some(), "{method}");
        let lists = matches!(status, 200 | 405 | 501);
        assert_eq!(response.headers.get(&Name::Allow).is_some(), lists, "{method}");
        if method == Method::Invite {
            let mut ack = ask(theirs(), Method::Ack, &call_id, 1, Some("gone"), None);
            let via = format!("SIP/2.0/UDP {};branch=z9hG4bK{call_id}INVITE1;rport", theirs());
            ack.headers.set(Name::Via, via);
            world.say(theirs(), ack);
        }
    }
    assert!(world.news(0).is_empty());
    world.assert_quiet();
}

#[test]
fn a_demand_for_an_unknown_extension_is_refused_by_name() {
    let mut world = World::with_caller(13);
    let mut request = ask(theirs(), Method::Invite, "call", 1, None, Some(OFFER));
    request.headers.push(Name::Require, "100rel, teleport, levitate");
    world.say(theirs(), request);
    let response = world.response(theirs(), 420);
    assert_eq!(response.headers.get(&Name::Unsupported), Some("teleport, levitate"));
}

#[test]
fn a_response_goes_back_where_rport_or_via_say() {
    let mut world = World::with_caller(14);
    let mut request = ask(theirs(), Method::Options, "one", 1, None, None);
    request.headers.set(Name::Via, "SIP/2.0/UDP 10.0.0.1:5088;branch=z9hG4bKone;rport");
    world.throw(at("192.0.2.2:7777"), ours(), request.to_bytes());
    let via = world.response(at("192.0.2.2:7777"), 200).via().unwrap();
    assert_eq!(via.rport(), Some(Some(7777)));
    assert_eq!(via.received().map(|ip| ip.to_string()).as_deref(), Some("192.0.2.2"));
    let mut request = ask(theirs(), Method::Options, "two", 1, None, None);
    request.headers.set(Name::Via, "SIP/2.0/UDP 10.0.0.1:5088;branch=z9hG4bKtwo");
    world.throw(at("192.0.2.2:7777"), ours(), request.to_bytes());
    world.response(at("192.0.2.2:5088"), 200);
}

#[test]
fn a_call_for_a_scheme_that_is_not_ours_is_refused() {
    let mut world = World::with_caller(15);
    let mut request = ask(theirs(), Method::Invite, "call", 1, None, Some(OFFER));
    request.uri = Uri::parse("http:alice").unwrap_or(request.uri);
    if matches!(request.uri.scheme, sip::message::Scheme::Other(_)) {
        world.say(theirs(), request);
        world.response(theirs(), 416);
    }
}

#[test]
fn an_undecided_call_does_not_wait_for_ever() {
    let (mut world, invite) = called(16);
    world.seconds(1000);
    assert_eq!(world.cause(0, invite).kind, CauseKind::NoAnswer);
    world.assert_quiet();
}

#[test]
fn a_malformed_request_is_refused_where_it_came_from_and_counted() {
    let mut world = World::with_caller(17);
    let bytes = ask(theirs(), Method::Options, "call", 1, None, None).to_bytes();
    let text = String::from_utf8(bytes).unwrap().replacen("SIP/2.0", "SIP/7.0", 1);
    world.throw(at("192.0.2.2:7777"), ours(), text.into_bytes());
    let response = world.response(at("192.0.2.2:7777"), 505);
    assert_eq!(response.via().unwrap().rport(), Some(Some(7777)));
    world.throw(theirs(), ours(), b"\r\n\r\n".to_vec());
    world.throw(theirs(), ours(), b"\x80\x00rtp or whatever".to_vec());
    world.seconds(1);
    assert!(world.waiting(theirs()).is_empty());
    assert_eq!(world.phones[0].endpoint.counters().malformed, 2);
    assert_eq!(world.phones[0].endpoint.transactions(), 0);
}

#[test]
fn a_caller_that_gets_our_offer_and_brings_no_answer_is_hung_up() {
    let mut world = World::with_caller(30);
    world.say(theirs(), ask(theirs(), Method::Invite, "call", 1, None, None));
    let invite = world.incoming(0);
    world.command(0, Command::Answer { invite, sdp: OFFER.to_vec() });
    let answer = world.response(theirs(), 200);
    assert_eq!(answer.body, OFFER);
    let tag = answer.to().unwrap().tag().unwrap().to_owned();
    world.say(theirs(), ask(theirs(), Method::Ack, "call", 1, Some(&tag), None));
    assert_eq!(world.cause(0, invite).kind, CauseKind::NotAcceptable);
    world.request(theirs(), Method::Bye);
    world.assert_quiet();
}

/// The account that is called under each of these Request-URIs, from each of two registrars, where
/// both have an account of the same user name.
fn accounts_called(uris: impl Fn(&[String; 2]) -> [String; 2]) -> [Option<AccountId>; 2] {
    let registrars = [theirs(), at("192.0.2.3:5060")];
    let mut world = World::new(40);
    world.add(ours(), &[]);
    let mut contacts = [String::new(), String::new()];
    for (number, registrar) in registrars.into_iter().enumerate() {
        let settings = sip::Account {
            domain: format!("registrar{number}.example"),
            register: true,
            ..account(registrar)
        };
        let account = AccountId(number as u64 + 1);
        world.command(0, Command::SetAccount { account, settings });
        let request = world.request(registrar, Method::Register);
        contacts[number] = request.contact().unwrap().uri.to_string();
        let mut answer = reply(registrar, &request, 200, "", None);
        answer.headers.set(Name::Contact, request.headers.get(&Name::Contact).unwrap());
        world.say(registrar, answer);
    }
    for (number, uri) in uris(&contacts).iter().enumerate() {
        let registrar = registrars[number];
        let call = format!("call{number}");
        let mut request = ask(registrar, Method::Invite, &call, 1, None, Some(OFFER));
        request.uri = Uri::parse(uri).unwrap();
        world.say(registrar, request);
    }
    let events = world.phones[0].events.iter();
    let called: Vec<_> = events
        .filter_map(|event| match event {
            Event::Incoming { account, .. } => Some(*account),
            _ => None,
        })
        .collect();
    called.try_into().unwrap()
}

#[test]
fn of_two_accounts_with_one_user_name_the_one_is_called_whose_contact_comes_back() {
    let both = [Some(AccountId(1)), Some(AccountId(2))];
    assert_eq!(accounts_called(|contacts| contacts.clone()), both);
    // The calls come from the other registrar's address: the Contact says more.
    let crossed = accounts_called(|[one, two]| [two.clone(), one.clone()]);
    assert_eq!(crossed, [Some(AccountId(2)), Some(AccountId(1))]);
    // A server that leaves nothing of it but the user.
    let bare = || format!("sip:alice@{}", ours());
    assert_eq!(accounts_called(|_| [bare(), bare()]), both);
    let unknown = || format!("sip:alice@{};rinstance=0123456789abcdef", ours());
    assert_eq!(accounts_called(|_| [unknown(), unknown()]), both);
}
