//! The visitor's side of a call that is tried: a browser of this program's own on a socket of its own,
//! and what a visitor's sound passes in the appliance, the WebRTC endpoint and the bridge.
//!
//! ```text
//!   mouth --> browser ==UDP==> endpoint --> bridge --> stream end ==> provider
//!     ear <-- browser <==UDP== endpoint <-- bridge <-- stream end <== provider
//! ```

use crate::config::{Account, Config};
use crate::legs::trunk;
use crate::net::{PortId, Sockets, own_addresses};
use base::{Codec, Datagram, Frame, Protocol, Seed};
use bridge::{Bridge, PortSettings, Side};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use webrtc::{AcceptSettings, Browser, Certificate, Endpoint, LocalCandidate, PeerId, Settings};

/// The one browser.
const PEER: PeerId = PeerId(1);

/// The visitor's side.
pub struct Visit {
    browser: Browser,
    endpoint: Endpoint,
    bridge: Bridge,
    /// The browser's socket.
    here: PortId,
    /// The endpoint's.
    there: PortId,
    codecs: Vec<Codec>,
    connected_after: Option<Duration>,
}

impl Visit {
    /// Opens both sockets, the endpoint's where the file says so if that is free, and has the
    /// browser's offer answered.
    pub fn open(
        now: Instant,
        wire: &mut Sockets,
        config: &Config,
        account: &Account,
        seed: &mut Seed,
    ) -> io::Result<Visit> {
        let listen = config.listen.webrtc;
        let there = wire
            .open(listen, true)
            .or_else(|_| wire.open(SocketAddr::new(listen.ip(), 0), true))?;
        let ip = match listen.ip() {
            ip if !ip.is_unspecified() => ip,
            ip => {
                let mut own = own_addresses().into_iter();
                own.find(|own| own.is_ipv4() || ip.is_ipv6())
                    .unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
            }
        };
        let here = wire.open(SocketAddr::new(ip, 0), false)?;
        let port = |id| wire.local(id).map(|at| at.port());
        let broken = |what: &str| io::Error::other(format!("no browser's side of a call: {what}"));
        let (own, reached) = port(here).zip(port(there)).ok_or_else(|| broken("no port"))?;
        let candidate = LocalCandidate::new(SocketAddr::new(ip, reached), Protocol::Udp);
        let certificate = Certificate::generate().map_err(|error| broken(&error.to_string()))?;
        let settings = Settings::new(vec![candidate], certificate);
        let made = Endpoint::new(settings, seed.fork());
        let mut endpoint = made.map_err(|error| broken(&error.to_string()))?;
        let made = Browser::new(now, SocketAddr::new(ip, own));
        let (mut browser, offer) = made.ok_or_else(|| broken("its address"))?;
        let order = call::browser_codecs(&account.codecs, call::Learnt::default());
        let accept = AcceptSettings { codecs: &order, local_page: true };
        let answer = endpoint.accept(now, PEER, &offer, &accept);
        let answer = answer.map_err(|error| broken(&error.to_string()))?;
        if !browser.answer(now, &answer) {
            return Err(broken("the answer is of no use"));
        }
        let codecs = endpoint.codecs(PEER).collect();
        let bridge = Bridge::new(seed);
        Ok(Visit { browser, endpoint, bridge, here, there, codecs, connected_after: None })
    }

    /// The codecs of the browser's side, the one that it sends first.
    pub fn codecs(&self) -> &[Codec] {
        &self.codecs
    }

    /// From the offer to the complete handshake.
    pub fn connected_after(&self) -> Option<Duration> {
        self.connected_after
    }

    /// Joins both sides, the phone's as it was agreed on.
    pub fn connect(&mut self, now: Instant, negotiated: &sdp::Negotiated) {
        let codec = negotiated.codec;
        let trunk = PortSettings { send: codec, accepts: trunk::accepted(negotiated).into() };
        let first = self.codecs.first().copied().unwrap_or(codec);
        // As in the appliance: what the phone sends goes on as it is wherever it can.
        let send = if self.codecs.contains(&codec) { codec } else { first };
        let visitor = PortSettings { send, accepts: self.codecs.clone().into() };
        self.bridge.connect(now, visitor, trunk);
    }

    /// Whether a port is one of its sockets.
    pub fn has_port(&self, port: PortId) -> bool {
        port == self.here || port == self.there
    }

    /// A datagram between browser and endpoint.
    pub fn handle_datagram(&mut self, now: Instant, port: PortId, datagram: &Datagram<'_>) {
        match port == self.here {
            true => self.browser.handle_datagram(now, datagram),
            false => self.endpoint.handle_datagram(now, datagram),
        }
    }

    /// The browser sends sound.
    pub fn say(&mut self, now: Instant, frame: &Frame<'_>) {
        self.browser.send_frame(now, frame);
    }

    /// The phone has sent sound.
    pub fn hear(&mut self, now: Instant, frame: Frame<'_>) {
        let mut passed = self.bridge.handle_frame(now, Side::Trunk, frame);
        while let Some((Side::Visitor, frame)) = passed {
            // What comes before the browser is connected is heard by nobody.
            let _ = self.endpoint.send_frame(now, PEER, &frame);
            passed = self.bridge.poll_relayed(Side::Trunk);
        }
    }

    /// When [`Visit::pump`] wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let machines =
            [self.browser.poll_timeout(), self.endpoint.poll_timeout(), self.bridge.poll_timeout()];
        machines.into_iter().flatten().min()
    }

    /// Does what is due and hands sound on: to the phone, and to the visitor's ear.
    pub fn pump(
        &mut self,
        now: Instant,
        wire: &Sockets,
        mut to_phone: impl FnMut(&Frame<'_>),
        mut to_ear: impl FnMut(&Frame<'_>),
    ) {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= now);
        if is_due(self.browser.poll_timeout()) {
            self.browser.handle_timeout(now);
        }
        if is_due(self.endpoint.poll_timeout()) {
            self.endpoint.handle_timeout(now);
        }
        if is_due(self.bridge.poll_timeout()) {
            self.bridge.handle_timeout(now);
        }
        while let Some(event) = self.endpoint.poll_event() {
            match event {
                webrtc::Event::Frame(received) => {
                    let mut passed = self.bridge.handle_frame(now, Side::Visitor, received.frame());
                    while let Some((Side::Trunk, frame)) = passed {
                        to_phone(&frame);
                        passed = self.bridge.poll_relayed(Side::Visitor);
                    }
                }
                webrtc::Event::Connected { after, .. } => self.connected_after = Some(after),
                _ => {}
            }
        }
        while let Some((side, frame)) = self.bridge.poll_frame() {
            match side {
                Side::Trunk => to_phone(&frame),
                Side::Visitor => drop(self.endpoint.send_frame(now, PEER, &frame)),
            }
        }
        while self.bridge.poll_event().is_some() {}
        while let Some(received) = self.browser.poll_frame() {
            to_ear(&received.frame());
        }
        self.flush(wire);
    }

    /// Ends the browser's side and closes its sockets.
    pub fn close(mut self, now: Instant, wire: &mut Sockets) {
        self.browser.close(now);
        self.endpoint.close(now, PEER);
        self.flush(wire);
        wire.close(self.here);
        wire.close(self.there);
    }

    fn flush(&mut self, wire: &Sockets) {
        while let Some(transmit) = self.browser.poll_transmit() {
            wire.send(self.here, transmit.local, transmit.remote, &transmit.payload);
        }
        while let Some(transmit) = self.endpoint.poll_transmit() {
            wire.send(self.there, transmit.local, transmit.remote, &transmit.payload);
        }
    }
}
