//! The entry point for fuzzing: whatever lies in the call log, and whatever comes on the SIP port.

use crate::{Direction, Opening, PrintOptions, Recorder, Trace, VisitorKind, Way, limits};
use crate::{call_id, print, redacted, verdict};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Reads octets as a trace and prints it in every way; then keeps them as a message of a call.
/// Panics where a promise is broken.
pub fn fuzz(data: &[u8]) {
    if let Ok(trace) = Trace::decode(data) {
        show(&trace);
        assert!(Trace::decode(&trace.encode()).is_ok(), "what was read is not written so again");
    }
    let now = Instant::now();
    let opening = Opening {
        number: 1,
        started_at: i64::MAX,
        direction: Direction::Out,
        visitor: VisitorKind::Browser,
        button: String::new(),
    };
    let mut recorder = Recorder::new(now, opening);
    let peer = SocketAddr::from(([192, 0, 2, 1], 5060));
    let _ = call_id(data);
    recorder.sip(now, Way::Came, peer, data);
    recorder.sip(now + Duration::from_secs(1), Way::Went, peer, data);
    recorder.offer(now, &String::from_utf8_lossy(data));
    recorder.end(now + Duration::from_secs(2), "busy".into(), 486);
    let trace = recorder.into_trace();
    let octets = trace.encode();
    assert!(octets.len() < limits::ENCODED_OCTETS);
    assert!(Trace::decode(&octets).is_ok_and(|read| read.encode() == octets));
    show(&trace);
}

fn show(trace: &Trace) {
    let full = PrintOptions { descriptions: true, messages: true };
    for trace in [trace.clone(), redacted(trace)] {
        let text = print(&trace, full);
        assert!(text.starts_with("Verdict: "));
        let obeyed = |letter: char| letter.is_control() && letter != '\n';
        assert!(!text.contains(obeyed), "a terminal would obey this");
        assert!(!verdict(&trace).sentence.is_empty());
        assert!(!trace.to_json().is_empty());
    }
}
