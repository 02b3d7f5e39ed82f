//! Session startup (RFC 7016 section 3.5.1), in parts that hold no session.

pub(crate) mod cookie;
pub(crate) mod fragments;
pub(crate) mod keying;
pub(crate) mod limiter;
pub(crate) mod opening;
