//! Sending flows (RFC 7016 section 3.6.2).

use super::FlowId;
use super::probe::Probe;
use super::queue::{Acknowledged, Budget, Fragment};
use crate::chunk::{Chunk, FragmentControl, NextUserData, UserData, UserDataFlags};
use crate::option;
use crate::packet::PacketWriter;
use crate::params::{CHUNK_HEADER, PACKET_HEADER, user_option};
use crate::session::numbers::{FRAGMENTS_MOST, NAKS_OF_A_LOSS, WINDOW_BLOCK, WINDOW_INITIAL};
use crate::session::{OpenFlow, SendError, pool::Pool};
use crate::vlu;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How often a far end is told to move on before the flow stops to insist.
const FORWARD_TRIES: u8 = 3;

/// Where a sending flow is in its life.
///
/// ```text
///   Open ──close, or exception from the far end──▶ Closing
///   Closing ──all numbers up to the final one acknowledged──▶ complete: it leaves the table,
///             its identifier lingers for 130 s (F_COMPLETE_LINGER)
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SendState {
    Open,
    Closing,
}

/// One sending flow.
#[derive(Debug)]
pub(crate) struct SendFlow {
    id: FlowId,
    /// The start-up options with their Marker, until an acknowledgement came.
    options: Vec<u8>,
    time_critical: bool,
    priority: u8,
    /// The far end moves over a gap only when each number is given up explicitly.
    legacy: bool,
    state: SendState,
    queue: VecDeque<Fragment>,
    outstanding: u64,
    /// The advertised window in octets (RX_BUFFER_SIZE).
    window: u64,
    next_sequence: u64,
    final_sequence: Option<u64>,
    exception: bool,
    /// Everything up to here is acknowledged.
    cumulative: u64,
    forward_tries: u8,
    /// Octets of messages in the queue.
    queued: usize,
    /// No message expires before this.
    expires_at: Option<Instant>,
    probe: Probe,
    /// A message was refused since the queue was last low.
    refused: bool,
}

impl SendFlow {
    pub(crate) fn new(id: FlowId, open: &OpenFlow<'_>, legacy: bool) -> Self {
        let mut options = Vec::new();
        option::put(&mut options, user_option::METADATA, open.metadata);
        if let Some(flow) = open.return_of {
            let mut value = Vec::with_capacity(vlu::LONGEST);
            vlu::put(&mut value, flow.0);
            option::put(&mut options, user_option::RETURN_FLOW, &value);
        }
        option::put_marker(&mut options);
        SendFlow {
            id,
            options,
            time_critical: open.time_critical,
            priority: open.priority,
            legacy,
            state: SendState::Open,
            queue: VecDeque::new(),
            outstanding: 0,
            window: WINDOW_INITIAL,
            next_sequence: 1,
            final_sequence: None,
            exception: false,
            cumulative: 0,
            forward_tries: 0,
            queued: 0,
            expires_at: None,
            probe: Probe::default(),
            refused: false,
        }
    }

    pub(crate) fn id(&self) -> FlowId {
        self.id
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state == SendState::Open
    }

    /// Whether the far end refused the flow.
    pub(crate) fn was_rejected(&self) -> bool {
        self.exception
    }

    /// Time-critical flows go first, then those of higher priority.
    pub(crate) fn rank(&self) -> (bool, u8) {
        (self.time_critical, self.priority)
    }

    pub(crate) fn is_time_critical(&self) -> bool {
        self.time_critical
    }

    pub(crate) fn outstanding(&self) -> u64 {
        self.outstanding
    }

    /// Octets that wait or are under way.
    pub(crate) fn queued(&self) -> usize {
        self.queued
    }

    /// How long the oldest message that is not given up has waited.
    pub(crate) fn oldest(&self) -> Option<Instant> {
        self.queue.iter().find(|entry| !entry.abandoned).map(|entry| entry.queued_at)
    }

    /// Whether every number including the final one is acknowledged.
    pub(crate) fn is_complete(&self) -> bool {
        self.state == SendState::Closing && self.queue.is_empty()
    }

    /// Octets of a fragment that always has room in a packet of `limit` octets (3.6.2.2).
    fn fragment_room(&self, limit: usize) -> usize {
        let number = self.next_sequence;
        let head = UserData::overhead(self.id.0, number, number) + self.options.len();
        limit.saturating_sub(PACKET_HEADER + CHUNK_HEADER + head).max(1)
    }

