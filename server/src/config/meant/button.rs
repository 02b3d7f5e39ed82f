//! One button as meant, and the rules for page-supplied accounts.

use super::account::encryption;
use super::{LONGEST_DURATION, MAX_CALLS, MAX_DURATION, checked, checked_or, required};
use crate::config::origin::Origin;
use crate::config::problem::{Log, nearest};
use crate::config::section::Written;
use crate::config::values;
use crate::config::written::{self, Texts};
use crate::config::{Button, HostPort, WebPhone};
use std::time::Duration;

/// Builds one button; `accounts` are the names of all accounts as written.
pub(super) fn button(
    written: &written::Button,
    accounts: &[&str],
    log: &mut Log,
) -> Option<Button> {
    if let Err(what) = values::name(&written.name) {
        log.wrong(&written.place, what, "[buttons.sales]");
    }
    let accounts = match (&written.account, accounts) {
        (Some(list), known) => named_accounts(list, known, log),
        (None, [only]) => Some(vec![(*only).to_owned()]),
        (None, []) => {
            log.missing(&written.place, "account", "a section [accounts.NAME] to call from");
            None
        }
        (None, several) => {
            let accepted = format!("one of {}", several.join(", "));
            log.missing(&written.place, "account", &accepted);
            None
        }
    };
    let destination =
        required(&written.destination, &written.place, "destination", written::DESTINATION, log)
            .and_then(|text| {
                checked(text, written::DESTINATION, log, values::sip_uri)?;
                Some(text.value.clone())
            });
    let origins = origins(&written.origins, log);
    if written.origins.as_ref().is_none_or(|origins| origins.value.is_empty()) {
        log.notice(
            Some(&written.place),
            "no page may embed this button (origins is empty); its own page still works",
        );
    }
    let video = written.video.as_ref().is_some_and(|video| video.value);
    if let (true, Some(written)) = (video, &written.video) {
        log.notice(Some(&written.place), "video is not in this version: calls have sound only");
    }
    let max_duration =
        checked_or(&written.max_duration, MAX_DURATION, written::DURATION, log, |text| {
            match values::duration(text)? {
                Duration::ZERO => Err("nobody can talk in no time".into()),
                long if long > LONGEST_DURATION => Err(format!("\"{text}\" is above a day")),
                duration => Ok(duration),
            }
        });
    let max_calls = match &written.max_calls {
        None => Some(MAX_CALLS),
        Some(number) => match u32::try_from(number.value) {
            Ok(calls @ 1..=1000) => Some(calls),
            _ => {
                let what = format!("{} is out of range", number.value);
                log.wrong(&number.place, what, written::MAX_CALLS);
                None
            }
        },
    };
    Some(Button {
        accounts: accounts?,
        destination: destination?,
        origins: origins?,
        video,
        max_duration: max_duration?,
        max_calls: max_calls?,
    })
}

/// The accounts of a list, each once; none where one of them is wrong.
fn named_accounts(
    list: &Written<Vec<Written<String>>>,
    known: &[&str],
    log: &mut Log,
) -> Option<Vec<String>> {
    let mut named: Vec<String> = Vec::new();
    let mut fine = true;
    for name in &list.value {
        if !known.contains(&name.value.as_str()) {
            let meant = match nearest(&name.value, known) {
                Some(meant) => format!(", the nearest one is \"{meant}\""),
                None => String::new(),
            };
            let what = format!("there is no account \"{}\"{meant}", name.value);
            log.wrong(&name.place, what, written::ACCOUNT_NAME);
            fine = false;
        } else if named.contains(&name.value) {
            let what = format!("\"{}\" stands twice", name.value);
            log.wrong(&name.place, what, written::ACCOUNT_NAME);
            fine = false;
        } else {
            named.push(name.value.clone());
        }
    }
    if list.value.is_empty() {
        log.wrong(&list.place, "the list is empty", written::ACCOUNT_NAME);
        fine = false;
    }
    fine.then_some(named)
}

/// Origins in their canonical spelling, each once; none where one of them is wrong.
fn origins(written: &Texts, log: &mut Log) -> Option<Vec<String>> {
    let Some(list) = written else { return Some(Vec::new()) };
    let mut origins = Vec::new();
    let mut fine = true;
    for text in &list.value {
        match checked(text, written::ORIGINS, log, Origin::parse) {
            Some(origin) => {
                let origin = origin.to_string();
                if !origins.contains(&origin) {
                    origins.push(origin);
                }
            }
            None => fine = false,
        }
    }
    fine.then_some(origins)
}

/// Builds the rules for page-supplied accounts.
pub(super) fn webphone(written: &written::WebPhone, log: &mut Log) -> Option<WebPhone> {
    if written.registrars.is_none() {
        log.missing(&written.place, "registrars", written::REGISTRARS);
    }
    if written.origins.is_none() {
        log.missing(&written.place, "origins", written::ORIGINS);
    }
    let mut registrars: Vec<HostPort> = Vec::new();
    let mut fine = true;
    if let Some(list) = &written.registrars {
        for text in &list.value {
            match checked(text, written::REGISTRARS, log, values::registrar) {
                Some(registrar) => registrars.push(registrar),
                None => fine = false,
            }
        }
        if list.value.is_empty() {
            log.wrong(&list.place, "the list is empty", written::REGISTRARS);
            fine = false;
        }
    }
    let srtp = encryption(&written.srtp, log);
    let (origins, srtp) = (origins(&written.origins, log)?, srtp?);
    fine.then_some(WebPhone { registrars, origins, srtp })
}
