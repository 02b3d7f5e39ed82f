//! What the client's messages mean.

use super::super::MediaKind;
use super::super::link::Sorted;
use super::super::streams::Role;
use super::{ConnectRequest, Phase, Server, ServerEvent};
use crate::amf::Value;
use crate::command::{Command, Data, Encoding};
use crate::message::{Body, UserControl};
use crate::numbers::{DECISION_WAITS, PENDING_CALLS_AT_MOST, code};
use crate::status::{Level, Refusal};
use base::Private;
use std::time::Instant;

/// Addresses in one `setPeerInfo`.
const PEER_ADDRESSES_AT_MOST: usize = 16;

impl Server {
    /// Looks at what barriers have let go.
    pub(super) fn release(&mut self, now: Instant) {
        while let Some((flow, octets)) = self.link.next_held() {
            if let Sorted::Act { stream, body } = self.link.sort(now, flow, &octets) {
                self.act(now, stream, body);
            }
        }
    }

    pub(super) fn act(&mut self, now: Instant, stream: u32, body: Body<'_>) {
        match body {
            Body::Command { values, extended } => {
                self.act_on_command(now, stream, values, extended)
            }
            Body::UserControl(UserControl::SetBufferLength { stream, length })
                if self.streams.find(stream).is_some() =>
            {
                self.tell(ServerEvent::BufferLength { stream, length });
            }
            Body::Data(values) => match Data::parse(values) {
                Ok(data) if self.is_publishing(stream) => {
                    self.tell(ServerEvent::Data { stream, data });
                }
                Ok(_) => self.link.count_ignored(),
                Err(_) => self.link.count_malformed(),
            },
            _ => self.link.count_ignored(),
        }
    }

    fn is_publishing(&self, stream: u32) -> bool {
        self.streams.find(stream).is_some_and(|stream| stream.role == Role::Publishing)
    }

    fn act_on_command(&mut self, now: Instant, stream: u32, values: &[u8], extended: bool) {
        if matches!(self.phase, Phase::Closing { .. } | Phase::Over) {
            return self.link.count_ignored();
        }
        self.encoding = if extended { Encoding::Extended } else { Encoding::Amf0 };
        let command = match Command::parse(values) {
            Ok(command) => command,
            Err(error) => {
                self.link.count_malformed();
                if let Some(transaction) = error.transaction.filter(|_| stream == 0) {
                    let refusal = Refusal::new(code::CALL_FAILED, error.cause.to_string());
                    self.refuse_call(transaction, &refusal);
                }
                return;
            }
        };
        match (self.phase, stream) {
            (Phase::Waiting { .. }, 0) if command.name == "connect" => self.connect(now, command),
            (Phase::Connected, 0) => self.act_on_connection(command),
            (Phase::Connected, _) => self.act_on_stream(stream, command),
            _ => self.link.count_ignored(),
        }
    }

    fn connect(&mut self, now: Instant, command: Command) {
        let Command { transaction, object: mut properties, arguments, .. } = command;
        // Absent means AMF 0; what lies between means the highest that both know.
        let asked = properties.find("objectEncoding").and_then(Value::as_f64).unwrap_or_default();
        let object_encoding = if asked >= 3.0 { 3 } else { 0 };
        let mut text = |name: &str| match properties.take(name) {
            Some(Value::String(text)) => text,
            _ => String::new(),
        };
        let request = ConnectRequest {
            app: text("app"),
            tc_url: Private::new(without_user_info(text("tcUrl"))),
            page_url: Private::new(text("pageUrl")),
            swf_url: Private::new(text("swfUrl")),
            flash_version: text("flashVer"),
            object_encoding,
            properties,
            arguments,
        };
        let until = now + DECISION_WAITS;
        self.phase = Phase::Deciding { until, transaction, object_encoding };
        self.tell(ServerEvent::ConnectRequested(request));
    }

    fn act_on_connection(&mut self, command: Command) {
        let transaction = command.transaction;
        match command.name.as_str() {
            "connect" => {
                let words = "The connection is up already.";
                self.answer(
                    "_error",
                    transaction,
                    Refusal::new(code::CONNECT_FAILED, words).info(),
                );
            }
            // Answered whatever the transaction: there are clients that use 0 for all of them.
            "createStream" => match self.streams.create() {
                Some(stream) => {
                    self.answer("_result", transaction, Value::from(stream));
                    self.tell(ServerEvent::StreamCreated { stream });
                }
                None => {
                    let refusal = Refusal::new(code::CALL_FAILED, "There are too many streams.");
                    self.answer("_error", transaction, refusal.info());
                }
            },
            "deleteStream" => {
                let stream = command.arguments.first().and_then(Value::as_u32);
                match stream {
                    Some(stream) => self.delete_stream(stream),
                    None => self.link.count_ignored(),
                }
            }
            "setPeerInfo" => {
                let texts = command.arguments.iter().filter_map(Value::as_str);
                let addresses = texts.filter_map(|text| text.parse().ok());
                let addresses = addresses.take(PEER_ADDRESSES_AT_MOST).collect();
                self.tell(ServerEvent::PeerInfo(Private::new(addresses)));
            }
            // Of the time of Flash Media Server: what matters comes with `publish`.
            "releaseStream" | "FCPublish" | "FCUnpublish" | "FCSubscribe" | "FCUnsubscribe" => {
                if transaction != 0.0 {
                    self.answer("_result", transaction, Value::Undefined);
                }
            }
            // Answers to calls of ours, which ask for none.
            "_result" | "_error" | "onStatus" => self.link.count_ignored(),
            _ => self.called(command),
        }
    }

