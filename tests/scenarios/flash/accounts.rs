//! Accounts that the page brings along, at Kamailio.

use super::{PHONE, VISITOR};
use harness::flash::CallInfo;
use harness::kamailio::{Digest, PASSWORD, REALM};
use harness::{Appliance, Baresip, FlashSettings, FlashVisitor, Kamailio, Phone, Place, Shop};
use signalling::EndCause;
use std::net::SocketAddr;

struct Pages {
    appliance: Appliance,
    provider: Kamailio,
    registrar: String,
    place: Place,
}

/// An appliance without an account of its own, for pages that have one at Kamailio.
fn pages(name: &str, phone: Option<SocketAddr>) -> Pages {
    let place = Place::new(name);
    let provider = Kamailio::start(&place, Digest::Md5, phone);
    let registrar = provider.sip.to_string();
    let appliance = Appliance::start(&place, &Shop::new().webphone(provider.sip));
    Pages { appliance, provider, registrar, place }
}

#[test]
fn an_account_registers_and_calls_out() {
    let place = Place::new("flash-account-phone");
    let phone = Baresip::start(&place, "phone", &Phone::of_provider());
    let Pages { appliance, provider, registrar, place: _place } =
        pages("flash-account", Some(phone.sip));
    let mut visitor = FlashVisitor::connect(&appliance, FlashSettings::of_webphone());
    // Before there is an account there is no call.
    let refusal = visitor.try_call(Some("sip:phone@nowhere")).unwrap_err();
    assert_eq!(refusal.0, "NetConnection.Call.Failed");
    assert!(refusal.1.contains("no account"), "{refusal:?}");
    let outcome = visitor.registers(&registrar, "alice", PASSWORD);
    assert_eq!((outcome.registered, outcome.code), (true, 200), "{outcome:?}");
    visitor.call_to(&format!("sip:phone@{registrar}"));
    visitor.talks();
    visitor.hears(PHONE);
    let before = visitor.look(|seen| seen.sent);
    visitor.until("two seconds were sent", |seen| (seen.sent > before + 60).then_some(()));
    visitor.hang_up();
    visitor.ends();
    phone.tells("CALL_CLOSED");
    phone.has_heard(VISITOR);
    appliance.is_quiet();
    let row = appliance.rows(1).remove(0);
    assert_eq!((row.button.as_str(), row.cause), ("", EndCause::VisitorHungUp.key()));
    // The account leaves the registrar with the visitor.
    let before = provider.requests("REGISTER", "udp");
    visitor.leave();
    provider.gets("REGISTER", "udp", before + 1);
    assert!(!appliance.log().contains(PASSWORD), "the password is in no log");
}

#[test]
fn a_wrong_password_and_a_foreign_registrar_are_told() {
    let Pages { appliance, registrar, provider: _provider, place: _place } =
        pages("flash-wrong-password", None);
    let visitor = FlashVisitor::connect(&appliance, FlashSettings::of_webphone());
    let outcome = visitor.registers(&registrar, "alice", "wrong");
    assert!(!outcome.registered && matches!(outcome.code, 401 | 403), "{outcome:?}");
    assert!(!outcome.reason.is_empty());
    let outcome = visitor.registers("127.0.0.1:9", "alice", PASSWORD);
    assert_eq!((outcome.registered, outcome.code), (false, 403), "{outcome:?}");
    assert!(outcome.reason.contains("not allowed"), "{outcome:?}");
    // Neither is the end of the connection.
    let outcome = visitor.registers(&registrar, "alice", PASSWORD);
    assert!(outcome.registered, "{outcome:?}");
    visitor.command("unregister", rtmp::amf::Value::Null).expect("unregister is taken");
    visitor.until("it is told", |seen| {
        seen.registrations.last().is_some_and(|last| !last.registered).then_some(())
    });
    assert!(!appliance.log().contains("wrong\""), "the password is in no log");
}

/// Bob's phone, registered at the provider, which calls `alice`.
fn bob(pages: &Pages) -> Baresip {
    Baresip::registered(&pages.place, "bob", &pages.provider)
}

fn registered(pages: &Pages) -> FlashVisitor {
    let visitor = FlashVisitor::connect(&pages.appliance, FlashSettings::of_webphone());
    let outcome = visitor.registers(&pages.registrar, "alice", PASSWORD);
    assert!(outcome.registered, "{outcome:?}");
    visitor
}

