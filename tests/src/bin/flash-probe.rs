//! A Flash client for developers: what it sees at a server and whether its sound comes back.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use audio::{Encoder, MAX_ENCODED, Rate};
use base::{Codec, Datagram, Protocol, Seed};
use click2call::legs::flash::{Flows, tag};
use rtmfp::crypto::{Group, Identity, Protection, epd};
use rtmfp::session::SessionEvent;
use rtmfp::{Endpoint, Event, SessionId, Settings};
use rtmp::amf::Value;
use rtmp::connection::{Client, ClientEvent, ClientSettings, MediaKind};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::ExitCode;
use std::time::{Duration, Instant};

const HELP: &str = "\
Connects to an RTMFP server as Flash clients do, sends noise, and counts what comes back unchanged.

Usage: flash-probe ADDRESS:PORT/APP [options]

  --call           calls the button APP first; publishes and plays that call
  --stream NAME    what to publish and to play (probe)
  --group N        Diffie-Hellman group: 2, 5, 14 or 16 (2)
  --ephemeral      a key made anew instead of one in the certificate
  --protect HOW    HMAC and sequence numbers: never, offered, wanted or required (offered)
  --codec NAME     speex16, pcmu or pcma (pcmu)
  --seconds N      how long it talks (5)
  --page URL       the page that it claims to stand in (none)

Exit status: 0 when all sound that was sent came back, 1 otherwise, 2 bad arguments.";

/// Sound in one message.
const FRAME: Duration = Duration::from_millis(20);
/// What was sent may come back for so long after the last message.
const LINGERS: Duration = Duration::from_secs(1);
/// Nothing takes longer than this besides the talk.
const PATIENCE: Duration = Duration::from_secs(15);

struct Wish {
    server: SocketAddr,
    app: String,
    call: bool,
    stream: String,
    group: Group,
    ephemeral: bool,
    protection: Protection,
    codec: Codec,
    talks: Duration,
    page: String,
}

fn main() -> ExitCode {
    match wish(std::env::args().skip(1)) {
        Ok(wish) => ExitCode::from(u8::from(!Probe::new(wish).run())),
        Err(words) => {
            println!("{words}{HELP}");
            ExitCode::from(if words.is_empty() { 0 } else { 2 })
        }
    }
}

fn wish(mut arguments: impl Iterator<Item = String>) -> Result<Wish, String> {
    let mut wish = Wish {
        server: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        app: String::new(),
        call: false,
        stream: "probe".into(),
        group: Group::Modp1024,
        ephemeral: false,
        protection: Protection::WhenAsked,
        codec: Codec::Pcmu,
        talks: Duration::from_secs(5),
        page: String::new(),
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_default();
        let bad = |value: &str| format!("{argument} does not take \"{value}\"\n\n");
        match argument.as_str() {
            "--call" => wish.call = true,
            "--ephemeral" => wish.ephemeral = true,
            "--stream" => wish.stream = value(),
            "--page" => wish.page = value(),
            "--seconds" => {
                let value = value();
                wish.talks = Duration::from_secs(value.parse().map_err(|_| bad(&value))?);
            }
            "--group" => {
                let value = value();
                let found = Group::ALL.into_iter().find(|group| group.id().to_string() == value);
                wish.group = found.ok_or_else(|| bad(&value))?;
            }
            "--codec" => {
                let value = value();
                let codecs = click2call::legs::flash::CODECS;
                let found = codecs.into_iter().find(|codec| codec.key() == value);
                wish.codec = found.ok_or_else(|| bad(&value))?;
            }
            "--protect" => {
                let value = value();
                wish.protection = match value.as_str() {
                    "never" => Protection::Never,
                    "offered" => Protection::WhenAsked,
                    "wanted" => Protection::Wanted,
                    "required" => Protection::Required,
                    _ => return Err(bad(&value)),
                };
            }
            "--help" | "-h" => return Err(String::new()),
            url => {
                let url = url.trim_start_matches("rtmfp://");
                let (server, app) = url.split_once('/').unwrap_or((url, ""));
                wish.server = server.parse().map_err(|_| format!("no address in \"{url}\"\n\n"))?;
                wish.app = app.to_owned();
            }
        }
    }
    if wish.server.port() == 0 { Err(String::new()) } else { Ok(wish) }
}

