//! `cargo xtask test`: everything that must hold before a change lands.
//!
//! ```text
//!  tools -> fmt -> swf -> assets -> tidy -> clippy -> build -> cargo -> xtask -> browser
//!                     all of them run, also after one that failed
//! ```
//!
//! A part that fails does not hide the others: all run, a table closes the run, and its last line
//! sums the counts of all runners. A tool that is missing fails the run; no test is left out.

mod count;
mod runner;
pub mod tools;

use crate::shell::{self, Fail, Outcome, cargo, run, say};
use crate::{assets, demo, library, swf, tidy};
use count::Count;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

pub const HELP: &str = "\
Installs what the tests need, runs them all and sums them up.

Usage: cargo xtask test [--only PART] [-- ARGUMENTS]

Parts, in this order:
  tools    what the tests need is installed
  fmt      rustfmt has nothing to change
  swf      the committed Flash WebPhone is what its source compiles to
  assets   the pages and the WebAssembly are built
  tidy     the house rules
  clippy   no warning in any target of the workspace
  build    the executable compiles
  cargo    cargo test of the workspace: machines, corpora, SIP peers
  xtask    cargo test of these chores
  browser  Chromium and Firefox against the running executable

  --only PART   that part and what it needs first; may be given several times
  ARGUMENTS     go to the runner: a filter for cargo test, or part of a file's name for browser

On Debian and its relatives the packages are installed by apt-get (as root or by sudo); elsewhere
the missing programs are named. The drivers for the browsers come by npm from the lock file.";

/// One part of the run.
struct Part {
    name: &'static str,
    /// What it must have run before.
    needs: &'static [&'static str],
    run: fn(&mut Run) -> Result<Count, Fail>,
}

const PARTS: [Part; 10] = [
    Part { name: "tools", needs: &[], run: install },
    Part { name: "fmt", needs: &[], run: fmt },
    Part { name: "swf", needs: &["tools"], run: compile_film },
    Part { name: "assets", needs: &[], run: build_assets },
    Part { name: "tidy", needs: &[], run: run_tidy },
    // The executable embeds the assets, so nothing that holds it compiles without them.
    Part { name: "clippy", needs: &["assets"], run: clippy },
    Part { name: "build", needs: &["assets"], run: build },
    Part { name: "cargo", needs: &["tools", "assets", "build"], run: test_workspace },
    Part { name: "xtask", needs: &[], run: test_xtask },
    Part { name: "browser", needs: &["tools", "assets", "build"], run: test_browsers },
];

/// What the parts share.
struct Run {
    /// What goes to the runners.
    arguments: Vec<String>,
    /// The executable under test, once it is built.
    executable: Option<PathBuf>,
    /// The tools, once they are installed.
    tools: Option<tools::Tools>,
}

/// How a part ended.
struct Line {
    name: &'static str,
    count: Count,
    seconds: u64,
    failure: Option<String>,
}

/// `cargo xtask test`
pub fn test(arguments: &[String]) -> Outcome {
    let (only, arguments) = options(arguments)?;
    let mut run = Run { arguments, executable: None, tools: None };
    let mut lines: Vec<Line> = Vec::new();
    for part in PARTS.iter().filter(|part| wanted(&only, part.name)) {
        println!();
        say(format_args!("{}", part.name.to_uppercase()));
        let started = Instant::now();
        let (count, failure) = match (part.run)(&mut run) {
            Ok(count) => (count, None),
            Err(fail) => {
                eprintln!("{}: {fail}", part.name);
                (Count::default(), Some(fail.to_string()))
            }
        };
        let seconds = started.elapsed().as_secs();
        lines.push(Line { name: part.name, count, seconds, failure });
    }
    summary(&lines)
}

/// `--only PART` as often as it stands, and what goes to the runners.
fn options(arguments: &[String]) -> Result<(Vec<String>, Vec<String>), Fail> {
    let mut only = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let name = match (word.as_str(), word.strip_prefix("--only=")) {
            ("--", _) => return Ok((only, words.cloned().collect())),
            (_, Some(name)) => name.to_string(),
            ("--only", _) => words.next().cloned().unwrap_or_default(),
            _ => {
                return Err(Fail::usage(format!(
                    "{word:?} is not understood; what goes to the runners stands behind `--`"
                )));
            }
        };
        if PARTS.iter().all(|part| part.name != name) {
            let names: Vec<_> = PARTS.iter().map(|part| part.name).collect();
            return Err(Fail::usage(format!("--only takes one of {}", names.join(", "))));
        }
        only.push(name);
    }
    Ok((only, Vec::new()))
}

/// Whether a part runs: always, or when it or one that needs it was asked for.
fn wanted(only: &[String], name: &str) -> bool {
    let needed =
        |asked: &String| PARTS.iter().any(|part| part.name == asked && part.needs.contains(&name));
    only.is_empty() || only.iter().any(|asked| asked == name || needed(asked))
}

/// Prints the table and the closing line.
fn summary(lines: &[Line]) -> Outcome {
    println!();
    say("SUMMARY");
    println!("    {:<9} {:>7} {:>7} {:>8}", "part", "passed", "failed", "seconds");
    let mut total = Count::default();
    for line in lines {
        let mut count = line.count;
        // A part without tests of its own, and one that never came to them, still counts.
        if line.failure.is_some() && count.failed == 0 {
            count.failed = 1;
        }
        total = total + count;
        let words = line.failure.as_deref().and_then(|words| words.lines().next()).unwrap_or("");
        println!(
            "    {:<9} {:>7} {:>7} {:>8}  {words}",
            line.name, count.passed, count.failed, line.seconds
        );
    }
    println!();
    println!("{} passed, {} failed", total.passed, total.failed);
    if total.failed == 0 { Ok(()) } else { Err(Fail::new("not everything passed")) }
}

