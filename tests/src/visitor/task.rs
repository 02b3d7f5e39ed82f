//! The task that is the visitor's browser.

use super::media::{Media, MediaEvent};
use super::{Shared, Step, VisitorSettings};
use crate::look::{Look, Stream, next_beat};
use futures_util::{SinkExt as _, StreamExt as _};
use signalling::{
    ClientMessage, Envelope, HangupReason, Inbox, Outbox, ServerMessage, VERSION, limits,
};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

/// What a scenario tells its visitor to do.
#[derive(Debug)]
pub enum Order {
    Call { call: u32, uri: Option<String> },
    HangUp { call: u32 },
    Press { call: u32, digits: String },
    Say(Option<f32>),
    Restart { call: u32 },
    Message(ClientMessage),
    DropSocket,
    Reconnect,
    Leave,
}

pub type Socket = WebSocketStream<Stream>;

/// Opens the WebSocket; a refusal comes in words.
pub async fn connect(http: SocketAddr, look: Look, origin: Option<&str>) -> Result<Socket, String> {
    let stream = Stream::connect(look, http).await.map_err(|error| error.to_string())?;
    let mut request = format!("ws://{http}/ws").into_client_request().map_err(|e| e.to_string())?;
    let own = format!("http://{http}");
    let origin = origin.unwrap_or(&own).parse().map_err(|_| "no origin".to_owned())?;
    request.headers_mut().insert("Origin", origin);
    let opening = tokio_tungstenite::client_async(request, stream);
    let opened = tokio::time::timeout(Duration::from_secs(10), opening).await;
    match opened.map_err(|_| "the WebSocket does not open".to_owned())? {
        Ok((socket, _)) => Ok(socket),
        Err(Error::Http(response)) => {
            let body = response.body().as_deref().unwrap_or_default();
            Err(format!("{}: {}", response.status(), String::from_utf8_lossy(body)))
        }
        Err(error) => Err(error.to_string()),
    }
}

struct Browser {
    http: SocketAddr,
    settings: VisitorSettings,
    socket: Option<Socket>,
    outbox: Outbox<ClientMessage>,
    inbox: Inbox,
    link: Option<String>,
    media: Option<Media>,
    restarting: bool,
    tcp_in: mpsc::UnboundedSender<(SocketAddr, Vec<u8>)>,
    shared: Arc<Shared>,
}

/// Runs a visitor until it leaves.
pub async fn run(
    http: SocketAddr,
    settings: VisitorSettings,
    socket: Socket,
    mut orders: mpsc::UnboundedReceiver<Order>,
    shared: Arc<Shared>,
) {
    let (tcp_in, mut tcp_out) = mpsc::unbounded_channel();
    let mut browser = Browser {
        http,
        settings,
        socket: Some(socket),
        outbox: Outbox::default(),
        inbox: Inbox::default(),
        link: None,
        media: None,
        restarting: false,
        tcp_in,
        shared,
    };
    browser.greet().await;
    let mut buffer = vec![0; 2_048];
    let mut heartbeat_at = Instant::now() + limits::HEARTBEAT_EVERY;
    loop {
        let wake_at = browser.media.as_ref().map_or(heartbeat_at, Media::wake_at).min(heartbeat_at);
        let beaten = browser.settings.look == Look::OnBeat && browser.media.is_some();
        let wake_at = if beaten { next_beat() } else { wake_at };
        let udp = browser.media.as_ref().and_then(|media| media.udp.clone());
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Leave) | None => return browser.leave().await,
                Some(order) => browser.obey(order).await,
            },
            text = next(&mut browser.socket) => browser.told(text).await,
            Some((from, octets)) = tcp_out.recv() => {
                if let Some(media) = &mut browser.media {
                    media.receive(true, from, &octets);
                }
            }
            (length, from) = receive(udp, &mut buffer) => {
                if let Some(media) = &mut browser.media {
                    media.receive(false, from, &buffer[..length]);
                }
            }
            () = tokio::time::sleep_until(wake_at.into()) => {
                if let Some(media) = &mut browser.media {
                    media.look(&mut buffer);
                    if media.wake_at() <= Instant::now() {
                        media.handle_timeout();
                    }
                }
            }
        }
        if heartbeat_at <= Instant::now() {
            heartbeat_at = Instant::now() + limits::HEARTBEAT_EVERY;
            browser.put(0, ClientMessage::Ping { at: 0.0 }).await;
        }
        browser.report();
    }
}

/// The next text of a socket; none when it is over. Without a socket it waits for ever.
async fn next(socket: &mut Option<Socket>) -> Option<String> {
    let Some(socket) = socket else { return std::future::pending().await };
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => return Some(text.to_string()),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
            Some(Ok(_)) => {}
        }
    }
}

async fn receive(udp: Option<Arc<UdpSocket>>, buffer: &mut [u8]) -> (usize, SocketAddr) {
    let Some(udp) = udp else { return std::future::pending().await };
    loop {
        // An error tells of an earlier packet that found nobody.
        if let Ok(received) = udp.recv_from(buffer).await {
            return received;
        }
    }
}

impl Browser {
    async fn greet(&mut self) {
        self.shared.update(|seen| seen.online = true);
        let page = Some(self.settings.page.clone()).filter(|page| !page.is_empty());
        let (link, button) = (self.link.clone(), self.settings.button.clone());
        self.put(0, ClientMessage::Hello { version: VERSION, link, button, page }).await;
    }

