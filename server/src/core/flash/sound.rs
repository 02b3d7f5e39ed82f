//! Sound of Flash clients: messages to frames to messages. Nothing is allocated here per message.

use super::client::{Client, Talk};
use super::{Core, Flash};
use crate::core::metrics::bump;
use crate::core::rows::Heard;
use crate::legs;
use crate::net::Wire;
use base::speex::{self, Frames, Packing};
use base::{CallId, Codec, Frame};
use rtmfp::SessionId;
use rtmp::connection::MediaKind;
use rtmp::media::AudioTag;
use rtmp::numbers::code;
use rtmp::status::Level;
use std::ops::RangeInclusive;
use std::time::Instant;

/// Frames in one message; Flash puts two in one as a rule, and never more than eight.
const FRAMES: usize = 8;

impl Flash {
    /// Gives a frame to the client of a call; false where it does not play.
    pub(in crate::core) fn send_frame(
        &mut self,
        now: Instant,
        session: SessionId,
        call: u32,
        frame: &Frame<'_>,
    ) -> bool {
        let Flash { endpoint, clients, scratch, .. } = self;
        let Some(client) = clients.get_mut(&session) else { return false };
        let Client { connection, flows, talks, .. } = client;
        let Some(talk) = talks.iter_mut().find(|talk| talk.call == call) else { return false };
        let (Some(stream), Some(tag)) = (talk.playing, legs::flash::tag(frame.codec)) else {
            return false;
        };
        let mut payload = [0; PAYLOAD];
        let Some(sound) = payload.get_mut(1..=frame.payload.len()) else { return false };
        sound.copy_from_slice(frame.payload);
        payload[0] = tag;
        let at = talk.down.milliseconds(now, frame);
        let payload = &payload[..=frame.payload.len()];
        let Some(outgoing) = connection.write_audio(stream, at, payload, scratch) else {
            return false;
        };
        let message = scratch.get(..outgoing.length).unwrap_or_default();
        let sent = flows.send_media(now, endpoint, session, outgoing, message);
        talk.sent += u64::from(sent);
        sent
    }
}

/// The longest sound in one message to a client: 40 ms of G.711 and its tag.
const PAYLOAD: usize = 512;

impl<W: Wire> Core<W> {
    pub(super) fn flash_client(&mut self, session: SessionId) -> Option<&mut Client> {
        self.flash.as_mut()?.clients.get_mut(&session)
    }

    /// A message on one of a client's flows.
    pub(super) fn handle_flash_message(
        &mut self,
        now: Instant,
        session: SessionId,
        (flow, numbers): (u64, &RangeInclusive<u64>),
        octets: &[u8],
    ) {
        let Some(client) = self.flash_client(session) else { return };
        let media = client.connection.handle_message(now, flow, octets);
        let sound = media.filter(|media| media.kind == MediaKind::Audio);
        let stream = sound.map(|media| media.stream);
        for talk in &mut client.talks {
            // A flow that carries other things beside sound has numbers for those too.
            if talk.up.is_on(flow) || (stream.is_some() && talk.publishing == stream) {
                talk.up.begin(flow, numbers);
            }
        }
        if let Some(media) = sound {
            let (stream, at) = (media.stream, media.timestamp);
            self.handle_flash_sound(now, session, stream, at, media.payload);
        }
        // The first sound of a flow changes the order in which it is taken; pictures have nowhere to
        // go yet.
        self.drain_client(now, session);
    }

    fn handle_flash_sound(
        &mut self,
        now: Instant,
        session: SessionId,
        stream: u32,
        at: u32,
        payload: &[u8],
    ) {
        // Empty where a microphone is muted.
        let Some(tag) = AudioTag::parse(payload).filter(|tag| !tag.sound.is_empty()) else {
            return;
        };
        let Some(client) = self.flash_client(session) else { return };
        let Some(link) = client.link else { return };
        let Some(talk) = client.published(stream) else { return };
        talk.received += 1;
        let call = talk.call;
        let Some(codec) = legs::flash::codec(tag.codec) else {
            return self.refuse_sound(now, session, stream);
        };
        let Some(id) = self.calls.by_page(link, call) else { return };
        if codec == Codec::Speex16 {
            let mut frames = Frames::new(tag.sound, Packing::of(tag.sound));
            for number in 0..FRAMES {
                let Some(frame) = frames.next() else { break };
                let mut octets = [0; speex::MAX_OCTETS];
                let Some(length) = frame.write(&mut octets) else { break };
                let at = at.wrapping_add(20 * number as u32);
                let sound = octets.get(..length).unwrap_or_default();
                self.hear(now, session, (id, call), codec, at, sound);
            }
        } else {
            // 8000 octets a second: eight to the millisecond.
            self.hear(now, session, (id, call), codec, at, tag.sound);
        }
    }

    fn hear(
        &mut self,
        now: Instant,
        session: SessionId,
        (id, call): (CallId, u32),
        codec: Codec,
        at: u32,
        payload: &[u8],
    ) {
        let duration_ms = match codec {
            Codec::Speex16 => 20,
            _ => (payload.len() / 8) as u32,
        };
        let Some(talk) = self.flash_client(session).and_then(|c| c.talk(call)) else { return };
        let Some(stamp) = talk.up.stamp(codec, at, duration_ms) else {
            return bump(&self.metrics.flash_frames_late_total);
        };
        let frame = Frame {
            codec,
            payload,
            sequence: stamp.sequence,
            timestamp: stamp.timestamp,
            marker: stamp.marker,
            received_at: now,
        };
        self.handle_visitor_frame(now, id, frame);
    }

    /// Sound that nobody here can decode: the stream is told, once, and ends.
    fn refuse_sound(&mut self, now: Instant, session: SessionId, stream: u32) {
        let Some(client) = self.flash_client(session) else { return };
        let words = "This microphone's codec is not understood: use Speex or G.711.";
        client.connection.status(stream, Level::Error, code::PUBLISH_BAD_NAME, words);
        for talk in client.talks.iter_mut().filter(|talk| talk.publishing == Some(stream)) {
            talk.publishing = None;
        }
        self.drain_client(now, session);
    }

    /// A call of a client is over: its streams carry nothing any more.
    pub(in crate::core) fn end_talk(&mut self, session: SessionId, call: u32) -> Option<Heard> {
        let client = self.flash_client(session)?;
        let Talk { playing, received, sent, .. } = client.end_talk(call)?;
        if let Some(stream) = playing {
            client.connection.notify_unpublished(stream);
        }
        Some(Heard { received, sent })
    }
}
