//! One DTLS-SRTP connection: the only file that drives a str0m `Rtc`.
//!
//! To the `Rtc` inside the network is one pair of addresses that never changes. It is nominated
//! once, by a check that this file makes itself; afterwards no check ever reaches it. Where
//! datagrams really come from and go to is decided outside, by [`crate::ice`].

use crate::error::SetupError;
use crate::negotiation::{Content, Negotiated};
use base::Codec;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::config::DtlsCert;
use str0m::crypto::{CryptoProvider, Fingerprint, from_feature_flags};
use str0m::format::{Codec as RtcCodec, FormatParams};
use str0m::ice::{IceCreds, StunMessage, TransId};
use str0m::media::{Frequency, MediaKind, Mid, Pt};
use str0m::net::{Protocol, Receive};
use str0m::rtp::{Extension, ExtensionMap, RtpPacket, RtpWrite};
use str0m::stats::MediaEgressStats;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};

/// How often sent quality is reported; as often as browsers send receiver reports.
const REPORTS_EVERY: Duration = Duration::from_secs(5);
/// The addresses and credentials of the pair inside. Nothing from a socket is ever compared with
/// them: checks do not come in here.
const INNER_LOCAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)), 1);
const INNER_REMOTE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), 1);
const INNER_NAME: &str = "inner:outer";
const INNER_PASSWORD: &str = "notasecretnothingchecksit";

/// The DTLS certificate, made once and shared by all peers and shards.
#[derive(Clone)]
pub struct Certificate(DtlsCert);

impl Certificate {
    /// A new self-signed one (ECDSA P-256).
    pub fn generate() -> Result<Certificate, SetupError> {
        let certificate = from_feature_flags().dtls_provider.generate_certificate();
        certificate.map(Certificate).ok_or(SetupError::Certificate)
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificate")
    }
}

/// What all connections of an endpoint share.
pub(crate) struct Shared {
    pub(crate) crypto: Arc<CryptoProvider>,
    certificate: Certificate,
    /// SHA-256 of the certificate as `AB:CD:...`.
    pub(crate) fingerprint: String,
}

impl Shared {
    pub(crate) fn new(certificate: Certificate) -> Shared {
        let crypto = Arc::new(from_feature_flags());
        let digest = crypto.sha256_provider.sha256(&certificate.0.certificate);
        let fingerprint: Vec<_> = digest.iter().map(|octet| format!("{octet:02X}")).collect();
        Shared { crypto, certificate, fingerprint: fingerprint.join(":") }
    }
}

/// What a connection gives.
#[allow(clippy::large_enum_variant)]
pub(crate) enum Given {
    /// DTLS, SRTP or SRTCP for the browser.
    Datagram(Vec<u8>),
    /// The handshake is complete and the certificate is that of the offer.
    Connected,
    /// The browser closed the connection.
    Closed,
    /// By value: boxing it would be an allocation for each packet.
    Packet(RtpPacket),
    Report(Box<MediaEgressStats>),
}

/// The connection cannot go on: a handshake that failed or had the wrong certificate.
pub(crate) struct Broken;

/// One connection.
pub(crate) struct Engine {
    /// Boxed: it is 10 KB.
    rtc: Box<Rtc>,
    ssrc: u32,
    wake_at: Instant,
}

impl Engine {
    /// A connection that waits for the browser's ClientHello.
    pub(crate) fn new(
        now: Instant,
        shared: &Shared,
        negotiated: &Negotiated,
        ssrc: u32,
    ) -> Result<Engine, Broken> {
        let mut config = RtcConfig::new()
            .clear_codecs()
            .set_crypto_provider(shared.crypto.clone())
            .set_dtls_cert(shared.certificate.0.clone())
            .set_local_ice_credentials(inner_credentials("inner"))
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .set_stats_interval(Some(REPORTS_EVERY));
        let mut extensions = ExtensionMap::empty();
        if let Some(id) = negotiated.mid_extension {
            extensions.set(id, Extension::RtpMid);
        }
        config = config.set_extension_map(extensions);
        for payload in &negotiated.payloads {
            let (codec, rate, channels) = match payload.content {
                Content::Sound(Codec::Opus) => {
                    (RtcCodec::Opus, Frequency::FORTY_EIGHT_KHZ, Some(2))
                }
                Content::Sound(Codec::G722) => (RtcCodec::G722, Frequency::SIXTEEN_KHZ, None),
                Content::Sound(Codec::Pcma) => (RtcCodec::PCMA, Frequency::EIGHT_KHZ, None),
                Content::Sound(Codec::Pcmu) => (RtcCodec::PCMU, Frequency::EIGHT_KHZ, None),
                Content::Event(48_000) => (RtcCodec::Tele, Frequency::FORTY_EIGHT_KHZ, None),
                Content::Event(_) => (RtcCodec::Tele, Frequency::EIGHT_KHZ, None),
            };
            let payload_type = Pt::from(payload.payload_type);
            let format = FormatParams::default();
            config.codec_config().add_config(payload_type, None, codec, rate, channels, format);
        }

        let mut rtc = Box::new(config.build(now));
        let candidate = Candidate::host(INNER_LOCAL, "udp").map_err(|_| Broken)?;
        rtc.add_local_candidate(candidate);
        let mid = Mid::from(negotiated.mid.as_str());
        let mut api = rtc.direct_api();
        api.set_ice_controlling(false);
        api.set_remote_ice_credentials(inner_credentials("outer"));
        api.set_remote_fingerprint(Fingerprint {
            hash_func: "sha-256".to_owned(),
            bytes: negotiated.fingerprint.to_vec(),
        });
        api.declare_media(mid, MediaKind::Audio);
        api.declare_stream_tx(ssrc.into(), None, mid, None);
        for ssrc in &negotiated.ssrcs {
            api.expect_stream_rx((*ssrc).into(), None, mid, None);
        }
        api.start_dtls(false).map_err(|_| Broken)?;

        let mut engine = Engine { rtc, ssrc, wake_at: now };
        engine.nominate(now, shared)?;
        Ok(engine)
    }

