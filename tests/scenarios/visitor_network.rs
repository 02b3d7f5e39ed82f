//! What visitors' networks and browsers do to a call.

use base::Codec;
use harness::{Appliance, Baresip, Phone, Place, Shop, Visitor, VisitorSettings, foreign, sound};
use signalling::{CallState, EndCause};
use std::time::Duration;

const PHONE: f32 = 660.0;

fn settings() -> VisitorSettings {
    VisitorSettings::with_codecs(&[Codec::Pcmu, Codec::Opus])
}

struct Scene {
    appliance: Appliance,
    phone: Baresip,
    visitor: Visitor,
    _place: Place,
}

fn talk(name: &str, settings: VisitorSettings) -> Scene {
    let place = Place::new(name);
    let phone = Baresip::start(&place, "phone", &Phone::with_codecs(&["PCMU/8000"]));
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["pcmu"]));
    let mut visitor = Visitor::open(&appliance, settings);
    visitor.call();
    visitor.talks();
    visitor.hears(PHONE);
    Scene { appliance, phone, visitor, _place: place }
}

#[test]
fn a_dropped_websocket_leaves_the_call_up() {
    let Scene { appliance, phone, visitor, _place } = talk("network-websocket", settings());
    visitor.drop_socket();
    assert!(visitor.packets_come());
    visitor.hears(PHONE);
    assert!(visitor.reconnect(), "the link is resumed");
    assert!(visitor.packets_come());
    assert_eq!(visitor.look(|seen| seen.state(1).unwrap().state), CallState::Active);
    // The resumed link still orders the call.
    visitor.press("3");
    harness::until("the phone hears the key", || (phone.digits() == "3").then_some(()));
    visitor.hang_up();
    assert_eq!(visitor.ends().0, EndCause::VisitorHungUp);
    appliance.is_quiet();
}

#[test]
fn what_was_said_while_the_websocket_was_gone_arrives_after_it_is_back() {
    let Scene { appliance, phone, visitor, _place } = talk("network-missed", settings());
    visitor.drop_socket();
    phone.hang_up();
    phone.tells("CALL_CLOSED");
    appliance.is_quiet();
    assert!(visitor.reconnect());
    assert_eq!(visitor.ends().0, EndCause::ShopHungUp);
    assert_eq!(visitor.look(|seen| seen.steps.iter().filter(|s| s.cause.is_some()).count()), 1);
}

#[test]
fn a_page_that_goes_away_without_a_word_ends_its_call_after_a_while() {
    let Scene { appliance, phone, visitor, _place } = talk("network-gone", settings());
    // The browser dies: neither its WebSocket nor its media says anything more.
    drop(visitor);
    let limit = Duration::from_secs(50);
    harness::wait::until_within(limit, "the call is over", || {
        (appliance.metric("calls_live") == 0).then_some(())
    });
    phone.tells("CALL_CLOSED");
    assert_eq!(appliance.rows(1)[0].cause, EndCause::VisitorLost.key());
}

#[test]
fn a_reload_leaves_no_call_behind() {
    let Scene { appliance, phone, visitor, _place } = talk("network-reload", settings());
    visitor.leave();
    harness::wait::until_within(Duration::from_secs(25), "the call is over", || {
        (appliance.metric("calls_live") == 0).then_some(())
    });
    phone.tells("CALL_CLOSED");
    let mut again = Visitor::open(&appliance, settings());
    again.call();
    again.talks();
    again.hears(PHONE);
    again.hang_up();
    again.ends();
    assert_eq!(appliance.rows(2)[1].cause, EndCause::VisitorHungUp.key());
}

#[test]
fn where_udp_is_blocked_the_call_goes_over_tcp() {
    let settings = VisitorSettings { udp: false, tcp: true, ..settings() };
    let Scene { appliance, phone, visitor, _place } = talk("network-tcp", settings);
    visitor.sends(100);
    visitor.hang_up();
    assert_eq!(visitor.ends().0, EndCause::VisitorHungUp);
    phone.tells("CALL_CLOSED");
    phone.has_heard(sound::VISITOR);
    appliance.is_quiet();
}

