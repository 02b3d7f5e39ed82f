//! What is wrong with a file, and what is merely worth saying.

use super::Config;
use std::fmt;

/// One mistake in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1; 0 where the whole file is meant.
    pub line: usize,
    /// The key with its sections, `accounts.main.expires`; empty where no key is at fault.
    pub key: String,
    /// What is wrong.
    pub what: String,
    /// What would be right; empty where `what` says it.
    pub accepted: String,
}

/// Every mistake in a file, in the order of its lines; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problems {
    file: String,
    list: Vec<Problem>,
}

impl Problems {
    /// A file that could not be read at all.
    pub(super) fn unreadable(file: &str, what: &str) -> Problems {
        let problem =
            Problem { line: 0, key: String::new(), what: what.into(), accepted: String::new() };
        Problems { file: file.into(), list: vec![problem] }
    }

    /// The mistakes.
    pub fn list(&self) -> &[Problem] {
        &self.list
    }
}

impl fmt::Display for Problems {
    /// One line a mistake: `shop.toml:12: accounts.main.expires: what; accepted: what`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{}:", self.file)?;
            if problem.line > 0 {
                write!(f, "{}:", problem.line)?;
            }
            if !problem.key.is_empty() {
                write!(f, " {}:", problem.key)?;
            }
            write!(f, " {}", problem.what)?;
            if !problem.accepted.is_empty() {
                write!(f, "; accepted: {}", problem.accepted)?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Something that works differently from what the file may lead one to expect: what is off and
/// why. Printed at the start, never an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The sentence, with its key where there is one.
    pub text: String,
}

impl Notice {
    pub(super) fn new(text: String) -> Notice {
        Notice { text }
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Where a value or a section stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The key with its sections.
    pub key: String,
    /// The octet at which it starts.
    pub offset: usize,
}

impl Place {
    /// The place of a key that this section lacks.
    pub fn lacking(&self, key: &str) -> Place {
        let key = if self.key.is_empty() { key.to_owned() } else { format!("{}.{key}", self.key) };
        Place { key, offset: self.offset }
    }
}

/// Collects mistakes and notices while a file is read.
pub(super) struct Log {
    file: String,
    /// The octet at which each line starts.
    lines: Vec<usize>,
    problems: Vec<Problem>,
    notices: Vec<Notice>,
    /// After a syntax error nobody knows which keys the file would have had.
    broken: bool,
}

impl Log {
    pub fn new(file: &str, text: &str) -> Log {
        let starts = text.bytes().enumerate().filter(|(_, octet)| *octet == b'\n');
        let lines = std::iter::once(0).chain(starts.map(|(index, _)| index + 1)).collect();
        Log { file: file.into(), lines, problems: Vec::new(), notices: Vec::new(), broken: false }
    }

    fn line(&self, offset: usize) -> usize {
        self.lines.partition_point(|start| *start <= offset).max(1)
    }

    /// Notes a mistake.
    pub fn wrong(&mut self, place: &Place, what: impl Into<String>, accepted: impl Into<String>) {
        self.problems.push(Problem {
            line: self.line(place.offset),
            key: place.key.clone(),
            what: what.into(),
            accepted: accepted.into(),
        });
    }

    /// Notes that a key is missing from `section`.
    pub fn missing(&mut self, section: &Place, key: &str, accepted: &str) {
        let place = section.lacking(key);
        // A value of the wrong kind has been noted already.
        let noted = self.problems.iter().any(|problem| problem.key == place.key);
        if !self.broken && !noted {
            self.wrong(&place, "missing", accepted);
        }
    }

    /// Notes text that is not TOML.
    pub fn syntax(&mut self, offset: usize, what: &str) {
        self.broken = true;
        let place = Place { key: String::new(), offset };
        let line = self.line(offset);
        // One damaged line may damage the parser's view of it in several ways.
        if !self.problems.iter().any(|problem| problem.line == line) {
            self.wrong(&place, what, "TOML, key = \"value\"");
        }
    }

    /// Notes something worth saying.
    pub fn notice(&mut self, place: Option<&Place>, text: &str) {
        let text = match place {
            Some(place) if !place.key.is_empty() => format!("{}: {text}", place.key),
            _ => text.to_owned(),
        };
        self.notices.push(Notice::new(text));
    }

    /// The outcome. A configuration counts only where nothing is wrong.
    pub fn finish(mut self, config: Option<Config>) -> Result<(Config, Vec<Notice>), Problems> {
        match config {
            Some(config) if self.problems.is_empty() => Ok((config, self.notices)),
            _ => {
                self.problems.sort_by_key(|problem| problem.line);
                // A second look at a damaged table may repeat what the parser said of it.
                self.problems.dedup();
                Err(Problems { file: self.file, list: self.problems })
            }
        }
    }
}

/// The candidate that is fewest single-letter edits away.
pub(super) fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    candidates.iter().copied().min_by_key(|candidate| distance(word, candidate))
}

/// Levenshtein distance, letters compared without case. Long words are cut: nobody misspells
/// sixty letters.
fn distance(a: &str, b: &str) -> usize {
    let letters = |word: &str| -> Vec<char> {
        word.chars().take(64).map(|letter| letter.to_ascii_lowercase()).collect()
    };
    let (a, b) = (letters(a), letters(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (y, above) in b.iter().zip(row.iter_mut().skip(1)) {
            let cost = (diagonal + usize::from(x != y)).min(left + 1).min(*above + 1);
            diagonal = *above;
            *above = cost;
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_finds_the_one_that_was_meant() {
        let keys = ["registrar", "username", "password", "password_file", "expires"];
        for (wrong, right) in [
            ("registar", "registrar"),
            ("user_name", "username"),
            ("Passwort", "password"),
            ("passwordfile", "password_file"),
            ("expire", "expires"),
        ] {
            assert_eq!(nearest(wrong, &keys), Some(right), "{wrong}");
        }
    }

    #[test]
    fn the_distance_counts_edits() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("same", "SAME"), 0);
    }
}
