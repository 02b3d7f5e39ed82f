//! The server's end of a connection: its states, its inputs and outputs. What the application
//! tells it is in `commands`, what the client's messages mean in `messages`.

mod commands;
mod messages;

use super::link::{Link, Sorted};
use super::outbox::Outbox;
use super::streams::{Role, Streams};
use super::{Action, Cause, Media, MediaKind, Statistics};
use crate::amf::Value;
use crate::command::{Command, Data, Encoding};
use crate::metadata::Metadata;
use crate::numbers::{CLOSE_WAITS, CONNECT_WAITS, code};
use crate::status::Refusal;
use base::Private;
use std::net::SocketAddr;
use std::time::Instant;

/// How the server's end behaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServerSettings {
    /// Hints on flows with sound that they may be taken in the order of the network. Clients that
    /// compare metadata octet for octet reject such flows, so it is off as a rule.
    pub network_order: bool,
}

/// What a client asks for with `connect`.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectRequest {
    /// The application: the path of the URL.
    pub app: String,
    /// The whole URL, without name and password where it had them.
    pub tc_url: Private<String>,
    /// The page that the SWF stands in; empty where the client does not tell.
    pub page_url: Private<String>,
    /// The SWF itself; empty where the client does not tell.
    pub swf_url: Private<String>,
    /// Such as `WIN 20,0,0,286`.
    pub flash_version: String,
    /// 0 or 3: what the client asks for and is answered.
    pub object_encoding: u32,
    /// Everything else that stood in the command object.
    pub properties: Value,
    /// What the page gave to `connect` beside the URL.
    pub arguments: Vec<Value>,
}

/// Something that the client did.
#[derive(Debug, PartialEq)]
pub enum ServerEvent {
    /// It wants to connect; [`Server::accept`] or [`Server::reject`] answers.
    ConnectRequested(ConnectRequest),
    /// It tells its own addresses (RFC 7425 5.3.3). Not every client does.
    PeerInfo(Private<Vec<SocketAddr>>),
    /// It calls the application; [`Server::result`] or [`Server::error`] answers where the
    /// transaction is not 0.
    Called {
        /// The command.
        name: String,
        /// For the answer.
        transaction: f64,
        /// What it gave.
        arguments: Vec<Value>,
    },
    /// It has a new stream.
    StreamCreated {
        /// The stream.
        stream: u32,
    },
    /// It has given a stream up.
    StreamDeleted {
        /// The stream.
        stream: u32,
    },
    /// It wants to send; [`Server::accept_publish`] or [`Server::refuse_publish`] answers.
    PublishRequested {
        /// The stream.
        stream: u32,
        /// What to publish as.
        name: String,
    },
    /// It wants to receive; [`Server::accept_play`] or [`Server::refuse_play`] answers.
    PlayRequested {
        /// The stream.
        stream: u32,
        /// What to play.
        name: String,
    },
    /// It does not send any more.
    PublishStopped {
        /// The stream.
        stream: u32,
    },
    /// It does not receive any more.
    PlayStopped {
        /// The stream.
        stream: u32,
    },
    /// It wants sound or pictures, or does not. [`Server::write_audio`] and
    /// [`Server::write_video`] heed it already.
    MediaWanted {
        /// The stream.
        stream: u32,
        /// Sound or pictures.
        kind: MediaKind,
        /// Whether it wants them.
        wanted: bool,
    },
    /// It tells how much it buffers.
    BufferLength {
        /// The stream.
        stream: u32,
        /// Milliseconds.
        length: u32,
    },
    /// Data of a stream that it publishes.
    Data {
        /// The stream.
        stream: u32,
        /// The data.
        data: Data,
    },
    /// It has rejected a flow of a stream: what was sent on it is not taken any more.
    FlowRejected {
        /// The stream.
        stream: u32,
    },
    /// The connection is over. It comes once and is the last event.
    Closed(Cause),
}

/// Where a connection stands.
///
/// ```text
///   Waiting --connect--> Deciding --accept--> Connected
///      |                    |                     |
///      | time               | reject, time        | close, the client's flow is finished
///      +--------------------+----------+----------+
///                                      v
///                                   Closing --the client's flow is finished, time--> Over
/// ```
///
/// A rejected control flow and the session's end lead to `Over` from anywhere.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Waiting { until: Instant },
    Deciding { until: Instant, transaction: f64, object_encoding: u32 },
    Connected,
    Closing { until: Instant },
    Over,
}

/// The server's end of one connection.
#[derive(Debug)]
pub struct Server {
    phase: Phase,
    link: Link,
    streams: Streams,
    /// Transactions that the application has not answered yet.
    pending: Vec<f64>,
    /// The client speaks type 17, so it is spoken to in type 17. What it asked for in `connect`
    /// does not tell: some ask for AMF 3 and go on in type 20.
    encoding: Encoding,
    events: Outbox<ServerEvent>,
}

impl Server {
    /// A connection on a session that is open now; the client speaks first.
    pub fn new(now: Instant, settings: ServerSettings) -> Server {
        Server {
            phase: Phase::Waiting { until: now + CONNECT_WAITS },
            link: Link::new(settings.network_order),
            streams: Streams::default(),
            pending: Vec::new(),
            encoding: Encoding::Amf0,
            events: Outbox::new(),
        }
    }

