//! One browser.

use crate::engine::{Broken, Engine, Given, Shared};
use crate::error::SendError;
use crate::event::{Event, LostCause, PeerId};
use crate::handshake::{Handshake, Record};
use crate::ice::IceLite;
use crate::inbound::Inbound;
use crate::negotiation::Negotiated;
use crate::outgoing::Outgoing;
use crate::srtp::Header;
use crate::statistics::{Counters, Statistics};
use base::{Frame, Protocol, Seed, Transmit};
use rtp::packet::is_rtcp;
use rtp::reports::Reports;
use rtp::rtcp::Compound;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The most datagrams that wait for the driver; a whole burst of 1,000 calls.
const TRANSMITS_MAX: usize = 8_192;
/// The most frames that wait for the driver.
const FRAMES_MAX: usize = 8_192;

/// The octets of a buffer: more than any frame of sound, so that it never grows.
const BUFFER: usize = 1_536;
/// The most buffers that wait to serve again.
const BUFFERS_MAX: usize = 64;

/// What leaves the endpoint.
#[derive(Default)]
pub(crate) struct Outbox {
    pub(crate) transmits: VecDeque<Transmit>,
    pub(crate) events: VecDeque<Event>,
    pub(crate) counters: Counters,
    /// Buffers that have served and may serve again.
    buffers: Vec<Vec<u8>>,
}

impl Outbox {
    pub(crate) fn send(&mut self, transmit: Transmit) {
        if self.transmits.len() < TRANSMITS_MAX {
            self.transmits.push_back(transmit);
        } else {
            self.counters.overflowed += 1;
        }
    }

    /// An empty buffer for a packet.
    pub(crate) fn buffer(&mut self) -> Vec<u8> {
        self.buffers.pop().unwrap_or_else(|| Vec::with_capacity(BUFFER))
    }

    /// Keeps a buffer that has served. One that was made for something small or large goes.
    pub(crate) fn recycle(&mut self, mut buffer: Vec<u8>) {
        if self.buffers.len() < BUFFERS_MAX && buffer.capacity() == BUFFER {
            buffer.clear();
            self.buffers.push(buffer);
        }
    }

    /// Frames and digits may be dropped when nobody drains; what happened to a peer may not.
    pub(crate) fn sound(&mut self, event: Event) {
        if self.events.len() < FRAMES_MAX {
            self.events.push_back(event);
        } else {
            self.counters.overflowed += 1;
        }
    }
}

/// How far a peer is. Every peer begins and ends like this:
///
/// ```text
///   accept --> Connecting ----first complete handshake with the right certificate----> Connected
///                  |                                                                       |
///                  | connect_within                     close_notify, consent_for, close() |
///                  +-----------------------------> gone <----------------------------------+
/// ```
enum State {
    Connecting(Handshake),
    Connected(Engine),
}

/// What the endpoint does with the peer after an input.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Stays,
    Goes,
}

/// How long a peer may take.
#[derive(Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) connect_within: Duration,
    pub(crate) consent_for: Duration,
}

pub(crate) struct Peer {
    id: PeerId,
    pub(crate) negotiated: Negotiated,
    pub(crate) ice: IceLite,
    pub(crate) ssrc: u32,
    pub(crate) cname: String,
    pub(crate) session: u64,
    pub(crate) version: u32,
    /// When the endpoint will look at this peer next.
    pub(crate) scheduled_at: Option<Instant>,
    state: State,
    accepted_at: Instant,
    outgoing: Outgoing,
    inbound: Inbound,
    reports: Reports,
    statistics: Statistics,
    /// Payload octets sent.
    octets: u64,
}

impl Peer {
    pub(crate) fn new(
        now: Instant,
        id: PeerId,
        seed: &mut Seed,
        ice: IceLite,
        negotiated: Negotiated,
    ) -> Peer {
        let cname = seed.token(16);
        Peer {
            reports: Reports::new(seed.fork(), cname.clone()),
            id,
            negotiated,
            ice,
            ssrc: seed.u32() | 1,
            cname,
            // Firefox reads the session id as a signed number and dislikes the top bits.
            session: seed.u64() >> 2,
            version: 1,
            scheduled_at: None,
            state: State::Connecting(Handshake::default()),
            accepted_at: now,
            outgoing: Outgoing::new(seed),
            inbound: Inbound::default(),
            statistics: Statistics::default(),
            octets: 0,
        }
    }

    /// A DTLS, RTP or RTCP packet from a path that a check has validated.
    pub(crate) fn handle_packet(
        &mut self,
        now: Instant,
        shared: &Shared,
        packet: &[u8],
        out: &mut Outbox,
    ) -> Fate {
        let dtls = packet.first().is_some_and(|octet| *octet < 64);
        match &mut self.state {
            State::Connecting(handshake) if dtls => {
                let fingerprint = &self.negotiated.fingerprint;
                let make = || Engine::new(now, shared, fingerprint);
                self.statistics.handshakes_dropped += handshake.handle_packet(now, packet, &make);
                self.drain_connecting(now, out)
            }
            State::Connected(_) if !dtls => {
                self.handle_media(now, packet, out);
                Fate::Stays
            }
            State::Connected(engine) => {
                // The handshake is over; what is not signed now was not sent by the browser, but
                // for a repeated flight whose answer was lost.
                match Record::of(packet) {
                    Record::ClearFlight => {
                        for datagram in engine.repeat(now) {
                            transmit(&self.ice, datagram.clone(), out);
                        }
                    }
                    Record::Other if engine.receive(now, packet).is_ok() => {}
                    _ => out.counters.dropped += 1,
                }
                self.drain_connected(out)
            }
            State::Connecting(_) => {
                out.counters.dropped += 1;
                Fate::Stays
            }
        }
    }

