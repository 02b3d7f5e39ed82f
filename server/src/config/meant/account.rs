//! One account as meant.

use super::{EXPIRES, checked, checked_or, required};
use crate::config::problem::{Log, nearest};
use crate::config::values;
use crate::config::written::{self, Text, Texts};
use crate::config::{Account, OutboundProxy, Surroundings};
use base::{Codec, Protocol, Secret};
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
    let transport =
        checked_or(&written.transport, Protocol::Udp, written::TRANSPORT, log, values::transport);
    // What is wrong with the transport is said already; the rest is read as by UDP.
    let usual = transport.unwrap_or(Protocol::Udp);
    let registrar =
        required(&written.registrar, &written.place, "registrar", written::REGISTRAR, log)
            .and_then(|text| {
                checked(text, written::REGISTRAR, log, |text| values::registrar_by(text, usual))
            });
    let ca_file = ca_file(&written.ca_file, surroundings, log);
    let username = required(&written.username, &written.place, "username", written::USERNAME, log)
        .and_then(|text| checked(text, written::USERNAME, log, username));
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
    only_value(&written.srtp, "off", &["offered", "required"], written::SRTP, log);
    let register = written.register.as_ref().is_none_or(|register| register.value);
    let password = password(written, register, surroundings, log);
    let outbound_proxy = match &written.outbound_proxy {
        Some(text) => checked(text, written::PROXY, log, |text| proxy(text, usual)).map(Some),
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
    Some(Account {
        registrar: registrar?,
        transport: transport?,
        ca_file: ca_file?,
        username: username?,
        auth_username: auth_username?,
        password: password?,
        outbound_proxy: outbound_proxy?,
        register,
        expires: expires?,
        codecs: codecs?,
    })
}

/// The user part of our address (RFC 3261 section 25.1, `user`), so that it needs no escaping.
fn username(text: &str) -> Result<String, String> {
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

/// A key of which this version knows one value only. The others are refused rather than ignored:
/// whoever asks for encryption must not talk without it unawares.
fn only_value(text: &Text, now: &str, later: &[&str], accepted: &str, log: &mut Log) {
    let Some(text) = text else { return };
    if text.value == now {
        return;
    }
    if later.contains(&text.value.as_str()) {
        log.wrong(&text.place, format!("\"{}\" is not in this version", text.value), accepted);
    } else {
        log.wrong(&text.place, format!("\"{}\" is not known", text.value), accepted);
    }
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

fn proxy(text: &str, usual: Protocol) -> Result<OutboundProxy, String> {
    let uri = values::sip_uri_by(text, usual)?;
    let loose = uri.parameters.split(';').any(|parameter| parameter.eq_ignore_ascii_case("lr"));
    if !loose {
        // Without it a proxy would be a strict router of RFC 2543, which nobody runs any more.
        return Err(format!("\"{text}\" lacks ;lr"));
    }
    Ok(OutboundProxy { uri: text.to_owned(), target: uri.target, transport: uri.transport })
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
