//! What quirks change in messages.

use super::{Quirk, Quirks};
use crate::message::{Method, Name, Request, Scheme, Uri};
use base::Protocol;

/// The fewest digits that are taken for a number with its country code, and not for an extension.
const NATIONAL_LENGTH: usize = 7;

impl Quirks {
    /// The user part of From and of the address of record.
    pub(crate) fn sender_user<'a>(self, username: &'a str, auth: Option<&'a str>) -> &'a str {
        if self.has(Quirk::FromAuthUser) { auth.unwrap_or(username) } else { username }
    }

    /// The user part of Contact; empty: none.
    pub(crate) fn contact_user<'a>(self, username: &'a str, auth: Option<&'a str>) -> &'a str {
        match () {
            () if self.has(Quirk::BareContact) => "",
            () if self.has(Quirk::ContactAuthUser) => auth.unwrap_or(username),
            () => username,
        }
    }

    /// Takes out of a request what the provider does not want in it.
    pub(crate) fn shape(self, request: &mut Request) {
        if self == Quirks::default() {
            return;
        }
        let headers = &mut request.headers;
        if self.has(Quirk::NoSessionTimers) {
            headers.remove(&Name::SessionExpires);
            headers.remove(&Name::MinSe);
        }
        let unwanted = [
            (Quirk::NoSessionTimers, "timer"),
            (Quirk::No100rel, "100rel"),
            (Quirk::NoPath, "path"),
        ];
        let left: Vec<String> = headers
            .tokens(&Name::Supported)
            .filter(|option| !unwanted.iter().any(|(q, word)| self.has(*q) && option == word))
            .map(Into::into)
            .collect();
        headers.remove(&Name::Supported);
        if !left.is_empty() && !self.has(Quirk::ShortRequests) {
            headers.push(Name::Supported, left.join(", "));
        }
        if self.has(Quirk::ShortRequests) && request.method != Method::Options {
            headers.remove(&Name::Allow);
            headers.remove(&Name::Other("Accept".into()));
        }
    }

    /// The scheme and the transport parameter of our Contact where a peer is reached so.
    pub(crate) fn contact_form(self, protocol: Protocol) -> (&'static str, &'static str) {
        let scheme = if self.has(Quirk::Sips) { "sips" } else { "sip" };
        let transport = match protocol {
            _ if self.has(Quirk::NoTransport) => "",
            Protocol::Udp if self.has(Quirk::NameTransport) => ";transport=udp",
            Protocol::Udp => "",
            Protocol::Tcp => ";transport=tcp",
            // The scheme says it, and transport=tls must not stand beside it (RFC 5630 3.1.3).
            Protocol::Tls if self.has(Quirk::Sips) => "",
            // RFC 3261 26.2.2 deprecates it in favour of sips:, which asks for TLS on every hop
            // to the phone and which hardly any provider takes.
            Protocol::Tls => ";transport=tls",
        };
        (scheme, transport)
    }

    /// An address of ours or of the provider's.
    pub(crate) fn address(self, mut uri: Uri) -> Uri {
        if self.has(Quirk::Sips) && uri.scheme == Scheme::Sip {
            uri.scheme = Scheme::Sips;
            if uri.transport().is_some() {
                uri.params.remove("transport");
            }
        }
        uri
    }

    /// A Request-URI, where it is sent by this protocol.
    pub(crate) fn request_uri(self, uri: Uri, protocol: Option<Protocol>) -> Uri {
        let mut uri = self.address(uri);
        let transport = match protocol {
            Some(Protocol::Udp) => "udp",
            Some(Protocol::Tls) if uri.scheme != Scheme::Sips => "tls",
            Some(_) => "tcp",
            None => return uri,
        };
        if self.has(Quirk::NameTransport) && uri.transport().is_none() {
            uri.params.set("transport", Some(transport));
        }
        uri
    }

    /// A party of a call: who calls, or who is called.
    pub(crate) fn party(self, uri: Uri) -> Uri {
        let mut uri = self.address(uri);
        let Some(number) = uri.user_text().filter(|user| is_number(user)) else { return uri };
        if self.has(Quirk::NoPlus)
            && let Some(digits) = number.strip_prefix('+')
        {
            uri.user = Some(digits.to_owned());
        } else if self.has(Quirk::Plus) {
            let digits = number.strip_prefix("00").unwrap_or(&number);
            if digits.len() >= NATIONAL_LENGTH && !digits.starts_with(['+', '0']) {
                uri.user = Some(format!("+{digits}"));
            }
        }
        if self.has(Quirk::UserPhone) {
            uri.params.set("user", Some("phone"));
        }
        uri
    }
}

