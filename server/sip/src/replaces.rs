//! Replaces (RFC 3891): a new call that takes the place of another dialog.

use crate::message::{Params, escape, unescape};

/// The dialog that a new INVITE replaces, as the receiver of the INVITE sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replaces {
    /// Its Call-ID.
    pub(crate) call_id: String,
    /// The receiver's own tag.
    pub(crate) to_tag: String,
    /// The other end's tag.
    pub(crate) from_tag: String,
    /// Only while it is not taken.
    pub(crate) early_only: bool,
}

impl Replaces {
    /// Reads the value of the header field.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (call_id, params) = text.split_once(';')?;
        let params = Params::parse_header(params)?;
        let call_id = call_id.trim();
        let whole = !call_id.is_empty() && call_id.bytes().all(|octet| octet > b' ');
        whole.then_some(Replaces {
            call_id: call_id.to_owned(),
            to_tag: params.get("to-tag")?.to_owned(),
            from_tag: params.get("from-tag")?.to_owned(),
            early_only: params.has("early-only"),
        })
    }

    /// Reads the value as it stands among the header fields of a URI, with `%` escapes.
    pub(crate) fn parse_escaped(text: &str) -> Option<Self> {
        let text = String::from_utf8(unescape(text)).ok()?;
        Replaces::parse(&text)
    }

    /// The value among the header fields of a URI (RFC 3261 19.1.1).
    pub(crate) fn escaped(&self) -> String {
        escape(&self.to_string(), b"-_.!~*'()")
    }
}

impl std::fmt::Display for Replaces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Replaces { call_id, to_tag, from_tag, early_only } = self;
        write!(f, "{call_id};to-tag={to_tag};from-tag={from_tag}")?;
        if *early_only {
            f.write_str(";early-only")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_dialog_is_named_in_a_header_field_and_in_a_uri() {
        let text = "98asjd8@test.com;from-tag=x;to-tag=\"7\"";
        assert!(Replaces::parse("no tags").is_none());
        assert!(Replaces::parse("a b;to-tag=1;from-tag=2").is_none());
        assert!(Replaces::parse("a;to-tag=1").is_none());
        let replaces = Replaces::parse(text).unwrap();
        assert_eq!((&replaces.from_tag[..], replaces.early_only), ("x", false));
        let early = Replaces::parse("a@b;to-tag=1;from-tag=2;early-only").unwrap();
        assert_eq!(early.escaped(), "a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2%3Bearly-only");
        assert_eq!(Replaces::parse_escaped(&early.escaped()), Some(early));
    }
}
