//! One page's link: it outlives its WebSocket.
//!
//! # Driving it
//!
//! Call one of the inputs ([`Link::connect`], [`Link::socket_message`], [`Link::call`], ...) with
//! the time since the page began, then take actions from [`Link::poll`] until there is none, then
//! set a timer for [`Link::next_deadline`] and call [`Link::tick`] when it fires (late is fine).
//! After [`Action::Close`] the old socket's events must not be handed in any more.
//!
//! # What it promises
//!
//! Messages reach the server in order, once, or not at all with the calls they belong to ended:
//! what was written and not acknowledged is written again on the next socket of the same link;
//! when the server no longer knows the link, every call that it had been told of is over and only
//! what never left the page goes to the new link.

mod action;
mod backoff;
mod calls;
mod check;
mod heard;
mod pace;
mod queue;
mod socket;

pub use action::{Action, Connection};
pub use check::{Account, Plan};

use backoff::Backoff;
use calls::{Call, Calls};
use heard::Heard;
use pace::Pace;
use queue::Queue;
use signalling::{
    CallState, ClientMessage, Direction, EndCause, Envelope, ErrorCode, HangupReason, Inbox,
    Outbox, QualityReport, ServerMessage, VERSION, limits,
};
use socket::Socket;
use std::collections::VecDeque;
use std::time::Duration;

/// How long a call waits for the server's answer to its offer. The server answers as soon as it
/// has the offer, so only a dead link takes this long.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// Received messages after which an acknowledgement is sent without waiting for the heartbeat.
const ACKNOWLEDGE_AFTER: u64 = 32;
/// Actions that may wait for JavaScript; beyond this nothing more is read.
const ACTIONS: usize = 512;
/// Offers larger than this leave no room for the rest of their message.
const OFFER_OCTETS: usize = limits::MESSAGE_OCTETS - 8 * 1024;

/// The page's end of a link. Times are since the page began.
#[derive(Debug)]
pub struct Link {
    button: Option<String>,
    page: Option<String>,
    /// The server's name for this link, once it has welcomed us.
    name: Option<String>,
    /// Since when there has been no working socket, while the server may still know the link.
    dropped_at: Option<Duration>,
    socket: Socket,
    backoff: Backoff,
    pace: Pace,
    queue: Queue,
    outbox: Outbox<ClientMessage>,
    inbox: Inbox,
    /// The highest number written on the present socket.
    written: u64,
    /// The highest number that an envelope of ours has acknowledged.
    acknowledged: u64,
    calls: Calls,
    account: Option<Account>,
    told: Connection,
    actions: VecDeque<Action>,
}

impl Link {
    /// A link of a configured button, or of page-supplied accounts where `button` is none. `page`
    /// is the address of the embedding page; `seed` is any number that differs between pages.
    pub fn new(button: Option<String>, page: Option<String>, seed: u64) -> Self {
        Link {
            button,
            // A long address is of no use to the server beyond its beginning.
            page: page.map(|page| check::cut(&page, limits::TEXT_OCTETS).to_owned()),
            name: None,
            dropped_at: None,
            socket: Socket::Idle,
            backoff: Backoff::new(seed),
            pace: Pace::default(),
            queue: Queue::default(),
            outbox: Outbox::default(),
            inbox: Inbox::default(),
            written: 0,
            acknowledged: 0,
            calls: Calls::default(),
            account: None,
            told: Connection::default(),
            actions: VecDeque::new(),
        }
    }

    // --- what the page wants ---------------------------------------------------------------

    /// Connects, and stays connected until [`Link::disconnect`].
    pub fn connect(&mut self, now: Duration) {
        if matches!(self.socket, Socket::Idle | Socket::Refused) {
            self.open(now);
        }
    }

    /// Ends all calls, takes the registration back and closes the socket. `reason` says who wants it.
    pub fn disconnect(&mut self, now: Duration, reason: HangupReason) {
        for call in self.calls.numbers() {
            self.hangup(now, call, reason);
        }
        if self.account.is_some() {
            self.unregister(now);
        }
        self.flush(now);
        if self.socket.exists() {
            self.actions.push_back(Action::Close);
        }
        self.socket = Socket::Idle;
        self.forget();
        self.tell(Connection::default());
    }

