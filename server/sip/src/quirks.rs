//! What single providers want otherwise than the RFCs have it. Each quirk is one row of a table; an
//! account has a set of them, and without any it speaks as the RFCs say.
//!
//! What they change in messages is in `wire`; the few that are about media and ringing are looked up
//! by whoever owns those.

mod wire;

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
    /// Addresses are `sips:` (RFC 5630).
    Sips,
    /// Contact does not name the transport.
    NoTransport,
    /// Request-URI and Contact name the transport, UDP too.
    NameTransport,
    /// The outbound proxy is sent to, but stands in no Route.
    NoRoute,
    /// OPTIONS goes out again and again, so that neither the provider nor a NAT forgets us.
    OptionsPings,
    /// Numbers in calls are marked as such, `user=phone` (RFC 3261 19.1.1).
    UserPhone,
    /// Numbers in calls begin with `+`.
    Plus,
    /// Numbers in calls do not begin with `+`.
    NoPlus,
    /// Offers do not propose RTCP on the port of RTP (RFC 5761).
    NoRtcpMux,
    /// A 180 after sound before the answer means that the provider now leaves ringing to us.
    RingAfterEarly,
    /// What a provider describes as sound before the answer is none: we make the ringing.
    NoEarlyMedia,
    /// REGISTER names one Contact: an old address of ours is left to its own end.
    OneContact,
    /// Keys go by INFO, whatever the offer and the answer say.
    InfoDigits,
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
    /// The responses by which such a provider shows itself; 0 is silence. Refusals are worth a try
    /// with the quirk. None at all: it shows itself in a call, or with time.
    pub shown_by: &'static [u16],
    /// What an account must have for the quirk to change anything.
    pub needs: Option<Need>,
}

/// What a quirk builds on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A user for digest that is another than the account's.
    AuthUsername,
    /// An outbound proxy.
    OutboundProxy,
    /// TCP or TLS.
    Connections,
    /// TLS.
    Tls,
}

