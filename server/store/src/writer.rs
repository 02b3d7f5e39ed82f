//! The thread that owns the file.
//!
//! ```text
//!         a row              250 ms, a full batch,               written
//!   Idle -------> Gathering ------------------------> Writing -----------> Idle
//!                             or somebody asks         |  ^
//!                                              refused |  | the pause is over, or somebody asks
//!                                                      v  |
//!                                                    Waiting   (pause 1 s, doubled up to 30 s)
//! ```
//!
//! A commit costs more than the rows in it: calls that end within a quarter of a second share one.
//! Rows come in while the disk refuses; the backlog takes them up to its bound, then each new one
//! pushes out the oldest. The newest calls are those that a shop asks about.

use crate::{Counters, KeptTrace, Row, StoreError, kept, row};
use rusqlite::Connection;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Rows that wait for a disk that refuses them; about a megabyte.
pub const BACKLOG: usize = 4096;
/// Rows of one commit: they share one wait for the disk.
const BATCH: usize = 256;
/// The same for traces, of which few may wait.
const TRACES_OF_BATCH: usize = 16;
/// How long a row waits for others.
const GATHER: Duration = Duration::from_millis(250);
/// The pause after the first refusal.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const PAUSE_AT_MOST: Duration = Duration::from_secs(30);

/// What the writer is asked to do.
pub enum Request {
    /// Keep this.
    Row(Box<Row>),
    /// Keep this for a while.
    Trace(Box<KeptTrace>),
    /// No call is up.
    Interrupt,
    /// Read the newest rows.
    Recent {
        /// How many.
        rows: usize,
        /// Where they go.
        answer: SyncSender<Result<Vec<Row>, StoreError>>,
    },
    /// Try to write everything now.
    Flush {
        /// How many rows still wait.
        answer: SyncSender<u64>,
    },
    /// Whatever a test does to the file.
    #[cfg(test)]
    Do(Box<dyn FnOnce(&Connection) + Send>),
}

/// What the writer and its callers share.
#[derive(Debug, Default)]
pub struct Shared {
    /// Rows in the file.
    pub written: AtomicU64,
    /// Rows that are gone.
    pub lost: AtomicU64,
    /// Rows in the backlog.
    pub waiting: AtomicU64,
    /// Traces on their way to the file.
    pub traces_waiting: AtomicU64,
    /// Traces that are gone.
    pub traces_lost: AtomicU64,
    /// Tries that failed.
    pub failures: AtomicU64,
    /// Why the last try failed, until one passes.
    pub trouble: Mutex<Option<String>>,
}

impl Shared {
    /// The numbers as they are now; each is right, together they may be of different moments.
    pub fn counters(&self) -> Counters {
        Counters {
            written: self.written.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            waiting: self.waiting.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            traces_lost: self.traces_lost.load(Ordering::Relaxed),
        }
    }
}

