use super::*;
use crate::model::{Entry, Protocol, Way, What};

const OFFER: &str = "\n\nv=0\nc=IN IP4 192.0.2.1\nm=audio 4000 RTP/AVP 8 0\n";
const PEER: &str = "198.51.100.7:5060";

/// A trace as it is built up for one rule.
struct Built(Trace);

impl Built {
    fn new() -> Built {
        let mut trace = Trace::new(1, 0);
        trace.button = "sales".into();
        Built(trace)
    }

    fn what(mut self, at: u32, what: What) -> Built {
        self.0.entries.push(Entry::new(at, what));
        self
    }

    fn sip(self, at: u32, way: Way, text: &str, repeats: u32) -> Built {
        let text = text.to_owned();
        self.what(at, What::Sip { way, peer: PEER.into(), text, repeats })
    }

    fn invite(self, repeats: u32) -> Built {
        let text = format!("INVITE sip:a@b SIP/2.0\nCSeq: 1 INVITE{OFFER}");
        self.sip(2, Way::Went, &text, repeats)
    }

    /// A response to the INVITE.
    fn came(self, at: u32, line: &str) -> Built {
        self.sip(at, Way::Came, &format!("SIP/2.0 {line}\nCSeq: 1 INVITE\n"), 0)
    }

    fn state(self, at: u32, state: &str, code: u16) -> Built {
        self.what(at, What::State { state: state.into(), code })
    }

    fn connected(self, at: u32) -> Built {
        let path = "192.0.2.1:8443 192.0.2.33:9".into();
        self.what(at, What::Connected { after_ms: at, protocol: Protocol::Udp, path })
    }

    /// A call that is answered after a second.
    fn answered() -> Built {
        let text = format!("SIP/2.0 200 OK\nCSeq: 1 INVITE{}", OFFER.replace("4000", "7000"));
        Built::new()
            .invite(0)
            .came(100, "180 Ringing")
            .state(101, "ringing", 180)
            .connected(200)
            .sip(1000, Way::Came, &text, 0)
            .state(1000, "active", 200)
    }

    /// Seconds of figures, from the second after the one of the last row.
    fn seconds(mut self, count: u32, visitor: Flow, provider: Flow) -> Built {
        let from = self.0.seconds.last().map_or(1000, |row| row.at_ms);
        for number in 1..=count {
            let at_ms = from + number * 1000;
            self.0.seconds.push(Second { at_ms, span_ms: 1000, visitor, provider });
        }
        self
    }

    fn ends(mut self, at: u32, cause: &str) -> Trace {
        self.0.lasted_ms = at;
        self.0.cause = cause.into();
        self.0
    }
}

fn good() -> Flow {
    Flow { received: 50, sent: 50, ..Flow::default() }
}

fn nothing() -> Flow {
    Flow { sent: 50, ..Flow::default() }
}

/// The verdict has this rule and these words.
fn is(trace: Trace, rule: &str, words: &str) {
    let verdict = verdict(&trace);
    assert_eq!(verdict.rule, rule, "{}", verdict.sentence);
    assert!(verdict.sentence.contains(words), "{}", verdict.sentence);
    assert!(!verdict.sentence.ends_with('.'));
}

#[test]
fn a_good_call_has_nothing_wrong() {
    let lossy = Flow { lost: 1, ..good() };
    let trace = Built::answered().seconds(190, good(), good()).seconds(2, lossy, good());
    is(trace.ends(193_000, "visitor-hung-up"), "fine", "nothing wrong: 3:12 talked, 0.0 % lost");
    let trace = Built::answered().seconds(60, good(), good()).ends(61_000, "too-long");
    is(trace, "fine", "max_duration ended it");
}

#[test]
fn our_own_fault_is_called_so() {
    is(Built::answered().ends(2000, "internal"), "own-fault", "click2call itself failed");
    is(Built::new().ends(40, "visitor-hung-up"), "own-fault", "no INVITE left");
}

