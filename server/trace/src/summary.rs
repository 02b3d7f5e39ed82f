//! Messages and descriptions in a few words.

/// What a SIP message is, from its kept text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start<'a> {
    /// A request by its method.
    Request(&'a str),
    /// A response by its status and reason, with the method that it answers.
    Response(u16, &'a str, &'a str),
    /// Neither.
    Other,
}

/// The value of a header field, by its long or short name.
pub(crate) fn header<'a>(text: &'a str, long: &str, short: &str) -> Option<&'a str> {
    text.lines().skip(1).take_while(|line| !line.is_empty()).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let name = name.trim();
        let known = name.eq_ignore_ascii_case(long) || name.eq_ignore_ascii_case(short);
        known.then_some(value.trim())
    })
}

/// Reads the first line, and the method of a response's CSeq.
pub(crate) fn start(text: &str) -> Start<'_> {
    let first = text.lines().next().unwrap_or_default();
    let Some(rest) = first.strip_prefix("SIP/2.0 ") else {
        let method = first.split(' ').next().unwrap_or_default();
        let plain = !method.is_empty() && method.chars().all(|c| c.is_ascii_alphabetic());
        return if plain { Start::Request(method) } else { Start::Other };
    };
    let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let cseq = header(text, "cseq", "cseq").unwrap_or_default();
    let method = cseq.split_whitespace().nth(1).unwrap_or_default();
    status.parse().map_or(Start::Other, |status| Start::Response(status, reason, method))
}

/// The body of a kept message, where it is a description.
pub(crate) fn body(text: &str) -> Option<&str> {
    let body = text.split_once("\n\n")?.1;
    body.starts_with("v=").then_some(body)
}

/// The codec names of payload types that need no `rtpmap` (RFC 3551 section 6).
const STATIC: [(&str, &str); 4] =
    [("0", "PCMU/8000"), ("8", "PCMA/8000"), ("9", "G722/8000"), ("13", "CN/8000")];

/// A description's audio in a line: address, codecs, direction, and what else matters.
pub(crate) fn description(sdp: &str) -> String {
    let mut address = "";
    let mut media: Option<Vec<&str>> = None;
    let mut words: Vec<String> = Vec::new();
    let mut maps: Vec<(&str, &str)> = Vec::new();
    let mut candidates = 0;
    for line in sdp.lines() {
        let in_audio = media.is_some();
        if let Some(rest) = line.strip_prefix("m=") {
            if in_audio {
                break;
            }
            media = rest.strip_prefix("audio ").map(|rest| rest.split_whitespace().collect());
        } else if let Some(rest) = line.strip_prefix("c=") {
            address = rest.split_whitespace().last().unwrap_or_default();
        } else if let Some(rest) = line.strip_prefix("a=rtpmap:") {
            maps.extend(rest.split_once(' '));
        } else if line.starts_with("a=candidate:") {
            candidates += 1;
        } else if line.starts_with("a=crypto:") {
            words.push("SRTP offered".into());
        } else if let Some(direction) = ["sendonly", "recvonly", "inactive"]
            .into_iter()
            .find(|direction| line.strip_prefix("a=") == Some(direction))
        {
            words.push(direction.into());
        }
    }
    let Some(media) = media else { return "no audio".into() };
    let port = media.first().copied().unwrap_or_default();
    let named = |payload: &&str| {
        let map = maps.iter().chain(&STATIC).find(|(of, _)| of == payload);
        map.map_or_else(|| format!("payload {payload}"), |(_, name)| (*name).to_owned())
    };
    let mut codecs: Vec<String> = media.iter().skip(2).take(12).map(named).collect();
    codecs.dedup();
    if port == "0" {
        words.push("refused".into());
    }
    if candidates > 0 {
        words.push(format!("{candidates} candidates"));
    }
    let place = if candidates > 0 { "audio".into() } else { format!("audio {address}:{port}") };
    let tail = if words.is_empty() { String::new() } else { format!("; {}", words.join(", ")) };
    format!("{place} {}{tail}", codecs.join(" "))
}

/// Where a description wants its audio, `address:port`.
pub(crate) fn audio_address(sdp: &str) -> Option<String> {
    let address = sdp.lines().find_map(|line| line.strip_prefix("c="))?.split(' ').next_back()?;
    let media = sdp.lines().find_map(|line| line.strip_prefix("m=audio "))?;
    Some(format!("{address}:{}", media.split(' ').next()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_a_line_with_address_and_codecs() {
        let sdp = "v=0\nc=IN IP4 192.0.2.4\nm=audio 4000 RTP/AVP 8 101\n\
                   a=rtpmap:101 telephone-event/8000\na=sendonly\n";
        let line = "audio 192.0.2.4:4000 PCMA/8000 telephone-event/8000; sendonly";
        assert_eq!(description(sdp), line);
        assert_eq!(audio_address(sdp).as_deref(), Some("192.0.2.4:4000"));
        assert_eq!(description("v=0\nm=video 1 RTP/AVP 96\n"), "no audio");
    }

    #[test]
    fn a_message_is_known_by_its_first_line() {
        assert_eq!(start("BYE sip:a SIP/2.0\n"), Start::Request("BYE"));
        let busy = "SIP/2.0 486 Busy Here\nCSeq: 2 INVITE\n";
        assert_eq!(start(busy), Start::Response(486, "Busy Here", "INVITE"));
        assert_eq!(start("\u{b7}\u{b7}"), Start::Other);
    }
}
