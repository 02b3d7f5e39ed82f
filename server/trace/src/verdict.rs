//! What was wrong, in one sentence: the first rule of a table that holds.
//!
//! The order is that of causes: a call that never began is not judged by its sound, sound that
//! never came not by its losses. Each rule reads [`Facts`] alone, so each can be tested by a trace
//! that was built for it.

use crate::facts::Facts;
use crate::losses::{PATHS, Path, STRETCH_MS, losses, span, sums};
use crate::model::{Trace, VisitorKind};
use crate::print::clock;
use crate::seconds::{Flow, Second};

/// Sound that never came is a finding from so long on.
const SILENT_FROM_MS: u32 = 3_000;
/// Sound that stopped is a finding from so long on: phones that leave out silence make pauses.
const STOPPED_FROM_MS: u32 = 15_000;
/// Jitter that a usual buffer does not even out, in ms.
const JITTER_MS: u16 = 80;
/// A round trip at which people talk at the same time, in ms.
const DELAY_MS: u16 = 600;
/// Sound below is silence, in dBFS.
const SILENCE: i8 = -60;
/// A provider that takes longer to answer the first INVITE is slow.
const SLOW_MS: u32 = 1_500;

/// What was wrong with a call, or that nothing was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The rule's name.
    pub rule: &'static str,
    /// One sentence, without a full stop.
    pub sentence: String,
}

/// One leg of a row.
type FlowOf = fn(&Second) -> &Flow;
type Rule = (&'static str, fn(&Facts<'_>) -> Option<String>);

/// The rules, in their order. The last always holds.
const RULES: &[Rule] = &[
    ("own-fault", own_fault),
    ("nobody-listens", nobody_listens),
    ("provider-silent", provider_silent),
    ("account-refused", account_refused),
    ("not-encrypted", not_encrypted),
    ("no-common-codec", no_common_codec),
    ("no-microphone", no_microphone),
    ("ice-failed", ice_failed),
    ("dtls-failed", dtls_failed),
    ("early-audio-missing", early_audio_missing),
    ("nobody-answered", nobody_answered),
    ("given-up", given_up),
    ("refused", refused),
    ("direct", direct),
    ("audio-from-elsewhere", audio_from_elsewhere),
    ("both-silent", both_silent),
    ("provider-audio-missing", provider_audio_missing),
    ("visitor-audio-missing", visitor_audio_missing),
    ("visitor-vanished", visitor_vanished),
    ("provider-audio-stopped", provider_audio_stopped),
    ("visitor-audio-stopped", visitor_audio_stopped),
    ("visitor-microphone-silent", visitor_microphone_silent),
    ("phone-silent", phone_silent),
    ("loss", loss),
    ("jitter", jitter),
    ("delay", delay),
    ("provider-slow", provider_slow),
    ("too-short", too_short),
    ("fine", fine),
];

/// Judges a call that is over.
pub fn verdict(trace: &Trace) -> Verdict {
    let facts = Facts::of(trace);
    let held = RULES.iter().find_map(|(rule, holds)| {
        holds(&facts).map(|sentence| Verdict { rule, sentence: crate::clean::visible(&sentence) })
    });
    held.unwrap_or(Verdict { rule: "fine", sentence: "nothing wrong".into() })
}

/// `12 s`, `3:12`.
fn length(ms: u32) -> String {
    if ms < 60_000 { format!("{} s", (ms + 500) / 1000) } else { clock(ms) }
}

fn own_fault(facts: &Facts<'_>) -> Option<String> {
    let began = !facts.goes_out() || facts.invites > 0;
    if facts.caused("internal") {
        Some("click2call itself failed: its log says more at this time".into())
    } else if !began && facts.answered_at.is_none() {
        Some(format!("no INVITE left: the call ended before ({})", facts.trace.cause))
    } else {
        None
    }
}

fn nobody_listens(facts: &Facts<'_>) -> Option<String> {
    let peer = facts.unreachable.filter(|_| facts.heard_at.is_none())?;
    Some(format!(
        "nobody listens at the provider's address {peer}: the network says so (ICMP); the provider \
         is down, or registrar or destination name another address or port"
    ))
}

fn provider_silent(facts: &Facts<'_>) -> Option<String> {
    let silent = facts.goes_out() && facts.heard_at.is_none() && facts.answered_at.is_none();
    let waited = facts.ended_at.saturating_sub(facts.invited_at);
    (silent && (facts.caused("provider-silent") || waited >= SILENT_FROM_MS)).then(|| {
        let times = if facts.invites == 1 { "once" } else { "again and again" };
        format!(
            "the provider never answered: INVITE went {times} ({} in {}) to {} and nothing came \
             back; a firewall, or a wrong address",
            facts.invites,
            length(waited),
            facts.peer
        )
    })
}

