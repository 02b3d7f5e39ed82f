//! The Flash leg: `rtmp` words to the page's words and back, and RTMP's flows on an RTMFP session.

use base::{Codec, Private};
use rtmfp::session::{FlowId, OpenFlow, Order, SendError, SessionCommand};
use rtmfp::{Command, Endpoint, SessionId};
use rtmp::amf::Value;
use rtmp::application::{CallInfo, Direct, Direction, Registration, function};
use rtmp::connection::{Action, Outgoing};
use rtmp::media::{ALAW_TAG, AudioCodec, MULAW_TAG, SPEEX_TAG};
use rtmp::numbers::code;
use rtmp::status::Refusal;
use signalling::{CallState, ServerMessage};
use std::time::Instant;

/// The codecs that Flash Player plays and records, best first. Its Speex is always announced as
/// wide band; a narrow-band frame is one without the second layer.
pub const CODECS: [Codec; 3] = [Codec::Speex16, Codec::Pcmu, Codec::Pcma];

/// The tag octet in front of sound of a codec; none for what Flash does not play.
pub fn tag(codec: Codec) -> Option<u8> {
    match codec {
        Codec::Speex16 => Some(SPEEX_TAG),
        Codec::Pcmu => Some(MULAW_TAG),
        Codec::Pcma => Some(ALAW_TAG),
        Codec::Speex8 | Codec::Opus | Codec::G722 => None,
    }
}

/// The codec of an audio message; none for what this appliance cannot hear.
pub fn codec(audio: AudioCodec) -> Option<Codec> {
    match audio {
        AudioCodec::Speex => Some(Codec::Speex16),
        AudioCodec::Mulaw => Some(Codec::Pcmu),
        AudioCodec::Alaw => Some(Codec::Pcma),
        _ => None,
    }
}

/// The codecs of a call's offer to the provider: Speex first where the account has it, since only
/// that passes from a Flash microphone untouched; then what the account says.
pub fn trunk_codecs(account: &[Codec]) -> Vec<Codec> {
    let speex = account.iter().filter(|codec| **codec == Codec::Speex16);
    let others = account.iter().filter(|codec| **codec != Codec::Speex16);
    speex.chain(others).copied().collect()
}

/// A connection's sending flows on its session. Receiving flows have the same number in both.
#[derive(Debug, Default)]
pub struct Flows {
    sending: Vec<(u64, FlowId)>,
}

impl Flows {
    /// The connection's number of one of the session's sending flows.
    pub fn number(&self, flow: FlowId) -> Option<u64> {
        self.sending.iter().find(|(_, of)| *of == flow).map(|(number, _)| *number)
    }

    fn flow(&self, number: u64) -> Option<FlowId> {
        self.sending.iter().find(|(of, _)| *of == number).map(|(_, flow)| *flow)
    }

    /// A sending flow is no more.
    pub fn forget(&mut self, flow: FlowId) {
        self.sending.retain(|(_, of)| *of != flow);
    }

    /// Does what the connection wants of its session.
    ///
    /// # Errors
    /// Where the session takes it no more: then the connection cannot go on.
    pub fn carry(
        &mut self,
        now: Instant,
        endpoint: &mut Endpoint,
        session: SessionId,
        action: Action,
    ) -> Result<(), SendError> {
        let command = match action {
            Action::OpenFlow { flow, metadata, return_of, time_critical } => {
                let priority = if time_critical { 2 } else { 1 };
                let return_of = return_of.map(FlowId);
                let metadata = &metadata[..];
                let open = OpenFlow { metadata, return_of, time_critical, priority };
                self.sending.push((flow, endpoint.open_flow(session, open)?));
                return Ok(());
            }
            Action::Send { flow, octets } => {
                let flow = self.flow(flow).ok_or(SendError::NoSuchFlow)?;
                return endpoint.send(now, session, flow, &octets, None);
            }
            Action::CloseFlow { flow } => match self.flow(flow) {
                Some(flow) => SessionCommand::CloseFlow { flow },
                None => return Ok(()),
            },
            Action::RejectFlow { flow, code } => {
                SessionCommand::RejectFlow { flow: FlowId(flow), code }
            }
            Action::SetOrder { flow, network } => {
                let order = if network { Order::Network } else { Order::Original };
                SessionCommand::SetOrder { flow: FlowId(flow), order }
            }
            Action::CloseSession => SessionCommand::Close { orderly: true },
        };
        endpoint.command(now, Command::Session { session, command });
        Ok(())
    }

    /// Sends a message of sound or pictures; what the session has no room for is lost.
    pub fn send_media(
        &self,
        now: Instant,
        endpoint: &mut Endpoint,
        session: SessionId,
        outgoing: Outgoing,
        message: &[u8],
    ) -> bool {
        self.flow(outgoing.flow).is_some_and(|flow| {
            endpoint.send(now, session, flow, message, Some(outgoing.lifetime)).is_ok()
        })
    }
}

/// What a page is told, as a call of a function at its SWF. None: there is no such function.
pub fn words(message: &ServerMessage) -> Option<(&'static str, Value)> {
    match message {
        ServerMessage::Registration { registered, code, reason } => {
            let registration =
                Registration { registered: *registered, code: *code, reason: reason.clone() };
            Some((function::REGISTRATION_CHANGED, registration.to_value()))
        }
        ServerMessage::State { direction, state, .. } => {
            let rings = *direction == signalling::Direction::In && *state == CallState::Ringing;
            let name = if rings { function::CALL_INCOMING } else { function::CALL_CHANGED };
            Some((name, call_info(message)?.to_value()))
        }
        // The SWF measures its own sound, and has no function for keys that the phone presses.
        ServerMessage::Quality { .. }
        | ServerMessage::Digit { .. }
        | ServerMessage::Error { .. }
        | ServerMessage::Welcome { .. }
        | ServerMessage::Answer { .. }
        | ServerMessage::Pong { .. } => None,
    }
}

/// The same for where the direct stream of a call stands; `message`: where the call does.
pub fn direct_words(message: &ServerMessage, direct: Direct) -> Option<(&'static str, Value)> {
    let info = CallInfo { direct: Some(direct), ..call_info(message)? };
    Some((function::CALL_CHANGED, info.to_value()))
}

fn call_info(message: &ServerMessage) -> Option<CallInfo> {
    let ServerMessage::State {
        call,
        direction,
        state,
        cause: _,
        code,
        reason,
        uri,
        display_name,
        video,
    } = message
    else {
        return None;
    };
    let comes_in = *direction == signalling::Direction::In;
    Some(CallInfo {
        call: call.to_string(),
        direction: if comes_in { Direction::In } else { Direction::Out },
        state: state_word(*state),
        uri: Private::new(uri.clone()),
        display_name: Private::new(display_name.clone()),
        video: *video,
        code: *code,
        reason: reason.clone(),
        direct: None,
    })
}

fn state_word(state: CallState) -> rtmp::application::CallState {
    use rtmp::application::CallState as Word;
    match state {
        CallState::Calling => Word::Calling,
        CallState::Ringing => Word::Ringing,
        CallState::Early => Word::Early,
        CallState::Active => Word::Active,
        CallState::Held => Word::Held,
        CallState::Ended => Word::Ended,
    }
}

/// An error of the page's words as the answer to a command.
pub fn refusal(message: &ServerMessage) -> Refusal {
    match message {
        ServerMessage::Error { message, hint, .. } => {
            Refusal::new(code::CALL_FAILED, format!("{message}. {hint}"))
        }
        _ => Refusal::new(code::CALL_FAILED, "The call could not be made."),
    }
}
