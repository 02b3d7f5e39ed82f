//! Whether frames made here carry redundancy about the frame before.

/// A side that misses less than this has a good network, in percent.
const NOTICED: f32 = 1.0;
/// So many good reports in a row and the redundancy is left out. Two seconds lie between reports,
/// and a browser's own come every five.
const CALM: u32 = 4;

/// Redundancy in Opus takes a quarter of the encoder's work and, at the same bit rate, of the
/// sound's quality; where nothing is lost both are for nothing.
///
/// ```text
///               four good reports in a row
///   Carried -------------------------------> Left out
///      ^                                        |
///      +----------- a report of loss -----------+
/// ```
///
/// It is carried before the first report, as nobody knows the network yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Redundancy {
    good_reports: u32,
}

impl Redundancy {
    /// The hearing side says what it missed lately, in percent.
    pub fn reported(&mut self, missed: f32) {
        // What is no number counts as loss.
        let good = missed < NOTICED;
        self.good_reports = if good { self.good_reports.saturating_add(1) } else { 0 };
    }

    /// Whether to carry it.
    pub fn is_carried(self) -> bool {
        self.good_reports < CALM
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redundancy_is_left_out_after_calm_and_comes_back_with_the_first_loss() {
        let mut redundancy = Redundancy::default();
        for _ in 0..CALM {
            assert!(redundancy.is_carried());
            redundancy.reported(0.2);
        }
        assert!(!redundancy.is_carried());
        redundancy.reported(3.0);
        assert!(redundancy.is_carried());
        redundancy.reported(0.0);
        redundancy.reported(f32::NAN);
        for _ in 1..CALM {
            redundancy.reported(0.0);
        }
        assert!(redundancy.is_carried(), "calm counts from the last loss");
    }
}
