//! Reading a browser's offer (RFC 8866, RFC 8829), tolerant and bounded. It borrows the text.

use crate::error::AcceptError;

/// The longest offer read, in octets: ten times what browsers send with video.
const OFFER_MAX: usize = 64 * 1024;
/// The most media sections read.
const SECTIONS_MAX: usize = 32;
/// The most entries kept of one kind in one section.
const ENTRIES_MAX: usize = 64;

/// What may stand at session level or in a media section (RFC 8839, RFC 8122).
#[derive(Clone, Copy, Default)]
pub(crate) struct Transport<'a> {
    pub(crate) fragment: Option<&'a str>,
    pub(crate) password: Option<&'a str>,
    /// The value of a `sha-256` fingerprint: 32 octets in hexadecimal with colons.
    pub(crate) fingerprint: Option<&'a str>,
    pub(crate) setup: Option<&'a str>,
}

impl<'a> Transport<'a> {
    /// Fills what is missing from another level.
    pub(crate) fn or(self, other: Transport<'a>) -> Transport<'a> {
        Transport {
            fragment: self.fragment.or(other.fragment),
            password: self.password.or(other.password),
            fingerprint: self.fingerprint.or(other.fingerprint),
            setup: self.setup.or(other.setup),
        }
    }
}

/// One `a=rtpmap`, or a static payload type that needs none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PayloadMap<'a> {
    pub(crate) payload_type: u8,
    pub(crate) name: &'a str,
    pub(crate) clock_rate: u32,
}

/// Which way a section's media flow, seen from the browser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Direction {
    #[default]
    SendReceive,
    Send,
    Receive,
    Inactive,
}

impl Direction {
    /// The answering attribute (RFC 3264 6.1).
    pub(crate) fn answer(self) -> &'static str {
        match self {
            Direction::SendReceive => "sendrecv",
            Direction::Send => "recvonly",
            Direction::Receive => "sendonly",
            Direction::Inactive => "inactive",
        }
    }
}

/// One media section.
#[derive(Default)]
pub(crate) struct Section<'a> {
    pub(crate) kind: &'a str,
    pub(crate) port: u16,
    pub(crate) protocol: &'a str,
    pub(crate) formats: Vec<&'a str>,
    pub(crate) mid: Option<&'a str>,
    pub(crate) direction: Direction,
    pub(crate) transport: Transport<'a>,
    pub(crate) maps: Vec<PayloadMap<'a>>,
    /// The number of the `sdes:mid` header extension (RFC 9143 14), 1 to 14.
    pub(crate) mid_extension: Option<u8>,
    pub(crate) multiplexed: bool,
    pub(crate) bundle_only: bool,
}

/// An offer.
#[derive(Default)]
pub(crate) struct Offer<'a> {
    pub(crate) bundle: Vec<&'a str>,
    pub(crate) transport: Transport<'a>,
    pub(crate) sections: Vec<Section<'a>>,
}

