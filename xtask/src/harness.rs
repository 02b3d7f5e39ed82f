//! The two chores whose work is done by programs of the package click2call-tests.

use crate::assets;
use crate::library;
use crate::shell::{self, Fail, Outcome, run, say};

pub const BENCH_HELP: &str = "\
Prints the figures: medians of several interleaved runs, CPU as the sum over the process's
threads, beside other servers where they are installed and can do the same.

Usage: cargo xtask bench [ARGUMENTS]       (cargo xtask bench -- --help for the arguments)";

pub const FUZZ_HELP: &str = "\
Runs the fuzz targets for longer than the tests do, from the kept corpus, on stable Rust.

Usage: cargo xtask fuzz [TARGET] [--seconds N]       (cargo xtask fuzz -- --help for more)";

const PACKAGE: &str = "click2call-tests";

/// `cargo xtask bench`
pub fn bench(arguments: &[String]) -> Outcome {
    let (available, place) = program("bench")?;
    if !available {
        return Err(missing("bench", &place));
    }
    // It measures the executable that shops run, pages included.
    assets::build()?;
    let executable = crate::demo::executable(true)?;
    start("bench", arguments, |command| {
        command.env("CLICK2CALL_BIN", &executable);
    })
}

/// `cargo xtask fuzz`
pub fn fuzz(arguments: &[String]) -> Outcome {
    let (available, place) = program("fuzz")?;
    if !available {
        return Err(missing("fuzz", &place));
    }
    start("fuzz", arguments, |_| {})
}

fn start(
    name: &str,
    arguments: &[String],
    prepare: impl FnOnce(&mut std::process::Command),
) -> Outcome {
    library::bring()?;
    say(format_args!("{name}: compiling"));
    let own = arguments.iter().position(|argument| argument == "--");
    let mut words = arguments.to_vec();
    if let Some(own) = own {
        words.remove(own);
    }
    let mut command = shell::cargo();
    command.args(["run", "--release", "--package", PACKAGE, "--bin", name, "--"]).args(words);
    prepare(&mut command);
    run(&mut command)
}

/// Whether the package has a program of that name, and where its source would lie.
fn program(name: &str) -> Result<(bool, String), Fail> {
    let metadata = crate::tidy::metadata(false)?;
    let packages = metadata["packages"].as_array().cloned().unwrap_or_default();
    let available = packages
        .iter()
        .filter(|package| package["name"] == PACKAGE)
        .flat_map(|package| package["targets"].as_array().cloned().unwrap_or_default())
        .any(|target| target["name"] == name && target["kind"][0] == "bin");
    Ok((available, format!("tests/src/bin/{name}.rs")))
}

fn missing(name: &str, place: &str) -> Fail {
    Fail::new(format!("the program {name} of the package {PACKAGE} is missing ({place})"))
}
