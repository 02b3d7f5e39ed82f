//! The client's direct streams: RTMFP sessions with other clients, and what its SWF does with them.
//!
//! ```text
//!   the appliance: farId, farCallId --> session with the peer --> play its stream, let it play ours
//!   data `beat` of the peer's stream comes --> `direct {on: true}`;  it stays out --> `{on: false}`
//! ```

use click2call::legs::flash::Flows;
use rtmfp::crypto::epd;
use rtmfp::session::SessionEvent;
use rtmfp::{Command, Endpoint, Event, SessionId};
use rtmp::amf::Value;
use rtmp::command::Data;
use rtmp::connection::{PeerEvent, Publisher, Subscriber};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How often a stream says that it is alive, and after how long without that it is not. The SWF has
/// the same times.
const BEAT_EVERY: Duration = Duration::from_millis(500);
const DEAD_AFTER: Duration = Duration::from_millis(2_500);
/// This end's number for the stream that it plays.
const STREAM: u32 = 1;

/// A session with another client, and a stream each way.
struct Peer {
    session: SessionId,
    id: String,
    down: Option<(Subscriber, Flows)>,
    up: Option<(Publisher, Flows)>,
    /// The stream that the peer wants to play and that is not there yet.
    asked: Option<String>,
}

/// The partner that the appliance has told of.
struct Partner {
    call: String,
    id: String,
    far_call: String,
    /// Sound goes directly.
    on: bool,
    beaten_at: Option<Instant>,
    /// What the appliance was told last.
    told: Option<bool>,
}

/// All of it.
#[derive(Default)]
pub(super) struct Directs {
    peers: Vec<Peer>,
    partner: Option<Partner>,
    beat_at: Option<Instant>,
}

impl Directs {
    /// Whether sound goes directly.
    pub fn is_on(&self) -> bool {
        self.partner.as_ref().is_some_and(|partner| partner.on)
    }

    /// `onCallState` of a call has said something of its direct stream.
    pub fn told(
        &mut self,
        now: Instant,
        info: &Value,
        server: SocketAddr,
        endpoint: &mut Endpoint,
    ) {
        let Some(on) = info.find("direct").and_then(Value::as_bool) else { return };
        let text = |name| super::seen::text(info, name);
        let (call, id, far_call) = (text("callId"), text("farId"), text("farCallId"));
        if id.is_empty() {
            return self.forget(&call, endpoint, now);
        }
        let same = |partner: &&mut Partner| partner.call == call && partner.id == id;
        if let Some(partner) = self.partner.as_mut().filter(same) {
            partner.on = on;
            return;
        }
        if !self.peers.iter().any(|peer| peer.id == id) {
            let fingerprint = octets(&id).expect("a peer ID of 64 letters");
            // The server is the introducer (RFC 7425 5.4.1).
            endpoint.open(now, epd::for_fingerprint(&fingerprint), &[server]).unwrap();
        }
        self.beat_at = Some(now);
        self.partner = Some(Partner { call, id, far_call, on, beaten_at: None, told: None });
    }

    /// A call is over, or goes through the appliance only.
    pub fn forget(&mut self, call: &str, endpoint: &mut Endpoint, now: Instant) {
        let Some(partner) = self.partner.take_if(|partner| partner.call == call) else { return };
        for peer in self.peers.iter_mut().filter(|peer| peer.id == partner.id) {
            peer.down.iter_mut().for_each(|(down, _)| down.close());
            peer.up.iter_mut().for_each(|(up, _)| up.close());
            peer.carry(now, endpoint);
            (peer.down, peer.up, peer.asked) = (None, None, None);
        }
        if partner.told == Some(false) {
            // Nothing comes from there: a session would only stand in the way of another.
            for peer in self.peers.extract_if(.., |peer| peer.id == partner.id) {
                let close = Command::Close { session: peer.session, orderly: false };
                endpoint.command(now, close);
            }
        }
    }

    /// An event of a session that is not the appliance's. What is heard, where something is.
    pub fn handle_event(&mut self, now: Instant, event: Event) -> Option<Vec<u8>> {
        match event {
            Event::Opened { session, certificate, .. } => {
                let id = certificate.fingerprint().iter().map(|o| format!("{o:02x}")).collect();
                let peer = Peer { session, id, down: None, up: None, asked: None };
                self.peers.push(peer);
            }
            Event::Closed { session, .. } => self.peers.retain(|peer| peer.session != session),
            // The peer was quicker.
            Event::Failed { .. } => {}
            Event::Session { session, event } => {
                let peer = self.peers.iter_mut().find(|peer| peer.session == session)?;
                return peer.handle_event(now, event);
            }
        }
        None
    }

