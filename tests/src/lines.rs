//! A phone with as many lines as it is called on: it answers every call at once and talks PCMU.
//!
//! It is a measuring instrument, not a user agent: it takes the requests of one well-behaved peer.

use crate::look::{Look, beat, next_beat};
use crate::visitor::runtime;
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
        let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let sip = socket.local_addr().unwrap();
        let invites = Arc::new(Mutex::new(Vec::new()));
        let task = runtime().spawn(run(socket, look, sip, Arc::clone(&invites))).abort_handle();
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

/// A line that talks: it sends 20 ms of PCMU again and again and throws away what it hears.
#[derive(Debug)]
pub struct Line {
    /// Where it listens.
    pub rtp: SocketAddr,
    task: tokio::task::AbortHandle,
}

impl Line {
    /// Takes a line and talks to where the SDP says.
    pub fn talk(sdp: &str) -> Option<Line> {
        let host = sdp.lines().find_map(|line| line.strip_prefix("c=IN IP4 "))?;
        let port = sdp.lines().find_map(|line| line.strip_prefix("m=audio "))?;
        let to = format!("{}:{}", host.trim(), port.split(' ').next()?).parse().ok()?;
        let line = Line::reserve();
        line.1.send(to).ok()?;
        Some(line.0)
    }

    /// Takes a line that talks once it is told where to.
    pub fn reserve() -> (Line, tokio::sync::oneshot::Sender<SocketAddr>) {
        let socket = std::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.set_nonblocking(true).unwrap();
        let rtp = socket.local_addr().unwrap();
        let (told, telling) = tokio::sync::oneshot::channel();
        let task = runtime().spawn(async move {
            if let Ok(to) = telling.await {
                speak(socket, to).await;
            }
        });
        (Line { rtp, task: task.abort_handle() }, told)
    }

    /// Its side of the media.
    pub fn sdp(&self) -> String {
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n\
             m=audio {} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=ptime:20\r\na=ssrc:7 cname:line\r\n",
            self.rtp.port()
        )
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn speak(socket: std::net::UdpSocket, to: SocketAddr) {
    let mut tone = vec![0; 160];
    let steady = audio::tone::Tone::steady(650.0, -10.0);
    audio::tone::ToneGenerator::new(steady, crate::sound::RATE).fill(&mut tone);
    let payload: Vec<u8> = tone.into_iter().map(audio::ulaw_encode).collect();
    let mut packet = vec![0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
    packet.extend(payload);
    let mut buffer = [0; 2_048];
    let mut ticks = tokio::time::interval_at(next_beat().into(), FRAME);
    for number in 0u32.. {
        ticks.tick().await;
        packet[2..4].copy_from_slice(&(number as u16).to_be_bytes());
        packet[4..8].copy_from_slice(&(number * 160).to_be_bytes());
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
    look: Look,
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
                    if let Some(line) = Line::talk(sdp) {
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
