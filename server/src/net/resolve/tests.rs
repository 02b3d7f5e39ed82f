#![allow(clippy::unwrap_used)]

use super::*;
use base::Seed;
use std::collections::{BTreeMap, HashMap};

const MINUTE: Duration = Duration::from_secs(60);
const ALL: Abilities =
    Abilities { transports: &[Protocol::Udp, Protocol::Tcp, Protocol::Tls], v4: true, v6: true };
const UDP_ONLY: Abilities = Abilities { transports: &[Protocol::Udp], v4: true, v6: false };

/// What the name servers of a test know; everything else does not exist.
#[derive(Default)]
struct Zone {
    answers: HashMap<Query, Answer>,
    asked: Vec<Query>,
    down: bool,
}

impl Zone {
    fn naptr(mut self, name: &str, records: &[(u16, u16, &str, &str, &str)]) -> Self {
        let records = records.iter().map(|(order, preference, flags, services, to)| Naptr {
            order: *order,
            preference: *preference,
            flags: (*flags).to_owned(),
            services: (*services).to_owned(),
            has_regexp: false,
            replacement: (*to).to_owned(),
        });
        let answer = Answer::Naptr(records.collect(), MINUTE * 5);
        self.answers.insert(Query::Naptr(name.to_owned()), answer);
        self
    }

    fn srv(mut self, name: &str, records: &[(u16, u16, u16, &str)]) -> Self {
        let records = records.iter().map(|(priority, weight, port, target)| Srv {
            priority: *priority,
            weight: *weight,
            port: *port,
            target: (*target).to_owned(),
        });
        let answer = Answer::Srv(records.collect(), MINUTE * 5);
        self.answers.insert(Query::Srv(name.to_owned()), answer);
        self
    }

    fn host(mut self, name: &str, addresses: &[&str]) -> Self {
        let addresses = addresses.iter().map(|ip| ip.parse().unwrap()).collect();
        let answer = Answer::Addresses(addresses, MINUTE * 5);
        self.answers.insert(Query::Addresses(name.to_owned()), answer);
        self
    }

    fn broken(mut self, query: Query) -> Self {
        self.answers.insert(query, Answer::Failed);
        self
    }

    fn find(&mut self, question: &Question, abilities: Abilities, seed: u64) -> Outcome {
        self.find_listed(question, false, abilities, seed)
    }

    fn find_listed(
        &mut self,
        question: &Question,
        listed: bool,
        abilities: Abilities,
        seed: u64,
    ) -> Outcome {
        let mut search = Search::new(question.clone(), listed, abilities, Seed::from_number(seed));
        for _ in 0..4 {
            if let Some(outcome) = search.outcome() {
                return outcome;
            }
            let queries = search.queries();
            assert!(!queries.is_empty() && queries.len() <= numbers::SERVERS);
            self.asked.extend(queries.iter().cloned());
            let answer = |query: &Query| match (self.down, self.answers.get(query)) {
                (true, _) => Answer::Failed,
                (false, Some(answer)) => answer.clone(),
                (false, None) => Answer::Absent(None),
            };
            search.handle_answers(queries.iter().map(answer).collect());
        }
        panic!("a search has three steps at most");
    }
}

fn question(text: &str) -> Question {
    let (host, transport) = match text.split_once(';') {
        Some((host, "udp")) => (host, Some(Protocol::Udp)),
        Some((host, "tcp")) => (host, Some(Protocol::Tcp)),
        Some((host, _)) => (host, Some(Protocol::Tls)),
        None => (text, None),
    };
    match host.rsplit_once(':').filter(|(before, _)| !before.contains(':')) {
        Some((host, port)) => {
            Question { host: host.to_owned(), port: port.parse().ok(), transport }
        }
        None => Question { host: host.to_owned(), port: None, transport },
    }
}

fn shown(outcome: &Outcome) -> Vec<String> {
    let shown = |target: &Target| {
        let name = format!("{:?}", target.protocol).to_lowercase();
        format!("{name} {}", target.address)
    };
    outcome.targets.iter().map(shown).collect()
}