    pub(crate) fn handle_timeout(
        &mut self,
        now: Instant,
        shared: &Shared,
        patience: Patience,
        out: &mut Outbox,
    ) -> Fate {
        if self.gives_up_at(patience) <= now {
            let cause = match (&self.state, self.ice.checked_at()) {
                (State::Connected(_), _) => LostCause::Silent,
                (State::Connecting(_), Some(_)) => LostCause::NoHandshake,
                (State::Connecting(_), None) => LostCause::NoCheck,
            };
            return self.lost(cause, out);
        }
        match &mut self.state {
            State::Connecting(handshake) => {
                let fingerprint = &self.negotiated.fingerprint;
                let make = || Engine::new(now, shared, fingerprint);
                self.statistics.handshakes_dropped += handshake.handle_timeout(now, &make);
                self.drain_connecting(now, out)
            }
            State::Connected(engine) => {
                if engine.wake_at() <= now && engine.handle_timeout(now).is_err() {
                    return self.lost(LostCause::Silent, out);
                }
                if engine.repeats(now) {
                    for datagram in engine.repeat(now) {
                        transmit(&self.ice, datagram.clone(), out);
                    }
                }
                if self.reports.next_at().is_some_and(|at| at <= now) {
                    self.report(now, false, out);
                    self.reports.schedule(now);
                }
                self.drain_connected(out)
            }
        }
    }

    /// When to call [`Peer::handle_timeout`] next.
    pub(crate) fn deadline(&self, patience: Patience) -> Instant {
        let wake_at = match &self.state {
            State::Connecting(handshake) => handshake.wake_at(),
            State::Connected(engine) => {
                Some(self.reports.next_at().map_or(engine.wake_at(), |at| at.min(engine.wake_at())))
            }
        };
        let gives_up_at = self.gives_up_at(patience);
        wake_at.map_or(gives_up_at, |wake_at| wake_at.min(gives_up_at))
    }

    fn gives_up_at(&self, patience: Patience) -> Instant {
        match &self.state {
            State::Connecting(_) => self.accepted_at + patience.connect_within,
            State::Connected(_) => {
                self.ice.checked_at().unwrap_or(self.accepted_at) + patience.consent_for
            }
        }
    }

    fn lost(&mut self, cause: LostCause, out: &mut Outbox) -> Fate {
        out.counters.lost += 1;
        out.events.push_back(Event::Lost { peer: self.id, cause });
        Fate::Goes
    }

    /// After a check: the path in use is another one.
    pub(crate) fn moved(&mut self, out: &mut Outbox) {
        if let (State::Connected(_), Some(path)) = (&self.state, self.ice.selected()) {
            self.statistics.moves += 1;
            out.events.push_back(Event::Moved { peer: self.id, protocol: path.protocol });
        }
    }

    /// Sends a frame. Its numbers and times are mapped onto the one stream to the browser.
    pub(crate) fn send_frame(
        &mut self,
        now: Instant,
        frame: &Frame<'_>,
        out: &mut Outbox,
    ) -> Result<(), SendError> {
        let State::Connected(engine) = &mut self.state else {
            return Err(SendError::NotConnected);
        };
        let payload_type = self.negotiated.payload_type(frame.codec);
        let payload_type = payload_type.ok_or(SendError::NotNegotiated)?;
        let srtp = engine.srtp().ok_or(SendError::NotConnected)?;
        let mapped = self.outgoing.map(now, frame).ok_or(SendError::Late)?;
        let Some(path) = self.ice.selected() else { return Err(SendError::NotConnected) };
        let header = Header {
            payload_type,
            marker: mapped.marker,
            index: mapped.sequence,
            timestamp: mapped.timestamp,
            ssrc: self.ssrc,
        };
        let mut payload = out.buffer();
        if srtp.protect(&header, frame.payload, &mut payload) {
            self.statistics.sent += 1;
            self.octets += frame.payload.len() as u64;
            let (protocol, local, remote) = (path.protocol, path.local, path.remote);
            out.send(Transmit { protocol, local, remote, payload });
        } else {
            out.counters.dropped += 1;
            out.recycle(payload);
        }
        Ok(())
    }