#[test]
fn a_provider_that_is_down_is_told_from_one_that_is_silent() {
    let unreachable = What::Unreachable { peer: PEER.into() };
    let trace = Built::new().invite(0).what(4, unreachable).ends(5, "provider-silent");
    is(trace, "nobody-listens", PEER);
    let trace = Built::new().invite(6).ends(32_002, "provider-silent");
    is(trace, "provider-silent", "(7 in 32 s) to 198.51.100.7:5060");
    let trace = Built::new().invite(3).ends(8_002, "cancelled");
    is(trace, "provider-silent", "(4 in 8 s)");
}

#[test]
fn a_wrong_password_is_told_from_a_usual_challenge() {
    let asked = || Built::new().invite(0).came(20, "407 Proxy Authentication Required").invite(0);
    let trace = asked().came(40, "407 Proxy Authentication Required");
    is(trace.ends(60, "authentication-failed"), "account-refused", "(407, 2 times)");
    let trace = asked().came(40, "404 Not Found").ends(60, "not-found");
    is(trace, "refused", "404 Not Found: it knows no such number");
}

#[test]
fn codecs_that_do_not_meet_are_named() {
    let trace = Built::new().invite(0).came(30, "488 Not Acceptable Here");
    is(trace.ends(31, "no-common-codec"), "no-common-codec", "PCMA/8000 PCMU/8000");
    let refused = What::DescriptionRefused { why: "no audio".into() };
    let trace = Built::new().invite(0).came(30, "200 OK").what(31, refused);
    is(trace.ends(32, "no-common-codec"), "no-common-codec", "is of no use: no audio");
}

#[test]
fn a_call_that_may_not_go_in_the_clear_is_told_from_one_without_a_codec() {
    let trace = Built::new().invite(0).came(30, "488 Not Acceptable Here");
    is(trace.ends(31, "not-encrypted"), "not-encrypted", "the account requires (488)");
    let why = "the peer does not encrypt, which this account requires".to_owned();
    let trace = Built::new().invite(0).what(31, What::DescriptionRefused { why });
    is(trace.ends(32, "not-encrypted"), "not-encrypted", "does not encrypt sound");
}

#[test]
fn a_visitors_media_that_never_came_says_how_far_it_got() {
    let lost = |why: &str| What::MediaLost { why: why.into() };
    let ringing = || Built::new().invite(0).came(9, "180 Ringing").state(9, "ringing", 180);
    let trace = ringing().what(30_000, lost("no-check")).ends(30_000, "no-media");
    is(trace, "ice-failed", "never reached this machine's media port");
    let trace = ringing().what(30_000, lost("no-handshake")).ends(30_000, "no-media");
    is(trace, "dtls-failed", "DTLS never came to an end");
    is(ringing().ends(300, "no-microphone"), "no-microphone", "gave no microphone");
}

#[test]
fn early_sound_that_was_promised_and_never_came_is_the_verdict() {
    let early = || Built::new().invite(0).came(90, "183 Session Progress").state(90, "early", 183);
    let trace = early().seconds(9, nothing(), nothing()).ends(10_090, "cancelled");
    is(trace, "early-audio-missing", "the provider sent no audio after 183");
    // It came, and the visitor gave up all the same.
    let trace = early().seconds(9, good(), good()).ends(10_090, "cancelled");
    is(trace, "given-up", "after 10 s of ringing");
    let text = format!("SIP/2.0 200 OK\nCSeq: 1 INVITE{OFFER}");
    let trace = early()
        .seconds(8, good(), nothing())
        .sip(9_000, Way::Came, &text, 0)
        .state(9_000, "active", 200)
        .seconds(20, good(), good());
    is(trace.ends(29_000, "shop-hung-up"), "fine", "no audio after 183 until the answer");
}

