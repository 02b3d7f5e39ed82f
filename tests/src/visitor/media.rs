//! The visitor's media engine: str0m as a browser with full ICE, on real sockets.

use crate::foreign;
use crate::look::Look;
use crate::sound::RATE;
use crate::visitor::VisitorSettings;
use audio::tone::{Tone, ToneGenerator};
use audio::{Decoder, Encoder, MAX_ENCODED};
use base::Codec;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::format::{Codec as Str0mCodec, FormatParams};
use str0m::media::{Direction, Frequency, MediaKind, Mid};
use str0m::net::{Protocol, Receive, TcpType};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::sync::mpsc;

const FRAME: Duration = Duration::from_millis(20);
/// How long the browser's own handshake waits after a foreign one.
const HELD_FOR: Duration = Duration::from_millis(150);
/// How loud the visitor is.
const LEVEL: f32 = -10.0;

/// What the engine tells.
#[derive(Debug)]
pub enum MediaEvent {
    /// DTLS is up.
    Connected,
    /// The other end said good-bye.
    Closed,
    /// 20 ms of sound, or so; none where the visitor does not listen.
    Sound(Codec, Vec<i16>),
}

/// One `RTCPeerConnection`.
pub struct Media {
    rtc: Rtc,
    mid: Mid,
    pending: Option<SdpPendingOffer>,
    /// The socket for UDP, to receive from; none where it is looked at on the beat.
    pub udp: Option<Arc<UdpSocket>>,
    /// The same to send from: it does not wait for the reactor to find it writable.
    sender: Option<std::net::UdpSocket>,
    local: Option<SocketAddr>,
    tcp: Option<Tcp>,
    wake_at: Instant,
    connected: bool,
    speaker: Option<Speaker>,
    sends: bool,
    listens: bool,
    decoders: HashMap<u8, Option<Decoder>>,
    foreign_hello: bool,
    /// Every such packet of sound is lost, and how many there were.
    loses_every: u64,
    passed: u64,
    /// The browser's own DTLS, while a foreign one goes first.
    held: Option<(Instant, Vec<Outgoing>)>,
    events: Vec<MediaEvent>,
    /// Packets of sound sent.
    pub sent: u64,
}

type Outgoing = (Protocol, SocketAddr, Vec<u8>);

struct Speaker {
    payload_type: u8,
    step: u32,
    encoder: Encoder,
    tone: Option<ToneGenerator>,
    next_at: Instant,
}

/// ICE-TCP: connections from one local port, opened when there is something to send.
struct Tcp {
    local: SocketAddr,
    streams: HashMap<SocketAddr, mpsc::UnboundedSender<Vec<u8>>>,
    incoming: mpsc::UnboundedSender<(SocketAddr, Vec<u8>)>,
}

fn payload_type(codec: Codec) -> u8 {
    codec.static_payload_type().unwrap_or(111)
}

fn codec_of(payload_type: u8) -> Option<Codec> {
    Codec::OF_BROWSERS.into_iter().find(|codec| self::payload_type(*codec) == payload_type)
}

