//! The endpoint on a virtual wire under a virtual clock.
#![allow(clippy::unwrap_used)]

mod answering;
mod calling;
mod redirecting;
mod refreshing;
mod registering;
mod registrar;
mod reliable;
mod sweeps;
mod talking;
mod transferring;
mod wire;
