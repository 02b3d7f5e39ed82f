//! SIP over TCP and TLS: Kamailio as a provider that is reached by connections.

use harness::certificates::Authority;
use harness::kamailio::{PASSWORD, Provider};
use harness::sound::PHONE;
use harness::{Appliance, Baresip, Kamailio, Phone, Place, Shop, Visitor, VisitorSettings, calls};
use signalling::EndCause;
use std::net::SocketAddr;
use std::time::Duration;

fn phone(place: &Place) -> Baresip {
    Baresip::start(place, "phone", &Phone::of_provider())
}

/// A shop whose account and button live at a provider, with further lines of the account.
fn shop(registrar: &str, lines: &str) -> Shop {
    let lines = format!("expires = 60\ncodecs = [\"pcma\", \"pcmu\"]\n{lines}");
    Shop::registered(registrar, &lines)
}

/// A phone, a provider before it that takes connections, and an appliance that is registered there
/// by one.
struct Connected {
    appliance: Appliance,
    phone: Baresip,
    provider: Kamailio,
    settings: Provider,
    place: Place,
}

fn connected(name: &str, udp: bool) -> Connected {
    let place = Place::new(name);
    let phone = phone(&place);
    let settings = Provider { phone: Some(phone.sip), tcp: true, udp, ..Provider::default() };
    let provider = Kamailio::provide(&place, &settings);
    let shop = shop(&provider.sip.to_string(), "transport = \"tcp\"");
    let appliance = Appliance::start(&place, &shop);
    assert_eq!(appliance.readiness_becomes(200), "ready\n");
    Connected { appliance, phone, provider, settings, place }
}

#[test]
fn an_account_registers_and_calls_over_tcp() {
    let Connected { appliance, phone, provider, place: _place, .. } = connected("tcp", false);
    calls::both_ends_hang_up(&appliance, &phone);
    // REGISTER, INVITE, ACK and BYE all took the one connection.
    let log = provider.log();
    for method in ["REGISTER", "INVITE", "ACK", "BYE"] {
        assert!(provider.requests(method, "tcp") > 0, "{method}: {log}");
    }
    assert_eq!(appliance.log().matches("a SIP connection is up").count(), 1);
    assert_eq!(appliance.metric("sip_foreign_dropped_total"), 0);
    leaves(appliance, &provider, "tcp");
}

/// The appliance ends, and takes its registration back before.
fn leaves(mut appliance: Appliance, provider: &Kamailio, transport: &str) {
    let before = provider.requests("REGISTER", transport);
    assert!(appliance.stop(Duration::from_secs(10)).success());
    provider.gets("REGISTER", transport, before + 1);
}

#[test]
fn a_provider_that_restarts_finds_the_account_registered_again() {
    let Connected { appliance, phone, provider, settings, place } = connected("tcp-restart", true);
    calls::both_ends_hang_up(&appliance, &phone);
    let sip = provider.sip;
    drop(provider);
    let words = appliance.readiness_becomes(503);
    assert!(words.contains("0 of 1 accounts are registered"), "{words}");
    harness::until("the log says why", || {
        appliance.log().contains("takes no connections").then_some(())
    });
    let provider = Kamailio::provide_at(&place, &settings, sip);
    let limit = Duration::from_secs(75);
    harness::wait::until_within(limit, "the account registers again", || {
        (appliance.readiness().0 == 200).then_some(())
    });
    calls::both_ends_hang_up(&appliance, &phone);
    assert!(provider.requests("REGISTER", "tcp") > 0);
}

#[test]
fn a_call_survives_its_connection_and_is_hung_up_over_another() {
    let Connected { appliance, phone, provider, settings, place } = connected("tcp-mid-call", true);
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    visitor.call();
    visitor.talks();
    let sip = provider.sip;
    drop(provider);
    harness::until("the connection dies", || {
        appliance.log().contains("a SIP connection has ended").then_some(())
    });
    // Sound does not pass through the provider.
    visitor.hears(PHONE);
    let provider = Kamailio::provide_at(&place, &settings, sip);
    visitor.hang_up();
    assert_eq!(visitor.ends().0, EndCause::VisitorHungUp);
    phone.tells("CALL_CLOSED");
    assert_eq!(provider.requests("BYE", "tcp"), 1, "{}", provider.log());
}

