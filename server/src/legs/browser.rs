//! The browser leg: `webrtc` and page words to `call` words, and back.

use crate::core::calls::Party;
use call::VisitorEnd;
use signalling::{ErrorCode, HangupReason, ServerMessage};
use std::time::Instant;

/// Keypad digits inside a browser's RTP. Browsers send them at the clock of the codec or at 8000 Hz,
/// and the two count time apart, so each has a receiver of its own.
#[derive(Debug)]
pub struct PageDigits {
    narrow: rtp::dtmf::Receiver,
    full: rtp::dtmf::Receiver,
}

impl Default for PageDigits {
    fn default() -> Self {
        PageDigits { narrow: rtp::dtmf::Receiver::new(), full: rtp::dtmf::Receiver::new() }
    }
}

impl PageDigits {
    /// One packet of an event; a digit whose event is over.
    pub fn handle(&mut self, now: Instant, event: &webrtc::TelephoneEvent) -> Option<char> {
        let receiver = if event.clock_rate == 8000 { &mut self.narrow } else { &mut self.full };
        let (payload, at, rate) = (&event.payload[..], event.timestamp, event.clock_rate);
        receiver.handle(now, payload, at, event.marker, rate).map(|digit| digit.digit)
    }

    /// A digit whose last packets got lost.
    pub fn poll(&mut self, now: Instant) -> Option<char> {
        self.narrow.poll(now).or_else(|| self.full.poll(now)).map(|digit| digit.digit)
    }

    /// When to poll.
    pub fn poll_timeout(&self) -> Option<Instant> {
        [self.narrow.poll_timeout(), self.full.poll_timeout()].into_iter().flatten().min()
    }
}

/// Why a page hung up, in the call's words.
pub fn visitor_end(reason: HangupReason) -> VisitorEnd {
    match reason {
        HangupReason::Visitor => VisitorEnd::HungUp,
        HangupReason::NoMicrophone => VisitorEnd::NoMicrophone,
        HangupReason::NoMedia => VisitorEnd::NoMedia,
        HangupReason::PageClosed => VisitorEnd::Lost,
        HangupReason::Rejected => VisitorEnd::Rejected,
    }
}

/// Why a browser's media was lost, in the call's words.
pub fn lost_end(cause: webrtc::LostCause) -> VisitorEnd {
    match cause {
        webrtc::LostCause::NoCheck | webrtc::LostCause::NoHandshake => VisitorEnd::NoMedia,
        webrtc::LostCause::Silent => VisitorEnd::Lost,
    }
}

/// The same in a trace.
pub fn lost_word(cause: webrtc::LostCause) -> &'static str {
    match cause {
        webrtc::LostCause::NoCheck => "no-check",
        webrtc::LostCause::NoHandshake => "no-handshake",
        webrtc::LostCause::Silent => "silent",
    }
}

/// A call's change as the page is told it.
pub fn state_message(call: u32, change: call::Change, party: &Party) -> ServerMessage {
    ServerMessage::State {
        call,
        direction: party.direction,
        state: change.state,
        cause: change.cause,
        code: change.code,
        reason: change.cause.map_or("", |cause| cause.sentence()).to_owned(),
        uri: party.uri.reveal().clone(),
        display_name: party.display_name.reveal().clone(),
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
