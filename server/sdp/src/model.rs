//! The typed model of a session description.

use crate::Format;
use std::net::IpAddr;

/// A session description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Session id of `o=`, as text: it may exceed 64 bits.
    pub id: String,
    /// Session version of `o=`.
    pub version: u64,
    /// The address of the session's `c=`, if any.
    pub address: Option<Address>,
    /// Attributes of the session level, raw.
    pub attributes: Vec<Attribute>,
    /// The media in the order of their `m=` lines.
    pub media: Vec<Media>,
}

/// One `m=` line with all that belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Media {
    /// What it carries.
    pub kind: Kind,
    /// The port, 0 for a refused one.
    pub port: u16,
    /// How it is carried.
    pub protocol: Protocol,
    /// The RTP formats, preferred first; empty for what is no RTP.
    pub formats: Vec<Format>,
    /// The formats as they stand in the `m=` line.
    pub formats_text: String,
    /// The address of its own `c=`, else that of the session.
    pub address: Option<Address>,
    /// The direction as the writer of the description sees it; `sendrecv` where nothing is said.
    pub direction: Direction,
    /// The packet time in ms that the writer wants to receive.
    pub ptime: Option<u32>,
    /// The longest packet in ms that the writer can take.
    pub maxptime: Option<u32>,
    /// Where RTCP goes (RFC 3605).
    pub rtcp: Option<RtcpAttribute>,
    /// RTCP may share the port of RTP (RFC 5761).
    pub rtcp_mux: bool,
    /// The media's name (RFC 5888).
    pub mid: Option<String>,
    /// Every other attribute, raw: ICE, DTLS, SDES and what is unknown.
    pub attributes: Vec<Attribute>,
}

/// What a media carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sound.
    Audio,
    /// Pictures.
    Video,
    /// Fax (T.38).
    Image,
    /// Data.
    Application,
    /// Something else, as written.
    Other(String),
}

/// How a media is carried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `RTP/AVP` (RFC 3551).
    Avp,
    /// `RTP/AVPF` (RFC 4585).
    Avpf,
    /// `RTP/SAVP` (RFC 3711).
    Savp,
    /// `RTP/SAVPF` (RFC 5124).
    Savpf,
    /// `UDP/TLS/RTP/SAVP` (RFC 5764).
    DtlsSavp,
    /// `UDP/TLS/RTP/SAVPF` (RFC 5764).
    DtlsSavpf,
    /// Something else, as written (`udptl`, `UDP/DTLS/SCTP`).
    Other(String),
}

/// An address of a `c=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// IPv4 or IPv6, without TTL and count.
    Ip(IpAddr),
    /// Anything else that stands there.
    HostName(String),
}

/// `a=rtcp:<port> [IN IP4 <address>]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtcpAttribute {
    /// The port.
    pub port: u16,
    /// The address, where it differs from that of RTP.
    pub address: Option<IpAddr>,
}

/// One `a=` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// What stands before the colon.
    pub name: String,
    /// What stands behind it, if there is one.
    pub value: Option<String>,
}

/// Who may send (RFC 4566 section 6), from the point of view of one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Both ways.
    #[default]
    SendReceive,
    /// This side sends only.
    SendOnly,
    /// This side receives only.
    ReceiveOnly,
    /// Nobody sends.
    Inactive,
}

impl Direction {
    /// A direction from its two halves.
    pub const fn new(sends: bool, receives: bool) -> Direction {
        match (sends, receives) {
            (true, true) => Direction::SendReceive,
            (true, false) => Direction::SendOnly,
            (false, true) => Direction::ReceiveOnly,
            (false, false) => Direction::Inactive,
        }
    }

    /// Whether this side sends.
    pub const fn sends(self) -> bool {
        matches!(self, Direction::SendReceive | Direction::SendOnly)
    }

    /// Whether this side receives.
    pub const fn receives(self) -> bool {
        matches!(self, Direction::SendReceive | Direction::ReceiveOnly)
    }

    /// The same from the point of view of the other side.
    pub const fn mirrored(self) -> Direction {
        Direction::new(self.receives(), self.sends())
    }

    /// What both allow.
    pub const fn and(self, other: Direction) -> Direction {
        Direction::new(self.sends() && other.sends(), self.receives() && other.receives())
    }

    /// The name of the attribute.
    pub const fn name(self) -> &'static str {
        match self {
            Direction::SendReceive => "sendrecv",
            Direction::SendOnly => "sendonly",
            Direction::ReceiveOnly => "recvonly",
            Direction::Inactive => "inactive",
        }
    }

    /// The direction of an attribute's name, in any case.
    pub fn from_name(name: &str) -> Option<Direction> {
        let all = [
            Direction::SendReceive,
            Direction::SendOnly,
            Direction::ReceiveOnly,
            Direction::Inactive,
        ];
        all.into_iter().find(|direction| direction.name().eq_ignore_ascii_case(name))
    }
}

impl Kind {
    /// The kind of a name in an `m=` line.
    pub fn from_name(name: &str) -> Kind {
        match name.to_ascii_lowercase().as_str() {
            "audio" => Kind::Audio,
            "video" => Kind::Video,
            "image" => Kind::Image,
            "application" => Kind::Application,
            _ => Kind::Other(name.to_owned()),
        }
    }

    /// Its name in an `m=` line.
    pub fn name(&self) -> &str {
        match self {
            Kind::Audio => "audio",
            Kind::Video => "video",
            Kind::Image => "image",
            Kind::Application => "application",
            Kind::Other(name) => name,
        }
    }
}

impl Protocol {
    /// The protocol of a name in an `m=` line.
    pub fn from_name(name: &str) -> Protocol {
        match name.to_ascii_uppercase().as_str() {
            "RTP/AVP" => Protocol::Avp,
            "RTP/AVPF" => Protocol::Avpf,
            "RTP/SAVP" => Protocol::Savp,
            "RTP/SAVPF" => Protocol::Savpf,
            "UDP/TLS/RTP/SAVP" => Protocol::DtlsSavp,
            "UDP/TLS/RTP/SAVPF" => Protocol::DtlsSavpf,
            _ => Protocol::Other(name.to_owned()),
        }
    }

    /// Its name in an `m=` line.
    pub fn name(&self) -> &str {
        match self {
            Protocol::Avp => "RTP/AVP",
            Protocol::Avpf => "RTP/AVPF",
            Protocol::Savp => "RTP/SAVP",
            Protocol::Savpf => "RTP/SAVPF",
            Protocol::DtlsSavp => "UDP/TLS/RTP/SAVP",
            Protocol::DtlsSavpf => "UDP/TLS/RTP/SAVPF",
            Protocol::Other(name) => name,
        }
    }

    /// Whether its formats are RTP payload types.
    pub const fn is_rtp(&self) -> bool {
        !matches!(self, Protocol::Other(_))
    }

    /// Whether it is RTP without encryption.
    pub const fn is_plain_rtp(&self) -> bool {
        matches!(self, Protocol::Avp | Protocol::Avpf)
    }
}

impl Session {
    /// An attribute of a media by its name, or of the session where the media has none: the rule
    /// of `ice-ufrag`, `fingerprint` and `setup`.
    pub fn attribute<'a>(&'a self, media: &'a Media, name: &str) -> Option<&'a Attribute> {
        let named = |attribute: &&Attribute| attribute.name.eq_ignore_ascii_case(name);
        media.attributes.iter().find(named).or_else(|| self.attributes.iter().find(named))
    }
}
