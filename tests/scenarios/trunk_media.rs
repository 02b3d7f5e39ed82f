//! Sound towards the provider: encrypted, in every codec, in packets of other lengths.

use base::Codec;
use harness::internet::Site;
use harness::kamailio::Provider;
use harness::rtpengine::Rtpengine;
use harness::sound::{self, PHONE, VISITOR};
use harness::{
    Appliance, Baresip, Handset, HandsetSettings, Kamailio, Phone, Place, Shop, Visitor,
    VisitorSettings, calls,
};
use signalling::EndCause;

/// A trunk to this phone with more lines in its account.
fn shop(phone: &Baresip, lines: &str) -> Shop {
    Shop::at(&phone.sip.to_string(), "sales", &format!("register = false\n{lines}"))
}

/// What a phone of some kind makes of a call: what it said on its terminal.
fn both_hear_each_other(name: &str, phone: &Phone, lines: &str, browser: &[Codec]) -> String {
    let place = Place::new(name);
    let phone = Baresip::start(&place, "phone", phone);
    let appliance = Appliance::start(&place, &shop(&phone, lines));
    let mut visitor = Visitor::open(&appliance, VisitorSettings::with_codecs(browser));
    visitor.call();
    visitor.talks();
    visitor.hears(PHONE);
    visitor.press("5");
    harness::until("the phone hears the key", || (phone.digits() == "5").then_some(()));
    calls::both_hear_each_other(&visitor, &phone);
    appliance.is_quiet();
    phone.output()
}

/// A phone with this word of baresip for its encryption.
fn phone(encryption: &str, codecs: &[&str]) -> Phone {
    let account = match encryption {
        "" => String::new(),
        word => format!(";mediaenc={word}"),
    };
    Phone { account, ..Phone::with_codecs(codecs) }
}

#[test]
fn encrypted_sound_and_keys_cross_where_the_account_and_the_phone_want_it() {
    for (srtp, encryption) in [("offered", "srtp"), ("required", "srtp-mand")] {
        let name = format!("srtp-{srtp}");
        let lines = format!("srtp = \"{srtp}\"\ncodecs = [\"pcma\"]");
        let phone = phone(encryption, &["PCMA/8000"]);
        let words = both_hear_each_other(&name, &phone, &lines, &[Codec::Opus, Codec::Pcma]);
        assert!(words.contains("SRTP is Enabled"), "{words}");
    }
}

#[test]
fn a_phone_without_encryption_is_talked_to_in_the_clear_where_it_is_only_offered() {
    let lines = "srtp = \"offered\"\ncodecs = [\"pcmu\"]";
    let words =
        both_hear_each_other("srtp-plain", &phone("", &["PCMU/8000"]), lines, &[Codec::Pcmu]);
    assert!(!words.contains("SRTP is Enabled"), "{words}");
}

#[test]
fn a_phone_without_encryption_gets_no_sound_where_it_is_required() {
    let place = Place::new("srtp-refused");
    let phone = Baresip::start(&place, "phone", &phone("", &["PCMA/8000"]));
    let lines = "srtp = \"required\"\ncodecs = [\"pcma\"]";
    let appliance = Appliance::start(&place, &shop(&phone, lines));
    let mut visitor = Visitor::open(&appliance, VisitorSettings::with_codecs(&[Codec::Pcma]));
    visitor.call();
    assert_eq!(visitor.ends().0, EndCause::NotEncrypted);
    appliance.is_quiet();
    assert_eq!(appliance.rows(1)[0].cause, EndCause::NotEncrypted.key());
}

#[test]
fn encrypted_opus_and_g722_are_relayed_and_transcoded() {
    for (name, codec, theirs, browser) in [
        ("srtp-opus", "opus", "opus/48000/2", Codec::Opus),
        ("srtp-g722", "g722", "G722/16000", Codec::G722),
        ("srtp-g722-opus", "g722", "G722/16000", Codec::Opus),
    ] {
        let lines = format!("srtp = \"required\"\ncodecs = [\"{codec}\"]");
        let words = both_hear_each_other(name, &phone("srtp-mand", &[theirs]), &lines, &[browser]);
        assert!(words.contains("SRTP is Enabled"), "{words}");
    }
}