    /// Queues a message (3.6.2.2).
    pub(crate) fn queue(
        &mut self,
        now: Instant,
        message: &[u8],
        expires_at: Option<Instant>,
        (packet_limit, buffer): (usize, usize),
        pool: &mut Pool,
    ) -> Result<(), SendError> {
        if self.state != SendState::Open {
            return Err(SendError::NoSuchFlow);
        }
        let room = self.fragment_room(packet_limit);
        let count = message.len().div_ceil(room).max(1);
        // A message larger than the buffer goes when nothing else waits.
        let full = self.queued > 0 && self.queued + message.len() > buffer;
        if full || self.queue.len() + count > FRAGMENTS_MOST {
            self.refused = true;
            return Err(SendError::Full);
        }
        for (index, data) in message.chunks(room).chain(none_if(message.is_empty())).enumerate() {
            let control = match (index == 0, index + 1 == count) {
                (true, true) => FragmentControl::Whole,
                (true, false) => FragmentControl::Begin,
                (false, true) => FragmentControl::End,
                (false, false) => FragmentControl::Middle,
            };
            let mut entry = Fragment::new(now, self.next_sequence, control);
            entry.data = pool.copy(data);
            entry.expires_at = expires_at;
            self.queue.push_back(entry);
            self.next_sequence += 1;
        }
        self.queued += message.len();
        self.forward_tries = 0;
        self.expires_at = [self.expires_at, expires_at].into_iter().flatten().min();
        Ok(())
    }

    /// Begins the flow at the far end though there is no data yet (3.6.2.1).
    pub(crate) fn announce(&mut self, now: Instant) {
        if self.next_sequence == 1 {
            self.queue.push_back(Fragment::placeholder(now, 1));
            self.next_sequence = 2;
        }
    }

    /// Gives up messages whose time is over; says how many fragments (3.6.2.7).
    pub(crate) fn expire(&mut self, now: Instant, pool: &mut Pool) -> u64 {
        if self.expires_at.is_none_or(|at| at > now) {
            return 0;
        }
        let count = self.abandon(pool, |entry| entry.expires_at.is_some_and(|at| at <= now));
        let later = self.queue.iter().filter(|entry| !entry.abandoned);
        self.expires_at = later.filter_map(|entry| entry.expires_at).min();
        count
    }

    /// Fragments of one message share what `which` looks at, so they are given up together.
    fn abandon(&mut self, pool: &mut Pool, which: impl Fn(&Fragment) -> bool) -> u64 {
        let mut count = 0;
        for entry in &mut self.queue {
            if !entry.abandoned && which(entry) {
                entry.abandoned = true;
                self.queued -= entry.data.len();
                pool.give(std::mem::take(&mut entry.data));
                count += 1;
            }
        }
        if count > 0 {
            self.trim();
        }
        count
    }

    /// When messages may have to be given up.
    pub(crate) fn expires_at(&self) -> Option<Instant> {
        self.expires_at
    }

    /// Drops abandoned entries from the front: the forward sequence number of what is sent next
    /// covers them. When nothing else is about to be sent, the last of them stays, to go as an
    /// update of its own (3.6.2.7.1).
    fn trim(&mut self) {
        // Legacy far ends need each number given up explicitly.
        if self.legacy && !self.exception {
            return;
        }
        let others = (1..self.queue.len()).any(|at| self.is_eligible(at));
        while let (Some(first), Some(second)) = (self.queue.front(), self.queue.get(1)) {
            let covered = others || (second.abandoned && !second.in_flight);
            if !first.abandoned || first.in_flight || !covered {
                return;
            }
            self.queue.pop_front();
        }
    }

    /// The forward sequence number: nothing up to it will be sent again (3.6.2.3).
    fn forward_sequence(&self) -> u64 {
        match self.queue.front() {
            None => self.next_sequence.saturating_sub(1),
            Some(first) if !first.abandoned || (first.in_flight && !first.sent_abandoned) => {
                first.sequence.saturating_sub(1)
            }
            Some(first) => first.sequence,
        }
    }

    fn window_is_open(&self) -> bool {
        self.exception || self.window > self.outstanding
    }

    fn is_eligible(&self, at: usize) -> bool {
        self.queue.get(at).is_some_and(|entry| {
            !entry.in_flight
                && (!entry.abandoned
                    || at == 0
                    || (self.legacy && !self.exception)
                    || Some(entry.sequence) == self.final_sequence)
        })
    }

