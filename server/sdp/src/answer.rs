//! Our answer to an offer (RFC 3264 sections 6 and 8).

use crate::SdpError;
use crate::crypto::{self, Encryption, OwnKeys};
use crate::formats::Format;
use crate::model::{Direction, Kind, Session};
use crate::negotiated::{Common, Negotiated};
use crate::write::Description;
use base::Codec;
use std::net::IpAddr;

/// What an answer is made of.
#[derive(Clone, Copy, Debug)]
pub struct AnswerSettings<'a> {
    /// The address that the peer reaches us at.
    pub address: IpAddr,
    /// The RTP port.
    pub port: u16,
    /// The RTCP port; `None` means the next one.
    pub rtcp_port: Option<u16>,
    /// Agree to RTCP on the port of RTP where it is offered.
    pub rtcp_mux: bool,
    /// Whether sound is encrypted.
    pub encryption: Encryption,
    /// Our keys of this dialog.
    pub keys: &'a OwnKeys,
    /// The codecs that we take; the order of the offer decides.
    pub codecs: &'a [Codec],
    /// The packet time in ms that we want to receive.
    pub ptime: u32,
    /// A number for `o=`, the same for the whole dialog.
    pub session_id: u64,
    /// The version for `o=`.
    pub version: u64,
    /// Who may send, from our side, as far as the offer allows it.
    pub direction: Direction,
}

/// Answers an offer: the first usable audio is taken, every other `m=` line keeps its place with
/// port 0.
///
/// # Errors
/// [`SdpError`]; its `status` is the SIP answer then.
pub fn answer(
    offer: &[u8],
    settings: &AnswerSettings<'_>,
) -> Result<(Vec<u8>, Negotiated), SdpError> {
    let remote = Session::parse(offer)?;
    let mut reason = SdpError::NoAudio;
    for (index, media) in remote.media.iter().enumerate() {
        if media.kind != Kind::Audio {
            continue;
        }
        // The reason of the first audio line that fails is the one that is told.
        let mut fails = |error| {
            if reason == SdpError::NoAudio {
                reason = error;
            }
        };
        if media.port == 0 {
            fails(SdpError::Rejected);
            continue;
        }
        let protection = match crypto::choose(media, settings.encryption, settings.keys) {
            Ok(protection) => protection,
            Err(error) => {
                fails(error);
                continue;
            }
        };
        // The answer uses the numbers of the offer (RFC 3264 section 6.1).
        let codec = |codec, number| settings.codecs.contains(&codec).then_some(number);
        let negotiated = Common::of(media, codec, |_, number| Some(number)).and_then(|common| {
            let (own, mux) = (settings.direction, settings.rtcp_mux);
            Negotiated::new(&remote, index, media, common, own, mux)
        });
        match negotiated {
            Ok(negotiated) => {
                let comfort_noise = media.formats.iter().any(Format::is_comfort_noise);
                let negotiated = Negotiated { protection, comfort_noise, ..negotiated };
                return Ok(write(&remote, negotiated, settings));
            }
            Err(error) => fails(error),
        }
    }
    Err(reason)
}

fn write(
    remote: &Session,
    negotiated: Negotiated,
    settings: &AnswerSettings<'_>,
) -> (Vec<u8>, Negotiated) {
    let layout: Vec<[String; 3]> = remote
        .media
        .iter()
        .map(|media| {
            let name = media.protocol.name().to_owned();
            [media.kind.name().to_owned(), name, media.formats_text.clone()]
        })
        .collect();
    let index = negotiated.audio_index;
    let media = remote.media.get(index);
    let codecs: Vec<_> = negotiated.codecs.iter().map(|entry| (entry.0, entry.2)).collect();
    let events: Vec<_> =
        negotiated.telephone_events.iter().map(|entry| (entry.0, entry.2)).collect();
    let agreed = negotiated.protection.iter();
    let crypto: Vec<_> =
        agreed.map(|agreed| crypto::line(agreed.tag, agreed.suite, &agreed.own)).collect();
    let description = Description {
        address: settings.address,
        port: settings.port,
        rtcp_port: settings.rtcp_port,
        rtcp_mux: negotiated.rtcp_mux,
        session_id: settings.session_id,
        version: settings.version,
        direction: negotiated.direction,
        ptime: settings.ptime,
        protocol: media.map_or("RTP/AVP", |media| media.protocol.name()),
        mid: media.and_then(|media| media.mid.as_deref()),
        codecs: &codecs,
        comfort_noise: negotiated.comfort_noise,
        crypto: &crypto,
        telephone_events: &events,
        audio_index: index,
        layout: &layout,
    };
    let octets = description.write();
    let layout = description.layout();
    (octets, Negotiated { layout, ..negotiated })
}
