//! Finds libspeex and has it linked: the static library, so that the executable runs on machines
//! without it, or else the shared one.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A folder that holds the library, for whoever keeps it elsewhere.
const FOLDER: &str = "CLICK2CALL_SPEEX";

const MISSING: &str = "\
The library Speex is missing. Install it and build again:

  Debian, Ubuntu:  sudo apt-get install libspeex-dev
  Fedora:          sudo dnf install speex-devel
  Alpine:          sudo apk add speex-dev
  macOS:           brew install speex

`cargo xtask demo` and `cargo xtask build` bring it by themselves on Debian and its relatives.
A libspeex.a that lies elsewhere is named by its folder in the variable CLICK2CALL_SPEEX.";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={FOLDER}");
    println!("cargo::rerun-if-env-changed=CC");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let statics = env::var_os(FOLDER)
        .map(|folder| Path::new(&folder).join("libspeex.a"))
        .or_else(|| known_to_the_compiler("libspeex.a"))
        .or_else(|| unpacked_beside(&out));
    match statics.filter(|library| library.is_file()) {
        Some(library) => {
            println!("cargo::rerun-if-changed={}", library.display());
            // A copy in a folder of its own: the system's folder holds other libraries too, which
            // crates that bring their own must not meet.
            if let Err(error) = std::fs::copy(&library, out.join("libspeex.a")) {
                fail(&format!("{}: {error}", library.display()));
            }
            println!("cargo::rustc-link-search=native={}", out.display());
            println!("cargo::rustc-link-lib=static=speex");
            println!("cargo::rustc-link-lib=m");
        }
        None if known_to_the_compiler("libspeex.so").is_some()
            || known_to_the_compiler("libspeex.dylib").is_some() =>
        {
            println!("cargo::rustc-link-lib=speex");
        }
        None => fail(MISSING),
    }
}

fn fail(words: &str) -> ! {
    eprintln!("\n{words}\n");
    std::process::exit(1);
}

/// Where the C compiler, which links the executable, would find a library.
fn known_to_the_compiler(name: &str) -> Option<PathBuf> {
    let compiler = env::var_os("CC").unwrap_or_else(|| "cc".into());
    let output = Command::new(compiler)
        .arg(format!("-print-file-name={name}"))
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let place = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
    // A name that it does not know it prints as it was.
    (place.is_absolute() && place.is_file()).then_some(place)
}

/// Where the chores unpack it for users who may not install packages: `tools/speex` beside the
/// build's folders.
fn unpacked_beside(out: &Path) -> Option<PathBuf> {
    let libraries = out.ancestors().map(|folder| folder.join("tools/speex/usr/lib"));
    let folders = libraries.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    folders.map(|folder| folder.path().join("libspeex.a")).find(|library| library.is_file())
}
