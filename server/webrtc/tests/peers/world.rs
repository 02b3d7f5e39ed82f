//! One endpoint, one browser, a wire that loses and delays, and a clock of their own.

use base::{Codec, Datagram, Protocol, Seed};
use stand_in::{Browser, Network, Options};
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use webrtc::{AcceptSettings, Certificate, Endpoint, Event, LocalCandidate, PeerId, Settings};

pub const PEER: PeerId = PeerId(7);
pub const SERVER: &str = "203.0.113.1:5000";

/// What is on its way. Addresses are those of the browser itself, before any address translation.
#[derive(Clone)]
pub struct Packet {
    pub to_server: bool,
    pub protocol: Protocol,
    pub server: SocketAddr,
    pub browser: SocketAddr,
    pub payload: Vec<u8>,
}

impl Packet {
    pub fn is_dtls(&self) -> bool {
        matches!(self.payload.first(), Some(20..=63))
    }
}

pub struct World {
    pub now: Instant,
    pub endpoint: Endpoint,
    pub browser: Browser,
    pub events: Vec<Event>,
    pub network: Network<Packet>,
    /// The address as which the browser is seen; packets to any other do not reach it.
    pub outer: Option<SocketAddr>,
    /// Looks at each packet before it goes on its way; `false` takes it off the wire.
    pub tap: Box<dyn FnMut(&Packet) -> bool>,
    /// Cuts ClientHellos after so many octets of their body, as browsers with large key shares do.
    pub cut: Option<usize>,
    /// How many were cut.
    pub cuts: u32,
}

pub fn certificate() -> Certificate {
    static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
    CERTIFICATE.get_or_init(|| Certificate::generate().unwrap()).clone()
}

pub fn endpoint(seed: Seed) -> Endpoint {
    let server = SERVER.parse().unwrap();
    let candidates = [Protocol::Udp, Protocol::Tcp].map(|p| LocalCandidate::new(server, p));
    Endpoint::new(Settings::new(candidates.to_vec(), certificate()), seed).unwrap()
}

pub const PUBLIC: AcceptSettings<'static> =
    AcceptSettings { codecs: &Codec::ALL, local_page: false };

impl World {
    pub fn new(number: u64) -> World {
        World::with(number, &Options::default())
    }

    /// A world in which the browser's offer has just been answered.
    pub fn with(number: u64, options: &Options) -> World {
        let now = Instant::now();
        let mut seed = Seed::from_number(number);
        let mut endpoint = endpoint(seed.fork());
        let (mut browser, offer) = Browser::new(now, options);
        let answer = endpoint.accept(now, PEER, &offer, &PUBLIC).unwrap();
        browser.answer(now, &answer);
        World {
            now,
            endpoint,
            browser,
            events: Vec::new(),
            network: Network::new(seed),
            outer: None,
            tap: Box::new(|_| true),
            cut: None,
            cuts: 0,
        }
    }

    /// Lets everything happen until `until`, or until `done` says so.
    pub fn run_until(&mut self, until: Instant, mut done: impl FnMut(&World) -> bool) {
        loop {
            self.drain();
            if done(self) {
                return;
            }
            let next = [
                self.network.next_at(),
                self.endpoint.poll_timeout(),
                Some(self.browser.wake_at().max(self.now + Duration::from_millis(1))),
            ];
            let next = next.into_iter().flatten().min().unwrap();
            if next > until {
                self.now = self.now.max(until);
                return;
            }
            self.now = self.now.max(next);
            while let Some(packet) = self.network.take(self.now) {
                self.deliver(&packet);
                self.drain();
            }
            if self.endpoint.poll_timeout().is_some_and(|at| at <= self.now) {
                self.endpoint.handle_timeout(self.now);
                self.drain();
            }
            if self.browser.wake_at() <= self.now {
                self.browser.handle_timeout(self.now);
            }
        }
    }

    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time, |_| false);
    }

    /// Connects, and says how long that took.
    pub fn connect(&mut self) -> Duration {
        let start = self.now;
        self.run_until(start + Duration::from_secs(29), |world| {
            world.browser.connected && world.endpoint.is_connected(PEER)
        });
        assert!(self.endpoint.is_connected(PEER), "{:?}", self.endpoint.counters());
        assert!(self.browser.connected);
        self.now - start
    }

    /// Puts a packet before the server as it is.
    pub fn inject(&mut self, remote: SocketAddr, payload: &[u8]) {
        let local = SERVER.parse().unwrap();
        let datagram = Datagram { protocol: Protocol::Udp, local, remote, payload };
        self.endpoint.handle_datagram(self.now, &datagram);
        self.drain();
    }

    fn deliver(&mut self, packet: &Packet) {
        let tcp = packet.protocol == Protocol::Tcp;
        if packet.to_server {
            let remote = self.outer.unwrap_or(packet.browser);
            self.endpoint.handle_datagram(
                self.now,
                &Datagram {
                    protocol: packet.protocol,
                    local: packet.server,
                    remote,
                    payload: &packet.payload,
                },
            );
        } else {
            let (from, to) = (packet.server, packet.browser);
            self.browser.receive(self.now, tcp, from, to, &packet.payload);
        }
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.endpoint.poll_transmit() {
            let inner = match self.outer {
                Some(outer) if outer != transmit.remote => continue,
                Some(_) => Options::default().udp.unwrap(),
                None => transmit.remote,
            };
            self.put(Packet {
                to_server: false,
                protocol: transmit.protocol,
                server: transmit.local,
                browser: inner,
                payload: transmit.payload,
            });
        }
        while let Some(event) = self.endpoint.poll_event() {
            self.events.push(event);
        }
        for transmit in std::mem::take(&mut self.browser.outbox) {
            let tcp = transmit.proto == str0m::net::Protocol::Tcp;
            for payload in self.fragments(&transmit.contents) {
                self.put(Packet {
                    to_server: true,
                    protocol: if tcp { Protocol::Tcp } else { Protocol::Udp },
                    server: transmit.destination,
                    browser: transmit.source,
                    payload,
                });
            }
        }
    }

    /// A ClientHello in two records (RFC 6347 4.2.3), anything else as it is.
    fn fragments(&mut self, packet: &[u8]) -> Vec<Vec<u8>> {
        let hello = packet.first() == Some(&22) && packet.get(13) == Some(&1);
        let (Some(cut), true) = (self.cut, hello) else { return vec![packet.to_vec()] };
        self.cuts += 1;
        let (header, message, body) = (&packet[..11], &packet[13..19], &packet[25..]);
        let fragment = |number: u8, offset: usize, body: &[u8]| {
            let mut record = header.to_vec();
            record[6] = number;
            record.extend_from_slice(&(body.len() as u16 + 12).to_be_bytes());
            record.extend_from_slice(message);
            record.extend_from_slice(&(offset as u32).to_be_bytes()[1..]);
            record.extend_from_slice(&(body.len() as u32).to_be_bytes()[1..]);
            record.extend_from_slice(body);
            record
        };
        vec![fragment(1, 0, &body[..cut]), fragment(2, cut, &body[cut..])]
    }

    fn put(&mut self, packet: Packet) {
        if !(self.tap)(&packet) {
            return;
        }
        match packet.protocol {
            Protocol::Udp => self.network.put(self.now, packet),
            Protocol::Tcp | Protocol::Tls => self.network.put_surely(self.now, packet),
        }
    }

    pub fn frames(&self) -> Vec<&webrtc::ReceivedFrame> {
        let frames = self.events.iter().filter_map(|event| match event {
            Event::Frame(frame) => Some(frame),
            _ => None,
        });
        frames.collect()
    }
}
