//! What offer and answer agree on.

use crate::crypto::Agreed;
use crate::model::{Address, Direction, Media, Session};
use crate::{OpusParameters, SdpError};
use base::Codec;
use std::net::SocketAddr;

/// The agreed audio, from our point of view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Negotiated {
    /// Where RTP goes; unspecified (`0.0.0.0`) while an old peer holds.
    pub remote_rtp: SocketAddr,
    /// Where RTCP goes; the same as `remote_rtp` with `rtcp_mux`.
    pub remote_rtcp: SocketAddr,
    /// RTCP shares the port of RTP, both ways.
    pub rtcp_mux: bool,
    /// The codec to send: the first in common.
    pub codec: Codec,
    /// Every codec in common: codec, payload type when we send, when we receive.
    pub codecs: Vec<(Codec, u8, u8)>,
    /// Telephone events: clock rate in Hz, payload type when we send, when we receive; the rate of
    /// `codec` first. Empty where the peer takes none.
    pub telephone_events: Vec<(u32, u8, u8)>,
    /// Who may send, from our side: `ReceiveOnly` and `Inactive` mean that the peer holds.
    pub direction: Direction,
    /// The packet time in ms that the peer wants, 10 to 120.
    pub ptime: u32,
    /// What the peer's Opus decoder asks for, where Opus is in common.
    pub opus: Option<OpusParameters>,
    /// The keys of both directions; `None` for sound in the clear.
    pub protection: Option<Agreed>,
    /// The peer may send comfort noise of payload type 13 (RFC 3389), and has been told that it is
    /// understood.
    pub comfort_noise: bool,
    /// Session id and version of the peer's `o=`: the same pair again means the same description.
    pub remote_origin: (String, u64),
    /// Which `m=` line the audio is.
    pub(crate) audio_index: usize,
    /// Every `m=` line as a later offer has to repeat it: kind, protocol, formats.
    pub(crate) layout: Vec<[String; 3]>,
}

/// The numbers of the formats in common.
pub(crate) struct Common {
    pub(crate) codecs: Vec<(Codec, u8, u8)>,
    pub(crate) telephone_events: Vec<(u32, u8, u8)>,
    pub(crate) opus: Option<OpusParameters>,
}

impl Common {
    /// Goes through the peer's formats in their order. `codec` and `event` give our own payload
    /// type for a format of the peer, or `None` where it is not wanted.
    pub(crate) fn of(
        media: &Media,
        codec: impl Fn(Codec, u8) -> Option<u8>,
        event: impl Fn(u32, u8) -> Option<u8>,
    ) -> Result<Common, SdpError> {
        let mut common = Common { codecs: Vec::new(), telephone_events: Vec::new(), opus: None };
        for format in &media.formats {
            let number = format.payload_type;
            if let Some(known) = format.codec() {
                let repeated = common.codecs.iter().any(|entry| entry.0 == known);
                let Some(own) = codec(known, number).filter(|_| !repeated) else { continue };
                common.codecs.push((known, number, own));
                if known == Codec::Opus {
                    let fmtp = format.fmtp.as_deref().unwrap_or_default();
                    common.opus = Some(OpusParameters::parse(fmtp));
                }
            } else if let Some(rate) = format.telephone_event() {
                let repeated = common.telephone_events.iter().any(|entry| entry.0 == rate);
                let Some(own) = event(rate, number).filter(|_| !repeated) else { continue };
                common.telephone_events.push((rate, number, own));
            }
        }
        let first = common.codecs.first().ok_or(SdpError::NoCommonCodec)?;
        let rate = first.0.clock_rate();
        // Stable: the peer's order stays among the rest.
        common.telephone_events.sort_by_key(|entry| entry.0 != rate);
        Ok(common)
    }
}

impl Negotiated {
    /// Puts together what both descriptions say. `own` is our direction as far as we allow it,
    /// `mux` whether we allow RTCP on the port of RTP.
    pub(crate) fn new(
        remote: &Session,
        audio_index: usize,
        media: &Media,
        common: Common,
        own: Direction,
        mux: bool,
    ) -> Result<Negotiated, SdpError> {
        let codec = common.codecs.first().ok_or(SdpError::NoCommonCodec)?.0;
        let remote_rtp = remote_rtp(media)?;
        let rtcp_mux = mux && media.rtcp_mux;
        // 0.0.0.0 is a hold of RFC 2543: the peer may speak, but nothing reaches it.
        let reachable = !remote_rtp.ip().is_unspecified();
        let peer = media.direction.and(Direction::new(true, reachable));
        Ok(Negotiated {
            remote_rtp,
            remote_rtcp: if rtcp_mux { remote_rtp } else { remote_rtcp(media, remote_rtp) },
            rtcp_mux,
            codec,
            codecs: common.codecs,
            telephone_events: common.telephone_events,
            direction: own.and(peer.mirrored()),
            ptime: ptime(media, codec),
            opus: common.opus,
            protection: None,
            comfort_noise: false,
            remote_origin: (remote.id.clone(), remote.version),
            audio_index,
            layout: Vec::new(),
        })
    }

    /// Whether the peer holds the call: it does not want to hear us.
    pub fn is_held(&self) -> bool {
        !self.direction.sends()
    }
}

/// The address of the audio, or the reason why there is none.
fn remote_rtp(media: &Media) -> Result<SocketAddr, SdpError> {
    match &media.address {
        None => Err(SdpError::NoAddress),
        Some(Address::HostName(name)) if looks_numeric(name) => Err(SdpError::BadAddress),
        Some(Address::HostName(_)) => Err(SdpError::HostName),
        Some(Address::Ip(ip)) if ip.is_multicast() => Err(SdpError::BadAddress),
        Some(Address::Ip(ip)) => Ok(SocketAddr::new(*ip, media.port)),
    }
}

/// Whether a text was meant as an address: a host name has a letter beyond `f`, or no digit first.
fn looks_numeric(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_hexdigit() || matches!(c, '.' | ':' | '%'))
        && text.contains(['.', ':'])
        && text.starts_with(|c: char| c.is_ascii_digit() || c == ':')
}

fn remote_rtcp(media: &Media, rtp: SocketAddr) -> SocketAddr {
    match &media.rtcp {
        Some(rtcp) => SocketAddr::new(rtcp.address.unwrap_or(rtp.ip()), rtcp.port),
        // Port 0 means "no RTCP" to the stream end; 65535 has no next port.
        None => SocketAddr::new(rtp.ip(), rtp.port().checked_add(1).unwrap_or(0)),
    }
}

/// The packet time to send: what is asked for, within what can be taken, in steps of 10 ms; with
/// Speex in whole frames of 20 ms, rounded up (RFC 5574 section 5.6).
fn ptime(media: &Media, codec: Codec) -> u32 {
    let wanted = media.ptime.unwrap_or(20).min(media.maxptime.unwrap_or(120));
    match codec {
        Codec::Speex16 | Codec::Speex8 => wanted.next_multiple_of(20).clamp(20, 120),
        _ => (wanted / 10 * 10).clamp(10, 120),
    }
}
