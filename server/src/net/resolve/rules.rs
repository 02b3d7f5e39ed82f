//! What to ask, given what was answered (RFC 3263 4.1 and 4.2).

use super::numbers::{self, SERVICES};
use super::{Abilities, Answer, Naptr, Outcome, Query, Question, Srv, weights};
use base::{Protocol, Seed};
use sip::Target;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// An SRV name and the transport that its servers speak.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Service {
    protocol: Protocol,
    name: String,
}

/// A server whose addresses are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Server {
    protocol: Protocol,
    host: String,
    port: u16,
}

/// Where a search stands. Each step asks all its questions together, so that a search takes no
/// longer than three answers.
///
/// ```text
///             no port, no transport
///   question -----------------------> Naptr
///     |  |  |                           |  services, or one for each transport
///     |  |  | no port, a transport      v
///     |  |  +------------------------> Srv
///     |  |                              |  servers, or the host at the default port
///     |  | a port                       v
///     |  +--------------------------> Addresses
///     | an address                      |
///     v                                 v
///   Done <------------------------------+
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Naptr,
    /// SRV names that the provider named, or, as a choice, one for each transport.
    Srv {
        services: Vec<Service>,
        choice: bool,
    },
    Addresses(Vec<Server>),
    Done(Vec<Target>),
}

/// One search for the servers of a name: `queries`, then `handle_answers`, until there is an
/// `outcome`.
#[derive(Debug)]
pub struct Search {
    question: Question,
    abilities: Abilities,
    seed: Seed,
    state: State,
    /// The shortest time that any of the answers holds.
    holds: Option<Duration>,
    failed: bool,
    peers: Vec<IpAddr>,
}

impl Search {
    /// A search. `listed`: the machine's own table of hosts has the name, and no name server is
    /// asked for records that such a table cannot hold.
    pub fn new(question: Question, listed: bool, abilities: Abilities, seed: Seed) -> Self {
        let mut search = Search {
            question,
            abilities,
            seed,
            state: State::Naptr,
            holds: None,
            failed: false,
            peers: Vec::new(),
        };
        let Question { host, port, transport } = search.question.clone();
        // Without a word on the transport, whoever writes an address or a port means UDP (4.1).
        let protocol = transport.unwrap_or(Protocol::Udp);
        let port_or_default = port.unwrap_or(numbers::default_port(protocol));
        search.state = if let Some(targets) = search.question.targets() {
            State::Done(targets)
        } else if port.is_some() || listed {
            State::Addresses(vec![Server { protocol, host, port: port_or_default }])
        } else if transport.is_some() {
            State::Srv { services: search.services(&[protocol]), choice: false }
        } else {
            State::Naptr
        };
        search
    }

    /// What to ask now, all at once; nothing when the search is over.
    pub fn queries(&self) -> Vec<Query> {
        match &self.state {
            State::Naptr => vec![Query::Naptr(self.question.host.clone())],
            State::Srv { services, .. } => {
                services.iter().map(|service| Query::Srv(service.name.clone())).collect()
            }
            State::Addresses(servers) => {
                servers.iter().map(|server| Query::Addresses(server.host.clone())).collect()
            }
            State::Done(_) => Vec::new(),
        }
    }

    /// The answers to [`Search::queries`], one for each in their order; a missing one counts as
    /// failed, one of another kind as absent.
    pub fn handle_answers(&mut self, answers: Vec<Answer>) {
        for answer in &answers {
            self.note(answer);
        }
        let expected = self.queries().len();
        self.failed |= answers.len() < expected;
        self.state = match std::mem::replace(&mut self.state, State::Naptr) {
            State::Naptr => self.after_naptr(answers),
            State::Srv { services, choice } => self.after_srv(&services, choice, answers),
            State::Addresses(servers) => State::Done(self.targets(&servers, answers)),
            State::Done(targets) => State::Done(targets),
        };
    }

    /// What was found, once the search is over.
    pub fn outcome(&self) -> Option<Outcome> {
        let State::Done(targets) = &self.state else { return None };
        let holds = self.holds.unwrap_or(numbers::UNSAID);
        let again_after = match (self.failed, targets.is_empty()) {
            (true, true) => numbers::AFTER_FAILURE,
            (true, false) => numbers::SHORTEST,
            (false, _) => holds.clamp(numbers::SHORTEST, numbers::LONGEST),
        };
        let (mut peers, failed) = (self.peers.clone(), self.failed);
        peers.extend(self.question.literal());
        Some(Outcome { targets: targets.clone(), peers, again_after, failed })
    }

    fn note(&mut self, answer: &Answer) {
        let holds = match answer {
            Answer::Naptr(_, holds) | Answer::Srv(_, holds) | Answer::Addresses(_, holds) => *holds,
            Answer::Absent(holds) => holds.unwrap_or(numbers::UNSAID),
            Answer::Failed => {
                self.failed = true;
                return;
            }
        };
        self.holds = Some(self.holds.map_or(holds, |known| known.min(holds)));
    }

