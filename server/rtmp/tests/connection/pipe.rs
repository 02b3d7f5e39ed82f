//! A server and a client joined by flows in memory: in order within a flow, in any order across
//! flows when there is a seed.

use base::Seed;
use rtmp::connection::{
    Action, Client, ClientEvent, ClientSettings, Media, MediaKind, Outgoing, Server, ServerEvent,
    ServerSettings,
};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What each end's numbers for receiving flows are away from the other's for sending them.
const AT_SERVER: u64 = 1000;
const AT_CLIENT: u64 = 5000;

#[derive(Clone, Debug)]
pub enum Item {
    Open { flow: u64, metadata: Vec<u8>, return_of: Option<u64> },
    Message { flow: u64, octets: Vec<u8> },
    Finished { flow: u64 },
    Rejected { flow: u64 },
    SessionClosed,
}

impl Item {
    /// Items of one lane keep their order.
    fn lane(&self) -> (u8, u64) {
        match self {
            Item::Open { flow, .. } | Item::Message { flow, .. } | Item::Finished { flow } => {
                (0, *flow)
            }
            Item::Rejected { flow } => (1, *flow),
            Item::SessionClosed => (2, 0),
        }
    }
}

pub type Heard = (u32, MediaKind, u32, Vec<u8>);

pub struct Pipe {
    pub now: Instant,
    pub server: Server,
    pub client: Client,
    pub server_events: Vec<ServerEvent>,
    pub client_events: Vec<ClientEvent>,
    /// Every action, in the order in which they were taken.
    pub server_actions: Vec<Action>,
    pub client_actions: Vec<Action>,
    pub server_heard: Vec<Heard>,
    pub client_heard: Vec<Heard>,
    to_server: VecDeque<Item>,
    to_client: VecDeque<Item>,
    pub seed: Option<Seed>,
    /// The application lets everything in.
    pub willing: bool,
}

impl Pipe {
    pub fn new(settings: ClientSettings) -> Pipe {
        let now = Instant::now();
        Pipe {
            now,
            server: Server::new(now, ServerSettings::default()),
            client: Client::new(now, settings),
            server_events: Vec::new(),
            client_events: Vec::new(),
            server_actions: Vec::new(),
            client_actions: Vec::new(),
            server_heard: Vec::new(),
            client_heard: Vec::new(),
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            seed: None,
            willing: true,
        }
    }

    /// A pipe whose connection is up.
    pub fn connected() -> Pipe {
        let mut pipe = Pipe::new(ClientSettings::default());
        pipe.run();
        assert!(pipe.server.is_connected());
        pipe
    }

    /// A connected pipe with a stream that publishes as `mic` and one that plays `far`.
    pub fn talking() -> Pipe {
        let mut pipe = Pipe::connected();
        pipe.client.create_stream();
        pipe.client.create_stream();
        pipe.run();
        pipe.client.publish(1, "mic");
        pipe.client.play(2, "far");
        pipe.run();
        pipe
    }

