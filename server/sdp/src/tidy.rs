//! Repairs what the field gets wrong, so that the line parser sees canonical text.
//!
//! Lines that carry nothing for a call (`i= u= e= p= b= r= z= k=`) are left out, garbage is left
//! out, `v= o= s= t=` are supplied, and the order becomes that of RFC 4566. An `m=` line is never
//! left out, however broken it is: the answer counts them.

use crate::SdpError;

/// The longest description that is read: what one UDP datagram can carry.
const MAX_LENGTH: usize = 65_536;
/// The most `m=` lines.
const MAX_MEDIA: usize = 32;
/// The most attributes of one section; a browser's candidates stay far below.
const MAX_ATTRIBUTES: usize = 256;
/// The longest line.
const MAX_LINE: usize = 4096;

/// The lines of the session or of one media.
#[derive(Default)]
struct Section {
    media: String,
    connection: Option<String>,
    attributes: Vec<String>,
}

/// Gives canonical text for any octets that look like a description at all.
pub(crate) fn tidy(data: &[u8]) -> Result<String, SdpError> {
    if data.len() > MAX_LENGTH {
        return Err(SdpError::TooLarge);
    }
    let text = String::from_utf8_lossy(data).replace('\0', "");
    let mut origin = None;
    let mut sections = vec![Section::default()];
    for line in text.split(['\n', '\r']).map(|line| line.trim_start_matches('\u{feff}').trim()) {
        let Some((key @ ("a" | "c" | "m" | "o"), value)) = line.split_once('=') else { continue };
        if value.len() > MAX_LINE && key != "m" {
            continue;
        }
        if key == "m" {
            sections.push(Section { media: media(value), ..Section::default() });
            if sections.len() > MAX_MEDIA + 1 {
                return Err(SdpError::TooLarge);
            }
            continue;
        }
        let Some(section) = sections.last_mut() else { continue };
        match key {
            "o" if origin.is_none() => origin = Some(self::origin(value)),
            "c" if section.connection.is_none() => section.connection = connection(value),
            "a" if !value.is_empty() && section.attributes.len() < MAX_ATTRIBUTES => {
                section.attributes.push(value.to_owned());
            }
            _ => {}
        }
    }
    if sections.len() < 2 {
        return Err(SdpError::NotSdp);
    }
    let origin = origin.unwrap_or_else(|| self::origin(""));
    let mut tidied = format!("v=0\r\no={origin}\r\ns=-\r\n");
    for (index, section) in sections.iter().enumerate() {
        if index > 0 {
            line(&mut tidied, 'm', &section.media);
        }
        section.connection.iter().for_each(|value| line(&mut tidied, 'c', value));
        if index == 0 {
            tidied.push_str("t=0 0\r\n");
        }
        section.attributes.iter().for_each(|value| line(&mut tidied, 'a', value));
    }
    Ok(tidied)
}

fn line(text: &mut String, key: char, value: &str) {
    text.push(key);
    text.push('=');
    text.push_str(value);
    text.push_str("\r\n");
}

/// `<user name> <id> <version> IN IP4 <address>`: the user name may hold spaces in spite of the
/// grammar, so that fields count from the end; only id and version are of use.
fn origin(value: &str) -> String {
    let fields: Vec<_> = value.split_whitespace().collect();
    let from_end = |back: usize| fields.len().checked_sub(back).and_then(|n| fields.get(n));
    let id = from_end(5).copied().unwrap_or("0");
    let version = from_end(4).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    format!("- {id} {version} IN IP4 0.0.0.0")
}

/// `IN IP4 <address>`; a line with fewer fields says nothing.
fn connection(value: &str) -> Option<String> {
    let mut fields = value.split_whitespace();
    let (_, family, address) = (fields.next()?, fields.next()?, fields.next()?);
    let family = if family.eq_ignore_ascii_case("IP6") { "IP6" } else { "IP4" };
    Some(format!("IN {family} {address}"))
}

/// `<kind> <port>[/<count>] <protocol> <formats>`; what cannot be used becomes port 0.
fn media(value: &str) -> String {
    let mut fields = value.split_whitespace();
    let kind = fields.next().unwrap_or("unknown");
    let port = fields.next().and_then(|field| {
        let (port, _count) = field.split_once('/').unwrap_or((field, ""));
        port.parse::<u16>().ok()
    });
    let protocol = fields.next();
    // Formats beyond the space of payload types only cost time.
    let formats: Vec<_> = fields.take(128).collect();
    match (port, protocol) {
        (Some(port), Some(protocol)) if !formats.is_empty() => {
            format!("{kind} {port} {protocol} {}", formats.join(" "))
        }
        _ => format!("{kind} 0 {} 0", protocol.unwrap_or("RTP/AVP")),
    }
}
