//! Entry point for fuzzing.

use crate::{
    AnswerSettings, Direction, Offer, OfferSettings, SdpError, Session, accept_answer, answer,
};
use base::Codec;
use std::net::{IpAddr, Ipv4Addr};

/// Reads any octets as a description, as an answer and as an offer.
///
/// # Panics
/// Where our own answer to it cannot be read, or does not keep its `m=` lines.
pub fn fuzz(data: &[u8]) {
    let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let offer = Offer::build(&OfferSettings {
        address,
        port: 4000,
        rtcp_port: None,
        rtcp_mux: true,
        codecs: &Codec::ALL,
        ptime: 20,
        session_id: 1,
        version: 1,
        direction: Direction::SendReceive,
        previous: None,
    });
    if let Ok(negotiated) = accept_answer(&offer, data) {
        assert!(!negotiated.codecs.is_empty() && negotiated.codecs.len() <= Codec::ALL.len());
        assert!((10..=120).contains(&negotiated.ptime));
    }
    let settings = AnswerSettings {
        address,
        port: 4000,
        rtcp_port: None,
        rtcp_mux: true,
        codecs: &Codec::ALL,
        ptime: 20,
        session_id: 1,
        version: 1,
        direction: Direction::SendReceive,
    };
    if let Ok((octets, negotiated)) = answer(data, &settings) {
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
            address,
            port: 4000,
            rtcp_port: None,
            rtcp_mux: false,
            codecs: &Codec::ALL,
            ptime: 20,
            session_id: 1,
            version: 2,
            direction: Direction::SendOnly,
            previous: Some(&negotiated),
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
