//! The endpoint on a virtual wire under a virtual clock.
#![allow(clippy::unwrap_used)]

mod answering;
mod calling;
mod registering;
mod registrar;
mod rfc3665;
mod servers;
mod streams;
mod sweeps;
mod talking;
mod torture;
mod wire;
