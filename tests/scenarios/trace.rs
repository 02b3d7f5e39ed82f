//! `click2call trace`: what it says of calls that went well, were refused, or sounded badly.

use base::Codec;
use harness::certificates::Authority;
use harness::kamailio::{Digest, PASSWORD, Provider};
use harness::sound::PHONE;
use harness::{Appliance, Baresip, Kamailio, Phone, Place, Shop, Sipp, Visitor, VisitorSettings};
use serde_json::Value;
use std::time::Duration;

/// Digits that nobody may find again.
const KEYS: &str = "47114711";

/// The trace of a call as JSON.
fn json(appliance: &Appliance, call: &str) -> Value {
    serde_json::from_str(&appliance.traces(&[call, "--json"])).expect("it is JSON")
}

/// What one kind of entry says.
fn entries<'a>(trace: &'a Value, what: &str) -> Vec<&'a Value> {
    let all = trace["entries"].as_array().expect("a trace has entries");
    all.iter().filter(|entry| entry["what"] == what).collect()
}

/// A call through a provider that asks for the password, to a phone behind it.
fn through_a_provider(place: &Place) -> (Kamailio, Baresip, Appliance) {
    let phone = Baresip::start(place, "phone", &Phone::of_provider());
    let provider = Kamailio::start(place, Digest::Md5, Some(phone.sip));
    let lines = "expires = 60\ncodecs = [\"pcma\"]";
    let shop = Shop::registered(&provider.sip.to_string(), lines);
    let appliance = Appliance::start(place, &shop);
    appliance.readiness_becomes(200);
    (provider, phone, appliance)
}

#[test]
fn a_good_call_is_traced_on_both_sides_without_secrets_and_keys() {
    let place = Place::new("trace-good");
    let (_provider, phone, appliance) = through_a_provider(&place);
    let (status, text, _) = appliance.trace(&[]);
    assert_eq!((status, text.contains("no call yet")), (Some(0), true), "{text}");
    // Opus is decoded on its way to the phone, so that the loudness is known.
    let settings = VisitorSettings::with_codecs(&[Codec::Opus]);
    let mut visitor = Visitor::open(&appliance, settings);
    visitor.call();
    visitor.talks();
    visitor.hears(PHONE);
    let (status, _, words) = appliance.trace(&["1"]);
    assert_eq!((status, words.contains("call 1 is still running")), (Some(1), true), "{words}");
    visitor.press(KEYS);
    harness::until("the phone hears the keys", || (phone.digits() == KEYS).then_some(()));
    visitor.sends(150);
    visitor.hang_up();
    visitor.ends();

    let text = appliance.traces(&["last"]);
    assert!(text.starts_with("Verdict: nothing wrong: 0:"), "{text}");
    let mut from = 0;
    for rung in [
        "offer",
        "INVITE",
        "407",
        "ACK",
        "INVITE",
        "- 200 ",
        "active (200)",
        "keys",
        "end",
        "BYE",
        "200 OK",
        "visitor: came | went",
    ] {
        let at = text[from..].find(rung);
        from += at.unwrap_or_else(|| panic!("no {rung} from octet {from} on in\n{text}"));
    }
    assert!(text.contains("media is up") && text.contains("ICE and DTLS done"), "{text}");
    assert!(text.contains("PCMA/8000"), "the phone's codec stands beside its answer\n{text}");

    let trace = json(&appliance, "1");
    assert_eq!((&trace["rule"], &trace["number"]), (&"fine".into(), &1.into()));
    let seconds = trace["seconds"].as_array().unwrap();
    assert!(seconds.len() >= 3, "{seconds:?}");
    let column = |leg: &str, index: usize| -> Vec<i64> {
        seconds.iter().filter_map(|row| row[leg][index].as_i64()).collect()
    };
    for (leg, index, least) in [("v", 0, 150), ("v", 4, 150), ("p", 0, 150), ("p", 4, 150)] {
        let packets: i64 = column(leg, index).iter().sum();
        assert!(packets >= least, "{packets} packets in column {index} of {leg}");
    }
    // The visitor's 440 Hz are loud, and so is the phone's tone.
    assert!(column("v", 11).iter().any(|level| *level > -40), "{:?}", column("v", 11));
    assert!(column("p", 11).iter().any(|level| *level > -40), "{:?}", column("p", 11));
    let pressed: i64 =
        entries(&trace, "digits").iter().filter_map(|entry| entry["count"].as_i64()).sum();
    assert_eq!(pressed, KEYS.len() as i64);

    // Neither what is printed nor what lies on the disk holds what must not be kept.
    let mut kept = appliance.traces(&["1", "--json"]);
    for ending in ["", "-wal"] {
        let file = format!("{}{ending}", appliance.call_log().display());
        kept += &String::from_utf8_lossy(&std::fs::read(file).unwrap_or_default());
    }
    for secret in [PASSWORD, "response=", "nonce=", KEYS, "inline:", "Signal="] {
        assert!(!kept.contains(secret), "{secret} was kept");
    }
    assert!(kept.contains("a=ice-pwd:(left out)"));
    assert_eq!(kept.matches("ice-pwd:").count(), kept.matches("ice-pwd:(left out)").count());

    let redacted = appliance.traces(&["1", "--redact", "--messages", "--sdp"]);
    for private in ["127.0.0.1", "sip:phone@", "sip:shop@"] {
        assert!(!redacted.contains(private), "{private} in\n{redacted}");
    }
    assert!(redacted.contains("INVITE sip:number-1@address-"), "{redacted}");
}

