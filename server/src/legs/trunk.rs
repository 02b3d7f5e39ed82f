//! The SIP leg: `sip` words to `call` words, `sdp` words to `rtp` words, and back.

use base::Codec;
use call::LegEvent;
use sdp::{Encryption, OwnKeys};
use signalling::EndCause;
use sip::{Cause, CauseKind, Originator, Quirk, Quirks};
use std::net::SocketAddr;

/// The end of a SIP call in the shared list of causes. Total: every pair has one meaning.
pub fn end_cause(cause: &Cause) -> EndCause {
    match (cause.kind, cause.originator) {
        (CauseKind::Normal, _) => EndCause::ShopHungUp,
        (CauseKind::Cancelled, _) => EndCause::Cancelled,
        (CauseKind::Busy, _) => EndCause::Busy,
        (CauseKind::NoAnswer, Originator::Network) => EndCause::ProviderSilent,
        (CauseKind::NoAnswer, _) => EndCause::NoAnswer,
        (CauseKind::Declined, _) => EndCause::Declined,
        (CauseKind::NotFound | CauseKind::Gone, _) => EndCause::NotFound,
        (CauseKind::Unavailable, _) => EndCause::Unreachable,
        (CauseKind::Forbidden, _) => EndCause::Forbidden,
        (CauseKind::AuthenticationFailed, _) => EndCause::AuthenticationFailed,
        (CauseKind::NotAcceptable, _) => EndCause::NoCommonCodec,
        (CauseKind::Redirected, _) => EndCause::Unreachable,
        (CauseKind::Timeout, _) => EndCause::ProviderSilent,
        (CauseKind::ServerFailure | CauseKind::Overloaded | CauseKind::Unsupported, _) => {
            EndCause::ProviderFailed
        }
        (CauseKind::Protocol, Originator::Local) => EndCause::Internal,
        (CauseKind::Protocol, _) => EndCause::ProviderFailed,
    }
}

/// How the SIP side is told why a call ends.
pub fn hangup_kind(cause: EndCause) -> CauseKind {
    match cause {
        EndCause::NoCommonCodec | EndCause::NotEncrypted => CauseKind::NotAcceptable,
        // Who rejects a call wants no other phone of his to ring on either (RFC 3261 21.6.2).
        EndCause::Declined => CauseKind::Declined,
        EndCause::Cancelled | EndCause::NoMicrophone | EndCause::VisitorLost => {
            CauseKind::Cancelled
        }
        EndCause::Internal => CauseKind::ServerFailure,
        _ => CauseKind::Normal,
    }
}

/// A provisional response as an event of the call. What a 180 means after sound depends on the
/// provider: sound that goes on, which is the usual, or ringing that is left to us.
pub fn provisional(status: u16, has_sound: bool, quirks: Quirks) -> LegEvent {
    if has_sound {
        return LegEvent::TrunkEarly { code: status };
    }
    let again = status == 180 && quirks.has(Quirk::RingAfterEarly);
    LegEvent::TrunkRinging { code: status, again }
}

/// What `sdp` negotiated, in the words of `rtp`.
pub fn remote(negotiated: &sdp::Negotiated) -> rtp::Remote {
    rtp::Remote {
        rtp: negotiated.remote_rtp,
        rtcp: negotiated.remote_rtcp,
        mux: negotiated.rtcp_mux,
    }
}

/// The payload types that `sdp` negotiated, in the words of `rtp`.
pub fn payloads(negotiated: &sdp::Negotiated) -> rtp::PayloadMap {
    rtp::PayloadMap {
        codecs: negotiated.codecs.clone(),
        telephone_events: negotiated.telephone_events.clone(),
    }
}

/// What `sdp` negotiated, given to the stream end. False where there is no way to encrypt with it: no
/// sound passes then.
pub fn apply(stream: &mut rtp::StreamEnd, negotiated: &sdp::Negotiated) -> bool {
    stream.set_remote(remote(negotiated), payloads(negotiated));
    stream.set_packet_time(negotiated.ptime);
    let agreed = negotiated.protection.clone();
    stream.set_protection(agreed.map(|agreed| rtp::Protection {
        suite: agreed.suite,
        own: agreed.own,
        peer: agreed.peer,
        peer_identifier: agreed.peer_identifier,
    }))
}

/// Whether a refusal may be for the encryption that was offered (RFC 3261 sections 21.4.13, 21.4.26
/// and 21.6.4): the same without it may be taken.
pub fn may_refuse_encryption(status: Option<u16>) -> bool {
    matches!(status, Some(415 | 488 | 606))
}

/// Whether a new offer that is refused now may be taken in a while (RFC 3261 sections 14.1 and 21.5):
/// offers have met, the far side is busy with another, or a server on the way is.
pub fn may_pass(cause: &Cause) -> bool {
    matches!(cause.status, Some(491 | 500 | 503 | 504)) || cause.kind == CauseKind::Timeout
}

/// A description that cannot be used, as the end of its call.
pub fn useless(error: sdp::SdpError) -> EndCause {
    match error {
        sdp::SdpError::NotEncrypted => EndCause::NotEncrypted,
        _ => EndCause::NoCommonCodec,
    }
}

/// The codecs that a stream end takes from the far side.
pub fn accepted(negotiated: &sdp::Negotiated) -> Vec<Codec> {
    negotiated.codecs.iter().map(|(codec, _, _)| *codec).collect()
}