#[test]
fn calls_that_nobody_took_say_for_how_long_they_rang() {
    let ringing = || Built::new().invite(0).came(500, "180 Ringing").state(500, "ringing", 180);
    let trace = ringing().came(45_500, "408 Request Timeout").ends(45_500, "no-answer");
    is(trace, "nobody-answered", "it rang for 45 s");
    let cancel = "CANCEL sip:a@b SIP/2.0\nCSeq: 1 CANCEL\n";
    let trace = ringing().sip(12_500, Way::Went, cancel, 0).came(12_600, "487 Terminated");
    is(trace.ends(12_500, "cancelled"), "given-up", "the visitor gave up before anybody answered");
    let trace = ringing().ends(9_500, "visitor-lost");
    is(trace, "given-up", "page went away");
}

#[test]
fn a_refusal_says_what_its_status_means() {
    for (line, words) in [
        ("486 Busy Here", "486 Busy Here: the phone is busy"),
        ("480 Temporarily Unavailable", "switched off or not registered"),
        ("403 Forbidden", "does not let this account call there"),
        ("503 Service Unavailable", "failed, or has no free line"),
        ("603 Decline", "somebody declined it"),
        ("302 Moved", "call somewhere else"),
        ("699 Whatever", "see its words"),
    ] {
        is(Built::new().invite(0).came(30, line).ends(31, "declined"), "refused", words);
    }
}

#[test]
fn sound_from_another_address_is_told_from_sound_that_never_came() {
    let foreign = Flow { refused: 50, ..nothing() };
    let trace = Built::answered().seconds(20, good(), foreign).ends(21_000, "visitor-hung-up");
    is(trace, "audio-from-elsewhere", "1000 packets came from another address");
    let trace = Built::answered().seconds(20, good(), nothing()).ends(21_000, "visitor-hung-up");
    is(
        trace,
        "provider-audio-missing",
        "no audio after the answer, for 20 s (its SDP says 192.0.2.1:7000)",
    );
    let trace = Built::answered().seconds(20, nothing(), nothing()).ends(21_000, "shop-hung-up");
    is(trace, "both-silent", "no sound at all");
    let trace = Built::answered().seconds(5, good(), good()).seconds(60, nothing(), nothing());
    is(trace.ends(66_000, "silence"), "both-silent", "for a minute");
}

#[test]
fn a_visitor_who_is_not_heard_is_told_from_one_who_is_silent() {
    let trace = || Built::answered().seconds(20, nothing(), good());
    is(trace().ends(21_000, "shop-hung-up"), "visitor-audio-missing", "microphone is blocked");
    let mut flash = trace().ends(21_000, "shop-hung-up");
    flash.visitor = VisitorKind::Flash;
    is(flash, "visitor-audio-missing", "Flash Player sent no sound");
    let quiet = Flow { level: Some(-91), ..good() };
    let trace = Built::answered().seconds(20, quiet, good()).ends(21_000, "shop-hung-up");
    is(trace, "visitor-microphone-silent", "gave silence all the while");
    let trace = Built::answered().seconds(20, good(), quiet).ends(21_000, "shop-hung-up");
    is(trace, "phone-silent", "the phone sent silence");
    let loud = Flow { level: Some(-20), ..good() };
    let trace = Built::answered().seconds(20, quiet, good()).seconds(1, loud, good());
    is(trace.ends(22_000, "shop-hung-up"), "fine", "nothing wrong");
}

#[test]
fn sound_that_stops_and_visitors_who_vanish_have_their_time() {
    let trace = Built::answered().seconds(79, good(), good()).seconds(30, good(), nothing());
    is(trace.ends(110_000, "visitor-hung-up"), "provider-audio-stopped", "stopped at 1:20");
    let trace = Built::answered().seconds(79, good(), good()).seconds(30, nothing(), good());
    is(trace.ends(110_000, "shop-hung-up"), "visitor-audio-stopped", "stopped at 1:20");
    let trace = Built::answered().seconds(191, good(), good()).seconds(25, nothing(), good());
    is(trace.ends(217_000, "visitor-lost"), "visitor-vanished", "vanished at 3:12");
    let held = Built::answered().seconds(5, good(), good()).state(6_000, "held", 0);
    let trace = held.seconds(60, good(), nothing()).ends(66_000, "visitor-hung-up");
    is(trace, "fine", "nothing wrong");
}

