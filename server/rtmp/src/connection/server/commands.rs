//! What the application tells the server's end.

use super::super::link::Use;
use super::super::streams::Role;
use super::super::{MediaKind, Outgoing};
use super::{Cause, Phase, Server};
use crate::amf::Value;
use crate::command::{Command, Data};
use crate::message::UserControl;
use crate::numbers::code;
use crate::status::{Level, Refusal, info};
use std::time::Instant;

impl Server {
    /// Lets the client in.
    pub fn accept(&mut self) {
        let Phase::Deciding { transaction, object_encoding, .. } = self.phase else { return };
        let encoding = ("objectEncoding", Value::from(object_encoding));
        // Null and one object: there are clients that close at any other shape.
        let info = info(Level::Status, code::CONNECT_SUCCESS, "Connection succeeded.", [encoding]);
        self.answer("_result", transaction, info);
        self.phase = Phase::Connected;
    }

    /// Sends the client away; the connection ends when it has heard it.
    pub fn reject(&mut self, now: Instant, refusal: &Refusal) {
        self.turn_away(now, refusal, Cause::Refused);
    }

    pub(super) fn turn_away(&mut self, now: Instant, refusal: &Refusal, cause: Cause) {
        if let Phase::Deciding { transaction, .. } = self.phase {
            self.answer("_error", transaction, refusal.info());
            self.wind_up(now, cause);
        }
    }

    /// Answers a call. Whether it was waiting for an answer.
    pub fn result(&mut self, transaction: f64, value: Value) -> bool {
        self.settle(transaction) && {
            self.answer("_result", transaction, value);
            true
        }
    }

    /// Answers a call with a refusal. Whether it was waiting for an answer.
    pub fn error(&mut self, transaction: f64, refusal: &Refusal) -> bool {
        self.settle(transaction) && {
            self.answer("_error", transaction, refusal.info());
            true
        }
    }

    fn settle(&mut self, transaction: f64) -> bool {
        let same = |pending: &f64| pending.to_bits() == transaction.to_bits();
        let found = self.pending.iter().position(same);
        found.map(|index| self.pending.swap_remove(index)).is_some()
            && self.phase == Phase::Connected
    }

    /// Calls a function of the client's; no answer is asked for.
    pub fn call(&mut self, name: &str, arguments: Vec<Value>) {
        if self.phase == Phase::Connected {
            self.command(0, &Command::new(name, 0.0, arguments));
        }
    }

    /// Advises the client how often to ping, in milliseconds (RFC 7425 5.3.4).
    pub fn set_keepalive(&mut self, server: u32, peer: u32) {
        if self.phase == Phase::Connected {
            self.link.send(0, UserControl::SetKeepalive { server, peer }.encode());
        }
    }

    /// Ends the connection in order.
    pub fn close(&mut self, now: Instant) {
        match self.phase {
            Phase::Closing { .. } | Phase::Over => {}
            _ => self.wind_up(now, Cause::Closed),
        }
    }

    // Commands: streams.

    /// Lets the client publish; from now on its media is returned by [`Self::handle_message`].
    pub fn accept_publish(&mut self, stream: u32) {
        if let Some(name) = self.asked_to_publish(stream, Role::Publishing) {
            let words = format!("{name} is now published.");
            self.status(stream, Level::Status, code::PUBLISH_START, &words);
        }
    }

    /// Does not let the client publish.
    pub fn refuse_publish(&mut self, stream: u32, refusal: &Refusal) {
        if self.asked_to_publish(stream, Role::Idle).is_some() {
            self.status(stream, Level::Error, &refusal.code, &refusal.description);
        }
    }

    /// Lets the client play, and opens the flow for sound.
    pub fn accept_play(&mut self, stream: u32) {
        let Some(name) = self.asked_to_play(stream, Role::Playing) else { return };
        self.link.send(stream, UserControl::StreamBegin(stream).encode());
        let words = format!("Playing and resetting {name}.");
        self.status(stream, Level::Status, code::PLAY_RESET, &words);
        let words = format!("Started playing {name}.");
        self.status(stream, Level::Status, code::PLAY_START, &words);
        let access = vec![Value::from(false), Value::from(false)];
        let data = Data { name: "|RtmpSampleAccess".into(), values: access };
        self.link.send(stream, data.encode(self.encoding));
        self.link.flow(stream, Use::Audio);
    }

    /// Does not let the client play.
    pub fn refuse_play(&mut self, stream: u32, refusal: &Refusal) {
        if self.asked_to_play(stream, Role::Idle).is_some() {
            self.status(stream, Level::Error, &refusal.code, &refusal.description);
        }
    }

    /// The name to publish as, where a stream waits for that.
    fn asked_to_publish(&mut self, stream: u32, then: Role) -> Option<String> {
        let stream = self.streams.find_mut(stream)?;
        let Role::AskedToPublish { name } = &mut stream.role else { return None };
        let name = std::mem::take(name);
        stream.role = then;
        Some(name)
    }

    /// The name to play, where a stream waits for that.
    fn asked_to_play(&mut self, stream: u32, then: Role) -> Option<String> {
        let stream = self.streams.find_mut(stream)?;
        let Role::AskedToPlay { name } = &mut stream.role else { return None };
        let name = std::mem::take(name);
        stream.role = then;
        Some(name)
    }

    /// Sends `onStatus` on a stream.
    pub fn status(&mut self, stream: u32, level: Level, code: &str, description: &str) {
        if self.phase == Phase::Connected && self.streams.find(stream).is_some() {
            let info = info(level, code, description, []);
            self.command(stream, &Command::new("onStatus", 0.0, vec![info]));
        }
    }

    /// Tells a player that what it plays has ended.
    pub fn notify_unpublished(&mut self, stream: u32) {
        let found = self.streams.find(stream);
        if self.phase == Phase::Connected && found.is_some_and(|s| s.role == Role::Playing) {
            self.link.send(stream, UserControl::StreamEof(stream).encode());
            let words = "What was played is not published any more.";
            self.status(stream, Level::Status, code::PLAY_UNPUBLISH_NOTIFY, words);
        }
    }

    /// Makes ready to send pictures on a stream that plays: opens their flow.
    pub fn open_video(&mut self, stream: u32) {
        let found = self.streams.find(stream);
        if self.phase == Phase::Connected && found.is_some_and(|s| s.role == Role::Playing) {
            self.link.flow(stream, Use::Video);
        }
    }

    /// Writes an audio message for a stream that plays into `buffer` (payload and five octets).
    /// `None`: the stream does not play or wants no sound, the client has rejected the flow, or
    /// the buffer is too small. Nothing is allocated.
    pub fn write_audio(
        &self,
        stream: u32,
        timestamp: u32,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Option<Outgoing> {
        self.write_media(stream, MediaKind::Audio, timestamp, payload, buffer)
    }

    /// The same for a video message; [`Self::open_video`] comes first.
    pub fn write_video(
        &self,
        stream: u32,
        timestamp: u32,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Option<Outgoing> {
        self.write_media(stream, MediaKind::Video, timestamp, payload, buffer)
    }

    fn write_media(
        &self,
        stream: u32,
        kind: MediaKind,
        timestamp: u32,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Option<Outgoing> {
        let found = self.streams.find(stream).filter(|stream| stream.role == Role::Playing)?;
        let wanted = match kind {
            MediaKind::Audio => found.wants_audio,
            MediaKind::Video => found.wants_video,
        };
        let open = wanted && self.phase == Phase::Connected;
        open.then(|| self.link.write_media(stream, kind, timestamp, payload, buffer)).flatten()
    }
}
