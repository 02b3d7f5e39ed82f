//! Kamailio as the provider: registration, digest, and a proxy on the way of every request.

use harness::kamailio::{Digest, PASSWORD, Provider};
use harness::{Appliance, Baresip, Kamailio, Phone, Place, Shop, Visitor, VisitorSettings, calls};
use signalling::EndCause;
use std::time::Duration;

/// A shop whose account and button live at the provider.
fn shop(provider: &Kamailio, password: &str) -> Shop {
    let lines = format!("password = \"{password}\"\nexpires = 60\ncodecs = [\"pcma\", \"pcmu\"]");
    Shop::at(&provider.sip.to_string(), "phone", &lines)
}

fn registers_and_calls(name: &str, digest: Digest) {
    let place = Place::new(name);
    let phone = Baresip::start(&place, "phone", &Phone::of_provider());
    let provider = Kamailio::start(&place, digest, Some(phone.sip));
    let appliance = Appliance::start(&place, &shop(&provider, PASSWORD));
    assert_eq!(appliance.readiness_becomes(200), "ready\n");
    assert_eq!(appliance.metric("accounts_registered"), 1);
    // Either way round: the shop's BYE comes back through the proxy.
    calls::both_ends_hang_up(&appliance, &phone);
    // ACK and BYE went by the recorded route.
    let requests = |method: &str| provider.requests(method, "udp");
    assert!(requests("ACK") >= 2 && requests("BYE") >= 2, "{}", provider.log());
    assert_eq!(appliance.metric("sip_foreign_dropped_total"), 0);
}

#[test]
fn an_account_registers_and_calls_with_md5() {
    registers_and_calls("kamailio-md5", Digest::Md5);
}

#[test]
fn an_account_registers_and_calls_with_sha_256() {
    registers_and_calls("kamailio-sha-256", Digest::Sha256);
}

#[test]
fn a_call_through_two_proxies_keeps_its_way_to_the_end() {
    let place = Place::new("kamailio-two-proxies");
    let inner = Place::new("kamailio-inner-proxy");
    let phone = Baresip::start(&place, "phone", &Phone::of_provider());
    // The first asks for the password, the second stands before the phone; both stay on the way.
    let far = Provider { phone: Some(phone.sip), open: true, ..Provider::default() };
    let far = Kamailio::provide(&inner, &far);
    let near = Kamailio::start(&place, Digest::Md5, Some(far.sip));
    let appliance = Appliance::start(&place, &shop(&near, PASSWORD));
    appliance.readiness_becomes(200);
    calls::both_ends_hang_up(&appliance, &phone);
    for proxy in [&near, &far] {
        let log = proxy.log();
        for method in ["INVITE", "ACK", "BYE"] {
            assert!(proxy.requests(method, "udp") >= 2, "{method}: {log}");
        }
    }
    // The far one hears from its neighbours alone, whichever end hangs up.
    let ours = format!(" from {}:{} ", appliance.sip().ip(), appliance.sip().port());
    assert!(!far.log().contains(&ours), "{}", far.log());
}

#[test]
fn a_phone_that_has_registered_itself_is_called_by_its_name() {
    let place = Place::new("kamailio-registered-phone");
    let provider = Kamailio::start(&place, Digest::Md5, None);
    let phone = Baresip::registered(&place, "bob", &provider);
    let shop = shop(&provider, PASSWORD).button(
        "support",
        &format!("destination = \"sip:bob@{}\"\n{}", provider.sip, harness::appliance::ORIGINS),
    );
    let appliance = Appliance::start(&place, &shop);
    appliance.readiness_becomes(200);
    let settings = VisitorSettings { button: Some("support".into()), ..VisitorSettings::default() };
    let mut visitor = Visitor::open(&appliance, settings);
    visitor.call();
    calls::talks_and_hangs_up(&visitor);
    phone.tells("CALL_CLOSED");
}