    /// Everything that can happen without time passing.
    pub fn run(&mut self) {
        for _ in 0..10_000 {
            let collected = self.collect();
            if !self.deliver() && !collected {
                return;
            }
        }
        panic!("the pipe never comes to rest");
    }

    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.run();
            let due = [self.server.poll_timeout(), self.client.poll_timeout()];
            let Some(at) = due.into_iter().flatten().min().filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            self.server.handle_timeout(self.now);
            self.client.handle_timeout(self.now);
        }
        self.now = end;
        self.run();
    }

    /// Puts something of the client's making on its way to the server.
    pub fn inject(&mut self, item: Item) {
        self.to_server.push_back(item);
        self.run();
    }

    /// Takes what both ends have to say; whether there was anything.
    fn collect(&mut self) -> bool {
        let taken = |pipe: &Pipe| {
            pipe.server_actions.len()
                + pipe.client_actions.len()
                + pipe.server_events.len()
                + pipe.client_events.len()
        };
        let before = taken(self);
        while let Some(action) = self.server.poll_action() {
            self.server_actions.push(action.clone());
            carry(action, AT_SERVER, AT_CLIENT, &mut self.to_client);
        }
        while let Some(action) = self.client.poll_action() {
            self.client_actions.push(action.clone());
            carry(action, AT_CLIENT, AT_SERVER, &mut self.to_server);
        }
        while let Some(event) = self.server.poll_event() {
            if self.willing {
                match &event {
                    ServerEvent::ConnectRequested(_) => self.server.accept(),
                    ServerEvent::PublishRequested { stream, .. } => {
                        self.server.accept_publish(*stream);
                    }
                    ServerEvent::PlayRequested { stream, .. } => self.server.accept_play(*stream),
                    _ => {}
                }
            }
            self.server_events.push(event);
        }
        while let Some(event) = self.client.poll_event() {
            self.client_events.push(event);
        }
        taken(self) > before
    }

    fn deliver(&mut self) -> bool {
        if let Some(item) = next(&mut self.to_server, &mut self.seed) {
            let now = self.now;
            match item {
                Item::Open { flow, metadata, return_of } => {
                    self.server.handle_flow_opened(flow, &metadata, return_of);
                }
                Item::Message { flow, octets } => {
                    let media = self.server.handle_message(now, flow, &octets);
                    self.server_heard.extend(media.map(heard));
                }
                Item::Finished { flow } => self.server.handle_flow_finished(now, flow),
                Item::Rejected { flow } => self.server.handle_flow_rejected(flow),
                Item::SessionClosed => self.server.handle_session_closed(),
            }
            return true;
        }
        if let Some(item) = next(&mut self.to_client, &mut self.seed) {
            let now = self.now;
            match item {
                Item::Open { flow, metadata, return_of } => {
                    self.client.handle_flow_opened(flow, &metadata, return_of);
                }
                Item::Message { flow, octets } => {
                    let media = self.client.handle_message(now, flow, &octets);
                    self.client_heard.extend(media.map(heard));
                }
                Item::Finished { flow } => self.client.handle_flow_finished(now, flow),
                Item::Rejected { flow } => self.client.handle_flow_rejected(flow),
                Item::SessionClosed => self.client.handle_session_closed(),
            }
            return true;
        }
        false
    }

    /// Sound from the client; whether it could be sent.
    pub fn client_says(&mut self, stream: u32, timestamp: u32, payload: &[u8]) -> bool {
        self.collect();
        let mut buffer = [0; 200];
        let out = self.client.write_audio(stream, timestamp, payload, &mut buffer);
        if let Some(Outgoing { flow, length, .. }) = out {
            let octets = buffer[..length].to_vec();
            self.to_server.push_back(Item::Message { flow: flow + AT_SERVER, octets });
        }
        self.run();
        out.is_some()
    }

    /// Sound from the server; whether it could be sent.
    pub fn server_says(&mut self, stream: u32, timestamp: u32, payload: &[u8]) -> bool {
        self.collect();
        let mut buffer = [0; 200];
        let out = self.server.write_audio(stream, timestamp, payload, &mut buffer);
        if let Some(Outgoing { flow, length, .. }) = out {
            let octets = buffer[..length].to_vec();
            self.to_client.push_back(Item::Message { flow: flow + AT_CLIENT, octets });
        }
        self.run();
        out.is_some()
    }

    /// The codes of every `onStatus` that the client got, with their streams.
    pub fn codes(&self) -> Vec<(u32, String)> {
        let code = |event: &ClientEvent| match event {
            ClientEvent::Status { stream, info } => {
                Some((*stream, info.find("code")?.as_str()?.to_owned()))
            }
            _ => None,
        };
        self.client_events.iter().filter_map(code).collect()
    }
}

fn heard(media: Media<'_>) -> Heard {
    (media.stream, media.kind, media.timestamp, media.payload.to_vec())
}

/// `own`: the offset of the actor's receiving flows, `other`: of the other end's.
fn carry(action: Action, own: u64, other: u64, queue: &mut VecDeque<Item>) {
    queue.push_back(match action {
        Action::OpenFlow { flow, metadata, return_of, .. } => {
            let return_of = return_of.map(|flow| flow - own);
            Item::Open { flow: flow + other, metadata, return_of }
        }
        Action::Send { flow, octets } => Item::Message { flow: flow + other, octets },
        Action::CloseFlow { flow } => Item::Finished { flow: flow + other },
        Action::RejectFlow { flow, code } => {
            assert_eq!(code, 0);
            Item::Rejected { flow: flow - own }
        }
        // What is queued here has its order already.
        Action::SetOrder { .. } => return,
        Action::CloseSession => Item::SessionClosed,
    });
}

fn next(queue: &mut VecDeque<Item>, seed: &mut Option<Seed>) -> Option<Item> {
    let Some(seed) = seed else { return queue.pop_front() };
    let picked = seed.below(queue.len() as u64) as usize;
    let lane = queue.get(picked)?.lane();
    // The end of the session overtakes nothing.
    let index = match lane.0 {
        2 => 0,
        _ => queue.iter().position(|item| item.lane() == lane)?,
    };
    queue.remove(index)
}
