//! What the client's end is told to do.

use super::super::link::Use;
use super::super::streams::Role;
use super::super::{Cause, MediaKind, Outgoing};
use super::{Client, Pending, Phase};
use crate::amf::Value;
use crate::command::Command;
use crate::message::UserControl;
use crate::numbers::PENDING_CALLS_AT_MOST;
use std::time::Instant;

impl Client {
    /// Calls the application. The transaction, or `None` where the connection is not up or too
    /// many calls wait.
    pub fn call(&mut self, name: &str, arguments: Vec<Value>) -> Option<f64> {
        let transaction = self.expect(Pending::Call, false)?;
        self.command(0, &Command::new(name, transaction, arguments));
        Some(transaction)
    }

    /// Asks for a stream; [`ClientEvent::StreamCreated`] tells it.
    pub fn create_stream(&mut self) -> Option<f64> {
        let transaction = self.expect(Pending::CreateStream, self.zero_transactions)?;
        self.command(0, &Command::new("createStream", transaction, Vec::new()));
        Some(transaction)
    }

    /// Gives a stream up.
    pub fn delete_stream(&mut self, stream: u32) {
        if self.is_connected() && self.streams.remove(stream).is_some() {
            self.command(0, &Command::new("deleteStream", 0.0, vec![stream.into()]));
            self.link.close_stream(stream);
        }
    }

    /// Starts to send on a stream, and opens the flow for sound.
    pub fn publish(&mut self, stream: u32, name: &str) {
        let arguments = vec![name.into(), "live".into()];
        if self.stream_command(stream, "publish", arguments, Some(Role::Publishing)) {
            self.link.flow(stream, Use::Audio);
        }
    }

    /// Starts to receive on a stream.
    pub fn play(&mut self, stream: u32, name: &str) {
        // -2: live or recorded, what there is.
        let arguments = vec![name.into(), Value::from(-2.0)];
        self.stream_command(stream, "play", arguments, Some(Role::Playing));
    }

    /// Ends what a stream does; it can be used again.
    pub fn close_stream(&mut self, stream: u32) {
        self.stream_command(stream, "closeStream", Vec::new(), Some(Role::Idle));
    }

    /// Wants sound on a stream, or does not.
    pub fn receive_audio(&mut self, stream: u32, wanted: bool) {
        self.stream_command(stream, "receiveAudio", vec![wanted.into()], None);
    }

    /// Wants pictures on a stream, or does not.
    pub fn receive_video(&mut self, stream: u32, wanted: bool) {
        self.stream_command(stream, "receiveVideo", vec![wanted.into()], None);
    }

    /// Tells how much of a stream is buffered, in milliseconds.
    pub fn set_buffer_length(&mut self, stream: u32, length: u32) {
        if self.is_connected() && self.streams.find(stream).is_some() {
            self.link.send(stream, UserControl::SetBufferLength { stream, length }.encode());
        }
    }

    /// Makes ready to send pictures on a stream that publishes: opens their flow.
    pub fn open_video(&mut self, stream: u32) {
        if self.is_connected() && self.publishes(stream) {
            self.link.flow(stream, Use::Video);
        }
    }

    /// As [`super::Server::write_audio`], for a stream that publishes.
    pub fn write_audio(
        &self,
        stream: u32,
        timestamp: u32,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Option<Outgoing> {
        let open = self.is_connected() && self.publishes(stream);
        let kind = MediaKind::Audio;
        open.then(|| self.link.write_media(stream, kind, timestamp, payload, buffer)).flatten()
    }

    /// As [`super::Server::write_video`], for a stream that publishes.
    pub fn write_video(
        &self,
        stream: u32,
        timestamp: u32,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Option<Outgoing> {
        let open = self.is_connected() && self.publishes(stream);
        let kind = MediaKind::Video;
        open.then(|| self.link.write_media(stream, kind, timestamp, payload, buffer)).flatten()
    }

    /// Ends the connection in order.
    pub fn close(&mut self, now: Instant) {
        match self.phase {
            Phase::Closing { .. } | Phase::Over => {}
            _ => self.wind_up(now, Cause::Closed),
        }
    }

    // Helpers.

    fn publishes(&self, stream: u32) -> bool {
        self.streams.find(stream).is_some_and(|stream| stream.role == Role::Publishing)
    }

    /// A transaction for something that will be answered.
    fn expect(&mut self, what: Pending, zero: bool) -> Option<f64> {
        if !self.is_connected() || self.pending.len() >= PENDING_CALLS_AT_MOST {
            return None;
        }
        let transaction = if zero {
            0.0
        } else {
            self.last_transaction = self.last_transaction.wrapping_add(1).max(2);
            f64::from(self.last_transaction)
        };
        self.pending.push((transaction, what));
        Some(transaction)
    }

    /// Sends a command on a stream's flow, where there is the stream.
    fn stream_command(
        &mut self,
        id: u32,
        name: &str,
        arguments: Vec<Value>,
        role: Option<Role>,
    ) -> bool {
        let connected = self.is_connected();
        let Some(stream) = self.streams.find_mut(id).filter(|_| connected) else { return false };
        if let Some(role) = role {
            stream.role = role;
        }
        self.command(id, &Command::new(name, 0.0, arguments));
        true
    }
}
