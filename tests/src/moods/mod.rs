//! Providers' moods: what real providers demand and refuse, one file a mood in `tests/moods`, and a
//! registrar and proxy that behaves as the file says.
//!
//! The files have these keys: `who` (who behaves so), `account` and `cure` (lines of the account, as
//! the shop has them at first and what mends it), `calls` (whom the button calls there), `fails` (what
//! happens without the cure; nothing where the appliance needs none), `check` (what `click2call check`
//! comes to, where that is not the cure), `[provider]` (see [`Habits`]), `[[refuse]]` (see [`Rule`])
//! and `[phone]`.

mod digest;
mod provider;
mod rules;
mod wires;

pub use provider::Provider;
pub use rules::Rule;

use crate::handset::HandsetSettings;
use base::Codec;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::{Table, Value};

/// One mood.
#[derive(Clone, Debug)]
pub struct Mood {
    /// Who behaves so, in a sentence.
    pub who: String,
    /// Lines of the account that do not depend on the mood.
    pub account: String,
    /// The line that mends it; empty where none is needed.
    pub cure: String,
    /// What happens without it.
    pub fails: Fails,
    /// How the provider behaves besides refusing.
    pub habits: Habits,
    /// What it refuses, in the order in which it looks.
    pub rules: Vec<Rule>,
    /// The phone behind it; one without a tone has none before it answers.
    pub phone: HandsetSettings,
    /// Whom the button calls at the provider.
    pub calls: String,
    /// What `click2call check` comes to.
    pub check: Check,
}

/// What `click2call check` comes to, where the cure is not in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// It finds the cure.
    Finds,
    /// It finds that calls work.
    Works,
    /// It finds that they do not, and no cure.
    GivesUp,
}

/// What happens without the cure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fails {
    /// Nothing: the appliance copes.
    Never,
    /// The account is not registered.
    Registration,
    /// The call ends with this cause.
    Call(String),
    /// The call works, and its keys come as telephone events.
    Keys,
    /// The call works, and this is heard before it is answered, not `ringing`.
    Ringing(String),
}

/// How a provider behaves.
#[derive(Clone, Debug)]
pub struct Habits {
    /// Whether it takes datagrams, connections, and connections by TLS.
    pub udp: bool,
    /// See above.
    pub tcp: bool,
    /// See above.
    pub tls: bool,
    /// Who is asked for the password; each realm asks on its own, one after another.
    pub realms: Vec<String>,
    /// The algorithms of its challenges.
    pub algorithms: Vec<String>,
    /// Whether a nonce is good for one request only.
    pub stale: bool,
    /// The user of the credentials.
    pub auth_username: String,
    /// The shortest life of a registration that it takes.
    pub least: u32,
    /// The longest that it grants.
    pub most: u32,
    /// Whether it names another address of ours than the one that we gave, in the 200 to REGISTER.
    pub rewrites: bool,
    /// Whether it sees us at another port than we have, as behind a NAT.
    pub sees_another_port: bool,
    /// After how long without OPTIONS it forgets who has registered.
    pub forgets_after: Option<Duration>,
    /// Whether it sends 180 after 183, although the phone says it the other way round.
    pub ringing_last: bool,
}

