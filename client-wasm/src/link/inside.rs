//! What a link does by itself: greeting, losing and regaining the socket, and the line of messages
//! that waits for it.

use super::Link;
use super::action::{Action, Connection};
use super::calls::Call;
use super::heard::Heard;
use super::socket::{self, Socket};
use signalling::{
    CallState, ClientMessage, EndCause, Envelope, ErrorCode, Inbox, Outbox, ServerMessage, VERSION,
    limits,
};
use std::time::Duration;

impl Link {
    /// The answer to our Hello.
    pub(super) fn greeted(&mut self, now: Duration, heard: Heard<'_>, text: &str) {
        match heard.kind {
            "welcome" if heard.version != VERSION => {
                let message = "This page is older than the server";
                self.error(ErrorCode::Version, message, "Load the page again", None);
                self.refused();
            }
            "welcome" => {
                let resumed = heard.resumed && self.name.is_some();
                self.socket = Socket::up(now);
                self.dropped_at = None;
                if resumed {
                    self.outbox.acknowledged(heard.ack);
                } else {
                    self.lose_link();
                    // Page-supplied accounts live as long as a link; the page expects its to last.
                    if let Some(account) = &self.account
                        && !self.queue.has_register()
                    {
                        self.queue.push_front(account.message());
                    }
                }
                self.name = Some(heard.link.to_owned());
                self.written = 0;
                self.acknowledged = self.inbox.last();
                self.tell(Connection { connected: true, reconnecting: false, resumed });
                self.flush(now);
            }
            "error" => {
                self.take(&heard, text);
                if heard.is_final() {
                    self.refused();
                }
            }
            _ => {}
        }
    }

    /// A new message of the server: whether it still means something to the page.
    pub(super) fn take(&mut self, heard: &Heard<'_>, text: &str) {
        let told = match heard.kind {
            "registration" => self.account.is_some(),
            "error" => true,
            "answer" => self.calls.answered(heard.call),
            "digit" | "quality" => self.calls.find(heard.call).is_some(),
            "state" => heard.state().is_some_and(|state| self.calls.step(heard.call, state)),
            // The welcome and the heartbeat's answer are the link's own; others are of a newer
            // server.
            _ => false,
        };
        if told {
            self.actions.push_back(Action::Tell(text.to_owned()));
        }
    }

    pub(super) fn open(&mut self, now: Duration) {
        self.socket = Socket::Opening { until: now + socket::OPEN_WITHIN };
        self.actions.push_back(Action::Open);
    }

    /// Closes the socket and starts over.
    pub(super) fn drop_socket(&mut self, now: Duration) {
        if self.socket.exists() {
            self.actions.push_back(Action::Close);
            self.lose_socket(now);
        }
    }

    pub(super) fn lose_socket(&mut self, now: Duration) {
        match &self.socket {
            Socket::Up(up) => {
                if up.was_lasting(now) {
                    self.backoff.reset();
                }
                // The server counts from the last word that it heard, so ours is the later end.
                self.dropped_at = Some(now);
            }
            _ => self.dropped_at = self.dropped_at.or(self.name.as_ref().map(|_| now)),
        }
        self.socket = Socket::Waiting { until: now + self.backoff.next_wait() };
        self.tell(Connection { connected: false, reconnecting: true, resumed: false });
    }

    /// When the server has given this link up for certain.
    pub(super) fn gone_at(&self) -> Option<Duration> {
        self.dropped_at.map(|at| at + limits::LINK_SILENCE + limits::LINK_RESUME)
    }

    /// The link cannot be resumed: ends what the server knew of and numbers anew.
    pub(super) fn lose_link(&mut self) {
        self.forget();
        for call in self.calls.numbers() {
            if !self.queue.holds_call(call) {
                self.queue.drop_call(call);
                self.end(call, EndCause::VisitorLost);
            }
        }
    }

    pub(super) fn forget(&mut self) {
        self.name = None;
        self.dropped_at = None;
        self.outbox = Outbox::default();
        self.inbox = Inbox::default();
        self.written = 0;
        self.acknowledged = 0;
    }