/// A message of a trace: which way it went, its first line, and what its Via says.
fn passed(entry: &Value) -> (String, String, String) {
    let text = entry["text"].as_str().unwrap_or_default();
    let via = text.lines().find_map(|line| line.strip_prefix("Via: ")).unwrap_or_default();
    let by = via.split(' ').next().unwrap_or_default();
    let way = entry["way"].as_str().unwrap_or_default();
    (way.to_owned(), text.lines().next().unwrap_or_default().to_owned(), by.to_owned())
}

#[test]
fn a_call_over_a_connection_is_traced_like_one_by_datagrams() {
    let place = Place::new("trace-connections");
    let phone = Baresip::start(&place, "phone", &Phone::of_provider());
    let authority = Authority::new(&place, "authority");
    let certificate = Some(authority.certify(&place, "localhost", false));
    let phone = Some(phone.sip);
    let settings = Provider { phone, tcp: true, certificate, ..Provider::default() };
    let provider = Kamailio::provide(&place, &settings);
    for (transport, port) in [("tcp", provider.sip.port()), ("tls", provider.tls.port())] {
        let lines = format!(
            "transport = \"{transport}\"\nca_file = {:?}\nexpires = 60\ncodecs = [\"pcma\"]",
            authority.file
        );
        let log = place.path(&format!("{transport}.db"));
        let shop = Shop::registered(&format!("localhost:{port}"), &lines).call_log(&log);
        let appliance = Appliance::start_as(&place, transport, &shop);
        appliance.readiness_becomes(200);
        let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
        visitor.call();
        visitor.talks();
        visitor.sends(100);
        visitor.hang_up();
        visitor.ends();
        let trace = json(&appliance, "last");
        assert_eq!(trace["rule"], "fine", "{}", trace["verdict"]);
        let messages = entries(&trace, "sip");
        let passed: Vec<_> = messages.iter().map(|entry| passed(entry)).collect();
        let mut rest = passed.iter();
        for (way, start) in [
            ("went", "INVITE "),
            ("came", "SIP/2.0 407 "),
            ("went", "ACK "),
            ("went", "INVITE "),
            ("came", "SIP/2.0 200 "),
            ("went", "ACK "),
            ("went", "BYE "),
            ("came", "SIP/2.0 200 "),
        ] {
            let found = rest.any(|message| message.0 == way && message.1.starts_with(start));
            assert!(found, "{transport}: no {way} {start} in its place in {passed:?}");
        }
        let by = format!("SIP/2.0/{}", transport.to_uppercase());
        assert!(passed.iter().all(|message| message.2 == by), "{passed:?}");
        // What is one message on a connection is one in the trace, whatever it came with.
        let text = trace.to_string();
        for secret in [PASSWORD, "response=", "nonce="] {
            assert!(!text.contains(secret), "{secret} was kept");
        }
        let address = provider.sip.ip();
        let peer = format!("{address}:{port}");
        assert!(messages.iter().all(|entry| entry["peer"] == peer.as_str()), "{transport}");
    }
}

#[test]
fn calls_are_listed_and_what_is_not_there_is_said() {
    let place = Place::new("trace-refused");
    let phone = Sipp::start_with(&place, "refuses", &[("status", "486")]);
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["pcma"]));
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    visitor.call();
    visitor.ends();
    let text = appliance.traces(&["last"]);
    let verdict = "Verdict: the provider refused the call with 486 Refused: the phone is busy.";
    assert!(text.starts_with(verdict), "{text}");
    assert!(text.contains("<---- 486 Refused") && text.contains("ended: busy (486)"), "{text}");
    let (status, list, _) = appliance.trace(&[]);
    assert_eq!(status, Some(0));
    let line = list.lines().find(|line| line.contains("busy (486)")).expect("it is listed");
    assert!(line.trim().starts_with("1 ") && line.ends_with("yes"), "{list}");
    let (status, _, words) = appliance.trace(&["77"]);
    assert_eq!((status, words.trim()), (Some(1), "there is no call 77 in the call log"));
    let (status, _, words) = appliance.trace(&["yesterday"]);
    assert_eq!((status, words.contains("a number of the log")), (Some(2), true), "{words}");
}

