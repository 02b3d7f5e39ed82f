//! One entry point for fuzzing the whole endpoint: the input is a list of operations.

use crate::cause::CauseKind;
use crate::endpoint::{
    Account, Command, Connection, Endpoint, Event, InviteId, PeerPolicy, Settings,
};
use crate::message::{Message, Method, Name, ParseError, Uri, parse};
use crate::quirks::{self, Quirks};
use crate::target::Target;
use crate::transaction::Timers;
use base::{AccountId, Datagram, Protocol, Secret, Seed};
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2)), 5060);
const LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5060);
const STATUSES: [u16; 18] =
    [100, 180, 183, 200, 200, 200, 302, 401, 407, 423, 481, 486, 487, 488, 491, 503, 603, 606];
const METHODS: [&str; 12] = [
    "INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "INFO", "UPDATE", "REGISTER", "PRACK", "REFER",
    "NOTIFY", "JUMP",
];

/// Runs a list of operations (time steps, commands, replies to what the endpoint sent, requests
/// from templates, raw octets) against an endpoint.
///
/// # Panics
/// When the state does not hold together afterwards: see [`Endpoint::verify`]; when a call ends
/// twice or not at all, or an INVITE has no final response; when anything is left after a shutdown and enough time.
pub fn fuzz(data: &[u8]) {
    let mut run = Run::new(data);
    while let Some(operation) = run.octet() {
        run.operate(operation);
        run.drain();
    }
    run.finish();
}

struct Run<'a> {
    data: &'a [u8],
    now: Instant,
    endpoint: Endpoint,
    /// What the peer speaks by.
    protocol: Protocol,
    /// Requests that the endpoint sent, the last few.
    requests: VecDeque<crate::message::Request>,
    /// The last RSeq of the endpoint, by Call-ID.
    sequences: BTreeMap<String, u32>,
    /// Tags that the endpoint gave to calls of the peer, by Call-ID.
    tags: BTreeMap<String, String>,
    invites: Vec<InviteId>,
    placed: u64,
    /// Transfers that were asked for and whose outcome is not told.
    asked: u32,
    sent: u32,
    /// INVITEs of the peer by their branches, and whether they have a final response.
    answered: BTreeMap<String, bool>,
    /// How often each call ended.
    ended: BTreeMap<InviteId, u32>,
}

impl<'a> Run<'a> {
    fn new(data: &'a [u8]) -> Self {
        let settings = Settings {
            local: LOCAL,
            user_agent: "fuzz".into(),
            peers: PeerPolicy::only([PEER.ip()]),
            accept_incoming: true,
            timers: Timers::default(),
        };
        Run {
            data,
            now: Instant::now(),
            endpoint: Endpoint::new(settings, Seed::from_number(1)),
            protocol: Protocol::Udp,
            requests: VecDeque::new(),
            sequences: BTreeMap::new(),
            tags: BTreeMap::new(),
            invites: Vec::new(),
            placed: 0,
            asked: 0,
            sent: 0,
            answered: BTreeMap::new(),
            ended: BTreeMap::new(),
        }
    }

    fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.data.split_first()?;
        self.data = rest;
        Some(*first)
    }

    /// The next octet, 0 at the end.
    fn next(&mut self) -> usize {
        usize::from(self.octet().unwrap_or_default())
    }

    /// One of the calls, or one that does not exist.
    fn invite(&mut self) -> InviteId {
        let at = self.next();
        let known = self.invites.get(at % (self.invites.len() + 1)).copied();
        known.unwrap_or(InviteId(999))
    }

    fn command(&mut self, command: Command) {
        self.endpoint.command(self.now, command);
    }

    fn arrive(&mut self, octets: &[u8]) {
        let datagram =
            Datagram { protocol: self.protocol, local: LOCAL, remote: PEER, payload: octets };
        self.endpoint.handle_datagram(self.now, &datagram);
    }

    fn operate(&mut self, operation: u8) {
        match operation % 21 {
            0 => self.pass(Duration::from_millis(self.data.len() as u64 % 700 + 1)),
            1 => self.pass(Duration::from_secs(2)),
            2 => {
                let seconds = self.next() as u64;
                self.pass(Duration::from_secs(seconds));
            }
            3 => self.account(),
            4 => self.place(),
            5 => {
                let invite = self.invite();
                self.command(Command::Hangup { invite, cause: CauseKind::Normal });
            }
            6 => {
                let invite = self.invite();
                let sdp = (self.next().is_multiple_of(2)).then(|| b"v=0".to_vec());
                self.command(Command::Ring { invite, sdp });
            }
            7 => {
                let invite = self.invite();
                self.command(Command::Answer { invite, sdp: b"v=0".to_vec() });
            }
            8 => {
                let (invite, status) = (self.invite(), self.next() as u16 * 4);
                self.command(Command::Reject { invite, status });
            }
            9 => {
                let invite = self.invite();
                let status = self.next() as u16 * 4;
                let sdp = if status.is_multiple_of(8) { Ok(b"v=0".to_vec()) } else { Err(status) };
                self.command(Command::AnswerOffer { invite, sdp });
            }
            10 => {
                let invite = self.invite();
                self.command(Command::Reoffer { invite, offer: b"v=0".to_vec() });
            }
            11 => {
                let invite = self.invite();
                let (content_type, body) = ("application/dtmf-relay".into(), b"Signal=1".to_vec());
                self.command(Command::Info { invite, content_type, body });
            }
            12 => match self.next() % 4 {
                0 => self.command(Command::Register { account: AccountId(1) }),
                1 => self.command(Command::Unregister { account: AccountId(1) }),
                2 => self.command(Command::RemoveAccount { account: AccountId(1) }),
                // Rare enough for long runs to get somewhere before.
                _ if self.next() == 7 => self.command(Command::Shutdown),
                _ => {
                    let invite = self.invite();
                    self.command(Command::Hurry { invite });
                }
            },
            13 | 14 => self.reply(),
            15 | 16 => self.request(),
            17 => {
                let (invite, other) = (self.invite(), self.invite());
                let Ok(target) = Uri::parse("sip:carol@sip.example") else { return };
                let replaces = self.next().is_multiple_of(2).then_some(other);
                self.asked += 1;
                self.command(Command::Refer { invite, target, replaces });
            }
            18 => {
                let invite = self.invite();
                if self.next().is_multiple_of(4) {
                    self.command(Command::RefuseReferral { invite, status: 403 });
                    return;
                }
                self.placed += 1;
                let new = InviteId(self.placed);
                self.invites.push(new);
                let second_offer = self.data.len().is_multiple_of(2).then(|| b"v=0 2".to_vec());
                self.command(Command::FollowReferral {
                    second_offer,
                    invite,
                    new,
                    account: AccountId(1),
                    targets: vec![Target::udp(PEER)],
                    offer: b"v=0".to_vec(),
                });
            }
            19 => self.connection(),
            _ => {
                let length = self.next().min(self.data.len());
                let (octets, rest) = self.data.split_at(length);
                self.data = rest;
                self.arrive(octets);
            }
        }
    }

    /// A connection comes or goes; from now on the peer speaks by it, or by UDP.
    fn connection(&mut self) {
        let choice = self.next();
        let protocol = if choice & 4 == 4 { Protocol::Tls } else { Protocol::Tcp };
        let connection = match choice % 4 {
            0 => Connection::Opened,
            1 => Connection::Failed { words: "refused".into() },
            2 => Connection::Closed,
            _ => return self.protocol = Protocol::Udp,
        };
        self.protocol = protocol;
        self.endpoint.handle_connection(self.now, protocol, PEER, &connection);
    }

    fn account(&mut self) {
        let choice = self.next();
        let proxy = Uri::parse("sip:192.0.2.2;lr").ok().filter(|_| choice & 1 == 1);
        let settings = Account {
            targets: [Target::udp(PEER), Target::tcp(PEER)][..1 + (choice >> 3 & 1)].to_vec(),
            peers: Vec::new(),
            domain: "sip.example".into(),
            username: if choice & 2 == 2 { "alice".into() } else { "a b%\"".into() },
            auth_username: None,
            password: Secret::new("secret"),
            register: choice & 4 == 4,
            expires: Duration::from_secs(choice as u64 * 4),
            outbound_proxy: proxy,
            display_name: Some("A \"B\"\r\n".into()),
            identity: Box::default(),
            quirks: quirks::TABLE
                .iter()
                .skip(choice % (quirks::TABLE.len() + 1))
                .fold(Quirks::default(), |all, row| all.with(row.quirk)),
        };
        self.command(Command::SetAccount { account: AccountId(1), settings });
    }

    fn place(&mut self) {
        let Ok(destination) = Uri::parse("sip:bob@sip.example") else { return };
        self.placed += 1;
        let invite = InviteId(self.placed);
        self.invites.push(invite);
        self.command(Command::Invite {
            invite,
            account: AccountId(1),
            destination,
            targets: vec![Target::udp(PEER), Target::tcp(PEER)],
            headers: vec![("X-A".into(), "b".into())],
            display_name: None,
            offer: b"v=0".to_vec(),
        });
    }

    /// Answers one of the last requests of the endpoint.
    fn reply(&mut self) {
        let (which, status, extra) = (self.next(), self.next(), self.next());
        let length = self.requests.len().max(1);
        let Some(request) = self.requests.get(which % length).cloned() else { return };
        let status = STATUSES.get(status % STATUSES.len()).copied().unwrap_or(200);
        let mut response = request.response(status, "Phrase");
        if let Ok(mut to) = response.to()
            && to.tag().is_none()
            && extra & 1 == 1
        {
            to.set_tag(&format!("fork{}", extra >> 6));
            response.headers.set(Name::To, to.to_string());
        }
        if extra & 2 == 2 {
            response.body = b"v=0".to_vec();
        }
        if extra & 4 == 4 {
            response.headers.push(Name::Contact, "<sip:bob@192.0.2.2:5062>;expires=60");
            response.headers.push(Name::RecordRoute, "<sip:192.0.2.2:5063>, <sip:p.example;lr>");
            if status == 302 {
                let other =
                    format!("<sip:b{}@192.0.2.2>;q=0.{which}, <sip:c@sip.example>", extra >> 6);
                response.headers.push(Name::Contact, other);
            }
        }
        if extra & 32 == 32 {
            response.headers.push(Name::SessionExpires, format!("{};refresher=uac", which * 3));
            response.headers.push(Name::MinSe, (which * 9).to_string());
        }
        if extra & 16 == 16 {
            response.headers.push(Name::Require, "100rel");
            response.headers.push(Name::RSeq, (extra >> 6).to_string());
            response.headers.push(Name::Allow, "INVITE, UPDATE, PRACK");
        }
        if extra & 8 == 8 {
            let challenge = format!("Digest realm=\"r\", nonce=\"{which}\", stale={}", extra > 99);
            response.headers.push(Name::WwwAuthenticate, challenge.clone());
            response.headers.push(Name::ProxyAuthenticate, challenge);
            response.headers.push(Name::MinExpires, "9000");
            response.headers.push(Name::RetryAfter, "9");
        }
        self.arrive(&response.to_bytes());
    }

    /// A request of the peer from a template: outside of a dialog, inside one of its own calls, or
    /// inside one of ours.
    fn request(&mut self) {
        let (method, place, extra) = (self.next(), self.next(), self.next());
        let method = METHODS.get(method % METHODS.len()).copied().unwrap_or("INVITE");
        self.sent += 1;
        let ours = self.requests.get(place % 8).filter(|_| extra & 1 == 1);
        let (call_id, local, remote) = match ours {
            Some(request) => {
                let tag = request.from().ok().and_then(|from| from.tag().map(str::to_owned));
                (request.call_id().to_owned(), tag, format!("fork{}", extra >> 6))
            }
            None => {
                let call_id = format!("call{}", place % 8);
                let tag = self.tags.get(&call_id).filter(|_| extra & 2 == 2).cloned();
                (call_id, tag, "bob".to_owned())
            }
        };
        let number = if extra & 4 == 4 { self.sent } else { 1 };
        let branch = if extra & 8 == 8 { self.sent } else { 0 };
        let tag = local.map(|tag| format!(";tag={tag}")).unwrap_or_default();
        let kind = match (method, extra & 16) {
            ("INFO", _) => "application/dtmf-relay",
            (_, 16) => "text/plain",
            _ => "application/sdp",
        };
        let body = match (method, extra & 32) {
            ("NOTIFY", 32) => "SIP/2.0 200 OK",
            ("NOTIFY", _) => "SIP/2.0 180 Ringing",
            (_, 32) => "v=0",
            _ => "",
        };
        // The dialog of one of ours is replaced, or one that is not there.
        let other = self.requests.get(place % 5).filter(|_| place & 32 == 32);
        let replaces = other.map(|request| {
            let from = request.from().ok();
            let tag = from.as_ref().and_then(|from| from.tag()).unwrap_or_default();
            format!("Replaces: {};to-tag={tag};from-tag=fork{}\r\n", request.call_id(), extra >> 6)
        });
        let replaces = replaces.unwrap_or_default();
        let rseq = self.sequences.get(&call_id).copied().unwrap_or_default();
        let option = ["Supported", "Require"].get(place >> 6).copied().unwrap_or("X-Option");
        let text = format!(
            "{method} sip:alice@192.0.2.1 SIP/2.0\r\n\
             Via: SIP/2.0/UDP 192.0.2.2:5060;branch=z9hG4bK{call_id}{branch};rport\r\n\
             From: <sip:bob@sip.example>;tag={remote}\r\n\
             To: <sip:alice@sip.example>{tag}\r\n\
             Call-ID: {call_id}\r\nCSeq: {number} {method}\r\nMax-Forwards: 70\r\n\
             {replaces}RAck: {rseq} 1 INVITE\r\n{option}: 100rel, timer\r\nSession-Expires: {}\r\n\
             Event: refer\r\nSubscription-State: active\r\n\
             Refer-To: <sip:carol@sip.example?Replaces=x%3Bto-tag%3D1%3Bfrom-tag%3D2>\r\nAllow: INVITE, UPDATE, PRACK\r\n\
             Contact: <sip:bob@192.0.2.2>\r\nContent-Type: {kind}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            place * 4,
            body.len()
        );
        if method == "INVITE" {
            self.answered.entry(format!("z9hG4bK{call_id}{branch}")).or_default();
        }
        self.arrive(text.as_bytes());
    }

    /// Lets time pass; each deadline is met on its instant.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        // More wake-ups than this in one stretch mean a timer that never rests.
        for _ in 0..100_000 {
            match self.endpoint.poll_timeout().filter(|at| *at <= end) {
                Some(at) => {
                    self.now = self.now.max(at);
                    self.endpoint.handle_timeout(self.now);
                    self.drain();
                }
                None => {
                    self.now = end;
                    return;
                }
            }
        }
        panic!("a timer fires without end");
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.endpoint.poll_transmit() {
            assert_eq!(transmit.remote.ip(), PEER.ip(), "a stranger is sent something");
            match parse(&transmit.payload) {
                Ok(Message::Request(request)) => {
                    self.requests.push_front(request);
                    self.requests.truncate(8);
                }
                Ok(Message::Response(response)) => {
                    let invite = response.cseq().is_ok_and(|cseq| cseq.method == Method::Invite);
                    if response.status >= 200
                        && invite
                        && let Ok(via) = response.via()
                    {
                        self.answered.insert(via.branch().unwrap_or_default().to_owned(), true);
                    }
                    if let Some(rseq) = response.headers.number(&Name::RSeq) {
                        self.sequences.insert(response.call_id().to_owned(), rseq);
                    }
                    if let Some(tag) = response.to().ok().and_then(|to| to.tag().map(str::to_owned))
                    {
                        self.tags.insert(response.call_id().to_owned(), tag);
                    }
                }
                Err(ParseError::KeepAlive) => {}
                Err(_) => panic!("what we send cannot be read"),
            }
        }
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                Event::Incoming { invite, .. } => self.invites.push(invite),
                Event::Ended { invite, .. } => {
                    let times = self.ended.entry(invite).or_default();
                    *times += 1;
                    assert_eq!(*times, 1, "a call ended twice");
                }
                Event::Transferred { .. } => {
                    assert!(self.asked > 0, "an outcome of no transfer");
                    self.asked -= 1;
                }
                _ => {}
            }
        }
        if let Err(problem) = self.endpoint.verify() {
            panic!("{problem}");
        }
    }

    fn finish(&mut self) {
        self.command(Command::Shutdown);
        self.drain();
        self.pass(Duration::from_secs(300));
        assert_eq!(self.endpoint.invites(), 0, "calls are left");
        assert_eq!(self.endpoint.transactions(), 0, "transactions are left");
        assert_eq!(self.endpoint.poll_timeout(), None, "a timer is left");
        assert_eq!(self.asked, 0, "a transfer has no outcome");
        assert!(self.answered.values().all(|answered| *answered), "{:?}", self.answered);
        for invite in &self.invites {
            assert_eq!(self.ended.get(invite), Some(&1), "a call never ended");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_operations_leave_the_endpoint_whole() {
        let mut seed = Seed::from_number(7);
        for _ in 0..500 {
            let mut data = vec![0; seed.below(300) as usize];
            seed.fill(&mut data);
            // An account first: without one little happens.
            data.splice(0..0, [3, 6]);
            fuzz(&data);
        }
    }
}
