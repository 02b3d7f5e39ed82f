//! An open session: flows, acknowledgements, congestion, keeping alive, moving, closing
//! (RFC 7016 sections 3.5.2 to 3.6 and appendix A).
//!
//! A session works on plain packets; keys and start-up are elsewhere. It is driven by the
//! contract at the top of the `base` crate with [`Session::poll_packet`] for transmits: after
//! each input, packets until `None`, then events until `None`.

mod acks;
mod congestion;
mod fuzz;
mod inbound;
mod keep_alive;
mod mobility;
pub(crate) mod numbers;
mod outbound;
mod phase;
pub(crate) mod pool;
mod round_trip;
mod timing;
mod types;

pub use crate::flow::{FlowId, Order};
pub use fuzz::fuzz_session;
pub use types::{
    CloseCause, KeepAlive, OpenFlow, Role, SendError, SessionCommand, SessionEvent,
    SessionSettings, SessionStatistics,
};

use crate::clock::Clock;
use crate::flow::receive::{ReceiveFlow, Surroundings};
use crate::flow::send::SendFlow;
use acks::AckTimer;
use base::Seed;
use congestion::Congestion;
use keep_alive::Watch;
use mobility::Mobility;
use numbers::{FLOWS_MOST, HELLOS_MOST, LINGERING_MOST, METADATA_LIMIT};
use phase::Phase;
use pool::Pool;
use round_trip::RoundTrip;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Our first flow; Flash-like far ends take this number for the control flow.
const FIRST_FLOW: u64 = 2;
/// No lifetime is longer.
const LONGEST_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// A session between two ends that hold its keys.
pub struct Session {
    role: Role,
    settings: SessionSettings,
    /// Where the far end is (DESTADDR).
    remote: SocketAddr,
    phase: Phase,
    trip: RoundTrip,
    congestion: Congestion,
    watch: Watch,
    mobility: Mobility,
    acks: AckTimer,
    /// Since when nothing was sent or acknowledged: an ERTO later what is in flight counts as lost
    /// (TIMEOUT_ALARM).
    alarm_from: Option<Instant>,
    /// The next place in the order of transmission (NEXT_TSN), and the highest acknowledged.
    transmission: u64,
    transmission_acknowledged: u64,
    senders: Vec<SendFlow>,
    /// Completed sending flows whose identifiers are still taken.
    lingering: VecDeque<(FlowId, Instant)>,
    receivers: Vec<ReceiveFlow>,
    /// Octets that wait in the receiving flows.
    held: usize,
    next_flow: u64,
    /// Where the round of flows of the same rank begins.
    turn: usize,
    ping_replies: VecDeque<Vec<u8>>,
    ping_due: bool,
    /// A Close Acknowledgement waits to be sent.
    close_ack_due: bool,
    hellos: VecDeque<SessionCommand>,
    events: VecDeque<SessionEvent>,
    pool: Pool,
    /// When time-critical data arrived last.
    time_critical_at: Option<Instant>,
    statistics: SessionStatistics,
}

impl Session {
    /// A session whose keys were just agreed on with `remote`.
    pub fn new(
        now: Instant,
        role: Role,
        remote: SocketAddr,
        mut settings: SessionSettings,
        mut seed: Seed,
    ) -> Session {
        settings.flows = settings.flows.min(FLOWS_MOST);
        Session {
            role,
            settings,
            remote,
            phase: Phase::Open,
            trip: RoundTrip::new(Clock::new(now, seed.u32() as u16)),
            congestion: Congestion::new(),
            watch: Watch::new(now, settings.keep_alive),
            mobility: Mobility::new(now, &mut seed),
            acks: AckTimer::default(),
            alarm_from: None,
            transmission: 1,
            transmission_acknowledged: 0,
            senders: Vec::new(),
            lingering: VecDeque::new(),
            receivers: Vec::new(),
            held: 0,
            next_flow: FIRST_FLOW,
            turn: 0,
            ping_replies: VecDeque::new(),
            ping_due: false,
            close_ack_due: false,
            hellos: VecDeque::new(),
            events: VecDeque::new(),
            pool: Pool::default(),
            time_critical_at: None,
            statistics: SessionStatistics::default(),
        }
    }

    /// Its timestamps are of the clock of the startup packets that led to it.
    pub(crate) fn with_clock(mut self, clock: Clock) -> Session {
        self.trip = RoundTrip::new(clock);
        self
    }

