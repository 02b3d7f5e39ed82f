//! From the names of the file to servers, as calls find them, and what was found before.

use super::finding::{Finding, Step};
use crate::config::{Account, Config, values};
use crate::core;
use crate::core::accounts::Accounts;
use crate::net::resolve::{self, Outcome, Question};
use base::{Protocol, Seed};
use sip::Target;
use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Runtime};

/// A server that takes no connection by then takes none.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// The look-ups of one run.
pub struct Names {
    runtime: Runtime,
    known: HashMap<Question, Outcome>,
}

impl Names {
    /// Nothing looked up yet.
    pub fn new() -> io::Result<Names> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Names { runtime, known: HashMap::new() })
    }

    /// Looks up what a set of accounts asks for. `sip`: the socket that is to reach it.
    pub fn find_all(&mut self, accounts: &mut Accounts, sip: SocketAddr) {
        let now = Instant::now();
        while let Some(question) = accounts.poll_lookup(now) {
            let outcome = self.find(&question, sip);
            accounts.resolved(now, &question, outcome);
        }
    }

    fn find(&mut self, question: &Question, sip: SocketAddr) -> Outcome {
        if let Some(outcome) = self.known.get(question) {
            return outcome.clone();
        }
        // One draw for the whole run: what is found good is asked again.
        let seed = Seed::from_bytes([0; 32]);
        let search = resolve::search(question.clone(), core::abilities(sip), seed);
        let outcome = self.runtime.block_on(search);
        self.known.insert(question.clone(), outcome.clone());
        outcome
    }

    /// Waits for something else that takes the network.
    pub fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// The servers behind a host, as calls would find them.
    pub fn servers(&mut self, question: &Question, sip: SocketAddr) -> Vec<Target> {
        question.targets().unwrap_or_else(|| self.find(question, sip).targets)
    }
}

/// The key that names an account's next server, and what to look up for it.
pub fn next_server(account: &Account) -> (&'static str, Question) {
    let (key, host, transport) = match &account.outbound_proxy {
        Some(proxy) => ("outbound_proxy", &proxy.target, proxy.transport),
        None => ("registrar", &account.registrar, account.transport),
    };
    (key, Question { host: host.host.clone(), port: host.port, transport })
}

/// Whether the names of an account's servers are known, and whether those that are reached by a
/// connection take one.
pub fn look(names: &mut Names, config: &Config, name: &str, account: &Account) -> Vec<Finding> {
    let (key, question) = next_server(account);
    let about = |finding: Finding| finding.at(key).of(name);
    let found = names.servers(&question, config.listen.sip);
    if found.is_empty() {
        let words = format!("the name {question} leads to no SIP server");
        let todo = "look for a typing error, then ask whoever runs your name server";
        return vec![about(Finding::fail(Step::Names, words).todo(todo))];
    }
    let words = match question.literal() {
        Some(_) => format!("{question} needs no name server"),
        None => {
            let place = |target: &Target| format!("{} ({:?})", target.address, target.protocol);
            let places: Vec<String> = found.iter().map(place).collect();
            format!("{question} is at {}", places.join(", "))
        }
    };
    let mut findings = vec![about(Finding::ok(Step::Names, words))];
    let mut streams = found.iter().filter(|target| target.protocol != Protocol::Udp).peekable();
    if streams.peek().is_some() {
        let takes =
            streams.any(|to| TcpStream::connect_timeout(&to.address, CONNECT_WITHIN).is_ok());
        findings.push(about(match takes {
            true => Finding::ok(Step::Names, format!("{question} takes connections")),
            false => Finding::fail(Step::Names, format!("{question} takes no connections"))
                .todo("ask the provider for its port for this transport, or leave transport out"),
        }));
    }
    findings
}

/// Whether the hosts of the buttons' destinations are known, where calls go to them past the account's
/// own servers.
pub fn look_at_buttons(names: &mut Names, config: &Config) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, button) in &config.buttons {
        let Ok(uri) = values::sip_uri(&button.destination) else { continue };
        let accounts: Vec<&Account> =
            button.accounts.iter().filter_map(|account| config.accounts.get(account)).collect();
        let elsewhere = |account: &&Account| {
            let same = |host: &str| host.eq_ignore_ascii_case(&uri.target.host);
            let home = account.domain.as_deref().is_some_and(same) || same(&account.registrar.host);
            account.outbound_proxy.is_none() && !home
        };
        // At one of the button's providers it means a user at whichever the call goes out by.
        let Some(account) = accounts.first().filter(|_| accounts.iter().all(elsewhere)) else {
            continue;
        };
        let transport = uri.transport.or(account.transport);
        let (host, port) = (uri.target.host.clone(), uri.target.port);
        let question = Question { host, port, transport };
        if names.servers(&question, config.listen.sip).is_empty() {
            let words = format!("the name {question} leads to no SIP server");
            let key = format!("buttons.{name}.destination");
            let todo =
                "look for a typing error; the provider's own numbers have its name behind the @";
            findings.push(Finding::fail(Step::Names, words).at(key).todo(todo));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::check::finding::Level;
    use crate::config::{self, HostPort};
    use std::net::TcpListener;

    fn found(config: &Config) -> Vec<Finding> {
        look(&mut Names::new().unwrap(), config, "demo", &config.accounts["demo"])
    }

    #[test]
    fn a_server_by_tcp_is_connected_to_and_one_by_udp_is_not() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut config = config::demo();
        let account = config.accounts.get_mut("demo").unwrap();
        account.registrar = HostPort { host: "127.0.0.1".into(), port: Some(port) };
        assert_eq!(found(&config).len(), 1);
        config.accounts.get_mut("demo").unwrap().transport = Some(Protocol::Tcp);
        assert!(found(&config).iter().all(|finding| finding.level == Level::Ok));
        drop(listener);
        let last = found(&config).pop().unwrap();
        assert_eq!((last.level, last.key.as_str()), (Level::Fail, "accounts.demo.registrar"));
    }
}
