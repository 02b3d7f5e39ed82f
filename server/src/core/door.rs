//! The door between the asynchronous world (HTTP, WebSocket, signals) and a shard's thread.
//!
//! In: [`CoreEvent`], a closed list, through a bounded queue and a wake-up of the shard's poll.
//! Out: [`LinkOutput`] through a bounded queue that the WebSocket hub reads. Neither side ever
//! waits for the other: a full queue is an answer ([`CoreBusy`]), not a pause.

use crate::net::resolve;
use base::LinkId;
use signalling::{ClientMessage, ServerMessage};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

/// Events that may wait for a shard.
pub const EVENTS: usize = 4096;
/// Messages to pages that may wait for the hub.
pub const OUTPUTS: usize = 4096;

/// Everything that reaches a shard from outside its own sockets and timers.
#[derive(Debug)]
pub enum CoreEvent {
    /// A page's link has opened, said something, or is gone for good.
    Visitor(Visitor),
    /// A name has been looked up.
    Resolved {
        /// What was asked for.
        question: resolve::Question,
        /// The servers.
        outcome: resolve::Outcome,
    },
    /// A Diffie-Hellman of a Flash client is done.
    KeysAgreed(rtmfp::JobDone),
    /// An ICE-TCP connection has come.
    TcpOpened(TcpPeer),
    /// One RFC 4571 frame of an ICE-TCP connection.
    TcpFrame {
        /// Our end.
        local: SocketAddr,
        /// The browser's end.
        remote: SocketAddr,
        /// The frame without its length.
        payload: Vec<u8>,
    },
    /// An ICE-TCP connection is gone.
    TcpClosed {
        /// The browser's end.
        remote: SocketAddr,
    },
    /// A whole SIP message has come on a connection.
    SipMessage {
        /// TCP or TLS.
        protocol: base::Protocol,
        /// Our end.
        local: SocketAddr,
        /// The peer's end.
        remote: SocketAddr,
        /// The message.
        payload: Vec<u8>,
    },
    /// What became of a SIP connection.
    SipConnection {
        /// TCP or TLS.
        protocol: base::Protocol,
        /// The peer's end.
        remote: SocketAddr,
        /// What.
        connection: sip::Connection,
    },
    /// The operator's or the program's wish.
    Operator(Operator),
}

/// What happens on a link.
#[derive(Debug)]
pub enum Visitor {
    /// A new link; its button and page are checked already.
    Opened {
        /// Its number.
        link: LinkId,
        /// The configured button; none for page-supplied accounts.
        button: Option<String>,
        /// The origin of the page that embeds ours, for the call log.
        page: base::Private<String>,
        /// Where the visitor's socket comes from.
        address: base::Private<IpAddr>,
        /// Whether our page was opened on a loopback or private address, so that candidates on
        /// such addresses can work.
        local_page: bool,
    },
    /// A message, in order, once.
    Message {
        /// The link.
        link: LinkId,
        /// What it says; never `Hello` or `Ping`, which the hub answers.
        message: ClientMessage,
    },
    /// The page did not come back in time, or said good-bye: its calls end.
    Closed {
        /// The link.
        link: LinkId,
    },
}

/// The operator's or the program's wish.
#[derive(Debug)]
pub enum Operator {
    /// A new configuration: for new calls; calls that are up keep what they have.
    Reload(Arc<crate::config::Config>),
    /// No new calls; answer through the watch channel when the last has ended.
    Drain,
    /// End every call and the thread.
    Stop,
}

/// An ICE-TCP connection's outgoing side.
#[derive(Debug)]
pub struct TcpPeer {
    /// Our end.
    pub local: SocketAddr,
    /// The browser's end.
    pub remote: SocketAddr,
    /// Bounded; frames that do not fit are dropped like datagrams.
    pub frames: tokio::sync::mpsc::Sender<Vec<u8>>,
}

/// One message for one page.
#[derive(Debug)]
pub struct LinkOutput {
    /// The link.
    pub link: LinkId,
    /// What to say.
    pub message: ServerMessage,
}

/// The shard's queue is full: whoever asked must say so or drop what it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreBusy;

/// The outer side of the door; cheap to clone.
#[derive(Clone)]
pub struct CoreHandle {
    sender: SyncSender<CoreEvent>,
    waker: Arc<dyn Fn() + Send + Sync>,
    waiting: Arc<AtomicUsize>,
}

impl std::fmt::Debug for CoreHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CoreHandle")
    }
}

/// The inner side of the door.
#[derive(Debug)]
pub struct CoreInbox {
    receiver: Receiver<CoreEvent>,
    waiting: Arc<AtomicUsize>,
}

impl CoreHandle {
    /// Makes a door; `waker` interrupts the shard's poll.
    pub fn new(waker: Arc<dyn Fn() + Send + Sync>) -> (CoreHandle, CoreInbox) {
        let (sender, receiver) = sync_channel(EVENTS);
        let waiting = Arc::new(AtomicUsize::new(0));
        let handle = CoreHandle { sender, waker, waiting: Arc::clone(&waiting) };
        (handle, CoreInbox { receiver, waiting })
    }

    /// Hands an event in without waiting.
    pub fn send(&self, event: CoreEvent) -> Result<(), CoreBusy> {
        self.offer(event).map_err(|_| CoreBusy)
    }

    /// The same; an event that finds no room is given back.
    pub fn offer(&self, event: CoreEvent) -> Result<(), Box<CoreEvent>> {
        match self.sender.try_send(event) {
            Ok(()) => {
                // One wake-up serves all events that wait.
                if self.waiting.fetch_add(1, Ordering::AcqRel) == 0 {
                    (self.waker)();
                }
                Ok(())
            }
            Err(TrySendError::Full(event) | TrySendError::Disconnected(event)) => {
                Err(Box::new(event))
            }
        }
    }
}

impl CoreInbox {
    /// The next event, if one waits.
    pub fn take(&self) -> Option<CoreEvent> {
        let event = self.receiver.try_recv().ok()?;
        self.waiting.fetch_sub(1, Ordering::AcqRel);
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_refuses_instead_of_waiting_and_one_wake_up_serves_many() {
        let wakes = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&wakes);
        let (handle, inbox) = CoreHandle::new(Arc::new(move || {
            counter.fetch_add(1, Ordering::Relaxed);
        }));
        let taken = (0..EVENTS + 10)
            .filter(|_| handle.send(CoreEvent::Operator(Operator::Drain)).is_ok())
            .count();
        assert_eq!(taken, EVENTS);
        assert_eq!(wakes.load(Ordering::Relaxed), 1);
        assert!(inbox.take().is_some());
        assert!(handle.send(CoreEvent::Operator(Operator::Drain)).is_ok());
    }
}
