//! A virtual wire: endpoints and scripted peers, loss, delay, reordering and duplicates, all from
//! one seed, under a clock that only the test moves.

use crate::registrar::Registrar;
use base::{AccountId, Datagram, Protocol, Secret, Seed};
use sip::message::{Message, Method, Name, Request, Response, parse};
use sip::{
    Account, Cause, Command, Endpoint, Event, InviteId, PeerPolicy, Quirks, Settings, Target,
    Timers,
};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

pub const OFFER: &[u8] = b"v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=offer\r\n";
pub const ANSWER: &[u8] = b"v=0\r\no=- 2 2 IN IP4 192.0.2.2\r\ns=answer\r\n";
/// What keeps a way open.
pub const LINE_ENDS: &[u8] = b"\r\n\r\n";
pub const ACCOUNT: AccountId = AccountId(1);
/// The first call that a test places.
pub const ONE: InviteId = InviteId(1);

/// What the wire does to datagrams.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    /// Percent lost.
    pub loss: u64,
    /// Percent that arrive twice.
    pub duplicates: u64,
    /// Longest extra delay in milliseconds; above 1 it reorders.
    pub jitter: u64,
}

/// One endpoint with everything that it has said.
pub struct Phone {
    pub address: SocketAddr,
    pub endpoint: Endpoint,
    pub events: Vec<Event>,
    seen: usize,
}

pub struct World {
    pub now: Instant,
    pub weather: Weather,
    pub seed: Seed,
    pub phones: Vec<Phone>,
    pub registrar: Option<Registrar>,
    flying: BTreeMap<(Instant, u64), (SocketAddr, SocketAddr, Vec<u8>)>,
    number: u64,
    /// What reached addresses that are no endpoints.
    inboxes: HashMap<SocketAddr, VecDeque<(SocketAddr, Vec<u8>)>>,
}

pub fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub fn ours() -> SocketAddr {
    at("192.0.2.1:5060")
}

pub fn theirs() -> SocketAddr {
    at("192.0.2.2:5060")
}

pub fn account(registrar: SocketAddr) -> Account {
    Account {
        targets: vec![Target::udp(registrar)],
        peers: Vec::new(),
        domain: "sip.example".into(),
        username: "alice".into(),
        auth_username: None,
        password: Secret::new("secret"),
        register: false,
        expires: Duration::from_secs(300),
        outbound_proxy: None,
        display_name: Some("Alice".into()),
        identity: Box::default(),
        quirks: Quirks::default(),
    }
}

pub fn invite(number: u64, target: SocketAddr) -> Command {
    Command::Invite {
        invite: InviteId(number),
        account: ACCOUNT,
        destination: sip::message::Uri::parse(&format!("sip:bob@{target}")).unwrap(),
        targets: vec![Target::udp(target)],
        headers: vec![("X-Page".into(), "https://shop.example/?a=1".into())],
        display_name: None,
        offer: OFFER.to_vec(),
    }
}

impl World {
    pub fn new(seed: u64) -> Self {
        let now = Instant::now();
        World {
            now,
            weather: Weather::default(),
            seed: Seed::from_number(seed),
            phones: Vec::new(),
            registrar: None,
            flying: BTreeMap::new(),
            number: 0,
            inboxes: HashMap::new(),
        }
    }

    /// A world with one endpoint at `ours()` that knows `theirs()` and has an account there.
    pub fn with_caller(seed: u64) -> Self {
        let mut world = World::new(seed);
        world.add(ours(), &[theirs()]);
        world.command(0, Command::SetAccount { account: ACCOUNT, settings: account(theirs()) });
        world
    }

    /// A second endpoint at `theirs()`.
    pub fn with_both(seed: u64) -> Self {
        let mut world = World::with_caller(seed);
        world.add(theirs(), &[ours()]);
        world
    }

    pub fn add(&mut self, address: SocketAddr, peers: &[SocketAddr]) -> usize {
        let settings = Settings {
            local: address,
            user_agent: "test".into(),
            peers: PeerPolicy::only(peers.iter().map(SocketAddr::ip)),
            accept_incoming: true,
            timers: Timers::default(),
        };
        let endpoint = Endpoint::new(settings, self.seed.fork());
        self.phones.push(Phone { address, endpoint, events: Vec::new(), seen: 0 });
        self.phones.len() - 1
    }

    pub fn command(&mut self, phone: usize, command: Command) {
        self.phones[phone].endpoint.command(self.now, command);
        self.drain(phone);
    }

    /// The network tells a phone that a peer is not there.
    pub fn unreachable(&mut self, phone: usize, peer: std::net::IpAddr) {
        self.phones[phone].endpoint.handle_unreachable(self.now, peer);
        self.drain(phone);
    }

    fn drain(&mut self, phone: usize) {
        let address = self.phones[phone].address;
        while let Some(transmit) = self.phones[phone].endpoint.poll_transmit() {
            self.throw(address, transmit.remote, transmit.payload);
        }
        let phone = &mut self.phones[phone];
        while let Some(event) = phone.endpoint.poll_event() {
            phone.events.push(event);
        }
        phone.endpoint.verify().unwrap();
    }

