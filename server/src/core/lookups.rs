//! The names of providers' servers: which are wanted, what is known of them, when to ask again.

use crate::config::HostPort;
use crate::net::resolve::{Outcome, Question, numbers};
use base::Protocol;
use sip::Target;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// An unanswered look-up is asked again: later than the resolver gives up by itself.
const LOOK_UP_WITHIN: Duration = Duration::from_secs(40);
/// Where a name has servers no more, those that it had stay in use this long.
const KEEP: Duration = numbers::LONGEST;
/// Names known at once; page-supplied accounts come from a configured list, so this is ample.
const NAMES: usize = 512;

#[derive(Debug, Default)]
struct Lookup {
    targets: Vec<Target>,
    peers: Vec<IpAddr>,
    /// When to ask again; none before the first question.
    again_at: Option<Instant>,
    /// When servers were found last.
    found_at: Option<Instant>,
    /// Whether a name server failed on the way to them.
    failed: bool,
}

/// All names of a shard's accounts.
#[derive(Debug, Default)]
pub(super) struct Lookups {
    known: HashMap<Question, Lookup>,
    wanted: HashSet<Question>,
    /// When a name must be looked up again.
    again_at: Option<Instant>,
}

impl Lookups {
    /// Wants nothing any more; what is known stays until [`Lookups::forget_unwanted`].
    pub(super) fn begin(&mut self) {
        self.wanted.clear();
    }

    /// A host's servers are wanted.
    pub(super) fn want(&mut self, host: &HostPort, transport: Option<Protocol>) {
        self.wanted.insert(question(host, transport));
    }

    /// What nobody wants is known no more.
    pub(super) fn forget_unwanted(&mut self) {
        self.known.retain(|question, _| self.wanted.contains(question));
    }

    /// Whether something is to be looked up now.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        self.again_at.is_some_and(|at| at <= now)
    }

    /// When a name must be looked up again.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.again_at
    }

    /// Everything that is due was asked.
    pub(super) fn settled(&mut self) {
        let wanted = self.wanted.iter().filter(|question| question.literal().is_none());
        let again = wanted.filter_map(|question| self.known.get(question)?.again_at);
        self.again_at = again.min();
    }

    /// Names to look up now.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Question> {
        let due = self.wanted.iter().find(|question| {
            let again_at = self.known.get(*question).and_then(|lookup| lookup.again_at);
            question.literal().is_none() && again_at.is_none_or(|at| at <= now)
        })?;
        let due = due.clone();
        if self.known.len() >= NAMES && !self.known.contains_key(&due) {
            self.known.clear();
        }
        self.known.entry(due.clone()).or_default().again_at = Some(now + LOOK_UP_WITHIN);
        Some(due)
    }

    /// A name's servers have come. The old ones stay in use where name servers fail, and for a
    /// while where the name has none any more.
    pub(super) fn resolved(&mut self, now: Instant, question: &Question, outcome: Outcome) {
        let Some(lookup) = self.known.get_mut(question) else { return };
        lookup.again_at = Some(now + outcome.again_after);
        let kept = lookup.found_at.is_some_and(|at| outcome.failed || at + KEEP > now);
        let worse = outcome.targets.is_empty() || (outcome.failed && !lookup.failed);
        if kept && worse {
            return;
        }
        if lookup.targets != outcome.targets {
            let servers: Vec<String> = outcome.targets.iter().map(server_text).collect();
            tracing::info!(name = %question, servers = %servers.join(", "), "servers found");
        }
        lookup.found_at = (!outcome.targets.is_empty()).then_some(now);
        lookup.failed = outcome.failed;
        (lookup.targets, lookup.peers) = (outcome.targets, outcome.peers);
    }

    /// The servers behind a host, in the order of trying; none while its addresses are not known.
    pub(super) fn targets(&self, host: &HostPort, transport: Option<Protocol>) -> Vec<Target> {
        let question = question(host, transport);
        match question.targets() {
            Some(targets) => targets,
            None => self.known.get(&question).map(|l| l.targets.clone()).unwrap_or_default(),
        }
    }

    /// Every address behind a host, known so far.
    pub(super) fn peers(&self, host: &HostPort, transport: Option<Protocol>) -> Vec<IpAddr> {
        let question = question(host, transport);
        match question.literal() {
            Some(ip) => vec![ip],
            None => self.known.get(&question).map(|l| l.peers.clone()).unwrap_or_default(),
        }
    }
}

/// What is looked up for a host.
fn question(host: &HostPort, transport: Option<Protocol>) -> Question {
    Question { host: host.host.clone(), port: host.port, transport }
}

/// A server as the log shows it.
fn server_text(target: &Target) -> String {
    let protocol = match target.protocol {
        Protocol::Udp => "udp",
        Protocol::Tcp => "tcp",
        Protocol::Tls => "tls",
    };
    format!("{protocol}:{}", target.address)
}
