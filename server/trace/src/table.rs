//! The figures as a table: a line a second, or for several where the call is long.

use crate::model::Trace;
use crate::print::clock;
use crate::seconds::{Flow, Second};
use std::fmt::Write;

/// Lines at most.
const LINES: usize = 60;

/// Writes the table, or that there is none.
pub(crate) fn write(out: &mut String, trace: &Trace) {
    let rows = thinned(&trace.seconds);
    if rows.is_empty() {
        // Writing to a String does not fail.
        let _ = writeln!(out, "\nNo figures: the call was over within a second.");
        return;
    }
    let half = "pkts    kB lost jit late made dBFS | sent    kB miss  rtt";
    let (visitor, provider) = ("visitor: came | went", "provider: came | went");
    let _ = writeln!(out, "\n{:>8}   {visitor:<width$} || {provider}", "", width = half.len());
    let _ = writeln!(out, "{:>8}   {half} || {half}", "until");
    for row in &rows {
        // Looks are a little late, and a call ends within a second.
        let until = clock(row.at_ms.saturating_add(500));
        let _ = writeln!(out, "{until:>8}   {} || {}", flow(&row.visitor), flow(&row.provider));
    }
    let span = rows.first().map_or(0, |row| row.span_ms.saturating_add(500) / 1000);
    let _ = writeln!(
        out,
        "\nOne line is {span} s. jit, rtt: ms; late: packets too late; made: ms of sound made up; \
         dBFS: loudness, where\nsound is decoded here; miss: packets of ours that the far end \
         missed, by its reports; -: not known."
    );
}

fn flow(flow: &Flow) -> String {
    let known = |number: u16| if number == 0 { "-".into() } else { number.to_string() };
    let maybe = |number: Option<u16>| number.map_or("-".into(), |number| number.to_string());
    let kilo = |octets: u32| match octets {
        0 => "-".to_owned(),
        octets => format!("{:.1}", f64::from(octets) / 1000.0),
    };
    let level = flow.level.map_or("-".into(), |level: i8| level.to_string());
    format!(
        "{:>4} {:>5} {:>4} {:>3} {:>4} {:>4} {level:>4} | {:>4} {:>5} {:>4} {:>4}",
        flow.received,
        kilo(flow.received_octets),
        flow.lost,
        flow.jitter_ms,
        known(flow.late),
        known(flow.concealed_ms),
        flow.sent,
        kilo(flow.sent_octets),
        maybe(flow.missed),
        maybe(flow.round_trip_ms),
    )
}

/// Rows joined so that they fit.
fn thinned(rows: &[Second]) -> Vec<Second> {
    let together = rows.len().div_ceil(LINES).max(1);
    let stretches = rows.chunks(together);
    stretches.filter_map(|rows| rows.iter().copied().reduce(Second::joined)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_call_fits_on_a_screen_with_all_its_packets() {
        let visitor = Flow { received: 50, ..Flow::default() };
        let second =
            |at: u32| Second { at_ms: at * 1000, span_ms: 1000, visitor, ..Second::default() };
        let rows: Vec<Second> = (1..=500).map(second).collect();
        let thin = thinned(&rows);
        assert!(thin.len() <= LINES);
        assert_eq!(thin.iter().map(|row| u32::from(row.visitor.received)).sum::<u32>(), 25_000);
    }
}
