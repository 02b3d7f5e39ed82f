//! What the link itself reads of a server's message.
//!
//! The rest goes to JavaScript as it came, since JavaScript reads JSON anyway. A full reader of
//! [`signalling::ServerMessage`] here, and a writer of it for JavaScript, made the module that every
//! visitor loads four times as large. A test holds this reading against the real types.

use signalling::CallState;

/// A [`signalling::ServerMessage`] in its envelope, as far as the link cares. What a kind of
/// message does not have is left at its default.
#[derive(Debug, Default)]
pub(super) struct Heard<'a> {
    pub sequence: u64,
    pub ack: u64,
    pub kind: &'a str,
    pub call: u32,
    pub version: u32,
    pub link: &'a str,
    pub resumed: bool,
    state: &'a str,
    code: &'a str,
}

impl<'a> Heard<'a> {
    /// Reads a message; none where it is not a JSON object or a field has a wrong type.
    pub(super) fn read(text: &'a str) -> Option<Self> {
        let mut heard = Heard::default();
        let mut fields = Fields { text, at: 0, done: false };
        fields.open()?;
        while let Some((key, value)) = fields.next()? {
            match key {
                "sequence" => heard.sequence = value.parse().ok()?,
                "ack" => heard.ack = value.parse().ok()?,
                "type" => heard.kind = word(value)?,
                // None at all in errors that are about no call.
                "call" => heard.call = value.parse().unwrap_or_default(),
                "version" => heard.version = value.parse().ok()?,
                "link" => heard.link = word(value)?,
                "resumed" => heard.resumed = value == "true",
                "state" => heard.state = word(value)?,
                // A SIP status in most messages.
                "code" => heard.code = word(value).unwrap_or_default(),
                _ => {}
            }
        }
        Some(heard)
    }

    /// None for a state of a newer server.
    pub(super) fn state(&self) -> Option<CallState> {
        Some(match self.state {
            "calling" => CallState::Calling,
            "ringing" => CallState::Ringing,
            "early" => CallState::Early,
            "active" => CallState::Active,
            "held" => CallState::Held,
            "ended" => CallState::Ended,
            _ => return None,
        })
    }

    /// An error that asking again will not change.
    pub(super) fn is_final(&self) -> bool {
        matches!(self.code, "version" | "unknown-button" | "forbidden")
    }
}

/// The inside of a JSON string without escapes: all names on the wire are such.
fn word(value: &str) -> Option<&str> {
    let inside = value.strip_prefix('"')?.strip_suffix('"')?;
    (!inside.contains('\\')).then_some(inside)
}

/// The fields of one JSON object, values as they are written. It finds where each ends and checks no
/// more than that: the server's messages come from our own writer.
struct Fields<'a> {
    text: &'a str,
    at: usize,
    done: bool,
}

