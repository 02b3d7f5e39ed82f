//! One setting that may be what a provider wants, and how it stands in the file.

use crate::config::{Account, Identity, values};
use base::{Codec, Protocol};
use sdp::Encryption;
use sip::{Quirk, QuirkNeed, Quirks};

/// One setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cure {
    /// A word of `quirks`.
    Quirk(Quirk),
    /// `domain`.
    Domain(String),
    /// `identity`.
    Identity(Identity),
    /// `transport`.
    Transport(Protocol),
    /// `codecs`.
    Codecs(Vec<Codec>),
    /// `srtp = "required"`.
    Encrypted,
}

impl Cure {
    /// The settings besides quirks that may mend a refusal. `calls`: a call was refused.
    pub fn settings(account: &Account, status: u16, realm: Option<&str>, calls: bool) -> Vec<Cure> {
        let mut all = Vec::new();
        if let (401 | 403 | 404 | 407 | 480 | 604, Some(realm)) = (status, realm)
            // A realm is any text; only one that is a host can be a domain.
            && let Ok(host) = values::registrar(realm)
            && realm.contains('.')
        {
            all.push(Cure::Domain(host.to_string()));
        }
        if calls && matches!(status, 400 | 406 | 415 | 488 | 500 | 606) {
            // G.711 is what every provider has; the order and the length of the list are what
            // some are particular about.
            let lists = [&[Codec::Pcma, Codec::Pcmu][..], &[Codec::Pcmu, Codec::Pcma]];
            all.extend(lists.map(|list| Cure::Codecs(list.to_vec())));
            all.push(Cure::Encrypted);
        }
        if calls && matches!(status, 400 | 403 | 404 | 428 | 433 | 480 | 484 | 500 | 603) {
            all.push(Cure::Identity(Identity::Asserted));
            all.push(Cure::Identity(Identity::Preferred));
        }
        if matches!(status, 0 | 503 | 505 | 513) {
            let other = match account.transport {
                None | Some(Protocol::Udp) => Protocol::Tcp,
                Some(Protocol::Tcp | Protocol::Tls) => Protocol::Udp,
            };
            // Nobody who wants TLS is asked in the clear.
            if account.transport != Some(Protocol::Tls) {
                all.push(Cure::Transport(other));
            }
        }
        all
    }

    /// Sets it.
    pub fn apply(&self, account: &mut Account) {
        match self {
            Cure::Quirk(quirk) => account.quirks = account.quirks.with(*quirk),
            Cure::Domain(domain) => account.domain = Some(domain.clone()),
            Cure::Identity(identity) => account.identity = *identity,
            Cure::Transport(protocol) => {
                account.transport = Some(*protocol);
                if let Some(proxy) = &mut account.outbound_proxy
                    && !names_transport(&proxy.uri)
                {
                    proxy.transport = Some(*protocol);
                }
            }
            Cure::Codecs(codecs) => account.codecs.clone_from(codecs),
            Cure::Encrypted => account.srtp = Encryption::Required,
        }
    }

    /// The key of the file that it sets.
    pub fn key(&self) -> &'static str {
        match self {
            Cure::Quirk(_) => "quirks",
            Cure::Domain(_) => "domain",
            Cure::Identity(_) => "identity",
            Cure::Transport(_) => "transport",
            Cure::Codecs(_) => "codecs",
            Cure::Encrypted => "srtp",
        }
    }

    /// Whether two of its key can stand together.
    pub fn adds(&self) -> bool {
        matches!(self, Cure::Quirk(_))
    }

    /// Whether it changes anything at an account. `calls`: in calls, not in registering.
    pub fn changes(&self, account: &Account, calls: bool) -> bool {
        match self {
            Cure::Quirk(quirk) => !account.quirks.has(*quirk) && fits(*quirk, account, calls),
            Cure::Domain(domain) => match &account.domain {
                Some(known) => !known.eq_ignore_ascii_case(domain),
                None => !account.registrar.host.eq_ignore_ascii_case(domain),
            },
            Cure::Identity(identity) => account.identity != *identity,
            Cure::Transport(_) => match &account.outbound_proxy {
                Some(proxy) => !names_transport(&proxy.uri),
                None => true,
            },
            Cure::Codecs(codecs) => account.codecs != *codecs,
            Cure::Encrypted => account.srtp == Encryption::Off,
        }
    }
}

/// Whether a proxy's URI names its transport, which goes before the account's.
fn names_transport(uri: &str) -> bool {
    uri.to_ascii_lowercase().contains(";transport=")
}

