//! The server's side, as far as a registrar in a test or a callee needs it.

use base::Secret;

use super::challenge::schemes;
use super::digest::{Algorithm, Answer, Quality, response_for};

/// What correct credentials say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The user name.
    pub username: String,
    /// The realm; whether it is one's own is the caller's to check.
    pub realm: String,
    /// The nonce; whether it was given out is the caller's to check.
    pub nonce: String,
    /// The nonce count; 0 without `qop`.
    pub nonce_count: u32,
}

/// Checks the value of Authorization or Proxy-Authorization against a password; `None` if it is
/// not Digest, incomplete, or wrong. The comparison takes constant time.
pub fn verify(value: &str, method: &str, body: &[u8], password: &Secret) -> Option<Verified> {
    let (scheme, params) = schemes(value).into_iter().next()?;
    if !scheme.eq_ignore_ascii_case("Digest") {
        return None;
    }
    let algorithm = match params.text("algorithm") {
        Some(name) => Algorithm::parse(&name)?,
        None => Algorithm::Md5,
    };
    let quality = match params.text("qop").as_deref() {
        None => Quality::None,
        Some("auth") => Quality::Auth,
        Some("auth-int") => Quality::AuthInt,
        Some(_) => return None,
    };
    let nonce_count = match (params.get("nc"), quality) {
        (_, Quality::None) => 0,
        // Eight hexadecimal digits, no more and no less.
        (Some(digits), _) if digits.len() == 8 => u32::from_str_radix(digits, 16).ok()?,
        _ => return None,
    };
    let (username, realm) = (params.text("username")?, params.text("realm")?);
    let (nonce, uri) = (params.text("nonce")?, params.text("uri")?);
    let cnonce = params.text("cnonce");
    if cnonce.is_none() && (quality != Quality::None || algorithm.is_session()) {
        return None;
    }
    let expected = response_for(&Answer {
        algorithm,
        username: &username,
        password,
        realm: &realm,
        nonce: &nonce,
        cnonce: cnonce.as_deref().unwrap_or_default(),
        nonce_count,
        quality,
        method,
        uri: &uri,
        body,
    });
    (Secret::new(expected) == Secret::new(params.text("response")?)).then_some(Verified {
        username,
        realm,
        nonce,
        nonce_count,
    })
}