#[test]
fn foreign_client_hellos_cost_no_call() {
    let place = Place::new("network-foreign");
    let phone = Baresip::start(&place, "phone", &Phone::with_codecs(&["PCMU/8000"]));
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["pcmu"]));
    let stranger = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for number in 0..10 {
        // From the browser's own address and port, before its own ClientHello...
        let settings = VisitorSettings { foreign_hello: true, ..settings() };
        let mut visitor = Visitor::open(&appliance, settings);
        visitor.call();
        // ...and from elsewhere, to where the answer says.
        let answer = visitor.until("the answer", |seen| seen.answer.clone());
        let candidate = answer.lines().find(|line| line.contains(" udp ")).unwrap();
        let words: Vec<&str> = candidate.split(' ').collect();
        let target = format!("{}:{}", words[4], words[5]);
        stranger.send_to(&foreign::client_hello(), &target).unwrap();
        visitor.talks();
        visitor.until(&format!("call {number} is heard"), |seen| (seen.packets > 20).then_some(()));
        stranger.send_to(&foreign::client_hello(), &target).unwrap();
        assert!(visitor.packets_come());
        visitor.hang_up();
        assert_eq!(visitor.ends().0, EndCause::VisitorHungUp);
    }
    appliance.is_quiet();
    assert!(appliance.metric("webrtc_foreign_dropped_total") >= 10);
}

#[test]
fn an_ice_restart_keeps_the_call_up() {
    let Scene { appliance: _appliance, phone: _phone, visitor, _place } =
        talk("network-restart", settings());
    visitor.restart_ice();
    visitor.until("the restart is answered", |seen| (seen.answers == 2).then_some(()));
    assert!(visitor.packets_come());
    visitor.hears(PHONE);
    visitor.hang_up();
    assert_eq!(visitor.ends().0, EndCause::VisitorHungUp);
}

#[test]
fn a_browser_whose_media_never_comes_ends_the_call() {
    let place = Place::new("network-no-media");
    let phone = Baresip::start(&place, "phone", &Phone::with_codecs(&["PCMU/8000"]));
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["pcmu"]));
    // Neither UDP nor TCP gets through.
    let settings = VisitorSettings { udp: false, tcp: false, ..settings() };
    let mut visitor = Visitor::open(&appliance, settings);
    visitor.call();
    let ended =
        visitor.within(Duration::from_secs(60), |seen| seen.state(1).and_then(|step| step.cause));
    assert_eq!(ended, Some(EndCause::NoMedia));
    phone.tells("CALL_CLOSED");
    appliance.is_quiet();
}

#[test]
fn strangers_on_the_sip_and_media_ports_get_no_answer() {
    let Scene { appliance, phone: _phone, visitor, _place } = talk("network-strangers", settings());
    let log = appliance.log();
    let word = log.split("sip=").nth(1).and_then(|rest| rest.split_whitespace().next());
    let sip: std::net::SocketAddr =
        word.and_then(|word| word.parse().ok()).expect("the log names the SIP socket");
    // Another address of the loopback network is no configured peer.
    let stranger = std::net::UdpSocket::bind("127.0.0.2:0").unwrap();
    stranger.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    let address = stranger.local_addr().unwrap();
    let options = format!(
        "OPTIONS sip:shop@{sip} SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bKx;rport\r\n\
         From: <sip:x@{address}>;tag=1\r\nTo: <sip:shop@{sip}>\r\nCall-ID: stranger\r\n\
         CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    );
    for _ in 0..5 {
        stranger.send_to(options.as_bytes(), sip).unwrap();
    }
    assert!(stranger.recv(&mut [0; 100]).is_err(), "a stranger is answered");
    appliance.metric_becomes("sip_foreign_dropped_total", 5);
    visitor.hears(PHONE);
    visitor.hang_up();
    visitor.ends();
}
