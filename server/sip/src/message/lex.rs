//! Character classes and splitting (RFC 3261 section 25.1).

/// Whether an octet belongs to a `token`.
pub(crate) fn is_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&octet)
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
    text.trim_matches(is_space)
}

/// The place of the first `wanted` octet outside quoted strings and angle brackets.
pub(crate) fn find_outside(text: &str, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
    for (at, octet) in text.bytes().enumerate() {
        if quoted {
            match octet {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
            continue;
        }
        if !bracketed && wanted(octet) {
            return Some(at);
        }
        match octet {
            // Inside brackets there is a URI, where a quote is an ordinary (if bad) octet.
            b'"' if !bracketed => quoted = true,
            b'<' => bracketed = true,
            b'>' => bracketed = false,
            _ => {}
        }
    }
    None
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
