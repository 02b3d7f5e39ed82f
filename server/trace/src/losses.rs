//! How much was lost on which way, and from when to when.

use crate::facts::Facts;
use crate::seconds::Second;

/// Losses are looked at in stretches so long: reports of the far end come every few seconds.
pub(crate) const STRETCH_MS: u32 = 5_000;
/// A stretch that loses more, in percent, is heard.
const LOSS: f32 = 5.0;

/// One way that sound takes.
pub(crate) struct Path {
    /// Whose network.
    pub network: &'static str,
    /// What gets lost on it.
    pub what: &'static str,
    /// Whether the far end's reports tell it: one tells of the seconds before it too, and counts
    /// what was lost before it came to us.
    reported: Option<fn(&Second) -> u32>,
    /// Lost packets of all in a row.
    of: fn(&Second) -> (u32, u32),
}

/// All ways.
pub(crate) const PATHS: [Path; 4] = [
    Path {
        network: "the visitor's network",
        what: "what the visitor said",
        reported: None,
        of: |row| {
            let lost = u32::from(row.visitor.lost);
            (lost, lost + u32::from(row.visitor.received))
        },
    },
    Path {
        network: "the visitor's network",
        what: "what was sent to the visitor",
        reported: Some(|row| u32::from(row.provider.lost)),
        of: |row| {
            let lost = u32::from(row.visitor.missed.unwrap_or(0));
            (lost, lost.max(u32::from(row.visitor.sent)))
        },
    },
    Path {
        network: "the provider's network",
        what: "what the phone said",
        reported: None,
        of: |row| {
            let lost = u32::from(row.provider.lost);
            (lost, lost + u32::from(row.provider.received))
        },
    },
    Path {
        network: "the provider's network",
        what: "what was sent to the phone",
        reported: Some(|row| u32::from(row.visitor.lost)),
        of: |row| {
            let lost = u32::from(row.provider.missed.unwrap_or(0));
            (lost, lost.max(u32::from(row.provider.sent)))
        },
    },
];

/// Losses on one way: packets, percent, from when to when.
pub(crate) struct Loss {
    /// Packets.
    pub lost: u64,
    /// Of all in that time.
    pub percent: f32,
    /// In ms since the call began.
    pub from: u32,
    /// The same.
    pub to: u32,
}

/// How long rows are together, in ms.
pub(crate) fn span(rows: &[&Second]) -> u32 {
    rows.iter().fold(0, |sum: u32, row| sum.saturating_add(row.span_ms))
}

/// Lost packets of all in rows.
pub(crate) fn sums<'a>(rows: impl Iterator<Item = &'a Second>, path: &Path) -> (u64, u64) {
    let (mut lost, mut all) = (0u64, 0u64);
    let mut before = 0u64;
    for row in rows {
        let (of_row, all_of_row) = (path.of)(row);
        lost += u64::from(of_row);
        all += u64::from(all_of_row);
        before += path.reported.map_or(0, |before| u64::from(before(row)));
    }
    (lost.saturating_sub(before), all)
}

fn percent((lost, all): (u64, u64)) -> f32 {
    if all == 0 { 0.0 } else { 100.0 * lost as f32 / all as f32 }
}

/// From the first stretch to the last that loses too much, if any does.
pub(crate) fn losses(facts: &Facts<'_>, path: &Path) -> Option<Loss> {
    let rows: Vec<&Second> = facts.talk().collect();
    let (mut first, mut last) = (None, 0);
    let mut begin = 0;
    for (index, row) in rows.iter().enumerate() {
        let stretch = rows.get(begin..=index).unwrap_or_default();
        if span(stretch) < STRETCH_MS {
            continue;
        }
        if percent(sums(stretch.iter().copied(), path)) >= LOSS {
            let lossy = stretch.iter().position(|row| (path.of)(row).0 > 0).unwrap_or(0);
            first.get_or_insert(if path.reported.is_some() { begin } else { begin + lossy });
            last = row.at_ms;
        }
        begin = index + 1;
    }
    let bad = rows.get(first?..)?;
    let from = bad.first().map_or(0, |row| row.at_ms.saturating_sub(row.span_ms));
    let sums = sums(bad.iter().copied().filter(|row| row.at_ms <= last), path);
    Some(Loss { lost: sums.0, percent: percent(sums), from, to: last })
}