/// Every quirk, in the order in which `check` tries them.
pub const TABLE: [Row; 21] = [
    Row {
        quirk: Quirk::FromAuthUser,
        word: "from-auth-user",
        sentence: "From carries auth_username instead of username",
        asked_by: "refuses requests whose From is not the user of the credentials",
        shown_by: &[403, 404, 401, 407],
        needs: Some(Need::AuthUsername),
    },
    Row {
        quirk: Quirk::NoSessionTimers,
        word: "no-session-timers",
        sentence: "calls say nothing of session timers",
        asked_by: "answers 420 or an error to Supported: timer and Session-Expires",
        shown_by: &[420, 400, 422, 500, 513, 0],
        needs: None,
    },
    Row {
        quirk: Quirk::No100rel,
        word: "no-100rel",
        sentence: "calls say nothing of reliable provisional responses",
        asked_by: "answers 420 or an error to Supported: 100rel",
        shown_by: &[420, 400, 500, 0],
        needs: None,
    },
    Row {
        quirk: Quirk::OneContact,
        word: "one-contact",
        sentence: "REGISTER has one Contact, and an old address of ours is not withdrawn",
        asked_by: "refuses REGISTER with a second Contact",
        shown_by: &[400, 403, 500],
        needs: None,
    },
    Row {
        quirk: Quirk::NoRport,
        word: "no-rport",
        sentence: "Via does not ask for the port",
        asked_by: "answers 400 to a Via with rport, or nothing at all",
        shown_by: &[400, 0],
        needs: None,
    },
    Row {
        quirk: Quirk::NoPath,
        word: "no-path",
        sentence: "REGISTER says nothing of Path",
        asked_by: "answers 420 or an error to Supported: path",
        shown_by: &[420, 400, 500],
        needs: None,
    },
    Row {
        quirk: Quirk::ShortRequests,
        word: "short-requests",
        sentence: "requests leave out what they may lack",
        asked_by: "stands behind a network that loses larger datagrams",
        shown_by: &[0, 513],
        needs: None,
    },
    Row {
        quirk: Quirk::BareContact,
        word: "bare-contact",
        sentence: "Contact is an address without a user",
        asked_by: "refuses a Contact with a user that it does not know",
        shown_by: &[400, 403, 404],
        needs: None,
    },
    Row {
        quirk: Quirk::ContactAuthUser,
        word: "contact-auth-user",
        sentence: "Contact carries auth_username instead of username",
        asked_by: "refuses a Contact that is not the user of the credentials",
        shown_by: &[400, 403, 404],
        needs: Some(Need::AuthUsername),
    },
    Row {
        quirk: Quirk::NoRtcpMux,
        word: "no-rtcp-mux",
        sentence: "offers do not propose RTCP on the port of RTP",
        asked_by: "refuses an offer with a=rtcp-mux",
        shown_by: &[488, 606, 415, 400, 500],
        needs: None,
    },
    Row {
        quirk: Quirk::UserPhone,
        word: "user-phone",
        sentence: "numbers in calls carry user=phone",
        asked_by: "knows a number only by user=phone, and looks for a subscriber of that name otherwise",
        shown_by: &[404, 484, 416, 403],
        needs: None,
    },
    Row {
        quirk: Quirk::Plus,
        word: "plus",
        sentence: "numbers in calls begin with +",
        asked_by: "takes numbers in international form only",
        shown_by: &[404, 484, 403],
        needs: None,
    },
    Row {
        quirk: Quirk::NoPlus,
        word: "no-plus",
        sentence: "numbers in calls do not begin with +",
        asked_by: "dials what it is given, and knows no +",
        shown_by: &[404, 484, 403],
        needs: None,
    },
    Row {
        quirk: Quirk::NoTransport,
        word: "no-transport",
        sentence: "Contact does not name the transport",
        asked_by: "refuses a Contact with transport=, or cannot read it",
        shown_by: &[400, 403, 416],
        needs: Some(Need::Connections),
    },
    Row {
        quirk: Quirk::NameTransport,
        word: "name-transport",
        sentence: "Request-URI and Contact name the transport, UDP too",
        asked_by: "routes by transport=, and takes an address without one for another",
        shown_by: &[404, 400, 416, 480],
        needs: None,
    },
    Row {
        quirk: Quirk::NoRoute,
        word: "no-route",
        sentence: "the outbound proxy stands in no Route",
        asked_by: "refuses a first request that has a Route already",
        shown_by: &[403, 404, 482, 483],
        needs: Some(Need::OutboundProxy),
    },
    Row {
        quirk: Quirk::Sips,
        word: "sips",
        sentence: "addresses are sips: instead of sip:",
        asked_by: "takes calls over TLS for sips: addresses only",
        shown_by: &[480, 403, 416, 400],
        needs: Some(Need::Tls),
    },
    Row {
        quirk: Quirk::OptionsPings,
        word: "options-pings",
        sentence: "OPTIONS goes to the provider every 20 seconds",
        asked_by: "takes a phone for gone that sends no request for half a minute",
        shown_by: &[],
        needs: None,
    },
    Row {
        quirk: Quirk::RingAfterEarly,
        word: "ring-after-early",
        sentence: "180 after sound before the answer lets the page ring again",
        asked_by: "announces something before it rings, or describes sound that never comes, and rings by 180 alone",
        shown_by: &[180],
        needs: None,
    },
    Row {
        quirk: Quirk::NoEarlyMedia,
        word: "no-early-media",
        sentence: "sound before the answer is left out, and the page rings",
        asked_by: "describes sound before the answer and sends none",
        shown_by: &[183],
        needs: None,
    },
    Row {
        quirk: Quirk::InfoDigits,
        word: "info-digits",
        sentence: "keys go by INFO, also where telephone events were agreed on",
        asked_by: "agrees on telephone events and does not hear them",
        shown_by: &[],
        needs: None,
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
pub struct Quirks(u32);

impl Quirks {
    /// Whether it has this one.
    pub fn has(self, quirk: Quirk) -> bool {
        self.0 & (1 << quirk as u32) != 0
    }

    /// The same and one more.
    #[must_use]
    pub fn with(self, quirk: Quirk) -> Quirks {
        Quirks(self.0 | (1 << quirk as u32))
    }

    /// All that it has, in the table's order.
    pub fn iter(self) -> impl Iterator<Item = &'static Row> {
        TABLE.iter().filter(move |row| self.has(row.quirk))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn every_quirk_has_one_row_and_a_word_of_its_own() {
        for row in TABLE {
            assert_eq!(Quirk::from_word(row.word), Some(row.quirk));
            assert_eq!(row.quirk.row().unwrap().word, row.word);
            let shows_late = [Quirk::OptionsPings, Quirk::InfoDigits].contains(&row.quirk);
            assert_eq!(row.shown_by.is_empty(), shows_late, "{}", row.word);
        }
        assert_eq!(Quirk::from_word("rport"), None);
    }
}
