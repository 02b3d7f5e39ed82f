//! The table of links: which pages there are, what each has not yet acknowledged, and how long it
//! may stay away. No clock, no socket, no lock: time is an argument, sockets are queues.
//!
//! ```text
//!             open                    socket gone, silent or too slow
//!  (nothing) ------> attached -----------------------------------------> waiting
//!                     ^    |                                              |   |
//!                     |    | protocol broken,                 resume      |   |
//!                     |    | outbox full           +----------------------+   |
//!                     |    v                       |                          | LINK_RESUME over,
//!                     |  (gone: Visitor::Closed) <-|--------------------------+ or GOODBYE after
//!                     +----------------------------+                            a good-bye
//! ```
//!
//! A resume while attached takes the link over: the older socket's queue is dropped, which ends it.

use super::check;
use crate::allowance::Allowance;
use crate::core::door::{CoreBusy, CoreEvent, CoreHandle, Visitor};
use crate::crowd::Seat;
use base::{LinkId, Private, Seed};
use sha2::{Digest as _, Sha256};
use signalling::{
    ButtonInfo, ClientMessage, Envelope, ErrorCode, Inbox, Outbox, ServerMessage, VERSION, limits,
};
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long a link waits after its page has said good-bye: a page that was only put aside by the
/// browser may be back at once.
pub(super) const GOODBYE: Duration = Duration::from_secs(1);
/// Letters in a link's name, about 165 bits.
const TOKEN_LETTERS: usize = 32;
/// Texts that wait for one socket: everything that a resume sends again, and a little more. A
/// reader that is slower loses its socket, not its link.
pub(super) const QUEUE: usize = limits::OUTBOX_MESSAGES + 32;

/// Texts on their way to a socket. When it is dropped the socket ends.
pub(super) type Queue = mpsc::Sender<String>;

/// What is known of a new page.
#[derive(Debug)]
pub(super) struct Page {
    pub button: Option<String>,
    pub info: Option<ButtonInfo>,
    /// The origin of the embedding page, empty where there is none.
    pub origin: Private<String>,
    pub address: Private<IpAddr>,
    pub local_page: bool,
    pub seat: Seat,
}

/// One socket's hold on its link; it is stale once another socket has taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hold {
    pub link: LinkId,
    socket: u64,
}

/// What becomes of a socket after a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on.
    Fine,
    /// It ends; the link waits for another.
    CloseSocket,
    /// It ends for having said too much; the link waits for another.
    TooFast,
    /// The page broke the protocol; its link is gone.
    LinkGone,
}

#[derive(Debug)]
enum State {
    Attached { socket: u64, queue: Queue },
    Waiting { until: Instant },
}

#[derive(Debug)]
struct Link {
    token: TokenHash,
    button: Option<String>,
    info: Option<ButtonInfo>,
    state: State,
    outbox: Outbox<ServerMessage>,
    inbox: Inbox,
    allowance: Allowance,
    _seat: Seat,
}

/// Only a hash of a link's name is kept: looking it up takes no time that tells about the name.
type TokenHash = [u8; 32];