impl Media {
    /// An engine and its first offer. `incoming` gets what comes over TCP.
    pub fn new(
        settings: &VisitorSettings,
        incoming: mpsc::UnboundedSender<(SocketAddr, Vec<u8>)>,
    ) -> (Media, String) {
        let now = Instant::now();
        let mut config =
            Rtc::builder().clear_codecs().enable_comfort_noise(true).set_rtp_mode(true);
        for codec in &settings.codecs {
            config = match codec {
                Codec::Opus => config.enable_opus(true, true),
                Codec::G722 => config.enable_g722(true, false),
                Codec::Pcmu => config.enable_pcmu(true, false),
                Codec::Pcma => config.enable_pcma(true, false),
                // No browser has them.
                Codec::Speex16 | Codec::Speex8 => config,
            };
        }
        for (number, rate) in [(110, Frequency::FORTY_EIGHT_KHZ), (126, Frequency::EIGHT_KHZ)] {
            let (payload, kind) = (u8::into(number), Str0mCodec::Tele);
            let format = FormatParams::default();
            config.codec_config().add_config(payload, None, kind, rate, None, format);
        }
        let mut rtc = config.build(now);
        let (mut udp, mut sender, mut own) = (None, None, None);
        if settings.udp {
            let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            socket.set_nonblocking(true).unwrap();
            let address = socket.local_addr().unwrap();
            rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
            (sender, own) = (Some(socket.try_clone().unwrap()), Some(address));
            if settings.look == Look::AtOnce {
                udp = Some(Arc::new(UdpSocket::from_std(socket).unwrap()));
            }
        }
        let tcp = settings.tcp.then(|| {
            let local = SocketAddr::from((Ipv4Addr::LOCALHOST, crate::place::port()));
            let candidate = Candidate::builder().tcp().host(local).tcptype(TcpType::Active);
            rtc.add_local_candidate(candidate.build().unwrap());
            Tcp { local, streams: HashMap::new(), incoming }
        });
        let mut api = rtc.sdp_api();
        let mid = api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        let (offer, pending) = api.apply().unwrap();
        let offer = offer.to_sdp_string();
        let media = Media {
            rtc,
            mid,
            pending: Some(pending),
            udp,
            sender,
            local: own,
            tcp,
            wake_at: now,
            connected: false,
            speaker: None,
            sends: settings.sends,
            listens: settings.listens,
            decoders: HashMap::new(),
            foreign_hello: settings.foreign_hello,
            loses_every: settings.loses_every,
            passed: 0,
            held: None,
            events: Vec::new(),
            sent: 0,
        };
        (media, prefer(&offer, &settings.codecs))
    }

    /// Takes the answer and starts talking in its first codec.
    pub fn answer(&mut self, sdp: &str, tone: Option<f32>) {
        let now = Instant::now();
        let answer = SdpAnswer::from_sdp_string(sdp).expect("an answer that can be read");
        let pending = self.pending.take().expect("an answer to an offer");
        self.rtc.sdp_api().accept_answer(pending, answer).expect("an answer that fits the offer");
        let first = sdp
            .lines()
            .find_map(|line| line.strip_prefix("m=audio "))
            .and_then(|line| line.split_whitespace().nth(2))
            .and_then(|number| number.parse().ok())
            .expect("an m=audio line with a format");
        let codec = codec_of(first).expect("a codec that was offered");
        self.speaker = self.sends.then(|| Speaker {
            payload_type: first,
            step: codec.clock_rate() / 50,
            encoder: Encoder::new(codec, RATE).unwrap(),
            tone: tone.map(generator),
            next_at: now,
        });
        self.handle_timeout();
    }

    /// Another tone, or silence.
    pub fn say(&mut self, tone: Option<f32>) {
        if let Some(speaker) = &mut self.speaker {
            speaker.tone = tone.map(generator);
        }
    }

    /// A later offer with new ICE credentials.
    pub fn restart(&mut self, codecs: &[Codec]) -> String {
        let mut api = self.rtc.sdp_api();
        api.ice_restart(true);
        let (offer, pending) = api.apply().unwrap();
        self.pending = Some(pending);
        prefer(&offer.to_sdp_string(), codecs)
    }

    /// The answer to [`Media::restart`].
    pub fn answer_restart(&mut self, sdp: &str) {
        let answer = SdpAnswer::from_sdp_string(sdp).expect("an answer that can be read");
        let pending = self.pending.take().expect("an answer to an offer");
        self.rtc.sdp_api().accept_answer(pending, answer).expect("an answer that fits the offer");
        self.handle_timeout();
    }

    /// When [`Media::handle_timeout`] wants to be called.
    pub fn wake_at(&self) -> Instant {
        let wake_at = match &self.speaker {
            Some(speaker) if self.connected => self.wake_at.min(speaker.next_at),
            _ => self.wake_at,
        };
        self.held.as_ref().map_or(wake_at, |(until, _)| wake_at.min(*until))
    }

    /// Timers, and the next piece of sound.
    pub fn handle_timeout(&mut self) {
        let now = Instant::now();
        if let Some((_, packets)) = self.held.take_if(|(until, _)| *until <= now) {
            for (protocol, to, octets) in packets {
                self.transmit(protocol, to, octets);
            }
        }
        // str0m fails where the far end broke the protocol; the scenario sees a call without sound.
        let _ = self.rtc.handle_input(Input::Timeout(now));
        self.drain();
        if self.connected && self.speaker.as_ref().is_some_and(|speaker| speaker.next_at <= now) {
            self.speak(now);
            self.drain();
        }
    }

