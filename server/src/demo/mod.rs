//! The shop phone of `--demo`: a real SIP user agent on loopback UDP, in a thread of its own.
//!
//! It rings for a second, answers, plays a greeting, then sends back what it hears, and says which
//! key was pressed. It knows nothing of the appliance: all it sees is SIP and RTP.

mod talk;
mod voice;

use crate::config::RtpRange;
use crate::net::{Found, PortId, PortPool, Ready, Sockets};
use base::{Codec, Seed};
use sip::{Command, Event, InviteId};
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use talk::Talk;

/// How long it rings.
const RING_FOR: Duration = Duration::from_secs(1);
/// Calls at once; the next one is busy.
const TALKS: usize = 8;
/// The codecs that it takes, best first.
const CODECS: [Codec; 6] = Codec::ALL;

/// A running demo phone.
#[derive(Debug)]
pub struct DemoPhone {
    /// Where it listens for SIP.
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    waker: WakerHandle,
    thread: Option<JoinHandle<()>>,
}

struct WakerHandle(Arc<dyn Fn() + Send + Sync>);

impl std::fmt::Debug for WakerHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waker")
    }
}

impl DemoPhone {
    /// Opens the phone's sockets and starts its thread. Its peer is this machine's loopback.
    pub fn start(listen: SocketAddr, rtp: RtpRange, mut seed: Seed) -> io::Result<DemoPhone> {
        let mut sockets = Sockets::new()?;
        let sip_port = sockets.open(listen, false)?;
        let address = sockets.local(sip_port).ok_or_else(|| io::Error::other("no address"))?;
        let settings = sip::Settings {
            local: address,
            user_agent: "click2call demo phone".to_owned(),
            peers: sip::PeerPolicy::only([address.ip()]),
            accept_incoming: true,
            timers: sip::Timers::default(),
        };
        let waker = WakerHandle(sockets.waker());
        let stop = Arc::new(AtomicBool::new(false));
        let phone = Phone {
            sip: sip::Endpoint::new(settings, seed.fork()),
            pool: PortPool::new(rtp, seed.fork()),
            sockets,
            sip_port,
            address,
            seed,
            talks: HashMap::new(),
            scratch: vec![0; 2048],
            stop: Arc::clone(&stop),
        };
        let thread =
            std::thread::Builder::new().name("demo-phone".to_owned()).spawn(move || phone.run())?;
        Ok(DemoPhone { address, stop, waker, thread: Some(thread) })
    }
}

impl Drop for DemoPhone {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        (self.waker.0)();
        if let Some(thread) = self.thread.take() {
            // A phone that panicked has said so on standard error already.
            let _ = thread.join();
        }
    }
}

struct Phone {
    sip: sip::Endpoint,
    pool: PortPool,
    sockets: Sockets,
    sip_port: PortId,
    address: SocketAddr,
    seed: Seed,
    talks: HashMap<InviteId, Talk>,
    scratch: Vec<u8>,
    stop: Arc<AtomicBool>,
}

impl Phone {
    fn run(mut self) {
        let mut ready = Ready::default();
        let mut found: Vec<Found> = Vec::new();
        while !self.stop.load(Ordering::Acquire) {
            let now = Instant::now();
            self.settle(now);
            let sleep = self.deadline(now).saturating_duration_since(now);
            if let Err(error) = self.sockets.wait(Some(sleep), &mut ready) {
                tracing::error!(%error, "the demo phone cannot wait for its sockets");
                return;
            }
            let mut buffer = self.sockets.take_buffer();
            for port in &ready.ports {
                let mut turn = 0;
                while self.sockets.receive(*port, turn, &mut buffer, &mut found) {
                    turn += 1;
                    let now = Instant::now();
                    for place in &found {
                        let datagram = place.datagram(&buffer);
                        if *port == self.sip_port {
                            self.sip.handle_datagram(now, &datagram);
                        } else {
                            self.handle_media(now, *port, &datagram);
                        }
                    }
                }
            }
            self.sockets.return_buffer(buffer);
            self.handle_timeout(Instant::now());
        }
    }

    fn deadline(&self, now: Instant) -> Instant {
        let mut soonest = now + Duration::from_secs(1);
        let talks = self.talks.values().map(Talk::poll_timeout);
        for at in [self.sip.poll_timeout(), self.pool.poll_timeout()].into_iter().chain(talks) {
            soonest = at.map_or(soonest, |at| soonest.min(at));
        }
        soonest
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.sip.handle_timeout(now);
        self.pool.handle_timeout(now, &mut self.sockets);
        for (invite, talk) in &mut self.talks {
            if let Some(answer) = talk.answer_due(now) {
                self.sip.command(now, Command::Answer { invite: *invite, sdp: answer });
            }
            talk.handle_timeout(now, &self.sockets, &mut self.scratch);
        }
    }

    fn handle_media(&mut self, now: Instant, port: PortId, datagram: &base::Datagram<'_>) {
        let talk = self.talks.values_mut().find(|talk| talk.has_port(port));
        match talk {
            Some(talk) => talk.handle_datagram(now, datagram, &self.sockets, &mut self.scratch),
            None => {
                self.pool.disturbed(now, port);
            }
        }
    }

    fn settle(&mut self, now: Instant) {
        loop {
            while let Some(transmit) = self.sip.poll_transmit() {
                let (local, remote) = (self.address, transmit.remote);
                self.sockets.send(self.sip_port, local, remote, &transmit.payload);
            }
            let Some(event) = self.sip.poll_event() else { return };
            match event {
                Event::Incoming { invite, offer, .. } => self.ring(now, invite, offer.as_deref()),
                Event::Ended { invite, .. } => {
                    if let Some(talk) = self.talks.remove(&invite) {
                        self.pool.rest(now, talk.close());
                    }
                }
                Event::Reoffered { invite, sdp } => {
                    let answer = match (self.talks.get_mut(&invite), sdp) {
                        (Some(talk), Some(offer)) => talk.reoffered(&offer),
                        _ => Err(488),
                    };
                    self.sip.command(now, Command::AnswerOffer { invite, sdp: answer });
                }
                Event::DigitsReceived { invite, digit, .. } => {
                    if let Some(talk) = self.talks.get_mut(&invite) {
                        talk.say_digit(now, digit);
                    }
                }
                Event::Confirmed { .. }
                | Event::EarlyAnswered { .. }
                | Event::Transferred { .. }
                | Event::Referred { .. }
                | Event::ForkEnded { .. }
                | Event::PictureRequested { .. }
                | Event::Provisional { .. }
                | Event::Answered { .. }
                | Event::Reanswered { .. }
                | Event::RegistrationChanged { .. } => {}
            }
        }
    }

    fn ring(&mut self, now: Instant, invite: InviteId, offer: Option<&[u8]>) {
        let refuse = |phone: &mut Phone, status| {
            phone.sip.command(now, Command::Reject { invite, status });
        };
        if self.talks.len() >= TALKS {
            return refuse(self, 486);
        }
        let Some(offer) = offer else { return refuse(self, 488) };
        let Ok(pair) = self.pool.open(&mut self.sockets) else { return refuse(self, 503) };
        match Talk::new(now + RING_FOR, offer, pair, &CODECS, &mut self.seed) {
            Ok(talk) => {
                self.talks.insert(invite, talk);
                self.sip.command(now, Command::Ring { invite, sdp: None });
            }
            Err(error) => {
                tracing::warn!(%error, "the demo phone cannot use the offer");
                self.pool.rest(now, pair);
                refuse(self, 488);
            }
        }
    }
}
