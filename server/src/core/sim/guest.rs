//! A Flash client: RTMFP's initiator, a NetConnection on it, and what its SWF was told. And the way
//! between it and the shard, on which bits fall over and old datagrams come again.

use super::phone::datagram;
use super::sound_scenes::{Tape, Voice};
use super::wire::Packet;
use crate::legs::flash::Flows;
use base::Seed;
use rtmfp::crypto::{Group, Identity, Protection, epd};
use rtmfp::session::SessionEvent;
use rtmfp::{Command, Endpoint, Event, Job, JobDone, SessionId, Settings};
use rtmp::amf::Value;
use rtmp::connection::{Client, ClientEvent, ClientSettings};
use stand_in::Network;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Old datagrams that may come again.
const TAPE: usize = 32;

/// The network of Flash clients, and the thread that does their Diffie-Hellman.
pub struct FlashWay {
    pub network: Network<Packet>,
    /// Datagrams of which a broken copy comes too, and those after which an old one comes, per
    /// thousand.
    pub flips: u64,
    pub replays: u64,
    seed: Seed,
    tape: Vec<Packet>,
    agreed: BTreeMap<(Instant, u64), JobDone>,
    jobs: u64,
}

impl FlashWay {
    pub fn new(mut seed: Seed) -> FlashWay {
        FlashWay {
            network: Network::new(seed.fork()),
            flips: 0,
            replays: 0,
            seed,
            tape: Vec::new(),
            agreed: BTreeMap::new(),
            jobs: 0,
        }
    }

    fn strikes(&mut self, share: u64) -> bool {
        share > 0 && self.seed.below(1_000) < share
    }

    pub fn put(&mut self, now: Instant, packet: Packet) {
        if self.strikes(self.flips) && !packet.payload.is_empty() {
            let mut broken = packet.clone();
            let bit = self.seed.below(broken.payload.len() as u64 * 8) as usize;
            broken.payload[bit / 8] ^= 1 << (bit % 8);
            self.network.put(now, broken);
        }
        if self.replays > 0 {
            if self.strikes(self.replays)
                && let Some(old) = super::flash_plan::pick(&mut self.seed, &self.tape)
            {
                self.network.put(now, old);
            }
            if self.tape.len() == TAPE {
                self.tape.remove(0);
            }
            self.tape.push(packet.clone());
        }
        self.network.put(now, packet);
    }

    /// Does a job of the shard's; its result comes after a time.
    pub fn agree(&mut self, now: Instant, job: Job) {
        self.jobs += 1;
        let at = now + Duration::from_millis(1 + self.seed.below(40));
        self.agreed.insert((at, self.jobs), job.run());
    }

    pub fn take_agreed(&mut self, now: Instant) -> Option<JobDone> {
        let entry = self.agreed.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    pub fn next_at(&self) -> Option<Instant> {
        let agreed = self.agreed.keys().next().map(|key| key.0);
        self.network.next_at().into_iter().chain(agreed).min()
    }
}

/// One client. A client that comes back is another one at the same address.
pub struct Guest {
    pub address: SocketAddr,
    pub connection: Option<Client>,
    /// It has been let in.
    pub connected: bool,
    /// It hears and says nothing any more.
    pub vanished: bool,
    /// Its connection is over or was being closed by itself.
    pub closed: bool,
    pub registered: bool,
    /// States of its calls as they were told: name, words and reasons.
    pub calls: BTreeMap<String, Vec<(String, String)>>,
    /// What it was told of its calls' direct streams: call, whether sound goes there, the partner.
    pub direct: Vec<(String, bool, String)>,
    /// Whether it says at once that it hears whom it is introduced to.
    pub hears_peers: bool,
    /// Those that came in.
    pub incoming: BTreeSet<String>,
    pub streams: Vec<u32>,
    pub publishing: BTreeSet<u32>,
    pub refused: u64,
    pub spoken: u64,
    pub heard: u64,
    /// Times and payloads of what is heard, for whoever takes them out.
    pub heard_last: Option<(Instant, u32, Vec<u8>)>,
    /// Everything that it says and hears, where somebody wants to know.
    pub tape: Option<Tape>,
    /// How long 20 ms are by its clock.
    pub tick: Duration,
    /// The sound of a frame, by its number; tag included.
    pub voice: Voice,
    pub outbox: Vec<Packet>,
    endpoint: Endpoint,
    session: Option<SessionId>,
    flows: Flows,
    app: String,
    page: String,
    speak_at: Option<Instant>,
}

impl Guest {
    /// A client that sets out to connect.
    pub fn new(
        now: Instant,
        mut seed: Seed,
        address: SocketAddr,
        server: SocketAddr,
        (app, page): (&str, &str),
    ) -> Guest {
        let identity = Identity::ephemeral(&[Group::Modp1024], &mut seed).expect("an identity");
        let mut settings = Settings::client(address);
        if seed.below(3) > 0 {
            // As Flash Player is.
            settings.hmac = Protection::WhenAsked;
            settings.sequence = Protection::WhenAsked;
        }
        let mut guest = Guest {
            address,
            connection: None,
            connected: false,
            vanished: false,
            closed: false,
            registered: false,
            calls: BTreeMap::new(),
            direct: Vec::new(),
            hears_peers: false,
            incoming: BTreeSet::new(),
            streams: Vec::new(),
            publishing: BTreeSet::new(),
            refused: 0,
            spoken: 0,
            heard: 0,
            heard_last: None,
            tape: None,
            tick: Duration::from_millis(20),
            voice: |_| [&[0x82][..], &[0x55; 160]].concat(),
            outbox: Vec::new(),
            endpoint: Endpoint::new(settings, identity, seed.fork()),
            session: None,
            flows: Flows::default(),
            app: app.to_owned(),
            page: page.to_owned(),
            speak_at: None,
        };
        let discriminator = epd::for_uri(&format!("rtmfp://call.example/{app}"));
        guest.session = guest.endpoint.open(now, discriminator, &[server]).ok();
        guest.drain(now);
        guest
    }

