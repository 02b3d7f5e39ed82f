//! What browsers load: `assets/src` and `client-wasm` in, `assets/dist` out.
//!
//! ```text
//! assets/src/app/**      -> dist/a/HASH/**         immutable; HASH covers everything under it
//! client-wasm            -> dist/a/HASH/link.js, link_bg.wasm
//! assets/src/pages/*     -> dist/pages/*           {{base}} becomes /a/HASH
//! assets/src/api/*       -> dist/api/*             {{base}} becomes /a/HASH, parts are put in
//! assets/webphone.swf    -> dist/api/webphone.swf  what `cargo xtask swf` made of flash-shim
//! scripts and styles     -> under /a without their comments
//! every file             -> beside it .br and .gz, where they are smaller
//! ```
//!
//! The result depends on the inputs alone: no times, no machine paths, sorted names. Nothing is
//! compressed or put together when a page is asked for.

mod comments;
mod compress;
mod parts;
mod references;
mod wasm;

use crate::files::{self, Tree};
use crate::shell::{self, Fail, Outcome, at, say};
use std::fs;

pub const HELP: &str = "\
Builds the pages and the WebAssembly into assets/dist, where the executable takes them from.

Usage: cargo xtask assets

Nothing is done when no input changed. Fails when the call page with all that it loads is more
than 60 KB over the wire (brotli), or when a page or a module names a file that is not there.";

/// The most that the call page may weigh over the wire, everything that it loads included.
const CALL_PAGE_LIMIT: usize = 60 * 1024;

/// The folders of `assets/src` and what belongs there.
const SOURCES: [(&str, &str); 3] = [
    ("app", "the modules, styles and pictures of our own pages"),
    ("pages", "the HTML pages"),
    ("api", "the scripts that a shop's page loads"),
];

/// The Flash WebPhone. It is committed: whoever builds the executable needs no Haxe.
pub const FILM: &str = "assets/webphone.swf";

/// What the result depends on; a change of any of them builds anew.
const INPUTS: [&str; 8] = [
    "assets/src",
    FILM,
    "client-wasm",
    "server/signalling",
    "xtask/src/assets",
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
];

/// `cargo xtask assets`
pub fn chore(arguments: &[String]) -> Outcome {
    if let Some(argument) = arguments.first() {
        return Err(Fail::usage(format!("takes no arguments, so not {argument:?}")));
    }
    // What is too heavy still works, so the demo starts with it; only this chore and the tests,
    // which run it, refuse it.
    build()?.map_or(Ok(()), |words| Err(Fail::new(words)))
}

/// Builds what changed; does nothing else when nothing did. Returns what is wrong with a result
/// that works all the same.
pub fn build() -> Result<Option<String>, Fail> {
    let dist = shell::root().join("assets/dist");
    let stamp = shell::target().join("assets.stamp");
    let inputs = files::digest(&inputs()?);
    // The stamp names what came out too: a folder that somebody emptied or edited is rebuilt.
    let line = |output: &str| format!("{inputs} {output}\n");
    let known = fs::read_to_string(&stamp).unwrap_or_default();
    if dist.is_dir()
        && let Some(words) = known.strip_prefix(&line(&files::digest(&files::read_tree(&dist)?)))
    {
        say("assets: nothing changed");
        return Ok(warned(words));
    }

    let folder = shell::root().join("assets/src");
    for (name, what) in SOURCES {
        if !folder.join(name).is_dir() {
            return Err(Fail::new(format!(
                "assets/src/{name} is missing ({what}); `git status` shows whether it was deleted"
            )));
        }
    }
    say("assets: compiling client-wasm");
    let mut app = files::read_tree(&folder.join("app"))?;
    for (name, contents) in wasm::build()? {
        if app.insert(name.clone(), contents).is_some() {
            return Err(Fail::new(format!(
                "assets/src/app/{name} has the name of a file that client-wasm becomes; rename it"
            )));
        }
    }
    let app = comments::without(app);
    let mut api = parts::joined(files::read_tree(&folder.join("api"))?)?;
    let film = shell::root().join(FILM);
    api.insert("webphone.swf".into(), at(&film, fs::read(&film))?);
    let (base, plain) = lay_out(app, files::read_tree(&folder.join("pages"))?, api);
    let broken = references::broken(&plain, &base);
    if !broken.is_empty() {
        return Err(Fail::new(format!("files that are not there:\n  {}", broken.join("\n  "))));
    }
    say("assets: compressing");
    let built = compress::with_variants(plain);
    let words = report(&built, &base);
    let changes = files::write_tree(&dist, &built)?;
    if let Some(parent) = stamp.parent() {
        at(parent, fs::create_dir_all(parent))?;
    }
    at(&stamp, fs::write(&stamp, line(&files::digest(&built)) + &words))?;
    say(format_args!("assets: {} files in assets/dist, {changes} of them changed", built.len()));
    Ok(warned(&words))
}

/// Says what is wrong, if anything is.
fn warned(words: &str) -> Option<String> {
    let words = (!words.is_empty()).then(|| words.to_string())?;
    say(format_args!("assets: WARNING: {words}"));
    Some(words)
}