    /// Whether the network has just changed or come back: connects at once instead of waiting, or
    /// finds out soon whether the present socket still works.
    pub fn network_changed(&mut self, now: Duration) {
        match &mut self.socket {
            Socket::Waiting { .. } => {
                self.backoff.reset();
                self.open(now);
            }
            Socket::Up(up) => {
                up.suspect(now);
                self.ping(now);
            }
            _ => {}
        }
    }

    /// Registers a page-supplied account; it is registered again when the link had to be made anew.
    pub fn register(&mut self, now: Duration, account: Account) {
        if let Err((message, hint)) = account.check() {
            return self.error(ErrorCode::BadMessage, message, hint, None);
        }
        // A page that registers on every "connected" must not register twice on a new link.
        if self.account.as_ref() == Some(&account) && self.queue.has_register() {
            return;
        }
        let message = account.message();
        self.account = Some(account);
        self.enqueue(now, message);
    }

    /// Takes the page's registration back.
    pub fn unregister(&mut self, now: Duration) {
        self.account = None;
        self.queue.drop_register();
        self.enqueue(now, ClientMessage::Unregister);
    }

    /// Starts a call with the browser's `offer`; its number, or none where it was refused (an error
    /// action says why).
    pub fn call(&mut self, now: Duration, plan: Plan, offer: String) -> Option<u32> {
        let refusal = if self.calls.len() >= limits::CALLS_PER_LINK {
            Some((ErrorCode::Limit, "There is already a call", "Hang up first"))
        } else if offer.is_empty() || offer.len() > OFFER_OCTETS {
            Some((
                ErrorCode::BadOffer,
                "The browser's offer has a wrong size",
                "Try another browser",
            ))
        } else {
            plan.check(self.button.is_some())
                .err()
                .map(|(message, hint)| (ErrorCode::BadMessage, message, hint))
        };
        if let Some((code, message, hint)) = refusal {
            self.error(code, message, hint, None);
            return None;
        }
        let call = self.calls.start(now + ANSWER_WITHIN);
        let message = ClientMessage::Call {
            call,
            uri: plan.uri,
            video: plan.video,
            headers: plan.headers,
            offer,
        };
        if !self.enqueue(now, message) {
            self.calls.remove(call);
            return None;
        }
        Some(call)
    }

    /// Hands in a new offer of a living call: ICE restart.
    pub fn restart(&mut self, now: Duration, call: u32, offer: String) {
        if offer.is_empty() || offer.len() > OFFER_OCTETS {
            let message = "The browser's offer has a wrong size";
            self.error(ErrorCode::BadOffer, message, "Call again", Some(call));
        } else if self.calls.find(call).is_some() {
            self.enqueue(now, ClientMessage::Restart { call, offer });
        }
    }

    /// Ends a call. The page sees the end at once; the server learns of it when it can.
    pub fn hangup(&mut self, now: Duration, call: u32, reason: HangupReason) {
        let Some(found) = self.calls.find(call) else { return };
        let cause = match reason {
            HangupReason::NoMicrophone => EndCause::NoMicrophone,
            HangupReason::NoMedia => EndCause::NoMedia,
            HangupReason::PageClosed => EndCause::VisitorLost,
            HangupReason::Visitor if found.was_answered() => EndCause::VisitorHungUp,
            HangupReason::Visitor => EndCause::Cancelled,
        };
        // A call that the server never heard of needs no hang-up.
        if !self.queue.drop_call(call) {
            self.enqueue(now, ClientMessage::Hangup { call, reason });
        }
        self.end(call, cause);
    }

    /// Sends keypad digits, any of `0-9*#A-Da-d`.
    pub fn dtmf(&mut self, now: Duration, call: u32, digits: &str) {
        match check::digits(digits) {
            Err((message, hint)) => self.error(ErrorCode::BadMessage, message, hint, Some(call)),
            Ok(digits) if self.calls.find(call).is_some() => {
                if !self.queue.append_digits(call, &digits) {
                    self.enqueue(now, ClientMessage::Dtmf { call, digits });
                }
            }
            Ok(_) => self.error(ErrorCode::UnknownCall, "There is no such call", "", Some(call)),
        }
    }

