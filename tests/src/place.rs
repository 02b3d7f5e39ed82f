//! Where a scenario lives: a folder and ports of its own.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};

/// Ports are handed out from here on, below those that the system hands out itself.
const FIRST: u16 = 21_000;
const LAST: u16 = 32_000;

/// A scenario's folder. Dropped by a failing scenario it is copied to `tests/output/NAME/`.
#[derive(Debug)]
pub struct Place {
    name: String,
    folder: PathBuf,
}

impl Place {
    /// A new folder under the system's folder for temporary files.
    pub fn new(name: &str) -> Place {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("click2call-{}-{count}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        // What an earlier run left would be taken for this one's.
        let _ = std::fs::remove_dir_all(kept(name));
        Place { name: name.to_owned(), folder }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A file or folder in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a file and gives its path.
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let kept = kept(&self.name);
            copy(&self.folder, &kept);
            eprintln!("what the peers said is kept in {}", kept.display());
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn kept(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("output").join(name)
}

fn copy(from: &Path, to: &Path) {
    let _ = std::fs::create_dir_all(to);
    for entry in std::fs::read_dir(from).into_iter().flatten().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            let _ = std::fs::copy(entry.path(), target);
        }
    }
}

/// The first of `count` neighbouring ports that nobody uses, for UDP and TCP on 127.0.0.1. No two
/// calls in one process give the same ones.
pub fn ports(count: u16) -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Two test processes at a time start at different places.
    let start = (std::process::id() % 11) as u16 * 997;
    for _ in 0..200 {
        let offset =
            start.wrapping_add(NEXT.fetch_add(count.next_multiple_of(2), Ordering::Relaxed));
        // Even, as RTP wants its ports.
        let first = FIRST + ((offset % (LAST - FIRST)) & !1);
        if first + count <= LAST && (first..first + count).all(is_free) {
            return first;
        }
    }
    panic!("no {count} free ports between {FIRST} and {LAST}");
}

/// One free port.
pub fn port() -> u16 {
    ports(2)
}

fn is_free(port: u16) -> bool {
    let address = (Ipv4Addr::LOCALHOST, port);
    UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok()
}
