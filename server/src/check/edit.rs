//! Puts settings into the file and leaves everything else in it as it is, comments too.
//!
//! Lines are edited, not the file written anew. What comes out is read by the ordinary reader before
//! it takes the file's place; where that does not find what was meant, nothing is written.

use super::cure::difference;
use crate::config::{self, Account};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};
use toml::de::DeTable;

/// The file with an account's settings changed: the new text, and what of them went (`-`) and came
/// (`+`). Nothing else of the file is shown: a password may stand on the same line.
pub fn edited(
    text: &str,
    name: &str,
    before: &Account,
    after: &Account,
) -> Result<(String, String), String> {
    let (mut edited, mut shown) = (text.to_owned(), Vec::new());
    for (key, value) in difference(before, after) {
        let (next, old) = set(&edited, name, key, &value)?;
        edited = next;
        if let Some(old) = old {
            shown.extend(format!("{key} = {old}").lines().map(|line| format!("- {line}")));
        }
        shown.push(format!("+ {key} = {value}"));
    }
    Ok((edited, shown.join("\n")))
}

/// Sets one key of an account's table, in its place or below `registrar`: the new text, and what the
/// key was.
fn set(text: &str, name: &str, key: &str, value: &str) -> Result<(String, Option<String>), String> {
    let unread = || "the file cannot be read any more".to_owned();
    let root = DeTable::parse(text).map_err(|_| unread())?;
    let accounts = root.get_ref().get("accounts").ok_or_else(unread)?;
    let accounts = accounts.get_ref().as_table().ok_or_else(unread)?;
    let table = accounts.get(name).and_then(|account| account.get_ref().as_table());
    let table = table.ok_or_else(unread)?;
    let mut edited = text.to_owned();
    if let Some((_, old)) = table.get_key_value(key) {
        edited.replace_range(old.span(), value);
        return Ok((edited, text.get(old.span()).map(str::to_owned)));
    }
    let (_, registrar) = table.get_key_value("registrar").ok_or_else(unread)?;
    let end = registrar.span().end;
    let rest = text.get(end..).unwrap_or_default();
    let at = rest.find('\n').map_or(text.len(), |line| end + line);
    // A file of Windows' kind stays one.
    let (at, line_end) = match text.get(..at).is_some_and(|before| before.ends_with('\r')) {
        true => (at - 1, "\r\n"),
        false => (at, "\n"),
    };
    edited.insert_str(at, &format!("{line_end}{key} = {value}"));
    Ok((edited, None))
}

/// Whether the new text means what was meant: this account with these settings, all else as before.
pub fn verify(path: &Path, text: &str, name: &str, after: &Account) -> Result<(), String> {
    let folder = path.parent().unwrap_or(Path::new("")).to_path_buf();
    let read_file = |path: &Path| fs::read_to_string(path);
    let surroundings = config::Surroundings {
        variable: &|name| std::env::var(name).ok(),
        file: &read_file,
        folder,
    };
    let (config, _) = config::read(&path.display().to_string(), text, &surroundings)
        .map_err(|problems| problems.to_string())?;
    let found = config.accounts.get(name).ok_or("the account is gone")?;
    match difference(found, after).is_empty() && difference(after, found).is_empty() {
        true => Ok(()),
        false => Err("the account is not written in lines of its own".to_owned()),
    }
}