/// RFC 3263 4.1 and 4.2, case by case.
#[test]
fn what_is_written_decides_what_is_asked() {
    let zone = || {
        Zone::default()
            .naptr(
                "a.example",
                &[
                    (50, 50, "s", "SIPS+D2T", "_sips._tcp.a.example"),
                    (90, 50, "s", "SIP+D2T", "_sip._tcp.a.example"),
                    (100, 50, "s", "SIP+D2U", "_sip._udp.a.example"),
                ],
            )
            .srv("_sips._tcp.a.example", &[(1, 0, 5061, "tls.a.example")])
            .srv("_sip._tcp.a.example", &[(1, 0, 5062, "one.a.example")])
            .srv(
                "_sip._udp.a.example",
                &[(2, 0, 5070, "two.a.example"), (1, 0, 5060, "one.a.example")],
            )
            .srv("_sip._udp.b.example", &[(1, 0, 5072, "two.a.example")])
            .srv("_sip._tcp.b.example", &[(1, 0, 5073, "one.a.example")])
            .srv("_sip._tcp.c.example", &[(1, 0, 5074, "one.a.example")])
            .srv("_sip._udp.none.example", &[(0, 0, 0, ".")])
            .host("none.example", &["192.0.2.9"])
            .host("tls.a.example", &["192.0.2.5"])
            .host("one.a.example", &["192.0.2.1"])
            .host("two.a.example", &["192.0.2.2"])
            .host("a.example", &["192.0.2.80"])
            .host("plain.example", &["192.0.2.3", "2001:db8::3"])
            .host("six.example", &["2001:db8::6"])
    };
    let table: &[(&str, Abilities, &[&str])] = &[
        // An address: nothing is asked.
        ("192.0.2.7", ALL, &["udp 192.0.2.7:5060"]),
        ("192.0.2.7:5071", ALL, &["udp 192.0.2.7:5071"]),
        ("192.0.2.7;tcp", ALL, &["tcp 192.0.2.7:5060"]),
        ("192.0.2.7;tls", ALL, &["tls 192.0.2.7:5061"]),
        ("2001:db8::7", ALL, &["udp [2001:db8::7]:5060"]),
        // A port: addresses only.
        ("a.example:5080", ALL, &["udp 192.0.2.80:5080"]),
        ("a.example:5080;tls", ALL, &["tls 192.0.2.80:5080"]),
        // A transport: its SRV records.
        ("a.example;udp", ALL, &["udp 192.0.2.1:5060", "udp 192.0.2.2:5070"]),
        ("a.example;tcp", ALL, &["tcp 192.0.2.1:5062"]),
        ("plain.example;tls", UDP_ONLY, &["tls 192.0.2.3:5061"]),
        // Nothing: NAPTR, of which the first that both sides have counts.
        ("a.example", ALL, &["tls 192.0.2.5:5061"]),
        ("a.example", UDP_ONLY, &["udp 192.0.2.1:5060", "udp 192.0.2.2:5070"]),
        // No NAPTR: SRV of every transport, ours first.
        ("b.example", ALL, &["udp 192.0.2.2:5072"]),
        ("c.example", ALL, &["tcp 192.0.2.1:5074"]),
        // No SRV either: the host itself.
        ("plain.example", ALL, &["udp 192.0.2.3:5060", "udp [2001:db8::3]:5060"]),
        ("plain.example", UDP_ONLY, &["udp 192.0.2.3:5060"]),
        ("six.example", UDP_ONLY, &[]),
        // The provider says that there is no such service (RFC 2782).
        ("none.example", ALL, &[]),
        ("nowhere.example", ALL, &[]),
    ];
    for (text, abilities, expected) in table {
        let outcome = zone().find(&question(text), *abilities, 1);
        assert_eq!(shown(&outcome), *expected, "{text} {abilities:?}");
        assert!(!outcome.failed, "{text}");
        let host = question(text).host;
        assert!(outcome.targets.iter().all(|target| target.name == host), "{text}");
    }
    let mut asked = zone();
    asked.find(&question("a.example:5080"), ALL, 1);
    assert_eq!(asked.asked, [Query::Addresses("a.example".into())]);
}

#[test]
fn naptr_records_that_are_not_for_us_are_passed_over() {
    let mut zone = Zone::default()
        .naptr(
            "a.example",
            &[
                (1, 1, "u", "E2U+sip", "."),
                (2, 1, "s", "SIP+D2S", "_sip._sctp.a.example"),
                (3, 1, "a", "SIP+D2U", "one.a.example"),
                (4, 1, "s", "SIP+D2U", "."),
                (5, 2, "S", "sip+d2u", "second.a.example"),
                (5, 1, "s", "SIP+D2T", "first.a.example"),
                (6, 1, "s", "SIP+D2U", "never.a.example"),
            ],
        )
        .srv("first.a.example", &[(1, 0, 5061, "one.a.example")])
        .srv("second.a.example", &[(1, 0, 5062, "one.a.example")])
        .srv("never.a.example", &[(1, 0, 5063, "one.a.example")])
        .host("one.a.example", &["192.0.2.1"]);
    let outcome = zone.find(&question("a.example"), ALL, 1);
    assert_eq!(shown(&outcome), ["tcp 192.0.2.1:5061", "udp 192.0.2.1:5062"]);
}

