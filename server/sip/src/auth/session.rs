//! The client's side: remembers challenges and answers them.

use std::fmt;

use base::{Secret, Seed};

use super::challenge::{Challenge, challenges};
use super::digest::{Algorithm, Answer, Quality, response_for};
use crate::message::{Name, Request, Response, quote};

/// The most realms that one session answers.
const MAX_REALMS: usize = 8;
/// How many times in a row a nonce may be refused as stale.
const MAX_STALE: u8 = 2;

/// A user name and its password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The user name for the digest, often but not always that of the address.
    pub username: String,
    /// The password.
    pub password: Secret,
}

/// Why a challenge cannot be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthError {
    /// The response carries no challenge.
    NoChallenge,
    /// Only schemes, algorithms or protections that we do not know.
    Unsupported,
    /// The answer to a fresh nonce was refused: user name or password is wrong.
    WrongPassword,
    /// The peer calls every nonce stale, or asks for more realms than are kept.
    TooMany,
}

impl fmt::Display for AuthError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AuthError::NoChallenge => "challenged without a challenge",
            AuthError::Unsupported => "no challenge that can be answered",
            AuthError::WrongPassword => "user name or password refused",
            AuthError::TooMany => "challenged too often",
        })
    }
}

impl std::error::Error for AuthError {}

/// The challenges of one use (one registration, or one call), so that later requests carry
/// credentials at once, with rising nonce counts.
///
/// A refusal is told from an expired nonce by counting: the first answer to a nonce that is
/// challenged again, without `stale`, is a refusal; a nonce that worked before has expired.
/// Requests that run at the same time need sessions of their own.
#[derive(Clone, Debug, Default)]
pub struct AuthSession {
    realms: Vec<Realm>,
}

#[derive(Clone, Debug)]
struct Realm {
    /// Whether a proxy asked, which decides on the header field.
    proxy: bool,
    challenge: Challenge,
    /// How many answers this nonce got.
    count: u32,
    /// The client nonce of a `-sess` algorithm, which lives as long as the server's.
    cnonce: Option<String>,
    /// How many nonces in a row were called stale.
    stale: u8,
}

impl AuthSession {
    /// A session that knows no realm yet.
    pub fn new() -> Self {
        AuthSession::default()
    }

    /// Whether [`AuthSession::authorize`] would add anything.
    pub fn is_empty(&self) -> bool {
        self.realms.is_empty()
    }

    /// Takes in a 401 or 407. After `Ok` the request is worth sending again, with the next CSeq
    /// and [`AuthSession::authorize`].
    ///
    /// Of several challenges for one realm the strongest known algorithm wins, of equals the
    /// topmost (RFC 8760 section 2.4 leaves that to policy).
    ///
    /// # Errors
    /// [`AuthError`]; then the request has failed for good.
    pub fn challenged(&mut self, response: &Response) -> Result<(), AuthError> {
        let mut best: Vec<(bool, Challenge)> = Vec::new();
        let mut any = false;
        for (proxy, name) in [(false, Name::WwwAuthenticate), (true, Name::ProxyAuthenticate)] {
            for value in response.headers.all(&name) {
                any = true;
                for challenge in challenges(value) {
                    match best.iter_mut().find(|(p, c)| *p == proxy && c.realm == challenge.realm) {
                        Some((_, known)) if strength(&challenge) > strength(known) => {
                            *known = challenge;
                        }
                        Some(_) => {}
                        None => best.push((proxy, challenge)),
                    }
                }
            }
        }
        if best.is_empty() {
            return Err(if any { AuthError::Unsupported } else { AuthError::NoChallenge });
        }
        best.into_iter().try_for_each(|(proxy, challenge)| self.remember(proxy, challenge))
    }

    fn remember(&mut self, proxy: bool, challenge: Challenge) -> Result<(), AuthError> {
        let known = self
            .realms
            .iter_mut()
            .find(|r| r.proxy == proxy && r.challenge.realm == challenge.realm);
        let Some(realm) = known else {
            if self.realms.len() == MAX_REALMS {
                return Err(AuthError::TooMany);
            }
            self.realms.push(Realm { proxy, challenge, count: 0, cnonce: None, stale: 0 });
            return Ok(());
        };
        if challenge.stale {
            // A nonce that was used twice was good once: its age is no reason for doubt.
            realm.stale = if realm.count > 1 { 1 } else { realm.stale.saturating_add(1) };
            if realm.stale > MAX_STALE {
                return Err(AuthError::TooMany);
            }
        } else if realm.count == 1 {
            return Err(AuthError::WrongPassword);
        }
        let stale = if challenge.stale { realm.stale } else { 0 };
        *realm = Realm { proxy, challenge, count: 0, cnonce: None, stale };
        Ok(())
    }

    /// Puts Authorization and Proxy-Authorization for every known realm into a request, in place
    /// of what it had. Method, Request-URI and body must be final.
    pub fn authorize(&mut self, request: &mut Request, credentials: &Credentials, seed: &mut Seed) {
        request.headers.remove(&Name::Authorization);
        request.headers.remove(&Name::ProxyAuthorization);
        for realm in &mut self.realms {
            let value = realm.answer(request, credentials, seed);
            let name = if realm.proxy { Name::ProxyAuthorization } else { Name::Authorization };
            request.headers.push(name, value);
        }
    }
}

fn strength(challenge: &Challenge) -> u8 {
    challenge.algorithm.unwrap_or(Algorithm::Md5).strength()
}

impl Realm {
    fn answer(&mut self, request: &Request, credentials: &Credentials, seed: &mut Seed) -> String {
        self.count = self.count.saturating_add(1);
        let challenge = &self.challenge;
        let algorithm = challenge.algorithm.unwrap_or(Algorithm::Md5);
        let cnonce = match &self.cnonce {
            Some(cnonce) => cnonce.clone(),
            None => seed.token(24),
        };
        if algorithm.is_session() {
            self.cnonce = Some(cnonce.clone());
        }
        let uri = request.uri.to_string();
        let response = response_for(&Answer {
            algorithm,
            username: &credentials.username,
            password: &credentials.password,
            realm: &challenge.realm,
            nonce: &challenge.nonce,
            cnonce: &cnonce,
            nonce_count: self.count,
            quality: challenge.quality,
            method: request.method.as_str(),
            uri: &uri,
            body: &request.body,
        });
        let mut value = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\"",
            quote(&credentials.username),
            quote(&challenge.realm),
            quote(&challenge.nonce),
            quote(&uri),
        );
        // Servers of RFC 2069 know no `algorithm`: it is named if the challenge named it.
        if let Some(algorithm) = challenge.algorithm {
            value.push_str(&format!(", algorithm={algorithm}"));
        }
        let quality = match challenge.quality {
            Quality::None => None,
            Quality::Auth => Some("auth"),
            Quality::AuthInt => Some("auth-int"),
        };
        if quality.is_some() || algorithm.is_session() {
            value.push_str(&format!(", cnonce=\"{cnonce}\""));
        }
        if let Some(quality) = quality {
            value.push_str(&format!(", qop={quality}, nc={:08x}", self.count));
        }
        if let Some(opaque) = &challenge.opaque {
            value.push_str(&format!(", opaque={}", quote(opaque)));
        }
        value
    }
}