/// Puts the new text in the file's place at once: whoever reads it meanwhile reads the old or the new
/// one. It keeps its permissions and its owner, whoever runs this.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    #[cfg(unix)]
    use std::os::unix::fs::MetadataExt as _;
    // Where the path is a link its target is replaced, and the link stays.
    let path = fs::canonicalize(path)?;
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.new", std::process::id()));
    let new: PathBuf = path.with_file_name(name);
    let facts = fs::metadata(&path)?;
    let write = || {
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&new)?;
        file.write_all(text.as_bytes())?;
        #[cfg(unix)]
        std::os::unix::fs::fchown(&file, Some(facts.uid()), Some(facts.gid()))?;
        file.set_permissions(facts.permissions())?;
        file.sync_all()?;
        fs::rename(&new, &path)
    };
    write().inspect_err(|_| {
        // It may never have come to be.
        let _ = fs::remove_file(&new);
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::cure::Cure;
    use super::*;
    use base::Codec;
    use sip::Quirk;

    const FILE: &str = "\
public_url = \"http://127.0.0.1:8080\" # behind a proxy

[accounts.main]
registrar = \"127.0.0.1:5060\"   # the provider's
# What we are called there.
username = \"shop\"
password = \"secret\"
codecs = [
    \"opus\",
    \"pcma\", # for the old PBX
]

[accounts.other]
registrar = \"127.0.0.2\"
username = \"other\"
password = \"secret\"

[buttons.sales]
account = \"main\"
destination = \"sip:1@127.0.0.1\"
origins = [\"https://shop.example\"]
";

    fn account(text: &str) -> Account {
        let surroundings = config::Surroundings {
            variable: &|_| None,
            file: &|_| Err(io::ErrorKind::NotFound.into()),
            folder: PathBuf::new(),
        };
        config::read("a.toml", text, &surroundings).unwrap().0.accounts.remove("main").unwrap()
    }

    #[test]
    fn settings_are_put_in_and_every_comment_stays() {
        let before = account(FILE);
        let mut after = before.clone();
        Cure::Quirk(Quirk::NoRport).apply(&mut after);
        Cure::Codecs(vec![Codec::Pcma, Codec::Pcmu]).apply(&mut after);
        let (text, shown) = edited(FILE, "main", &before, &after).unwrap();
        assert_eq!(difference(&account(&text), &after), []);
        let added = "# the provider's\nquirks = [\"no-rport\"]\n# What we are called there.";
        assert!(text.contains(added), "{text}");
        assert!(text.contains("codecs = [\"pcma\", \"pcmu\"]\n\n[accounts.other]"), "{text}");
        assert!(text.contains("# behind a proxy"));
        assert!(shown.contains("+ quirks = [\"no-rport\"]") && shown.contains("- codecs = ["));
        verify(Path::new("a.toml"), &text, "main", &after).unwrap();
        // Once more, where the key stands already.
        let mut more = after.clone();
        Cure::Quirk(Quirk::BareContact).apply(&mut more);
        let (text, shown) = edited(&text, "main", &after, &more).unwrap();
        assert_eq!(text.matches("quirks").count(), 1);
        assert_eq!(shown.lines().count(), 2, "{shown}");
    }

    #[test]
    fn only_the_settings_that_change_are_shown_whatever_else_stands_in_the_file() {
        let quirks = "quirks = [\"no-rport\"]\n";
        let (head, tail) = FILE.split_once("\n[buttons").unwrap();
        let file = &format!("{head}{quirks}\n[buttons{tail}");
        let before = account(file);
        let mut after = before.clone();
        Cure::Quirk(Quirk::NoRport).apply(&mut after);
        let (_, shown) = edited(file, "main", &before, &after).unwrap();
        assert_eq!(shown, "+ quirks = [\"no-rport\"]");
        // A key of an account on one line is set there, beside its password.
        let (_, tail) = FILE.split_once("[buttons").unwrap();
        let line = "registrar = \"127.0.0.1\", username = \"a\", password = \"s3cret\"";
        let file = &format!(
            "public_url = \"http://127.0.0.1\"\n[accounts]\n\
             main = {{ {line}, quirks = [\"no-path\"] }}\n[buttons{tail}"
        );
        let before = account(file);
        let mut after = before.clone();
        Cure::Quirk(Quirk::NoRport).apply(&mut after);
        let (text, shown) = edited(file, "main", &before, &after).unwrap();
        verify(Path::new("a.toml"), &text, "main", &after).unwrap();
        assert_eq!(shown, "- quirks = [\"no-path\"]\n+ quirks = [\"no-rport\", \"no-path\"]");
    }

    #[test]
    fn an_account_on_one_line_is_left_alone() {
        let (head, _) = FILE.split_once("[accounts.main]").unwrap();
        let (_, tail) = FILE.split_once("[buttons").unwrap();
        let line = "main = { registrar = \"127.0.0.1\", username = \"a\", password = \"b\" }";
        let file = &format!("{head}[accounts]\n{line}\n[buttons{tail}");
        let before = account(file);
        let mut after = before.clone();
        Cure::Quirk(Quirk::NoRport).apply(&mut after);
        let (text, _) = edited(file, "main", &before, &after).unwrap();
        assert!(verify(Path::new("a.toml"), &text, "main", &after).is_err());
    }

    #[test]
    fn a_file_is_replaced_with_its_permissions_and_leaves_nothing_behind() {
        let folder = std::env::temp_dir().join(format!("click2call-edit-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("shop.toml");
        fs::write(&file, FILE).unwrap();
        #[cfg(unix)]
        fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o640)).unwrap();
        replace(&file, "other").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "other");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }
}