    /// What came from the network.
    pub fn receive(&mut self, tcp: bool, from: SocketAddr, octets: &[u8]) {
        let (protocol, to) = match (self.local, &self.tcp) {
            (_, Some(own)) if tcp => (Protocol::Tcp, own.local),
            (Some(own), _) => (Protocol::Udp, own),
            _ => return,
        };
        // As in browsers, DTLS that comes before the own ClientHello is dropped.
        if self.held.is_some() && is_dtls(octets) {
            return;
        }
        let Ok(packet) = Receive::new(protocol, from, to, octets) else { return };
        let input = Input::Receive(Instant::now(), packet);
        if self.rtc.accepts(&input) {
            let _ = self.rtc.handle_input(input);
        }
        self.drain();
    }

    /// Takes what lies in the socket, where nothing else tells of it.
    pub fn look(&mut self, buffer: &mut [u8]) {
        if self.udp.is_some() {
            return;
        }
        while let Some(Ok((length, from))) = self.sender.as_ref().map(|own| own.recv_from(buffer)) {
            self.receive(false, from, &buffer[..length]);
        }
    }

    /// Where the UDP socket is.
    pub fn local(&self) -> Option<SocketAddr> {
        self.local
    }

    /// What has happened.
    pub fn take_events(&mut self) -> Vec<MediaEvent> {
        std::mem::take(&mut self.events)
    }

    /// Says good-bye to the far end, as a browser that closes the connection.
    pub fn close(&mut self) {
        if self.connected {
            let _ = self.rtc.close();
            self.drain();
        }
    }

    fn speak(&mut self, now: Instant) {
        let Some(speaker) = &mut self.speaker else { return };
        // A machine that was too slow for a while does not catch up with a burst of old sound.
        if now.duration_since(speaker.next_at) > FRAME * 5 {
            speaker.next_at = now;
        }
        speaker.next_at += FRAME;
        let mut pcm = [0; 160];
        if let Some(tone) = &mut speaker.tone {
            tone.fill(&mut pcm);
        }
        let mut payload = [0; MAX_ENCODED];
        let length = speaker.encoder.encode(&pcm, &mut payload).unwrap();
        let timestamp = 70_000 + self.sent as u32 * speaker.step;
        let sequence = (1_000 + self.sent).into();
        let payload_type = speaker.payload_type.into();
        self.sent += 1;
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(self.mid, None) else { return };
        let packet = RtpWrite::new(payload_type, sequence, timestamp, now, &payload[..length]);
        stream.write_rtp(packet);
        let _ = self.rtc.handle_input(Input::Timeout(now));
    }

    fn drain(&mut self) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.wake_at = at;
                    return;
                }
                Ok(Output::Transmit(transmit)) => {
                    let octets = transmit.contents.to_vec();
                    self.transmit(transmit.proto, transmit.destination, octets);
                }
                Ok(Output::Event(Event::Connected)) => {
                    self.connected = true;
                    if let Some(speaker) = &mut self.speaker {
                        speaker.next_at = Instant::now();
                    }
                    self.events.push(MediaEvent::Connected);
                }
                Ok(Output::Event(Event::Closed)) => self.events.push(MediaEvent::Closed),
                Ok(Output::Event(Event::RtpPacket(packet))) => {
                    let number = *packet.header.payload_type;
                    if let Some(codec) = codec_of(number) {
                        let pcm = self.decode(number, codec, &packet.payload);
                        self.events.push(MediaEvent::Sound(codec, pcm));
                    }
                }
                Ok(Output::Event(_)) => {}
                Err(_) => {
                    self.wake_at = Instant::now() + Duration::from_secs(1);
                    return;
                }
            }
        }
    }

    fn decode(&mut self, number: u8, codec: Codec, payload: &[u8]) -> Vec<i16> {
        if !self.listens {
            return Vec::new();
        }
        let new = || Decoder::new(codec, RATE).ok();
        let decoder = self.decoders.entry(number).or_insert_with(new);
        let mut pcm = vec![0; RATE.khz() * 120];
        let length = decoder.as_mut().and_then(|d| d.decode(payload, &mut pcm).ok()).unwrap_or(0);
        pcm.truncate(length);
        pcm
    }

    fn transmit(&mut self, protocol: Protocol, to: SocketAddr, octets: Vec<u8>) {
        if is_dtls(&octets) {
            if std::mem::take(&mut self.foreign_hello) {
                self.transmit(protocol, to, foreign::client_hello());
                self.held = Some((Instant::now() + HELD_FOR, Vec::new()));
            }
            if let Some((_, packets)) = &mut self.held {
                return packets.push((protocol, to, octets));
            }
        }
        if self.loses_every > 0 && is_sound(&octets) {
            self.passed += 1;
            if self.passed.is_multiple_of(self.loses_every) {
                return;
            }
        }
        match (protocol, &self.sender, &mut self.tcp) {
            // A full or refusing socket loses the packet, as networks do.
            (Protocol::Udp, Some(udp), _) => drop(udp.send_to(&octets, to)),
            (Protocol::Tcp, _, Some(tcp)) => tcp.send(to, octets),
            _ => {}
        }
    }
}

