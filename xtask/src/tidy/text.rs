//! Rules that a file's text alone can break.

use super::Breach;

/// From here a file is worth a hard look.
const LONG: usize = 500;
/// No file is longer.
const TOO_LONG: usize = 600;

/// Words of unfinished work. They are put together here so that this file does not hold them.
const LEFTOVERS: [&str; 4] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("todo", "!("),
    concat!("unimplemented", "!("),
];

/// What only a debugging hand leaves behind.
const DEBUGGING: [&str; 2] = [concat!("dbg", "!("), concat!("debugger", ";")];

/// Tests that would not run, by the ending of the file that holds them.
const NOT_RUN: [(&str, &str); 6] = [
    (".rs", concat!("#[", "ignore")),
    (".mjs", concat!("test.sk", "ip(")),
    (".mjs", concat!("it.sk", "ip(")),
    (".mjs", concat!("describe.sk", "ip(")),
    (".mjs", concat!(".on", "ly(")),
    (".mjs", concat!("sk", "ip: ")),
];

/// Folders of one machine and hosts of package registries: neither belongs in a clone.
const MACHINE: [&str; 8] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("regis", "try.npmjs"),
    concat!("regis", "try.yarnpkg"),
    concat!("index.cra", "tes.io"),
    concat!("static.cra", "tes.io"),
    concat!("arti", "factory"),
    concat!("deb.deb", "ian.org"),
];

/// The crates that hold protocol machines: whoever drives one gives it the time.
const MACHINES: [&str; 14] = [
    "client-wasm/src/",
    "server/audio/src/",
    "server/base/src/",
    "server/bridge/src/",
    "server/call/src/",
    "server/rtmp/src/",
    "server/rtmfp/src/",
    "server/rtp/src/",
    "server/sdp/src/",
    "server/signalling/src/",
    "server/sip/src/",
    "server/speex/src/",
    "server/trace/src/",
    "server/webrtc/src/",
];

/// What a machine must not touch.
const FORBIDDEN_TO_MACHINES: [&str; 8] = [
    "Instant::now",
    "SystemTime::now",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "std::thread",
    "thread::spawn",
    "Mutex<",
];

/// Every breach in one file, whose name is relative to the workspace.
pub fn breaches(name: &str, text: &str) -> Vec<Breach> {
    let mut found = Vec::new();
    let source =
        [".rs", ".js", ".mjs", ".ts", ".css", ".html", ".hx"].iter().any(|e| name.ends_with(e));
    // Kept inputs of tests are as long, and as odd, as what they show.
    let data = name.contains("/data/") || name.contains("/corpus/");
    if data {
        return found;
    }
    if source {
        length(name, text, &mut found);
    }
    for (index, line) in text.lines().enumerate() {
        let mut add = |words: String| found.push(Breach::new(name, Some(index + 1), words));
        for word in MACHINE.iter().filter(|word| line.contains(**word)) {
            add(format!("{word} means something on one machine only"));
        }
        if !source {
            continue;
        }
        for word in LEFTOVERS.iter().filter(|word| holds_word(line, word)) {
            add(format!("{word}: finish it, or file it where work is kept"));
        }
        for word in DEBUGGING.iter().filter(|word| holds_word(line, word)) {
            add(format!("{word} was left behind"));
        }
        for (ending, word) in NOT_RUN {
            if name.ends_with(ending) && line.contains(word) {
                add(format!("{word}: every test runs"));
            }
        }
    }
    if name.ends_with(".rs") {
        header(name, text, &mut found);
        machine(name, text, &mut found);
        test_names(name, text, &mut found);
    }
    found
}

fn length(name: &str, text: &str, found: &mut Vec<Breach>) {
    let lines = text.lines().count();
    // A table that a program wrote says so in its first lines.
    let generated = text.lines().take(5).any(|line| line.contains("@generated"));
    if generated || lines <= LONG {
        return;
    }
    let breach = Breach::new(name, None, format!("{lines} lines; which part is its own file?"));
    found.push(if lines > TOO_LONG { breach } else { breach.mild() });
}

/// A crate's first file says what the crate is for.
fn header(name: &str, text: &str, found: &mut Vec<Breach>) {
    let first_file = name.ends_with("src/lib.rs") || name.ends_with("src/main.rs");
    let binary = name.contains("/src/bin/") && !name.ends_with("/mod.rs");
    if (first_file || binary) && !text.trim_start().starts_with("//!") {
        found.push(Breach::new(name, Some(1), "starts with a `//!` header that says what it is"));
    }
}

fn machine(name: &str, text: &str, found: &mut Vec<Breach>) {
    // Tests in files of their own, and the entry points that fuzzers and tests call.
    let test_file = name.ends_with("tests.rs")
        || name.contains("/tests/")
        || name.ends_with("/fuzz.rs")
        || name.contains("/fuzz/");
    if test_file || !MACHINES.iter().any(|folder| name.starts_with(folder)) {
        return;
    }
    for (index, line) in product_lines(text) {
        for word in FORBIDDEN_TO_MACHINES.iter().filter(|word| line.contains(**word)) {
            found.push(Breach::new(
                name,
                Some(index + 1),
                format!("{word} in a machine: time and packets come in from whoever drives it"),
            ));
        }
    }
}

