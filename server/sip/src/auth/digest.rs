//! The digest calculation (RFC 7616 section 3.4).

use std::fmt;

use base::Secret;
use md5::Md5;
use sha2::{Digest, Sha256, Sha512_256};

/// A digest algorithm (RFC 7616 section 3.3), the weaker first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// `MD5`, also if no algorithm is named.
    Md5,
    /// `MD5-sess`
    Md5Sess,
    /// `SHA-256`
    Sha256,
    /// `SHA-256-sess`
    Sha256Sess,
    /// `SHA-512-256`
    Sha512_256,
    /// `SHA-512-256-sess`
    Sha512_256Sess,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 6] = [
        Algorithm::Md5,
        Algorithm::Md5Sess,
        Algorithm::Sha256,
        Algorithm::Sha256Sess,
        Algorithm::Sha512_256,
        Algorithm::Sha512_256Sess,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Md5 => "MD5",
            Algorithm::Md5Sess => "MD5-sess",
            Algorithm::Sha256 => "SHA-256",
            Algorithm::Sha256Sess => "SHA-256-sess",
            Algorithm::Sha512_256 => "SHA-512-256",
            Algorithm::Sha512_256Sess => "SHA-512-256-sess",
        }
    }

    /// Reads a name in any case.
    pub fn parse(text: &str) -> Option<Algorithm> {
        Algorithm::ALL.into_iter().find(|known| known.as_str().eq_ignore_ascii_case(text))
    }

    /// Whether the secret part depends on the nonces (`-sess`).
    pub fn is_session(self) -> bool {
        matches!(self, Algorithm::Md5Sess | Algorithm::Sha256Sess | Algorithm::Sha512_256Sess)
    }

    /// How strong the hash is; `-sess` makes no difference.
    pub(super) fn strength(self) -> u8 {
        match self {
            Algorithm::Md5 | Algorithm::Md5Sess => 0,
            Algorithm::Sha256 | Algorithm::Sha256Sess => 1,
            Algorithm::Sha512_256 | Algorithm::Sha512_256Sess => 2,
        }
    }

    /// The hash of parts joined by colons, in lower-case hexadecimal.
    fn hash(self, parts: &[&[u8]]) -> String {
        match self.strength() {
            0 => hash::<Md5>(parts),
            1 => hash::<Sha256>(parts),
            _ => hash::<Sha512_256>(parts),
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

fn hash<D: Digest>(parts: &[&[u8]]) -> String {
    use fmt::Write as _;
    let mut digest = D::new();
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            digest.update(b":");
        }
        digest.update(part);
    }
    digest.finalize().iter().fold(String::with_capacity(64), |mut out, octet| {
        let _ = write!(out, "{octet:02x}");
        out
    })
}

/// The quality of protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quality {
    /// None: the calculation of RFC 2069.
    None,
    /// `auth`: method and URI are covered.
    Auth,
    /// `auth-int`: the body is covered too.
    AuthInt,
}

/// All that goes into a digest response; texts are without quotes and escapes.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The user name.
    pub username: &'a str,
    /// The password.
    pub password: &'a Secret,
    /// The realm.
    pub realm: &'a str,
    /// The server's nonce.
    pub nonce: &'a str,
    /// The client's nonce; unused with [`Quality::None`] unless the algorithm is a `-sess` one.
    pub cnonce: &'a str,
    /// How often the nonce was used, this time included; unused with [`Quality::None`].
    pub nonce_count: u32,
    /// The quality of protection.
    pub quality: Quality,
    /// The method.
    pub method: &'a str,
    /// The Request-URI as in the `uri` parameter.
    pub uri: &'a str,
    /// The body, for [`Quality::AuthInt`].
    pub body: &'a [u8],
}

/// The `response` parameter, in lower-case hexadecimal (RFC 7616 section 3.4.1).
pub fn response_for(answer: &Answer<'_>) -> String {
    let algorithm = answer.algorithm;
    let hash = |parts: &[&str]| {
        let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
        algorithm.hash(&parts)
    };
    let mut secret = hash(&[answer.username, answer.realm, answer.password.reveal()]);
    if algorithm.is_session() {
        secret = hash(&[&secret, answer.nonce, answer.cnonce]);
    }
    let count = format!("{:08x}", answer.nonce_count);
    match answer.quality {
        Quality::None => {
            let asked = hash(&[answer.method, answer.uri]);
            hash(&[&secret, answer.nonce, &asked])
        }
        Quality::Auth => {
            let asked = hash(&[answer.method, answer.uri]);
            hash(&[&secret, answer.nonce, &count, answer.cnonce, "auth", &asked])
        }
        Quality::AuthInt => {
            let body = algorithm.hash(&[answer.body]);
            let asked = hash(&[answer.method, answer.uri, &body]);
            hash(&[&secret, answer.nonce, &count, answer.cnonce, "auth-int", &asked])
        }
    }
}