    pub fn is_at(&self, address: SocketAddr) -> bool {
        !self.vanished && self.address == address
    }

    /// By which others find it.
    pub fn peer_id(&self) -> String {
        let octets = self.endpoint.identity().certificate().fingerprint();
        octets.iter().map(|octet| format!("{octet:02x}")).collect()
    }

    /// Whether it brings an account of its own.
    pub fn is_webphone(&self) -> bool {
        self.app.starts_with("webphone")
    }

    /// Whether it may have missed the end of a call.
    pub fn was_away(&self) -> bool {
        self.vanished || self.closed
    }

    /// How its calls ended, in the sentences for visitors.
    pub fn reasons_told(&self) -> impl Iterator<Item = &String> {
        let ends = self.calls.values().flatten().filter(|(state, _)| state == "ended");
        ends.map(|(_, reason)| reason)
    }

    /// A call that is in this state by what was told last.
    pub fn call_in(&self, state: &str) -> Option<String> {
        let mut calls = self.calls.iter().rev();
        let found = calls.find(|(_, told)| told.last().is_some_and(|(of, _)| of == state))?;
        Some(found.0.clone())
    }

    /// Does something to the connection, where it is up.
    pub fn act<T>(&mut self, now: Instant, act: impl FnOnce(&mut Client) -> T) -> Option<T> {
        let result = self.connection.as_mut().map(act);
        self.drain(now);
        result
    }

    pub fn say(&mut self, now: Instant, name: &str, arguments: &[(&str, Value)]) {
        let argument = Value::object(arguments.iter().cloned());
        self.act(now, |client| client.call(name, vec![argument]));
    }

    pub fn publish(&mut self, now: Instant, stream: u32, name: &str) {
        if self.closed {
            return;
        }
        self.publishing.insert(stream);
        self.speak_at = self.speak_at.filter(|at| *at > now).or(Some(now));
        self.act(now, |client| client.publish(stream, name));
    }

    pub fn stop(&mut self, now: Instant, stream: u32, delete: bool) {
        self.publishing.remove(&stream);
        if delete {
            self.streams.retain(|of| *of != stream);
            self.act(now, |client| client.delete_stream(stream));
        } else {
            self.act(now, |client| client.close_stream(stream));
        }
    }

    /// Goes: in order, by ending the session, or without a word.
    pub fn leave(&mut self, now: Instant, way: u64) {
        self.closed = true;
        match (way, self.session) {
            (0, _) => drop(self.act(now, |client| client.close(now))),
            (1, Some(session)) => {
                self.endpoint.command(now, Command::Close { session, orderly: true });
                self.drain(now);
            }
            _ => self.vanished = true,
        }
    }

    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.vanished {
            return None;
        }
        let connection = self.connection.as_ref().and_then(Client::poll_timeout);
        let speaks = self.connection.is_some() && !self.publishing.is_empty();
        let speak_at = self.speak_at.filter(|_| speaks);
        [self.endpoint.poll_timeout(), connection, speak_at].into_iter().flatten().min()
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if self.poll_timeout().is_none_or(|at| at > now) {
            return;
        }
        if self.endpoint.poll_timeout().is_some_and(|at| at <= now) {
            self.endpoint.handle_timeout(now);
        }
        if let Some(client) = &mut self.connection
            && client.poll_timeout().is_some_and(|at| at <= now)
        {
            client.handle_timeout(now);
        }
        self.speak(now);
        self.drain(now);
    }

    fn speak(&mut self, now: Instant) {
        let (Some(client), Some(session)) = (&self.connection, self.session) else { return };
        let mut buffer = [0; 600];
        while let Some(at) = self.speak_at.filter(|at| *at <= now && !self.publishing.is_empty()) {
            self.speak_at = Some(at + self.tick);
            let payload = (self.voice)(self.spoken);
            let time = (self.spoken * 20) as u32;
            self.tape.iter_mut().for_each(|tape| tape.said.push(now));
            self.spoken += 1;
            for stream in &self.publishing {
                if let Some(outgoing) = client.write_audio(*stream, time, &payload, &mut buffer) {
                    let message = &buffer[..outgoing.length];
                    self.flows.send_media(now, &mut self.endpoint, session, outgoing, message);
                }
            }
        }
    }

