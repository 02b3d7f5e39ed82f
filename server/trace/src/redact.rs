//! A copy of a trace without who and where: numbers, names and addresses stand in it by names of
//! their own, the same for the same, so that one still sees who is who.

use crate::model::{Trace, What};
use crate::shown;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

/// Header fields that are kept, with what is private in them exchanged; of others only the name.
const KEPT: [&str; 27] = [
    "via",
    "v",
    "from",
    "f",
    "to",
    "t",
    "contact",
    "m",
    "call-id",
    "i",
    "cseq",
    "max-forwards",
    "route",
    "record-route",
    "content-type",
    "c",
    "content-length",
    "l",
    "allow",
    "supported",
    "k",
    "require",
    "expires",
    "session-expires",
    "retry-after",
    "user-agent",
    "server",
];

/// Attributes whose values name somebody or tell nothing.
const NAMING: [&str; 6] = ["a=msid", "a=ssrc", "a=label", "a=mid-", "a=identity", "a=ice-ufrag"];

/// The names given so far.
#[derive(Default)]
struct Names {
    given: HashMap<(&'static str, String), usize>,
    counts: HashMap<&'static str, usize>,
}

impl Names {
    /// The name of something of a kind.
    fn of(&mut self, kind: &'static str, what: &str) -> String {
        let key = (kind, what.to_ascii_lowercase());
        let counts = &mut self.counts;
        let number = self.given.entry(key).or_insert_with(|| {
            let count = counts.entry(kind).or_default();
            *count += 1;
            *count
        });
        format!("{kind}-{number}")
    }

    /// A host of any form: an address, with a port where it has one, or a name.
    fn host(&mut self, host: &str) -> String {
        if let Ok(address) = host.parse::<SocketAddr>() {
            return format!("{}:{}", self.of("address", &address.ip().to_string()), address.port());
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return self.of("address", &address.to_string());
        }
        match host.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()) {
            Some((name, port)) => format!("{}:{port}", self.host(name)),
            None => self.of("host", host),
        }
    }
}

/// A copy without numbers, names and addresses.
pub fn redacted(trace: &Trace) -> Trace {
    let mut trace = trace.clone();
    let mut names = Names::default();
    for entry in &mut trace.entries {
        match &mut entry.what {
            What::Sip { peer, text, .. } => {
                *peer = names.host(peer);
                *text = message(&mut names, text);
            }
            What::Offer { sdp } | What::Answer { sdp } => *sdp = description(&mut names, sdp),
            What::Session { address, .. } => *address = names.host(address),
            What::Connected { path, .. } | What::Moved { path, .. } => {
                *path = words(&mut names, path);
            }
            What::Unreachable { peer } => *peer = names.host(peer),
            What::DescriptionRefused { why } => *why = numbers(&words(&mut names, why)),
            What::MediaLost { .. }
            | What::MediaClosed
            | What::Direct { .. }
            | What::VisitorEnded { .. }
            | What::State { .. }
            | What::Codec { .. }
            | What::Digits { .. } => {}
        }
    }
    trace
}

/// A kept SIP message.
fn message(names: &mut Names, text: &str) -> String {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut kept = String::new();
    for (index, line) in head.lines().enumerate() {
        let written = match line.split_once(':').filter(|_| index > 0) {
            // The words behind a status are the far end's own, and could name anybody.
            None if line.starts_with("SIP/2.0 ") => line.chars().take(11).collect(),
            None => {
                let mut parts = line.split(' ');
                let method = parts.next().unwrap_or_default();
                let uri = parts.next().unwrap_or_default();
                format!("{method} {} SIP/2.0", uris(names, uri))
            }
            Some((name, value)) => {
                let lower = name.trim().to_ascii_lowercase();
                let value = match lower.as_str() {
                    "call-id" | "i" => names.of("call", value.trim()),
                    "via" | "v" => via(names, value.trim()),
                    "from" | "f" | "to" | "t" | "contact" | "m" | "route" | "record-route" => {
                        uris(names, &unnamed(value.trim()))
                    }
                    known if KEPT.contains(&known) => numbers(&words(names, value.trim())),
                    _ => "(hidden)".to_owned(),
                };
                format!("{name}: {value}")
            }
        };
        kept.push_str(&written);
        kept.push('\n');
    }
    if body.starts_with("v=") {
        kept.push('\n');
        kept.push_str(&description(names, body));
    } else if !body.is_empty() {
        kept.push_str("\n(a body, hidden)\n");
    }
    kept
}

