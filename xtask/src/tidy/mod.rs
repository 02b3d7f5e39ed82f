//! The house rules as code. A rule that only stands in a document is a rule for newcomers.

mod graph;
mod imports;
mod licences;
mod text;

use crate::shell::{self, Fail, Outcome, read, say};
use serde_json::Value;
use std::fmt;
use std::process::Command;

pub const HELP: &str = "\
Checks the house rules and prints each breach with its file and line.

Usage: cargo xtask tidy

Text:      files of at most 600 lines (a word of warning from 500), no leftovers of unfinished work,
           no test that does not run, a header in every crate, no folder of one machine, no host of
           a package registry
Imports:   which crate of ours may use which, and who owns each crate from outside
Machines:  no clock, socket or thread outside tests in the crates that hold protocol machines
Packages:  licences, and how many crates the executable holds in two versions";

/// One breach of a rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Breach {
    /// A file, or a package.
    pub place: String,
    /// Counted from 1; none where the breach is of the whole.
    pub line: Option<usize>,
    pub words: String,
    /// Said, but the run passes.
    pub mild: bool,
}

impl Breach {
    fn new(place: impl Into<String>, line: Option<usize>, words: impl Into<String>) -> Self {
        Breach { place: place.into(), line, words: words.into(), mild: false }
    }

    fn mild(self) -> Self {
        Breach { mild: true, ..self }
    }
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.mild { "warning: " } else { "error: " })?;
        f.write_str(&self.place)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.words)
    }
}

/// `cargo xtask tidy`
pub fn chore(arguments: &[String]) -> Outcome {
    if let Some(argument) = arguments.first() {
        return Err(Fail::usage(format!("takes no arguments, so not {argument:?}")));
    }
    let files = sources()?;
    let metadata = metadata(true)?;
    let mut breaches: Vec<Breach> =
        files.iter().flat_map(|(name, text)| text::breaches(name, text)).collect();
    breaches.extend(imports::breaches(&metadata));
    breaches.extend(licences::breaches(&metadata));
    let shipped = graph::shipped(&metadata, "click2call");
    let doubled = graph::doubled(&shipped);
    say(format_args!(
        "tidy: {} files; the executable holds {} crates, {} of them in more than one version: {}",
        files.len(),
        shipped.len(),
        doubled.len(),
        doubled.join(", ")
    ));
    breaches.extend(graph::breaches(&doubled));

    breaches.sort_by_key(|breach| !breach.mild);
    for breach in &breaches {
        println!("{breach}");
    }
    match breaches.iter().filter(|breach| !breach.mild).count() {
        0 => Ok(()),
        count => Err(Fail::new(format!("{count} breaches of the house rules"))),
    }
}

/// Every text file that is in the repository or about to be, by its name.
fn sources() -> Result<Vec<(String, String)>, Fail> {
    let listed = read(
        Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(shell::root()),
    )?;
    let mut names: Vec<&str> = listed.split('\0').filter(|name| !name.is_empty()).collect();
    names.sort_unstable();
    names.dedup();
    // What was deleted but is still listed, and what is no text, has no lines to look at.
    let read = |name: &str| std::fs::read_to_string(shell::root().join(name)).ok();
    Ok(names.into_iter().filter_map(|name| Some((name.to_string(), read(name)?))).collect())
}

/// What cargo knows of the workspace, and with `dependencies` of everything that it builds.
pub fn metadata(dependencies: bool) -> Result<Value, Fail> {
    let mut command = shell::cargo();
    command.args(["metadata", "--format-version", "1", "--quiet"]);
    if dependencies {
        // Crates for other systems are neither built nor shipped here.
        command.args(["--filter-platform", &host()?]);
    } else {
        command.arg("--no-deps");
    }
    let text = read(&mut command)?;
    serde_json::from_str(&text).map_err(|error| Fail::new(format!("cargo metadata: {error}")))
}

/// The compiler's name for this system.
fn host() -> Result<String, Fail> {
    let words = read(Command::new("rustc").arg("-vV").current_dir(shell::root()))?;
    let line = words.lines().find_map(|line| line.strip_prefix("host: "));
    line.map(String::from).ok_or_else(|| Fail::new("`rustc -vV` does not name its host"))
}