fn install(state: &mut Run) -> Result<Count, Fail> {
    let tools = tools::install()?;
    say(format_args!("tools: all there; node is {}", tools.node.display()));
    state.tools = Some(tools);
    Ok(Count::one())
}

fn fmt(_: &mut Run) -> Result<Count, Fail> {
    run(cargo().args(["fmt", "--all", "--check"]))
        .map_err(|_| Fail::new("`cargo fmt --all` changes files; run it"))?;
    Ok(Count::one())
}

fn compile_film(state: &mut Run) -> Result<Count, Fail> {
    state.tools()?;
    swf::compare()?;
    Ok(Count::one())
}

fn build_assets(_: &mut Run) -> Result<Count, Fail> {
    assets::chore(&[])?;
    Ok(Count::one())
}

fn run_tidy(_: &mut Run) -> Result<Count, Fail> {
    tidy::chore(&[])?;
    Ok(Count::one())
}

fn clippy(_: &mut Run) -> Result<Count, Fail> {
    library::bring()?;
    run(cargo().args(["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    Ok(Count::one())
}

fn build(state: &mut Run) -> Result<Count, Fail> {
    state.executable = Some(demo::executable(false)?);
    Ok(Count::one())
}

fn test_workspace(state: &mut Run) -> Result<Count, Fail> {
    // xtask is left to its own part: together with the others its dependencies get other
    // features and build a second time.
    let mut command = cargo();
    command.args(["test", "--workspace", "--exclude", "xtask", "--no-fail-fast"]);
    command.args(&state.arguments);
    state.equip(&mut command)?;
    let count = runner::watch(&mut command, count::cargo_line)?;
    count.checked(&state.arguments)
}

fn test_xtask(state: &mut Run) -> Result<Count, Fail> {
    let mut command = cargo();
    command.args(["test", "--package", "xtask"]).args(&state.arguments);
    runner::watch(&mut command, count::cargo_line)?.checked(&state.arguments)
}

fn test_browsers(state: &mut Run) -> Result<Count, Fail> {
    let folder = shell::root().join("tests/browser");
    let mut files = Vec::new();
    for place in [folder.join("unit"), folder.clone()] {
        let Ok(entries) = std::fs::read_dir(&place) else { continue };
        let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        found.retain(|path| path.to_string_lossy().ends_with(".test.mjs"));
        found.sort();
        files.extend(found);
    }
    if files.is_empty() {
        say("browser: there are no files *.test.mjs in tests/browser");
        return Ok(Count::default());
    }
    files.retain(|file| {
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        state.arguments.is_empty() || state.arguments.iter().any(|word| name.contains(&**word))
    });
    let node = state.tools()?.node.clone();
    let mut command = Command::new(node);
    // One file at a time: two browsers and the executable are busy enough for a small machine,
    // and tests measure time. A file that hangs ends the run with its name.
    command
        .args(["--test", "--test-concurrency=1", "--test-timeout=1200000"])
        .arg("--test-reporter=spec")
        .args(&files)
        .current_dir(shell::root());
    state.equip(&mut command)?;
    runner::watch(&mut command, count::node_line)?.checked(&[])
}

impl Run {
    /// The tools, where their part passed.
    fn tools(&self) -> Result<&tools::Tools, Fail> {
        self.tools.as_ref().ok_or_else(|| Fail::new("needs the tools, which are not all there"))
    }

    /// Gives a runner what its tests look for.
    fn equip(&self, command: &mut Command) -> Outcome {
        let path = self.tools()?.path.clone();
        command.env("PATH", path);
        let executable = self
            .executable
            .as_ref()
            .ok_or_else(|| Fail::new("needs the executable, which did not build"))?;
        // The tests start the executable as a process of its own.
        command.env("CLICK2CALL_BIN", executable);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn a_part_brings_what_it_needs_and_nothing_else() {
        let (only, rest) = options(&words("--only browser -- page keypad")).unwrap();
        let run: Vec<_> =
            PARTS.iter().map(|part| part.name).filter(|name| wanted(&only, name)).collect();
        assert_eq!(run, ["tools", "assets", "build", "browser"]);
        assert_eq!(rest, ["page", "keypad"]);
    }

    #[test]
    fn all_parts_run_when_none_is_named() {
        assert!(PARTS.iter().all(|part| wanted(&[], part.name)));
    }

    #[test]
    fn every_need_is_a_part_that_stands_earlier() {
        for (place, part) in PARTS.iter().enumerate() {
            for need in part.needs {
                assert!(PARTS[..place].iter().any(|earlier| earlier.name == *need), "{need}");
            }
        }
    }

    #[test]
    fn a_wrong_part_is_answered_with_the_list() {
        let fail = options(&words("--only browsers")).unwrap_err();
        assert!(fail.to_string().contains("fmt, swf, assets"), "{fail}");
        assert_eq!(fail.status(), 2);
        assert!(options(&words("browser")).is_err());
    }

    #[test]
    fn one_failed_part_fails_the_run() {
        let line = |failure: Option<&str>| Line {
            name: "fmt",
            count: Count::default(),
            seconds: 0,
            failure: failure.map(String::from),
        };
        assert!(summary(&[line(None)]).is_ok());
        assert!(summary(&[line(None), line(Some("words"))]).is_err());
    }
}
