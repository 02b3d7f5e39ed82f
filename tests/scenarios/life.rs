//! The life of the program: drain, end, reload.

use base::Codec;
use harness::appliance::ORIGINS;
use harness::{Appliance, Baresip, Phone, Place, Shop, Visitor, VisitorSettings};
use signalling::{EndCause, ErrorCode};
use std::time::{Duration, Instant};

fn phone(place: &Place) -> Baresip {
    Baresip::start(place, "phone", &Phone::with_codecs(&["PCMU/8000"]))
}

fn talking(appliance: &Appliance) -> Visitor {
    let mut visitor = Visitor::open(appliance, VisitorSettings::with_codecs(&[Codec::Pcmu]));
    visitor.call();
    visitor.talks();
    visitor.hears(660.0);
    visitor
}

#[test]
fn a_first_sigterm_takes_no_new_calls_and_lets_the_live_one_end() {
    let place = Place::new("life-drain");
    let phone = phone(&place);
    let mut appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["pcmu"]));
    let visitor = talking(&appliance);
    let mut late = Visitor::open(&appliance, VisitorSettings::default());
    appliance.terminate();
    harness::until("it says that it ends", || appliance.log().contains("ending").then_some(()));
    late.call();
    let code =
        late.until("the new call is refused", |seen| seen.errors.first().map(|(code, _)| *code));
    assert_eq!(code, ErrorCode::Draining);
    let refused = Visitor::try_open(appliance.http, VisitorSettings::default());
    assert!(refused.is_err(), "a new page is refused");
    // The live call goes on.
    assert!(visitor.packets_come());
    visitor.hears(660.0);
    visitor.hang_up();
    assert_eq!(visitor.ends().0, EndCause::VisitorHungUp);
    let status = appliance.program().wait(Duration::from_secs(10));
    assert!(status.success(), "{status}");
    assert_eq!(appliance.rows(1)[0].cause, EndCause::VisitorHungUp.key());
}

#[test]
fn a_second_sigterm_ends_it_at_once_and_hangs_up() {
    let place = Place::new("life-second-signal");
    let phone = phone(&place);
    let mut appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["pcmu"]));
    let visitor = talking(&appliance);
    appliance.terminate();
    harness::until("it says that it ends", || appliance.log().contains("ending").then_some(()));
    assert!(visitor.packets_come(), "the call goes on");
    appliance.terminate();
    let status = appliance.program().wait(Duration::from_secs(5));
    assert!(status.success(), "{status}");
    phone.tells("CALL_CLOSED");
    assert_eq!(appliance.rows(1)[0].cause, EndCause::Stopped.key());
}

#[test]
fn a_drain_ends_after_thirty_seconds() {
    let place = Place::new("life-drain-limit");
    let phone = phone(&place);
    let mut appliance = Appliance::start(&place, &Shop::trunk(phone.sip, &["pcmu"]));
    let visitor = talking(&appliance);
    let start = Instant::now();
    appliance.terminate();
    let status = appliance.program().wait(Duration::from_secs(40));
    assert!(status.success(), "{status}");
    assert!(start.elapsed() > Duration::from_secs(25), "{:?}", start.elapsed());
    phone.tells("CALL_CLOSED");
    assert_eq!(appliance.rows(1)[0].cause, EndCause::Stopped.key());
    drop(visitor);
}

#[test]
fn sighup_brings_a_new_button_and_leaves_the_call_alone() {
    let place = Place::new("life-reload");
    let phone = phone(&place);
    let shop = Shop::trunk(phone.sip, &["pcmu"]);
    let appliance = Appliance::start(&place, &shop);
    let visitor = talking(&appliance);
    let more = |name: &str| VisitorSettings {
        button: Some(name.into()),
        ..VisitorSettings::with_codecs(&[Codec::Pcmu])
    };
    assert!(Visitor::try_open(appliance.http, more("support")).is_err());
    let line = format!("destination = \"sip:sales@{}\"\n{ORIGINS}", phone.sip);
    appliance.reload(&shop.clone().button("support", &line));
    let mut second = harness::until("the new button is there", || {
        Visitor::try_open(appliance.http, more("support")).ok()
    });
    assert!(visitor.packets_come(), "the call goes on");
    second.call();
    second.talks();
    second.hears(660.0);
    visitor.hears(660.0);
    second.hang_up();
    second.ends();
    // A file with a mistake changes nothing.
    appliance.reload(&shop.clone().button("broken", "destinaton = \"sip:x@127.0.0.1\""));
    harness::until("the mistake is named", || {
        appliance.log().contains("the running configuration stays").then_some(())
    });
    assert!(Visitor::try_open(appliance.http, more("support")).is_ok());
    assert!(visitor.packets_come(), "the call goes on");
    visitor.hang_up();
    assert_eq!(visitor.ends().0, EndCause::VisitorHungUp);
    appliance.is_quiet();
}

