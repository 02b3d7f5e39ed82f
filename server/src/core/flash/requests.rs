//! What a Flash client asks for, by the commands of its control flow and of its streams.

use super::Core;
use crate::core::visitors::{Wish, WishedMedia};
use crate::legs;
use crate::net::Wire;
use base::{CallId, LinkId};
use call::{Change, LegEvent, VisitorEnd};
use rtmfp::SessionId;
use rtmp::amf::Value;
use rtmp::application::{Request, call_result};
use rtmp::numbers::code;
use rtmp::status::Refusal;
use signalling::{CallState, ClientMessage, HangupReason};
use std::collections::BTreeMap;
use std::time::Instant;

/// One way of a call's sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// The microphone: the client publishes.
    Up,
    /// The far end: the client plays.
    Down,
}

/// The answer to a command.
type Answer = Result<Value, Refusal>;

impl<W: Wire> Core<W> {
    /// Does what a client's command asks for, and answers it.
    pub(super) fn answer_request(
        &mut self,
        now: Instant,
        session: SessionId,
        name: &str,
        transaction: f64,
        arguments: Vec<Value>,
    ) {
        let link = self.flash_client(session).and_then(|client| client.link);
        let Some(link) = link else { return };
        if !self.flash_client(session).is_some_and(|client| client.allowance.take(now)) {
            let refusal = Refusal::new(code::CALL_FAILED, "Too many commands: wait a second.");
            if let Some(client) = self.flash_client(session) {
                client.connection.error(transaction, &refusal);
            }
            return;
        }
        let answer = Request::parse(name, arguments)
            .and_then(|request| self.obey(now, session, link, request));
        let Some(client) = self.flash_client(session) else { return };
        match answer {
            Ok(value) => client.connection.result(transaction, value),
            Err(refusal) => client.connection.error(transaction, &refusal),
        };
    }

    fn obey(&mut self, now: Instant, session: SessionId, link: LinkId, request: Request) -> Answer {
        match request {
            Request::Register { registrar, username, password } => {
                let registrar = registrar.into_inner();
                self.register(now, link, &registrar, username.into_inner(), password);
            }
            Request::Unregister => self.handle_message(now, link, ClientMessage::Unregister),
            Request::Call { uri, video: _ } => {
                let call = self.flash_client(session).map(|c| c.begin_talk()).ok_or_else(gone)?;
                let uri = uri.map(base::Private::into_inner);
                let media = WishedMedia::Flash { session };
                let wish = Wish { call, uri, headers: BTreeMap::new(), media };
                if let Err(message) = self.start_call(now, link, wish) {
                    self.end_talk(session, call);
                    return Err(legs::flash::refusal(&message));
                }
                self.say_calling(link, call);
                return Ok(call_result(&call.to_string()));
            }
            Request::Answer { call } => {
                let (_, id) = self.named_call(link, &call)?;
                self.take_call(now, id)?;
            }
            Request::Reject { call } => {
                let (_, id) = self.named_call(link, &call)?;
                self.end_visitor(now, id, VisitorEnd::Rejected);
            }
            Request::Hangup { call } => {
                let (call, _) = self.named_call(link, &call)?;
                let hangup = ClientMessage::Hangup { call, reason: HangupReason::Visitor };
                self.handle_message(now, link, hangup);
            }
            Request::Dtmf { call, digits } => {
                let (_, id) = self.named_call(link, &call)?;
                self.send_digits(now, id, digits.reveal());
            }
            Request::Hold { call } => {
                let (_, id) = self.named_call(link, &call)?;
                self.held(now, id, true)?;
            }
            Request::Resume { call } => {
                let (_, id) = self.named_call(link, &call)?;
                self.held(now, id, false)?;
            }
            Request::Direct { call, on } => {
                let (_, id) = self.named_call(link, &call)?;
                self.heard_directly(now, id, on);
            }
            Request::Transfer { call, uri } => {
                let (call, _) = self.named_call(link, &call)?;
                let transfer = self.transfer(now, link, call, uri.reveal());
                transfer.map_err(|message| legs::flash::refusal(&message))?;
            }
            Request::Join { call, other } => {
                let (call, _) = self.named_call(link, &call)?;
                let (other, _) = self.named_call(link, &other)?;
                let joined = self.join(now, link, call, other);
                joined.map_err(|message| legs::flash::refusal(&message))?;
            }
        }
        Ok(Value::Null)
    }

