//! The link against a server of a few lines, over a wire and under a clock that are not there.

#![allow(clippy::unwrap_used)]

use client_wasm::link::{Account, Action, Connection, Link, Plan};
use signalling::{
    CallState, ClientMessage, Direction, EndCause, Envelope, ErrorCode, HangupReason, Inbox,
    Outbox, QualityReport, ServerMessage, VERSION, limits,
};
use std::time::Duration;

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n";

/// The other end: resumes links, numbers what it says, remembers what it heard.
#[derive(Default)]
struct Server {
    link: Option<String>,
    made: u32,
    outbox: Outbox<ServerMessage>,
    inbox: Inbox,
    heard: Vec<ClientMessage>,
    pings: usize,
    /// What is on the wire to the page.
    towards: Vec<String>,
    forgetful: bool,
    silent: bool,
    version: Option<u32>,
    refusal: Option<ErrorCode>,
}

impl Server {
    fn write(&mut self, sequence: u64, message: ServerMessage) {
        let envelope = Envelope { sequence, ack: self.inbox.last(), message };
        self.towards.push(serde_json::to_string(&envelope).unwrap());
    }

    fn say(&mut self, message: ServerMessage) {
        let sequence = self.outbox.push(message.clone()).unwrap();
        self.write(sequence, message);
    }

    fn hear(&mut self, text: &str) {
        assert!(text.len() <= limits::MESSAGE_OCTETS);
        let envelope: Envelope<ClientMessage> = serde_json::from_str(text).unwrap();
        if self.silent {
            return;
        }
        match envelope.message {
            ClientMessage::Hello { link, version, .. } => {
                assert_eq!(version, VERSION);
                if let Some(code) = self.refusal {
                    let (message, hint) = ("no".to_owned(), String::new());
                    return self.write(0, ServerMessage::Error { code, message, hint, call: None });
                }
                let resumed = link.is_some() && link == self.link && !self.forgetful;
                if !resumed {
                    self.made += 1;
                    self.link = Some(format!("link-{}", self.made));
                    (self.outbox, self.inbox) = (Outbox::default(), Inbox::default());
                }
                self.outbox.acknowledged(envelope.ack);
                let (link, version) = (self.link.clone().unwrap(), self.version.unwrap_or(VERSION));
                self.write(0, ServerMessage::Welcome { version, link, resumed, button: None });
                let again: Vec<_> =
                    self.outbox.unacknowledged().map(|(n, m)| (n, m.clone())).collect();
                again.into_iter().for_each(|(n, m)| self.write(n, m));
            }
            ClientMessage::Ping { at } => {
                self.outbox.acknowledged(envelope.ack);
                self.pings += 1;
                self.write(0, ServerMessage::Pong { at });
            }
            message => {
                self.outbox.acknowledged(envelope.ack);
                if self.inbox.accept(envelope.sequence) {
                    self.heard.push(message);
                }
            }
        }
    }
}

