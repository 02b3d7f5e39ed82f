//! What enters a trace: text without secrets, without page data, and without anything that a
//! terminal would obey.

use crate::{limits, shown};

/// Stands where something was.
const LEFT_OUT: &str = "(left out)";
/// Parameters of a challenge that say nothing secret.
const OF_CHALLENGES: [&str; 4] = ["realm", "algorithm", "qop", "stale"];

/// The Call-ID of a SIP message, long or short form, without judging the rest of it.
pub fn call_id(octets: &[u8]) -> Option<&str> {
    octets.split(|octet| *octet == b'\n').take(100).find_map(|line| {
        let at = line.iter().position(|octet| *octet == b':')?;
        let (name, value) = line.split_at(at);
        let name = name.trim_ascii();
        let known = name.eq_ignore_ascii_case(b"call-id") || name.eq_ignore_ascii_case(b"i");
        let value = std::str::from_utf8(value.get(1..)?).ok()?.trim();
        known.then_some(value)
    })
}

/// A SIP message as it may be kept.
pub fn message(octets: &[u8]) -> String {
    let octets = octets.get(..octets.len().min(4 * limits::TEXT_OCTETS)).unwrap_or_default();
    let text = String::from_utf8_lossy(octets).replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut kept = String::new();
    let mut kind = String::new();
    for line in unfolded(head) {
        match line.split_once(':').filter(|_| !kept.is_empty()) {
            None if kept.is_empty() => kept.push_str(&visible(&without_secrets(&line))),
            None => kept.push_str(LEFT_OUT),
            Some((name, value)) => {
                let value = value.trim();
                if matches!(name.trim().to_ascii_lowercase().as_str(), "content-type" | "c") {
                    kind = value.to_ascii_lowercase();
                }
                kept.push_str(&visible(name));
                kept.push_str(": ");
                kept.push_str(&visible(&field(name.trim(), value)));
            }
        }
        kept.push('\n');
    }
    if kind.starts_with("application/sdp") {
        kept.push('\n');
        kept.push_str(&description(body));
    } else if !body.is_empty() {
        // Digits travel in bodies of INFO, and nobody knows what in others.
        kept.push_str(&format!("\n({} octets of {}, left out)\n", body.len(), visible(&kind)));
    }
    cut(kept)
}

/// A session description as it may be kept.
pub fn description(text: &str) -> String {
    let mut kept = String::new();
    for line in text.lines().map(str::trim_end).filter(|line| !line.is_empty()) {
        let lower = line.to_ascii_lowercase();
        let until = if !shown::line(line) {
            // A property has no value but its name.
            let named = line.find(':').filter(|_| lower.starts_with("a="));
            named.unwrap_or_else(|| line.find('=').map_or(0, |at| at + 1))
        } else if lower.starts_with("a=ice-pwd") || lower.starts_with("a=key-mgmt") {
            line.find(':').map_or(line.len(), |at| at + 1)
        } else if lower.starts_with("a=crypto") {
            // Tag and suite say what was meant; the key follows behind.
            line.match_indices(' ').nth(1).map_or(0, |(at, _)| at + 1)
        } else {
            lower.find("inline:").unwrap_or(line.len())
        };
        kept.push_str(&visible(line.get(..until).unwrap_or_default()));
        if until < line.len() {
            kept.push_str(LEFT_OUT);
        }
        kept.push('\n');
    }
    cut(kept)
}

/// The value of a header field as it may be kept.
fn field(name: &str, value: &str) -> String {
    let lower = name.to_ascii_lowercase();
    match lower.as_str() {
        "www-authenticate" | "proxy-authenticate" => challenge(value),
        _ if lower.ends_with("authorization") => {
            let scheme = value.split_whitespace().next().unwrap_or_default();
            let scheme = if scheme.eq_ignore_ascii_case("digest") { "Digest " } else { "" };
            format!("{scheme}{LEFT_OUT}")
        }
        _ if shown::header(name) => without_secrets(value),
        // What a page sends to the shop, what a provider has thought of: whatever they like.
        _ => format!("({} octets, left out)", value.len()),
    }
}

