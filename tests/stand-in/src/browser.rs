//! The browser: str0m with full ICE, driven like a browser and like a machine.

use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::change::{SdpAnswer, SdpPendingOffer};
use str0m::config::DtlsVersion;
use str0m::format::{Codec, FormatParams};
use str0m::media::{Direction, Frequency, MediaKind, Mid};
use str0m::net::{Protocol, Receive, TcpType, Transmit};
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc};

/// How a browser is set up.
pub struct Options {
    /// Its UDP candidate.
    pub udp: Option<SocketAddr>,
    /// Its active ICE-TCP candidate.
    pub tcp: Option<SocketAddr>,
    /// Whether it offers video too.
    pub video: bool,
    /// The DTLS that it speaks.
    pub version: DtlsVersion,
    /// The size that DTLS keeps its datagrams to; a small one fragments the ClientHello.
    pub mtu: usize,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            udp: Some("198.51.100.5:40000".parse().unwrap()),
            tcp: None,
            video: true,
            version: DtlsVersion::Dtls12,
            mtu: 1150,
        }
    }
}

/// One packet of sound that has come.
pub struct Received {
    /// As in RTP.
    pub payload_type: u8,
    /// Extended by the cycles.
    pub sequence: u64,
    /// As in RTP.
    pub timestamp: u32,
    /// Deciphered.
    pub payload: Vec<u8>,
}

/// One peer connection. Whatever is called, what it wants to send lies in `outbox` afterwards.
pub struct Browser {
    /// The session itself.
    pub rtc: Rtc,
    /// Its audio section.
    pub mid: Mid,
    /// Whether ICE and DTLS are up.
    pub connected: bool,
    /// Whether the far end has said good-bye.
    pub closed: bool,
    /// Whether the session gave up or was given nonsense.
    pub failed: bool,
    /// All sound so far.
    pub received: Vec<Received>,
    /// What is to be sent.
    pub outbox: Vec<Transmit>,
    pending: Option<SdpPendingOffer>,
    wake_at: Instant,
    sent: u64,
    pressed: Option<u32>,
}

impl Browser {
    /// A browser and its first offer.
    pub fn new(now: Instant, options: &Options) -> (Browser, String) {
        let mut config = Rtc::builder()
            .clear_codecs()
            .enable_opus(true, true)
            .enable_g722(true, false)
            .enable_pcmu(true, false)
            .enable_pcma(true, false)
            .enable_comfort_noise(true)
            .enable_vp8(true)
            .set_dtls_version(options.version)
            .set_mtu(options.mtu..=1500)
            .set_rtp_mode(true);
        for (payload_type, rate) in [(110, Frequency::FORTY_EIGHT_KHZ), (126, Frequency::EIGHT_KHZ)]
        {
            let format = FormatParams::default();
            let codecs = config.codec_config();
            codecs.add_config(u8::into(payload_type), None, Codec::Tele, rate, None, format);
        }
        let mut rtc = config.build(now);
        if let Some(address) = options.udp {
            rtc.add_local_candidate(Candidate::host(address, "udp").unwrap());
        }
        if let Some(address) = options.tcp {
            let candidate = Candidate::builder().tcp().host(address).tcptype(TcpType::Active);
            rtc.add_local_candidate(candidate.build().unwrap());
        }
        let mut api = rtc.sdp_api();
        let mid = api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        if options.video {
            api.add_media(MediaKind::Video, Direction::SendRecv, None, None, None);
        }
        let (offer, pending) = api.apply().unwrap();
        let browser = Browser {
            rtc,
            mid,
            connected: false,
            closed: false,
            failed: false,
            received: Vec::new(),
            outbox: Vec::new(),
            pending: Some(pending),
            wake_at: now,
            sent: 0,
            pressed: None,
        };
        (browser, offer.to_sdp_string())
    }

    /// Takes the answer to the last offer.
    pub fn answer(&mut self, now: Instant, answer: &str) {
        let answer = SdpAnswer::from_sdp_string(answer).unwrap();
        let pending = self.pending.take().unwrap();
        self.rtc.sdp_api().accept_answer(pending, answer).unwrap();
        self.handle_timeout(now);
    }

    /// A later offer with new ICE credentials.
    pub fn restart(&mut self) -> String {
        let mut api = self.rtc.sdp_api();
        api.ice_restart(true);
        let (offer, pending) = api.apply().unwrap();
        self.pending = Some(pending);
        offer.to_sdp_string()
    }

    /// Lets time pass.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.rtc.handle_input(Input::Timeout(now)).is_err() {
            self.failed = true;
        }
        self.drain();
    }

    /// Takes a packet from the network.
    pub fn receive(
        &mut self,
        now: Instant,
        tcp: bool,
        from: SocketAddr,
        to: SocketAddr,
        data: &[u8],
    ) {
        let protocol = if tcp { Protocol::Tcp } else { Protocol::Udp };
        let Ok(packet) = Receive::new(protocol, from, to, data) else { return };
        let input = Input::Receive(now, packet);
        if self.rtc.accepts(&input) && self.rtc.handle_input(input).is_err() {
            self.failed = true;
        }
        self.drain();
    }

    /// When [`Browser::handle_timeout`] wants to be called.
    pub fn wake_at(&self) -> Instant {
        self.wake_at
    }

    /// Sends 20 ms of sound.
    pub fn send(&mut self, now: Instant, payload_type: u8, step: u32, payload: &[u8]) {
        let n = self.sent;
        self.sent += 1;
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(self.mid, None).unwrap();
        let timestamp = 70_000 + n as u32 * step;
        stream.write_rtp(RtpWrite::new(
            payload_type.into(),
            (1_000 + n).into(),
            timestamp,
            now,
            payload,
        ));
        self.handle_timeout(now);
    }

    /// Sends one packet of the telephone event that began with the first one.
    pub fn press(&mut self, now: Instant, payload_type: u8, payload: &[u8]) {
        let began = *self.pressed.get_or_insert(80_000 + self.sent as u32 * 160);
        let sequence = (1_000 + self.sent).into();
        self.sent += 1;
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(self.mid, None).unwrap();
        stream.write_rtp(RtpWrite::new(payload_type.into(), sequence, began, now, payload));
        self.handle_timeout(now);
    }

    /// The next packet begins another event.
    pub fn release(&mut self) {
        self.pressed = None;
    }

    /// Closes the connection; DTLS says so to the far end.
    pub fn close(&mut self) {
        self.rtc.close().unwrap();
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.wake_at = at;
                    return;
                }
                Ok(Output::Transmit(transmit)) => self.outbox.push(transmit),
                Ok(Output::Event(Event::Connected)) => self.connected = true,
                Ok(Output::Event(Event::Closed)) => self.closed = true,
                Ok(Output::Event(Event::RtpPacket(packet))) => self.received.push(Received {
                    payload_type: *packet.header.payload_type,
                    sequence: *packet.seq_no,
                    timestamp: packet.header.timestamp,
                    payload: packet.payload.to_vec(),
                }),
                Ok(Output::Event(_)) => {}
                Err(_) => {
                    self.failed = true;
                    self.wake_at += Duration::from_secs(1);
                    return;
                }
            }
        }
    }
}
