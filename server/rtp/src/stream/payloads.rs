//! Payload types of one stream end, each direction with its own numbers.

use crate::numbers::COMFORT_NOISE;
use base::Codec;

/// What was negotiated. The tuples have the shape in which the session description room gives them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PayloadMap {
    /// Codec, payload type when we send, payload type when we receive; the preferred one first.
    pub codecs: Vec<(Codec, u8, u8)>,
    /// Telephone events: clock rate in Hz, payload type when we send, when we receive.
    pub telephone_events: Vec<(u32, u8, u8)>,
}

/// What a payload type stands for when it comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    Sound(Codec),
    Event(u32),
    Noise,
    Unknown,
}

impl PayloadMap {
    pub(super) fn incoming(&self, payload_type: u8) -> Incoming {
        if let Some(entry) = self.codecs.iter().find(|entry| entry.2 == payload_type) {
            return Incoming::Sound(entry.0);
        }
        let event = self.telephone_events.iter().find(|entry| entry.2 == payload_type);
        match event {
            Some(entry) => Incoming::Event(entry.0),
            // Some send it without a word of it in their description.
            None if payload_type == COMFORT_NOISE => Incoming::Noise,
            None => Incoming::Unknown,
        }
    }

    pub(super) fn outgoing(&self, codec: Codec) -> Option<u8> {
        self.codecs.iter().find(|entry| entry.0 == codec).map(|entry| entry.1)
    }

    /// The telephone event that goes with sound at a clock rate: the same rate as RFC 4733 section
    /// 2.5.1.2 wants it, else the first. Clock rate and payload type.
    pub(super) fn outgoing_event(&self, clock_rate: u32) -> Option<(u32, u8)> {
        let same = self.telephone_events.iter().find(|entry| entry.0 == clock_rate);
        same.or(self.telephone_events.first()).map(|entry| (entry.0, entry.1))
    }

    pub(super) fn outgoing_event_type(&self, clock_rate: u32) -> Option<u8> {
        self.telephone_events.iter().find(|entry| entry.0 == clock_rate).map(|entry| entry.1)
    }
}