#[test]
fn a_provider_reaches_the_account_by_the_connection_that_it_registered_on() {
    let place = Place::new("tcp-back");
    let authority = Authority::new(&place, "authority");
    let certificate = Some(authority.certify(&place, "localhost", false));
    let settings = Provider { tcp: true, certificate, ..Provider::default() };
    let provider = Kamailio::provide(&place, &settings);
    let ca = format!("ca_file = {:?}", authority.file);
    for (transport, port) in [("tcp", provider.sip.port()), ("tls", provider.tls.port())] {
        let lines = format!("transport = \"{transport}\"\n{ca}");
        let shop = shop(&format!("localhost:{port}"), &lines);
        let appliance = Appliance::start_as(&place, transport, &shop);
        appliance.readiness_becomes(200);
        let caller = Phone { registers: false, ..Phone::with_account("bob", &provider) };
        let caller = Baresip::start(&place, &format!("caller-{transport}"), &caller);
        caller.order("dial", &format!("sip:shop@{}", provider.sip));
        // The shop's own account is not to be called, and says so itself.
        let words = caller.tells("CALL_CLOSED");
        assert!(words.contains("480"), "{words}");
        assert_eq!(appliance.log().matches("a SIP connection is up").count(), 1);
    }
}

/// A provider behind TLS whose certificate is for this name, and the file of who vouches for it.
fn secure_provider(
    place: &Place,
    phone: Option<SocketAddr>,
    name: &str,
    expired: bool,
) -> (Kamailio, String) {
    let authority = Authority::new(place, "authority");
    let certificate = Some(authority.certify(place, name, expired));
    let settings = Provider { phone, udp: false, certificate, ..Provider::default() };
    let provider = Kamailio::provide(place, &settings);
    (provider, format!("transport = \"tls\"\nca_file = {:?}", authority.file))
}

#[test]
fn an_account_registers_and_calls_over_tls() {
    let place = Place::new("tls");
    let phone = phone(&place);
    let (provider, lines) = secure_provider(&place, Some(phone.sip), "localhost", false);
    let registrar = format!("localhost:{}", provider.tls.port());
    let appliance = Appliance::start(&place, &shop(&registrar, &lines));
    assert_eq!(appliance.readiness_becomes(200), "ready\n");
    calls::both_ends_hang_up(&appliance, &phone);
    let log = provider.log();
    for method in ["REGISTER", "INVITE", "ACK", "BYE"] {
        assert!(provider.requests(method, "tls") > 0, "{method}: {log}");
        assert_eq!(provider.requests(method, "tcp"), 0, "{method}: {log}");
    }
    assert_eq!(appliance.metric("sip_foreign_dropped_total"), 0);
    leaves(appliance, &provider, "tls");
}

/// The appliance does not register over TLS, and its log says why.
fn does_not_register(appliance: &Appliance, words: &[&str]) {
    harness::until("the log says why", || {
        let log = appliance.log();
        log.lines()
            .any(|line| {
                line.contains("not registered") && words.iter().all(|word| line.contains(word))
            })
            .then_some(())
    });
    assert_eq!(appliance.readiness().0, 503);
}

#[test]
fn a_certificate_for_another_name_is_refused_and_both_names_are_told() {
    let place = Place::new("tls-name");
    let (provider, lines) = secure_provider(&place, None, "pbx.example", false);
    let registrar = format!("localhost:{}", provider.tls.port());
    let appliance = Appliance::start(&place, &shop(&registrar, &lines));
    does_not_register(&appliance, &["is for pbx.example and not for localhost"]);
    assert_eq!(provider.requests("REGISTER", "tls"), 0);
    // An address is no name that the certificate has either.
    let appliance = Appliance::start(&place, &shop(&provider.tls.to_string(), &lines));
    does_not_register(&appliance, &["is for pbx.example and not for 127.0.0.1"]);
}

#[test]
fn an_authority_that_nobody_knows_is_refused_and_the_way_out_is_told() {
    let place = Place::new("tls-authority");
    let (provider, _) = secure_provider(&place, None, "localhost", false);
    let registrar = format!("localhost:{}", provider.tls.port());
    let other = Authority::new(&place, "other");
    let lines = format!("transport = \"tls\"\nca_file = {:?}", other.file);
    let appliance = Appliance::start(&place, &shop(&registrar, &lines));
    does_not_register(&appliance, &["authority that nobody here knows", "ca_file"]);
    assert_eq!(provider.requests("REGISTER", "tls"), 0);
}

