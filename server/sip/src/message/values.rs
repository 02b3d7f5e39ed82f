//! Numbers and small typed values, and what typed access can find wrong.

use std::fmt;

use super::lex;
use super::method::Method;
use super::name::Name;

/// What is wrong with a header field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// It is not there.
    Missing(Name),
    /// It is there and makes no sense.
    Malformed(Name),
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeaderError::Missing(name) => write!(f, "no {name}"),
            HeaderError::Malformed(name) => write!(f, "malformed {name}"),
        }
    }
}

impl std::error::Error for HeaderError {}

/// The CSeq header field (RFC 3261 section 20.16).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CSeq {
    /// The sequence number, below 2^31.
    pub number: u32,
    /// The method of the request.
    pub method: Method,
}

impl CSeq {
    /// Reads `314159 INVITE`.
    pub fn parse(text: &str) -> Option<CSeq> {
        let (number, method) = lex::trim(text).split_once(lex::is_space)?;
        let method = lex::trim(method);
        let number = digits(number).filter(|number| *number < 1 << 31)?;
        lex::is_token_text(method)
            .then(|| CSeq { number: number as u32, method: Method::from(method) })
    }
}

impl fmt::Display for CSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.number, self.method)
    }
}

/// RAck: which reliable provisional response a PRACK acknowledges (RFC 3262 section 7.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RAck {
    /// The response's RSeq.
    pub rseq: u32,
    /// The response's CSeq.
    pub cseq: CSeq,
}

impl RAck {
    /// Reads `776656 1 INVITE`.
    pub fn parse(text: &str) -> Option<RAck> {
        let (rseq, cseq) = lex::trim(text).split_once(lex::is_space)?;
        let rseq = digits(rseq).and_then(|number| u32::try_from(number).ok())?;
        Some(RAck { rseq, cseq: CSeq::parse(cseq)? })
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.rseq, self.cseq)
    }
}

/// A decimal number; more than 2^64 - 1 counts as that.
pub(crate) fn digits(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

/// Seconds; more than 2^32 - 1 counts as that.
pub(crate) fn seconds(text: &str) -> Option<u32> {
    digits(lex::trim(text)).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}
