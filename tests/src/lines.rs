//! A phone with as many lines as it is called on: it answers every call at once and talks PCMU, or
//! another codec of one rate.
//!
//! It is a measuring instrument, not a user agent: it takes the requests of one well-behaved peer.

use crate::look::{Look, beat, next_beat};
use crate::visitor::runtime;
use base::Codec;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;

const FRAME: Duration = Duration::from_millis(20);

/// The phone. Dropping it ends it.
#[derive(Debug)]
pub struct Lines {
    /// Its SIP socket.
    pub sip: SocketAddr,
    invites: Arc<Mutex<Vec<Instant>>>,
    task: tokio::task::AbortHandle,
}

impl Lines {
    /// Starts a phone that looks at its SIP socket so; its lines look on the beat.
    pub fn start(look: Look) -> Lines {
        Lines::start_with(look, Codec::Pcmu)
    }

    /// The same with lines that talk another codec: Speex at 16 kHz, or PCMU.
    pub fn start_with(look: Look, codec: Codec) -> Lines {
        let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let sip = socket.local_addr().unwrap();
        let invites = Arc::new(Mutex::new(Vec::new()));
        let task =
            runtime().spawn(run(socket, (look, codec), sip, Arc::clone(&invites))).abort_handle();
        Lines { sip, invites, task }
    }

    /// When INVITEs came, retransmissions aside.
    pub fn invites(&self) -> Vec<Instant> {
        self.invites.lock().unwrap().clone()
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A line that talks: it sends 20 ms of sound again and again and throws away what it hears.
#[derive(Debug)]
pub struct Line {
    /// Where it listens.
    pub rtp: SocketAddr,
    format: (Codec, u8),
    task: tokio::task::AbortHandle,
}

impl Line {
    /// Takes a line and talks PCMU to where the SDP says.
    pub fn talk(sdp: &str) -> Option<Line> {
        Line::talk_with(sdp, Codec::Pcmu)
    }

    fn talk_with(sdp: &str, codec: Codec) -> Option<Line> {
        let number = match codec {
            Codec::Speex16 => sdp.lines().find_map(|line| {
                let (number, format) = line.strip_prefix("a=rtpmap:")?.split_once(' ')?;
                (format.trim() == "speex/16000").then(|| number.parse().ok()).flatten()
            })?,
            _ => 0,
        };
        let host = sdp.lines().find_map(|line| line.strip_prefix("c=IN IP4 "))?;
        let port = sdp.lines().find_map(|line| line.strip_prefix("m=audio "))?;
        let to = format!("{}:{}", host.trim(), port.split(' ').next()?).parse().ok()?;
        let line = Line::reserve_with((codec, number));
        line.1.send(to).ok()?;
        Some(line.0)
    }

    /// Takes a line that talks once it is told where to.
    pub fn reserve() -> (Line, tokio::sync::oneshot::Sender<SocketAddr>) {
        Line::reserve_with((Codec::Pcmu, 0))
    }

    fn reserve_with(format: (Codec, u8)) -> (Line, tokio::sync::oneshot::Sender<SocketAddr>) {
        let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let rtp = socket.local_addr().unwrap();
        let (told, telling) = tokio::sync::oneshot::channel();
        let task = runtime().spawn(async move {
            if let Ok(to) = telling.await {
                speak(socket, to, format).await;
            }
        });
        (Line { rtp, format, task: task.abort_handle() }, told)
    }

    /// Its side of the media.
    pub fn sdp(&self) -> String {
        let (codec, number) = self.format;
        let name = if codec == Codec::Speex16 { "speex/16000" } else { "PCMU/8000" };
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {} RTP/AVP {number}\r\na=rtpmap:{number} {name}\r\na=ptime:20\r\n\
             a=ssrc:7 cname:line\r\n",
            self.rtp.port()
        )
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn speak(socket: std::net::UdpSocket, to: SocketAddr, (codec, number): (Codec, u8)) {
    let mut tone = vec![0; 160];
    let steady = audio::tone::Tone::steady(650.0, -10.0);
    audio::tone::ToneGenerator::new(steady, crate::sound::RATE).fill(&mut tone);
    let mut payload = vec![0; audio::MAX_ENCODED];
    let mut encoder = audio::Encoder::new(codec, crate::sound::RATE).unwrap();
    let length = encoder.encode(&tone, &mut payload).unwrap();
    payload.truncate(length);
    let step = codec.clock_rate() / 50;
    let mut packet = vec![0x80, number, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
    packet.extend(payload);
    let mut buffer = [0; 2_048];
    let mut ticks = tokio::time::interval_at(next_beat().into(), FRAME);
    for count in 0u32.. {
        ticks.tick().await;
        packet[2..4].copy_from_slice(&(count as u16).to_be_bytes());
        packet[4..8].copy_from_slice(&(count * step).to_be_bytes());
        // An error tells of an earlier packet that found nobody.
        let _ = socket.send_to(&packet, to);
        while socket.recv(&mut buffer).is_ok() {}
    }
}

/// The next datagram of a socket that is looked at in either way.
async fn next(
    socket: &std::net::UdpSocket,
    woken: Option<&UdpSocket>,
    buffer: &mut [u8],
) -> (usize, SocketAddr) {
    loop {
        let received = match woken {
            Some(woken) => woken.recv_from(buffer).await,
            None => socket.recv_from(buffer),
        };
        match received {
            Ok(received) => return received,
            Err(_) if woken.is_none() => beat().await,
            Err(_) => {}
        }
    }
}

async fn run(
    socket: std::net::UdpSocket,
    (look, codec): (Look, Codec),
    own: SocketAddr,
    invites: Arc<Mutex<Vec<Instant>>>,
) {
    let woken = (look == Look::AtOnce).then(|| socket.try_clone().unwrap());
    let woken = woken.map(|socket| UdpSocket::from_std(socket).unwrap());
    let mut lines: HashMap<String, Line> = HashMap::new();
    let mut buffer = vec![0; 8_192];
    loop {
        let (length, peer) = next(&socket, woken.as_ref(), &mut buffer).await;
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        let (head, sdp) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let field = |name: &str| {
            let found = head.lines().find_map(|line| line.strip_prefix(name));
            found.unwrap_or_default().trim().to_owned()
        };
        let id = field("Call-ID:");
        let reply = |status: &str, tag: &str, body: &str| {
            let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
            format!(
                "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {}{tag}\r\nCall-ID: {id}\r\n\
                 CSeq: {}\r\nContact: <sip:lines@{own}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
                field("Via:"),
                field("From:"),
                field("To:"),
                field("CSeq:"),
                body.len()
            )
        };
        let mut replies = Vec::new();
        match head.split(' ').next().unwrap_or_default() {
            "INVITE" => {
                if !lines.contains_key(&id) {
                    invites.lock().unwrap().push(Instant::now());
                    replies.push(reply("180 Ringing", ";tag=lines", ""));
                    if let Some(line) = Line::talk_with(sdp, codec) {
                        lines.insert(id.clone(), line);
                    }
                }
                if let Some(line) = lines.get(&id) {
                    replies.push(reply("200 OK", ";tag=lines", &line.sdp()));
                }
            }
            "BYE" => {
                lines.remove(&id);
                replies.push(reply("200 OK", "", ""));
            }
            "ACK" | "SIP/2.0" => {}
            _ => replies.push(reply("200 OK", "", "")),
        }
        for reply in replies {
            let _ = socket.send_to(reply.as_bytes(), peer);
        }
    }
}