    /// Whether something could be sent as far as the flow is concerned.
    pub(crate) fn is_ready(&self) -> bool {
        self.window_is_open() && (0..self.queue.len()).any(|at| self.is_eligible(at))
    }

    /// Writes as many fragments as have room in the packet and in the budget (3.6.2.3); says
    /// whether there were any.
    pub(crate) fn assemble(&mut self, writer: &mut PacketWriter<'_>, budget: &mut Budget) -> bool {
        self.trim();
        let forward = self.forward_sequence();
        let mut previous = None;
        for at in 0..self.queue.len() {
            if !self.window_is_open() || budget.outstanding >= budget.window {
                break;
            }
            if !self.is_eligible(at) {
                continue;
            }
            let Some(size) = self.write(writer, at, forward, previous) else { break };
            let Some(entry) = self.queue.get_mut(at) else { break };
            previous = Some(entry.sequence);
            budget.sent += 1;
            budget.resent += u64::from(entry.ever_sent && !entry.abandoned);
            entry.in_flight = true;
            entry.ever_sent = true;
            entry.naks = 0;
            entry.sent_abandoned = entry.abandoned;
            entry.transmit_size = size;
            entry.transmission = budget.transmission;
            budget.transmission += 1;
            budget.outstanding += size;
            self.outstanding += size;
        }
        previous.is_some()
    }

    /// Writes the chunk of one entry and gives its size; none when it has no room. `previous` is
    /// the number written last in this packet.
    fn write(
        &self,
        writer: &mut PacketWriter<'_>,
        at: usize,
        forward: u64,
        previous: Option<u64>,
    ) -> Option<u64> {
        let entry = self.queue.get(at)?;
        let flags = UserDataFlags {
            fragment: entry.control,
            abandon: entry.abandoned,
            last: Some(entry.sequence) == self.final_sequence,
        };
        let data = &entry.data[..];
        let chunk = if previous.is_some_and(|last| last + 1 == entry.sequence) {
            Chunk::NextUserData(NextUserData { flags, options: None, data })
        } else {
            // Options go with the first chunk of the flow in each packet (3.6.2.3.1).
            let first = previous.is_none() && !self.options.is_empty();
            Chunk::UserData(UserData {
                flags,
                flow: self.id.0,
                sequence: entry.sequence,
                fsn_offset: entry.sequence.saturating_sub(forward),
                options: first.then_some(&self.options[..]),
                data,
            })
        };
        let before = writer.len();
        writer.put(&chunk).then(|| (writer.len() - before) as u64)
    }

    /// An acknowledgement arrived (3.6.2.4); `blocks` is the window.
    pub(crate) fn acknowledge(
        &mut self,
        now: Instant,
        (cumulative, blocks): (u64, u64),
        ranges: impl Iterator<Item = (u64, u64)>,
        pool: &mut Pool,
    ) -> Acknowledged {
        if !self.options.is_empty() {
            self.options = Vec::new();
        }
        // A legacy far end says 0 where it means nothing by it, and must not be probed.
        let blocks = if self.legacy { blocks.max(1) } else { blocks };
        self.window = blocks.saturating_mul(WINDOW_BLOCK);
        let mut done = Acknowledged::default();
        self.remove(0, cumulative, pool, &mut done);
        for (from, to) in ranges {
            self.remove(from, to, pool, &mut done);
        }
        if cumulative > self.cumulative {
            self.cumulative = cumulative.min(self.next_sequence - 1);
            self.forward_tries = 0;
        }
        self.trim();
        self.insist(now);
        done
    }

    /// Nothing is left to send, but the far end still sees a gap, of numbers that were given up:
    /// it is told to move on (3.6.2.7.1).
    fn insist(&mut self, now: Instant) {
        let last = self.next_sequence - 1;
        if self.queue.is_empty() && self.cumulative < last && self.forward_tries < FORWARD_TRIES {
            self.forward_tries += 1;
            self.queue.push_back(Fragment::placeholder(now, last));
        }
    }

