//! Request methods (RFC 3261 section 7.1 and the extensions that we know).

use std::fmt;

macro_rules! methods {
    ($($variant:ident = $text:literal, $rsip:ident, $doc:literal;)*) => {
        /// A request method. Methods are case-sensitive: `invite` is some other method.
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        pub enum Method {
            $(#[doc = $doc] $variant,)*
            /// A method that we do not know, kept so that it can be answered with 405 or 501.
            Other(String),
        }

        impl Method {
            /// The method as it goes on the wire.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Method::$variant => $text,)*
                    Method::Other(text) => text,
                }
            }

            /// The same method in rsip's closed set; `None` for [`Method::Other`].
            pub fn to_rsip(&self) -> Option<rsip::Method> {
                match self {
                    $(Method::$variant => Some(rsip::Method::$rsip),)*
                    Method::Other(_) => None,
                }
            }
        }

        impl From<&str> for Method {
            fn from(text: &str) -> Self {
                match text {
                    $($text => Method::$variant,)*
                    other => Method::Other(other.to_owned()),
                }
            }
        }
    };
}

methods! {
    Invite = "INVITE", Invite, "Sets up a call (RFC 3261 section 13).";
    Ack = "ACK", Ack, "Acknowledges a final response to INVITE.";
    Bye = "BYE", Bye, "Ends a call (RFC 3261 section 15).";
    Cancel = "CANCEL", Cancel, "Gives up a pending INVITE (RFC 3261 section 9).";
    Options = "OPTIONS", Options, "Asks for capabilities (RFC 3261 section 11).";
    Register = "REGISTER", Register, "Binds a contact to an address (RFC 3261 section 10).";
    Info = "INFO", Info, "Carries application data in a dialog (RFC 6086).";
    Prack = "PRACK", PRack, "Acknowledges a reliable provisional response (RFC 3262).";
    Update = "UPDATE", Update, "Changes a session before or after it is set up (RFC 3311).";
    Refer = "REFER", Refer, "Asks for a transfer (RFC 3515).";
    Notify = "NOTIFY", Notify, "Reports an event (RFC 6665).";
    Message = "MESSAGE", Message, "Carries an instant message (RFC 3428).";
    Subscribe = "SUBSCRIBE", Subscribe, "Asks for events (RFC 6665).";
    Publish = "PUBLISH", Publish, "Publishes event state (RFC 3903).";
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
