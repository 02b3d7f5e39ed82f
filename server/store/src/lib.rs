//! The call log: one row a call, and for a while a trace of it, in SQLite, on a thread of its own.
//!
//! ```text
//!   core --record--> [ queue, bounded ] --> writer thread --> [ backlog, bounded ] --> SQLite
//!                         |                                        |
//!                       full: counted, the caller goes on        full: the oldest is counted
//! ```
//!
//! A slow or full disk delays rows, never a call: [`Store::record`] only puts a row into a queue.
//! Rows that the disk refuses wait and are tried again, with growing pauses. What does not fit is
//! lost and counted.
//!
//! The file is in WAL mode, so a killed process loses at most the rows of its last quarter second,
//! and a machine without power those that the system has not brought to the disk yet; the file is
//! whole in either case. A row does not name the visitor's address; a trace does.
//!
//! Traces are worth less than rows: few may wait for a disk, and the newest [`KEPT`] of a week are
//! kept. [`Reader`] is for another process that wants to see them.

mod kept;
mod reader;
mod row;
mod schema;
mod writer;

pub use kept::{KEPT, KEPT_FOR_MS, KeptTrace};
pub use reader::Reader;
pub use row::Row;

use rusqlite::Connection;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;
use writer::{Request, Shared};

/// Rows between the caller and the writer. At a hundred calls a second, ten seconds.
const QUEUE: usize = 1024;
/// Traces between the caller and the file; each has some ten or a hundred kilobytes.
const TRACES_WAITING: u64 = 64;
/// How long a question to the writer, or its end, may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most rows that one question brings.
const RECENT_AT_MOST: usize = 1000;
/// The writer's stack: SQLite needs some tens of kilobytes.
const STACK: usize = 256 * 1024;

/// A running call log. Dropping it ends the writer without waiting for the queue; use
/// [`Store::close`] where rows must not be lost.
#[derive(Debug)]
pub struct Store {
    /// None once it is closed.
    requests: Option<SyncSender<Request>>,
    /// Says that the writer is gone; it never carries anything.
    ended: Receiver<()>,
    shared: Arc<Shared>,
    newest: u64,
}

/// What happened to rows so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Rows in the file.
    pub written: u64,
    /// Rows that are gone: the queue or the backlog was full, or the program ended first.
    pub lost: u64,
    /// Rows that the disk refused and that wait for the next try.
    pub waiting: u64,
    /// Tries to write that failed.
    pub failures: u64,
    /// Traces that are gone: too many waited for the disk.
    pub traces_lost: u64,
}

/// The queue was full, or the store is closed; the row is counted as lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreFull;

impl fmt::Display for StoreFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the call log's queue is full")
    }
}

impl std::error::Error for StoreFull {}

/// Why the call log can't be opened or read.
#[derive(Debug)]
pub enum StoreError {
    /// The file can't be opened or is no call log.
    Open {
        /// The file; none for a log in memory.
        path: Option<PathBuf>,
        /// What SQLite or the system says.
        words: String,
        /// What to do about it.
        hint: &'static str,
    },
    /// A newer program wrote the file.
    Newer {
        /// The file; none for a log in memory.
        path: Option<PathBuf>,
        /// The version of the file's tables.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// A question that the writer did not answer.
    Read(String),
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let StoreError::Open { path: Some(path), .. }
        | StoreError::Newer { path: Some(path), .. } = self
        {
            write!(f, "{}: ", path.display())?;
        }
        match self {
            StoreError::Open { words, hint, .. } => write!(f, "{words} ({hint})"),
            StoreError::Newer { found, known, .. } => write!(
                f,
                "a newer click2call wrote this file (tables {found}, this one knows {known}); \
                 update the program or name another file"
            ),
            StoreError::Read(words) => write!(f, "the call log does not answer: {words}"),
        }
    }
}

impl std::error::Error for StoreError {}

impl Store {
    /// Opens the file, brings its tables up to date and starts the writer. Without a path the log
    /// is in memory and gone with the program.
    pub fn open(path: Option<&Path>) -> Result<Store, StoreError> {
        Store::start(schema::open(path)?)
    }