    /// Puts octets on the wire.
    pub fn throw(&mut self, from: SocketAddr, to: SocketAddr, octets: Vec<u8>) {
        let copies = match self.seed.below(100) {
            n if n < self.weather.loss => 0,
            n if n < self.weather.loss + self.weather.duplicates => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let delay = Duration::from_millis(1 + self.seed.below(self.weather.jitter.max(1)));
            self.number += 1;
            self.flying.insert((self.now + delay, self.number), (from, to, octets.clone()));
        }
    }

    /// When anything happens next.
    fn next(&self) -> Option<Instant> {
        let flying = self.flying.keys().next().map(|key| key.0);
        let waking = self.phones.iter().filter_map(|phone| phone.endpoint.poll_timeout()).min();
        [flying, waking].into_iter().flatten().min()
    }

    /// Lets the next thing happen, if it does so until `end`.
    pub fn step(&mut self, end: Instant) -> bool {
        let Some(at) = self.next().filter(|at| *at <= end) else { return false };
        self.now = self.now.max(at);
        if let Some((&(due, number), _)) = self.flying.first_key_value()
            && due <= self.now
        {
            let (from, to, octets) = self.flying.remove(&(due, number)).unwrap();
            self.arrive(from, to, octets);
            return true;
        }
        for phone in 0..self.phones.len() {
            if self.phones[phone].endpoint.poll_timeout().is_some_and(|at| at <= self.now) {
                self.phones[phone].endpoint.handle_timeout(self.now);
                self.drain(phone);
            }
        }
        true
    }

    fn arrive(&mut self, from: SocketAddr, to: SocketAddr, octets: Vec<u8>) {
        if let Some(registrar) = self.registrar.as_mut().filter(|r| r.address == to) {
            if let Some(answer) = registrar.hear(self.now, from, &octets) {
                self.throw(to, from, answer);
            }
            return;
        }
        let Some(phone) = self.phones.iter().position(|phone| phone.address == to) else {
            self.inboxes.entry(to).or_default().push_back((from, octets));
            return;
        };
        let datagram =
            Datagram { protocol: Protocol::Udp, local: to, remote: from, payload: &octets };
        self.phones[phone].endpoint.handle_datagram(self.now, &datagram);
        self.drain(phone);
    }

    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.step(end) {}
        self.now = end;
    }

    pub fn seconds(&mut self, seconds: u64) {
        self.run(Duration::from_secs(seconds));
    }

    /// The next message for a scripted peer, whatever it is. Lone line ends are none.
    pub fn hear(&mut self, peer: SocketAddr) -> Message {
        let end = self.now + Duration::from_secs(40);
        loop {
            if let Some((_, octets)) = self.inboxes.entry(peer).or_default().pop_front() {
                if octets == LINE_ENDS {
                    continue;
                }
                return parse(&octets).unwrap_or_else(|_| panic!("unreadable"));
            }
            assert!(self.step(end), "nothing reached {peer}");
        }
    }

    /// The next request for a scripted peer; it must be of this method.
    pub fn request(&mut self, peer: SocketAddr, method: Method) -> Request {
        match self.hear(peer) {
            Message::Request(request) => {
                assert_eq!(request.method, method);
                request
            }
            Message::Response(response) => panic!("response {}", response.status),
        }
    }

    /// The next response for a scripted peer other than 100; it must have this status.
    pub fn response(&mut self, peer: SocketAddr, status: u16) -> Response {
        loop {
            match self.hear(peer) {
                Message::Response(response) if response.status == 100 => {}
                Message::Response(response) => {
                    assert_eq!(response.status, status);
                    return response;
                }
                Message::Request(request) => panic!("request {}", request.method),
            }
        }
    }

    /// Everything that has reached a scripted peer by now.
    pub fn waiting(&mut self, peer: SocketAddr) -> Vec<Message> {
        let inbox = std::mem::take(self.inboxes.entry(peer).or_default());
        let messages = inbox.iter().filter(|(_, octets)| octets != LINE_ENDS);
        messages.map(|(_, octets)| parse(octets).unwrap_or_else(|_| panic!("?"))).collect()
    }

    /// How many lone line ends have reached a scripted peer by now; everything else is dropped.
    pub fn line_ends(&mut self, peer: SocketAddr) -> usize {
        let inbox = std::mem::take(self.inboxes.entry(peer).or_default());
        inbox.iter().filter(|(_, octets)| octets == LINE_ENDS).count()
    }

    /// A scripted peer sends a message to the first endpoint.
    pub fn say(&mut self, peer: SocketAddr, message: impl Into<Message>) {
        let to = self.phones[0].address;
        self.throw(peer, to, message.into().to_bytes());
        self.run(Duration::from_millis(2));
    }

    /// A scripted peer answers a request.
    pub fn reply(
        &mut self,
        peer: SocketAddr,
        request: &Request,
        status: u16,
        tag: &str,
        sdp: Option<&[u8]>,
    ) -> Response {
        let response = reply(peer, request, status, tag, sdp);
        self.say(peer, response.clone());
        response
    }

    /// Events of a phone since the last call of this.
    pub fn news(&mut self, phone: usize) -> Vec<Event> {
        let phone = &mut self.phones[phone];
        let news = phone.events[phone.seen..].to_vec();
        phone.seen = phone.events.len();
        news
    }

    /// The one incoming call of a phone.
    pub fn incoming(&self, phone: usize) -> InviteId {
        let mut all = self.phones[phone].events.iter().filter_map(|event| match event {
            Event::Incoming { invite, .. } => Some(*invite),
            _ => None,
        });
        let found = all.next().expect("a call came in");
        assert!(all.next().is_none(), "more than one came in");
        found
    }

    /// The cause with which a call ended; it must have ended exactly once.
    pub fn cause(&self, phone: usize, invite: InviteId) -> Cause {
        let causes = self.causes(phone, invite);
        assert_eq!(causes.len(), 1, "{causes:?}");
        causes[0].clone()
    }

    pub fn causes(&self, phone: usize, id: InviteId) -> Vec<Cause> {
        let events = self.phones[phone].events.iter();
        events
            .filter_map(|event| match event {
                Event::Ended { invite, cause } if *invite == id => Some(cause.clone()),
                _ => None,
            })
            .collect()
    }

    pub fn count(&self, phone: usize, wanted: impl Fn(&Event) -> bool) -> usize {
        self.phones[phone].events.iter().filter(|event| wanted(event)).count()
    }

    /// Lets everything run out, and checks that nothing is left.
    pub fn assert_quiet(&mut self) {
        self.seconds(200);
        for phone in &self.phones {
            assert_eq!(phone.endpoint.invites(), 0, "calls are left");
            assert_eq!(phone.endpoint.transactions(), 0, "transactions are left");
            assert_eq!(phone.endpoint.poll_timeout(), None, "a timer is left");
        }
    }
}

