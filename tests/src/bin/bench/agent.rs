//! Our SIP user agent as a process of its own, so that its CPU is nobody else's: the `sip` room on
//! the sockets of a shard, driven as a shard drives it, without pages and sound.

use base::{AccountId, Secret, Seed};
use click2call::core::{BUSY_CALLS, GATHER};
use click2call::net::{Found, PortId, Ready, Sockets};
use harness::Place;
use harness::kamailio::PASSWORD;
use harness::program::Program;
use sip::message::Uri;
use sip::{Account, CauseKind, Command, Endpoint, Event, InviteId, RegistrationState, Target};
use std::collections::{HashSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// What makes this executable an agent.
pub const WORD: &str = "agent";
/// How long it does nothing before its first call, so that its start is not measured.
const REST: Duration = Duration::from_secs(1);
/// The longest sleep.
const NAP: Duration = Duration::from_secs(1);
/// What an account's codecs usually come to.
const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
                     m=audio 30000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\n\
                     a=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
                     a=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

/// What an agent does.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// Places calls to `phone` through a proxy, so many a second, and hangs each up after a while.
    Calls { proxy: SocketAddr, count: u64, per_second: u64, hold: Duration },
    /// Keeps so many accounts registered, with a lifetime in seconds.
    Accounts { registrar: SocketAddr, count: u64, expires: u64 },
}

/// A running agent. Dropping it ends it.
pub struct Agent(Program);

impl Agent {
    /// Starts one.
    pub fn start(place: &Place, work: Work) -> Agent {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.arg(WORD);
        match work {
            Work::Calls { proxy, count, per_second, hold } => {
                let numbers = [count, per_second, hold.as_millis() as u64];
                command.arg("calls").arg(proxy.to_string()).args(numbers.map(|n| n.to_string()));
            }
            Work::Accounts { registrar, count, expires } => {
                let numbers = [count, expires];
                command.arg("accounts").arg(registrar.to_string());
                command.args(numbers.map(|number| number.to_string()));
            }
        }
        let mut program = Program::start("agent", &mut command, &place.path("agent.log"));
        program.says("ready");
        Agent(program)
    }

    /// The process's number.
    pub fn pid(&self) -> u32 {
        self.0.pid()
    }

    /// Waits until it says `word`, and gives the number behind it.
    pub fn number(&mut self, word: &str, limit: Duration) -> u64 {
        let found = harness::wait::until_within(limit, &format!("the agent says {word}"), || {
            let output = self.0.output();
            let number = output.lines().rev().find_map(|line| line.strip_prefix(word));
            assert!(number.is_some() || self.0.ended().is_none(), "the agent ended:\n{output}");
            number.map(|number| number.trim().parse::<u64>())
        });
        found.expect("a number")
    }

    /// What it has said of how it goes, the newest number behind a word.
    pub fn newest(&self, word: &str) -> u64 {
        let output = self.0.output();
        let number = output.lines().rev().find_map(|line| line.strip_prefix(word));
        number.and_then(|number| number.trim().parse().ok()).unwrap_or(0)
    }
}

/// The agent's own process.
pub fn run(arguments: &[String]) {
    let address = |at: usize| arguments[at].parse::<SocketAddr>().unwrap();
    let number = |at: usize| arguments[at].parse::<u64>().unwrap();
    let mut line = Line::open();
    match arguments[0].as_str() {
        "calls" => {
            let hold = Duration::from_millis(number(4));
            line.call(address(1), number(2), number(3), hold);
        }
        "accounts" => line.register(address(1), number(2), number(3)),
        other => panic!("an agent does not know {other:?}"),
    }
}

/// An endpoint on its port.
struct Line {
    sockets: Sockets,
    port: PortId,
    endpoint: Endpoint,
    ready: Ready,
    found: Vec<Found>,
    events: Vec<Event>,
    woken_at: Instant,
    /// Calls that have not ended.
    calls: u64,
}

impl Line {
    fn open() -> Line {
        let mut sockets = Sockets::new().unwrap();
        let port = sockets.open((Ipv4Addr::LOCALHOST, 0).into(), true).unwrap();
        sockets.report_errors(port).unwrap();
        let settings = sip::Settings {
            local: sockets.local(port).unwrap(),
            user_agent: "click2call".to_owned(),
            peers: sip::PeerPolicy::default(),
            accept_incoming: true,
            timers: sip::Timers::default(),
        };
        let endpoint = Endpoint::new(settings, Seed::from_number(1));
        let (ready, found, events) = Default::default();
        Line { sockets, port, endpoint, ready, found, events, woken_at: Instant::now(), calls: 0 }
    }

    fn order(&mut self, command: Command) {
        self.endpoint.command(Instant::now(), command);
        self.drain();
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.endpoint.poll_transmit() {
            self.sockets.send(self.port, transmit.local, transmit.remote, &transmit.payload);
        }
        while let Some(event) = self.endpoint.poll_event() {
            self.events.push(event);
        }
    }