fn account_refused(facts: &Facts<'_>) -> Option<String> {
    let (status, _) = facts.refusal.filter(|(status, _)| matches!(status, 401 | 407))?;
    // The first challenge is usual; that the call ended by it is not.
    (facts.answered_at.is_none() && !facts.cancelled).then(|| {
        format!(
            "the provider did not accept the account's name or password ({status}, {} times)",
            facts.challenges
        )
    })
}

/// A refusal with 488 says no more than that the description is not taken: what it lacked is known
/// by the cause, since the account left nothing else to take.
fn not_encrypted(facts: &Facts<'_>) -> Option<String> {
    facts.caused("not-encrypted").then(|| {
        let refused = facts.refusal.map_or(String::new(), |(status, _)| format!(" ({status})"));
        format!(
            "the phone or its provider does not encrypt sound, which the account requires{refused}"
        )
    })
}

fn no_common_codec(facts: &Facts<'_>) -> Option<String> {
    if let Some(why) = facts.description_refused {
        return Some(format!("the phone's description of its sound is of no use: {why}"));
    }
    let status = facts.refusal.map(|(status, _)| status).filter(|s| matches!(s, 488 | 606 | 415));
    if status.is_none() && !facts.caused("no-common-codec") {
        return None;
    }
    let status = status.map_or(String::new(), |status| format!(" ({status})"));
    let offered = facts.offered.split_once(' ').map_or("", |(_, rest)| rest);
    Some(format!("the provider takes none of the codecs that were offered{status}: {offered}"))
}

fn no_microphone(facts: &Facts<'_>) -> Option<String> {
    let words = "the visitor's browser gave no microphone: none there, in use, or not allowed";
    facts.caused("no-microphone").then(|| words.into())
}

fn ice_failed(facts: &Facts<'_>) -> Option<String> {
    let failed = facts.media_lost == Some("no-check")
        || (facts.caused("no-media") && facts.connected_at.is_none());
    (failed && facts.media_lost != Some("no-handshake")).then(|| {
        "the visitor's browser never reached this machine's media port, by UDP or by TCP: the \
         visitor's network or a firewall here blocks it, or [listen] public_ip is wrong"
            .into()
    })
}

fn dtls_failed(facts: &Facts<'_>) -> Option<String> {
    (facts.media_lost == Some("no-handshake")).then(|| {
        "the visitor's browser reached this machine, but DTLS never came to an end: packets that \
         are large get lost, or something between answers for the browser"
            .into()
    })
}

/// Sound was promised by a provisional answer, and never came; the call was not answered either,
/// or else the rules of the talk look first.
fn early_audio_missing(facts: &Facts<'_>) -> Option<String> {
    let (at, code) = facts.early?;
    let until = facts.answered_at.unwrap_or(facts.ended_at);
    let came = facts.rows(at, until).any(|row| row.provider.received > 0);
    let waited = until.saturating_sub(at);
    let heard_later = facts.answered_at.is_some();
    (!heard_later && !came && waited >= SILENT_FROM_MS).then(|| {
        let from = facts.audio_address.as_deref().unwrap_or("its media port");
        format!(
            "the provider sent no audio after {code}: {} of promised early sound stayed silent \
             (its SDP says {from})",
            length(waited)
        )
    })
}

fn nobody_answered(facts: &Facts<'_>) -> Option<String> {
    let unanswered = facts.caused("no-answer");
    (unanswered && facts.answered_at.is_none()).then(|| {
        let rang = facts.ended_at.saturating_sub(facts.ringing_at.unwrap_or(facts.invited_at));
        format!("nobody took the call: it rang for {}", length(rang))
    })
}

fn given_up(facts: &Facts<'_>) -> Option<String> {
    if facts.answered_at.is_some() || !(facts.caused("cancelled") || facts.caused("visitor-lost")) {
        return None;
    }
    let who = if facts.caused("cancelled") {
        "the visitor gave up before anybody answered"
    } else {
        "the visitor's page went away before anybody answered"
    };
    let rang = match facts.ringing_at.or(facts.early.map(|(at, _)| at)) {
        Some(at) => format!("after {} of ringing", length(facts.ended_at.saturating_sub(at))),
        None => format!("after {}, before it rang", length(facts.ended_at)),
    };
    Some(format!("{who}, {rang}"))
}

fn refused(facts: &Facts<'_>) -> Option<String> {
    let (status, words) = facts.refusal.filter(|_| facts.answered_at.is_none())?;
    (!(facts.cancelled && status == 487)).then(|| {
        let words = if words.is_empty() { String::new() } else { format!(" {words}") };
        format!("the provider refused the call with {status}{words}: {}", meaning(status))
    })
}