/// `SIP/2.0/UDP host:port;parameters`: host, `received` and `maddr` exchanged.
fn via(names: &mut Names, value: &str) -> String {
    let (sent, parameters) = value.split_once(';').unwrap_or((value, ""));
    let (protocol, host) = sent.trim().rsplit_once(' ').unwrap_or((sent, ""));
    let mut kept = format!("{protocol} {}", names.host(host));
    for parameter in parameters.split(';').filter(|parameter| !parameter.is_empty()) {
        kept.push(';');
        match parameter.split_once('=') {
            Some(("received" | "maddr", host)) => {
                kept.push_str(&format!("received={}", names.host(host)));
            }
            Some(("branch" | "rport" | "ttl", _)) | None => kept.push_str(parameter),
            Some((name, _)) => kept.push_str(&format!("{name}=(hidden)")),
        }
    }
    kept
}

/// Addresses without their display names: what stands outside of `<>`, parameters excepted.
fn unnamed(value: &str) -> String {
    let mut kept = String::new();
    let mut rest = value;
    while let Some(open) = rest.find('<') {
        let close = rest.get(open..).and_then(|rest| rest.find('>'));
        let Some(close) = close.map(|close| open + close + 1) else { break };
        kept.push_str(rest.get(open..close).unwrap_or_default());
        rest = rest.get(close..).unwrap_or_default();
        // Parameters go as far as the next address in a list.
        let end = rest.find(',').unwrap_or(rest.len());
        kept.push_str(rest.get(..end).unwrap_or_default());
        if end < rest.len() {
            kept.push_str(", ");
        }
        rest = rest.get(end..).unwrap_or_default();
    }
    if kept.is_empty() { value.to_owned() } else { kept }
}

/// Exchanges what SIP and telephone addresses name, and leaves tags.
fn uris(names: &mut Names, text: &str) -> String {
    let mut kept = String::new();
    let ends = |letter: char| matches!(letter, '<' | '>' | ' ' | ',');
    for piece in text.split_inclusive(ends) {
        let end =
            piece.len() - piece.chars().next_back().filter(|l| ends(*l)).map_or(0, char::len_utf8);
        let (piece, mark) = piece.split_at(end);
        kept.push_str(&uri(names, piece));
        kept.push_str(mark);
    }
    kept
}

fn uri(names: &mut Names, piece: &str) -> String {
    let lower = piece.to_ascii_lowercase();
    let Some(scheme) = ["sip:", "sips:", "tel:"].into_iter().find(|s| lower.starts_with(s)) else {
        // Parameters behind an address: a tag is nobody, others could be.
        return piece
            .split(';')
            .map(|parameter| match parameter.split_once('=') {
                Some(("tag" | "expires" | "q" | "lr", _)) => parameter.to_owned(),
                None if matches!(parameter, "" | "lr" | "ob" | "*") => parameter.to_owned(),
                _ => "(hidden)".to_owned(),
            })
            .collect::<Vec<_>>()
            .join(";");
    };
    let rest = piece.get(scheme.len()..).unwrap_or_default();
    if scheme == "tel:" {
        return format!("tel:{}", names.of("number", rest));
    }
    let (user, rest) =
        rest.rsplit_once('@').map_or((None, rest), |(user, rest)| (Some(user), rest));
    let end = rest.find([';', '?']).unwrap_or(rest.len());
    let (host, parameters) = rest.split_at(end);
    let user = user.map_or(String::new(), |user| format!("{}@", names.of("number", user)));
    let parameters = parameters.split(';').filter_map(|parameter| match parameter {
        "lr" | "ob" => Some(format!(";{parameter}")),
        "transport=udp" | "transport=tcp" | "transport=tls" => Some(format!(";{parameter}")),
        _ => None,
    });
    format!("{scheme}{user}{}{}", names.host(host), parameters.collect::<String>())
}

/// A session description.
fn description(names: &mut Names, sdp: &str) -> String {
    let mut kept = String::new();
    for line in sdp.lines() {
        let written = if !shown::line(line) {
            format!("{}=(hidden)", line.split('=').next().unwrap_or_default())
        } else if NAMING.iter().any(|naming| line.starts_with(naming)) {
            format!("{}:(hidden)", line.split(':').next().unwrap_or_default())
        } else if line.starts_with("o=") {
            let mut parts = line.split(' ');
            parts.next();
            format!("o=- {}", words(names, &parts.collect::<Vec<_>>().join(" ")))
        } else {
            words(names, line)
        };
        kept.push_str(&written);
        kept.push('\n');
    }
    kept
}

