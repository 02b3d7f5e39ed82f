//! What a client has seen, and how it is read from what the appliance sends.

use crate::sound::Heard;
use base::Codec;
use rtmp::amf::Value;
use std::time::{Duration, Instant};

/// What a function of the SWF was told about a call.
#[derive(Clone, Debug, PartialEq)]
pub struct CallInfo {
    /// When.
    pub at: Instant,
    /// `onCallState` or `onIncomingCall`.
    pub function: String,
    /// The names of the object's properties, in their order.
    pub names: Vec<String>,
    /// `callId`.
    pub call: String,
    /// `direction`.
    pub direction: String,
    /// `state`.
    pub state: String,
    /// `uri`.
    pub uri: String,
    /// `displayName`.
    pub display_name: String,
    /// `video`.
    pub video: bool,
    /// `code`.
    pub code: u32,
    /// `reason`.
    pub reason: String,
    /// `direct`, where it is there.
    pub direct: Option<bool>,
    /// `farId`; empty where it is not there.
    pub far_id: String,
}

/// What `onRegState` told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegInfo {
    /// `registered`.
    pub registered: bool,
    /// `code`.
    pub code: u32,
    /// `reason`.
    pub reason: String,
}

/// An info object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The stream, 0 for the connection.
    pub stream: u32,
    /// `level`.
    pub level: String,
    /// `code`.
    pub code: String,
    /// `description`.
    pub description: String,
}

/// Everything that a client has seen.
#[derive(Clone, Debug, Default)]
pub struct FlashSeen {
    /// When its session opened, and whether that is one of Flash Player's kind.
    pub opened: Option<(Instant, bool)>,
    /// When the appliance let it in.
    pub connected_at: Option<Instant>,
    /// Why it was not let in.
    pub refused: Option<Status>,
    /// Why the connection or the session is over, in the machines' words.
    pub closed: Option<String>,
    /// What `onRegState` told.
    pub registrations: Vec<RegInfo>,
    /// What `onCallState` and `onIncomingCall` told.
    pub steps: Vec<CallInfo>,
    /// Info objects of streams and of the connection.
    pub statuses: Vec<Status>,
    /// Messages of sound that came and were heard, by whatever way.
    pub packets: u64,
    /// Messages of sound that were sent to the appliance.
    pub sent: u64,
    /// Messages of sound that came from the appliance, and those of the direct stream that were
    /// heard.
    pub bridged: u64,
    /// See above.
    pub direct: u64,
    /// When the last of them came.
    pub packet_at: Option<Instant>,
    /// The longest time between two of them; [`super::FlashVisitor::measure_gap`] begins anew.
    pub longest_gap: Duration,
    /// The codec of the last of them.
    pub codec: Option<Codec>,
    /// The time that the last of them had, in milliseconds.
    pub time: u32,
    /// What was heard.
    pub heard: Heard,
    /// Datagrams that got lost on this client's wire.
    pub lost: u64,
    /// The client has ended.
    pub over: bool,
}

impl CallInfo {
    /// Reads the object that `function` was called with.
    pub(super) fn read(function: String, info: &Value) -> CallInfo {
        let names = match info {
            Value::Object(object) => {
                object.properties.iter().map(|(name, _)| name.clone()).collect()
            }
            _ => Vec::new(),
        };
        CallInfo {
            at: Instant::now(),
            function,
            names,
            call: text(info, "callId"),
            direction: text(info, "direction"),
            state: text(info, "state"),
            uri: text(info, "uri"),
            display_name: text(info, "displayName"),
            video: flag(info, "video"),
            code: number(info, "code"),
            reason: text(info, "reason"),
            direct: info.find("direct").and_then(Value::as_bool),
            far_id: text(info, "farId"),
        }
    }
}

impl RegInfo {
    /// Reads the object of `onRegState`.
    pub(super) fn read(info: &Value) -> RegInfo {
        let (registered, code) = (flag(info, "registered"), number(info, "code"));
        RegInfo { registered, code, reason: text(info, "reason") }
    }
}

fn flag(info: &Value, name: &str) -> bool {
    info.find(name).and_then(Value::as_bool).unwrap_or(false)
}

/// A number that no status is where there is none.
fn number(info: &Value, name: &str) -> u32 {
    info.find(name).and_then(Value::as_u32).unwrap_or(u32::MAX)
}

impl FlashSeen {
    /// The states of a call, as they were told.
    pub fn states(&self, call: &str) -> Vec<&str> {
        let of_call = self.steps.iter().filter(|step| step.call == call);
        of_call.map(|step| step.state.as_str()).collect()
    }

    /// Whether a status was told.
    pub fn was_told(&self, code: &str) -> bool {
        self.statuses.iter().any(|status| status.code == code)
    }
}

impl FlashSeen {
    pub(super) fn hear(&mut self, now: Instant, time: u32, codec: Codec, pcm: &[i16]) {
        self.packets += 1;
        let gap = self.packet_at.map_or(Duration::ZERO, |at| now - at);
        self.longest_gap = self.longest_gap.max(gap);
        (self.packet_at, self.codec, self.time) = (Some(now), Some(codec), time);
        if !pcm.is_empty() {
            self.heard.add(now, pcm);
        }
    }
}

pub(super) fn text(info: &Value, name: &str) -> String {
    info.find(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

pub(super) fn status(stream: u32, info: &Value) -> Status {
    let text = |name| text(info, name);
    Status { stream, level: text("level"), code: text("code"), description: text("description") }
}