/// What a status means for a shop (RFC 3261 section 21).
fn meaning(status: u16) -> &'static str {
    match status {
        300..=399 => "it says to call somewhere else",
        403 => "it does not let this account call there",
        404 | 604 => "it knows no such number",
        408 => "it could not find the phone in time",
        410 => "the number is not in use any more",
        480 => "the phone is switched off or not registered",
        484 => "the number is not complete",
        486 | 600 => "the phone is busy",
        487 => "the call was taken back",
        _ if (400..500).contains(&status) => "it does not take this call as it is",
        500..=599 => "it failed, or has no free line",
        603 | 607 => "somebody declined it",
        _ => "see its words",
    }
}

/// What does not pass through us cannot be judged.
fn direct(facts: &Facts<'_>) -> Option<String> {
    let (from, talked) = (clock(facts.direct_at?), clock(facts.talked_ms()?));
    let words = if facts.caused("visitor-lost") {
        "one of the two Flash clients vanished"
    } else {
        "nothing wrong that click2call could see"
    };
    Some(format!(
        "{words}: {talked} talked; from {from} on the two Flash clients heard each other directly"
    ))
}

fn audio_from_elsewhere(facts: &Facts<'_>) -> Option<String> {
    let refused: u64 = facts.talk().map(|row| u64::from(row.provider.refused)).sum();
    let (_, received) = facts.received();
    let long = facts.talked_ms()? >= SILENT_FROM_MS;
    (long && refused > 20 && received == 0).then(|| {
        let from = facts.audio_address.as_deref().unwrap_or("another");
        format!(
            "one-way: {refused} packets came from another address than the provider's SDP says \
             ({from}) and were not taken"
        )
    })
}

fn both_silent(facts: &Facts<'_>) -> Option<String> {
    let long = facts.talked_ms()? >= SILENT_FROM_MS;
    let nothing = facts.received() == (0, 0) && facts.talk().next().is_some();
    if facts.caused("silence") && !nothing {
        return Some("neither side sent any sound for a minute, so the call was ended".into());
    }
    (long && nothing && !facts.held).then(|| {
        let browser = if facts.connected_at.is_none() {
            "the visitor's media never connected"
        } else {
            "the visitor's browser sent none either"
        };
        format!("no sound at all: the provider sent none after the answer, and {browser}")
    })
}

fn provider_audio_missing(facts: &Facts<'_>) -> Option<String> {
    let talked = facts.talked_ms()?;
    let (visitor, provider) = facts.received();
    (talked >= SILENT_FROM_MS && provider == 0 && visitor > 0 && !facts.held).then(|| {
        let from = facts.audio_address.as_deref().unwrap_or("its media port");
        format!(
            "the provider sent no audio after the answer, for {} (its SDP says {from}): the \
             visitor heard nothing",
            length(talked)
        )
    })
}

fn visitor_audio_missing(facts: &Facts<'_>) -> Option<String> {
    let talked = facts.talked_ms()?;
    let (visitor, provider) = facts.received();
    (talked >= SILENT_FROM_MS && visitor == 0 && provider > 0 && !facts.held).then(|| {
        let (kind, why) = match facts.trace.visitor {
            VisitorKind::Browser if facts.connected_at.is_none() => {
                ("browser", "its media never connected")
            }
            VisitorKind::Browser => ("browser", "its microphone is blocked or was taken away"),
            VisitorKind::Flash => ("Flash Player", "its microphone is muted or not allowed"),
        };
        format!("the visitor's {kind} sent no sound, for {}: {why}", length(talked))
    })
}

fn visitor_vanished(facts: &Facts<'_>) -> Option<String> {
    let vanished = facts.caused("visitor-lost") && facts.answered_at.is_some();
    vanished.then(|| {
        let last = facts.talk().filter(|row| row.visitor.received > 0).last();
        let at = last.map_or(facts.ended_at, |row| row.at_ms);
        format!("the visitor vanished at {}: the page was closed or its network broke", clock(at))
    })
}

fn stopped(facts: &Facts<'_>, flow: FlowOf) -> Option<u32> {
    let last = facts.talk().filter(|row| flow(row).received > 0).last()?;
    let silent = facts.ended_at.saturating_sub(last.at_ms);
    (silent >= STOPPED_FROM_MS && !facts.held).then_some(last.at_ms)
}

fn provider_audio_stopped(facts: &Facts<'_>) -> Option<String> {
    let at = stopped(facts, |row| &row.provider)?;
    Some(format!("the provider's audio stopped at {} and did not come back", clock(at)))
}

fn visitor_audio_stopped(facts: &Facts<'_>) -> Option<String> {
    let at = stopped(facts, |row| &row.visitor)?;
    Some(format!("the visitor's sound stopped at {} and did not come back", clock(at)))
}

