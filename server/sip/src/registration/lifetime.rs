//! Lifetimes of bindings: what was granted, and when to refresh.

use super::PARAMETER;
use crate::cause::{Cause, CauseKind, Originator};
use crate::limits;
use crate::message::{Host, Name, NameAddr, Response};
use std::net::SocketAddr;
use std::time::Duration;

/// The end of a REGISTER that was accepted for no time at all.
pub(super) const UNGRANTED: Cause = Cause {
    originator: Originator::Remote,
    kind: CauseKind::Protocol,
    status: Some(200),
    reason: None,
    retry_after: None,
};

/// When to refresh a binding: before the last tenth of its life, or its last five seconds, by up
/// to another twentieth; never in its second half's beginning nor faster than the floor.
/// `jitter` is 0 to 999.
pub(super) fn refresh_after(granted: Duration, jitter: u32) -> Duration {
    let margin = (granted / 10).max(Duration::from_secs(5)).min(granted / 2);
    let early = granted / 20 * jitter / 1000;
    (granted - margin).saturating_sub(early).max(limits::REFRESH_FLOOR)
}

/// The lifetime that a 2xx grants our own binding, among those of our other phones (10.2.4) and
/// one that another program has left at our place.
pub(super) fn granted(
    response: &Response,
    user: &str,
    contact: SocketAddr,
    instance: &str,
) -> Option<Duration> {
    let contacts = response.contacts();
    let here = |candidate: &&NameAddr| {
        candidate.uri.host == Host::from(contact.ip())
            && candidate.uri.port.unwrap_or(5060) == contact.port()
            && candidate.uri.user_text().as_deref().unwrap_or_default() == user
    };
    let named = |candidate: &&NameAddr| {
        here(candidate) && candidate.uri.params.get(PARAMETER) == Some(instance)
    };
    // A registrar that rewrites Contacts is believed as long as there is no choice.
    let own = match contacts.iter().find(named).or_else(|| contacts.iter().find(here)) {
        None if contacts.len() == 1 => contacts.first(),
        found => found,
    };
    let seconds =
        own.and_then(NameAddr::expires).or_else(|| response.headers.seconds(&Name::Expires));
    seconds.map(|seconds| Duration::from_secs(u64::from(seconds)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_refresh_leaves_room_for_its_own_retransmissions() {
        let secs = Duration::from_secs;
        assert_eq!(refresh_after(secs(300), 0), secs(270));
        assert_eq!(refresh_after(secs(3600), 0), secs(3240));
        assert_eq!(refresh_after(secs(60), 0), secs(54));
        assert_eq!(refresh_after(secs(20), 0), secs(15));
        assert_eq!(refresh_after(secs(8), 0), secs(4));
        assert_eq!(refresh_after(secs(1), 0), secs(1));
        for jitter in 0..1000 {
            let at = refresh_after(secs(300), jitter);
            assert!(at <= secs(270) && at >= secs(255), "{at:?}");
        }
    }

    #[test]
    fn the_granted_time_is_that_of_our_own_contact() {
        let mut response = Response::new(200, "OK");
        let contact = "192.0.2.7:5062".parse().unwrap();
        response.headers.push(Name::Expires, "77");
        let granted = |response: &Response, user| granted(response, user, contact, "1");
        assert_eq!(granted(&response, "me"), Some(Duration::from_secs(77)));
        response.headers.push(Name::Contact, "<sip:me@192.0.2.9:5062>;expires=1000");
        response.headers.push(Name::Contact, "<sip:me@192.0.2.7:5062;x=y>;expires=120");
        assert_eq!(granted(&response, "me"), Some(Duration::from_secs(120)));
        assert_eq!(granted(&response, "you"), Some(Duration::from_secs(77)));
        let own = format!("<sip:me@192.0.2.7:5062;{PARAMETER}=1>;expires=60");
        response.headers.push(Name::Contact, own);
        assert_eq!(granted(&response, "me"), Some(Duration::from_secs(60)));
    }
}
