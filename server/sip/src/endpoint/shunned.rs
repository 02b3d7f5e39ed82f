//! Servers that have just failed: calls try them last for a while, so that a first server that is
//! down costs one call its patience and not every call.

use crate::limits;
use crate::target::Target;
use crate::transaction::Hop;
use base::Protocol;
use std::net::SocketAddr;
use std::time::Instant;

/// The servers that failed, the latest last.
#[derive(Debug, Default)]
pub(crate) struct Shunned {
    until: Vec<(Protocol, SocketAddr, Instant)>,
}

impl Shunned {
    /// A call was given up at this server.
    pub(crate) fn note(&mut self, now: Instant, hop: Hop) {
        self.forgive(hop);
        self.until.retain(|(.., until)| *until > now);
        if self.until.len() >= limits::SHUNNED {
            self.until.remove(0);
        }
        self.until.push((hop.protocol, hop.remote, now + limits::SHUN_FOR));
    }

    /// The server answers.
    pub(crate) fn forgive(&mut self, hop: Hop) {
        self.until
            .retain(|(protocol, address, _)| (*protocol, *address) != (hop.protocol, hop.remote));
    }

    /// Puts those that failed behind those that did not; the order is else kept.
    pub(crate) fn sort(&self, now: Instant, targets: &mut [Target]) {
        targets.sort_by_key(|target| {
            self.until.iter().any(|(protocol, address, until)| {
                (*protocol, *address) == (target.protocol, target.address) && *until > now
            })
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn target(port: u16) -> Target {
        Target::udp(SocketAddr::from(([192, 0, 2, 1], port)))
    }

    fn hop(port: u16) -> Hop {
        Hop::udp(SocketAddr::from(([192, 0, 2, 9], 5060)), target(port).address)
    }

    fn sorted(shunned: &Shunned, now: Instant) -> Vec<u16> {
        let mut targets = [target(1), target(2), target(3)];
        shunned.sort(now, &mut targets);
        targets.map(|target| target.address.port()).to_vec()
    }

    #[test]
    fn a_server_that_failed_comes_last_for_a_minute_or_until_it_answers() {
        let now = Instant::now();
        let mut shunned = Shunned::default();
        shunned.note(now, hop(1));
        assert_eq!(sorted(&shunned, now), [2, 3, 1]);
        shunned.note(now + Duration::from_secs(5), hop(2));
        assert_eq!(sorted(&shunned, now), [3, 1, 2]);
        shunned.forgive(hop(1));
        assert_eq!(sorted(&shunned, now), [1, 3, 2]);
        assert_eq!(sorted(&shunned, now + limits::SHUN_FOR * 2), [1, 2, 3]);
    }

    #[test]
    fn no_more_than_so_many_are_remembered() {
        let now = Instant::now();
        let mut shunned = Shunned::default();
        for port in 0..1000 {
            shunned.note(now, hop(port));
        }
        assert_eq!(shunned.until.len(), limits::SHUNNED);
        assert_eq!(sorted(&shunned, now), [1, 2, 3]);
    }
}
