//! Receiving flows (RFC 7016 section 3.6.3).

use super::delivery::{self, Buffer, Piece, Step};
use super::{FlowId, Order, Sequences};
use crate::chunk::{Chunk, FragmentControl, UserDataFlags};
use crate::packet::PacketWriter;
use crate::session::numbers::{RANGES_MOST, RECEIVE_LINGER, SEQUENCE_MOST, WINDOW_BLOCK};
use crate::session::pool::Pool;
use crate::session::{SessionEvent, SessionSettings, SessionStatistics};
use std::collections::VecDeque;
use std::time::Instant;

/// Where a receiving flow is in its life.
///
/// ```text
///   Open ──the owner rejects it, or an option is not understood──▶ Rejected
///   Open, Rejected ──0 up to the final number received──▶ Complete ──120 s──▶ forgotten
///   Rejected ──nothing for 120 s──▶ forgotten
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReceiveState {
    Open,
    Rejected {
        until: Instant,
    },
    /// RF_COMPLETE_LINGER.
    Complete {
        until: Instant,
    },
}

/// One fragment, from either kind of chunk.
#[derive(Clone, Copy)]
pub(crate) struct Arrival<'a> {
    pub(crate) flags: UserDataFlags,
    pub(crate) sequence: u64,
    /// Nothing up to this number will be sent again.
    pub(crate) forward: u64,
    /// An option that must be understood and is not.
    pub(crate) foreign_option: bool,
    pub(crate) data: &'a [u8],
}

/// What of its session a receiving flow touches.
pub(crate) struct Surroundings<'a> {
    pub(crate) settings: &'a SessionSettings,
    pub(crate) events: &'a mut VecDeque<SessionEvent>,
    pub(crate) pool: &'a mut Pool,
    pub(crate) statistics: &'a mut SessionStatistics,
    /// Octets that all receiving flows of the session hold.
    pub(crate) held: usize,
}

/// One receiving flow.
#[derive(Debug)]
pub(crate) struct ReceiveFlow {
    id: FlowId,
    state: ReceiveState,
    seen: Sequences,
    final_sequence: Option<u64>,
    /// The final number stood for no message.
    final_is_empty: bool,
    buffer: Buffer,
    capacity: usize,
    /// The window sent last, in blocks (PREV_RWND).
    previous_window: Option<u64>,
    should_ack: bool,
    /// The exception code once the flow is rejected.
    rejected: Option<u64>,
    suspended: bool,
    order: Order,
    /// Everything up to here was delivered, or told as a gap.
    delivered: u64,
    /// Numbers beyond `delivered` whose data came; in network order only.
    came: Sequences,
    finished: bool,
}

impl ReceiveFlow {
    pub(crate) fn new(id: FlowId, capacity: usize) -> Self {
        ReceiveFlow {
            id,
            state: ReceiveState::Open,
            seen: Sequences::new(RANGES_MOST),
            final_sequence: None,
            final_is_empty: false,
            buffer: Buffer::default(),
            capacity,
            previous_window: None,
            should_ack: false,
            rejected: None,
            suspended: false,
            order: Order::Original,
            delivered: 0,
            came: Sequences::new(2 * RANGES_MOST),
            finished: false,
        }
    }

    pub(crate) fn id(&self) -> FlowId {
        self.id
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state == ReceiveState::Open
    }

    pub(crate) fn is_complete(&self) -> bool {
        matches!(self.state, ReceiveState::Complete { .. })
    }

    /// When the flow may be forgotten.
    pub(crate) fn until(&self) -> Option<Instant> {
        match self.state {
            ReceiveState::Open => None,
            // Messages that the owner holds back stay until they are delivered.
            ReceiveState::Complete { .. } if !self.finished && self.rejected.is_none() => None,
            ReceiveState::Rejected { until } | ReceiveState::Complete { until } => Some(until),
        }
    }

    /// Octets held, with what each fragment costs beside.
    pub(crate) fn held(&self) -> usize {
        self.buffer.size()
    }

    pub(crate) fn should_ack(&self) -> bool {
        self.should_ack
    }

    /// An acknowledgement is to be sent, as a buffer probe asks for it.
    pub(crate) fn ask_for_ack(&mut self) {
        self.should_ack = true;
    }

