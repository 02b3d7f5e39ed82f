//! What single providers want otherwise than the RFCs have it. Each quirk is one row of a table; an
//! account has a set of them, and without any it speaks as the RFCs say.

use crate::message::{Method, Name, Request};

/// One thing that a provider wants otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Quirk {
    /// From names the user of the digest instead of the account's.
    FromAuthUser,
    /// Contact names the user of the digest instead of the account's.
    ContactAuthUser,
    /// Contact has no user.
    BareContact,
    /// Via does not ask for the port (RFC 3581).
    NoRport,
    /// Nothing is said of session timers (RFC 4028).
    NoSessionTimers,
    /// Nothing is said of reliable provisional responses (RFC 3262).
    No100rel,
    /// REGISTER says nothing of Path (RFC 3327).
    NoPath,
    /// Header fields that a request may lack are left out, so that it fits one small datagram.
    ShortRequests,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Which quirk.
    pub quirk: Quirk,
    /// Its word in the file.
    pub word: &'static str,
    /// What we do then.
    pub sentence: &'static str,
    /// The behaviour of a provider that asks for it.
    pub asked_by: &'static str,
    /// The refusals by which such a provider shows itself; 0 is silence.
    pub shown_by: &'static [u16],
}

/// Every quirk, in the order in which `check` tries them.
pub const TABLE: [Row; 8] = [
    Row {
        quirk: Quirk::FromAuthUser,
        word: "from-auth-user",
        sentence: "From carries auth_username instead of username",
        asked_by: "refuses requests whose From is not the user of the credentials",
        shown_by: &[403, 404, 401, 407],
    },
    Row {
        quirk: Quirk::NoSessionTimers,
        word: "no-session-timers",
        sentence: "calls say nothing of session timers",
        asked_by: "answers 420 or an error to Supported: timer and Session-Expires",
        shown_by: &[420, 400, 422, 500, 513, 0],
    },
    Row {
        quirk: Quirk::No100rel,
        word: "no-100rel",
        sentence: "calls say nothing of reliable provisional responses",
        asked_by: "answers 420 or an error to Supported: 100rel",
        shown_by: &[420, 400, 500, 0],
    },
    Row {
        quirk: Quirk::NoRport,
        word: "no-rport",
        sentence: "Via does not ask for the port",
        asked_by: "answers 400 to a Via with rport, or nothing at all",
        shown_by: &[400, 0],
    },
    Row {
        quirk: Quirk::NoPath,
        word: "no-path",
        sentence: "REGISTER says nothing of Path",
        asked_by: "answers 420 or an error to Supported: path",
        shown_by: &[420, 400, 500],
    },
    Row {
        quirk: Quirk::ShortRequests,
        word: "short-requests",
        sentence: "requests leave out what they may lack",
        asked_by: "stands behind a network that loses larger datagrams",
        shown_by: &[0, 513],
    },
    Row {
        quirk: Quirk::BareContact,
        word: "bare-contact",
        sentence: "Contact is an address without a user",
        asked_by: "refuses a Contact with a user that it does not know",
        shown_by: &[400, 403, 404],
    },
    Row {
        quirk: Quirk::ContactAuthUser,
        word: "contact-auth-user",
        sentence: "Contact carries auth_username instead of username",
        asked_by: "refuses a Contact that is not the user of the credentials",
        shown_by: &[400, 403, 404],
    },
];

impl Quirk {
    /// The quirk of a word in the file.
    pub fn from_word(word: &str) -> Option<Quirk> {
        TABLE.iter().find(|row| row.word == word).map(|row| row.quirk)
    }

    /// Its row in the table.
    pub fn row(self) -> Option<&'static Row> {
        TABLE.iter().find(|row| row.quirk == self)
    }
}

/// The quirks of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quirks(u16);

impl Quirks {
    /// Whether it has this one.
    pub fn has(self, quirk: Quirk) -> bool {
        self.0 & (1 << quirk as u16) != 0
    }

    /// The same and one more.
    #[must_use]
    pub fn with(self, quirk: Quirk) -> Quirks {
        Quirks(self.0 | (1 << quirk as u16))
    }

    /// All that it has, in the table's order.
    pub fn iter(self) -> impl Iterator<Item = &'static Row> {
        TABLE.iter().filter(move |row| self.has(row.quirk))
    }

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
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::dialog::blank;
    use crate::endpoint::core::SUPPORTED;
    use crate::message::Uri;

    #[test]
    fn every_quirk_has_one_row_and_a_word_of_its_own() {
        for row in TABLE {
            assert_eq!(Quirk::from_word(row.word), Some(row.quirk));
            assert_eq!(row.quirk.row().unwrap().word, row.word);
            assert!(!row.shown_by.is_empty());
        }
        assert_eq!(Quirk::from_word("rport"), None);
    }

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
}