    pub fn receive(&mut self, now: Instant, packet: &Packet) {
        self.endpoint.handle_datagram(now, &datagram(packet));
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        loop {
            self.drain_connection(now);
            while let Some(job) = self.endpoint.poll_job() {
                self.endpoint.handle_job(now, job.run());
            }
            while let Some(transmit) = self.endpoint.poll_transmit() {
                let packet = Packet {
                    from: self.address,
                    to: transmit.remote,
                    payload: transmit.payload.to_vec(),
                };
                self.outbox.push(packet);
                self.endpoint.recycle(transmit.payload);
            }
            let Some(event) = self.endpoint.poll_event() else { break };
            self.handle_event(now, event);
        }
        if self.vanished {
            self.outbox.clear();
        }
    }

    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Opened { session, .. } => {
                self.session = Some(session);
                self.connection = Some(Client::new(
                    now,
                    ClientSettings {
                        app: self.app.clone(),
                        tc_url: format!("rtmfp://call.example/{}", self.app),
                        page_url: self.page.clone(),
                        ..ClientSettings::default()
                    },
                ));
            }
            Event::Session { event, .. } => self.handle_session_event(now, event),
            Event::Closed { .. } | Event::Failed { .. } => {
                self.closed = true;
                self.publishing.clear();
                if let Some(client) = &mut self.connection {
                    client.handle_session_closed();
                }
            }
        }
    }

    fn handle_session_event(&mut self, now: Instant, event: SessionEvent) {
        let Some(client) = &mut self.connection else { return };
        match event {
            SessionEvent::Message { flow, octets, .. } => {
                if let Some(media) = client.handle_message(now, flow.0, &octets) {
                    self.heard += 1;
                    if let Some(tape) = &mut self.tape {
                        tape.heard.push((now, media.payload.to_vec()));
                    }
                    self.heard_last = Some((now, media.timestamp, media.payload.to_vec()));
                }
            }
            SessionEvent::FlowOpened { flow, metadata, return_of } => {
                let answers = return_of.and_then(|flow| self.flows.number(flow));
                client.handle_flow_opened(flow.0, &metadata, answers);
            }
            SessionEvent::FlowFinished { flow } | SessionEvent::FlowFailed { flow } => {
                client.handle_flow_finished(now, flow.0);
            }
            SessionEvent::FlowRejected { flow, .. } => {
                if let Some(number) = self.flows.number(flow) {
                    client.handle_flow_rejected(number);
                    self.flows.forget(flow);
                }
            }
            SessionEvent::FlowDelivered { flow } => self.flows.forget(flow),
            _ => {}
        }
    }

    fn drain_connection(&mut self, now: Instant) {
        while let (Some(client), Some(session)) = (&mut self.connection, self.session) {
            if let Some(action) = client.poll_action() {
                // A session that is over takes nothing any more.
                let _ = self.flows.carry(now, &mut self.endpoint, session, action);
            } else if let Some(event) = client.poll_event() {
                self.told(event);
            } else {
                break;
            }
        }
    }

    fn told(&mut self, event: ClientEvent) {
        match event {
            ClientEvent::Connected(_) => self.connected = true,
            ClientEvent::Refused(_) | ClientEvent::Closed(_) => self.closed = true,
            ClientEvent::StreamCreated { stream } => self.streams.push(stream),
            ClientEvent::Answered { outcome: Err(_), .. } => self.refused += 1,
            ClientEvent::Answered { outcome: Ok(value), .. } => {
                if let Some(name) = value.find("callId").and_then(Value::as_str) {
                    self.calls.entry(name.to_owned()).or_default();
                }
            }
            ClientEvent::Called { name, arguments } => {
                let about = arguments.first().cloned().unwrap_or_default();
                let text = |key| about.find(key).and_then(Value::as_str).unwrap_or("").to_owned();
                if name == "onRegState" {
                    self.registered =
                        about.find("registered").and_then(Value::as_bool) == Some(true);
                    return;
                }
                if let Some(on) = about.find("direct").and_then(Value::as_bool) {
                    let told = self.calls.get(&text("callId")).and_then(|told| told.last());
                    let state = told.map(|(state, _)| state.clone());
                    assert_eq!(state, Some(text("state")), "a word of streams changes no state");
                    self.direct.push((text("callId"), on, text("farId")));
                    if self.hears_peers
                        && about.find("farId").is_some()
                        && let Some(client) = &mut self.connection
                    {
                        let heard =
                            [("callId", text("callId").as_str().into()), ("on", true.into())];
                        client.call("direct", vec![Value::object(heard)]);
                    }
                    return;
                }
                if name == "onIncomingCall" {
                    self.incoming.insert(text("callId"));
                }
                let states = self.calls.entry(text("callId")).or_default();
                let over = states.iter().any(|(state, _)| state == "ended");
                assert!(!over, "told after the end: {about:?} {states:?}");
                states.push((text("state"), text("reason")));
            }
            _ => {}
        }
    }
}
