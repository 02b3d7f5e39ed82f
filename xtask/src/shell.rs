//! Running other programs, and failing with words.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a chore ends with.
pub type Outcome = Result<(), Fail>;

/// Why a chore failed, as a sentence that says what to do.
#[derive(Debug)]
pub struct Fail {
    words: String,
    status: u8,
}

impl Fail {
    /// A chore that was asked for wrongly; exit status 2.
    pub fn usage(words: impl Into<String>) -> Self {
        Fail { words: words.into(), status: 2 }
    }

    /// A chore that failed; exit status 1.
    pub fn new(words: impl Into<String>) -> Self {
        Fail { words: words.into(), status: 1 }
    }

    /// The exit status that belongs to it.
    pub fn status(&self) -> u8 {
        self.status
    }
}

impl fmt::Display for Fail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl From<String> for Fail {
    fn from(words: String) -> Self {
        Fail::new(words)
    }
}

/// Says what a file operation was about, which `io::Error` alone does not.
pub fn at<T>(path: &Path, result: io::Result<T>) -> Result<T, Fail> {
    result.map_err(|error| Fail::new(format!("{}: {error}", path.display())))
}

/// One line of progress.
pub fn say(words: impl fmt::Display) {
    println!("==> {words}");
}

/// The folder of the workspace.
pub fn root() -> PathBuf {
    // Cargo sets the variable for `cargo run`; a binary that is started by hand uses its folder.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    manifest
        .as_deref()
        .and_then(Path::parent)
        .map(Path::to_path_buf)
        .or_else(|| std::env::current_dir().ok())
        .unwrap_or_default()
}

/// Where cargo puts what it builds.
pub fn target() -> PathBuf {
    let chosen = std::env::var_os("CARGO_TARGET_DIR").filter(|value| !value.is_empty());
    root().join(chosen.map_or_else(|| PathBuf::from("target"), PathBuf::from))
}

/// The cargo that runs this chore, started in the workspace's folder.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    // `cargo run` describes xtask itself in these. Build scripts that watch them would take the
    // inner cargo for a different set-up and build everything again.
    for (name, _) in std::env::vars_os() {
        let of_xtask = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
        });
        if of_xtask {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a program to its end with our terminal; anything but exit status 0 is a failure.
pub fn run(command: &mut Command) -> Outcome {
    let name = shown(command);
    let status = command.status().map_err(|error| Fail::new(format!("{name}: {error}")))?;
    if status.success() { Ok(()) } else { Err(Fail::new(format!("`{name}` failed ({status})"))) }
}

/// Runs a program and hands back what it printed; its errors go to the terminal.
pub fn read(command: &mut Command) -> Result<String, Fail> {
    let name = shown(command);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Fail::new(format!("{name}: {error}")))?;
    if !output.status.success() {
        return Err(Fail::new(format!("`{name}` failed ({})", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A command as one would type it.
pub fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    let words = command.get_args().map(|word| word.to_string_lossy().into_owned());
    std::iter::once(name).chain(words).collect::<Vec<_>>().join(" ")
}

/// The place of a program in PATH. The folders of system programs count too: a user's PATH
/// often lacks them, and SIP servers live there.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/sbin", "/usr/games"].map(PathBuf::from))
        .map(|folder| folder.join(program))
        .find(|place| place.is_file())
}

/// PATH with a folder in front, for a tool that is installed beside the build.
pub fn path_with(first: &Path) -> OsString {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = std::iter::once(first.to_path_buf()).chain(std::env::split_paths(&path));
    std::env::join_paths(all).unwrap_or(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_failing_program_is_named_with_its_arguments() {
        let fail = run(Command::new("sh").args(["-c", "exit 3"])).unwrap_err();
        assert!(fail.to_string().starts_with("`sh -c exit 3` failed"), "{fail}");
    }

    #[test]
    fn programs_are_found_in_the_search_path_only() {
        assert!(find("sh").is_some());
        assert!(find("no-such-program-anywhere").is_none());
    }
}