/// Serves requests until the last sender is gone, then writes what is left.
pub fn run(connection: Connection, requests: &Receiver<Request>, shared: &Shared) {
    let mut writer = Writer {
        connection,
        backlog: VecDeque::new(),
        traces: Vec::new(),
        gather: None,
        pause: None,
        shared,
    };
    loop {
        // Without rows there is no deadline: an idle appliance does not wake up for its log.
        let next = match writer.pause.map(|(until, _)| until).or(writer.gather) {
            None => requests.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(until) => requests.recv_timeout(until.saturating_duration_since(Instant::now())),
        };
        match next {
            Ok(request) => writer.handle(request, requests),
            Err(RecvTimeoutError::Timeout) => writer.write(),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    writer.write();
    let left = writer.backlog.len() as u64;
    shared.lost.fetch_add(left, Ordering::Relaxed);
    shared.waiting.store(0, Ordering::Relaxed);
}

struct Writer<'a> {
    connection: Connection,
    backlog: VecDeque<Row>,
    /// Bounded by those who hand them over.
    traces: Vec<KeptTrace>,
    /// While rows wait for others: until when.
    gather: Option<Instant>,
    /// While the disk refuses: when to try again, and how long this pause is.
    pause: Option<(Instant, Duration)>,
    shared: &'a Shared,
}

impl Writer<'_> {
    fn handle(&mut self, request: Request, requests: &Receiver<Request>) {
        let mut next = Some(request);
        // Rows that are queued already share a commit; anything else is answered in its turn.
        while matches!(next, Some(Request::Row(_) | Request::Trace(_))) {
            match next.take() {
                Some(Request::Row(row)) => self.keep(*row),
                Some(Request::Trace(trace)) => self.traces.push(*trace),
                _ => {}
            }
            let full = self.pause.is_none() && self.has_batch();
            next = if full { None } else { requests.try_recv().ok() };
        }
        if self.pause.is_none() {
            if next.is_none() && !self.has_batch() {
                self.gather.get_or_insert_with(|| Instant::now() + GATHER);
            } else {
                self.write();
            }
        }
        match next {
            None | Some(Request::Row(_) | Request::Trace(_)) => {}
            // Not worth a second try: the next start says it again.
            Some(Request::Interrupt) => drop(kept::interrupt(&self.connection)),
            Some(Request::Recent { rows, answer }) => {
                let found = row::newest(&self.connection, rows);
                // Whoever asked may have given up; that is no trouble of the log's.
                let _ = answer.try_send(found.map_err(|e| StoreError::Read(e.to_string())));
            }
            Some(Request::Flush { answer }) => {
                self.write();
                let _ = answer.try_send(self.backlog.len() as u64);
            }
            #[cfg(test)]
            Some(Request::Do(work)) => work(&self.connection),
        }
    }

    /// Whether there is enough for a commit.
    fn has_batch(&self) -> bool {
        self.backlog.len() >= BATCH || self.traces.len() >= TRACES_OF_BATCH
    }

    fn keep(&mut self, row: Row) {
        if self.backlog.len() >= BACKLOG {
            self.backlog.pop_front();
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
        }
        self.backlog.push_back(row);
    }

    /// Writes batch after batch until nothing waits or the disk refuses.
    fn write(&mut self) {
        self.gather = None;
        while !self.backlog.is_empty() {
            let rows = self.backlog.len().min(BATCH);
            match self.commit(rows) {
                Ok(()) => {
                    self.backlog.drain(..rows);
                    self.shared.written.fetch_add(rows as u64, Ordering::Relaxed);
                    self.refused(None);
                }
                Err(error) => {
                    self.refused(Some(&error));
                    break;
                }
            }
        }
        self.shared.waiting.store(self.backlog.len() as u64, Ordering::Relaxed);
        // Behind the rows, which are worth more: a disk that refuses those is not asked for these.
        if self.backlog.is_empty() && !self.traces.is_empty() {
            let written = self.commit_traces();
            if written.is_ok() {
                let gone = std::mem::take(&mut self.traces).len() as u64;
                self.shared.traces_waiting.fetch_sub(gone, Ordering::Relaxed);
            }
            self.refused(written.err().as_ref());
        }
    }

    /// All traces or none, and none that is too old.
    fn commit_traces(&mut self) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for trace in &self.traces {
            kept::insert(&transaction, trace)?;
        }
        kept::prune(&transaction)?;
        transaction.commit()
    }

    /// One transaction: all of these rows or none.
    fn commit(&mut self, rows: usize) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for row in self.backlog.iter().take(rows) {
            row::insert(&transaction, row)?;
        }
        transaction.commit()
    }

    fn refused(&mut self, error: Option<&rusqlite::Error>) {
        let words = error.map(ToString::to_string);
        *self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner) = words;
        self.pause = error.map(|_| {
            self.shared.failures.fetch_add(1, Ordering::Relaxed);
            let pause = self.pause.map_or(PAUSE, |(_, pause)| (pause * 2).min(PAUSE_AT_MOST));
            (Instant::now() + pause, pause)
        });
    }
}