    // Inputs.

    /// The client has opened a flow. `return_of`: the sending flow of ours that it answers to.
    pub fn handle_flow_opened(&mut self, flow: u64, metadata: &[u8], return_of: Option<u64>) {
        let metadata = Metadata::parse(metadata);
        match metadata.filter(|metadata| self.admits(metadata.stream, return_of)) {
            Some(metadata) => {
                self.link.associate.get_or_insert(flow);
                self.link.admit(flow, metadata.stream);
            }
            None => self.link.reject(flow),
        }
    }

    /// The first flow is the client's control flow. Every other answers to a flow of ours: without
    /// that it is a subscription between peers (RFC 7425 5.4), which this end does not serve.
    fn admits(&self, stream: u32, return_of: Option<u64>) -> bool {
        let known = stream == 0 || self.streams.find(stream).is_some();
        self.link.has_room()
            && match (self.phase, return_of) {
                (Phase::Waiting { .. }, None) => stream == 0 && self.link.associate.is_none(),
                (Phase::Connected, Some(flow)) => known && self.link.is_sending(flow),
                _ => false,
            }
    }

    /// A message has arrived. Media of a stream that publishes is returned at once.
    pub fn handle_message<'a>(
        &mut self,
        now: Instant,
        flow: u64,
        octets: &'a [u8],
    ) -> Option<Media<'a>> {
        let sorted = self.link.sort(now, flow, octets);
        let media = match sorted {
            Sorted::Media(media) => {
                let stream = self.streams.find(media.stream);
                let publishes = self.phase == Phase::Connected
                    && stream.is_some_and(|stream| stream.role == Role::Publishing);
                if !publishes {
                    self.link.count_ignored();
                } else if media.kind == MediaKind::Audio {
                    self.link.take_as_it_comes(flow);
                }
                publishes.then_some(media)
            }
            Sorted::Act { stream, body } => {
                self.act(now, stream, body);
                None
            }
            Sorted::Nothing => None,
        };
        self.release(now);
        media
    }

    /// Everything of a receiving flow has come.
    pub fn handle_flow_finished(&mut self, now: Instant, flow: u64) {
        self.link.release_flow(flow);
        self.release(now);
        self.link.forget_receiving(flow);
        if self.link.associate == Some(flow) {
            match self.phase {
                Phase::Closing { .. } => self.end(),
                _ => self.wind_up(now, Cause::Finished),
            }
        }
    }

    /// The client has rejected a sending flow.
    pub fn handle_flow_rejected(&mut self, flow: u64) {
        match self.link.mark_rejected(flow) {
            Some(0) => {
                self.events.close(ServerEvent::Closed(Cause::Rejected));
                self.end();
            }
            Some(stream) => self.tell(ServerEvent::FlowRejected { stream }),
            None => {}
        }
    }

    /// The session is over.
    pub fn handle_session_closed(&mut self) {
        self.events.close(ServerEvent::Closed(Cause::SessionClosed));
        self.link.abandon();
        self.phase = Phase::Over;
    }

    /// A deadline was reached.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.link.handle_timeout(now);
        self.release(now);
        match self.phase {
            Phase::Waiting { until } if until <= now => self.wind_up(now, Cause::TimedOut),
            Phase::Deciding { until, .. } if until <= now => {
                let words = "The server did not decide in time.";
                self.turn_away(now, &Refusal::new(code::CONNECT_FAILED, words), Cause::TimedOut);
            }
            Phase::Closing { until } if until <= now => self.end(),
            _ => {}
        }
    }

    // Outputs.

    /// What is to be done to the session.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.link.poll_action()
    }

    /// What the client did.
    pub fn poll_event(&mut self) -> Option<ServerEvent> {
        self.events.take()
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let own = match self.phase {
            Phase::Waiting { until } | Phase::Deciding { until, .. } | Phase::Closing { until } => {
                Some(until)
            }
            Phase::Connected | Phase::Over => None,
        };
        own.into_iter().chain(self.link.poll_timeout()).min()
    }

    /// Whether there is nothing more to do; what is left to poll is to be polled.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// Whether `connect` was accepted and nothing has ended since.
    pub fn is_connected(&self) -> bool {
        self.phase == Phase::Connected
    }

    /// What was dropped or refused.
    pub fn statistics(&self) -> Statistics {
        self.link.statistics()
    }

    // Helpers.

    /// Answers on the control flow: null and one value.
    fn answer(&mut self, name: &str, transaction: f64, value: Value) {
        self.command(0, &Command::new(name, transaction, vec![value]));
    }

    fn command(&mut self, stream: u32, command: &Command) {
        let octets = command.encode(self.encoding);
        self.link.send(stream, octets);
    }

    fn tell(&mut self, event: ServerEvent) {
        if !self.events.tell(event) {
            self.link.count_dropped();
        }
    }

    /// Closes the sending flows and gives the client time to hear the last words.
    fn wind_up(&mut self, now: Instant, cause: Cause) {
        if self.phase != Phase::Over {
            self.events.close(ServerEvent::Closed(cause));
            self.link.close_all();
            self.phase = Phase::Closing { until: now + CLOSE_WAITS };
        }
    }

    fn end(&mut self) {
        self.link.close_session();
        self.phase = Phase::Over;
    }
}
