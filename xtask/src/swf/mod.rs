//! `cargo xtask swf`: the Flash WebPhone, from `flash-shim` to `assets/webphone.swf`.
//!
//! The compiled file is committed, so that building the executable needs no Haxe. What proves that
//! it is the source's is a second compilation: the same compiler makes the same bytes.

#[cfg(test)]
mod film;

use crate::assets::FILM;
use crate::check::tools;
use crate::shell::{self, Fail, Outcome, at, read, run, say};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

pub const HELP: &str = "\
Compiles the Flash WebPhone (flash-shim) and compares it with the committed assets/webphone.swf.

Usage: cargo xtask swf [--write]

  --write   puts the result in the committed file's place

Needs Haxe 4.2.5, Debian 12's package; it is installed by apt-get where that can be done. Other
versions compile it as well, to other bytes.";

/// The compiler that the committed file was made with.
const HAXE: &str = "4.2.5";

/// `cargo xtask swf`
pub fn chore(arguments: &[String]) -> Outcome {
    match arguments {
        [] => {
            tools::install_haxe()?;
            compare()
        }
        [word] if word == "--write" => {
            tools::install_haxe()?;
            let made = compile()?;
            let made = at(&made, fs::read(&made))?;
            let committed = shell::root().join(FILM);
            at(&committed, fs::write(&committed, &made))?;
            say(format_args!("swf: {FILM} has {} B now", made.len()));
            Ok(())
        }
        _ => Err(Fail::usage("takes --write or nothing")),
    }
}

/// Fails unless the committed file is what the source compiles to.
pub fn compare() -> Outcome {
    let made = compile()?;
    let made = at(&made, fs::read(&made))?;
    let committed = shell::root().join(FILM);
    if made != at(&committed, fs::read(&committed))? {
        return Err(Fail::new(format!(
            "{FILM} is not what flash-shim compiles to; `cargo xtask swf --write` makes it anew"
        )));
    }
    say(format_args!("swf: {FILM} ({} B) is what flash-shim compiles to", made.len()));
    Ok(())
}

/// Compiles, and returns where the result is.
fn compile() -> Result<PathBuf, Fail> {
    let haxe = shell::find("haxe").ok_or_else(|| {
        Fail::new(format!("install Haxe {HAXE} so that `haxe` is in PATH (Debian's package haxe)"))
    })?;
    let version = read(Command::new(&haxe).arg("--version"))?;
    if version.trim() != HAXE {
        return Err(Fail::new(format!(
            "{} is Haxe {}; the committed file was made by {HAXE}, and other versions make other bytes",
            haxe.display(),
            version.trim()
        )));
    }
    let folder = shell::target().join("swf");
    at(&folder, fs::create_dir_all(&folder))?;
    let made = folder.join("webphone.swf");
    run(Command::new(&haxe)
        .arg("build.hxml")
        .arg("-swf")
        .arg(&made)
        .current_dir(shell::root().join("flash-shim")))?;
    Ok(made)
}
