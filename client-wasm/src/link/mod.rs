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
mod inside;
mod pace;
mod queue;
mod socket;

pub use action::{Action, Connection};
pub use check::{Account, Plan};

use backoff::Backoff;
use calls::Calls;
use heard::Heard;
use pace::Pace;
use queue::Queue;
use signalling::{
    ClientMessage, EndCause, ErrorCode, HangupReason, Inbox, Outbox, QualityReport, VERSION, limits,
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

    /// Takes a call that came in, with the browser's `offer`; false where it was refused (an error
    /// action says why).
    pub fn answer(&mut self, now: Duration, call: u32, video: bool, offer: String) -> bool {
        if !self.has_size(call, &offer) {
            return false;
        }
        if !self.calls.take(call, now + ANSWER_WITHIN) {
            self.unknown(call, "There is no such call to answer");
            return false;
        }
        self.enqueue(now, ClientMessage::Answer { call, video, offer })
    }

    /// Hands in a new offer of a living call: ICE restart.
    pub fn restart(&mut self, now: Duration, call: u32, offer: String) {
        if self.has_size(call, &offer) && self.calls.find(call).is_some() {
            self.enqueue(now, ClientMessage::Restart { call, offer });
        }
    }

    fn has_size(&mut self, call: u32, offer: &str) -> bool {
        let fits = (1..=OFFER_OCTETS).contains(&offer.len());
        if !fits {
            let message = "The browser's offer has a wrong size";
            self.error(ErrorCode::BadOffer, message, "Call again", Some(call));
        }
        fits
    }

    fn unknown(&mut self, call: u32, message: &str) {
        self.error(ErrorCode::UnknownCall, message, "", Some(call));
    }

    /// Puts the far end of a call on hold, or takes it back. The new state is the server's to tell.
    pub fn hold(&mut self, now: Duration, call: u32, on: bool) {
        let wish = if on { ClientMessage::Hold { call } } else { ClientMessage::Resume { call } };
        self.ask(now, call, wish);
    }

    /// Sends the far end of a call to another address.
    pub fn transfer(&mut self, now: Duration, call: u32, uri: String) {
        match check::target(&uri) {
            Ok(()) => self.ask(now, call, ClientMessage::Transfer { call, uri }),
            Err((message, hint)) => self.error(ErrorCode::BadMessage, message, hint, Some(call)),
        }
    }

    /// Connects the far ends of two calls; that of `call` takes our place in `other`.
    pub fn join(&mut self, now: Duration, call: u32, other: u32) {
        let answered = |other| self.calls.find(other).is_some_and(calls::Call::was_answered);
        if call == other {
            let message = "A call cannot be joined to itself";
            let hint = "Name another call by toCallId";
            self.error(ErrorCode::BadMessage, message, hint, Some(call));
        } else if answered(other) {
            self.ask(now, call, ClientMessage::Join { call, other });
        } else {
            self.unknown(call, "There is no such call to join to that was answered");
        }
    }

    /// Asks for something that only an answered call has.
    fn ask(&mut self, now: Duration, call: u32, wish: ClientMessage) {
        if self.calls.find(call).is_some_and(calls::Call::was_answered) {
            self.enqueue(now, wish);
        } else {
            self.unknown(call, "There is no such call that was answered");
        }
    }

    /// Ends a call. The page sees the end at once; the server learns of it when it can.
    pub fn hangup(&mut self, now: Duration, call: u32, reason: HangupReason) {
        let Some(found) = self.calls.find(call) else { return };
        let cause = match reason {
            HangupReason::NoMicrophone => EndCause::NoMicrophone,
            HangupReason::NoMedia => EndCause::NoMedia,
            HangupReason::PageClosed => EndCause::VisitorLost,
            HangupReason::Rejected => EndCause::Declined,
            HangupReason::Visitor if found.was_answered() => EndCause::VisitorHungUp,
            HangupReason::Visitor if found.rings_here() => EndCause::Declined,
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
            Ok(_) => self.unknown(call, "There is no such call"),
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
}