    /// One round of a shard: waits, no longer than to `until`, and does what is there.
    fn round(&mut self, until: Option<Instant>) {
        let now = Instant::now();
        let due = [self.endpoint.poll_timeout(), until, Some(now + NAP)];
        let sleep = due.into_iter().flatten().min().unwrap_or(now).saturating_duration_since(now);
        // As the shard gathers what comes in while it is busy.
        if self.calls >= BUSY_CALLS as u64 {
            std::thread::sleep(GATHER.saturating_sub(now - self.woken_at));
        }
        self.woken_at = Instant::now();
        self.sockets.wait(Some(sleep), &mut self.ready).unwrap();
        let mut buffer = self.sockets.take_buffer();
        for port in self.ready.ports.clone() {
            while self.sockets.unreachable(port).is_some() {}
            let mut turn = 0;
            while self.sockets.receive(port, turn, &mut buffer, &mut self.found) {
                turn += 1;
                let now = Instant::now();
                for place in &self.found {
                    self.endpoint.handle_datagram(now, &place.datagram(&buffer));
                }
            }
        }
        self.sockets.return_buffer(buffer);
        let now = Instant::now();
        if self.endpoint.poll_timeout().is_some_and(|at| at <= now) {
            self.endpoint.handle_timeout(now);
        }
        self.drain();
    }

    fn account(&mut self, number: u64, server: SocketAddr, expires: Option<u64>) {
        let settings = Account {
            targets: vec![Target::udp(server)],
            peers: Vec::new(),
            domain: server.to_string(),
            username: format!("shop{number}"),
            auth_username: None,
            password: Secret::new(PASSWORD),
            register: expires.is_some(),
            expires: Duration::from_secs(expires.unwrap_or(300)),
            outbound_proxy: None,
            display_name: None,
            identity: Box::default(),
            quirks: sip::Quirks::default(),
        };
        self.order(Command::SetAccount { account: AccountId(number), settings });
    }

    fn call(&mut self, proxy: SocketAddr, count: u64, per_second: u64, hold: Duration) {
        self.account(1, proxy, None);
        say("ready", 0);
        let destination: Uri = format!("sip:phone@{proxy}").parse().unwrap();
        let begun = Instant::now() + REST;
        let (mut placed, mut answered, mut ended) = (0, 0, 0);
        let mut held: VecDeque<(Instant, InviteId)> = VecDeque::new();
        let at = |number: u64| begun + Duration::from_secs(1) * number as u32 / per_second as u32;
        while ended < count || self.endpoint.transactions() > 0 {
            let next_call = (placed < count).then(|| at(placed));
            let next_end = held.front().map(|(at, _)| *at);
            self.calls = placed - ended;
            self.round(next_call.into_iter().chain(next_end).min());
            let now = Instant::now();
            for event in std::mem::take(&mut self.events) {
                match event {
                    Event::Answered { invite, .. } => {
                        answered += 1;
                        held.push_back((now + hold, invite));
                    }
                    Event::Ended { .. } => ended += 1,
                    _ => {}
                }
            }
            while placed < count && at(placed) <= now {
                placed += 1;
                self.order(Command::Invite {
                    invite: InviteId(placed),
                    account: AccountId(1),
                    destination: destination.clone(),
                    targets: vec![Target::udp(proxy)],
                    headers: Vec::new(),
                    display_name: None,
                    offer: OFFER.as_bytes().to_vec(),
                });
            }
            while let Some((_, invite)) = held.pop_front_if(|(at, _)| *at <= now) {
                self.order(Command::Hangup { invite, cause: CauseKind::Normal });
            }
        }
        say("resent", self.endpoint.counters().retransmissions);
        say("answered", answered);
        self.stay();
    }

    fn register(&mut self, registrar: SocketAddr, count: u64, expires: u64) {
        say("ready", 0);
        // Whoever started it looks at its memory now.
        std::thread::sleep(REST);
        let mut up = HashSet::new();
        for number in 1..=count {
            self.account(number, registrar, Some(expires));
            if number % 16 == 0 {
                self.round(Some(Instant::now()));
            }
        }
        let (mut told, mut refreshed, mut failed) = (false, 0, 0);
        let mut tell_at = Instant::now() + NAP;
        while has_parent() {
            self.round(Some(tell_at));
            for event in std::mem::take(&mut self.events) {
                let Event::RegistrationChanged { account, state } = event else { continue };
                match state {
                    RegistrationState::Registered { .. } if !up.insert(account) => refreshed += 1,
                    RegistrationState::Failed { .. } => failed += 1,
                    _ => {}
                }
            }
            if tell_at <= Instant::now() {
                tell_at += NAP;
                say("refreshed", refreshed);
                say("failed", failed);
            }
            if !told && up.len() as u64 == count {
                told = true;
                say("registered", count);
            }
        }
    }

    /// Stays until it is ended, so that its figures can be read.
    fn stay(&self) {
        while has_parent() {
            std::thread::sleep(NAP);
        }
    }
}

/// Whether whoever started it is still there: 1 takes the orphans.
fn has_parent() -> bool {
    std::os::unix::process::parent_id() != 1
}

fn say(word: &str, number: u64) {
    println!("{word} {number}");
}
