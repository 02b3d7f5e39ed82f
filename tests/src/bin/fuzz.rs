//! `cargo xtask fuzz`: the fuzz targets for longer than the tests run them, on stable Rust.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use base::Seed;
use harness::fuzzing::{Finding, TARGETS, Target, folder, run_for, shortened};
use std::process::ExitCode;
use std::time::Duration;

const HELP: &str = "\
Runs mutations of the kept corpus (tests/fuzz/corpus/TARGET/) at the entry points.

Usage: fuzz [TARGET] [--seconds N] [--seed N]

  TARGET       one of the targets; all of them, one after the other, when left out
  --seconds N  how long each target runs (60)
  --seed N     where the mutations start (from the clock); the same seed gives the same run

What breaks a promise is shortened and kept in the corpus, so that the tests run it from then on.

Targets:";

struct Wish {
    target: Option<String>,
    seconds: u64,
    seed: u64,
}

fn main() -> ExitCode {
    let wish = match wish(std::env::args().skip(1)) {
        Ok(wish) => wish,
        Err(words) => {
            println!("{words}{HELP}");
            for target in TARGETS {
                println!("  {}", target.name);
            }
            return ExitCode::from(if words.is_empty() { 0 } else { 2 });
        }
    };
    // What panics is told once, shortened; not each try on the way.
    std::panic::set_hook(Box::new(|_| {}));
    let mut found = 0;
    let chosen = |target: &&Target| wish.target.as_ref().is_none_or(|name| name == target.name);
    for target in TARGETS.iter().filter(chosen) {
        let mut seed = Seed::from_number(wish.seed);
        match run_for(*target, &mut seed, Duration::from_secs(wish.seconds)) {
            Ok(count) => println!("{}: {count} inputs, nothing found", target.name),
            Err(finding) => {
                found += 1;
                keep(shortened(*target, finding), wish.seed);
            }
        }
    }
    ExitCode::from(u8::from(found > 0))
}

fn keep(finding: Finding, seed: u64) {
    let path = folder(finding.target).join(format!("found-{seed}"));
    println!("{}: {}\n  input kept in {}", finding.target, finding.words, path.display());
    std::fs::write(path, finding.input).unwrap();
}

fn wish(arguments: impl Iterator<Item = String>) -> Result<Wish, String> {
    let clock = std::time::SystemTime::UNIX_EPOCH.elapsed().map_or(1, |time| time.as_secs());
    let mut wish = Wish { target: None, seconds: 60, seed: clock };
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let mut number = |name: &str| {
            let text = arguments.next().unwrap_or_default();
            text.parse().map_err(|_| format!("{name} takes a number, not \"{text}\"\n\n"))
        };
        match argument.as_str() {
            "--seconds" => wish.seconds = number("--seconds")?,
            "--seed" => wish.seed = number("--seed")?,
            "--help" | "-h" => return Err(String::new()),
            name if TARGETS.iter().any(|target| target.name == name) => {
                wish.target = Some(name.to_owned());
            }
            other => return Err(format!("\"{other}\" is no target\n\n")),
        }
    }
    Ok(wish)
}
