//! How long frames have to be held so that most of them are there in time.
//!
//! Each arrival's transit (arrival minus place on the sender's time line) is compared with the
//! least one of the last ten seconds; what it has more is its jitter. The target covers 97 % of
//! the jitters of the last seconds, within 20 to 200 ms. Since the least transit is a sliding one,
//! the drift between the two clocks moves it along.

/// The bounds of the target, in microseconds.
pub const LEAST: i64 = 20_000;
/// See [`LEAST`].
pub const MOST: i64 = 200_000;

/// The width of a bucket, and their number: what is above counts as the highest.
const BUCKET: i64 = 10_000;
const BUCKETS: usize = 24;
/// What one arrival weighs: about four seconds of frames fade to a third.
const WEIGHT: f32 = 0.005;
/// A frame that came too late counts as several: growing is urgent, shrinking is not.
const LATE_FACTOR: f32 = 4.0;
/// The part of arrivals that may miss the target.
const MISSED: f32 = 0.03;
/// The windows of the sliding minimum.
const WINDOW: i64 = 2_500_000;
const WINDOWS: usize = 4;
/// The target before anything is known: two frames.
const FIRST_BUCKET: usize = 3;

/// Watches arrivals of one stream.
pub struct Delay {
    minima: [i64; WINDOWS],
    window_ends: i64,
    buckets: [f32; BUCKETS],
}

impl Delay {
    /// Nothing known yet.
    pub fn new() -> Self {
        let mut buckets = [0.0; BUCKETS];
        buckets[FIRST_BUCKET] = 1.0;
        Delay { minima: [i64::MAX; WINDOWS], window_ends: i64::MIN, buckets }
    }

    /// A new stream: its transits are not comparable, while the network's jitter stays.
    pub fn restart(&mut self) {
        self.minima = [i64::MAX; WINDOWS];
        self.window_ends = i64::MIN;
    }

    /// Takes an arrival into account. `late`: its place had been played already.
    pub fn arrived(&mut self, at: i64, transit: i64, late: bool) {
        if at >= self.window_ends {
            self.minima.rotate_right(1);
            self.minima[0] = i64::MAX;
            self.window_ends = at + WINDOW;
        }
        self.minima[0] = self.minima[0].min(transit);
        let jitter = transit - self.base();
        let bucket = usize::try_from(jitter / BUCKET).unwrap_or(0).min(BUCKETS - 1);
        let weight = if late { WEIGHT * LATE_FACTOR } else { WEIGHT };
        for part in &mut self.buckets {
            *part *= 1.0 - weight;
        }
        self.buckets[bucket] += weight;
    }

    /// The least transit lately; 0 before the first arrival.
    pub fn base(&self) -> i64 {
        let least = self.minima.iter().copied().min().unwrap_or(i64::MAX);
        if least == i64::MAX { 0 } else { least }
    }

    /// How long to hold a frame beyond the least transit.
    pub fn target(&self) -> i64 {
        let mut above = 0.0;
        for (bucket, part) in self.buckets.iter().enumerate().rev() {
            above += part;
            if above > MISSED {
                return ((bucket as i64 + 1) * BUCKET).clamp(LEAST, MOST);
            }
        }
        LEAST
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Seed;

    fn run(delay: &mut Delay, frames: i64, transit: impl Fn(i64) -> i64) {
        for n in 0..frames {
            delay.arrived(n * 20_000, transit(n), false);
        }
    }

    #[test]
    fn a_calm_network_leads_to_the_least_target_slowly() {
        let mut delay = Delay::new();
        run(&mut delay, 100, |_| 7000);
        assert_eq!(delay.target(), 40_000);
        run(&mut delay, 900, |_| 7000);
        assert_eq!((delay.target(), delay.base()), (LEAST, 7000));
    }

    #[test]
    fn jitter_raises_the_target_within_a_second_and_no_further_than_the_bound() {
        for (spread, expected) in [(60, 60_000), (120, 120_000), (900, MOST)] {
            let mut delay = Delay::new();
            let jitter: Vec<i64> = {
                let mut seed = Seed::from_number(3);
                (0..50).map(|_| seed.below(spread * 1000) as i64).collect()
            };
            run(&mut delay, 50, |n| jitter[n as usize]);
            assert!((delay.target() - expected).abs() <= 10_000, "{}", delay.target());
        }
    }

    #[test]
    fn drift_moves_the_least_transit_along() {
        let mut delay = Delay::new();
        // An hour at 200 ppm: 0.72 s of transit more.
        run(&mut delay, 180_000, |n| n * 4);
        assert!((180_000 * 4 - delay.base()) < 3000);
        assert_eq!(delay.target(), LEAST);
    }
}
