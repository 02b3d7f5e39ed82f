//! What a page's SWF says to the telephone, and what the telephone says to it.
//!
//! Commands come over the control flow as `name, transaction, null, argument`, each with one object
//! for its argument. [`Request::parse`] turns one into what it means, or into a [`Refusal`] that
//! says what is wrong with it; [`CallInfo`] and [`Registration`] become the values of the calls
//! that go the other way.

use crate::amf::Value;
use crate::argument::Argument;
use crate::status::Refusal;
use base::{Private, Secret};

/// Names of the functions that are called at the client.
pub mod function {
    /// With a [`super::Registration`].
    pub const REGISTRATION_CHANGED: &str = "onRegState";
    /// With a [`super::CallInfo`].
    pub const CALL_CHANGED: &str = "onCallState";
    /// With a [`super::CallInfo`].
    pub const CALL_INCOMING: &str = "onIncomingCall";
}

/// What a page wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// `register`: the outcome comes as `onRegState`.
    Register {
        /// Where to.
        registrar: Private<String>,
        /// As whom.
        username: Private<String>,
        /// With what.
        password: Secret,
    },
    /// `unregister`.
    Unregister,
    /// `call`: answered with [`call_result`].
    Call {
        /// Whom; `None` where the button says it.
        uri: Option<Private<String>>,
        /// With pictures.
        video: bool,
    },
    /// `answer`: takes an incoming call.
    Answer {
        /// Which call.
        call: String,
    },
    /// `reject`: does not take an incoming call.
    Reject {
        /// Which call.
        call: String,
    },
    /// `hangup`.
    Hangup {
        /// Which call.
        call: String,
    },
    /// `dtmf`.
    Dtmf {
        /// Which call.
        call: String,
        /// Of `0123456789*#ABCD`.
        digits: Private<String>,
    },
    /// `hold`.
    Hold {
        /// Which call.
        call: String,
    },
    /// `resume`.
    Resume {
        /// Which call.
        call: String,
    },
    /// `transfer`.
    Transfer {
        /// Which call.
        call: String,
        /// To whom.
        uri: Private<String>,
    },
    /// `transfer` to the far end of another call.
    Join {
        /// Whose far end is asked to call.
        call: String,
        /// The call that it takes over.
        other: String,
    },
    /// `direct`: whether the partner's stream reaches the client without us.
    Direct {
        /// Which call.
        call: String,
        /// It is heard, or is not any more.
        on: bool,
    },
}

impl Request {
    /// What a command means. Texts are moved and not copied, so that a password is in one place.
    ///
    /// # Errors
    /// What to answer with `_error`: no such command, or an argument that is not usable.
    pub fn parse(name: &str, arguments: Vec<Value>) -> Result<Request, Refusal> {
        let mut argument = Argument(arguments.into_iter().next().unwrap_or_default());
        Ok(match name {
            "register" => Request::Register {
                registrar: Private::new(argument.text("registrar")?),
                username: Private::new(argument.text("username")?),
                password: Secret::new(argument.password()?),
            },
            "unregister" => Request::Unregister,
            "call" => Request::Call {
                uri: argument.optional_text("uri")?.map(Private::new),
                video: argument.flag("video")?,
            },
            "answer" => Request::Answer { call: argument.call()? },
            "reject" => Request::Reject { call: argument.call()? },
            "hangup" => Request::Hangup { call: argument.call()? },
            "dtmf" => Request::Dtmf { call: argument.call()?, digits: argument.digits()? },
            "hold" => Request::Hold { call: argument.call()? },
            "resume" => Request::Resume { call: argument.call()? },
            "transfer" => argument.transfer()?,
            "direct" => Request::Direct { call: argument.call()?, on: argument.flag("on")? },
            _ => return Err(Refusal::unknown_call()),
        })
    }
}

/// What `call` is answered with.
pub fn call_result(call: &str) -> Value {
    Value::object([("callId", call.into())])
}

/// Who began a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The page.
    Out,
    /// The far end.
    In,
}

impl Direction {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::Out => "out",
            Direction::In => "in",
        }
    }
}

/// Where a call stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallState {
    /// Under way to the far end.
    Calling,
    /// The far end rings, or the page does.
    Ringing,
    /// The far end is heard before it has answered.
    Early,
    /// Both are heard.
    Active,
    /// One end has put it on hold.
    Held,
    /// Over.
    Ended,
}

impl CallState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            CallState::Calling => "calling",
            CallState::Ringing => "ringing",
            CallState::Early => "early",
            CallState::Active => "active",
            CallState::Held => "held",
            CallState::Ended => "ended",
        }
    }
}

