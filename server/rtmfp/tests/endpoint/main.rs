//! Whole endpoints on a virtual wire and clock.
#![allow(clippy::unwrap_used)]

mod handshake;
mod world;
