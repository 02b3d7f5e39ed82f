//! The thin shell: questions of a search to the system's name servers and back.

use super::{Abilities, Answer, Naptr, Outcome, Query, Question, Search, Srv};
use base::Seed;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Hosts, Resolver, TokioResolver, proto, system_conf};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A name server has this long for one try.
const TRY: Duration = Duration::from_secs(2);
/// Tries beyond the first.
const RETRIES: usize = 1;

/// A search that takes longer than its three rounds of tries has failed: a long search list, or a
/// name server that answers with other work.
const WITHIN: Duration = Duration::from_secs(20);

/// Carries out one search.
pub async fn search(question: Question, abilities: Abilities, seed: Seed) -> Outcome {
    let found = tokio::time::timeout(WITHIN, rounds(question, abilities, seed)).await;
    found.unwrap_or_else(|_| Outcome::failed())
}

async fn rounds(question: Question, abilities: Abilities, seed: Seed) -> Outcome {
    let system = System::read(abilities);
    let listed = system.lists(&question.host);
    let mut search = Search::new(question, listed, abilities, seed);
    loop {
        if let Some(outcome) = search.outcome() {
            return outcome;
        }
        let asked = search.queries().into_iter().map(|query| system.ask(query));
        search.handle_answers(futures_util::future::join_all(asked).await);
    }
}

/// The machine's table of hosts and its name servers. Read anew for each search, which is seldom:
/// so a changed /etc/resolv.conf or /etc/hosts is in force without a restart.
struct System {
    resolver: Option<TokioResolver>,
    hosts: Arc<Hosts>,
}

impl System {
    fn read(abilities: Abilities) -> System {
        let hosts = Arc::new(Hosts::from_system().unwrap_or_default());
        let (config, mut options) = system_conf::read_system_conf().unwrap_or_else(|_| {
            // Where nothing is said it is the machine itself (resolv.conf(5)).
            let local = NameServerConfig::udp_and_tcp(IpAddr::V4(Ipv4Addr::LOCALHOST));
            let config = ResolverConfig::from_parts(None, Vec::new(), vec![local]);
            (config, ResolverOpts::default())
        });
        options.timeout = TRY;
        options.attempts = RETRIES;
        options.ip_strategy = match (abilities.v4, abilities.v6) {
            (true, false) => LookupIpStrategy::Ipv4Only,
            (false, true) => LookupIpStrategy::Ipv6Only,
            _ => LookupIpStrategy::Ipv4AndIpv6,
        };
        let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options;
        let resolver = builder.build().map(|mut resolver| {
            resolver.set_hosts(Arc::clone(&hosts));
            resolver
        });
        if let Err(error) = &resolver {
            tracing::warn!(%error, "the system's name servers cannot be used");
        }
        System { resolver: resolver.ok(), hosts }
    }

    /// Whether the table of hosts has a name. `localhost` is never asked for (RFC 6761 6.3).
    fn lists(&self, host: &str) -> bool {
        let Ok(name) = Name::from_ascii(host) else { return false };
        name.is_localhost()
            || [RecordType::A, RecordType::AAAA].into_iter().any(|kind| {
                let query = proto::op::Query::query(name.clone(), kind);
                self.hosts.lookup_static_host(&query).is_some()
            })
    }

    async fn ask(&self, query: Query) -> Answer {
        let Some(resolver) = &self.resolver else { return Answer::Failed };
        let answer = match &query {
            Query::Naptr(name) => naptr(resolver, name).await,
            Query::Srv(name) => srv(resolver, name).await,
            Query::Addresses(host) => addresses(resolver, host).await,
        };
        answer.unwrap_or_else(|error| match error {
            NetError::Dns(DnsError::NoRecordsFound(none)) => {
                let seconds = none.negative_ttl.map(u64::from);
                Answer::Absent(seconds.map(Duration::from_secs))
            }
            error => {
                tracing::debug!(?query, %error, "a name server failed");
                Answer::Failed
            }
        })
    }
}

async fn naptr(resolver: &TokioResolver, name: &str) -> Result<Answer, NetError> {
    let found = resolver.lookup(absolute(name)?, RecordType::NAPTR).await?;
    let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
    let records = found.answers().iter().filter_map(|record| match &record.data {
        RData::NAPTR(naptr) => Some(Naptr {
            order: naptr.order,
            preference: naptr.preference,
            flags: text(&naptr.flags),
            services: text(&naptr.services),
            has_regexp: !naptr.regexp.is_empty(),
            replacement: naptr.replacement.to_ascii(),
        }),
        _ => None,
    });
    let records: Vec<Naptr> = records.collect();
    Ok(if records.is_empty() {
        Answer::Absent(None)
    } else {
        Answer::Naptr(records, holds(&found))
    })
}

async fn srv(resolver: &TokioResolver, name: &str) -> Result<Answer, NetError> {
    let found = resolver.lookup(absolute(name)?, RecordType::SRV).await?;
    let records = found.answers().iter().filter_map(|record| match &record.data {
        RData::SRV(srv) => Some(Srv {
            priority: srv.priority,
            weight: srv.weight,
            port: srv.port,
            target: srv.target.to_ascii(),
        }),
        _ => None,
    });
    let records: Vec<Srv> = records.collect();
    Ok(if records.is_empty() { Answer::Absent(None) } else { Answer::Srv(records, holds(&found)) })
}

async fn addresses(resolver: &TokioResolver, host: &str) -> Result<Answer, NetError> {
    let found = resolver.lookup_ip(Name::from_ascii(host)?).await?;
    let addresses: Vec<IpAddr> = found.iter().collect();
    Ok(match addresses.is_empty() {
        true => Answer::Absent(None),
        false => Answer::Addresses(addresses, holds(found.as_lookup())),
    })
}

/// A name that no search list is applied to.
fn absolute(name: &str) -> Result<Name, NetError> {
    let mut name = Name::from_ascii(name)?;
    name.set_fqdn(true);
    Ok(name)
}

/// How long an answer holds: the shortest of its records' times, aliases included.
fn holds(found: &Lookup) -> Duration {
    found.valid_until().saturating_duration_since(Instant::now())
}