#[test]
fn sound_that_goes_without_us_is_not_judged() {
    let direct =
        Built::answered().seconds(2, good(), good()).what(3_000, What::Direct { on: true });
    let direct = direct.seconds(90, nothing(), nothing());
    is(direct.ends(93_000, "visitor-hung-up"), "direct", "1:32 talked; from 0:03 on");
}

#[test]
fn losses_say_whose_network_how_much_and_from_when() {
    let bad = Flow { received: 44, lost: 6, ..good() };
    let trace = Built::answered().seconds(40, good(), good()).seconds(60, bad, good());
    is(
        trace.ends(101_000, "visitor-hung-up"),
        "loss",
        "the visitor's network lost 12 % of what the visitor said, from 0:41",
    );
    // Reports of the far end come every few seconds, with all that was missed meanwhile.
    let report = Flow { missed: Some(50), ..good() };
    let mut trace = Built::answered();
    for _ in 0..6 {
        trace = trace.seconds(4, good(), good()).seconds(1, report, good());
    }
    let sentence = "lost 20 % of what was sent to the visitor, from 0:01";
    is(trace.ends(31_000, "shop-hung-up"), "loss", sentence);
    // What is relayed has the holes that it came with, and the phone reports them too.
    let holes = Flow { missed: Some(7), ..good() };
    let trace = Built::answered().seconds(30, bad, holes).ends(31_000, "shop-hung-up");
    is(trace, "loss", "the visitor's network lost 12 % of what the visitor said");
    let trace = Built::answered().seconds(10, good(), bad).seconds(40, good(), good());
    let sentence = "the provider's network lost 12 % of what the phone said, from 0:01 to 0:11";
    is(trace.ends(51_000, "shop-hung-up"), "loss", sentence);
}

#[test]
fn uneven_and_late_sound_is_found_behind_losses() {
    let uneven = Flow { jitter_ms: 140, ..good() };
    let trace = Built::answered().seconds(11, good(), good()).seconds(20, uneven, good());
    let sentence = "the visitor's packets came unevenly, up to 140 ms, from 0:12";
    is(trace.ends(32_000, "shop-hung-up"), "jitter", sentence);
    let far = Flow { round_trip_ms: Some(900), ..good() };
    let trace = Built::answered().seconds(30, far, good()).ends(31_000, "shop-hung-up");
    is(trace, "delay", "900 ms to the visitor and back");
}

#[test]
fn a_provider_that_lets_one_wait_is_named() {
    let text = format!("SIP/2.0 200 OK\nCSeq: 1 INVITE{OFFER}");
    let trace = Built::new().invite(2).sip(3_502, Way::Came, &text, 0).state(3_502, "active", 200);
    let trace = trace.connected(3_600).seconds(5, good(), good()).seconds(20, good(), good());
    is(trace.ends(26_000, "shop-hung-up"), "provider-slow", "took 4 s (3 INVITEs)");
}

#[test]
fn every_rule_has_a_name_of_its_own_and_one_always_holds() {
    let mut names: Vec<_> = RULES.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), RULES.len());
    assert!(!verdict(&Trace::default()).sentence.is_empty());
    let trace = Built::new().invite(0).came(20, "100 Trying").ends(500, "stopped");
    is(trace, "too-short", "before an answer (stopped)");
}

#[test]
fn a_call_whose_hold_is_refused_was_not_refused_itself() {
    let trace = Built::answered().invite(0).came(5_000, "488 Not Acceptable Here");
    is(trace.seconds(20, good(), good()).ends(21_000, "shop-hung-up"), "fine", "");
}
