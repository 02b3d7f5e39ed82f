//! Why a description leads to no call.

use std::fmt;

/// What is wrong, seen from the side that reads; all but [`SdpError::Rejected`] are the peer's
/// making or a matter of configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SdpError {
    /// More than 64 KiB, or more than 32 `m=` lines.
    TooLarge,
    /// Not one line of a session description, or no `m=` line.
    NotSdp,
    /// The `c=` line of the audio holds a host name, which would have to be looked up first.
    HostName,
    /// The audio has no `c=` line, neither of its own nor of the session.
    NoAddress,
    /// The address is neither IPv4 nor IPv6, or it is a multicast group.
    BadAddress,
    /// No `m=audio` line.
    NoAudio,
    /// The audio is refused: port 0.
    Rejected,
    /// The audio wants a transport that is not spoken, such as DTLS, or SRTP where it is off.
    Transport,
    /// The audio is not encrypted, where that is required.
    NotEncrypted,
    /// No codec in common.
    NoCommonCodec,
    /// The `m=` lines of the answer do not fit the offer.
    Mismatch,
}

impl SdpError {
    /// The SIP status that answers an offer with this fault: 400 for what is no description, 488
    /// (RFC 3261 section 21.4.26) for one that cannot be met.
    pub const fn status(self) -> u16 {
        match self {
            SdpError::TooLarge | SdpError::NotSdp => 400,
            SdpError::HostName
            | SdpError::NoAddress
            | SdpError::BadAddress
            | SdpError::NoAudio
            | SdpError::Rejected
            | SdpError::Transport
            | SdpError::NotEncrypted
            | SdpError::NoCommonCodec
            | SdpError::Mismatch => 488,
        }
    }
}

impl fmt::Display for SdpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SdpError::TooLarge => "the session description is too large",
            SdpError::NotSdp => "this is no session description",
            SdpError::HostName => "the media address is a host name, an IP address is needed",
            SdpError::NoAddress => "the media has no address",
            SdpError::BadAddress => "the media address is no unicast IP address",
            SdpError::NoAudio => "there is no audio in the session description",
            SdpError::Rejected => "the peer refuses the audio",
            SdpError::Transport => {
                "the peer wants a media transport or encryption that is not spoken here"
            }
            SdpError::NotEncrypted => "the peer does not encrypt, which this account requires",
            SdpError::NoCommonCodec => "there is no codec in common",
            SdpError::Mismatch => "the answer does not fit the offer",
        })
    }
}

impl std::error::Error for SdpError {}
