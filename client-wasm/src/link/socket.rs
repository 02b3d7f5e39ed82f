//! Where the WebSocket is.

use signalling::limits;
use std::time::Duration;

/// How long a socket may take to open.
pub(super) const OPEN_WITHIN: Duration = Duration::from_secs(10);
/// How long the server may take to welcome us.
pub(super) const GREETING_WITHIN: Duration = Duration::from_secs(10);
/// How long a heartbeat may stay unanswered when the network has changed.
const SUSPECT_WITHIN: Duration = Duration::from_secs(3);
/// How long at least an answer to a heartbeat is waited for, however late the timer fired: a page
/// in the background is woken once a minute and must not close a good socket for that.
const PONG_WITHIN: Duration = Duration::from_secs(5);
/// A socket that lasted this long was a good one, and the next wait starts small again.
const LASTING: Duration = Duration::from_secs(5);

/// ```text
///         connect            opened            Welcome
///  Idle ----------> Opening --------> Greeting --------> Up
///    ^                ^ |                | |             |
///    |   wait is over | v closed, late   | |             | closed, silent
///    |              Waiting <------------+-|-------------+
///    |                                     v refused
///    +--- disconnect, from everywhere    Refused
/// ```
#[derive(Debug)]
pub(super) enum Socket {
    /// Not wanted.
    Idle,
    /// Wanted, but not before `until`.
    Waiting { until: Duration },
    /// On its way.
    Opening { until: Duration },
    /// Open; our Hello is not answered yet.
    Greeting { until: Duration },
    /// Welcomed.
    Up(Up),
    /// The server does not want this page; asking again is no use.
    Refused,
}

impl Socket {
    pub(super) fn up(now: Duration) -> Self {
        Socket::Up(Up {
            since: now,
            heard_at: now,
            said_at: now,
            pinged_at: None,
            suspected: false,
        })
    }

    /// Whether JavaScript holds a socket for us.
    pub(super) fn exists(&self) -> bool {
        matches!(self, Socket::Opening { .. } | Socket::Greeting { .. } | Socket::Up(_))
    }

    pub(super) fn is_up(&self) -> bool {
        matches!(self, Socket::Up(_))
    }

    pub(super) fn deadline(&self) -> Option<Duration> {
        match self {
            Socket::Idle | Socket::Refused => None,
            Socket::Waiting { until } | Socket::Opening { until } | Socket::Greeting { until } => {
                Some(*until)
            }
            Socket::Up(up) => Some(up.ping_at().min(up.silent_at().unwrap_or(Duration::MAX))),
        }
    }
}

/// A socket in use.
#[derive(Debug)]
pub(super) struct Up {
    since: Duration,
    heard_at: Duration,
    said_at: Duration,
    /// The first heartbeat that nothing was heard after.
    pinged_at: Option<Duration>,
    suspected: bool,
}

impl Up {
    pub(super) fn heard(&mut self, now: Duration) {
        self.heard_at = now;
        self.pinged_at = None;
        self.suspected = false;
    }

    pub(super) fn said(&mut self, now: Duration) {
        self.said_at = now;
    }

    pub(super) fn pinged(&mut self, now: Duration) {
        self.said_at = now;
        self.pinged_at.get_or_insert(now);
    }

    /// The network changed: the socket may be dead without knowing it.
    pub(super) fn suspect(&mut self, now: Duration) {
        self.suspected = true;
        self.pinged_at = Some(now);
    }

    /// When the next heartbeat is due: after silence from us, or from the other end, which a page
    /// that talks all the time would not notice.
    pub(super) fn ping_at(&self) -> Duration {
        match self.pinged_at {
            Some(_) => self.said_at + limits::HEARTBEAT_EVERY,
            None => self.said_at.min(self.heard_at) + limits::HEARTBEAT_EVERY,
        }
    }

    fn silent_at(&self) -> Option<Duration> {
        self.pinged_at.map(|at| match self.suspected {
            true => at + SUSPECT_WITHIN,
            false => (self.heard_at + limits::LINK_SILENCE).max(at + PONG_WITHIN),
        })
    }

    pub(super) fn is_silent(&self, now: Duration) -> bool {
        self.silent_at().is_some_and(|at| now >= at)
    }

    pub(super) fn was_lasting(&self, now: Duration) -> bool {
        now.saturating_sub(self.since) >= LASTING
    }
}