#[test]
fn a_wrong_password_is_told_to_the_operator_and_fails_calls_with_its_cause() {
    let place = Place::new("kamailio-wrong-password");
    let provider = Kamailio::start(&place, Digest::Md5, None);
    let appliance = Appliance::start(&place, &shop(&provider, "wrong"));
    harness::until("the log says why", || {
        appliance.log().contains("Wrong user name or password").then_some(())
    });
    let words = appliance.readiness_becomes(503);
    assert!(words.contains("0 of 1 accounts are registered"), "{words}");
    assert!(!appliance.log().contains("wrong\""), "the password is in no log");
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    visitor.call();
    let cause = visitor.ends().0;
    assert!(
        matches!(cause, EndCause::AuthenticationFailed | EndCause::Forbidden),
        "the call ends with {cause:?}"
    );
    appliance.metric_becomes("calls_failed_total", 1);
}

#[test]
fn the_account_leaves_the_registrar_when_the_appliance_ends() {
    let place = Place::new("kamailio-unregister");
    let provider = Kamailio::start(&place, Digest::Md5, None);
    let mut appliance = Appliance::start(&place, &shop(&provider, PASSWORD));
    appliance.readiness_becomes(200);
    let before = provider.requests("REGISTER", "udp");
    assert!(appliance.stop(Duration::from_secs(10)).success());
    // The account takes its registration back.
    provider.gets("REGISTER", "udp", before + 1);
}

#[test]
fn a_registrar_that_comes_up_later_is_found() {
    let place = Place::new("kamailio-later");
    // Its port is known before it runs.
    let sip = Kamailio::start(&place, Digest::Md5, None).sip;
    let shop = Shop::registered(&sip.to_string(), "expires = 60");
    let appliance = Appliance::start(&place, &shop);
    let words = appliance.readiness_becomes(503);
    assert!(words.contains("not ready"), "{words}");
    let _provider = Kamailio::provide_at(&place, &Provider::default(), sip);
    let limit = Duration::from_secs(75);
    harness::wait::until_within(limit, "the account registers", || {
        (appliance.readiness().0 == 200).then_some(())
    });
}

/// What a newcomer types, one answer a line; gives what the program says to it.
fn interviewed(file: &std::path::Path, answers: &str) -> String {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    let mut command = Command::new(Appliance::executable());
    command.arg("init").arg(file).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut program = command.spawn().unwrap();
    program.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
    let output = program.wait_with_output().unwrap();
    let words = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{words}");
    words
}

#[test]
fn the_file_that_init_writes_brings_a_newcomer_to_the_first_call() {
    let place = Place::new("kamailio-init");
    let phone = Baresip::start(&place, "phone", &Phone::of_provider());
    let provider = Kamailio::start(&place, Digest::Md5, Some(phone.sip));
    let file = place.path("shop.toml");
    // No public name, the provider, name and password, whom to call, the store's page.
    let store = harness::appliance::STORE;
    let answers = format!("\n{}\nshop\n{PASSWORD}\nphone\n{store}/shoes.html\n", provider.sip);
    let words = interviewed(&file, &answers);
    assert!(words.contains(&format!("click2call --config {}", file.display())), "{words}");
    let appliance = Appliance::start_with(&place, &file);
    assert_eq!(appliance.readiness_becomes(200), "ready\n");
    assert!(provider.log().contains("request REGISTER"), "{}", provider.log());
    let page = harness::web::get(appliance.http, "/b/sales").unwrap();
    assert_eq!(page.status, 200);
    assert!(page.head.contains(&format!("frame-ancestors 'self' {store}")), "{}", page.head);
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    visitor.call();
    visitor.talks();
    calls::both_hear_each_other(&visitor, &phone);
    // Once without and once with the password.
    assert_eq!(provider.requests("INVITE", "udp"), 2, "{}", provider.log());
    appliance.is_quiet();
    assert_eq!(appliance.rows(1)[0].cause, EndCause::VisitorHungUp.key());
}