/// Exchanges every word that is an address, a browser's `.local` name for one, or stands where a
/// description has an address: names of hosts may stand there too (RFC 8866 section 5.7).
fn words(names: &mut Names, text: &str) -> String {
    let mut is_place = false;
    let exchanged = text.split(' ').map(|word| {
        // Behind a multicast address stands how far it goes.
        let host = word.split('/').next().unwrap_or_default();
        let is_address = host.parse::<IpAddr>().is_ok() || host.parse::<SocketAddr>().is_ok();
        let named = is_place || is_address || word.ends_with(".local");
        is_place = matches!(word, "IP4" | "IP6");
        if named { names.host(host) } else { word.to_owned() }
    });
    exchanged.collect::<Vec<_>>().join(" ")
}

/// Text in which somebody could name a number: runs of six digits or more are hidden.
fn numbers(text: &str) -> String {
    let mut kept = String::new();
    let mut run = String::new();
    for letter in text.chars().chain([' ']) {
        if letter.is_ascii_digit() {
            run.push(letter);
            continue;
        }
        kept.push_str(if run.len() >= 6 { "######" } else { &run });
        run.clear();
        kept.push(letter);
    }
    kept.pop();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Entry, Protocol, Way};
    use crate::{PrintOptions, print};

    const INVITE: &str = "INVITE sip:+74957654321@sip.provider.example:5070;user=phone SIP/2.0\n\
        Via: SIP/2.0/UDP 203.0.113.7:5060;branch=z9hG4bKabc;received=198.51.100.9\n\
        From: \"Anna Brown\" <sip:74951234567@sip.provider.example>;tag=t1\n\
        To: Shop <sip:+74957654321@sip.provider.example>\n\
        Contact: <sip:74951234567@203.0.113.7:5060>\n\
        P-Asserted-Identity: <tel:+74951234567>\n\
        Call-ID: k3@203.0.113.7\n\
        CSeq: 2 INVITE\n\n\
        v=0\no=anna 1 2 IN IP4 pbx.brown.example\ns=Anna's call\nc=IN IP4 203.0.113.7\n\
        m=audio 4000 RTP/AVP 8\na=rtcp:4001 IN IP4 media.brown.example\na=candidate:1 1 udp 1 2001:db8::7 4000 typ host\n\
        a=candidate:2 1 udp 1 0a-0b.local 4000 typ host\na=msid:anna\n";

    fn trace() -> Trace {
        let mut trace = Trace::new(1, 0);
        let sip = |text: &str, way| What::Sip {
            way,
            peer: "198.51.100.7:5070".into(),
            text: text.into(),
            repeats: 0,
        };
        let refusal = "SIP/2.0 404 74957654321 is nobody\nCSeq: 2 INVITE\n";
        for what in [
            sip(INVITE, Way::Went),
            sip(refusal, Way::Came),
            What::Unreachable { peer: "198.51.100.7:5070".into() },
            What::Connected {
                after_ms: 1,
                protocol: Protocol::Udp,
                path: "203.0.113.7:8443 192.0.2.33:5111".into(),
            },
        ] {
            trace.entries.push(Entry::new(1, what));
        }
        trace
    }

    #[test]
    fn numbers_names_and_addresses_are_in_no_output() {
        let trace = redacted(&trace());
        let full = PrintOptions { descriptions: true, messages: true };
        let text = print(&trace, full) + &trace.to_json();
        for private in [
            "7495",
            "Anna",
            "anna",
            "Brown",
            "Shop",
            "203.0.113",
            "198.51.100",
            "192.0.2",
            "2001:db8",
            "0a-0b",
            "provider.example",
            "brown.example",
            "k3@",
        ] {
            assert!(!text.contains(private), "{private} in\n{text}");
        }
    }

    #[test]
    fn the_same_has_the_same_name_everywhere() {
        let trace = redacted(&trace());
        let What::Sip { text, .. } = &trace.entries[0].what else { return };
        assert!(text.starts_with("INVITE sip:number-1@host-1:5070 SIP/2.0\n"), "{text}");
        assert!(text.contains("From: <sip:number-2@host-1>;tag=t1\n"), "{text}");
        assert!(text.contains("To: <sip:number-1@host-1>\n"), "{text}");
        assert!(text.contains("c=IN IP4 address-2\n"), "{text}");
        assert!(text.contains("branch=z9hG4bKabc"), "{text}");
    }
}
