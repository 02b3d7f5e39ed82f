//! What an attempt means, in words: pure, from numbers to findings.

use super::attempt::{Refusal, Registered};
use super::finding::{Finding, Level, Step};
use super::heard::Heard;
use super::talk::{Called, KEYS, KEYS_BACK};
use crate::config::{Account, RtpRange};
use sip::{Cause, CauseKind, Originator};
use std::time::Duration;

/// A tenth of a second of tone is no chance.
const TONE: u32 = 100;
/// With more loss than this nobody is understood.
const LOSS_THAT_FAILS: f64 = 0.2;
/// More loss than this is heard.
const LOSS_THAT_IS_HEARD: f64 = 0.02;
/// Callers interrupt each other from this delay on (ITU-T G.114).
const LONG: Duration = Duration::from_millis(400);
/// A machine that is later with sound makes gaps by itself.
const BUSY: Duration = Duration::from_millis(150);
/// Jitter in milliseconds from which sound arrives noticeably later.
const JITTER: f32 = 60.0;

/// Registration in one finding.
pub fn registration(registered: &Registered, account: &Account) -> Finding {
    let step = Step::Registration;
    match registered {
        Registered::Unwanted => {
            Finding::ok(step, "this account does not register (register = false)")
        }
        Registered::Yes { took, seen } => {
            let words =
                format!("registered in {} ms; the provider sees us at {seen}", took.as_millis());
            Finding::ok(step, words)
        }
        Registered::No(refusal) => {
            let (words, todo) = refused_registration(refusal, account);
            Finding::fail(step, words).todo(todo)
        }
    }
}

fn refused_registration(refusal: &Refusal, account: &Account) -> (String, String) {
    let said = answered(refusal);
    let registrar = &account.registrar;
    match (refusal.kind, refusal.status) {
        (CauseKind::AuthenticationFailed, _) => (
            format!("{registrar} does not take the password ({said})"),
            "look at username and password; some providers give SIP a password of its own, and \
             another auth_username"
                .into(),
        ),
        (CauseKind::Forbidden, _) => (
            format!("{registrar} refuses this account ({said})"),
            "ask the provider whether the account is active and may register from this address"
                .into(),
        ),
        (CauseKind::NotFound, _) => (
            format!("{registrar} does not know this user ({said})"),
            "look at username; if the address behind the @ is another than the registrar, write it \
             as domain"
                .into(),
        ),
        (CauseKind::Timeout, 0) => (
            format!("{registrar} does not answer"),
            "look at registrar's name and port; let UDP through the firewall both ways, or try \
             transport = \"tcp\""
                .into(),
        ),
        (_, 0) => (
            format!("{registrar} is not reached: {}", none_said(&refusal.words)),
            "look at registrar's name, port and transport".into(),
        ),
        (_, _) => (
            format!("{registrar} refuses to register the account ({said})"),
            "ask the provider what that answer means".into(),
        ),
    }
}

fn none_said(words: &str) -> &str {
    if words.is_empty() { "nobody listens there" } else { words }
}

/// What was answered, for parentheses.
pub fn answered(refusal: &Refusal) -> String {
    let unsupported = refusal.unsupported.as_ref().map(|what| format!(", unsupported: {what}"));
    match refusal.status {
        0 => none_said(&refusal.words).to_owned(),
        status => format!("{status} {}{}", refusal.words, unsupported.unwrap_or_default()),
    }
}

