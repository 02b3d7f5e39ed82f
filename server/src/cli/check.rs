//! `click2call check`: reads the file, has the check made, and says how it ended.

use super::{Args, BAD_INPUT, FAILED, FINE};
use crate::check::finding::Report;
use crate::check::{CheckArgs, Subject, run};
use std::io::{self, Write};

/// What `--help` says below the options.
pub const CHECK_HELP: &str = "\
One line a finding: ok, warn or fail, the key of the file, what was found, and what to do about it.
Exit status 0 only if a call was up and was heard both ways; 1 otherwise; 2 for a bad file.

Without --to each account calls itself and takes the call: that costs nothing at most providers, and
shows most, since both ends are measured. Some let no account call itself: then name a number that
answers (an echo test is best). Calls to it may cost money.

Where the provider refuses, settings that other providers wanted are tried, one after the other and
24 at most, with a pause between; the line that helps is shown, and with --write put into the file.

  click2call check --config shop.toml
  click2call check --config shop.toml --to 74951234567
  click2call check --config shop.toml --write
  click2call check --config shop.toml --json";

/// Checks. Status 0 says that calls will work.
pub fn check(
    args: &Args,
    wish: &CheckArgs,
    out: &mut dyn Write,
    errors: &mut dyn Write,
) -> io::Result<u8> {
    let (config, notices) = match args.configuration() {
        Ok(read) => read,
        Err(problems) => {
            writeln!(out, "{problems}")?;
            return Ok(BAD_INPUT);
        }
    };
    let subject = Subject { config, notices: &notices, file: args.config.as_deref() };
    let mut report = Report::new(out, errors, wish.json);
    let works = run(subject, wish, &mut report)?;
    report.finish(works)?;
    Ok(if works { FINE } else { FAILED })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_file_that_cannot_be_read_is_status_2() {
        let line = "click2call check --config /nonexistent/a.toml";
        let args = Args::try_from_arguments(line.split_whitespace()).unwrap();
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        let status = check(&args, &CheckArgs::default(), &mut out, &mut errors).unwrap();
        assert_eq!(status, BAD_INPUT);
        assert!(String::from_utf8(out).unwrap().contains("can't be read"));
    }
}