    /// Removes what was sent of a range.
    fn remove(&mut self, from: u64, to: u64, pool: &mut Pool, done: &mut Acknowledged) {
        let mut at = self.queue.partition_point(|entry| entry.sequence < from);
        while let Some(entry) = self.queue.get(at).filter(|entry| entry.sequence <= to) {
            // What was never sent cannot have arrived, whatever the far end says.
            if !entry.ever_sent {
                at += 1;
                continue;
            }
            let Some(entry) = self.queue.remove(at) else { return };
            if entry.in_flight {
                self.outstanding -= entry.transmit_size;
                done.octets += entry.transmit_size;
                done.transmission = done.transmission.max(entry.transmission);
            }
            self.queued -= entry.data.len();
            pool.give(entry.data);
        }
    }

    /// Counts a negative acknowledgement for whatever was sent before `transmission`; says
    /// whether there was any, and how many fragments count as lost now (3.6.2.5).
    pub(crate) fn count_naks(&mut self, transmission: u64) -> (bool, u64) {
        let (mut any, mut lost) = (false, 0);
        for entry in &mut self.queue {
            if entry.in_flight && entry.transmission < transmission {
                any = true;
                entry.naks += 1;
                if entry.naks >= NAKS_OF_A_LOSS {
                    entry.in_flight = false;
                    self.outstanding -= entry.transmit_size;
                    lost += 1;
                }
            }
        }
        (any, lost)
    }

    /// The retransmission alarm: whatever is in flight is lost; says how many fragments (3.6.2.6).
    pub(crate) fn time_out(&mut self) -> u64 {
        let in_flight = self.queue.iter_mut().filter(|entry| entry.in_flight);
        let lost = in_flight.map(|entry| entry.in_flight = false).count();
        self.outstanding = 0;
        lost as u64
    }

    /// The far end does not want the flow (3.6.2.10); says whether that is news.
    pub(crate) fn reject(&mut self, now: Instant, pool: &mut Pool) -> bool {
        let news = self.is_open();
        self.close(now);
        self.exception = true;
        self.abandon(pool, |_| true);
        self.expires_at = None;
        news
    }

    /// Closes the flow (3.6.2.11).
    pub(crate) fn close(&mut self, now: Instant) {
        if self.state != SendState::Open {
            return;
        }
        self.state = SendState::Closing;
        self.forward_tries = 0;
        let last = self.next_sequence - 1;
        let unsent = self.queue.back().is_some_and(|e| e.sequence == last && !e.ever_sent);
        if !unsent {
            self.queue.push_back(Fragment::placeholder(now, self.next_sequence));
            self.next_sequence += 1;
        }
        self.final_sequence = Some(self.next_sequence - 1);
    }

    /// Whether the queue has room again after a refusal; says so once.
    pub(crate) fn take_writable(&mut self, buffer: usize) -> bool {
        let low = self.queued <= buffer / 2 && self.queue.len() <= FRAGMENTS_MOST / 2;
        let writable = self.refused && self.is_open() && low;
        self.refused &= !writable;
        writable
    }

    /// Whether the far end holds the flow back with an empty window (3.6.2.9.1).
    fn is_suspended(&self) -> bool {
        self.window == 0 && !self.exception && !self.queue.is_empty()
    }

    /// Starts or stops probing, as the window demands.
    pub(crate) fn update_probe(&mut self, now: Instant, timeout: Duration) {
        let suspended = self.is_suspended();
        self.probe.update(now, suspended, timeout);
    }

    pub(crate) fn probe_at(&self) -> Option<Instant> {
        self.probe.due_at()
    }

    /// A buffer probe was sent.
    pub(crate) fn probe_sent(&mut self, now: Instant, timeout: Duration) {
        self.probe.sent(now, timeout);
    }

    /// Breaches of what always holds; for tests.
    pub(crate) fn verify(&self) {
        let in_flight = self.queue.iter().filter(|entry| entry.in_flight);
        assert_eq!(self.outstanding, in_flight.map(|entry| entry.transmit_size).sum::<u64>());
        assert_eq!(self.queued, self.queue.iter().map(|entry| entry.data.len()).sum::<usize>());
        let numbers = self.queue.iter().map(|entry| entry.sequence);
        assert!(numbers.clone().zip(numbers.skip(1)).all(|(a, b)| a < b), "numbers ascend");
        assert!(self.queue.len() <= FRAGMENTS_MOST + 2);
        assert!(self.queue.iter().all(|entry| entry.data.is_empty() || !entry.abandoned));
    }
}

/// One empty piece, so that an empty message has a fragment too.
fn none_if<'a>(empty: bool) -> impl Iterator<Item = &'a [u8]> {
    empty.then_some(&[][..]).into_iter()
}