impl<'a> Fields<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Passes over space, then over `wanted`, which must be there.
    fn pass(&mut self, wanted: u8) -> Option<()> {
        self.space();
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn open(&mut self) -> Option<()> {
        self.pass(b'{')?;
        self.space();
        self.done = self.peek()? == b'}';
        Some(())
    }

    /// The next key and value; the inner none is the end, the outer one is malformed text.
    fn next(&mut self) -> Option<Option<(&'a str, &'a str)>> {
        if self.done {
            return Some(None);
        }
        self.space();
        let key = self.at + 1;
        self.string()?;
        let key = self.text.get(key..self.at - 1)?;
        self.pass(b':')?;
        self.space();
        let value = self.at;
        self.value()?;
        let value = self.text.get(value..self.at)?;
        self.space();
        match self.peek()? {
            b',' => {}
            b'}' => self.done = true,
            _ => return None,
        }
        self.at += 1;
        Some(Some((key, value)))
    }

    fn string(&mut self) -> Option<()> {
        self.pass(b'"')?;
        loop {
            match self.peek()? {
                b'"' => break,
                // The escaped one cannot end it.
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Some(())
    }

    /// Passes over one value: a string, something in brackets, or a bare word or number.
    fn value(&mut self) -> Option<()> {
        let begin = self.at;
        let mut depth = 0_u32;
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    if depth == 0 {
                        break;
                    }
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' if depth > 0 => {
                    depth -= 1;
                    if depth == 0 {
                        self.at += 1;
                        break;
                    }
                }
                b',' | b'}' | b']' if depth == 0 => break,
                byte if depth == 0 && byte.is_ascii_whitespace() => break,
                _ => {}
            }
            self.at += 1;
        }
        (self.at > begin).then_some(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use signalling::{
        ButtonInfo, Direction, EndCause, Envelope, ErrorCode, QualityLevel, QualityReason,
        ServerMessage,
    };

    /// One of each kind, the texts as unfriendly as visitors and providers make them.
    fn messages() -> Vec<ServerMessage> {
        let evil = || r#"a "b" \ {[,]}: ",call":9, ü "#.to_owned() + "\r\n\u{0}";
        let state = |state| ServerMessage::State {
            call: 7,
            direction: Direction::Out,
            state,
            cause: Some(EndCause::ShopHungUp),
            code: 200,
            reason: evil(),
            uri: evil(),
            display_name: evil(),
            video: false,
        };
        let error = |code, call| ServerMessage::Error { code, message: evil(), hint: evil(), call };
        let button = ButtonInfo { name: evil(), video: true, max_duration: 900 };
        vec![
            ServerMessage::Welcome {
                version: 3,
                link: "abc-_=".into(),
                resumed: true,
                button: Some(button),
            },
            ServerMessage::Registration { registered: true, code: 200, reason: evil() },
            ServerMessage::Answer { call: 7, sdp: evil() },
            state(CallState::Calling),
            state(CallState::Ringing),
            state(CallState::Early),
            state(CallState::Active),
            state(CallState::Held),
            state(CallState::Ended),
            ServerMessage::Quality {
                call: 7,
                level: QualityLevel::Fair,
                reason: QualityReason::PhoneLoss,
                loss_up: 1.5,
                loss_down: f32::MIN_POSITIVE,
                round_trip: 0.0,
                codecs: evil(),
            },
            ServerMessage::Digit { call: 7, digit: '"' },
            error(ErrorCode::Version, Some(7)),
            error(ErrorCode::UnknownButton, None),
            error(ErrorCode::Forbidden, None),
            error(ErrorCode::Limit, None),
            error(ErrorCode::BadMessage, None),
            error(ErrorCode::BadOffer, None),
            error(ErrorCode::UnknownCall, None),
            error(ErrorCode::Unavailable, None),
            error(ErrorCode::TransferFailed, Some(7)),
            error(ErrorCode::HoldFailed, Some(7)),
            error(ErrorCode::Draining, None),
            error(ErrorCode::Internal, None),
            ServerMessage::Pong { at: 12345.678 },
        ]
    }

    #[test]
    fn every_message_of_the_server_is_read_as_it_was_meant() {
        for message in messages() {
            let envelope = Envelope { sequence: 5, ack: 1 << 40, message };
            for text in [
                serde_json::to_string(&envelope).unwrap(),
                serde_json::to_string_pretty(&envelope).unwrap(),
            ] {
                let heard = Heard::read(&text).unwrap();
                assert_eq!((heard.sequence, heard.ack), (5, 1 << 40), "{text}");
                let (kind, call) = match &envelope.message {
                    ServerMessage::Welcome { version, link, resumed, .. } => {
                        assert_eq!((heard.version, heard.link), (*version, link.as_str()));
                        assert_eq!(heard.resumed, *resumed);
                        ("welcome", 0)
                    }
                    ServerMessage::Registration { .. } => ("registration", 0),
                    ServerMessage::Answer { call, .. } => ("answer", *call),
                    ServerMessage::State { call, state, .. } => {
                        assert_eq!(heard.state(), Some(*state));
                        ("state", *call)
                    }
                    ServerMessage::Quality { call, .. } => ("quality", *call),
                    ServerMessage::Digit { call, .. } => ("digit", *call),
                    ServerMessage::Error { code, call, .. } => {
                        let is_final = matches!(
                            code,
                            ErrorCode::Version | ErrorCode::UnknownButton | ErrorCode::Forbidden
                        );
                        assert_eq!(heard.is_final(), is_final, "{text}");
                        ("error", call.unwrap_or(0))
                    }
                    ServerMessage::Pong { .. } => ("pong", 0),
                };
                assert_eq!((heard.kind, heard.call), (kind, call), "{text}");
            }
        }
    }

    #[test]
    fn no_part_of_a_message_is_taken_for_a_whole_one() {
        for message in messages() {
            let text = serde_json::to_string(&Envelope { sequence: 5, ack: 1, message }).unwrap();
            for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
                assert!(Heard::read(&text[..end]).is_none(), "{}", &text[..end]);
            }
        }
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "[]",
            "null",
            "{]",
            r#"{"type"}"#,
            r#"{"type":}"#,
            r#"{"type":7}"#,
            r#"{"sequence":-1}"#,
            r#"{"sequence":1e3}"#,
            r#"{"ack":99999999999999999999}"#,
            r#"{"a\"#,
            r#"{"a":"\"#,
            r#"{"é":[[[["#,
        ] {
            assert!(Heard::read(text).is_none(), "{text}");
        }
    }
}
