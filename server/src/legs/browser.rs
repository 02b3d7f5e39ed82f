//! The browser leg: `webrtc` and page words to `call` words, and back.

use call::VisitorEnd;
use signalling::{Direction, ErrorCode, HangupReason, ServerMessage};

/// Why a page hung up, in the call's words.
pub fn visitor_end(reason: HangupReason) -> VisitorEnd {
    match reason {
        HangupReason::Visitor => VisitorEnd::HungUp,
        HangupReason::NoMicrophone => VisitorEnd::NoMicrophone,
        HangupReason::NoMedia => VisitorEnd::NoMedia,
        HangupReason::PageClosed => VisitorEnd::Lost,
    }
}

/// Why a browser's media was lost, in the call's words.
pub fn lost_end(cause: webrtc::LostCause) -> VisitorEnd {
    match cause {
        webrtc::LostCause::NoCheck | webrtc::LostCause::NoHandshake => VisitorEnd::NoMedia,
        webrtc::LostCause::Silent => VisitorEnd::Lost,
    }
}

/// A call's change as the page is told it.
pub fn state_message(call: u32, change: call::Change) -> ServerMessage {
    ServerMessage::State {
        call,
        direction: Direction::Out,
        state: change.state,
        cause: change.cause,
        code: change.code,
        reason: change.cause.map_or("", |cause| cause.sentence()).to_owned(),
        // A button's destination is the shop's own affair.
        uri: String::new(),
        display_name: String::new(),
        video: false,
    }
}

/// An error for the page.
pub fn error(code: ErrorCode, call: Option<u32>, message: &str, hint: &str) -> ServerMessage {
    ServerMessage::Error { code, message: message.to_owned(), hint: hint.to_owned(), call }
}

/// Which limit refused a call, in words for the page.
pub fn refusal(refusal: call::Refusal, call: u32) -> ServerMessage {
    let (code, message, hint) = match refusal {
        call::Refusal::Button | call::Refusal::Appliance => {
            (ErrorCode::Limit, "All lines are taken", "Please try again in a few minutes.")
        }
        call::Refusal::Link => {
            (ErrorCode::Limit, "This page is already in a call", "Hang up first.")
        }
        call::Refusal::Draining => {
            (ErrorCode::Draining, "The service is restarting", "Please try again in a minute.")
        }
    };
    error(code, Some(call), message, hint)
}