    /// Reports what the page measures. A report is worth nothing later, so it is not kept for a
    /// socket to come.
    pub fn quality(&mut self, now: Duration, call: u32, report: QualityReport) {
        if self.socket.is_up() && self.calls.find(call).is_some() && self.queue.is_empty() {
            let report = check::report(report);
            self.enqueue(now, ClientMessage::Quality { call, report });
        }
    }

    // --- what the socket says --------------------------------------------------------------

    /// The socket is open: greets.
    pub fn socket_opened(&mut self, now: Duration) {
        if !matches!(self.socket, Socket::Opening { .. }) {
            return;
        }
        self.socket = Socket::Greeting { until: now + socket::GREETING_WITHIN };
        self.pace = Pace::new(now);
        self.pace.take(now);
        let message = ClientMessage::Hello {
            version: VERSION,
            link: self.name.clone(),
            button: self.button.clone(),
            page: self.page.clone(),
        };
        self.write(0, &message);
    }

    /// A text message came.
    pub fn socket_message(&mut self, now: Duration, text: &str) {
        if self.actions.len() >= ACTIONS || text.len() > limits::MESSAGE_OCTETS {
            return self.drop_socket(now);
        }
        let Some(heard) = Heard::read(text) else { return };
        match &mut self.socket {
            Socket::Up(up) => up.heard(now),
            Socket::Greeting { .. } => return self.greeted(now, heard, text),
            _ => return,
        }
        self.outbox.acknowledged(heard.ack);
        if self.inbox.accept(heard.sequence) {
            self.take(&heard, text);
        } else if heard.sequence > self.inbox.last() {
            // A gap: only a new socket makes the server start again where we are.
            return self.drop_socket(now);
        }
        if self.inbox.last() >= self.acknowledged + ACKNOWLEDGE_AFTER {
            self.ping(now);
        }
        self.flush(now);
    }

    /// The socket has closed or could not be opened.
    pub fn socket_closed(&mut self, now: Duration) {
        if self.socket.exists() {
            self.lose_socket(now);
        }
    }

    // --- time ------------------------------------------------------------------------------

    /// Does what is due.
    pub fn tick(&mut self, now: Duration) {
        match &self.socket {
            Socket::Waiting { until } if now >= *until => self.open(now),
            Socket::Opening { until } | Socket::Greeting { until } if now >= *until => {
                self.drop_socket(now);
            }
            Socket::Up(up) if up.is_silent(now) => self.drop_socket(now),
            Socket::Up(up) if up.ping_at() <= now => self.ping(now),
            _ => {}
        }
        if self.gone_at().is_some_and(|at| now >= at) {
            self.lose_link();
        }
        for call in self.calls.unanswered(now) {
            // What never left the page failed for want of a link, not of media.
            if self.queue.drop_call(call) {
                self.end(call, EndCause::VisitorLost);
            } else {
                self.hangup(now, call, HangupReason::NoMedia);
            }
        }
        self.flush(now);
    }

    /// When [`Link::tick`] is due next, if ever.
    pub fn next_deadline(&self) -> Option<Duration> {
        let paced = (self.socket.is_up() && self.has_more_to_write())
            .then(|| self.pace.next_at())
            .flatten();
        [self.socket.deadline(), self.gone_at(), self.calls.deadline(), paced]
            .into_iter()
            .flatten()
            .min()
    }

