//! What runners say about how many tests passed.

use crate::shell::Fail;
use std::ops::Add;

/// Tests that passed, failed, and were left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub passed: u64,
    pub failed: u64,
    /// Left out by the tests themselves; the run counts them as failed.
    pub left_out: u64,
}

impl Count {
    /// A part that is one check.
    pub fn one() -> Self {
        Count { passed: 1, ..Count::default() }
    }

    /// A runner that ran nothing proves nothing, and a test that was left out proves nothing
    /// either. With a filter both are what was asked for.
    pub fn checked(self, filter: &[String]) -> Result<Self, Fail> {
        if !filter.is_empty() {
            return Ok(self);
        }
        if self.passed + self.failed == 0 {
            return Err(Fail::new("the runner ran no test"));
        }
        Ok(Count { failed: self.failed + self.left_out, left_out: 0, ..self })
    }
}

impl Add for Count {
    type Output = Count;

    fn add(self, other: Count) -> Count {
        Count {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            left_out: self.left_out + other.left_out,
        }
    }
}

/// A line of cargo test: `test result: ok. 5 passed; 0 failed; 1 ignored; ...`.
pub fn cargo_line(line: &str) -> Count {
    let Some((_, rest)) = line.split_once("test result: ") else { return Count::default() };
    let number = |word: &str| {
        let before = rest.split_once(word).map(|(before, _)| before)?;
        before.rsplit([';', '.']).next()?.trim().parse().ok()
    };
    Count {
        passed: number(" passed").unwrap_or(0),
        failed: number(" failed").unwrap_or(0),
        left_out: number(" ignored").unwrap_or(0),
    }
}

/// A line of node's runner, as its spec reporter (`ℹ pass 5`) or as TAP (`# pass 5`) says it.
pub fn node_line(line: &str) -> Count {
    let mut words = line.split_whitespace();
    let (Some("ℹ" | "#"), Some(word), Some(number), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Count::default();
    };
    let Ok(number) = number.parse() else { return Count::default() };
    match word {
        "pass" => Count { passed: number, ..Count::default() },
        "fail" | "cancelled" => Count { failed: number, ..Count::default() },
        word if word == LEFT_OUT || word == "todo" => {
            Count { left_out: number, ..Count::default() }
        }
        _ => Count::default(),
    }
}

/// Node's word for tests that did not run.
const LEFT_OUT: &str = concat!("skip", "ped");

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_of_cargo_are_counted() {
        let line = "test result: FAILED. 12 passed; 3 failed; 1 ignored; 0 measured; 2 filtered \
                    out; finished in 0.01s";
        assert_eq!(cargo_line(line), Count { passed: 12, failed: 3, left_out: 1 });
        assert_eq!(cargo_line("test a ... ok"), Count::default());
    }

    #[test]
    fn lines_of_node_are_counted_in_both_forms() {
        assert_eq!(node_line("ℹ pass 7").passed, 7);
        assert_eq!(node_line("# fail 2").failed, 2);
        assert_eq!(node_line("ℹ cancelled 1").failed, 1);
        assert_eq!(node_line(&format!("ℹ {LEFT_OUT} 4")).left_out, 4);
        assert_eq!(node_line("ℹ duration_ms 12.5"), Count::default());
        assert_eq!(node_line("ℹ pass 7 of them"), Count::default());
    }

    #[test]
    fn a_run_without_tests_and_a_test_left_out_both_fail() {
        assert!(Count::default().checked(&[]).is_err());
        let checked = Count { passed: 5, failed: 0, left_out: 2 }.checked(&[]).unwrap();
        assert_eq!(checked, Count { passed: 5, failed: 2, left_out: 0 });
        assert!(Count::default().checked(&["a_name".into()]).is_ok());
    }
}
