//! Those who try every address of the internet for a SIP server that lets them call.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// Where they come from: nobody's provider.
const SOURCES: [Ipv4Addr; 2] = [Ipv4Addr::new(127, 0, 9, 1), Ipv4Addr::new(127, 0, 9, 2)];
/// How often some leave.
const EVERY: Duration = Duration::from_millis(2);
/// What well-known tools call themselves.
const AGENTS: [&str; 4] =
    ["friendly-scanner", "sipcli/v1.8", "VaxSIPUserAgent/3.1", "sipvicious/0.3.0"];
const BODY: &str = "v=0\r\no=- 1 1 IN IP4 127.0.9.1\r\ns=-\r\nc=IN IP4 127.0.9.1\r\nt=0 0\r\n\
                    m=audio 10000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n";

/// What a scanner sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bait {
    /// REGISTER, INVITE and OPTIONS by turns, as such tools write them.
    Requests,
    /// Octets that are nothing.
    Garbage,
}

/// What went and what came back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scan {
    /// Datagrams sent.
    pub sent: u64,
    /// Answers of any kind.
    pub back: u64,
}

/// One forged request.
fn request(target: SocketAddr, source: SocketAddr, number: u64) -> Vec<u8> {
    let method = ["REGISTER", "INVITE", "OPTIONS"][number as usize % 3];
    let agent = AGENTS[number as usize / 3 % AGENTS.len()];
    let user = 100 + number;
    let body = if method == "INVITE" { BODY } else { "" };
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} sip:{user}@{target} SIP/2.0\r\n\
         Via: SIP/2.0/UDP {source};branch=z9hG4bK-{number:08x};rport\r\n\
         Max-Forwards: 70\r\nFrom: \"{user}\" <sip:{user}@{target}>;tag={number:016x}\r\n\
         To: \"{user}\" <sip:{user}@{target}>\r\nCall-ID: {number:024x}\r\n\
         CSeq: 1 {method}\r\nContact: <sip:{user}@{source}>\r\nUser-Agent: {agent}\r\n\
         {kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// Sends so many datagrams from unknown addresses, so many a second, and counts what comes back.
pub fn scan(target: SocketAddr, bait: Bait, count: u64, per_second: u64) -> Scan {
    let sockets = SOURCES.map(|source| UdpSocket::bind((source, 0)).unwrap());
    sockets.iter().for_each(|socket| socket.set_nonblocking(true).unwrap());
    let mut scan = Scan::default();
    let mut seed = base::Seed::from_number(9);
    let begun = Instant::now();
    while scan.sent < count {
        let due = (begun.elapsed().as_secs_f64() * per_second as f64) as u64;
        // What a slow machine could not send in time is not made up for in one burst.
        for number in scan.sent..due.min(count).min(scan.sent + (per_second / 100).max(1)) {
            let socket = &sockets[number as usize % sockets.len()];
            let octets = match bait {
                Bait::Requests => request(target, socket.local_addr().unwrap(), number),
                Bait::Garbage => {
                    let mut octets = vec![0; 40 + seed.below(1_000) as usize];
                    octets.iter_mut().for_each(|octet| *octet = seed.below(256) as u8);
                    octets
                }
            };
            if socket.send_to(&octets, target).is_ok() {
                scan.sent += 1;
            }
        }
        std::thread::sleep(EVERY);
        scan.back += answers(&sockets);
    }
    // Answers to the last, and what a server would repeat.
    std::thread::sleep(Duration::from_millis(1_500));
    scan.back += answers(&sockets);
    scan
}

fn answers(sockets: &[UdpSocket]) -> u64 {
    let mut buffer = [0; 2_048];
    let mut count = 0;
    for socket in sockets {
        while socket.recv_from(&mut buffer).is_ok() {
            count += 1;
        }
    }
    count
}
