use super::*;
use crate::seconds::{Flow, Second};

fn trace() -> Trace {
    let mut trace = Trace::new(12, 1_764_077_535_000);
    trace.button = "sales".into();
    trace.lasted_ms = 3_000;
    trace.cause = "busy".into();
    trace.status = 486;
    let sip = |way, text: &str, repeats| What::Sip {
        way,
        peer: "198.51.100.7:5060".into(),
        text: text.into(),
        repeats,
    };
    let offer = "v=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 8\n";
    let invite = format!("INVITE sip:a@b SIP/2.0\nCSeq: 1 INVITE\n\n{offer}");
    for (at, what) in [
        (0, What::Offer { sdp: offer.into() }),
        (2, sip(Way::Went, &invite, 1)),
        (512, sip(Way::Came, "SIP/2.0 486 Busy Here\nCSeq: 1 INVITE\n", 0)),
        (513, What::State { state: "ended".into(), code: 486 }),
    ] {
        trace.entries.push(Entry::new(at, what));
    }
    let visitor = Flow { received: 50, level: Some(-23), ..Flow::default() };
    trace.seconds.push(Second { at_ms: 1000, span_ms: 1000, visitor, ..Second::default() });
    trace
}

#[test]
fn a_trace_is_a_verdict_a_ladder_and_a_table() {
    let text = print(&trace(), PrintOptions::default());
    let mut lines = text.lines();
    assert!(lines.next().is_some_and(|line| line.starts_with("Verdict: the provider refused")));
    let has = |words: &str| assert!(text.contains(words), "no {words:?} in\n{text}");
    has("Call 12, called from a browser by button \"sales\", 2025-11-25 13:32:15 UTC, 0:03 long");
    has("ended: busy (486)");
    has("    +0.000  |-------- offer -------->|                        |  audio 192.0.2.1:4000");
    has("|-------- INVITE ------->|");
    has("sent 2 times; to 198.51.100.7:5060");
    has("    +0.512  |                        |<--- 486 Busy Here -----|");
    has("== ended (486) ==");
    has("    0:01     50     -    0   0    -    -  -23 |");
    assert!(!text.contains("m=audio"), "a description is in full only where it is asked for");
    let full = print(&trace(), PrintOptions { descriptions: true, ..PrintOptions::default() });
    assert!(full.contains("m=audio 4000") && !full.contains("CSeq"), "{full}");
    let full = print(&trace(), PrintOptions { messages: true, ..PrintOptions::default() });
    assert!(full.contains("CSeq: 1 INVITE"), "{full}");
}

#[test]
fn what_had_no_room_is_said_where_it_is_missing() {
    let mut trace = trace();
    (trace.left_out, trace.left_out_at) = (9, 2);
    let text = print(&trace, PrintOptions::default());
    let gap = text.find("(9 entries had no room here)");
    assert!(gap > text.rfind("INVITE") && gap < text.rfind("486 Busy Here"), "{text}");
}

#[test]
fn the_calendar_knows_leap_years_and_times_before_1970() {
    assert_eq!(calendar(0), "1970-01-01 00:00:00");
    assert_eq!(calendar(1_709_164_800_000), "2024-02-29 00:00:00");
    assert_eq!(calendar(951_868_799_000), "2000-02-29 23:59:59");
    assert_eq!(calendar(-1000), "1969-12-31 23:59:59");
    assert!(!calendar(i64::MAX).is_empty() && !calendar(i64::MIN).is_empty());
}

#[test]
fn times_of_a_call_are_minutes_and_hours() {
    assert_eq!((clock(41_900).as_str(), clock(3_792_000).as_str()), ("0:41", "1:03:12"));
}
