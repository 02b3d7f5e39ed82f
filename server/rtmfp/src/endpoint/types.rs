//! What an endpoint is told and what it tells.

use crate::crypto::{Certificate, Protection};
use crate::params::OPEN_TIMEOUT;
use crate::session::{Role, SessionCommand, SessionEvent, SessionSettings};
use base::Private;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

/// Our handle of a session, from the first packet towards it on; never used twice. It has nothing
/// to do with the session IDs on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

/// What to do with a hello that a Forwarder passed on to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forwarded {
    /// Answer the initiator as if it had asked us.
    Answer,
    /// Only show it our address, by an implied redirect.
    Redirect,
    /// Nothing.
    Ignore,
}

/// What an endpoint is made with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address of our socket, from which sessions are opened.
    pub local: SocketAddr,
    /// Whether others may open sessions to us.
    pub accept: bool,
    /// How much we want an HMAC on packets.
    pub hmac: Protection,
    /// How much we want session sequence numbers.
    pub sequence: Protection,
    /// For each session; whether the far end is a legacy one is found out.
    pub session: SessionSettings,
    /// The most sessions at one time.
    pub sessions_max: usize,
    /// The most handshakes whose Diffie-Hellman is not done, as responder.
    pub handshakes_max: usize,
    /// Those of one IP address.
    pub handshakes_of_one_max: usize,
    /// The most sessions that we are opening.
    pub openings_max: usize,
    /// How long we try to open one.
    pub open_within: Duration,
    /// What to do with a hello that a Forwarder passed on to us.
    pub forwarded: Forwarded,
    /// Be the introducer of the endpoints that have a session with us: tell those who look for one
    /// where it is, and tell it of them (RFC 7016 section 3.5.1.6).
    pub introduce: bool,
}

impl Settings {
    /// The usual settings of a server.
    pub fn server(local: SocketAddr) -> Self {
        Settings {
            local,
            accept: true,
            hmac: Protection::WhenAsked,
            sequence: Protection::WhenAsked,
            session: SessionSettings::default(),
            sessions_max: 4_096,
            handshakes_max: 256,
            handshakes_of_one_max: 32,
            openings_max: 64,
            open_within: OPEN_TIMEOUT,
            forwarded: Forwarded::Ignore,
            introduce: false,
        }
    }

    /// The usual settings of a client, which also lets its peers in.
    pub fn client(local: SocketAddr) -> Self {
        Settings {
            hmac: Protection::Wanted,
            sequence: Protection::Wanted,
            forwarded: Forwarded::Answer,
            ..Settings::server(local)
        }
    }
}

/// What the owner wants. Commands that name what does not exist do nothing.
#[derive(Clone, PartialEq)]
pub enum Command {
    /// For an open session.
    Session {
        /// Which.
        session: SessionId,
        /// What.
        command: SessionCommand,
    },
    /// Ends a session, or the try to open it. [`Event::Closed`] or [`Event::Failed`] tells.
    Close {
        /// Which.
        session: SessionId,
        /// Ask the far end and wait for its answer, or only tell it once.
        orderly: bool,
    },
    /// More addresses at which the endpoint may be that we are opening a session to.
    AddCandidates {
        /// Which.
        session: SessionId,
        /// Where.
        addresses: Vec<SocketAddr>,
    },
    /// Where else the far end says it can be reached, at most eight: an introducer tells others.
    SetReachable {
        /// Which.
        session: SessionId,
        /// Where.
        addresses: Vec<SocketAddr>,
    },
    /// Who says hello to us is sent to these addresses instead, at most 24; with none, answered
    /// again. Sessions stay.
    Redirect {
        /// Where to.
        addresses: Vec<SocketAddr>,
    },
    /// Closes everything, and lets nobody in any more.
    Shutdown,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::Session { session, command } => {
                write!(f, "Session({}, {command:?})", session.0)
            }
            Command::Close { session, orderly } => write!(f, "Close({}, {orderly})", session.0),
            Command::AddCandidates { session, addresses } => {
                write!(f, "AddCandidates({}, {} addresses)", session.0, addresses.len())
            }
            Command::SetReachable { session, addresses } => {
                write!(f, "SetReachable({}, {} addresses)", session.0, addresses.len())
            }
            Command::Redirect { addresses } => write!(f, "Redirect({} addresses)", addresses.len()),
            Command::Shutdown => f.write_str("Shutdown"),
        }
    }
}

/// Why a session did not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenFailure {
    /// Nobody answered well enough in time.
    Timeout,
    /// There is one with the same endpoint already.
    Duplicate {
        /// Which.
        of: SessionId,
    },
    /// The responder's half of the keys was of no use.
    Keying,
    /// The owner gave it up.
    Local,
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseCause {
    /// The owner closed it.
    Local,
    /// The far end closed it.
    Peer,
    /// The far end said nothing for too long, pings included.
    Silent,
    /// The far end opened a new one in its place.
    Replaced,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A session is open.
    Opened {
        /// Which.
        session: SessionId,
        /// Which end this is.
        role: Role,
        /// Where the far end is.
        remote: Private<SocketAddr>,
        /// The far end's certificate; its fingerprint is the peer ID.
        certificate: Certificate,
        /// Neither direction has an HMAC: a client of the Flash Player kind.
        legacy: bool,
    },
    /// A session that we were opening did not open.
    Failed {
        /// Which.
        session: SessionId,
        /// Why.
        cause: OpenFailure,
    },
    /// Something inside a session; never [`SessionEvent::Closed`] and never
    /// [`SessionEvent::ForwardedHello`].
    Session {
        /// Which.
        session: SessionId,
        /// What.
        event: SessionEvent,
    },
    /// A session is over; told once.
    Closed {
        /// Which.
        session: SessionId,
        /// Why.
        cause: CloseCause,
    },
}

/// Why a session cannot be opened now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Too many are being opened, or too many are open.
    Full,
    /// No address to try.
    NoCandidate,
    /// The endpoint is shut down.
    ShutDown,
}

/// Counts of an endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Datagrams that were no packet of anybody we know, or not whole.
    pub unverified: u64,
    /// Packets that came a second time.
    pub replayed: u64,
    /// Packets and chunks of startup that broke a rule.
    pub malformed: u64,
    /// Hellos that were answered.
    pub hellos: u64,
    /// Hellos that were not for us.
    pub hellos_for_others: u64,
    /// Answers that were not given, and keying that was not taken, because the source had too many.
    pub limited: u64,
    /// Cookies that were forged or had expired.
    pub cookies_refused: u64,
    /// Cookies that were changed.
    pub cookies_changed: u64,
    /// Keying that was not acceptable.
    pub keying_refused: u64,
    /// Keying that was not taken because of a bound.
    pub beyond_bounds: u64,
    /// Keying of somebody new at the address of an open session.
    pub rivals: u64,
    /// Sessions that opened.
    pub opened: u64,
    /// Datagrams that had no room on their way out.
    pub dropped: u64,
}
