//! Entry point for fuzzing.

use crate::{
    AnswerSettings, Direction, Encryption, Offer, OfferSettings, OwnKeys, SdpError, Session,
    accept_answer, answer,
};
use base::{Codec, Seed};
use std::net::{IpAddr, Ipv4Addr};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn offering(encryption: Encryption, keys: &OwnKeys) -> OfferSettings<'_> {
    OfferSettings {
        address: HERE,
        port: 4000,
        rtcp_port: None,
        rtcp_mux: true,
        encryption,
        keys,
        codecs: &Codec::ALL,
        ptime: 20,
        session_id: 1,
        version: 1,
        direction: Direction::SendReceive,
        previous: None,
    }
}

fn answering(encryption: Encryption, keys: &OwnKeys) -> AnswerSettings<'_> {
    AnswerSettings {
        address: HERE,
        port: 4000,
        rtcp_port: None,
        rtcp_mux: true,
        encryption,
        keys,
        codecs: &Codec::ALL,
        ptime: 20,
        session_id: 1,
        version: 1,
        direction: Direction::SendReceive,
    }
}

/// Reads any octets as a description, as an answer and as an offer.
///
/// # Panics
/// Where our own answer to it cannot be read, or does not keep its `m=` lines.
pub fn fuzz(data: &[u8]) {
    let none = OwnKeys::new(Encryption::Off, &mut Seed::from_number(0));
    let offer = Offer::build(&offering(Encryption::Off, &none));
    if let Ok(negotiated) = accept_answer(&offer, data) {
        assert!(!negotiated.codecs.is_empty() && negotiated.codecs.len() <= Codec::ALL.len());
        assert!((10..=120).contains(&negotiated.ptime));
    }
    if let Ok((octets, negotiated)) = answer(data, &answering(Encryption::Off, &none)) {
        let (Ok(theirs), Ok(ours)) = (Session::parse(data), Session::parse(&octets)) else {
            unreachable!("an answered offer and its answer are readable")
        };
        assert_eq!(theirs.media.len(), ours.media.len());
        let open = ours.media.iter().filter(|media| media.port != 0).count();
        assert_eq!(open, 1);
        for (a, b) in theirs.media.iter().zip(&ours.media) {
            assert_eq!((&a.kind, &a.protocol), (&b.kind, &b.protocol));
        }
        // An offer of ours in the same dialog keeps the lines too, and finds no number twice.
        let again = Offer::build(&OfferSettings {
            rtcp_mux: false,
            version: 2,
            direction: Direction::SendOnly,
            previous: Some(&negotiated),
            ..offering(Encryption::Off, &none)
        });
        let Ok(again) = Session::parse(again.octets()) else {
            unreachable!("our own offer is readable")
        };
        assert_eq!(again.media.len(), theirs.media.len());
    }
    match Session::parse(data) {
        Ok(session) => assert!(!session.media.is_empty()),
        Err(error) => assert!(matches!(error, SdpError::NotSdp | SdpError::TooLarge)),
    }
}

/// Puts any text behind `a=crypto:` and reads it as an offer and as an answer.
///
/// # Panics
/// Where sound in the clear comes of it although encryption is required, or where two of us do not
/// agree on the keys of our answer.
pub fn fuzz_crypto(data: &[u8]) {
    let line = String::from_utf8_lossy(data).replace(['\r', '\n'], " ");
    let head = "v=0\r\no=- 7 3 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";
    let body = format!("{head}m=audio 4000 RTP/SAVP 8\r\na=crypto:{line}\r\n");
    let mut seed = Seed::from_number(data.len() as u64);
    for encryption in [Encryption::Offered, Encryption::Required] {
        let keys = OwnKeys::new(encryption, &mut seed);
        let offer = Offer::build(&offering(encryption, &keys));
        if let Ok(negotiated) = accept_answer(&offer, body.as_bytes()) {
            let Some(agreed) = negotiated.protection else {
                unreachable!("a secure profile has keys")
            };
            assert_ne!(agreed.own, agreed.peer);
            assert!(agreed.peer_identifier <= 128);
        }
        if let Ok((octets, negotiated)) = answer(body.as_bytes(), &answering(encryption, &keys)) {
            let text = String::from_utf8_lossy(&octets);
            assert_eq!(text.matches("a=crypto:").count(), 1);
            let agreed = negotiated.protection;
            assert!(agreed.is_some_and(|agreed| text.contains(&agreed.own.reveal_base64())));
        }
    }
}