/// A call in findings. `rtp`: the ports that sound comes to. `to`: the number called; none: itself.
pub fn call(
    called: &Called,
    refusal: Option<&Refusal>,
    rtp: RtpRange,
    to: Option<&str>,
) -> Vec<Finding> {
    let Some(answered_after) = called.answered_after else {
        return vec![unanswered(called, refusal, to)];
    };
    let milliseconds = |after: Duration| format!("{} ms", after.as_millis());
    let rang = called.rang_after.map(|after| format!("rang after {}, ", milliseconds(after)));
    let codec = called.codec.map_or("no codec", |codec| codec.key());
    let secure = if called.encrypted { ", encrypted" } else { "" };
    let words = format!(
        "{}answered after {}; {codec}{secure}",
        rang.unwrap_or_default(),
        milliseconds(answered_after)
    );
    let mut findings = vec![Finding::ok(Step::Call, words), browser(called)];
    if let Some(error) = &called.useless {
        let words = format!("what the other end says of its sound cannot be used: {error}");
        let todo = "look at codecs and srtp of the account";
        findings.push(Finding::fail(Step::Call, words).todo(todo));
        return findings;
    }
    if let Some(cause) = &called.failed {
        let words = format!("the other end hung up before its time ({})", cause_words(cause));
        findings
            .push(Finding::warn(Step::Call, words).todo("call a number that stays on the line"));
    }
    if called.late > BUSY {
        let words = format!(
            "this machine was {} ms late with sound: what was measured may be its own doing",
            called.late.as_millis()
        );
        let todo = "look at what else runs here; calls need little time, but in time";
        findings.push(Finding::warn(Step::Sound, words).todo(todo));
    }
    match &called.far {
        Some(far) => {
            for (heard, where_to) in [(&called.near, "to us"), (far, "to the other end")] {
                findings.push(match called.straight && heard.packets == 0 {
                    true => straight(where_to),
                    false => way(heard, where_to, rtp),
                });
            }
            findings.push(keys(&far.digits, KEYS, "keys of the visitor", called.events));
            findings.push(keys(&called.near.digits, KEYS_BACK, "keys of the phone", called.events));
            if !called.hung_up {
                let words = "the other end did not hear that the call was over";
                let todo = "ask the provider where its BYE went: calls may be billed for too long";
                findings.push(Finding::warn(Step::Call, words).todo(todo));
            }
        }
        None if to.is_none() => {
            // Something else took the call: a voice mailbox, another phone of the account.
            let words =
                "the call was taken by another phone of this account and did not come back here";
            let todo = "name a number that answers: --to NUMBER";
            findings.push(Finding::warn(Step::Call, words).todo(todo));
            findings.extend(of_others(&called.near, rtp));
        }
        None => findings.extend(of_others(&called.near, rtp)),
    }
    findings
}

/// The side of the visitor's browser.
fn browser(called: &Called) -> Finding {
    match called.browser_after {
        Some(after) => {
            let words = format!("the browser's side was up after {} ms", after.as_millis());
            Finding::ok(Step::Call, words)
        }
        None => {
            let words = "the browser's side of the call did not come up on this machine";
            let todo =
                "look at webrtc in [listen], and whether a firewall stops this machine's own UDP";
            Finding::fail(Step::Call, words).todo(todo)
        }
    }
}

fn unanswered(called: &Called, refusal: Option<&Refusal>, to: Option<&str>) -> Finding {
    let fail = |words: String, todo: &str| Finding::fail(Step::Call, words).todo(todo);
    let whom = to.map_or_else(|| "the account itself".to_owned(), |to| format!("\"{to}\""));
    let elsewhere =
        "some providers let no account call itself: name a number that answers, --to NUMBER";
    let Some(refusal) = refusal else {
        if called.stranger && to.is_none() {
            let words =
                "the call came back under another caller's number, and was not taken".into();
            return fail(words, elsewhere);
        }
        return match (called.rang_after, to) {
            (_, None) if called.came_in => {
                fail(format!("{whom} rang and could not be answered"), "look at codecs and srtp")
            }
            (Some(_), None) => {
                fail(format!("calling {whom}, something rings and is not this program"), elsewhere)
            }
            (Some(_), Some(_)) => {
                fail(format!("{whom} rang and nobody took the call"), "call a number that answers")
            }
            (None, _) => fail(
                format!("calling {whom}, nothing ever rings"),
                "ask the provider; try another number",
            ),
        };
    };
    let said = answered(refusal);
    let (words, todo) = match (refusal.kind, refusal.status) {
        (_, 0) => ("the provider does not answer", "look at firewall and transport"),
        (CauseKind::AuthenticationFailed, _) => (
            "the provider does not take the password for calls",
            "look at auth_username and password",
        ),
        (CauseKind::Forbidden, _) => {
            ("the provider refuses the call", "ask the provider whether this account may call")
        }
        (CauseKind::NotAcceptable, _) => {
            ("the provider wants other sound", "look at codecs and srtp of the account")
        }
        (CauseKind::Busy, _) => ("busy", "call a number that is free"),
        (CauseKind::Declined, _) => ("the call is declined", "call a number that answers"),
        (CauseKind::NotFound, _) => ("there is no such number", "call a number that exists"),
        (CauseKind::Unavailable, _) => {
            ("nobody can be reached there", "call a number that answers")
        }
        _ => ("the call is refused", "ask the provider what that answer means"),
    };
    let todo = if to.is_none() { format!("{todo}; {elsewhere}") } else { todo.to_owned() };
    fail(format!("calling {whom}: {words} ({said})"), &todo)
}