    /// RTP or RTCP of a connected browser.
    fn handle_media(&mut self, now: Instant, packet: &[u8], out: &mut Outbox) {
        let State::Connected(engine) = &mut self.state else { return };
        let Some(srtp) = engine.srtp() else { return };
        if is_rtcp(packet) {
            let Some(compound) = srtp.unprotect_rtcp(packet) else {
                out.counters.dropped += 1;
                return;
            };
            engine.confirmed();
            // A compound without a report in front is reduced-size feedback (RFC 5506): there is
            // nothing in it for sound.
            if let Ok(compound) = Compound::parse(&compound) {
                // Whether the browser leaves is said by DTLS and by its page, not by BYE: a track
                // that is replaced says BYE too.
                let _ = self.reports.read(now, compound, self.ssrc, self.inbound.ssrc());
                let codec = self.negotiated.answered.first().and_then(|payload| payload.codec());
                let clock_rate = codec.map_or(8_000, |codec| codec.clock_rate());
                self.statistics.report(self.reports.remote(), clock_rate);
            }
            return;
        }
        let mut payload = out.buffer();
        match srtp.unprotect(packet, &mut payload) {
            Some(header) => {
                engine.confirmed();
                self.inbound.received(now, self.id, &self.negotiated, &header, payload, out);
            }
            None => {
                out.counters.dropped += 1;
                out.recycle(payload);
            }
        }
    }

    /// Sends a report on both directions, with a goodbye where asked for.
    fn report(&mut self, now: Instant, bye: bool, out: &mut Outbox) {
        let State::Connected(engine) = &mut self.state else { return };
        let Some(srtp) = engine.srtp() else { return };
        let (last_sr, delay) = self.reports.answer_times(now);
        let block = self.inbound.report(last_sr, delay);
        let timestamp = self.outgoing.timestamp_at(now);
        let sent = (self.statistics.sent, self.octets);
        let compound = self.reports.write(now, self.ssrc, sent, timestamp, block.as_ref(), bye);
        if let Some(packet) = srtp.protect_rtcp(&compound) {
            transmit(&self.ice, packet, out);
        }
    }

    /// Says goodbye.
    pub(crate) fn close(&mut self, now: Instant, out: &mut Outbox) {
        self.report(now, true, out);
        if let State::Connected(engine) = &mut self.state {
            engine.close();
            self.drain_connected(out);
        }
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let mut statistics = self.statistics;
        self.inbound.write(&mut statistics);
        statistics
    }

    pub(crate) fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected(_))
    }

    /// How the browser is reached.
    pub(crate) fn protocol(&self) -> Option<Protocol> {
        self.ice.selected().map(|path| path.protocol)
    }

    /// Polls every attempt and takes the first that is complete.
    fn drain_connecting(&mut self, now: Instant, out: &mut Outbox) -> Fate {
        let State::Connecting(handshake) = &mut self.state else { return Fate::Stays };
        let mut index = 0;
        while index < handshake.attempts.len() {
            let Some(attempt) = handshake.attempts.get_mut(index) else { break };
            let ended = loop {
                match attempt.engine.poll() {
                    Ok(Some(Given::Datagram(payload))) => {
                        transmit(&self.ice, payload, out);
                    }
                    Ok(Some(Given::Connected)) => break None,
                    Ok(Some(Given::Closed)) | Err(Broken) => break Some(true),
                    Ok(None) => break Some(false),
                }
            };
            match ended {
                None => {
                    let others = handshake.attempts.len() - 1;
                    self.statistics.handshakes_dropped += u32::try_from(others).unwrap_or(0);
                    let attempt = handshake.attempts.swap_remove(index);
                    self.state = State::Connected(attempt.engine);
                    out.counters.connected += 1;
                    out.events.push_back(Event::Connected {
                        peer: self.id,
                        after: now.saturating_duration_since(self.accepted_at),
                        protocol: self.protocol().unwrap_or(Protocol::Udp),
                    });
                    self.reports.start(now);
                    return self.drain_connected(out);
                }
                Some(true) => {
                    handshake.attempts.remove(index);
                    self.statistics.handshakes_dropped += 1;
                }
                Some(false) => index += 1,
            }
        }
        Fate::Stays
    }

    fn drain_connected(&mut self, out: &mut Outbox) -> Fate {
        loop {
            let State::Connected(engine) = &mut self.state else { return Fate::Stays };
            match engine.poll() {
                Ok(None) => return Fate::Stays,
                Ok(Some(Given::Datagram(payload))) => transmit(&self.ice, payload, out),
                Ok(Some(Given::Connected)) => {}
                Ok(Some(Given::Closed)) => {
                    // The answering close_notify still goes.
                    engine.close();
                    while let Ok(Some(given)) = engine.poll() {
                        if let Given::Datagram(payload) = given {
                            transmit(&self.ice, payload, out);
                        }
                    }
                    out.events.push_back(Event::Closed { peer: self.id });
                    return Fate::Goes;
                }
                Err(Broken) => return self.lost(LostCause::Silent, out),
            }
        }
    }
}

fn transmit(ice: &IceLite, payload: Vec<u8>, out: &mut Outbox) {
    if let Some(path) = ice.selected() {
        let (protocol, local, remote) = (path.protocol, path.local, path.remote);
        out.send(Transmit { protocol, local, remote, payload });
    }
}
