//! The endpoint on a virtual wire under a virtual clock.
#![allow(clippy::unwrap_used)]

mod answering;
mod calling;
mod elsewhere;
mod flows;
mod many;
mod quirky;
mod redirecting;
mod refreshing;
mod registering;
mod registrar;
mod reliable;
mod rfc3665;
mod servers;
mod streams;
mod sweeps;
mod talking;
mod torture;
mod transferring;
mod ways;
mod wire;