impl Mood {
    /// Every mood's name, by the files.
    pub fn names() -> Vec<String> {
        let files = std::fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path());
        let mut names: Vec<String> = files
            .filter(|path| path.extension().is_some_and(|ending| ending == "toml"))
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .collect();
        names.sort();
        names
    }

    /// Reads the file of a mood.
    pub fn read(name: &str) -> Mood {
        let path = folder().join(format!("{name}.toml"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        let table: Table = text.parse().unwrap_or_else(|error| panic!("{path:?}: {error}"));
        let known =
            ["who", "account", "cure", "calls", "fails", "provider", "refuse", "phone", "check"];
        only(&table, &known);
        let rules = table.get("refuse").and_then(Value::as_array).into_iter().flatten();
        let mood = Mood {
            who: text_of(&table, "who", ""),
            account: text_of(&table, "account", ""),
            cure: text_of(&table, "cure", "").trim().to_owned(),
            calls: text_of(&table, "calls", "phone"),
            fails: table.get("fails").map_or(Fails::Never, fails),
            habits: habits(table.get("provider").and_then(Value::as_table)),
            rules: rules.map(|rule| Rule::read(rule.as_table().unwrap())).collect(),
            phone: phone(table.get("phone").and_then(Value::as_table)),
            check: match text_of(&table, "check", "").as_str() {
                "" if table.get("cure").is_some() => Check::Finds,
                "" | "works" => Check::Works,
                "gives-up" => Check::GivesUp,
                other => panic!("{other} is no outcome of a check"),
            },
        };
        assert!(mood.who.ends_with('.'), "{name} does not say who behaves so");
        let mends = mood.fails != Fails::Never;
        assert!(mends || mood.cure.is_empty(), "{name} mends what is not broken");
        mood
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("moods")
}

/// A misspelt key would be a habit that nobody has.
fn only(table: &Table, known: &[&str]) {
    for key in table.keys() {
        assert!(known.contains(&key.as_str()), "unknown key {key}, known are {known:?}");
    }
}

fn text_of(table: &Table, key: &str, usual: &str) -> String {
    table.get(key).map_or(usual, |value| value.as_str().unwrap()).to_owned()
}

fn texts_of(table: &Table, key: &str, usual: &[&str]) -> Vec<String> {
    match table.get(key) {
        Some(list) => {
            let list = list.as_array().unwrap().iter();
            list.map(|value| value.as_str().unwrap().to_owned()).collect()
        }
        None => usual.iter().map(|text| (*text).to_owned()).collect(),
    }
}

fn number_of(table: &Table, key: &str, usual: u32) -> u32 {
    table.get(key).map_or(usual, |value| value.as_integer().unwrap().try_into().unwrap())
}

fn flag_of(table: &Table, key: &str) -> bool {
    table.get(key).is_some_and(|value| value.as_bool().unwrap())
}

fn fails(value: &Value) -> Fails {
    let table = value.as_table().unwrap();
    only(table, &["registration", "call", "heard", "keys"]);
    if flag_of(table, "keys") {
        return Fails::Keys;
    }
    let word = |key: &str| table.get(key).map(|value| value.as_str().unwrap().to_owned());
    match (flag_of(table, "registration"), word("call"), word("heard")) {
        (true, None, None) => Fails::Registration,
        (false, Some(cause), None) => Fails::Call(cause),
        (false, None, Some(state)) => Fails::Ringing(state),
        other => panic!("one of registration, call and heard, not {other:?}"),
    }
}

fn habits(table: Option<&Table>) -> Habits {
    let empty = Table::new();
    let table = table.unwrap_or(&empty);
    let known = [
        "transports",
        "realms",
        "algorithms",
        "stale",
        "auth_username",
        "least",
        "most",
        "rewrites",
        "sees_another_port",
        "forgets_after",
        "ringing_last",
    ];
    only(table, &known);
    let transports = texts_of(table, "transports", &["udp", "tcp"]);
    let takes = |name: &str| transports.iter().any(|transport| transport == name);
    let forgets_after = table.get("forgets_after").map(|_| number_of(table, "forgets_after", 0));
    Habits {
        udp: takes("udp"),
        tcp: takes("tcp"),
        tls: takes("tls"),
        realms: texts_of(table, "realms", &["provider.example"]),
        algorithms: texts_of(table, "algorithms", &["MD5"]),
        stale: flag_of(table, "stale"),
        auth_username: text_of(table, "auth_username", "shop"),
        least: number_of(table, "least", 1),
        most: number_of(table, "most", 3600),
        rewrites: flag_of(table, "rewrites"),
        sees_another_port: flag_of(table, "sees_another_port"),
        forgets_after: forgets_after.map(|seconds| Duration::from_secs(seconds.into())),
        ringing_last: flag_of(table, "ringing_last"),
    }
}

fn phone(table: Option<&Table>) -> HandsetSettings {
    let empty = Table::new();
    let table = table.unwrap_or(&empty);
    only(table, &["codec", "early", "silent", "answers_after"]);
    let codec = text_of(table, "codec", "pcma");
    let codec = Codec::ALL.into_iter().find(|known| known.key() == codec).unwrap();
    let answers_after = number_of(table, "answers_after", 100);
    HandsetSettings {
        early: flag_of(table, "early"),
        tone: (!flag_of(table, "silent")).then_some(crate::sound::PHONE),
        answers_after: Some(Duration::from_millis(answers_after.into())),
        ..HandsetSettings::with_codec(codec)
    }
}