fn hash(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

/// All links of the process.
#[derive(Debug)]
pub(super) struct Links {
    links: HashMap<LinkId, Link>,
    names: HashMap<TokenHash, LinkId>,
    /// Links whose end the shard has not been told yet: its queue was full.
    ended: Vec<LinkId>,
    /// No link's wait is over before this: saves a look at all of them after each message.
    wake_at: Option<Instant>,
    next_link: u64,
    next_socket: u64,
    seed: Seed,
    core: CoreHandle,
}

impl Links {
    pub fn new(seed: Seed, core: CoreHandle) -> Links {
        Links {
            links: HashMap::new(),
            names: HashMap::new(),
            ended: Vec::new(),
            wake_at: None,
            next_link: 1,
            next_socket: 1,
            seed,
            core,
        }
    }

    /// Links that are attached or may come back.
    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// Opens a link and greets its page.
    pub fn open(&mut self, now: Instant, page: Page, queue: Queue) -> Result<Hold, CoreBusy> {
        let link = LinkId(self.next_link);
        self.core.send(CoreEvent::Visitor(Visitor::Opened {
            link,
            button: page.button.clone(),
            page: page.origin,
            address: page.address,
            local_page: page.local_page,
        }))?;
        self.next_link += 1;
        let token = self.seed.token(TOKEN_LETTERS);
        let socket = self.new_socket();
        let welcome = ServerMessage::Welcome {
            version: VERSION,
            link: token.clone(),
            resumed: false,
            button: page.info.clone(),
        };
        // A fresh queue has room.
        let _ = queue.try_send(unnumbered(0, welcome));
        self.names.insert(hash(&token), link);
        self.links.insert(
            link,
            Link {
                token: hash(&token),
                button: page.button,
                info: page.info,
                state: State::Attached { socket, queue },
                outbox: Outbox::default(),
                inbox: Inbox::default(),
                allowance: Allowance::new(now),
                _seat: page.seat,
            },
        );
        Ok(Hold { link, socket })
    }

    /// Puts a new socket on an old link: greets, then says again what the page has not seen. None
    /// where no such link waits or where it belongs to another button.
    pub fn resume(
        &mut self,
        token: &str,
        button: Option<&str>,
        ack: u64,
        queue: Queue,
    ) -> Option<Hold> {
        let id = *self.names.get(&hash(token))?;
        let socket = self.new_socket();
        let link = self.links.get_mut(&id)?;
        if link.button.as_deref() != button {
            return None;
        }
        link.outbox.acknowledged(ack);
        let welcome = ServerMessage::Welcome {
            version: VERSION,
            link: token.to_owned(),
            resumed: true,
            button: link.info.clone(),
        };
        let ack = link.inbox.last();
        let again = link
            .outbox
            .unacknowledged()
            .map(|(sequence, message)| text(&Envelope { sequence, ack, message: message.clone() }));
        for text in std::iter::once(unnumbered(ack, welcome)).chain(again) {
            // A queue holds a full outbox and more.
            let _ = queue.try_send(text);
        }
        link.state = State::Attached { socket, queue };
        Some(Hold { link: id, socket })
    }

    fn new_socket(&mut self) -> u64 {
        self.next_socket += 1;
        self.next_socket
    }

    /// The link that this socket holds, unless another socket has taken over.
    fn held(&mut self, hold: Hold) -> Option<&mut Link> {
        self.links.get_mut(&hold.link).filter(
            |link| matches!(link.state, State::Attached { socket, .. } if socket == hold.socket),
        )
    }

    /// Takes what a page has said.
    pub fn received(
        &mut self,
        now: Instant,
        hold: Hold,
        envelope: Envelope<ClientMessage>,
    ) -> Verdict {
        let core = self.core.clone();
        let Some(link) = self.held(hold) else { return Verdict::CloseSocket };
        if !link.allowance.take(now) {
            link.say_once(error(ErrorCode::Limit, "too many messages", "slow down", None));
            return Verdict::TooFast;
        }
        link.outbox.acknowledged(envelope.ack);
        let Envelope { sequence, message, .. } = envelope;
        if let ClientMessage::Ping { at } = message {
            link.say_once(ServerMessage::Pong { at });
            return Verdict::Fine;
        }
        let last = link.inbox.last();
        if sequence != 0 && sequence <= last {
            // Sent again because our acknowledgement was lost with the socket.
            return Verdict::Fine;
        }
        let gap = sequence > last + 1;
        if gap || matches!(message, ClientMessage::Hello { .. }) {
            let words = if gap { "a message is missing" } else { "a second greeting" };
            return self.broken(hold, words);
        }
        if let Err(words) = check::message(&message) {
            link.inbox.accept(sequence);
            let call = check::call_of(&message);
            let answer = error(ErrorCode::BadMessage, words, "reload the page", call);
            self.send(now, hold.link, answer);
            return Verdict::Fine;
        }
        let event = CoreEvent::Visitor(Visitor::Message { link: hold.link, message });
        match core.send(event) {
            Ok(()) => {
                link.inbox.accept(sequence);
                Verdict::Fine
            }
            // Not taken, so not acknowledged: the page says it again on its next socket.
            Err(CoreBusy) => Verdict::CloseSocket,
        }
    }

    /// Ends a link whose page breaks the protocol: on a resume it would only do so again.
    pub fn broken(&mut self, hold: Hold, words: &str) -> Verdict {
        if let Some(link) = self.held(hold) {
            let answer = error(ErrorCode::BadMessage, words, "reload the page", None);
            link.say_once(answer);
            self.end(hold.link);
        }
        Verdict::LinkGone
    }

    /// Says something to a page, now or when it is back. An unknown link is one that has ended.
    pub fn send(&mut self, now: Instant, id: LinkId, message: ServerMessage) {
        let Some(link) = self.links.get_mut(&id) else { return };
        let Ok(sequence) = link.outbox.push(message.clone()) else {
            // A page that acknowledges nothing can't be served.
            return self.end(id);
        };
        let text = text(&Envelope { sequence, ack: link.inbox.last(), message });
        link.say(now, text);
        if let State::Waiting { until } = link.state {
            self.wake(until);
        }
    }

    /// Notes that a link waits until then.
    fn wake(&mut self, until: Instant) {
        self.wake_at = Some(self.wake_at.map_or(until, |at| at.min(until)));
    }

    /// A socket is gone; its link waits, after a good-bye only for a moment.
    pub fn left(&mut self, now: Instant, hold: Hold, goodbye: bool) {
        if let Some(link) = self.held(hold) {
            let until = now + if goodbye { GOODBYE } else { limits::LINK_RESUME };
            link.state = State::Waiting { until };
            self.wake(until);
        }
    }

    /// Ends every link whose page has not come back in time.
    pub fn expire(&mut self, now: Instant) {
        let late = |link: &Link| matches!(link.state, State::Waiting { until } if until <= now);
        let over: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| late(link)).map(|(id, _)| *id).collect();
        for id in over {
            self.end(id);
        }
        self.report_ended();
        let waits = self.links.values().filter_map(|link| match link.state {
            State::Waiting { until } => Some(until),
            State::Attached { .. } => None,
        });
        self.wake_at = waits.min();
    }

    /// When [`Links::expire`] has something to do.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        if !self.ended.is_empty() {
            return Some(now + Duration::from_millis(50));
        }
        self.wake_at
    }

    /// Ends every link: the program stops.
    pub fn end_all(&mut self) {
        let all: Vec<LinkId> = self.links.keys().copied().collect();
        for id in all {
            self.end(id);
        }
    }

    fn end(&mut self, id: LinkId) {
        if let Some(link) = self.links.remove(&id) {
            self.names.remove(&link.token);
            self.ended.push(id);
        }
        self.report_ended();
    }

    /// Tells the shard; what its queue refuses is told later, never lost.
    fn report_ended(&mut self) {
        let core = &self.core;
        self.ended
            .retain(|link| core.send(CoreEvent::Visitor(Visitor::Closed { link: *link })).is_err());
    }
}

