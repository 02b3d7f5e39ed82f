//! The one C library that the executable is linked with and that no crate brings: libspeex.

use crate::debian;
use crate::shell::{self, Fail, Outcome, say};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const PACKAGE: &str = "libspeex-dev";

/// Brings libspeex where it is missing: installed, or for users who may not install anything
/// unpacked beside the build, where the build script of server/speex looks too.
pub fn bring() -> Outcome {
    let folder = shell::target().join("tools/speex");
    if is_known() || is_unpacked(&folder) {
        return Ok(());
    }
    if !debian::is_here() {
        return Err(Fail::new(
            "the library Speex is missing; install it with its headers (Fedora speex-devel, \
             Alpine speex-dev, Homebrew speex)",
        ));
    }
    if let Some(prefix) = debian::superuser() {
        say(format_args!("library: installing {PACKAGE}"));
        return debian::install(&prefix, &[PACKAGE]);
    }
    say(format_args!("library: unpacking {PACKAGE} into {}", folder.display()));
    debian::unpack(PACKAGE, &folder).map_err(|fail| {
        Fail::new(format!(
            "{fail}; the library Speex is missing, and this user may not install it:\n  {}",
            debian::by_hand(&[PACKAGE])
        ))
    })
}

/// Whether the build script will find it where the C compiler does, or where it was told to.
fn is_known() -> bool {
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let known = |name: &str| {
        let mut command = Command::new(&compiler);
        command.arg(format!("-print-file-name={name}")).stdin(Stdio::null());
        shell::read(&mut command).is_ok_and(|place| Path::new(place.trim()).is_absolute())
    };
    std::env::var_os("CLICK2CALL_SPEEX").is_some()
        || ["libspeex.a", "libspeex.so", "libspeex.dylib"].into_iter().any(known)
}

/// Whether it was unpacked here before.
fn is_unpacked(folder: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(folder.join("usr/lib")) else { return false };
    let mut libraries = entries.flatten().map(|entry| -> PathBuf { entry.path() });
    libraries.any(|folder| folder.join("libspeex.a").is_file())
}