#[test]
fn an_expired_certificate_is_refused_and_told() {
    let place = Place::new("tls-expired");
    let (provider, lines) = secure_provider(&place, None, "localhost", true);
    let registrar = format!("localhost:{}", provider.tls.port());
    let appliance = Appliance::start(&place, &shop(&registrar, &lines));
    does_not_register(&appliance, &["the certificate of localhost has expired"]);
    assert_eq!(provider.requests("REGISTER", "tls"), 0);
}

#[test]
fn tls_at_a_port_without_it_is_told() {
    let place = Place::new("tls-port");
    let (provider, lines) = secure_provider(&place, None, "localhost", false);
    let registrar = format!("localhost:{}", provider.sip.port());
    let appliance = Appliance::start(&place, &shop(&registrar, &lines));
    does_not_register(&appliance, &["TLS", "check port"]);
}

#[test]
fn a_provider_that_takes_connections_and_says_nothing_delays_nobody_else() {
    let place = Place::new("tcp-silent");
    let phone = phone(&place);
    let settings = Provider { phone: Some(phone.sip), tcp: true, ..Provider::default() };
    let provider = Kamailio::provide(&place, &settings);
    // The kernel takes its connections; nobody ever reads.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let account = |transport: &str| {
        format!(
            "registrar = \"{}\"\nusername = \"shop\"\npassword = \"{PASSWORD}\"\n\
             transport = \"{transport}\"",
            silent.local_addr().unwrap()
        )
    };
    let shop = shop(&provider.sip.to_string(), "transport = \"tcp\"")
        .account("deaf", &account("tcp"))
        .account("dumb", &account("tls"));
    let appliance = Appliance::start(&place, &shop);
    appliance.metric_becomes("accounts_registered", 1);
    calls::both_ends_hang_up(&appliance, &phone);
    harness::until("the log says what is wrong with TLS", || {
        appliance.log().contains("does not answer by TLS").then_some(())
    });
    let words = appliance.readiness().1;
    assert!(words.contains("1 of 3 accounts are registered"), "{words}");
}

/// Header fields of a page that make an INVITE too long for UDP.
fn headers() -> std::collections::BTreeMap<String, String> {
    (0..6).map(|n| (format!("X-Basket-{n}"), "item ".repeat(45))).collect()
}

#[test]
fn an_invite_too_long_for_udp_goes_by_tcp_where_the_provider_takes_it() {
    for tcp in [true, false] {
        let place = Place::new(if tcp { "long-tcp" } else { "long-udp" });
        let phone = phone(&place);
        let settings = Provider { phone: Some(phone.sip), tcp, ..Provider::default() };
        let provider = Kamailio::provide(&place, &settings);
        let appliance = Appliance::start(&place, &shop(&provider.sip.to_string(), ""));
        appliance.readiness_becomes(200);
        let settings = VisitorSettings { headers: headers(), ..VisitorSettings::default() };
        let mut visitor = Visitor::open(&appliance, settings);
        visitor.call();
        calls::talks_and_hangs_up(&visitor);
        phone.tells("CALL_CLOSED");
        let by_tcp = provider.requests("INVITE", "tcp");
        assert_eq!(by_tcp > 0, tcp, "{}", provider.log());
        assert!(tcp || provider.requests("INVITE", "udp") > 0, "{}", provider.log());
        assert_eq!(provider.requests("REGISTER", "tcp"), 0);
    }
}

#[test]
fn strangers_find_the_sip_port_closed_to_their_connections() {
    use std::io::{Read as _, Write as _};
    let place = Place::new("tcp-strangers");
    // An account elsewhere: nobody on this machine is a peer.
    let shop = Shop::trunk("127.0.0.9:5060".parse().unwrap(), &["pcmu"]);
    let appliance = Appliance::start(&place, &shop);
    let mut stranger = std::net::TcpStream::connect(appliance.sip()).unwrap();
    stranger.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let _ = stranger.write_all(b"OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nContent-Length: 0\r\n\r\n");
    let read = stranger.read(&mut [0; 64]);
    assert!(!matches!(read, Ok(1..)), "a stranger is answered");
    let waits = |error: std::io::Error| error.kind() == std::io::ErrorKind::WouldBlock;
    assert!(!read.is_err_and(waits), "a stranger's connection stays open");
}