    /// Writes one envelope to the socket, if there is one.
    async fn put(&mut self, sequence: u64, message: ClientMessage) {
        let envelope = Envelope { sequence, ack: self.inbox.last(), message };
        let text = serde_json::to_string(&envelope).unwrap();
        if let Some(socket) = &mut self.socket
            && socket.send(Message::text(text)).await.is_err()
        {
            self.offline();
        }
    }

    async fn say(&mut self, message: ClientMessage) {
        let sequence = self.outbox.push(message.clone()).expect("room in the outbox");
        self.put(sequence, message).await;
    }

    fn offline(&mut self) {
        self.socket = None;
        self.shared.update(|seen| seen.online = false);
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Call { call, uri } => {
                let now = Instant::now();
                let (media, offer) = Media::new(&self.settings, self.tcp_in.clone());
                let address = media.local();
                self.media = Some(media);
                self.shared.update(|seen| {
                    (seen.called_at, seen.connected_at) = (Some(now), None);
                    (seen.media_closed, seen.address) = (false, address);
                    (seen.packet_at, seen.longest_gap) = (None, Duration::ZERO);
                });
                let headers = self.settings.headers.clone();
                self.say(ClientMessage::Call { call, uri, video: false, headers, offer }).await;
            }
            Order::HangUp { call } => {
                // As the page does it: the media goes with the call.
                if let Some(mut media) = self.media.take() {
                    media.close();
                }
                self.say(ClientMessage::Hangup { call, reason: HangupReason::Visitor }).await;
            }
            Order::Press { call, digits } => self.say(ClientMessage::Dtmf { call, digits }).await,
            Order::Say(tone) => {
                self.settings.tone = tone;
                if let Some(media) = &mut self.media {
                    media.say(tone);
                }
            }
            Order::Restart { call } => {
                let Some(media) = &mut self.media else { return };
                let offer = media.restart(&self.settings.codecs);
                self.restarting = true;
                self.say(ClientMessage::Restart { call, offer }).await;
            }
            Order::Message(message) => self.say(message).await,
            Order::DropSocket => self.offline(),
            Order::Reconnect => {
                let (look, origin) = (self.settings.look, self.settings.origin.as_deref());
                self.socket = connect(self.http, look, origin).await.ok();
                if self.socket.is_some() {
                    self.greet().await;
                }
            }
            Order::Leave => {}
        }
    }

    async fn leave(mut self) {
        if let Some(mut media) = self.media.take() {
            media.close();
        }
        if let Some(mut socket) = self.socket.take() {
            let _ = tokio::time::timeout(Duration::from_secs(2), socket.close(None)).await;
        }
    }

    /// What the appliance says.
    async fn told(&mut self, text: Option<String>) {
        let Some(text) = text else { return self.offline() };
        let envelope: Envelope<ServerMessage> = serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("the appliance sent {text}: {error}"));
        self.outbox.acknowledged(envelope.ack);
        if !self.inbox.accept(envelope.sequence) {
            return;
        }
        match envelope.message {
            ServerMessage::Welcome { link, resumed, .. } => {
                if !resumed {
                    // A new link starts counting anew, and its calls are gone.
                    (self.inbox, self.outbox) = (Inbox::default(), Outbox::default());
                }
                self.link = Some(link.clone());
                let again: Vec<_> =
                    self.outbox.unacknowledged().map(|(n, m)| (n, m.clone())).collect();
                for (sequence, message) in again {
                    self.put(sequence, message).await;
                }
                self.shared.update(|seen| {
                    (seen.link, seen.resumed) = (Some(link), resumed);
                    seen.welcomes += 1;
                });
            }
            ServerMessage::Answer { sdp, .. } => {
                if let Some(media) = &mut self.media {
                    if std::mem::take(&mut self.restarting) {
                        media.answer_restart(&sdp);
                    } else {
                        media.answer(&sdp, self.settings.tone);
                    }
                }
                self.shared.update(|seen| {
                    seen.answer = Some(sdp);
                    seen.answers += 1;
                });
            }
            ServerMessage::State { call, state, cause, code, reason, .. } => {
                let step = Step { at: Instant::now(), call, state, cause, code, reason };
                self.shared.update(|seen| seen.steps.push(step));
            }
            ServerMessage::Error { code, message, .. } => {
                self.shared.update(|seen| seen.errors.push((code, message)));
            }
            ServerMessage::Digit { digit, .. } => {
                self.shared.update(|seen| seen.digits.push(digit));
            }
            ServerMessage::Quality { level, reason, codecs, .. } => {
                self.shared.update(|seen| seen.quality = Some((level, reason, codecs)));
            }
            ServerMessage::Registration { .. } | ServerMessage::Pong { .. } => {}
        }
    }

    /// Passes on what the media has to tell.
    fn report(&mut self) {
        let Some(media) = &mut self.media else { return };
        let (events, sent) = (media.take_events(), media.sent);
        if events.is_empty() {
            return;
        }
        let now = Instant::now();
        self.shared.update(|seen| {
            seen.sent = sent;
            for event in events {
                match event {
                    MediaEvent::Connected => seen.connected_at = Some(now),
                    MediaEvent::Closed => seen.media_closed = true,
                    MediaEvent::Sound(codec, pcm) => {
                        seen.packets += 1;
                        let gap = seen.packet_at.map_or(Duration::ZERO, |at| now - at);
                        seen.longest_gap = seen.longest_gap.max(gap);
                        (seen.packet_at, seen.codec) = (Some(now), Some(codec));
                        if !pcm.is_empty() {
                            seen.heard.add(now, &pcm);
                        }
                    }
                }
            }
        });
    }
}