/// Whether the user of an address is a telephone number.
fn is_number(user: &str) -> bool {
    let digits = user.strip_prefix('+').unwrap_or(user);
    !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::dialog::blank;
    use crate::endpoint::core::SUPPORTED;

    #[test]
    fn a_request_without_quirks_stays_as_it_is_and_with_them_lacks_what_is_not_wanted() {
        let mut request = blank(Method::Invite, Uri::parse("sip:a@b.example").unwrap());
        request.headers.push(Name::Supported, SUPPORTED);
        request.headers.push(Name::SessionExpires, "1800");
        request.headers.push(Name::Allow, "INVITE");
        let mut same = request.clone();
        Quirks::default().shape(&mut same);
        assert_eq!(same.headers.get(&Name::SessionExpires), Some("1800"));
        assert_eq!(same.headers.get(&Name::Supported), Some(SUPPORTED));
        let mut calm = request.clone();
        Quirks::default().with(Quirk::NoSessionTimers).with(Quirk::No100rel).shape(&mut calm);
        assert_eq!(calm.headers.get(&Name::SessionExpires), None);
        let supported = calm.headers.get(&Name::Supported).unwrap();
        assert!(!supported.contains("timer") && !supported.contains("100rel"), "{supported}");
        let mut short = request;
        Quirks::default().with(Quirk::ShortRequests).shape(&mut short);
        assert_eq!(short.headers.get(&Name::Allow), None);
        assert_eq!(short.headers.get(&Name::Supported), None);
    }

    /// Who is called under one quirk.
    fn party(quirk: Quirk, uri: &str) -> String {
        Quirks::default().with(quirk).party(Uri::parse(uri).unwrap()).to_string()
    }

    #[test]
    fn numbers_take_the_form_that_is_wanted_and_names_stay_as_they_are() {
        for (quirk, written, expected) in [
            (Quirk::Plus, "sip:4930123456@a.example", "sip:+4930123456@a.example"),
            (Quirk::Plus, "sip:004930123456@a.example", "sip:+4930123456@a.example"),
            (Quirk::Plus, "sip:+4930123456@a.example", "sip:+4930123456@a.example"),
            (Quirk::Plus, "sip:030123456@a.example", "sip:030123456@a.example"),
            (Quirk::Plus, "sip:110@a.example", "sip:110@a.example"),
            (Quirk::Plus, "sip:sales@a.example", "sip:sales@a.example"),
            (Quirk::NoPlus, "sip:+4930123456@a.example", "sip:4930123456@a.example"),
            (Quirk::NoPlus, "sip:+sales@a.example", "sip:+sales@a.example"),
            (Quirk::UserPhone, "sip:110@a.example", "sip:110@a.example;user=phone"),
            (Quirk::UserPhone, "sip:sales@a.example", "sip:sales@a.example"),
            (Quirk::Sips, "sip:sales@a.example", "sips:sales@a.example"),
            (Quirk::Sips, "tel:110", "tel:110"),
        ] {
            assert_eq!(party(quirk, written), expected, "{quirk:?} {written}");
        }
    }

    #[test]
    fn a_transport_is_named_once_and_never_as_tls_beside_sips() {
        let named = Quirks::default().with(Quirk::NameTransport);
        let uri = |text: &str| Uri::parse(text).unwrap();
        let ask =
            |quirks: Quirks, text: &str, by| quirks.request_uri(uri(text), Some(by)).to_string();
        assert_eq!(ask(named, "sip:a.example", Protocol::Udp), "sip:a.example;transport=udp");
        assert_eq!(ask(named, "sip:a.example", Protocol::Tls), "sip:a.example;transport=tls");
        let kept = "sip:a.example;transport=tcp";
        assert_eq!(ask(named, kept, Protocol::Udp), kept);
        let sips = named.with(Quirk::Sips);
        assert_eq!(ask(sips, "sip:a.example", Protocol::Tls), "sips:a.example;transport=tcp");
        assert_eq!(ask(Quirks::default(), "sip:a.example", Protocol::Udp), "sip:a.example");
        assert_eq!(sips.contact_form(Protocol::Tls), ("sips", ""));
        let silent = Quirks::default().with(Quirk::NoTransport);
        assert_eq!(silent.contact_form(Protocol::Tcp), ("sip", ""));
        assert_eq!(Quirks::default().contact_form(Protocol::Tcp), ("sip", ";transport=tcp"));
    }
}
