//! One account as meant.

use super::{EXPIRES, checked, checked_or, required};
use crate::config::problem::{Log, nearest};
use crate::config::values;
use crate::config::written::{self, Text, Texts};
use crate::config::{Account, Identity, OutboundProxy, Surroundings};
use base::{Codec, Protocol, Secret};
use sdp::Encryption;
use sip::{QUIRKS, Quirk, QuirkNeed, Quirks};
use std::path::PathBuf;
use std::time::Duration;

/// Builds one account; none where something is wrong with it.
pub(super) fn account(
    written: &written::Account,
    surroundings: &Surroundings<'_>,
    log: &mut Log,
) -> Option<Account> {
    if let Err(what) = values::name(&written.name) {
        log.wrong(&written.place, what, "[accounts.main]");
    }
    let transport = checked_or(&written.transport, None, written::TRANSPORT, log, |text| {
        values::transport(text).map(Some)
    });
    let registrar =
        required(&written.registrar, &written.place, "registrar", written::REGISTRAR, log)
            .and_then(|text| checked(text, written::REGISTRAR, log, values::registrar));
    let ca_file = ca_file(&written.ca_file, surroundings, log);
    let username = required(&written.username, &written.place, "username", written::USERNAME, log)
        .and_then(|text| checked(text, written::USERNAME, log, username_part));
    let from_user = match &written.from_user {
        Some(text) => checked(text, written::FROM_USER, log, username_part).map(Some),
        None => Some(None),
    };
    let auth_username = match &written.auth_username {
        Some(text) => checked(text, written::USERNAME, log, |text| {
            if text.is_empty() || text.chars().any(char::is_control) {
                Err("the name is empty or has control characters".into())
            } else {
                Ok(Some(text.to_owned()))
            }
        }),
        None => Some(None),
    };
    let srtp = encryption(&written.srtp, log);
    let register = written.register.as_ref().is_none_or(|register| register.value);
    let password = password(written, register, surroundings, log);
    let outbound_proxy = match &written.outbound_proxy {
        Some(text) => {
            checked(text, written::PROXY, log, |text| proxy(text, transport.flatten())).map(Some)
        }
        None => Some(None),
    };
    let expires = match &written.expires {
        None => Some(EXPIRES),
        Some(number) => match u64::try_from(number.value) {
            Ok(seconds @ 10..=86_400) => Some(Duration::from_secs(seconds)),
            _ => {
                let what = format!("{} is out of range", number.value);
                log.wrong(&number.place, what, written::EXPIRES);
                None
            }
        },
    };
    let codecs = codecs(&written.codecs, log);
    let domain = match &written.domain {
        Some(text) => checked(text, written::SIP_DOMAIN, log, domain).map(Some),
        None => Some(None),
    };
    let identity = match &written.identity {
        Some(text) => checked(text, written::IDENTITY, log, identity),
        None => Some(Identity::Off),
    };
    let quirks = quirks(&written.quirks, |need| lacking(need, written), log);
    Some(Account {
        registrar: registrar?,
        transport: transport?,
        ca_file: ca_file?,
        username: username?,
        from_user: from_user?,
        auth_username: auth_username?,
        password: password?,
        outbound_proxy: outbound_proxy?,
        register,
        expires: expires?,
        srtp: srtp?,
        codecs: codecs?,
        domain: domain?,
        identity: identity?,
        quirks: quirks?,
    })
}

/// The user part of our address (RFC 3261 section 25.1, `user`), so that it needs no escaping.
fn username_part(text: &str) -> Result<String, String> {
    if let Some((user, _)) = text.split_once('@') {
        return Err(format!("leave out the @ and what follows: \"{user}\""));
    }
    let allowed =
        |octet: u8| octet.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/%".contains(&octet);
    if text.is_empty() || !text.bytes().all(allowed) {
        return Err("a SIP user has letters, digits and -_.!~*'()&=+$,;?/ only".into());
    }
    Ok(text.to_owned())
}

/// Whether sound is encrypted; where nothing is said it is not.
pub(super) fn encryption(written: &Text, log: &mut Log) -> Option<Encryption> {
    checked_or(written, Encryption::Off, written::SRTP, log, |text| match text {
        "off" => Ok(Encryption::Off),
        "offered" => Ok(Encryption::Offered),
        "required" => Ok(Encryption::Required),
        _ => Err(format!("\"{text}\" is not known")),
    })
}

fn password(
    written: &written::Account,
    register: bool,
    surroundings: &Surroundings<'_>,
    log: &mut Log,
) -> Option<Secret> {
    match (&written.password, &written.password_file) {
        (Some(_), Some(file)) => {
            log.wrong(&file.place, "stands beside password", "one of password and password_file");
            None
        }
        (Some(password), None) => match password.value.strip_prefix("env:") {
            Some(variable) => match (surroundings.variable)(variable) {
                Some(value) if !value.is_empty() => Some(Secret::new(value)),
                _ => {
                    let what = format!("the environment has no variable {variable}");
                    log.wrong(&password.place, what, written::PASSWORD);
                    None
                }
            },
            None if password.value.is_empty() => {
                log.wrong(&password.place, "the password is empty", written::PASSWORD);
                None
            }
            None => Some(Secret::new(password.value.clone())),
        },
        (None, Some(file)) => {
            let path: PathBuf = surroundings.folder.join(&file.value);
            match (surroundings.file)(&path) {
                // Editors end a file with a line break; a password has none.
                Ok(text) => match text.trim_end_matches(['\r', '\n']) {
                    "" => {
                        let what = format!("{} is empty", path.display());
                        log.wrong(&file.place, what, written::PASSWORD_FILE);
                        None
                    }
                    text => Some(Secret::new(text)),
                },
                Err(error) => {
                    let what = format!("{} can't be read: {error}", path.display());
                    log.wrong(&file.place, what, written::PASSWORD_FILE);
                    None
                }
            }
        }
        (None, None) if register => {
            log.missing(&written.place, "password", written::PASSWORD);
            None
        }
        // A trunk that is known by its address needs none.
        (None, None) => Some(Secret::default()),
    }
}

