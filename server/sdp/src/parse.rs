//! From octets to the typed model.

use crate::model::{Address, Attribute, Direction, Kind, Media, Protocol, RtcpAttribute, Session};
use crate::tidy::tidy;
use crate::{Format, SdpError};

impl Session {
    /// Reads a description as tolerantly as its meaning allows.
    ///
    /// # Errors
    /// [`SdpError::TooLarge`] or [`SdpError::NotSdp`]; whether the content is of use shows in
    /// offer and answer.
    pub fn parse(data: &[u8]) -> Result<Session, SdpError> {
        let text = tidy(data)?;
        let raw = sdp_types::Session::parse(text.as_bytes()).map_err(|_| SdpError::NotSdp)?;
        let address = raw.connection.as_ref().map(|c| address(&c.connection_address));
        let attributes: Vec<_> = raw.attributes.iter().map(attribute).collect();
        // A direction of the session holds for each media without one of its own.
        let direction = attributes.iter().find_map(|a| Direction::from_name(&a.name));
        let media = raw
            .medias
            .iter()
            .map(|raw| media(raw, address.as_ref(), direction.unwrap_or_default()))
            .collect();
        Ok(Session {
            id: raw.origin.sess_id.clone(),
            version: raw.origin.sess_version,
            address,
            attributes,
            media,
        })
    }
}

fn attribute(raw: &sdp_types::Attribute) -> Attribute {
    Attribute {
        name: raw.attribute.trim().to_owned(),
        value: raw.value.as_deref().map(|value| value.trim().to_owned()),
    }
}

/// An address without its TTL and count.
fn address(text: &str) -> Address {
    let (ip, _) = text.split_once('/').unwrap_or((text, ""));
    ip.parse().map_or_else(|_| Address::HostName(ip.to_owned()), Address::Ip)
}

fn media(raw: &sdp_types::Media, session: Option<&Address>, direction: Direction) -> Media {
    let protocol = Protocol::from_name(&raw.proto);
    let own = raw.connections.first().map(|c| address(&c.connection_address));
    let mut media = Media {
        kind: Kind::from_name(&raw.media),
        port: raw.port,
        formats: if protocol.is_rtp() { formats(&raw.fmt) } else { Vec::new() },
        formats_text: raw.fmt.clone(),
        protocol,
        address: own.or_else(|| session.cloned()),
        direction,
        ptime: None,
        maxptime: None,
        rtcp: None,
        rtcp_mux: false,
        mid: None,
        attributes: Vec::new(),
    };
    for raw in &raw.attributes {
        take(&mut media, attribute(raw));
    }
    media
}

/// The payload types of an `m=` line, each once.
fn formats(text: &str) -> Vec<Format> {
    let mut formats: Vec<Format> = Vec::new();
    for payload_type in text.split_whitespace().filter_map(|field| field.parse::<u8>().ok()) {
        if payload_type < 128 && formats.iter().all(|known| known.payload_type != payload_type) {
            formats.push(Format::assigned(payload_type));
        }
    }
    formats
}

/// Sorts one attribute into its place; one that cannot be read stays raw.
fn take(media: &mut Media, attribute: Attribute) {
    let value = attribute.value.as_deref().unwrap_or_default();
    let taken = match attribute.name.to_ascii_lowercase().as_str() {
        "rtpmap" => with_format(media, value, Format::map),
        "fmtp" => with_format(media, value, |format, text| format.fmtp = Some(text.to_owned())),
        "ptime" => milliseconds(value).map(|ms| media.ptime = Some(ms)),
        "maxptime" => milliseconds(value).map(|ms| media.maxptime = Some(ms)),
        "rtcp" => rtcp(value).map(|rtcp| media.rtcp = Some(rtcp)),
        "rtcp-mux" => {
            media.rtcp_mux = true;
            Some(())
        }
        "mid" => {
            media.mid = Some(value.to_owned());
            Some(())
        }
        name => Direction::from_name(name).map(|direction| media.direction = direction),
    };
    if taken.is_none() {
        media.attributes.push(attribute);
    }
}

/// `<payload type> <text>` for a format of the `m=` line.
fn with_format(
    media: &mut Media,
    value: &str,
    apply: impl FnOnce(&mut Format, &str),
) -> Option<()> {
    let (payload_type, text) = value.split_once(char::is_whitespace)?;
    let payload_type: u8 = payload_type.parse().ok()?;
    let format = media.formats.iter_mut().find(|format| format.payload_type == payload_type)?;
    apply(format, text.trim());
    Some(())
}

/// Milliseconds, which some write with a fraction.
fn milliseconds(value: &str) -> Option<u32> {
    let whole = value.split('.').next()?;
    whole.trim().parse().ok().filter(|ms| (1..=1000).contains(ms))
}

fn rtcp(value: &str) -> Option<RtcpAttribute> {
    let mut fields = value.split_whitespace();
    let port = fields.next()?.parse().ok()?;
    let address = fields.nth(2).and_then(|address| address.parse().ok());
    Some(RtcpAttribute { port, address })
}
