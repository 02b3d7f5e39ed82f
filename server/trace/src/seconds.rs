//! Figures of sound: totals as the machines count them, and what came in one stretch of time.

use crate::limits;
use serde::{Deserialize, Serialize};

/// Totals of one leg since the call began, as its machines count them. What a leg cannot tell is
/// none or nought.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TotalsOf {
    /// Packets that came.
    pub received: u64,
    /// Payload octets of those.
    pub received_octets: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Jitter of what comes, in ms (RFC 3550 section 6.4.1).
    pub jitter_ms: f32,
    /// Packets that went.
    pub sent: u64,
    /// Payload octets of those.
    pub sent_octets: u64,
    /// Packets of ours that the far end misses, by its reports.
    pub missed: Option<u64>,
    /// To the far end and back, in ms.
    pub round_trip_ms: Option<f32>,
    /// Packets of somebody who is not the peer that was described.
    pub refused: u64,
    /// Packets that came after their place had been played; only where sound is decoded.
    pub late: u64,
    /// Sound that was made up, in ms; only where sound is decoded.
    pub concealed_ms: u64,
    /// How loud the last second was, in dBFS; only where sound is decoded.
    pub level_dbfs: Option<f32>,
}

/// Totals of both legs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// The visitor's leg.
    pub visitor: TotalsOf,
    /// The provider's leg.
    pub provider: TotalsOf,
}

/// One leg in one stretch. Small, since a call has hundreds of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "[Option<i64>; 12]", into = "[Option<i64>; 12]")]
pub struct Flow {
    /// Packets that came.
    pub received: u16,
    /// Payload octets of those; 0 where the leg does not count them.
    pub received_octets: u32,
    /// Packets that never came.
    pub lost: u16,
    /// Jitter at the end of the stretch, in ms.
    pub jitter_ms: u16,
    /// Packets that went.
    pub sent: u16,
    /// Payload octets of those; 0 where the leg does not count them.
    pub sent_octets: u32,
    /// Packets that the far end missed, by a report that came in this stretch.
    pub missed: Option<u16>,
    /// Round trip in ms.
    pub round_trip_ms: Option<u16>,
    /// Packets of somebody else.
    pub refused: u16,
    /// Packets that came too late.
    pub late: u16,
    /// Sound made up, in ms.
    pub concealed_ms: u16,
    /// Level in dBFS, -96 to 0.
    pub level: Option<i8>,
}

impl From<[Option<i64>; 12]> for Flow {
    fn from(columns: [Option<i64>; 12]) -> Flow {
        fn fit<T: TryFrom<i64>>(column: Option<i64>, most: T) -> T {
            T::try_from(column.unwrap_or(0).max(0)).unwrap_or(most)
        }
        let [r, ro, l, j, s, so, m, t, f, a, c, v] = columns;
        Flow {
            received: fit(r, u16::MAX),
            received_octets: fit(ro, u32::MAX),
            lost: fit(l, u16::MAX),
            jitter_ms: fit(j, u16::MAX),
            sent: fit(s, u16::MAX),
            sent_octets: fit(so, u32::MAX),
            missed: m.map(|m| fit(Some(m), u16::MAX)),
            round_trip_ms: t.map(|t| fit(Some(t), u16::MAX)),
            refused: fit(f, u16::MAX),
            late: fit(a, u16::MAX),
            concealed_ms: fit(c, u16::MAX),
            level: v.map(|v| v.clamp(-96, 0) as i8),
        }
    }
}

impl From<Flow> for [Option<i64>; 12] {
    fn from(flow: Flow) -> Self {
        let of = |number: u16| Some(i64::from(number));
        [
            of(flow.received),
            Some(i64::from(flow.received_octets)),
            of(flow.lost),
            of(flow.jitter_ms),
            of(flow.sent),
            Some(i64::from(flow.sent_octets)),
            flow.missed.map(i64::from),
            flow.round_trip_ms.map(i64::from),
            of(flow.refused),
            of(flow.late),
            of(flow.concealed_ms),
            flow.level.map(i64::from),
        ]
    }
}