    /// The next thing to do outside.
    pub fn poll(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// How many calls live.
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    // --- inside ----------------------------------------------------------------------------

    /// The answer to our Hello.
    fn greeted(&mut self, now: Duration, heard: Heard<'_>, text: &str) {
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
    fn take(&mut self, heard: &Heard<'_>, text: &str) {
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

    fn open(&mut self, now: Duration) {
        self.socket = Socket::Opening { until: now + socket::OPEN_WITHIN };
        self.actions.push_back(Action::Open);
    }

    /// Closes the socket and starts over.
    fn drop_socket(&mut self, now: Duration) {
        if self.socket.exists() {
            self.actions.push_back(Action::Close);
            self.lose_socket(now);
        }
    }

    fn lose_socket(&mut self, now: Duration) {
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
    fn gone_at(&self) -> Option<Duration> {
        self.dropped_at.map(|at| at + limits::LINK_SILENCE + limits::LINK_RESUME)
    }

    /// The link cannot be resumed: ends what the server knew of and numbers anew.
    fn lose_link(&mut self) {
        self.forget();
        for call in self.calls.numbers() {
            if !self.queue.holds_call(call) {
                self.queue.drop_call(call);
                self.end(call, EndCause::VisitorLost);
            }
        }
    }

    fn forget(&mut self) {
        self.name = None;
        self.dropped_at = None;
        self.outbox = Outbox::default();
        self.inbox = Inbox::default();
        self.written = 0;
        self.acknowledged = 0;
    }

    fn refused(&mut self) {
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
    fn end(&mut self, call: u32, cause: EndCause) {
        let Some(Call { video, .. }) = self.calls.remove(call) else { return };
        self.say(ServerMessage::State {
            call,
            direction: Direction::Out,
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
    fn say(&mut self, message: ServerMessage) {
        // Strings and numbers only: this cannot fail.
        if let Ok(text) = serde_json::to_string(&message) {
            self.actions.push_back(Action::Tell(text));
        }
    }

    fn tell(&mut self, connection: Connection) {
        if self.told != connection {
            self.told = connection;
            self.actions.push_back(Action::Connection(connection));
        }
    }

    fn error(&mut self, code: ErrorCode, message: &str, hint: &str, call: Option<u32>) {
        let (message, hint) = (message.to_owned(), hint.to_owned());
        self.say(ServerMessage::Error { code, message, hint, call });
    }

    /// Puts a message in line; false (and an error action) where the line is full.
    fn enqueue(&mut self, now: Duration, message: ClientMessage) -> bool {
        if !self.queue.push(message) {
            let hint = "Check the network connection";
            self.error(ErrorCode::Limit, "Too much waits for the connection", hint, None);
            return false;
        }
        self.flush(now);
        true
    }

    fn ping(&mut self, now: Duration) {
        if let Socket::Up(up) = &mut self.socket {
            up.pinged(now);
            self.pace.take(now);
            self.write(0, &ClientMessage::Ping { at: now.as_secs_f64() * 1000.0 });
        }
    }

    fn has_more_to_write(&self) -> bool {
        !self.queue.is_empty() || self.unwritten().is_some()
    }

    fn unwritten(&self) -> Option<(u64, &ClientMessage)> {
        self.outbox.unacknowledged().find(|(sequence, _)| *sequence > self.written)
    }

    /// Writes what may be written now: first again what the last socket may have lost, then what
    /// is new, as fast as the server's rate limit allows.
    fn flush(&mut self, now: Duration) {
        while self.socket.is_up() && self.has_more_to_write() && self.pace.allows(now) {
            let next = self.unwritten().map(|(sequence, message)| (sequence, message.clone()));
            let (sequence, message) = match next {
                Some(again) => again,
                None => {
                    let Some(message) = self.queue.front().cloned() else { return };
                    // A full outbox waits for acknowledgements; the heartbeat brings them.
                    let Ok(sequence) = self.outbox.push(message.clone()) else { return };
                    self.queue.pop_front();
                    (sequence, message)
                }
            };
            self.pace.take(now);
            self.written = sequence;
            if let Socket::Up(up) = &mut self.socket {
                up.said(now);
            }
            self.write(sequence, &message);
        }
    }

    fn write(&mut self, sequence: u64, message: &ClientMessage) {
        let ack = self.inbox.last();
        self.acknowledged = ack;
        // Strings and numbers only: this cannot fail.
        if let Ok(text) = serde_json::to_string(&Envelope { sequence, ack, message }) {
            self.actions.push_back(Action::Send(text));
        }
    }
}
