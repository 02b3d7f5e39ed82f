//! Challenges as WWW-Authenticate and Proxy-Authenticate carry them (RFC 7616 section 3.3).

use super::digest::{Algorithm, Quality};
use crate::message::{Params, is_token_text, quoted_end};

/// The most challenges that are read from one header field.
const MAX_CHALLENGES: usize = 16;
/// The most parameters that are read of one challenge.
const MAX_PARAMS: usize = 32;

/// One Digest challenge that we can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// The realm, without quotes and escapes.
    pub realm: String,
    /// The nonce, without quotes and escapes.
    pub nonce: String,
    /// Opaque data to give back, without quotes and escapes.
    pub opaque: Option<String>,
    /// The algorithm; `None` if it is not named, which means MD5.
    pub algorithm: Option<Algorithm>,
    /// The quality of protection that we would use.
    pub quality: Quality,
    /// Whether only the nonce was too old (the password was right).
    pub stale: bool,
}

impl Challenge {
    /// A challenge from its scheme and parameters; `None` if it is not Digest, lacks realm or
    /// nonce, or wants an algorithm or protection that we do not know.
    fn read(scheme: &str, params: &Params) -> Option<Challenge> {
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let algorithm = match params.text("algorithm") {
            Some(name) => Some(Algorithm::parse(&name)?),
            None => None,
        };
        // A server without `qop` knows RFC 2069 only. Of a list, `auth` is what every server
        // gets right.
        let quality = match params.text("qop") {
            None => Quality::None,
            Some(list) => {
                let offers = |wanted: &str| {
                    list.split([',', ' ']).any(|word| word.trim().eq_ignore_ascii_case(wanted))
                };
                match () {
                    () if offers("auth") => Quality::Auth,
                    () if offers("auth-int") => Quality::AuthInt,
                    () if list.trim().is_empty() => Quality::None,
                    () => return None,
                }
            }
        };
        Some(Challenge {
            realm: params.text("realm")?,
            nonce: params.text("nonce")?,
            opaque: params.text("opaque"),
            algorithm,
            quality,
            stale: params.text("stale").is_some_and(|text| text.eq_ignore_ascii_case("true")),
        })
    }
}

/// The Digest challenges of one header field value that we can answer, in order; others (Basic,
/// unknown algorithms) are passed over.
pub fn challenges(value: &str) -> Vec<Challenge> {
    schemes(value).iter().filter_map(|(scheme, params)| Challenge::read(scheme, params)).collect()
}

/// Splits a list of challenges, or credentials, into schemes with their parameters.
///
/// A comma separates parameters as well as challenges, so a new challenge shows by a word
/// without `=` after it. Missing commas are forgiven.
pub(super) fn schemes(value: &str) -> Vec<(String, Params)> {
    let mut schemes: Vec<(String, Params)> = Vec::new();
    let mut rest = value;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let end = rest.find([' ', '\t', ',', '=', '"']).unwrap_or(rest.len());
        let (Some(word), Some(after)) = (rest.get(..end), rest.get(end..)) else { break };
        if word.is_empty() {
            // Nothing readable here: go on after the one character.
            let mut characters = rest.chars();
            if characters.next().is_none() {
                break;
            }
            rest = characters.as_str();
            continue;
        }
        let after_space = after.trim_start_matches([' ', '\t']);
        let Some(value) = after_space.strip_prefix('=') else {
            if schemes.len() == MAX_CHALLENGES {
                break;
            }
            schemes.push((word.to_owned(), Params::new()));
            rest = after;
            continue;
        };
        let value = value.trim_start_matches([' ', '\t']);
        let end = quoted_end(value)
            .unwrap_or_else(|| value.find([' ', '\t', ',']).unwrap_or(value.len()));
        let (text, remaining) = (value.get(..end), value.get(end..));
        if let (Some((_, params)), Some(text)) = (schemes.last_mut(), text)
            && is_token_text(word)
            && !params.has(word)
            && params.0.len() < MAX_PARAMS
        {
            params.0.push((word.to_owned(), Some(text.to_owned())));
        }
        rest = remaining.unwrap_or_default();
    }
    schemes
}
