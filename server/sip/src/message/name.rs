//! Names of header fields, long and compact (RFC 3261 section 7.3.3).

use std::fmt;
use std::hash::{Hash, Hasher};

macro_rules! names {
    ($($variant:ident = $text:literal,)*) => {
        /// The name of a header field. Names compare without regard to case.
        #[derive(Clone, Debug)]
        pub enum Name {
            $(#[doc = concat!("`", $text, "`.")] $variant,)*
            /// Any other name, in its long form.
            Other(String),
        }

        impl Name {
            /// The long form, spelled as the RFCs do.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Name::$variant => $text,)*
                    Name::Other(text) => text,
                }
            }
        }

        impl From<&str> for Name {
            /// Takes a long or a compact form in any case.
            fn from(text: &str) -> Self {
                let text = long_form(text);
                $(if text.eq_ignore_ascii_case($text) { return Name::$variant; })*
                Name::Other(text.to_owned())
            }
        }
    };
}

names! {
    Via = "Via",
    From = "From",
    To = "To",
    CallId = "Call-ID",
    CSeq = "CSeq",
    Contact = "Contact",
    MaxForwards = "Max-Forwards",
    Route = "Route",
    RecordRoute = "Record-Route",
    ContentType = "Content-Type",
    ContentLength = "Content-Length",
    Expires = "Expires",
    MinExpires = "Min-Expires",
    WwwAuthenticate = "WWW-Authenticate",
    Authorization = "Authorization",
    ProxyAuthenticate = "Proxy-Authenticate",
    ProxyAuthorization = "Proxy-Authorization",
    Allow = "Allow",
    Supported = "Supported",
    Require = "Require",
    Unsupported = "Unsupported",
    UserAgent = "User-Agent",
    Server = "Server",
    RetryAfter = "Retry-After",
    Reason = "Reason",
    Warning = "Warning",
    ReferTo = "Refer-To",
    ReferSub = "Refer-Sub",
    ReferredBy = "Referred-By",
    Replaces = "Replaces",
    Event = "Event",
    SubscriptionState = "Subscription-State",
    RSeq = "RSeq",
    RAck = "RAck",
    SessionExpires = "Session-Expires",
    MinSe = "Min-SE",
    ServiceRoute = "Service-Route",
    Path = "Path",
    PAssertedIdentity = "P-Asserted-Identity",
    PPreferredIdentity = "P-Preferred-Identity",
    Privacy = "Privacy",
    UserToUser = "User-to-User",
    Subject = "Subject",
}

/// The long form of a compact name (the registry at IANA, single letters); any other name as it is.
pub(crate) fn long_form(name: &str) -> &str {
    let [letter] = name.as_bytes() else { return name };
    match letter.to_ascii_lowercase() {
        b'a' => "Accept-Contact",
        b'b' => "Referred-By",
        b'c' => "Content-Type",
        b'd' => "Request-Disposition",
        b'e' => "Content-Encoding",
        b'f' => "From",
        b'i' => "Call-ID",
        b'j' => "Reject-Contact",
        b'k' => "Supported",
        b'l' => "Content-Length",
        b'm' => "Contact",
        b'n' => "Identity-Info",
        b'o' => "Event",
        b'r' => "Refer-To",
        b's' => "Subject",
        b't' => "To",
        b'u' => "Allow-Events",
        b'v' => "Via",
        b'x' => "Session-Expires",
        b'y' => "Identity",
        _ => name,
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.as_str().eq_ignore_ascii_case(other.as_str())
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for octet in self.as_str().bytes() {
            state.write_u8(octet.to_ascii_lowercase());
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