/// DTLS by its first octet (RFC 7983).
fn is_dtls(octets: &[u8]) -> bool {
    matches!(octets.first(), Some(20..=63))
}

/// RTP that is not RTCP (RFC 7983, RFC 5761 section 4).
fn is_sound(octets: &[u8]) -> bool {
    matches!(octets, [128..=191, second, ..] if !(64..=95).contains(&(second & 0x7f)))
}

fn generator(frequency: f32) -> ToneGenerator {
    ToneGenerator::new(Tone::steady(frequency, LEVEL), RATE)
}

/// Puts the formats of the `m=audio` line into the visitor's order of codecs.
fn prefer(offer: &str, codecs: &[Codec]) -> String {
    let mut text = String::with_capacity(offer.len());
    for line in offer.lines() {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        if line.starts_with("m=audio ") && words.len() > 3 {
            let place = |number: &str| {
                let codec = number.parse().ok().and_then(codec_of);
                codecs.iter().position(|c| Some(*c) == codec).unwrap_or(codecs.len())
            };
            words[3..].sort_by_key(|number| place(number));
            text.push_str(&words.join(" "));
        } else {
            text.push_str(line);
        }
        text.push_str("\r\n");
    }
    text
}

impl Tcp {
    fn send(&mut self, to: SocketAddr, octets: Vec<u8>) {
        let Tcp { local, streams, incoming } = self;
        let stream = streams.entry(to).or_insert_with(|| {
            let (queue, queued) = mpsc::unbounded_channel();
            tokio::spawn(carry(*local, to, queued, incoming.clone()));
            queue
        });
        let _ = stream.send(octets);
    }
}

/// One connection with the framing of RFC 4571: two octets of length before each packet.
async fn carry(
    local: SocketAddr,
    to: SocketAddr,
    mut queued: mpsc::UnboundedReceiver<Vec<u8>>,
    incoming: mpsc::UnboundedSender<(SocketAddr, Vec<u8>)>,
) {
    let Some(stream) = connect(local, to).await else { return };
    let (mut reader, mut writer) = stream.into_split();
    let reading = tokio::spawn(async move {
        while let Ok(length) = reader.read_u16().await {
            let mut octets = vec![0; usize::from(length)];
            if reader.read_exact(&mut octets).await.is_err() || incoming.send((to, octets)).is_err()
            {
                return;
            }
        }
    });
    while let Some(octets) = queued.recv().await {
        let mut framed = (octets.len() as u16).to_be_bytes().to_vec();
        framed.extend(octets);
        if writer.write_all(&framed).await.is_err() {
            break;
        }
    }
    reading.abort();
}

async fn connect(local: SocketAddr, to: SocketAddr) -> Option<TcpStream> {
    let socket = TcpSocket::new_v4().ok()?;
    socket.set_reuseaddr(true).ok()?;
    socket.bind(local).ok()?;
    let stream = socket.connect(to).await.ok()?;
    stream.set_nodelay(true).ok()?;
    Some(stream)
}
