//! Folders as maps from relative names to contents.

use crate::shell::{Fail, at};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Relative names, with `/` on every system, and what stands in the files. The order of the map
/// makes everything that is computed from it repeatable.
pub type Tree = BTreeMap<String, Vec<u8>>;

/// Reads a folder with everything below it. A folder that is not there is an empty tree.
pub fn read_tree(folder: &Path) -> Result<Tree, Fail> {
    let mut tree = Tree::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(place) = open.pop() {
        if !place.is_dir() {
            continue;
        }
        for entry in at(&place, fs::read_dir(&place))? {
            let path = at(&place, entry)?.path();
            if path.is_dir() {
                open.push(path);
            } else {
                tree.insert(relative(folder, &path), at(&path, fs::read(&path))?);
            }
        }
    }
    Ok(tree)
}

/// Makes a folder hold exactly a tree. Files that are right already keep their times, so that
/// cargo sees what changed and nothing else. Returns how many files were written or removed.
pub fn write_tree(folder: &Path, tree: &Tree) -> Result<usize, Fail> {
    let mut changes = 0;
    let old = read_tree(folder)?;
    for (name, contents) in tree {
        if old.get(name) != Some(contents) {
            let path = folder.join(name);
            let parent = path.parent().unwrap_or(folder);
            at(parent, fs::create_dir_all(parent))?;
            at(&path, fs::write(&path, contents))?;
            changes += 1;
        }
    }
    for name in old.keys().filter(|name| !tree.contains_key(*name)) {
        let path = folder.join(name);
        at(&path, fs::remove_file(&path))?;
        changes += 1;
        // Folders that became empty go too; the first that is not empty ends the climb.
        let mut parent = path.parent();
        while let Some(place) = parent.filter(|place| *place != folder) {
            if fs::remove_dir(place).is_err() {
                break;
            }
            parent = place.parent();
        }
    }
    Ok(changes)
}

/// SHA-256 over names and contents, in hex. Lengths go in too, so that no two trees collide by
/// moving bytes from one file to the next.
pub fn digest(tree: &Tree) -> String {
    let mut hash = Sha256::new();
    for (name, contents) in tree {
        hash.update((name.len() as u64).to_be_bytes());
        hash.update(name);
        hash.update((contents.len() as u64).to_be_bytes());
        hash.update(contents);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn relative(folder: &Path, path: &Path) -> String {
    let inside: PathBuf = path.strip_prefix(folder).unwrap_or(path).to_path_buf();
    let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    parts.join("/")
}

/// A tree of texts.
#[cfg(test)]
pub fn tree(files: &[(&str, &str)]) -> Tree {
    files.iter().map(|(name, text)| (name.to_string(), text.as_bytes().to_vec())).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn scratch(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("xtask-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn a_written_tree_reads_back_the_same() {
        let folder = scratch("round");
        let wanted = tree(&[("a/b/c.js", "1"), ("d.html", "2")]);
        assert_eq!(write_tree(&folder, &wanted).unwrap(), 2);
        assert_eq!(read_tree(&folder).unwrap(), wanted);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn writing_touches_only_what_differs_and_removes_what_is_gone() {
        let folder = scratch("sync");
        write_tree(&folder, &tree(&[("a/old.js", "1"), ("same.html", "2")])).unwrap();
        let changes = write_tree(&folder, &tree(&[("b/new.js", "1"), ("same.html", "2")])).unwrap();
        assert_eq!(changes, 2);
        assert!(!folder.join("a").exists(), "an empty folder stayed behind");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_digest_tells_apart_trees_whose_bytes_are_cut_differently() {
        let one = digest(&tree(&[("a", "bc"), ("d", "e")]));
        let two = digest(&tree(&[("a", "b"), ("d", "ce")]));
        assert_ne!(one, two);
        assert_eq!(one, digest(&tree(&[("d", "e"), ("a", "bc")])));
    }
}
