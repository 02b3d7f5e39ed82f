//! The endpoint over connections: what it asks for, and what it does when they come and go.

use crate::wire::{ACCOUNT, ANSWER, OFFER, account, ask, at, invite, ours, reply, theirs};
use base::{Datagram, Protocol, Seed, Transmit};
use sip::message::{Message, Method, Name, Request, parse};
use sip::{
    CauseKind, Command, Connection, Endpoint, Event, InviteId, PeerPolicy, RegistrationState,
    Settings, Target, Timers,
};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Our end of a connection, as the system gave it.
const OWN_END: &str = "192.0.2.1:40001";

struct Bench {
    now: Instant,
    endpoint: Endpoint,
    events: Vec<Event>,
}

impl Bench {
    fn new(protocol: Protocol, register: bool) -> Self {
        let settings = Settings {
            local: ours(),
            user_agent: "test".into(),
            peers: PeerPolicy::default(),
            accept_incoming: true,
            timers: Timers::default(),
        };
        let endpoint = Endpoint::new(settings, Seed::from_number(1));
        let mut bench = Bench { now: Instant::now(), endpoint, events: Vec::new() };
        let mut settings = account(theirs());
        settings.targets = vec![Target { protocol, ..Target::udp(theirs()) }];
        settings.register = register;
        bench.command(Command::SetAccount { account: ACCOUNT, settings });
        bench
    }

    fn command(&mut self, command: Command) {
        self.endpoint.command(self.now, command);
    }

    fn call(&mut self, number: u64, protocol: Protocol, offer: &[u8]) {
        self.call_by(number, &[protocol], offer);
    }

    /// A call with one server for each protocol, on neighbouring addresses.
    fn call_by(&mut self, number: u64, protocols: &[Protocol], offer: &[u8]) {
        let Command::Invite { invite, account, destination, headers, display_name, .. } =
            invite(number, theirs())
        else {
            panic!()
        };
        let targets = protocols.iter().zip(2..).map(|(protocol, n)| Target {
            protocol: *protocol,
            ..Target::udp(at(&format!("192.0.2.{n}:5060")))
        });
        self.command(Command::Invite {
            invite,
            account,
            destination,
            targets: targets.collect(),
            headers,
            display_name,
            offer: offer.to_vec(),
        });
    }

    /// The next thing that it sends, within two minutes.
    fn sent(&mut self) -> Transmit {
        let end = self.now + Duration::from_secs(120);
        loop {
            if let Some(transmit) = self.endpoint.poll_transmit() {
                return transmit;
            }
            let next = self.endpoint.poll_timeout().filter(|at| *at <= end);
            self.now = self.now.max(next.expect("nothing is sent"));
            self.endpoint.handle_timeout(self.now);
        }
    }

    fn request(&mut self, protocol: Protocol, method: Method) -> Request {
        let transmit = self.sent();
        let name = match protocol {
            Protocol::Udp => "UDP",
            Protocol::Tcp => "TCP",
            Protocol::Tls => "TLS",
        };
        let Ok(Message::Request(request)) = parse(&transmit.payload) else { panic!("no request") };
        assert_eq!((transmit.protocol, &request.method), (protocol, &method));
        assert_eq!(request.via().unwrap().transport.as_str(), name);
        request
    }

    fn nothing_for(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.endpoint.poll_timeout().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.endpoint.handle_timeout(self.now);
            assert!(self.endpoint.poll_transmit().is_none(), "something is sent");
        }
        self.now = end;
        assert!(self.endpoint.poll_transmit().is_none(), "something is sent");
    }

    fn hear(&mut self, protocol: Protocol, remote: SocketAddr, message: impl Into<Message>) {
        let local = if protocol == Protocol::Udp { ours() } else { at(OWN_END) };
        let payload = message.into().to_bytes();
        let datagram = Datagram { protocol, local, remote, payload: &payload };
        self.endpoint.handle_datagram(self.now, &datagram);
        self.endpoint.verify().unwrap();
    }

    fn connection(&mut self, protocol: Protocol, remote: SocketAddr, what: Connection) {
        self.endpoint.handle_connection(self.now, protocol, remote, &what);
        self.endpoint.verify().unwrap();
    }

    fn failed(&mut self, protocol: Protocol, words: &str) {
        self.connection(protocol, theirs(), Connection::Failed { words: words.into() });
    }

    fn news(&mut self) -> Vec<Event> {
        let news: Vec<Event> = std::iter::from_fn(|| self.endpoint.poll_event()).collect();
        self.events.extend(news.iter().cloned());
        news
    }

    /// Answers a REGISTER as a registrar that sees our end of the connection.
    fn accept(&mut self, protocol: Protocol, request: &Request) {
        let mut answer = reply(theirs(), request, 200, "", None);
        let mut via = request.via().unwrap();
        via.set_received(at(OWN_END).ip());
        answer.headers.set_first(&Name::Via, via.to_string());
        let contact = request.headers.all(&Name::Contact).next().unwrap().to_owned();
        answer.headers.set(Name::Contact, contact);
        self.hear(protocol, theirs(), answer);
    }
}

