//! One DTLS-SRTP connection: the only file that drives DTLS.
//!
//! The library's whole peer connection is not used: one call has one stream each way, and its
//! general session (NACK, pacing, bandwidth estimation, an ICE agent per call) costs several times
//! the processor time and memory of what an audio call needs. DTLS, the SRTP ciphers and STUN are
//! the library's.

use crate::error::SetupError;
use crate::srtp::Srtp;
use dimpl::{Config, Dtls, DtlsCertificate, Output};
use std::sync::Arc;
use std::time::{Duration, Instant};
use str0m::crypto::{CryptoProvider, from_feature_flags};

/// Room for one DTLS datagram; a flight is cut to less than the usual MTU.
const DATAGRAM: usize = 2_048;
/// More than this no record has (RFC 6347 4.1.1).
const DATAGRAM_MAX: usize = 1 << 16;

/// The DTLS certificate, made once and shared by all peers and shards.
#[derive(Clone)]
pub struct Certificate {
    own: DtlsCertificate,
    /// Made once too: the library tests every cipher, key exchange and signature while making it,
    /// which costs more than a handshake.
    config: Arc<Config>,
}

impl Certificate {
    /// A new self-signed one (ECDSA P-256).
    pub fn generate() -> Result<Certificate, SetupError> {
        let own = dimpl::certificate::generate_self_signed_certificate();
        let own = own.map_err(|_| SetupError::Certificate)?;
        // A check has shown that the browser receives at its address before the first handshake
        // packet is taken, so a cookie would only cost a round trip (RFC 6347 4.2.1).
        let config = Config::builder().use_server_cookie(false).build();
        let config = Arc::new(config.map_err(|_| SetupError::Cryptography)?);
        Ok(Certificate { own, config })
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
        let digest = crypto.sha256_provider.sha256(&certificate.own.certificate);
        let fingerprint: Vec<_> = digest.iter().map(|octet| format!("{octet:02X}")).collect();
        Shared { crypto, certificate, fingerprint: fingerprint.join(":") }
    }
}

/// What a connection gives.
pub(crate) enum Given {
    /// DTLS for the browser.
    Datagram(Vec<u8>),
    /// The handshake is complete and the certificate is that of the offer.
    Connected,
    /// The browser closed the connection.
    Closed,
}

/// The connection cannot go on: a handshake that failed or had the wrong certificate.
pub(crate) struct Broken;

/// The most datagrams of the last flight; it is one in practice.
const FINAL_MAX: usize = 4;
/// How often the last flight is repeated: whoever asks more often is not the browser.
const REPEATS_MAX: u8 = 16;
/// The first repetition that nobody asked for; the next come at doubled distances.
const REPEAT_AFTER: Duration = Duration::from_millis(300);

/// One connection.
pub(crate) struct Engine {
    dtls: Box<Dtls>,
    crypto: Arc<CryptoProvider>,
    /// SHA-256 of the certificate that the offer names.
    fingerprint: [u8; 32],
    verified: bool,
    finished: bool,
    connected: bool,
    /// Present from the moment when DTLS has agreed on keys.
    srtp: Option<Box<Srtp>>,
    /// Our last flight, kept until the browser is known to have it.
    last_flight: Vec<Vec<u8>>,
    repeats: u8,
    repeat_at: Option<Instant>,
    /// The latest time that was heard of.
    now: Instant,
    wake_at: Instant,
}

impl Engine {
    /// A connection that waits for the ClientHello of the browser with this certificate.
    pub(crate) fn new(
        now: Instant,
        shared: &Shared,
        fingerprint: &[u8; 32],
    ) -> Result<Engine, Broken> {
        let Certificate { own, config } = shared.certificate.clone();
        let mut dtls = Box::new(Dtls::new_12(config, own, now));
        dtls.set_active(false);
        dtls.handle_timeout(now).map_err(|_| Broken)?;
        Ok(Engine {
            dtls,
            crypto: shared.crypto.clone(),
            fingerprint: *fingerprint,
            verified: false,
            finished: false,
            connected: false,
            srtp: None,
            last_flight: Vec::new(),
            repeats: 0,
            repeat_at: None,
            now,
            wake_at: now,
        })
    }

