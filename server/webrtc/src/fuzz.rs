//! The entry point for fuzzing.

use crate::offer::Offer;
use crate::{AcceptSettings, Certificate, Endpoint, LocalCandidate, PeerId, Settings};
use base::{Codec, Datagram, Protocol, Seed};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use str0m::crypto::from_feature_flags;
use str0m::ice::{StunMessage, TransId};

/// An offer with the least that is answered.
const LEAST: &str = "v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0 101\r\na=ice-ufrag:peer\r\n\
    a=ice-pwd:0123456789012345678901\r\na=setup:actpass\r\na=rtcp-mux\r\na=mid:0\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fingerprint:sha-256 \
    00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F\r\n";

/// Reads `data` as an offer, and as a list of datagrams (two octets of length before each) that
/// come over the validated path of a connecting peer and from strangers. Nothing may panic, every
/// answer must be read by the own reader, and nothing may be left in the end.
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
        let read = Offer::parse(&answer);
        assert!(read.is_ok_and(|answer| !answer.sections.is_empty()), "an unreadable answer");
        // The same offer again is no restart, and must not upset the peer.
        assert!(endpoint.restart(now, PeerId(1), offer, &accept).is_ok());
    }

    let path = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 9_999);
    let answer = endpoint.accept(now, PeerId(2), LEAST, &accept).unwrap_or_default();
    let mut datagrams = vec![(path, check(&answer).unwrap_or_default())];
    let mut rest = data;
    while let Some((length, tail)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length) & 0x7ff);
        let (payload, tail) = tail.split_at(length.min(tail.len()));
        let stranger = length % 8 == 0;
        let remote = if stranger { SocketAddr::new(path.ip(), 1) } else { path };
        datagrams.push((remote, payload.to_vec()));
        rest = tail;
    }
    for (remote, payload) in datagrams.iter().take(64) {
        let protocol = Protocol::Udp;
        let datagram = Datagram { protocol, local, remote: *remote, payload };
        endpoint.handle_datagram(now, &datagram);
        now += Duration::from_millis(payload.len() as u64);
        endpoint.handle_timeout(now);
        while endpoint.poll_transmit().is_some() {}
        while endpoint.poll_event().is_some() {}
        let due = endpoint.poll_timeout();
        assert!(due.is_none_or(|due| due > now), "an endpoint that keeps its driver awake");
    }
    endpoint.close(now, PeerId(1));
    endpoint.close(now, PeerId(2));
    assert_eq!(endpoint.peers(), 0);
    assert!(endpoint.poll_timeout().is_none());
}

/// The check that validates the path, as the browser of [`LEAST`] would send it.
fn check(answer: &str) -> Option<Vec<u8>> {
    let answer = Offer::parse(answer).ok()?;
    let transport = answer.sections.first()?.transport;
    let name = format!("{}:peer", transport.fragment?);
    let crypto = from_feature_flags();
    let hmac = |key: &[u8], parts: &[&[u8]]| crypto.sha1_hmac_provider.sha1_hmac(key, parts);
    let message = StunMessage::binding_request(&name, TransId::new(), true, 1, 1, true);
    let mut buffer = [0; 256];
    let key = transport.password?.as_bytes();
    let length = message.to_bytes(Some(key), &mut buffer, hmac).ok()?;
    buffer.get(..length).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_and_half_sensible_datagrams_never_panic() {
        let mut seed = Seed::from_number(8);
        for _ in 0..300 {
            let mut data = Vec::new();
            for _ in 0..seed.below(12) {
                let mut payload = vec![0; seed.below(160) as usize + 1];
                seed.fill(&mut payload);
                // A record in the clear with a handshake message, as far as it goes.
                let record = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 1, 0, payload.len() as u8, 1, 0];
                if seed.below(3) > 0 {
                    payload.splice(..1, record);
                }
                data.extend_from_slice(&(payload.len() as u16).to_be_bytes());
                data.extend(payload);
            }
            fuzz(&data);
        }
    }
}
