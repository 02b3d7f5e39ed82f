//! Answers to digest challenges, for one sequence of requests under one set of credentials.

use crate::auth::{AuthSession, Credentials};
use crate::limits;
use crate::message::{Request, Response};
use base::Seed;

/// Credentials, what servers asked for them so far, and how often.
pub(crate) struct Challenger {
    credentials: Credentials,
    session: AuthSession,
    tries: u8,
    /// The request under way carried credentials before anybody asked for them.
    ahead: bool,
}

impl Challenger {
    /// Nothing asked so far.
    pub(crate) fn new(credentials: Credentials) -> Self {
        Challenger { credentials, session: AuthSession::default(), tries: 0, ahead: false }
    }

    /// Prepares a new request: where a nonce is known it is used again, which saves a round trip.
    pub(crate) fn begin(&mut self, request: &mut Request, seed: &mut Seed) {
        self.ahead = self.tries > 0;
        self.tries = 0;
        if self.ahead {
            self.session.authorize(request, &self.credentials, seed);
        }
    }

    /// Answers a 401 or 407. False: it cannot be answered, which means a wrong password or a
    /// server that asks without end.
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
        if !accepted && self.ahead {
            // An old nonce was refused without being called stale; that says nothing about the
            // password yet.
            self.session = AuthSession::default();
            accepted = self.session.challenged(response).is_ok();
        }
        self.ahead = false;
        if accepted {
            self.session.authorize(request, &self.credentials, seed);
        }
        accepted
    }
}