    fn start(connection: Connection) -> Result<Store, StoreError> {
        let newest = kept::newest_number(&connection)
            .map_err(|error| StoreError::Read(error.to_string()))?;
        let (requests, incoming) = sync_channel(QUEUE);
        let (alive, ended) = sync_channel::<()>(0);
        let shared = Arc::new(Shared::default());
        let of_writer = Arc::clone(&shared);
        thread::Builder::new()
            .name("call-log".into())
            .stack_size(STACK)
            .spawn(move || {
                writer::run(connection, &incoming, &of_writer);
                // Dropped last, when the file is closed: `close` waits for it.
                drop(alive);
            })
            .map_err(|error| {
                let hint = "the system gives no thread: see its limits";
                StoreError::Open { path: None, words: error.to_string(), hint }
            })?;
        Ok(Store { requests: Some(requests), ended, shared, newest })
    }

    /// Hands a row over. Never blocks.
    pub fn record(&self, row: Row) -> Result<(), StoreFull> {
        let sent = self.requests.as_ref().map(|queue| queue.try_send(Request::Row(Box::new(row))));
        if matches!(sent, Some(Ok(()))) {
            return Ok(());
        }
        self.shared.lost.fetch_add(1, Ordering::Relaxed);
        Err(StoreFull)
    }

    /// The highest number of any call in the file when it was opened: those to come are numbered
    /// from there on, so that a number means one call.
    pub fn newest_number(&self) -> u64 {
        self.newest
    }

    /// Hands a trace over, in the place of what was handed over of this call before. Never blocks.
    pub fn record_trace(&self, trace: KeptTrace) -> Result<(), StoreFull> {
        // One thread hands over; between two of them the bound would be passed by one.
        if self.shared.traces_waiting.load(Ordering::Relaxed) < TRACES_WAITING {
            self.shared.traces_waiting.fetch_add(1, Ordering::Relaxed);
            let request = Request::Trace(Box::new(trace));
            let sent = self.requests.as_ref().map(|queue| queue.try_send(request));
            if matches!(sent, Some(Ok(()))) {
                return Ok(());
            }
            self.shared.traces_waiting.fetch_sub(1, Ordering::Relaxed);
        }
        self.shared.traces_lost.fetch_add(1, Ordering::Relaxed);
        Err(StoreFull)
    }

    /// Says that no call is up: those that the file has as such were cut short with the program
    /// that wrote them. For the program that now writes the file, when it starts.
    pub fn interrupt_traces(&self) -> Result<(), StoreError> {
        self.ask(Request::Interrupt)
    }

    /// What happened to rows so far.
    pub fn counters(&self) -> Counters {
        self.shared.counters()
    }

    /// Why rows wait, in SQLite's words; none while the disk takes them.
    pub fn trouble(&self) -> Option<String> {
        self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The newest rows, newest first, at most 1000. It waits for the writer, up to five seconds:
    /// not for a thread that carries calls.
    pub fn recent(&self, rows: usize) -> Result<Vec<Row>, StoreError> {
        let (answer, answers) = sync_channel(1);
        self.ask(Request::Recent { rows: rows.min(RECENT_AT_MOST), answer })?;
        answers.recv_timeout(PATIENCE).map_err(|error| StoreError::Read(error.to_string()))?
    }

    /// Writes everything that was handed over before, or says how many rows the disk refused. It
    /// waits for the writer, up to five seconds.
    pub fn flush(&self) -> Result<u64, StoreError> {
        let (answer, answers) = sync_channel(1);
        self.ask(Request::Flush { answer })?;
        answers.recv_timeout(PATIENCE).map_err(|error| StoreError::Read(error.to_string()))
    }

    /// Writes what is queued and ends the writer. Waits up to five seconds; a disk that takes
    /// longer loses the rest, which is what the program's end is worth.
    pub fn close(&mut self) {
        if self.requests.take().is_some() {
            // An error is what is waited for: the writer dropped its end.
            let _ = self.ended.recv_timeout(PATIENCE);
        }
    }

    fn ask(&self, request: Request) -> Result<(), StoreError> {
        let closed = || StoreError::Read("it is closed".into());
        let queue = self.requests.as_ref().ok_or_else(closed)?;
        queue.try_send(request).map_err(|_| StoreError::Read("its queue is full".into()))
    }
}

#[cfg(test)]
mod tests;