/// What was sent and what became of it.
#[derive(Default)]
struct Tally {
    sent: HashMap<Vec<u8>, Instant>,
    count: u32,
    back: u32,
    foreign: u32,
    ages: Duration,
    oldest: Duration,
    last_time: Option<u32>,
    times_back: u32,
}

struct Probe {
    wish: Wish,
    socket: UdpSocket,
    local: SocketAddr,
    endpoint: Endpoint,
    session: Option<SessionId>,
    client: Option<Client>,
    flows: Flows,
    seed: Seed,
    encoder: Encoder,
    streams: Vec<u32>,
    published: bool,
    playing: bool,
    answered: bool,
    talks_from: Option<Instant>,
    next_at: Option<Instant>,
    tally: Tally,
    over: bool,
}

impl Probe {
    fn new(wish: Wish) -> Probe {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let local = socket.local_addr().unwrap();
        let clock = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let mut seed = Seed::from_number(clock.as_nanos() as u64);
        let identity = if wish.ephemeral {
            Identity::ephemeral(&[wish.group], &mut seed)
        } else {
            Identity::with_static_keys(&[wish.group], false, &mut seed)
        };
        let (hmac, sequence) = (wish.protection, wish.protection);
        let settings = Settings { hmac, sequence, ..Settings::client(local) };
        let mut endpoint = Endpoint::new(settings, identity.unwrap(), seed.fork());
        let discriminator = epd::for_uri(&format!("rtmfp://{}/{}", wish.server, wish.app));
        endpoint.open(Instant::now(), discriminator, &[wish.server]).unwrap();
        let encoder = Encoder::new(wish.codec, Rate::Narrow).unwrap();
        Probe {
            wish,
            socket,
            local,
            endpoint,
            session: None,
            client: None,
            flows: Flows::default(),
            seed,
            encoder,
            streams: Vec::new(),
            published: false,
            playing: false,
            answered: false,
            talks_from: None,
            next_at: None,
            tally: Tally::default(),
            over: false,
        }
    }

    /// True when all came back.
    fn run(mut self) -> bool {
        let begun = Instant::now();
        let mut buffer = vec![0; 4_096];
        let mut leaves_at = begun + PATIENCE;
        let mut leaving = false;
        while !self.over {
            self.drain(Instant::now());
            let connection = self.client.as_ref().and_then(Client::poll_timeout);
            let wakes = [self.endpoint.poll_timeout(), connection, self.next_at, Some(leaves_at)];
            let patience = wakes.into_iter().flatten().min().map(|at| at - Instant::now().min(at));
            // Zero would mean for ever.
            let patience = patience.unwrap_or_default().max(Duration::from_micros(200));
            self.socket.set_read_timeout(Some(patience)).unwrap();
            if let Ok((length, remote)) = self.socket.recv_from(&mut buffer) {
                let (local, payload) = (self.local, &buffer[..length]);
                let datagram = Datagram { protocol: Protocol::Udp, local, remote, payload };
                self.endpoint.handle_datagram(Instant::now(), &datagram);
            }
            let now = Instant::now();
            self.endpoint.handle_timeout(now);
            if let Some(client) = &mut self.client {
                client.handle_timeout(now);
            }
            self.talk(now);
            if let (Some(from), false) = (self.talks_from, leaving) {
                leaves_at = from + self.wish.talks + LINGERS;
            }
            if now >= leaves_at {
                self.over = leaving || self.client.is_none();
                if self.session.is_none() {
                    println!("nobody answers well enough: {:?}", self.endpoint.counters());
                }
                leaves_at = now + Duration::from_secs(2);
                leaving = true;
                self.client.iter_mut().for_each(|client| client.close(now));
            }
        }
        self.report()
    }