/// Lines that are neither comments nor part of a test module, with their index.
fn product_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines: Vec<&str> = text.lines().collect();
    // Test modules stand last in a file, behind this mark.
    let end = lines
        .windows(2)
        .position(|pair| {
            pair[0].trim() == "#[cfg(test)]"
                && pair[1].trim_start().starts_with("mod ")
                && pair[1].trim_end().ends_with('{')
        })
        .unwrap_or(lines.len());
    lines
        .into_iter()
        .take(end)
        .enumerate()
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(index, line)| (index, line.split(" // ").next().unwrap_or(line)))
}

/// A test's name says what holds, so it has at least three words.
fn test_names(name: &str, text: &str, found: &mut Vec<Breach>) {
    let mut marked = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line == "#[test]" || line.starts_with("#[tokio::test") {
            marked = true;
        } else if let Some(rest) = line
            .strip_prefix("async fn ")
            .or_else(|| line.strip_prefix("fn "))
            .filter(|_| std::mem::take(&mut marked))
        {
            let test = rest.split(['(', '<']).next().unwrap_or(rest);
            if test.split('_').count() < 3 {
                let words = format!("{test}: a test's name is a sentence of three words or more");
                found.push(Breach::new(name, Some(index + 1), words).mild());
            }
        }
    }
}

/// Whether a word stands in a line and is not the tail or, where it ends in a letter, the head
/// of a longer one.
fn holds_word(line: &str, word: &str) -> bool {
    let part_of_a_word = |c: char| c.is_alphanumeric() || c == '_';
    let open_end = word.ends_with(part_of_a_word);
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        let longer = open_end && after.is_some_and(part_of_a_word);
        !(longer || before.is_some_and(part_of_a_word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(name: &str, text: &str) -> Vec<String> {
        breaches(name, text).iter().map(Breach::to_string).collect()
    }

    #[test]
    fn a_clean_file_breaks_no_rule() {
        let text = "//! A crate.\n\n#[cfg(test)]\nmod tests {\n    #[test]\n    fn one_and_one_is_two() {}\n}\n";
        assert_eq!(words("server/sip/src/lib.rs", text), Vec::<String>::new());
    }

    #[test]
    fn long_files_are_said_and_longer_ones_refused() {
        let lines = |count| "let a = 1;\n".repeat(count);
        assert!(breaches("a.js", &lines(500)).is_empty());
        assert!(breaches("a.js", &lines(501))[0].mild);
        assert!(!breaches("a.js", &lines(601))[0].mild);
        assert!(breaches("tests/data/a.js", &lines(601)).is_empty());
        assert!(breaches("a.rs", &format!("// @generated\n{}", lines(601))).is_empty());
    }

    #[test]
    fn leftovers_are_found_as_whole_words() {
        for word in LEFTOVERS.iter().chain(&DEBUGGING) {
            let found = words("a.rs", &format!("{word} x)"));
            assert_eq!(found.len(), 1, "{word}: {found:?}");
        }
        assert_eq!(words("a.rs", &format!("{}S = 1; mas{}", LEFTOVERS[0], LEFTOVERS[2])).len(), 0);
        assert_eq!(words("notes.md", LEFTOVERS[0]).len(), 0);
    }

    #[test]
    fn tests_that_would_not_run_are_found() {
        for (ending, word) in NOT_RUN {
            assert_eq!(words(&format!("a{ending}"), word).len(), 1, "{word}");
        }
    }

    #[test]
    fn folders_of_one_machine_are_found_in_any_text() {
        for word in MACHINE {
            assert_eq!(words("README.md", &format!("see {word}x")).len(), 1, "{word}");
        }
    }

    #[test]
    fn a_crate_without_a_header_is_found() {
        let found = words("server/sip/src/lib.rs", "pub mod a;\n");
        assert!(found[0].contains("header"), "{found:?}");
        assert_eq!(words("server/sip/src/auth.rs", "pub mod a;\n").len(), 0);
    }

    #[test]
    fn machines_have_no_clock_outside_their_tests() {
        let clock = "let now = Instant::now();\n";
        assert_eq!(words("server/sip/src/auth.rs", clock).len(), 1);
        assert_eq!(words("server/src/core/mod.rs", clock).len(), 0);
        assert_eq!(words("server/sip/src/tests.rs", clock).len(), 0);
        assert_eq!(words("server/sip/src/auth.rs", &format!("/// No {clock}")).len(), 0);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{clock}}}\n");
        assert_eq!(words("server/sip/src/auth.rs", &tests).len(), 0);
    }

    #[test]
    fn a_short_test_name_is_said_but_passes() {
        let found = breaches("a.rs", "#[test]\nfn parses_it() {}\nfn helper() {}\n");
        assert_eq!(found.len(), 1);
        assert!(found[0].mild && found[0].line == Some(2));
    }
}
