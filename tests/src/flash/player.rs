//! The client itself: the machines of the initiator's side, joined as Flash Player joins them.

mod talks;

use super::direct::Directs;
use super::seen::{CallInfo, RegInfo, Status, status, text};
use super::voice::{Microphone, Speaker};
use super::wire::{Tape, Wire};
use super::{Answer, FlashSettings, Habit, Shared};
use crate::look::beat;
use base::{Datagram, Protocol, Seed};
use click2call::legs::flash::Flows;
use rtmfp::crypto::{Group, Identity, Protection, epd};
use rtmfp::session::SessionEvent;
use rtmfp::{Command, Endpoint, Event, SessionId, Settings};
use rtmp::amf::Value;
use rtmp::connection::{Action, Client, ClientEvent, ClientSettings, MediaKind};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// How soon an order is seen to, by a client that waits for datagrams.
const ORDERS_EVERY: Duration = Duration::from_millis(4);
/// How long a client that leaves waits for the other end.
const LEAVE_WITHIN: Duration = Duration::from_secs(3);

/// What a scenario tells its client to do.
pub(super) enum Order {
    Command { name: String, argument: Value, reply: mpsc::Sender<Answer> },
    Say(Option<f32>),
    Mute(bool),
    Block(bool),
    Leave,
    Vanish,
}

/// What a stream that was asked for is to be.
#[derive(Clone, Debug)]
enum Purpose {
    Publish(String),
    Play(String),
}

/// The streams of one call.
#[derive(Debug)]
struct Talk {
    call: String,
    up: Option<u32>,
    down: Option<u32>,
}

/// A command that waits for its answer.
struct Asked {
    transaction: f64,
    name: String,
    /// The call that it is about.
    call: Option<String>,
    reply: mpsc::Sender<Answer>,
}

pub(super) struct Player {
    settings: FlashSettings,
    wire: Wire,
    server: SocketAddr,
    endpoint: Endpoint,
    session: Option<SessionId>,
    connection: Option<Client>,
    flows: Flows,
    orders: mpsc::Receiver<Order>,
    asked: Vec<Asked>,
    wanted: VecDeque<Purpose>,
    talks: Vec<Talk>,
    microphone: Microphone,
    speaker: Speaker,
    directs: Directs,
    /// For the partner's direct stream.
    near_speaker: Speaker,
    muted: bool,
    leaving_until: Option<Instant>,
    over: bool,
    shared: Arc<Shared>,
    buffer: Vec<u8>,
    scratch: Vec<u8>,
}

pub(super) fn endpoint(settings: &FlashSettings, local: SocketAddr, seed: &mut Seed) -> Endpoint {
    let player = |groups: &[Group], seed: &mut Seed| {
        let identity = Identity::with_static_keys(groups, false, seed).unwrap();
        let offered = Protection::WhenAsked;
        (identity, Settings { hmac: offered, sequence: offered, ..Settings::client(local) })
    };
    let (identity, settings) = match &settings.habit {
        Habit::Player => player(&[Group::Modp1024], seed),
        Habit::PlayerWith(group) => player(&[*group], seed),
        Habit::Modern(groups) => {
            (Identity::ephemeral(groups, seed).unwrap(), Settings::client(local))
        }
    };
    Endpoint::new(settings, identity, seed.fork())
}

