//! Which built file names which: for the weight of a page, and to find names without a file.
//!
//! This is no parser of HTML, CSS or JavaScript. Whatever stands between quotes or brackets and
//! is the name of a built file counts as a reference; that errs on the heavy side only.

use crate::files::Tree;
use std::collections::BTreeSet;

/// What a reference stands between.
const MARKS: [char; 5] = ['\'', '"', '`', '(', ')'];

/// Every built file that a page loads, directly or through others, itself included.
pub fn reached(built: &Tree, page: &str) -> BTreeSet<String> {
    let mut seen = BTreeSet::from([page.to_string()]);
    let mut open = vec![page.to_string()];
    while let Some(name) = open.pop() {
        let Some(text) = text(built, &name) else { continue };
        for (_, word) in quoted(text) {
            // Links to other pages are not loaded; only the immutable folder and the API are.
            let Some(target) = resolve(&name, word) else { continue };
            let loadable = target.starts_with("a/") || target.starts_with("api/");
            if loadable && built.contains_key(&target) && seen.insert(target.clone()) {
                open.push(target);
            }
        }
    }
    seen
}

/// Names without a file: under the immutable folder in pages, in imports of modules. One line
/// each.
pub fn broken(built: &Tree, base: &str) -> Vec<String> {
    let mut lines = Vec::new();
    for name in built.keys() {
        let Some(text) = text(built, name) else { continue };
        let script = name.ends_with(".js") || name.ends_with(".mjs");
        for (before, word) in quoted(text) {
            let before = before.trim_end();
            let import = script
                && (word.starts_with("./") || word.starts_with("../"))
                && (before.ends_with("from")
                    || before.ends_with("import")
                    || before.ends_with("import("));
            let file = word.strip_prefix(base).is_some_and(|rest| rest.contains('.'));
            if !(import || file) {
                continue;
            }
            match resolve(name, word) {
                Some(target) if built.contains_key(&target) => {}
                _ => lines.push(format!("{name} names {word}")),
            }
        }
    }
    lines
}

/// The text of a file that can name others.
fn text<'a>(built: &'a Tree, name: &str) -> Option<&'a str> {
    let ending = name.rsplit('.').next()?;
    let can = matches!(ending, "html" | "js" | "mjs" | "css" | "svg");
    let contents = built.get(name).filter(|_| can)?;
    std::str::from_utf8(contents).ok()
}

/// What stands between two quotes or brackets, each with the text before its opening one.
fn quoted(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let marks: Vec<usize> = text.match_indices(MARKS).map(|(at, _)| at).collect();
    let pairs: Vec<(usize, usize)> = marks.windows(2).map(|pair| (pair[0], pair[1])).collect();
    pairs.into_iter().map(|(from, to)| (&text[..from], &text[from + 1..to])).filter(|(_, word)| {
        !word.is_empty() && word.len() <= 200 && !word.contains(char::is_whitespace)
    })
}

/// A reference as the name of a built file: `/a/HASH/x.js`, `./x.js`, `../x.js` or `x.js`.
fn resolve(from: &str, word: &str) -> Option<String> {
    let word = word.split(['?', '#']).next().filter(|word| !word.is_empty())?;
    if word.contains("://") || word.starts_with("//") {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    let path = match word.strip_prefix('/') {
        Some(absolute) => absolute,
        None => {
            parts = from.split('/').collect();
            parts.pop();
            word
        }
    };
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => {
                parts.pop()?;
            }
            other => parts.push(other),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built() -> Tree {
        let files = [
            ("pages/button.html", r#"<link href="/a/0/look.css"><script src="/a/0/main.js">"#),
            ("pages/demo.html", r#"<a href="/api/other.js">"#),
            ("a/0/look.css", "@import url(theme/dark.css); b { background: url('dot.svg#x') }"),
            ("a/0/theme/dark.css", "a { background: url(../dot.svg) }"),
            ("a/0/dot.svg", "<svg/>"),
            ("a/0/main.js", "import { Phone } from './phone.js';\nawait import('./late.js');"),
            ("a/0/phone.js", "new URL('link_bg.wasm', import.meta.url)"),
            ("a/0/late.js", "// the end"),
            ("a/0/link_bg.wasm", "wasm"),
            ("a/0/unused.js", "import './phone.js'"),
            ("api/other.js", ""),
        ];
        files.iter().map(|(name, text)| (name.to_string(), text.as_bytes().to_vec())).collect()
    }

    #[test]
    fn a_page_reaches_styles_modules_and_wasm_but_not_what_nobody_names() {
        let reached = reached(&built(), "pages/button.html");
        let all: Vec<_> = reached.iter().map(String::as_str).collect();
        assert_eq!(
            all,
            [
                "a/0/dot.svg",
                "a/0/late.js",
                "a/0/link_bg.wasm",
                "a/0/look.css",
                "a/0/main.js",
                "a/0/phone.js",
                "a/0/theme/dark.css",
                "pages/button.html",
            ]
        );
    }

    #[test]
    fn names_without_a_file_are_listed_with_who_names_them() {
        let mut built = built();
        assert_eq!(broken(&built, "/a/0"), Vec::<String>::new());
        built.remove("a/0/phone.js");
        built.remove("a/0/look.css");
        assert_eq!(
            broken(&built, "/a/0"),
            [
                "a/0/main.js names ./phone.js",
                "a/0/unused.js names ./phone.js",
                "pages/button.html names /a/0/look.css",
            ]
        );
    }

    #[test]
    fn other_hosts_and_climbing_out_are_no_files() {
        assert_eq!(resolve("a/0/x.js", "https://shop.example/y.js"), None);
        assert_eq!(resolve("a/x.js", "../../../y.js"), None);
        assert_eq!(resolve("a/0/x.js", "../1/y.js?z"), Some("a/1/y.js".into()));
    }
}
