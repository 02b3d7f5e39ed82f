//! One stream end towards a SIP peer: sound and digits in and out, RTCP beside them.
//!
//! The hot path, [`StreamEnd::handle_datagram`] and [`StreamEnd::send_frame`], allocates nothing:
//! what comes in borrows from the datagram, what goes out is written to the caller's buffer. RTCP
//! and telephone events, a few packets a second, come out of [`StreamEnd::poll_transmit`].

mod latch;
mod payloads;
mod types;

pub use payloads::PayloadMap;
pub use types::{Event, Outgoing, Received, Remote, StreamSettings, StreamStatistics};

use crate::dtmf::{self, DigitsError};
use crate::numbers::HEADER_LENGTH;
use crate::packet::{Packet, is_rtcp};
use crate::receiver::{Arrival, Content, Receiver};
use crate::reports::{Heard, Reports};
use crate::rtcp::Compound;
use crate::sender::Mapper;
use base::{Codec, Datagram, Frame, Protocol, Seed, Transmit};
use latch::{Latch, Verdict, same_host};
use payloads::Incoming;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// One stream end.
#[derive(Debug)]
pub struct StreamEnd {
    local_rtp: SocketAddr,
    local_rtcp: Option<SocketAddr>,
    remote: Remote,
    payloads: PayloadMap,
    ssrc: u32,
    latch: Latch,
    /// Where the peer's valid RTCP comes from.
    rtcp_source: Option<SocketAddr>,
    receiver: Receiver,
    mapper: Mapper,
    /// The clock rate of the sound that goes out, for the choice of the telephone event.
    clock_rate: u32,
    digits_in: dtmf::Receiver,
    digits_out: dtmf::Sender,
    reports: Reports,
    report_due: bool,
    closing: bool,
    closed: bool,
    last_received_at: Option<Instant>,
    packets_sent: u64,
    octets_sent: u64,
    refused: u64,
    dropped: u64,
}

impl StreamEnd {
    /// A stream end with a random SSRC and random first numbers.
    pub fn new(settings: StreamSettings, seed: &mut Seed) -> StreamEnd {
        let StreamSettings { local_rtp, local_rtcp, remote, payloads, cname } = settings;
        let clock_rate = payloads.codecs.first().map_or(8000, |entry| entry.0.clock_rate());
        StreamEnd {
            local_rtp,
            local_rtcp,
            remote,
            payloads,
            ssrc: seed.u32(),
            latch: Latch::new(remote.rtp),
            rtcp_source: None,
            receiver: Receiver::new(),
            mapper: Mapper::new(seed),
            clock_rate,
            digits_in: dtmf::Receiver::new(),
            digits_out: dtmf::Sender::new(clock_rate),
            reports: Reports::new(seed.fork(), cname),
            report_due: false,
            closing: false,
            closed: false,
            last_received_at: None,
            packets_sent: 0,
            octets_sent: 0,
            refused: 0,
            dropped: 0,
        }
    }

    /// Our SSRC.
    pub fn ssrc(&self) -> u32 {
        self.ssrc
    }

    /// Where RTP goes now: the latched source, or the description's address before that.
    pub fn target(&self) -> SocketAddr {
        self.latch.target()
    }

    /// Takes the outcome of a new offer and answer. Numbers go on; the source is sought anew only
    /// where the address changed.
    pub fn set_remote(&mut self, remote: Remote, payloads: PayloadMap) {
        self.latch.describe(remote.rtp);
        if remote != self.remote {
            self.rtcp_source = None;
        }
        self.remote = remote;
        if let Some((codec, ..)) = payloads.codecs.first()
            && payloads.codecs != self.payloads.codecs
        {
            self.clock_rate = codec.clock_rate();
        }
        self.payloads = payloads;
        if let Some((clock_rate, _)) = self.payloads.outgoing_event(self.clock_rate) {
            // Digits that wait are sent at a rate that the peer still takes.
            self.digits_out.set_clock_rate(clock_rate);
        }
    }