    fn report(&self) -> bool {
        let Tally { count, back, foreign, ages, oldest, times_back, .. } = &self.tally;
        let mean = ages.checked_div(*back).unwrap_or_default();
        println!("{count} messages sent, {back} came back unchanged, {foreign} others came");
        println!("age {mean:.1?}, at most {oldest:.1?}; times ran back {times_back} times");
        *count > 0 && back == count
    }

    fn drain(&mut self, now: Instant) {
        loop {
            while let Some(job) = self.endpoint.poll_job() {
                self.endpoint.handle_job(now, job.run());
            }
            if let (Some(client), Some(session)) = (&mut self.client, self.session) {
                while let Some(action) = client.poll_action() {
                    if let Err(error) = self.flows.carry(now, &mut self.endpoint, session, action) {
                        println!("a flow fails: {error}");
                    }
                }
            }
            if let Some(event) = self.client.as_mut().and_then(Client::poll_event) {
                self.handle_client_event(now, event);
            } else if let Some(event) = self.endpoint.poll_event() {
                self.handle_event(now, event);
            } else {
                break;
            }
        }
        while let Some(transmit) = self.endpoint.poll_transmit() {
            // What does not go is as good as lost.
            let _ = self.socket.send_to(&transmit.payload, transmit.remote);
            self.endpoint.recycle(transmit.payload);
        }
    }

    fn handle_event(&mut self, now: Instant, event: Event) {
        match event {
            Event::Opened { session, legacy, remote, certificate, .. } => {
                let groups: Vec<_> = certificate.groups().map(Group::id).collect();
                let remote = remote.reveal();
                println!("open at {remote}, its groups {groups:?}, without HMAC: {legacy}");
                self.session = Some(session);
                let settings = ClientSettings {
                    app: self.wish.app.clone(),
                    tc_url: format!("rtmfp://{}/{}", self.wish.server, self.wish.app),
                    page_url: self.wish.page.clone(),
                    object_encoding: 0,
                    ..ClientSettings::default()
                };
                self.client = Some(Client::new(now, settings));
            }
            Event::Failed { cause, .. } => {
                println!("does not open: {cause:?}");
                self.over = true;
            }
            Event::Closed { cause, .. } => {
                println!("the session is over: {cause:?}");
                self.over = true;
            }
            Event::Session { session, event } => self.handle_session_event(now, session, event),
        }
    }

    fn handle_session_event(&mut self, now: Instant, session: SessionId, event: SessionEvent) {
        let Some(client) = &mut self.client else { return };
        match event {
            SessionEvent::Message { flow, octets, .. } => {
                let media = client.handle_message(now, flow.0, &octets);
                if let Some(media) = media.filter(|media| media.kind == MediaKind::Audio) {
                    self.tally.take(now, media.timestamp, media.payload);
                }
                self.endpoint.recycle_message(session, octets);
            }
            SessionEvent::FlowOpened { flow, metadata, return_of } => {
                let answers = return_of.and_then(|flow| self.flows.number(flow));
                client.handle_flow_opened(flow.0, &metadata, answers);
            }
            SessionEvent::FlowFinished { flow } | SessionEvent::FlowFailed { flow } => {
                client.handle_flow_finished(now, flow.0);
            }
            SessionEvent::FlowRejected { flow, code } => {
                println!("a flow is rejected, code {code}");
                if let Some(number) = self.flows.number(flow) {
                    client.handle_flow_rejected(number);
                    self.flows.forget(flow);
                }
            }
            SessionEvent::FlowDelivered { flow } => self.flows.forget(flow),
            _ => {}
        }
    }

