//! Whether this machine's time of day is right: certificates, tokens and logs hang on it.

use super::finding::{Finding, Step};
use std::time::{Duration, SystemTime};

/// A clock that is further off is wrong. SIP's Date has whole seconds, and messages take their time.
const OFF: Duration = Duration::from_secs(60);
/// What to do about it.
const REMEDY: &str =
    "set the clock by NTP (timedatectl set-ntp true): certificates and logs hang on it";

/// By the provider's clock, where it told its hour.
pub fn by_provider(hours: Option<(SystemTime, SystemTime)>) -> Option<Finding> {
    let (theirs, ours) = hours?;
    let (off, way) = match ours.duration_since(theirs) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    Some(match off > OFF {
        true => {
            let words = format!("this machine is {} s {way} the provider's clock", off.as_secs());
            Finding::warn(Step::Clock, words).todo(REMEDY)
        }
        false => Finding::ok(Step::Clock, "this machine's clock agrees with the provider's"),
    })
}

/// By the file system: what was written lies in the past. Nothing is said where that holds.
pub fn by_file(written: SystemTime, now: SystemTime) -> Option<Finding> {
    let ahead = written.duration_since(now).ok().filter(|ahead| *ahead > OFF)?;
    let words = format!("the file was written {} s from now, says its date", ahead.as_secs());
    Some(Finding::warn(Step::Clock, words).todo(REMEDY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::finding::Level;

    #[test]
    fn a_clock_is_wrong_from_a_minute_on_either_way() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let level = |theirs| by_provider(Some((theirs, now))).map(|finding| finding.level);
        assert_eq!(level(now + Duration::from_secs(59)), Some(Level::Ok));
        assert_eq!(level(now - Duration::from_secs(59)), Some(Level::Ok));
        assert_eq!(level(now + Duration::from_secs(61)), Some(Level::Warn));
        assert_eq!(level(now - Duration::from_secs(3600)), Some(Level::Warn));
        assert_eq!(by_provider(None), None);
    }

    #[test]
    fn a_file_of_tomorrow_shows_a_clock_of_yesterday() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        assert_eq!(by_file(now - Duration::from_secs(5), now), None);
        assert!(by_file(now + Duration::from_secs(86_400), now).is_some());
    }
}
