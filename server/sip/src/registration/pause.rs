//! How long a registration that failed waits.

use crate::cause::{Cause, CauseKind};
use crate::limits;
use base::Seed;
use std::time::Duration;

/// The pause after one more failure; `failures` came before it in a row.
pub(super) fn after(cause: &Cause, failures: u32, seed: &mut Seed) -> Duration {
    let (first, last) = match cause.kind {
        CauseKind::AuthenticationFailed
        | CauseKind::Forbidden
        | CauseKind::NotFound
        | CauseKind::Declined => (limits::REFUSED_FIRST, limits::REFUSED_LAST),
        _ => (limits::RETRY_FIRST, limits::RETRY_LAST),
    };
    let longest = (first * 2u32.saturating_pow(failures.min(16))).min(last);
    // Half of it is jitter, so that many accounts do not come back at the same instant
    // (RFC 5626 4.5).
    let half = longest / 2;
    let pause = half + Duration::from_millis(seed.below(half.as_millis() as u64 + 1));
    pause.max(cause.retry_after.unwrap_or_default().min(limits::RETRY_AFTER))
}