#[test]
fn services_of_one_order_are_all_meant_whatever_their_names() {
    let mut zone = Zone::default()
        .naptr(
            "a.example",
            &[
                (50, 1, "s", "SIPS+D2T", "_sips._tcp.a.example"),
                (50, 2, "s", "SIP+D2U", "_sip._udp.a.example"),
            ],
        )
        .srv("_sips._tcp.a.example", &[(1, 0, 5061, "one.a.example")])
        .srv("_sip._udp.a.example", &[(1, 0, 5060, "one.a.example")])
        .host("one.a.example", &["192.0.2.1"]);
    let outcome = zone.find(&question("a.example"), ALL, 1);
    assert_eq!(shown(&outcome), ["tls 192.0.2.1:5061", "udp 192.0.2.1:5060"]);
}

#[test]
fn weights_share_the_clients_out_and_zero_gets_little() {
    let records = [
        (10, 60, 1, "big.example"),
        (10, 20, 2, "small.example"),
        (10, 20, 3, "other.example"),
        (10, 0, 4, "spare.example"),
        (20, 0, 5, "last.example"),
    ];
    let mut zone = Zone::default().srv("_sip._udp.a.example", &records);
    for (number, (.., name)) in records.iter().enumerate() {
        zone = zone.host(name, &[&format!("192.0.2.{}", number + 1)]);
    }
    let mut first: BTreeMap<u16, u32> = BTreeMap::new();
    for seed in 0..2000 {
        let outcome = zone.find(&question("a.example;udp"), ALL, seed);
        let ports: Vec<u16> = outcome.targets.iter().map(|to| to.address.port()).collect();
        assert_eq!(ports.len(), 5);
        assert_eq!(ports.last(), Some(&5), "a lower priority comes last");
        *first.entry(ports[0]).or_default() += 1;
    }
    let of = |port| first.get(&port).copied().unwrap_or_default();
    assert!((1100..1300).contains(&of(1)), "{first:?}");
    assert!((320..480).contains(&of(2)) && (320..480).contains(&of(3)), "{first:?}");
    assert!(of(4) < 60, "{first:?}");
}

#[test]
fn the_same_records_in_another_order_give_the_same_servers_in_the_same_order() {
    let forwards = [(1, 5, 1, "a.example"), (1, 5, 2, "b.example"), (1, 9, 3, "c.example")];
    let backwards = [forwards[2], forwards[1], forwards[0]];
    for seed in 0..50 {
        let found = |records: &[(u16, u16, u16, &str)], ips: &[&str]| {
            let mut zone = Zone::default().srv("_sip._udp.x.example", records);
            for (.., host) in forwards {
                zone = zone.host(host, ips);
            }
            zone.find(&question("x.example;udp"), ALL, seed)
        };
        let one = found(&forwards, &["192.0.2.1", "192.0.2.2"]);
        let other = found(&backwards, &["192.0.2.2", "192.0.2.1"]);
        assert_eq!(one.targets, other.targets, "seed {seed}");
    }
}

