//! The order of SRV records (RFC 2782, "Usage rules").

use super::Srv;
use base::Seed;

/// Records by priority, those of one priority drawn by their weights. The same records and the
/// same seed give the same order, in whatever order they came: a server that is in use does not
/// change because a name is looked up again.
pub(super) fn order(mut records: Vec<Srv>, seed: &mut Seed) -> Vec<Srv> {
    // Those without weight stand first, which gives them a small chance only.
    records.sort_by(|a, b| {
        let key = |r: &Srv| (r.priority, r.weight != 0, r.target.to_ascii_lowercase(), r.port);
        key(a).cmp(&key(b))
    });
    records.dedup();
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(priority) = records.first().map(|record| record.priority) {
        let peers = records.iter().take_while(|record| record.priority == priority);
        let sum: u64 = peers.clone().map(|record| u64::from(record.weight)).sum();
        let drawn = seed.below(sum + 1);
        let running = peers.scan(0, |sum, record| {
            *sum += u64::from(record.weight);
            Some(*sum)
        });
        let place = running.take_while(|sum| *sum < drawn).count();
        ordered.push(records.remove(place.min(records.len() - 1)));
    }
    ordered
}
