//! One stream end towards a SIP peer: sound and digits in and out, RTCP beside them.
//!
//! The hot path, [`StreamEnd::handle_datagram`] and [`StreamEnd::send_frame`], allocates nothing:
//! what comes in borrows from the datagram, or from the caller's buffer where it had to be decrypted;
//! what goes out is written to the caller's buffer. RTCP and telephone events, a few packets a second,
//! come out of [`StreamEnd::poll_transmit`].

mod latch;
mod outgoing;
mod pack;
mod payloads;
mod secure;
mod types;

pub use payloads::PayloadMap;
pub use secure::Protection;
pub use types::{Event, Outgoing, Received, Remote, StreamSettings, StreamStatistics};

use crate::dtmf::{self, DigitsError};
use crate::packet::{Packet, is_rtcp};
use crate::receiver::{Arrival, Content, Receiver};
use crate::reports::{Heard, Reports};
use crate::rtcp::Compound;
use crate::sender::Mapper;
use base::{Codec, Datagram, Frame, Protocol, Seed, Transmit};
use latch::{Latch, Proof, Verdict, same_host};
use pack::Packer;
use payloads::Incoming;
use secure::Secure;
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
    /// Boxed: most streams have none.
    secure: Option<Box<Secure>>,
    /// The SRTCP index that the last key has come to: it may be agreed on again.
    next_compound: u32,
    /// Present for a peer that wants packets of other than 20 ms.
    packer: Option<Box<Packer>>,
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
            secure: None,
            next_compound: 0,
            packer: None,
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

    /// Encrypts from now on, or no longer. A key that stays keeps its numbers. False where the keys
    /// are not their suite's: nothing is sent or taken then.
    pub fn set_protection(&mut self, protection: Option<Protection>) -> bool {
        let before = self.secure.take().map(|secure| *secure);
        if let Some(before) = &before {
            self.next_compound = before.sealer.next_compound();
        }
        let Some(protection) = protection else { return true };
        self.secure = Secure::agree(before, protection).map(Box::new);
        match &mut self.secure {
            Some(secure) => secure.sealer.go_on_from(self.next_compound),
            None => {
                self.payloads = PayloadMap::default();
                (self.closing, self.closed) = (true, true);
            }
        }
        self.secure.is_some()
    }

    /// Sends packets of so many milliseconds from now on, 10 to 60, where the codec lets itself be cut.
    pub fn set_packet_time(&mut self, milliseconds: u32) {
        let packer = Packer::new(milliseconds);
        let length = |packer: &Packer| packer.length();
        // A description that is repeated leaves no mark in the stream.
        if packer.as_ref().map(length) != self.packer.as_deref().map(length) {
            self.packer = packer.map(Box::new);
            self.mapper.switch_source();
        }
    }

    /// Whether what is sent and taken is encrypted.
    pub fn is_protected(&self) -> bool {
        self.secure.is_some()
    }

    /// Takes one datagram that came to our RTP or RTCP address; what had to be decrypted lies in
    /// `scratch`, which has room for the longest packet. At most one thing comes out; a second digit
    /// of the same packet waits for [`StreamEnd::poll_event`].
    pub fn handle_datagram<'d>(
        &mut self,
        now: Instant,
        datagram: &Datagram<'d>,
        scratch: &'d mut [u8],
    ) -> Option<Received<'d>> {
        self.reports.start(now);
        let on_rtcp_port = self.local_rtcp.is_some_and(|local| local == datagram.local);
        let rtcp = on_rtcp_port || is_rtcp(datagram.payload);
        // Before anything is believed of it: what is not authentic moves no address and no number.
        let opened = match &mut self.secure {
            None => Some(datagram.payload),
            Some(secure) if rtcp => secure.opener.open_rtcp(datagram.payload, scratch),
            Some(secure) => secure.opener.open(datagram.payload, scratch),
        };
        let Some(payload) = opened else {
            self.refused += 1;
            return None;
        };
        if rtcp {
            return self.handle_rtcp(now, datagram.remote, payload);
        }
        let Ok(packet) = Packet::parse(payload) else {
            self.dropped += 1;
            return None;
        };
        let incoming = self.payloads.incoming(packet.payload_type);
        let from_latched = self.latch.is_latched() && self.latch.target() == datagram.remote;
        if matches!(incoming, Incoming::Unknown | Incoming::Noise) && !from_latched {
            // Nobody is latched for a payload that was not agreed on, nor for a pause.
            self.refused += 1;
            return None;
        }
        let proof =
            Proof { ssrc: packet.ssrc, sequence: packet.sequence, authentic: self.is_protected() };
        match self.latch.judge(now, datagram.remote, proof) {
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
            Incoming::Event(_) | Incoming::Noise | Incoming::Unknown => Content::Aside,
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
            Incoming::Noise => packet.payload.first().map(|level| Received::Noise(level & 0x7f)),
            Incoming::Unknown => {
                self.dropped += 1;
                None
            }
        }
    }

    fn handle_rtcp<'d>(
        &mut self,
        now: Instant,
        from: SocketAddr,
        payload: &[u8],
    ) -> Option<Received<'d>> {
        // Reports steer no media, but a stranger's BYE or loss figures are still not wanted.
        if !same_host(from, self.latch.target()) && !same_host(from, self.remote.rtcp) {
            self.refused += 1;
            return None;
        }
        let Ok(compound) = Compound::parse(payload) else {
            self.dropped += 1;
            return None;
        };
        self.rtcp_source = Some(from);
        let peer = self.receiver.ssrc();
        let heard = self.reports.read(now, compound, self.ssrc, peer);
        (heard == Heard::Bye).then_some(Received::Bye)
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
            remote_reports: remote.reports,
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

    fn report(&mut self, now: Instant, bye: bool) -> Option<Transmit> {
        let (local, remote) = self.rtcp_path()?;
        let (last_sr, delay) = self.reports.answer_times(now);
        let block = self.receiver.report(last_sr, delay);
        let timestamp = self.mapper.peek_timestamp(now);
        let sent = (self.packets_sent, self.octets_sent);
        let mut payload = self.reports.write(now, self.ssrc, sent, timestamp, block.as_ref(), bye);
        if let Some(secure) = &mut self.secure
            && !secure.sealer.seal_rtcp(&mut payload)
        {
            return None;
        }
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
#[path = "length_tests.rs"]
mod length_tests;
#[cfg(test)]
#[path = "report_tests.rs"]
mod report_tests;
#[cfg(test)]
#[path = "secure_tests.rs"]
mod secure_tests;
#[cfg(test)]
#[path = "speex_tests.rs"]
mod speex_tests;
#[cfg(test)]
#[path = "tests.rs"]
mod tests;