/// A challenge without its nonce.
fn challenge(value: &str) -> String {
    let (scheme, rest) = value.trim().split_once(' ').unwrap_or((value, ""));
    let mut kept = Vec::new();
    let (mut start, mut quoted) = (0, false);
    let end = rest.len();
    for (at, letter) in rest.char_indices().chain([(end, ',')]) {
        quoted ^= letter == '"';
        if letter == ',' && (!quoted || at == end) {
            let parameter = rest.get(start..at).unwrap_or_default().trim();
            let name = parameter.split('=').next().unwrap_or_default().trim();
            if OF_CHALLENGES.iter().any(|known| name.eq_ignore_ascii_case(known)) {
                kept.push(parameter);
            }
            start = at + 1;
        }
    }
    // What is no scheme could be anything.
    let plain = scheme.chars().all(|letter| letter.is_ascii_alphanumeric());
    format!("{} {} {LEFT_OUT}", if plain { scheme } else { "" }, kept.join(", "))
}

/// Header lines with their continuations joined (RFC 3261 section 7.3.1).
fn unfolded(head: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in head.lines() {
        match lines.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => {
                last.push(' ');
                last.push_str(line.trim());
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

/// Takes the password out of every SIP URI in a text, and the values of header fields that stand in
/// it (RFC 3261 section 19.1.1).
fn without_secrets(text: &str) -> String {
    let text = without_passwords(text);
    let mut kept = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find('?') {
        let (before, fields) = rest.split_at(at);
        let end = fields.find(['<', '>', '"', ' ', ',']).unwrap_or(fields.len());
        let (fields, after) = fields.split_at(end);
        kept.push_str(before);
        kept.push('?');
        let fields =
            fields.trim_start_matches('?').split('&').map(|field| match field.split_once('=') {
                Some((name, _)) if !shown::of_uri(name) => format!("{name}={LEFT_OUT}"),
                _ => field.to_owned(),
            });
        kept.push_str(&fields.collect::<Vec<_>>().join("&"));
        rest = after;
    }
    kept.push_str(rest);
    kept
}

/// Takes the password out of every SIP URI in a text.
fn without_passwords(text: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut kept = String::new();
    let mut from = 0;
    let mut found: Vec<_> =
        ["sip:", "sips:"].iter().flat_map(|scheme| lower.match_indices(scheme)).collect();
    found.sort_unstable();
    for (at, scheme) in found {
        let start = at + scheme.len();
        let rest = text.get(start..).unwrap_or_default();
        let end = rest.find(['<', '>', '"', ' ', '@']).unwrap_or(rest.len());
        let is_user = rest.get(end..).is_some_and(|rest| rest.starts_with('@'));
        let colon = rest.get(..end).and_then(|user| user.find(':')).filter(|_| is_user);
        if let Some(colon) = colon.filter(|_| start >= from) {
            kept.push_str(text.get(from..=start + colon).unwrap_or_default());
            kept.push_str("***");
            from = start + end;
        }
    }
    kept.push_str(text.get(from..).unwrap_or_default());
    kept
}

/// Text that a terminal only shows: neither control characters nor those that turn its direction.
pub fn visible(text: &str) -> String {
    let obeyed = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(letter, '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars().map(|letter| if obeyed(letter) { '\u{b7}' } else { letter }).collect()
}

/// A text within its bound, and a word where something was cut off.
pub fn cut(mut text: String) -> String {
    if text.len() > limits::TEXT_OCTETS {
        let fits = (0..=limits::TEXT_OCTETS).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(fits.unwrap_or(0));
        text.push_str("\n(cut off)\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const INVITE: &str = "INVITE sip:bob:geheim@provider.example SIP/2.0\r\n\
        Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1\r\n\
        i: abc@192.0.2.1\r\n\
        To: <sips:bob:geheim@provider.example>\r\n\
        AUTHORIZATION: Digest username=\"shop\", nonce=\"n0nce\",\r\n response=\"0123abcd\"\r\n\
        X-Cart: Mrs. Brown, 3 pairs\r\n\
        Content-Type: application/sdp\r\n\r\n\
        v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:S3cr3tKey\r\na=ice-ufrag:abcd\r\n\
        a=ice-pwd:t0pt0pt0p\r\na=fingerprint:sha-256 AB:CD\r\nk=base64:a2V5\r\n";

    #[test]
    fn no_secret_enters_a_trace() {
        let kept = message(INVITE.as_bytes());
        for secret in ["geheim", "n0nce", "0123abcd", "Brown", "S3cr3tKey", "t0pt0pt0p", "a2V5"] {
            assert!(!kept.contains(secret), "{secret} in {kept}");
        }
        for known in
            ["INVITE sip:bob:***@provider.example", "AES_CM_128_HMAC_SHA1_80", "sha-256 AB:CD"]
        {
            assert!(kept.contains(known), "no {known} in {kept}");
        }
    }

    #[test]
    fn what_nobody_has_thought_of_is_left_out_wherever_it_stands() {
        let message = message(
            b"REFER sip:bob@provider.example?X-Token=s3cret&Replaces=a%40b SIP/2.0\r\n\
              Subject: s3cret\r\nP-Vendor-Token: s3cret\r\nCookie: s3cret\r\nIdentity: s3cret\r\n\
              Proxy-Authentication-Info: s3cret\r\nUser-to-User: s3cret\r\nno field s3cret\r\n\
              Refer-To: <sip:carol@b?Subject=s3cret>, <sip:d@b?Replaces=1;X=2&a=s3cret>\r\n\
              Content-Type: application/sdp\r\n\r\n\
              v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=s3cret\r\ni=s3cret\r\ne=s3cret\r\n\
              m=audio 4000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=token:s3cret\r\na=s3cret\r\n\
              K=clear:s3cret\r\nA=crypto:1 X inline:s3cret\r\ns3cret\r\n",
        );
        assert!(!message.contains("s3cret"), "{message}");
        for known in [
            "P-Vendor-Token: (6 octets, left out)",
            "?X-Token=(left out)&Replaces=a%40b",
            "Replaces=1;X=2",
            "a=rtpmap:8 PCMA/8000",
            "a=token(left out)",
            "s=(left out)",
        ] {
            assert!(message.contains(known), "no {known} in {message}");
        }
    }

    #[test]
    fn digits_of_an_info_are_left_out() {
        let info =
            "INFO sip:a@b SIP/2.0\r\nContent-Type: application/dtmf-relay\r\n\r\nSignal=7\r\n";
        let kept = message(info.as_bytes());
        assert!(!kept.contains("Signal") && kept.contains("of application/dtmf-relay, left out"));
    }

    #[test]
    fn a_challenge_keeps_what_tells_servers_apart() {
        let kept = challenge("Digest realm=\"a, b\", nonce=\"xyz\", algorithm=MD5, opaque=\"q\"");
        assert_eq!(kept, "Digest realm=\"a, b\", algorithm=MD5 (left out)");
    }

    #[test]
    fn a_terminal_is_not_told_anything_by_a_message() {
        let kept = message(b"OPTIONS sip:a@b SIP/2.0\r\nUser-Agent: \x1b[2J\x07\xff\r\n\r\n");
        assert!(!kept.contains('\x1b') && !kept.contains('\x07'), "{kept:?}");
    }

    #[test]
    fn the_call_id_is_found_in_either_form() {
        assert_eq!(call_id(INVITE.as_bytes()), Some("abc@192.0.2.1"));
        assert_eq!(call_id(b"BYE sip:a SIP/2.0\r\ncall-ID : x1\r\n\r\n"), Some("x1"));
        assert_eq!(call_id(b"\x00\x01"), None);
    }

    #[test]
    fn a_long_message_is_cut_between_letters() {
        let long =
            format!("OPTIONS sip:a SIP/2.0\r\nUser-Agent: {}\r\n\r\n", "\u{e9}".repeat(9_000));
        let kept = message(long.as_bytes());
        assert!(kept.len() < limits::TEXT_OCTETS + 20 && kept.ends_with("(cut off)\n"));
    }
}