    /// Tells the `Rtc` about its one pair; without a nominated pair it sends nothing.
    fn nominate(&mut self, now: Instant, shared: &Shared) -> Result<(), Broken> {
        let check = StunMessage::binding_request(INNER_NAME, TransId::new(), true, 1, 1, true);
        let hmac = |k: &[u8], parts: &[&[u8]]| shared.crypto.sha1_hmac_provider.sha1_hmac(k, parts);
        let mut buffer = [0; 256];
        let key = Some(INNER_PASSWORD.as_bytes());
        let length = check.to_bytes(key, &mut buffer, hmac).map_err(|_| Broken)?;
        self.receive(now, buffer.get(..length).unwrap_or_default())
    }

    /// A packet from a validated path. An unparsable or unexpected one is no error.
    pub(crate) fn receive(&mut self, now: Instant, packet: &[u8]) -> Result<(), Broken> {
        let Ok(packet) = Receive::new(Protocol::Udp, INNER_REMOTE, INNER_LOCAL, packet) else {
            return Ok(());
        };
        self.rtc.handle_input(Input::Receive(now, packet)).map_err(|_| Broken)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), Broken> {
        self.rtc.handle_input(Input::Timeout(now)).map_err(|_| Broken)
    }

    /// When to call [`Engine::handle_timeout`]; valid after [`Engine::poll`] gave `None`.
    pub(crate) fn wake_at(&self) -> Instant {
        self.wake_at
    }

    /// Whether the connection can still carry anything.
    pub(crate) fn is_alive(&self) -> bool {
        self.rtc.is_alive()
    }

    /// Sends one RTP packet. The payload is copied once, into the buffer that str0m shares with
    /// its send queue.
    pub(crate) fn write(
        &mut self,
        now: Instant,
        payload_type: u8,
        sequence: u64,
        timestamp: u32,
        marker: bool,
        payload: &[u8],
    ) -> Result<(), Broken> {
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx(&self.ssrc.into()).ok_or(Broken)?;
        let packet = RtpWrite::new(payload_type.into(), sequence.into(), timestamp, now, payload);
        stream.write_rtp(packet.marker(marker));
        // The queue is looked at when time is seen to pass, so let it.
        self.handle_timeout(now)
    }

    /// Accepts another source of the browser that its offer did not name.
    pub(crate) fn expect(&mut self, ssrc: u32, mid: &str) {
        self.rtc.direct_api().expect_stream_rx(ssrc.into(), None, Mid::from(mid), None);
    }

    /// Says goodbye: RTCP BYE and DTLS close_notify come out of the next polls.
    pub(crate) fn close(&mut self) {
        // What cannot be closed properly is dropped just the same.
        let _ = self.rtc.close();
    }

    /// What the connection gives next; `None` when it waits.
    pub(crate) fn poll(&mut self) -> Result<Option<Given>, Broken> {
        loop {
            match self.rtc.poll_output().map_err(|_| Broken)? {
                Output::Timeout(at) => {
                    self.wake_at = at;
                    return Ok(None);
                }
                // The answer to the check made in `nominate` stays inside.
                Output::Transmit(t) if t.contents.first().is_none_or(|octet| *octet < 20) => {}
                Output::Transmit(t) => return Ok(Some(Given::Datagram(t.contents.into()))),
                Output::Event(Event::Connected) => return Ok(Some(Given::Connected)),
                Output::Event(Event::Closed) => return Ok(Some(Given::Closed)),
                Output::Event(Event::RtpPacket(packet)) => return Ok(Some(Given::Packet(packet))),
                Output::Event(Event::MediaEgressStats(report)) => {
                    return Ok(Some(Given::Report(Box::new(report))));
                }
                Output::Event(_) => {}
            }
        }
    }
}

fn inner_credentials(fragment: &str) -> IceCreds {
    IceCreds { ufrag: fragment.to_owned(), pass: INNER_PASSWORD.to_owned() }
}
