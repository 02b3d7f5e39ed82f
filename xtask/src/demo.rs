//! Building the executable and starting it.

use crate::assets;
use crate::library;
use crate::shell::{self, Fail, Outcome, say};
use std::path::PathBuf;
use std::process::{Command, Stdio};

pub const HELP: &str = "\
Builds everything and runs the demo: a store page with a Call button on http://127.0.0.1:8080,
and a phone in the same process that rings, answers, plays a greeting and echoes.

Usage: cargo xtask demo [--release] [-- ARGUMENTS]

  --release   optimised, for measuring; the first build takes some minutes longer
  ARGUMENTS   go to click2call after --demo";

pub const BUILD_HELP: &str = "\
Builds the assets and then the executable, and prints where it lies.

Usage: cargo xtask build [--release]";

/// `cargo xtask demo`
pub fn demo(arguments: &[String]) -> Outcome {
    let (release, rest) = options(arguments);
    assets::build()?;
    let executable = executable(release)?;
    say("demo: starting; Ctrl-C ends it");
    become_program(Command::new(executable).arg("--demo").args(rest).current_dir(shell::root()))
}

/// `cargo xtask build`
pub fn build(arguments: &[String]) -> Outcome {
    let (release, rest) = options(arguments);
    if let Some(argument) = rest.first() {
        return Err(Fail::usage(format!("takes --release or nothing, so not {argument:?}")));
    }
    assets::build()?;
    say(format_args!("build: {}", executable(release)?.display()));
    Ok(())
}

/// Our own options, and what goes on to the program.
fn options(arguments: &[String]) -> (bool, Vec<String>) {
    let own = arguments.iter().position(|argument| argument == "--").unwrap_or(arguments.len());
    let release = arguments[..own].iter().any(|argument| argument == "--release");
    let rest = arguments[..own].iter().filter(|argument| *argument != "--release");
    let passed_on = arguments.get(own + 1..).unwrap_or_default();
    (release, rest.chain(passed_on).cloned().collect())
}

/// Builds the executable and asks cargo where it is, which a setting may have moved.
pub fn executable(release: bool) -> Result<PathBuf, Fail> {
    library::bring()?;
    say("build: compiling click2call");
    let mut command = shell::cargo();
    command
        .args(["build", "--package", "click2call", "--bin", "click2call"])
        .args(["--message-format", "json-render-diagnostics"]);
    if release {
        command.arg("--release");
    }
    let output = command
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Fail::new(format!("cargo build: {error}")))?;
    if !output.status.success() {
        return Err(Fail::new("click2call did not compile; the compiler's words stand above"));
    }
    built_executable(&String::from_utf8_lossy(&output.stdout))
        .ok_or_else(|| Fail::new("cargo named no executable, though the build passed"))
}

/// The executable's place in cargo's messages, one JSON object a line.
fn built_executable(messages: &str) -> Option<PathBuf> {
    let mut places = messages.lines().filter_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let ours = message["target"]["name"] == "click2call";
        ours.then(|| message["executable"].as_str().map(PathBuf::from)).flatten()
    });
    places.next_back()
}

/// Turns this process into another program, which then gets the terminal's signals itself and
/// whose exit status is ours.
#[cfg(unix)]
fn become_program(command: &mut Command) -> Outcome {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(Fail::new(format!("{}: {error}", shell::shown(command))))
}

/// Elsewhere a process can't become another; it waits for it.
#[cfg(not(unix))]
fn become_program(command: &mut Command) -> Outcome {
    shell::run(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn what_is_not_ours_goes_on_to_the_program() {
        assert_eq!(options(&words("--release --log json")), (true, words("--log json")));
        assert_eq!(options(&words("-- --release")), (false, words("--release")));
        assert_eq!(options(&[]), (false, vec![]));
    }

    #[test]
    fn the_executable_is_read_from_the_messages_of_cargo() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"base"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"click2call"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"click2call"},"executable":"/t/click2call"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(built_executable(messages), Some(PathBuf::from("/t/click2call")));
        assert_eq!(built_executable("not json"), None);
    }
}