    /// Time has passed. The call and what the appliance is to be told of its direct stream, if
    /// anything.
    pub fn turn(&mut self, now: Instant, endpoint: &mut Endpoint) -> Option<(String, bool)> {
        for peer in &mut self.peers {
            if let Some(partner) = self.partner.as_mut().filter(|partner| partner.id == peer.id) {
                peer.talk_to(partner);
            }
            while let Some(event) = peer.up.as_mut().and_then(|(up, _)| up.poll_event()) {
                if let PeerEvent::PlayRequested { name } = event {
                    peer.asked = Some(name);
                }
            }
            while let Some(event) = peer.down.as_mut().and_then(|(down, _)| down.poll_event()) {
                if let (PeerEvent::Data(data), Some(partner)) = (event, &mut self.partner)
                    && data.name == "beat"
                    && partner.id == peer.id
                {
                    partner.beaten_at = Some(now);
                }
            }
            if self.beat_at.is_some_and(|at| at <= now)
                && let Some((up, _)) = &mut peer.up
            {
                up.send_data(&Data { name: "beat".into(), values: Vec::new() });
            }
            peer.carry(now, endpoint);
        }
        if self.beat_at.is_some_and(|at| at <= now) {
            self.beat_at = self.partner.as_ref().map(|_| now + BEAT_EVERY);
        }
        let partner = self.partner.as_mut()?;
        let alive = partner.beaten_at.is_some_and(|at| now - at < DEAD_AFTER);
        let news = match (partner.told, alive) {
            (None, true) => true,
            (Some(true), false) => false,
            _ => return None,
        };
        partner.told = Some(news);
        // Back at once: the appliance only tells the partner.
        partner.on &= news;
        Some((partner.call.clone(), news))
    }

    /// When [`Self::turn`] has something to do at the latest.
    pub fn wake_at(&self) -> Option<Instant> {
        self.beat_at
    }

    /// Sends a message of sound to whoever plays our stream; whether anybody does.
    pub fn send_sound(&self, now: Instant, at: u32, sound: &[u8], endpoint: &mut Endpoint) -> bool {
        let mut scratch = [0; 1_024];
        let ups = self.peers.iter().filter_map(|peer| Some((peer.session, peer.up.as_ref()?)));
        let sent = ups.map(|(session, (up, flows))| {
            up.write_audio(at, sound, &mut scratch).is_some_and(|outgoing| {
                let message = &scratch[..outgoing.length];
                flows.send_media(now, endpoint, session, outgoing, message)
            })
        });
        sent.filter(|sent| *sent).count() > 0
    }
}

impl Peer {
    /// Plays the partner's stream and lets it play ours; only ours, and only it.
    fn talk_to(&mut self, partner: &Partner) {
        self.down.get_or_insert_with(|| {
            (Subscriber::new(STREAM, &partner.far_call).unwrap(), Flows::default())
        });
        if let (Some(_), Some((up, _))) =
            (self.asked.take_if(|asked| *asked == partner.call), &mut self.up)
        {
            up.accept();
        }
    }

    fn handle_event(&mut self, now: Instant, event: SessionEvent) -> Option<Vec<u8>> {
        let Peer { down, up, .. } = self;
        match event {
            SessionEvent::FlowOpened { flow, metadata, return_of: None } => {
                let publisher = Publisher::new(flow.0, &metadata);
                *up = publisher.map(|publisher| (publisher, Flows::default()));
            }
            SessionEvent::FlowOpened { flow, metadata, return_of } => {
                if let Some((down, flows)) = down {
                    let answers = return_of.and_then(|flow| flows.number(flow));
                    down.handle_flow_opened(flow.0, &metadata, answers);
                }
            }
            SessionEvent::Message { flow, octets, .. } => {
                if let Some((up, _)) = up {
                    up.handle_message(now, flow.0, &octets);
                }
                let media = down.as_mut()?.0.handle_message(now, flow.0, &octets);
                return media.map(|media| media.payload.to_vec());
            }
            SessionEvent::FlowFinished { flow } | SessionEvent::FlowFailed { flow } => {
                up.iter_mut().for_each(|(up, _)| up.handle_flow_finished(now, flow.0));
                down.iter_mut().for_each(|(down, _)| down.handle_flow_finished(now, flow.0));
            }
            SessionEvent::FlowRejected { flow, .. } => {
                if let Some((up, flows)) = up
                    && let Some(number) = flows.number(flow)
                {
                    up.handle_flow_rejected(number);
                    flows.forget(flow);
                }
                if let Some((down, flows)) = down
                    && let Some(number) = flows.number(flow)
                {
                    down.handle_flow_rejected(number);
                    flows.forget(flow);
                }
            }
            _ => {}
        }
        None
    }

    fn carry(&mut self, now: Instant, endpoint: &mut Endpoint) {
        let session = self.session;
        // A session that is over takes nothing, which its own event tells.
        if let Some((down, flows)) = &mut self.down {
            while let Some(action) = down.poll_action() {
                let _ = flows.carry(now, endpoint, session, action);
            }
        }
        if let Some((up, flows)) = &mut self.up {
            while let Some(action) = up.poll_action() {
                let _ = flows.carry(now, endpoint, session, action);
            }
        }
    }
}

/// The octets of a peer ID as ActionScript writes it.
fn octets(id: &str) -> Option<[u8; 32]> {
    let pairs = id.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    let octets: Option<Vec<u8>> = pairs.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect();
    octets?.try_into().ok()
}