impl Player {
    pub fn new(
        server: SocketAddr,
        settings: FlashSettings,
        orders: mpsc::Receiver<Order>,
        shared: Arc<Shared>,
    ) -> Player {
        let mut seed = Seed::from_number(settings.seed ^ u64::from(std::process::id()) << 32);
        let (loss, taped) = (settings.loss, settings.taped);
        let wire = Wire::open(settings.from, server, loss, seed.fork(), taped);
        // Certificates are random by the address too: no two clients of a process are the same.
        let mut seed = Seed::from_number(seed.u64() ^ u64::from(wire.local().port()));
        let mut endpoint = endpoint(&settings, wire.local(), &mut seed);
        let discriminator = epd::for_uri(&url(server, &settings));
        endpoint.open(Instant::now(), discriminator, &[server]).unwrap();
        let microphone = Microphone::new(settings.codec, settings.frames, settings.tone);
        Player {
            settings,
            wire,
            server,
            endpoint,
            session: None,
            connection: None,
            flows: Flows::default(),
            orders,
            asked: Vec::new(),
            wanted: VecDeque::new(),
            talks: Vec::new(),
            microphone,
            speaker: Speaker::default(),
            directs: Directs::default(),
            near_speaker: Speaker::default(),
            muted: false,
            leaving_until: None,
            over: false,
            shared,
            buffer: vec![0; 4_096],
            scratch: vec![0; 4_096],
        }
    }

    pub fn local(&self) -> SocketAddr {
        self.wire.local()
    }

    pub fn tape(&self) -> Option<Tape> {
        self.wire.tape()
    }

    /// Lives on the calling thread, which each datagram wakes.
    pub fn run(mut self) {
        while !self.over {
            let now = Instant::now();
            self.turn(now);
            let mut patience = ORDERS_EVERY;
            for at in self.deadlines().into_iter().flatten() {
                patience = patience.min(at.saturating_duration_since(now));
            }
            let mut buffer = std::mem::take(&mut self.buffer);
            if let Some((length, from)) = self.wire.receive(Some(patience), &mut buffer) {
                self.handle_datagram(Instant::now(), from, &buffer[..length]);
            }
            self.buffer = buffer;
        }
        self.shared.update(|seen| seen.over = true);
    }

    /// Lives with others on one thread that looks at all sockets on the beat.
    pub async fn run_on_beat(mut self) {
        while !self.over {
            self.turn(Instant::now());
            beat().await;
        }
        self.shared.update(|seen| seen.over = true);
    }

    fn deadlines(&self) -> [Option<Instant>; 4] {
        let connection = self.connection.as_ref().and_then(Client::poll_timeout);
        let direct = self.directs.wake_at();
        [self.endpoint.poll_timeout(), connection, self.microphone.wake_at(), direct]
    }

    /// Everything that is to be done now.
    pub fn turn(&mut self, now: Instant) {
        let mut buffer = std::mem::take(&mut self.buffer);
        while let Some((length, from)) = self.wire.receive(None, &mut buffer) {
            self.handle_datagram(now, from, &buffer[..length]);
        }
        self.buffer = buffer;
        while let Ok(order) = self.orders.try_recv() {
            self.obey(now, order);
            if self.over {
                return;
            }
        }
        if self.endpoint.poll_timeout().is_some_and(|at| at <= now) {
            self.endpoint.handle_timeout(now);
        }
        if let Some(connection) = &mut self.connection
            && connection.poll_timeout().is_some_and(|at| at <= now)
        {
            connection.handle_timeout(now);
        }
        self.speak(now);
        if let Some((call, on)) = self.directs.turn(now, &mut self.endpoint)
            && let Some(connection) = &mut self.connection
        {
            let argument = [("callId", call.into()), ("on", on.into())];
            connection.call("direct", vec![Value::object(argument)]);
        }
        self.drain(now);
        let gone = self.leaving_until.is_some_and(|at| at <= now || self.endpoint.sessions() == 0);
        self.over |= gone;
    }

    fn handle_datagram(&mut self, now: Instant, remote: SocketAddr, payload: &[u8]) {
        let local = self.wire.local();
        let datagram = Datagram { protocol: Protocol::Udp, local, remote, payload };
        self.endpoint.handle_datagram(now, &datagram);
        self.drain(now);
    }