fn long_offer() -> Vec<u8> {
    [OFFER, &b"a=x\r\n".repeat(300)].concat()
}

fn contact(request: &Request) -> String {
    request.headers.get(&Name::Contact).unwrap().to_owned()
}

#[test]
fn a_registration_over_tcp_names_our_end_of_the_connection() {
    let mut bench = Bench::new(Protocol::Tcp, true);
    let request = bench.request(Protocol::Tcp, Method::Register);
    assert!(contact(&request).starts_with("<sip:alice@192.0.2.1:5060;transport=tcp;rinstance="));
    bench.connection(Protocol::Tcp, theirs(), Connection::Opened);
    bench.accept(Protocol::Tcp, &request);
    // The registrar must reach us on this connection: it is told its end of ours.
    let request = bench.request(Protocol::Tcp, Method::Register);
    assert!(contact(&request).starts_with("<sip:alice@192.0.2.1:40001;transport=tcp;rinstance="));
    bench.accept(Protocol::Tcp, &request);
    let registered = |event: &Event| {
        let Event::RegistrationChanged { state, .. } = event else { return false };
        matches!(state, RegistrationState::Registered { contact, .. } if *contact == at(OWN_END))
    };
    assert!(bench.news().iter().any(registered));
    // On a connection nothing is repeated.
    bench.nothing_for(Duration::from_secs(60));
}

#[test]
fn a_registration_is_made_anew_when_its_connection_dies() {
    for protocol in [Protocol::Tcp, Protocol::Tls] {
        let mut bench = Bench::new(protocol, true);
        for _ in 0..2 {
            let request = bench.request(protocol, Method::Register);
            bench.accept(protocol, &request);
        }
        bench.nothing_for(Duration::from_secs(60));
        bench.connection(protocol, theirs(), Connection::Closed);
        let died_at = bench.now;
        let request = bench.request(protocol, Method::Register);
        assert!(bench.now - died_at <= Duration::from_secs(1));
        // Where it was is taken back.
        let contacts: Vec<&str> = request.headers.all(&Name::Contact).collect();
        assert_eq!(contacts.len(), 2, "{contacts:?}");
        assert!(contacts[1].contains(":40001") && contacts[1].ends_with(";expires=0"));
        // Another peer's connection is none of its business.
        bench.accept(protocol, &request);
        let request = bench.request(protocol, Method::Register);
        bench.accept(protocol, &request);
        bench.connection(protocol, at("192.0.2.9:5060"), Connection::Closed);
        bench.nothing_for(Duration::from_secs(60));
    }
}

#[test]
fn a_registration_says_why_no_connection_came_up_and_tries_again() {
    let mut bench = Bench::new(Protocol::Tls, true);
    bench.request(Protocol::Tls, Method::Register);
    bench.failed(Protocol::Tls, "the certificate is for another name");
    let news = bench.news();
    let Some(Event::RegistrationChanged { state: RegistrationState::Failed { cause, .. }, .. }) =
        news.last()
    else {
        panic!("{news:?}")
    };
    assert_eq!(cause.reason.as_deref(), Some("the certificate is for another name"));
    bench.request(Protocol::Tls, Method::Register);
}

#[test]
fn an_invite_too_long_for_udp_goes_by_tcp() {
    let mut bench = Bench::new(Protocol::Udp, false);
    bench.call(1, Protocol::Udp, &long_offer());
    let request = bench.request(Protocol::Tcp, Method::Invite);
    // The rest of the call goes by UDP as it would have anyway.
    assert!(!contact(&request).contains("transport"));
    bench.connection(Protocol::Tcp, theirs(), Connection::Opened);
    bench.nothing_for(Duration::from_secs(3));
    bench.hear(Protocol::Tcp, theirs(), reply(theirs(), &request, 200, "b", Some(ANSWER)));
    bench.request(Protocol::Udp, Method::Ack);
    // A connection that is up is not waited for.
    bench.call(2, Protocol::Udp, &long_offer());
    bench.request(Protocol::Tcp, Method::Invite);
    bench.nothing_for(Duration::from_secs(3));
    // What fits stays.
    bench.call(3, Protocol::Udp, OFFER);
    bench.request(Protocol::Udp, Method::Invite);
}

