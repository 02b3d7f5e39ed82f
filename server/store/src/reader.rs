//! Reading the file of another process: it may be writing meanwhile, or have ended long ago.

use crate::kept::{self, KeptTrace};
use crate::{Row, StoreError, row, schema};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::path::Path;

/// The version of the tables that has traces.
const WITH_TRACES: u32 = 2;

/// A call log that is only read. Nothing is made, brought up to date or taken out.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
}

impl Reader {
    /// Opens a file that is there.
    pub fn open(path: &Path) -> Result<Reader, StoreError> {
        let refused = |error: rusqlite::Error| {
            let hint = schema::hint(error.sqlite_error_code());
            StoreError::Open { path: Some(path.to_path_buf()), words: error.to_string(), hint }
        };
        let no_file = |error: std::io::Error| StoreError::Open {
            path: Some(path.to_path_buf()),
            words: error.to_string(),
            hint: "the appliance makes it when it starts; run this as the same user",
        };
        std::fs::File::open(path).map_err(no_file)?;
        let plain = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let version = |connection: &Connection| {
            connection.busy_timeout(schema::BUSY)?;
            connection.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0))
        };
        let mut connection = Connection::open_with_flags(path, plain).map_err(refused)?;
        let found = match version(&connection) {
            // Readers share a file beside the log. Who may not write in the folder has no part in
            // it, which is as good where nobody has the log open.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::CannotOpen) => {
                let flags = plain | OpenFlags::SQLITE_OPEN_URI;
                connection = Connection::open_with_flags(alone(path), flags).map_err(refused)?;
                version(&connection).map_err(refused)?
            }
            found => found.map_err(refused)?,
        };
        let known = schema::STEPS.len() as u32;
        if found > known {
            return Err(StoreError::Newer { path: Some(path.to_path_buf()), found, known });
        }
        if found < WITH_TRACES {
            return Err(StoreError::Open {
                path: Some(path.to_path_buf()),
                words: "it has no traces yet".into(),
                hint: "an older click2call wrote it, or none; start this one",
            });
        }
        Ok(Reader { connection })
    }

    /// The newest rows, newest first.
    pub fn calls(&self, rows: usize) -> Result<Vec<Row>, StoreError> {
        row::newest(&self.connection, rows).map_err(unread)
    }

    /// The row of one call.
    pub fn call(&self, number: u64) -> Result<Option<Row>, StoreError> {
        row::numbered(&self.connection, number).map_err(unread)
    }

    /// The trace of one call.
    pub fn trace(&self, number: u64) -> Result<Option<KeptTrace>, StoreError> {
        kept::numbered(&self.connection, number).map_err(unread)
    }

    /// Which calls have a trace, the newest first: number, beginning, and whether it is still up.
    pub fn traces(&self) -> Result<Vec<(u64, i64, bool)>, StoreError> {
        kept::numbers(&self.connection).map_err(unread)
    }
}

fn unread(error: rusqlite::Error) -> StoreError {
    StoreError::Read(error.to_string())
}

/// The file as one that nobody writes, in SQLite's form of a URI.
fn alone(path: &Path) -> String {
    let mut uri = String::from("file:");
    for octet in path.as_os_str().as_encoded_bytes() {
        match octet {
            b'/' | b'.' | b'-' | b'_' => uri.push(char::from(*octet)),
            octet if octet.is_ascii_alphanumeric() => uri.push(char::from(*octet)),
            octet => uri.push_str(&format!("%{octet:02X}")),
        }
    }
    uri + "?immutable=1"
}
