//! The domain of an account as part of a URI.

use crate::message::{Host, Uri};

/// A URI in a domain that may have a port behind it.
pub(super) fn uri(user: Option<&str>, domain: &str) -> Uri {
    Uri::sip(user, host(domain), port(domain))
}

/// The host of a domain that may have a port behind it.
fn host(domain: &str) -> Host {
    let text = match domain.rsplit_once(':') {
        Some((text, digits)) if digits.parse::<u16>().is_ok() && !text.ends_with(':') => text,
        _ => domain,
    };
    Host::parse(text).unwrap_or_else(|| Host::Name("invalid.invalid".to_owned()))
}

/// The port behind a domain.
fn port(domain: &str) -> Option<u16> {
    let (text, digits) = domain.rsplit_once(':')?;
    (!text.contains(':') || text.ends_with(']')).then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_domain_may_carry_a_port() {
        assert_eq!(
            (host("sip.example"), port("sip.example")),
            (Host::Name("sip.example".into()), None)
        );
        assert_eq!(port("127.0.0.1:5070"), Some(5070));
        assert_eq!(host("127.0.0.1:5070"), Host::parse("127.0.0.1").unwrap());
        assert_eq!(
            (host("[::1]:5070"), port("[::1]:5070")),
            (Host::parse("[::1]").unwrap(), Some(5070))
        );
        assert_eq!((host("[::1]"), port("[::1]")), (Host::parse("[::1]").unwrap(), None));
    }
}
