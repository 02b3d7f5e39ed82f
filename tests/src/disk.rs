//! A disk of its own for one program: one that gets full, or one that nobody may write to.
//!
//! It is a file system in memory, mounted where only that program sees it, and it goes away
//! together with the program. From here it is reached through the program's own view (`/proc`).

use crate::place::Place;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Room for an empty call log with its helpers, and for little else.
const SMALL: &str = "size=256k";
const FILLER: &str = "filler";
/// How a program gets mounts of its own: as root, or as root of a user namespace.
const WAYS: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];

/// The disk, before and while a program has it.
#[derive(Debug)]
pub struct Disk {
    folder: PathBuf,
    options: String,
}

impl Disk {
    /// An empty disk of 256 KB.
    pub fn small(place: &Place) -> Disk {
        Disk::new(place, SMALL)
    }

    /// An empty disk that nobody may write to, not even root.
    pub fn read_only(place: &Place) -> Disk {
        Disk::new(place, &format!("{SMALL},ro"))
    }

    fn new(place: &Place, options: &str) -> Disk {
        let folder = place.path("disk");
        std::fs::create_dir_all(&folder).unwrap();
        Disk { folder, options: options.to_owned() }
    }

    /// Where a program that was started with [`Disk::command`] finds it.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A program with this disk; arguments are still to be added. The process's number stays the
    /// same from here to the program.
    ///
    /// # Panics
    /// Where the system lets nobody mount anything.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let script = "mount -t tmpfs -o \"$1\" tmpfs \"$2\" && shift 2 && exec \"$@\"";
        let probe = |way: &&&[&str]| {
            let mut command = Command::new("unshare");
            command.args(**way).args(["sh", "-c", script, "sh", &self.options]);
            command.arg(&self.folder).arg("true").stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        let way = WAYS.iter().find(probe).expect(
            "this scenario needs a mount namespace of its own: run it as root, or allow user \
             namespaces",
        );
        let mut command = Command::new("unshare");
        command.args(*way).args(["sh", "-c", script, "sh", &self.options]);
        command.arg(&self.folder).arg(program);
        command
    }

    /// Fills it up to the last octet, as another program's file would.
    pub fn fill(&self, pid: u32) {
        let mut filler = File::create(self.seen_from_here(pid, FILLER)).unwrap();
        let error = loop {
            if let Err(error) = filler.write_all(&[1; 4_096]) {
                break error;
            }
        };
        assert_eq!(error.kind(), ErrorKind::StorageFull, "{error}");
    }

    /// Takes the other program's file away.
    pub fn make_room(&self, pid: u32) {
        std::fs::remove_file(self.seen_from_here(pid, FILLER)).unwrap();
    }

    /// Copies the files whose names begin so to another folder: SQLite's own look-up of paths does
    /// not lead into another program's view.
    pub fn copy(&self, pid: u32, prefix: &str, to: &Path) {
        std::fs::create_dir_all(to).unwrap();
        for entry in std::fs::read_dir(self.seen_from_here(pid, "")).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                std::fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    }

    fn seen_from_here(&self, pid: u32, name: &str) -> PathBuf {
        let folder = self.folder.strip_prefix("/").expect("an absolute path");
        Path::new(&format!("/proc/{pid}/root")).join(folder).join(name)
    }
}