    /// Takes a fragment (3.6.3.2); says whether the acknowledgement is due at once.
    pub(crate) fn handle_data(
        &mut self,
        now: Instant,
        arrival: Arrival<'_>,
        around: &mut Surroundings<'_>,
    ) -> bool {
        self.should_ack = true;
        if self.is_open() && arrival.foreign_option {
            self.fail(now, around);
        }
        let mut ack_now = !self.is_open()
            || self.previous_window.is_some_and(|blocks| blocks < 2)
            || arrival.flags.abandon
            || self.seen.has_gaps();
        let beyond = self.final_sequence.is_some_and(|last| arrival.sequence > last);
        if arrival.sequence > SEQUENCE_MOST || beyond {
            around.statistics.malformed += 1;
            return true;
        }
        if let ReceiveState::Rejected { until } = &mut self.state {
            *until = now + RECEIVE_LINGER;
        }
        let duplicate = self.seen.contains(arrival.sequence);
        around.statistics.duplicates += u64::from(duplicate);
        self.seen.insert_up_to(arrival.forward);
        let taken = !duplicate && self.take(&arrival, around);
        if taken && arrival.flags.last && self.final_sequence.is_none() {
            self.final_sequence = Some(arrival.sequence);
            self.final_is_empty = arrival.flags.abandon;
            ack_now = true;
        }
        ack_now |= duplicate || !taken || self.seen.has_gaps();
        self.deliver(now, around);
        ack_now |= self.capacity < self.buffer.size() + WINDOW_BLOCK as usize;
        ack_now | self.complete(now)
    }

    /// Adds a number that is not in the set, and its data to the buffer or, where nothing is in
    /// its way, to the events. False when there is no room: then it stays unacknowledged and is
    /// sent again.
    fn take(&mut self, arrival: &Arrival<'_>, around: &mut Surroundings<'_>) -> bool {
        let number = arrival.sequence;
        if !self.is_open() || arrival.flags.abandon {
            return self.seen.contains(number) || self.seen.insert(number);
        }
        let next = number == self.seen.cumulative() + 1;
        let in_order = self.order == Order::Network || (next && self.buffer.is_empty());
        let direct = !self.suspended
            && in_order
            && arrival.flags.fragment == FragmentControl::Whole
            && self.capacity > 0
            && arrival.data.len() <= around.settings.message_limit;
        if !direct && !self.has_room(next, arrival.data.len(), around) {
            around.statistics.refused_fragments += 1;
            return false;
        }
        if !self.seen.insert(number) {
            around.statistics.refused_fragments += 1;
            return false;
        }
        if self.order == Order::Network {
            self.came.insert(number);
        }
        let data = around.pool.copy(arrival.data);
        if direct {
            self.pass_on(data, number, number, around);
        } else {
            let control = arrival.flags.fragment;
            self.buffer.insert(Piece { sequence: number, control, data });
        }
        true
    }

    /// Whether a fragment may be buffered. The next number in order must be, or the flow could
    /// never move again; for the others there is the flow's capacity and the session's.
    fn has_room(&self, next: bool, length: usize, around: &Surroundings<'_>) -> bool {
        let cost = delivery::cost(length);
        let session = around.held + cost;
        let limit = around.settings.receive_limit;
        let fits = self.buffer.size() + cost <= self.capacity && session <= limit;
        fits || (next && !self.suspended && self.capacity > 0 && session <= 2 * limit)
    }

    /// Delivers what can be delivered, tells gaps and the end (3.6.3.3).
    fn deliver(&mut self, now: Instant, around: &mut Surroundings<'_>) {
        if self.rejected.is_some() || self.suspended {
            return;
        }
        let (mut dropped, limit) = (0, around.settings.message_limit);
        let frontier = loop {
            let cumulative = self.seen.cumulative();
            if self.buffer.is_empty() {
                break cumulative;
            }
            let step = self.buffer.next(self.order, cumulative, limit, &mut dropped, around.pool);
            match step {
                Step::Message(data, from, to) => self.pass_on(data, from, to, around),
                Step::TooLarge => {
                    self.fail(now, around);
                    return;
                }
                Step::Wait(frontier) => break frontier,
            }
        };
        if !self.has_ended() {
            self.tell_gap(frontier, dropped, around);
        } else if !self.finished {
            // What is left can never become a message.
            if self.order == Order::Network {
                dropped += self.buffer.sequences().count() as u64;
            }
            self.buffer.clear(around.pool);
            self.tell_gap(self.seen.cumulative(), dropped, around);
            self.finished = true;
            around.events.push_back(SessionEvent::FlowFinished { flow: self.id });
        }
    }

    /// Whether every number up to the final one was received or given up.
    fn has_ended(&self) -> bool {
        self.final_sequence.is_some_and(|last| self.seen.cumulative() >= last)
    }

    fn pass_on(&mut self, octets: Vec<u8>, from: u64, to: u64, around: &mut Surroundings<'_>) {
        if self.order == Order::Original {
            self.tell_gap(from - 1, 0, around);
            self.delivered = self.delivered.max(to);
        }
        around.statistics.messages_received += 1;
        around.events.push_back(SessionEvent::Message {
            flow: self.id,
            numbers: from..=to,
            octets,
        });
    }