#[test]
fn a_provider_that_never_answers_is_the_verdict_of_its_calls() {
    let place = Place::new("trace-silent");
    // It is there and says nothing.
    let provider = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = provider.local_addr().unwrap();
    let appliance = Appliance::start(&place, &Shop::trunk(address, &["pcma"]));
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    visitor.call();
    // Times T1, 2 T1 and 4 T1 (RFC 3261 section 17.1.1.2).
    let mut invites = 0;
    provider.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    while invites < 4 {
        let length = provider.recv(&mut [0; 4096]).expect("an INVITE goes again");
        invites += u32::from(length > 100);
    }
    visitor.hang_up();
    visitor.ends();
    let trace = json(&appliance, "last");
    assert_eq!(trace["rule"], "provider-silent", "{}", trace["verdict"]);
    let invite = entries(&trace, "sip")[0];
    assert_eq!((&invite["way"], &invite["repeats"]), (&"went".into(), &3.into()));
}

#[test]
fn a_provider_that_promises_sound_and_sends_none_is_the_verdict() {
    let place = Place::new("trace-promise");
    let phone = Sipp::start(&place, "promises-sound");
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["pcma"]));
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    visitor.call();
    visitor.ends();
    let text = appliance.traces(&["last"]);
    assert!(text.starts_with("Verdict: the provider sent no audio after 183"), "{text}");
}

#[test]
fn a_visitor_whose_network_loses_packets_is_told_from_a_bad_provider() {
    let place = Place::new("trace-lossy");
    let phone = Baresip::start(&place, "phone", &Phone::with_codecs(&["PCMU/8000"]));
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["pcmu"]));
    let settings =
        VisitorSettings { loses_every: 8, ..VisitorSettings::with_codecs(&[Codec::Pcmu]) };
    let mut visitor = Visitor::open(&appliance, settings);
    visitor.call();
    visitor.talks();
    visitor.sends(450);
    visitor.hang_up();
    visitor.ends();
    let trace = json(&appliance, "last");
    let verdict = trace["verdict"].as_str().unwrap();
    assert_eq!(trace["rule"], "loss", "{verdict}");
    // One in eight.
    let said = ["lost 12 %", "lost 13 %"].iter().any(|words| verdict.contains(words));
    assert!(said && verdict.contains("of what the visitor said, from 0:0"), "{verdict}");
}

#[test]
fn calls_are_numbered_on_over_a_restart_and_what_was_cut_short_is_said() {
    let place = Place::new("trace-restart");
    // A port that was free a moment ago: nobody listens there.
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let log = place.path("calls.db");
    let shop = Shop::trunk(nobody, &["pcma"]).call_log(&log);
    let appliance = Appliance::start_as(&place, "first", &shop);
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    visitor.call();
    visitor.ends();
    let text = appliance.traces(&["1"]);
    let verdict = format!("Verdict: nobody listens at the provider's address {nobody}");
    assert!(text.starts_with(&verdict), "{text}");
    drop((visitor, appliance));

    let shop = Shop::trunk(silent.local_addr().unwrap(), &["pcma"]).call_log(&log);
    let mut appliance = Appliance::start_as(&place, "second", &shop);
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    visitor.call();
    harness::until("the log says that the call is up", || {
        appliance.trace(&["2"]).2.contains("call 2 is still running").then_some(())
    });
    assert!(appliance.log().contains("call=2"), "{}", appliance.log());
    appliance.program().signal("KILL");
    appliance.program().wait(Duration::from_secs(20));

    let mut appliance = Appliance::start_as(&place, "third", &shop);
    let (status, _, words) = appliance.trace(&["2"]);
    assert_eq!(status, Some(1));
    assert!(words.contains("the program ended before the call did"), "{words}");
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    visitor.call();
    harness::until("the third call is up", || {
        appliance.trace(&[]).1.contains("3  2").then_some(())
    });
    // A program that is told to end, the second time at once, leaves nothing untold.
    appliance.readiness_becomes(200);
    appliance.terminate();
    harness::until("it lets nobody in any more", || (appliance.readiness().0 != 200).then_some(()));
    appliance.stop(Duration::from_secs(20));
    let text = appliance.traces(&["3"]);
    assert!(text.contains("ended: stopped"), "{text}");
}
