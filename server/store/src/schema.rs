//! The file: how it is opened, and how its tables become what this program knows.

use crate::StoreError;
use rusqlite::{Connection, ErrorCode};
use std::io;
use std::path::Path;
use std::time::Duration;

/// The steps from an empty file to the tables of today. Step N leads from version N to N + 1; the
/// file keeps its version in `PRAGMA user_version`. A step that was released never changes.
pub const STEPS: &[&str] = &[
    "
    CREATE TABLE calls (
        id                INTEGER PRIMARY KEY,
        button            TEXT    NOT NULL,
        page              TEXT    NOT NULL,
        started_at        INTEGER NOT NULL,
        answered_at       INTEGER,
        ended_at          INTEGER NOT NULL,
        cause             TEXT    NOT NULL,
        sip_status        INTEGER NOT NULL,
        browser_codec     TEXT,
        trunk_codec       TEXT,
        transcoded        INTEGER NOT NULL,
        browser_received  INTEGER NOT NULL,
        browser_lost      INTEGER NOT NULL,
        browser_jitter_ms REAL    NOT NULL,
        browser_sent      INTEGER NOT NULL,
        round_trip_ms     REAL,
        trunk_received    INTEGER NOT NULL,
        trunk_lost        INTEGER NOT NULL,
        trunk_jitter_ms   REAL    NOT NULL,
        trunk_sent        INTEGER NOT NULL,
        invite_ms         INTEGER,
        ringing_ms        INTEGER,
        answer_ms         INTEGER
    ) STRICT;
    CREATE INDEX calls_by_start ON calls (started_at);
",
    "
    ALTER TABLE calls ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
    UPDATE calls SET number = id;
    CREATE INDEX calls_by_number ON calls (number);
    CREATE TABLE traces (
        number            INTEGER PRIMARY KEY,
        started_at        INTEGER NOT NULL,
        ended_at          INTEGER,
        octets            BLOB    NOT NULL
    ) STRICT;
",
];

/// How long another process that writes (a backup, a shell) is waited for.
pub const BUSY: Duration = Duration::from_secs(2);

/// Opens the file, or a log in memory, with its tables up to date.
pub fn open(path: Option<&Path>) -> Result<Connection, StoreError> {
    let own = || path.map(Path::to_path_buf);
    let refused = |error: rusqlite::Error| {
        let hint = hint(error.sqlite_error_code());
        StoreError::Open { path: own(), words: error.to_string(), hint }
    };
    let mut connection = match path {
        None => Connection::open_in_memory(),
        Some(path) => {
            create(path).map_err(|error| {
                let hint = system_hint(error.kind());
                StoreError::Open { path: own(), words: error.to_string(), hint }
            })?;
            Connection::open(path)
        }
    }
    .map_err(refused)?;
    set_up(&connection).map_err(refused)?;
    migrate(&mut connection, STEPS).map_err(|error| match error {
        Migration::Newer(found) => {
            StoreError::Newer { path: own(), found, known: STEPS.len() as u32 }
        }
        Migration::Failed(error) => refused(error),
    })?;
    Ok(connection)
}

const NO_ROOM: &str = "the disk is full: make room, or name a file on another one";
const NO_RIGHT: &str = "let this user write the file and in its folder, or name another file";

/// What to do where the system does not let the file be made.
fn system_hint(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotFound => "make the folder, or name a file in one that is there",
        io::ErrorKind::PermissionDenied => NO_RIGHT,
        io::ErrorKind::ReadOnlyFilesystem => "the disk is read-only: name a file on another one",
        io::ErrorKind::IsADirectory => "name a file, not a folder",
        io::ErrorKind::StorageFull => NO_ROOM,
        _ => "name another file",
    }
}

/// What to do where SQLite does not take the file.
pub fn hint(code: Option<ErrorCode>) -> &'static str {
    match code {
        Some(ErrorCode::NotADatabase) => "it is no call log: name another file",
        Some(ErrorCode::DatabaseCorrupt) => "it is damaged: put it aside, a new one is made",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program is writing it: end that one, or name another file"
        }
        Some(ErrorCode::DiskFull) => NO_ROOM,
        // Its helpers, -wal and -shm, lie in the same folder.
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => NO_RIGHT,
        _ => "name another file",
    }
}

/// Makes the file, readable by its owner alone: it says who called when from which page.
fn create(path: &Path) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(|_| ())
}

fn set_up(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(BUSY)?;
    // A log in memory answers `memory` here, which is as good.
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(()))?;
    // A commit is whole whatever happens, but it does not wait for the disk: a machine that loses
    // its power may lose the rows of its last seconds.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    // In KiB by its sign. Rows are written and seldom read: a big cache would only sit there.
    connection.pragma_update(None, "cache_size", -256)?;
    Ok(())
}