    /// Everything up to `frontier` is settled; what of it was not delivered is a gap.
    fn tell_gap(&mut self, frontier: u64, dropped: u64, around: &mut Surroundings<'_>) {
        let mut missing = dropped;
        if frontier > self.delivered {
            let span = self.delivered + 1..=frontier;
            missing += frontier - self.delivered - self.came.count_in(span.clone());
            if self.final_is_empty && self.final_sequence.is_some_and(|last| span.contains(&last)) {
                missing = missing.saturating_sub(1);
            }
            self.delivered = frontier;
            if self.order == Order::Network {
                self.came.insert_up_to(frontier);
            }
        }
        if missing > 0 {
            around.statistics.gaps += 1;
            around.events.push_back(SessionEvent::Gap { flow: self.id, missing });
        }
    }

    /// Moves on when everything up to the final number was received (3.6.3.8).
    fn complete(&mut self, now: Instant) -> bool {
        if !self.has_ended() || self.is_complete() {
            return false;
        }
        self.state = ReceiveState::Complete { until: now + RECEIVE_LINGER };
        self.should_ack = true;
        true
    }

    /// The owner does not want the flow (3.6.3.7); false when it is over already.
    pub(crate) fn reject(&mut self, now: Instant, code: u64, pool: &mut Pool) -> bool {
        if self.rejected.is_some() || self.finished {
            return false;
        }
        self.rejected = Some(code);
        self.buffer.clear(pool);
        if self.is_open() {
            self.state = ReceiveState::Rejected { until: now + RECEIVE_LINGER };
        }
        self.should_ack = true;
        true
    }

    /// Rejects an open flow for what the far end did, and tells the owner.
    fn fail(&mut self, now: Instant, around: &mut Surroundings<'_>) {
        if self.reject(now, 0, around.pool) {
            around.events.push_back(SessionEvent::FlowFailed { flow: self.id });
        }
    }

    /// Holds messages back, or delivers those that were held.
    pub(crate) fn suspend(&mut self, now: Instant, on: bool, around: &mut Surroundings<'_>) {
        self.suspended = on;
        self.should_ack = true;
        self.deliver(now, around);
    }

    /// Changes the order of delivery; what waits for its turn is delivered.
    pub(crate) fn set_order(&mut self, now: Instant, order: Order, around: &mut Surroundings<'_>) {
        if self.order == order {
            return;
        }
        self.order = order;
        self.came = Sequences::new(2 * RANGES_MOST);
        if order == Order::Network {
            self.came.insert_up_to(self.delivered);
            self.buffer.sequences().for_each(|number| {
                self.came.insert(number);
            });
        }
        self.deliver(now, around);
    }

    /// Changes how many octets may wait.
    pub(crate) fn set_capacity(&mut self, octets: usize) {
        self.capacity = octets;
        self.should_ack = true;
    }

    /// The window to advertise, in blocks (3.6.3.5).
    fn window(&self, held_in_session: usize, settings: &SessionSettings) -> u64 {
        let own = self.capacity.saturating_sub(self.buffer.size());
        let session = settings.receive_limit.saturating_sub(held_in_session);
        let blocks = (own.min(session) as u64).div_ceil(WINDOW_BLOCK);
        // An empty window would stop the very fragments that are missing; and legacy far ends
        // take it for the end of the session.
        let least = settings.legacy || (self.capacity > 0 && !self.suspended);
        blocks.max(u64::from(least))
    }

    /// Writes the acknowledgement, before it the exception when the flow is rejected (3.6.3.4.3).
    /// False when it has no room.
    pub(crate) fn write_ack(
        &mut self,
        writer: &mut PacketWriter<'_>,
        held_in_session: usize,
        truncate: bool,
        settings: &SessionSettings,
    ) -> bool {
        if let Some(code) = self.rejected
            && !writer.put(&Chunk::FlowException { flow: self.id.0, code })
        {
            return false;
        }
        let window = self.window(held_in_session, settings);
        let cumulative = self.seen.cumulative();
        let ranges = self.seen.ranges();
        if !writer.ack_ranges(self.id.0, window, cumulative, ranges, truncate) {
            return false;
        }
        self.should_ack = false;
        self.previous_window = Some(window);
        true
    }

    /// Breaches of what always holds; for tests.
    pub(crate) fn verify(&self) {
        self.buffer.verify();
        assert!(self.seen.ranges().count() <= RANGES_MOST);
        assert!(self.buffer.sequences().all(|number| self.seen.contains(number)));
        assert!(self.rejected.is_none() || self.buffer.is_empty());
        assert!(self.delivered <= self.seen.cumulative().max(self.delivered));
    }
}