/// Everything that the result depends on.
fn inputs() -> Result<Tree, Fail> {
    let root = shell::root();
    let mut all = Tree::new();
    for name in INPUTS {
        let place = root.join(name);
        if place.is_file() {
            all.insert(name.to_string(), at(&place, fs::read(&place))?);
        }
        for (inner, contents) in files::read_tree(&place)? {
            all.insert(format!("{name}/{inner}"), contents);
        }
    }
    Ok(all)
}

/// Puts the parts where they are served from; also returns the folder of the immutable part, as
/// pages name it (`/a/HASH`).
fn lay_out(app: Tree, pages: Tree, api: Tree) -> (String, Tree) {
    let hash = &files::digest(&app)[..16];
    let base = format!("/a/{hash}");
    let mut out = Tree::new();
    for (name, contents) in app {
        out.insert(format!("a/{hash}/{name}"), contents);
    }
    for (folder, tree) in [("pages", pages), ("api", api)] {
        for (name, contents) in tree {
            out.insert(format!("{folder}/{name}"), with_base(contents, &base));
        }
    }
    (base, out)
}

/// `{{base}}` replaced, in text; other files stay as they are.
fn with_base(contents: Vec<u8>, base: &str) -> Vec<u8> {
    match String::from_utf8(contents) {
        Ok(text) => text.replace("{{base}}", base).into_bytes(),
        Err(error) => error.into_bytes(),
    }
}

/// Prints the sizes; returns words when the call page is too heavy, else nothing.
fn report(built: &Tree, base: &str) -> String {
    let mut words = String::new();
    let wire = |name: &str| {
        let compressed = built.get(&format!("{name}.br")).or_else(|| built.get(name));
        compressed.map_or(0, Vec::len)
    };
    let raw = |name: &str| built.get(name).map_or(0, Vec::len);
    let wasm = format!("{}/link_bg.wasm", &base[1..]);
    say(format_args!("assets: WebAssembly {} B, brotli {} B", raw(&wasm), wire(&wasm)));
    for page in ["pages/index.html", "pages/demo.html", "pages/webphone.html", "pages/button.html"]
    {
        if !built.contains_key(page) {
            continue;
        }
        let mut loaded: Vec<_> = references::reached(built, page)
            .into_iter()
            .map(|name| (wire(&name), raw(&name), name))
            .collect();
        loaded.sort_by(|a, b| b.cmp(a));
        let total: usize = loaded.iter().map(|(wire, _, _)| wire).sum();
        say(format_args!("assets: {page} with all it loads: {total} B brotli"));
        if page == "pages/button.html" {
            for (wire, raw, name) in &loaded {
                println!("    {wire:>7} B brotli {raw:>7} B  {name}");
            }
            if total > CALL_PAGE_LIMIT {
                words = format!(
                    "the call page weighs {total} B over the wire, more than the {CALL_PAGE_LIMIT} \
                     B that it may; the list of the \
                     build shows where it lies"
                );
            }
        }
    }
    words
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::files::tree;

    #[test]
    fn pages_and_scripts_learn_the_folder_that_the_hash_names() {
        let page = r#"<script src="{{base}}/x.js">"#;
        let (base, out) = lay_out(
            tree(&[("x.js", "1")]),
            tree(&[("b.html", page)]),
            tree(&[("r.js", "{{base}}")]),
        );
        assert_eq!(base.len(), "/a/".len() + 16);
        let text = |name: &str| String::from_utf8(out[name].clone()).unwrap();
        assert_eq!(text("pages/b.html"), format!(r#"<script src="{base}/x.js">"#));
        assert_eq!(text("api/r.js"), base);
        assert!(out.contains_key(&format!("{}/x.js", &base[1..])));
    }

    #[test]
    fn the_folder_changes_with_the_app_and_with_nothing_else() {
        let base = |app: &str, page: &str| {
            lay_out(tree(&[("x.js", app)]), tree(&[("b.html", page)]), Tree::new()).0
        };
        assert_eq!(base("1", "one"), base("1", "two"));
        assert_ne!(base("1", "one"), base("2", "one"));
    }

    #[test]
    fn bytes_that_are_no_text_pass_unchanged() {
        let picture = vec![0x89, b'P', 0xff, 0xfe];
        assert_eq!(with_base(picture.clone(), "/a/0"), picture);
    }

    #[test]
    fn a_call_page_that_is_too_heavy_is_refused() {
        // Digits of a simple generator do not compress, so the file is as heavy as it is long.
        let mut state = 1u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(CALL_PAGE_LIMIT + 1)
        .collect();
        let mut built = tree(&[("pages/button.html", r#"<img src="/a/0/noise.bin">"#)]);
        built.insert("a/0/noise.bin".into(), noise);
        let words = report(&built, "/a/0");
        assert!(words.contains("more than"), "{words}");
        built.insert("a/0/noise.bin".into(), vec![1]);
        assert_eq!(report(&built, "/a/0"), "");
    }
}
