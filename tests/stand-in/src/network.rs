//! A network with loss, delay, reordering and repeats, all of them out of one seed.

use base::Seed;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What is on its way, and what happens to it there.
pub struct Network<P> {
    /// Packets lost, per thousand.
    pub loss: u64,
    /// Packets that come twice, per thousand.
    pub repeats: u64,
    /// Packets that come much later than those sent after them, per thousand.
    pub stragglers: u64,
    /// How long each packet takes at least.
    pub delay: Duration,
    /// How much longer some take; what follows closely is overtaken.
    pub jitter: Duration,
    seed: Seed,
    flying: BTreeMap<(Instant, u64), P>,
    count: u64,
}

impl<P: Clone> Network<P> {
    /// A network that delays by 15 ms and does no harm.
    pub fn new(seed: Seed) -> Network<P> {
        Network {
            loss: 0,
            repeats: 0,
            stragglers: 0,
            delay: Duration::from_millis(15),
            jitter: Duration::ZERO,
            seed,
            flying: BTreeMap::new(),
            count: 0,
        }
    }

    /// Sends a packet on its way, unless it is lost.
    pub fn put(&mut self, now: Instant, packet: P) {
        if self.strikes(self.loss) {
            return;
        }
        if self.strikes(self.repeats) {
            self.put_surely(now, packet.clone());
        }
        let late = if self.strikes(self.stragglers) { self.delay * 4 } else { Duration::ZERO };
        self.put_surely(now + late, packet);
    }

    /// Sends a packet that only takes its time, as on a connection that repairs losses.
    pub fn put_surely(&mut self, now: Instant, packet: P) {
        let jitter = self.seed.below(self.jitter.as_micros() as u64 + 1);
        let at = now + self.delay + Duration::from_micros(jitter);
        self.count += 1;
        self.flying.insert((at, self.count), packet);
    }

    /// The next packet that has arrived by now.
    pub fn take(&mut self, now: Instant) -> Option<P> {
        let entry = self.flying.first_entry()?;
        (entry.key().0 <= now).then(|| entry.remove())
    }

    /// When the next packet arrives.
    pub fn next_at(&self) -> Option<Instant> {
        self.flying.keys().next().map(|key| key.0)
    }

    /// A chance of so many per thousand. A network without it draws nothing, so that switching one
    /// mishap on does not change the others.
    fn strikes(&mut self, share: u64) -> bool {
        share > 0 && self.seed.below(1_000) < share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrived(network: &mut Network<u32>, until: Instant) -> Vec<u32> {
        std::iter::from_fn(|| network.take(until)).collect()
    }

    #[test]
    fn a_harmless_network_brings_everything_once_in_order_and_not_too_soon() {
        let now = Instant::now();
        let mut network = Network::new(Seed::from_number(1));
        (0..50).for_each(|n| network.put(now + Duration::from_millis(n), n as u32));
        assert_eq!(network.next_at(), Some(now + network.delay));
        assert_eq!(network.take(now), None);
        let all = arrived(&mut network, now + Duration::from_secs(1));
        assert_eq!(all, (0..50).collect::<Vec<u32>>());
        assert_eq!(network.next_at(), None);
    }

    #[test]
    fn each_mishap_strikes_about_as_often_as_it_is_told_to() {
        let now = Instant::now();
        let mut network = Network::new(Seed::from_number(2));
        (network.loss, network.repeats, network.stragglers) = (200, 100, 50);
        (0..2_000).for_each(|n| network.put(now + Duration::from_millis(n), n as u32));
        let all = arrived(&mut network, now + Duration::from_secs(9));
        let mut distinct = all.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert!((1_500..1_700).contains(&distinct.len()), "{} of 2000 came", distinct.len());
        let repeats = all.len() - distinct.len();
        assert!((100..220).contains(&repeats), "{repeats} came twice");
        let overtaken = all.windows(2).filter(|pair| pair[1] < pair[0]).count();
        assert!((40..140).contains(&overtaken), "{overtaken} overtaken");
    }
}