impl<'a> Offer<'a> {
    /// Reads an offer. Lines that are not understood are skipped, as RFC 8866 5.13 asks.
    pub(crate) fn parse(text: &'a str) -> Result<Offer<'a>, AcceptError> {
        if text.len() > OFFER_MAX {
            return Err(AcceptError::Malformed("it is too long"));
        }
        let mut lines = text.lines().map(str::trim_end);
        if lines.next() != Some("v=0") {
            return Err(AcceptError::Malformed("it does not begin with v=0"));
        }
        let mut offer = Offer::default();
        for line in lines {
            if let Some(media) = line.strip_prefix("m=") {
                if offer.sections.len() == SECTIONS_MAX {
                    return Err(AcceptError::Malformed("it has too many media sections"));
                }
                offer.sections.push(Section::parse(media)?);
            } else if let Some(attribute) = line.strip_prefix("a=") {
                let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
                match offer.sections.last_mut() {
                    Some(section) => section.attribute(name, value.trim()),
                    None => offer.attribute(name, value.trim()),
                }
            }
        }
        Ok(offer)
    }

    fn attribute(&mut self, name: &'a str, value: &'a str) {
        if name == "group" {
            if let Some(mids) = value.strip_prefix("BUNDLE") {
                self.bundle = mids.split_ascii_whitespace().take(SECTIONS_MAX).collect();
            }
        } else {
            self.transport.attribute(name, value);
        }
    }

    /// The transport attributes that hold for a section: its own, else those of the session, else
    /// those of another section in the same BUNDLE group (a bundle-only section has none).
    pub(crate) fn transport_of(&self, section: &Section<'a>) -> Transport<'a> {
        let own = section.transport.or(self.transport);
        let bundled = |mid: Option<&str>| mid.is_some_and(|mid| self.bundle.contains(&mid));
        if !bundled(section.mid) {
            return own;
        }
        self.sections
            .iter()
            .filter(|other| bundled(other.mid))
            .fold(own, |sum, other| sum.or(other.transport))
    }
}

impl<'a> Transport<'a> {
    fn attribute(&mut self, name: &'a str, value: &'a str) {
        match name {
            "ice-ufrag" => self.fragment = Some(value),
            "ice-pwd" => self.password = Some(value),
            "setup" => self.setup = Some(value),
            "fingerprint" => {
                if let Some((function, digest)) = value.split_once(' ')
                    && function.eq_ignore_ascii_case("sha-256")
                {
                    self.fingerprint = Some(digest.trim());
                }
            }
            _ => {}
        }
    }
}

impl<'a> Section<'a> {
    fn parse(media: &'a str) -> Result<Section<'a>, AcceptError> {
        let mut words = media.split_ascii_whitespace();
        let (Some(kind), Some(port), Some(protocol)) = (words.next(), words.next(), words.next())
        else {
            return Err(AcceptError::Malformed("a media line is incomplete"));
        };
        let port = port.split('/').next().unwrap_or_default().parse();
        let port = port.map_err(|_| AcceptError::Malformed("a media line has no port"))?;
        let formats: Vec<_> = words.take(ENTRIES_MAX).collect();
        if formats.is_empty() {
            return Err(AcceptError::Malformed("a media line has no format"));
        }
        Ok(Section { kind, port, protocol, formats, ..Section::default() })
    }

    fn attribute(&mut self, name: &'a str, value: &'a str) {
        match name {
            "mid" => self.mid = Some(value),
            "sendrecv" => self.direction = Direction::SendReceive,
            "sendonly" => self.direction = Direction::Send,
            "recvonly" => self.direction = Direction::Receive,
            "inactive" => self.direction = Direction::Inactive,
            "rtcp-mux" => self.multiplexed = true,
            "bundle-only" => self.bundle_only = true,
            "rtpmap" if self.maps.len() < ENTRIES_MAX => self.maps.extend(rtpmap(value)),
            "extmap" => {
                if let Some((id, "urn:ietf:params:rtp-hdrext:sdes:mid")) = value.split_once(' ') {
                    let id = id.split('/').next().unwrap_or_default().parse().ok();
                    self.mid_extension = id.filter(|id| (1..=14).contains(id));
                }
            }
            _ => self.transport.attribute(name, value),
        }
    }
}

/// `PT NAME/CLOCK[/CHANNELS]`.
fn rtpmap(value: &str) -> Option<PayloadMap<'_>> {
    let (payload_type, encoding) = value.split_once(' ')?;
    let payload_type = payload_type.parse().ok().filter(|payload_type| *payload_type < 128)?;
    let mut parts = encoding.trim().split('/');
    let name = parts.next()?;
    let clock_rate = parts.next()?.parse().ok()?;
    Some(PayloadMap { payload_type, name, clock_rate })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn attributes_of_the_session_hold_where_a_section_has_none() {
        let text = "v=0\r\na=ice-ufrag:sess\r\na=ice-pwd:pw\r\na=group:BUNDLE 0 1\r\n\
                    m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\na=ice-ufrag:own\r\n\
                    m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\na=bundle-only\r\na=setup:actpass\r\n";
        let offer = Offer::parse(text).unwrap();
        let transport = offer.transport_of(&offer.sections[0]);
        assert_eq!(transport.fragment, Some("own"));
        assert_eq!(transport.password, Some("pw"));
        assert_eq!(transport.setup, Some("actpass"), "from the bundled section");
        assert!(offer.sections[1].bundle_only);
    }

    #[test]
    fn nonsense_is_skipped_or_refused_but_never_panics() {
        for text in ["", "v=1", "hello", "v=0\nm=", "v=0\nm=audio x y z", "v=0\nm=audio 9 UDP"] {
            assert!(Offer::parse(text).is_err(), "{text:?}");
        }
        let text =
            "v=0\nm=audio 9 X 0\na=rtpmap:\na=rtpmap:300 x/1\na=ssrc:x\na=extmap:99 y\na=\na";
        let offer = Offer::parse(text).unwrap();
        assert!(offer.sections[0].maps.is_empty());
    }
}