    fn obey(&mut self, now: Instant, order: Order) {
        match order {
            Order::Command { name, argument, reply } => {
                let call = argument.find("callId").and_then(Value::as_str).map(str::to_owned);
                let transaction =
                    self.connection.as_mut().and_then(|c| c.call(&name, vec![argument]));
                match transaction {
                    Some(transaction) => self.asked.push(Asked { transaction, name, call, reply }),
                    None => drop(reply.send(Err(("not connected".into(), String::new())))),
                }
            }
            Order::Say(tone) => self.microphone.say(tone),
            Order::Mute(muted) => {
                self.muted = muted;
                if muted {
                    // Flash Player sends one message without sound and then nothing.
                    self.send_sound(now, 0, &[]);
                }
            }
            Order::Block(blocked) => self.wire.open = !blocked,
            Order::Leave => {
                if let Some(connection) = &mut self.connection {
                    connection.close(now);
                }
                self.leaving_until = Some(now + LEAVE_WITHIN);
            }
            Order::Vanish => self.over = true,
        }
    }

    fn drain(&mut self, now: Instant) {
        loop {
            while let Some(job) = self.endpoint.poll_job() {
                self.endpoint.handle_job(now, job.run());
            }
            self.carry(now);
            if let Some(event) = self.connection.as_mut().and_then(Client::poll_event) {
                self.handle_client_event(event);
            } else if let Some(event) = self.endpoint.poll_event() {
                self.handle_event(now, event);
            } else {
                break;
            }
        }
        while let Some(transmit) = self.endpoint.poll_transmit() {
            self.wire.send(transmit.remote, &transmit.payload);
            self.endpoint.recycle(transmit.payload);
        }
    }

    /// Does what the connection wants of its session.
    fn carry(&mut self, now: Instant) {
        let (Some(connection), Some(session)) = (&mut self.connection, self.session) else {
            return;
        };
        while let Some(action) = connection.poll_action() {
            let last = action == Action::CloseSession;
            let carried = self.flows.carry(now, &mut self.endpoint, session, action);
            if let (Err(error), false) = (carried, last) {
                self.shared.update(|seen| seen.closed = Some(format!("a flow fails: {error}")));
                self.endpoint.command(now, Command::Close { session, orderly: false });
            }
        }
    }

    fn handle_event(&mut self, now: Instant, event: Event) {
        let own = match &event {
            Event::Opened { session, .. }
            | Event::Failed { session, .. }
            | Event::Session { session, .. }
            | Event::Closed { session, .. } => self.session.is_none_or(|own| own == *session),
        };
        if !own {
            if let Some(payload) = self.directs.handle_event(now, event)
                && self.directs.is_on()
                && let Some((codec, pcm)) = self.near_speaker.play(&payload, self.settings.listens)
            {
                self.shared.update(|seen| {
                    seen.direct += 1;
                    seen.hear(now, 0, codec, &pcm);
                });
            }
            return;
        }
        match event {
            Event::Opened { session, legacy, .. } => {
                self.session = Some(session);
                self.shared.update(|seen| seen.opened = Some((now, legacy)));
                let settings = ClientSettings {
                    app: self.settings.app.clone(),
                    tc_url: url(self.server, &self.settings),
                    page_url: self.settings.page_url.clone(),
                    swf_url: format!("http://{}/api/webphone.swf", self.server.ip()),
                    object_encoding: self.settings.object_encoding,
                    zero_transactions: self.settings.zero_transactions,
                    ..ClientSettings::default()
                };
                self.connection = Some(Client::new(now, settings));
            }
            Event::Failed { cause, .. } => self.close(format!("no session: {cause:?}")),
            Event::Closed { cause, .. } => {
                if let Some(connection) = &mut self.connection {
                    connection.handle_session_closed();
                }
                self.close(format!("the session is over: {cause:?}"));
            }
            Event::Session { session, event } => self.handle_session_event(now, session, event),
        }
    }

