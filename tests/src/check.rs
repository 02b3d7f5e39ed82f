//! `click2call check` as an operator runs it.

use crate::appliance::{Appliance, Shop};
use crate::name_server::NameServer;
use crate::place::{self, Place};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How a check ended, and what it said.
pub struct Checked {
    /// Its exit status.
    pub status: Option<i32>,
    /// Whether it says that calls will work.
    pub works: bool,
    /// Its findings.
    pub findings: Vec<Value>,
    /// The file that was checked; empty for the demo.
    pub file: PathBuf,
}

/// Checks a shop with further arguments.
pub fn check(place: &Place, shop: &Shop, arguments: &[&str]) -> Checked {
    let file = Appliance::file(place, "check", shop);
    check_file(&file, arguments, Command::new(Appliance::executable()))
}

/// The same where names are looked up at this name server.
pub fn check_among(place: &Place, shop: &Shop, arguments: &[&str], names: &NameServer) -> Checked {
    let file = Appliance::file(place, "check", shop);
    check_file(&file, arguments, names.command(Appliance::executable()))
}

/// Checks a file as it is. `command` is the executable, or something that runs it.
pub fn check_file(file: &Path, arguments: &[&str], mut command: Command) -> Checked {
    command.args(["check", "--json", "--pause", "0", "--config"]).arg(file).args(arguments);
    // Scenarios share no port, and the file names none for Flash.
    command.env("CLICK2CALL_LISTEN_RTMFP", format!("127.0.0.1:{}", place::port()));
    Checked { file: file.to_path_buf(), ..Checked::of(command) }
}

impl std::fmt::Debug for Checked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "status {:?}, works: {}", self.status, self.works)?;
        for finding in &self.findings {
            let text = |key: &str| finding.get(key).and_then(Value::as_str).unwrap_or_default();
            write!(
                f,
                "\n{}: {}: {}; {}",
                text("level"),
                text("step"),
                text("words"),
                text("todo")
            )?;
        }
        Ok(())
    }
}

impl Checked {
    /// Runs a check that prints JSON.
    pub fn of(mut command: Command) -> Checked {
        let output = command.output().expect("the executable starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let object: Value = serde_json::from_str(&text).unwrap_or_else(|error| {
            panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr))
        });
        Checked {
            status: output.status.code(),
            works: object["works"].as_bool().unwrap(),
            findings: object["findings"].as_array().unwrap().clone(),
            file: PathBuf::new(),
        }
    }

    /// The first finding of a step at a level whose words hold a text.
    ///
    /// # Panics
    /// Where there is none.
    pub fn finds(&self, level: &str, step: &str, words: &str) -> &Value {
        let fits = |finding: &&Value| {
            finding["level"] == level
                && finding["step"] == step
                && finding["words"].as_str().unwrap().contains(words)
        };
        let found = self.findings.iter().find(fits);
        found.unwrap_or_else(|| panic!("no {level} of {step} with {words:?} in {self:#?}"))
    }

    /// The lines that it proposes.
    pub fn proposal(&self) -> Option<&str> {
        self.findings.iter().find_map(|finding| finding.get("line")?.as_str())
    }
}
