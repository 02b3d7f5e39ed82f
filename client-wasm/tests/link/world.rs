//! A page, a server of a few lines, and a wire between them that is not there.

use client_wasm::link::{Action, Connection, Link, Plan};
use signalling::{
    CallState, ClientMessage, Direction, EndCause, Envelope, ErrorCode, Inbox, Outbox,
    ServerMessage, VERSION, limits,
};
use std::time::Duration;

pub const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\n";

/// The other end: resumes links, numbers what it says, remembers what it heard.
#[derive(Default)]
pub struct Server {
    pub link: Option<String>,
    pub made: u32,
    pub outbox: Outbox<ServerMessage>,
    pub inbox: Inbox,
    pub heard: Vec<ClientMessage>,
    pub pings: usize,
    /// What is on the wire to the page.
    pub towards: Vec<String>,
    pub forgetful: bool,
    pub silent: bool,
    pub version: Option<u32>,
    pub refusal: Option<ErrorCode>,
}

impl Server {
    pub fn write(&mut self, sequence: u64, message: ServerMessage) {
        let envelope = Envelope { sequence, ack: self.inbox.last(), message };
        self.towards.push(serde_json::to_string(&envelope).unwrap());
    }

    pub fn say(&mut self, message: ServerMessage) {
        let sequence = self.outbox.push(message.clone()).unwrap();
        self.write(sequence, message);
    }

    pub fn hear(&mut self, text: &str) {
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
pub struct World {
    pub link: Link,
    pub server: Server,
    pub now: Duration,
    /// Whether a socket is there, and whether the network lets one open.
    pub socket: bool,
    pub network: bool,
    /// Whether what the page sends arrives.
    pub deaf: bool,
    pub told: Vec<Action>,
    pub opened: Vec<Duration>,
    pub sent: Vec<Duration>,
}

impl World {
    pub fn new(seed: u64) -> Self {
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
    pub fn settle(&mut self) {
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
    pub fn cut(&mut self) {
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
    pub fn pass(&mut self, time: Duration) {
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

    pub fn seconds(&mut self, seconds: u64) {
        self.pass(Duration::from_secs(seconds));
    }

    pub fn call(&mut self) -> u32 {
        let plan = Plan { uri: Some("sip:100@example.com".into()), ..Plan::default() };
        let call = self.link.call(self.now, plan, OFFER.into()).unwrap();
        self.settle();
        call
    }

    pub fn server_says(&mut self, message: ServerMessage) {
        self.server.say(message);
        self.settle();
    }

    /// What the page was told in the server's words, read as JavaScript reads it.
    pub fn words(&self) -> Vec<ServerMessage> {
        let read = |action: &Action| match action {
            Action::Tell(text) => Some(serde_json::from_str(text).unwrap()),
            _ => None,
        };
        self.told.iter().filter_map(read).collect()
    }

    pub fn connections(&self) -> Vec<Connection> {
        let is_connection = |action: &Action| match action {
            Action::Connection(connection) => Some(*connection),
            _ => None,
        };
        self.told.iter().filter_map(is_connection).collect()
    }

    pub fn ends(&self) -> Vec<(u32, EndCause)> {
        let is_end = |message: ServerMessage| match message {
            ServerMessage::State { call, cause: Some(cause), .. } => Some((call, cause)),
            _ => None,
        };
        self.words().into_iter().filter_map(is_end).collect()
    }

    pub fn errors(&self) -> Vec<ErrorCode> {
        let is_error = |message: ServerMessage| match message {
            ServerMessage::Error { code, .. } => Some(code),
            _ => None,
        };
        self.words().into_iter().filter_map(is_error).collect()
    }

    pub fn digits_heard(&self) -> String {
        let is_dtmf = |message: &ClientMessage| match message {
            ClientMessage::Dtmf { digits, .. } => Some(digits.clone()),
            _ => None,
        };
        self.server.heard.iter().filter_map(is_dtmf).collect()
    }
}

pub fn state(call: u32, state: CallState) -> ServerMessage {
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

pub fn answer(call: u32) -> ServerMessage {
    ServerMessage::Answer { call, sdp: "v=0\r\n".into() }
}

pub const UP: Connection = Connection { connected: true, reconnecting: false, resumed: false };
pub const RESUMED: Connection = Connection { connected: true, reconnecting: false, resumed: true };
pub const TRYING: Connection = Connection { connected: false, reconnecting: true, resumed: false };
pub const OFF: Connection = Connection { connected: false, reconnecting: false, resumed: false };
