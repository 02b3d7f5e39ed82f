//! The link against a server, under a clock that is not there.

#![allow(clippy::unwrap_used)]

mod calls;
mod incoming;
mod resume;
mod socket;
mod world;
