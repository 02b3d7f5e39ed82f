//! Every bound of a trace.

use std::time::Duration;

/// How often counters are read.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Rows of figures; a call of ten minutes has one for each second, a longer one for each two.
pub const ROWS: usize = 600;
/// Text from the beginning of a call: what was offered and how it came about is never pushed out.
pub const HEAD_OCTETS: usize = 48 * 1024;
/// Entries from the beginning.
pub const HEAD_ENTRIES: usize = 400;
/// Text from the end of a call: a newer entry pushes out the oldest of these.
pub const TAIL_OCTETS: usize = 16 * 1024;
/// Entries from the end.
pub const TAIL_ENTRIES: usize = 200;
/// The longest text of one message or description; the rest is cut off.
pub const TEXT_OCTETS: usize = 6 * 1024;
/// Messages among which a repeated one is looked for.
pub const REPEATS_AMONG: usize = 32;
/// The longest encoded trace that is read.
pub const ENCODED_OCTETS: usize = 1024 * 1024;
