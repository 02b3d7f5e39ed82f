//! Answers to digest challenges, for one sequence of requests under one set of credentials.

use crate::auth::{AuthSession, Credentials};
use crate::limits;
use crate::message::{Request, Response};
use base::Seed;

/// Credentials, what servers asked for them so far, and how often.
pub(crate) struct Challenger {
    credentials: Credentials,
    session: AuthSession,
    /// Challenges to the request under way.
    tries: u8,
}

impl Challenger {
    /// Nothing asked so far.
    pub(crate) fn new(credentials: Credentials) -> Self {
        Challenger { credentials, session: AuthSession::new(), tries: 0 }
    }

    /// Prepares a new request: where a nonce is known it is used again, which saves a round trip.
    pub(crate) fn begin(&mut self, request: &mut Request, seed: &mut Seed) {
        self.tries = 0;
        if !self.session.is_empty() {
            self.session.authorize(request, &self.credentials, seed);
        }
    }

    /// Answers a 401 or 407. False: it cannot be answered, which means a wrong password or a
    /// server that asks without end. Then nothing that was learnt is used again.
    pub(crate) fn answer(
        &mut self,
        response: &Response,
        request: &mut Request,
        seed: &mut Seed,
    ) -> bool {
        if !matches!(response.status, 401 | 407) || self.tries >= limits::CHALLENGES {
            return false;
        }
        self.tries += 1;
        let mut accepted = self.session.challenged(response).is_ok();
        if !accepted && self.tries == 1 {
            // This request only carried what was learnt from others before; that an old nonce is
            // refused says nothing about the password.
            self.session = AuthSession::new();
            accepted = self.session.challenged(response).is_ok();
        }
        if accepted {
            self.session.authorize(request, &self.credentials, seed);
        } else {
            self.session = AuthSession::new();
        }
        accepted
    }
}