/// What `onCallState` and `onIncomingCall` tell.
#[derive(Clone, Debug, PartialEq)]
pub struct CallInfo {
    /// Which call.
    pub call: String,
    /// Who began it.
    pub direction: Direction,
    /// Where it stands.
    pub state: CallState,
    /// The far end's address.
    pub uri: Private<String>,
    /// The far end's name; may be empty.
    pub display_name: Private<String>,
    /// With pictures.
    pub video: bool,
    /// A SIP status, 0 where there is none.
    pub code: u16,
    /// Words for it; may be empty.
    pub reason: String,
    /// The way to the partner that does not lead through us; `None` where nothing is to be said of
    /// it.
    pub direct: Option<Direct>,
}

/// What a client is told of the direct stream between it and its partner.
#[derive(Clone, Debug, PartialEq)]
pub struct Direct {
    /// Where the partner's stream is; `None`: there is none any more.
    pub far: Option<Far>,
    /// Sound goes directly; else through us.
    pub on: bool,
}

/// Where a partner's direct stream is.
#[derive(Clone, Debug, PartialEq)]
pub struct Far {
    /// The partner's peer ID in lower-case hexadecimal, 64 letters (RFC 7425 4.3.2).
    pub id: Private<String>,
    /// The partner's name for the call, which is that of its stream.
    pub call: String,
}

impl CallInfo {
    /// The object that is sent; of the direct stream it says something only where there is
    /// something to say.
    pub fn to_value(&self) -> Value {
        let far = self.direct.as_ref().and_then(|direct| direct.far.as_ref());
        let far = far.map(|far| {
            [("farId", far.id.reveal().as_str().into()), ("farCallId", far.call.as_str().into())]
        });
        let direct = self.direct.as_ref().map(|direct| ("direct", Value::from(direct.on)));
        let always = [
            ("callId", self.call.as_str().into()),
            ("direction", self.direction.as_str().into()),
            ("state", self.state.as_str().into()),
            ("uri", self.uri.reveal().as_str().into()),
            ("displayName", self.display_name.reveal().as_str().into()),
            ("video", self.video.into()),
            ("code", u32::from(self.code).into()),
            ("reason", self.reason.as_str().into()),
        ];
        Value::object(always.into_iter().chain(direct).chain(far.into_iter().flatten()))
    }
}

/// What `onRegState` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// Whether the page's account can be used.
    pub registered: bool,
    /// A SIP status, 0 where there is none.
    pub code: u16,
    /// Words for it; may be empty.
    pub reason: String,
}