#[test]
fn an_invite_too_long_for_udp_goes_by_udp_where_no_connection_is_taken() {
    for refused in [true, false] {
        let mut bench = Bench::new(Protocol::Udp, false);
        bench.call(1, Protocol::Udp, &long_offer());
        let first = bench.request(Protocol::Tcp, Method::Invite);
        let began_at = bench.now;
        if refused {
            bench.failed(Protocol::Tcp, "refused");
        }
        let again = bench.request(Protocol::Udp, Method::Invite);
        let waited = bench.now - began_at;
        assert!(waited <= Duration::from_secs(u64::from(!refused)), "{waited:?}");
        assert_eq!(first.via().unwrap().branch(), again.via().unwrap().branch());
        // By UDP it is repeated like any other.
        bench.request(Protocol::Udp, Method::Invite);
        if !refused {
            // The connection fails at last, which is nobody's business any more.
            bench.failed(Protocol::Tcp, "no answer");
        }
        bench.hear(Protocol::Udp, theirs(), reply(theirs(), &again, 486, "b", None));
        bench.request(Protocol::Udp, Method::Ack);
        // The server is not asked again.
        bench.call(2, Protocol::Udp, &long_offer());
        bench.request(Protocol::Udp, Method::Invite);
    }
}

#[test]
fn what_follows_an_invite_that_was_too_long_for_udp_is_not_bound_to_tcp() {
    // An early dialog's own requests go by UDP.
    let mut bench = Bench::new(Protocol::Udp, false);
    bench.call(1, Protocol::Udp, &long_offer());
    let request = bench.request(Protocol::Tcp, Method::Invite);
    let mut ringing = reply(theirs(), &request, 183, "b", Some(ANSWER));
    ringing.headers.push(Name::Require, "100rel");
    ringing.headers.push(Name::RSeq, "7");
    bench.hear(Protocol::Tcp, theirs(), ringing);
    bench.request(Protocol::Udp, Method::Prack);
    // An INVITE that is asked for once more finds UDP where TCP is refused by then.
    for (status, field) in
        [(422, (Name::MinSe, "3600")), (302, (Name::Contact, "<sip:c@192.0.2.2>"))]
    {
        let mut bench = Bench::new(Protocol::Udp, false);
        bench.call(1, Protocol::Udp, &long_offer());
        let request = bench.request(Protocol::Tcp, Method::Invite);
        let mut again = reply(theirs(), &request, status, "b", None);
        again.headers.push(field.0, field.1);
        bench.hear(Protocol::Tcp, theirs(), again);
        bench.request(Protocol::Tcp, Method::Ack);
        bench.request(Protocol::Tcp, Method::Invite);
        bench.failed(Protocol::Tcp, "refused");
        bench.request(Protocol::Udp, Method::Invite);
    }
}

#[test]
fn a_call_over_a_connection_that_cannot_be_made_goes_to_the_next_server_or_ends_at_once() {
    let mut bench = Bench::new(Protocol::Tcp, false);
    bench.call_by(1, &[Protocol::Tcp, Protocol::Tls], OFFER);
    bench.request(Protocol::Tcp, Method::Invite);
    bench.failed(Protocol::Tcp, "refused");
    let request = bench.request(Protocol::Tls, Method::Invite);
    assert!(contact(&request).contains(";transport=tls"));
    let words = "unknown issuer".to_owned();
    bench.connection(Protocol::Tls, at("192.0.2.3:5060"), Connection::Failed { words });
    let news = bench.news();
    let Some(Event::Ended { cause, .. }) = news.last() else { panic!("{news:?}") };
    assert_eq!(cause.kind, CauseKind::Unavailable);
    assert_eq!(cause.reason.as_deref(), Some("unknown issuer"));
}

#[test]
fn a_request_written_into_a_dying_connection_goes_out_once_more() {
    let mut bench = Bench::new(Protocol::Tcp, false);
    bench.call(1, Protocol::Tcp, OFFER);
    let first = bench.request(Protocol::Tcp, Method::Invite);
    bench.connection(Protocol::Tcp, theirs(), Connection::Closed);
    let again = bench.request(Protocol::Tcp, Method::Invite);
    assert_eq!(first.to_bytes(), again.to_bytes());
    bench.connection(Protocol::Tcp, theirs(), Connection::Closed);
    assert!(matches!(bench.news()[..], [Event::Ended { .. }]));
    assert!(bench.endpoint.poll_transmit().is_none());
}

#[test]
fn a_ringing_call_outlives_its_connection() {
    let mut bench = Bench::new(Protocol::Tcp, false);
    bench.call(1, Protocol::Tcp, OFFER);
    let request = bench.request(Protocol::Tcp, Method::Invite);
    bench.hear(Protocol::Tcp, theirs(), reply(theirs(), &request, 180, "b", None));
    bench.connection(Protocol::Tcp, theirs(), Connection::Closed);
    // The server comes back on a connection of its own.
    let answer = reply(theirs(), &request, 200, "b", Some(ANSWER));
    bench.hear(Protocol::Tcp, at("192.0.2.2:51000"), answer);
    bench.sent();
    let news = bench.news();
    assert!(matches!(news[..], [Event::Provisional { .. }, Event::Answered { .. }]), "{news:?}");
    // Hanging up takes a new connection, to where the far end listens.
    bench.command(Command::Hangup { invite: InviteId(1), cause: CauseKind::Normal });
    assert_eq!(bench.sent().remote, theirs());
}

