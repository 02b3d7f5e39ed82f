//! `click2call check`: what it proves where all is well, and what it says where it is not.

use harness::appliance::ORIGINS;
use harness::certificates::Authority;
use harness::check::{Checked, check, check_among, check_file};
use harness::kamailio::{Digest, Provider};
use harness::name_server::{NameServer, Records};
use harness::{Appliance, Baresip, Handset, HandsetSettings, Kamailio, Phone, Place, Shop, Sipp};
use std::net::{Ipv4Addr, UdpSocket};
use std::process::Command;

fn shop(provider: &str, lines: &str) -> Shop {
    Shop::registered(provider, lines)
}

#[test]
fn an_account_that_calls_itself_shows_that_calls_work() {
    let place = Place::new("check-self");
    let provider = Kamailio::start(&place, Digest::Md5, None);
    let checked = check(&place, &shop(&provider.sip.to_string(), ""), &[]);
    assert_eq!((checked.status, checked.works), (Some(0), true), "{checked:?}");
    checked.finds("ok", "registration", "registered in");
    checked.finds("ok", "call", "rang after");
    checked.finds("ok", "call", "the browser's side was up after");
    checked.finds("ok", "sound", "the tone comes to us");
    checked.finds("ok", "sound", "the tone comes to the other end");
    checked.finds("ok", "keys", "keys of the visitor arrive");
    checked.finds("ok", "keys", "keys of the phone arrive");
    // Both ends hung up, and nothing stays at the registrar.
    let log = provider.log();
    assert!(provider.requests("BYE", "udp") >= 1, "{log}");
    assert!(provider.requests("REGISTER", "udp") >= 3, "{log}");
}

#[test]
fn a_check_beside_the_running_appliance_leaves_it_registered() {
    let place = Place::new("check-beside");
    let provider = Kamailio::start(&place, Digest::Md5, None);
    let shop = shop(&provider.sip.to_string(), "expires = 60");
    let appliance = Appliance::start(&place, &shop);
    appliance.readiness_becomes(200);
    let checked = check(&place, &shop, &[]);
    assert_eq!(checked.status, Some(0), "{checked:?}");
    assert_eq!(appliance.readiness(), (200, "ready\n".to_owned()));
    // The registrar still brings calls to it.
    let caller = Phone { registers: false, ..Phone::with_account("bob", &provider) };
    let caller = Baresip::start(&place, "caller", &caller);
    caller.order("dial", &format!("sip:shop@{}", provider.sip));
    let words = caller.tells("CALL_CLOSED");
    assert!(words.contains("480"), "{words}");
}

#[test]
fn a_check_that_takes_the_running_appliances_registration_says_so() {
    let place = Place::new("check-single");
    let settings = Provider { single: true, ..Provider::default() };
    let provider = Kamailio::provide(&place, &settings);
    let shop = shop(&provider.sip.to_string(), "expires = 60");
    let appliance = Appliance::start(&place, &shop);
    appliance.readiness_becomes(200);
    // Where its pages are is how it is known to run.
    let text = std::fs::read_to_string(Appliance::file(&place, "check", &shop)).unwrap();
    let text = text.replace("http = \"127.0.0.1:0\"", &format!("http = \"{}\"", appliance.http));
    let file = place.write("beside.toml", &text);
    let checked = check_file(&file, &[], Command::new(Appliance::executable()));
    checked.finds("ok", "ports", "as it is while click2call runs");
    let found = checked.finds("warn", "registration", "keeps one registration");
    assert!(found["todo"].as_str().unwrap().contains("SIGHUP"), "{found}");
    assert_eq!(checked.status, Some(0), "{checked:?}");
}

#[test]
fn an_account_that_wants_encryption_calls_itself_with_it() {
    let place = Place::new("check-srtp");
    let provider = Kamailio::start(&place, Digest::Sha256, None);
    let checked = check(&place, &shop(&provider.sip.to_string(), "srtp = \"required\""), &[]);
    assert_eq!((checked.status, checked.works), (Some(0), true), "{checked:?}");
    checked.finds("ok", "call", "encrypted");
}

#[test]
fn names_are_looked_up_as_calls_do() {
    let place = Place::new("check-names");
    let provider = Kamailio::start(&place, Digest::Md5, None);
    let host = "sip.provider.example";
    let records = Records::new()
        .srv("_sip._udp.provider.example", host, provider.sip.port(), 0, 0)
        .host(host, provider.sip.ip());
    let names = NameServer::start(&place, &records);
    let shop = shop("provider.example", "");
    let checked = check_among(&place, &shop, &[], &names);
    assert_eq!(checked.status, Some(0), "{checked:?}");
    checked.finds("ok", "names", &provider.sip.to_string());
    let lines = format!("destination = \"sip:1@nowhere.example\"\n{ORIGINS}");
    let checked = check_among(&place, &shop.button("other", &lines), &[], &names);
    let found = checked.finds("fail", "names", "nowhere.example leads to no SIP server");
    assert_eq!(found["key"], "buttons.other.destination");
    assert_eq!(checked.status, Some(1), "{checked:?}");
}