#[test]
fn a_call_comes_in_and_is_answered() {
    let pages = pages("flash-incoming", None);
    let phone = bob(&pages);
    let mut visitor = registered(&pages);
    phone.order("dial", &format!("sip:alice@{REALM}"));
    let info = visitor.rings();
    assert_eq!((info.direction.as_str(), info.state.as_str()), ("in", "ringing"));
    assert!(info.uri.starts_with("sip:bob@"), "{info:?}");
    phone.tells("CALL_RINGING");
    visitor.answer();
    visitor.talks();
    visitor.hears(PHONE);
    let before = visitor.look(|seen| seen.sent);
    visitor.until("two seconds were sent", |seen| (seen.sent > before + 60).then_some(()));
    visitor.hang_up();
    visitor.ends();
    phone.tells("CALL_CLOSED");
    phone.has_heard(VISITOR);
    pages.appliance.is_quiet();
    assert_eq!(pages.appliance.rows(1)[0].cause, EndCause::VisitorHungUp.key());
    // The INVITE came before there was a call, and is the call's all the same.
    let trace = pages.appliance.traces(&["1"]);
    assert!(trace.starts_with("Verdict: nothing wrong"), "{trace}");
    let at = |words: &str| trace.find(words).unwrap_or_else(|| panic!("no {words} in\n{trace}"));
    assert!(at("Flash session") > 0 && at("called to Flash Player") > 0);
    assert!(at("<------- INVITE --------") < at("180 Ringing ----->"), "{trace}");
    assert!(at("180 Ringing ----->") < at("200 OK ------->"), "{trace}");
}

#[test]
fn a_call_comes_in_and_is_rejected() {
    let pages = pages("flash-incoming-rejected", None);
    let phone = bob(&pages);
    let mut visitor = registered(&pages);
    phone.order("dial", &format!("sip:alice@{REALM}"));
    visitor.rings();
    visitor.reject();
    visitor.ends();
    let words = phone.tells("CALL_CLOSED");
    assert!(words.contains("603") || words.contains("486") || words.contains("480"), "{words}");
    pages.appliance.is_quiet();
    assert_eq!(pages.appliance.rows(1)[0].cause, EndCause::Declined.key());
}

#[test]
fn a_caller_who_gives_up_is_told() {
    let pages = pages("flash-incoming-cancelled", None);
    let phone = bob(&pages);
    let mut visitor = registered(&pages);
    phone.order("dial", &format!("sip:alice@{REALM}"));
    visitor.rings();
    phone.hang_up();
    visitor.ends();
    pages.appliance.is_quiet();
    // What rings no more can't be taken.
    let call = visitor.look(|seen| seen.steps[0].call.clone());
    let late = rtmp::amf::Value::object([("callId", call.as_str().into())]);
    assert!(visitor.command("answer", late).is_err());
    assert_eq!(pages.appliance.rows(1)[0].cause, EndCause::Cancelled.key());
}

#[test]
fn a_flash_client_transfers_its_caller_and_hears_where_that_fails() {
    let pages = pages("flash-transfer", None);
    let phone = bob(&pages);
    let mut visitor = registered(&pages);
    phone.order("dial", &format!("sip:alice@{REALM}"));
    let info = visitor.rings();
    visitor.answer();
    visitor.talks();
    visitor.hears(PHONE);
    let to = |uri: &str| {
        rtmp::amf::Value::object([("callId", info.call.as_str().into()), ("uri", uri.into())])
    };
    let refused = visitor.command("transfer", to("sip:bob@127.0.0.1:9")).unwrap_err();
    assert!(refused.1.contains("within its own registrar"), "{refused:?}");
    visitor.command("transfer", to("nobody")).expect("a transfer is taken");
    let told = visitor.until("it is told that it failed", |seen| {
        let failed = |step: &&CallInfo| step.reason.contains("could not be transferred");
        seen.steps.iter().find(failed).cloned()
    });
    assert_eq!(told.state, "active", "the call goes on");
    // To itself: whoever is referred calls Alice, who has room for a second call.
    visitor.command("transfer", to("alice")).expect("a transfer is taken");
    phone.tells_times("CALL_RINGING", 2);
}
