//! Scripts of several files that pages load as one.
//!
//! A line `// {{part NAME}}`, however far indented, stands for the file of that name, which is served
//! as a part of the other only. Parts have no parts.

use crate::files::Tree;
use crate::shell::Fail;
use std::collections::BTreeSet;

const OPENS: &str = "// {{part ";
const CLOSES: &str = "}}";

/// The files with their parts put in, and without the parts.
pub fn joined(files: Tree) -> Result<Tree, Fail> {
    let mut parts = BTreeSet::new();
    let mut out = Tree::new();
    for (name, contents) in &files {
        let Ok(text) = std::str::from_utf8(contents) else {
            out.insert(name.clone(), contents.clone());
            continue;
        };
        let mut whole = Vec::with_capacity(contents.len());
        for line in text.split_inclusive('\n') {
            let Some(part) = part_of(line) else {
                whole.extend_from_slice(line.as_bytes());
                continue;
            };
            let found = files.get(part).ok_or_else(|| {
                Fail::new(format!(
                    "assets/src/api/{name} names the part {part}, which is not there"
                ))
            })?;
            whole.extend_from_slice(found);
            parts.insert(part.to_string());
        }
        out.insert(name.clone(), whole);
    }
    out.retain(|name, _| !parts.contains(name));
    Ok(out)
}

/// The part that a line stands for.
fn part_of(line: &str) -> Option<&str> {
    line.trim().strip_prefix(OPENS)?.strip_suffix(CLOSES)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::files::tree;

    #[test]
    fn a_part_stands_where_it_is_named_and_nowhere_else() {
        let files = tree(&[
            ("all.js", "one();\n  // {{part all/two.js}}\nthree();\n"),
            ("all/two.js", "  two();\n"),
            ("other.js", "// {{base}} is no part\n"),
        ]);
        let expected = tree(&[
            ("all.js", "one();\n  two();\nthree();\n"),
            ("other.js", "// {{base}} is no part\n"),
        ]);
        assert_eq!(joined(files).unwrap(), expected);
    }

    #[test]
    fn a_part_that_is_not_there_is_an_error_and_what_is_no_text_stays() {
        assert!(joined(tree(&[("all.js", "// {{part two.js}}\n")])).is_err());
        let film = Tree::from([("film.swf".to_string(), vec![0xff, 0xfe, b'\n'])]);
        assert_eq!(joined(film.clone()).unwrap(), film);
    }
}