    fn called(&mut self, command: Command) {
        let Command { name, transaction, arguments, .. } = command;
        if transaction != 0.0 {
            if self.pending.len() >= PENDING_CALLS_AT_MOST {
                let words = "Too many calls wait for an answer.";
                return self.refuse_call(transaction, &Refusal::new(code::CALL_FAILED, words));
            }
            self.pending.push(transaction);
        }
        self.tell(ServerEvent::Called { name, transaction, arguments });
    }

    fn refuse_call(&mut self, transaction: f64, refusal: &Refusal) {
        if transaction != 0.0 && self.phase == Phase::Connected {
            self.answer("_error", transaction, refusal.info());
        }
    }

    fn act_on_stream(&mut self, stream: u32, mut command: Command) {
        if self.streams.find(stream).is_none() {
            // The stream was deleted while this was under way.
            return self.link.count_ignored();
        }
        let first = command.arguments.first_mut().map(std::mem::take);
        match (command.name.as_str(), first) {
            ("publish", Some(Value::String(name))) if !name.is_empty() => {
                self.stop(stream);
                self.set_role(stream, Role::AskedToPublish { name: name.clone() });
                self.tell(ServerEvent::PublishRequested { stream, name });
            }
            ("play", Some(Value::String(name))) if !name.is_empty() => {
                self.stop(stream);
                self.set_role(stream, Role::AskedToPlay { name: name.clone() });
                self.tell(ServerEvent::PlayRequested { stream, name });
            }
            ("publish" | "play", Some(Value::Boolean(false))) | ("closeStream", _) => {
                self.close_stream(stream);
            }
            ("publish", _) => {
                let words = "A name to publish as is missing.";
                self.status(stream, Level::Error, code::PUBLISH_BAD_NAME, words);
            }
            ("play", _) => {
                let words = "A name to play is missing.";
                self.status(stream, Level::Error, code::PLAY_FAILED, words);
            }
            ("deleteStream", _) => self.delete_stream(stream),
            ("receiveAudio", Some(Value::Boolean(wanted))) => {
                self.want(stream, MediaKind::Audio, wanted);
            }
            ("receiveVideo", Some(Value::Boolean(wanted))) => {
                self.want(stream, MediaKind::Video, wanted);
            }
            _ => {
                self.link.count_ignored();
                if command.transaction != 0.0 {
                    let info = Refusal::unknown_call().info();
                    self.command(stream, &Command::new("_error", command.transaction, vec![info]));
                }
            }
        }
    }

    fn set_role(&mut self, stream: u32, role: Role) {
        if let Some(stream) = self.streams.find_mut(stream) {
            stream.role = role;
        }
    }

    fn want(&mut self, id: u32, kind: MediaKind, wanted: bool) {
        let Some(stream) = self.streams.find_mut(id) else { return };
        match kind {
            MediaKind::Audio => stream.wants_audio = wanted,
            MediaKind::Video => stream.wants_video = wanted,
        }
        self.tell(ServerEvent::MediaWanted { stream: id, kind, wanted });
    }

    /// Ends what a stream does and tells it to the application; the role that it had.
    fn stop(&mut self, id: u32) -> Role {
        let Some(stream) = self.streams.find_mut(id) else { return Role::Idle };
        let role = std::mem::take(&mut stream.role);
        match role {
            Role::Publishing | Role::AskedToPublish { .. } => {
                self.tell(ServerEvent::PublishStopped { stream: id });
            }
            Role::Playing | Role::AskedToPlay { .. } => {
                self.tell(ServerEvent::PlayStopped { stream: id });
            }
            Role::Idle => {}
        }
        role
    }

    fn close_stream(&mut self, stream: u32) {
        match self.stop(stream) {
            Role::Publishing => {
                let words = "Publishing has stopped.";
                self.status(stream, Level::Status, code::UNPUBLISH_SUCCESS, words);
            }
            Role::Playing => {
                let words = "Playing has stopped.";
                self.status(stream, Level::Status, code::PLAY_STOP, words);
            }
            _ => {}
        }
    }

    fn delete_stream(&mut self, stream: u32) {
        self.stop(stream);
        match self.streams.remove(stream) {
            // The client's flows of the stream are left to it: rejecting them would be taken for
            // the end of the connection by some.
            Some(_) => {
                self.link.close_stream(stream);
                self.tell(ServerEvent::StreamDeleted { stream });
            }
            None => self.link.count_ignored(),
        }
    }
}

/// A URL without what stands before the host: a password has no business here.
fn without_user_info(url: String) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    match authority.rsplit_once('@') {
        Some((user, _)) => {
            let rest = rest.get(user.len() + 1..).unwrap_or_default();
            format!("{scheme}://{rest}")
        }
        None => url,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_info_is_taken_out_of_a_url() {
        for (url, expected) in [
            ("rtmfp://host/app", "rtmfp://host/app"),
            ("rtmfp://user:secret@host:1935/app@x", "rtmfp://host:1935/app@x"),
            ("rtmfp://a@b@host", "rtmfp://host"),
            ("rtmfp:/app", "rtmfp:/app"),
            ("", ""),
        ] {
            assert_eq!(without_user_info(url.into()), expected);
        }
    }
}