#[test]
fn a_providers_relay_decrypts_for_a_phone_without_encryption() {
    let place = Place::new("srtp-relay");
    let phone = Baresip::start(&place, "phone", &Phone::of_provider());
    let (_relay, control) = Rtpengine::run(&place, Site::default()).expect("rtpengine runs");
    let provider = Provider {
        phone: Some(phone.sip),
        media: Some(control),
        carried_as: "RTP/AVP",
        ..Provider::default()
    };
    let provider = Kamailio::provide(&place, &provider);
    let lines = "srtp = \"required\"\ncodecs = [\"pcma\"]";
    let appliance = Appliance::start(&place, &Shop::registered(&provider.sip.to_string(), lines));
    appliance.readiness_becomes(200);
    let mut visitor = Visitor::open(&appliance, VisitorSettings::with_codecs(&[Codec::Opus]));
    visitor.call();
    visitor.talks();
    visitor.hears(PHONE);
    visitor.press("5");
    harness::until("the phone hears the key", || (phone.digits() == "5").then_some(()));
    calls::both_hear_each_other(&visitor, &phone);
    assert!(!phone.output().contains("SRTP is Enabled"), "{}", phone.output());
    appliance.is_quiet();
}

#[test]
fn packets_of_ten_to_sixty_milliseconds_are_understood_both_ways() {
    for (ptime, browser) in
        [(10, Codec::Pcma), (30, Codec::Pcma), (40, Codec::Opus), (60, Codec::Pcma)]
    {
        let phone =
            Phone { account: format!(";ptime={ptime}"), ..Phone::with_codecs(&["PCMA/8000"]) };
        let name = format!("ptime-{ptime}");
        both_hear_each_other(&name, &phone, "codecs = [\"pcma\"]", &[browser]);
    }
}

/// A call of a visitor with a phone of our own, which tells what it got.
struct Talk {
    _appliance: Appliance,
    phone: Handset,
    visitor: Visitor,
    _place: Place,
}

fn talk(name: &str, phone: HandsetSettings, browser: &[Codec]) -> Talk {
    let place = Place::new(name);
    let codec = phone.codec.key();
    let phone = Handset::start(phone);
    let appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &[codec]));
    let mut visitor = Visitor::open(&appliance, VisitorSettings::with_codecs(browser));
    visitor.call();
    visitor.talks();
    visitor.hears(PHONE);
    Talk { _appliance: appliance, phone, visitor, _place: place }
}

#[test]
fn a_phone_gets_packets_of_the_length_that_it_asks_for() {
    for (ptime, codec, browser) in [
        (10, Codec::Pcma, Codec::Pcma),
        (30, Codec::Pcmu, Codec::Opus),
        (40, Codec::G722, Codec::G722),
        (60, Codec::Pcma, Codec::Opus),
    ] {
        let settings = HandsetSettings { ptime, ..HandsetSettings::with_codec(codec) };
        let talk = talk(&format!("handset-ptime-{ptime}"), settings, &[browser]);
        talk.phone.hears(VISITOR);
        let (octets, steps) = talk.phone.look(|seen| (seen.payload.len(), seen.steps.clone()));
        assert_eq!(octets, ptime as usize * 8, "{ptime} ms");
        let even = steps.iter().filter(|step| **step == ptime * 8).count();
        assert!(even * 10 >= steps.len() * 9, "{ptime} ms: {steps:?}");
        talk.visitor.hang_up();
        talk.visitor.ends();
    }
}

