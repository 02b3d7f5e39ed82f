//! Driving the sessions of an endpoint.

use super::types::{CloseCause, Event, SessionId};
use super::{Endpoint, TICK};
use crate::chunk::FIHello;
use crate::params::TIME_CRITICAL_FOR;
use crate::session::{
    self, FlowId, KeepAlive, OpenFlow, SendError, SessionCommand, SessionEvent, SessionStatistics,
};
use base::{Protocol, Transmit};
use std::time::{Duration, Instant};

/// How long the far end of a session may take to answer when somebody new is at its address.
const RIVAL_PATIENCE: Duration = Duration::from_secs(3);

impl Endpoint {
    /// Opens a flow in a session.
    pub fn open_flow(&mut self, id: SessionId, flow: OpenFlow<'_>) -> Result<FlowId, SendError> {
        self.table.get_mut(id).ok_or(SendError::NotOpen)?.session.open_flow(flow)
    }

    /// Queues a message. After `lifetime` without acknowledgement it is given up.
    pub fn send(
        &mut self,
        now: Instant,
        id: SessionId,
        flow: FlowId,
        message: &[u8],
        lifetime: Option<Duration>,
    ) -> Result<(), SendError> {
        let now = self.arrive(now);
        let entry = self.table.get_mut(id).ok_or(SendError::NotOpen)?;
        let result = entry.session.send(now, flow, message, lifetime);
        self.touch(id);
        result
    }

    /// Gives the buffer of a delivered message back.
    pub fn recycle_message(&mut self, id: SessionId, octets: Vec<u8>) {
        if let Some(entry) = self.table.get_mut(id) {
            entry.session.recycle(octets);
        }
    }

    /// Counts and measures of a session.
    pub fn statistics(&self, id: SessionId) -> Option<SessionStatistics> {
        self.table.get(id).map(|entry| entry.session.statistics())
    }

    pub(super) fn command_session(&mut self, now: Instant, id: SessionId, command: SessionCommand) {
        if let Some(entry) = self.table.get_mut(id) {
            entry.session.command(now, command);
            self.collect(now, id);
        }
    }

    /// A deadline of a session has come.
    pub(super) fn pass_session(&mut self, now: Instant, id: SessionId) {
        let keep_alive = self.settings.session.keep_alive;
        let Some(entry) = self.table.get_mut(id) else { return };
        if entry.rival_until.is_some_and(|at| at <= now) {
            // It answered: who is at its address is not somebody new after all.
            entry.rival_until = None;
            entry.session.command(now, SessionCommand::KeepAlive(keep_alive));
        }
        if entry.session.poll_timeout().is_some_and(|at| at <= now) {
            entry.session.handle_timeout(now);
        }
        self.collect(now, id);
    }

    /// Somebody new is at the address of a session. An RTMFP client takes a new certificate for each
    /// connection, so one that crashed and comes back through the same NAT binding looks like this.
    /// The far end is pinged; when it is dead, the session makes place for the newcomer, who asks
    /// again meanwhile (RFC 7016 section 3.5.5: a session may be closed at any time).
    pub(super) fn challenge(&mut self, now: Instant, id: SessionId) {
        let Some(entry) = self.table.get_mut(id) else { return };
        if entry.rival_until.is_none() {
            entry.rival_until = Some(now + RIVAL_PATIENCE);
            let keep = KeepAlive { every: TICK, dead_after: TICK };
            entry.session.command(now, SessionCommand::KeepAlive(keep));
            self.collect(now, id);
        }
    }

    /// After an input to a session: its events, and it may have something to send.
    pub(super) fn collect(&mut self, now: Instant, id: SessionId) {
        while let Some(event) = self.table.get_mut(id).and_then(|one| one.session.poll_event()) {
            match event {
                SessionEvent::Closed { cause } => {
                    let cause = match cause {
                        session::CloseCause::Local => CloseCause::Local,
                        session::CloseCause::Peer => CloseCause::Peer,
                        session::CloseCause::Silent => CloseCause::Silent,
                    };
                    self.table.closed(id);
                    self.events.push_back(Event::Closed { session: id, cause });
                }
                SessionEvent::ForwardedHello { epd, reply_address, tag } => {
                    let hello = FIHello { discriminator: &epd, reply_to: reply_address, tag: &tag };
                    if let Some(local) = self.table.get(id).map(|entry| entry.local) {
                        self.handle_forwarded(now, local, &hello);
                    }
                }
                event => {
                    if let SessionEvent::Moved { to, .. } = event {
                        self.table.moved(id, to);
                    }
                    self.events.push_back(Event::Session { session: id, event });
                }
            }
        }
        self.touch(id);
    }

    /// The session may have something to send.
    pub(super) fn touch(&mut self, id: SessionId) {
        if let Some(entry) = self.table.get_mut(id)
            && !entry.is_ready
        {
            entry.is_ready = true;
            self.ready.push_back(id);
        }
    }

    /// Whether another session received time-critical data not long ago.
    fn others_are_time_critical(&self, now: Instant, id: SessionId) -> bool {
        let recent = |at: Instant| now.saturating_duration_since(at) <= TIME_CRITICAL_FOR;
        self.time_critical.iter().flatten().any(|(other, at)| *other != id && recent(*at))
    }

    pub(super) fn note_time_critical(&mut self, now: Instant, id: SessionId) {
        if let [Some((first, at)), _] = &mut self.time_critical
            && *first == id
        {
            *at = now;
            return;
        }
        self.time_critical = [Some((id, now)), self.time_critical[0]];
    }

    /// The next packet of a session that has one.
    pub(super) fn poll_session_packet(&mut self) -> Option<Transmit> {
        let now = self.now?;
        while let Some(id) = self.ready.front().copied() {
            let others = self.others_are_time_critical(now, id);
            let mut plain = std::mem::take(&mut self.plain);
            let sent_at = self.time_critical_sent_at;
            let sent = self.table.get_mut(id).and_then(|entry| {
                if let Some(at) = sent_at {
                    entry.session.note_time_critical_sent(at);
                }
                let remote = entry.session.poll_packet(now, others, &mut plain)?;
                Some((remote, entry))
            });
            let Some((remote, entry)) = sent else {
                self.plain = plain;
                self.ready.pop_front();
                self.settle(now, id);
                continue;
            };
            let mut payload = self.out.buffer();
            entry.cipher.seal(entry.far, &plain, &mut payload);
            let (local, at) = (entry.local, entry.session.time_critical_sent_at());
            self.time_critical_sent_at = self.time_critical_sent_at.max(at);
            self.plain = plain;
            return Some(Transmit { protocol: Protocol::Udp, local, remote, payload });
        }
        None
    }

    /// A session has nothing more to send for now.
    fn settle(&mut self, now: Instant, id: SessionId) {
        let Some(entry) = self.table.get_mut(id) else { return };
        entry.is_ready = false;
        if entry.session.is_over() {
            self.remove_session(id);
            return;
        }
        let deadline =
            [entry.session.poll_timeout(), entry.rival_until].into_iter().flatten().min();
        let Some(at) = deadline.map(|at| at.max(now + TICK)) else { return };
        // A deadline that moved away is found out when the old one comes, which is cheaper.
        if self.deadlines.at(id).is_none_or(|noted| noted > at) {
            self.deadlines.set(id, Some(at));
        }
    }

    pub(super) fn remove_session(&mut self, id: SessionId) {
        self.deadlines.set(id, None);
        self.table.remove(id);
    }
}