#[test]
fn a_provider_that_says_nothing_by_udp_is_found_by_tcp() {
    let place = Place::new("check-silent");
    let provider =
        Kamailio::provide(&place, &Provider { tcp: true, udp: false, ..Provider::default() });
    let checked = check(&place, &shop(&provider.sip.to_string(), ""), &[]);
    assert_eq!(checked.status, Some(1), "{checked:?}");
    assert_eq!(checked.proposal(), Some("transport = \"tcp\""), "{checked:?}");
    checked.finds("fail", "walk", "met with silence");
    checked.finds("ok", "sound", "the tone comes to us");
}

#[test]
fn a_wrong_password_is_told_and_not_tried_often() {
    let place = Place::new("check-password");
    let provider = Kamailio::start(&place, Digest::Md5, None);
    let shop = Shop::at(&provider.sip.to_string(), "phone", "password = \"wrong\"");
    let checked = check(&place, &shop, &[]);
    assert_eq!((checked.status, checked.works), (Some(1), false), "{checked:?}");
    let found = checked.finds("fail", "registration", "does not take the password");
    assert!(found["todo"].as_str().unwrap().contains("auth_username"), "{found}");
    assert_eq!(found["account"], "main");
    assert!(provider.requests("REGISTER", "udp") <= 14, "{}", provider.log());
    let text = format!("{checked:?}");
    assert!(!text.contains("\"wrong\""), "the password is in no finding");
}

#[test]
fn a_provider_that_is_not_there_is_told() {
    let place = Place::new("check-unreachable");
    // A port that was free a moment ago.
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let gone = socket.local_addr().unwrap();
    drop(socket);
    let checked = check(&place, &shop(&gone.to_string(), ""), &[]);
    assert_eq!(checked.status, Some(1), "{checked:?}");
    checked.finds("fail", "registration", "is not reached");
    // By TCP it is known before anything is tried.
    let checked = check(&place, &shop(&gone.to_string(), "transport = \"tcp\""), &[]);
    checked.finds("fail", "names", "takes no connections");
    assert_eq!(checked.status, Some(1), "{checked:?}");
}

#[test]
fn certificates_are_looked_at_before_anything_is_sent() {
    let place = Place::new("check-tls");
    let authority = Authority::new(&place, "authority");
    for expired in [false, true] {
        let certificate = Some(authority.certify(&place, "localhost", expired));
        let settings = Provider { certificate, ..Provider::default() };
        let provider = Kamailio::provide(&place, &settings);
        let lines = format!("transport = \"tls\"\nca_file = {:?}", authority.file);
        let host = format!("localhost:{}", provider.tls.port());
        let checked = check(&place, &shop(&host, &lines), &[]);
        if expired {
            checked.finds("fail", "certificate", "has expired");
            checked.finds("warn", "registration", "not tried");
            assert_eq!(checked.status, Some(1), "{checked:?}");
        } else {
            checked.finds("ok", "certificate", "holds for");
            assert_eq!(checked.status, Some(0), "{checked:?}");
        }
    }
}

#[test]
fn a_number_that_echoes_shows_that_calls_work() {
    let place = Place::new("check-echo");
    let keys = [("ring", "300"), ("format", "8"), ("codec", "PCMA/8000")];
    let phone = Sipp::start_with(&place, "echoes", &keys);
    let shop = Shop::trunk(phone.sip, &["pcma"]);
    let checked = check(&place, &shop, &["--to", "echo"]);
    assert_eq!((checked.status, checked.works), (Some(0), true), "{checked:?}");
    checked.finds("ok", "sound", "our tone comes back");
}

#[test]
fn a_phone_that_says_nothing_at_all_is_no_working_call() {
    let place = Place::new("check-mute");
    let phone = Sipp::start(&place, "sends-nothing");
    let checked = check(&place, &Shop::trunk(phone.sip, &["pcma"]), &["--to", "mute"]);
    assert_eq!((checked.status, checked.works), (Some(1), false), "{checked:?}");
    let found = checked.finds("fail", "sound", "no sound comes to us");
    assert!(found["todo"].as_str().unwrap().contains("firewall"), "{found}");
}

#[test]
fn a_phone_that_proves_nothing_of_what_it_hears_is_not_taken_for_proof() {
    let place = Place::new("check-unproved");
    let phone = Handset::start(HandsetSettings::with_codec(base::Codec::Pcma));
    let checked = check(&place, &Shop::trunk(phone.sip, &["pcma"]), &["--to", "shop"]);
    assert_eq!((checked.status, checked.works), (Some(1), false), "{checked:?}");
    checked.finds("ok", "sound", "sound comes to us");
    checked.finds("warn", "sound", "nothing proves that the other end hears us");
    // It did hear the tone, and the keys.
    assert_eq!(phone.look(|seen| seen.digits.clone()), "159#");
    assert_eq!(phone.look(|seen| seen.invited.len()), 1, "one call");
}