/// The file of authorities; it is read here too, so that a wrong path is a mistake in the file and
/// no riddle at the first call.
fn ca_file(
    written: &Text,
    surroundings: &Surroundings<'_>,
    log: &mut Log,
) -> Option<Option<PathBuf>> {
    let Some(written) = written else { return Some(None) };
    let path: PathBuf = surroundings.folder.join(&written.value);
    let what = match (surroundings.file)(&path) {
        Ok(text) if text.contains("-----BEGIN CERTIFICATE-----") => return Some(Some(path)),
        Ok(_) => format!("{} holds no certificate", path.display()),
        Err(error) => format!("{} can't be read: {error}", path.display()),
    };
    log.wrong(&written.place, what, written::CA_FILE);
    None
}

fn proxy(text: &str, usual: Option<Protocol>) -> Result<OutboundProxy, String> {
    let uri = values::sip_uri(text)?;
    let loose = uri.parameters.split(';').any(|parameter| parameter.eq_ignore_ascii_case("lr"));
    if !loose {
        // Without it a proxy would be a strict router of RFC 2543, which nobody runs any more.
        return Err(format!("\"{text}\" lacks ;lr"));
    }
    Ok(OutboundProxy {
        uri: text.to_owned(),
        target: uri.target,
        transport: uri.transport.or(usual),
    })
}

/// The host part of an address of record; a port may stand behind it.
fn domain(text: &str) -> Result<String, String> {
    // Without a port the text stays as it is: the usual one is not said in an address of record.
    values::registrar(text).map(|_| text.to_ascii_lowercase())
}

fn identity(text: &str) -> Result<Identity, String> {
    match text {
        "off" => Ok(Identity::Off),
        "pai" => Ok(Identity::Asserted),
        "ppi" => Ok(Identity::Preferred),
        other => Err(format!("\"{other}\" is not known")),
    }
}

/// What an account lacks for a quirk that builds on it, in words.
fn lacking(need: QuirkNeed, account: &written::Account) -> Option<&'static str> {
    let transport = account.transport.as_ref().map(|transport| transport.value.as_str());
    // Where neither stands there the provider's DNS records may say TLS.
    let is_open = transport.is_none()
        && account.registrar.as_ref().is_none_or(|registrar| !registrar.value.contains(':'));
    let (has, words) = match need {
        QuirkNeed::AuthUsername => (account.auth_username.is_some(), "auth_username"),
        QuirkNeed::OutboundProxy => (account.outbound_proxy.is_some(), "outbound_proxy"),
        QuirkNeed::Tls => (is_open || transport == Some("tls"), "transport = \"tls\""),
        QuirkNeed::Connections => {
            let has = is_open || matches!(transport, Some("tcp" | "tls"));
            (has, "transport = \"tcp\" or \"tls\"")
        }
    };
    (!has).then_some(words)
}

/// The set of quirks. One that builds on another key would do nothing without it.
fn quirks(
    written: &Texts,
    lacking: impl Fn(QuirkNeed) -> Option<&'static str>,
    log: &mut Log,
) -> Option<Quirks> {
    let Some(list) = written else { return Some(Quirks::default()) };
    let mut quirks = Quirks::default();
    let mut fine = true;
    for name in &list.value {
        let key = name.value.to_ascii_lowercase();
        let what = match Quirk::from_word(&key) {
            Some(quirk) if quirks.has(quirk) => format!("\"{key}\" stands twice"),
            Some(quirk) => {
                let need = quirk.row().and_then(|row| row.needs);
                let Some(words) = need.and_then(&lacking) else {
                    quirks = quirks.with(quirk);
                    continue;
                };
                format!("\"{key}\" needs {words}, which is not set")
            }
            None => {
                let words = QUIRKS.map(|row| row.word);
                let meant = nearest(&key, &words).unwrap_or_default();
                format!("\"{}\" is no quirk, the nearest one is \"{meant}\"", name.value)
            }
        };
        log.wrong(&name.place, what, written::QUIRKS);
        fine = false;
    }
    fine.then_some(quirks)
}

fn codecs(written: &Texts, log: &mut Log) -> Option<Vec<Codec>> {
    let Some(list) = written else { return Some(Codec::ALL.to_vec()) };
    let mut codecs = Vec::new();
    let mut fine = true;
    for name in &list.value {
        let key = name.value.to_ascii_lowercase();
        match Codec::ALL.into_iter().find(|codec| codec.key() == key) {
            Some(codec) if codecs.contains(&codec) => {
                log.wrong(&name.place, format!("\"{key}\" stands twice"), written::CODECS);
                fine = false;
            }
            Some(codec) => codecs.push(codec),
            None => {
                let keys = Codec::ALL.map(Codec::key);
                let meant = nearest(&key, &keys).unwrap_or_default();
                log.wrong(
                    &name.place,
                    format!("\"{}\" is no codec, the nearest one is \"{meant}\"", name.value),
                    written::CODECS,
                );
                fine = false;
            }
        }
    }
    if fine && codecs.is_empty() {
        log.wrong(&list.place, "no codec is left", written::CODECS);
        fine = false;
    }
    fine.then_some(codecs)
}
