//! The streams of the client's calls, and what it says on them.

use super::{Player, Purpose, Talk};
use std::time::Instant;

impl Player {
    /// Asks for the two streams of a call.
    pub(super) fn begin(&mut self, call: String) {
        let Some(connection) = &mut self.connection else { return };
        self.talks.push(Talk { call: call.clone(), up: None, down: None });
        for purpose in [Purpose::Publish(call.clone()), Purpose::Play(call)] {
            connection.create_stream().expect("room for a stream");
            self.wanted.push_back(purpose);
        }
    }

    pub(super) fn use_stream(&mut self, stream: u32) {
        let (Some(connection), Some(purpose)) = (&mut self.connection, self.wanted.pop_front())
        else {
            return;
        };
        let talk = |talks: &mut Vec<Talk>, call: &str| talks.iter().position(|t| t.call == call);
        match purpose {
            Purpose::Publish(call) => {
                connection.publish(stream, &call);
                if let Some(place) = talk(&mut self.talks, &call) {
                    self.talks[place].up = Some(stream);
                }
            }
            Purpose::Play(call) => {
                connection.play(stream, &call);
                if let Some(place) = talk(&mut self.talks, &call) {
                    self.talks[place].down = Some(stream);
                }
            }
        }
    }

    /// Gives the streams of a call up.
    pub(super) fn end(&mut self, call: &str) {
        let Some(connection) = &mut self.connection else { return };
        for talk in self.talks.extract_if(.., |talk| talk.call == call) {
            talk.up
                .into_iter()
                .chain(talk.down)
                .for_each(|stream| connection.delete_stream(stream));
        }
        if self.talks.is_empty() {
            self.microphone.close();
        }
    }

    pub(super) fn speak(&mut self, now: Instant) {
        while let Some((at, payload)) = self.microphone.record(now) {
            if !self.muted {
                self.directs.send_sound(now, at, &payload, &mut self.endpoint);
                if !self.directs.is_on() {
                    self.send_sound(now, at, &payload);
                }
            }
        }
    }

    /// Sends a message to every stream that publishes.
    pub(super) fn send_sound(&mut self, now: Instant, at: u32, payload: &[u8]) {
        let (Some(connection), Some(session)) = (&mut self.connection, self.session) else {
            return;
        };
        for stream in self.talks.iter().filter_map(|talk| talk.up) {
            let written = connection.write_audio(stream, at, payload, &mut self.scratch);
            let Some(outgoing) = written else { continue };
            let message = &self.scratch[..outgoing.length];
            if self.flows.send_media(now, &mut self.endpoint, session, outgoing, message) {
                let lost = self.wire.lost;
                self.shared.update(|seen| {
                    seen.sent += 1;
                    seen.lost = lost;
                });
            }
        }
    }
}
