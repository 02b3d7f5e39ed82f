//! Who may use whom. Cargo refuses a backward edge only once there is a forward one; the rest is
//! checked here, against the table in ARCHITECTURE.md.

use super::Breach;
use serde_json::Value;

/// Our crates and what of ours each may use. The shell, the tests and xtask may use anything.
const OURS: [(&str, &[&str]); 15] = [
    ("client-wasm", &["click2call-signalling"]),
    ("click2call-audio", &["click2call-base", "click2call-speex"]),
    ("click2call-base", &[]),
    ("click2call-bridge", &["click2call-base", "click2call-audio"]),
    // The causes by which a call ends are words of the signalling: one list for page and log.
    ("click2call-call", &["click2call-base", "click2call-signalling"]),
    ("click2call-rtmp", &["click2call-base"]),
    ("click2call-rtmfp", &["click2call-base"]),
    ("click2call-rtp", &["click2call-base"]),
    ("click2call-sdp", &["click2call-base"]),
    ("click2call-signalling", &[]),
    ("click2call-sip", &["click2call-base"]),
    ("click2call-speex", &["click2call-base"]),
    ("click2call-store", &[]),
    ("click2call-trace", &[]),
    ("click2call-webrtc", &["click2call-base", "click2call-sdp", "click2call-rtp"]),
];

/// Crates from outside and the only ones of ours that may use them.
const OWNERS: [(&str, &[&str]); 31] = [
    ("str0m", &["click2call-webrtc"]),
    ("dimpl", &["click2call-webrtc"]),
    ("rsip", &["click2call-sip"]),
    ("md-5", &["click2call-sip"]),
    ("aes", &["click2call-rtmfp", "click2call-rtp"]),
    ("cbc", &["click2call-rtmfp"]),
    ("ctr", &["click2call-rtp"]),
    ("hmac", &["click2call-rtmfp", "click2call-rtp"]),
    ("sha1", &["click2call-rtp"]),
    ("crypto-bigint", &["click2call-rtmfp"]),
    ("num-bigint", &["click2call-rtmfp"]),
    ("subtle", &["click2call-rtmfp"]),
    ("zeroize", &["click2call-rtmfp", "click2call-rtp"]),
    ("rusqlite", &["click2call-store"]),
    ("ropus", &["click2call-audio"]),
    ("sdp-types", &["click2call-sdp"]),
    ("wasm-bindgen", &["client-wasm"]),
    ("serde", &["click2call-signalling", "click2call-trace", "click2call", "client-wasm"]),
    ("serde_json", &["click2call-signalling", "click2call-trace", "click2call", "client-wasm"]),
    ("hyper", &["click2call"]),
    ("hyper-util", &["click2call"]),
    ("tokio", &["click2call"]),
    ("tokio-tungstenite", &["click2call"]),
    ("clap", &["click2call"]),
    ("toml", &["click2call"]),
    ("rust-embed", &["click2call"]),
    ("mio", &["click2call"]),
    ("socket2", &["click2call"]),
    ("rustls", &["click2call"]),
    ("quinn-udp", &["click2call"]),
    ("hickory-resolver", &["click2call"]),
];

/// Crates of ours that are no part of the product.
const FREE: [&str; 3] = ["click2call-stand-in", "click2call-tests", "xtask"];

/// Every import that the table does not allow.
pub fn breaches(metadata: &Value) -> Vec<Breach> {
    let empty = Vec::new();
    let packages = metadata["packages"].as_array().unwrap_or(&empty);
    let ours: Vec<&Value> = packages.iter().filter(|package| package["source"].is_null()).collect();
    let names: Vec<&str> = ours.iter().filter_map(|package| package["name"].as_str()).collect();
    let mut found = Vec::new();
    for package in ours {
        let name = package["name"].as_str().unwrap_or_default();
        if FREE.contains(&name) {
            continue;
        }
        for dependency in package["dependencies"].as_array().unwrap_or(&empty) {
            // What only tests use reaches no executable.
            if dependency["kind"] == "dev" {
                continue;
            }
            let used = dependency["name"].as_str().unwrap_or_default();
            if let Some(words) = refused(name, used, names.contains(&used)) {
                found.push(Breach::new(name, None, words));
            }
        }
    }
    found
}

/// Why a crate may not use another, if so.
fn refused(name: &str, used: &str, ours: bool) -> Option<String> {
    if ours && name != "click2call" {
        let allowed = OURS.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, list)| list);
        return (!allowed.contains(&used)).then(|| {
            let list = if allowed.is_empty() { "none".into() } else { allowed.join(", ") };
            format!("must not use {used}; of ours it may use: {list}")
        });
    }
    let (_, owners) = OWNERS.iter().find(|(of, _)| *of == used)?;
    (!owners.contains(&name))
        .then(|| format!("must not use {used}, which lives in {} only", owners.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_may_not_use_the_call() {
        assert!(refused("click2call-sip", "click2call-call", true).is_some());
        assert!(refused("click2call-sip", "click2call-base", true).is_none());
        assert!(refused("click2call-base", "click2call-rtp", true).is_some());
        assert!(refused("click2call", "click2call-sip", true).is_none());
    }

    #[test]
    fn a_crate_from_outside_stays_with_its_owner() {
        assert!(refused("click2call-call", "str0m", false).is_some());
        assert!(refused("click2call-webrtc", "str0m", false).is_none());
        assert!(refused("click2call", "rsip", false).is_some());
        assert!(refused("click2call-audio", "some-small-crate", false).is_none());
    }

    #[test]
    fn what_tests_and_chores_use_is_free() {
        let metadata: Value = serde_json::from_str(
            r#"{"packages": [
                {"name": "xtask", "source": null, "dependencies": [{"name": "tokio", "kind": null}]},
                {"name": "click2call-rtp", "source": null, "dependencies": [
                    {"name": "tokio", "kind": "dev"}, {"name": "tokio", "kind": null}]}
            ]}"#,
        )
        .unwrap_or_default();
        let found = breaches(&metadata);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "click2call-rtp");
    }
}
