//! Which licences the crates that we build may have. deny.toml holds the same list for those who
//! use cargo-deny; a test keeps the two equal.

use super::Breach;
use serde_json::Value;

/// Licences that ask for no more than a notice.
const ALLOWED: [&str; 11] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Zlib",
];

/// Crates that bring a licence as a file instead of naming it, and what the file says.
const CLARIFIED: [(&str, &str); 2] = [("rsip", "MIT"), ("rsip-derives", "MIT")];

/// Every crate that we build and may not.
pub fn breaches(metadata: &Value) -> Vec<Breach> {
    let empty = Vec::new();
    // The graph is of this system; the list of packages is of all.
    let built: Vec<&Value> = metadata["resolve"]["nodes"]
        .as_array()
        .unwrap_or(&empty)
        .iter()
        .map(|node| &node["id"])
        .collect();
    let packages = metadata["packages"].as_array().unwrap_or(&empty);
    packages
        .iter()
        .filter(|package| built.contains(&&package["id"]))
        .filter_map(|package| {
            let name = package["name"].as_str().unwrap_or_default();
            let clarified = CLARIFIED.iter().find(|(of, _)| *of == name).map(|(_, words)| *words);
            let expression = package["license"].as_str().or(clarified);
            match expression {
                None => Some(Breach::new(name, None, "names no licence; read it and decide")),
                Some(words) if allowed(words) => None,
                Some(words) => Some(Breach::new(name, None, format!("its licence is {words}"))),
            }
        })
        .collect()
}

/// Whether an SPDX expression leaves us a choice that is allowed. Old manifests write `/` for OR.
fn allowed(expression: &str) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut place = 0;
    any(&words, &mut place) == Some(true) && place == words.len()
}

/// expression = term { OR term }; none where it is not written so.
fn any(words: &[&str], place: &mut usize) -> Option<bool> {
    let mut answer = all(words, place)?;
    while words.get(*place) == Some(&"OR") {
        *place += 1;
        answer |= all(words, place)?;
    }
    Some(answer)
}

/// term = factor { AND factor }
fn all(words: &[&str], place: &mut usize) -> Option<bool> {
    let mut answer = one(words, place)?;
    while words.get(*place) == Some(&"AND") {
        *place += 1;
        answer &= one(words, place)?;
    }
    Some(answer)
}

/// factor = "(" expression ")" | licence [ WITH exception ]
fn one(words: &[&str], place: &mut usize) -> Option<bool> {
    let word = *words.get(*place)?;
    *place += 1;
    if word == "(" {
        let answer = any(words, place)?;
        let closed = words.get(*place) == Some(&")");
        *place += 1;
        return closed.then_some(answer);
    }
    let mut licence = word.to_string();
    if words.get(*place) == Some(&"WITH") {
        licence = format!("{licence} WITH {}", words.get(*place + 1)?);
        *place += 2;
    }
    Some(ALLOWED.contains(&licence.as_str()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_choice_is_allowed_when_one_side_is() {
        assert!(allowed("MIT OR Apache-2.0"));
        assert!(allowed("MIT/Apache-2.0"));
        assert!(allowed("GPL-3.0-only OR MIT"));
        assert!(allowed("(MIT OR Apache-2.0) AND Unicode-3.0"));
        assert!(allowed("Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT"));
    }

    #[test]
    fn what_must_hold_together_needs_all_of_it_allowed() {
        assert!(!allowed("MIT AND GPL-3.0-only"));
        assert!(!allowed("(MIT OR ISC) AND OpenSSL"));
        assert!(!allowed("MPL-2.0"));
        assert!(!allowed("GPL-2.0-only WITH Classpath-exception-2.0"));
    }

    #[test]
    fn a_broken_expression_is_not_allowed() {
        for words in ["", "MIT OR", "(MIT", "MIT MIT", "AND MIT", "MIT WITH"] {
            assert!(!allowed(words), "{words:?}");
        }
    }

    #[test]
    fn deny_toml_has_the_same_list() {
        let text = std::fs::read_to_string(crate::shell::root().join("deny.toml")).unwrap();
        let list = text.split("allow = [").nth(1).unwrap().split(']').next().unwrap();
        let there: Vec<&str> = list
            .split(',')
            .map(|word| word.trim().trim_matches('"'))
            .filter(|w| !w.is_empty())
            .collect();
        assert_eq!(there, ALLOWED);
        for (name, _) in CLARIFIED {
            assert!(text.contains(&format!("crate = \"{name}\"")), "{name}");
        }
    }
}
