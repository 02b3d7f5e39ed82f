//! The client's end of a connection, for tests and for making load. What it is told to do is in
//! `commands`.

mod commands;

use super::link::{Link, Sorted};
use super::outbox::Outbox;
use super::streams::{Role, Streams};
use super::{Action, Cause, Media, Statistics};
use crate::amf::Value;
use crate::command::{Command, Data, Encoding};
use crate::message::{Body, UserControl};
use crate::metadata::Metadata;
use crate::numbers::{CLOSE_WAITS, CONNECT_WAITS, KEEPALIVE_AT_LEAST};
use std::net::SocketAddr;
use std::time::Instant;

/// How the client's end behaves, and what it tells the server.
#[derive(Clone, Debug)]
pub struct ClientSettings {
    /// The path of the URL.
    pub app: String,
    /// The whole URL.
    pub tc_url: String,
    /// The page that the SWF would stand in.
    pub page_url: String,
    /// The SWF.
    pub swf_url: String,
    /// Such as `WIN 20,0,0,286`.
    pub flash_version: String,
    /// 0 or 3.
    pub object_encoding: u32,
    /// What goes with `connect` beside the command object.
    pub arguments: Vec<Value>,
    /// What `setPeerInfo` tells; `None` leaves it out, as some clients do.
    pub addresses: Option<Vec<SocketAddr>>,
    /// Some clients use transaction 0 for `connect` and `createStream` and want answers still.
    pub zero_transactions: bool,
    /// Hints on flows with sound that they may be taken in the order of the network.
    pub network_order: bool,
}

impl Default for ClientSettings {
    fn default() -> Self {
        ClientSettings {
            app: String::new(),
            tc_url: String::new(),
            page_url: String::new(),
            swf_url: String::new(),
            flash_version: "WIN 20,0,0,286".into(),
            object_encoding: 3,
            arguments: Vec::new(),
            addresses: Some(Vec::new()),
            zero_transactions: false,
            network_order: false,
        }
    }
}

/// Something that the server did.
#[derive(Debug, PartialEq)]
pub enum ClientEvent {
    /// The connection is up; the info object.
    Connected(Value),
    /// `connect` was refused; the info object. The connection closes.
    Refused(Value),
    /// A new stream is there.
    StreamCreated {
        /// The stream.
        stream: u32,
    },
    /// A call was answered.
    Answered {
        /// What [`Client::call`] gave.
        transaction: f64,
        /// What `_result` carries, or the info object of `_error`.
        outcome: Result<Value, Value>,
    },
    /// `onStatus`; the info object.
    Status {
        /// The stream, 0 for the connection.
        stream: u32,
        /// Level, code, description.
        info: Value,
    },
    /// The server calls a function.
    Called {
        /// Its name.
        name: String,
        /// What it gives.
        arguments: Vec<Value>,
    },
    /// A user control event. Times of `SetKeepalive` are no shorter than a client may set them.
    UserControl(UserControl),
    /// Data of a stream.
    Data {
        /// The stream.
        stream: u32,
        /// The data.
        data: Data,
    },
    /// The server has rejected a flow of a stream.
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
///   Connecting --_result--> Connected
///       | _error, time          | close, the server's flow is finished
///       +-----------+-----------+
///                   v
///                Closing --the server's flow is finished, time--> Over
/// ```
///
/// A rejected control flow and the session's end lead to `Over` from anywhere.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Phase {
    Connecting { until: Instant },
    Connected,
    Closing { until: Instant },
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Pending {
    Connect,
    CreateStream,
    Call,
}

/// The client's end of one connection.
#[derive(Debug)]
pub struct Client {
    phase: Phase,
    link: Link,
    streams: Streams,
    pending: Vec<(f64, Pending)>,
    last_transaction: u32,
    encoding: Encoding,
    addresses: Option<Vec<SocketAddr>>,
    zero_transactions: bool,
    events: Outbox<ClientEvent>,
}

impl Client {
    /// A connection on a session that is open now: `connect` goes out at once.
    pub fn new(now: Instant, settings: ClientSettings) -> Client {
        let transaction = if settings.zero_transactions { 0.0 } else { 1.0 };
        let mut client = Client {
            phase: Phase::Connecting { until: now + CONNECT_WAITS },
            link: Link::new(settings.network_order),
            streams: Streams::default(),
            pending: vec![(transaction, Pending::Connect)],
            last_transaction: 1,
            encoding: Encoding::Amf0,
            addresses: settings.addresses,
            zero_transactions: settings.zero_transactions,
            events: Outbox::new(),
        };
        let mut connect = Command::new("connect", transaction, settings.arguments);
        connect.object = Value::object([
            ("app", settings.app.into()),
            ("flashVer", settings.flash_version.into()),
            ("swfUrl", settings.swf_url.into()),
            ("tcUrl", settings.tc_url.into()),
            ("fpad", false.into()),
            ("capabilities", 235.0.into()),
            ("audioCodecs", 3575.0.into()),
            ("videoCodecs", 252.0.into()),
            ("videoFunction", 1.0.into()),
            ("pageUrl", settings.page_url.into()),
            ("objectEncoding", settings.object_encoding.into()),
        ]);
        client.command(0, &connect);
        if settings.object_encoding >= 3 {
            client.encoding = Encoding::Amf3;
        }
        client
    }