    pub(super) fn refused(&mut self) {
        self.actions.push_back(Action::Close);
        self.socket = Socket::Refused;
        self.lose_link();
        for call in self.calls.numbers() {
            self.queue.drop_call(call);
            self.end(call, EndCause::VisitorLost);
        }
        self.tell(Connection::default());
    }

    /// Ends a call as the page sees it.
    pub(super) fn end(&mut self, call: u32, cause: EndCause) {
        let Some(Call { direction, video, .. }) = self.calls.remove(call) else { return };
        self.say(ServerMessage::State {
            call,
            direction,
            state: CallState::Ended,
            cause: Some(cause),
            code: 0,
            reason: cause.sentence().to_owned(),
            uri: String::new(),
            display_name: String::new(),
            video,
        });
    }

    /// Tells the page something in the server's words.
    pub(super) fn say(&mut self, message: ServerMessage) {
        // Strings and numbers only: this cannot fail.
        if let Ok(text) = serde_json::to_string(&message) {
            self.actions.push_back(Action::Tell(text));
        }
    }

    pub(super) fn tell(&mut self, connection: Connection) {
        if self.told != connection {
            self.told = connection;
            self.actions.push_back(Action::Connection(connection));
        }
    }

    pub(super) fn error(&mut self, code: ErrorCode, message: &str, hint: &str, call: Option<u32>) {
        let (message, hint) = (message.to_owned(), hint.to_owned());
        self.say(ServerMessage::Error { code, message, hint, call });
    }

    /// Puts a message in line; false (and an error action) where the line is full.
    pub(super) fn enqueue(&mut self, now: Duration, message: ClientMessage) -> bool {
        if !self.queue.push(message) {
            let hint = "Check the network connection";
            self.error(ErrorCode::Limit, "Too much waits for the connection", hint, None);
            return false;
        }
        self.flush(now);
        true
    }

    pub(super) fn ping(&mut self, now: Duration) {
        if let Socket::Up(up) = &mut self.socket {
            up.pinged(now);
            self.pace.take(now);
            self.write(0, &ClientMessage::Ping { at: now.as_secs_f64() * 1000.0 });
        }
    }

    pub(super) fn has_more_to_write(&self) -> bool {
        !self.queue.is_empty() || self.unwritten().is_some()
    }

    pub(super) fn unwritten(&self) -> Option<(u64, &ClientMessage)> {
        self.outbox.unacknowledged().find(|(sequence, _)| *sequence > self.written)
    }

    /// Writes what may be written now: first again what the last socket may have lost, then what
    /// is new, as fast as the server's rate limit allows.
    pub(super) fn flush(&mut self, now: Duration) {
        while self.socket.is_up() && self.has_more_to_write() && self.pace.allows(now) {
            if self.unwritten().is_none() {
                // A full outbox waits for acknowledgements; the heartbeat brings them.
                if self.outbox.is_full() {
                    return;
                }
                let Some(message) = self.queue.pop_front() else { return };
                if self.outbox.push(message).is_err() {
                    return;
                }
            }
            let ack = self.inbox.last();
            let Some((sequence, message)) = self.unwritten() else { return };
            let text = envelope(sequence, ack, message);
            self.pace.take(now);
            self.written = sequence;
            if let Socket::Up(up) = &mut self.socket {
                up.said(now);
            }
            self.send(ack, text);
        }
    }

    pub(super) fn write(&mut self, sequence: u64, message: &ClientMessage) {
        let ack = self.inbox.last();
        self.send(ack, envelope(sequence, ack, message));
    }

    fn send(&mut self, ack: u64, text: String) {
        self.acknowledged = ack;
        self.actions.push_back(Action::Send(text));
    }
}

fn envelope(sequence: u64, ack: u64, message: &ClientMessage) -> String {
    // Strings and numbers only: this cannot fail.
    serde_json::to_string(&Envelope { sequence, ack, message }).unwrap_or_default()
}