fn cause_words(cause: &Cause) -> String {
    match (&cause.reason, cause.status) {
        (Some(reason), _) => reason.clone(),
        (None, Some(status)) => status.to_string(),
        (None, None) if cause.originator == Originator::Remote => "BYE".to_owned(),
        (None, None) => format!("{:?}", cause.kind),
    }
}

/// Sound one way, between two ends that are both ours.
fn way(heard: &Heard, where_to: &str, rtp: RtpRange) -> Finding {
    if heard.packets == 0 {
        return nothing(where_to, rtp);
    }
    if heard.tone < TONE {
        let words = format!(
            "{} packets of sound come {where_to}, and the tone is not in them",
            heard.packets
        );
        let todo =
            "ask the provider whether it changes the sound; try codecs = [\"pcma\", \"pcmu\"]";
        return Finding::fail(Step::Sound, words).todo(todo);
    }
    let after = heard.tone_after.map_or(0, |after| after.as_millis());
    let delay = heard.delay.map(|delay| format!(", {} ms on the way", delay.as_millis()));
    let share = heard.share().unwrap_or(1.0);
    let missing = match share {
        0.8.. => String::new(),
        share => format!(", {:.0} % of the tone missing", (1.0 - share) * 100.0),
    };
    let words = format!(
        "the tone comes {where_to}: after {after} ms{}, {:.1} % lost, jitter {:.0} ms{missing}",
        delay.unwrap_or_default(),
        heard.loss() * 100.0,
        heard.jitter,
    );
    let loss = heard.loss().max(if share < 0.8 { 1.0 - share } else { 0.0 });
    quality(loss, heard.delay, heard.jitter, words)
}

fn quality(loss: f64, delay: Option<Duration>, jitter: f32, words: String) -> Finding {
    let network = "look at this machine's network first: what else uses it, and Wi-Fi";
    if loss > LOSS_THAT_FAILS {
        return Finding::fail(Step::Sound, words).todo(network);
    }
    let slow = delay.is_some_and(|delay| delay > LONG);
    match loss > LOSS_THAT_IS_HEARD || slow || jitter > JITTER {
        true => Finding::warn(Step::Sound, words).todo(network),
        false => Finding::ok(Step::Sound, words),
    }
}

fn nothing(where_to: &str, rtp: RtpRange) -> Finding {
    let words = format!("the call is up, and no sound comes {where_to}: not one packet");
    let todo = format!(
        "let UDP ports {}-{} in through the firewall; behind a NAT that changes addresses set \
         public_ip in [listen]",
        rtp.first, rtp.last
    );
    Finding::fail(Step::Sound, words).todo(todo)
}

/// No sound between two ends that are told of each other by a provider which carries none itself:
/// behind a NAT the one machine cannot reach itself by its outer address.
fn straight(where_to: &str) -> Finding {
    let words = format!(
        "no sound comes {where_to}; the provider has both ends send straight to each other"
    );
    let todo =
        "both ends are this machine, and a NAT may be in between: name a number, --to NUMBER";
    Finding::fail(Step::Sound, words).todo(todo)
}

