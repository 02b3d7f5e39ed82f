//! The executable.

use click2call::cli::{self, Action, Args};
use std::io::{Write, stderr, stdin, stdout};
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Args::from_command_line();
    let status = match args.action() {
        Action::Run => return run(&args),
        Action::Init(file) => {
            cli::init(&file, &mut stdin().lock(), &cli::hidden_line, &mut stdout().lock())
        }
        Action::Check(wish) => cli::check(&args, &wish, &mut stdout().lock(), &mut stderr().lock()),
        Action::Snippet(button) => {
            cli::snippet(&args, button.as_deref(), &mut stdout().lock(), &mut stderr().lock())
        }
        Action::Trace(wish) => cli::trace(&args, &wish, &mut stdout().lock(), &mut stderr().lock()),
    };
    // An error here means that nobody reads what we write: a closed pipe, a full disk.
    ExitCode::from(status.unwrap_or(cli::FAILED))
}

fn run(args: &Args) -> ExitCode {
    click2call::log::init(args.log);
    let complain = |text: &dyn std::fmt::Display| {
        let _ = writeln!(stderr().lock(), "click2call: {text}");
    };
    let (config, notices) = match args.configuration() {
        Ok(read) => read,
        Err(problems) => {
            let _ = writeln!(stderr().lock(), "{problems}");
            return ExitCode::from(cli::BAD_INPUT);
        }
    };
    match click2call::app::run(args, config, &notices) {
        Ok(()) => ExitCode::from(cli::FINE),
        Err(error) => {
            complain(&error);
            ExitCode::from(cli::FAILED)
        }
    }
}
