//! The messages themselves.

use crate::{CallState, EndCause};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// From the page to the server. `call` is a number unique in its link: for calls that the page makes,
/// one that it chooses, below [`crate::limits::FIRST_INCOMING`].
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ClientMessage {
    /// The first message on every socket.
    Hello {
        /// [`crate::VERSION`] of the page.
        version: u32,
        /// The link to resume; none for a new one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        link: Option<String>,
        /// The configured button that this page is; none for page-supplied accounts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        button: Option<String>,
        /// The address of the page that embeds this one, as the browser tells it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        page: Option<String>,
    },
    /// Registers a page-supplied account at an allowed registrar.
    Register {
        /// `host` or `host:port`.
        registrar: String,
        /// The account's user.
        username: String,
        /// The account's password; kept for the life of the link, never logged.
        password: String,
    },
    /// Takes the page's registration back.
    Unregister,
    /// Starts a call. The INVITE leaves at once; the microphone may still be asked for.
    Call {
        /// The page's number for the call.
        call: u32,
        /// Whom to call; left out with a button.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        uri: Option<String>,
        /// Whether the page would like video.
        #[serde(default)]
        video: bool,
        /// Page data for the shop, sent as allowed `X-` headers.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        headers: BTreeMap<String, String>,
        /// The browser's SDP offer.
        offer: String,
    },
    /// Takes a call that came in.
    Answer {
        /// The call.
        call: u32,
        /// Whether the page would like video.
        #[serde(default)]
        video: bool,
        /// The browser's SDP offer.
        offer: String,
    },
    /// A new offer within a call: ICE restart after a network change.
    Restart {
        /// The call.
        call: u32,
        /// The browser's SDP offer.
        offer: String,
    },
    /// Ends a call in whatever state it is.
    Hangup {
        /// The call.
        call: u32,
        /// Why.
        #[serde(default)]
        reason: HangupReason,
    },
    /// Puts the far end of an answered call on hold.
    Hold {
        /// The call.
        call: u32,
    },
    /// Takes a call back from hold.
    Resume {
        /// The call.
        call: u32,
    },
    /// Sends the far end of an answered call to another address of the same provider.
    Transfer {
        /// The call.
        call: u32,
        /// Where to.
        uri: String,
    },
    /// Connects the far ends of two answered calls: that of `call` takes our place in `other`.
    Join {
        /// The call whose far end is asked to.
        call: u32,
        /// The call that it takes over.
        other: u32,
    },
    /// Keypad digits, `0-9*#A-D`, sent on to the phone as telephone events.
    Dtmf {
        /// The call.
        call: u32,
        /// At most [`crate::limits::DIGITS`] of them.
        digits: String,
    },
    /// What the page measures of the sound that it hears, every few seconds.
    Quality {
        /// The call.
        call: u32,
        /// The measurements.
        report: QualityReport,
    },
    /// Heartbeat.
    Ping {
        /// The page's clock in milliseconds, given back in [`ServerMessage::Pong`].
        at: f64,
    },
}

/// From the server to the page.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum ServerMessage {
    /// The answer to [`ClientMessage::Hello`].
    Welcome {
        /// [`crate::VERSION`] of the server.
        version: u32,
        /// The link's name, a secret of this page: whoever knows it owns the calls.
        link: String,
        /// Whether an earlier link goes on; if not, its calls are gone.
        resumed: bool,
        /// What is known of the button.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        button: Option<ButtonInfo>,
    },
    /// The state of the page-supplied account.
    Registration {
        /// Whether the registrar knows us now.
        registered: bool,
        /// The SIP status, 0 where there is none.
        code: u16,
        /// What to tell a person.
        reason: String,
    },
    /// The answer to the offer of [`ClientMessage::Call`], [`ClientMessage::Answer`] or
    /// [`ClientMessage::Restart`].
    Answer {
        /// The call.
        call: u32,
        /// The SDP answer.
        sdp: String,
    },
    /// A call has changed its state. The first one of a call that comes in announces it.
    State {
        /// The call.
        call: u32,
        /// `out` for calls that the page started.
        direction: Direction,
        /// The new state.
        state: CallState,
        /// Why it ended.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cause: Option<EndCause>,
        /// The SIP status behind it, 0 where there is none.
        code: u16,
        /// What to tell a person.
        reason: String,
        /// The far party's address, empty where it is the shop's secret.
        uri: String,
        /// The far party's name.
        display_name: String,
        /// Whether video flows.
        video: bool,
    },
    /// How the call sounds.
    Quality {
        /// The call.
        call: u32,
        /// The light.
        level: QualityLevel,
        /// Where the trouble is.
        reason: QualityReason,
        /// Packet loss from the visitor to us, percent.
        loss_up: f32,
        /// Packet loss from the phone to us, percent.
        loss_down: f32,
        /// Round trip between page and server, milliseconds; 0 if not yet measured.
        round_trip: f32,
        /// Codec towards the browser and codec towards the phone, `opus/pcma`.
        codecs: String,
    },
    /// A digit that the phone sent.
    Digit {
        /// The call.
        call: u32,
        /// One of `0-9*#A-D`.
        digit: char,
    },
    /// Something could not be done.
    Error {
        /// Which kind of thing.
        code: ErrorCode,
        /// What happened, in words.
        message: String,
        /// What to do about it, in words.
        hint: String,
        /// The call that it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        call: Option<u32>,
    },
    /// Heartbeat's answer.
    Pong {
        /// The page's clock, as it was sent.
        at: f64,
    },
}

