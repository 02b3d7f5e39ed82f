//! A phone of our own, for what baresip cannot do or does not tell: Speex, early sound, the SDP and
//! the RTP of a call as they came.
//!
//! It is a measuring instrument, not a user agent: it takes the requests of one well-behaved peer.

mod leg;

use crate::sound::{self, Heard, RATE};
use crate::wait;
use audio::tone::{Tone, ToneGenerator};
use audio::{Decoder, Encoder, MAX_ENCODED};
use base::Codec;
use leg::Leg;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

const FRAME: Duration = Duration::from_millis(20);
/// The pause between two looks at the sockets.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What kind of phone it is.
#[derive(Clone, Debug)]
pub struct HandsetSettings {
    /// Its one codec.
    pub codec: Codec,
    /// What it says, in hertz; none for silence.
    pub tone: Option<f32>,
    /// Whether it says what it hears instead, digits too.
    pub echoes: bool,
    /// Whether it sends sound as soon as it rings.
    pub early: bool,
    /// When it answers; never where there is none.
    pub answers_after: Option<Duration>,
    /// Whether it takes telephone events.
    pub events: bool,
    /// The packets that it asks for, in milliseconds.
    pub ptime: u32,
}

impl HandsetSettings {
    /// A phone with this codec, which answers at once.
    pub fn with_codec(codec: Codec) -> Self {
        let answers_after = Some(Duration::from_millis(100));
        let (tone, events, ptime) = (Some(sound::PHONE), true, 20);
        HandsetSettings { codec, tone, echoes: false, early: false, answers_after, events, ptime }
    }
}

/// Everything that a phone has seen.
#[derive(Clone, Debug, Default)]
pub struct HandsetSeen {
    /// When INVITEs that begin a call came.
    pub invited: Vec<Instant>,
    /// All offers, those inside a call included.
    pub offers: Vec<String>,
    /// When BYEs came, and answers to its own.
    pub ended: Vec<Instant>,
    /// When CANCELs came.
    pub cancelled: Vec<Instant>,
    /// Packets of sound that came.
    pub packets: u64,
    /// The payload of the last of them.
    pub payload: Vec<u8>,
    /// Packets that were no sound of its codec.
    pub strange: u64,
    /// The longest time between two of them in one call.
    pub longest_gap: Duration,
    /// When the last of them came, by call.
    pub packet_at: HashMap<String, Instant>,
    /// How far each packet's timestamp was ahead of that of the one before, in samples.
    pub steps: Vec<u32>,
    /// Digits of telephone events.
    pub digits: String,
    /// Bodies of INFO.
    pub infos: Vec<String>,
    /// What was heard, of all calls together.
    pub heard: Heard,
}

enum Order {
    Say(Option<f32>),
    Pause(u8),
    HangUp,
}

/// The phone. Dropping it ends it.
#[derive(Debug)]
pub struct Handset {
    /// Its SIP socket.
    pub sip: SocketAddr,
    orders: mpsc::Sender<Order>,
    seen: Arc<Mutex<HandsetSeen>>,
}

