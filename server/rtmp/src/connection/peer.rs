//! Streams between two clients without a server between them, for both ends (RFC 7425 5.4).
//!
//! ```text
//!   Subscriber                                       Publisher
//!       |------ control flow, stream N: play --------------->|
//!       |<----- flows that answer to it, stream N: ----------|
//!       |       StreamBegin, statuses, sound, data           |
//! ```
//!
//! Each machine is one stream on a session that the driver has opened or accepted; a session may
//! carry several. They are driven as the machines of a connection are: flows are numbers, sending
//! ones numbered by the machine, so each machine needs a table of its own for them.

use super::link::{Link, Sorted, Use};
use super::outbox::Outbox;
use super::{Action, Media, MediaKind, Outgoing, Statistics};
use crate::amf::Value;
use crate::command::{Command, Data, Encoding};
use crate::message::{Body, UserControl};
use crate::metadata::Metadata;
use crate::numbers::code;
use crate::status::{Level, Refusal, info};
use std::time::Instant;

/// Something that the other end of a direct stream did.
#[derive(Debug, PartialEq)]
pub enum PeerEvent {
    /// At the publisher: the peer wants to play.
    PlayRequested {
        /// Which stream.
        name: String,
    },
    /// At the subscriber: the stream has begun.
    Begun,
    /// At the subscriber: `onStatus`; the info object.
    Status(Value),
    /// At the subscriber: data of the stream.
    Data(Data),
    /// The stream is over. It comes once and is the last event.
    Closed,
}

/// What both ends share.
#[derive(Debug)]
struct End {
    link: Link,
    stream: u32,
    events: Outbox<PeerEvent>,
}

impl End {
    fn new(stream: u32) -> End {
        End { link: Link::new(false), stream, events: Outbox::new() }
    }

    fn tell(&mut self, event: PeerEvent) {
        if !self.events.tell(event) {
            self.link.count_dropped();
        }
    }

    fn close(&mut self) {
        if self.events.close(PeerEvent::Closed) {
            self.link.close_all();
        }
    }

