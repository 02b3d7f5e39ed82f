//! Scripts and styles without their comments: those are for who reads the source, and a fifth of
//! what every visitor loads.

use crate::files::Tree;

/// The tree, its scripts and styles without comments. The lines keep their numbers, so that what a
/// browser complains of is found in the source.
pub fn without(tree: Tree) -> Tree {
    let bare = |(name, contents): (String, Vec<u8>)| {
        let script = name.ends_with(".js");
        if !script && !name.ends_with(".css") {
            return (name, contents);
        }
        let contents = match String::from_utf8(contents) {
            Ok(text) if !has_long_text(&text) => bare(&text, script).into_bytes(),
            Ok(text) => text.into_bytes(),
            Err(error) => error.into_bytes(),
        };
        (name, contents)
    };
    tree.into_iter().map(bare).collect()
}

/// Whether a text between backticks may span lines: then a line within it could look like a
/// comment. A stray backtick in a comment counts as well; that errs on the heavy side only.
fn has_long_text(text: &str) -> bool {
    text.lines().any(|line| line.matches('`').count() % 2 == 1)
}

/// Takes out comments that have their lines to themselves. This is no parser of JavaScript: what
/// stands behind code on its line stays.
fn bare(text: &str, script: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut within = false;
    for line in text.lines() {
        let words = line.trim();
        if within || words.starts_with("/*") {
            // Where code follows the end of a comment both stay.
            match words.split_once("*/") {
                Some((_, "")) => within = false,
                Some(_) => {
                    out.push_str(if within { "/*" } else { "" });
                    out.push_str(words);
                    within = false;
                }
                None => within = true,
            }
        } else if !(script && words.starts_with("//")) {
            out.push_str(line);
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn built(name: &str, text: &str) -> String {
        let tree = without(Tree::from([(name.into(), text.into())]));
        String::from_utf8(tree[name].clone()).unwrap()
    }

    #[test]
    fn comments_go_and_code_keeps_its_line() {
        let text = "// What it is.\nlet a = 1; // one\n  /**\n   * A function.\n   */\nb('http://c');\n/* d */\ne();\n";
        assert_eq!(built("x.js", text), "\nlet a = 1; // one\n\n\n\nb('http://c');\n\ne();\n");
    }

    #[test]
    fn a_style_has_comments_of_one_kind_only() {
        assert_eq!(built("x.css", "/* a\n b */\n//c { }\n"), "\n\n//c { }\n");
    }

    #[test]
    fn code_behind_a_comment_stays() {
        assert_eq!(
            built("x.js", "/* a */ b();\n/* c\n d */ e();\nf();\n"),
            "/* a */ b();\n\n/*d */ e();\nf();\n"
        );
    }

    #[test]
    fn what_may_be_text_stays_as_it_is() {
        for (name, text) in [
            ("x.js", "let a = `\n// no comment\n`;\n"),
            ("x.svg", "// a\n"),
            ("x.txt", "/* a */\n"),
        ] {
            assert_eq!(built(name, text), text);
        }
    }
}