impl Handset {
    /// Starts a phone.
    pub fn start(settings: HandsetSettings) -> Handset {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let sip = socket.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(HandsetSeen::default()));
        let (orders, inbox) = mpsc::channel();
        let mut station =
            Station { settings, socket, sip, calls: Vec::new(), seen: Arc::clone(&seen) };
        std::thread::spawn(move || {
            loop {
                match inbox.try_recv() {
                    Ok(Order::Say(tone)) => station.say(tone),
                    Ok(Order::Pause(level)) => station.pause(level),
                    Ok(Order::HangUp) => station.hang_up(),
                    Err(mpsc::TryRecvError::Empty) => {}
                    Err(mpsc::TryRecvError::Disconnected) => return,
                }
                station.turn(Instant::now());
                std::thread::sleep(LOOK_EVERY);
            }
        });
        Handset { sip, orders, seen }
    }

    /// Looks at what was seen so far.
    pub fn look<T>(&self, look: impl FnOnce(&HandsetSeen) -> T) -> T {
        look(&self.seen.lock().unwrap())
    }

    /// Waits until `look` gives something.
    pub fn until<T>(&self, what: &str, mut look: impl FnMut(&HandsetSeen) -> Option<T>) -> T {
        wait::until(what, || self.look(|seen| look(seen)))
    }

    /// Changes what it says; none for silence.
    pub fn say(&self, tone: Option<f32>) {
        self.orders.send(Order::Say(tone)).unwrap();
    }

    /// Sends one packet of comfort noise (RFC 3389), so many dB below full scale, and nothing after
    /// it until it says something else.
    pub fn pause(&self, level: u8) {
        self.orders.send(Order::Pause(level)).unwrap();
    }

    /// Hangs up.
    pub fn hang_up(&self) {
        self.orders.send(Order::HangUp).unwrap();
    }

    /// Begins to look for the longest gap anew.
    pub fn measure_gap(&self) {
        let mut seen = self.seen.lock().unwrap();
        seen.longest_gap = Duration::ZERO;
        seen.packet_at.clear();
    }

    /// Waits until a tone is heard, for 600 ms and little else; gives its level in dBFS.
    pub fn hears(&self, frequency: f32) -> f32 {
        let mut last = String::new();
        let heard = wait::within(wait::PATIENCE, || {
            let pcm = self.look(|seen| seen.heard.last(700));
            match sound::is_tone(&pcm, frequency) {
                Ok(level) if pcm.len() >= RATE.khz() * 600 => return Some(level),
                Ok(_) => last = format!("only {} samples of it", pcm.len()),
                Err(words) => last = words,
            }
            None
        });
        heard.unwrap_or_else(|| panic!("the phone does not hear {frequency} Hz, but {last}"))
    }

    /// Waits until 600 ms of near silence (or nothing at all) were heard.
    pub fn hears_nothing(&self) {
        let mut last = 0.0;
        let heard = wait::within(wait::PATIENCE, || {
            let from = Instant::now();
            std::thread::sleep(Duration::from_millis(600));
            last = audio::level::dbfs(&self.look(|seen| seen.heard.since(from)));
            (last < -50.0).then_some(())
        });
        assert!(heard.is_some(), "the phone still hears something, at {last} dBFS");
    }
}

fn generator(tone: f32) -> ToneGenerator {
    ToneGenerator::new(Tone::steady(tone, -10.0), RATE)
}

struct Station {
    settings: HandsetSettings,
    socket: UdpSocket,
    sip: SocketAddr,
    calls: Vec<Leg>,
    seen: Arc<Mutex<HandsetSeen>>,
}

fn field<'a>(message: &'a str, name: &str) -> &'a str {
    message.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim()
}

/// The payload type of a format in an offer.
fn payload_type(sdp: &str, name: &str) -> Option<u8> {
    sdp.lines().find_map(|line| {
        let (number, format) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
        let same = format.trim().to_ascii_lowercase().starts_with(&name.to_ascii_lowercase());
        same.then(|| number.parse().ok()).flatten()
    })
}

/// Where the sender of a description takes its sound.
pub fn remote(sdp: &str) -> Option<SocketAddr> {
    let host = field(sdp, "c=IN IP4 ");
    let port = field(sdp, "m=audio ").split(' ').next()?;
    format!("{host}:{port}").parse().ok()
}