    fn handle_session_event(&mut self, now: Instant, session: SessionId, event: SessionEvent) {
        let Some(connection) = &mut self.connection else { return };
        match event {
            SessionEvent::Message { flow, octets, .. } => {
                if let Some(media) = connection.handle_message(now, flow.0, &octets)
                    && media.kind == MediaKind::Audio
                {
                    let listens = self.settings.listens;
                    let played = self.speaker.play(media.payload, listens);
                    let on = self.directs.is_on();
                    self.shared.update(|seen| {
                        seen.bridged += 1;
                        if let (Some((codec, pcm)), false) = (played, on) {
                            seen.hear(now, media.timestamp, codec, &pcm);
                        }
                    });
                }
                self.endpoint.recycle_message(session, octets);
            }
            SessionEvent::FlowOpened { flow, metadata, return_of } => {
                let answers = return_of.and_then(|flow| self.flows.number(flow));
                connection.handle_flow_opened(flow.0, &metadata, answers);
            }
            SessionEvent::FlowFinished { flow } | SessionEvent::FlowFailed { flow } => {
                connection.handle_flow_finished(now, flow.0);
            }
            SessionEvent::FlowRejected { flow, .. } => {
                if let Some(number) = self.flows.number(flow) {
                    connection.handle_flow_rejected(number);
                    self.flows.forget(flow);
                }
            }
            SessionEvent::FlowDelivered { flow } => self.flows.forget(flow),
            _ => {}
        }
    }

    fn close(&mut self, words: String) {
        // Whoever waits for an answer waits no more.
        self.asked.clear();
        self.microphone.close();
        self.shared.update(|seen| {
            seen.closed.get_or_insert(words);
        });
    }

    fn handle_client_event(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Connected(_) => {
                self.shared.update(|seen| seen.connected_at = Some(Instant::now()));
            }
            ClientEvent::Refused(info) => {
                self.shared.update(|seen| seen.refused = Some(status(0, &info)));
            }
            ClientEvent::StreamCreated { stream } => self.use_stream(stream),
            ClientEvent::Answered { transaction, outcome } => self.answered(transaction, outcome),
            ClientEvent::Status { stream, info } => {
                let status = status(stream, &info);
                if status.code == "NetStream.Publish.Start" {
                    self.microphone.open(Instant::now());
                }
                self.shared.update(|seen| seen.statuses.push(status));
            }
            ClientEvent::Called { name, arguments } => self.called(name, &arguments),
            ClientEvent::Closed(cause) => self.close(format!("the connection is over: {cause:?}")),
            ClientEvent::FlowRejected { stream } => {
                let code = "a flow of the stream is rejected".to_owned();
                let status =
                    Status { stream, level: String::new(), code, description: String::new() };
                self.shared.update(|seen| seen.statuses.push(status));
            }
            ClientEvent::UserControl(_) | ClientEvent::Data { .. } => {}
        }
    }

    fn answered(&mut self, transaction: f64, outcome: Result<Value, Value>) {
        let Some(place) = self.asked.iter().position(|one| one.transaction == transaction) else {
            return;
        };
        let Asked { name, call, reply, .. } = self.asked.swap_remove(place);
        let call = match (&outcome, name.as_str()) {
            (Ok(result), "call") => {
                result.find("callId").and_then(Value::as_str).map(str::to_owned)
            }
            (Ok(_), "answer") => call,
            _ => None,
        };
        if let Some(call) = call.filter(|_| self.settings.streams) {
            self.begin(call);
        }
        let refused = |info: Value| (text(&info, "code"), text(&info, "description"));
        // A scenario that waits no more has failed already.
        let _ = reply.send(outcome.map_err(refused));
    }

    fn called(&mut self, function: String, arguments: &[Value]) {
        let Some(info) = arguments.first() else { return };
        if function == "onRegState" {
            let info = RegInfo::read(info);
            return self.shared.update(|seen| seen.registrations.push(info));
        }
        let step = CallInfo::read(function, info);
        if step.state == "ended" {
            self.directs.forget(&step.call, &mut self.endpoint, Instant::now());
            self.end(&step.call);
        } else if self.settings.direct {
            self.directs.told(Instant::now(), info, self.server, &mut self.endpoint);
        }
        self.shared.update(|seen| seen.steps.push(step));
    }
}

fn url(server: SocketAddr, settings: &FlashSettings) -> String {
    format!("rtmfp://{server}/{}", settings.app)
}