    /// Opens a flow to the far end, which learns of it with the first message.
    pub fn open_flow(&mut self, flow: OpenFlow<'_>) -> Result<FlowId, SendError> {
        if self.phase != Phase::Open {
            return Err(SendError::NotOpen);
        }
        if flow.metadata.len() > METADATA_LIMIT {
            return Err(SendError::TooLarge);
        }
        let answers = |id| self.receivers.iter().any(|other| other.id() == id && other.is_open());
        if flow.return_of.is_some_and(|id| !answers(id)) {
            return Err(SendError::NoSuchFlow);
        }
        if self.senders.len() >= self.settings.flows {
            self.statistics.beyond_bounds += 1;
            return Err(SendError::Full);
        }
        // Identifiers are not used twice, so none is taken by a flow that lingers.
        let id = FlowId(self.next_flow);
        self.next_flow += 1;
        self.senders.push(SendFlow::new(id, &flow, self.settings.legacy));
        Ok(id)
    }

    /// Queues a message. After `lifetime` without acknowledgement it is given up.
    pub fn send(
        &mut self,
        now: Instant,
        flow: FlowId,
        message: &[u8],
        lifetime: Option<Duration>,
    ) -> Result<(), SendError> {
        if self.phase != Phase::Open {
            return Err(SendError::NotOpen);
        }
        if message.len() > self.settings.message_limit {
            return Err(SendError::TooLarge);
        }
        let Some(sender) = self.senders.iter_mut().find(|sender| sender.id() == flow) else {
            return Err(SendError::NoSuchFlow);
        };
        self.statistics.abandoned += sender.expire(now, &mut self.pool);
        let expires_at = lifetime.map(|lifetime| now + lifetime.min(LONGEST_LIFETIME));
        let sizes = (self.settings.packet_limit, self.settings.send_buffer);
        let result = sender.queue(now, message, expires_at, sizes, &mut self.pool);
        self.statistics.messages_sent += u64::from(result.is_ok());
        self.statistics.messages_refused += u64::from(result == Err(SendError::Full));
        sender.update_probe(now, self.trip.timeout());
        result
    }

    /// Does what the owner wants.
    pub fn command(&mut self, now: Instant, command: SessionCommand) {
        if self.phase != Phase::Open {
            return;
        }
        match command {
            SessionCommand::Send { flow, message, lifetime } => {
                // A refusal is counted, and told as `Writable` later.
                let _ = self.send(now, flow, &message, lifetime);
                self.pool.give(message);
            }
            SessionCommand::AnnounceFlow { flow } => {
                if let Some(sender) = self.senders.iter_mut().find(|sender| sender.id() == flow) {
                    sender.announce(now);
                }
            }
            SessionCommand::CloseFlow { flow } => {
                if let Some(sender) = self.senders.iter_mut().find(|sender| sender.id() == flow) {
                    sender.close(now);
                }
            }
            SessionCommand::RejectFlow { flow, code } => {
                let pool = &mut self.pool;
                let receiver = self.receivers.iter_mut().find(|receiver| receiver.id() == flow);
                if receiver.is_some_and(|receiver| receiver.reject(now, code, pool)) {
                    self.acks.hurry();
                }
                self.held = self.receivers.iter().map(ReceiveFlow::held).sum();
            }
            SessionCommand::SetOrder { flow, order } => {
                self.with_receiver(flow, |receiver, around| receiver.set_order(now, order, around));
            }
            SessionCommand::SetReceiveBuffer { flow, octets } => {
                self.with_receiver(flow, |receiver, _| receiver.set_capacity(octets));
                self.acks.hurry();
            }
            SessionCommand::SuspendFlow { flow } => {
                self.with_receiver(flow, |receiver, around| receiver.suspend(now, true, around));
                self.acks.hurry();
            }
            SessionCommand::ResumeFlow { flow } => {
                self.with_receiver(flow, |receiver, around| receiver.suspend(now, false, around));
                self.acks.hurry();
            }
            SessionCommand::KeepAlive(keep) => self.watch.configure(keep),
            SessionCommand::ForwardHello { .. } => {
                if self.hellos.len() < HELLOS_MOST {
                    self.hellos.push_back(command);
                } else {
                    self.statistics.beyond_bounds += 1;
                }
            }
            SessionCommand::Close { orderly } => {
                self.close_ack_due = !orderly;
                let phase = if orderly { Phase::near_close(now) } else { Phase::Closed };
                self.leave(phase, CloseCause::Local);
            }
        }
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        self.events.pop_front()
    }

    /// Gives the buffer of a delivered message back, so that the next one needs no new one.
    pub fn recycle(&mut self, octets: Vec<u8>) {
        self.pool.give(octets);
    }

