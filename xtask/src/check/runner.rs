//! A test runner whose output is shown as it comes and counted on the way.

use super::count::Count;
use crate::shell::{Fail, shown};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

/// Runs it to the end. An exit status that its counts do not explain counts as one failure: a
/// test that did not compile, a process that died.
pub fn watch(command: &mut Command, count: fn(&str) -> Count) -> Result<Count, Fail> {
    watch_into(command, count, &mut std::io::stdout())
}

fn watch_into(
    command: &mut Command,
    count: fn(&str) -> Count,
    terminal: &mut dyn Write,
) -> Result<Count, Fail> {
    let name = shown(command);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| Fail::new(format!("{name}: {error}")))?;
    let mut total = Count::default();
    if let Some(output) = child.stdout.take() {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        while output.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            // A closed terminal is no reason to stop counting.
            let _ = terminal.write_all(&line).and_then(|()| terminal.flush());
            total = total + count(&String::from_utf8_lossy(&line));
            line.clear();
        }
    }
    let status = child.wait().map_err(|error| Fail::new(format!("{name}: {error}")))?;
    if !status.success() && total.failed == 0 {
        total.failed = 1;
    }
    Ok(total)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::count::cargo_line;
    use super::*;

    fn shell(script: &str) -> Count {
        // Not to the terminal: whoever counts this very run would count these lines too.
        watch_into(Command::new("sh").args(["-c", script]), cargo_line, &mut Vec::new()).unwrap()
    }

    #[test]
    fn counts_of_several_binaries_are_summed() {
        let two = "echo 'test result: ok. 2 passed; 0 failed; 0 ignored';
            echo 'test result: ok. 3 passed; 0 failed; 0 ignored'";
        assert_eq!(shell(two), Count { passed: 5, ..Count::default() });
    }

    #[test]
    fn a_runner_that_dies_without_a_count_is_one_failure() {
        assert_eq!(shell("exit 101").failed, 1);
        assert_eq!(
            shell("echo 'test result: ok. 2 passed; 0 failed; 0 ignored'; exit 1").failed,
            1
        );
        assert_eq!(shell("echo 'test result: F. 2 passed; 4 failed; 0 ignored'; exit 1").failed, 4);
    }
}
