//! What whoever is no provider costs on the SIP port, and what the provider notices of it.

use crate::rows::{milliseconds, shop};
use harness::lines::Lines;
use harness::look::Look;
use harness::measure::cpu;
use harness::scanner::{Bait, scan};
use harness::{Appliance, Place};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

const REQUESTS: u64 = 20_000;
/// The garbage: datagrams a second, and for how long.
const PER_SECOND: u64 = 10_000;
const LASTS: u64 = 4;
/// How often the provider asks.
const ASKS_EVERY: Duration = Duration::from_millis(10);

/// One run of every row.
pub fn all() -> Vec<(&'static str, f64)> {
    vec![("scanner", scanner()), ("garbage", garbage())]
}

/// Microseconds of CPU for one forged request.
fn scanner() -> f64 {
    let place = Place::new("bench-scanner");
    let phone = Lines::start(Look::OnBeat);
    let appliance = Appliance::start(&place, &shop(phone.sip));
    let target = appliance.sip();
    scan(target, Bait::Requests, 1_000, PER_SECOND);
    let (dropped, used) = (foreign(&appliance), cpu(appliance.pid()));
    let scanned = scan(target, Bait::Requests, REQUESTS, PER_SECOND);
    let used = cpu(appliance.pid()) - used;
    assert_eq!(scanned.back, 0, "a scanner is answered");
    // What the socket's buffer had no room for has cost nothing and does not count.
    let dropped = foreign(&appliance) - dropped;
    assert!(dropped > REQUESTS * 9 / 10, "only {dropped} of {} arrive", scanned.sent);
    milliseconds(used) * 1_000.0 / dropped as f64
}

fn foreign(appliance: &Appliance) -> u64 {
    appliance.metric("sip_foreign_dropped_total")
}

/// How much later than usual the provider has nearly every answer (99 of 100) while garbage comes
/// in, in milliseconds.
fn garbage() -> f64 {
    let place = Place::new("bench-garbage");
    let phone = Lines::start(Look::OnBeat);
    let appliance = Appliance::start(&place, &shop(phone.sip));
    let target = appliance.sip();
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let calm = delays(&socket, target, 0, Duration::from_secs(2));
    let flood = std::thread::spawn(move || {
        scan(target, Bait::Garbage, PER_SECOND * LASTS, PER_SECOND);
    });
    let stormy = delays(&socket, target, 10_000, Duration::from_secs(LASTS));
    flood.join().unwrap();
    let late = |delays: &[Duration]| milliseconds(delays[delays.len() * 99 / 100]);
    late(&stormy) - late(&calm)
}

/// How long answers to OPTIONS of the provider take, the shortest first.
fn delays(socket: &UdpSocket, target: SocketAddr, from: u64, time: Duration) -> Vec<Duration> {
    let source = socket.local_addr().unwrap();
    let (mut delays, mut buffer) = (Vec::new(), [0; 2_048]);
    let begun = Instant::now();
    while begun.elapsed() < time {
        let number = from + delays.len() as u64;
        let text = format!(
            "OPTIONS sip:shop@{target} SIP/2.0\r\nVia: SIP/2.0/UDP {source};\
             branch=z9hG4bK-{number};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:p@{source}>;tag={number}\r\nTo: <sip:shop@{target}>\r\n\
             Call-ID: {number}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        let asked = Instant::now();
        socket.send_to(text.as_bytes(), target).unwrap();
        socket.recv_from(&mut buffer).expect("the provider is answered");
        delays.push(asked.elapsed());
        std::thread::sleep(ASKS_EVERY);
    }
    delays.sort();
    delays
}
