//! What look-ups do to accounts, and where a button's calls go.

use super::accounts::Accounts;
use super::sim::named_config;
use crate::config::{Config, HostPort};
use crate::net::resolve::{Outcome, Question};
use base::AccountId;
use sip::Target;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

fn at(number: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, number], 5060))
}

fn found(servers: &[u8], failed: bool) -> Outcome {
    let targets: Vec<Target> = servers.iter().map(|number| Target::udp(at(*number))).collect();
    let peers = targets.iter().map(|target| target.address.ip()).collect();
    Outcome { targets, peers, again_after: Duration::from_secs(30), failed }
}

/// A provider that has a name and no port.
fn config() -> Config {
    let mut config = named_config();
    for account in config.accounts.values_mut() {
        account.registrar.port = None;
    }
    config
}

/// The accounts of a provider that has a name, and the question that is asked for it.
fn accounts(config: &Config, now: Instant) -> (Accounts, Question) {
    let mut accounts = Accounts::default();
    accounts.configure(config);
    let question = accounts.poll_lookup(now).expect("a name to look up");
    (accounts, question)
}

fn servers(accounts: &Accounts, id: AccountId, destination: &str) -> Vec<SocketAddr> {
    accounts.next_hops(id, destination).iter().map(|target| target.address).collect()
}

#[test]
fn old_servers_stay_in_use_while_name_servers_fail_and_for_an_hour_after_the_name_is_gone() {
    let now = Instant::now();
    let config = config();
    let destination = config.buttons["long"].destination.clone();
    let (mut accounts, question) = accounts(&config, now);
    let id = accounts.by_name("account").expect("an account");
    assert!(servers(&accounts, id, &destination).is_empty());
    accounts.resolved(now, &question, found(&[1, 2], false));
    assert_eq!(servers(&accounts, id, &destination), [at(1), at(2)]);
    // Half of the records came: what is known in full is better.
    accounts.resolved(now, &question, found(&[3], true));
    assert_eq!(servers(&accounts, id, &destination), [at(1), at(2)]);
    let days = now + Duration::from_secs(200_000);
    accounts.resolved(days, &question, found(&[], true));
    assert_eq!(servers(&accounts, id, &destination), [at(1), at(2)]);
    accounts.resolved(days, &question, found(&[4], false));
    assert_eq!(servers(&accounts, id, &destination), [at(4)]);
    let soon = days + Duration::from_secs(1800);
    accounts.resolved(soon, &question, found(&[], false));
    assert_eq!(servers(&accounts, id, &destination), [at(4)]);
    let late = days + Duration::from_secs(3601);
    accounts.resolved(late, &question, found(&[], false));
    assert!(servers(&accounts, id, &destination).is_empty());
}

#[test]
fn what_a_failing_name_server_tells_is_used_where_nothing_else_is_known() {
    let now = Instant::now();
    let config = config();
    let destination = config.buttons["long"].destination.clone();
    let (mut accounts, question) = accounts(&config, now);
    let id = accounts.by_name("account").expect("an account");
    accounts.resolved(now, &question, found(&[1], true));
    assert_eq!(servers(&accounts, id, &destination), [at(1)]);
    // It goes on failing in the same way, and the provider moves.
    accounts.resolved(now, &question, found(&[2], true));
    assert_eq!(servers(&accounts, id, &destination), [at(2)]);
}

#[test]
fn a_name_is_asked_for_again_when_its_answer_is_old_and_not_before() {
    let now = Instant::now();
    let (mut accounts, question) = accounts(&config(), now);
    accounts.resolved(now, &question, found(&[1], false));
    assert_eq!(accounts.poll_lookup(now), None);
    accounts.settled();
    assert!(!accounts.is_unsettled(now + Duration::from_secs(29)));
    assert!(accounts.is_unsettled(now + Duration::from_secs(30)));
    assert!(accounts.poll_lookup(now + Duration::from_secs(30)).is_some());
}

#[test]
fn a_destination_at_one_of_the_providers_goes_to_the_provider_of_the_account_that_calls() {
    let mut config = config();
    let mut add = |name: &str, host: &str, port| {
        let mut account = config.accounts["account"].clone();
        account.registrar = HostPort { host: host.to_owned(), port };
        config.accounts.insert(name.to_owned(), account);
    };
    add("main", "main.example", None);
    add("backup", "192.0.2.9", Some(5070));
    let mut accounts = Accounts::default();
    accounts.configure(&config);
    let ids: Vec<AccountId> =
        ["main", "backup"].iter().filter_map(|name| accounts.by_name(name)).collect();
    let [main, backup] = ids[..] else { panic!("two accounts") };
    let written = "sip:+7495@main.example;user=phone";
    assert_eq!(accounts.destination(main, written, &ids), written);
    let moved = accounts.destination(backup, written, &ids);
    assert_eq!(moved, "sip:+7495@192.0.2.9:5070;user=phone");
    // Somebody else's host is nobody's provider.
    let elsewhere = "sip:shop@office.example";
    assert_eq!(accounts.destination(backup, elsewhere, &ids), elsewhere);
    // A port of its own at the provider's host is another server.
    let other = "sip:shop@main.example:5099";
    assert_eq!(accounts.destination(backup, other, &ids), other);
}

#[test]
fn the_domain_of_an_account_is_at_its_registrar_and_no_name_server_is_asked_for_it() {
    let now = Instant::now();
    let mut config = config();
    let account = config.accounts.get_mut("account").expect("an account");
    account.registrar = HostPort { host: "192.0.2.7".to_owned(), port: None };
    account.domain = Some("provider.example".to_owned());
    let destination = "sip:shop@Provider.example";
    for button in config.buttons.values_mut() {
        button.destination = destination.to_owned();
    }
    let mut accounts = Accounts::default();
    accounts.configure(&config);
    assert_eq!(accounts.poll_lookup(now), None);
    let id = accounts.by_name("account").expect("an account");
    assert_eq!(servers(&accounts, id, destination), [at(7)]);
    let is_within = |uri: &str| accounts.is_within(id, &uri.parse().expect("a URI"));
    assert!(is_within("sip:boss@provider.example") && is_within("sip:boss@192.0.2.7:5060"));
    assert!(!is_within("sip:boss@provider.example:5099") && !is_within("sip:boss@else.example"));
}

#[test]
fn a_page_may_write_schemes_in_either_case_and_none_becomes_a_user() {
    let config = config();
    let mut accounts = Accounts::default();
    accounts.configure(&config);
    let id = accounts.by_name("account").expect("an account");
    let home = &config.accounts["account"].registrar;
    let full = |written: &str| accounts.full_address(id, written).map(|(full, _)| full);
    for written in ["shop", "sip:shop", "SIP:shop", "tel:shop", "Tel:shop"] {
        assert_eq!(full(written), Some(format!("sip:shop@{home}")), "{written}");
    }
    assert_eq!(full("Sip:a@b.example:5070").as_deref(), Some("sip:a@b.example:5070"));
    assert_eq!(full("SIPS:a@b.example"), None);
}
