//! One Flash client: its connection, and what its streams are to calls.

use crate::allowance::Allowance;
use crate::crowd::Seat;
use crate::legs::flash::Flows;
use crate::legs::flash_time::DownClock;
use crate::legs::flash_up::UpClock;
use base::{LinkId, Private};
use rtmp::connection::{Server, ServerSettings};
use std::time::Instant;

/// The media of one call of a client.
#[derive(Debug)]
pub struct Talk {
    /// The client's number for the call.
    pub call: u32,
    /// The stream that carries the microphone.
    pub publishing: Option<u32>,
    /// The stream that carries the far end.
    pub playing: Option<u32>,
    /// Times of what comes.
    pub up: UpClock,
    /// Times of what goes.
    pub down: DownClock,
    /// Messages that came and were heard, and those that went.
    pub received: u64,
    pub sent: u64,
}

/// One client.
#[derive(Debug)]
pub struct Client {
    /// Its NetConnection.
    pub connection: Server,
    /// The connection's flows on the session.
    pub flows: Flows,
    /// Its link, once it was let in.
    pub link: Option<LinkId>,
    /// Where its session comes from.
    pub address: std::net::IpAddr,
    /// By which others find it (RFC 7425 4.3.2), in hexadecimal.
    pub peer_id: Private<String>,
    pub talks: Vec<Talk>,
    /// How many commands it may give.
    pub allowance: Allowance,
    /// When the connection wants to be woken, as it stands in the table.
    pub wake_at: Option<Instant>,
    next_call: u32,
    /// Held for as long as the client is there.
    _seat: Seat,
}

impl Client {
    /// A client whose session has just opened.
    pub fn new(
        now: Instant,
        address: std::net::IpAddr,
        peer_id: Private<String>,
        seat: Seat,
    ) -> Client {
        Client {
            connection: Server::new(now, ServerSettings::default()),
            allowance: Allowance::new(now),
            flows: Flows::default(),
            link: None,
            address,
            peer_id,
            talks: Vec::new(),
            wake_at: None,
            next_call: 0,
            _seat: seat,
        }
    }

    /// A new call of this client, by its number.
    pub fn begin_talk(&mut self) -> u32 {
        self.next_call += 1;
        self.talks.push(Talk {
            call: self.next_call,
            publishing: None,
            playing: None,
            up: UpClock::default(),
            down: DownClock::default(),
            received: 0,
            sent: 0,
        });
        self.next_call
    }

    /// The media of a call.
    pub fn talk(&mut self, call: u32) -> Option<&mut Talk> {
        self.talks.iter_mut().find(|talk| talk.call == call)
    }

    /// The media of the call that a stream publishes for.
    pub fn published(&mut self, stream: u32) -> Option<&mut Talk> {
        self.talks.iter_mut().find(|talk| talk.publishing == Some(stream))
    }

    /// A call is over: its streams end.
    pub fn end_talk(&mut self, call: u32) -> Option<Talk> {
        let index = self.talks.iter().position(|talk| talk.call == call)?;
        Some(self.talks.swap_remove(index))
    }
}
