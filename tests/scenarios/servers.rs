//! From a provider's name to its servers: DNS records, servers that are down, further accounts,
//! trunks.

use harness::calls::talks_and_hangs_up;
use harness::certificates::Authority;
use harness::kamailio::{Digest, Provider};
use harness::name_server::{NameServer, Records};
use harness::{Appliance, Baresip, Kamailio, Phone, Place, Shop, Sipp, Visitor, VisitorSettings};
use signalling::{CallState, EndCause};
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A trunk at a name without a port, and a button that calls there.
fn named_trunk(host: &str) -> Shop {
    Shop::at(host, "sales", "register = false\ncodecs = [\"pcmu\"]")
}

fn phone(place: &Place) -> Baresip {
    Baresip::start(place, "phone", &Phone::with_codecs(&["PCMU/8000"]))
}

/// A server that takes everything and says nothing.
fn deaf() -> UdpSocket {
    let socket = UdpSocket::bind((HERE, 0)).unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

fn is_asked(deaf: &UdpSocket) -> bool {
    let mut asked = false;
    while deaf.recv(&mut [0; 2048]).is_ok() {
        asked = true;
    }
    asked
}

#[test]
fn a_silent_first_server_costs_one_call_a_few_seconds_and_the_next_one_nothing() {
    let place = Place::new("servers-silent");
    let (phone, deaf) = (phone(&place), deaf());
    let records = Records::new()
        .host("one.example", HERE)
        .host("two.example", HERE)
        .srv("_sip._udp.shop.example", "two.example", phone.sip.port(), 20, 0)
        .srv("_sip._udp.shop.example", "one.example", deaf.local_addr().unwrap().port(), 10, 0);
    let names = NameServer::start(&place, &records);
    let appliance = Appliance::start_among(&place, &named_trunk("shop.example"), &names);
    harness::until("the name is looked up", || {
        appliance.log().contains("servers found").then_some(())
    });
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    visitor.call();
    talks_and_hangs_up(&visitor);
    assert!(is_asked(&deaf), "the first server was tried first");
    let ends = visitor.look(|seen| seen.times(CallState::Ended));
    assert_eq!(ends, 1, "the page noticed nothing");
    let begun = Instant::now();
    visitor.call();
    visitor.talks();
    assert!(begun.elapsed() < Duration::from_secs(4), "the server that failed is tried last");
    assert!(!is_asked(&deaf));
    visitor.hang_up();
    visitor.ends();
    appliance.is_quiet();
    assert_eq!(names.asked("NAPTR", "shop.example"), 1, "answers hold as long as they say");
}

#[test]
fn a_provider_that_prefers_tcp_by_naptr_is_registered_at_by_tcp() {
    let place = Place::new("servers-naptr");
    let phone = Baresip::start(&place, "phone", &Phone::of_provider());
    let provider = Provider { phone: Some(phone.sip), tcp: true, ..Provider::default() };
    let provider = Kamailio::provide(&place, &provider);
    let records = Records::new()
        .host("sip.shop.example", HERE)
        .naptr("shop.example", 20, "SIP+D2U", "_sip._udp.shop.example")
        .naptr("shop.example", 10, "SIP+D2T", "_sip._tcp.shop.example")
        .srv("_sip._udp.shop.example", "sip.shop.example", provider.sip.port(), 10, 0)
        .srv("_sip._tcp.shop.example", "sip.shop.example", provider.sip.port(), 10, 0);
    let names = NameServer::start(&place, &records);
    let shop = Shop::registered("shop.example", "codecs = [\"pcma\"]");
    let appliance = Appliance::start_among(&place, &shop, &names);
    appliance.readiness_becomes(200);
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    visitor.call();
    talks_and_hangs_up(&visitor);
    for method in ["REGISTER", "INVITE"] {
        assert!(provider.requests(method, "tcp") > 0, "{}", provider.log());
        assert_eq!(provider.requests(method, "udp"), 0, "{}", provider.log());
    }
}

#[test]
fn tls_that_a_provider_asks_for_first_is_used_and_checked_against_the_name_of_the_file() {
    let place = Place::new("servers-naptr-tls");
    let phone = Baresip::start(&place, "phone", &Phone::of_provider());
    let authority = Authority::new(&place, "authority");
    // For the provider's name, not for that of the host which the records lead to (RFC 5922 4).
    let certificate = Some(authority.certify(&place, "shop.example", false));
    let provider =
        Provider { phone: Some(phone.sip), tcp: true, certificate, ..Provider::default() };
    let provider = Kamailio::provide(&place, &provider);
    let records = Records::new()
        .host("edge.shop.example", HERE)
        .naptr("shop.example", 20, "SIP+D2T", "_sip._tcp.shop.example")
        .naptr("shop.example", 10, "SIPS+D2T", "_sips._tcp.shop.example")
        .srv("_sip._tcp.shop.example", "edge.shop.example", provider.sip.port(), 10, 0)
        .srv("_sips._tcp.shop.example", "edge.shop.example", provider.tls.port(), 10, 0);
    let names = NameServer::start(&place, &records);
    let lines = format!("codecs = [\"pcma\"]\nca_file = {:?}", authority.file);
    let appliance =
        Appliance::start_among(&place, &Shop::registered("shop.example", &lines), &names);
    appliance.readiness_becomes(200);
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    visitor.call();
    talks_and_hangs_up(&visitor);
    for method in ["REGISTER", "INVITE"] {
        assert!(provider.requests(method, "tls") > 0, "{}", provider.log());
        assert_eq!(provider.requests(method, "tcp"), 0, "{}", provider.log());
    }
}

#[test]
fn a_registrar_that_is_down_is_replaced_by_the_next_and_calls_go_there_too() {
    let place = Place::new("servers-registrar-down");
    let phone = Baresip::start(&place, "phone", &Phone::of_provider());
    let dead = harness::place::port();
    let provider = Kamailio::start(&place, Digest::Md5, Some(phone.sip));
    let records = Records::new()
        .host("sip.shop.example", HERE)
        .srv("_sip._udp.shop.example", "sip.shop.example", dead, 10, 0)
        .srv("_sip._udp.shop.example", "sip.shop.example", provider.sip.port(), 20, 0);
    let names = NameServer::start(&place, &records);
    let shop = Shop::registered("shop.example", "codecs = [\"pcma\"]");
    let begun = Instant::now();
    let appliance = Appliance::start_among(&place, &shop, &names);
    appliance.readiness_becomes(200);
    assert!(begun.elapsed() < Duration::from_secs(10), "nobody waited for the dead one");
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    visitor.call();
    talks_and_hangs_up(&visitor);
    assert!(provider.requests("INVITE", "udp") > 0, "{}", provider.log());
}

#[test]
fn a_name_server_that_is_gone_stops_no_call_and_a_table_of_hosts_needs_none() {
    let place = Place::new("servers-no-dns");
    let phone = phone(&place);
    let records = Records::new()
        .host("two.example", HERE)
        .srv("_sip._udp.shop.example", "two.example", phone.sip.port(), 10, 0)
        .listed("127.0.0.1 pbx");
    let mut names = NameServer::start(&place, &records);
    let listed = format!("pbx:{}", phone.sip.port());
    let account = format!("registrar = \"{listed}\"\nusername = \"shop\"\nregister = false");
    let button = format!(
        "account = \"pbx\"\ndestination = \"sip:sales@{listed}\"\n{}",
        harness::appliance::ORIGINS
    );
    let named = "registrar = \"shop.example\"\nusername = \"shop\"\nregister = false";
    let named_button = format!(
        "account = \"main\"\ndestination = \"sip:sales@shop.example\"\n{}",
        harness::appliance::ORIGINS
    );
    let shop = Shop::new()
        .account("pbx", &account)
        .account("main", named)
        .button("pbx", &button)
        .button("sales", &named_button);
    let appliance = Appliance::start_among(&place, &shop, &names);
    harness::until("both names are looked up", || {
        (appliance.log().matches("servers found").count() >= 2).then_some(())
    });
    assert_eq!(names.asked("A", "pbx") + names.asked("SRV", "_sip._udp.pbx"), 0);
    names.stop();
    // The answers are old by now, and nobody gives new ones.
    harness::wait::until_within(Duration::from_secs(60), "the look-up fails", || {
        appliance.log().contains("no name server answers").then_some(())
    });
    for name in ["sales", "pbx"] {
        let settings = VisitorSettings { button: Some(name.into()), ..VisitorSettings::default() };
        let mut visitor = Visitor::open(&appliance, settings);
        visitor.call();
        talks_and_hangs_up(&visitor);
    }
}

/// A button with two accounts.
fn two_accounts(main: &str, backup: &str, destination: &str) -> Shop {
    let button = format!(
        "account = [\"main\", \"backup\"]\ndestination = \"{destination}\"\n{}",
        harness::appliance::ORIGINS
    );
    Shop::new().account("main", main).account("backup", backup).button("sales", &button)
}

#[test]
fn a_call_that_the_first_account_cannot_bring_out_goes_by_the_second() {
    let place = Place::new("servers-accounts");
    let phone = phone(&place);
    let mut broken = Sipp::start_with(&place, "refuses", &[("status", "500")]);
    let account =
        |sip, user| format!("registrar = \"{sip}\"\nusername = \"{user}\"\nregister = false");
    let shop = two_accounts(
        &account(broken.sip, "first"),
        &account(phone.sip, "second"),
        &format!("sip:sales@{}", broken.sip),
    );
    let appliance = Appliance::start(&place, &shop);
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    visitor.call();
    talks_and_hangs_up(&visitor);
    broken.is_content(Duration::from_secs(10));
    assert!(broken.messages().contains("From: <sip:first@"), "{}", broken.messages());
    phone.tells("CALL_CLOSED");
    let told = visitor.look(|seen| seen.steps.iter().filter(|s| s.cause.is_some()).count());
    assert_eq!(told, 1, "the page heard of one end");
    let rows = appliance.rows(1);
    assert_eq!(rows[0].cause, EndCause::VisitorHungUp.key());
    appliance.is_quiet();
}

#[test]
fn a_provider_that_says_nothing_loses_the_call_to_the_second_account_within_seconds() {
    let place = Place::new("servers-silent-account");
    let (phone, deaf) = (phone(&place), deaf());
    let account =
        |sip, user| format!("registrar = \"{sip}\"\nusername = \"{user}\"\nregister = false");
    let silent = deaf.local_addr().unwrap();
    let shop = two_accounts(
        &account(silent, "first"),
        &account(phone.sip, "second"),
        &format!("sip:sales@{silent}"),
    );
    let appliance = Appliance::start(&place, &shop);
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    visitor.call();
    talks_and_hangs_up(&visitor);
    assert!(is_asked(&deaf));
    // For a while it stands back.
    let begun = Instant::now();
    visitor.call();
    talks_and_hangs_up(&visitor);
    assert!(begun.elapsed() < Duration::from_secs(4), "the second account calls at once");
    appliance.is_quiet();
}

#[test]
fn an_account_that_is_not_registered_stands_back_and_the_last_cause_is_told() {
    let place = Place::new("servers-unregistered");
    let deaf = deaf();
    let main = format!(
        "registrar = \"{}\"\nusername = \"first\"\npassword = \"x\"",
        deaf.local_addr().unwrap()
    );
    let mut busy = Sipp::start_with(&place, "refuses", &[("status", "486")]);
    let backup = format!("registrar = \"{}\"\nusername = \"second\"\nregister = false", busy.sip);
    let destination = format!("sip:sales@{}", deaf.local_addr().unwrap());
    let appliance = Appliance::start(&place, &two_accounts(&main, &backup, &destination));
    let mut visitor = Visitor::open(&appliance, VisitorSettings::default());
    let begun = Instant::now();
    visitor.call();
    assert_eq!(visitor.ends().0, EndCause::Busy);
    assert!(begun.elapsed() < Duration::from_secs(4), "nobody waited for the first account");
    busy.is_content(Duration::from_secs(10));
    appliance.is_quiet();
}

#[test]
fn a_trunk_is_answered_at_every_address_of_its_name_and_nobody_else_is() {
    let place = Place::new("servers-trunk");
    let second: IpAddr = "127.0.0.2".parse().unwrap();
    let records = Records::new().host("trunk.example", HERE).host("trunk.example", second);
    let names = NameServer::start(&place, &records);
    let appliance = Appliance::start_among(&place, &named_trunk("trunk.example"), &names);
    harness::until("the name is looked up", || {
        appliance.log().contains("servers found").then_some(())
    });
    let sip = appliance.sip();
    let asks = |from: &str| {
        let socket = UdpSocket::bind((from, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let own = socket.local_addr().unwrap();
        let invite = format!(
            "INVITE sip:shop@{sip} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{0};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:a@{own}>;tag=1\r\nTo: <sip:shop@{sip}>\r\n\
             Call-ID: {0}\r\nCSeq: 1 INVITE\r\nContact: <sip:a@{own}>\r\nContent-Length: 0\r\n\r\n",
            own.port()
        );
        socket.send_to(invite.as_bytes(), sip).unwrap();
        let mut buffer = [0; 2048];
        let length = socket.recv(&mut buffer).ok()?;
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        text.lines().next().map(str::to_owned)
    };
    for from in ["127.0.0.1", "127.0.0.2"] {
        let answer = asks(from).unwrap_or_else(|| panic!("{from} is not answered"));
        assert!(answer.starts_with("SIP/2.0 "), "{answer}");
    }
    assert_eq!(asks("127.0.0.3"), None, "a stranger is not answered");
    appliance.metric_becomes("sip_foreign_dropped_total", 1);
}
