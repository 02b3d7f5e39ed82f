//! Datagrams: whose they are, and the chunks of startup in them.

use super::Endpoint;
use super::table::Owner;
use super::types::SessionId;
use crate::chunk::{Chunk, Fragment};
use crate::crypto::cipher::{self, Rejected};
use crate::packet::{self, Header, Mode};
use base::{Datagram, Protocol};
use std::net::SocketAddr;
use std::time::Instant;

/// Where a packet of startup came from, and with which session ID.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    /// The opening session whose ID the packet had, if it had one.
    pub(super) opening: Option<SessionId>,
    /// The octets of the datagram.
    pub(super) octets: usize,
}

impl Endpoint {
    /// Takes a datagram.
    pub fn handle_datagram(&mut self, now: Instant, datagram: &Datagram<'_>) {
        let now = self.arrive(now);
        if datagram.protocol != Protocol::Udp {
            return;
        }
        let Some((wire, encrypted)) = cipher::session_id(datagram.payload) else {
            self.counters.unverified += 1;
            return;
        };
        let source = Source {
            local: datagram.local,
            remote: datagram.remote,
            opening: None,
            octets: datagram.payload.len(),
        };
        match (wire, self.table.owner(wire)) {
            (0, _) => self.handle_startup(now, source, encrypted),
            (_, Some(Owner::Session(id))) => self.handle_session(now, source, id, encrypted),
            (_, Some(Owner::Opening(id))) => {
                self.handle_startup(now, Source { opening: Some(id), ..source }, encrypted);
            }
            (_, None) => self.counters.unverified += 1,
        }
    }

    fn handle_session(&mut self, now: Instant, source: Source, id: SessionId, encrypted: &[u8]) {
        let Some(entry) = self.table.get_mut(id) else { return };
        let plain = match entry.cipher.open(encrypted, &mut self.scratch) {
            Ok(plain) => plain,
            Err(Rejected::Unverified) => {
                self.counters.unverified += 1;
                return;
            }
            Err(Rejected::Replayed) => {
                self.counters.replayed += 1;
                return;
            }
        };
        // The interface may be another one than that of the handshake.
        if source.remote == entry.remote {
            entry.local = source.local;
        }
        let keyed = entry.cipher.authenticates();
        entry.session.handle_packet(now, source.remote, plain, keyed);
        if entry.session.time_critical_received_at() == Some(now) {
            self.note_time_critical(now, id);
        }
        self.collect(now, id);
    }

    fn handle_startup(&mut self, now: Instant, source: Source, encrypted: &[u8]) {
        let mut scratch = std::mem::take(&mut self.scratch);
        match self.startup_cipher.open(encrypted, &mut scratch) {
            Ok(plain) => self.handle_startup_packet(now, source, plain, true),
            Err(_) => self.counters.unverified += 1,
        }
        self.scratch = scratch;
    }

    fn handle_startup_packet(
        &mut self,
        now: Instant,
        source: Source,
        plain: &[u8],
        may_be_in_pieces: bool,
    ) {
        let Some((header, mut chunks)) =
            packet::parse(plain).filter(|(header, _)| is_startup(header))
        else {
            self.counters.malformed += 1;
            return;
        };
        // One question in a packet: each costs an answer.
        let mut answered = false;
        for chunk in chunks.by_ref() {
            match chunk {
                Chunk::Fragment(piece) if may_be_in_pieces => {
                    self.handle_piece(now, source, header.mode, &piece);
                }
                Chunk::IHello(hello) if source.opening.is_none() && !answered => {
                    answered = true;
                    self.handle_hello(now, source, &hello);
                }
                Chunk::IIKeying(keying) if source.opening.is_none() && !answered => {
                    answered = true;
                    self.handle_iikeying(now, source, &keying);
                }
                Chunk::RHello(hello) if source.opening.is_none() => {
                    self.handle_rhello(now, source, &hello);
                }
                Chunk::Redirect(redirect) if source.opening.is_none() => {
                    self.handle_redirect(now, source, &redirect);
                }
                Chunk::CookieChange(change) => self.handle_cookie_change(now, source, &change),
                Chunk::RIKeying(keying) => self.handle_rikeying(now, source, &keying),
                _ => {}
            }
        }
        self.counters.malformed += u64::from(chunks.skipped());
    }

    fn handle_piece(&mut self, now: Instant, source: Source, mode: Mode, piece: &Fragment<'_>) {
        if let Some(whole) = self.reassembly.handle(now, source.remote, mode, piece) {
            // What came in several datagrams counts as what it is long for its answer.
            let source = Source { octets: whole.len(), ..source };
            self.handle_startup_packet(now, source, &whole, false);
        }
    }
}

/// Packets of other modes have a session's keys.
fn is_startup(header: &Header) -> bool {
    header.mode == Mode::Startup
}
