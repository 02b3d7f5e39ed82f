//! Numbers that name things inside one process; none leaves it.

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(pub u64);
    };
}

id!(
    /// One call: one visitor, one destination, two legs.
    CallId
);
id!(
    /// One browser's link, surviving reconnects of its WebSocket.
    LinkId
);
id!(
    /// One account of the configuration, or one that a page supplied.
    AccountId
);