    /// A message has arrived, and with it what a barrier lets go. Media is returned at once.
    fn handle_message<'a>(
        &mut self,
        now: Instant,
        flow: u64,
        octets: &'a [u8],
        mut act: impl FnMut(&mut End, Body<'_>),
    ) -> Option<Media<'a>> {
        let media = match self.link.sort(now, flow, octets) {
            Sorted::Media(media) => (!self.events.is_closed()).then_some(media),
            Sorted::Act { body, .. } => {
                act(self, body);
                None
            }
            Sorted::Nothing => None,
        };
        self.release(now, act);
        media
    }

    /// Looks at what barriers have let go.
    fn release(&mut self, now: Instant, mut act: impl FnMut(&mut End, Body<'_>)) {
        while let Some((flow, octets)) = self.link.next_held() {
            if let Sorted::Act { body, .. } = self.link.sort(now, flow, &octets) {
                act(self, body);
            }
        }
    }

    /// A deadline was reached: a barrier opens.
    fn handle_timeout(&mut self, now: Instant, act: impl FnMut(&mut End, Body<'_>)) {
        self.link.handle_timeout(now);
        self.release(now, act);
    }

    /// A receiving flow is over.
    fn finish_flow(&mut self, now: Instant, flow: u64, act: impl FnMut(&mut End, Body<'_>)) {
        self.link.release_flow(flow);
        self.release(now, act);
        self.link.forget_receiving(flow);
    }

    /// The peer has rejected a sending flow.
    fn handle_flow_rejected(&mut self, flow: u64) {
        if self.link.mark_rejected(flow).is_some() {
            self.close();
        }
    }

    fn command(&mut self, name: &str, arguments: Vec<Value>) {
        let command = Command::new(name, 0.0, arguments);
        self.link.send(self.stream, command.encode(Encoding::Amf0));
    }
}

/// The end that plays a peer's stream.
#[derive(Debug)]
pub struct Subscriber {
    end: End,
}

impl Subscriber {
    /// Asks the peer of an open session for its stream of this name. `stream`: this end's number
    /// for it, not 0 (RFC 7425 5.4.1); `None` where it is.
    pub fn new(stream: u32, name: &str) -> Option<Subscriber> {
        let mut end = End::new(Some(stream).filter(|stream| *stream != 0)?);
        // -2: live or recorded, what there is.
        end.command("play", vec![name.into(), Value::from(-2.0)]);
        Some(Subscriber { end })
    }

    /// The peer has opened a flow that answers to a sending flow of this machine.
    pub fn handle_flow_opened(&mut self, flow: u64, metadata: &[u8], return_of: Option<u64>) {
        let answers = return_of.is_some_and(|flow| self.end.link.is_sending(flow));
        let ours = Metadata::parse(metadata).filter(|of| of.stream == self.end.stream);
        if answers && ours.is_some() && !self.end.events.is_closed() && self.end.link.has_room() {
            self.end.link.admit(flow, self.end.stream);
        } else {
            self.end.link.reject(flow);
        }
    }

    /// A message has arrived. Media is returned at once.
    pub fn handle_message<'a>(
        &mut self,
        now: Instant,
        flow: u64,
        octets: &'a [u8],
    ) -> Option<Media<'a>> {
        self.end.handle_message(now, flow, octets, hear_publisher)
    }

    /// A deadline was reached: a barrier opens (RFC 7425 5.2).
    pub fn handle_timeout(&mut self, now: Instant) {
        self.end.handle_timeout(now, hear_publisher);
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.end.link.poll_timeout()
    }

    /// A receiving flow is over, which says nothing of the stream (RFC 7425 5.4.2).
    pub fn handle_flow_finished(&mut self, now: Instant, flow: u64) {
        self.end.finish_flow(now, flow, hear_publisher);
    }

    /// The peer has rejected a sending flow: it does not publish, or not any more (5.4.3).
    pub fn handle_flow_rejected(&mut self, flow: u64) {
        self.end.handle_flow_rejected(flow);
    }

    /// Plays no more.
    pub fn close(&mut self) {
        self.end.close();
    }

    /// What is to be done to the session.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.end.link.poll_action()
    }

    /// What the publisher did.
    pub fn poll_event(&mut self) -> Option<PeerEvent> {
        self.end.events.take()
    }

    /// What was dropped or refused.
    pub fn statistics(&self) -> Statistics {
        self.end.link.statistics()
    }
}

/// What a publisher says on its control flow.
fn hear_publisher(end: &mut End, body: Body<'_>) {
    match body {
        Body::Command { values, .. } => match Command::parse(values) {
            Ok(Command { name, object, mut arguments, .. }) if name == "onStatus" => {
                let none = arguments.is_empty();
                let info = if none { object } else { arguments.swap_remove(0) };
                end.tell(PeerEvent::Status(info));
            }
            Ok(_) => end.link.count_ignored(),
            Err(_) => end.link.count_malformed(),
        },
        Body::UserControl(UserControl::StreamBegin(_)) => end.tell(PeerEvent::Begun),
        Body::Data(values) => match Data::parse(values) {
            Ok(data) => end.tell(PeerEvent::Data(data)),
            Err(_) => end.link.count_malformed(),
        },
        _ => end.link.count_ignored(),
    }
}

/// The end that publishes a stream to one peer.
#[derive(Debug)]
pub struct Publisher {
    end: End,
    control: u64,
    wish: Wish,
}

/// What the peer wants of the stream.
///
/// ```text
///   None --play--> Asked --accept--> Granted
///                    +-----refuse--> None, and the stream is over
/// ```
#[derive(Debug)]
enum Wish {
    None,
    /// To play the stream of this name, which is not answered yet.
    Asked(String),
    Granted,
}

impl Wish {
    /// What a subscriber says on its control flow.
    fn hear(&mut self, end: &mut End, body: Body<'_>) {
        let Body::Command { values, .. } = body else { return end.link.count_ignored() };
        match Command::parse(values) {
            Ok(Command { name, arguments, .. }) if name == "play" => {
                let name = arguments.first().and_then(Value::as_str).unwrap_or_default();
                if matches!(self, Wish::None) {
                    *self = Wish::Asked(name.to_owned());
                    end.tell(PeerEvent::PlayRequested { name: name.to_owned() });
                }
            }
            Ok(Command { name, .. }) if name == "closeStream" => end.close(),
            // Whether it wants sound or pictures: it gets what there is.
            Ok(_) => end.link.count_ignored(),
            Err(_) => end.link.count_malformed(),
        }
    }
}

