//! Browser peers against str0m as the browser (full ICE, controlling), over a virtual wire and
//! under a virtual clock.
#![allow(clippy::unwrap_used)]

mod answers;
mod checks;
mod connecting;
mod handshakes;
mod moving;
mod offers;
mod sound;
mod world;
