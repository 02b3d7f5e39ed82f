//! Traces beside the rows: few, and not for long.

use crate::row;
use rusqlite::{Connection, OptionalExtension, params};
use std::fmt;

/// Traces that are kept, the newest.
pub const KEPT: u32 = 200;
/// How long one is kept, in ms: until the first call that begins so much later.
pub const KEPT_FOR_MS: i64 = 7 * 24 * 3600 * 1000;

/// The trace of one call, in a form that is none of the log's business.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KeptTrace {
    /// The call's number.
    pub number: u64,
    /// When it began: Unix time in milliseconds.
    pub started_at: i64,
    /// When it was over; none while it is up.
    pub ended_at: Option<i64>,
    /// The trace; empty while the call is up, and where the program ended before the call did.
    pub octets: Vec<u8>,
}

impl fmt::Debug for KeptTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeptTrace({}, {} octets)", self.number, self.octets.len())
    }
}

/// Writes one trace in the place of what was written of this call before; the caller holds the
/// transaction.
pub fn insert(connection: &Connection, trace: &KeptTrace) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO traces (number, started_at, ended_at, octets) \
               VALUES (?1, ?2, ?3, ?4)";
    connection.prepare_cached(sql)?.execute(params![
        row::count(trace.number),
        trace.started_at,
        trace.ended_at,
        trace.octets
    ])?;
    Ok(())
}

/// Takes out what is too many or too old. Calls that are up count for nothing, and none is up for
/// a week. The newest call says what is old, not the latest time: a clock that was wrong for once
/// must not cost the traces of all calls to come.
pub fn prune(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM traces WHERE ended_at IS NOT NULL AND number <= (
            SELECT number FROM traces WHERE ended_at IS NOT NULL
            ORDER BY number DESC LIMIT 1 OFFSET ?1)",
        [KEPT],
    )?;
    connection.execute(
        "DELETE FROM traces
            WHERE started_at < (
                SELECT started_at FROM traces ORDER BY number DESC LIMIT 1) - ?1",
        [KEPT_FOR_MS],
    )?;
    Ok(())
}

/// Calls that were up when the program that wrote them ended: they have no more to come.
pub fn interrupt(connection: &Connection) -> rusqlite::Result<()> {
    connection
        .execute("UPDATE traces SET ended_at = started_at WHERE ended_at IS NULL", [])
        .map(drop)
}

/// The highest number of any call.
pub fn newest_number(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "SELECT MAX(COALESCE((SELECT MAX(number) FROM calls), 0), \
                          COALESCE((SELECT MAX(number) FROM traces), 0))";
    let number: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(number.max(0).cast_unsigned())
}

/// The trace of one call.
pub fn numbered(connection: &Connection, number: u64) -> rusqlite::Result<Option<KeptTrace>> {
    let sql = "SELECT number, started_at, ended_at, octets FROM traces WHERE number = ?1";
    connection
        .query_row(sql, [row::count(number)], |row| {
            Ok(KeptTrace {
                number: row.get::<_, i64>(0)?.max(0).cast_unsigned(),
                started_at: row.get(1)?,
                ended_at: row.get(2)?,
                octets: row.get(3)?,
            })
        })
        .optional()
}

/// Every trace by its number, the newest first, and whether its call is still up.
pub fn numbers(connection: &Connection) -> rusqlite::Result<Vec<(u64, i64, bool)>> {
    let sql = "SELECT number, started_at, ended_at IS NULL FROM traces ORDER BY number DESC";
    let mut statement = connection.prepare(sql)?;
    let found = statement.query_map([], |row| {
        let number: i64 = row.get(0)?;
        Ok((number.max(0).cast_unsigned(), row.get(1)?, row.get(2)?))
    })?;
    found.collect()
}