#[test]
fn a_phone_that_reports_what_it_receives_shows_that_calls_work() {
    let place = Place::new("check-reports");
    let phone = Baresip::start(&place, "phone", &Phone::of_provider());
    let provider = Kamailio::start(&place, Digest::Md5, Some(phone.sip));
    let checked = check(&place, &shop(&provider.sip.to_string(), ""), &["--to", "phone"]);
    assert_eq!((checked.status, checked.works), (Some(0), true), "{checked:?}");
    checked.finds("ok", "sound", "the other end reports");
}

#[test]
fn the_setting_that_a_provider_wants_is_found_and_written() {
    let place = Place::new("check-walk");
    let provider = Kamailio::provide(&place, &Provider { timeless: true, ..Provider::default() });
    let lines = "auth_username = \"shop\" # as they gave it";
    let shop = shop(&provider.sip.to_string(), lines);
    let checked = check(&place, &shop, &[]);
    assert_eq!((checked.status, checked.works), (Some(1), false), "{checked:?}");
    assert_eq!(checked.proposal(), Some("quirks = [\"no-session-timers\"]"), "{checked:?}");
    let before = std::fs::read_to_string(&checked.file).unwrap();
    let run = |arguments: &[&str]| {
        check_file(&checked.file, arguments, Command::new(Appliance::executable()))
    };
    let written = run(&["--write"]);
    assert_eq!((written.status, written.works), (Some(0), true), "{written:?}");
    let after = std::fs::read_to_string(&checked.file).unwrap();
    assert_eq!(after.replace("quirks = [\"no-session-timers\"]\n", ""), before);
    let again = run(&[]);
    assert_eq!((again.status, again.proposal()), (Some(0), None), "{again:?}");
}

#[test]
fn a_signal_ends_a_call_that_rings_properly() {
    let place = Place::new("check-signal");
    let settings =
        HandsetSettings { answers_after: None, ..HandsetSettings::with_codec(base::Codec::Pcma) };
    let phone = Handset::start(settings);
    let file = Appliance::file(&place, "check", &Shop::trunk(phone.sip, &["pcma"]));
    let mut command = Command::new(Appliance::executable());
    command.args(["check", "--to", "shop", "--config"]).arg(file);
    let log = place.path("check.log");
    let mut program = harness::Program::start("click2call check", &mut command, &log);
    phone.until("it rings", |seen| (!seen.invited.is_empty()).then_some(()));
    program.signal("INT");
    let status = program.wait(std::time::Duration::from_secs(5));
    assert_eq!(status.code(), Some(1), "{}", program.output());
    phone.until("the call is cancelled", |seen| (!seen.cancelled.is_empty()).then_some(()));
    assert!(program.output().contains("ended before its time"), "{}", program.output());
}

/// The check of the demo; `command` is the executable, or something that runs it.
fn demo(mut command: Command) -> Checked {
    let free = |key: &str| (format!("CLICK2CALL_LISTEN_{key}"), "127.0.0.1:0".to_owned());
    command.envs(["HTTP", "WEBRTC", "RTMFP"].map(free));
    command.args(["check", "--demo", "--json"]);
    Checked::of(command)
}

#[test]
fn the_demo_is_proved_by_its_own_phone() {
    let mut command = Command::new(Appliance::executable());
    let first = harness::place::ports(40);
    command.env("CLICK2CALL_LISTEN_RTP", format!("127.0.0.1:{first}-{}", first + 39));
    let checked = demo(command);
    assert_eq!((checked.status, checked.works), (Some(0), true), "{checked:?}");
    checked.finds("ok", "sound", "our tone comes back");
}

/// The demo, whose phone has the upper half of these ports, in a network of its own that loses three
/// of ten datagrams to some of them.
fn lossy(ports: &str) -> Checked {
    let script = "ip link set lo up && nft add table ip t && \
                  nft add chain ip t c '{ type filter hook input priority 0; }' && \
                  nft add rule ip t c udp dport \"$1\" numgen random mod 10 '<' 3 drop && \
                  shift && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.env("CLICK2CALL_LISTEN_RTP", "127.0.0.1:20000-20999");
    command.args(["--net", "sh", "-c", script, "sh", ports]).arg(Appliance::executable());
    demo(command)
}

#[test]
fn a_network_that_loses_sound_one_way_is_found_with_the_way() {
    let checked = lossy("20500-20999");
    assert_eq!((checked.status, checked.works), (Some(1), false), "{checked:?}");
    checked.finds("ok", "sound", "sound comes to us");
    checked.finds("fail", "sound", "of our sound lost");
    let checked = lossy("20000-20499");
    assert_eq!((checked.status, checked.works), (Some(1), false), "{checked:?}");
    checked.finds("fail", "sound", "sound comes to us");
    // By the echo, or by the reports that got through.
    checked.finds("ok", "sound", "our ");
}