#[test]
fn one_server_with_many_addresses_leaves_room_for_the_next() {
    let many: Vec<String> = (1..100).map(|n| format!("192.0.2.{n}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let servers: Vec<(u16, u16, u16, String)> =
        (0..100).map(|n| (n, 0, 5060, format!("s{n}.example"))).collect();
    let servers: Vec<(u16, u16, u16, &str)> =
        servers.iter().map(|(a, b, c, name)| (*a, *b, *c, name.as_str())).collect();
    let mut zone = Zone::default().srv("_sip._udp.a.example", &servers);
    for (.., name) in &servers {
        zone = zone.host(name, &many);
    }
    let outcome = zone.find(&question("a.example;udp"), ALL, 7);
    assert_eq!(outcome.targets.len(), numbers::TARGETS);
    assert_eq!(outcome.peers.len(), numbers::PEERS, "all that may call, within bounds");
    assert!(zone.asked.len() <= 1 + numbers::SERVERS);
}

#[test]
fn a_name_server_that_knows_no_srv_does_not_hide_the_addresses() {
    let query = |prefix: &str| Query::Srv(format!("{prefix}a.example"));
    let mut zone = Zone::default()
        .broken(Query::Naptr("a.example".into()))
        .broken(query("_sip._udp."))
        .broken(query("_sip._tcp."))
        .broken(query("_sips._tcp."))
        .host("a.example", &["192.0.2.1"]);
    let outcome = zone.find(&question("a.example"), ALL, 1);
    assert_eq!(shown(&outcome), ["udp 192.0.2.1:5060"]);
    assert!(outcome.failed);
    zone.down = true;
    let outcome = zone.find(&question("a.example"), ALL, 1);
    assert_eq!((outcome.targets.len(), outcome.failed), (0, true));
    assert_eq!(outcome.again_after, numbers::AFTER_FAILURE);
}

#[test]
fn a_name_of_the_table_of_hosts_needs_no_name_server() {
    let mut zone = Zone::default().host("pbx", &["127.0.0.1"]);
    let outcome = zone.find_listed(&question("pbx"), true, ALL, 1);
    assert_eq!(shown(&outcome), ["udp 127.0.0.1:5060"]);
    assert_eq!(zone.asked, [Query::Addresses("pbx".into())]);
}

#[test]
fn answers_hold_as_long_as_the_shortest_of_them_within_bounds() {
    let hold = |seconds| {
        let mut zone = Zone::default();
        let ip = vec!["192.0.2.1".parse().unwrap()];
        let answer = Answer::Addresses(ip, Duration::from_secs(seconds));
        zone.answers.insert(Query::Addresses("a.example".into()), answer);
        zone.find(&question("a.example:5060"), ALL, 1).again_after
    };
    assert_eq!(hold(0), numbers::SHORTEST);
    assert_eq!(hold(120), Duration::from_secs(120));
    assert_eq!(hold(1_000_000), numbers::LONGEST);
    let mut zone = Zone::default().host("a.example", &["192.0.2.1"]);
    let absent = Answer::Absent(Some(Duration::from_secs(45)));
    zone.answers.insert(Query::Naptr("a.example".into()), absent);
    let outcome = zone.find(&question("a.example"), ALL, 1);
    assert_eq!(outcome.again_after, Duration::from_secs(45), "the absence may end before the rest");
}

/// Any answers in any number: three steps, bounded lists, no panic.
#[test]
fn whatever_is_answered_a_search_ends_and_stays_within_its_bounds() {
    for number in 0..3000 {
        let mut seed = Seed::from_number(number);
        let name = |seed: &mut Seed| match seed.below(4) {
            0 => ".".to_owned(),
            1 => String::new(),
            n => format!("h{n}.example."),
        };
        let text = ["a.example", "a.example:9", "a.example;tcp", "a.example;tls"];
        let question = question(text[seed.below(4) as usize]);
        let mut search = Search::new(question, number % 7 == 0, ALL, Seed::from_number(number));
        let mut steps = 0;
        while search.outcome().is_none() {
            steps += 1;
            assert!(steps <= 3, "seed {number}");
            let count = search.queries().len() as u64 + seed.below(3);
            let answers = (0..count.saturating_sub(seed.below(2))).map(|_| match seed.below(5) {
                0 => Answer::Failed,
                1 => Answer::Absent(None),
                2 => {
                    let records = (0..seed.below(30)).map(|_| Naptr {
                        order: seed.below(3) as u16,
                        preference: seed.below(3) as u16,
                        flags: "s".into(),
                        services: ["SIP+D2U", "SIP+D2T", "x"][seed.below(3) as usize].into(),
                        has_regexp: seed.below(5) == 0,
                        replacement: name(&mut seed),
                    });
                    Answer::Naptr(records.collect(), MINUTE)
                }
                3 => {
                    let records = (0..seed.below(300)).map(|_| Srv {
                        priority: seed.below(3) as u16,
                        weight: seed.u32() as u16,
                        port: seed.below(3) as u16,
                        target: name(&mut seed),
                    });
                    Answer::Srv(records.collect(), MINUTE)
                }
                _ => {
                    let ips = (0..seed.below(300)).map(|_| IpAddr::from(seed.u32().to_be_bytes()));
                    Answer::Addresses(ips.collect(), MINUTE)
                }
            });
            search.handle_answers(answers.collect());
        }
        let outcome = search.outcome().unwrap();
        assert!(outcome.targets.len() <= numbers::TARGETS, "seed {number}");
        let real = |to: &Target| to.address != SocketAddr::from(([0, 0, 0, 0], 0));
        assert!(outcome.targets.iter().all(|to| to.address.port() > 0 && real(to)));
    }
}