/// Why tables did not become what they should be.
#[derive(Debug)]
pub enum Migration {
    /// The file has a version that is not known here.
    Newer(u32),
    /// A step failed; the file is as it was before that step.
    Failed(rusqlite::Error),
}

impl From<rusqlite::Error> for Migration {
    fn from(error: rusqlite::Error) -> Self {
        Migration::Failed(error)
    }
}

/// Takes the steps that the file lacks, each in a transaction of its own together with its
/// version: a program that is killed in between goes on where it was.
pub fn migrate(connection: &mut Connection, steps: &[&str]) -> Result<(), Migration> {
    loop {
        let step = connection.transaction_with_behavior(
            // Two programs that start at once must not take the same step twice.
            rusqlite::TransactionBehavior::Immediate,
        )?;
        let version: u32 = step.pragma_query_value(None, "user_version", |row| row.get(0))?;
        match steps.get(version as usize) {
            Some(sql) => {
                step.execute_batch(sql)?;
                step.pragma_update(None, "user_version", version + 1)?;
                step.commit()?;
            }
            None if version as usize == steps.len() => return Ok(()),
            None => return Err(Migration::Newer(version)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// What the file holds, as the statements that would make it.
    fn shape(connection: &Connection) -> Vec<String> {
        let sql = "SELECT sql FROM sqlite_master WHERE sql NOT NULL ORDER BY name";
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    }

    fn version(connection: &Connection) -> u32 {
        connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
    }

    #[test]
    fn every_older_file_becomes_what_a_new_one_is() {
        let new = open(None).unwrap();
        assert_eq!(version(&new) as usize, STEPS.len());
        for older in 0..STEPS.len() {
            let mut file = Connection::open_in_memory().unwrap();
            migrate(&mut file, &STEPS[..older]).unwrap();
            migrate(&mut file, STEPS).unwrap();
            assert_eq!(shape(&file), shape(&new), "from version {older}");
            assert_eq!(version(&file) as usize, STEPS.len());
        }
    }

    #[test]
    fn calls_of_the_first_version_get_their_place_in_the_log_as_number() {
        let mut file = Connection::open_in_memory().unwrap();
        migrate(&mut file, &STEPS[..1]).unwrap();
        let insert = "INSERT INTO calls VALUES \
            (NULL, 'sales', '', 7, NULL, 9, 'busy', 486, NULL, NULL, 0, \
             0, 0, 0, 0, NULL, 0, 0, 0, 0, NULL, NULL, NULL)";
        for _ in 0..3 {
            file.execute(insert, []).unwrap();
        }
        migrate(&mut file, STEPS).unwrap();
        let rows = crate::row::newest(&file, 9).unwrap();
        assert_eq!(rows.iter().map(|row| row.number).collect::<Vec<_>>(), [3, 2, 1]);
        assert!(rows.iter().all(|row| row.cause == "busy"));
        assert_eq!(crate::kept::newest_number(&file).unwrap(), 3);
    }

    #[test]
    fn rows_survive_the_steps_between_versions() {
        let steps = [
            "CREATE TABLE a (x INTEGER); INSERT INTO a VALUES (7);",
            "ALTER TABLE a ADD COLUMN y INTEGER NOT NULL DEFAULT 1;",
            "CREATE TABLE b AS SELECT x + y AS z FROM a; DROP TABLE a;",
        ];
        for older in 0..=steps.len() {
            let mut file = Connection::open_in_memory().unwrap();
            migrate(&mut file, &steps[..older]).unwrap();
            migrate(&mut file, &steps).unwrap();
            let z: i64 = file.query_row("SELECT z FROM b", [], |row| row.get(0)).unwrap();
            assert_eq!(z, 8, "from version {older}");
        }
    }

    #[test]
    fn a_step_that_fails_leaves_the_file_at_the_version_before() {
        let mut file = Connection::open_in_memory().unwrap();
        let steps = ["CREATE TABLE a (x);", "CREATE TABLE b (x); CREATE TABLE a (x);"];
        assert!(matches!(migrate(&mut file, &steps), Err(Migration::Failed(_))));
        assert_eq!(version(&file), 1);
        assert_eq!(shape(&file).len(), 1, "half a step stayed behind");
    }

    #[test]
    fn a_file_of_a_newer_program_is_left_alone() {
        let mut file = Connection::open_in_memory().unwrap();
        file.pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(migrate(&mut file, STEPS), Err(Migration::Newer(99))));
        assert!(shape(&file).is_empty());
    }
}