impl Link {
    /// Hands a text to the socket, if there is one. A socket whose queue is full reads too slowly
    /// and is let go.
    fn say(&mut self, now: Instant, text: String) {
        if let State::Attached { queue, .. } = &self.state
            && queue.try_send(text).is_err()
        {
            self.state = State::Waiting { until: now + limits::LINK_RESUME };
        }
    }

    /// The same for what is not numbered: it is never said again, so a full queue loses it.
    fn say_once(&self, message: ServerMessage) {
        if let State::Attached { queue, .. } = &self.state {
            let _ = queue.try_send(unnumbered(self.inbox.last(), message));
        }
    }
}

/// An error for a page.
pub(super) fn error(
    code: ErrorCode,
    message: &str,
    hint: &str,
    call: Option<u32>,
) -> ServerMessage {
    ServerMessage::Error { code, message: message.into(), hint: hint.into(), call }
}

/// A message that is said once, as text.
pub(super) fn unnumbered(ack: u64, message: ServerMessage) -> String {
    text(&Envelope { sequence: 0, ack, message })
}

fn text(envelope: &Envelope<ServerMessage>) -> String {
    // Plain data with text keys always has a JSON form.
    serde_json::to_string(envelope).unwrap_or_default()
}

#[cfg(test)]
#[path = "links_tests.rs"]
mod tests;
