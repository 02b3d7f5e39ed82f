//! Waiting for conditions.

use std::time::{Duration, Instant};

/// What a condition may take on a slow machine where nothing else is said.
pub const PATIENCE: Duration = Duration::from_secs(25);
/// How often a condition is looked at.
const EVERY: Duration = Duration::from_millis(20);

/// Waits until `look` gives something.
///
/// # Panics
/// After `limit`, with `what` was waited for.
pub fn until_within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    match within(limit, &mut look) {
        Some(found) => found,
        None => panic!("waited {limit:?} in vain until {what}"),
    }
}

/// [`until_within`] of [`PATIENCE`].
pub fn until<T>(what: &str, look: impl FnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, look)
}

/// Waits until `look` gives something, and gives up after `limit`.
pub fn within<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(EVERY);
    }
}