    // Inputs.

    /// The server has opened a flow. `return_of`: the sending flow of ours that it answers to.
    pub fn handle_flow_opened(&mut self, flow: u64, metadata: &[u8], return_of: Option<u64>) {
        let answers = return_of.is_some_and(|flow| self.link.is_sending(flow));
        let metadata = Metadata::parse(metadata).filter(|metadata| {
            let known = metadata.stream == 0 || self.streams.find(metadata.stream).is_some();
            answers && known && self.link.has_room()
        });
        match metadata {
            Some(metadata) => {
                if metadata.stream == 0 {
                    // The first is the canonical one (RFC 7425 5.3.2).
                    self.link.associate.get_or_insert(flow);
                }
                self.link.admit(flow, metadata.stream);
            }
            None => self.link.reject(flow),
        }
    }

    /// A message has arrived. Media is returned at once.
    pub fn handle_message<'a>(
        &mut self,
        now: Instant,
        flow: u64,
        octets: &'a [u8],
    ) -> Option<Media<'a>> {
        let media = match self.link.sort(now, flow, octets) {
            Sorted::Media(media) => self
                .streams
                .find(media.stream)
                .is_some_and(|s| s.role == Role::Playing)
                .then_some(media),
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

    /// The server has rejected a sending flow.
    pub fn handle_flow_rejected(&mut self, flow: u64) {
        match self.link.mark_rejected(flow) {
            Some(0) => {
                self.events.close(ClientEvent::Closed(Cause::Rejected));
                self.end();
            }
            Some(stream) => self.tell(ClientEvent::FlowRejected { stream }),
            None => {}
        }
    }

    /// The session is over.
    pub fn handle_session_closed(&mut self) {
        self.events.close(ClientEvent::Closed(Cause::SessionClosed));
        self.link.abandon();
        self.phase = Phase::Over;
    }

    /// A deadline was reached.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.link.handle_timeout(now);
        self.release(now);
        match self.phase {
            Phase::Connecting { until } if until <= now => self.wind_up(now, Cause::TimedOut),
            Phase::Closing { until } if until <= now => self.end(),
            _ => {}
        }
    }

    // Outputs.