/// Whether a quirk does anything to what was refused.
fn fits(quirk: Quirk, account: &Account, calls: bool) -> bool {
    let transport = account.transport.unwrap_or(Protocol::Udp);
    let has = match quirk.row().and_then(|row| row.needs) {
        Some(QuirkNeed::AuthUsername) => {
            account.auth_username.as_ref().is_some_and(|user| *user != account.username)
        }
        Some(QuirkNeed::OutboundProxy) => account.outbound_proxy.is_some(),
        Some(QuirkNeed::Connections) => transport != Protocol::Udp,
        Some(QuirkNeed::Tls) => transport == Protocol::Tls,
        None => true,
    };
    let of_calls = [
        Quirk::NoSessionTimers,
        Quirk::No100rel,
        Quirk::NoRtcpMux,
        Quirk::UserPhone,
        Quirk::Plus,
        Quirk::NoPlus,
    ];
    has && (calls || !of_calls.contains(&quirk))
        && (!calls || !matches!(quirk, Quirk::NoPath | Quirk::OneContact))
}

/// The keys of an account's table that differ, with their new values as they stand in the file.
pub fn difference(before: &Account, after: &Account) -> Vec<(&'static str, String)> {
    let mut keys = Vec::new();
    let text = |text: &str| format!("\"{text}\"");
    let list = |words: Vec<&str>| format!("{words:?}");
    if before.transport != after.transport
        && let Some(protocol) = after.transport
    {
        keys.push(("transport", text(&format!("{protocol:?}").to_ascii_lowercase())));
    }
    if before.domain != after.domain
        && let Some(domain) = &after.domain
    {
        keys.push(("domain", text(domain)));
    }
    if before.identity != after.identity {
        let word = match after.identity {
            Identity::Off => "off",
            Identity::Asserted => "pai",
            Identity::Preferred => "ppi",
        };
        keys.push(("identity", text(word)));
    }
    if before.srtp != after.srtp {
        let word = match after.srtp {
            Encryption::Off => "off",
            Encryption::Offered => "offered",
            Encryption::Required => "required",
        };
        keys.push(("srtp", text(word)));
    }
    if before.codecs != after.codecs {
        keys.push(("codecs", list(after.codecs.iter().map(|codec| codec.key()).collect())));
    }
    if before.quirks != after.quirks {
        keys.push(("quirks", list(words(after.quirks))));
    }
    keys
}

fn words(quirks: Quirks) -> Vec<&'static str> {
    quirks.iter().map(|row| row.word).collect()
}

/// The same as lines for the account's table.
pub fn lines(before: &Account, after: &Account) -> String {
    let lines =
        difference(before, after).into_iter().map(|(key, value)| format!("{key} = {value}"));
    lines.collect::<Vec<String>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cure_stands_in_the_file_as_the_file_is_read() {
        let before =
            crate::config::demo().accounts.remove("demo").unwrap_or_else(|| unreachable!());
        let mut after = before.clone();
        for cure in [
            Cure::Quirk(Quirk::NoRport),
            Cure::Quirk(Quirk::NoPath),
            Cure::Domain("pbx.example".into()),
            Cure::Identity(Identity::Preferred),
            Cure::Transport(Protocol::Tcp),
            Cure::Codecs(vec![Codec::Pcma, Codec::Pcmu]),
            Cure::Encrypted,
        ] {
            cure.apply(&mut after);
        }
        let expected = "transport = \"tcp\"\ndomain = \"pbx.example\"\nidentity = \"ppi\"\n\
                        srtp = \"required\"\ncodecs = [\"pcma\", \"pcmu\"]\n\
                        quirks = [\"no-rport\", \"no-path\"]";
        assert_eq!(lines(&before, &after), expected);
        assert_eq!(lines(&before, &before), "");
    }

    #[test]
    fn a_quirk_that_would_change_nothing_is_not_tried() {
        let account =
            crate::config::demo().accounts.remove("demo").unwrap_or_else(|| unreachable!());
        assert!(!Cure::Quirk(Quirk::FromAuthUser).changes(&account, false));
        let auth = Account { auth_username: Some("u77".into()), ..account.clone() };
        assert!(Cure::Quirk(Quirk::FromAuthUser).changes(&auth, false));
        assert!(!Cure::Quirk(Quirk::NoPath).changes(&account, true));
        assert!(!Cure::Domain("127.0.0.1".into()).changes(&account, true));
    }
}
