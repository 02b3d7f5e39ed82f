//! Two sessions on a virtual wire and a virtual clock, and one session against a script.
#![allow(clippy::unwrap_used)]

mod acknowledging;
mod audio;
mod closing;
mod giving_up;
mod keeping_alive;
mod moving;
mod opening;
mod receiving;
mod rejecting;
mod script;
mod sending;
mod sweep;
mod windows;
mod world;
