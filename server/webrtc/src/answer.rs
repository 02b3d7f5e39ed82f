//! Writing the answer (RFC 3264, RFC 8829 5.3): one audio section, everything else refused.

use crate::candidate::LocalCandidate;
use crate::ice::Credentials;
use crate::negotiation::{Content, Negotiated};
use crate::offer::{Offer, Section};
use base::Codec;
use std::fmt::{Result, Write};

/// What of this side goes into an answer.
pub(crate) struct LocalSide<'a> {
    pub(crate) session: u64,
    pub(crate) version: u32,
    pub(crate) credentials: &'a Credentials,
    /// Our certificate's SHA-256 as `AB:CD:...`.
    pub(crate) fingerprint: &'a str,
    pub(crate) candidates: &'a [LocalCandidate],
    pub(crate) ssrc: u32,
    pub(crate) cname: &'a str,
}

/// The answer to `offer`. Media sections keep their number and order.
pub(crate) fn answer(offer: &Offer<'_>, negotiated: &Negotiated, local: &LocalSide<'_>) -> String {
    let mut sdp = String::with_capacity(2048);
    // Writing to a string cannot fail.
    let _ = session(&mut sdp, offer, negotiated, local);
    for (index, section) in offer.sections.iter().enumerate() {
        let _ = if index == negotiated.section {
            audio(&mut sdp, section.protocol, negotiated, local)
        } else {
            refused(&mut sdp, section)
        };
    }
    sdp
}

/// A refused section keeps one format with its name and its mid, and stays out of the BUNDLE group
/// (RFC 3264 6, RFC 9143 7.3.3).
fn refused(sdp: &mut String, section: &Section<'_>) -> Result {
    let format = section.formats.first().copied().unwrap_or("0");
    write!(sdp, "m={} 0 {} {format}\r\nc=IN IP4 0.0.0.0\r\n", section.kind, section.protocol)?;
    if let Some(mid) = section.mid {
        write!(sdp, "a=mid:{mid}\r\n")?;
    }
    let payload_type = format.parse().ok();
    let map = section.maps.iter().find(|map| Some(map.payload_type) == payload_type);
    if let Some(map) = map {
        write!(sdp, "a=rtpmap:{format} {}/{}\r\n", map.name, map.clock_rate)?;
    }
    sdp.write_str("a=inactive\r\n")
}

fn session(sdp: &mut String, offer: &Offer<'_>, n: &Negotiated, local: &LocalSide<'_>) -> Result {
    write!(sdp, "v=0\r\no=- {} {} IN IP4 0.0.0.0\r\n", local.session, local.version)?;
    sdp.write_str("s=-\r\nt=0 0\r\na=ice-lite\r\n")?;
    if offer.bundle.contains(&n.mid.as_str()) {
        write!(sdp, "a=group:BUNDLE {}\r\n", n.mid)?;
    }
    sdp.write_str("a=msid-semantic: WMS *\r\n")
}

fn audio(sdp: &mut String, protocol: &str, n: &Negotiated, local: &LocalSide<'_>) -> Result {
    write!(sdp, "m=audio 9 {protocol}")?;
    for payload in &n.answered {
        write!(sdp, " {}", payload.payload_type)?;
    }
    sdp.write_str("\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\n")?;
    for (position, candidate) in local.candidates.iter().enumerate() {
        candidate.write(position, sdp);
    }
    // All candidates are known: the browser need not wait for more (RFC 8840 8.2).
    sdp.write_str("a=end-of-candidates\r\n")?;
    write!(sdp, "a=ice-ufrag:{}\r\n", local.credentials.fragment)?;
    write!(sdp, "a=ice-pwd:{}\r\n", local.credentials.password.reveal())?;
    write!(sdp, "a=fingerprint:sha-256 {}\r\n", local.fingerprint)?;
    write!(sdp, "a=setup:passive\r\na=mid:{}\r\n", n.mid)?;
    if let Some(id) = n.mid_extension {
        write!(sdp, "a=extmap:{id} urn:ietf:params:rtp-hdrext:sdes:mid\r\n")?;
    }
    let cname = local.cname;
    write!(sdp, "a={}\r\na=msid:{cname} {cname}\r\na=rtcp-mux\r\n", n.direction.answer())?;
    for payload in &n.answered {
        let payload_type = payload.payload_type;
        match payload.content {
            Content::Sound(codec) => {
                write!(sdp, "a=rtpmap:{payload_type} {}/{}", codec.name(), codec.clock_rate())?;
                if let Some(channels) = codec.rtpmap_channels() {
                    write!(sdp, "/{channels}")?;
                }
                sdp.write_str("\r\n")?;
                if codec == Codec::Opus {
                    // RFC 7587 6.1: what we want to receive is mono with in-band FEC.
                    let format = "minptime=10;useinbandfec=1;stereo=0";
                    write!(sdp, "a=fmtp:{payload_type} {format}\r\n")?;
                }
            }
            Content::Event(clock) => {
                write!(sdp, "a=rtpmap:{payload_type} telephone-event/{clock}\r\n")?;
                write!(sdp, "a=fmtp:{payload_type} 0-15\r\n")?;
            }
        }
    }
    write!(sdp, "a=ptime:20\r\na=ssrc:{} cname:{cname}\r\n", local.ssrc)
}