#[test]
fn a_button_takes_as_many_calls_as_it_may_and_refuses_the_next() {
    let place = Place::new("life-limit");
    let phone = phone(&place);
    let account = format!(
        "registrar = \"{0}\"\nusername = \"shop\"\nregister = false\n\
         codecs = [\"pcmu\"]",
        phone.sip
    );
    let button = format!("destination = \"sip:sales@{}\"\n{ORIGINS}\nmax_calls = 2", phone.sip);
    let shop = Shop::new().account("main", &account).button("sales", &button);
    let appliance = Appliance::start(&place, &shop);
    let talkers = [talking(&appliance), talking(&appliance)];
    let mut third = Visitor::open(&appliance, VisitorSettings::default());
    third.call();
    let code =
        third.until("the third is refused", |seen| seen.errors.first().map(|(code, _)| *code));
    assert_eq!(code, ErrorCode::Limit);
    for talker in &talkers {
        talker.hears(660.0);
        talker.hang_up();
        talker.ends();
    }
    appliance.is_quiet();
    third.call();
    third.talks();
    third.hang_up();
    third.ends();
}

#[test]
fn a_call_has_a_longest_time() {
    let place = Place::new("life-too-long");
    let phone = phone(&place);
    let account = format!("registrar = \"{0}\"\nusername = \"shop\"\nregister = false", phone.sip);
    let button =
        format!("destination = \"sip:sales@{}\"\n{ORIGINS}\nmax_duration = \"4s\"", phone.sip);
    let shop = Shop::new().account("main", &account).button("sales", &button);
    let appliance = Appliance::start(&place, &shop);
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    visitor.call();
    assert_eq!(visitor.ends().0, EndCause::TooLong);
    phone.tells("CALL_CLOSED");
    appliance.is_quiet();
    assert_eq!(appliance.rows(1)[0].cause, EndCause::TooLong.key());
}

#[test]
fn a_password_that_is_typed_at_a_terminal_does_not_show() {
    use std::io::{BufRead, BufReader, Write};
    use std::process::{Command, Stdio};
    let place = Place::new("life-init");
    let file = place.path("shop.toml");
    // `script` gives the program a terminal of its own and copies what stands on it.
    let mut terminal = Command::new("script")
        .args(["--quiet", "--return", "--command"])
        .arg(format!("{} init {}", Appliance::executable().display(), file.display()))
        .arg("/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("script (bsdutils) runs");
    let mut typed = terminal.stdin.take().unwrap();
    let mut screen = BufReader::new(terminal.stdout.take().unwrap());
    let mut shown = Vec::new();
    for (question, answer) in [
        ("Public name", ""),
        ("SIP server", "sip.provider.example"),
        ("SIP user name", "74951234567"),
        ("SIP password", "correct-horse"),
        ("Whom the button calls", ""),
        ("Your store", ""),
    ] {
        // A question ends with a colon; what is typed before it is asked for would be answered
        // with the terminal's echo.
        while !String::from_utf8_lossy(&shown).contains(question) || !shown.ends_with(b": ") {
            let some = screen.fill_buf().unwrap().to_vec();
            assert!(!some.is_empty(), "{}", String::from_utf8_lossy(&shown));
            screen.consume(some.len());
            shown.extend(some);
        }
        if question == "SIP password" {
            // The echo is switched off right after the question.
            std::thread::sleep(Duration::from_secs(1));
        }
        typed.write_all(format!("{answer}\n").as_bytes()).unwrap();
    }
    assert!(terminal.wait().unwrap().success());
    std::io::Read::read_to_end(&mut screen, &mut shown).unwrap();
    let shown = String::from_utf8_lossy(&shown);
    assert!(shown.contains("74951234567"), "what is no secret shows: {shown}");
    assert!(!shown.contains("correct-horse"), "{shown}");
    assert!(std::fs::read_to_string(&file).unwrap().contains("\"correct-horse\""));
}
