//! Packages of Debian and its relatives.

use crate::shell::{self, Outcome, at, find, run};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Whether this system has Debian's packages.
pub fn is_here() -> bool {
    find("apt-get").is_some() && find("dpkg").is_some()
}

/// What stands before a command that needs the superuser's rights; none if there is no way.
pub fn superuser() -> Option<Vec<&'static str>> {
    let user = shell::read(Command::new("id").arg("-u")).ok()?;
    if user.trim() == "0" {
        return Some(Vec::new());
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", "true"]).stdin(Stdio::null()).stderr(Stdio::null());
    sudo.status().is_ok_and(|status| status.success()).then(|| vec!["sudo", "-n"])
}

/// Installs packages with the rights of [`superuser`].
pub fn install(prefix: &[&str], packages: &[&str]) -> Outcome {
    let apt = |arguments: &[&str]| {
        let words = prefix.iter().copied();
        let all: Vec<&str> = words
            .chain(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q"])
            // Another apt, such as a system's nightly one, is waited for.
            .chain(["-o", "DPkg::Lock::Timeout=300"])
            .chain(arguments.iter().copied())
            .collect();
        run(Command::new(all[0]).args(&all[1..]).stdin(Stdio::null()))
    };
    apt(&["update"])?;
    let mut words = vec!["install", "--no-install-recommends", "-y"];
    words.extend(packages);
    apt(&words)
}

/// Unpacks a package into a folder of ours, which needs nobody's rights.
pub fn unpack(package: &str, folder: &Path) -> Outcome {
    at(folder, fs::create_dir_all(folder))?;
    run(Command::new("apt-get")
        .args(["-q", "download", package])
        .current_dir(folder)
        .stdin(Stdio::null()))?;
    let files = at(folder, fs::read_dir(folder))?.flatten().map(|entry| entry.path());
    for file in files.filter(|file| file.extension() == Some(OsStr::new("deb"))) {
        run(Command::new("dpkg").arg("-x").args([&file, folder]))?;
        at(&file, fs::remove_file(&file))?;
    }
    Ok(())
}

/// The command that a user without these rights has to give.
pub fn by_hand(packages: &[&str]) -> String {
    format!(
        "sudo apt-get update && sudo apt-get install --no-install-recommends -y {}",
        packages.join(" ")
    )
}
