//! Who the provider's server proves to be, and for how long yet.

use super::finding::{Finding, Step};
use super::names::{Names, next_server};
use crate::config::{Account, Config};
use crate::net::{Server, server_certificate};
use base::Protocol;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

/// A certificate that ends sooner is likely forgotten: those that renew themselves do so before.
const SOON: u64 = 14;

/// Looks at the certificate of each of an account's servers that is reached by TLS.
pub fn look(names: &mut Names, config: &Config, name: &str, account: &Account) -> Vec<Finding> {
    let (key, question) = next_server(account);
    let found = names.servers(&question, config.listen.sip);
    let secure = found.into_iter().filter(|target| target.protocol == Protocol::Tls);
    let finding = |target: sip::Target| {
        let address = target.address;
        let server = Server { target, ca_file: account.ca_file.clone() };
        let asked = server.target.name.clone();
        let shown = names.wait(server_certificate(address, vec![server]));
        let finding = match shown {
            Ok(octets) => valid(&asked, &octets, SystemTime::now()),
            Err(words) => Finding::fail(Step::Certificate, words)
                .todo("without it no call goes by TLS; nothing here can leave the check out"),
        };
        finding.at(key).of(name)
    };
    secure.map(finding).collect()
}

/// A certificate that proved its name, and how long it still does.
fn valid(name: &str, octets: &[u8], now: SystemTime) -> Finding {
    let Ok(certificate) = Certificate::from_der(octets) else {
        return Finding::ok(Step::Certificate, format!("the certificate is for {name}"));
    };
    let end = certificate.tbs_certificate().validity().not_after.to_unix_duration();
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    let left = end.saturating_sub(now).as_secs() / Duration::from_secs(86_400).as_secs();
    let words = format!("the certificate is for {name} and holds for {left} more days");
    match left {
        0..SOON => Finding::warn(Step::Certificate, words)
            .todo("its operator should renew it; calls by TLS end with it"),
        _ => Finding::ok(Step::Certificate, words),
    }
}