/// A page, a server and the wire between them.
struct World {
    link: Link,
    server: Server,
    now: Duration,
    /// Whether a socket is there, and whether the network lets one open.
    socket: bool,
    network: bool,
    /// Whether what the page sends arrives.
    deaf: bool,
    told: Vec<Action>,
    opened: Vec<Duration>,
    sent: Vec<Duration>,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut link = Link::new(None, Some("https://shop.example/".into()), seed);
        link.connect(Duration::ZERO);
        let mut world = World {
            link,
            server: Server::default(),
            now: Duration::ZERO,
            socket: false,
            network: true,
            deaf: false,
            told: Vec::new(),
            opened: Vec::new(),
            sent: Vec::new(),
        };
        world.settle();
        world
    }

    /// Carries everything until nobody says anything more.
    fn settle(&mut self) {
        loop {
            while let Some(action) = self.link.poll() {
                match action {
                    Action::Open => {
                        self.opened.push(self.now);
                        self.socket = self.network;
                        match self.network {
                            true => self.link.socket_opened(self.now),
                            false => self.link.socket_closed(self.now),
                        }
                    }
                    Action::Send(text) => {
                        assert!(self.socket, "written without a socket");
                        self.sent.push(self.now);
                        if !self.deaf {
                            self.server.hear(&text);
                        }
                    }
                    Action::Close => {
                        self.socket = false;
                        self.server.towards.clear();
                    }
                    told => self.told.push(told),
                }
            }
            if self.server.towards.is_empty() || !self.socket {
                return self.server.towards.clear();
            }
            for text in std::mem::take(&mut self.server.towards) {
                self.link.socket_message(self.now, &text);
            }
        }
    }

    /// The socket breaks with everything on the wire.
    fn cut(&mut self) {
        self.socket = false;
        self.server.towards.clear();
        while let Some(action) = self.link.poll() {
            if !matches!(action, Action::Send(_)) {
                self.told.push(action);
            }
        }
        self.link.socket_closed(self.now);
        self.settle();
    }

    /// Lets time pass, as the page's timer would.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        let mut rounds = 0;
        while let Some(due) = self.link.next_deadline().filter(|due| *due <= end) {
            rounds += 1;
            assert!(rounds < 100_000, "a timer that is never done");
            self.now = self.now.max(due);
            self.link.tick(self.now);
            self.settle();
        }
        self.now = end;
    }

    fn seconds(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    fn call(&mut self) -> u32 {
        let plan = Plan { uri: Some("sip:100@example.com".into()), ..Plan::default() };
        let call = self.link.call(self.now, plan, OFFER.into()).unwrap();
        self.settle();
        call
    }

    fn server_says(&mut self, message: ServerMessage) {
        self.server.say(message);
        self.settle();
    }

    /// What the page was told in the server's words, read as JavaScript reads it.
    fn words(&self) -> Vec<ServerMessage> {
        let read = |action: &Action| match action {
            Action::Tell(text) => Some(serde_json::from_str(text).unwrap()),
            _ => None,
        };
        self.told.iter().filter_map(read).collect()
    }

    fn connections(&self) -> Vec<Connection> {
        let is_connection = |action: &Action| match action {
            Action::Connection(connection) => Some(*connection),
            _ => None,
        };
        self.told.iter().filter_map(is_connection).collect()
    }

    fn ends(&self) -> Vec<(u32, EndCause)> {
        let is_end = |message: ServerMessage| match message {
            ServerMessage::State { call, cause: Some(cause), .. } => Some((call, cause)),
            _ => None,
        };
        self.words().into_iter().filter_map(is_end).collect()
    }

    fn errors(&self) -> Vec<ErrorCode> {
        let is_error = |message: ServerMessage| match message {
            ServerMessage::Error { code, .. } => Some(code),
            _ => None,
        };
        self.words().into_iter().filter_map(is_error).collect()
    }

    fn digits_heard(&self) -> String {
        let is_dtmf = |message: &ClientMessage| match message {
            ClientMessage::Dtmf { digits, .. } => Some(digits.clone()),
            _ => None,
        };
        self.server.heard.iter().filter_map(is_dtmf).collect()
    }
}

fn state(call: u32, state: CallState) -> ServerMessage {
    ServerMessage::State {
        call,
        direction: Direction::Out,
        state,
        cause: (state == CallState::Ended).then_some(EndCause::ShopHungUp),
        code: 200,
        reason: String::new(),
        uri: String::new(),
        display_name: String::new(),
        video: false,
    }
}

fn answer(call: u32) -> ServerMessage {
    ServerMessage::Answer { call, sdp: "v=0\r\n".into() }
}

const UP: Connection = Connection { connected: true, reconnecting: false, resumed: false };
const RESUMED: Connection = Connection { connected: true, reconnecting: false, resumed: true };
const TRYING: Connection = Connection { connected: false, reconnecting: true, resumed: false };
const OFF: Connection = Connection { connected: false, reconnecting: false, resumed: false };