    /// A DTLS packet from a validated path.
    pub(crate) fn receive(&mut self, now: Instant, packet: &[u8]) -> Result<(), Broken> {
        self.handle_timeout(now)?;
        self.dtls.handle_packet(packet).map_err(|_| Broken)
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), Broken> {
        self.now = now;
        self.dtls.handle_timeout(now).map_err(|_| Broken)
    }

    /// When to call [`Engine::handle_timeout`]; valid after [`Engine::poll`] gave `None`.
    pub(crate) fn wake_at(&self) -> Instant {
        self.repeat_at.map_or(self.wake_at, |at| at.min(self.wake_at))
    }

    /// The keys of the media, once the browser is known to be the one of the offer.
    pub(crate) fn srtp(&mut self) -> Option<&mut Srtp> {
        self.srtp.as_deref_mut().filter(|_| self.verified)
    }

    /// What repeats our last flight: the same datagrams once more, when the browser repeats its
    /// own (RFC 6347 4.2.4) and after a while without a sign of it. The library repeats more
    /// slowly than the patience of a browser lasts under heavy loss.
    pub(crate) fn repeat(&mut self, now: Instant) -> &[Vec<u8>] {
        if self.last_flight.is_empty() || self.repeats >= REPEATS_MAX {
            self.repeat_at = None;
            return &[];
        }
        self.repeat_at = Some(now + REPEAT_AFTER * (1 << self.repeats.min(6)));
        self.repeats += 1;
        &self.last_flight
    }

    /// The flight is due to be repeated without being asked for.
    pub(crate) fn repeats(&self, now: Instant) -> bool {
        self.repeat_at.is_some_and(|at| at <= now)
    }

    /// The browser has shown that it has the keys, so it has the last flight.
    pub(crate) fn confirmed(&mut self) {
        if self.repeat_at.is_some() {
            self.repeat_at = None;
            self.repeats = REPEATS_MAX;
            self.last_flight = Vec::new();
        }
    }

    /// Says goodbye: close_notify comes out of the next polls.
    pub(crate) fn close(&mut self) {
        // What cannot be closed properly is dropped just the same.
        let _ = self.dtls.close();
    }

    /// What the connection gives next; `None` when it waits.
    pub(crate) fn poll(&mut self) -> Result<Option<Given>, Broken> {
        let mut buffer = [0; DATAGRAM];
        let mut larger = Vec::new();
        loop {
            if self.verified && self.finished && self.srtp.is_some() && !self.connected {
                self.connected = true;
                return Ok(Some(Given::Connected));
            }
            let had = DATAGRAM.max(larger.len());
            let room = if larger.is_empty() { &mut buffer[..] } else { &mut larger[..] };
            match self.dtls.poll_output(room) {
                Output::Timeout(at) => {
                    self.wake_at = at;
                    return Ok(None);
                }
                Output::Packet(packet) => {
                    let keeps = self.connected && self.repeats == 0;
                    if keeps && self.last_flight.len() < FINAL_MAX {
                        self.last_flight.push(packet.to_vec());
                        self.repeat_at = Some(self.now + REPEAT_AFTER);
                    }
                    return Ok(Some(Given::Datagram(packet.to_vec())));
                }
                Output::BufferTooSmall { needed } if (had + 1..=DATAGRAM_MAX).contains(&needed) => {
                    larger.resize(needed, 0);
                }
                Output::PeerCert(certificate) => {
                    let digest = self.crypto.sha256_provider.sha256(certificate);
                    self.verified = digest == self.fingerprint;
                    if !self.verified {
                        return Err(Broken);
                    }
                }
                Output::KeyingMaterial(material, profile) => {
                    let srtp = Srtp::new(&self.crypto, profile, &material).ok_or(Broken)?;
                    self.srtp = Some(Box::new(srtp));
                }
                Output::Connected => self.finished = true,
                Output::CloseNotify => return Ok(Some(Given::Closed)),
                // Data channels were not agreed on.
                Output::ApplicationData(_) => {}
                _ => return Err(Broken),
            }
        }
    }
}