#[test]
fn keys_go_by_info_to_a_phone_without_telephone_events() {
    let settings = HandsetSettings { events: false, ..HandsetSettings::with_codec(Codec::Pcma) };
    let talk = talk("handset-info", settings, &[Codec::Opus]);
    talk.visitor.press("19#");
    let infos = talk.phone.until("three keys come by INFO", |seen| {
        (seen.infos.len() == 3).then(|| seen.infos.clone())
    });
    for (info, key) in infos.iter().zip(["1", "9", "#"]) {
        assert_eq!(info, &format!("Signal={key}\r\nDuration=160\r\n"));
    }
    talk.phone.hears(VISITOR);
    talk.visitor.hang_up();
    talk.visitor.ends();
}

#[test]
fn a_phone_that_pauses_is_heard_as_soft_noise_and_then_again() {
    for browser in [Codec::Opus, Codec::Pcmu] {
        let settings = HandsetSettings::with_codec(Codec::Pcmu);
        let talk = talk(&format!("handset-pause-{browser}"), settings, &[browser]);
        talk.phone.pause(45);
        let level = harness::wait::within(harness::wait::PATIENCE, || {
            let pcm = talk.visitor.look(|seen| seen.heard.last(600));
            let level = audio::level::dbfs(&pcm);
            (-50.0..-40.0).contains(&level).then_some(level)
        });
        assert!(level.is_some(), "{browser}: no soft noise");
        talk.phone.say(Some(880.0));
        talk.visitor.hears(880.0);
        talk.visitor.hang_up();
        talk.visitor.ends();
    }
}

#[test]
fn a_stranger_who_knows_the_port_is_neither_heard_nor_sent_anything() {
    let talk = talk("handset-stranger", HandsetSettings::with_codec(Codec::Pcma), &[Codec::Pcma]);
    let offer = talk.phone.look(|seen| seen.offers[0].clone());
    let port = harness::handset::remote(&offer).unwrap();
    // Another host of the same network, with another tone and even the phone's own SSRC.
    let stranger = std::net::UdpSocket::bind("127.0.0.2:0").unwrap();
    stranger.set_nonblocking(true).unwrap();
    let mut tone =
        audio::tone::ToneGenerator::new(audio::tone::Tone::steady(1_500.0, -10.0), sound::RATE);
    for n in 0..250u16 {
        let mut pcm = [0; 160];
        tone.fill(&mut pcm);
        let payload = pcm.map(audio::alaw_encode);
        let packet = rtp::Packet {
            payload_type: 8,
            marker: n == 0,
            sequence: 1_000 + n,
            timestamp: u32::from(n) * 160,
            ssrc: 7,
            payload: &payload,
        };
        let mut octets = [0; 172];
        packet.write(&mut octets).unwrap();
        stranger.send_to(&octets, port).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    assert!(stranger.recv_from(&mut [0; 200]).is_err(), "the stranger was sent something");
    let level = talk.visitor.hears(PHONE);
    assert!((-13.0..-7.0).contains(&level), "the phone's tone comes at {level} dBFS");
    talk.phone.hears(VISITOR);
    talk.visitor.hang_up();
    talk.visitor.ends();
}

#[test]
fn an_encrypted_call_goes_on_after_the_phone_has_held_it() {
    let place = Place::new("srtp-held");
    let phone = Baresip::start(&place, "phone", &phone("srtp-mand", &["PCMA/8000"]));
    let lines = "srtp = \"required\"\ncodecs = [\"pcma\"]";
    let appliance = Appliance::start(&place, &shop(&phone, lines));
    let mut visitor = Visitor::open(&appliance, VisitorSettings::with_codecs(&[Codec::Pcma]));
    visitor.call();
    visitor.talks();
    visitor.hears(PHONE);
    phone.order("hold", "");
    visitor.hears_nothing();
    phone.order("resume", "");
    visitor.hears(PHONE);
    // baresip's recorder does not go on after a hold; keys are encrypted as sound is.
    visitor.press("8");
    harness::until("the phone hears the key", || (phone.digits() == "8").then_some(()));
    visitor.hang_up();
    assert_eq!(visitor.ends().0, EndCause::VisitorHungUp);
}
