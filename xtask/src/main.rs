//! Every chore of the project, as subcommands of `cargo xtask`.
//!
//! No chore needs a tool that a clone does not bring: what is missing is built from Cargo.lock,
//! installed from the distribution or named together with the command that installs it. Progress
//! goes to standard output in lines that start with `==>`, so a log of a run reads as a list.

// Talking on the terminal is what these chores are for.
#![allow(clippy::print_stdout)]

mod assets;
mod check;
mod debian;
mod demo;
mod files;
mod harness;
mod library;
mod shell;
mod swf;
mod tidy;

use shell::{Fail, Outcome};
use std::process::ExitCode;

const HELP: &str = "\
Every chore of the project.

Usage: cargo xtask <CHORE> [ARGUMENTS]     (cargo xtask <CHORE> --help tells more)

Chores:
  demo     build everything and run the demo: a store page with a Call button, and its phone
  test     install what the tests need and run them all
  ci       the same as test
  assets   build the pages and the WebAssembly into assets/dist
  swf      compile the Flash WebPhone and compare it with the committed file
  build    assets, then the executable: cargo xtask build --release
  tidy     the house rules: file lengths, imports, licences, leftovers
  bench    print the figures: CPU, memory and delays of calls
  fuzz     run the fuzz targets for longer than the tests do
";

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().collect();
    arguments.remove(0);
    if arguments.is_empty() || matches!(arguments[0].as_str(), "--help" | "-h" | "help") {
        println!("{HELP}");
        return if arguments.is_empty() { ExitCode::from(2) } else { ExitCode::SUCCESS };
    }
    let chore = arguments.remove(0);
    match dispatch(&chore, &arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fail) => {
            eprintln!("cargo xtask {chore}: {fail}");
            ExitCode::from(fail.status())
        }
    }
}

fn dispatch(chore: &str, arguments: &[String]) -> Outcome {
    let (help, run): (&str, fn(&[String]) -> Outcome) = match chore {
        "demo" => (demo::HELP, demo::demo),
        "build" => (demo::BUILD_HELP, demo::build),
        "assets" => (assets::HELP, assets::chore),
        "test" | "ci" => (check::HELP, check::test),
        "swf" => (swf::HELP, swf::chore),
        "tidy" => (tidy::HELP, tidy::chore),
        "bench" => (harness::BENCH_HELP, harness::bench),
        "fuzz" => (harness::FUZZ_HELP, harness::fuzz),
        other => {
            return Err(Fail::usage(format!(
                "there is no chore {other:?}; `cargo xtask --help` lists them"
            )));
        }
    };
    // What stands behind `--` belongs to the program that the chore runs, its --help included.
    let own = arguments.iter().take_while(|argument| *argument != "--");
    if own.into_iter().any(|argument| argument == "--help" || argument == "-h") {
        println!("{help}");
        return Ok(());
    }
    run(arguments)
}
