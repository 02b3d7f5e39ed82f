//! What the executable is made of.

use super::Breach;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The most crates that the executable may hold in more than one version. Each costs build time
/// and space; it grows only knowingly: the last one came with TLS, whose certificate reader and whose
/// ciphers each have their own `untrusted`.
const DOUBLED_AT_MOST: usize = 13;

/// Names and versions of everything that is linked into a package's targets: neither what only
/// tests nor what only build scripts use.
pub fn shipped(metadata: &Value, package: &str) -> BTreeSet<(String, String)> {
    let empty = Vec::new();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_string();
    let mut named = HashMap::new();
    let mut macros = BTreeSet::new();
    for package in metadata["packages"].as_array().unwrap_or(&empty) {
        let id = text(&package["id"]);
        named.insert(id.clone(), (text(&package["name"]), text(&package["version"])));
        if list(&package["targets"]).iter().any(|target| target["kind"][0] == "proc-macro") {
            macros.insert(id);
        }
    }
    let mut uses: HashMap<String, Vec<String>> = HashMap::new();
    for node in list(&metadata["resolve"]["nodes"]) {
        let linked = list(&node["deps"]).into_iter().filter(|dependency| {
            // A null kind is a normal dependency; the others are `dev` and `build`.
            list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null())
        });
        let ids = linked.map(|dependency| text(&dependency["pkg"]));
        uses.insert(text(&node["id"]), ids.filter(|id| !macros.contains(id)).collect());
    }
    let mut open: Vec<String> =
        named.iter().filter(|(_, (name, _))| name == package).map(|(id, _)| id.clone()).collect();
    let mut seen: BTreeSet<String> = open.iter().cloned().collect();
    while let Some(id) = open.pop() {
        for next in uses.get(&id).into_iter().flatten() {
            if seen.insert(next.clone()) {
                open.push(next.clone());
            }
        }
    }
    seen.iter().filter_map(|id| named.get(id).cloned()).collect()
}

/// Crates that are there in more than one version.
pub fn doubled(shipped: &BTreeSet<(String, String)>) -> Vec<String> {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, version) in shipped {
        versions.entry(name).or_default().push(version);
    }
    versions.retain(|_, list| list.len() > 1);
    versions.into_iter().map(|(name, list)| format!("{name} {}", list.join(" and "))).collect()
}

/// Too many of them.
pub fn breaches(doubled: &[String]) -> Vec<Breach> {
    if doubled.len() <= DOUBLED_AT_MOST {
        return Vec::new();
    }
    let words = format!(
        "holds {} crates in more than one version, {DOUBLED_AT_MOST} are allowed; `cargo tree \
         --duplicates` shows who brings them",
        doubled.len()
    );
    vec![Breach::new("click2call", None, words)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata() -> Value {
        serde_json::from_str(
            r#"{"packages": [
                {"id": "app", "name": "app", "version": "1.0.0", "targets": [{"kind": ["bin"]}]},
                {"id": "a1", "name": "a", "version": "1.0.0", "targets": [{"kind": ["lib"]}]},
                {"id": "a2", "name": "a", "version": "2.0.0", "targets": [{"kind": ["lib"]}]},
                {"id": "b", "name": "b", "version": "1.0.0", "targets": [{"kind": ["lib"]}]},
                {"id": "c", "name": "c", "version": "1.0.0", "targets": [{"kind": ["lib"]}]},
                {"id": "m", "name": "m", "version": "1.0.0", "targets": [{"kind": ["proc-macro"]}]}
            ], "resolve": {"nodes": [
                {"id": "app", "deps": [
                    {"pkg": "a1", "dep_kinds": [{"kind": null}]},
                    {"pkg": "b", "dep_kinds": [{"kind": "build"}, {"kind": null}]},
                    {"pkg": "c", "dep_kinds": [{"kind": "dev"}]},
                    {"pkg": "m", "dep_kinds": [{"kind": null}]}]},
                {"id": "b", "deps": [{"pkg": "a2", "dep_kinds": [{"kind": null}]}]}
            ]}}"#,
        )
        .unwrap_or_default()
    }

    #[test]
    fn only_what_is_linked_is_shipped() {
        let shipped = shipped(&metadata(), "app");
        let names: Vec<_> = shipped.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "a", "app", "b"]);
    }

    #[test]
    fn two_versions_of_a_crate_are_named() {
        assert_eq!(doubled(&shipped(&metadata(), "app")), ["a 1.0.0 and 2.0.0"]);
    }

    #[test]
    fn more_of_them_than_allowed_is_a_breach() {
        let many = vec!["a 1 and 2".to_string(); DOUBLED_AT_MOST + 1];
        assert!(breaches(&many[1..]).is_empty());
        assert_eq!(breaches(&many).len(), 1);
    }
}