    fn handle_client_event(&mut self, now: Instant, event: ClientEvent) {
        let Some(client) = &mut self.client else { return };
        match event {
            ClientEvent::Connected(info) => {
                println!("connected: {}", text(&info, "code"));
                if self.wish.call {
                    client.call("call", vec![Value::object([("video", false.into())])]);
                } else {
                    two_streams(client);
                }
            }
            ClientEvent::Refused(info) => {
                println!("refused: {} {}", text(&info, "code"), text(&info, "description"));
            }
            ClientEvent::Answered { outcome: Ok(result), .. } => {
                self.wish.stream = text(&result, "callId");
                println!("call {}", self.wish.stream);
                two_streams(client);
            }
            ClientEvent::Answered { outcome: Err(info), .. } => {
                println!("no call: {} {}", text(&info, "code"), text(&info, "description"));
            }
            ClientEvent::StreamCreated { stream } => {
                if self.streams.is_empty() {
                    client.publish(stream, &self.wish.stream);
                }
                self.streams.push(stream);
                self.play();
            }
            ClientEvent::Status { stream, info } => {
                let code = text(&info, "code");
                println!("stream {stream}: {code}");
                self.published |= code == "NetStream.Publish.Start";
                self.playing |= code == "NetStream.Play.Start";
                if code == "NetStream.Publish.Start" {
                    self.play();
                }
                self.begin(now);
            }
            ClientEvent::Called { name, arguments } => {
                let state = arguments.first().map(|info| text(info, "state")).unwrap_or_default();
                println!("{name} {state}");
                self.answered |= state == "active";
                self.begin(now);
            }
            ClientEvent::Closed(cause) => println!("the connection is over: {cause:?}"),
            other => println!("{other:?}"),
        }
    }

    /// Plays what it publishes, once it publishes and has a second stream.
    fn play(&mut self) {
        if let (Some(client), [_, plays], true) =
            (&mut self.client, self.streams.as_slice(), self.published)
        {
            client.play(*plays, &self.wish.stream);
        }
    }

    /// Talks, once it would be heard.
    fn begin(&mut self, now: Instant) {
        let ready = self.playing && (self.answered || !self.wish.call);
        if ready && self.talks_from.is_none() {
            self.talks_from = Some(now);
            self.next_at = Some(now + FRAME);
        }
    }

    fn talk(&mut self, now: Instant) {
        let Some(from) = self.talks_from else { return };
        while let Some(at) = self.next_at.filter(|at| *at <= now) {
            self.next_at = Some(at + FRAME).filter(|next| *next < from + self.wish.talks);
            let time = (at - from).as_millis() as u32;
            let pcm: Vec<_> = (0..160).map(|_| self.seed.u32() as i16 / 4).collect();
            let mut sound = [0; MAX_ENCODED];
            let length = self.encoder.encode(&pcm, &mut sound).unwrap();
            let payload = [&[tag(self.wish.codec).unwrap()][..], &sound[..length]].concat();
            self.send(now, time, payload);
        }
    }

    fn send(&mut self, now: Instant, time: u32, payload: Vec<u8>) {
        let (Some(client), Some(session)) = (&mut self.client, self.session) else { return };
        let Some(publishes) = self.streams.first() else { return };
        let mut message = [0; 1_024];
        let written = client.write_audio(*publishes, time, &payload, &mut message);
        let Some(outgoing) = written else { return };
        let message = &message[..outgoing.length];
        if self.flows.send_media(now, &mut self.endpoint, session, outgoing, message) {
            self.tally.count += 1;
            self.tally.sent.insert(payload, now);
        }
    }
}

impl Tally {
    fn take(&mut self, now: Instant, time: u32, payload: &[u8]) {
        match self.sent.remove(payload) {
            Some(sent_at) => {
                self.back += 1;
                self.ages += now - sent_at;
                self.oldest = self.oldest.max(now - sent_at);
            }
            None => self.foreign += 1,
        }
        self.times_back += u32::from(self.last_time.is_some_and(|last| time < last));
        self.last_time = Some(time);
    }
}

/// One to publish, one to play.
fn two_streams(client: &mut Client) {
    for _ in 0..2 {
        client.create_stream();
    }
}

fn text(info: &Value, name: &str) -> String {
    info.find(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}