impl Registration {
    /// The object that is sent.
    pub fn to_value(&self) -> Value {
        Value::object([
            ("registered", self.registered.into()),
            ("code", u32::from(self.code).into()),
            ("reason", self.reason.as_str().into()),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(name: &str, properties: &[(&str, Value)]) -> Result<Request, Refusal> {
        Request::parse(name, vec![Value::object(properties.iter().cloned())])
    }

    fn refused(name: &str, properties: &[(&str, Value)]) -> (String, String) {
        let refusal = parse(name, properties).err();
        let (code, words) = refusal.map(|r| (r.code, r.description)).unwrap_or_default();
        (code.into_owned(), words.into_owned())
    }

    #[test]
    fn every_command_is_understood() {
        let call = || "c7".to_owned();
        let id = ("callId", Value::from("c7"));
        let uri = ("uri", Value::from("sip:bob@example.com"));
        let bob = || Private::new("sip:bob@example.com".to_owned());
        let text = |text: &str| Private::new(text.to_owned());
        let account = [
            ("registrar", Value::from("sip.example.com")),
            ("username", Value::from("alice")),
            ("password", Value::from("hunter2")),
        ];
        let registered = Request::Register {
            registrar: text("sip.example.com"),
            username: text("alice"),
            password: Secret::new("hunter2"),
        };
        assert_eq!(parse("register", &account), Ok(registered));
        let calling = Request::Call { uri: Some(bob()), video: true };
        assert_eq!(parse("call", &[uri.clone(), ("video", true.into())]), Ok(calling));
        let digits = ("digits", Value::from("12#a"));
        let dtmf = Request::Dtmf { call: call(), digits: text("12#A") };
        assert_eq!(parse("dtmf", &[id.clone(), digits]), Ok(dtmf));
        let direct = Request::Direct { call: call(), on: true };
        assert_eq!(parse("direct", &[id.clone(), ("on", true.into())]), Ok(direct));
        let transfer = Request::Transfer { call: call(), uri: bob() };
        assert_eq!(parse("transfer", &[id.clone(), uri]), Ok(transfer));
        let other = ("toCallId", Value::from(8.0));
        let join = Request::Join { call: call(), other: "8".to_owned() };
        let empty = ("uri", Value::from(""));
        assert_eq!(parse("transfer", &[id.clone(), other, empty]), Ok(join));
        for (name, request) in [
            ("answer", Request::Answer { call: call() }),
            ("reject", Request::Reject { call: call() }),
            ("hangup", Request::Hangup { call: call() }),
            ("hold", Request::Hold { call: call() }),
            ("resume", Request::Resume { call: call() }),
            ("direct", Request::Direct { call: call(), on: false }),
        ] {
            assert_eq!(parse(name, std::slice::from_ref(&id)), Ok(request));
        }
    }

    #[test]
    fn what_may_be_left_out_may_be_left_out() {
        let call = Ok(Request::Call { uri: None, video: false });
        assert_eq!(parse("call", &[]), call);
        assert_eq!(parse("call", &[("uri", "".into()), ("video", Value::Null)]), call);
        assert_eq!(Request::parse("call", Vec::new()), call);
        assert_eq!(Request::parse("call", vec![Value::Null]), call);
        assert_eq!(Request::parse("unregister", Vec::new()), Ok(Request::Unregister));
        let numbered = Ok(Request::Hangup { call: "7".into() });
        assert_eq!(parse("hangup", &[("callId", 7.0.into())]), numbered);
    }

    #[test]
    fn a_bad_argument_is_refused_in_words() {
        for (name, properties, words) in [
            ("register", vec![("username", "a".into())], "registrar is missing."),
            ("call", vec![("uri", 7.0.into())], "uri has to be a String."),
            ("call", vec![("uri", "a\r\nb".into())], "uri holds control characters."),
            ("call", vec![("uri", "x".repeat(1025).into())], "uri is too long."),
            ("call", vec![("video", "yes".into())], "video has to be a Boolean."),
            ("hangup", vec![], "callId is missing."),
            ("transfer", vec![("callId", "c".into())], "uri or toCallId is missing."),
            (
                "transfer",
                vec![("callId", "c".into()), ("uri", "u".into()), ("toCallId", "d".into())],
                "uri and toCallId exclude each other.",
            ),
            ("hangup", vec![("callId", f64::NAN.into())], "callId has to be a String."),
            (
                "dtmf",
                vec![("callId", "c".into()), ("digits", "12x".into())],
                "digits holds other than 0-9, *, #, A-D.",
            ),
            ("dtmf", vec![("callId", "c".into())], "digits is missing."),
            (
                "dtmf",
                vec![("callId", "c".into()), ("digits", "1".repeat(65).into())],
                "digits holds too many.",
            ),
        ] {
            let expected = ("NetConnection.Call.BadArgument".to_owned(), words.to_owned());
            assert_eq!(refused(name, &properties), expected);
        }
        assert_eq!(refused("invite", &[]).0, "NetConnection.Call.Failed");
    }

    #[test]
    fn requests_print_neither_passwords_nor_visitors() {
        let account = [
            ("registrar", Value::from("sip.example.com")),
            ("username", Value::from("alice")),
            ("password", Value::from("hunter2")),
        ];
        let printed = format!("{:?}", parse("register", &account));
        let expected =
            "Ok(Register { registrar: [private], username: [private], password: [secret] })";
        assert_eq!(printed, expected);
    }

    #[test]
    fn infos_carry_the_names_of_the_page() {
        let info = CallInfo {
            call: "c7".into(),
            direction: Direction::In,
            state: CallState::Ended,
            uri: Private::new("sip:bob@example.com".into()),
            display_name: Private::new("Bob".into()),
            video: false,
            code: 486,
            reason: "Busy Here".into(),
            direct: None,
        };
        let expected = Value::object([
            ("callId", "c7".into()),
            ("direction", "in".into()),
            ("state", "ended".into()),
            ("uri", "sip:bob@example.com".into()),
            ("displayName", "Bob".into()),
            ("video", false.into()),
            ("code", 486.0.into()),
            ("reason", "Busy Here".into()),
        ]);
        assert!(info.to_value() == expected);
        let far = Far { id: Private::new("5e".repeat(32)), call: "2".into() };
        let direct = CallInfo { direct: Some(Direct { far: Some(far), on: true }), ..info.clone() };
        let more = ["direct", "farId", "farCallId"].map(|name| direct.to_value().take(name));
        let id = "5e".repeat(32);
        assert!(more == [Some(true.into()), Some(id.as_str().into()), Some("2".into())]);
        let bridged = CallInfo { direct: Some(Direct { far: None, on: false }), ..info };
        let more = ["direct", "farId", "farCallId"].map(|name| bridged.to_value().take(name));
        assert!(more == [Some(false.into()), None, None]);
        let states = Registration { registered: true, code: 200, reason: "OK".into() };
        let names = ["registered", "code", "reason"].map(|name| states.to_value().take(name));
        assert!(names == [Some(true.into()), Some(200.0.into()), Some("OK".into())]);
        assert!(call_result("c7") == Value::object([("callId", "c7".into())]));
    }
}
