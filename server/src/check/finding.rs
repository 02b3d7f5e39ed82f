//! What was found: one line each, for eyes or as one JSON object for programs.

use serde::Serialize;
use std::io::{self, IsTerminal, Write};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Calls may work all the same.
    Warn,
    /// Calls will not work.
    Fail,
}

/// Which part of the set-up a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// The configuration file.
    File,
    /// Our own sockets.
    Ports,
    /// From the provider's name to its servers.
    Names,
    /// Who the provider's server is.
    Certificate,
    /// This machine's time of day.
    Clock,
    /// The account at its registrar.
    Registration,
    /// A call by it, until it is answered and hung up.
    Call,
    /// What is heard in it, both ways.
    Sound,
    /// Keys pressed in it.
    Keys,
    /// Settings that the provider wants otherwise.
    Walk,
}

/// One thing that was looked at or tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What it is about.
    pub step: Step,
    /// The account that it is about; empty: none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub account: String,
    /// The key of the file that it is about; empty: none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// What was found.
    pub words: String,
    /// What to do about it; empty where nothing is to be done.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub todo: String,
    /// The lines for the account's table that mend it; empty where there are none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub line: String,
}

impl Finding {
    /// A finding about nothing in particular.
    pub fn new(level: Level, step: Step, words: impl Into<String>) -> Finding {
        let [account, key, todo, line] = [const { String::new() }; 4];
        Finding { level, step, account, key, words: words.into(), todo, line }
    }

    /// As it should be.
    pub fn ok(step: Step, words: impl Into<String>) -> Finding {
        Finding::new(Level::Ok, step, words)
    }

    /// Calls may work all the same.
    pub fn warn(step: Step, words: impl Into<String>) -> Finding {
        Finding::new(Level::Warn, step, words)
    }

    /// Calls will not work.
    pub fn fail(step: Step, words: impl Into<String>) -> Finding {
        Finding::new(Level::Fail, step, words)
    }

    /// About a key of the file.
    #[must_use]
    pub fn at(self, key: impl Into<String>) -> Finding {
        Finding { key: key.into(), ..self }
    }

    /// About an account.
    #[must_use]
    pub fn of(self, account: &str) -> Finding {
        let key = match self.key.as_str() {
            "" => format!("accounts.{account}"),
            key => format!("accounts.{account}.{key}"),
        };
        Finding { account: account.to_owned(), key, ..self }
    }

    /// With what to do about it.
    #[must_use]
    pub fn todo(self, todo: impl Into<String>) -> Finding {
        Finding { todo: todo.into(), ..self }
    }

    /// One line, `fail: accounts.main.registrar: words; what to do`, and below it what to write.
    pub fn text(&self) -> String {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Fail => "fail",
        };
        let parts = [&self.key, &self.words].map(String::as_str);
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        let mut text = format!("{level}: {}", parts.join(": "));
        if !self.todo.is_empty() {
            text.push_str("; ");
            text.push_str(&self.todo);
        }
        for line in self.line.lines() {
            text.push_str("\n    ");
            text.push_str(line);
        }
        text
    }
}

/// Where findings go: each at once as a line, or all of them at the end as one object.
pub struct Report<'a> {
    out: &'a mut dyn Write,
    progress: Option<&'a mut dyn Write>,
    json: bool,
    findings: Vec<Finding>,
}

/// All findings, as programs get them.
#[derive(Serialize)]
struct Everything<'a> {
    findings: &'a [Finding],
    works: bool,
}

impl<'a> Report<'a> {
    /// A report on `out`. What is under way is said on `terminal`, where that is one.
    pub fn new(out: &'a mut dyn Write, terminal: &'a mut dyn Write, json: bool) -> Report<'a> {
        let progress = io::stderr().is_terminal().then_some(terminal);
        Report { out, progress, json, findings: Vec::new() }
    }

    /// Says what is under way, in place of what was under way before.
    pub fn doing(&mut self, words: &str) {
        if let Some(terminal) = &mut self.progress {
            // A terminal that is gone misses nothing.
            let _ = write!(terminal, "\r\x1b[K... {words}").and_then(|()| terminal.flush());
        }
    }

    fn clear(&mut self) {
        if let Some(terminal) = &mut self.progress {
            let _ = write!(terminal, "\r\x1b[K").and_then(|()| terminal.flush());
        }
    }

    /// One more finding.
    pub fn add(&mut self, finding: Finding) -> io::Result<()> {
        if !self.json {
            self.clear();
            writeln!(self.out, "{}", finding.text())?;
            self.out.flush()?;
        }
        self.findings.push(finding);
        Ok(())
    }

    /// Words for people only, such as a difference between two files.
    pub fn say(&mut self, words: &str) -> io::Result<()> {
        if self.json {
            return Ok(());
        }
        self.clear();
        writeln!(self.out, "{words}")
    }

    /// Whether something stands in the way of every call.
    pub fn has_failed(&self) -> bool {
        self.findings.iter().any(|finding| finding.level == Level::Fail)
    }

    /// The last words.
    pub fn finish(mut self, works: bool) -> io::Result<()> {
        self.clear();
        if self.json {
            let everything = Everything { findings: &self.findings, works };
            return writeln!(self.out, "{}", serde_json::to_string(&everything)?);
        }
        let words = if works { "calls will work" } else { "that calls will work is not shown" };
        writeln!(self.out, "{words}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn broken() -> Finding {
        Finding::fail(Step::Names, "broken").at("registrar").of("main").todo("mend it")
    }

    #[test]
    fn a_finding_is_one_line_with_what_to_write_below_it() {
        assert_eq!(broken().text(), "fail: accounts.main.registrar: broken; mend it");
        let cured = Finding { line: "quirks = [\"no-path\"]".into(), ..broken() };
        assert!(cured.text().ends_with("mend it\n    quirks = [\"no-path\"]"), "{}", cured.text());
    }

    #[test]
    fn programs_get_one_object_with_all_findings() {
        let (mut out, mut terminal) = (Vec::new(), Vec::new());
        let mut report = Report::new(&mut out, &mut terminal, true);
        report.add(Finding::ok(Step::Ports, "free")).unwrap();
        report.add(broken()).unwrap();
        assert!(report.has_failed());
        report.finish(false).unwrap();
        let object: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(object["works"], false);
        let second = &object["findings"][1];
        assert_eq!((&second["level"], &second["step"]), (&"fail".into(), &"names".into()));
        assert_eq!((&second["account"], &second["todo"]), (&"main".into(), &"mend it".into()));
        assert!(second.get("line").is_none());
    }
}