    /// The SRV names of the host for these transports.
    fn services(&self, protocols: &[Protocol]) -> Vec<Service> {
        let named = protocols.iter().filter_map(|protocol| {
            let (_, prefix, _) = SERVICES.iter().find(|(.., known)| known == protocol)?;
            Some(Service { protocol: *protocol, name: format!("{prefix}{}", self.question.host) })
        });
        named.collect()
    }

    fn after_naptr(&self, answers: Vec<Answer>) -> State {
        let records = match answers.into_iter().next() {
            Some(Answer::Naptr(records, _)) => records,
            _ => Vec::new(),
        };
        let chosen = self.chosen(records);
        if chosen.is_empty() {
            let services = self.services(self.abilities.transports);
            return State::Srv { services, choice: true };
        }
        State::Srv { services: chosen, choice: false }
    }

    /// The usable records of the lowest order that has any. Higher orders are left alone even if
    /// those servers fail (RFC 3403 4.1): a provider that wants TLS is not asked in the clear.
    fn chosen(&self, records: Vec<Naptr>) -> Vec<Service> {
        let mut usable: Vec<(Naptr, Protocol)> = records
            .into_iter()
            .filter_map(|record| {
                let (.., protocol) = SERVICES
                    .iter()
                    .find(|(service, ..)| record.services.eq_ignore_ascii_case(service))?;
                let simple = record.flags.eq_ignore_ascii_case("s")
                    && !record.has_regexp
                    && is_host(&record.replacement);
                (simple && self.abilities.transports.contains(protocol))
                    .then_some((record, *protocol))
            })
            .collect();
        let lowest = usable.iter().map(|(record, _)| record.order).min();
        usable.retain(|(record, _)| Some(record.order) == lowest);
        usable.sort_by_key(|(record, _)| record.preference);
        usable.truncate(numbers::SERVICE_NAMES);
        let service =
            |(record, protocol): (Naptr, Protocol)| Service { protocol, name: record.replacement };
        usable.into_iter().map(service).collect()
    }

    fn after_srv(&mut self, services: &[Service], choice: bool, answers: Vec<Answer>) -> State {
        let host = self.question.host.clone();
        let mut servers = Vec::new();
        let mut declined = false;
        for (service, answer) in services.iter().zip(answers) {
            let Answer::Srv(records, _) = answer else { continue };
            let real: Vec<Srv> =
                records.into_iter().filter(|record| is_host(&record.target)).collect();
            declined |= real.is_empty();
            // Of a choice of transports one is enough; those that the provider named by NAPTR are
            // all meant, one behind the other.
            if choice && !servers.is_empty() {
                continue;
            }
            servers.extend(weights::order(real, &mut self.seed).into_iter().map(|record| Server {
                protocol: service.protocol,
                host: record.target,
                port: record.port,
            }));
        }
        servers.retain(|server: &Server| server.port > 0);
        servers.truncate(numbers::SERVERS);
        if !servers.is_empty() {
            return State::Addresses(servers);
        }
        if declined {
            // The provider says that there is no such service (RFC 2782, target ".").
            return State::Done(Vec::new());
        }
        // No SRV records: the host itself, at the default port (4.2).
        let one = self.question.transport.or(match services {
            [only] => Some(only.protocol),
            _ => None,
        });
        let protocol = one.unwrap_or(Protocol::Udp);
        let port = numbers::default_port(protocol);
        State::Addresses(vec![Server { protocol, host, port }])
    }

    fn targets(&mut self, servers: &[Server], answers: Vec<Answer>) -> Vec<Target> {
        let mut targets: Vec<Target> = Vec::new();
        for (server, answer) in servers.iter().zip(answers) {
            let Answer::Addresses(addresses, _) = answer else { continue };
            for ip in &addresses {
                if self.peers.len() < numbers::PEERS && !self.peers.contains(ip) {
                    self.peers.push(*ip);
                }
            }
            for ip in self.shuffled(addresses) {
                let address = SocketAddr::new(ip, server.port);
                let name = self.question.host.clone();
                let target = Target { protocol: server.protocol, address, name };
                if !targets.contains(&target) {
                    targets.push(target);
                }
            }
        }
        targets.truncate(numbers::TARGETS);
        targets
    }

    /// The addresses that can be sent to, in an order that is the same each time and different on
    /// each machine; IPv4 first, since it is IPv6 that is missing on the way to a provider.
    fn shuffled(&mut self, mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
        let Abilities { v4, v6, .. } = self.abilities;
        addresses.retain(|ip| if ip.is_ipv4() { v4 } else { v6 });
        addresses.sort_unstable();
        addresses.dedup();
        let mut drawn: Vec<(bool, u64, IpAddr)> =
            addresses.into_iter().map(|ip| (ip.is_ipv6(), self.seed.u64(), ip)).collect();
        drawn.sort_unstable();
        drawn.truncate(numbers::ADDRESSES_EACH);
        drawn.into_iter().map(|(.., ip)| ip).collect()
    }
}

/// Whether a record names a host; the root says that there is none (RFC 2782).
fn is_host(name: &str) -> bool {
    !name.trim_end_matches('.').is_empty()
}
