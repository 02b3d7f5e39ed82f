//! Words that every room shares, and the one way in which machines are driven.
//!
//! # The driving contract
//!
//! A *machine* is a protocol state holder without clock, socket, lock or thread. Whoever drives it
//! (the shell in `server/src/core`, or a test) follows one rule: **after every input, drain every
//! output**, in this order:
//!
//! 1. Give it one input: `handle_datagram(now, &datagram)`, `handle_timeout(now)` or
//!    `command(now, command)`.
//! 2. `poll_transmit()` until `None`; send each, keep one that the socket refused.
//! 3. `poll_event()` until `None`; each event may become a command to another machine.
//! 4. `poll_timeout()`; wake up no later than that and call `handle_timeout`.
//!
//! `now` never runs backwards between calls to the same machine. Randomness comes in through a
//! [`Seed`] at construction, so a run repeats from its seed and its inputs.

mod codec;
mod datagram;
mod frame;
mod id;
mod redact;
mod seed;
pub mod speex;
mod srtp;
mod timers;

pub use codec::Codec;
pub use datagram::{Datagram, Protocol, Transmit};
pub use frame::Frame;
pub use id::{AccountId, CallId, LinkId};
pub use redact::{Private, Secret};
pub use seed::Seed;
pub use srtp::{MasterKey, SrtpSuite};
pub use timers::Timers;