#[test]
fn a_call_made_before_the_socket_is_open_goes_out_as_soon_as_it_is() {
    let mut link = Link::new(Some("sales".into()), None, 1);
    link.connect(Duration::ZERO);
    assert!(link.call(Duration::ZERO, Plan::default(), OFFER.into()).is_some());
    link.socket_opened(Duration::from_millis(30));
    assert_eq!(link.poll(), Some(Action::Open));
    let Some(Action::Send(hello)) = link.poll() else { panic!("no greeting") };
    assert!(hello.contains(r#""type":"hello""#) && hello.contains(r#""button":"sales""#));
    assert_eq!(link.poll(), None, "nothing before the welcome");
    let mut server = Server::default();
    server.hear(&hello);
    link.socket_message(Duration::from_millis(31), &server.towards[0]);
    assert_eq!(link.poll(), Some(Action::Connection(UP)));
    let Some(Action::Send(call)) = link.poll() else { panic!("no call") };
    assert!(call.starts_with(r#"{"sequence":1,"ack":0,"type":"call","call":1"#));
}

#[test]
fn messages_cross_dropped_sockets_in_order_and_once_for_a_thousand_seeds() {
    for seed in 0..1000 {
        let mut world = World::new(seed);
        let call = world.call();
        world.server_says(answer(call));
        world.server_says(state(call, CallState::Active));
        // One of the two ways, or both, break at a moment that the seed chooses.
        let mut chance = seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1;
        let mut roll = |of: u64| {
            chance ^= chance << 13;
            chance ^= chance >> 7;
            chance ^= chance << 17;
            chance % of
        };
        let mut expected = String::new();
        let mut said = 0;
        for _ in 0..30 {
            match roll(5) {
                0 => world.cut(),
                1 => world.deaf = !world.deaf,
                2 => world.pass(Duration::from_millis(roll(4000))),
                _ => {
                    let digit = char::from(b'0' + roll(10) as u8);
                    expected.push(digit);
                    world.link.dtmf(world.now, call, &digit.to_string());
                    if world.socket {
                        said += 1;
                        world.server.say(ServerMessage::Digit { call, digit: '7' });
                        // Sometimes it is still on the wire when the socket breaks.
                        if roll(3) == 0 {
                            world.server.towards.clear();
                            world.cut();
                        }
                    }
                    world.settle();
                }
            }
        }
        world.deaf = false;
        world.cut();
        world.seconds(16);
        assert_eq!(world.digits_heard(), expected, "seed {seed}");
        let words = world.words();
        let digits = words.iter().filter(|a| matches!(a, ServerMessage::Digit { .. }));
        assert_eq!(digits.count(), said, "seed {seed}");
        assert_eq!(world.server.made, 1, "seed {seed}: one link throughout");
        assert_eq!(world.ends(), [], "seed {seed}: the call lives");
    }
}

#[test]
fn the_page_hears_of_a_drop_and_of_the_resume() {
    let mut world = World::new(3);
    world.cut();
    world.seconds(1);
    assert_eq!(world.connections(), [UP, TRYING, RESUMED]);
}

#[test]
fn back_off_doubles_within_its_bounds_and_starts_over_after_a_good_socket() {
    for seed in 0..50 {
        let mut world = World::new(seed);
        world.seconds(10);
        world.network = false;
        world.opened.clear();
        let cut_at = world.now;
        world.cut();
        world.seconds(120);
        let mut before = cut_at;
        let mut bound = limits::RECONNECT_FIRST;
        assert!(world.opened.len() > 10);
        for at in &world.opened {
            let wait = *at - before;
            assert!(wait >= bound / 2 && wait <= bound, "seed {seed}: {wait:?} of {bound:?}");
            before = *at;
            bound = (bound * 2).min(limits::RECONNECT_LONGEST);
        }
        world.network = true;
        world.seconds(20);
        world.opened.clear();
        let cut_at = world.now;
        world.cut();
        world.seconds(1);
        assert!(world.opened[0] - cut_at <= limits::RECONNECT_FIRST, "seed {seed}");
    }
}

#[test]
fn a_server_that_welcomes_and_hangs_up_at_once_is_not_hammered() {
    let mut world = World::new(5);
    let began = world.now;
    for _ in 0..8 {
        world.cut();
        let due = world.link.next_deadline().unwrap();
        world.pass(due - world.now);
    }
    assert!(world.now - began > Duration::from_secs(10));
}

#[test]
fn calls_of_a_link_that_was_not_resumed_end_as_visitor_lost_and_are_not_placed_again() {
    let mut world = World::new(7);
    let call = world.call();
    world.server_says(answer(call));
    world.server_says(state(call, CallState::Active));
    world.server.forgetful = true;
    world.cut();
    // Digits of the dead call wait in line; they must not reach the new link.
    world.link.dtmf(world.now, call, "12");
    world.server.heard.clear();
    world.seconds(1);
    assert_eq!(world.ends(), [(call, EndCause::VisitorLost)]);
    assert_eq!(world.connections(), [UP, TRYING, UP]);
    assert_eq!(world.server.heard, []);
    assert_eq!(world.link.calls(), 0);
}

#[test]
fn a_call_that_never_left_the_page_goes_to_the_new_link() {
    let mut world = World::new(8);
    world.server.forgetful = true;
    world.cut();
    let call = world.call();
    world.seconds(1);
    assert_eq!(world.server.made, 2);
    let placed = world.server.heard.iter().filter(|m| matches!(m, ClientMessage::Call { .. }));
    assert_eq!(placed.count(), 1);
    assert_eq!(world.ends(), []);
    assert_eq!(world.link.calls(), 1);
    world.server_says(answer(call));
}

#[test]
fn a_call_given_up_before_it_left_the_page_never_rings() {
    let mut world = World::new(9);
    world.network = false;
    world.cut();
    let call = world.call();
    world.link.hangup(world.now, call, HangupReason::Visitor);
    world.network = true;
    world.seconds(10);
    assert_eq!(world.server.heard, []);
    assert_eq!(world.ends(), [(call, EndCause::Cancelled)]);
}

#[test]
fn a_link_lost_for_good_ends_its_calls_without_waiting_for_a_socket() {
    let mut world = World::new(10);
    let call = world.call();
    world.server_says(answer(call));
    world.network = false;
    world.cut();
    world.seconds(34);
    assert_eq!(world.ends(), []);
    world.seconds(2);
    assert_eq!(world.ends(), [(call, EndCause::VisitorLost)]);
}

#[test]
fn a_server_gone_silent_gets_its_socket_closed_and_a_new_one() {
    let mut world = World::new(11);
    world.opened.clear();
    world.server.silent = true;
    world.seconds(14);
    assert!(world.socket);
    world.seconds(2);
    assert!(!world.opened.is_empty(), "a new socket after {:?}", limits::LINK_SILENCE);
    // The new one is not welcomed either: it is given up too.
    world.seconds(60);
    assert!(world.opened.len() > 3);
    world.server.silent = false;
    world.seconds(20);
    assert_eq!(world.connections(), [UP, TRYING, UP]);
}

#[test]
fn a_page_that_talks_all_the_time_still_notices_a_silent_server() {
    let mut world = World::new(12);
    let call = world.call();
    world.server_says(answer(call));
    world.server.silent = true;
    world.opened.clear();
    for _ in 0..10 {
        world.link.quality(world.now, call, QualityReport::default());
        world.settle();
        world.seconds(2);
    }
    assert!(!world.opened.is_empty());
}

#[test]
fn a_heartbeat_goes_out_each_five_seconds_and_no_more() {
    let mut world = World::new(13);
    world.seconds(61);
    assert_eq!(world.server.pings, 12);
    assert_eq!(world.connections(), [UP]);
}

#[test]
fn a_timer_that_fires_a_minute_late_does_not_cost_the_socket() {
    let mut world = World::new(14);
    for _ in 0..5 {
        world.now += Duration::from_secs(60);
        world.link.tick(world.now);
        world.settle();
    }
    assert_eq!(world.connections(), [UP]);
}

#[test]
fn a_network_change_shortens_the_wait_and_unmasks_a_dead_socket() {
    let mut world = World::new(15);
    world.network = false;
    world.cut();
    world.seconds(30);
    world.network = true;
    world.link.network_changed(world.now);
    world.settle();
    assert_eq!(world.connections().last(), Some(&RESUMED));

    world.server.silent = true;
    world.opened.clear();
    world.link.network_changed(world.now);
    world.settle();
    world.seconds(4);
    assert!(!world.opened.is_empty(), "found out within seconds");
}

#[test]
fn a_socket_that_never_opens_is_given_up_and_tried_again() {
    let mut link = Link::new(None, None, 1);
    link.connect(Duration::ZERO);
    assert_eq!(link.poll(), Some(Action::Open));
    let due = link.next_deadline().unwrap();
    assert_eq!(due, Duration::from_secs(10));
    link.tick(due);
    assert_eq!(link.poll(), Some(Action::Close));
    assert_eq!(link.poll(), Some(Action::Connection(TRYING)));
    link.tick(link.next_deadline().unwrap());
    assert_eq!(link.poll(), Some(Action::Open));
}

#[test]
fn the_line_is_bounded_and_a_hangup_still_fits() {
    let mut world = World::new(16);
    let call = world.call();
    world.server_says(answer(call));
    world.network = false;
    world.cut();
    for _ in 0..1000 {
        world.link.dtmf(world.now, call, "12345678901234567890123456789012");
        world.link.restart(world.now, call, OFFER.into());
        world.settle();
    }
    assert!(world.errors().len() > 1000);
    assert!(world.errors().iter().all(|code| *code == ErrorCode::Limit));
    world.link.hangup(world.now, call, HangupReason::Visitor);
    world.network = true;
    world.seconds(30);
    assert!(world.server.heard.len() < 100);
    let hangups = world.server.heard.iter().filter(|m| matches!(m, ClientMessage::Hangup { .. }));
    assert_eq!(hangups.count(), 1);
}

#[test]
fn a_server_that_never_acknowledges_stops_the_page_at_its_outbox() {
    let mut world = World::new(17);
    let call = world.call();
    world.server_says(answer(call));
    world.server.inbox = Inbox::default();
    // Its numbers never fit again, so it acknowledges nothing but still answers heartbeats.
    world.server.inbox.accept(0);
    for _ in 0..600 {
        world.link.restart(world.now, call, OFFER.into());
        world.settle();
        world.pass(Duration::from_millis(100));
    }
    assert!(world.sent.len() < 300, "{}", world.sent.len());
    assert!(world.errors().contains(&ErrorCode::Limit));
}

#[test]
fn the_page_stays_under_the_servers_rate_limit_even_when_it_sends_again() {
    let mut world = World::new(18);
    let call = world.call();
    world.server_says(answer(call));
    world.deaf = true;
    for _ in 0..100 {
        world.link.restart(world.now, call, OFFER.into());
        world.settle();
        world.pass(Duration::from_millis(100));
    }
    world.deaf = false;
    world.cut();
    world.sent.clear();
    world.seconds(30);
    let mut tokens = f64::from(limits::MESSAGES_BURST);
    let mut before = world.sent[0];
    for at in &world.sent {
        let passed = (*at - before).as_secs_f64() * f64::from(limits::MESSAGES_PER_SECOND);
        tokens = (tokens + passed).min(f64::from(limits::MESSAGES_BURST)) - 1.0;
        assert!(tokens >= 0.0, "over the limit at {at:?}");
        before = *at;
    }
    let restarts = world.server.heard.iter().filter(|m| matches!(m, ClientMessage::Restart { .. }));
    assert_eq!(restarts.count(), 100);
}

#[test]
fn a_server_of_another_version_ends_the_attempts() {
    let mut world = World::new(19);
    world.server.version = Some(VERSION + 1);
    world.server.forgetful = true;
    world.cut();
    world.seconds(1);
    assert_eq!(world.errors(), [ErrorCode::Version]);
    assert_eq!(world.connections().last(), Some(&OFF));
    world.opened.clear();
    world.seconds(600);
    assert!(world.opened.is_empty());
}

#[test]
fn a_refusal_ends_the_attempts_and_the_waiting_call_but_a_full_server_is_asked_again() {
    for (code, tries_again) in [
        (ErrorCode::Version, false),
        (ErrorCode::UnknownButton, false),
        (ErrorCode::Forbidden, false),
        (ErrorCode::Limit, true),
        (ErrorCode::Draining, true),
    ] {
        let mut world = World::new(20);
        world.server.refusal = Some(code);
        world.server.forgetful = true;
        world.network = false;
        world.cut();
        let call = world.call();
        world.network = true;
        world.seconds(1);
        assert!(world.errors().contains(&code));
        world.opened.clear();
        world.seconds(60);
        assert_eq!(!world.opened.is_empty(), tries_again, "{code:?}");
        assert_eq!(world.ends(), [(call, EndCause::VisitorLost)], "{code:?}");
    }
}

#[test]
fn an_offer_that_nobody_answers_ends_the_call_as_no_media() {
    let mut world = World::new(21);
    let call = world.call();
    world.seconds(21);
    assert_eq!(world.ends(), [(call, EndCause::NoMedia)]);
    let hangup = ClientMessage::Hangup { call, reason: HangupReason::NoMedia };
    assert_eq!(world.server.heard.last(), Some(&hangup));
}

#[test]
fn a_hangup_is_seen_at_once_and_nothing_is_heard_of_the_call_after_it() {
    let mut world = World::new(22);
    let call = world.call();
    world.server_says(answer(call));
    world.server_says(state(call, CallState::Active));
    world.link.hangup(world.now, call, HangupReason::Visitor);
    world.settle();
    let told = world.told.len();
    world.server_says(state(call, CallState::Ended));
    world.server_says(ServerMessage::Digit { call, digit: '1' });
    world.server_says(answer(call));
    assert_eq!(world.told.len(), told);
    assert_eq!(world.ends(), [(call, EndCause::VisitorHungUp)]);
}

#[test]
fn an_account_is_registered_again_on_a_new_link_and_only_once() {
    let mut world = World::new(23);
    let account = Account {
        registrar: "sip.example".into(),
        username: "100".into(),
        password: "secret".into(),
    };
    world.link.register(world.now, account.clone());
    world.settle();
    world.cut();
    world.seconds(1);
    assert_eq!(world.server.heard.len(), 1, "a resumed link keeps its registration");
    world.server.forgetful = true;
    world.cut();
    world.seconds(1);
    assert_eq!(world.server.heard.len(), 2, "a new one does not");
    world.network = false;
    world.cut();
    // A page that registers whenever it likes.
    world.link.register(world.now, account.clone());
    world.link.register(world.now, account);
    world.network = true;
    world.seconds(10);
    assert_eq!(world.server.heard.len(), 3);
    assert!(!format!("{:?}", world.link).contains("secret"));
}

#[test]
fn what_the_page_asks_wrongly_is_refused_in_words_and_never_sent() {
    let mut world = World::new(24);
    let call = world.call();
    world.server_says(answer(call));
    world.server.heard.clear();
    for digits in ["", "x", "1 2", "123456789012345678901234567890123", "１"] {
        world.link.dtmf(world.now, call, digits);
    }
    world.link.dtmf(world.now, 99, "1");
    let no_one = Plan::default();
    assert_eq!(world.link.call(world.now, no_one, OFFER.into()), None);
    let spaced = Plan { uri: Some("sip:a b".into()), ..Plan::default() };
    assert_eq!(world.link.call(world.now, spaced, OFFER.into()), None);
    let injected = Plan {
        uri: Some("sip:a".into()),
        headers: [("X-A".to_owned(), "b\r\nX-C: d".to_owned())].into(),
        ..Plan::default()
    };
    assert_eq!(world.link.call(world.now, injected, OFFER.into()), None);
    let plan = Plan { uri: Some("sip:a".into()), ..Plan::default() };
    assert_eq!(world.link.call(world.now, plan.clone(), "x".repeat(40_000)), None);
    assert!(world.link.call(world.now, plan.clone(), OFFER.into()).is_some());
    assert_eq!(world.link.call(world.now, plan, OFFER.into()), None, "two calls are the most");
    world.settle();
    assert_eq!(world.errors().len(), 11);
    assert_eq!(world.server.heard.len(), 1);
    world.link.dtmf(world.now, call, "12ab#*");
    world.settle();
    assert_eq!(world.digits_heard(), "12AB#*");
}

#[test]
fn a_message_that_this_page_does_not_know_is_passed_over_and_acknowledged() {
    let mut world = World::new(25);
    let unknown = r#"{"sequence":1,"ack":0,"type":"party","hats":3}"#;
    world.link.socket_message(world.now, unknown);
    for garbage in ["", "{", "[]", "null", "\u{0}", "{\"sequence\":-1}"] {
        world.link.socket_message(world.now, garbage);
    }
    world.server.outbox.push(ServerMessage::Pong { at: 0.0 }).unwrap();
    let call = world.call();
    world.server_says(answer(call));
    let answered = world.words().iter().any(|a| matches!(a, ServerMessage::Answer { .. }));
    assert!(answered);
}

#[test]
fn a_gap_in_the_servers_numbers_brings_a_new_socket_that_fills_it() {
    let mut world = World::new(26);
    let call = world.call();
    // The first never reaches the wire.
    world.server.outbox.push(answer(call)).unwrap();
    world.server_says(state(call, CallState::Ringing));
    world.seconds(1);
    assert_eq!(world.connections(), [UP, TRYING, RESUMED]);
    let kinds: Vec<_> = world
        .words()
        .iter()
        .filter_map(|action| match action {
            ServerMessage::Answer { .. } => Some("answer"),
            ServerMessage::State { .. } => Some("state"),
            _ => None,
        })
        .collect();
    assert_eq!(kinds, ["answer", "state"]);
}

#[test]
fn disconnecting_hangs_up_and_stays_quiet() {
    let mut world = World::new(27);
    let call = world.call();
    world.server_says(answer(call));
    world.link.disconnect(world.now, HangupReason::PageClosed);
    world.settle();
    let hangup = ClientMessage::Hangup { call, reason: HangupReason::PageClosed };
    assert_eq!(world.server.heard.last(), Some(&hangup));
    assert_eq!(world.connections(), [UP, OFF]);
    assert_eq!(world.link.next_deadline(), None);
    world.link.connect(world.now);
    world.settle();
    assert_eq!(world.connections(), [UP, OFF, UP]);
    assert_eq!(world.server.made, 2);
}

#[test]
fn an_action_begins_with_its_letter() {
    assert_eq!(Action::Open.to_text(), "o");
    assert_eq!(Action::Close.to_text(), "c");
    assert_eq!(Action::Send("{\"a\"}".into()).to_text(), "s{\"a\"}");
    assert_eq!(Action::Connection(UP).to_text(), "n100");
    assert_eq!(Action::Connection(TRYING).to_text(), "n010");
    assert_eq!(Action::Connection(RESUMED).to_text(), "n101");
    assert_eq!(Action::Tell("{}".into()).to_text(), "t{}");
}
