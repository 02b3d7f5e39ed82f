//! The initiator's side of startup (RFC 7016 section 3.5.1.1.1).

use super::Endpoint;
use super::accept::NewSession;
use super::receive::Source;
use super::table::Owner;
use super::types::{Event, OpenError, OpenFailure, SessionId};
use crate::chunk::{CookieChange, RHello, RIKeying, Redirect};
use crate::crypto::{Certificate, epd};
use crate::job::JobDone;
use crate::session::Role;
use crate::startup::opening::Opening;
use std::net::SocketAddr;
use std::time::Instant;

impl Endpoint {
    /// Opens a session to the endpoint that `discriminator` selects (see [`crate::crypto::epd`]), to
    /// be found at one of these addresses, of which the first 24 count. [`Event::Opened`] or
    /// [`Event::Failed`] tells how it went.
    pub fn open(
        &mut self,
        now: Instant,
        discriminator: Vec<u8>,
        candidates: &[SocketAddr],
    ) -> Result<SessionId, OpenError> {
        let now = self.arrive(now);
        if self.is_shut_down {
            return Err(OpenError::ShutDown);
        }
        if self.is_full() || self.openings.len() >= self.settings.openings_max {
            return Err(OpenError::Full);
        }
        if candidates.is_empty() {
            return Err(OpenError::NoCandidate);
        }
        let within = self.settings.open_within;
        let opening = Opening::new(now, discriminator, candidates, within, &mut self.seed);
        let id = self.session_id();
        self.openings.insert(id, opening);
        self.advance_opening(now, id);
        Ok(id)
    }

    /// Sends what is due for an opening session, or gives it up.
    pub(super) fn advance_opening(&mut self, now: Instant, id: SessionId) {
        let Some(opening) = self.openings.get_mut(&id) else { return };
        if opening.give_up_at <= now {
            self.abort_opening(id, OpenFailure::Timeout);
            return;
        }
        opening.send_due(now, self.settings.local, &self.identity, &mut self.out);
        self.deadlines.set(id, Some(opening.poll_timeout()));
    }

    /// Takes an opening session out, with its session ID and its deadline.
    fn remove_opening(&mut self, id: SessionId) -> Option<Opening> {
        let opening = self.openings.remove(&id)?;
        if let Some(wire) = opening.near_session() {
            self.table.free_wire(wire);
        }
        self.deadlines.set(id, None);
        Some(opening)
    }

    pub(super) fn abort_opening(&mut self, id: SessionId, cause: OpenFailure) {
        if self.remove_opening(id).is_some() {
            self.events.push_back(Event::Failed { session: id, cause });
        }
    }

    /// The opening session with a tag.
    fn opening_with(&self, tag: &[u8]) -> Option<SessionId> {
        self.openings.iter().find(|(_, opening)| opening.tag() == tag).map(|(id, _)| *id)
    }

    pub(super) fn handle_redirect(
        &mut self,
        now: Instant,
        source: Source,
        redirect: &Redirect<'_>,
    ) {
        let Some(id) = self.opening_with(redirect.tag_echo) else { return };
        if let Some(opening) = self.openings.get_mut(&id) {
            opening.handle_redirect(now, source.remote, redirect);
        }
        self.advance_opening(now, id);
    }

    /// An endpoint answers a hello of ours.
    pub(super) fn handle_rhello(&mut self, now: Instant, source: Source, hello: &RHello<'_>) {
        let Some(id) = self.opening_with(hello.tag_echo) else { return };
        let Some(opening) = self.openings.get(&id) else { return };
        let Some(certificate) = opening.matching(hello) else { return };
        if certificate == *self.identity.certificate() {
            return;
        }
        if let Some(of) = self.duplicate_of(id, &certificate) {
            self.abort_opening(id, OpenFailure::Duplicate { of });
            return;
        }
        let job = self.job_id();
        let ours = (&self.identity, self.policy());
        let Some(opening) = self.openings.get_mut(&id) else { return };
        let wire = self.table.take_wire(&mut self.seed, Owner::Opening(id));
        let to = (source.remote, hello.cookie);
        let (chosen, work) =
            opening.choose(now, to, certificate, ours, (wire, job), &mut self.seed);
        if !chosen {
            self.table.free_wire(wire);
        }
        self.jobs.extend(work);
        self.advance_opening(now, id);
    }

    /// The session that is open, or further on its way, with the holder of a certificate.
    fn duplicate_of(&self, id: SessionId, certificate: &Certificate) -> Option<SessionId> {
        let opening = self.openings.iter().find(|(other, opening)| {
            **other != id && opening.far_certificate() == Some(certificate)
        });
        self.table.with(certificate.fingerprint()).or(opening.map(|(other, _)| *other))
    }

    /// The opening session that a packet belongs to, by its session ID and where it came from.
    fn opening_of(&mut self, source: Source) -> Option<(SessionId, &mut Opening)> {
        let id = source.opening?;
        self.openings.get_mut(&id).map(|opening| (id, opening))
    }

    pub(super) fn handle_cookie_change(
        &mut self,
        now: Instant,
        source: Source,
        change: &CookieChange<'_>,
    ) {
        let Some((id, opening)) = self.opening_of(source) else { return };
        opening.handle_cookie_change(now, change);
        self.advance_opening(now, id);
    }

    pub(super) fn handle_rikeying(&mut self, now: Instant, source: Source, keying: &RIKeying<'_>) {
        let job = self.job_id();
        let Some((id, opening)) = self.opening_of(source) else { return };
        let work = opening.handle_rikeying(keying, job);
        self.jobs.extend(work);
        self.advance_opening(now, id);
    }

    /// A job of an opening session is done; of one that is gone, nothing happens.
    pub(super) fn complete_opening(&mut self, now: Instant, done: &JobDone) {
        let waiting = self.openings.iter_mut().find(|(_, one)| one.job() == Some(done.id));
        let Some((id, opening)) = waiting.map(|(id, opening)| (*id, opening)) else { return };
        match opening.handle_job(now, done) {
            Err(()) => self.abort_opening(id, OpenFailure::Keying),
            Ok(None) => self.advance_opening(now, id),
            Ok(Some(opened)) => {
                self.remove_opening(id);
                let new = NewSession {
                    role: Role::Initiator,
                    local: self.settings.local,
                    remote: opened.remote,
                    near: opened.near_session,
                    far: opened.far_session,
                    certificate: opened.certificate,
                    keys: opened.keys,
                    agreement: opened.agreement,
                    answer: None,
                };
                self.insert_session(now, id, new);
            }
        }
    }

    /// Both ends are opening a session to each other (RFC 7016 section 3.5.1.3, RFC 7425 section
    /// 4.3.6), which shows when keying comes from where we are opening one to. `None` when ours
    /// stays; else the handle of ours that gave way, if one did.
    ///
    /// An opening that looks for somebody else is no glare: its candidates may be introducers.
    pub(super) fn resolve_glare(
        &mut self,
        remote: SocketAddr,
        certificate: &Certificate,
    ) -> Option<Option<SessionId>> {
        let glaring = self.openings.iter().find(|(_, opening)| {
            let same = match opening.far_certificate() {
                Some(far) => certificate.overrides(far),
                None => epd::selects(opening.discriminator(), certificate),
            };
            same && opening.goes_to(remote)
        });
        let Some(id) = glaring.map(|(id, _)| *id) else { return Some(None) };
        if self.identity.certificate().prevails_over(certificate) {
            return None;
        }
        self.remove_opening(id);
        Some(Some(id))
    }
}