/// Sound of a call to somebody else's number: an echo, a person, a machine.
fn of_others(heard: &Heard, rtp: RtpRange) -> Vec<Finding> {
    if heard.packets == 0 {
        return vec![nothing("to us", rtp)];
    }
    let mut findings = Vec::new();
    let missed = f64::from(heard.missed);
    // An echo lacks what was lost on the way there as well.
    let loss = match heard.round_trip {
        Some(_) if missed < 1.0 => (1.0 - (1.0 - heard.loss()) / (1.0 - missed)).max(0.0),
        _ => heard.loss(),
    };
    let figures = format!("{:.1} % lost, jitter {:.0} ms", loss * 100.0, heard.jitter);
    findings.push(match heard.loud {
        0 => Finding::warn(Step::Sound, format!("only silence comes to us: {figures}"))
            .todo("call a number where somebody speaks, or an echo"),
        _ => quality(loss, None, heard.jitter, format!("sound comes to us: {figures}")),
    });
    let lost = match heard.reports {
        0 => String::new(),
        _ => format!(", {:.1} % of our sound lost", missed * 100.0),
    };
    findings.push(match (heard.round_trip, heard.reports) {
        (Some(trip), _) => {
            let words = format!("our tone comes back after {} ms{lost}", trip.as_millis());
            quality(missed, Some(trip / 2), 0.0, words)
        }
        (None, 1..) => {
            let words = format!("the other end reports that it receives our sound{lost}");
            quality(missed, None, 0.0, words)
        }
        (None, 0) => {
            let words = "nothing proves that the other end hears us";
            let todo =
                "ask whoever took the call whether there was a tone, or call a number that echoes";
            Finding::warn(Step::Sound, words).todo(todo)
        }
    });
    if !heard.digits.is_empty() {
        let words = format!("{} keys came back", heard.digits.len());
        findings.push(Finding::ok(Step::Keys, words));
    }
    findings
}

fn keys(heard: &str, pressed: &str, whose: &str, events: bool) -> Finding {
    let how = if events { "" } else { " by INFO, since telephone events were not agreed on" };
    if heard == pressed {
        return Finding::ok(Step::Keys, format!("{whose} arrive{how}"));
    }
    let words =
        format!("of {} {whose} {} arrive as pressed{how}", pressed.len(), common(heard, pressed));
    let todo = "menus by keys will not work; ask the provider about DTMF by RFC 4733";
    Finding::warn(Step::Keys, words).todo(todo)
}

/// How many keys arrived in their order.
fn common(heard: &str, pressed: &str) -> usize {
    let mut rest = pressed.chars();
    heard.chars().filter(|digit| rest.any(|next| next == *digit)).count()
}