impl Station {
    fn name(&self) -> &'static str {
        match self.settings.codec {
            Codec::Speex16 => "speex/16000",
            Codec::Speex8 => "speex/8000",
            Codec::Pcmu => "PCMU/8000",
            Codec::Pcma => "PCMA/8000",
            Codec::G722 => "G722/8000",
            Codec::Opus => "opus/48000",
        }
    }

    fn say(&mut self, tone: Option<f32>) {
        self.settings.tone = tone;
        for leg in &mut self.calls {
            leg.tone = tone.map(generator);
            if let Some(at) = leg.paused_at.take() {
                // The time of a pause passes too.
                let passed = at.elapsed().as_millis() as u32 / 20;
                leg.time = leg.time.wrapping_add(passed * self.settings.codec.clock_rate() / 50);
                leg.next_at = Some(Instant::now());
            }
        }
    }

    fn pause(&mut self, level: u8) {
        for leg in &mut self.calls {
            let packet = rtp::Packet {
                payload_type: 13,
                marker: false,
                sequence: leg.number,
                timestamp: leg.time,
                ssrc: 7,
                payload: &[level],
            };
            leg.send(&packet);
            leg.number = leg.number.wrapping_add(1);
            leg.next_at = None;
            leg.paused_at = Some(Instant::now());
        }
    }

    fn turn(&mut self, now: Instant) {
        let mut buffer = [0; 8_192];
        while let Ok((length, peer)) = self.socket.recv_from(&mut buffer) {
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            self.handle_message(now, peer, &text);
        }
        let mut calls = std::mem::take(&mut self.calls);
        for leg in &mut calls {
            self.listen(leg, &mut buffer);
            if leg.answers_at.is_some_and(|at| at <= now) {
                leg.answers_at = None;
                leg.next_at.get_or_insert(now);
                let body = self.sdp(leg, "sendrecv");
                self.reply(&leg.invite, leg.peer, "200 OK", &body);
            }
            if let Some(at) = leg.next_at.filter(|at| *at <= now && !self.settings.echoes) {
                leg.next_at = Some(if now - at > FRAME * 5 { now + FRAME } else { at + FRAME });
                self.speak(leg);
            }
        }
        self.calls = calls;
    }

    fn handle_message(&mut self, now: Instant, peer: SocketAddr, text: &str) {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let id = field(head, "Call-ID:").to_owned();
        let known = self.calls.iter().position(|leg| field(&leg.invite, "Call-ID:") == id);
        match head.split(' ').next().unwrap_or_default() {
            "INVITE" if field(head, "To:").contains("tag=") => {
                self.seen.lock().unwrap().offers.push(body.to_owned());
                let held = body.lines().any(|line| line == "a=sendonly");
                let Some(place) = known else { return };
                let mut leg = self.calls.remove(place);
                leg.next_at = (!held).then_some(now);
                let body = self.sdp(&leg, if held { "recvonly" } else { "sendrecv" });
                self.reply(head, peer, "200 OK", &body);
                self.calls.push(leg);
            }
            "INVITE" if known.is_none() => {
                {
                    let mut seen = self.seen.lock().unwrap();
                    seen.invited.push(now);
                    seen.offers.push(body.to_owned());
                }
                let Some(mut leg) = self.leg(now, peer, head, body) else {
                    return self.reply(head, peer, "488 Not Acceptable Here", "");
                };
                self.reply(head, peer, "180 Ringing", "");
                if self.settings.early {
                    leg.next_at = Some(now);
                    let body = self.sdp(&leg, "sendrecv");
                    self.reply(head, peer, "183 Session Progress", &body);
                }
                self.calls.push(leg);
            }
            "CANCEL" => {
                self.seen.lock().unwrap().cancelled.push(now);
                self.reply(head, peer, "200 OK", "");
                if let Some(place) = known {
                    let leg = self.calls.remove(place);
                    self.reply(&leg.invite, leg.peer, "487 Request Terminated", "");
                }
            }
            "BYE" => {
                self.seen.lock().unwrap().ended.push(now);
                self.calls.retain(|leg| field(&leg.invite, "Call-ID:") != id);
                self.reply(head, peer, "200 OK", "");
            }
            "SIP/2.0" if field(head, "CSeq:").ends_with("BYE") => {
                self.seen.lock().unwrap().ended.push(now);
            }
            "INFO" => {
                self.seen.lock().unwrap().infos.push(body.to_owned());
                self.reply(head, peer, "200 OK", "");
            }
            "INVITE" | "ACK" | "SIP/2.0" => {}
            _ => self.reply(head, peer, "200 OK", ""),
        }
    }

    fn leg(&self, now: Instant, peer: SocketAddr, head: &str, sdp: &str) -> Option<Leg> {
        let sound = payload_type(sdp, self.name())?;
        let clock = self.name().split('/').nth(1)?;
        let events = payload_type(sdp, &format!("telephone-event/{clock}"));
        let events = events.filter(|_| self.settings.events);
        let rtp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
        rtp.set_nonblocking(true).ok()?;
        Some(Leg {
            invite: head.to_owned(),
            peer,
            rtp,
            remote: remote(sdp)?,
            types: (sound, events),
            encoder: Encoder::new(self.settings.codec, RATE).ok()?,
            decoder: Decoder::new(self.settings.codec, RATE).ok()?,
            tone: self.settings.tone.map(generator),
            answers_at: self.settings.answers_after.map(|after| now + after),
            next_at: None,
            paused_at: None,
            number: 1,
            time: 0,
            last: None,
            event: None,
        })
    }

    fn sdp(&self, leg: &Leg, direction: &str) -> String {
        let port = leg.rtp.local_addr().unwrap().port();
        let (sound, events) = leg.types;
        let clock = self.name().split('/').nth(1).unwrap_or_default();
        let (list, map) = match events {
            Some(events) => (
                format!("{sound} {events}"),
                format!("a=rtpmap:{events} telephone-event/{clock}\r\na=fmtp:{events} 0-15\r\n"),
            ),
            None => (sound.to_string(), String::new()),
        };
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {port} RTP/AVP {list}\r\na=rtpmap:{sound} {}\r\n{map}a=ptime:{}\r\n\
             a={direction}\r\n",
            self.name(),
            self.settings.ptime
        )
    }

    fn reply(&self, request: &str, peer: SocketAddr, status: &str, body: &str) {
        let to = field(request, "To:");
        let tag = if to.contains("tag=") { "" } else { ";tag=handset" };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {to}{tag}\r\nCall-ID: {}\r\n\
             CSeq: {}\r\nContact: <sip:handset@{}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            field(request, "Via:"),
            field(request, "From:"),
            field(request, "Call-ID:"),
            field(request, "CSeq:"),
            self.sip,
            body.len()
        );
        let _ = self.socket.send_to(text.as_bytes(), peer);
    }

    fn hang_up(&mut self) {
        for leg in self.calls.drain(..) {
            let invite = &leg.invite;
            let contact = field(invite, "Contact:");
            let target = contact.split(['<', '>']).nth(1).unwrap_or(contact);
            let text = format!(
                "BYE {target} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bK-handset-{}\r\n\
                 Max-Forwards: 70\r\nFrom: {};tag=handset\r\nTo: {}\r\nCall-ID: {}\r\n\
                 CSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
                self.sip,
                leg.number,
                field(invite, "To:"),
                field(invite, "From:"),
                field(invite, "Call-ID:"),
            );
            let _ = self.socket.send_to(text.as_bytes(), leg.peer);
        }
    }

    fn speak(&self, leg: &mut Leg) {
        let mut pcm = vec![0; RATE.khz() * 20];
        if let Some(tone) = &mut leg.tone {
            tone.fill(&mut pcm);
        }
        let mut payload = [0; MAX_ENCODED];
        let length = leg.encoder.encode(&pcm, &mut payload).unwrap();
        let packet = rtp::Packet {
            payload_type: leg.types.0,
            marker: leg.number == 1,
            sequence: leg.number,
            timestamp: leg.time,
            ssrc: 7,
            payload: &payload[..length],
        };
        leg.send(&packet);
        leg.number = leg.number.wrapping_add(1);
        leg.time = leg.time.wrapping_add(self.settings.codec.clock_rate() / 50);
    }

    fn listen(&self, leg: &mut Leg, buffer: &mut [u8]) {
        while let Ok((length, _)) = leg.rtp.recv_from(buffer) {
            let Ok(packet) = rtp::Packet::parse(&buffer[..length]) else { continue };
            let now = Instant::now();
            if self.settings.echoes {
                leg.send(&rtp::Packet { ssrc: 7, ..packet });
            }
            let mut seen = self.seen.lock().unwrap();
            if Some(packet.payload_type) == leg.types.1 {
                if leg.event != Some(packet.timestamp) {
                    leg.event = Some(packet.timestamp);
                    let number = packet.payload.first().copied().unwrap_or(u8::MAX);
                    let keys = b"0123456789*#ABCD";
                    seen.digits.push(keys.get(usize::from(number)).map_or('?', |key| *key as char));
                }
                continue;
            }
            let mut pcm = vec![0; RATE.khz() * 120];
            let heard = leg.decoder.decode(packet.payload, &mut pcm);
            let (true, Ok(samples)) = (packet.payload_type == leg.types.0, heard) else {
                seen.strange += 1;
                continue;
            };
            seen.packets += 1;
            seen.payload = packet.payload.to_vec();
            let call = field(&leg.invite, "Call-ID:").to_owned();
            let gap = seen.packet_at.insert(call, now).map_or(Duration::ZERO, |at| now - at);
            seen.longest_gap = seen.longest_gap.max(gap);
            if let Some(last) = leg.last.replace(packet.timestamp)
                && seen.steps.len() < 10_000
            {
                seen.steps.push(packet.timestamp.wrapping_sub(last));
            }
            seen.heard.add(now, &pcm[..samples]);
        }
    }
}