    /// What is to be done to the session.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.link.poll_action()
    }

    /// What the server did.
    pub fn poll_event(&mut self) -> Option<ClientEvent> {
        self.events.take()
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let own = match self.phase {
            Phase::Connecting { until } | Phase::Closing { until } => Some(until),
            Phase::Connected | Phase::Over => None,
        };
        own.into_iter().chain(self.link.poll_timeout()).min()
    }

    /// Whether there is nothing more to do; what is left to poll is to be polled.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Over
    }

    /// What was dropped or refused.
    pub fn statistics(&self) -> Statistics {
        self.link.statistics()
    }

    // What messages mean.

    fn release(&mut self, now: Instant) {
        while let Some((flow, octets)) = self.link.next_held() {
            if let Sorted::Act { stream, body } = self.link.sort(now, flow, &octets) {
                self.act(now, stream, body);
            }
        }
    }

    fn act(&mut self, now: Instant, stream: u32, body: Body<'_>) {
        match body {
            Body::Command { values, .. } => match Command::parse(values) {
                Ok(command) => self.act_on_command(now, stream, command),
                Err(_) => self.link.count_malformed(),
            },
            Body::UserControl(UserControl::SetKeepalive { server, peer }) => {
                let (server, peer) = (server.max(KEEPALIVE_AT_LEAST), peer.max(KEEPALIVE_AT_LEAST));
                let event = UserControl::SetKeepalive { server, peer };
                self.tell(ClientEvent::UserControl(event));
            }
            Body::UserControl(event) => self.tell(ClientEvent::UserControl(event)),
            Body::Data(values) => match Data::parse(values) {
                Ok(data) => self.tell(ClientEvent::Data { stream, data }),
                Err(_) => self.link.count_malformed(),
            },
            _ => self.link.count_ignored(),
        }
    }

    fn act_on_command(&mut self, now: Instant, stream: u32, command: Command) {
        let Command { name, transaction, object, mut arguments } = command;
        // An info object may stand in the command object's place.
        let value = if arguments.is_empty() { object } else { arguments.swap_remove(0) };
        match name.as_str() {
            "_result" => self.answered(now, transaction, Ok(value)),
            "_error" => self.answered(now, transaction, Err(value)),
            "onStatus" => self.tell(ClientEvent::Status { stream, info: value }),
            _ => {
                let arguments = std::iter::once(value).chain(arguments).collect();
                self.tell(ClientEvent::Called { name, arguments });
            }
        }
    }

    fn answered(&mut self, now: Instant, transaction: f64, outcome: Result<Value, Value>) {
        let same = |(pending, _): &(f64, Pending)| pending.to_bits() == transaction.to_bits();
        let Some(index) = self.pending.iter().position(same) else {
            return self.link.count_ignored();
        };
        // In their order: those with transaction 0 are told apart by nothing else.
        match (self.pending.remove(index).1, outcome) {
            (Pending::Connect, Ok(info)) => {
                if let Phase::Connecting { .. } = self.phase {
                    self.phase = Phase::Connected;
                    self.set_peer_info();
                    self.tell(ClientEvent::Connected(info));
                }
            }
            (Pending::Connect, Err(info)) => {
                self.tell(ClientEvent::Refused(info));
                self.wind_up(now, Cause::Refused);
            }
            (Pending::CreateStream, Ok(value)) => match value.as_u32() {
                Some(stream) if self.streams.insert(stream).is_some() => {
                    self.tell(ClientEvent::StreamCreated { stream });
                }
                _ => self.link.count_malformed(),
            },
            (Pending::CreateStream | Pending::Call, outcome) => {
                self.tell(ClientEvent::Answered { transaction, outcome });
            }
        }
    }

    fn set_peer_info(&mut self) {
        let Some(addresses) = self.addresses.take() else { return };
        let texts = addresses.iter().map(|address| Value::from(address.to_string())).collect();
        self.command(0, &Command::new("setPeerInfo", 0.0, texts));
    }

    // Helpers.

    fn is_connected(&self) -> bool {
        self.phase == Phase::Connected
    }

    fn command(&mut self, stream: u32, command: &Command) {
        let octets = command.encode(self.encoding);
        self.link.send(stream, octets);
    }

    fn tell(&mut self, event: ClientEvent) {
        if !self.events.tell(event) {
            self.link.count_dropped();
        }
    }

    fn wind_up(&mut self, now: Instant, cause: Cause) {
        if self.phase != Phase::Over {
            self.events.close(ClientEvent::Closed(cause));
            self.link.close_all();
            self.phase = Phase::Closing { until: now + CLOSE_WAITS };
        }
    }

    fn end(&mut self) {
        self.link.close_session();
        self.phase = Phase::Over;
    }
}