    /// Whether nothing more will come of the session, lingering included.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::Closed && !self.close_ack_due
    }

    /// Whether flows exist and messages go.
    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Where the far end is.
    pub fn remote(&self) -> SocketAddr {
        self.remote
    }

    /// When time-critical data arrived last; the other sessions of the endpoint then ask their
    /// far ends for restraint.
    pub fn time_critical_received_at(&self) -> Option<Instant> {
        self.time_critical_at
    }

    /// When time-critical data was sent last; to be told to the other sessions of the endpoint.
    pub fn time_critical_sent_at(&self) -> Option<Instant> {
        self.congestion.time_critical_sent_at()
    }

    /// Another session of the endpoint sent time-critical data (A.2).
    pub fn note_time_critical_sent(&mut self, at: Instant) {
        self.congestion.note_time_critical(at);
    }

    /// How long the oldest message of one of our flows has waited to be acknowledged.
    pub fn queue_age(&self, now: Instant, flow: FlowId) -> Option<Duration> {
        let sender = self.senders.iter().find(|sender| sender.id() == flow)?;
        sender.oldest().map(|at| now.saturating_duration_since(at))
    }

    /// Counts and measures.
    pub fn statistics(&self) -> SessionStatistics {
        SessionStatistics {
            round_trip: self.trip.smoothed(),
            round_trip_variance: self.trip.variance(),
            timeout: self.trip.timeout(),
            congestion_window: self.congestion.window(),
            outstanding: self.outstanding(),
            held: self.held,
            ..self.statistics
        }
    }

    /// Octets held in queues, buffers and kept for use again: what the session's memory depends
    /// on.
    pub fn memory(&self) -> usize {
        let queued: usize = self.senders.iter().map(SendFlow::queued).sum();
        queued + self.held + self.pool.held()
    }

    /// Octets of user data in the network (S_OUTSTANDING_BYTES).
    fn outstanding(&self) -> u64 {
        self.senders.iter().map(SendFlow::outstanding).sum()
    }

    /// Leaves the open phase: flows are gone at once, and the owner is told.
    fn leave(&mut self, phase: Phase, cause: CloseCause) {
        if self.phase == Phase::Open {
            self.senders = Vec::new();
            self.lingering = VecDeque::new();
            self.receivers = Vec::new();
            self.held = 0;
            self.acks.clear();
            self.alarm_from = None;
            self.ping_replies.clear();
            self.ping_due = false;
            self.hellos.clear();
            self.mobility.take();
            self.pool.clear();
            self.events.push_back(SessionEvent::Closed { cause });
        }
        self.phase = phase;
    }

    /// Lets one receiving flow work with what it needs of the session.
    fn with_receiver<T>(
        &mut self,
        flow: FlowId,
        act: impl FnOnce(&mut ReceiveFlow, &mut Surroundings<'_>) -> T,
    ) -> Option<T> {
        let receiver = self.receivers.iter_mut().find(|receiver| receiver.id() == flow)?;
        let mut around = Surroundings {
            settings: &self.settings,
            events: &mut self.events,
            pool: &mut self.pool,
            statistics: &mut self.statistics,
            held: self.held,
        };
        let before = receiver.held();
        let result = act(receiver, &mut around);
        self.held = self.held + receiver.held() - before;
        Some(result)
    }

    /// Moves sending flows that are complete to those that linger, and tells what has room again.
    fn settle(&mut self, now: Instant) {
        let timeout = self.trip.timeout();
        for sender in &mut self.senders {
            sender.update_probe(now, timeout);
            if sender.take_writable(self.settings.send_buffer) {
                self.events.push_back(SessionEvent::Writable { flow: sender.id() });
            }
        }
        while let Some(at) = self.senders.iter().position(SendFlow::is_complete) {
            let sender = self.senders.remove(at);
            if !sender.was_rejected() {
                self.events.push_back(SessionEvent::FlowDelivered { flow: sender.id() });
            }
            if self.lingering.len() >= LINGERING_MOST {
                self.lingering.pop_front();
            }
            self.lingering.push_back((sender.id(), now + numbers::SEND_LINGER));
        }
    }

    /// Panics unless what always holds does hold; for tests.
    pub fn verify(&self) {
        self.senders.iter().for_each(SendFlow::verify);
        self.receivers.iter().for_each(ReceiveFlow::verify);
        assert_eq!(self.held, self.receivers.iter().map(ReceiveFlow::held).sum::<usize>());
        assert!(self.senders.len() <= self.settings.flows);
        let open = self.receivers.iter().filter(|receiver| !receiver.is_complete()).count();
        assert!(open <= self.settings.flows);
        assert!(self.receivers.len() <= self.settings.flows + numbers::RECEIVE_LINGERING_MOST);
        assert!(self.phase == Phase::Open || (self.senders.is_empty() && self.held == 0));
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (ours, theirs) = (self.senders.len(), self.receivers.len());
        write!(f, "Session({:?}, {:?}, {ours} and {theirs} flows)", self.role, self.phase)
    }
}