fn small(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

impl Flow {
    /// What came between two looks.
    fn between(before: &TotalsOf, now: &TotalsOf) -> Flow {
        let octets =
            |now: u64, before: u64| u32::try_from(now.saturating_sub(before)).unwrap_or(u32::MAX);
        let more = |now: u64, before: u64| small(now.saturating_sub(before));
        let whole = |ms: f32| small(ms.max(0.0).round() as u64);
        Flow {
            received: more(now.received, before.received),
            received_octets: octets(now.received_octets, before.received_octets),
            lost: more(now.lost, before.lost),
            jitter_ms: whole(now.jitter_ms),
            sent: more(now.sent, before.sent),
            sent_octets: octets(now.sent_octets, before.sent_octets),
            missed: now.missed.map(|missed| more(missed, before.missed.unwrap_or(0))),
            round_trip_ms: now.round_trip_ms.map(whole),
            refused: more(now.refused, before.refused),
            late: more(now.late, before.late),
            concealed_ms: more(now.concealed_ms, before.concealed_ms),
            level: now.level_dbfs.map(|level| level.clamp(-96.0, 0.0).round() as i8),
        }
    }

    /// Two stretches as one.
    fn joined(self, next: Flow) -> Flow {
        let sum = |one: Option<u16>, other: Option<u16>| match (one, other) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
        Flow {
            received: self.received.saturating_add(next.received),
            received_octets: self.received_octets.saturating_add(next.received_octets),
            lost: self.lost.saturating_add(next.lost),
            jitter_ms: self.jitter_ms.max(next.jitter_ms),
            sent: self.sent.saturating_add(next.sent),
            sent_octets: self.sent_octets.saturating_add(next.sent_octets),
            missed: sum(self.missed, next.missed),
            round_trip_ms: self.round_trip_ms.max(next.round_trip_ms),
            refused: self.refused.saturating_add(next.refused),
            late: self.late.saturating_add(next.late),
            concealed_ms: self.concealed_ms.saturating_add(next.concealed_ms),
            level: self.level.max(next.level),
        }
    }
}

/// Both legs in one stretch of time; a second, or several where a call is long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Second {
    /// Its end, in ms since the call began.
    #[serde(rename = "at")]
    pub at_ms: u32,
    /// How long it is, in ms.
    #[serde(rename = "for")]
    pub span_ms: u32,
    /// The visitor's leg.
    #[serde(rename = "v")]
    pub visitor: Flow,
    /// The provider's leg.
    #[serde(rename = "p")]
    pub provider: Flow,
}

impl Second {
    /// Two stretches that follow each other as one.
    pub(crate) fn joined(self, next: Second) -> Second {
        Second {
            at_ms: next.at_ms,
            span_ms: self.span_ms.saturating_add(next.span_ms),
            visitor: self.visitor.joined(next.visitor),
            provider: self.provider.joined(next.provider),
        }
    }
}

/// Rows as they are gathered.
#[derive(Debug, Default)]
pub(crate) struct Rows {
    rows: Vec<Second>,
    /// Looks in one row: 1, 2, 4 and so on.
    looks: u32,
    /// Looks in the row that is being gathered.
    gathered: u32,
    before: Totals,
    before_ms: u32,
}

impl Rows {
    /// One look at the totals, at this time since the call began.
    pub(crate) fn look(&mut self, at_ms: u32, totals: &Totals) {
        let row = Second {
            at_ms,
            span_ms: at_ms.saturating_sub(self.before_ms),
            visitor: Flow::between(&self.before.visitor, &totals.visitor),
            provider: Flow::between(&self.before.provider, &totals.provider),
        };
        (self.before, self.before_ms) = (*totals, at_ms);
        let whole = self.gathered == 0 || self.gathered >= self.looks.max(1);
        match self.rows.last_mut().filter(|_| !whole) {
            Some(last) => {
                *last = last.joined(row);
                self.gathered += 1;
            }
            None => {
                if self.rows.len() >= limits::ROWS {
                    self.thin();
                }
                self.rows.push(row);
                self.gathered = 1;
            }
        }
    }

    /// Joins the rows in pairs; from now on one row takes twice as many looks.
    fn thin(&mut self) {
        self.rows = self
            .rows
            .chunks(2)
            .filter_map(|pair| pair.iter().copied().reduce(Second::joined))
            .collect();
        self.looks = self.looks.max(1) * 2;
    }

    /// The rows, in their order.
    pub(crate) fn take(&mut self) -> Vec<Second> {
        std::mem::take(&mut self.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_call_has_no_more_rows_and_loses_no_packet() {
        let mut rows = Rows::default();
        let mut totals = Totals::default();
        for second in 1..=4 * 3600 {
            totals.visitor.received += 50;
            totals.provider.lost += 1;
            rows.look(second * 1000, &totals);
        }
        let rows = rows.take();
        assert!(rows.len() <= limits::ROWS && rows.len() > limits::ROWS / 2, "{}", rows.len());
        let received: u32 = rows.iter().map(|row| u32::from(row.visitor.received)).sum();
        let lost: u32 = rows.iter().map(|row| u32::from(row.provider.lost)).sum();
        assert_eq!((received, lost), (4 * 3600 * 50, 4 * 3600));
        assert_eq!(rows.iter().map(|row| row.span_ms).sum::<u32>(), 4 * 3600 * 1000);
    }

    #[test]
    fn what_a_leg_cannot_tell_stays_untold() {
        let mut rows = Rows::default();
        rows.look(1000, &Totals::default());
        let row = rows.take().remove(0);
        assert_eq!((row.visitor.missed, row.visitor.level), (None, None));
    }

    #[test]
    fn a_row_is_small() {
        assert!(size_of::<Second>() <= 80, "{}", size_of::<Second>());
    }
}
