//! Character classes and splitting (RFC 3261 section 25.1).

/// Octets as a table: what is asked of each octet of a message must be one look.
type Set = [bool; 256];

/// The set of these octets, and of letters and digits where wanted; `but`: of all others.
const fn set(octets: &[u8], alphanumeric: bool, but: bool) -> Set {
    let mut set = [but; 256];
    let mut at = 0;
    while at < 256 {
        if alphanumeric && (at as u8).is_ascii_alphanumeric() {
            set[at] = !but;
        }
        at += 1;
    }
    at = 0;
    while at < octets.len() {
        set[octets[at] as usize] = !but;
        at += 1;
    }
    set
}

const TOKEN: Set = set(b"-.!%*_+`'~", true, false);
const PLAIN: Set = plain();

/// All but control characters, blanks and what separates header field parameters.
const fn plain() -> Set {
    let mut set = set(b"\"<>,;\x7f", false, true);
    let mut at = 0;
    while at <= b' ' as usize {
        set[at] = false;
        at += 1;
    }
    set
}

/// Whether an octet belongs to a `token`.
pub(crate) fn is_token(octet: u8) -> bool {
    TOKEN[usize::from(octet)]
}

/// Whether a text holds neither blanks nor what separates the parameters of a header field.
pub(crate) fn is_plain_text(text: &str) -> bool {
    text.bytes().all(|octet| PLAIN[usize::from(octet)])
}

/// Whether the text is a `token`.
pub(crate) fn is_token_text(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token)
}

/// Linear whitespace after unfolding.
pub(crate) fn is_space(c: char) -> bool {
    c == ' ' || c == '\t'
}

/// The text without linear whitespace around it.
pub(crate) fn trim(text: &str) -> &str {
    let is_text = |octet: &u8| *octet != b' ' && *octet != b'\t';
    let octets = text.as_bytes();
    match (octets.iter().position(is_text), octets.iter().rposition(is_text)) {
        (Some(first), Some(last)) => text.get(first..=last).unwrap_or(text),
        _ => "",
    }
}

/// The text before and after the first octet like this, which is ASCII.
pub(crate) fn cut(text: &str, octet: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|other| other == octet)?;
    text.get(..at).zip(text.get(at + 1..))
}

/// The place of the first `wanted` octet outside quoted strings and angle brackets.
pub(crate) fn find_outside(text: &str, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let octets = text.as_bytes();
    let mut at = 0;
    loop {
        let rest = octets.get(at..)?;
        at += rest.iter().position(|octet| b"\"<".contains(octet) || wanted(*octet))?;
        let octet = *octets.get(at)?;
        if wanted(octet) {
            return Some(at);
        }
        // Inside brackets there is a URI, where a quote is an ordinary (if bad) octet.
        let rest = text.get(at..)?;
        at += match octet {
            b'"' => quoted_end(rest)?,
            _ => rest.bytes().position(|octet| octet == b'>')?,
        };
    }
}

/// Splits at an octet outside quoted strings and angle brackets; the parts are trimmed.
pub(crate) fn split_outside(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        match find_outside(text, |octet| octet == separator) {
            Some(at) => {
                rest = text.get(at + 1..);
                text.get(..at).map(trim)
            }
            None => {
                rest = None;
                Some(trim(text))
            }
        }
    })
}

/// The place after a quoted string that starts at the beginning of `text`; `None` if it does not
/// start or does not end.
pub(crate) fn quoted_end(text: &str) -> Option<usize> {
    let mut octets = text.bytes().enumerate();
    if octets.next()?.1 != b'"' {
        return None;
    }
    let mut escaped = false;
    for (at, octet) in octets {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// What a quoted string (with its quotes) says; other text as it is.
pub(crate) fn unquote(text: &str) -> String {
    let inner = match quoted_end(text) {
        Some(end) if end == text.len() => text.get(1..end - 1).unwrap_or_default(),
        _ => return text.to_owned(),
    };
    let mut out = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => out.extend(characters.next()),
            c => out.push(c),
        }
    }
    out
}

/// The text as a quoted string; line ends, which no quoted string can hold, become spaces.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '\r' | '\n' => out.push(' '),
            '"' | '\\' => out.extend(['\\', c]),
            c if c != '\t' && c.is_ascii_control() => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
