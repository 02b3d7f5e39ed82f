//! What a trace shows of what it knows: everything else, whoever thought of it, is left out.

/// Header fields whose values are kept, in either form of their names. They say where messages go,
/// what they belong to, what their senders can, and who calls.
const HEADERS: [&str; 66] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "allow",
    "allow-events",
    "b",
    "c",
    "call-id",
    "contact",
    "content-disposition",
    "content-encoding",
    "content-length",
    "content-type",
    "cseq",
    "date",
    "diversion",
    "e",
    "event",
    "expires",
    "f",
    "from",
    "history-info",
    "i",
    "k",
    "l",
    "m",
    "max-forwards",
    "mime-version",
    "min-expires",
    "min-se",
    "o",
    "p-asserted-identity",
    "p-called-party-id",
    "p-early-media",
    "p-preferred-identity",
    "path",
    "privacy",
    "proxy-require",
    "r",
    "rack",
    "reason",
    "record-route",
    "refer-sub",
    "refer-to",
    "referred-by",
    "remote-party-id",
    "replaces",
    "require",
    "retry-after",
    "route",
    "rseq",
    "server",
    "service-route",
    "session-expires",
    "subscription-state",
    "supported",
    "t",
    "target-dialog",
    "timestamp",
    "u",
    "unsupported",
    "user-agent",
    "v",
    "via",
    "warning",
    "x",
];

/// Types of lines of a session description that are kept.
const LINES: [&str; 6] = ["v", "o", "c", "b", "t", "m"];

/// Attributes of a session description that are kept.
const ATTRIBUTES: [&str; 39] = [
    "bundle-only",
    "candidate",
    "connection",
    "crypto",
    "end-of-candidates",
    "extmap",
    "extmap-allow-mixed",
    "fingerprint",
    "fmtp",
    "group",
    "ice-lite",
    "ice-mismatch",
    "ice-options",
    "ice-pwd",
    "ice-ufrag",
    "inactive",
    "key-mgmt",
    "label",
    "maxptime",
    "mid",
    "msid",
    "msid-semantic",
    "ptime",
    "recvonly",
    "remote-candidates",
    "rtcp",
    "rtcp-fb",
    "rtcp-mux",
    "rtcp-mux-only",
    "rtcp-rsize",
    "rtcp-xr",
    "rtpmap",
    "sendonly",
    "sendrecv",
    "setup",
    "silencesupp",
    "ssrc",
    "ssrc-group",
    "tls-id",
];

/// Header fields inside a URI whose values are kept: the call that a transfer replaces.
const OF_URIS: [&str; 1] = ["replaces"];

fn is_in(list: &[&str], name: &str) -> bool {
    let name = name.trim().to_ascii_lowercase();
    list.binary_search(&name.as_str()).is_ok()
}

/// Whether the value of a header field is kept.
pub(crate) fn header(name: &str) -> bool {
    is_in(&HEADERS, name)
}

/// Whether a line of a session description is kept, by its letter and, for `a`, its attribute.
pub(crate) fn line(line: &str) -> bool {
    match line.split_once('=') {
        Some(("a", rest)) => {
            let name = rest.split(':').next().unwrap_or_default();
            is_in(&ATTRIBUTES, name)
        }
        Some((letter, _)) => LINES.contains(&letter),
        None => false,
    }
}

/// Whether the value of a header field that stands in a URI is kept.
pub(crate) fn of_uri(name: &str) -> bool {
    is_in(&OF_URIS, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_in_order_so_that_they_can_be_searched() {
        assert!(HEADERS.is_sorted() && ATTRIBUTES.is_sorted());
        assert!(header("Via") && header(" V ") && header("P-Asserted-Identity"));
        assert!(!header("Subject") && !header("X-Order") && !header("Authorization"));
    }
}