/// Whether a call shows that calls work: it was answered, and sound went both ways.
pub fn shows_that_calls_work(findings: &[Finding], called: &Called) -> bool {
    let both_ways = match &called.far {
        Some(far) => called.near.tone >= TONE && far.tone >= TONE,
        None => {
            let near = &called.near;
            near.loud > 0 && (near.round_trip.is_some() || near.reports > 0)
        }
    };
    both_ways && called.answered_after.is_some() && findings.iter().all(|f| f.level != Level::Fail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTP: RtpRange = RtpRange {
        address: std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        first: 20_000,
        last: 20_999,
    };

    fn good() -> Heard {
        Heard {
            packets: 300,
            tone: 4800,
            sound: 6000,
            loud: 4800,
            said: Some(4800),
            delay: Some(Duration::from_millis(40)),
            ..Heard::default()
        }
    }

    fn up(near: Heard, far: Option<Heard>) -> Called {
        Called {
            answered_after: Some(Duration::from_millis(700)),
            browser_after: Some(Duration::from_millis(50)),
            hung_up: true,
            near,
            far,
            ..Called::default()
        }
    }

    fn judged(called: &Called, to: Option<&str>) -> (Level, bool) {
        let findings = call(called, None, RTP, to);
        let worst = |one: Level, other: &Finding| match (one, other.level) {
            (Level::Fail, _) | (_, Level::Fail) => Level::Fail,
            (Level::Warn, _) | (_, Level::Warn) => Level::Warn,
            _ => Level::Ok,
        };
        let works = shows_that_calls_work(&findings, called);
        (findings.iter().fold(Level::Ok, worst), works)
    }

    #[test]
    fn a_call_with_both_tones_and_all_keys_is_fine() {
        let near = Heard { digits: KEYS_BACK.into(), ..good() };
        let far = Heard { digits: KEYS.into(), ..good() };
        assert_eq!(judged(&up(near, Some(far)), None), (Level::Ok, true));
    }

    #[test]
    fn one_way_sound_fails_whichever_way_is_missing() {
        assert_eq!(judged(&up(Heard::default(), Some(good())), None), (Level::Fail, false));
        assert_eq!(judged(&up(good(), Some(Heard::default())), None), (Level::Fail, false));
        let other = Heard { tone: 0, ..good() };
        assert_eq!(judged(&up(other, Some(good())), None), (Level::Fail, false));
        assert_eq!(judged(&up(Heard::default(), None), Some("1")), (Level::Fail, false));
        let straight = Called { straight: true, ..up(Heard::default(), Some(good())) };
        let findings = call(&straight, None, RTP, None);
        assert!(
            findings.iter().any(|finding| finding.todo.contains("--to NUMBER")),
            "{findings:?}"
        );
    }

    #[test]
    fn loss_is_told_and_much_of_it_fails() {
        let lossy = |lost| Heard { lost, digits: KEYS.into(), ..good() };
        let near = || Heard { digits: KEYS_BACK.into(), ..good() };
        assert_eq!(judged(&up(near(), Some(lossy(10))), None), (Level::Warn, true));
        assert_eq!(judged(&up(near(), Some(lossy(100))), None), (Level::Fail, false));
        let gaps = Heard { tone: 3000, digits: KEYS.into(), ..good() };
        assert_eq!(judged(&up(near(), Some(gaps)), None), (Level::Fail, false));
    }

    #[test]
    fn keys_that_do_not_arrive_are_a_warning() {
        let near = Heard { digits: "26".into(), ..good() };
        let far = Heard { digits: KEYS.into(), ..good() };
        assert_eq!(judged(&up(near, Some(far)), None), (Level::Warn, true));
        assert_eq!(common("20", KEYS_BACK), 2);
        assert_eq!(common("", KEYS_BACK), 0);
    }

    #[test]
    fn a_number_of_somebody_else_shows_that_it_hears_us_by_echo_or_by_report() {
        let person = Heard { tone: 0, said: None, delay: None, ..good() };
        assert_eq!(judged(&up(person.clone(), None), Some("1")), (Level::Warn, false));
        let echo = Heard { round_trip: Some(Duration::from_millis(90)), ..person.clone() };
        assert_eq!(judged(&up(echo, None), Some("1")), (Level::Ok, true));
        let reports = Heard { reports: 2, ..person };
        assert_eq!(judged(&up(reports.clone(), None), Some("1")), (Level::Ok, true));
        let missed = Heard { missed: 0.3, ..reports };
        assert_eq!(judged(&up(missed.clone(), None), Some("1")), (Level::Fail, false));
        let echo = Heard { round_trip: Some(Duration::from_millis(90)), ..missed };
        assert_eq!(judged(&up(echo, None), Some("1")), (Level::Fail, false));
    }

    #[test]
    fn a_wrong_password_is_told_as_such() {
        let account =
            crate::config::demo().accounts.remove("demo").unwrap_or_else(|| unreachable!());
        let refusal = Refusal {
            status: 401,
            words: "Unauthorized".into(),
            unsupported: None,
            kind: CauseKind::AuthenticationFailed,
        };
        let finding = registration(&Registered::No(refusal), &account);
        assert_eq!(finding.level, Level::Fail);
        assert!(finding.words.contains("password") && finding.words.contains("401"));
    }
}
