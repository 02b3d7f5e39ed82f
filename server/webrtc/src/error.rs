//! What can go wrong, and whose fault it is.

use std::fmt;

/// Who has to change something for the same request to succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The browser or the page: its offer cannot be answered.
    Browser,
    /// This server's configuration or load.
    Server,
    /// The caller of this crate used it wrongly.
    Caller,
}

/// Why an offer got no answer. Nothing of the offer is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcceptError {
    /// The text is not a usable offer; the word says what is wrong.
    Malformed(&'static str),
    /// No usable audio section.
    NoAudio,
    /// The offer and the accepted codecs have nothing in common.
    NoCommonCodec,
    /// The page is public and every candidate of this server is private.
    NoReachableCandidate,
    /// The endpoint has as many peers as it may have.
    Full,
    /// The peer is already there.
    PeerExists,
    /// There is no such peer (any more).
    UnknownPeer,
    /// A later offer names another certificate or another audio section: that is another peer.
    NotTheSamePeer,
}

impl AcceptError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            AcceptError::Malformed(_)
            | AcceptError::NoAudio
            | AcceptError::NoCommonCodec
            | AcceptError::NotTheSamePeer => Fault::Browser,
            AcceptError::NoReachableCandidate | AcceptError::Full => Fault::Server,
            AcceptError::PeerExists | AcceptError::UnknownPeer => Fault::Caller,
        }
    }
}

impl fmt::Display for AcceptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AcceptError::Malformed(what) => return write!(f, "the offer is malformed: {what}"),
            AcceptError::NoAudio => "the offer has no audio that can be answered",
            AcceptError::NoCommonCodec => "no audio codec is common to the browser and this call",
            AcceptError::NoReachableCandidate => {
                "the page is public, but this server knows only private addresses of itself"
            }
            AcceptError::Full => "this server already has as many browser calls as it may have",
            AcceptError::PeerExists => "this peer was accepted before",
            AcceptError::UnknownPeer => "there is no such peer",
            AcceptError::NotTheSamePeer => "the later offer belongs to another peer connection",
        })
    }
}

impl std::error::Error for AcceptError {}

/// Why an endpoint could not be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetupError {
    /// A candidate has no usable address: unspecified, multicast, or port 0.
    UnusableCandidate,
    /// No candidate at all, or more than an answer may carry.
    CandidateCount,
    /// The certificate could not be made.
    Certificate,
    /// The cipher library failed its own test.
    Cryptography,
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SetupError::UnusableCandidate => {
                "a local address is unspecified, multicast or without port"
            }
            SetupError::CandidateCount => "between 1 and 32 local addresses are needed",
            SetupError::Cryptography => "the cipher library failed its own test",
            SetupError::Certificate => "the DTLS certificate could not be made",
        })
    }
}

impl std::error::Error for SetupError {}

/// Why a frame did not leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// There is no such peer (any more).
    UnknownPeer,
    /// The peer is still connecting.
    NotConnected,
    /// The browser was not promised this codec.
    NotNegotiated,
    /// A frame with this number has left before, or it is too late to tell.
    Late,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendError::UnknownPeer => "there is no such peer",
            SendError::NotConnected => "the peer is not connected yet",
            SendError::NotNegotiated => "the codec was not negotiated with the browser",
            SendError::Late => "the frame left before or is too late",
        })
    }
}

impl std::error::Error for SendError {}
