//! Whole endpoints on a virtual wire and clock.
#![allow(clippy::unwrap_used)]

mod bounds;
mod handshake;
mod introduction;
mod raw;
mod recorded;
mod startup;
mod wire;
mod world;
