//! The endpoint on a virtual wire under a virtual clock.
#![allow(clippy::unwrap_used)]

mod answering;
mod calling;
mod flows;
mod registering;
mod registrar;
mod servers;
mod streams;
mod sweeps;
mod talking;
mod torture;
mod wire;