/// An endpoint that calls a scripted peer, and the INVITE that arrived there.
pub fn call(seed: u64) -> (World, Request) {
    let mut world = World::with_caller(seed);
    world.command(0, invite(1, theirs()));
    let request = world.request(theirs(), Method::Invite);
    (world, request)
}

/// The same call when it is up, after its ACK.
pub fn talk(seed: u64) -> (World, Request) {
    let (mut world, request) = call(seed);
    world.reply(theirs(), &request, 200, "kept", Some(ANSWER));
    world.request(theirs(), Method::Ack);
    world.news(0);
    (world, request)
}

/// A request of the scripted peer inside such a call.
pub fn inside(invite: &Request, method: Method, number: u32, sdp: Option<&[u8]>) -> Request {
    let from = invite.from().unwrap();
    let mut request = ask(theirs(), method, invite.call_id(), number, from.tag(), sdp);
    request.headers.set(Name::From, "<sip:bob@192.0.2.2:5060>;tag=kept");
    request
}

/// A response as a well-behaved peer makes it.
pub fn reply(
    peer: SocketAddr,
    request: &Request,
    status: u16,
    tag: &str,
    sdp: Option<&[u8]>,
) -> Response {
    let mut response = request.response(status, "Phrase");
    let mut to = response.to().unwrap();
    if to.tag().is_none() && !tag.is_empty() {
        to.set_tag(tag);
        response.headers.set(Name::To, to.to_string());
    }
    for route in request.headers.all(&Name::RecordRoute) {
        response.headers.push(Name::RecordRoute, route);
    }
    response.headers.push(Name::Contact, format!("<sip:bob@{peer}>"));
    if let Some(sdp) = sdp {
        response.headers.push(Name::ContentType, "application/sdp");
        response.body = sdp.to_vec();
    }
    response
}

/// A request as a well-behaved peer makes it, outside of a dialog or (with `to_tag`) inside.
pub fn ask(
    peer: SocketAddr,
    method: Method,
    call_id: &str,
    number: u32,
    to_tag: Option<&str>,
    sdp: Option<&[u8]>,
) -> Request {
    let to = ours();
    let uri = sip::message::Uri::parse(&format!("sip:alice@{to}")).unwrap();
    let mut request = Request::new(method.clone(), uri);
    let branch = format!("{call_id}{method}{number}");
    let headers = &mut request.headers;
    headers.push(Name::Via, format!("SIP/2.0/UDP {peer};branch=z9hG4bK{branch};rport"));
    headers.push(Name::MaxForwards, "70");
    headers.push(Name::From, "\"Bob\" <sip:bob@sip.example>;tag=bob".to_string());
    let tag = to_tag.map(|tag| format!(";tag={tag}")).unwrap_or_default();
    headers.push(Name::To, format!("<sip:alice@sip.example>{tag}"));
    headers.push(Name::CallId, call_id);
    headers.push(Name::CSeq, format!("{number} {method}"));
    headers.push(Name::Contact, format!("<sip:bob@{peer}>"));
    if let Some(sdp) = sdp {
        headers.push(Name::ContentType, "application/sdp");
        request.body = sdp.to_vec();
    }
    request
}