/// What our side of a session says of itself, offer or answer.
#[derive(Clone, Debug)]
pub struct Description {
    /// Where the provider reaches us.
    pub address: SocketAddr,
    /// The codecs, best first.
    pub codecs: Vec<Codec>,
    /// Whether sound is encrypted.
    pub encryption: Encryption,
    /// Whether RTCP is proposed on the port of RTP (RFC 5761).
    pub rtcp_mux: bool,
    /// Our keys of the dialog.
    pub keys: OwnKeys,
    /// The number for `o=`, the same for the whole dialog.
    pub session_id: u64,
    /// The version for `o=` of what was said last.
    pub version: u64,
}

/// What we ask for: 20 ms packets, as every phone sends.
const PTIME: u32 = 20;

impl Description {
    /// The same for another dialog, which has keys and numbers of its own.
    pub fn another(&self, seed: &mut base::Seed) -> Self {
        let fresh = Description::new(self.address, &self.codecs, self.encryption, seed);
        Description { rtcp_mux: self.rtcp_mux, ..fresh }
    }

    /// The first of a dialog.
    pub fn new(
        address: SocketAddr,
        codecs: &[Codec],
        encryption: Encryption,
        seed: &mut base::Seed,
    ) -> Self {
        // A number that every reader holds, whatever integer type it uses.
        let session_id = u64::from(seed.u32() >> 1);
        let keys = OwnKeys::new(encryption, seed);
        let (codecs, version) = (codecs.to_vec(), session_id);
        let rtcp_mux = true;
        Description { address, codecs, encryption, rtcp_mux, keys, session_id, version }
    }

    /// An offer of audio.
    pub fn offer(&self) -> sdp::Offer {
        self.offer_as(sdp::Direction::SendReceive, None)
    }

    /// A new offer inside a call, with the numbers that the call has.
    pub fn reoffer(
        &mut self,
        direction: sdp::Direction,
        previous: Option<&sdp::Negotiated>,
    ) -> sdp::Offer {
        self.version += 1;
        self.offer_as(direction, previous)
    }

    fn offer_as(
        &self,
        direction: sdp::Direction,
        previous: Option<&sdp::Negotiated>,
    ) -> sdp::Offer {
        sdp::Offer::build(&sdp::OfferSettings {
            address: self.address.ip(),
            port: self.address.port(),
            rtcp_port: None,
            rtcp_mux: self.rtcp_mux,
            encryption: self.encryption,
            keys: &self.keys,
            codecs: &self.codecs,
            ptime: PTIME,
            session_id: self.session_id,
            version: self.version,
            direction,
            previous,
        })
    }

    /// The answer to an offer of the far side; the version goes up where something was said before.
    pub fn answer(&mut self, offer: &[u8]) -> Result<(Vec<u8>, sdp::Negotiated), sdp::SdpError> {
        self.reanswer(offer, sdp::Direction::SendReceive)
    }

    /// The answer to a new offer inside a call; `direction` is what we allow.
    pub fn reanswer(
        &mut self,
        offer: &[u8],
        direction: sdp::Direction,
    ) -> Result<(Vec<u8>, sdp::Negotiated), sdp::SdpError> {
        let result = sdp::answer(
            offer,
            &sdp::AnswerSettings {
                address: self.address.ip(),
                port: self.address.port(),
                rtcp_port: None,
                rtcp_mux: self.rtcp_mux,
                encryption: self.encryption,
                keys: &self.keys,
                codecs: &self.codecs,
                ptime: PTIME,
                session_id: self.session_id,
                version: self.version + 1,
                direction,
            },
        );
        if result.is_ok() {
            self.version += 1;
        }
        result
    }
}

/// The address that stands in our SDP: the configured public one, else what the provider sees,
/// else the socket's own.
pub fn media_address(
    bound: SocketAddr,
    local: SocketAddr,
    seen: Option<SocketAddr>,
    public: Option<std::net::IpAddr>,
) -> SocketAddr {
    let ip = public
        .or_else(|| seen.map(|seen| seen.ip()))
        .unwrap_or_else(|| if bound.ip().is_unspecified() { local.ip() } else { bound.ip() });
    SocketAddr::new(ip, bound.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_that_never_answers_is_told_apart_from_a_phone_that_nobody_takes() {
        let cause = |kind, originator| Cause {
            originator,
            kind,
            status: None,
            reason: None,
            retry_after: None,
        };
        let silent = cause(CauseKind::Timeout, Originator::Network);
        let unanswered = cause(CauseKind::NoAnswer, Originator::Remote);
        assert_eq!(end_cause(&silent), EndCause::ProviderSilent);
        assert_eq!(end_cause(&unanswered), EndCause::NoAnswer);
    }

    #[test]
    fn a_180_after_sound_is_ringing_again_only_where_the_provider_means_it_so() {
        let usual = Quirks::default();
        let rings = usual.with(Quirk::RingAfterEarly);
        let ringing = |code, again| LegEvent::TrunkRinging { code, again };
        assert_eq!(provisional(180, false, usual), ringing(180, false));
        assert_eq!(provisional(180, false, rings), ringing(180, true));
        assert_eq!(provisional(180, true, rings), LegEvent::TrunkEarly { code: 180 });
        assert_eq!(provisional(183, false, rings), ringing(183, false));
    }

    #[test]
    fn the_public_address_goes_before_the_learnt_one_and_that_before_the_sockets_own() {
        let at = |text: &str| text.parse::<SocketAddr>().expect("address");
        let bound = at("0.0.0.0:20000");
        let local = at("10.0.0.5:5060");
        let seen = Some(at("198.51.100.4:9"));
        let public = Some("203.0.113.7".parse().expect("address"));
        assert_eq!(media_address(bound, local, seen, public), at("203.0.113.7:20000"));
        assert_eq!(media_address(bound, local, seen, None), at("198.51.100.4:20000"));
        assert_eq!(media_address(bound, local, None, None), at("10.0.0.5:20000"));
    }
}