/// Whether sound came all the while, and was silence.
fn is_silence(facts: &Facts<'_>, flow: FlowOf) -> bool {
    let levels: Vec<i8> = facts.talk().filter_map(|row| flow(row).level).collect();
    levels.len() >= 5 && levels.iter().all(|level| *level <= SILENCE)
}

fn visitor_microphone_silent(facts: &Facts<'_>) -> Option<String> {
    is_silence(facts, |row| &row.visitor).then(|| {
        "the visitor's microphone gave silence all the while: it is muted, or the wrong one".into()
    })
}

fn phone_silent(facts: &Facts<'_>) -> Option<String> {
    is_silence(facts, |row| &row.provider)
        .then(|| "the phone sent silence all the while: its microphone is muted".into())
}

fn loss(facts: &Facts<'_>) -> Option<String> {
    let found = PATHS.iter().filter_map(|path| losses(facts, path).map(|loss| (path, loss)));
    let (Path { network, what, .. }, worst) = found.max_by_key(|(_, loss)| loss.lost)?;
    // A while before the end it was over: then it was not the end's reason.
    let until = if worst.to.saturating_add(STRETCH_MS) < facts.ended_at {
        format!(" to {}", clock(worst.to))
    } else {
        String::new()
    };
    let (percent, from) = (worst.percent, clock(worst.from));
    Some(format!("{network} lost {percent:.0} % of {what}, from {from}{until}"))
}

fn jitter(facts: &Facts<'_>) -> Option<String> {
    let sides: [(&str, FlowOf); 2] =
        [("the visitor's", |row| &row.visitor), ("the provider's", |row| &row.provider)];
    sides.into_iter().find_map(|(whose, flow)| {
        let bad: Vec<&Second> =
            facts.talk().filter(|row| flow(row).jitter_ms >= JITTER_MS).collect();
        let most = bad.iter().map(|row| flow(row).jitter_ms).max()?;
        let from = bad.first().map(|row| row.at_ms.saturating_sub(row.span_ms))?;
        (span(&bad) >= STRETCH_MS).then(|| {
            format!("{whose} packets came unevenly, up to {most} ms, from {}", clock(from))
        })
    })
}

fn delay(facts: &Facts<'_>) -> Option<String> {
    let sides: [(&str, FlowOf); 2] =
        [("the visitor", |row| &row.visitor), ("the phone", |row| &row.provider)];
    sides.into_iter().find_map(|(who, flow)| {
        let mut trips: Vec<u16> = facts.talk().filter_map(|row| flow(row).round_trip_ms).collect();
        trips.sort_unstable();
        let usual = *trips.get(trips.len() / 2)?;
        (usual >= DELAY_MS)
            .then(|| format!("sound takes {usual} ms to {who} and back: people talk at once"))
    })
}

fn provider_slow(facts: &Facts<'_>) -> Option<String> {
    let waited = facts.heard_at?.saturating_sub(facts.invited_at);
    (facts.goes_out() && waited >= SLOW_MS).then(|| {
        format!(
            "the provider's first answer took {} ({} INVITEs): packets get lost, or it is slow",
            length(waited),
            facts.invites
        )
    })
}

/// Ends that are no fault, of calls that nobody talked in.
fn too_short(facts: &Facts<'_>) -> Option<String> {
    let cause = &facts.trace.cause;
    facts.answered_at.is_none().then(|| format!("the call ended before an answer ({cause})"))
}

fn fine(facts: &Facts<'_>) -> Option<String> {
    let talked = facts.talked_ms()?;
    let sums = PATHS.iter().map(|path| sums(facts.talk(), path));
    let (lost, all) = sums.fold((0, 0), |(lost, all), (l, a)| (lost + l, all + a));
    let percent = if all == 0 { 0.0 } else { 100.0 * lost as f64 / all as f64 };
    let early = facts.early.filter(|(at, _)| {
        let until = facts.answered_at.unwrap_or(0);
        let came = facts.rows(*at, until).any(|row| row.provider.received > 0);
        !came && until.saturating_sub(*at) >= SILENT_FROM_MS
    });
    let ended = match facts.trace.cause.as_str() {
        "too-long" => "; max_duration ended it",
        "stopped" => "; it ended since the appliance stopped",
        "limit" => "; a limit of the shop ended it",
        _ => "",
    };
    let talked = clock(talked);
    Some(match early {
        Some((_, code)) => format!(
            "the provider sent no audio after {code} until the answer; then nothing wrong: \
             {talked} talked, {percent:.1} % lost{ended}"
        ),
        None => format!("nothing wrong: {talked} talked, {percent:.1} % lost{ended}"),
    })
}

#[cfg(test)]
#[path = "verdict_tests.rs"]
mod tests;