/// What a page may know of its button.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ButtonInfo {
    /// Its name in the configuration.
    pub name: String,
    /// Whether video is on.
    pub video: bool,
    /// The longest call in seconds.
    pub max_duration: u32,
}

/// Who started the call, seen from the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The page called.
    Out,
    /// The page was called.
    In,
}

/// Why a page hangs up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HangupReason {
    /// The visitor pressed the button.
    #[default]
    Visitor,
    /// The browser gave no microphone.
    NoMicrophone,
    /// The browser could not connect its media.
    NoMedia,
    /// The page went away.
    PageClosed,
    /// The visitor does not want to take a call that came in.
    Rejected,
}

/// What a page measures of the sound that it hears since its last report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct QualityReport {
    /// Packets lost on the way to the page, percent.
    #[serde(default)]
    pub loss: f32,
    /// Jitter in milliseconds.
    #[serde(default)]
    pub jitter: f32,
    /// Round trip in milliseconds.
    #[serde(default)]
    pub round_trip: f32,
    /// Share of what was played that was made up to hide loss, percent.
    #[serde(default)]
    pub concealed: f32,
}

/// The quality light.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QualityLevel {
    /// Nothing to complain of.
    Good,
    /// Audible trouble.
    Fair,
    /// Hard to understand.
    Poor,
}

/// Where the trouble is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QualityReason {
    /// There is none.
    None,
    /// The visitor's network loses what the visitor says.
    VisitorLossUp,
    /// The visitor's network loses what the visitor should hear.
    VisitorLossDown,
    /// The visitor's network is slow.
    VisitorDelay,
    /// The phone's side loses packets.
    PhoneLoss,
    /// The phone's side sends nothing.
    PhoneSilent,
    /// Nothing comes from the visitor.
    VisitorSilent,
}

/// The kinds of errors that reach `onError`: a closed list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// Page and server are of different versions: load the page again.
    Version,
    /// No such button.
    UnknownButton,
    /// This page may not do that (origin, registrar).
    Forbidden,
    /// A limit is reached (calls of this button, messages a second).
    Limit,
    /// The message made no sense.
    BadMessage,
    /// The browser's offer could not be answered.
    BadOffer,
    /// No such call.
    UnknownCall,
    /// Not in this version or not switched on.
    Unavailable,
    /// The far end did not reach where the call was to be transferred.
    TransferFailed,
    /// The far end was not told that it is held, or is no more.
    HoldFailed,
    /// The appliance is about to stop: no new calls.
    Draining,
    /// The appliance's fault.
    Internal,
}

// Offers, passwords and numbers are visitors' data: only the kind of a message prints.
impl fmt::Debug for ClientMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            ClientMessage::Hello { .. } => "Hello",
            ClientMessage::Register { .. } => "Register",
            ClientMessage::Unregister => "Unregister",
            ClientMessage::Call { .. } => "Call",
            ClientMessage::Answer { .. } => "Answer",
            ClientMessage::Restart { .. } => "Restart",
            ClientMessage::Hangup { .. } => "Hangup",
            ClientMessage::Hold { .. } => "Hold",
            ClientMessage::Resume { .. } => "Resume",
            ClientMessage::Transfer { .. } => "Transfer",
            ClientMessage::Join { .. } => "Join",
            ClientMessage::Dtmf { .. } => "Dtmf",
            ClientMessage::Quality { .. } => "Quality",
            ClientMessage::Ping { .. } => "Ping",
        };
        f.write_str(kind)
    }
}

impl fmt::Debug for ServerMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ServerMessage::Welcome { resumed, .. } => write!(f, "Welcome(resumed {resumed})"),
            ServerMessage::Registration { registered, code, .. } => {
                write!(f, "Registration({registered}, {code})")
            }
            ServerMessage::Answer { call, .. } => write!(f, "Answer({call})"),
            ServerMessage::State { call, state, code, .. } => {
                write!(f, "State({call}, {state:?}, {code})")
            }
            ServerMessage::Quality { call, level, .. } => write!(f, "Quality({call}, {level:?})"),
            ServerMessage::Digit { call, .. } => write!(f, "Digit({call})"),
            ServerMessage::Error { code, .. } => write!(f, "Error({code:?})"),
            ServerMessage::Pong { .. } => f.write_str("Pong"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Envelope;

    #[test]
    fn the_wire_form_is_plain_json_with_the_type_beside_the_numbers() {
        let envelope = Envelope {
            sequence: 3,
            ack: 7,
            message: ClientMessage::Hangup { call: 1, reason: HangupReason::NoMicrophone },
        };
        let text = serde_json::to_string(&envelope).expect("serialises");
        assert_eq!(
            text,
            r#"{"sequence":3,"ack":7,"type":"hangup","call":1,"reason":"no-microphone"}"#
        );
        let back: Envelope<ClientMessage> = serde_json::from_str(&text).expect("parses");
        assert_eq!(back, envelope);
    }

    #[test]
    fn calls_that_are_joined_are_both_named() {
        let message = ClientMessage::Join { call: 7, other: 8 };
        let text = serde_json::to_string(&message).expect("serialises");
        assert_eq!(text, r#"{"type":"join","call":7,"other":8}"#);
        let back = serde_json::from_str::<ClientMessage>(&text);
        assert_eq!(back.ok(), Some(message));
        assert!(serde_json::from_str::<ClientMessage>(r#"{"type":"join","call":7}"#).is_err());
    }

    #[test]
    fn a_password_never_prints() {
        let message = ClientMessage::Register {
            registrar: "a".into(),
            username: "b".into(),
            password: "hunter2".into(),
        };
        assert_eq!(format!("{message:?}"), "Register");
    }
}
