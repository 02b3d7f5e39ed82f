//! `cargo xtask bench`: what calls cost, as medians of interleaved runs.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod agent;
mod asker;
mod flash;
mod pages;
mod provider;
mod rows;
mod strangers;

use harness::measure::median;
use rows::{Bench, NOTES, PARTS, ROWS, spent};
use std::process::ExitCode;

const HELP: &str = "\
Prints a table: medians of interleaved runs, CPU as the sum over the process's threads, beside
rtpengine (userspace) where it is installed. Build the appliance with --release before, and let
the machine be quiet.

Usage: bench [--runs N] [--calls N] [--seconds N]

  --runs N      runs of every row (5)
  --calls N     calls at once where sound flows (20)
  --seconds N   how long sound flows in one run (8)
  --only PART   one part of the table: start, relay, transcode, setup, sip, flash, pages
                or strangers";

fn main() -> ExitCode {
    let mut bench = Bench { calls: 20, seconds: 8, only: None };
    let mut runs = 5;
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words.first().is_some_and(|word| word == agent::WORD) {
        agent::run(words.get(1..).unwrap_or_default());
        return ExitCode::SUCCESS;
    }
    let mut arguments = words.into_iter();
    while let Some(argument) = arguments.next() {
        let value = arguments.next().unwrap_or_default();
        match (argument.as_str(), value.parse::<u32>().ok()) {
            ("--runs", Some(number @ 1..)) => runs = number,
            ("--calls", Some(number @ 1..=100)) => bench.calls = number,
            ("--seconds", Some(number @ 1..)) => bench.seconds = number,
            ("--only", _) if PARTS.contains(&value.as_str()) => bench.only = Some(value),
            ("--help" | "-h", _) => {
                println!("{HELP}");
                return ExitCode::SUCCESS;
            }
            _ => {
                println!("\"{argument}\" is not understood\n\n{HELP}");
                return ExitCode::from(2);
            }
        }
    }
    harness::visitor::start_runtime(1);
    let mut figures: Vec<(&'static str, Vec<f64>)> = Vec::new();
    for run in 1..=runs {
        eprintln!("run {run} of {runs}");
        for measured in rows::all(&bench) {
            match figures.iter_mut().find(|(key, _)| *key == measured.0) {
                Some((_, values)) => values.push(measured.1),
                None => figures.push((measured.0, vec![measured.1])),
            }
        }
    }
    let figure = |key: &str| {
        let values = figures.iter().find(|(name, _)| *name == key);
        values.map(|(_, values)| (median(values.clone()), values.clone()))
    };
    println!("{:<58} {:>10} {:>22} {:>10}", "", "median", "least - most", "goal");
    let mut missed = Vec::new();
    for row in ROWS {
        let Some((middle, values)) = figure(row.key) else { continue };
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let range = format!("{least:.2} - {most:.2}");
        let verdict = match row.goal {
            Some(goal) if middle <= goal => format!("{goal} met"),
            Some(goal) => {
                missed.extend(spent(row.key));
                format!("{goal} MISSED")
            }
            None => String::new(),
        };
        println!("{:<58} {middle:>10.2} {range:>22} {verdict:>10}", row.words);
    }
    if let (Some((ours, _)), Some((theirs, _))) = (figure("relay"), figure("rtpengine-relay")) {
        println!("\nrelay against rtpengine on this machine: {:.2} of its CPU", ours / theirs);
    }
    if !missed.is_empty() {
        println!("\nWhere it goes:\n{}", missed.join("\n"));
    }
    println!("\n{NOTES}");
    ExitCode::SUCCESS
}
