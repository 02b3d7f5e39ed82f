//! The entry point for fuzzing.

use crate::{AcceptSettings, Certificate, Endpoint, LocalCandidate, PeerId, Settings};
use base::{Codec, Datagram, Protocol, Seed};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Reads `data` as an offer, and as a list of datagrams (a length octet before each) that reach an
/// endpoint with one peer. Nothing may panic, and every answer must be read by the own reader.
pub fn fuzz(data: &[u8]) {
    static CERTIFICATE: OnceLock<Option<Certificate>> = OnceLock::new();
    let certificate = CERTIFICATE.get_or_init(|| Certificate::generate().ok());
    let Some(certificate) = certificate.clone() else { return };
    let local = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 4_000);
    let candidate = LocalCandidate::new(local, Protocol::Udp);
    let settings = Settings::new(vec![candidate], certificate);
    let Ok(mut endpoint) = Endpoint::new(settings, Seed::from_number(1)) else { return };
    let mut now = Instant::now();
    let accept = AcceptSettings { codecs: &Codec::ALL, local_page: true };

    if let Ok(offer) = std::str::from_utf8(data)
        && let Ok(answer) = endpoint.accept(now, PeerId(1), offer, &accept)
    {
        let read = crate::offer::Offer::parse(&answer);
        assert!(read.is_ok_and(|answer| !answer.sections.is_empty()), "an unreadable answer");
        // The same offer again is no restart, and must not upset the peer.
        assert!(endpoint.restart(now, PeerId(1), offer, &accept).is_ok());
    }
    let mut rest = data;
    while let Some((length, tail)) = rest.split_first() {
        let (payload, tail) = tail.split_at(usize::from(*length).min(tail.len()));
        rest = tail;
        let remote = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), u16::from(*length) + 1);
        now += Duration::from_millis(u64::from(*length));
        endpoint
            .handle_datagram(now, &Datagram { protocol: Protocol::Udp, local, remote, payload });
        endpoint.handle_timeout(now);
        while endpoint.poll_transmit().is_some() {}
        while endpoint.poll_event().is_some() {}
    }
    endpoint.close(now, PeerId(1));
    assert_eq!(endpoint.peers(), 0);
    assert!(endpoint.poll_timeout().is_none());
}