    /// Takes one datagram that came to our RTP or RTCP address. At most one thing comes out; a
    /// second digit of the same packet waits for [`StreamEnd::poll_event`].
    pub fn handle_datagram<'d>(
        &mut self,
        now: Instant,
        datagram: &Datagram<'d>,
    ) -> Option<Received<'d>> {
        self.reports.start(now);
        let on_rtcp_port = self.local_rtcp.is_some_and(|local| local == datagram.local);
        if on_rtcp_port || is_rtcp(datagram.payload) {
            return self.handle_rtcp(now, datagram);
        }
        let Ok(packet) = Packet::parse(datagram.payload) else {
            self.dropped += 1;
            return None;
        };
        let incoming = self.payloads.incoming(packet.payload_type);
        let from_latched = self.latch.is_latched() && self.latch.target() == datagram.remote;
        if incoming == Incoming::Unknown && !from_latched {
            // Nobody is latched for a payload that was not agreed on.
            self.refused += 1;
            return None;
        }
        match self.latch.judge(now, datagram.remote, packet.ssrc, packet.sequence) {
            Verdict::Own => {}
            Verdict::Refused => {
                self.refused += 1;
                return None;
            }
            Verdict::Moved { continues } => {
                if !continues {
                    self.receiver.leave_source();
                }
            }
        }
        self.handle_packet(now, packet, incoming)
    }

    fn handle_packet<'d>(
        &mut self,
        now: Instant,
        packet: Packet<'d>,
        incoming: Incoming,
    ) -> Option<Received<'d>> {
        let content = match incoming {
            Incoming::Sound(codec) => Content::Sound(codec.clock_rate()),
            Incoming::Event(_) | Incoming::Unknown => Content::Aside,
        };
        let source = self.receiver.ssrc();
        let arrival = self.receiver.accept(now, &packet, content);
        if self.receiver.ssrc() != source {
            self.digits_in.restart();
        }
        let Arrival::Accepted { sequence, timestamp, restarted } = arrival else {
            self.dropped += u64::from(arrival == Arrival::Dropped);
            return None;
        };
        self.last_received_at = Some(now);
        match incoming {
            Incoming::Sound(codec) => Some(Received::Frame(Frame {
                codec,
                payload: packet.payload,
                sequence,
                timestamp,
                marker: packet.marker || restarted,
                received_at: now,
            })),
            Incoming::Event(clock_rate) => self
                .digits_in
                .handle(now, packet.payload, packet.timestamp, packet.marker, clock_rate)
                .map(Received::Digit),
            Incoming::Unknown => {
                self.dropped += 1;
                None
            }
        }
    }

    fn handle_rtcp<'d>(&mut self, now: Instant, datagram: &Datagram<'d>) -> Option<Received<'d>> {
        // Reports steer no media, but a stranger's BYE or loss figures are still not wanted.
        let from = datagram.remote;
        if !same_host(from, self.latch.target()) && !same_host(from, self.remote.rtcp) {
            self.refused += 1;
            return None;
        }
        let Ok(compound) = Compound::parse(datagram.payload) else {
            self.dropped += 1;
            return None;
        };
        self.rtcp_source = Some(datagram.remote);
        let peer = self.receiver.ssrc();
        let heard = self.reports.read(now, compound, self.ssrc, peer);
        (heard == Heard::Bye).then_some(Received::Bye)
    }

    /// Writes one frame as an RTP packet to `out`. `None` where it is not to be sent: during a
    /// digit, for a codec that was not agreed on, to a peer without an address, after the close,
    /// for a frame that is too late, or with too little room (12 octets more than the payload).
    pub fn send_frame(
        &mut self,
        now: Instant,
        frame: &Frame<'_>,
        out: &mut [u8],
    ) -> Option<Outgoing> {
        self.reports.start(now);
        let payload_type = self.payloads.outgoing(frame.codec)?;
        let fits = out.len() >= HEADER_LENGTH + frame.payload.len();
        if self.digits_out.is_sending() || !self.may_send() || !fits {
            return None;
        }
        self.clock_rate = frame.codec.clock_rate();
        let mapped = self.mapper.map(now, frame.sequence, frame.timestamp, self.clock_rate)?;
        let packet = Packet {
            payload_type,
            marker: mapped.marker || frame.marker,
            sequence: mapped.sequence as u16,
            timestamp: mapped.timestamp,
            ssrc: self.ssrc,
            payload: frame.payload,
        };
        let length = packet.write(out)?;
        self.packets_sent += 1;
        self.octets_sent += frame.payload.len() as u64;
        Some(Outgoing { to: self.latch.target(), length })
    }

    /// The next frames come from another source (speech after a tone); see
    /// [`Mapper::switch_source`].
    pub fn switch_source(&mut self) {
        self.mapper.switch_source();
    }

    /// Queues digits as telephone events.
    ///
    /// # Errors
    /// [`DigitsError`]; nothing of the string is sent then.
    pub fn send_digits(&mut self, now: Instant, digits: &str) -> Result<(), DigitsError> {
        let event = self.payloads.outgoing_event(self.clock_rate);
        let (clock_rate, _) = event.ok_or(DigitsError::NotNegotiated)?;
        self.digits_out.set_clock_rate(clock_rate);
        self.digits_out.queue(now, digits)
    }

    /// Whether the peer takes telephone events; otherwise digits may go by SIP INFO.
    pub fn takes_digits(&self) -> bool {
        !self.payloads.telephone_events.is_empty()
    }

    /// Says goodbye with the next [`StreamEnd::poll_transmit`]; afterwards nothing leaves.
    pub fn close(&mut self) {
        self.closing = true;
    }

    /// The next telephone event or RTCP compound.
    pub fn poll_transmit(&mut self, now: Instant) -> Option<Transmit> {
        if self.closed {
            return None;
        }
        if self.closing {
            self.closed = true;
            self.reports.stop();
            return self.report(now, true);
        }
        if let Some(transmit) = self.digit_packet(now) {
            return Some(transmit);
        }
        if std::mem::take(&mut self.report_due) {
            return self.report(now, false);
        }
        None
    }

    /// A digit that came to its end by silence, or second in its packet.
    pub fn poll_event(&mut self, now: Instant) -> Option<Event> {
        self.digits_in.poll(now).map(Event::Digit)
    }

    /// The soonest deadline: a telephone event to send, one to give up, or a report.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.closed {
            return None;
        }
        let deadlines =
            [self.digits_out.poll_timeout(), self.digits_in.poll_timeout(), self.reports.next_at()];
        deadlines.into_iter().flatten().min()
    }

    /// Time has come to a deadline; drain transmits and events afterwards.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.reports.start(now);
        if self.reports.next_at().is_some_and(|at| at <= now) && !self.closed {
            self.report_due = true;
            self.reports.schedule(now);
        }
    }

    /// A snapshot of the counters.
    pub fn statistics(&self) -> StreamStatistics {
        let reception = self.receiver.statistics();
        let remote = self.reports.remote();
        StreamStatistics {
            packets_sent: self.packets_sent,
            octets_sent: self.octets_sent,
            packets_received: reception.packets,
            octets_received: reception.octets,
            lost: reception.lost,
            reordered: reception.reordered,
            duplicates: reception.duplicates,
            jitter_ms: reception.jitter_ms,
            round_trip_ms: remote.round_trip.map(|trip| trip.as_secs_f32() * 1000.0),
            remote_lost: u32::try_from(remote.lost).unwrap_or(0),
            remote_loss: f32::from(remote.fraction_lost) / 256.0,
            remote_jitter_ms: remote.jitter as f32 * 1000.0 / self.clock_rate as f32,
            refused: self.refused,
            dropped: self.dropped,
        }
    }

    /// When the last RTP packet of the peer was taken.
    pub fn last_received_at(&self) -> Option<Instant> {
        self.last_received_at
    }

    /// How long the peer has been silent, `None` where it was never heard.
    pub fn silent_for(&self, now: Instant) -> Option<Duration> {
        self.last_received_at.map(|at| now.saturating_duration_since(at))
    }

    /// The codec that we prefer to send.
    pub fn codec(&self) -> Option<Codec> {
        self.payloads.codecs.first().map(|entry| entry.0)
    }

    fn may_send(&self) -> bool {
        // 0.0.0.0 is the hold of old peers (RFC 3264 section 8.4).
        let rtp = self.remote.rtp;
        !rtp.ip().is_unspecified() && rtp.port() != 0 && !self.closing
    }

    fn digit_packet(&mut self, now: Instant) -> Option<Transmit> {
        if self.digits_out.poll_timeout().is_none_or(|due| due > now) {
            return None;
        }
        let media_time = self.mapper.timestamp_at(now, self.clock_rate);
        let event = self.digits_out.poll(now, media_time)?;
        // A re-offer may have taken the payload type away, or the address: the event is then
        // played out in silence, so that the queue still empties.
        let payload_type = self.payloads.outgoing_event_type(event.clock_rate)?;
        if !self.may_send() {
            return None;
        }
        let sequence = self.mapper.insert(event.timestamp);
        let packet = Packet {
            payload_type,
            marker: event.marker,
            sequence: sequence as u16,
            timestamp: event.timestamp,
            ssrc: self.ssrc,
            payload: &event.payload,
        };
        let mut payload = vec![0; HEADER_LENGTH + event.payload.len()];
        packet.write(&mut payload)?;
        self.packets_sent += 1;
        self.octets_sent += event.payload.len() as u64;
        let remote = self.latch.target();
        Some(Transmit { protocol: Protocol::Udp, local: self.local_rtp, remote, payload })
    }

    fn report(&mut self, now: Instant, bye: bool) -> Option<Transmit> {
        let (local, remote) = self.rtcp_path()?;
        let (last_sr, delay) = self.reports.answer_times(now);
        let block = self.receiver.report(last_sr, delay);
        let timestamp = self.mapper.peek_timestamp(now);
        let sent = (self.packets_sent, self.octets_sent);
        let payload = self.reports.write(now, self.ssrc, sent, timestamp, block.as_ref(), bye);
        Some(Transmit { protocol: Protocol::Udp, local, remote, payload })
    }

    /// From where to where RTCP goes, if anywhere.
    fn rtcp_path(&self) -> Option<(SocketAddr, SocketAddr)> {
        let described = self.remote.rtp;
        if described.ip().is_unspecified() || described.port() == 0 {
            return None;
        }
        if self.remote.mux {
            return Some((self.local_rtp, self.latch.target()));
        }
        let local = self.local_rtcp?;
        let target = self.latch.target();
        let remote = match self.rtcp_source {
            Some(source) => source,
            // A peer behind a NAT most likely keeps the rule of the next port.
            None if !same_host(target, described) => {
                SocketAddr::new(target.ip(), target.port().checked_add(1)?)
            }
            None => self.remote.rtcp,
        };
        (remote.port() != 0 && !remote.ip().is_unspecified()).then_some((local, remote))
    }
}

#[cfg(test)]
#[path = "hot_path_tests.rs"]
mod hot_path_tests;
#[cfg(test)]
#[path = "speex_tests.rs"]
mod speex_tests;
#[cfg(test)]
#[path = "tests.rs"]
mod tests;