impl Publisher {
    /// A peer has opened a flow that answers to none of ours. `None`: it is no subscription, and to
    /// be rejected.
    pub fn new(flow: u64, metadata: &[u8]) -> Option<Publisher> {
        let stream = Metadata::parse(metadata)?.stream;
        let mut end = End::new(Some(stream).filter(|stream| *stream != 0)?);
        end.link.associate = Some(flow);
        end.link.admit(flow, stream);
        Some(Publisher { end, control: flow, wish: Wish::None })
    }

    /// A message of the peer's control flow.
    pub fn handle_message(&mut self, now: Instant, flow: u64, octets: &[u8]) {
        // Who plays sends no sound of its own.
        let _ = self.end.handle_message(now, flow, octets, |end, body| self.wish.hear(end, body));
    }

    /// A deadline was reached: a barrier opens (RFC 7425 5.2).
    pub fn handle_timeout(&mut self, now: Instant) {
        self.end.handle_timeout(now, |end, body| self.wish.hear(end, body));
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.end.link.poll_timeout()
    }

    /// Lets the peer play, and opens the flow for sound.
    pub fn accept(&mut self) {
        let Wish::Asked(name) = &self.wish else { return };
        let name = name.clone();
        self.wish = Wish::Granted;
        let stream = self.end.stream;
        self.end.link.send(stream, UserControl::StreamBegin(stream).encode());
        for (code, words) in
            [(code::PLAY_RESET, "Playing and resetting"), (code::PLAY_START, "Started playing")]
        {
            let words = format!("{words} {name}.");
            self.end.command("onStatus", vec![info(Level::Status, code, &words, [])]);
        }
        self.end.link.flow(stream, Use::Audio);
    }

    /// Does not let the peer play, and ends the stream.
    pub fn refuse(&mut self, refusal: &Refusal) {
        if matches!(self.wish, Wish::Asked(_)) {
            self.wish = Wish::None;
            self.end.command("onStatus", vec![refusal.info()]);
            self.end.close();
        }
    }

    fn plays(&self) -> bool {
        matches!(self.wish, Wish::Granted) && !self.end.events.is_closed()
    }

    /// Sends data of the stream to who plays it.
    pub fn send_data(&mut self, data: &Data) {
        if self.plays() {
            self.end.link.send(self.end.stream, data.encode(Encoding::Amf0));
        }
    }

    /// Writes an audio message into `buffer` (payload and five octets). `None`: nobody plays, or
    /// the buffer is too small. Nothing is allocated.
    pub fn write_audio(
        &self,
        timestamp: u32,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Option<Outgoing> {
        let (stream, kind) = (self.end.stream, MediaKind::Audio);
        self.plays()
            .then(|| self.end.link.write_media(stream, kind, timestamp, payload, buffer))
            .flatten()
    }

    /// A receiving flow is over; with the control flow the stream is (RFC 7425 5.4.3).
    pub fn handle_flow_finished(&mut self, now: Instant, flow: u64) {
        self.end.finish_flow(now, flow, |end, body| self.wish.hear(end, body));
        if flow == self.control {
            self.end.close();
        }
    }

    /// The peer has rejected a flow of the stream.
    pub fn handle_flow_rejected(&mut self, flow: u64) {
        self.end.handle_flow_rejected(flow);
    }

    /// Publishes no more: the peer's control flow is rejected.
    pub fn close(&mut self) {
        if !self.end.events.is_closed() {
            self.end.link.reject(self.control);
            self.end.close();
        }
    }

    /// What is to be done to the session.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.end.link.poll_action()
    }

    /// What the subscriber did.
    pub fn poll_event(&mut self) -> Option<PeerEvent> {
        self.end.events.take()
    }

    /// What was dropped or refused.
    pub fn statistics(&self) -> Statistics {
        self.end.link.statistics()
    }
}
