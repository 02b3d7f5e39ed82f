//! What is kept of a call.

use rusqlite::{Connection, OptionalExtension, Statement, named_params};
use std::fmt;

/// The kept facts of one call. Times are Unix times in milliseconds; counts are packets of sound,
/// seen from the appliance: `received` from that side, `sent` to it.
#[derive(Clone, Default, PartialEq)]
pub struct Row {
    /// The call's number, as its log lines and its trace have it.
    pub number: u64,
    /// The button's name; empty for page-supplied accounts.
    pub button: String,
    /// The origin of the page that embeds the button.
    pub page: String,
    /// When the visitor clicked.
    pub started_at: i64,
    /// When the shop answered, if it did.
    pub answered_at: Option<i64>,
    /// When both legs were over.
    pub ended_at: i64,
    /// The one cause, by its name in the API.
    pub cause: String,
    /// The SIP status that ended the call before an answer; 0 without one.
    pub sip_status: u16,
    /// The browser's codec, once sound flowed.
    pub browser_codec: Option<String>,
    /// The provider's codec, once sound flowed.
    pub trunk_codec: Option<String>,
    /// Whether the appliance had to translate between the two.
    pub transcoded: bool,
    /// Packets from the browser.
    pub browser_received: u64,
    /// Packets from the browser that never came.
    pub browser_lost: u64,
    /// Their jitter in milliseconds (RFC 3550 section 6.4.1).
    pub browser_jitter_ms: f32,
    /// Packets to the browser.
    pub browser_sent: u64,
    /// Between the appliance and the browser and back, in milliseconds.
    pub round_trip_ms: Option<f32>,
    /// Packets from the provider.
    pub trunk_received: u64,
    /// Packets from the provider that never came.
    pub trunk_lost: u64,
    /// Their jitter in milliseconds (RFC 3550 section 6.4.1).
    pub trunk_jitter_ms: f32,
    /// Packets to the provider.
    pub trunk_sent: u64,
    /// From the click to the INVITE, in milliseconds.
    pub invite_ms: Option<i64>,
    /// From the click to the first ringing, in milliseconds.
    pub ringing_ms: Option<i64>,
    /// From the click to the answer, in milliseconds.
    pub answer_ms: Option<i64>,
}

impl fmt::Debug for Row {
    // The page and the times say who called when; a log has no business with them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("button", &self.button)
            .field("cause", &self.cause)
            .finish_non_exhaustive()
    }
}

const INSERT: &str = "
    INSERT INTO calls (
        button, page, started_at, answered_at, ended_at, cause, sip_status,
        browser_codec, trunk_codec, transcoded,
        browser_received, browser_lost, browser_jitter_ms, browser_sent, round_trip_ms,
        trunk_received, trunk_lost, trunk_jitter_ms, trunk_sent,
        invite_ms, ringing_ms, answer_ms, number
    ) VALUES (
        :button, :page, :started_at, :answered_at, :ended_at, :cause, :sip_status,
        :browser_codec, :trunk_codec, :transcoded,
        :browser_received, :browser_lost, :browser_jitter_ms, :browser_sent, :round_trip_ms,
        :trunk_received, :trunk_lost, :trunk_jitter_ms, :trunk_sent,
        :invite_ms, :ringing_ms, :answer_ms, :number
    )";

const NEWEST: &str = "SELECT * FROM calls ORDER BY id DESC LIMIT ?1";

/// Writes one row; the caller holds the transaction.
pub fn insert(connection: &Connection, row: &Row) -> rusqlite::Result<()> {
    let mut statement: rusqlite::CachedStatement<'_> = connection.prepare_cached(INSERT)?;
    statement.execute(named_params! {
        ":button": row.button,
        ":page": row.page,
        ":started_at": row.started_at,
        ":answered_at": row.answered_at,
        ":ended_at": row.ended_at,
        ":cause": row.cause,
        ":sip_status": row.sip_status,
        ":browser_codec": row.browser_codec,
        ":trunk_codec": row.trunk_codec,
        ":transcoded": row.transcoded,
        ":browser_received": count(row.browser_received),
        ":browser_lost": count(row.browser_lost),
        ":browser_jitter_ms": real(row.browser_jitter_ms),
        ":browser_sent": count(row.browser_sent),
        ":round_trip_ms": row.round_trip_ms.map(real),
        ":trunk_received": count(row.trunk_received),
        ":trunk_lost": count(row.trunk_lost),
        ":trunk_jitter_ms": real(row.trunk_jitter_ms),
        ":trunk_sent": count(row.trunk_sent),
        ":invite_ms": row.invite_ms,
        ":ringing_ms": row.ringing_ms,
        ":answer_ms": row.answer_ms,
        ":number": count(row.number),
    })?;
    Ok(())
}

/// The row of one call.
pub fn numbered(connection: &Connection, number: u64) -> rusqlite::Result<Option<Row>> {
    let sql = "SELECT * FROM calls WHERE number = ?1 ORDER BY id DESC LIMIT 1";
    connection.query_row(sql, [count(number)], read).optional()
}

/// The newest rows, newest first.
pub fn newest(connection: &Connection, rows: usize) -> rusqlite::Result<Vec<Row>> {
    let mut statement: Statement<'_> = connection.prepare(NEWEST)?;
    let found = statement.query_map([i64::try_from(rows).unwrap_or(i64::MAX)], read)?;
    found.collect()
}

fn read(from: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    let counted = |name| from.get::<_, i64>(name).map(|number| number.max(0).cast_unsigned());
    Ok(Row {
        number: counted("number")?,
        button: from.get("button")?,
        page: from.get("page")?,
        started_at: from.get("started_at")?,
        answered_at: from.get("answered_at")?,
        ended_at: from.get("ended_at")?,
        cause: from.get("cause")?,
        sip_status: from.get("sip_status")?,
        browser_codec: from.get("browser_codec")?,
        trunk_codec: from.get("trunk_codec")?,
        transcoded: from.get("transcoded")?,
        browser_received: counted("browser_received")?,
        browser_lost: counted("browser_lost")?,
        browser_jitter_ms: from.get("browser_jitter_ms")?,
        browser_sent: counted("browser_sent")?,
        round_trip_ms: from.get("round_trip_ms")?,
        trunk_received: counted("trunk_received")?,
        trunk_lost: counted("trunk_lost")?,
        trunk_jitter_ms: from.get("trunk_jitter_ms")?,
        trunk_sent: counted("trunk_sent")?,
        invite_ms: from.get("invite_ms")?,
        ringing_ms: from.get("ringing_ms")?,
        answer_ms: from.get("answer_ms")?,
    })
}

/// SQLite's integers are signed.
pub fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// SQLite stores what is no number as NULL, which the table refuses: such a row would never be
/// written and hold up those behind it.
fn real(number: f32) -> f32 {
    if number.is_finite() { number } else { 0.0 }
}