#[test]
fn answers_go_back_on_the_connection_that_asked_or_to_where_its_sender_listens() {
    let mut bench = Bench::new(Protocol::Tcp, false);
    let remote = at("192.0.2.2:51000");
    let mut options = ask(theirs(), Method::Options, "one", 1, None, None);
    let via = "SIP/2.0/TCP 192.0.2.2:5070;branch=z9hG4bKone";
    options.headers.set(Name::Via, via);
    bench.hear(Protocol::Tcp, remote, options);
    let answer = bench.sent();
    assert_eq!((answer.protocol, answer.remote), (Protocol::Tcp, remote));
    let mut invite = ask(theirs(), Method::Invite, "two", 1, None, Some(OFFER));
    invite.headers.set(Name::Via, "SIP/2.0/TCP 192.0.2.2:5070;branch=z9hG4bKtwo");
    bench.hear(Protocol::Tcp, remote, invite);
    let news = bench.news();
    let [Event::Incoming { invite, .. }] = news[..] else { panic!("{news:?}") };
    bench.command(Command::Ring { invite, sdp: None });
    while let Some(answer) = bench.endpoint.poll_transmit() {
        assert_eq!(answer.remote, remote);
    }
    bench.connection(Protocol::Tcp, remote, Connection::Closed);
    bench.command(Command::Reject { invite, status: 486 });
    let answer = bench.sent();
    assert_eq!((answer.protocol, answer.remote), (Protocol::Tcp, at("192.0.2.2:5070")));
}

#[test]
fn what_is_repeated_after_its_connection_is_gone_goes_to_where_its_sender_listens() {
    let remote = at("192.0.2.2:51000");
    for reliably in [true, false] {
        let mut bench = Bench::new(Protocol::Tcp, false);
        let mut invite = ask(theirs(), Method::Invite, "two", 1, None, Some(OFFER));
        invite.headers.set(Name::Via, "SIP/2.0/TCP 192.0.2.2:5070;branch=z9hG4bKtwo");
        invite.headers.push(Name::Require, "100rel");
        bench.hear(Protocol::Tcp, remote, invite);
        let news = bench.news();
        let [Event::Incoming { invite, .. }] = news[..] else { panic!("{news:?}") };
        bench.command(match reliably {
            true => Command::Ring { invite, sdp: None },
            false => Command::Answer { invite, sdp: ANSWER.to_vec() },
        });
        while let Some(answer) = bench.endpoint.poll_transmit() {
            assert_eq!(answer.remote, remote);
        }
        bench.connection(Protocol::Tcp, remote, Connection::Closed);
        let again = bench.sent();
        assert_eq!((again.protocol, again.remote), (Protocol::Tcp, at("192.0.2.2:5070")));
    }
}

#[test]
fn requests_in_a_call_take_the_transport_that_its_route_names() {
    let cases = [
        (Protocol::Tcp, "<sip:192.0.2.2:5060;transport=tcp;lr>", Protocol::Tcp),
        (Protocol::Udp, "<sip:192.0.2.2:5060;transport=tcp;lr>", Protocol::Tcp),
        (Protocol::Tcp, "<sip:192.0.2.2:5080;lr>", Protocol::Udp),
        // The same place without a word on it is the same connection.
        (Protocol::Tcp, "<sip:192.0.2.2:5060;lr>", Protocol::Tcp),
        // What began encrypted stays encrypted.
        (Protocol::Tls, "<sip:192.0.2.2:5080;transport=udp;lr>", Protocol::Tls),
    ];
    for (protocol, route, expected) in cases {
        let mut bench = Bench::new(protocol, false);
        bench.call(1, protocol, OFFER);
        let request = bench.request(protocol, Method::Invite);
        let mut answer = reply(theirs(), &request, 200, "b", Some(ANSWER));
        answer.headers.push(Name::RecordRoute, route);
        bench.hear(protocol, theirs(), answer);
        bench.request(expected, Method::Ack);
    }
}

#[test]
fn a_message_of_the_network_about_udp_leaves_connections_alone() {
    let mut bench = Bench::new(Protocol::Tcp, false);
    bench.call(1, Protocol::Tcp, OFFER);
    bench.request(Protocol::Tcp, Method::Invite);
    bench.endpoint.handle_unreachable(bench.now, theirs().ip());
    assert!(bench.news().is_empty());
}