    /// A call has been begun. A WebRTC page knows that by itself; a client is told after the answer
    /// to its command, which names the call.
    fn say_calling(&mut self, link: LinkId, call: u32) {
        let id = self.calls.by_page(link, call);
        let active = id.and_then(|id| self.calls.entry(id));
        if let Some(active) = active.filter(|active| active.call.state() == CallState::Calling) {
            let change = Change { state: CallState::Calling, cause: None, code: 0 };
            let message = legs::browser::state_message(call, change, &active.party);
            self.tell(link, message);
        }
    }

    /// A call by the name that the client has for it.
    fn named_call(&self, link: LinkId, name: &str) -> Result<(u32, CallId), Refusal> {
        let call = name.parse().ok().filter(|call: &u32| call.to_string() == name);
        let found = call.and_then(|call| Some((call, self.calls.by_page(link, call)?)));
        found.ok_or_else(|| Refusal::new(code::CALL_FAILED, "There is no such call."))
    }

    fn take_call(&mut self, now: Instant, id: CallId) -> Result<(), Refusal> {
        let active = self.calls.entry(id).ok_or_else(gone)?;
        if !active.waits_for_answer() {
            return Err(Refusal::new(code::CALL_FAILED, "This call does not wait for an answer."));
        }
        self.call_event(now, id, LegEvent::VisitorAnswered);
        Ok(())
    }

    fn held(&mut self, now: Instant, id: CallId, on: bool) -> Result<(), Refusal> {
        if self.hold(now, id, on) {
            return Ok(());
        }
        Err(Refusal::new(code::CALL_FAILED, "Only a call that was answered can be held."))
    }

    /// A stream wants to carry one way of a call's sound.
    pub(super) fn carry_call(
        &mut self,
        now: Instant,
        session: SessionId,
        stream: u32,
        name: &str,
        way: Way,
    ) {
        let id = self.streamed_call(session, name);
        let Some(client) = self.flash_client(session) else { return };
        let talk = name.parse().ok().and_then(|call| client.talk(call));
        let (Some(id), Some(talk)) = (id, talk) else {
            let words = "There is no such call: streams come after call or answer.";
            return match way {
                Way::Up => {
                    let refusal = Refusal::new(code::PUBLISH_BAD_NAME, words);
                    client.connection.refuse_publish(stream, &refusal);
                }
                Way::Down => {
                    let refusal = Refusal::new(code::PLAY_STREAM_NOT_FOUND, words);
                    client.connection.refuse_play(stream, &refusal);
                }
            };
        };
        match way {
            Way::Up => {
                talk.publishing = Some(stream);
                client.connection.accept_publish(stream);
            }
            Way::Down => {
                talk.playing = Some(stream);
                client.connection.accept_play(stream);
            }
        }
        self.call_event(now, id, LegEvent::VisitorConnected);
    }

    fn streamed_call(&mut self, session: SessionId, name: &str) -> Option<CallId> {
        let link = self.flash_client(session)?.link?;
        self.named_call(link, name).ok().map(|(_, id)| id)
    }

    /// A stream carries nothing any more; the call goes on.
    pub(super) fn stop_stream(&mut self, session: SessionId, stream: u32) {
        let Some(client) = self.flash_client(session) else { return };
        for talk in &mut client.talks {
            let ends = |at: &mut Option<u32>| *at = at.filter(|of| *of != stream);
            ends(&mut talk.publishing);
            ends(&mut talk.playing);
        }
    }
}

fn gone() -> Refusal {
    Refusal::new(code::CALL_FAILED, "The call is gone.")
}
