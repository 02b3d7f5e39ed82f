//! client-wasm as a browser module: cargo's compiler, then wasm-bindgen as a library.
//!
//! The library has the version of the crate from the same Cargo.lock, so the two cannot drift
//! apart and nothing has to be installed.

use crate::files::Tree;
use crate::shell::{self, Fail, Outcome, find, run, say};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use wasm_bindgen_cli_support::Bindgen;

const TARGET: &str = "wasm32-unknown-unknown";

/// Builds `link.js` and `link_bg.wasm`.
pub fn build() -> Result<Tree, Fail> {
    ensure_target()?;
    let folder = shell::target().join("wasm");
    compile(&folder)?;
    let compiled = folder.join(TARGET).join("release/client_wasm.wasm");
    bind(&compiled)
}

/// Compiles for size. The settings travel as environment variables: a profile in Cargo.toml
/// would slow down the executable's own release build.
fn compile(folder: &Path) -> Outcome {
    run(shell::cargo()
        .args(["build", "--release", "--package", "client-wasm", "--lib"])
        .args(["--target", TARGET])
        .env("CARGO_TARGET_DIR", folder)
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "z")
        .env("CARGO_PROFILE_RELEASE_LTO", "fat")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        // Stripping here would take the list of target features from wasm-bindgen, which warns.
        .env("CARGO_PROFILE_RELEASE_STRIP", "false")
        .env_remove("RUSTFLAGS")
        .env("CARGO_ENCODED_RUSTFLAGS", flags()))
    .map_err(|fail| Fail::new(format!("client-wasm did not compile: {fail}")))
}

/// Panic messages name source files; without these flags the result would hold this machine's
/// folders and differ from one to the next.
fn flags() -> OsString {
    let mut places = vec![(shell::root(), ".")];
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    if let Some(home) = cargo_home.or_else(|| Some(std::env::home_dir()?.join(".cargo"))) {
        // One folder for each registry, whose name depends on where it is reached.
        let registries = std::fs::read_dir(home.join("registry/src"));
        let mut folders: Vec<PathBuf> =
            registries.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        folders.sort();
        places.extend(folders.into_iter().map(|folder| (folder, "crates")));
    }
    let mut flags = OsString::new();
    for (from, to) in places {
        if !flags.is_empty() {
            // The byte that stands between two flags.
            flags.push("\u{1f}");
        }
        flags.push("--remap-path-prefix=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
    }
    flags
}

/// Runs wasm-bindgen over the compiled module.
fn bind(compiled: &Path) -> Result<Tree, Fail> {
    let words = |error: &dyn std::fmt::Display| {
        Fail::new(format!(
            "wasm-bindgen: {error}\nIts version in Cargo.toml and that of \
             wasm-bindgen-cli-support in xtask/Cargo.toml must be the same."
        ))
    };
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(compiled)
        .out_name("link")
        .web(true)
        .map_err(|error| words(&format!("{error:#}")))?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        // The module finds link_bg.wasm beside itself, wherever the folder lies.
        .omit_default_module_path(false);
    let mut output = bindgen.generate_output().map_err(|error| words(&format!("{error:#}")))?;
    // Where the crate brings scripts of its own, link.js imports them from these names.
    let mut files = Tree::new();
    for (folder, scripts) in output.snippets() {
        for (number, script) in scripts.iter().enumerate() {
            let name = format!("snippets/{folder}/inline{number}.js");
            files.insert(name, script.clone().into_bytes());
        }
    }
    for (name, script) in output.local_modules() {
        files.insert(format!("snippets/{name}"), script.clone().into_bytes());
    }
    files.insert("link.js".into(), output.js().as_bytes().to_vec());
    files.insert("link_bg.wasm".into(), output.wasm_mut().emit_wasm());
    Ok(files)
}

/// rustup brings the target by rust-toolchain.toml, unless its automatic installing is off.
fn ensure_target() -> Outcome {
    if find("rustup").is_none() {
        // A distribution's compiler: it has the target or names it itself when it has not.
        return Ok(());
    }
    let installed = shell::read(
        Command::new("rustup").args(["target", "list", "--installed"]).current_dir(shell::root()),
    )?;
    if installed.lines().any(|line| line.trim() == TARGET) {
        return Ok(());
    }
    say(format_args!("assets: adding {TARGET} to the toolchain"));
    run(Command::new("rustup").args(["target", "add", TARGET]).current_dir(shell::root()))
        .map_err(|fail| Fail::new(format!("{fail}; `rustup target add {TARGET}` must work")))
}
