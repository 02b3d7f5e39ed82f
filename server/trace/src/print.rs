//! A trace for people: the verdict, a ladder of what happened, and a table of figures.

use crate::clean::visible;
use crate::model::{Direction, Entry, Protocol, Side, Trace, VisitorKind, Way, What};
use crate::summary::{self, Start};
use crate::{table, verdict};
use std::fmt::Write;

/// How wide the space between two lines of the ladder is.
const SPACE: usize = 24;

/// What is printed besides the usual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrintOptions {
    /// Session descriptions in full.
    pub descriptions: bool,
    /// SIP messages in full.
    pub messages: bool,
}

/// A length of time, `3:12` or `1:03:12`.
pub fn clock(ms: u32) -> String {
    let seconds = ms / 1000;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}

/// Unix time in milliseconds as date and time, `2026-11-25 13:22:15`, in UTC.
pub fn calendar(unix_ms: i64) -> String {
    let seconds = unix_ms.div_euclid(1000);
    let (days, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Days are counted from 1 March of year 0, so that the leap day is a year's last.
    let shifted = days + 719_468;
    let (era, day) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + 400 * era + i64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{date:02} {hour:02}:{minute:02}:{second:02}")
}

/// The whole trace as text, the verdict first.
pub fn print(trace: &Trace, options: PrintOptions) -> String {
    let mut out = String::new();
    let kind = match trace.visitor {
        VisitorKind::Browser => "a browser",
        VisitorKind::Flash => "Flash Player",
    };
    let whose = match (&trace.direction, trace.button.as_str()) {
        (Direction::In, _) => format!("called to {kind}"),
        (Direction::Out, "") => format!("called from {kind} with an account of its own"),
        (Direction::Out, button) => format!("called from {kind} by button \"{}\"", visible(button)),
    };
    // Writing to a String does not fail.
    let _ = writeln!(out, "Verdict: {}.\n", verdict(trace).sentence);
    let status = if trace.status == 0 { String::new() } else { format!(" ({})", trace.status) };
    let _ = writeln!(
        out,
        "Call {}, {whose}, {} UTC, {} long, ended: {}{status}\n",
        trace.number,
        calendar(trace.started_at),
        clock(trace.lasted_ms),
        visible(&trace.cause),
    );
    let _ =
        writeln!(out, "{:>10}  {:<SPACE$} {:<SPACE$} provider", "time", "visitor", "click2call");
    for (index, entry) in trace.entries.iter().enumerate() {
        if trace.left_out > 0 && index == trace.left_out_at as usize {
            let _ = writeln!(out, "{:>10}  ({} entries had no room here)", "...", trace.left_out);
        }
        rung(&mut out, entry, options);
    }
    table::write(&mut out, trace);
    out
}

/// One line of the ladder.
fn rung(out: &mut String, entry: &Entry, options: PrintOptions) {
    let seconds = f64::from(entry.at_ms) / 1000.0;
    let time = format!("+{seconds:.3}");
    let mut full = None;
    let (left, right, remark) = match &entry.what {
        What::Sip { way, peer, text, repeats } => {
            let body = summary::body(text);
            let label = match summary::start(text) {
                Start::Request(method) => method.to_owned(),
                Start::Response(status, words, _) => {
                    format!("{status} {words}").trim_end().to_owned()
                }
                Start::Other => "?".to_owned(),
            };
            let mut remark: Vec<String> = body.map(summary::description).into_iter().collect();
            if *repeats > 0 {
                remark.push(format!("sent {} times", u64::from(*repeats) + 1));
            }
            if label == "INVITE" {
                remark.push(format!("{} {peer}", if *way == Way::Went { "to" } else { "from" }));
            }
            full = if options.messages {
                Some(text.as_str())
            } else {
                body.filter(|_| options.descriptions)
            };
            (line(), arrow(&label, *way == Way::Went), remark.join("; "))
        }
        What::Offer { sdp } => {
            full = options.descriptions.then_some(sdp.as_str());
            (arrow("offer", true), line(), summary::description(sdp))
        }
        What::Answer { sdp } => {
            full = options.descriptions.then_some(sdp.as_str());
            (arrow("answer", false), line(), summary::description(sdp))
        }
        What::Session { address, round_trip_ms } => {
            let trip = round_trip_ms.map_or(String::new(), |ms| format!(", {ms} ms and back"));
            (double("Flash session"), line(), format!("RTMFP with {address}{trip}"))
        }
        What::Connected { after_ms, protocol, path } => {
            let how = name(*protocol);
            let remark = format!("ICE and DTLS done after {after_ms} ms by {how}: {path}");
            (double("media is up"), line(), remark)
        }
        What::Moved { protocol, path } => {
            (double("moved"), line(), format!("by {} now: {path}", name(*protocol)))
        }
        What::Direct { on } => {
            let words = if *on { "goes" } else { "does not go" };
            (
                double("direct"),
                line(),
                format!("sound {words} to the other Flash client without us"),
            )
        }
        What::MediaLost { why } => (double("media lost"), line(), lost(why).to_owned()),
        What::MediaClosed => (double("media closed"), line(), "by the browser".to_owned()),
        What::VisitorEnded { why } => (arrow("end", true), line(), why.clone()),
        What::State { state, code } => {
            let code = if *code == 0 { String::new() } else { format!(" ({code})") };
            (line(), line(), format!("== {state}{code} =="))
        }
        What::Codec { side: Side::Visitor, codec } => (arrow("sound", true), line(), codec.clone()),
        What::Codec { side: Side::Provider, codec } => {
            (line(), arrow("sound", false), codec.clone())
        }
        What::Digits { side: Side::Visitor, count } => {
            (arrow("keys", true), line(), format!("{count} pressed; which is not kept"))
        }
        What::Digits { side: Side::Provider, count } => {
            (line(), arrow("keys", false), format!("{count} pressed; which is not kept"))
        }
        What::Unreachable { peer } => {
            (line(), arrow("unreachable", false), format!("nobody listens at {peer} (ICMP)"))
        }
        What::DescriptionRefused { why } => {
            (line(), line(), format!("the phone's description is of no use: {why}"))
        }
    };
    let remark = visible(&remark);
    let row = format!("{time:>10}  |{left}|{right}|  {remark}");
    let _ = writeln!(out, "{}", row.trim_end());
    for text in full.into_iter().flat_map(str::lines) {
        let _ = writeln!(out, "{:>10}      {}", "", visible(text));
    }
}

fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Udp => "UDP",
        Protocol::Tcp => "TCP",
    }
}

fn lost(why: &str) -> &str {
    match why {
        "no-check" => "no ICE check ever came from the browser",
        "no-handshake" => "ICE found a path, DTLS never came to an end",
        "silent" => "the browser stopped answering ICE checks",
        other => other,
    }
}

/// Nothing passes here.
fn line() -> String {
    " ".repeat(SPACE)
}

/// `---- INVITE ---->`
fn arrow(label: &str, to_the_right: bool) -> String {
    let drawn = filled(label, '-');
    let inner = drawn.get(1..drawn.len().saturating_sub(1)).unwrap_or_default();
    if to_the_right { format!("-{inner}>") } else { format!("<{inner}-") }
}

fn double(label: &str) -> String {
    filled(label, '=')
}

/// A label in the middle of a line of these letters.
fn filled(label: &str, letter: char) -> String {
    let label: String = visible(label).chars().filter(char::is_ascii).take(SPACE - 4).collect();
    let rest = SPACE.saturating_sub(label.len() + 2);
    let (before, after) = (rest / 2, rest - rest / 2);
    let fill = |count| letter.to_string().repeat(count);
    format!("{} {label} {}", fill(before), fill(after))
}

#[cfg(test)]
#[path = "print_tests.rs"]
mod tests;
